// A TCP connection that says what it is told and keeps what it hears, byte for byte, in the loop that also runs
// the server: while it waits, it runs that loop.
//
//     Raw raw(loop, server.port());
//     raw.send(get("/socket.io/?EIO=4&transport=polling"));
//     CHECK(raw.answer() == "HTTP/1.1 200 OK\r\n...\r\nDate: *\r\n...");
#pragma once

#include "polling_client.hpp"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace raw_client {

/// A request's head. `lines` are header lines of its own, each with its CR LF.
inline std::string head(std::string_view method, std::string_view target, std::string_view lines = {}) {
  return std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n";
}
inline std::string get(std::string_view target, std::string_view lines = {}) { return head("GET", target, lines); }
inline std::string post(std::string_view target, std::string_view body) {
  return head("POST", target, "Content-Length: " + std::to_string(body.size()) + "\r\n") + std::string(body);
}
inline std::string upgrade(std::string_view target, std::string_view lines = {}) {
  return get(target,
             "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
             "dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                 std::string(lines));
}
/// The answer to upgrade(), with what the server adds to it.
inline std::string switched(std::string_view lines = {}) {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
         "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" +
         std::string(lines) + "\r\n";
}
/// An answer that keeps the connection, as respond() writes it.
inline std::string answered(std::string_view status, std::string_view lines, std::string_view body) {
  return "HTTP/1.1 " + std::string(status) + "\r\n" + std::string(lines) +
         "Date: *\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n" + std::string(body);
}

/// A client's frame; its masking key is zero, so its payload can be read.
inline std::string frame(unsigned char first, std::string_view payload) {
  std::string out{static_cast<char>(first)};
  if (payload.size() < 126) out += static_cast<char>(0x80 | payload.size());
  else out += '\xfe', out += static_cast<char>(payload.size() >> 8), out += static_cast<char>(payload.size() & 0xff);
  return out.append(4, '\0').append(payload);
}
inline std::string text(std::string_view payload) { return frame(0x81, payload); }
inline std::string binary(std::string_view payload) { return frame(0x82, payload); }
inline std::string close(std::string_view payload = {}) { return frame(0x88, payload); }
/// The server's frames of the same kinds, short ones.
inline std::string said(unsigned char first, std::string_view payload) {
  return std::string{static_cast<char>(first), static_cast<char>(payload.size())}.append(payload);
}

class Raw {
 public:
  Raw(asio::io_context& loop, std::uint16_t port) : loop_(loop), socket_(loop) {
    socket_.connect({asio::ip::address_v4::loopback(), port});
    socket_.non_blocking(true);
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      std::error_code error;
      const auto size = socket_.write_some(asio::buffer(bytes), error);
      bytes.remove_prefix(size);
      if (error && error != asio::error::would_block) return;
      if (error) loop_.restart(), loop_.run_one_for(std::chrono::milliseconds(1));
    }
  }

  /// What has come; what was sent as an id or a date is shown as *.
  const std::string& heard() {
    std::array<char, 4096> bytes;
    std::error_code error;
    while (const auto size = socket_.read_some(asio::buffer(bytes), error)) in_.append(bytes.data(), size);
    ended = ended || error == asio::error::eof || error == asio::error::connection_reset;
    hide("Date: ", "\r\n");
    return in_;
  }

  /// Waits for as many bytes as are expected, and a moment for what should not follow; takes them.
  std::string take(std::size_t size) {
    polling_client::run_until(loop_, [&] { return heard().size() >= size || ended; });
    polling_client::settle(loop_, std::chrono::milliseconds(5));
    heard();
    return std::exchange(in_, {});
  }
  /// Whether this is what comes. Shows what came instead.
  bool hears(std::string_view expected) {
    const auto came = take(expected.size());
    CHECK(came == expected);
    return came == expected;
  }
  /// Waits for the end of an HTTP answer and takes it.
  std::string answer() {
    polling_client::run_until(loop_, [&] {
      const auto end = heard().find("\r\n\r\n");
      const auto length = in_.find("Content-Length: ");
      return ended ||
             (end != in_.npos && (length > end || in_.size() >= end + 4 + std::stoul(in_.substr(length + 16))));
    });
    return std::exchange(in_, {});
  }
  bool is_closed() {
    return polling_client::run_until(loop_, [&] { return heard(), ended; });
  }
  /// Nothing comes for a moment.
  bool is_quiet(std::chrono::milliseconds time = std::chrono::milliseconds(30)) {
    polling_client::settle(loop_, time);
    return heard().empty() && !ended;
  }
  void leave() { socket_.close(); }

  bool ended = false;

 private:
  void hide(std::string_view from, std::string_view to) {
    for (auto at = in_.find(from); at != in_.npos; at = in_.find(from, at + from.size())) {
      const auto end = in_.find(to, at);
      if (end == in_.npos) return;
      in_.replace(at + from.size(), end - at - from.size(), "*");
    }
  }

  asio::io_context& loop_;
  asio::ip::tcp::socket socket_;
  std::string in_;
};

/// The session's id in an answer to a handshake.
inline std::string sid_of(std::string_view answer) {
  const auto at = answer.find("\"sid\":\"");
  REQUIRE(at != answer.npos);
  const auto rest = answer.substr(at + 7);
  return std::string(rest.substr(0, rest.find('"')));
}

}  // namespace raw_client
