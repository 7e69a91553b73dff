// A chat: rooms, a token at the door, typed events.   chat [PORT]
//
// In a browser, with the official client:
//
//     const chat = io("http://localhost:3000/chat", { auth: { token: "open sesame", name: "Ada" } });
//     chat.on("said", ({ from, text }) => console.log(`${from}: ${text}`));
//     chat.emit("enter", "lobby", (people) => console.log("here already:", people));
//     chat.emit("say", "lobby", "hello");
#include "sio_demo.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace sio = sio_demo;

namespace {

struct Line {
  std::string from, text;
};
SIO_DEMO_FIELDS(Line, from, text)

struct Person {
  std::string name;
};

// What clients ask for, and what the ack tells them; then what we tell them.
inline constexpr sio::ClientToServer<"enter", std::vector<std::string>(std::string)> enter{};
inline constexpr sio::ClientToServer<"leave", void(std::string)> leave{};
inline constexpr sio::ClientToServer<"say", bool(std::string, std::string)> say{};
inline constexpr sio::ServerToClient<"said", void(Line)> said{};
inline constexpr sio::ServerToClient<"entered", void(std::string, std::string)> entered{};

void check_token(sio::Socket& socket, const sio::Next& next) {
  const auto& auth = socket.handshake().auth();
  if (auth.value("token", sio::json()) != "open sesame") return next(sio::refuse("who are you?"));
  if (!auth.contains("name") || !auth["name"].is_string())
    return next(sio::refuse("your name, please", {{"field", "name"}}));
  socket.data<Person>().name = auth["name"];
  next(sio::accept);
}

std::vector<std::string> names_in(sio::Namespace& chat, const std::string& room) {
  std::vector<std::string> names;
  for (const auto& person : chat.in(room).sockets()) names.push_back(person.data<Person>().name);
  return names;
}

bool is_in(const sio::Socket& socket, const std::string& room) {
  const auto rooms = socket.rooms();
  return std::find(rooms.begin(), rooms.end(), room) != rooms.end();
}

}  // namespace

int main(int count, char** arguments) {
  sio::Server io{{.port = static_cast<std::uint16_t>(count > 1 ? std::stoi(arguments[1]) : 3000)}};
  auto& chat = io.of("/chat");

  chat.use(check_token);

  chat.on(enter, [&](sio::Socket& socket, const std::string& room) {
    auto here_already = names_in(chat, room);
    socket.join(room);
    socket.to(room).emit(entered, room, socket.data<Person>().name);
    return here_already;
  });
  chat.on(leave, [](sio::Socket& socket, const std::string& room) { socket.leave(room); });

  chat.on(say, [&](sio::Socket& socket, const std::string& room, const std::string& text) {
    if (!is_in(socket, room)) return false;
    chat.to(room).emit(said, Line{socket.data<Person>().name, text});
    return true;
  });

  return io.run();
}
