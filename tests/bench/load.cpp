// The load client of the benchmark: thousands of Socket.IO clients in one thread, on Linux's sockets and epoll alone.
// It shares no code with sio_demo.hpp; what it expects it knows from the protocol's documents.
//
//     load CASE PORT PID [OPTION NUMBER]...    the server is 127.0.0.1:PORT, its process is PID; bench.py starts both
//
//     echo       --clients have --outstanding strings of --bytes acked each, all the time
//     binary     the same with binary attachments
//     tick       --clients; one asks for --ticks strings of --bytes to all, and again once all have them
//     room       the same, to a room of --members
//     rooms      the same, to two rooms of --members that overlap by half: who is in both gets one
//     except     the same, to all who are not in a room of --members
//     relay      the same, to a room of --members; what is sent is a JSON object of --bytes, which the server passes on
//     ask        the server asks each of --clients, and again once it has the answer
//     connect    --clients connect, --window of them in their handshake at a time
//     idle       --clients are held until each had a heartbeat
//     polling    --clients on HTTP long-polling; each posts a string of --bytes, gets the ack, and again
//
// After --warm-ms comes the measured section of --ms (for `connect`: after --warm-clients; for `idle`: once all are
// connected). What it cost is the time that the server's threads were on a CPU, in user and kernel mode, as the
// scheduler counts it. The client never sleeps: to wake a sleeping receiver costs its sender, here the server, and the
// slower a server is, the oftener its client sleeps. Every byte that arrives is compared with what has to arrive; what
// is wrong, comes twice, comes to somebody else or is missing ends the run with exit code 1 and a line on standard
// error. Else one JSON object goes to standard output.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::literals;
using Clock = std::chrono::steady_clock;
using Ms = std::chrono::milliseconds;

// ---- The command line, and how a run fails -------------------------------------------------------------------

struct Settings {
  std::string name;
  std::uint16_t port = 0;
  pid_t server = 0;
  std::map<std::string, unsigned> numbers{{"--clients", 1000},       {"--outstanding", 1},  {"--members", 500},
                                          {"--bytes", 32},           {"--ticks", 1},        {"--ms", 3000},
                                          {"--warm-ms", 1000},       {"--warm-clients", 0}, {"--window", 64},
                                          {"--patience-ms", 60'000}, {"--through", 0}};
  unsigned operator[](const char* option) const { return numbers.at(option); }
} settings;

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "load: %s: %s\n", settings.name.c_str(), why.c_str());
  std::exit(1);
}
[[noreturn]] void fail(unsigned client, const std::string& what) {
  fail("client " + std::to_string(client) + " " + what);
}

/// What the system says of the last call.
std::string reason() { return std::strerror(errno) + std::string(errno == EMFILE ? " (raise ulimit -n)" : ""); }

/// The begin of what may be long, or no text.
std::string shown(std::string_view bytes) {
  constexpr std::size_t most = 100;
  std::string text(bytes.substr(0, most));
  std::replace_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '.');
  return "'" + text + (bytes.size() > most ? "...' of " + std::to_string(bytes.size()) + " bytes" : "'");
}

// ---- The measured section ---------------------------------------------------------------------------------------

/// Nanoseconds that a clock of <time.h> shows. That of a process has all of its threads, also those that are gone.
std::int64_t nanoseconds(clockid_t clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) fail("the CPU time of the server cannot be read: " + reason());
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

clockid_t clock_of_server() {
  clockid_t clock{};
  const int error = clock_getcpuclockid(settings.server, &clock);
  if (error)
    fail("there is no process " + std::to_string(settings.server) +
         " whose CPU time can be read: " + std::strerror(error));
  return clock;
}

/// Kilobytes of the server that are in memory.
long resident_kilobytes() {
  std::ifstream status("/proc/" + std::to_string(settings.server) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::strtol(line.c_str() + 6, nullptr, 10);
  }
  fail("/proc does not tell how much memory the server has");
}

class Section {
 public:
  void end(std::uint64_t operations) {
    seconds_ = std::chrono::duration<double>(Clock::now() - begin_).count();
    server_ = nanoseconds(clock_of_server()) - server_;
    own_ = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - own_;
    operations_ = operations;
    if (operations == 0)
      fail("nothing was delivered in the measured section: the server is too slow for it, or it is too short");
  }
  /// To be called when everything else was right, too.
  void print(std::string_view more = "") const {
    const auto count = static_cast<double>(operations_), cpu = static_cast<double>(server_),
               own = static_cast<double>(own_);
    std::printf(
        "{\"case\":\"%s\",\"operations\":%.0f,\"seconds\":%.4f,\"per_second\":%.1f,\"cpu_us\":%.4f,\"server_busy\":%."
        "3f,\"load_busy\":%.3f%.*s}\n",
        settings.name.c_str(), count, seconds_, count / seconds_, cpu / 1e3 / count, cpu / 1e9 / seconds_,
        own / 1e9 / seconds_, static_cast<int>(more.size()), more.data());
  }

 private:
  Clock::time_point begin_ = Clock::now();
  std::int64_t own_ = nanoseconds(CLOCK_PROCESS_CPUTIME_ID), server_ = nanoseconds(clock_of_server());
  double seconds_ = 0;
  std::uint64_t operations_ = 0;
};

// ---- TCP, and the loop --------------------------------------------------------------------------------------------

int epoll() {
  static const int descriptor = epoll_create1(EPOLL_CLOEXEC);
  return descriptor;
}

/// A connection to the server, which stays to the end of the run: to lose one is to fail.
class Connection {
 public:
  explicit Connection(unsigned its_number) : number(its_number) {
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor_ < 0) fail(number, "has no socket: " + reason());
    const int on = 1;
    setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    const auto other = static_cast<std::uint16_t>(settings["--through"]);
    to.sin_port = htons(number == 0 && other != 0 ? other : settings.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS)
      fail(number, "cannot connect: " + reason());
    watch(EPOLL_CTL_ADD);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection() { ::close(descriptor_); }

  /// Sends what is in `out`; what arrives within one call to received() is answered with one call of the system.
  void flush() {
    if (connecting_) return;
    if (!out.empty()) {
      const auto size = ::send(descriptor_, out.data(), out.size(), MSG_NOSIGNAL);
      if (size < 0 && errno != EAGAIN) fail(number, "cannot send: " + reason());
      if (size > 0) out.erase(0, static_cast<std::size_t>(size));
    }
    if (std::exchange(writes_, !out.empty()) != writes_) watch(EPOLL_CTL_MOD);
  }

  void ready(std::uint32_t events) {
    if (events & EPOLLOUT) {
      if (std::exchange(connecting_, false)) check_connected();
      flush();
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read();
  }

  const unsigned number;
  std::string out;

 protected:
  /// How many bytes it has used of those that have come; the others come again with what follows.
  virtual std::size_t received(std::string_view bytes) = 0;

 private:
  void watch(int operation) {
    epoll_event event{};
    event.events = EPOLLIN | (writes_ ? EPOLLOUT : 0U);
    event.data.ptr = this;
    if (epoll_ctl(epoll(), operation, descriptor_, &event) != 0)
      fail(number, "cannot be watched by epoll: " + reason());
  }
  void check_connected() {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) fail(number, std::string("cannot connect: ") + std::strerror(error));
  }
  void read() {
    static std::vector<char> buffer(1U << 18U);
    const auto size = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size < 0) fail(number, "cannot read: " + reason());
    if (size == 0) fail(number, "was disconnected by the server");
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(size));
    if (rest_.empty()) {
      rest_ = bytes.substr(received(bytes));
    } else {
      rest_ += bytes;
      rest_.erase(0, received(rest_));
    }
    flush();
  }

  int descriptor_ = -1;
  bool connecting_ = true, writes_ = true;
  std::string rest_;
};

void turn() {
  std::array<epoll_event, 256> events;
  const int count = epoll_wait(epoll(), events.data(), static_cast<int>(events.size()), 0);
  for (std::size_t i = 0; count > 0 && i < static_cast<std::size_t>(count); ++i)
    static_cast<Connection*>(events[i].data.ptr)->ready(events[i].events);
}

void turn_for(unsigned ms) {
  for (const auto end = Clock::now() + Ms(ms); Clock::now() < end;) turn();
}

/// Goes on until done(); after --patience-ms it fails with what missing() says.
template <class Done, class Missing>
void turn_until(Done done, Missing missing) {
  const auto end = Clock::now() + Ms(settings["--patience-ms"]);
  while (!done()) {
    if (Clock::now() > end) fail("after " + std::to_string(settings["--patience-ms"]) + " ms of waiting, " + missing());
    turn();
  }
}

// ---- Socket.IO over a WebSocket (RFC 6455, Engine.IO 4, Socket.IO 5)
// ----------------------------------------------------

class Client;

/// What all clients do once they are in the namespace.
class Case {
 public:
  virtual ~Case() = default;
  virtual void run() = 0;
  virtual void text(Client& client, std::string_view text);  // unless overridden, nothing may come
  virtual void binary(Client& client, std::string_view bytes);
};
std::unique_ptr<Case> playing;

class Client final : public Connection {
 public:
  using Connection::Connection;

  /// Both are on their way with the next flush().
  void send(std::string_view text) { frame(1, text); }
  void send_binary(std::string_view bytes) { frame(2, bytes); }

  static inline unsigned joined = 0;  // how many are in the namespace
  unsigned pings = 0;
  std::uint64_t sent = 0, got = 0;  // a case's own counts
  bool member = false, waits = false;

  void connect() {
    out =
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: "
        "websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  }

 protected:
  std::size_t received(std::string_view bytes) override {
    std::size_t used = step_ == Step::upgrade ? upgraded(bytes) : 0;
    if (step_ == Step::upgrade) return used;
    const auto byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(bytes[used + i])}; };
    while (bytes.size() >= used + 2) {
      std::size_t size = byte(1), head = size == 126 ? 4 : size == 127 ? 10 : 2;
      if (size > 127) fail(number, "got a masked frame, which servers must not send");
      if (bytes.size() < used + head) break;
      if (head > 2) size = 0;
      for (std::size_t i = 2; i < head; ++i) size = size << 8U | byte(i);
      if (bytes.size() < used + head + size) break;
      arrived(byte(0), bytes.substr(used + head, size));
      used += head + size;
    }
    return used;
  }

 private:
  enum class Step { upgrade, open, join, joined };

  std::size_t upgraded(std::string_view bytes) {
    const auto end = bytes.find("\r\n\r\n");
    if (end == bytes.npos) return 0;
    const auto head = bytes.substr(0, end);
    const bool accepted = head.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != head.npos;  // as in RFC 6455, 1.3
    if (!head.starts_with("HTTP/1.1 101 ") || !accepted) fail(number, "was not upgraded to WebSocket: " + shown(head));
    step_ = Step::open;
    return end + 4;
  }
  void arrived(std::size_t first, std::string_view payload) {
    if (first == 0x82 && step_ == Step::joined) return playing->binary(*this, payload);
    if (first == 0x89) return frame(10, payload);
    if (first == 0x8a) return;
    if (first != 0x81) fail(number, "got a frame with the first byte " + std::to_string(first) + ", " + shown(payload));
    if (payload == "2") return ++pings, send("3");
    if (step_ == Step::joined) return playing->text(*this, payload);
    if (!payload.starts_with(step_ == Step::open ? "0{\"sid\":\"" : "40/bench,{\"sid\":\""))
      fail(number, "got " + shown(payload) + " in the handshake");
    if (step_ == Step::open) send("40/bench,");
    else ++joined;
    step_ = step_ == Step::open ? Step::join : Step::joined;
  }

  void frame(unsigned opcode, std::string_view payload) {
    const auto size = payload.size();
    out += static_cast<char>(0x80U | opcode);
    out += static_cast<char>(0x80U | (size < 126 ? size : size < 65536 ? 126 : 127));
    for (unsigned bytes = size < 126 ? 0 : size < 65536 ? 2 : 8; bytes > 0;)
      out += static_cast<char>(size >> 8U * --bytes);
    static std::uint32_t random = 1;
    random = random * 1664525 + 1013904223;
    std::array<char, 4> mask{};
    std::memcpy(mask.data(), &random, mask.size());
    out.append(mask.data(), mask.size());
    const auto begin = out.size();
    out += payload;
    for (std::size_t i = 0; i < size; ++i) out[begin + i] = static_cast<char>(out[begin + i] ^ mask[i % 4]);
  }

  Step step_ = Step::upgrade;
};

void Case::text(Client& client, std::string_view text) {
  fail(client.number, "got what nobody has sent: " + shown(text));
}
void Case::binary(Client& client, std::string_view bytes) {
  fail(client.number, "got binary that nobody has sent: " + shown(bytes));
}

std::vector<std::unique_ptr<Client>> clients;

void connect_clients(std::size_t count) {
  const auto more = [&] {
    for (; clients.size() < count && clients.size() - Client::joined < settings["--window"]; clients.back()->connect())
      clients.push_back(std::make_unique<Client>(static_cast<unsigned>(clients.size())));
    return Client::joined == count;
  };
  turn_until(
      more, [&] { return std::to_string(Client::joined) + " of " + std::to_string(count) + " clients are connected"; });
}

void expect(const Client& client, std::string_view got, std::string_view wanted) {
  if (got == wanted) return;
  const auto at = std::mismatch(got.begin(), got.end(), wanted.begin(), wanted.end()).first - got.begin();
  fail(client.number,
       "got " + shown(got) + " instead of " + shown(wanted) + "; they differ at byte " + std::to_string(at));
}

/// The first client of which it is true that it lacks something, and how many there are like it.
template <class Lacks>
std::string who(Lacks lacks) {
  const auto first = std::find_if(clients.begin(), clients.end(), [&](const auto& client) { return lacks(*client); });
  const auto count = std::count_if(first, clients.end(), [&](const auto& client) { return lacks(*client); });
  return first == clients.end() ? "nobody"
                                : "client " + std::to_string((*first)->number) +
                                      (count > 1 ? " and " + std::to_string(count - 1) + " others" : "");
}

/// A text of --bytes for the n-th message of a client, unlike that of any other.
std::string text_of(unsigned number, std::uint64_t n) {
  std::string text = std::to_string(number) + '-' + std::to_string(n) + '-';
  text.resize(std::max<std::size_t>(text.size(), settings["--bytes"]), 'x');
  return text;
}

constexpr std::string_view attachment = "{\"_placeholder\":true,\"num\":0}";

// ---- echo, binary: the client asks ----------------------------------------------------------------------------------

class Echo final : public Case {
 public:
  explicit Echo(bool binary) : binary_(binary) {
    if (binary) {
      for (unsigned i = 0; i < settings["--bytes"]; ++i) bytes_ += static_cast<char>(i);
    }
  }

  void run() override {
    connect_clients(settings["--clients"]);
    for (const auto& client : clients) {
      for (unsigned i = 0; i < settings["--outstanding"]; ++i) ask(*client);
      client->flush();
    }
    turn_for(settings["--warm-ms"]);
    Section section;
    const auto before = answered_;
    turn_for(settings["--ms"]);
    section.end(answered_ - before);
    asking_ = false;
    const auto lacks = [](const Client& client) { return client.got < client.sent; };
    turn_until([&] { return answered_ == asked_; },
               [&] { return std::to_string(asked_ - answered_) + " acks are missing, of " + who(lacks); });
    section.print();
  }

  void text(Client& client, std::string_view text) override {
    const auto id = std::to_string(client.got);
    if (!binary_) {
      expect(client, text, "43/bench," + id + "[\"" + text_of(client.number, client.got) + "\"]");
      return answered(client);
    }
    if (std::exchange(client.waits, true)) fail(client.number, "got " + shown(text) + " instead of the attachment");
    expect(client, text, "461-/bench," + id + "[" + std::string(attachment) + "]");
  }
  void binary(Client& client, std::string_view bytes) override {
    if (!std::exchange(client.waits, false)) fail(client.number, "got an attachment that nothing announced");
    expect(client, bytes, attachment_of(client, client.got));
    answered(client);
  }

 private:
  void ask(Client& client) {
    const auto id = std::to_string(client.sent);
    if (binary_) {
      client.send("451-/bench," + id + "[\"binary\"," + std::string(attachment) + "]");
      client.send_binary(attachment_of(client, client.sent));
    } else {
      client.send("42/bench," + id + "[\"echo\",\"" + text_of(client.number, client.sent) + "\"]");
    }
    ++client.sent, ++asked_;
  }
  void answered(Client& client) {
    if (client.got == client.sent) fail(client.number, "got an ack twice");
    ++client.got, ++answered_;
    if (asking_) ask(client);
  }
  const std::string& attachment_of(const Client& client, std::uint64_t n) {
    const std::array<std::uint64_t, 2> stamp{client.number, n};
    std::memcpy(bytes_.data(), stamp.data(), std::min(bytes_.size(), sizeof stamp));
    return bytes_;
  }

  const bool binary_;
  std::string bytes_;
  bool asking_ = true;
  std::uint64_t asked_ = 0, answered_ = 0;
};

// ---- tick, room, rooms, except, relay: one asks, many get it
// ----------------------------------------------------------

/// A JSON object of about `size` bytes, in the spelling of JSON.stringify, so that a server may relay the text or parse
/// and write it, as long as it keeps the order of the keys.
std::string json_object(std::size_t size) {
  std::string text = R"({"title":"Größe, 大きさ, \"размер\" 🦊","closed":false,"items":[)";
  constexpr std::string_view end = R"(],"total":-12345.75})";
  for (unsigned i = 0; i == 0 || text.size() + end.size() + 200 < size; ++i) {
    const auto n = std::to_string(i);
    text += (i ? ",{" : "{") + R"("id":)"s + std::to_string(1000 + i) + R"(,"at":{"x":)" + n + R"(.5,"y":-)" + n +
            R"(.25},"name":"part \")" + n + R"(\" of größere\nparts \\ 部品","tags":["new",null,true,[)" + n +
            R"(,[]],{}]})";
  }
  if (const auto left = size - std::min(size, text.size() + end.size()); left > 3)
    text += ",\"" + std::string(left - 3, 'x') + "\"";
  return text + std::string(end);
}

class Broadcast final : public Case {
 public:
  void run() override {
    connect_clients(settings["--clients"]);
    prepare();
    rounds_for(settings["--warm-ms"]);
    Section section;
    const auto before = delivered_;
    rounds_for(settings["--ms"]);
    section.end(delivered_ - before);
    call_the_roll();
    section.print();
  }

  void text(Client& client, std::string_view text) override {
    if (text.starts_with("43")) return answered(client, text);
    if (!client.member && settings["--through"]) return;  // its server is not the one that is measured
    if (!client.member) fail(client.number, "got what is not for it: " + shown(text));
    expect(client, text, delivery_);
    if (client.got == ticks_) fail(client.number, "got one twice: " + shown(text));
    ++client.got, ++delivered_;
  }

 private:
  /// Client 0 asks for the ticks; it is in no room. With --through it is at another server of the cluster.
  void prepare() {
    const unsigned count = settings["--clients"], size = settings["--members"];
    const auto text = "\"" + std::string(settings["--bytes"], 'x') + "\"", bytes = std::to_string(settings["--bytes"]);
    delivery_ = "42/bench,[\"tick\"," + text + "]";
    if (settings.name == "tick") {
      request_ = "[\"blast\"," + std::to_string(settings["--ticks"]) + "," + bytes + "]";
      at_once_ = settings["--ticks"];
      const unsigned elsewhere = settings["--through"] ? 1 : 0;
      for (const auto& client : clients) client->member = client->number >= elsewhere;
      members_ = count - elsewhere;
      return;
    }
    const bool two = settings.name == "rooms";
    const auto in_rooms = two ? size + size / 2 : size;
    if (size == 0 || in_rooms >= count) fail("--members " + std::to_string(size) + ": more --clients are needed");
    const auto every = (count - 1) / in_rooms;  // those in rooms are spread among the others
    for (unsigned i = 0; i < in_rooms; ++i) {
      auto& client = *clients[1 + i * every];
      const bool red = i < size, blue = two && i >= size / 2;
      join(client, red && blue ? R"(["red","blue"])" : red ? R"(["red"])" : R"(["blue"])");
    }
    turn_until([&] { return answers_ == in_rooms; },
               [&] { return std::to_string(in_rooms - answers_) + " clients are not in their room"; });
    answers_ = 0;

    request_ = (two                         ? R"(["tell",["red","blue"],)"
                : settings.name == "except" ? R"(["tell the rest",["red"],)"
                                            : R"(["tell",["red"],)") +
               bytes + "]";
    if (settings.name == "relay") {
      const auto object = json_object(settings["--bytes"]);
      request_ = "[\"relay\"," + object + "]";
      delivery_ = "42/bench,[\"relayed\"," + object + "]";
    }
    if (settings.name == "except") {
      for (const auto& client : clients) client->member = !client->member;
    }
    members_ = settings.name == "except" ? count - in_rooms : in_rooms;
  }
  void join(Client& client, const std::string& rooms) {
    client.member = true;
    answer_ = "43/bench,0[true]";
    ask(client, "0[\"join\"," + rooms + "]");
  }

  void rounds_for(unsigned ms) {
    const auto end = Clock::now() + Ms(ms);
    do {
      ticks_ += at_once_;
      clients[0]->send("42/bench," + request_);
      clients[0]->flush();
      const auto lacks = [&](const Client& client) { return client.member && client.got < ticks_; };
      turn_until(
          [&] { return delivered_ == ticks_ * members_; },
          [&] { return std::to_string(ticks_ * members_ - delivered_) + " deliveries are missing, of " + who(lacks); });
    } while (Clock::now() < end);
  }

  /// Everybody has something acked: what the server had sent before it to anybody is here, too.
  void call_the_roll() {
    answer_ = "43/bench,1[\"here\"]";
    for (const auto& client : clients) ask(*client, "1[\"echo\",\"here\"]");
    turn_until([&] { return answers_ == clients.size(); },
               [&] { return std::to_string(clients.size() - answers_) + " clients get no ack"; });
  }
  void ask(Client& client, const std::string& event) {
    client.waits = true;
    client.send("42/bench," + event);
    client.flush();
  }
  void answered(Client& client, std::string_view text) {
    expect(client, text, answer_);
    if (!std::exchange(client.waits, false)) fail(client.number, "got an ack twice");
    ++answers_;
  }

  std::string request_, delivery_, answer_;
  unsigned members_ = 0, at_once_ = 1;
  std::uint64_t ticks_ = 0, delivered_ = 0, answers_ = 0;
};

// ---- ask: the server asks
// ---------------------------------------------------------------------------------------------

/// Each question carries the last answer, so that it is seen here whether that arrived.
class Ask final : public Case {
 public:
  void run() override {
    connect_clients(settings["--clients"]);
    for (const auto& client : clients) {
      client->send("42/bench,[\"ask\",\"" + text_of(client->number, 0) + "\"]");
      client->flush();
    }
    turn_for(settings["--warm-ms"]);
    Section section;
    const auto before = questions_;
    turn_for(settings["--ms"]);
    section.end(questions_ - before);
    answering_ = false;
    const auto lacks = [](const Client& client) { return !client.waits; };
    turn_until(
        [&] { return left_open_ == clients.size(); },
        [&] { return std::to_string(clients.size() - left_open_) + " clients are not asked again: " + who(lacks); });
    section.print();
  }

  void text(Client& client, std::string_view text) override {
    constexpr std::string_view begin = "42/bench,";
    const auto id_end = std::min(text.find_first_not_of("0123456789", begin.size()), text.size());
    const auto id = id_end > begin.size() ? std::string(text.substr(begin.size(), id_end - begin.size())) : "an id";
    expect(client, text, std::string(begin) + id + "[\"question\",\"" + text_of(client.number, client.got) + "\"]");
    if (client.waits) fail(client.number, "is asked again, without an answer");
    ++client.got, ++questions_;
    if (!answering_) return client.waits = true, static_cast<void>(++left_open_);
    client.send("43/bench," + id + "[\"" + text_of(client.number, client.got) + "\"]");
  }

 private:
  bool answering_ = true;
  std::uint64_t questions_ = 0, left_open_ = 0;
};

// ---- connect, idle
// --------------------------------------------------------------------------------------------------------

class Connect final : public Case {
 public:
  void run() override {
    connect_clients(settings["--warm-clients"]);
    Section section;
    connect_clients(settings["--warm-clients"] + settings["--clients"]);
    section.end(settings["--clients"]);
    section.print();
  }
};

class Idle final : public Case {
 public:
  void run() override {
    connect_clients(1);
    const auto empty = resident_kilobytes();
    const auto count = settings["--clients"];
    connect_clients(count);
    for (const auto& client : clients) client->pings = 0;
    Section section;
    turn_until(
        [] {
          return std::all_of(clients.begin(), clients.end(), [](const auto& client) { return client->pings > 0; });
        },
        [] { return who([](const Client& client) { return client.pings == 0; }) + " had no heartbeat"; });
    std::uint64_t pings = 0;
    for (const auto& client : clients) pings += client->pings;
    section.end(pings);
    section.print(",\"bytes_per_client\":" + std::to_string((resident_kilobytes() - empty) * 1024 / count));
  }
};

// ---- polling
// ----------------------------------------------------------------------------------------------------------------

class Poller;

/// Requests one after the other.
class Http final : public Connection {
 public:
  Http(unsigned its_number, Poller& its_owner) : Connection(its_number), owner_(its_owner) {}

  void request(const std::string& text) {
    out += text;
    flush();
  }

 protected:
  std::size_t received(std::string_view bytes) override;

 private:
  Poller& owner_;
};

/// A client on HTTP long-polling: one connection for what it gets, and one for what it posts.
class Poller {
 public:
  explicit Poller(unsigned its_number) : number_(its_number), gets_(its_number, *this), posts_(its_number, *this) {
    get();
  }

  /// A GET and a POST are done when the one has brought `wanted` and the other is acknowledged.
  void exchange(const std::string& text, std::string wanted) {
    wanted_ = std::move(wanted);
    done_ = got_ = posted_ = false;
    get();
    const auto body = (std::exchange(pong_, false) ? "3\x1e" : "") + text;
    posts_.request("POST " + target() +
                   " HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: " +
                   std::to_string(body.size()) + "\r\n\r\n" + body);
  }

  void answered(const Http& connection, std::string_view body) {
    if (&connection == &posts_) {
      if (body != "ok" || posted_) fail(number_, "got " + shown(body) + " for a POST, instead of 'ok'");
      posted_ = true;
    } else if (id_.empty()) {
      opened(body);
    } else {
      for (std::size_t begin = 0; begin <= body.size();) {
        const auto end = std::min(body.find('\x1e', begin), body.size());
        packet(body.substr(begin, end - begin));
        begin = end + 1;
      }
      if (!got_) return get();  // a heartbeat alone
    }
    if (posted_ && got_) done_ = true;
  }
  bool done() const { return done_; }

 private:
  std::string target() const { return "/socket.io/?EIO=4&transport=polling" + (id_.empty() ? "" : "&sid=" + id_); }
  void get() { gets_.request("GET " + target() + " HTTP/1.1\r\nHost: localhost\r\n\r\n"); }

  void opened(std::string_view body) {
    constexpr std::string_view begin = "0{\"sid\":\"";
    if (!body.starts_with(begin)) fail(number_, "got " + shown(body) + " in the handshake");
    id_ = body.substr(begin.size(), body.find('"', begin.size()) - begin.size());
    exchange("40/bench,", "40/bench,{\"sid\":\"");  // which is followed by an id
  }
  void packet(std::string_view text) {
    if (text == "2") return static_cast<void>(pong_ = true);
    const bool right = wanted_.ends_with("]") ? text == wanted_ : text.starts_with(wanted_);
    if (!right || got_) fail(number_, "got " + shown(text) + (got_ ? " after " : " instead of ") + shown(wanted_));
    got_ = true;
  }

  const unsigned number_;
  std::string id_, wanted_;
  bool pong_ = false, posted_ = true, got_ = false, done_ = false;
  Http gets_, posts_;
};

std::size_t Http::received(std::string_view bytes) {
  constexpr std::string_view name = "\r\ncontent-length: ";
  const auto end = bytes.find("\r\n\r\n");
  if (end == bytes.npos) return 0;
  const auto head = bytes.substr(0, end);
  if (!head.starts_with("HTTP/1.1 200 ")) fail(number, "got the answer " + shown(bytes));
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  const auto length = std::search(head.begin(), head.end(), name.begin(), name.end(), same);
  if (length == head.end()) fail(number, "got an answer without Content-Length: " + shown(head));
  std::size_t size = 0;
  std::from_chars(&*length + name.size(), head.data() + head.size(), size);
  if (bytes.size() < end + 4 + size) return 0;
  owner_.answered(*this, bytes.substr(end + 4, size));
  return end + 4 + size;
}

class Polling final : public Case {
 public:
  void run() override {
    for (unsigned i = 0; i < settings["--clients"]; ++i) pollers_.push_back(std::make_unique<Poller>(i));
    settle();
    counts_.resize(pollers_.size());
    exchange_for(settings["--warm-ms"]);
    Section section;
    const auto before = exchanged_;
    exchange_for(settings["--ms"]);
    section.end(exchanged_ - before);
    settle();
    section.print();
  }

 private:
  void settle() {
    const auto waiting = [this] {
      return std::count_if(pollers_.begin(), pollers_.end(), [](const auto& poller) { return !poller->done(); });
    };
    turn_until([&] { return waiting() == 0; },
               [&] { return std::to_string(waiting()) + " clients wait for an answer"; });
  }
  void exchange_for(unsigned ms) {
    for (const auto end = Clock::now() + Ms(ms); Clock::now() < end; turn()) {
      for (unsigned i = 0; i < pollers_.size(); ++i) {
        if (pollers_[i]->done()) next(i);
      }
    }
  }
  void next(unsigned i) {
    const auto id = std::to_string(counts_[i]), text = text_of(i, counts_[i]);
    pollers_[i]->exchange("42/bench," + id + "[\"echo\",\"" + text + "\"]", "43/bench," + id + "[\"" + text + "\"]");
    ++counts_[i], ++exchanged_;
  }

  std::vector<std::unique_ptr<Poller>> pollers_;
  std::vector<std::uint64_t> counts_;
  std::uint64_t exchanged_ = 0;
};

std::unique_ptr<Case> make_case(std::string_view name) {
  if (name == "echo" || name == "binary") return std::make_unique<Echo>(name == "binary");
  if (name == "tick" || name == "room" || name == "rooms" || name == "except" || name == "relay")
    return std::make_unique<Broadcast>();
  if (name == "ask") return std::make_unique<Ask>();
  if (name == "connect") return std::make_unique<Connect>();
  if (name == "idle") return std::make_unique<Idle>();
  if (name == "polling") return std::make_unique<Polling>();
  return nullptr;
}

template <class Number>
bool parse(std::string_view text, Number& number) {
  return std::from_chars(text.data(), text.data() + text.size(), number).ptr == text.data() + text.size() &&
         !text.empty();
}

}  // namespace

int main(int count, char** arguments) {
  const auto usage = [](const std::string& why) {
    std::fprintf(stderr,
                 "load: %s\nusage: load echo|binary|tick|room|rooms|except|relay|ask|connect|idle|polling PORT PID "
                 "[OPTION NUMBER]...\n",
                 why.c_str());
    return 2;
  };
  if (count < 4 || count % 2 != 0) return usage("wants a case, a port, a process, then pairs");
  settings.name = arguments[1];
  if (!parse(arguments[2], settings.port)) return usage(std::string(arguments[2]) + " is no port");
  if (!parse(arguments[3], settings.server)) return usage(std::string(arguments[3]) + " is no process id");
  for (int i = 4; i < count; i += 2) {
    const auto option = settings.numbers.find(arguments[i]);
    if (option == settings.numbers.end()) return usage(std::string("there is no option ") + arguments[i]);
    if (!parse(arguments[i + 1], option->second)) return usage(std::string(arguments[i]) + " wants a number");
  }
  playing = make_case(settings.name);
  if (!playing) return usage("there is no case " + settings.name);
  playing->run();
  return 0;
}
