// Step 7, solved: sizes have names, and an order may be refused by the kitchen.   7-solution [PORT]
#include "sio_demo.hpp"

#include <optional>
#include <string>

namespace sio = sio_demo;
using namespace std::chrono_literals;

enum class Size { small, large };
SIO_DEMO_ENUM(Size, small, large)

struct Order {
  std::string dish;
  int count = 0;
  Size size = Size::small;
};
SIO_DEMO_FIELDS(Order, dish, count, size)

struct Receipt {
  std::optional<int> number{};
  std::optional<std::string> refused{};
};
SIO_DEMO_FIELDS(Receipt, number, refused)

inline constexpr sio::ClientToServer<"order", Receipt(Order)> order{};

int main(int count, char** arguments) {
  const int port = count > 1 ? std::stoi(arguments[1]) : 3000;
  int last = 0;
  sio::Server io{{.port = static_cast<std::uint16_t>(port), .ping_interval = 10min, .connect_timeout = 10min}};

  io.on(order, [&](sio::Socket&, const Order& wanted) -> Receipt {
    if (wanted.count < 1) return {.refused = "at least one"};  // of the right shape, and still nonsense
    if (wanted.count > 10 && wanted.size == Size::large) return {.refused = "the oven is too small"};
    return {.number = ++last};
  });

  return io.run();
}
