// An event has two arguments, one is given.
// expect: emit: another number of arguments than the event has
// expect(g++): {"moved"}
// expect(clang++): 'm', 'o', 'v', 'e', 'd'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ServerToClient<"moved", void(double, double)> moved{};

int main() {
  sio::Server io;
  io.on_connection([](sio::Socket& socket) { socket.emit(moved, 1.0); });
}
