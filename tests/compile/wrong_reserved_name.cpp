// Socket.IO keeps some names for itself.
// expect: this name is reserved by Socket.IO
// expect(g++): {"disconnect"}
// expect(clang++): 'd', 'i', 's', 'c', 'o', 'n', 'n', 'e', 'c', 't'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ServerToClient<"disconnect", void()> disconnect{};

int main() {
  sio::Server io;
  io.emit(disconnect);
}
