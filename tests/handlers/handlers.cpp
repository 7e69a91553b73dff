// The handler matrix: every place that calls the program's code × every call that such code can make.
//
//     handlers [--all] [--first N] [--last N] [--random COUNT] [--list] [WORD...]
//
// A cell is place/action/transport/flags: a server with a handler at every place, and clients that play the same
// script, which comes by all of them. At its place, the first time, the cell's handler acts. The WORDs choose the cells
// whose names hold them all. Without --all, each place and action meets once over each transport, and the flags take
// turns. --random plays so many seeded sequences of up to six actions at as many places. run.py runs this program,
// again behind each cell that kills it.
//
// Held, in each cell: the sanitizers find nothing; no handler runs inside another; a socket connects, is disconnecting
// and disconnected, each once for each handler; each question is completed once; in the end everybody has left, nothing
// waits, as many have gone as have come, and nothing is leaked.
#include "client.hpp"

#include "tests/unit/sequence.hpp"

#include <asio/co_spawn.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <tuple>

#if defined(__SANITIZE_ADDRESS__) || defined(__has_feature)
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#define HANDLERS_SANITIZED 1
#else
#define HANDLERS_SANITIZED 0
#endif

namespace handlers {

using sio::json;
using Arguments = json::array_t;
using namespace std::chrono_literals;

struct World;

/// What acts: in a handler's place, perhaps with its socket.
using Act = std::function<void(World&, sio::Socket*)>;
struct Action {
  const char* name;
  Act act;
};

/// A value with conversions and a life of the program's own.
struct Mine {
  int number = 0;
};
void to_json(json& out, const Mine& mine);
void from_json(const json& in, Mine& mine);
/// A client's data.
struct Data {
  Data();
  ~Data();
  Data(const Data&) = delete;
  Data& operator=(const Data&) = delete;
  int value = 0;
};

inline constexpr sio::ClientToServer<"typed", int(int)> typed{};
inline constexpr sio::ClientToServer<"silent", void(std::string)> silent{};
inline constexpr sio::ClientToServer<"later", int(int)> later_event{};
inline constexpr sio::ServerToClient<"ask", int(int)> question{};

constexpr std::array places{
    "connection",
    "connection 2",
    "connection /a",
    "connection of the parent",
    "middleware",
    "middleware 2",
    "middleware late",
    "middleware of the parent",
    "predicate",
    "predicate late",
    "new namespace",
    "event",
    "event 2",
    "event of the socket",
    "event with a reply",
    "event typed",
    "event typed, with a reply",
    "event typed, bad",
    "event with bytes",
    "event once",
    "event of a child",
    "coroutine",
    "coroutine later",
    "any",
    "any of the socket",
    "any outgoing",
    "any outgoing of the socket",
    "event middleware",
    "event middleware late",
    "error",
    "error of the socket",
    "upgrade",
    "disconnecting",
    "disconnecting of the socket",
    "disconnecting of a child",
    "disconnect",
    "disconnect 2",
    "disconnect of the socket",
    "disconnect of the parent",
    "ack",
    "ack lost",
    "ack timed out",
    "acks",
    "fetched",
    "rooms listed",
    "server-side ack",
    "server-side event",
    "adapter made",
    "adapter broadcasts",
    "adapter fetches",
    "adapter joins",
    "adapter disconnects",
    "adapter closes",
    "log",
    "trace",
    "allow_request",
    "allow_request late",
    "generate_id",
    "initial_headers",
    "headers",
    "connection error",
    "route",
    "route with a body",
    "websocket opens",
    "websocket message",
    "websocket closes",
    "posted",
    "closed",
    "timer",
    "data made",
    "data ends",
    "capture ends",
    "to_json",
    "from_json",
    "engine opens",
    "engine message",
    "engine upgrade",
    "engine closes",
};

constexpr std::size_t place(std::string_view name) {
  for (std::size_t i = 0; i < places.size(); ++i)
    if (places[i] == name) return i;
  throw std::logic_error("no such place");
}

/// Where the program's code runs that is no handler of this server: in the middle of a call of its own, as a sink, by
/// its own loop, or for another server.
bool nests(std::size_t where) {
  const std::string_view name = places[where];
  return name.starts_with("engine") || name == "log" || name == "trace" || name.starts_with("adapter") ||
         name.starts_with("data") || name == "capture ends" || name == "to_json" || name == "timer" ||
         name.starts_with("coroutine") || name.ends_with("late");
}
/// Whether what is thrown there is ours to contain.
bool may_throw(std::size_t where) {
  const std::string_view name = places[where];
  return name != "timer" && name != "data ends" && name != "capture ends" && !name.ends_with("late");
}

struct Flags {
  bool recovery = false, cleanup = false, watchers = false, small = false;
};

/// What a cell, or a sequence, is to do.
struct Plan {
  std::string name;
  Transport transport = Transport::websocket;
  Flags flags{};
  std::vector<std::pair<std::size_t, const Action*>> acts{};
};

World* current = nullptr;  // for conversions and destructors, which are given nothing
const Plan* playing = nullptr;
std::size_t failures = 0;

void fails(const std::string& what) {
  std::printf("FAILED %s: %s\n", playing ? playing->name.c_str() : "?", what.c_str());
  std::fflush(stdout);
  ++failures;
}

/// Tells of its own end.
struct Capture {
  ~Capture();
};

class SomeAdapter final : public sio::Adapter {
 public:
  SomeAdapter(sio::Namespace& nsp, World& world) : sio::Adapter(nsp), world_(world) {}
  void broadcast(sio::socketio::Writer&& event, const sio::Target& target) override;
  void fetch_sockets(const sio::Target& target,
                     std::function<void(std::error_code, std::vector<sio::RemoteSocket>)> done) override;
  void sockets_join(const sio::Target& target, const std::vector<std::string>& rooms) override;
  void disconnect_sockets(const sio::Target& target, bool close) override;
  void close() override;

 private:
  World& world_;
  bool closed_ = false;
};

struct World {
  World(asio::io_context& its_loop, const Plan& its_plan) : loop(its_loop), plan(its_plan), budget(plan.acts) {
    current = this;
    io = std::make_unique<sio::Server>(loop, options());
    set_up();
    io->listen("127.0.0.1", 0);
    engine = std::make_unique<sio::engineio::Server>(loop, engine_options());
    set_up_engine();
    engine->listen("127.0.0.1", 0);
    made = true;
  }
  ~World() {
    over = true;
    forget();
    engine.reset();
    io.reset();
    for (auto& socket : kept) use_what_is_kept(socket);
    current = nullptr;
  }

  // ---- at a place

  /// The program's code runs here, as long as this is there.
  class Here {
   public:
    Here(World& world, std::string_view name, sio::Socket* socket = nullptr) : Here(world, place(name), socket) {}
    ~Here() { world_.depth -= counts_ ? 1 : 0; }

   private:
    Here(World& world, std::size_t where, sio::Socket* socket) : world_(world), counts_(!nests(where)) {
      ++world.visits[where];
      if (counts_ && ++world.depth > 1) fails(std::string("inside another handler: ") + places[where]);
      const auto due = std::find_if(world.budget.begin(), world.budget.end(),
                                    [&](const auto& act) { return act.first == where && act.second; });
      if (due == world.budget.end() || !world.made || world.over) return;
      const Action& action = *std::exchange(due->second, nullptr);
      struct Leave {  // a constructor that throws has no destructor
        Here& here;
        bool done = false;
        ~Leave() {
          if (!done && here.counts_) --here.world_.depth;
        }
      } leave{*this};
      action.act(world, socket);
      leave.done = true;
    }
    World& world_;
    bool counts_;
  };

  sio::Options options() {
    sio::Options out;
    out.clock = clock;
    out.log_level = sio::LogLevel::debug;
    out.log_sink = [this](const sio::LogRecord&) { const Here here(*this, "log"); };
    out.trace = [this](const sio::TraceRecord&) { const Here here(*this, "trace"); };
    out.allow_request = [this](const sio::http::Request& request, const sio::Next& next) {
      const Here here(*this, "allow_request");
      nexts.push_back(next);
      if (request.target.find("late") == request.target.npos) return next();
      later([this, next] {
        const Here inner(*this, "allow_request late");
        next();
      });
    };
    out.generate_id = [this](const sio::http::Request&) {
      const Here here(*this, "generate_id");
      return "id-" + std::to_string(++ids);
    };
    out.initial_headers = [this](sio::http::Headers& headers, const sio::http::Request&) {
      const Here here(*this, "initial_headers");
      headers.emplace_back("X-First", "1");
    };
    out.headers = [this](sio::http::Headers&, const sio::http::Request&) { const Here here(*this, "headers"); };
    out.cleanup_empty_child_namespaces = plan.flags.cleanup;
    if (plan.flags.recovery)
      out.connection_state_recovery = {.max_disconnection_duration = 60s, .skip_middlewares = false};
    if (plan.flags.small) {
      out.max_namespaces = 3, out.max_outstanding_acks = 2, out.max_rooms = 2, out.max_child_namespaces = 1;
      out.max_sessions = 3, out.max_queue_bytes = 600, out.max_packets_per_payload = 3;
    }
    return out;
  }
  static sio::Options engine_options() { return {.path = "/engine.io/", .log_level = sio::LogLevel::off}; }

  template <class F>
  void later(F f) {
    asio::post(loop, [world = this, f = std::move(f)] {
      if (current == world && !world->over) f();
    });
  }

  struct Life {
    int connected = 0, disconnecting = 0, disconnected = 0;
  };
  void begins(sio::Socket& socket) {
    if (++lives[socket.id()].connected > (socket.recovered() ? 2 : 1)) fails("a socket connects twice");
    if (!socket.connected()) fails("a connection handler is called for a socket that is gone");
    if (!plan.flags.small) socket.data<Data>().value = 1;
  }
  void ends(sio::Socket& socket, bool before) {
    auto& life = lives[socket.id()];
    auto& count = before ? life.disconnecting : life.disconnected;
    if (++count > life.connected) fails(before ? "disconnecting twice" : "disconnected twice, or without a connection");
    if (socket.rooms().empty() == before) fails(before ? "no rooms while disconnecting" : "rooms behind the end");
  }
  void keep(sio::Socket& socket) {
    if (kept.size() < 8) kept.push_back(socket);
  }

  auto completes(const char* name) {
    questions.push_back(0);
    return [this, name, number = questions.size() - 1](std::error_code error, auto&&...) {
      if (++questions[number] != 1) fails("a question is completed twice");
      if (over) return;
      const bool lost = error == std::errc::not_connected, late = error == std::errc::timed_out;
      const Here here(*this, std::string_view(name) != "ack" ? name
                             : lost                          ? "ack lost"
                             : late                          ? "ack timed out"
                                                             : name);
    };
  }
  void ask(sio::Socket& socket) {
    socket.emit_with_ack(question, 1, completes("ack"));
    socket.timeout(2s).emit("mute", completes("ack"));
    socket.emit_with_ack("mute", completes("ack"));
  }

  template <class Nsp>
  void common(Nsp& nsp, const char* connection, const char* disconnecting, const char* disconnect) {
    nsp.on_connection([this, connection](sio::Socket& socket) {
      begins(socket);
      const Here here(*this, connection, &socket);
    });
    nsp.on_disconnecting([this, disconnecting](sio::Socket& socket, const sio::Disconnect&) {
      ends(socket, true);
      const Here here(*this, disconnecting, &socket);
    });
    nsp.on_disconnect([this, disconnect](sio::Socket& socket, const sio::Disconnect&) {
      ends(socket, false);
      const Here here(*this, disconnect, &socket);
    });
  }

  void set_up() {
    io->adapter([this](sio::Namespace& nsp) -> std::unique_ptr<sio::Adapter> {
      const Here here(*this, "adapter made");
      return std::make_unique<SomeAdapter>(nsp, *this);
    });
    io->on_new_namespace([this](sio::Namespace&) { const Here here(*this, "new namespace"); });
    io->use([this](sio::Socket& socket, const sio::Next& next) {
      nexts.push_back(next);
      const Here here(*this, "middleware", &socket);
      next();
    });
    io->use([this](sio::Socket& socket, const sio::Next& next) {
      const Here here(*this, "middleware 2", &socket);
      later([this, next] {
        const Here inner(*this, "middleware late");
        next();
      });
    });
    common(*io, "connection", "disconnecting", "disconnect");
    io->on_connection([this](sio::Socket& socket) {
      keep(socket);
      set_up_socket(socket);
      const Here here(*this, "connection 2", &socket);
      ask(socket);
    });
    io->on_disconnect(
        [this](sio::Socket& socket, const sio::Disconnect&) { const Here here(*this, "disconnect 2", &socket); });
    common(io->of("/a"), "connection /a", "disconnecting", "disconnect");
    auto& parent = io->of([this](std::string_view name, const json&) {
      const Here here(*this, "predicate");
      return name.starts_with("/dyn");
    });
    parent.use([this](sio::Socket& socket, const sio::Next& next) {
      const Here here(*this, "middleware of the parent", &socket);
      next();
    });
    common(parent, "connection of the parent", "disconnecting of a child", "disconnect of the parent");
    parent.on("child",
              [this](sio::Socket& socket, const Arguments&) { const Here here(*this, "event of a child", &socket); });
    io->of([this](std::string_view name, const json&, const std::function<void(bool)>& answer) {
      later([this, answer, good = name == "/late"] {
        const Here here(*this, "predicate late");
        answer(good);
      });
    });

    io->on_any([this](sio::Socket& socket, std::string_view, const auto&) { const Here here(*this, "any", &socket); });
    if (plan.flags.watchers)
      io->on_any_outgoing([this](sio::Socket& socket, std::string_view, const auto&) {
        const Here here(*this, "any outgoing", &socket);
      });
    io->on_error([this](sio::Socket& socket, const sio::Refuse&) { const Here here(*this, "error", &socket); });
    io->on_upgrade([this](sio::Socket& socket) { const Here here(*this, "upgrade", &socket); });
    io->on("event", [this](sio::Socket& socket, const Arguments& arguments) {
      const Here here(*this, "event", &socket);
      if (arguments.size() != 2 || arguments[1] != "a text that is long enough for the heap") fails("other arguments");
    });
    io->on("event", [this](sio::Socket& socket, const Arguments& arguments) {
      const Here here(*this, "event 2", &socket);
      if (arguments.size() != 2 || arguments[1] != "a text that is long enough for the heap") fails("other arguments");
    });
    io->on("reply", [this](sio::Socket& socket, const Arguments&, const sio::Reply<>& reply) {
      replies.push_back(reply);
      const Here here(*this, "event with a reply", &socket);
      reply(Mine{1});
    });
    io->on(typed, [this](sio::Socket& socket, int number) {
      const Here here(*this, "event typed", &socket);
      return number;
    });
    io->on(later_event, [this](sio::Socket& socket, int, const sio::Reply<int>& reply) {
      const Here here(*this, "event typed, with a reply", &socket);
      reply(1);
    });
    io->on("silent",
           [this](sio::Socket& socket, const Arguments&) { const Here here(*this, "event typed, bad", &socket); });
    io->on(silent, [](sio::Socket&, const std::string&) {});
    io->on("bytes",
           [this](sio::Socket& socket, const Arguments&) { const Here here(*this, "event with bytes", &socket); });
    io->once("once", [this](sio::Socket& socket, const Arguments&) { const Here here(*this, "event once", &socket); });
    io->on("mine", [this](sio::Socket& socket, const Arguments& arguments) {
      const Here here(*this, "from_json", &socket);
      socket.emit("mine", json(Mine{arguments.empty() ? 0 : 1}));
    });
#ifdef ASIO_HAS_CO_AWAIT
    io->on("coroutine", [this](sio::Socket& socket, const Arguments&) -> asio::awaitable<void> {
      { const Here here(*this, "coroutine", &socket); }
      co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
      if (over) co_return;
      const Here here(*this, "coroutine later", &socket);
    });
#endif
    io->of("/").on_server_side_emit("told", [this](const Arguments&, const std::function<void(json)>& answer) {
      const Here here(*this, "server-side event");
      if (answer) answer(1);
    });
    io->on_connection_error([this](const sio::ConnectionError&) { const Here here(*this, "connection error"); });
    io->http().get("/route", [this](const sio::http::Request&) {
      const Here here(*this, "route");
      return sio::http::Response{200, "text/plain", "ok", {}};
    });
    io->http().post("/route", [this](const sio::http::Request&) {
      const Here here(*this, "route with a body");
      return sio::http::Response{200, "text/plain", "ok", {}};
    });
    io->http().websocket("/ws", {.open =
                                     [this](sio::websocket::Socket& socket) {
                                       guest = sio::Ref<sio::websocket::Socket>(&socket);
                                       const Here here(*this, "websocket opens");
                                     },
                                 .message =
                                     [this](sio::websocket::Socket& socket, std::string_view payload, bool) {
                                       const Here here(*this, "websocket message");
                                       socket.send_text(payload);
                                     },
                                 .close = [this](sio::websocket::Socket&, sio::Reason,
                                                 std::string_view) { const Here here(*this, "websocket closes"); }});
  }

  /// A socket's own handlers.
  void set_up_socket(sio::Socket& socket) {
    socket.join("room");
    socket.on("event", [this, capture = std::make_shared<Capture>()](sio::Socket& its, const Arguments&) {
      const Here here(*this, "event of the socket", &its);
    });
    socket.on_any(
        [this](sio::Socket& its, std::string_view, const auto&) { const Here here(*this, "any of the socket", &its); });
    if (plan.flags.watchers)
      socket.on_any_outgoing([this](sio::Socket& its, std::string_view, const auto&) {
        const Here here(*this, "any outgoing of the socket", &its);
      });
    socket.on_error(
        [this](sio::Socket& its, const sio::Refuse&) { const Here here(*this, "error of the socket", &its); });
    socket.on_disconnecting([this](sio::Socket& its, const sio::Disconnect&) {
      const Here here(*this, "disconnecting of the socket", &its);
    });
    socket.on_disconnect(
        [this](sio::Socket& its, const sio::Disconnect&) { const Here here(*this, "disconnect of the socket", &its); });
    socket.use([this](sio::Socket& its, std::string_view name, const auto&, const sio::Next& next) {
      const Here here(*this, "event middleware", &its);
      if (name == "late")
        return later([this, next] {
          const Here inner(*this, "event middleware late");
          next(sio::refuse("late"));
        });
      name == "refused" ? next(sio::refuse("refused")) : next();
    });
  }

  void set_up_engine() {
    engine->on_connection([this](sio::engineio::Session& session, const sio::http::Request&) {
      sessions.emplace_back(&session);
      const Here here(*this, "engine opens");
    });
    engine->on_message([this](sio::engineio::Session& session, std::string_view payload, bool) {
      const Here here(*this, "engine message");
      session.send_text(payload);
    });
    engine->on_upgrade([this](sio::engineio::Session&) { const Here here(*this, "engine upgrade"); });
    engine->on_close(
        [this](sio::engineio::Session&, sio::Reason, std::string_view) { const Here here(*this, "engine closes"); });
  }

  // ---- the script

  /// Runs what is ready until nothing is, at most so long.
  void run() {
    for (int rounds = 0, quiet = 0; quiet < 2; ++rounds) {
      if (rounds > 400) return fails("it does not come to rest");
      loop.restart();
      bool any = loop.poll() > 0;
      for (auto& client : clients) any = client.pump() || any;
      for (auto& wire : wires) any = wire.pump() || any;
      quiet = any ? 0 : quiet + 1;
    }
  }
  void pass(sio::Milliseconds time) {
    clock->advance(time);
    run();
  }
  void say(std::initializer_list<const char*> packets) {
    for (const char* packet : packets) clients.front().say(packet), run();
  }
  void request(const std::string& bytes) {
    wires.emplace_back(loop, io->port()).send(bytes);
    run();
  }

  void play() {
    clients.reserve(8), wires.reserve(64);
    clients.emplace_back(loop, io->port(), plan.transport);
    clients.emplace_back(loop, io->port(), Transport::websocket);  // a sibling
    run();
    clients.back().say("40");
    say({"40", "40/a,", "40/dyn1,", "40/late,", "40/nobody,"});
    say({R"(42["event",1,"a text that is long enough for the heap"])", "421[\"reply\",1]", "422[\"typed\",1]",
         "423[\"later\",1]", "424[\"silent\",1]", "42[\"once\"]", "42[\"coroutine\"]", "42[\"mine\",{\"number\":1}]",
         "42[\"late\"]", "42[\"refused\"]", "42/dyn1,[\"child\"]", R"(451-["bytes",{"_placeholder":true,"num":0}])"});
    clients.front().say_binary("bytes");
    run();
    io->post([this] { emit(); });  // what an adapter throws is thrown by the call that used it
    run();
    clients.front().finish_upgrade();
    run();
    say({"42[\"typed\",2]", "41/dyn1,", "41/a,"});
    request(get("/route"));
    request("POST /route HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok");
    request(get("/socket.io/?EIO=4&transport=none"));
    request(get("/socket.io/?EIO=4&transport=polling&late=1") + get("/route"));
    request(upgrade("/ws") + frame(0x81, "hi") + frame(0x88, ""));
    play_engine();
    pass(3s);
    clients.front().poll_twice();
    clients.back().say("3");
    run();
    clients.back().say("49");  // no packet
    run();
    clients.emplace_back(loop, io->port(), plan.transport);
    run();
    clients.back().say("40");
    run();
    clients.back().say("41");
    run();
    clients.back().leave();
    io->post([this] { const Here here(*this, "posted"); });
    const auto timer = std::make_shared<asio::steady_timer>(loop, 0ms);
    timer->async_wait([this, timer](std::error_code) { const Here here(*this, "timer"); });
    run();
    pass(46s);
    clients.emplace_back(loop, io->port(), plan.transport);
    run();
    clients.back().say("40");
    run();
    io->close([this] { const Here here(*this, "closed"); });
    engine->close();
    run();
    pass(10min);
    for (auto& client : clients) client.leave();
    wires.clear();
    run();
    pass(10min);
  }
  void play_engine() {
    const std::string path = "/engine.io/?EIO=4&transport=";
    wires.emplace_back(loop, engine->port()).send(upgrade(path + "websocket") + frame(0x81, "4hi"));
    auto& polling = wires.emplace_back(loop, engine->port());
    polling.send(get(path + "polling"));
    run();
    const auto at = polling.in.find("\"sid\":\"");
    if (at == polling.in.npos) return;
    const auto sid = "&sid=" + polling.in.substr(at + 7, polling.in.find('"', at + 7) - at - 7);
    wires.emplace_back(loop, engine->port())
        .send(upgrade(path + "websocket" + sid) + frame(0x81, "2probe") + frame(0x81, "5"));
    run();
  }
  /// What the program does of its own accord.
  void emit() {
    io->emit("all", json(Mine{2}));
    io->timeout(1s).emit(question, 1, completes("acks"));
    io->fetch_sockets(
        [this, done = completes("fetched")](std::error_code error, std::vector<sio::RemoteSocket> all) mutable {
          remote = std::move(all);
          done(error);
        });
    io->all_rooms(completes("rooms listed"));
    io->server_side_emit_with_ack("told", completes("server-side ack"));
    io->of("/").server_side_event({"told", 1}, [](const json&) {});
    io->in("room").sockets_join("second");
    io->to("nobody").disconnect_sockets();
    broadcasts.push_back(io->to("room"));
    if (auto sockets = io->sockets(); !sockets.empty()) sockets.front().data<Data>().value = 2;
  }

  void check() {
    for (const auto& [id, life] : lives)
      if (life.connected > 0 && life.disconnected == 0) fails("a socket has never been disconnected");
    for (std::size_t i = 0; i < questions.size(); ++i)
      if (questions[i] != 1 && !(thrown && questions[i] == 0))
        fails("a question was completed " + std::to_string(questions[i]) + " times");
    const auto& counters = io->counters();
    if (counters.sessions_opened != counters.sessions_closed) fails("sessions stay");
    if (counters.sockets_joined != counters.sockets_left) fails("sockets stay");
    if (counters.queue_bytes != 0) fails("bytes wait for nobody");
    if (counters.websocket_sessions != 0) fails("WebSocket sessions are counted that are gone");
    if (counters.connections_opened != counters.connections_closed) fails("connections stay");
    if (io->clients_count() != 0) fails("clients stay");
    for (const char* name : {"/", "/a"})
      if (io->of(name).size() != 0 || !io->of(name).adapter().rooms().empty()) fails("somebody is in a namespace");
    if (depth != 0) fails("a handler never returned");
  }

  /// Handles that outlive the server are inert.
  static void use_what_is_kept(sio::Socket& socket) {
    socket.emit("nobody", 1);
    socket.join("room"), socket.leave("room"), socket.disconnect(true);
    if (socket.connected() || !socket.rooms().empty() || socket.conn()) fails("a socket lives on without its server");
  }
  void forget() {
    replies.clear(), nexts.clear(), remote.clear(), broadcasts.clear(), sessions.clear();
    guest = {};
  }

  asio::io_context& loop;
  const Plan& plan;
  std::vector<std::pair<std::size_t, const Action*>> budget;  // what is still to do, and where
  std::shared_ptr<sio::engineio::ManualClock> clock = std::make_shared<sio::engineio::ManualClock>();
  std::vector<Client> clients;
  std::vector<Wire> wires;
  std::map<std::string, Life> lives;
  std::vector<int> questions;
  std::array<int, places.size()> visits{};
  std::vector<sio::Socket> kept;
  std::vector<sio::Reply<>> replies;
  std::vector<sio::Next> nexts;
  std::vector<sio::RemoteSocket> remote;
  std::vector<sio::Broadcast> broadcasts;
  std::vector<sio::Ref<sio::engineio::Session>> sessions;
  sio::Ref<sio::websocket::Socket> guest;
  unsigned ids = 0;
  int depth = 0, ends_of_captures = 0;
  bool made = false, over = false, thrown = false;  // thrown: perhaps by the call that asks a question
  std::unique_ptr<sio::Server> io;
  std::unique_ptr<sio::engineio::Server> engine;
};

void to_json(json& out, const Mine& mine) {
  if (current && !current->over) const World::Here here(*current, "to_json");
  out = {{"number", mine.number}};
}
void from_json(const json& in, Mine& mine) { mine.number = in.value("number", 0); }
Data::Data() {
  if (current && !current->over) const World::Here here(*current, "data made");
}
Data::~Data() {
  if (current && !current->over) const World::Here here(*current, "data ends");
}
Capture::~Capture() {
  if (current && !current->over) const World::Here here(*current, "capture ends");
}

void SomeAdapter::broadcast(sio::socketio::Writer&& event, const sio::Target& target) {
  if (!world_.over) const World::Here here(world_, "adapter broadcasts");
  sio::Adapter::broadcast(std::move(event), target);
}
void SomeAdapter::fetch_sockets(const sio::Target& target,
                                std::function<void(std::error_code, std::vector<sio::RemoteSocket>)> done) {
  if (!world_.over) const World::Here here(world_, "adapter fetches");
  sio::Adapter::fetch_sockets(target, std::move(done));
}
void SomeAdapter::sockets_join(const sio::Target& target, const std::vector<std::string>& rooms) {
  if (!world_.over) const World::Here here(world_, "adapter joins");
  sio::Adapter::sockets_join(target, rooms);
}
void SomeAdapter::disconnect_sockets(const sio::Target& target, bool close) {
  if (!world_.over) const World::Here here(world_, "adapter disconnects");
  sio::Adapter::disconnect_sockets(target, close);
}
void SomeAdapter::close() {
  if (std::exchange(closed_, true)) fails("an adapter is closed twice");
  if (!world_.over) const World::Here here(world_, "adapter closes");
}

// ---- the actions

/// The socket of the place, or any that is there.
std::optional<sio::Socket> some(World& world, sio::Socket* socket) {
  if (socket) return *socket;
  auto all = world.io->sockets();
  return all.empty() ? std::nullopt : std::optional(all.front());
}
/// Another one than that.
std::optional<sio::Socket> other(World& world, sio::Socket* socket) {
  for (auto& one : world.io->sockets())
    if (!socket || !(one == *socket)) return one;
  return std::nullopt;
}

/// An action on a socket.
template <class F>
Act with(F f) {
  return [f](World& world, sio::Socket* given) {
    if (auto socket = some(world, given)) f(world, *socket);
  };
}

const std::vector<Action>& actions() {
  using S = sio::Socket;
  using W = World;
  static const std::vector<Action> all{
      {"nothing", [](W&, S*) {}},
      {"disconnect", with([](W&, S& s) { s.disconnect(); })},
      {"disconnect, close", with([](W&, S& s) { s.disconnect(true); })},
      {"disconnect twice, emit", with([](W&, S& s) { s.disconnect(), s.disconnect(true), s.emit("e", 1); })},
      {"session closes", with([](W&, S& s) {
         if (s.conn()) s.conn()->close();
       })},
      {"session closes for a reason", with([](W&, S& s) {
         if (s.conn()) s.conn()->close(sio::Reason::parse_error);
       })},
      {"session sends", with([](W&, S& s) {
         if (s.conn()) s.conn()->send_text("42[\"raw\"]"), s.conn()->send_binary("x");
       })},
      {"session closes soon", with([](W& w, S& s) {
         if (s.conn()) s.conn()->close_at(w.clock->now());
       })},
      {"emit", with([](W&, S& s) { s.emit("e", 1, "two"); })},
      {"emit bytes", with([](W&, S& s) { s.emit("e", sio::Bytes{1, 2, 3}); })},
      {"emit much", with([](W&, S& s) { s.emit("e", std::string(1000, 'x')); })},
      {"emit volatile", with([](W&, S& s) { s.volatile_().emit("e", 1); })},
      {"emit mine", with([](W&, S& s) { s.emit("e", json(Mine{3})); })},
      {"ask", with([](W& w, S& s) { s.emit_with_ack(question, 1, w.completes("ack")); })},
      {"ask in time", with([](W& w, S& s) { s.timeout(1s).emit("mute", w.completes("ack")); })},
      {"ask and disconnect", with([](W& w, S& s) { s.emit_with_ack("mute", w.completes("ack")), s.disconnect(true); })},
      {"join", with([](W&, S& s) { s.join({"x", "y", "z"}); })},
      {"leave", with([](W&, S& s) { s.leave("room"), s.leave(s.id()); })},
      {"look", with([](W&, S& s) {
         (void)s.handshake().to_json(), (void)s.transport(), (void)s.rooms(), (void)s.recovered();
       })},
      {"data", with([](W&, S& s) {
         if (s.connected()) s.data<Data>().value = 3;
       })},
      {"on",
       with([](W&, S& s) { s.on("event", [s](S&, const Arguments&) {}).on("new", [](S&, const Arguments&) {}); })},
      {"once", with([](W&, S& s) { s.once("event", [s](S& its, const Arguments&) { its.disconnect(); }); })},
      {"off", with([](W&, S& s) { s.off("event"); })},
      {"off all", with([](W&, S& s) { s.off(), s.off_any(), s.off_any_outgoing(); })},
      {"watch", with([](W&, S& s) {
         s.on_any([](S&, std::string_view, const auto&) {}).on_any_outgoing([s](S&, std::string_view, const auto&) {});
       })},
      {"watch and disconnect", with([](W&, S& s) {
         s.on_any_outgoing([](S& its, std::string_view, const auto&) { its.disconnect(true); }), s.emit("e", 1);
       })},
      {"filter", with([](W& w, S& s) {
         s.use([&w](S&, std::string_view, const auto&, const sio::Next& next) { w.later([next] { next(); }); });
       })},
      {"listen to the end", with([](W&, S& s) {
         s.on_disconnect([](S& its, const sio::Disconnect&) { its.disconnect(true); })
             .on_error([](S&, const sio::Refuse&) {})
             .on_upgrade([](S& its) { its.disconnect(); });
       })},
      {"emit to others",
       with([](W&, S& s) { s.broadcast().emit("e", 1), s.to("room").emit("e", 2), s.except("x").emit("e", 3); })},
      {"disconnect another",
       [](W& w, S* s) {
         if (auto one = other(w, s)) one->disconnect(true);
       }},
      {"disconnect each",
       [](W& w, S*) {
         for (auto& one : w.io->sockets()) one.disconnect(true);
       }},
      {"disconnect all", [](W& w, S*) { w.io->disconnect_sockets(); }},
      {"disconnect all, close", [](W& w, S*) { w.io->disconnect_sockets(true); }},
      {"disconnect a room", [](W& w, S*) { w.io->in("room").disconnect_sockets(true); }},
      {"disconnect a child's",
       [](W& w, S*) {
         for (auto& one : w.kept) one.nsp().disconnect_sockets(true);
         w.io->of("/dyn1").disconnect_sockets(true);
       }},
      {"emit to all",
       [](W& w, S*) { w.io->emit("e", 1), w.io->local().volatile_().emit("e", 2), w.io->to("room").emit("e", 3); }},
      {"ask all",
       [](W& w, S*) {
         w.io->timeout(1s).emit(question, 1, w.completes("acks")),
             w.io->to("room").emit_with_ack("mute", w.completes("acks"));
       }},
      {"ask all and end them",
       [](W& w, S*) { w.io->emit_with_ack("mute", w.completes("acks")), w.io->disconnect_sockets(true); }},
      {"have them join", [](W& w, S*) { w.io->sockets_join({"x", "y"}), w.io->in("x").sockets_leave("y"); }},
      {"fetch",
       [](W& w, S*) {
         w.io->fetch_sockets([done = w.completes("fetched")](std::error_code error,
                                                             const std::vector<sio::RemoteSocket>& found) mutable {
           done(error);
           for (const auto& one : found) one.emit("x"), one.join("y"), one.disconnect(true);
         });
       }},
      {"list the rooms", [](W& w, S*) { w.io->all_rooms(w.completes("rooms listed")); }},
      {"tell the servers",
       [](W& w, S*) {
         w.io->server_side_emit("told", 1);
         w.io->of("/").server_side_event({"told", 2}, nullptr);
       }},
      {"ask the servers", [](W& w, S*) { w.io->server_side_emit_with_ack("told", w.completes("server-side ack")); }},
      {"make a namespace", [](W& w, S*) { w.io->of("/new" + std::to_string(++w.ids)).on_connection([](S&) {}); }},
      {"make the asked one", [](W& w, S*) { w.io->of("/dyn1"), w.io->of("/late"); }},
      {"make a parent",
       [](W& w, S*) { w.io->of([](std::string_view name, const json&) { return name == "/nobody"; }); }},
      {"server on",
       [](W& w, S*) {
         w.io->on("event", [](S&, const Arguments&) {}), w.io->on_connection([](S&) {}),
             w.io->use([](S&, const sio::Next& next) { next(); });
       }},
      {"server off", [](W& w, S*) { w.io->off("event"), w.io->off(); }},
      {"post",
       [](W& w, S*) {
         w.io->post([&w] {
           if (!w.over) w.io->emit("posted");
         });
       }},
      {"close", [](W& w, S*) { w.io->close(); }},
      {"close, told", [](W& w, S*) { w.io->close([&w] { const World::Here here(w, "closed"); }); }},
      {"listen",
       [](W& w, S*) {
         if (!w.io->closing()) w.io->listen("127.0.0.1", 0);
       }},
      {"serve",
       [](W& w, S*) {
         if (w.io->closing()) return;
         asio::ip::tcp::acceptor acceptor(w.loop, {asio::ip::address_v4::loopback(), 0});
         asio::ip::tcp::socket near(w.loop);
         near.connect(acceptor.local_endpoint());
         w.io->serve(acceptor.accept(), upgrade("/socket.io/?EIO=4&transport=websocket") + frame(0x81, "40") +
                                            frame(0x81, "42[\"typed\",1]"));
         w.wires.emplace_back(std::move(near));
       }},
      {"serve a request",
       [](W& w, S*) {
         if (w.io->closing()) return;
         asio::ip::tcp::acceptor acceptor(w.loop, {asio::ip::address_v4::loopback(), 0});
         asio::ip::tcp::socket near(w.loop);
         near.connect(acceptor.local_endpoint());
         w.io->serve(acceptor.accept(), get("/route") + get("/socket.io/?EIO=4&transport=polling"));
         w.wires.emplace_back(std::move(near));
       }},
      {"replace the routes",
       [](W& w, S*) {
         w.io->http().get("/route",
                          [](const sio::http::Request&) { return sio::http::Response{200, "text/plain", "new", {}}; });
         w.io->http().websocket("/ws", {});
       }},
      {"measure",
       [](W& w, S*) {
         sio::Metrics out;
         w.io->measure(out);
       }},
      {"reply",
       [](W& w, S*) {
         for (const auto& reply : w.replies) reply(1);
       }},
      {"let in",
       [](W& w, S*) {
         for (const auto& next : std::vector(w.nexts)) next();
       }},
      {"refuse",
       [](W& w, S*) {
         for (const auto& next : std::vector(w.nexts)) next(sio::refuse("no"));
       }},
      {"use what is kept",
       [](W& w, S*) {
         for (auto& socket : std::vector(w.kept)) socket.emit("kept", 1), socket.join("kept"), socket.disconnect(true);
         for (const auto& some : std::vector(w.broadcasts)) some.emit("kept"), some.disconnect_sockets(true);
         for (const auto& one : std::vector(w.remote)) one.emit("kept"), one.disconnect(true);
       }},
      {"forget what is kept", [](W& w, S*) { w.kept.clear(), w.forget(); }},
      {"guest",
       [](W& w, S*) {
         if (w.guest) w.guest->send_text("x"), w.guest->close(), w.guest->send_text("y");
       }},
      {"engine sessions",
       [](W& w, S*) {
         for (const auto& session : std::vector(w.sessions)) session->send_text("x"), session->close();
       }},
      {"engine closes", [](W& w, S*) { w.engine->close(); }},
      {"log", [](W& w, S*) { w.io->log().write(sio::LogLevel::error, "line"); }},
      {"find", with([](W& w, S& s) {
         (void)w.io->find(s.id()), (void)w.io->of("/").adapter().sockets({}), (void)w.io->sockets();
       })},
      {"another adapter",
       [](W& w, S*) {
         try {
           w.io->adapter([&w](sio::Namespace& nsp) { return std::make_unique<SomeAdapter>(nsp, w); });
         } catch (const std::logic_error&) {}
       }},
      {"hear of errors",
       [](W& w, S*) {
         w.io->on_connection_error([](const sio::ConnectionError&) {});
         w.io->on_new_namespace([](sio::Namespace&) {});
       }},
      {"throw",
       [](W& w, S*) {
         w.thrown = true;
         throw std::runtime_error("thrown");
       }},
      {"throw a number",
       [](W& w, S*) {
         w.thrown = true;
         throw 1;
       }},
      {"run the loop", [](W& w, S*) { w.loop.poll(); }},
      {"let time pass", [](W& w, S*) { w.clock->advance(50s); }},
  };
  return all;
}

/// Whether the action is forbidden at that place, as the documentation says.
bool allowed(std::size_t where, const Action& action) {
  const std::string_view name = action.name;
  if (name.starts_with("throw")) return may_throw(where);
  // A sink must not run the loop or move the clock.
  if (name == "run the loop" || name == "let time pass")
    return !nests(where) || places[where] == std::string_view("timer");
  // What an adapter, or a destructor, calls again would call it again.
  return true;
}

// ---- running

std::vector<Plan> cells(bool all, const std::vector<std::string>& words) {
  std::vector<Plan> out;
  std::size_t turn = 0, pair = 0;
  for (std::size_t where = 0; where < places.size(); ++where)
    for (const Action& action : actions()) {
      ++pair;
      for (std::size_t transport = 0; transport < transport_names.size(); ++transport) {
        ++turn;
        if (!all && words.empty() && pair % transport_names.size() != transport) continue;
        if (!allowed(where, action)) continue;
        for (unsigned bits = 0; bits < 16; ++bits) {
          if (!all && bits != turn * 7 % 16) continue;
          const Flags flags{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0};
          std::string name = std::string(places[where]) + "/" + action.name + "/" + transport_names[transport] + "/" +
                             (flags.recovery ? "recovery," : "") + (flags.cleanup ? "cleanup," : "") +
                             (flags.watchers ? "watchers," : "") + (flags.small ? "small," : "");
          if (std::all_of(words.begin(), words.end(), [&](const auto& word) { return name.find(word) != name.npos; }))
            out.push_back({std::move(name), static_cast<Transport>(transport), flags, {{where, &action}}});
        }
      }
    }
  return out;
}

Plan sequence(std::uint64_t seed) {
  dialogue::Sequence random(seed);
  Plan out;
  out.transport = static_cast<Transport>(random.below(3));
  out.flags = {random.below(2) == 0, random.below(2) == 0, random.below(2) == 0, random.below(4) == 0};
  out.name = "random " + std::to_string(seed) + ": " + transport_names[static_cast<std::size_t>(out.transport)] +
             (out.flags.recovery ? ",recovery" : "") + (out.flags.cleanup ? ",cleanup" : "") +
             (out.flags.watchers ? ",watchers" : "") + (out.flags.small ? ",small" : "");
  for (auto count = 1 + random.below(6); count > 0; --count) {
    const auto where = random.below(places.size());
    const auto& action = actions()[random.below(actions().size())];
    if (!allowed(where, action)) continue;
    out.acts.emplace_back(where, &action);
    out.name += std::string(", ") + places[where] + "/" + action.name;
  }
  return out;
}

void play(asio::io_context& loop, const Plan& plan, std::array<std::size_t, places.size()>& visits) {
  playing = &plan;
  World world(loop, plan);
  world.play();
  world.check();
  for (std::size_t i = 0; i < visits.size(); ++i) visits[i] += static_cast<std::size_t>(world.visits[i]);
}

}  // namespace handlers

int main(int count, char** arguments) {
  using namespace handlers;  // NOLINT: the program's own names
  bool all = false, list = false, list_places = false;
  std::size_t first = 0, last = static_cast<std::size_t>(-1), random = 0;
  std::vector<std::string> words;
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    const auto number = [&] {
      return ++i < count ? static_cast<std::size_t>(std::strtoull(arguments[i], nullptr, 10)) : 0;
    };
    if (word == "--all") all = true;
    else if (word == "--list") list = true;
    else if (word == "--places") list_places = true;
    else if (word == "--first") first = number();
    else if (word == "--last") last = number();
    else if (word == "--random") random = number();
    else words.push_back(word);
  }
  std::vector<Plan> plans;
  if (random > 0)
    for (std::size_t seed = 0; seed < random; ++seed) plans.push_back(sequence(seed));
  else plans = cells(all, words);
  if (list) {
    for (const auto& plan : plans) std::printf("%s\n", plan.name.c_str());
    return 0;
  }
  if (list_places) {
    for (const auto& place : places) std::printf("%s\n", place);
    return 0;
  }
#if HANDLERS_SANITIZED
  static std::size_t at = 0;
  __sanitizer_set_death_callback([] {
    if (playing) std::printf("\nDIED %zu %s\n", at, playing->name.c_str()), std::fflush(stdout);
  });
#else
  std::size_t at = 0;
#endif
  asio::io_context loop;
  std::array<std::size_t, places.size()> visits{};
  std::size_t played = 0;
  for (at = first; at < plans.size() && at <= last; ++at) {
    if (at % 100 == 0) std::printf("AT %zu\n", at), std::fflush(stdout);
    play(loop, plans[at], visits);
    ++played;
#if HANDLERS_SANITIZED
    if (played % 500 == 0 && __lsan_do_recoverable_leak_check() != 0)
      fails("something was leaked in the last 500 cells");
#endif
  }
  playing = nullptr;
  for (std::size_t i = 0; i < visits.size(); ++i)
    if (visits[i] > 0) std::printf("VISITED %s\n", places[i]);
  std::printf("PLAYED %zu of %zu, %zu failures\n", played, plans.size(), failures);
  return failures > 0 ? 1 : 0;
}
