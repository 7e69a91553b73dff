// What a server emits, it does not receive.
// expect: on: this event goes from server to client, a server does not receive it
// expect(g++): {"said"}
// expect(clang++): 's', 'a', 'i', 'd'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ServerToClient<"said", void(std::string)> said{};

int main() {
  sio::Server io;
  io.on(said, [](sio::Socket&, const std::string&) {});
}
