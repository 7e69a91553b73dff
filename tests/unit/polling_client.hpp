// A Socket.IO client of a hundred lines, over long-polling, in the loop that also runs the server: while it
// waits, it runs that loop. For tests; it knows nothing but what it is told to say.
//
//     Client client(loop, server.port());       GET, 0{"sid":...}
//     client.join("/chat");                     POST 40/chat,   GET, 40/chat,{"sid":"..."}
//     client.say("42/chat,1[\"say\",\"hi\"]");
//     client.hear();                            the next poll's body: 43/chat,1["ok"]
#pragma once

#include "sio_demo.hpp"  // before Asio's headers: which allocator they choose depends on what was included first

#include <doctest/doctest.h>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace polling_client {

/// Runs the loop until `done()`, at most two seconds.
template <class Done>
bool run_until(asio::io_context& loop, Done done) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  while (!done()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    loop.restart();
    loop.run_one_for(std::chrono::milliseconds(2));
  }
  return true;
}

/// Runs the loop for a moment, so that what is on its way arrives.
inline void settle(asio::io_context& loop, std::chrono::milliseconds time = std::chrono::milliseconds(30)) {
  const auto limit = std::chrono::steady_clock::now() + time;
  run_until(loop, [&] { return std::chrono::steady_clock::now() > limit; });
}

/// One HTTP connection.
class Connection {
 public:
  Connection(asio::io_context& loop, std::uint16_t port) : loop_(loop), socket_(loop) {
    socket_.connect({asio::ip::address_v4::loopback(), port});
  }

  void send(const std::string& method, const std::string& target, const std::string& body = {}) {
    std::string request = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n";
    if (!body.empty()) request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    asio::write(socket_, asio::buffer(request + "\r\n" + body));
    socket_.non_blocking(true);
  }
  /// Whether an answer is complete; reads what has come.
  bool answered() {
    std::array<char, 4096> bytes;
    std::error_code error;
    while (const auto size = socket_.read_some(asio::buffer(bytes), error)) in_.append(bytes.data(), size);
    ended = error == asio::error::eof || error == asio::error::connection_reset;
    const auto end = in_.find("\r\n\r\n");
    return end != in_.npos && in_.size() - end - 4 >= length();
  }
  /// Waits for the answer. Its body, or "<status> <body>" if the status is not 200.
  std::string answer() {
    if (!run_until(loop_, [&] { return answered() || ended; })) return "(no answer)";
    if (in_.empty()) return "(closed)";
    const auto body = in_.substr(in_.find("\r\n\r\n") + 4, length());
    const auto status = in_.substr(9, 3);
    in_.erase(0, in_.find("\r\n\r\n") + 4 + length());
    return status == "200" ? body : status + " " + body;
  }

  bool ended = false;

 private:
  std::size_t length() const {
    const auto at = in_.find("Content-Length: ");
    return at == in_.npos ? 0 : static_cast<std::size_t>(std::stoul(in_.substr(at + 16)));
  }

  asio::io_context& loop_;
  asio::ip::tcp::socket socket_;
  std::string in_;
};

/// One session.
class Client {
 public:
  Client(asio::io_context& loop, std::uint16_t port) : loop_(loop), down_(loop, port), up_(loop, port) {
    down_.send("GET", path_);
    const auto open = down_.answer();
    REQUIRE(open.starts_with("0{\"sid\":\""));
    path_ += "&sid=" + open.substr(9, 20);
  }

  /// Posts packets and waits until they were taken.
  std::string say(const std::string& packets) {
    up_.send("POST", path_, packets);
    return up_.answer();
  }
  void begin_poll() { down_.send("GET", path_); }
  std::string end_poll() { return down_.answer(); }
  /// What a poll brings, 0x1E written as ~.
  std::string hear() {
    begin_poll();
    auto heard = end_poll();
    for (char& c : heard)
      if (c == '\x1e') c = '~';
    return heard;
  }
  /// Joins a namespace; the socket's id, or what came instead.
  std::string join(const std::string& nsp = "", const std::string& auth = "") {
    say("40" + (nsp.empty() ? "" : nsp + ",") + auth);
    const auto heard = hear();
    const auto sid = heard.find("{\"sid\":\"");
    return sid == heard.npos ? heard : heard.substr(sid + 8, 20);
  }
  /// Whether a poll finds nothing; it is taken back, which ends the session.
  bool hears_nothing() {
    begin_poll();
    settle(loop_);
    return !down_.answered();
  }

 private:
  asio::io_context& loop_;
  Connection down_, up_;
  std::string path_ = "/socket.io/?EIO=4&transport=polling";
};

}  // namespace polling_client
