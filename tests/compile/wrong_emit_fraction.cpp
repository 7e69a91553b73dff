// A fraction would be lost on the way.
// expect: emit: an argument of another type than the event has
// expect(g++): {"count"}
// expect(clang++): 'c', 'o', 'u', 'n', 't'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ServerToClient<"count", void(int)> count{};

int main() {
  sio::Server io;
  io.emit(count, 1.5);
}
