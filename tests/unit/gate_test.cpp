// Chapter 3's gate, and what chapters 6, 9 and 10 owe to it: a handler may do anything at any time. Each case ends what
// is in use, then checks that handlers ran once, one after the other, and that what was kept is inert. Most of them
// show a memory error only under AddressSanitizer: make check SUITES=unit-sanitized.
#include "raw_client.hpp"
#include "sio_demo.hpp"

#include <doctest/doctest.h>

#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include <algorithm>
#include <array>
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
using polling_client::run_until;
using polling_client::settle;
using raw_client::Raw;
using sio::json;
using Arguments = json::array_t;
using Texts = std::vector<std::string>;
using namespace std::chrono_literals;

inline constexpr sio::ClientToServer<"say", void(std::string)> say{};
inline constexpr sio::ClientToServer<"relay", void(sio::RawJson)> relay{};

/// A server in a loop, listening; it keeps what is logged, and may be taken away before the loop.
struct Stage {
  explicit Stage(sio::Options options = {}) : server(make(std::move(options))), io(*server) { io.listen(); }

  Texts logged;
  asio::io_context loop;
  std::unique_ptr<sio::Server> server;
  sio::Server& io;

  /// A client over a WebSocket that has said this.
  std::unique_ptr<Raw> client(std::initializer_list<const char*> packets = {"40"}) {
    auto raw = std::make_unique<Raw>(loop, io.port());
    raw->send(raw_client::upgrade("/socket.io/?EIO=4&transport=websocket"));
    wait([&] { return raw->heard().find("maxPayload") != std::string::npos; });
    tell(*raw, packets);
    return raw;
  }
  void tell(Raw& raw, std::initializer_list<const char*> packets) {
    std::string bytes;
    for (const char* packet : packets) bytes += raw_client::text(packet);
    raw.send(bytes);
  }
  /// The server's side of it, once it has joined.
  sio::Socket join(Raw& raw) {
    wait([&] { return !io.sockets().empty(); });
    wait([&] { return raw.heard().find("40{") != std::string::npos; });
    return io.sockets().back();
  }
  template <class Done>
  void wait(Done done) {
    CHECK(run_until(loop, done));
  }
  /// Everybody has left, and was counted once.
  bool even() const {
    const auto& counters = io.counters();
    return counters.sessions_opened == counters.sessions_closed && counters.sockets_joined == counters.sockets_left &&
           io.clients_count() == 0;
  }

 private:
  std::unique_ptr<sio::Server> make(sio::Options options) {
    options.host = "127.0.0.1", options.port = 0;
    if (!options.log_sink)
      options.log_sink = [this](const sio::LogRecord& record) { logged.push_back(sio::json_line(record)); };
    return std::make_unique<sio::Server>(loop, std::move(options));
  }
};

struct Way {
  const char* name;
  std::function<void(sio::Socket&)> end;
};

/// The ways in which a handler may end a socket.
std::vector<Way> ways(Stage& stage) {
  return {
      {"disconnect", [](sio::Socket& socket) { socket.disconnect(); }},
      {"disconnect, and close", [](sio::Socket& socket) { socket.disconnect(true); }},
      {"a room's", [](sio::Socket& socket) { socket.nsp().in(socket.id()).disconnect_sockets(true); }},
      {"everybody's", [&](sio::Socket&) { stage.io.disconnect_sockets(true); }},
      {"the session's close",
       [](sio::Socket& socket) {
         if (socket.conn()) socket.conn()->close();
       }},
      {"the server's close", [&](sio::Socket&) { stage.io.close(); }},
  };
}

}  // namespace

TEST_CASE("gate: a disconnect handler ends its socket again, each way") {
  for (std::size_t way = 0; way < 6; ++way) {
    Stage stage;
    const auto chosen = ways(stage)[way];
    INFO(chosen.name);
    Texts calls;
    std::vector<sio::Reply<>> kept;
    stage.io.on_connection([](sio::Socket& socket) { socket.data<int>() = 7; });
    stage.io.on("slow", [&](sio::Socket&, const Arguments&, sio::Reply<> reply) { kept.push_back(reply); });
    stage.io.on_disconnecting([&](sio::Socket& socket, const sio::Disconnect&) {
      calls.emplace_back("disconnecting");
      chosen.end(socket);
    });
    stage.io.on_disconnect([&](sio::Socket& socket, const sio::Disconnect&) {
      calls.push_back("first " + std::to_string(socket.data<int>()));
      chosen.end(socket);
    });
    stage.io.on_disconnect([&](sio::Socket& socket, const sio::Disconnect&) {
      calls.push_back("second " + std::to_string(socket.data<int>()));
    });
    auto raw = stage.client({"40", "421[\"slow\"]", "41"});
    stage.wait([&] { return calls.size() == 3; });
    CHECK(calls == Texts{"disconnecting", "first 7", "second 7"});
    raw.reset();
    stage.wait([&] { return stage.even(); });
    for (const auto& reply : kept) reply(1);
    settle(stage.loop, 5ms);
    CHECK(calls.size() == 3);
    CHECK(kept.size() == 1);
  }
}

TEST_CASE("gate: a connection handler ends the client that a middleware let in late") {
  Stage stage;
  Texts calls;
  stage.io.use([&](sio::Socket&, const sio::Next& next) { asio::post(stage.loop, [next] { next(sio::accept); }); });
  stage.io.on_connection([&](sio::Socket& socket) {
    calls.emplace_back("first");
    socket.disconnect(true);
    CHECK_FALSE(socket.connected());
    CHECK(socket.rooms().empty());
    calls.emplace_back("first, still");
  });
  stage.io.on_connection([&](sio::Socket&) { calls.emplace_back("second"); });
  stage.io.on_disconnect([&](sio::Socket&, const sio::Disconnect&) { calls.emplace_back("disconnect"); });
  const auto raw = stage.client();
  stage.wait([&] { return stage.even() && !calls.empty(); });
  CHECK(calls == Texts{"first", "first, still", "disconnect"});
}

TEST_CASE("gate: who waits for the ack of a client that is refused late ends that client") {
  Stage stage;
  int completed = 0;
  stage.io.use([&](sio::Socket& socket, const sio::Next& next) {
    socket.emit_with_ack("who?", [&completed, socket](std::error_code error, const Arguments&) {
      completed += error == std::errc::not_connected;
      if (socket.conn()) socket.conn()->close();
    });
    asio::post(stage.loop, [next] { next(sio::refuse("no")); });
  });
  const auto raw = stage.client();
  stage.wait([&] { return stage.even() && completed > 0; });
  CHECK(completed == 1);
}

TEST_CASE("gate: an event is refused late, and who is told of it ends the client") {
  Stage stage;
  int errors = 0;
  stage.io.on_connection([&](sio::Socket& socket) {
    socket.use([&](sio::Socket&, std::string_view, const auto&, const sio::Next& next) {
      asio::post(stage.loop, [next] { next(sio::refuse("no")); });
    });
    socket.on_error([&](sio::Socket& its, const sio::Refuse&) { ++errors, its.disconnect(true); });
    socket.on_error([&](sio::Socket&, const sio::Refuse&) { ++errors; });
  });
  const auto raw = stage.client({"40", "42[\"x\"]"});
  stage.wait([&] { return stage.even() && errors > 0; });
  CHECK(errors == 1);
}

TEST_CASE("gate: of an event's handlers, those behind the one that ends the socket are not called") {
  Stage stage;
  Texts calls;
  stage.io.on("say",
              [&](sio::Socket& socket, const Arguments&) { calls.emplace_back("any"), socket.disconnect(true); });
  stage.io.on(say, [&](sio::Socket&, const std::string&) { calls.emplace_back("typed"); });
  const auto raw = stage.client({"40", "42[\"say\",1]"});
  stage.wait([&] { return stage.even() && !calls.empty(); });
  CHECK(calls == Texts{"any"});
  CHECK(stage.io.counters().of(sio::Reason::invalid_payload) == 0);
}

TEST_CASE("gate: who watches what goes out ends its socket") {
  Stage stage;
  std::optional<std::error_code> completed;
  const auto raw = stage.client();
  auto socket = stage.join(*raw);
  int seen = 0;
  stage.io.on_any_outgoing([&](sio::Socket& its, std::string_view, const auto&) { ++seen, its.disconnect(true); });
  socket.emit_with_ack("who?", [&](std::error_code error, const Arguments&) { completed = error; });
  socket.emit("x");
  stage.wait([&] { return completed.has_value(); });
  CHECK(*completed == std::errc::not_connected);
  CHECK(seen == 1);
  CHECK_FALSE(socket.connected());
}

TEST_CASE("gate: who watches sees what C++ cannot hold as null") {
  Stage stage;
  std::string seen;
  stage.io.on_any_outgoing([&](sio::Socket&, std::string_view name, const sio::socketio::Arguments& arguments) {
    seen = std::string(name) + json(arguments.values()).dump();
  });
  stage.io.on(relay, [](sio::Socket& socket, const sio::RawJson& what) { socket.emit("relayed", what, "\"],\\", 2); });
  const auto raw = stage.client({"40", "42[\"relay\",1e999]"});
  stage.wait([&] { return raw->heard().find("relayed") != std::string::npos; });
  CHECK(seen == R"(relayed[null,"\"],\\",2])");
  CHECK(raw->heard().find(R"(42["relayed",1e999,"\"],\\",2])") != std::string::npos);
}

TEST_CASE("gate: with recovery, an emit to a socket that is leaving goes nowhere") {
  Stage stage({.connection_state_recovery = {.max_disconnection_duration = 10s}});
  int calls = 0;
  stage.io.on_disconnecting([&](sio::Socket& socket, const sio::Disconnect&) {
    ++calls;
    socket.disconnect(true);
    socket.emit("e", 1);
  });
  const auto raw = stage.client({"40", "41"});
  stage.wait([&] { return stage.even() && calls > 0; });
  CHECK(calls == 1);
}

TEST_CASE("gate: a namespace that is gone is kept by who found sockets in it, or broadcasts to it") {
  Stage stage({.cleanup_empty_child_namespaces = true});
  stage.io.of([](std::string_view name, const json&) { return name.starts_with("/dyn"); })
      .on("go", [&](sio::Socket& socket, const Arguments&) {
        const auto later = std::make_shared<asio::steady_timer>(stage.loop, 5ms);
        later->async_wait([later, all = socket.nsp().to("room")](std::error_code) {
          all.emit("late");
          CHECK(all.sockets().empty());
        });
        socket.nsp().fetch_sockets([&](std::error_code, const std::vector<sio::RemoteSocket>& found) {
          for (const auto& one : found) one.emit("x"), one.join("y"), one.disconnect();
          CHECK(found.size() == 1);
        });
      });
  const auto raw = stage.client({"40", "40/dyn1,", "42/dyn1,[\"go\"]", "41/dyn1,", "41"});
  stage.wait([&] { return stage.io.counters().sockets_left == 2; });
  settle(stage.loop, 20ms);
}

TEST_CASE("gate: who is told of a new namespace ends the client that asked for it") {
  Stage stage({.max_child_namespaces = 1, .cleanup_empty_child_namespaces = true});
  int told = 0, asked = 0;
  stage.io.on_new_namespace([&](sio::Namespace&) {
    if (++told == 1) stage.io.disconnect_sockets(true);
  });
  stage.io.of([](std::string_view name, const json&) { return name.starts_with("/dyn"); })
      .use([&](sio::Socket&, const sio::Next& next) { ++asked, next(); });
  const auto first = stage.client({"40", "40/dyn1,"});
  stage.wait([&] { return told == 1 && stage.even(); });
  CHECK(asked == 0);
  const auto second = stage.client({"40/dyn2,"});  // there is room for it: nobody is in the other one
  stage.wait([&] { return second->heard().find("40/dyn2,{") != std::string::npos; });
}

namespace {

/// A connection that somebody else accepts: both ends.
std::pair<asio::ip::tcp::socket, asio::ip::tcp::socket> connected(asio::io_context& loop) {
  asio::ip::tcp::acceptor acceptor(loop, {asio::ip::address_v4::loopback(), 0});
  asio::ip::tcp::socket near(loop);
  near.connect(acceptor.local_endpoint());
  return {std::move(near), acceptor.accept()};
}

}  // namespace

TEST_CASE("gate: a handler passes on a connection, with bytes, and goes on with its arguments") {
  Stage stage;
  Texts said;
  std::optional<asio::ip::tcp::socket> mine;
  stage.io.on("serve", [&](sio::Socket&, const Arguments& arguments) {
    auto [near, far] = connected(stage.loop);
    stage.io.serve(std::move(far), raw_client::upgrade("/socket.io/?EIO=4&transport=websocket") +
                                       raw_client::text("40") + raw_client::text("42[\"other\",\"argument\"]"));
    mine = std::move(near);
    CHECK(said.empty());
    said.push_back(arguments.at(0).get<std::string>());
  });
  stage.io.on_any([&](sio::Socket&, std::string_view name, const auto&) { said.emplace_back(name); });
  stage.io.on("serve",
              [&](sio::Socket&, const Arguments& arguments) { said.push_back(arguments.at(0).get<std::string>()); });
  said.clear();
  stage.io.off_any();
  stage.io.on("other",
              [&](sio::Socket&, const Arguments& arguments) { said.push_back(arguments.at(0).get<std::string>()); });
  const auto raw = stage.client({"40", "42[\"serve\",\"a text that is long enough to need memory of its own\"]"});
  stage.wait([&] { return said.size() == 3; });
  const std::string text = "a text that is long enough to need memory of its own";
  CHECK(said == Texts{text, text, "argument"});
}

TEST_CASE("gate: allow_request passes on a connection, and decides about its own") {
  Stage* at = nullptr;
  int asked = 0;
  std::optional<asio::ip::tcp::socket> mine;
  Texts urls;
  sio::Options options;
  options.allow_request = [&](const sio::http::Request& request, const sio::Next& next) {
    urls.emplace_back(request.target);
    if (++asked == 1) {
      auto [near, far] = connected(at->loop);
      at->io.serve(std::move(far), raw_client::get("/socket.io/?EIO=4&transport=polling&n=2"));
      mine = std::move(near);
      CHECK(request.target == urls.front());
      next(sio::refuse("no"));
    } else next();
  };
  Stage stage(std::move(options));
  at = &stage;
  Raw raw(stage.loop, stage.io.port());
  raw.send(raw_client::get("/socket.io/?EIO=4&transport=polling&n=1"));
  CHECK(raw.answer().starts_with("HTTP/1.1 403"));
  stage.wait([&] { return asked == 2; });
  CHECK(urls.back().ends_with("n=2"));
  CHECK(stage.io.clients_count() == 1);
  mine.reset();  // before the loop
}

TEST_CASE("gate: a log's sink ends who is logged about") {
  Stage* at = nullptr;
  Texts lines;
  sio::Options options{.log_level = sio::LogLevel::debug};
  options.log_sink = [&](const sio::LogRecord& record) {
    lines.emplace_back(record.message);
    if (!at) return;
    for (const auto& socket : at->io.sockets()) socket.join("room"), socket.disconnect(true);
    at->io.emit("logged", std::string(record.message));
  };
  options.trace = [&](const sio::TraceRecord&) {
    if (at)
      for (const auto& socket : at->io.sockets())
        if (socket.conn()) socket.emit("traced"), socket.conn()->close();
  };
  Stage stage(std::move(options));
  int left = 0;
  stage.io.on_disconnect([&](sio::Socket&, const sio::Disconnect&) { ++left; });
  at = &stage;
  polling_client::Client client(stage.loop, stage.io.port());
  client.say("40");
  client.begin_poll();
  stage.wait([&] { return left == 1; });
  auto raw = stage.client();
  stage.wait([&] { return left == 2; });
  raw.reset();
  stage.wait([&] { return stage.io.counters().sessions_closed >= 1; });
  at = nullptr;
  CHECK(left == 2);
  CHECK_FALSE(lines.empty());
}

namespace {

/// Reaches the engine of a server, which nobody else may.
struct Inside : sio::Host {
  static sio::engineio::Engine& engine(sio::Host& host) { return host.*&Inside::engine_; }
};

/// A WebSocket without a connection, of which nothing is read.
struct Deaf final : sio::engineio::Peer {
  void answer(std::uint32_t, const sio::engineio::Answer&) override {}
  void cut() override {}
  void wake() override {}
  void send(const sio::engineio::MessageRef&) override {}
  void send_close(sio::Reason, std::string_view) override {}
  std::size_t queued() const override { return 0; }
};

}  // namespace

TEST_CASE("gate: a room of thousands, of which each that leaves disconnects all the others") {
  Stage stage({.max_sessions_per_address = 0, .log_level = sio::LogLevel::off});
  constexpr std::size_t many = 6'000;
  std::size_t calls = 0;
  int depth = 0, deepest = 0;
  stage.io.on_connection([](sio::Socket& socket) { socket.join("game"); });
  stage.io.on_disconnect([&](sio::Socket&, const sio::Disconnect&) {
    deepest = std::max(deepest, ++depth);
    ++calls;
    for (const auto& other : stage.io.in("game").sockets()) other.disconnect(true);
    --depth;
  });
  auto& engine = Inside::engine(stage.io);
  std::vector<Deaf> peers(many);
  std::vector<sio::Ref<sio::engineio::Session>> sessions;
  for (auto& peer : peers) {
    sessions.push_back(engine.open({}, &peer));
    sessions.back()->frame(peer, "40", false);
  }
  CHECK(stage.io.in("game").sockets().size() == many);
  sessions.front()->frame(peers.front(), "41", false);
  CHECK(calls == many);
  CHECK(deepest == 1);
  sessions.front()->close();
  CHECK(stage.even());
}

namespace {

struct Faulty final : sio::Adapter {
  using sio::Adapter::Adapter;
  void close() override { throw std::runtime_error("cannot close"); }
};

/// Has the server use another adapter, in the middle of a broadcast.
struct Replaced final : sio::Adapter {
  using sio::Adapter::Adapter;
  void broadcast(sio::socketio::Writer&& event, const sio::Target& target) override {
    nsp_.server().adapter([](sio::Namespace& nsp) { return std::make_unique<Faulty>(nsp); });
    Adapter::broadcast(std::move(event), target);
    text += event.text;
  }
  std::string text = "a text that is long enough for the heap: ";
};

}  // namespace

TEST_CASE("gate: an adapter replaces itself while no handler runs") {
  Stage stage;
  stage.io.adapter([](sio::Namespace& nsp) { return std::make_unique<Replaced>(nsp); });
  stage.io.emit("event");
  CHECK(dynamic_cast<Faulty*>(&stage.io.of("/").adapter()) != nullptr);
}

TEST_CASE("gate: a former adapter replaces adapters again as it ends") {
  struct Again final : sio::Adapter {
    Again(sio::Namespace& nsp, int& its_turns) : Adapter(nsp), turns(its_turns) {}
    ~Again() override {
      if (turns-- > 0)
        nsp_.server().adapter([&left = turns](sio::Namespace& nsp) { return std::make_unique<Again>(nsp, left); });
    }
    int& turns;
  };
  int turns = 0;
  Stage stage;
  stage.io.of("/other");
  stage.io.adapter([&](sio::Namespace& nsp) { return std::make_unique<Again>(nsp, turns); });
  turns = 5;
  stage.io.adapter([](sio::Namespace& nsp) { return std::make_unique<Faulty>(nsp); });
  settle(stage.loop, 5ms);
  CHECK(turns <= 0);
}

TEST_CASE("gate: an adapter that cannot be made, or ended, and functions that throw cost their own call") {
  int done = 0;
  Texts logged;
  {
    Stage stage({.cleanup_empty_child_namespaces = true, .drain_timeout = 20ms});
    stage.io.adapter([](sio::Namespace& nsp) -> std::unique_ptr<sio::Adapter> {
      if (nsp.name() == "/dyn2") throw std::runtime_error("cannot make");
      return std::make_unique<Faulty>(nsp);
    });
    stage.io.of([](std::string_view name, const json&) { return name.starts_with("/dyn"); });
    const auto raw = stage.client({"40", "40/dyn1,", "41/dyn1,", "40/dyn2,"});
    stage.wait(
        [&] { return raw->heard().find("44/dyn2,{\"message\":\"Internal server error\"}") != std::string::npos; });
    stage.io.post([] { throw std::runtime_error("posted"); });
    stage.io.post([&] { ++done; });
    stage.wait([&] { return done == 1; });
    stage.io.close([&] {
      ++done;
      throw std::runtime_error("closed");
    });
    stage.wait([&] { return done == 2; });
    logged = stage.logged;
    stage.server.reset();
  }
  REQUIRE(logged.size() == 5);  // /dyn1's end, /dyn2, the posted function, "/" at the end, who asked for it
  for (std::size_t i = 0; const char* what : {"cannot close", "cannot make", "posted", "cannot close", "closed"}) {
    CAPTURE(i);
    CHECK(logged[i++].find(what) != std::string::npos);
  }
}

TEST_CASE("gate: a posted function may destroy the server") {
  Stage stage;
  int left = 0;
  stage.io.on_disconnect([&](sio::Socket&, const sio::Disconnect&) { ++left; });
  const auto raw = stage.client();
  stage.join(*raw);
  stage.io.post([&] { stage.server.reset(); });
  stage.wait([&] { return left == 1; });
  CHECK_FALSE(stage.server);
}

TEST_CASE("gate: who is told that the server is closed may destroy it") {
  bool told = false;
  Stage stage;
  stage.io.close([&] {
    stage.server.reset();
    told = true;
  });
  stage.wait([&] { return told; });
  CHECK_FALSE(stage.server);
}

TEST_CASE("gate: a handler runs the loop, and what destroys the server is called behind it") {
  for (const bool closes : {false, true}) {
    CAPTURE(closes);
    Texts calls;
    Stage stage({.drain_timeout = 5ms});
    stage.io.on("run", [&](sio::Socket&, const Arguments&) {
      const auto destroy = [&] {
        stage.server.reset();
        calls.emplace_back("destroyed");
      };
      if (closes) stage.io.close(destroy);
      else stage.io.post(destroy);
      settle(stage.loop, 50ms);
      calls.emplace_back("ran");
    });
    const auto raw = stage.client();
    stage.join(*raw);
    stage.tell(*raw, {"42[\"run\"]"});
    stage.wait([&] { return calls.size() == 2; });
    CHECK(calls == Texts{"ran", "destroyed"});
  }
}

TEST_CASE("gate: the function that makes adapters replaces itself") {
  int made = 0;
  Stage stage;
  const auto simple = [&](sio::Namespace& nsp) {
    ++made;
    return std::make_unique<sio::Adapter>(nsp);
  };
  const auto replacing = [&, kept = std::make_shared<int>(7)](sio::Namespace& nsp) {
    stage.io.adapter(simple);
    CHECK(*kept == 7);
    return std::make_unique<sio::Adapter>(nsp);
  };
  stage.io.adapter(replacing);
  CHECK(made == 1);
  stage.io.of("/a");
  CHECK(made == 2);
}

TEST_CASE("gate: data of another type, and of a client that is gone, is refused") {
  Stage stage;
  std::optional<sio::Socket> kept;
  const auto raw = stage.client();
  auto socket = stage.join(*raw);
  socket.data<int>() = 7;
  CHECK_THROWS_AS(socket.data<std::string>(), std::logic_error);
  stage.io.on_disconnect([&](sio::Socket& its, const sio::Disconnect&) {
    CHECK(its.data<int>() == 7);
    kept = its;
  });
  socket.disconnect();
  REQUIRE(kept);
  CHECK_THROWS_AS(kept->data<int>(), std::logic_error);
}

namespace {
sio::Socket* constructing = nullptr;  // the socket whose data is constructed
struct Leaves {
  Leaves() { constructing->disconnect(); }
};
std::optional<sio::Socket> handle;
struct DropsTheHandle {
  DropsTheHandle() { handle.reset(); }
  int value = 7;
};
struct AsksAgain {
  AsksAgain() {
    if (depth++ == 0) inner = &constructing->data<AsksAgain>();
  }
  static inline int depth = 0;
  static inline AsksAgain* inner = nullptr;
};
}  // namespace

TEST_CASE("gate: the constructor of a socket's data disconnects the socket, destroys the handle, or uses the data") {
  Stage stage;
  const auto raw = stage.client();
  auto socket = stage.join(*raw);
  constructing = &socket;
  SUBCASE("disconnects") {
    CHECK_THROWS_AS(socket.data<Leaves>(), std::logic_error);
    CHECK(!socket.connected());
    CHECK_THROWS_AS(socket.data<Leaves>(), std::logic_error);
  }
  SUBCASE("destroys the handle that is used") {
    handle = socket;
    CHECK(handle->data<DropsTheHandle>().value == 7);
  }
  SUBCASE("uses the data") { CHECK(&socket.data<AsksAgain>() == AsksAgain::inner); }
  constructing = nullptr;
}

TEST_CASE("gate: operators make new values") {
  int answers = 0;  // the last comes when the server ends
  Stage stage;
  std::array<std::unique_ptr<Raw>, 2> raws{stage.client(), nullptr};
  stage.join(*raws[0]).join("red");
  raws[1] = stage.client();
  stage.wait([&] { return stage.io.sockets().size() == 2; });
  for (auto& socket : stage.io.except("red").sockets()) socket.join("blue");
  auto red = stage.io.to("red");
  auto both = red.to("blue");
  const auto& none = stage.io.to("red").except("red");
  CHECK(red.sockets().size() == 1);
  CHECK(both.sockets().size() == 2);
  CHECK(none.sockets().empty());
  auto slow = red.timeout(1s);
  slow.to("blue").emit("both", [&](std::error_code, const std::vector<json>&) { ++answers; });
  red.volatile_().local().emit("volatile");
  red.emit("red only");
  settle(stage.loop, 5ms);
  const auto has = [&](int i, const char* text) {
    return raws[static_cast<std::size_t>(i)]->heard().find(text) != std::string::npos;
  };
  CHECK((has(0, "both") && has(1, "both")));
  CHECK((has(0, "red only") && !has(1, "red only")));
}

TEST_CASE("gate: what a handler is given stays as long as the client, and a copy longer") {
  Stage stage;
  sio::Socket* given = nullptr;
  std::optional<sio::Socket> copy;
  std::function<void()> later;
  stage.io.on_connection([&](sio::Socket& socket) {
    given = &socket, copy = socket;
    later = [&socket] { socket.emit("later", socket.id()); };
  });
  stage.io.on("same?", [&](sio::Socket& socket, const Arguments&, sio::Reply<> reply) { reply(&socket == given); });
  const auto raw = stage.client({"40", "421[\"same?\"]"});
  stage.wait([&] { return raw->heard().find("431[true]") != std::string::npos; });
  later();
  stage.wait([&] { return raw->heard().find("42[\"later\"") != std::string::npos; });
  const std::string id = given->id();
  copy->disconnect(true);
  stage.server.reset();
  CHECK(copy->id() == id);
  CHECK_FALSE(copy->connected());
  copy->emit("nobody"), copy->join("x"), copy->leave("x"), copy->disconnect(true);
  copy->on("x", [kept = *copy](sio::Socket&, const Arguments&) {});
  std::optional<std::error_code> completed;
  copy->emit_with_ack("who?", [&](std::error_code error, const Arguments&) { completed = error; });
  CHECK(*completed == std::errc::not_connected);
}

TEST_CASE("gate: what was made of a server is inert when it is gone") {
  Stage stage;
  const auto raw = stage.client();
  auto socket = stage.join(*raw);
  std::vector<sio::RemoteSocket> remote;
  stage.io.fetch_sockets([&](std::error_code, std::vector<sio::RemoteSocket> all) { remote = std::move(all); });
  stage.wait([&] { return remote.size() == 1; });
  const auto all = stage.io.to("room");
  const auto away = socket.to("room");
  const auto timed = stage.io.timeout(1s);
  const sio::Ref<sio::engineio::Session> session(socket.conn());
  stage.server.reset();
  int completed = 0;
  const auto complete = [&](std::error_code error, const auto&) { completed += error == std::errc::not_connected; };
  for (const auto& some : {all, away}) {
    some.emit("x"), some.sockets_join("y"), some.sockets_leave("y"), some.disconnect_sockets(true);
    some.emit_with_ack("q", complete);
    some.fetch_sockets(complete);
    CHECK(some.sockets().empty());
  }
  timed.emit("q", complete);
  remote[0].emit("x"), remote[0].join("y"), remote[0].leave("y"), remote[0].disconnect(true);
  remote[0].emit_with_ack("q", complete);
  session->send_text("4x"), session->close();
  CHECK(completed == 6);
}

TEST_CASE("gate: a handler moves the clock beyond the deadline of attachments") {
  const auto clock = std::make_shared<sio::engineio::ManualClock>();
  Stage stage({.attachment_timeout = 1s, .clock = clock});
  bool inside = false;
  int errors = 0, events = 0;
  stage.io.on_error([&](sio::Socket&, const sio::Refuse&) {
    CHECK(!inside);
    ++errors;
  });
  stage.io.on("move", [&](sio::Socket&, const Arguments&) {
    inside = true;
    clock->advance(2s);
    inside = false;
    ++events;
  });
  const auto client = stage.client(), other = stage.client();
  stage.wait([&] { return stage.io.sockets().size() == 2; });
  stage.tell(*client, {R"(451-["move",{"_placeholder":true,"num":0}])"});
  settle(stage.loop, 5ms);
  SUBCASE("that have come: nothing is due any more") {
    client->send(raw_client::binary("x"));
    stage.wait([&] { return events == 1; });
    settle(stage.loop, 5ms);
    CHECK(errors == 0);
    CHECK(stage.io.clients_count() == 2);
  }
  SUBCASE("of another client: it ends when the handler has returned") {
    stage.tell(*other, {R"(42["move"])"});
    stage.wait([&] { return errors == 1; });
    CHECK(events == 1);
    stage.wait([&] { return stage.io.clients_count() == 1; });
  }
}

TEST_CASE("gate: a handler that runs the loop has no other one called inside it") {
  Texts calls;  // what handlers refer to stands in front of the server
  Stage stage;
  stage.io.on("run", [&](sio::Socket& socket, const Arguments& arguments) {
    calls.push_back("run " + arguments.at(0).get<std::string>());
    stage.io.post([&] { calls.emplace_back("posted"); });
    asio::post(stage.loop, [&, socket] {
      socket.disconnect();
      calls.emplace_back("not ours");
    });
    settle(stage.loop, 5ms);
    calls.push_back("ran " + arguments.at(0).get<std::string>());
  });
  stage.io.on("other", [&](sio::Socket&, const Arguments&) { calls.emplace_back("other"); });
  stage.io.on_disconnect([&](sio::Socket&, const sio::Disconnect&) { calls.emplace_back("disconnect"); });
  const auto other = stage.client();
  stage.join(*other);
  const auto raw = stage.client();
  stage.wait([&] { return stage.io.sockets().size() == 2; });
  stage.tell(*raw, {"42[\"run\",\"an argument\"]"});
  stage.tell(*other, {"42[\"other\"]"});
  stage.wait([&] { return calls.size() == 6; });
  REQUIRE(calls.size() == 6);
  std::string order;
  for (const auto& call : calls) order += call + ", ";
  CAPTURE(order);
  CHECK(order.starts_with("run an argument, not ours, ran an argument, "));
  CHECK(std::is_permutation(calls.begin() + 3, calls.end(), Texts{"disconnect", "posted", "other"}.begin()));
}
