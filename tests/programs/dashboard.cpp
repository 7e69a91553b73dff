// A robot's dashboard: another thread reads the sensors, browsers watch.   dashboard [PORT]
//
// The reader knows nothing of sockets: it posts each reading to the server's loop. Readings are volatile, so a
// slow browser skips some rather than see the past; alarms are not. Whoever has no WebSocket asks GET /state.
#include "sio_demo.hpp"

#include <atomic>
#include <chrono>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

namespace sio = sio_demo;
using namespace std::chrono_literals;

namespace {

enum class Mode { idle, driving, charging };
SIO_DEMO_ENUM(Mode, idle, driving, charging)

struct State {
  Mode mode = Mode::idle;
  double battery = 1;
  std::vector<double> joints{0, 0, 0};
  std::optional<std::string> alarm;
};
SIO_DEMO_FIELDS(State, mode, battery, joints, alarm)

inline constexpr sio::ServerToClient<"state", void(State)> state_changed{};
inline constexpr sio::ServerToClient<"alarm", void(std::string)> alarm_raised{};
inline constexpr sio::ClientToServer<"mode", void(Mode)> set_mode{};

/// Stands for the hardware: called on the reader's thread, takes its time.
State read_sensors(int round) {
  std::this_thread::sleep_for(20ms);
  const double angle = 0.1 * round;
  State state{Mode::driving, 1 - 0.001 * round, {std::sin(angle), std::cos(angle), angle}, {}};
  if (state.battery < 0.1) state.alarm = "battery low";
  return state;
}

}  // namespace

int main(int count, char** arguments) {
  sio::Server io{{.port = static_cast<std::uint16_t>(count > 1 ? std::stoi(arguments[1]) : 3000)}};
  auto& dashboard = io.of("/dashboard");
  State latest;  // belongs to the loop's thread

  dashboard.on_connection([&](sio::Socket& socket) { socket.emit(state_changed, latest); });
  dashboard.on(set_mode, [&](sio::Socket&, Mode mode) { latest.mode = mode; });

  io.http().get("/state", [&](const sio::http::Request&) {
    const sio::json body{{"battery", latest.battery}, {"joints", latest.joints}, {"watching", dashboard.size()}};
    return sio::http::Response{.type = "application/json", .body = body.dump()};
  });

  std::atomic<bool> running = true;
  std::thread reader([&] {
    for (int round = 0; running; ++round)
      io.post([&, reading = read_sensors(round)] {
        latest = reading;
        dashboard.volatile_().emit(state_changed, latest);
        if (latest.alarm) dashboard.emit(alarm_raised, *latest.alarm);
      });
  });

  const int result = io.run();
  running = false;
  reader.join();
  return result;
}
