// A from_json of nlohmann's macros casts numbers without a look at them.
// expect: this type has no JSON form that is checked when it is read
// expect: has_checked_from_json
// expect: argument<1
// expect: Point
#include "sio_demo.hpp"

namespace sio = sio_demo;

struct Point {
  int x = 0, y = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Point, x, y)

inline constexpr sio::ClientToServer<"move", void(Point)> move_to{};

int main() {
  sio::Server io;
  io.on(move_to, [](sio::Socket&, const Point&) {});
}
