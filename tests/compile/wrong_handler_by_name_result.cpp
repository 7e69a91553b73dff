// A handler by name returns what nobody would get.
// expect: on: a handler by name returns nothing; it answers through a last parameter Reply<>
#include "sio_demo.hpp"

namespace sio = sio_demo;

int main() {
  sio::Server io;
  io.on("sum", [](sio::Socket&, const sio::json::array_t& numbers) { return numbers.size(); });
}
