// Chapter 6: the session machine, played as dialogues. No socket, no clock: time is what the script says.
//
// A row is what happens and what is then seen, one entry after the other, separated by " | ".
//
//     {"GET",              ""},                  a poll comes, and is held
//     {"app send hello",   "get2> 4hello"},      the application sends; poll number 2 is answered
//     {"POST 4hi",         "post1> ok | app: hi"},
//
// What can happen (";" puts several things into one turn of the loop):
//
//     open polling, open websocket, open b64        the handshake; a polling one has get1 answered
//     GET, GET lost                                 a poll comes; the held one's connection dies
//     POST <body>                                   head and body in one go
//     POST begins, POST body <body>, POST lost      in pieces
//     POST octets, POST too big                     as application/octet-stream; beyond max_payload
//     WS attach, WS <text>, WS <<bytes>>            a WebSocket for the session, and what it says
//     WS lost, WS breaks <reason>                   its end; WS2 is a second one
//     WS stalls                                     it reads nothing any more
//     app send <text>, app binary <bytes>           what the application does
//     app close, app shuts down
//     wait <milliseconds>                           on the way, everything due happens at its time
//
// 0x1E is written as a tilde, an open packet as 0{...}, the session's id as S.
#include "sio_demo.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

namespace sio = sio_demo;
namespace eio = sio_demo::engineio;
using eio::Move;
using eio::State;
using sio::Reason;

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

/// If `text` begins with this word, takes it off.
bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

struct Journal {
  std::vector<std::string> lines;
  std::string sid;

  void add(const std::string& who, std::string_view what) {
    std::string line = replaced(who + std::string(what), "\x1e", "~");
    if (!sid.empty()) line = replaced(line, sid, "S");
    lines.push_back(std::move(line));
  }
  std::string take_all() {
    std::string out;
    for (const auto& line : std::exchange(lines, {})) out += (out.empty() ? "" : " | ") + line;
    return out;
  }
};

/// A TCP connection that writes down what it is asked to do.
class RecordingPeer final : public eio::Peer {
 public:
  RecordingPeer(Journal& journal, std::string name) : journal_(journal), name_(std::move(name)) {}

  void answer(std::uint32_t, const eio::Answer& answer) override {
    ++answers;
    if (answer.status == 200) say(answer.body);
    else say(std::to_string(answer.status));
  }
  void cut() override { ++answers, say("(cut)"); }
  void send(const eio::MessageRef& message) override {
    ++messages;
    bytes_ += message->frame().size();
    if (message->is_binary()) say("<" + std::string(message->payload()) + ">");
    else say(message->payload());
  }
  void send_close(Reason reason, std::string_view) override {
    ++closes, say(reason == Reason::slow_consumer ? "(cut, too slow)" : "CLOSE");
  }
  std::size_t queued() const override { return stalled ? bytes_ : 0; }
  void wake() override { awake = true; }

  int answers = 0, messages = 0, closes = 0;
  bool awake = false, stalled = false;

 private:
  void say(std::string_view what) {
    journal_.add(name_ + "> ", what.starts_with("0{") && what.find("\x1e") == what.npos ? "0{...}" : what);
    if (what.starts_with("0{")) opened = what;
  }

  Journal& journal_;
  std::string name_;
  std::size_t bytes_ = 0;

 public:
  std::string opened;
};

/// An application that writes down what it is told, and does what a message asks for.
class RecordingApplication final : public eio::Application {
 public:
  explicit RecordingApplication(Journal& journal) : journal_(journal) {}

  void on_open(eio::Session& session, const sio::http::Request&) override {
    ++opens;
    journal_.sid = session.id();
    journal_.add("app: ", "open");
  }
  void on_message(eio::Session& session, std::string_view payload, bool binary) override {
    CHECK_MESSAGE(closes == 0, "nothing may arrive after the end");
    journal_.add("app: ", binary ? "<" + std::string(payload) + ">" : std::string(payload));
    if (payload == "close, please") session.close();
    if (payload == "echo, please") session.send(eio::Message::text({"4echo"}));
  }
  void on_close(eio::Session& session, Reason reason, std::string_view) override {
    ++closes;
    last = reason;
    CHECK(session.state() == State::closed);
    journal_.add("app: ", std::string("closed, ") + sio::row(reason).text);
  }

  int opens = 0, closes = 0;
  Reason last = Reason::count_;

 private:
  Journal& journal_;
};

/// A server with one session and virtual time.
class Player {
 public:
  explicit Player(sio::Options its_options = {})
      : options(std::move(its_options)),
        log(sio::LogLevel::debug, [](const sio::LogRecord&) {}),
        application(journal),
        engine(options, log, counters, application) {
    engine.advance(eio::Time{} + std::chrono::hours(1));
  }
  ~Player() {  // as a server does: no session outlives its engine
    for (const auto& one : engine.all()) one->shut_down(Reason::server_shutdown);
  }

  /// What a script's line leads to, as the driver would have it; `;` separates what shares a turn.
  std::string play(std::string_view script) {
    for (bool more = true; more;) {
      const auto end = script.find(" ; ");
      act(script.substr(0, end));
      more = end != script.npos;
      if (more) script.remove_prefix(end + 3);
    }
    end_turn();
    check_invariants();
    return journal.take_all();
  }

  /// One request on our path, judged as the driver does.
  eio::Verdict judge(const std::string& method, const std::string& target,
                     std::vector<sio::http::Header> headers = {}) {
    target_ = target, method_ = method;
    request_ = {};
    request_.method = method_;
    request_.target = target_;
    request_.headers = std::move(headers);
    request_.query.read(std::string_view(target_).substr(std::min(target_.find('?') + 1, target_.size())), 64);
    return engine.judge(request_);
  }

  State state() const { return session ? session->state() : State::closed; }
  const std::string& opened() const { return peers_.front()->opened; }

  sio::Options options;
  sio::Log log;
  sio::Counters counters;
  Journal journal;
  RecordingApplication application;
  eio::Engine engine;
  sio::Ref<eio::Session> session;

 private:
  static constexpr const char* polling = "/socket.io/?EIO=4&transport=polling";
  static constexpr const char* websocket = "/socket.io/?EIO=4&transport=websocket";

  std::string path(const char* transport) const { return transport + ("&sid=" + journal.sid); }

  RecordingPeer& peer(const std::string& name) {
    peers_.push_back(std::make_unique<RecordingPeer>(journal, name));
    return *peers_.back();
  }
  eio::Exchange exchange(const std::string& name) { return {&peer(name), ++exchanges_}; }

  void act(std::string_view what) {
    if (take(what, "open ")) return open(what);
    if (take(what, "GET")) return what == " lost" ? lose_poll() : poll();
    if (take(what, "POST ")) return post(what);
    if (take(what, "WS2 ")) return channel(ws2_, "ws2", what);
    if (take(what, "WS ")) return channel(ws_, "ws", what);
    if (take(what, "app ")) return app(what);
    if (take(what, "wait ")) return wait(std::chrono::milliseconds(std::stoi(std::string(what))));
    FAIL("an unknown line of script: " << std::string(what));
  }

  void open(std::string_view what) {
    REQUIRE(!session);
    if (what == "polling") {
      REQUIRE(judge("GET", polling).act == eio::Verdict::Act::open_polling);
      session = engine.open(request_, nullptr);
      get_ = exchange("get" + std::to_string(++gets_));
      return session->poll(get_);
    }
    const auto target = websocket + std::string(what == "b64" ? "&b64=1" : "");
    REQUIRE(judge("GET", target, {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}}).act ==
            eio::Verdict::Act::open_websocket);
    ws_ = &peer("ws");
    session = engine.open(request_, ws_);
  }

  void poll() {
    const auto get = exchange("get" + std::to_string(++gets_));
    const auto verdict = judge("GET", path(polling));
    if (verdict.act != eio::Verdict::Act::poll)
      return journal.add("get" + std::to_string(gets_) + "> ", sio::row(verdict.reason).text);
    const bool held = get_.peer && answers(get_) == 0;
    if (!held) get_ = get;
    session->poll(get);
  }
  void lose_poll() {
    REQUIRE(answers(get_) == 0);
    get_ = {};
    session->poll_lost();
  }

  void post(std::string_view what) {
    if (take(what, "body ")) return session->post_body(replaced(std::string(what), "~", "\x1e"));
    if (what == "lost") return session->post_lost("the connection was closed in the middle of a body");
    if (what == "too big") return session->post_refused();
    const auto name = "post" + std::to_string(++posts_);
    const auto post = exchange(name);
    const auto verdict = judge("POST", path(polling));
    if (verdict.act != eio::Verdict::Act::post) return journal.add(name + "> ", sio::row(verdict.reason).text);
    if (!session->post(post, what == "octets") || what == "begins") return;
    session->post_body(what == "(empty)" ? std::string() : replaced(std::string(what), "~", "\x1e"));
  }

  void channel(RecordingPeer*& its_peer, const char* name, std::string_view what) {
    if (what == "attach") {
      auto& fresh = peer(name);
      const auto verdict = judge("GET", path(websocket), {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}});
      if (verdict.act != eio::Verdict::Act::attach)
        return journal.add(name + std::string("> "), sio::row(verdict.reason).text);
      if (verdict.session->attach(fresh)) its_peer = &fresh;
      else fresh.send_close(Reason::forced_close, {});
      return;
    }
    REQUIRE(its_peer);
    if (what == "stalls") its_peer->stalled = true;
    else if (what == "lost")
      session->channel_lost(*std::exchange(its_peer, nullptr), Reason::transport_close, "the connection was closed");
    else if (take(what, "breaks "))
      session->channel_lost(*std::exchange(its_peer, nullptr), reason(what), "a limit, or a rule of RFC 6455");
    else if (what == "(empty)") session->frame(*its_peer, "", false);
    else if (take(what, "<")) session->frame(*its_peer, what.substr(0, what.size() - 1), true);
    else session->frame(*its_peer, what, false);
  }

  static Reason reason(std::string_view name) {
    for (const auto& row : sio::reason_table)
      if (row.name == name) return row.reason;
    FAIL("no such reason");
    return Reason::count_;
  }

  void app(std::string_view what) {
    if (take(what, "send ")) session->send(eio::Message::text({"4", what}));
    else if (take(what, "binary ")) session->send(eio::Message::binary(what));
    else if (what == "close") session->close();
    else if (what == "shuts down") engine.drain(), session->shut_down(Reason::server_shutdown);
    else FAIL("the application cannot " << std::string(what));
  }

  void wait(std::chrono::milliseconds time) {
    const auto until = engine.now() + time;
    while (engine.deadlines.next() <= until) {
      engine.tick(std::max(engine.deadlines.next(), engine.now()));
      end_turn();
    }
    engine.advance(until);
  }

  void end_turn() {
    if (get_.peer && std::exchange(static_cast<RecordingPeer*>(get_.peer)->awake, false) && answers(get_) == 0)
      session->flush();
  }

  static int answers(const eio::Exchange& exchange) {
    return exchange.peer ? static_cast<RecordingPeer*>(exchange.peer)->answers : 1;
  }

  void check_invariants() {
    if (!session) return;
    CHECK_MESSAGE(application.closes == (session->state() == State::closed ? 1 : 0),
                  "a session ends once, and says so once");
    CHECK_MESSAGE(engine.size() == (session->state() == State::closed ? 0u : 1u), "only live sessions are found");
    CHECK_MESSAGE((engine.deadlines.next() == eio::never) == (session->state() == State::closed),
                  "every live session has a deadline");
    const auto all = [&](auto holds) {
      return std::all_of(peers_.begin(), peers_.end(), [&](const auto& one) { return holds(*one); });
    };
    CHECK_MESSAGE(all([](const RecordingPeer& one) { return one.answers <= 1; }), "a request is answered once");
    CHECK_MESSAGE(all([](const RecordingPeer& one) { return one.closes <= 1; }), "a WebSocket is closed once");
    CHECK_MESSAGE((answers(get_) == 1 || session->state() != State::closed), "no poll is left behind");
  }

  std::vector<std::unique_ptr<RecordingPeer>> peers_;
  RecordingPeer *ws_ = nullptr, *ws2_ = nullptr;
  eio::Exchange get_;  // the held poll, or the last one
  std::uint32_t exchanges_ = 0;
  int gets_ = 0, posts_ = 0;
  std::string method_, target_;
  sio::http::Request request_;
};

struct Row {
  const char* happens;
  const char* seen;
};

void dialogue(std::initializer_list<Row> rows, sio::Options options = {}) {
  Player player(std::move(options));
  std::string so_far;
  for (const auto& [happens, seen] : rows) {
    so_far += std::string("\n    ") + happens;
    INFO("after" << so_far);
    CHECK(player.play(happens) == seen);
  }
}

constexpr std::initializer_list<State> states{State::polling,   State::probing,   State::probed,
                                              State::websocket, State::lingering, State::closed};
constexpr std::initializer_list<Move> moves{Move::attach, Move::probe,  Move::upgrade,
                                            Move::detach, Move::linger, Move::end};

}  // namespace

// ---- The table of transitions -------------------------------------------------------------------------

TEST_CASE("session table: each move from each state is the one that the protocol wants, or refused") {
  struct Cell {
    State from;
    std::map<Move, State> to;
  };
  const std::vector<Cell> wanted{
      {State::polling, {{Move::attach, State::probing}, {Move::linger, State::lingering}, {Move::end, State::closed}}},
      {State::probing,
       {{Move::probe, State::probed},
        {Move::upgrade, State::websocket},
        {Move::detach, State::polling},
        {Move::linger, State::lingering},
        {Move::end, State::closed}}},
      {State::probed,
       {{Move::probe, State::probed},
        {Move::upgrade, State::websocket},
        {Move::detach, State::polling},
        {Move::linger, State::lingering},
        {Move::end, State::closed}}},
      {State::websocket, {{Move::end, State::closed}}},
      {State::lingering, {{Move::end, State::closed}}},
      {State::closed, {}},
  };
  REQUIRE(wanted.size() == states.size());
  for (const Cell& cell : wanted)
    for (const Move move : moves) {
      CAPTURE(eio::state_name(cell.from));
      CAPTURE(static_cast<int>(move));
      const auto expected = cell.to.find(move);
      CHECK(eio::after(cell.from, move) ==
            (expected == cell.to.end() ? std::nullopt : std::optional(expected->second)));
    }
}

TEST_CASE("session table: no pair is listed twice") {
  std::set<std::pair<State, Move>> pairs;
  for (const auto& transition : eio::transitions) CHECK(pairs.emplace(transition.from, transition.move).second);
  CHECK(pairs.size() == eio::transitions.size());
}

TEST_CASE("session table: every state can be reached, and can end") {
  std::set<State> reached{State::polling, State::websocket};  // where sessions begin
  for (std::size_t round = 0; round < states.size(); ++round)
    for (const auto& transition : eio::transitions)
      if (reached.contains(transition.from)) reached.insert(transition.to);
  CHECK(reached.size() == states.size());
  for (const State state : states)
    if (state != State::closed) CHECK(eio::after(state, Move::end) == State::closed);
  for (const Move move : moves) CHECK_FALSE(eio::after(State::closed, move));
}

TEST_CASE("session table: states have different names") {
  std::set<std::string_view> names;
  for (const State state : states) names.insert(eio::state_name(state));
  CHECK(names.size() == states.size());
}

// ---- The open packet ----------------------------------------------------------------------------------

TEST_CASE("session: the open packet says what the options say") {
  const auto open_packet = [](const char* how, sio::Options options) {
    Player player(std::move(options));
    player.play(how);
    return replaced(player.opened(), player.session->id(), "S");
  };
  CHECK(open_packet("open polling", {}) ==
        R"(0{"sid":"S","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})");
  CHECK(open_packet("open websocket", {}) ==
        R"(0{"sid":"S","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})");
  CHECK(open_packet("open polling", {.websocket = false}) ==
        R"(0{"sid":"S","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})");
  CHECK(open_packet("open polling", {.allow_upgrades = false,
                                     .ping_interval = sio::Seconds(1),
                                     .ping_timeout = sio::Milliseconds(2),
                                     .max_payload = 3}) ==
        R"(0{"sid":"S","upgrades":[],"pingInterval":1000,"pingTimeout":2,"maxPayload":3})");
}

TEST_CASE("session: ids have 20 characters of base64url and differ") {
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) {
    Player player;
    player.play("open polling");
    const auto& id = player.session->id();
    CHECK(id.size() == 20);
    CHECK(id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == id.npos);
    ids.insert(id);
  }
  CHECK(ids.size() == 100);
}

TEST_CASE("session: a client that asked for text only gets binary as base64") {
  dialogue({
      {"open b64", "ws> 0{...} | app: open"},
      {"app binary \x01\x02\x03\x04", "ws> bAQIDBA=="},
      {"WS bAQIDBA==", "app: <\x01\x02\x03\x04>"},
  });
}

// ---- Heartbeat ----------------------------------------------------------------------------------------

TEST_CASE("heartbeat: the first ping one interval after the handshake, the next one an interval after the pong") {
  dialogue({
      {"open websocket", "ws> 0{...} | app: open"},
      {"wait 24999", ""},
      {"wait 1", "ws> 2"},
      {"wait 5000", ""},
      {"WS 3", ""},
      {"wait 24999", ""},
      {"wait 1", "ws> 2"},
  });
}

TEST_CASE("heartbeat: pings go out however busy the client is") {
  dialogue({
      {"open websocket", "ws> 0{...} | app: open"},
      {"wait 24000", ""},
      {"WS 4a", "app: a"},
      {"app send b", "ws> 4b"},
      {"wait 1000", "ws> 2"},
  });
}

TEST_CASE("heartbeat: a silent WebSocket ends after interval and timeout") {
  dialogue({
      {"open websocket", "ws> 0{...} | app: open"},
      {"wait 44999", "ws> 2"},
      {"wait 1", "ws> CLOSE | app: closed, ping timeout"},
      {"wait 100000", ""},
  });
}

TEST_CASE("heartbeat: over polling, a held poll takes the ping, and the news of the timeout") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"GET", ""},
      {"wait 25000", "get2> 2"},
      {"GET", ""},
      {"wait 19999", ""},
      {"wait 1", "get3> 1 | app: closed, ping timeout"},
      {"GET", "get4> Session ID unknown"},
      {"POST 3", "post1> Session ID unknown"},
  });
}

TEST_CASE("heartbeat: without a held poll, the ping waits, and the timeout runs meanwhile") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"wait 30000", ""},
      {"GET", "get2> 2"},
      {"wait 14999", ""},
      {"wait 1", "app: closed, ping timeout"},
  });
}

TEST_CASE("heartbeat: a pong by POST counts") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"GET", ""},
      {"wait 25000", "get2> 2"},
      {"POST 3", "post1> ok"},
      {"GET", ""},
      {"wait 24999", ""},
      {"wait 1", "get3> 2"},
  });
}

TEST_CASE("heartbeat: a pong that nobody asked for restarts the interval") {
  dialogue({
      {"open websocket", "ws> 0{...} | app: open"},
      {"wait 20000", ""},
      {"WS 3", ""},
      {"wait 24999", ""},
      {"wait 1", "ws> 2"},
  });
}

TEST_CASE("heartbeat: one packet after the ping prolongs the wait for the pong, once per ping") {
  const sio::Options quick{.ping_interval = sio::Milliseconds(400), .ping_timeout = sio::Milliseconds(200)};
  SUBCASE("silent: 600 ms") {
    dialogue({{"open websocket", "ws> 0{...} | app: open"},
              {"wait 599", "ws> 2"},
              {"wait 1", "ws> CLOSE | app: closed, ping timeout"}},
             quick);
  }
  SUBCASE("a message at 550 ms: 750 ms, however many follow") {
    dialogue(
        {
            {"open websocket", "ws> 0{...} | app: open"},
            {"wait 550", "ws> 2"},
            {"WS 4a", "app: a"},
            {"wait 100", ""},
            {"WS 4b", "app: b"},
            {"wait 99", ""},
            {"wait 1", "ws> CLOSE | app: closed, ping timeout"},
        },
        quick);
  }
  SUBCASE("a binary message is a packet, too") {
    dialogue(
        {
            {"open websocket", "ws> 0{...} | app: open"},
            {"wait 550", "ws> 2"},
            {"WS <x>", "app: <x>"},
            {"wait 199", ""},
            {"wait 1", "ws> CLOSE | app: closed, ping timeout"},
        },
        quick);
  }
  SUBCASE("so is one that means nothing") {
    dialogue(
        {
            {"open polling", "app: open | get1> 0{...}"},
            {"wait 550", ""},
            {"POST 6", "post1> ok"},
            {"wait 199", ""},
            {"wait 1", "app: closed, ping timeout"},
        },
        quick);
  }
  SUBCASE("packets before the ping do not count") {
    dialogue(
        {
            {"open websocket", "ws> 0{...} | app: open"},
            {"wait 399", ""},
            {"WS 4a", "app: a"},
            {"wait 200", "ws> 2"},
            {"wait 1", "ws> CLOSE | app: closed, ping timeout"},
        },
        quick);
  }
  SUBCASE("each ping has a grace of its own") {
    dialogue(
        {
            {"open websocket", "ws> 0{...} | app: open"},
            {"wait 550", "ws> 2"},
            {"WS 4a", "app: a"},
            {"wait 100", ""},
            {"WS 3", ""},
            {"wait 400", "ws> 2"},
            {"wait 150", ""},
            {"WS 4b", "app: b"},
            {"wait 199", ""},
            {"wait 1", "ws> CLOSE | app: closed, ping timeout"},
        },
        quick);
  }
}

// ---- Upgrade ------------------------------------------------------------------------------------------

TEST_CASE("upgrade: the dance of the official client") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"POST 40", "post1> ok | app: 0"},
      {"app send 0{\"sid\":\"x\"}", ""},
      {"WS attach", ""},  // 101, and nothing is sent on it
      {"GET", "get2> 40{\"sid\":\"x\"}"},
      {"WS 2probe", "ws> 3probe"},
      {"GET", ""},
      {"wait 99", ""},
      {"wait 1", "get3> 6"},  // the client waits for this before it goes on
      {"WS 5", ""},
      {"app send 2[\"hello\"]", "ws> 42[\"hello\"]"},
      {"WS 42[\"say\"]", "app: 2[\"say\"]"},
      {"wait 24900", "ws> 2"},
  });
}

TEST_CASE("upgrade: every poll of a probed session is released, one a tick") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"GET", ""},
      {"WS attach ; WS 2probe", "ws> 3probe"},
      {"wait 100", "get2> 6"},
      {"GET", ""},
      {"wait 99", ""},
      {"wait 1", "get3> 6"},
      {"wait 500", ""},
      {"GET", ""},
      {"wait 100", "get4> 6"},
  });
}

TEST_CASE("upgrade: while probing, messages travel by polling") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"GET", ""},
      {"WS attach", ""},
      {"app send a", "get2> 4a"},
      {"WS 2probe", "ws> 3probe"},
      {"GET", ""},
      {"app send b", "get3> 4b"},
      {"POST 4c", "post1> ok | app: c"},
  });
}

TEST_CASE("upgrade: what found no poll comes out on the WebSocket right after 5, in order") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"WS attach", ""},
      {"app send a", ""},
      {"WS 2probe", "ws> 3probe"},
      {"app send b ; app binary \x01 ; app send c", ""},
      {"WS 5", "ws> 4a | ws> 4b | ws> <\x01> | ws> 4c"},
      {"app send d", "ws> 4d"},
  });
}

TEST_CASE("upgrade: 5 without a probe is accepted") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"WS attach", ""},
      {"WS 5", ""},
      {"app send a", "ws> 4a"},
  });
}

TEST_CASE("upgrade: 5 while a poll is held answers it with close, and only the poll is closed") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"GET", ""},
      {"WS attach ; WS 2probe", "ws> 3probe"},
      {"WS 5", "get2> 1"},
      {"WS 4a", "app: a"},
  });
}

TEST_CASE("upgrade: a poll that 5 meets in the turn of a message loses nothing") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"GET", ""},
      {"WS attach ; WS 2probe", "ws> 3probe"},
      {"app send a ; WS 5", "get2> 1 | ws> 4a"},
  });
}

TEST_CASE("upgrade: each 2probe is answered") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"WS attach ; WS 2probe ; WS 2probe", "ws> 3probe | ws> 3probe"},
      {"WS 5", ""},
      {"WS 4a", "app: a"},
  });
}

TEST_CASE("upgrade: 5 and a message in one segment are both honoured") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"WS attach ; WS 2probe ; WS 5 ; WS 4a", "ws> 3probe | app: a"},
  });
}

TEST_CASE("upgrade: anything else before 5 closes the new WebSocket, and polling goes on") {
  for (const char* said : {"WS 2", "WS 42[\"x\"]", "WS 3", "WS 3probe", "WS 2prob", "WS 2probes", "WS 1", "WS 6",
                           "WS 0", "WS x", "WS (empty)", "WS <2probe>", "WS <5>"}) {
    CAPTURE(said);
    for (const char* before : {"WS attach", "WS attach ; WS 2probe"}) {
      CAPTURE(before);
      Player player;
      player.play("open polling");
      player.play(before);
      CHECK(player.play(said) == "ws> CLOSE");
      CHECK(player.state() == State::polling);
      CHECK(player.play("GET") == "");
      CHECK(player.play("wait 5000") == "");  // no noops any more
      CHECK(player.play("app send a") == "get2> 4a");
      CHECK(player.play("POST 4b") == "post1> ok | app: b");
      CHECK(player.play("WS2 attach ; WS2 2probe ; WS2 5") == "ws2> 3probe");  // a new attempt is allowed
      CHECK(player.play("app send c") == "ws2> 4c");
    }
  }
}

TEST_CASE("upgrade: a POST that is still open when 5 comes is cut") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"WS attach ; WS 2probe", "ws> 3probe"},
      {"POST begins", ""},
      {"WS 5", "post1> (cut)"},
      {"WS 4a", "app: a"},
  });
}

TEST_CASE("upgrade: polling after it is refused and harms nothing") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"WS attach ; WS 2probe ; WS 5", "ws> 3probe"},
      {"GET", "get2> Bad request"},
      {"POST 4x", "post1> Bad request"},
      {"WS 4a", "app: a"},
  });
}

TEST_CASE("upgrade: a second WebSocket is closed, the first one is unharmed") {
  SUBCASE("probing") {
    dialogue({
        {"open polling", "app: open | get1> 0{...}"},
        {"WS attach", ""},
        {"WS2 attach", "ws2> CLOSE"},
        {"WS 2probe ; WS 5 ; WS 4a", "ws> 3probe | app: a"},
    });
  }
  SUBCASE("upgraded") {
    dialogue({
        {"open polling", "app: open | get1> 0{...}"},
        {"WS attach ; WS 2probe ; WS 5", "ws> 3probe"},
        {"WS2 attach", "ws2> CLOSE"},
        {"WS 4a", "app: a"},
    });
  }
  SUBCASE("on a WebSocket from the start") {
    dialogue({
        {"open websocket", "ws> 0{...} | app: open"},
        {"WS2 attach", "ws2> CLOSE"},
        {"WS 4a", "app: a"},
    });
  }
}

TEST_CASE("upgrade: a WebSocket that does not say 5 in time is closed, and may try again") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"WS attach", ""},
      {"wait 9999", ""},
      {"wait 1", "ws> CLOSE"},
      {"GET", ""},
      {"app send a", "get2> 4a"},
      {"WS2 attach ; WS2 2probe", "ws2> 3probe"},
      {"wait 9999", ""},
      {"wait 1", "ws2> CLOSE"},
      {"GET", ""},
      {"wait 4999", ""},
      {"wait 1", "get3> 2"},
  });
}

TEST_CASE("upgrade: a WebSocket that dies while probing leaves polling intact") {
  for (const char* end : {"WS lost", "WS breaks frame_malformed", "WS breaks message_too_big"}) {
    CAPTURE(end);
    Player player;
    player.play("open polling");
    player.play("WS attach ; WS 2probe");
    CHECK(player.play(end) == "");
    CHECK(player.state() == State::polling);
    CHECK(player.play("GET ; app send a") == "get2> 4a");
    CHECK(player.play("wait 10000") == "");
  }
}

TEST_CASE("upgrade: a session that dies while probing takes the new WebSocket with it") {
  for (const char* before : {"WS attach", "WS attach ; WS 2probe"}) {
    CAPTURE(before);
    Player player;
    player.play("open polling");
    player.play(before);
    CHECK(player.play("POST 1") == "post1> ok | ws> CLOSE | app: closed, transport close");
  }
}

TEST_CASE("upgrade: a ping that polling did not fetch goes out on the WebSocket") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"wait 25000", ""},
      {"WS attach ; WS 2probe ; WS 5", "ws> 3probe | ws> 2"},
      {"WS 3", ""},
      {"wait 25000", "ws> 2"},
  });
}

// ---- The end ------------------------------------------------------------------------------------------

TEST_CASE("end: the client posts a close packet") {
  SUBCASE("a poll is held") {
    dialogue({
        {"open polling", "app: open | get1> 0{...}"},
        {"GET", ""},
        {"POST 1", "post1> ok | get2> 6 | app: closed, transport close"},
        {"GET", "get3> Session ID unknown"},
    });
  }
  SUBCASE("none is") {
    dialogue({
        {"open polling", "app: open | get1> 0{...}"},
        {"POST 4a~1~4b", "post1> ok | app: a | app: closed, transport close"},
        {"GET", "get2> Session ID unknown"},
    });
  }
  SUBCASE("over a WebSocket it means nothing") {
    dialogue({
        {"open websocket", "ws> 0{...} | app: open"},
        {"WS 1", ""},
        {"WS 4a", "app: a"},
    });
  }
}

TEST_CASE("end: the server closes, a poll is held") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"GET", ""},
      {"app close", "get2> 1 | app: closed, forced close"},
      {"GET", "get3> Session ID unknown"},
  });
}

TEST_CASE("end: the server closes, no poll is held, nothing waits") {
  SUBCASE("the next poll takes the news; what is posted meanwhile is dropped") {
    dialogue({
        {"open polling", "app: open | get1> 0{...}"},
        {"app close", ""},
        {"POST 4x", "post1> ok"},
        {"app send late", ""},
        {"GET", "get2> 6~1 | app: closed, forced close"},
        {"GET", "get3> Session ID unknown"},
    });
  }
  SUBCASE("no poll comes: 30 seconds") {
    dialogue({
        {"open polling", "app: open | get1> 0{...}"},
        {"app close", ""},
        {"wait 29999", ""},
        {"wait 1", "app: closed, forced close"},
    });
  }
}

TEST_CASE("end: a last message and the end, as disconnect(true) does") {
  SUBCASE("a poll is held") {
    dialogue({
        {"open polling", "app: open | get1> 0{...}"},
        {"GET", ""},
        {"app send 1 ; app close", "get2> 41"},
        {"GET", "get3> 6~1 | app: closed, forced close"},
        {"GET", "get4> Session ID unknown"},
    });
  }
  SUBCASE("none is") {
    dialogue({
        {"open polling", "app: open | get1> 0{...}"},
        {"app send 1 ; app close", ""},
        {"GET", "get2> 41"},
        {"GET", "get3> 6~1 | app: closed, forced close"},
    });
  }
  SUBCASE("nobody ever polls") {
    dialogue({
        {"open polling", "app: open | get1> 0{...}"},
        {"app send 1 ; app close", ""},
        {"wait 29999", ""},
        {"wait 1", "app: closed, forced close"},
    });
  }
  SUBCASE("the message is fetched, the news is not") {
    dialogue({
        {"open polling", "app: open | get1> 0{...}"},
        {"app send 1 ; app close", ""},
        {"GET", "get2> 41"},
        {"wait 29999", ""},
        {"wait 1", "app: closed, forced close"},
    });
  }
  SUBCASE("over a WebSocket") {
    dialogue({
        {"open websocket", "ws> 0{...} | app: open"},
        {"app send 1 ; app close", "ws> 41 | ws> CLOSE | app: closed, forced close"},
        {"WS 4x", ""},
    });
  }
  SUBCASE("in the middle of an upgrade") {
    dialogue({
        {"open polling", "app: open | get1> 0{...}"},
        {"WS attach ; WS 2probe", "ws> 3probe"},
        {"app send 1 ; app close", "ws> CLOSE"},
        {"GET", "get2> 41"},
        {"wait 10000", ""},
        {"WS2 attach", "ws2> CLOSE"},
        {"GET", "get3> 6~1 | app: closed, forced close"},
    });
  }
}

TEST_CASE("end: malformed packets in a POST get ok, then the end") {
  for (const char* body : {"x", "(empty)", "4a~", "~4a", "4a~~4b", "7", " 4a",
                           "\xEF\xBB\xBF"
                           "4a"}) {
    CAPTURE(body);
    Player player;
    player.play("open polling");
    player.play("GET");
    const auto seen = player.play(std::string("POST ") + body);
    CHECK(seen.starts_with("post1> ok | "));
    CHECK(seen.ends_with("get2> 1 | app: closed, parse error"));
    CHECK(seen.find("app: b") == seen.npos);  // what follows is dropped
    CHECK(player.play("GET") == "get3> Session ID unknown");
  }
  dialogue({
      {"open websocket", "ws> 0{...} | app: open"},
      {"WS x", "ws> CLOSE | app: closed, parse error"},
  });
  dialogue({
      {"open websocket", "ws> 0{...} | app: open"},
      {"WS (empty)", "ws> CLOSE | app: closed, parse error"},
  });
}

TEST_CASE("end: a ping from the client is an error since protocol 4") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"GET", ""},
      {"POST 4a~2~4b", "post1> ok | app: a | get2> 1 | app: closed, transport error"},
  });
  dialogue({
      {"open websocket", "ws> 0{...} | app: open"},
      {"WS 2probe", "ws> CLOSE | app: closed, transport error"},
  });
}

TEST_CASE("end: open, upgrade and noop from a client mean nothing") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"POST 0~5~6~4a", "post1> ok | app: a"},
  });
  dialogue({
      {"open websocket", "ws> 0{...} | app: open"},
      {"WS 0 ; WS 5 ; WS 6 ; WS 4a", "app: a"},
  });
}

TEST_CASE("end: the server goes down") {
  SUBCASE("a poll is held") {
    dialogue({{"open polling", "app: open | get1> 0{...}"},
              {"GET", ""},
              {"app shuts down", "get2> 1 | app: closed, server shutting down"}});
  }
  SUBCASE("a poll is held, and something waits for it") {
    dialogue({{"open polling", "app: open | get1> 0{...}"},
              {"GET", ""},
              {"app send a ; app shuts down", "get2> 4a | app: closed, server shutting down"}});
  }
  SUBCASE("no poll is held") {
    dialogue({{"open polling", "app: open | get1> 0{...}"},
              {"app send a ; app shuts down", "app: closed, server shutting down"}});
  }
  SUBCASE("while it lingers") {
    dialogue({{"open polling", "app: open | get1> 0{...}"},
              {"app close", ""},
              {"app shuts down", "app: closed, server shutting down"}});
  }
  SUBCASE("on a WebSocket") {
    dialogue({{"open websocket", "ws> 0{...} | app: open"},
              {"app send a ; app shuts down", "ws> 4a | ws> CLOSE | app: closed, server shutting down"}});
  }
}

TEST_CASE("end: whatever ends a WebSocket ends its session, with the reference's reason") {
  for (const auto& row : {Row{"WS lost", "app: closed, transport close"},
                          Row{"WS breaks transport_close", "app: closed, transport close"},
                          Row{"WS breaks frame_malformed", "app: closed, transport error"},
                          Row{"WS breaks text_not_utf8", "app: closed, transport error"},
                          Row{"WS breaks too_many_fragments", "app: closed, transport error"},
                          Row{"WS breaks message_too_big", "app: closed, transport error"}}) {
    CAPTURE(row.happens);
    Player player;
    player.play("open websocket");
    CHECK(player.play(row.happens) == row.seen);
    CHECK(player.play("app send a") == "");
  }
}

TEST_CASE("end: closing twice, and closing what is closed, does nothing") {
  dialogue({
      {"open websocket", "ws> 0{...} | app: open"},
      {"app close ; app close ; app send a ; app shuts down", "ws> CLOSE | app: closed, forced close"},
      {"wait 100000", ""},
  });
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"app close ; app close", ""},
      {"GET", "get2> 6~1 | app: closed, forced close"},
  });
}

TEST_CASE("end: an application that closes while it handles a packet sees no further one") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"GET", ""},
      {"POST 4close, please~4a", "post1> ok | app: close, please | get2> 1 | app: closed, forced close"},
  });
  dialogue({
      {"open websocket", "ws> 0{...} | app: open"},
      {"WS 4close, please ; WS 4a", "app: close, please | ws> CLOSE | app: closed, forced close"},
  });
}

TEST_CASE("end: the transport still has its name when the application is told") {
  struct Asking final : eio::Application {
    void on_open(eio::Session&, const sio::http::Request&) override {}
    void on_message(eio::Session&, std::string_view, bool) override {}
    void on_close(eio::Session& session, Reason, std::string_view) override { transport = session.transport(); }
    std::string transport;
  };
  const sio::Options options;
  const sio::Log log(sio::LogLevel::off, {});
  sio::Counters counters;
  Journal journal;
  Asking application;
  eio::Engine engine(options, log, counters, application);
  RecordingPeer ws(journal, "ws");
  engine.open({}, &ws)->close();
  CHECK(application.transport == "websocket");
}

// ---- Polling ------------------------------------------------------------------------------------------

TEST_CASE("poll: answered with all that waits, or as soon as something does") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"app send a", ""},
      {"app send b", ""},
      {"app binary \x01\x02\x03\x04", ""},
      {"GET", "get2> 4a~4b~bAQIDBA=="},
      {"GET", ""},
      {"wait 24999", ""},
      {"app send c", "get3> 4c"},
      {"GET", ""},
      {"app binary \x01", "get4> bAQ=="},
  });
}

TEST_CASE("poll: what one turn sends leaves in one answer") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"GET", ""},
      {"app send a ; app send b", "get2> 4a~4b"},
      {"GET", ""},
      {"POST 4echo, please~4echo, please", "post1> ok | app: echo, please | app: echo, please | get3> 4echo~4echo"},
  });
}

TEST_CASE("poll: a second one ends the session; each is told in its way") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"GET", ""},
      {"GET", "get3> 400 | get2> 1 | app: closed, transport error"},
      {"GET", "get4> Session ID unknown"},
  });
}

TEST_CASE("poll: one whose connection dies ends the session") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"GET", ""},
      {"GET lost", "app: closed, transport error"},
      {"POST 4a", "post1> Session ID unknown"},
  });
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"GET", ""},
      {"WS attach ; WS 2probe", "ws> 3probe"},
      {"GET lost", "ws> CLOSE | app: closed, transport error"},
  });
}

// ---- POST ---------------------------------------------------------------------------------------------

TEST_CASE("post: packets arrive in order, after the answer") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"POST 4a~4~bAQIDBA==~4b", "post1> ok | app: a | app:  | app: <\x01\x02\x03\x04> | app: b"},
      {"POST begins", ""},
      {"POST body 4c", "post2> ok | app: c"},
  });
}

TEST_CASE("post: text that is not UTF-8 is repaired, not refused") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"POST 4a\xff"
       "b",
       "post1> ok | app: a\xEF\xBF\xBD"
       "b"},
  });
}

TEST_CASE("post: a second one while one is open ends the session; the first one gets no answer") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"GET", ""},
      {"POST begins", ""},
      {"POST begins", "post2> 400 | get2> 1 | post1> (cut) | app: closed, transport error"},
  });
}

TEST_CASE("post: octets end the session") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"GET", ""},
      {"POST octets", "post1> 400 | get2> 1 | app: closed, transport error"},
  });
}

TEST_CASE("post: one whose connection dies in the middle ends the session") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"GET", ""},
      {"POST begins", ""},
      {"POST lost", "get2> 1 | app: closed, transport error"},
  });
}

TEST_CASE("post: one beyond max_payload costs itself only") {
  dialogue({
      {"open polling", "app: open | get1> 0{...}"},
      {"POST begins", ""},
      {"POST too big", ""},  // the driver answers 413
      {"POST 4a", "post2> ok | app: a"},
  });
}

TEST_CASE("post: the packets of one body are counted") {
  const sio::Options three{.max_packets_per_payload = 3};
  dialogue(
      {
          {"open polling", "app: open | get1> 0{...}"},
          {"POST 4a~4b~4c", "post1> ok | app: a | app: b | app: c"},
          {"POST 4a~4b~4c~4d", "post2> ok | app: closed, parse error"},
      },
      three);
}

// ---- Bounds -------------------------------------------------------------------------------------------

TEST_CASE("bounds: a client that does not take what waits for it is closed, in the next turn") {
  const sio::Options tight{.max_queue_bytes = 300};
  const std::string send = "app send " + std::string(200, 'x');
  SUBCASE("over polling") {
    Player player(tight);
    player.play("open polling");
    CHECK(player.play(send) == "");
    CHECK(player.play(send) == "");
    CHECK(player.play("wait 0") == "app: closed, transport error");
    CHECK(player.application.last == Reason::slow_consumer);
  }
  SUBCASE("over polling, but it polls in time") {
    Player player(tight);
    player.play("open polling");
    for (int i = 0; i < 5; ++i) {
      player.play(send);
      CHECK(player.play("GET") == "get" + std::to_string(i + 2) + "> 4" + std::string(200, 'x'));
    }
  }
  SUBCASE("over a WebSocket") {
    Player player(tight);
    player.play("open websocket");
    for (int i = 0; i < 5; ++i) CHECK(player.play(send) == "ws> 4" + std::string(200, 'x'));
    player.play("WS stalls");
    player.play(send);
    CHECK(player.play("wait 0") == "ws> (cut, too slow) | app: closed, transport error");
    CHECK(player.application.last == Reason::slow_consumer);
  }
  SUBCASE("what is sent to it meanwhile is dropped") {
    Player player(tight);
    player.play("open websocket");
    player.play("WS stalls");
    player.play(send + " ; " + send);
    CHECK(player.play("app send more ; app binary more") == "");
  }
}

TEST_CASE("bounds: what waits for a poll is measured again after an upgrade") {
  const sio::Options tight{.max_queue_bytes = 300};
  const std::string send = "app send " + std::string(200, 'x');
  Player player(tight);
  player.play("open polling");
  player.play(send);
  CHECK(player.play("WS attach ; WS 2probe ; WS 5") == "ws> 3probe | ws> 4" + std::string(200, 'x'));
  CHECK(player.play(send) == "ws> 4" + std::string(200, 'x'));
  CHECK(player.play("wait 0") == "");
}

TEST_CASE("bounds: a trial that nobody calls off ends the session at its time") {
  SUBCASE("on a WebSocket") {
    Player player;
    player.play("open websocket");
    player.session->close_at(player.engine.now() + sio::Seconds(20));
    CHECK(player.play("wait 19999") == "");
    CHECK(player.play("wait 1") == "ws> CLOSE | app: closed, forced close");
  }
  SUBCASE("over polling, a poll is held") {
    Player player;
    player.play("open polling");
    player.play("GET");
    player.session->close_at(player.engine.now() + sio::Seconds(20));
    CHECK(player.play("wait 20000") == "get2> 1 | app: closed, forced close");
  }
  SUBCASE("over polling, none is: the next one takes the news") {
    Player player;
    player.play("open polling");
    player.session->close_at(player.engine.now() + sio::Seconds(20));
    CHECK(player.play("wait 20000") == "");
    CHECK(player.play("GET") == "get2> 6~1 | app: closed, forced close");
  }
  SUBCASE("prolonged, then called off") {
    Player player;
    player.play("open websocket");
    player.session->close_at(player.engine.now() + sio::Seconds(10));
    player.play("wait 5000");
    player.session->close_at(player.engine.now() + sio::Seconds(10));
    CHECK(player.play("wait 9999") == "");
    player.session->close_at(eio::never);
    CHECK(player.play("wait 100") == "");
    CHECK(player.state() == State::websocket);
  }
}

TEST_CASE("bounds: writable tells what a message sent now would do") {
  Player player;
  player.play("open polling");
  CHECK_FALSE(player.session->writable());
  player.play("GET");
  CHECK(player.session->writable());
  player.session->send(eio::Message::text({"4a"}));
  CHECK_FALSE(player.session->writable());  // the poll is as good as answered
  player.play("WS attach ; WS 2probe ; WS 5");
  CHECK(player.session->writable());
  player.play("WS stalls");
  player.play("app send a");
  CHECK_FALSE(player.session->writable());
  player.play("app close");
  CHECK_FALSE(player.session->writable());
}

TEST_CASE("end: every reason by which a session can end has been seen here") {
  const std::vector<std::pair<Reason, std::vector<const char*>>> ways{
      {Reason::transport_close, {"open polling", "POST 1"}},
      {Reason::transport_error, {"open polling", "POST octets"}},
      {Reason::parse_error, {"open polling", "POST x"}},
      {Reason::ping_timeout, {"open polling", "wait 45000"}},
      {Reason::forced_close, {"open websocket", "app close"}},
      {Reason::server_shutdown, {"open websocket", "app shuts down"}},
      {Reason::slow_consumer, {"open websocket", "WS stalls", "app send a lot", "wait 0"}},
      {Reason::frame_malformed, {"open websocket", "WS breaks frame_malformed"}},
      {Reason::text_not_utf8, {"open websocket", "WS breaks text_not_utf8"}},
      {Reason::too_many_fragments, {"open websocket", "WS breaks too_many_fragments"}},
      {Reason::message_too_big, {"open websocket", "WS breaks message_too_big"}},
  };
  for (const auto& way : ways) {
    const Reason reason = way.first;
    CAPTURE(sio::row(reason).name);
    Player player({.max_queue_bytes = 200});
    for (const char* line : way.second) player.play(replaced(line, "a lot", std::string(300, 'x')));
    CHECK(player.application.last == reason);
    CHECK(player.counters.of(reason) == 1);
    CHECK(player.counters.sessions_opened == 1);
    CHECK(player.counters.sessions_closed == 1);
  }
}

// ---- Which request leads where ------------------------------------------------------------------------

TEST_CASE("judge: the order of the checks decides which error one sees") {
  using Act = eio::Verdict::Act;
  struct Request {
    const char* method;
    const char* query;  // $ is the polling session's id, @ the WebSocket session's
    bool upgrade;
    Act act;
    Reason reason = Reason::bad_request;
  };
  const std::vector<Request> requests{
      // handshakes
      {"GET", "EIO=4&transport=polling", false, Act::open_polling},
      {"GET", "EIO=4&transport=polling&sid=", false, Act::open_polling},
      {"GET", "EIO=3&EIO=4&transport=polling", false, Act::open_polling},
      {"GET", "%45IO=4&transport=p%6flling", false, Act::open_polling},
      {"GET", "EIO=4&transport=websocket", true, Act::open_websocket},
      {"GET", "EIO=4&transport=polling", true, Act::close_websocket},
      {"GET", "", false, Act::refuse, Reason::transport_unknown},
      {"GET", "EIO=4", false, Act::refuse, Reason::transport_unknown},
      {"GET", "EIO=4&transport=carrier-pigeon", false, Act::refuse, Reason::transport_unknown},
      {"GET", "EIO=4&transport=Polling", false, Act::refuse, Reason::transport_unknown},
      {"POST", "EIO=3&transport=tin-can", false, Act::refuse, Reason::transport_unknown},
      {"POST", "EIO=4&transport=polling", false, Act::refuse, Reason::bad_handshake_method},
      {"HEAD", "EIO=3&transport=polling", false, Act::refuse, Reason::bad_handshake_method},
      {"POST", "EIO=4&transport=websocket", true, Act::refuse, Reason::bad_handshake_method},
      {"GET", "EIO=4&transport=websocket", false, Act::refuse, Reason::bad_request},
      {"GET", "EIO=3&transport=websocket", false, Act::refuse, Reason::bad_request},
      {"GET", "transport=polling", false, Act::refuse, Reason::unsupported_version},
      {"GET", "EIO=3&transport=polling", false, Act::refuse, Reason::unsupported_version},
      {"GET", "EIO=04&transport=polling", false, Act::refuse, Reason::unsupported_version},
      {"GET", "EIO=4&EIO=3&transport=polling", false, Act::refuse, Reason::unsupported_version},
      {"GET", "?EIO=4&transport=polling", false, Act::refuse, Reason::unsupported_version},
      {"GET", "EIO=3&transport=websocket", true, Act::refuse, Reason::unsupported_version},
      // of a session
      {"GET", "EIO=4&transport=polling&sid=$", false, Act::poll},
      {"POST", "EIO=4&transport=polling&sid=$", false, Act::post},
      {"GET", "EIO=4&transport=websocket&sid=$", true, Act::attach},
      {"GET", "EIO=4&transport=websocket&sid=@", true, Act::attach},
      {"GET", "EIO=4&transport=polling&sid=$", true, Act::close_websocket},
      {"GET", "EIO=4&transport=polling&sid=nobody", false, Act::refuse, Reason::session_unknown},
      {"POST", "EIO=4&transport=polling&sid=nobody", false, Act::refuse, Reason::session_unknown},
      {"GET", "EIO=4&transport=websocket&sid=nobody", true, Act::refuse, Reason::session_unknown},
      {"GET", "EIO=4&transport=websocket&sid=nobody", false, Act::refuse, Reason::session_unknown},
      {"GET", "EIO=4&transport=smoke&sid=nobody", false, Act::refuse, Reason::transport_unknown},
      {"GET", "EIO=4&sid=$", false, Act::refuse, Reason::transport_unknown},
      {"GET", "EIO=4&transport=websocket&sid=$", false, Act::refuse, Reason::bad_request},
      {"GET", "EIO=4&transport=polling&sid=@", false, Act::refuse, Reason::bad_request},
      {"POST", "EIO=4&transport=polling&sid=@", false, Act::refuse, Reason::bad_request},
      {"GET", "EIO=4&transport=websocket&sid=@", false, Act::refuse, Reason::bad_request},
      {"GET", "EIO=3&transport=polling&sid=$", false, Act::refuse, Reason::bad_request},
      {"GET", "transport=polling&sid=$", false, Act::refuse, Reason::bad_request},
      {"GET", "EIO=3&transport=websocket&sid=$", true, Act::refuse, Reason::bad_request},
  };
  Player player;
  player.play("open polling");
  RecordingPeer ws(player.journal, "ws");
  const auto other = player.engine.open({}, &ws);
  for (const auto& request : requests) {
    const auto query = replaced(replaced(request.query, "$", player.session->id()), "@", other->id());
    CAPTURE(request.method);
    CAPTURE(request.query);
    CAPTURE(request.upgrade);
    const auto verdict = player.judge(
        request.method, "/socket.io/?" + query,
        request.upgrade
            ? std::vector<sio::http::Header>{{"upgrade", "websocket"}, {"connection", "keep-alive, Upgrade"}}
            : std::vector<sio::http::Header>{});
    CHECK(static_cast<int>(verdict.act) == static_cast<int>(request.act));
    if (request.act == Act::refuse) CHECK(std::string(sio::row(verdict.reason).name) == sio::row(request.reason).name);
    CHECK(bool(verdict.session) ==
          (request.act >= Act::attach || (request.act == Act::close_websocket && query.find("sid=") != query.npos)));
  }
  other->close();
}

TEST_CASE("judge: transports that are off do not exist") {
  using Act = eio::Verdict::Act;
  const std::vector<sio::http::Header> upgrade{{"Upgrade", "websocket"}, {"Connection", "Upgrade"}};
  Player no_polling({.polling = false});
  CHECK(no_polling.judge("GET", "/socket.io/?EIO=4&transport=polling").reason == Reason::transport_unknown);
  CHECK(no_polling.judge("GET", "/socket.io/?EIO=4&transport=websocket", upgrade).act == Act::open_websocket);
  Player no_websocket({.websocket = false});
  CHECK(no_websocket.judge("GET", "/socket.io/?EIO=4&transport=websocket", upgrade).reason ==
        Reason::transport_unknown);
  CHECK(no_websocket.judge("GET", "/socket.io/?EIO=4&transport=polling", upgrade).act == Act::open_polling);
}

TEST_CASE("judge: no session is opened beyond the limit, nor by a server that goes down") {
  using Act = eio::Verdict::Act;
  const char* handshake = "/socket.io/?EIO=4&transport=polling";
  Player full({.max_sessions = 1});
  full.play("open polling");
  CHECK(full.judge("GET", handshake).act == Act::refuse);
  CHECK(full.judge("GET", handshake).reason == Reason::too_many_sessions);
  CHECK(full.play("GET") == "");  // those that are there go on
  full.play("POST 1");
  CHECK(full.judge("GET", handshake).act == Act::open_polling);
  full.engine.drain();
  CHECK(full.judge("GET", handshake).reason == Reason::draining);
}

TEST_CASE("judge: a page of a foreign origin opens no WebSocket once origins are listed") {
  using Act = eio::Verdict::Act;
  const auto verdict = [](sio::Options options, const char* origin, const char* query) {
    Player player(std::move(options));
    player.play("open polling");
    std::vector<sio::http::Header> headers{
        {"Host", "chat.example"}, {"Upgrade", "websocket"}, {"Connection", "Upgrade"}};
    if (origin) headers.push_back({"Origin", origin});
    return player.judge("GET", "/socket.io/?EIO=4&transport=websocket" + replaced(query, "$", player.session->id()),
                        headers);
  };
  const sio::Options listed{.cors = {.origins = {"https://app.example"}}};
  for (const char* query : {"", "&sid=$"}) {
    CAPTURE(query);
    const auto act = *query ? Act::attach : Act::open_websocket;
    CHECK(verdict({}, "https://evil.example", query).act == act);
    CHECK(verdict(listed, nullptr, query).act == act);
    CHECK(verdict(listed, "https://app.example", query).act == act);
    CHECK(verdict(listed, "https://chat.example", query).act == act);  // a page of our own
    CHECK(verdict(listed, "https://evil.example", query).reason == Reason::forbidden);
    CHECK(verdict(listed, "null", query).reason == Reason::forbidden);
  }
}

// ---- Random walks -------------------------------------------------------------------------------------

TEST_CASE("session: whatever happens in whatever order, the invariants hold") {
  const std::vector<const char*> always{"POST 4a~4b",
                                        "POST 3",
                                        "POST 6",
                                        "GET",
                                        "GET",
                                        "GET",
                                        "WS attach",
                                        "WS attach",
                                        "WS2 attach",
                                        "app send a",
                                        "app send b ; app send c",
                                        "app binary x",
                                        "wait 0",
                                        "wait 1",
                                        "wait 99",
                                        "wait 100",
                                        "wait 5000",
                                        "wait 12000"};
  const std::vector<const char*> seldom{"POST 1",
                                        "POST x",
                                        "POST 2",
                                        "POST octets",
                                        "POST 4close, please",
                                        "app close",
                                        "app send 1 ; app close",
                                        "app shuts down",
                                        "wait 45000",
                                        "POST (empty)"};
  const std::vector<const char*> spoken{
      "2probe", "2probe", "5", "5", "3", "4a", "4echo, please", "<x>", "2", "1", "x", "lost", "breaks frame_malformed",
      "stalls"};
  std::mt19937 random(20261123);
  const auto one_of = [&](const auto& list) { return list[random() % list.size()]; };
  std::map<State, int> ended_in;
  std::set<State> visited;

  for (int walk = 0; walk < 1500; ++walk) {
    Player player({.max_queue_bytes = 400});  // an open packet and a few messages
    player.play(random() % 4 == 0 ? "open websocket" : "open polling");
    std::string so_far;
    bool here = player.state() == State::websocket, begun = false;  // whether a WebSocket is there, a POST is open
    for (int step = 0; step < 40; ++step) {
      const auto before = player.state();
      std::string line;
      const auto dice = random() % 20;
      if (dice == 0) line = one_of(seldom);
      else if (dice < 9 && here && (before == State::probing || before == State::probed || before == State::websocket))
        line = "WS " + std::string(one_of(spoken));
      else if (dice == 9 && begun && before != State::closed) line = random() % 3 ? "POST body 4x" : "POST too big";
      else if (dice == 10 && before == State::polling && !begun) line = "POST begins";
      else line = one_of(always);
      so_far += "\n    " + line;
      INFO("walk " << walk << so_far);

      const auto seen = player.play(line);
      const auto now = player.state();
      visited.insert(now);
      if (line == "WS attach" && now == State::probing && before == State::polling) here = true;
      if (line.starts_with("WS lost") || line.starts_with("WS breaks") || (here && now == State::polling)) here = false;
      if (line == "POST begins" && seen.empty()) begun = true;
      if (line.starts_with("POST body") || line == "POST too big" || seen.find("(cut)") != seen.npos) begun = false;

      if (before == State::polling && now == State::probing)
        CHECK_MESSAGE(seen.find("ws>") == seen.npos, "nothing is said on a WebSocket that has not spoken");
      if ((now == State::probing || now == State::probed) && line.find("2probe") == std::string::npos)
        CHECK_MESSAGE((seen.find(" ws> 4") == seen.npos && !seen.starts_with("ws> 4")),
                      "no message goes to the new WebSocket before 5");
      if (before == State::closed) CHECK_MESSAGE(now == State::closed, "the end is the end");
      if (before == State::closed) CHECK_MESSAGE(seen.find("app:") == seen.npos, "nothing follows the end");
    }
    ++ended_in[player.state()];
    if (player.state() != State::closed) player.play("wait 200000");  // alone, each comes to its end
    CHECK(player.state() == State::closed);
  }
  CHECK(visited.size() == states.size());
  CHECK(ended_in[State::closed] > 100);
}
