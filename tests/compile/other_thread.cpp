// Calls a server from a thread that is not its loop's: a debug build has to stop it, and say what to do instead.
// The argument picks the call.
#include "sio_demo.hpp"

#include <asio/executor_work_guard.hpp>

#include <cstdlib>
#include <future>
#include <string>
#include <thread>

namespace sio = sio_demo;

int main(int count, char** arguments) {
  const std::string call = count > 1 ? arguments[1] : "";
  asio::io_context loop(1);
  sio::Server io(loop, {.host = "127.0.0.1", .port = 0});
  io.listen();
  const auto work = asio::make_work_guard(loop);
  std::thread runner([&] { loop.run(); });

  std::promise<void> running;
  io.post([&] { running.set_value(); });  // the one door; from here on the loop's thread is known
  running.get_future().wait();

  if (call == "close") io.close();
  if (call == "listen") io.listen("127.0.0.1", 0);
  if (call == "post") io.post([&] { io.close([&] { loop.stop(); }); });
  if (call == "post") runner.join();
  std::_Exit(0);
}
