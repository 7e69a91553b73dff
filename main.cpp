// The demo service as a program: flags, signals, exit codes. Everything else is in sio_demo.hpp.
#include "sio_demo.hpp"

#include <asio/signal_set.hpp>
#include <csignal>
#include <cstdlib>
#include <future>
#include <thread>

#ifndef _WIN32
#include <unistd.h>
#endif

namespace sio = sio_demo;

namespace {

/// The service's knobs, and the program's own.
struct Config : sio::demo::Config {
  bool trace = false;
};

/// One command-line flag. The same row parses it, and prints it in --help with its default.
struct Flag {
  std::string name;
  std::string value;  // what the value is called in --help
  std::string help;
  std::function<bool(Config&, std::string_view)> set;  // false, or std::invalid_argument that says why: not a good value
  std::function<std::string(const Config&)> show;
};

template <class Integer>
bool set_number(Integer& target, std::string_view text, std::uint64_t least, std::uint64_t most) {
  const auto number = sio::bytes::whole_number(text);
  if (!number || *number < least || *number > most) return false;
  target = static_cast<Integer>(*number);
  return true;
}

/// A flag for a number; `member` picks it from the configuration.
template <class Member>
Flag number(std::string name, std::string value, std::string help, std::uint64_t least, std::uint64_t most, Member member) {
  return {std::move(name), std::move(value), std::move(help),
          [=](Config& config, std::string_view text) { return set_number(member(config), text, least, most); },
          [=](const Config& config) { return std::to_string(member(const_cast<Config&>(config))); }};
}

template <class Member>
Flag milliseconds(std::string name, std::string help, Member member, std::uint64_t least = 1) {
  constexpr std::uint64_t day = 24 * 3600 * 1000;
  return {std::move(name), "MS", std::move(help),
          [=](Config& config, std::string_view text) {
            std::uint64_t count = 0;
            if (!set_number(count, text, least, day)) return false;
            member(config) = sio::Milliseconds(count);
            return true;
          },
          [=](const Config& config) { return std::to_string(member(const_cast<Config&>(config)).count()); }};
}

template <class Member>
Flag text(std::string name, std::string value, std::string help, std::string_view begins_with, Member member) {
  return {std::move(name), std::move(value), std::move(help),
          [=](Config& config, std::string_view given) {
            if (given.empty() || !given.starts_with(begins_with)) return false;
            member(config) = given;
            return true;
          },
          [=](const Config& config) { return member(const_cast<Config&>(config)); }};
}

/// A flag that may be given several times; the first one replaces the defaults.
template <class Member, class Check>
Flag list(std::string name, std::string value, std::string help, Member member, Check check) {
  return {std::move(name), std::move(value), std::move(help) + "; repeatable, replaces the default",
          [=, fresh = true](Config& config, std::string_view text) mutable {
            if (!check(text)) return false;
            if (std::exchange(fresh, false)) member(config).clear();
            if (text != "none") member(config).emplace_back(text);
            return true;
          },
          [=](const Config& config) {
            std::string all;
            for (const auto& item : member(const_cast<Config&>(config))) all += (all.empty() ? "" : " ") + item;
            return all;
          }};
}

/// "5" or "0.25" as milliseconds.
std::optional<sio::Milliseconds> seconds(std::string_view text) {
  const auto dot = text.find('.');
  const auto whole = sio::bytes::whole_number(text.substr(0, dot));
  std::string fraction(dot == text.npos ? "0" : text.substr(dot + 1));
  if (!whole || *whole > 86'400 || fraction.empty() || fraction.size() > 3) return std::nullopt;
  fraction.resize(3, '0');
  const auto thousandths = sio::bytes::whole_number(fraction);
  if (!thousandths) return std::nullopt;
  return sio::Milliseconds(*whole * 1000 + *thousandths);
}

/// "20/5": 20 at once, and 5 a second.
template <class Member>
Flag rate(std::string name, std::string help, Member member) {
  return {std::move(name), "BURST/SECOND", std::move(help) + "; \"none\": no limit",
          [=](Config& config, std::string_view text) {
            if (text == "none") return member(config) = {}, true;
            const auto slash = (std::min)(text.find('/'), text.size());
            const auto burst = sio::bytes::whole_number(text.substr(0, slash)), per_second = sio::bytes::whole_number(text.substr((std::min)(slash + 1, text.size())));
            if (!burst || !per_second || *burst == 0) return false;
            member(config) = {static_cast<double>(*burst), static_cast<double>(*per_second)};
            return true;
          },
          [=](const Config& config) -> std::string {
            const sio::Rate& shown = member(const_cast<Config&>(config));
            if (!shown.on()) return "none";
            std::string out;
            sio::bytes::append_number(out, shown.burst), out += '/', sio::bytes::append_number(out, shown.per_second);
            return out;
          }};
}

Flag interval() {
  return {"random-string-interval", "MIN..MAX", "seconds between two random strings, drawn uniformly",
          [](Config& config, std::string_view text) {
            const auto dots = text.find("..");
            if (dots == text.npos) return false;
            const auto least = seconds(text.substr(0, dots)), most = seconds(text.substr(dots + 2));
            if (!least || !most || least->count() == 0 || *least > *most) return false;
            config.random_string_interval = {*least, *most};
            return true;
          },
          [](const Config& config) {
            const auto show = [](sio::Milliseconds ms) {
              std::string out;
              sio::bytes::append_number(out, static_cast<double>(ms.count()) / 1000);
              return out;
            };
            return show(config.random_string_interval.least) + ".." + show(config.random_string_interval.most);
          }};
}

Flag log_level() {
  return {"log-level", "LEVEL", "debug, info, warn, error or off",
          [](Config& config, std::string_view text) {
            for (const auto level : {sio::LogLevel::debug, sio::LogLevel::info, sio::LogLevel::warn, sio::LogLevel::error, sio::LogLevel::off})
              if (text == sio::level_name(level)) return config.server.log_level = level, true;
            return false;
          },
          [](const Config& config) { return std::string(sio::level_name(config.server.log_level)); }};
}

Flag metrics_path() {
  return {"metrics-path", "PATH", "where the metrics are, or \"none\"",
          [](Config& config, std::string_view text) {
            config.metrics_path = text == "none" ? "" : text;
            return text == "none" || text.starts_with('/');
          },
          [](const Config& config) { return config.metrics_path.empty() ? "none" : config.metrics_path; }};
}

Flag redis() {
  return {"redis", "URL", "Redis that joins processes to one service, redis://user:password@host:6379/0, or \"none\"",
          [](Config& config, std::string_view text) {
            config.redis_url = text == "none" ? "" : text;
            return text == "none" || (sio::redis::parse_url(text), true);
          },
          [](const Config& config) { return config.redis_url.empty() ? "none" : config.redis_url; }};
}

template <class Member>
Flag boolean(std::string name, std::string help, Member member) {
  return {std::move(name), "on|off", std::move(help),
          [=](Config& config, std::string_view text) {
            member(config) = text == "on";
            return text == "on" || text == "off";
          },
          [=](const Config& config) { return std::string(member(const_cast<Config&>(config)) ? "on" : "off"); }};
}

std::vector<Flag> flags() {
  const auto origin = [](std::string_view text) { return text == "none" || text == "*" || text.find("://") != text.npos; };
  const auto network = [](std::string_view text) { return text == "none" || sio::http::Network::parse(text).has_value(); };
  const std::uint64_t million = 1'000'000, huge = 1'000'000'000;
  return {
      number("port", "PORT", "TCP port; 0 lets the system choose", 0, 65535, [](Config& c) -> auto& { return c.server.port; }),
      text("host", "HOST", "where to listen; \"localhost\" is both loopback families, \"::\" everywhere", "", [](Config& c) -> auto& { return c.server.host; }),
      text("namespace", "NAME", "the service's namespace", "/", [](Config& c) -> auto& { return c.name; }),
      text("path", "PATH", "URL path that belongs to Socket.IO", "/", [](Config& c) -> auto& { return c.server.path; }),
      text("health-path", "PATH", "URL path of the health answer", "/", [](Config& c) -> auto& { return c.health_path; }),
      boolean("health-addresses", "whether the health answer says which addresses are connected", [](Config& c) -> auto& { return c.health_addresses; }),
      metrics_path(),
      redis(),
      list("cors-origin", "ORIGIN", "origin whose pages may connect, or \"none\"", [](Config& c) -> auto& { return c.server.cors.origins; }, origin),
      boolean("cors-credentials", "whether pages may send cookies", [](Config& c) -> auto& { return c.server.cors.credentials; }),
      number("max-pings-per-client", "N", "pings of one client; the next one ends it", 0, huge, [](Config& c) -> auto& { return c.max_pings_per_client; }),
      number("max-connections-per-ip", "N", "clients of one address; 0 is no limit", 0, huge, [](Config& c) -> auto& { return c.max_connections_per_ip; }),
      interval(),
      milliseconds("ping-interval", "from one heartbeat to the next", [](Config& c) -> auto& { return c.server.ping_interval; }),
      milliseconds("ping-timeout", "how long a client may take to answer a heartbeat", [](Config& c) -> auto& { return c.server.ping_timeout; }),
      milliseconds("upgrade-timeout", "how long an upgrade to WebSocket may take", [](Config& c) -> auto& { return c.server.upgrade_timeout; }),
      milliseconds("connect-timeout", "how long a client may stay without a namespace", [](Config& c) -> auto& { return c.server.connect_timeout; }),
      milliseconds("drain-timeout", "how long the end may take", [](Config& c) -> auto& { return c.server.drain_timeout; }),
      milliseconds("header-timeout", "how long a request's head may take", [](Config& c) -> auto& { return c.server.http.header_timeout; }),
      milliseconds("body-timeout", "how long a request's body may take", [](Config& c) -> auto& { return c.server.http.body_timeout; }),
      milliseconds("keep-alive-timeout", "how long an idle HTTP connection is kept", [](Config& c) -> auto& { return c.server.http.keep_alive_timeout; }),
      boolean("add-trailing-slash", "off: the path without its final slash is ours, too", [](Config& c) -> auto& { return c.server.add_trailing_slash; }),
      boolean("destroy-upgrade", "whether an upgrade that nobody serves is ended", [](Config& c) -> auto& { return c.server.destroy_upgrade; }),
      milliseconds("destroy-upgrade-timeout", "how long such an upgrade is left open", [](Config& c) -> auto& { return c.server.destroy_upgrade_timeout; }),
      milliseconds("max-disconnection-duration", "how long a client that was cut off may come back as who it was; 0: not", [](Config& c) -> auto& { return c.server.connection_state_recovery.max_disconnection_duration; }, 0),
      number("max-connections-per-address", "N", "TCP connections of one peer, trusted proxies aside; 0: no limit", 0, huge, [](Config& c) -> auto& { return c.server.max_connections_per_address; }),
      number("max-sessions-per-address", "N", "sessions of one client's address, trusted proxies aside; 0: no limit", 0, huge, [](Config& c) -> auto& { return c.server.max_sessions_per_address; }),
      rate("handshake-rate", "handshakes of one client's address", [](Config& c) -> auto& { return c.server.handshake_rate; }),
      rate("packet-rate", "packets of one client, which is closed beyond", [](Config& c) -> auto& { return c.server.packet_rate; }),
      rate("event-rate", "events of one client, which is told when to try again", [](Config& c) -> auto& { return c.server.event_rate; }),
      milliseconds("slow-handler", "when a handler is logged as slow; 0: never", [](Config& c) -> auto& { return c.server.slow_handler; }, 0),
      number("max-payload", "BYTES", "largest message", 1, huge, [](Config& c) -> auto& { return c.server.max_payload; }),
      number("max-sessions", "N", "sessions in all", 1, huge, [](Config& c) -> auto& { return c.server.max_sessions; }),
      number("max-queue-bytes", "BYTES", "what may wait for one client", 1, 1000 * huge, [](Config& c) -> auto& { return c.server.max_queue_bytes; }),
      number("max-json-depth", "N", "nesting of a client's JSON", 1, 64, [](Config& c) -> auto& { return c.server.max_json_depth; }),
      number("max-json-tokens", "N", "tokens of a client's JSON", 1, 100 * million, [](Config& c) -> auto& { return c.server.max_json_tokens; }),
      number("max-attachments", "N", "binary attachments of one event", 0, 1000, [](Config& c) -> auto& { return c.server.max_attachments; }),
      boolean("polling", "long-polling offered", [](Config& c) -> auto& { return c.server.polling; }),
      boolean("websocket", "WebSocket offered", [](Config& c) -> auto& { return c.server.websocket; }),
      boolean("allow-upgrades", "from polling to WebSocket", [](Config& c) -> auto& { return c.server.allow_upgrades; }),
      list("trusted-proxy", "NETWORK", "whose X-Forwarded-For is believed, or \"none\"", [](Config& c) -> auto& { return c.server.trusted_proxies; }, network),
      log_level(),
      boolean("trace", "every packet and request in a line, explained; see --log-level off", [](Config& c) -> auto& { return c.trace; }),
  };
}

void print_help(const std::vector<Flag>& all) {
  std::puts("sio_demo - a Socket.IO v4 service in C++: random strings, pings with limits, health.\n\nusage: sio_demo [--flag value]...\n");
  const Config defaults;
  for (const Flag& flag : all) {
    const std::string left = "--" + flag.name + " " + flag.value;
    std::printf("  %-36s %s (default: %s)\n", left.c_str(), flag.help.c_str(), flag.show(defaults).c_str());
  }
  std::printf("  %-36s %s\n  %-36s %s\n  %-36s %s\n", "--help", "this text", "--version", "the version", "--print-types", "the events' interfaces for clients in TypeScript");
}

void print_types() {
  using namespace sio::demo;
  std::fputs(sio::typescript(random_string, connection_status, error, ping).c_str(), stdout);
}

/// Exits for --help, --version and --print-types, and, with one line on standard error, for what it does not understand.
Config parse(const std::vector<std::string_view>& arguments) {
  const auto all = flags();
  Config config;
  const auto fail = [](const std::string& why) {
    std::fprintf(stderr, "sio_demo: %s; sio_demo --help lists the flags\n", why.c_str());
    std::exit(2);
  };
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view argument = arguments[i];
    if (argument == "--help") print_help(all), std::exit(0);
    if (argument == "--version") std::puts("sio_demo " SIO_DEMO_VERSION), std::exit(0);
    if (argument == "--print-types") print_types(), std::exit(0);
    std::optional<std::string_view> value;
    if (const auto equals = argument.find('='); equals != argument.npos) value = argument.substr(equals + 1), argument = argument.substr(0, equals);
    const auto flag = std::find_if(all.begin(), all.end(), [&](const Flag& f) { return argument == "--" + f.name; });
    if (flag == all.end()) fail("unknown flag \"" + std::string(argument) + "\"");
    if (!value && flag->value == "on|off" && (i + 1 == arguments.size() || arguments[i + 1].starts_with("--"))) value = "on";
    if (!value && i + 1 < arguments.size()) value = arguments[++i];
    if (!value) fail("--" + flag->name + " needs a value: " + flag->value + ", " + flag->help);
    try {
      if (flag->set(config, *value)) continue;
    } catch (const std::invalid_argument& why) {
      fail("--" + flag->name + ": " + why.what());
    }
    fail("--" + flag->name + " does not take \"" + std::string(*value) + "\": it wants " + flag->value + ", " + flag->help);
  }
  return config;
}

/// Writes the log in a thread of its own, so that a full disk or a pipe that nobody reads costs lines, not time.
class LogWriter {
 public:
  explicit LogWriter(sio::LogQueue& queue) : queue_(queue), done_(ended_.get_future()), thread_([this] { write(); }) {}
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;
  /// Waits a second for what is still to be written; a reader that takes longer does not keep us.
  ~LogWriter() {
    queue_.close();
    if (done_.wait_for(std::chrono::seconds(1)) == std::future_status::timeout) std::_Exit(exit_code);
    thread_.join();
  }

  int exit_code = 0;  // of a program that cannot wait

 private:
  void write() {
    for (std::string lines; queue_.take(lines);) {
      const bool written = std::fwrite(lines.data(), 1, lines.size(), stdout) == lines.size();
      if (std::fflush(stdout) == 0 && written) continue;
      std::clearerr(stdout);
      queue_.lost(lines);
    }
    ended_.set_value();
  }

  sio::LogQueue& queue_;
  std::promise<void> ended_;
  std::future<void> done_;
  std::thread thread_;
};

/// Whether the trace may have colours: it goes to a terminal, whose user has not said no (no-color.org).
bool colourful() {
#ifdef _WIN32
  return false;
#else
  return ::isatty(STDOUT_FILENO) == 1 && !std::getenv("NO_COLOR");
#endif
}

/// Runs the service until a signal; the program's exit code.
int serve(const Config& config, sio::LogQueue& log) {
  asio::io_context loop(1);
  asio::signal_set signals(loop, SIGINT, SIGTERM);
  try {
    sio::demo::Service service(loop, config);
    service.start();
    const std::string port = std::to_string(service.server().port());
    log.push("Server running on port " + port + "\n");
    log.push("WebSocket service available at ws://localhost:" + port + config.name + "\n");
    signals.async_wait([&](std::error_code error, int) {
      if (error) return;
      signals.async_wait([](std::error_code again, int) {
        if (!again) std::_Exit(1);  // a second signal does not wait
      });
      service.stop([&] { signals.cancel(); });
    });
    loop.run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sio_demo: %s\n", error.what());
    return 1;
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  Config config = parse(std::vector<std::string_view>(arguments + (std::min)(count, 1), arguments + count));
#ifdef SIGPIPE
  std::signal(SIGPIPE, SIG_IGN);  // a reader of our log that goes away does not take the service with it
#endif
  sio::LogQueue queue;
  config.server.log_sink = [&](const sio::LogRecord& record) { queue.push(sio::json_line(record) + '\n'); };
  if (config.trace) config.server.trace = [&, colour = colourful()](const sio::TraceRecord& record) { queue.push(sio::trace_line(record, colour) + '\n'); };
  LogWriter writer(queue);
  return writer.exit_code = serve(config, queue);
}
