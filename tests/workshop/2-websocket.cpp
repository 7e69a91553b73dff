// Step 2, a WebSocket echo: whole messages in, whole messages out.   2-websocket [PORT]
#include "sio_demo.hpp"

#include <string>

namespace sio = sio_demo;

int main(int count, char** arguments) {
  const int port = count > 1 ? std::stoi(arguments[1]) : 3000;
  sio::http::Server server{{.port = static_cast<std::uint16_t>(port)}};

  server.http().websocket("/echo", {.message = [](sio::websocket::Socket& socket, std::string_view payload, bool binary) {
    if (binary) socket.send_binary(payload);
    else socket.send_text(payload);
  }});

  return server.run();
}
