// A unit test of a program that is a client, against a server inside the test: sio::FakeServer listens on a port of the
// system's choosing, answers by script, keeps what it was told, and has a clock that the test moves. Ends with 0 if
// all went well.
//
// The client under test is a plain socket here, in the same loop, that speaks the first lines of the protocol.
#include "sio_demo.hpp"

#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace sio = sio_demo;
using namespace std::chrono_literals;

namespace {

/// Asks one thing at a time, over a connection of its own; `then` gets the body of the answer.
class HttpClient {
 public:
  HttpClient(asio::io_context& loop, std::uint16_t port) : port_(port), socket_(loop) {}

  void ask(const std::string& method, const std::string& query, const std::string& body,
           std::function<void(std::string)> then) {
    then_ = std::move(then);
    socket_ = asio::ip::tcp::socket(socket_.get_executor());
    socket_.connect({asio::ip::address_v4::loopback(), port_});
    asio::write(socket_, asio::buffer(method + " /socket.io/?EIO=4&transport=polling" + query +
                                      " HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(body.size()) +
                                      "\r\n\r\n" + body));
    asio::async_read_until(
        socket_, asio::dynamic_buffer(in_), "\r\n\r\n", [this](std::error_code error, std::size_t size) {
          if (error) return then_("");
          const auto length = static_cast<std::size_t>(std::stoul(in_.substr(in_.find("Content-Length: ") + 16)));
          in_.erase(0, size);
          asio::async_read(socket_, asio::dynamic_buffer(in_),
                           asio::transfer_exactly(length - std::min(length, in_.size())),
                           [this](std::error_code, std::size_t) { std::exchange(then_, {})(std::exchange(in_, {})); });
        });
  }

 private:
  std::uint16_t port_;
  asio::ip::tcp::socket socket_;
  std::string in_;
  std::function<void(std::string)> then_;
};

bool check(bool good, const char* what) {
  std::printf("%s  %s\n", good ? "ok    " : "FAILED", what);
  return good;
}

}  // namespace

int main() {
  asio::io_context loop;
  sio::FakeServer fake(loop);
  fake.reply("login", sio::json{{"ok", true}, {"name", "Ada"}});

  HttpClient client(loop, fake.port());
  std::string session;
  const auto ask = [&](const char* method, const char* body) {
    std::optional<std::string> answer;
    client.ask(method, session, body, [&](std::string text) { answer = std::move(text); });
    return fake.run_until([&] { return answer.has_value(); }) ? *answer : "no answer";
  };

  const std::string open = ask("GET", "");
  session = "&sid=" + open.substr(std::min<std::size_t>(open.size(), 9), 20);
  bool good = check(open.starts_with(R"(0{"sid":")"), "the handshake");
  good &= check(ask("POST", "40") == "ok" && ask("GET", "").starts_with(R"(40{"sid":")"), "the namespace is joined");
  good &= check(ask("POST", R"(427["login",{"user":"ada"}])") == "ok", "an event is sent");
  good &= check(ask("GET", "") == R"(437[{"name":"Ada","ok":true}])", "its ack is the scripted reply");
  good &= check(fake.received().size() == 1 && fake.received()[0].name == "login" &&
                    fake.received()[0].arguments == sio::json::array_t{{{"user", "ada"}}},
                "the server has heard it");

  fake.advance(25s);
  good &= check(ask("GET", "") == "2", "a heartbeat, after 25 seconds that took none");
  fake.advance(20s);
  good &=
      check(ask("GET", "") == R"({"code":1,"message":"Session ID unknown"})", "the session is over without an answer");
  return good ? 0 : 1;
}
