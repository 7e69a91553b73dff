// A handler that returns nothing, although the client waits for a number.
// expect: on: this handler does not return what the event's ack carries
// expect(g++): {"add"}
// expect(clang++): 'a', 'd', 'd'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ClientToServer<"add", int(int, int)> add{};

int main() {
  sio::Server io;
  io.on(add, [](sio::Socket&, int, int) {});
}
