// What one client can make the server hold, or do: each bound is reached by somebody who means harm, and holds.
#include "raw_client.hpp"
#include "sequence.hpp"
#include "sio_demo.hpp"

#include <doctest/doctest.h>

#include <asio/write.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <ctime>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace {

namespace sio = sio_demo;
using namespace raw_client;
using namespace std::chrono_literals;
using polling_client::run_until;
using polling_client::settle;
using sio::Reason;
using Clock = std::chrono::steady_clock;

const std::string polling = "/socket.io/?EIO=4&transport=polling", websocket = "/socket.io/?EIO=4&transport=websocket";

/// A server on a port of its own; nobody is trusted, so loopback is an address like any other.
struct Stage {
  explicit Stage(sio::Options options = {}) : io(loop, adapted(std::move(options))) { io.listen(); }

  static sio::Options adapted(sio::Options options) {
    options.host = "127.0.0.1", options.port = 0;
    options.log_level = sio::LogLevel::off;
    options.trusted_proxies.clear();
    return options;
  }
  Raw raw(std::string_view bytes = {}) {
    Raw out(loop, io.port());
    out.send(bytes);
    return out;
  }
  /// A WebSocket that has joined "/".
  Raw joined() {
    Raw out = raw(upgrade(websocket) + text("40"));
    REQUIRE(run_until(loop, [&] { return out.heard().find("40{\"sid\"") != std::string::npos; }));
    out.take(0);
    return out;
  }
  bool reaches(const std::function<bool()>& done) { return run_until(loop, done); }
  std::uint64_t count(Reason reason) const { return io.counters().of(reason); }

  asio::io_context loop;
  sio::Server io;
};

/// Connected over a socket with small buffers, so that what is not read waits in the server.
struct Narrow {
  explicit Narrow(Stage& stage) : client(stage.loop) {
    asio::ip::tcp::acceptor acceptor(stage.loop, {asio::ip::address_v4::loopback(), 0});
    acceptor.set_option(asio::socket_base::send_buffer_size(4096));  // which accepted ones inherit
    client.open(asio::ip::tcp::v4());
    client.set_option(asio::socket_base::receive_buffer_size(2048));
    client.connect(acceptor.local_endpoint());
    stage.io.serve(acceptor.accept());
    client.non_blocking(true);
  }
  /// Writes on, from where it was, what the server takes of this, again and again. false: it has closed.
  bool send(std::string_view bytes) {
    std::error_code error;
    at = (at + client.write_some(asio::buffer(bytes.substr(at)), error)) % bytes.size();
    return !error || error == asio::error::would_block;
  }
  asio::ip::tcp::socket client;
  std::size_t at = 0;
};

/// Bytes that the program has from the heap; 0 where nobody can say.
std::size_t heap() {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33) && !defined(__SANITIZE_ADDRESS__)
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
#else
  return 0;
#endif
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (; times > 0; --times) out += text;
  return out;
}

}  // namespace

TEST_CASE("bounds: answers that a client does not read stop what it asks for") {
  Stage stage;
  std::size_t asked = 0;
  stage.io.http().get("/big", [&](const sio::http::Request&) {
    ++asked;
    return sio::http::Response{200, "text/plain", std::string(50'000, 'x'), {}};
  });
  Narrow client(stage);
  CHECK(client.send(repeated(get("/big"), 1000)));
  settle(stage.loop, 50ms);
  CHECK(asked >= 1);
  CHECK(asked <= 8);
  CHECK(stage.io.counters().queue_bytes < 200'000);
}
