// Chapter 14: a server inside a test, scripted, by a clock that the test moves.
#include "raw_client.hpp"

#include <optional>
#include <thread>

namespace sio = sio_demo;
using namespace std::chrono_literals;
using raw_client::Raw;
using raw_client::said;

namespace {

/// A client over WebSocket, past its handshake and, if one is named, in a namespace.
struct Client : Raw {
  explicit Client(sio::FakeServer& server, const std::string& connect = "40")
      : Raw(server.server().loop(), server.port()), fake(server) {
    send(raw_client::upgrade("/socket.io/?EIO=4&transport=websocket"));
    id = raw_client::sid_of(next("\"maxPayload\":1000000}"));
    if (!connect.empty()) say(connect), joined = next("}");
  }
  void say(std::string_view packet) { send(raw_client::text(packet)); }
  /// What has come, once it ends with this.
  std::string next(std::string_view end) {
    CHECK(fake.run_until([&] { return heard().ends_with(end) || ended; }));
    return take(0);
  }
  sio::FakeServer& fake;
  std::string id, joined;
};

TEST_CASE("a fake server gives its replies one after the other, and the last one again and again") {
  sio::FakeServer fake;
  fake.reply("price", 1).reply("price", 2, "two").reply("nothing");
  Client client(fake);
  client.say("420[\"price\"]");
  CHECK(client.hears(said(0x81, "430[1]")));
  client.say("421[\"price\"]");
  CHECK(client.hears(said(0x81, "431[2,\"two\"]")));
  client.say("422[\"price\"]");
  CHECK(client.hears(said(0x81, "432[2,\"two\"]")));
  client.say("423[\"nothing\"]");
  CHECK(client.hears(said(0x81, "433[]")));
  client.say("424[\"without a script\"]");
  CHECK(client.is_quiet());
}

TEST_CASE("a fake server knows any namespace, and a script that comes late") {
  sio::FakeServer fake;
  fake.reply("early", "early");
  fake.server().of("/known");
  fake.server().of("/known").on(
      "own", [](sio::Socket&, const sio::json::array_t&, const sio::Reply<>& reply) { reply("own"); });
  for (const std::string nsp : {"/known", "/made/up"}) {
    CAPTURE(nsp);
    Client client(fake, "40" + nsp + ",");
    client.say("42" + nsp + ",0[\"early\"]");
    CHECK(client.hears(said(0x81, "43" + nsp + ",0[\"early\"]")));
    fake.reply("late " + nsp, "late");
    client.say("42" + nsp + ",1[\"late " + nsp + "\"]");
    CHECK(client.hears(said(0x81, "43" + nsp + ",1[\"late\"]")));
  }
  Client client(fake, "40/known,");
  client.say("42/known,7[\"own\"]");
  CHECK(client.hears(said(0x81, "43/known,7[\"own\"]")));
}

TEST_CASE("a fake server keeps what it was told, in order, until it is to forget") {
  sio::FakeServer fake;
  Client client(fake), other(fake, "40/chat,");
  client.say("42[\"a\",1,{\"b\":null}]");
  REQUIRE(fake.run_until([&] { return fake.received().size() == 1; }));
  other.say("42/chat,5[\"c\"]");
  REQUIRE(fake.run_until([&] { return fake.received().size() == 2; }));
  const auto& first = fake.received()[0];
  const auto& second = fake.received()[1];
  CHECK(first.nsp == "/");
  CHECK(first.name == "a");
  CHECK(first.arguments == sio::json::array_t{1, {{"b", nullptr}}});
  CHECK(second.nsp == "/chat");
  CHECK(second.name == "c");
  CHECK(second.arguments.empty());
  CHECK(other.joined.find(second.socket) != std::string::npos);
  fake.forget();
  CHECK(fake.received().empty());
}

TEST_CASE("a fake server refuses whom it is told to") {
  sio::FakeServer fake;
  fake.refuse("closed today", {{"open", "tomorrow"}});
  Client client(fake, "");
  client.say("40");
  CHECK(client.hears(said(0x81, R"(44{"message":"closed today","data":{"open":"tomorrow"}})")));
  client.say("40/chat,");
  CHECK(client.hears(said(0x81, R"(44/chat,{"message":"closed today","data":{"open":"tomorrow"}})")));
  fake.accept();
  client.say("40");
  CHECK(client.next("}").find("40{\"sid\":") != std::string::npos);
}

TEST_CASE("a fake server drops its clients as one that dies, and is there again") {
  sio::FakeServer fake;
  Client client(fake);
  fake.drop_clients();
  CHECK(client.is_closed());
  CHECK(client.take(0).find("41") == std::string::npos);  // no DISCONNECT: official clients would stay away
  Client again(fake);
  CHECK_FALSE(again.joined.empty());
}

TEST_CASE("two fake servers say the same bytes") {
  const auto play = [] {
    sio::FakeServer fake;
    Client client(fake);
    return client.id + client.joined;
  };
  const auto once = play();
  CHECK(once.size() > 40);
  CHECK(play() == once);
}

TEST_CASE("run_until gives up after the time it was given") {
  sio::FakeServer fake;
  CHECK_FALSE(fake.run_until([] { return false; }, 20ms));
  CHECK(fake.run_until([] { return true; }, 0ms));
}

TEST_CASE("time passes when the test says so") {
  std::string why;  // what handlers refer to outlives the server, whose end calls some
  std::optional<std::error_code> end;
  sio::FakeServer fake({.ping_interval = 25s, .ping_timeout = 20s});
  fake.server().on_disconnect([&](sio::Socket&, const sio::Disconnect& reason) { why = reason.text; });

  SUBCASE("a heartbeat comes in its time, not before, and time does not stop with a client that answers") {
    Client client(fake);
    for (int round = 0; round < 50; ++round) {  // twenty minutes
      fake.advance(24'999ms);
      REQUIRE(client.take(0).empty());
      fake.advance(1ms);
      REQUIRE(client.next("2") == said(0x81, "2"));
      client.say("3");
      fake.server().loop().poll();
      REQUIRE(fake.run_until(
          [&] { return fake.server().counters().packets_received == static_cast<unsigned>(round) + 2; }));
    }
    CHECK(why.empty());
  }
  SUBCASE("who stays silent has its ping, and then the end") {
    Client client(fake);
    fake.advance(45s);
    CHECK(why == "ping timeout");
    CHECK(client.take(0).starts_with(said(0x81, "2")));
    fake.advance(1min);  // so long the close frame's answer is waited for
    CHECK(client.is_closed());
  }
  SUBCASE("a wait for an ack ends after an hour, and the real clock does not count") {
    Client client(fake);
    fake.server().timeout(1h).emit("agree?", [&](std::error_code error, const sio::json::array_t&) { end = error; });
    polling_client::settle(fake.server().loop(), 10ms);
    CHECK_FALSE(end.has_value());
    sio::FakeServer patient({.ping_interval = 2h});
    Client waiting(patient);
    patient.server().timeout(1h).emit("agree?", [&](std::error_code error, const sio::json::array_t&) { end = error; });
    patient.advance(59min + 59s);
    CHECK_FALSE(end.has_value());
    patient.advance(1s);
    REQUIRE(end.has_value());
    CHECK(*end == std::errc::timed_out);
  }
  SUBCASE("tokens come back") {
    sio::FakeServer strict({.event_rate = {.burst = 1, .per_second = 0.01}});
    strict.reply("x", "y");
    Client client(strict);
    client.say("421[\"x\"]");
    CHECK(client.hears(said(0x81, "431[\"y\"]")));
    client.say("422[\"x\"]");
    CHECK(client.next("]").find("RATE_LIMITED") != std::string::npos);
    for (int second = 0; second < 100; second += 20) {
      strict.advance(20s);
      if (!client.take(0).empty()) client.say("3");
      strict.run_until([&] { return !client.is_quiet(1ms) || true; });
    }
    client.say("423[\"x\"]");
    CHECK(client.next("]").find("433[\"y\"]") != std::string::npos);
  }
}

TEST_CASE("servers may share a clock, and leave it when they end") {
  const auto clock = std::make_shared<sio::engineio::ManualClock>();
  asio::io_context loop;
  std::vector<int> order;
  sio::FakeServer one(loop, {.clock = clock});
  {
    sio::FakeServer two(loop, {.ping_interval = 1s, .ping_timeout = 1s, .clock = clock});
    one.server().on_disconnect([&](sio::Socket&, const sio::Disconnect&) { order.push_back(1); });
    two.server().on_disconnect([&](sio::Socket&, const sio::Disconnect&) { order.push_back(2); });
    Client slow(one), quick(two);
    one.advance(100s);
    CHECK(order == std::vector<int>{2, 1});
  }
  CHECK_FALSE(clock->step(clock->now() + 1h));
}

TEST_CASE("a fake server runs in a thread of its own for a client that waits") {
  sio::FakeServer fake;
  fake.reply("sum", 42);
  std::thread thread([&] { fake.server().run(); });
  asio::io_context mine;
  Raw client(mine, fake.port());
  client.send(raw_client::upgrade("/socket.io/?EIO=4&transport=websocket"));
  client.send(raw_client::text("40"));
  client.send(raw_client::text("420[\"sum\",40,2]"));
  CHECK(polling_client::run_until(mine, [&] { return client.heard().ends_with("430[42]"); }));
  fake.server().loop().stop();
  thread.join();
  CHECK(fake.received().size() == 1);
}

}  // namespace
