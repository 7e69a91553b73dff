// What a program can say in Engine.IO's handshakes and answers, and the servers without Socket.IO: bytes on real
// connections, byte for byte as the official engine answers.
#include "../raw_client.hpp"
#include "sio_demo.hpp"

#include <doctest/doctest.h>

#include <asio/any_io_executor.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

namespace sio = sio_demo;
namespace eio = sio_demo::engineio;
using namespace raw_client;
using namespace std::string_literals;
using polling_client::run_until;
using polling_client::settle;
using sio::Milliseconds;

constexpr const char* handshake_url = "/engine.io/?EIO=4&transport=polling";
constexpr const char* handshake_ws_url = "/engine.io/?EIO=4&transport=websocket";

sio::Options quiet() {
  return {.host = "127.0.0.1", .port = 0, .path = "/engine.io/", .log_level = sio::LogLevel::off};
}

/// A server in a loop, listening; what it logs as an error is counted.
template <class Server>
struct Stage {
  explicit Stage(sio::Options options = quiet()) : io(loop, with_log(std::move(options))) { io.listen(); }

  Raw raw() { return Raw(loop, io.port()); }
  /// A connection that has sent this.
  Raw raw(std::string_view bytes) {
    Raw out = raw();
    out.send(bytes);
    return out;
  }

  sio::Options with_log(sio::Options options) {
    options.log_level = sio::LogLevel::error;
    options.log_sink = [this](const sio::LogRecord& record) { errors.emplace_back(record.message); };
    return options;
  }

  std::vector<std::string> errors;
  asio::io_context loop;
  Server io;
};
using Engine = Stage<eio::Server>;

std::string opened(std::string_view sid, std::string_view upgrades = "\"websocket\"") {
  return "0{\"sid\":\"" + std::string(sid) + "\",\"upgrades\":[" + std::string(upgrades) +
         "],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}";
}
std::string json_answer(std::string_view status, std::string_view body) {
  return answered(status, "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n",
                  body);
}
std::string plain_refusal(std::string_view body) {
  return "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-type: text/html\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

}  // namespace

// ---- allow_request ------------------------------------------------------------------------------------

TEST_CASE("allow_request: asked once a session, with the request") {
  std::vector<std::string> asked;
  auto options = quiet();
  options.allow_request = [&](const sio::http::Request& request, const sio::Next& next) {
    asked.push_back(std::string(request.header("x-who")) + " " + request.address + " " +
                    std::string(request.query["n"]));
    next(sio::accept);
  };
  Engine stage(options);
  stage.io.on_message([](eio::Session& session, std::string_view payload, bool) { session.send_text(payload); });
  auto raw = stage.raw(get(handshake_url + "&n=1"s, "X-Who: me\r\n"));
  const auto sid = sid_of(raw.answer());
  raw.send(post(handshake_url + "&sid="s + sid, "4hi"));
  CHECK(raw.answer().ends_with("ok"));
  raw.send(get(handshake_url + "&sid="s + sid));
  CHECK(raw.answer().ends_with("4hi"));
  auto ws = stage.raw(upgrade(handshake_ws_url + "&sid="s + sid));
  ws.hears(switched());
  CHECK(asked == std::vector<std::string>{"me 127.0.0.1 1"});
}

TEST_CASE("allow_request: refused, over polling and WebSocket, with a text and without") {
  std::string text = "not you, \"friend\"";
  auto options = quiet();
  options.allow_request = [&](const sio::http::Request&, const sio::Next& next) { next(sio::refuse(text)); };
  Engine stage(options);
  auto raw = stage.raw(get(handshake_url));
  raw.hears(json_answer("403 Forbidden", R"({"code":4,"message":"not you, \"friend\""})"));
  stage.raw(upgrade(handshake_ws_url)).hears(plain_refusal(text));
  text = "";
  raw.send(get(handshake_url));
  raw.hears(json_answer("403 Forbidden", R"({"code":4,"message":"Forbidden"})"));
  text = "two\r\nlines\xff";
  raw.send(get(handshake_url));
  raw.hears(json_answer("403 Forbidden", "{\"code\":4,\"message\":\"two\\r\\nlines\xEF\xBF\xBD\"}"));
  CHECK(stage.io.clients_count() == 0);
  CHECK(stage.io.counters().of(sio::Reason::forbidden) == 4);
}

TEST_CASE("allow_request: its place among the checks") {
  int asked = 0;
  bool let_in = false;
  auto options = quiet();
  options.allow_request = [&](const sio::http::Request&, const sio::Next& next) {
    ++asked;
    let_in ? next(sio::accept) : next(sio::refuse(""));
  };
  Engine stage(options);
  const auto body = [&](const std::string& request) { return stage.raw(request).answer(); };
  CHECK(body(get("/engine.io/?EIO=4&transport=tcp")).ends_with(R"("message":"Transport unknown"})"));
  CHECK(body(get(handshake_url + "&sid=x"s)).ends_with(R"("message":"Session ID unknown"})"));
  CHECK(body(post(handshake_url, "x")).ends_with(R"("message":"Bad handshake method"})"));
  CHECK(body(get(handshake_ws_url)).ends_with(R"("message":"Bad request"})"));
  CHECK(asked == 0);
  CHECK(body(get("/engine.io/?EIO=3&transport=polling")).ends_with(R"("message":"Forbidden"})"));
  let_in = true;
  CHECK(body(get("/engine.io/?EIO=3&transport=polling")).ends_with(R"("message":"Unsupported protocol version"})"));
  CHECK(asked == 2);
}

TEST_CASE("allow_request: answers later; what stands behind the request waits") {
  std::vector<sio::Next> waiting;
  auto options = quiet();
  options.generate_id = [](const sio::http::Request& request) { return std::string(request.query["id"]); };
  options.allow_request = [&](const sio::http::Request&, const sio::Next& next) { waiting.push_back(next); };
  Engine stage(options);
  stage.io.on_message([](eio::Session& session, std::string_view payload, bool) { session.send_text(payload); });
  auto polling = stage.raw(get(handshake_url + "&id=P"s) + post(handshake_url + "&sid=P"s, "4hi") +
                           get(handshake_url + "&sid=P"s));
  auto ws = stage.raw(upgrade(handshake_ws_url + "&id=W"s) + text("4one") + text("4two"));
  auto refused = stage.raw(get(handshake_url) + get("/elsewhere"));
  auto refused_ws = stage.raw(upgrade(handshake_ws_url));
  CHECK(run_until(stage.loop, [&] { return waiting.size() == 4; }));
  CHECK(polling.is_quiet());
  CHECK(stage.io.clients_count() == 0);

  for (std::size_t i = 0; i < 2; ++i) waiting[i](sio::accept);
  for (std::size_t i = 2; i < 4; ++i) waiting[i](sio::refuse("no"));
  for (const auto& next : waiting) next(sio::refuse("too late to change its mind"));
  const auto packets = [](std::string_view packet) {
    return answered("200 OK",
                    "Content-Type: text/plain; charset=UTF-8\r\nContent-Length: " + std::to_string(packet.size()) +
                        "\r\ncache-control: no-store\r\n",
                    packet);
  };
  polling.hears(
      packets(opened("P")) +
      answered("200 OK", "Content-Type: text/html\r\nContent-Length: 2\r\ncache-control: no-store\r\n", "ok") +
      packets("4hi"));
  ws.hears(switched() + said(0x81, opened("W", "")) + said(0x81, "4one") + said(0x81, "4two"));
  refused.hears(json_answer("403 Forbidden", R"({"code":4,"message":"no"})") +
                answered("404 Not Found", "Content-Length: 0\r\n", ""));
  refused_ws.hears(plain_refusal("no"));
  CHECK(refused_ws.is_closed());
  CHECK(stage.io.clients_count() == 2);
}

TEST_CASE("allow_request: a handshake with a body, in pieces, while the answer is awaited") {
  std::vector<sio::Next> waiting;
  auto options = quiet();
  options.allow_request = [&](const sio::http::Request&, const sio::Next& next) { waiting.push_back(next); };
  Engine stage(options);
  auto raw = stage.raw(head("GET", handshake_url, "Content-Length: 10\r\n") + "01234");
  CHECK(run_until(stage.loop, [&] { return waiting.size() == 1; }));
  raw.send("56789" + get("/elsewhere"));
  CHECK(raw.is_quiet());
  waiting[0](sio::accept);
  CHECK(run_until(stage.loop, [&] { return raw.heard().find("HTTP/1.1 404") != std::string::npos; }));
  CHECK(raw.heard().find("0{\"sid\"") != std::string::npos);
}

TEST_CASE("allow_request: answered by whoever handles another request") {
  std::vector<sio::Next> waiting;
  std::string seen;
  auto options = quiet();
  options.allow_request = [&](const sio::http::Request& request, const sio::Next& next) {
    if (!waiting.empty()) waiting.front()(sio::accept);
    seen += request.query["n"];  // still its own request
    seen += request.header("x-n");
    waiting.push_back(next);
  };
  Engine stage(options);
  auto a = stage.raw(get(handshake_url + "&n=1"s, "X-N: one\r\n"));
  settle(stage.loop);
  auto b = stage.raw(get(handshake_url + "&n=2"s, "X-N: two\r\n"));
  CHECK(a.answer().find("0{\"sid\"") != std::string::npos);
  CHECK(b.is_quiet());
  CHECK(seen == "1one2two");
}

TEST_CASE("allow_request: the client has left when the answer comes") {
  std::vector<sio::Next> waiting;
  auto options = quiet();
  options.allow_request = [&](const sio::http::Request&, const sio::Next& next) { waiting.push_back(next); };
  Engine stage(options);
  for (const auto& request : {get(handshake_url), upgrade(handshake_ws_url), get(handshake_url)})
    stage.raw(request).leave();
  CHECK(run_until(stage.loop, [&] { return waiting.size() == 3; }));
  settle(stage.loop);
  waiting[0](sio::accept), waiting[1](sio::accept), waiting[2](sio::refuse("no"));
  settle(stage.loop);
  CHECK(run_until(stage.loop,
                  [&] { return stage.io.clients_count() <= 1; }));  // a poll nobody awaits ends with its heartbeat
  auto raw = stage.raw(get("/elsewhere"));
  CHECK(raw.answer().starts_with("HTTP/1.1 404"));
}

TEST_CASE("allow_request: the server, and its loop, are gone when the answer comes") {
  std::vector<sio::Next> waiting;
  {
    auto options = quiet();
    options.allow_request = [&](const sio::http::Request&, const sio::Next& next) { waiting.push_back(next); };
    Engine stage(options);
    auto a = stage.raw(get(handshake_url)), b = stage.raw(upgrade(handshake_ws_url));
    CHECK(run_until(stage.loop, [&] { return waiting.size() == 2; }));
    waiting[1](sio::accept);  // posted, but the loop does not come to it
  }
  for (const auto& next : waiting) next(sio::accept);
}

TEST_CASE("allow_request: while the server closes, nobody is let in") {
  std::vector<sio::Next> waiting;
  auto options = quiet();
  options.allow_request = [&](const sio::http::Request&, const sio::Next& next) { waiting.push_back(next); };
  Engine stage(options);
  auto raw = stage.raw(get(handshake_url));
  CHECK(run_until(stage.loop, [&] { return waiting.size() == 1; }));
  bool done = false;
  stage.io.close([&] { done = true; });
  waiting[0](sio::accept);
  CHECK(raw.answer().starts_with("HTTP/1.1 503"));
  CHECK(run_until(stage.loop, [&] { return done; }));
}

TEST_CASE("allow_request: one that throws refuses, unless it had answered") {
  int round = 0;
  auto options = quiet();
  options.allow_request = [&](const sio::http::Request&, const sio::Next& next) {
    if (++round == 3) next(sio::accept);
    if (round == 2) throw 1;
    throw std::runtime_error("a bug");
  };
  Engine stage(options);
  auto raw = stage.raw(get(handshake_url));
  raw.hears(json_answer("403 Forbidden", R"({"code":4,"message":"Forbidden"})"));
  stage.raw(upgrade(handshake_ws_url)).hears(plain_refusal("Forbidden"));
  raw.send(get(handshake_url));
  CHECK(raw.answer().find("0{\"sid\"") != std::string::npos);
  CHECK(stage.errors == std::vector<std::string>(3, "allow_request threw"));
}

TEST_CASE("allow_request: one that never answers costs header_timeout") {
  std::vector<sio::Next> waiting;
  auto options = quiet();
  options.http.header_timeout = Milliseconds(60);
  options.allow_request = [&](const sio::http::Request&, const sio::Next& next) { waiting.push_back(next); };
  Engine stage(options);
  auto raw = stage.raw(get(handshake_url) + get("/elsewhere"));
  raw.hears("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n");
  CHECK(raw.is_closed());
  waiting[0](sio::accept);
  settle(stage.loop);
  CHECK(stage.io.clients_count() == 0);
}

// ---- generate_id --------------------------------------------------------------------------------------

TEST_CASE("generate_id: its ids are the sessions', if they are good ones") {
  std::string id = "user-1_A.b~";
  auto options = quiet();
  options.generate_id = [&](const sio::http::Request&) -> std::string {
    if (id == "throw") throw std::runtime_error("a bug");
    return id;
  };
  Engine stage(options);
  auto raw = stage.raw();
  const auto next_sid = [&] { return raw.send(get(handshake_url)), sid_of(raw.answer()); };
  CHECK(next_sid() == id);
  CHECK(stage.errors.empty());
  raw.send(post(handshake_url + "&sid="s + id, "4x"));
  CHECK(raw.answer().ends_with("ok"));
  for (const std::string& bad :
       {id, ""s, std::string(129, 'x'), "a b"s, "a\r\nb"s, "a/b"s, "a\"b"s, "a%20b"s, "\xc3\xa9"s, "a\0b"s, "throw"s}) {
    id = bad;
    const auto sid = next_sid();
    CHECK(sid != bad);
    CHECK(sid.size() == 20);
  }
  CHECK(stage.errors.size() == 12);  // what threw is logged, and then that there is no id
  id = std::string(128, 'x');
  CHECK(next_sid() == id);
}

// ---- initial_headers, headers, cookie -------------------------------------------------------------------

TEST_CASE("headers: at the end of every answer of the engine, those of the handshake first") {
  auto options = quiet();
  options.cors.origins = {"*"};
  options.cookie.emplace();
  options.generate_id = [](const sio::http::Request& request) { return request.upgrade() ? "W"s : "P"s; };
  options.initial_headers = [](sio::http::Headers& headers, const sio::http::Request& request) {
    headers.emplace_back("x-initial", request.query["n"]);
  };
  options.headers = [](sio::http::Headers& headers, const sio::http::Request& request) {
    headers.emplace_back("x-every", request.method);
  };
  Engine stage(options);
  eio::Session* session = nullptr;
  stage.io.on_connection([&](eio::Session& its, const sio::http::Request&) { session = &its; });
  const std::string cors = "Access-Control-Allow-Origin: *\r\n",
                    polling = cors + "Content-Type: text/plain; charset=UTF-8\r\n";

  auto raw = stage.raw(get(handshake_url + "&n=7"s));
  raw.hears(answered("200 OK",
                     polling + "Content-Length: 99\r\ncache-control: no-store\r\nSet-Cookie: io=P; Path=/; HttpOnly; "
                               "SameSite=Lax\r\nx-initial: 7\r\nx-every: GET\r\n",
                     opened("P")));
  raw.send(get(handshake_url + "&sid=P"s));  // held: its answer comes when the request is gone
  CHECK(raw.is_quiet());
  session->send_text("late");
  raw.hears(answered("200 OK", polling + "Content-Length: 5\r\ncache-control: no-store\r\nx-every: GET\r\n", "4late"));
  raw.send(post(handshake_url + "&sid=P"s, "4x"));
  raw.hears(answered(
      "200 OK", cors + "Content-Type: text/html\r\nContent-Length: 2\r\ncache-control: no-store\r\nx-every: POST\r\n",
      "ok"));
  stage.raw(upgrade(handshake_ws_url + "&sid=P"s)).hears(switched(cors + "x-every: GET\r\n"));
  stage.raw(upgrade(handshake_ws_url + "&n=8"s))
      .hears(switched(cors + "x-initial: 8\r\nx-every: GET\r\n") + said(0x81, opened("W", "")));
  raw.send(get(handshake_url + "&sid=nobody"s));  // no hook for what is refused
  const auto body = R"({"code":1,"message":"Session ID unknown"})"s;
  raw.hears(answered("400 Bad Request", cors + "Content-Type: application/json\r\nContent-Length: 41\r\n", body));
}

TEST_CASE("headers: what they change, what they may not, what cannot be written") {
  auto options = quiet();
  options.generate_id = [](const sio::http::Request&) { return "P"s; };
  options.headers = [](sio::http::Headers& headers, const sio::http::Request& request) {
    for (auto& [name, value] : headers)
      if (name == "cache-control") value = "no-cache";
    headers.emplace_back("X-Good", "a\tb");
    headers.emplace_back("X-Injected", "a\r\nSet-Cookie: b=c");
    headers.emplace_back("X-Echo", request.query["echo"]);
    headers.emplace_back("X: Y", "1");
    headers.emplace_back("", "1");
    for (const char* own : {"Content-Length", "TRANSFER-ENCODING", "connection", "Keep-Alive", "Date", "Upgrade",
                            "Content-Type", "sec-websocket-accept", "Sec-WebSocket-Extensions"})
      headers.emplace_back(own, "1");
  };
  Engine stage(options);
  stage.raw(get(handshake_url + "&echo=%0d%0aX:%20y"s))
      .hears(answered("200 OK",
                      "Content-Type: text/plain; charset=UTF-8\r\nContent-Length: 99\r\ncache-control: "
                      "no-cache\r\nX-Good: a\tb\r\n",
                      opened("P")));
  stage.raw(upgrade(handshake_ws_url + "&sid=P&echo=%00"s)).hears(switched("X-Good: a\tb\r\n"));
}

TEST_CASE("headers: hooks that throw, take everything away, or close the session") {
  std::string what = "throw";
  auto options = quiet();
  sio::Ref<eio::Session> session;
  options.initial_headers = [&](sio::http::Headers& headers, const sio::http::Request&) {
    if (what == "throw") throw std::runtime_error("a bug");
    if (what == "clear") headers.clear();
  };
  options.headers = [&](sio::http::Headers&, const sio::http::Request&) {
    if (what == "close") session->close();
  };
  Engine stage(options);
  stage.io.on_connection([&](eio::Session& its, const sio::http::Request&) { session = sio::Ref<eio::Session>(&its); });
  auto raw = stage.raw();
  for (const auto* way : {"throw", "clear"}) {
    what = way;
    raw.send(get(handshake_url));
    const auto answer = raw.answer();
    CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(answer.find("cache-control: no-store\r\n") != answer.npos);
  }
  CHECK(stage.errors == std::vector<std::string>{"initial_headers threw"});
  what = "close";
  raw.send(get(handshake_url + "&sid="s + session->id()) + post(handshake_url + "&sid="s + session->id(), "4x"));
  CHECK(run_until(stage.loop, [&] { return raw.heard().ends_with("\"Session ID unknown\"}"); }));
  CHECK(raw.heard().find("6\x1e"
                         "1") != std::string::npos);
  CHECK(session->state() == eio::State::closed);
}

TEST_CASE("cookie: attributes in the reference's order") {
  using sio::http::cookie_text;
  sio::CookieOptions cookie;
  CHECK(cookie_text(cookie, "S") == "io=S; Path=/; HttpOnly; SameSite=Lax");
  cookie = {.name = "c",
            .path = "/x",
            .domain = "a.b",
            .http_only = true,
            .secure = true,
            .partitioned = true,
            .same_site = "Strict",
            .priority = "High",
            .max_age = sio::Seconds(86400),
            .expires = std::chrono::system_clock::from_time_t(1795415413)};
  CHECK(cookie_text(cookie, "S") ==
        "c=S; Max-Age=86400; Domain=a.b; Path=/x; Expires=Mon, 23 Nov 2026 06:30:13 GMT; HttpOnly; Secure; "
        "Partitioned; Priority=High; SameSite=Strict");
  cookie = {.path = "", .http_only = false, .same_site = "", .max_age = sio::Seconds(-1)};
  CHECK(cookie_text(cookie, "S") == "io=S; Max-Age=-1");
}

TEST_CASE("cookie: what could write attributes of its own is refused when the server is made") {
  const auto refused = [](sio::CookieOptions cookie) {
    auto options = quiet();
    options.cookie = std::move(cookie);
    CHECK_THROWS_AS(sio::Server{options}, std::invalid_argument);
    CHECK_THROWS_AS(eio::Server{options}, std::invalid_argument);
  };
  for (const auto& name :
       {""s, "a b"s, "userName=<script>alert(1)</script>; Max-Age=1"s, "a;b"s, "a\r\nb"s, "a="s, "\xc3\xa9"s})
    refused({.name = name});
  for (const auto& path : {"/;domain=evil"s, "/\r\nX: y"s, "/\x7f"s, "/\xc3\xa9"s}) refused({.path = path});
  for (const auto& domain : {"a.b;path=/"s, "a b"s, "a_b"s, "a\n"s}) refused({.domain = domain});
  refused({.same_site = "lax; Secure"});
  refused({.same_site = "None"});
  refused({.partitioned = true});
  refused({.priority = "Highest"});
  auto options = quiet();
  options.cookie = {.name = "__Host-io", .secure = true, .same_site = "None"};
  CHECK_NOTHROW(sio::Server{options});
}

// ---- the path -----------------------------------------------------------------------------------------

TEST_CASE("path: with its final slash, and without") {
  struct Row {
    std::string path;
    bool slash;
    std::string target;
    bool ours;
  };
  const Row rows[] = {
      {"/socket.io/", true, "/socket.io/", true},
      {"/socket.io/", true, "/socket.io", false},
      {"/socket.io/", true, "/socket.iofoo", false},
      {"/socket.io", true, "/socket.io/", true},
      {"/socket.io", true, "/socket.io", false},
      {"/socket.io/", false, "/socket.io/", true},
      {"/socket.io/", false, "/socket.io", true},
      {"/socket.io/", false, "/socket.iofoo", true},
      {"/socket.io/", false, "/socket", false},
      {"/my/path/", true, "/my/path/", true},
      {"/", true, "/", true},
      {"/", false, "/any/thing", true},
  };
  for (const Row& row : rows) {
    auto options = quiet();
    options.path = row.path, options.add_trailing_slash = row.slash;
    Engine stage(options);
    INFO(row.path << " " << row.slash << " " << row.target);
    CHECK(stage.raw(get(row.target + "?EIO=4&transport=polling"))
              .answer()
              .starts_with(row.ours ? "HTTP/1.1 200" : "HTTP/1.1 404"));
  }
}

TEST_CASE("path: an upgrade on one that nobody serves is ended without a word, or left") {
  auto options = quiet();
  options.destroy_upgrade_timeout = Milliseconds(60);
  Engine stage(options);
  auto raw = stage.raw(upgrade("/elsewhere"));
  CHECK(raw.is_quiet(Milliseconds(30)));
  CHECK(raw.is_closed());
  CHECK(raw.heard().empty());
  options.destroy_upgrade = false;
  Engine patient(options);
  auto left = patient.raw(upgrade("/elsewhere"));
  CHECK(left.is_quiet(Milliseconds(150)));
  left.leave();
}

// ---- connection_error, counts ---------------------------------------------------------------------------

TEST_CASE("connection errors: code, message and request of whatever is refused") {
  std::vector<std::string> seen;
  auto options = quiet();
  options.allow_request = [](const sio::http::Request& request, const sio::Next& next) {
    request.query["no"].empty() ? next(sio::accept) : next(sio::refuse(std::string(request.query["no"])));
  };
  Engine stage(options);
  stage.io.on_connection_error([&](const sio::ConnectionError& error) {
    seen.push_back(std::to_string(error.code) + " " + std::string(error.message) + " " + std::string(error.details) +
                   " " + std::string(error.request.query["n"]) + " " + sio::row(error.reason).name);
  });
  stage.io.on_connection_error([](const sio::ConnectionError&) { throw std::runtime_error("a bug"); });
  const auto ask = [&](const std::string& request) { stage.raw(request).answer(); };
  ask(get("/engine.io/?EIO=4&transport=tcp&n=a"));
  ask(get(handshake_url + "&sid=x&n=b"s));
  ask(post(handshake_url + "&n=c"s, "x"));
  ask(get(handshake_ws_url + "&n=d"s));
  ask(get(handshake_url + "&no=why&n=e"s));
  ask(upgrade(handshake_ws_url + "&no=why&n=f"s));
  ask(get("/engine.io/?EIO=3&transport=polling&n=g"));
  ask(get("/elsewhere"));
  CHECK(seen ==
        std::vector<std::string>{"0 Transport unknown  a transport_unknown", "1 Session ID unknown  b session_unknown",
                                 "2 Bad handshake method  c bad_handshake_method", "3 Bad request  d bad_request",
                                 "4 Forbidden why e forbidden", "4 Forbidden why f forbidden",
                                 "5 Unsupported protocol version  g unsupported_version"});
  CHECK(stage.errors.size() == 7);
}

TEST_CASE("connection errors: a late refusal has its request, too") {
  std::optional<sio::Next> waiting;
  std::string seen;
  auto options = quiet();
  options.allow_request = [&](const sio::http::Request&, const sio::Next& next) { waiting = next; };
  Engine stage(options);
  stage.io.on_connection_error([&](const sio::ConnectionError& error) {
    seen = std::string(error.request.target) + " " + error.request.address;
  });
  auto raw = stage.raw(get(handshake_url));
  CHECK(run_until(stage.loop, [&] { return waiting.has_value(); }));
  (*waiting)(sio::refuse(""));
  raw.answer();
  CHECK(seen == handshake_url + " 127.0.0.1"s);
}

// ---- engineio::Server -----------------------------------------------------------------------------------

TEST_CASE("engine: texts and bytes, over polling, the upgrade, and the end") {
  Engine stage;
  std::vector<std::string> journal;
  stage.io.on_connection([&](eio::Session& session, const sio::http::Request& request) {
    journal.push_back("open " + std::string(request.query["who"]) + " " + session.transport());
    session.send_text("welcome");
  });
  stage.io.on_message([](eio::Session& session, std::string_view payload, bool is_binary) {
    is_binary ? session.send_binary(payload) : session.send_text(payload);
  });
  stage.io.on_upgrade([&](eio::Session& session) {
    journal.push_back(std::string("upgrade ") + session.transport());
    session.send_text("up");
  });
  stage.io.on_close([&](eio::Session& session, sio::Reason reason, std::string_view) {
    journal.push_back(std::string("close ") + sio::row(reason).text);
    session.send_text("nobody hears this");
  });
  auto raw = stage.raw(get(handshake_url + "&who=me"s));
  const auto open = raw.answer();
  CHECK(
      open.ends_with("}\x1e"
                     "4welcome"));
  const auto session = "&sid="s + sid_of(open);
  raw.send(post(handshake_url + session,
                "4hi\x1e"
                "bAQID"));
  CHECK(raw.answer().ends_with("ok"));
  auto ws = stage.raw(upgrade(handshake_ws_url + session) + text("2probe"));
  ws.hears(switched() + said(0x81, "3probe"));
  ws.send(text("5"));  // what waits comes first, then what on_upgrade sends
  ws.hears(said(0x81, "4hi") + said(0x82, "\x01\x02\x03") + said(0x81, "4up"));
  ws.send(text("4\xF0\x9F\x98\x80") + binary("\xff"));
  ws.hears(said(0x81, "4\xF0\x9F\x98\x80") + said(0x82, "\xff"));
  CHECK(stage.io.clients_count() == 1);
  ws.send(close("\x03\xe8"));
  ws.hears(said(0x88, "\x03\xe8"));
  CHECK(run_until(stage.loop, [&] { return stage.io.clients_count() == 0; }));
  CHECK(journal == std::vector<std::string>{"open me polling", "upgrade websocket", "close transport close"});
}

TEST_CASE("engine: what is no UTF-8 is repaired, what throws is logged, who closes at once is closed") {
  Engine stage;
  stage.io.on_message([](eio::Session& session, std::string_view payload, bool) {
    if (payload == "throw") throw std::runtime_error("a bug");
    if (payload == "close") return session.close();
    session.send_text("a\xff");
  });
  int second = 0;
  stage.io.on_message([&](eio::Session&, std::string_view, bool) { ++second; });
  auto ws = stage.raw(upgrade(handshake_ws_url));
  CHECK(run_until(stage.loop, [&] { return ws.heard().find("maxPayload") != std::string::npos; }));
  ws.take(1);
  ws.send(text("4throw") + text("4x"));
  ws.hears(said(0x81, "4a\xEF\xBF\xBD"));
  CHECK(second == 2);
  CHECK(stage.errors == std::vector<std::string>{"A session's handler threw"});
  ws.send(text("4close"));
  ws.hears(said(0x88, ""));

  Engine unfriendly;
  unfriendly.io.on_connection([](eio::Session& session, const sio::http::Request&) { session.close(); });
  auto shown_out = unfriendly.raw(upgrade(handshake_ws_url));
  CHECK(run_until(unfriendly.loop, [&] { return shown_out.heard().ends_with(said(0x88, "")); }));
  auto polling = unfriendly.raw(get(handshake_url));
  polling.send(get(handshake_url + "&sid="s + sid_of(polling.answer())));
  CHECK(
      polling.answer().ends_with("6\x1e"
                                 "1"));
}

TEST_CASE("engine: a session that is kept is inert when the server is gone") {
  sio::Ref<eio::Session> kept;
  {
    Engine stage;
    stage.io.on_connection(
        [&](eio::Session& session, const sio::http::Request&) { kept = sio::Ref<eio::Session>(&session); });
    auto raw = stage.raw(get(handshake_url));
    raw.answer();
    CHECK(kept->open());
  }
  CHECK_FALSE(kept->open());
  kept->send_text("x"), kept->send_binary("x"), kept->close(), kept->close_at({});
}

TEST_CASE("engine: the default path, and a handler that closes the server") {
  eio::Server with_default;
  CHECK(with_default.options().path == "/engine.io/");
  Engine stage;
  bool done = false;
  stage.io.on_connection([&](eio::Session&, const sio::http::Request&) { stage.io.close([&] { done = true; }); });
  auto raw = stage.raw(get(handshake_url));
  raw.answer();
  CHECK(run_until(stage.loop, [&] { return done; }));
}

// ---- http::Server, files --------------------------------------------------------------------------------

TEST_CASE("http server: routes, and nothing of Engine.IO") {
  Stage<sio::http::Server> stage;
  stage.io.http().get("/hi",
                      [](const sio::http::Request&) { return sio::http::Response{200, "text/plain", "hi", {}}; });
  auto raw = stage.raw(get("/hi"));
  raw.hears(answered("200 OK", "Content-Type: text/plain\r\nContent-Length: 2\r\n", "hi"));
  for (const auto& target : {handshake_url, handshake_ws_url, "/"}) {
    raw.send(get(target));
    raw.hears(answered("404 Not Found", "Content-Length: 0\r\n", ""));
  }
  CHECK(stage.io.clients_count() == 0);
  bool done = false;
  stage.io.close([&] { done = true; });
  CHECK(run_until(stage.loop, [&] { return done; }));
}

TEST_CASE("files: bytes, tag, and what a client has already") {
  Engine stage;
  const std::string contents("a\0b", 3), tag = "\"" + sio::bytes::base64_encode(sio::bytes::sha1(contents)) + "\"";
  stage.io.http()
      .file("/app.js", "application/javascript", contents)
      .file("/engine.io/logo.svg", "image/svg+xml", "<svg/>");
  auto raw = stage.raw(get("/app.js?v=1"));
  raw.hears(answered("200 OK", "Content-Type: application/javascript\r\nContent-Length: 3\r\nETag: " + tag + "\r\n",
                     contents));
  raw.send(head("HEAD", "/app.js"));
  raw.hears(
      answered("200 OK", "Content-Type: application/javascript\r\nContent-Length: 3\r\nETag: " + tag + "\r\n", ""));
  for (const auto& has : {tag, "W/" + tag, "\"x\", " + tag, "*"s}) {
    raw.send(get("/app.js", "If-None-Match: " + has + "\r\n"));
    raw.hears(answered("304 Not Modified", "ETag: " + tag + "\r\n", ""));
  }
  for (const auto& has : {"\"x\""s, ""s, tag.substr(1), "**"s}) {
    raw.send(get("/app.js", "If-None-Match: " + has + "\r\n"));
    CHECK(raw.answer().starts_with("HTTP/1.1 200"));
  }
  raw.send(get("/engine.io/logo.svg"));  // an exact route wins over the engine's prefix
  CHECK(raw.answer().ends_with("<svg/>"));
  raw.send(post("/engine.io/logo.svg", "x"));  // for its method only
  CHECK(raw.answer().ends_with(R"({"code":0,"message":"Transport unknown"})"));
}

namespace {

struct Folder {
  explicit Folder(std::initializer_list<std::pair<std::string, std::string>> files) {
    std::filesystem::create_directories(path);
    for (const auto& [name, contents] : files) std::ofstream(path / name, std::ios::binary) << contents;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("sio_demo_client_" + sio::bytes::Random().id());
};

}  // namespace

TEST_CASE("client files: under the engine's path, with the version as their tag") {
  const Folder folder{{"socket.io.js", "the client"}, {"socket.io.js.map", "{}"}, {"secret.js", "no"}};
  auto options = quiet();
  options.path = "/socket.io/";
  Engine stage(options);
  stage.io.serve_client(folder.path.string(), "4.8.4");
  const auto served = [](std::string_view type, std::string_view size, std::string_view body) {
    return answered("200 OK",
                    "Content-Length: " + std::string(size) +
                        "\r\nCache-Control: public, max-age=0\r\nContent-Type: application/" + std::string(type) +
                        "; charset=utf-8\r\nETag: \"4.8.4\"\r\n",
                    body);
  };
  auto raw = stage.raw(get("/socket.io/socket.io.js?x=1"));
  raw.hears(served("javascript", "10", "the client"));
  raw.send(get("/socket.io/socket.io.js.map"));
  raw.hears(served("json", "2", "{}"));
  raw.send(head("HEAD", "/socket.io/socket.io.js"));
  raw.hears(served("javascript", "10", ""));
  for (const auto* has : {"\"4.8.4\"", "W/\"4.8.4\""}) {
    raw.send(get("/socket.io/socket.io.js", "If-None-Match: "s + has + "\r\n"));
    raw.hears(answered("304 Not Modified", "", ""));
  }
  for (const auto* other : {"secret.js", "socket.io.min.js", "../secret.js", "socket.io.js/"}) {
    raw.send(get("/socket.io/"s + other));
    raw.hears(json_answer("400 Bad Request", R"({"code":0,"message":"Transport unknown"})"));
  }

  options.path = "/live", options.add_trailing_slash = false;
  Engine other(options);
  other.io.serve_client(folder.path.string());
  const auto answer = other.raw(get("/live/socket.io.js")).answer();
  CHECK(answer.find("ETag: " + sio::http::entity_tag("the client") + "\r\n") != answer.npos);
}

TEST_CASE("client files: a folder without them is one clear error") {
  const Folder folder{{"socket.io.js", ""}};
  Engine stage;
  try {
    stage.io.serve_client("/no/such/folder");
    FAIL("there is no such folder");
  } catch (const std::system_error& error) {
    CHECK(std::string(error.what()).find("cannot serve /no/such/folder/socket.io.js (give the folder") == 0);
    CHECK(error.code() == std::errc::no_such_file_or_directory);
  }
  std::filesystem::remove(folder.path / "socket.io.js");
  std::filesystem::create_directory(folder.path / "socket.io.js");
  CHECK_THROWS_AS(stage.io.serve_client(folder.path.string()), std::system_error);
  std::filesystem::remove(folder.path / "socket.io.js");
  std::ofstream(folder.path / "socket.io.js", std::ios::binary) << std::string(8 * 1024 * 1024 + 1, 'x');
  CHECK_THROWS_AS(stage.io.serve_client(folder.path.string()), std::system_error);
}

// ---- serve ----------------------------------------------------------------------------------------------

namespace {

/// Accepts one connection in a loop of its own, as somebody else's server would.
template <class Socket>
Socket accepted(asio::io_context& theirs, asio::io_context& loop, std::optional<Raw>& client) {
  asio::ip::tcp::acceptor acceptor(theirs, {asio::ip::address_v4::loopback(), 0});
  client.emplace(loop, acceptor.local_endpoint().port());
  return Socket(acceptor.accept());
}

}  // namespace

TEST_CASE("serve: a connection of another loop, with the bytes that were read from it") {
  asio::io_context theirs;
  Engine stage;
  std::optional<Raw> client;
  const std::string request = get("/elsewhere") + upgrade(handshake_ws_url) + text("2probe");
  for (const std::size_t read : {std::size_t{0}, std::size_t{1}, std::size_t{20}, get("/elsewhere").size() + 5,
                                 request.size() - 3, request.size()}) {
    auto socket = accepted<asio::ip::tcp::socket>(theirs, stage.loop, client);
    stage.io.serve(std::move(socket), request.substr(0, read));
    client->send(request.substr(read));
    CHECK(run_until(stage.loop, [&] {
      return client->heard().ends_with(said(0x88, "")) || client->heard().find("maxPayload") != std::string::npos;
    }));
    const auto answer = client->take(1);
    CHECK(answer.starts_with(answered("404 Not Found", "Content-Length: 0\r\n", "") + switched() + "\x81"));
  }
  CHECK(run_until(stage.loop, [&] { return client->heard(), true; }));
}

TEST_CASE("serve: sockets of any executor, of our loop and of another") {
  using Any = asio::basic_stream_socket<asio::ip::tcp, asio::any_io_executor>;
  using Own = sio::net::TcpSocket;
  asio::io_context theirs;
  sio::Server io(theirs, quiet());  // it does not listen
  std::optional<Raw> client;
  const auto serves = [&](auto socket) {
    io.serve(std::move(socket));
    client->send(get("/elsewhere"));
    client->hears(answered("404 Not Found", "Content-Length: 0\r\n", ""));
  };
  serves(accepted<Any>(theirs, theirs, client));
  const auto own = [&](asio::io_context& loop) {
    auto any = accepted<Any>(loop, theirs, client);
    const auto protocol = any.local_endpoint().protocol();
    Own socket(theirs.get_executor());
    socket.assign(protocol, any.release());
    return socket;
  };
  serves(own(theirs));
  asio::io_context other;
  serves(own(other));
}

TEST_CASE("serve: what cannot be taken over is an error, whose client has left is not") {
  asio::io_context theirs;
  Engine stage;
  try {
    stage.io.serve(asio::ip::tcp::socket(theirs));
    FAIL("it is not open");
  } catch (const std::system_error& error) {
    CHECK(std::string(error.what()).find("cannot serve a connection (its socket must be open") == 0);
  }
  asio::ip::tcp::socket unconnected(theirs, asio::ip::tcp::v4());
  CHECK_NOTHROW(stage.io.serve(std::move(unconnected)));
  std::optional<Raw> client;
  auto socket = accepted<asio::ip::tcp::socket>(theirs, stage.loop, client);
  stage.io.close();
  CHECK_THROWS_AS(stage.io.serve(std::move(socket)), std::system_error);
}

TEST_CASE("serve: hostile bytes are refused as if they had come") {
  asio::io_context theirs;
  Engine stage;
  std::optional<Raw> client;
  auto socket = accepted<asio::ip::tcp::socket>(theirs, stage.loop, client);
  stage.io.serve(std::move(socket), "\x16\x03\x01");
  client->hears("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  socket = accepted<asio::ip::tcp::socket>(theirs, stage.loop, client);
  stage.io.serve(std::move(socket), "GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x'));
  client->hears("HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n");
}

// ---- the thread -----------------------------------------------------------------------------------------

TEST_CASE("thread: debug builds know the loop's") {
  struct Nobody final : eio::Application {
    void on_open(eio::Session&, const sio::http::Request&) override {}
    void on_message(eio::Session&, std::string_view, bool) override {}
    void on_close(eio::Session&, sio::Reason, std::string_view) override {}
  } nobody;
  asio::io_context loop;
  const sio::Options options = quiet();
  const sio::Log log(sio::LogLevel::off, {});
  sio::Counters counters;
  sio::http::Router router;
  eio::Engine engine(options, log, counters, nobody);
  const sio::Ref<sio::net::Driver> driver(new sio::net::Driver(loop, engine, router));
  const auto elsewhere = [&] {
    bool good = false;
    std::thread([&] { good = engine.on_thread(); }).join();
    return good;
  };
  CHECK(elsewhere());  // nobody has run anything yet
  { const sio::net::Driver::Turn turn(*driver); }
  CHECK(engine.on_thread());
  CHECK_FALSE(elsewhere());
  loop.stop();
  CHECK(elsewhere());
  driver->abandon();
}
