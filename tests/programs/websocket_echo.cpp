// The README's echo server: WebSocket alone, texts and bytes.
#include "sio_demo.hpp"
namespace sio = sio_demo;

int main() {
  sio::http::Server server{{.port = 3000}};
  server.http().websocket("/echo",
                          {.message = [](sio::websocket::Socket& socket, std::string_view payload, bool binary) {
                            binary ? socket.send_binary(payload) : socket.send_text(payload);
                          }});
  return server.run();
}
