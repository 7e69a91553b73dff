// Step 6, rooms: who is in one hears what is said there.   6-rooms [PORT]
#include "sio_demo.hpp"

#include <algorithm>
#include <string>

namespace sio = sio_demo;
using sio::json;
using namespace std::chrono_literals;

bool is_in(const sio::Socket& socket, const std::string& room) {
  const auto rooms = socket.rooms();
  return std::find(rooms.begin(), rooms.end(), room) != rooms.end();
}

int main(int count, char** arguments) {
  const int port = count > 1 ? std::stoi(arguments[1]) : 3000;
  sio::Server io{{.port = static_cast<std::uint16_t>(port), .ping_interval = 10min, .connect_timeout = 10min}};

  io.on("join", [&](sio::Socket& socket, const json::array_t& values, sio::Reply<> reply) {
    const auto room = values.at(0).get<std::string>();
    socket.join(room);
    socket.to(room).emit("joined", room);  // the others there, without the one who has come
    reply(io.of("/").adapter().room_size(room));
  });

  io.on("say", [&](sio::Socket& socket, const json::array_t& values) {
    const auto room = values.at(0).get<std::string>();
    if (!is_in(socket, room)) return socket.emit("not there", room);
    io.to(room).emit("said", room, values.at(1));  // everybody there, the speaker included
  });

  io.on("shout", [](sio::Socket& socket, const json::array_t& values) {
    socket.broadcast().emit("shouted", values.at(0));  // the whole namespace, without the speaker
  });

  return io.run();
}
