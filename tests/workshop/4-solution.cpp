// Step 4, solved: a namespace with a door, and events of its own.   4-solution [PORT]
#include "sio_demo.hpp"

#include <string>

namespace sio = sio_demo;
using namespace std::chrono_literals;

int main(int count, char** arguments) {
  const int port = count > 1 ? std::stoi(arguments[1]) : 3000;
  sio::Server io{{.port = static_cast<std::uint16_t>(port), .ping_interval = 10min, .connect_timeout = 10min}};
  auto& news = io.of("/news");

  news.use([](sio::Socket& socket, sio::Next next) {
    if (socket.handshake().auth().value("token", sio::json()) == "abc") next(sio::accept);
    else next(sio::refuse("no token, no news"));
  });
  news.on_connection([](sio::Socket& socket) { socket.emit("headline", "it works"); });

  return io.run();
}
