// Step 8, solved: clients are warned a second before the end, and handshakes are limited, too.   8-solution [PORT]
#include "sio_demo.hpp"

#include <asio/signal_set.hpp>

#include <csignal>
#include <cstdlib>
#include <string>

namespace sio = sio_demo;
using namespace std::chrono_literals;

int main(int count, char** arguments) {
  const int port = count > 1 ? std::stoi(arguments[1]) : 3000;
  sio::Server io{{
      .port = static_cast<std::uint16_t>(port),
      .handshake_rate = {2, 0.1},  // 2 at once, then one in 10 s
      .trusted_proxies = {},
  }};

  asio::signal_set signals(io.loop(), SIGINT, SIGTERM);
  asio::steady_timer farewell(io.loop());
  signals.async_wait([&](std::error_code cancelled, int) {
    if (cancelled) return;
    signals.async_wait([](std::error_code again, int) {
      if (!again) std::_Exit(1);  // a second signal does not wait
    });
    io.emit("bye", 1);
    farewell.expires_after(1s);
    farewell.async_wait([&](std::error_code) { io.close([&] { signals.cancel(); }); });
  });

  return io.run();
}
