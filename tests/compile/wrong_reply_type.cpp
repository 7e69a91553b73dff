// A reply with a number where the ack is a text. A reply is passed on like any value, so it is its own type
// that is named here, not the event.
// expect: this reply takes another type
// expect: Reply
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ClientToServer<"name", std::string(int)> name{};

int main() {
  sio::Server io;
  io.on(name, [](sio::Socket&, int number, sio::Reply<std::string> reply) { reply(number); });
}
