// A broadcast brings every client's answer.
// expect: emit_with_ack: this callback does not take what the answer brings
// expect: of a broadcast (std::error_code, std::vector<Ack>)
// expect: 'a', 'g', 'r', 'e', 'e'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ServerToClient<"agree", bool(std::string)> agree{};

int main() {
  sio::Server io;
  io.to("red").emit_with_ack(agree, "to the terms", [](std::error_code, bool) {});
}
