// route: WebSockets without Engine.IO (the last part of chapter 6), with time as the program says.
//
// Input: a byte of knobs (bit 0: little may wait for a client; 1 to 3: what handlers do), then a program, a letter
// for each move. What stands in brackets is one more byte:
//
//     0..3     the WebSocket whose moves follow
//     o        it comes; m b p  it sends a text, bytes, a pong; l  it is lost; S  it reads no more, or again
//     s[.]     the program sends a text or bytes; c[.] closes it, with a code
//     d        the server shuts down; t[.]  time passes
//
// Held: a WebSocket opens once and closes once; nothing comes or goes after that. Every open one, and no other,
// has a deadline. What is sent arrives, in order; a close frame is what its code and text make of it. Silence is
// over exactly ping_interval + ping_timeout after the last byte. In the end none is open.
#pragma once

#include "fuzz.hpp"

namespace fuzz::route {

namespace eio = sio::engineio;
using sio::Milliseconds;
using sio::Reason;
using sio::websocket::Socket;

class Client final : public eio::Peer {
 public:
  void answer(std::uint32_t, const eio::Answer&) override { holds(false, "a WebSocket gets no answers"); }
  void cut() override { holds(false, "a WebSocket is not cut"); }
  void wake() override { holds(false, "a WebSocket is not woken"); }
  std::size_t queued() const override { return stalled ? bytes_ : 0; }
  void send(const eio::MessageRef& message) override {
    holds(!over && !message->frame().empty(), "nothing is sent on a WebSocket that is over");
    bytes_ += message->frame().size();
    if (message->frame() == "\x89\0"sv) return;  // a ping
    holds(!awaited.empty() && awaited.front() == message->payload() && ++received > 0, "what is sent arrives, in order",
          {message->payload()});
    awaited.erase(awaited.begin());
  }
  void send_close(Reason, std::string_view payload) override {
    holds(!std::exchange(over, true) && payload.size() <= 125, "a WebSocket is closed once, by a control frame");
    holds(payload.empty() || (payload.size() >= 2 && is_utf8(payload.substr(2))), "a close frame's text is UTF-8",
          {payload});
  }

  sio::Ref<Socket> socket;
  std::vector<std::string> awaited;
  std::size_t received = 0;
  int opens = 0, closes = 0;
  bool over = false, stalled = false;
  eio::Time heard{};

 private:
  std::size_t bytes_ = 0;
};

struct Link final : eio::Context {
  explicit Link(Client& its_client) : client(its_client) {}
  Client& client;
};

class World final : eio::Application {
 public:
  explicit World(std::uint8_t knobs) : knobs_(knobs) {
    if (knobs & 1) options_.max_queue_bytes = 100;
    engine_.advance(eio::Time{} + std::chrono::hours(1));
    handlers_->open = [this](Socket& socket) {
      holds(++opening_->opens == 1, "a WebSocket opens once");
      socket.context = std::make_unique<Link>(*opening_);
      opening_->socket = sio::Ref<Socket>(&socket);
      if (knobs_ & 2) send(socket, "welcome", false);
      if ((knobs_ & 6) == 6) throw 1;
    };
    handlers_->message = [this](Socket& socket, std::string_view payload, bool binary) {
      holds(of(socket).opens == 1 && of(socket).closes == 0 && socket.is_open(),
            "messages come while a WebSocket is open");
      if (knobs_ & 4) send(socket, payload, binary);
      if (knobs_ & 8) socket.close(1000, payload);
    };
    handlers_->close = [this](Socket& socket, Reason, std::string_view) {
      holds(++of(socket).closes == 1 && !socket.is_open(), "a WebSocket closes once");
      send(socket, "too late", false);
      socket.close();
      if (knobs_ & 8) each([](Client& one) { one.socket->close(3000, "all"); });
    };
  }

  void play(Input& program) {
    for (int moves = 0; moves < 300 && !program.empty(); ++moves) {
      move(program);
      check();
    }
    pass(std::chrono::minutes(5));
    holds(engine_.deadlines.size() == 0, "left alone, every WebSocket comes to its end");
  }

 private:
  static Client& of(Socket& socket) { return static_cast<Link&>(*socket.context).client; }
  template <class F>
  void each(F f) {
    for (std::size_t i = 0; i < clients_.size(); ++i)
      if (clients_[i]->socket) f(*clients_[i]);
  }
  void send(Socket& socket, std::string_view payload, bool binary) {
    auto& client = of(socket);
    const std::size_t before = client.received;
    const std::string text = binary ? std::string(payload) : sio::bytes::utf8_repair(payload);
    client.awaited = {text};
    binary ? socket.send_binary(payload) : socket.send_text(payload);
    client.awaited.clear();
    if (!(knobs_ & 1))
      holds((client.received > before) == socket.is_open(),
            "what is sent to an open WebSocket arrives, to another one nothing", {text});
  }

  void move(Input& program) {
    constexpr std::array letters{'o', 'm', 'b', 'p', 'l', 'S', 's', 'c', 'd', 't', '0', '1', '2', '3', 'm', 's', 't'};
    const char byte = static_cast<char>(program.byte());
    const bool known = std::find(letters.begin(), letters.end(), byte) != letters.end();
    const char letter = known ? byte : letters[static_cast<std::uint8_t>(byte) % letters.size()];
    if (letter >= '0' && letter <= '3') return void(who_ = static_cast<std::size_t>(letter - '0'));
    if (letter == 'o') return open();
    if (letter == 't')
      return pass(Milliseconds(std::array{1, 1000, 4999, 20'000, 24'999, 25'000, 44'999, 60'000}[program.below(8)]));
    if (letter == 'd') return each([](Client& one) { one.socket->shut_down(Reason::server_shutdown); });
    if (Client* client = slots_[who_]) move(*client, letter, program);
  }

  void move(Client& client, char letter, Input& program) {
    Socket& socket = *client.socket;
    if (letter == 's') return send(socket, program.take(1 + program.below(8)), program.below(2));
    if (letter == 'S') return void(client.stalled = !client.stalled);
    if (letter == 'c') return close(socket, program);
    if (client.over) return;
    if (letter == 'l') {
      client.over = true;
      return socket.channel_lost(client, Reason::transport_close, "");
    }
    client.heard = engine_.now();
    if (letter != 'p') socket.frame(client, letter == 'm' ? "message" : "b\xff", letter == 'b');
    if (!client.over) socket.heard();
  }

  void close(Socket& socket, Input& program) {
    const auto code = static_cast<std::uint16_t>(program.byte() * 20);
    const std::string text(program.take(program.below(140)));
    try {
      socket.close(code, text);
      holds(!socket.is_open() && sio::websocket::close_code_valid(code), "what is closed is not open");
    } catch (const std::invalid_argument&) {
      holds(!sio::websocket::close_code_valid(code), "a code that a close frame may hold is accepted");
    }
  }

  void open() {
    if (clients_.size() >= 8 || (slots_[who_] && slots_[who_]->socket->is_open())) return;
    opening_ = clients_.emplace_back(std::make_unique<Client>()).get();
    opening_->heard = engine_.now();
    sio::http::Request request;
    request.target = "/echo?room=1", request.head = "X-A: b\r\n";
    const sio::Ref<Socket> socket(new Socket(engine_, *opening_, request, handlers_, {}));
    socket->opened();
    slots_[who_] = opening_;
    holds(socket->header("x-a") == "b" && socket->url() == "/echo?room=1", "a WebSocket knows its request");
  }

  void pass(Milliseconds time) {
    for (const auto until = engine_.now() + time;; check()) {
      const auto next = engine_.deadlines.next();
      if (next > until) return engine_.advance(until);
      engine_.tick(std::max(next, engine_.now()));
      holds(engine_.deadlines.next() > engine_.now(), "what is due is done");
    }
  }

  void check() {
    std::size_t open = 0;
    each([&](Client& client) {
      open += client.socket->is_open();
      holds(client.opens == 1 && client.closes == client.over && client.over != client.socket->is_open(),
            "a WebSocket ends once, and says so once");
      const bool silent = engine_.now() - client.heard >= options_.ping_interval + options_.ping_timeout;
      holds(client.over || !silent, "who says nothing ends with the ping's timeout");
    });
    holds(engine_.deadlines.size() == open, "every open WebSocket, and no other, has a deadline");
  }

  void on_open(eio::Session&, const sio::http::Request&) override {}
  void on_message(eio::Session&, std::string_view, bool) override {}
  void on_close(eio::Session&, Reason, std::string_view) override {}

  std::uint8_t knobs_;
  sio::Options options_;
  sio::Log log_{sio::LogLevel::off, {}};
  sio::Counters counters_;
  eio::Engine engine_{options_, log_, counters_, *this};
  std::shared_ptr<sio::websocket::Handlers> handlers_ = std::make_shared<sio::websocket::Handlers>();
  std::vector<std::unique_ptr<Client>> clients_;
  std::array<Client*, 4> slots_{};
  Client* opening_ = nullptr;
  std::size_t who_ = 0;
};

inline void run(std::string_view bytes) {
  Input input(bytes);
  World world(input.byte());
  world.play(input);
}

}  // namespace fuzz::route
