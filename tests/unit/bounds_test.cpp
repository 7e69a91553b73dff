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
  sio::SetById<Named*> set;
  for (const auto& name : names) {
    map.emplace(name, 1);
    owners.push_back(std::make_unique<Named>(Named{name}));
    set.insert(owners.back().get());
  }
  const auto longest = [](const auto& table) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < table.bucket_count(); ++i) size = (std::max)(size, table.bucket_size(i));
    return size;
  };
  CHECK(map.size() == 2048);
  CHECK(set.size() == 2048);
  CHECK(longest(map) < 20);
  CHECK(longest(set) < 20);
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
