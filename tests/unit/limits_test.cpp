// Limits by address and by rate, of rooms and attachments; the watch over handlers; the log that cannot block;
// metrics. All on a server in this process, over loopback, which is an address like any other here.
#include "raw_client.hpp"
#include "sio_demo.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace sio = sio_demo;
using namespace raw_client;
using namespace std::chrono_literals;
using polling_client::Client;
using polling_client::run_until;
using polling_client::settle;
using sio::Reason;

const std::string handshake_target = "/socket.io/?EIO=4&transport=polling";
inline constexpr sio::ClientToServer<"echo", int(int)> echo;
inline constexpr sio::ClientToServer<"join", int(std::string)> join;
inline constexpr sio::ClientToServer<"sleep", bool()> sleep_a_while;

const std::string websocket_target = "/socket.io/?EIO=4&transport=websocket";

/// A server whose events echo, join rooms and take their time.
struct Stage {
  explicit Stage(sio::Options options) : io(loop, adapted(std::move(options))) {
    io.on(echo, [](sio::Socket&, int value) { return value; });
    io.on(join, [](sio::Socket& socket, const std::string& room) {
      socket.join(room);
      return static_cast<int>(socket.rooms().size());
    });
    io.on(sleep_a_while, [](sio::Socket&) {
      std::this_thread::sleep_for(30ms);
      return true;
    });
    io.on("echo_all",
          [](sio::Socket&, const sio::json::array_t& values, sio::Reply<> reply) { reply(sio::each(values)); });
    io.http().websocket("/echo", {.message = [](sio::websocket::Socket& socket, std::string_view text, bool) {
                          socket.send_text(text);
                        }});
    io.http().get("/metrics", sio::metrics(io));
    io.listen();
  }

  sio::Options adapted(sio::Options options) {
    options.host = "127.0.0.1", options.port = 0;
    options.log_level = sio::LogLevel::info;
    options.log_sink = [this](const sio::LogRecord& record) { lines.push_back(sio::json_line(record)); };
    return options;
  }

  Raw raw(std::string_view bytes) {
    Raw out(loop, io.port());
    out.send(bytes);
    return out;
  }
  /// A WebSocket that has joined "/".
  Raw joined() {
    Raw out = raw(upgrade(websocket_target) + text("40"));
    REQUIRE(run_until(loop, [&] { return out.heard().find("40{\"sid\"") != std::string::npos; }));
    settle(loop, 5ms);
    out.take(0);
    return out;
  }
  std::string metrics() { return raw(get("/metrics")).answer(); }
  std::size_t logged(std::string_view message) const {
    return static_cast<std::size_t>(std::count_if(
        lines.begin(), lines.end(), [&](const std::string& line) { return line.find(message) != line.npos; }));
  }
  std::uint64_t count(Reason reason) const { return io.counters().of(reason); }

  std::vector<std::string> lines;
  asio::io_context loop;
  sio::Server io;
};

/// Nobody is trusted, so loopback is limited as any other address is.
sio::Options limited(sio::Options options) {
  options.trusted_proxies.clear();
  return options;
}

std::string forwarded(std::string_view address) {
  return get(handshake_target, "X-Forwarded-For: " + std::string(address) + "\r\n");
}

}  // namespace

TEST_CASE("limits: a connection too many of one address is closed unheard, and there is room again when one leaves") {
  Stage stage(limited({.max_connections_per_address = 2}));
  Raw one = stage.raw(get(handshake_target)), two = stage.raw(get(handshake_target)),
      three = stage.raw(get(handshake_target));
  CHECK(one.answer().starts_with("HTTP/1.1 200"));
  CHECK(two.answer().starts_with("HTTP/1.1 200"));
  CHECK(three.is_closed());
  CHECK(three.heard().empty());
  CHECK(stage.count(Reason::too_many_connections) == 1);
  CHECK(stage.logged("name it in trusted_proxies") == 1);
  Raw four = stage.raw({});
  CHECK(four.is_closed());
  CHECK(stage.logged("name it in trusted_proxies") == 1);  // once in ten seconds
  one.leave();
  REQUIRE(run_until(stage.loop, [&] { return stage.io.counters().connections_closed == 1; }));
  CHECK(stage.raw(get(handshake_target)).answer().starts_with("HTTP/1.1 200"));
}

TEST_CASE("limits: a trusted proxy may have as many connections as it likes") {
  Stage stage({.max_connections_per_address = 1});
  Raw one = stage.raw(get(handshake_target)), two = stage.raw(get(handshake_target));
  CHECK(one.answer().starts_with("HTTP/1.1 200"));
  CHECK(two.answer().starts_with("HTTP/1.1 200"));
}

TEST_CASE("limits: sessions of one address, behind a proxy, IPv6 by /64; others are not concerned") {
  Stage stage({.max_sessions_per_address = 1});
  Raw first = stage.raw(forwarded("2001:db8::1"));
  const auto sid = sid_of(first.answer());
  const auto refused = stage.raw(forwarded("2001:db8::2")).answer();
  CHECK(refused.starts_with("HTTP/1.1 429 Too Many Requests\r\n"));
  CHECK(refused.ends_with("{\"code\":3,\"message\":\"Too many sessions from this address\"}"));
  CHECK(stage.raw(forwarded("2001:db8:0:1::1")).answer().starts_with("HTTP/1.1 200"));
  CHECK(stage.raw(forwarded("203.0.113.7")).answer().starts_with("HTTP/1.1 200"));
  CHECK(stage.raw(get(handshake_target)).answer().starts_with("HTTP/1.1 200"));
  CHECK(stage.raw(get(handshake_target)).answer().starts_with("HTTP/1.1 200"));  // the proxy itself
  CHECK(stage.count(Reason::too_many_sessions_from_address) == 1);

  first.send(post(handshake_target + "&sid=" + sid, "1"));
  first.answer();
  CHECK(stage.raw(forwarded("2001:db8::3")).answer().starts_with("HTTP/1.1 200"));
}

TEST_CASE("limits: WebSockets of routes count as sessions, in all and by address") {
  Stage stage(limited({.max_sessions = 2, .max_sessions_per_address = 2}));
  Raw one = stage.raw(upgrade("/echo"));
  CHECK(one.hears(switched()));
  const auto sid = sid_of(stage.raw(get(handshake_target)).answer());
  CHECK(stage.raw(upgrade("/echo")).answer().starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(stage.raw(get(handshake_target)).answer().starts_with("HTTP/1.1 503"));
  CHECK(stage.count(Reason::too_many_sessions) == 2);
  one.leave();
  REQUIRE(run_until(stage.loop, [&] {
    return stage.io.counters().connections_closed >= 1 && stage.count(Reason::transport_close) == 1;
  }));
  Raw again = stage.raw(upgrade("/echo"));
  CHECK(again.hears(switched()));

  Stage by_address(limited({.max_sessions_per_address = 1}));
  Raw first = by_address.raw(upgrade("/echo"));
  CHECK(first.hears(switched()));
  CHECK(by_address.raw(upgrade("/echo")).answer().starts_with("HTTP/1.1 429 Too Many Requests\r\n"));
  CHECK(by_address.raw(upgrade(websocket_target)).answer().starts_with("HTTP/1.1 429 Too Many Requests\r\n"));
}

TEST_CASE("limits: handshakes over their rate are told when to come back, over either transport") {
  Stage stage(limited({.handshake_rate = {.burst = 2, .per_second = 20}}));
  CHECK(stage.raw(get(handshake_target)).answer().starts_with("HTTP/1.1 200"));
  CHECK(stage.raw(get(handshake_target)).answer().starts_with("HTTP/1.1 200"));
  for (const auto& request : {get(handshake_target), upgrade(websocket_target), upgrade("/echo")}) {
    const auto refused = stage.raw(request).answer();
    CHECK(refused.starts_with("HTTP/1.1 429 Too Many Requests\r\n"));
    const auto at = refused.find("Retry-After: ");
    REQUIRE(at != refused.npos);
    const int seconds = std::stoi(refused.substr(at + 13));
    CHECK(seconds >= 1);
    CHECK(seconds <= 3);
  }
  CHECK(stage.count(Reason::too_many_handshakes) == 3);
  settle(stage.loop, 60ms);  // one token
  CHECK(stage.raw(get(handshake_target)).answer().starts_with("HTTP/1.1 200"));
}

TEST_CASE("limits: packets over their rate end the session, whatever they are and wherever they come") {
  const std::string too_many = said(0x88, "\x03\xf0");
  Stage stage({.packet_rate = {.burst = 5, .per_second = 0.001}});
  for (const auto& packet : {text("3"), text("42[\"none\"]"), frame(0x8a, "pong"), frame(0x89, "")}) {
    Raw raw = stage.joined();  // its CONNECT was the first of five
    for (int i = 0; i < 5; ++i) raw.send(packet);
    REQUIRE(run_until(stage.loop, [&] { return raw.heard().ends_with(too_many); }));
  }
  CHECK(stage.count(Reason::too_many_packets) == 4);
  REQUIRE(run_until(stage.loop, [&] { return stage.io.clients_count() == 0; }));

  Raw route = stage.raw(upgrade("/echo"));
  CHECK(route.hears(switched()));
  for (int i = 0; i < 6; ++i) route.send(text("x"));
  REQUIRE(run_until(stage.loop, [&] { return route.heard().ends_with(too_many); }));

  Raw polling = stage.raw(get(handshake_target));
  const auto sid = sid_of(polling.answer());
  polling.send(post(handshake_target + "&sid=" + sid,
                    "3\x1e"
                    "3\x1e"
                    "3\x1e"
                    "3\x1e"
                    "3"));
  CHECK(polling.answer().ends_with("ok"));
  CHECK(stage.io.clients_count() == 1);
  polling.send(post(handshake_target + "&sid=" + sid, "3"));
  REQUIRE(run_until(stage.loop, [&] { return stage.io.clients_count() == 0; }));
  CHECK(stage.count(Reason::too_many_packets) == 6);
}

TEST_CASE(
    "limits: an event over the rate is not handled; its ack, or once a second the event error, says when to try "
    "again") {
  Stage stage({.event_rate = {.burst = 2, .per_second = 0.5}});
  Raw raw = stage.joined(), other = stage.joined();
  raw.send(text("421[\"echo\",1]") + text("422[\"echo\",2]") + text("423[\"echo\",3]"));
  CHECK(raw.take(20).starts_with(said(0x81, "431[1]") + said(0x81, "432[2]")));
  raw.send(text("424[\"echo\",4]"));
  const auto refused = raw.take(1);
  const auto at = refused.find("434[");
  REQUIRE(at != refused.npos);
  const auto error = sio::json::parse(refused.substr(at + 3))[0]["error"];
  CHECK(error["code"] == "RATE_LIMITED");
  CHECK(error["event"] == "echo");
  CHECK(error["retryAfter"].get<int>() > 0);
  CHECK(error["retryAfter"].get<int>() <= 2000);
  CHECK_FALSE(error.contains("path"));
  raw.send(text("42[\"echo\",5]") + text("42[\"echo\",6]"));  // told a moment ago
  CHECK(raw.is_quiet());
  CHECK(stage.count(Reason::too_many_events) == 4);
  CHECK(stage.logged("Event refused") == 1);
  other.send(text("421[\"echo\",1]"));
  CHECK(other.hears(said(0x81, "431[1]")));

  Raw silent = stage.joined();
  silent.send(text("42[\"echo\",1]") + text("42[\"echo\",2]") + text("42[\"echo\",3]") + text("42[\"echo\",4]"));
  const auto told = silent.take(1);
  CHECK(told.find("42[\"error\",{\"message\":\"echo: too many events\",\"code\":\"RATE_LIMITED\"") != told.npos);
  CHECK(told.find("42[\"error\"", told.find("42[\"error\"") + 1) == told.npos);
}

TEST_CASE("limits: a socket is in max_rooms rooms at most, and may change them") {
  Stage stage({.max_rooms = 2});
  Raw raw = stage.joined();
  const auto rooms = [&](const std::string& room) {
    raw.send(text("421[\"join\",\"" + room + "\"]"));
    return raw.take(8).substr(2);
  };
  CHECK(rooms("a") == "431[2]");  // its own room is not counted
  CHECK(rooms("b") == "431[3]");
  CHECK(rooms("c") == "431[3]");
  CHECK(rooms("a") == "431[3]");
  CHECK(stage.count(Reason::too_many_rooms) == 1);
  CHECK(stage.logged("max_rooms") == 1);
  CHECK(stage.io.of("/").adapter().rooms().size() == 3);
  for (const sio::Socket& socket : stage.io.sockets()) socket.leave("a");
  CHECK(rooms("c") == "431[3]");
}

TEST_CASE("limits: attachments are bounded in sum, and in time") {
  Stage stage({.max_attachment_bytes = 10, .attachment_timeout = 200ms});
  const std::string event = "452-1[\"echo_all\",[{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]]";
  Raw fits = stage.joined();
  fits.send(text(event) + binary("12345") + binary("67890"));
  CHECK(fits.take(1).find("462-1[") != std::string::npos);

  Raw large = stage.joined();
  large.send(text(event) + binary("12345") + binary("678901"));
  CHECK(run_until(stage.loop, [&] { return large.heard().starts_with(said(0x88, "")); }));

  Raw slow = stage.joined();
  slow.send(text(event));
  settle(stage.loop, 120ms);
  slow.send(binary("1"));
  CHECK(slow.is_quiet(120ms));  // each has its own time
  CHECK(run_until(stage.loop, [&] { return slow.heard().starts_with(said(0x88, "")); }));
  CHECK(stage.count(Reason::malformed_packet) == 2);
  CHECK(stage.logged("attachment_timeout") == 1);
  CHECK(stage.logged("max_attachment_bytes") == 1);

  Raw gone = stage.joined();
  gone.send(text(event));
  settle(stage.loop, 5ms);
  gone.leave();
  settle(stage.loop, 220ms);
  CHECK(stage.count(Reason::malformed_packet) == 2);
}

TEST_CASE("limits: acks that nobody waits for are counted and ignored") {
  Stage stage({});
  Raw raw = stage.joined();
  raw.send(text("437[1]") + text("43[1]") + text("421[\"echo\",1]"));
  CHECK(raw.hears(said(0x81, "431[1]")));
  CHECK(stage.count(Reason::unknown_ack) == 2);
}

TEST_CASE("handlers: a slow one is logged with its event, once a second, and counted each time") {
  Stage stage({.slow_handler = 20ms});
  Raw raw = stage.joined();
  raw.send(text("421[\"sleep\"]") + text("422[\"sleep\"]") + text("423[\"echo\",1]"));
  raw.take(15);
  CHECK(stage.logged("A handler is slow") == 1);
  CHECK(stage.logged("\"event\":\"sleep\"") == 1);
  CHECK(stage.io.log().handlers().slow == 2);
  CHECK(stage.io.log().handlers().calls >= 3);
  CHECK(stage.io.log().handlers().sum >= 60ms);

  Stage unwatched({.slow_handler = 0ms});
  Raw sleeper = unwatched.joined();
  sleeper.send(text("421[\"sleep\"]"));
  sleeper.take(1);
  CHECK(unwatched.io.log().handlers().calls == 0);
}

TEST_CASE("handlers: one that keeps failing is counted each time, and does not fill the log") {
  int lines = 0;
  const sio::Log log(sio::LogLevel::error, [&](const sio::LogRecord&) { ++lines; });
  for (int i = 0; i < 1000; ++i) CHECK_FALSE(log.call({"It threw", "n", "1"}, [] { throw 1; }));
  CHECK(log.handlers().failed == 1000);
  CHECK(lines >= 100);
  CHECK(lines < 200);  // a hundred, and what ten a second add
}

TEST_CASE("log: what a sink loses is counted") {
  int calls = 0;
  const sio::Log log(sio::LogLevel::info, [&](const sio::LogRecord&) {
    if (++calls > 1) throw std::runtime_error("full");
  });
  for (int i = 0; i < 3; ++i) log.write(sio::LogLevel::info, "line");
  log.write(sio::LogLevel::debug, "off");
  CHECK(log.dropped() == 2);
}

TEST_CASE("log queue: a line that does not fit, or was not written, is told of once; closing leaves what is there") {
  sio::LogQueue queue(12);
  queue.push("one\n");
  queue.push("two\n");
  CHECK_THROWS_AS(queue.push("three three\n"), std::runtime_error);
  queue.push("4\n");
  std::string lines;
  CHECK(queue.take(lines));
  CHECK(lines == "one\ntwo\n4\n");
  queue.lost("a\nb\n");
  CHECK_THROWS_AS(queue.push("c\n"), std::runtime_error);
  CHECK_THROWS_AS(queue.push("d\n"), std::runtime_error);
  queue.push("e\n");
  queue.close();
  CHECK(queue.take(lines));
  CHECK(lines == "c\nd\ne\n");
  CHECK_FALSE(queue.take(lines));
}

TEST_CASE("log queue: a writer in another thread gets every line in order") {
  sio::LogQueue queue;
  std::string all;
  std::thread writer([&] {
    for (std::string lines; queue.take(lines);) all += lines;
  });
  std::string expected;
  for (int i = 0; i < 1000; ++i) queue.push(std::to_string(i) + '\n'), expected += std::to_string(i) + '\n';
  queue.close();
  writer.join();
  CHECK(all == expected);
}

TEST_CASE("metrics: what happened stands there, a session's end once") {
  Stage stage({});
  stage.io.of("/chat");
  stage.io.of([](std::string_view name, const sio::json&) { return name.starts_with("/dynamic"); });
  const auto has = [&](const std::string& line) {
    const auto text = stage.metrics();
    INFO(text);
    CHECK(text.find('\n' + line + '\n') != text.npos);
  };
  Raw raw = stage.joined(), broken = stage.joined();
  raw.send(text("421[\"echo\",1]") + text("40/dynamic\"x,"));
  raw.take(40);
  const auto head = stage.metrics();
  CHECK(head.find("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n") != head.npos);
  has("sio_sessions{transport=\"websocket\"} 2");
  has("sio_sessions{transport=\"polling\"} 0");
  has("sio_sockets{namespace=\"/\"} 2");
  has("sio_sockets{namespace=\"/chat\"} 0");
  has("sio_sockets{namespace=\"(dynamic)\"} 1");
  has("sio_events_total 1");
  has("sio_packets_received_total 4");
  has("sio_queue_bytes 0");
  CHECK(stage.metrics().find("/dynamic\\\"x") == std::string::npos);

  broken.send(frame(0xf1, "x"));
  REQUIRE(run_until(stage.loop, [&] { return stage.io.clients_count() == 1; }));
  has("sio_closes_total{reason=\"frame_malformed\"} 1");
  raw.send(text("41"));
  REQUIRE(run_until(stage.loop, [&] { return stage.io.counters().sockets_left == 2; }));
  has("sio_closes_total{reason=\"client_disconnect\"} 1");
  raw.leave();
  REQUIRE(run_until(stage.loop, [&] { return stage.io.clients_count() == 0; }));
  has("sio_closes_total{reason=\"transport_close\"} 1");
  has("sio_sessions{transport=\"websocket\"} 0");
  has("sio_sessions_closed_total 2");
}

TEST_CASE("metrics: labels are escaped") {
  sio::Metrics out;
  out.begin("m", sio::Metrics::Kind::gauge, "Help").value("label", "a\"b\\c\nd\xff", 1).value(0.5);
  CHECK(out.text() == "# HELP m Help\n# TYPE m gauge\nm{label=\"a\\\"b\\\\c\\nd\xEF\xBF\xBD\"} 1\nm 0.5\n");
}

TEST_CASE("metrics: upgrades and queues are counted back") {
  Stage stage({});
  Raw polling = stage.raw(get(handshake_target));
  const auto sid = sid_of(polling.answer());
  polling.send(post(handshake_target + "&sid=" + sid, "40"));
  polling.answer();
  CHECK(stage.io.counters().queue_bytes > 0);  // the CONNECT's answer waits for a poll
  Raw websocket = stage.raw(upgrade(websocket_target + "&sid=" + sid) + text("2probe"));
  websocket.take(20);
  websocket.send(text("5"));
  REQUIRE(run_until(stage.loop, [&] { return stage.io.counters().websocket_sessions == 1; }));
  settle(stage.loop, 10ms);
  CHECK(stage.io.counters().queue_bytes == 0);
  websocket.leave();
  REQUIRE(run_until(stage.loop, [&] { return stage.io.clients_count() == 0; }));
  CHECK(stage.io.counters().websocket_sessions == 0);
}
