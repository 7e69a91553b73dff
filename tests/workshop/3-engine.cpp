// Step 3, an Engine.IO echo: a session that survives a change of transport.   3-engine [PORT]
#include "sio_demo.hpp"

#include <string>

namespace sio = sio_demo;
using namespace std::chrono_literals;

int main(int count, char** arguments) {
  const int port = count > 1 ? std::stoi(arguments[1]) : 3000;
  sio::engineio::Server engine({
      .port = static_cast<std::uint16_t>(port),
      .path = "/engine.io/",
      .ping_interval = 10min,  // nobody types a pong as fast as the default, 25 s, wants it
  });

  engine.on_message([](sio::engineio::Session& session, std::string_view payload, bool binary) {
    if (binary) session.send_binary(payload);
    else session.send_text(payload);
  });

  return engine.run();
}
