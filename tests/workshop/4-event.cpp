// Step 4, the first Socket.IO event: a name and arguments, both ways.   4-event [PORT]
#include "sio_demo.hpp"

#include <string>

namespace sio = sio_demo;
using namespace std::chrono_literals;

int main(int count, char** arguments) {
  const int port = count > 1 ? std::stoi(arguments[1]) : 3000;
  sio::Server io{{
      .port = static_cast<std::uint16_t>(port),
      .ping_interval = 10min,    // so that one can be a client by hand,
      .connect_timeout = 10min,  // and read meanwhile
  }};

  io.on_connection([](sio::Socket& socket) { socket.emit("hello", "from C++", 20); });
  io.on("say", [](sio::Socket& socket, const sio::json::array_t& words) { socket.emit("said", sio::each(words)); });

  return io.run();
}
