// An emit by name has the name at run time only; the message names the type.
// expect: this type has no JSON form
// expect: Point
#include "sio_demo.hpp"

struct Point {
  double x, y;
};

int main() {
  sio_demo::Server io;
  io.emit("moved", Point{1, 2});
}
