// A guest in a program that has a loop of its own, and other work to do.   guest [PORT] [SECONDS]
//
// The program owns the loop, runs it, and decides when all of it ends; the server comes and goes.
#include "sio_demo.hpp"

#include <asio/signal_set.hpp>

#include <cstdio>
#include <string>

namespace sio = sio_demo;

namespace {

/// The program's main business, which has nothing to do with Socket.IO.
class Business {
 public:
  explicit Business(asio::io_context& loop) : timer_(loop) { work(); }
  int done() const { return done_; }
  void stop() { timer_.cancel(); }

 private:
  void work() {
    timer_.expires_after(std::chrono::milliseconds(10));
    timer_.async_wait([this](std::error_code cancelled) {
      if (cancelled) return;
      ++done_;
      work();
    });
  }
  asio::steady_timer timer_;
  int done_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
  const auto port = static_cast<std::uint16_t>(count > 1 ? std::stoi(arguments[1]) : 3000);
  const int seconds = count > 2 ? std::stoi(arguments[2]) : 3600;

  asio::io_context loop;
  Business business(loop);

  sio::Server io{loop, {.port = port}};
  io.on_connection([&](sio::Socket& socket) { socket.emit("progress", business.done()); });
  io.listen();
  std::printf("listening on port %d\n", io.port());

  // The end, by a signal or after a while: first the clients take their leave, then the business stops, and
  // with nothing left to do, the loop returns.
  asio::signal_set signals(loop, SIGINT, SIGTERM);
  asio::steady_timer evening(loop, std::chrono::seconds(seconds));
  const auto end = [&] {
    io.close([&] {
      business.stop();
      signals.cancel();
      evening.cancel();
    });
  };
  signals.async_wait([&](std::error_code cancelled, int) {
    if (!cancelled) end();
  });
  evening.async_wait([&](std::error_code cancelled) {
    if (!cancelled) end();
  });

  loop.run();
  std::printf("done: %d pieces of work\n", business.done());
}
