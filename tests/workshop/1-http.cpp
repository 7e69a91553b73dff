// Step 1, an HTTP answer: one route, one query parameter.   1-http [PORT]
#include "sio_demo.hpp"

#include <string>

namespace sio = sio_demo;

int main(int count, char** arguments) {
  const int port = count > 1 ? std::stoi(arguments[1]) : 3000;
  sio::http::Server server{{.port = static_cast<std::uint16_t>(port)}};

  server.http().get("/hello", [](const sio::http::Request& request) {
    const std::string name(request.query["name"]);  // a view that dies with the request: copy what you keep
    return sio::http::Response{.type = "text/plain", .body = "Hello, " + (name.empty() ? "world" : name) + "!\n"};
  });

  return server.run();
}
