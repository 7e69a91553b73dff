// One json would be the array of all arguments, and not the first of them.
// expect: on: this handler would get all arguments as one json: take const json::array_t&, and of that at(0)
#include "sio_demo.hpp"

namespace sio = sio_demo;

int main() {
  sio::Server io;
  io.on("say", [](sio::Socket& socket, const sio::json& text) { socket.emit("said", text); });
}
