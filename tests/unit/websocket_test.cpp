// Chapter 5: the handshake, frames in and out (RFC 6455).

#include "dialogue.hpp"

#include <array>
#include <span>
#include <vector>

using namespace dialogue;
namespace http = sio_demo::http;
namespace websocket = sio_demo::websocket;
using websocket::Opcode;
using Kind = websocket::Event::Kind;

namespace {

/// A client's frame. `first` is its first byte: 0x81 is a whole text, 0x01 a text's first fragment, 0x00
/// a fragment in the middle, 0x80 the last one. `width` forces the length into 2 or 8 more bytes.
std::string client(unsigned first, std::string_view payload, std::string_view key = "\x37\xfa\x21\x3d",
                   std::size_t width = 0) {
  if (width == 0) width = payload.size() < 126 ? 1 : payload.size() < 65536 ? 2 : 8;
  std::string out{static_cast<char>(first)};
  if (width == 1) out += static_cast<char>(0x80 | payload.size());
  else {
    out += static_cast<char>(0x80 | (width == 2 ? 126 : 127));
    for (std::size_t i = width; i-- > 0;) out += i < 8 ? static_cast<char>(payload.size() >> 8 * i & 0xff) : '\0';
  }
  out += key;
  for (std::size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ key[i % 4]);
  return out;
}

std::string code(unsigned value, std::string_view text = "") {
  return std::string{static_cast<char>(value >> 8), static_cast<char>(value & 0xff)} + std::string(text);
}

std::string shown(std::string_view payload) {
  return payload.size() > 40 ? std::to_string(payload.size()) + " bytes" : printable(payload);
}

/// "text hello", "close 1000 bye", "violation 1002"
std::string told(const websocket::Event& event) {
  switch (event.kind) {
    case Kind::text: return "text " + shown(event.payload);
    case Kind::binary: return "binary " + shown(event.payload);
    case Kind::ping: return "ping " + shown(event.payload);
    case Kind::pong: return "pong " + shown(event.payload);
    case Kind::violation: return "violation " + std::to_string(sio_demo::row(event.reason).close);
    case Kind::close: break;
    default: return "more";
  }
  if (event.payload.empty()) return "close";
  const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(event.payload[i])); };
  return "close " + std::to_string(byte(0) << 8 | byte(1)) +
         (event.payload.size() > 2 ? " " + shown(event.payload.substr(2)) : "");
}

struct Limits {
  std::size_t message = 100'000, fragments = 8;
};

/// All that the reader says when `wire` comes in pieces of `step` bytes, the first of `first` bytes,
/// joined by " | ". Only what it has not used up is kept between pieces, as a connection does.
std::string transcript(std::string_view wire, Limits limits = {}, std::size_t step = std::string_view::npos,
                       std::size_t first = 0) {
  sio_demo::Options options;
  options.max_payload = limits.message, options.max_fragments = limits.fragments;
  websocket::Reader reader(options);
  std::string out, rest;
  for (std::size_t at = 0; at < wire.size();) {
    const auto piece = wire.substr(at, at == 0 && first > 0 ? first : step);
    at += piece.size();
    rest += piece;
    Exact memory(rest);
    std::span<char> in(memory.data(), memory.size());
    for (;;) {
      const auto event = reader.next(in);
      if (event.kind == Kind::more) break;
      (out += out.empty() ? "" : " | ") += told(event);
      if (event.kind == Kind::violation) return out;
    }
    rest.assign(in.data(), in.size());
  }
  return out;
}

http::Request upgrade(std::string_view method, std::initializer_list<http::Header> headers) {
  http::Request request;
  request.method = method;
  request.headers = headers;
  return request;
}

constexpr std::string_view sample_key = "dGhlIHNhbXBsZSBub25jZQ==";

}  // namespace

// ---- handshake

TEST_CASE("handshake: the accept key of RFC 6455") {
  CHECK(websocket::accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(websocket::accept_key("x3JJHMbDL1EzLkh9GBhXDw==") == "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
}

TEST_CASE("handshake: good and bad requests") {
  constexpr std::string_view method = "Invalid HTTP method", upgrade_text = "Invalid Upgrade header",
                             key = "Missing or invalid Sec-WebSocket-Key header",
                             version = "Missing or invalid Sec-WebSocket-Version header",
                             protocol = "Invalid Sec-WebSocket-Protocol header";
  struct Row {
    std::string_view name;
    http::Request request;
    std::uint16_t status;
    std::string_view text;
  };
  const auto get = [](std::string_view up, std::string_view k, std::string_view v) {
    return upgrade("GET", {{"Upgrade", up}, {"Sec-WebSocket-Key", k}, {"Sec-WebSocket-Version", v}});
  };
  const auto offering = [](std::string_view protocols) {
    return upgrade("GET", {{"Upgrade", "websocket"},
                           {"Sec-WebSocket-Key", sample_key},
                           {"Sec-WebSocket-Version", "13"},
                           {"Sec-WebSocket-Protocol", protocols}});
  };
  const Row rows[] = {
      {"good", get("websocket", sample_key, "13"), 0, ""},
      {"version 8", get("websocket", sample_key, "8"), 0, ""},
      {"in capitals", get("WebSocket", sample_key, "13"), 0, ""},
      {"one subprotocol", offering("foo"), 0, ""},
      {"two subprotocols", offering("foo, bar"), 0, ""},
      {"POST",
       upgrade("POST", {{"Upgrade", "websocket"}, {"Sec-WebSocket-Key", sample_key}, {"Sec-WebSocket-Version", "13"}}),
       405, method},
      {"HEAD", upgrade("HEAD", {}), 405, method},
      {"HTTP/2", get("h2c", sample_key, "13"), 400, upgrade_text},
      {"a list of upgrades", get("websocket, h2c", sample_key, "13"), 400, upgrade_text},
      {"no upgrade", get("", sample_key, "13"), 400, upgrade_text},
      {"no key", get("websocket", "", "13"), 400, key},
      {"a short key", get("websocket", "dGhlIHNhbXBsZSBub25j", "13"), 400, key},
      {"a key of 15 bytes", get("websocket", "dGhlIHNhbXBsZSBub25j====", "13"), 400, key},
      {"a key without padding", get("websocket", "dGhlIHNhbXBsZSBub25jZQ", "13"), 400, key},
      {"a key of 17 bytes", get("websocket", "dGhlIHNhbXBsZSBub25jZWU=", "13"), 400, key},
      {"a long key", get("websocket", "dGhlIHNhbXBsZSBub25jZQ==A", "13"), 400, key},
      {"foreign characters in the key", get("websocket", "dGhlIHNhbXBsZSBub25j!Q==", "13"), 400, key},
      {"the alphabet of URLs in the key", get("websocket", "dGhlIHNhbXBsZSBub25-_Q==", "13"), 400, key},
      {"no version", get("websocket", sample_key, ""), 400, version},
      {"version 12", get("websocket", sample_key, "12"), 400, version},
      {"version 013", get("websocket", sample_key, "013"), 400, version},
      {"two versions", get("websocket", sample_key, "13, 8"), 400, version},
      {"an empty subprotocol", offering(""), 400, protocol},
      {"an empty place in the list", offering("foo,,bar"), 400, protocol},
      {"a comma behind", offering("foo,"), 400, protocol},
      {"a subprotocol with a space", offering("foo bar"), 400, protocol},
      {"a quoted subprotocol", offering("\"foo\""), 400, protocol},
      {"the same subprotocol twice", offering("foo, bar, foo"), 400, protocol},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const auto refusal = websocket::check_handshake(row.request);
    CHECK(refusal.status == row.status);
    CHECK(refusal.text == row.text);
  }
  const std::string commas(8000, ','), quotes(8000, '"'), many = repeated("a,", 4000);
  for (const std::string& list : {commas, quotes, many})
    CHECK(websocket::check_handshake(offering(list)).status == 400);
}

TEST_CASE("handshake: the answer") {
  CHECK(websocket::handshake_response(upgrade("GET", {{"Sec-WebSocket-Key", sample_key}}), "") ==
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
  CHECK(websocket::handshake_response(upgrade("GET", {{"sec-websocket-key", sample_key},
                                                      {"SEC-WEBSOCKET-PROTOCOL", " foo , bar"},
                                                      {"Sec-WebSocket-Extensions", "permessage-deflate"}}),
                                      "Vary: Origin\r\n") ==
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: foo\r\nVary: Origin\r\n\r\n");
}

// ---- frames out

TEST_CASE("frames out: the header for every kind of length") {
  struct Row {
    std::size_t size;
    std::string_view header;
  };
  const Row rows[] = {
      {0, "81 00"},
      {1, "81 01"},
      {125, "81 7d"},
      {126, "81 7e 00 7e"},
      {127, "81 7e 00 7f"},
      {255, "81 7e 00 ff"},
      {256, "81 7e 01 00"},
      {65535, "81 7e ff ff"},
      {65536, "81 7f 00 00 00 00 00 01 00 00"},
      {1'000'000, "81 7f 00 00 00 00 00 0f 42 40"},
      {0x0102030405060708, "81 7f 01 02 03 04 05 06 07 08"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.size);
    std::array<char, websocket::longest_header> header{};
    const auto size = websocket::frame_header(header.data(), Opcode::text, row.size);
    CHECK(as_hex({header.data(), size}) == row.header);
  }
}

TEST_CASE("frames out: control frames") {
  CHECK(as_hex(websocket::frame(Opcode::ping, "")) == "89 00");
  CHECK(as_hex(websocket::frame(Opcode::pong, "abc")) == "8a 03 61 62 63");
  CHECK(as_hex(websocket::frame(Opcode::binary, "\0\xff"sv)) == "82 02 00 ff");
  CHECK(as_hex(websocket::frame(Opcode::close, websocket::close_payload(0))) == "88 00");
  CHECK(as_hex(websocket::frame(Opcode::close, websocket::close_payload(1000))) == "88 02 03 e8");
  CHECK(as_hex(websocket::frame(Opcode::close, websocket::close_payload(1009))) == "88 02 03 f1");
  CHECK(as_hex(websocket::frame(Opcode::close, websocket::close_payload(4999))) == "88 02 13 87");
}

// ---- masks

TEST_CASE("unmasking: every length, any key, twice is nothing") {
  for (const std::string_view key : {"\0\0\0\0"sv, "\xff\xff\xff\xff"sv, "\x37\xfa\x21\x3d"sv, "\0\0\0\1"sv}) {
    for (std::size_t size = 0; size < 40; ++size) {
      CAPTURE(size);
      std::string plain;
      for (std::size_t i = 0; i < size; ++i) plain += static_cast<char>(i * 37);
      Exact memory(plain);
      websocket::unmask(memory.data(), size, key.data());
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < size; ++i) wrong += memory.view()[i] != static_cast<char>(plain[i] ^ key[i % 4]);
      CHECK(wrong == 0);
      websocket::unmask(memory.data(), size, key.data());
      CHECK(memory.view() == plain);
    }
  }
}

// ---- frames in

namespace {

struct Dialogue {
  std::string_view name;
  std::string wire, expected;
};

const std::vector<Dialogue>& good_dialogues() {
  static const std::vector<Dialogue> rows{
      {"a text, as in the RFC", hex("81 85 37 fa 21 3d 7f 9f 4d 51 58"), "text Hello"},
      {"an empty text", client(0x81, ""), "text "},
      {"one character", client(0x81, "4"), "text 4"},
      {"a binary", client(0x82, "\x01\xff\0"sv), "binary \\x01\\xff\\x00"},
      {"an empty binary", client(0x82, ""), "binary "},
      {"a binary that is no UTF-8", client(0x82, "\xff\xfe"), "binary \\xff\\xfe"},
      {"UTF-8", client(0x81, "\u00e9\u20ac\U0001F600"), "text \\xc3\\xa9\\xe2\\x82\\xac\\xf0\\x9f\\x98\\x80"},
      {"a separator and NUL are data",
       client(0x81,
              "42[]\x1e"
              "4\0x"sv),
       "text 42[]\\x1e4\\x00x"},
      {"mask zero", client(0x81, "hello", "\0\0\0\0"sv), "text hello"},
      {"mask of ones", client(0x81, "hello", "\xff\xff\xff\xff"), "text hello"},
      {"a ping", client(0x89, "abc"), "ping abc"},
      {"an empty ping", client(0x89, ""), "ping "},
      {"a pong nobody asked for", client(0x8a, "abc"), "pong abc"},
      {"a close without a code", client(0x88, ""), "close"},
      {"a close with a code", client(0x88, code(1000)), "close 1000"},
      {"a close with a reason", client(0x88, code(1001, "bye \u20ac")), "close 1001 bye \\xe2\\x82\\xac"},
      {"two fragments", client(0x01, "Hel") + client(0x80, "lo"), "text Hello"},
      {"fragments of bytes", client(0x02, "\xff") + client(0x00, "\xfe") + client(0x80, "\xfd"),
       "binary \\xff\\xfe\\xfd"},
      {"empty fragments", client(0x01, "") + client(0x00, "") + client(0x00, "a") + client(0x80, ""), "text a"},
      {"only empty fragments", client(0x02, "") + client(0x80, ""), "binary "},
      {"control frames between fragments",
       client(0x01, "a") + client(0x89, "1") + client(0x00, "b") + client(0x8a, "2") + client(0x80, "c"),
       "ping 1 | pong 2 | text abc"},
      {"a close between fragments", client(0x01, "a") + client(0x88, code(1000)), "close 1000"},
      {"a character in two fragments", client(0x01, "\xe2\x82") + client(0x80, "\xac"), "text \\xe2\\x82\\xac"},
      {"one fragmented message after another",
       client(0x01, "a") + client(0x80, "b") + client(0x02, "c") + client(0x80, "d"), "text ab | binary cd"},
      {"a whole message after a fragmented one", client(0x01, "a") + client(0x80, "b") + client(0x81, "c"),
       "text ab | text c"},
      {"many frames at once", client(0x81, "2probe") + client(0x81, "5") + client(0x81, "42[\"x\"]") + client(0x89, ""),
       "text 2probe | text 5 | text 42[\"x\"] | ping "},
      {"a small length in two bytes", client(0x81, "hello", "abcd", 2), "text hello"},
      {"a small length in eight bytes", client(0x81, "hello", "abcd", 8), "text hello"},
      {"no length in eight bytes", client(0x81, "", "abcd", 8), "text "},
  };
  return rows;
}

}  // namespace

TEST_CASE("frames in: good ones, in pieces of every size, split and cut at every byte") {
  for (const auto& row : good_dialogues()) {
    INFO(row.name);
    CHECK(transcript(row.wire) == row.expected);
    for (std::size_t step = 1; step <= 9; ++step) {
      CAPTURE(step);
      CHECK(transcript(row.wire, {}, step) == row.expected);
    }
    for (std::size_t cut = 1; cut < row.wire.size(); ++cut) {
      CAPTURE(cut);
      CHECK(transcript(row.wire, {}, std::string::npos, cut) == row.expected);
      // What is cut says less, and never that something is wrong.
      const auto less = transcript(std::string_view(row.wire).substr(0, cut));
      CHECK(less.size() < row.expected.size());
      CHECK(less == std::string_view(row.expected).substr(0, less.size()));
    }
  }
}

TEST_CASE("frames in: a single frame that is cut says nothing at all") {
  for (const std::string& frame : {client(0x81, "hello"), client(0x82, ""), client(0x88, code(1000, "bye")),
                                   client(0x81, std::string(200, 'x')), client(0x81, "x", "abcd", 8)})
    for (std::size_t cut = 0; cut < frame.size(); ++cut) {
      CAPTURE(cut);
      CHECK(transcript(std::string_view(frame).substr(0, cut)).empty());
    }
}

TEST_CASE("frames in: every kind of length") {
  for (const std::size_t size :
       {0u, 1u, 124u, 125u, 126u, 127u, 255u, 256u, 65534u, 65535u, 65536u, 65537u, 100'000u}) {
    CAPTURE(size);
    const auto frame = client(0x82, std::string(size, 'x'));
    const auto expected = "binary " + shown(std::string(size, 'x'));
    CHECK(transcript(frame) == expected);
    CHECK(transcript(frame, {}, 4096) == expected);
    CHECK(transcript(std::string_view(frame).substr(0, frame.size() - 1)).empty());
    CHECK(transcript(frame + client(0x81, "next")) == expected + " | text next");
  }
}

TEST_CASE("frames in: violations and their close codes") {
  const std::string text = "a";
  struct Row {
    std::string_view name;
    std::string wire, expected;
  };
  const Row rows[] = {
      {"not masked", hex("81 05 48 65 6c 6c 6f"), "violation 1002"},
      {"not masked, empty", hex("81 00"), "violation 1002"},
      {"a control frame that is not masked", hex("89 00"), "violation 1002"},
      {"RSV1", client(0xC1, text), "violation 1002"},
      {"RSV2", client(0xA1, text), "violation 1002"},
      {"RSV3", client(0x91, text), "violation 1002"},
      {"RSV1 on a control frame", client(0xC9, text), "violation 1002"},
      {"RSV1 on a continuation", client(0x01, text) + client(0xC0, text), "violation 1002"},
      {"opcode 3", client(0x83, text), "violation 1002"},
      {"opcode 4", client(0x84, text), "violation 1002"},
      {"opcode 5", client(0x85, text), "violation 1002"},
      {"opcode 6", client(0x86, text), "violation 1002"},
      {"opcode 7", client(0x87, text), "violation 1002"},
      {"opcode B", client(0x8B, text), "violation 1002"},
      {"opcode C", client(0x8C, text), "violation 1002"},
      {"opcode D", client(0x8D, text), "violation 1002"},
      {"opcode E", client(0x8E, text), "violation 1002"},
      {"opcode F", client(0x8F, text), "violation 1002"},
      {"a fragmented ping", client(0x09, text), "violation 1002"},
      {"a fragmented pong", client(0x0A, text), "violation 1002"},
      {"a fragmented close", client(0x08, code(1000)), "violation 1002"},
      {"a ping of 126 bytes", client(0x89, std::string(126, 'x')), "violation 1002"},
      {"a close of 126 bytes", client(0x88, code(1000, std::string(124, 'x'))), "violation 1002"},
      {"a ping with a long length of few", client(0x89, text, "abcd", 2), "violation 1002"},
      {"a continuation of nothing", client(0x80, text), "violation 1002"},
      {"a continuation of nothing, not the last", client(0x00, text), "violation 1002"},
      {"a continuation behind a whole message", client(0x81, text) + client(0x80, text), "text a | violation 1002"},
      {"a continuation behind the last one", client(0x01, text) + client(0x80, text) + client(0x80, text),
       "text aa | violation 1002"},
      {"a new text within a message", client(0x01, text) + client(0x81, text), "violation 1002"},
      {"a new binary within a message", client(0x01, text) + client(0x02, text), "violation 1002"},
      {"a message is done before it", client(0x81, text) + client(0x83, text), "text a | violation 1002"},
      {"a text that is not UTF-8", client(0x81, "\xff"), "violation 1007"},
      {"a text with half a character", client(0x81, "a\xe2\x82"), "violation 1007"},
      {"a text with a surrogate", client(0x81, "\xed\xa0\x80"), "violation 1007"},
      {"a text with an overlong form", client(0x81, "\xc0\xaf"), "violation 1007"},
      {"fragments that are not UTF-8", client(0x01, "\xe2\x82") + client(0x80, "a"), "violation 1007"},
      {"a close of one byte", client(0x88, "\x03"), "violation 1002"},
      {"a close with a bad reason", client(0x88, code(1000, "\xff")), "violation 1007"},
      {"a close with half a character", client(0x88, code(1000, "\xe2\x82")), "violation 1007"},
      {"a message beyond the limit", client(0x82, std::string(100'001, 'x')), "violation 1009"},
      {"a declared length beyond it", hex("82 ff 00 00 00 00 00 01 86 a1 00 00 00 00"), "violation 1009"},
      {"a length of 2^63 - 1", hex("82 ff 7f ff ff ff ff ff ff ff 00 00 00 00"), "violation 1009"},
      {"a length with the top bit", hex("82 ff 80 00 00 00 00 00 00 00 00 00 00 00"), "violation 1009"},
      {"a length of all ones", hex("82 ff ff ff ff ff ff ff ff ff 00 00 00 00"), "violation 1009"},
      {"a fragment with a length of all ones", client(0x02, text) + hex("80 ff ff ff ff ff ff ff ff ff 00 00 00 00"),
       "violation 1009"},
      {"nine fragments", client(0x02, "") + repeated(client(0x00, ""), 7) + client(0x80, ""), "violation 1008"},
      {"eight fragments are allowed", client(0x02, "") + repeated(client(0x00, "x"), 6) + client(0x80, ""),
       "binary xxxxxx"},
      {"control frames are no fragments", client(0x02, "") + repeated(client(0x89, ""), 9) + client(0x80, ""),
       repeated("ping  | ", 9) + "binary "},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(transcript(row.wire) == row.expected);
    CHECK(transcript(row.wire, {}, 1) == row.expected);
    CHECK(transcript(row.wire, {}, 3) == row.expected);
  }
}

TEST_CASE("frames in: a message may be as large as the limit, in one frame or in all") {
  const Limits ten{10, 8};
  struct Row {
    std::string_view name;
    std::string wire, expected;
  };
  const Row rows[] = {
      {"at the limit", client(0x81, "0123456789"), "text 0123456789"},
      {"beyond it", client(0x81, "0123456789a"), "violation 1009"},
      {"fragments at the limit", client(0x01, "01234") + client(0x80, "56789"), "text 0123456789"},
      {"fragments beyond it", client(0x01, "01234") + client(0x80, "56789a"), "violation 1009"},
      {"beyond it in the third", client(0x01, "01234") + client(0x00, "56789") + client(0x80, "a"), "violation 1009"},
      {"an empty one at the limit", client(0x01, "0123456789") + client(0x80, ""), "text 0123456789"},
      {"a long ping is no message", client(0x89, std::string(100, 'x')), "ping 100 bytes"},
      {"each message for itself", client(0x81, "0123456789") + client(0x01, "0123456789") + client(0x80, ""),
       "text 0123456789 | text 0123456789"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(transcript(row.wire, ten) == row.expected);
    CHECK(transcript(row.wire, ten, 1) == row.expected);
  }
  // Judged by what it declares: the header suffices.
  CHECK(transcript(hex("82 8b 00 00 00 00"), ten) == "violation 1009");
  CHECK(transcript(hex("02 85 00 00 00 00 00 00 00 00 00 80 86 00 00 00 00"), ten) == "violation 1009");
}

TEST_CASE("frames in: UTF-8 in two fragments, split at every byte") {
  struct Row {
    std::string_view text;
    bool good;
  };
  for (const Row& row : {Row{"a\u00e9\u20ac\U0001F600z", true}, Row{"a\u00e9\xed\xa0\x80z", false},
                         Row{"\xf4\x90\x80\x80", false}, Row{"\u20ac\xf0\x9f\x98", false}})
    for (std::size_t cut = 0; cut <= row.text.size(); ++cut) {
      CAPTURE(printable(row.text));
      CAPTURE(cut);
      const auto wire = client(0x01, row.text.substr(0, cut)) + client(0x80, row.text.substr(cut));
      CHECK(transcript(wire) == (row.good ? "text " + printable(row.text) : "violation 1007"));
    }
}

TEST_CASE("frames in: which close codes are valid") {
  std::size_t wrong = 0;
  for (unsigned value = 0; value < 65536; ++value) {
    const bool valid =
        (value >= 1000 && value <= 1003) || (value >= 1007 && value <= 1014) || (value >= 3000 && value <= 4999);
    wrong += websocket::close_code_valid(value) != valid;
  }
  CHECK(wrong == 0);
  for (const unsigned bad : {0u, 999u, 1004u, 1005u, 1006u, 1015u, 1016u, 2999u, 5000u, 65535u}) {
    CAPTURE(bad);
    CHECK(transcript(client(0x88, code(bad))) == "violation 1002");
  }
  for (const unsigned good : {1000u, 1003u, 1007u, 1014u, 3000u, 4999u}) {
    CAPTURE(good);
    CHECK(transcript(client(0x88, code(good, "why"))) == "close " + std::to_string(good) + " why");
  }
}

TEST_CASE("frames in: every mutation has a defined result, the same however it comes") {
  std::size_t differ = 0, undefined = 0;
  for (const auto& row : good_dialogues()) {
    each_mutation(
        row.wire,
        [&](std::string_view wire) {
          const auto whole = transcript(wire);
          differ += transcript(wire, {}, 1) != whole || transcript(wire, {}, 5) != whole;
          const auto at = whole.find("violation ");
          undefined += at != whole.npos && whole.substr(at) != "violation 1002" &&
                       whole.substr(at) != "violation 1007" && whole.substr(at) != "violation 1009";
        },
        40, 1500);
  }
  CHECK(differ == 0);
  CHECK(undefined == 0);
}

TEST_CASE("frames in: payloads of single frames lie in the input, what is left begins with a frame") {
  std::string wire = client(0x81, "one") + client(0x89, "two") + client(0x82, "three") + "\x81";
  const std::string_view whole = wire;
  std::span<char> in(wire);
  const sio_demo::Options options;
  websocket::Reader reader(options);
  for (const std::string_view expected : {"one", "two", "three"}) {
    const auto event = reader.next(in);
    CHECK(event.payload == expected);
    CHECK(inside(event.payload, whole));
  }
  CHECK(reader.next(in).kind == Kind::more);
  CHECK(in.size() == 1);
}
