// A signature says what travels, which is a value.
// expect: an event's arguments are values: take std::string, not const std::string&
// expect: argument<2
// expect(g++): 's', 'a', 'i', 'd'
// expect(clang++): 's', 'a', 'i', 'd'
#include "sio_demo.hpp"

namespace sio = sio_demo;

inline constexpr sio::ServerToClient<"said", void(int, const std::string&)> said{};

int main() {
  sio::Server io;
  io.emit(said, 1, "hello");
}
