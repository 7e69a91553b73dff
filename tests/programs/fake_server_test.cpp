// A Socket.IO server inside a unit test, for a program whose client is to be tested: it listens on a port of the
// system's choosing, answers by script, and keeps what it was told. Ends with 0 if all went well.
//
// The client under test is a plain socket here, in the same loop, that speaks the first lines of the protocol.
#include "sio_demo.hpp"

#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace sio = sio_demo;

namespace {

/// The server that the tests script: `when("login").answer({{"ok", true}})`.
class FakeServer {
 public:
  explicit FakeServer(asio::io_context& loop)
      : io_(loop, {.host = "127.0.0.1", .port = 0, .log_level = sio::LogLevel::off}) {
    io_.of("/").on_any([this](sio::Socket&, std::string_view event, const sio::socketio::Arguments& arguments) {
      heard.push_back(std::string(event) + " " + sio::json(arguments.values()).dump());
    });
    io_.listen();
  }

  struct When {
    sio::Server& io;
    std::string event;
    void answer(const sio::json& what) const {
      io.on(std::string_view(event),
            [what](sio::Socket&, const sio::json::array_t&, const sio::Reply<>& reply) { reply(what); });
    }
  };
  When when(std::string event) { return {io_, std::move(event)}; }
  std::uint16_t port() const { return io_.port(); }

  std::vector<std::string> heard;

 private:
  sio::Server io_;
};

/// One HTTP exchange; `then` gets the body of the answer.
class HttpClient {
 public:
  HttpClient(asio::io_context& loop, std::uint16_t port) : socket_(loop) {
    socket_.connect({asio::ip::address_v4::loopback(), port});
  }

  void ask(const std::string& method, const std::string& query, const std::string& body,
           std::function<void(std::string)> then) {
    then_ = std::move(then);
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
  FakeServer server(loop);
  server.when("login").answer({{"ok", true}, {"name", "Ada"}});

  HttpClient client(loop, server.port());
  std::vector<std::string> answers;
  std::string session;

  // What is said, one after the other, once the answer to the one before has come.
  const std::vector<std::pair<const char*, const char*>> script{
      {"GET", ""}, {"POST", "40"}, {"GET", ""}, {"POST", R"(427["login",{"name":"ada"}])"}, {"GET", ""}};
  std::function<void(std::size_t)> play = [&](std::size_t step) {
    if (step == script.size()) return loop.stop();
    client.ask(script[step].first, session, script[step].second, [&, step](std::string answer) {
      if (step == 0 && answer.size() > 29) session = "&sid=" + answer.substr(9, 20);
      answers.push_back(std::move(answer));
      play(step + 1);
    });
  };
  play(0);
  loop.run_for(std::chrono::seconds(5));

  const bool good =
      check(answers.size() == script.size(), "every request is answered") &&
      check(
          answers[0].starts_with(R"(0{"sid":")") && answers[0].find(R"("upgrades":["websocket"])") != std::string::npos,
          "the handshake") &&
      check(answers[1] == "ok" && answers[2].starts_with(R"(40{"sid":")"), "the namespace is joined") &&
      check(answers[4] == R"(437[{"name":"Ada","ok":true}])", "the scripted answer is the ack") &&
      check(server.heard == std::vector<std::string>{R"(login [{"name":"ada"}])"}, "the server has heard the event");
  return good ? 0 : 1;
}
