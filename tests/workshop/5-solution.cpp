// Step 5, solved: a vote of all, and a time that is over.   5-solution [PORT]
#include "sio_demo.hpp"

#include <algorithm>
#include <string>

namespace sio = sio_demo;
using sio::json;
using namespace std::chrono_literals;

int main(int count, char** arguments) {
  const int port = count > 1 ? std::stoi(arguments[1]) : 3000;
  sio::Server io{{.port = static_cast<std::uint16_t>(port), .ping_interval = 10min, .connect_timeout = 10min}};

  io.on("vote", [&](sio::Socket&, const json::array_t& question, sio::Reply<> reply) {
    // One frame for all, one answer from each. When the time is over, `answers` has those that came.
    io.timeout(1s).emit("agree?", sio::each(question), [=](std::error_code error, const json::array_t& answers) {
      reply(std::count(answers.begin(), answers.end(), true), answers.size(), error ? "not all answered" : "all answered");
    });
  });

  return io.run();
}
