// Step 7, typed events: the compiler checks us, the server checks the client.   7-typed [PORT]
#include "sio_demo.hpp"

#include <optional>
#include <string>

namespace sio = sio_demo;
using namespace std::chrono_literals;

struct Order {
  std::string dish;
  int count = 0;
  std::optional<std::string> note;
};
SIO_DEMO_FIELDS(Order, dish, count, note)

// A name, a direction, what goes along, and, in front, what the ack brings.
inline constexpr sio::ClientToServer<"order", int(Order)> order{};
inline constexpr sio::ServerToClient<"cooking", void(int, Order)> cooking{};

int main(int count, char** arguments) {
  const int port = count > 1 ? std::stoi(arguments[1]) : 3000;
  int last = 0;
  sio::Server io{{.port = static_cast<std::uint16_t>(port), .ping_interval = 10min, .connect_timeout = 10min}};

  io.on(order, [&](sio::Socket&, const Order& wanted) {
    io.emit(cooking, ++last, wanted);
    return last;  // the ack
  });

  return io.run();
}
