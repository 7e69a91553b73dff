// The fuzzer: every target in one program, for the header is what takes long to compile.
//
//     build/fuzz/fuzz TARGET [libFuzzer's flags] [files to replay | folders to begin with and to add to]
//
// Each target's file opens with what it feeds and what it holds.
#include "forwarded.hpp"
#include "http.hpp"
#include "packet.hpp"
#include "payload.hpp"
#include "program.hpp"
#include "redis.hpp"
#include "route.hpp"
#include "server.hpp"
#include "session.hpp"
#include "websocket.hpp"

namespace {

struct Target {
  std::string_view name;
  void (*run)(std::string_view input);
};
constexpr std::array targets{
    Target{"forwarded", fuzz::forwarded::run}, Target{"http", fuzz::http::run},
    Target{"packet", fuzz::packet::run},       Target{"payload", fuzz::payload::run},
    Target{"program", fuzz::program::run},     Target{"redis", fuzz::redis::run},
    Target{"route", fuzz::route::run},         Target{"server", fuzz::server::run},
    Target{"session", fuzz::session::run},     Target{"websocket", fuzz::websocket::run},
};

void (*chosen)(std::string_view) = nullptr;

bool choose(std::string_view name) {
  for (const auto& target : targets)
    if (target.name == name) return chosen = target.run, true;
  return false;
}

}  // namespace

/// Takes the target's name off the arguments. Where the fuzzer starts itself again, the environment has it.
extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  const char* inherited = std::getenv("SIO_FUZZ_TARGET");
  if (*count > 1 && choose((*arguments)[1])) {
    setenv("SIO_FUZZ_TARGET", (*arguments)[1], 1);
    std::rotate(*arguments + 1, *arguments + 2, *arguments + *count);
    --*count;
  } else if (!inherited || !choose(inherited)) {
    std::fprintf(stderr, "usage: %s TARGET ..., a target being one of", (*arguments)[0]);
    for (const auto& target : targets) std::fprintf(stderr, " %s", std::string(target.name).c_str());
    std::fprintf(stderr, "\n");
    std::exit(2);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Exact input({reinterpret_cast<const char*>(data), size});
  chosen(input.view());
  return 0;
}
