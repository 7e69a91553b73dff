// redis: what comes from Redis, and on its channels (chapter 11).
//
// Input: a byte that says what the rest is: a stream of RESP (and how it is cut), a message of the adapter, or a URL.
//
// Held: RESP reads the same however it is cut, and keeps its limits. msgpack is read as nlohmann's parser
// reads it, but for limits, extensions and text that is not UTF-8. Events and requests that are understood are the same
// when they are encoded and decoded again, and what is encoded has what official servers insist on. A URL is read or
// refused, and no refusal shows the password.
#pragma once

#include "fuzz.hpp"

namespace fuzz::redis {

namespace sr = sio::redis;
using sio::json;
using sio::Progress;

// ---- RESP

inline void tell(const sr::Value& value, std::string& out, std::size_t& bytes) {
  out += static_cast<char>('a' + static_cast<int>(value.kind));
  out += value.text + '|' + std::to_string(value.number);
  if (value.is(sr::Value::Kind::text)) bytes += value.text.size();
  for (const auto& one : value.list) tell(one, out, bytes);
  out += ';';
}

inline std::string read_all(std::string_view stream, Cuts cuts, std::size_t largest) {
  sr::Reader reader(largest);
  std::string out;
  sr::Value value;
  cuts.each(stream, [&](std::string_view piece) {
    const Exact memory(piece);
    auto in = memory.view();
    auto progress = Progress::more;
    while ((progress = reader.read(in, value)) == Progress::complete) {
      std::size_t bytes = 0;
      tell(value, out, bytes);
      holds(bytes <= largest + sr::Reader::longest_line, "strings of a reply are bounded", {stream});
    }
    holds(in.empty() || progress == Progress::malformed, "all that comes is used", {stream});
    if (progress == Progress::malformed) out += std::string("malformed ") + reader.why();
    return progress == Progress::more;
  });
  return out;
}

inline void check_resp(std::string_view stream, std::uint8_t seed) {
  const std::size_t largest = seed & 1 ? 10 : 1000;
  const std::string whole = read_all(stream, Cuts::none(), largest);
  holds(whole == read_all(stream, Cuts::everywhere(), largest), "a stream says the same byte by byte", {stream});
  holds(whole == read_all(stream, Cuts::random(seed, stream.size()), largest),
        "a stream says the same however it is cut", {stream});
}

// ---- messages

inline std::size_t depth_of(const json& value) {
  std::size_t deepest = 0;
  if (value.is_structured())
    for (const auto& member : value) deepest = std::max(deepest, depth_of(member));
  return value.is_structured() ? deepest + 1 : 0;
}

/// Whether it has what is not read as nlohmann's parser reads it: an extension, or text that is not UTF-8.
inline bool is_changed(const json& value) {
  if (value.is_string()) return !sio::bytes::utf8_valid(value.get_ref<const std::string&>());
  if (value.is_binary()) return value.get_binary().has_subtype();
  if (value.is_object())
    for (const auto& member : value.items())
      if (!sio::bytes::utf8_valid(member.key())) return true;
  return value.is_structured() && std::any_of(value.begin(), value.end(), is_changed);
}

inline void check_msgpack(std::string_view text) {
  const Exact memory(text);
  const sr::Limits limits{.depth = 8, .values = 200};
  const auto limited = sr::from_msgpack(memory.view(), limits);
  const auto free = sr::from_msgpack(memory.view(), {.depth = 2000, .values = 100'000});
  const json theirs =
      json::from_msgpack(text.begin(), text.end(), true, false);  // an input is short, so it cannot be too deep
  holds(!limited || (free && limited->dump() == free->dump()), "limits change no value", {text});
  holds(!limited || depth_of(*limited) <= limits.depth, "what is read is within its depth", {text});
  holds(!free || !theirs.is_discarded(), "what is read is msgpack", {text});
  if (!theirs.is_discarded() && !is_changed(theirs))
    holds(free && free->dump() == theirs.dump(), "msgpack is read as nlohmann's parser reads it", {text});
}

/// Numbers that msgpack tells apart and JSON does not, and texts that are not UTF-8, are the same or repaired.
inline std::string shown(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

inline void check_event(std::string_view text) {
  const Exact memory(text);
  const auto event = sr::decode_event(memory.view());
  if (!event) return;
  const std::string out = sr::encode(*event);
  const auto again = sr::decode_event(out);
  holds(again && shown(again->values) == shown(event->values) && again->uid == event->uid && again->nsp == event->nsp &&
            again->target.rooms == event->target.rooms && again->target.except == event->target.except &&
            again->target.droppable == event->target.droppable,
        "an event is the same when it is encoded and decoded again", {text, out});
  const json message = json::from_msgpack(out);
  holds(message.size() == 3 && message[2].at("flags").is_object() && message[2].at("rooms").is_array() &&
            message[2].at("except").is_array() && message[1].at("data").is_array(),
        "an event has what official servers insist on", {out});
  (void)sio::detail::writer_of(event->values);
}

inline void check_request(std::string_view text) {
  const Exact memory(text);
  (void)sr::decode_response(memory.view());
  const auto request = sr::decode_request(memory.view());
  if (!request) return;
  const std::string out = sr::encode(*request);
  const auto again = sr::decode_request(out);
  if (!sio::bytes::utf8_valid(text)) return;  // JSON repairs what is not UTF-8
  holds(again && sr::encode(*again) == out, "a request is the same when it is encoded and decoded again", {text, out});
}

inline void check_url(std::string_view text) {
  try {
    (void)sr::parse_url(text);
  } catch (const std::invalid_argument&) {}
  if (text.find("Pass-Word") != text.npos) return;
  const std::string url = "redis://:Pass-Word@" + std::string(text);
  try {
    const auto address = sr::parse_url(url);
    holds(!address.host.empty() && address.port != 0, "an address has a host and a port", {url});
  } catch (const std::invalid_argument& refused) {
    holds(std::string_view(refused.what()).find("Pass-Word") == ""sv.npos, "no refusal shows the password",
          {url, refused.what()});
  }
}

inline void run(std::string_view bytes) {
  Input input(bytes);
  const auto kind = input.byte();
  const auto rest = input.rest();
  switch (kind & 3) {
    case 0: return check_resp(rest, static_cast<std::uint8_t>(kind >> 2));
    case 1: return check_url(rest);
    default: check_msgpack(rest), check_event(rest), check_request(rest);
  }
}

}  // namespace fuzz::redis
