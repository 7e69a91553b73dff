// Likewise on the way in.
// expect: this type has no JSON form
// expect: Point
// expect(g++): {"move"}
#include "sio_demo.hpp"

namespace sio = sio_demo;

struct Point {
  double x = 0, y = 0;
};

inline constexpr sio::ClientToServer<"move", void(Point)> move_to{};

int main() {
  sio::Server io;
  io.on(move_to, [](sio::Socket&, const Point&) {});
}
