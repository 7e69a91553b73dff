// Chapter 9, the rest of the namespace API: handlers that come and go, a socket's middlewares, namespaces made on
// demand, connection state recovery, adapters and clusters. With polling clients, see polling_client.hpp.
#include "polling_client.hpp"
#include "sio_demo.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace {

namespace sio = sio_demo;
using polling_client::Client;
using polling_client::run_until;
using polling_client::settle;
using sio::json;
using Arguments = json::array_t;
using Texts = std::vector<std::string>;
using namespace std::chrono_literals;

inline constexpr sio::ClientToServer<"add", int(int, int)> add{};
inline constexpr sio::ServerToClient<"how old", int()> how_old{};

sio::Options quiet() { return {.host = "127.0.0.1", .port = 0, .log_level = sio::LogLevel::off}; }

/// A server in a loop, listening; it keeps what is logged as an error, and may be taken away before the loop.
struct Stage {
  explicit Stage(sio::Options options = quiet()) : server(make(std::move(options))), io(*server) { io.listen(); }

  std::vector<std::string> errors;
  asio::io_context loop;
  std::unique_ptr<sio::Server> server;
  sio::Server& io;

  Client client() { return Client(loop, io.port()); }
  /// Connects it, and returns the server's side of it.
  sio::Socket join(Client& client, const std::string& nsp = "") { return io.of(nsp).find(client.join(nsp)).value(); }

 private:
  std::unique_ptr<sio::Server> make(sio::Options options) {
    options.log_level = sio::LogLevel::error;
    options.log_sink = [this](const sio::LogRecord& record) { errors.push_back(sio::json_line(record)); };
    return std::make_unique<sio::Server>(loop, std::move(options));
  }
};

std::string spell(std::string_view event, const sio::socketio::Arguments& arguments) {
  return std::string(event) + json(arguments.values()).dump();
}

}  // namespace

// ---- Handlers that come and go ------------------------------------------------------------------------

TEST_CASE("once: for the next such event only, whoever listens") {
  Stage stage;
  Texts seen;
  stage.io.once("x", [&](sio::Socket&, const Arguments&) { seen.emplace_back("server"); });
  stage.io.of("/").once(
      "x", [&](sio::Socket&, const Arguments&, sio::Reply<> reply) { seen.emplace_back("namespace"), reply(1); });
  stage.io.once(add, [&](sio::Socket&, int a, int b) { return seen.emplace_back("add"), a + b; });
  auto client = stage.client();
  auto socket = stage.join(client);
  socket.once("x", [&](sio::Socket&, const Arguments&) { seen.emplace_back("socket"); });
  client.say(
      "421[\"x\"]\x1e"
      "422[\"x\"]\x1e"
      "423[\"add\",1,2]\x1e"
      "424[\"add\",1,2]");
  CHECK(seen == Texts{"server", "namespace", "socket", "add"});
  CHECK(client.hear() == "431[1]~433[3]");
}

TEST_CASE("once: one that throws, and one that registers itself again") {
  Stage stage;
  int thrown = 0, called = 0;
  stage.io.once("x", [&](sio::Socket&, const Arguments&) { ++thrown, throw std::runtime_error("once"); });
  std::function<void(sio::Socket&, const Arguments&)> again = [&](sio::Socket&, const Arguments&) {
    if (++called < 3) stage.io.once("x", again);
  };
  stage.io.once("x", again);
  auto client = stage.client();
  stage.join(client);
  for (int i = 0; i < 5; ++i) client.say("42[\"x\"]");
  CHECK(thrown == 1);
  CHECK(called == 3);
  CHECK(stage.errors.size() == 1);
}

TEST_CASE("off: of one event, of all, in the middle of a call") {
  Stage stage;
  Texts seen;
  const auto note = [&](const char* what) {
    return [&seen, what](sio::Socket&, const Arguments&) { seen.emplace_back(what); };
  };
  stage.io.on("x", note("x")).on("y", note("y")).on("z", note("z")).once("x", note("x once"));
  stage.io.on(add, [&](sio::Socket&, int, int) { return seen.emplace_back("add"), 0; });
  auto client = stage.client();
  auto socket = stage.join(client);
  socket.on("x", note("own x"))
      .on("z", [&](sio::Socket& its, const Arguments&) { its.off(), seen.emplace_back("own z"); })
      .on("z", note("own z, too"));
  stage.io.off("x").off(add).off("never registered");
  client.say(
      "42[\"x\"]\x1e"
      "421[\"add\",1,2]\x1e"
      "42[\"y\"]\x1e"
      "42[\"z\"]");
  CHECK(seen == Texts{"own x", "y", "z", "own z", "own z, too"});  // who was there when the event came
  seen.clear();
  client.say(
      "42[\"x\"]\x1e"
      "42[\"y\"]\x1e"
      "42[\"z\"]");
  CHECK(seen == Texts{"y", "z"});
  seen.clear();
  stage.io.off();
  stage.io.on("y", note("y again"));
  client.say(
      "42[\"x\"]\x1e"
      "42[\"y\"]");
  CHECK(seen == Texts{"y again"});
}

TEST_CASE("catch-all: what comes in, until off_any") {
  Stage stage;
  Texts seen;
  stage.io.on_any([&](sio::Socket&, std::string_view event, const auto& arguments) {
    seen.push_back("all " + spell(event, arguments));
  });
  auto client = stage.client();
  auto socket = stage.join(client);
  socket.on_any([&](sio::Socket&, std::string_view event, const auto& arguments) {
    seen.push_back("one " + spell(event, arguments));
  });
  client.say("42[\"x\",1]");
  socket.off_any();
  client.say("42[\"y\"]");
  stage.io.off_any();
  client.say("42[\"z\"]");
  CHECK(seen == Texts{"all x[1]", "one x[1]", "all y[]"});
}

TEST_CASE("catch-all: what goes out, to whom, whichever way") {
  Stage stage;
  Texts seen;
  auto a = stage.client(), b = stage.client();
  auto first = stage.join(a), second = stage.join(b);
  first.emit("before");
  stage.io.on_any_outgoing([&](sio::Socket& socket, std::string_view event, const auto& arguments) {
    seen.push_back((socket == first ? "a " : "b ") + spell(event, arguments));
  });
  first.emit("x", 1, "two", json{{"three", 3}});
  stage.io.emit("all");
  first.broadcast().emit("others");
  stage.io.to(second.id()).emit("room");
  first.emit_with_ack(how_old, [](std::error_code, int) {});
  stage.io.timeout(1h).emit(how_old, [](std::error_code, const std::vector<int>&) {});
  first.emit("binary", sio::Bytes{1, 2}, json{{"deep", json::binary({3})}});
  CHECK(seen == Texts{"a x[1,\"two\",{\"three\":3}]", "a all[]", "b all[]", "b others[]", "b room[]", "a how old[]",
                      "a how old[]", "b how old[]",
                      "a binary" + json{json::binary({1, 2}), {{"deep", json::binary({3})}}}.dump()});
  seen.clear();
  stage.io.off_any_outgoing();
  second.on_any_outgoing([&](sio::Socket&, std::string_view event, const auto& arguments) {
    seen.push_back("own " + spell(event, arguments));
  });
  stage.io.emit("all", 2);
  second.off_any_outgoing();
  stage.io.emit("all", 3);
  CHECK(seen == Texts{"own all[2]"});
}

TEST_CASE("catch-all: an outgoing one that throws, emits, or disconnects costs the emit nothing") {
  Stage stage;
  auto a = stage.client(), b = stage.client();
  auto first = stage.join(a), second = stage.join(b);
  int calls = 0;
  stage.io.on_any_outgoing([&](sio::Socket& socket, std::string_view event, const auto&) {
    ++calls;
    if (event == "throw") throw std::runtime_error("out");
    if (event == "more") socket.emit("much more");
    if (event == "leave") second.disconnect();
  });
  stage.io.emit("throw");
  stage.io.emit("more");
  stage.io.emit("leave");
  CHECK(a.hear() == R"(42["throw"]~42["more"]~42["much more"]~42["leave"])");
  CHECK(b.hear() == R"(42["throw"]~42["more"]~42["much more"]~42["leave"]~41)");
  CHECK(stage.errors.size() == 2);
  CHECK(calls >= 7);
}

// ---- A socket's middlewares ---------------------------------------------------------------------------

TEST_CASE("socket.use: in order; a refused event reaches no handler, on_error is told, no ack is sent") {
  Stage stage;
  Texts seen;
  stage.io.on_error(
      [&](sio::Socket&, const sio::Refuse& error) { seen.push_back("error " + error.message + error.data.dump()); });
  stage.io.on_any(
      [&](sio::Socket&, std::string_view event, const auto&) { seen.push_back("any " + std::string(event)); });
  stage.io.on("x", [&](sio::Socket&, const Arguments&, sio::Reply<> reply) { seen.emplace_back("x"), reply("done"); });
  stage.io.on_connection([&](sio::Socket& socket) {
    socket.use([&](sio::Socket&, std::string_view event, const auto& arguments, sio::Next next) {
      seen.push_back("1 " + spell(event, arguments)), next(sio::accept);
    });
    socket.use([&](sio::Socket&, std::string_view event, const auto& arguments, sio::Next next) {
      seen.emplace_back("2");
      if (arguments.size() > 0) return next(sio::refuse("no " + std::string(event) + " with arguments", {{"most", 0}}));
      next(sio::accept), next(sio::refuse("changed my mind"));
    });
  });
  auto client = stage.client();
  client.join();
  client.say(
      "421[\"x\"]\x1e"
      "422[\"x\",7]");
  CHECK(seen == Texts{"any x", "1 x[]", "2", "x", "any x", "1 x[7]", "2", "error no x with arguments{\"most\":0}"});
  CHECK(client.hear() == R"(431["done"])");
}

TEST_CASE("socket.use: may answer later; the event waits with its arguments, its binary and its ack") {
  Stage stage;
  std::vector<sio::Next> pending;
  Arguments got;
  int errors = 0;
  stage.io.on_error([&](sio::Socket&, const sio::Refuse&) { ++errors; });
  stage.io.on("x", [&](sio::Socket&, const Arguments& arguments, sio::Reply<> reply) { got = arguments, reply(2); });
  auto client = stage.client();
  auto socket = stage.join(client);
  socket.use([&](sio::Socket&, std::string_view, const auto&, sio::Next next) { pending.push_back(std::move(next)); });
  client.say("451-1[\"x\",{\"_placeholder\":true,\"num\":0},\"" + std::string(500, 'y') +
             "\"]\x1e"
             "bAQI=");
  client.say("422[\"x\",\"other bytes\"]");
  REQUIRE(pending.size() == 2);
  CHECK(got.empty());
  pending[0](sio::accept);
  CHECK(got == Arguments{json::binary({1, 2}), std::string(500, 'y')});
  CHECK(client.hear() == "431[2]");

  client.say("41");  // the other one is answered when nobody is there
  got.clear();
  pending[1](sio::accept);
  CHECK(got.empty());
  CHECK(errors == 0);
}

TEST_CASE("socket.use: one that throws refuses; one kept past the server does nothing") {
  std::optional<sio::Next> kept;
  Texts errors;
  Stage stage;
  stage.io.on_error([&](sio::Socket&, const sio::Refuse& error) { errors.push_back(error.message); });
  stage.io.on("x", [&](sio::Socket&, const Arguments&) { FAIL_CHECK("refused"); });
  auto client = stage.client();
  auto socket = stage.join(client);
  socket.use([&](sio::Socket&, std::string_view, const auto& arguments, sio::Next next) {
    kept = next;
    if (arguments.size() == 0) throw std::runtime_error("secret");
  });
  client.say("421[\"x\"]");
  CHECK(errors == Texts{"Internal server error"});
  CHECK(stage.errors.size() == 1);
  client.say("422[\"x\",1]");
  stage.server.reset();
  (*kept)(sio::refuse("too late"));
  CHECK(errors.size() == 1);
}

TEST_CASE("on_error: a client that sends what is no packet, before it is thrown out") {
  Stage stage;
  Texts seen;
  stage.io.on_error([&](sio::Socket& socket, const sio::Refuse& error) {
    seen.push_back(socket.connected() && !error.message.empty() ? "error" : "?");
  });
  stage.io.on_disconnect([&](sio::Socket&, const sio::Disconnect& why) { seen.emplace_back(why.text); });
  auto client = stage.client();
  client.join();
  client.begin_poll();
  settle(stage.loop, 5ms);
  client.say("42{\"not\":\"a list\"}");
  CHECK(run_until(stage.loop, [&] { return seen.size() == 2; }));
  CHECK(seen.front() == "error");
}

// ---- Namespaces made on demand ------------------------------------------------------------------------

TEST_CASE("of(predicate): decides by name and auth; its handlers and middlewares count in all") {
  Stage stage;
  Texts made, seen;
  stage.io.on_new_namespace([&](sio::Namespace& nsp) {
    made.push_back(nsp.name());
    nsp.use([&](sio::Socket&, sio::Next next) { seen.emplace_back("child's"), next(sio::accept); });
  });
  auto& rooms = stage.io.of(
      [](std::string_view name, const json& auth) { return name.starts_with("/room-") && auth.value("key", 0) == 7; });
  rooms.use([&](sio::Socket& socket, sio::Next next) {
    seen.push_back("parent's " + socket.nsp().name()), next(sio::accept);
  });
  rooms.on_connection([](sio::Socket& socket) { socket.emit("welcome", socket.nsp().name()); });
  rooms.on("echo", [](sio::Socket&, const Arguments& arguments, sio::Reply<> reply) { reply(sio::each(arguments)); });
  auto a = stage.client(), b = stage.client();
  CHECK(a.join("/other", R"({"key":7})") == R"(44/other,{"message":"Invalid namespace"})");
  CHECK(a.join("/room-1", R"({"key":8})") == R"(44/room-1,{"message":"Invalid namespace"})");
  CHECK(made.empty());
  a.say(R"(40/room-1,{"key":7})");
  const auto heard = a.hear();
  CHECK(heard.starts_with(R"(40/room-1,{"sid":")"));
  CHECK(heard.ends_with(R"(~42/room-1,["welcome","/room-1"])"));
  a.say(R"(42/room-1,5["echo",1,2])");
  CHECK(a.hear() == "43/room-1,5[1,2]");
  b.join("/room-2", R"({"key":7})");
  CHECK(made == Texts{"/room-1", "/room-2"});
  CHECK(seen == Texts{"parent's /room-1", "child's", "parent's /room-2", "child's"});
  rooms.emit("all", 1);
  CHECK(a.hear() == R"(42/room-1,["all",1])");
  CHECK(b.hear() == R"(42/room-2,["all",1])");
  stage.io.of("/room-2").emit("one");
  CHECK(b.hear() == R"(42/room-2,["one"])");
}

TEST_CASE("of(predicate): asked in the order of registration, each when it likes; one that throws says no") {
  Stage stage;
  Texts asked;
  std::vector<std::function<void(bool)>> pending;
  stage.io.of([&](std::string_view, const json&) -> bool {
    asked.emplace_back("throws"), throw std::runtime_error("predicate");
  });
  stage.io.of([&](std::string_view, const json&, std::function<void(bool)> answer) {
    asked.emplace_back("late"), pending.push_back(std::move(answer));
  });
  auto& last =
      stage.io.of([&](std::string_view name, const json&) { return asked.emplace_back("early"), name == "/last"; });
  int joined = 0;
  last.on_connection([&](sio::Socket&) { ++joined; });
  auto client = stage.client();
  client.say("40/last,");
  CHECK(asked == Texts{"throws", "late"});
  CHECK(stage.errors.size() == 1);
  CHECK(stage.errors.front().find("predicate") != std::string::npos);
  pending.at(0)(false);
  pending.at(0)(true);  // counts once
  CHECK(client.hear().starts_with(R"(40/last,{"sid":")"));
  CHECK(asked == Texts{"throws", "late", "early"});
  CHECK(joined == 1);

  client.say(
      "40/mine,\x1e"
      "40/mine too,");  // answered out of order
  pending.at(2)(true), pending.at(1)(true);
  const auto heard = client.hear();
  CHECK(heard.find("40/mine too,") < heard.find("40/mine,"));
  CHECK(joined == 1);
}

TEST_CASE("of(predicate): answered when the client has left, and when the server has") {
  Stage stage;
  std::vector<std::function<void(bool)>> pending;
  int made = 0;
  stage.io.on_new_namespace([&](sio::Namespace&) { ++made; });
  stage.io.of(
      [&](std::string_view, const json&, std::function<void(bool)> answer) { pending.push_back(std::move(answer)); });
  auto a = stage.client(), b = stage.client();
  a.say(
      "40/x,\x1e"
      "1");
  b.say("40/y,");
  REQUIRE(pending.size() == 2);
  pending[0](true);
  CHECK(made == 0);
  stage.server.reset();
  pending[1](true);
  CHECK(made == 0);
}

TEST_CASE("of(predicate): no more of them than max_child_namespaces") {
  auto options = quiet();
  options.max_child_namespaces = 2;
  options.cleanup_empty_child_namespaces = true;
  Stage stage(options);
  stage.io.of([](std::string_view, const json&) { return true; });
  auto client = stage.client();
  CHECK(client.join("/1").size() == 20);
  CHECK(client.join("/2").size() == 20);
  CHECK(client.join("/3") == R"(44/3,{"message":"Too many namespaces"})");
  client.say("41/1,");
  CHECK(client.join("/3").size() == 20);
}

TEST_CASE(
    "of(predicate): what a client may not join is not made, and predicates are not asked for more than it may join") {
  auto options = quiet();
  options.max_namespaces = 2;
  options.max_child_namespaces = 3;
  options.cleanup_empty_child_namespaces = true;
  Stage stage(options);
  Texts made;
  std::vector<std::function<void(bool)>> pending;
  stage.io.on_new_namespace([&](sio::Namespace& nsp) { made.push_back(nsp.name()); });
  stage.io.of([&](std::string_view name, const json&, std::function<void(bool)> answer) {
    if (name.starts_with("/late")) pending.push_back(std::move(answer));
    else answer(true);
  });
  auto client = stage.client(), other = stage.client();
  client.join("/1"), client.join("/2");
  CHECK(client.join("/3") == R"(44/3,{"message":"Too many namespaces"})");
  CHECK(made == Texts{"/1", "/2"});
  CHECK(other.join("/4").size() == 20);

  client.say(
      "41/2,\x1e"
      "40/late 1,\x1e"
      "40/late 2,");  // it waits for one, so there is no room for another
  CHECK(pending.size() == 1);
  CHECK(client.hear() == R"(44/late 2,{"message":"Too many namespaces"})");
  CHECK(client.join().size() == 20);  // this one was there all the time, so it goes first
  pending.at(0)(true);
  CHECK(client.hear() == R"(44/late 1,{"message":"Too many namespaces"})");
  CHECK(made == Texts{"/1", "/2", "/4"});
  client.say("41");
  client.say("40/late 3,");
  pending.at(1)(false);
  CHECK(client.hear() == R"(44/late 3,{"message":"Invalid namespace"})");
  CHECK(client.join("/5").size() == 20);
}

TEST_CASE("cleanup: a namespace made on demand ends with its last client, and only then") {
  auto options = quiet();
  options.cleanup_empty_child_namespaces = true;
  Stage stage(options);
  Texts made;
  std::vector<sio::Next> pending;
  stage.io.on_new_namespace([&](sio::Namespace& nsp) { made.push_back(nsp.name()); });
  auto& parent = stage.io.of([](std::string_view name, const json&) { return name != "/none"; });
  parent.use([&](sio::Socket& socket, sio::Next next) {
    if (socket.handshake().auth().contains("later")) pending.push_back(std::move(next));
    else next(sio::accept);
  });
  auto a = stage.client(), b = stage.client(), c = stage.client();
  a.join("/x");
  b.say(R"(40/x,{"later":1})");  // waits for the middleware
  a.say("41/x,");
  CHECK(stage.io.of("/x").size() == 0);
  pending.at(0)(sio::accept);
  CHECK(b.hear().starts_with("40/x,"));
  CHECK(stage.io.of("/x").size() == 1);
  CHECK(made == Texts{"/x"});  // it is still the same
  b.say("41/x,");

  a.join("/x");
  CHECK(made == Texts{"/x", "/x"});
  c.say(R"(40/x,{"later":1})");
  c.say("1");                  // leaves while it waits
  pending.at(1)(sio::accept);  // to nobody
  a.say("41/x,");
  b.say(R"(40/x,{"later":1})");
  CHECK(made.size() == 3);
  pending.at(2)(sio::refuse("no"));
  CHECK(b.hear() == R"(44/x,{"message":"no"})");
  a.join("/x");
  CHECK(made.size() == 4);
  stage.io.of("/static");
  a.join("/static"), a.say("41/static,");
  a.join("/static");
  CHECK(made.size() == 5);  // that one stays
}

TEST_CASE("cleanup: whoever keeps a socket keeps its namespace, but nobody is there any more") {
  auto options = quiet();
  options.cleanup_empty_child_namespaces = true;
  Stage stage(options);
  std::optional<sio::Socket> kept;
  int after = 0;
  auto& parent = stage.io.of([](std::string_view, const json&) { return true; });
  parent.on_connection([&](sio::Socket& socket) {
    if (!kept) kept = socket;
  });
  parent.on_disconnect([&](sio::Socket& socket, const sio::Disconnect&) { after += socket.nsp().size() == 0; });
  auto a = stage.client();
  a.join("/x");
  a.say("41/x,");
  CHECK(after == 1);
  REQUIRE(kept);
  a.join("/x");  // another one of the same name
  CHECK(&kept->nsp() != &stage.io.of("/x"));
  CHECK(kept->nsp().name() == "/x");
  CHECK(kept->nsp().sockets().empty());
  kept->emit("nobody");
  kept->nsp().emit("nobody");
  kept->broadcast().emit("nobody");
  std::error_code error;
  kept->emit_with_ack(how_old, [&](std::error_code its, int) { error = its; });
  CHECK(run_until(stage.loop, [&] { return error == std::errc::not_connected; }));
  stage.server.reset();
  kept->emit("nobody");
  CHECK(kept->nsp().name() == "/x");
  CHECK_FALSE(kept->connected());
}

TEST_CASE("cleanup: off by default") {
  Stage stage;
  int made = 0;
  stage.io.on_new_namespace([&](sio::Namespace&) { ++made; });
  stage.io.of([](std::string_view, const json&) { return true; });
  auto client = stage.client();
  client.join("/x"), client.say("41/x,");
  client.join("/x");
  CHECK(made == 1);
}

TEST_CASE("cleanup: the last client is thrown out in its connection handler, in its own event, by its namespace") {
  auto options = quiet();
  options.cleanup_empty_child_namespaces = true;
  Stage stage(options);
  auto& parent = stage.io.of([](std::string_view, const json&) { return true; });
  parent.on_connection([](sio::Socket& socket) {
    if (socket.nsp().name() == "/at once") socket.disconnect();
  });
  parent.on("one", [](sio::Socket& socket, const Arguments&) { socket.disconnect(); });
  parent.on("all", [](sio::Socket& socket, const Arguments&) { socket.nsp().disconnect_sockets(); });
  parent.on("everywhere", [&](sio::Socket&, const Arguments&) { parent.disconnect_sockets(true); });
  auto client = stage.client();
  client.say("40/at once,");
  CHECK(client.hear().ends_with("~41/at once,"));
  for (const char* event : {"one", "all", "everywhere"}) {
    client.join("/x");
    client.say(std::string("42/x,[\"") + event + "\"]");
    CHECK(client.hear().starts_with("41/x,"));
  }
}

// ---- Connection state recovery ------------------------------------------------------------------------

namespace {

struct Visits {
  int count = 0;
};
SIO_DEMO_FIELDS(Visits, count)

sio::Options recovering(sio::RecoveryOptions recovery = {}) {
  auto options = quiet();
  if (!recovery.on()) recovery.max_disconnection_duration = 1h;
  options.connection_state_recovery = recovery;
  return options;
}

/// A client that knows how to come back: by its pid, and the offset of the last event that it saw.
struct Comer {
  explicit Comer(Stage& stage, const std::string& nsp = "") : its_nsp(nsp.empty() ? "" : nsp + ",") {
    client.emplace(stage.loop, stage.io.port());
    client->say("40" + its_nsp);
    const auto heard = json::parse(client->hear().substr(2 + its_nsp.size()));
    sid = heard.at("sid"), pid = heard.at("pid");
  }
  /// Takes what has come, and remembers the offset.
  std::string hear() {
    auto heard = client->hear();
    const auto end = heard.rfind("\"]"), begin = heard.rfind('"', end - 1);
    offset = heard.substr(begin + 1, end - begin - 1);
    return heard;
  }
  void vanish() { client->say("1"); }
  /// What a new connection of it hears first, without offsets.
  std::string come_back(Stage& stage) {
    client.emplace(stage.loop, stage.io.port());
    client->say("40" + its_nsp + json{{"pid", pid}, {"offset", offset}}.dump());
    return client->hear();
  }
  bool recovers(Stage& stage) { return come_back(stage).find(sid) != std::string::npos; }

  std::string its_nsp, sid, pid, offset;
  std::optional<Client> client;
};

}  // namespace

TEST_CASE("recovery: id, rooms, data and the events missed come back; middlewares are passed by") {
  Stage stage(recovering());
  Texts seen;
  stage.io.use([&](sio::Socket&, sio::Next next) { seen.emplace_back("use"), next(sio::accept); });
  stage.io.on_connection([&](sio::Socket& socket) {
    seen.push_back(socket.recovered() ? "recovered " + std::to_string(socket.data<Visits>().count) : "new");
  });
  Comer ada(stage);
  auto socket = stage.io.find(ada.sid).value();
  socket.join({"red", "blue"});
  socket.data<Visits>().count = 3;
  stage.io.emit("seen");
  CHECK(ada.hear().starts_with("42[\"seen\",\""));
  ada.vanish();
  CHECK_FALSE(socket.connected());
  stage.io.emit("all", 1);
  stage.io.to("red").emit("red", 2);
  stage.io.to("green").emit("green");        // not hers
  stage.io.except("blue").emit("not blue");  // nor this
  stage.io.volatile_().emit("volatile");     // nor this
  stage.io.to(ada.sid).emit("hers", 3);
  socket.emit("hers, by an old handle", 4);
  const auto heard = ada.come_back(stage);
  Texts events;
  for (std::size_t at = 0; (at = heard.find("42[", at)) != heard.npos; ++at)
    events.push_back(heard.substr(at + 3, heard.rfind(',', heard.find(']', at)) - at - 3));
  CHECK(events == Texts{R"("all",1)", R"("red",2)", R"("hers",3)", R"("hers, by an old handle",4)"});
  CHECK(heard.find("~40{\"sid\":\"" + ada.sid + "\",\"pid\":\"" + ada.pid) != heard.npos);  // behind them
  CHECK(seen == Texts{"use", "new", "recovered 3"});
  auto rooms = stage.io.find(ada.sid).value().rooms();
  std::sort(rooms.begin(), rooms.end());
  CHECK(std::count(rooms.begin(), rooms.end(), "red") + std::count(rooms.begin(), rooms.end(), "blue") == 2);
  CHECK_FALSE(stage.io.find(ada.sid).value() == socket);
}

TEST_CASE("recovery: once; not after a goodbye of either side; not with what nobody gave out; not elsewhere") {
  Stage stage(recovering());
  stage.io.of("/chat");
  Comer ada(stage), bob(stage), eve(stage), chatty(stage, "/chat");
  stage.io.emit("x"), stage.io.of("/chat").emit("x");
  ada.hear(), bob.hear(), eve.hear(), chatty.hear();
  ada.vanish();
  CHECK(ada.recovers(stage));
  Comer thief = std::move(ada);
  CHECK_FALSE(thief.recovers(stage));  // she is there

  bob.client->say("41");
  CHECK_FALSE(bob.recovers(stage));
  stage.io.find(eve.sid).value().disconnect();
  CHECK_FALSE(eve.recovers(stage));

  chatty.vanish();
  auto wrong = stage.client();
  for (const auto& auth :
       {json{{"pid", chatty.pid}, {"offset", chatty.offset}},  // of another namespace
        json{{"pid", 1}, {"offset", 2}}, json{{"pid", chatty.pid}}, json{{"offset", chatty.offset}}}) {
    const auto id = wrong.join("", auth.dump());
    CHECK(id.size() == 20);
    CHECK(id != chatty.sid);
    wrong.say("41");
  }
  chatty.offset += "x";
  CHECK_FALSE(chatty.recovers(stage));
}

TEST_CASE("recovery: a client that has seen nothing begins anew") {
  Stage stage(recovering());
  Comer ada(stage);
  ada.vanish();
  stage.io.emit("x");
  CHECK_FALSE(ada.recovers(stage));
}

TEST_CASE("recovery: middlewares are asked, if so wished, and may refuse") {
  sio::RecoveryOptions recovery;
  recovery.skip_middlewares = false;
  Stage stage(recovering(recovery));
  int asked = 0;
  stage.io.use([&](sio::Socket& socket, sio::Next next) {
    if (++asked == 3) return next(sio::refuse("not you"));
    CHECK(socket.recovered() == (asked == 2));
    next(sio::accept);
  });
  Comer ada(stage);
  stage.io.emit("x");
  ada.hear(), ada.vanish();
  CHECK(ada.recovers(stage));
  ada.vanish();
  CHECK(ada.come_back(stage) == R"(44{"message":"not you"})");
}

TEST_CASE("recovery: no more events are kept than max_packets") {
  sio::RecoveryOptions recovery;
  recovery.max_packets = 2;
  Stage stage(recovering(recovery));
  Comer ada(stage);
  for (const int missed : {1, 2}) {
    CAPTURE(missed);
    stage.io.emit("seen");
    ada.hear(), ada.vanish();
    for (int i = 0; i < missed; ++i) stage.io.emit("missed", i);
    CHECK(ada.recovers(stage) == (missed < 2));  // the one she saw is kept, too
  }
}

TEST_CASE("recovery: no more bytes are kept than max_bytes") {
  sio::RecoveryOptions recovery;
  recovery.max_bytes = 10'000;
  Stage stage(recovering(recovery));
  Comer ada(stage);
  for (const std::size_t size : {2'000U, 9'990U, 20'000U}) {
    CAPTURE(size);
    stage.io.emit("seen");
    ada.hear(), ada.vanish();
    stage.io.emit("missed", sio::Bytes(size / 2), std::string(size / 2, 'x'));
    CHECK(ada.recovers(stage) == (size < 9'000));
  }
}

TEST_CASE("recovery: no more clients are kept than max_sessions") {
  sio::RecoveryOptions recovery;
  recovery.max_sessions = 1;
  Stage stage(recovering(recovery));
  Comer ada(stage), bob(stage);
  stage.io.emit("seen");
  ada.hear(), bob.hear();
  ada.vanish(), bob.vanish();
  CHECK_FALSE(ada.recovers(stage));
  CHECK(bob.recovers(stage));
}

TEST_CASE("recovery: not after max_disconnection_duration; what was kept is let go by itself") {
  sio::RecoveryOptions recovery;
  recovery.max_disconnection_duration = 30ms;
  Stage stage(recovering(recovery));
  std::weak_ptr<int> data;
  stage.io.on_connection([&](sio::Socket& socket) {
    auto& mine = socket.data<std::shared_ptr<int>>();
    mine = std::make_shared<int>();
    if (data.expired()) data = mine;
  });
  Comer ada(stage);
  stage.io.emit("seen");
  ada.hear(), ada.vanish();
  CHECK(run_until(stage.loop, [&] { return data.expired(); }));
  CHECK_FALSE(ada.recovers(stage));
}

TEST_CASE("recovery: of a namespace on demand that has ended, nothing is left") {
  auto options = recovering();
  options.cleanup_empty_child_namespaces = true;
  Stage stage(options);
  stage.io.of([](std::string_view, const json&) { return true; });
  Comer ada(stage, "/x");
  auto kept = stage.io.of("/x").find(ada.sid).value();
  kept.emit("seen");
  ada.hear(), ada.vanish();
  kept.emit("to nobody");
  kept.nsp().emit("to nobody");
  CHECK_FALSE(ada.recovers(stage));
}

TEST_CASE("recovery: a handle kept past the server is inert") {
  Stage stage(recovering());
  Comer ada(stage), bob(stage);
  auto kept = stage.io.find(ada.sid).value(), other = stage.io.find(bob.sid).value();
  kept.emit("seen");
  ada.hear(), ada.vanish();
  stage.server.reset();
  kept.emit("nobody", 1);
  other.emit("nobody", 1);
  kept.volatile_().emit("nobody");
  CHECK_FALSE(other.connected());
}

// ---- Adapters and clusters ----------------------------------------------------------------------------

namespace {

/// Joins the namespaces of one name of all its servers, in this process, and writes down what passes.
class Wire {
 public:
  class Linked final : public sio::Adapter {
   public:
    Linked(sio::Namespace& nsp, Wire& wire) : Adapter(nsp), wire_(wire) { wire_.all.push_back(this); }
    ~Linked() override { std::erase(wire_.all, this); }

    void broadcast(sio::socketio::Writer&& event, const sio::Target& target) override {
      wire_.seen.push_back(nsp_.name() + " " + event.text);
      if (!target.local)
        for (auto* other : others()) other->Adapter::broadcast(sio::socketio::Writer(event), target);
      Adapter::broadcast(std::move(event), target);
    }
    void broadcast_with_ack(sio::socketio::Writer&& event, const sio::Target& target,
                            const std::shared_ptr<sio::detail::AckWait>& wait) override {
      wait->expect(wire_.from_elsewhere.size());  // what the others' clients will have said
      Adapter::broadcast_with_ack(std::move(event), target, wait);
      for (const auto& answer : wire_.from_elsewhere) {
        if (answer.is_null()) wait->lost();
        else wait->answer(sio::socketio::Arguments(Arguments{answer}));
      }
    }
    void fetch_sockets(const sio::Target& target,
                       std::function<void(std::error_code, std::vector<sio::RemoteSocket>)> done) override {
      std::vector<sio::RemoteSocket> sum;
      for (auto* one : peers())
        one->Adapter::fetch_sockets(target, [&](std::error_code, const std::vector<sio::RemoteSocket>& its) {
          for (const auto& socket : its) sum.emplace_back(nsp_, socket.id, socket.handshake, socket.rooms, socket.data);
        });
      done({}, std::move(sum));
    }
    void sockets_join(const sio::Target& target, const std::vector<std::string>& rooms) override {
      for (auto* one : peers()) one->Adapter::sockets_join(target, rooms);
    }
    void sockets_leave(const sio::Target& target, const std::vector<std::string>& rooms) override {
      for (auto* one : peers()) one->Adapter::sockets_leave(target, rooms);
    }
    void disconnect_sockets(const sio::Target& target, bool close) override {
      for (auto* one : peers()) one->Adapter::disconnect_sockets(target, close);
    }
    void server_side_emit(Arguments event, std::function<void(std::error_code, Arguments)> done) override {
      Arguments answers;
      for (auto* other : others())
        other->nsp_.server_side_event(
            event, done ? [&answers](const json& answer) { answers.push_back(answer); } : std::function<void(json)>());
      if (done) done({}, std::move(answers));
    }

   private:
    std::vector<Linked*> peers() const {
      std::vector<Linked*> out;
      for (auto* one : wire_.all)
        if (one->nsp_.name() == nsp_.name()) out.push_back(one);
      return out;
    }
    std::vector<Linked*> others() const {
      auto out = peers();
      std::erase(out, this);
      return out;
    }
    Wire& wire_;
  };

  void join(sio::Server& server) {
    server.adapter([this](sio::Namespace& nsp) { return std::make_unique<Linked>(nsp, *this); });
  }

  std::vector<Linked*> all;
  Texts seen;
  Arguments from_elsewhere;
};

}  // namespace

TEST_CASE("adapter: a user's own sees what concerns several sockets, and may send it on") {
  Wire wire;
  Stage one, two;
  wire.join(one.io), wire.join(two.io);
  auto a = one.client(), b = two.client();
  const auto ada = one.join(a), bob = two.join(b);
  ada.join("red"), bob.join("blue");
  one.io.emit("all", 1);
  one.io.to("blue").emit("blue", "x");
  ada.broadcast().emit("others");
  one.io.local().emit("local");
  ada.emit("hers");
  one.io.of("/made later").emit("nobody");
  CHECK(wire.seen ==
        Texts{R"(/ ["all",1])", R"(/ ["blue","x"])", R"(/ ["others"])", R"(/ ["local"])", R"(/made later ["nobody"])"});
  CHECK(a.hear() == R"(42["all",1]~42["local"]~42["hers"])");
  CHECK(b.hear() == R"(42["all",1]~42["blue","x"]~42["others"])");

  one.io.in("blue").sockets_join("green");
  CHECK(bob.rooms().size() == 3);
  one.io.sockets_leave({"green", "blue"});
  CHECK(bob.rooms().size() == 1);
  one.io.in(bob.id()).disconnect_sockets();
  CHECK_FALSE(bob.connected());
  CHECK(ada.connected());
  CHECK(b.hear() == "41");
}

TEST_CASE("adapter: a broadcast's answers from elsewhere") {
  Wire wire;
  Stage stage;
  wire.join(stage.io);
  auto a = stage.client();
  stage.join(a);
  const auto ask = [&](Arguments answers) {
    wire.from_elsewhere = std::move(answers);
    std::optional<std::pair<std::error_code, std::vector<int>>> out;
    stage.io.timeout(1h).emit(how_old,
                              [&](std::error_code error, std::vector<int> its) { out = {error, std::move(its)}; });
    const auto asked = a.hear();
    a.say("43" + asked.substr(2, asked.find('[') - 2) + "[7]");
    REQUIRE(out);
    return *out;
  };
  CHECK(ask({}) == std::pair{std::error_code(), std::vector{7}});
  CHECK(ask({30, 31}) == std::pair{std::error_code(), std::vector{30, 31, 7}});
  CHECK(ask({30, nullptr}) == std::pair{std::make_error_code(std::errc::not_connected), std::vector{30, 7}});
  CHECK(ask({"old"}) == std::pair{std::make_error_code(std::errc::bad_message), std::vector{7}});
}

TEST_CASE("adapter: servers talk to each other") {
  Wire wire;
  Stage one, two, three;
  for (auto* stage : {&one, &two, &three}) wire.join(stage->io);
  Texts heard;
  const auto listen = [&](sio::Server& io, std::string name) {
    io.on_server_side_emit("load", [&heard, name](const Arguments& arguments, const std::function<void(json)>& answer) {
      heard.push_back(name + json(arguments).dump());
      if (answer) answer(name);
    });
  };
  listen(one.io, "one"), listen(two.io, "two"), listen(three.io, "three");
  three.io.on_server_side_emit("load",
                               [](const Arguments&, const auto&) { throw std::runtime_error("on the server side"); });

  one.io.server_side_emit("load", 1, "a");
  CHECK(heard == Texts{R"(two[1,"a"])", R"(three[1,"a"])"});
  CHECK(three.errors.size() == 1);

  std::optional<std::pair<std::error_code, Arguments>> answers;
  one.io.server_side_emit_with_ack("load",
                                   [&](std::error_code error, Arguments its) { answers = {error, std::move(its)}; });
  CHECK_FALSE(answers);  // not within the call
  CHECK(run_until(one.loop, [&] { return answers.has_value(); }));
  CHECK_FALSE(answers->first);
  CHECK(answers->second == Arguments{"two", "three"});
  two.io.of("/chat").server_side_emit("load");  // another namespace
  CHECK(heard.size() == 4);
  CHECK_THROWS_AS(one.io.server_side_emit("connect"), std::invalid_argument);

  Stage alone;  // without an adapter of its own there are no others
  answers.reset();
  alone.io.server_side_emit_with_ack("load",
                                     [&](std::error_code error, Arguments its) { answers = {error, std::move(its)}; });
  CHECK(run_until(alone.loop, [&] { return answers.has_value(); }));
  CHECK(answers->second.empty());
}

TEST_CASE("adapter: one that answers late, to a server that is gone") {
  struct Late final : sio::Adapter {
    using Adapter::Adapter;
    void fetch_sockets(const sio::Target&,
                       std::function<void(std::error_code, std::vector<sio::RemoteSocket>)> done) override {
      pending() = std::move(done);
    }
    static std::function<void(std::error_code, std::vector<sio::RemoteSocket>)>& pending() {
      static std::function<void(std::error_code, std::vector<sio::RemoteSocket>)> done;
      return done;
    }
  };
  Stage stage;
  stage.io.adapter([](sio::Namespace& nsp) { return std::make_unique<Late>(nsp); });
  int called = 0;
  stage.io.fetch_sockets(
      [&](std::error_code error, const std::vector<sio::RemoteSocket>&) { called += error == std::errc::timed_out; });
  settle(stage.loop, 5ms);
  CHECK(called == 0);
  stage.io.post([&] { stage.server.reset(); });
  CHECK(run_until(stage.loop, [&] { return !stage.server; }));
  std::exchange(Late::pending(), {})(std::make_error_code(std::errc::timed_out), {});
  CHECK(run_until(stage.loop, [&] { return called == 1; }));
}

// ---- fetch_sockets ------------------------------------------------------------------------------------

TEST_CASE("fetch_sockets: id, rooms, handshake, and data where it has a JSON form") {
  struct Opaque {
    int count = 0;
  };
  Stage stage;
  auto a = stage.client(), b = stage.client(), c = stage.client();
  const auto first = stage.join(a), second = stage.join(b), third = stage.join(c);
  first.data<Visits>().count = 3;
  second.data<Opaque>().count = 4;
  first.join("red"), second.join("red");
  const auto fetch = [&](const auto& from) {
    std::optional<std::vector<sio::RemoteSocket>> out;
    from.fetch_sockets([&](std::error_code error, std::vector<sio::RemoteSocket> its) {
      CHECK_FALSE(error);
      out = std::move(its);
    });
    CHECK_FALSE(out);
    REQUIRE(run_until(stage.loop, [&] { return out.has_value(); }));
    return *out;
  };
  auto all = fetch(stage.io);
  REQUIRE(all.size() == 3);
  CHECK(all[0].id == first.id());
  CHECK(all[0].data == json{{"count", 3}});
  CHECK(all[0].rooms == Texts{first.id(), "red"});
  CHECK(all[1].data == json::object());  // no JSON form
  CHECK(all[2].data == json::object());  // never used
  const auto& handshake = all[0].handshake;
  CHECK(handshake.at("headers") == json{{"host", "localhost"}});
  CHECK(handshake.at("query") == json{{"EIO", "4"}, {"transport", "polling"}});
  CHECK(handshake.at("auth") == json::object());
  CHECK(handshake.at("url") == "/socket.io/?EIO=4&transport=polling");

  all[2].join({"red", "blue"});
  CHECK(third.rooms().size() == 3);
  all[2].leave("red");
  CHECK(third.rooms() == Texts{third.id(), "blue"});
  CHECK(fetch(stage.io.in("red")).size() == 2);
  CHECK(fetch(stage.io.in({"red", "blue"})).size() == 3);
  CHECK(fetch(stage.io.except("red")).size() == 1);
  CHECK(fetch(first.broadcast()).size() == 2);
  CHECK(fetch(stage.io.in("nowhere")).empty());

  all[1].emit("hello", 1);
  CHECK(b.hear() == R"(42["hello",1])");
  int age = 0;
  all[1].emit_with_ack(how_old, [&](std::error_code, int its) { age = its; });
  b.say("430[5]");
  CHECK(age == 5);
  all[1].disconnect();
  CHECK_FALSE(second.connected());
  CHECK(fetch(stage.io).size() == 2);
}

TEST_CASE("fetch_sockets: of all namespaces that a predicate made") {
  Stage stage;
  auto& parent = stage.io.of([](std::string_view name, const json&) { return name.starts_with("/room-"); });
  auto client = stage.client();
  client.join("/room-1"), client.join("/room-2"), client.join();
  std::size_t found = 0;
  parent.fetch_sockets([&](std::error_code, const std::vector<sio::RemoteSocket>& sockets) { found = sockets.size(); });
  CHECK(run_until(stage.loop, [&] { return found == 2; }));
  std::error_code error;
  parent.emit_with_ack(how_old, [&](std::error_code its, const std::vector<int>&) { error = its; });
  CHECK(run_until(stage.loop, [&] { return error == std::errc::operation_not_supported; }));
}
