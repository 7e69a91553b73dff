// The callback takes another answer than the event's ack carries.
// expect: emit_with_ack: this callback does not take what the answer brings
// expect(g++): {"agree"}
// expect(clang++): 'a', 'g', 'r', 'e', 'e'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ServerToClient<"agree", bool(std::string)> agree{};
inline constexpr sio::ClientToServer<"say", int(std::string)> say{};

int main() {
  sio::Server io;
  io.on_connection([](sio::Socket& socket) {
    socket.timeout(sio::Seconds(5)).emit(agree, "terms", [](std::error_code, std::string) {});
  });
}
