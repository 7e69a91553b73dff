// An argument is of another type than the event has.
// expect: emit: an argument of another type than the event has
// expect(g++): {"agree"}
// expect(clang++): 'a', 'g', 'r', 'e', 'e'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ServerToClient<"agree", bool(std::string)> agree{};
inline constexpr sio::ClientToServer<"say", int(std::string)> say{};

int main() {
  sio::Server io;
  io.on_connection(
      [](sio::Socket& socket) { socket.timeout(sio::Seconds(5)).emit(agree, 5, [](std::error_code, bool) {}); });
}
