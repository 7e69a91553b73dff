// Step 8, limits and a graceful end: what a server of the open world has.   8-limits [PORT]
#include "sio_demo.hpp"

#include <asio/signal_set.hpp>

#include <csignal>
#include <cstdio>
#include <string>

namespace sio = sio_demo;

int main(int count, char** arguments) {
  const int port = count > 1 ? std::stoi(arguments[1]) : 3000;
  sio::Server io{{
      .port = static_cast<std::uint16_t>(port),
      .max_payload = 1000,               // bytes of a message
      .max_connections_per_address = 8,  // TCP connections of one address
      .event_rate = {3, 1},              // 3 events of a client at once, then 1 a second
      .trusted_proxies = {},             // else this machine, where proxies live, had no limits by address
  }};

  io.on("echo", [](sio::Socket&, const sio::json::array_t& values, sio::Reply<> reply) { reply(sio::each(values)); });

  // The header installs no signal handler: what ends a program is the program's affair.
  asio::signal_set signals(io.loop(), SIGINT, SIGTERM);
  signals.async_wait([&](std::error_code cancelled, int) {
    if (cancelled) return;
    std::printf("ending, with %zu client(s)\n", io.clients_count());
    io.close([] { std::puts("all are told"); });
  });

  return io.run();
}
