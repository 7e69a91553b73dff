// A type of which nobody has said how it looks in JSON.
// expect: this type has no JSON form
// expect: Point
// expect(g++): {"moved"}
#include "sio_demo.hpp"

namespace sio = sio_demo;

struct Point {
  double x, y;
};

inline constexpr sio::ServerToClient<"moved", void(Point)> moved{};

int main() {
  sio::Server io;
  io.emit(moved, Point{1, 2});
}
