// Chapter 11: RESP dialogues, the URL, the messages byte for byte, hostile ones, and the adapter against a Redis of
// a hundred lines in the same loop.
#include "../dialogue.hpp"
#include "../polling_client.hpp"
#include "sio_demo.hpp"

#include <doctest/doctest.h>

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace {

namespace sio = sio_demo;
namespace redis = sio_demo::redis;
using dialogue::hex;
using dialogue::printable;
using dialogue::repeated;
using polling_client::Client;
using polling_client::run_until;
using polling_client::settle;
using redis::Value;
using sio::json;
using sio::Progress;
using Texts = std::vector<std::string>;
using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace std::string_view_literals;

// ---- RESP ---------------------------------------------------------------------------------------------

/// What a program keeps with a socket, and cannot say.
struct Unspeakable {
  int x = 0;
};
void to_json(json&, const Unspeakable&) { throw std::runtime_error("a bug"); }
[[maybe_unused]] void from_json(const json&, Unspeakable&) {}

/// A value as a person can read it: (pong ["a" 1 nil]) for a list.
std::string spell(const Value& value) {
  switch (value.kind) {
    case Value::Kind::null: return "nil";
    case Value::Kind::text: return '"' + printable(value.text) + '"';
    case Value::Kind::error: return '!' + value.text;
    case Value::Kind::integer: return std::to_string(value.number);
    case Value::Kind::too_big: return "too big";
    case Value::Kind::list: break;
  }
  std::string out = "[";
  for (const auto& one : value.list) out += (out.size() > 1 ? " " : "") + spell(one);
  return out + ']';
}

/// What a reader makes of a stream that comes in pieces of this size.
std::string read_all(std::string_view stream, std::size_t piece, std::size_t largest = 100) {
  redis::Reader reader(largest);
  std::string out;
  Value value;
  while (!stream.empty()) {
    auto part = stream.substr(0, piece);
    stream.remove_prefix(part.size());
    for (;;) {
      const auto progress = reader.read(part, value);
      if (progress == Progress::more) break;
      if (progress == Progress::malformed) return out + "malformed: " + reader.why();
      out += spell(value) + ' ';
    }
  }
  return out;
}

}  // namespace

TEST_CASE("RESP: replies, cut anywhere") {
  const struct {
    std::string_view stream, expected;
  } rows[] = {
      {"+OK\r\n", "\"OK\" "},
      {"+OK\r\n:5\r\n-ERR no\r\n", "\"OK\" 5 !ERR no "},
      {":-9223372036854775808\r\n", "-9223372036854775808 "},
      {"$5\r\na\r\nbc\r\n", "\"a\\r\\nbc\" "},
      {"$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n", "\"\" nil nil [] "},
      {"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$3\r\n\x93\xa0\x01\r\n", "[\"message\" \"a\" \"\\x93\\xa0\\x01\"] "},
      {"*2\r\n*2\r\n:1\r\n*0\r\n$-1\r\n+x\r\n", "[[1 []] nil] \"x\" "},
      {"+\r\n", "\"\" "},
      {"+OK\n", "malformed: a line does not end with CR LF"},
      {":x\r\n", "malformed: a number is malformed, or the type of a reply unknown"},
      {":99999999999999999999\r\n", "malformed: a number is malformed, or the type of a reply unknown"},
      {"%5\r\n", "malformed: the type of a reply is unknown"},
      {"$-2\r\n", "malformed: a length is negative"},
      {"$1\r\nab\r\n", "malformed: a string does not end with CR LF"},
      {"HTTP/1.1 400 Bad Request\r\n", "malformed: a number is malformed, or the type of a reply unknown"},
  };
  for (const auto& row : rows) {
    INFO(printable(row.stream));
    for (std::size_t piece = 1; piece <= row.stream.size(); ++piece) CHECK(read_all(row.stream, piece) == row.expected);
  }
}

TEST_CASE("RESP: simple strings count, too") {
  redis::Reader reader(100);
  Value value;
  const std::string in = "*3\r\n+" + std::string(60, 'x') + "\r\n+" + std::string(60, 'x') + "\r\n";
  std::string_view rest = in;
  CHECK(reader.read(rest, value) == Progress::malformed);
  CHECK(reader.why() == "a reply is too large"s);
}

TEST_CASE("RESP: limits") {
  const std::string big = "*2\r\n$3\r\nabc\r\n$98\r\n" + std::string(98, 'x') + "\r\n:1\r\n";
  for (const std::size_t piece : {1u, 7u, 1000u}) CHECK(read_all(big, piece) == "[\"abc\" too big] 1 ");
  CHECK(read_all("$100\r\n" + std::string(100, 'x') + "\r\n", 9) == '"' + std::string(100, 'x') + "\" ");
  CHECK(read_all("$9000000000000000000\r\n" + std::string(10'000, 'x'), 100).empty());  // skipped as it comes
  CHECK(read_all(repeated("*1\r\n", 9), 4) == "malformed: lists are nested too deep");
  CHECK(read_all("+" + std::string(70'000, 'x'), 1000) == "malformed: a line is too long");
  CHECK(read_all("*9223372036854775807\r\n" + repeated(":1\r\n", 70'000), 20'000) ==
        "malformed: a reply has too many values");
  CHECK(redis::command({"PUBLISH", "a b", "\r\n"}) == "*3\r\n$7\r\nPUBLISH\r\n$3\r\na b\r\n$2\r\n\r\n\r\n");
}

// ---- the URL ------------------------------------------------------------------------------------------

TEST_CASE("URL") {
  const struct {
    std::string_view url, expected;
  } rows[] = {
      {"redis://", " : localhost 6379 0"},
      {"redis://h", " : h 6379 0"},
      {"redis://h:1/", " : h 1 0"},
      {"redis://h/15", " : h 6379 15"},
      {"redis://u:p@h:1/2", "u : p h 1 2"},
      {"redis://:p%40ss+%2f@h", " : p@ss+/ h 6379 0"},
      {"redis://u:a:b@[::1]:7/3", "u : a:b ::1 7 3"},
      {"redis://:p@x@h", " : p@x h 6379 0"},
      {"redis://[fe80::1]", " : fe80::1 6379 0"},
      {"rediss://:secret@h",
       "cannot use \"rediss://***@h\" as the address of Redis: TLS is not spoken here: let a proxy such as stunnel "
       "speak it, and connect to that (write redis://user:password@host:6379/0)"},
      {"h:6379",
       "cannot use \"h:6379\" as the address of Redis: it does not begin with redis:// (write "
       "redis://user:password@host:6379/0)"},
      {"redis://u@h",
       "cannot use \"redis://***@h\" as the address of Redis: there is a user without a password (write "
       "redis://user:password@host:6379/0)"},
      {"redis://:p@h:70000",
       "cannot use \"redis://***@h:70000\" as the address of Redis: the port is not a number from 1 to 65535 (an IPv6 "
       "address stands in brackets) (write redis://user:password@host:6379/0)"},
  };
  for (const auto& row : rows) {
    INFO(row.url);
    std::string got;
    try {
      const auto a = redis::parse_url(row.url);
      got = a.user + " : " + a.password + (a.password.empty() ? "" : " ") + a.host + ' ' + std::to_string(a.port) +
            ' ' + std::to_string(a.database);
    } catch (const std::invalid_argument& error) {
      got = error.what();
    }
    CHECK(got == row.expected);
  }
  for (const auto* wrong : {"redis://h:0", "redis://h:x", "redis://h:", "redis://h/x", "redis://h/1/2",
                            "redis://h/0?a=b", "redis://[::1", "redis://::1:6379", "unix:///tmp/x", ""})
    CHECK_THROWS_AS(redis::parse_url(wrong), std::invalid_argument);
  CHECK(redis::Address{.host = "::1", .password = "secret"}.text() == "[::1]:6379/0");
}

// ---- the messages, as the official adapter was seen to write them ---------------------------------------

namespace {

const std::string hello =
    hex("93 a6 67 46 5a 42 77 74 83 a4 74 79 70 65 02 a4 64 61 74 61 94 a5 68 65 6c 6c 6f 01 a2 c3 a9 82 a1 61 c0 a1 "
        "66 cb 3f f8 00 00 00 00 00 00"
        "a3 6e 73 70 a1 2f 83 a5 72 6f 6f 6d 73 90 a6 65 78 63 65 70 74 90 a5 66 6c 61 67 73 80");
const std::string to_rooms =
    hex("93 a6 67 46 5a 42 77 74 83 a4 74 79 70 65 02 a4 64 61 74 61 91 a1 78 a3 6e 73 70 a1 2f 83 a5 72 6f 6f 6d 73 "
        "92 a2 72 31 a2 72 32 a6 65 78 63 65 70 74"
        "91 a2 72 33 a5 66 6c 61 67 73 82 a8 76 6f 6c 61 74 69 6c 65 c3 a8 63 6f 6d 70 72 65 73 73 c2");
const std::string with_binary =
    hex("93 a6 67 46 5a 42 77 74 83 a4 74 79 70 65 02 a4 64 61 74 61 93 a3 62 69 6e c4 03 01 02 03 82 a1 64 c4 01 09 "
        "a1 74 d7 ff 1d 53 53 00 65 53 f1 00"
        "a3 6e 73 70 a1 2f 83 a5 72 6f 6f 6d 73 90 a6 65 78 63 65 70 74 90 a5 66 6c 61 67 73 80");
const std::string sockets_request =
    hex("85 a3 75 69 64 a6 67 46 5a 42 77 74 a9 72 65 71 75 65 73 74 49 64 a6 48 63 76 47 32 35 a4 74 79 70 65 07 a6 "
        "70 61 63 6b 65 74 83 a4 74 79 70 65 02"
        "a4 64 61 74 61 92 a3 61 73 6b 07 a3 6e 73 70 a1 2f a4 6f 70 74 73 83 a5 72 6f 6f 6d 73 90 a6 65 78 63 65 70 "
        "74 90 a5 66 6c 61 67 73 81 a7 74 69 6d 65 6f 75 74 cd 01 f4");
const std::string acked =
    hex("83 a4 74 79 70 65 09 a9 72 65 71 75 65 73 74 49 64 a6 48 63 76 47 32 35 a6 70 61 63 6b 65 74 a2 72 32");

std::string spell(const std::optional<redis::Event>& event) {
  if (!event) return "malformed";
  std::string out = event->uid + ' ' + event->nsp + ' ' + json(event->values).dump() + ' ' +
                    json(event->target.rooms).dump() + json(event->target.except).dump();
  return event->target.droppable ? out + " volatile" : out;
}

}  // namespace

TEST_CASE("messages: events") {
  CHECK(spell(redis::decode_event(hello)) == R"(gFZBwt / ["hello",1,"é",{"a":null,"f":1.5}] [][])");
  CHECK(spell(redis::decode_event(to_rooms)) == R"(gFZBwt / ["x"] ["r1","r2"]["r3"] volatile)");
  const auto binary = redis::decode_event(with_binary);
  REQUIRE(binary);
  CHECK(binary->values ==
        json::array_t{"bin", json::binary({1, 2, 3}), {{"d", json::binary({9})}, {"t", "2023-11-14T22:13:20.123Z"}}});
  for (const auto& text : {hello, to_rooms, with_binary}) {
    const auto event = redis::decode_event(text);
    CHECK(spell(redis::decode_event(redis::encode(*event))) == spell(event));
  }
  // What we write: every field is there, keys in order, and nothing behind.
  CHECK(
      dialogue::as_hex(redis::encode(redis::Event{"gFZBwt", "/chat", {"x", json::binary({7})}, {.rooms = {"red"}}})) ==
      "93 a6 67 46 5a 42 77 74 83 a4 64 61 74 61 92 a1 78 c4 01 07 a3 6e 73 70 a5 2f 63 68 61 74 a4 74 79 70 65 02 "
      "83 a6 65 78 63 65 70 74 90 a5 66 6c 61 67 73 80 a5 72 6f 6f 6d 73 91 a3 72 65 64");
}

TEST_CASE("messages: events that are none") {
  const auto message = [](const json& packet, const json& options) {
    return spell(redis::decode_event(redis::to_msgpack(json::array({"u", packet, options}))));
  };
  const json x{{"type", 2}, {"data", {"x"}}};
  CHECK(message(x, json::object()) == R"(u / ["x"] [][])");  // no nsp is "/"
  CHECK(message({{"type", 5}, {"data", {5, 1}}}, json::object()) == R"(u / [5,1] [][])");
  CHECK(message(x, {{"rooms", {1, 2.5, "a"}}}) == R"(u / ["x"] ["1","2.5","a"][])");  // JavaScript's numbers
  for (const json& packet : std::vector<json>{nullptr,
                                              "x",
                                              json::array(),
                                              json::object(),
                                              {{"type", 2}},
                                              {{"type", 1}, {"data", {"x"}}},
                                              {{"type", -2}, {"data", {"x"}}},
                                              {{"type", 2}, {"data", "x"}},
                                              {{"type", 2}, {"data", json::array()}},
                                              {{"type", 2}, {"data", {nullptr}}},
                                              {{"type", 2}, {"data", {"disconnect"}}},
                                              {{"type", 2}, {"data", {"x"}}, {"nsp", 5}}})
    CHECK(message(packet, json::object()) == "malformed");
  for (const json& options : std::vector<json>{nullptr,
                                               5,
                                               "x",
                                               json::array(),
                                               {{"rooms", "x"}},
                                               {{"rooms", {nullptr}}},
                                               {{"except", {json::object()}}},
                                               {{"rooms", 5}}})
    CHECK(message(x, options) == "malformed");
  for (const auto text : {""sv, "\xc1"sv, "garbage"sv, "[]"sv, "{}"sv, "\x93"sv, "\x92\xa1u\x80"sv, "\x90"sv, "\x80"sv,
                          "\x81\x01\x02"sv, "\xc0"sv})
    CHECK_FALSE(redis::decode_event(text));
  CHECK_FALSE(redis::decode_event(hello + '\0'));
  for (std::size_t size = 0; size < hello.size(); ++size)
    CHECK_FALSE(redis::decode_event(std::string_view(hello).substr(0, size)));
  for (const auto& good : {to_rooms, with_binary, sockets_request})
    dialogue::each_mutation(
        good, [](std::string_view text) { (void)redis::decode_event(text), (void)redis::decode_request(text); });
}

TEST_CASE("messages: msgpack that promises, or nests") {
  CHECK_FALSE(redis::from_msgpack(repeated("\x91", 100'000) + '\1'));
  CHECK_FALSE(redis::from_msgpack(repeated("\x81\xa1k", 100'000) + '\1'));
  for (const auto* promise : {"dd ff ff ff ff", "df ff ff ff ff", "c6 ff ff ff ff", "db ff ff ff ff",
                              "c9 ff ff ff ff 00", "df 80 00 00 00", "dd 00 00 00 02 01"})
    CHECK_FALSE(redis::from_msgpack(hex(promise)));
  CHECK(redis::from_msgpack(hex("91 91 91 01"), {.depth = 3, .values = 49}));
  CHECK_FALSE(redis::from_msgpack(hex("91 91 91 01"), {.depth = 2, .values = 49}));
  CHECK_FALSE(redis::from_msgpack(hex("91 91 91 01"), {.depth = 3, .values = 48}));
  const auto value = [](std::string_view text) { return redis::from_msgpack(hex(text)).value_or("malformed"); };
  CHECK(value("d6 ff 65 53 f1 00") == "2023-11-14T22:13:20.000Z");
  CHECK(value("c7 0c ff 07 54 d4 c0 00 00 00 00 65 53 f1 00") == "2023-11-14T22:13:20.123Z");
  CHECK(value("c7 0c ff 00 00 00 00 ff ff ff ff ff ff ff ff") == "1969-12-31T23:59:59.000Z");
  CHECK(value("c7 0c ff 00 00 00 00 7f ff ff ff ff ff ff ff") == json());
  CHECK(value("d7 00 00 00 01 8b cf e5 68 7b") == "2023-11-14T22:13:20.123Z");
  CHECK(value("d7 00 80 00 00 00 00 00 00 00") == json());
  CHECK(value("d4 00 00") == json());
  CHECK(value("c7 02 00 01 02") == json::binary({1, 2}));
  CHECK(value("d4 05 00") == "malformed");
  CHECK(value("ca 3f c0 00 00") == 1.5);
  CHECK(value("cb bf f8 00 00 00 00 00 00") == -1.5);
  CHECK(value("d9 01 61") == "a");
  CHECK(value("da 00 01 61") == "a");
  CHECK(value("db 00 00 00 01 61") == "a");
  CHECK(value("96 7f cc ff cd ff fe ce ff ff ff fe cf ff ff ff ff ff ff ff fe c3") ==
        json{127, 255, 65534, 4294967294, 18446744073709551614u, true});
  CHECK(value("97 e0 ff d0 80 d1 80 00 d2 80 00 00 00 d3 80 00 00 00 00 00 00 00 c2") ==
        json{-32, -1, -128, -32768, -2147483648, std::numeric_limits<std::int64_t>::min(), false});
  CHECK(value("93 c4 01 07 c5 00 01 07 c6 00 00 00 01 07") ==
        json{json::binary({7}), json::binary({7}), json::binary({7})});
  CHECK(value("94 dc 00 01 01 dd 00 00 00 01 02 de 00 01 a1 61 03 df 00 00 00 01 a1 61 04") ==
        json{{1}, {2}, {{"a", 3}}, {{"a", 4}}});
  CHECK(value("82 a1 61 01 a1 61 02") == json{{"a", 2}});  // the last one counts
  for (const auto* wrong : {"81 01 02", "81 d6 ff 65 53 f1 00 01", "81", "92 01", "cd 01", "d7 ff 00", "c1"})
    CHECK(value(wrong) == "malformed");
}

TEST_CASE("messages: requests") {
  const auto again = [](std::string_view text) {
    const auto request = redis::decode_request(text);
    return request ? redis::encode(*request) : "malformed";
  };
  const auto same = [&](std::string_view text) { CHECK(redis::from_text(again(text)) == redis::from_text(text)); };
  same(R"({"uid":"gFZBwt","requestId":"W4sL-b","type":1})");
  same(R"({"uid":"gFZBwt","type":2,"opts":{"rooms":["r1"],"except":["zz"]},"rooms":["a","b"]})");
  same(R"({"uid":"gFZBwt","type":3,"opts":{"rooms":["r1"],"except":[]},"rooms":["b"]})");
  same(R"({"uid":"gFZBwt","type":4,"opts":{"rooms":["kZIFosZw8tHtVGaCAAAB"],"except":[]},"close":true})");
  same(R"({"uid":"gFZBwt","requestId":"hKuaxo","type":5,"opts":{"rooms":[],"except":[]}})");
  same(R"({"uid":"gFZBwt","type":6,"data":["ping2",1]})");
  same(R"({"uid":"gFZBwt","requestId":"fVCAok","type":6,"data":["ping2","z"]})");
  same(sockets_request);
  CHECK(redis::decode_request(sockets_request)->timeout == 500ms);
  const auto binary =
      redis::encode({.type = redis::Type::server_side_emit, .uid = "u", .values = {"e", json::binary({1})}});
  CHECK(binary[0] != '{');  // JSON could not say it
  CHECK(redis::decode_request(binary)->values == json::array_t{"e", json::binary({1})});
  for (const auto* wrong :
       {"{", "{}", R"({"type":99})", R"({"type":"1"})", R"({"type":1.5})", R"({"type":1})",
        R"({"type":5,"requestId":"a"})", R"({"type":5,"requestId":"a","opts":null})", R"({"type":2})",
        R"({"type":2,"opts":{},"rooms":5})", R"({"type":6,"data":[]})", R"({"type":6,"data":"x"})",
        R"({"type":6,"data":[5]})", R"({"type":7,"requestId":"a","opts":{}})", R"({"type":8,"requestId":"a"})",
        R"({"type":0,"requestId":"a","rooms":[]})", R"({"type":2,"sid":"abc","room":"r"})", "null", "[1]"})
    CHECK_FALSE(redis::decode_request(wrong));
  CHECK_FALSE(redis::decode_request(R"({"type":6,"data":)" + repeated("[", 100'000)));
}

TEST_CASE("messages: answers, channels") {
  const auto answer = redis::decode_response(acked);
  REQUIRE(answer);
  CHECK(answer->at("requestId") == "HcvG25");
  CHECK(redis::is(*answer, redis::Type::ack));
  CHECK(answer->at("packet") == "r2");
  CHECK(redis::is(*redis::decode_response(R"({"type":8,"requestId":"HcvG25","clientCount":1})"),
                  redis::Type::client_count));
  CHECK_FALSE(redis::decode_response(R"({"requestId":5})"));
  CHECK_FALSE(redis::decode_response("{}"));
  const redis::Channels channels("socket.io", "/a[b]*", "gFZBwt");
  CHECK(channels.broadcast == "socket.io#/a[b]*#");
  CHECK(channels.pattern == R"(socket.io#/a\[b\]\*#*)");
  CHECK(channels.request == "socket.io-request#/a[b]*#");
  CHECK(channels.own == "socket.io-response#/a[b]*#gFZBwt#");
}

// ---- the adapter ----------------------------------------------------------------------------------------

namespace {

/// A Redis that knows what the adapter says, in the loop of the servers.
class FakeRedis {
 public:
  explicit FakeRedis(asio::io_context& loop) : loop_(loop), acceptor_(loop) { listen(); }
  ~FakeRedis() { stop(); }

  std::uint16_t port = 0;
  bool mute = false;               // says nothing more
  std::string refuses;             // a command that gets an error
  std::optional<int> subscribers;  // what NUMSUB says, if not the truth
  std::vector<std::pair<std::string, std::string>> published;
  Texts commands;  // but for PUBLISH
  std::map<std::string, std::pair<std::string, std::chrono::steady_clock::time_point>>
      leases;  // by key: of whom, until when

  void listen() {
    acceptor_ = asio::ip::tcp::acceptor(loop_, {asio::ip::address_v4::loopback(), port});
    port = acceptor_.local_endpoint().port();
    accept();
  }
  void cut() {
    for (const auto& peer : std::exchange(peers_, {})) peer->socket.close();
  }
  void stop() {
    acceptor_.close();
    cut();
  }
  std::size_t deliver(const std::string& channel, const std::string& message) {
    std::size_t count = 0;
    for (const auto& peer : std::vector(peers_)) {
      if (peer->channels.contains(channel)) ++count, say(*peer, redis::command({"message", channel, message}));
      for (const auto& [pattern, prefix] : peer->patterns)
        if (channel.starts_with(prefix)) ++count, say(*peer, redis::command({"pmessage", pattern, channel, message}));
    }
    return count;
  }
  std::size_t connections() const { return peers_.size(); }
  std::size_t count(const std::string& channel) const {
    return static_cast<std::size_t>(std::count_if(peers_.begin(), peers_.end(),
                                                  [&](const auto& peer) { return peer->channels.contains(channel); }));
  }

 private:
  struct Peer {
    explicit Peer(asio::ip::tcp::socket its) : socket(std::move(its)) {}
    asio::ip::tcp::socket socket;
    std::array<char, 8192> in{};
    redis::Reader reader{1 << 20};
    std::map<std::string, std::string> patterns;  // and the prefix that each stands for
    std::map<std::string, bool> channels;
  };
  using PeerPtr = std::shared_ptr<Peer>;

  void accept() {
    acceptor_.async_accept([this](std::error_code error, asio::ip::tcp::socket socket) {
      if (error) return;
      peers_.push_back(std::make_shared<Peer>(std::move(socket)));
      read(peers_.back());
      accept();
    });
  }
  void read(const PeerPtr& peer) {
    peer->socket.async_read_some(asio::buffer(peer->in), [this, peer](std::error_code error, std::size_t size) {
      if (error) return void(std::erase(peers_, peer));
      std::string_view in(peer->in.data(), size);
      for (Value value; peer->socket.is_open() && peer->reader.read(in, value) == Progress::complete;)
        obey(*peer, value);
      read(peer);
    });
  }
  void say(Peer& peer, const std::string& text) {
    std::error_code ignored;
    if (!mute) asio::write(peer.socket, asio::buffer(text), ignored);
  }
  void obey(Peer& peer, const Value& command) {
    const auto word = [&](std::size_t i) { return command.list.at(i).text; };
    const std::string name = word(0);
    if (name != "PUBLISH") {
      commands.push_back(name);
      for (std::size_t i = 1; i < command.list.size(); ++i) commands.back() += ' ' + word(i);
    }
    if (name == refuses) return say(peer, "-NOPE you may not\r\n");
    if (name == "PUBLISH") {
      published.emplace_back(word(1), word(2));
      return say(peer, ":" + std::to_string(deliver(word(1), word(2))) + "\r\n");
    }
    if (name == "EVAL")
      return say(peer, ":" +
                           std::to_string(command.list.size() == 6 ? lease(word(3), word(4), std::stoi(word(5)))
                                                                   : give_back(word(3), word(4))) +
                           "\r\n");
    if (name == "PUBSUB")
      return say(
          peer, "*2\r\n$1\r\nx\r\n:" + std::to_string(subscribers.value_or(static_cast<int>(count(word(2))))) + "\r\n");
    if (name == "PING") return say(peer, peer.channels.empty() ? "+PONG\r\n" : "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    if (name == "PSUBSCRIBE") {
      auto& prefix = peer.patterns[word(1)];
      for (const char c : word(1))
        if (c != '\\') prefix += c;
      prefix.pop_back();
      return say(peer, "*3\r\n$10\r\npsubscribe\r\n$1\r\nx\r\n:1\r\n");
    }
    if (name == "PUNSUBSCRIBE") return void(peer.patterns.erase(word(1)));
    if (name == "UNSUBSCRIBE") return void(peer.channels.erase(word(1)));
    if (name != "SUBSCRIBE") return say(peer, "+OK\r\n");
    for (std::size_t i = 1; i < command.list.size(); ++i) {
      peer.channels[word(i)] = true;
      say(peer, "*3\r\n$9\r\nsubscribe\r\n$" + std::to_string(word(i).size()) + "\r\n" + word(i) + "\r\n:1\r\n");
    }
  }

  /// Takes a key for a time, if nobody has it; or renews it, if `owner` has it.
  bool lease(const std::string& key, const std::string& owner, int milliseconds) {
    const auto now = std::chrono::steady_clock::now();
    auto& [its_owner, until] = leases[key];
    if (until > now && its_owner != owner) return false;
    its_owner = owner, until = now + std::chrono::milliseconds(milliseconds);
    return true;
  }
  bool give_back(const std::string& key, const std::string& owner) {
    const auto found = leases.find(key);
    return found != leases.end() && found->second.first == owner && leases.erase(key) == 1;
  }

  asio::io_context& loop_;
  asio::ip::tcp::acceptor acceptor_;
  std::vector<PeerPtr> peers_;
};

/// Servers of one cluster, in one loop.
struct RedisServers {
  asio::io_context loop;
  FakeRedis fake{loop};
  Texts lines;  // of all servers' logs

  struct Node {
    Node(RedisServers& stage, redis::Options options, const std::string& secrets)
        : factory(redis::adapter("redis://" + secrets + "127.0.0.1:" + std::to_string(stage.fake.port) + "/3",
                                 quick(std::move(options)))),
          owned(std::make_unique<sio::Server>(stage.loop, stage.options())),
          io(*owned) {
      io.adapter(factory);
      io.listen();
    }
    static redis::Options quick(redis::Options options) {
      options.reconnect_delay = 1ms, options.reconnect_delay_max = 5ms;
      return options;
    }
    redis::Factory factory;
    std::unique_ptr<sio::Server> owned;
    sio::Server& io;
    redis::Client& cluster() { return factory.cluster(); }
    redis::Adapter& adapter() { return static_cast<redis::Adapter&>(io.of("/").adapter()); }
  };

  sio::Options options() {
    return {.host = "127.0.0.1",
            .port = 0,
            .cleanup_empty_child_namespaces = true,
            .log_level = sio::LogLevel::info,
            .log_sink = [this](const sio::LogRecord& record) { lines.push_back(std::string(record.message)); }};
  }
  std::unique_ptr<Node> node(redis::Options its = {.requests_timeout = 200ms}, const std::string& secrets = "") {
    auto out = std::make_unique<Node>(*this, std::move(its), secrets);
    REQUIRE(
        run_until(loop, [&] { return out->cluster().connected() && fake.count(out->adapter().channels.own) == 1; }));
    settle(loop, 3ms);
    return out;
  }
  Client client(Node& node) { return Client(loop, node.io.port()); }
  std::string last(const std::string& channel) const {
    const auto found = std::find_if(fake.published.rbegin(), fake.published.rend(),
                                    [&](const auto& one) { return one.first == channel; });
    return found == fake.published.rend() ? "" : found->second;
  }
};

using Sockets = std::vector<sio::RemoteSocket>;

/// What an operation brings.
template <class Result>
struct Brought {
  std::optional<std::error_code> error;
  Result result{};
  auto token() {
    return [this](std::error_code its, Result value) { error = its, result = std::move(value); };
  }
};

}  // namespace

TEST_CASE("cluster: greets, subscribes, and takes its leave") {
  RedisServers stage;
  auto one = stage.node({.client_name = "me"}, "u:p%20w@");
  const auto uid = one->adapter().uid();
  CHECK(uid.size() == 6);
  auto& commands = stage.fake.commands;
  for (const std::string command : {"AUTH u p w", "SELECT 3", "CLIENT SETNAME me"})
    CHECK(std::count(commands.begin(), commands.end(), command) == 2);
  CHECK(std::count(commands.begin(), commands.end(), R"(PSUBSCRIBE socket.io#/#*)") == 1);
  CHECK(std::count(commands.begin(), commands.end(),
                   "SUBSCRIBE socket.io-response#/#" + uid + "# socket.io-response#/# socket.io-request#/#") == 1);
  CHECK(stage.lines == Texts{"Redis: connected"});
  bool closed = false;
  one->io.close([&] { closed = true; });
  CHECK(run_until(stage.loop, [&] { return closed && stage.fake.connections() == 0; }));
  one->io.emit("nobody");  // goes nowhere, and does no harm
  Brought<Sockets> sockets;
  one->io.fetch_sockets(sockets.token());
  CHECK(run_until(stage.loop, [&] { return sockets.error.has_value(); }));
  CHECK_FALSE(*sockets.error);
}

TEST_CASE("cluster: broadcasts, to all, to a room, of all kinds") {
  RedisServers stage;
  auto one = stage.node(), two = stage.node();
  auto a = stage.client(*one), b = stage.client(*two);
  a.join();
  const auto id = b.join();
  one->io.emit("hello", 1, json::binary({1, 2}));
  CHECK(a.hear() == R"(451-["hello",1,{"_placeholder":true,"num":0}]~bAQI=)");
  CHECK(b.hear() == R"(451-["hello",1,{"_placeholder":true,"num":0}]~bAQI=)");
  one->io.to("red").emit("nobody");
  CHECK(stage.fake.published.back().first == "socket.io#/#");  // written when the turn is over
  settle(stage.loop, 5ms);
  CHECK(stage.fake.published.back().first == "socket.io#/#red#");
  one->io.to(id).emit("to one");
  CHECK(b.hear() == R"(42["to one"])");
  one->io.local().emit("local");
  CHECK(a.hear() == R"(42["local"])");
  one->io.in(id).sockets_join({"red", "blue"});
  one->io.to("red").except("green").emit("to red");
  CHECK(b.hear() == R"(42["to red"])");
  CHECK(two->io.find(id)->rooms().size() == 3);
  one->io.sockets_leave("red");
  CHECK(run_until(stage.loop, [&] { return two->io.find(id)->rooms() == Texts{id, "blue"}; }));
  stage.fake.deliver("socket.io#/#blue#",
                     redis::encode(redis::Event{"emitter", "/", {"by emitter"}, {.rooms = {"blue"}}}));
  CHECK(b.hear() == R"(42["by emitter"])");
  stage.fake.deliver("socket.io#/#nowhere#", redis::encode(redis::Event{"emitter", "/", {"no such room"}}));
  stage.fake.deliver("socket.io#/#", redis::encode(redis::Event{"emitter", "/other", {"another namespace"}}));
  stage.fake.deliver("socket.io#/#", redis::encode(redis::Event{one->adapter().uid(), "/", {"for the others"}}));
  CHECK(b.hear() == R"(42["for the others"])");
  stage.fake.deliver("socket.io-request#/#", R"({"type":4,"opts":{"rooms":["blue"]}})");
  CHECK(b.hear() == "41");
  CHECK(a.hears_nothing());
  CHECK(two->cluster().counters().malformed == 0);
}

TEST_CASE("cluster: fetch_sockets, all_rooms, server_side_emit") {
  RedisServers stage;
  auto one = stage.node(), two = stage.node();
  auto a = stage.client(*one), b = stage.client(*two);
  const auto ada = a.join(), bob = b.join();
  two->io.find(bob)->join("blue");
  Brought<Sockets> sockets;
  one->io.fetch_sockets(sockets.token());
  REQUIRE(run_until(stage.loop, [&] { return sockets.error.has_value(); }));
  CHECK_FALSE(*sockets.error);
  REQUIRE(sockets.result.size() == 2);
  CHECK(sockets.result[1].id == bob);
  CHECK(sockets.result[1].rooms == Texts{bob, "blue"});
  CHECK(sockets.result[1].handshake.at("query").at("transport") == "polling");
  CHECK(sockets.result[1].data == json::object());
  sockets.result[1].join("green");
  sockets.result[1].emit("direct");
  CHECK(b.hear() == R"(42["direct"])");
  Brought<json::array_t> direct;
  sockets.result[1].timeout(1s).emit("direct?", direct.token());
  CHECK(b.hear() == R"(420["direct?"])");
  b.say("430[7]");
  REQUIRE(run_until(stage.loop, [&] { return direct.error.has_value(); }));
  CHECK_FALSE(*direct.error);
  CHECK(direct.result == json::array_t{7});
  Brought<json::array_t> silence;
  sockets.result[1].timeout(20ms).emit("direct?", silence.token());
  CHECK(run_until(stage.loop, [&] { return silence.error == std::make_error_code(std::errc::timed_out); }));
  b.hear();

  Brought<Texts> rooms;
  one->io.all_rooms(rooms.token());
  REQUIRE(run_until(stage.loop, [&] { return rooms.error.has_value(); }));
  Texts expected{ada, bob, "blue", "green"};
  std::sort(expected.begin(), expected.end());
  CHECK(rooms.result == expected);

  std::size_t count = 0;
  one->adapter().server_count([&](std::error_code, std::size_t its) { count = its; });
  CHECK(run_until(stage.loop, [&] { return count == 2; }));

  two->io.on_server_side_emit("load", [](const json::array_t& arguments, const std::function<void(json)>& answer) {
    if (answer) answer({{"got", arguments}}), answer("twice");
  });
  Brought<json::array_t> loads;
  one->io.server_side_emit_with_ack("load", 1, json::binary({5}), loads.token());
  REQUIRE(run_until(stage.loop, [&] { return loads.error.has_value(); }));
  CHECK(loads.result == json::array_t{{{"got", {1, json::binary({5})}}}});
  CHECK_THROWS_AS(one->io.server_side_emit("connection", 1), std::invalid_argument);
  CHECK_THROWS_AS(one->adapter().server_side_emit({"connect", 1}, nullptr), std::invalid_argument);

  two->owned.reset();
  Brought<json::array_t> alone;
  one->io.server_side_emit_with_ack("load", alone.token());
  Brought<Sockets> here;
  CHECK(run_until(stage.loop, [&] { return stage.fake.connections() == 2; }));
  one->io.fetch_sockets(here.token());
  CHECK(run_until(stage.loop, [&] { return alone.error && here.error; }));
  CHECK_FALSE(*here.error);
  CHECK(here.result.size() == 1);
}

TEST_CASE("cluster: acks of a broadcast") {
  RedisServers stage;
  auto one = stage.node(), two = stage.node();
  auto a = stage.client(*one), b = stage.client(*two);
  a.join(), b.join();
  Brought<json::array_t> answers;
  one->io.timeout(1s).emit("ask", 4, answers.token());
  CHECK(a.hear() == R"(420["ask",4])");
  a.say(R"(430["from a"])");
  CHECK(b.hear() == R"(420["ask",4])");
  CHECK_FALSE(answers.error);
  b.say(R"(430["from b","more"])");
  REQUIRE(run_until(stage.loop, [&] { return answers.error.has_value(); }));
  CHECK_FALSE(*answers.error);
  CHECK(answers.result == json::array_t{"from a", "from b"});

  Brought<json::array_t> unlimited;  // and b is silent: the others have requests_timeout
  one->io.emit_with_ack("again", unlimited.token());
  a.hear(), a.say("431[1]");
  REQUIRE(run_until(stage.loop, [&] { return unlimited.error.has_value(); }));
  CHECK(*unlimited.error == std::errc::timed_out);
  CHECK(unlimited.result == json::array_t{1});

  Brought<json::array_t> hurried;
  one->io.timeout(30ms).emit("quick", hurried.token());
  REQUIRE(run_until(stage.loop, [&] { return hurried.error.has_value(); }));
  CHECK(*hurried.error == std::errc::timed_out);

  Brought<json::array_t> lied_to;  // more answers than clients are not believed
  stage.fake.subscribers = 2;
  two->owned.reset();
  one->io.timeout(100ms).emit("lies", lied_to.token());
  REQUIRE(run_until(stage.loop, [&] {
    return redis::decode_request(stage.last("socket.io-request#/#"))->values == json::array_t{"lies"};
  }));
  const auto id = redis::decode_request(stage.last("socket.io-request#/#"))->id;
  for (int i = 0; i < 9; ++i)
    stage.fake.deliver("socket.io-response#/#", redis::to_msgpack({{"type", 9}, {"requestId", id}, {"packet", i}}));
  stage.fake.deliver("socket.io-response#/#",
                     R"({"type":8,"clientCount":18446744073709551615,"requestId":")" + id + "\"}");
  REQUIRE(run_until(stage.loop, [&] { return lied_to.error.has_value(); }));
  CHECK(*lied_to.error == std::errc::timed_out);
  CHECK(lied_to.result.empty());
}

TEST_CASE("cluster: others ask") {
  RedisServers stage;
  auto one = stage.node();
  auto a = stage.client(*one);
  const auto ada = a.join();
  one->io.on_server_side_emit("load", [](const json::array_t&, const std::function<void(json)>& answer) { answer(7); });
  const auto ask = [&](const std::string& request) {
    stage.fake.published.clear();
    stage.fake.deliver("socket.io-request#/#", request);
    run_until(stage.loop, [&] { return !stage.fake.published.empty(); });
    return stage.fake.published.empty() ? json()
                                        : redis::from_text(stage.fake.published.front().second).value_or("malformed");
  };
  CHECK(ask(R"({"type":1,"requestId":"r","uid":"x"})") == json{{"requestId", "r"}, {"rooms", {ada}}});
  CHECK(ask(R"({"type":5,"requestId":"r","uid":"x","opts":{"rooms":["none"]}})") ==
        json{{"requestId", "r"}, {"sockets", json::array()}});
  CHECK(ask(R"({"type":6,"requestId":"r","uid":"x","data":["load"]})") ==
        json{{"type", 6}, {"requestId", "r"}, {"data", 7}});
  CHECK(ask(redis::encode({.type = redis::Type::broadcast, .uid = "x", .id = "r", .nsp = "/", .values = {"ask"}})) ==
        json{{"type", 8}, {"requestId", "r"}, {"clientCount", 1}});
  stage.fake.published.clear();
  CHECK(a.hear() == R"(420["ask"])");
  a.say("430[]");
  CHECK(run_until(stage.loop, [&] { return !stage.fake.published.empty(); }));
  CHECK(redis::from_msgpack(stage.fake.published.front().second) == json{{"type", 9}, {"requestId", "r"}});
  CHECK(ask(redis::encode({.type = redis::Type::broadcast,
                           .uid = "x",
                           .id = "r",
                           .target = {.rooms = {"none"}},
                           .nsp = "/",
                           .values = {"ask"}}))
            .at("clientCount") == 0);
  stage.fake.published.clear();
  stage.fake.deliver("socket.io-request#/#", R"({"type":1,"requestId":"r","uid":")" + one->adapter().uid() + "\"}");
  settle(stage.loop);
  CHECK(stage.fake.published.empty());  // our own

  auto two = stage.node({.publish_on_specific_response_channel = true});
  stage.fake.published.clear();
  stage.fake.deliver("socket.io-request#/#", R"({"type":1,"requestId":"r","uid":"x"})");
  CHECK(run_until(stage.loop, [&] { return stage.fake.published.size() == 2; }));
  CHECK_FALSE(stage.last("socket.io-response#/#x#").empty());
}

TEST_CASE("cluster: hostile messages are counted, and cost nothing else") {
  RedisServers stage;
  auto one = stage.node({.max_message_bytes = 10'000});
  auto a = stage.client(*one);
  a.join();
  std::uint64_t expected = 0;
  for (const std::string& channel : {"socket.io#/#"s, "socket.io-request#/#"s, "socket.io-response#/#"s})
    for (const auto& message : {std::string(), "\xc1"s, "garbage"s, "{"s, repeated("\x91", 9'000), repeated("[", 9'000),
                                std::string(20'000, 'x'), hex("dd ff ff ff ff"), hex("93 a1 75 c0 c0")})
      stage.fake.deliver(channel, message), ++expected;
  CHECK(run_until(stage.loop, [&] { return one->cluster().counters().malformed == expected; }));
  stage.fake.deliver("socket.io#/#", redis::encode(redis::Event{"emitter", "/", {"still here"}}));
  CHECK(a.hear() == R"(42["still here"])");
  CHECK(std::count(stage.lines.begin(), stage.lines.end(), "Redis: a malformed message was ignored") == 1);
  sio::Metrics metrics;
  one->io.measure(metrics);
  CHECK(metrics.text().find("sio_redis_malformed_total " + std::to_string(expected) + "\n") != std::string::npos);
  CHECK(metrics.text().find("sio_redis_connected 1\n") != std::string::npos);
}

TEST_CASE("cluster: an outage") {
  RedisServers stage;
  auto one = stage.node({.requests_timeout = 100ms, .max_queue_bytes = 1000}), two = stage.node();
  auto a = stage.client(*one), b = stage.client(*two);
  a.join();
  const auto bob = b.join();
  stage.fake.stop();
  CHECK(run_until(stage.loop, [&] { return !one->cluster().connected() && !two->cluster().connected(); }));
  one->io.emit("meanwhile", 1);
  CHECK(a.hear() == R"(42["meanwhile",1])");
  one->io.sockets_join("here");
  CHECK(one->io.of("/").adapter().room_size("here") == 1);  // at once
  Brought<Sockets> sockets;
  one->io.fetch_sockets(sockets.token());
  std::error_code failed;
  one->cluster().command({"GET", "x"}, [&](std::error_code error, const Value&) { failed = error; });
  CHECK(run_until(stage.loop, [&] { return sockets.error && failed; }));
  CHECK(*sockets.error == std::errc::timed_out);
  CHECK(sockets.result.size() == 1);  // what is known here
  CHECK(failed == std::errc::not_connected);
  CHECK(one->cluster().counters().dropped == 0);
  for (int i = 0; i < 20; ++i) one->io.emit("too many", std::string(100, 'x'));
  CHECK(one->cluster().counters().dropped > 10);
  CHECK(one->cluster().queued() <= 1000);
  a.hear();

  Brought<Sockets> later;  // asked now, answered when Redis is back
  stage.fake.listen();
  one->io.fetch_sockets(later.token());
  REQUIRE(
      run_until(stage.loop, [&] { return one->cluster().connected() && two->cluster().connected() && later.error; }));
  CHECK_FALSE(*later.error);
  CHECK(one->cluster().counters().reconnects == 1);
  const auto published = stage.last("socket.io#/#");
  CHECK(redis::decode_event(published)->values.front() == "too many");
  CHECK(stage.fake.published.front().first == "socket.io#/#");
  CHECK(std::count(stage.lines.begin(), stage.lines.end(), "Redis: connected again") == 2);
  CHECK(std::count(stage.lines.begin(), stage.lines.end(),
                   "Redis: connection lost. Clients of this server go on; other servers are not reached") == 2);

  CHECK(run_until(stage.loop, [&] { return stage.fake.count("socket.io-request#/#") == 2; }));
  one->io.to(bob).emit("back");
  std::string heard;  // perhaps behind what had waited
  for (int poll = 0; poll < 3 && heard.find("back") == heard.npos; ++poll) heard += b.hear();
  CHECK(heard.find(R"(42["back"])") != heard.npos);
}

TEST_CASE("cluster: a connection that breaks in the middle, a Redis that is silent, or says no") {
  RedisServers stage;
  auto one = stage.node({.connect_timeout = 50ms, .ping_interval = 20ms});
  std::optional<std::error_code> broken;
  stage.fake.mute = true;
  one->cluster().command({"GET", "x"}, [&](std::error_code error, const Value&) { broken = error; });
  CHECK(run_until(stage.loop, [&] { return broken.has_value(); }));
  CHECK(*broken == std::errc::connection_reset);
  CHECK_FALSE(one->cluster().connected());
  settle(stage.loop, 80ms);  // it connects, and is not answered
  stage.fake.mute = false;
  CHECK(run_until(stage.loop, [&] { return one->cluster().connected(); }));
  settle(stage.loop, 100ms);
  CHECK(std::count(stage.fake.commands.begin(), stage.fake.commands.end(), "PING") > 2);
  CHECK(one->cluster().connected());

  std::string reply;
  one->cluster().command({"SET", "k", "v", "NX"}, [&](std::error_code, const Value& value) { reply = value.text; });
  CHECK(run_until(stage.loop, [&] { return reply == "OK"; }));
  stage.fake.refuses = "SET";
  one->cluster().command({"SET", "k", "v"}, [&](std::error_code, const Value& value) { reply = spell(value); });
  CHECK(run_until(stage.loop, [&] { return reply == "!NOPE you may not"; }));
  stage.fake.refuses = "PUBLISH";
  one->io.emit("refused");
  CHECK(run_until(stage.loop, [&] { return one->cluster().counters().dropped == 1; }));
  stage.fake.refuses = "SELECT";
  stage.fake.cut();
  settle(stage.loop, 50ms);
  CHECK_FALSE(one->cluster().connected());
  stage.fake.refuses = "CLIENT";  // that is not needed
  settle(stage.loop, 30ms);
  stage.fake.refuses.clear();
  CHECK(run_until(stage.loop, [&] { return one->cluster().connected(); }));
}

TEST_CASE("cluster: a lease") {
  using State = redis::Lease::State;
  RedisServers stage;
  auto one = stage.node(), two = stage.node();
  const auto lease_of = [](RedisServers::Node& node, Texts& told) {
    auto lease = std::make_unique<redis::Lease>(node.factory, "the key", 60ms);
    lease->on_change([&told](State state) {
      told.push_back(state == State::held ? "held" : state == State::alone ? "alone" : "elsewhere");
    });
    return lease;
  };
  Texts a_told, b_told;
  auto a = lease_of(*one, a_told), b = lease_of(*two, b_told);
  bool both = false;
  const auto until = [&](const auto& condition) {
    return run_until(stage.loop, [&] {
      both = both || (a->state() == State::held && b && b->state() == State::held);
      return condition();
    });
  };
  CHECK(a->id() != b->id());
  CHECK(a->state() == State::elsewhere);  // nobody was asked
  a->start();
  REQUIRE(until([&] { return a->state() == State::held; }));
  b->start();
  const auto waited = std::chrono::steady_clock::now() + 150ms;
  CHECK(until([&] { return std::chrono::steady_clock::now() > waited; }));
  CHECK(a->state() == State::held);  // it was renewed
  CHECK(b->state() == State::elsewhere);
  CHECK(stage.fake.leases.at("the key").first == a->id());

  a->release();
  CHECK(a->state() == State::elsewhere);
  CHECK(until([&] { return b->state() == State::held; }));
  a->start();
  CHECK(until([&] { return a_told.back() == "elsewhere"; }));
  b.reset();  // without a word, as a process that dies
  CHECK(until([&] { return a->state() == State::held; }));
  b = lease_of(*two, b_told);
  b->start();

  stage.fake.refuses = "EVAL";
  CHECK(until([&] { return a_told.back() == "alone" && b_told.back() == "alone"; }));
  CHECK(std::count(stage.lines.begin(), stage.lines.end(), "Redis refuses the lease of the key") == 2);
  stage.fake.refuses.clear();
  CHECK(until([&] {
    return (a->state() == State::held) != (b->state() == State::held) && a->state() != State::alone &&
           b->state() != State::alone;
  }));

  stage.fake.stop();
  CHECK(until([&] { return a_told.back() == "alone" && b_told.back() == "alone"; }));
  stage.fake.leases.clear();  // a Redis that forgot
  stage.fake.listen();
  CHECK(until([&] {
    return a_told.back() != "alone" && b_told.back() != "alone" && (a_told.back() == "held" || b_told.back() == "held");
  }));
  CHECK_FALSE(both);
  CHECK(b_told.front() == "elsewhere");

  SUBCASE("is given back when its server ends") {
    auto& holder = a->state() == State::held ? *a : *b;
    holder.release();
    (&holder == a.get() ? one : two)->io.close();
    CHECK(until([&] { return (&holder == a.get() ? *b : *a).state() == State::held; }));
    CHECK(holder.state() == State::alone);
  }
  SUBCASE("ends with a question on its way") {
    a->release(), a->start();
    a.reset(), b.reset();
    settle(stage.loop, 30ms);
  }
  SUBCASE("is given back before it is known to be taken") {
    auto& holder = a->state() == State::held ? *a : *b;
    holder.release();
    CHECK(until([&] { return (&holder == a.get() ? *b : *a).state() == State::held; }));
    holder.start(), holder.release(), holder.start();
    settle(stage.loop, 30ms);
    CHECK(holder.state() == State::elsewhere);
    CHECK_FALSE(both);
  }
  SUBCASE("outlives the connections, and the server") {
    auto client = stage.client(*one);
    client.join();
    bool closed = false;
    one->io.close([&] { closed = true; });
    CHECK(until([&] { return closed; }));
    CHECK(a->state() == State::alone);
    a.reset();
    two->owned.reset();
    CHECK(b->state() == State::alone);
    b->release(), b->start();
    settle(stage.loop, 30ms);
    b.reset();
  }
}

TEST_CASE("cluster: namespaces that come and go") {
  RedisServers stage;
  auto one = stage.node();
  auto& parent = one->io.of([](std::string_view name, const json&) { return name.starts_with("/room"); });
  CHECK(std::none_of(stage.fake.commands.begin(), stage.fake.commands.end(),
                     [](const auto& command) { return command.find("on demand") != command.npos; }));
  auto a = stage.client(*one);
  a.join("/room1");
  CHECK(run_until(stage.loop, [&] { return stage.fake.count("socket.io-request#/room1#") == 1; }));
  stage.fake.deliver("socket.io#/room1#", redis::encode(redis::Event{"emitter", "/room1", {"x"}}));
  CHECK(a.hear() == R"(42/room1,["x"])");
  parent.emit("to all rooms");
  CHECK(a.hear() == R"(42/room1,["to all rooms"])");
  CHECK(run_until(stage.loop, [&] { return !stage.last("socket.io#/room1#").empty(); }));
  Brought<json::array_t> never;
  one->io.of("/room1").server_side_emit_with_ack("x", never.token());
  a.say("41/room1,");
  CHECK(run_until(stage.loop, [&] { return stage.fake.count("socket.io-request#/room1#") == 0; }));
  CHECK(stage.fake.count("socket.io-request#/#") == 1);
  const auto& commands = stage.fake.commands;
  CHECK(std::count(commands.begin(), commands.end(), "PUNSUBSCRIBE socket.io#/room1#*") == 1);
  CHECK(run_until(stage.loop, [&] { return never.error.has_value(); }));
}

TEST_CASE("cluster: the server ends at bad moments") {
  RedisServers stage;
  SUBCASE("before it is connected") {
    RedisServers::Node node(stage, {}, "");
    node.owned.reset();
  }
  SUBCASE("while a reconnect is due") {
    auto node = stage.node();
    stage.fake.stop();
    run_until(stage.loop, [&] { return !node->cluster().connected(); });
    node->io.emit("queued");
    node->owned.reset();
  }
  SUBCASE("while something is asked") {
    auto node = stage.node({.requests_timeout = 1h});
    stage.fake.subscribers = 5;
    std::vector<std::error_code> errors;
    const auto note = [&](std::error_code error, const auto&) { errors.push_back(error); };
    node->io.fetch_sockets([&](std::error_code error, const Sockets&) { errors.push_back(error); });
    node->io.server_side_emit_with_ack("x",
                                       [&](std::error_code error, const json::array_t&) { errors.push_back(error); });
    node->io.emit_with_ack("x", [&](std::error_code error, const json::array_t&) { errors.push_back(error); });
    node->cluster().command({"GET", "x"}, note);
    settle(stage.loop, 5ms);
    node->cluster().command({"GET", "y"}, note);
    node->owned.reset();
    CHECK(run_until(stage.loop, [&] { return errors.size() == 5; }));
    CHECK(std::count(errors.begin(), errors.end(), std::make_error_code(std::errc::operation_canceled)) == 4);
    bool told = false;
    node->cluster().command({"GET", "z"},
                            [&](std::error_code error, const Value&) { told = error == std::errc::not_connected; });
    CHECK(told);
  }
  SUBCASE("and handles of its sockets stay") {
    auto node = stage.node();
    auto a = stage.client(*node);
    const auto id = a.join();
    const auto socket = node->io.find(id);
    node->owned.reset();
    CHECK_FALSE(socket->connected());
  }
  SUBCASE("and another one takes the factory") {
    auto node = stage.node();
    sio::Server second(stage.loop, stage.options());
    CHECK_THROWS_AS(second.adapter(node->factory), std::invalid_argument);
    node->owned.reset();
  }
  settle(stage.loop, 10ms);
}

TEST_CASE("cluster: what throws, and what others send, costs no more than itself") {
  RedisServers stage;
  auto one = stage.node();
  auto a = stage.client(*one);
  const auto ada = a.join();
  Texts outgoing;
  one->io.on_any_outgoing(
      [&](sio::Socket&, std::string_view name, const sio::socketio::Arguments&) { outgoing.emplace_back(name); });
  const auto event = [](const json& data) {
    return redis::to_msgpack(json::array({"u", {{"type", 2}, {"data", data}, {"nsp", "/"}}, json::object()}));
  };
  stage.fake.deliver("socket.io#/#", event({5, 1}));  // JavaScript's names may be numbers
  CHECK(a.hear() == "42[5,1]");
  CHECK(outgoing == Texts{"5"});
  CHECK_FALSE(redis::decode_event(event({std::nan(""), 1})));
  CHECK_FALSE(redis::decode_event(event({HUGE_VAL, 1})));

  one->io.find(ada)->data<Unspeakable>();
  stage.fake.deliver("socket.io-request#/#", R"({"uid":"u","requestId":"q","type":5,"opts":{}})");
  CHECK(run_until(stage.loop, [&] { return stage.lines.back() == "A handler threw"; }));

  std::string heard;  // a half surrogate pair is JavaScript's, and no UTF-8
  one->io.on_server_side_emit("x", [&](const json::array_t& values, const auto&) { heard = json(values).dump(); });
  stage.fake.deliver("socket.io-request#/#",
                     "\x83\xa3uid\xa1u\xa4type\x06\xa4"
                     "data\x93\xa1x\xa3\xed\xa0\x80\x81\xa2\xff\xfe\x01");
  CHECK(run_until(stage.loop, [&] { return !heard.empty(); }));
  CHECK(heard == "[\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\",{\"\xef\xbf\xbd\xef\xbf\xbd\":1}]");
  CHECK(one->cluster().counters().malformed == 0);
  CHECK(one->cluster().connected());
}

TEST_CASE("cluster: callbacks that do what nobody expects") {
  RedisServers stage;
  auto one = stage.node();
  SUBCASE("a lease's throws") {
    redis::Lease lease(one->factory, "k", 90ms);
    lease.on_change([](redis::Lease::State state) {
      if (state == redis::Lease::State::alone) throw std::runtime_error("a bug");
    });
    lease.start();
    CHECK(run_until(stage.loop, [&] { return lease.state() == redis::Lease::State::held; }));
    stage.fake.stop();
    CHECK(run_until(stage.loop, [&] {
      return std::find(stage.lines.begin(), stage.lines.end(), "A handler threw") != stage.lines.end();
    }));
  }
  SUBCASE("a handler takes longer than a lease") {
    redis::Lease lease(one->factory, "k", 40ms);
    lease.start();
    CHECK(run_until(stage.loop, [&] { return lease.state() == redis::Lease::State::held; }));
    std::optional<redis::Lease::State> state;
    one->io.post([&] {
      std::this_thread::sleep_for(60ms);
      state = lease.state();
    });
    CHECK(run_until(stage.loop, [&] { return state.has_value(); }));
    CHECK(state == redis::Lease::State::elsewhere);
  }
  SUBCASE("a command's makes a namespace while the cluster ends") {
    stage.fake.mute = true;
    bool called = false;
    one->cluster().command({"GET", "x"},
                           [&](std::error_code, const Value&) { called = true, one->io.adapter(one->factory); });
    settle(stage.loop, 5ms);
    one->io.adapter([](sio::Namespace& nsp) { return std::make_unique<sio::Adapter>(nsp); });
    CHECK(run_until(stage.loop, [&] { return called; }));
  }
  SUBCASE("a namespace is made when the server is closed") {
    bool closed = false;
    one->io.close([&] { closed = true; });
    CHECK(run_until(stage.loop, [&] { return closed; }));
    Brought<Sockets> sockets;
    one->io.of("/late").fetch_sockets(sockets.token());
    CHECK(run_until(stage.loop, [&] { return sockets.error.has_value(); }));
    CHECK_FALSE(*sockets.error);
  }
}

TEST_CASE("cluster: times that make no sense") {
  for (const auto time : {0ms, -1ms, sio::Milliseconds(25h), sio::Milliseconds::max()}) {
    CHECK_THROWS_AS(redis::adapter("redis://localhost", {.requests_timeout = time}), std::invalid_argument);
    CHECK_THROWS_AS(redis::adapter("redis://localhost", {.reconnect_delay = time}), std::invalid_argument);
    CHECK_THROWS_AS(redis::Lease(redis::adapter("redis://localhost"), "k", time), std::invalid_argument);
  }
  CHECK_THROWS_WITH(redis::Lease(redis::adapter("redis://localhost"), "k", 29ms),
                    "redis::Lease: its duration must be from 30 ms to a day");
}

TEST_CASE("cluster: a loop of the server's own comes to its end") {
  auto io =
      std::make_unique<sio::Server>(sio::Options{.host = "127.0.0.1", .port = 0, .log_level = sio::LogLevel::off});
  asio::io_context loop;
  FakeRedis fake(loop);
  fake.stop();  // nobody is there
  io->adapter(redis::adapter("redis://127.0.0.1:" + std::to_string(fake.port)));
  asio::steady_timer timer(io->loop(), 20ms);
  timer.async_wait([&](std::error_code) { io->close(); });
  CHECK(io->run() == 0);
}
