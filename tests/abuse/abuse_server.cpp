// The server that the abuse suite attacks. official_server.js is the same program on the official packages: change them
// together.
//
//     abuse_server ['{"port":3000,"ping_interval":300,"http":{"header_timeout":300}}']
//
// The argument sets fields of sio_demo::Options by their names, times in milliseconds; "two": there is a second server
// on another port; "throwing": every kind of handler that there is throws. What it says on standard output is one JSON
// object a line: the header's log lines have a "level", its own ones an "event": "listening" (port, other_port,
// options, coroutines), "left" (id, namespace, reason, why). SIGTERM ends it in order, a second one at once.
#include "sio_demo.hpp"

#include <asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <thread>

namespace sio = sio_demo;
using sio::json;
using Arguments = json::array_t;
using namespace std::chrono_literals;

namespace {

struct Point {
  double x = 0, y = 0;
};
SIO_DEMO_FIELDS(Point, x, y)
inline constexpr sio::ClientToServer<"typed", Point(Point)> typed{};

void say(const json& line) {
  std::printf("%s\n", line.dump(-1, ' ', false, json::error_handler_t::replace).c_str()), std::fflush(stdout);
}

/// Options by name. A field that this version of the header lacks is left out, and so is its name in `known`: the cases
/// that need it are skipped then.
struct Settings {
  const json& given;
  std::vector<std::string>& known;

  void set(const char* name, bool& field) const {
    take(name, [&](const json& value) { field = value.get<bool>(); });
  }
  void set(const char* name, std::string& field) const {
    take(name, [&](const json& value) { field = value.get<std::string>(); });
  }
  void set(const char* name, sio::Milliseconds& field) const {
    take(name, [&](const json& value) { field = sio::Milliseconds(value.get<long>()); });
  }
  void set(const char* name, std::vector<std::string>& field) const {
    take(name, [&](const json& value) { field = value.get<std::vector<std::string>>(); });
  }
  template <class Number>
  requires std::is_integral_v<Number> void set(const char* name, Number& field) const {
    take(name, [&](const json& value) { field = value.get<Number>(); });
  }
  template <class Rate>
  requires requires(Rate rate) {
    rate.burst;
    rate.per_second;
  } void set(const char* name, Rate& field) const {
    take(name, [&](const json& value) {
      field.burst = value.at("burst").get<decltype(field.burst)>();
      field.per_second = value.at("per_second").get<decltype(field.per_second)>();
    });
  }

 private:
  template <class Assign>
  void take(const char* name, Assign assign) const {
    known.emplace_back(name);
    if (const auto value = given.find(name); value != given.end()) assign(*value);
  }
};

#define SET(name)                                                          \
  [&](auto& from) {                                                        \
    if constexpr (requires { from.name; }) settings.set(#name, from.name); \
  }(options)

template <class Options>
void read_options(const Settings& settings, Options& options) {
  SET(host), SET(port), SET(path), SET(polling), SET(websocket), SET(allow_upgrades);
  SET(ping_interval), SET(ping_timeout), SET(upgrade_timeout), SET(connect_timeout), SET(close_timeout),
      SET(linger_timeout), SET(drain_timeout);
  SET(max_payload), SET(max_packets_per_payload), SET(max_fragments), SET(max_queue_bytes), SET(max_sessions);
  SET(max_attachments), SET(max_json_depth), SET(max_json_tokens), SET(max_namespaces), SET(max_child_namespaces),
      SET(max_outstanding_acks);
  SET(cleanup_empty_child_namespaces), SET(trusted_proxies);
  SET(max_connections_per_address), SET(max_sessions_per_address), SET(handshake_rate), SET(event_rate),
      SET(packet_rate);
  SET(max_rooms), SET(max_attachment_bytes), SET(attachment_timeout), SET(slow_handler);
}

template <class Limits>
void read_limits(const Settings& settings, Limits& options) {
  SET(request_line), SET(header_bytes), SET(headers), SET(query_parameters), SET(chunk_overhead), SET(pipelined);
  SET(header_timeout), SET(body_timeout), SET(keep_alive_timeout);
}

sio::Options options_of(const json& given, std::vector<std::string>& known) {
  sio::Options options{
      .port = 0,
      .cors = {.origins = {"http://good.example.test", "https://good.example.test"}, .credentials = true},
      .log_level = sio::LogLevel::info,
      .log_sink = [](const sio::LogRecord& record) {
        std::printf("%s\n", sio::json_line(record).c_str()), std::fflush(stdout);
      }};
  const json limits = given.value("http", json::object()), cors = given.value("cors", json::object());
  read_options(Settings{given, known}, options);
  read_limits(Settings{limits, known}, options.http);
  Settings{cors, known}.set("origins", options.cors.origins);
  Settings{cors, known}.set("credentials", options.cors.credentials);
  return options;
}

std::string text_of(const Arguments& arguments, std::size_t i) {
  return i < arguments.size() && arguments[i].is_string() ? arguments[i].get<std::string>() : "";
}
long number_of(const Arguments& arguments, std::size_t i, long otherwise) {
  return i < arguments.size() && arguments[i].is_number() ? arguments[i].get<long>() : otherwise;
}

struct Visitor {
  bool dominoes = false;
};

/// What a client may ask for in every namespace.
template <class Listener>
void listen(Listener& nsp) {
  nsp.on("echo", [](sio::Socket&, const Arguments& arguments, sio::Reply<> reply) { reply(sio::each(arguments)); });
  nsp.on("back", [](sio::Socket& socket, const Arguments& arguments) { socket.emit("back", sio::each(arguments)); });
  nsp.on("join", [](sio::Socket& socket, const Arguments& arguments, sio::Reply<> reply) {
    socket.join(text_of(arguments, 0)), reply(socket.rooms().size());
  });
  nsp.on("leave", [](sio::Socket& socket, const Arguments& arguments, sio::Reply<> reply) {
    socket.leave(text_of(arguments, 0)), reply(socket.rooms().size());
  });
  nsp.on("rooms", [](sio::Socket& socket, const Arguments&, sio::Reply<> reply) {
    reply(socket.nsp().adapter().rooms().size());
  });
  nsp.on("address",
         [](sio::Socket& socket, const Arguments&, sio::Reply<> reply) { reply(socket.handshake().address); });
  nsp.on("go",
         [](sio::Socket& socket, const Arguments& arguments) { socket.disconnect(number_of(arguments, 0, 0) != 0); });
  nsp.on("throw", [](sio::Socket&, const Arguments& arguments) {
    if (text_of(arguments, 0) == "int") throw 42;
    throw std::runtime_error("secret: hunter2");
  });
  nsp.on("tell", [](sio::Socket& socket, const Arguments& arguments) {
    socket.nsp().to(text_of(arguments, 0)).emit("told", sio::each(arguments));
  });
  nsp.on("blast", [](sio::Socket& socket, const Arguments& arguments, sio::Reply<> reply) {  // to all of the namespace
    const std::string text(static_cast<std::size_t>(number_of(arguments, 1, 10)), 'x');
    for (long i = number_of(arguments, 0, 1); i > 0; --i) socket.nsp().emit("blast", text);
    reply(socket.nsp().size());
  });
  nsp.on("ask", [](sio::Socket& socket, const Arguments& arguments,
                   sio::Reply<> reply) {  // so many questions that nobody answers
    const auto refused = std::make_shared<long>(0), left = std::make_shared<long>(number_of(arguments, 0, 1));
    for (long i = *left; i > 0; --i)
      socket.emit_with_ack("question", i, [=](std::error_code error, const Arguments& answer) {
        if (error == std::errc::no_buffer_space) ++*refused;
        if (!error) say({{"event", "answered"}, {"values", answer}});
        if (--*left == 0) say({{"event", "asked"}, {"refused", *refused}});
      });
    asio::post(socket.nsp().server().loop(), [=] { reply(*refused); });
  });
  nsp.on("self",
         [](sio::Socket& socket, const Arguments&, sio::Reply<> reply) {  // all that a handler should not do to itself
           socket.emit("one"), socket.join("r"), socket.leave("r"), socket.to("r").emit("two");
           reply("said before");
           socket.disconnect(), socket.emit("three"), socket.join("afterwards"), socket.disconnect(true);
         });
  nsp.on("burn", [](sio::Socket&, const Arguments& arguments) {
    std::this_thread::sleep_for(sio::Milliseconds(number_of(arguments, 0, 200)));
  });
  nsp.on("dominoes", [](sio::Socket& socket, const Arguments&, sio::Reply<> reply) {
    socket.data<Visitor>().dominoes = true;
    socket.join("dominoes"), reply(true);
  });
  nsp.on("topple", [](sio::Socket& socket, const Arguments&) {
    socket.nsp().to("dominoes").emit("falling");
    socket.nsp().in("dominoes").disconnect_sockets(true);
  });
  nsp.on("close server", [](sio::Socket& socket, const Arguments&) { socket.nsp().server().close(); });
  nsp.on(typed, [](sio::Socket&, const Point& point) { return Point{point.y, point.x}; });
#ifdef ASIO_HAS_CO_AWAIT
  static constexpr sio::ClientToServer<"throw later", int(int)> throw_later{};
  nsp.on(throw_later, [](sio::Socket& socket, int) -> asio::awaitable<int> {
    asio::steady_timer timer(socket.nsp().server().loop(), 5ms);
    co_await timer.async_wait(asio::use_awaitable_t<>());
    throw std::runtime_error("secret: hunter2");
  });
#endif
  nsp.on_disconnect([](sio::Socket& socket, const sio::Disconnect& why) {
    const bool dominoes = socket.data<Visitor>().dominoes;
    socket.emit("gone"), socket.join("joined when it left");
    say({{"event", "left"},
         {"id", socket.id()},
         {"namespace", socket.nsp().name()},
         {"reason", why.text},
         {"why", why.details}});
    if (dominoes) socket.nsp().in("dominoes").disconnect_sockets(true);
  });
}

template <class Io>
void routes(Io& io) {
  auto& http = io.http();
  http.get("/health", [&io](const sio::http::Request&) {
    return sio::http::Response{200, "application/json", json{{"clients", io.clients_count()}}.dump(), {}};
  });
  http.get("/secret",
           [](const sio::http::Request&) -> sio::http::Response { throw std::runtime_error("secret: hunter2"); });
  http.post("/size", [](const sio::http::Request& request) {
    return sio::http::Response{200, "text/plain", std::to_string(request.body.size()), {}};
  });
  http.get("/say", [](const sio::http::Request& request) {  // the client's text as a header's value, and as a name
    const std::string text(request.query["text"]);
    return sio::http::Response{200, "text/plain", "said", {{"X-Said", text}, {text, "x"}, {"Set-Cookie", "a=" + text}}};
  });
  http.get("/address", [](const sio::http::Request& request) {
    return sio::http::Response{200, "text/plain", request.address, {}};
  });
  http.websocket("/echo", {.message = [](sio::websocket::Socket& socket, std::string_view payload, bool binary) {
                   binary ? socket.send_binary(payload) : socket.send_text(payload);
                 }});
  http.get("/counters", [&io](const sio::http::Request&) {
    json reasons = json::object();
    for (const auto& row : sio::reason_table)
      if (const auto count = io.counters().of(row.reason)) reasons[row.name] = count;
    return sio::http::Response{
        200, "application/json", json{{"reasons", reasons}, {"sessions", io.clients_count()}}.dump(), {}};
  });
  if constexpr (requires { metrics(io); }) http.get("/metrics", metrics(io));
}

void namespaces(sio::Server& io) {
  for (auto* nsp : {&io.of("/"), &io.of("/chat"),
                    &io.of([](std::string_view name, const json&) { return name.starts_with("/dyn-"); })})
    listen(*nsp);
  io.of("/throws-int").use([](sio::Socket&, sio::Next) { throw 42; });
  io.of("/throws").use([](sio::Socket&, sio::Next) { throw std::runtime_error("secret: hunter2"); });
  io.of("/throws-later").on_connection([](sio::Socket&) { throw std::runtime_error("secret: hunter2"); });
  auto& careless = io.of("/careless");
  listen(careless);
  careless.on_disconnect([](sio::Socket&, const sio::Disconnect&) { throw std::runtime_error("secret: hunter2"); });
}

struct Fault : std::exception {
  const char* what() const noexcept override { return "secret: hunter2"; }
};
/// Throws if the request asks for it at this place: "?throw=headers".
void fail_if(const sio::http::Request& request, std::string_view place) {
  if (request.query["throw"] == place) throw Fault();
}

void throw_in_options(sio::Options& options) {
  options.allow_request = [](const sio::http::Request& request, const sio::Next& next) {
    fail_if(request, "allow"), next(sio::accept);
  };
  options.generate_id = [random = std::make_shared<sio::bytes::Random>()](const sio::http::Request& request) {
    return fail_if(request, "id"), random->id();
  };
  options.initial_headers = [](sio::http::Headers& headers, const sio::http::Request& request) {
    headers.emplace_back("X-Half", "done"), fail_if(request, "initial");
  };
  options.headers = [](sio::http::Headers&, const sio::http::Request& request) { fail_if(request, "headers"); };
  options.log_sink = [say = options.log_sink](const sio::LogRecord& record) { say(record), throw 42; };
}

void throw_in_handlers(sio::Server& io) {
  io.on_connection_error([](const sio::ConnectionError&) { throw 42; });
  io.of([](std::string_view name, const json&) -> bool { return name == "/bad-predicate" ? throw Fault() : false; });
  io.on_new_namespace([](sio::Namespace& nsp) {
    if (nsp.name() == "/dyn-bad") throw Fault();
  });
  auto& all = io.of("/all");
  all.on_connection([](sio::Socket& socket) {
    socket.use([](sio::Socket&, std::string_view event, const sio::socketio::Arguments&, const sio::Next& next) {
      event == "refused" ? throw Fault() : next(sio::accept);
    });
    socket.on("own", [](sio::Socket&, const Arguments&, sio::Reply<> reply) { reply("before"), throw 42; });
    throw Fault();
  });
  all.on_any([](sio::Socket&, std::string_view, const auto&) { throw 42; });
  all.on_any_outgoing([](sio::Socket&, std::string_view, const sio::socketio::Arguments&) { throw Fault(); });
  all.on_error([](sio::Socket&, const sio::Refuse&) { throw 42; });
  all.on_disconnect([](sio::Socket&, const sio::Disconnect&) { throw 42; });
  all.on("echo", [](sio::Socket&, const Arguments& arguments, sio::Reply<> reply) { reply(sio::each(arguments)); });
  all.on("ask", [](sio::Socket& socket, const Arguments&) {
    socket.emit_with_ack("question",
                         [](std::error_code, const Arguments&) { say({{"event", "answer"}}), throw Fault(); });
  });
  all.on("tell all", [&all](sio::Socket&, const Arguments&) { all.emit("told"); });
  io.http().websocket("/bad", {.open = [](sio::websocket::Socket&) { throw 42; },
                               .message = [](sio::websocket::Socket& socket, std::string_view payload,
                                             bool) { socket.send_text(payload), throw 42; },
                               .close = [](sio::websocket::Socket&, sio::Reason, std::string_view) { throw Fault(); }});
  io.http().post("/secret", [](const sio::http::Request&) -> sio::http::Response { throw 42; });
}

}  // namespace

int main(int count, char** arguments) {
  const json given = count > 1 ? json::parse(arguments[1]) : json::object();
  std::vector<std::string> known;
  try {
    asio::io_context loop(1);
    sio::Options options = options_of(given, known);
    const bool throwing = given.value("throwing", false);
    if (throwing) throw_in_options(options);
    sio::Server io(loop, std::move(options));
    sio::Server other(loop, options_of({{"port", 0}}, known));
    routes(io), namespaces(io), routes(other), namespaces(other);
    io.on("stop the other", [&other](sio::Socket&, const Arguments&) { other.close(); });
    if (throwing) throw_in_handlers(io);

    asio::signal_set signals(loop, SIGINT, SIGTERM);
    signals.async_wait([&](std::error_code error, int) {
      if (error) return;
      signals.async_wait([](std::error_code again, int) {
        if (!again) std::_Exit(1);
      });
      other.close();
      io.close([&] { signals.cancel(); });
    });
    io.listen();
    const bool two = given.value("two", false);
    if (two) other.listen();
    say({{"event", "listening"},
         {"port", io.port()},
         {"other_port", two ? other.port() : 0},
         {"options", known},
         {"coroutines",
#ifdef ASIO_HAS_CO_AWAIT
          true
#else
          false
#endif
         }});
    loop.run();
    say({{"event", "ended"}});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "abuse_server: %s\n", error.what());
    return 1;
  }
  return 0;
}
