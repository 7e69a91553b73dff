// A handler that returns a fraction for an ack that is a whole number.
// expect: on: this handler does not return what the event's ack carries
// expect(g++): {"half"}
// expect(clang++): 'h', 'a', 'l', 'f'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ClientToServer<"half", int(int)> half{};

int main() {
  sio::Server io;
  io.on(half, [](sio::Socket&, int number) { return number / 2.0; });
}
