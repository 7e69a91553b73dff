// server: a Socket.IO application and its clients, over the engine (chapter 9 on chapters 6 and 7).
//
// Input: a byte of knobs (bit 0: connection state recovery; 1: tight limits; 2: namespaces made on demand end
// with their last client; 3: handlers see what goes out; 4: handles outlive the server), then a program, a letter
// for each move. What stands in brackets is one more byte, or more:
//
//     0..3     the client whose moves follow
//     o w      it comes, over a WebSocket; it is lost
//     c[..] d[.]   CONNECT, DISCONNECT of a namespace
//     e[...]   an event, with a wish for an ack or without, with attachments or without
//     k[..]    the answer to something that the server has asked
//     x..\n b..\n   any text, any bytes
//     s[..]    the program acts: emits, asks, has sockets join, leave, go...
//     n[.] r[.]    a middleware or predicate that was asked answers; so does a handler with its reply
//     t[.]     time passes
//
// Any other byte is a letter, too. Handlers of events do what their names say: see set_up().
//
// Held: each packet to a client can be decoded, its attachments follow at once, and it is of a namespace that the
// client has joined; each CONNECT is answered at most once, and so is each wish for an ack, if there was one.
// A socket connects once, is disconnecting, then disconnected, once; nothing is handled before and after. Each
// question is completed once, in the end all are. Rooms and sockets agree on who is where; who left is in no
// room. In the end nobody is there, and as many sockets have left as have joined.
#pragma once

#include "fuzz.hpp"

#include <map>
#include <set>
#include <stdexcept>

namespace fuzz::server {

namespace eio = sio::engineio;
using sio::json;
using sio::Milliseconds;
using sio::Reason;
using sio::socketio::PacketType;

inline constexpr sio::ClientToServer<"add", int(int, int)> add{};
inline constexpr sio::ClientToServer<"blob", sio::Bytes(sio::Bytes)> blob{};
inline constexpr sio::ServerToClient<"how old", int(std::string)> how_old{};

/// Reaches the engine of a server, which nobody else may.
struct Inside : sio::Host {
  static eio::Engine& engine(sio::Host& host) { return host.*&Inside::engine_; }
};

/// A client: its WebSocket, and what it knows.
class Client final : public eio::Peer {
 public:
  explicit Client(bool recovers) : recovers_(recovers) {}

  void answer(std::uint32_t, const eio::Answer&) override { holds(false, "a WebSocket gets no answers"); }
  void cut() override { holds(false, "a WebSocket is not cut"); }
  void wake() override { holds(false, "a WebSocket is not woken"); }
  std::size_t queued() const override { return stalled ? 1 : 0; }
  void send_close(Reason, std::string_view) override {
    holds(!std::exchange(closed, true), "a WebSocket is closed once");
  }
  void send(const eio::MessageRef& message) override {
    holds(!closed, "nothing is sent on a closed WebSocket");
    if (message->is_binary()) return holds(due_ > 0, "binary follows a packet that announced it"), void(--due_);
    const auto text = message->payload();
    holds(due_ == 0 && !text.empty() && is_utf8(text), "a text comes when all attachments have come");
    if (text[0] == '4') hear(text.substr(1));
    else holds(text[0] == '0' || text[0] == '2', "a packet is one that there is", {text});
  }

  struct Membership {
    int asked = 0, joined = 0;
    std::string pid, offset;
  };
  std::map<std::string, Membership, std::less<>> nsps;
  std::multiset<double> wished;                          // acks
  std::vector<std::pair<std::string, double>> asked_of;  // what the server wants to know
  sio::Ref<eio::Session> session;
  bool closed = false, stalled = false;

 private:
  void hear(std::string_view text) {
    sio::socketio::Decoder decoder({100, {}});
    sio::socketio::Packet packet;
    const char* why = decoder.decode(text, packet);
    holds(!why, "a server's packet can be decoded", {text, why ? why : ""});
    due_ = packet.attachments;
    auto& member = nsps[std::string(packet.nsp)];
    switch (packet.type) {
      case PacketType::connect: return joined(member, packet);
      case PacketType::connect_error: return holds(member.asked-- > 0, "a CONNECT_ERROR is an answer", {text});
      case PacketType::disconnect:
        return holds(member.joined-- > 0, "a DISCONNECT is of a namespace that was joined", {text});
      case PacketType::ack:
      case PacketType::binary_ack: return acknowledged(packet, text);
      default: return event(member, packet, text);
    }
  }
  void acknowledged(const sio::socketio::Packet& packet, std::string_view text) {
    const auto wish = packet.id ? wished.find(*packet.id) : wished.end();
    holds(wish != wished.end(), "an ack was asked for, and comes once", {text});
    wished.erase(wish);
  }
  static void joined(Membership& member, const sio::socketio::Packet& packet) {
    holds(member.asked-- > 0 && ++member.joined > 0, "a CONNECT is an answer", {packet.json});
    const auto body = sio::socketio::parse(packet.json);
    holds(body.contains("sid"), "a CONNECT says who one is", {packet.json});
    if (body.contains("pid")) member.pid = body["pid"].get<std::string>();
  }
  void event(Membership& member, const sio::socketio::Packet& packet, std::string_view text) {
    // A server's DISCONNECT is out before its handlers run; what comes before a CONNECT's answer was missed, or is a
    // middleware's.
    const bool early = member.asked > 0 && (recovers_ || packet.name == "early");
    holds(member.joined > 0 || early, "an event is of a namespace that was joined", {text});
    if (packet.id) asked_of.emplace_back(packet.nsp, *packet.id);
    const bool stamped = recovers_ && !packet.id && packet.elements.size() > 1 && packet.elements.back().front() == '"';
    if (stamped) member.offset = sio::socketio::parse(packet.elements.back()).get<std::string>();
  }

  std::uint32_t due_ = 0;
  bool recovers_;
};

inline sio::Options options_of(std::uint8_t knobs) {
  sio::Options options;
  options.log_level = sio::LogLevel::off;
  if (knobs & 1)
    options.connection_state_recovery = {
        .max_disconnection_duration = sio::Seconds(60), .max_packets = 5, .max_sessions = 2};
  if (knobs & 2)
    options.max_namespaces = 2, options.max_outstanding_acks = 2, options.max_attachments = 2,
    options.max_child_namespaces = 2;
  if (knobs & 4) options.cleanup_empty_child_namespaces = true;
  return options;
}

class World {
 public:
  explicit World(std::uint8_t knobs)
      : knobs_(knobs), io_(std::make_unique<sio::Server>(options_of(knobs))), engine_(&Inside::engine(*io_)) {
    now_ =
        std::chrono::steady_clock::now();  // which is what the server takes for the time in turns that it makes itself
    engine_->advance(now_);
    set_up(*io_);
    set_up(io_->of("/a"));
    dynamic_ = &io_->of([](std::string_view name, const json& auth) {
      return auth.contains("no") ? throw std::runtime_error("no") : name.starts_with("/dyn");
    });
    set_up(*dynamic_);
    set_up(io_->of([this](std::string_view name, const json&, std::function<void(bool)> answer) {
      name.starts_with("/later") ? late_.push_back([answer](bool good) { answer(good); }) : answer(false);
    }));
    io_->of("/a").use([this](sio::Socket& socket, sio::Next next) {
      const auto& auth = socket.handshake().auth();
      if (auth.contains("later"))
        return late_.push_back([next](bool good) { good ? next(sio::accept) : next(sio::refuse("later")); });
      if (auth.contains("early")) socket.join("early"), socket.emit("early");
      if (auth.contains("throw")) throw std::runtime_error("middleware");
      auth.contains("no") ? next(sio::refuse("no", {{"why", "\xff"}})) : next();
    });
  }

  void play(Input& program) {
    for (int moves = 0; moves < 300 && !program.empty(); ++moves) {
      engine_->advance(now_);
      move(program);
      poll();
    }
    finish();
  }

 private:
  static constexpr std::array letters{'o', 'w', 'c', 'd', 'e', 'k', 'x', 'b', 's', 'n', 'r', 't',
                                      '0', '1', '2', '3', 'e', 'e', 'c', 's', 'e', 'k', 's'};
  static constexpr std::array<std::string_view, 8> names{"/", "/a", "/dyn1", "/dyn2", "/later", "/none", "/", "/a"};
  static constexpr std::array<std::string_view, 4> rooms{"red", "blue", "", "early"};

  struct Life {
    bool live = false, leaving = false;
  };

  // ---- the application

  template <class Nsp>
  void set_up(Nsp& nsp) {
    using Arguments = json::array_t;
    nsp.on_connection([this](sio::Socket& socket) {
      auto& life = lives_[socket.id()];
      holds(!life.live && socket.connected(), "a socket connects once");
      life = {true, false};
      if (socket.handshake().auth().contains("bye")) socket.disconnect(socket.handshake().auth()["bye"].is_null());
    });
    nsp.on_disconnecting([this](sio::Socket& socket, const sio::Disconnect&) {
      auto& life = lives_[socket.id()];
      holds(life.live && !life.leaving && !socket.connected() && !socket.rooms().empty(),
            "a socket leaves once, and its rooms are there");
      life.leaving = true;
      socket.join("too late");
      socket.emit("leaving");
      socket.disconnect(socket.handshake().auth().contains("bye"));
    });
    nsp.on_disconnect([this](sio::Socket& socket, const sio::Disconnect&) {
      auto& life = lives_[socket.id()];
      holds(life.live && life.leaving && !socket.connected() && socket.rooms().empty(),
            "a socket is disconnected once, and in no room");
      life = {};
      socket.to("red").emit("left", socket.id());
      ask(socket);
    });
    nsp.on_any([this](sio::Socket& socket, std::string_view, const auto&) { handled(socket); });
    if (knobs_ & 8)
      nsp.on_any_outgoing([](sio::Socket&, std::string_view name, const sio::socketio::Arguments& arguments) {
        holds(is_utf8(name) && arguments.values().size() < 100'000, "what goes out is seen");
      });

    nsp.on(add, [this](sio::Socket& socket, int a, int b) { return handled(socket), a / 2 + b / 2; });
    nsp.on(blob, [this](sio::Socket& socket, const sio::Bytes& bytes) {
      return handled(socket), socket.broadcast().emit("blob", bytes), bytes;
    });
    nsp.on("echo", [this](sio::Socket& socket, const Arguments& arguments, sio::Reply<> reply) {
      handled(socket);
      reply(sio::each(arguments));
      reply("twice");
      socket.emit("echo", sio::each(arguments));
    });
    nsp.on("join", [this](sio::Socket& socket, const Arguments& arguments) {
      handled(socket);
      const auto room = arguments.empty() || !arguments[0].is_string() ? "red" : arguments[0].get<std::string>();
      socket.join(room);
      const auto all = socket.rooms();
      holds(std::find(all.begin(), all.end(), room) != all.end(), "who joined a room is in it");
    });
    nsp.on("leave", [this](sio::Socket& socket, const Arguments&) {
      handled(socket), socket.leave("red"), socket.leave("never there");
    });
    nsp.on("all", [this](sio::Socket& socket, const Arguments& arguments) {
      handled(socket);
      socket.nsp().emit("all", sio::each(arguments));
      socket.to({"red", "blue"}).except("early").emit("some", 1);
    });
    nsp.on("bye", [this](sio::Socket& socket, const Arguments&, sio::Reply<> reply) {
      handled(socket), reply(1), socket.disconnect(), socket.emit("after"), reply(2);
    });
    nsp.on("end", [this](sio::Socket& socket, const Arguments&) {
      handled(socket), socket.disconnect(true), socket.disconnect(true);
    });
    nsp.on("throw",
           [this](sio::Socket& socket, const Arguments&) { handled(socket), throw std::runtime_error("a handler"); });
    nsp.on("keep", [this](sio::Socket& socket, const Arguments&, sio::Reply<> reply) {
      handled(socket), replies_.push_back(reply), kept_.push_back(socket);
    });
    nsp.on("ask", [this](sio::Socket& socket, const Arguments&) { handled(socket), ask(socket); });
    nsp.on("own", [this](sio::Socket& socket, const Arguments&) {
      handled(socket);
      socket.use([this](sio::Socket& its, std::string_view, const sio::socketio::Arguments& arguments, sio::Next next) {
        handled(its);
        if (arguments.size() > 1)
          return late_.push_back([next](bool good) { good ? next(sio::accept) : next(sio::refuse("event")); });
        next();
      });
      socket.on_error([this](sio::Socket& its, const sio::Refuse&) { handled(its); });
      socket.once("echo", [this](sio::Socket& its, const Arguments&) { handled(its), its.off(); });
    });
  }

  void handled(const sio::Socket& socket) const {
    const auto life = lives_.find(socket.id());
    holds(life != lives_.end() && life->second.live && socket.connected(), "what is handled is a connected socket's");
  }

  /// Asks a client; the answer must come once, whatever it is.
  auto answered() {
    questions_.push_back(0);
    return [this, number = questions_.size() - 1](std::error_code, auto&&...) {
      holds(++questions_[number] == 1, "a question is completed once");
    };
  }
  void ask(const sio::Socket& socket) {
    if (questions_.size() > 200) return;
    socket.timeout(Milliseconds(500)).emit(how_old, "x", answered());
    socket.emit_with_ack("ask", 1, answered());
  }

  // ---- moves

  void move(Input& program) {
    const char byte = static_cast<char>(program.byte());
    const bool known = std::find(letters.begin(), letters.end(), byte) != letters.end();
    const char letter = known ? byte : letters[static_cast<std::uint8_t>(byte) % letters.size()];
    if (letter >= '0' && letter <= '3') return void(who_ = static_cast<std::size_t>(letter - '0'));
    if (letter == 'o') return come();
    if (letter == 's') return act(program);
    if (letter == 'n') return answer_late(program.byte());
    if (letter == 'r') return answer_reply(program.byte());
    if (letter == 't') return pass(program);
    if (!clients_[who_] || clients_[who_]->closed) return;
    Client& client = *clients_[who_];
    switch (letter) {
      case 'w': return lose(client);
      case 'c': return connect(client, program);
      case 'd': return disconnect(client, program);
      case 'e': return emit(client, program);
      case 'k': return answer(client, program);
      case 'x': return say(client, program.until('\n'), false);
      default: return say(client, program.until('\n'), true);
    }
  }

  void come() {
    auto& client = clients_[who_];
    if (client && !client->closed) return;
    auto fresh = std::make_unique<Client>(knobs_ & 1);
    if (client)  // what it remembers, to come back as who it was
      for (const auto& [name, member] : client->nsps) fresh->nsps[name] = {0, 0, member.pid, member.offset};
    sio::http::Request request;
    request.method = "GET";
    request.target = "/socket.io/?EIO=4&transport=websocket";
    request.headers = {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}};
    request.query.read("EIO=4&transport=websocket", 9);
    if (engine_->judge(request).act != eio::Verdict::Act::open_websocket)
      return holds(closing_, "a client may come unless the server closes");
    client = std::move(fresh);
    client->session = engine_->open(request, client.get());
  }
  void lose(Client& client) {
    client.closed = true;
    client.session->channel_lost(client, Reason::transport_close, "");
  }
  void pass(Input& program) {
    constexpr std::array<int, 8> times{1, 100, 500, 1000, 20'000, 30'000, 45'000, 61'000};
    now_ += Milliseconds(program.one_of(times));
    engine_->tick(now_);
  }
  void poll() {
    io_->loop().restart();
    io_->loop().poll();
    engine_->advance(now_);
    for (const auto* name : {"/", "/a"}) check_rooms(io_->of(name));
  }
  /// Rooms know who is in them, and sockets in which rooms they are.
  static void check_rooms(const sio::Namespace& nsp) {
    std::size_t here = 0, there = 0;
    for (const auto& socket : nsp.sockets())
      for (const auto& room : socket.rooms()) {
        const auto members = nsp.in(room).sockets();
        holds(std::count(members.begin(), members.end(), socket) == 1, "who is in a room is found in it, once", {room});
        ++here;
      }
    for (const auto& room : nsp.adapter().rooms()) there += nsp.adapter().room_size(room);
    holds(here == there, "a room holds those who are in it, and nobody else");
  }

  /// A message of the client's; what it is entitled to by it is kept in mind.
  void say(Client& client, std::string_view bytes, bool binary) {
    if (client.closed) return;
    const Exact memory(binary ? std::string(bytes) : "4" + sio::bytes::utf8_repair(bytes));
    sio::socketio::Decoder decoder({});
    sio::socketio::Packet packet;
    const bool good = !binary && !decoder.decode(memory.view().substr(1), packet);
    if (good && packet.id && *packet.id >= 1e21) return;  // its ack would be written as 1e+21, as the reference does
    auto* member = good ? &client.nsps[packet.nsp.size() < 2 ? "/" : std::string(packet.nsp)] : nullptr;
    if (good && packet.type == PacketType::connect) ++member->asked;
    if (good && packet.is_event() && packet.id) client.wished.insert(*packet.id);
    client.session->frame(client, memory.view(), binary);
    if (good && packet.type == PacketType::disconnect && member->joined > 0) --member->joined;
  }
  static std::string head(char type, std::string_view nsp) { return type + (nsp == "/" ? "" : std::string(nsp) + ","); }

  void connect(Client& client, Input& program) {
    const auto nsp = program.one_of(names);
    const auto what = program.byte();
    constexpr std::array<std::string_view, 8> auths{
        "", "{}", "{\"no\":1}", "{\"later\":1}", "{\"early\":1}", "{\"throw\":1}", "{\"bye\":1}", "{\"bye\":null}"};
    std::string auth(auths[what & 7]);
    auto& member = client.nsps[std::string(nsp)];
    if (what & 8 && !member.pid.empty()) auth = json{{"pid", member.pid}, {"offset", member.offset}}.dump();
    say(client, head('0', nsp) + auth, false);
  }
  void disconnect(Client& client, Input& program) { say(client, head('1', program.one_of(names)), false); }
  void emit(Client& client, Input& program) {
    constexpr std::array<std::string_view, 15> events{"echo", "join",  "leave",    "all",  "bye",
                                                      "end",  "throw", "keep",     "ask",  "own",
                                                      "add",  "blob",  "nobody's", "echo", "join"};
    constexpr std::array<std::string_view, 8> arguments{"",      ",1,2", ",\"blue\"",    ",{\"a\":[1,{}]}",
                                                        ",null", ",1.5", ",\"\\ud83d\"", ",1e400"};
    const auto nsp = program.one_of(names);
    const auto event = program.one_of(events);
    const auto how = program.byte();
    std::string text = "[\"" + std::string(event) + "\"" + std::string(arguments[how & 7]);
    const std::size_t attachments = how & 0x40 ? 1 + (how >> 4 & 1) : 0;
    for (std::size_t i = 0; i < attachments; ++i) text += ",{\"_placeholder\":true,\"num\":" + std::to_string(i) + "}";
    const std::string id = how & 8 ? std::to_string(++ids_) : "";
    say(client,
        attachments
            ? "5" + std::to_string(attachments) + "-" + (nsp == "/" ? "" : std::string(nsp) + ",") + id + text + "]"
            : head('2', nsp) + id + text + "]",
        false);
    for (std::size_t i = 0; i < attachments; ++i) say(client, "bytes", true);
  }
  void answer(Client& client, Input& program) {
    if (client.asked_of.empty()) return;
    const auto at = client.asked_of.begin() + static_cast<std::ptrdiff_t>(program.below(client.asked_of.size()));
    const auto [nsp, id] = *at;
    const auto how = program.byte();
    if (!(how & 1)) client.asked_of.erase(at);
    constexpr std::array<std::string_view, 4> answers{"[7]", "[\"seven\"]", "[]", "[1,2]"};
    say(client, head('3', nsp) + std::to_string(static_cast<long long>(id)) + std::string(answers[how >> 1 & 3]),
        false);
  }

  void answer_late(std::uint8_t how) {
    if (late_.empty()) return;
    const auto at = late_.begin() + static_cast<std::ptrdiff_t>((how >> 1) % late_.size());
    const auto late = *at;
    if (!(how & 0x80)) late_.erase(at);  // else it answers again
    late(how & 1);
  }
  void answer_reply(std::uint8_t how) {
    if (replies_.empty()) return;
    replies_[how % replies_.size()](how);
  }

  void act(Input& program) {
    const auto what = program.byte(), how = program.byte();
    auto& nsp = how & 1 ? io_->of("/a") : how & 2 ? *dynamic_ : io_->of("/");
    const auto room = std::string(rooms[how >> 2 & 3]);
    const auto some = room.empty() ? nsp.except("blue") : nsp.to(room);
    const auto sockets = nsp.sockets();
    const bool ours = how & 16 && !kept_.empty();
    const auto one = ours              ? std::optional(kept_[how % kept_.size()])
                     : sockets.empty() ? std::nullopt
                                       : std::optional(sockets[how % sockets.size()]);
    switch (what % 18) {
      case 0: return nsp.emit("news", 1, "x");
      case 1: return some.emit("news", sio::Bytes{1, 2, 3}, json{{"bytes", json::binary({4, 5})}});
      case 2: return nsp.volatile_().emit("volatile");
      case 3: return some.disconnect_sockets(how & 32);
      case 4: return some.sockets_join({"red", "blue"});
      case 5: return some.sockets_leave("red");
      case 6:
        return nsp.fetch_sockets(
            [this, ended = answered()](std::error_code error, const std::vector<sio::RemoteSocket>& all) mutable {
              ended(error);
              if (!io_) return;
              for (const auto& remote : all) remote.join("blue"), remote.emit("fetched", remote.handshake);
            });
      case 7:
        if (questions_.size() < 200) nsp.timeout(Milliseconds(700)).emit(how_old, "all", answered());
        return;
      case 8:
        if (questions_.size() < 200) some.emit_with_ack("ask", 1, answered());
        return;
      case 9:
        if (one) ask(*one);
        return;
      case 10:
        if (one) one->disconnect(how & 32);
        return;
      case 11:
        if (one) one->emit("to one", 1), one->volatile_().emit("volatile"), one->to("red").emit("from one");
        return;
      case 12:
        if (one) one->join(room.empty() ? one->id() : room), kept_.push_back(*one);
        return;
      case 13:
        if (one && one->conn()) one->conn()->close();
        return;
      case 14:
        if (clients_[who_]) clients_[who_]->stalled = !clients_[who_]->stalled;
        return;
      case 15: return nsp.server_side_emit("nobody", 1);
      case 16:
        if (how > 250) closing_ = true, io_->close();
        return;
      default:
        if (!sockets.empty())
          holds(nsp.find(sockets[0].id()).has_value() || how & 2, "a socket that is there is found");
        return;
    }
  }

  // ---- the end

  void finish() {
    for (auto& client : clients_)
      if (client && !client->closed) how_it_ends_++ % 2 ? client->session->close() : lose(*client);
    poll();
    now_ += std::chrono::minutes(10);
    engine_->tick(now_);
    poll();
    for (const auto& [id, life] : lives_) holds(!life.live, "in the end every socket has left", {id});
    for (const int completed : questions_) holds(completed == 1, "in the end every question is completed");
    const auto& counters = io_->counters();
    const bool even =
        counters.sockets_joined == counters.sockets_left && counters.sessions_opened == counters.sessions_closed;
    holds(io_->clients_count() == 0 && even, "in the end as many have left as have come");
    for (const auto* name : {"/", "/a"})
      holds(io_->of(name).size() == 0 && io_->of(name).adapter().rooms().empty(),
            "in the end nobody is in a namespace, or in a room");
    if (!(knobs_ & 16)) kept_.clear(), replies_.clear(), late_.clear();
    for (auto& client : clients_) client.reset();
    dynamic_ = nullptr;
    io_.reset();
    for (const auto& socket : kept_)
      socket.emit("nobody"),
          holds(socket.rooms().empty() && !socket.conn(), "a handle that is kept past its server is inert");
    for (const auto& reply : replies_) reply(1);
    for (const auto& late : late_) late(true);
  }

  std::uint8_t knobs_;
  std::map<std::string, Life, std::less<>> lives_;  // by a socket's id
  std::vector<int> questions_;                      // how often each was completed
  std::array<std::unique_ptr<Client>, 4> clients_;
  std::unique_ptr<sio::Server> io_;
  eio::Engine* engine_;
  sio::Namespace* dynamic_ = nullptr;
  std::vector<std::function<void(bool)>> late_;
  std::vector<sio::Reply<>> replies_;
  std::vector<sio::Socket> kept_;
  eio::Time now_{};
  std::size_t who_ = 0;
  unsigned ids_ = 0, how_it_ends_ = 0;
  bool closing_ = false;
};

inline void run(std::string_view bytes) {
  Input input(bytes);
  World world(input.byte());
  world.play(input);
}

}  // namespace fuzz::server
