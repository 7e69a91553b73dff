// The server that the benchmark measures: one namespace, handlers as a user writes them, every check and limit at its
// default.   bench_server PORT [PING_INTERVAL_MS [redis://...]]
// server.js is the same on the official server; change them together.
#include "sio_demo.hpp"

#include <cstdlib>

namespace sio = sio_demo;

inline constexpr sio::ClientToServer<"echo", std::string(std::string)> echo;
inline constexpr sio::ClientToServer<"binary", sio::Bytes(sio::Bytes)> binary;
inline constexpr sio::ClientToServer<"blast", void(int, int)> blast;  // ticks to all: how many, their size
inline constexpr sio::ClientToServer<"join", bool(std::vector<std::string>)> join;
inline constexpr sio::ClientToServer<"tell", void(std::vector<std::string>, int)>
    tell;  // a tick to these rooms: its size
inline constexpr sio::ClientToServer<"tell the rest", void(std::vector<std::string>, int)>
    tell_the_rest;                                                        // a tick to all but these rooms
inline constexpr sio::ClientToServer<"relay", void(sio::RawJson)> relay;  // to the room "red"
inline constexpr sio::ClientToServer<"ask", void(std::string)> ask;       // be asked, again and again
inline constexpr sio::ServerToClient<"tick", void(std::string)> tick;
inline constexpr sio::ServerToClient<"relayed", void(sio::RawJson)> relayed;
inline constexpr sio::ServerToClient<"question", std::string(std::string)> question;

std::string letters(int size) { return std::string(static_cast<std::size_t>((std::max)(size, 0)), 'x'); }

/// Each answer is the next question, until the client leaves.
void ask_on(const sio::Socket& socket, const std::string& text) {
  socket.emit_with_ack(question, text, [socket](std::error_code error, const std::string& answer) {
    if (!error) ask_on(socket, answer);
  });
}

int main(int count, char** arguments) {
  const auto port = count > 1 ? sio::bytes::whole_number(arguments[1]) : std::nullopt;
  const auto ping_interval = count > 2 ? sio::bytes::whole_number(arguments[2]) : 25'000;
  if (!port || *port > 65535 || !ping_interval) {
    std::fputs("usage: bench_server PORT [PING_INTERVAL_MS [redis://...]]\n", stderr);
    return 2;
  }
  sio::Server io{{.host = "127.0.0.1",
                  .port = static_cast<std::uint16_t>(*port),
                  .ping_interval = sio::Milliseconds(*ping_interval)}};
  if (count > 3) io.adapter(sio::redis::adapter(arguments[3]));
  auto& bench = io.of("/bench");
  bench.on(echo, [](sio::Socket&, const std::string& value) { return value; });
  bench.on(binary, [](sio::Socket&, const sio::Bytes& value) { return value; });
  bench.on(blast, [&](sio::Socket&, int times, int size) {
    const auto text = letters(size);
    for (int i = 0; i < times; ++i) bench.emit(tick, text);
  });
  bench.on(join, [](sio::Socket& socket, const std::vector<std::string>& rooms) {
    socket.join(rooms);
    return true;
  });
  bench.on(tell, [&](sio::Socket&, const std::vector<std::string>& rooms, int size) {
    bench.to(rooms).emit(tick, letters(size));
  });
  bench.on(tell_the_rest, [&](sio::Socket&, const std::vector<std::string>& rooms, int size) {
    bench.except(rooms).emit(tick, letters(size));
  });
  bench.on(relay, [&](sio::Socket&, const sio::RawJson& value) { bench.to("red").emit(relayed, value); });
  bench.on(ask, [](sio::Socket& socket, const std::string& text) { ask_on(socket, text); });
  return io.run();
}
