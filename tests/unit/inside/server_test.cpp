// Chapter 9: the public API, as a user meets it. Servers listen on port 0 and share one loop with small
// polling clients; what needs no client is tested without.
#include "../polling_client.hpp"
#include "sio_demo.hpp"

#include <doctest/doctest.h>

#include <asio/error.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

namespace sio = sio_demo;
using polling_client::Client;
using polling_client::Connection;
using polling_client::run_until;
using polling_client::settle;
using sio::json;

struct Note {
  std::string text;
  int stars = 0;
};
SIO_DEMO_FIELDS(Note, text, stars)

inline constexpr sio::ClientToServer<"note", int(Note)> note{};
inline constexpr sio::ClientToServer<"whisper", void(std::string)> whisper{};
inline constexpr sio::ClientToServer<"later", std::string(int)> later{};
inline constexpr sio::ServerToClient<"noted", void(Note, bool)> noted{};

sio::Options quiet_options() { return {.host = "127.0.0.1", .port = 0, .log_level = sio::LogLevel::off}; }

/// A server in a loop, listening.
struct OneServer {
  explicit OneServer(sio::Options options = quiet_options()) : io(loop, std::move(options)) { io.listen(); }

  asio::io_context loop;
  sio::Server io;

  Client client() { return Client(loop, io.port()); }
};

}  // namespace

// ---- Servers and loops --------------------------------------------------------------------------------

TEST_CASE("server: a guest in a loop serves while somebody runs it") {
  OneServer stage;
  CHECK(stage.io.port() != 0);
  stage.io.on_connection([](sio::Socket& socket) { socket.emit("hello", "from C++"); });
  auto client = stage.client();
  client.say("40");
  const auto heard = client.hear();
  CHECK(heard.starts_with(R"(40{"sid":")"));
  CHECK(heard.ends_with(R"(~42["hello","from C++"])"));
  CHECK(stage.io.clients_count() == 1);
  CHECK(stage.io.of("/").size() == 1);
}

TEST_CASE("server: two in one process, and one ends while the loop goes on") {
  asio::io_context loop;
  sio::Server first(loop, quiet_options());
  auto second = std::make_unique<sio::Server>(loop, quiet_options());
  first.listen(), second->listen();
  CHECK(first.port() != second->port());
  int gone = 0;
  second->on_disconnect([&](sio::Socket&, const sio::Disconnect& why) { gone += why.text == "server shutting down"; });
  first.on("ask", [](sio::Socket&, const json::array_t&, sio::Reply<> reply) { reply("first"); });

  Client a(loop, first.port()), b(loop, second->port());
  a.join(), b.join();
  b.begin_poll();  // held while its server dies
  settle(loop);
  second.reset();
  CHECK(gone == 1);
  settle(loop);

  a.say(R"(421["ask"])");
  CHECK(a.hear() == R"(431["first"])");
}

TEST_CASE("server: destroyed from within a posted function, with everything in flight") {
  asio::io_context loop;
  auto io = std::make_unique<sio::Server>(loop, quiet_options());
  io->listen();
  Client client(loop, io->port());
  client.join();
  client.begin_poll();
  settle(loop);
  io->emit("last", 1);
  asio::post(loop, [&] { io.reset(); });
  settle(loop);
  CHECK_FALSE(io);
}

TEST_CASE("server: run serves until close is through") {
  sio::Server io(quiet_options());
  io.listen();
  bool done = false;
  io.post([&] { io.close([&] { done = true; }); });
  CHECK(io.run() == 0);
  CHECK(done);
  CHECK(io.closing());
}

TEST_CASE("server: close tells clients, then says so; the port is free again") {
  std::vector<std::string> reasons;
  OneServer stage;
  stage.io.of("/a").on_disconnect([&](sio::Socket&, const sio::Disconnect& why) { reasons.emplace_back(why.text); });
  auto client = stage.client();
  client.join("/a");
  client.begin_poll();
  settle(stage.loop);
  const auto port = stage.io.port();
  bool done = false;
  stage.io.close([&] { done = true; });
  CHECK(client.end_poll() == "1");
  CHECK(run_until(stage.loop, [&] { return done; }));
  CHECK(reasons == std::vector<std::string>{"server shutting down"});
  auto options = quiet_options();
  options.port = port;
  sio::Server next(stage.loop, options);
  CHECK_NOTHROW(next.listen());
}

TEST_CASE("server: whoever calls close is told when it is through, the second one, too") {
  OneServer stage;
  int done = 0;
  stage.io.close([&] { ++done; });
  stage.io.close([&] { ++done; });
  settle(stage.loop);
  stage.io.close([&] { ++done; });
  settle(stage.loop);
  CHECK(done == 3);
}

TEST_CASE("server: post is the door from other threads") {
  OneServer stage;
  const auto here = std::this_thread::get_id();
  std::thread::id there;
  std::atomic<int> ran = 0;
  auto client = stage.client();
  client.join();
  std::thread worker([&] {
    for (int i = 0; i < 100; ++i)
      stage.io.post([&, i] {
        there = std::this_thread::get_id();
        if (++ran == 100) stage.io.emit("reading", i);
      });
  });
  CHECK(client.hear() == R"(42["reading",99])");
  worker.join();
  CHECK(there == here);
}

TEST_CASE("server: what is posted to a server that is gone does not run") {
  asio::io_context loop;
  {
    sio::Server io(loop, quiet_options());
    io.post([] { FAIL("it is gone"); });
  }
  settle(loop);
}

TEST_CASE("server: a port in use is one clear error") {
  OneServer stage;
  auto options = quiet_options();
  options.port = stage.io.port();
  sio::Server other(stage.loop, options);
  try {
    other.listen();
    FAIL("two servers listen on one port");
  } catch (const std::system_error& error) {
    const std::string what = error.what();
    CHECK(what.find("cannot listen on 127.0.0.1:" + std::to_string(options.port)) != what.npos);
    CHECK(what.find("choose another port") != what.npos);
    CHECK(error.code() == asio::error::address_in_use);
  }
  int errors = 0;
  options.log_level = sio::LogLevel::error;
  options.log_sink = [&](const sio::LogRecord&) { ++errors; };
  CHECK(sio::Server(options).run() == 1);
  CHECK(errors == 1);
}

TEST_CASE("server: options that contradict themselves are refused before anything starts") {
  struct Wrong {
    const char* what;
    std::function<void(sio::Options&)> make;
  };
  for (const auto& wrong : std::vector<Wrong>{
           {"neither polling nor websocket", [](auto& o) { o.polling = o.websocket = false; }},
           {"max_json_depth", [](auto& o) { o.max_json_depth = 65; }},
           {"max_json_depth", [](auto& o) { o.max_json_depth = 0; }},
           {"ping_interval", [](auto& o) { o.ping_interval = sio::Milliseconds(0); }},
           {"ping_timeout", [](auto& o) { o.ping_timeout = sio::Milliseconds(-1); }},
           {"path", [](auto& o) { o.path = "socket.io"; }},
           {"max_payload", [](auto& o) { o.max_payload = 0; }},
           {"credentials", [](auto& o) { o.cors = {.origins = {"*"}, .credentials = true}; }},
           {"beside others", [](auto& o) { o.cors = {.origins = {"*", "https://a.example"}}; }},
           {"origin", [](auto& o) { o.cors = {.origins = {"https://a.example\r\nX: y"}}; }},
       }) {
    CAPTURE(wrong.what);
    auto options = quiet_options();
    wrong.make(options);
    try {
      sio::Server io(options);
      FAIL_CHECK("accepted");
    } catch (const std::invalid_argument& error) {
      CHECK(std::string(error.what()).find(wrong.what) != std::string::npos);
    }
  }
}

TEST_CASE("server: routes of its own beside Socket.IO") {
  OneServer stage;
  stage.io.http().get("/state", [](const sio::http::Request& request) {
    return sio::http::Response{.type = "text/plain", .body = "state of " + std::string(request.query["of"])};
  });
  stage.io.http().get("/broken",
                      [](const sio::http::Request&) -> sio::http::Response { throw std::runtime_error("secret"); });
  stage.io.http().post("/echo", [](const sio::http::Request& request) {
    return sio::http::Response{.body = std::string(request.body)};
  });
  Connection connection(stage.loop, stage.io.port());
  const auto ask = [&](const char* method, const char* target, const char* body = "") {
    connection.send(method, target, body);
    return connection.answer();
  };
  CHECK(ask("GET", "/state?of=the%20art") == "state of the art");
  CHECK(ask("POST", "/echo", "hello") == "hello");
  CHECK(ask("GET", "/echo") == "405 ");
  CHECK(ask("GET", "/nowhere") == "404 ");
  CHECK(ask("GET", "/broken") == "500 Internal Server Error");
  CHECK(ask("GET", "/state?of=play") == "state of play");
}

// ---- Namespaces and middlewares -----------------------------------------------------------------------

TEST_CASE("namespace: made on first use, with or without the slash") {
  OneServer stage;
  CHECK(&stage.io.of("chat") == &stage.io.of("/chat"));
  CHECK(&stage.io.of("") == &stage.io.of("/"));
  CHECK(&stage.io.of("/chat") != &stage.io.of("/"));
  CHECK(stage.io.of("chat").name() == "/chat");
  auto client = stage.client();
  CHECK(client.join("/nope") == R"(44/nope,{"message":"Invalid namespace"})");
  CHECK(client.join("/chat").size() == 20);
  CHECK(client.join().size() == 20);
}

TEST_CASE("middleware: in the order of registration; the first refusal is the last word") {
  OneServer stage;
  auto& chat = stage.io.of("/chat");
  std::string order;
  chat.use([&](sio::Socket& socket, sio::Next next) {
    order += "1";
    CHECK_FALSE(socket.connected());
    CHECK(socket.rooms().empty());
    socket.handshake().auth().contains("token") ? next(sio::accept)
                                                : next(sio::refuse("who are you?", json{{"retry", true}}));
  });
  chat.use([&](sio::Socket&, sio::Next next) { order += "2", next(); });
  chat.on_connection([&](sio::Socket&) { order += "c"; });
  auto client = stage.client();
  CHECK(client.join("/chat") == R"(44/chat,{"message":"who are you?","data":{"retry":true}})");
  CHECK(order == "1");
  CHECK(client.join("/chat", R"({"token":1})").size() == 20);
  CHECK(order == "112c");
}

TEST_CASE("middleware: may answer later, only once, and to nobody once the client has left") {
  OneServer stage;
  auto& chat = stage.io.of("/chat");
  std::vector<sio::Next> asked;
  int connections = 0;
  chat.use([&](sio::Socket&, sio::Next next) { asked.push_back(next); });
  chat.on_connection([&](sio::Socket&) { ++connections; });
  auto client = stage.client();
  client.say("40/chat,");
  REQUIRE(asked.size() == 1);
  CHECK(connections == 0);
  asked[0](sio::accept);
  asked[0](sio::accept);
  asked[0](sio::refuse("too late"));
  CHECK(connections == 1);
  CHECK(client.hear().starts_with(R"(40/chat,{"sid":")"));

  auto other = stage.client();
  other.say("40/chat,");
  REQUIRE(asked.size() == 2);
  other.say("1");
  asked[1](sio::accept);
  CHECK(connections == 1);
  CHECK(chat.size() == 1);
}

TEST_CASE("middleware: one that throws refuses, and tells the client nothing") {
  OneServer stage;
  stage.io.of("/a").use([](sio::Socket&, const sio::Next&) { throw std::runtime_error("secret"); });
  stage.io.of("/b").use([](sio::Socket&, const sio::Next&) { throw 1; });
  auto client = stage.client();
  CHECK(client.join("/a") == R"(44/a,{"message":"Internal server error"})");
  CHECK(client.join("/b") == R"(44/b,{"message":"Internal server error"})");
}

TEST_CASE("middleware: what it put into data ends with the attempt, whatever ends it") {
  struct Token {
    std::shared_ptr<int> held;
  };
  OneServer stage;
  const auto permit = std::make_shared<int>(1);
  std::vector<sio::Next> asked;
  stage.io.use([&](sio::Socket& socket, sio::Next next) { socket.data<Token>().held = permit, asked.push_back(next); });
  SUBCASE("a refusal") {
    auto client = stage.client();
    client.say("40");
    CHECK(permit.use_count() == 2);
    asked[0](sio::refuse("no"));
    CHECK(permit.use_count() == 1);
  }
  SUBCASE("the client's leaving, although the answer is still due") {
    auto client = stage.client();
    client.say("40");
    CHECK(permit.use_count() == 2);
    client.say("1");
    CHECK(permit.use_count() == 1);
  }
}

// ---- Handlers -----------------------------------------------------------------------------------------

TEST_CASE("handlers: what a typed one returns is the ack") {
  OneServer stage;
  Note got;
  stage.io.on(note, [&](sio::Socket&, const Note& its) { return got = its, its.stars + 1; });
  stage.io.on(later, [](sio::Socket&, int number, sio::Reply<std::string> reply) {
    reply("number " + std::to_string(number));
  });
  stage.io.on(whisper, [&](sio::Socket& socket, const std::string& text) { socket.emit(noted, Note{text, 0}, true); });
  auto client = stage.client();
  client.join();
  client.say(R"(427["note",{"text":"fine","stars":4}])");
  CHECK(client.hear() == "437[5]");
  CHECK(got.text == "fine");
  client.say(R"(428["later",12])");
  CHECK(client.hear() == R"(438["number 12"])");
  client.say(R"(42["whisper","psst"])");
  CHECK(client.hear() == R"(42["noted",{"text":"psst","stars":0},true])");
}

TEST_CASE("handlers: a payload of the wrong shape never arrives; the client is told where it is wrong") {
  OneServer stage;
  stage.io.on(note, [&](sio::Socket&, const Note&) -> int {
    FAIL("never");
    return 0;
  });
  auto client = stage.client();
  client.join();
  client.say(R"(427["note",{"text":"fine"}])");
  CHECK(
      client.hear() ==
      R"(437[{"error":{"message":"note: /0/stars is missing: expected a whole number from -2147483648 to 2147483647","code":"INVALID_PAYLOAD","event":"note","path":"/0/stars"}}])");
  client.say(R"(42["note",{"text":"fine","stars":1},"more"])");
  CHECK(
      client.hear() ==
      R"(42["error",{"message":"note: /1 is one too many: expected 1 argument","code":"INVALID_PAYLOAD","event":"note","path":"/1"}])");
}

TEST_CASE("handlers: one that throws costs its own call, nothing more") {
  auto options = quiet_options();
  std::vector<std::string> logged;
  options.log_level = sio::LogLevel::error;
  options.log_sink = [&](const sio::LogRecord& record) { logged.push_back(sio::json_line(record)); };
  OneServer stage(options);
  stage.io.on("throw", [](sio::Socket&, const json::array_t&) { throw std::runtime_error("secret"); });
  stage.io.on("throw badly", [](sio::Socket&, const json::array_t&) { throw 42; });
  stage.io.on("fine", [](sio::Socket&, const json::array_t&, sio::Reply<> reply) { reply(); });
  stage.io.on_connection([](sio::Socket&) { throw std::runtime_error("in connection"); });
  stage.io.on_disconnect([](sio::Socket&, const sio::Disconnect&) { throw std::runtime_error("in disconnect"); });
  auto client = stage.client();
  client.join();
  client.say(R"(421["throw"])");
  CHECK(
      client.hear() ==
      R"(431[{"error":{"message":"throw: the server failed to handle this event","code":"INTERNAL_ERROR","event":"throw"}}])");
  client.say(R"(42["throw badly"])");
  CHECK(
      client.hear() ==
      R"(42["error",{"message":"throw badly: the server failed to handle this event","code":"INTERNAL_ERROR","event":"throw badly"}])");
  client.say(R"(422["fine"])");
  CHECK(client.hear() == "432[]");
  client.say("41");
  CHECK(client.join().size() == 20);
  CHECK(logged.size() == 5);
}

TEST_CASE("handlers: sio::Error reaches the client with its code and data, any other exception does not") {
  auto options = quiet_options();
  std::vector<std::string> logged;
  options.log_level = sio::LogLevel::info;
  options.log_sink = [&](const sio::LogRecord& record) { logged.push_back(sio::json_line(record)); };
  OneServer stage(options);
  stage.io.on(note, [](sio::Socket&, const Note&) -> int { throw sio::Error("room full", "FULL", {{"seats", 8}}); });
  stage.io.on(whisper, [](sio::Socket&, const std::string&) { throw sio::Error("too quiet"); });
  stage.io.on("named", [](sio::Socket&, const json::array_t&) { throw sio::Error("not \"you\"", "FORBIDDEN"); });
  stage.io.on(later, [](sio::Socket&, int number, const sio::Reply<std::string>& reply) {
    if (number > 1) return reply(sio::Error("too many", "LIMIT", number));
    reply("one");
    throw sio::Error("after the answer", "LATE");  // it has been answered
  });
  stage.io.on("read", [](sio::Socket& socket, const json::array_t& arguments) {
    socket.emit("got", sio::read<Note>(arguments.at(0)).stars);
  });
  auto client = stage.client();
  client.join();
  const std::size_t before = logged.size();
  client.say(R"(421["note",{"text":"fine","stars":1}])");
  CHECK(client.hear() == R"(431[{"error":{"message":"room full","code":"FULL","event":"note","data":{"seats":8}}}])");
  client.say(R"(42["note",{"text":"fine","stars":1}])");
  CHECK(client.hear() == R"(42["error",{"message":"room full","code":"FULL","event":"note","data":{"seats":8}}])");
  client.say(R"(42["whisper","psst"])");
  CHECK(client.hear() == R"(42["error",{"message":"too quiet","code":"APPLICATION_ERROR","event":"whisper"}])");
  client.say(R"(422["named"])");
  CHECK(client.hear() == R"(432[{"error":{"message":"not \"you\"","code":"FORBIDDEN","event":"named"}}])");
  client.say(R"(423["later",2])");
  CHECK(client.hear() == R"(433[{"error":{"message":"too many","code":"LIMIT","data":2}}])");
  client.say(R"(424["later",1])");
  CHECK(client.hear() == R"(434["one"])");
  CHECK(logged.size() == before);  // what the program refuses is no failure
  client.say(R"(425["read",{"text":"fine","stars":"5"}])");
  CHECK(
      client.hear() ==
      R"(435[{"error":{"message":"read: /stars is not a whole number from -2147483648 to 2147483647","code":"INVALID_PAYLOAD","event":"read","path":"/stars"}}])");
  client.say(R"(42["read",{"text":"fine","stars":5}])");
  CHECK(client.hear() == R"(42["got",5])");
}

TEST_CASE("handlers: a name by which nothing comes is refused, and the right call is named") {
  OneServer stage;
  const auto add = [&](std::string_view name) { stage.io.on(name, [](sio::Socket&, const json::array_t&) {}); };
  CHECK_THROWS_WITH_AS(add("connection"), "cannot handle an event \"connection\": use on_connection()",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(add("connect"), "cannot handle an event \"connect\": use on_connection()",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(add("disconnect"), "cannot handle an event \"disconnect\": use on_disconnect()",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(add("disconnecting"), "cannot handle an event \"disconnecting\": use on_disconnecting()",
                       std::invalid_argument);
  for (const char* name : {"connect_error", "newListener", "removeListener"}) {
    CAPTURE(name);
    CHECK_THROWS_AS(add(name), std::invalid_argument);
    CHECK_THROWS_AS(stage.io.once(name, [](sio::Socket&, const json::array_t&) {}), std::invalid_argument);
  }
  for (const char* name : {"error", "message", "connections", ""}) CHECK_NOTHROW(add(name));
}

TEST_CASE("emit: one value in braces is JSON") {
  OneServer stage;
  auto client = stage.client();
  client.join();
  stage.io.emit("moved", {{"x", 1}, {"y", nullptr}});
  CHECK(client.hear() == R"(42["moved",{"x":1,"y":null}])");
  stage.io.emit("moved", {1, "two", Note{"three", 3}});
  CHECK(client.hear() == R"(42["moved",[1,"two",{"stars":3,"text":"three"}]])");
  stage.io.emit("moved", sio::json{{"note", Note{"four", 4}}}, 5);
  CHECK(client.hear() == R"(42["moved",{"note":{"stars":4,"text":"four"}},5])");
}

TEST_CASE("handlers: by name, with any arguments; the reply may come later, and counts once") {
  OneServer stage;
  std::vector<sio::Reply<>> replies;
  stage.io.on("q", [&](sio::Socket&, const json::array_t& arguments, sio::Reply<> reply) {
    CHECK(arguments == json::array_t{1, "two", {{"three", 3}}});
    CHECK(reply);
    replies.push_back(reply);
  });
  stage.io.on("event", [&](sio::Socket&, const json::array_t&, sio::Reply<> reply) {
    CHECK_FALSE(reply);
    reply("nobody waits");
  });
  auto client = stage.client();
  client.join();
  client.say(R"(4212["q",1,"two",{"three":3}])");
  client.say(R"(42["event"])");
  replies.at(0)("a", 1, nullptr, json{{"b", 2}});
  replies.at(0)("again");
  CHECK_FALSE(replies.at(0));
  CHECK(client.hear() == R"(4312["a",1,null,{"b":2}])");
}

TEST_CASE("handlers: what is emitted to a socket that has left goes nowhere, though its client is there") {
  OneServer stage;
  std::optional<sio::Socket> kept;
  stage.io.on("bye", [&](sio::Socket& its, const json::array_t&, sio::Reply<> reply) {
    kept = its;
    its.disconnect();
    its.emit("after the end");
    its.volatile_().emit("after the end, too");
    reply("but an answer is given");
  });
  stage.io.on_disconnect([](sio::Socket& its, const auto&) { its.emit("at the end"); });
  auto client = stage.client();
  client.join();
  client.say(R"(421["bye"])");
  CHECK(client.hear() == R"(41~431["but an answer is given"])");
  client.join();
  kept->emit("to who came back as somebody else");
  stage.io.emit("to all");
  CHECK(client.hear() == R"(42["to all"])");
}

TEST_CASE("handlers: a reply kept past the client, and past the server, goes nowhere") {
  std::optional<sio::Reply<>> reply;
  std::optional<sio::Socket> socket;
  {
    OneServer stage;
    stage.io.on("q", [&](sio::Socket& its, const json::array_t&, sio::Reply<> given) { reply = given, socket = its; });
    auto client = stage.client();
    client.join();
    client.say(R"(421["q"])");
    client.say("1");
    CHECK_FALSE(socket->connected());
  }
  REQUIRE(reply);
  (*reply)("too late");
  CHECK_FALSE(socket->connected());
  socket->emit("too", "late");
  socket->join("room");
  socket->leave("room");
  socket->disconnect(true);
  CHECK(socket->rooms().empty());
  CHECK(socket->id().size() == 20);
  CHECK(socket->transport().empty());
  CHECK(socket->handshake().auth() == json::object());
}

TEST_CASE("handlers: on_any sees every event first; a socket may have handlers of its own") {
  OneServer stage;
  std::vector<std::string> seen;
  stage.io.of("/").on_any([&](sio::Socket&, std::string_view name, const sio::socketio::Arguments& arguments) {
    seen.push_back("any " + std::string(name) + " " + std::to_string(arguments.size()));
  });
  stage.io.on("x", [&](sio::Socket&, const json::array_t&) { seen.emplace_back("x of all"); });
  stage.io.on_connection([&](sio::Socket& socket) {
    socket.on("x", [&](sio::Socket&, const json::array_t&) { seen.emplace_back("x of one"); });
  });
  auto client = stage.client();
  client.join();
  client.say(
      "42[\"x\",1,2]\x1e"
      "42[\"nobody\"]\x1e"
      "42[5]");
  CHECK(seen == std::vector<std::string>{"any x 2", "x of all", "x of one", "any nobody 0", "any 5 0"});
}

TEST_CASE("handlers: one that disconnects its socket ends the walk") {
  OneServer stage;
  int after = 0;
  stage.io.on("leave", [](sio::Socket& socket, const json::array_t&) { socket.disconnect(); });
  stage.io.on_connection(
      [&](sio::Socket& socket) { socket.on("leave", [&](sio::Socket&, const json::array_t&) { ++after; }); });
  auto client = stage.client();
  client.join();
  client.say(R"(42["leave"])");
  CHECK(client.hear() == "41");
  CHECK(after == 0);
  CHECK(stage.io.of("/").size() == 0);
}

TEST_CASE("handlers: a reserved name cannot be emitted") {
  OneServer stage;
  for (const char* name : {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"})
    CHECK_THROWS_AS(stage.io.of("/").emit(name), std::invalid_argument);
  CHECK_NOTHROW(stage.io.of("/").emit("error"));
}

TEST_CASE("handlers: the handshake as the client made it") {
  OneServer stage;
  std::vector<std::string> said;
  stage.io.on_connection([&](sio::Socket& socket) {
    const auto handshake = socket.handshake();
    said = {handshake.auth().dump(),
            std::string(handshake.address),
            std::string(handshake.url),
            std::string(handshake.header("HOST")),
            std::string(handshake.query()["transport"]),
            std::string(socket.transport()),
            handshake.xdomain() ? "xdomain" : "same"};
  });
  auto client = stage.client();
  client.join("", R"({"token":"t"})");
  CHECK(said == std::vector<std::string>{R"({"token":"t"})", "127.0.0.1", "/socket.io/?EIO=4&transport=polling",
                                         "localhost", "polling", "polling", "same"});
}

#ifdef ASIO_HAS_CO_AWAIT
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

namespace {

asio::awaitable<void> pause_for(sio::Milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace

TEST_CASE("coroutines: a handler may wait; what it returns in the end is the ack") {
  OneServer stage;
  stage.io.on(later, [](sio::Socket& socket, int number) -> asio::awaitable<std::string> {
    socket.emit("working", number);
    co_await pause_for(sio::Milliseconds(5));
    co_return "number " + std::to_string(number);
  });
  auto client = stage.client();
  client.join();
  client.say(R"(421["later",7])");
  CHECK(client.hear() == R"(42["working",7])");
  CHECK(client.hear() == R"(431["number 7"])");
}

TEST_CASE("coroutines: the values live as long as the coroutine") {
  OneServer stage;
  stage.io.on(note, [](sio::Socket& socket, const Note& its) -> asio::awaitable<int> {
    co_await pause_for(sio::Milliseconds(5));
    co_return socket.connected() ? static_cast<int>(its.text.size()) : -1;
  });
  auto client = stage.client();
  client.join();
  const std::string text(1000, 'x');
  client.say(R"(421["note",{"text":")" + text + R"(","stars":1}])");
  CHECK(client.hear() == "431[1000]");
}

TEST_CASE("coroutines: one that throws is answered as any handler") {
  OneServer stage;
  stage.io.on(note, [](sio::Socket&, const Note&) -> asio::awaitable<int> {
    co_await pause_for(sio::Milliseconds(1));
    throw std::runtime_error("secret");
  });
  auto client = stage.client();
  client.join();
  client.say(R"(421["note",{"text":"","stars":1}])");
  CHECK(
      client.hear() ==
      R"(431[{"error":{"message":"note: the server failed to handle this event","code":"INTERNAL_ERROR","event":"note"}}])");
}

TEST_CASE("coroutines: with a Reply, too") {
  OneServer stage;
  stage.io.on(later, [](sio::Socket&, int number, sio::Reply<std::string> reply) -> asio::awaitable<void> {
    co_await pause_for(sio::Milliseconds(1));
    reply(std::to_string(number));
  });
  auto client = stage.client();
  client.join();
  client.say(R"(421["later",7])");
  CHECK(client.hear() == R"(431["7"])");
}

TEST_CASE("coroutines: one that outlives its client, and its server, ends in peace") {
  asio::io_context loop;
  auto io = std::make_unique<sio::Server>(loop, quiet_options());
  io->listen();
  int ended = 0;
  io->on(note, [&](sio::Socket& socket, const Note& its) -> asio::awaitable<int> {
    co_await pause_for(sio::Milliseconds(20));
    ++ended;
    CHECK_FALSE(socket.connected());
    socket.emit("too", "late");
    if (its.stars == 5) throw std::runtime_error("too late as well");
    co_return 1;
  });
  Client client(loop, io->port());
  client.join();
  client.say(
      "421[\"note\",{\"text\":\"\",\"stars\":1}]\x1e"
      "422[\"note\",{\"text\":\"\",\"stars\":5}]");
  io.reset();
  CHECK(run_until(loop, [&] { return ended == 2; }));
  settle(loop);
}
#endif

// ---- Data ---------------------------------------------------------------------------------------------

TEST_CASE("data: each connection has its own, from its first use to the end of its disconnect handlers") {
  struct Visit {
    int events = 0;
    std::shared_ptr<int> alive = std::make_shared<int>();
  };
  std::vector<std::weak_ptr<int>> alive;
  std::vector<int> at_end;  // before the server, whose end runs disconnect handlers
  OneServer stage;
  stage.io.on("count", [&](sio::Socket& socket, const json::array_t&, sio::Reply<> reply) {
    alive.emplace_back(socket.data<Visit>().alive);
    reply(++socket.data<Visit>().events);
  });
  stage.io.on_disconnect(
      [&](sio::Socket& socket, const sio::Disconnect&) { at_end.push_back(socket.data<Visit>().events); });
  auto a = stage.client(), b = stage.client();
  a.join(), b.join();
  a.say(R"(421["count"])");
  a.say(R"(422["count"])");
  b.say(R"(421["count"])");
  CHECK(a.hear() == "431[1]~432[2]");
  CHECK(b.hear() == "431[1]");
  a.say("41");
  CHECK(at_end == std::vector{2});
  CHECK(alive[0].expired());
  CHECK_FALSE(alive[2].expired());
}

// ---- Rooms and broadcasts -----------------------------------------------------------------------------

TEST_CASE("rooms: whom each way to say it reaches") {
  OneServer stage;
  auto& chat = stage.io.of("/");
  std::vector<Client> clients;
  std::vector<sio::Socket> sockets;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(stage.client());
    sockets.push_back(*chat.find(clients.back().join()));
  }
  auto &a = sockets[0], &b = sockets[1], &c = sockets[2];  // and d, who is in no room
  a.join("red"), b.join("red"), b.join("blue"), c.join("blue");

  const auto reached = [&](const auto& emit) {
    emit();
    chat.emit("end");
    std::string out;
    for (std::size_t i = 0; i < clients.size(); ++i) {
      const auto heard = clients[i].hear();
      if (heard == R"(42["x"]~42["end"])") out += static_cast<char>('a' + i);
      else CHECK(heard == R"(42["end"])");
    }
    return out;
  };
  CHECK(reached([&] { chat.emit("x"); }) == "abcd");
  CHECK(reached([&] { chat.to("red").emit("x"); }) == "ab");
  CHECK(reached([&] { chat.in("red").to("blue").emit("x"); }) == "abc");  // b once
  CHECK(reached([&] { chat.to({"red", "blue"}).emit("x"); }) == "abc");
  CHECK(reached([&] { chat.except("red").emit("x"); }) == "cd");
  CHECK(reached([&] { chat.to("blue").except("red").emit("x"); }) == "c");
  CHECK(reached([&] { chat.to("red").except("red").emit("x"); }) == "");
  CHECK(reached([&] { chat.to("green").emit("x"); }) == "");
  CHECK(reached([&] { chat.to(a.id()).emit("x"); }) == "a");
  CHECK(reached([&] { a.emit("x"); }) == "a");
  CHECK(reached([&] { a.broadcast().emit("x"); }) == "bcd");
  CHECK(reached([&] { a.to("red").emit("x"); }) == "b");
  CHECK(reached([&] { a.to("red").to("blue").emit("x"); }) == "bc");
  CHECK(reached([&] { a.except("blue").emit("x"); }) == "d");
  CHECK(reached([&] { a.to({"red", "blue"}).emit("x"); }) == "bc");
  CHECK(reached([&] { stage.io.to({"red", "blue"}).except({"blue", "green"}).emit("x"); }) == "a");
  CHECK(reached([&] { chat.to("red").to({"blue"}).emit("x"); }) == "abc");
  CHECK(reached([&] { chat.in("green").to(std::vector<std::string>{"red"}).emit("x"); }) == "ab");
  CHECK(reached([&] { a.to(a.id()).emit("x"); }) == "");
  CHECK(reached([&] { a.to(c.id()).emit("x"); }) == "c");
  b.leave("red");
  CHECK(reached([&] { chat.to("red").emit("x"); }) == "a");
  CHECK(b.rooms() == std::vector<std::string>{b.id(), "blue"});
  chat.to("blue").sockets_join("red");
  CHECK(reached([&] { chat.to("red").emit("x"); }) == "abc");
  chat.to("red").sockets_leave("blue");
  CHECK(reached([&] { chat.to("blue").emit("x"); }) == "");
  CHECK(chat.to("red").sockets().size() == 3);

  chat.to("red").disconnect_sockets();
  CHECK(chat.size() == 1);
  CHECK(a.rooms().empty());
  a.join("red");
  CHECK(chat.to("red").sockets().empty());
}

TEST_CASE("rooms: volatile events reach only those who could take them at once") {
  OneServer stage;
  auto polls = stage.client(), does_not = stage.client();
  polls.join(), does_not.join();
  polls.begin_poll();
  settle(stage.loop);
  stage.io.of("/").volatile_().emit("now");
  CHECK(polls.end_poll() == R"(42["now"])");
  stage.io.emit("end");
  CHECK(does_not.hear() == R"(42["end"])");
}

TEST_CASE("rooms: namespaces have nothing to do with each other") {
  OneServer stage;
  auto &a = stage.io.of("/a"), &b = stage.io.of("/b");
  auto client = stage.client();
  const auto in_a = client.join("/a"), in_b = client.join("/b");
  CHECK(in_a != in_b);
  a.find(in_a)->join("room");
  CHECK(b.to("room").sockets().empty());
  CHECK_FALSE(b.find(in_a));
  b.emit("x");
  CHECK(client.hear() == R"(42/b,["x"])");
  a.find(in_a)->disconnect();
  CHECK(client.hear() == "41/a,");
  CHECK(b.find(in_b)->connected());
}

TEST_CASE("rooms: disconnecting sees them, disconnect does not") {
  std::vector<std::size_t> seen;
  OneServer stage;
  stage.io.of("/").on_disconnecting(
      [&](sio::Socket& socket, const sio::Disconnect&) { seen.push_back(socket.rooms().size()); });
  stage.io.on_disconnect([&](sio::Socket& socket, const sio::Disconnect&) { seen.push_back(socket.rooms().size()); });
  stage.io.on_connection([](sio::Socket& socket) { socket.join("room"); });
  auto client = stage.client();
  client.join();
  client.say("41");
  CHECK(seen == std::vector<std::size_t>{2, 0});
}

// ---- The room index, alone ------------------------------------------------------------------------------

namespace {

/// Sockets as the room index sees them, without clients.
struct Crowd final : private sio::engineio::Application {
  Crowd() : server(sio::Options{.log_level = sio::LogLevel::off}), engine(options, log, counters, *this) {
    session = engine.open({}, nullptr);
  }
  ~Crowd() { session->shut_down(sio::Reason::forced_close); }

  sio::detail::SocketState& socket(const std::string& id) {
    sockets.push_back(std::make_shared<sio::detail::SocketState>(nsp, session, nullptr, id));
    rooms.add(*sockets.back());
    return *sockets.back();
  }
  /// Whom a broadcast reaches, in order of their ids. Each must be visited once.
  std::string reached(const sio::Target& target) {
    std::multiset<std::string> ids;
    rooms.visit(target, [&](sio::detail::SocketState& state) { ids.insert(state.id); });
    std::string out;
    for (const auto& id : ids) out += id;
    return out;
  }

  sio::Server server;
  std::shared_ptr<sio::Namespace> nsp = std::make_shared<sio::Namespace>(server, "/crowd", nullptr);
  sio::detail::RoomIndex rooms;
  std::vector<std::shared_ptr<sio::detail::SocketState>> sockets;

 private:
  void on_open(sio::engineio::Session&, const sio::http::Request&) override {}
  void on_message(sio::engineio::Session&, std::string_view, bool) override {}
  void on_close(sio::engineio::Session&, sio::Reason, std::string_view) override {}

  const sio::Options options;
  const sio::Log log{sio::LogLevel::off, {}};
  sio::Counters counters;
  sio::engineio::Engine engine;
  sio::Ref<sio::engineio::Session> session;
};

}  // namespace

TEST_CASE("room index: rooms come with their first member and go with their last") {
  Crowd crowd;
  auto &a = crowd.socket("a"), &b = crowd.socket("b");
  CHECK(crowd.rooms.size() == 2);
  crowd.rooms.join(a, "r");
  crowd.rooms.join(a, "r");
  crowd.rooms.join(b, "r");
  crowd.rooms.join(a, "a");  // its own room, which is there anyway
  CHECK(crowd.rooms.names() == std::vector<std::string>{"a", "b", "r"});
  CHECK(crowd.reached({.rooms = {"r"}}) == "ab");
  crowd.rooms.leave(a, "r");
  crowd.rooms.leave(a, "r");
  crowd.rooms.leave(a, "never heard of");
  CHECK(crowd.reached({.rooms = {"r"}}) == "b");
  crowd.rooms.remove(b);
  CHECK(crowd.rooms.size("r") == 0);
  CHECK(crowd.rooms.size() == 1);
  CHECK(crowd.rooms.find("a") == &a);
  CHECK(crowd.rooms.find("b") == nullptr);
}

TEST_CASE("room index: joining the room of somebody else's id") {
  Crowd crowd;
  auto &a = crowd.socket("a"), &b = crowd.socket("b");
  crowd.rooms.join(b, "a");
  CHECK(crowd.reached({.rooms = {"a"}}) == "ab");
  CHECK(crowd.reached({.rooms = {"a"}, .except = {"a"}}) == "");
  crowd.rooms.remove(a);
  CHECK(crowd.reached({.rooms = {"a"}}) == "b");
}

TEST_CASE("room index: rooms with odd names") {
  Crowd crowd;
  auto& a = crowd.socket("a");
  for (const std::string room : {"", "#", " ", "a room, with commas", "é", "\x01"}) {
    crowd.rooms.join(a, room);
    CHECK(crowd.reached({.rooms = {room}}) == "a");
  }
  CHECK(crowd.rooms.names().size() == 7);
}

TEST_CASE("room index: whatever is joined and left, a broadcast reaches whom plain sets say") {
  std::mt19937 random(11);
  Crowd crowd;
  std::map<std::string, std::set<std::string>> rooms;  // of each socket
  std::map<std::string, sio::detail::SocketState*> states;
  const std::vector<std::string> names{"r", "s", "t", "u"};
  const auto any_room = [&] { return names[random() % names.size()]; };
  for (int step = 0; step < 3000; ++step) {
    const std::string id(1, static_cast<char>('A' + random() % 12));
    const auto known = states.find(id);
    if (known == states.end()) states[id] = &crowd.socket(id), rooms[id];
    else if (random() % 20 == 0) crowd.rooms.remove(*known->second), states.erase(id), rooms.erase(id);
    else if (const auto room = any_room(); random() % 2) crowd.rooms.join(*known->second, room), rooms[id].insert(room);
    else crowd.rooms.leave(*known->second, room), rooms[id].erase(room);

    sio::Target target;
    for (auto n = random() % 3; n > 0; --n) target.rooms.push_back(any_room());
    for (auto n = random() % 2; n > 0; --n) target.except.push_back(any_room());
    if (random() % 4 == 0) target.except.push_back(id);
    std::string expected;
    for (const auto& one : rooms) {
      const auto inside = [&](const std::string& room) { return room == one.first || one.second.contains(room); };
      const bool wanted = target.rooms.empty() || std::any_of(target.rooms.begin(), target.rooms.end(), inside);
      if (wanted && std::none_of(target.except.begin(), target.except.end(), inside)) expected += one.first;
    }
    REQUIRE(crowd.reached(target) == expected);
    REQUIRE(crowd.rooms.size() == rooms.size());
  }
}
