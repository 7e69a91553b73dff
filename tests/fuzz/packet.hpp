// packet: Socket.IO packets and their JSON (chapters 2 and 7).
//
// Input: a byte of knobs (limits; whether what follows is JSON alone), then parts between bytes 0xFF: a
// packet's text, then its attachments.
//
// Held: the JSON guard accepts what nlohmann's parser accepts, but for the limits, half surrogate pairs and
// numbers that C++ cannot hold; its elements are those of the array. What is decoded lies in its text; written
// again and decoded again it is the same packet, with the same arguments, name and attachments. Placeholders
// make no more bytes of attachments than their budget. Strings and numbers that are written read back.
#pragma once

#include "fuzz.hpp"

namespace fuzz::packet {

namespace sop = sio::socketio;
using sio::json;
using sop::PacketType;

// ---- the JSON guard against nlohmann's parser

enum class Said { good, out_of_range, malformed };

inline Said by_nlohmann(std::string_view text, json& value) {
  try {
    value = json::parse(text);
    return Said::good;
  } catch (const json::out_of_range&) {
    return Said::out_of_range;
  } catch (const json::parse_error&) {
    return Said::malformed;
  }
}

/// How deep a text that is JSON is nested, and how many tokens it has.
inline std::pair<std::size_t, std::size_t> measured(std::string_view text) {
  std::size_t depth = 0, deepest = 0, tokens = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (" \t\r\n"sv.find(c) != ""sv.npos) continue;
    ++tokens;
    if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    else if (c == ']' || c == '}') --depth;
    else if (c == '"') {
      while (text[++i] != '"') i += text[i] == '\\';
    } else if (c != ',' && c != ':') {
      i = std::min(text.find_first_of(" \t\r\n,:]}", i), text.size()) - 1;
    }
  }
  return {deepest, tokens};
}

inline void check_elements(const json& value, const std::vector<std::string_view>& elements, std::string_view text) {
  holds(elements.size() == (value.is_array() ? value.size() : 0), "an array has as many elements as the guard found",
        {text});
  for (std::size_t i = 0; i < elements.size(); ++i) {
    holds(inside(elements[i], text), "elements lie in their text");
    holds(sop::parse(elements[i]) == value[i], "an element is that of the array", {text, elements[i]});
  }
}

/// `text` is UTF-8, as all text that gets here.
inline void check_guard(std::string_view text, sio::bytes::JsonLimits limits) {
  const Exact memory(text);
  std::vector<std::string_view> elements;
  const char* why = sio::bytes::Outline(limits).read(memory.view(), &elements);
  json value;
  auto said = by_nlohmann(text, value);
  if (!why) {
    if (said == Said::malformed) said = by_nlohmann(sio::bytes::replace_lone_surrogates(text), value);
    holds(said != Said::malformed, "what the guard accepts is JSON", {text});
    holds(sop::parse(text).is_discarded() == (said == Said::out_of_range),
          "what the guard accepts is parsed, but for numbers out of range", {text});
    if (said == Said::good) check_elements(value, elements, memory.view());
    const auto [depth, tokens] = measured(text);
    holds(depth <= limits.depth && tokens <= limits.tokens, "what the guard accepts is within its limits", {text});
  } else if (said == Said::good && !text.starts_with("\xEF\xBB\xBF") && text.find('\0') == text.npos) {
    // (nlohmann's parser skips a byte order mark, and takes NUL for the end. Neither is JSON.)
    const auto [depth, tokens] = measured(text);
    holds(depth > limits.depth || tokens > limits.tokens, "what the guard refuses is no JSON, or beyond a limit",
          {text, why});
  }
}

// ---- packets

inline std::string header_of(const sop::Packet& packet) {
  std::string out{static_cast<char>('0' + static_cast<int>(packet.type))};
  out += packet.nsp;
  if (packet.id) out += '#', sio::bytes::append_number(out, *packet.id);
  return out;
}

inline PacketType without_binary(PacketType type) {
  return type == PacketType::binary_event ? PacketType::event : type == PacketType::binary_ack ? PacketType::ack : type;
}

/// A packet's values, its attachments in their places; nullopt if a placeholder is wrong.
inline std::optional<json> values_of(const sop::Packet& packet, const std::vector<std::string>& attachments) {
  json values = packet.json.empty() ? json() : sop::parse(packet.json);
  if (values.is_discarded()) return std::nullopt;
  if (packet.attachments > 0 && !sop::replace_placeholders(values, attachments)) return std::nullopt;
  return values;
}

inline std::size_t binary_size(const json& value) {
  if (value.is_binary()) return value.get_binary().size();
  std::size_t size = 0;
  for (const auto& member : value)
    if (value.is_structured()) size += binary_size(member);
  return size;
}

inline void check_arguments(const sop::Packet& packet) {
  const sop::Arguments arguments(packet.elements);
  const auto values = arguments.values();
  holds(values.size() == packet.elements.size() && arguments.size() == values.size(),
        "there are as many arguments as elements");
  for (std::size_t i = 0; i < values.size(); ++i) {
    holds(!values[i].is_discarded() && inside(arguments.text(i), packet.json),
          "an argument is a value, and its text lies in the packet's");
    holds(arguments.value(i).is_discarded() || arguments.value(i) == values[i], "an argument is the same each time");
  }
}

/// Written again and decoded again it is the same.
inline void check_round_trip(const sop::Packet& packet, const json& values) {
  if (packet.id && *packet.id >= 1e21) return;  // written as 1e+21, as the reference does, which nobody reads
  sop::Writer writer;
  if (!packet.json.empty()) writer.value(values);
  const auto out = sop::encode(without_binary(packet.type), packet.nsp, packet.id, std::move(writer));
  const std::string text(out.head->payload());
  holds(text[0] == '4' && is_utf8(text), "a packet is written as a message of UTF-8", {text});
  sop::Decoder decoder({1'000'000, {64, 1'000'000}});
  sop::Packet again;
  const char* why = decoder.decode(std::string_view(text).substr(1), again);
  holds(!why, "what is written can be decoded", {text, why ? why : ""});
  std::vector<std::string> attachments;
  for (const auto& attachment : out.attachments) attachments.emplace_back(attachment->payload());
  holds(again.attachments == attachments.size(), "a packet announces its attachments", {text});
  const auto same = values_of(again, attachments);
  holds(same && *same == values, "values are the same when they are written and decoded again", {text});
  holds(without_binary(again.type) == without_binary(packet.type) && again.name == packet.name,
        "a packet's type and name are the same again", {text});
  sop::Packet plain = packet;
  plain.type = again.type;
  holds(header_of(again) == header_of(plain), "a packet's header is the same again", {text, header_of(plain)});
}

inline void check_packet(std::string_view text, const std::vector<std::string>& attachments, sop::DecodeLimits limits) {
  const Exact memory(text);
  sop::Decoder decoder(limits);
  sop::Packet packet;
  decoder.decode("51-[\"left\",\"behind\"]", packet);
  if (decoder.decode(memory.view(), packet)) return;
  holds(inside(packet.json, memory.view()) && (packet.nsp == "/" || inside(packet.nsp, memory.view())),
        "a packet's views lie in its text");
  holds(packet.nsp.starts_with('/') && packet.nsp.find(',') == packet.nsp.npos, "a namespace's name has its form",
        {packet.nsp});
  holds(
      (packet.attachments > 0) == (packet.type >= PacketType::binary_event) && packet.attachments <= limits.attachments,
      "binary packets announce attachments, others none");
  holds(is_utf8(packet.name), "an event's name is UTF-8", {packet.name});
  if (packet.is_event() && !packet.json.empty()) holds(!packet.elements.empty(), "an event has a name");
  if (packet.elements.empty() || packet.json[packet.json.find_first_not_of(" \t\r\n")] == '[') check_arguments(packet);
  if (const auto values = values_of(packet, attachments)) {
    std::size_t budget = 1024;
    for (const auto& attachment : attachments) budget += 2 * attachment.size();
    holds(binary_size(*values) <= budget, "placeholders make no more bytes than their budget", {text});
    check_round_trip(packet, *values);
  }
}

inline void check_writers(std::string_view text) {
  std::string out;
  sio::bytes::append_string(out, text);
  json value;
  holds(by_nlohmann(out, value) == Said::good && value == json(sio::bytes::utf8_repair(text)),
        "a string that is written reads back", {text, out});
  double number = 0;
  std::memcpy(&number, text.data(), std::min(text.size(), sizeof number));
  out.clear();
  sio::bytes::append_number(out, number);
  const auto said = by_nlohmann(out, value);
  holds(said == Said::good && (std::isfinite(number) ? value.get<double>() == number : value.is_null()),
        "a number that is written reads back", {out});
}

inline void run(std::string_view bytes) {
  Input input(bytes);
  const auto knobs = input.byte();
  const std::string text = sio::bytes::utf8_repair(input.until('\xff'));
  std::vector<std::string> attachments;
  while (!input.empty() && attachments.size() < 12) attachments.emplace_back(input.until('\xff'));
  const sio::bytes::JsonLimits json_limits = knobs & 1 ? sio::bytes::JsonLimits{4, 20} : sio::bytes::JsonLimits{};
  check_guard(text, json_limits);
  if (knobs & 2) return;
  check_packet(text, attachments, {knobs & 4 ? 3u : 10u, json_limits});
  sop::Packet packet;
  sop::Decoder({10, json_limits}).decode(bytes, packet);  // no text gets here that is not UTF-8; no harm if it did
  check_writers(text);
}

}  // namespace fuzz::packet
