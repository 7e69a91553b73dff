// Chapter 9: the server asks, clients answer. Every way to wait for an answer, and everything that may come in
// its place. Clients are the polling clients of polling_client.hpp: what they answer is written out.
#include "polling_client.hpp"
#include "sio_demo.hpp"

#include <doctest/doctest.h>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/strand.hpp>
#include <asio/use_future.hpp>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

namespace sio = sio_demo;
using polling_client::Client;
using polling_client::run_until;
using polling_client::settle;
using sio::json;
using namespace std::chrono_literals;

inline constexpr sio::ServerToClient<"how old", int(std::string)> how_old{};
inline constexpr sio::ServerToClient<"are you there", void()> are_you_there{};
inline constexpr sio::ServerToClient<"negative", sio::Bytes(sio::Bytes)> negative{};

sio::Options quiet() { return {.host = "127.0.0.1", .port = 0, .log_level = sio::LogLevel::off}; }

/// A server in a loop, listening; it may be taken away before the loop.
struct Stage {
  explicit Stage(sio::Options options = quiet())
      : server(std::make_unique<sio::Server>(loop, std::move(options))), io(*server) {
    io.listen();
  }

  asio::io_context loop;
  std::unique_ptr<sio::Server> server;
  sio::Server& io;

  Client client() { return Client(loop, io.port()); }
  /// Connects it, and returns the server's side of it.
  sio::Socket join(Client& client, const std::string& nsp = "") { return io.of(nsp).find(client.join(nsp)).value(); }
};

/// What an operation completed with, and how often.
template <class... Values>
struct Outcome {
  int times = 0;
  std::error_code error;
  std::tuple<Values...> values;

  auto callback() {
    return
        [this](std::error_code its_error, Values... its) { ++times, error = its_error, values = {std::move(its)...}; };
  }
  const auto& value() const { return std::get<0>(values); }
};

template <class Future>
bool is_ready(const Future& future) {
  return future.wait_for(0s) == std::future_status::ready;
}

}  // namespace

// ---- One socket ---------------------------------------------------------------------------------------

TEST_CASE("ack: a callback gets the value that the event's ack carries") {
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  Outcome<int> age;
  socket.emit_with_ack(how_old, "Ada", age.callback());
  CHECK(client.hear() == R"(420["how old","Ada"])");
  CHECK(age.times == 0);
  client.say("430[36]");
  CHECK(age.times == 1);
  CHECK_FALSE(age.error);
  CHECK(age.value() == 36);
}

TEST_CASE("ack: by name, all arguments of the answer; of an ack that carries nothing, no value") {
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  Outcome<json::array_t> words;
  Outcome<> there;
  socket.emit_with_ack("say something", 1, json{{"loud", true}}, words.callback());
  socket.emit_with_ack(are_you_there, there.callback());
  CHECK(client.hear() == R"(420["say something",1,{"loud":true}]~421["are you there"])");
  client.say(
      "431[\"whatever\"]\x1e"
      R"(430["a",null,{"b":[2]}])");
  CHECK(words.value() == json::array_t{"a", nullptr, {{"b", {2}}}});
  CHECK(there.times == 1);
  CHECK_FALSE(there.error);
}

TEST_CASE("ack: binary both ways") {
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  Outcome<sio::Bytes> bytes;
  socket.emit_with_ack(negative, sio::Bytes{1, 2}, bytes.callback());
  CHECK(client.hear() == R"(451-0["negative",{"_placeholder":true,"num":0}]~bAQI=)");
  client.say(
      "461-0[{\"_placeholder\":true,\"num\":0}]\x1e"
      "b/v0=");
  CHECK(bytes.times == 1);
  CHECK(bytes.value() == sio::Bytes{254, 253});
}

TEST_CASE("ack: each namespace counts its own") {
  Stage stage;
  stage.io.of("/chat");
  auto client = stage.client();
  const auto root = stage.join(client), chat = stage.join(client, "/chat");
  Outcome<int> first, second;
  root.emit_with_ack(how_old, "root", first.callback());
  chat.emit_with_ack(how_old, "chat", second.callback());
  CHECK(client.hear() == R"(420["how old","root"]~42/chat,0["how old","chat"])");
  client.say(
      "43/chat,0[2]\x1e"
      "430[1]");
  CHECK(first.value() == 1);
  CHECK(second.value() == 2);
}

TEST_CASE("ack: repeated, late and unasked answers are ignored") {
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  Outcome<int> age, slow;
  socket.emit_with_ack(how_old, "Ada", age.callback());
  socket.timeout(5ms).emit(how_old, "Bob", slow.callback());
  client.say(
      "43[1]\x1e"
      "437[1]\x1e"
      "4399999999999999999999[1]");
  CHECK(age.times == 0);
  client.say(
      "430[36]\x1e"
      "430[37]");
  client.say("430[38]");
  CHECK(age.times == 1);
  CHECK(age.value() == 36);
  CHECK(run_until(stage.loop, [&] { return slow.times > 0; }));
  client.say("431[40]");
  CHECK(slow.times == 1);
  CHECK(slow.error == std::errc::timed_out);
  CHECK(socket.connected());
}

TEST_CASE("ack: an answer of another type is an error; one by name takes anything") {
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  for (const char* wrong : {R"(["thirty"])", "[]", "[1.5]", "[null]", "[99999999999]"}) {
    CAPTURE(wrong);
    Outcome<int> age;
    socket.emit_with_ack(how_old, "Ada", age.callback());
    const auto asked = client.hear();
    client.say("43" + asked.substr(2, asked.find('[') - 2) + wrong);
    CHECK(age.times == 1);
    CHECK(age.error == std::errc::bad_message);
    CHECK(age.value() == 0);
  }
  Outcome<json::array_t> words;
  socket.emit_with_ack("anything", words.callback());
  client.say("435[]");
  CHECK_FALSE(words.error);
  CHECK(words.value().empty());
  CHECK(socket.connected());
}

TEST_CASE("ack: nobody answers in time") {
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  Outcome<int> age, other;
  const auto from = std::chrono::steady_clock::now();
  socket.timeout(20ms).emit(how_old, "Ada", age.callback());
  socket.timeout(1h).emit_with_ack(how_old, "Bob", other.callback());
  CHECK(run_until(stage.loop, [&] { return age.times > 0; }));
  CHECK(std::chrono::steady_clock::now() - from >= 20ms);
  CHECK(age.error == std::errc::timed_out);
  client.say("431[7]");
  CHECK(other.value() == 7);
}

TEST_CASE("ack: a time that is over when it begins does not complete within the call") {
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  for (const auto limit : {0ms, -5ms}) {
    Outcome<int> age;
    stage.io.post([&] {
      socket.timeout(limit).emit(how_old, "Ada", age.callback());
      CHECK(age.times == 0);
    });
    CHECK(run_until(stage.loop, [&] { return age.times > 0; }));
    CHECK(age.error == std::errc::timed_out);
  }
}

TEST_CASE("ack: a client that leaves owes nothing any more") {
  for (const char* goodbye : {"41", "1"}) {
    CAPTURE(goodbye);
    Stage stage;
    auto client = stage.client();
    const auto socket = stage.join(client);
    Outcome<int> age, other;
    socket.emit_with_ack(how_old, "Ada", age.callback());
    socket.timeout(1h).emit(how_old, "Bob", other.callback());
    client.say(goodbye);
    CHECK(age.times == 1);
    CHECK(age.error == std::errc::not_connected);
    CHECK(other.error == std::errc::not_connected);

    Outcome<int> late;  // it was gone before
    socket.emit_with_ack(how_old, "Ada", late.callback());
    CHECK(late.times == 0);  // not within the call
    CHECK(run_until(stage.loop, [&] { return late.times > 0; }));
    CHECK(late.error == std::errc::not_connected);
  }
}

TEST_CASE("ack: the server's own disconnect ends the waiting, too; disconnect handlers may still ask, in vain") {
  Stage stage;
  Outcome<int> age, in_handler;
  stage.io.on_disconnect([&](sio::Socket& socket, const sio::Disconnect&) {
    socket.emit_with_ack(how_old, "late", in_handler.callback());
  });
  auto client = stage.client();
  const auto socket = stage.join(client);
  socket.emit_with_ack(how_old, "Ada", age.callback());
  socket.disconnect();
  CHECK(age.error == std::errc::not_connected);
  CHECK(run_until(stage.loop, [&] { return in_handler.times > 0; }));
  CHECK(in_handler.error == std::errc::not_connected);
}

TEST_CASE("ack: who owes too many is asked no more, until it has answered some") {
  auto options = quiet();
  options.max_outstanding_acks = 2;
  Stage stage(options);
  auto client = stage.client();
  const auto socket = stage.join(client);
  std::vector<Outcome<int>> ages(4);
  for (std::size_t i = 0; i < 3; ++i) socket.emit_with_ack(how_old, "Ada", ages[i].callback());
  CHECK(ages[2].times == 0);
  CHECK(run_until(stage.loop, [&] { return ages[2].times > 0; }));
  CHECK(ages[2].error == std::errc::no_buffer_space);
  CHECK(client.hear() == R"(420["how old","Ada"]~421["how old","Ada"])");
  client.say("430[1]");
  socket.emit_with_ack(how_old, "Ada", ages[3].callback());
  CHECK(client.hear() == R"(423["how old","Ada"])");
  client.say(
      "433[3]\x1e"
      "431[2]");
  CHECK(ages[0].value() == 1);
  CHECK(ages[1].value() == 2);
  CHECK(ages[3].value() == 3);
}

TEST_CASE("ack: a callback that throws is logged, and costs nobody else anything") {
  auto options = quiet();
  std::vector<std::string> logged;
  options.log_level = sio::LogLevel::error;
  options.log_sink = [&](const sio::LogRecord& record) { logged.push_back(sio::json_line(record)); };
  Stage stage(options);
  auto client = stage.client();
  const auto socket = stage.join(client);
  int called = 0;
  const auto throws = [&](std::error_code, int) { ++called, throw std::runtime_error("in the callback"); };
  Outcome<int> age;
  socket.emit_with_ack(how_old, "Ada", throws);      // answered
  socket.timeout(1ms).emit(how_old, "Ada", throws);  // not in time
  socket.emit_with_ack(how_old, "Ada", age.callback());
  CHECK(run_until(stage.loop, [&] { return called == 1; }));
  client.say(
      "430[1]\x1e"
      "432[3]");
  CHECK(called == 2);
  CHECK(age.value() == 3);
  socket.emit_with_ack(how_old, "Ada", throws);  // it leaves
  client.say("41");
  CHECK(called == 3);
  socket.emit_with_ack(how_old, "Ada", throws);  // it was gone
  CHECK(run_until(stage.loop, [&] { return called == 4; }));
  REQUIRE(logged.size() == 4);
  for (const auto& line : logged) CHECK(line.find("in the callback") != line.npos);
  CHECK(client.join().size() == 20);
}

TEST_CASE("ack: asked for by a timer of the user's, outside of any handler") {
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  Outcome<int> age;
  asio::steady_timer timer(stage.loop, 5ms);
  timer.async_wait([&](std::error_code) { socket.timeout(1h).emit(how_old, "Ada", age.callback()); });
  CHECK(client.hear() == R"(420["how old","Ada"])");
  client.say("430[36]");
  CHECK(age.value() == 36);
}

TEST_CASE("ack: the next question is asked in the callback of the one before") {
  Stage stage;
  auto client = stage.client();
  auto socket = stage.join(client);
  std::vector<int> answers;
  socket.emit_with_ack(how_old, "Ada", [&, socket](std::error_code, int first) {
    socket.emit_with_ack(how_old, "Bob", [&, first](std::error_code, int second) { answers = {first, second}; });
  });
  CHECK(client.hear() == R"(420["how old","Ada"])");
  client.say("430[1]");
  CHECK(client.hear() == R"(421["how old","Bob"])");
  client.say("431[2]");
  CHECK(answers == std::vector{1, 2});
}

TEST_CASE("ack: a callback may disconnect the socket that answered, and all others") {
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  Outcome<int> other;
  socket.emit_with_ack(how_old, "Ada", [&](std::error_code, int) { stage.io.disconnect_sockets(true); });
  socket.emit_with_ack(how_old, "Bob", other.callback());
  client.say(
      "430[1]\x1e"
      "431[2]");
  CHECK(other.error == std::errc::not_connected);
  CHECK_FALSE(socket.connected());
}

TEST_CASE("ack: a socket's event handler may ask back before it answers") {
  Stage stage;
  stage.io.on("older than", [](sio::Socket& socket, const json::array_t& arguments, sio::Reply<> reply) {
    socket.emit_with_ack(how_old, "you", [reply, limit = arguments.at(0).get<int>()](std::error_code error, int age) {
      reply(!error && age > limit);
    });
  });
  auto client = stage.client();
  client.join();
  client.say(R"(429["older than",30])");
  CHECK(client.hear() == R"(420["how old","you"])");
  client.say("430[36]");
  CHECK(client.hear() == "439[true]");
}

// ---- Completion tokens of Asio's ----------------------------------------------------------------------

TEST_CASE("ack: asio::use_future") {
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  std::future<int> age = socket.emit_with_ack(how_old, "Ada", asio::use_future);
  std::future<json::array_t> words = socket.timeout(1h).emit("words", asio::use_future);
  std::future<void> there = socket.emit_with_ack(are_you_there, asio::use_future);
  std::future<int> late = socket.timeout(1ms).emit(how_old, "Bob", asio::use_future);
  client.say(
      "430[36]\x1e"
      R"(431["a"])"
      "\x1e"
      "432[]");
  REQUIRE(run_until(stage.loop, [&] { return is_ready(age) && is_ready(words) && is_ready(there) && is_ready(late); }));
  CHECK(age.get() == 36);
  CHECK(words.get() == json::array_t{"a"});
  CHECK_NOTHROW(there.get());
  try {
    late.get();
    FAIL_CHECK("it has timed out");
  } catch (const std::system_error& error) {
    CHECK(error.code() == std::errc::timed_out);
  }
}

TEST_CASE("ack: a future that another thread waits for") {
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  std::promise<std::future<int>> asked;
  std::optional<int> age;
  std::thread worker([&] {
    stage.io.post([&] { asked.set_value(socket.emit_with_ack(how_old, "Ada", asio::use_future)); });
    age = asked.get_future().get().get();
  });
  CHECK(client.hear() == R"(420["how old","Ada"])");
  client.say("430[36]");
  settle(stage.loop);
  worker.join();
  CHECK(age == 36);
}

TEST_CASE("ack: a handler that is bound to a strand runs in it") {
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  const auto strand = asio::make_strand(stage.loop);
  int inside = 0;
  const auto check = [&](std::error_code, int) { inside += strand.running_in_this_thread(); };
  socket.emit_with_ack(how_old, "Ada", asio::bind_executor(strand, check));
  socket.timeout(1ms).emit(how_old, "Ada", asio::bind_executor(strand, check));
  client.say("430[36]");
  CHECK(run_until(stage.loop, [&] { return inside == 2; }));
}

TEST_CASE("ack: a handler that is bound to another loop runs there, and keeps it busy until then") {
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  asio::io_context other;
  std::thread::id where;
  Outcome<int> age;
  socket.emit_with_ack(how_old, "Ada", asio::bind_executor(other, [&](std::error_code error, int value) {
                         where = std::this_thread::get_id();
                         age.callback()(error, value);
                       }));
  CHECK(other.poll() == 0);
  CHECK_FALSE(other.stopped());  // it has work
  std::thread its([&] { other.run(); });
  const auto its_id = its.get_id();
  client.say("430[36]");
  its.join();  // which it does once there is nothing more to do
  CHECK(where == its_id);
  CHECK(age.value() == 36);
}

TEST_CASE("ack: a handler that is bound to another loop, and its server gone") {
  asio::io_context other;
  Outcome<int> age;
  {
    Stage stage;
    auto client = stage.client();
    const auto socket = stage.join(client);
    socket.emit_with_ack(how_old, "Ada", asio::bind_executor(other, age.callback()));
    stage.server.reset();
    CHECK(age.times == 0);
  }
  other.run();
  CHECK(age.error == std::errc::not_connected);
}

TEST_CASE("ack: called off through a cancellation slot") {
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  asio::cancellation_signal cancel;
  Outcome<int> age;
  socket.timeout(1h).emit(how_old, "Ada", asio::bind_cancellation_slot(cancel.slot(), age.callback()));
  settle(stage.loop, 1ms);
  CHECK(age.times == 0);
  cancel.emit(asio::cancellation_type::terminal);
  CHECK(run_until(stage.loop, [&] { return age.times > 0; }));
  CHECK(age.error == std::errc::operation_canceled);
  client.say("430[36]");
  cancel.emit(asio::cancellation_type::terminal);
  settle(stage.loop, 1ms);
  CHECK(age.times == 1);
}

TEST_CASE("ack: called off too late, when all is over") {
  asio::cancellation_signal cancel;
  Outcome<int> age;
  {
    Stage stage;
    auto client = stage.client();
    const auto socket = stage.join(client);
    socket.emit_with_ack(how_old, "Ada", asio::bind_cancellation_slot(cancel.slot(), age.callback()));
    client.say("430[36]");
    cancel.emit(asio::cancellation_type::terminal);
  }
  cancel.emit(asio::cancellation_type::terminal);
  CHECK(age.times == 1);
  CHECK_FALSE(age.error);
}

TEST_CASE("ack: a completion handler that can only be moved") {
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  int sum = 0;
  const auto adds = [&] {
    return [&sum, factor = std::make_unique<int>(2)](std::error_code error, auto value) {
      if constexpr (std::is_same_v<decltype(value), int>) sum += error ? 1000 : *factor * value;
      else sum += *factor * static_cast<int>(value.size());
    };
  };
  asio::io_context other;
  socket.emit_with_ack(how_old, "Ada", adds());
  socket.timeout(1h).emit(how_old, "Ada", asio::bind_executor(other, adds()));
  stage.io.emit_with_ack("words", adds());
  stage.io.fetch_sockets(adds());
  stage.io.server_side_emit_with_ack("others", adds());
  client.say(
      "430[1]\x1e"
      "431[10]\x1e"
      "432[\"w\"]");
  other.run();
  CHECK(run_until(stage.loop, [&] { return sum == 2 + 20 + 2 + 2; }));
}

TEST_CASE("ack: of a remote socket whose client is gone: not_connected") {
  Stage stage;
  auto client = stage.client();
  stage.join(client);
  std::vector<sio::RemoteSocket> found;
  stage.io.fetch_sockets([&](std::error_code, std::vector<sio::RemoteSocket> its) { found = std::move(its); });
  REQUIRE(run_until(stage.loop, [&] { return found.size() == 1; }));
  std::vector<std::error_code> errors;
  int value = -1;
  const auto ask = [&] {
    found[0].emit_with_ack(how_old, "Ada", [&](std::error_code error, int its) {
      errors.push_back(error);
      value = its;
    });
  };
  ask();
  CHECK(client.hear() == R"(420["how old","Ada"])");
  client.say("430[36]");
  REQUIRE(run_until(stage.loop, [&] { return errors.size() == 1; }));
  CHECK_FALSE(errors[0]);
  CHECK(value == 36);
  client.say("41");
  settle(stage.loop);
  ask();
  found[0].emit_with_ack(are_you_there, [&](std::error_code error) { errors.push_back(error); });
  found[0].timeout(1h).emit("words", [&](std::error_code error, const json::array_t&) { errors.push_back(error); });
  REQUIRE(run_until(stage.loop, [&] { return errors.size() == 4; }));
  for (std::size_t i = 1; i < 4; ++i) CHECK(errors[i] == std::errc::not_connected);
  bool nobody = false;  // of a broadcast, nobody is no error
  stage.io.to("nobody").emit_with_ack(
      how_old, "Ada", [&](std::error_code error, const std::vector<int>& all) { nobody = !error && all.empty(); });
  CHECK(run_until(stage.loop, [&] { return nobody; }));
}

TEST_CASE("ack: nobody waits: asio::detached") {
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  socket.emit_with_ack(how_old, "Ada", asio::detached);
  CHECK(client.hear() == R"(420["how old","Ada"])");
  client.say("430[36]");
  CHECK(socket.connected());
}

#ifdef ASIO_HAS_CO_AWAIT
#include <asio/co_spawn.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

TEST_CASE("ack: a coroutine handler that throws: sio::Error reaches the client, of anything else it hears no detail") {
  Stage stage;
  static constexpr sio::ClientToServer<"enter", int(std::string)> enter;
  stage.io.on(enter, [](sio::Socket& socket, std::string room) -> asio::awaitable<int> {
    if (room == "nowhere") throw std::runtime_error("secret");
    co_await socket.emit_with_ack(are_you_there, asio::use_awaitable);
    throw sio::Error("room full", "FULL", {{"room", room}});
  });
  auto client = stage.client();
  stage.join(client);
  client.say(R"(421["enter","red"])");
  CHECK(client.hear() == R"(420["are you there"])");
  client.say("430[]");
  CHECK(client.hear() ==
        R"(431[{"error":{"message":"room full","code":"FULL","event":"enter","data":{"room":"red"}}}])");
  client.say(R"(42["enter","red"])");
  CHECK(client.hear() == R"(421["are you there"])");
  client.say("431[]");
  CHECK(client.hear() == R"(42["error",{"message":"room full","code":"FULL","event":"enter","data":{"room":"red"}}])");
  client.say(R"(42["enter","nowhere"])");
  CHECK(
      client.hear() ==
      R"(42["error",{"message":"enter: the server failed to handle this event","code":"INTERNAL_ERROR","event":"enter"}])");
}

TEST_CASE("ack: asio::use_awaitable, in a handler and outside of any") {
  static constexpr sio::ClientToServer<"older than", bool(int)> older_than{};
  Stage stage;
  stage.io.on(older_than, [](sio::Socket& socket, int limit) -> asio::awaitable<bool> {
    co_return co_await socket.timeout(1h).emit(how_old, "you", asio::use_awaitable) > limit;
  });
  auto client = stage.client();
  const auto socket = stage.join(client);
  client.say(R"(429["older than",30])");
  CHECK(client.hear() == R"(420["how old","you"])");
  client.say("430[36]");
  CHECK(client.hear() == "439[true]");

  std::vector<std::string> said;
  asio::co_spawn(
      stage.loop,
      [](sio::Socket its, std::vector<std::string>& out) -> asio::awaitable<void> {
        for (int i = 0; i < 3; ++i) {
          const auto words = co_await its.emit_with_ack("word", i, asio::use_awaitable);
          out.push_back(words.at(0).get<std::string>());
        }
        try {
          co_await its.timeout(1ms).emit(are_you_there, asio::use_awaitable);
        } catch (const std::system_error& error) {
          out.push_back(error.code() == std::errc::timed_out ? "timed out" : error.what());
        }
      }(socket, said),
      asio::detached);
  for (int i = 1; i <= 3; ++i) {
    client.hear();
    client.say("43" + std::to_string(i) + "[\"w" + std::to_string(i) + "\"]");
  }
  CHECK(run_until(stage.loop, [&] { return said.size() == 4; }));
  CHECK(said == std::vector<std::string>{"w1", "w2", "w3", "timed out"});
}

TEST_CASE("ack: a handler by name may be a coroutine, too") {
  Stage stage;
  auto client = stage.client();
  stage.io.on("relay",
              [](sio::Socket& socket, const json::array_t& names, sio::Reply<> reply) -> asio::awaitable<void> {
                reply(co_await socket.emit_with_ack(how_old, names.at(0).get<std::string>(), asio::use_awaitable));
              });
  stage.io.on("fail", [](sio::Socket&, const json::array_t& names) -> asio::awaitable<void> {
    static_cast<void>(names.at(7));
    co_return;
  });
  stage.join(client);
  client.say(R"(421["relay","Ada"])");
  CHECK(client.hear() == R"(420["how old","Ada"])");
  client.say("430[36]");
  CHECK(client.hear() == "431[36]");
  client.say(R"(422["fail"])");
  CHECK(client.hear().starts_with(R"(432[{"error":{)"));
}

TEST_CASE("ack: in a handler, a client that does not answer is an error of that handler") {
  static constexpr sio::ClientToServer<"older than", bool(int)> older_than{};
  Stage stage;
  stage.io.on(older_than, [](sio::Socket& socket, int limit) -> asio::awaitable<bool> {
    co_return co_await socket.timeout(1ms).emit(how_old, "you", asio::use_awaitable) > limit;
  });
  auto client = stage.client();
  client.join();
  client.say(R"(429["older than",30])");
  CHECK(client.hear() == R"(420["how old","you"])");
  CHECK(
      client.hear() ==
      R"(439[{"error":{"message":"older than: the server failed to handle this event","code":"INTERNAL_ERROR","event":"older than"}}])");
}

TEST_CASE("ack: a race of a question with a timer, whoever wins") {
  using namespace asio::experimental::awaitable_operators;
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  std::vector<std::string> winners;
  asio::co_spawn(
      stage.loop,
      [](sio::Socket its, std::vector<std::string>& out) -> asio::awaitable<void> {
        asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
        auto first =
            co_await (its.emit_with_ack(how_old, "Ada", asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
        out.push_back(first.index() == 0 ? "answer " + std::to_string(std::get<0>(first)) : "timer");
        timer.expires_after(1ms);
        auto second =
            co_await (its.emit_with_ack(how_old, "Bob", asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
        out.push_back(second.index() == 0 ? "answer" : "timer");
      }(socket, winners),
      asio::detached);
  CHECK(client.hear() == R"(420["how old","Ada"])");
  client.say("430[36]");
  CHECK(run_until(stage.loop, [&] { return winners.size() == 2; }));
  CHECK(winners == std::vector<std::string>{"answer 36", "timer"});
  client.say("431[40]");
  CHECK(socket.connected());
}

TEST_CASE("ack: a coroutine that waits when its server ends") {
  Stage stage;
  auto client = stage.client();
  std::string why;
  asio::co_spawn(
      stage.loop,
      [](sio::Socket its, std::string& out) -> asio::awaitable<void> {
        try {
          co_await its.timeout(1h).emit(how_old, "Ada", asio::use_awaitable);
        } catch (const std::system_error& error) {
          out = error.code() == std::errc::not_connected ? "not connected" : error.what();
        }
      }(stage.join(client), why),
      asio::detached);
  CHECK(client.hear() == R"(420["how old","Ada"])");
  stage.server.reset();
  CHECK(run_until(stage.loop, [&] { return !why.empty(); }));
  CHECK(why == "not connected");
}
#endif

// ---- Broadcasts ---------------------------------------------------------------------------------------

TEST_CASE("ack: a broadcast's answers, in the order in which they came") {
  Stage stage;
  auto a = stage.client(), b = stage.client(), c = stage.client();
  stage.join(a).join("red"), stage.join(b).join("red"), stage.join(c);
  Outcome<std::vector<int>> ages;
  Outcome<json::array_t> words;
  Outcome<> there;
  stage.io.to("red").emit_with_ack(how_old, "you", ages.callback());
  stage.io.emit_with_ack("word", words.callback());
  stage.io.timeout(1h).except("red").emit(are_you_there, there.callback());
  b.say(
      "430[2]\x1e"
      R"(431["b","more"])");
  CHECK(ages.times == 0);
  a.say(
      "430[1]\x1e"
      R"(431["a"])");
  CHECK_FALSE(ages.error);
  CHECK(ages.value() == std::vector{2, 1});
  CHECK(words.times == 0);
  c.say(
      "431[]\x1e"
      "432[5]");
  CHECK(words.value() == json::array_t{"b", "a", nullptr});
  CHECK(there.times == 1);
  CHECK_FALSE(there.error);
}

TEST_CASE("ack: a broadcast to nobody has all its answers, but not within the call") {
  Stage stage;
  Outcome<std::vector<int>> ages;
  stage.io.to("nowhere").emit_with_ack(how_old, "you", ages.callback());
  CHECK(ages.times == 0);
  CHECK(run_until(stage.loop, [&] { return ages.times > 0; }));
  CHECK_FALSE(ages.error);
  CHECK(ages.value().empty());
}

TEST_CASE("ack: of a broadcast, the answers so far: out of time, somebody left, an answer of another type") {
  Stage stage;
  auto a = stage.client(), b = stage.client();
  const auto first = stage.join(a), second = stage.join(b);
  Outcome<std::vector<int>> late, left, wrong, cancelled;
  asio::cancellation_signal cancel;
  stage.io.timeout(500ms).emit(how_old, "you", late.callback());
  stage.io.emit_with_ack(how_old, "you", left.callback());
  stage.io.emit_with_ack(how_old, "you", wrong.callback());
  stage.io.emit_with_ack(how_old, "you", asio::bind_cancellation_slot(cancel.slot(), cancelled.callback()));
  a.say(
      "430[1]\x1e"
      "431[1]\x1e"
      "432[\"one\"]\x1e"
      "433[1]");
  b.say("432[2]");
  CHECK(wrong.error == std::errc::bad_message);
  CHECK(wrong.value() == std::vector{2});
  cancel.emit(asio::cancellation_type::terminal);
  CHECK(run_until(stage.loop, [&] { return cancelled.times > 0; }));
  CHECK(cancelled.error == std::errc::operation_canceled);
  CHECK(cancelled.value() == std::vector{1});
  CHECK(run_until(stage.loop, [&] { return late.times > 0; }));
  CHECK(late.error == std::errc::timed_out);
  CHECK(late.value() == std::vector{1});
  CHECK(left.times == 0);
  second.disconnect();
  CHECK(left.error == std::errc::not_connected);
  CHECK(left.value() == std::vector{1});
  CHECK(late.times + left.times + wrong.times + cancelled.times == 4);
  CHECK(first.connected());
}

TEST_CASE("ack: a broadcast reaches who owes too many no more, and the others") {
  auto options = quiet();
  options.max_outstanding_acks = 1;
  Stage stage(options);
  auto a = stage.client(), b = stage.client();
  const auto first = stage.join(a);
  stage.join(b);
  Outcome<int> before;
  Outcome<std::vector<int>> ages;
  first.emit_with_ack(how_old, "Ada", before.callback());
  stage.io.emit_with_ack(how_old, "you", ages.callback());
  b.say("431[2]");
  CHECK(ages.error == std::errc::no_buffer_space);
  CHECK(ages.value() == std::vector{2});
  a.say("430[1]");
  CHECK(before.value() == 1);
}

TEST_CASE("ack: asked by each way to pick sockets") {
  Stage stage;
  auto a = stage.client(), b = stage.client();
  const auto first = stage.join(a), second = stage.join(b);
  second.join("red");
  std::vector<std::future<std::vector<int>>> asked;
  asked.push_back(first.broadcast().emit_with_ack(how_old, "0", asio::use_future));
  asked.push_back(first.to("red").timeout(1h).emit(how_old, "1", asio::use_future));
  asked.push_back(stage.io.in("red").emit_with_ack(how_old, "2", asio::use_future));
  asked.push_back(stage.io.timeout(1h).to("red").emit_with_ack(how_old, "3", asio::use_future));
  asked.push_back(stage.io.local().except(first.id()).emit_with_ack(how_old, "4", asio::use_future));
  asked.push_back(stage.io.of("/").to(second.id()).emit_with_ack(how_old, "5", asio::use_future));
  b.say(
      "430[0]\x1e"
      "431[1]\x1e"
      "432[2]\x1e"
      "433[3]\x1e"
      "434[4]\x1e"
      "435[5]");
  CHECK(run_until(stage.loop, [&] { return is_ready(asked.back()); }));
  for (std::size_t i = 0; i < asked.size(); ++i) {
    REQUIRE(is_ready(asked[i]));
    CHECK(asked[i].get() == std::vector{static_cast<int>(i)});
  }
}

// ---- The server goes ----------------------------------------------------------------------------------

TEST_CASE("ack: a server that ends has no answers to wait for") {
  Stage stage;
  auto a = stage.client(), b = stage.client();
  const auto first = stage.join(a);
  stage.join(b);
  Outcome<int> age, timed;
  Outcome<std::vector<int>> ages;
  first.emit_with_ack(how_old, "Ada", age.callback());
  first.timeout(1h).emit(how_old, "Ada", timed.callback());
  stage.io.timeout(1h).emit(how_old, "you", ages.callback());
  b.say("432[2]");
  stage.server.reset();
  settle(stage.loop, 5ms);
  CHECK(age.error == std::errc::not_connected);
  CHECK(timed.error == std::errc::not_connected);
  CHECK(ages.error == std::errc::not_connected);
  CHECK(ages.value() == std::vector{2});
}

TEST_CASE("ack: a server that ends before it could say that nobody is there") {
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  socket.disconnect();
  Outcome<int> age, timed;
  Outcome<std::vector<int>> ages;
  socket.emit_with_ack(how_old, "Ada", age.callback());
  socket.timeout(1h).emit(how_old, "Ada", timed.callback());
  stage.io.to("nowhere").timeout(1h).emit(how_old, "you", ages.callback());
  auto future = stage.io.to("nowhere").emit_with_ack(how_old, "you", asio::use_future);
  stage.server.reset();
  settle(stage.loop, 5ms);
  CHECK(age.times + timed.times + ages.times == 3);
  CHECK(is_ready(future));
}

TEST_CASE("ack: a handle that was kept past its server asks in vain, with or without an executor of its own") {
  Stage stage;
  asio::io_context other;
  auto client = stage.client();
  const auto socket = stage.join(client);
  stage.server.reset();
  Outcome<int> plain, bound;
  socket.timeout(5s).emit(how_old, "Ada", plain.callback());
  CHECK(plain.times == 1);
  CHECK(plain.error == std::errc::not_connected);
  socket.emit_with_ack(how_old, "Ada", asio::bind_executor(other.get_executor(), bound.callback()));
  CHECK(bound.times == 0);
  other.run();
  CHECK(bound.times == 1);
  CHECK(bound.error == std::errc::not_connected);
  auto age = socket.emit_with_ack(how_old, "Ada", asio::use_future);
  REQUIRE(age.wait_for(60s) == std::future_status::ready);  // a future's executor is the system's, which has threads
  CHECK_THROWS_AS(age.get(), std::system_error);
  socket.emit("nothing", 1);
}

TEST_CASE("ack: a server with a loop of its own that ends with questions open") {
  Outcome<std::vector<int>> ages;
  {
    sio::Server io(quiet());
    io.timeout(1h).emit(how_old, "you", ages.callback());
  }
  CHECK(ages.times <= 1);  // nobody runs that loop any more
}

TEST_CASE("ack: close answers what is open") {
  Stage stage;
  auto client = stage.client();
  const auto socket = stage.join(client);
  Outcome<int> age;
  socket.emit_with_ack(how_old, "Ada", age.callback());
  bool done = false;
  stage.io.close([&] { done = true; });
  CHECK(age.error == std::errc::not_connected);
  client.hear();
  CHECK(run_until(stage.loop, [&] { return done; }));
}
