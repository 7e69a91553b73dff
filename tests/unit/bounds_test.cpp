// What one client can make the server hold, or do: each bound is reached by somebody who means harm, and holds.
#include "raw_client.hpp"
#include "sequence.hpp"
#include "sio_demo.hpp"

#include <doctest/doctest.h>

#include <asio/write.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <ctime>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace {

namespace sio = sio_demo;
using namespace raw_client;
using namespace std::chrono_literals;

// Milliseconds by which a flood may raise another client's answer. A sanitizer makes each packet several times as dear.
#if defined(__SANITIZE_ADDRESS__)
constexpr double slack = 60;
#else
constexpr double slack = 5;
#endif
using polling_client::run_until;
using polling_client::settle;
using sio::Reason;
using Clock = std::chrono::steady_clock;

const std::string polling = "/socket.io/?EIO=4&transport=polling", websocket = "/socket.io/?EIO=4&transport=websocket";

/// A server on a port of its own; nobody is trusted, so loopback is an address like any other.
struct Stage {
  explicit Stage(sio::Options options = {}) : io(loop, adapted(std::move(options))) { io.listen(); }

  static sio::Options adapted(sio::Options options) {
    options.host = "127.0.0.1", options.port = 0;
    options.log_level = sio::LogLevel::off;
    options.trusted_proxies.clear();
    return options;
  }
  Raw raw(std::string_view bytes = {}) {
    Raw out(loop, io.port());
    out.send(bytes);
    return out;
  }
  /// A WebSocket that has joined "/".
  Raw joined() {
    Raw out = raw(upgrade(websocket) + text("40"));
    REQUIRE(run_until(loop, [&] { return out.heard().find("40{\"sid\"") != std::string::npos; }));
    out.take(0);
    return out;
  }
  bool reaches(const std::function<bool()>& done) { return run_until(loop, done); }
  std::uint64_t count(Reason reason) const { return io.counters().of(reason); }

  asio::io_context loop;
  sio::Server io;
};

/// Connected over a socket with small buffers, so that what is not read waits in the server.
struct Narrow {
  explicit Narrow(Stage& stage) : client(stage.loop) {
    asio::ip::tcp::acceptor acceptor(stage.loop, {asio::ip::address_v4::loopback(), 0});
    acceptor.set_option(asio::socket_base::send_buffer_size(4096));  // which accepted ones inherit
    client.open(asio::ip::tcp::v4());
    client.set_option(asio::socket_base::receive_buffer_size(2048));
    client.connect(acceptor.local_endpoint());
    stage.io.serve(acceptor.accept());
    client.non_blocking(true);
  }
  /// Writes on, from where it was, what the server takes of this, again and again. false: it has closed.
  bool send(std::string_view bytes) {
    std::error_code error;
    at = (at + client.write_some(asio::buffer(bytes.substr(at)), error)) % bytes.size();
    return !error || error == asio::error::would_block;
  }
  asio::ip::tcp::socket client;
  std::size_t at = 0;
};

/// Bytes that the program has from the heap; 0 where nobody can say.
std::size_t heap() {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33) && !defined(__SANITIZE_ADDRESS__)
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
#else
  return 0;
#endif
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (; times > 0; --times) out += text;
  return out;
}

}  // namespace

TEST_CASE("bounds: a WebSocket that probes for ever without reading holds max_queue_bytes, and is dropped") {
  Stage stage({.max_queue_bytes = 100'000});
  Raw first = stage.raw(get(polling));
  const auto sid = sid_of(first.answer());
  Narrow candidate(stage);
  REQUIRE(candidate.send(upgrade(websocket + "&sid=" + sid)));
  const auto probes = repeated(text("2probe"), 1000);
  std::size_t most = 0;
  const auto limit = Clock::now() + 2s;
  for (bool open = true; open && Clock::now() < limit && most < 1'000'000;) {
    open = candidate.send(probes);
    stage.loop.restart();
    stage.loop.poll();
    most = (std::max)(most, stage.io.counters().queue_bytes);
    open = open && stage.io.counters().connections_closed == 0;
  }
  CHECK(most > 5'000);  // and 64 for each of the probes' answers
  CHECK(most <= 110'000);
  CHECK(stage.io.counters().connections_closed == 1);
  CHECK(stage.io.clients_count() == 1);  // the session is unharmed
}

TEST_CASE("bounds: names that collide under a hash that is known do not collide in our tables") {
  // MurmurHash64A, which libstdc++ takes: of two blocks whose mixed words differ in the highest bit alone, the second
  // takes the difference away again. So each pair of blocks doubles the names of one hash, whatever its seed is.
  constexpr std::uint64_t m = 0xc6a4a7935bd1e995u;
  std::uint64_t inverse = m;  // Newton's iteration: right bits double
  for (int i = 0; i < 5; ++i) inverse *= 2 - m * inverse;
  const auto mix = [](std::uint64_t word) {
    word *= m;
    return (word ^ word >> 47) * m;
  };
  const auto unmix = [&](std::uint64_t word) {
    word *= inverse;
    return (word ^ word >> 47) * inverse;
  };
  dialogue::Sequence random(1);
  std::vector<std::string> names{""};
  for (int pair = 0; pair < 11; ++pair) {
    const std::uint64_t words[] = {random(), random()};
    constexpr std::uint64_t high = std::uint64_t{1} << 63;
    const std::uint64_t others[] = {unmix(mix(words[0]) ^ high), unmix(mix(words[1]) ^ high)};
    std::vector<std::string> next;
    for (const auto& name : names)
      for (const auto* blocks : {words, others}) {
        next.push_back(name);
        next.back().append(reinterpret_cast<const char*>(blocks), 16);
      }
    names = std::move(next);
  }
#if defined(__GLIBCXX__) && defined(__LP64__)
  const auto hash = std::hash<std::string>();
  REQUIRE(std::all_of(names.begin(), names.end(), [&](const auto& name) { return hash(name) == hash(names[0]); }));
#endif

  struct Named {
    std::string id;
  };
  sio::StringMap<int> map;
  std::vector<std::unique_ptr<Named>> owners;
  sio::ById<Named*> by_id;
  for (const auto& name : names) {
    map.emplace(name, 1);
    owners.push_back(std::make_unique<Named>(Named{name}));
    by_id.emplace(owners.back()->id, owners.back().get());
  }
  const auto longest = [](const auto& table) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < table.bucket_count(); ++i) size = (std::max)(size, table.bucket_size(i));
    return size;
  };
  CHECK(map.size() == 2048);
  CHECK(by_id.size() == 2048);
  CHECK(longest(map) < 20);
  CHECK(longest(by_id) < 20);
}

TEST_CASE("bounds: the auth of a CONNECT is kept as the text that it is") {
  Stage stage;
  std::size_t elements = 0;
  stage.io.on_connection([&](sio::Socket& socket) { elements = socket.handshake().auth().at("a").size(); });
  Raw client = stage.raw(upgrade(websocket));
  REQUIRE(stage.reaches([&] { return client.heard().find("\"sid\"") != std::string::npos; }));
  const std::size_t before = heap();
  client.send(text("40{\"a\":[" + repeated("{},", 20'000) + "{}]}"));
  REQUIRE(stage.reaches([&] { return elements > 0; }));
  CHECK(elements == 20'001);
  if (before > 0) CHECK(heap() < before + 400'000);  // the text has 60 kB, a tree of it 1.6 MB
}

TEST_CASE("bounds: CONNECTs that wait for an answer are bounded in number and in bytes, and end with their client") {
  Stage stage({.max_kept_bytes = 100'000, .max_namespaces = 10});
  std::vector<sio::Next> waiting;
  std::vector<sio::Socket> sockets;
  stage.io.use([&](sio::Socket& socket, sio::Next next) {
    waiting.push_back(std::move(next));
    sockets.push_back(socket);
  });
  std::vector<std::function<void(bool)>> asked;
  stage.io.of([&](std::string_view, const sio::json&, std::function<void(bool)> answer) { asked.push_back(answer); });

  Raw few = stage.raw(upgrade(websocket) + repeated(text("40"), 30));
  REQUIRE(stage.reaches([&] { return stage.count(Reason::too_many_namespaces) == 20; }));
  CHECK(waiting.size() == 10);
  few.send(text("40/x,"));
  REQUIRE(stage.reaches([&] { return stage.count(Reason::too_many_namespaces) == 21; }));
  CHECK(asked.empty());

  const auto auth = "{\"a\":\"" + std::string(40'000, 'x') + "\"}";
  Raw large = stage.raw(upgrade(websocket));
  for (int i = 0; i < 3; ++i) large.send(text("40" + auth) + text("40/x," + auth));
  REQUIRE(stage.reaches([&] { return stage.count(Reason::too_much_kept) == 3; }));
  CHECK(waiting.size() == 12);
  CHECK(asked.size() == 1);
  CHECK(sockets.back().handshake().auth_text.size() > 40'000);
  large.leave();
  REQUIRE(stage.reaches([&] { return stage.io.clients_count() == 1; }));
  CHECK(sockets.back().handshake().auth_text.empty());
}

TEST_CASE("bounds: what waits for middlewares is bounded in bytes, and ends with its client") {
  Stage stage({.max_kept_bytes = 100'000});
  std::vector<sio::Next> waiting;
  std::size_t handled = 0;
  stage.io.on_connection([&](sio::Socket& socket) {
    socket.use([&](sio::Socket&, std::string_view, const sio::socketio::Arguments& arguments, sio::Next next) {
      CHECK(arguments.size() == 1);
      waiting.push_back(std::move(next));
    });
    socket.on("e", [&](sio::Socket&, const sio::json::array_t& values) { handled += values.at(0).size(); });
  });
  Raw client = stage.joined();
  const std::string empties = repeated("{},", 3333);
  const std::string event = "42[\"e\",[" + empties + "{}]]";  // 10 kB, and a tree of 25 times as much
  const std::size_t before = heap();
  for (int i = 0; i < 50; ++i) client.send(text(event));
  client.send(text("421[\"e\",[]]"));
  REQUIRE(stage.reaches([&] { return client.heard().find("431") != std::string::npos; }));
  CHECK(client.heard().find("OVERLOADED") != std::string::npos);
  CHECK(waiting.size() == 10);
  CHECK(stage.count(Reason::too_much_kept) == 41);
  if (before > 0) CHECK(heap() < before + 400'000);
  for (const auto& next : std::vector(waiting)) next(sio::accept);
  CHECK(handled == 10 * 3334);
  waiting.clear();
  client.send(text(event));
  REQUIRE(stage.reaches([&] { return waiting.size() == 1; }));
  client.leave();
  REQUIRE(stage.reaches([&] { return stage.io.clients_count() == 0; }));
  waiting[0](sio::accept);
  CHECK(handled == 10 * 3334);
}

TEST_CASE("bounds: a namespace that nobody was let into does not count") {
  Stage stage({.max_child_namespaces = 10});
  std::size_t made = 0;
  stage.io.on_new_namespace([&](sio::Namespace&) { ++made; });
  stage.io.of([](std::string_view name, const sio::json&) { return name.size() > 1; })
      .use([](sio::Socket& socket, sio::Next next) {
        socket.handshake().auth().contains("good") ? next(sio::accept) : next(sio::refuse("no"));
      });
  Raw bad = stage.raw(upgrade(websocket));
  for (int i = 0; i < 50; ++i) bad.send(text("40/bad" + std::to_string(i) + ","));
  REQUIRE(stage.reaches([&] { return bad.heard().find("44/bad49,") != std::string::npos; }));
  CHECK(made == 50);
  Raw good = stage.raw(upgrade(websocket) + text("40/good,{\"good\":1}"));
  CHECK(stage.reaches([&] { return good.heard().find("40/good,{\"sid\"") != std::string::npos; }));
}

TEST_CASE("bounds: a client hears of its mistakes as often as error_rate says, and they are counted") {
  static constexpr sio::ClientToServer<"add", int(int)> add{};
  Stage stage({.error_rate = {5, 1}});
  stage.io.on(add, [](sio::Socket&, int value) { return value + 1; });
  const char* failing = "throw";
  SUBCASE("of handlers") {}
#ifdef ASIO_HAS_CO_AWAIT
  SUBCASE("of coroutines") { failing = "await"; }
  stage.io.on("await", [](sio::Socket&, const sio::json::array_t&) -> asio::awaitable<void> {
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    throw std::runtime_error("as it was asked to");
  });
#endif
  stage.io.on("throw", [](sio::Socket&, const sio::json::array_t&) { throw std::runtime_error("as it was asked to"); });
  Raw client = stage.joined();
  for (int i = 0; i < 10; ++i) client.send(text("42[\"add\",\"x\"]") + text("42[\"" + std::string(failing) + "\"]"));
  client.send(text("427[\"add\",1]"));
  REQUIRE(stage.reaches([&] { return client.heard().find("437[2]") != std::string::npos; }));
  std::size_t told = 0;
  for (auto at = client.heard().find("42[\"error\""); at != std::string::npos;
       at = client.heard().find("42[\"error\"", at + 1))
    ++told;
  CHECK(told == 5);
  CHECK(stage.count(Reason::invalid_payload) == 10);
}

TEST_CASE("bounds: a client that floods does not hold up the others") {
  static constexpr sio::ClientToServer<"add", int(int)> add{};
  static constexpr sio::ClientToServer<"strict", void(int, std::string)> strict{};
  Stage stage;
  stage.io.on(add, [](sio::Socket&, int value) { return value + 1; });
  stage.io.on(strict, [](sio::Socket&, int, const std::string&) {});
  stage.io.on("throw", [](sio::Socket&, const sio::json::array_t&) { throw std::runtime_error("as it was asked to"); });
  stage.io.on("echo",
              [](sio::Socket& socket, const sio::json::array_t& values) { socket.emit("e", sio::each(values)); });
  Raw honest = stage.joined();
  // The processor's time from a question to its answer, which is all the server's: the other one does nothing but
  // write.
  const auto median = [&](const std::function<void()>& meanwhile) {
    std::vector<double> milliseconds;
    for (int i = 0; i < 41; ++i) {
      for (int busy = 0; busy < 3; ++busy) {
        meanwhile();
        stage.loop.restart();
        stage.loop.poll_one();
      }
      const auto begin = std::clock();
      honest.send(text("427[\"add\",1]"));
      REQUIRE(run_until(stage.loop, [&] { return meanwhile(), honest.heard().find("437[2]") != std::string::npos; }));
      milliseconds.push_back(1000.0 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
      honest.take(0);
    }
    std::nth_element(milliseconds.begin(), milliseconds.begin() + 20, milliseconds.end());
    return milliseconds[20];
  };
  const double quiet = median([] {});
  for (const std::string_view packet :
       {"42[\"strict\",\"x\"]", "427[\"strict\",1]", "42[\"throw\"]", "427[\"throw\"]", "40/none,", "42[\"echo\",1]"}) {
    INFO(packet);
    const auto many = repeated(text(packet), 3000);
    asio::ip::tcp::socket flood(stage.loop);
    flood.connect({asio::ip::address_v4::loopback(), stage.io.port()});
    asio::write(flood, asio::buffer(upgrade(websocket) + text("40")));
    flood.non_blocking(true);
    std::vector<char> sink(65'536);
    std::size_t at = 0;
    CHECK(median([&] {
            std::error_code error;
            at = (at + flood.write_some(asio::buffer(many) + at, error)) % many.size();
            flood.read_some(asio::buffer(sink), error);
          }) < quiet + slack);
    CHECK(stage.io.clients_count() == 2);
    flood.close();
    REQUIRE(stage.reaches([&] { return stage.io.clients_count() == 1; }));
  }
  // A polling body of as many packets as one may have.
  Raw opening = stage.raw(get(polling));
  const auto target = polling + "&sid=" + sid_of(opening.answer());
  opening.send(post(target, "40"));
  opening.answer();
  asio::ip::tcp::socket flood(stage.loop);
  flood.connect({asio::ip::address_v4::loopback(), stage.io.port()});
  flood.non_blocking(true);
  const auto body = post(target, repeated("42[\"strict\",\"x\"]\x1e", 9999) + "42[\"strict\",1]");
  std::array<char, 4096> sink;
  std::size_t at = 0;
  CHECK(median([&] {
          std::error_code error;
          if (at == body.size()) {  // its answer comes in one piece
            const auto size = flood.read_some(asio::buffer(sink), error);
            if (!std::string_view(sink.data(), size).ends_with("ok")) return;
            at = 0;
          }
          at += flood.write_some(asio::buffer(body) + at, error);
        }) < quiet + slack);
  CHECK(stage.count(Reason::invalid_payload) > 1000);
}

TEST_CASE("bounds: an address holds max_input_per_address bytes of unfinished messages") {
  Stage stage({.max_payload = 200'000, .max_input_per_address = 500'000});
  const auto half = frame(0x01, std::string(60'000, 'x'));  // the first of a message's fragments
  std::vector<Raw> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(stage.raw(upgrade(websocket) + half));
  REQUIRE(stage.reaches([&] { return stage.count(Reason::too_much_input) >= 10; }));
  settle(stage.loop, 20ms);
  const auto open = stage.io.clients_count();
  CHECK(open >= 3);
  CHECK(open <= 8);
  CHECK(open + stage.count(Reason::too_much_input) == 20);
  clients.clear();
  REQUIRE(stage.reaches([&] { return stage.io.clients_count() == 0; }));
  Raw later = stage.raw(post("/none", std::string(150'000, 'x')));  // all of it was given back
  CHECK(later.answer().starts_with("HTTP/1.1 404"));
}

TEST_CASE("bounds: connections are bounded in all") {
  Stage stage({.max_connections = 2});
  Raw one = stage.raw(), two = stage.raw(), three = stage.raw();
  CHECK(three.is_closed());
  CHECK(stage.count(Reason::too_many_connections) == 1);
  one.leave();
  REQUIRE(stage.reaches([&] { return stage.io.counters().connections_closed == 1; }));
  CHECK(stage.raw(get(polling)).answer().starts_with("HTTP/1.1 200"));
}

TEST_CASE("bounds: answers that a client does not read stop what it asks for") {
  Stage stage;
  std::size_t asked = 0;
  stage.io.http().get("/big", [&](const sio::http::Request&) {
    ++asked;
    return sio::http::Response{200, "text/plain", std::string(50'000, 'x'), {}};
  });
  Narrow client(stage);
  CHECK(client.send(repeated(get("/big"), 1000)));
  settle(stage.loop, 50ms);
  CHECK(asked >= 1);
  CHECK(asked <= 8);
  CHECK(stage.io.counters().queue_bytes < 200'000);
}

TEST_CASE("bounds: a polling client that was disconnected and never polls again is gone after linger_timeout") {
  sio::Options options{.linger_timeout = 30s};
  options.clock = std::make_shared<sio::engineio::ManualClock>();
  Stage stage(options);
  const auto clock = options.clock;
  stage.io.on_connection([](sio::Socket& socket) { socket.disconnect(true); });
  Raw up = stage.raw(get(polling));
  const auto sid = sid_of(up.answer());
  up.send(post(polling + "&sid=" + sid, "40"));
  up.answer();
  CHECK(stage.io.clients_count() == 1);
  clock->advance(29'999ms);
  CHECK(stage.io.clients_count() == 1);
  clock->advance(1ms);
  CHECK(stage.io.clients_count() == 0);
}

TEST_CASE("bounds: the table of addresses has room for one of each session") {
  Stage stage({.max_sessions = 200'000});
  sio::Log log(sio::LogLevel::off, {});
  sio::Counters counters;
  struct Nobody final : sio::engineio::Application {
    void on_open(sio::engineio::Session&, const sio::http::Request&) override {}
    void on_message(sio::engineio::Session&, std::string_view, bool) override {}
    void on_close(sio::engineio::Session&, Reason, std::string_view) override {}
  } nobody;
  sio::engineio::Engine engine(stage.io.options(), log, counters, nobody);
  std::vector<sio::engineio::Verdict> verdicts;
  for (unsigned i = 0; i <= 100'000; ++i) {
    sio::http::Request request;
    const std::string address =
        "10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255);
    request.address = address;
    verdicts.push_back(engine.place_for(request));
  }
  CHECK(verdicts.back().act == sio::engineio::Verdict::Act::open_websocket);
}

TEST_CASE("bounds: who does not watch what is emitted any more costs nothing any more") {
  Stage stage;
  Raw client = stage.joined();
  std::size_t seen = 0;
  const std::string large = '[' + repeated("{},", 30'000) + "{}]";
  const auto cost = [&] {
    const sio::json value = sio::json::parse(large);
    const auto begin = Clock::now();
    for (int i = 0; i < 5; ++i) stage.io.emit("x", value);
    return Clock::now() - begin;
  };
  const auto watch = [&](sio::Socket&, std::string_view, const sio::socketio::Arguments&) { ++seen; };
  const auto before = cost();
  stage.io.on_any_outgoing(watch);
  cost();
  CHECK(seen == 5);
  stage.io.off_any_outgoing();
  auto socket = stage.io.sockets().at(0);
  socket.on_any_outgoing(watch);
  const auto during = cost();
  CHECK(seen == 10);
  socket.off_any_outgoing();
  const auto after = cost();
  CHECK(seen == 10);
  CHECK(after < (before + during) / 2);
}

TEST_CASE("bounds: a rate that would refuse everybody for ever is refused itself") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  for (const sio::Rate wrong : {sio::Rate{0.5, 1}, sio::Rate{nan, 1}, sio::Rate{-1, 1}, sio::Rate{5, -1},
                                sio::Rate{5, nan}, sio::Rate{infinite, 1}}) {
    for (const auto rate : {&sio::Options::handshake_rate, &sio::Options::packet_rate, &sio::Options::event_rate,
                            &sio::Options::error_rate}) {
      sio::Options options;
      options.*rate = wrong;
      CHECK_THROWS_AS(sio::Server io(options), std::invalid_argument);
    }
    CHECK_THROWS_AS(sio::RateLimiter({.burst = wrong.burst, .per_second = wrong.per_second}), std::invalid_argument);
  }
  CHECK_NOTHROW(sio::RateLimiter({.burst = 1, .per_second = 0}));
}

TEST_CASE("bounds: a listener that could not have both loopbacks leaves nothing behind in the loop") {
  asio::io_context loop;
  std::error_code error;
  asio::ip::tcp::acceptor taken(loop);
  taken.open(asio::ip::tcp::v6(), error);
  if (!error) taken.bind({asio::ip::address_v6::loopback(), 0}, error);
  if (!error) taken.listen(1, error);
  if (error) return;  // a machine without IPv6
  sio::Server io(loop, {.log_level = sio::LogLevel::off});
  CHECK_THROWS_AS(io.listen("localhost", taken.local_endpoint().port()), std::system_error);
  CHECK(io.port() == 0);
  taken.close();
  loop.poll();
  loop.restart();
  CHECK(loop.run_for(500ms) == 0);  // a retry each 200 ms before
}

TEST_CASE("bounds: what clients can make the server hold is what memory_bound says") {
  if (heap() == 0) return;
  sio::Options options;
  options.max_payload = 50'000, options.max_attachment_bytes = 100'000, options.max_queue_bytes = 200'000;
  options.max_kept_bytes = 100'000, options.max_json_tokens = 5'000, options.http.header_bytes = 4'096;
  options.max_sessions = 8, options.max_connections = 24, options.max_namespaces = 5, options.max_child_namespaces = 5;
  const auto bound = options.memory_bound();
  Stage stage(options);
  std::vector<sio::Next> waiting;
  stage.io.on_connection([&](sio::Socket& socket) {
    socket.on("back", [](sio::Socket& one, const sio::json::array_t& values) { one.emit("back", sio::each(values)); });
    socket.use([&](sio::Socket&, std::string_view event, const sio::socketio::Arguments&, sio::Next next) {
      event == "hold" ? waiting.push_back(std::move(next)) : next(sio::accept);
    });
  });
  stage.io.http().post("/upload", [](const sio::http::Request&) { return sio::http::Response{}; });
  const std::size_t before = heap();
  std::vector<std::unique_ptr<Narrow>> clients;
  const auto say = [&](std::string_view bytes) {
    for (auto& client = *clients.back(); !bytes.empty();) {
      std::error_code error;
      bytes.remove_prefix(client.client.write_some(asio::buffer(bytes), error));
      REQUIRE((!error || error == asio::error::would_block));
      stage.loop.restart();
      stage.loop.poll();
    }
  };
  const auto connect = [&] { clients.push_back(std::make_unique<Narrow>(stage)); };
  const std::string large(40'000, 'x');
  for (int i = 0; i < 8; ++i) {
    connect();
    say(upgrade(websocket) + text("40{\"a\":\"" + large + "\"}"));
    for (int j = 0; j < 4; ++j) say(text("42[\"back\",\"" + large + "\"]"));
    for (int j = 0; j < 5; ++j) say(text("42[\"hold\",\"" + large + "\"]"));
    say(text("453-[\"back\",{\"_placeholder\":true,\"num\":0}]") + binary(large) + binary(large));
    say(frame(0x02, large.substr(0, 25'000)) + frame(0x00, large.substr(0, 24'000)).substr(0, 23'000));
  }
  for (int i = 0; i < 16; ++i) {
    connect();
    say(head("POST", "/upload", "Content-Length: 50000\r\nX: " + std::string(3000, 'y') + "\r\n") + large);
  }
  settle(stage.loop, 20ms);
  CHECK(stage.io.clients_count() == 8);
  CHECK(stage.io.counters().connections_closed == 0);
  CHECK(waiting.size() >= 16);
  const std::uint64_t held = heap() - before;
  INFO("held " << held << " of " << bound.all);
  CHECK(held <= bound.all);
  CHECK(held > bound.all / 10);  // else it says nothing
  CHECK(bound.client * 8 < bound.all);
  CHECK(bound.address <= bound.all);
}
