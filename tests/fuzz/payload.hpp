// payload: bodies of long-polling, up and down, with their base64 and UTF-8 (chapters 2 and 6).
//
// Input: a byte of knobs (limit of packets; WebSocket with b64=1), then the body that a client posts. Its
// parts are also what the application sends.
//
// Held: a posted body leads to the messages, the answers and the end that a second reader makes of it. What
// the application sends comes down in order, as packets that read back as the same messages. Base64 reads
// back, and is decoded as by a slower decoder. UTF-8 is judged as by a slower judge; a repaired text is UTF-8,
// and a good one is left alone.
#pragma once

#include "fuzz.hpp"

namespace fuzz::payload {

namespace eio = sio::engineio;
using sio::Reason;

inline std::string shown(std::string_view payload, bool binary) {
  return (binary ? "binary " : "text ") + std::string(payload);
}

struct Peer final : eio::Peer {
  void answer(std::uint32_t, const eio::Answer& answer) override {
    answers.emplace_back(answer.body), statuses.push_back(answer.status);
  }
  void cut() override { was_cut = true; }
  void send(const eio::MessageRef& message) override { sent.push_back(message); }
  void send_close(Reason, std::string_view) override { closed = true; }
  std::size_t queued() const override { return 0; }
  void wake() override {}

  std::vector<std::string> answers;
  std::vector<int> statuses;
  std::vector<eio::MessageRef> sent;
  bool was_cut = false, closed = false;
};

struct Application final : eio::Application {
  void on_open(eio::Session&, const sio::http::Request&) override {}
  void on_message(eio::Session&, std::string_view payload, bool binary) override {
    seen.push_back(shown(payload, binary));
  }
  void on_close(eio::Session&, Reason reason, std::string_view) override {
    seen.push_back(std::string("end ") + sio::row(reason).name);
  }
  std::vector<std::string> seen;
};

/// A session, and the application above it.
class Machine {
 public:
  Machine(std::uint8_t knobs, bool websocket) {
    options.generate_id = [](const sio::http::Request&) { return "S"; };
    if (knobs & 1) options.max_packets_per_payload = 3;
    request_.query.read(websocket ? "EIO=4&transport=websocket&b64=1" : "EIO=4&transport=polling", 9);
    engine.advance(eio::Time{} + std::chrono::hours(1));
    session = engine.open(request_, websocket ? &channel : nullptr);
  }
  ~Machine() { session->shut_down(Reason::server_shutdown); }

  sio::Options options;
  sio::Log log{sio::LogLevel::off, {}};
  sio::Counters counters;
  Application application;
  eio::Engine engine{options, log, counters, application};
  Peer channel;
  sio::Ref<eio::Session> session;

 private:
  sio::http::Request request_;
};

// ---- slower ways to the same ends

inline std::string slow_base64(std::string_view text) {
  std::string bits, out;
  for (const char c : text.substr(0, text.find('='))) {
    constexpr auto alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"sv;
    const auto digit = alphabet.find(c == '-' ? '+' : c == '_' ? '/' : c);
    for (int bit = 6; digit != alphabet.npos && bit-- > 0;) bits += digit >> bit & 1 ? '1' : '0';
  }
  for (; bits.size() >= 8; bits.erase(0, 8)) out += static_cast<char>(std::stoi(bits.substr(0, 8), nullptr, 2));
  return out;
}

/// What becomes of a body that is posted.
inline std::vector<std::string> wanted(std::string_view body, std::size_t most) {
  std::vector<std::string> out;
  const auto end = [&](Reason reason) { out.push_back(std::string("end ") + sio::row(reason).name); };
  const auto packets = parts_of(body, '\x1e');
  if (packets.size() > most) return end(Reason::parse_error), out;  // before any of them is handled
  for (const auto packet : packets) {
    if (packet.empty()) return end(Reason::parse_error), out;
    switch (packet[0]) {
      case '4': out.push_back(shown(packet.substr(1), false)); break;
      case 'b': out.push_back(shown(slow_base64(packet.substr(1)), true)); break;
      case '1': return end(Reason::transport_close), out;
      case '2': return end(Reason::transport_error), out;
      case '0':
      case '3':
      case '5':
      case '6': break;
      default: return end(Reason::parse_error), out;
    }
  }
  return out;
}

// ---- up, down, and the codecs alone

inline void check_up(std::string_view body, std::uint8_t knobs) {
  Peer poll, post;
  Machine machine(knobs, false);
  machine.session->poll({&poll, 1});  // takes the open packet
  machine.session->poll({&poll, 2});
  if (machine.session->post({&post, 3}, false)) machine.session->post_body(body);
  const auto text = sio::bytes::utf8_repair(body);
  const auto seen = machine.application.seen, expected = wanted(text, machine.options.max_packets_per_payload);
  std::string all;
  for (const auto& one : seen) all += one + " / ";
  holds(seen == expected, "a posted body is the messages and the end that it says", {body, all});
  holds(post.answers.size() == 1 && post.answers[0] == "ok" && !post.was_cut,
        "a POST is answered with ok, whatever its packets are worth");
  const bool ended = !expected.empty() && expected.back().starts_with("end ");
  holds((machine.session->state() == eio::State::closed) == ended, "a session ends for what is wrong only");
  holds(poll.answers.size() == (ended ? 2u : 1u), "the end answers the held poll");
}

inline void check_down(std::string_view body, std::uint8_t knobs) {
  const bool websocket = knobs & 2;
  Peer poll;
  Machine machine(knobs, websocket);
  std::vector<std::string> sent, received;
  bool binary = knobs & 4;
  for (const auto part : parts_of(body, '\x1e')) {  // a separator cannot stand in a text
    binary ? machine.session->send_binary(part) : machine.session->send_text(part);
    sent.push_back(shown(binary ? std::string(part) : sio::bytes::utf8_repair(part), binary));
    binary = !binary;
  }
  const auto receive = [&](std::string_view packet) {
    holds(packet.starts_with('4') || packet.starts_with('b'), "a packet has a type", {packet});
    received.push_back(packet[0] == 'b' ? shown(slow_base64(packet.substr(1)), true) : shown(packet.substr(1), false));
  };
  if (websocket) {
    for (std::size_t i = 1; i < machine.channel.sent.size(); ++i) {
      holds(!machine.channel.sent[i]->is_binary(), "a client that asked for text gets text");
      receive(machine.channel.sent[i]->payload());
    }
  } else {
    machine.session->poll({&poll, 1});
    holds(poll.answers.size() == 1 && poll.answers[0].starts_with("0{"), "the first poll is answered at once");
    auto packets = parts_of(poll.answers[0], '\x1e');
    for (std::size_t i = 1; i < packets.size(); ++i) receive(packets[i]);
  }
  holds(received == sent, "what is sent comes down, in order, as it was", {body});
}

inline void check_codecs(std::string_view bytes) {
  const auto text = sio::bytes::base64_encode(bytes), decoded = sio::bytes::base64_decode(bytes);
  holds(sio::bytes::base64_decode(text) == bytes && text.size() == (bytes.size() + 2) / 3 * 4, "base64 reads back",
        {bytes});
  holds(decoded == slow_base64(bytes), "base64 is read as by a slower reader", {bytes});
  holds(sio::bytes::utf8_valid(bytes) == is_utf8(bytes), "UTF-8 is judged as by a slower judge", {bytes});
  const auto prefix = sio::bytes::utf8_valid_prefix(bytes);
  holds(is_utf8(bytes.substr(0, prefix)) && (prefix == bytes.size() || !is_utf8(bytes)),
        "the good part of a text is good", {bytes});
  const sio::bytes::Utf8Text repaired(bytes);
  holds(is_utf8(repaired.view()) && repaired.view() == sio::bytes::utf8_repair(bytes), "a repaired text is UTF-8",
        {bytes});
  holds(!is_utf8(bytes) || repaired.view().data() == bytes.data(), "a good text is left alone");
}

inline void run(std::string_view bytes) {
  Input input(bytes);
  const auto knobs = input.byte();
  const auto body = input.rest();
  check_up(body, knobs);
  check_down(body, knobs);
  if (body.size() < 2000) check_codecs(body);
}

}  // namespace fuzz::payload
