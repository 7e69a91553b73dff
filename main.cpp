// The demo service as a program: flags, signals, exit codes, and, in the appendix, the page at "/". Everything else is
// in sio_demo.hpp.
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

/// The service's options, and the program's own.
struct Config : sio::demo::Config {
  bool trace = false;
};

/// One command-line flag: parses it, and prints it in --help with its default.
struct Flag {
  std::string name;
  std::string value;  // the name of the value in --help
  std::string help;
  /// Returns false, or throws std::invalid_argument that says why, for an invalid value.
  std::function<bool(Config&, std::string_view)> set;
  std::function<std::string(const Config&)> show;
};

template <class Integer>
bool set_number(Integer& target, std::string_view text, std::uint64_t least, std::uint64_t most) {
  const auto number = sio::bytes::whole_number(text);
  if (!number || *number < least || *number > most) return false;
  target = static_cast<Integer>(*number);
  return true;
}

/// A flag for a number; `member` returns a reference to it in the configuration.
template <class Member>
Flag number(std::string name, std::string value, std::string help, std::uint64_t least, std::uint64_t most,
            Member member) {
  return {std::move(name), std::move(value), std::move(help),
          [=](Config& config, std::string_view text) { return set_number(member(config), text, least, most); },
          [=](const Config& config) { return std::to_string(member(config)); }};
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
          [=](const Config& config) { return std::to_string(member(config).count()); }};
}

template <class Member>
Flag text(std::string name, std::string value, std::string help, std::string_view begins_with, Member member) {
  return {std::move(name), std::move(value), std::move(help),
          [=](Config& config, std::string_view given) {
            if (given.empty() || !given.starts_with(begins_with)) return false;
            member(config) = given;
            return true;
          },
          [=](const Config& config) { return member(config); }};
}

/// A flag that may be given several times; the first replaces the defaults.
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
            for (const auto& item : member(config)) all += (all.empty() ? "" : " ") + item;
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
            const auto burst = sio::bytes::whole_number(text.substr(0, slash)),
                       per_second = sio::bytes::whole_number(text.substr((std::min)(slash + 1, text.size())));
            if (!burst || !per_second || *burst == 0) return false;
            member(config) = {static_cast<double>(*burst), static_cast<double>(*per_second)};
            return true;
          },
          [=](const Config& config) -> std::string {
            const sio::Rate& shown = member(config);
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
            for (const auto level : {sio::LogLevel::debug, sio::LogLevel::info, sio::LogLevel::warn,
                                     sio::LogLevel::error, sio::LogLevel::off})
              if (text == sio::level_name(level)) return config.server.log_level = level, true;
            return false;
          },
          [](const Config& config) { return std::string(sio::level_name(config.server.log_level)); }};
}

Flag metrics_path() {
  return {"metrics-path", "PATH", "URL path of the metrics, or \"none\"",
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
          [=](const Config& config) { return std::string(member(config) ? "on" : "off"); }};
}

/// Flags for limits of memory and rates, in a function of their own because flags() is long.
std::vector<Flag> bounds() {
  constexpr std::uint64_t huge = 1'000'000'000;
  return {
      rate("error-rate", "error replies to one client; beyond, errors are only counted",
           [](auto& c) -> auto& { return c.server.error_rate; }),
      number("packets-per-turn", "N", "packets of one connection handled before other connections are served", 1, huge,
             [](auto& c) -> auto& { return c.server.packets_per_turn; }),
      number("max-input-per-address", "BYTES",
             "bytes of unhandled requests and messages of one peer, except trusted proxies; 0: no limit", 0,
             1000 * huge, [](auto& c) -> auto& { return c.server.max_input_per_address; }),
      number("max-connections", "N", "TCP connections in total", 1, huge,
             [](auto& c) -> auto& { return c.server.max_connections; }),
      number("max-kept-bytes", "BYTES", "auth and events waiting for middlewares of one client", 1, 1000 * huge,
             [](auto& c) -> auto& { return c.server.max_kept_bytes; }),
  };
}

std::vector<Flag> flags() {  // NOLINT(readability-function-size): a table, a row for each flag of the command line
  const auto origin = [](std::string_view text) {
    return text == "none" || text == "*" || text.find("://") != text.npos;
  };
  const auto network = [](std::string_view text) {
    return text == "none" || sio::http::Network::parse(text).has_value();
  };
  const std::uint64_t million = 1'000'000, huge = 1'000'000'000;
  return {
      number("port", "PORT", "TCP port; 0 lets the system choose", 0, 65535,
             [](auto& c) -> auto& { return c.server.port; }),
      text("host", "HOST", "where to listen; \"localhost\" is both loopback families, \"::\" everywhere", "",
           [](auto& c) -> auto& { return c.server.host; }),
      text("namespace", "NAME", "the service's namespace", "/", [](auto& c) -> auto& { return c.name; }),
      text("path", "PATH", "URL path of Socket.IO", "/", [](auto& c) -> auto& { return c.server.path; }),
      text("health-path", "PATH", "URL path of the health response", "/",
           [](auto& c) -> auto& { return c.health_path; }),
      boolean("health-addresses", "whether the health response lists the clients' addresses",
              [](auto& c) -> auto& { return c.health_addresses; }),
      metrics_path(),
      redis(),
      list(
          "cors-origin", "ORIGIN", "origin whose pages may connect, or \"none\"",
          [](auto& c) -> auto& { return c.server.cors.origins; }, origin),
      boolean("cors-credentials", "whether pages may send cookies",
              [](auto& c) -> auto& { return c.server.cors.credentials; }),
      number("max-pings-per-client", "N", "pings of one client; the next one ends it", 0, huge,
             [](auto& c) -> auto& { return c.max_pings_per_client; }),
      number("max-connections-per-ip", "N", "clients of one address; 0 is no limit", 0, huge,
             [](auto& c) -> auto& { return c.max_connections_per_ip; }),
      interval(),
      milliseconds("ping-interval", "from one heartbeat to the next",
                   [](auto& c) -> auto& { return c.server.ping_interval; }),
      milliseconds("ping-timeout", "how long a client may take to answer a heartbeat",
                   [](auto& c) -> auto& { return c.server.ping_timeout; }),
      milliseconds("upgrade-timeout", "how long an upgrade to WebSocket may take",
                   [](auto& c) -> auto& { return c.server.upgrade_timeout; }),
      milliseconds("connect-timeout", "how long a client may stay without a namespace",
                   [](auto& c) -> auto& { return c.server.connect_timeout; }),
      milliseconds("drain-timeout", "how long a shutdown may take",
                   [](auto& c) -> auto& { return c.server.drain_timeout; }),
      milliseconds("header-timeout", "how long a request's headers may take",
                   [](auto& c) -> auto& { return c.server.http.header_timeout; }),
      milliseconds("body-timeout", "how long a request's body may take",
                   [](auto& c) -> auto& { return c.server.http.body_timeout; }),
      milliseconds("keep-alive-timeout", "how long an idle HTTP connection is kept",
                   [](auto& c) -> auto& { return c.server.http.keep_alive_timeout; }),
      boolean("add-trailing-slash", "off: also serve the path without its final slash",
              [](auto& c) -> auto& { return c.server.add_trailing_slash; }),
      boolean("destroy-upgrade", "whether an upgrade on a path without a route is closed",
              [](auto& c) -> auto& { return c.server.destroy_upgrade; }),
      milliseconds("destroy-upgrade-timeout", "how long such an upgrade stays open",
                   [](auto& c) -> auto& { return c.server.destroy_upgrade_timeout; }),
      milliseconds(
          "max-disconnection-duration", "how long a disconnected client can recover its state; 0: never",
          [](auto& c) -> auto& { return c.server.connection_state_recovery.max_disconnection_duration; }, 0),
      number("max-connections-per-address", "N", "TCP connections of one peer, except trusted proxies; 0: no limit", 0,
             huge, [](auto& c) -> auto& { return c.server.max_connections_per_address; }),
      number("max-sessions-per-address", "N", "sessions of one client's address, except trusted proxies; 0: no limit",
             0, huge, [](auto& c) -> auto& { return c.server.max_sessions_per_address; }),
      rate("handshake-rate", "handshakes of one client's address",
           [](auto& c) -> auto& { return c.server.handshake_rate; }),
      rate("packet-rate", "packets of one client, which is disconnected beyond",
           [](auto& c) -> auto& { return c.server.packet_rate; }),
      rate("event-rate", "events of one client; beyond, they are refused with a time to retry",
           [](auto& c) -> auto& { return c.server.event_rate; }),
      milliseconds(
          "slow-handler", "a handler that takes longer is logged as slow; 0: never",
          [](auto& c) -> auto& { return c.server.slow_handler; }, 0),
      number("max-payload", "BYTES", "largest message", 1, huge, [](auto& c) -> auto& { return c.server.max_payload; }),
      number("max-sessions", "N", "sessions in total", 1, huge, [](auto& c) -> auto& { return c.server.max_sessions; }),
      number("max-queue-bytes", "BYTES", "bytes queued for one client, which is disconnected beyond", 1, 1000 * huge,
             [](auto& c) -> auto& { return c.server.max_queue_bytes; }),
      number("max-json-depth", "N", "nesting of a client's JSON", 1, 64,
             [](auto& c) -> auto& { return c.server.max_json_depth; }),
      number("max-json-tokens", "N", "tokens of a client's JSON", 1, 100 * million,
             [](auto& c) -> auto& { return c.server.max_json_tokens; }),
      number("max-attachments", "N", "binary attachments of one event", 0, 1000,
             [](auto& c) -> auto& { return c.server.max_attachments; }),
      boolean("polling", "whether long-polling is offered", [](auto& c) -> auto& { return c.server.polling; }),
      boolean("websocket", "whether WebSocket is offered", [](auto& c) -> auto& { return c.server.websocket; }),
      boolean("allow-upgrades", "whether clients are offered the upgrade from polling to WebSocket",
              [](auto& c) -> auto& { return c.server.allow_upgrades; }),
      list(
          "trusted-proxy", "NETWORK", "whose X-Forwarded-For is believed, or \"none\"",
          [](auto& c) -> auto& { return c.server.trusted_proxies; }, network),
      log_level(),
      boolean("trace", "every packet and request in a line, explained; see --log-level off",
              [](auto& c) -> auto& { return c.trace; }),
  };
}

void print_help(const std::vector<Flag>& all) {
  std::puts(
      "sio_demo - a Socket.IO v4 service in C++: random strings, pings with limits, health.\n\nusage: sio_demo [--flag "
      "value]...\n");
  const Config defaults;
  for (const Flag& flag : all) {
    const std::string left = "--" + flag.name + " " + flag.value;
    std::printf("  %-36s %s (default: %s)\n", left.c_str(), flag.help.c_str(), flag.show(defaults).c_str());
  }
  std::printf("  %-36s %s\n  %-36s %s\n  %-36s %s\n", "--help", "this text", "--version", "the version",
              "--print-types", "the events' interfaces for clients in TypeScript");
}

void print_types() {
  namespace demo = sio::demo;
  std::fputs(sio::typescript(demo::random_string, demo::connection_status, demo::error, demo::ping).c_str(), stdout);
}

/// Parses the command line. Exits for --help, --version and --print-types, and, with one line on standard error and
/// code 2, for an invalid flag.
Config parse(const std::vector<std::string_view>& arguments) {
  auto all = flags();
  for (auto& flag : bounds()) all.push_back(std::move(flag));
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
    if (const auto equals = argument.find('='); equals != argument.npos)
      value = argument.substr(equals + 1), argument = argument.substr(0, equals);
    const auto flag = std::find_if(all.begin(), all.end(), [&](const Flag& f) { return argument == "--" + f.name; });
    if (flag == all.end()) fail("unknown flag \"" + std::string(argument) + "\"");
    if (!value && flag->value == "on|off" && (i + 1 == arguments.size() || arguments[i + 1].starts_with("--")))
      value = "on";
    if (!value && i + 1 < arguments.size()) value = arguments[++i];
    if (!value) fail("--" + flag->name + " needs a value: " + flag->value + ", " + flag->help);
    try {
      // NOLINTNEXTLINE(bugprone-unchecked-optional-access): fail does not return
      if (flag->set(config, *value)) continue;
    } catch (const std::invalid_argument& why) {
      fail("--" + flag->name + ": " + why.what());
    }
    // NOLINTNEXTLINE(bugprone-unchecked-optional-access): fail does not return
    fail("--" + flag->name + " does not take \"" + std::string(*value) + "\": it wants " + flag->value + ", " +
         flag->help);
  }
  return config;
}

/// Writes the log in a separate thread. If standard output blocks, lines are lost, but the event loop does not wait.
class LogWriter {
 public:
  explicit LogWriter(sio::LogQueue& queue) : queue_(queue), done_(ended_.get_future()), thread_([this] { write(); }) {}
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;
  /// Waits up to a second for the rest to be written; if it takes longer, exits the process.
  ~LogWriter() {
    queue_.close();
    if (done_.wait_for(std::chrono::seconds(1)) == std::future_status::timeout) std::_Exit(exit_code);
    thread_.join();
  }

  int exit_code = 0;  // for the exit in the destructor

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

/// Whether the trace has colours: standard output is a terminal, and NO_COLOR is not set (no-color.org).
bool colourful() {
#ifdef _WIN32
  return false;
#else
  return ::isatty(STDOUT_FILENO) == 1 && !std::getenv("NO_COLOR");
#endif
}

void add_page(sio::Server& io, const Config& config);  // the appendix

/// Queues a line that is not a log record. The queue throws when a line is lost, which must not end the service.
void announce(sio::LogQueue& log, const std::string& line) {
  try {
    log.push(line);
    // NOLINTNEXTLINE(bugprone-empty-catch): the log is not read, so there is no place to report it
  } catch (const std::runtime_error&) {}
}

/// Runs the service until a signal. Returns the program's exit code.
int serve(const Config& config, sio::LogQueue& log) {
  asio::io_context loop(1);
  asio::signal_set signals(loop, SIGINT, SIGTERM);
  try {
    sio::demo::Service service(loop, config);
    add_page(service.server(), config);
    service.start();
    const std::string port = std::to_string(service.server().port());
    announce(log, "Server running on port " + port + "\n");
    announce(log, "WebSocket service available at ws://localhost:" + port + config.name + "\n");
    signals.async_wait([&](std::error_code error, int) {
      if (error) return;
      signals.async_wait([](std::error_code again, int) {
        if (!again) std::_Exit(1);  // a second signal exits at once
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
  std::signal(SIGPIPE, SIG_IGN);  // closing the log's pipe must not end the service
#endif
  sio::LogQueue queue;
  config.server.log_sink = [&](const sio::LogRecord& record) { queue.push(sio::json_line(record) + '\n'); };
  if (config.trace)
    config.server.trace = [&, colour = colourful()](const sio::TraceRecord& record) {
      queue.push(sio::trace_line(record, colour) + '\n');
    };
  LogWriter writer(queue);
  return writer.exit_code = serve(config, queue);
}

// ================================================================================================
// Appendix: the page at "/"
//
// A client of the service for browsers, which shows the packets that it sends and receives: one page,
// without other files or a client library. page_protocol is a Socket.IO client in plain JavaScript;
// page_explain explains packets; page_script draws the page. Each string literal has less than 16,000
// characters, the limit of some compilers.
// ================================================================================================

namespace {

constexpr std::string_view page_html = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>sio_demo: Socket.IO, packet by packet</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M2 1v14M14 1v14M3 5h9M13 11H4' stroke='%236a2fd0' stroke-width='2'/%3E%3C/svg%3E">
<style nonce="{{nonce}}">{{style}}</style>
</head>
<body>
<a class="skip" href="#packets">Skip to the packets</a>
<header>
  <div>
    <h1>Socket.IO, packet by packet</h1>
    <p class="soft">This page is the client: the protocol by hand, in plain JavaScript. What travels is drawn as it travels.</p>
  </div>
  <label class="line">Theme <select id="theme"><option value="">as the system</option><option value="light">light</option><option value="dark">dark</option></select></label>
</header>
<section class="card controls" aria-label="Connection">
  <form id="transport"><fieldset><legend>Transport</legend>
    <label class="choice"><input type="radio" name="mode" value="upgrade" checked> polling, then upgrade</label>
    <label class="choice"><input type="radio" name="mode" value="polling"> polling only</label>
    <label class="choice"><input type="radio" name="mode" value="websocket"> WebSocket only</label>
  </fieldset></form>
  <p class="status" id="status" role="status" aria-live="polite" data-state="idle">not connected</p>
  <button type="button" id="connection">Disconnect</button>
</section>
<main>
  <section class="card diagram" aria-labelledby="diagram-title">
    <div class="line">
      <h2 id="diagram-title">Sequence diagram</h2>
      <label class="choice"><input type="checkbox" id="follow" checked> follow</label>
      <button type="button" id="clear">Clear</button>
      <p class="legend"><span class="polling">packet over polling</span> <span class="http">HTTP around it</span> <span class="websocket">packet over WebSocket</span></p>
    </div>
    <div class="scroll" id="scroll">
      <div class="actors" aria-hidden="true"><span>Browser</span><span>Server</span></div>
      <ol class="packets" id="packets" tabindex="-1" aria-label="Packets, oldest first; the arrow keys move between them, Enter explains one"></ol>
    </div>
  </section>
  <div>
    <section class="card" id="explanation" aria-labelledby="explanation-title" aria-live="polite">
      <h2 id="explanation-title">What a packet says</h2>
      <p class="soft">Choose an arrow of the diagram: its text is taken apart here, layer by layer.</p>
    </section>
    <div class="pair">
    <section class="card" aria-labelledby="ping-title">
      <h2 id="ping-title">Ping</h2>
      <div class="line"><button type="button" id="ping">Ping</button> <span class="soft small" id="times">no round trip yet</span></div>
      <svg class="plot" id="plot" role="img" aria-label="Round-trip times: none yet" viewBox="0 0 320 88" preserveAspectRatio="none"></svg>
    </section>
    <section class="card" aria-labelledby="strings-title">
      <h2 id="strings-title">Random strings</h2>
      <ol class="strings mono" id="strings" aria-label="The last random strings, newest first"><li class="soft">none yet</li></ol>
    </section>
    </div>
    <section class="card" aria-labelledby="limits-title">
      <h2 id="limits-title">Limits, hit on purpose</h2>
      <div class="line">
        <button type="button" id="limit-connections">Connect until refused</button>
        <button type="button" id="limit-pings">Ping until ended</button>
      </div>
      <output id="limits"></output>
    </section>
    <section class="card" aria-labelledby="raw-title">
      <h2 id="raw-title">Send a raw packet</h2>
      <form class="line" id="raw-form">
        <label class="hidden" for="raw">Packet, both layers</label>
        <input type="text" id="raw" autocomplete="off" autocapitalize="off" spellcheck="false">
        <label class="hidden" for="example">Example to start from</label>
        <select id="example"></select>
        <button type="submit">Send</button>
      </form>
      <output id="answers" class="mono"></output>
    </section>
  </div>
</main>
<details class="card source">
  <summary>The client of this page, to be read</summary>
  <pre class="raw" id="source" role="group" aria-label="Source of the client" tabindex="0"></pre>
</details>
<footer>The diagram keeps the last 500 rows. Sections named here are those of the Engine.IO protocol, version 4, and of the Socket.IO protocol, version 5.</footer>
<script nonce="{{nonce}}" type="application/json" id="settings">{{settings}}</script>
<script nonce="{{nonce}}" id="protocol">{{protocol}}</script>
<script nonce="{{nonce}}">{{explain}}</script>
<script nonce="{{nonce}}">{{script}}</script>
</body>
</html>
)html";

constexpr std::string_view page_style = R"css(:root {
  color-scheme: light dark;
  --page: light-dark(#f6f7f9, #0f1217); --card: light-dark(#ffffff, #171b22); --edge: light-dark(#d5dae1, #2d3540);
  --text: light-dark(#1a2029, #e6eaf0); --soft: light-dark(#566070, #a0abba); --life: light-dark(#b4bcc8, #4a5564);
  --polling: light-dark(#0b6e66, #4fd6c6); --websocket: light-dark(#6a2fd0, #c0a4fc); --focus: light-dark(#0b57d0, #8ab4ff);
  --polling-lane: light-dark(#eff9f7, #12211f); --websocket-lane: light-dark(#f5f1fe, #1d1a2b);
  --engine: light-dark(#a34404, #f7b955); --socket: light-dark(#1550c4, #8fbcff); --namespace: light-dark(#12692f, #7ddc98);
  --ack: light-dark(#b01868, #f79bcb); --bad: light-dark(#b3261e, #ff9d94); --good: light-dark(#12692f, #7ddc98);
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
:root[data-theme="light"] { color-scheme: light; }
:root[data-theme="dark"] { color-scheme: dark; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 86rem; padding: 0 1.25rem 1.5rem; background: var(--page); color: var(--text);
  font: 0.9375rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
h1 { margin: 0; font-size: 1.25rem; line-height: 1.3; letter-spacing: -0.01em; }
h2 { margin: 0; font-size: 0.9375rem; line-height: 1.4; }
p { margin: 0; }
code, pre, .mono { font-family: var(--mono); font-size: 0.8125rem; }
.soft { color: var(--soft); }
.small { font-size: 0.8125rem; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip:not(:focus) { position: absolute; left: -100rem; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 4px; }

header { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 1.25rem; padding: 1rem 0 0.75rem; }
header > div { flex: 1 1 20rem; }
header .soft { font-size: 0.875rem; }
button, select, input { font: inherit; color: inherit; }
button, select, input[type="text"] { min-height: 2.25rem; padding: 0.25rem 0.75rem; border: 1px solid light-dark(#7d8795, #6b7685);
  border-radius: 8px; background: var(--card); }
button { cursor: pointer; font-weight: 550; }
button:hover:not(:disabled) { border-color: var(--focus); color: var(--focus); }
button:disabled { cursor: default; color: var(--soft); border-style: dashed; }
select { padding-right: 0.25rem; }
fieldset { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 1rem; margin: 0; padding: 0; border: 0; min-width: 0; }
legend { float: left; font-weight: 550; margin-right: 1rem; padding: 0; }
input[type="radio"], input[type="checkbox"] { accent-color: var(--focus); width: 1rem; height: 1rem; margin: 0; }
label.choice { display: inline-flex; align-items: center; gap: 0.375rem; min-height: 1.75rem; cursor: pointer; }
.card { background: var(--card); border: 1px solid var(--edge); border-radius: 12px; padding: 0.875rem 1rem; min-width: 0; }
.line { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 0.75rem; }
.controls { display: flex; flex-wrap: wrap; align-items: center; gap: 0.625rem 1.5rem; margin-bottom: 1rem; padding: 0.625rem 1rem; }
.status { display: flex; align-items: center; gap: 0.5rem; flex: 1 1 16rem; min-width: 0; overflow-wrap: anywhere; }
.status::before { content: "○"; font-weight: 700; }
.status[data-state="open"]::before { content: "●"; color: var(--good); }
.status[data-state="waiting"]::before { content: "◐"; color: var(--engine); }
.status[data-state="closed"]::before { content: "✕"; color: var(--bad); }
main { display: grid; grid-template-columns: minmax(0, 1.45fr) minmax(0, 1fr); gap: 1rem; align-items: start; }
main > div { display: grid; gap: 1rem; min-width: 0; }
.card > h2 + * { margin-top: 0.5rem; }
.card:not(.controls) > * + :is(.line, output, p, svg) { margin-top: 0.625rem; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 14rem), 1fr)); gap: 1rem; }
output { display: block; font-size: 0.875rem; overflow-wrap: anywhere; white-space: pre-line; }
output:empty { display: none; }

.diagram { padding: 0; overflow: hidden; position: sticky; top: 0.75rem; }
.diagram > .line { padding: 0.75rem 1rem 0.5rem; }
.diagram h2 { flex: 1 1 auto; }
.legend { display: flex; flex-wrap: wrap; gap: 0.25rem 1.125rem; width: 100%; font-size: 0.8125rem; color: var(--soft); }
.legend span::before { content: ""; display: inline-block; width: 1.5rem; margin-right: 0.375rem; vertical-align: 0.25em; border-top: 2px dashed var(--polling); }
.legend .http::before { border-top: 2px dotted var(--soft); }
.legend .websocket::before { border-top: 2px solid var(--websocket); }
.actors { display: flex; justify-content: space-between; padding: 0 0.75rem 0 4.25rem; position: sticky; top: 0; z-index: 1; background: var(--card); }
.actors span { width: 5.5rem; padding: 0.125rem 0; text-align: center; font-weight: 600; font-size: 0.8125rem; border: 1px solid var(--life);
  border-radius: 6px 6px 0 0; border-bottom-width: 3px; }
.scroll { height: max(24rem, calc(100vh - 16.5rem)); overflow-y: auto; scrollbar-gutter: stable; }
.packets { list-style: none; margin: 0; padding: 0; }
.packets button { display: grid; grid-template-columns: 4.25rem minmax(0, 1fr); width: 100%; min-height: 0; padding: 0 0.75rem 0 0; text-align: left;
  border: 0; border-radius: 0; background: none; font-weight: 400; color: var(--text); }
.packets time { align-self: end; line-height: 1.125rem; padding-right: 0.75rem; text-align: right; font: 0.75rem var(--mono); color: var(--soft); }
.packets button:hover .lane, .packets [aria-current] .lane { background: light-dark(#fff3c9, #3a3216); }
.packets [aria-current] time { color: var(--text); font-weight: 700; }
.packets [aria-current] .label { text-decoration: underline; text-underline-offset: 0.1875rem; }
.packets button:focus-visible { outline-offset: -3px; }
.lane { --c: var(--polling); position: relative; display: block; height: 2.375rem; border: solid var(--life); border-width: 0 2px; margin: 0 2.6875rem; background: var(--polling-lane); }
.websocket .lane { --c: var(--websocket); background: var(--websocket-lane); }
.http .lane { --c: var(--soft); height: 2rem; }
.lane .label { position: absolute; inset: 0.1875rem 0.875rem auto; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; text-align: center; line-height: 1.35; }
.http .label { color: var(--soft); font-size: 0.75rem; }
.lane b { font-size: 0.75rem; letter-spacing: 0.02em; margin-right: 0.375rem; color: var(--c); }
.lane::after { content: ""; position: absolute; bottom: 0.5rem; left: 0; right: 0; border-top: 2px dashed var(--c); }
.websocket .lane::after { border-top-style: solid; }
.http .lane::after { bottom: 0.4375rem; border-top: 1px dotted var(--c); }
.lane::before { content: ""; position: absolute; bottom: calc(0.5rem - 4px); right: 0; border: solid transparent; border-width: 5px 0 5px 9px; border-left-color: var(--c); }
.in .lane::before { right: auto; left: 0; border-width: 5px 9px 5px 0; border-right-color: var(--c); }
.http .lane::before { bottom: calc(0.4375rem - 4.5px); }
.bar { display: grid; grid-template-columns: 4.25rem minmax(0, 1fr); padding-right: 0.75rem; }
.bar time { align-self: center; }
.bar .lane { height: auto; padding: 0.25rem 0; background: none; }
.bar .lane::before, .bar .lane::after { content: none; }
.bar .lane span { display: block; position: relative; margin: 0 -1.25rem; padding: 0.1875rem 0.75rem; text-align: center; font-size: 0.8125rem; border-radius: 6px; background: light-dark(#e3e7ed, #2a323d); overflow-wrap: anywhere; }
.bar.upgrade .lane span { background: var(--websocket); color: light-dark(#ffffff, #171b22); font-weight: 600; }

.e { color: var(--engine); font-weight: 700; } .s { color: var(--socket); font-weight: 700; } .n { color: var(--namespace); }
.a { color: var(--ack); font-weight: 700; }
.raw { margin: 0; padding: 0.5rem 0.75rem; border-radius: 8px; background: var(--page); white-space: pre-wrap; overflow-wrap: anywhere; max-height: 9rem; overflow-y: auto; }
.parts { margin: 0.625rem 0 0; display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 0.375rem 0.75rem; font-size: 0.875rem; }
.parts dt { font-family: var(--mono); font-size: 0.8125rem; max-width: 8rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; padding-top: 0.0625rem; }
.parts dd { margin: 0; overflow-wrap: anywhere; }
.why { font-size: 0.875rem; }
.section { font-size: 0.8125rem; color: var(--soft); }
.strings { list-style: none; margin: 0; padding: 0; font-size: 0.875rem; min-height: 1.5rem; }
.strings li { display: flex; justify-content: space-between; gap: 1rem; }
.plot { display: block; width: 100%; height: 5.5rem; }
.plot polyline { fill: none; stroke: var(--socket); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.plot circle { fill: var(--socket); }
.plot line { stroke: var(--edge); }
.plot text { fill: var(--soft); font-size: 11px; }
#raw { flex: 1 1 12rem; min-width: 0; width: 100%; font-family: var(--mono); font-size: 0.8125rem; }
#example { flex: 1 1 9rem; min-width: 0; max-width: 100%; }
.source { margin-top: 1rem; }
.source summary { cursor: pointer; font-weight: 600; }
.source pre { margin-top: 0.75rem; max-height: 40rem; white-space: pre; overflow-x: auto; overflow-wrap: normal; tab-size: 2; line-height: 1.55; }
label.choice:has(:disabled) { color: var(--soft); text-decoration: line-through; cursor: default; }
footer { margin-top: 1rem; font-size: 0.8125rem; color: var(--soft); }
@media (max-width: 60rem) {
  body { padding: 0 0.75rem 1rem; }
  main { grid-template-columns: minmax(0, 1fr); }
  .diagram { position: static; }
  .scroll { height: 26rem; }
}
@media (max-width: 36rem) {
  .packets button, .bar { grid-template-columns: 3.375rem minmax(0, 1fr); padding-right: 0.375rem; }
  .packets time { padding-right: 0.375rem; font-size: 0.6875rem; }
  .lane { margin: 0 1.8125rem; }
  .lane .label { inset-inline: 0.625rem; }
  .actors { padding: 0 0.375rem 0 3.375rem; }
  .actors span { width: 3.75rem; font-size: 0.75rem; }
  .bar .lane span { margin: 0 -0.75rem; padding: 0.1875rem 0.375rem; font-size: 0.75rem; }
  .parts dt { max-width: 4.75rem; }
  .diagram > .line { gap: 0.5rem; padding: 0.75rem 0.75rem 0.5rem; }
  #clear { padding: 0.25rem 0.5rem; }
}
)css";

constexpr std::string_view page_protocol = R"js("use strict";
// A Socket.IO client with fetch and WebSocket only. A Connection is one Engine.IO session with one namespace. It calls
// its observer for each event. It does not reconnect: `demo`, further down, opens a new one.
//
//   observer.http(from, text)           an HTTP request, or its response        from: "browser" or "server"
//   observer.packet(from, via, text)    one packet                              via: "polling" or "websocket"
//   observer.note(text), upgraded(), joined(answer), refused(answer), event(name, args), closed(why, comesBack)

const SEPARATOR = "\x1e";  // between the packets of one HTTP body (Engine.IO, "Packet encoding")

class Connection {
  constructor(endpoint, namespace, mode, observer) {
    Object.assign(this, { endpoint, namespace, mode, observer });
    this.transport = mode === "websocket" ? "websocket" : "polling";
    this.sid = "";           // the session's id, from the handshake
    this.queue = [];         // packets that wait for the transport
    this.acks = new Map();   // ack id: callback for the ACK
    this.lastAck = 0;
    this.paused = false;     // between "3probe" and "5": no new requests over polling
    this.over = this.left = false;
    this.requests = new AbortController();
  }

  start() {
    if (this.mode === "websocket") this.openWebSocket();
    else this.receiving = this.poll();
    return this;
  }

  url(transport) {
    const url = new URL(this.endpoint);
    url.search = new URLSearchParams({ EIO: "4", transport, ...(this.sid && { sid: this.sid }) });
    return url;
  }

  // ---- Engine.IO over HTTP: GET receives packets, POST sends them

  // The first GET has no sid: it is the handshake. The server holds each later GET until it has a packet to send.
  async poll() {
    try {
      while (!this.over && !this.paused) {
        const body = await this.request("GET");
        for (const packet of body.split(SEPARATOR)) this.receive(packet, "polling");
      }
    } catch (error) {
      this.close(`transport error: ${error.message}`);
    }
  }

  // One POST at a time: the server closes the session at a second, concurrent one.
  async post() {
    try {
      while (!this.over && !this.paused && this.queue.length) await this.request("POST", this.queue.splice(0));
    } catch (error) {
      this.close(`transport error: ${error.message}`);
    }
    this.sending = null;
  }

  async request(method, packets = []) {
    const url = this.url("polling");
    this.observer.http("browser", `${method} ${url.pathname}${url.search}`);
    for (const packet of packets) this.observer.packet("browser", "polling", packet);
    const body = method === "POST" ? packets.join(SEPARATOR) : undefined;
    const answer = await fetch(url, { method, body, cache: "no-store", signal: this.requests.signal });
    const text = await answer.text();
    this.observer.http("server", `${answer.status} ${answer.statusText}${method === "POST" || !answer.ok ? `: ${text}` : ""}`);
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    return text;
  }

  // ---- Engine.IO over WebSocket: one packet per message

  openWebSocket() {
    const url = this.url("websocket");
    this.observer.http("browser", `GET ${url.pathname}${url.search}, Upgrade: websocket`);
    url.protocol = url.protocol.replace("http", "ws");
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      this.observer.http("server", "101 Switching Protocols");
      if (this.sid) this.transmit("2probe");  // the session exists: this is its upgrade
    };
    this.socket.onmessage = ({ data }) => (this.transport === "websocket" ? this.receive(data, "websocket") : this.upgrade(data));
    this.socket.onclose = ({ code }) => {
      if (this.transport === "websocket" || this.paused) this.close(`the WebSocket closed, code ${code}`);
      else if (!this.over) this.observer.note("No WebSocket: the session stays with polling");
    };
  }

  transmit(packet) {
    this.observer.packet("browser", "websocket", packet);
    this.socket.send(packet);
  }

  // The upgrade: "2probe" and "3probe" show that packets pass in both directions. The client then waits for its pending
  // requests, of which the server ends the GET with a noop, and "5" moves the session (Engine.IO, "Upgrade").
  async upgrade(packet) {
    this.observer.packet("server", "websocket", packet);
    if (packet !== "3probe") return this.socket.close();
    this.paused = true;
    await Promise.all([this.receiving, this.sending]);
    if (this.over) return;
    this.transmit("5");
    this.transport = "websocket";
    this.observer.upgraded();
    this.flush();
  }

  // ---- Engine.IO packets: a digit for the type, and a payload

  send(packet) {
    this.queue.push(packet);
    this.flush();
  }

  flush() {
    if (this.over || !this.sid || !this.queue.length) return;
    if (this.transport === "websocket") this.queue.splice(0).forEach((packet) => this.transmit(packet));
    else if (!this.sending && !this.paused) this.sending = this.post();
  }

  receive(packet, via) {
    if (this.over) return;
    this.observer.packet("server", via, packet);
    if (typeof packet !== "string") return;                            // a binary attachment; the demo sends none
    switch (packet[0]) {
      case "0": return this.opened(JSON.parse(packet.slice(1)));
      case "1": return this.close("the server closed the session", true);
      case "2": this.expectPing(); return this.send("3");              // the heartbeat: ping, pong
      case "4": return this.message(packet.slice(1));
      case "6": return;                                                // noop: only ends a GET
      default: return this.close("a packet of no known type");
    }
  }

  opened({ sid, upgrades, pingInterval, pingTimeout }) {
    this.sid = sid;
    this.patience = pingInterval + pingTimeout;
    this.expectPing();
    this.send(this.packet(0));                                         // CONNECT to the namespace
    if (this.mode === "upgrade" && upgrades.includes("websocket")) this.openWebSocket();
  }

  // The server pings. Without a ping in this time, the connection is lost (Engine.IO, "Heartbeat").
  expectPing() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.close("no ping came in time"), this.patience);
  }

  // ---- Socket.IO packets, each in an Engine.IO message: type, namespace, ack id, JSON (Socket.IO, "Packet encoding")

  packet(type, id = "", data = "") {
    return `4${type}${this.namespace === "/" ? "" : `${this.namespace},`}${id}${data && JSON.stringify(data)}`;
  }

  message(text) {
    const [, type, namespace = "/", id, json] = /^(\d)(?:\d+-)?(?:(\/[^,]*),?)?(\d*)(.*)$/s.exec(text) ?? [];
    if (namespace !== this.namespace) return;                          // another namespace of the session
    const data = json ? JSON.parse(json) : undefined;
    switch (type) {
      case "0": return this.observer.joined(data);                     // CONNECT: the server accepts
      case "1": return this.close("the server disconnected us", false); // DISCONNECT
      case "2": return this.observer.event(data[0], data.slice(1));    // EVENT: its name, its arguments
      case "3": return this.acks.get(Number(id))?.(data);              // ACK of the event with this id
      case "4": return this.observer.refused(data);                    // CONNECT_ERROR
    }
  }

  // Emits an event with an ack id, and waits for the ACK with that id. Resolves to undefined if the connection closes.
  ask(name, ...args) {
    const id = ++this.lastAck;
    return new Promise((resolve) => {
      this.acks.set(id, (data) => { this.acks.delete(id); resolve(data); });
      if (this.over) this.acks.get(id)(undefined);
      else this.send(this.packet(2, id, [name, ...args]));
    });
  }

  // Leaves the namespace by DISCONNECT, then closes the session: over polling by a packet, over WebSocket by a close frame.
  async leave() {
    this.left = true;
    this.send(this.packet(1));
    if (this.transport === "polling") this.send("1");
    await this.sending;
    this.close("we left");
  }

  close(why, comesBack = true) {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.timer);
    this.requests.abort();
    this.socket?.close();
    for (const answer of [...this.acks.values()]) answer(undefined);
    this.observer.closed(this.left ? "we left" : why, comesBack && !this.left);
  }
}
)js";

constexpr std::string_view page_explain =
    R"js(// Explains packets: splits a packet's text into its layers, and describes them. This part does not use the page.

const ENGINE = {
  0: ["open", "Engine.IO packet type: open. The answer to the handshake."],
  1: ["close", "Engine.IO packet type: close. The session ends here."],
  2: ["ping", "Engine.IO packet type: ping."],
  3: ["pong", "Engine.IO packet type: pong. The answer to a ping."],
  4: ["message", "Engine.IO packet type: message. All that follows belongs to Socket.IO."],
  5: ["upgrade", "Engine.IO packet type: upgrade. Last step of the change of transport."],
  6: ["noop", "Engine.IO packet type: noop. It says nothing."],
};
const SOCKET = {
  0: ["CONNECT", "Socket.IO packet type: CONNECT, to a namespace."],
  1: ["DISCONNECT", "Socket.IO packet type: DISCONNECT, from a namespace."],
  2: ["EVENT", "Socket.IO packet type: EVENT. A name, and arguments."],
  3: ["ACK", "Socket.IO packet type: ACK. The answer to an event."],
  4: ["CONNECT_ERROR", "Socket.IO packet type: CONNECT_ERROR. The server does not let us in."],
  5: ["BINARY_EVENT", "Socket.IO packet type: BINARY_EVENT. Its attachments follow, a message each."],
  6: ["BINARY_ACK", "Socket.IO packet type: BINARY_ACK. Its attachments follow, a message each."],
};

const UNKNOWN = ["unknown", "No type of the protocol: whoever receives this closes the session."];
const EIO = (section) => `Engine.IO protocol v4, “${section}”`;
const SIO = (section) => `Socket.IO protocol v5, “${section}”`;

// Why a packet is sent, and the section of the protocol. The first matching row counts. `name` is the result of `nameOf`.
const REASONS = [
  { name: "open", why: "The server accepts the handshake. sid names the session and is part of each later URL; upgrades lists the transports it may change to; the server pings every pingInterval ms and waits pingTimeout ms for the pong; maxPayload is the largest message it takes, in bytes.", where: EIO("Handshake") },
  { name: "ping", text: /^2probe$/, why: "The browser asks, on the new WebSocket, whether packets pass there. The session itself is still with polling.", where: EIO("Upgrade") },
  { name: "pong", text: /^3probe$/, why: "The server has received the probe, so the WebSocket works both ways. It also frees the pending GET with a noop.", where: EIO("Upgrade") },
  { name: "ping", from: "server", why: "The heartbeat: the server asks whether the browser is still there. Without a pong in time it closes the session; a browser that hears no ping in time does the same.", where: EIO("Heartbeat") },
  { name: "ping", why: "In this version only servers ping. One from a browser ends the session.", where: EIO("Heartbeat") },
  { name: "pong", why: "The heartbeat's answer: the browser is still there.", where: EIO("Heartbeat") },
  { name: "upgrade", why: "Polling is empty, nothing can be lost or overtaken any more: from here on all packets of the session travel over WebSocket.", where: EIO("Upgrade") },
  { name: "noop", why: "The server ends the pending GET without having anything to say, so that the browser can leave polling.", where: EIO("Upgrade") },
  { name: "close", why: "One side ends the session. Over WebSocket a close frame does the same.", where: EIO("Protocol") },
  { name: "CONNECT", from: "browser", why: "A session belongs to no namespace at first. The browser asks to be let into this one.", where: SIO("Connection to a namespace") },
  { name: "CONNECT", why: "The server lets the browser into the namespace. This sid is the socket's, which events know; it is another one than the session's.", where: SIO("Connection to a namespace") },
  { name: "CONNECT_ERROR", why: "The server refuses: the namespace does not exist, or a middleware said no. message says why.", where: SIO("Connection to a namespace") },
  { name: "DISCONNECT", why: "One side leaves the namespace. The session under it may go on, with other namespaces.", where: SIO("Disconnection from a namespace") },
  { name: "EVENT", from: "server", text: /"randomString"/, why: "The demo's broadcast: the same string to every client of the namespace. No ack id, so nobody waits for an answer.", where: SIO("Sending and receiving data") },
  { name: "EVENT", from: "server", text: /"connectionStatus"/, why: "The demo greets each client that has come in.", where: SIO("Sending and receiving data") },
  { name: "EVENT", from: "server", text: /"error"/, why: "The demo says what went wrong. After PING_LIMIT it disconnects the client.", where: SIO("Sending and receiving data") },
  { name: "EVENT", from: "browser", text: /^42(?:\/[^,]*,)?\d/, why: "The ack id asks for an answer: the server sends an ACK with the same id.", where: SIO("Acknowledgement") },
  { name: "EVENT", why: "An event without an ack id: nobody waits for an answer.", where: SIO("Sending and receiving data") },
  { name: "ACK", why: "It answers the event with this id. The JSON array holds what the handler returned.", where: SIO("Acknowledgement") },
  { name: "attachment", why: "Bytes that the packet before it announced.", where: SIO("Packet encoding") },
  { why: "This is not what the protocol foresees.", where: EIO("Packet encoding") },
];

const HTTP_REASONS = [
  { text: /^GET .*Upgrade: websocket/, title: "HTTP request: open a WebSocket", why: "An ordinary GET that asks to go on as a WebSocket. With a sid it belongs to that session and begins its upgrade; without, it is the handshake.", where: EIO("WebSocket") },
  { text: /^GET .*[?&]sid=/, title: "HTTP request: long poll", why: "The server holds this GET until it has a packet for the browser. The next GET follows at once.", where: EIO("HTTP long-polling") },
  { text: /^GET /, title: "HTTP request: handshake", why: "EIO=4 is the version of the protocol, transport the way it begins. There is no sid: this asks for a new session.", where: EIO("Handshake") },
  { text: /^POST /, title: "HTTP request: packets for the server", why: "Its body holds the packets that follow in the diagram, separated by the byte 0x1E if they are several.", where: EIO("HTTP long-polling") },
  { text: /^101/, title: "HTTP answer: WebSocket accepted", why: "The connection is a WebSocket from here on. No HTTP travels over it any more.", where: EIO("WebSocket") },
  { text: /^200.*ok$/, title: "HTTP answer: packets received", why: "The server has the packets of the POST. Its answers to them travel with a GET.", where: EIO("HTTP long-polling") },
  { text: /^200/, title: "HTTP answer: packets for the browser", why: "Its body holds the packets that follow in the diagram.", where: EIO("HTTP long-polling") },
  { title: "HTTP answer: refused", why: "The request is not one of this session, or the session is gone. The body says which.", where: EIO("HTTP long-polling") },
];

const fits = (rule, record, name) => (!rule.name || rule.name === name) && (!rule.from || rule.from === record.from) && (!rule.text || rule.text.test(record.text));

// The layers of a packet's text, in order: { css, text, says }. Joined, their texts are the packet's text.
function layers(text) {
  const parts = [];
  const add = (css, part, says) => { if (part) parts.push({ css, text: part, says }); };
  const [name, says] = ENGINE[text[0]] ?? UNKNOWN;
  add("e", text.slice(0, 1), says);
  if (name !== "message") {
    add("p", text.slice(1), name === "open" ? "JSON: what the browser has to know of the session." : "Payload: the word by which a probe differs from a heartbeat.");
    return parts;
  }
  const [, type, attachments, namespace, id, rest] = /^(\d?)(\d+-)?(\/[^,{["]*,?)?(\d*)(.*)$/s.exec(text.slice(1));
  add("s", type, (SOCKET[type] ?? UNKNOWN)[1]);
  add("s", attachments, "Number of attachments that follow.");
  add("n", namespace, `Namespace: ${namespace?.replace(",", "")}. One session can carry several; the comma ends the name.`);
  add("a", id, `Ack id: ${id}. Event and ACK with the same id belong together.`);
  add("p", rest, payloadSays(type, rest));
  return parts;
}

function payloadSays(type, text) {
  let value;
  try { value = JSON.parse(text); } catch { return "Payload: not JSON, so the server closes the session."; }
  if (type === "2" && Array.isArray(value)) return `JSON payload: the event’s name, ${JSON.stringify(value[0])}, and ${value.length - 1 || "no"} argument${value.length === 2 ? "" : "s"}.`;
  if (type === "3") return "JSON payload: an array of the answer’s values.";
  return "JSON payload.";
}

function nameOf(record) {
  if (record.kind === "http") return record.text.split(/[ :]/)[0];
  if (record.binary) return "attachment";
  const name = (ENGINE[record.text[0]] ?? UNKNOWN)[0];
  return name === "message" ? (SOCKET[record.text[1]] ?? UNKNOWN)[0] : name;
}

function explain(record) {
  const name = nameOf(record);
  if (record.kind === "http") {
    const { title, why, where } = HTTP_REASONS.find((rule) => fits(rule, record));
    return { title, parts: [], why, where };
  }
  const { why, where } = REASONS.find((rule) => fits(rule, record, name));
  return { title: `${name}, ${direction(record)}`, parts: record.binary ? [] : layers(record.text), why, where };
}

const direction = ({ from, via }) => `${from === "browser" ? "browser to server" : "server to browser"}, over ${via === "websocket" ? "WebSocket" : "polling"}`;
)js";

constexpr std::string_view page_script =
    R"js(// The page: draws the events of the connection's observer, and handles the controls. Data from the network becomes
// text of a node, never markup.

const settings = JSON.parse(document.getElementById("settings").textContent);
const MOST_ROWS = 500, MOST_TEXT = 10_000, MOST_PINGS = 60, MOST_STRINGS = 6;
const $ = (id) => document.getElementById(id);
const began = performance.now();

function element(name, css, ...children) {
  const made = document.createElement(name);
  if (css) made.className = css;
  made.append(...children);
  return made;
}

// ---- The sequence diagram: one list item per row, one button per packet

const diagram = {
  records: new WeakMap(),  // button: its record
  current: null,           // the only button in the tab order; the arrow keys move it

  add(record) {
    record.time = (performance.now() - began) / 1000;
    record.text = record.text.slice(0, MOST_TEXT);
    const row = record.kind === "note" ? this.bar(record) : this.arrow(record);
    $("packets").append(row);
    while ($("packets").childElementCount > MOST_ROWS) this.drop($("packets").firstElementChild);
    if ($("follow").checked) this.follow();
  },

  time: ({ time }) => element("time", "", `+${time.toFixed(3)}`),

  bar(record) {
    return element("li", `bar ${record.css ?? ""}`, this.time(record), element("span", "lane", element("span", "", record.text)));
  },

  arrow(record) {
    const label = element("span", "label");
    if (record.kind === "packet") label.append(element("b", "", nameOf(record)), coded(record, 160));
    else label.append(element("code", "", record.text));
    const lane = element("span", "lane", element("span", "hidden", ` ${direction(record)}: `), label);
    const button = element("button", "", this.time(record), lane);
    button.type = "button";
    button.tabIndex = -1;
    this.records.set(button, record);
    const sides = record.from === "browser" ? "out" : "in";
    const row = element("li", `${sides} ${record.kind === "http" ? "http" : record.via}`, button);
    if (!this.current || ($("follow").checked && !$("packets").contains(document.activeElement))) this.move(button);
    return row;
  },

  drop(row) {
    const gone = row.querySelector("button");
    const focused = gone !== null && gone === document.activeElement;
    row.remove();
    if (gone === null || gone !== this.current) return;
    this.current = null;
    const next = $("packets").querySelector("button");
    if (next) this.move(next, focused);
  },

  move(button, focus = false) {
    if (this.current) this.current.tabIndex = -1;
    this.current = button;
    button.tabIndex = 0;
    if (focus) button.focus();
  },

  follow() {
    if (this.scrolling) return;
    this.scrolling = requestAnimationFrame(() => {
      this.scrolling = 0;
      $("scroll").scrollTop = $("scroll").scrollHeight;
    });
  },

  choose(button) {
    $("follow").checked = false;  // else the chosen row scrolls away
    for (const old of $("packets").querySelectorAll("[aria-current]")) old.removeAttribute("aria-current");
    button.setAttribute("aria-current", "true");
    this.move(button);
    show(this.records.get(button));
  },

  key(event) {
    const buttons = [...$("packets").querySelectorAll("button")];
    const here = buttons.indexOf(document.activeElement);
    const to = { ArrowUp: here - 1, ArrowDown: here + 1, PageUp: Math.max(0, here - 10), PageDown: Math.min(buttons.length - 1, here + 10), Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || here < 0) return;
    event.preventDefault();
    if (buttons[to]) this.move(buttons[to], true);
  },

  clear() {
    $("packets").replaceChildren();
    this.current = null;
  },
};

// A packet's text, each layer in its colour.
function coded(record, most = MOST_TEXT) {
  const code = element("code");
  if (record.binary || record.kind === "http") code.append(record.text);
  else for (const { css, text } of layers(record.text.slice(0, most))) code.append(element("span", css, text));
  return code;
}

function show(record) {
  const { title, parts, why, where } = explain(record);
  const heading = element("h2", "", title);
  heading.id = "explanation-title";
  const raw = element("pre", "raw", coded(record));
  raw.tabIndex = 0;  // because it scrolls
  raw.setAttribute("role", "group");
  raw.setAttribute("aria-label", "Raw text");
  const list = element("dl", "parts");
  for (const { css, text, says } of parts) list.append(element("dt", css, text), element("dd", "", says));
  $("explanation").replaceChildren(heading, raw, ...(parts.length ? [list] : []), element("p", "why", why), element("p", "section", `See ${where}.`));
  if (matchMedia("(max-width: 60rem)").matches) $("explanation").scrollIntoView({ block: "nearest" });
}

// ---- The demo's connection, which reconnects

const demo = {
  connection: null, socketId: "", pings: 0, failures: 0, timer: 0, problem: "",

  connect() {
    if (this.connection && !this.connection.over) return;
    clearTimeout(this.timer);
    Object.assign(this, { socketId: "", pings: 0, problem: "" });
    const mode = new FormData($("transport")).get("mode");
    this.status("waiting", "connecting");
    this.connection = new Connection(new URL(settings.path.slice(1), new URL(".", location)), settings.namespace, mode, this).start();
  },

  async leave() {
    clearTimeout(this.timer);
    if (this.connection && !this.connection.over) await this.connection.leave();
    else this.status("closed", "not connected");
  },

  status(state, text) {
    $("status").dataset.state = state;
    $("status").textContent = text;
    $("connection").textContent = state === "closed" ? "Connect" : "Disconnect";
    for (const id of ["ping", "limit-pings"]) $(id).disabled = state !== "open";
  },

  sayConnected() {
    this.status("open", `connected over ${this.connection.transport === "websocket" ? "WebSocket" : "polling"}, socket ${this.socketId}`);
  },

  // As an observer of the connection:

  http(from, text) { diagram.add({ kind: "http", from, via: text.includes("websocket") || text.startsWith("101") ? "websocket" : "polling", text }); },
  packet(from, via, text) {
    const binary = typeof text !== "string";
    const record = { kind: "packet", from, via, binary, text: binary ? `${text.byteLength} bytes` : text };
    diagram.add(record);
    if (from === "server") raw.heard(record.text);
  },
  note(text) { diagram.add({ kind: "note", text }); },
  upgraded() {
    diagram.add({ kind: "note", css: "upgrade", text: "Upgrade: from here on, WebSocket" });
    if (this.socketId) this.sayConnected();
  },
  joined({ sid }) {
    this.socketId = sid;
    this.failures = 0;
    this.sayConnected();
  },
  refused({ message }) {
    this.problem = message;
    this.connection.close(`refused: ${message}`, false);
  },
  event(name, [first]) {
    if (name === "randomString") addString(first);
    if (name === "error") this.problem = `${first.message} (${first.code ?? "no code"})`;
  },
  closed(why, comesBack) {
    this.note(`Closed: ${why}`);
    raw.heard(`closed: ${why}`);
    if (!comesBack) return this.status("closed", `not connected: ${this.problem || why}`);
    // 0.5 s, 1 s, 2 s ... 8 s, each up to 50 % longer at random, so that many browsers do not reconnect at the same time.
    const wait = Math.min(8, 0.5 * 2 ** this.failures++) * (1 + Math.random() / 2);
    this.status("waiting", `lost (${why}); attempt ${this.failures} in ${wait.toFixed(1)} s`);
    this.timer = setTimeout(() => this.connect(), wait * 1000);
  },
};

function addString({ value, timestamp }) {
  const time = element("time", "soft", new Date(timestamp).toLocaleTimeString("en-GB"));
  const strings = $("strings");
  if (strings.firstElementChild?.classList.contains("soft")) strings.replaceChildren();
  strings.prepend(element("li", "", element("span", "", value), time));
  while (strings.childElementCount > MOST_STRINGS) strings.lastElementChild.remove();
}

// ---- Pings, and their round-trip times

const trips = [];
let plotting = 0;  // the animation frame that is requested for plot()

// Resolves to whether there was an ack.
async function ping() {
  const sent = performance.now();
  ++demo.pings;
  const answer = await demo.connection.ask("ping");
  if (!answer) return false;
  trips.push(performance.now() - sent);
  if (trips.length > MOST_PINGS) trips.shift();
  if (!plotting) plotting = requestAnimationFrame(plot);
  return true;
}

function svg(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function plot() {
  plotting = 0;
  const width = $("plot").clientWidth || 320, height = 88, most = Math.max(...trips), sorted = [...trips].sort((a, b) => a - b);
  const ms = (value) => `${value.toFixed(1)} ms`;
  const x = (i) => 6 + (i * (width - 70)) / Math.max(19, trips.length - 1), y = (trip) => height - 8 - (trip / most) * (height - 22);
  const points = trips.map((trip, i) => [x(i).toFixed(1), y(trip).toFixed(1)]);
  $("plot").setAttribute("viewBox", `0 0 ${width} ${height}`);
  $("plot").replaceChildren(
    svg("line", { x1: 0, x2: width, y1: y(0), y2: y(0) }), svg("line", { x1: 0, x2: width - 58, y1: y(most), y2: y(most) }),
    svg("text", { x: width - 54, y: y(most) + 4 }, ms(most)), svg("text", { x: width - 54, y: y(0) - 4 }, "0"),
    svg("polyline", { points: points.join(" ") }), ...points.map(([cx, cy]) => svg("circle", { cx, cy, r: 2 })));
  const summary = `last ${ms(trips.at(-1))}, median ${ms(sorted[sorted.length >> 1])}, largest ${ms(most)}`;
  $("times").textContent = summary;
  $("plot").setAttribute("aria-label", `Round-trip times of the last ${trips.length} pings: ${summary}`);
}

// ---- Limits, hit on purpose

// Opens one more connection, of which only a refusal is drawn. Resolves to [connection, "" or why it was refused].
function another() {
  return new Promise((resolve) => {
    const quiet = () => {};
    const connection = new Connection(demo.connection.endpoint, settings.namespace, "websocket", {
      http: quiet, note: quiet, upgraded: quiet, event: quiet,
      packet(from, via, text) { if (String(text).startsWith("44")) demo.packet(from, via, text); },
      joined() { resolve([connection, ""]); },
      refused({ message }) { resolve([connection, message]); },
      closed(why) { resolve([connection, why]); },
    }).start();
  });
}

async function limitConnections() {
  const opened = [];
  let why = "";
  demo.note("More connections, until one is refused");
  while (!why && opened.length < 100) {
    const [connection, refusal] = await another();
    opened.push(connection);
    why = refusal;
    $("limits").textContent = `${opened.length} more connections asked for`;
  }
  const letIn = opened.length - (why ? 1 : 0);
  opened.forEach((connection) => connection.close("done", false));
  $("limits").textContent = why ? `${letIn} more let in, the next one refused: ${why}\nAll of them are closed again.` : `${letIn} more let in, none refused; all of them are closed again.`;
  demo.note(`${letIn} more let in${why ? ", the next one refused" : ""}; all closed again`);
}

async function limitPings() {
  let answered = true;
  while (answered && demo.pings < 1_000) {
    answered = await ping();
    $("limits").textContent = `${demo.pings} pings of this connection`;
  }
  $("limits").textContent = answered ? "1000 pings, and no end" : `Ping ${demo.pings} ended this connection: ${demo.problem || "closed"}`;
}

async function whileDisabled(button, action) {
  button.disabled = true;
  await action();
  button.disabled = button.id === "limit-pings" && demo.connection.over;
}

// ---- A raw packet, and the responses to it

const prefix = settings.namespace === "/" ? "" : `${settings.namespace},`;
const raw = {
  examples: {
    "ping, with an ack id": `42${prefix}900["ping"]`,
    "ping, without": `42${prefix}["ping"]`,
    "ping, too many arguments": `42${prefix}901["ping",1]`,
    "an event nobody knows": `42${prefix}["hello",{"a":1}]`,
    "a namespace that is none": "40/nowhere,",
    "a ping of the engine": "2",
    "an event elsewhere": '42/elsewhere,["ping"]',
    "broken JSON": `42${prefix}["ping"`,
    "no packet type": "x",
  },
  answers: null,

  send(text) {
    if (demo.connection.over) return ($("answers").textContent = "not connected");
    this.answers = [];
    $("answers").textContent = "sent; nothing came back yet";
    demo.connection.send(text);
  },
  heard(text) {
    if (!this.answers || this.answers.length === 5) return;
    this.answers.push(text.slice(0, 300));
    $("answers").textContent = `What came then:\n${this.answers.join("\n")}`;
  },
};

// ---- The controls

function remember(theme) {
  document.documentElement.dataset.theme = theme;
  try { localStorage.setItem("theme", theme); } catch { /* not stored in a browser without storage */ }
}
try { $("theme").value = localStorage.getItem("theme") ?? ""; } catch { /* as above */ }
document.documentElement.dataset.theme = $("theme").value;
$("theme").addEventListener("change", () => remember($("theme").value));

const offered = { upgrade: settings.polling && settings.websocket && settings.upgrades, polling: settings.polling, websocket: settings.websocket };
for (const choice of $("transport").elements.mode) choice.disabled = !offered[choice.value];
$("transport").querySelector("input:enabled").checked = true;
$("transport").addEventListener("change", async () => { await demo.leave(); demo.connect(); });
$("source").textContent = $("protocol").textContent.trim();
$("connection").addEventListener("click", () => ($("status").dataset.state === "closed" ? demo.connect() : demo.leave()));
$("clear").addEventListener("click", () => diagram.clear());
$("follow").addEventListener("change", () => $("follow").checked && diagram.follow());
$("packets").addEventListener("click", (event) => { const button = event.target.closest("button"); if (button) diagram.choose(button); });
$("packets").addEventListener("keydown", (event) => diagram.key(event));
$("ping").addEventListener("click", ping);
$("limit-connections").addEventListener("click", ({ target }) => whileDisabled(target, limitConnections));
$("limit-pings").addEventListener("click", ({ target }) => whileDisabled(target, limitPings));
for (const [name, text] of Object.entries(raw.examples)) $("example").append(new Option(name, text));
$("raw").value = $("example").value;
$("example").addEventListener("change", () => { $("raw").value = $("example").value; });
$("raw-form").addEventListener("submit", (event) => { event.preventDefault(); raw.send($("raw").value); });

demo.connect();
)js";

/// `text` with each {{name}} replaced by its value.
std::string fill(std::string_view text, const std::map<std::string_view, std::string_view>& values) {
  std::string out;
  for (auto open = text.find("{{"); open != text.npos; open = text.find("{{")) {
    const auto close = text.find("}}", open);
    out += text.substr(0, open);
    out += values.at(text.substr(open + 2, close - open - 2));
    text.remove_prefix(close + 2);
  }
  return out += text;
}

/// The page's settings as JSON. '<' is escaped, because flags may contain any text, which must not end the script
/// element.
std::string page_settings(const Config& config) {
  std::string path = config.server.path;
  if (!path.ends_with('/')) path += '/';
  const sio::json settings{{"namespace", config.name},
                           {"path", path},
                           {"polling", config.server.polling},
                           {"websocket", config.server.websocket},
                           {"upgrades", config.server.allow_upgrades}};
  std::string out;
  for (const char c : settings.dump(-1, ' ', true, sio::json::error_handler_t::replace))
    c == '<' ? out += "\\u003c" : out += c;
  return out;
}

/// The connect-src of the page's policy. In older browsers 'self' does not include WebSockets, so the host is added, if
/// its name can be part of a policy.
std::string page_sources(std::string_view host) {
  constexpr std::string_view fit = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";
  if (host.empty() || host.find_first_not_of(fit) != host.npos) return "'self'";
  return "'self' ws://" + std::string(host) + " wss://" + std::string(host);
}

sio::http::Response page(const sio::http::Request& request, const std::string& settings, const std::string& nonce) {
  const std::string policy = "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'nonce-" + nonce +
                             "'; img-src data:; connect-src " + page_sources(request.header("host")) +
                             "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for "
                             "'script'; trusted-types 'none'";
  return {200,
          "text/html; charset=utf-8",
          fill(page_html, {{"nonce", nonce},
                           {"settings", settings},
                           {"style", page_style},
                           {"protocol", page_protocol},
                           {"explain", page_explain},
                           {"script", page_script}}),
          {{"Content-Security-Policy", policy},
           {"X-Content-Type-Options", "nosniff"},
           {"Referrer-Policy", "no-referrer"},
           {"Cache-Control", "no-store"}}};
}

/// Adds the page at "/", unless that is the Socket.IO path or another route.
void add_page(sio::Server& io, const Config& config) {
  if (config.server.path == "/" || io.http().find("GET", "/").first) return;
  const auto random = std::make_shared<sio::bytes::Random>();
  io.http().get("/", [random, settings = page_settings(config)](const sio::http::Request& request) {
    return page(request, settings, random->id());
  });
}

}  // namespace
