// session: the session machine (chapter 6), several clients at once, with time as the program says.
//
// Input: a byte of knobs (bit 0: polls are flushed after each move, not only when the program says so; 1: quick
// heartbeats; 2: little may wait for a client; 4 and 5: how it ends), then a program, a letter for each move.
// What stands in brackets is one more byte, or more:
//
//     0..5    the client whose moves follow
//     o O B   opens a session: over polling, as a WebSocket, as one with b64=1
//     G L[.]  a GET; its connection is lost, and maybe that of the open POST, too
//     p[..] P b[..]   a POST with its body; a POST's head; its body
//     l x X   the POST is lost; a POST of octets; the POST is larger than may be
//     A       a WebSocket for the session
//     F[.] W[.] S     a frame on it; it is lost; it reads no more, or again
//     s[.]    the application acts: sends, closes, shuts everything down...
//     r[..]   what the application does from now on inside on_open, on_message, on_upgrade, on_close
//     h[.]    what a hook does when the next request has been judged, before it reaches its session
//     f       polls are flushed
//     t[.] j[.] a     time passes: all is called at its time; late; too little for anything
//
// Any other byte is a letter, too. At the end, as the knobs say, clients politely fetch what is there and are
// closed, or the server is shut down, or nothing happens; then time passes until all is over.
//
// Held, after each move. A session opens once, ends once and says so once; nothing comes or goes after that.
// At most one GET is held and one POST is open, none of them once it has ended. A request is answered at most
// once, and in the end once, unless it was lost or cut; a WebSocket is closed at most once. Every live session,
// and no other, is found and has a deadline. What the application sends reaches the client in order, once, and
// nothing but 3probe comes on a new WebSocket before its 5; right after it, and whenever a flushed poll is held,
// nothing waits. Who is closed by the application has got all that was sent. What clients send reaches the
// application in order, once. A polite client gets all of it, and the news of the end. Silence, a new WebSocket
// that never says 5 and news that nobody takes are over exactly at their time, if nothing is late. When all is
// over, the engine holds nothing. Peers are destroyed as soon as a session has no business with them any more,
// so that the sanitizer sees a use of one later.
#pragma once

#include "fuzz.hpp"

#include <deque>

namespace fuzz::session {

namespace eio = sio::engineio;
using eio::State;
using sio::Milliseconds;
using sio::Reason;

struct Client;

/// One HTTP exchange, or a WebSocket.
class Peer final : public eio::Peer {
 public:
  enum class Kind : std::uint8_t { get, post, websocket };

  Peer(Client& client, Kind kind, std::uint32_t id) : client_(client), kind_(kind), id_(id) {}

  void answer(std::uint32_t exchange, const eio::Answer& answer) override;
  void cut() override;
  void send(const eio::MessageRef& message) override;
  void send_close(Reason reason, std::string_view payload) override;
  std::size_t queued() const override { return stalled ? bytes_ : 0; }
  void wake() override {
    holds(kind_ == Kind::get && !over(), "only a held poll is woken");
    awake = true;
  }

  Client& client() const { return client_; }
  Kind kind() const { return kind_; }
  eio::Exchange exchange() { return {this, id_}; }
  /// Nobody may use it any more.
  bool over() const { return status != 0 || gone || closed; }

  int status = 0;           // of the answer
  bool gone = false;        // lost, or cut
  bool closed = false;      // a WebSocket, by us
  bool is_channel = false;  // a WebSocket that is the transport
  bool awake = false, stalled = false;
  bool dying = false;  // its connection is dead, which sessions are just being told; it hears nothing

 private:
  Client& client_;
  Kind kind_;
  std::uint32_t id_;
  std::size_t bytes_ = 0;
};

/// A session as both sides see it.
struct Client {
  sio::Ref<eio::Session> session;
  int opens = 0, upgrades = 0, closes = 0;
  std::vector<std::string> sent;    // by the application
  std::size_t received = 0;         // how many of them, by the client
  std::deque<std::string> awaited;  // what the application must be told next
  bool got_open = false, said_close = false;
  unsigned serial = 0;
  eio::Time heard{}, attached{},
      idle = eio::never;  // when it last said something, attached a WebSocket, lingered with nothing left
  Peer *get = nullptr, *post = nullptr, *ws = nullptr;  // while they are not over

  State state() const { return session ? session->state() : State::closed; }
  bool open() const { return session && session->open(); }

  void receive(std::string_view payload, bool binary) {
    holds(received < sent.size() && sent[received] == (binary ? "<" : "") + std::string(payload),
          "messages come in order, each once", {payload});
    ++received;
  }
  /// A packet as polling has it, or a WebSocket's text.
  void receive_packet(std::string_view packet) {
    holds(closes == 0, "nothing is sent after the end", {packet});
    holds(!packet.empty() && got_open != packet.starts_with("0{"), "the open packet comes first, and once", {packet});
    got_open = true;
    if (packet[0] == '4') receive(packet.substr(1), false);
    else if (packet[0] == 'b') receive(sio::bytes::base64_decode(packet.substr(1)), true);
    else
      holds(packet[0] == '0' || packet == "1" || packet == "2" || packet == "6",
            "a server's packet is one that there is", {packet});
  }
};

struct Link final : eio::Context {
  explicit Link(Client& its_client) : client(its_client) {}
  Client& client;
};

inline void Peer::answer(std::uint32_t exchange, const eio::Answer& answer) {
  if (dying) return;
  holds(kind_ != Kind::websocket && exchange == id_ && !over(), "a request is answered once, and not when it is gone",
        {answer.body});
  status = answer.status;
  if (kind_ == Kind::post)
    return holds(answer.status == 400 || answer.body == "ok", "a POST is answered with ok, or refused");
  if (answer.status != 200) return holds(answer.status == 400, "a poll is answered with 200, or refused");
  if (answer.body == "6")
    holds(client_.said_close || client_.state() == State::probed,
          "a noop alone comes while a WebSocket is being probed, or for a close");
  for (const auto packet : parts_of(answer.body, '\x1e')) client_.receive_packet(packet);
}

inline void Peer::cut() {
  if (dying) return;
  holds(kind_ == Kind::post && !over(), "only an open POST is cut, and once");
  gone = true;
}

inline void Peer::send(const eio::MessageRef& message) {
  holds(kind_ == Kind::websocket && !over(), "nothing is sent on a WebSocket that is closed or gone");
  bytes_ += message->frame().size();
  if (!is_channel)
    return holds(message->payload() == "3probe" && !message->is_binary(), "nothing but 3probe is sent before 5",
                 {message->payload()});
  if (message->is_binary()) return client_.receive(message->payload(), true);
  holds(message->payload() != "1" && message->payload() != "6", "no close and no noop come on a WebSocket");
  client_.receive_packet(message->payload());
}

inline void Peer::send_close(Reason, std::string_view) {
  holds(kind_ == Kind::websocket && !over(), "a WebSocket is closed once");
  closed = true;
}

class World final : eio::Application {
 public:
  explicit World(std::uint8_t knobs) : eager_(knobs & 1), strict_(!(knobs & 4)), ending_(knobs >> 4 & 3) {
    if (knobs & 2) options_.ping_interval = Milliseconds(400), options_.ping_timeout = Milliseconds(200);
    if (knobs & 4) options_.max_queue_bytes = 600;
    if (knobs & 8) options_.max_packets_per_payload = 2, options_.max_sessions = 3;
    options_.generate_id = [this](const sio::http::Request&) { return "session-" + std::to_string(++ids_); };
    engine_.advance(eio::Time{} + std::chrono::hours(1));
  }

  void play(Input& program) {
    for (int moves = 0; moves < 500 && !program.empty(); ++moves) {
      move(program);
      end_move();
    }
    finish();
  }

 private:
  enum Event : std::size_t { opened, told, upgraded, ended };
  static constexpr std::array letters{'o', 'O', 'B', 'G', 'L', 'p', 'P', 'b', 'l', 'x', 'X', 'A',
                                      'F', 'W', 'S', 's', 'r', 'h', 'f', 't', 'j', 'a', '0', '1',
                                      '2', '3', '4', '5', 'G', 'F', 'p', 'A', 's', 't', 'F', 'G'};

  // ---- the application

  void on_open(eio::Session& session, const sio::http::Request&) override {
    Client& client = *opening_;
    client.session = sio::Ref<eio::Session>(&session);
    session.context = std::make_unique<Link>(client);
    holds(++client.opens == 1, "a session opens once");
    react(client, opened);
  }
  void on_message(eio::Session& session, std::string_view payload, bool binary) override {
    Client& client = of(session);
    holds(client.opens == 1 && client.closes == 0 && session.open(), "messages come while a session is open");
    const auto shown = (binary ? "<" : "") + std::string(payload);
    holds(!client.awaited.empty() && client.awaited.front() == shown, "what a client sends comes in order, each once",
          {payload});
    client.awaited.pop_front();
    react(client, told);
  }
  void on_upgraded(eio::Session& session) override {
    Client& client = of(session);
    holds(++client.upgrades == 1 && client.ws && client.ws->is_channel && session.state() == State::websocket,
          "a session is upgraded once, by its 5");
    react(client, upgraded);
  }
  void on_close(eio::Session& session, Reason reason, std::string_view why) override {
    Client& client = of(session);
    const bool orderly = why.empty() && (reason != Reason::server_shutdown || client.get || client.upgrades);
    if (orderly && strict_)
      holds(client.received == client.sent.size(), "who is closed, or is there at a shutdown, has got everything",
            {sio::row(reason).name});
    holds(client.opens == 1 && ++client.closes == 1 && session.state() == State::closed,
          "a session ends once, and says so once");
    react(client, ended);
  }

  static Client& of(eio::Session& session) { return static_cast<Link&>(*session.context).client; }
  void react(Client& client, Event event) { act(client, reactions_[event]); }

  /// What an application can do at any time.
  void act(Client& client, std::size_t action) {
    if (!client.session) return;
    const auto session = client.session;
    switch (action % 16) {
      case 1:
      case 2: return send(client, false);
      case 3: return send(client, true);
      case 4: return session->close();
      case 5: return send(client, false), session->close(Reason::forced_server_close);
      case 6: return each([&](Client& one) { send(one, false); });
      case 7: return each([&](Client& one) { one.session->close(); });
      case 8: return shut_down();
      case 9: return session->close_at(engine_.now() + Milliseconds(300));
      case 10: return session->close_at(eio::never);
      case 11: return session->close_at(engine_.now());
      case 12:
        for (int i = 0; i < 5; ++i) send(client, i % 2, 100);
        return;
      case 13: return engine_.drain();
      case 14: return session->shut_down(Reason::server_shutdown);
      default: return;
    }
  }
  void send(Client& client, bool binary, std::size_t filling = 0) {
    const auto text = std::to_string(++client.serial) + std::string(filling, '.');
    if (client.open()) client.sent.push_back((binary ? "<" : "") + text);
    binary ? client.session->send_binary(text) : client.session->send_text(text);
  }
  void shut_down() {
    engine_.drain();
    for (const auto& session : engine_.all()) session->shut_down(Reason::server_shutdown);
  }
  template <class F>
  void each(F f) {
    for (std::size_t i = 0; i < clients_.size(); ++i)
      if (clients_[i]->session) f(*clients_[i]);
  }

  // ---- moves

  void move(Input& program) {
    const char byte = static_cast<char>(program.byte());
    const bool known = std::find(letters.begin(), letters.end(), byte) != letters.end();
    const char letter = known ? byte : letters[static_cast<std::uint8_t>(byte) % letters.size()];
    if (letter >= '0' && letter <= '5') return void(who_ = static_cast<std::size_t>(letter - '0'));
    if (letter == 'o' || letter == 'O' || letter == 'B') return open(letter);
    if (letter == 'r') return void(reactions_[program.below(4)] = program.byte());
    if (letter == 'h') return void(hook_ = program.byte());
    if (letter == 'f') return flush();
    if (letter == 't' || letter == 'j' || letter == 'a') return pass(letter, program);
    if (Client* client = slots_[who_]) move(*client, letter, program);
  }

  void move(Client& client, char letter, Input& program) {
    switch (letter) {
      case 'G': return poll(client);
      case 'L': return lose_poll(client, program.byte());
      case 'p': return begin_post(client, false), post_body(client, program);
      case 'P':
      case 'x': return begin_post(client, letter == 'x');
      case 'b': return post_body(client, program);
      case 'l': return lose_post(client);
      case 'X': return refuse_post(client);
      case 'A': return attach(client);
      case 'F': return frame(client, program.byte());
      case 'W': return lose_websocket(client, program.byte());
      case 'S':
        if (client.ws) client.ws->stalled = !client.ws->stalled;
        return;
      default: return act(client, program.byte());
    }
  }

  Peer& peer(Client& client, Peer::Kind kind) {
    return *peers_.emplace_back(std::make_unique<Peer>(client, kind, ++exchanges_));
  }

  /// One request, judged as the driver does; then a hook has its say.
  eio::Verdict judge(const char* method, const Client* client, const char* transport, bool upgrade) {
    request_ = {};
    request_.method = method;
    request_.query.read(std::string("EIO=4&transport=") + transport + (client ? "&sid=" + client->session->id() : ""),
                        64);
    if (upgrade) request_.headers = {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}};
    return engine_.judge(request_);
  }
  void run_hook(Client& client) { act(client, std::exchange(hook_, 0)); }

  void open(char how) {
    if (slots_[who_] && slots_[who_]->state() != State::closed) return;
    if (clients_.size() >= 12) return;
    const bool polling = how == 'o';
    const auto verdict = judge("GET", nullptr, polling ? "polling" : "websocket", !polling);
    if (verdict.act == eio::Verdict::Act::refuse)
      return holds(engine_.size() >= options_.max_sessions || verdict.reason == Reason::draining,
                   "a handshake is refused for a reason");
    if (how == 'B') request_.query.parameters.emplace_back("b64", "1");
    opening_ = slots_[who_] = clients_.emplace_back(std::make_unique<Client>()).get();
    Client& client = *opening_;
    client.heard = engine_.now();
    if (polling) {
      engine_.open(request_, nullptr);
      return poll_with(client, peer(client, Peer::Kind::get));
    }
    client.ws = &peer(client, Peer::Kind::websocket);
    client.ws->is_channel = true;
    const auto session = engine_.open(request_, client.ws);
    // What on_open closes is told once more when its connection ends, for only now it is the driver's.
    if (client.ws->closed) session->channel_lost(*client.ws, Reason::transport_close, "");
  }

  void poll(Client& client) {
    const auto verdict = judge("GET", &client, "polling", false);
    const bool known = client.state() != State::closed && client.state() != State::websocket;
    holds((verdict.act == eio::Verdict::Act::poll) == known,
          "a poll reaches a live session that is not on a WebSocket");
    if (!known) return;
    run_hook(client);
    poll_with(client, peer(client, Peer::Kind::get));
  }
  void poll_with(Client& client, Peer& get) {
    const Peer* held = client.get;
    const bool second = held && !held->over() && client.state() != State::closed;
    client.session->poll(get.exchange());
    if (second)
      holds(get.status == 400 && held->over() && client.closes == 1, "a second poll is refused, and ends the session");
    if (!second && !get.over()) client.get = &get;
  }

  void lose_poll(Client& client, std::uint8_t how) {
    if (!client.get) return;
    Peer *get = client.get, *post = how & 1 ? client.post : nullptr;
    get->gone = true;
    if (post) get->dying = post->gone = post->dying = true;
    if (post && how & 2) client.session->post_lost("lost with the poll");
    client.session->poll_lost();
    if (post && !(how & 2)) client.session->post_lost("lost with the poll");
  }

  void begin_post(Client& client, bool octets) {
    const auto verdict = judge("POST", &client, "polling", false);
    if (verdict.act != eio::Verdict::Act::post) return;
    run_hook(client);
    const bool second = client.post && !client.post->over();
    Peer& post = peer(client, Peer::Kind::post);
    if (client.session->post(post.exchange(), octets)) return void(client.post = &post);
    holds(post.status == 400 && (second || octets) && client.closes == 1,
          "a POST of octets, or a second one, is refused, and ends the session");
  }
  void post_body(Client& client, Input& program) {
    if (!client.post || client.post->over()) return;
    const Peer* post = std::exchange(client.post, nullptr);
    client.heard = engine_.now();
    std::string body;
    bool good = client.open();
    const std::size_t packets = 1 + program.below(4);
    for (std::size_t i = 0; i < packets; ++i) {
      if (i > 0) body += '\x1e';
      body += packet(client, program.byte(), good && i < options_.max_packets_per_payload, good);
    }
    client.session->post_body(body);
    holds(post->status == 200, "a POST is answered when its body has come");
    heard_all(client);
  }
  /// A packet that a client posts. What the application will be told of it is awaited; `good`: more will be heard.
  static std::string packet(Client& client, std::uint8_t what, bool heard, bool& good) {
    const auto text = "c" + std::to_string(++client.serial);
    const auto kind = what & 15;
    if (kind < 11 && heard) client.awaited.push_back((kind > 7 ? "<" : "") + text);
    if (kind < 8) return "4" + text;
    if (kind < 11) return "b" + sio::bytes::base64_encode(text);
    if (kind < 14) return kind == 11 ? "3" : kind == 12 ? "6" : "5";
    good = false;
    client.said_close = client.said_close || kind == 14;
    return kind == 14 ? "1" : what & 16 ? "2" : what & 32 ? "x" : "";
  }
  static void heard_all(Client& client) {
    if (client.open()) holds(client.awaited.empty(), "the application is told all that a client sends");
    client.awaited.clear();
  }

  void lose_post(Client& client) {
    if (!client.post) return;
    client.post->gone = true;
    client.session->post_lost("lost");
  }
  void refuse_post(Client& client) {
    if (!client.post) return;
    client.post->gone = true;  // the driver answers it
    client.session->post_refused();
  }

  void attach(Client& client) {
    const auto verdict = judge("GET", &client, "websocket", true);
    if (verdict.act != eio::Verdict::Act::attach)
      return holds(client.state() == State::closed, "a WebSocket reaches every live session");
    run_hook(client);
    Peer& candidate = peer(client, Peer::Kind::websocket);
    const bool polling = client.state() == State::polling;
    holds(client.session->attach(candidate) == polling, "one WebSocket at a time may take over a session that polls");
    if (polling) client.ws = &candidate, client.attached = engine_.now();
    else candidate.send_close(Reason::forced_close, {});
  }

  void frame(Client& client, std::uint8_t what) {
    if (!client.ws) return;
    constexpr std::array<std::string_view, 8> others{"2probe", "5", "2probe", "5", "5x", "2", "3", "1"};
    const auto kind = what & 15;
    bool good = client.ws->is_channel && client.open();
    std::string text = kind < 8 ? std::string(others[static_cast<std::size_t>(kind)]) : "";
    const bool binary = kind == 8, upgrades = !client.ws->is_channel && text.starts_with('5');
    if (kind == 9 || kind == 10) text = what & 16 ? "x" : "6";
    if (kind > 10) text = packet(client, what & 7, good, good);
    if (binary) text = "bytes" + std::to_string(++client.serial);
    if (binary && good) client.awaited.push_back("<" + text);
    if (upgrades) client.ws->is_channel = true;
    if (client.ws->is_channel) client.heard = engine_.now();
    const Peer* ws = client.ws;
    client.session->frame(*client.ws, text, binary);
    heard_all(client);
    if (!ws->is_channel && text != "2probe") holds(ws->closed, "a new WebSocket that says anything else is closed");
    if (upgrades) holds(client.upgrades == 1 || client.closes == 1, "5 makes a WebSocket of a session");
  }

  void lose_websocket(Client& client, std::uint8_t how) {
    if (!client.ws) return;
    constexpr std::array reasons{Reason::transport_close, Reason::frame_malformed, Reason::message_too_big,
                                 Reason::text_not_utf8};
    const bool is_channel = client.ws->is_channel;
    client.ws->gone = true;
    client.session->channel_lost(*client.ws, reasons[how & 3], "");
    holds(client.state() == (is_channel ? State::closed : State::polling),
          "a lost WebSocket ends its session, a new one leaves it polling");
  }

  // ---- turns and time

  void flush() {
    each([&](Client& client) {
      if (client.get && std::exchange(client.get->awake, false) && !client.get->over()) client.session->flush();
      const bool held = client.get && !client.get->over();
      if (held && strict_) holds(client.received == client.sent.size(), "nothing waits while a flushed poll is held");
    });
  }

  void pass(char how, Input& program) {
    constexpr std::array<int, 16> times{0,    1,    99,     100,    101,    200,    400,    1000,
                                        5000, 9999, 10'000, 20'000, 25'000, 30'000, 45'000, 120'000};
    if (how != 't') late_ = true;
    if (how == 'a') return engine_.advance(engine_.now() + Milliseconds(4));
    const auto until = engine_.now() + Milliseconds(program.one_of(times));
    flush();
    if (how == 'j') return tick(until);
    pass_until(until);
  }
  void pass_until(eio::Time until) {
    while (engine_.deadlines.next() <= until) {
      tick(std::max(engine_.deadlines.next(), engine_.now()));
      flush();
      end_move();
    }
    engine_.advance(until);
    check_times();
  }
  void tick(eio::Time now) {
    engine_.tick(now);
    holds(engine_.deadlines.next() > now, "what is due is done");
    check_times();
  }
  void check_times() {
    if (!late_) each([&](const Client& client) { check_time(client, engine_.now()); });
  }
  /// What is over in time, and not before.
  void check_time(const Client& client, eio::Time now) const {
    const bool candidate = client.ws && !client.ws->is_channel;
    const bool upgrade_over = now - client.attached >= options_.upgrade_timeout;
    if (candidate && client.open())
      holds(client.ws->closed == upgrade_over, "a new WebSocket has upgrade_timeout to say 5");
    if (client.state() == State::closed) return;
    holds(now - client.heard < options_.ping_interval + options_.ping_timeout,
          "who says nothing ends with the ping's timeout");
    holds(client.idle == eio::never || now - client.idle < options_.linger_timeout,
          "who does not take the news ends with linger_timeout");
  }

  // ---- what is always so

  void end_move() {
    if (eager_) flush();
    std::size_t live = 0;
    each([&](Client& client) {
      check(client);
      live += client.state() != State::closed;
    });
    holds(engine_.size() == live && engine_.deadlines.size() == live,
          "every live session, and no other, is found and has a deadline");
    holds(counters_.sessions_opened == clients_.size() && counters_.sessions_closed == clients_.size() - live,
          "sessions are counted");
    std::erase_if(peers_, [](const auto& one) { return one->over(); });
  }

  void check(Client& client) {
    for (Peer** peer : {&client.get, &client.post, &client.ws})
      if (*peer && (*peer)->over()) *peer = nullptr;
    const auto count = [&](Peer::Kind kind) {
      return std::count_if(peers_.begin(), peers_.end(), [&](const auto& one) {
        return &one->client() == &client && one->kind() == kind && !one->over();
      });
    };
    const auto state = client.state();
    // What waits may be a ping, too: until it is fetched, the ping's time-out counts.
    const bool idle =
        strict_ && state == State::lingering && client.received == client.sent.size() && counters_.queue_bytes == 0;
    client.idle = idle ? std::min(client.idle, engine_.now()) : eio::never;
    const bool closed = state == State::closed, websocket = state == State::websocket,
               probing = state == State::probing || state == State::probed;
    holds(client.opens == 1 && client.closes == closed, "a session ends once, and says so once");
    holds((engine_.find(client.session->id()).get() == client.session.get()) != closed,
          "a session is found while it lives");
    holds(count(Peer::Kind::get) <= (closed || websocket ? 0 : 1), "at most one poll is held, by who polls");
    holds(count(Peer::Kind::post) <= (websocket ? 0 : 1), "at most one POST is open, of who polls");
    holds(count(Peer::Kind::websocket) == (websocket || probing),
          "a WebSocket is there for as long as a session has one");
    if (websocket && strict_) holds(client.received == client.sent.size(), "nothing waits for a WebSocket");
    if (websocket)
      holds(client.session->writable() == (client.ws->queued() == 0), "a WebSocket is writable when nothing waits");
    holds(!client.session->writable() || websocket || client.get, "over polling, who holds no poll is not writable");
  }

  // ---- the end

  /// The client fetches all that there is, then is closed and fetches the news.
  void take_leave(Client& client) {
    if (client.state() == State::closed) return;
    if (client.ws) client.ws->stalled = false;
    if (client.open()) send(client, false);
    fetch(client, [&] { return client.received == client.sent.size(); });
    if (client.open()) client.session->close();
    fetch(client, [&] { return client.state() == State::closed; });
    if (strict_) holds(client.received == client.sent.size(), "a polite client gets everything");
  }
  template <class Done>
  void fetch(Client& client, Done done) {
    for (int polls = 0; polls < 3 && client.state() != State::closed && client.state() != State::websocket; ++polls) {
      flush();
      end_move();
      if (done()) return;
      if (!client.get && client.state() != State::closed) poll(client);
      end_move();
    }
    if (strict_) holds(done(), "a polite client gets what waits for it, and the news of the end");
  }

  void finish() {
    reactions_ = {};
    hook_ = 0;
    if (ending_ == 1) each([&](Client& client) { take_leave(client); });
    if (ending_ == 2) shut_down(), holds(engine_.size() == 0, "a shutdown ends every session");
    end_move();
    pass_until(engine_.now() + std::chrono::minutes(10));
    each([&](Client& client) {
      holds(client.state() == State::closed, "left alone, every session comes to its end");
      lose_post(client);  // of those that began after the end
    });
    end_move();
    holds(peers_.empty(), "in the end every request is answered, lost or cut, and every WebSocket closed or lost");
    holds(engine_.size() == 0 && engine_.deadlines.size() == 0 && engine_.deadlines.next() == eio::never,
          "in the end the engine holds nothing");
  }

  sio::Options options_;
  sio::Log log_{sio::LogLevel::debug, [](const sio::LogRecord&) {}};
  sio::Counters counters_;
  eio::Engine engine_{options_, log_, counters_, *this};
  sio::http::Request request_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::array<Client*, 6> slots_{};  // who is who, of those
  Client* opening_ = nullptr;
  std::array<std::size_t, 4> reactions_{};
  std::size_t hook_ = 0, who_ = 0;
  std::uint32_t exchanges_ = 0;
  unsigned ids_ = 0;
  bool eager_, strict_, late_ = false;
  int ending_;
};

inline void run(std::string_view bytes) {
  Input input(bytes);
  World world(input.byte());
  world.play(input);
}

}  // namespace fuzz::session
