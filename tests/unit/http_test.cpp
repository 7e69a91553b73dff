// Chapter 4: request heads and bodies, queries, answers, CORS, the client's address.

#include "dialogue.hpp"

#include <chrono>
#include <stdexcept>
#include <vector>

using namespace dialogue;
using namespace std::chrono_literals;
namespace http = sio_demo::http;
using sio_demo::CorsOptions;
using sio_demo::HttpLimits;
using sio_demo::Parsed;
using sio_demo::Progress;

namespace {

/// "complete 27", "more" or the name of the reason.
std::string verdict(const Parsed& parsed) {
  if (parsed.progress == Progress::more) return "more";
  return parsed.progress == Progress::complete ? "complete " + std::to_string(parsed.size) : name_of(parsed.reason);
}

/// A request and the memory it views.
struct Head {
  Exact memory;
  http::Request request;
  Parsed parsed;

  explicit Head(std::string_view text, const HttpLimits& limits = {}) : memory(text) {
    http::HeadReader reader;
    parsed = reader.read(memory.view(), limits, request);
  }
};

/// What the reader says when the bytes come one by one.
std::string trickled(std::string_view text, http::Request& request, const HttpLimits& limits = {}) {
  http::HeadReader reader;
  for (std::size_t size = 1; size <= text.size(); ++size) {
    const auto parsed = reader.read(text.substr(0, size), limits, request);
    if (parsed.progress != Progress::more) return verdict(parsed);
  }
  return "more";
}

/// "GET /path HTTP/1.1 Host=a X=1"
std::string described(const http::Request& request) {
  std::string out(request.method);
  out += ' ', out += request.target;
  out += " 1.", out += std::to_string(request.minor);
  for (const auto& header : request.headers) {
    out += ' ', out += header.name, out += '=', out += header.value;
  }
  return out;
}

std::string get(std::string_view headers) {
  return "GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: a\r\n" + std::string(headers) + "\r\n";
}

}  // namespace

// ---- heads

TEST_CASE("request heads: good ones, at once, byte by byte, and cut at every byte") {
  struct Row {
    std::string_view name;
    std::string_view text, expected;
  };
  const Row rows[] = {
      {"the smallest", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / 1.1 Host=a"},
      {"HTTP/1.0 needs no Host", "GET / HTTP/1.0\r\n\r\n", "GET / 1.0"},
      {"a poll",
       "GET /socket.io/?EIO=4&transport=polling&t=w70ufd61 HTTP/1.1\r\nHost: localhost:3000\r\nAccept: */*\r\n\r\n",
       "GET /socket.io/?EIO=4&transport=polling&t=w70ufd61 1.1 Host=localhost:3000 Accept=*/*"},
      {"space around a value", "POST /a HTTP/1.1\r\nHost:a\r\nX: \t b c \t\r\n\r\n", "POST /a 1.1 Host=a X=b c"},
      {"an empty value", "GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \r\n\r\n", "GET / 1.1 Host=a X= Y="},
      {"a colon in a value", "GET / HTTP/1.1\r\nHost: a:80\r\nX: b:c:\r\n\r\n", "GET / 1.1 Host=a:80 X=b:c:"},
      {"Latin-1 in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n\r\n", "GET / 1.1 Host=a X=\xe9"},
      {"escapes in a value stay", "GET / HTTP/1.1\r\nHost: a\r\nX: %0d%0aY: 1\r\n\r\n",
       "GET / 1.1 Host=a X=%0d%0aY: 1"},
      {"blank lines before it", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / 1.1 Host=a"},
      {"every token character in a name", "GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~09azAZ: 1\r\n\r\n",
       "GET / 1.1 Host=a !#$%&'*+-.^_`|~09azAZ=1"},
      {"an IPv6 host", "GET / HTTP/1.1\r\nhost: [::1]:3000\r\n\r\n", "GET / 1.1 host=[::1]:3000"},
      {"absolute form", "GET http://h/socket.io/?a HTTP/1.1\r\nHost: h\r\n\r\n",
       "GET http://h/socket.io/?a 1.1 Host=h"},
      {"asterisk form", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS * 1.1 Host=h"},
      {"strange but legal target", "GET /..//a;b\\c?%zz#d HTTP/1.1\r\nHost: h\r\n\r\n",
       "GET /..//a;b\\c?%zz#d 1.1 Host=h"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const Head head(row.text);
    const auto complete = "complete " + std::to_string(row.text.size());
    CHECK(verdict(head.parsed) == complete);
    CHECK(printable(described(head.request)) == printable(row.expected));
    http::Request slow;
    CHECK(trickled(row.text, slow) == complete);
    CHECK(printable(described(slow)) == printable(row.expected));
    for (std::size_t cut = 0; cut < row.text.size(); ++cut) {
      CAPTURE(cut);
      CHECK(verdict(Head(row.text.substr(0, cut)).parsed) == "more");
    }
  }
}

TEST_CASE("request heads: what is malformed") {
  struct Row {
    std::string_view name;
    std::string text;
    std::string_view expected;
  };
  const auto with = [](std::string_view line) {
    return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(line) + "\r\n\r\n";
  };
  const Row rows[] = {
      {"a bare LF behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", "malformed_request"},
      {"a bare LF behind a header", "GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n", "malformed_request"},
      {"bare LFs only", "GET / HTTP/1.1\nHost: a\n\n", "malformed_request"},
      {"a bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", "malformed_request"},
      {"a LF first", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request"},
      {"a bare CR in a value", with("X: a\rb"), "malformed_request"},
      {"two CR", with("X: a\r"), "malformed_request"},
      {"a bare CR in the request line", "GET /\rb HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request"},
      {"a folded line", with("X: a\r\n b"), "malformed_request"},
      {"a folded line, tab", with("X: a\r\n\tb"), "malformed_request"},
      {"a folded line that looks like a header", with("X: a\r\n Y: b"), "malformed_request"},
      {"a space before the first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "malformed_request"},
      {"a space before the colon", with("X : a"), "malformed_request"},
      {"a tab before the colon", with("X\t: a"), "malformed_request"},
      {"an empty name", with(": a"), "malformed_request"},
      {"no colon", with("X"), "malformed_request"},
      {"a space in a name", with("X Y: a"), "malformed_request"},
      {"a separator in a name", with("X(Y): a"), "malformed_request"},
      {"NUL in a name", with("X\0Y: a"sv), "malformed_request"},
      {"NUL in a value", with("X: a\0b"sv), "malformed_request"},
      {"ESC in a value", with("X: \x1b[31m"), "malformed_request"},
      {"DEL in a value", with("X: \x7f"), "malformed_request"},
      {"a high byte in a name", with("X\xe9: a"), "malformed_request"},
      {"no Host", "GET / HTTP/1.1\r\nX: 1\r\n\r\n", "malformed_request"},
      {"no header at all", "GET / HTTP/1.1\r\n\r\n", "malformed_request"},
      {"an empty Host", "GET / HTTP/1.1\r\nHost: \r\n\r\n", "malformed_request"},
      {"two Hosts", with("Host: b"), "malformed_request"},
      {"the same Host twice", with("hOST: a"), "malformed_request"},
      {"two Hosts on HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "malformed_request"},
      {"a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "malformed_request"},
      {"a Host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "malformed_request"},
      {"a Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "malformed_request"},
      {"a list of Hosts", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", "malformed_request"},
      {"a method in lower case", "get / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request"},
      {"an unknown method", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request"},
      {"a method of 1 KB", std::string(1024, 'G') + " / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request"},
      {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "malformed_request"},
      {"no version (HTTP/0.9)", "GET /\r\n\r\n", "malformed_request"},
      {"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request"},
      {"an empty target", "GET  HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request"},
      {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request"},
      {"a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request"},
      {"a space at the end", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "malformed_request"},
      {"a space at the start", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request"},
      {"tabs for spaces", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request"},
      {"a tab in the target", "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request"},
      {"a high byte in the target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request"},
      {"http in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", "malformed_request"},
      {"another protocol", "GET / RTSP/1.0\r\nHost: a\r\n\r\n", "malformed_request"},
      {"a version without a dot", "GET / HTTP/11\r\nHost: a\r\n\r\n", "malformed_request"},
      {"a version too long", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", "malformed_request"},
      {"HTTP/0.9 by name", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", "version_not_supported"},
      {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "version_not_supported"},
      {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "version_not_supported"},
      {"HTTP/9.9", "GET / HTTP/9.9\r\nHost: a\r\n\r\n", "version_not_supported"},
      {"a TLS hello", std::string("\x16\x03\x01\x02\0\x01"sv), "malformed_request"},
      {"twenty blank lines", repeated("\r\n", 20), "malformed_request"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(verdict(Head(row.text).parsed) == row.expected);
    http::Request slow;
    CHECK(trickled(row.text, slow) == row.expected);
    const auto status = sio_demo::row(Head(row.text).parsed.reason).status;
    CHECK(status == (row.expected == "malformed_request" ? 400 : 505));
  }
  CHECK(verdict(Head("SSH-2.0-OpenSSH_9.2\r\n").parsed) == "malformed_request");
  CHECK(verdict(Head("\x16\x03").parsed) == "malformed_request");  // refused at the first byte that no head can hold
}

TEST_CASE("request heads: limits") {
  HttpLimits limits;
  limits.request_line = 40, limits.header_bytes = 100, limits.headers = 3;
  const auto line = [](std::size_t size) {
    return "GET /" + std::string(size - 14, 'a') + " HTTP/1.1\r\n";
  };  // size without CR LF
  const auto headed = [](std::size_t size) {
    return "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(size - 32, 'a') + "\r\n\r\n";
  };
  struct Row {
    std::string_view name;
    std::string text, expected;
  };
  const Row rows[] = {
      {"a request line at the limit", line(38) + "Host: a\r\n\r\n", "complete 51"},
      {"a request line beyond it", line(41) + "Host: a\r\n\r\n", "request_line_too_long"},
      {"a request line without end", "GET /" + std::string(90, 'a'), "request_line_too_long"},
      {"a head at the limit", headed(100), "complete 100"},
      {"a head one byte beyond", headed(101), "headers_too_large"},
      {"a head two bytes beyond", headed(102), "headers_too_large"},
      {"one long header without end", "GET / HTTP/1.1\r\nX: " + std::string(200, 'a'), "headers_too_large"},
      {"as many headers as allowed", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\n\r\n", "complete 39"},
      {"one header more", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\nZ:\r\n\r\n", "headers_too_large"},
      {"blank lines do not count", "\r\n\r\n" + headed(100), "complete 104"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(verdict(Head(row.text, limits).parsed) == row.expected);
    http::Request slow;
    CHECK(trickled(row.text, slow, limits) == row.expected);
  }
  CHECK(sio_demo::row(Reason::request_line_too_long).status == 414);
  CHECK(sio_demo::row(Reason::headers_too_large).status == 431);

  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 1; i < 100; ++i) many += "X:\r\n";
  CHECK(verdict(Head(many + "\r\n").parsed) == "complete " + std::to_string(many.size() + 2));
  CHECK(verdict(Head(many + "X:\r\n\r\n").parsed) == "headers_too_large");
  CHECK(verdict(Head("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n").parsed) ==
        "request_line_too_long");
  CHECK(verdict(Head(get("X: " + std::string(17'000, 'a') + "\r\n")).parsed) == "headers_too_large");
}

TEST_CASE("request heads: one reader takes one request after the other") {
  const std::string first = "GET /one HTTP/1.1\r\nHost: a\r\n\r\n",
                    second = "\r\nPOST /two HTTP/1.1\r\nHost: b\r\nX: 1\r\n\r\n";
  std::string wire = first + second;
  http::HeadReader reader;
  http::Request request;
  CHECK(verdict(reader.read(wire, {}, request)) == "complete " + std::to_string(first.size()));
  CHECK(described(request) == "GET /one 1.1 Host=a");
  wire.erase(0, first.size());
  CHECK(reader.read(std::string_view(wire).substr(0, 2), {}, request).progress == Progress::more);
  CHECK(reader.read(std::string_view(wire).substr(0, 3), {}, request).progress == Progress::more);
  CHECK(verdict(reader.read(wire, {}, request)) == "complete " + std::to_string(second.size()));
  CHECK(described(request) == "POST /two 1.1 Host=b X=1");
}

TEST_CASE("request heads: every mutation has a defined result, the same however it comes") {
  const std::string_view corpus[] = {
      "GET /a?b HTTP/1.1\r\nHost: h:1\r\nX-Y:  z \r\n\r\n",
      "POST / HTTP/1.0\r\n\r\n",
      "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, "
      "Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  };
  for (const auto good : corpus) {
    std::size_t complete = 0, outside = 0, differ = 0, undefined = 0;
    each_mutation(good, [&](std::string_view text) {
      const Head head(text);
      const auto whole = head.memory.view();
      if (head.parsed.progress == Progress::complete) {
        ++complete;
        const auto& r = head.request;
        bool good_views =
            inside(r.method, whole) && inside(r.target, whole) && inside(r.path, whole) && inside(r.head, whole);
        for (const auto& header : r.headers)
          good_views = good_views && inside(header.name, whole) && inside(header.value, whole);
        outside += !good_views || head.parsed.size > text.size();
      } else if (head.parsed.progress == Progress::malformed) {
        const auto status = sio_demo::row(head.parsed.reason).status;
        undefined += (status != 400 && status != 505) || *head.parsed.why == '\0';
      }
      http::Request slow;
      differ += trickled(text, slow) != verdict(head.parsed);
    });
    CHECK(complete > 0);
    CHECK(outside == 0);
    CHECK(differ == 0);
    CHECK(undefined == 0);
  }
}

// ---- what a head means

TEST_CASE("requests: Connection and Upgrade") {
  struct Row {
    std::string_view name;
    std::string_view version, headers;
    bool keep_alive, upgrade;
  };
  const Row rows[] = {
      {"1.1 stays open", "1.1", "", true, false},
      {"1.1 with close", "1.1", "Connection: close\r\n", false, false},
      {"in any case", "1.1", "CONNECTION: Close\r\n", false, false},
      {"close in a list", "1.1", "Connection: foo , close\r\n", false, false},
      {"not a token of its own", "1.1", "Connection: closed\r\n", true, false},
      {"1.0 closes", "1.0", "", false, false},
      {"1.0 with keep-alive", "1.0", "Connection: Keep-Alive\r\n", true, false},
      {"a WebSocket", "1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", true, true},
      {"as Firefox writes it", "1.1", "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n", true, true},
      {"in capitals", "1.1", "CONNECTION: UPGRADE\r\nUPGRADE: WEBSOCKET\r\n", true, true},
      {"Upgrade without Connection", "1.1", "Upgrade: websocket\r\n", true, false},
      {"Connection without Upgrade", "1.1", "Connection: Upgrade\r\n", true, false},
      {"an offer of HTTP/2", "1.1", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n", true, true},
      {"close on a second line", "1.1", "Connection: foo\r\nConnection: close\r\n", false, false},
      {"upgrade on a second line", "1.1", "Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
       true, true},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const Head head("GET / HTTP/" + std::string(row.version) + "\r\nHost: a\r\n" + std::string(row.headers) + "\r\n");
    REQUIRE(head.parsed.progress == Progress::complete);
    CHECK(head.request.keep_alive() == row.keep_alive);
    CHECK(head.request.upgrade() == row.upgrade);
  }
}

TEST_CASE("requests: headers are found in any case, the first of equals counts") {
  const Head head(get("X-One: 1\r\nx-ONE: 2\r\nEmpty:\r\n"));
  CHECK(head.request.header("x-one") == "1");
  CHECK(head.request.count("X-ONE") == 2);
  CHECK(head.request.count("absent") == 0);
  CHECK(head.request.header("absent").empty());
  CHECK(head.request.find("absent") == nullptr);
  REQUIRE(head.request.find("empty") != nullptr);
  CHECK(head.request.find("empty")->empty());
  CHECK(head.request.path == "/socket.io/");
  CHECK(head.request.target == "/socket.io/?EIO=4");
}

TEST_CASE("queries: decoding") {
  struct Row {
    std::string_view name;
    std::string_view text, expected;
  };  // "key=value|key=value"
  const Row rows[] = {
      {"nothing", "", ""},
      {"a handshake", "EIO=4&transport=polling&t=w70", "EIO=4|transport=polling|t=w70"},
      {"escapes in keys and values", "%45IO=4&transport=p%6flling", "EIO=4|transport=polling"},
      {"plus is a space", "a+b=c+d", "a b=c d"},
      {"an escaped plus", "a=%2b%2B", "a=++"},
      {"empty pairs", "&&a=1&&&b=2&", "a=1|b=2"},
      {"no value", "a&b=", "a=|b="},
      {"no key", "=x&=", "=x|="},
      {"a second =", "a=b=c", "a=b=c"},
      {"an escaped = and &", "a%3D=b%26c", "a==b&c"},
      {"a question mark", "?EIO=4", "?EIO=4"},
      {"a broken escape stays", "a=%zz", "a=%zz"},
      {"half a broken escape", "a=%4z", "a=%4z"},
      {"a percent at the end", "a=%", "a=%"},
      {"half an escape at the end", "a=%4", "a=%4"},
      {"a percent before an escape", "a=%%41", "a=%A"},
      {"NUL does not end a value", "a=b%00c", "a=b\\x00c"},
      {"a line end is only a value", "a=%0d%0aX:1", "a=\\r\\nX:1"},
      {"names that mean something elsewhere", "__proto__=1&constructor=2&transport[]=3",
       "__proto__=1|constructor=2|transport[]=3"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    http::Query query;
    CHECK(query.read(Exact(row.text).view(), 64));
    std::string out;
    for (const auto& [key, value] : query.parameters) out += (out.empty() ? "" : "|") + key + "=" + value;
    CHECK(printable(out) == row.expected);
  }
}

TEST_CASE("queries: the last of equal keys counts, keys are exact, their number is bounded") {
  http::Query query;
  CHECK(query.read("EIO=3&sid=&EIO=4&Eio=5", 64));
  CHECK(query["EIO"] == "4");
  CHECK(query["eio"].empty());
  REQUIRE(query.find("sid") != nullptr);
  CHECK(query.find("sid")->empty());
  CHECK(query.find("transport") == nullptr);
  CHECK(query.read("EIO=4&EIO=3", 64));
  CHECK(query["EIO"] == "3");

  CHECK(query.read(repeated("a=1&", 64), 64));
  CHECK(query.parameters.size() == 64);
  CHECK_FALSE(query.read(repeated("a=1&", 65), 64));
  CHECK(query.read(repeated("&", 10'000), 64));
  CHECK(query.parameters.empty());
  std::size_t too_long = 0;
  each_mutation("a=%41+%zz&b%20=%", [&](std::string_view text) {
    CHECK(query.read(Exact(text).view(), 64));
    std::size_t size = 0;
    for (const auto& [key, value] : query.parameters) size += key.size() + value.size();
    too_long += size > text.size();
  });
  CHECK(too_long == 0);
}

// ---- bodies

namespace {

struct Body {
  std::string verdict, text;
  bool too_large = false;
  std::size_t left = 0;  // bytes behind the body

  bool operator==(const Body& other) const {
    return verdict == other.verdict && text == other.text && too_large == other.too_large && left == other.left;
  }
};

/// Reads the body that `headers` announce from `wire`, in pieces of `step` bytes.
Body read_body(std::string_view headers, std::string_view wire, std::size_t step = std::string_view::npos,
               std::size_t limit = 100, std::size_t overhead = 1000) {
  const Head head(get(headers));
  REQUIRE(head.parsed.progress == Progress::complete);
  http::BodyReader reader;
  Body out;
  auto parsed = reader.begin(head.request, limit, overhead);
  if (parsed.progress == Progress::malformed) {
    out.verdict = name_of(parsed.reason);
    return out;
  }
  const Exact memory(wire);
  auto all = memory.view();
  std::string_view in;
  for (;;) {
    parsed = reader.read(in);
    if (parsed.progress != Progress::more || all.empty()) break;
    in = all.substr(0, step);
    all.remove_prefix(in.size());
  }
  out.verdict = parsed.progress == Progress::more       ? "more"
                : parsed.progress == Progress::complete ? "complete"
                                                        : name_of(parsed.reason);
  if (parsed.progress == Progress::complete) {
    CHECK(reader.done());
    out.text = reader.body();
    out.left = in.size() + all.size();
  }
  out.too_large = reader.too_large();
  return out;
}

constexpr std::string_view chunked = "Transfer-Encoding: chunked\r\n";

}  // namespace

TEST_CASE("bodies: good ones, at once, in pieces, and cut at every byte") {
  struct Row {
    std::string_view name;
    std::string_view headers, wire, body;
  };
  const Row rows[] = {
      {"five bytes", "Content-Length: 5\r\n", "hello", "hello"},
      {"leading zeros", "Content-Length: 0005\r\n", "hello", "hello"},
      {"one byte", "content-length:1\r\n", "x", "x"},
      {"two chunks", chunked, "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"},
      {"no chunk", chunked, "0\r\n\r\n", ""},
      {"in any case", "TRANSFER-ENCODING: Chunked\r\n", "a\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
      {"upper case and zeros", chunked, "000A\r\n0123456789\r\n000\r\n\r\n", "0123456789"},
      {"extensions", chunked, "5;a=1;b=\"x;y\"\r\nhello\r\n0;z\r\n\r\n", "hello"},
      {"trailers are dropped", chunked, "5\r\nhello\r\n0\r\nX: 1\r\nContent-Length: 99\r\nHost: evil\r\n\r\n", "hello"},
      {"line ends are data", chunked, "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"},
      {"data that looks like an end", chunked, "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"},
      {"one byte a chunk", chunked, "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n", "abc"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const Body expected{"complete", std::string(row.body), false, 0};
    CHECK(read_body(row.headers, row.wire) == expected);
    for (std::size_t step = 1; step <= 7; ++step) {
      CAPTURE(step);
      CHECK(read_body(row.headers, row.wire, step) == expected);
    }
    for (std::size_t cut = 0; cut < row.wire.size(); ++cut) {
      CAPTURE(cut);
      CHECK(read_body(row.headers, row.wire.substr(0, cut)).verdict == "more");
    }
    const auto next = std::string(row.wire) + "GET / HTTP/1.1\r\n";
    CHECK(read_body(row.headers, next).left == 16);  // the next request is not touched
  }
}

TEST_CASE("bodies: none without headers that announce one") {
  CHECK(read_body("", "GET /").left == 5);
  CHECK(read_body("Content-Length: 0\r\n", "GET /").left == 5);
  CHECK(read_body("Content-Length: 0\r\n", "").verdict == "complete");
}

TEST_CASE("bodies: what headers may not announce") {
  const std::string_view bad[] = {
      "Content-Length: 5\r\nContent-Length: 5\r\n",
      "Content-Length: 5\r\ncontent-length: 6\r\n",
      "Content-Length: 5, 5\r\n",
      "Content-Length: 5,6\r\n",
      "Content-Length: +5\r\n",
      "Content-Length: -1\r\n",
      "Content-Length: -0\r\n",
      "Content-Length: 0x5\r\n",
      "Content-Length: 5 5\r\n",
      "Content-Length: 5.0\r\n",
      "Content-Length: 1e1\r\n",
      "Content-Length: five\r\n",
      "Content-Length:\r\n",
      "Content-Length: 99999999999999999999\r\n",
      "Content-Length: 18446744073709551615\r\n",
      "Content-Length: 18446744073709551616\r\n",
      "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
      "Transfer-Encoding: xchunked\r\n",
      "Transfer-Encoding: chunkedx\r\n",
      "Transfer-Encoding: chunked, chunked\r\n",
      "Transfer-Encoding: identity, chunked\r\n",
      "Transfer-Encoding: gzip, chunked\r\n",
      "Transfer-Encoding: identity\r\n",
      "Transfer-Encoding: \"chunked\"\r\n",
      "Transfer-Encoding:\r\n",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
  };
  for (const auto headers : bad) {
    INFO(printable(headers));
    CHECK(read_body(headers, "hello").verdict == "malformed_request");
  }
  const Head old("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
  CHECK(http::BodyReader().begin(old.request, 100, 100).progress == Progress::malformed);
}

TEST_CASE("bodies: malformed chunks") {
  struct Row {
    std::string_view name;
    std::string wire;
  };
  const Row rows[] = {
      {"no size", "\r\nhello\r\n0\r\n\r\n"},
      {"only an extension", ";a\r\nhello\r\n0\r\n\r\n"},
      {"not hexadecimal", "g\r\n"},
      {"a negative size", "-5\r\nhello\r\n0\r\n\r\n"},
      {"a plus", "+5\r\nhello\r\n0\r\n\r\n"},
      {"0x", "0x5\r\nhello\r\n0\r\n\r\n"},
      {"a space before", " 5\r\nhello\r\n0\r\n\r\n"},
      {"a space behind", "5 \r\nhello\r\n0\r\n\r\n"},
      {"a tab behind", "5\t\r\nhello\r\n0\r\n\r\n"},
      {"17 digits", "00000000000000005\r\nhello\r\n0\r\n\r\n"},
      {"16 digits", "ffffffffffffffff\r\n"},
      {"a bare LF behind the size", "5\nhello\r\n0\r\n\r\n"},
      {"a bare LF behind an extension", "5;a\nhello\r\n0\r\n\r\n"},
      {"a bare CR behind the size", "5\rhello\r\n0\r\n\r\n"},
      {"a bare CR within an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n"},
      {"a chunk longer than it said", "4\r\nhello\r\n0\r\n\r\n"},
      {"a chunk shorter than it said", "6\r\nhello\r\n0\r\n\r\n"},
      {"a bare LF behind the data", "5\r\nhello\n0\r\n\r\n"},
      {"CR and no LF behind the data", "5\r\nhello\r0\r\n\r\n"},
      {"a bare LF at the end", "5\r\nhello\r\n0\r\n\n"},
      {"a bare LF behind a trailer", "0\r\nX: 1\n\r\n"},
      {"a bare CR in a trailer", "0\r\nX: 1\rY: 2\r\n\r\n"},
      {"trailers without end", "0\r\n" + repeated("X: 1\r\n", 300)},
      {"one trailer without end", "0\r\nX: " + std::string(2000, 'a')},
      {"an extension without end", "5;" + std::string(2000, 'a')},
      {"many long extensions", repeated("1;" + std::string(200, 'a') + "\r\nx\r\n", 10)},
      {"zeros without end", std::string(2000, '0')},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(read_body(chunked, row.wire).verdict == "malformed_request");
    CHECK(read_body(chunked, row.wire, 1).verdict == "malformed_request");
  }
}

TEST_CASE("bodies: the limit counts bytes of data; what is beyond is swallowed") {
  struct Row {
    std::string_view name;
    std::string_view headers;
    std::string wire;
    bool too_large;
  };
  const Row rows[] = {
      {"a length at the limit", "Content-Length: 10\r\n", "0123456789", false},
      {"a length beyond it", "Content-Length: 11\r\n", "01234567890", true},
      {"chunks at the limit", chunked, "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n", false},
      {"chunks beyond it", chunked, "5\r\n01234\r\n6\r\n567890\r\n0\r\n\r\n", true},
      {"far beyond it", chunked, "40\r\n" + std::string(64, 'x') + "\r\n1\r\ny\r\n0\r\n\r\n", true},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    for (const std::size_t step : {std::string::npos, std::size_t{1}, std::size_t{4}}) {
      CAPTURE(step);
      const auto body = read_body(row.headers, row.wire + "GET", step, 10);
      CHECK(body.verdict == "complete");
      CHECK(body.too_large == row.too_large);
      CHECK(body.text == (row.too_large ? "" : "0123456789"));
      CHECK(body.left == 3);
    }
  }
  // Announced alone, without a byte of it:
  CHECK(read_body("Content-Length: 9223372036854775807\r\n", "").too_large);
  CHECK(read_body(chunked, "fffffffffffffff\r\n").verdict == "more");
  CHECK(read_body(chunked, "fffffffffffffff\r\n").too_large);
  CHECK(read_body(chunked, "a\r\n", std::string::npos, 10).too_large == false);
  CHECK(read_body(chunked, "b;x\r\n", std::string::npos, 10).too_large);
  CHECK(read_body(chunked, "5\r\n01234\r\n6\r\n", std::string::npos, 10).too_large);
}

TEST_CASE("bodies: framing bytes are bounded on their own") {
  const auto many = repeated("1\r\nx\r\n", 50) + "0\r\n\r\n";  // five framing bytes a chunk, five at the end
  CHECK(read_body(chunked, many, 1, 100, 255).text == std::string(50, 'x'));
  CHECK(read_body(chunked, many, 1, 100, 254).verdict == "malformed_request");
}

TEST_CASE("bodies: what an honest client needs for its chunks grows with the body") {
  std::string body;
  for (int i = 0; i < 4000; ++i) body += "fa\r\n" + std::string(250, 'x') + "\r\n";
  const auto read = read_body(chunked, body + "0\r\n\r\n", 65'536, 1'000'000, sio_demo::HttpLimits().chunk_overhead);
  CHECK(read.text.size() == 1'000'000);
}

TEST_CASE("bodies: every mutation has a defined result, the same however it comes") {
  const std::string_view corpus[] = {"5\r\nhello\r\n0\r\n\r\n", "3;x=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n",
                                     "0\r\n\r\n"};
  for (const auto good : corpus) {
    std::size_t differ = 0, too_much = 0;
    each_mutation(good, [&](std::string_view wire) {
      const auto body = read_body(chunked, wire);
      differ += !(read_body(chunked, wire, 1) == body);
      too_much += body.text.size() + body.left > wire.size();
    });
    CHECK(differ == 0);
    CHECK(too_much == 0);
  }
}

// ---- answers

TEST_CASE("answers: a header line cannot write another") {
  struct Row {
    std::string_view name;
    std::string_view header, value, line;
  };
  const Row rows[] = {
      {"plain", "X-A", "b c", "X-A: b c\\r\\n"},
      {"empty", "X-A", "", "X-A: \\r\\n"},
      {"a tab", "X-A", "b\tc", "X-A: b\\x09c\\r\\n"},
      {"Latin-1", "X-A", "\xe9", "X-A: \\xe9\\r\\n"},
      {"CR LF in the value", "X-A", "b\r\nSet-Cookie: x", ""},
      {"CR in the value", "X-A", "b\rc", ""},
      {"LF in the value", "X-A", "b\nc", ""},
      {"NUL in the value", "X-A", "b\0c"sv, ""},
      {"DEL in the value", "X-A", "\x7f", ""},
      {"CR LF in the name", "X-A\r\nX-B", "c", ""},
      {"a space in the name", "X A", "c", ""},
      {"a colon in the name", "X:", "c", ""},
      {"no name", "", "c", ""},
      {"a high byte in the name", "X\xe9", "c", ""},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    std::string out;
    http::append_header(out, row.header, row.value);
    CHECK(printable(out) == row.line);
  }
}

TEST_CASE("answers: dates and status texts") {
  const std::chrono::system_clock::time_point epoch{};
  CHECK(http::http_date(epoch) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(http::http_date(epoch + 784111777s) == "Sun, 06 Nov 1994 08:49:37 GMT");  // RFC 9110, 5.6.7
  CHECK(http::http_date(epoch + 951782399s) == "Mon, 28 Feb 2000 23:59:59 GMT");
  CHECK(http::http_date(epoch + 951782400s) == "Tue, 29 Feb 2000 00:00:00 GMT");
  CHECK(http::http_date(epoch + 1795415413042ms) == "Mon, 23 Nov 2026 06:30:13 GMT");
  for (const auto& row : sio_demo::reason_table) {
    if (row.status == 0) continue;
    INFO(name_of(row.reason));
    CHECK(http::status_text(row.status) != "Error");
    CHECK(http::status_text(row.status) != "OK");
  }
  CHECK(http::status_text(200) == "OK");
  CHECK(http::status_text(204) == "No Content");
}

// ---- CORS

TEST_CASE("CORS: the lines of an answer") {
  const CorsOptions off{}, any{.origins = {"*"}}, one{.origins = {"http://a.example"}},
      two{.origins = {"http://a.example", "http://b.example:81"}, .credentials = true},
      exposing{.origins = {"http://a.example"}, .exposed_headers = {"X-A", "X-B"}};
  struct Row {
    std::string_view name;
    const CorsOptions& cors;
    std::string_view origin, lines;
  };
  const Row rows[] = {
      {"off", off, "http://a.example", ""},
      {"every origin", any, "http://x.example", "Access-Control-Allow-Origin: *\r\n"},
      {"every origin, none sent", any, "", "Access-Control-Allow-Origin: *\r\n"},
      {"listed", one, "http://a.example", "Access-Control-Allow-Origin: http://a.example\r\nVary: Origin\r\n"},
      {"foreign", one, "http://x.example", "Vary: Origin\r\n"},
      {"none sent", one, "", "Vary: Origin\r\n"},
      {"null", one, "null", "Vary: Origin\r\n"},
      {"a longer host", one, "http://a.example.evil.test", "Vary: Origin\r\n"},
      {"a host in front", one, "http://evil-a.example", "Vary: Origin\r\n"},
      {"another port", one, "http://a.example:81", "Vary: Origin\r\n"},
      {"another scheme", one, "https://a.example", "Vary: Origin\r\n"},
      {"a slash behind", one, "http://a.example/", "Vary: Origin\r\n"},
      {"upper case", one, "HTTP://A.EXAMPLE", "Vary: Origin\r\n"},
      {"two at once", two, "http://a.example http://b.example:81",
       "Vary: Origin\r\nAccess-Control-Allow-Credentials: true\r\n"},
      {"with credentials", two, "http://b.example:81",
       "Access-Control-Allow-Origin: http://b.example:81\r\nVary: Origin\r\nAccess-Control-Allow-Credentials: "
       "true\r\n"},
      {"foreign, with credentials", two, "http://b.example",
       "Vary: Origin\r\nAccess-Control-Allow-Credentials: true\r\n"},
      {"exposed headers", exposing, "http://a.example",
       "Access-Control-Allow-Origin: http://a.example\r\nVary: Origin\r\nAccess-Control-Expose-Headers: X-A,X-B\r\n"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(http::cors_headers(row.cors, row.origin) == row.lines);
  }
}

TEST_CASE("CORS: preflights") {
  const CorsOptions listed{.origins = {"http://app.example"}, .credentials = true};
  const CorsOptions any{.origins = {"*"}};
  const CorsOptions fixed{.origins = {"http://app.example"},
                          .allowed_headers = {"x-a", "x-b"},
                          .exposed_headers = {"X-E"},
                          .max_age = 600s};
  struct Row {
    std::string_view name;
    const CorsOptions& cors;
    std::string_view request, lines;
  };
  const Row rows[] = {
      {"listed, echoing", listed, "Origin: http://app.example\r\nAccess-Control-Request-Headers: x-a, content-type\r\n",
       "Access-Control-Allow-Origin: http://app.example\r\n"
       "Vary: Origin, Access-Control-Request-Headers\r\n"
       "Access-Control-Allow-Credentials: true\r\n"
       "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE\r\n"
       "Access-Control-Allow-Headers: x-a, content-type\r\n"},
      {"listed, no headers asked for", listed, "Origin: http://app.example\r\n",
       "Access-Control-Allow-Origin: http://app.example\r\n"
       "Vary: Origin, Access-Control-Request-Headers\r\n"
       "Access-Control-Allow-Credentials: true\r\n"
       "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE\r\n"},
      {"foreign", listed, "Origin: http://x.example\r\nAccess-Control-Request-Headers: x-a\r\n",
       "Vary: Origin, Access-Control-Request-Headers\r\n"
       "Access-Control-Allow-Credentials: true\r\n"
       "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE\r\n"
       "Access-Control-Allow-Headers: x-a\r\n"},
      {"every origin", any, "Origin: http://x.example\r\nAccess-Control-Request-Headers: x-a\r\n",
       "Access-Control-Allow-Origin: *\r\n"
       "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE\r\n"
       "Vary: Access-Control-Request-Headers\r\n"
       "Access-Control-Allow-Headers: x-a\r\n"},
      {"fixed headers", fixed, "Origin: http://app.example\r\nAccess-Control-Request-Headers: x-z\r\n",
       "Access-Control-Allow-Origin: http://app.example\r\n"
       "Vary: Origin\r\n"
       "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE\r\n"
       "Access-Control-Allow-Headers: x-a,x-b\r\n"
       "Access-Control-Max-Age: 600\r\n"
       "Access-Control-Expose-Headers: X-E\r\n"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const Head head("OPTIONS /socket.io/ HTTP/1.1\r\nHost: h\r\n" + std::string(row.request) + "\r\n");
    REQUIRE(head.parsed.progress == Progress::complete);
    CHECK(http::cors_headers(row.cors, head.request.header("origin"), &head.request) == row.lines);
  }
}

TEST_CASE("CORS: which pages may open a WebSocket") {
  const CorsOptions off{}, any{.origins = {"*"}}, one{.origins = {"http://a.example"}};
  struct Row {
    std::string_view name;
    const CorsOptions& cors;
    std::string_view origin;
    bool allowed;
  };
  const Row rows[] = {
      {"no list", off, "Origin: http://x.example\r\n", true},
      {"every origin", any, "Origin: http://x.example\r\n", true},
      {"listed", one, "Origin: http://a.example\r\n", true},
      {"a program", one, "", true},
      {"our own host", one, "Origin: http://localhost:3000\r\n", true},
      {"our own host, https in front of us", one, "Origin: https://localhost:3000\r\n", true},
      {"our own host in capitals", one, "Origin: http://LOCALHOST:3000\r\n", true},
      {"foreign", one, "Origin: http://x.example\r\n", false},
      {"null", one, "Origin: null\r\n", false},
      {"empty", one, "Origin:\r\n", false},
      {"another port of our host", one, "Origin: http://localhost:3001\r\n", false},
      {"no port", one, "Origin: http://localhost\r\n", false},
      {"our host as a prefix", one, "Origin: http://localhost:3000.evil.test\r\n", false},
      {"our host as a suffix", one, "Origin: http://evil.localhost:3000\r\n", false},
      {"our host as a user", one, "Origin: http://localhost:3000@evil.test\r\n", false},
      {"a listed host with more behind it", one, "Origin: http://a.example.evil.test\r\n", false},
      {"two in one line", one, "Origin: http://a.example http://x.example\r\n", false},
      {"no scheme", one, "Origin: localhost:3000\r\n", false},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const Head head("GET /socket.io/ HTTP/1.1\r\nHost: localhost:3000\r\n" + std::string(row.origin) + "\r\n");
    REQUIRE(head.parsed.progress == Progress::complete);
    CHECK(http::websocket_origin_allowed(row.cors, head.request) == row.allowed);
  }
}

// ---- addresses

namespace {

std::string address(std::string_view text) {
  const auto parsed = http::Address::parse(Exact(text).view());
  return parsed ? parsed->to_string() : "none";
}

}  // namespace

TEST_CASE("addresses: read and written in their one form") {
  struct Row {
    std::string_view text;
    std::string expected;
  };
  const Row rows[] = {
      {"127.0.0.1", "127.0.0.1"},
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"203.0.113.7:8080", "203.0.113.7"},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"2001:db8::1", "2001:db8::1"},
      {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
      {"2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"},
      {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
      {"1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
      {"0:0:1::", "0:0:1::"},
      {"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
      {"::ffff:1.2.3.4", "1.2.3.4"},
      {"::FFFF:102:304", "1.2.3.4"},
      {"0:0:0:0:0:ffff:1.2.3.4", "1.2.3.4"},
      {"::102:304", address("::1.2.3.4")},  // some systems write the last 32 bits in decimals
      {"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
      {"[::1]", "::1"},
      {"[::1]:80", "::1"},
      {"[2001:db8::1]:65535", "2001:db8::1"},
      {"[::ffff:1.2.3.4]:80", "1.2.3.4"},
      {"fe80::1%eth0", "fe80::1"},
      {"[fe80::1%25eth0]:80", "fe80::1"},
      // not addresses
      {"", "none"},
      {"unknown", "none"},
      {"_hidden", "none"},
      {"localhost", "none"},
      {"a:b", "none"},
      {":80", "none"},
      {":", "none"},
      {":::", "none"},
      {"%eth0", "none"},
      {"1.2.3", "none"},
      {"1.2.3.4.5", "none"},
      {"1.2.3.", "none"},
      {".1.2.3", "none"},
      {"1..2.3", "none"},
      {"256.1.1.1", "none"},
      {"1.2.3.1000", "none"},
      {"1.2.3.-4", "none"},
      {"1.2.3.+4", "none"},
      {"1.2.3.0x4", "none"},
      {"1.2.3.a", "none"},
      {"1.2.3.4\0"sv, "none"},
      {"16909060", "none"},
      {"1. 2.3.4", "none"},
      {"1.2.3.4 ", "none"},
      {"1.2.3.4/8", "none"},
      {"1:2:3:4:5:6:7", "none"},
      {"1:2:3:4:5:6:7:8:9", "none"},
      {"1::2::3", "none"},
      {"1:2:3:4::5:6:7:8", "none"},
      {"12345::", "none"},
      {"::g", "none"},
      {"::-1", "none"},
      {":1::", "none"},
      {"1::2:", "none"},
      {":: 1", "none"},
      {"::1.2.3", "none"},
      {"::1.2.3.4.5", "none"},
      {"::1.2.3.4:5", "none"},
      {"1.2.3.4::", "none"},
      {"1.2.3.4:1.2.3.4:1.2.3.4:1.2.3.4", "none"},
      {"[", "none"},
      {"[]", "none"},
      {"[::1", "none"},
      {"::1]", "none"},
      {"[::1]80", "none"},
      {"[::1]:", "none"},
      {"[::1]:x", "none"},
      {"1.2.3.4:", "none"},
      {"1.2.3.4:x", "none"},
      {"1.2.3.4:99999999", "none"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(address(row.text) == row.expected);
  }
  CHECK(address(std::string(10'000, ':')) == "none");
  CHECK(address(repeated("1.", 5'000)) == "none");
  for (const Row& row : rows)
    if (row.expected != "none") CHECK(address(row.expected) == row.expected);
}

TEST_CASE("addresses: every mutation is one that reads back the same, or none") {
  for (const std::string_view good : {"203.0.113.70", "[2001:db8::1:0]:8080", "::ffff:1.2.3.4", "fe80::1%eth0"}) {
    std::size_t wrong = 0;
    each_mutation(good, [&](std::string_view text) {
      const auto written = address(text);
      wrong += written != "none" && address(written) != written;
    });
    CHECK(wrong == 0);
  }
}

TEST_CASE("addresses: what limits count by") {
  struct Row {
    std::string_view text, bucket;
  };
  const Row rows[] = {
      {"203.0.113.7", "203.0.113.7"},
      {"::ffff:203.0.113.7", "203.0.113.7"},
      {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
      {"2001:db8:1:2:ffff::", "2001:db8:1:2::/64"},
      {"::1", "::/64"},
      {"2001:db8::", "2001:db8::/64"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(http::Address::parse(row.text)->limit_key() == row.bucket);
  }
}

TEST_CASE("networks") {
  struct Row {
    std::string_view network, address;
    bool contains;
  };
  const Row rows[] = {
      {"10.0.0.0/8", "10.255.1.2", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"10.1.2.3/8", "10.9.9.9", true},
      {"127.0.0.1", "127.0.0.1", true},
      {"127.0.0.1", "127.0.0.2", false},
      {"10.0.0.0/8", "::ffff:10.1.1.1", true},
      {"10.0.0.0/9", "10.127.0.1", true},
      {"10.0.0.0/9", "10.128.0.1", false},
      {"10.0.0.0/31", "10.0.0.1", true},
      {"10.0.0.0/31", "10.0.0.2", false},
      {"0.0.0.0/0", "8.8.8.8", true},
      {"0.0.0.0/0", "::1", false},
      {"::/0", "2001:db8::1", true},
      {"::1", "::1", true},
      {"::1", "::2", false},
      {"::1", "127.0.0.1", false},
      {"2001:db8::/32", "2001:db8:ffff::1", true},
      {"2001:db8::/32", "2001:db9::", false},
      {"fd00::/7", "fc00::1", true},
      {"2001:db8::/127", "2001:db8::1", true},
      {"2001:db8::/127", "2001:db8::2", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.network);
    CAPTURE(row.address);
    const auto network = http::Network::parse(row.network);
    REQUIRE(network);
    CHECK(network->contains(*http::Address::parse(row.address)) == row.contains);
  }
  for (const std::string_view bad :
       {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0.0/a", "::/129",
        "10.0.0/8", "localhost", "10.0.0.0 /8", "*", "10.0.0.0/18446744073709551616"}) {
    CAPTURE(bad);
    CHECK_FALSE(http::Network::parse(bad));
  }
  CHECK_THROWS_AS(http::ClientAddress({"10.0.0.0/8", "localhost"}), std::invalid_argument);
}

TEST_CASE("the client's address behind proxies") {
  const http::ClientAddress clients({"127.0.0.0/8", "::1", "10.0.0.0/8"});
  const auto forwarded = [](std::string_view value) { return "X-Forwarded-For: " + std::string(value) + "\r\n"; };
  struct Row {
    std::string_view name;
    std::string_view peer;
    std::string headers;
    std::string_view client;
  };
  const Row rows[] = {
      {"no proxy", "203.0.113.7", "", "203.0.113.7"},
      {"a mapped peer", "::ffff:203.0.113.7", "", "203.0.113.7"},
      {"an untrusted peer is not believed", "203.0.113.7", forwarded("198.51.100.1"), "203.0.113.7"},
      {"a trusted one is", "127.0.0.1", forwarded("198.51.100.1"), "198.51.100.1"},
      {"a trusted one, mapped", "::ffff:127.0.0.1", forwarded("198.51.100.1"), "198.51.100.1"},
      {"a trusted one, IPv6", "::1", forwarded("2001:db8::1"), "2001:db8::1"},
      {"a trusted one without the header", "127.0.0.1", "", "127.0.0.1"},
      {"what the client wrote itself", "127.0.0.1", forwarded("1.1.1.1, 198.51.100.1"), "198.51.100.1"},
      {"a chain of proxies", "127.0.0.1", forwarded("1.1.1.1, 198.51.100.1, 10.0.0.1, 10.9.9.9"), "198.51.100.1"},
      {"only proxies", "127.0.0.1", forwarded("10.0.0.1, 10.0.0.2"), "10.0.0.1"},
      {"two header lines", "127.0.0.1", forwarded("1.1.1.1") + forwarded("198.51.100.1, 10.0.0.1"), "198.51.100.1"},
      {"two header lines, the last one of proxies", "127.0.0.1", forwarded("198.51.100.1") + forwarded("10.0.0.1"),
       "198.51.100.1"},
      {"in any case", "127.0.0.1", "x-FORWARDED-for:198.51.100.1\r\n", "198.51.100.1"},
      {"without spaces, with tabs", "127.0.0.1", forwarded("1.1.1.1,\t198.51.100.1\t,10.0.0.1"), "198.51.100.1"},
      {"with a port", "127.0.0.1", forwarded("198.51.100.1:4711"), "198.51.100.1"},
      {"IPv6 in brackets with a port", "127.0.0.1", forwarded("[2001:db8::1]:4711"), "2001:db8::1"},
      {"mapped", "127.0.0.1", forwarded("::ffff:198.51.100.1"), "198.51.100.1"},
      {"with a zone", "127.0.0.1", forwarded("fe80::1%eth0"), "fe80::1"},
      {"an empty value", "127.0.0.1", forwarded(""), "127.0.0.1"},
      {"unknown", "127.0.0.1", forwarded("unknown"), "127.0.0.1"},
      {"garbage", "127.0.0.1", forwarded("a:b"), "127.0.0.1"},
      {"garbage behind a proxy of ours", "127.0.0.1", forwarded("garbage, 10.0.0.1"), "10.0.0.1"},
      {"garbage hides what stands left of it", "127.0.0.1", forwarded("198.51.100.1, garbage"), "127.0.0.1"},
      {"a comma behind", "127.0.0.1", forwarded("198.51.100.1,"), "127.0.0.1"},
      {"a comma before", "127.0.0.1", forwarded(",198.51.100.1"), "198.51.100.1"},
      {"an empty entry hides the line above", "127.0.0.1", forwarded("198.51.100.1") + forwarded(",10.0.0.1"),
       "10.0.0.1"},
      {"only commas", "127.0.0.1", forwarded(",,,"), "127.0.0.1"},
      {"10 KB of garbage", "127.0.0.1", forwarded(std::string(10'000, 'x')), "127.0.0.1"},
      {"500 hops", "127.0.0.1", forwarded("198.51.100.1" + repeated(",10.0.0.1", 500)), "10.0.0.1"},
      {"500 foreign hops", "127.0.0.1", forwarded(repeated("198.51.100.1,", 500) + "198.51.100.2"), "198.51.100.2"},
      {"headers that shadow nothing", "203.0.113.7",
       "Remote-Addr: 1.1.1.1\r\nX-Real-IP: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\n", "203.0.113.7"},
      {"a peer without an address", "somewhere", forwarded("198.51.100.1"), "somewhere"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const Head head(get(row.headers));
    REQUIRE(head.parsed.progress == Progress::complete);
    CHECK(clients.of(row.peer, head.request) == row.client);
  }
  const http::ClientAddress nobody({});
  CHECK(nobody.of("127.0.0.1", Head(get(forwarded("1.1.1.1"))).request) == "127.0.0.1");
}

// ---- routes

TEST_CASE("routes: exact path and method, HEAD is served by GET") {
  http::Router router;
  router.get("/health", [](const http::Request&) { return http::Response{.body = "get"}; });
  router.post("/health", [](const http::Request&) { return http::Response{.body = "post"}; });
  router.get("/only-get", [](const http::Request&) { return http::Response{}; });
  struct Row {
    std::string_view method, path, expected;
  };
  const Row rows[] = {
      {"GET", "/health", "get"},
      {"HEAD", "/health", "get"},
      {"POST", "/health", "post"},
      {"PUT", "/health", "method_not_allowed"},
      {"POST", "/only-get", "method_not_allowed"},
      {"GET", "/", "not_found"},
      {"GET", "/health/", "not_found"},
      {"GET", "/Health", "not_found"},
      {"GET", "//health", "not_found"},
      {"GET", "/x/../health", "not_found"},
      {"GET", "/%68ealth", "not_found"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.method);
    CAPTURE(row.path);
    const auto [handler, reason] = router.find(row.method, row.path);
    CHECK((handler ? (*handler)({}).body : name_of(reason)) == row.expected);
  }
}
