// What clients send while the server's writes to them are blocked, partly written, or closed: every byte arrives once
// and in order, in both directions. Real sockets, whose buffers are small on purpose. The traffic is made of seeds:
// messages of all sizes and kinds, in fragments, cut into segments of one byte up to all of it; a client that reads
// at once, a little, in the end, or leaves in the middle. A failure names its seed.
#include "raw_client.hpp"
#include "sio_demo.hpp"
#include "traffic.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace {

namespace sio = sio_demo;
using namespace raw_client;
using namespace traffic;
using namespace std::chrono_literals;
using dialogue::Sequence;
using polling_client::run_until;

/// A server whose sends are blocked by a few kilobytes that nobody reads.
struct Stage {
  Stage() : io(loop, {.host = "127.0.0.1", .port = 0, .max_payload = 300'000, .log_level = sio::LogLevel::off}) {
    send_back(io, got);
    acceptor.set_option(asio::socket_base::send_buffer_size(4096));  // which accepted ones inherit
  }

  asio::ip::tcp::socket connect() {
    asio::ip::tcp::socket client(loop);
    client.open(asio::ip::tcp::v4());
    client.set_option(asio::socket_base::receive_buffer_size(2048));
    client.connect(acceptor.local_endpoint());
    io.serve(acceptor.accept());
    client.non_blocking(true);
    client.set_option(asio::ip::tcp::no_delay(true));
    return client;
  }

  asio::io_context loop;
  asio::ip::tcp::acceptor acceptor{loop, {asio::ip::address_v4::loopback(), 0}};
  std::vector<std::string> got;  // what handlers were given
  sio::Server io;
};

/// What a client does: sends all of `out` in segments, and reads as it is told to.
struct Habits {
  std::size_t segment;   // bytes of a write, at most
  std::size_t sip;       // bytes of a read, at most
  std::size_t thirst;    // of 100 steps, how many read before all is sent
  std::size_t leave_at;  // bytes sent, after which it is gone; npos: it stays
};

Habits habits(Sequence& random, std::size_t size) {
  constexpr std::size_t segments[] = {1, 7, 191, 192, 193, 1000, 65'536, 1 << 20};
  constexpr std::size_t sips[] = {1, 100, 4096, 65'536};
  constexpr std::size_t thirsts[] = {0, 0, 1, 30, 100};
  Habits out{segments[random.below(8)], sips[random.below(4)], thirsts[random.below(5)], std::string::npos};
  if (size > 50'000)
    out.segment = (std::max)(out.segment, std::size_t{191}), out.sip = (std::max)(out.sip, std::size_t{4096});
  if (random.below(5) == 0) out.leave_at = random.below(size + 1);
  return out;
}

/// Runs a client to the end: until `enough(heard)`, or nothing more comes. What it has heard.
template <class Enough>
std::string converse(Stage& stage, asio::ip::tcp::socket& client, std::string_view out, const Habits& habits,
                     Sequence& random, Enough enough) {
  std::string in;
  std::vector<char> sip(habits.sip);
  std::size_t sent = 0;
  bool blocked = false;
  const auto drink = [&] {
    std::error_code error;
    const auto size = client.read_some(asio::buffer(sip), error);
    in.append(sip.data(), size);
    return !error || error == asio::error::would_block;
  };
  const auto limit = std::chrono::steady_clock::now() + 20s;
  for (bool open = true; open && !(sent == out.size() && enough(in));) {
    if (std::chrono::steady_clock::now() > limit) break;
    if (sent >= habits.leave_at) return client.close(), in;
    for (std::size_t burst = random.below(20); burst > 0 && sent < out.size() && !blocked; --burst) {
      std::error_code error;
      const auto size = 1 + random.below((std::min)({habits.segment, out.size() - sent, habits.leave_at - sent}));
      sent += client.write_some(asio::buffer(out.data() + sent, size), error);
      blocked = error == asio::error::would_block;
      if (sent >= habits.leave_at || (error && !blocked)) break;
    }
    // A client that does not read has everything sent first, unless the server cannot take it.
    if (sent == out.size() || blocked || random.below(100) < habits.thirst)
      for (std::size_t i = 0; i < 64 && open; ++i) open = drink();
    blocked = false;
    stage.loop.restart();
    stage.loop.poll();
  }
  return in;
}

/// What handlers got is what was sent, all of it or, if the client left, the first of it.
void check_got(const Stage& stage, const std::vector<std::string>& expected, bool all) {
  REQUIRE(stage.got.size() <= expected.size());
  if (all) CHECK(stage.got.size() == expected.size());
  CHECK(std::equal(stage.got.begin(), stage.got.end(), expected.begin()));
}

/// Calls f(stage, random) for one seed after the other, as long as time allows.
template <class F>
void each_seed(F f) {
  const auto limit = std::chrono::steady_clock::now() + 4s;
  std::uint64_t seed = 1;
  for (; seed <= 400 && (seed <= 8 || std::chrono::steady_clock::now() < limit); ++seed) {
    INFO("seed " << seed);
    Sequence random(seed);
    Stage stage;
    f(stage, random);
  }
  MESSAGE("seeds: " << (seed - 1));
}

void compare(Stage& stage, const std::string& heard, const std::string& expected,
             const std::vector<std::string>& messages, const Habits& habits) {
  const bool stays = habits.leave_at == std::string::npos;
  INFO("segments of " << habits.segment << ", sips of " << habits.sip << ", thirst " << habits.thirst << ", leaves at "
                      << habits.leave_at);
  CHECK(difference(heard, std::string_view(expected).substr(0, stays ? expected.npos : heard.size())) == "");
  check_got(stage, messages, stays);
  if (stays) return;
  CHECK(run_until(stage.loop, [&] { return stage.io.counters().connections_closed == 1; }));
  check_got(stage, messages, false);
}

}  // namespace

TEST_CASE("traffic: a WebSocket that is written to while it sends hears every message once") {
  each_seed([](Stage& stage, Sequence& random) {
    auto client = stage.connect();
    std::string out = upgrade("/echo"), expected = switched();
    std::vector<std::string> messages;
    for (std::size_t count = 1 + random.below(300); count > 0; --count) {
      const bool binary = random.below(2) == 0;
      messages.push_back(bytes_of(random, size_of_message(random), binary));
      add_message(out, expected, messages.back(), binary, random);
      expected += said_frame(messages.back(), binary);
      if (out.size() > 1'000'000) break;
    }
    const auto habits = ::habits(random, out.size());
    const auto heard = converse(stage, client, out, habits, random,
                                [&](const std::string& in) { return in.size() >= expected.size(); });
    compare(stage, heard, expected, messages, habits);
  });
}

TEST_CASE("traffic: events with attachments come back as they were, while the client does not read") {
  each_seed([](Stage& stage, Sequence& random) {
    auto client = stage.connect();
    std::string out = upgrade("/socket.io/?EIO=4&transport=websocket"), expected;
    out += masked(0x81, "40", random);
    std::vector<std::string> messages;
    for (std::size_t count = 1 + random.below(200); count > 0; --count) {
      const auto word = bytes_of(random, size_of_message(random), false);
      const auto attachments = random.below(3) > 0 ? 0 : 1 + random.below(3);
      std::string front = attachments == 0 ? "42" : "45" + std::to_string(attachments) + "-",
                  list = "[\"back\",\"" + word + '"';
      sio::json values = sio::json::array({word});
      std::vector<std::string> binaries;
      for (std::size_t i = 0; i < attachments; ++i) {
        list += R"(,{"_placeholder":true,"num":)" + std::to_string(i) + '}';
        binaries.push_back(bytes_of(random, size_of_message(random), true));
        values.push_back(sio::json::binary({binaries.back().begin(), binaries.back().end()}));
      }
      messages.push_back(values.dump());
      add_message(out, expected, front + list + ']', false, random);
      std::string frames;
      for (const auto& binary : binaries)
        add_message(out, expected, binary, true, random), frames += said_frame(binary, true);
      expected += said_frame(front + list + ']', false) + frames;
      if (out.size() > 1'000'000) break;
    }
    // The open packet and the answer to CONNECT come first; they hold ids, and are taken off.
    const auto behind = [](const std::string& in) {
      const auto at = in.find("40{\"sid\":\"");
      const auto end = at == in.npos ? at : in.find('}', at);
      return end == in.npos ? std::string_view() : std::string_view(in).substr(end + 1);
    };
    const auto habits = ::habits(random, out.size());
    const auto heard = converse(stage, client, out, habits, random,
                                [&](const std::string& in) { return behind(in).size() >= expected.size(); });
    compare(stage, std::string(behind(heard)), expected, messages, habits);
  });
}

TEST_CASE("traffic: pipelined requests are answered in order, each with its own body") {
  each_seed([](Stage& stage, Sequence& random) {
    auto client = stage.connect();
    std::string out, expected;
    std::vector<std::string> messages;
    for (std::size_t count = 1 + random.below(200); count > 0 && out.size() < 1'000'000; --count) {
      messages.push_back(bytes_of(random, size_of_message(random), false));
      auto& body = messages.back();
      if (body.empty()) body = "x";
      if (random.below(2) == 0) out += post("/echo", body);
      else {
        out += head("POST", "/echo", "Transfer-Encoding: chunked\r\n");
        for (std::string_view rest = body; !rest.empty();) {
          const auto size = 1 + random.below(rest.size());
          std::array<char, 24> hex;
          const auto end = std::to_chars(hex.data(), hex.data() + hex.size(), size, 16).ptr;
          out.append(hex.data(), end).append("\r\n").append(rest.substr(0, size)).append("\r\n");
          rest.remove_prefix(size);
        }
        out += "0\r\n\r\n";
      }
      expected += answered("200 OK",
                           "Content-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) + "\r\n", body);
    }
    const auto dateless = [](const std::string& in) {
      std::string text;
      text.reserve(in.size());
      std::size_t from = 0;
      for (auto at = in.find("Date: "); at != in.npos; at = in.find("Date: ", from)) {
        const auto end = in.find("\r\n", at);
        text.append(in, from, at + 6 - from).append("*");
        from = end == in.npos ? in.size() : end;
      }
      return text.append(in, from);
    };
    const auto habits = ::habits(random, out.size());
    // 28 more bytes in each date than in its star.
    const auto whole = expected.size() + messages.size() * 28;
    auto heard =
        converse(stage, client, out, habits, random, [&](const std::string& in) { return in.size() >= whole; });
    if (habits.leave_at != std::string::npos)  // it may have left in the middle of a date
      heard.resize(
          (std::min)(heard.rfind("Date: ") == heard.npos ? heard.size() : heard.rfind("Date: "), heard.size()));
    compare(stage, dateless(heard), expected, messages, habits);
  });
}

TEST_CASE("traffic: packets in polling bodies are handled once and in order, while the poll's answer is not read") {
  each_seed([](Stage& stage, Sequence& random) {
    auto down = stage.connect(), up = stage.connect();
    const auto say = [&](asio::ip::tcp::socket& client, std::string_view out, Habits habits) {
      return converse(stage, client, out, habits, random, [](const std::string& in) {
        const auto end = in.find("\r\n\r\n");
        const auto length = in.find("Content-Length: ");
        return end != in.npos && in.size() >= end + 4 + std::stoul(in.substr(length + 16));
      });
    };
    const Habits eager{1 << 20, 65'536, 100, std::string::npos};
    std::string target = "/socket.io/?EIO=4&transport=polling";
    target += "&sid=" + sid_of(say(down, get(target), eager));
    REQUIRE(say(up, post(target, "40"), eager).ends_with("ok"));
    REQUIRE(say(down, get(target), eager).find("40{\"sid\"") != std::string::npos);

    std::string expected;
    std::vector<std::string> messages;
    bool polling = false;
    for (std::size_t bodies = 1 + random.below(5); bodies > 0; --bodies) {
      std::string body;
      for (std::size_t count = 1 + random.below(300); count > 0 && body.size() < 200'000; --count) {
        const auto word = bytes_of(random, size_of_message(random), false);
        messages.push_back("[\"" + word + "\"]");
        body += (body.empty() ? "" : "\x1e") + ("42[\"back\",\"" + word + "\"]");
        expected += (expected.empty() ? "" : "\x1e") + ("42[\"back\",\"" + word + "\"]");
      }
      auto habits = ::habits(random, body.size());
      habits.leave_at = std::string::npos, habits.thirst = 0;
      if (!std::exchange(polling, polling || random.below(2) == 0) && polling)  // not read until all bodies are handled
        asio::write(down, asio::buffer(get(target)));
      REQUIRE(say(up, post(target, body), habits).ends_with("ok"));
    }
    std::string heard;
    while (heard.size() < expected.size()) {
      auto habits = ::habits(random, expected.size());
      habits.leave_at = std::string::npos;
      const auto answer = say(down, std::exchange(polling, false) ? std::string() : get(target), habits);
      REQUIRE(answer.starts_with("HTTP/1.1 200"));
      heard += (heard.empty() ? "" : "\x1e") + answer.substr(answer.find("\r\n\r\n") + 4);
    }
    CHECK(difference(heard, expected) == "");
    check_got(stage, messages, true);
  });
}
