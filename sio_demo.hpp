// sio_demo.hpp - a Socket.IO v4 server for C++20 in one header. Version 0.1.0. MIT licence (end of file).
//
// Official clients work with it unchanged. The tests run those for browsers, Node and Python; those for Swift, Java and
// C++ use the same protocol, but are not tested.
// It needs standalone Asio (1.22 or later) and nlohmann/json (3.11 or later), and nothing else.
//
//     #include "sio_demo.hpp"
//     namespace sio = sio_demo;
//
//     int main() {
//       sio::Server io{{.port = 3000}};
//       io.on_connection([](sio::Socket& socket) { socket.emit("hello", "from C++"); });
//       io.on("say", [&](sio::Socket& socket, const sio::json::array_t& words, sio::Reply<> reply) {
//         io.except(socket.id()).emit("said", words);
//         reply("delivered");
//       });
//       return io.run();
//     }
//
//     g++ -std=c++20 -O2 -pthread server.cpp -o server
//
// That compiles all of it. A program of several files can compile the function bodies in one of them only:
// define SIO_DEMO_SEPARATE for all files (-DSIO_DEMO_SEPARATE), and add one file with
//
//     #define SIO_DEMO_IMPLEMENTATION
//     #include "sio_demo.hpp"
//
// Public classes and their layout are the same either way; the bodies, and private classes such as those of chapter 10,
// are in that file only. Do not mix files with the macro and files without: that breaks the one-definition rule.
//
// One thread runs everything: the event loop calls handlers one at a time, so your code needs no locks.
// From another thread, call only server.post(f).
//
// Not supported: TLS (put a reverse proxy in front), compression, WebTransport, JSONP, HTTP/2, and
// clients of Socket.IO 1 and 2 (Engine.IO 3), which are refused with an error message.
//
// ------------------------------------------------------------------------------------------------
// Contents: options and tools first, then the protocol layers from HTTP up to the API, then what uses them
//
//    1  Options                   the server's options and limits: unit, default, effect
//    2  Bytes and text            references, base64, SHA-1, UTF-8, ids, numbers, the JSON guard
//    3  Reasons, limits, log      one table of refusals and closes; permits and tokens by key; the log
//    4  HTTP/1.1                  request reader, responses, CORS, the client's address behind proxies
//    5  WebSocket                 handshake, frame reader, frame writer (RFC 6455)
//    6  Engine.IO                 packets, messages, timers, sessions and their states (protocol 4);
//                                 WebSockets without Engine.IO
//    7  Socket.IO                 packets and binary placeholders (protocol 5)
//    8  Typed events              events as constants; values to JSON and back, checked
//    9  Server                    namespaces, sockets, rooms, acks: the public API; servers for
//                                 Engine.IO, WebSocket or HTTP alone
//   10  Driver                    listeners, connections, deadlines, batched writes, shutdown
//   11  Redis adapter             joins a cluster of servers, these or official ones
//   12  Metrics and trace         counters and gauges as Prometheus text; a readable line for each packet
//   13  Broadcaster               one timer for all clients, a new random delay each time
//   14  Fake server               for unit tests of clients: scripted replies, a manual clock
//   15  Demo service              the service that main.cpp runs
//   16  End                       macros undefined, changelog, licence, what to read next
//
// Layers. The parsers and writers of chapters 2, 4, 5 and 7 do no network input or output: they take bytes and return
// values, and report invalid input by a reason, without throwing. Chapter 6 gets the time and its connections from its
// caller, through Engine::advance and Peer, so that tests need neither a network nor a real clock.
// Only chapter 10 reads and writes clients' TCP sockets. It passes requests, frames and ticks to chapter 6, and chapter
// 6 passes messages to chapter 9; responses, messages and closes go the other way. Chapter 11 is an adapter of chapter
// 9, with its own connections to Redis.
//
// "The official server" is the npm package socket.io 4, with engine.io 6. The "event loop" is the io_context that runs
// the server.
#ifndef SIO_DEMO_HPP
#define SIO_DEMO_HPP

#define SIO_DEMO_VERSION_MAJOR 0
#define SIO_DEMO_VERSION_MINOR 1
#define SIO_DEMO_VERSION_PATCH 0
#define SIO_DEMO_VERSION "0.1.0"

#if defined(__apple_build_version__)  // Apple numbers its versions differently
#elif defined(__clang__) && __clang_major__ < 14
#error "sio_demo.hpp needs clang 14 or later: call a newer one, such as clang++-14"
#elif !defined(__clang__) && defined(__GNUC__) && __GNUC__ < 11
#error "sio_demo.hpp needs GCC 11 or later: call a newer one, such as g++-11"
#endif
#if defined(_MSVC_LANG) ? _MSVC_LANG < 202002L : __cplusplus < 202002L
#error "sio_demo.hpp needs C++20: compile with -std=c++20 (MSVC: /std:c++20)"
#endif

#include <algorithm>           // any_of, find, find_if, min
#include <array>               // array
#include <bit>                 // countr_zero, endian, rotl
#include <cassert>             // assert
#include <cerrno>              // errno
#include <charconv>            // from_chars, to_chars
#include <chrono>              // milliseconds, steady_clock, system_clock
#include <cmath>               // ceil, floor, isfinite
#include <concepts>            // same_as
#include <condition_variable>  // condition_variable, of LogQueue alone
#include <cstddef>             // byte, max_align_t, nullptr_t, ptrdiff_t
#include <cstdint>             // uint8_t and friends
#include <cstdio>              // fopen, fread, fwrite
#include <cstring>             // memcpy
#include <ctime>               // time_t
#include <deque>               // deque
#include <exception>           // exception
#include <functional>          // function
#include <initializer_list>    // initializer_list
#include <iterator>            // back_inserter, next
#include <limits>              // numeric_limits
#include <map>                 // map
#include <memory>              // shared_ptr, unique_ptr
#include <mutex>               // mutex, of LogQueue alone
#include <new>                 // operator new
#include <optional>            // optional
#include <random>              // random_device, uniform_int_distribution
#include <set>                 // set
#include <span>                // span
#include <stdexcept>           // invalid_argument, runtime_error
#include <string>              // string
#include <string_view>         // string_view
#include <system_error>        // error_code, system_error
#include <thread>              // this_thread::get_id
#include <tuple>               // tuple
#include <type_traits>         // conditional_t, decay_t, is_same_v, remove_cvref_t
#include <unordered_map>       // unordered_map
#include <utility>             // exchange, forward, move
#include <vector>              // vector

#include <asio/version.hpp>
#if ASIO_VERSION < 102200
#error "sio_demo.hpp needs Asio 1.22 or later (Debian 12: apt-get install libasio-dev)"
#endif
#include <asio/detail/config.hpp>
#ifdef ASIO_HAS_CO_AWAIT  // absent in clang before 15 with Asio before 1.24
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#endif
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/basic_socket_acceptor.hpp>
#include <asio/basic_stream_socket.hpp>
#include <asio/basic_waitable_timer.hpp>
#include <asio/buffer.hpp>
#include <asio/connect.hpp>
#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/system_executor.hpp>
#include <asio/write.hpp>
#include <nlohmann/json.hpp>

#if defined(_MSVC_TRADITIONAL) && _MSVC_TRADITIONAL
#error "sio_demo.hpp needs the standard preprocessor: compile with /Zc:preprocessor"
#endif
#if NLOHMANN_JSON_VERSION_MAJOR * 100 + NLOHMANN_JSON_VERSION_MINOR < 311
#error "sio_demo.hpp needs nlohmann/json 3.11 or later (Debian 12: apt-get install nlohmann-json3-dev)"
#endif

// Precedes each function that is defined outside its class. The virtual functions of chapter 11 have it at their
// declarations, too: one that is declared inline only at its definition is still a key function (Itanium C++
// ABI, 5.2.3), and GCC would emit its class's virtual table, and so the chapter, in every program.
#ifdef SIO_DEMO_SEPARATE
#define SIO_DEMO_INLINE
#else
#define SIO_DEMO_INLINE inline
#endif
#if !defined(SIO_DEMO_SEPARATE) || defined(SIO_DEMO_IMPLEMENTATION)
#define SIO_DEMO_BODIES 1  // this file compiles the function bodies
#else
#define SIO_DEMO_BODIES 0
#endif

namespace sio_demo {
inline namespace v0_1 {

/// The JSON value type of the untyped API and of handshake data.
using json = nlohmann::json;

/// Binary data. Sent as a binary attachment, at any place in an event's arguments.
using Bytes = std::vector<std::uint8_t>;

// ================================================================================================
// 1  Options
//
// The server's options. They are set at run time, before the server starts; no macro changes what the
// server does, or a layout. Optional parts have options of their own: redis::Options (chapter 11),
// RateLimiter::Rules and LogQueue (chapter 3), Broadcaster (chapter 13).
//
// Each comment states the effect, the unit, what happens at the limit, the official server's name for
// the option in parentheses, and the default. An option without such a name has no counterpart there.
//
//     sio::Server io{{.port = 3000, .ping_timeout = 60s, .cors = {.origins = {"https://a.example"}}}};
//
// Limits on input are enforced as the bytes arrive, before more of them are kept. The table in chapter 3
// lists the response to each violation.
// ================================================================================================

/// All times of the API are std::chrono durations, so that each has a unit.
using Milliseconds = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;

/// Severity of a log record. `off` disables logging; no record has it.
enum class LogLevel : std::uint8_t { debug, info, warn, error, off };

struct LogRecord;    // chapter 3
struct TraceRecord;  // chapter 3
class Next;          // chapter 3
namespace engineio {
class ManualClock;  // chapter 6
}
namespace http {
struct Request;  // chapter 4
/// Names and values of headers, in the order in which they are written.
using Headers = std::vector<std::pair<std::string, std::string>>;
}  // namespace http

/// A rate limit (token bucket): `burst` operations at once, refilled by `per_second`. burst = 0 disables the limit.
/// A burst between 0 and 1, which would refuse everything, a negative value and one that is not finite throw
/// std::invalid_argument wherever a Rate is given.
struct Rate {
  /// Operations at once, and operations per second. Default: 0 and 0.
  double burst = 0, per_second = 0;

  bool on() const { return burst > 0; }
  /// Whether the values are allowed, see above.
  bool valid() const {
    return std::isfinite(burst) && std::isfinite(per_second) && (burst == 0 || burst >= 1) && per_second >= 0;
  }
};

/// Which browser origins may read responses (`cors`). Off by default: no CORS header is sent and
/// OPTIONS is an error, as in the official server.
struct CorsOptions {
  /// Exact origins such as "https://app.example"; {"*"} allows all, without credentials only.
  /// With a list, a WebSocket handshake from any other origin is refused. Default: none.
  std::vector<std::string> origins{};
  /// Whether browsers may send cookies (`credentials`). Default: false.
  bool credentials = false;
  /// Headers a preflight allows; empty allows those that the browser asks for (`allowedHeaders`).
  /// Default: none.
  std::vector<std::string> allowed_headers{};
  /// Headers a page may read beyond the safe-listed ones (`exposedHeaders`). Default: none.
  std::vector<std::string> exposed_headers{};
  /// How long browsers may cache a preflight; 0 omits the header (`maxAge`). Default: 0.
  Seconds max_age{0};

  bool on() const { return !origins.empty(); }
};

/// The attributes of the cookie that carries a session's id (`cookie`). The server's constructor throws
/// std::invalid_argument for a text that could add other attributes.
struct CookieOptions {
  /// A token (RFC 6265, 4.1.1). Default: "io".
  std::string name = "io";
  /// Paths for which clients send it; empty omits the attribute. Default: "/".
  std::string path = "/";
  /// Host and its subdomains for which clients send it; empty means this host only. Default: "".
  std::string domain{};
  /// Whether scripts cannot read it (`httpOnly`). Default: true.
  bool http_only = true;
  /// Whether clients send it over TLS only. Default: false.
  bool secure = false;
  /// Whether each embedding site has a separate cookie; requires `secure`. Default: false.
  bool partitioned = false;
  /// "Strict", "Lax", "None", which requires `secure`, or "" to omit it (`sameSite`). Default: "Lax".
  std::string same_site = "Lax";
  /// "Low", "Medium", "High", or "" to omit it. Default: "".
  std::string priority{};
  /// How long clients keep it (`maxAge`). Default: until the browser is closed.
  std::optional<Seconds> max_age{};
  /// Until when clients keep it; max_age takes precedence. Default: omitted.
  std::optional<std::chrono::system_clock::time_point> expires{};
};

/// Limits of the HTTP layer. A request beyond a limit gets an error response, and the connection is closed.
struct HttpLimits {
  /// Request line, in bytes; 414 beyond. Default: 8 KiB.
  std::size_t request_line = 8 * 1024;
  /// Request line and headers together, in bytes; 431 beyond (`maxHeaderSize`). Default: 16 KiB.
  std::size_t header_bytes = 16 * 1024;
  /// Number of header lines; 431 beyond. Default: 100.
  std::size_t headers = 100;
  /// Number of query parameters; 400 beyond. Default: 64.
  std::size_t query_parameters = 64;
  /// Framing bytes (chunk sizes, extensions, trailers) of one chunked body, and eight more for each 64 bytes of data;
  /// 400 beyond. Default: 16 KiB.
  std::size_t chunk_overhead = 16 * 1024;
  /// Requests of one connection that wait for their responses; the next one is refused. Default: 16.
  std::size_t pipelined = 16;
  /// From the connection's start, or its last response, to a complete header section. Beyond, 408, or only a close if
  /// no byte has arrived. Further bytes do not extend it. Default: 10 s.
  Milliseconds header_timeout{10'000};
  /// From a complete header section to a complete body; 408 beyond, and its session is closed. Default: 30 s.
  Milliseconds body_timeout{30'000};
  /// How long an idle connection is kept (`keepAliveTimeout`). Default: 5 s.
  Milliseconds keep_alive_timeout{5'000};
};

/// Connection state recovery (`connectionStateRecovery`): a client that reconnects in time gets back its id,
/// rooms and data, and the events it missed. Every event then carries its offset as one more argument.
struct RecoveryOptions {
  /// How long a client's state and events are kept; 0 disables recovery (`maxDisconnectionDuration`, there 2 min when
  /// recovery is enabled). Default: 0.
  Milliseconds max_disconnection_duration{0};
  /// Whether middlewares are skipped for a client that recovers (`skipMiddlewares`). Default: true.
  bool skip_middlewares = true;
  /// Events kept per namespace, and their bytes; beyond, the oldest are dropped. A client whose last offset is gone
  /// gets a new session. Default: 10,000 and 16 MiB.
  std::size_t max_packets = 10'000, max_bytes = 16 * 1024 * 1024;
  /// Clients' states kept per namespace; beyond, the oldest is dropped. Default: 10,000.
  std::size_t max_sessions = 10'000;

  bool on() const { return max_disconnection_duration.count() > 0; }
};

/// How many bytes clients can make a server hold: one client; all clients of one address that is not a trusted proxy;
/// all clients.
struct MemoryBound {
  std::uint64_t client, address, all;
};

/// The server's options. Every field has a default, so designated initialisers name only what differs.
struct Options {
  // ---- where to listen
  /// A name or an address. "localhost" listens on both loopback families, "::" and "0.0.0.0" on
  /// every interface. Default: "localhost", so that nothing is exposed by accident.
  std::string host = "localhost";
  /// TCP port; 0 lets the system choose one, which server.port() returns. Default: 3000.
  std::uint16_t port = 3000;
  /// Prefix of the URL paths that Socket.IO serves (`path`). Default: "/socket.io/".
  std::string path = "/socket.io/";

  // ---- Engine.IO
  /// Whether long-polling is offered (`transports`). Default: true.
  bool polling = true;
  /// Whether WebSocket is offered (`transports`). Default: true.
  bool websocket = true;
  /// Whether polling clients are told that they can upgrade to WebSocket (`allowUpgrades`). Default: true.
  bool allow_upgrades = true;
  /// From the handshake, or a pong, to the next ping (`pingInterval`). Default: 25 s.
  Milliseconds ping_interval{25'000};
  /// From a ping to its pong; beyond, the session closes with "ping timeout" (`pingTimeout`). Default: 20 s.
  Milliseconds ping_timeout{20'000};
  /// From the WebSocket's handshake to the client's packet `5`; beyond, the WebSocket is closed and polling continues
  /// (`upgradeTimeout`). Default: 10 s.
  Milliseconds upgrade_timeout{10'000};
  /// Largest message, in bytes: an HTTP body (413 beyond, the session stays open) or a WebSocket message
  /// (close 1009). Sent to clients as maxPayload (`maxHttpBufferSize`). Default: 1,000,000.
  std::size_t max_payload = 1'000'000;
  /// Packets in one polling body; parse error beyond. Default: 10,000.
  std::size_t max_packets_per_payload = 10'000;
  /// Frames of one WebSocket message; close 1008 beyond. Default: 16,384, as in the official server.
  std::size_t max_fragments = 16'384;
  /// Bytes queued for one client; beyond, it is closed as too slow. A volatile event is dropped as soon as anything is
  /// queued. Default: 16 MiB.
  std::size_t max_queue_bytes = 16 * 1024 * 1024;
  /// Sessions and WebSockets of routes in total; further handshakes get 503. Default: 100,000.
  std::size_t max_sessions = 100'000;
  /// TCP connections in total; further ones are closed at once. Default: 250,000.
  std::size_t max_connections = 250'000;

  // ---- limits by address. All IPv6 addresses of one /64 count as one, since a customer usually gets a /64. The
  // addresses in trusted_proxies are not limited: they carry many clients, or are this machine.
  /// TCP connections of one peer; further ones are closed at once. 0: no limit. Default: 4,096.
  std::size_t max_connections_per_address = 4'096;
  /// Bytes of incomplete or unhandled requests and messages on all connections of one peer; the connection that exceeds
  /// it is closed. 0: no limit. Default: 64 MiB.
  std::size_t max_input_per_address = 64 * 1024 * 1024;
  /// Sessions and WebSockets of routes of one client's address; further handshakes get 429. 0: no limit. Default:
  /// 4,096.
  std::size_t max_sessions_per_address = 4'096;
  /// Handshakes of one client's address; 429 beyond, with a random Retry-After between the wait and twice the wait.
  /// Default: no limit.
  Rate handshake_rate{};
  /// Packets of one client, and its WebSocket's pings and pongs; closed with 1008 beyond. Default: no limit.
  Rate packet_rate{};
  /// Events of one client; an event beyond is not handled, and its ack (or the event `error`) says when to try
  /// again. Default: no limit.
  Rate event_rate{};
  /// Error replies to one client, for invalid payloads and failed handlers, by the ack or the event `error`. Beyond,
  /// errors are counted but not sent. Default: 100 at once, 50 a second.
  Rate error_rate{100, 50};
  /// Packets, HTTP requests and control frames of one connection that are handled before other connections are served.
  /// The rest waits, and nothing more is read from the connection meanwhile. Default: 64.
  std::size_t packets_per_turn = 64;

  // ---- Engine.IO: closing
  /// How long a closed WebSocket waits for the client's close frame. Default: 5 s (official: 30 s).
  Milliseconds close_timeout{5'000};
  /// How long a closed polling session waits for a GET that delivers the close. Default: 30 s.
  Milliseconds linger_timeout{30'000};

  // ---- Engine.IO: its path, and hooks for its responses. Functions run on the event-loop thread;
  // an exception is logged.
  /// If false, the server takes every path that begins with `path` without its final '/', such as "/socket.iox"
  /// (`addTrailingSlash`). Default: true.
  bool add_trailing_slash = true;
  /// Whether an upgrade on a path without a route is closed, without a response; if not, it stays open until
  /// the client disconnects (`destroyUpgrade`). Default: true.
  bool destroy_upgrade = true;
  /// How long such an upgrade stays open before it is closed (`destroyUpgradeTimeout`). Default: 1 s.
  Milliseconds destroy_upgrade_timeout{1'000};
  /// A cookie with the session's id in the response to a polling handshake, for proxies that route clients
  /// by it; the server never reads it (`cookie`). Default: none.
  std::optional<CookieOptions> cookie{};
  /// Decides whether a session may begin, once per handshake, before anything is allocated for it. It calls
  /// next(accept), or next(refuse("why")): the client then gets status 403 with code 4 (`allowRequest`). The call may
  /// come later, on the event-loop thread; until then nothing more is read from the connection, and after
  /// http.header_timeout it gets 408. An exception refuses. Default: accepts all.
  std::function<void(const http::Request&, Next)> allow_request{};
  /// Makes the session's id (`generateId`): 1 to 128 characters of A-Z a-z 0-9 _ . ~ -. The id is a bearer secret, so
  /// it must not be guessable. An invalid id, or one in use, is logged as an error and replaced by a random one.
  /// Default: 120 random bits.
  std::function<std::string(const http::Request&)> generate_id{};
  /// Adds headers to the response to a handshake, polling or 101 (`initial_headers`). The list holds those already set,
  /// cache-control and cookie, and may be changed. Content-Type, headers that frame the message, and values with line
  /// ends are ignored. Default: adds nothing.
  std::function<void(http::Headers&, const http::Request&)> initial_headers{};
  /// The same for each response of a session, its handshake included (`headers`). Called when the
  /// request arrives, even if the response waits for messages. Default: adds nothing.
  std::function<void(http::Headers&, const http::Request&)> headers{};

  // ---- Socket.IO
  /// From the session's opening to its first joined namespace; beyond, the session is closed
  /// (`connectTimeout`). Default: 45 s.
  Milliseconds connect_timeout{45'000};
  /// Binary attachments of one packet; a parse error beyond (`maxAttachments`). Official clients
  /// accept at most 10, too. Default: 10.
  std::uint32_t max_attachments = 10;
  /// Bytes of all attachments of one packet; a parse error beyond. Default: 10,000,000.
  std::size_t max_attachment_bytes = 10'000'000;
  /// How long an announced attachment may take to arrive; a parse error beyond. Default: 30 s.
  Milliseconds attachment_timeout{30'000};
  /// Nesting of arrays and objects in a packet, at most 64; a parse error beyond. Default: 64.
  unsigned max_json_depth = 64;
  /// Values, keys, brackets, commas and colons in a packet; a parse error beyond. Default: 100,000.
  std::size_t max_json_tokens = 100'000;
  /// Bytes kept for one client: the auth of its CONNECTs, and its events that wait for a middleware of the socket.
  /// Beyond, a CONNECT gets CONNECT_ERROR, and an event is not handled: its ack has the code `OVERLOADED`.
  /// Default: 1,000,000.
  std::size_t max_kept_bytes = 1'000'000;
  /// Namespaces that one client has joined or asked to join; CONNECT_ERROR beyond. Default: 100.
  std::size_t max_namespaces = 100;
  /// Namespaces made by of(predicate) in total, except those that no client was accepted into; CONNECT_ERROR beyond.
  /// Default: 10,000.
  std::size_t max_child_namespaces = 10'000;
  /// Whether a namespace made by of(predicate) is removed with its last client (`cleanupEmptyChildNamespaces`).
  /// Default: false.
  bool cleanup_empty_child_namespaces = false;
  /// Acks that one client has yet to send; a further request fails with std::errc::no_buffer_space. Default: 10,000.
  std::size_t max_outstanding_acks = 10'000;
  /// Rooms that one socket may be in; joining one more has no effect and is logged. Default: 1,000.
  std::size_t max_rooms = 1'000;
  /// Whether, and for how long, clients can recover their state (`connectionStateRecovery`). Default: off.
  RecoveryOptions connection_state_recovery{};

  // ---- HTTP, browsers, proxies
  /// Limits on HTTP/1.1 requests. Default: those of HttpLimits.
  HttpLimits http{};
  /// Which origins may read responses and open WebSockets (`cors`). Default: none, and no CORS headers.
  CorsOptions cors{};
  /// Networks whose X-Forwarded-For is trusted, as "10.0.0.0/8" or one address. Default: loopback.
  std::vector<std::string> trusted_proxies{"127.0.0.0/8", "::1"};

  // ---- running
  /// How long close() waits for clients to disconnect before it closes their sockets. Default: 4 s.
  Milliseconds drain_timeout{4'000};
  /// The lowest level that is logged. Default: warn.
  LogLevel log_level = LogLevel::warn;
  /// A handler that takes longer is logged as a warning, at most once a second, since it blocks the event loop.
  /// 0: handlers are not timed. Default: 100 ms.
  Milliseconds slow_handler{100};
  /// Where log records go; empty writes JSON lines to standard error. Called on the event-loop thread. If it may block,
  /// use a LogQueue. If it throws, the record is lost, which is counted. It may call the server, but must not run the
  /// event loop; closes that it requests take effect after it returns. Default: none, standard error.
  std::function<void(const LogRecord&)> log_sink{};
  /// Called with every packet, request and step of an upgrade, as it happens, to show the protocol to people: see
  /// trace_line(). Called on the event-loop thread; it must not block, and may call the server as log_sink may. An
  /// exception is logged. Default: none, at no cost.
  std::function<void(const TraceRecord&)> trace{};

  // ---- tests
  /// A manual clock for heartbeats, timeouts and rates. FakeServer (chapter 14) has one.
  /// Default: null, the machine's steady clock.
  std::shared_ptr<engineio::ManualClock> clock{};

  /// How much memory these limits allow, JSON trees included. The server logs it at level debug when it begins to
  /// listen. Not included: what the application keeps or makes (its data, rooms, acks that it waits for, responses of
  /// its routes, what is kept for recovery), and the kernel's buffers of each connection.
  MemoryBound memory_bound() const {
    const auto bytes = [](auto size) { return static_cast<double>(size); };
    constexpr double kib = 1024;
    const double payload = bytes(max_payload), message = payload + bytes(max_attachment_bytes);
    // A connection: its header section, the bytes of one read, and responses up to the size at which reading stops.
    // Its input: an incomplete message or body. A string takes up to twice its size while it grows.
    const double connection = 80 * kib + 2 * (64 * kib + bytes(http.header_bytes)), input = 2 * payload;
    // A session: its queue, which may be held at once for a poll, in a poll's response as base64, and on the WebSocket
    // that it upgrades to; an event that waits for attachments; max_kept_bytes, and the message that exceeds it; its
    // handshake.
    const double session = 3.5 * bytes(max_queue_bytes) + 4 * message + bytes(max_kept_bytes) +
                           bytes(http.header_bytes) + (8 + bytes(max_namespaces)) * kib;
    // The server: one event as a tree, one poll's response while it is built, namespaces that clients have named.
    const double server = 1024 * kib + 128 * bytes(max_json_tokens) + 4 * message + 6 * bytes(max_queue_bytes) +
                          bytes(max_child_namespaces) * (4 * kib + 2 * payload);
    const double connections = bytes(max_connections), sessions = bytes(max_sessions);
    const auto or_all = [&](std::size_t limit, double all) { return limit > 0 ? (std::min)(bytes(limit), all) : all; };
    const double of_address = or_all(max_connections_per_address, connections);
    const auto whole = [](double sum) { return static_cast<std::uint64_t>((std::min)(sum, 1e19)); };
    return {whole(session + 3 * (connection + input)),
            whole(or_all(max_sessions_per_address, sessions) * session + of_address * connection +
                  or_all(max_input_per_address, of_address * input)),
            whole(sessions * session + connections * (connection + input) + server)};
  }
};

// ================================================================================================
// 2  Bytes and text
//
// Reference counting (Ref, Counted), maps with string keys (StringMap, ById), and tools that the codecs share. The
// tools are pure functions, except for Random and the key of StringMap's hash, which come from the operating system.
//
//   base64     "AQIDBA==" <-> 01 02 03 04         RFC 4648; decoding skips characters outside the alphabet
//   sha1       Sec-WebSocket-Accept, entity tags  RFC 3174
//   utf8       validity, and repair with U+FFFD   RFC 3629
//   numbers    1e21 -> 1e+21, 1.0 -> 1            as JavaScript prints them (ECMA-262 Number::toString)
//   Outline    the JSON guard                     RFC 8259
//
// The JSON guard checks text from the network in one linear pass, before a tree is built. It accepts any valid JSON, up
// to a depth (deep trees overflow the stack when they are copied or written) and a number of tokens (a megabyte of
// `[],[],` becomes 17 MB of tree). It does not check UTF-8. It returns the elements of the outermost array as views, so
// that a value is parsed only when a handler asks for it, or is passed on as text.
//
//   in    ["say",{"from":"a"},[1,2]]
//   out   elements: `"say"`  `{"from":"a"}`  `[1,2]`
// ================================================================================================

/// A reference to an object that counts its references. The count is not atomic: use it on the event-loop thread only.
template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) : object_(object) {
    if (object_) object_->retain();
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_) object_->release();
  }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  T* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }
  friend bool operator==(const Ref& a, const Ref& b) { return a.object_ == b.object_; }

 private:
  T* object_ = nullptr;
};

/// A base class for objects that Ref refers to. The last reference deletes the object.
template <class T>
class Counted {
 public:
  void retain() { ++references_; }
  void release() {
    if (--references_ == 0) destroy();
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 protected:
  Counted() = default;
  ~Counted() = default;

 private:
  /// Not inlined: g++ 12 at -O3 would warn of a use after free where two references to one object are released.
  [[gnu::noinline]] void destroy() { delete static_cast<T*>(this); }

  std::uint32_t references_ = 0;
};

namespace bytes {

inline std::string base64_encode(std::string_view in) {
  constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((in.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < in.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < in.size() ? static_cast<std::uint8_t>(in[i + k]) : 0u);
    out += alphabet[group >> 18];
    out += alphabet[group >> 12 & 63];
    out += i + 1 < in.size() ? alphabet[group >> 6 & 63] : '=';
    out += i + 2 < in.size() ? alphabet[group & 63] : '=';
  }
  return out;
}

/// The value of a digit of base64 or base64url (RFC 4648, 4 and 5); -1 for any other character.
constexpr int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  return c == '/' || c == '_' ? 63 : -1;
}

/// Lenient, as the official server is: skips characters outside the alphabet, and stops at the first '='.
inline std::string base64_decode(std::string_view in) {
  std::string out;
  out.reserve(in.size() / 4 * 3 + 2);
  std::uint32_t group = 0;
  int bits = 0;
  for (const char c : in) {
    if (c == '=') break;
    const int digit = base64_digit(c);
    if (digit < 0) continue;
    group = group << 6 | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out += static_cast<char>(group >> bits & 0xff);
  }
  return out;
}

/// SHA-1, as 20 bytes. It is not secure, but RFC 6455 requires it.
inline std::string sha1(std::string_view in) {
  std::string text(in);
  text += '\x80';
  text.resize((text.size() + 8 + 63) / 64 * 64 - 8, '\0');
  for (int shift = 56; shift >= 0; shift -= 8)
    text += static_cast<char>(static_cast<std::uint64_t>(in.size()) * 8 >> shift & 0xff);

  std::array<std::uint32_t, 5> h{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  for (std::size_t block = 0; block < text.size(); block += 64) {
    std::array<std::uint32_t, 80> w{};
    for (std::size_t i = 0; i < 64; ++i) w[i / 4] = w[i / 4] << 8 | static_cast<std::uint8_t>(text[block + i]);
    for (std::size_t i = 16; i < 80; ++i) w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    auto [a, b, c, d, e] = h;
    for (std::size_t i = 0; i < 80; ++i) {
      const std::uint32_t mix = i < 20   ? ((b & c) | (~b & d)) + 0x5A827999
                                : i < 40 ? (b ^ c ^ d) + 0x6ED9EBA1
                                : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC
                                         : (b ^ c ^ d) + 0xCA62C1D6;
      const std::uint32_t next = std::rotl(a, 5) + mix + e + w[i];
      std::tie(a, b, c, d, e) = std::tuple(next, a, std::rotl(b, 30), c, d);
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
  }
  std::string out;
  for (const std::uint32_t word : h)
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(word >> shift & 0xff);
  return out;
}

/// The first character of a text and its size in bytes. If it is not valid, `size` is that of the bytes which one
/// U+FFFD replaces: the longest beginning of a valid character, or one byte.
struct Utf8Character {
  std::size_t size;
  bool valid;
};
inline Utf8Character utf8_character(std::string_view in) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(in[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  // The range of the second byte excludes overlong forms, surrogates, and code points beyond U+10FFFF.
  std::uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  std::uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (std::size_t i = 1; i < size; ++i, low = 0x80, high = 0xBF)
    if (i == in.size() || byte(i) < low || byte(i) > high) return {i, false};
  return {size, true};
}

/// The size of the longest prefix that is valid UTF-8.
inline std::size_t utf8_valid_prefix(std::string_view in) {
  std::size_t at = 0;
  while (at < in.size()) {
    for (std::uint64_t word = 0; in.size() - at >= 8; at += 8) {  // eight ASCII characters at a time
      std::memcpy(&word, in.data() + at, 8);
      if (word & 0x8080808080808080u) break;
    }
    if (at == in.size()) break;
    const auto character =
        static_cast<std::uint8_t>(in[at]) < 0x80 ? Utf8Character{1, true} : utf8_character(in.substr(at));
    if (!character.valid) return at;
    at += character.size;
  }
  return in.size();
}

inline bool utf8_valid(std::string_view in) { return utf8_valid_prefix(in) == in.size(); }

/// Replaces invalid bytes by U+FFFD, as the decoder of the WHATWG Encoding Standard does.
inline std::string utf8_repair(std::string_view in) {
  std::string out;
  out.reserve(in.size() + 8);
  while (!in.empty()) {
    const std::size_t valid = utf8_valid_prefix(in);
    out += in.substr(0, valid);
    in.remove_prefix(valid);
    if (in.empty()) break;
    out += "\xEF\xBF\xBD";
    in.remove_prefix(utf8_character(in).size);
  }
  return out;
}

/// A text as valid UTF-8, repaired only if necessary. view() is valid while both this object and the text exist.
class Utf8Text {
 public:
  explicit Utf8Text(std::string_view text)
      : valid_(utf8_valid(text)), text_(text), repaired_(valid_ ? std::string() : utf8_repair(text)) {}
  std::string_view view() const { return valid_ ? text_ : repaired_; }

 private:
  bool valid_;
  std::string_view text_;
  std::string repaired_;
};

/// Random bits from the operating system, for ids and keys. Also a generator for the distributions of <random>.
class Random {
 public:
  using result_type = unsigned;
  static constexpr result_type(min)() { return 0; }
  static constexpr result_type(max)() { return (std::numeric_limits<unsigned>::max)(); }
  result_type operator()() { return seeded_ ? next_seeded() : device_(); }
  /// For tests only: makes the sequence deterministic.
  void seed(std::uint64_t seed) {
    seed_ = seed;
    seeded_ = true;
  }

  /// 20 characters [A-Za-z0-9_-], 120 bits, as the official server's ids: some adapters recognise ids by their length.
  std::string id() {
    constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string id;
    id.reserve(20);
    for (int word = 0; word < 4; ++word) {
      unsigned bits = (*this)();
      for (int digit = 0; digit < 5; ++digit, bits >>= 6) id += alphabet[bits & 63];
    }
    return id;
  }

 private:
  /// Uses /dev/urandom if the standard library can: on some virtual machines, GCC's default takes 20 us per word.
  static std::random_device open() {
    try {
      return std::random_device("/dev/urandom");
    } catch (const std::exception&) {
      return std::random_device();
    }
  }
  /// SplitMix64 (Steele, Lea, Flood 2014).
  unsigned next_seeded() {
    std::uint64_t z = seed_ += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return static_cast<unsigned>(z >> 32);
  }
  std::random_device device_{open()};
  bool seeded_ = false;
  std::uint64_t seed_ = 0;
};

/// SipHash-1-3 (Aumasson, Bernstein 2012). Without the key, a client cannot construct texts whose hashes collide. Words
/// are read in the machine's byte order, so values differ between machines.
inline std::uint64_t siphash(std::string_view in, const std::array<std::uint64_t, 2>& key) {
  std::array<std::uint64_t, 4> v{key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                                 key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
  const auto half_round = [&](std::size_t a, std::size_t b, int by) {
    v[a] += v[b];
    v[b] = std::rotl(v[b], by) ^ v[a];
  };
  const auto round = [&] {
    half_round(0, 1, 13);
    v[0] = std::rotl(v[0], 32);
    half_round(2, 3, 16);
    half_round(0, 3, 21);
    half_round(2, 1, 17);
    v[2] = std::rotl(v[2], 32);
  };
  const auto absorb = [&](std::uint64_t word) {
    v[3] ^= word;
    round();
    v[0] ^= word;
  };
  const std::uint64_t size = std::uint64_t{in.size()} << 56;
  std::uint64_t word = 0;
  for (; in.size() >= 8; in.remove_prefix(8)) {
    std::memcpy(&word, in.data(), 8);
    absorb(word);
  }
  word = 0;
  if (!in.empty()) std::memcpy(&word, in.data(), in.size());
  absorb(word ^ size);
  v[2] ^= 0xff;
  for (int i = 0; i < 3; ++i) round();
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/// SipHash with a random key, which is chosen once per process.
inline std::size_t keyed_hash(std::string_view text) {
  static const auto key = [] {
    Random random;
    const auto word = [&] { return std::uint64_t{random()} << 32 | random(); };
    return std::array<std::uint64_t, 2>{word(), word()};
  }();
  return static_cast<std::size_t>(siphash(text, key));
}

/// The lower-case form of an ASCII letter; any other character unchanged.
inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Whether a character is an ASCII letter or digit, or one of `others`.
inline bool is_alnum_or(char c, std::string_view others) {
  return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || others.find(c) != others.npos;
}

inline bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

/// Without the spaces and tabs at both ends.
inline std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Calls f with each part between separators, trimmed, until it returns true. Returns whether it did.
template <class F>
bool any_part(std::string_view text, char separator, F f) {
  for (;;) {
    const auto end = text.find(separator);
    if (f(trim(text.substr(0, end)))) return true;
    if (end == text.npos) return false;
    text.remove_prefix(end + 1);
  }
}

/// Whether a comma-separated list contains this token, ignoring case.
inline bool has_token(std::string_view list, std::string_view token) {
  return any_part(list, ',', [&](std::string_view part) { return equal_ignoring_case(part, token); });
}

/// Parses digits of the given base, without a sign or prefix. nullopt if the text is empty, has other characters, or is
/// too large a number.
inline std::optional<std::uint64_t> whole_number(std::string_view text, int base = 10) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <class Integer>
void append_integer(std::string& out, Integer value) {
  std::array<char, 24> text;
  out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
}

/// Appends a number as JavaScript prints it: the shortest digits that read back as the same number, without an exponent
/// from 1e-6 up to 1e21. Infinity and NaN, which JSON does not have, become null.
inline void append_number(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  if (value < 0) {
    out += '-';
    value = -value;
  }
  if (value < 9007199254740992.0 && value == std::floor(value))
    return append_integer(out, static_cast<std::int64_t>(value));
  std::array<char, 32> text;
  char* const begin = text.data();
  char* const limit = begin + text.size();
  if (value >= 1e-6 && value < 9007199254740992.0) {
    out.append(begin, std::to_chars(begin, limit, value, std::chars_format::fixed).ptr);
    return;
  }
  std::string digits(begin, std::to_chars(begin, limit, value, std::chars_format::scientific).ptr);  // d.ddde+xx
  const auto e = digits.find('e');
  if (value >= 1e-6 && value < 1e21) {  // an integer of 16 to 21 digits, at most 17 of them significant
    const auto size = 10 * (digits[e + 2] - '0') + digits[e + 3] - '0' + 1;
    digits.resize(e);
    if (e > 1) digits.erase(1, 1);
    digits.resize(static_cast<std::size_t>(size), '0');
  } else if (digits[e + 2] == '0') {
    digits.erase(e + 2, 1);  // JavaScript prints 1e-7, to_chars 1e-07
  }
  out += digits;
}

/// Appends several texts, in their order.
inline void append(std::string& out, std::initializer_list<std::string_view> parts) {
  for (const auto part : parts) out += part;
}

/// The number of characters at the front of a text before the first one that is below 0x20, `one` or `other`. Tests
/// eight at a time.
inline std::size_t prefix_without(std::string_view in, char one, char other) {
  constexpr std::uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
  const std::uint64_t all_one = ones * static_cast<std::uint8_t>(one),
                      all_other = ones * static_cast<std::uint8_t>(other);
  std::size_t at = 0;
  for (; in.size() - at >= 8; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, in.data() + at, 8);
    const std::uint64_t found =
        ((word - ones * 0x20) | ((word ^ all_one) - ones) | ((word ^ all_other) - ones)) & ~word & high;
    if (found == 0) continue;
    // The lowest set bit is exact; higher ones may come from borrows. On big-endian machines the loop below searches.
    if constexpr (std::endian::native != std::endian::little) break;
    return at + static_cast<std::size_t>(std::countr_zero(found)) / 8;
  }
  while (at < in.size() && static_cast<std::uint8_t>(in[at]) >= 0x20 && in[at] != one && in[at] != other) ++at;
  return at;
}

/// The number of characters at the front of a text that a JSON string contains unescaped.
inline std::size_t plain_prefix(std::string_view in) { return prefix_without(in, '"', '\\'); }

/// Appends a text as a JSON string, with quotes. Invalid UTF-8 is repaired, so that this never fails.
inline void append_string(std::string& out, std::string_view text) {
  constexpr char hex[] = "0123456789abcdef";
  if (!utf8_valid(text)) return append_string(out, utf8_repair(text));
  out += '"';
  for (;;) {
    const std::size_t plain = plain_prefix(text);
    out.append(text, 0, plain);
    if (plain == text.size()) break;
    const auto c = static_cast<std::uint8_t>(text[plain]);
    text.remove_prefix(plain + 1);
    out += '\\';
    switch (c) {
      case '"':
      case '\\': out += static_cast<char>(c); break;
      case '\b': out += 'b'; break;
      case '\f': out += 'f'; break;
      case '\n': out += 'n'; break;
      case '\r': out += 'r'; break;
      case '\t': out += 't'; break;
      default:
        out += "u00";
        out += hex[c >> 4];
        out += hex[c & 15];
    }
  }
  out += '"';
}

/// Replaces each escaped surrogate without its other half in a JSON text by \\ufffd, because UTF-8 cannot encode it.
inline std::string replace_lone_surrogates(std::string_view text) {
  const auto unit = [&](std::size_t i) {  // the code unit of the \uXXXX at i, or 0
    return i < text.size() && text.substr(i, 2) == "\\u" ? whole_number(text.substr(i + 2, 4), 16).value_or(0) : 0;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto code = unit(i);
    const bool high = code >= 0xD800 && code < 0xDC00, low = code >= 0xDC00 && code < 0xE000;
    const auto next = high ? unit(i + 6) : 0;
    const bool pair = next >= 0xDC00 && next < 0xE000;
    const std::size_t size = pair ? 12 : code ? 6 : text[i] == '\\' ? 2 : 1;
    if (low || (high && !pair)) out += "\\ufffd";
    else out += text.substr(i, size);
    i += size;
  }
  return out;
}

struct JsonLimits {
  unsigned depth = 64;  // at most 64: Outline::arrays_ has one bit per level
  std::size_t tokens = 100'000;
};

/// The JSON guard; see the beginning of the chapter.
class Outline {
 public:
  explicit Outline(JsonLimits limits) : limits_(limits) {}

  /// Returns nullptr if `text` is one JSON value within the limits, otherwise what is wrong with it.
  /// If it is an array, `elements` gets its elements, as views into `text`.
  const char* read(std::string_view text, std::vector<std::string_view>* elements = nullptr) {
    *this = Outline(limits_);
    text_ = text;
    elements_ = elements;
    if (elements) elements->clear();
    Expect expect = Expect::value;
    for (;;) {
      while (at_ < text.size() && is_space(text[at_])) ++at_;
      if (at_ == text.size()) return expect == Expect::end ? nullptr : "JSON ends too early";
      if (expect == Expect::end) return "something follows the JSON value";
      if (++tokens_ > limits_.tokens) return "JSON has too many tokens";
      if (const char* why = token(text[at_], expect)) return why;
    }
  }

 private:
  /// What the next token may be; from value_or_close on, also a closing bracket.
  enum class Expect : std::uint8_t { value, key, colon, end, value_or_close, key_or_close, comma_or_close };

  static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
  bool in_array() const { return arrays_ >> (depth_ - 1) & 1; }
  Expect after_value() {
    if (depth_ == 0) return Expect::end;
    if (depth_ == 1 && elements_ && in_array())
      elements_->push_back(text_.substr(element_start_, at_ - element_start_));
    return Expect::comma_or_close;
  }

  const char* token(char c, Expect& expect) {
    if ((c == ']' || c == '}') && expect >= Expect::value_or_close) return close(c, expect);
    switch (expect) {
      case Expect::colon:
        if (c != ':') return "JSON lacks a colon";
        ++at_;
        expect = Expect::value;
        return nullptr;
      case Expect::comma_or_close:
        if (c != ',') return "JSON lacks a comma or a closing bracket";
        ++at_;
        expect = in_array() ? Expect::value : Expect::key;
        return nullptr;
      case Expect::key_or_close:
      case Expect::key: expect = Expect::colon; return c == '"' ? string() : "a JSON key is not a string";
      default: return value(c, expect);
    }
  }

  const char* value(char c, Expect& expect) {
    if (depth_ == 1) element_start_ = at_;
    if (c == '[' || c == '{') return open(c, expect);
    const char* why = c == '"' ? string() : c == '-' || (c >= '0' && c <= '9') ? number() : literal();
    expect = after_value();
    return why;
  }

  const char* open(char c, Expect& expect) {
    if (depth_ >= limits_.depth) return "JSON is nested too deep";
    const std::uint64_t bit = std::uint64_t{1} << depth_++;
    arrays_ = c == '[' ? arrays_ | bit : arrays_ & ~bit;
    ++at_;
    expect = c == '[' ? Expect::value_or_close : Expect::key_or_close;
    return nullptr;
  }

  const char* close(char c, Expect& expect) {
    if (c != (in_array() ? ']' : '}')) return "JSON has a closing bracket of the wrong kind";
    --depth_;
    ++at_;
    expect = after_value();
    return nullptr;
  }

  const char* string() {
    for (++at_;; ++at_) {
      at_ += plain_prefix(text_.substr(at_));
      if (at_ >= text_.size()) return "a JSON string does not end";
      if (text_[at_] == '"') break;
      if (text_[at_] != '\\') return "a JSON string holds a control character";
      if (!escape()) return "a JSON string holds an unknown escape";
    }
    ++at_;
    return nullptr;
  }

  bool escape() {
    if (++at_ >= text_.size()) return false;
    if (text_[at_] != 'u') return std::string_view("\"\\/bfnrt").find(text_[at_]) != std::string_view::npos;
    const auto digits = text_.substr(at_ + 1, 4);
    at_ += 4;
    return digits.size() == 4 && digits.find_first_not_of("0123456789abcdefABCDEF") == digits.npos;
  }

  bool digits() {
    const std::size_t first = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > first;
  }

  bool skip_one_of(std::string_view characters) {
    if (at_ == text_.size() || characters.find(text_[at_]) == characters.npos) return false;
    ++at_;
    return true;
  }

  const char* number() {
    constexpr const char* why = "a JSON number is malformed";
    skip_one_of("-");
    if (!skip_one_of("0") && !digits()) return why;
    if (skip_one_of(".") && !digits()) return why;
    if (!skip_one_of("eE")) return nullptr;
    skip_one_of("+-");
    return digits() ? nullptr : why;
  }

  const char* literal() {
    for (const std::string_view word : {"true", "false", "null"}) {
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      return nullptr;
    }
    return "JSON holds an unknown literal";
  }

  JsonLimits limits_;
  std::string_view text_;
  std::vector<std::string_view>* elements_ = nullptr;
  std::size_t at_ = 0, element_start_ = 0, tokens_ = 0;
  unsigned depth_ = 0;
  std::uint64_t arrays_ = 0;  // bit n: the bracket at depth n + 1 opens an array
};

}  // namespace bytes

/// Lets a map keyed by std::string be searched by std::string_view. Clients choose most keys, so the hash has a secret
/// key.
struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return bytes::keyed_hash(text); }
};
template <class T>
using StringMap = std::unordered_map<std::string, T, StringHash, std::equal_to<>>;

/// Objects by their id. The key is a view of the id in the object, which must outlive its entry.
template <class Pointer>
using ById = std::unordered_map<std::string_view, Pointer, StringHash, std::equal_to<>>;

// ================================================================================================
// 3  Reasons, limits, log
//
// Every refusal and every close has a Reason. The wire, the log, the counters and the disconnect handlers use the same
// row of one table. Its texts are the official server's. Its codes are those of engine.io-protocol ("code") and of
// RFC 6455, 7.4.1 ("close").
//
//     reason              HTTP   code  close  text
//     session_unknown      400      1         {"code":1,"message":"Session ID unknown"}
//     message_too_big                  1009   -> the session closes with "transport error"
//     ping_timeout                            "ping timeout"
//
// A RateLimiter has limits per key, such as a client's address: permits at a time, and operations per second.
//
//     RateLimiter limiter({.concurrent = 10});
//     if (auto permit = limiter.acquire("203.0.113.7")) ...   // its destructor releases the permit
//
//     RateLimiter pings({.burst = 20, .per_second = 5});
//     if (auto wait = pings.spend(id, now)) ...               // over the limit: try again after *wait
//
// spend() is a token bucket. It computes the refill when it is called, so no timer runs. Time is an argument, from a
// steady clock. The table of keys is bounded. When it is full, keys that hold no permit and have a full bucket are
// dropped, because they carry no state. If there is no such key, new keys are refused: otherwise a flood of keys would
// clear an offender's history.
//
// A log record is a level, a constant message and named fields. json_line() escapes and shortens what clients sent, so
// one record is always one line of JSON. If the sink may block, put a LogQueue in front of it.
//
// Log also calls the application's code: Log::call catches and logs its exceptions, and logs slow handlers. An event
// handler never runs inside another one. A handler may close or disconnect anything. The state changes at once, but the
// handlers for that run after it has returned:
//
//     a handler calls socket.disconnect()    connected() is false, the socket has left its rooms, a DISCONNECT is
//                                            queued, and Log::later defers the disconnect handlers
//     the handler returns                    Log::run_deferred runs them, one after the other
//
// So handlers do not nest on the stack. Code that has called a handler must expect that anything was closed meanwhile:
// it keeps a reference to each object that it goes on to use, and checks again whether that is still open.
// ================================================================================================

// All reasons: name, text on the wire and for handlers, HTTP status (0: none), code of Engine.IO (-1: none), close code
// of WebSocket (0: none). The enum Reason and reason_table are made from this list.
// clang-format off: one a line
#define SIO_DEMO_REASONS(X) \
  /* A request on Engine.IO's path is refused; text and code are those of Engine.IO. */ \
  X(transport_unknown, "Transport unknown", 400, 0, 0) \
  X(session_unknown, "Session ID unknown", 400, 1, 0) \
  X(bad_handshake_method, "Bad handshake method", 400, 2, 0) \
  X(bad_request, "Bad request", 400, 3, 0) \
  X(forbidden, "Forbidden", 403, 4, 0) \
  X(unsupported_version, "Unsupported protocol version", 400, 5, 0) \
  X(too_many_sessions, "Too many sessions", 503, 3, 0) \
  X(too_many_sessions_from_address, "Too many sessions from this address", 429, 3, 0) \
  X(too_many_handshakes, "Too many handshakes from this address", 429, 3, 0) \
  /* A connection or an HTTP request is refused, or a route fails. */ \
  X(too_many_connections, "Too many connections from this address", 0, -1, 0) \
  X(malformed_request, "Bad Request", 400, -1, 0) \
  X(request_line_too_long, "URI Too Long", 414, -1, 0) \
  X(headers_too_large, "Request Header Fields Too Large", 431, -1, 0) \
  X(header_timeout, "Request Timeout", 408, -1, 0) \
  X(body_timeout, "Request Timeout", 408, -1, 0) \
  X(body_too_large, "Payload Too Large", 413, -1, 0) \
  X(unknown_expectation, "Expectation Failed", 417, -1, 0) \
  X(version_not_supported, "HTTP Version Not Supported", 505, -1, 0) \
  X(not_found, "Not Found", 404, -1, 0) \
  X(method_not_allowed, "Method Not Allowed", 405, -1, 0) \
  X(handler_failed, "Internal Server Error", 500, -1, 0) \
  X(draining, "The server is closing", 503, 3, 0) \
  /* Something within a session is refused; only malformed_packet closes the session, with forced_close. */ \
  X(malformed_packet, "Malformed packet", 0, -1, 0) \
  X(too_many_namespaces, "Too many namespaces", 0, -1, 0) \
  X(too_many_rooms, "Too many rooms", 0, -1, 0) \
  X(too_many_acks, "Too many acks", 0, -1, 0) \
  X(too_many_events, "Too many events", 0, -1, 0) \
  X(too_much_kept, "Too much is kept for this client", 0, -1, 0) \
  X(invalid_payload, "Invalid payload", 0, -1, 0) \
  X(unknown_ack, "Unknown ack", 0, -1, 0) \
  /* A WebSocket violates RFC 6455 or a limit. This reason and all that follow close a session or a socket. */ \
  X(frame_malformed, "transport error", 0, -1, 1002) \
  X(text_not_utf8, "transport error", 0, -1, 1007) \
  X(too_many_fragments, "transport error", 0, -1, 1008) \
  X(message_too_big, "transport error", 0, -1, 1009) \
  X(too_many_packets, "transport error", 0, -1, 1008) \
  X(too_much_input, "transport error", 0, -1, 1008) \
  /* A session closes. */ \
  X(transport_close, "transport close", 0, -1, 0) \
  X(transport_error, "transport error", 0, -1, 0) \
  X(parse_error, "parse error", 0, -1, 0) \
  X(ping_timeout, "ping timeout", 0, -1, 0) \
  X(forced_close, "forced close", 0, -1, 0) \
  X(slow_consumer, "transport error", 0, -1, 0) \
  /* A socket is disconnected; the session may stay open. */ \
  X(client_disconnect, "client namespace disconnect", 0, -1, 0) \
  X(server_disconnect, "server namespace disconnect", 0, -1, 0) \
  X(forced_server_close, "forced server close", 0, -1, 0) \
  X(server_shutdown, "server shutting down", 0, -1, 0)
// clang-format on

#define SIO_DEMO_REASON(name, ...) name,
/// Why something was refused or closed.
enum class Reason : std::uint8_t { SIO_DEMO_REASONS(SIO_DEMO_REASON) count_ };
#undef SIO_DEMO_REASON

/// A reason's name, and how it is reported in HTTP, in Engine.IO and in a WebSocket's close frame.
struct ReasonRow {
  Reason reason;
  const char* name;      // in counters and metrics
  const char* text;      // on the wire and for handlers
  std::uint16_t status;  // HTTP, 0: none
  int code;              // Engine.IO, -1: none
  std::uint16_t close;   // WebSocket, 0: a close frame without a code
};

#define SIO_DEMO_REASON(name, ...) {Reason::name, #name, __VA_ARGS__},
/// The reasons in the order of their enum.
inline constexpr std::array<ReasonRow, static_cast<std::size_t>(Reason::count_)> reason_table{
    {SIO_DEMO_REASONS(SIO_DEMO_REASON)}};
#undef SIO_DEMO_REASON
#undef SIO_DEMO_REASONS

/// A reason's row in the table. `reason` must not be count_.
constexpr const ReasonRow& row(Reason reason) { return reason_table[static_cast<std::size_t>(reason)]; }
/// Whether the reason closes a session or a socket, rather than refusing a connection, a request or a packet.
constexpr bool is_end(Reason reason) { return reason >= Reason::frame_malformed; }

/// Totals since the server began, some of them by reason. A session that closes counts once, however many sockets it
/// has. Read it on the event-loop thread.
struct Counters {
  std::array<std::uint64_t, reason_table.size()> reasons{};
  std::uint64_t connections_opened = 0, connections_closed = 0, requests = 0;
  std::uint64_t bytes_received = 0, bytes_sent = 0, packets_received = 0, packets_sent = 0;
  std::uint64_t sessions_opened = 0, sessions_closed = 0;
  std::uint64_t sockets_joined = 0, sockets_left = 0, events = 0, volatile_dropped = 0;
  std::size_t queue_bytes = 0;         // current value: bytes queued for all clients
  std::size_t websocket_sessions = 0;  // current value

  void add(Reason reason) { ++reasons[static_cast<std::size_t>(reason)]; }
  std::uint64_t of(Reason reason) const { return reasons[static_cast<std::size_t>(reason)]; }
};

/// A token bucket. Each call gets the rate as an argument, so that a bucket does not have to store it.
class Bucket {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Wait = std::chrono::duration<double>;

  Bucket(const Rate& rate, Time now) : tokens_(rate.burst), refilled_(now) {}

  bool full(const Rate& rate, Time now) const { return tokens(rate, now) >= rate.burst; }
  /// Takes one token. Returns nullopt if there was one, otherwise the time until there is one, or an hour if the bucket
  /// is never refilled.
  std::optional<Wait> spend(const Rate& rate, Time now) {
    tokens_ = tokens(rate, now);
    refilled_ = (std::max)(refilled_, now);
    if (tokens_ < 1) return Wait(rate.per_second > 0 ? (1 - tokens_) / rate.per_second : 3600);
    --tokens_;
    return std::nullopt;
  }

 private:
  double tokens(const Rate& rate, Time now) const {
    return (std::min)(rate.burst, tokens_ + (std::max)(0.0, Wait(now - refilled_).count()) * rate.per_second);
  }

  double tokens_;
  Time refilled_;
};

/// Limits by key; see the beginning of the chapter. Called on one thread.
class RateLimiter {
 public:
  struct Rules {
    std::size_t concurrent = 0;      // permits of one key at a time; 0: no limit
    double burst = 0;                // tokens of a full bucket; 0: no limit
    double per_second = 0;           // tokens added per second
    std::size_t max_keys = 100'000;  // keys with state; further ones are refused
  };
  using Time = Bucket::Time;

 private:
  struct Entry {
    std::size_t permits = 0;         // how many are held
    std::size_t bytes = 0;           // see Permit::weigh
    std::optional<Bucket> bucket{};  // made by the first spend()
  };
  using Entries = StringMap<Entry>;
  struct Table : Counted<Table> {
    explicit Table(const Rules& its_rules) : rules(its_rules), rate{rules.burst, rules.per_second} {}

    Rules rules;
    Rate rate;
    Entries entries{};
    Time now{};  // of the last spend(); acquire() has no time
    Time swept{};
    bool released = false;  // whether a permit was, since the last sweep

    /// Drops the keys that hold no permit and have a full bucket. As this visits all keys, it is done at most once a
    /// second, or if a permit was released.
    void sweep() {
      if (!std::exchange(released, false) && now - swept < std::chrono::seconds(1)) return;
      swept = now;
      std::erase_if(entries, [&](const auto& item) {
        const Entry& entry = item.second;
        return entry.permits == 0 && (!entry.bucket || entry.bucket->full(rate, now));
      });
    }
    /// The entry of this key, or null if the table is full.
    Entries::pointer find_or_make(std::string_view key) {
      if (const auto found = entries.find(key); found != entries.end()) return &*found;
      if (entries.size() >= rules.max_keys) sweep();
      if (entries.size() >= rules.max_keys) return nullptr;
      return &*entries.emplace(std::string(key), Entry{}).first;
    }
    void release_permit(Entries::pointer entry) {
      released = true;
      if (--entry->second.permits == 0 && !rate.on()) entries.erase(entries.find(entry->first));
    }
  };

 public:
  /// A permit, or none. Movable. Its destructor releases the permit; it may outlive the limiter.
  class Permit {
   public:
    Permit() = default;
    Permit(Permit&&) noexcept = default;
    Permit& operator=(Permit&& other) noexcept {
      std::swap(table_, other.table_);
      std::swap(entry_, other.entry_);
      return *this;
    }
    ~Permit() {
      if (table_) table_->release_permit(entry_);
    }
    explicit operator bool() const { return bool(table_); }
    /// Changes the bytes that are counted for this permit from `from` to `to`. Returns the sum of the key's permits.
    std::size_t weigh(std::size_t from, std::size_t to) { return entry_->second.bytes += to - from; }

   private:
    friend class RateLimiter;
    Permit(Ref<Table> table, Entries::pointer entry) : table_(std::move(table)), entry_(entry) {}
    Ref<Table> table_;
    Entries::pointer entry_ = nullptr;  // stays valid: an entry with a permit is never erased
  };

  explicit RateLimiter(const Rules& rules) : table_(new Table(rules)) {
    if (!table_->rate.valid())
      throw std::invalid_argument("sio_demo::RateLimiter: burst must be 0 or at least 1, per_second not negative");
  }

  /// Returns an empty permit if the key already has `concurrent` permits, or the table of keys is full.
  Permit acquire(std::string_view key) {
    const auto entry = table_->find_or_make(key);
    if (!entry || (table_->rules.concurrent > 0 && entry->second.permits >= table_->rules.concurrent)) return {};
    ++entry->second.permits;
    return Permit(table_, entry);
  }

  /// Takes one token of the key. Returns nullopt if there was one, otherwise how long to wait before the next attempt.
  std::optional<std::chrono::duration<double>> spend(std::string_view key, Time now) {
    if (!table_->rate.on()) return std::nullopt;
    table_->now = now;
    const auto entry = table_->find_or_make(key);
    if (!entry) return std::chrono::duration<double>(1);
    auto& bucket = entry->second.bucket;
    if (!bucket) bucket.emplace(table_->rate, now);
    return bucket->spend(table_->rate, now);
  }

  /// The number of permits of each key that has any.
  std::map<std::string, std::size_t> held() const {
    std::map<std::string, std::size_t> out;
    for (const auto& [key, entry] : table_->entries)
      if (entry.permits > 0) out.emplace(key, entry.permits);
    return out;
  }
  /// The number of keys in the table.
  std::size_t keys() const { return table_->entries.size(); }

 private:
  Ref<Table> table_;
};

/// The arguments of Next: next(accept) lets the client in, next(refuse("why")) does not.
struct Accept {};
inline constexpr Accept accept{};
struct Refuse {
  std::string message;
  json data;  // from a middleware: the client gets it as err.data; null: none
};
inline Refuse refuse(std::string_view message, json data = nullptr) { return {std::string(message), std::move(data)}; }

/// The callback with which allow_request or a middleware gives its decision, during its call or later. Only the first
/// call has an effect, and none after the client has disconnected or the server is destroyed. Copyable; called on the
/// event-loop thread.
class Next {
 public:
  explicit Next(std::function<void(std::optional<Refuse>)> callback)
      : callback_(std::make_shared<Callback>(std::move(callback))) {}

  void operator()(Accept = {}) const { (*this)(std::optional<Refuse>()); }
  void operator()(Refuse refusal) const { (*this)(std::optional<Refuse>(std::move(refusal))); }

 private:
  using Callback = std::function<void(std::optional<Refuse>)>;
  void operator()(std::optional<Refuse> refusal) const {
    if (const auto callback = std::exchange(*callback_, nullptr)) callback(std::move(refusal));
  }
  std::shared_ptr<Callback> callback_;
};

/// A refused request on Engine.IO's path (`connection_error`). Valid while the handler runs.
struct ConnectionError {
  const http::Request& request;
  Reason reason;
  std::string_view details{};   // the message of allow_request
  int code = row(reason).code;  // 0 to 5, of engine.io-protocol
  std::string_view message = row(reason).text;
};

/// The named fields of a log record, in output order. Valid only for the statement that makes them.
using Fields = std::initializer_list<std::pair<std::string_view, json>>;

/// A log record, as passed to the sink. The views and the fields are valid only while the sink runs.
struct LogRecord {
  LogLevel level;
  std::string_view message;
  Fields fields;
  std::chrono::system_clock::time_point time;
};

/// A packet, request or state change of a session, as passed to Options::trace. The views are valid only during that
/// call.
struct TraceRecord {
  /// Each kind with what `text` is for it.
  enum class Kind : std::uint8_t {
    request,   // of HTTP: the method and the target
    response,  // of HTTP: the body
    packet,    // of Engine.IO: its text as sent over polling, or the bytes of a binary one
    step,      // of an upgrade or a close: the session's new state
    close      // of a session: the reason's text
  };
  Kind kind = Kind::packet;
  bool incoming = false;         // whether it comes from the client
  bool binary = false;           // for a packet
  std::uint16_t status = 0;      // for a response
  std::string_view session{};    // the id; empty before the session begins
  std::string_view transport{};  // "http", "polling" or "websocket"
  std::string_view text{};
  std::string_view details{};  // for a close: details of the reason; for a step: the old state
  std::chrono::system_clock::time_point time = std::chrono::system_clock::now();
};

/// The level's name in log records: "debug" to "error", or "off".
constexpr std::string_view level_name(LogLevel level) {
  constexpr std::array<std::string_view, 5> names{"debug", "info", "warn", "error", "off"};
  return names[static_cast<std::size_t>(level)];
}

/// The output of snprintf as a string, which must not exceed 63 characters. `format` must match the values.
template <std::size_t Size, class... Values>
std::string formatted(const char (&format)[Size], Values... values) {
  std::array<char, 64> text{};
  const int size = std::snprintf(text.data(), text.size(), format, values...);
  return {text.data(), static_cast<std::size_t>(size)};
}

/// "2026-11-23T06:30:13.042Z"
inline std::string iso_8601(std::chrono::system_clock::time_point time) {
  const auto midnight = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(midnight);
  const auto ms = static_cast<int>(std::chrono::floor<Milliseconds>(time - midnight).count());
  return formatted("%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                   static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), ms / 3'600'000,
                   ms / 60'000 % 60, ms / 1000 % 60, ms % 1000);
}

/// Milliseconds since 1970, as JavaScript's Date.now().
inline std::int64_t unix_milliseconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<Milliseconds>(time.time_since_epoch()).count();
}

/// The record as one line of JSON, without a line end:
/// {"level":"info","message":"Client connected","socketId":"...","timestamp":"2026-11-23T..."}
inline std::string json_line(const LogRecord& record) {
  constexpr std::size_t longest = 1024;  // bytes of a text value, which a client may have sent
  std::string line = "{\"level\":";
  bytes::append_string(line, level_name(record.level));
  line += ",\"message\":";
  bytes::append_string(line, record.message);
  for (const auto& [name, value] : record.fields) {
    line += ',';
    bytes::append_string(line, name);
    line += ':';
    if (const auto* text = value.get_ptr<const std::string*>())
      bytes::append_string(line, std::string_view(*text).substr(0, longest));
    else line += value.dump(-1, ' ', false, json::error_handler_t::replace);
  }
  return line + ",\"timestamp\":\"" + iso_8601(record.time) + "\"}";
}

/// Statistics of the application's handlers. `calls`, `slow` and `sum` count outermost calls, and only if handlers are
/// timed (Options::slow_handler). `failed` counts all that threw.
struct HandlerTimes {
  std::uint64_t calls = 0, slow = 0, failed = 0;
  std::chrono::steady_clock::duration sum{};
};

/// A reference to a function object, for parameters. Unlike std::function, it never allocates. Valid until the end of
/// the statement that makes it.
class FunctionRef {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>) FunctionRef(F&& f)  // NOLINT: implicit on purpose
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
        call_([](void* object) { (*static_cast<std::remove_reference_t<F>*>(object))(); }) {}
  void operator()() const { call_(object_); }

 private:
  void* object_;
  void (*call_)(void*);
};

/// Which code of the application is called, for log records: the message if it throws, and a field that identifies it.
/// For a handler of a socket, also the socket's id and namespace. Valid only for the call.
struct Callee {
  std::string_view failed, field, value;
  std::string_view socket{}, nsp{};
};

/// The server's log, which also calls the application's code; see the beginning of the chapter. Exceptions of a sink or
/// a handler never leave it.
class Log {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// If `slow_handler` is 0, handlers are not timed.
  Log(LogLevel level, std::function<void(const LogRecord&)> sink, Milliseconds slow_handler = {})
      : level_(level), slow_handler_(slow_handler), sink_(std::move(sink)) {}

  bool enabled(LogLevel level) const { return level >= level_; }

  /// A record that the sink itself causes, or for which it throws, is dropped and counted.
  void write(LogLevel level, std::string_view message, Fields fields = {}) const {
    if (!enabled(level)) return;
    const LogRecord record{level, message, fields, std::chrono::system_clock::now()};
    const bool written = observe([&] {
      if (sink_) return sink_(record);
      const std::string line = json_line(record) + '\n';
      if (std::fwrite(line.data(), 1, line.size(), stderr) != line.size()) ++dropped_;
    });
    if (!written) ++dropped_;
  }

  /// Calls a sink of log or trace records; while it runs, observing() is true. Returns false if it threw, or if a sink
  /// is running already. An exception is logged if a callee is given.
  bool observe(FunctionRef sink, const Callee* callee = nullptr) const;

  /// The number of log records that were lost.
  std::uint64_t dropped() const { return dropped_; }
  const HandlerTimes& handlers() const { return handlers_; }

  /// Calls code of the application, then what was deferred meanwhile. Returns false if it threw, which is logged.
  bool call(const Callee& callee, FunctionRef f) const;

  /// Calls f: at once, or when busy() has become false.
  template <class F>
  void later(F f) const {
    if (!busy()) return f();
    deferred_.emplace_back(std::move(f));
  }
  /// Whether code of the application runs, or a Hold exists.
  bool busy() const { return depth_ > 0 || observing_; }
  /// Whether a sink runs. Closes that it requests must be deferred: its caller may be in the middle of a change.
  bool observing() const { return observing_; }
  /// Calls what later() has deferred, unless busy.
  void run_deferred() const {
    if (deferred_.empty() || busy() || std::exchange(running_deferred_, true)) return;
    run_all_deferred();
    running_deferred_ = false;
  }
  /// The same even if busy, for a server's destructor.
  void run_all_deferred() const;

  /// Defers handlers as long as it exists, so that they run after a change of several steps is complete.
  class Hold {
   public:
    explicit Hold(const Log& log) : log_(log) { ++log_.depth_; }
    ~Hold() {
      --log_.depth_;
      log_.run_deferred();
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    const Log& log_;
  };

 private:
  /// Calls f. Returns the text of the exception that it throws, if any.
  static std::optional<std::string> exception_of(FunctionRef f);
  void report_time(const Callee& callee, Time start) const;
  void report_failure(const Callee& callee, std::string_view what) const;
  void report(const Callee& callee, LogLevel level, std::string_view message, std::string_view name,
              std::string_view detail) const;

  static constexpr Rate failure_rate{100, 10};  // of log records, so that a failing handler cannot fill a disk
  LogLevel level_;
  Milliseconds slow_handler_;
  std::function<void(const LogRecord&)> sink_;
  // mutable, so that a const Log& is enough to log and to call handlers
  mutable std::uint64_t dropped_ = 0;
  mutable HandlerTimes handlers_;
  mutable Bucket failures_{failure_rate, Time()};
  mutable Time slow_reported_{};
  mutable std::deque<std::function<void()>> deferred_;
  mutable int depth_ = 0;  // running calls, and Holds
  mutable bool timing_ = false, observing_ = false, running_deferred_ = false;
};

#if SIO_DEMO_BODIES
SIO_DEMO_INLINE bool Log::call(const Callee& callee, FunctionRef f) const {
  const bool timed = slow_handler_.count() > 0 && !std::exchange(timing_, true);
  const Time start = timed ? std::chrono::steady_clock::now() : Time();
  ++depth_;
  const auto failure = exception_of(f);
  if (failure) report_failure(callee, *failure);
  if (timed) {
    timing_ = false;
    report_time(callee, start);
  }
  --depth_;
  run_deferred();
  return !failure;
}

SIO_DEMO_INLINE bool Log::observe(FunctionRef sink, const Callee* callee) const {
  if (std::exchange(observing_, true)) return false;
  const auto failure = exception_of(sink);
  observing_ = false;
  if (failure && callee) report_failure(*callee, *failure);
  return !failure;
}

SIO_DEMO_INLINE std::optional<std::string> Log::exception_of(FunctionRef f) {
  try {
    f();
    return std::nullopt;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "not a std::exception";
  }
}

SIO_DEMO_INLINE void Log::report_time(const Callee& callee, Time start) const {
  const Time now = std::chrono::steady_clock::now();
  ++handlers_.calls;
  handlers_.sum += now - start;
  if (now - start < slow_handler_) return;
  ++handlers_.slow;
  if (handlers_.slow > 1 && now - slow_reported_ < Seconds(1)) return;
  slow_reported_ = now;
  const auto time = std::chrono::duration_cast<Milliseconds>(now - start).count();
  report(callee, LogLevel::warn, "A handler is slow: nothing else runs meanwhile", "time",
         std::to_string(time) + " ms");
}

SIO_DEMO_INLINE void Log::report_failure(const Callee& callee, std::string_view what) const {
  ++handlers_.failed;
  if (failures_.spend(failure_rate, std::chrono::steady_clock::now())) return;
  report(callee, LogLevel::error, callee.failed, "error", what);
}

SIO_DEMO_INLINE void Log::report(const Callee& callee, LogLevel level, std::string_view message, std::string_view name,
                                 std::string_view detail) const {
  if (callee.nsp.empty()) return write(level, message, {{callee.field, callee.value}, {name, detail}});
  write(level, message,
        {{callee.field, callee.value}, {"socketId", callee.socket}, {"namespace", callee.nsp}, {name, detail}});
}

SIO_DEMO_INLINE void Log::run_all_deferred() const {
  while (!deferred_.empty()) {
    const auto next = std::move(deferred_.front());
    deferred_.pop_front();
    next();
  }
}
#endif  // SIO_DEMO_BODIES

/// A queue of log lines between the event loop and a thread of the application that writes them. If that thread blocks,
/// because a disk is full or a pipe is not read, lines are lost and the event loop goes on.
///
///     sio::LogQueue queue;                                       // outlives the server
///     options.log_sink = [&](const sio::LogRecord& record) { queue.push(sio::json_line(record) + '\n'); };
///     std::thread writer([&] { for (std::string lines; queue.take(lines);) std::cerr << lines; });
///
class LogQueue {
 public:
  /// At most `most` bytes are queued; further lines are lost. Default: 1 MiB.
  explicit LogQueue(std::size_t most = 1024 * 1024) : most_(most) {}

  /// Queues a line, which must include its line end. Throws std::runtime_error if a line was lost, this or an earlier
  /// one, once for each: the Log whose sink this is counts them. Any thread.
  void push(std::string_view line) {
    const std::lock_guard lock(mutex_);
    if (line.size() <= most_ - lines_.size()) {
      lines_ += line;
      filled_.notify_one();
    } else {
      ++lost_;
    }
    if (lost_ == 0) return;
    --lost_;
    throw std::runtime_error("a log line was lost: its writer does not keep up, or cannot write");
  }
  /// Waits for lines and takes all queued ones. Returns false once the queue is closed and empty. Any thread.
  bool take(std::string& lines) {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [&] { return closed_ || !lines_.empty(); });
    lines.clear();
    std::swap(lines, lines_);
    return !lines.empty();
  }
  /// Counts lines as lost that take() has returned and that could not be written. Any thread.
  void lost(std::string_view lines) {
    const std::lock_guard lock(mutex_);
    lost_ += static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n'));
  }
  /// Ends take() when the queue is empty. Any thread.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    filled_.notify_all();
  }

 private:
  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable filled_;
  std::string lines_;
  std::size_t lost_ = 0;
  bool closed_ = false;
};

// ================================================================================================
// 4  HTTP/1.1
//
// Engine.IO begins in HTTP (RFC 9112). This chapter has the readers of requests, the parts that responses share (status
// line, headers, dates, cookies, CORS), the client's address behind proxies, and the application's routes. The readers
// are incremental: they return `complete`, `more` or `malformed`. A request's header section is views into the input;
// its query and body are copies.
//
//     GET /socket.io/?EIO=4&transport=polling&t=w70ufd61 HTTP/1.1\r\n
//     Host: localhost:3000\r\n
//     \r\n
//
// The readers are strict where leniency allows request smuggling (RFC 9112, 2.2, 5, 6.1): lines end with CR LF, a colon
// has no space before it, and lines are not folded. At most one Content-Length is accepted, of digits only, and none
// together with Transfer-Encoding, which must be `chunked`. Only the query of the target is percent-decoded, after it
// was split at '&' and '='.
// ================================================================================================

enum class Progress : std::uint8_t { complete, more, malformed };

/// A reader's result. `size`: the bytes that a complete header section has consumed. `reason` and `why`: set if
/// malformed.
struct Parsed {
  Progress progress = Progress::more;
  std::size_t size = 0;
  Reason reason = Reason::malformed_request;
  const char* why = "";

  static Parsed complete(std::size_t size) { return {Progress::complete, size, Reason::malformed_request, ""}; }
  static Parsed more() { return {}; }
  static Parsed malformed(const char* why, Reason reason = Reason::malformed_request) {
    return {Progress::malformed, 0, reason, why};
  }
};

namespace websocket {
struct Handlers;  // chapter 6
}

namespace http {

struct Header {
  std::string_view name, value;
};

/// Removes the next line from the front of a request's header lines. If it has no colon, the result is empty.
inline Header next_header(std::string_view& lines) {
  const auto line = lines.substr(0, lines.find("\r\n"));
  lines.remove_prefix((std::min)(lines.size(), line.size() + 2));
  const auto colon = line.find(':');
  if (colon == line.npos) return {};
  return {line.substr(0, colon), bytes::trim(line.substr(colon + 1))};
}

/// The value of the first header with this name, ignoring case; empty if there is none.
inline std::string_view find_header(std::string_view lines, std::string_view name) {
  while (!lines.empty())
    if (const auto header = next_header(lines); bytes::equal_ignoring_case(header.name, name)) return header.value;
  return {};
}

/// Percent-decodes one key or value of a URL query: '+' becomes a space, an invalid escape stays as it is.
inline std::string percent_decode(std::string_view in) {
  std::string out;
  out.reserve(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    const auto byte = in[i] == '%' && in.size() - i > 2 ? bytes::whole_number(in.substr(i + 1, 2), 16) : std::nullopt;
    out += byte ? static_cast<char>(*byte) : in[i] == '+' ? ' ' : in[i];
    if (byte) i += 2;
  }
  return out;
}

/// Decoded query parameters, in their order. For a repeated key, find() returns the last value.
struct Query {
  std::vector<std::pair<std::string, std::string>> parameters;

  /// Returns false if there are more than `limit` parameters.
  bool read(std::string_view text, std::size_t limit) {
    parameters.clear();
    while (!text.empty()) {
      const std::string_view pair = text.substr(0, text.find('&'));
      text.remove_prefix((std::min)(text.size(), pair.size() + 1));
      if (pair.empty()) continue;
      if (parameters.size() == limit) return false;
      const auto equals = pair.find('=');
      parameters.emplace_back(percent_decode(pair.substr(0, equals)),
                              equals == pair.npos ? std::string() : percent_decode(pair.substr(equals + 1)));
    }
    return true;
  }

  const std::string* find(std::string_view key) const {
    for (auto p = parameters.rbegin(); p != parameters.rend(); ++p)
      if (p->first == key) return &p->second;
    return nullptr;
  }
  /// The value, or "" if the key is absent.
  std::string_view operator[](std::string_view key) const {
    const auto* value = find(key);
    return value ? std::string_view(*value) : std::string_view();
  }
};

/// A request. Its views are valid only while the handler that gets it runs.
struct Request {
  std::string_view method;      // "GET"
  std::string_view target;      // as received: "/socket.io/?EIO=4"
  std::string_view path;        // the target up to '?', not decoded
  std::string_view query_text;  // between '?' and '#', not decoded
  std::string_view head;        // the header lines as received
  std::string_view whole_head;  // from the request line to the blank line; a copy of it can be parsed again
  int minor = 1;                // HTTP/1.minor
  std::vector<Header> headers;
  Query query;
  std::string_view body;  // of a request to a route; otherwise empty
  std::string address;    // the client's, see ClientAddress

  /// The value of the first header with this name, ignoring case; nullptr if there is none.
  const std::string_view* find(std::string_view name) const {
    for (const Header& header : headers)
      if (bytes::equal_ignoring_case(header.name, name)) return &header.value;
    return nullptr;
  }
  std::string_view header(std::string_view name) const {
    const auto* value = find(name);
    return value ? *value : std::string_view();
  }
  std::size_t count(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(
        headers.begin(), headers.end(), [&](const Header& h) { return bytes::equal_ignoring_case(h.name, name); }));
  }
  /// Whether a header that is a list contains this token, in any of its lines (RFC 9110, 5.3).
  bool lists(std::string_view name, std::string_view token) const {
    return std::any_of(headers.begin(), headers.end(), [&](const Header& h) {
      return bytes::equal_ignoring_case(h.name, name) && bytes::has_token(h.value, token);
    });
  }
  bool keep_alive() const { return minor == 0 ? lists("connection", "keep-alive") : !lists("connection", "close"); }
  /// Whether the client asks to change to another protocol (RFC 9110, 7.8).
  bool upgrade() const { return find("upgrade") && lists("connection", "upgrade"); }
};

/// Whether a text is a token (RFC 9110, 5.6.2), such as a header's name.
inline bool is_token(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return bytes::is_alnum_or(c, "!#$%&'*+-.^_`|~"); });
}

/// Whether a text can be a header's value: it has no control characters except tabs.
inline bool is_field_value(std::string_view text) {
  for (;;) {
    text.remove_prefix(bytes::prefix_without(text, '\x7f', '\x7f'));
    if (text.empty()) return true;
    if (text.front() != '\t') return false;
    text.remove_prefix(1);
  }
}

/// Reads a request's header section: the request line and the header lines. Each byte is searched only once, even if
/// they arrive one by one. An invalid request line is refused without waiting for the header lines.
class HeadReader {
 public:
  /// `in` must be the same request as in the last call, with more bytes. When complete, `out` has views into it.
  Parsed read(std::string_view in, const HttpLimits& limits, Request& out) {
    const bool was_begun = begun_;
    for (;;) {
      if (!begun_ && start_ < in.size() && in[start_] != '\r' && !is_token(in.substr(start_, 1)))
        return Parsed::malformed("the request does not begin with a method");
      const auto lf = in.find('\n', searched_);
      searched_ = (std::min)(lf, in.size());
      if (!begun_ && limits.request_line < limits.header_bytes && searched_ - start_ > limits.request_line)
        return Parsed::malformed("the request line is too long", Reason::request_line_too_long);
      if (searched_ + (lf != in.npos) - start_ > limits.header_bytes)
        return Parsed::malformed("the request's header section is too large", Reason::headers_too_large);
      if (lf == in.npos) break;
      auto line = in.substr(line_, lf - line_);
      searched_ = line_ = lf + 1;
      if (!line.ends_with('\r')) return Parsed::malformed("a line of the request's header section ends without CR");
      line.remove_suffix(1);
      if (!is_field_value(line)) return Parsed::malformed("a control character in the request's header section");
      if (!line.empty()) {
        begun_ = true;
      } else if (begun_) {
        out.whole_head = in.substr(start_, line_ - start_);
        *this = HeadReader();
        const auto parsed = parse(out.whole_head.substr(0, out.whole_head.size() - 2), limits, out);
        return parsed.progress == Progress::complete ? Parsed::complete(lf + 1) : parsed;
      } else {  // blank lines before a request are skipped (RFC 9112, 2.2)
        start_ = line_;
        if (start_ > 16) return Parsed::malformed("too many blank lines before a request");
      }
    }
    if (!begun_ || was_begun) return Parsed::more();
    Request ignored;  // checks the request line, so that another protocol is refused at once, not after a timeout
    const auto line = request_line(in.substr(start_, in.find('\r', start_) - start_), ignored);
    return line.progress == Progress::malformed ? line : Parsed::more();
  }

 private:
  static Parsed parse(std::string_view head, const HttpLimits& limits, Request& out) {
    const auto end = head.find("\r\n");
    if (auto line = request_line(head.substr(0, end), out); line.progress != Progress::complete) return line;
    out.headers.clear();
    out.head = head.substr(end + 2);
    for (auto rest = out.head; !rest.empty();) {
      const Header header = next_header(rest);
      if (!is_token(header.name)) return Parsed::malformed("a header line has no valid name");
      if (out.headers.size() == limits.headers)
        return Parsed::malformed("the request has too many headers", Reason::headers_too_large);
      out.headers.push_back(header);
    }
    const std::size_t hosts = out.count("host");
    const auto host = out.header("host");
    if (hosts > 1 || (hosts == 0 && out.minor == 1))
      return Parsed::malformed("the request does not have exactly one Host");
    if (hosts == 1 && (host.empty() || host.find_first_of("/@ ,") != host.npos))
      return Parsed::malformed("the Host header is malformed");
    return Parsed::complete(0);
  }

  static Parsed request_line(std::string_view line, Request& out) {
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == line.npos || first == last) return Parsed::malformed("the request line does not have three parts");
    out.method = line.substr(0, first);
    out.target = line.substr(first + 1, last - first - 1);
    const auto version = line.substr(last + 1);
    const auto methods = {"GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT"};
    if (std::find(methods.begin(), methods.end(), out.method) == methods.end())
      return Parsed::malformed("the method is unknown");
    const auto plain = [](char c) { return c > ' ' && c < 0x7f; };
    if (out.target.empty() || !std::all_of(out.target.begin(), out.target.end(), plain))
      return Parsed::malformed("the request target is malformed");
    if (version.size() != 8 || version.substr(0, 5) != "HTTP/")
      return Parsed::malformed("the HTTP version is malformed");
    if (version.substr(5, 2) != "1." || (version[7] != '0' && version[7] != '1'))
      return Parsed::malformed("the HTTP version is neither 1.0 nor 1.1", Reason::version_not_supported);
    out.minor = version[7] - '0';
    out.path = out.target.substr(0, out.target.find('?'));
    out.query_text = out.target.substr((std::min)(out.path.size() + 1, out.target.size()));
    out.query_text = out.query_text.substr(0, out.query_text.find('#'));
    return Parsed::complete(0);
  }

  std::size_t searched_ = 0;  // bytes searched for a line's end
  std::size_t start_ = 0;     // where the request line begins
  std::size_t line_ = 0;      // where the incomplete line begins
  bool begun_ = false;        // whether the request line is complete
};

/// Reads a body framed by Content-Length or chunked (RFC 9112, 6 and 7.1). A body beyond the limit is consumed but not
/// stored, so that the connection stays usable.
class BodyReader {
 public:
  /// Begins the body of this request, of at most `limit` bytes. `overhead`: HttpLimits::chunk_overhead.
  Parsed begin(const Request& request, std::size_t limit, std::size_t overhead) {
    *this = BodyReader();
    limit_ = limit;
    overhead_ = overhead;
    const std::size_t lengths = request.count("content-length");
    if (const auto* coding = request.find("transfer-encoding")) {
      if (lengths > 0) return Parsed::malformed("both Content-Length and Transfer-Encoding");
      if (request.count("transfer-encoding") > 1 || !bytes::equal_ignoring_case(*coding, "chunked") ||
          request.minor == 0)
        return Parsed::malformed("a transfer coding other than chunked");
      state_ = State::chunk_size;
      return Parsed::complete(0);
    }
    if (lengths == 0) return Parsed::complete(0);
    const auto length = bytes::whole_number(request.header("content-length"));
    if (lengths > 1 || !length || *length > (std::numeric_limits<std::uint64_t>::max)() / 2)
      return Parsed::malformed("a malformed Content-Length");
    left_ = *length;
    state_ = left_ > 0 ? State::data : State::done;
    too_large_ = left_ > limit_;
    return Parsed::complete(0);
  }

  /// Removes bytes of the body from the front of `in`, until the body is complete.
  Parsed read(std::string_view& in) {
    while (state_ != State::done) {
      if (in.empty()) return Parsed::more();
      if (state_ == State::data || state_ == State::chunk_data) take_data(in);
      else if (const char* why = take_framing(in)) return Parsed::malformed(why);
    }
    return Parsed::complete(0);
  }

  /// Consumes the rest of the body without storing it, as if it were too large.
  void discard() { too_large_ = true; }
  bool done() const { return state_ == State::done; }
  bool too_large() const { return too_large_; }
  std::string& body() { return body_; }

 private:
  // Chunked framing: SIZE [;extension] CRLF data CRLF ... 0 CRLF [trailers] CRLF
  enum class State : std::uint8_t { done, data, chunk_size, chunk_data, chunk_end, trailer };

  void take_data(std::string_view& in) {
    const auto size = static_cast<std::size_t>((std::min)(std::uint64_t{in.size()}, left_));
    if (body_.size() + size > limit_) too_large_ = true;
    if (too_large_) body_ = std::string();
    else body_ += in.substr(0, size);
    in.remove_prefix(size);
    data_ += size;
    left_ -= size;
    if (left_ == 0) state_ = state_ == State::data ? State::done : State::chunk_end;
  }

  /// Reads one byte of a framing line. Only the beginning of a line is kept: extensions and trailers are ignored.
  const char* take_framing(std::string_view& in) {
    if (++framing_ > overhead_ + data_ / 64 * 8) return "too much chunk framing";
    const char c = in.front();
    in.remove_prefix(1);
    // LF must follow CR, and nothing else may.
    if (std::exchange(after_cr_, c == '\r') != (c == '\n')) return "a line of chunked framing does not end with CR LF";
    if (c == '\n') return framing_line(std::exchange(line_, {}));
    if (c != '\r' && line_.size() <= most_digits) line_ += c;
    return nullptr;
  }

  const char* framing_line(std::string_view line) {
    if (state_ == State::chunk_size) {
      const auto digits = line.substr(0, line.find(';'));
      const auto size = digits.size() <= most_digits ? bytes::whole_number(digits, 16) : std::nullopt;
      if (!size) return "a malformed chunk size";
      left_ = *size;
      if (left_ > limit_ - (std::min)(limit_, body_.size())) discard();  // refused before the data arrives
      state_ = left_ > 0 ? State::chunk_data : State::trailer;
    } else if (state_ == State::chunk_end) {
      state_ = State::chunk_size;
      if (!line.empty()) return "a chunk does not end with CR LF";
    } else if (line.empty()) {
      state_ = State::done;
    }
    return nullptr;
  }

  static constexpr std::size_t most_digits = 15;  // of a chunk's size
  State state_ = State::done;
  bool too_large_ = false, after_cr_ = false;
  std::size_t limit_ = 0, overhead_ = 0, framing_ = 0, data_ = 0;
  std::uint64_t left_ = 0;
  std::string line_, body_;
};

/// The response of a route. Headers that frame the message, and those with control characters, are not sent.
struct Response {
  std::uint16_t status = 200;
  std::string type{};  // Content-Type; empty: none
  std::string body{};
  Headers headers{};
};

constexpr std::string_view status_text(std::uint16_t status) {
  switch (status) {
    case 200: return "OK";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Payload Too Large";
    case 414: return "URI Too Long";
    case 417: return "Expectation Failed";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return status < 300 ? "OK" : status < 400 ? "Redirection" : "Error";
  }
}

/// Appends "HTTP/1.1 404 Not Found" and CR LF.
inline void append_status_line(std::string& out, std::uint16_t status) {
  bytes::append(out, {"HTTP/1.1 ", std::to_string(status), " ", status_text(status), "\r\n"});
}

/// Appends "Name: value" and CR LF, or nothing if the name or the value could add another header.
inline void append_header(std::string& out, std::string_view name, std::string_view value) {
  if (is_token(name) && is_field_value(value)) bytes::append(out, {name, ": ", value, "\r\n"});
}

/// Whether only the server may write this header: it frames the message or controls the connection.
inline bool is_framing(std::string_view name) {
  constexpr std::array<std::string_view, 6> names{"connection", "content-length",    "date",
                                                  "keep-alive", "transfer-encoding", "upgrade"};
  return bytes::equal_ignoring_case(name.substr(0, 14), "sec-websocket-") ||
         std::any_of(names.begin(), names.end(),
                     [&](std::string_view other) { return bytes::equal_ignoring_case(name, other); });
}

/// Appends the application's headers, except those of is_framing() and, if `typed`, Content-Type.
inline void append_headers(std::string& out, const Headers& headers, bool typed) {
  for (const auto& [name, value] : headers)
    if (!is_framing(name) && !(typed && bytes::equal_ignoring_case(name, "content-type")))
      append_header(out, name, value);
}

/// "Mon, 23 Nov 2026 06:30:13 GMT" (RFC 9110, 5.6.7), in English whatever the locale is.
inline std::string http_date(std::chrono::system_clock::time_point time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const auto month = static_cast<unsigned>(std::chrono::year_month_day(day).month());
  const std::string iso = iso_8601(time);
  return formatted("%.3s, %.2s %.3s %.4s %.8s GMT",
                   &"SunMonTueWedThuFriSat"[3 * std::chrono::weekday(day).c_encoding()], iso.data() + 8,
                   &"JanFebMarAprMayJunJulAugSepOctNovDec"[3 * (month - 1)], iso.data(), iso.data() + 11);
}

/// "Mon Nov 23 2026 06:30:13 GMT+0000 (Coordinated Universal Time)", as JavaScript prints a Date.
inline std::string javascript_date(std::chrono::system_clock::time_point time) {
  const std::string date = http_date(time);
  return formatted("%.3s %.3s %.2s", date.data(), date.data() + 8, date.data() + 5) + date.substr(11) +
         "+0000 (Coordinated Universal Time)";
}

// ---- cookies and versions

/// Why these options are invalid, or nullptr. Certain characters in a name, path or domain could add attributes or
/// other cookies (RFC 6265, 4.1.1; CVE-2024-47764).
inline const char* cookie_fault(const CookieOptions& cookie) {
  using Texts = std::set<std::string_view>;
  const auto in_path = [](char c) { return c >= ' ' && c < 0x7f && c != ';'; };
  const auto in_domain = [](char c) { return bytes::is_alnum_or(c, ".-"); };
  if (!is_token(cookie.name)) return "the cookie's name is not a token (RFC 6265, 4.1.1)";
  if (!std::all_of(cookie.path.begin(), cookie.path.end(), in_path))
    return "the cookie's path holds a ';' or characters other than ASCII";
  if (!std::all_of(cookie.domain.begin(), cookie.domain.end(), in_domain))
    return "the cookie's domain is not a host name";
  if (!Texts{"", "Strict", "Lax", "None"}.contains(cookie.same_site))
    return "the cookie's same_site is not \"Strict\", \"Lax\", \"None\" or \"\"";
  if (!cookie.secure && (cookie.partitioned || cookie.same_site == "None"))
    return "browsers accept a cookie that is partitioned, or of same_site \"None\", only if it is secure";
  if (!Texts{"", "Low", "Medium", "High"}.contains(cookie.priority))
    return "the cookie's priority is not \"Low\", \"Medium\", \"High\" or \"\"";
  return nullptr;
}

/// The value of Set-Cookie, with attributes in the official server's order. `value` is not escaped.
inline std::string cookie_text(const CookieOptions& cookie, std::string_view value) {
  std::string out = cookie.name + "=" + std::string(value);
  const auto add = [&](bool given, std::string_view name, std::string_view text = {}) {
    if (given) bytes::append(out, {"; ", name, text});
  };
  add(cookie.max_age.has_value(), "Max-Age=", std::to_string(cookie.max_age.value_or(Seconds(0)).count()));
  add(!cookie.domain.empty(), "Domain=", cookie.domain);
  add(!cookie.path.empty(), "Path=", cookie.path);
  if (cookie.expires) add(true, "Expires=", http_date(*cookie.expires));
  add(cookie.http_only, "HttpOnly");
  add(cookie.secure, "Secure");
  add(cookie.partitioned, "Partitioned");
  add(!cookie.priority.empty(), "Priority=", cookie.priority);
  add(!cookie.same_site.empty(), "SameSite=", cookie.same_site);
  return out;
}

/// An entity tag (RFC 9110, 8.8.3): a hash of the contents.
inline std::string entity_tag(std::string_view contents) {
  return '"' + bytes::base64_encode(bytes::sha1(contents)) + '"';
}

/// Whether If-None-Match contains this tag: the client has the contents already (RFC 9110, 13.1.2).
inline bool etag_matches(const Request& request, std::string_view tag) {
  return bytes::any_part(request.header("if-none-match"), ',', [&](std::string_view candidate) {
    if (candidate.starts_with("W/")) candidate.remove_prefix(2);
    return candidate == tag || candidate == "*";
  });
}

// ---- CORS (Fetch standard, 3.2). Browsers enforce it for HTTP requests; the server only sends the headers.

inline bool origin_listed(const CorsOptions& cors, std::string_view origin) {
  return std::any_of(cors.origins.begin(), cors.origins.end(),
                     [&](const std::string& allowed) { return allowed == "*" || allowed == origin; });
}

inline std::string joined(const std::vector<std::string>& names) {
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ",") + name;
  return list;
}

/// The CORS header lines of a response to this Origin ("" if the request has none), or to a preflight request.
inline std::string cors_headers(const CorsOptions& cors, std::string_view origin, const Request* preflight = nullptr) {
  std::string out;
  if (!cors.on()) return out;
  const bool any = cors.origins.front() == "*", echo = preflight && cors.allowed_headers.empty();
  if (any) out += "Access-Control-Allow-Origin: *\r\n";
  else if (origin_listed(cors, origin)) append_header(out, "Access-Control-Allow-Origin", origin);
  if (!any) out += echo ? "Vary: Origin, Access-Control-Request-Headers\r\n" : "Vary: Origin\r\n";
  if (cors.credentials) out += "Access-Control-Allow-Credentials: true\r\n";
  if (preflight) {
    out += "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE\r\n";
    if (echo && any) out += "Vary: Access-Control-Request-Headers\r\n";
    const auto allowed =
        echo ? std::string(preflight->header("access-control-request-headers")) : joined(cors.allowed_headers);
    if (!allowed.empty()) append_header(out, "Access-Control-Allow-Headers", allowed);
    if (cors.max_age.count() > 0) append_header(out, "Access-Control-Max-Age", std::to_string(cors.max_age.count()));
  }
  if (!cors.exposed_headers.empty()) append_header(out, "Access-Control-Expose-Headers", joined(cors.exposed_headers));
  return out;
}

/// Whether a request may open a WebSocket. Browsers do not apply CORS to WebSockets, so without this check any page
/// could open one with the user's cookies (cross-site WebSocket hijacking). Allowed are the configured origins, pages
/// of this host, and requests without an Origin, which do not come from browsers.
inline bool websocket_origin_allowed(const CorsOptions& cors, const Request& request) {
  const auto* origin = request.find("origin");
  if (!cors.on() || !origin) return true;
  if (request.count("origin") > 1) return false;
  if (origin_listed(cors, *origin)) return true;
  const auto scheme = origin->find("://");
  return scheme != origin->npos && bytes::equal_ignoring_case(origin->substr(scheme + 3), request.header("host"));
}

// ---- the client's address

/// An IPv4 or IPv6 address as 16 bytes. IPv4 is mapped (::ffff:a.b.c.d), so that both are compared alike.
struct Address {
  std::array<std::uint8_t, 16> bytes{};

  Address() = default;
  Address(const asio::ip::address& from)  // NOLINT: implicit on purpose
      : bytes((from.is_v6() ? from.to_v6() : asio::ip::make_address_v6(asio::ip::v4_mapped, from.to_v4())).to_bytes()) {
  }

  bool v4() const { return asio::ip::address_v6(bytes).is_v4_mapped(); }

  /// Parses forms such as "203.0.113.7", "203.0.113.7:80", "2001:db8::1", "[2001:db8::1]:80", "::ffff:1.2.3.4" and
  /// "fe80::1%eth0". Port and zone are ignored.
  static std::optional<Address> parse(std::string_view text) {
    if (text.size() > 64) return std::nullopt;
    std::string_view port;
    if (text.starts_with('[')) {
      const auto end = text.find(']');
      if (end == text.npos) return std::nullopt;
      port = text.substr(end + 1);
      text = text.substr(1, end - 1);
    } else if (std::count(text.begin(), text.end(), ':') == 1) {
      port = text.substr(text.find(':'));
      text.remove_suffix(port.size());
    }
    if (!port.empty() && (port[0] != ':' || bytes::whole_number(port.substr(1)).value_or(65536) > 65535))
      return std::nullopt;
    text = text.substr(0, text.find('%'));
    if (text.find_first_not_of("0123456789abcdefABCDEF:.") != text.npos) return std::nullopt;
    std::error_code malformed;
    const auto address = asio::ip::make_address(text, malformed);
    return malformed ? std::nullopt : std::optional<Address>(address);
  }

  std::string to_string() const {
    const asio::ip::address_v6 address(bytes);
    return v4() ? asio::ip::make_address_v4(asio::ip::v4_mapped, address).to_string() : address.to_string();
  }

  /// The key for limits by address: the IPv4 address or the IPv6 /64, which one customer usually gets.
  std::string limit_key() const {
    if (v4()) return to_string();
    Address network = *this;
    std::fill(network.bytes.begin() + 8, network.bytes.end(), std::uint8_t{0});
    return network.to_string() + "/64";
  }
};

/// A range of addresses.
struct Network {
  Address base;
  unsigned bits = 128;  // length of the common prefix

  /// Parses forms such as "10.0.0.0/8" and "::1".
  static std::optional<Network> parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto base = Address::parse(text.substr(0, slash));
    if (!base) return std::nullopt;
    const unsigned widest = base->v4() ? 32 : 128;
    const auto bits =
        slash == text.npos ? std::optional<std::uint64_t>(widest) : bytes::whole_number(text.substr(slash + 1));
    if (!bits || *bits > widest) return std::nullopt;
    return Network{*base, static_cast<unsigned>(*bits) + 128 - widest};
  }

  bool contains(const Address& address) const {
    for (unsigned bit = 0; bit < bits; ++bit) {
      const unsigned mask = 0x80u >> bit % 8;
      if ((address.bytes[bit / 8] & mask) != (base.bytes[bit / 8] & mask)) return false;
    }
    return true;
  }
};

/// Finds the client's address: the peer's or, if that is a trusted proxy, the right-most entry of X-Forwarded-For that
/// is not a trusted proxy. The client can forge the entries left of it. An entry that is not an address ends the
/// search.
class ClientAddress {
 public:
  /// Throws std::invalid_argument for a text that is not a network.
  explicit ClientAddress(const std::vector<std::string>& trusted) {
    for (const auto& text : trusted) {
      const auto network = Network::parse(text);
      if (!network)
        throw std::invalid_argument("trusted proxy \"" + text + "\" is not a network: write it as 10.0.0.0/8 or ::1");
      trusted_.push_back(*network);
    }
  }

  std::string of(std::string_view peer, const Request& request) const {
    auto client = Address::parse(peer);
    if (!client) return std::string(peer);
    constexpr std::size_t most_hops = 32;
    std::size_t hops = 0;
    for (auto h = request.headers.rbegin(); h != request.headers.rend(); ++h) {
      if (h->value.empty() || !bytes::equal_ignoring_case(h->name, "x-forwarded-for")) continue;
      auto rest = h->value;
      for (std::size_t comma = 0; comma != rest.npos; rest = rest.substr(0, comma)) {
        if (!trusts(*client) || ++hops > most_hops) return client->to_string();
        comma = rest.rfind(',');
        const auto hop = Address::parse(bytes::trim(rest.substr(comma + 1)));  // npos + 1 is 0: the whole rest
        if (!hop) return client->to_string();
        client = hop;
      }
    }
    return client->to_string();
  }

  bool trusts(const Address& address) const {
    return std::any_of(trusted_.begin(), trusted_.end(), [&](const Network& n) { return n.contains(address); });
  }
  /// The key of this address for limits by address; empty if it is a trusted proxy, which is not limited.
  std::string limit_key(std::string_view address) const {
    const auto parsed = Address::parse(address);
    if (!parsed) return std::string(address);
    return trusts(*parsed) ? std::string() : parsed->limit_key();
  }

 private:
  std::vector<Network> trusted_;
};

/// The application's routes, by exact path and method. A handler of GET also serves HEAD. Routes take precedence over
/// Engine.IO's path. Registering a route again replaces its handler.
class Router {
 public:
  using Handler = std::function<Response(const Request&)>;

  Router& get(std::string path, Handler handler) { return add("GET", std::move(path), std::move(handler)); }
  Router& post(std::string path, Handler handler) { return add("POST", std::move(path), std::move(handler)); }
  /// Serves these contents from memory, with an entity tag: a client that has them already gets 304.
  Router& file(std::string path, const std::string& type, std::string contents) {
    const std::string tag = entity_tag(contents);
    return get(std::move(path),
               [type, tag, shared = std::make_shared<const std::string>(std::move(contents))](const Request& request) {
                 if (etag_matches(request, tag)) return Response{304, {}, {}, {{"ETag", tag}}};
                 return Response{200, type, *shared, {{"ETag", tag}}};
               });
  }
  /// Serves WebSockets without Engine.IO on this path; see websocket::Socket.
  Router& websocket(std::string path, websocket::Handlers handlers);

  /// The handler. If it is null, the reason is not_found or method_not_allowed.
  std::pair<const Handler*, Reason> find(std::string_view method, std::string_view path) const {
    const auto route = routes_.find(path);
    if (route == routes_.end()) return {nullptr, Reason::not_found};
    const auto handler = route->second.find(method == "HEAD" ? "GET" : method);
    if (handler == route->second.end()) return {nullptr, Reason::method_not_allowed};
    return {&handler->second, Reason::not_found};
  }
  /// The handlers for WebSockets on this path, or null.
  std::shared_ptr<const websocket::Handlers> find_websocket(std::string_view path) const {
    const auto found = websockets_.find(path);
    return found == websockets_.end() ? nullptr : found->second;
  }
  /// Whether there is a route for the path and method of this request, or for its WebSocket.
  bool serves(const Request& request) const {
    return request.upgrade() ? find_websocket(request.path) != nullptr
                             : find(request.method, request.path).first != nullptr;
  }

 private:
  Router& add(std::string_view method, std::string path, Handler handler) {
    routes_[std::move(path)].insert_or_assign(std::string(method), std::move(handler));
    return *this;
  }

  StringMap<StringMap<Handler>> routes_;
  StringMap<std::shared_ptr<const websocket::Handlers>> websockets_;
};

}  // namespace http

// ================================================================================================
// 5  WebSocket
//
// RFC 6455: a handshake in HTTP, then frames. A client's frame with the text "2probe":
//
//     81        FIN, opcode 1 (text)
//     86        MASK, length 6
//     37fa213d  masking key
//     05..      6 bytes, each XOR key[i % 4]
//
//     length 0..125: in the second byte; 126: two more bytes; 127: eight more bytes (5.2)
//
// The reader unmasks in place and returns one event at a time: a complete message, joined from its fragments, a control
// frame, or a violation with a reason that has a close code (7.4.1). It checks a frame's header before the payload
// arrives, and allocates memory only for bytes that have arrived. Extensions are not negotiated (9), so any RSV bit is
// a violation. The server's frames are not masked (5.1) and not fragmented.
// ================================================================================================

namespace websocket {

enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// The value of Sec-WebSocket-Accept for a Sec-WebSocket-Key (4.2.2).
inline std::string accept_key(std::string_view key) {
  return bytes::base64_encode(bytes::sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
}

/// The response to an invalid handshake; status 0 if it is valid. The texts are those of the official server.
struct Refusal {
  std::uint16_t status = 0;
  std::string_view text{};
  std::string_view headers = "Content-Type: text/html\r\n";
};

inline Refusal check_handshake(const http::Request& request) {
  if (request.method != "GET") return {405, "Invalid HTTP method"};
  if (!bytes::equal_ignoring_case(request.header("upgrade"), "websocket")) return {400, "Invalid Upgrade header"};
  const auto key = request.header("sec-websocket-key");
  if (key.size() != 24 || !key.ends_with("==") ||
      !std::all_of(key.begin(), key.end() - 2, [](char c) { return bytes::is_alnum_or(c, "+/"); }))
    return {400, "Missing or invalid Sec-WebSocket-Key header"};
  const auto version = request.header("sec-websocket-version");
  if (version != "13" && version != "8")
    return {400, "Missing or invalid Sec-WebSocket-Version header",
            "Content-Type: text/html\r\nSec-WebSocket-Version: 13, 8\r\n"};
  std::set<std::string_view> seen;
  const auto invalid = [&](std::string_view protocol) {
    return !http::is_token(protocol) || !seen.insert(protocol).second;
  };
  const auto* protocols = request.find("sec-websocket-protocol");
  if (protocols && bytes::any_part(*protocols, ',', invalid)) return {400, "Invalid Sec-WebSocket-Protocol header"};
  return {};
}

/// The 101 response to a valid handshake. Of the offered subprotocols, it selects the first one.
inline std::string handshake_response(const http::Request& request, std::string_view cors) {
  std::string out = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  http::append_header(out, "Sec-WebSocket-Accept", accept_key(request.header("sec-websocket-key")));
  const auto protocols = request.header("sec-websocket-protocol");
  if (!protocols.empty())
    http::append_header(out, "Sec-WebSocket-Protocol", bytes::trim(protocols.substr(0, protocols.find(','))));
  bytes::append(out, {cors, "\r\n"});
  return out;
}

constexpr std::size_t longest_header = 10;  // of an unmasked frame

/// Writes the header of a server's frame and returns its size, at most longest_header.
inline std::size_t frame_header(char* out, Opcode opcode, std::size_t size) {
  const auto put = [&](std::size_t at, std::size_t value) { out[at] = static_cast<char>(value & 0xff); };
  put(0, 0x80u | static_cast<std::size_t>(opcode));
  if (size < 126) {
    put(1, size);
    return 2;
  }
  const std::size_t width = size < 65536 ? 2 : 8;
  put(1, width == 2 ? 126 : 127);
  for (std::size_t i = 0; i < width; ++i) put(2 + i, static_cast<std::uint64_t>(size) >> 8 * (width - 1 - i));
  return 2 + width;
}

/// A whole frame with a copy of the payload, for control frames.
inline std::string frame(Opcode opcode, std::string_view payload) {
  std::array<char, longest_header> header{};
  const std::size_t size = frame_header(header.data(), opcode, payload.size());
  return std::string(header.data(), size).append(payload);
}

/// The payload of a close frame, empty for code 0, which clients report as 1005. The text is cut to valid UTF-8 of 123
/// bytes, because a control frame has at most 125 (5.5).
inline std::string close_payload(std::uint16_t code, std::string_view text = {}) {
  if (code == 0) return {};
  text = text.substr(0, 123);
  return std::string{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)}.append(
      text.substr(0, bytes::utf8_valid_prefix(text)));
}

/// Whether a close frame may have this code (7.4).
constexpr bool close_code_valid(unsigned code) {
  return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
         (code >= 3000 && code <= 4999);
}

/// XORs the data with the masking key of 4 bytes, eight bytes at a time.
inline void unmask(char* data, std::size_t size, const char* key) {
  std::array<char, 8> doubled;
  std::memcpy(doubled.data(), key, 4);
  std::memcpy(doubled.data() + 4, key, 4);
  std::uint64_t mask = 0;
  std::memcpy(&mask, doubled.data(), 8);
  std::size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data + i, 8);
    word ^= mask;
    std::memcpy(data + i, &word, 8);
  }
  for (; i < size; ++i) data[i] = static_cast<char>(data[i] ^ key[i % 4]);
}

/// A reader's result. `more`: the next frame is incomplete. `reason` and `why`: set for a violation.
struct Event {
  enum class Kind : std::uint8_t { more, text, binary, ping, pong, close, violation };
  Kind kind = Kind::more;
  std::string_view payload{};  // valid until the next call, or until the input's memory changes
  Reason reason = Reason::frame_malformed;
  const char* why = "";
};

/// Reads a connection's frames and joins fragments to messages. It allocates memory only for fragments.
class Reader {
 public:
  explicit Reader(const Options& options) : options_(options) {}

  /// Removes frames from the front of `in` until they make one event, and unmasks them in place. With `more`, the rest
  /// of `in` is an incomplete frame. After a violation the connection must be closed.
  Event next(std::span<char>& in) {
    if (fragments_ && fragments_->complete) fragments_.reset();
    for (;;) {
      Frame frame;
      if (const Event event = read_header(in, frame); event.kind == Event::Kind::violation) return event;
      if (frame.header == 0 || in.size() - frame.header < frame.size) return {};
      char* payload = in.data() + frame.header;
      unmask(payload, frame.size, payload - 4);
      in = in.subspan(frame.header + frame.size);
      const Event event = event_of(frame, {payload, frame.size});
      if (event.kind != Event::Kind::more) return event;
    }
  }
  /// The memory of fragments, in bytes.
  std::size_t held() const { return fragments_ ? fragments_->message.capacity() : 0; }

 private:
  struct Frame {
    std::size_t header = 0, size = 0;  // bytes of header and payload; header is 0 while it is incomplete
    Opcode opcode = Opcode::text;
    bool last = false;
  };

  static Event violation(Reason reason, const char* why) { return {Event::Kind::violation, {}, reason, why}; }

  /// The rule that a frame's first two bytes violate, or nullptr.
  const char* header_fault(unsigned first, unsigned second) const {
    const auto opcode = static_cast<Opcode>(first & 15);
    if (first & 0x70) return "a reserved bit is set (RFC 6455, 5.2)";
    if ((first & 7) > 2) return "an unknown opcode (RFC 6455, 5.2)";
    if (!(second & 0x80)) return "a frame is not masked (RFC 6455, 5.1)";
    if (opcode >= Opcode::close) {
      if (!(first & 0x80)) return "a control frame is fragmented (RFC 6455, 5.5)";
      return (second & 0x7f) > 125 ? "a control frame is too long (RFC 6455, 5.5)" : nullptr;
    }
    if (opcode == Opcode::continuation) return fragments_ ? nullptr : "a continuation of nothing (RFC 6455, 5.4)";
    return fragments_ ? "a new message within a fragmented one (RFC 6455, 5.4)" : nullptr;
  }

  /// Reads a frame's header, if it is complete. Returns a violation or `more`.
  Event read_header(std::span<const char> in, Frame& frame) const {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(in[i]); };
    if (in.size() < 2) return {};
    if (const char* why = header_fault(byte(0), byte(1))) return violation(Reason::frame_malformed, why);
    frame.opcode = static_cast<Opcode>(byte(0) & 15);
    frame.last = byte(0) & 0x80;
    const unsigned short_size = byte(1) & 0x7f;
    const std::size_t extended = short_size == 126 ? 2 : short_size == 127 ? 8 : 0;
    if (in.size() < 2 + extended + 4) return {};
    std::uint64_t size = extended == 0 ? short_size : 0;
    for (std::size_t i = 0; i < extended; ++i) size = size << 8 | byte(2 + i);
    if (frame.opcode < Opcode::close) {
      const std::size_t before = fragments_ ? fragments_->message.size() : 0;
      if (size > options_.max_payload - before)
        return violation(Reason::message_too_big, "a message is larger than max_payload");
      if (fragments_ && fragments_->count == options_.max_fragments)
        return violation(Reason::too_many_fragments, "a message has more than max_fragments frames");
    }
    frame.header = 2 + extended + 4;
    frame.size = static_cast<std::size_t>(size);
    return {};
  }

  /// The event of an unmasked frame; `more` for a fragment that is not the last one.
  Event event_of(const Frame& frame, std::string_view payload) {
    switch (frame.opcode) {
      case Opcode::ping: return {Event::Kind::ping, payload};
      case Opcode::pong: return {Event::Kind::pong, payload};
      case Opcode::close: return close(payload);
      default: break;
    }
    if (!fragments_) {
      if (frame.last) return message(frame.opcode, payload);
      fragments_ = std::make_unique<Fragments>(Fragments{.opcode = frame.opcode});
    }
    ++fragments_->count;
    fragments_->message += payload;
    fragments_->complete = frame.last;
    return frame.last ? message(fragments_->opcode, fragments_->message) : Event();
  }

  static Event message(Opcode opcode, std::string_view payload) {
    if (opcode == Opcode::binary) return {Event::Kind::binary, payload};
    if (!bytes::utf8_valid(payload))
      return violation(Reason::text_not_utf8, "a text message is not UTF-8 (RFC 6455, 8.1)");
    return {Event::Kind::text, payload};
  }

  static Event close(std::string_view payload) {
    if (payload.empty()) return {Event::Kind::close, payload};
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(payload[i]); };
    const unsigned code = payload.size() < 2 ? 0 : static_cast<unsigned>(byte(0) << 8 | byte(1));
    if (!close_code_valid(code))
      return violation(Reason::frame_malformed, "a close frame's code is invalid (RFC 6455, 7.4)");
    if (!bytes::utf8_valid(payload.substr(2)))
      return violation(Reason::text_not_utf8, "a close frame's text is not UTF-8 (RFC 6455, 7.1.6)");
    return {Event::Kind::close, payload};
  }

  /// The fragments of a message so far. Once complete, it stays until the next call, because the event has a view of
  /// it.
  struct Fragments {
    Opcode opcode;
    bool complete = false;
    std::size_t count = 0;
    std::string message{};
  };

  const Options& options_;
  std::unique_ptr<Fragments> fragments_;
};

}  // namespace websocket

// ================================================================================================
// 6  Engine.IO
//
// engine.io-protocol 4: a session that survives a change of transport. It begins over HTTP
// long-polling (a held GET delivers packets to the client, a POST sends packets to the server) or as a
// WebSocket, and a polling session may be upgraded. A packet is a type character and text; over polling, packets are
// joined by 0x1E and binary is `b` + base64; over WebSocket, binary is a binary frame.
//
//     0{"sid":...} open    1 close    2 ping    3 pong    4 message    5 upgrade    6 noop
//     42["a",1]\x1ebAQIDBA==                              a polling body with two packets
//
// The upgrade, as official clients do it:
//
//     polling #1  S> 0{"sid":"S","upgrades":["websocket"],...}
//     polling #2  C> GET ...&sid=S            (held)
//     socket  #3  C> 2probe    S> 3probe
//     polling #2               S> 6           (the client waits for this response before it sends 5)
//     socket  #3  C> 5                        (from here on all packets use #3)
//
// The chapter has, in order: Message (an encoded packet), Deadlines (the timer heap), ManualClock (the
// clock of tests), Peer, Receiver and Application (the interfaces to chapters 10 and 9), Session, Engine
// (all sessions, and the routing of requests to them), and websocket::Socket (a WebSocket without
// Engine.IO, on a route of the application).
//
// A session's transport and life are a State, which only Session::move changes, by the table of
// transitions. Besides it, a session has a held GET, an open POST, a WebSocket that is upgrading, a
// pending pong, and deadlines. A session queues messages while no poll is held. It does not read a clock:
// the caller sets the time by engine.advance(now), so that a test can simulate hours.
//
// Invariants. At most one GET is held and at most one POST is open; a second one closes the session.
// Every open session has a deadline. A session closes once, and calls on_close once. Queued messages go to the
// new WebSocket only after packet `5` has arrived, and then all at once.
// ================================================================================================

namespace engineio {

using Time = std::chrono::steady_clock::time_point;  // only the type: this chapter does not read the clock
inline constexpr Time never = (Time::max)();

constexpr char record_separator = '\x1e';

struct PacketType {
  static constexpr char open = '0', close = '1', ping = '2', pong = '3', message = '4', upgrade = '5', noop = '6',
                        binary = 'b';
};

/// An outgoing message, encoded once and shared by all its recipients: the bytes of one WebSocket frame, whose payload
/// is the packet's text as polling sends it. Immutable. One allocation: with two, 64 bytes took 78 ns to make, and
/// not 48.
class Message {
 public:
  using Parts = std::initializer_list<std::string_view>;

  /// Approximate memory of a queued message beside its bytes.
  static constexpr std::size_t overhead = 64;

  static Ref<Message> text(Parts parts) { return make(parts, websocket::Opcode::text); }
  static Ref<Message> binary(std::string_view bytes) { return make({bytes}, websocket::Opcode::binary); }
  /// Bytes that are written unchanged: an HTTP response, a control frame.
  static Ref<Message> raw(Parts parts) { return make(parts, std::nullopt); }

  std::string_view frame() const { return {reinterpret_cast<const char*>(this + 1), size_}; }
  std::string_view payload() const { return frame().substr(header_); }
  bool is_binary() const { return binary_; }

  /// The message as text: itself, or `b` + base64 of a binary one, which is encoded once, at the first call.
  static const Ref<Message>& as_text(const Ref<Message>& message) {
    if (!message->binary_) return message;  // NOLINT(bugprone-return-const-ref-from-parameter): the caller's own
    if (!message->base64_) message->base64_ = text({"b", bytes::base64_encode(message->payload())});
    return message->base64_;
  }

  void retain() { ++references_; }
  void release() {
    if (--references_ > 0) return;
    this->~Message();
    ::operator delete(this);
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

 private:
  Message() = default;
  ~Message() = default;

  static Ref<Message> make(Parts parts, std::optional<websocket::Opcode> opcode) {
    std::size_t size = 0;
    for (const auto part : parts) size += part.size();
    std::array<char, websocket::longest_header> header{};
    const std::size_t width = opcode ? websocket::frame_header(header.data(), *opcode, size) : 0;
    auto* message = ::new (::operator new(sizeof(Message) + width + size)) Message();
    message->size_ = width + size;
    message->header_ = static_cast<std::uint8_t>(width);
    message->binary_ = opcode == websocket::Opcode::binary;
    char* out = std::copy_n(header.data(), width, reinterpret_cast<char*>(message + 1));
    for (const auto part : parts) out = std::copy(part.begin(), part.end(), out);
    return Ref<Message>(message);
  }

  std::size_t size_ = 0;
  Ref<Message> base64_;
  std::uint32_t references_ = 0;
  std::uint8_t header_ = 0;  // bytes of the frame's header
  bool binary_ = false;
};

using MessageRef = Ref<Message>;

/// An object with a deadline. `tick` is called when the deadline has passed.
class Timed {
 public:
  virtual void tick(Time now) = 0;

 protected:
  Timed() = default;
  ~Timed() = default;

 private:
  friend class Deadlines;
  static constexpr std::size_t absent = (std::numeric_limits<std::size_t>::max)();
  Time due_ = never;
  std::size_t slot_ = absent;  // of its entry in the heap
};

/// All deadlines of a server in one heap, so that one timer serves them. Moving a deadline to a later time, as
/// heartbeats do, is one store: the entry is moved when the earlier time has passed. A std::multimap takes 44 bytes
/// more for each client, and four times the processor time with 100,000 deadlines.
class Deadlines {
 public:
  void set(Timed& timed, Time due) {
    timed.due_ = due;
    if (timed.slot_ == Timed::absent) {
      if (due == never) return;
      heap_.push_back({due, &timed});
      rise(heap_.size() - 1);
    } else if (due < heap_[timed.slot_].due) {
      heap_[timed.slot_].due = due;
      rise(timed.slot_);
    }
  }

  /// Must be called before a Timed is destroyed.
  void forget(Timed& timed) {
    timed.due_ = never;
    if (timed.slot_ == Timed::absent) return;
    const std::size_t slot = std::exchange(timed.slot_, Timed::absent);
    const Entry last = heap_.back();
    heap_.pop_back();
    if (slot == heap_.size()) return;
    place(slot, last);
    rise(slot);
    sink(last.timed->slot_);
  }

  /// When tick() should be called next, at the latest.
  Time next() const { return heap_.empty() ? never : heap_.front().due; }
  std::size_t size() const { return heap_.size(); }

  /// Calls tick(now) of all objects whose deadline has passed.
  void tick(Time now) {
    while (!heap_.empty() && heap_.front().due <= now) {
      Timed& timed = *heap_.front().timed;
      if (timed.due_ <= now) {
        timed.due_ = never;
        timed.tick(now);  // keeps its entry, since tick() mostly sets a new deadline
      } else if (timed.due_ == never) {
        forget(timed);
      } else {
        heap_.front().due = timed.due_;  // the deadline was moved to a later time
        sink(0);
      }
    }
  }

 private:
  struct Entry {
    Time due;
    Timed* timed;
  };
  /// Four children make the heap half as deep as two: each level that an entry moves writes to another Timed.
  static constexpr std::size_t children = 4;

  void place(std::size_t slot, Entry entry) {
    heap_[slot] = entry;
    entry.timed->slot_ = slot;
  }
  /// Moves an entry towards the front until its parent is not later.
  void rise(std::size_t slot) {
    const Entry entry = heap_[slot];
    for (; slot > 0 && entry.due < heap_[(slot - 1) / children].due; slot = (slot - 1) / children)
      place(slot, heap_[(slot - 1) / children]);
    place(slot, entry);
  }
  /// Moves an entry towards the back until no child is earlier.
  void sink(std::size_t slot) {
    const Entry entry = heap_[slot];
    for (;;) {
      const std::size_t first = (std::min)(children * slot + 1, heap_.size());
      const std::size_t last = (std::min)(first + children, heap_.size());
      std::size_t earliest = first;
      for (std::size_t child = first; child < last; ++child)
        if (heap_[child].due < heap_[earliest].due) earliest = child;
      if (first == last || entry.due <= heap_[earliest].due) break;
      place(slot, heap_[earliest]);
      slot = earliest;
    }
    place(slot, entry);
  }

  std::vector<Entry> heap_;
};

/// A clock that only advance() moves. A server that uses it (Options::clock) takes the time of heartbeats, timeouts and
/// rates from it, so that a test can simulate hours in a moment. Wall-clock times (logs, Date, a handshake's time) are
/// unaffected. Servers may share one. Called on the event-loop thread.
class ManualClock {
 public:
  /// A user of the clock that has work to do at certain times.
  class Alarm {
   public:
    virtual Time due() const = 0;
    virtual void ring() = 0;

   protected:
    Alarm() = default;
    ~Alarm() = default;
  };

  Time now() const { return now_; }
  /// Moves the time, and runs all that becomes due meanwhile, in order of time. Network input and output that result
  /// from it happen when the event loop runs again.
  void advance(Time::duration by) {
    const Time end = now_ + by;
    while (step(end)) continue;
  }
  /// Moves the time to the next alarm and rings it. false: no alarm is due up to `end`, which is the time now.
  bool step(Time end) {
    const auto next = std::min_element(alarms_.begin(), alarms_.end(),
                                       [](const Alarm* a, const Alarm* b) { return a->due() < b->due(); });
    const bool rings = next != alarms_.end() && (*next)->due() <= end;
    now_ = (std::max)(now_, rings ? (*next)->due() : end);
    if (rings) (*next)->ring();
    return rings;
  }
  void add(Alarm& alarm) { alarms_.push_back(&alarm); }
  void remove(Alarm& alarm) { std::erase(alarms_, &alarm); }

 private:
  Time now_{std::chrono::hours(24)};  // not 0, so that times in the past can be represented
  std::vector<Alarm*> alarms_;
};

/// An HTTP response of a session. The views must be valid until Peer::answer() returns.
struct Answer {
  std::uint16_t status = 200;
  std::string_view type{};
  std::string_view body{};
};

/// One TCP connection as the session sees it: it responds to HTTP requests, or is a WebSocket. Implemented
/// by chapter 10, and by tests. A peer calls poll_lost, post_lost or channel_lost of the session before it is
/// destroyed.
class Peer {
 public:
  virtual void answer(std::uint32_t exchange, const Answer& answer) = 0;
  /// Closes the connection without a response.
  virtual void cut() = 0;
  /// Schedules a call of session.flush() at the end of the current batch of work.
  virtual void wake() = 0;
  // ---- of a WebSocket
  /// Queues one message.
  virtual void send(const MessageRef& message) = 0;
  /// Queues a close frame behind the messages already queued.
  virtual void send_close(Reason reason, std::string_view payload = {}) = 0;
  /// Bytes that are not written yet.
  virtual std::size_t queued() const = 0;

 protected:
  ~Peer() = default;
};

/// The receiver of a WebSocket's messages: a Session, or a websocket::Socket.
class Receiver : public Counted<Receiver> {
 public:
  virtual ~Receiver() = default;
  virtual void frame(Peer& from, std::string_view payload, bool binary) = 0;
  /// Bytes have arrived, whole frames or not. Called after frame() for the frames that they completed.
  virtual void heard() {}
  /// A ping or pong frame has arrived. false: packet_rate is exceeded, and the WebSocket is closed.
  virtual bool control() = 0;
  /// The server shuts down: sends a close, and does not wait for the client.
  virtual void shut_down(Reason reason) = 0;
  /// The WebSocket is closed. Called once; the peer must not be used afterwards.
  virtual void channel_lost(Peer& from, Reason reason, std::string_view why) = 0;
};

/// An HTTP request that waits for its response.
struct Exchange {
  Peer* peer = nullptr;
  std::uint32_t id = 0;

  explicit operator bool() const { return peer != nullptr; }
  void answer(const Answer& a) const { peer->answer(id, a); }
};

class Session;

/// The user of the sessions: chapter 9. Everything is called on the event-loop thread. `payload` is the text
/// after the type character `4`, or the bytes of a binary message.
class Application {
 public:
  virtual void on_open(Session& session, const http::Request& request) = 0;
  virtual void on_message(Session& session, std::string_view payload, bool binary) = 0;
  /// The session has just been upgraded from polling to WebSocket.
  virtual void on_upgraded(Session&) {}
  virtual void on_close(Session& session, Reason reason, std::string_view why) = 0;

 protected:
  ~Application() = default;
};

/// Base class of the data that an application keeps with a session.
struct Context {
  virtual ~Context() = default;
};

enum class State : std::uint8_t {
  polling,    // over HTTP only
  probing,    // a WebSocket has connected for the session, and has sent no message yet
  probed,     // it sent 2probe and got 3probe; held polls are released with noop
  websocket,  // over a WebSocket only
  lingering,  // closed by the server over polling, while no poll was held; waits for a GET that delivers the close
  closed
};

enum class Move : std::uint8_t { attach, probe, upgrade, detach, linger, end };

constexpr std::string_view state_name(State state) {
  constexpr std::array<std::string_view, 6> names{"polling", "probing", "probed", "websocket", "lingering", "closed"};
  return names[static_cast<std::size_t>(state)];
}

struct Transition {
  State from;
  Move move;
  State to;
};

/// All allowed moves. The caller checks that its move is allowed in the current state.
inline constexpr std::array transitions{
    Transition{State::polling, Move::attach, State::probing},
    Transition{State::polling, Move::linger, State::lingering},
    Transition{State::polling, Move::end, State::closed},
    Transition{State::probing, Move::probe, State::probed},
    Transition{State::probing, Move::upgrade, State::websocket},  // 5 without a probe is accepted
    Transition{State::probing, Move::detach, State::polling},
    Transition{State::probing, Move::linger, State::lingering},
    Transition{State::probing, Move::end, State::closed},
    Transition{State::probed, Move::probe, State::probed},  // each 2probe is answered
    Transition{State::probed, Move::upgrade, State::websocket},
    Transition{State::probed, Move::detach, State::polling},
    Transition{State::probed, Move::linger, State::lingering},
    Transition{State::probed, Move::end, State::closed},
    Transition{State::websocket, Move::end, State::closed},
    Transition{State::lingering, Move::end, State::closed},
};

constexpr std::optional<State> after(State from, Move move) {
  for (const Transition& t : transitions)
    if (t.from == from && t.move == move) return t.to;
  return std::nullopt;
}

/// Calls f with each packet of a polling body.
template <class F>
void each_packet(std::string_view payload, F f) {
  for (auto end = payload.find(record_separator); end != payload.npos; end = payload.find(record_separator)) {
    f(payload.substr(0, end));
    payload.remove_prefix(end + 1);
  }
  f(payload);
}

class Engine;

/// One client's session. Exists as long as there is a Ref to it; calls have no effect once it is closed. An open one
/// must not outlive its Engine. Everything is called on the event-loop thread.
class Session final : public Receiver, public Timed {
 public:
  Session(Engine& engine, std::string id, State first, bool base64, RateLimiter::Permit place);
  ~Session() override;

  const std::string& id() const { return id_; }
  State state() const { return state_; }
  bool open() const { return state_ < State::lingering; }
  const char* transport() const { return on_websocket_ ? "websocket" : "polling"; }
  /// Whether a message sent now would be written at once: nothing is queued, and over polling a GET is held. If not,
  /// volatile events are dropped.
  bool writable() const { return state_ == State::websocket ? channel_->queued() == 0 : poll_ && queue_.empty(); }

  // ---- the application's side
  std::unique_ptr<Context> context;
  void send(const MessageRef& message);
  /// Sends one message. Invalid UTF-8 in a text is replaced by U+FFFD. A session with more than max_queue_bytes queued
  /// is closed; sending to a closed one has no effect.
  void send_text(std::string_view text) {
    send(Message::text({{&PacketType::message, 1}, bytes::Utf8Text(text).view()}));
  }
  void send_binary(std::string_view bytes) { send(Message::binary(bytes)); }
  /// Closes the session. Queued messages are still delivered.
  void close(Reason reason = Reason::forced_close);
  /// Closes the session at this time, unless called again before; `never` cancels it.
  void close_at(Time due) {
    close_due_ = due;
    if (state_ != State::closed) reschedule();
  }

  // ---- the driver's side
  void poll(Exchange get);
  void poll_lost();
  bool post(Exchange post, bool octets);
  void post_refused() { post_ = {}; }
  /// The body is complete. Takes packets off its front and handles them, up to `most`. false: packets are left, and it
  /// must be called again. The response is sent after the last packet.
  bool post_body(std::string_view& body, std::size_t& most);
  void post_body(std::string_view body) {
    std::size_t most = static_cast<std::size_t>(-1);
    post_body(body, most);
  }
  void post_lost(const char* why);
  void opened_on(Peer& channel) { channel_ = &channel; }
  bool attach(Peer& candidate);
  void frame(Peer& from, std::string_view payload, bool binary) override;
  bool control() override { return packet_allowed(); }
  void channel_lost(Peer& from, Reason reason, std::string_view why) override;
  void flush();
  void tick(Time now) override;
  void shut_down(Reason reason) override;

 private:
  void move(Move move);
  void end(Reason reason, std::string_view why);
  void linger();
  bool packet_allowed();
  std::vector<MessageRef> take_queue();
  void packet(std::string_view packet);
  void candidate_frame(std::string_view payload, bool binary);
  void become_websocket();
  void drop_candidate(Reason reason = Reason::forced_close);
  void deliver(std::string_view payload, bool binary);
  void extend_pong_wait();
  void answer_poll(std::string_view body);
  void release_post();
  void trace(bool incoming, std::string_view transport, std::string_view packet, bool binary = false) const;
  void reschedule();
  void mark_too_slow();

  // Members that every message uses come first, for the cache.
  Engine& engine_;
  Peer* channel_ = nullptr;          // the WebSocket, once it is the transport
  std::unique_ptr<Bucket> packets_;  // if packet_rate is on
  Peer* candidate_ = nullptr;        // the WebSocket of an upgrade that is not complete
  State state_;
  bool on_websocket_;  // the transport, or, once closed, the last one
  bool base64_;        // the client asked for text only, by b64=1
  bool awaiting_pong_ = false;
  bool pong_wait_extended_ = false;  // one packet per ping may extend the wait for its pong
  bool too_slow_ = false;            // too many bytes are queued: tick() closes the session
  bool post_read_ = false;  // the body of post_ is complete, so the response is "ok", even if a packet is invalid
  Exchange poll_, post_;
  std::vector<MessageRef> queue_;  // messages that wait for a poll
  std::size_t queue_bytes_ = 0;
  RateLimiter::Permit place_;  // if sessions of its address are limited
  Time heartbeat_due_ = never, close_due_ = never, upgrade_due_ = never, noop_due_ = never, linger_due_ = never;
  std::string id_;
};

/// How an HTTP request on the Socket.IO path is handled.
struct Verdict {
  enum class Act : std::uint8_t { refuse, ask, open_polling, open_websocket, close_websocket, attach, poll, post };
  Act act = Act::refuse;
  Reason reason = Reason::bad_request;
  Ref<Session> session{};
  RateLimiter::Permit place{};  // for the new session
  Seconds retry_after{0};       // when a refused client may try again; 0: unknown
};

/// All sessions of a server, and the routing of requests to them.
class Engine {
 public:
  /// Throws std::invalid_argument if a trusted proxy is not a network.
  Engine(const Options& its_options, const Log& its_log, Counters& its_counters, Application& its_application)
      : options(its_options),
        log(its_log),
        counters(its_counters),
        application(its_application),
        client_address(options.trusted_proxies),
        addresses_({options.max_sessions_per_address, options.handshake_rate.burst, options.handshake_rate.per_second,
                    options.max_sessions + RateLimiter::Rules().max_keys}) {}
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const Options& options;
  const Log& log;
  Counters& counters;
  Application& application;
  const http::ClientAddress client_address;
  Deadlines deadlines;
  const MessageRef ping = Message::text({"2"});
  bytes::Random random;
  /// Whether the caller is on the event-loop thread. Set by the engine's owner.
  std::function<bool()> on_thread{};
  std::size_t guests = 0;  // open WebSockets of routes, which have no session
  void assert_thread() const {
    assert((!on_thread || on_thread()) &&
           "call this on the loop's thread: server.post(f) is the only door from another one");
  }

  /// Sets the time for all that follows. It must not go backwards.
  void advance(Time now) { now_ = now; }
  Time now() const { return now_; }
  void tick(Time now) {
    advance(now);
    deadlines.tick(now);
  }

  const bool tracing = static_cast<bool>(options.trace);
  void trace(const TraceRecord& record) const {
    const Callee callee{"trace threw", "session", record.session};
    log.observe([&] { options.trace(record); }, &callee);
  }

  /// Refuses all further handshakes.
  void drain() { draining_ = true; }
  std::size_t size() const { return sessions_.size(); }
  /// The session of this id, or null.
  Ref<Session> find(std::string_view id) const {
    const auto found = sessions_.find(id);
    return found == sessions_.end() ? Ref<Session>() : found->second;
  }
  std::vector<Ref<Session>> all() const {
    std::vector<Ref<Session>> out;
    for (const auto& [id, session] : sessions_) out.push_back(session);
    return out;
  }

  /// Decides how a request is handled. The checks have the official server's order, so that a request with several
  /// errors gets the same response.
  Verdict judge(const http::Request& request) {
    const auto transport = request.query["transport"];
    const bool upgrading = options.websocket && request.upgrade();
    if (!(transport == "polling" && options.polling) && !(transport == "websocket" && options.websocket))
      return {Verdict::Act::refuse, Reason::transport_unknown};
    if (const auto id = request.query["sid"]; !id.empty()) return judge_session(request, id, upgrading);
    if (request.method != "GET") return {Verdict::Act::refuse, Reason::bad_handshake_method};
    if (transport == "websocket" && !upgrading) return {Verdict::Act::refuse, Reason::bad_request};
    if (upgrading && !http::websocket_origin_allowed(options.cors, request))
      return {Verdict::Act::refuse, Reason::forbidden};
    if (options.allow_request) return {Verdict::Act::ask};
    return admit(request);
  }

  /// The rest of the checks of a handshake, after allow_request has accepted it.
  Verdict admit(const http::Request& request) {
    const bool upgrading = options.websocket && request.upgrade();
    if (request.query["EIO"] != "4") return {Verdict::Act::refuse, Reason::unsupported_version};
    Verdict verdict = place_for(request);
    if (verdict.act == Verdict::Act::refuse) return verdict;
    if (request.query["transport"] == "polling")
      verdict.act = upgrading ? Verdict::Act::close_websocket : Verdict::Act::open_polling;
    return verdict;
  }

  /// Whether the limits allow one more client, with Engine.IO or without: `open_websocket` with the
  /// permit, or `refuse`.
  Verdict place_for(const http::Request& request) {
    if (draining_) return {Verdict::Act::refuse, Reason::draining};
    if (sessions_.size() + guests >= options.max_sessions) return {Verdict::Act::refuse, Reason::too_many_sessions};
    Verdict verdict{Verdict::Act::open_websocket};
    if (options.max_sessions_per_address == 0 && !options.handshake_rate.on()) return verdict;
    const std::string key = client_address.limit_key(request.address);
    if (key.empty()) return verdict;
    if (const auto wait = addresses_.spend(key, now_)) {
      const auto seconds = static_cast<std::int64_t>(std::ceil((std::min)(wait->count(), 3600.0)));
      verdict.act = Verdict::Act::refuse, verdict.reason = Reason::too_many_handshakes;
      // A random addition, so that refused clients do not all return at the same time.
      verdict.retry_after = Seconds(std::uniform_int_distribution<std::int64_t>(seconds, 2 * seconds + 1)(random));
      return verdict;
    }
    verdict.place = addresses_.acquire(key);
    if (!verdict.place) verdict.act = Verdict::Act::refuse, verdict.reason = Reason::too_many_sessions_from_address;
    return verdict;
  }

  /// Makes a session and queues its open packet. `channel` is the WebSocket on which it begins, if any.
  Ref<Session> open(const http::Request& request, Peer* channel, RateLimiter::Permit place = {}) {
    const bool base64 = channel && !request.query["b64"].empty();
    Ref<Session> session(
        new Session(*this, make_id(request), channel ? State::websocket : State::polling, base64, std::move(place)));
    if (channel) session->opened_on(*channel);
    sessions_.emplace(session->id(), session);
    ++counters.sessions_opened;
    if (channel) ++counters.websocket_sessions;
    session->send(Message::text({open_packet(*session)}));
    application.on_open(*session, request);
    return session;
  }

  void forget(const Session& session) {
    ++counters.sessions_closed;
    if (session.transport() == std::string_view("websocket")) --counters.websocket_sessions;
    sessions_.erase(sessions_.find(session.id()));
  }

 private:
  Verdict judge_session(const http::Request& request, std::string_view id, bool upgrading) const {
    const auto session = find(id);
    const auto transport = request.query["transport"];
    if (!session) return {Verdict::Act::refuse, Reason::session_unknown};
    if (!upgrading && transport != session->transport()) return {Verdict::Act::refuse, Reason::bad_request};
    if (request.query["EIO"] != "4") return {Verdict::Act::refuse, Reason::bad_request};
    if (upgrading && !http::websocket_origin_allowed(options.cors, request))
      return {Verdict::Act::refuse, Reason::forbidden};
    if (upgrading)
      return {transport == "websocket" ? Verdict::Act::attach : Verdict::Act::close_websocket, Reason::bad_request,
              session};
    if (transport == "websocket") return {Verdict::Act::refuse, Reason::bad_request};
    if (request.method == "GET") return {Verdict::Act::poll, Reason::bad_request, session};
    if (request.method == "POST") return {Verdict::Act::post, Reason::bad_request, session};
    return {Verdict::Act::refuse, Reason::bad_handshake_method};
  }

  std::string make_id(const http::Request& request) {
    if (!options.generate_id) return random.id();
    std::string id;
    log.call({"generate_id threw", "url", request.target}, [&] { id = options.generate_id(request); });
    const bool plain = std::all_of(id.begin(), id.end(), [](char c) { return bytes::is_alnum_or(c, "_.~-"); });
    if (plain && !id.empty() && id.size() <= 128 && !sessions_.contains(id)) return id;
    log.write(LogLevel::error,
              "An id of generate_id is empty, too long, taken, or not of A-Z a-z 0-9 _ . ~ -: a random one is used",
              {{"id", id}});
    return random.id();
  }

  /// 0{"sid":"...","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}
  std::string open_packet(const Session& session) const {
    const bool upgradable = session.state() == State::polling && options.websocket && options.allow_upgrades;
    std::string out = "0{\"sid\":";
    bytes::append_string(out, session.id());
    out += upgradable ? ",\"upgrades\":[\"websocket\"]" : ",\"upgrades\":[]";
    out += ",\"pingInterval\":", bytes::append_integer(out, options.ping_interval.count());
    out += ",\"pingTimeout\":", bytes::append_integer(out, options.ping_timeout.count());
    out += ",\"maxPayload\":", bytes::append_integer(out, options.max_payload);
    return out + '}';
  }

  ById<Ref<Session>> sessions_;
  RateLimiter addresses_;
  Time now_{};
  bool draining_ = false;
};

#if SIO_DEMO_BODIES
SIO_DEMO_INLINE Session::Session(Engine& engine, std::string id, State first, bool base64, RateLimiter::Permit place)
    : engine_(engine),
      state_(first),
      on_websocket_(first == State::websocket),
      base64_(base64),
      place_(std::move(place)),
      id_(std::move(id)) {
  if (engine_.options.packet_rate.on()) packets_ = std::make_unique<Bucket>(engine_.options.packet_rate, engine_.now());
  heartbeat_due_ = engine_.now() + engine_.options.ping_interval;
  reschedule();
}

SIO_DEMO_INLINE Session::~Session() {
  if (state_ != State::closed) engine_.deadlines.forget(*this);  // a closed session may outlive its engine
}

/// The only function that changes state_.
SIO_DEMO_INLINE void Session::move(Move move) {
  const auto to = after(state_, move);
  assert(to && "a move that the table does not know");
  if (!to) return;
  const State from = std::exchange(state_, *to);
  if (engine_.log.enabled(LogLevel::debug) && state_ != from)
    engine_.log.write(LogLevel::debug, "Session moved",
                      {{"session", id_}, {"from", state_name(from)}, {"to", state_name(*to)}});
  if (engine_.tracing && state_ != from && *to != State::closed)
    engine_.trace({.kind = TraceRecord::Kind::step,
                   .session = id_,
                   .transport = transport(),
                   .text = state_name(*to),
                   .details = state_name(from)});
}

SIO_DEMO_INLINE void Session::trace(bool incoming, std::string_view transport, std::string_view packet,
                                    bool binary) const {
  engine_.trace({.incoming = incoming, .binary = binary, .session = id_, .transport = transport, .text = packet});
}

SIO_DEMO_INLINE void Session::reschedule() {
  engine_.deadlines.set(*this, too_slow_
                                   ? engine_.now()
                                   : (std::min)({heartbeat_due_, close_due_, upgrade_due_, noop_due_, linger_due_}));
}

SIO_DEMO_INLINE void Session::tick(Time now) {
  const Ref<Session> self(this);
  if (too_slow_) return end(Reason::slow_consumer, "more than max_queue_bytes wait for the client");
  if (now >= close_due_) {
    close_due_ = never;
    close();
  }
  if (now >= linger_due_) return end(Reason::forced_close, "the client did not poll any more");
  if (now >= upgrade_due_) drop_candidate();
  if (now >= noop_due_) {  // every 100 ms at most, because the client polls again at once
    noop_due_ = now + Milliseconds(100);
    if (poll_) answer_poll("6");
  }
  if (now >= heartbeat_due_ && state_ != State::closed) {
    if (awaiting_pong_) return end(Reason::ping_timeout, "no pong within ping_timeout");
    awaiting_pong_ = true, pong_wait_extended_ = false;
    heartbeat_due_ = now + engine_.options.ping_timeout;
    send(engine_.ping);
  }
  if (state_ != State::closed) reschedule();
}

/// Marks a client that does not read. tick() closes it, because the caller may be iterating over a room.
SIO_DEMO_INLINE void Session::mark_too_slow() {
  too_slow_ = true;
  reschedule();
}

/// Whether packet_rate allows one more packet or control frame; if not, closes the session.
SIO_DEMO_INLINE bool Session::packet_allowed() {
  if (!packets_ || !packets_->spend(engine_.options.packet_rate, engine_.now())) return true;
  end(Reason::too_many_packets, "more packets than packet_rate allows");
  return false;
}

/// Any packet shows that the client is alive: it extends the wait for a pong, once per ping.
SIO_DEMO_INLINE void Session::extend_pong_wait() {
  if (!awaiting_pong_ || pong_wait_extended_) return;
  pong_wait_extended_ = true;
  heartbeat_due_ = engine_.now() + engine_.options.ping_timeout;
  reschedule();
}

// ---- sending

SIO_DEMO_INLINE void Session::send(const MessageRef& message) {
  if (!open() || too_slow_) return;
  engine_.assert_thread();
  ++engine_.counters.packets_sent;
  if (state_ == State::websocket) {
    const MessageRef& sent = base64_ ? Message::as_text(message) : message;
    if (engine_.tracing) [[unlikely]]
      trace(false, "websocket", sent->payload(), sent->is_binary());
    channel_->send(sent);
    if (channel_->queued() > engine_.options.max_queue_bytes) mark_too_slow();
    return;
  }
  queue_.push_back(message);
  const std::size_t size = message->payload().size() + Message::overhead;
  queue_bytes_ += size, engine_.counters.queue_bytes += size;
  if (queue_bytes_ > engine_.options.max_queue_bytes) return mark_too_slow();
  if (poll_) poll_.peer->wake();
}

SIO_DEMO_INLINE std::vector<MessageRef> Session::take_queue() {
  engine_.counters.queue_bytes -= std::exchange(queue_bytes_, 0);
  return std::exchange(queue_, {});
}

/// Responds to the held poll with all queued messages.
SIO_DEMO_INLINE void Session::flush() {
  if (!poll_ || queue_.empty()) return;
  const std::size_t size = queue_bytes_;
  const auto messages = take_queue();
  if (messages.size() == 1) answer_poll(Message::as_text(messages.front())->payload());
  else {
    std::string body;
    body.reserve(size);
    for (const auto& message : messages) {
      if (!body.empty()) body += record_separator;
      body += Message::as_text(message)->payload();
    }
    answer_poll(body);
  }
  if (state_ != State::lingering) return;
  linger_due_ = engine_.now() + engine_.options.linger_timeout;
  reschedule();
}

SIO_DEMO_INLINE void Session::answer_poll(std::string_view body) {
  if (engine_.tracing) each_packet(body, [&](std::string_view packet) { trace(false, "polling", packet); });
  std::exchange(poll_, {}).answer({200, "text/plain; charset=UTF-8", body});
}

// ---- receiving, over polling

SIO_DEMO_INLINE void Session::poll(Exchange get) {
  const Ref<Session> self(this);
  if (state_ == State::closed) return get.answer({400});  // a handler closed it while the request was routed
  if (poll_) {
    get.answer({400});
    return end(Reason::transport_error, "a second poll while one was held");
  }
  poll_ = get;
  if (state_ == State::lingering && queue_.empty()) {
    answer_poll(
        "6\x1e"
        "1");
    return end(Reason::forced_close, "");
  }
  flush();
}

SIO_DEMO_INLINE void Session::poll_lost() {
  poll_ = {};
  if (state_ != State::closed) end(Reason::transport_error, "the connection of the held poll was closed");
}

/// A POST's headers have arrived. false: it was refused and has its response; its body is discarded.
SIO_DEMO_INLINE bool Session::post(Exchange post, bool octets) {
  const Ref<Session> self(this);
  if (!post_ && !octets) return post_ = post, true;
  post.answer({400});
  end(Reason::transport_error, octets ? "a POST of application/octet-stream" : "a second POST while one was open");
  return false;
}

SIO_DEMO_INLINE void Session::post_lost(const char* why) {
  post_ = {};
  if (state_ != State::closed) end(Reason::transport_error, why);
}

SIO_DEMO_INLINE bool Session::post_body(std::string_view& body, std::size_t& most) {
  const Ref<Session> self(this);
  if (!std::exchange(post_read_, true)) {
    const auto packets = 1 + static_cast<std::size_t>(std::count(body.begin(), body.end(), record_separator));
    const bool too_many = packets > engine_.options.max_packets_per_payload;
    // The response is "ok" even if a packet is invalid. It is written after they are handled.
    if (too_many || packets <= most) release_post();
    if (too_many) end(Reason::parse_error, "more than max_packets_per_payload packets in one body");
  }
  for (bool last = false; open() && !last; --most) {
    if (most == 0) return false;
    const auto separator = body.find(record_separator);
    const bytes::Utf8Text text(body.substr(0, separator));
    last = separator == body.npos;
    body.remove_prefix(last ? body.size() : separator + 1);
    if (engine_.tracing) [[unlikely]]
      trace(true, "polling", text.view());
    packet(text.view());
  }
  release_post();
  return true;
}

/// Responds to the open POST if its body is complete, else closes its connection.
SIO_DEMO_INLINE void Session::release_post() {
  const Exchange post = std::exchange(post_, {});
  const bool read = std::exchange(post_read_, false);
  if (!post) return;
  read ? post.answer({200, "text/html", "ok"}) : post.peer->cut();
}

// ---- receiving, over a WebSocket

/// Begins the upgrade to a WebSocket. false: the WebSocket must be closed; the session is unchanged.
SIO_DEMO_INLINE bool Session::attach(Peer& candidate) {
  if (state_ != State::polling) return false;
  move(Move::attach);
  candidate_ = &candidate;
  upgrade_due_ = engine_.now() + engine_.options.upgrade_timeout;
  reschedule();
  return true;
}

SIO_DEMO_INLINE void Session::frame(Peer& from, std::string_view payload, bool binary) {
  const Ref<Session> self(this);
  if (engine_.tracing) [[unlikely]]
    trace(true, "websocket", payload, binary);
  if (&from == candidate_) return candidate_frame(payload, binary);
  if (&from != channel_ || !open()) return;
  if (binary) {
    if (packet_allowed()) deliver(payload, true);
    return;
  }
  if (payload.starts_with(PacketType::close)) return;  // ignored: over WebSocket, the close frame counts
  packet(payload);
}

/// A WebSocket that is upgrading is limited like any transport, by packet_rate and max_queue_bytes.
SIO_DEMO_INLINE void Session::candidate_frame(std::string_view payload, bool binary) {
  if (!packet_allowed()) return;
  if (candidate_->queued() > engine_.options.max_queue_bytes) return drop_candidate(Reason::slow_consumer);
  if (!binary && payload == "2probe") {
    move(Move::probe);
    if (engine_.tracing) [[unlikely]]
      trace(false, "websocket", "3probe");
    candidate_->send(Message::text({"3probe"}));
    if (noop_due_ == never) noop_due_ = engine_.now() + Milliseconds(100);
    return reschedule();
  }
  if (!binary && payload.starts_with(PacketType::upgrade)) return become_websocket();
  drop_candidate();
}

SIO_DEMO_INLINE void Session::become_websocket() {
  const Ref<Session> self(this);
  move(Move::upgrade);
  upgrade_due_ = noop_due_ = never;
  reschedule();
  channel_ = std::exchange(candidate_, nullptr);
  on_websocket_ = true;
  ++engine_.counters.websocket_sessions;
  if (poll_) answer_poll("1");
  if (!post_read_) release_post();  // else packets of its body are still to be handled
  const auto messages = take_queue();
  engine_.counters.packets_sent -= messages.size();  // they were already counted when they were queued
  for (const auto& message : messages) send(message);
  if (open()) engine_.application.on_upgraded(*this);
}

/// The upgrade failed: closes its WebSocket, and polling continues.
SIO_DEMO_INLINE void Session::drop_candidate(Reason reason) {
  upgrade_due_ = noop_due_ = never;
  if (!candidate_) return;
  move(Move::detach);
  std::exchange(candidate_, nullptr)->send_close(reason);
}

SIO_DEMO_INLINE void Session::channel_lost(Peer& from, Reason reason, std::string_view why) {
  if (&from == candidate_) {
    candidate_ = nullptr;
    upgrade_due_ = noop_due_ = never;
    if (row(reason).close != 0) engine_.counters.add(reason);  // 0: an ordinary close, not an error
    return move(Move::detach);
  }
  if (&from != channel_) return;
  channel_ = nullptr;
  if (state_ != State::closed) end(reason, why);
}

// ---- packets, over either transport

SIO_DEMO_INLINE void Session::packet(std::string_view packet) {
  if (!packet_allowed()) return;
  if (packet.empty()) return end(Reason::parse_error, "an empty packet");
  const std::string_view payload = packet.substr(1);
  if (packet[0] != PacketType::pong) extend_pong_wait();
  if (packet[0] != PacketType::binary) ++engine_.counters.packets_received;  // deliver() counts binary packets
  switch (packet[0]) {
    case PacketType::message: return deliver(payload, false);
    case PacketType::binary: return deliver(bytes::base64_decode(payload), true);
    case PacketType::pong:
      awaiting_pong_ = false;
      heartbeat_due_ = engine_.now() + engine_.options.ping_interval;
      return reschedule();
    case PacketType::close:
      if (poll_) answer_poll("6");
      return end(Reason::transport_close, "the client sent a close packet");
    case PacketType::ping:
      return end(Reason::transport_error, "a ping from the client: since protocol 4 the server pings");
    case PacketType::open:
    case PacketType::upgrade:
    case PacketType::noop: return;
    default: return end(Reason::parse_error, "an unknown packet type");
  }
}

SIO_DEMO_INLINE void Session::deliver(std::string_view payload, bool binary) {
  if (binary) extend_pong_wait(), ++engine_.counters.packets_received;
  engine_.application.on_message(*this, payload, binary);
}

// ---- closing

SIO_DEMO_INLINE void Session::close(Reason reason) {
  const Ref<Session> self(this);
  if (!open()) return;
  if (engine_.log.observing()) return engine_.log.later([self, reason] { self->close(reason); });
  if (state_ == State::websocket || (poll_ && queue_.empty())) return end(reason, "");
  linger();
}

/// Over polling, the close is delivered behind the queued messages, by the next poll.
SIO_DEMO_INLINE void Session::linger() {
  if (candidate_) std::exchange(candidate_, nullptr)->send_close(Reason::forced_close);
  upgrade_due_ = noop_due_ = never;
  move(Move::linger);
  linger_due_ = engine_.now() + engine_.options.linger_timeout;
  reschedule();
}

SIO_DEMO_INLINE void Session::shut_down(Reason reason) {
  const Ref<Session> self(this);
  flush();
  if (state_ != State::closed) end(reason, "");
}

/// Every session closes here, once. Closes its transports first, then calls the application.
SIO_DEMO_INLINE void Session::end(Reason reason, std::string_view why) {
  const Ref<Session> self(this);
  if (state_ == State::closed) return;
  move(Move::end);
  engine_.counters.add(reason);
  engine_.deadlines.forget(*this);
  if (poll_) answer_poll("1");
  release_post();
  for (Peer** peer : {&candidate_, &channel_})
    if (*peer) std::exchange(*peer, nullptr)->send_close(reason, websocket::close_payload(row(reason).close));
  take_queue();
  place_ = {};
  if (engine_.log.enabled(LogLevel::debug))
    engine_.log.write(LogLevel::debug, "Session closed",
                      {{"session", id_}, {"reason", row(reason).text}, {"cause", row(reason).name}, {"why", why}});
  if (engine_.tracing)
    engine_.trace({.kind = TraceRecord::Kind::close,
                   .session = id_,
                   .transport = transport(),
                   .text = row(reason).text,
                   .details = why});
  engine_.forget(*this);
  engine_.application.on_close(*this, reason, why);
}
#endif  // SIO_DEMO_BODIES

}  // namespace engineio

// ---- WebSockets without Engine.IO, on routes of Router::websocket

namespace websocket {

class Socket;

/// Handlers of a route's WebSockets; each may be empty. Called on the event-loop thread. An exception is caught and
/// logged.
struct Handlers {
  std::function<void(Socket&)> open{};
  /// A whole message. `payload` is valid during the call.
  std::function<void(Socket&, std::string_view payload, bool binary)> message{};
  /// Called once, whichever side closed. Nothing can be sent any more.
  std::function<void(Socket&, Reason reason, std::string_view why)> close{};
};

/// A WebSocket without Engine.IO. Keep it as Ref<websocket::Socket>(&socket); once it is closed, calls have no effect,
/// even after the server is destroyed. It is pinged every ping_interval, and closed if no byte arrives within
/// ping_timeout of a ping. Limited by max_payload, max_fragments, max_queue_bytes and packet_rate. Everything is called
/// on the event-loop thread.
class Socket final : public engineio::Receiver, public engineio::Timed {
 public:
  Socket(engineio::Engine& engine, engineio::Peer& channel, const http::Request& request,
         std::shared_ptr<const Handlers> handlers, RateLimiter::Permit place)
      : engine_(engine),
        channel_(&channel),
        handlers_(std::move(handlers)),
        place_(std::move(place)),
        packets_(engine.options.packet_rate, engine.now()),
        url_(request.target),
        head_(request.head),
        address_(request.address) {
    ++engine_.guests;
  }
  /// Data that the application keeps with it.
  std::unique_ptr<engineio::Context> context;

  bool is_open() const { return channel_ != nullptr; }
  /// The client's address, see Options::trusted_proxies.
  const std::string& address() const { return address_; }
  /// The request's target as received: "/echo?room=1".
  const std::string& url() const { return url_; }
  /// A header of the request, by name in any case; empty if absent.
  std::string_view header(std::string_view name) const { return http::find_header(head_, name); }

  /// Sends one message. Invalid UTF-8 in a text is replaced by U+FFFD. A WebSocket with more than max_queue_bytes
  /// queued is closed; sending to a closed one has no effect.
  void send_text(std::string_view text) { send(engineio::Message::text({bytes::Utf8Text(text).view()})); }
  void send_binary(std::string_view bytes) { send(engineio::Message::binary(bytes)); }
  /// Sends a message that is encoded already, so that it can be shared by many recipients.
  void send(const engineio::MessageRef& message);
  /// Sends a close frame behind the queued messages, with at most 123 bytes of the reason. Throws
  /// std::invalid_argument for a code that is not allowed in a close frame (RFC 6455, 7.4).
  void close(std::uint16_t code = 1000, std::string_view reason = {});

  // ---- the driver's side
  void opened();
  void frame(engineio::Peer& from, std::string_view payload, bool binary) override;
  void heard() override;
  bool control() override;
  void shut_down(Reason reason) override;
  void channel_lost(engineio::Peer& from, Reason reason, std::string_view why) override;
  void tick(engineio::Time now) override;

 private:
  void due(Milliseconds delay) { engine_.deadlines.set(*this, engine_.now() + delay); }
  void end(Reason reason, std::string_view why, std::string_view payload = {});
  void over(Reason reason, std::string_view why);
  void call(FunctionRef f) { engine_.log.call({"A WebSocket's handler threw", "url", url_}, f); }

  engineio::Engine& engine_;
  engineio::Peer* channel_;  // null once it is closed
  std::shared_ptr<const Handlers> handlers_;
  RateLimiter::Permit place_;
  Bucket packets_;
  bool awaiting_pong_ = false, too_slow_ = false;
  std::string url_, head_, address_;
};

}  // namespace websocket

#if SIO_DEMO_BODIES
namespace websocket {

SIO_DEMO_INLINE void Socket::opened() {
  const Ref<Socket> self(this);
  due(engine_.options.ping_interval);
  if (handlers_->open) call([&] { handlers_->open(*this); });
}

SIO_DEMO_INLINE void Socket::send(const engineio::MessageRef& message) {
  if (!channel_ || too_slow_) return;
  engine_.assert_thread();
  ++engine_.counters.packets_sent;
  channel_->send(message);
  too_slow_ = channel_->queued() > engine_.options.max_queue_bytes;
  if (too_slow_) due(Milliseconds(0));  // closed by tick(), because the caller may be iterating over sockets
}

/// Whether packet_rate allows one more message or control frame; if not, closes the WebSocket.
SIO_DEMO_INLINE bool Socket::control() {
  const Rate& rate = engine_.options.packet_rate;
  if (!channel_ || !rate.on() || !packets_.spend(rate, engine_.now())) return true;
  end(Reason::too_many_packets, "more packets than packet_rate allows",
      close_payload(row(Reason::too_many_packets).close));
  return false;
}

SIO_DEMO_INLINE void Socket::frame(engineio::Peer&, std::string_view payload, bool binary) {
  const Ref<Socket> self(this);
  if (!control()) return;
  ++engine_.counters.packets_received;
  if (channel_ && handlers_->message) call([&] { handlers_->message(*this, payload, binary); });
}

SIO_DEMO_INLINE void Socket::heard() {
  if (!std::exchange(awaiting_pong_, false) || too_slow_) return;
  due(engine_.options.ping_interval);
}

SIO_DEMO_INLINE void Socket::tick(engineio::Time) {
  if (!channel_) return;
  if (too_slow_) return end(Reason::slow_consumer, "more than max_queue_bytes wait for the client");
  if (std::exchange(awaiting_pong_, true)) return end(Reason::ping_timeout, "no pong within ping_timeout");
  channel_->send(engineio::Message::raw({websocket::frame(Opcode::ping, {})}));
  due(engine_.options.ping_timeout);
}

SIO_DEMO_INLINE void Socket::close(std::uint16_t code, std::string_view reason) {
  if (!close_code_valid(code))
    throw std::invalid_argument("cannot close a WebSocket with code " + std::to_string(code) +
                                ": use 1000, or one from 3000 to 4999");
  if (!channel_) return;
  if (engine_.log.observing())
    return engine_.log.later([self = Ref<Socket>(this), code, text = std::string(reason)] { self->close(code, text); });
  end(Reason::forced_close, reason, close_payload(code, reason));
}

SIO_DEMO_INLINE void Socket::shut_down(Reason reason) {
  if (channel_) end(reason, "", close_payload(1001));
}

SIO_DEMO_INLINE void Socket::channel_lost(engineio::Peer&, Reason reason, std::string_view why) {
  if (std::exchange(channel_, nullptr)) over(reason, why);
}

SIO_DEMO_INLINE void Socket::end(Reason reason, std::string_view why, std::string_view payload) {
  const Ref<Socket> self(this);
  std::exchange(channel_, nullptr)->send_close(reason, payload);
  over(reason, why);
}

/// Every WebSocket of a route closes here, once.
SIO_DEMO_INLINE void Socket::over(Reason reason, std::string_view why) {
  const Ref<Socket> self(this);
  engine_.counters.add(reason);
  engine_.deadlines.forget(*this);
  --engine_.guests;
  place_ = {};
  if (!handlers_->close) return;
  engine_.log.later(
      [self, reason, text = std::string(why)] { self->call([&] { self->handlers_->close(*self, reason, text); }); });
}

}  // namespace websocket

SIO_DEMO_INLINE http::Router& http::Router::websocket(std::string path, websocket::Handlers handlers) {
  websockets_.insert_or_assign(std::move(path), std::make_shared<const websocket::Handlers>(std::move(handlers)));
  return *this;
}
#endif  // SIO_DEMO_BODIES

// ================================================================================================
// 7  Socket.IO
//
// socket.io-protocol 5: the packets in Engine.IO messages. A packet is
//
//     type [attachments "-"] [namespace ","] [ack id] [JSON]
//
//     0/admin,{"token":"abc"}      CONNECT        2["hello",1]          EVENT
//     1/admin,                     DISCONNECT     2/admin,12["q",{}]    EVENT that asks for ack 12
//     4{"message":"nope"}          CONNECT_ERROR  3/admin,12["r"]       ACK 12
//     51-["b",{"_placeholder":true,"num":0}]      BINARY_EVENT; one binary message follows
//     61-12[{"_placeholder":true,"num":0}]        BINARY_ACK; likewise
//
// The namespace is "/" unless it is given. The decoder parses the header itself, and checks the payload
// with the JSON guard of chapter 2, without building a JSON tree of it. It accepts what the official
// server accepts (any packet may lack its payload; an event's name may be a number). Every error closes
// the whole connection. A placeholder has a meaning only in types 5 and 6; elsewhere an object of that
// shape is user data. The rest of the chapter replaces placeholders, and writes packets.
// ================================================================================================

namespace socketio {

enum class PacketType : std::uint8_t { connect, disconnect, event, ack, connect_error, binary_event, binary_ack };

/// A decoded packet. Its views are valid as long as the decoded text, and until its decoder decodes the next packet.
struct Packet {
  PacketType type = PacketType::connect;
  std::uint32_t attachments = 0;
  std::string_view nsp = "/";
  std::optional<double> id;                // a double, as in JavaScript; exact up to 2^53
  std::string_view json;                   // empty if absent
  std::vector<std::string_view> elements;  // the values of an array as JSON text; an event's name is the first
  std::string_view name;                   // an event's name; if it is a number, its text

  bool is_event() const { return type == PacketType::event || type == PacketType::binary_event; }
};

/// Whether a name is reserved by the API on either side, and so cannot be an event's (the official server's list).
constexpr bool is_reserved(std::string_view event) {
  constexpr std::array<std::string_view, 6> names{"connect",       "connect_error", "disconnect",
                                                  "disconnecting", "newListener",   "removeListener"};
  for (const auto name : names)
    if (event == name) return true;
  return false;
}

/// Parses JSON that the guard has accepted. The result is discarded if it has a number beyond the range of double.
inline json parse(std::string_view text) {
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) value = json::parse(std::string_view(bytes::replace_lone_surrogates(text)), nullptr, false);
  return value;
}

/// Converts the JSON text of a string or number to an event's name. The result is a view into `text`, or into `storage`
/// for a number and for a string with escapes.
inline std::string_view event_name(std::string_view text, std::string& storage) {
  if (text.size() >= 2 && text.front() == '"' && text.find('\\') == text.npos) return text.substr(1, text.size() - 2);
  const json value = parse(text);
  storage.clear();
  if (value.is_string()) storage = value.get_ref<const std::string&>();
  else if (value.is_number()) bytes::append_number(storage, value.get<double>());
  return storage;
}

struct DecodeLimits {
  std::uint32_t attachments = 10;
  bytes::JsonLimits json{};
};

/// Decodes packets, reusing its memory from one to the next.
class Decoder {
 public:
  explicit Decoder(DecodeLimits limits) : limits_(limits), outline_(limits.json) {}

  /// Decodes `text` into `packet`. Returns nullptr, or what is wrong with the text.
  const char* decode(std::string_view text, Packet& packet) {
    packet.attachments = 0, packet.nsp = "/", packet.id.reset(), packet.elements.clear(), packet.name = {};
    if (text.empty() || text[0] < '0' || text[0] > '6') return "an unknown Socket.IO packet type";
    packet.type = static_cast<PacketType>(text[0] - '0');
    text.remove_prefix(1);
    if (packet.type >= PacketType::binary_event)
      if (const char* why = read_attachments(text, packet)) return why;
    read_namespace(text, packet);
    if (const char* why = read_id(text, packet)) return why;
    packet.json = text;
    if (text.empty()) return nullptr;
    if (const char* why = outline_.read(text, &packet.elements)) return why;
    return check_payload(packet);
  }

 private:
  const char* read_attachments(std::string_view& text, Packet& packet) const {
    const auto dash = text.find('-');
    const auto count = dash == text.npos || dash > 9 ? std::nullopt : bytes::whole_number(text.substr(0, dash));
    if (!count || *count == 0) return "a binary packet without a count of attachments";
    if (*count > limits_.attachments) return "a binary packet with more than max_attachments";
    packet.attachments = static_cast<std::uint32_t>(*count);
    text.remove_prefix(dash + 1);
    return nullptr;
  }

  static void read_namespace(std::string_view& text, Packet& packet) {
    if (!text.starts_with('/')) return;
    packet.nsp = text.substr(0, text.find(','));
    text.remove_prefix((std::min)(text.size(), packet.nsp.size() + 1));
  }

  static const char* read_id(std::string_view& text, Packet& packet) {
    const auto digits = text.substr(
        0, static_cast<std::size_t>(std::find_if(text.begin(), text.end(), [](char c) { return c < '0' || c > '9'; }) -
                                    text.begin()));
    if (digits.empty()) return nullptr;
    if (digits.size() > 300) return "an ack id beyond the range of numbers";
    if (const auto id = bytes::whole_number(digits)) packet.id = static_cast<double>(*id);
    else {
      const auto significant = digits.substr((std::min)(digits.find_first_not_of('0'), digits.size() - 1));
      packet.id = json::parse(significant, nullptr, false).get<double>();
    }
    text.remove_prefix(digits.size());
    return nullptr;
  }

  const char* check_payload(Packet& packet) {
    const char first =
        packet.json.front() > ' ' ? packet.json.front() : packet.json[packet.json.find_first_not_of(" \t\r\n")];
    switch (packet.type) {
      case PacketType::connect: return first == '{' ? nullptr : "a CONNECT whose payload is not an object";
      case PacketType::disconnect: return "a DISCONNECT with a payload";
      case PacketType::connect_error:
        return first == '{' || first == '"' ? nullptr : "a CONNECT_ERROR whose payload is neither object nor string";
      case PacketType::ack:
      case PacketType::binary_ack: return first == '[' ? nullptr : "an ACK whose payload is not an array";
      default: break;
    }
    if (first != '[' || packet.elements.empty()) return "an EVENT whose payload is not an array with a name";
    const char name = packet.elements[0].front();
    const bool number = name == '-' || (name >= '0' && name <= '9');
    if (!number && name != '"') return "an EVENT whose name is neither string nor number";
    packet.name = event_name(packet.elements[0], name_);
    return !number && is_reserved(packet.name) ? "an EVENT with a reserved name" : nullptr;
  }

  DecodeLimits limits_;
  bytes::Outline outline_;
  std::string name_;
};

/// Replaces placeholders by their attachments. false: a placeholder is malformed, or the copies would take more than
/// `budget` bytes, since placeholders may name one attachment repeatedly. The guard has limited the depth of `value`.
inline bool replace_placeholders(json& value, const std::vector<std::string>& attachments, std::size_t& budget) {
  if (value.is_array()) {
    for (json& element : value)
      if (!replace_placeholders(element, attachments, budget)) return false;
    return true;
  }
  if (!value.is_object()) return true;
  const auto mark = value.find("_placeholder");
  if (mark == value.end() || *mark != json(true)) {
    for (auto& [key, member] : value.items())
      if (!replace_placeholders(member, attachments, budget)) return false;
    return true;
  }
  const auto num = value.find("num");
  if (num == value.end() || !num->is_number()) return false;
  const double index = num->get<double>();
  if (!(index >= 0) || index >= static_cast<double>(attachments.size()) || index != std::floor(index)) return false;
  const std::string& bytes = attachments[static_cast<std::size_t>(index)];
  if (bytes.size() > budget) return false;
  budget -= bytes.size();
  value = json::binary(json::binary_t::container_type(bytes.begin(), bytes.end()));
  return true;
}

/// Replaces placeholders, with a budget of twice the attachments' size and 1 KiB.
inline bool replace_placeholders(json& value, const std::vector<std::string>& attachments) {
  std::size_t budget = 1024;
  for (const auto& attachment : attachments) budget += 2 * attachment.size();
  return replace_placeholders(value, attachments, budget);
}

/// The arguments of an event or an ack: JSON text that the guard has accepted, parsed only on demand.
class Arguments {
 public:
  /// For an event or ack without binary. `elements` must outlive this object.
  explicit Arguments(std::span<const std::string_view> elements) : texts_(elements) {}
  /// For one with binary, its placeholders replaced.
  explicit Arguments(json::array_t values) : values_(std::move(values)), parsed_(true) {}

  std::size_t size() const { return parsed_ ? values_.size() : texts_.size(); }
  /// The argument as JSON text; empty if the packet has binary.
  std::string_view text(std::size_t i) const { return parsed_ ? std::string_view() : texts_[i]; }
  /// The argument as a value; see parse().
  json value(std::size_t i) const { return parsed_ ? values_[i] : parse(texts_[i]); }
  /// All arguments. One that parse() discards becomes null.
  json::array_t values() const {
    json::array_t out;
    for (std::size_t i = 0; i < size(); ++i) {
      out.push_back(value(i));
      if (out.back().is_discarded()) out.back() = nullptr;
    }
    return out;
  }

 private:
  std::span<const std::string_view> texts_;
  json::array_t values_;
  bool parsed_ = false;
};

/// An encoded packet: its text, and the binary messages that follow it.
struct Outgoing {
  engineio::MessageRef head;
  std::vector<engineio::MessageRef> attachments{};

  void send_to(engineio::Session& session) const {
    session.send(head);
    for (const auto& attachment : attachments) session.send(attachment);
  }
};

/// Writes values as JSON text, and collects binary as attachments. Chapter 8 adds the C++ types.
struct Writer {
  std::string text;
  std::vector<engineio::MessageRef> attachments;

  Writer() { text.reserve(120); }  // enough for most packets

  void binary(std::string_view bytes) {
    text += "{\"_placeholder\":true,\"num\":";
    bytes::append_integer(text, attachments.size());
    text += '}';
    attachments.push_back(engineio::Message::binary(bytes));
  }

  void value(const json& value) {
    switch (value.type()) {
      case json::value_t::object: return object(value);
      case json::value_t::array: return array(value);
      case json::value_t::string: return bytes::append_string(text, value.get_ref<const std::string&>());
      case json::value_t::boolean: text += value.get<bool>() ? "true" : "false"; return;
      case json::value_t::number_integer: return bytes::append_integer(text, value.get<std::int64_t>());
      case json::value_t::number_unsigned: return bytes::append_integer(text, value.get<std::uint64_t>());
      case json::value_t::number_float: return bytes::append_number(text, value.get<double>());
      case json::value_t::binary: {
        const auto& bytes = value.get_binary();
        return binary({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      }
      default: text += "null";
    }
  }

 private:
  void object(const json& value) {
    char separator = '{';
    for (const auto& [key, member] : value.items()) {
      text += std::exchange(separator, ',');
      bytes::append_string(text, key);
      text += ':';
      this->value(member);
    }
    text += separator == '{' ? "{}" : "}";
  }
  void array(const json& value) {
    char separator = '[';
    for (const json& element : value) {
      text += std::exchange(separator, ',');
      this->value(element);
    }
    text += separator == '[' ? "[]" : "]";
  }
};

/// Makes a packet of the payload in `writer`. `type` is the type without binary: attachments change it.
inline Outgoing encode(PacketType type, std::string_view nsp, std::optional<double> id, Writer&& writer) {
  const bool with_binary = !writer.attachments.empty();
  std::string front{engineio::PacketType::message,
                    static_cast<char>('0' + static_cast<int>(type) + (with_binary ? 3 : 0))},
      number;
  if (with_binary) bytes::append_integer(front, writer.attachments.size()), front += '-';
  if (id) bytes::append_number(number, *id);
  const bool is_main = nsp == "/";
  return {engineio::Message::text({front, is_main ? "" : nsp, is_main ? "" : ",", number, writer.text}),
          std::move(writer.attachments)};
}

}  // namespace socketio

// ================================================================================================
// 8  Typed events
//
// An event is a constant. Its type has the event's name, direction, arguments, and the type of its ack:
//
//     struct Message { std::string from, text; };
//     SIO_DEMO_FIELDS(Message, from, text)
//     inline constexpr sio::ServerToClient<"message", void(Message)> message;
//     inline constexpr sio::ClientToServer<"say", int(Message)> say;
//
// A wrong event, direction or argument does not compile, and the compiler's message names the event. A
// client's payload is checked against the signature before a handler is called:
//
//     42["say",{"from":"a"}]   ->   {"code":"INVALID_PAYLOAD","event":"say","path":"/0/text",
//                                    "message":"say: /0/text is missing: expected a string"}
//
// The path is a JSON Pointer (RFC 6901) into the arguments. The client gets the error as the ack
// {"error":{...}}, or as the event `error` if it asked for no ack. An Error that a handler throws is sent alike.
//
//     C++                                   JSON             checks when it is read, besides
//     bool, integers, floating point        boolean, number  an integer must fit and be whole
//     std::string                           string
//     enum with SIO_DEMO_ENUM               string           one of the names
//     struct with SIO_DEMO_FIELDS           object           all fields that are not optional; others are ignored
//     std::optional<T>                      T or absent      null counts as absent
//     vector, list, deque, set, span        array
//     array, tuple, pair                    array            of exactly that length
//     map<string, T>, unordered_map         object
//     Bytes; vector, array, span of bytes   binary           a byte is std::uint8_t or std::byte
//     json                                  anything
//     RawJson                               anything         no binary; kept as text
//     class with to_json for nlohmann/json  what it writes   see has_checked_from_json
//
// Any other type does not compile, so that no payload is read without a check. A type described by these macros also
// converts to and from json; read<T>(json) reads any of these types, with the same checks.
// ================================================================================================

/// A string as a template argument.
template <std::size_t Size>
struct Name {
  char text[Size]{};
  constexpr Name(const char (&from)[Size]) { std::copy_n(from, Size, text); }  // NOLINT: implicit on purpose
  constexpr std::string_view view() const { return {text, Size - 1}; }
};

namespace detail {

/// An event's name as a type, so that every compiler shows it in the message of a failed assertion.
template <char... Letters>
struct event {};
template <Name Text, std::size_t... I>
event<Text.text[I]...> spell(std::index_sequence<I...>);
template <Name Text>
using spelled = decltype(spell<Text>(std::make_index_sequence<Text.view().size()>{}));
/// One of its arguments, counted from 1, with the types concerned.
template <std::size_t Number, class... Types>
struct argument {};  // NOLINT(readability-identifier-naming): a word in compilers' messages
/// The condition. `About` is what the message of a failed assertion shows.
template <bool Condition, class... About>
inline constexpr bool holds = Condition;
/// The number of the first false condition, counted from 1; 0 if all are true.
constexpr std::size_t first_wrong(std::initializer_list<bool> conditions) {
  std::size_t number = 0;
  for (const bool good : conditions) {
    ++number;
    if (!good) return number;
  }
  return 0;
}
/// The number of the first parameter that is a reference or const; 0 if all are plain values.
template <class... Parameters>
inline constexpr std::size_t not_a_value =
    first_wrong({std::is_same_v<Parameters, std::remove_cvref_t<Parameters>>...});

}  // namespace detail

/// An event that the server emits: ServerToClient<"name", Ack(Arguments...)>; Ack is the type of the client's
/// acknowledgement, or void.
template <Name Text, class Signature>
struct ServerToClient;
template <Name Text, class Answer, class... Parameters>
struct ServerToClient<Text, Answer(Parameters...)> {
  static constexpr std::string_view name = Text.view();
  static_assert(detail::holds<!socketio::is_reserved(name), detail::spelled<Text>>,
                "this name is reserved by Socket.IO: choose another one for the event");
  static_assert(detail::holds < detail::not_a_value<Parameters...> == 0, detail::spelled<Text>,
                detail::argument < detail::not_a_value<Parameters...>, Parameters... >>,
                "an event's arguments are values: take std::string, not const std::string&");
};

/// An event that clients emit: ClientToServer<"name", Ack(Arguments...)>; Ack is the type that the handler
/// returns, or void if the event is never acknowledged.
template <Name Text, class Signature>
struct ClientToServer;
template <Name Text, class Answer, class... Parameters>
struct ClientToServer<Text, Answer(Parameters...)> {
  static constexpr std::string_view name = Text.view();
  static_assert(detail::holds<!socketio::is_reserved(name), detail::spelled<Text>>,
                "this name is reserved by Socket.IO: choose another one for the event");
  static_assert(detail::holds < detail::not_a_value<Parameters...> == 0, detail::spelled<Text>,
                detail::argument < detail::not_a_value<Parameters...>, Parameters... >>,
                "an event's arguments are values: take std::string, not const std::string&");
};

/// A JSON value as unparsed text. As a handler's argument it is the client's text, checked but not parsed; when
/// emitted, the text is written unchanged. Relaying a value needs no JSON tree, and keeps the order of keys and every
/// digit.
class RawJson {
 public:
  RawJson() = default;
  /// Throws std::invalid_argument if the text is not one JSON value, at most 64 levels deep, or not UTF-8.
  explicit RawJson(std::string text) : text_(std::move(text)) {
    const char* why = bytes::utf8_valid(text_) ? bytes::Outline({64, text_.size() + 1}).read(text_) : "it is not UTF-8";
    if (why) throw std::invalid_argument(std::string("cannot make a RawJson of a text: ") + why);
  }
  /// For text that a decoder has checked already.
  static RawJson checked(std::string_view text) {
    RawJson out;
    out.text_ = text;
    return out;
  }
  const std::string& text() const { return text_; }
  /// The parsed value; discarded if it has a number beyond the range of double.
  json value() const { return socketio::parse(text_); }

 private:
  std::string text_ = "null";
};

/// What is wrong with a payload, and where: the path is a JSON Pointer into the arguments.
struct Fault {
  std::string path;
  std::string what;

  /// Sets the fault. Returns false, the result of a failed read.
  bool set(std::string text) {
    path.clear();
    what = std::move(text);
    return false;
  }
  /// Prepends a step to the path, while a failed read returns from a nested value.
  bool within(std::string_view step) {
    std::string escaped = "/";
    for (const char c : step) escaped += c == '~' ? "~0" : c == '/' ? "~1" : std::string_view(&c, 1);
    path.insert(0, escaped);
    return false;
  }
};

/// A handler throws it to refuse an event. The client gets it as the ack {"error":{...}}, or as the event `error`
/// if it asked for no ack. For any other exception, the client is told only that the server failed.
///
///     throw sio::Error("the room is full", "ROOM_FULL", {{"seats", 8}});
///     43/chat,1[{"error":{"message":"the room is full","code":"ROOM_FULL","event":"join","data":{"seats":8}}}]
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, std::string its_code = "APPLICATION_ERROR", json its_data = nullptr)
      : std::runtime_error(message), code(std::move(its_code)), data(std::move(its_data)) {}
  /// For an invalid payload.
  explicit Error(const Fault& fault)
      : Error((fault.path.empty() ? "the value" : fault.path) + " " + fault.what, "INVALID_PAYLOAD") {
    path = fault.path;
  }

  std::string code;
  json data;                          // null: not sent
  std::optional<std::string> path{};  // where a payload is wrong, as a JSON Pointer
};

/// Set it to true for a type whose from_json (for nlohmann/json) checks all that it reads, and throws if it is invalid.
/// Without it, from_json is not called for clients' payloads, because nlohmann's get<int>() casts any number,
/// unchecked.
///
///     template <>
///     inline constexpr bool sio_demo::has_checked_from_json<Kelvin> = true;
template <class T>
inline constexpr bool has_checked_from_json = false;

namespace detail {  // Not API: everything here may change.

template <class>
inline constexpr bool always_false = false;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

/// One field of a struct, or one value of an enum, with its JSON name.
template <class Member>
struct Named {
  std::string_view name;
  Member member;
};
template <class Member>
Named(std::string_view, Member) -> Named<Member>;

/// Selects the description of exactly this type: unlike a pointer, it does not convert to that of a base.
template <class T>
struct Tag {};

/// How values of a type are converted to and from JSON: one specialisation for each kind of types.
///     expected()                   the expected value in a fault's words: "a string"
///     typescript(out)              the type in TypeScript
///     write(out, value)            writes it as JSON text
///     read(json, value, fault)     reads it from a JSON value of any type; false: it is invalid, and the fault says
///                                  where, unless it is invalid as a whole
/// A type without one cannot be sent; one without read() cannot be received.
template <class T>
struct Kind {};
template <class T>
concept Writable = requires(socketio::Writer& out, const T& value) { Kind<T>::write(out, value); };
template <class T>
concept Readable = requires(const json& value, T& out, Fault& fault) { Kind<T>::read(value, out, fault); };

template <class T>
concept HasFields = requires { sio_demo_fields(Tag<T>{}); };
template <class T>
concept HasNames = requires { sio_demo_names(Tag<T>{}); };
template <class T>
inline constexpr bool is_character =
    std::is_same_v<T, char> || std::is_same_v<T, wchar_t> || std::is_same_v<T, char8_t> ||
    std::is_same_v<T, char16_t> || std::is_same_v<T, char32_t>;
template <class T>
concept Text = std::is_convertible_v<const T&, std::string_view> && !HasFields<T>;
template <class T>
concept Byte = std::is_same_v<T, std::uint8_t> || std::is_same_v<T, std::byte>;
/// A class with a to_json of the user. Containers are excluded: nlohmann/json converts them, too, but without checks.
template <class T>
concept WritesItself =
    std::is_class_v<T> && !HasFields<T> && !Text<T> && std::is_convertible_v<const T&, json> &&
    (has_checked_from_json<T> || !(requires { typename T::value_type; } || requires { std::tuple_size<T>::value; }));

/// The compile-time error for a type without a Kind, or whose Kind has no read().
template <class T, class... About>
void refuse_type() {
  static_assert(holds<!is_character<T>, T, About...>,
                "a character has no JSON form: take std::string, or std::int8_t for a number");
  static_assert(holds < is_character<T> || Writable<T>, T, About... >,
                "this type has no JSON form: describe it with SIO_DEMO_FIELDS or SIO_DEMO_ENUM");
  static_assert(holds<!Writable<T>, T, About...>,
                "this type has no JSON form that is checked when it is read: describe it with SIO_DEMO_FIELDS or "
                "SIO_DEMO_ENUM; if its from_json checks all that it reads, see sio_demo::has_checked_from_json");
}

template <class T>
void write(socketio::Writer& out, const T& value) {
  if constexpr (Writable<T>) Kind<T>::write(out, value);
  else refuse_type<T>();
}

/// Reads a JSON value, checking it at every level. false: it is invalid, and the fault says where.
template <class T>
bool read(const json& value, T& out, Fault& fault) {
  if constexpr (Readable<T>) {
    if (value.is_discarded()) return fault.set("is not a value that can be represented");
    if (Kind<T>::read(value, out, fault)) return true;
    if (fault.what.empty()) fault.set("is not " + Kind<T>::expected());
  } else refuse_type<T>();
  return false;
}

/// The descriptions that a Kind of plain values has.
template <Name Expected, Name TypeScript>
struct Says {
  static std::string expected() { return Expected.text; }
  static std::string typescript(auto&) { return TypeScript.text; }
};

template <>
struct Kind<json> : Says<"a value", "unknown"> {
  static void write(socketio::Writer& out, const json& value) { out.value(value); }
  static bool read(const json& value, json& out, Fault&) {
    out = value;
    return true;
  }
};

template <>
struct Kind<RawJson> : Says<"a value without binary", "unknown"> {
  static void write(socketio::Writer& out, const RawJson& value) { out.text += value.text(); }
  static bool read(const json& value, RawJson& out, Fault&) {
    socketio::Writer writer;
    writer.value(value);
    out = RawJson::checked(writer.text);
    return writer.attachments.empty();
  }
  /// Reads the argument from its text without parsing it. false: it must be parsed.
  static bool read_text(std::string_view text, RawJson& out) {
    out = RawJson::checked(text);
    return true;
  }
};

template <>
struct Kind<std::nullptr_t> {
  static std::string typescript(auto&) { return "null"; }
  static void write(socketio::Writer& out, std::nullptr_t) { out.text += "null"; }
};

template <>
struct Kind<bool> : Says<"true or false", "boolean"> {
  static void write(socketio::Writer& out, bool value) { out.text += value ? "true" : "false"; }
  static bool read(const json& value, bool& out, Fault&) {
    if (value.is_boolean()) out = value.get<bool>();
    return value.is_boolean();
  }
};

template <class T>
requires(std::is_integral_v<T> && !is_character<T>) struct Kind<T> {
  static std::string expected() {
    return "a whole number from " + std::to_string((std::numeric_limits<T>::min)()) + " to " +
           std::to_string((std::numeric_limits<T>::max)());
  }
  static std::string typescript(auto&) { return "number"; }
  static void write(socketio::Writer& out, T value) { bytes::append_integer(out.text, value); }
  static bool read(const json& value, T& out, Fault&) {
    if (value.is_number_unsigned()) return take(value.get<std::uint64_t>(), out);
    if (value.is_number_integer()) return take(value.get<std::int64_t>(), out);
    if (!value.is_number_float()) return false;  // 1e3 and 5.0 are whole numbers, too
    const auto number = value.get<double>();
    return number == std::floor(number) && std::abs(number) <= 9007199254740992.0 &&
           take(static_cast<std::int64_t>(number), out);
  }

 private:
  static bool take(auto number, T& out) {
    if (std::in_range<T>(number)) out = static_cast<T>(number);
    return std::in_range<T>(number);
  }
};

template <class T>
requires std::is_floating_point_v<T> struct Kind<T> : Says<"a number", "number"> {
  static void write(socketio::Writer& out, T value) { bytes::append_number(out.text, static_cast<double>(value)); }
  static bool read(const json& value, T& out, Fault&) {
    if (!value.is_number() || std::abs(value.get<double>()) > static_cast<double>((std::numeric_limits<T>::max)()))
      return false;
    out = static_cast<T>(value.get<double>());
    return true;
  }
};

template <Text T>
struct Kind<T> : Says<"a string", "string"> {
  static void write(socketio::Writer& out, const T& value) { bytes::append_string(out.text, value); }
  static bool read(const json& value, T& out, Fault&) requires std::is_same_v<T, std::string> {
    if (value.is_string()) out = value.get_ref<const std::string&>();
    return value.is_string();
  }
  static bool read_text(std::string_view text, T& out) requires std::is_same_v<T, std::string> {
    if (!text.starts_with('"') || text.find('\\') != text.npos) return false;
    out = text.substr(1, text.size() - 2);
    return true;
  }
};

/// Contiguous bytes.
struct Binary {
  static std::string expected() { return "binary"; }
  static std::string typescript(auto& out) { return out.bytes(); }
  static void write(socketio::Writer& out, const auto& value) {
    out.binary({reinterpret_cast<const char*>(value.data()), value.size()});
  }
};
template <Byte B, class Allocator>
struct Kind<std::vector<B, Allocator>> : Binary {
  static bool read(const json& value, std::vector<B, Allocator>& out, Fault&) {
    if (!value.is_binary()) return false;
    const auto* bytes = reinterpret_cast<const B*>(value.get_binary().data());
    out.assign(bytes, bytes + value.get_binary().size());
    return true;
  }
};
template <Byte B, std::size_t Size>
struct Kind<std::array<B, Size>> : Binary {
  static std::string expected() { return "binary of " + std::to_string(Size) + " bytes"; }
  static bool read(const json& value, std::array<B, Size>& out, Fault&) {
    if (!value.is_binary() || value.get_binary().size() != Size) return false;
    std::copy_n(reinterpret_cast<const B*>(value.get_binary().data()), Size, out.data());
    return true;
  }
};

/// Any number of values of one type.
template <class T>
struct List {
  static std::string expected() { return "an array"; }
  static std::string typescript(auto& out) { return "Array<" + out.template type<T>() + ">"; }
  static void write(socketio::Writer& out, const auto& values) {
    char separator = '[';
    for (const T& value : values) {
      out.text += std::exchange(separator, ',');
      detail::write(out, value);
    }
    out.text += separator == '[' ? "[]" : "]";
  }
  /// Reads each element, and calls put() with it, in order.
  static bool read_each(const json& values, Fault& fault, auto put) {
    if (!values.is_array()) return false;
    for (std::size_t i = 0; i < values.size(); ++i) {
      T value{};
      if (!detail::read(values[i], value, fault)) return fault.within(std::to_string(i));
      put(std::move(value));
    }
    return true;
  }
};
template <class C, class T>
concept ListOf = std::is_same_v<typename C::value_type, T> && Writable<T> && requires(const C& list) {
  list.begin();
  list.end();
};
template <template <class...> class C, class T, class... Rest>
requires ListOf<C<T, Rest...>, T> struct Kind<C<T, Rest...>> : List<T> {
  using Type = C<T, Rest...>;
  static bool read(const json& value, Type& out, Fault& fault)
      requires Readable<T> && requires(T element) { out.insert(out.end(), std::move(element)); } {
    return List<T>::read_each(value, fault, [&](T&& element) { out.insert(out.end(), std::move(element)); });
  }
};
template <class T, std::size_t Size>
requires Writable<std::remove_const_t<T>> || Byte<std::remove_const_t<T>> struct Kind<std::span<T, Size>>
    : std::conditional_t<Byte<std::remove_const_t<T>>, Binary, List<std::remove_const_t<T>>> {};
template <Writable T, std::size_t Size>
requires(!Byte<T>) struct Kind<std::array<T, Size>> : List<T> {
  static std::string expected() { return "an array of " + std::to_string(Size) + " elements"; }
  static std::string typescript(auto& out) {
    std::string types;
    for (std::size_t i = 0; i < Size; ++i) types += (i > 0 ? ", " : "") + out.template type<T>();
    return '[' + types + ']';
  }
  static bool read(const json& value, std::array<T, Size>& out, Fault& fault) requires Readable<T> {
    std::size_t i = 0;
    return value.size() == Size &&
           List<T>::read_each(value, fault, [&](T&& element) { out[i++] = std::move(element); });
  }
};

/// A tuple, or a pair.
template <class... T>
struct Tuple {
  static std::string expected() { return "an array of " + std::to_string(sizeof...(T)) + " elements"; }
  static std::string typescript(auto& out) {
    std::string types;
    ((types += (types.empty() ? "" : ", ") + out.template type<T>()), ...);
    return '[' + types + ']';
  }
  static void write(socketio::Writer& out, const auto& value) {
    char separator = '[';
    const auto add = [&](const auto& element) {
      out.text += std::exchange(separator, ',');
      detail::write(out, element);
    };
    std::apply([&](const auto&... element) { (add(element), ...); }, value);
    out.text += separator == '[' ? "[]" : "]";
  }
  static bool read(const json& value, auto& out, Fault& fault) requires(Readable<T> && ...) {
    if (!value.is_array() || value.size() != sizeof...(T)) return false;
    std::size_t i = 0;
    const auto take = [&](auto& element) {
      if (!detail::read(value[i], element, fault)) return fault.within(std::to_string(i));
      ++i;
      return true;
    };
    return std::apply([&](auto&... element) { return (take(element) && ...); }, out);
  }
};
template <Writable... T>
struct Kind<std::tuple<T...>> : Tuple<T...> {};
template <Writable First, Writable Second>
struct Kind<std::pair<First, Second>> : Tuple<First, Second> {};

template <Writable T>
struct Kind<std::optional<T>> {
  static std::string expected() { return Kind<T>::expected(); }
  static std::string typescript(auto& out) { return out.template type<T>() + " | null"; }
  static void write(socketio::Writer& out, const std::optional<T>& value) {
    if (value) detail::write(out, *value);
    else out.text += "null";
  }
  static bool read(const json& value, std::optional<T>& out, Fault& fault) requires Readable<T> {
    out.reset();
    return value.is_null() || detail::read(value, out.emplace(), fault);
  }
};

/// Writes the members of an object.
struct ObjectWriter {
  socketio::Writer& out;
  char separator = '{';

  template <class T>
  void add(std::string_view name, const T& value) {
    if constexpr (is_optional<T>) {
      if (value) add(name, *value);
    } else {
      out.text += std::exchange(separator, ',');
      bytes::append_string(out.text, name);
      out.text += ':';
      detail::write(out, value);
    }
  }
  void end() { out.text += separator == '{' ? "{}" : "}"; }
};

/// A map from strings, ordered or not.
template <template <class...> class Map, Writable T, class... Rest>
requires requires(Map<std::string, T, Rest...>& map, T value) { map.insert_or_assign(std::string(), std::move(value)); }
struct Kind<Map<std::string, T, Rest...>> {
  using Type = Map<std::string, T, Rest...>;
  static std::string expected() { return "an object"; }
  static std::string typescript(auto& out) { return "Record<string, " + out.template type<T>() + ">"; }
  static void write(socketio::Writer& out, const Type& value) {
    ObjectWriter object{out};
    for (const auto& [key, member] : value) object.add(key, member);
    object.end();
  }
  static bool read(const json& value, Type& out, Fault& fault) requires Readable<T> {
    if (!value.is_object()) return false;
    for (const auto& [key, member] : value.items())
      if (!detail::read(member, out[key], fault)) return fault.within(key);
    return true;
  }
};

template <HasNames T>
struct Kind<T> {
  static constexpr auto names = sio_demo_names(Tag<T>{});
  /// All names, each in quotes.
  static std::string list(std::string_view separator) {
    std::string out;
    for (const auto& named : names) {
      if (!out.empty()) out += separator;
      bytes::append_string(out, named.name);
    }
    return out;
  }
  static std::string expected() { return "one of " + list(" "); }
  static std::string typescript(auto& out) {
    return out.template declared<T>(
        [](const std::string& name) { return "export type " + name + " = " + list(" | ") + ";\n"; });
  }
  static void write(socketio::Writer& out, T value) {
    for (const auto& named : names)
      if (named.member == value) return bytes::append_string(out.text, named.name);
    out.text += "null";
  }
  static bool read(const json& value, T& out, Fault&) {
    const auto* text = value.get_ptr<const std::string*>();
    const auto named =
        std::find_if(names.begin(), names.end(), [&](const auto& one) { return text && one.name == *text; });
    if (named != names.end()) out = named->member;
    return named != names.end();
  }
};

template <HasFields T>
struct Kind<T> {
  static constexpr auto fields = sio_demo_fields(Tag<T>{});
  static std::string expected() { return "an object"; }
  static std::string typescript(auto& out) {
    return out.template declared<T>([&](const std::string& name) {
      std::string members;
      const auto add = [&](const auto& field) {
        using Type = std::remove_cvref_t<decltype(std::declval<T&>().*field.member)>;
        members += "  " + out.key(field.name) + (is_optional<Type> ? "?: " : ": ") + out.template type<Type>() + ";\n";
      };
      std::apply([&](const auto&... field) { (add(field), ...); }, fields);
      return "export interface " + name + " {\n" + members + "}\n";
    });
  }
  static void write(socketio::Writer& out, const T& value) {
    ObjectWriter object{out};
    std::apply([&](const auto&... field) { (object.add(field.name, value.*field.member), ...); }, fields);
    object.end();
  }
  static bool read(const json& value, T& out, Fault& fault) {
    if (!value.is_object()) return false;
    return std::apply([&](const auto&... field) { return (take(value, field.name, out.*field.member, fault) && ...); },
                      fields);
  }

 private:
  template <class Member>
  static bool take(const json& object, std::string_view name, Member& out, Fault& fault) {
    const auto found = object.find(name);
    if (found != object.end()) return detail::read(*found, out, fault) || fault.within(name);
    if constexpr (is_optional<Member>) return true;
    else return fault.set("is missing: expected " + Kind<Member>::expected()), fault.within(name);
  }
};

template <WritesItself T>
struct Kind<T> : Says<"a valid value", "unknown"> {
  static void write(socketio::Writer& out, const T& value) { out.value(json(value)); }
  static bool read(const json& value, T& out, Fault&) requires has_checked_from_json<T> {
    try {
      value.get_to(out);
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }
};

/// Reads an argument, from its text without parsing if its type allows that.
template <class T>
bool read_argument(const socketio::Arguments& arguments, std::size_t i, T& out, Fault& fault) {
  if (i < arguments.size()) {
    if constexpr (requires(std::string_view text) { Kind<T>::read_text(text, out); })
      if (const auto text = arguments.text(i); !text.empty() && Kind<T>::read_text(text, out)) return true;
    return read(arguments.value(i), out, fault) || fault.within(std::to_string(i));
  }
  if constexpr (is_optional<T>) return true;
  else return fault.set("is missing: expected " + Kind<T>::expected()), fault.within(std::to_string(i));
}

/// Reads all arguments of an event. More arguments than the signature has are a fault.
template <class... T>
bool read_arguments(const socketio::Arguments& arguments, std::tuple<T...>& out, Fault& fault) {
  constexpr std::size_t most = sizeof...(T);
  if (arguments.size() > most) {
    fault.set("is one too many: expected " + (most == 0   ? "no arguments"
                                              : most == 1 ? "1 argument"
                                                          : std::to_string(most) + " arguments"));
    return fault.within(std::to_string(most));
  }
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return (read_argument(arguments, I, std::get<I>(out), fault) && ...);
  }(std::index_sequence_for<T...>{});
}

/// Whether a C++ value can be passed for an event's parameter: it converts implicitly, but not from floating point to
/// an integer, not from a pointer to bool, and not from json to another type, since nlohmann's conversions check too
/// little.
template <class From, class To>
inline constexpr bool fits = std::is_convertible_v<From, To> &&
                             !(std::is_floating_point_v<std::remove_cvref_t<From>> && std::is_integral_v<To>) &&
                             !(std::is_same_v<To, bool> &&
                               (std::is_pointer_v<std::decay_t<From>> || std::is_null_pointer_v<std::decay_t<From>>)) &&
                             (!std::is_same_v<std::remove_cvref_t<From>, json> || std::is_same_v<To, json> ||
                              std::is_same_v<To, std::optional<json>>);

/// Converts written text and its attachments to a json value; null if parse() discards it.
json value_of(const socketio::Writer& written);
template <class T>
json value_of(const T& value) {
  socketio::Writer writer;
  write(writer, value);
  return value_of(writer);
}

#if SIO_DEMO_BODIES
SIO_DEMO_INLINE json value_of(const socketio::Writer& written) {
  json value = socketio::parse(written.text);
  std::vector<std::string> attachments;
  attachments.reserve(written.attachments.size());
  for (const auto& attachment : written.attachments) attachments.emplace_back(attachment->payload());
  if (!attachments.empty()) socketio::replace_placeholders(value, attachments);
  return value.is_discarded() ? json() : value;
}
#endif  // SIO_DEMO_BODIES

}  // namespace detail

/// Reads a JSON value with the checks of an event's argument: read<Message>(arguments.at(0)). Throws an Error with code
/// INVALID_PAYLOAD that says where the value is wrong. If a handler does not catch it, it is sent to the client.
template <class T>
T read(const json& value) {
  T out{};
  Fault fault;
  if (!detail::read(value, out, fault)) throw Error(fault);
  return out;
}

// ---- The macros that describe a user's types. Up to 64 names; use them in the type's own namespace.

// Expands `what` for each name without recursion, because compilers report an error in a name once per enclosing macro.
#define SIO_DEMO_ONE(what, type, ...) __VA_OPT__(what(type, __VA_ARGS__), )
#define SIO_DEMO_EIGHT(what, type, a, b, c, d, e, f, g, h) \
  SIO_DEMO_ONE(what, type, a)                              \
  SIO_DEMO_ONE(what, type, b)                              \
  SIO_DEMO_ONE(what, type, c)                              \
  SIO_DEMO_ONE(what, type, d)                              \
  SIO_DEMO_ONE(what, type, e)                              \
  SIO_DEMO_ONE(what, type, f)                              \
  SIO_DEMO_ONE(what, type, g)                              \
  SIO_DEMO_ONE(what, type, h)
#define SIO_DEMO_64(what, type, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, \
                    a20, a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32, a33, a34, a35, a36, a37, a38,    \
                    a39, a40, a41, a42, a43, a44, a45, a46, a47, a48, a49, a50, a51, a52, a53, a54, a55, a56, a57,    \
                    a58, a59, a60, a61, a62, a63, a64, more, ...)                                                     \
  SIO_DEMO_EIGHT(what, type, a1, a2, a3, a4, a5, a6, a7, a8)                                                          \
  SIO_DEMO_EIGHT(what, type, a9, a10, a11, a12, a13, a14, a15, a16)                                                   \
  SIO_DEMO_EIGHT(what, type, a17, a18, a19, a20, a21, a22, a23, a24)                                                  \
  SIO_DEMO_EIGHT(what, type, a25, a26, a27, a28, a29, a30, a31, a32)                                                  \
  SIO_DEMO_EIGHT(what, type, a33, a34, a35, a36, a37, a38, a39, a40)                                                  \
  SIO_DEMO_EIGHT(what, type, a41, a42, a43, a44, a45, a46, a47, a48)                                                  \
  SIO_DEMO_EIGHT(what, type, a49, a50, a51, a52, a53, a54, a55, a56)                                                  \
  SIO_DEMO_EIGHT(what, type, a57, a58, a59, a60, a61, a62, a63, a64)                                                  \
  SIO_DEMO_ONE(SIO_DEMO_TAKES_AT_MOST_64_NAMES, type, more)
#define SIO_DEMO_EACH(what, type, ...)                                                                                 \
  SIO_DEMO_64(what, type, __VA_ARGS__, , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , \
              , , , , , , , , , , , , , , , , , , , , , , , , )
// These to_json and from_json let nlohmann/json convert the type: json{{"at", Point{}}}, value.get<Point>(). same_as
// excludes derived types.
#define SIO_DEMO_DESCRIBED(Type)                                                                               \
  [[maybe_unused]] constexpr ::std::string_view sio_demo_name(::sio_demo::detail::Tag<Type>) { return #Type; } \
  template <::std::same_as<Type> SioDemoType>                                                                  \
  void to_json(::sio_demo::json& sio_demo_json, const SioDemoType& sio_demo_value) {                           \
    sio_demo_json = ::sio_demo::detail::value_of(sio_demo_value);                                              \
  }                                                                                                            \
  template <::std::same_as<Type> SioDemoType>                                                                  \
  void from_json(const ::sio_demo::json& sio_demo_json, SioDemoType& sio_demo_value) {                         \
    sio_demo_value = ::sio_demo::read<SioDemoType>(sio_demo_json);                                             \
  }
#define SIO_DEMO_NAMED_FIELD(type, field) \
  ::sio_demo::detail::Named { #field, &type::field }
#define SIO_DEMO_NAMED_VALUE(type, value) \
  ::sio_demo::detail::Named { #value, type::value }

/// SIO_DEMO_FIELDS(Type, field...): the struct is sent as an object with these fields.
#define SIO_DEMO_FIELDS(Type, ...)                                                 \
  [[maybe_unused]] constexpr auto sio_demo_fields(::sio_demo::detail::Tag<Type>) { \
    return ::std::tuple{SIO_DEMO_EACH(SIO_DEMO_NAMED_FIELD, Type, __VA_ARGS__)};   \
  }                                                                                \
  SIO_DEMO_DESCRIBED(Type)

/// SIO_DEMO_ENUM(Type, value...): the enum is sent as a string, the name of its value.
#define SIO_DEMO_ENUM(Type, ...)                                                  \
  [[maybe_unused]] constexpr auto sio_demo_names(::sio_demo::detail::Tag<Type>) { \
    return ::std::array{SIO_DEMO_EACH(SIO_DEMO_NAMED_VALUE, Type, __VA_ARGS__)};  \
  }                                                                               \
  SIO_DEMO_DESCRIBED(Type)

// ---- TypeScript declarations of events

namespace detail {

/// Collects the TypeScript declarations of events, and of the structs and enums that they use.
class TypeScript {
 public:
  template <class T>
  std::string type() {
    if constexpr (Writable<T>) return Kind<T>::typescript(*this);
    else return refuse_type<T>(), "";
  }
  std::string bytes() {
    uses_bytes_ = true;
    return "Bytes";
  }
  /// The TypeScript name of a struct or enum. At the first call, adds declare(name) to the declarations.
  template <class T, class Declare>
  std::string declared(Declare declare) {
    const auto [known, fresh] = names_.try_emplace(&tag<T>);
    if (!fresh) return known->second;
    const std::string name = known->second = free_name(sio_demo_name(Tag<T>{}));
    declarations_.push_back(declare(name));  // after the name is known, since a struct may contain itself
    return name;
  }
  static std::string key(std::string_view name) {
    const auto in_word = [](char c) { return bytes::is_alnum_or(c, "_$"); };
    std::string quoted;
    bytes::append_string(quoted, name);
    const bool plain =
        !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::all_of(name.begin(), name.end(), in_word);
    return plain ? std::string(name) : quoted;
  }

  template <Name Text, class Answer, class... Parameters>
  void add(const ServerToClient<Text, Answer(Parameters...)>&) {
    to_client_ += event<Answer, Parameters...>(Text.view());
  }
  template <Name Text, class Answer, class... Parameters>
  void add(const ClientToServer<Text, Answer(Parameters...)>&) {
    to_server_ += event<Answer, Parameters...>(Text.view());
  }

  std::string text() const {
    std::string out =
        "// The events of the server. In a client:\n"
        "//   const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io(url);\n"
        "// Instead of its answer, an ack brings { error: { code, message } } if the server refused the event or "
        "failed.\n\n";
    if (uses_bytes_)
      out += "/** Browsers get an ArrayBuffer, Node.js a Buffer. */\nexport type Bytes = ArrayBuffer | Uint8Array;\n\n";
    for (const auto& declaration : declarations_) out += declaration + '\n';
    return out + "export interface ServerToClientEvents {\n" + to_client_ +
           "}\n\nexport interface ClientToServerEvents {\n" + to_server_ + "}\n";
  }

 private:
  /// Its address identifies the type T.
  template <class T>
  static constexpr char tag{};

  /// `demo::Pong` becomes Pong; a second type of that name becomes Pong2.
  std::string free_name(std::string_view qualified) {
    const auto colon = qualified.rfind(':');
    const std::string name(colon == qualified.npos ? qualified : qualified.substr(colon + 1));
    std::string free = name;
    for (int number = 2; !taken_.insert(free).second; ++number) free = name + std::to_string(number);
    return free;
  }

  template <class Answer, class... Parameters>
  std::string event(std::string_view name) {
    struct Parameter {
      std::string type;
      bool optional;
    };
    std::vector<Parameter> parameters{
        {type<std::remove_cvref_t<Parameters>>(), is_optional<std::remove_cvref_t<Parameters>>}...};
    bool optional = std::is_void_v<Answer>;  // only trailing parameters may be omitted
    for (auto parameter = parameters.rbegin(); parameter != parameters.rend(); ++parameter)
      parameter->optional = optional = optional && parameter->optional;
    std::string out = "  " + key(name) + ": (";
    std::size_t number = 0;
    for (const auto& parameter : parameters) {
      if (number > 0) out += ", ";
      out += "value" + std::to_string(++number) + (parameter.optional ? "?: " : ": ") + parameter.type;
    }
    if constexpr (!std::is_void_v<Answer>)
      out += (number > 0 ? ", ack: (answer: " : "ack: (answer: ") + type<Answer>() + ") => void";
    return out + ") => void;\n";
  }

  std::map<const char*, std::string> names_;  // of declared types, by their tags
  std::set<std::string> taken_{"Array",  "ArrayBuffer",          "Bytes",     "ClientToServerEvents",
                               "Record", "ServerToClientEvents", "Uint8Array"};
  std::vector<std::string> declarations_;
  std::string to_client_, to_server_;
  bool uses_bytes_ = false;
};

}  // namespace detail

/// The interfaces ServerToClientEvents and ClientToServerEvents of these events, for a client in TypeScript:
/// write(file, sio::typescript(message, say)). Types have the names of the C++ structs and enums.
template <class... Events>
std::string typescript(const Events&... events) {
  detail::TypeScript out;
  (out.add(events), ...);
  return out.text();
}

// ================================================================================================
// 9  Server
//
// The public API, with the official server's names in snake_case. A Server has namespaces. A client that
// has joined a namespace is a Socket there. Sockets can join rooms. `emit` sends to a socket, to rooms,
// or to all sockets. One session of chapter 6 carries all sockets of a client.
//
//     C> 40/chat,{"token":"x"}      middlewares run, then
//     S> 40/chat,{"sid":"..."}      the socket exists and is in the room named by its id; then
//                                   the connection handlers run, so that their events come after this packet
//     C> 42/chat,7["say",...]       the event's handler runs; its result is
//     S> 43/chat,7[1]               the ack
//     C> 41/chat,                   the socket leaves its rooms; disconnect handlers run; data<T>() is destroyed
//
// An emit encodes an event once for all recipients. It does not write: messages are queued by reference, and each
// connection is written to once per batch of work.
//
// A server can ask for acks, too. Waiting for an ack is an asynchronous operation of Asio, with a callback, a coroutine
// or a future. It completes with the ack, at the timeout, or when the client disconnects:
//
//     S> 42/chat,5["agree?",{"to":"x"}]    socket.timeout(5s).emit(agree, Terms{"x"}, token)
//     C> 43/chat,5[true]                   token gets (error_code{}, true)
//
// An Adapter keeps the rooms. The default adapter serves this process only; another one can connect several servers to
// a cluster. Connection state recovery (off by default) keeps recent events and the state of disconnected clients, so
// that a client which reconnects in time continues with its id, rooms and data.
//
// Threads: call everything on the thread that runs the event loop; only server.post(f) may be called on any thread.
// Lifetime: a Socket is a handle, cheap to copy. After the disconnect, calls on it have no effect: emits are dropped,
// rooms() is empty. The same is true of the other handles, even after the server is destroyed. A handler may close or
// disconnect anything; the handlers for that run after it has returned, see chapter 3.
// Exceptions: if a handler throws, the other handlers still run. An Error is sent to the client. Any other exception is
// logged, and the client gets the code INTERNAL_ERROR, as the ack {"error":{...}} or as the event `error`.
// ================================================================================================

class Server;
class FakeServer;  // chapter 14
class Namespace;
class Socket;
class Metrics;  // chapter 12
template <class To>
class Timeout;
namespace net {
/// The Asio types that the server uses, all on its event loop.
using Executor = asio::io_context::executor_type;  // a concrete type, which avoids a virtual call per operation
using TcpSocket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using Error = std::error_code;

class Driver;

/// Moves a socket to the server's event loop. Between different Asio executors only the native handle can be moved.
template <class E>
TcpSocket adopt(asio::basic_stream_socket<asio::ip::tcp, E> socket, asio::io_context& loop) {
  const auto check = [](const Error& error) {
    if (error)
      throw std::system_error(error, "cannot serve a connection (its socket must be open, with no operation pending)");
  };
  Error error;
  const auto protocol = socket.local_endpoint(error).protocol();
  check(error);
  if constexpr (std::is_same_v<E, Executor>)
    if (socket.get_executor() == loop.get_executor()) return socket;
  const auto handle = socket.release(error);
  check(error);
  TcpSocket ours(loop.get_executor());
  ours.assign(protocol, handle, error);
  if (Error ignored; error) socket.assign(protocol, handle, ignored);  // so that its destructor closes it
  check(error);
  return ours;
}
}  // namespace net
namespace redis {  // chapter 11
class Bus;
class Link;
}  // namespace redis

/// Passes several arguments to emit() and replies: emit("said", each(words)) sends every word as
/// a separate argument. The list must be valid until the call returns.
struct Each {
  const json::array_t& values;
};
inline Each each(const json::array_t& values) { return {values}; }

/// Why a socket has disconnected. `text` is the official server's reason string; `details` may be empty.
struct Disconnect {
  Reason reason;
  std::string_view details{};
  std::string_view text = row(reason).text;
};

namespace detail {

class Client;
class AckWait;
class Children;
struct Restored;
struct EventTable;
struct SocketState;
struct LiveSocket;
using StatePtr = std::shared_ptr<SocketState>;

/// URL, headers and address of a session's first HTTP request; shared by the client's sockets.
struct ConnectionInfo {
  explicit ConnectionInfo(const http::Request& request)
      : url_end(request.target.size()),
        head_end(url_end + request.head.size()),
        text(std::string(request.target).append(request.head).append(request.address)),
        time(std::chrono::system_clock::now()) {
    text.shrink_to_fit();
  }

  std::string_view url() const { return std::string_view(text).substr(0, url_end); }
  std::string_view head() const { return std::string_view(text).substr(url_end, head_end - url_end); }
  std::string_view address() const { return std::string_view(text).substr(head_end); }

  std::size_t url_end, head_end;
  std::string text;  // URL, headers and address, in one allocation
  std::chrono::system_clock::time_point time;
};

/// A client's request for an ack; without an id, it asked for none. It is answered at most once, during the handler's
/// call or, after share(), later.
struct AckRequest {
  SocketState& state;
  std::optional<double> id;
  mutable std::shared_ptr<bool> done{};  // shared with the Reply objects made from it
  mutable bool answered = false;

  void answer(socketio::Writer&& writer) const;
  const std::shared_ptr<bool>& share() const {
    if (!done) done = std::make_shared<bool>(answered);
    return done;
  }
};

using EventHandler = std::function<void(Socket&, const socketio::Arguments&, const AckRequest&)>;
using AnyHandler = std::function<void(Socket&, std::string_view, const socketio::Arguments&)>;
using ServerSideHandler = std::function<void(const json::array_t& arguments, const std::function<void(json)>& answer)>;

/// A copy-on-write list of handlers: iteration uses a snapshot, so handlers may change the list. This base is
/// independent of the handlers' type, so that it is compiled once.
class HandlerList {
 public:
  struct Entry {
    std::shared_ptr<const void> handler;
    std::shared_ptr<bool> spent;  // for once(): whether the handler has been called; otherwise null
  };
  using List = std::vector<Entry>;

  bool empty() const { return !list_; }
  void clear() { list_.reset(); }
  std::shared_ptr<const List> list() const { return list_; }

 protected:
  void put(std::shared_ptr<const void> handler, bool once) {
    auto next = list_ ? std::make_shared<List>(*list_) : std::make_shared<List>();
    next->push_back({std::move(handler), once ? std::make_shared<bool>(false) : nullptr});
    list_ = std::move(next);
  }
  void drop_spent() {
    if (!list_) return;
    auto next = std::make_shared<List>();
    std::copy_if(list_->begin(), list_->end(), std::back_inserter(*next),
                 [](const Entry& entry) { return !entry.spent || !*entry.spent; });
    list_ = next->empty() ? nullptr : std::move(next);
  }

 private:
  std::shared_ptr<const List> list_;  // null if empty
};

/// Handlers of one type, called in the order in which they were added.
template <class T>
class Handlers : public HandlerList {
 public:
  /// The handler in an entry of such a list.
  static const T& of(const Entry& entry) { return *static_cast<const T*>(entry.handler.get()); }
  void add(T handler, bool once = false) { put(std::make_shared<T>(std::move(handler)), once); }
  template <class F>
  void each(F f) {
    each(f, [] { return true; });
  }
  /// Calls f(handler) for each, until go() returns false.
  template <class F, class Go>
  void each(F f, Go go) {
    bool any_spent = false;
    if (const auto walked = list())
      for (const Entry& entry : *walked) {
        if (!go()) break;
        if (entry.spent && std::exchange(*entry.spent, true)) continue;
        any_spent = any_spent || entry.spent;
        f(of(entry));
      }
    if (any_spent) drop_spent();
  }
};

/// Handlers of events by name, and of all events.
struct EventTable {
  StringMap<Handlers<EventHandler>> by_name;
  Handlers<AnyHandler> any, any_outgoing;
  std::shared_ptr<void> outgoing_token;  // a reference to Namespace::outgoing_token_, while any_outgoing has handlers
  Handlers<std::function<void(Socket&, std::string_view, const socketio::Arguments&, Next)>>
      middlewares;  // of a socket's events
  Handlers<std::function<void(Socket&, const Disconnect&)>> disconnecting, disconnect;
  Handlers<std::function<void(Socket&, const Refuse&)>> error;
  Handlers<std::function<void(Socket&)>> upgrade;
};

struct Room {
  std::vector<SocketState*> members;
};
using Rooms = StringMap<Room>;

/// One room of a socket, and the socket's index in the room's members.
struct Membership {
  Rooms::pointer room;
  std::size_t slot;
};

/// A socket's part in connection state recovery.
struct SocketRecovery {
  std::string pid;                       // the secret by which the client recovers the socket
  std::shared_ptr<Restored> restored{};  // the recovered state, until the socket has joined
};

struct SocketState : std::enable_shared_from_this<SocketState> {
  SocketState(std::shared_ptr<Namespace> its_nsp, Ref<engineio::Session> its_session,
              std::shared_ptr<const ConnectionInfo> its_info, std::string its_id)
      : nsp(*its_nsp),
        session(std::move(its_session)),
        id(std::move(its_id)),
        info(std::move(its_info)),
        keep_nsp(std::move(its_nsp)) {}

  // A socket is not connected until it has joined. `gone`: it has left, or was refused. `ended`: its disconnect
  // handlers have run, too.
  bool connected = false, gone = false, ended = false, recovered = false;
  std::uint32_t mark = 0;  // see RoomIndex::visit
  Namespace& nsp;
  Ref<engineio::Session> session;
  std::shared_ptr<EventTable> events;                                                 // handlers of this socket only
  std::unique_ptr<std::unordered_map<std::uint64_t, std::shared_ptr<AckWait>>> acks;  // acks not yet received, by id
  std::shared_ptr<void> data;
  const void* data_type = nullptr;
  json (*data_json)(const void*) = nullptr;
  std::vector<Membership> rooms;                           // besides the one named by its id
  const std::vector<std::string>* former_rooms = nullptr;  // its former rooms, while its disconnecting handlers run
  std::size_t slot = 0;                                    // in RoomIndex::sockets_
  std::string id;
  std::shared_ptr<const ConnectionInfo> info;
  std::string auth;  // JSON text as the client sent it; empty: none was sent
  std::shared_ptr<Namespace> keep_nsp;
  std::unique_ptr<SocketRecovery> recovery;  // if recovery is on
};

/// The error that a client gets when its event failed.
struct EventError {
  std::string message, code;
  std::optional<std::string> event{}, path{};
  std::optional<std::int64_t> retryAfter{};  // ms
  std::optional<json> data{};
};
SIO_DEMO_FIELDS(EventError, message, code, event, path, retryAfter, data)

/// `[{"error":{...}}]`: the ack of an event that failed.
socketio::Writer error_writer(const EventError& error);
EventError event_error(const Error& error);

/// The auth of a CONNECT with this payload.
inline json auth_of(std::string_view text) { return text.empty() ? json::object() : socketio::parse(text); }

template <class T>
inline constexpr char type_tag = 0;

inline socketio::Writer event_writer(std::string_view name) {
  socketio::Writer writer;
  writer.text = "[";
  bytes::append_string(writer.text, name);
  return writer;
}

/// Appends one argument, or the values of Each, to a JSON list that begins with "[".
template <class T>
void add_argument(socketio::Writer& writer, const T& value) {
  if constexpr (std::is_same_v<T, Each>) {
    for (const json& one : value.values) add_argument(writer, one);
  } else {
    if (writer.text.size() > 1) writer.text += ',';
    write(writer, value);
  }
}

/// Converts the value to the parameter's type, without a copy if it has that type already.
template <class To, class From>
decltype(auto) as(const From& from) {
  if constexpr (std::is_same_v<To, From>) return (from);
  else return static_cast<To>(from);
}

template <class... Values>
socketio::Writer answer_writer(const Values&... values) {
  socketio::Writer writer;
  writer.text = "[";
  (add_argument(writer, values), ...);
  writer.text += ']';
  return writer;
}

}  // namespace detail

/// Sends an event's ack, once. Further calls have no effect, nor have calls for an event that asked for no ack.
/// Copyable; may be kept and called later. Reply<> takes any values, Reply<T> one T.
template <class... Values>
class Reply {
 public:
  explicit Reply(const detail::AckRequest& request) {
    if (request.id) state_ = request.state.shared_from_this(), id_ = *request.id, done_ = request.share();
  }
  /// Whether the client asked for an ack that has not been sent yet.
  explicit operator bool() const { return done_ && !*done_; }

  template <class... Given>
  void operator()(const Given&... values) const {
    if constexpr (sizeof...(Values) == 0) send(detail::answer_writer(values...));
    else {
      constexpr bool fit = [] {
        if constexpr (sizeof...(Given) != sizeof...(Values)) return false;
        else return (detail::fits<const Given&, Values> && ...);
      }();
      static_assert(detail::holds<fit, Reply, Given...>, "this reply takes another type: see the event's signature");
      if constexpr (fit) send(detail::answer_writer(detail::as<Values>(values)...));
    }
  }
  /// Refuses the event, as throwing this Error in the handler does.
  void operator()(const Error& error) const { send(detail::error_writer(detail::event_error(error))); }

 private:
  void send(socketio::Writer&& writer) const {
    if (*this) detail::AckRequest{*state_, id_, done_}.answer(std::move(writer));
  }
  detail::StatePtr state_;
  double id_ = 0;
  std::shared_ptr<bool> done_;
};

namespace detail {

/// Waits for the acks of one event, from one socket or from all recipients of a broadcast. Made by
/// emit_with_ack(); owned by the sockets whose acks are missing. Completes once: with the last ack, at the timeout, or
/// when the last of these sockets disconnects.
class AckWait : public std::enable_shared_from_this<AckWait>, public engineio::Timed {
 public:
  explicit AckWait(Server& server);
  AckWait(const AckWait&) = delete;
  AckWait& operator=(const AckWait&) = delete;
  virtual ~AckWait();

  /// Completes with timed_out after `limit`.
  void arm(Milliseconds limit);
  /// The timeout, if there is one.
  std::optional<Milliseconds> limit() const { return limit_; }
  /// How many acks are missing.
  std::size_t missing() const { return missing_; }
  /// Expects the ack with this id from a socket. false: the socket has max_outstanding_acks missing already.
  bool expect(SocketState& socket, std::uint64_t id);
  /// Expects so many acks from other servers of a cluster.
  void expect(std::size_t elsewhere) { missing_ += elsewhere; }
  /// All expected acks are known: completes as soon as none is missing.
  void seal();
  void answer(const socketio::Arguments& arguments);
  /// One expected ack will not come, for example after a disconnect; the others are still waited for. An empty error:
  /// the ack was not due.
  void lost(std::error_code why = std::make_error_code(std::errc::not_connected));
  void finish(std::error_code error);
  void tick(engineio::Time) override { finish(std::make_error_code(std::errc::timed_out)); }

 protected:
  /// false: the answer is not of the event's type.
  virtual bool take(const socketio::Arguments& arguments) = 0;
  virtual void complete(std::error_code error) = 0;

 private:
  Server* server_;             // null once finished
  std::weak_ptr<void> alive_;  // expires with the server, which may be destroyed before this object
  std::vector<std::weak_ptr<SocketState>> waiting_;
  std::uint64_t id_ = 0;
  std::size_t missing_ = 0;
  std::optional<Milliseconds> limit_;
  std::error_code error_;  // the first error
  bool sealed_ = false;
};

/// The result of emit_with_ack() to one socket: the ack's value, or, for an event by name, all arguments of the ack.
template <class T>
struct OneAnswer {
  using Signature = void(std::error_code, T);
  T value{};
  bool take(const socketio::Arguments& arguments) {
    Fault fault;
    return read_argument(arguments, 0, value, fault);
  }
};
template <>
struct OneAnswer<void> {
  using Signature = void(std::error_code);
  bool take(const socketio::Arguments&) { return true; }
};
struct AllArguments {
  using Signature = void(std::error_code, json::array_t);
  json::array_t value;
  bool take(const socketio::Arguments& arguments) { return value = arguments.values(), true; }
};

/// The result of emit_with_ack() by broadcast: each client's ack, in order of arrival.
template <class T>
struct EachAnswer {
  using Signature = void(std::error_code, std::vector<T>);
  std::vector<T> value;
  bool take(const socketio::Arguments& arguments) {
    Fault fault;
    T one{};
    return read_argument(arguments, 0, one, fault) ? value.push_back(std::move(one)), true : false;
  }
};
template <>
struct EachAnswer<void> : OneAnswer<void> {};
struct FirstArguments {
  using Signature = void(std::error_code, json::array_t);
  json::array_t value;
  bool take(const socketio::Arguments& arguments) {
    value.push_back(arguments.size() > 0 ? arguments.value(0) : json());
    return true;
  }
};

/// Whether a callback takes these arguments; true for other completion tokens, which Asio checks.
template <class Token, class Signature>
inline constexpr bool takes_answer = true;
template <class Token, class... Arguments>
requires requires { &Token::operator(); }
inline constexpr bool takes_answer<Token, void(Arguments...)> = std::is_invocable_v<Token, Arguments...>;

/// Calls a completion handler on its associated executor: directly if that is the server's event loop, else by
/// asio::dispatch. Holds a work guard on the executor until then.
template <class Handler>
class Completion {
 public:
  using Loop = asio::io_context::executor_type;
  using Executor = asio::associated_executor_t<Handler, Loop>;

  Completion(asio::io_context& loop, Handler&& handler)
      : loop_(loop.get_executor()),
        handler_(std::move(handler)),
        work_(asio::get_associated_executor(handler_, loop_)) {}

  Handler& handler() { return handler_; }
  template <class... Results>
  void operator()(Results... results) {
    const auto work = std::move(work_);
    const Executor executor = work.get_executor();
    if constexpr (std::is_same_v<Executor, Loop>)
      if (executor == loop_) return std::move(handler_)(std::move(results)...);
    asio::dispatch(executor, [handler = std::move(handler_), all = std::make_tuple(std::move(results)...)]() mutable {
      std::apply([&](auto&... result) { std::move(handler)(std::move(result)...); }, all);
    });
  }

 private:
  Loop loop_;
  Handler handler_;
  asio::executor_work_guard<Executor> work_;
};

/// An AckWait with its result and completion handler. With Many, no ack at all is not an error: a broadcast may have no
/// recipients. Without, it is not_connected.
template <bool Many, class Answer, class Handler>
class AckWaitFor final : public AckWait {
 public:
  AckWaitFor(Server& server, asio::io_context& loop, Handler&& handler)
      : AckWait(server), completion_(loop, std::move(handler)) {}

  /// Connects the handler's cancellation slot: a cancelled operation completes with operation_canceled.
  void be_cancellable() {
    auto slot = asio::get_associated_cancellation_slot(completion_.handler());
    if (!slot.is_connected()) return;
    slot.assign([self = weak_from_this()](asio::cancellation_type) {
      if (const auto wait = self.lock()) wait->finish(std::make_error_code(std::errc::operation_canceled));
    });
  }

 private:
  bool take(const socketio::Arguments& arguments) override {
    taken_ = true;
    return answer_.take(arguments);
  }
  void complete(std::error_code error) override {
    if (!Many && !taken_ && !error) error = std::make_error_code(std::errc::not_connected);
    if constexpr (requires { answer_.value; }) completion_(error, std::move(answer_.value));
    else completion_(error);
  }

  Answer answer_;
  bool taken_ = false;  // whether an ack has arrived
  Completion<Handler> completion_;
};

/// Completes an operation whose server is destroyed, with not_connected. The server's event loop may be destroyed, too,
/// so only the handler's own executor is used. A plain callback has none: it is called before the asking function
/// returns.
template <class Answer, class Handler>
void complete_orphan(Handler&& handler) {
  const auto executor = asio::get_associated_executor(handler);
  auto complete = [handler = std::forward<Handler>(handler)]() mutable {
    Answer answer;
    const auto error = std::make_error_code(std::errc::not_connected);
    if constexpr (requires { answer.value; }) std::move(handler)(error, std::move(answer.value));
    else std::move(handler)(error);
  };
  if constexpr (std::is_same_v<std::decay_t<decltype(executor)>, asio::system_executor>) complete();
  else asio::post(executor, std::move(complete));
}

/// Calls f(last, others...) with the last argument moved to the front.
template <class F, class... All>
decltype(auto) with_last(F f, All&&... all) {
  static_assert(sizeof...(All) > 0,
                "emit_with_ack: the last argument says what to do with the answer: a callback, asio::use_awaitable, "
                "asio::use_future");
  auto list = std::forward_as_tuple(std::forward<All>(all)...);
  return [&]<std::size_t... I>(std::index_sequence<I...>) -> decltype(auto) {
    return f(std::get<sizeof...(All) - 1>(std::move(list)), std::get<I>(list)...);
  }(std::make_index_sequence<sizeof...(All) - 1>{});
}

/// Writes `["name",values...]`, with the values checked against a typed event's signature.
template <Name Text, class... Parameters, class... Values>
socketio::Writer typed_event(const Values&... values) {
  static_assert(holds<(sizeof...(Values) == sizeof...(Parameters)), spelled<Text>>,
                "emit: another number of arguments than the event has");
  auto writer = event_writer(Text.view());
  if constexpr (sizeof...(Values) == sizeof...(Parameters) && not_a_value<Parameters...> == 0) {
    constexpr auto wrong = first_wrong({(fits<const Values&, Parameters> && Writable<Parameters>)...});
    if constexpr (wrong == 0) (add_argument(writer, as<Parameters>(values)), ...);
    else {
      using Given = std::tuple_element_t<wrong - 1, std::tuple<Values...>>;
      using Wanted = std::tuple_element_t<wrong - 1, std::tuple<Parameters...>>;
      static_assert(holds<!Writable<Wanted>, spelled<Text>, argument<wrong, Given, Wanted>>,
                    "emit: an argument of another type than the event has");
      if constexpr (!Writable<Wanted>) refuse_type<Wanted, spelled<Text>, argument<wrong>>();
    }
  }
  writer.text += ']';
  return writer;
}

/// The same for an event by name. Throws std::invalid_argument for a name that Socket.IO reserves.
template <class... Values>
socketio::Writer named_event(std::string_view name, const Values&... values) {
  if (socketio::is_reserved(name))
    throw std::invalid_argument("cannot emit \"" + std::string(name) +
                                "\": Socket.IO reserves this name, choose another one");
  auto writer = event_writer(name);
  (add_argument(writer, values), ...);
  writer.text += ']';
  return writer;
}

/// Implements emit() and emit_with_ack() of Derived, which has: deliver(Writer&&), which sends an event; `many`,
/// whether several clients may answer; and handle(), the object that an operation keeps, with server(), orphaned() and
/// ask(Writer&&, AckWait).
template <class Derived>
class EventEmitter {
 public:
  /// Emits a typed event. The values must fit its signature: a floating-point value does not convert to an
  /// integer; a wider integer converts to a narrower one by C++'s rules.
  template <Name Text, class Answer, class... Parameters, class... Values>
  void emit(const ServerToClient<Text, Answer(Parameters...)>&, const Values&... values) const {
    derived().deliver(typed_event<Text, Parameters...>(values...));
  }
  template <Name Text, class Signature, class... Values>
  void emit(const ClientToServer<Text, Signature>&, const Values&...) const {
    static_assert(holds<always_false<Signature>, spelled<Text>>,
                  "emit: this event goes from client to server, a server does not emit it");
  }
  /// Emits an event by name, with any values that have a JSON form. Throws std::invalid_argument for
  /// a name that Socket.IO reserves.
  template <class... Values>
  void emit(std::string_view name, const Values&... values) const {
    derived().deliver(named_event(name, values...));
  }

  /// The same with one value in the braces of nlohmann/json: emit("moved", {{"x", 1}, {"y", 2}}).
  void emit(std::string_view name, json::initializer_list_t value) const {
    derived().deliver(named_event(name, json(value)));
  }

  /// Emits and waits for the ack: an asynchronous operation of Asio. The last argument is its completion
  /// token (a callback, asio::use_awaitable, asio::use_future, ...). It completes on the event-loop thread with
  /// (std::error_code, Ack), and for a broadcast with (std::error_code, std::vector<Ack>), the acks received so far.
  /// For an event by name, Ack is json::array_t: the ack's arguments, or for a broadcast the first argument of each
  /// ack. Errors compare equal to std::errc: timed_out (see timeout()), not_connected (a client disconnected without an
  /// ack), bad_message (an ack of another type), no_buffer_space (max_outstanding_acks), operation_canceled.
  template <class Event, class... ValuesAndToken>
  auto emit_with_ack(const Event& event, ValuesAndToken&&... rest) const {
    return ask(std::nullopt, event, std::forward<ValuesAndToken>(rest)...);
  }

 private:
  template <class>
  friend class sio_demo::Timeout;  // for ask()
  using Limit = std::optional<Milliseconds>;

  const Derived& derived() const { return static_cast<const Derived&>(*this); }

  template <Name Text, class Answer, class... Parameters, class... ValuesAndToken>
  auto ask(Limit limit, const ServerToClient<Text, Answer(Parameters...)>&, ValuesAndToken&&... rest) const {
    constexpr bool complete = sizeof...(ValuesAndToken) == sizeof...(Parameters) + 1;
    static_assert(holds<complete, spelled<Text>>,
                  "emit_with_ack: wants the event's arguments, then what to do with the answer: a callback, "
                  "asio::use_awaitable, asio::use_future");
    if constexpr (complete) {
      return with_last(
          [&](auto&& token, const auto&... values) {
            using Result = std::conditional_t<Derived::many, EachAnswer<Answer>, OneAnswer<Answer>>;
            return start<Result, spelled<Text>>(limit, typed_event<Text, Parameters...>(values...),
                                                std::forward<decltype(token)>(token));
          },
          std::forward<ValuesAndToken>(rest)...);
    }
  }
  template <Name Text, class Signature, class... ValuesAndToken>
  void ask(Limit, const ClientToServer<Text, Signature>&, ValuesAndToken&&...) const {
    static_assert(holds<always_false<Signature>, spelled<Text>>,
                  "emit_with_ack: this event goes from client to server, a server does not emit it");
  }
  template <class... ValuesAndToken>
  auto ask(Limit limit, std::string_view name, ValuesAndToken&&... rest) const {
    return with_last(
        [&](auto&& token, const auto&... values) {
          using Result = std::conditional_t<Derived::many, FirstArguments, AllArguments>;
          return start<Result>(limit, named_event(name, values...), std::forward<decltype(token)>(token));
        },
        std::forward<ValuesAndToken>(rest)...);
  }

  template <class Result, class... About, class Token>
  auto start(Limit limit, socketio::Writer&& writer, Token&& token) const {
    using Signature = typename Result::Signature;
    constexpr bool taken = takes_answer<std::decay_t<Token>, Signature>;
    static_assert(holds<taken, Signature, About...>,
                  "emit_with_ack: this callback does not take what the answer brings, (std::error_code, Ack), "
                  "of a broadcast (std::error_code, std::vector<Ack>), of an event by name json::array_t");
    if constexpr (taken) return begin<Result>(limit, std::move(writer), std::forward<Token>(token));
  }
  template <class Result, class Token>
  auto begin(Limit limit, socketio::Writer&& writer, Token&& token) const {
    auto initiation = [self = derived().handle(), limit, writer = std::move(writer)](auto&& handler) mutable {
      using Handler = std::decay_t<decltype(handler)>;
      if (self.orphaned()) return complete_orphan<Result>(Handler(std::forward<decltype(handler)>(handler)));
      auto& server = self.server();
      const auto wait = std::make_shared<AckWaitFor<Derived::many, Result, Handler>>(
          server, server.loop(), Handler(std::forward<decltype(handler)>(handler)));
      wait->be_cancellable();
      if (limit) wait->arm(*limit);
      self.ask(std::move(writer), wait);
    };
    return asio::async_initiate<Token, typename Result::Signature>(std::move(initiation), token);
  }
};

/// The result type of a handler; for a coroutine, the type that it co_returns.
template <class T>
struct result_of {
  using type = T;
};
template <class T>
using result_value = typename result_of<T>::type;

template <class T>
inline constexpr bool is_awaitable = false;
#ifdef ASIO_HAS_CO_AWAIT
template <class T, class Executor>
inline constexpr bool is_awaitable<asio::awaitable<T, Executor>> = true;
template <class T, class Executor>
struct result_of<asio::awaitable<T, Executor>> {
  using type = T;
};
#endif

template <class Answer>
using ReplyFor =
    std::conditional_t<std::is_void_v<Answer>, Reply<>, Reply<std::conditional_t<std::is_void_v<Answer>, int, Answer>>>;

/// Sends the error to the client, and logs it.
void refuse_event(const Socket& socket, const AckRequest& ack, std::string_view event, const Error& error);
/// Starts a coroutine handler; defined below, where Server is complete.
template <class Answer, class Handler, class... Values>
void spawn_handler(Socket& socket, std::string_view event, const Handler& handler, std::tuple<Values...> values,
                   const AckRequest& ack);
/// Throws std::invalid_argument if no client's event can have this name, with a text that says what to use instead.
void check_handled(std::string_view event);
/// Whether a handler by name takes a json instead of a json::array_t. It would compile, with all arguments in one json.
template <class R, class S, class Second, class... Rest>
std::is_same<std::remove_cvref_t<Second>, json> second_is_json(R (*)(S, Second, Rest...));
template <class R, class F, class S, class Second, class... Rest>
std::is_same<std::remove_cvref_t<Second>, json> second_is_json(R (F::*)(S, Second, Rest...) const);
template <class Handler>
concept TakesOneJson = requires { requires decltype(second_is_json(&Handler::operator()))::value; } ||
                       requires(Handler handler) { requires decltype(second_is_json(handler))::value; };

/// Calls a typed handler, with a Reply if it takes one; otherwise sends its result as the ack.
template <std::string_view const& Event, class Answer, class Handler, class... Parameters>
void call_typed(const Handler& handler, Socket& socket, std::tuple<Parameters...>&& values, const AckRequest& ack) {
  if constexpr (std::is_invocable_v<const Handler&, Socket&, const Parameters&..., ReplyFor<Answer>>) {
    using Result = std::invoke_result_t<const Handler&, Socket&, const Parameters&..., ReplyFor<Answer>>;
    auto all = std::tuple_cat(std::move(values), std::make_tuple(ReplyFor<Answer>(ack)));
    if constexpr (is_awaitable<Result>) spawn_handler<void>(socket, Event, handler, std::move(all), ack);
    else std::apply([&](const auto&... value) { handler(socket, value...); }, all);
  } else {
    using Result = std::invoke_result_t<const Handler&, Socket&, const Parameters&...>;
    const auto call = [&] {
      return std::apply([&](const Parameters&... value) { return handler(socket, value...); }, values);
    };
    if constexpr (is_awaitable<Result>) spawn_handler<Answer>(socket, Event, handler, std::move(values), ack);
    else if constexpr (std::is_void_v<Answer>) call();  // NOLINT(bugprone-branch-clone): an answer is not compiled here
    else if (ack.id) ack.answer(answer_writer(as<Answer>(call())));
    else call();
  }
}

/// Calls a handler by name.
template <class Handler, class... Values>
void call_named(const Handler& handler, Socket& socket, std::string_view event, const AckRequest& ack,
                Values... values) {
  using Result = std::invoke_result_t<const Handler&, Socket&, const Values&...>;
  static_assert(std::is_void_v<result_value<Result>>,
                "on: a handler by name returns nothing; it answers through a last parameter Reply<>");
  if constexpr (is_awaitable<Result>)
    spawn_handler<void>(socket, event, handler, std::tuple<Values...>(std::move(values)...), ack);
  else handler(socket, values...);
}

/// Implements on() and the other registrations of handlers for Derived, whose events() returns its EventTable or null.
template <class Derived>
class EventListener {
 public:
  /// Handles a typed event. The handler takes (Socket&, const Parameters&...) and returns the ack's
  /// value, or takes a Reply<Ack> as its last parameter and replies later; either may be a coroutine. It is called only
  /// with valid arguments: an invalid payload is refused before.
  template <Name Text, class Answer, class... Parameters, class Handler>
  Derived& on(const ClientToServer<Text, Answer(Parameters...)>& event, Handler handler) {
    return add(event, std::move(handler), false);
  }
  template <Name Text, class Signature, class Handler>
  Derived& on(const ServerToClient<Text, Signature>&, Handler) {
    static_assert(holds<always_false<Signature>, spelled<Text>>,
                  "on: this event goes from server to client, a server does not receive it");
    return derived();
  }
  /// Handles an event by name. The handler takes (Socket&, const json::array_t& arguments), and optionally a
  /// Reply<> as its last parameter, and returns nothing; it may be a coroutine. Throws std::invalid_argument for a name
  /// that no client's event can have, such as "connection".
  template <class Handler>
  Derived& on(std::string_view name, Handler handler) {
    return add(name, std::move(handler), false);
  }
  /// Like on(), for the next such event only.
  template <class Event, class Handler>
  Derived& once(const Event& event, Handler handler) {
    return add(event, std::move(handler), true);
  }
  /// Removes the handlers of one event, or, without an argument, of all events.
  template <Name Text, class Signature>
  Derived& off(const ClientToServer<Text, Signature>&) {
    return off(Text.view());
  }
  Derived& off(std::string_view name) {
    return edit([&](EventTable& table) {
      if (const auto entry = table.by_name.find(name); entry != table.by_name.end())
        entry->second.clear();  // not erased, because one of its handlers may be running
    });
  }
  Derived& off() {
    return edit([](EventTable& table) {
      for (auto& entry : table.by_name) entry.second.clear();
    });
  }
  /// Adds a handler that is called for every event before the event's own handlers, even if the event has none or its
  /// payload is invalid.
  template <class Handler>
  Derived& on_any(Handler handler) {
    return edit([&](EventTable& table) { table.any.add(std::move(handler)); });
  }
  /// Adds a handler that is called for every event emitted to a socket, broadcasts included. Its parameters are those
  /// of on_any.
  template <class Handler>
  Derived& on_any_outgoing(Handler handler) {
    return edit([&](EventTable& table) {
      table.any_outgoing.add(std::move(handler));
      table.outgoing_token = derived().watch().outgoing_token_;
    });
  }
  Derived& off_any() {
    return edit([](EventTable& table) { table.any.clear(); });
  }
  Derived& off_any_outgoing() {
    return edit([](EventTable& table) {
      table.any_outgoing.clear();
      table.outgoing_token.reset();
    });
  }
  /// Runs when a socket's middleware refused an event, and when a client sent an invalid packet.
  Derived& on_error(std::function<void(Socket&, const Refuse&)> handler) {
    return edit([&](EventTable& table) { table.error.add(std::move(handler)); });
  }
  /// Runs when a socket's client has been upgraded from polling to WebSocket.
  Derived& on_upgrade(std::function<void(Socket&)> handler) {
    return edit([&](EventTable& table) { table.upgrade.add(std::move(handler)); });
  }
  /// Runs when a socket has disconnected, before on_disconnect; rooms() still returns its former rooms. Events emitted
  /// to the socket are dropped.
  template <class Handler>
  Derived& on_disconnecting(Handler handler) {
    return edit([&](EventTable& table) { table.disconnecting.add(std::move(handler)); });
  }
  /// Runs once for each socket that was connected, whatever the reason of its disconnect.
  template <class Handler>
  Derived& on_disconnect(Handler handler) {
    return edit([&](EventTable& table) { table.disconnect.add(std::move(handler)); });
  }

 private:
  friend Derived;  // for edit()
  Derived& derived() { return static_cast<Derived&>(*this); }

  template <Name Text, class Answer, class... Parameters, class Handler>
  Derived& add(const ClientToServer<Text, Answer(Parameters...)>&, Handler handler, bool once) {
    constexpr auto wrong = first_wrong({Readable<std::remove_cvref_t<Parameters>>...});
    if constexpr (not_a_value<Parameters...> != 0) return derived();  // an error at the event's definition already
    else if constexpr (wrong == 0) return add_typed<Text, Answer, Parameters...>(std::move(handler), once);
    else {
      refuse_type<std::tuple_element_t<wrong - 1, std::tuple<Parameters...>>, spelled<Text>, argument<wrong>>();
      return derived();
    }
  }
  template <Name Text, class Answer, class... Parameters, class Handler>
  Derived& add_typed(Handler handler, bool once) {
    constexpr bool plain = std::is_invocable_v<const Handler&, Socket&, const Parameters&...>;
    constexpr bool replies = std::is_invocable_v<const Handler&, Socket&, const Parameters&..., ReplyFor<Answer>>;
    static_assert(
        holds<(plain || replies), spelled<Text>>,
        "on: this handler does not take what the event brings, (Socket&, const Parameters&...) and perhaps a Reply");
    if constexpr (plain && !replies) {
      using Result = std::invoke_result_t<const Handler&, Socket&, const Parameters&...>;
      static_assert(holds<(std::is_void_v<Answer> || fits<result_value<Result>, Answer>), spelled<Text>>,
                    "on: this handler does not return what the event's ack carries");
    }
    if constexpr (plain || replies)
      put(Text.view(), once,
          [handler = std::move(handler)](Socket& socket, const socketio::Arguments& arguments, const AckRequest& ack) {
            std::tuple<Parameters...> values;
            Fault fault;
            if (!read_arguments(arguments, values, fault)) return refuse_event(socket, ack, Text.view(), Error(fault));
            call_typed<ClientToServer<Text, Answer(Parameters...)>::name, Answer>(handler, socket, std::move(values),
                                                                                  ack);
          });
    return derived();
  }
  template <class Handler>
  Derived& add(std::string_view name, Handler handler, bool once) {
    using Arguments = const json::array_t&;
    constexpr bool replies = std::is_invocable_v<const Handler&, Socket&, Arguments, Reply<>>;
    static_assert(!TakesOneJson<Handler>,
                  "on: this handler would get all arguments as one json: take const json::array_t&, and of that at(0)");
    static_assert(replies || std::is_invocable_v<const Handler&, Socket&, Arguments>,
                  "on: a handler by name takes (Socket&, const json::array_t&) and perhaps a Reply<>");
    check_handled(name);
    put(name, once,
        [handler = std::move(handler), name = std::string(name)](Socket& socket, const socketio::Arguments& arguments,
                                                                 const AckRequest& ack) {
          if constexpr (replies) call_named(handler, socket, name, ack, arguments.values(), Reply<>(ack));
          else call_named(handler, socket, name, ack, arguments.values());
        });
    return derived();
  }
  void put(std::string_view name, bool once, EventHandler handler) {
    edit([&](EventTable& table) { table.by_name[std::string(name)].add(std::move(handler), once); });
  }
  /// Has no effect for a socket that has disconnected.
  template <class F>
  Derived& edit(F f) {
    if (EventTable* table = derived().events()) f(*table);
    return derived();
  }
};

}  // namespace detail

/// The names of one room or several: "red", {"red", "blue"}, a vector of names.
struct RoomNames {
  std::vector<std::string> names;

  RoomNames(const char* name) : names{name} {}                    // NOLINT: implicit on purpose
  RoomNames(std::string_view name) : names{std::string(name)} {}  // NOLINT
  RoomNames(const std::string& name) : names{name} {}             // NOLINT
  RoomNames(std::initializer_list<std::string_view> several) : names(several.begin(), several.end()) {}  // NOLINT
  RoomNames(std::vector<std::string> several) : names(std::move(several)) {}                             // NOLINT
};

/// Made by timeout(): emit() waits for the ack up to this time. It completes as emit_with_ack() does.
template <class To>
class Timeout {
 public:
  Timeout(To to, Milliseconds limit) : to_(std::move(to)), limit_(limit) {}

  template <class Event, class... ValuesAndToken>
  auto emit(const Event& event, ValuesAndToken&&... rest) const {
    return static_cast<const detail::EventEmitter<To>&>(to_).ask(limit_, event, std::forward<ValuesAndToken>(rest)...);
  }
  template <class Event, class... ValuesAndToken>
  auto emit_with_ack(const Event& event, ValuesAndToken&&... rest) const {
    return emit(event, std::forward<ValuesAndToken>(rest)...);
  }

  // ---- for a broadcast: its recipients may be chosen after timeout(), too
  [[nodiscard]] Timeout to(const RoomNames& rooms) const requires To::many { return {to_.to(rooms), limit_}; }
  [[nodiscard]] Timeout in(const RoomNames& rooms) const requires To::many { return to(rooms); }
  [[nodiscard]] Timeout except(const RoomNames& rooms) const requires To::many { return {to_.except(rooms), limit_}; }
  [[nodiscard]] Timeout local() const requires To::many { return {to_.local(), limit_}; }

 private:
  To to_;
  Milliseconds limit_;
};

/// The recipients of a broadcast: the sockets in these rooms, or, without rooms, all sockets of the namespace.
struct Target {
  std::vector<std::string> rooms{}, except{};
  bool droppable = false;  // volatile: only sent to clients to which it can be written at once
  bool local = false;      // sockets of this server only, not of the cluster
};

/// A socket of this server, or of another server of its cluster, as fetch_sockets() returns it. Calls have no effect
/// after the server is destroyed.
class RemoteSocket : public detail::EventEmitter<RemoteSocket> {
 public:
  static constexpr bool many = false;

  std::string id;
  json handshake;  // Handshake::to_json()
  std::vector<std::string> rooms;
  json data;  // its data<T>() if T has a JSON form; else {}

  RemoteSocket(Namespace& nsp, std::string its_id, json its_handshake, std::vector<std::string> its_rooms,
               json its_data);

  void join(const RoomNames& names) const;
  void leave(const RoomNames& names) const;
  void disconnect(bool close = false) const;
  Timeout<RemoteSocket> timeout(Milliseconds limit) const { return {*this, limit}; }

 private:
  friend class detail::EventEmitter<RemoteSocket>;
  void deliver(socketio::Writer&& writer) const;
  void ask(socketio::Writer&& writer, const std::shared_ptr<detail::AckWait>& wait) const;
  Server& server() const;
  bool orphaned() const;
  const RemoteSocket& handle() const { return *this; }

  std::shared_ptr<Namespace> nsp_;
};

namespace detail {

/// The kept state of a disconnected socket, and the events that it missed.
struct Restored {
  std::string id, pid;
  std::vector<std::string> rooms;
  std::shared_ptr<void> data;
  const void* data_type = nullptr;
  json (*data_json)(const void*) = nullptr;
  engineio::Time left{};
  std::string offset{};  // `missed` has all events up to this one
  std::vector<socketio::Outgoing> missed{};
};

/// Connection state recovery of one namespace: keeps emitted events and the state of disconnected sockets. Both are
/// limited, see RecoveryOptions.
///
///     S> 42["news",1,"Q8798XM"]                       the offset is the event's last argument
///     C> 40{"pid":"5N5l...","offset":"Q8798XM"}       the client reconnects with the last offset that it received
class Recovery final : public engineio::Timed {
 public:
  Recovery(const RecoveryOptions& options, engineio::Deadlines& deadlines)
      : options_(options), deadlines_(&deadlines) {}
  ~Recovery() { end(); }
  Recovery(const Recovery&) = delete;
  Recovery& operator=(const Recovery&) = delete;

  bool on() const { return deadlines_ && options_.on(); }
  /// The namespace ends, or its server. This object may outlive both, since handles of sockets keep it.
  void end() {
    if (deadlines_) std::exchange(deadlines_, nullptr)->forget(*this);
    packets_.clear(), sessions_.clear(), order_.clear();
  }

  /// Appends an offset to the event's arguments: the time in base 64, with a counter within the millisecond.
  /// Offsets never decrease, even if the clock is set back.
  std::string stamp(socketio::Writer& writer) {
    const auto now = (std::max)(last_, unix_milliseconds(std::chrono::system_clock::now()));
    std::string offset = base64_number(static_cast<std::uint64_t>(now));
    if (std::exchange(last_, now) == now) offset += '.' + base64_number(repeated_++);
    else repeated_ = 0;
    writer.text.back() = ',';
    bytes::append_string(writer.text, offset);
    writer.text += ']';
    return offset;
  }

  void keep(std::string offset, const socketio::Outgoing& packet, const Target& target, engineio::Time now) {
    std::size_t size = packet.head->payload().size() + sizeof(Packet);
    for (const auto& attachment : packet.attachments) size += attachment->payload().size();
    bytes_ += size;
    packets_.push_back({std::move(offset), packet, target, now, size});
    forget_old(now);
  }

  void keep(Restored session, engineio::Time now) {
    session.left = now;
    order_.emplace(now, session.pid);
    std::string pid = session.pid;
    sessions_.insert_or_assign(std::move(pid), std::move(session));
    forget_old(now);
  }

  /// Takes out the kept state, with the missed events. Nothing if the state, or the event at the offset, is not kept.
  std::optional<Restored> restore(const std::string& pid, std::string_view offset, engineio::Time now) {
    forget_old(now);
    const auto found = sessions_.find(pid);
    if (found == sessions_.end()) return std::nullopt;  // an unknown pid must not cost a search of the events
    if (std::none_of(packets_.rbegin(), packets_.rend(), [&](const Packet& packet) { return packet.offset == offset; }))
      return std::nullopt;
    Restored session = std::move(found->second);
    sessions_.erase(found);
    order_.erase({session.left, pid});  // else clients that reconnect often would fill it
    session.offset = offset;
    catch_up(session);
    return session;
  }

  /// Adds the events emitted since `offset`, because none are sent to a socket while it waits for a middleware.
  void catch_up(Restored& session) const {
    const auto last = std::find_if(packets_.rbegin(), packets_.rend(),
                                   [&](const Packet& packet) { return packet.offset == session.offset; });
    for (auto packet = last.base(); packet != packets_.end(); ++packet)
      if (concerns(session, packet->target)) session.missed.push_back(packet->packet);
    if (!packets_.empty()) session.offset = packets_.back().offset;
  }

  void tick(engineio::Time now) override { forget_old(now); }

 private:
  struct Packet {
    std::string offset;
    socketio::Outgoing packet;
    Target target;
    engineio::Time time;
    std::size_t bytes;
  };

  static std::string base64_number(std::uint64_t number) {
    constexpr std::string_view alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    std::string out;
    do out.insert(out.begin(), alphabet[number % 64]);
    while (number /= 64);
    return out;
  }

  static bool concerns(const Restored& session, const Target& target) {
    const auto in_one_of = [&](const std::vector<std::string>& rooms) {
      return std::any_of(rooms.begin(), rooms.end(), [&](const auto& room) {
        return room == session.id || std::find(session.rooms.begin(), session.rooms.end(), room) != session.rooms.end();
      });
    };
    return (target.rooms.empty() || in_one_of(target.rooms)) && !in_one_of(target.except);
  }

  /// Drops entries that are too old or exceed a limit, and sets a deadline for the next one to expire.
  void forget_old(engineio::Time now) {
    const auto expired = [&](engineio::Time time) { return now - time > options_.max_disconnection_duration; };
    while (!packets_.empty() &&
           (expired(packets_.front().time) || packets_.size() > options_.max_packets || bytes_ > options_.max_bytes)) {
      bytes_ -= packets_.front().bytes;
      packets_.pop_front();
    }
    while (!order_.empty() && (expired(order_.begin()->first) || order_.size() > options_.max_sessions)) {
      if (const auto found = sessions_.find(order_.begin()->second); found != sessions_.end()) sessions_.erase(found);
      order_.erase(order_.begin());
    }
    auto oldest = engineio::never;
    if (!packets_.empty()) oldest = packets_.front().time;
    if (!order_.empty()) oldest = (std::min)(oldest, order_.begin()->first);
    deadlines_->set(
        *this, oldest == engineio::never ? oldest : oldest + options_.max_disconnection_duration + Milliseconds(1));
  }

  const RecoveryOptions& options_;
  engineio::Deadlines* deadlines_;                          // null after end()
  std::deque<Packet> packets_;                              // the oldest in front
  StringMap<Restored> sessions_;                            // by pid
  std::set<std::pair<engineio::Time, std::string>> order_;  // time of disconnect and pid of each
  std::size_t bytes_ = 0;
  std::int64_t last_ = 0;  // time of the last offset
  std::uint64_t repeated_ = 0;
};

/// The sockets of a namespace in this process, and their rooms.
class RoomIndex {
 public:
  std::size_t size() const { return sockets_.size(); }
  SocketState* find(std::string_view id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
  }
  /// The names of all rooms, those of single sockets included.
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    out.reserve(sockets_.size() + rooms_.size());
    for (const auto* socket : sockets_) out.push_back(socket->id);
    for (const auto& room : rooms_) out.push_back(room.first);
    return out;
  }
  std::size_t size(std::string_view room) const {
    const auto entry = rooms_.find(room);
    return (entry == rooms_.end() ? 0 : entry->second.members.size()) + (find(room) ? 1 : 0);
  }

  void add(SocketState& socket) {
    socket.slot = sockets_.size();
    sockets_.push_back(&socket);
    by_id_.emplace(socket.id, &socket);
  }
  void remove(SocketState& socket) {
    while (!socket.rooms.empty()) leave(socket, socket.rooms.back().room->first);
    by_id_.erase(socket.id);
    sockets_.back()->slot = socket.slot;
    sockets_[socket.slot] = sockets_.back();
    sockets_.pop_back();
  }
  /// false: the socket is in `most` rooms already.
  bool join(SocketState& socket, std::string_view room, std::size_t most = static_cast<std::size_t>(-1)) {
    if (room == socket.id) return true;  // every socket is in the room of its id
    auto entry = rooms_.find(room);
    if (entry != rooms_.end() && membership(socket, *entry) != socket.rooms.end()) return true;
    if (socket.rooms.size() >= most) return false;
    if (entry == rooms_.end()) entry = rooms_.try_emplace(std::string(room)).first;
    socket.rooms.push_back({&*entry, entry->second.members.size()});
    entry->second.members.push_back(&socket);
    return true;
  }
  void leave(SocketState& socket, std::string_view room) {
    const auto entry = rooms_.find(room);
    if (entry == rooms_.end()) return;
    const auto mine = membership(socket, *entry);
    if (mine == socket.rooms.end()) return;
    auto& members = entry->second.members;
    const std::size_t slot = mine->slot;
    socket.rooms.erase(mine);
    if (members.back() != &socket) {  // the last member moves to the free slot
      members[slot] = members.back();
      membership(*members[slot], *entry)->slot = slot;
    }
    members.pop_back();
    if (members.empty()) rooms_.erase(entry);
  }

  /// Calls f(socket) once for each recipient of the target. f must not add or remove sockets or rooms.
  template <class F>
  void visit(const Target& target, F f) {
    const auto mark = ++mark_;  // marks the sockets that are excluded or have been visited
    for (const auto& room : target.except) each_member(room, [&](SocketState& socket) { socket.mark = mark; });
    const auto once = [&](SocketState& socket) {
      if (std::exchange(socket.mark, mark) != mark) f(socket);
    };
    if (target.rooms.empty())
      for (auto* socket : sockets_) once(*socket);
    for (const auto& room : target.rooms) each_member(room, once);
  }

 private:
  static std::vector<Membership>::iterator membership(SocketState& socket, Rooms::value_type& room) {
    return std::find_if(socket.rooms.begin(), socket.rooms.end(), [&](const auto& m) { return m.room == &room; });
  }

  template <class F>
  void each_member(std::string_view room, F f) {
    if (auto* socket = find(room)) f(*socket);
    const auto entry = rooms_.find(room);
    if (entry == rooms_.end()) return;
    for (auto* socket : entry->second.members) f(*socket);
  }

  std::vector<SocketState*> sockets_;
  ById<SocketState*> by_id_;
  Rooms rooms_;
  std::uint32_t mark_ = 0;
};

}  // namespace detail

/// The wait for a broadcast's acks. An adapter calls `expect(n)` for the acks of other servers, `answer` or
/// `lost` for each of them, and `seal` once all expected acks are known.
using detail::AckWait;

/// Keeps the rooms of a namespace, and carries out operations on several sockets. This class serves the sockets of this
/// process. To connect several servers to a cluster, derive from it and override the virtual functions: send the
/// operation to the other servers, and call the function here for this server. One per namespace; see
/// Server::adapter().
class Adapter {
 public:
  explicit Adapter(Namespace& nsp);
  virtual ~Adapter() = default;
  Adapter(const Adapter&) = delete;
  Adapter& operator=(const Adapter&) = delete;

  // ---- operations on several sockets
  /// `event` is the event's name and arguments as a JSON list, with its attachments.
  virtual void broadcast(socketio::Writer&& event, const Target& target);
  /// Must call wait->seal() once all expected acks are known.
  virtual void broadcast_with_ack(socketio::Writer&& event, const Target& target, const std::shared_ptr<AckWait>& wait);
  virtual void fetch_sockets(const Target& target,
                             std::function<void(std::error_code, std::vector<RemoteSocket>)> done);
  virtual void sockets_join(const Target& target, const std::vector<std::string>& rooms);
  virtual void sockets_leave(const Target& target, const std::vector<std::string>& rooms);
  virtual void disconnect_sockets(const Target& target, bool close);
  /// Sends an event to the other servers; `done`, if not empty, gets the first argument of each server's answer. In
  /// this class there are no other servers.
  virtual void server_side_emit(json::array_t event, std::function<void(std::error_code, json::array_t)> done);
  /// The names of all rooms of all servers, each once.
  virtual void all_rooms(std::function<void(std::error_code, std::vector<std::string>)> done);
  /// How many servers share the namespace, this one included.
  virtual void server_count(std::function<void(std::error_code, std::size_t)> done);

  // ---- hooks
  /// The namespace is removed, or the server has closed and all its clients have disconnected. Called once, while the
  /// server still exists. The adapter may outlive the server, since a handle of a socket keeps its namespace.
  virtual void close() {}
  /// Writes the adapter's metrics, for chapter 12. Called for the adapter of "/" only.
  virtual void measure(Metrics&) const {}

  // ---- rooms of this process
  std::size_t size() const { return here_.size(); }
  /// The names of all rooms, those of single sockets included.
  std::vector<std::string> rooms() const { return here_.names(); }
  /// How many sockets are in a room.
  std::size_t room_size(std::string_view room) const { return here_.size(room); }
  /// The socket of this id, if it is connected to this process.
  std::optional<Socket> find(std::string_view id) const;
  /// The sockets of this process that the target selects.
  std::vector<Socket> sockets(const Target& target);

 protected:
  Namespace& nsp_;

 private:
  friend class detail::Client;
  friend class Socket;
  detail::RoomIndex here_;
};

/// The data of a client's handshake. The views are valid as long as the socket's handle.
struct Handshake {
  std::string_view auth_text;  // auth of this namespace's CONNECT, a JSON object; empty if there was none
  std::string_view address;    // the client's address, see Options::trusted_proxies
  std::string_view url;        // request target of the session's first request
  std::string_view head;       // its header lines
  std::chrono::system_clock::time_point time;

  /// The parsed auth_text, {} if it is empty. Parsed at each call, because a JSON tree takes 25 times its text's
  /// memory.
  json auth() const { return detail::auth_of(auth_text); }
  /// A header of the first request, by name in any case; empty if absent.
  std::string_view header(std::string_view name) const;
  /// All headers, names in lower case.
  std::vector<std::pair<std::string, std::string>> headers() const;
  /// The query, decoded, EIO and transport included.
  http::Query query() const;
  /// The time of the handshake, in milliseconds since 1970.
  std::int64_t issued() const { return unix_milliseconds(time); }
  /// Whether the request came over TLS: always false. Behind a proxy, see header("x-forwarded-proto").
  bool secure() const { return false; }
  /// Whether the request has an Origin header.
  bool xdomain() const { return !header("origin").empty(); }
  /// All fields, with the official server's names.
  json to_json() const;
};

/// A selection of sockets by room; made by to(), in(), except(), broadcast(), volatile_(). Emits to each socket
/// once. A value: each of these functions returns a new one. Calls have no effect after the server is destroyed.
class Broadcast : public detail::EventEmitter<Broadcast> {
 public:
  static constexpr bool many = true;
  explicit Broadcast(Namespace& nsp);

  [[nodiscard]] Broadcast to(const RoomNames& rooms) const { return with(&Target::rooms, rooms); }
  [[nodiscard]] Broadcast in(const RoomNames& rooms) const { return to(rooms); }
  [[nodiscard]] Broadcast except(const RoomNames& rooms) const { return with(&Target::except, rooms); }
  /// Only sent to clients to which it can be written at once: nothing is queued, and over polling a GET is held.
  [[nodiscard]] Broadcast volatile_() const { return with(&Target::droppable); }
  /// Clients of this server only, not of the cluster.
  [[nodiscard]] Broadcast local() const { return with(&Target::local); }
  /// How long emit() waits for acks: timeout(5s).emit(event, values..., token).
  Timeout<Broadcast> timeout(Milliseconds limit) const { return {*this, limit}; }

  /// The selected sockets of this process.
  std::vector<Socket> sockets() const;
  /// The selected sockets of all servers: an asynchronous operation of Asio, completed with (std::error_code,
  /// std::vector<RemoteSocket>).
  template <class Token>
  auto fetch_sockets(Token&& token) const;
  /// Makes the selected sockets join, or leave, these rooms.
  void sockets_join(const RoomNames& rooms) const;
  void sockets_leave(const RoomNames& rooms) const;
  /// Disconnects the selected sockets; with `close`, closes their transports, too.
  void disconnect_sockets(bool close = false) const;

 private:
  template <class>
  friend class detail::EventEmitter;
  void deliver(socketio::Writer&& writer) const;
  void ask(socketio::Writer&& writer, const std::shared_ptr<detail::AckWait>& wait) const;
  Server& server() const;
  bool orphaned() const;
  const Broadcast& handle() const { return *this; }
  Broadcast with(std::vector<std::string> Target::* list, const RoomNames& rooms) const {
    Broadcast out = *this;
    (out.target_.*list).insert((out.target_.*list).end(), rooms.names.begin(), rooms.names.end());
    return out;
  }
  Broadcast with(bool Target::* flag) const {
    Broadcast out = *this;
    out.target_.*flag = true;
    return out;
  }

  std::shared_ptr<Namespace> nsp_;
  Target target_;
};

/// One socket, with a flag for the events emitted to it; made by Socket::volatile_() and timeout().
class Unicast : public detail::EventEmitter<Unicast> {
 public:
  static constexpr bool many = false;
  Unicast(detail::StatePtr state, bool droppable) : state_(std::move(state)), droppable_(droppable) {}
  Timeout<Unicast> timeout(Milliseconds limit) const { return {*this, limit}; }

 private:
  template <class>
  friend class detail::EventEmitter;
  void deliver(socketio::Writer&& writer) const;
  void ask(socketio::Writer&& writer, const std::shared_ptr<detail::AckWait>& wait) const;
  Server& server() const;
  /// Whether the server is destroyed.
  bool orphaned() const;
  const Unicast& handle() const { return *this; }

  detail::StatePtr state_;
  bool droppable_;
};

/// A handle of a client in a namespace. The reference that handlers get is valid as long as the client is connected; a
/// copy is always valid.
class Socket : public detail::EventEmitter<Socket>, public detail::EventListener<Socket> {
 public:
  static constexpr bool many = false;
  explicit Socket(detail::StatePtr state) : state_(std::move(state)) {}
  Socket(const Socket& other) : state_(other.keep()) {}
  Socket& operator=(const Socket& other) {  // NOLINT(bugprone-unhandled-self-assignment): keep() is a copy
    state_ = other.keep();
    return *this;
  }

  /// 20 random characters; also the name of a room that has only this socket.
  const std::string& id() const { return state_->id; }
  bool connected() const { return state_->connected; }
  /// Whether the client has recovered its state, with rooms and data; see RecoveryOptions.
  bool recovered() const { return state_->recovered; }
  Namespace& nsp() const { return state_->nsp; }
  Handshake handshake() const;
  /// The current transport: "polling" or "websocket".
  std::string_view transport() const;
  /// The client's session, null once it is closed. Gives the session's id; its close() sends no DISCONNECT packet.
  engineio::Session* conn() const;

  /// Data of this socket, made at the first call and destroyed after the disconnect handlers have run. Throws
  /// std::logic_error after that, also if T's constructor disconnects the socket, and for a T other than the first
  /// call's.
  template <class T>
  T& data() const;

  void join(const RoomNames& rooms) const;
  void leave(std::string_view room) const;
  std::vector<std::string> rooms() const;

  /// All sockets but this one. to(room) and the like exclude this socket, too, as in the official server.
  Broadcast broadcast() const;
  Broadcast to(const RoomNames& rooms) const;
  Broadcast in(const RoomNames& rooms) const { return to(rooms); }
  Broadcast except(const RoomNames& rooms) const;
  Broadcast local() const { return broadcast().local(); }
  /// Events emitted to the result are dropped if they cannot be written at once, see Broadcast::volatile_().
  Unicast volatile_() const { return {keep(), true}; }
  /// How long emit() waits for the ack: timeout(5s).emit(event, values..., token).
  Timeout<Unicast> timeout(Milliseconds limit) const { return {handle(), limit}; }

  /// Adds a middleware, called for every event of this socket before its handlers, in the order of registration. It
  /// calls, now or later, next(accept) to continue, or next(refuse("why")) to drop the event and run the on_error
  /// handlers. A dropped event gets no ack.
  Socket& use(std::function<void(Socket&, std::string_view event, const socketio::Arguments&, Next)> middleware) {
    return edit([&](detail::EventTable& table) { table.middlewares.add(std::move(middleware)); });
  }

  /// Disconnects from the namespace; with `close`, from the client's other namespaces, too, and closes the transport.
  void disconnect(bool close = false) const;

  friend bool operator==(const Socket& a, const Socket& b) { return a.state_ == b.state_; }

 private:
  friend class Namespace;
  friend class Adapter;
  friend class detail::Client;
  friend class detail::EventEmitter<Socket>;
  friend class detail::EventListener<Socket>;
  friend struct detail::LiveSocket;
  /// The handle that handlers get. It does not own the state, because it is a part of it (LiveSocket).
  explicit Socket(detail::SocketState& state) : state_(detail::StatePtr(), &state) {}
  void deliver(socketio::Writer&& writer) const;
  detail::StatePtr keep() const { return state_->shared_from_this(); }
  Unicast handle() const { return {keep(), false}; }
  Namespace& watch() const;
  detail::EventTable* events() {
    if (state_->gone) return nullptr;
    if (!state_->events) state_->events = std::make_shared<detail::EventTable>();
    return state_->events.get();
  }

  detail::StatePtr state_;
};

namespace detail {

/// A socket's state, and the handle that its handlers get.
struct LiveSocket final : SocketState {
  using SocketState::SocketState;
  Socket socket{static_cast<SocketState&>(*this)};
};

/// The functions of a namespace, and of a server for its namespace "/". Derived::main_namespace() is the namespace.
template <class Derived>
class NamespaceApi : public EventEmitter<Derived>, public EventListener<Derived> {
 public:
  static constexpr bool many = true;

  /// Runs for each socket that has connected.
  Derived& on_connection(std::function<void(Socket&)> handler) {
    return main().connection_.add(std::move(handler)), derived();
  }
  /// Adds a middleware, which decides whether a client may join. Middlewares are called in the order of registration.
  /// The socket has its handshake and data, but is in no room yet. An exception refuses.
  Derived& use(std::function<void(Socket&, Next)> middleware) {
    return main().middlewares_.add(std::move(middleware)), derived();
  }

  Broadcast to(const RoomNames& rooms) const { return everybody().to(rooms); }
  Broadcast in(const RoomNames& rooms) const { return to(rooms); }
  Broadcast except(const RoomNames& rooms) const { return everybody().except(rooms); }
  Broadcast volatile_() const { return everybody().volatile_(); }
  Broadcast local() const { return everybody().local(); }
  Timeout<Broadcast> timeout(Milliseconds limit) const { return everybody().timeout(limit); }

  /// The sockets of this process.
  std::vector<Socket> sockets() const { return everybody().sockets(); }
  /// The socket of this id, if it is connected to this process.
  std::optional<Socket> find(std::string_view id) const;
  /// See Broadcast.
  template <class Token>
  auto fetch_sockets(Token&& token) const {
    return everybody().fetch_sockets(std::forward<Token>(token));
  }
  void sockets_join(const RoomNames& rooms) const { everybody().sockets_join(rooms); }
  void sockets_leave(const RoomNames& rooms) const { everybody().sockets_leave(rooms); }
  void disconnect_sockets(bool close = false) const { everybody().disconnect_sockets(close); }
  /// The names of all rooms of all servers, those of single sockets included: an asynchronous operation of Asio,
  /// completed with (std::error_code, std::vector<std::string>). Those of this process: adapter().rooms().
  template <class Token>
  auto all_rooms(Token&& token) const;

  /// Emits an event to the other servers of the cluster, not to clients; see on_server_side_emit().
  template <class... Values>
  void server_side_emit(std::string_view name, const Values&... values) const;
  /// The same, and waits for their answers: an asynchronous operation of Asio, completed with
  /// (std::error_code, json::array_t), the first argument of each answer.
  template <class... ValuesAndToken>
  auto server_side_emit_with_ack(std::string_view name, ValuesAndToken&&... rest) const;
  /// Handles an event that another server of the cluster emitted. `answer`, if not empty, may be called once.
  Derived& on_server_side_emit(std::string_view name, ServerSideHandler handler) {
    return main().server_side_[std::string(name)].add(std::move(handler)), derived();
  }

 private:
  template <class>
  friend class EventEmitter;
  Derived& derived() { return static_cast<Derived&>(*this); }
  auto& main() const { return static_cast<const Derived&>(*this).main_namespace(); }
  Broadcast everybody() const { return Broadcast(main()); }

  // ---- for EventEmitter
  void deliver(socketio::Writer&& writer) const { main().adapter().broadcast(std::move(writer), {}); }
  Broadcast handle() const { return everybody(); }
};

}  // namespace detail

/// A namespace: its sockets and handlers. Exists as long as the server, or a handle of one of its sockets. Exceptions
/// are namespaces made by of(predicate): with cleanup_empty_child_namespaces, one is removed with its last client; and
/// one that no client was accepted into may be removed when max_child_namespaces is reached.
class Namespace : public detail::NamespaceApi<Namespace>, public std::enable_shared_from_this<Namespace> {
 public:
  Namespace(Server& server, std::string name, std::shared_ptr<Namespace> parent);
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;

  const std::string& name() const { return name_; }
  Server& server() const { return server_; }
  /// The adapter: rooms, and the other servers of a cluster.
  Adapter& adapter() const { return *adapter_; }
  /// How many sockets are connected.
  std::size_t size() const { return adapter_->size(); }

  /// See Host::lifetime(); for code that may run after the server is destroyed.
  std::weak_ptr<void> server_lifetime() const { return server_lifetime_; }
  /// For adapters: runs the handlers of an event that another server has emitted. `answer` may be empty.
  void server_side_event(const json::array_t& event, const std::function<void(json)>& answer);

 private:
  template <class>
  friend class detail::NamespaceApi;
  template <class>
  friend class detail::EventEmitter;
  template <class>
  friend class detail::EventListener;
  friend class Server;
  friend class Adapter;
  friend class Broadcast;
  friend class RemoteSocket;
  friend class Socket;
  friend class Unicast;
  friend class detail::Client;
  friend class detail::Children;

  Namespace& main_namespace() const { return const_cast<Namespace&>(*this); }
  detail::EventTable* events() { return &events_; }
  Namespace& watch() { return *this; }
  /// Whether the server is destroyed. Handles of sockets, and so the namespace, may outlive it.
  bool orphaned() const { return server_lifetime_.expired(); }
  /// Whether there is an any_outgoing handler.
  bool has_outgoing_handlers() const {
    return outgoing_token_.use_count() > 1 || (parent_ && parent_->outgoing_token_.use_count() > 1);
  }

  void send(detail::SocketState& socket, socketio::Writer&& event, bool droppable);
  void ask(detail::SocketState& socket, socketio::Writer&& event, const std::shared_ptr<detail::AckWait>& wait);
  /// Encodes an event. With recovery, unless it is volatile, adds its offset and keeps it.
  socketio::Outgoing encode(socketio::Writer&& event, const Target& target);
  void call_outgoing_handlers(const std::vector<Socket>& sockets, const json::array_t& event);
  void call_outgoing_handlers(detail::SocketState& state, std::string_view name, const socketio::Arguments& arguments);

  Server& server_;
  std::weak_ptr<void> server_lifetime_;
  std::string name_;
  std::shared_ptr<Namespace> parent_;  // the result of of(predicate), whose handlers are called here, too
  std::unique_ptr<Adapter> adapter_;
  detail::Recovery recovery_;
  detail::EventTable events_;
  detail::Handlers<std::function<void(Socket&)>> connection_;
  detail::Handlers<std::function<void(Socket&, Next)>> middlewares_;
  StringMap<detail::Handlers<detail::ServerSideHandler>> server_side_;
  const std::shared_ptr<void> outgoing_token_ =
      std::make_shared<char>();  // counts the tables with any_outgoing handlers
  std::uint64_t next_ack_ = 0;   // one counter for all sockets, so that a broadcast has the same bytes for all
  std::size_t clients_ = 0;      // joined, or waiting for a middleware
  bool joined_ = false;          // whether a client has ever joined, or the application has called of(name)
  bool unused_ = false;          // whether it is in Server::unused_
};

/// The common base of the servers: event loop, listeners, routes, log, shutdown. Not copyable, not movable.
class Host {
 public:
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  /// HTTP and WebSocket routes of the application on the same port.
  http::Router& http() { return router_; }

  /// Listens at the address in the options, or at the given one. May be called for several addresses. Throws
  /// std::system_error, whose text says what was attempted, why it failed and what to do.
  void listen() { listen(options_.host, options_.port); }
  void listen(const std::string& host, std::uint16_t port);
  /// The port that the first listener is bound to; 0 before listen().
  std::uint16_t port() const;

  /// Listens, unless it does already, and runs the event loop until close() has finished. Returns 0, or 1 if it could
  /// not listen, which is logged. Only for a server with its own event loop.
  int run();
  /// Stops accepting, closes every session ("server shutting down"), waits until all data is written, at
  /// most drain_timeout, then calls `done`. Clients reconnect by themselves, to the next server on that address.
  void close(std::function<void()> done = {});
  bool closing() const { return closing_; }

  /// Schedules f on the event-loop thread. The only member that any thread may call. An exception of f is logged.
  template <class F>
  void post(F f) {
    asio::post(loop_, [this, alive = std::weak_ptr<void>(alive_), f = std::move(f)]() mutable {
      if (alive.expired()) return;
      if (!log_->busy()) return posted(f);
      // A handler runs the event loop. Wait until its caller has returned, too, which `f` must not destroy.
      log_->later([this, kept = std::make_shared<F>(std::move(f))] { post(std::move(*kept)); });
    });
  }

  asio::io_context& loop() const { return loop_; }
  const Options& options() const { return options_; }
  const Log& log() const { return *log_; }
  const Counters& counters() const { return counters_; }
  /// Writes the metrics of chapter 12.
  virtual void measure(Metrics& out) const;
  /// Expires when the server is destroyed. For objects that may outlive it.
  std::weak_ptr<void> lifetime() const { return alive_; }
  /// The number of open Engine.IO sessions, joined to a namespace or not (`clientsCount`).
  std::size_t clients_count() const { return engine_.size(); }

  /// Called for each refused request on Options::path, after the response (`connection_error`).
  void on_connection_error(std::function<void(const ConnectionError&)> handler);
  /// Serves an accepted TCP socket of any event loop, and handles bytes that were already read from it. Works without
  /// listen(), too. The client's address is the socket's peer address. A socket whose client has disconnected is closed
  /// without an error. Throws std::system_error if the socket cannot be taken over.
  template <class E>
  void serve(asio::basic_stream_socket<asio::ip::tcp, E> socket, std::string_view bytes_already_read = {}) {
    take_over(net::adopt(std::move(socket), loop_), bytes_already_read);
  }
  /// Serves the official client's files (socket.io.js, socket.io.min.js, socket.io.esm.min.js,
  /// socket.io.msgpack.min.js and a .map of each) under Options::path, those of them that this folder
  /// has, such as client-dist of the npm package socket.io (`serveClient`). They are read in this call,
  /// at most 8 MiB each, and kept in memory. Their ETag is the client's version, or, if none is given, computed from
  /// the contents. Throws std::system_error if the folder has none of them.
  void serve_client(const std::string& folder, std::string_view version = {});

 protected:
  /// With its own event loop if `loop` is null, else in the caller's; with Engine.IO, or for routes only. Throws
  /// std::invalid_argument for invalid options.
  Host(asio::io_context* loop, Options options, engineio::Application& application, bool with_engine = true);
  ~Host();
  /// Closes every session. The destructor of the derived class calls it, because its handlers are still valid then.
  void abandon();
  /// close() has finished: every client has disconnected. May be called more than once.
  virtual void drained() {}
  void in_turn(FunctionRef f);
  void drop_connections();

 private:
  static Options checked(Options options, bool with_engine);
  void posted(FunctionRef f);
  void take_over(net::TcpSocket socket, std::string_view bytes_already_read);

  std::unique_ptr<asio::io_context> own_loop_;
  asio::io_context& loop_;
  Options options_;
  std::shared_ptr<const Log> log_;  // shared, because a posted function may destroy the server
  Counters counters_;
  http::Router router_;

 protected:
  engineio::Engine engine_;

 private:
  Ref<net::Driver> driver_;
  std::shared_ptr<void> alive_ = std::make_shared<char>();  // for lifetime()
  bool closing_ = false;
};

namespace http {

/// A server for HTTP and WebSocket routes, without Engine.IO: http().get(...), http().websocket(...).
/// Construction, threads and destruction are as for sio_demo::Server.
class Server final : private engineio::Application, public Host {
 public:
  explicit Server(Options options = {}) : Host(nullptr, std::move(options), *this, false) {}
  explicit Server(asio::io_context& loop, Options options = {}) : Host(&loop, std::move(options), *this, false) {}
  ~Server() { abandon(); }

 private:
  void on_open(engineio::Session&, const Request&) override {}
  void on_message(engineio::Session&, std::string_view, bool) override {}
  void on_close(engineio::Session&, Reason, std::string_view) override {}
};

}  // namespace http

namespace engineio {

/// An Engine.IO server: sessions and messages, without Socket.IO's packets. Construction, threads and destruction are
/// as for sio_demo::Server. Several handlers of a kind are called in the order of registration; an exception is logged,
/// and the others still run. Keep a session as Ref<Session>(&session).
class Server final : private Application, public Host {
 public:
  explicit Server(Options options = {.path = "/engine.io/"}) : Host(nullptr, std::move(options), *this) {}
  explicit Server(asio::io_context& loop, Options options = {.path = "/engine.io/"})
      : Host(&loop, std::move(options), *this) {}
  ~Server() { abandon(); }

  /// A session has begun. The request is valid during the call.
  Server& on_connection(std::function<void(Session&, const http::Request&)> handler) {
    return connection_.add(std::move(handler)), *this;
  }
  /// A message has arrived: UTF-8 text or bytes. The payload is valid during the call.
  Server& on_message(std::function<void(Session&, std::string_view payload, bool binary)> handler) {
    return message_.add(std::move(handler)), *this;
  }
  /// A session has been upgraded from polling to WebSocket.
  Server& on_upgrade(std::function<void(Session&)> handler) { return upgrade_.add(std::move(handler)), *this; }
  /// A session has closed, whichever side closed it; called once. `why` gives details of the reason, or is empty.
  Server& on_close(std::function<void(Session&, Reason reason, std::string_view why)> handler) {
    return close_.add(std::move(handler)), *this;
  }

 private:
  void on_open(Session& session, const http::Request& request) override { call(connection_, session, request); }
  void on_message(Session& session, std::string_view payload, bool binary) override {
    call(message_, session, payload, binary);
  }
  void on_upgraded(Session& session) override { call(upgrade_, session); }
  void on_close(Session& session, Reason reason, std::string_view why) override {
    log().later([this, self = Ref<Session>(&session), reason, text = std::string(why)] {
      close_.each([&](const auto& handler) { call(*self, [&] { handler(*self, reason, text); }); });
    });
  }

  /// If a handler closes the session, the handlers after it are not called.
  template <class List, class... Arguments>
  void call(List& handlers, Session& session, const Arguments&... arguments) {
    handlers.each([&](const auto& handler) { call(session, [&] { handler(session, arguments...); }); },
                  [&] { return session.open(); });
  }
  void call(const Session& session, FunctionRef f) {
    log().call({"A session's handler threw", "session", session.id()}, f);
  }

  detail::Handlers<std::function<void(Session&, const http::Request&)>> connection_;
  detail::Handlers<std::function<void(Session&, std::string_view, bool)>> message_;
  detail::Handlers<std::function<void(Session&)>> upgrade_;
  detail::Handlers<std::function<void(Session&, Reason, std::string_view)>> close_;
};

}  // namespace engineio

/// The Socket.IO server. Its functions of a namespace are those of "/".
class Server final : private engineio::Application, public Host, public detail::NamespaceApi<Server> {
 public:
  /// A server with its own event loop: call run(). Throws std::invalid_argument for invalid options.
  explicit Server(Options options = {}) : Server(nullptr, std::move(options)) {}
  /// A server in the caller's event loop, which must outlive it and be run by one thread: call listen().
  explicit Server(asio::io_context& loop, Options options = {}) : Server(&loop, std::move(options)) {}
  /// Closes every session, so disconnect handlers run: declare what they refer to before the server. Must not
  /// be called in one of its own handlers: call close() there, or post() a function that destroys the server.
  ~Server();

  /// The namespace of this name ("/chat"; "chat" is the same), made at the first call.
  Namespace& of(std::string_view name);
  Namespace& of(const std::string& name) { return of(std::string_view(name)); }
  Namespace& of(const char* name) { return of(std::string_view(name)); }
  /// Namespaces made when a client asks for them, if the predicate accepts the name and the client's auth. The
  /// predicate returns a bool, or takes a std::function<void(bool)> as its last parameter and calls it, now or later.
  /// Predicates are called in the order of registration, until one accepts. The returned Namespace is the parent of all
  /// these namespaces: its handlers and middlewares are called for all of them, and its emits go to all of them.
  /// emit_with_ack on it fails with operation_not_supported.
  template <class Predicate>
  requires std::is_invocable_r_v<bool, Predicate&, std::string_view, const json&> ||
           std::is_invocable_v<Predicate&, std::string_view, const json&, std::function<void(bool)>>
  Namespace& of(Predicate predicate) {
    if constexpr (std::is_invocable_v<Predicate&, std::string_view, const json&, std::function<void(bool)>>)
      return add_parent(std::move(predicate));
    else
      return add_parent([predicate = std::move(predicate)](std::string_view name, const json& auth,
                                                           const std::function<void(bool)>& answer) mutable {
        answer(predicate(name, auth));
      });
  }
  /// Runs for each namespace that is made after this call (`new_namespace`).
  Server& on_new_namespace(std::function<void(Namespace&)> handler) {
    return new_namespace_.add(std::move(handler)), *this;
  }
  /// Makes every namespace use another adapter, such as redis::adapter(...), to join a cluster. Throws
  /// std::logic_error if a client has connected already.
  Server& adapter(std::function<std::unique_ptr<Adapter>(Namespace&)> make);
  void measure(Metrics& out) const override;

 private:
  using Predicate = std::function<void(std::string_view, const json&, std::function<void(bool)>)>;
  struct Parent {
    Predicate accepts;
    std::shared_ptr<Namespace> nsp;
  };

  template <class>
  friend class detail::NamespaceApi;
  template <class>
  friend class detail::EventEmitter;
  template <class>
  friend class detail::EventListener;
  friend class detail::AckWait;
  friend class detail::Client;
  friend class detail::Children;
  friend class FakeServer;
  friend class redis::Link;
  friend class redis::Bus;
  friend class Namespace;
  friend class Adapter;
  friend class Socket;

  Server(asio::io_context* loop, Options options);

  Namespace& main_namespace() const { return *main_; }
  detail::EventTable* events() { return &main_->events_; }
  Namespace& watch() { return *main_; }

  void on_open(engineio::Session& session, const http::Request& request) override;
  void on_message(engineio::Session& session, std::string_view payload, bool binary) override;
  void on_upgraded(engineio::Session& session) override;
  void on_close(engineio::Session& session, Reason reason, std::string_view why) override;
  void drained() override;
  Namespace* find_namespace(std::string_view name) const;
  std::vector<std::shared_ptr<Namespace>> all_namespaces() const;
  Namespace& add_parent(Predicate predicate);
  /// The child namespace of this name, made if necessary. null: its adapter cannot be made.
  Namespace* child(std::string_view name, const std::shared_ptr<Namespace>& parent);
  void announce(Namespace& nsp);
  void end(Namespace& nsp);
  /// One client of the namespace has left.
  void release(Namespace& nsp);
  void end_child(Namespace& nsp);
  bool make_room();

  StringMap<std::shared_ptr<Namespace>> namespaces_;
  std::vector<Parent> parents_;
  std::size_t children_ = 0;
  std::vector<Namespace*> unused_;  // children that no client had joined, and that were empty when they were added
  std::function<std::unique_ptr<Adapter>(Namespace&)> make_adapter_;
  std::vector<std::unique_ptr<Adapter>>
      former_adapters_;  // kept for a while, since one of them may have called adapter()
  bool drained_ = false;
  detail::Handlers<std::function<void(Namespace&)>> new_namespace_;
  socketio::Decoder decoder_;
  socketio::Packet packet_;  // the packet being handled; a member to reuse its memory
  Namespace* main_;
};

namespace detail {

/// A socket's handler, as the log names it.
inline Callee handler_of(const Socket& socket, std::string_view event) {
  return {"A handler threw", "event", event, socket.id(), socket.nsp().name()};
}

void answer_error(const Socket& socket, const AckRequest& ack, const EventError& error);
/// Handles an exception of a coroutine handler: sends an error to the client and logs it.
void coroutine_failed(const Socket& socket, const AckRequest& ack, std::string_view event,
                      const std::exception_ptr& failure);
EventError internal_error(std::string_view event);
/// The name and the arguments of an outgoing event, with its attachments in place of the placeholders.
json::array_t values_of(const socketio::Writer& event);

#if SIO_DEMO_BODIES
/// A session's context in chapter 9: the client's sockets, and a packet that waits for its attachments.
class Client final : public engineio::Context {
 public:
  Client(Server& server, engineio::Session& session, const http::Request& request)
      : server_(server), session_(session), info_(std::make_shared<ConnectionInfo>(request)) {}
  /// The client of a socket.
  static Client& of(const SocketState& state) { return static_cast<Client&>(*state.session->context); }
  /// The socket's handle for handlers.
  static Socket& handle(SocketState& state) { return static_cast<LiveSocket&>(state).socket; }

  engineio::Session& session() const { return session_; }
  /// true at most once a second, so that a client cannot flood the log.
  bool log_allowed() {
    const auto now = server_.engine_.now();
    return now - last_logged_ >= Seconds(1) ? last_logged_ = now, true : false;
  }
  void count(Reason reason) { server_.engine_.counters.add(reason); }
  /// Whether error_rate allows one more error reply to the client.
  bool error_reply_allowed() { return !spend(errors_, server_.options().error_rate); }

  void join_room(SocketState& state, const std::string& room) {
    if (state.nsp.adapter().here_.join(state, room, server_.options().max_rooms)) return;
    count(Reason::too_many_rooms);
    if (log_allowed())
      log().write(LogLevel::warn, "A socket is in max_rooms rooms and joins no further one",
                  {{"socketId", state.id}, {"room", room}});
  }

  /// Calls f(table) for the handlers of a socket: the parent namespace's, the namespace's, and its own.
  template <class F>
  static void each_table(const SocketState& state, F f) {
    if (state.nsp.parent_) f(state.nsp.parent_->events_);
    f(state.nsp.events_);
    if (const auto own = state.events) f(*own);
  }

  void receive(std::string_view payload, bool binary) {
    assert(!log().busy() && "a packet is handled when no handler runs");
    if (binary) return attachment(payload);
    if (waiting_) return fail("a packet while attachments were due", Fail::decoding);
    if (const char* why = server_.decoder_.decode(payload, server_.packet_)) return fail(why, Fail::decoding);
    if (server_.packet_.attachments == 0) return handle(server_.packet_, nullptr);
    waiting_ = std::make_unique<Waiting>(*this, payload, server_.packet_.attachments);
    waiting_->more_to_come();
  }

  void closed(Reason reason, std::string_view why) {
    const Log::Hold hold(log());
    waiting_.reset();
    for (const auto& state : std::vector(sockets_)) leave(state, {reason, why});
    each_pending([](PendingConnect& pending) { pending.auth = std::string(); });
  }

  void upgraded() {
    for (const auto& state : std::vector(sockets_))
      if (state->connected) each_table(*state, [&](EventTable& table) { call(table.upgrade, *state, "upgrade"); });
  }

  /// Disconnects one socket from the server's side; with `close`, all sockets of the client, and the transport.
  void disconnect(const StatePtr& state, bool close) {
    if (log().observing()) return log().later([state, close] { of(*state).disconnect(state, close); });
    const Log::Hold hold(log());
    for (const auto& other : close ? sockets_ : std::vector{state}) {
      if (!other->connected) continue;
      encode(socketio::PacketType::disconnect, other->nsp.name(), std::nullopt, {}).send_to(session_);
      leave(other, {Reason::server_disconnect});
    }
    if (close) session_.close();
  }

 private:
  enum class Fail : std::uint8_t { decoding, state };
  /// A packet whose attachments have not all arrived.
  struct Waiting final : engineio::Timed {
    Waiting(Client& its_client, std::string_view its_text, std::size_t its_expected)
        : client(its_client), text(its_text), expected(its_expected) {}
    ~Waiting() { client.server_.engine_.deadlines.forget(*this); }
    void more_to_come() {
      auto& engine = client.server_.engine_;
      engine.deadlines.set(*this, engine.now() + engine.options.attachment_timeout);
    }
    void tick(engineio::Time) override {
      client.fail("an attachment did not come within attachment_timeout", Fail::decoding);
    }

    Client& client;
    std::string text;
    std::vector<std::string> attachments;
    std::size_t expected, bytes = 0;
  };

  const Log& log() const { return server_.log(); }

  // ---- packets

  void attachment(std::string_view bytes) {
    if (!waiting_) return fail("binary that no packet announced", Fail::decoding);
    if (bytes.size() > server_.options().max_attachment_bytes - waiting_->bytes)
      return fail("attachments of more than max_attachment_bytes", Fail::decoding);
    waiting_->bytes += bytes.size();
    waiting_->attachments.emplace_back(bytes);
    if (waiting_->attachments.size() < waiting_->expected) return waiting_->more_to_come();
    const auto complete = std::move(waiting_);
    server_.engine_.deadlines.forget(*complete);
    server_.decoder_.decode(complete->text, server_.packet_);
    handle(server_.packet_, &complete->attachments);
  }

  void handle(const socketio::Packet& packet, const std::vector<std::string>* attachments) {
    if (packet.type == socketio::PacketType::connect) return connect(packet);
    const auto state = find(packet.nsp);
    if (!state && left_just_now(packet.nsp)) return;
    if (!state) return fail("a packet to a namespace that was not joined", Fail::state);
    switch (packet.type) {
      case socketio::PacketType::event:
      case socketio::PacketType::binary_event: return event(state, packet, attachments);
      case socketio::PacketType::ack:
      case socketio::PacketType::binary_ack: return ack(*state, packet, attachments);
      case socketio::PacketType::disconnect: return leave(state, {Reason::client_disconnect});
      default: return fail("a CONNECT_ERROR from a client", Fail::state);
    }
  }

  /// A client that violates the protocol is disconnected from all namespaces, without an error packet. Reasons and
  /// times are the official server's. Over polling without a held poll, a packet in the wrong state disconnects the
  /// sockets at once, and an undecodable packet disconnects them when the next poll delivers the close.
  void fail(const char* why, Fail kind) {
    const Ref<engineio::Session> keep(&session_);
    if (log().busy())
      return log().later([this, keep, why, kind] { fail(why, kind); });  // a handler moved a ManualClock
    if (log().enabled(LogLevel::info))
      log().write(LogLevel::info, "Malformed packet",
                  {{"session", session_.id()}, {"address", info_->address()}, {"why", why}});
    count(Reason::malformed_packet);
    waiting_.reset();
    for (const auto& state : std::vector(sockets_))
      if (kind == Fail::decoding && state->connected) report(*state, refuse(why));
    const Log::Hold hold(log());
    session_.close();
    if (kind == Fail::state && session_.state() == engineio::State::lingering) closed(Reason::forced_server_close, why);
  }

  void report(SocketState& state, const Refuse& error) {
    each_table(state, [&](EventTable& table) { call(table.error, state, "error", error); });
  }

  // ---- joining

  void connect(const socketio::Packet& packet) {
    const json auth = auth_of(packet.json);
    if (!auth.is_object()) return fail("a CONNECT whose payload cannot be represented", Fail::decoding);
    const std::string_view name = packet.nsp.size() > 1 ? packet.nsp : "/";
    if (find(name)) return fail("a second CONNECT to a namespace", Fail::state);
    if (kept() > server_.options().max_kept_bytes) return refuse_join(name, Reason::too_much_kept);
    std::string text(auth.empty() ? std::string_view() : packet.json);
    if (Namespace* nsp = server_.find_namespace(name)) return enter(*nsp, std::move(text));
    auto& connects = extras().connects;
    std::erase_if(connects, [](const auto& weak) {
      const auto pending = weak.lock();
      return !pending || pending->over;
    });
    if (!server_.parents_.empty() && sockets_.size() + connects.size() >= server_.options().max_namespaces)
      return refuse_join(name, Reason::too_many_namespaces);
    const auto pending = std::make_shared<PendingConnect>(PendingConnect{std::string(name), std::move(text)});
    connects.push_back(pending);
    resolve(pending, 0);
  }

  /// A CONNECT to a namespace that does not exist yet, while predicates are asked.
  struct PendingConnect {
    std::string name, auth;
    bool over = false;
  };
  struct Held;

  /// Calls f(pending) for each CONNECT that waits for a predicate.
  template <class F>
  void each_pending(F f) const {
    if (extras_)
      for (const auto& weak : extras_->connects)
        if (const auto pending = weak.lock(); pending && !pending->over) f(*pending);
  }

  /// The bytes that max_kept_bytes limits. Computed at each call, since most clients have only one namespace.
  std::size_t kept() const {
    std::size_t sum = extras_ ? extras_->held_bytes : 0;
    for (const auto& state : sockets_) sum += state->auth.size();
    each_pending([&](const PendingConnect& pending) { sum += pending.name.size() + pending.auth.size(); });
    return sum;
  }

  /// State that few clients need; allocated on demand.
  struct Extras {
    std::vector<std::string> left{};  // namespaces that the client has left at the time left_at
    engineio::Time left_at{};
    std::vector<std::weak_ptr<PendingConnect>> connects{};        // CONNECTs that wait for a predicate
    std::map<std::uint64_t, std::shared_ptr<const Held>> held{};  // events that wait for a middleware
    std::uint64_t next_held = 0;
    std::size_t held_bytes = 0;
  };
  Extras& extras() {
    if (!extras_) extras_ = std::make_unique<Extras>();
    return *extras_;
  }

  /// Calls the predicates from `step` on, one after the other, until one accepts the name; each may answer later.
  void resolve(const std::shared_ptr<PendingConnect>& pending, std::size_t step) {
    pending->over = step == server_.parents_.size();
    if (pending->over) return send_error(pending->name, refuse("Invalid namespace"));
    const auto answer = [this, keep = Ref<engineio::Session>(&session_), pending, step,
                         done = std::make_shared<bool>(false)](bool accepted) {
      if (std::exchange(*done, true) || !session_.open()) return;
      log().later(
          [this, keep, pending, step, accepted] { accepted ? make(pending, step) : resolve(pending, step + 1); });
    };
    const auto accepts = server_.parents_[step].accepts;
    if (!log().call({"A handler threw", "event", "namespace predicate", "", pending->name},
                    [&] { accepts(pending->name, auth_of(pending->auth), answer); }))
      answer(false);
  }

  /// Makes the namespace that a predicate has accepted, unless it exists by now, and joins it.
  void make(const std::shared_ptr<PendingConnect>& pending, std::size_t step) {
    pending->over = true;
    if (!session_.open()) return;
    const bool is_new = !server_.find_namespace(pending->name);  // not made if the client may not join it
    if (sockets_.size() >= server_.options().max_namespaces || (is_new && !server_.make_room()))
      return refuse_join(pending->name, Reason::too_many_namespaces);
    Namespace* nsp = server_.child(pending->name, server_.parents_[step].nsp);
    if (!nsp) return send_error(pending->name, refuse("Internal server error"));
    if (session_.open()) return enter(*nsp, std::move(pending->auth));
    ++nsp->clients_;  // an on_new_namespace handler has closed the session: release() handles the empty namespace
    server_.release(*nsp);
  }

  void enter(Namespace& nsp, std::string auth) {
    if (sockets_.size() >= server_.options().max_namespaces)
      return refuse_join(nsp.name(), Reason::too_many_namespaces);
    auto restored = restore(nsp, auth);
    const auto state = std::make_shared<LiveSocket>(nsp.shared_from_this(), Ref<engineio::Session>(&session_), info_,
                                                    restored ? restored->id : server_.engine_.random.id());
    state->auth = std::move(auth);
    ++nsp.clients_;
    sockets_.push_back(state);
    if (nsp.recovery_.on())
      state->recovery =
          std::make_unique<SocketRecovery>(SocketRecovery{restored ? restored->pid : server_.engine_.random.id()});
    if (restored) {
      state->recovered = true;
      state->data = std::move(restored->data), state->data_type = restored->data_type,
      state->data_json = restored->data_json;
      state->recovery->restored = std::make_shared<Restored>(std::move(*restored));
      if (server_.options().connection_state_recovery.skip_middlewares) return join(state);
    }
    admit(state, middlewares(nsp), 0);
  }

  std::optional<Restored> restore(Namespace& nsp, std::string_view auth_text) {
    if (!nsp.recovery_.on()) return std::nullopt;
    const json auth = auth_of(auth_text);
    const auto pid = auth.find("pid"), offset = auth.find("offset");
    if (pid == auth.end() || offset == auth.end() || !pid->is_string() || !offset->is_string()) return std::nullopt;
    return nsp.recovery_.restore(pid->get_ref<const std::string&>(), offset->get_ref<const std::string&>(),
                                 server_.engine_.now());
  }

  using Middleware = std::function<void(Socket&, Next)>;
  using Middlewares = std::shared_ptr<const HandlerList::List>;

  /// The middlewares of the parent namespace, followed by the namespace's own.
  static Middlewares middlewares(const Namespace& nsp) {
    const auto own = nsp.middlewares_.list(), inherited = nsp.parent_ ? nsp.parent_->middlewares_.list() : nullptr;
    if (!own || !inherited) return own ? own : inherited;
    auto both = std::make_shared<HandlerList::List>(*inherited);
    both->insert(both->end(), own->begin(), own->end());
    return both;
  }

  /// Calls the middlewares from `step` on, one after the other; each may answer later. Then joins.
  static void admit(const StatePtr& state, const Middlewares& middlewares, std::size_t step) {
    if (state->gone || !state->session->open()) return;  // the client has disconnected meanwhile
    Client& client = of(*state);
    if (!middlewares || step == middlewares->size()) return client.join(state);
    const Next next([state, middlewares, step](std::optional<Refuse> refusal) {
      if (state->gone || !state->session->open()) return;
      of(*state).log().later([state, middlewares, step, refusal] {
        refusal ? of(*state).refused(state, *refusal) : admit(state, middlewares, step + 1);
      });
    });
    Socket& socket = handle(*state);
    if (!client.log().call(handler_of(socket, "middleware"),
                           [&] { Handlers<Middleware>::of((*middlewares)[step])(socket, next); }))
      next(refuse("Internal server error"));
  }

  void refused(const StatePtr& state, const Refuse& refusal) {
    if (state->gone || !session_.open()) return;
    send_error(state->nsp.name(), refusal);
    leave(state, {Reason::forbidden});
  }

  /// Takes out the recovered state of a socket; null if it has none.
  static std::shared_ptr<Restored> restored_of(const SocketState& state) {
    return state.recovery ? std::exchange(state.recovery->restored, nullptr) : nullptr;
  }

  void join(const StatePtr& state) {
    if (!session_.open()) return;
    state->connected = state->nsp.joined_ = true;
    auto& rooms = state->nsp.adapter().here_;
    rooms.add(*state);
    ++server_.engine_.counters.sockets_joined;
    session_.close_at(engineio::never);
    if (const auto restored = restored_of(*state)) {  // missed events are sent before the CONNECT packet
      state->nsp.recovery_.catch_up(*restored);
      for (const auto& room : restored->rooms) join_room(*state, room);
      for (const auto& packet : restored->missed) packet.send_to(session_);
    }
    socketio::Writer writer;
    writer.text = "{\"sid\":";
    bytes::append_string(writer.text, state->id);
    if (state->recovery) writer.text += ",\"pid\":", bytes::append_string(writer.text, state->recovery->pid);
    writer.text += '}';
    encode(socketio::PacketType::connect, state->nsp.name(), std::nullopt, std::move(writer)).send_to(session_);
    if (state->nsp.parent_) call(state->nsp.parent_->connection_, *state, "connection");
    call(state->nsp.connection_, *state, "connection");
  }

  void refuse_join(std::string_view name, Reason reason) {
    count(reason);
    send_error(name, refuse(row(reason).text));
  }

  void send_error(std::string_view nsp, const Refuse& refusal) {
    socketio::Writer writer;
    writer.text = "{\"message\":";
    bytes::append_string(writer.text, refusal.message);
    if (!refusal.data.is_null())
      writer.text += ",\"data\":" + refusal.data.dump(-1, ' ', false, json::error_handler_t::replace);
    writer.text += '}';
    encode(socketio::PacketType::connect_error, nsp, std::nullopt, std::move(writer)).send_to(session_);
  }

  // ---- events

  /// A packet's arguments without the first `skip`; nothing if a placeholder is malformed.
  static std::optional<socketio::Arguments> arguments_of(const socketio::Packet& packet,
                                                         const std::vector<std::string>* attachments,
                                                         std::size_t skip) {
    if (!attachments || packet.elements.empty())
      return socketio::Arguments(std::span(packet.elements).subspan(packet.elements.empty() ? 0 : skip));
    json values = socketio::parse(packet.json);
    if (values.is_discarded() || !socketio::replace_placeholders(values, *attachments)) return std::nullopt;
    auto& array = values.get_ref<json::array_t&>();
    array.erase(array.begin(), array.begin() + static_cast<std::ptrdiff_t>(skip));
    return socketio::Arguments(std::move(array));
  }

  void event(const StatePtr& state, const socketio::Packet& packet, const std::vector<std::string>* attachments) {
    if (packet.elements.empty()) return;  // an event without a name has no handler
    ++server_.engine_.counters.events;
    if (const auto wait = spend(events_, server_.options().event_rate)) return too_many_events(state, packet, *wait);
    const auto arguments = arguments_of(packet, attachments, 1);
    if (!arguments) return fail("a malformed placeholder", Fail::decoding);
    each_table(*state, [&](EventTable& table) { call(table.any, *state, packet.name, packet.name, *arguments); });
    if (state->events && !state->events->middlewares.empty()) return hold(state, packet, attachments);
    dispatch(*state, packet.name, packet.id, *arguments);
  }

  /// Takes a token from a bucket, which is made at the first call. Returns nothing, or how long the client must wait
  /// for a token.
  std::optional<Bucket::Wait> spend(std::unique_ptr<Bucket>& bucket, const Rate& rate) {
    if (!rate.on()) return std::nullopt;
    const auto now = server_.engine_.now();
    if (!bucket) bucket = std::make_unique<Bucket>(rate, now);
    return bucket->spend(rate, now);
  }

  /// Refuses an event beyond event_rate. The error is sent as the ack; without one, as an event, at most once a second.
  void too_many_events(const StatePtr& state, const socketio::Packet& packet, Bucket::Wait wait) {
    count(Reason::too_many_events);
    const bool first = log_allowed();
    if (first)
      log().write(LogLevel::info, "Event refused: more than event_rate allows",
                  {{"socketId", state->id}, {"event", packet.name}});
    if (!first && !packet.id) return;
    EventError error{std::string(packet.name) + ": too many events", "RATE_LIMITED", std::string(packet.name)};
    error.retryAfter = static_cast<std::int64_t>(std::ceil(wait.count() * 1000));
    answer_error(Socket(state), AckRequest{*state, packet.id}, error);
  }

  /// An event that waits for a socket's middlewares. Kept as text, because a JSON tree is many times as large.
  struct Held {
    StatePtr state;
    std::string name, text;
    std::optional<double> id;
    std::vector<std::string> attachments;
    std::size_t bytes;
  };
  using EventMiddleware = std::function<void(Socket&, std::string_view, const socketio::Arguments&, Next)>;

  void hold(const StatePtr& state, const socketio::Packet& packet, const std::vector<std::string>* attachments) {
    if (kept() > server_.options().max_kept_bytes) return too_much_kept(state, packet);
    std::size_t bytes = sizeof(Held) + packet.name.size() + packet.json.size();
    if (attachments)
      for (const auto& attachment : *attachments) bytes += sizeof(std::string) + attachment.size();
    auto& extra = extras();
    extra.held_bytes += bytes;
    const auto number = extra.next_held++;
    extra.held.emplace(
        number, std::make_shared<const Held>(Held{state, std::string(packet.name), std::string(packet.json), packet.id,
                                                  attachments ? *attachments : std::vector<std::string>(), bytes}));
    filter(state, number, state->events->middlewares.list(), 0);
  }

  void too_much_kept(const StatePtr& state, const socketio::Packet& packet) {
    count(Reason::too_much_kept);
    if (error_reply_allowed())
      answer_error(Socket(state), AckRequest{*state, packet.id},
                   {std::string(packet.name) + ": too many events wait", "OVERLOADED", std::string(packet.name)});
  }

  /// Takes out a held event; null if its socket has disconnected.
  std::shared_ptr<const Held> release(std::uint64_t number) {
    auto& extra = extras();
    const auto found = extra.held.find(number);
    if (found == extra.held.end()) return nullptr;
    auto held = std::move(found->second);
    extra.held_bytes -= held->bytes;
    extra.held.erase(found);
    return held;
  }

  /// Calls f(arguments) of a held event.
  template <class F>
  void with_arguments(const Held& held, F f) const {
    socketio::Packet packet;
    packet.json = held.text;
    bytes::Outline({server_.options().max_json_depth, server_.options().max_json_tokens})
        .read(held.text, &packet.elements);
    if (const auto arguments = arguments_of(packet, held.attachments.empty() ? nullptr : &held.attachments, 1))
      f(*arguments);
  }

  static void filter(const StatePtr& state, std::uint64_t number, const Middlewares& middlewares, std::size_t step) {
    if (state->gone) return;
    Client& client = of(*state);
    if (step == middlewares->size()) {
      if (const auto held = client.release(number))
        client.with_arguments(*held,
                              [&](const auto& arguments) { client.dispatch(*state, held->name, held->id, arguments); });
      return;
    }
    const auto found = client.extras().held.find(number);
    if (found == client.extras().held.end()) return;
    const Next next([state, number, middlewares, step](std::optional<Refuse> refusal) {
      if (state->gone) return;
      of(*state).log().later([state, number, middlewares, step, refusal] {
        if (!refusal) return filter(state, number, middlewares, step + 1);
        if (state->gone || !of(*state).release(number)) return;
        of(*state).report(*state, *refusal);
      });
    });
    const auto held = found->second;  // a copy, because the middleware may answer at once, which removes it
    Socket& socket = handle(*state);
    bool good = true;
    client.with_arguments(*held, [&](const auto& arguments) {
      good = client.log().call(handler_of(socket, held->name), [&] {
        Handlers<EventMiddleware>::of((*middlewares)[step])(socket, held->name, arguments, next);
      });
    });
    if (!good) next(refuse("Internal server error"));
  }

  void dispatch(SocketState& state, std::string_view name, std::optional<double> id,
                const socketio::Arguments& arguments) {
    const AckRequest ack{state, id};
    each_table(state, [&](EventTable& table) {
      const auto entry = table.by_name.find(name);
      if (entry == table.by_name.end()) return;
      Socket& socket = handle(state);
      bool good = true;
      const auto handle_event = [&](const EventHandler& handler) {
        const auto run = [&] {
          try {
            handler(socket, arguments, ack);
          } catch (const Error& error) {
            refuse_event(socket, ack, name, error);
          }
        };
        good = log().call(handler_of(socket, name), run) && good;
      };
      entry->second.each(handle_event, [&] { return !state.gone; });
      if (!good && error_reply_allowed()) answer_error(socket, ack, internal_error(name));
    });
  }

  /// An ack from the client. One that was not requested is counted and ignored.
  void ack(SocketState& state, const socketio::Packet& packet, const std::vector<std::string>* attachments) {
    const auto arguments = arguments_of(packet, attachments, 0);
    if (!arguments) return fail("a malformed placeholder", Fail::decoding);
    if (!packet.id || *packet.id > 9007199254740991.0 || !state.acks) return count(Reason::unknown_ack);
    const auto found = state.acks->find(static_cast<std::uint64_t>(*packet.id));
    if (found == state.acks->end()) return count(Reason::unknown_ack);
    const auto wait = std::move(found->second);
    state.acks->erase(found);
    wait->answer(*arguments);
  }

  /// Calls each handler, until one disconnects the socket. An exception does not stop the others. false: one threw.
  template <class List, class... Arguments>
  bool call(List& handlers, SocketState& state, std::string_view event, Arguments&... arguments) const {
    bool good = true;
    Socket& socket = handle(state);
    const bool gone = std::is_same_v<List, decltype(EventTable::disconnect)>;
    handlers.each(
        [&](const auto& handler) {
          good = log().call(handler_of(socket, event), [&] { handler(socket, arguments...); }) && good;
        },
        [&] { return state.gone == gone; });
    return good;
  }

  // ---- leaving

  /// Removes a socket, whether it has joined or not. Every socket leaves here, once. Its disconnect handlers, and the
  /// completions of its missing acks, run as soon as no other handler runs.
  void leave(const StatePtr state, const Disconnect& why) {
    if (std::exchange(state->gone, true)) return;
    const Log::Hold hold(log());
    std::vector<std::string> rooms;
    const bool joined = state->connected;
    if (joined) {
      rooms = handle(*state).rooms();
      keep_for_recovery(*state, why.reason);
      state->nsp.adapter().here_.remove(*state);
      state->connected = false;
      note_left(state->nsp.name());
      ++server_.engine_.counters.sockets_left;
      if (session_.open()) count(why.reason);              // else the session's close has been counted
    } else if (const auto unused = restored_of(*state)) {  // recovered but not joined: kept for another attempt
      unused->data = state->data, unused->missed.clear();
      state->nsp.recovery_.keep(std::move(*unused), server_.engine_.now());
    }
    std::erase_if(sockets_, [gone = state.get()](const StatePtr& one) { return one.get() == gone; });
    if (extras_)
      std::erase_if(extras_->held, [&](const auto& entry) {
        if (entry.second->state != state) return false;
        extras_->held_bytes -= entry.second->bytes;
        return true;
      });
    const auto acks = std::move(state->acks);
    log().later([state, joined, rooms = std::move(rooms), reason = why.reason, details = std::string(why.details)] {
      if (joined) of(*state).run_disconnect_handlers(*state, {reason, details}, rooms);
      else state->auth = std::string();  // frees memory: a middleware that has not answered may keep the socket
      of(*state).end(*state);
    });
    if (acks)
      for (const auto& [id, wait] : *acks) wait->lost();
  }

  /// Runs the disconnecting and disconnect handlers of a socket.
  void run_disconnect_handlers(SocketState& state, const Disconnect& why, const std::vector<std::string>& rooms) {
    state.former_rooms = &rooms;
    each_table(state, [&](EventTable& table) { call(table.disconnecting, state, "disconnect", why); });
    state.former_rooms = nullptr;
    each_table(state, [&](EventTable& table) { call(table.disconnect, state, "disconnect", why); });
  }

  /// Destroys a socket's data and handlers. Their destructors are the application's code, so events are held back.
  void end(SocketState& state) {
    const Log::Hold hold(log());
    state.ended = true;
    state.data.reset();
    state.events.reset();  // breaks a reference cycle: a handler may hold its own socket
    server_.release(state.nsp);
  }

  /// Keeps a socket's state for recovery, unless one side sent DISCONNECT or the client violated the protocol.
  void keep_for_recovery(const SocketState& state, Reason reason) {
    auto& recovery = state.nsp.recovery_;
    if (!recovery.on() || reason == Reason::client_disconnect || reason == Reason::server_disconnect ||
        reason == Reason::parse_error)
      return;
    Restored session{state.id, state.recovery->pid, {}, state.data, state.data_type, state.data_json};
    for (const auto& membership : state.rooms) session.rooms.push_back(membership.room->first);
    recovery.keep(std::move(session), server_.engine_.now());
  }

  /// Whether the client has left the namespace at the current engine time, that is, in the same batch of input. A
  /// packet to it is then ignored, because the client may have sent it before it knew of the disconnect.
  bool left_just_now(std::string_view nsp) const {
    return extras_ && extras_->left_at == server_.engine_.now() &&
           std::find(extras_->left.begin(), extras_->left.end(), nsp) != extras_->left.end();
  }
  void note_left(const std::string& nsp) {
    if (!session_.open()) return;  // no further packets arrive
    auto& extra = extras();
    if (std::exchange(extra.left_at, server_.engine_.now()) != server_.engine_.now()) extra.left.clear();
    extra.left.push_back(nsp);
  }

  StatePtr find(std::string_view nsp) const {
    if (nsp.size() < 2) nsp = "/";
    for (std::size_t i = sockets_.size(); i-- > 0;)
      if (sockets_[i]->connected && sockets_[i]->nsp.name() == nsp) return sockets_[i];
    return nullptr;
  }

  Server& server_;
  engineio::Session& session_;
  std::unique_ptr<Waiting> waiting_;
  std::unique_ptr<Bucket> events_, errors_;  // for event_rate and error_rate; made at first use
  std::vector<StatePtr> sockets_;            // joined, or waiting for a middleware
  std::unique_ptr<Extras> extras_;
  std::shared_ptr<const ConnectionInfo> info_;
  engineio::Time last_logged_{};
};

SIO_DEMO_INLINE void AckRequest::answer(socketio::Writer&& writer) const {
  if (!id || !state.session->open() || answered || (done && *done)) return;
  answered = true;
  if (done) *done = true;
  encode(socketio::PacketType::ack, state.nsp.name(), id, std::move(writer)).send_to(*state.session);
}

SIO_DEMO_INLINE EventError event_error(const Error& error) {
  EventError out{error.what(), error.code, {}, error.path};
  if (!error.data.is_null()) out.data = error.data;
  return out;
}

SIO_DEMO_INLINE socketio::Writer error_writer(const EventError& error) {
  return answer_writer(std::map<std::string, EventError>{{"error", error}});
}

SIO_DEMO_INLINE void refuse_event(const Socket& socket, const AckRequest& ack, std::string_view event,
                                  const Error& error) {
  Client& client = Client::of(ack.state);
  EventError told = event_error(error);
  told.event = event;
  const Log& log = socket.nsp().server().log();
  if (error.path) {
    told.message = std::string(event) + ": " + told.message;
    client.count(Reason::invalid_payload);
    if (!client.error_reply_allowed()) return;
    if (log.enabled(LogLevel::info) && client.log_allowed())
      log.write(LogLevel::info, "Invalid payload",
                {{"socketId", socket.id()}, {"event", event}, {"path", *error.path}, {"why", told.message}});
  } else if (log.enabled(LogLevel::debug))
    log.write(LogLevel::debug, "Event refused by its handler",
              {{"socketId", socket.id()}, {"event", event}, {"code", error.code}, {"why", told.message}});
  answer_error(socket, ack, told);
}

/// Sends an event's error to the client, as the ack, or as the event `error` if it asked for no ack.
SIO_DEMO_INLINE void answer_error(const Socket& socket, const AckRequest& ack, const EventError& error) {
  if (ack.id) ack.answer(error_writer(error));
  else socket.emit("error", error);
}

SIO_DEMO_INLINE EventError internal_error(std::string_view event) {
  return {std::string(event) + ": the server failed to handle this event", "INTERNAL_ERROR", std::string(event)};
}

SIO_DEMO_INLINE void coroutine_failed(const Socket& socket, const AckRequest& ack, std::string_view event,
                                      const std::exception_ptr& failure) {
  const bool good = socket.nsp().server().log().call(handler_of(socket, event), [&] {
    try {
      std::rethrow_exception(failure);
    } catch (const Error& error) {
      refuse_event(socket, ack, event, error);
    }
  });
  if (!good && Client::of(ack.state).error_reply_allowed()) answer_error(socket, ack, internal_error(event));
}

SIO_DEMO_INLINE void check_handled(std::string_view event) {
  if (!socketio::is_reserved(event) && event != "connection") return;
  std::string instead = "Socket.IO reserves this name, choose another one";
  if (event == "connect" || event == "connection") instead = "use on_connection()";
  if (event.starts_with("disconnect")) instead = "use on_" + std::string(event) + "()";
  throw std::invalid_argument("cannot handle an event \"" + std::string(event) + "\": " + instead);
}
#endif  // SIO_DEMO_BODIES

#ifdef ASIO_HAS_CO_AWAIT
// The coroutine's frame may hold types of the application without linkage, such as a local lambda; GCC warns about that
// in a header.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsubobject-linkage"
#endif
/// The coroutine's frame owns the handle and the values, so references to them stay valid while it is suspended.
template <class Answer, class Handler, class... Values>
asio::awaitable<void> await_handler(Handler handler, Socket socket, std::tuple<Values...> values, Reply<> reply) {
  const auto call = [&] {
    return std::apply([&](const Values&... value) { return handler(socket, value...); }, values);
  };
  if constexpr (std::is_void_v<Answer>) co_await call();
  else reply(as<Answer>(co_await call()));
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

template <class Answer, class Handler, class... Values>
void spawn_handler(Socket& socket, std::string_view event, const Handler& handler, std::tuple<Values...> values,
                   const AckRequest& ack) {
  auto done = [socket, ack = AckRequest{ack.state, ack.id, ack.share()}, event = std::string(event),
               server = socket.nsp().server().lifetime()](const std::exception_ptr& failure) {
    if (failure && !server.expired()) coroutine_failed(socket, ack, event, failure);
  };
  asio::co_spawn(socket.nsp().server().loop(), await_handler<Answer>(handler, socket, std::move(values), Reply<>(ack)),
                 std::move(done));
}
#endif

}  // namespace detail

#if SIO_DEMO_BODIES
// ---- Handshake

SIO_DEMO_INLINE Handshake Socket::handshake() const {
  const auto& info = *state_->info;
  return {state_->auth, info.address(), info.url(), info.head(), info.time};
}

SIO_DEMO_INLINE std::string_view Handshake::header(std::string_view name) const {
  return http::find_header(head, name);
}

SIO_DEMO_INLINE std::vector<std::pair<std::string, std::string>> Handshake::headers() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (auto rest = head; !rest.empty();) {
    const auto line = http::next_header(rest);
    out.emplace_back(line.name, line.value);
    auto& name = out.back().first;
    std::transform(name.begin(), name.end(), name.begin(), bytes::lower);
  }
  return out;
}

SIO_DEMO_INLINE json Handshake::to_json() const {
  json fields = json::object(), parameters = json::object();
  for (const auto& [name, value] : headers()) {
    auto& field = fields[name];  // several lines of one name are combined to one value (RFC 9110, 5.3)
    field = field.is_null() ? value : field.get<std::string>() + (name == "cookie" ? "; " : ", ") + value;
  }
  for (const auto& [name, value] : query().parameters) parameters[name] = value;
  return {{"headers", std::move(fields)},
          {"time", http::javascript_date(time)},
          {"address", address},
          {"xdomain", xdomain()},
          {"secure", secure()},
          {"issued", issued()},
          {"url", url},
          {"query", std::move(parameters)},
          {"auth", auth()}};
}

SIO_DEMO_INLINE http::Query Handshake::query() const {
  http::Query query;
  const auto mark = url.find('?');
  if (mark != url.npos) query.read(url.substr(mark + 1), (std::numeric_limits<std::size_t>::max)());
  return query;
}

// ---- AckWait

namespace detail {

SIO_DEMO_INLINE AckWait::AckWait(Server& server) : server_(&server), alive_(server.lifetime()) {}
SIO_DEMO_INLINE AckWait::~AckWait() {
  if (server_ && !alive_.expired()) server_->engine_.deadlines.forget(*this);
}

SIO_DEMO_INLINE void AckWait::arm(Milliseconds limit) {
  limit_ = limit;
  server_->in_turn([&] { server_->engine_.deadlines.set(*this, server_->engine_.now() + limit); });
}

SIO_DEMO_INLINE bool AckWait::expect(SocketState& socket, std::uint64_t id) {
  auto& acks = socket.acks;
  if (acks && acks->size() >= server_->options().max_outstanding_acks) {
    server_->engine_.counters.add(Reason::too_many_acks);
    return error_ = std::make_error_code(std::errc::no_buffer_space), false;
  }
  if (!acks) acks = std::make_unique<std::unordered_map<std::uint64_t, std::shared_ptr<AckWait>>>();
  acks->emplace(id_ = id, shared_from_this());
  waiting_.push_back(socket.weak_from_this());
  ++missing_;
  return true;
}

/// Called in the initiation of the operation, in which it must not complete: hence the post.
SIO_DEMO_INLINE void AckWait::seal() {
  sealed_ = true;
  if (!server_ || missing_ > 0) return;
  asio::post(server_->loop(), [self = shared_from_this()] {
    if (!self->server_ || self->alive_.expired()) return self->finish(self->error_);
    self->server_->in_turn([&] { self->finish(self->error_); });
  });
}

SIO_DEMO_INLINE void AckWait::answer(const socketio::Arguments& arguments) {
  if (!server_) return;
  bool good = false;  // take() may call the application's from_json, which may throw
  server_->log().call({"A handler threw", "event", "ack"}, [&] { good = take(arguments); });
  if (!server_) return;
  if (!good && !error_) error_ = std::make_error_code(std::errc::bad_message);
  if (missing_ == 0) return;
  --missing_;
  if (missing_ == 0 && sealed_) finish(error_);
}

SIO_DEMO_INLINE void AckWait::lost(std::error_code why) {
  if (!server_) return;
  if (!error_) error_ = why;
  if (missing_ > 0) --missing_;
  if (missing_ == 0 && sealed_) finish(error_);
}

SIO_DEMO_INLINE void AckWait::finish(std::error_code error) {
  const auto self = shared_from_this();
  if (!server_) return;
  Server& server = *std::exchange(server_, nullptr);
  if (alive_.expired()) return complete(error);
  server.engine_.deadlines.forget(*this);
  for (const auto& socket : waiting_)
    if (const auto state = socket.lock(); state && state->acks) state->acks->erase(id_);
  server.log().later([self, &server, error] {
    server.log().call({"A handler threw", "event", "ack"}, [&] { self->complete(error); });
  });
}

/// The values of a JSON array, as views into its text, which must be well formed.
SIO_DEMO_INLINE std::vector<std::string_view> elements_of(std::string_view text) {
  std::vector<std::string_view> out;
  std::size_t begin = 1, depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') quoted = !quoted;
    else if (quoted) i += c == '\\' ? 1 : 0;
    else if (c == '[' || c == '{') ++depth;
    else if (c == ']' || c == '}') --depth;
    const bool over = depth == 0 && !quoted;
    if (over ? i > begin : c == ',' && depth == 1 && !quoted) {
      out.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  return out;
}

/// A value that parse() discards becomes null: RawJson may have a number beyond the range of double.
SIO_DEMO_INLINE json::array_t values_of(const socketio::Writer& event) {
  std::vector<std::string> attachments;
  attachments.reserve(event.attachments.size());
  for (const auto& attachment : event.attachments) attachments.emplace_back(attachment->payload());
  json::array_t values;
  for (const auto text : elements_of(event.text)) {
    json& value = values.emplace_back(socketio::parse(text));
    if (value.is_discarded()) value = nullptr;
    if (!attachments.empty()) socketio::replace_placeholders(value, attachments);
  }
  return values;
}

/// The reverse of values_of(): writes the values, with binary as attachments.
SIO_DEMO_INLINE socketio::Writer writer_of(const json::array_t& event) {
  socketio::Writer writer;
  writer.text = "[";
  for (const json& value : event) add_argument(writer, value);
  writer.text += ']';
  return writer;
}
}  // namespace detail
#endif  // SIO_DEMO_BODIES

namespace detail {

/// The result of an operation that begins after the server is destroyed.
template <class Result>
struct NoResult {
  Result value{};
};

/// Completes an operation as soon as no handler runs. The server must exist.
template <class Handler, class Result>
void complete_operation(Server& server, const std::shared_ptr<Completion<Handler>>& completion, std::error_code error,
                        Result result) {
  server.log().later([&server, completion, error, result = std::move(result)]() mutable {
    server.log().call({"A handler threw", "event", "completion"}, [&] { (*completion)(error, std::move(result)); });
  });
}

/// An asynchronous operation of Asio. `start(done)` begins it; done(error, result) may be called at once or later, on
/// the event-loop thread.
template <class Result, class Token, class Start>
auto operation(const Namespace& nsp, Start start, Token&& token) {
  auto initiation = [&server = nsp.server(), alive = nsp.server_lifetime(),
                     start = std::move(start)](auto&& handler) mutable {
    using Handler = std::decay_t<decltype(handler)>;
    if (alive.expired()) return complete_orphan<NoResult<Result>>(Handler(std::forward<decltype(handler)>(handler)));
    auto completion =
        std::make_shared<Completion<Handler>>(server.loop(), Handler(std::forward<decltype(handler)>(handler)));
    start([&server, &loop = server.loop(), completion, alive](std::error_code error, Result result) {
      asio::post(loop, [&server, completion, alive, error, result = std::move(result)]() mutable {
        if (alive.expired()) return (*completion)(error, std::move(result));
        complete_operation(server, completion, error, std::move(result));
      });
    });
  };
  return asio::async_initiate<Token, void(std::error_code, Result)>(std::move(initiation), token);
}

}  // namespace detail

#if SIO_DEMO_BODIES
// ---- Adapter

SIO_DEMO_INLINE Adapter::Adapter(Namespace& nsp) : nsp_(nsp) {}

SIO_DEMO_INLINE std::optional<Socket> Adapter::find(std::string_view id) const {
  auto* state = here_.find(id);
  return state ? std::optional<Socket>(state->shared_from_this()) : std::nullopt;
}

SIO_DEMO_INLINE void Adapter::broadcast(socketio::Writer&& event, const Target& target) {
  if (here_.size() == 0 && !nsp_.recovery_.on()) return;
  const auto values = nsp_.has_outgoing_handlers() ? detail::values_of(event) : json::array_t();
  const auto packet = nsp_.encode(std::move(event), target);
  here_.visit(target, [&](detail::SocketState& state) {
    if (!target.droppable || state.session->writable()) packet.send_to(*state.session);
    else ++nsp_.server().engine_.counters.volatile_dropped;
  });
  if (nsp_.has_outgoing_handlers()) nsp_.call_outgoing_handlers(sockets(target), values);
}

SIO_DEMO_INLINE void Adapter::broadcast_with_ack(socketio::Writer&& event, const Target& target,
                                                 const std::shared_ptr<detail::AckWait>& wait) {
  const auto values = nsp_.has_outgoing_handlers() ? detail::values_of(event) : json::array_t();
  const std::uint64_t id = nsp_.next_ack_++;
  const auto packet =
      socketio::encode(socketio::PacketType::event, nsp_.name(), static_cast<double>(id), std::move(event));
  here_.visit(target, [&](detail::SocketState& state) {
    if (wait->expect(state, id)) packet.send_to(*state.session);
  });
  if (nsp_.has_outgoing_handlers()) nsp_.call_outgoing_handlers(sockets(target), values);
  wait->seal();
}

SIO_DEMO_INLINE std::vector<Socket> Adapter::sockets(const Target& target) {
  std::vector<Socket> out;
  here_.visit(target, [&](detail::SocketState& state) { out.emplace_back(state.shared_from_this()); });
  return out;
}

SIO_DEMO_INLINE void Adapter::fetch_sockets(const Target& target,
                                            std::function<void(std::error_code, std::vector<RemoteSocket>)> done) {
  std::vector<RemoteSocket> out;
  for (const Socket& socket : sockets(target)) {
    const auto& state = *socket.state_;
    out.emplace_back(nsp_, socket.id(), socket.handshake().to_json(), socket.rooms(),
                     state.data_json ? state.data_json(state.data.get()) : json::object());
  }
  done({}, std::move(out));
}

SIO_DEMO_INLINE void Adapter::sockets_join(const Target& target, const std::vector<std::string>& rooms) {
  for (const Socket& socket : sockets(target)) socket.join(rooms);
}
SIO_DEMO_INLINE void Adapter::sockets_leave(const Target& target, const std::vector<std::string>& rooms) {
  for (const Socket& socket : sockets(target))
    for (const auto& room : rooms) socket.leave(room);
}

SIO_DEMO_INLINE void Adapter::disconnect_sockets(const Target& target, bool close) {
  for (const Socket& socket : sockets(target)) socket.disconnect(close);
}
SIO_DEMO_INLINE void Adapter::server_side_emit(json::array_t,
                                               std::function<void(std::error_code, json::array_t)> done) {
  if (done) done({}, {});
}
SIO_DEMO_INLINE void Adapter::all_rooms(std::function<void(std::error_code, std::vector<std::string>)> done) {
  done({}, rooms());
}
SIO_DEMO_INLINE void Adapter::server_count(std::function<void(std::error_code, std::size_t)> done) { done({}, 1); }

namespace detail {

/// The adapter of a parent namespace, the result of of(predicate): forwards each operation to its child namespaces.
class Children final : public Adapter {
 public:
  using Adapter::Adapter;

  void broadcast(socketio::Writer&& event, const Target& target) override {
    each([&](Adapter& child) { child.broadcast(socketio::Writer(event), target); });
  }
  void broadcast_with_ack(socketio::Writer&&, const Target&, const std::shared_ptr<AckWait>& wait) override {
    wait->lost(std::make_error_code(std::errc::operation_not_supported));
    wait->seal();
  }
  void fetch_sockets(const Target& target,
                     std::function<void(std::error_code, std::vector<RemoteSocket>)> done) override {
    std::vector<RemoteSocket> all;
    each([&](Adapter& child) {
      child.Adapter::fetch_sockets(target, [&](std::error_code, std::vector<RemoteSocket> some) {
        all.insert(all.end(), some.begin(), some.end());
      });
    });
    done({}, std::move(all));
  }
  void all_rooms(std::function<void(std::error_code, std::vector<std::string>)> done) override {
    std::set<std::string> all;
    each([&](Adapter& child) {
      for (auto& room : child.rooms()) all.insert(std::move(room));
    });
    done({}, {all.begin(), all.end()});
  }
  void sockets_join(const Target& target, const std::vector<std::string>& rooms) override {
    each([&](Adapter& child) { child.sockets_join(target, rooms); });
  }
  void sockets_leave(const Target& target, const std::vector<std::string>& rooms) override {
    each([&](Adapter& child) { child.sockets_leave(target, rooms); });
  }
  void disconnect_sockets(const Target& target, bool close) override {
    each([&](Adapter& child) { child.disconnect_sockets(target, close); });
  }

 private:
  template <class F>
  void each(F f) {
    for (const auto& nsp : nsp_.server().all_namespaces())
      if (nsp->parent_.get() == &nsp_) f(nsp->adapter());
  }
};

}  // namespace detail

SIO_DEMO_INLINE RemoteSocket::RemoteSocket(Namespace& nsp, std::string its_id, json its_handshake,
                                           std::vector<std::string> its_rooms, json its_data)
    : id(std::move(its_id)),
      handshake(std::move(its_handshake)),
      rooms(std::move(its_rooms)),
      data(std::move(its_data)),
      nsp_(nsp.shared_from_this()) {}

SIO_DEMO_INLINE void RemoteSocket::deliver(socketio::Writer&& writer) const {
  if (!orphaned()) nsp_->adapter().broadcast(std::move(writer), {.rooms = {id}});
}
SIO_DEMO_INLINE void RemoteSocket::ask(socketio::Writer&& writer, const std::shared_ptr<detail::AckWait>& wait) const {
  nsp_->adapter().broadcast_with_ack(std::move(writer), {.rooms = {id}}, wait);
}
SIO_DEMO_INLINE Server& RemoteSocket::server() const { return nsp_->server(); }
SIO_DEMO_INLINE bool RemoteSocket::orphaned() const { return nsp_->orphaned(); }
SIO_DEMO_INLINE void RemoteSocket::join(const RoomNames& names) const {
  if (!orphaned()) nsp_->adapter().sockets_join({.rooms = {id}}, names.names);
}
SIO_DEMO_INLINE void RemoteSocket::leave(const RoomNames& names) const {
  if (!orphaned()) nsp_->adapter().sockets_leave({.rooms = {id}}, names.names);
}
SIO_DEMO_INLINE void RemoteSocket::disconnect(bool close) const {
  if (!orphaned()) nsp_->adapter().disconnect_sockets({.rooms = {id}}, close);
}

// ---- Broadcast

SIO_DEMO_INLINE Broadcast::Broadcast(Namespace& nsp) : nsp_(nsp.shared_from_this()) {}
SIO_DEMO_INLINE void Broadcast::deliver(socketio::Writer&& writer) const {
  if (!orphaned()) nsp_->adapter().broadcast(std::move(writer), target_);
}
SIO_DEMO_INLINE void Broadcast::ask(socketio::Writer&& writer, const std::shared_ptr<detail::AckWait>& wait) const {
  nsp_->adapter().broadcast_with_ack(std::move(writer), target_, wait);
}
SIO_DEMO_INLINE Server& Broadcast::server() const { return nsp_->server(); }
SIO_DEMO_INLINE bool Broadcast::orphaned() const { return nsp_->orphaned(); }
SIO_DEMO_INLINE std::vector<Socket> Broadcast::sockets() const { return nsp_->adapter().sockets(target_); }
SIO_DEMO_INLINE void Broadcast::sockets_join(const RoomNames& rooms) const {
  if (!orphaned()) nsp_->adapter().sockets_join(target_, rooms.names);
}
SIO_DEMO_INLINE void Broadcast::sockets_leave(const RoomNames& rooms) const {
  if (!orphaned()) nsp_->adapter().sockets_leave(target_, rooms.names);
}
SIO_DEMO_INLINE void Broadcast::disconnect_sockets(bool close) const {
  if (!orphaned()) nsp_->adapter().disconnect_sockets(target_, close);
}
#endif  // SIO_DEMO_BODIES

template <class Token>
auto Broadcast::fetch_sockets(Token&& token) const {
  auto start = [nsp = nsp_, target = target_](auto done) { nsp->adapter().fetch_sockets(target, std::move(done)); };
  return detail::operation<std::vector<RemoteSocket>>(*nsp_, std::move(start), std::forward<Token>(token));
}

#if SIO_DEMO_BODIES
// ---- Namespace

SIO_DEMO_INLINE Namespace::Namespace(Server& server, std::string name, std::shared_ptr<Namespace> parent)
    : server_(server),
      server_lifetime_(server.lifetime()),
      name_(std::move(name)),
      parent_(std::move(parent)),
      recovery_(server.options().connection_state_recovery, server.engine_.deadlines) {
  const bool real = name_.starts_with('/');  // false for a parent namespace, whose adapter add_parent() sets
  if (const auto make = server.make_adapter_; make && real)
    adapter_ = make(*this);  // a copy, because the call may replace it
  if (!adapter_) adapter_ = std::make_unique<Adapter>(*this);
}

SIO_DEMO_INLINE socketio::Outgoing Namespace::encode(socketio::Writer&& event, const Target& target) {
  const bool kept = recovery_.on() && !target.droppable;
  std::string offset = kept ? recovery_.stamp(event) : std::string();
  auto packet = socketio::encode(socketio::PacketType::event, name_, std::nullopt, std::move(event));
  if (kept) server_.in_turn([&] { recovery_.keep(std::move(offset), packet, target, server_.engine_.now()); });
  return packet;
}

/// With recovery, an event for a disconnected socket is kept. If the client has reconnected already, an event emitted
/// through the old handle goes to the new socket.
SIO_DEMO_INLINE void Namespace::send(detail::SocketState& socket, socketio::Writer&& event, bool droppable) {
  if (socket.gone && !recovery_.on()) return;
  if (socket.gone)
    if (const auto back = adapter_->find(socket.id)) return send(*back->state_, std::move(event), droppable);
  const auto values = has_outgoing_handlers() && !socket.gone ? detail::values_of(event) : json::array_t();
  const auto packet = recovery_.on()
                          ? encode(std::move(event), {.rooms = {socket.id}, .droppable = droppable})
                          : socketio::encode(socketio::PacketType::event, name_, std::nullopt, std::move(event));
  if (socket.gone) return;
  if (!droppable || socket.session->writable()) packet.send_to(*socket.session);
  else ++server_.engine_.counters.volatile_dropped;
  if (has_outgoing_handlers()) call_outgoing_handlers({Socket(socket.shared_from_this())}, values);
}

SIO_DEMO_INLINE void Namespace::ask(detail::SocketState& socket, socketio::Writer&& event,
                                    const std::shared_ptr<detail::AckWait>& wait) {
  const auto values = has_outgoing_handlers() ? detail::values_of(event) : json::array_t();
  const std::uint64_t id = next_ack_++;
  if (!wait->expect(socket, id)) return;
  socketio::encode(socketio::PacketType::event, name_, static_cast<double>(id), std::move(event))
      .send_to(*socket.session);
  if (has_outgoing_handlers()) call_outgoing_handlers({Socket(socket.shared_from_this())}, values);
}

/// Calls the any_outgoing handlers of these sockets, after the event is queued.
SIO_DEMO_INLINE void Namespace::call_outgoing_handlers(const std::vector<Socket>& sockets, const json::array_t& event) {
  std::string name;
  if (const auto* text = event.front().get_ptr<const std::string*>()) name = *text;
  else bytes::append_number(name, event.front().get<double>());  // possible only in an event of another server
  server_.log().later([this, keep = shared_from_this(), sockets, name = std::move(name),
                       arguments = socketio::Arguments(json::array_t(event.begin() + 1, event.end()))] {
    for (const Socket& socket : sockets) call_outgoing_handlers(*socket.state_, name, arguments);
  });
}

SIO_DEMO_INLINE void Namespace::call_outgoing_handlers(detail::SocketState& state, std::string_view name,
                                                       const socketio::Arguments& arguments) {
  Socket& socket = detail::Client::handle(state);
  detail::Client::each_table(state, [&](detail::EventTable& table) {
    table.any_outgoing.each([&](const auto& handler) {
      server_.log().call(detail::handler_of(socket, name), [&] { handler(socket, name, arguments); });
    });
  });
}

SIO_DEMO_INLINE void Namespace::server_side_event(const json::array_t& event, const std::function<void(json)>& answer) {
  if (event.empty() || !event.front().is_string()) return;
  const auto found = server_side_.find(event.front().get_ref<const std::string&>());
  if (found == server_side_.end()) return;
  server_.log().later([this, keep = shared_from_this(), entry = &*found, answer,
                       arguments = json::array_t(event.begin() + 1, event.end())] {
    entry->second.each([&](const auto& handler) {
      server_.log().call({"A handler threw", "event", entry->first, "", name_}, [&] { handler(arguments, answer); });
    });
  });
}
#endif  // SIO_DEMO_BODIES

namespace detail {

template <class Derived>
std::optional<Socket> NamespaceApi<Derived>::find(std::string_view id) const {
  return main().adapter().find(id);
}

template <class Derived>
template <class Token>
auto NamespaceApi<Derived>::all_rooms(Token&& token) const {
  auto start = [nsp = main().shared_from_this()](auto done) { nsp->adapter().all_rooms(std::move(done)); };
  return operation<std::vector<std::string>>(main(), std::move(start), std::forward<Token>(token));
}

template <class Derived>
template <class... Values>
void NamespaceApi<Derived>::server_side_emit(std::string_view name, const Values&... values) const {
  main().adapter().server_side_emit(values_of(named_event(name, values...)), nullptr);
}

template <class Derived>
template <class... ValuesAndToken>
auto NamespaceApi<Derived>::server_side_emit_with_ack(std::string_view name, ValuesAndToken&&... rest) const {
  return with_last(
      [&](auto&& token, const auto&... values) {
        auto start = [nsp = main().shared_from_this(), event = values_of(named_event(name, values...))](auto done) {
          nsp->adapter().server_side_emit(event, std::move(done));
        };
        return operation<json::array_t>(main(), std::move(start), std::forward<decltype(token)>(token));
      },
      std::forward<ValuesAndToken>(rest)...);
}

/// A T as JSON; {} if it has no JSON form.
template <class T>
json json_of(const void* object) {
  if constexpr (Writable<T>) return value_of(*static_cast<const T*>(object));
  else return json::object();
}

}  // namespace detail

// ---- Socket

template <class T>
T& Socket::data() const {
  if (!state_->ended && !state_->data) {
    // T's constructor may disconnect the socket, destroy this handle, or call data() itself.
    const auto state = keep();
    auto made = std::make_shared<T>();
    if (state->ended || state->data) return Socket(state).data<T>();
    state->data = std::move(made);
    state->data_type = &detail::type_tag<T>;
    state->data_json = &detail::json_of<T>;
    return *static_cast<T*>(state->data.get());
  }
  if (state_->ended) throw std::logic_error("data<T>(): the client is gone, and its data with it");
  if (state_->data_type != &detail::type_tag<T>) throw std::logic_error("data<T>(): it was first used with another T");
  return *static_cast<T*>(state_->data.get());
}

#if SIO_DEMO_BODIES
SIO_DEMO_INLINE void Unicast::deliver(socketio::Writer&& writer) const {
  state_->nsp.send(*state_, std::move(writer), droppable_);
}
SIO_DEMO_INLINE void Unicast::ask(socketio::Writer&& writer, const std::shared_ptr<detail::AckWait>& wait) const {
  if (!state_->gone) state_->nsp.ask(*state_, std::move(writer), wait);
  else wait->lost();
  wait->seal();
}
SIO_DEMO_INLINE Server& Unicast::server() const { return state_->nsp.server(); }
SIO_DEMO_INLINE bool Unicast::orphaned() const { return state_->nsp.orphaned(); }

SIO_DEMO_INLINE void Socket::deliver(socketio::Writer&& writer) const {
  state_->nsp.send(*state_, std::move(writer), false);
}
SIO_DEMO_INLINE Namespace& Socket::watch() const { return state_->nsp; }

SIO_DEMO_INLINE engineio::Session* Socket::conn() const {
  return state_->session->state() == engineio::State::closed ? nullptr : state_->session.get();
}
SIO_DEMO_INLINE std::string_view Socket::transport() const { return conn() ? conn()->transport() : ""; }

SIO_DEMO_INLINE void Socket::join(const RoomNames& rooms) const {
  if (!state_->connected) return;
  const Log& log = state_->nsp.server().log();
  if (log.observing()) return log.later([self = *this, rooms] { self.join(rooms); });  // a caller may iterate over it
  for (const auto& room : rooms.names) detail::Client::of(*state_).join_room(*state_, room);
}
SIO_DEMO_INLINE void Socket::leave(std::string_view room) const {
  if (!state_->connected) return;
  const Log& log = state_->nsp.server().log();
  if (log.observing()) return log.later([self = *this, name = std::string(room)] { self.leave(name); });
  state_->nsp.adapter().here_.leave(*state_, room);
}

SIO_DEMO_INLINE std::vector<std::string> Socket::rooms() const {
  if (state_->former_rooms) return *state_->former_rooms;
  std::vector<std::string> out;
  if (state_->connected) out.push_back(state_->id);
  for (const auto& membership : state_->rooms) out.push_back(membership.room->first);
  return out;
}

SIO_DEMO_INLINE Broadcast Socket::broadcast() const { return state_->nsp.except(id()); }
SIO_DEMO_INLINE Broadcast Socket::to(const RoomNames& rooms) const { return broadcast().to(rooms); }
SIO_DEMO_INLINE Broadcast Socket::except(const RoomNames& rooms) const { return broadcast().except(rooms); }

SIO_DEMO_INLINE void Socket::disconnect(bool close) const {
  const auto state = keep();
  if (state->connected || (close && state->session->open()))
    state->nsp.server().in_turn([&] { detail::Client::of(*state).disconnect(state, close); });
}

// ---- Server

SIO_DEMO_INLINE Namespace* Server::find_namespace(std::string_view name) const {
  const auto found = namespaces_.find(name);
  return found == namespaces_.end() ? nullptr : found->second.get();
}

SIO_DEMO_INLINE Namespace& Server::of(std::string_view name) {
  const std::string full = name.starts_with('/') ? std::string(name) : "/" + std::string(name);
  if (Namespace* nsp = find_namespace(full)) {
    nsp->joined_ = true;
    return *nsp;
  }
  const auto nsp = std::make_shared<Namespace>(*this, full, nullptr);
  namespaces_.emplace(full, nsp);
  log().later([this, nsp] { announce(*nsp); });
  return *nsp;
}

SIO_DEMO_INLINE void Server::announce(Namespace& nsp) {
  new_namespace_.each([&](const auto& handler) {
    log().call({"A handler threw", "event", "new_namespace", "", nsp.name()}, [&] { handler(nsp); });
  });
}

SIO_DEMO_INLINE std::vector<std::shared_ptr<Namespace>> Server::all_namespaces() const {
  std::vector<std::shared_ptr<Namespace>> out;
  for (const auto& entry : namespaces_) out.push_back(entry.second);
  return out;
}

SIO_DEMO_INLINE Namespace& Server::add_parent(Predicate predicate) {
  auto nsp = std::make_shared<Namespace>(*this, "(made on demand)", nullptr);
  nsp->adapter_ = std::make_unique<detail::Children>(*nsp);
  return *parents_.emplace_back(Parent{std::move(predicate), std::move(nsp)}).nsp;
}

SIO_DEMO_INLINE Namespace* Server::child(std::string_view name, const std::shared_ptr<Namespace>& parent) {
  if (Namespace* nsp = find_namespace(name)) return nsp;
  std::shared_ptr<Namespace> nsp;
  if (!log().call({"The adapter's factory threw", "event", "adapter", "", name},
                  [&] { nsp = std::make_shared<Namespace>(*this, std::string(name), parent); }))
    return nullptr;
  if (!namespaces_.emplace(name, nsp).second) return find_namespace(name);  // the adapter's factory has made it
  ++children_;
  announce(*nsp);
  return nsp.get();
}

SIO_DEMO_INLINE void Server::release(Namespace& nsp) {
  if (--nsp.clients_ > 0 || !nsp.parent_) return;
  if (options().cleanup_empty_child_namespaces) return end_child(nsp);
  if (!nsp.joined_ && !std::exchange(nsp.unused_, true)) unused_.push_back(&nsp);
}

SIO_DEMO_INLINE void Server::end_child(Namespace& nsp) {
  const auto keep = nsp.shared_from_this();
  --children_;
  nsp.recovery_.end();
  namespaces_.erase(namespaces_.find(nsp.name()));
  end(nsp);
}

/// Calls close() of the namespace's adapter, as soon as no handler runs.
SIO_DEMO_INLINE void Server::end(Namespace& nsp) {
  log().later([this, keep = nsp.shared_from_this()] {
    log().call({"An adapter's close() threw", "event", "close", "", keep->name()}, [&] { keep->adapter_->close(); });
  });
}

/// Whether one more child namespace may be made. At the limit, removes one that no client was accepted into, so that a
/// client cannot use up the limit by names alone.
SIO_DEMO_INLINE bool Server::make_room() {
  if (children_ < options().max_child_namespaces) return true;
  while (!unused_.empty()) {
    Namespace& nsp = *unused_.back();
    unused_.pop_back();
    nsp.unused_ = false;
    if (nsp.joined_ || nsp.clients_ > 0) continue;
    end_child(nsp);
    return true;
  }
  return false;
}

SIO_DEMO_INLINE Server& Server::adapter(std::function<std::unique_ptr<Adapter>(Namespace&)> make) {
  if (counters().sessions_opened > 0) throw std::logic_error("adapter: set it before any client comes");
  make_adapter_ = make;
  for (const auto& nsp : all_namespaces()) former_adapters_.push_back(std::exchange(nsp->adapter_, make(*nsp)));
  post([this] { const auto former = std::exchange(former_adapters_, {}); });  // their ends may call adapter(), too
  return *this;
}

SIO_DEMO_INLINE void Server::drained() {
  if (std::exchange(drained_, true)) return;
  for (const auto& nsp : all_namespaces()) end(*nsp);
}

SIO_DEMO_INLINE void Server::on_open(engineio::Session& session, const http::Request& request) {
  session.context = std::make_unique<detail::Client>(*this, session, request);
  session.close_at(engine_.now() + options().connect_timeout);
}

SIO_DEMO_INLINE void Server::on_message(engineio::Session& session, std::string_view payload, bool binary) {
  static_cast<detail::Client&>(*session.context).receive(payload, binary);
}

SIO_DEMO_INLINE void Server::on_upgraded(engineio::Session& session) {
  static_cast<detail::Client&>(*session.context).upgraded();
}

SIO_DEMO_INLINE void Server::on_close(engineio::Session& session, Reason reason, std::string_view why) {
  static_cast<detail::Client&>(*session.context).closed(reason, why);
}

/// Throws std::invalid_argument for options that cannot work; completes the path.
SIO_DEMO_INLINE Options Host::checked(Options options, bool with_engine) {
  const auto refuse_if = [](bool wrong, const char* what) {
    if (wrong) throw std::invalid_argument(std::string("sio_demo::Options: ") + what);
  };
  if (!with_engine) options.polling = options.websocket = false;
  refuse_if(with_engine && !options.polling && !options.websocket,
            "neither polling nor websocket is on; enable at least one transport");
  refuse_if(options.max_json_depth == 0 || options.max_json_depth > 64, "max_json_depth must be from 1 to 64");
  refuse_if(options.ping_interval.count() <= 0 || options.ping_timeout.count() <= 0,
            "ping_interval and ping_timeout must be positive");
  for (const Rate& rate : {options.handshake_rate, options.packet_rate, options.event_rate, options.error_rate})
    refuse_if(!rate.valid(), "a rate's burst must be 0 or at least 1, and its per_second not negative");
  refuse_if(options.packets_per_turn == 0, "packets_per_turn must be positive");
  refuse_if(options.max_connections == 0, "max_connections must be positive");
  refuse_if(!options.path.starts_with('/'), "path must begin with '/'");
  refuse_if(options.max_payload == 0, "max_payload must be positive");
  const auto& origins = options.cors.origins;
  const bool any = std::find(origins.begin(), origins.end(), "*") != origins.end();
  refuse_if(
      any && options.cors.credentials,
      "the origin \"*\" together with credentials would open every user's session to every page; list the origins");
  refuse_if(any && origins.size() > 1, "the origin \"*\" stands beside others; list either \"*\" or the origins");
  for (const auto& origin : origins)
    refuse_if(origin.empty() || !http::is_field_value(origin), "an origin is empty or holds control characters");
  if (const char* fault = options.cookie ? http::cookie_fault(*options.cookie) : nullptr) refuse_if(true, fault);
  if (options.path.ends_with('/')) options.path.pop_back();
  if (options.add_trailing_slash) options.path += '/';
  return options;
}

// ================================================================================================
// 10  Driver
//
// All reading from and writing to clients' sockets happens here. The chapter moves bytes between TCP and the codecs,
// requests between HTTP and the engine, and calls the engine when a deadline has passed. Everything runs on the
// event-loop thread. A connection uses its socket through the interface Stream, so that a test can decide when bytes
// arrive and how much a write takes, and so that TLS or Unix sockets can be added.
//
//     on_read         bytes are in the connection's chunk; the connection is ready
//     handle          HeadReader | BodyReader | websocket::Reader
//                     -> Engine::judge, Session::poll/post_body/frame -> handlers
//     send            a handler emits: a message is queued by reference; the connection is dirty
//     flush           all queued messages leave in one gathered write
//     continue_input  the stream reads the next bytes
//
// A turn is one call from the event loop into the server, such as for a timer, a posted function, an accepted
// connection, or a batch. A batch handles the input of all ready connections, then flushes all dirty ones, then lets
// the ready ones read again. So several events to one client leave in one write, and each step's code stays in the
// instruction cache: an echo takes a fifth less time than with a write after each message.
//
// An idle connection owns a chunk that most frames fit into, and its stream owns the memory of Asio's read operation.
// (To own no chunk and wait for readability costs Asio on Linux one more system call per message.) Input that fills
// the chunk is read on into one buffer, which all connections share. A connection keeps a copy of the bytes that it
// cannot handle yet.
//
// A read must not begin while received bytes wait to be handled: it would overwrite the chunk, or read more than a
// connection may hold. Several events let a connection read again: the end of a batch, a write that completes, a late
// decision of allow_request. All of them call continue_input(), the only function that begins a read, and it does so
// only in the state idle. While bytes wait, the state is ready or held, so it cannot begin one. The state becomes idle
// only where no bytes wait: in start(), if none were received before; in handle(), after it has emptied the chunk and
// handled all complete input; and in on_read() after an error.
//
//     idle     no bytes wait                          continue_input() -> reading
//     reading  the stream fills the chunk             on_read()        -> ready, or idle after an error
//     ready    bytes wait, the driver will handle()   handle()         -> idle, or held if complete input is left
//     held     bytes wait, nothing is scheduled       continue_input() -> ready
//
// Bytes are held when packets_per_turn packets were handled, while allow_request decides, and while an HTTP client does
// not read its responses.
//
// The deadlines are those of the engine (chapter 6). One timer is armed for the earliest, plus a few milliseconds, so
// that heartbeats due at nearly the same time cost one wake-up. A ManualClock replaces the timer: advance() calls the
// driver.
//
// Invariants. The driver owns a connection from start() to close(), which runs once, closes the stream, and informs the
// sessions. Responses leave in the order of their requests, in whatever order they are made. While allow_request
// decides, nothing more is read from its connection, so only the input already read uses memory. Asio's handlers hold
// a Ref to the object that they call, and have no effect once the driver is abandoned.
// ================================================================================================

namespace net {

using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;
using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
using Endpoint = asio::ip::tcp::endpoint;

class Connection;

/// The endpoints of "localhost" (both loopback addresses) or of an IP address; empty for other host names.
SIO_DEMO_INLINE std::vector<Endpoint> known_endpoints(const std::string& host, std::uint16_t port) {
  if (host == "localhost") return {{asio::ip::address_v4::loopback(), port}, {asio::ip::address_v6::loopback(), port}};
  Error error;
  const auto address = asio::ip::make_address(host, error);
  if (error) return {};
  return {{address, port}};
}

/// A client's byte stream. No member blocks. At most one async read and one async wait are pending. Each keeps its
/// connection alive and completes once, also after close(), by a call from the event loop, never from within a member.
class Stream {
 public:
  virtual ~Stream() = default;
  /// Reads at least one byte, then calls Connection::on_read. Until then, `into` must stay valid and unused.
  virtual void async_read_some(asio::mutable_buffer into, Ref<Connection> reader) = 0;
  /// Reads bytes that have already arrived. 0: there are none, or the end or an error, which the next async read
  /// reports.
  virtual std::size_t read_some(asio::mutable_buffer into) = 0;
  /// Writes as much as possible without blocking and returns its size. A short write sets no error, or would_block.
  virtual std::size_t write_some(const std::vector<asio::const_buffer>& buffers, Error& error) = 0;
  /// Waits until more can be written, then calls Connection::on_writable.
  virtual void async_wait_writable(Ref<Connection> writer) = 0;
  /// Half-closes: the client reads the end of the stream after all written bytes, and may still send.
  virtual void shutdown_send() = 0;
  virtual void close() = 0;
};

/// Memory for one Asio operation at a time, so that a pending read needs no heap allocation.
class OperationMemory {
 public:
  template <class T>
  struct Allocator {
    using value_type = T;
    OperationMemory* memory;

    explicit Allocator(OperationMemory& its_memory) : memory(&its_memory) {}
    template <class U>
    Allocator(const Allocator<U>& other) : memory(other.memory) {}  // NOLINT: allocators convert implicitly
    T* allocate(std::size_t count) { return static_cast<T*>(memory->allocate(count * sizeof(T))); }
    void deallocate(T* bytes, std::size_t) { memory->deallocate(bytes); }
    template <class U>
    bool operator==(const Allocator<U>& other) const {
      return memory == other.memory;
    }
  };

 private:
  void* allocate(std::size_t size) {
    if (taken_ || size > bytes_.size()) return ::operator new(size);
    taken_ = true;
    return bytes_.data();
  }
  void deallocate(void* bytes) {
    if (bytes == bytes_.data()) taken_ = false;
    else ::operator delete(bytes);
  }

  alignas(std::max_align_t) std::array<std::byte, 128> bytes_;  // Asio 1.22 needs 120
  bool taken_ = false;
};

/// The listeners and connections of a server, and what they share. Asio's handlers may keep it alive after the server;
/// it is abandoned then.
class Driver final : public Counted<Driver>, public engineio::Timed, public engineio::ManualClock::Alarm {
 public:
  Driver(asio::io_context& loop, engineio::Engine& its_engine, const http::Router& its_router)
      : engine(its_engine),
        options(engine.options),
        log(engine.log),
        router(its_router),
        loop_(loop),
        timer_(loop.get_executor()),
        peers_({.concurrent = options.max_connections_per_address, .max_keys = static_cast<std::size_t>(-1)}) {
    engine.on_thread = [this] { return on_thread(); };
    if (options.clock) options.clock->add(*this);
  }

  engineio::Engine& engine;
  const Options& options;
  const Log& log;
  const http::Router& router;
  http::Request request;                                   // the request being handled; its memory is reused
  std::vector<char> input{std::vector<char>(64 * 1024)};   // input that fills a chunk
  std::vector<char> output{std::vector<char>(64 * 1024)};  // small frames of one write, copied together
  std::vector<asio::const_buffer> buffers;                 // the buffers of one gathered write
  detail::Handlers<std::function<void(const ConnectionError&)>> connection_error;

  /// A call from the event loop, see the chapter's opening. Turns nest. At the end of the outermost one, calls that the
  /// log has deferred are run, and a batch is posted if connections are ready or dirty.
  class Turn {
   public:
    explicit Turn(Driver& driver) : driver_(&driver) {
      if (driver.depth_++ > 0) return;
      driver.thread_ = std::this_thread::get_id();
      driver.engine.advance(driver.now());
    }
    ~Turn() {
      if (driver_->depth_ == 1 && !driver_->abandoned_) driver_->log.run_deferred();
      if (--driver_->depth_ == 0) driver_->end_turn();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Ref<Driver> driver_;
  };

  void listen(const std::string& host, std::uint16_t port) {
    const auto where = host + ":" + std::to_string(port);
    if (closing_)
      throw std::system_error(make_error_code(std::errc::operation_canceled),
                              "cannot listen on " + where + " (the server is closing: make another one)");
    const auto all = endpoints(host, port);
    Error error = all.empty() ? make_error_code(std::errc::address_not_available) : Error();
    std::size_t listening = 0;
    for (auto endpoint : all) {
      if (port == 0 && listening > 0) endpoint.port(listeners_.back()->port);
      Error failed;
      listen(endpoint, failed);
      if (!failed) ++listening;
      else if (!error) error = failed;
      if (failed == asio::error::address_in_use) break;
    }
    // A machine may lack one of the address families of "localhost". A port in use in either family is an error.
    if (listening > 0 && error != asio::error::address_in_use) return;
    for (Error ignored; listening > 0; --listening, listeners_.pop_back()) listeners_.back()->acceptor.close(ignored);
    const char* hint = error == asio::error::address_in_use
                           ? "stop the program that uses this port, or choose another port"
                       : error == asio::error::access_denied
                           ? "ports below 1024 need privileges: choose another port"
                           : "choose an address of this machine, \"localhost\", \"0.0.0.0\" or \"::\"";
    throw std::system_error(error, "cannot listen on " + where + " (" + hint + ")");
  }

  /// Serves a connection that was accepted elsewhere, with the bytes already read from it.
  void serve(std::unique_ptr<Stream> stream, const http::Address& peer, std::string_view bytes_already_read) {
    if (closing_)
      throw std::system_error(make_error_code(std::errc::operation_canceled),
                              "cannot serve a connection (the server is closing: make another one)");
    const Turn turn(*this);
    if (auto permit = admit(peer)) start_connection(std::move(stream), peer, std::move(*permit), bytes_already_read);
  }

  std::uint16_t port() const { return listeners_.empty() ? 0 : listeners_.front()->port; }
  void close(std::function<void()> done);
  /// Closes every connection at once, without close packets or frames.
  void drop(Reason reason, const char* why);

  /// Called before the server is destroyed: closes everything. Handlers that Asio still calls have no effect.
  void abandon() {
    if (!closing_) close({});
    close_handlers_.clear();
    finish();
    engine.deadlines.forget(*this);
    if (options.clock) options.clock->remove(*this);
    abandoned_ = true;
    ready_.clear();
    dirty_.clear();
    listeners_.clear();
  }

  bool abandoned() const { return abandoned_; }
  bool closing() const { return closing_; }

  /// Whether the caller is on the thread of the latest turn. Also true before the first turn and while the event loop
  /// is stopped, since nothing runs concurrently then.
  bool on_thread() const {
    return thread_ == std::thread::id() || thread_ == std::this_thread::get_id() || loop_.stopped();
  }

  /// Adds a connection to the next batch, which calls handle().
  void ready(Ref<Connection> connection) {
    ready_.push_back(std::move(connection));
    post_batch();
  }

  /// Marks a connection as dirty: the next batch calls flush().
  void dirty(Connection& connection);
  void add(Connection& connection);
  void remove(Connection& connection);

  /// "Date: ...\r\n", formatted at most once a second.
  const std::string& date_line() {
    const auto now = std::chrono::system_clock::now();
    const std::time_t second = std::chrono::system_clock::to_time_t(now);
    if (std::exchange(date_second_, second) != second) date_line_ = "Date: " + http::http_date(now) + "\r\n";
    return date_line_;
  }

  /// Logs a warning about an address, at most one in ten seconds.
  void warn(std::string_view message, const std::string& address) {
    if (engine.now() - last_warning_ < Seconds(10)) return;
    last_warning_ = engine.now();
    log.write(LogLevel::warn, message, {{"address", address}});
  }

 private:
  struct Listener : Counted<Listener> {
    Listener(Driver& its_driver, Acceptor its_acceptor)
        : driver(&its_driver), acceptor(std::move(its_acceptor)), retry_timer(driver->loop_.get_executor()) {}
    Ref<Driver> driver;
    Acceptor acceptor;
    Timer retry_timer;
    Endpoint peer;
    engineio::Time last_logged{};
    std::uint16_t port = 0;
  };

  std::vector<Endpoint> endpoints(const std::string& host, std::uint16_t port) {
    auto out = known_endpoints(host, port);
    if (!out.empty()) return out;
    Error error;
    asio::ip::basic_resolver<asio::ip::tcp, Executor> resolver(loop_.get_executor());
    for (const auto& entry : resolver.resolve(host, std::to_string(port), error)) out.push_back(entry.endpoint());
    return out;
  }

  void listen(const Endpoint& endpoint, Error& error) {
    Acceptor acceptor(loop_.get_executor());
    acceptor.open(endpoint.protocol(), error);
    if (error) return;
#ifndef _WIN32  // on Windows, the option lets two processes listen on one port
    acceptor.set_option(asio::socket_base::reuse_address(true), error);
#endif
    if (endpoint.protocol() == asio::ip::tcp::v6())
      acceptor.set_option(asio::ip::v6_only(!endpoint.address().is_unspecified()), error);
    acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (!error) acceptor.non_blocking(true, error);  // on_accept() accepts until would_block
    if (error) return;
    Ref<Listener> listener(new Listener(*this, std::move(acceptor)));
    listener->port = listener->acceptor.local_endpoint(error).port();
    listeners_.push_back(listener);
    accept(listener);
  }

  void accept(const Ref<Listener>& listener) {
    listener->acceptor.async_accept(listener->peer, [listener](const Error& error, TcpSocket socket) {
      Driver& driver = *listener->driver;
      if (driver.abandoned_ || driver.closing_ || !listener->acceptor.is_open()) return;
      const Turn turn(driver);
      driver.on_accept(listener, std::move(socket), error);
    });
  }

  void on_accept(const Ref<Listener>& listener, TcpSocket socket, Error error);

  /// Called when a resource has run out, such as file descriptors. Clients wait in the backlog; to accept again at once
  /// would be a busy loop.
  void accept_later(const Ref<Listener>& listener, const Error& why) {
    if (engine.now() - listener->last_logged > Seconds(10)) {
      listener->last_logged = engine.now();
      log.write(LogLevel::error,
                "Cannot accept clients for now, they wait: close programs, or raise the limit of open files",
                {{"error", why.message()}});
    }
    listener->retry_timer.expires_after(Milliseconds(200));
    listener->retry_timer.async_wait([listener](const Error& cancelled) {
      const Driver& driver = *listener->driver;
      if (!cancelled && !driver.abandoned_ && !driver.closing_ && listener->acceptor.is_open())
        listener->driver->accept(listener);
    });
  }

  /// Checks the limits of connections; the permit is empty if the address has no limit. nullopt: a limit is reached,
  /// and the connection must be closed unread, which costs least.
  std::optional<RateLimiter::Permit> admit(const http::Address& address) {
    RateLimiter::Permit permit;
    const bool trusted = engine.client_address.trusts(address);
    if (!trusted && (options.max_connections_per_address > 0 || options.max_input_per_address > 0)) {
      permit = peers_.acquire(address.limit_key());
      if (!permit) {
        engine.counters.add(Reason::too_many_connections);
        warn(
            "An address has max_connections_per_address connections, and gets no further one. If it is a "
            "proxy, name it in trusted_proxies",
            address.to_string());
        return std::nullopt;
      }
    }
    if (connections_.size() >= options.max_connections) {
      engine.counters.add(Reason::too_many_connections);
      warn("There are max_connections connections, and nobody gets a further one", address.to_string());
      return std::nullopt;
    }
    return permit;
  }

  void start_connection(std::unique_ptr<Stream> stream, const http::Address& peer, RateLimiter::Permit permit,
                        std::string_view already);

  void end_turn() {
    if (abandoned_) return;
    if (!dirty_.empty() || !ready_.empty()) post_batch();
    if (closing_ && !finished_ && !busy()) finish();
    arm();
  }

  void post_batch() {
    if (std::exchange(batch_posted_, true)) return;
    asio::post(loop_, [self = Ref<Driver>(this)] { self->run_batch(); });
  }

  void run_batch();

  void arm() {
    constexpr Milliseconds granularity(4);
    const auto next = engine.deadlines.next();
    if (next >= armed_ || options.clock) return;  // a timer that fires too early arms itself again
    armed_ = next;
    timer_.expires_at(next + granularity);
    timer_.async_wait([self = Ref<Driver>(this)](const Error& cancelled) {
      if (cancelled || self->abandoned_) return;
      self->armed_ = engineio::never;
      self->ring();
    });
  }

  bool busy() const;
  void tick(engineio::Time) override { finish(); }

  void finish() {
    if (std::exchange(finished_, true)) return;
    engine.deadlines.forget(*this);
    drop(Reason::server_shutdown, "the server is closing");
    timer_.cancel();
    armed_ = (engineio::Time::min)();
    for (auto& done : std::exchange(close_handlers_, {})) asio::post(loop_, std::move(done));
  }

  engineio::Time now() const { return options.clock ? options.clock->now() : std::chrono::steady_clock::now(); }

  // ---- engineio::ManualClock::Alarm
  engineio::Time due() const override { return engine.deadlines.next(); }

  void ring() override {
    const Turn turn(*this);
    engine.tick(now());  // also within another turn: a handler may advance a ManualClock
  }

  asio::io_context& loop_;
  Timer timer_;
  engineio::Time armed_ = engineio::never;
  std::vector<Ref<Listener>> listeners_;
  std::vector<Ref<Connection>> connections_;  // from start() to close()
  std::vector<Ref<Connection>> ready_, dirty_;
  std::vector<Ref<Connection>> spare_ready_, spare_dirty_;  // keep the lists' memory for the next batch
  RateLimiter peers_;                                       // connections and input by address
  engineio::Time last_warning_{};
  std::vector<std::function<void()>> close_handlers_;  // called when the server has closed
  std::string date_line_;
  std::time_t date_second_ = 0;
  std::thread::id thread_{};  // that ran the latest turn
  int depth_ = 0;             // of nested turns
  bool batch_posted_ = false, abandoned_ = false, closing_ = false, finished_ = false;
};

/// A client's connection: it serves HTTP requests, or a WebSocket.
class Connection final : public Counted<Connection>, public engineio::Peer, public engineio::Timed {
 public:
  Connection(Driver& driver, std::unique_ptr<Stream> stream, const http::Address& peer, RateLimiter::Permit permit)
      : driver_(&driver),
        stream_(std::move(stream)),
        frames_(driver.options),
        http_(std::make_unique<Http>(peer)),
        permit_(std::move(permit)) {
    http_->is_proxy = driver.engine.client_address.trusts(peer);
  }

  /// Begins to serve. `already`: bytes that were read before, see Driver::serve.
  void start(std::string_view already) {
    driver_->add(*this);
    set_deadline(options().http.header_timeout);
    unhandled_ = already;
    input_ = unhandled_.empty() ? Input::idle : Input::held;
    continue_input();
  }

  /// Handles the chunk's bytes. If they fill the chunk, they are moved to the driver's larger buffer, and all other
  /// bytes that have arrived are read behind them.
  void handle() {
    if (mode_ == Mode::dead || input_ == Input::reading) return;  // reading: it was in the ready list twice
    if (deciding() && http_->decision->made) return on_late_decision();
    std::span<char> bytes(chunk_.data(), std::exchange(received_, std::uint16_t{0}));
    if (bytes.size() == chunk_.size()) {
      auto& in = driver_->input;
      std::memcpy(in.data(), chunk_.data(), chunk_.size());
      bytes = {in.data(), chunk_.size() + stream_->read_some(asio::buffer(in) + chunk_.size())};
    }
    engine().counters.bytes_received += bytes.size();
    budget_ = options().packets_per_turn;
    input_ = receive(bytes) ? Input::idle : Input::held;
    if (permit_) count_input();
  }

  /// Lets held polls take the messages of their sessions, then writes.
  void flush() {
    for (std::size_t i = 0; has_pending() && i < http_->pending.size(); ++i)
      if (const auto session = http_->pending[i].session; session && !http_->pending[i].is_post) session->flush();
    if (!waiting_writable_) write();
    is_dirty = false;
  }

  /// Lets the connection go on with its input: held bytes are handled before anything is read. No effect while a read
  /// is pending, or while bytes are scheduled to be handled.
  void continue_input() {
    if (mode_ == Mode::dead || input_ended_ || input_blocked()) return;
    if (input_ == Input::held) {
      input_ = Input::ready;
      driver_->ready(Ref<Connection>(this));
    } else if (input_ == Input::idle) {
      input_ = Input::reading;
      stream_->async_read_some(asio::buffer(chunk_), Ref<Connection>(this));
    }
  }

  /// Closes the connection at once, and informs its sessions. Later calls have no effect.
  void close(Reason reason, const char* why) {
    const Ref<Connection> self(this);
    if (std::exchange(mode_, Mode::dead) == Mode::dead) return;
    engine().deadlines.forget(*this);
    stream_->close();
    driver_->remove(*this);
    queue_.clear();
    if (permit_) permit_.weigh(counted_input_, 0);
    permit_ = {};
    ++engine().counters.connections_closed;
    engine().counters.queue_bytes -= std::exchange(queue_bytes_, 0);
    if (http_) http_->decision = {};
    if (const auto receiver = std::exchange(receiver_, {})) receiver->channel_lost(*this, reason, why);
    abandon_requests(why);
  }

  /// Whether Driver::close has to wait for it.
  bool busy() const { return mode_ >= Mode::websocket || has_pending() || !queue_.empty(); }
  void shut_down(Reason reason) {
    if (const auto receiver = receiver_) receiver->shut_down(reason);
  }

  // ---- called by its stream

  void on_read(const Error& error, std::size_t size) {
    input_ = error ? Input::idle : Input::ready;
    if (mode_ == Mode::dead || driver_->abandoned()) return;
    received_ = static_cast<std::uint16_t>(size);
    if (!error) return driver_->ready(Ref<Connection>(this));
    const Driver::Turn turn(*driver_);
    if (error == asio::error::eof) on_end_of_input();
    else close(Reason::transport_close, "the connection was reset");
  }

  void on_writable(const Error& error) {
    waiting_writable_ = false;
    if (mode_ == Mode::dead || driver_->abandoned()) return;
    const Driver::Turn turn(*driver_);
    if (error) return close(Reason::transport_close, "the connection was reset");
    idle_ = false;
    write();
    if (mode_ == Mode::head) {
      clear_deadline();
      start_keep_alive();
    }
    continue_input();
  }

  // ---- engineio::Peer

  void answer(std::uint32_t exchange, const engineio::Answer& answer) override {
    respond(exchange, answer.status, answer.type, answer.body,
            answer.status == 200 ? "cache-control: no-store\r\n" : "");
  }

  void cut() override {
    if (http_)
      for (auto& pending : http_->pending)
        if (pending.is_post) pending.session = {};  // the session itself may be the caller: it gets no post_lost()
    close(Reason::transport_close, "the connection was cut");
  }

  void send(const engineio::MessageRef& message) override { enqueue(message); }

  void send_close(Reason reason, std::string_view payload) override {
    const Driver::Turn turn(*driver_);  // sets the current time, from which close_timeout counts
    receiver_ = {};
    if (mode_ != Mode::websocket) return;
    mode_ = Mode::closing;
    if (reason == Reason::slow_consumer) return cut();  // a close frame would wait behind the queued messages
    enqueue(engineio::Message::raw({websocket::frame(websocket::Opcode::close, payload)}));
    set_deadline(options().close_timeout);
  }

  std::size_t queued() const override { return queue_bytes_ + queue_.size() * engineio::Message::overhead; }
  void wake() override { driver_->dirty(*this); }

  void tick(engineio::Time) override {
    const Ref<Connection> self(this);
    if (deciding()) {
      refuse_and_close(Reason::header_timeout, "allow_request did not answer in time");
      continue_input();
    } else if (mode_ == Mode::head && head_begun_)
      refuse_and_close(Reason::header_timeout, "the request's head was not complete in time");
    else if (mode_ == Mode::body && !body_has_response())
      refuse_and_close(Reason::body_timeout, "the request's body was not complete in time");
    else close(Reason::transport_close, "idle, or silent for too long");
    if (mode_ != Mode::dead) set_deadline(options().close_timeout);
  }

  std::size_t slot = 0;  // in Driver::connections_
  bool is_dirty = false;

 private:
  enum class Mode : std::uint8_t {
    head,  // HTTP: before or within a header section
    body,  // HTTP: within a body
    websocket,
    closing,     // WebSocket: our close frame is queued, the client's is awaited
    discarding,  // nothing is sent any more, and input is discarded until the client closes
    dead
  };
  enum class BodyUse : std::uint8_t { drop, session, route };
  /// The state of the input, see the chapter's opening.
  enum class Input : std::uint8_t { idle, reading, ready, held };

  /// A request whose response is not queued yet.
  struct Pending {
    std::uint32_t id = 0;
    bool keep_alive = true, head_only = false, is_post = false;
    std::string cors{};
    std::string headers{};             // of a response with status 200 or 101, see hook_headers()
    Ref<engineio::Session> session{};  // the session whose poll or POST it is
    engineio::MessageRef ready{};      // the response, if earlier requests have none yet
  };

  /// A pending call of allow_request. Its Next holds a weak pointer, as the connection may be closed before the
  /// decision.
  struct Decision {
    Connection& connection;
    std::string head{};  // the request's header section, once allow_request has returned without a decision
    bool made = false;
    std::optional<Refuse> refusal{};
  };

  /// State that only an HTTP connection needs; a WebSocket has freed it.
  struct Http {
    explicit Http(const http::Address& its_peer) : peer(its_peer.to_string()) {}
    std::string peer;       // the socket's remote address
    bool is_proxy = false;  // one of trusted_proxies
    std::uint32_t next_exchange = 0;
    std::vector<Pending> pending{};
    http::HeadReader head{};
    std::unique_ptr<http::BodyReader> body{};
    std::size_t body_handled = 0;          // bytes of a complete body that its session has handled
    std::shared_ptr<Decision> decision{};  // while allow_request decides
    std::string saved_head{};              // the header section of a route's request, until its body is complete
  };

  const Options& options() const { return driver_->options; }
  bool has_pending() const { return http_ && !http_->pending.empty(); }
  bool deciding() const { return http_ && http_->decision; }
  engineio::Engine& engine() const { return driver_->engine; }
  http::Request& request() const { return driver_->request; }
  void set_deadline(Milliseconds delay) { engine().deadlines.set(*this, engine().now() + delay); }
  /// Clears the deadline, unless it is that of an HTTP client which does not read its responses: a further request must
  /// not extend it.
  void clear_deadline() {
    if (!(waiting_writable_ && mode_ < Mode::websocket)) engine().deadlines.set(*this, engineio::never);
  }

  /// Whether no more input is handled for now: while allow_request decides, and while an HTTP client does not read its
  /// responses, so that they cannot pile up. A WebSocket is always read, because of its pongs and its close.
  bool input_blocked() const {
    constexpr std::size_t enough = 64 * 1024;  // bytes of responses that are not written yet
    return deciding() || (mode_ < Mode::websocket && (waiting_writable_ || queue_bytes_ > enough));
  }

  /// The client has closed its side. Queued responses are still written. If a request has no response yet, such as a
  /// held poll, the connection is closed at once.
  void on_end_of_input() {
    input_ended_ = true;
    if (mode_ >= Mode::websocket) return close(Reason::transport_close, "the connection was closed");
    if (mode_ == Mode::body && !body_has_response())
      refuse_and_close(Reason::malformed_request, "the connection was closed in the middle of a body");
    const bool held =
        std::any_of(http_->pending.begin(), http_->pending.end(), [](const Pending& p) { return !p.ready; });
    if (held || queue_.empty()) return close(Reason::transport_close, "the connection was closed");
    close_after_write_ = true;
    set_deadline(options().close_timeout);
  }

  /// Handles complete input and keeps the rest. false: complete input may be left, see Input::held.
  bool receive(std::span<char> bytes) {
    if (mode_ == Mode::discarding) return true;
    if (unhandled_.empty()) {
      const bool all = consume(bytes);
      if (mode_ < Mode::discarding) unhandled_.append(bytes.data(), bytes.size());
      return all;
    }
    unhandled_.append(bytes.data(), bytes.size());
    std::string input = std::exchange(unhandled_, {});
    std::span<char> in(input);
    const bool all = consume(in);
    if (mode_ >= Mode::discarding || in.empty()) return all;
    if (in.size() < input.size() / 2) {  // frees the memory of a large message
      unhandled_.assign(in.data(), in.size());
      return all;
    }
    input.erase(0, input.size() - in.size());
    unhandled_ = std::move(input);
    return all;
  }

  /// Handles complete input and removes it from the front of `in`. false: some may be left, see Input::held.
  bool consume(std::span<char>& in) {
    for (bool more = true; more && mode_ < Mode::discarding;) {
      if (budget_ == 0 || input_blocked()) return false;
      switch (mode_) {
        case Mode::head: more = read_head(in); break;
        case Mode::body: more = read_body(in); break;
        default: more = read_frame(in);
      }
      if (budget_ > 0) --budget_;  // the packets of a body may have used all of it
    }
    return true;
  }

  // ---- HTTP

  /// Reads a header section. true: it is complete, and what follows it can be read.
  bool read_head(std::span<char>& in) {
    if (in.empty() || close_after_write_ || (!http_->pending.empty() && !http_->pending.back().keep_alive)) {
      in = {};  // nothing behind the last request is served
      return false;
    }
    const auto parsed = http_->head.read({in.data(), in.size()}, options().http, request());
    if (parsed.progress == Progress::malformed) {
      refuse_and_close(parsed.reason, parsed.why);
      return false;
    }
    if (parsed.progress == Progress::more) {
      if (!std::exchange(head_begun_, true) && idle_) set_deadline(options().http.header_timeout);
      return false;
    }
    head_begun_ = idle_ = false;
    clear_deadline();
    in = in.subspan(parsed.size);
    ++engine().counters.requests;
    if (http_->pending.size() >= options().http.pipelined) {
      refuse_and_close(Reason::malformed_request, "too many pipelined requests");
      return false;
    }
    on_head();
    return true;
  }

  /// A header section is complete. The request is routed, or refused, before its body is read.
  void on_head() {
    auto& request = this->request();
    if (!prepare_request()) return refuse_and_close(Reason::malformed_request, "too many query parameters");
    auto body = std::make_unique<http::BodyReader>();
    if (const auto framing = body->begin(request, options().max_payload, options().http.chunk_overhead);
        framing.progress == Progress::malformed)
      return refuse_and_close(framing.reason, framing.why);
    const auto expect = request.header("expect");
    if (!body->done()) {
      http_->body = std::move(body);
      body_use_ = BodyUse::drop;
      mode_ = Mode::body;
      set_deadline(options().http.body_timeout);
    }
    http_->pending.push_back({++http_->next_exchange, request.keep_alive() && !driver_->closing(),
                              request.method == "HEAD", request.method == "POST",
                              http::cors_headers(options().cors, request.header("origin"))});
    if (request.upgrade() && (http_->pending.size() > 1 || http_->body))
      return refuse_and_close(Reason::malformed_request,
                              "an upgrade with a body, or behind a request that is not answered yet");
    if (!expect.empty() && !bytes::equal_ignoring_case(expect, "100-continue"))
      return refuse_request(http_->next_exchange, Reason::unknown_expectation);
    if (engine().tracing) {
      const std::string line = std::string(request.method) + ' ' + std::string(request.target);
      engine().trace({.kind = TraceRecord::Kind::request,
                      .incoming = true,
                      .session = request.query["sid"],
                      .transport = request.upgrade() ? "websocket" : "http",
                      .text = line});
    }
    const bool for_engine = (options().polling || options().websocket) && request.target.starts_with(options().path) &&
                            !driver_->router.serves(request);
    if (for_engine) on_engine_request();
    else on_route_request();
    if (mode_ == Mode::body && body_use_ != BodyUse::drop && !expect.empty() && http_->pending.size() == 1)
      enqueue(engineio::Message::raw({"HTTP/1.1 100 Continue\r\n\r\n"}));
  }

  /// Sets the fields of a request that HeadReader does not: the client's address and the query. false: the query has
  /// too many parameters.
  bool prepare_request() {
    auto& request = this->request();
    request.address = http_->is_proxy ? engine().client_address.of(http_->peer, request) : http_->peer;
    request.body = {};
    return request.query.read(request.query_text, options().http.query_parameters);
  }

  bool read_body(std::span<char>& in) {
    if (body_use_ == BodyUse::drop) http_->body->discard();
    std::string_view view(in.data(), in.size());
    const auto parsed = http_->body->read(view);
    in = in.subspan(in.size() - view.size());
    if (parsed.progress == Progress::malformed) {
      refuse_and_close(parsed.reason, parsed.why);
      return false;
    }
    if (http_->body->too_large() && body_use_ != BodyUse::drop) {  // the rest is discarded, the session stays open
      auto& pending = http_->pending.back();
      if (pending.session) std::exchange(pending.session, {})->post_refused();
      body_use_ = BodyUse::drop;
      refuse_request(pending.id, Reason::body_too_large);
    }
    if (parsed.progress == Progress::more) return false;
    clear_deadline();
    if (!on_body()) return true;
    if (mode_ == Mode::body) {
      mode_ = Mode::head;
      start_keep_alive();
    }
    return true;
  }

  /// A body is complete. false: packets_per_turn packets were handled, and more are left; it must be called again.
  bool on_body() {
    if (body_use_ == BodyUse::session && !http_->pending.empty()) {  // else it has its response already
      if (const auto session = http_->pending.back().session) {
        const std::string& body = http_->body->body();
        auto rest = std::string_view(body).substr(http_->body_handled);
        const bool all = session->post_body(rest, budget_);
        http_->body_handled = body.size() - rest.size();
        if (!all) return false;
      }
    }
    http_->body_handled = 0;
    const auto body = std::move(http_->body);
    if (body_use_ == BodyUse::route) {
      const auto head = std::exchange(http_->saved_head, {});
      http::HeadReader().read(head, options().http, request());
      prepare_request();
      request().body = body->body();
      run_route();
    }
    return true;
  }

  /// Adds the memory of unhandled input to the sum of the address, and closes the connection if the sum exceeds
  /// max_input_per_address.
  void count_input() {
    std::size_t weight = unhandled_.empty() ? 0 : unhandled_.capacity();
    weight += frames_.held();
    if (http_ && http_->body) weight += http_->body->body().capacity();
    if (weight == counted_input_) return;
    const std::size_t sum = permit_.weigh(std::exchange(counted_input_, weight), weight);
    const std::size_t most = options().max_input_per_address;
    if (most == 0 || sum <= most || weight == 0) return;
    if (!receiver_) engine().counters.add(Reason::too_much_input);  // a receiver counts the reason itself
    driver_->warn("The connections of an address hold max_input_per_address bytes of unfinished input: one is closed",
                  http_ ? http_->peer : std::string());
    close(Reason::too_much_input, "the connections of its address hold more than max_input_per_address");
  }

  /// A request on Engine.IO's path.
  void on_engine_request() {
    if (request().method == "OPTIONS" && options().cors.on()) return preflight();
    on_verdict(engine().judge(request()));
  }

  void on_verdict(engineio::Verdict verdict) {
    using Act = engineio::Verdict::Act;
    if (verdict.act == Act::refuse) return refuse_engine_request(verdict.reason, {}, retry_after(verdict));
    if (verdict.act == Act::ask) return call_allow_request();
    if (verdict.act == Act::open_polling) verdict.session = engine().open(request(), nullptr, std::move(verdict.place));
    auto headers = hook_headers(verdict.session.get());
    if (!has_pending()) {  // a handler or hook of the application has closed the connection
      if (verdict.act == Act::open_polling) verdict.session->poll_lost();
      return;
    }
    auto& pending = http_->pending.back();
    pending.headers = std::move(headers);
    switch (verdict.act) {
      case Act::open_polling: return verdict.session->poll({this, pending.id});
      case Act::poll: pending.session = verdict.session; return verdict.session->poll({this, pending.id});
      case Act::post: return begin_post(verdict.session, pending);
      default:
        if (begin_websocket()) become_session(verdict);
    }
  }

  /// Calls allow_request. Its decision may come during the call, or later.
  void call_allow_request() {
    http_->decision = std::make_shared<Decision>(Decision{*this});
    const Next next([weak = std::weak_ptr<Decision>(http_->decision)](std::optional<Refuse> refusal) {
      const auto decision = weak.lock();
      if (!decision || std::exchange(decision->made, true)) return;
      decision->refusal = std::move(refusal);
      if (decision->head.empty()) return;  // still within the call: its caller sees the decision
      decision->connection.driver_->ready(Ref<Connection>(&decision->connection));
    });
    if (!driver_->log.call({"allow_request threw", "url", request().target},
                           [&] { options().allow_request(request(), next); }))
      next(Refuse{});
    if (!deciding()) return;
    if (http_->decision->made) return on_decision();
    http_->decision->head = request().whole_head;
    set_deadline(options().http.header_timeout);
  }

  void on_decision() {
    const auto decision = std::exchange(http_->decision, {});
    if (const auto& refusal = decision->refusal) return refuse_engine_request(Reason::forbidden, refusal->message);
    on_verdict(engine().admit(request()));
  }

  void on_late_decision() {
    const std::string head = http_->decision->head;
    http::HeadReader().read(head, options().http, request());
    prepare_request();
    if (mode_ == Mode::body) set_deadline(options().http.body_timeout);
    else clear_deadline();
    on_decision();
    continue_input();
  }

  /// The extra headers of a response with status 200 or 101, made by the application's hooks and the cookie; empty if
  /// there are none. Made before the response, as a held poll gets it when the request is no longer valid.
  std::string hook_headers(const engineio::Session* session) {
    const bool first = request().query["sid"].empty(), polling = !(request().upgrade() && options().websocket);
    const auto& cookie = options().cookie;
    if (!options().headers && !(first && (options().initial_headers || cookie))) return {};
    http::Headers list;
    if (polling) list.emplace_back("cache-control", "no-store");
    if (polling && first && cookie) list.emplace_back("Set-Cookie", http::cookie_text(*cookie, session->id()));
    const auto call = [&](const auto& hook, std::string_view failed) {
      if (hook) driver_->log.call({failed, "url", request().target}, [&] { hook(list, request()); });
    };
    if (first) call(options().initial_headers, "initial_headers threw");
    call(options().headers, "headers threw");
    std::string out;
    http::append_headers(out, list, true);
    return out;
  }

  void begin_post(const Ref<engineio::Session>& session, Pending& pending) {
    const std::uint32_t id = pending.id;
    if (http_->body && http_->body->too_large()) return refuse_request(id, Reason::body_too_large);
    if (!session->post({this, id}, request().header("content-type") == "application/octet-stream")) return;
    if (!http_->body) return session->post_body({});
    pending.session = session;
    body_use_ = BodyUse::session;
  }

  /// Whether the body being read belongs to a request that already has its response.
  bool body_has_response() const { return body_use_ == BodyUse::drop && !has_pending(); }

  static std::string retry_after(const engineio::Verdict& verdict) {
    return verdict.retry_after.count() > 0 ? "Retry-After: " + std::to_string(verdict.retry_after.count()) + "\r\n"
                                           : std::string();
  }

  void preflight() {
    http_->pending.back().cors = http::cors_headers(options().cors, request().header("origin"), &request());
    respond(http_->pending.back().id, 204, {}, {});
  }

  /// A request on another path: a route of the application, or 404. An upgrade to an unknown path gets no response, as
  /// with the official server; with destroy_upgrade, it is closed after destroy_upgrade_timeout.
  void on_route_request() {
    auto& request = this->request();
    if (request.upgrade()) {
      if (const auto handlers = driver_->router.find_websocket(request.path)) return on_websocket_route(handlers);
      http_->pending.clear();
      mode_ = Mode::discarding;
      if (options().destroy_upgrade) set_deadline(options().destroy_upgrade_timeout);
      else clear_deadline();
      return;
    }
    const auto [handler, missing] = driver_->router.find(request.method, request.path);
    if (!handler) return refuse_request(http_->pending.back().id, missing);
    if (mode_ != Mode::body) return run_route();
    body_use_ = BodyUse::route;
    http_->saved_head = request.whole_head;
  }

  void run_route() {
    const auto& request = this->request();
    const auto found = driver_->router.find(request.method, request.path).first;
    if (!found) return refuse_request(http_->pending.back().id, Reason::not_found);
    const auto handler = *found;  // a copy, as the handler may replace itself
    http::Response response;
    if (!driver_->log.call({"A route's handler threw", "path", request.path}, [&] { response = handler(request); })) {
      engine().counters.add(Reason::handler_failed);
      response = {row(Reason::handler_failed).status, "text/plain", row(Reason::handler_failed).text, {}};
    }
    std::string headers;
    http::append_headers(headers, response.headers, !response.type.empty());
    if (!http_->pending.empty())
      respond(http_->pending.back().id, response.status, response.type, response.body, headers);
  }

  /// Refuses malformed input or a request that takes too long. What follows cannot be parsed reliably, so the
  /// connection is closed after the response.
  void refuse_and_close(Reason reason, const char* why) {
    engine().counters.add(reason);
    if (driver_->log.enabled(LogLevel::info))
      driver_->log.write(LogLevel::info, "Request refused",
                         {{"address", http_->peer}, {"reason", row(reason).name}, {"why", why}});
    std::string head;
    http::append_status_line(head, row(reason).status);
    trace_response(row(reason).status, why);
    enqueue(engineio::Message::raw({head, "Connection: close\r\n\r\n"}));
    mode_ = Mode::head;
    head_begun_ = false;
    close_after_write_ = true;
    http_->decision = {};
    abandon_requests(why);
  }

  /// Refuses one request, with an empty body; the connection stays open.
  void refuse_request(std::uint32_t exchange, Reason reason) {
    engine().counters.add(reason);
    respond(exchange, row(reason).status, {}, {});
  }

  /// Refuses a request on Engine.IO's path. `details` replaces the reason's text in the response, unless it is empty.
  void refuse_engine_request(Reason reason, std::string_view details = {}, std::string_view headers = {}) {
    engine().counters.add(reason);
    if (driver_->log.enabled(LogLevel::debug))
      driver_->log.write(LogLevel::debug, "Handshake refused",
                         {{"address", request().address}, {"reason", row(reason).name}, {"url", request().target}});
    const std::string_view text = details.empty() ? row(reason).text : details;
    if (request().upgrade() && options().websocket) {
      const auto status = row(reason).status;
      refuse_websocket(status == 503 || status == 429 ? status : 400, text,
                       "Content-type: text/html\r\n" + std::string(headers));
    } else {
      std::string body = "{\"code\":" + std::to_string(row(reason).code) + ",\"message\":";
      bytes::append_string(body, text);
      respond(http_->pending.back().id, row(reason).status, "application/json", body + '}', headers);
    }
    const ConnectionError error{request(), reason, details};
    driver_->connection_error.each([&](const auto& handler) {
      driver_->log.call({"A handler of connection errors threw", "url", request().target}, [&] { handler(error); });
    });
  }

  /// Refuses a WebSocket handshake, with a text as the body, and closes the connection after it.
  void refuse_websocket(std::uint16_t status, std::string_view text, std::string_view header) {
    trace_response(status, text);
    std::string head;
    http::append_status_line(head, status);
    head += "Connection: close\r\n";
    head += header;
    head += "Content-Length: " + std::to_string(text.size()) + "\r\n";
    enqueue(engineio::Message::raw({head, "\r\n", text}));
    http_->pending.pop_back();
    close_after_write_ = true;
  }

  /// Makes the response to a request. It is queued when all earlier requests have theirs.
  void respond(std::uint32_t exchange, std::uint16_t status, std::string_view type, std::string_view body,
               std::string_view headers = {}) {
    if (!http_) return;
    const auto pending =
        std::find_if(http_->pending.begin(), http_->pending.end(), [&](const Pending& p) { return p.id == exchange; });
    if (pending == http_->pending.end() || pending->ready) return;
    const bool of_poll = pending->session && !pending->is_post;  // the trace names sessions for polls only
    trace_response(status, body, of_poll ? pending->session->id() : std::string_view());
    std::string head;
    head.reserve(256);
    http::append_status_line(head, status);
    head += pending->cors;
    if (!type.empty()) http::append_header(head, "Content-Type", type);
    if (status != 304) {  // with 304 it would mean the length of a 200 (RFC 9110, 8.6)
      head += "Content-Length: ";
      bytes::append_integer(head, body.size());
      head += "\r\n";
    }
    head += status == 200 && !pending->headers.empty() ? std::string_view(pending->headers) : headers;
    head += driver_->date_line();
    if (pending->keep_alive) {
      head += "Connection: keep-alive\r\nKeep-Alive: timeout=";
      bytes::append_integer(head, std::chrono::duration_cast<Seconds>(options().http.keep_alive_timeout).count());
      head += "\r\n\r\n";
    } else head += "Connection: close\r\n\r\n";
    pending->session = {};
    pending->ready = engineio::Message::raw({head, pending->head_only ? std::string_view() : body});
    while (!http_->pending.empty() && http_->pending.front().ready) {
      enqueue(http_->pending.front().ready);
      if (!http_->pending.front().keep_alive) close_after_write_ = true;
      http_->pending.erase(http_->pending.begin());
    }
    start_keep_alive();
  }

  void trace_response(std::uint16_t status, std::string_view body, std::string_view session = {}) const {
    if (engine().tracing)
      engine().trace({.kind = TraceRecord::Kind::response,
                      .status = status,
                      .session = session,
                      .transport = status == 101 ? "websocket" : "http",
                      .text = body});
  }

  /// Drops the pending requests, as their responses cannot be sent any more, and informs their sessions.
  void abandon_requests(const char* why) {
    if (!http_) return;
    for (auto& pending : std::exchange(http_->pending, {}))
      if (pending.session && pending.is_post) pending.session->post_lost(why);
      else if (pending.session) pending.session->poll_lost();
  }

  /// Between requests: sets the time that the connection may stay idle.
  void start_keep_alive() {
    if (mode_ != Mode::head || !http_->pending.empty() || idle_ || waiting_writable_) return;
    idle_ = true;
    set_deadline(options().http.keep_alive_timeout);
  }

  // ---- WebSocket

  /// Responds to a WebSocket handshake. false: it is malformed, and was refused.
  bool begin_websocket() {
    const auto refusal = websocket::check_handshake(request());
    if (refusal.status != 0) {
      refuse_websocket(refusal.status, refusal.text, refusal.headers);
      return false;
    }
    trace_response(101, {}, request().query["sid"]);
    enqueue(engineio::Message::raw(
        {websocket::handshake_response(request(), http_->pending.back().cors + http_->pending.back().headers)}));
    http_.reset();
    mode_ = Mode::websocket;
    engine().deadlines.forget(*this);
    return true;
  }

  void become_session(engineio::Verdict& verdict) {
    using Act = engineio::Verdict::Act;
    if (verdict.act == Act::open_websocket) {
      const auto session = engine().open(request(), this, std::move(verdict.place));
      // A handler that on_open called may have closed the connection.
      if (mode_ == Mode::websocket) receiver_ = Ref<engineio::Receiver>(session.get());
      else session->channel_lost(*this, Reason::transport_close, "the connection was cut");
    } else if (verdict.act == Act::attach && verdict.session->attach(*this))
      receiver_ = Ref<engineio::Receiver>(verdict.session.get());
    else send_close(Reason::forced_close, {});
  }

  /// A WebSocket on a route of the application.
  void on_websocket_route(const std::shared_ptr<const websocket::Handlers>& handlers) {
    engineio::Verdict verdict;
    if (http::websocket_origin_allowed(options().cors, request())) verdict = engine().place_for(request());
    else verdict.reason = Reason::forbidden;
    if (verdict.act == engineio::Verdict::Act::refuse) {
      engine().counters.add(verdict.reason);
      return refuse_websocket(row(verdict.reason).status, row(verdict.reason).text,
                              "Content-Type: text/html\r\n" + retry_after(verdict));
    }
    if (!begin_websocket()) return;
    const Ref<websocket::Socket> socket(
        new websocket::Socket(engine(), *this, request(), handlers, std::move(verdict.place)));
    receiver_ = Ref<engineio::Receiver>(socket.get());
    socket->opened();
  }

  bool read_frame(std::span<char>& in) {
    using Kind = websocket::Event::Kind;
    if (close_after_write_) {
      in = {};
      return false;
    }
    const auto event = frames_.next(in);
    switch (event.kind) {
      case Kind::more:
        if (receiver_) receiver_->heard();
        return false;
      case Kind::text:
      case Kind::binary:
        if (mode_ == Mode::websocket && receiver_) receiver_->frame(*this, event.payload, event.kind == Kind::binary);
        return true;
      case Kind::ping:
        if (receiver_ && !receiver_->control()) return true;
        if (queued() > options().max_queue_bytes) {
          close(Reason::slow_consumer, "the client does not read its pongs");
          return false;
        }
        if (mode_ == Mode::websocket)
          enqueue(engineio::Message::raw({websocket::frame(websocket::Opcode::pong, event.payload)}));
        return true;
      case Kind::pong:
        if (receiver_) receiver_->control();
        return true;
      case Kind::close:
        end_websocket(Reason::transport_close, "the client sent a close frame",
                      websocket::frame(websocket::Opcode::close, event.payload));
        return false;
      default:
        end_websocket(event.reason, event.why,
                      websocket::frame(websocket::Opcode::close, websocket::close_payload(row(event.reason).close)));
        return false;
    }
  }

  /// The client has sent a close frame, or a malformed one. `frame` is our close frame, unless one was sent already.
  void end_websocket(Reason reason, const char* why, std::string_view frame) {
    if (mode_ == Mode::websocket) enqueue(engineio::Message::raw({frame}));
    mode_ = Mode::closing;
    close_after_write_ = true;
    set_deadline(options().close_timeout);
    if (const auto receiver = std::exchange(receiver_, {})) receiver->channel_lost(*this, reason, why);
    driver_->dirty(*this);
  }

  // ---- writing

  void enqueue(const engineio::MessageRef& message) {
    if (mode_ >= Mode::discarding) return;
    const std::size_t size = message->frame().size();
    queue_.push_back(message);
    queue_bytes_ += size;
    engine().counters.queue_bytes += size;
    driver_->dirty(*this);
  }

  void write() {
    auto& buffers = driver_->buffers;
    while (!queue_.empty() && mode_ != Mode::dead) {
      const std::size_t size = gather(buffers);
      Error error;
      const std::size_t done = stream_->write_some(buffers, error);
      if (error && error != asio::error::would_block) return close(Reason::transport_close, "the connection was reset");
      remove_written(done);
      if (done == size) continue;
      waiting_writable_ = true;
      if (mode_ < Mode::websocket) set_deadline(options().http.body_timeout);  // a WebSocket has its heartbeat instead
      return stream_->async_wait_writable(Ref<Connection>(this));
    }
    if (close_after_write_ && !has_pending() && mode_ != Mode::dead) half_close();
  }

  /// Fills `buffers` with queued messages, as many as one write takes, and returns their bytes. Small frames are copied
  /// into one buffer, which costs less than a buffer of its own for each in the system call. Asio passes at most 64.
  std::size_t gather(std::vector<asio::const_buffer>& buffers) const {
    constexpr std::size_t copied = 2048, most = 64;
    auto& out = driver_->output;
    std::size_t used = 0, total = 0;
    bool joined = false;  // the last buffer consists of copies and may grow
    buffers.clear();
    for (std::size_t i = 0; i < queue_.size(); ++i) {
      auto frame = queue_[i]->frame();
      if (i == 0) frame.remove_prefix(sent_);
      const bool copy = frame.size() <= copied && queue_.size() > 1;
      if (copy && used + frame.size() > out.size()) break;
      if (!(copy && joined) && buffers.size() == most) break;
      total += frame.size();
      if (!copy) {
        buffers.emplace_back(frame.data(), frame.size());
        joined = false;
        continue;
      }
      char* const at = out.data() + used;
      std::memcpy(at, frame.data(), frame.size());
      used += frame.size();
      if (joined) buffers.back() = asio::const_buffer(buffers.back().data(), buffers.back().size() + frame.size());
      else buffers.emplace_back(at, frame.size());
      joined = true;
    }
    return total;
  }

  /// Removes written bytes from the queue.
  void remove_written(std::size_t size) {
    auto& counters = engine().counters;
    counters.queue_bytes -= size;
    counters.bytes_sent += size;
    if (queue_bytes_ == size) {
      queue_bytes_ = sent_ = 0;
      queue_.clear();
      if (queue_.capacity() > 64) queue_.shrink_to_fit();  // frees the memory of a burst
      return;
    }
    queue_bytes_ -= size;
    size += std::exchange(sent_, 0);
    auto first = queue_.begin();
    while (first != queue_.end() && size >= (*first)->frame().size()) size -= (*first++)->frame().size();
    sent_ = size;
    queue_.erase(queue_.begin(), first);
  }

  /// Closes our side after the last response, then reads and discards what the client still sends: to close with unread
  /// input would reset the connection, and the client could lose the response.
  void half_close() {
    if (input_ended_) return close(Reason::transport_close, "both sides have closed");
    mode_ = Mode::discarding;
    unhandled_ = {};
    stream_->shutdown_send();
    set_deadline(options().close_timeout);
  }

  // The members that every message uses come first, so that they share cache lines.
  Ref<Driver> driver_;
  std::unique_ptr<Stream> stream_;
  Mode mode_ = Mode::head;
  BodyUse body_use_ = BodyUse::drop;
  Input input_ = Input::idle;
  bool head_begun_ = false, idle_ = false, close_after_write_ = false, waiting_writable_ = false, input_ended_ = false;
  Ref<engineio::Receiver> receiver_;  // receives the WebSocket's messages
  std::vector<engineio::MessageRef> queue_;
  std::size_t queue_bytes_ = 0, sent_ = 0;  // sent_: bytes of the first message that are written
  std::string unhandled_;                   // input not handled yet: an incomplete header section or frame, or held
  websocket::Reader frames_;
  std::uint16_t received_ = 0;     // bytes in the chunk that are not handled
  std::array<char, 192> chunk_;    // the next read goes here; most frames fit
  std::size_t budget_ = 0;         // packets that handle() may still take
  std::unique_ptr<Http> http_;     // null once the connection is a WebSocket
  RateLimiter::Permit permit_;     // empty if its address is not limited
  std::size_t counted_input_ = 0;  // bytes of input counted in permit_
};

/// A client's TCP socket.
class TcpStream final : public Stream {
 public:
  explicit TcpStream(TcpSocket socket) : socket_(std::move(socket)) {
    Error ignored;
    socket_.non_blocking(true, ignored);
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  }
  void async_read_some(asio::mutable_buffer into, Ref<Connection> reader) override {
    socket_.async_read_some(into, OnRead{std::move(reader), &memory_});
  }
  std::size_t read_some(asio::mutable_buffer into) override {
    Error again;  // the next async read reports it
    return socket_.read_some(into, again);
  }
  std::size_t write_some(const std::vector<asio::const_buffer>& buffers, Error& error) override {
    return buffers.size() == 1 ? socket_.write_some(buffers.front(), error) : socket_.write_some(buffers, error);
  }
  void async_wait_writable(Ref<Connection> writer) override {
    socket_.async_wait(TcpSocket::wait_write, [writer](const Error& error) { writer->on_writable(error); });
  }
  void shutdown_send() override {
    Error ignored;
    socket_.shutdown(TcpSocket::shutdown_send, ignored);
  }
  void close() override {
    Error ignored;
    socket_.close(ignored);
  }

 private:
  struct OnRead {
    Ref<Connection> reader;
    OperationMemory* memory;
    using allocator_type = OperationMemory::Allocator<std::byte>;
    allocator_type get_allocator() const { return allocator_type(*memory); }
    void operator()(const Error& error, std::size_t size) const { reader->on_read(error, size); }
  };

  TcpSocket socket_;
  OperationMemory memory_;  // of the pending read
};

// ---- the driver's members that use connections

SIO_DEMO_INLINE void Driver::start_connection(std::unique_ptr<Stream> stream, const http::Address& address,
                                              RateLimiter::Permit permit, std::string_view already) {
  ++engine.counters.connections_opened;
  Ref<Connection>(new Connection(*this, std::move(stream), address, std::move(permit)))->start(already);
}

/// Accepts up to 64 more waiting connections: with one per iteration of a busy event loop, the backlog would overflow.
SIO_DEMO_INLINE void Driver::on_accept(const Ref<Listener>& listener, TcpSocket socket, Error error) {
  const auto begin_if_admitted = [&] {
    const http::Address peer = listener->peer.address();
    if (auto permit = admit(peer))
      start_connection(std::make_unique<TcpStream>(std::move(socket)), peer, std::move(*permit), {});
  };
  for (int most = 64; !error && most > 0; --most) {
    begin_if_admitted();
    socket = listener->acceptor.accept(listener->peer, error);
  }
  if (!error) begin_if_admitted();
  // None waits, or the client of one has closed it already.
  const bool is_normal = error == asio::error::would_block || error == asio::error::connection_aborted;
  if (!error || is_normal) accept(listener);
  else accept_later(listener, error);
}

SIO_DEMO_INLINE void Driver::dirty(Connection& connection) {
  assert(on_thread());
  if (connection.is_dirty) return;
  connection.is_dirty = true;
  dirty_.emplace_back(&connection);
  if (depth_ == 0) post_batch();  // emitted outside of a turn
}

/// Runs a batch: handles the input of all ready connections, writes all queued output, then reads again. By then, fast
/// clients have replied, so that Asio's reads complete without a wait.
SIO_DEMO_INLINE void Driver::run_batch() {
  if (abandoned_) return;
  batch_posted_ = false;
  if (depth_ > 0) return;  // a handler runs the event loop: end_turn() posts the next batch
  if (log.busy()) return log.later([self = Ref<Driver>(this)] { self->post_batch(); });
  const Turn turn(*this);
  auto ready = std::exchange(ready_, std::move(spare_ready_));
  for (const auto& connection : ready) connection->handle();
  auto dirty = std::exchange(dirty_, std::move(spare_dirty_));
  for (const auto& connection : dirty) connection->flush();
  for (const auto& connection : ready) connection->continue_input();
  ready.clear();
  spare_ready_ = std::move(ready);
  dirty.clear();
  spare_dirty_ = std::move(dirty);
}

SIO_DEMO_INLINE void Driver::add(Connection& connection) {
  connection.slot = connections_.size();
  connections_.emplace_back(&connection);
}

SIO_DEMO_INLINE void Driver::remove(Connection& connection) {
  connections_.back()->slot = connection.slot;
  std::swap(connections_[connection.slot], connections_.back());
  connections_.pop_back();
}

/// Accepts no more connections; closes all sessions, which responds to held polls and queues close frames; waits until
/// all output is written, at most drain_timeout; then closes the remaining connections.
SIO_DEMO_INLINE void Driver::close(std::function<void()> done) {
  const Turn turn(*this);
  if (done && finished_) asio::post(loop_, std::move(done));
  else if (done) close_handlers_.push_back(std::move(done));
  if (std::exchange(closing_, true)) return;
  for (const auto& listener : listeners_) {
    Error ignored;
    listener->acceptor.close(ignored);
    listener->retry_timer.cancel();
  }
  engine.drain();
  for (const auto& session : engine.all()) session->shut_down(Reason::server_shutdown);
  for (const auto& connection : std::vector(connections_)) connection->shut_down(Reason::server_shutdown);
  engine.deadlines.set(*this, engine.now() + options.drain_timeout);
}

SIO_DEMO_INLINE bool Driver::busy() const {
  return !ready_.empty() || !dirty_.empty() ||
         std::any_of(connections_.begin(), connections_.end(), [](const auto& c) { return c->busy(); });
}

SIO_DEMO_INLINE void Driver::drop(Reason reason, const char* why) {
  while (!connections_.empty()) {
    const auto last = connections_.back();
    last->close(reason, why);
  }
}

}  // namespace net

// ---- members of chapter 9's classes that need the driver

SIO_DEMO_INLINE Host::Host(asio::io_context* loop, Options options, engineio::Application& application,
                           bool with_engine)
    : own_loop_(loop ? nullptr : std::make_unique<asio::io_context>(ASIO_CONCURRENCY_HINT_UNSAFE_IO)),
      loop_(loop ? *loop : *own_loop_),
      options_(checked(std::move(options), with_engine)),
      log_(std::make_shared<Log>(options_.log_level, options_.log_sink, options_.slow_handler)),
      engine_(options_, *log_, counters_, application),
      driver_(new net::Driver(loop_, engine_, router_)) {}

SIO_DEMO_INLINE Host::~Host() = default;
SIO_DEMO_INLINE void Host::abandon() {
  driver_->abandon();
  log_->run_all_deferred();
}
SIO_DEMO_INLINE void Host::listen(const std::string& host, std::uint16_t port) {
  engine_.assert_thread();
  driver_->listen(host, port);
  if (!log_->enabled(LogLevel::debug)) return;
  const auto bound = options_.memory_bound();
  log_->write(LogLevel::debug, "Listening; what clients can make the server hold, in bytes",
              {{"host", host},
               {"port", this->port()},
               {"client", bound.client},
               {"address", bound.address},
               {"all", bound.all}});
}
SIO_DEMO_INLINE std::uint16_t Host::port() const { return driver_->port(); }

SIO_DEMO_INLINE int Host::run() {
  try {
    if (!closing_ && driver_->port() == 0) listen();
  } catch (const std::system_error& error) {
    log_->write(LogLevel::error, error.what());
    return 1;
  }
  loop_.run();
  return 0;
}

SIO_DEMO_INLINE void Host::close(std::function<void()> done) {
  engine_.assert_thread();
  if (log_->observing()) return log_->later([this, done] { close(done); });
  closing_ = true;
  driver_->close([this, alive = lifetime(), done = std::move(done)] {
    if (alive.expired()) {
      if (done) done();
      return;
    }
    if (log_->busy()) return log_->later([this, done] { close(done); });  // as post() does
    const auto log = log_;                                                // `done` may destroy the server
    drained();
    if (done) log->call({"A function given to close() threw", "event", "close"}, done);
  });
}
SIO_DEMO_INLINE void Host::drop_connections() {
  in_turn([this] { driver_->drop(Reason::transport_close, "the program drops its clients"); });
}
SIO_DEMO_INLINE void Host::in_turn(FunctionRef f) {
  const net::Driver::Turn turn(*driver_);
  f();
}
SIO_DEMO_INLINE void Host::posted(FunctionRef f) {
  const auto log = log_;
  in_turn([&] { log->call({"A posted function threw", "event", "post"}, f); });
}

SIO_DEMO_INLINE void Host::on_connection_error(std::function<void(const ConnectionError&)> handler) {
  driver_->connection_error.add(std::move(handler));
}

SIO_DEMO_INLINE void Host::take_over(net::TcpSocket socket, std::string_view bytes_already_read) {
  engine_.assert_thread();
  net::Error gone;
  const http::Address peer = socket.remote_endpoint(gone).address();
  if (gone && !driver_->closing()) return;  // the client has closed already: no error of the caller
  driver_->serve(std::make_unique<net::TcpStream>(std::move(socket)), peer, bytes_already_read);
}

namespace detail {

/// Appends a file's bytes to `contents`. An error if it cannot be read, or `contents` would exceed `most` bytes.
SIO_DEMO_INLINE std::error_code read_file(const std::string& name, std::size_t most, std::string& contents) {
  errno = 0;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(name.c_str(), "rb"), &std::fclose);
  if (!file) return {errno != 0 ? errno : ENOENT, std::generic_category()};
  std::array<char, 16 * 1024> chunk;
  while (const std::size_t size = std::fread(chunk.data(), 1, chunk.size(), file.get())) {
    if (contents.size() + size > most) return make_error_code(std::errc::file_too_large);
    contents.append(chunk.data(), size);
  }
  return std::ferror(file.get()) ? make_error_code(std::errc::io_error) : std::error_code();
}

}  // namespace detail

SIO_DEMO_INLINE void Host::serve_client(const std::string& folder, std::string_view version) {
  constexpr std::size_t most = 8 * 1024 * 1024;
  const std::string base = options_.path + (options_.path.ends_with('/') ? "" : "/");
  std::error_code failed;
  std::size_t served = 0;
  for (const std::string name :
       {"socket.io.js", "socket.io.js.map", "socket.io.min.js", "socket.io.min.js.map", "socket.io.esm.min.js",
        "socket.io.esm.min.js.map", "socket.io.msgpack.min.js", "socket.io.msgpack.min.js.map"}) {
    std::string contents;
    if (const auto error = detail::read_file(folder + "/" + name, most, contents)) {
      if (error != std::errc::no_such_file_or_directory)
        log_->write(LogLevel::warn, "Cannot read a file of the client", {{"file", name}, {"error", error.message()}});
      if (!failed) failed = error;
      continue;
    }
    ++served;
    const std::string type =
        name.ends_with(".js") ? "application/javascript; charset=utf-8" : "application/json; charset=utf-8";
    const std::string tag = version.empty() ? http::entity_tag(contents) : '"' + std::string(version) + '"';
    router_.get(base + name, [type, tag, kept = std::make_shared<const std::string>(std::move(contents))](
                                 const http::Request& request) {
      if (http::etag_matches(request, tag))
        return http::Response{304, {}, {}, {}};  // without headers, as the official server
      return http::Response{
          200, {}, *kept, {{"Cache-Control", "public, max-age=0"}, {"Content-Type", type}, {"ETag", tag}}};
    });
  }
  if (served == 0)
    throw std::system_error(
        failed, "cannot serve " + folder + "/socket.io.js (give the folder client-dist of the npm package socket.io)");
}

SIO_DEMO_INLINE Server::~Server() {
  abandon();
  drained();
  log().run_all_deferred();
  for (const auto& nsp : all_namespaces()) nsp->recovery_.end();
  for (const auto& parent : parents_) parent.nsp->recovery_.end();
}

SIO_DEMO_INLINE Server::Server(asio::io_context* loop, Options options)
    : Host(loop, std::move(options), *this),
      decoder_({this->options().max_attachments, {this->options().max_json_depth, this->options().max_json_tokens}}),
      main_(&of("/")) {}

#endif  // SIO_DEMO_BODIES

// ================================================================================================
// 11  Redis adapter
//
// Joins servers that share a Redis into one: an operation on several sockets of a namespace reaches them on every
// server. The protocol is that of @socket.io/redis-adapter 8 (the classic one, over PUBLISH and SUBSCRIBE), so the
// other servers may be official ones, and @socket.io/redis-emitter works, too.
//
//     io.adapter(sio::redis::adapter("redis://user:password@host:6379/0"));
//
//     psubscribe socket.io#/chat#*                       broadcasts, msgpack: [uid, packet, opts]
//     subscribe  socket.io-request#/chat#                requests, JSON or msgpack: {uid, requestId, type, ...}
//     subscribe  socket.io-response#/chat#               responses: {requestId, ...}
//     subscribe  socket.io-response#/chat#gFZBwt#        responses to this server only; gFZBwt is its uid
//
//     publish    socket.io#/chat#red#    93 a6 "gFZBwt"  83 a4 "type" 02  a4 "data" 91 a1 "x"  a3 "nsp" a5 "/chat"
//                                        83 a5 "rooms" 91 a3 "red"  a6 "except" 90  a5 "flags" 80
//     publish    socket.io-request#/chat#
//     {"uid":"gFZBwt","requestId":"hKuaxo","type":5,"opts":{"rooms":[],"except":[]}} message socket.io-response#/chat#
//     {"requestId":"hKuaxo","sockets":[{"id":"kZIF...AAAB",...}]}
//
// A request that has an id expects one response from every other subscriber of the request channel (PUBSUB NUMSUB
// counts them), and fails after requests_timeout if one is missing.
//
// During an outage of Redis, the clients of this server still get what it emits. Messages for the other servers wait in
// a bounded queue. Messages that were written but not confirmed are lost; none is sent twice.
//
// Input from Redis is not trusted, as any client of Redis can publish. Size, depth and number of values are limited
// while a message is parsed; a malformed message is counted and ignored. Published messages have all fields that
// official servers read, as some malformed messages crash them.
//
// The chapter has, in order: the public interface; RESP, the URL, msgpack and the messages, all without input or
// output; Link, one connection to Redis; Bus, which owns two Links, as a subscribed connection takes no other commands;
// Adapter, one for each namespace; and the bodies of Lease and Factory.
// ================================================================================================

namespace redis {

// ---- public interface

/// A reply from Redis, or a message that it pushes.
struct Value {
  enum class Kind : std::uint8_t {
    null,
    text,   // a simple or a bulk string
    error,  // an error reply in `text`: "WRONGPASS invalid username-password pair"
    integer,
    list,
    too_big  // a bulk string beyond the limit; its content was skipped
  };
  Kind kind = Kind::null;
  std::string text{};
  std::int64_t number = 0;
  std::vector<Value> list{};

  bool is(Kind its) const { return kind == its; }
};

/// The parts of a URL: redis://[[user]:password@]host[:port][/database], each percent-encoded.
struct Address {
  std::string host = "localhost";
  std::uint16_t port = 6379;
  std::string user{}, password{};
  std::uint32_t database = 0;

  /// Host, port and database, for logs.
  std::string text() const {
    const std::string name = host.find(':') == host.npos ? host : '[' + host + ']';
    return name + ':' + std::to_string(port) + '/' + std::to_string(database);
  }
};

/// The first three are the official adapter's options and must be the same on all servers. Times are from 1 ms to a
/// day.
struct Options {
  /// The prefix of every channel. Default: "socket.io".
  std::string key = "socket.io";
  /// How long to wait for the responses of other servers (`requestsTimeout`). Default: 5 s.
  Milliseconds requests_timeout{5'000};
  /// Sends a response only to the requesting server, not to all (`publishOnSpecificResponseChannel`). Default: false.
  bool publish_on_specific_response_channel = false;
  /// The name that CLIENT LIST shows; no spaces. Default: "sio_demo".
  std::string client_name = "sio_demo";
  /// Limits connecting, AUTH, SELECT and CLIENT SETNAME together. Default: 5 s.
  Milliseconds connect_timeout{5'000};
  /// A PING is sent after this time of silence; after as much again, the connection counts as lost. Default: 5 s.
  Milliseconds ping_interval{5'000};
  /// The delay before reconnecting, doubled at each failure up to the maximum, less a random part of up to a half, so
  /// that servers do not reconnect all at once. Default: 100 ms and 2 s.
  Milliseconds reconnect_delay{100}, reconnect_delay_max{2'000};
  /// The most bytes that wait for Redis; further messages are dropped and counted. Default: 16 MiB.
  std::size_t max_queue_bytes = 16 * 1024 * 1024;
  /// The largest message from another server; a larger one is skipped, and counted as malformed. Default: 16 MiB.
  std::size_t max_message_bytes = 16 * 1024 * 1024;
};

/// Totals of a server. Read them on the event-loop thread; chapter 12 prints them.
struct Counters {
  std::uint64_t published = 0;   // queued or written
  std::uint64_t dropped = 0;     // the queue was full, or Redis refused or did not confirm the message
  std::uint64_t received = 0;    // messages, including the server's own
  std::uint64_t malformed = 0;   // received, and ignored
  std::uint64_t reconnects = 0;  // after the first connection
};

/// Called when a command completes. If the connection failed, the error is set and `reply` is null. Else `reply` is the
/// reply of Redis, which may be an error reply.
using Done = std::function<void(std::error_code, Value reply)>;

/// A server's connections to Redis. They are opened with the server's first namespace, and closed when its close() has
/// completed or the server is destroyed. Use it on the event-loop thread.
class Client {
 public:
  virtual ~Client() = default;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Whether both connections are up.
  bool connected() const { return connected_; }
  const Counters& counters() const { return counters_; }
  const Options& options() const { return options_; }
  /// Bytes that wait for Redis.
  virtual std::size_t queued() const = 0;

  /// Sends a command: client.command({"SET", key, "me", "NX", "PX", "5000"}, done). `done` gets the reply, or an error:
  /// not_connected without a connection; connection_reset if it breaks before the reply (Redis may have executed the
  /// command); operation_canceled when the server closes. `done` is called after command() returns, or within it if no
  /// server uses this client. It must not destroy the server.
  virtual void command(std::initializer_list<std::string_view> words, Done done) = 0;

 protected:
  explicit Client(Options options) : options_(std::move(options)) {}

  const Options options_;
  Counters counters_;
  bool connected_ = false;
};

/// The result of redis::adapter(). Copies share the connections. Each server needs its own call of redis::adapter().
class Factory {
 public:
  explicit Factory(std::shared_ptr<Bus> bus) : bus_(std::move(bus)) {}
  std::unique_ptr<sio_demo::Adapter> operator()(Namespace& nsp) const;
  /// The connections to Redis, for their state and for commands.
  Client& cluster() const;

 private:
  friend class Lease;
  std::shared_ptr<Bus> bus_;
};

/// A lease that only one of the servers sharing a Redis holds at a time, for work that only one server must do. The
/// holder renews it every third of `duration`. Another server gets it at most 4/3 of `duration` after the holder died,
/// or 1/3 after release(). It is a key in Redis, set by SET key id NX PX 3000 and renewed by PEXPIRE while its value is
/// `id`, both in one script. Use it on the event-loop thread.
class Lease final : public engineio::Timed {
 public:
  enum class State : std::uint8_t {
    alone,     // Redis cannot be reached, or refuses
    held,      // by this server
    elsewhere  // by another server
  };

  /// `key` and `duration` (30 ms to a day) are the same on all servers. Before start(), the factory must have been
  /// given to a server (Server::adapter), which must outlive the lease.
  Lease(Factory factory, std::string key, Milliseconds duration = Milliseconds(3'000));
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  /// Sets the handler that is called when state() is first known, and at each change. Set it before start(). An
  /// exception is logged.
  void on_change(std::function<void(State)> handler) { changed_ = std::move(handler); }
  void start();
  /// Releases the lease at once. Call it before the server closes, as it needs the connection.
  void release();
  /// The state now. A lease that was not renewed in time is not `held`, so two servers never hold it at once if their
  /// clocks run at the same speed.
  State state() const;
  /// The value of the key while this lease holds it.
  const std::string& id() const { return id_; }

 private:
  friend class Bus;

  SIO_DEMO_INLINE void tick(engineio::Time) override;
  void renew();
  void notify();

  Factory factory_;
  const std::string key_, id_ = bytes::Random().id();
  const Milliseconds duration_;
  std::function<void(State)> changed_;
  engineio::Time until_{};           // the end of the lease, if it is held
  std::uint64_t reconnects_ = 0;     // at the last renewal: a Redis that has restarted may have lost the key
  std::optional<State> notified_{};  // the last state passed to changed_
  bool renewing_ = false, refused_ = false, released_ = true;
  std::shared_ptr<void> alive_ = std::make_shared<char>();
};

/// Makes the argument of Server::adapter(). Throws std::invalid_argument for a malformed URL, one with rediss://, and
/// for a time out of range.
Factory adapter(std::string_view url, Options options = {});

#if SIO_DEMO_BODIES

// ---- RESP2, the protocol of Redis

/// Parses replies from chunks of any size. Allocates by the bytes received, not by the lengths that Redis announces.
class Reader {
 public:
  static constexpr std::size_t deepest = 8, longest_line = 64 * 1024, most_values = 64 * 1024;

  /// `largest`: bytes of all strings of a reply; a bulk string beyond is skipped, and its value is too_big.
  explicit Reader(std::size_t largest) : largest_(largest) {}

  /// Consumes all of `in`. After `complete`, call it again with the then empty `in`, until it returns `more`: there may
  /// be further replies. After `malformed`, why() returns the error, and the stream is unusable.
  Progress read(std::string_view& in, Value& out) {
    if (why_) return Progress::malformed;
    const auto skipped = static_cast<std::size_t>((std::min)(skip_, std::uint64_t{in.size()}));
    buffer_ += in.substr(skipped);
    skip_ -= skipped;
    in = {};
    at_ = begin_;
    values_ = bytes_ = 0;
    const auto progress = skip_ > 0 ? Progress::more : read_value(out, 0);
    if (progress == Progress::complete) begin_ = at_;
    if (progress == Progress::more) buffer_.erase(0, std::exchange(begin_, 0));
    return progress;
  }
  const char* why() const { return why_ ? why_ : ""; }

 private:
  Progress fail(const char* why) {
    why_ = why;
    return Progress::malformed;
  }

  /// Reads the value at at_. An incomplete reply is parsed from its start again when more bytes have arrived; long
  /// strings are skipped by their length.
  Progress read_value(Value& out, std::size_t depth) {
    const auto begin = at_, end = buffer_.find('\n', begin);
    if ((std::min)(end, buffer_.size()) - begin >= longest_line) return fail("a line is too long");
    if (end == buffer_.npos) return Progress::more;
    if (end - begin < 2 || buffer_[end - 1] != '\r') return fail("a line does not end with CR LF");
    if (++values_ > most_values) return fail("a reply has too many values");
    const char type = buffer_[begin];
    const std::string text(buffer_, begin + 1, end - begin - 2);
    at_ = end + 1;
    out = {};
    if (type == '+' || type == '-') {
      if (text.size() > largest_ - bytes_) return fail("a reply is too large");
      bytes_ += text.size();
      out = {type == '+' ? Value::Kind::text : Value::Kind::error, text};
      return Progress::complete;
    }
    if (type == '!' && text.empty()) {
      out.kind = Value::Kind::too_big;
      return Progress::complete;
    }
    std::int64_t number = 0;
    const auto [last, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || last != text.data() + text.size())
      return fail("a number is malformed, or the type of a reply unknown");
    if (type == ':') out = {.kind = Value::Kind::integer, .number = number};
    else if (type != '$' && type != '*') return fail("the type of a reply is unknown");
    else if (number < -1) return fail("a length is negative");
    else if (number >= 0)
      return type == '$' ? read_bulk(begin, static_cast<std::uint64_t>(number), out) : read_list(number, out, depth);
    return Progress::complete;  // -1 is null
  }

  /// Reads a bulk string. In the buffer, one that is too big is replaced by "!"; its remaining bytes are skipped.
  Progress read_bulk(std::size_t begin, std::uint64_t size, Value& out) {
    const std::uint64_t here = (std::min)(size + 2, std::uint64_t{buffer_.size() - at_});
    if (size > largest_ - bytes_) {
      buffer_.replace(begin, at_ - begin + static_cast<std::size_t>(here), "!\r\n");
      at_ = begin + 3;
      skip_ = size + 2 - here;
      out.kind = Value::Kind::too_big;
      return skip_ > 0 ? Progress::more : Progress::complete;
    }
    if (here < size + 2) return Progress::more;
    out = {Value::Kind::text, buffer_.substr(at_, static_cast<std::size_t>(size))};
    bytes_ += out.text.size();
    at_ += out.text.size() + 2;
    return buffer_.compare(at_ - 2, 2, "\r\n") == 0 ? Progress::complete : fail("a string does not end with CR LF");
  }

  Progress read_list(std::int64_t size, Value& out, std::size_t depth) {
    if (size > 0 && depth == deepest) return fail("lists are nested too deep");
    out.kind = Value::Kind::list;
    for (; size > 0; --size) {
      const auto progress = read_value(out.list.emplace_back(), depth + 1);
      if (progress != Progress::complete) return progress;
    }
    return Progress::complete;
  }

  std::size_t largest_;
  std::string buffer_;                  // received and not consumed
  std::size_t begin_ = 0, at_ = 0;      // the start of the current reply, and the position of the parser
  std::size_t values_ = 0, bytes_ = 0;  // of the current reply
  std::uint64_t skip_ = 0;              // remaining bytes of a string that is too big
  const char* why_ = nullptr;
};

/// Encodes a command: {"PUBLISH", "a", "b"} -> *3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n$1\r\nb\r\n
SIO_DEMO_INLINE std::string command(std::initializer_list<std::string_view> words) {
  std::string out = '*' + std::to_string(words.size()) + "\r\n";
  for (const auto word : words) out.append('$' + std::to_string(word.size()) + "\r\n").append(word).append("\r\n");
  return out;
}

// ---- the URL

/// Percent-decodes a part of a URL. A '+' stands for itself, unlike in a query.
SIO_DEMO_INLINE std::string decode_url(std::string_view text) {
  std::string plus;
  for (const char c : text) plus += c == '+' ? "%2B" : std::string(1, c);
  return http::percent_decode(plus);
}

/// Returns nullptr, or what is wrong with the URL.
SIO_DEMO_INLINE const char* read_url(std::string_view url, Address& out) {
  if (url.starts_with("rediss://"))
    return "TLS is not spoken here: let a proxy such as stunnel speak it, and connect to that";
  if (!url.starts_with("redis://")) return "it does not begin with redis://";
  auto rest = url.substr(8);
  if (const auto at = rest.rfind('@'); at != rest.npos) {
    const auto colon = (std::min)(rest.find(':'), at);
    out.user = decode_url(rest.substr(0, colon));
    out.password = colon == at ? "" : decode_url(rest.substr(colon + 1, at - colon - 1));
    if (out.password.empty()) return "there is a user without a password";
    rest.remove_prefix(at + 1);
  }
  if (rest.find_first_of("?#") != rest.npos)
    return "something follows the database: what it would set is an option of redis::adapter";
  if (const auto slash = rest.find('/'); slash != rest.npos) {
    const auto number = slash + 1 == rest.size() ? 0 : bytes::whole_number(rest.substr(slash + 1));
    if (!number || *number > 1'000'000) return "the database is not a number";
    out.database = static_cast<std::uint32_t>(*number);
    rest = rest.substr(0, slash);
  }
  const bool ip6 = rest.starts_with('[');
  const auto end = rest.find(ip6 ? ']' : ':');
  if (ip6 && end == rest.npos) return "the IPv6 address lacks its \"]\"";
  const auto host = ip6 ? rest.substr(1, end - 1) : rest.substr(0, end);
  if (!host.empty()) out.host = decode_url(host);
  rest.remove_prefix(host.size() + (ip6 ? 2 : 0));
  if (rest.empty()) return nullptr;
  const auto port = rest[0] == ':' ? bytes::whole_number(rest.substr(1)) : std::nullopt;
  if (!port || *port == 0 || *port > 65535)
    return "the port is not a number from 1 to 65535 (an IPv6 address stands in brackets)";
  out.port = static_cast<std::uint16_t>(*port);
  return nullptr;
}

/// Throws std::invalid_argument for a malformed URL; its text says why, without the password.
SIO_DEMO_INLINE Address parse_url(std::string_view url) {
  Address out;
  const char* why = read_url(url, out);
  if (!why) return out;
  std::string shown(url);
  const auto begin = url.find("://"), at = url.rfind('@');
  const auto secret = begin < at ? begin + 3 : 0;
  if (at != url.npos) shown.replace(secret, at - secret, "***");
  throw std::invalid_argument("cannot use \"" + shown + "\" as the address of Redis: " + why +
                              " (write redis://user:password@host:6379/0)");
}

// ---- msgpack

/// Limits of one message.
struct Limits {
  unsigned depth = 72;             // max_json_depth of an event (64 by default), and the levels around it
  std::size_t values = 2'000'000;  // a list or map counts as 16, because of its size in memory
};

/// Parses msgpack as notepack.io writes it. A date becomes its JSON text. Invalid UTF-8, such as half a surrogate pair,
/// is replaced by U+FFFD. Of equal keys, the last one counts.
class Unpacker {
 public:
  explicit Unpacker(std::string_view in, Limits limits = {}) : in_(in), limits_(limits) {}

  /// Returns nullopt unless the input is exactly one value, within the limits, whose keys are all text.
  std::optional<json> read() {
    std::optional<json> out(std::in_place);
    if (!read(*out, 0) || !in_.empty()) out.reset();
    return out;
  }

 private:
  // The functions that return bool return false for malformed input.

  bool read_bytes(std::uint64_t size, std::string_view& out) {
    if (size > in_.size()) return false;
    out = in_.substr(0, static_cast<std::size_t>(size));
    in_.remove_prefix(out.size());
    return true;
  }
  /// An unsigned number in network byte order.
  bool read_number(std::uint64_t width, std::uint64_t& out) {
    std::string_view bytes;
    if (!read_bytes(width, bytes)) return false;
    for (const char byte : bytes) out = out << 8 | static_cast<std::uint8_t>(byte);
    return true;
  }
  static std::int64_t extend_sign(std::uint64_t bits, unsigned width) {
    const unsigned unused = 64 - 8 * width;
    return static_cast<std::int64_t>(bits << unused) >> unused;
  }
  static bool set(json& out, json value) {
    out = std::move(value);
    return true;
  }

  /// The first byte is the type, and of some types also the value or size. Within a group of types, each has twice the
  /// width of the one before.
  bool read(json& out, unsigned depth) {
    std::uint64_t first = 0, n = 0;
    if (++values_ > limits_.values || !read_number(1, first)) return false;
    const auto type = static_cast<unsigned>(first);
    if (type < 0x80) return set(out, first);
    if (type < 0x90) return read_map(out, type & 15, depth);
    if (type < 0xa0) return read_list(out, type & 15, depth);
    if (type < 0xc0) return read_text(out, type & 31);
    if (type == 0xc0) return set(out, nullptr);
    if (type == 0xc1) return false;
    if (type < 0xc4) return set(out, type == 0xc3);
    if (type < 0xc7) return read_number(1u << (type - 0xc4), n) && read_binary(out, n);
    if (type < 0xca) return read_number(1u << (type - 0xc7), n) && read_extension(out, n);
    if (type == 0xca) return read_number(4, n) && set(out, std::bit_cast<float>(static_cast<std::uint32_t>(n)));
    if (type == 0xcb) return read_number(8, n) && set(out, std::bit_cast<double>(n));
    if (type < 0xd0) return read_number(1u << (type - 0xcc), n) && set(out, n);
    if (type < 0xd4) return read_number(1u << (type - 0xd0), n) && set(out, extend_sign(n, 1u << (type - 0xd0)));
    if (type < 0xd9) return read_extension(out, 1u << (type - 0xd4));
    if (type < 0xdc) return read_number(1u << (type - 0xd9), n) && read_text(out, n);
    if (type < 0xde) return read_number(2u << (type - 0xdc), n) && read_list(out, n, depth);
    if (type < 0xe0) return read_number(2u << (type - 0xde), n) && read_map(out, n, depth);
    return set(out, extend_sign(first, 1));
  }

  bool read_text(json& out, std::uint64_t size) {
    std::string_view text;
    return read_bytes(size, text) && set(out, bytes::Utf8Text(text).view());
  }
  bool read_binary(json& out, std::uint64_t size) {
    std::string_view content;
    return read_bytes(size, content) && set(out, json::binary(Bytes(content.begin(), content.end())));
  }

  /// Checks the limits before a list or map. Each value takes at least one byte, so a larger number is malformed.
  bool begin_container(std::uint64_t values, unsigned depth) {
    values_ += 15;
    return values <= in_.size() && depth < limits_.depth;
  }
  bool read_list(json& out, std::uint64_t size, unsigned depth) {
    if (!begin_container(size, depth)) return false;
    out = json::array();
    for (; size > 0; --size)
      if (!read(out.emplace_back(), depth + 1)) return false;
    return true;
  }
  bool read_map(json& out, std::uint64_t size, unsigned depth) {
    if (!begin_container(size * 2, depth)) return false;
    out = json::object();
    for (json key; size > 0; --size) {
      const auto type = in_.empty() ? 0u : static_cast<std::uint8_t>(in_[0]);
      const bool text = (type >= 0xa0 && type < 0xc0) || (type >= 0xd9 && type < 0xdc);
      if (!text || !read(key, depth + 1) || !read(out[key.get_ref<std::string&>()], depth + 1)) return false;
    }
    return true;
  }

  /// Type -1 is a timestamp of 4, 8 or 12 bytes. Type 0 was undefined, a date or an ArrayBuffer in notepack.io 2.
  bool read_extension(json& out, std::uint64_t size) {
    std::uint64_t type = 0, n = 0, nanoseconds = 0;
    if (!read_number(1, type)) return false;
    const bool timestamp = type == 0xff;
    if (timestamp && size == 4) return read_number(4, n) && set(out, date(Seconds(n), {}));
    if (timestamp && size == 8)
      return read_number(8, n) && set(out, date(Seconds(n & 0x3'ffff'ffff), Milliseconds((n >> 34) / 1'000'000)));
    if (timestamp && size == 12)
      return read_number(4, nanoseconds) && read_number(8, n) &&
             set(out, date(Seconds(n), Milliseconds(nanoseconds / 1'000'000)));
    if (type != 0) return false;
    if (size == 1) return read_number(1, n) && set(out, nullptr);
    if (size == 8) return read_number(8, n) && set(out, date({}, Milliseconds(n)));
    return read_binary(out, size);
  }
  /// A date as JSON text; null beyond the range of system_clock, which may count nanoseconds in 64 bits.
  static json date(Seconds seconds, Milliseconds rest) {
    constexpr Seconds most(9'000'000'000);
    if (seconds > most || seconds < -most || rest > most || rest < -most) return nullptr;
    const auto time = std::chrono::duration_cast<std::chrono::system_clock::duration>(seconds + rest);
    return iso_8601(std::chrono::system_clock::time_point(time));
  }

  std::string_view in_;
  Limits limits_;
  std::size_t values_ = 0;
};

/// Whether a value contains binary, which JSON cannot represent.
SIO_DEMO_INLINE bool has_binary(const json& value) {
  return value.is_binary() || (value.is_structured() && std::any_of(value.begin(), value.end(), has_binary));
}

SIO_DEMO_INLINE std::string to_msgpack(const json& value) {
  std::string out;
  json::to_msgpack(value, out);
  return out;
}
SIO_DEMO_INLINE std::optional<json> from_msgpack(std::string_view text, Limits limits = {}) {
  return Unpacker(text, limits).read();
}

/// Requests and responses are JSON, which begins with '{', or msgpack if they contain binary.
SIO_DEMO_INLINE std::string to_text(const json& value) {
  return has_binary(value) ? to_msgpack(value) : value.dump(-1, ' ', false, json::error_handler_t::replace);
}
SIO_DEMO_INLINE std::optional<json> from_text(std::string_view text) {
  if (!text.starts_with('{')) return from_msgpack(text);
  if (bytes::Outline({.depth = 64, .tokens = Limits().values}).read(text)) return std::nullopt;
  std::optional<json> out(std::in_place, socketio::parse(text));
  if (out->is_discarded()) out.reset();
  return out;
}

// ---- the adapter's messages. Decoders return nullopt for a malformed one.

/// The channels of one namespace on one server.
struct Channels {
  Channels(const std::string& key, const std::string& nsp, std::string its_uid)
      : uid(std::move(its_uid)),
        broadcast(key + '#' + nsp + '#'),
        request(key + "-request#" + nsp + '#'),
        response(key + "-response#" + nsp + '#'),
        own(response + uid + '#') {
    for (const char c : broadcast) {
      if (std::string_view("*?[]\\").find(c) != std::string_view::npos) pattern += '\\';
      pattern += c;
    }
    pattern += '*';
  }
  std::string uid, broadcast, request, response, own, pattern{};
};

/// The types of requests, and of responses to a broadcast, with their numbers in the protocol. Type 0 requested the ids
/// of sockets before version 8 of the official adapter.
enum class Type : std::uint8_t {
  all_rooms = 1,
  join,
  leave,
  disconnect,
  fetch,
  server_side_emit,
  broadcast,
  client_count,
  ack
};

template <class Json>  // const or not
Json* field(Json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() ? nullptr : &*found;
}
/// A text member, or "".
SIO_DEMO_INLINE std::string text_field(const json& object, const char* name) {
  const json* value = field(object, name);
  return value && value->is_string() ? value->get<std::string>() : std::string();
}
/// A member that is a non-negative integer.
SIO_DEMO_INLINE std::optional<std::uint64_t> number_field(const json& object, const char* name) {
  const json* value = field(object, name);
  if (!value || !value->is_number_integer() || *value < 0) return std::nullopt;
  return value->get<std::uint64_t>();
}
SIO_DEMO_INLINE bool is(const json& message, Type type) {
  return number_field(message, "type") == static_cast<std::uint64_t>(type);
}
SIO_DEMO_INLINE bool true_field(const json& object, const char* name) {
  const json* value = field(object, name);
  return value && *value == json(true);
}

/// Reads the names of rooms. Numbers, which JavaScript allows as names, become text.
SIO_DEMO_INLINE bool read_rooms(const json& object, const char* name, std::vector<std::string>& out) {
  const json* list = field(object, name);
  if (!list) return true;
  if (!list->is_array()) return false;
  for (const json& room : *list) {
    if (!room.is_string() && !room.is_number()) return false;  // an empty list would mean all sockets
    auto& text = out.emplace_back(room.is_string() ? room.get<std::string>() : std::string());
    if (room.is_number()) bytes::append_number(text, room.get<double>());
  }
  return true;
}

/// An event for clients of other servers.
struct Event {
  std::string uid, nsp;
  json::array_t values{};  // name and arguments
  Target target{};
};

/// An EVENT packet as the adapter's messages carry it.
SIO_DEMO_INLINE json packet_of(std::string_view nsp, const json::array_t& values) {
  return {{"type", 2}, {"data", values}, {"nsp", nsp}};
}
/// The rooms of a target as the adapter's messages carry them.
SIO_DEMO_INLINE json options_of(const Target& target) { return {{"rooms", target.rooms}, {"except", target.except}}; }

/// Reads an EVENT or BINARY_EVENT packet. Others are malformed here; the official server sends them to its clients.
SIO_DEMO_INLINE bool read_packet(json& packet, std::string& nsp, json::array_t& values) {
  const auto type = number_field(packet, "type");
  json *data = field(packet, "data"), *name = field(packet, "nsp");
  if (!type || (*type != 2 && *type != 5) || !data || !data->is_array() || data->empty()) return false;
  if (name && !name->is_string()) return false;
  const json& event = data->front();
  const bool by_name = event.is_string() && !socketio::is_reserved(event.get_ref<const std::string&>());
  const bool by_number = event.is_number() && std::isfinite(event.get<double>());
  if (!by_name && !by_number) return false;
  nsp = name ? name->get<std::string>() : "/";
  values = std::move(data->get_ref<json::array_t&>());
  return true;
}

/// Reads rooms and flags. Flags other than `volatile` and `timeout` are ignored.
SIO_DEMO_INLINE bool read_options(const json* options, Target& out, std::optional<Milliseconds>* timeout = nullptr) {
  if (!options || !options->is_object() || !read_rooms(*options, "rooms", out.rooms)) return false;
  if (!read_rooms(*options, "except", out.except)) return false;
  const json* flags = field(*options, "flags");
  if (!flags) return true;
  out.droppable = true_field(*flags, "volatile");
  if (const auto limit = number_field(*flags, "timeout"); limit && timeout)
    *timeout = Milliseconds((std::min)(*limit, std::uint64_t{86'400'000}));
  return true;
}

/// A broadcast: msgpack of [uid, packet, options].
SIO_DEMO_INLINE std::string encode(const Event& event) {
  json options = options_of(event.target);
  options["flags"] = json::object();
  if (event.target.droppable) options["flags"]["volatile"] = true;
  return to_msgpack(json::array({event.uid, packet_of(event.nsp, event.values), std::move(options)}));
}

/// Reads a broadcast.
SIO_DEMO_INLINE std::optional<Event> decode_event(std::string_view text) {
  auto message = from_msgpack(text);
  if (!message || !message->is_array() || message->size() < 3 || !message->front().is_string()) return std::nullopt;
  Event out{.uid = message->front().get<std::string>(), .nsp = {}};
  if (!read_packet((*message)[1], out.nsp, out.values) || !read_options(&(*message)[2], out.target))
    return std::nullopt;
  return out;
}

/// A request to the other servers. Its type decides which fields it has.
struct Request {
  Type type{};
  std::string uid{}, id{};                // of the requesting server; of the request, empty if it expects no response
  Target target{};                        // join, leave, disconnect, fetch, broadcast
  std::vector<std::string> rooms{};       // join, leave
  bool close = false;                     // disconnect
  std::string nsp{};                      // broadcast
  json::array_t values{};                 // server_side_emit, broadcast: name and arguments
  std::optional<Milliseconds> timeout{};  // broadcast

  bool wants_response() const { return !id.empty(); }
};

SIO_DEMO_INLINE std::string encode(const Request& request) {
  const auto is = [&](auto... types) { return ((request.type == types) || ...); };
  using enum Type;
  json out{{"uid", request.uid}, {"type", request.type}};
  if (request.wants_response()) out["requestId"] = request.id;
  if (is(join, leave, disconnect, fetch, broadcast)) out["opts"] = options_of(request.target);
  if (is(join, leave)) out["rooms"] = request.rooms;
  if (is(disconnect)) out["close"] = request.close;
  if (is(server_side_emit)) out["data"] = request.values;
  if (!is(broadcast)) return to_text(out);
  out["packet"] = packet_of(request.nsp, request.values);
  out["opts"]["flags"] = json::object();
  if (request.timeout) out["opts"]["flags"]["timeout"] = request.timeout->count();
  return to_msgpack(out);
}

/// Returns false if a field that the type needs is missing or malformed.
SIO_DEMO_INLINE bool read_fields(json& message, Request& out) {
  json *data = field(message, "data"), *packet = field(message, "packet");
  const json* options = field(message, "opts");
  switch (out.type) {
    case Type::all_rooms: return out.wants_response();
    case Type::fetch: return out.wants_response() && read_options(options, out.target);
    case Type::join:
    case Type::leave:
    case Type::disconnect: return read_options(options, out.target) && read_rooms(message, "rooms", out.rooms);
    case Type::server_side_emit:
      if (!data || !data->is_array() || data->empty() || !data->front().is_string()) return false;
      out.values = std::move(data->get_ref<json::array_t&>());
      return true;
    case Type::broadcast:
      return out.wants_response() && packet && read_packet(*packet, out.nsp, out.values) &&
             read_options(options, out.target, &out.timeout);
    default: return false;
  }
}

/// Reads a request, which is JSON or msgpack.
SIO_DEMO_INLINE std::optional<Request> decode_request(std::string_view text) {
  auto message = from_text(text);
  const auto type = message ? number_field(*message, "type") : std::nullopt;
  if (!type || *type > static_cast<std::uint64_t>(Type::broadcast)) return std::nullopt;
  Request out{.type = static_cast<Type>(*type),
              .uid = text_field(*message, "uid"),
              .id = text_field(*message, "requestId"),
              .close = true_field(*message, "close")};
  if (!read_fields(*message, out)) return std::nullopt;
  return out;
}

/// Reads a response, which has the `requestId` of its request. Its other fields depend on the type of the request.
SIO_DEMO_INLINE std::optional<json> decode_response(std::string_view text) {
  auto message = from_text(text);
  if (message && text_field(*message, "requestId").empty()) message.reset();
  return message;
}

// ---- a connection

/// One connection to Redis, which reconnects whenever it breaks. Asio's handlers hold a Ref to it.
class Link final : public Counted<Link>, public engineio::Timed {
  enum class State : std::uint8_t { connecting, ready, waiting, stopped };  // waiting: for the delay to reconnect
  /// Bytes of one write, which are lost if the connection breaks.
  static constexpr std::size_t max_write_bytes = 256 * 1024;

  /// Wraps a handler for Asio, so that it has no effect once the current attempt to connect has failed, or its
  /// connection has broken or was stopped.
  template <class F>
  auto guarded(F f) {
    return [self = Ref<Link>(this), epoch = epoch_, f = std::move(f)](net::Error error = {}, auto&&... rest) mutable {
      if (epoch == self->epoch_) self->server_->in_turn([&] { f(error, rest...); });
    };
  }

 public:
  struct Command {
    std::string text;
    Done done{};
    bool publish = false;  // stays in the queue during an outage
  };
  /// Called on the events of a connection, until it is stopped.
  struct Owner {
    virtual void on_ready(const Link&) = 0;  // Redis takes commands
    virtual void on_lost(const Link&, std::string_view why, bool was_ready) = 0;
    virtual void on_refused(std::string_view error) = 0;  // the error reply to a PUBLISH
    virtual void on_pushed(const Value&) = 0;             // any value on the connection that subscribes

   protected:
    ~Owner() = default;
  };

  Link(Server& server, Address address, const Options& options, Counters& counters, Owner& owner, bool subscribes)
      : server_(&server),
        address_(std::move(address)),
        options_(options),
        counters_(counters),
        owner_(owner),
        subscribes_(subscribes),
        socket_(server.loop().get_executor()),
        resolver_(server.loop().get_executor()) {}

  bool ready() const { return state_ == State::ready; }
  std::size_t queued() const { return queue_bytes_; }

  void start() {
    ++epoch_;
    state_ = State::connecting;
    writing_ = ping_pending_ = heard_ = flush_posted_ = false;
    reader_ = Reader(options_.max_message_bytes);
    set_timer(options_.connect_timeout);
    if (auto known = net::known_endpoints(address_.host, address_.port); !known.empty())
      return connect(std::move(known));
    resolver_.async_resolve(address_.host, std::to_string(address_.port),
                            guarded([this](const net::Error& failed, const auto& found) {
                              if (failed) return fail("cannot find " + address_.host + ": " + failed.message());
                              std::vector<net::Endpoint> endpoints;
                              for (const auto& entry : found) endpoints.push_back(entry.endpoint());
                              connect(std::move(endpoints));
                            }));
  }

  void stop() {
    const Ref<Link> self(this);
    net::Error ignored;
    if (ready() && !writing_) {  // sends the last messages, as far as that does not block
      std::string rest;
      for (const Command& command : queue_) rest += command.text;
      socket_.non_blocking(true, ignored);
      if (!rest.empty()) socket_.write_some(asio::buffer(rest), ignored);
    }
    server_->engine_.deadlines.forget(*this);
    resolver_.cancel();
    const auto completions = close(State::stopped);
    server_ = nullptr;
    for (const Done& done : completions) done(std::make_error_code(std::errc::operation_canceled), {});
  }

  void publish(std::string command) {
    if (queue_bytes_ + command.size() > options_.max_queue_bytes) {
      ++counters_.dropped;
      return;
    }
    ++counters_.published;
    send({std::move(command), {}, true});
  }

  /// Queues a command. Those of one event-loop iteration leave in one write. Except for PUBLISH, the caller checks that
  /// the connection is ready.
  void send(Command command) {
    queue_bytes_ += command.text.size();
    queue_.push_back(std::move(command));
    if (!ready() || writing_ || std::exchange(flush_posted_, true)) return;
    asio::post(socket_.get_executor(), guarded([this](const net::Error&) {
                 flush_posted_ = false;
                 flush();
               }));
  }

 private:
  void tick(engineio::Time) override {
    const Ref<Link> self(this);
    if (state_ == State::waiting) return start();
    if (!ready()) return fail("no answer within connect_timeout");
    net::Error ignored;  // unread bytes, as after a slow handler, also show that Redis is alive
    const bool silent = !std::exchange(heard_, false) && socket_.available(ignored) == 0;
    if (silent && ping_pending_) return fail("Redis is silent");
    set_timer(options_.ping_interval);
    ping_pending_ = silent;
    if (silent) send({redis::command({"PING"})});
  }

  void set_timer(Milliseconds delay) {
    server_->in_turn([&] { server_->engine_.deadlines.set(*this, server_->engine_.now() + delay); });
  }

  void connect(std::vector<net::Endpoint> endpoints) {
    asio::async_connect(socket_, endpoints, guarded([this](const net::Error& error, const auto&) {
                          if (error) return fail("cannot connect: " + error.message());
                          send_greeting();
                        }));
  }

  /// Sends AUTH, SELECT and CLIENT SETNAME together. The connection is ready at the reply to the last one.
  void send_greeting() {
    net::Error ignored;
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    out_.clear();
    if (!address_.user.empty()) add_greeting({"AUTH", address_.user, address_.password});
    else if (!address_.password.empty()) add_greeting({"AUTH", address_.password});
    if (address_.database != 0) add_greeting({"SELECT", std::to_string(address_.database)});
    add_greeting({"CLIENT", "SETNAME", options_.client_name});
    write(0);
    read();
  }

  void add_greeting(std::initializer_list<std::string_view> words) {
    out_ += redis::command(words);
    in_flight_.push_back({{}, [this, name = std::string(*words.begin())](std::error_code error, const Value& reply) {
                            if (!error) on_greeting_reply(name, reply);
                          }});
  }

  void on_greeting_reply(const std::string& name, const Value& reply) {
    const bool last = name == "CLIENT";  // optional: Redis may forbid it, or not know it
    const bool forbidden = reply.text.starts_with("ERR") || reply.text.starts_with("NOPERM");
    if (reply.is(Value::Kind::error) && !(last && forbidden))
      return fail("Redis refuses " + name + ": " + reply.text + "; check user, password and database in its URL");
    if (!last) return;
    state_ = State::ready;
    failures_ = 0;
    set_timer(options_.ping_interval);
    owner_.on_ready(*this);
    flush();
  }

  void flush() {
    if (!ready() || writing_ || queue_.empty()) return;
    out_.clear();
    while (!queue_.empty() && out_.size() < max_write_bytes) {
      out_ += queue_.front().text;
      queue_.front().text = {};
      if (!subscribes_) in_flight_.push_back(std::move(queue_.front()));  // else values are pushed, not replies
      queue_.pop_front();
    }
    write(out_.size());
  }

  /// Writes out_. `queued`: its bytes that came from the queue, and count as queued until they are written.
  void write(std::size_t queued) {
    writing_ = true;
    asio::async_write(socket_, asio::buffer(out_), guarded([this, queued](const net::Error& error, std::size_t) {
                        writing_ = false;
                        if (error) return fail("cannot write: " + error.message());
                        queue_bytes_ -= queued;
                        flush();
                      }));
  }

  void read() {
    socket_.async_read_some(asio::buffer(in_), guarded([this](const net::Error& error, std::size_t size) {
                              if (error == asio::error::eof) return fail("Redis has closed the connection");
                              if (error) return fail("cannot read: " + error.message());
                              heard_ = true;
                              receive({in_.data(), size});
                            }));
  }

  void receive(std::string_view in) {
    Value value;
    for (const auto epoch = epoch_; epoch == epoch_;) {
      const auto progress = reader_.read(in, value);
      if (progress == Progress::more) return read();
      if (progress == Progress::malformed) return fail(std::string("malformed data: ") + reader_.why());
      on_value(value);
    }
  }

  void on_value(Value& value) {
    if (subscribes_ && ready()) return owner_.on_pushed(value);
    if (in_flight_.empty()) return fail("Redis replied to nothing");
    const Command command = std::move(in_flight_.front());
    in_flight_.pop_front();
    if (command.publish && value.is(Value::Kind::error)) {
      ++counters_.dropped;
      owner_.on_refused(value.text);
    }
    if (command.done) command.done({}, std::move(value));
  }

  /// Closes the connection, and reconnects after a delay.
  void fail(const std::string& why) {
    const bool was_ready = ready();
    const auto completions = close(State::waiting);
    const auto doubled = options_.reconnect_delay.count() << (std::min)(failures_, 16u);
    ++failures_;
    const auto longest = (std::min)(options_.reconnect_delay_max.count(), doubled);
    std::uniform_int_distribution<std::int64_t> delay(longest / 2, longest);
    set_timer(Milliseconds(delay(server_->engine_.random)));
    owner_.on_lost(*this, why, was_ready);
    for (const Done& done : completions) done(std::make_error_code(std::errc::connection_reset), {});
  }

  /// Closes the socket. Unwritten PUBLISH commands stay queued; the completions of all other commands are returned.
  std::vector<Done> close(State next) {
    ++epoch_;
    state_ = next;
    net::Error ignored;
    socket_.close(ignored);
    queue_bytes_ = 0;
    std::vector<Done> completions;
    for (auto& command : std::exchange(in_flight_, {})) {
      if (next == State::waiting) counters_.dropped += command.publish;
      if (command.done) completions.push_back(std::move(command.done));
    }
    for (auto& command : std::exchange(queue_, {})) {
      if (command.done) completions.push_back(std::move(command.done));
      if (!command.publish) continue;
      queue_bytes_ += command.text.size();
      queue_.push_back(std::move(command));
    }
    return completions;
  }

  Server* server_;  // null once stopped
  const Address address_;
  const Options options_;
  Counters& counters_;
  Owner& owner_;
  const bool subscribes_;
  net::TcpSocket socket_;
  asio::ip::basic_resolver<asio::ip::tcp, net::Executor> resolver_;
  State state_ = State::waiting;
  std::uint64_t epoch_ = 0;        // incremented by start() and close(), so that late handlers have no effect
  std::uint32_t failures_ = 0;     // in a row
  std::deque<Command> queue_;      // not written yet
  std::deque<Command> in_flight_;  // written, without a reply
  std::size_t queue_bytes_ = 0;
  std::string out_;
  bool writing_ = false, flush_posted_ = false, heard_ = false, ping_pending_ = false;
  std::array<char, 16 * 1024> in_{};
  Reader reader_{0};
};

// ---- shared by the namespaces of a server

/// The bus's interface to a namespace's adapter.
class Subscriber {
 public:
  explicit Subscriber(Channels its) : channels(std::move(its)) {}

  virtual void on_message(std::string_view channel, const Value& message) = 0;
  /// A connection is ready, or the request channel is subscribed.
  virtual void on_ready() = 0;

  const Channels channels;
  bool subscribed = false;  // to the request channel, so that Redis counts this server

 protected:
  ~Subscriber() = default;
};

/// Throws std::invalid_argument for a time below `least` or above a day. `what` begins the error text.
SIO_DEMO_INLINE void check_times(std::initializer_list<Milliseconds> times, Milliseconds least, const char* what) {
  for (const auto time : times)
    if (time < least || time > std::chrono::hours(24))
      throw std::invalid_argument(std::string(what) + " must be from " + std::to_string(least.count()) +
                                  " ms to a day");
}

/// Publishes and receives the messages of a server's namespaces.
class Bus final : public Client, private Link::Owner {
 public:
  Bus(Address address, Options options) : Client(std::move(options)), address_(std::move(address)) {
    check_times({options_.requests_timeout, options_.connect_timeout, options_.ping_interval, options_.reconnect_delay,
                 options_.reconnect_delay_max},
                Milliseconds(1), "redis::Options: each time");
  }

  std::size_t queued() const override { return commands_ ? commands_->queued() : 0; }

  void command(std::initializer_list<std::string_view> words, Done done) override {
    const auto error = std::make_error_code(std::errc::not_connected);
    if (!server_) return done(error, {});
    if (!usable()) return server_->post([done = std::move(done), error] { done(error, {}); });
    const Log& log = server_->log();
    commands_->send({redis::command(words), [done = std::move(done), &log](std::error_code failure, Value reply) {
                       log.later([=, &log] {
                         log.call({"A handler threw", "event", "redis command"}, [&] { done(failure, reply); });
                       });
                     }});
  }

  /// Whether commands can be sent.
  bool usable() const { return commands_ && commands_->ready(); }

  void publish(std::string_view channel, std::string_view message) {
    if (commands_) commands_->publish(redis::command({"PUBLISH", channel, message}));
  }

  void attach(Subscriber& subscriber, Server& server) {
    if (server_ && server_ != &server)
      throw std::invalid_argument(
          "redis::adapter: this one is another server's (call redis::adapter once for each server)");
    if (server.closing()) return;
    subscribers_.push_back(&subscriber);
    const Channels& channels = subscriber.channels;
    for (const auto* name : {&channels.pattern, &channels.request, &channels.response, &channels.own})
      routes_.insert_or_assign(*name, &subscriber);
    if (!server_) start(server);
    else if (subscriptions_->ready()) subscribe(subscriber);
  }

  void detach(Subscriber& subscriber) {
    if (std::erase(subscribers_, &subscriber) == 0) return;
    const auto leave = [&](const char* command, const std::string& name) {
      const auto found = routes_.find(name);
      if (found == routes_.end() || found->second != &subscriber) return;  // a later adapter of the namespace has it
      routes_.erase(found);
      if (subscriptions_->ready()) subscriptions_->send({redis::command({command, name})});
    };
    leave("UNSUBSCRIBE", subscriber.channels.request);  // first, as Redis counts this server by it
    leave("UNSUBSCRIBE", subscriber.channels.response);
    leave("UNSUBSCRIBE", subscriber.channels.own);
    leave("PUNSUBSCRIBE", subscriber.channels.pattern);
    if (subscribers_.empty()) stop();
  }

  void count_malformed(std::string_view channel) {
    ++counters_.malformed;
    if (may_log(logged_malformed_))
      server_->log().write(LogLevel::warn, "Redis: a malformed message was ignored", {{"channel", channel}});
  }
  void log_refusal(std::string_view what, std::string_view error) {
    const char* advice =
        error.starts_with("NOPERM") ? "; allow the user these commands, channels and keys (ACL SETUSER)" : "";
    if (may_log(logged_refusal_))
      server_->log().write(LogLevel::error, "Redis refuses " + std::string(what),
                           {{"address", address_.text()}, {"reason", std::string(error) + advice}});
  }

  void set_deadline(engineio::Timed& timed, Milliseconds delay) {
    if (server_) server_->in_turn([&] { server_->engine_.deadlines.set(timed, server_->engine_.now() + delay); });
  }
  void clear_deadline(engineio::Timed& timed) {
    if (server_) server_->engine_.deadlines.forget(timed);
  }
  std::string make_id() { return random_.id().substr(0, 6); }

 private:
  friend class Lease;

  void start(Server& server) {
    server_ = &server;
    commands_ = Ref<Link>(new Link(server, address_, options_, counters_, *this, false));
    subscriptions_ = Ref<Link>(new Link(server, address_, options_, counters_, *this, true));
    subscriptions_->start();
    commands_->start();
  }

  void stop() {
    const auto commands = std::exchange(commands_, {}), subscriptions = std::exchange(subscriptions_, {});
    connected_ = false;
    for (Lease* lease : leases_) clear_deadline(*lease);  // a lease may be destroyed after the server
    server_ = nullptr;
    subscriptions->stop();
    commands->stop();  // last, because it calls completions, which may start the bus again
  }

  /// The request channel comes last: from then on, other servers expect responses from this one.
  void subscribe(const Subscriber& subscriber) {
    const Channels& channels = subscriber.channels;
    subscriptions_->send({redis::command({"PSUBSCRIBE", channels.pattern}) +
                          redis::command({"SUBSCRIBE", channels.own, channels.response, channels.request})});
  }

  void on_ready(const Link& link) override {
    const bool subscribes = &link == subscriptions_.get();
    for (const Subscriber* one : subscribers_)
      if (subscribes) subscribe(*one);
    if (!connected_ && commands_->ready() && subscriptions_->ready()) {
      connected_ = true;
      const bool again = std::exchange(ever_connected_, true);
      if (again) ++counters_.reconnects;
      server_->log().write(LogLevel::info, again ? "Redis: connected again" : "Redis: connected",
                           {{"address", address_.text()}, {"queued", queued()}});
      for (Lease* lease : leases_) lease->renew();
    }
    for (Subscriber* one : subscribers_) one->on_ready();
  }

  void on_lost(const Link& link, std::string_view why, bool was_ready) override {
    connected_ = false;
    for (Subscriber* one : subscribers_) one->subscribed = one->subscribed && &link != subscriptions_.get();
    const char* message = was_ready
                              ? "Redis: connection lost. Clients of this server go on; other servers are not reached"
                              : "Redis: not reached. Clients of this server go on without the others";
    if (may_log(logged_outage_))
      server_->log().write(LogLevel::warn, message, {{"address", address_.text()}, {"reason", why}});
  }

  void on_refused(std::string_view error) override { log_refusal("a message for the other servers", error); }

  /// Whether a line of one kind may be logged: at most one per second.
  bool may_log(engineio::Time& last) const {
    const auto now = server_->engine_.now();
    if (now - last < Seconds(1)) return false;
    last = now;
    return true;
  }

  /// The list is {message, channel, text}, {pmessage, pattern, channel, text} or {subscribe, channel, count}.
  void on_pushed(const Value& value) override {
    const auto text = [&](std::size_t i) {
      return i < value.list.size() ? std::string_view(value.list[i].text) : std::string_view();
    };
    if (value.is(Value::Kind::error)) return log_refusal("a subscription", value.text);
    const auto found = routes_.find(text(1));
    if (found == routes_.end()) return;
    Subscriber& subscriber = *found->second;
    if (text(0) == "subscribe" && text(1) == subscriber.channels.request) {
      subscriber.subscribed = true;
      return subscriber.on_ready();
    }
    const bool by_pattern = text(0) == "pmessage" && value.list.size() == 4;
    if (!by_pattern && (text(0) != "message" || value.list.size() != 3)) return;
    ++counters_.received;
    subscriber.on_message(text(by_pattern ? 2 : 1), value.list.back());
  }

  const Address address_;
  Server* server_ = nullptr;  // while there are connections
  Ref<Link> commands_, subscriptions_;
  std::vector<Subscriber*> subscribers_;
  std::vector<Lease*> leases_;
  StringMap<Subscriber*> routes_;  // by channel and pattern
  bool ever_connected_ = false;
  engineio::Time logged_outage_{}, logged_malformed_{}, logged_refusal_{};
  bytes::Random random_;
};

/// A namespace's adapter. Its base class performs each operation on this server; this class also sends it to the
/// others.
class Adapter final : public sio_demo::Adapter, public Subscriber {
  using Base = sio_demo::Adapter;

 public:
  Adapter(Namespace& nsp, std::shared_ptr<Bus> bus)
      : Base(nsp),
        Subscriber(Channels(bus->options().key, nsp.name(), bus->make_id())),
        bus_(std::move(bus)),
        ended_(nsp.server().closing()) {
    bus_->attach(*this, nsp.server());
  }
  ~Adapter() override { close(); }

  /// Identifies this namespace of this server to the others.
  const std::string& uid() const { return channels.uid; }

  void broadcast(socketio::Writer&& event, const Target& target) override {
    if (reaches_others(target)) {
      const auto values = detail::values_of(event);
      const std::string room = target.rooms.size() == 1 ? target.rooms.front() + '#' : "";
      if (!values.empty()) bus_->publish(channels.broadcast + room, encode(Event{uid(), nsp_.name(), values, target}));
    }
    Base::broadcast(std::move(event), target);
  }

  void broadcast_with_ack(socketio::Writer&& event, const Target& target,
                          const std::shared_ptr<AckWait>& wait) override {
    if (!reaches_others(target)) return Base::broadcast_with_ack(std::move(event), target, wait);
    Request request{.type = Type::broadcast,
                    .target = target,
                    .nsp = nsp_.name(),
                    .values = detail::values_of(event),
                    .timeout = wait->limit()};
    wait->expect(1);  // until `finish`, so that the wait does not complete before all servers have responded
    const auto add = [wait](PendingRequest& pending, const json& response) {
      const auto count = is(response, Type::client_count) ? number_field(response, "clientCount") : std::nullopt;
      if (count) pending.acks_missing += (std::min)(*count, std::uint64_t{1} << 32);
      if (is(response, Type::ack) && pending.acks_missing > 0) {
        --pending.acks_missing;
        const json* value = field(response, "packet");
        wait->expect(1);
        wait->answer(socketio::Arguments(value ? json::array_t{*value} : json::array_t()));
      }
      return count.has_value();
    };
    const auto finish = [wait](std::error_code error) {
      const bool canceled = error == std::errc::operation_canceled;
      if (canceled || (error && wait->limit())) wait->finish(error);
      else wait->lost(error);  // without a limit, clients of this server may still send acks
    };
    send_request(std::move(request), add, finish, wait->limit());
    Base::broadcast_with_ack(std::move(event), target, wait);
  }

  void fetch_sockets(const Target& target,
                     std::function<void(std::error_code, std::vector<RemoteSocket>)> done) override {
    if (!reaches_others(target)) return Base::fetch_sockets(target, std::move(done));
    const auto all = std::make_shared<std::vector<RemoteSocket>>(sockets_here(target));
    const auto add = [this, all](PendingRequest&, const json& response) {
      const json* sockets = field(response, "sockets");
      if (!sockets || !sockets->is_array()) bus_->count_malformed(channels.response);
      else
        for (const json& socket : *sockets)
          if (!add_socket(socket, *all)) bus_->count_malformed(channels.response);
      return true;
    };
    send_request({.type = Type::fetch, .target = target}, add,
                 [all, done = std::move(done)](std::error_code error) { done(error, std::move(*all)); });
  }

  void all_rooms(std::function<void(std::error_code, std::vector<std::string>)> done) override {
    if (ended_) return Base::all_rooms(std::move(done));
    const auto here = rooms();
    const auto all = std::make_shared<std::set<std::string>>(here.begin(), here.end());
    const auto add = [this, all](PendingRequest&, const json& response) {
      std::vector<std::string> rooms;
      if (!read_rooms(response, "rooms", rooms)) bus_->count_malformed(channels.response);
      else all->insert(rooms.begin(), rooms.end());
      return true;
    };
    send_request({.type = Type::all_rooms}, add,
                 [all, done = std::move(done)](std::error_code error) { done(error, {all->begin(), all->end()}); });
  }

  /// This server acts at once, and ignores its own request when Redis delivers it. (The official server acts on
  /// delivery, so not at all during an outage of Redis.)
  void sockets_join(const Target& target, const std::vector<std::string>& rooms) override {
    if (reaches_others(target)) publish({.type = Type::join, .target = target, .rooms = rooms});
    Base::sockets_join(target, rooms);
  }
  void sockets_leave(const Target& target, const std::vector<std::string>& rooms) override {
    if (reaches_others(target)) publish({.type = Type::leave, .target = target, .rooms = rooms});
    Base::sockets_leave(target, rooms);
  }
  void disconnect_sockets(const Target& target, bool close) override {
    if (reaches_others(target)) publish({.type = Type::disconnect, .target = target, .close = close});
    Base::disconnect_sockets(target, close);
  }

  /// Refuses the event names that would crash official servers: passes invalid_argument to `done`, or throws
  /// std::invalid_argument if there is no `done`.
  void server_side_emit(json::array_t event, std::function<void(std::error_code, json::array_t)> done) override {
    const std::string name = event.empty() || !event.front().is_string() ? "" : event.front().get<std::string>();
    if (name == "connect" || name == "connection" || name == "new_namespace" || name == "error") {
      if (done) return done(std::make_error_code(std::errc::invalid_argument), {});
      throw std::invalid_argument("server_side_emit: \"" + name +
                                  "\" is an event of the official server's own, choose another name");
    }
    if (ended_) return Base::server_side_emit(std::move(event), std::move(done));
    Request request{.type = Type::server_side_emit, .values = std::move(event)};
    if (!done) return publish(std::move(request));
    const auto all = std::make_shared<json::array_t>();
    const auto add = [all](PendingRequest&, const json& response) {
      const json* data = field(response, "data");
      all->push_back(data ? *data : json());
      return true;
    };
    send_request(std::move(request), add,
                 [all, done = std::move(done)](std::error_code error) { done(error, std::move(*all)); });
  }

  void server_count(std::function<void(std::error_code, std::size_t)> done) override {
    bus_->command({"PUBSUB", "NUMSUB", channels.request},
                  [done = std::move(done)](std::error_code error, const Value& reply) {
                    const auto count = count_of(reply);
                    if (!error && !count) error = std::make_error_code(std::errc::permission_denied);
                    done(error, static_cast<std::size_t>((std::max)(count.value_or(1), std::uint64_t{1})));
                  });
  }

  /// A socket handle may keep the adapter alive after the server; its operations are then limited to this server.
  void close() override {
    if (std::exchange(ended_, true)) return;
    while (!pending_.empty())
      finish_request(pending_.begin()->first, std::make_error_code(std::errc::operation_canceled));
    bus_->detach(*this);
  }

  SIO_DEMO_INLINE void measure(Metrics& out) const override;

  // ---- called by the bus
  void on_message(std::string_view channel, const Value& message) override {
    if (!message.is(Value::Kind::text) || !on_text(channel, message.text)) bus_->count_malformed(channel);
  }
  void on_ready() override {
    for (const auto& [id, pending] : pending_) count_servers(*pending);
  }

 private:
  /// A request that waits for the responses of the other servers, until its deadline.
  struct PendingRequest final : engineio::Timed {
    using Add = std::function<bool(PendingRequest&, const json&)>;  // true: the response of its server is complete
    using Finish = std::function<void(std::error_code)>;            // with an error if responses are missing

    PendingRequest(Adapter& its_adapter, Request its_request, Add its_add, Finish its_finish)
        : adapter(its_adapter),
          request(std::move(its_request)),
          add(std::move(its_add)),
          finish(std::move(its_finish)) {}
    void tick(engineio::Time) override {
      adapter.finish_request(std::string(request.id), std::make_error_code(std::errc::timed_out));
    }
    bool complete() const { return others && responses >= *others && acks_missing == 0; }

    Adapter& adapter;
    Request request;
    Add add;
    Finish finish;
    std::optional<std::uint64_t> others{};  // how many servers must respond; nullopt until Redis has counted them
    std::uint64_t responses = 0, acks_missing = 0;  // responses received; acks that their clients still owe
    bool counting = false, published = false;
  };

  /// Forwards the acks of this server's clients to the requesting server.
  class Forward final : public AckWait {
   public:
    Forward(Server& server, std::shared_ptr<Bus> bus, std::string channel, std::string id)
        : AckWait(server), bus_(std::move(bus)), channel_(std::move(channel)), id_(std::move(id)) {}

   private:
    bool take(const socketio::Arguments& arguments) override {
      json fields{{"type", Type::ack}, {"requestId", id_}};
      const auto values = arguments.values();  // a value that json cannot represent is null
      if (!values.empty()) fields["packet"] = values.front();
      bus_->publish(channel_, to_msgpack(fields));
      return true;
    }
    void complete(std::error_code) override {}

    std::shared_ptr<Bus> bus_;
    std::string channel_, id_;
  };

  bool reaches_others(const Target& target) const { return !target.local && !ended_; }

  void publish(Request request) {
    request.uid = uid();
    bus_->publish(channels.request, encode(request));
  }

  // ---- requests to the other servers
  void send_request(Request request, PendingRequest::Add add, PendingRequest::Finish finish,
                    std::optional<Milliseconds> limit = std::nullopt) {
    request.uid = uid();
    do request.id = bus_->make_id();
    while (pending_.contains(request.id));
    auto& pending = pending_[request.id];
    pending = std::make_unique<PendingRequest>(*this, std::move(request), std::move(add), std::move(finish));
    bus_->set_deadline(*pending, limit.value_or(bus_->options().requests_timeout));
    count_servers(*pending);
  }

  /// Counts the other servers by Redis, then publishes the request if there are any. A broadcast is published at once.
  void count_servers(PendingRequest& pending) {
    if (!subscribed || !bus_->usable() || pending.counting || pending.others) return;
    if (pending.request.type == Type::broadcast) publish_once(pending);
    pending.counting = true;
    bus_->command({"PUBSUB", "NUMSUB", channels.request},
                  [this, alive = std::weak_ptr<void>(alive_), id = pending.request.id](std::error_code error,
                                                                                       const Value& reply) {
                    if (!alive.expired()) on_count(id, error, reply);
                  });
  }
  void publish_once(PendingRequest& pending) {
    if (!std::exchange(pending.published, true)) bus_->publish(channels.request, encode(pending.request));
  }

  /// The subscribers of the request channel in a reply to PUBSUB NUMSUB: the channel, and their number.
  static std::optional<std::uint64_t> count_of(const Value& reply) {
    if (reply.list.size() != 2 || !reply.list[1].is(Value::Kind::integer) || reply.list[1].number < 0)
      return std::nullopt;
    return static_cast<std::uint64_t>(reply.list[1].number);
  }

  void on_count(const std::string& id, std::error_code error, const Value& reply) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;
    PendingRequest& pending = *found->second;
    pending.counting = false;
    if (error) return;  // on_ready() tries again
    const auto count = count_of(reply);
    if (!count) return finish_request(id, std::make_error_code(std::errc::permission_denied));
    pending.others = *count > 0 ? *count - 1 : 0;
    if (pending.complete()) finish_request(id, {});
    else publish_once(pending);
  }

  bool on_response(std::string_view text) {
    const auto response = decode_response(text);
    if (!response) return false;
    const std::string id = text_field(*response, "requestId");
    const auto found = pending_.find(id);
    if (found == pending_.end()) return true;  // too late, or for another server
    PendingRequest& pending = *found->second;
    if (pending.add(pending, *response)) ++pending.responses;
    if (pending.complete()) finish_request(id, {});
    return true;
  }

  void finish_request(const std::string& id, std::error_code error) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;
    const auto pending = std::move(found->second);
    pending_.erase(found);
    bus_->clear_deadline(*pending);
    pending->finish(error);
  }

  // ---- messages of other servers. false: the message is malformed
  bool on_text(std::string_view channel, std::string_view text) {
    if (channel == channels.request) return on_request(text);
    if (channel == channels.response || channel == channels.own) return on_response(text);
    return on_broadcast(channel, text);
  }

  bool on_broadcast(std::string_view channel, std::string_view text) {
    if (!channel.starts_with(channels.broadcast)) return true;
    auto room = channel.substr(channels.broadcast.size());
    if (room.ends_with('#')) room.remove_suffix(1);
    if (!room.empty() && room_size(room) == 0) return true;  // no client here is in the room
    const auto event = decode_event(text);
    if (event && event->uid != uid() && event->nsp == nsp_.name())
      Base::broadcast(detail::writer_of(event->values), event->target);
    return event.has_value();
  }

  bool on_request(std::string_view text) {
    const auto request = decode_request(text);
    if (request && request->uid != uid())
      nsp_.server().log().call({"A handler threw", "event", "redis request", "", nsp_.name()},
                               [&] { serve(*request); });
    return request.has_value();
  }

  void serve(const Request& request) {
    switch (request.type) {
      case Type::all_rooms: return respond(request, {{"requestId", request.id}, {"rooms", rooms()}});
      case Type::join: return Base::sockets_join(request.target, request.rooms);
      case Type::leave: return Base::sockets_leave(request.target, request.rooms);
      case Type::disconnect: return Base::disconnect_sockets(request.target, request.close);
      case Type::fetch: {
        json all = json::array();
        for (const auto& socket : sockets_here(request.target))
          all.push_back(
              {{"id", socket.id}, {"handshake", socket.handshake}, {"rooms", socket.rooms}, {"data", socket.data}});
        return respond(request, {{"requestId", request.id}, {"sockets", std::move(all)}});
      }
      case Type::server_side_emit: return serve_emit(request);
      case Type::broadcast: return serve_broadcast(request);
      default: return;
    }
  }

  /// The response always goes to the channel of all servers, as the official server's does.
  void serve_emit(const Request& request) {
    if (!request.wants_response()) return nsp_.server_side_event(request.values, nullptr);
    const auto done = std::make_shared<bool>(false);
    nsp_.server_side_event(request.values, [bus = std::weak_ptr<Bus>(bus_), channel = channels.response,
                                            id = request.id, done](json value) {
      const auto to = bus.lock();
      if (!to || std::exchange(*done, true)) return;
      to->publish(channel, to_text({{"type", Type::server_side_emit}, {"requestId", id}, {"data", std::move(value)}}));
    });
  }

  /// The wait for acks always has a time limit, so that clients that never send one cannot fill the memory.
  void serve_broadcast(const Request& request) {
    if (request.nsp != nsp_.name()) return;
    const auto wait = std::make_shared<Forward>(nsp_.server(), bus_, response_channel(request), request.id);
    wait->arm(request.timeout.value_or(bus_->options().requests_timeout));
    Base::broadcast_with_ack(detail::writer_of(request.values), request.target, wait);
    respond(request, {{"type", Type::client_count}, {"requestId", request.id}, {"clientCount", wait->missing()}});
  }

  std::string response_channel(const Request& request) const {
    const bool specific = bus_->options().publish_on_specific_response_channel && !request.uid.empty();
    return specific ? channels.response + request.uid + '#' : channels.response;
  }
  void respond(const Request& request, const json& fields) {
    bus_->publish(response_channel(request), to_text(fields));
  }

  bool add_socket(const json& socket, std::vector<RemoteSocket>& out) {
    const json none = json::object(), *handshake = field(socket, "handshake"), *data = field(socket, "data");
    std::vector<std::string> rooms;
    std::string id = text_field(socket, "id");
    if (id.empty() || !read_rooms(socket, "rooms", rooms)) return false;
    out.emplace_back(nsp_, std::move(id), handshake ? *handshake : none, std::move(rooms), data ? *data : none);
    return true;
  }

  std::vector<RemoteSocket> sockets_here(const Target& target) {
    std::vector<RemoteSocket> out;
    Base::fetch_sockets(target, [&](std::error_code, std::vector<RemoteSocket> all) { out = std::move(all); });
    return out;
  }

  std::shared_ptr<Bus> bus_;
  StringMap<std::unique_ptr<PendingRequest>> pending_;  // by request id
  std::shared_ptr<void> alive_ = std::make_shared<char>();
  bool ended_;  // closed, or the server is closing
};

// ---- Lease

SIO_DEMO_INLINE Lease::Lease(Factory factory, std::string key, Milliseconds duration)
    : factory_(std::move(factory)), key_(std::move(key)), duration_(duration) {
  check_times({duration}, Milliseconds(30), "redis::Lease: its duration");
  factory_.bus_->leases_.push_back(this);
}
SIO_DEMO_INLINE Lease::~Lease() {
  std::erase(factory_.bus_->leases_, this);
  factory_.bus_->clear_deadline(*this);
}

SIO_DEMO_INLINE void Lease::start() {
  released_ = false;
  factory_.bus_->set_deadline(*this, duration_ / 3);
  renew();
}

SIO_DEMO_INLINE Lease::State Lease::state() const {
  const Bus& bus = *factory_.bus_;
  if (!bus.connected() || refused_) return State::alone;
  const bool held = std::chrono::steady_clock::now() < until_ && bus.counters().reconnects == reconnects_;
  return held ? State::held : State::elsewhere;
}

SIO_DEMO_INLINE void Lease::tick(engineio::Time) {
  if (released_) return;
  start();
  // While connected, the state is unknown until the first reply.
  if (notified_ || !factory_.bus_->connected()) notify();
}

/// This server counts `duration_` from before the script is sent, Redis from when it runs, so the lease ends here
/// first.
SIO_DEMO_INLINE void Lease::renew() {
  Bus& bus = *factory_.bus_;
  if (released_ || !bus.connected() || std::exchange(renewing_, true)) return;
  const auto done = [this, alive = std::weak_ptr<void>(alive_), until = std::chrono::steady_clock::now() + duration_,
                     reconnects = bus.counters().reconnects](std::error_code error, const Value& reply) {
    if (alive.expired()) return;
    renewing_ = false;
    if (error || released_) return;
    const bool was_refused = std::exchange(refused_, reply.is(Value::Kind::error));
    if (refused_ && !was_refused) factory_.bus_->log_refusal("the lease of " + key_, reply.text);
    const bool ours = reply.is(Value::Kind::integer) && reply.number == 1;
    until_ = ours ? until : engineio::Time{};
    reconnects_ = reconnects;
    notify();
  };
  constexpr const char* take =
      "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end "
      "return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0";
  bus.command({"EVAL", take, "1", key_, id_, std::to_string(duration_.count())}, done);
}

SIO_DEMO_INLINE void Lease::notify() {
  const State now = state();
  if (notified_ == now || !changed_) return;
  notified_ = now;
  const Log& log = factory_.bus_->server_->log();
  log.later(
      [&log, tell = changed_, now] { log.call({"A handler threw", "event", "redis lease"}, [&] { tell(now); }); });
}

SIO_DEMO_INLINE void Lease::release() {
  Bus& bus = *factory_.bus_;
  if (std::exchange(released_, true) || !bus.connected()) return;
  until_ = {};
  renewing_ = false;
  alive_ = std::make_shared<char>();  // so that the reply to a pending renewal is ignored
  constexpr const char* give_back = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0";
  bus.command({"EVAL", give_back, "1", key_, id_}, [](std::error_code, const Value&) {});
}

// ---- Factory

SIO_DEMO_INLINE Client& Factory::cluster() const { return *bus_; }
SIO_DEMO_INLINE std::unique_ptr<sio_demo::Adapter> Factory::operator()(Namespace& nsp) const {
  return std::make_unique<Adapter>(nsp, bus_);
}
SIO_DEMO_INLINE Factory adapter(std::string_view url, Options options) {
  return Factory(std::make_shared<Bus>(parse_url(url), std::move(options)));
}

#endif  // SIO_DEMO_BODIES

}  // namespace redis

// ================================================================================================
// 12  Metrics and trace
//
// The server's counters and gauges, in the text format of Prometheus (exposition format 0.0.4).
//
//     io.http().get("/metrics", sio::metrics(io));
//
//     # HELP sio_sessions Open sessions, by transport
//     # TYPE sio_sessions gauge
//     sio_sessions{transport="polling"} 3
//     sio_sessions{transport="websocket"} 128
//
// Counting is one addition per event; the text is made at each request. Clients cannot add lines to it: the
// reasons and transports are fixed, and all namespaces made by of(predicate) share one row. It has no
// addresses and no ids.
//
// The trace shows each packet with an explanation, for people who learn or teach the protocol:
//
//     options.trace = [](const sio::TraceRecord& record) { std::puts(sio::trace_line(record, true).c_str()); };
//
//     06:30:13.042 k3J9xQ2m C> websocket 42/demo,7["ping"]   17 B  message · EVENT /demo ack 7 ["ping"]  The client ...
//
// A record is made only if Options::trace is set. The texts are in tables, by packet type and direction.
// ================================================================================================

/// A route that responds with a server's metrics. The server must outlive it; the server's own routes do not outlive
/// it.
http::Router::Handler metrics(const Host& server);

/// Writes metrics as text. Names and label names must be valid; label values are escaped.
class Metrics {
 public:
  enum class Kind : std::uint8_t { counter, gauge };

  /// Begins a metric; its values follow.
  Metrics& begin(std::string_view name, Kind kind, std::string_view help) {
    name_ = name;
    text_ += "# HELP ", text_ += name, text_ += ' ', text_ += help;
    text_ += "\n# TYPE ", text_ += name, text_ += kind == Kind::counter ? " counter\n" : " gauge\n";
    return *this;
  }
  template <class Number>
  Metrics& value(Number number) {
    text_ += name_;
    return end(number);
  }
  template <class Number>
  Metrics& value(std::string_view label, std::string_view label_value, Number number) {
    const bytes::Utf8Text readable(label_value);
    text_ += name_, text_ += '{', text_ += label, text_ += "=\"";
    for (const char c : readable.view()) {
      if (c == '\n') text_ += "\\n";
      else if (c == '"' || c == '\\') text_ += '\\', text_ += c;
      else text_ += c;
    }
    text_ += "\"}";
    return end(number);
  }
  const std::string& text() const { return text_; }

 private:
  template <class Number>
  Metrics& end(Number number) {
    text_ += ' ';
    if constexpr (std::is_integral_v<Number>) bytes::append_integer(text_, number);
    else bytes::append_number(text_, number);
    return text_ += '\n', *this;
  }

  std::string text_, name_;
};

#if SIO_DEMO_BODIES
SIO_DEMO_INLINE void Host::measure(Metrics& out) const {
  using Kind = Metrics::Kind;
  const Counters& c = counters_;
  const HandlerTimes& handlers = log_->handlers();
  out.begin("sio_sessions", Kind::gauge, "Open sessions, by transport")
      .value("transport", "polling", engine_.size() - c.websocket_sessions)
      .value("transport", "websocket", c.websocket_sessions);
  out.begin("sio_connections", Kind::gauge, "Open TCP connections").value(c.connections_opened - c.connections_closed);
  out.begin("sio_deadlines", Kind::gauge, "Pending deadlines").value(engine_.deadlines.size());
  out.begin("sio_queue_bytes", Kind::gauge, "Bytes queued for clients").value(c.queue_bytes);
  const struct {
    const char *name, *help;
    std::uint64_t value;
  } counters[] = {
      {"sio_connections_total", "TCP connections accepted", c.connections_opened},
      {"sio_requests_total", "HTTP requests read", c.requests},
      {"sio_sessions_opened_total", "Sessions opened", c.sessions_opened},
      {"sio_sessions_closed_total", "Sessions closed", c.sessions_closed},
      {"sio_packets_received_total", "Engine.IO packets, and messages of WebSocket routes, received",
       c.packets_received},
      {"sio_packets_sent_total", "Engine.IO packets, and messages of WebSocket routes, queued for sending",
       c.packets_sent},
      {"sio_bytes_received_total", "Bytes read from clients", c.bytes_received},
      {"sio_bytes_sent_total", "Bytes written to clients", c.bytes_sent},
      {"sio_events_total", "Events received", c.events},
      {"sio_volatile_dropped_total", "Volatile events dropped because they could not be written at once",
       c.volatile_dropped},
      {"sio_handlers_total", "Calls of handlers", handlers.calls},
      {"sio_failed_handlers_total", "Handlers that threw", handlers.failed},
      {"sio_slow_handlers_total", "Handlers that took longer than slow_handler", handlers.slow},
      {"sio_log_lines_dropped_total", "Log lines that the sink lost", log_->dropped()},
  };
  for (const auto& counter : counters) out.begin(counter.name, Kind::counter, counter.help).value(counter.value);
  out.begin("sio_handler_seconds_total", Kind::counter, "Time spent in handlers")
      .value(std::chrono::duration<double>(handlers.sum).count());
  const auto by_reason = [&](bool ends) {
    for (const ReasonRow& r : reason_table)
      if (is_end(r.reason) == ends) out.value("reason", r.name, c.of(r.reason));
  };
  out.begin("sio_refusals_total", Kind::counter, "Refusals, by reason");
  by_reason(false);
  out.begin("sio_closes_total", Kind::counter,
            "Sessions closed, and sockets disconnected from an open session, by reason");
  by_reason(true);
}

SIO_DEMO_INLINE void Server::measure(Metrics& out) const {
  Host::measure(out);
  out.begin("sio_sockets", Metrics::Kind::gauge, "Connected sockets, by namespace");
  std::size_t dynamic = 0;
  for (const auto& [name, nsp] : namespaces_)
    if (nsp->parent_) dynamic += nsp->size();
    else out.value("namespace", name, nsp->size());
  if (!parents_.empty()) out.value("namespace", "(dynamic)", dynamic);
  main_->adapter().measure(out);
}

SIO_DEMO_INLINE void redis::Adapter::measure(Metrics& out) const {
  using Kind = Metrics::Kind;
  const redis::Counters& c = bus_->counters();
  out.begin("sio_redis_connected", Kind::gauge, "Whether Redis is connected").value(bus_->connected() ? 1 : 0);
  out.begin("sio_redis_queue_bytes", Kind::gauge, "Bytes queued for Redis").value(bus_->queued());
  out.begin("sio_redis_reconnects_total", Kind::counter, "Reconnects to Redis").value(c.reconnects);
  out.begin("sio_redis_published_total", Kind::counter, "Messages published to other servers").value(c.published);
  out.begin("sio_redis_dropped_total", Kind::counter, "Messages that other servers may not have received")
      .value(c.dropped);
  out.begin("sio_redis_received_total", Kind::counter, "Messages from Redis, including this server's own")
      .value(c.received);
  out.begin("sio_redis_malformed_total", Kind::counter, "Malformed messages, which are ignored").value(c.malformed);
}

SIO_DEMO_INLINE http::Router::Handler metrics(const Host& server) {
  return [&server](const http::Request&) {
    Metrics out;
    server.measure(out);
    return http::Response{200, "text/plain; version=0.0.4; charset=utf-8", out.text(), {}};
  };
}
#endif  // SIO_DEMO_BODIES

// ---- Explanations of trace records

/// The explanation of one trace record.
struct Explanation {
  std::string layers;        // the decoded text, by protocol layer: message · EVENT /demo ack 7 ["ping"]
  std::string sentence;      // its purpose
  std::string_view chapter;  // the chapters of this header that implement it: "6", "6 and 7"
  std::string_view section;  // the section of the protocol's specification: "Engine.IO 4, Heartbeat"
};

/// Explains a record, whose bytes may be invalid. The result's views are into static tables.
Explanation explain(const TraceRecord& record);

/// A record as one line for a terminal, in aligned columns, without a line end. A client's text is shortened, and shown
/// without control characters; its size is shown in bytes. `colour`: with ANSI escape sequences.
///
///     06:30:13.042 k3J9xQ2m C> websocket 42/demo,7["ping"]      17 B message · EVENT /demo ack 7 ["ping"] ...
std::string trace_line(const TraceRecord& record, bool colour = false);

#if SIO_DEMO_BODIES
namespace detail {

/// The explanation of an Engine.IO packet, by type, direction and payload.
struct PacketRow {
  char type;
  bool incoming;
  std::string_view payload;  // a prefix of it
  std::string_view name, section, sentence;
};
inline constexpr std::array packet_rows{
    PacketRow{'0', false, "", "open", "Engine.IO 4, Handshake",
              "The session begins: its id, whether it may upgrade, when pings come, how large a message may be."},
    PacketRow{'1', false, "", "close", "Engine.IO 4, Upgrade",
              "Releases the held poll: nothing more comes over polling."},
    PacketRow{'1', true, "", "close", "Engine.IO 4, Protocol", "The client ends the session."},
    PacketRow{'2', false, "", "ping", "Engine.IO 4, Heartbeat",
              "Is the client there? Without an answer within pingTimeout the session ends."},
    PacketRow{'2', true, "probe", "ping", "Engine.IO 4, Upgrade",
              "The client asks over the new WebSocket whether it works; polling goes on meanwhile."},
    PacketRow{'2', true, "", "ping", "Engine.IO 4, Heartbeat",
              "A client's ping is of protocol 3; in 4 the server pings, so the session ends."},
    PacketRow{'3', false, "probe", "pong", "Engine.IO 4, Upgrade",
              "The WebSocket works. What poll is held will be released, and then the client may upgrade."},
    PacketRow{'3', true, "", "pong", "Engine.IO 4, Heartbeat",
              "The client is there; the next ping comes after pingInterval."},
    PacketRow{'5', true, "", "upgrade", "Engine.IO 4, Upgrade",
              "The client gives up polling: from now on all packets travel over the WebSocket."},
    PacketRow{'6', false, "", "noop", "Engine.IO 4, Upgrade",
              "Says nothing: it releases the held poll, so that the client can upgrade."},
};

struct RequestRow {
  std::string_view method;
  bool websocket, has_session;
  std::string_view layers, section, sentence;
};
inline constexpr std::array request_rows{
    RequestRow{"GET", false, false, "handshake", "Engine.IO 4, Handshake",
               "A client opens a session over HTTP long-polling."},
    RequestRow{"GET", true, false, "handshake", "Engine.IO 4, Handshake",
               "A client opens a session over WebSocket, without polling before."},
    RequestRow{"GET", false, true, "poll", "Engine.IO 4, HTTP long-polling",
               "The client asks for packets; the server holds the request until it has one."},
    RequestRow{"GET", true, true, "upgrade", "Engine.IO 4, Upgrade",
               "A WebSocket for a session that began over polling; it has to prove itself first."},
    RequestRow{"POST", false, true, "packets", "Engine.IO 4, HTTP long-polling",
               "The client sends packets, in the request's body."},
    RequestRow{"OPTIONS", false, false, "preflight", "Fetch, CORS",
               "A browser asks whether a page of another origin may do this."},
    RequestRow{"OPTIONS", false, true, "preflight", "Fetch, CORS",
               "A browser asks whether a page of another origin may do this."},
};

struct StepRow {
  std::string_view to, section, sentence;
};
inline constexpr std::array step_rows{
    StepRow{"probing", "Engine.IO 4, Upgrade",
            "A WebSocket has come for the session. It is on trial, and polling goes on."},
    StepRow{"probed", "Engine.IO 4, Upgrade",
            "The probe is answered. Held polls are released, so that none is on its way when the client upgrades."},
    StepRow{"websocket", "Engine.IO 4, Upgrade",
            "The upgrade is done: what was queued for polling follows over the WebSocket."},
    StepRow{"polling", "Engine.IO 4, Upgrade", "The upgrade has failed, and no harm is done: polling goes on."},
    StepRow{"lingering", "Engine.IO 4, Protocol",
            "The server has ended the session; the client learns it from its next poll."},
};

inline constexpr std::array<std::string_view, 7> packet_names{"CONNECT",       "DISCONNECT",   "EVENT",     "ACK",
                                                              "CONNECT_ERROR", "BINARY_EVENT", "BINARY_ACK"};

SIO_DEMO_INLINE std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// A client's text for a terminal: at most `most` characters, with control characters replaced.
SIO_DEMO_INLINE std::string shown(std::string_view text, std::size_t most) {
  std::string out;
  const bytes::Utf8Text readable(text.substr(0, 4 * most + 4));
  std::size_t characters = 0;
  for (const char c : readable.view()) {
    characters += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    if (characters > most) return out + "...";
    out += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? '.' : c;
  }
  return out;
}

SIO_DEMO_INLINE std::string shown_bytes(std::string_view bytes, std::size_t most) {
  std::string out;
  for (const char c : bytes.substr(0, most))
    out += formatted("%02x ", static_cast<unsigned>(static_cast<unsigned char>(c)));
  if (bytes.size() > most) return out + "...";
  if (!out.empty()) out.pop_back();
  return out;
}

SIO_DEMO_INLINE std::string id_text(double id) {
  std::string out;
  bytes::append_number(out, id);
  return out;
}

/// The purpose of a Socket.IO packet in a sentence.
SIO_DEMO_INLINE std::string sentence_of(const socketio::Packet& packet, bool incoming) {
  using Type = socketio::PacketType;
  const std::string who = incoming ? "The client" : "The server", other = incoming ? "server" : "client",
                    nsp(shown(packet.nsp, 60));
  const std::string binary = packet.attachments == 0 ? ""
                                                     : " " + std::to_string(packet.attachments) + " binary message" +
                                                           (packet.attachments == 1 ? " follows." : "s follow.");
  switch (packet.type) {
    case Type::connect:
      if (!incoming) return "The client has joined " + nsp + "; the sid is its socket's id there.";
      return "The client wants to join the namespace " + nsp +
             (packet.json.empty() ? "." : "; the payload is its auth.");
    case Type::disconnect:
      return (incoming ? "The client leaves " : "The server takes the client out of ") + nsp +
             "; the session lives on.";
    case Type::connect_error: return "The client may not join " + nsp + ", and is told why.";
    case Type::ack:
    case Type::binary_ack:
      return who + " answers the " + other + "'s event " + (packet.id ? id_text(*packet.id) : "without a number") +
             '.' + binary;
    default: break;
  }
  return who + " emits \"" + shown(packet.name, 40) + '"' +
         (packet.id ? ", and wants an ack with the number " + id_text(*packet.id) : "") + '.' + binary;
}

SIO_DEMO_INLINE std::string_view section_of(const socketio::Packet& packet) {
  using Type = socketio::PacketType;
  switch (packet.type) {
    case Type::connect:
    case Type::connect_error: return "Socket.IO 5, Connection to a namespace";
    case Type::disconnect: return "Socket.IO 5, Disconnection from a namespace";
    case Type::ack:
    case Type::binary_ack: return "Socket.IO 5, Acknowledgement";
    default: return "Socket.IO 5, Sending and receiving data";
  }
}

SIO_DEMO_INLINE Explanation explain_message(std::string_view payload, bool incoming) {
  socketio::Packet packet;
  socketio::Decoder decoder({.attachments = 1'000'000, .json = {}});
  if (const char* why = decoder.decode(payload, packet))
    return {"message · " + shown(payload, 40),
            std::string(incoming ? "The client" : "The server") +
                " sends a message that is no packet of Socket.IO: " + why + '.',
            "6", "Engine.IO 4, Message"};
  std::string layers = "message · ";
  layers += packet_names[static_cast<std::size_t>(packet.type)];
  if (packet.nsp != "/") layers += ' ' + shown(packet.nsp, 40);
  if (packet.id) layers += " ack " + id_text(*packet.id);
  if (!packet.json.empty()) layers += ' ' + shown(packet.json, 40);
  return {std::move(layers), sentence_of(packet, incoming), "6 and 7", section_of(packet)};
}

SIO_DEMO_INLINE Explanation explain_packet(const TraceRecord& record) {
  const std::string_view text = record.text;
  const std::string who = record.incoming ? "The client" : "The server";
  if (record.binary || text.starts_with('b'))
    return {"message · binary",
            who + " sends bytes: what the event before has in place of a _placeholder" +
                (record.binary ? "." : "; polling carries them as base64."),
            "6 and 7", "Socket.IO 5, Packet encoding"};
  if (text.starts_with('4')) return explain_message(text.substr(1), record.incoming);
  for (const PacketRow& row : packet_rows)
    if (text.starts_with(row.type) && record.incoming == row.incoming && text.substr(1).starts_with(row.payload)) {
      std::string layers(row.name);
      if (text.size() > 1) layers += ' ' + shown(text.substr(1), 40);
      return {std::move(layers), std::string(row.sentence), "6", row.section};
    }
  return {"unknown", who + " sends what is no packet here.", "6", "Engine.IO 4, Packet encoding"};
}

SIO_DEMO_INLINE Explanation explain_request(const TraceRecord& record) {
  const auto method = record.text.substr(0, record.text.find(' '));
  const bool of_engine = record.text.find("EIO=") != record.text.npos;
  for (const RequestRow& row : request_rows)
    if (of_engine && row.method == method && row.websocket == (record.transport == "websocket") &&
        row.has_session == !record.session.empty())
      return {std::string(row.layers), std::string(row.sentence), "4 and 10", row.section};
  return {"request",
          of_engine ? "This is not how a session is used."
                    : "A request that is not Engine.IO's: a route of the program answers, or 404.",
          "4 and 10", "HTTP/1.1"};
}

SIO_DEMO_INLINE Explanation explain_response(const TraceRecord& record) {
  if (record.status == 101)
    return {"101 Switching Protocols", "The connection is a WebSocket from here on.", "5", "WebSocket, RFC 6455"};
  const auto layers = std::to_string(record.status) + ' ' + std::string(http::status_text(record.status));
  constexpr std::string_view section = "Engine.IO 4, HTTP long-polling";
  if (record.status >= 400)
    return {layers, record.text.empty() ? "Refused." : "Refused: " + shown(record.text, 80), "3 and 10", "HTTP/1.1"};
  if (record.text == "ok") return {layers, "The packets of the POST have arrived.", "6", section};
  if (!record.session.empty() || record.text.starts_with("0{"))
    return {layers, "Answers the poll with what stands above.", "6", section};
  return {layers, "The answer of a route of the program.", "10", "HTTP/1.1"};
}

SIO_DEMO_INLINE Explanation explain_step(const TraceRecord& record) {
  for (const StepRow& row : step_rows)
    if (row.to == record.text)
      return {std::string(record.details) + " -> " + std::string(row.to), std::string(row.sentence), "6", row.section};
  return {std::string(record.text), {}, "6", {}};
}

}  // namespace detail

SIO_DEMO_INLINE Explanation explain(const TraceRecord& record) {
  using Kind = TraceRecord::Kind;
  switch (record.kind) {
    case Kind::request: return detail::explain_request(record);
    case Kind::response: return detail::explain_response(record);
    case Kind::step: return detail::explain_step(record);
    case Kind::close:
      return {
          "end: " + std::string(record.text),
          record.details.empty() ? "The session is over." : "The session is over: " + std::string(record.details) + '.',
          "3 and 6", "Engine.IO 4, Protocol"};
    case Kind::packet: break;
  }
  return detail::explain_packet(record);
}

SIO_DEMO_INLINE std::string trace_line(const TraceRecord& record, bool colour) {
  using Kind = TraceRecord::Kind;
  constexpr std::size_t raw_width = 40, layers_width = 48;
  const auto [layers, sentence, chapter, section] = explain(record);
  const bool crosses = record.kind != Kind::step && record.kind != Kind::close,
             bad = record.kind == Kind::close || record.status >= 400;
  const char* paint = bad ? "31" : !crosses ? "33" : record.incoming ? "32" : "36";
  std::string line;
  const auto column = [&](const std::string& text, std::size_t width, const char* code) {
    if (colour) line += "\x1b[", line += code, line += 'm';
    line += text;
    if (colour) line += "\x1b[0m";
    line.append(width - (std::min)(width, detail::width_of(text)) + 1, ' ');
  };
  const bool has_text = crosses && !(record.kind == Kind::response && record.status == 101);
  const std::string size = has_text ? std::to_string(record.text.size()) + " B" : "";
  column(iso_8601(record.time).substr(11, 12), 12, "2");
  column(record.session.empty() ? "-" : detail::shown(record.session.substr(0, 8), 8), 8, "2");
  column(!crosses ? "--" : record.incoming ? "C>" : "S>", 2, paint);
  column(std::string(record.transport), 9, paint);
  column(!has_text       ? ""
         : record.binary ? detail::shown_bytes(record.text, raw_width / 3 - 1)
                         : detail::shown(record.text, raw_width - 3),
         raw_width, paint);
  column(std::string(size.size() < 9 ? 9 - size.size() : 0, ' ') + size, 9, "2");
  column(detail::shown(layers, layers_width - 3), layers_width, "1");
  line += sentence;
  line += colour ? " \x1b[2m[" : " [";
  line += "chapter" + std::string(chapter.size() > 2 ? "s " : " ") + std::string(chapter) + "; " +
          std::string(section) + ']';
  return colour ? line + "\x1b[0m" : line;
}
#endif  // SIO_DEMO_BODIES

// ================================================================================================
// 13  Broadcaster
//
// Calls a function repeatedly, after a new random delay each time, uniformly distributed in a range. The
// function emits to a namespace, so one timer serves all clients.
//
//     Broadcaster<> broadcaster(loop.get_executor(), {5s, 15s}, [&] { chat.emit(tick, now()); });
//     broadcaster.start();
//
// The timer is a template parameter: any type with expires_after, async_wait and cancel, so that tests can
// simulate hours. If the callback throws, the next call is scheduled already, and the exception leaves the
// event loop's run().
// ================================================================================================

/// Calls a function repeatedly between start() and stop() or destruction. Everything is called on the executor's
/// thread.
template <class Timer = asio::steady_timer>
class Broadcaster {
 public:
  struct Range {
    Milliseconds least, most;
  };

  template <class Executor>
  Broadcaster(const Executor& executor, Range delay, std::function<void()> callback)
      : timer_(executor),
        delay_(delay.least.count(), (std::max)(delay.least, delay.most).count()),
        callback_(std::move(callback)) {}
  Broadcaster(const Broadcaster&) = delete;
  Broadcaster& operator=(const Broadcaster&) = delete;
  ~Broadcaster() { stop(); }

  void start() {
    if (!std::exchange(running_, true)) wait();
  }
  /// No call follows, not even one whose timer has expired.
  void stop() {
    running_ = false;
    ++round_;
    timer_.cancel();
  }
  bool running() const { return running_; }

 private:
  void wait() {
    timer_.expires_after(Milliseconds(delay_(random_)));
    timer_.async_wait([this, round = ++round_, alive = std::weak_ptr<void>(alive_)](const std::error_code& cancelled) {
      if (cancelled || alive.expired() || !running_ || round != round_) return;
      const auto callback = callback_;  // a copy, because the callback may destroy this object
      wait();
      callback();
    });
  }

  Timer timer_;
  bytes::Random random_;
  std::uniform_int_distribution<std::int64_t> delay_;
  std::function<void()> callback_;
  std::shared_ptr<void> alive_ = std::make_shared<char>();
  std::uint64_t round_ = 0;
  bool running_ = false;
};

// ================================================================================================
// 14  Fake server
//
// For unit tests of clients: a server inside the test, with scripted replies, which records the events
// that it receives. It is the real server on a real port, chosen by the system, so any Socket.IO client can
// be tested. Three things are different, to make tests fast and repeatable:
//
//     time     is a manual clock: a test of a missed heartbeat, or of a retry after a minute, takes no time
//     ids      are the same in each run
//     the event loop runs only while the test calls run_until() or advance()
//
//     sio::FakeServer fake;
//     fake.reply("price", 3.5);                      // the ack of each "price"
//     client.connect(fake.url());
//     client.ask_price("AAPL");
//     CHECK(fake.run_until([&] { return client.price() == 3.5; }));
//     CHECK(fake.received().front().arguments == sio::json{"AAPL"});
//     fake.advance(25s + 20s);                       // closes the session of a client that does not respond
//
// For a client that blocks the test's thread, run the event loop in another thread: fake.server().run() there, which
// fake.server().loop().stop() ends. Meanwhile, call everything through fake.server().post().
// ================================================================================================

/// A server with scripted replies, which listens at 127.0.0.1 from construction to destruction. Called on the thread
/// that runs its event loop, as a Server is.
class FakeServer {
 public:
  /// A received event, with a handler or without.
  struct Event {
    std::string nsp, socket, name;  // `socket`: the id of the sending socket
    json::array_t arguments;
  };

  /// Listens at once, at 127.0.0.1 and a port that the system chooses; Options::host and port are ignored. Logs nothing
  /// if there is no log_sink. Throws the exceptions of Server and listen().
  explicit FakeServer(Options options = {}) : io_(prepared(std::move(options))) { begin(); }
  /// The same in the event loop of the client under test.
  explicit FakeServer(asio::io_context& loop, Options options = {}) : io_(loop, prepared(std::move(options))) {
    begin();
  }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  /// The server itself, to emit events and to add handlers.
  Server& server() { return io_; }
  std::uint16_t port() const { return io_.port(); }
  /// The URL for official clients: "http://127.0.0.1:PORT".
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }

  /// Sets the ack of this event, in all namespaces. Several calls make a list: each event takes the next reply, and the
  /// last one is repeated. An event without a reply gets no ack.
  template <class... Values>
  FakeServer& reply(std::string_view event, const Values&... values) {
    const auto [entry, is_new] = scripts_.try_emplace(std::string(event), std::make_shared<Replies>());
    json::array_t& ack = entry->second->emplace_back();
    (ack.push_back(json(values)), ...);
    if (is_new)
      for (const auto& nsp : io_.namespaces_) add_reply(*nsp.second, entry->first, entry->second);
    return *this;
  }
  /// Refuses all CONNECTs to namespaces until accept() is called.
  FakeServer& refuse(std::string message, json data = nullptr) {
    refusal_ = sio_demo::refuse(std::move(message), std::move(data));
    return *this;
  }
  FakeServer& accept() { return refusal_.reset(), *this; }
  /// Closes all TCP connections without close packets, as a network failure does. Clients reconnect.
  FakeServer& drop_clients() { return io_.drop_connections(), *this; }

  /// The received events, in order.
  const std::vector<Event>& received() const { return received_; }
  /// Clears the received events.
  void forget() { received_.clear(); }

  /// Runs the event loop until `done()` returns true. false: it did not within this much real time.
  template <class Done>
  bool run_until(Done done, Milliseconds limit = Milliseconds(5'000)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done()) {
      if (std::chrono::steady_clock::now() >= end) return false;
      io_.loop().restart();
      io_.loop().run_one_for(Milliseconds(10));  // done() may wait for another thread, too
    }
    return true;
  }
  /// Moves the clock. Everything due is run in order of time, and its output is written before this returns. Clients
  /// cannot respond meanwhile; to keep one connected, advance in steps, with run_until() in between.
  void advance(engineio::Time::duration by) {
    const auto end = clock().now() + by;
    while (clock().step(end)) run_ready();
    run_ready();
  }
  /// The clock that advance() moves. Another server can share it by Options::clock.
  engineio::ManualClock& clock() { return *io_.options().clock; }

 private:
  using Replies = std::deque<json::array_t>;

  static Options prepared(Options options);
  void begin();
  void observe(Namespace& nsp);
  static void add_reply(Namespace& nsp, std::string_view event, const std::shared_ptr<Replies>& replies);
  void run_ready();

  std::map<std::string, std::shared_ptr<Replies>, std::less<>> scripts_;
  std::vector<Event> received_;
  std::optional<Refuse> refusal_;
  Server io_;  // the last member, because its destructor may call handlers that use the others
};

#if SIO_DEMO_BODIES
SIO_DEMO_INLINE Options FakeServer::prepared(Options options) {
  options.host = "127.0.0.1";
  options.port = 0;
  if (!options.log_sink) options.log_level = LogLevel::off;
  if (!options.clock) options.clock = std::make_shared<engineio::ManualClock>();
  return options;
}

SIO_DEMO_INLINE void FakeServer::begin() {
  io_.engine_.random.seed(1);
  observe(io_.of("/"));
  io_.on_new_namespace([this](Namespace& nsp) { observe(nsp); });
  io_.of([](std::string_view, const json&) { return true; });
  io_.listen();
}

SIO_DEMO_INLINE void FakeServer::observe(Namespace& nsp) {
  nsp.use([this](Socket&, const Next& next) { refusal_ ? next(*refusal_) : next(sio_demo::accept); });
  nsp.on_any([this](Socket& socket, std::string_view name, const socketio::Arguments& arguments) {
    received_.push_back({socket.nsp().name(), socket.id(), std::string(name), arguments.values()});
  });
  for (const auto& [event, replies] : scripts_) add_reply(nsp, event, replies);
}

SIO_DEMO_INLINE void FakeServer::add_reply(Namespace& nsp, std::string_view event,
                                           const std::shared_ptr<Replies>& replies) {
  nsp.on(event, [replies](Socket&, const json::array_t&, const Reply<>& reply) {
    reply(each(replies->front()));
    if (replies->size() > 1) replies->pop_front();
  });
}

SIO_DEMO_INLINE void FakeServer::run_ready() {
  io_.loop().restart();
  while (io_.loop().poll() > 0) continue;
}
#endif  // SIO_DEMO_BODIES

// ================================================================================================
// 15  Demo service
//
// The service that main.cpp runs, as an example of the API: typed events, a middleware that limits
// connections, an ack, a limit on pings, a broadcast, an HTTP route, a cluster, a clean shutdown.
//
//     S> connectionStatus "connected"                       to each client that connects
//     S> randomString {"value":"k3J9xQ2mZa","timestamp":1}  the same to all clients, every 5 to 15 s
//     C> ping                ack {"status":"ok","timestamp":1,"serverTime":1}
//     S> error {"message":"Ping limit exceeded","code":"PING_LIMIT"}  on ping 101, then a disconnect
//     S> CONNECT_ERROR "Too many connections from this IP"  for the eleventh client of one address
//     GET /api/websocket/health                             status, and the number of clients
//     GET /metrics                                          see chapter 12
// ================================================================================================

#if SIO_DEMO_BODIES
namespace demo {

// ---- Events, and the body of the health response

/// The types of the events' payloads. Field names are those in the JSON.
struct RandomString {
  std::string value;
  std::int64_t timestamp = 0;  // ms since 1970, as are all times here
};
SIO_DEMO_FIELDS(RandomString, value, timestamp)

enum class ConnectionStatus : std::uint8_t { connected, disconnected };
SIO_DEMO_ENUM(ConnectionStatus, connected, disconnected)

struct Problem {
  std::string message;
  std::optional<std::string> code;
};
SIO_DEMO_FIELDS(Problem, message, code)

struct Pong {
  std::string status;
  std::int64_t timestamp = 0, serverTime = 0;
};
SIO_DEMO_FIELDS(Pong, status, timestamp, serverTime)

struct Health {
  std::string status;
  std::size_t connections = 0;  // to this process
  std::optional<std::size_t> clusterConnections;
  std::optional<std::map<std::string, std::size_t>> connectionsByIP;
  std::int64_t timestamp = 0;
};
SIO_DEMO_FIELDS(Health, status, connections, clusterConnections, connectionsByIP, timestamp)

inline constexpr ServerToClient<"randomString", void(RandomString)> random_string;
inline constexpr ServerToClient<"connectionStatus", void(ConnectionStatus)> connection_status;
inline constexpr ServerToClient<"error", void(Problem)> error;
inline constexpr ClientToServer<"ping", Pong()> ping;

/// The demo's membership of a cluster: decides which process sends the strings, and counts the clients of all
/// processes. Each process reports its count to the others once a second; a report is valid for 3.5 s.
class Membership {
 public:
  using Role = redis::Lease::State;

  /// Throws std::invalid_argument for a URL that redis::parse_url refuses. `clients` must outlive it.
  Membership(Server& io, Namespace& clients, const std::string& url)
      : io_(io),
        clients_(clients),
        redis_(redis::adapter(url, {.client_name = "sio_demo" + clients.name()})),
        lease_(redis_, redis_.cluster().options().key + "-lease#" + clients.name() + "#randomString"),
        reporter_(io.loop().get_executor(), {Seconds(1), Seconds(1)}, [this] { send_report(clients_.size()); }) {
    io.adapter(redis_);
    clients.on_server_side_emit("connections",
                                [this](const json::array_t& report, const auto&) { handle_report(report); });
    lease_.on_change([this](Role role) { log_role(role); });
  }

  void start() {
    lease_.start();
    reporter_.start();
  }
  void stop() {
    reporter_.stop();
    send_report(0);
    lease_.release();
  }

  Role role() const { return lease_.state(); }
  /// The clients of all processes, by their last reports.
  std::size_t connections() const {
    std::size_t sum = clients_.size();
    const auto now = std::chrono::steady_clock::now();
    for (const auto& [id, other] : others_)
      if (now - other.reported < silence) sum += other.connections;
    return sum;
  }

 private:
  struct Other {
    std::size_t connections;
    std::chrono::steady_clock::time_point reported;
  };
  static constexpr auto silence = Milliseconds(3'500);
  static constexpr std::size_t most_others = 1'000, most_connections = 100'000'000;

  void send_report(std::size_t connections) { clients_.server_side_emit("connections", lease_.id(), connections); }

  /// Handles a report, which comes through Redis and is not trusted: checks it, and limits how many are kept.
  void handle_report(const json::array_t& report) {
    if (report.size() != 2 || !report[0].is_string() ||
        report[0].get_ref<const std::string&>().size() != lease_.id().size() || !report[1].is_number_unsigned())
      return;
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(others_, [&](const auto& other) { return now - other.second.reported >= silence; });
    const auto& id = report[0].get_ref<const std::string&>();
    if (others_.size() >= most_others && !others_.contains(id)) return;
    others_.insert_or_assign(id, Other{(std::min)(report[1].get<std::size_t>(), most_connections), now});
  }

  void log_role(Role role) const {
    switch (role) {
      case Role::held:
        return io_.log().write(LogLevel::info, "Random strings: this process sends them to the whole cluster");
      case Role::elsewhere:
        return io_.log().write(LogLevel::info, "Random strings: another process of the cluster sends them");
      case Role::alone:
        return io_.log().write(
            LogLevel::warn,
            "Random strings: Redis does not tell who sends them, so this process sends its own to its own clients");
    }
  }

  Server& io_;
  Namespace& clients_;
  redis::Factory redis_;
  redis::Lease lease_;
  Broadcaster<> reporter_;
  std::map<std::string, Other> others_;
};

/// The service's options.
struct Config {
  /// The server's options. Default: the server's, except for these.
  Options server{.port = 4001,
                 .ping_timeout = Milliseconds(60'000),
                 .cors = {.origins = {"http://localhost:5173", "http://127.0.0.1:5173"}, .credentials = true},
                 .log_level = LogLevel::info};
  /// The namespace. Default: "/demo".
  std::string name = "/demo";
  /// Pings of one client; the next one disconnects it. Default: 100.
  std::uint32_t max_pings_per_client = 100;
  /// Clients of one address (IPv6: of one /64); the next one is refused. Default: 10.
  std::uint32_t max_connections_per_ip = 10;
  /// Time between two random strings, uniformly distributed. Default: 5 to 15 s.
  Broadcaster<>::Range random_string_interval{Milliseconds(5'000), Milliseconds(15'000)};
  /// URL path of the health response. Default: "/api/websocket/health".
  std::string health_path = "/api/websocket/health";
  /// Whether the health response has the number of clients by address (connectionsByIP). Default: true.
  bool health_addresses = true;
  /// URL path of the metrics; empty: no such route. Default: "/metrics".
  std::string metrics_path = "/metrics";
  /// URL of the cluster's Redis, "redis://user:password@host:6379/0"; empty: no cluster. Default: empty.
  std::string redis_url{};
};

/// `size` random letters and digits, uniformly distributed. Not meant as a secret.
SIO_DEMO_INLINE std::string random_text(std::size_t size, bytes::Random& random) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::uniform_int_distribution<std::size_t> digit(0, alphabet.size() - 1);  // no modulo bias
  std::string text;
  while (text.size() < size) text += alphabet[digit(random)];
  return text;
}

/// The whole service: construct it, call start(), run the event loop, call stop(). Everything is called on the
/// event-loop thread.
class Service {
 public:
  /// Runs in the caller's event loop, which must outlive it. Throws as Server does.
  Service(asio::io_context& loop, Config config)
      : config_(std::move(config)),
        io_(loop, config_.server),
        clients_(io_.of(config_.name)),
        limiter_({.concurrent = config_.max_connections_per_ip}),
        broadcaster_(loop.get_executor(), config_.random_string_interval, [this] { broadcast(); }) {
    if (!config_.redis_url.empty()) cluster_.emplace(io_, clients_, config_.redis_url);
    clients_.use([this](Socket& socket, const Next& next) { admit(socket, next); });
    clients_.on_connection([this](Socket& socket) { welcome(socket); });
    clients_.on_any(
        [this](Socket& socket, std::string_view event, const socketio::Arguments&) { count_ping(socket, event); });
    clients_.on(ping, [this](Socket& socket) { return pong(socket); });
    clients_.on_disconnect([this](Socket& socket, const Disconnect& why) { farewell(socket, why); });
    io_.http().get(config_.health_path, [this](const http::Request&) { return health(); });
    if (!config_.metrics_path.empty()) io_.http().get(config_.metrics_path, metrics(io_));
  }

  Server& server() { return io_; }

  /// Listens and starts to broadcast. Throws std::system_error with the reason if it cannot listen.
  void start() {
    io_.listen();
    broadcaster_.start();
    if (cluster_) cluster_->start();
    state_ = State::running;
    log(LogLevel::info, "WebSocket service initialized",
        {{"namespace", config_.name},
         {"port", io_.port()},
         {"maxConnectionsPerIP", config_.max_connections_per_ip},
         {"maxPingsPerClient", config_.max_pings_per_client}});
  }

  /// Shuts down: stops broadcasting and accepting, closes every session, and calls `done` when everything is written,
  /// within drain_timeout.
  void stop(std::function<void()> done = {}) {
    if (std::exchange(state_, State::draining) == State::draining) return;
    log(LogLevel::info, "WebSocket service shutting down", {{"connections", clients_.size()}});
    broadcaster_.stop();
    if (cluster_) cluster_->stop();
    io_.close([this, done = std::move(done)] {
      log(LogLevel::info, "WebSocket service stopped");
      if (done) done();
    });
  }

 private:
  enum class State : std::uint8_t { starting, running, draining };

  struct Client {
    RateLimiter::Permit permit;
    std::uint32_t pings = 0;
    std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
  };

  static std::int64_t now() { return unix_milliseconds(std::chrono::system_clock::now()); }

  void log(LogLevel level, std::string_view message, Fields fields = {}) const {
    io_.log().write(level, message, fields);
  }

  static std::string bucket(const Socket& socket) {
    const auto address = http::Address::parse(socket.handshake().address);
    return address ? address->limit_key() : std::string(socket.handshake().address);
  }

  void admit(Socket& socket, const Next& next) {
    auto permit = limiter_.acquire(bucket(socket));
    if (!permit) {
      if (!complaints_.spend(bucket(socket), std::chrono::steady_clock::now()))
        log(LogLevel::warn, "Connection rate limit exceeded",
            {{"ip", socket.handshake().address}, {"limit", config_.max_connections_per_ip}});
      return next(refuse("Too many connections from this IP"));
    }
    socket.data<Client>().permit = std::move(permit);
    next(accept);
  }

  void welcome(Socket& socket) {
    log(LogLevel::info, "Client connected",
        {{"socketId", socket.id()},
         {"ip", socket.handshake().address},
         {"transport", socket.transport()},
         {"connections", clients_.size()}});
    socket.emit(connection_status, ConnectionStatus::connected);
  }

  /// Counts every ping, valid or not. Beyond max_pings_per_client, sends an error and disconnects the client.
  void count_ping(Socket& socket, std::string_view event) {
    if (event != ping.name || ++socket.data<Client>().pings <= config_.max_pings_per_client) return;
    log(LogLevel::warn, "Ping rate limit exceeded",
        {{"socketId", socket.id()}, {"ip", socket.handshake().address}, {"limit", config_.max_pings_per_client}});
    socket.emit(error, Problem{"Ping limit exceeded", "PING_LIMIT"});
    socket.disconnect(true);
  }

  Pong pong(Socket& socket) const {
    if (io_.log().enabled(LogLevel::debug))
      log(LogLevel::debug, "Ping received", {{"socketId", socket.id()}, {"pings", socket.data<Client>().pings}});
    return {"ok", now(), now()};
  }

  void farewell(Socket& socket, const Disconnect& why) {
    const auto& client = socket.data<Client>();
    const auto duration = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - client.since);
    log(LogLevel::info, "Client disconnected",
        {{"socketId", socket.id()},
         {"ip", socket.handshake().address},
         {"reason", why.text},
         {"details", why.details},
         {"connectionDuration", duration.count()},
         {"totalPings", client.pings}});
  }

  /// In a cluster, only the process that holds the lease sends, to all clients. Without a cluster, or while Redis is
  /// unreachable, each process sends to its own clients.
  void broadcast() {
    const auto role = cluster_ ? cluster_->role() : Membership::Role::alone;
    if (role == Membership::Role::elsewhere) return;
    const bool for_all = role == Membership::Role::held;
    const std::size_t count = for_all ? cluster_->connections() : clients_.size();
    if (count == 0) return log(LogLevel::debug, "Random string skipped, nobody is connected");
    const RandomString string{random_text(10, random_), now()};
    if (for_all) clients_.emit(random_string, string);
    else clients_.local().emit(random_string, string);
    log(LogLevel::info, "Random string broadcasted", {{"value", string.value}, {"clientCount", count}});
  }

  http::Response health() const {
    if (state_ != State::running) {
      const std::string_view why =
          state_ == State::starting ? "The service is starting" : "The service is shutting down";
      return {503, "application/json", R"({"status":"unhealthy","message":")" + std::string(why) + "\"}", {}};
    }
    socketio::Writer body;
    Health health{"healthy", clients_.size(), std::nullopt, std::nullopt, now()};
    if (cluster_) health.clusterConnections = cluster_->connections();
    if (config_.health_addresses) health.connectionsByIP = limiter_.held();
    detail::write(body, health);
    return {200, "application/json", body.text, {}};
  }

  Config config_;
  Server io_;
  Namespace& clients_;
  RateLimiter limiter_, complaints_{{.burst = 1, .per_second = 1}};  // complaints_: limits log lines by address
  Broadcaster<> broadcaster_;
  std::optional<Membership> cluster_;
  bytes::Random random_;
  State state_ = State::starting;
};

}  // namespace demo
#endif  // SIO_DEMO_BODIES

// ================================================================================================
// 16  End
//
// Macros for internal use are undefined here. SIO_DEMO_FIELDS and SIO_DEMO_ENUM, the macros that they use,
// and the version remain. What to read next: main.cpp, the flags and signals around chapter 15.
//
// Changelog
//   0.1.0  Engine.IO 4 and Socket.IO 5 over polling, WebSocket and upgrade; typed events; acks both ways;
//          namespaces on demand; adapters; state recovery; HTTP, WebSocket and Engine.IO alone; limits by
//          address and by rate; clusters through Redis; metrics; a trace that explains each packet; events as
//          TypeScript; bodies compiled once (SIO_DEMO_SEPARATE); a fake server for unit tests; the demo.
// ================================================================================================

}  // namespace v0_1
}  // namespace sio_demo

#undef SIO_DEMO_INLINE
#undef SIO_DEMO_BODIES

// MIT License
//
// Copyright (c) 2026 the sio_demo authors
//
// Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
// associated documentation files (the "Software"), to deal in the Software without restriction,
// including without limitation the rights to use, copy, modify, merge, publish, distribute,
// sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
// furnished to do so, subject to the following conditions:
//
// The above copyright notice and this permission notice shall be included in all copies or
// substantial portions of the Software.
//
// THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
// NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
// NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
// DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
// OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
#endif  // SIO_DEMO_HPP
