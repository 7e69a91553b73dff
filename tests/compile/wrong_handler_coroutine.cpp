// A coroutine that brings a text for an ack that is a number.
// expect(g++): on: this handler does not return what the event's ack carries
// expect(g++): {"add"}
// expect(clang++): on: this handler does not return what the event's ack carries
// expect(clang++): 'a', 'd', 'd'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ClientToServer<"add", int(int, int)> add{};

int main() {
  sio::Server io;
#ifdef ASIO_HAS_CO_AWAIT
  io.on(add, [](sio::Socket&, int a, int b) -> asio::awaitable<std::string> { co_return std::to_string(a + b); });
#else
  io.on(add, [](sio::Socket&, int, int) { return "there are no coroutines with this compiler"; });
#endif
}
