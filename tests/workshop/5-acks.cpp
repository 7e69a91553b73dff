// Step 5, acks: a client asks the server, the server asks the client.   5-acks [PORT]
#include "sio_demo.hpp"

#include <string>

namespace sio = sio_demo;
using sio::json;
using namespace std::chrono_literals;

double sum(const json::array_t& numbers) {
  double all = 0;
  for (const json& number : numbers) all += number.is_number() ? number.get<double>() : 0;
  return all;
}

int main(int count, char** arguments) {
  const int port = count > 1 ? std::stoi(arguments[1]) : 3000;
  sio::Server io{{.port = static_cast<std::uint16_t>(port), .ping_interval = 10min, .connect_timeout = 10min}};

  io.on("add", [](sio::Socket&, const json::array_t& numbers, sio::Reply<> reply) { reply(sum(numbers)); });

  io.on("introduce me", [](sio::Socket& socket, const json::array_t&) {
    // The answer comes in its own time, or not at all; the loop serves others meanwhile.
    socket.timeout(30s).emit("your name?", [socket](std::error_code error, const json::array_t& answer) {
      if (error) socket.emit("nobody there", error.message());
      else socket.emit("pleased to meet you", sio::each(answer));
    });
  });

  return io.run();
}
