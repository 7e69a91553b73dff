// A client of the handler matrix: it speaks bytes over loopback, in the loop that also runs the server, and answers
// what it is asked. It never waits: pump() reads what has come and says whether anything had.
#pragma once

#include "sio_demo.hpp"

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace handlers {

namespace sio = sio_demo;

/// A TCP connection that keeps what it hears.
class Wire {
 public:
  Wire(asio::io_context& loop, std::uint16_t port) : Wire(asio::ip::tcp::socket(loop), port) {}
  explicit Wire(asio::ip::tcp::socket socket) : socket_(std::move(socket)) { prepare(); }

  void send(std::string_view bytes) {
    std::error_code error;
    while (!bytes.empty() && !error) bytes.remove_prefix(socket_.write_some(asio::buffer(bytes), error));
  }
  /// Reads what has come. false: nothing had.
  bool pump() {
    if (ended) return false;
    std::array<char, 4096> bytes;
    std::error_code error;
    const auto size = in.size();
    while (const auto got = socket_.read_some(asio::buffer(bytes), error)) in.append(bytes.data(), got);
    ended = error && error != asio::error::would_block;
    return in.size() > size || ended;
  }
  void leave() { socket_ = asio::ip::tcp::socket(socket_.get_executor()), ended = true; }

  std::string in;
  bool ended = false;

 private:
  Wire(asio::ip::tcp::socket socket, std::uint16_t port) : socket_(std::move(socket)) {
    std::error_code error;
    socket_.connect({asio::ip::address_v4::loopback(), port}, error);
    ended = static_cast<bool>(error);
    prepare();
  }
  void prepare() {
    std::error_code error;
    socket_.non_blocking(true, error);
    socket_.set_option(asio::ip::tcp::no_delay(true), error);
    socket_.set_option(asio::socket_base::linger(true, 0), error);  // no port is left waiting
  }
  asio::ip::tcp::socket socket_;
};

inline std::string frame(unsigned char first, std::string_view payload) {
  const auto size = payload.size();  // below 65,536
  std::string out{static_cast<char>(first), static_cast<char>(0x80 | (size < 126 ? size : 126))};
  if (size > 125) out.append({static_cast<char>(size >> 8), static_cast<char>(size & 0xff)});
  return out.append(4, '\0').append(payload);
}
inline std::string get(std::string_view target, std::string_view lines = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n";
}
inline std::string post(std::string_view target, std::string_view body) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}
inline std::string upgrade(std::string_view target) {
  return get(target,
             "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
}

/// Takes one HTTP answer off its front: the body.
inline std::optional<std::string> take_answer(std::string& in) {
  const auto end = in.find("\r\n\r\n");
  if (end == in.npos) return std::nullopt;
  const auto length = in.find("Content-Length: ");
  const std::size_t size = length < end ? std::stoul(in.substr(length + 16)) : 0;
  if (in.size() < end + 4 + size) return std::nullopt;
  auto body = in.substr(end + 4, size);
  in.erase(0, end + 4 + size);
  return body;
}

/// Takes one of the server's frames off its front: its first byte and its payload.
inline std::optional<std::pair<unsigned char, std::string>> take_frame(std::string& in) {
  if (in.size() < 2) return std::nullopt;
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(in[i])); };
  std::size_t size = byte(1) & 0x7f, head = 2;
  if (const std::size_t wide = size == 126 ? 2 : size == 127 ? 8 : 0; wide > 0) {
    if (in.size() < 2 + wide) return std::nullopt;
    size = 0;
    for (; head < 2 + wide; ++head) size = size << 8 | byte(head);
  }
  if (in.size() < head + size) return std::nullopt;
  std::pair<unsigned char, std::string> out{static_cast<unsigned char>(in[0]), in.substr(head, size)};
  in.erase(0, head + size);
  return out;
}

enum class Transport : std::uint8_t { websocket, polling, upgrade };
inline constexpr std::array transport_names{"websocket", "polling", "upgrade"};

/// A Socket.IO client. One of `upgrade` opens a WebSocket beside its polls, probes it, and says 5 when it is told.
class Client {
 public:
  Client(asio::io_context& loop, std::uint16_t port, Transport transport) : loop_(loop), port_(port) {
    if (transport == Transport::websocket) begin_websocket();
    else down_ = std::make_unique<Wire>(loop, port), poll();
    probes_ = transport == Transport::upgrade;
  }

  /// Says a packet, over whatever carries it now.
  void say(std::string_view packet) {
    if (over_websocket_) return websocket_->send(frame(0x81, packet));
    if (sid_.empty() || !down_) return;
    if (!up_ || up_->ended) up_ = std::make_unique<Wire>(loop_, port_);
    up_->send(post(path(), packet));
  }
  void say_binary(std::string_view bytes) {
    if (over_websocket_) websocket_->send(frame(0x82, bytes));
    else say("bAQID");
  }
  /// What is probed becomes the transport.
  void finish_upgrade() {
    if (!websocket_ || over_websocket_) return;
    websocket_->send(frame(0x81, "5"));
    over_websocket_ = true;
  }
  /// A second poll, which is a mistake.
  void poll_twice() {
    if (!over_websocket_ && !sid_.empty()) extra_ = std::make_unique<Wire>(loop_, port_), extra_->send(get(path()));
  }
  void leave() {
    for (auto* wire : {&down_, &up_, &websocket_, &extra_}) wire->reset();
    over_websocket_ = false, sid_.clear();
  }
  bool pump() {
    bool any = false;
    for (auto* wire : {&down_, &up_, &websocket_, &extra_}) any = (*wire && (*wire)->pump()) || any;
    if (down_)
      while (const auto body = take_answer(down_->in)) hear_poll(*body);
    if (up_)
      while (take_answer(up_->in)) continue;
    if (websocket_) {
      if (!switched_ && take_answer(websocket_->in)) switched_ = true;
      while (switched_)
        if (const auto got = take_frame(websocket_->in)) hear_frame(got->first, got->second);
        else break;
    }
    if (probes_ && !websocket_ && !sid_.empty()) begin_websocket(), websocket_->send(frame(0x81, "2probe")), any = true;
    return any;
  }
  std::size_t packets = 0;  // that have come

 private:
  std::string path() const { return "/socket.io/?EIO=4&transport=polling" + (sid_.empty() ? "" : "&sid=" + sid_); }
  void poll() { down_->send(get(path())); }
  void begin_websocket() {
    websocket_ = std::make_unique<Wire>(loop_, port_);
    switched_ = false, over_websocket_ = sid_.empty();
    websocket_->send(upgrade("/socket.io/?EIO=4&transport=websocket" + (sid_.empty() ? "" : "&sid=" + sid_)));
  }
  void hear_poll(const std::string& body) {
    if (!body.starts_with('0') && sid_.empty()) return;  // refused
    bool over = body.empty() || body[0] == '{';
    for (std::string_view rest = body; !rest.empty();) {
      const auto packet = rest.substr(0, rest.find('\x1e'));
      rest.remove_prefix(std::min(rest.size(), packet.size() + 1));
      over = over || packet == "1";
      hear(packet);
    }
    if (!over && !over_websocket_ && !down_->ended) poll();
  }
  void hear_frame(unsigned char first, std::string_view payload) {
    if ((first & 0xf) == 8) return websocket_->send(frame(0x88, payload));
    if ((first & 0xf) == 1) hear(payload);
  }
  void hear(std::string_view packet) {
    ++packets;
    if (packet.starts_with("0{\"sid\":\"")) sid_ = packet.substr(9, packet.find('"', 9) - 9);
    if (packet.starts_with('2') && over_websocket_) say("3");
    if (packet.size() < 2 || packet[0] != '4' || packet[1] != '2' || packet.find("mute") != packet.npos) return;
    const auto list = packet.find('['), comma = packet.find(',');
    const auto id = packet[2] == '/' && comma < list ? comma + 1 : 2;  // behind the namespace
    if (list == packet.npos || id == list) return;                     // no ack is asked for
    say("43" + std::string(packet.substr(2, list - 2)) + "[1]");
  }

  asio::io_context& loop_;
  std::uint16_t port_;
  std::unique_ptr<Wire> down_, up_, websocket_, extra_;
  std::string sid_;
  bool probes_ = false, switched_ = false, over_websocket_ = false;
};

}  // namespace handlers
