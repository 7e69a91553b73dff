// In C++ every pointer is true; here a text is no answer to a yes-or-no question.
// expect: emit: an argument of another type than the event has
// expect(g++): {"ready"}
// expect(clang++): 'r', 'e', 'a', 'd', 'y'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ServerToClient<"ready", void(bool)> ready{};

int main() {
  sio::Server io;
  io.to("room").emit(ready, "no");
}
