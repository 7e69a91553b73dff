// The load client of the storm tests: thousands of Socket.IO clients in one process, on Linux's sockets and epoll
// alone. It shares no code with sio_demo.hpp, so that it is a second opinion on the protocol.
//
//     storm MODE PORT [OPTION VALUE]...        the server is 127.0.0.1:PORT; storm.py starts both
//
//     storm      --clients N connect at once, at most --window of them in the handshake at a time; each joins "/" and
//                has an `echo` acked; all are held for --beats heartbeats, and have to answer once more after them
//     avalanche  as above, then prints "ready" and waits for the server to go; the clients come back with the delays
//                of the official client and have to be served again; ends at a line on standard input
//     jitter     --clients N, with connection state recovery, lose their connections again and again for 1 to 5 s,
//                while the server broadcasts ten numbered events a second for --seconds
//     churn      --sessions N in --rounds rounds, --at-a-time at a time, each ended in one of the ways of `endings`;
//                waits for a line on standard input after each round
//     comeback   the same, but each is cut off and comes back 100 times with its state
//
// Every report is a line of JSON on standard output, whose "what" tells which. Source addresses are spread over
// 127.0.0.1 to 127.0.0.--sources, because one has only 28,232 ports.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Ms = std::chrono::milliseconds;

std::mt19937& randomness() {
  static std::mt19937 generator{std::random_device{}()};
  return generator;
}
double between(double least, double most) { return std::uniform_real_distribution<double>(least, most)(randomness()); }
Ms ms_between(double least, double most) { return Ms(static_cast<Ms::rep>(between(least, most))); }
double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

// ---- The command line, and what is printed ---------------------------------------------------------------

struct Settings {
  std::string mode;
  std::uint16_t port = 0;
  std::map<std::string, unsigned> numbers{{"--clients", 18'000},  {"--window", 2'000}, {"--sources", 4},
                                          {"--beats", 3},         {"--seconds", 30},   {"--patience", 120},
                                          {"--sessions", 50'000}, {"--rounds", 10},    {"--at-a-time", 500}};
  unsigned operator[](const char* name) const { return numbers.at(name); }
} settings;

/// A line of JSON: say("round", {{"number", 1}}).
void say(std::string_view what, const std::vector<std::pair<std::string, double>>& values,
         const std::map<std::string, unsigned>& failures = {}) {
  std::string line = "{\"what\":\"" + std::string(what) + "\"";
  std::array<char, 64> number{};
  for (const auto& [name, value] : values) {
    std::snprintf(number.data(), number.size(), "%.10g", value);
    line += ",\"" + name + "\":" + number.data();
  }
  line += ",\"failures\":{";
  const char* comma = "";
  for (const auto& [kind, times] : failures)
    line += std::exchange(comma, ",") + ("\"" + kind + "\":" + std::to_string(times));
  std::printf("%s}}\n", line.c_str());
  std::fflush(stdout);
}

/// The text of a string member of a flat JSON object, where neither holds escapes: ids and offsets.
std::string member(std::string_view json, std::string_view name) {
  const std::string key = "\"" + std::string(name) + "\":\"";
  const auto begin = json.find(key);
  if (begin == json.npos) return "";
  const auto end = json.find('"', begin + key.size());
  return std::string(json.substr(begin + key.size(), end - begin - key.size()));
}

unsigned number_at(std::string_view text, std::size_t position) {
  unsigned number = 0;
  if (position < text.size()) std::from_chars(text.data() + position, text.data() + text.size(), number);
  return number;
}

unsigned number_member(std::string_view json, std::string_view name) {
  const auto begin = json.find("\"" + std::string(name) + "\":");
  return begin == json.npos ? 0 : number_at(json, begin + name.size() + 3);
}

// ---- The loop: descriptors and timers ----------------------------------------------------------------------

class Link;

class Loop {
 public:
  Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

  /// Calls f later, unless what `alive` refers to is gone by then.
  void after(Clock::duration delay, const std::shared_ptr<char>& alive, std::function<void()> f) {
    timers_.push({Clock::now() + delay, ++last_id_, alive, std::move(f)});
  }
  void run() {
    for (stopped_ = false; !stopped_;) turn();
  }
  void stop() { stopped_ = true; }

  // ---- for Link: its descriptor is known by a number that is never used again, so that a late event of a closed one
  // finds nobody.
  std::uint64_t add(int descriptor, Link* link) {
    links_.emplace(++last_id_, link);
    control(EPOLL_CTL_ADD, descriptor, last_id_, true);
    return last_id_;
  }
  void want(int descriptor, std::uint64_t id, bool to_write) { control(EPOLL_CTL_MOD, descriptor, id, to_write); }
  void remove(std::uint64_t id) { links_.erase(id); }

 private:
  struct Timer {
    Clock::time_point when;
    std::uint64_t id;
    std::weak_ptr<char> alive;
    std::function<void()> call;
    bool operator<(const Timer& other) const { return std::pair(when, id) > std::pair(other.when, other.id); }
  };

  void control(int operation, int descriptor, std::uint64_t id, bool to_write) const {
    epoll_event event{};
    event.events = EPOLLIN | (to_write ? EPOLLOUT : 0U);
    event.data.u64 = id;
    epoll_ctl(epoll_, operation, descriptor, &event);
  }
  void turn();
  void call_timers() {
    const auto now = Clock::now();
    while (!timers_.empty() && timers_.top().when <= now && !stopped_) {
      const Timer timer = timers_.top();
      timers_.pop();
      if (const auto alive = timer.alive.lock()) timer.call();
    }
  }

  int epoll_;
  bool stopped_ = false;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, Link*> links_;
  std::priority_queue<Timer> timers_;
} loop;

// ---- TCP -----------------------------------------------------------------------------------------------------

/// A TCP connection. Whoever owns it must not destroy it in one of its calls.
class Link {
 public:
  std::function<void()> on_connected, on_received;       // what came is in `in`
  std::function<void(const std::string& why)> on_ended;  // by the other side; not after close() and abort()
  std::string in;

  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() { close(); }

  bool open() const { return descriptor_ >= 0; }

  void connect() {
    close();
    in.clear(), out_.clear();
    connecting_ = true;
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor_ < 0) return later_ended("socket: " + std::string(std::strerror(errno)));
    const int on = 1;  // the port is chosen when the whole of the address is known, and may be that of another target
    setsockopt(descriptor_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    static std::uint32_t source = 0;
    const auto from = address(1 + source++ % settings["--sources"], 0), to = address(1, settings.port);
    if (::bind(descriptor_, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0)
      return later_ended("bind: " + std::string(std::strerror(errno)));
    if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS)
      return later_ended(std::strerror(errno));
    id_ = loop.add(descriptor_, this);
  }

  void send(std::string_view bytes) {
    if (!open()) return;
    const bool waits = !out_.empty() || connecting_;
    out_ += bytes;
    if (!waits) flush();
  }
  /// No more from us (FIN); what the other side sends is still read.
  void finish() const { ::shutdown(descriptor_, SHUT_WR); }
  /// Cut off without a word (RST).
  void abort() {
    const linger now{1, 0};
    if (open()) setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  void close() {
    if (id_) loop.remove(std::exchange(id_, 0));
    if (open()) ::close(std::exchange(descriptor_, -1));
  }

  void ready(std::uint32_t events) {
    if (connecting_) return connected();
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read();
    if (open() && (events & EPOLLOUT)) flush();
  }

 private:
  static sockaddr_in address(std::uint32_t last_byte, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(0x7f000000U + last_byte);
    return address;
  }
  void connected() {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) return ended(std::strerror(error));
    connecting_ = false;
    if (on_connected) on_connected();
    if (open()) flush();
  }
  void read() {
    static std::array<char, 65536> buffer;
    const auto size = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) return ended(size == 0 ? "connection closed" : std::strerror(errno));
    in.append(buffer.data(), static_cast<std::size_t>(size));
    if (on_received) on_received();
  }
  void flush() {
    if (!out_.empty()) {
      const auto size = ::send(descriptor_, out_.data(), out_.size(), MSG_NOSIGNAL);
      if (size < 0 && errno != EAGAIN) return;  // read() is told why
      if (size > 0) out_.erase(0, static_cast<std::size_t>(size));
    }
    loop.want(descriptor_, id_, !out_.empty());
  }
  void ended(std::string why) {
    close();
    if (on_ended) on_ended(why);
  }
  void later_ended(std::string why) {  // not within connect()
    loop.after(0ms, alive_, [this, why = std::move(why)] { ended(why); });
  }

  int descriptor_ = -1;
  std::uint64_t id_ = 0;
  bool connecting_ = false;
  std::string out_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

void Loop::turn() {
  auto wait = 1000ms;
  if (!timers_.empty()) wait = std::clamp(std::chrono::ceil<Ms>(timers_.top().when - Clock::now()), 0ms, wait);
  std::array<epoll_event, 512> events;
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), static_cast<int>(wait.count()));
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    if (const auto link = links_.find(event.data.u64); link != links_.end()) link->second->ready(event.events);
  }
  call_timers();
}

// ---- HTTP ------------------------------------------------------------------------------------------------------

/// Requests over one connection, one after the other.
class Http {
 public:
  std::function<void(const std::string& why)> on_ended;

  Http() {
    link.on_received = [this] { received(); };
    link.on_ended = [this](const std::string& why) {
      waiting_.clear();
      if (on_ended) on_ended(why);
    };
  }

  using Answer = std::function<void(unsigned status, const std::string& body)>;
  void get(const std::string& target, Answer answer) {
    request("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n", std::move(answer));
  }
  void post(const std::string& target, const std::string& body, Answer answer) {
    request("POST " + target +
                " HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body,
            std::move(answer));
  }

  Link link;

 private:
  void request(const std::string& text, Answer answer) {
    waiting_.push_back(std::move(answer));
    if (!link.open()) link.connect();
    link.send(text);
  }
  void received() {
    while (!waiting_.empty() && link.open()) {
      const auto head = link.in.find("\r\n\r\n");
      if (head == link.in.npos) return;
      std::string lower = link.in.substr(0, head);
      std::transform(lower.begin(), lower.end(), lower.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      const auto length = lower.find("content-length: ");
      const auto size = length == lower.npos ? 0 : number_at(lower, length + 16);
      if (link.in.size() < head + 4 + size) return;
      const std::string body = link.in.substr(head + 4, size);
      link.in.erase(0, head + 4 + size);
      const Answer answer = std::move(waiting_.front());
      waiting_.pop_front();
      if (answer) answer(number_at(lower, 9), body);
    }
  }

  std::deque<Answer> waiting_;
};

// ---- WebSocket (RFC 6455) ------------------------------------------------------------------------------------

class WebSocket {
 public:
  std::function<void()> on_open;
  std::function<void(std::string_view text)> on_text;
  std::function<void(const std::string& why)> on_ended;

  WebSocket() {
    link.on_received = [this] { received(); };
    link.on_ended = [this](const std::string& why) {
      const bool in_order = std::exchange(closing_, false);
      if (on_ended) on_ended(in_order ? "close frame" : upgraded_ ? why : "handshake: " + why);
    };
  }

  void connect(const std::string& target) {
    upgraded_ = closing_ = false;
    link.connect();
    link.send("GET " + target +
              " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  }
  void send(std::string_view text) { frame(1, text); }
  void send_close() { frame(8, "\x03\xe8"); }
  bool upgraded() const { return upgraded_; }

  Link link;

 private:
  void frame(unsigned opcode, std::string_view payload) {
    const auto size = payload.size();
    std::string out{static_cast<char>(0x80U | opcode)};
    if (size < 126) out += static_cast<char>(0x80U | size);
    else out += {static_cast<char>(0xfe), static_cast<char>(size >> 8U), static_cast<char>(size)};
    const auto mask = randomness()();
    for (unsigned i = 0; i < 4; ++i) out += static_cast<char>(mask >> 8U * i);
    for (std::size_t i = 0; i < size; ++i)
      out += static_cast<char>(static_cast<unsigned char>(payload[i]) ^ (mask >> 8U * (i % 4)));
    link.send(out);
  }

  void received() {
    if (!upgraded_ && !handshake()) return;
    std::size_t used = 0;
    while (link.open()) {
      const std::string_view rest = std::string_view(link.in).substr(used);
      const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(rest[i])); };
      if (rest.size() < 2) break;
      if (byte(1) & 0x80U) return broken("masked frame");
      std::size_t size = byte(1), head = 2;
      if (size == 126) head = 4;
      if (size == 127) head = 10;
      if (rest.size() < head) break;
      if (head > 2) size = 0;
      for (std::size_t i = 2; i < head; ++i) size = size << 8U | byte(i);
      if (rest.size() < head + size) break;
      used += head + size;
      got(byte(0), rest.substr(head, size));
    }
    if (link.open()) link.in.erase(0, used);  // else it was cleared, or belongs to the next connection
  }

  void got(std::size_t first, std::string_view payload) {
    if (first == 0x81) return on_text(payload);
    if (first == 0x89) return frame(10, payload);
    if (first == 0x8a) return;
    if (first != 0x88) return broken("unexpected frame");
    if (!std::exchange(closing_, true)) frame(8, payload.substr(0, 2));
  }
  void broken(const std::string& why) {
    link.close();
    if (on_ended) on_ended(why);
  }

  bool handshake() {
    const auto end = link.in.find("\r\n\r\n");
    if (end == link.in.npos) return false;
    const std::string head = link.in.substr(0, end);
    if (!head.starts_with("HTTP/1.1 101 ") ||
        head.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == head.npos) {  // RFC 6455, 1.3
      broken("handshake: status " + std::to_string(number_at(head, 9)));
      return false;
    }
    link.in.erase(0, end + 4);
    upgraded_ = true;
    if (on_open) on_open();
    return link.open();
  }

  bool upgraded_ = false, closing_ = false;
};

// ---- Socket.IO over a WebSocket --------------------------------------------------------------------------------

/// One client of the namespace "/": Engine.IO 4's open, ping and pong, Socket.IO 5's packets as texts.
class SocketIo {
 public:
  std::function<void()> on_session = [this] { join(); };   // Engine.IO's handshake is through
  std::function<void(std::string_view answer)> on_joined;  // {"sid":...}
  std::function<void(std::string_view error)> on_refused;  // {"message":...}
  std::function<void(std::string_view event)> on_event;    // ["name",...]
  std::function<void(std::string_view arguments)> on_ack;  // of the last one that was asked for
  std::function<void(const std::string& why)> on_ended;
  std::string auth;         // what CONNECT carries
  bool mute = false;        // answers no ping
  std::string pid, offset;  // for connection state recovery
  bool recovered = false;   // whether the last CONNECT was answered with the same pid
  unsigned pings = 0;
  Ms beat{0};  // ping interval and time-out together

  SocketIo() {
    socket.on_text = [this](std::string_view text) { packet(text); };
    socket.on_ended = [this](const std::string& why) {
      if (on_ended) on_ended(why);
    };
  }

  void connect(const std::string& target = "/socket.io/?EIO=4&transport=websocket") {
    pings = 0;
    socket.connect(target);
  }
  void join() { socket.send("40" + auth); }
  /// Joins as who it was, if it was somebody.
  void join_again() {
    if (!pid.empty())
      auth = "{\"pid\":\"" + pid + "\"" + (offset.empty() ? "" : ",\"offset\":\"" + offset + "\"") + "}";
    join();
  }
  void send(std::string_view packet) { socket.send(packet); }
  Clock::time_point heard() const { return heard_; }

  WebSocket socket;

 private:
  void packet(std::string_view text) {
    const auto is = [&](std::string_view type) { return text.starts_with(type); };
    if (is("0{")) {
      beat = Ms(number_member(text, "pingInterval") + number_member(text, "pingTimeout"));
      heard_ = Clock::now();
      return on_session();
    }
    if (is("2")) {
      ++pings;
      heard_ = Clock::now();
      if (!mute) send("3");
      return;
    }
    const auto rest = text.substr(std::min<std::size_t>(2, text.size()));
    if (is("40")) remember_pid(rest);
    if (is("42")) remember_offset(rest);
    if (is("40") && on_joined) on_joined(rest);
    if (is("44") && on_refused) on_refused(rest);
    if (is("42") && on_event) on_event(rest);
    if (is("43") && on_ack) on_ack(rest.substr(std::min(rest.find('['), rest.size())));
  }

  void remember_pid(std::string_view answer) {
    const auto given = member(answer, "pid");
    recovered = !given.empty() && given == pid;
    pid = given;
  }
  /// As the official client does: the last argument of every event, if it is a text.
  void remember_offset(std::string_view event) {
    if (pid.empty() || !event.ends_with("\"]")) return;
    const auto begin = event.rfind('"', event.size() - 3) + 1;
    offset = event.substr(begin, event.size() - 2 - begin);
  }

  Clock::time_point heard_{};
};

// ---- storm and avalanche -----------------------------------------------------------------------------------------

/// The delays between attempts, as the official client draws them: 1 s, doubled each time, plus or minus a half, at
/// most 5 s.
class Backoff {
 public:
  Ms next() {
    const double base = 1000 * static_cast<double>(1U << std::min(attempts_++, 10U)), random = between(0, 1);
    const double deviation = random * 0.5 * base;
    const bool less = (static_cast<unsigned>(random * 10) & 1U) == 0;
    return Ms(static_cast<Ms::rep>(std::min(less ? base - deviation : base + deviation, 5000.0)));
  }
  void reset() { attempts_ = 0; }

 private:
  unsigned attempts_ = 0;
};

class Storm {
 public:
  explicit Storm(bool avalanche) : avalanche_(avalanche) {
    for (unsigned i = 0; i < settings["--clients"]; ++i) clients_.push_back(std::make_unique<Client>());
  }

  void run() {
    begin_ = Clock::now();
    for (auto& client : clients_) prepare(*client);
    for (unsigned i = 0; i < settings["--window"]; ++i) start_next();
    watch();
    loop.run();
  }

 private:
  struct Client {
    SocketIo io;
    Backoff backoff;
    Clock::time_point started{};
    bool joined = false, served = false, trying = false;
    std::string asked;  // the value that `echo` has to answer with
    std::shared_ptr<char> alive = std::make_shared<char>();
  };
  enum class Phase { filling, holding, asking_again, lost, over };

  void prepare(Client& client) {
    client.io.on_joined = [&, this](std::string_view) {
      client.joined = true, ++joined_;
      last_joined_ = Clock::now();
      ask(client);
    };
    client.io.on_refused = [&, this](std::string_view) { failed(client, "refused"); };
    client.io.on_ack = [&, this](std::string_view answer) {
      if (answer != "[\"" + client.asked + "\"]") return failed(client, "wrong answer");
      served(client);
    };
    client.io.on_ended = [&, this](const std::string& why) { failed(client, why); };
  }
  void connect(Client& client) {
    client.trying = true;
    client.started = Clock::now();
    client.io.connect();
  }
  void ask(Client& client) {
    client.asked = "are you there, " + std::to_string(randomness()());
    client.io.send("420[\"echo\",\"" + client.asked + "\"]");
  }

  void start_next() {
    if (next_ == clients_.size()) return;
    connect(*clients_[next_++]);
  }
  void served(Client& client) {
    const auto now = Clock::now();
    if (!std::exchange(client.served, true)) ++served_, last_served_ = now;
    if (phase_ == Phase::asking_again) {
      if (++answered_again_ == joined_) report_hold();
      return;
    }
    client.trying = false;
    client.backoff.reset();
    slowest_ = std::max(slowest_, now - client.started);
    settled();
  }
  void failed(Client& client, const std::string& why) {
    const bool was_there = std::exchange(client.joined, false);
    client.io.socket.link.close();
    if (was_there) --joined_;
    if (std::exchange(client.served, false)) --served_;
    ++(phase_ == Phase::lost && was_there ? losses_ : failures_)[why];
    client.trying = false;
    if (phase_ == Phase::filling) return ++failed_, settled();
    if (!avalanche_) return;
    if (phase_ == Phase::holding)
      phase_ = Phase::lost, lost_at_ = Clock::now(), slowest_ = {}, ++losses_[why], failures_.clear();
    if (was_there) ++lost_;
    loop.after(client.backoff.next(), client.alive, [&client, this] { ++attempts_, connect(client); });
  }

  /// One more of the handshakes is over, for good or ill.
  void settled() {
    if (phase_ == Phase::filling) start_next();
    if (phase_ == Phase::filling && served_ + failed_ == clients_.size()) return filled();
    if (phase_ == Phase::lost && served_ == clients_.size() && lost_ >= clients_.size()) report_avalanche();
  }
  void filled() {
    phase_ = Phase::holding;
    held_since_ = Clock::now();
    say("served",
        {{"clients", n(clients_.size())},
         {"connected", n(joined_)},
         {"served", n(served_)},
         {"window", settings["--window"]},
         {"to_connected", seconds(last_joined_ - begin_)},
         {"to_served", seconds(last_served_ - begin_)},
         {"slowest", seconds(slowest_)}},
        failures_);
    failures_.clear();
    if (avalanche_) say("ready", {});
  }

  /// Once a second: who takes too long, who hears nothing any more, whether it is time to go on.
  void watch() {
    const auto now = Clock::now();
    for (auto& client : clients_) {
      if (client->trying && now - client->started > 20s) failed(*client, "timeout");  // as the official client does
      else if (client->joined && now - client->io.heard() > client->io.beat) failed(*client, "no heartbeat");
    }
    if (phase_ == Phase::holding && !avalanche_) hold(now);
    else if (phase_ == Phase::asking_again && now - asked_again_at_ > 30s) report_hold();
    else if (phase_ == Phase::lost && now - lost_at_ > std::chrono::seconds(settings["--patience"])) report_avalanche();
    if (phase_ != Phase::over) loop.after(1s, alive_, [this] { watch(); });
  }
  void hold(Clock::time_point now) {
    fewest_pings_ = ~0U;
    Ms beat{};
    for (auto& client : clients_)
      if (client->joined) fewest_pings_ = std::min(fewest_pings_, client->io.pings), beat = client->io.beat;
    if (fewest_pings_ < settings["--beats"] && now - held_since_ < beat * (settings["--beats"] + 1)) return;
    phase_ = Phase::asking_again;
    asked_again_at_ = now;
    for (auto& client : clients_)
      if (client->joined) ask(*client);
    if (joined_ == 0) report_hold();
  }

  void report_hold() {
    const auto now = Clock::now();
    say("held",
        {{"clients", n(clients_.size())},
         {"there", n(joined_)},
         {"beats", fewest_pings_},
         {"for", seconds(now - held_since_)},
         {"answered_again", n(answered_again_)},
         {"to_answered_again", seconds(now - asked_again_at_)}},
        failures_);
    finish();
  }
  void report_avalanche() {
    auto all = losses_;
    for (const auto& [kind, times] : failures_) all["again: " + kind] += times;
    say("back",
        {{"clients", n(clients_.size())},
         {"lost", n(lost_)},
         {"served", n(served_)},
         {"attempts", n(attempts_)},
         {"to_served", seconds(last_served_ - lost_at_)},
         {"slowest", seconds(slowest_)}},
        all);
    std::getchar();  // the runner counts them on the server
    finish();
  }
  void finish() {
    phase_ = Phase::over;
    loop.stop();
  }
  static double n(std::size_t count) { return static_cast<double>(count); }

  bool avalanche_;
  Phase phase_ = Phase::filling;
  std::vector<std::unique_ptr<Client>> clients_;
  std::size_t next_ = 0, joined_ = 0, served_ = 0, failed_ = 0, lost_ = 0, attempts_ = 0, answered_again_ = 0;
  unsigned fewest_pings_ = 0;
  Clock::time_point begin_{}, last_joined_{}, last_served_{}, held_since_{}, asked_again_at_{}, lost_at_{};
  Clock::duration slowest_{};
  std::map<std::string, unsigned> failures_, losses_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

// ---- jitter ------------------------------------------------------------------------------------------------------

class Jitter {
 public:
  Jitter() : ticks_(settings["--seconds"] * 10) {
    for (unsigned i = 0; i < settings["--clients"]; ++i) clients_.push_back(std::make_unique<Client>(ticks_));
  }

  void run() {
    for (auto& client : clients_) prepare(*client), client->io.connect();
    loop.after(30s, alive_, [this] {
      if (!started_) report();
    });
    loop.run();
  }

 private:
  struct Client {
    explicit Client(unsigned ticks) : seen(ticks + 1) {}
    SocketIo io;
    std::vector<bool> seen;  // by number
    unsigned last = 0, joins = 0;
    bool joined = false;
    std::shared_ptr<char> alive = std::make_shared<char>();
  };

  void prepare(Client& client) {
    client.io.on_session = [&, this] {
      client.io.join_again();
      if (client.joins > 0 && may_cut() && between(0, 1) < 0.2) {  // cut before the answer is here
        ++early_cuts_;
        loop.after(ms_between(0, 2), client.alive, [&, this] { cut(client); });
      }
    };
    client.io.on_joined = [&, this](std::string_view) { joined(client); };
    client.io.on_event = [&, this](std::string_view event) { got(client, event); };
    client.io.on_ended = [&, this](const std::string& why) {
      ++failures_[why];
      away(client, ms_between(1000, 5000));
    };
  }

  void joined(Client& client) {
    client.joined = true;
    if (client.joins++ > 0) ++(client.io.recovered ? recovered_ : anew_);
    if (started_) cut_later(client);
    else if (++present_ == clients_.size()) start();
  }
  void start() {
    started_ = true;
    begin_ = Clock::now();
    starter_.get("/ticks?count=" + std::to_string(ticks_), nullptr);
    for (auto& client : clients_) cut_later(*client);
    finish_when_complete();
  }

  /// ["tick",7] or ["tick",7,"offset"]
  void got(Client& client, std::string_view event) {
    if (!event.starts_with("[\"tick\",")) return;
    const auto number = number_at(event, 8);
    if (number == 0 || number > ticks_) return;
    if (client.seen[number]) ++duplicates_;
    else if (number < client.last) ++out_of_order_;
    if (!client.seen[number]) ++delivered_;
    client.seen[number] = true;
    client.last = std::max(client.last, number);
  }

  bool may_cut() const { return started_ && Clock::now() - begin_ < std::chrono::seconds(settings["--seconds"]) - 1s; }
  void cut_later(Client& client) {
    loop.after(ms_between(500, 6000), client.alive, [&, this, joins = client.joins] {
      if (client.joined && client.joins == joins && may_cut()) cut(client);
    });
  }
  void cut(Client& client) {
    if (!client.io.socket.link.open()) return;
    ++cuts_;
    if (between(0, 1) < 0.5) client.io.socket.link.abort();
    away(client, ms_between(1000, 5000));
  }
  void away(Client& client, Ms delay) {
    client.io.socket.link.close();
    client.joined = false;
    loop.after(delay, client.alive, [&client] { client.io.connect(); });
  }

  void finish_when_complete() {
    const bool all_sent = Clock::now() - begin_ > std::chrono::seconds(settings["--seconds"]);
    const bool complete = delivered_ == std::uint64_t{ticks_} * clients_.size();
    const bool late = Clock::now() - begin_ > std::chrono::seconds(settings["--seconds"]) + 12s;
    if ((all_sent && complete && all_joined()) || late) {  // a moment more, for what comes twice
      loop.after(1s, alive_, [this] { report(); });
    } else {
      loop.after(200ms, alive_, [this] { finish_when_complete(); });
    }
  }
  bool all_joined() const {
    return std::all_of(clients_.begin(), clients_.end(), [](const auto& client) { return client->joined; });
  }
  void report() {
    const auto complete = std::count_if(clients_.begin(), clients_.end(), [](const auto& client) {
      return std::count(client->seen.begin(), client->seen.end(), true) + 1 ==
             static_cast<std::ptrdiff_t>(client->seen.size());
    });
    const auto there =
        std::count_if(clients_.begin(), clients_.end(), [](const auto& client) { return client->joined; });
    const auto n = [](auto count) { return static_cast<double>(count); };
    say("delivered",
        {{"clients", n(clients_.size())},
         {"there", n(there)},
         {"events", ticks_},
         {"expected", n(ticks_) * n(clients_.size())},
         {"delivered", n(delivered_)},
         {"duplicates", n(duplicates_)},
         {"out_of_order", n(out_of_order_)},
         {"complete", n(complete)},
         {"cuts", n(cuts_)},
         {"early_cuts", n(early_cuts_)},
         {"recovered", n(recovered_)},
         {"anew", n(anew_)}},
        failures_);
    loop.stop();
  }

  unsigned ticks_;
  std::vector<std::unique_ptr<Client>> clients_;
  Http starter_;
  bool started_ = false;
  Clock::time_point begin_{};
  std::size_t present_ = 0;
  std::uint64_t delivered_ = 0, duplicates_ = 0, out_of_order_ = 0, cuts_ = 0, early_cuts_ = 0, recovered_ = 0,
                anew_ = 0;
  std::map<std::string, unsigned> failures_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

// ---- churn -------------------------------------------------------------------------------------------------------

/// One session's life, from its first byte to its end.
class Visit {
 public:
  Visit() {
    io.on_ended = [this](const std::string& why) { over(why); };
    probing.on_ended = [this](const std::string& why) { over(why); };
    probing.on_text = [](std::string_view) {};
  }

  using Step = std::function<void()>;
  void later(Ms delay, Step step) { loop.after(delay, alive_, std::move(step)); }
  void over(const std::string& why = "ours") {
    if (!outcome.empty()) return;
    outcome = why;
    for (auto* link : {&io.socket.link, &probing.link, &http.link, &second.link}) link->close();
  }

  /// Joins over WebSocket.
  void enter(Step then, const char* auth = "") {
    io.auth = auth;
    io.on_joined = [then = std::move(then)](std::string_view) { then(); };
    io.connect();
  }
  /// Joins over long-polling.
  void enter_polling(Step then) {
    http.get(polling, [this, then = std::move(then)](unsigned status, const std::string& open) {
      if (status != 200) return over("status " + std::to_string(status));
      sid_ = member(open, "sid");
      http.post(session(), "40", nullptr);
      http.get(session(), [this, then](unsigned polled, const std::string& joined) {
        if (polled == 200 && joined.starts_with("40{")) then();
        else over("poll " + std::to_string(polled));
      });
    });
  }
  /// Joins over long-polling, with a poll pending, and has a WebSocket probed.
  void enter_and_probe(Step then) {
    enter_polling([this, then = std::move(then)] {
      poll();
      probing.on_open = [this] { probing.send("2probe"); };
      probing.on_text = [then](std::string_view text) {
        if (text == "3probe") then();
      };
      probing.connect("/socket.io/?EIO=4&transport=websocket&sid=" + sid_);
    });
  }
  /// Is cut off and comes back `times` times, with its state, if the server keeps it; then it leaves.
  void come_back(unsigned times) {
    io.on_session = [this] { io.join_again(); };
    io.on_joined = [this](std::string_view) {
      if (came_back_++ == 0) return io.send("42[\"tell me\"]");
      if (!io.pid.empty() && !io.recovered) return over("not recovered");
      be_cut();
    };
    io.on_event = [this, times](std::string_view) {
      left_ = times;
      be_cut();
    };
    io.connect();
  }
  void poll() { http.get(session(), nullptr); }
  /// Ends the polling session by Engine.IO's close packet.
  void close_polling() {
    second.post(session(), "1",
                [this](unsigned status, const std::string&) { over("closed " + std::to_string(status)); });
  }
  std::string session() const { return polling + ("&sid=" + sid_); }

  static constexpr const char* polling = "/socket.io/?EIO=4&transport=polling";
  SocketIo io;
  WebSocket probing;
  Http http, second;
  std::string outcome;  // how it ended; empty while it lives

 private:
  void be_cut() {
    if (left_-- == 0) return io.send("41"), io.socket.send_close();  // for good: nothing is kept of it
    io.socket.link.abort();
    later(5ms, [this] { io.connect(); });
  }

  std::string sid_;
  unsigned came_back_ = 0, left_ = 0;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

struct Ending {
  const char* name;
  const char* outcome;  // what it has to come to: "ours" where the client ends it
  void (*play)(Visit&);
};

/// Every way in which a session can end.
const std::vector<Ending> endings{
    {"close frame", "close frame", [](Visit& v) { v.enter([&v] { v.io.socket.send_close(); }); }},
    {"engine close, then FIN", "connection closed",
     [](Visit& v) {
       v.enter([&v] { v.io.send("1"), v.io.socket.link.finish(); });
     }},  // over WebSocket it means nothing
    {"disconnect, then close frame", "close frame",
     [](Visit& v) { v.enter([&v] { v.io.send("41"), v.io.socket.send_close(); }); }},
    {"reset", "ours",
     [](Visit& v) { v.enter([&v] { v.later(ms_between(0, 50), [&v] { v.io.socket.link.abort(), v.over(); }); }); }},
    {"reset with answers on their way", "ours",
     [](Visit& v) {
       v.enter([&v] {
         const std::string text(2000, 'x');
         for (int i = 0; i < 20; ++i) v.io.send("42" + std::to_string(i) + "[\"echo\",\"" + text + "\"]");
         v.io.socket.link.abort(), v.over();
       });
     }},
    {"half-close", "connection closed", [](Visit& v) { v.enter([&v] { v.io.socket.link.finish(); }); }},
    {"no pong", "close frame", [](Visit& v) { v.io.mute = true, v.enter([] {}); }},
    {"kicked", "close frame", [](Visit& v) { v.enter([&v] { v.io.send("42[\"kick\"]"); }); }},
    {"disconnected when it connects", "close frame", [](Visit& v) { v.enter([] {}, "{\"leave\":true}"); }},
    {"comes back 20 times, then disconnect", "close frame", [](Visit& v) { v.come_back(20); }},
    {"handler throws, then close frame", "close frame",
     [](Visit& v) {
       v.io.on_ack = [&v](std::string_view) { v.io.socket.send_close(); };
       v.enter([&v] { v.io.send("427[\"throw\"]"); });
     }},
    {"attachments missing, reset", "ours",
     [](Visit& v) {
       v.enter([&v] {
         v.io.send("452-[\"file\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]");
         v.later(20ms, [&v] { v.io.socket.link.abort(), v.over(); });
       });
     }},
    {"malformed packet", "close frame", [](Visit& v) { v.enter([&v] { v.io.send("42{"); }); }},
    {"malformed frame", "close frame", [](Visit& v) { v.enter([&v] { v.io.socket.link.send("\xf1\x80....."); }); }},
    {"unknown namespace", "close frame",
     [](Visit& v) {
       v.io.on_session = [&v] { v.io.send("40/nowhere,"); };
       v.io.on_refused = [&v](std::string_view) { v.io.socket.send_close(); };
       v.enter([] {});
     }},
    {"refused by the middleware", "close frame",
     [](Visit& v) {
       v.io.on_refused = [&v](std::string_view) { v.io.socket.send_close(); };
       v.enter([] {}, "{\"refuse\":true}");
     }},
    {"never joins", "close frame", [](Visit& v) { v.io.on_session = [] {}, v.enter([] {}); }},
    {"bad EIO", "handshake: status 400", [](Visit& v) { v.io.connect("/socket.io/?EIO=3&transport=websocket"); }},
    {"bad EIO over polling", "status 400",
     [](Visit& v) {
       v.http.get("/socket.io/?EIO=3&transport=polling",
                  [&v](unsigned status, const std::string&) { v.over("status " + std::to_string(status)); });
     }},
    {"no such session", "handshake: status 400",
     [](Visit& v) { v.io.connect("/socket.io/?EIO=4&transport=websocket&sid=nobody"); }},
    {"half a request, reset", "ours",
     [](Visit& v) {
       v.http.link.connect();
       v.http.link.send("GET /socket.io/?EIO=4&trans");
       v.later(20ms, [&v] { v.http.link.abort(), v.over(); });
     }},
    {"polling, engine close", "closed 200", [](Visit& v) { v.enter_polling([&v] { v.poll(), v.close_polling(); }); }},
    {"polling, reset in a poll", "ours",
     [](Visit& v) { v.enter_polling([&v] { v.poll(), v.later(20ms, [&v] { v.http.link.abort(), v.over(); }); }); }},
    {"polling, abandoned", "ours", [](Visit& v) { v.enter_polling([&v] { v.over(); }); }},
    {"upgrade, wrong text", "closed 200",
     [](Visit& v) {
       v.probing.on_ended = [&v](const std::string&) { v.close_polling(); };
       v.enter_and_probe([&v] { v.probing.send("4what"); });
     }},
    {"upgrade, reset after the probe", "closed 200",
     [](Visit& v) { v.enter_and_probe([&v] { v.probing.link.abort(), v.close_polling(); }); }},
    {"upgrade, reset, then abandoned", "ours",
     [](Visit& v) { v.enter_and_probe([&v] { v.probing.link.abort(), v.over(); }); }},
    {"upgraded, reset", "ours",
     [](Visit& v) {
       v.enter_and_probe([&v] {
         v.probing.send("5");
         v.later(ms_between(0, 50), [&v] { v.probing.link.abort(), v.over(); });
       });
     }},
    {"upgraded, close frame", "close frame",
     [](Visit& v) {
       v.enter_and_probe([&v] { v.probing.send("5"), v.later(20ms, [&v] { v.probing.send_close(); }); });
     }},
};

const std::vector<Ending> comeback{
    {"comes back 100 times, then disconnect", "close frame", [](Visit& v) { v.come_back(100); }}};

class Churn {
 public:
  explicit Churn(const std::vector<Ending>& ways) : ways_(ways) {}

  void run() {
    start_round();
    loop.run();
  }

 private:
  struct Entry {
    explicit Entry(const Ending& its_ending) : ending(its_ending) {}
    const Ending& ending;
    Visit visit;
    Clock::time_point started = Clock::now();
  };

  void start_round() {
    ++round_;
    left_ = settings["--sessions"] / settings["--rounds"];
    begin_ = Clock::now();
    turn();
  }
  /// Visits that are over make room for new ones.
  void turn() {
    const auto now = Clock::now();
    visits_.remove_if([&, this](Entry& entry) {
      auto& visit = entry.visit;
      if (visit.outcome.empty() && now - entry.started > 20s) visit.over("stuck");
      if (visit.outcome.empty()) return false;
      if (visit.outcome != entry.ending.outcome) ++unexpected_[std::string(entry.ending.name) + ": " + visit.outcome];
      return true;
    });
    for (unsigned burst = 100; burst > 0 && left_ > 0 && visits_.size() < settings["--at-a-time"]; --burst, --left_)
      begin();
    if (left_ == 0 && visits_.empty()) return round_over();
    loop.after(2ms, alive_, [this] { turn(); });
  }
  void begin() {
    const auto& ending = ways_[count_++ % ways_.size()];
    visits_.emplace_back(ending);
    ending.play(visits_.back().visit);
  }
  void round_over() {
    say("round",
        {{"round", round_},
         {"sessions", settings["--sessions"] / settings["--rounds"]},
         {"ways", static_cast<double>(ways_.size())},
         {"took", seconds(Clock::now() - begin_)}},
        unexpected_);
    unexpected_.clear();
    if (std::getchar() == EOF || round_ == settings["--rounds"]) return loop.stop();  // the runner looks at the server
    start_round();
  }

  const std::vector<Ending>& ways_;
  std::list<Entry> visits_;
  unsigned round_ = 0, left_ = 0;
  std::size_t count_ = 0;
  Clock::time_point begin_{};
  std::map<std::string, unsigned> unexpected_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace

int main(int count, char** arguments) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto usage = [] {
    std::fputs("usage: storm storm|avalanche|jitter|churn|comeback PORT [OPTION NUMBER]...\n", stderr);
    return 2;
  };
  if (count < 3 || count % 2 == 0) return usage();
  settings.mode = arguments[1];
  settings.port = static_cast<std::uint16_t>(number_at(arguments[2], 0));
  for (int i = 3; i < count; i += 2) {
    const auto option = settings.numbers.find(arguments[i]);
    if (option == settings.numbers.end()) return usage();
    option->second = number_at(arguments[i + 1], 0);
  }

  if (settings.mode == "storm") Storm(false).run();
  else if (settings.mode == "avalanche") Storm(true).run();
  else if (settings.mode == "jitter") Jitter().run();
  else if (settings.mode == "churn") Churn(endings).run();
  else if (settings.mode == "comeback") Churn(comeback).run();
  else return usage();
}
