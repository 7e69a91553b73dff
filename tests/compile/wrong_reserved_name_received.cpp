// Nor can a client emit it.
// expect: this name is reserved by Socket.IO
// expect(g++): {"connect"}
// expect(clang++): 'c', 'o', 'n', 'n', 'e', 'c', 't'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ClientToServer<"connect", void()> join{};

int main() {
  sio::Server io;
  io.on(join, [](sio::Socket&) {});
}
