// http: requests, one behind the other on a connection (chapter 4).
//
// Input: a byte of knobs (limits, CORS), a byte that says how the stream is cut, then the stream.
//
// Held: HeadReader and BodyReader come to the same requests, bodies and end however the stream is cut; what
// is kept of it is bounded; views lie in the input; a header that was read is found again by find_header and
// in whole_head, which reads back as the same request. Queries keep their bound. Whatever header lines are
// made of the request (CORS, preflight, the program's own, Set-Cookie, the handshake's answer) are lines with
// a name and a value, and no more of them than were meant.
#pragma once

#include "fuzz.hpp"

namespace fuzz::http {

using sio::Parsed;
using sio::Progress;
using sio::http::Request;

inline sio::HttpLimits limits_of(std::uint8_t knobs) {
  sio::HttpLimits limits;
  if (knobs & 1) limits.request_line = 32, limits.header_bytes = 96, limits.headers = 3;
  if (knobs & 2) limits.query_parameters = 2, limits.chunk_overhead = 16;
  return limits;
}

inline sio::CorsOptions cors_of(std::uint8_t knobs) {
  sio::CorsOptions cors;
  if (knobs & 4)
    cors.origins = {"https://a.example", "null"}, cors.credentials = true, cors.exposed_headers = {"x-a", "x-b"};
  if (knobs & 8) cors.origins = {"*"}, cors.credentials = false, cors.max_age = sio::Seconds(5);
  if (knobs & 16) cors.allowed_headers = {"x-c"};
  return cors;
}

inline std::string described(const Request& request) {
  std::string out(request.method);
  for (const auto part : {request.target, request.path, request.query_text, request.head}) out += '|', out += part;
  out += "|1." + std::to_string(request.minor);
  for (const auto& header : request.headers) out += '|', out += header.name, out += '=', out += header.value;
  return out;
}

/// How many header lines stand in a text, each with its end.
inline std::size_t lines_in(std::string_view text) {
  std::size_t lines = 0;
  for (; !text.empty(); ++lines) {
    const auto end = text.find("\r\n");
    holds(end != text.npos, "header lines end with CR LF", {text});
    const auto line = text.substr(0, end);
    const auto colon = line.find(": ");
    holds(colon != line.npos && sio::http::is_token(line.substr(0, colon)), "a header line has a name", {text});
    holds(sio::http::is_field_value(line.substr(colon + 2)), "a header line has a value without control characters",
          {text});
    text.remove_prefix(end + 2);
  }
  return lines;
}

// ---- what can be asked of a request

inline void check_headers(const Request& request, std::string_view memory) {
  for (const auto part : {request.method, request.target, request.path, request.query_text, request.head})
    holds(inside(part, memory), "a request's views lie in its bytes");
  for (const auto& header : request.headers) {
    holds(inside(header.name, memory) && inside(header.value, memory), "a header's views lie in its request");
    holds(sio::http::is_token(header.name) && sio::http::is_field_value(header.value), "a header is a name and a value",
          {header.name, header.value});
    holds(header.value == sio::bytes::trim(header.value), "a header's value is trimmed", {header.value});
    holds(sio::http::find_header(request.head, header.name) == request.header(header.name),
          "find_header finds what the request has", {header.name});
    holds(request.count(header.name) > 0, "a header that is there is counted");
    request.lists(header.name, "close");
  }
  Request again;
  const Exact copy(request.whole_head);
  const auto parsed = sio::http::HeadReader().read(copy.view(), sio::HttpLimits{64 * 1024, 64 * 1024}, again);
  holds(parsed.progress == Progress::complete && parsed.size == copy.view().size(), "a whole_head is a head",
        {copy.view(), parsed.why});
  holds(described(again) == described(request), "a whole_head reads back as the same request",
        {described(again), described(request)});
}

inline void check_query(Request& request, const sio::HttpLimits& limits) {
  std::vector<std::string_view> pairs;
  for (const auto pair : parts_of(request.query_text, '&'))
    if (!pair.empty()) pairs.push_back(pair);
  const bool good = request.query.read(request.query_text, limits.query_parameters);
  holds(good == (pairs.size() <= limits.query_parameters), "a query is refused exactly beyond its limit",
        {request.query_text});
  holds(request.query.parameters.size() == std::min(pairs.size(), limits.query_parameters),
        "a query has as many parameters as pairs", {request.query_text});
  for (const auto& [key, value] : request.query.parameters) {
    holds(key.size() + value.size() <= request.query_text.size(), "decoding makes nothing longer");
    holds(request.query.find(key) != nullptr, "a parameter that is there is found", {key});
  }
}

/// Header lines that a program would make of what the client sent.
inline void check_lines(const Request& request) {
  sio::http::Headers list;
  std::size_t good = 0;
  for (const auto& [key, value] : request.query.parameters) {
    list.emplace_back(key, value);
    if (sio::http::is_token(key) && sio::http::is_field_value(value) && !sio::http::is_framing(key)) ++good;
  }
  std::string lines;
  sio::http::append_headers(lines, list, false);
  holds(lines_in(lines) == good, "each header makes one line, or none", {lines});

  sio::CookieOptions cookie{.name = std::string(request.query["name"]),
                            .path = std::string(request.query["path"]),
                            .domain = std::string(request.query["domain"])};
  if (const auto* same_site = request.query.find("site")) cookie.same_site = *same_site;
  if (sio::http::cookie_fault(cookie)) return;
  const auto text = sio::http::cookie_text(cookie, "sid");
  const std::size_t attributes = 2u + !cookie.path.empty() + !cookie.domain.empty() + !cookie.same_site.empty();
  holds(parts_of(text, ';').size() == attributes && text.starts_with(cookie.name + "=sid"),
        "a cookie has the attributes that it was given", {text});
  holds(sio::http::is_field_value(text), "a cookie is a header's value", {text});
}

inline void check_cors(const Request& request, const sio::CorsOptions& cors) {
  const auto origin = request.header("origin");
  const auto answer = sio::http::cors_headers(cors, origin),
             preflight = sio::http::cors_headers(cors, origin, &request);
  for (const auto& lines : {answer, preflight}) {
    lines_in(lines);
    const bool named = lines.find("Allow-Origin: " + std::string(origin) + "\r\n") != lines.npos;
    if (!cors.on() || (cors.origins[0] != "*" && named))
      holds(!named || sio::http::origin_listed(cors, origin), "only a listed origin is named", {lines});
  }
  if (!cors.on()) holds(answer.empty(), "without CORS nothing is said");
  const bool welcome = sio::http::websocket_origin_allowed(cors, request);
  holds(welcome || (cors.on() && request.find("origin")), "without a list, or an Origin, every WebSocket is welcome");
  if (welcome && cors.on() && request.find("origin") && !sio::http::origin_listed(cors, origin))
    holds(origin.ends_with(request.header("host")) ||
              sio::bytes::equal_ignoring_case(origin.substr(origin.find("://") + 3), request.header("host")),
          "an origin that is not listed is our own host", {origin});
}

inline void check_handshake(const Request& request, std::string_view cors) {
  const auto refusal = sio::websocket::check_handshake(request);
  if (refusal.status != 0)
    return holds(lines_in(refusal.headers) > 0 && refusal.status >= 400, "a refusal has a status, and lines");
  const auto answer = sio::websocket::handshake_response(request, cors);
  const auto end = answer.find("\r\n"), blank = answer.find("\r\n\r\n");
  holds(answer.starts_with("HTTP/1.1 101 ") && blank == answer.size() - 4, "a handshake's answer ends where it ends",
        {answer});
  const bool chosen = !request.header("sec-websocket-protocol").empty();
  holds(lines_in(std::string_view(answer).substr(end + 2, blank - end)) == 3u + chosen + lines_in(cors),
        "a handshake's answer has its lines and no others", {answer});
  if (!chosen) return;
  const auto protocol = sio::http::find_header(std::string_view(answer).substr(end + 2), "sec-websocket-protocol");
  holds(sio::http::is_token(protocol) && sio::bytes::has_token(request.header("sec-websocket-protocol"), protocol),
        "the subprotocol is an offered one", {answer});
}

inline void check(Request& request, std::string_view memory, std::uint8_t knobs) {
  check_headers(request, memory);
  check_query(request, limits_of(knobs));
  check_lines(request);
  const auto cors = cors_of(knobs);
  check_cors(request, cors);
  check_handshake(request, sio::http::cors_headers(cors, request.header("origin")));
  sio::http::etag_matches(request, "\"tag\"");
  holds(sio::http::find_header(memory, "").size() <= memory.size(), "find_header stays in its lines");
}

// ---- a connection

/// Reads as the driver does: keeps what is incomplete, and nothing else.
class Connection {
 public:
  Connection(std::uint8_t knobs, bool looks_closely)
      : knobs_(knobs), looks_closely_(looks_closely), limits_(limits_of(knobs)) {}

  /// false: it is over.
  bool receive(std::string_view piece) {
    kept_ += piece;
    for (bool more = true; more && end.progress != Progress::malformed;) more = in_body_ ? read_body() : read_head();
    if (end.progress == Progress::malformed) return false;
    holds(kept_.size() <= limits_.header_bytes + 20, "what is kept of an incomplete head is bounded");
    return true;
  }

  std::vector<std::string> seen;  // requests, and their bodies
  Parsed end;                     // what is wrong, if anything
  bool end_in_head = false;
  std::size_t used = 0;  // bytes of the stream in front of the request that is being read

 private:
  static constexpr std::size_t largest_body = 40;

  bool read_head() {
    if (kept_.empty()) return false;
    const Exact memory(kept_);
    Request request;
    const auto parsed = head_.read(memory.view(), limits_, request);
    if (parsed.progress == Progress::malformed) return end = parsed, end_in_head = true, false;
    if (parsed.progress == Progress::more) return false;
    holds(parsed.size > 0 && parsed.size <= kept_.size(), "a head uses up what is there");
    holds(request.headers.size() <= limits_.headers && parsed.size <= limits_.header_bytes + 20,
          "a head keeps its limits");
    seen.push_back(described(request));
    if (looks_closely_) check(request, memory.view().substr(0, parsed.size), knobs_);
    const auto framing = body_.begin(request, largest_body, limits_.chunk_overhead);
    if (framing.progress == Progress::malformed) return end = framing, false;
    kept_.erase(0, parsed.size);
    used += parsed.size;
    return in_body_ = true;
  }

  bool read_body() {
    const Exact memory(kept_);
    auto view = memory.view();
    const auto parsed = body_.read(view);
    holds(inside(view, memory.view()), "a body is taken off the front");
    holds(body_.body().size() <= largest_body, "a body is bounded");
    used += kept_.size() - view.size();
    kept_ = view;
    if (parsed.progress == Progress::malformed) return end = parsed, false;
    if (parsed.progress == Progress::more) return holds(kept_.empty(), "nothing is kept of an incomplete body"), false;
    holds(body_.done() && (!body_.too_large() || body_.body().empty()), "a body that is too large is not kept");
    seen.push_back((body_.too_large() ? "too large " : "body ") + body_.body());
    in_body_ = false;
    return true;
  }

  std::uint8_t knobs_;
  bool looks_closely_, in_body_ = false;
  sio::HttpLimits limits_;
  std::string kept_;
  sio::http::HeadReader head_;
  sio::http::BodyReader body_;
};

/// What is wrong with the request line alone: cut right behind it, a head is refused for that at once.
inline Parsed line_fault(std::string_view stream, const sio::HttpLimits& limits) {
  std::size_t blank = 0;
  while (stream.substr(blank).starts_with("\r\n")) blank += 2;
  const Exact line(stream.substr(0, std::min(stream.find("\r\n", blank), stream.size() - 2) + 2));
  Request request;
  return sio::http::HeadReader().read(line.view(), limits, request);
}

inline void run(std::string_view bytes) {
  Input input(bytes);
  const auto knobs = input.byte();
  const auto seed = input.byte();
  const auto stream = input.rest();
  Connection whole(knobs, true);
  whole.receive(stream);
  for (auto cuts : {Cuts::everywhere(), Cuts::random(seed, stream.size())}) {
    Connection cut(knobs, false);
    cuts.each(stream, [&](std::string_view piece) { return cut.receive(piece); });
    holds(cut.seen == whole.seen && cut.end.progress == whole.end.progress,
          "requests are the same however they are cut", {stream, cut.end.why, whole.end.why});
    if (std::string_view(cut.end.why) == whole.end.why && cut.end.reason == whole.end.reason) {
      holds(cut.end_in_head || cut.used == whole.used, "the end is where it is, however the stream is cut", {stream});
      continue;
    }
    const auto fault = line_fault(stream.substr(whole.used), limits_of(knobs));
    holds(whole.end_in_head && fault.reason == cut.end.reason && std::string_view(fault.why) == cut.end.why,
          "a stream's fault is the same however it is cut", {stream, cut.end.why, whole.end.why});
  }
}

}  // namespace fuzz::http
