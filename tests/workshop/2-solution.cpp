// Step 2, solved: what one says, all of them hear.   2-solution [PORT]
#include "sio_demo.hpp"

#include <string>
#include <vector>

namespace sio = sio_demo;

int main(int count, char** arguments) {
  const int port = count > 1 ? std::stoi(arguments[1]) : 3000;
  std::vector<sio::Ref<sio::websocket::Socket>> guests;
  sio::http::Server server{{.port = static_cast<std::uint16_t>(port)}};

  server.http().websocket("/chat", {
    .open = [&](sio::websocket::Socket& socket) { guests.emplace_back(&socket); },
    .message = [&](sio::websocket::Socket&, std::string_view payload, bool binary) {
      if (binary) return;
      for (const auto& guest : guests) guest->send_text(payload);
    },
    .close = [&](sio::websocket::Socket& socket, sio::Reason, std::string_view) {
      std::erase_if(guests, [&](const auto& guest) { return guest.get() == &socket; });
      for (const auto& guest : guests) guest->send_text("somebody left");
    },
  });

  return server.run();
}
