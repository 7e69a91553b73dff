// What clients emit, a server does not.
// expect: emit: this event goes from client to server, a server does not emit it
// expect(g++): {"say"}
// expect(clang++): 's', 'a', 'y'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ClientToServer<"say", void(std::string)> say{};

int main() {
  sio::Server io;
  io.emit(say, "hello");
}
