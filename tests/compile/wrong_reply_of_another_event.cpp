// A handler that asks for a reply of another type than the event's ack.
// expect: on: this handler does not take what the event brings
// expect(g++): {"name"}
// expect(clang++): 'n', 'a', 'm', 'e'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ClientToServer<"name", std::string(int)> name{};

int main() {
  sio::Server io;
  io.on(name, [](sio::Socket&, int number, sio::Reply<int> reply) { reply(number); });
}
