// Chapter 3: the one table of reasons, times, and log records as lines of JSON.

#include "dialogue.hpp"

#include <set>
#include <stdexcept>
#include <vector>

using namespace dialogue;
using namespace std::chrono_literals;
using sio_demo::json;
using sio_demo::LogLevel;
using sio_demo::LogRecord;

TEST_CASE("reasons: the wire's side of the table") {
  struct Row {
    Reason reason;
    std::string_view text;
    int status, code, close;
  };
  const Row rows[] = {
      {Reason::transport_unknown, "Transport unknown", 400, 0, 0},
      {Reason::session_unknown, "Session ID unknown", 400, 1, 0},
      {Reason::bad_handshake_method, "Bad handshake method", 400, 2, 0},
      {Reason::bad_request, "Bad request", 400, 3, 0},
      {Reason::forbidden, "Forbidden", 403, 4, 0},
      {Reason::unsupported_version, "Unsupported protocol version", 400, 5, 0},
      {Reason::malformed_request, "Bad Request", 400, -1, 0},
      {Reason::request_line_too_long, "URI Too Long", 414, -1, 0},
      {Reason::headers_too_large, "Request Header Fields Too Large", 431, -1, 0},
      {Reason::header_timeout, "Request Timeout", 408, -1, 0},
      {Reason::body_timeout, "Request Timeout", 408, -1, 0},
      {Reason::body_too_large, "Payload Too Large", 413, -1, 0},
      {Reason::unknown_expectation, "Expectation Failed", 417, -1, 0},
      {Reason::version_not_supported, "HTTP Version Not Supported", 505, -1, 0},
      {Reason::not_found, "Not Found", 404, -1, 0},
      {Reason::method_not_allowed, "Method Not Allowed", 405, -1, 0},
      {Reason::handler_failed, "Internal Server Error", 500, -1, 0},
      {Reason::frame_malformed, "transport error", 0, -1, 1002},
      {Reason::text_not_utf8, "transport error", 0, -1, 1007},
      {Reason::too_many_fragments, "transport error", 0, -1, 1008},
      {Reason::message_too_big, "transport error", 0, -1, 1009},
      {Reason::transport_close, "transport close", 0, -1, 0},
      {Reason::transport_error, "transport error", 0, -1, 0},
      {Reason::parse_error, "parse error", 0, -1, 0},
      {Reason::ping_timeout, "ping timeout", 0, -1, 0},
      {Reason::forced_close, "forced close", 0, -1, 0},
      {Reason::client_disconnect, "client namespace disconnect", 0, -1, 0},
      {Reason::server_disconnect, "server namespace disconnect", 0, -1, 0},
      {Reason::forced_server_close, "forced server close", 0, -1, 0},
      {Reason::server_shutdown, "server shutting down", 0, -1, 0},
  };
  for (const Row& expected : rows) {
    const auto& row = sio_demo::row(expected.reason);
    INFO(name_of(expected.reason));
    CHECK(row.text == expected.text);
    CHECK(row.status == expected.status);
    CHECK(row.code == expected.code);
    CHECK(row.close == expected.close);
  }
}

TEST_CASE("reasons: every row is complete, names are their own") {
  std::set<std::string> names;
  for (const auto& row : sio_demo::reason_table) {
    INFO(name_of(row.reason));
    CHECK(names.insert(row.name).second);
    CHECK(std::string_view(row.name).find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") ==
          std::string_view::npos);
    CHECK_FALSE(std::string_view(row.text).empty());
    CHECK((row.status == 0 || (row.status >= 400 && row.status < 600)));
    CHECK((row.close == 0 || (row.close >= 1000 && row.close < 1015)));
    CHECK((row.code == -1 || row.status != 0));
    CHECK((row.status == 0 || row.close == 0));
  }
  CHECK(names.size() == static_cast<std::size_t>(Reason::count_));
}

TEST_CASE("counters count each reason for itself") {
  sio_demo::Counters counters;
  counters.add(Reason::parse_error);
  counters.add(Reason::parse_error);
  counters.add(Reason::server_shutdown);
  CHECK(counters.of(Reason::parse_error) == 2);
  CHECK(counters.of(Reason::server_shutdown) == 1);
  CHECK(counters.of(Reason::ping_timeout) == 0);
}

TEST_CASE("times: ISO 8601 in UTC, milliseconds as JavaScript counts them") {
  struct Row {
    std::int64_t milliseconds;
    std::string_view text;
  };
  const Row rows[] = {
      {0, "1970-01-01T00:00:00.000Z"},
      {1, "1970-01-01T00:00:00.001Z"},
      {-1, "1969-12-31T23:59:59.999Z"},
      {951782400000, "2000-02-29T00:00:00.000Z"},
      {1709251199999, "2024-02-29T23:59:59.999Z"},
      {1795415413042, "2026-11-23T06:30:13.042Z"},
      {4107542400000, "2100-03-01T00:00:00.000Z"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.milliseconds);
    const std::chrono::system_clock::time_point time{std::chrono::milliseconds(row.milliseconds)};
    CHECK(sio_demo::iso_8601(time) == row.text);
    CHECK(sio_demo::unix_milliseconds(time) == row.milliseconds);
  }
}

namespace {

std::string line(sio_demo::Fields fields, std::string_view message = "Client connected",
                 LogLevel level = LogLevel::info) {
  return sio_demo::json_line(LogRecord{level, message, fields, std::chrono::system_clock::time_point{1795415413042ms}});
}

/// The JSON between message and timestamp.
std::string middle(sio_demo::Fields fields) {
  const auto text = line(fields);
  const std::string_view before = R"({"level":"info","message":"Client connected")",
                         after = R"(,"timestamp":"2026-11-23T06:30:13.042Z"})";
  REQUIRE(text.starts_with(before));
  REQUIRE(text.ends_with(after));
  return text.substr(before.size(), text.size() - before.size() - after.size());
}

}  // namespace

TEST_CASE("log lines: one object a line, in the order of its fields") {
  CHECK(line({}) == R"({"level":"info","message":"Client connected","timestamp":"2026-11-23T06:30:13.042Z"})");
  CHECK(line({{"socketId", "abc"}, {"total", 3}}, "x", LogLevel::warn) ==
        R"({"level":"warn","message":"x","socketId":"abc","total":3,"timestamp":"2026-11-23T06:30:13.042Z"})");
  struct Row {
    std::string_view name;
    json value;
    std::string_view written;
  };
  const Row rows[] = {
      {"a text", "plain", R"(,"f":"plain")"},
      {"a number", 42, R"(,"f":42)"},
      {"a boolean", true, R"(,"f":true)"},
      {"nothing", nullptr, R"(,"f":null)"},
      {"an object", json{{"a", 1}}, R"(,"f":{"a":1})"},
      {"a list", json::array({1, "b"}), R"(,"f":[1,"b"])"},
      {"a line end", "a\r\nb", R"(,"f":"a\r\nb")"},
      {"a forged line", "x\"}\n{\"level\":\"error", R"(,"f":"x\"}\n{\"level\":\"error")"},
      {"ESC", "\x1b[31mred", R"(,"f":"\u001b[31mred")"},
      {"NUL", std::string("a\0b", 3), R"(,"f":"a\u0000b")"},
      {"a backslash", "a\\b", R"(,"f":"a\\b")"},
      {"what is not UTF-8", "a\xff", ",\"f\":\"a\ufffd\""},
      {"what is not UTF-8, in a list", json::array({"a\xff\n"}), ",\"f\":[\"a\ufffd\\n\"]"},
      {"characters beyond ASCII", "\u00e9\U0001F600", ",\"f\":\"\u00e9\U0001F600\""},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(middle({{"f", row.value}}) == row.written);
  }
}

TEST_CASE("log lines: whatever a client sends, one line of valid JSON") {
  for (int c = 0; c < 256; ++c) {
    CAPTURE(c);
    const std::string text{'a', static_cast<char>(c), 'z'};
    const auto written = line({{"text", text}, {"list", json::array({text})}});
    CHECK(json::accept(written));
    CHECK(written.find_first_of("\r\n") == written.npos);
  }
  const std::string megabyte(1'000'000, 'x');
  CHECK(line({{"text", megabyte}}).size() < 1200);
  CHECK(line({{"text", std::string(1'000'000, '\x01')}}).size() < 6300);
  std::string accents;
  for (int i = 0; i < 1000; ++i) accents += i == 0 ? "a" : "\u00e9";  // the cut falls within a character
  CHECK(json::accept(line({{"text", accents}})));
  CHECK(json::accept(line({{"text", std::string(2000, '\xff')}})));
}

TEST_CASE("log: what is off costs nothing, a sink that throws harms nobody") {
  std::vector<std::string> lines;
  const auto sink = [&](const LogRecord& record) { lines.emplace_back(record.message); };
  struct Row {
    LogLevel level;
    std::string_view written;
  };
  const Row rows[] = {{LogLevel::debug, "debug info warn error "},
                      {LogLevel::info, "info warn error "},
                      {LogLevel::warn, "warn error "},
                      {LogLevel::error, "error "},
                      {LogLevel::off, ""}};
  for (const Row& row : rows) {
    INFO(sio_demo::level_name(row.level));
    lines.clear();
    const sio_demo::Log log(row.level, sink);
    for (const LogLevel level : {LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error})
      log.write(level, sio_demo::level_name(level));
    std::string written;
    for (const auto& message : lines) written += message + " ";
    CHECK(written == row.written);
    CHECK(log.enabled(LogLevel::error) == (row.level != LogLevel::off));
  }
  const sio_demo::Log broken(LogLevel::debug, [](const LogRecord&) { throw std::runtime_error("disk full"); });
  CHECK_NOTHROW(broken.write(LogLevel::error, "lost"));
  const sio_demo::Log worse(LogLevel::debug, [](const LogRecord&) { throw 7; });
  CHECK_NOTHROW(worse.write(LogLevel::error, "lost"));
}
