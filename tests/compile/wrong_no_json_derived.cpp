// A described struct is not a description of what is derived from it: the new fields would be lost.
// expect: this type has no JSON form
// expect: argument<1
// expect: Circle
// expect(g++): {"drawn"}
// expect(clang++): 'd', 'r', 'a', 'w', 'n'
#include "sio_demo.hpp"

namespace sio = sio_demo;

struct Shape {
  double x = 0, y = 0;
};
SIO_DEMO_FIELDS(Shape, x, y)
struct Circle : Shape {
  double radius = 0;
};

inline constexpr sio::ServerToClient<"drawn", void(Circle)> drawn{};

int main() {
  sio::Server io;
  io.emit(drawn, Circle{});
}
