// The server that the benchmark measures: one namespace, handlers as a user writes them, every
// check and limit at its default.   bench_server PORT
#include "sio_demo.hpp"

#include <cstdlib>

namespace sio = sio_demo;

inline constexpr sio::ClientToServer<"echo", std::string(std::string)> echo;
inline constexpr sio::ClientToServer<"blast", void(int, int)> blast;
inline constexpr sio::ServerToClient<"tick", void(std::string)> tick;

int main(int count, char** arguments) {
  const auto port = count > 1 ? sio::bytes::whole_number(arguments[1]) : std::nullopt;
  if (!port || *port > 65535) {
    std::fputs("usage: bench_server PORT\n", stderr);
    return 2;
  }
  sio::Server io{{.host = "127.0.0.1", .port = static_cast<std::uint16_t>(*port)}};
  auto& bench = io.of("/bench");
  bench.on(echo, [](sio::Socket&, const std::string& value) { return value; });
  bench.on(blast, [&](sio::Socket&, int times, int size) {
    const std::string text(static_cast<std::size_t>((std::max)(size, 0)), 'x');
    for (int i = 0; i < times; ++i) bench.emit(tick, text);
  });
  return io.run();
}
