// What a json holds is known at run time only.
// expect: emit: an argument of another type than the event has
// expect: argument<2
// expect: 'm', 'o', 'v', 'e', 'd'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ServerToClient<"moved", void(int, double)> moved{};

int main() {
  sio::Server io;
  io.emit(moved, 1, sio::json(2.5));
}
