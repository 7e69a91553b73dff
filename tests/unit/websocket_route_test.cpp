// WebSockets on routes of the program's own, without Engine.IO, beside a Socket.IO server and on a bare one.
#include "raw_client.hpp"
#include "sio_demo.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace sio = sio_demo;
namespace websocket = sio_demo::websocket;
using namespace raw_client;
using namespace std::string_literals;
using polling_client::Client;
using polling_client::run_until;
using polling_client::settle;
using sio::Milliseconds;

sio::Options quiet() { return {.host = "127.0.0.1", .port = 0, .log_level = sio::LogLevel::off}; }

void echo(websocket::Socket& socket, std::string_view payload, bool is_binary) {
  is_binary ? socket.send_binary(payload) : socket.send_text(payload);
}

/// A Socket.IO server whose route /echo echoes, and says in the journal what happens.
struct Stage {
  explicit Stage(sio::Options options = quiet()) : io(loop, with_log(std::move(options))) {
    io.http().websocket(
        "/echo", {
                     .open = [this](websocket::Socket& socket) { journal.push_back("open " + socket.url()); },
                     .message =
                         [this](websocket::Socket& socket, std::string_view payload, bool is_binary) {
                           if (payload == "throw") throw std::runtime_error("a bug");
                           if (payload == "close") return socket.close(3001, "as you wish");
                           if (payload == "keep") kept = sio::Ref<websocket::Socket>(&socket);
                           echo(socket, payload, is_binary);
                         },
                     .close =
                         [this](websocket::Socket& socket, sio::Reason reason, std::string_view why) {
                           journal.push_back("close " + std::string(sio::row(reason).name) + ": " + std::string(why));
                           CHECK_FALSE(socket.is_open());
                           socket.send_text("nobody hears this");
                         },
                 });
    io.listen();
  }

  sio::Options with_log(sio::Options options) {
    options.log_level = sio::LogLevel::error;
    options.log_sink = [this](const sio::LogRecord& record) { errors.emplace_back(record.message); };
    return options;
  }

  Raw raw(std::string_view bytes) {
    Raw out(loop, io.port());
    out.send(bytes);
    return out;
  }
  /// A WebSocket that is open.
  Raw opened(std::string_view target = "/echo") {
    Raw out = raw(upgrade(target));
    out.hears(switched());
    return out;
  }
  /// What a client that says this hears, and how it ended.
  std::string after(std::string_view bytes) {
    Raw out = opened();
    out.send(bytes);
    CHECK(out.is_closed());
    run_until(loop, [&] { return journal.size() >= 2; });
    return std::exchange(journal, {}).back() + " | " + std::string(out.heard());
  }

  std::vector<std::string> journal, errors;
  sio::Ref<websocket::Socket> kept;
  asio::io_context loop;
  sio::Server io;
};

}  // namespace

TEST_CASE("websocket route: an echo server is this long") {
  asio::io_context loop;
  sio::http::Server io(loop, quiet());
  io.http().websocket("/echo", {.message = [](websocket::Socket& socket, std::string_view payload, bool is_binary) {
                        is_binary ? socket.send_binary(payload) : socket.send_text(payload);
                      }});
  io.listen();
  Raw raw(loop, io.port());
  raw.send(upgrade("/echo") + text("hello") + binary("\x01\x02"));
  raw.hears(switched() + said(0x81, "hello") + said(0x82, "\x01\x02"));
}

TEST_CASE("websocket route: what the socket knows of its request, and what it keeps") {
  struct Count final : sio::engineio::Context {
    int messages = 0;
  };
  asio::io_context loop;
  sio::http::Server io(loop, quiet());
  std::string seen;
  io.http().websocket(
      "/a",
      {.open =
           [&](websocket::Socket& socket) {
             seen = socket.url() + " " + socket.address() + " " + std::string(socket.header("x-token")) + " " +
                    std::string(socket.header("absent"));
             socket.context = std::make_unique<Count>();
             socket.send_text("welcome");
           },
       .message = [](websocket::Socket& socket, std::string_view,
                     bool) { socket.send_text(std::to_string(++static_cast<Count&>(*socket.context).messages)); }});
  io.listen();
  Raw raw(loop, io.port());
  raw.send(upgrade("/a?b=c%20d", "X-Token: t\r\nX-Forwarded-For: 203.0.113.7\r\n") + text("x") + text("x"));
  raw.hears(switched() + said(0x81, "welcome") + said(0x81, "1") + said(0x81, "2"));
  CHECK(seen == "/a?b=c%20d 203.0.113.7 t ");
}

TEST_CASE("websocket route: fragments with a ping between them, and pongs") {
  Stage stage;
  auto raw = stage.opened();
  raw.send(frame(0x01, "one ") + frame(0x00, "two ") + frame(0x89, "ping") + frame(0x80, "three") +
           frame(0x8a, "unasked"));
  raw.hears(said(0x8a, "ping") + said(0x81, "one two three"));
  for (const char c : frame(0x82, "byte by byte")) raw.send({&c, 1}), settle(stage.loop, Milliseconds(1));
  raw.hears(said(0x82, "byte by byte"));
}

TEST_CASE("websocket route: violations and their close codes") {
  auto options = quiet();
  options.max_payload = 100, options.max_fragments = 3;
  Stage stage(options);
  const auto code = [](unsigned char low) { return said(0x88, std::string{'\x03', static_cast<char>(low)}); };
  CHECK(stage.after(text("\xff")) ==
        "close text_not_utf8: a text message is not UTF-8 (RFC 6455, 8.1) | " + code(0xef));
  CHECK(stage.after(text(std::string(101, 'x'))) ==
        "close message_too_big: a message is larger than max_payload | " + code(0xf1));
  CHECK(stage.after(frame(0x01, std::string(60, 'x')) + frame(0x80, std::string(60, 'x'))) ==
        "close message_too_big: a message is larger than max_payload | " + code(0xf1));
  CHECK(stage.after(frame(0x01, "") + frame(0x00, "") + frame(0x00, "") + frame(0x80, "")) ==
        "close too_many_fragments: a message has more than max_fragments frames | " + code(0xf0));
  CHECK(stage.after(said(0x81, "x")) == "close frame_malformed: a frame is not masked (RFC 6455, 5.1) | " + code(0xea));
  CHECK(stage.after("\xff\xff\xff\xff") ==
        "close frame_malformed: a reserved bit is set (RFC 6455, 5.2) | " + code(0xea));
  CHECK(stage.after(close("\x03\xe8"
                          "bye")) == "close transport_close: the client sent a close frame | " + said(0x88,
                                                                                                      "\x03\xe8"
                                                                                                      "bye"));
  CHECK(stage.after(close()) == "close transport_close: the client sent a close frame | " + said(0x88, ""));
  auto exact = stage.opened();
  exact.send(text(std::string(100, 'x')));
  exact.hears(said(0x81, std::string(100, 'x')));
}

TEST_CASE("websocket route: close from our side, and a client that vanishes") {
  Stage stage;
  auto raw = stage.opened("/echo?n=1");
  raw.send(text("close") + text("not read any more"));
  raw.hears(said(0x88,
                 "\x0b\xb9"
                 "as you wish"));
  raw.send(close("\x0b\xb9"));
  CHECK(raw.is_closed());
  CHECK(stage.journal == std::vector<std::string>{"open /echo?n=1", "close forced_close: as you wish"});
  stage.journal.clear();
  stage.opened().leave();
  CHECK(run_until(stage.loop, [&] { return stage.journal.size() == 2; }));
  CHECK(stage.journal.back().starts_with("close transport_close"));
}

TEST_CASE("websocket route: codes and reasons of close") {
  Stage stage;
  auto raw = stage.opened();
  raw.send(text("keep"));
  raw.hears(said(0x81, "keep"));
  for (const unsigned bad : {0u, 999u, 1004u, 1005u, 1006u, 1015u, 2999u, 5000u})
    CHECK_THROWS_AS(stage.kept->close(static_cast<std::uint16_t>(bad)), std::invalid_argument);
  CHECK(stage.kept->is_open());
  std::string reason;
  for (int i = 0; i < 63; ++i) reason += "\xC3\xA9";  // 126 bytes, cut between two characters
  stage.kept->close(1000, reason);
  raw.hears(said(0x88, "\x03\xe8" + reason.substr(0, 122)));
  CHECK_NOTHROW(stage.kept->close());
}

TEST_CASE("websocket route: handlers that throw or are missing cost their own call") {
  Stage stage;
  auto raw = stage.opened();
  raw.send(text("throw") + text("on"));
  raw.hears(said(0x81, "on"));
  CHECK(stage.errors == std::vector<std::string>{"A WebSocket's handler threw"});
  stage.io.http().websocket("/deaf", {});
  auto deaf = stage.opened("/deaf");
  deaf.send(text("x") + close());
  deaf.hears(said(0x88, ""));
  stage.io.http().websocket("/shut", {.open = [](websocket::Socket& socket) {
                              socket.close(4000);
                              throw 1;
                            }});
  auto shut = stage.raw(upgrade("/shut") + text("x"));
  shut.hears(switched() + said(0x88, "\x0f\xa0"));
}

TEST_CASE("websocket route: pinged each ping_interval; silence beyond ping_timeout ends it") {
  auto options = quiet();
  options.ping_interval = Milliseconds(80), options.ping_timeout = Milliseconds(80);
  Stage stage(options);
  auto raw = stage.opened();
  for (int i = 0; i < 3; ++i) {
    raw.hears(said(0x89, ""));
    raw.send(frame(0x8a, ""));
  }
  raw.hears(said(0x89, ""));
  raw.send("\x81");  // half a frame shows that the client lives, too
  raw.hears(said(0x89, ""));
  CHECK(stage.journal.size() == 1);
  raw.hears(said(0x88, ""));
  CHECK(stage.journal.back() == "close ping_timeout: no pong within ping_timeout");
}

TEST_CASE("websocket route: who does not read is cut off") {
  auto options = quiet();
  options.max_queue_bytes = 100'000;
  Stage stage(options);
  auto raw = stage.opened();
  raw.send(text("keep"));
  raw.hears(said(0x81, "keep"));
  const std::string much(50'000, 'x');
  for (int i = 0; i < 1000 && stage.journal.size() < 2; ++i) {
    stage.kept->send_binary(much);
    if (i % 2) stage.loop.restart(), stage.loop.run_one_for(Milliseconds(1));
  }
  CHECK(run_until(stage.loop, [&] { return stage.journal.size() == 2; }));
  CHECK(stage.journal.back() == "close slow_consumer: more than max_queue_bytes wait for the client");
  CHECK_FALSE(stage.kept->is_open());
}

TEST_CASE("websocket route: foreign origins, malformed handshakes, plain requests") {
  auto options = quiet();
  options.cors = {.origins = {"https://app.example"}};
  Stage stage(options);
  const auto refusal = [](std::string_view status, std::string_view lines, std::string_view body) {
    return "HTTP/1.1 " + std::string(status) + "\r\nConnection: close\r\nContent-Type: text/html\r\n" +
           std::string(lines) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
  };
  stage.raw(upgrade("/echo", "Origin: https://evil.example\r\n")).hears(refusal("403 Forbidden", "", "Forbidden"));
  stage.raw(upgrade("/echo", "Origin: https://app.example\r\n"))
      .hears(switched("Access-Control-Allow-Origin: https://app.example\r\nVary: Origin\r\n"));
  stage.raw(upgrade("/echo", "Origin: http://a\r\n")).hears(switched("Vary: Origin\r\n"));  // our own host
  stage.raw(upgrade("/echo")).hears(switched("Vary: Origin\r\n"));
  auto raw = stage.raw(head("POST", "/echo", "Connection: upgrade\r\nUpgrade: websocket\r\n"));
  raw.hears(refusal("405 Method Not Allowed", "", "Invalid HTTP method"));
  CHECK(raw.is_closed());
  stage.raw(get("/echo", "Connection: upgrade\r\nUpgrade: h2c\r\n"))
      .hears(refusal("400 Bad Request", "", "Invalid Upgrade header"));
  stage.raw(get("/echo", "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"))
      .hears(refusal("400 Bad Request", "", "Missing or invalid Sec-WebSocket-Key header"));
  stage.raw(get("/echo")).hears(answered("404 Not Found", "Vary: Origin\r\nContent-Length: 0\r\n", ""));
  CHECK(stage.io.counters().of(sio::Reason::forbidden) == 1);
}

TEST_CASE("websocket route: several, beside Socket.IO, and below its path") {
  Stage stage;
  stage.io.on("ask", [](sio::Socket&, const sio::json::array_t&, sio::Reply<> reply) { reply("socket.io"); });
  stage.io.http().websocket("/other", {.open = [](websocket::Socket& socket) { socket.send_text("other"); }});
  stage.io.http().websocket("/socket.io/raw", {.open = [](websocket::Socket& socket) { socket.send_text("raw"); }});
  stage.io.http().get("/echo", [](const sio::http::Request&) { return sio::http::Response{200, {}, "a page", {}}; });
  auto echoing = stage.opened(), other = stage.raw(upgrade("/other")),
       below = stage.raw(upgrade("/socket.io/raw?EIO=4&transport=websocket"));
  Client client(stage.loop, stage.io.port());
  client.join();
  client.say(R"(421["ask"])");
  CHECK(client.hear() == R"(431["socket.io"])");
  echoing.send(text("1"));
  echoing.hears(said(0x81, "1"));
  other.hears(switched() + said(0x81, "other"));
  below.hears(switched() + said(0x81, "raw"));
  CHECK(stage.raw(get("/echo")).answer().ends_with("a page"));
  CHECK(stage.io.clients_count() == 1);
}

TEST_CASE("websocket route: one message for many is encoded once") {
  asio::io_context loop;
  std::vector<sio::Ref<websocket::Socket>> room;
  sio::http::Server io(loop, quiet());
  io.http().websocket("/room", {.open = [&](websocket::Socket& socket) { room.emplace_back(&socket); },
                                .message =
                                    [&](websocket::Socket&, std::string_view payload, bool) {
                                      const auto message = sio::engineio::Message::text({"all: ", payload});
                                      for (const auto& member : room) member->send(message);
                                    },
                                .close =
                                    [&](websocket::Socket& socket, sio::Reason, std::string_view) {
                                      std::erase_if(room, [&](const auto& member) { return member.get() == &socket; });
                                    }});
  io.listen();
  Raw a(loop, io.port()), b(loop, io.port());
  a.send(upgrade("/room")), b.send(upgrade("/room"));
  a.hears(switched()), b.hears(switched());
  a.send(text("hi"));
  a.hears(said(0x81, "all: hi")), b.hears(said(0x81, "all: hi"));
  a.leave();
  CHECK(run_until(loop, [&] { return room.size() == 1; }));
  b.send(text("alone"));
  b.hears(said(0x81, "all: alone"));
}

TEST_CASE("websocket route: the drain says 1001, and waits for the answer") {
  Stage stage;
  auto raw = stage.opened(), silent = stage.opened();
  bool done = false;
  stage.io.close([&] { done = true; });
  raw.hears(said(0x88, "\x03\xe9"));
  silent.hears(said(0x88, "\x03\xe9"));
  CHECK(stage.journal.back() == "close server_shutdown: ");
  CHECK_FALSE(done);
  raw.send(close("\x03\xe9"));
  CHECK(raw.is_closed());
  raw.leave(), silent.leave();
  CHECK(run_until(stage.loop, [&] { return done; }));
}

TEST_CASE("websocket route: nobody is let in while the server closes") {
  Stage stage;
  auto waiting = stage.opened();  // keeps the server from being done
  Raw late(stage.loop, stage.io.port());
  settle(stage.loop);
  stage.io.close();
  late.send(upgrade("/echo"));
  CHECK(late.answer().starts_with("HTTP/1.1 503"));
}

TEST_CASE("websocket route: a socket that is kept is inert when the server is gone") {
  sio::Ref<websocket::Socket> kept;
  {
    Stage stage;
    auto raw = stage.opened();
    raw.send(text("keep"));
    raw.hears(said(0x81, "keep"));
    kept = stage.kept;
  }
  CHECK_FALSE(kept->is_open());
  kept->send_text("x"), kept->send_binary("x"), kept->close();
  CHECK(kept->url() == "/echo");
}

TEST_CASE("websocket route: texts that are not UTF-8 are repaired on their way out") {
  asio::io_context loop;
  sio::http::Server io(loop, quiet());
  io.http().websocket("/x", {.open = [](websocket::Socket& socket) { socket.send_text("a\xff"); }});
  io.listen();
  Raw raw(loop, io.port());
  raw.send(upgrade("/x"));
  raw.hears(switched() + said(0x81, "a\xEF\xBF\xBD"));
}
