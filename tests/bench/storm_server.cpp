// The server that the storm tests throw clients at (storm.cpp, storm.py).
//
//     storm_server PORT [--ping-interval MS] [--ping-timeout MS] [--connect-timeout MS]
//                       [--recovery MS] [--recovery-keeps N] [--log-level LEVEL]
//
// It prints `listening 127.0.0.1:PORT`; SIGTERM ends it in order. In the namespace "/":
//
//     echo (value), acked   answers with the value         auth {"refuse":true}   is refused by a middleware
//     kick                  the server disconnects it      auth {"leave":true}    is disconnected when it connects
//     throw                 the handler throws             tell me                is told: an event `told`
//
// GET /counts says in JSON what the server holds and has held; GET /ticks?count=N broadcasts the event `tick` with
// the numbers 1 to N, ten a second.
#include "sio_demo.hpp"

#include <asio/signal_set.hpp>

#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>

namespace sio = sio_demo;
using sio::json;
using namespace std::chrono_literals;

namespace {

inline constexpr sio::ClientToServer<"echo", json(json)> echo{};
inline constexpr sio::ClientToServer<"kick", void()> kick{};
inline constexpr sio::ClientToServer<"throw", void()> throw_{};
inline constexpr sio::ClientToServer<"tell me", void()> tell_me{};
inline constexpr sio::ServerToClient<"told", void(int)> told{};
inline constexpr sio::ServerToClient<"tick", void(int)> tick{};

/// Ten numbered broadcasts a second, until `left` is used up.
class Ticks {
 public:
  explicit Ticks(sio::Server& io) : io_(io), timer_(io.loop()) {}

  void start(int count) {
    last_ = count, number_ = 0;
    timer_.expires_after(100ms);
    wait();
  }
  void stop() { timer_.cancel(); }
  int sent() const { return number_; }

 private:
  void wait() {
    timer_.async_wait([this](std::error_code cancelled) {
      if (cancelled) return;
      io_.emit(tick, ++number_);
      if (number_ == last_) return;
      timer_.expires_at(timer_.expiry() + 100ms);
      wait();
    });
  }

  sio::Server& io_;
  asio::steady_timer timer_;
  int number_ = 0, last_ = 0;
};

std::optional<sio::Options> options(int count, char** arguments) {
  const auto number = [](std::string_view text) { return sio::bytes::whole_number(text); };
  const auto port = count > 1 ? number(arguments[1]) : std::nullopt;
  if (!port || *port > 65535 || count % 2 != 0) return std::nullopt;

  sio::Options options{.host = "127.0.0.1", .port = static_cast<std::uint16_t>(*port)};
  auto& recovery = options.connection_state_recovery;
  for (int i = 2; i < count; i += 2) {
    const std::string_view name = arguments[i], value = arguments[i + 1];
    const sio::Milliseconds ms(number(value).value_or(0));
    if (name == "--ping-interval") options.ping_interval = ms;
    else if (name == "--ping-timeout") options.ping_timeout = ms;
    else if (name == "--connect-timeout") options.connect_timeout = ms;
    else if (name == "--recovery") recovery.max_disconnection_duration = ms;
    else if (name == "--recovery-keeps")
      recovery.max_packets = recovery.max_sessions = static_cast<std::size_t>(ms.count());
    else if (name == "--log-level") options.log_level = value == "debug" ? sio::LogLevel::debug : sio::LogLevel::info;
    else return std::nullopt;
  }
  return options;
}

json counts(const sio::Server& io, const Ticks& ticks) {
  const auto& counters = io.counters();
  json reasons = json::object();
  for (const auto& row : sio::reason_table)
    if (const auto times = counters.of(row.reason)) reasons[row.name] = times;
  const auto& nsp = const_cast<sio::Server&>(io).of("/");
  return {{"sessions", io.clients_count()},
          {"sockets", nsp.size()},
          {"rooms", nsp.adapter().rooms().size()},
          {"sessions_opened", counters.sessions_opened},
          {"sessions_closed", counters.sessions_closed},
          {"sockets_joined", counters.sockets_joined},
          {"sockets_left", counters.sockets_left},
          {"ticks", ticks.sent()},
          {"reasons", reasons}};
}

}  // namespace

int main(int count, char** arguments) {
  const auto chosen = options(count, arguments);
  if (!chosen) {
    std::fputs(
        "usage: storm_server PORT [--ping-interval MS] [--ping-timeout MS] [--connect-timeout MS]\n"
        "                         [--recovery MS] [--recovery-keeps N] [--log-level LEVEL]\n",
        stderr);
    return 2;
  }
  sio::Server io{*chosen};
  Ticks ticks(io);

  io.use([](sio::Socket& socket, sio::Next next) {
    if (socket.handshake().auth().contains("refuse")) next(sio::refuse("not you"));
    else next(sio::accept);
  });
  io.on_connection([](sio::Socket& socket) {
    if (socket.handshake().auth().contains("leave")) socket.disconnect(true);
  });
  io.on(echo, [](sio::Socket&, const json& value) { return value; });
  io.on(kick, [](sio::Socket& socket) { socket.disconnect(true); });
  io.on(tell_me, [](sio::Socket& socket) { socket.emit(told, 1); });
  io.on(throw_, [](sio::Socket&) { throw std::runtime_error("as it was asked to"); });

  io.http().get("/counts", [&](const sio::http::Request&) {
    return sio::http::Response{200, "application/json", counts(io, ticks).dump()};
  });
  io.http().get("/ticks", [&](const sio::http::Request& request) {
    ticks.start(static_cast<int>(sio::bytes::whole_number(request.query["count"]).value_or(0)));
    return sio::http::Response{200, "text/plain", "started"};
  });

  asio::signal_set signals(io.loop(), SIGTERM);
  signals.async_wait([&](std::error_code cancelled, int) {
    if (cancelled) return;
    ticks.stop();
    io.close();
  });
  try {
    io.listen();
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  std::printf("listening 127.0.0.1:%d\n", io.port()), std::fflush(stdout);
  return io.run();
}
