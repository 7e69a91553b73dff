// A field's name is misspelt.
// expect(g++): 'cuont' is not a member of 'Part'
// expect(clang++): no member named 'cuont' in 'Part'
#include "sio_demo.hpp"

namespace sio = sio_demo;

struct Part {
  std::string name;
  int count = 0;
};
SIO_DEMO_FIELDS(Part, name, cuont)

inline constexpr sio::ServerToClient<"part", void(Part)> part{};

int main() {
  sio::Server io;
  io.emit(part, Part{});
}
