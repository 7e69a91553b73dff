// Connections without the kernel: each reads and writes a stream that follows a script, so that a conversation can be
// disturbed at every place: bytes come one by one or late, a write takes a part, blocks or fails, the client leaves.
// What handlers got and what was sent is then compared, byte for byte, with the undisturbed run; traffic_test.cpp does
// the same by chance with real sockets.
#include "../raw_client.hpp"
#include "../traffic.hpp"
#include "sio_demo.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace scripted {
namespace {

namespace sio = sio_demo;
using namespace raw_client;
using namespace traffic;
using dialogue::Sequence;
using sio::net::Error;
using Connection = sio::Ref<sio::net::Connection>;

constexpr auto never = std::string::npos;

/// What happens to one connection.
struct Script {
  enum class Segments { all, half, chunk, one };
  enum class Then { block, fail_write, fail_wait, fail_read, leave };
  Segments segments = Segments::all;  // what a read brings of that which is here; chunk: nothing when read at once
  std::size_t pause = never;          // bytes read, behind which nothing comes until all else has happened
  std::size_t leave = never;          // bytes read, behind which the client has closed
  std::size_t take = never;           // bytes that a write takes; soon it takes more
  std::size_t stop = never;           // bytes written, behind which
  Then then = Then::block;            // this happens; what is blocked goes on when all else has happened

  std::string text() const {
    const auto of = [](std::size_t n) { return n == never ? std::string("-") : std::to_string(n); };
    return "segments " + std::to_string(static_cast<int>(segments)) + ", pause " + of(pause) + ", leave " + of(leave) +
           ", take " + of(take) + ", stop " + of(stop) + ", then " + std::to_string(static_cast<int>(then));
  }
};

/// What a test and the stream that the connection owns have in common.
struct Wire {
  Wire(asio::io_context& its_loop, const Script& its_script) : loop(its_loop), script(its_script) {}

  void say(std::string_view bytes) {
    in += bytes;
    deliver();
  }
  bool failed() const { return script.then >= Script::Then::fail_write && !leaves() && sent.size() >= script.stop; }
  /// Whether the script's last word is spoken.
  bool is_over() const { return failed() || read >= script.leave || (leaves() && sent.size() >= script.stop); }
  /// What waited for all else to happen goes on.
  bool come() {
    if (read != script.pause || in.size() == read) return false;
    script.pause = never;
    return deliver();
  }
  bool drain() {
    if (!writer) return false;
    if (script.then == Script::Then::block) script.stop = never;
    return wake(failed() && script.then == Script::Then::fail_wait ? asio::error::connection_reset : Error());
  }

  // ---- the stream's side
  std::size_t take_in(asio::mutable_buffer room, bool at_once) {
    std::memset(room.data(), 0xee, room.size());  // whoever still needs what was there loses it
    std::size_t size = (std::min)(room.size(), here());
    if (script.segments == Script::Segments::half) size = (size + 1) / 2;
    else if (script.segments == Script::Segments::one) size = (std::min)(size, std::size_t{1});
    else if (script.segments == Script::Segments::chunk && at_once) size = 0;
    if (failed()) size = 0;
    std::memcpy(room.data(), in.data() + read, size);
    read += size;
    return size;
  }
  bool deliver() {
    if (!reader) return false;
    Error error;
    if (failed() && script.then == Script::Then::fail_read) error = asio::error::connection_reset;
    else if (here() == 0 && (ended || shut || is_over()) && !failed()) error = asio::error::eof;
    else if (here() == 0 || failed()) return false;
    finish(error);
    return true;
  }
  /// The read ends, behind the call that made it end.
  void finish(const Error& error) {
    const auto size = error ? 0 : take_in(into, false);
    asio::post(loop, [self = std::exchange(reader, {}), error, size] { self->on_read(error, size); });
  }
  bool wake(const Error& error) {
    asio::post(loop, [self = std::exchange(writer, {}), error] { self->on_writable(error); });
    return true;
  }
  std::size_t write(const std::vector<asio::const_buffer>& buffers, Error& error) {
    if (closed) breach = "written to after close()";
    if (failed() && script.then != Script::Then::fail_wait) return error = asio::error::broken_pipe, 0;
    std::size_t room =
        leaves() ? script.take : (std::min)(script.take, script.stop - (std::min)(script.stop, sent.size()));
    const auto before = sent.size();
    for (const auto& buffer : buffers) {
      const auto size = (std::min)(buffer.size(), room);
      sent.append(static_cast<const char*>(buffer.data()), size);
      room -= size;
    }
    writes.push_back(sent.size());
    if (sent.size() == before) error = asio::error::would_block;
    deliver();  // the client may leave, or be lost, for what it has heard
    return sent.size() - before;
  }

  asio::io_context& loop;
  Script script;
  std::string in, sent;
  std::vector<std::size_t> writes;  // bytes sent at the end of each
  std::size_t read = 0;
  bool ended = false, shut = false, closed = false, destroyed = false;
  const char* breach = nullptr;  // of the stream's contract, by the connection
  Connection reader, writer;
  asio::mutable_buffer into;

 private:
  bool leaves() const { return script.then == Script::Then::leave; }
  std::size_t here() const { return (std::min)({in.size(), script.leave, script.pause}) - read; }
};

class Stream final : public sio::net::Stream {
 public:
  explicit Stream(std::shared_ptr<Wire> wire) : wire_(std::move(wire)) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() override { wire_->destroyed = true; }

  void async_read_some(asio::mutable_buffer into, Connection reader) override {
    if (wire_->reader) wire_->breach = "two reads at a time";
    std::memset(into.data(), 0xee, into.size());
    wire_->reader = std::move(reader), wire_->into = into;
    wire_->closed ? wire_->finish(asio::error::operation_aborted) : void(wire_->deliver());
  }
  std::size_t read_some(asio::mutable_buffer into) override {
    if (wire_->reader) wire_->breach = "read at once within a read";
    return wire_->take_in(into, true);
  }
  std::size_t write_some(const std::vector<asio::const_buffer>& buffers, Error& error) override {
    if (wire_->writer) wire_->breach = "written to within a wait";
    return wire_->write(buffers, error);
  }
  void async_wait_writable(Connection writer) override {
    if (wire_->writer) wire_->breach = "two waits at a time";
    wire_->writer = std::move(writer);
    if (wire_->closed) wire_->wake(asio::error::operation_aborted);
    else if (wire_->script.take != never && wire_->sent.size() != wire_->script.stop) wire_->wake({});
  }
  void shutdown_send() override {
    wire_->shut = true;
    wire_->deliver();  // a client that reads the end closes
  }
  void close() override {
    wire_->closed = true;
    if (wire_->reader) wire_->finish(asio::error::operation_aborted);
    if (wire_->writer) wire_->wake(asio::error::operation_aborted);
  }

 private:
  std::shared_ptr<Wire> wire_;
};

// An explicit instantiation may name what is private.
sio::net::Driver& driver_of(sio::Host& host);
template <auto Member>
struct Opened {
  friend sio::net::Driver& driver_of(sio::Host& host) { return *(host.*Member); }
};
template struct Opened<&sio::Host::driver_>;

/// One thing that a client says, on one of its connections, when all that was said before is answered. `heard` is what
/// has come on the first connection.
struct Step {
  std::size_t wire;
  std::function<std::string(const std::string& heard)> say;
  sio::Milliseconds pause{0};  // time that passes before

  Step(std::size_t its_wire, std::string bytes, sio::Milliseconds its_pause = {})
      : wire(its_wire), say([bytes = std::move(bytes)](const std::string&) { return bytes; }), pause(its_pause) {}
  Step(std::size_t its_wire, std::function<std::string(const std::string&)> its_say)
      : wire(its_wire), say(std::move(its_say)) {}
};

struct Conversation {
  std::size_t wires;
  std::vector<Step> steps;
  std::size_t packets_per_turn = 64;  // few: input is held again and again
  bool counts = false;                // has numbers that a server counts up: each run has a server of its own
};

/// What came of a conversation.
struct Run {
  std::vector<std::string> got;                 // by handlers
  std::vector<std::string> sent;                // by the server, on each connection
  std::vector<std::size_t> said;                // bytes that clients had to send, on each connection
  std::vector<std::vector<std::size_t>> after;  // bytes sent on each, after each step
  std::vector<std::vector<std::size_t>> ends;   // of each connection's writes
  sio::Counters counters;                       // what was added
  std::vector<bool> is_over;                    // whose script was played to its end
  bool complete = true;
  std::string fault;  // what must not be, whatever the script says
};

/// A server whose handlers write down what they get and send it back.
struct Theatre {
  explicit Theatre(std::size_t packets_per_turn) : io(loop, options(packets_per_turn)) {
    traffic::send_back(io, got);
    io.on("ask", [this](sio::Socket&, const sio::json::array_t& values, sio::Reply<> reply) {
      got.push_back(sio::json(values).dump());
      reply(sio::each(values));
    });
    io.on("quiz", [this](sio::Socket& socket, const sio::json::array_t& values) {
      socket.emit_with_ack("question", sio::each(values), [this](Error error, const sio::json::array_t& answer) {
        if (!error) got.push_back(sio::json(answer).dump());  // a client that has left owes none
      });
    });
  }

  sio::Options options(std::size_t packets_per_turn) {
    sio::Options out;
    out.packets_per_turn = packets_per_turn;
    out.allow_request = [this](const sio::http::Request&, const sio::Next& next) {
      asio::post(loop, [next] { next(); });
    };
    out.log_level = sio::LogLevel::off;
    out.clock = clock;
    return out;
  }

  /// Until nothing happens any more: what comes late has come, and then what was blocked has been written.
  void settle(const std::vector<std::shared_ptr<Wire>>& wires) {
    const auto any = [&](bool (Wire::*go_on)()) {
      return std::count_if(wires.begin(), wires.end(), [&](const auto& wire) { return ((*wire).*go_on)(); }) > 0;
    };
    do {
      loop.restart();
      loop.poll();
    } while (any(&Wire::come) || any(&Wire::drain));
  }

  /// Holds the conversation, as far as the scripts let it, and ends it.
  Run play(const Conversation& conversation, const std::vector<Script>& scripts, const Run* undisturbed = nullptr) {
    Run out;
    got.clear();
    const auto before = io.counters();
    std::vector<std::shared_ptr<Wire>> wires;
    for (std::size_t i = 0; i < conversation.wires; ++i) {
      wires.push_back(std::make_shared<Wire>(loop, scripts[i]));
      driver_of(io).serve(std::make_unique<Stream>(wires.back()), peer, {});
    }
    for (std::size_t i = 0; out.complete && i < conversation.steps.size(); ++i) {
      const auto& step = conversation.steps[i];
      if (step.pause.count() > 0) clock->advance(step.pause);
      wires[step.wire]->say(step.say(wires[0]->sent));
      settle(wires);
      out.after.emplace_back();
      for (const auto& wire : wires) {
        out.after.back().push_back(wire->sent.size());
        out.complete = out.complete && !wire->is_over();
      }
      if (undisturbed && out.after.back() != undisturbed->after[i]) out.complete = false;
    }
    out.got = got;
    out.counters = io.counters();
    const auto less = [](auto& of, auto by) { of -= by; };
    less(out.counters.requests, before.requests), less(out.counters.events, before.events);
    less(out.counters.bytes_received, before.bytes_received), less(out.counters.bytes_sent, before.bytes_sent);
    less(out.counters.packets_received, before.packets_received), less(out.counters.packets_sent, before.packets_sent);
    bool over = false;
    for (const auto& wire : wires) {
      out.sent.push_back(wire->sent), out.said.push_back(wire->in.size()), out.ends.push_back(wire->writes);
      out.is_over.push_back(wire->is_over());
      over = over || wire->is_over();
      wire->ended = true;
    }
    if (!out.complete && !over)
      out.fault =
          "step " + std::to_string(out.after.size()) + ": not what was sent undisturbed, although nobody has left;";
    for (const auto& wire : wires) wire->deliver();
    settle(wires);
    clock->advance(std::chrono::minutes(2));  // sessions that nobody has ended
    settle(wires);
    check_base(before, wires, out.fault);
    return out;
  }

  /// Everybody is gone, and all that was counted came to an end.
  void check_base(const sio::Counters& before, const std::vector<std::shared_ptr<Wire>>& wires, std::string& fault) {
    const auto& now = io.counters();
    std::uint64_t sent = before.bytes_sent;
    for (const auto& wire : wires) sent += wire->sent.size();
    if (now.connections_opened != now.connections_closed) fault += " a connection is open;";
    if (now.sessions_opened != now.sessions_closed || io.clients_count() > 0) fault += " a session is open;";
    if (now.sockets_joined != now.sockets_left) fault += " a socket has not left;";
    if (now.queue_bytes != 0 || now.websocket_sessions != 0) fault += " something is still counted;";
    if (now.bytes_sent != sent) fault += " bytes_sent is not what was written;";
    for (const auto& wire : wires) {
      if (!wire->closed || !wire->destroyed) fault += " a connection lives on;";
      if (wire->breach) fault += wire->breach;
    }
  }

  const sio::http::Address peer = *sio::http::Address::parse("203.0.113.7");
  std::shared_ptr<sio::engineio::ManualClock> clock = std::make_shared<sio::engineio::ManualClock>();
  asio::io_context loop;
  std::vector<std::string> got;
  sio::Server io;
};

/// What differs from run to run: dates and ids, which are always of the same length.
std::string steady(std::string text, const std::string& undisturbed) {
  for (const auto& [mark, length] : {std::pair{"Date: ", 29}, std::pair{"\"sid\":\"", 20}})
    for (auto at = undisturbed.find(mark); at != never; at = undisturbed.find(mark, at + 1))
      for (auto i = at + std::strlen(mark), end = i + static_cast<std::size_t>(length);
           i < (std::min)(end, text.size()); ++i)
        text[i] = '*';
  return text;
}

/// What is wrong with a run; empty: nothing.
std::string fault_of(const Run& run, const Run& undisturbed) {
  if (!run.fault.empty()) return run.fault;
  if (run.got.size() > undisturbed.got.size() || !std::equal(run.got.begin(), run.got.end(), undisturbed.got.begin()))
    return "handlers got something else";
  for (std::size_t i = 0; i < run.sent.size(); ++i) {
    const auto& whole = undisturbed.sent[i];
    std::string_view sent = run.sent[i];
    constexpr std::string_view refusal = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    if (!run.complete && sent.ends_with(refusal)) sent.remove_suffix(refusal.size());  // left in the middle of a body
    if (!run.complete && !run.is_over[i])  // its session may be told that another connection is lost
      for (const std::string_view end : {std::string_view("\r\n\r\n1"), std::string_view("\x88\0", 2)})
        if (sent.ends_with(end)) sent = sent.substr(0, run.after.size() < 2 ? 0 : run.after[run.after.size() - 2][i]);
    const auto part = run.complete ? whole : whole.substr(0, sent.size());
    if (const auto found = difference(steady(std::string(sent), whole), steady(part, whole)); !found.empty())
      return "connection " + std::to_string(i) + ": what was sent " + found;
  }
  if (!run.complete) return {};
  if (run.got.size() != undisturbed.got.size()) return "handlers did not get everything";
  const auto &a = run.counters, &b = undisturbed.counters;
  if (a.requests != b.requests || a.events != b.events || a.bytes_received != b.bytes_received ||
      a.bytes_sent != b.bytes_sent || a.packets_received != b.packets_received || a.packets_sent != b.packets_sent)
    return "counters differ";
  return {};
}

/// Disturbs the conversation at every place, each connection on its own. What was undisturbed, for the test to look at.
Run disturb(const Conversation& conversation) {
  using Segments = Script::Segments;
  using Then = Script::Then;
  auto theatre = std::make_unique<Theatre>(conversation.packets_per_turn);
  const std::vector<Script> plain(conversation.wires);
  const auto undisturbed = theatre->play(conversation, plain);
  CHECK(undisturbed.fault == "");
  int runs = 0, complete = 0, faults = 0;
  const auto play = [&](const std::vector<Script>& scripts) {
    if (conversation.counts) theatre = std::make_unique<Theatre>(conversation.packets_per_turn);
    const auto run = theatre->play(conversation, scripts, &undisturbed);
    ++runs, complete += run.complete;
    const auto fault = fault_of(run, undisturbed);
    if (fault.empty()) return;
    std::string text;
    for (const auto& script : scripts) text += "\n  " + script.text();
    FAIL_CHECK(fault << text);
    REQUIRE_MESSAGE(++faults < 5, "and so on");
  };
  constexpr Segments segments[] = {Segments::all, Segments::half, Segments::chunk};

  std::size_t all = 0;
  for (std::size_t i = 0; i < conversation.wires; ++i) all += undisturbed.sent[i].size() + undisturbed.said[i];
  const bool is_large = all > 10'000;  // then not every byte
  for (const auto segment : {Segments::all, Segments::half, Segments::chunk, Segments::one})
    for (const std::size_t take : {never, std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{200}}) {
      if (is_large && (segment == Segments::one || take < 200)) continue;
      auto scripts = plain;
      for (auto& script : scripts) script.segments = segment, script.take = take;
      play(scripts);
    }
  for (std::size_t i = 0; i < conversation.wires; ++i) {
    auto scripts = plain;
    const auto with = [&](const Script& script) {
      scripts[i] = script;
      scripts[i].segments = segments[static_cast<std::size_t>(runs) % 3];
      play(scripts);
    };
    const auto& sent = undisturbed.sent[i];
    const auto& ends = undisturbed.ends[i];
    for (std::size_t at = 0; at < sent.size(); ++at) {
      const bool near_end =
          std::any_of(ends.begin(), ends.end(), [&](auto end) { return at + 1 >= end && at <= end + 1; });
      if (is_large && !near_end && at % 101 != 0) continue;
      with({.stop = at});
      for (const auto then : {Then::fail_write, Then::fail_wait, Then::fail_read, Then::leave})
        if (near_end || static_cast<std::size_t>(then) == at % 4 + 1) with({.stop = at, .then = then});
    }
    for (std::size_t at = 0; at < undisturbed.said[i]; ++at) {
      if (is_large && at % 101 > 1) continue;
      with({.pause = at, .stop = at * 7 % (sent.size() + 1)});
      with({.leave = at});
    }
  }
  MESSAGE("runs: " << runs << ", to the end: " << complete);
  CHECK(complete > runs / 5);
  CHECK(runs - complete > runs / 5);
  return undisturbed;
}

std::string polling(const std::string& heard) { return "/socket.io/?EIO=4&transport=polling&sid=" + sid_of(heard); }

const std::string open_polling = get("/socket.io/?EIO=4&transport=polling");

}  // namespace
}  // namespace scripted

TEST_CASE("scripted stream: HTTP requests on a connection that is kept, with bodies") {
  using namespace scripted;
  const std::string large(500, 'L');
  const auto run =
      disturb({1,
               {{0, post("/echo", "first") + head("POST", "/echo", "Transfer-Encoding: chunked\r\n") +
                        "4\r\nseco\r\n2\r\nnd\r\n0\r\n\r\n" + head("HEAD", "/nowhere")},
                {0, post("/echo", large) + head("POST", "/echo", "Expect: 100-continue\r\nContent-Length: 5\r\n")},
                {0, "third"},
                {0, head("POST", "/echo", "Connection: close\r\nContent-Length: 4\r\n") + "last"}}});
  CHECK(run.got == std::vector<std::string>{"first", "second", large, "third", "last"});
  CHECK(run.sent[0].find("100 Continue") != never);
  CHECK(run.sent[0].ends_with("Connection: close\r\n\r\nlast"));
}

TEST_CASE("scripted stream: polling, with several packets and binary ones in a body") {
  using namespace scripted;
  const auto poll = [](const std::string& heard) { return get(polling(heard)); };
  const auto send = [](std::string body) {
    return [body = std::move(body)](const std::string& heard) { return post(polling(heard), body); };
  };
  const auto run = disturb({2,
                            {{0, open_polling},
                             {1, send("40")},
                             {0, poll},
                             {1, send("42[\"back\",1]\x1e"
                                      "451-[\"back\",{\"_placeholder\":true,\"num\":0}]\x1e"
                                      "bAQIDBA==\x1e"
                                      "42[\"back\",\"two\"]")},
                             {0, poll},
                             {0, poll},  // held
                             {1, send("42[\"back\",3]\x1e"
                                      "42[\"back\",4]")},
                             {1, send("1")}}});
  CHECK(run.got ==
        std::vector<std::string>{"[1]", R"([{"bytes":[1,2,3,4],"subtype":null}])", R"(["two"])", "[3]", "[4]"});
  CHECK(
      run.sent[0].ends_with("42[\"back\",3]\x1e"
                            "42[\"back\",4]"));
}

TEST_CASE("scripted stream: a WebSocket with text, binary, fragments, and control frames in between") {
  using namespace scripted;
  Sequence random(4);
  std::string out, expected = switched();
  std::vector<std::string> messages;
  for (const std::size_t size : {0u, 1u, 50u, 125u, 126u, 180u, 300u, 3u, 2u, 1u}) {
    messages.push_back(bytes_of(random, size, size % 2 == 0));
    add_message(out, expected, messages.back(), size % 2 == 0, random);
    out += masked(0x8a, "unasked", random);
    expected += said_frame(messages.back(), size % 2 == 0);
  }
  const auto run = disturb({1,
                            {{0, upgrade("/echo") + out},
                             {0, masked(0x89, "ping", random)},
                             {0, masked(0x88,
                                        "\x03\xe8"
                                        "end",
                                        random)}},
                            3});
  CHECK(run.got == messages);
  expected += said(0x8a, "ping") + said(0x88,
                                        "\x03\xe8"
                                        "end");
  CHECK(difference(run.sent[0], expected) == "");
}

TEST_CASE("scripted stream: large frames, which are written from where they are") {
  using namespace scripted;
  Sequence random(5);
  std::string out, expected = switched();
  std::vector<std::string> messages;
  for (const std::size_t size : {3000u, 10u, 20u, 2049u, 30u, 9000u, 40u, 2048u, 300u}) {
    messages.push_back(bytes_of(random, size, false));
    add_message(out, expected, messages.back(), false, random);
    expected += said_frame(messages.back(), false);
  }
  const auto run = disturb({1, {{0, upgrade("/echo")}, {0, out}}, 3});
  CHECK(run.got == messages);
  CHECK(difference(run.sent[0], expected) == "");
}

TEST_CASE("scripted stream: the upgrade from polling to a WebSocket") {
  using namespace scripted;
  const auto poll = [](const std::string& heard) { return get(polling(heard)); };
  const auto run =
      disturb({3,
               {{0, open_polling},
                {1, [](const std::string& heard) { return post(polling(heard), "40"); }},
                {0, poll},
                {0, poll},  // held
                {2,
                 [](const std::string& heard) {
                   return upgrade("/socket.io/?EIO=4&transport=websocket&sid=" + sid_of(heard)) + text("2probe");
                 }},
                {1, [](const std::string& heard) { return post(polling(heard), "42[\"back\",\"before\"]"); }},
                {2, text("5") + text("42[\"back\",\"behind\"]"), sio::Milliseconds(100)},
                {2, text("42[\"back\",\"last\"]") + close("\x03\xe8")}}});
  CHECK(run.got == std::vector<std::string>{R"(["before"])", R"(["behind"])", R"(["last"])"});
  CHECK(run.sent[2].find("3probe") != never);
}

TEST_CASE("scripted stream: events with attachments, and acks both ways") {
  using namespace scripted;
  const std::string placeholder = R"({"_placeholder":true,"num":)";
  const auto run =
      disturb({1,
               {{0, upgrade("/socket.io/?EIO=4&transport=websocket") + text("40")},
                {0, text("421[\"ask\",\"why\"]") + text("452-2[\"ask\"," + placeholder + "0}," + placeholder + "1}]") +
                        binary("abc") + binary(std::string(200, 'b')) + text("42[\"quiz\",1]") +
                        text("451-[\"quiz\"," + placeholder + "0}]") + binary("q")},
                {0, text("430[\"because\"]") + text("461-1[" + placeholder + "0}]") + binary("a") +
                        text("42[\"back\",\"last\"]")},
                {0, text("41") + close()}},
               2,
               true});
  CHECK(run.got.size() == 5);
  CHECK(run.got.back() == R"(["last"])");
}
