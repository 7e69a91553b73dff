// Step 6, solved: people can leave a room, and those who stay are told.   6-solution [PORT]
#include "sio_demo.hpp"

#include <string>

namespace sio = sio_demo;
using sio::json;
using namespace std::chrono_literals;

int main(int count, char** arguments) {
  const int port = count > 1 ? std::stoi(arguments[1]) : 3000;
  sio::Server io{{.port = static_cast<std::uint16_t>(port), .ping_interval = 10min, .connect_timeout = 10min}};

  io.on("join", [&](sio::Socket& socket, const json::array_t& values, sio::Reply<> reply) {
    const auto room = values.at(0).get<std::string>();
    socket.join(room);
    reply(io.of("/").adapter().room_size(room));
  });
  io.on("leave", [](sio::Socket& socket, const json::array_t& values) {
    const auto room = values.at(0).get<std::string>();
    socket.leave(room);
    socket.to(room).emit("left", room);
  });
  io.on_disconnecting([](sio::Socket& socket, const sio::Disconnect&) {  // its rooms are still there
    for (const auto& room : socket.rooms()) {
      if (room != socket.id()) socket.to(room).emit("left", room);
    }
  });

  return io.run();
}
