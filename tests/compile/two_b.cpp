// The other of the two files; see two_a.cpp.
#include "sio_demo.hpp"

inline constexpr sio_demo::ServerToClient<"news", void(std::string)> news;

int default_port_in_b();

int default_port_in_b() {
  sio_demo::Server server{{.port = 0}};
  server.on_connection([](sio_demo::Socket& socket) { socket.emit(news, std::string{"hello"}); });
  return sio_demo::Options{}.port;
}
