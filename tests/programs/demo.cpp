// The demo service in a program of one's own, with two of its knobs turned.
#include "sio_demo.hpp"

namespace demo = sio_demo::demo;

int main() {
  asio::io_context loop;
  demo::Service service(loop,
                        {.max_pings_per_client = 10,
                         .random_string_interval = {sio_demo::Milliseconds(1'000), sio_demo::Milliseconds(2'000)}});
  service.start();
  loop.run();
}
