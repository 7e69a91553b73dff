// program: a whole program on the public API, and its clients, whose bytes go through everything there is.
//
// Input: two bytes of knobs, see options(), then moves, a letter for each. What stands in brackets is one more byte, or
// more; any other byte is a letter, too.
//
//     0..3     the client whose moves follow
//     o[.]     it comes: over a WebSocket, polling, polling with a WebSocket beside, or probed so far
//     w u S    its connections are lost; it upgrades; it reads no more, or again
//     c[..] d[.] e[...] k[..]    CONNECT, DISCONNECT, an event, the answer to a question of the server's
//     x..\n b..\n                any text, any bytes
//     r[.] i[.]                  a request of routes and the like; a client of the Engine.IO server
//     h[...]   at this place, the next time, the program acts so: PLACE ACTION HOW
//     a[..] p[..]                it acts now, outside of any handler: ACTION HOW; or as a posted function
//     n[.] t[.]                  a middleware, predicate or allow_request that was asked answers; time passes
//     D N      the server is destroyed, and what is kept of it stays; there is another one
//     +        the loop does not run before the move behind the next one
//
// A place is where the program's code is called, an action what such code may do. Bytes travel through pairs of sockets
// that the kernel joins without a network, for routes, requests, turns and the ends of connections are to be there,
// too.
//
// Held: no handler runs inside another, what a handler is given stays as it is while it runs, a socket that is handled
// is connected. A socket connects once, is disconnecting, then disconnected, once for each of these handlers, with a
// server that is destroyed, too; each question is completed once, and so is each end of a session, a guest and a
// server. A client's packets can be decoded, and its acks come once. In the end everybody has left, nothing waits, as
// many have gone as have come, and no data is left. What is kept past its server does nothing.
#pragma once

#include "fuzz.hpp"
#include "tests/handlers/client.hpp"

#include <asio/co_spawn.hpp>
#include <asio/post.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <sys/socket.h>

#include <deque>
#include <map>
#include <set>
#include <stdexcept>

namespace fuzz::program {

namespace eio = sio::engineio;
using handlers::Wire;
using sio::json;
using sio::Milliseconds;
using sio::Reason;
using Arguments = json::array_t;

/// What the program throws.
struct Thrown : std::runtime_error {
  Thrown() : std::runtime_error("thrown") {}
};

/// A value with conversions of the program's own, and a client's data.
struct Mine {
  int number = 0;
};
void to_json(json& out, const Mine& mine);
struct Data {
  Data();
  ~Data();
  Data(const Data&) = delete;
  Data& operator=(const Data&) = delete;
  int value = 0;
};
inline int live_data = 0;
/// What a handler has captured: it must be there as long as the handler runs. Tells of its own end.
struct Capture {
  Capture() = default;
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture();
  bool whole = true;
};
/// It looks at what it has captured when it has acted: is that still there, for a handler that was replaced meanwhile?
using Captured = std::shared_ptr<Capture>;
inline Captured captured() { return std::make_shared<Capture>(); }

inline constexpr sio::ClientToServer<"typed", int(int)> typed{};
inline constexpr sio::ClientToServer<"silent", void(std::string)> silent{};
inline constexpr sio::ClientToServer<"later", int(int)> later_event{};
inline constexpr sio::ServerToClient<"ask", int(int)> question{};

/// Where the program's code is called. seeds.py reads this list.
inline constexpr std::array<std::string_view, 68> places{
    "whatever comes next",
    "connection",
    "connection 2",
    "middleware",
    "middleware late",
    "predicate",
    "predicate late",
    "new namespace",
    "event",
    "event 2",
    "event of the socket",
    "event once",
    "event with a reply",
    "event typed",
    "event typed, with a reply",
    "event typed, none",
    "event that asks",
    "coroutine",
    "coroutine later",
    "coroutine answered",
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
    "disconnect",
    "disconnect 2",
    "disconnect of the socket",
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
    "adapter asks",
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
    "websocket opens",
    "websocket message",
    "websocket closes",
    "posted",
    "closed",
    "loop",
    "data",
    "capture ends",
    "to_json",
    "engine",
};
consteval std::size_t place(std::string_view name) {
  for (std::size_t i = 0; i < places.size(); ++i)
    if (places[i] == name) return i;
  throw "no such place";  // NOLINT: a compiler's message
}
/// Where the program's code runs that is no handler of this server's: as a sink, in the middle of a call of its own, by
/// its own loop, or for another server.
constexpr bool nests(std::size_t where) {
  const std::string_view name = places[where];
  return name == "log" || name == "trace" || name.starts_with("adapter") || name == "data" || name == "capture ends" ||
         name == "to_json" || name == "loop" || name == "engine" || name.starts_with("coroutine") ||
         name.ends_with("late");
}
/// Where code is called by the program's own loop, which what it throws would leave, or must not throw.
constexpr bool may_throw(std::size_t where) {
  const std::string_view name = places[where];
  return name != "loop" && name != "capture ends" && !name.ends_with("late");
}
/// Whether the loop may be run, and the clock moved, there: not by sinks, nor in the middle of a call.
constexpr bool may_wait(std::size_t where) { return !nests(where) || places[where] == "loop"; }

struct World;
struct Action {
  std::string_view name;
  void (*act)(World&, sio::Socket*, std::uint8_t);
  enum : std::uint8_t { anywhere, waits, throws, destroys } kind = anywhere;
};
std::span<const Action> actions();

inline World* current = nullptr;  // for conversions and destructors, which are given nothing

/// A client: what carries its packets, and what it knows.
class Client {
 public:
  explicit Client(World& world) : world_(world) {}

  void begin(std::uint8_t how);
  void upgrade();
  void say(std::string_view bytes, bool binary = false);
  void leave() {
    for (auto* wire : {&down_, &up_, &websocket_}) wire->reset();
    sid_.clear();
    over_websocket_ = leaving = false;
  }
  bool pump();

  struct Membership {
    std::string pid, offset;
  };
  std::map<std::string, Membership, std::less<>> nsps;
  std::vector<std::pair<std::string, double>> asked_of;
  bool stalled = false, leaving = false;

 private:
  std::string path() const { return "/socket.io/?EIO=4&transport=polling" + (sid_.empty() ? "" : "&sid=" + sid_); }
  void send(std::string_view packet);
  void open_websocket();
  void poll() {
    if (down_) down_->send(handlers::get(path()));
  }
  void hear_poll(std::string_view body);
  void hear_frame(unsigned char first, std::string_view payload);
  void hear(std::string_view packet);

  World& world_;
  std::unique_ptr<Wire> down_, up_, websocket_;
  std::string sid_;
  std::set<double> wished_;  // acks
  std::uint32_t due_ = 0;    // attachments
  bool probes_ = false, switched_ = false, over_websocket_ = false;
};

class SomeAdapter final : public sio::Adapter {
 public:
  SomeAdapter(sio::Namespace& nsp, World& world) : sio::Adapter(nsp), world_(world) {}
  void broadcast(sio::socketio::Writer&& event, const sio::Target& target) override;
  void broadcast_with_ack(sio::socketio::Writer&& event, const sio::Target& target,
                          const std::shared_ptr<sio::AckWait>& wait) override;
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
  World(std::uint8_t first, std::uint8_t second) : knobs(first), more(second) {
    current = this;
    live_data = 0;
    make();
    if (more & 1) make_engine();
  }
  ~World() { current = nullptr; }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void play(Input& program) {
    for (int moves = 0; moves < 300 && !program.empty(); ++moves) {
      const bool waits = std::exchange(together, false);
      move(program);
      if (!waits) run();
    }
    run();
    finish();
  }

  // ---- at a place

  /// The program's code runs here as long as this is there.
  class Here {
   public:
    Here(World& world, std::size_t where, sio::Socket* socket = nullptr) : world_(world), counts_(!nests(where)) {
      if (counts_) holds(world.depth == 0, "no handler runs inside another", {places[where]});
      world.depth += counts_;
      struct Leave {  // a constructor that throws has no destructor
        Here* here;
        ~Leave() {
          if (here) here->world_.depth -= here->counts_;
        }
      } leave{this};
      world.come_by(where, socket);
      leave.here = nullptr;
    }
    ~Here() { world_.depth -= counts_; }
    Here(const Here&) = delete;
    Here& operator=(const Here&) = delete;

   private:
    World& world_;
    bool counts_;
  };

  struct Armed {
    std::size_t where, action;
    std::uint8_t how;
  };
  void come_by(std::size_t where, sio::Socket* socket) {
    if (over) return;
    for (std::size_t i = 0; i < armed.size(); ++i)
      if (armed[i].where == where || armed[i].where == 0) {
        const auto due = armed[i];
        if (!allowed(where, actions()[due.action])) continue;
        armed.erase(armed.begin() + static_cast<std::ptrdiff_t>(i));
        return act(due.action, due.how, socket);
      }
  }
  bool allowed(std::size_t where, const Action& action) const {
    switch (action.kind) {
      case Action::throws: return may_throw(where);
      case Action::waits: return may_wait(where);
      case Action::destroys:
        return where == place("posted") || where == place("closed") || (where == place("loop") && depth == 0);
      default: return true;
    }
  }
  void act(std::size_t action, std::uint8_t how, sio::Socket* socket) {
    if (++acts < 200 && (server || engine)) actions()[action].act(*this, socket, how);
  }
  /// Acts where the program calls what throws.
  template <class F>
  void contained(F f) {
    try {
      f();
    } catch (const Thrown&) {
    } catch (const sio::Error&) {}
  }

  // ---- the program

  sio::Options options() {
    sio::Options out;
    out.clock = clock;
    out.log_level = knobs & 32 ? sio::LogLevel::debug : sio::LogLevel::error;
    out.log_sink = [this](const sio::LogRecord&) { const Here here(*this, place("log")); };
    if (knobs & 64) out.trace = [this](const sio::TraceRecord&) { const Here here(*this, place("trace")); };
    out.allow_request = [this](const sio::http::Request& request, const sio::Next& next) {
      const std::string target(request.target);
      nexts.push_back(next);
      if (target.find("late") != target.npos)
        return late.push_back([this, next](bool good) {
          const Here here(*this, place("allow_request late"));
          good ? next() : next(sio::refuse("late"));
        });
      const Here here(*this, place("allow_request"));
      holds(request.target == target, "a request stays while its hook runs");
      target.find("no=1") == target.npos ? next() : next(sio::refuse("no"));
    };
    if (more & 2)
      out.generate_id = [this](const sio::http::Request&) {
        const Here here(*this, place("generate_id"));
        return "id-" + std::to_string(++ids);
      };
    out.initial_headers = [this](sio::http::Headers& headers, const sio::http::Request&) {
      const Here here(*this, place("initial_headers"));
      headers.emplace_back("X-First", "1");
    };
    out.headers = [this](sio::http::Headers&, const sio::http::Request&) { const Here here(*this, place("headers")); };
    out.cleanup_empty_child_namespaces = knobs & 4;
    if (knobs & 1)
      out.connection_state_recovery = {.max_disconnection_duration = sio::Seconds(60),
                                       .skip_middlewares = (more & 4) == 0,
                                       .max_packets = 5,
                                       .max_sessions = 2};
    if (knobs & 2) {
      out.max_namespaces = 3, out.max_outstanding_acks = 2, out.max_rooms = 2, out.max_child_namespaces = 1;
      out.max_sessions = 3, out.max_queue_bytes = 600, out.max_packets_per_payload = 3;
    }
    if (more & 8) out.packets_per_turn = 1;
    if (more & 16) out.event_rate = {2, 1}, out.packet_rate = {20, 5};
    return out;
  }

  void make() {
    if (server || servers++ > 2) return;
    io = std::make_unique<sio::Server>(loop, options());
    server = io.get();
    closings = 0;
    contained([this] { set_up(); });
  }
  /// What its handlers ask for meanwhile reaches it still.
  void destroy() {
    destroyed = true;
    if (!server || std::exchange(destroying, true)) return;
    const int outer = std::exchange(depth, 0);
    io.reset();
    depth = outer;
    posted = 0;  // what was posted to it is not called any more
    server = nullptr, parent = nullptr, destroying = false;
    for (const auto& [id, life] : lives) holds(!life.live, "a server's end disconnects everybody", {id});
    holds(live_data == 0, "a server's end is that of all data");
    holds(guests == 0, "a server's end is that of all guests");
  }

  struct Life {
    bool live = false, leaving = false;
  };
  void begins(const sio::Socket& socket) {
    auto& life = lives[socket.id()];
    holds(!life.live && socket.connected(), "a socket connects once");
    life = {true, false};
  }
  void leaves(const sio::Socket& socket) {
    auto& life = lives[socket.id()];
    holds(life.live && !life.leaving && !socket.connected() && !socket.rooms().empty(),
          "a socket leaves once, and its rooms are there");
    life.leaving = true;
  }
  void has_left(const sio::Socket& socket) {
    auto& life = lives[socket.id()];
    holds(life.live && life.leaving && !socket.connected() && socket.rooms().empty(),
          "a socket is disconnected once, and in no room");
    life = {};
  }
  void handled(const sio::Socket& socket) const {
    const auto life = lives.find(socket.id());
    holds(life != lives.end() && life->second.live && socket.connected(), "what is handled is a connected socket's");
  }
  /// An event is handled at this place.
  void event(std::size_t where, sio::Socket& socket, const Arguments& arguments) {
    handled(socket);
    const Arguments copy = arguments;
    const std::string id = socket.id();
    const Here here(*this, where, &socket);
    holds(arguments == copy && socket.id() == id, "what a handler is given stays while it runs");
  }
  auto at(std::size_t where) {
    return [this, where, capture = captured()](sio::Socket& socket, const Arguments& arguments) {
      event(where, socket, arguments);
      holds(capture->whole, "a handler has its captures");
    };
  }
  /// Answers that were to be given later.
  template <class F>
  void keep_late(std::size_t where, F f) {
    late.push_back([this, where, f](bool good) {
      const Here here(*this, where);
      f(good);
    });
  }

  struct Completion {
    World* world;
    std::size_t number, where;
    void operator()(std::error_code error, const auto&...) const {
      holds(++world->questions[number].completed == 1, "a question is completed once", {places[where]});
      // Of a server that is destroyed the event loop may be gone, too: the call itself completes.
      if (world->asking == number && world->destroyed && error == std::errc::not_connected) return;
      const bool one = where == place("ack");
      const Here here(*world, one && error == std::errc::not_connected ? place("ack lost")
                              : one && error == std::errc::timed_out   ? place("ack timed out")
                                                                       : where);
    }
  };
  struct Question {
    int completed = 0;
    bool begun = true;  // what an adapter throws, the call throws
  };
  /// Calls f with who is to be told of the answer.
  template <class F>
  void asks(std::size_t where, F f) {
    if (questions.size() > 300) return;
    const auto number = questions.size();
    questions.emplace_back();
    const auto outer = std::exchange(asking, number);
    try {
      f(Completion{this, number, where});
    } catch (...) {
      questions[number].begun = false;
      asking = outer;
      throw;
    }
    asking = outer;
  }
  void post(std::function<void()> f) {
    ++posted;
    server->post([this, f = std::move(f)] {
      --posted;
      const Here here(*this, place("posted"));
      f();
    });
  }
  void close(bool tell) {
    closings += tell;
    if (!tell) return server->close();
    server->close([this] {
      holds(--closings >= 0, "a server's end is told once");
      const Here here(*this, place("closed"));
    });
  }

  void set_up(sio::Namespace& nsp) {
    nsp.use([this, capture = captured()](sio::Socket& socket, const sio::Next& next) {
      const auto auth = socket.handshake().auth();
      nexts.push_back(next);
      const Here here(*this, place("middleware"), &socket);
      holds(capture->whole, "a handler has its captures");
      if (auth.contains("later"))
        return keep_late(place("middleware late"),
                         [next](bool good) { good ? next(sio::accept) : next(sio::refuse("later")); });
      if (auth.contains("join")) socket.join("early");
      auth.contains("no") ? next(sio::refuse("no", {{"why", "\xff"}})) : next();
    });
    nsp.on_connection([this](sio::Socket& socket) {
      begins(socket);
      const Here here(*this, place("connection"), &socket);
    });
    nsp.on_connection([this](sio::Socket& socket) {
      handled(socket);
      if (kept.size() < 16) kept.push_back(socket);
      set_up_socket(socket);
      const Here here(*this, place("connection 2"), &socket);
    });
    nsp.on_disconnecting([this](sio::Socket& socket, const sio::Disconnect& why) {
      leaves(socket);
      const std::string details(why.details);
      const Here here(*this, place("disconnecting"), &socket);
      holds(why.details == details, "what a handler is given stays while it runs");
    });
    nsp.on_disconnect([this](sio::Socket& socket, const sio::Disconnect&) {
      has_left(socket);
      const Here here(*this, place("disconnect"), &socket);
    });
    nsp.on_disconnect([this](sio::Socket& socket, const sio::Disconnect&) {
      const Here here(*this, place("disconnect 2"), &socket);
    });
    nsp.on_any([this, capture = captured()](sio::Socket& socket, std::string_view name, const auto&) {
      handled(socket);
      const std::string copy(name);
      const Here here(*this, place("any"), &socket);
      holds(capture->whole, "a handler has its captures");
      holds(name == copy, "what a handler is given stays while it runs");
    });
    if (knobs & 8)
      nsp.on_any_outgoing([this, capture = captured()](sio::Socket& socket, std::string_view, const auto& arguments) {
        const Here here(*this, place("any outgoing"), &socket);
        holds(capture->whole, "a handler has its captures");
        holds(arguments.values().size() < 1000, "what goes out is seen");
      });
    nsp.on_error([this](sio::Socket& socket, const sio::Refuse&) { const Here here(*this, place("error"), &socket); });
    nsp.on_upgrade([this](sio::Socket& socket) { const Here here(*this, place("upgrade"), &socket); });
    nsp.on("event", at(place("event")));
    nsp.on("event", at(place("event 2")));
    nsp.once("once", at(place("event once")));
    nsp.on("reply", [this](sio::Socket& socket, const Arguments& arguments, const sio::Reply<>& reply) {
      if (replies.size() < 16) replies.push_back(reply);
      event(place("event with a reply"), socket, arguments);
      if (arguments.empty()) reply(Mine{1});
    });
    nsp.on(typed, [this](sio::Socket& socket, int number) {
      event(place("event typed"), socket, {});
      return number;
    });
    nsp.on(later_event, [this](sio::Socket& socket, int number, const sio::Reply<int>& reply) {
      event(place("event typed, with a reply"), socket, {});
      reply(number);
    });
    nsp.on("silent", at(place("event typed, none")));
    nsp.on(silent, [](sio::Socket&, const std::string&) {});
    nsp.on("asks", [this](sio::Socket& socket, const Arguments& arguments) {
      event(place("event that asks"), socket, arguments);
      asks(place("ack"), [&](auto done) { socket.emit_with_ack(question, 1, done); });
      asks(place("ack"), [&](auto done) { socket.timeout(sio::Seconds(2)).emit("named", 1, done); });
    });
#ifdef ASIO_HAS_CO_AWAIT
    nsp.on("coroutine", [this](sio::Socket& socket, const Arguments& arguments) -> asio::awaitable<void> {
      event(place("coroutine"), socket, arguments);
      co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
      { const Here here(*this, place("coroutine later"), &socket); }
      co_await socket.timeout(sio::Seconds(2)).emit(question, 1, asio::use_awaitable);
      const Here here(*this, place("coroutine answered"), &socket);
    });
#endif
    nsp.on_server_side_emit("told", [this](const Arguments&, const std::function<void(json)>& answer) {
      const Here here(*this, place("server-side event"));
      if (answer) answer(1);
    });
  }

  /// A socket's own handlers.
  void set_up_socket(sio::Socket& socket) {
    socket.on("event", at(place("event of the socket")));
    socket.on_any([this](sio::Socket& its, std::string_view, const auto&) {
      handled(its);
      const Here here(*this, place("any of the socket"), &its);
    });
    if (knobs & 16)
      socket.on_any_outgoing([this](sio::Socket& its, std::string_view, const auto&) {
        const Here here(*this, place("any outgoing of the socket"), &its);
      });
    socket.on_error(
        [this](sio::Socket& its, const sio::Refuse&) { const Here here(*this, place("error of the socket"), &its); });
    socket.on_disconnecting([this](sio::Socket& its, const sio::Disconnect&) {
      const Here here(*this, place("disconnecting of the socket"), &its);
    });
    socket.on_disconnect([this](sio::Socket& its, const sio::Disconnect&) {
      const Here here(*this, place("disconnect of the socket"), &its);
    });
    socket.use(
        [this](sio::Socket& its, std::string_view, const sio::socketio::Arguments& arguments, const sio::Next& next) {
          handled(its);
          const bool waits = arguments.size() > 2;
          const Here here(*this, place("event middleware"), &its);
          nexts.push_back(next);
          if (!waits) return next();
          keep_late(place("event middleware late"),
                    [next](bool good) { good ? next(sio::accept) : next(sio::refuse("late")); });
        });
    if (more & 32) socket.data<Data>().value = 1;
  }

  void set_up() {
    if (knobs & 128)
      server->adapter([this, capture = captured()](sio::Namespace& nsp) -> std::unique_ptr<sio::Adapter> {
        const Here here(*this, place("adapter made"));
        holds(capture->whole, "a handler has its captures");
        return std::make_unique<SomeAdapter>(nsp, *this);
      });
    server->on_new_namespace([this](sio::Namespace&) { const Here here(*this, place("new namespace")); });
    set_up(server->of("/"));
    set_up(server->of("/a"));
    parent = &server->of([this, capture = captured()](std::string_view name, const json&) {
      const std::string copy(name);
      const Here here(*this, place("predicate"));
      holds(capture->whole, "a handler has its captures");
      holds(name == copy, "what a handler is given stays while it runs");
      return copy.starts_with("/dyn");
    });
    set_up(*parent);
    server->of([this](std::string_view name, const json&, const std::function<void(bool)>& answer) {
      keep_late(place("predicate late"),
                [answer, known = name.starts_with("/later")](bool good) { answer(good && known); });
    });
    server->on_connection_error(
        [this](const sio::ConnectionError&) { const Here here(*this, place("connection error")); });
    set_up_routes();
  }
  void set_up_routes() {
    const auto route = [this, capture = captured()](const sio::http::Request& request) {
      const std::string target(request.target), body(request.body);
      const Here here(*this, place("route"));
      holds(capture->whole, "a handler has its captures");
      holds(request.target == target && request.body == body, "a request stays while its route runs");
      return sio::http::Response{200, "text/plain", body.empty() ? "ok" : body, {}};
    };
    server->http().get("/route", route).post("/route", route);
    sio::websocket::Handlers ws;
    ws.open = [this, capture = captured()](sio::websocket::Socket& socket) {
      guest = sio::Ref<sio::websocket::Socket>(&socket);
      ++guests;
      const Here here(*this, place("websocket opens"));
      holds(capture->whole, "a handler has its captures");
    };
    ws.message = [this, capture = captured()](sio::websocket::Socket& socket, std::string_view payload, bool binary) {
      holds(socket.is_open(), "messages come while a WebSocket is open");
      const std::string copy(payload);
      const Here here(*this, place("websocket message"));
      holds(capture->whole, "a handler has its captures");
      holds(payload == copy, "what a handler is given stays while it runs");
      binary ? socket.send_binary(payload) : socket.send_text(payload);
    };
    ws.close = [this](const sio::websocket::Socket& socket, Reason, std::string_view) {
      holds(--guests >= 0 && !socket.is_open(), "a WebSocket closes once");
      const Here here(*this, place("websocket closes"));
    };
    server->http().websocket("/ws", std::move(ws));
  }

  void make_engine() {
    sio::Options options;
    options.path = "/engine.io/";
    options.log_level = sio::LogLevel::off;
    options.clock = clock;
    engine = std::make_unique<eio::Server>(loop, std::move(options));
    const auto runs = [this] {  // its handlers do not run inside one another, either
      holds(engine_depth == 0, "no handler runs inside another");
      ++engine_depth;
      struct Leave {
        World& world;
        ~Leave() { --world.engine_depth; }
      } leave{*this};
      const Here here(*this, place("engine"));
    };
    engine->on_connection([this, runs](eio::Session& session, const sio::http::Request&) {
      sessions.emplace_back(&session);
      ++opened;
      runs();
    });
    engine->on_message([runs](eio::Session& session, std::string_view payload, bool) {
      const std::string copy(payload);
      runs();
      holds(payload == copy, "what a handler is given stays while it runs");
      session.send_text(payload);
    });
    engine->on_upgrade([runs](eio::Session&) { runs(); });
    engine->on_close([this, runs](const eio::Session& session, Reason, std::string_view) {
      holds(--opened >= 0 && !session.open(), "a session closes once");
      runs();
    });
  }

  // ---- wires

  Wire connect(sio::Host& host, std::string_view already = {}) {
    std::array<int, 2> ends{};
    holds(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0, "there are sockets");
    const auto tcp = asio::ip::tcp::v6();  // which Asio takes them for
    Wire near(asio::ip::tcp::socket(loop, tcp, ends[0]));
    sio::net::TcpSocket far(loop.get_executor(), tcp, ends[1]);
    if (!host.closing()) host.serve(std::move(far), already);
    return near;
  }
  Wire& raw(sio::Host& host, const std::string& bytes) {
    if (wires.size() > 12) wires.pop_front();
    auto& wire = wires.emplace_back(connect(host));
    wire.send(bytes);
    return wire;
  }

  // ---- whom and what an action means

  sio::Namespace& nsp(const sio::Socket* given, std::uint8_t how) const {
    if ((how & 3) == 3 && given) return given->nsp();
    return (how & 3) == 1 ? server->of("/a") : (how & 3) == 2 && parent ? *parent : server->of("/");
  }
  std::optional<sio::Socket> pick(const sio::Socket* given, std::uint8_t how) const {
    if (given && !(how & 1)) return *given;
    if ((how & 3) == 3 && !kept.empty()) return kept[(how >> 2) % kept.size()];
    if (!server) return std::nullopt;
    const auto all = nsp(given, how >> 2).sockets();
    return all.empty() ? std::nullopt : std::optional(all[(how >> 4) % all.size()]);
  }
  static const char* room(std::uint8_t how) {
    constexpr std::array rooms{"red", "blue", "early", "nobody"};
    return rooms[how & 3];
  }
  sio::Broadcast chain(const sio::Socket* given, std::uint8_t how) const {
    if ((how & 7) == 7 && !broadcasts.empty()) return broadcasts[(how >> 3) % broadcasts.size()].except(room(how >> 3));
    const auto one = how & 4 ? pick(given, how >> 3) : std::nullopt;
    const auto all = one ? one->broadcast() : nsp(given, how).local();
    const auto some = how & 8 ? all.to(room(how >> 4)) : how & 16 ? all.except(room(how >> 5)) : all;
    return how & 128 ? some.volatile_() : some;
  }
  void keep_remote(std::vector<sio::RemoteSocket> found) {
    if (remote.size() < 16) remote.insert(remote.end(), found.begin(), found.end());
  }

  // ---- moves

  static constexpr std::array letters{'o', 'w', 'u', 'S', 'c', 'd', 'e', 'k', 'x', 'b', 'r', 'i', 'h', 'a', 'p', 'n',
                                      't', 'D', 'N', '+', '0', '1', '2', '3', 'e', 'h', 'h', 'c', 'e', 'h', 'a'};

  void move(Input& program) {
    const char byte = static_cast<char>(program.byte());
    const bool known = std::find(letters.begin(), letters.end(), byte) != letters.end();
    const char letter = known ? byte : letters[static_cast<std::uint8_t>(byte) % letters.size()];
    switch (letter) {
      case '0':
      case '1':
      case '2':
      case '3': who = static_cast<std::size_t>(letter - '0'); return;
      case 'r': return request(program.byte());
      case 'i': return engine_client(program.byte());
      case 'h': return arm(program);
      case 'a': {
        const auto action = program.below(actions().size());
        const auto how = program.byte();
        return contained([&] { act(action, how, nullptr); });
      }
      case 'p': {
        const auto action = program.below(actions().size());
        const auto how = program.byte();
        if (server) post([this, action, how] { act(action, how, nullptr); });
        return;
      }
      case 'n': return answer_late(program.byte());
      case 't': return pass(program);
      case 'D': return destroy();
      case 'N': return make();
      case '+': together = true; return;
      default: return move(clients[who], letter, program);
    }
  }
  void move(std::optional<Client>& client, char letter, Input& program) {
    if (letter == 'o') {
      const auto how = program.byte();
      if (!server || server->closing()) return;
      const auto former = client ? client->nsps : std::map<std::string, Client::Membership, std::less<>>();
      client.emplace(*this);
      client->nsps = former;  // what it remembers, to come back as who it was
      return client->begin(how);
    }
    if (!client) return;
    switch (letter) {
      case 'w': return client->leave();
      case 'u': return client->upgrade();
      case 'S': client->stalled = !client->stalled; return;
      case 'c': return connect_client(*client, program);
      case 'd': return client->say(head('1', program.one_of(names)));
      case 'e': return emit(*client, program);
      case 'k': return answer(*client, program);
      case 'x': return client->say(program.until('\n'));
      default: return client->say(program.until('\n'), true);
    }
  }

  void arm(Input& program) {
    const auto where = program.below(places.size()), action = program.below(actions().size());
    const auto how = program.byte();
    if (armed.size() < 40) armed.push_back({where, action, how});
  }

  static constexpr std::array<std::string_view, 8> names{"/", "/a", "/dyn1", "/dyn2", "/later", "/none", "/", "/dyn1"};
  static std::string head(char type, std::string_view nsp) { return type + (nsp == "/" ? "" : std::string(nsp) + ","); }

  static void connect_client(Client& client, Input& program) {
    const auto nsp = program.one_of(names);
    const auto what = program.byte();
    constexpr std::array<std::string_view, 8> auths{"", "{}", "{\"no\":1}", "{\"later\":1}", "{\"join\":1}", "",
                                                    "", ""};
    std::string auth(auths[what & 7]);
    const auto& member = client.nsps[std::string(nsp)];
    if (what & 8 && !member.pid.empty()) auth = json{{"pid", member.pid}, {"offset", member.offset}}.dump();
    client.say(head('0', nsp) + auth);
  }
  void emit(Client& client, Input& program) {
    constexpr std::array<std::string_view, 10> events{"event", "reply", "typed", "later",     "silent",
                                                      "once",  "asks",  "mine",  "coroutine", "nobody's"};
    constexpr std::array<std::string_view, 8> arguments{
        "", ",1", ",\"a text that is long enough for the heap\"", ",1,2", ",1.5", ",{\"a\":[1,{}]}", ",null", ",[]"};
    const auto nsp = program.one_of(names);
    const auto name = program.one_of(events);
    const auto how = program.byte();
    std::string text = "[\"" + std::string(name) + "\"" + std::string(arguments[how & 7]);
    const std::size_t attachments = how & 0x40 ? 1 + (how >> 4 & 1) : 0;
    for (std::size_t i = 0; i < attachments; ++i) text += ",{\"_placeholder\":true,\"num\":" + std::to_string(i) + "}";
    const std::string id = how & 8 ? std::to_string(++ids) : "";
    if (attachments == 0) return client.say(head('2', nsp) + id + text + "]");
    client.say("5" + std::to_string(attachments) + "-" + (nsp == "/" ? "" : std::string(nsp) + ",") + id + text + "]");
    for (std::size_t i = how & 0x20 ? 1 : 0; i < attachments; ++i) client.say("bytes", true);
  }
  static void answer(Client& client, Input& program) {
    const auto at = program.byte(), how = program.byte();
    if (client.asked_of.empty()) return;
    const auto one = client.asked_of.begin() + static_cast<std::ptrdiff_t>(at % client.asked_of.size());
    const auto [nsp, id] = *one;
    if (!(how & 1)) client.asked_of.erase(one);
    constexpr std::array<std::string_view, 4> answers{"[7]", "[\"seven\"]", "[]", "[1,2]"};
    client.say(head('3', nsp) + std::to_string(static_cast<long long>(id)) + std::string(answers[how >> 1 & 3]));
  }

  void request(std::uint8_t how) {
    using handlers::get;
    if (!server) return;
    switch (how % 12) {
      case 0: raw(*server, get("/route")); return;
      case 1: raw(*server, handlers::post("/route", "ok") + get("/route")); return;
      case 2: raw(*server, get("/none")); return;
      case 3: raw(*server, get("/socket.io/?EIO=4&transport=none")); return;
      case 4: raw(*server, get("/socket.io/?EIO=4&transport=polling&late=1") + get("/route")); return;
      case 5: raw(*server, handlers::upgrade("/socket.io/?EIO=4&transport=websocket&late=1")); return;
      case 6: raw(*server, get("/socket.io/?EIO=4&transport=polling&no=1")); return;
      case 7: raw(*server, handlers::upgrade("/ws") + handlers::frame(0x81, "hi")); return;
      case 8: raw(*server, handlers::upgrade("/ws") + handlers::frame(0x82, "hi") + handlers::frame(0x88, "")); return;
      case 9:
        if (!wires.empty()) wires.back().send(handlers::frame(0x81, "more"));
        return;
      case 10:
        if (!wires.empty()) wires.erase(wires.begin() + how % static_cast<int>(wires.size()));
        return;
      default: raw(*server, "GET /route HTTP/1.1\r\n"); return;
    }
  }
  void engine_client(std::uint8_t how) {
    if (!engine || engine->closing()) return;
    const std::string path = "/engine.io/?EIO=4&transport=";
    if (how % 4 == 0) raw(*engine, handlers::upgrade(path + "websocket") + handlers::frame(0x81, "4hi"));
    if (how % 4 == 1) raw(*engine, handlers::get(path + "polling"));
    if (how % 4 == 2 && !wires.empty()) wires.back().send(handlers::frame(0x81, how & 4 ? "4more" : "1"));
    if (how % 4 == 3 && !sessions.empty()) {
      const auto sid = "&sid=" + sessions.back()->id();
      if (how & 4) raw(*engine, handlers::post(path + "polling" + sid, "4hi") + handlers::get(path + "polling" + sid));
      else
        raw(*engine,
            handlers::upgrade(path + "websocket" + sid) + handlers::frame(0x81, "2probe") + handlers::frame(0x81, "5"));
    }
  }

  void answer_late(std::uint8_t how) {
    if (late.empty()) return;
    const auto at = late.begin() + static_cast<std::ptrdiff_t>((how >> 1) % late.size());
    const auto answer = *at;
    if (!(how & 0x80)) late.erase(at);  // else it answers again
    contained([&] { answer(how & 1); });
  }
  void pass(Input& program) {
    constexpr std::array<int, 8> times{1, 500, 2000, 10'000, 25'000, 30'000, 46'000, 61'000};
    clock->advance(Milliseconds(program.one_of(times)));
  }

  /// Runs what is ready until nothing is.
  void run() {
    bool any = true;
    for (int rounds = 0; any; ++rounds) {
      holds(rounds < 2000, "it comes to rest");
      loop.restart();
      any = loop.poll() > 0;
      for (auto& client : clients) any = (client && client->pump()) || any;
      for (auto& wire : wires) {
        any = wire.pump() || any;
        wire.in.clear();
      }
    }
    if (server && !destroying)
      for (const char* name : {"/", "/a"}) check_rooms(server->of(name));
  }
  /// Rooms know who is in them, and sockets in which rooms they are.
  static void check_rooms(const sio::Namespace& nsp) {
    std::size_t here = 0, there = 0;
    for (const auto& socket : nsp.sockets())
      for (const auto& room : socket.rooms()) {
        const auto members = nsp.in(room).sockets();
        holds(std::count(members.begin(), members.end(), socket) == 1, "who is in a room is found in it, once", {room});
        ++here;
      }
    for (const auto& room : nsp.adapter().rooms()) there += nsp.adapter().room_size(room);
    holds(here == there, "a room holds those who are in it, and nobody else");
  }

  // ---- the end

  void finish() {
    leave_all();
    over = true;
    leave_all();
    if (server) check();
    destroy();
    const bool forgets = more & 64;
    if (forgets) forget();
    engine.reset();
    run();
    use_what_is_kept();
    run();
    for (const auto& one : questions)
      holds(one.completed == 1 || (!one.begun && one.completed == 0), "in the end every question is completed");
    holds(opened == 0, "in the end every session is closed");
    holds(depth == 0 && engine_depth == 0, "every handler has returned");
  }
  void leave_all() {
    for (auto& client : clients) client.reset();
    wires.clear();
    run();
    clock->advance(std::chrono::minutes(10));
    run();
  }
  void check() {
    for (const auto& [id, life] : lives) holds(!life.live, "in the end every socket has left", {id});
    const auto& counters = server->counters();
    holds(counters.sessions_opened == counters.sessions_closed && server->clients_count() == 0, "no session stays");
    holds(counters.sockets_joined == counters.sockets_left, "no socket stays");
    holds(counters.connections_opened == counters.connections_closed, "no connection stays");
    holds(counters.queue_bytes == 0 && counters.websocket_sessions == 0, "nothing waits for nobody");
    holds(posted == 0, "what is posted is called once");
    holds(closings == 0 && guests == 0, "each end is told");
    for (const char* name : {"/", "/a"})
      holds(server->of(name).size() == 0 && server->of(name).adapter().rooms().empty(),
            "in the end nobody is in a namespace, or in a room");
  }
  /// Handles that outlive the server are inert.
  void use_what_is_kept() {
    for (const auto& socket : kept) {
      socket.emit("nobody", 1);
      socket.volatile_().emit("nobody");
      socket.join("room");
      socket.leave("room");
      socket.disconnect(true);
      socket.to("room").emit("nobody");
      holds(!socket.connected() && socket.rooms().empty() && !socket.conn(), "a socket is inert without its server");
      asks(place("ack"), [&](auto done) { socket.timeout(sio::Seconds(1)).emit(question, 1, done); });
    }
    for (const auto& some : broadcasts) {
      some.to("x").emit("nobody");
      some.disconnect_sockets(true);
      some.sockets_join("x");
      holds(some.sockets().empty(), "a broadcast reaches nobody without its server");
      asks(place("acks"), [&](auto done) { some.emit_with_ack("nobody", done); });
      asks(place("fetched"), [&](auto done) { some.fetch_sockets(done); });
    }
    for (const auto& one : remote) {
      one.emit("nobody");
      one.join("x");
      one.disconnect(true);
      asks(place("ack"), [&](auto done) { one.emit_with_ack("nobody", done); });
    }
    for (const auto& reply : replies) reply(1);
    for (const auto& next : nexts) next();
    for (const auto& answer : late) answer(true);
    for (const auto& session : sessions) {
      session->send_text("x");
      session->close();
    }
    if (!guest) return;
    guest->send_text("x");
    guest->close();
  }
  void forget() {
    kept.clear(), replies.clear(), nexts.clear(), remote.clear(), broadcasts.clear(), sessions.clear(), late.clear();
    guest = {};
  }

  std::uint8_t knobs, more;
  asio::io_context loop{1};
  std::shared_ptr<eio::ManualClock> clock = std::make_shared<eio::ManualClock>();
  std::map<std::string, Life, std::less<>> lives;  // by a socket's id
  std::vector<Question> questions;
  std::vector<Armed> armed;
  std::vector<sio::Socket> kept;
  std::vector<sio::Reply<>> replies;
  std::vector<sio::Next> nexts;
  std::vector<std::function<void(bool)>> late;  // what answers later
  std::vector<sio::RemoteSocket> remote;
  std::vector<sio::Broadcast> broadcasts;
  std::vector<sio::Ref<eio::Session>> sessions;
  sio::Ref<sio::websocket::Socket> guest;
  std::deque<Wire> wires;
  std::array<std::optional<Client>, 4> clients;
  std::size_t who = 0;
  unsigned ids = 0;
  int depth = 0, engine_depth = 0, acts = 0, servers = 0;
  std::size_t asking = std::numeric_limits<std::size_t>::max();  // the question whose call has not returned
  bool destroyed = false;                                        // a server was, and what was kept of it may be asked
  int posted = 0, closings = 0, guests = 0, opened = 0;          // that are not over
  bool together = false, over = false, destroying = false;
  sio::Server* server = nullptr;  // as long as it can be used
  sio::Namespace* parent = nullptr;
  std::unique_ptr<sio::Server> io;
  std::unique_ptr<eio::Server> engine;
};

// ---- the client

inline void Client::begin(std::uint8_t how) {
  if (how % 4 == 0) return open_websocket();
  down_ = std::make_unique<Wire>(world_.connect(*world_.server));
  probes_ = how % 4 >= 2;
  poll();
}
inline void Client::open_websocket() {
  const std::string target = "/socket.io/?EIO=4&transport=websocket" + (sid_.empty() ? "" : "&sid=" + sid_);
  websocket_ = std::make_unique<Wire>(world_.connect(*world_.server));
  switched_ = false;
  over_websocket_ = sid_.empty();
  websocket_->send(handlers::upgrade(target));
}
/// What is probed becomes the transport; without a probe there is one first.
inline void Client::upgrade() {
  if (over_websocket_ || sid_.empty() || !world_.server || world_.server->closing()) return;
  if (!websocket_) {
    open_websocket();
    return websocket_->send(handlers::frame(0x81, "2probe"));
  }
  websocket_->send(handlers::frame(0x81, "5"));
  over_websocket_ = true;
}
inline void Client::send(std::string_view packet) {
  if (over_websocket_) return websocket_->send(handlers::frame(0x81, packet));
  if (sid_.empty() || !down_ || !world_.server || world_.server->closing()) return;
  if (!up_ || up_->ended) up_ = std::make_unique<Wire>(world_.connect(*world_.server));
  up_->send(handlers::post(path(), packet));
}
/// What the client is entitled to by it is kept in mind.
inline void Client::say(std::string_view bytes, bool binary) {
  if (binary && over_websocket_) return websocket_->send(handlers::frame(0x82, bytes.substr(0, 1000)));
  if (binary) return send("b" + sio::bytes::base64_encode(bytes));
  auto text = sio::bytes::utf8_repair(bytes.substr(0, 1000));
  std::replace(text.begin(), text.end(), '\x1e', ' ');
  sio::socketio::Decoder decoder({});
  sio::socketio::Packet packet;
  if (!decoder.decode(text, packet) && packet.is_event() && packet.id) {
    if (*packet.id >= 1e21) return;  // its ack would be written as 1e+21, as the reference does
    if (!wished_.insert(*packet.id).second) return;
  }
  send("4" + text);
}
inline bool Client::pump() {
  if (leaving) leave();
  if (stalled) return false;
  bool any = false;
  for (auto* wire : {&down_, &up_, &websocket_}) any = (*wire && (*wire)->pump()) || any;
  if (down_)
    while (const auto body = handlers::take_answer(down_->in)) hear_poll(*body);
  if (up_)
    while (handlers::take_answer(up_->in)) continue;
  if (websocket_) {
    if (!switched_ && handlers::take_answer(websocket_->in)) switched_ = true;
    while (switched_)
      if (const auto got = handlers::take_frame(websocket_->in)) hear_frame(got->first, got->second);
      else break;
  }
  if (probes_ && !sid_.empty()) {
    probes_ = false;
    upgrade();
  }
  return any;
}
inline void Client::hear_poll(std::string_view body) {
  if (body.empty() || body[0] == '{' || (sid_.empty() && body[0] != '0')) return;  // refused
  bool over = false;
  for (std::string_view rest = body; !rest.empty();) {
    const auto packet = rest.substr(0, rest.find('\x1e'));
    rest.remove_prefix(std::min(rest.size(), packet.size() + 1));
    over = over || packet == "1";
    hear(packet);
  }
  if (!over && !over_websocket_ && !down_->ended) poll();
}
inline void Client::hear_frame(unsigned char first, std::string_view payload) {
  if ((first & 0xf) == 8) return websocket_->send(handlers::frame(0x88, payload));
  if ((first & 0xf) == 2) return hear("b" + std::string(payload));
  if ((first & 0xf) == 1) hear(payload);
}
inline void Client::hear(std::string_view packet) {
  if (packet.starts_with("0{\"sid\":\"")) sid_ = packet.substr(9, packet.find('"', 9) - 9);
  if (packet.starts_with('2')) send("3");
  if (packet.starts_with('b')) return holds(due_ > 0, "binary follows a packet that announced it"), void(--due_);
  if (!packet.starts_with('4')) return;
  const Exact memory(packet.substr(1));
  sio::socketio::Decoder decoder({100, {}});
  sio::socketio::Packet heard;
  const char* why = decoder.decode(memory.view(), heard);
  holds(!why, "a server's packet can be decoded", {packet, why ? why : ""});
  holds(due_ == 0, "a text comes when all attachments have come", {packet});
  due_ = heard.attachments;
  auto& member = nsps[std::string(heard.nsp)];
  using sio::socketio::PacketType;
  if (heard.type == PacketType::connect) {
    const auto body = sio::socketio::parse(heard.json);
    if (body.contains("pid")) member.pid = body["pid"].get<std::string>();
  }
  if (heard.type == PacketType::ack || heard.type == PacketType::binary_ack)
    holds(heard.id && wished_.erase(*heard.id) == 1, "an ack was asked for, and comes once", {packet});
  if (!heard.is_event()) return;
  if (heard.id && asked_of.size() < 100) asked_of.emplace_back(heard.nsp, *heard.id);
  const bool stamped = !heard.id && heard.elements.size() > 1 && heard.elements.back().front() == '"';
  if (stamped) member.offset = sio::socketio::parse(heard.elements.back()).get<std::string>();
}

// ---- what is called without a World

inline void to_json(json& out, const Mine& mine) {
  if (current) const World::Here here(*current, place("to_json"));
  out = {{"number", mine.number}};
}
inline Data::Data() {
  if (current && current->server) const World::Here here(*current, place("data"));
  ++live_data;
}
inline Data::~Data() {
  --live_data;
  if (current && current->server && !current->destroying)
    current->contained([] { const World::Here here(*current, place("data")); });
}
inline Capture::~Capture() {
  if (current && current->server && !current->destroying) const World::Here here(*current, place("capture ends"));
}

inline void SomeAdapter::broadcast(sio::socketio::Writer&& event, const sio::Target& target) {
  const World::Here here(world_, place("adapter broadcasts"));
  sio::Adapter::broadcast(std::move(event), target);
}
inline void SomeAdapter::broadcast_with_ack(sio::socketio::Writer&& event, const sio::Target& target,
                                            const std::shared_ptr<sio::AckWait>& wait) {
  const World::Here here(world_, place("adapter asks"));
  sio::Adapter::broadcast_with_ack(std::move(event), target, wait);
}
inline void SomeAdapter::fetch_sockets(const sio::Target& target,
                                       std::function<void(std::error_code, std::vector<sio::RemoteSocket>)> done) {
  const World::Here here(world_, place("adapter fetches"));
  sio::Adapter::fetch_sockets(target, std::move(done));
}
inline void SomeAdapter::sockets_join(const sio::Target& target, const std::vector<std::string>& rooms) {
  const World::Here here(world_, place("adapter joins"));
  sio::Adapter::sockets_join(target, rooms);
}
inline void SomeAdapter::disconnect_sockets(const sio::Target& target, bool close) {
  const World::Here here(world_, place("adapter disconnects"));
  sio::Adapter::disconnect_sockets(target, close);
}
inline void SomeAdapter::close() {
  holds(!std::exchange(closed_, true), "an adapter is closed once");
  const World::Here here(world_, place("adapter closes"));
}

// ---- the actions. seeds.py reads their names.

/// Emits in one of many ways.
template <class To>
void emit_to(const To& to, std::uint8_t how) {
  const Arguments list{1, "two", nullptr, json{{"bytes", json::binary({4, 5})}}};
  switch (how % 6) {
    case 0: return to.emit("e", 1, "two");
    case 1: return to.emit("e", sio::Bytes{1, 2, 3}, json{{"bytes", json::binary({4, 5})}});
    case 2: return to.emit("e", std::string(1000, 'x'));
    case 3: return to.emit("e", json(Mine{3}));
    case 4: return to.emit("e", sio::each(list));
    default: return to.emit(question, 1);
  }
}

inline std::span<const Action> actions() {
  using S = sio::Socket;
  using W = World;
  using How = std::uint8_t;
  static constexpr std::array all{
      Action{"disconnect",
             [](W& w, S* s, How how) {
               const auto one = w.pick(s, how >> 2);
               if (!one) return;
               one->disconnect((how & 1) != 0);
               if (!(how & 2)) return;
               one->disconnect(true);
               one->emit("e", 1);
             }},
      Action{"session",
             [](W& w, S* s, How how) {
               const auto one = w.pick(s, how >> 3);
               auto* session = one ? one->conn() : nullptr;
               if (!session) return;
               const sio::Ref<eio::Session> keeps(session);
               if (how & 1) session->send_text("2[\"raw\"]");
               if (how & 2) session->close_at(w.clock->now());
               else session->close(how & 4 ? Reason::parse_error : Reason::forced_close);
             }},
      Action{"emit",
             [](W& w, S* s, How how) {
               const auto one = w.pick(s, how >> 4);
               if (one && how & 8) emit_to(one->volatile_(), how & 7);
               else if (one) emit_to(*one, how & 7);
             }},
      Action{"ask",
             [](W& w, S* s, How how) {
               const auto one = w.pick(s, how >> 3);
               if (!one) return;
               w.asks(place("ack"), [&](auto done) {
                 switch (how & 3) {
                   case 0: return one->emit_with_ack(question, 1, done);
                   case 1: return one->timeout(sio::Seconds(1)).emit("named", json(Mine{1}), done);
                   case 2: return one->volatile_().timeout(sio::Seconds(1)).emit("named", sio::Bytes{1}, done);
                   default: return one->timeout(Milliseconds(0)).emit_with_ack("named", done);
                 }
               });
               if (how & 4) one->disconnect(true);
             }},
      Action{"join",
             [](W& w, S* s, How how) {
               const auto one = w.pick(s, how >> 3);
               if (!one) return;
               how & 4 ? one->join({"x", "y", "z"}) : one->join(W::room(how));
             }},
      Action{"leave",
             [](W& w, S* s, How how) {
               const auto one = w.pick(s, how >> 3);
               if (!one) return;
               one->leave(how & 4 ? std::string_view(one->id()) : W::room(how));
             }},
      Action{"look",
             [](W& w, S* s, How how) {
               const auto one = w.pick(s, how);
               if (!one) return;
               (void)one->handshake().to_json();
               (void)one->transport();
               (void)one->recovered();
               if (!w.server) return;
               const auto found = w.server->find(one->id());
               holds(!found || (*found == *one && one->connected()), "who is found is connected");
               for (const auto& room : one->rooms()) (void)one->in(room).sockets();
             }},
      Action{"data",
             [](W& w, S* s, How how) {
               const auto one = w.pick(s, how >> 1);
               if (!one) return;
               try {
                 if (how & 1) one->data<int>() = 1;
                 else one->data<Data>().value = 2;
               } catch (const std::logic_error&) {}
             }},
      Action{"listen",
             [](W& w, S* s, How how) {
               auto one = w.pick(s, how >> 3);
               if (!one) return;
               switch (how & 7) {
                 case 0: one->on("event", [copy = *one](S&, const Arguments&) { copy.emit("heard"); }); return;
                 case 1: one->once("event", [](S& its, const Arguments&) { its.disconnect(); }); return;
                 case 2: one->off("event"); return;
                 case 3: one->off().off_any().off_any_outgoing(); return;
                 case 4: one->on_any([](S& its, std::string_view, const auto&) { its.off_any(); }); return;
                 case 5:
                   one->on_any_outgoing([](S& its, std::string_view, const auto&) { its.disconnect(true); });
                   return;
                 case 6:
                   one->use(
                       [&w](S&, std::string_view, const auto&, const sio::Next& next) { w.nexts.push_back(next); });
                   return;
                 default:
                   one->on_disconnect([](S& its, const sio::Disconnect&) { its.disconnect(true); })
                       .on_error([](S& its, const sio::Refuse&) { its.disconnect(); })
                       .on_upgrade([](S& its) { its.disconnect(); });
                   return;
               }
             }},
      Action{"broadcast",
             [](W& w, S* s, How how) {
               if (w.server) emit_to(w.chain(s, how), how);
             }},
      Action{"keep a broadcast",
             [](W& w, S* s, How how) {
               if (w.server && w.broadcasts.size() < 16) w.broadcasts.push_back(w.chain(s, how));
             }},
      Action{"disconnect some",
             [](W& w, S* s, How how) {
               if (w.server) w.chain(s, how).disconnect_sockets((how & 64) != 0);
             }},
      Action{"disconnect each",
             [](W& w, S* s, How how) {
               if (!w.server) return;
               for (const auto& one : w.nsp(s, how).sockets()) one.disconnect((how & 4) != 0);
             }},
      Action{"have some join",
             [](W& w, S* s, How how) {
               if (!w.server) return;
               const auto some = w.chain(s, how);
               how & 64 ? some.sockets_leave({"red", "x"}) : some.sockets_join({"red", "x"});
             }},
      Action{"ask some",
             [](W& w, S* s, How how) {
               if (!w.server) return;
               const auto some = w.chain(s, how);
               w.asks(place("acks"), [&](auto done) {
                 if (how & 32) some.timeout(sio::Seconds(1)).emit(question, 1, done);
                 else some.emit_with_ack("named", 1, done);
               });
               if (how & 64) some.disconnect_sockets(true);
             }},
      Action{"fetch",
             [](W& w, S* s, How how) {
               if (!w.server) return;
               w.asks(place("fetched"), [&](auto done) {
                 w.chain(s, how).fetch_sockets(
                     [done, how](std::error_code error, const std::vector<sio::RemoteSocket>& found) {
                       done.world->keep_remote(found);
                       for (const auto& one : found) {
                         one.emit("fetched", one.handshake);
                         if (how & 64) one.disconnect(true);
                       }
                       done(error);
                     });
               });
             }},
      Action{"use remotes",
             [](W& w, S*, How how) {
               for (const auto& one : std::vector(w.remote)) {
                 one.emit("kept");
                 how & 1 ? one.join("red") : one.leave("red");
                 w.asks(place("ack"), [&](auto done) { one.timeout(sio::Seconds(1)).emit("named", done); });
                 if (how & 2) one.disconnect((how & 4) != 0);
               }
             }},
      Action{"list the rooms",
             [](W& w, S* s, How how) {
               if (w.server) w.asks(place("rooms listed"), [&](auto done) { w.nsp(s, how).all_rooms(done); });
             }},
      Action{"tell the servers",
             [](W& w, S* s, How how) {
               if (!w.server) return;
               auto& nsp = w.nsp(s, how);
               if (how & 4) return nsp.server_side_emit("told", 1);
               if (how & 8) return nsp.server_side_event({"told", 2}, [](const json&) {});
               w.asks(place("server-side ack"), [&](auto done) { nsp.server_side_emit_with_ack("told", done); });
             }},
      Action{"namespaces",
             [](W& w, S*, How how) {
               if (!w.server) return;
               constexpr std::array names{"/dyn1", "/dyn2", "/later", "/none", "/new"};
               if (how & 8) w.server->of([](std::string_view name, const json&) { return name == "/none"; });
               else w.server->of(names[(how & 7) % names.size()]).on_connection([](S& its) { its.join("red"); });
             }},
      Action{"listen to a namespace",
             [](W& w, S* s, How how) {
               if (!w.server) return;
               auto& nsp = w.nsp(s, how);
               switch (how >> 2 & 7) {
                 case 0: nsp.on("event", [](S& its, const Arguments&) { its.emit("heard"); }); return;
                 case 1: nsp.once("event", [](S& its, const Arguments&) { its.disconnect(); }); return;
                 case 2: nsp.off("event"); return;
                 case 3: nsp.off().off_any().off_any_outgoing(); return;
                 case 4: nsp.use([&w](S&, const sio::Next& next) { w.nexts.push_back(next); }); return;
                 case 5: nsp.on_connection([](S& its) { its.disconnect(true); }); return;
                 case 6: nsp.on_any_outgoing([](S& its, std::string_view, const auto&) { its.join("blue"); }); return;
                 default:
                   w.server->on_connection_error([](const sio::ConnectionError&) {});
                   w.server->on_new_namespace([](sio::Namespace& made) { made.disconnect_sockets(); });
                   return;
               }
             }},
      Action{"replace the adapter",
             [](W& w, S*, How how) {
               if (!w.server) return;
               try {
                 w.server->adapter([&w, how](sio::Namespace& nsp) -> std::unique_ptr<sio::Adapter> {
                   if (how & 1) throw Thrown();
                   return std::make_unique<SomeAdapter>(nsp, w);
                 });
               } catch (const std::logic_error&) {}
             }},
      Action{"replace the routes",
             [](W& w, S*, How how) {
               if (!w.server) return;
               if (how & 1) return w.set_up_routes();
               w.server->http().get("/route", [](const sio::http::Request&) {
                 return sio::http::Response{404, "text/plain", "gone", {}};
               });
               w.server->http().websocket("/ws", {});
             }},
      Action{"post",
             [](W& w, S*, How how) {
               if (w.server) w.post([&w, how] { w.act(how % actions().size(), how, nullptr); });
             }},
      Action{"post the destruction",
             [](W& w, S*, How) {
               if (w.server) w.post([&w] { w.destroy(); });
             }},
      Action{"destroy the server", [](W& w, S*, How) { w.destroy(); }, Action::destroys},
      Action{"close the server",
             [](W& w, S*, How how) {
               if (w.server) w.close((how & 1) != 0);
             }},
      Action{"by the loop",
             [](W& w, S* s, How how) {
               asio::post(w.loop, [&w, how, kept = s ? std::optional(*s) : std::nullopt]() mutable {
                 const W::Here here(w, place("loop"), kept ? &*kept : nullptr);
                 const auto& action = actions()[how % actions().size()];
                 if (!w.over && w.allowed(place("loop"), action))
                   w.contained([&] { w.act(how % actions().size(), how, kept ? &*kept : nullptr); });
               });
             }},
      Action{"serve",
             [](W& w, S*, How how) {
               if (!w.server || w.wires.size() > 10) return;
               auto bytes = how & 1 ? handlers::get("/route") + handlers::get("/socket.io/?EIO=4&transport=polling")
                                    : handlers::upgrade("/socket.io/?EIO=4&transport=websocket") +
                                          handlers::frame(0x81, "40") + handlers::frame(0x81, "42[\"typed\",1]");
               w.wires.push_back(w.connect(*w.server, bytes));
             }},
      Action{"measure",
             [](W& w, S*, How) {
               sio::Metrics out;
               if (w.server) w.server->measure(out);
             }},
      Action{"reply",
             [](W& w, S*, How how) {
               if (w.replies.empty()) return;
               const auto reply = w.replies[(how >> 2) % w.replies.size()];
               if (how & 1) reply(sio::Error("CODE", "why"));
               else reply(Mine{1}, how);
               if (how & 2) reply(2);
             }},
      Action{"let in or refuse",
             [](W& w, S*, How how) {
               if (w.nexts.empty()) return;
               const auto next = w.nexts[w.nexts.size() - 1 - (how >> 2) % w.nexts.size()];
               how & 1 ? next(sio::refuse("no", 1)) : next(sio::accept);
               if (how & 2) next();
             }},
      Action{"answer late",
             [](W& w, S*, How how) {
               if (w.late.empty()) return;
               const auto answer = w.late.back();
               if (!(how & 2)) w.late.pop_back();
               const int outer = std::exchange(w.depth, 0);  // it is called here, not by the server
               struct Back {
                 W& world;
                 int depth;
                 ~Back() { world.depth = depth; }
               } back{w, outer};
               answer((how & 1) != 0);
             }},
      Action{"keep",
             [](W& w, S* s, How how) {
               const auto one = w.pick(s, how);
               if (one && w.kept.size() < 16) w.kept.push_back(*one);
             }},
      Action{"forget what is kept", [](W& w, S*, How) { w.forget(); }},
      Action{"guest",
             [](W& w, S*, How how) {
               if (!w.guest) return;
               w.guest->send_text("x");
               if (how & 1) w.guest->close(1000, "bye");
               w.guest->send_binary("y");
             }},
      Action{"engine's sessions",
             [](W& w, S*, How how) {
               for (const auto& session : std::vector(w.sessions)) {
                 session->send_text("x");
                 if (how & 1) session->close();
               }
             }},
      Action{"close the engine",
             [](W& w, S*, How how) {
               if (!w.engine) return;
               if (how & 1)
                 w.engine->close([&w, how] {
                   if (how & 2) w.engine.reset();
                 });
               else
                 w.engine->post([&w, how] {
                   if (how & 2) w.engine.reset();
                 });
             }},
      Action{"log",
             [](W& w, S*, How) {
               if (w.server) w.server->log().write(sio::LogLevel::error, "line");
             }},
      Action{"a client leaves",
             [](W& w, S*, How how) {
               if (auto& one = w.clients[how % 4]) one->leaving = true;
             }},
      Action{"a client says",
             [](W& w, S*, How how) {
               constexpr std::array<const char*, 4> texts{"2[\"event\",1]", "1", "0", "2[\"asks\"]"};
               if (auto& one = w.clients[how % 4]) one->say(texts[how >> 2 & 3]);
             }},
      Action{"and so next time",
             [](W& w, S*, How how) { w.armed.push_back({0, how % actions().size(), static_cast<How>(how * 7)}); }},
      Action{"throw",
             [](W&, S*, How how) {
               if (how & 1) throw sio::Error("CODE", "why");
               throw Thrown();
             },
             Action::throws},
      Action{"run the loop", [](W& w, S*, How) { w.loop.poll(); }, Action::waits},
      Action{"let time pass", [](W& w, S*, How how) { w.clock->advance(sio::Seconds(how & 1 ? 50 : 2)); },
             Action::waits},
  };
  return all;
}

inline void run(std::string_view bytes) {
  Input input(bytes);
  const auto knobs = input.byte(), more = input.byte();
  World world(knobs, more);
  world.play(input);
}

}  // namespace fuzz::program
