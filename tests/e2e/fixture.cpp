// The server of the differential tests, on our header. fixture.js is the same program on the official server, and says
// what it is for. Whatever one of them does, the other one has to do too: keep both small, and change them together.
#include "sio_demo.hpp"

#include <asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace sio = sio_demo;
using Arguments = sio::json::array_t;

namespace {

sio::json journal = sio::json::array();
bool aloud = false;  // the server is closing: who wants to read the journal has to read it from here

void note(const sio::Socket& socket, std::string_view what) {
  journal.push_back({std::string(socket.handshake().query()["tag"]), socket.nsp().name(), std::string(what)});
  if (aloud) std::puts(("journal " + journal.back().dump()).c_str()), std::fflush(stdout);
}

std::string text(const Arguments& arguments, std::size_t i) {
  return i < arguments.size() && arguments[i].is_string() ? arguments[i].get<std::string>() : std::string();
}

void after(asio::io_context& loop, sio::Milliseconds delay, std::function<void()> action) {
  auto timer = std::make_shared<asio::steady_timer>(loop, delay);
  timer->async_wait([timer, action = std::move(action)](const std::error_code& error) { if (!error) action(); });
}

void every(sio::Namespace& nsp) {  // what all namespaces have in common
  nsp.on_connection([](sio::Socket& socket) {
    note(socket, "connected");
    if (socket.handshake().query()["greet"] == "1") socket.emit("hello", 1);
  });
  nsp.on_disconnect([](sio::Socket& socket, const sio::Disconnect& disconnect) { note(socket, disconnect.text); });

  nsp.on("echo", [](sio::Socket&, const Arguments& arguments, sio::Reply<> reply) {
    reply(sio::each(arguments));
  });
  nsp.on("who", [](sio::Socket& socket, const Arguments&, sio::Reply<> reply) {
    reply(sio::json{{"id", socket.id()}, {"transport", std::string(socket.transport())}});
  });
  nsp.on("handshake", [](sio::Socket& socket, const Arguments&, sio::Reply<> reply) {
    const auto handshake = socket.handshake();
    std::map<std::string, std::string> query;
    for (const auto& [name, value] : handshake.query().parameters) query[name] = value;
    auto pairs = sio::json::array();
    for (const auto& [name, value] : query) pairs.push_back({name, value});
    sio::json answer{{"address", std::string(handshake.address)}, {"auth", handshake.auth}, {"query", pairs},
                     {"secure", false}, {"url", std::string(handshake.url)}, {"xdomain", handshake.xdomain()}};
    if (const auto probe = handshake.header("x-probe"); !probe.empty()) answer["probe"] = std::string(probe);
    reply(answer);
  });
  nsp.on("later", [](sio::Socket& socket, const Arguments& arguments, sio::Reply<> reply) {
    after(socket.nsp().server().loop(), sio::Milliseconds(400), [arguments, reply] { reply(sio::each(arguments)); });
  });
  nsp.on("twice", [](sio::Socket&, const Arguments&, sio::Reply<> reply) { reply(1), reply(2); });

  nsp.on("echo-back", [](sio::Socket& socket, const Arguments& arguments) {
    socket.emit("echoed", sio::each(arguments));
  });
  nsp.on("bin", [](sio::Socket& socket, const Arguments& arguments) {
    socket.emit("bin", sio::each(arguments));
  });
  nsp.on("burst", [](sio::Socket& socket, const Arguments& arguments) {
    const int times = arguments.empty() || !arguments[0].is_number() ? 0 : arguments[0].get<int>();
    for (int i = 0; i < times; ++i) socket.emit("burst", i);
  });
  nsp.on("leave", [](sio::Socket& socket, const Arguments&) { socket.disconnect(); });
  nsp.on("kick", [](sio::Socket& socket, const Arguments&) { socket.disconnect(true); });
  nsp.on("close-engine", [](sio::Socket& socket, const Arguments&) { if (socket.conn()) socket.conn()->close(); });
  nsp.on("close-server", [](sio::Socket& socket, const Arguments&) {
    aloud = true;
    socket.nsp().server().close();
  });

  nsp.on("join", [](sio::Socket& socket, const Arguments& arguments) { socket.join(text(arguments, 0)); });
  nsp.on("part", [](sio::Socket& socket, const Arguments& arguments) { socket.leave(text(arguments, 0)); });
  nsp.on("shout", [&nsp](sio::Socket&, const Arguments& arguments) {
    nsp.to(text(arguments, 0)).emit("shout", text(arguments, 1));
  });
  nsp.on("shout-both", [&nsp](sio::Socket&, const Arguments& arguments) {
    nsp.to(text(arguments, 0)).to(text(arguments, 1)).emit("shout", text(arguments, 2));
  });
  nsp.on("shout-others", [](sio::Socket& socket, const Arguments& arguments) {
    socket.to(text(arguments, 0)).emit("shout", text(arguments, 1));
  });
  nsp.on("shout-except", [&nsp](sio::Socket&, const Arguments& arguments) {
    nsp.to(text(arguments, 0)).except(text(arguments, 1)).emit("shout", text(arguments, 2));
  });
  nsp.on("shout-volatile", [&nsp](sio::Socket&, const Arguments& arguments) {
    for (std::size_t i = 1; i < arguments.size(); ++i) nsp.to(text(arguments, 0)).volatile_().emit("shout", text(arguments, i));
  });
}

sio::Options flags(int count, char** arguments) {
  sio::Options options{.host = "127.0.0.1", .port = 0};
  for (int i = 1; i < count; ++i) {
    const std::string flag = arguments[i];
    if (flag == "--no-cors") { options.cors = {}; continue; }
    if (i + 1 == count) std::fprintf(stderr, "%s needs a value\n", flag.c_str()), std::exit(2);
    const std::string value = arguments[++i];
    const auto number = [&] { return std::stoul(value); };
    const auto time = [&] { return sio::Milliseconds(static_cast<long>(number())); };
    if (flag == "--port") options.port = static_cast<std::uint16_t>(number());
    else if (flag == "--host") options.host = value;
    else if (flag == "--ping-interval") options.ping_interval = time();
    else if (flag == "--ping-timeout") options.ping_timeout = time();
    else if (flag == "--upgrade-timeout") options.upgrade_timeout = time();
    else if (flag == "--connect-timeout") options.connect_timeout = time();
    else if (flag == "--max-payload") options.max_payload = number();
    else if (flag == "--cors-origin") options.cors.origins.push_back(value), options.cors.credentials = true;
    else std::fprintf(stderr, "unknown flag %s\n", flag.c_str()), std::exit(2);
  }
  return options;
}

}  // namespace

int main(int count, char** arguments) {
  sio::Server io(flags(count, arguments));
  for (const char* name : {"/", "/plain", "/é x", "/acks", "/admin", "/deny", "/slow", "/early"}) every(io.of(name));
  io.of("/admin").use([](sio::Socket& socket, sio::Next next) {
    const auto& auth = socket.handshake().auth;
    if (auth.contains("token") && auth["token"] == "abc") next(sio::accept);
    else next(sio::refuse("nope", {{"content", "retry"}, {"n", 1}}));
  });
  io.of("/deny").use([](sio::Socket&, sio::Next next) { next(sio::refuse("nope")); });
  io.of("/slow").use([&io](sio::Socket&, sio::Next next) { after(io.loop(), sio::Milliseconds(400), [next] { next(sio::accept); }); });
  io.of("/early").use([](sio::Socket& socket, sio::Next next) { socket.emit("early", 1), next(sio::accept); });
  io.http().get("/reasons", [](const sio::http::Request&) { return sio::http::Response{200, "application/json", journal.dump(), {}}; });

  asio::signal_set signals(io.loop(), SIGTERM);
  signals.async_wait([&io](const std::error_code& error, int) { if (!error) io.close(); });
  io.listen();
  std::printf("listening %s:%d\n", io.options().host.c_str(), static_cast<int>(io.port()));
  std::fflush(stdout);
  const int status = io.run();
  signals.cancel();
  return status;
}
