// An enum without its macro: nlohmann/json would send a number, and take any.
// expect: this type has no JSON form: describe it with SIO_DEMO_FIELDS or SIO_DEMO_ENUM
// expect: argument<2
// expect: Colour
// expect(g++): {"paint"}
// expect(clang++): 'p', 'a', 'i', 'n', 't'
#include "sio_demo.hpp"

namespace sio = sio_demo;

enum class Colour { red, green };

inline constexpr sio::ClientToServer<"paint", void(int, Colour)> paint{};

int main() {
  sio::Server io;
  io.on(paint, [](sio::Socket&, int, Colour) {});
}
