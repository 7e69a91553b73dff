// A char is neither text nor number.
// expect: a character has no JSON form: take std::string, or std::int8_t for a number
// expect: argument<2
// expect(g++): {"grade"}
// expect(clang++): 'g', 'r', 'a', 'd', 'e'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ClientToServer<"grade", void(std::string, char)> grade{};

int main() {
  sio::Server io;
  io.on(grade, [](sio::Socket&, const std::string&, char) {});
}
