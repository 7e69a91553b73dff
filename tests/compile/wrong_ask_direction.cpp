// What clients emit, a server does not ask.
// expect: emit_with_ack: this event goes from client to server
// expect(g++): {"say"}
// expect(clang++): 's', 'a', 'y'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ServerToClient<"agree", bool(std::string)> agree{};
inline constexpr sio::ClientToServer<"say", int(std::string)> say{};

int main() {
  sio::Server io;
  io.on_connection(
      [](sio::Socket& socket) { socket.timeout(sio::Seconds(5)).emit(say, "x", [](std::error_code, int) {}); });
}
