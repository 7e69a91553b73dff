// A server whose events have every kind of type; with `--print-types` it prints them for TypeScript. types.test.js has
// the official compiler judge clients of it, and runs one.
#include "sio_demo.hpp"

#include <cstddef>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace sio = sio_demo;

namespace shapes {
enum class Colour { red, green };
SIO_DEMO_ENUM(Colour, red, green)
struct Point {
  double x = 0, y = 0;
};
SIO_DEMO_FIELDS(Point, x, y)
}  // namespace shapes

namespace garden {
struct Point {  // the second one of this name
  int bed = 0;
};
SIO_DEMO_FIELDS(Point, bed)
struct Tree {
  std::string name;
  bool evergreen = false;
  std::vector<Tree> children;
  std::optional<shapes::Point> at;
  std::map<std::string, shapes::Colour> colours;
  std::array<int, 2> size{};
  std::tuple<int, std::string> label;
  std::vector<std::optional<int>> rings;
  sio::json notes;
};
SIO_DEMO_FIELDS(Tree, name, evergreen, children, at, colours, size, label, rings, notes)
}  // namespace garden

inline constexpr sio::ServerToClient<"planted", void(garden::Tree, garden::Point)> planted;
inline constexpr sio::ServerToClient<"photo?", sio::Bytes(shapes::Colour)> photo;
inline constexpr sio::ClientToServer<"plant", garden::Tree(garden::Tree, std::optional<int>)> plant;
inline constexpr sio::ClientToServer<"paint", void(shapes::Colour, std::optional<std::string>)> paint;
inline constexpr sio::ClientToServer<"send photo", int(sio::Bytes)> send_photo;
inline constexpr sio::ClientToServer<"measure", std::vector<std::byte>(std::pair<double, int>, std::set<std::string>)>
    measure;

int main(int count, char** arguments) {
  if (count > 1 && std::string_view(arguments[1]) == "--print-types")
    return std::fputs(sio::typescript(planted, photo, plant, paint, send_photo, measure).c_str(), stdout) < 0;
  sio::Server io{{.host = "127.0.0.1", .port = 0}};
  io.on(plant, [&](sio::Socket&, const garden::Tree& tree, std::optional<int> bed) {
    io.emit(planted, tree, garden::Point{bed.value_or(0)});
    return tree;
  });
  io.on(paint, [](sio::Socket&, shapes::Colour colour, const std::optional<std::string>& where) {
    if (where) throw sio::Error("not " + *where, "NO_PAINT", {{"left", colour}});
  });
  io.on(send_photo, [](sio::Socket&, const sio::Bytes& bytes) { return static_cast<int>(bytes.size()); });
  io.on(measure, [](sio::Socket&, const std::pair<double, int>& size, const std::set<std::string>& names) {
    if (names.empty()) throw sio::Error("nothing to measure", "EMPTY");
    return std::vector<std::byte>(names.size(), static_cast<std::byte>(size.second));
  });
  io.listen();
  std::printf("listening %u\n", static_cast<unsigned>(io.port()));
  std::fflush(stdout);
  return io.run();
}
