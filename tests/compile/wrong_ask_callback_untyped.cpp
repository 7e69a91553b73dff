// Nobody has said of what type the answer to an event by name is.
// expect: emit_with_ack: this callback does not take what the answer brings
// expect: of an event by name json::array_t
#include "sio_demo.hpp"

namespace sio = sio_demo;

int main() {
  sio::Server io;
  io.on_connection([](sio::Socket& socket) { socket.emit_with_ack("agree", [](std::error_code, bool) {}); });
}
