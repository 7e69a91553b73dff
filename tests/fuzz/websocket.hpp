// websocket: frames, in and out (chapter 5).
//
// Input: a byte of knobs (limits; the rest as it comes on the wire, or a program that writes mostly good
// frames), a byte that says how the stream is cut, then that rest.
//
// Held: the reader tells the same events however the stream is cut, and they are those that a second reader
// tells, written by the letter of RFC 6455 for a stream that is whole. Messages and control frames keep their
// limits, text is UTF-8, memory is bounded. What is written as a server's frame reads back.
#pragma once

#include "fuzz.hpp"

namespace fuzz::websocket {

using sio::Reason;
using sio::websocket::Event;
using sio::websocket::Opcode;

struct Limits {
  std::size_t message, fragments;
};
constexpr std::array all_limits{Limits{100'000, 16'384}, Limits{125, 3}, Limits{1000, 1}, Limits{70'000, 8}};

inline std::string told(std::string_view kind, std::string_view payload) {
  return std::string(kind) + " " + std::string(payload);
}
inline std::string violated(Reason reason) { return std::string("violation ") + sio::row(reason).name; }

inline std::string told(const Event& event) {
  constexpr std::array<std::string_view, 6> names{"more", "text", "binary", "ping", "pong", "close"};
  return event.kind == Event::Kind::violation ? violated(event.reason)
                                              : told(names[static_cast<std::size_t>(event.kind)], event.payload);
}

// ---- frames, written

/// A client's frame. `width`: how many bytes tell the length, 0: as few as there can be.
inline std::string client_frame(unsigned first, std::string_view payload, std::uint32_t mask, std::size_t width = 0) {
  const std::size_t least = payload.size() < 126 ? 0 : payload.size() < 65536 ? 2 : 8;
  width = std::max(width, least);
  std::string out{static_cast<char>(first), static_cast<char>(0x80 | (width == 0   ? payload.size()
                                                                      : width == 2 ? 126
                                                                                   : 127))};
  for (std::size_t i = width; i-- > 0;) out += static_cast<char>(payload.size() >> 8 * i & 0xff);
  std::array<char, 4> key;
  for (std::size_t i = 0; i < 4; ++i) key[i] = static_cast<char>(mask >> 8 * i & 0xff);
  out.append(key.data(), 4);
  for (std::size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ key[i % 4]);
  return out;
}

/// A stream of mostly good frames, as a program in the input says.
inline std::string built(Input& program, std::size_t largest) {
  constexpr std::array<std::size_t, 8> sizes{0, 1, 5, 125, 126, 300, 1000, 66'000};
  constexpr std::array<unsigned, 8> controls{0x89, 0x8a, 0x89, 0x8a, 0x88, 0x09, 0x8b, 0x99};
  std::string out;
  bool within = false;                               // a fragmented message
  while (!program.empty() && out.size() < 70'000) {  // one large frame is enough
    const auto what = program.byte(), how = program.byte();
    const auto text = program.until('\n');
    std::string payload(text);
    if (how & 0x40 && !text.empty() && payload.size() < 100)
      for (const auto size = std::min(sizes[how & 7], largest); payload.size() < size;)
        payload += text.substr(0, size - payload.size());
    unsigned first = controls[what & 7];
    if (what & 0x80) {
      const bool last = what & 0x40, breaks = (what & 0x30) == 0x30;
      first = (last ? 0x80u : 0u) | (within != breaks ? 0u : what & 1 ? 2u : 1u);
      within = !last;
    } else if (what & 0x40)
      payload = std::string{static_cast<char>(3 + (how & 1)), static_cast<char>(what + how)} + payload;
    const std::uint32_t mask = how & 0x20 ? 0x4d61736bu + how : 0;
    out += client_frame(first, payload, mask, how & 0x10 ? 8 : how & 8 ? 2 : 0);
  }
  return out;
}

// ---- frames, read by the letter of the RFC

class SlowReader {
 public:
  SlowReader(std::string wire, Limits limits) : in_(std::move(wire)), limits_(limits) {}

  std::vector<std::string> events() {
    std::vector<std::string> out;
    while (auto event = frame()) {
      if (event->empty()) continue;
      out.push_back(*event);
      if (event->starts_with("violation")) break;
    }
    return out;
  }

 private:
  std::uint8_t byte(std::size_t i) const { return static_cast<std::uint8_t>(in_[at_ + i]); }

  /// nullopt: no more; "": a fragment.
  std::optional<std::string> frame() {
    const std::size_t left = in_.size() - at_;
    if (left < 2) return std::nullopt;
    const unsigned opcode = byte(0) & 15;
    const bool fin = byte(0) & 0x80, control = opcode >= 8;
    if (byte(0) & 0x70 || (opcode > 2 && opcode < 8) || opcode > 10 || !(byte(1) & 0x80))
      return violated(Reason::frame_malformed);
    if (control && (!fin || (byte(1) & 0x7f) > 125)) return violated(Reason::frame_malformed);
    if (!control && (opcode == 0) != begun_.has_value()) return violated(Reason::frame_malformed);
    const unsigned length = byte(1) & 0x7f;
    const std::size_t width = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (left < 6 + width) return std::nullopt;
    std::uint64_t size = width ? 0 : length;
    for (std::size_t i = 0; i < width; ++i) size = size * 256 + byte(2 + i);
    if (!control && (size > limits_.message || message_.size() + size > limits_.message))
      return violated(Reason::message_too_big);
    if (!control && fragments_ == limits_.fragments) return violated(Reason::too_many_fragments);
    if (left - 6 - width < size) return std::nullopt;
    std::string payload;
    for (std::size_t i = 0; i < size; ++i) payload += static_cast<char>(byte(6 + width + i) ^ byte(2 + width + i % 4));
    at_ += 6 + width + static_cast<std::size_t>(size);
    return control ? control_frame(opcode, payload) : data_frame(opcode, fin, payload);
  }

  std::string data_frame(unsigned opcode, bool fin, const std::string& payload) {
    if (opcode != 0) begun_ = opcode;
    ++fragments_;
    message_ += payload;
    if (!fin) return "";
    const auto whole = std::exchange(message_, {});
    const auto type = *std::exchange(begun_, std::nullopt);
    fragments_ = 0;
    if (type == 1 && !is_utf8(whole)) return violated(Reason::text_not_utf8);
    return told(type == 1 ? "text" : "binary", whole);
  }

  static std::string control_frame(unsigned opcode, const std::string& payload) {
    if (opcode != 8 || payload.empty()) return told(opcode == 8 ? "close" : opcode == 9 ? "ping" : "pong", payload);
    if (payload.size() < 2) return violated(Reason::frame_malformed);
    const int code = static_cast<std::uint8_t>(payload[0]) * 256 + static_cast<std::uint8_t>(payload[1]);
    const bool known =
        (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code < 5000);
    if (!known) return violated(Reason::frame_malformed);
    return is_utf8(std::string_view(payload).substr(2)) ? told("close", payload) : violated(Reason::text_not_utf8);
  }

  std::string in_;
  Limits limits_;
  std::size_t at_ = 0, fragments_ = 0;
  std::optional<unsigned> begun_;
  std::string message_;
};

// ---- the header's reader, on a stream in pieces

inline std::vector<std::string> events(std::string_view wire, Limits limits, Cuts cuts) {
  sio::Options options;
  options.max_payload = limits.message, options.max_fragments = limits.fragments;
  sio::websocket::Reader reader(options);
  std::vector<std::string> out;
  std::string kept;
  cuts.each(wire, [&](std::string_view piece) {
    kept += piece;
    const Exact memory(kept);
    for (auto in = memory.span();;) {
      const auto event = reader.next(in);
      if (event.kind == Event::Kind::more) {
        kept.assign(in.data(), in.size());
        holds(kept.size() <= limits.message + 14 + 125, "what is kept of an incomplete frame is bounded");
        return true;
      }
      out.push_back(told(event));
      if (event.kind == Event::Kind::violation) return holds(*event.why != '\0', "a violation says why"), false;
      const bool message = event.kind == Event::Kind::text || event.kind == Event::Kind::binary;
      holds(event.payload.size() <= (message ? limits.message : 125), "messages and control frames keep their limits");
      if (event.kind == Event::Kind::text) holds(is_utf8(event.payload), "a text is UTF-8", {event.payload});
    }
  });
  return out;
}

/// A server's frame: its payload, and nothing behind it.
inline void check_written(std::string_view frame, unsigned opcode, std::string_view payload) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(frame[i]); };
  const std::size_t width = payload.size() < 126 ? 0 : payload.size() < 65536 ? 2 : 8;
  holds(frame.size() == 2 + width + payload.size() && byte(0) == (0x80 | opcode), "a frame is as long as it says");
  std::uint64_t size = width ? 0 : byte(1);
  if (width) holds(byte(1) == (width == 2 ? 126 : 127), "a length is written in as few bytes as there can be");
  for (std::size_t i = 0; i < width; ++i) size = size * 256 + byte(2 + i);
  holds(size == payload.size() && frame.substr(2 + width) == payload, "a frame holds its payload");
}

inline void check_writers(std::string_view payload, std::uint16_t code) {
  check_written(sio::websocket::frame(Opcode::pong, payload), 10, payload);
  check_written(
      sio::engineio::Message::text({payload.substr(0, 1), payload.substr(std::min<std::size_t>(1, payload.size()))})
          ->frame(),
      1, payload);
  check_written(sio::engineio::Message::binary(payload)->frame(), 2, payload);
  const auto text = sio::bytes::utf8_repair(payload);
  const auto close = sio::websocket::close_payload(code, text);
  holds(close.size() <= 125, "a close frame's payload is that of a control frame");
  if (!sio::websocket::close_code_valid(code)) return;
  const auto read = events(client_frame(0x88, close, 1), all_limits[0], Cuts::none());
  holds(read.size() == 1 && read[0] == told("close", close), "a close frame that we write is one that we read",
        {close});
}

inline void run(std::string_view bytes) {
  Input input(bytes);
  const auto knobs = input.byte(), seed = input.byte();
  const Limits limits = all_limits[knobs & 3];
  const std::string wire = knobs & 4 ? built(input, limits.message + 1) : std::string(input.rest());
  const auto wanted = SlowReader(wire, limits).events();
  std::vector<Cuts> ways{Cuts::none(), Cuts::random(seed, wire.size())};
  if (wire.size() < 500) ways.push_back(Cuts::everywhere());
  for (const auto& cuts : ways) {
    const auto seen = events(wire, limits, cuts);
    std::string all_seen, all_wanted;
    for (const auto& event : seen) all_seen += event + " / ";
    for (const auto& event : wanted) all_wanted += event + " / ";
    holds(seen == wanted, "events are those of RFC 6455, however the stream is cut", {all_seen, all_wanted});
  }
  check_writers(std::string_view(bytes).substr(0, 70'000), static_cast<std::uint16_t>(knobs * 20 + seed));
}

}  // namespace fuzz::websocket
