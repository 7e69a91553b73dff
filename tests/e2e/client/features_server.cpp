// The server of features.test.js, on our header: a bit of everything that a client can meet. features_server.js is the
// same program on the official server. Whatever one of them does, the other one has to do too: change them together.
//
//     features_server [PORT]        prints `listening 127.0.0.1:PORT`; SIGTERM ends it
#include "sio_demo.hpp"

#include <asio/signal_set.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <csignal>
#include <cstdio>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace sio = sio_demo;
using sio::json;
using Arguments = json::array_t;
using namespace std::chrono_literals;

namespace {

struct Point {
  double x = 0, y = 0;
};
SIO_DEMO_FIELDS(Point, x, y)
enum class Color { red, green };
SIO_DEMO_ENUM(Color, red, green)

inline constexpr sio::ClientToServer<"mirror", Point(Point)> mirror{};
inline constexpr sio::ClientToServer<"paint", void(Color, std::optional<std::string>)> paint{};
inline constexpr sio::ClientToServer<"reverse", sio::Bytes(sio::Bytes)> reverse{};
inline constexpr sio::ServerToClient<"painted", void(Color, std::string)> painted{};
inline constexpr sio::ServerToClient<"number", int(int)> number{};

const json binary = json::binary({1, 2, 3});
const std::map<std::string, Arguments> gifts{
    {"text", {"a text"}},
    {"utf8", {"てすと", "Я Б Г", "äöü ß", "€€€", "🦊", "\u2028"}},
    {"number", {42, -1, 0, 1.5, 1e300}},
    {"yes", {true}},
    {"no", {false}},
    {"null", {nullptr}},
    {"nothing", {}},
    {"date", {"1999-12-31T23:59:59.000Z"}},
    {"json", {{{"list", {1, "two", {{"three", {false, nullptr}}}}}, {"empty", json::object()}}}},
    {"buffer", {binary}},
    {"buffers", {"first", binary, json::binary({}), "last", json::binary({255})}},
    {"mixed", {{{"deep", {{"list", {1, binary}}}}, {"text", "beside"}}, binary}}};

/// What a client may ask for in every namespace.
void listen(sio::Namespace& nsp) {
  nsp.on("give", [](sio::Socket& socket, const Arguments& arguments) {
    socket.emit("gift", sio::each(gifts.at(arguments.at(0))));
  });
  nsp.on("echo", [](sio::Socket&, const Arguments& arguments, sio::Reply<> reply) { reply(sio::each(arguments)); });
  nsp.on("back", [](sio::Socket& socket, const Arguments& arguments) { socket.emit("back", sio::each(arguments)); });
  nsp.on("volatile",
         [](sio::Socket& socket, const Arguments&) { socket.volatile_().emit("volatile", "now or never"); });
  nsp.on("leave me", [](sio::Socket& socket, const Arguments&) { socket.disconnect(); });
  nsp.on("leave us", [](sio::Socket& socket, const Arguments&) { socket.disconnect(true); });
  nsp.on("cut", [](sio::Socket& socket, const Arguments&) { socket.conn()->close(); });
  nsp.on("throw", [](sio::Socket&, const Arguments&) { throw std::runtime_error("as it was asked to"); });
  nsp.on_connection([](sio::Socket& socket) {
    socket.once("once", [](sio::Socket&, const Arguments&, sio::Reply<> reply) { reply("the first one"); });
  });

  nsp.on(mirror, [](sio::Socket&, const Point& point) { return Point{point.y, point.x}; });
  nsp.on(reverse, [](sio::Socket&, const sio::Bytes& bytes) { return sio::Bytes(bytes.rbegin(), bytes.rend()); });
  nsp.on(paint, [](sio::Socket& socket, Color color, const std::optional<std::string>& what) {
    socket.emit(painted, color, what.value_or("it all"));
  });
}

/// Questions to the client, whose answers are checked: each in another style of Asio's.
void ask(sio::Server& io, std::vector<std::jthread>& threads) {
  io.on("ask me", [](sio::Socket& socket, const Arguments& arguments, sio::Reply<> reply) {  // a callback
    socket.timeout(10s).emit("question", sio::each(arguments), [=](std::error_code error, const Arguments& answer) {
      reply(!error && answer == arguments);
    });
  });
  io.on("ask me in vain", [](sio::Socket& socket, const Arguments&, sio::Reply<> reply) {
    socket.timeout(20ms).emit("no such question",
                              [=](std::error_code error, const Arguments&) { reply(error == std::errc::timed_out); });
  });
  io.on("ask all", [&](sio::Socket&, const Arguments& arguments, sio::Reply<> reply) {  // a broadcast
    io.in(arguments.at(0).get<std::string>())
        .timeout(10s)
        .emit("question", arguments.at(1),
              [=](std::error_code error, const Arguments& answers) { reply(!error, answers); });
  });
  io.on("ask me from afar", [&](sio::Socket& socket, const Arguments&, sio::Reply<> reply) {  // another thread waits
    threads.emplace_back([&io, reply, answer = socket.emit_with_ack(number, 1, asio::use_future)]() mutable {
      try {
        io.post([reply, value = answer.get()] { reply(value); });
      } catch (const std::system_error&) {}  // it left instead
    });
  });
  io.on("later", [&](sio::Socket&, const Arguments& arguments, sio::Reply<> reply) {
    const auto timer = std::make_shared<asio::steady_timer>(io.loop(), 50ms);
    timer->async_wait([=](std::error_code) { static_cast<void>(timer), reply(sio::each(arguments)); });
  });
#ifdef ASIO_HAS_CO_AWAIT
  static constexpr sio::ClientToServer<"add up", int(int)> add_up{};
  io.on(add_up, [](sio::Socket& socket, int count) -> asio::awaitable<int> {  // a coroutine
    int sum = 0;
    for (int i = 0; i < count; ++i) sum += co_await socket.emit_with_ack(number, i, asio::use_awaitable);
    co_return sum;
  });
#else
  std::puts("without coroutines");
#endif
}

void rooms(sio::Server& io) {
  const auto room = [](const Arguments& arguments) { return arguments.at(0).get<std::string>(); };
  io.on("join", [=](sio::Socket& socket, const Arguments& arguments, sio::Reply<> reply) {
    socket.join(room(arguments)), reply(socket.rooms().size());
  });
  io.on("leave", [=](sio::Socket& socket, const Arguments& arguments, sio::Reply<> reply) {
    socket.leave(room(arguments)), reply(socket.rooms().size());
  });
  io.on("tell",
        [&, room](sio::Socket&, const Arguments& arguments) { io.to(room(arguments)).emit("told", arguments.at(1)); });
  io.on("tell others", [=](sio::Socket& socket, const Arguments& arguments) {
    socket.to(room(arguments)).emit("told", arguments.at(1));
  });
  io.on("tell the rest", [&, room](sio::Socket&, const Arguments& arguments) {
    io.except(room(arguments)).emit("told", arguments.at(1));
  });
  io.on("close", [&, room](sio::Socket&, const Arguments& arguments) { io.in(room(arguments)).disconnect_sockets(); });
  io.on("close all", [&](sio::Socket&, const Arguments&) { io.disconnect_sockets(true); });
  io.on("who", [&, room](sio::Socket&, const Arguments& arguments, sio::Reply<> reply) {
    io.in(room(arguments)).fetch_sockets([reply](std::error_code, const std::vector<sio::RemoteSocket>& sockets) {
      auto ids = json::array();
      for (const auto& socket : sockets) ids.push_back(socket.id);
      reply(ids);
    });
  });
}

}  // namespace

int main(int count, char** arguments) {
  sio::Server io{{.host = "127.0.0.1",
                  .port = static_cast<std::uint16_t>(count > 1 ? std::stoi(arguments[1]) : 0),
                  .log_level = sio::LogLevel::off}};
  std::vector<std::jthread> threads;

  io.use([](sio::Socket& socket, sio::Next next) {
    if (socket.handshake().query()["fail"] == "true") next(sio::refuse("not with this query"));
    else next(sio::accept);
  });
  io.of("/no").use([](sio::Socket&, sio::Next next) {
    next(sio::refuse("nobody gets in", {{"code", 7}, {"hints", {"try", "elsewhere"}}}));
  });
  io.of("/handshake").on_connection([](sio::Socket& socket) {
    socket.emit("handshake", socket.handshake().to_json());
  });
  io.of("/greeting").on_connection([](sio::Socket& socket) { socket.emit("hello", socket.nsp().name(), socket.id()); });
  auto& numbered = io.of([](std::string_view name, const json&) { return name.starts_with("/number-"); });
  numbered.on_connection([&](sio::Socket& socket) { numbered.emit("one more", socket.nsp().name()); });

  for (auto* nsp : {&io.of("/"), &io.of("/a"), &io.of("/b"), &numbered}) listen(*nsp);
  ask(io, threads);
  rooms(io);

  asio::signal_set signals(io.loop(), SIGTERM);
  signals.async_wait([&](std::error_code cancelled, int) {
    if (!cancelled) io.close();
  });
  io.listen();
  std::printf("listening 127.0.0.1:%d\n", io.port()), std::fflush(stdout);
  return io.run();
}
