// Likewise on the way in.
// expect: an event's arguments are values: take std::string, not const std::string&
// expect: argument<1
// expect: 's', 'a', 'y'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ClientToServer<"say", int(const std::string&)> say{};

int main() {
  sio::Server io;
  io.on(say, [](sio::Socket&, const std::string& text) { return static_cast<int>(text.size()); });
}
