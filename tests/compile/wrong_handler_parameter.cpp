// A handler that takes a number for what is a text.
// expect: on: this handler does not take what the event brings
// expect(g++): {"say"}
// expect(clang++): 's', 'a', 'y'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ClientToServer<"say", void(std::string)> say{};

int main() {
  sio::Server io;
  io.on(say, [](sio::Socket&, int) {});
}
