// An event's argument has another type.
// expect: emit: an argument of another type than the event has
// expect(g++): {"said"}
// expect(clang++): 's', 'a', 'i', 'd'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ServerToClient<"said", void(std::string)> said{};

int main() {
  sio::Server io;
  io.emit(said, 5);
}
