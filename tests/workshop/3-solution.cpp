// Step 3, solved: the session says on which transport each message came.   3-solution [PORT]
#include "sio_demo.hpp"

#include <string>

namespace sio = sio_demo;
using namespace std::chrono_literals;

int main(int count, char** arguments) {
  const int port = count > 1 ? std::stoi(arguments[1]) : 3000;
  sio::engineio::Server engine({.port = static_cast<std::uint16_t>(port), .path = "/engine.io/", .ping_interval = 10min});

  engine.on_connection([](sio::engineio::Session& session, const sio::http::Request&) { session.send_text("welcome"); });
  engine.on_upgrade([](sio::engineio::Session& session) { session.send_text("upgraded"); });
  engine.on_message([](sio::engineio::Session& session, std::string_view payload, bool binary) {
    if (binary) return session.send_binary(payload);
    session.send_text(std::string(payload) + " by " + session.transport());
  });

  return engine.run();
}
