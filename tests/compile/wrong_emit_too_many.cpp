// An event has no arguments, one is given.
// expect: emit: another number of arguments than the event has
// expect(g++): {"started"}
// expect(clang++): 's', 't', 'a', 'r', 't', 'e', 'd'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ServerToClient<"started", void()> started{};

int main() {
  sio::Server io;
  io.of("/race").emit(started, "now");
}
