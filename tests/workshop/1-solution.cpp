// Step 1, solved: the server remembers a greeting that clients may change.   1-solution [PORT]
#include "sio_demo.hpp"

#include <string>

namespace sio = sio_demo;

int main(int count, char** arguments) {
  const int port = count > 1 ? std::stoi(arguments[1]) : 3000;
  std::string greeting = "Hello";  // no lock: handlers are called one at a time
  sio::http::Server server{{.port = static_cast<std::uint16_t>(port)}};

  server.http().get("/hello", [&](const sio::http::Request& request) {
    const std::string name(request.query["name"]);
    return sio::http::Response{.type = "text/plain", .body = greeting + ", " + (name.empty() ? "world" : name) + "!\n"};
  });
  server.http().post("/greeting", [&](const sio::http::Request& request) {
    if (request.body.empty()) return sio::http::Response{.status = 400, .type = "text/plain", .body = "a greeting, please\n"};
    greeting = request.body;
    return sio::http::Response{.status = 204};
  });

  return server.run();
}
