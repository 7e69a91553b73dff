// Chapter 12, the trace: whole conversations as a reader sees them, and what hostile text does to a line.
#include "raw_client.hpp"
#include "sio_demo.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

namespace sio = sio_demo;
using namespace raw_client;
using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace std::string_view_literals;
using polling_client::run_until;
using polling_client::settle;
using sio::TraceRecord;
using Kind = sio::TraceRecord::Kind;

/// A line, at a time that never changes, and without the ids that do.
std::string line_of(TraceRecord record) {
  record.time = std::chrono::system_clock::time_point(1'763'879'413'042ms);
  std::string line = sio::trace_line(record);
  for (const auto at : {line.find("40{\"sid\":\""), line.find("CONNECT {\"sid\":\"")})
    if (at != line.npos) {
      const auto id = line.find("\":\"", at) + 3;
      line.replace(id, 20, "********************");
    }
  return line;
}

/// A Socket.IO server that keeps its trace. `say` answers with what it got, and is told to everybody.
struct Stage {
  asio::io_context loop;
  std::string trace;
  int ids = 0;
  sio::Server io{loop,
                 {.host = "127.0.0.1",
                  .port = 0,
                  .ping_interval = 1h,
                  .generate_id = [this](const sio::http::Request&) { return "session-" + std::to_string(++ids); },
                  .log_level = sio::LogLevel::off,
                  .trace = [this](const TraceRecord& record) { trace += line_of(record) + '\n'; }}};

  Stage() {
    io.on("say", [](sio::Socket& socket, const sio::json::array_t& words, const sio::Reply<>& reply) {
      socket.emit("said", sio::each(words));
      reply("ok");
    });
    io.listen();
  }
  Raw raw(std::string_view bytes) {
    Raw out(loop, io.port());
    out.send(bytes);
    return out;
  }
  void shows(std::string_view expected) {
    settle(loop, 5ms);
    CHECK('\n' + trace == expected);
    trace.clear();
  }
};

const std::string path = "/socket.io/?EIO=4&transport=polling",
                  websocket_path = "/socket.io/?EIO=4&transport=websocket";

}  // namespace

TEST_CASE("trace: a session over polling") {
  Stage stage;
  auto a = stage.raw(get(path));
  CHECK(a.answer().find("session-1") != std::string::npos);
  a.send(post(path + "&sid=session-1", "40"));
  a.answer();
  a.send(get(path + "&sid=session-1"));
  a.answer();
  a.send(post(path + "&sid=session-1", "427[\"say\",\"hello\"]"));
  a.answer();
  a.send(get(path + "&sid=session-1"));
  a.answer();
  a.send(post(path + "&sid=session-1",
              "41\x1e"
              "1"));
  a.answer();
  stage.shows(R"trace(
06:30:13.042 -        C> http      GET /socket.io/?EIO=4&transport=polli...      39 B handshake                                        A client opens a session over HTTP long-polling. [chapters 4 and 10; Engine.IO 4, Handshake]
06:30:13.042 session- S> polling   0{"sid":"session-1","upgrades":["webs...     109 B open {"sid":"session-1","upgrades":["websocke... The session begins: its id, whether it may upgrade, when pings come, how large a message may be. [chapter 6; Engine.IO 4, Handshake]
06:30:13.042 -        S> http      0{"sid":"session-1","upgrades":["webs...     109 B 200 OK                                           Answers the poll with what stands above. [chapter 6; Engine.IO 4, HTTP long-polling]
06:30:13.042 session- C> http      POST /socket.io/?EIO=4&transport=poll...      54 B packets                                          The client sends packets, in the request's body. [chapters 4 and 10; Engine.IO 4, HTTP long-polling]
06:30:13.042 -        S> http      ok                                             2 B 200 OK                                           The packets of the POST have arrived. [chapter 6; Engine.IO 4, HTTP long-polling]
06:30:13.042 session- C> polling   40                                             2 B message · CONNECT                                The client wants to join the namespace /. [chapters 6 and 7; Socket.IO 5, Connection to a namespace]
06:30:13.042 session- C> http      GET /socket.io/?EIO=4&transport=polli...      53 B poll                                             The client asks for packets; the server holds the request until it has one. [chapters 4 and 10; Engine.IO 4, HTTP long-polling]
06:30:13.042 session- S> polling   40{"sid":"********************"}              32 B message · CONNECT {"sid":"********************.. The client has joined /; the sid is its socket's id there. [chapters 6 and 7; Socket.IO 5, Connection to a namespace]
06:30:13.042 session- S> http      40{"sid":"********************"}              32 B 200 OK                                           Answers the poll with what stands above. [chapter 6; Engine.IO 4, HTTP long-polling]
06:30:13.042 session- C> http      POST /socket.io/?EIO=4&transport=poll...      54 B packets                                          The client sends packets, in the request's body. [chapters 4 and 10; Engine.IO 4, HTTP long-polling]
06:30:13.042 -        S> http      ok                                             2 B 200 OK                                           The packets of the POST have arrived. [chapter 6; Engine.IO 4, HTTP long-polling]
06:30:13.042 session- C> polling   427["say","hello"]                            18 B message · EVENT ack 7 ["say","hello"]            The client emits "say", and wants an ack with the number 7. [chapters 6 and 7; Socket.IO 5, Sending and receiving data]
06:30:13.042 session- C> http      GET /socket.io/?EIO=4&transport=polli...      53 B poll                                             The client asks for packets; the server holds the request until it has one. [chapters 4 and 10; Engine.IO 4, HTTP long-polling]
06:30:13.042 session- S> polling   42["said","hello"]                            18 B message · EVENT ["said","hello"]                 The server emits "said". [chapters 6 and 7; Socket.IO 5, Sending and receiving data]
06:30:13.042 session- S> polling   437["ok"]                                      9 B message · ACK ack 7 ["ok"]                       The server answers the client's event 7. [chapters 6 and 7; Socket.IO 5, Acknowledgement]
06:30:13.042 session- S> http      42["said","hello"].437["ok"]                  28 B 200 OK                                           Answers the poll with what stands above. [chapter 6; Engine.IO 4, HTTP long-polling]
06:30:13.042 session- C> http      POST /socket.io/?EIO=4&transport=poll...      54 B packets                                          The client sends packets, in the request's body. [chapters 4 and 10; Engine.IO 4, HTTP long-polling]
06:30:13.042 -        S> http      ok                                             2 B 200 OK                                           The packets of the POST have arrived. [chapter 6; Engine.IO 4, HTTP long-polling]
06:30:13.042 session- C> polling   41                                             2 B message · DISCONNECT                             The client leaves /; the session lives on. [chapters 6 and 7; Socket.IO 5, Disconnection from a namespace]
06:30:13.042 session- C> polling   1                                              1 B close                                            The client ends the session. [chapter 6; Engine.IO 4, Protocol]
06:30:13.042 session- -- polling                                                      end: transport close                             The session is over: the client sent a close packet. [chapters 3 and 6; Engine.IO 4, Protocol]
)trace");
}

TEST_CASE("trace: an upgrade, with binary") {
  Stage stage;
  auto a = stage.raw(get(path)), b = stage.raw("");
  a.answer();
  a.send(post(path + "&sid=session-1", "40"));
  a.answer();
  a.send(get(path + "&sid=session-1"));
  a.answer();
  stage.trace.clear();
  b.send(upgrade(websocket_path + "&sid=session-1"));
  b.answer();
  b.send(text("2probe"));
  CHECK(b.hears(said(0x81, "3probe")));
  a.send(get(path + "&sid=session-1"));
  a.answer();  // noop, a tenth of a second later
  b.send(text("5"));
  settle(stage.loop);
  b.send(text("451-[\"say\",{\"_placeholder\":true,\"num\":0}]") + binary("\x01\x02\xff"));
  settle(stage.loop);
  b.send(close());
  CHECK(b.is_closed());
  stage.shows(R"trace(
06:30:13.042 session- C> websocket GET /socket.io/?EIO=4&transport=webso...      55 B upgrade                                          A WebSocket for a session that began over polling; it has to prove itself first. [chapters 4 and 10; Engine.IO 4, Upgrade]
06:30:13.042 session- S> websocket                                                    101 Switching Protocols                          The connection is a WebSocket from here on. [chapter 5; WebSocket, RFC 6455]
06:30:13.042 session- -- polling                                                      polling -> probing                               A WebSocket has come for the session. It is on trial, and polling goes on. [chapter 6; Engine.IO 4, Upgrade]
06:30:13.042 session- C> websocket 2probe                                         6 B ping probe                                       The client asks over the new WebSocket whether it works; polling goes on meanwhile. [chapter 6; Engine.IO 4, Upgrade]
06:30:13.042 session- -- polling                                                      probing -> probed                                The probe is answered. Held polls are released, so that none is on its way when the client upgrades. [chapter 6; Engine.IO 4, Upgrade]
06:30:13.042 session- S> websocket 3probe                                         6 B pong probe                                       The WebSocket works. What poll is held will be released, and then the client may upgrade. [chapter 6; Engine.IO 4, Upgrade]
06:30:13.042 session- C> http      GET /socket.io/?EIO=4&transport=polli...      53 B poll                                             The client asks for packets; the server holds the request until it has one. [chapters 4 and 10; Engine.IO 4, HTTP long-polling]
06:30:13.042 session- S> polling   6                                              1 B noop                                             Says nothing: it releases the held poll, so that the client can upgrade. [chapter 6; Engine.IO 4, Upgrade]
06:30:13.042 session- S> http      6                                              1 B 200 OK                                           Answers the poll with what stands above. [chapter 6; Engine.IO 4, HTTP long-polling]
06:30:13.042 session- C> websocket 5                                              1 B upgrade                                          The client gives up polling: from now on all packets travel over the WebSocket. [chapter 6; Engine.IO 4, Upgrade]
06:30:13.042 session- -- polling                                                      probed -> websocket                              The upgrade is done: what was queued for polling follows over the WebSocket. [chapter 6; Engine.IO 4, Upgrade]
06:30:13.042 session- C> websocket 451-["say",{"_placeholder":true,"num"...      41 B message · BINARY_EVENT ["say",{"_placeholder"... The client emits "say". 1 binary message follows. [chapters 6 and 7; Socket.IO 5, Sending and receiving data]
06:30:13.042 session- C> websocket 01 02 ff                                       3 B message · binary                                 The client sends bytes: what the event before has in place of a _placeholder. [chapters 6 and 7; Socket.IO 5, Packet encoding]
06:30:13.042 session- S> websocket 451-["said",{"_placeholder":true,"num...      42 B message · BINARY_EVENT ["said",{"_placeholder... The server emits "said". 1 binary message follows. [chapters 6 and 7; Socket.IO 5, Sending and receiving data]
06:30:13.042 session- S> websocket 01 02 ff                                       3 B message · binary                                 The server sends bytes: what the event before has in place of a _placeholder. [chapters 6 and 7; Socket.IO 5, Packet encoding]
06:30:13.042 session- -- websocket                                                    end: transport close                             The session is over: the client sent a close frame. [chapters 3 and 6; Engine.IO 4, Protocol]
)trace");
}

TEST_CASE("trace: a session over WebSocket, and what the server ends") {
  Stage stage;
  stage.io.use([](sio::Socket& socket, const sio::Next& next) {
    socket.handshake().auth().contains("token") ? next(sio::accept) : next(sio::refuse("who are you?"));
  });
  auto a = stage.raw(upgrade(websocket_path));
  settle(stage.loop);
  a.send(text("40"));
  settle(stage.loop);
  a.send(text("40{\"token\":1}"));
  settle(stage.loop);
  a.send(text("42[\"nobody listens\"]"));
  settle(stage.loop);
  for (auto& socket : stage.io.sockets()) socket.disconnect(true);
  settle(stage.loop);
  stage.shows(R"trace(
06:30:13.042 -        C> websocket GET /socket.io/?EIO=4&transport=webso...      41 B handshake                                        A client opens a session over WebSocket, without polling before. [chapters 4 and 10; Engine.IO 4, Handshake]
06:30:13.042 -        S> websocket                                                    101 Switching Protocols                          The connection is a WebSocket from here on. [chapter 5; WebSocket, RFC 6455]
06:30:13.042 session- S> websocket 0{"sid":"session-1","upgrades":[],"pi...      98 B open {"sid":"session-1","upgrades":[],"pingIn... The session begins: its id, whether it may upgrade, when pings come, how large a message may be. [chapter 6; Engine.IO 4, Handshake]
06:30:13.042 session- C> websocket 40                                             2 B message · CONNECT                                The client wants to join the namespace /. [chapters 6 and 7; Socket.IO 5, Connection to a namespace]
06:30:13.042 session- S> websocket 44{"message":"who are you?"}                  28 B message · CONNECT_ERROR {"message":"who are y... The client may not join /, and is told why. [chapters 6 and 7; Socket.IO 5, Connection to a namespace]
06:30:13.042 session- C> websocket 40{"token":1}                                 13 B message · CONNECT {"token":1}                    The client wants to join the namespace /; the payload is its auth. [chapters 6 and 7; Socket.IO 5, Connection to a namespace]
06:30:13.042 session- S> websocket 40{"sid":"********************"}              32 B message · CONNECT {"sid":"********************.. The client has joined /; the sid is its socket's id there. [chapters 6 and 7; Socket.IO 5, Connection to a namespace]
06:30:13.042 session- C> websocket 42["nobody listens"]                          20 B message · EVENT ["nobody listens"]               The client emits "nobody listens". [chapters 6 and 7; Socket.IO 5, Sending and receiving data]
06:30:13.042 session- S> websocket 41                                             2 B message · DISCONNECT                             The server takes the client out of /; the session lives on. [chapters 6 and 7; Socket.IO 5, Disconnection from a namespace]
06:30:13.042 session- -- websocket                                                    end: forced close                                The session is over. [chapters 3 and 6; Engine.IO 4, Protocol]
)trace");
}

TEST_CASE("trace: refusals") {
  Stage stage;
  stage.raw(get("/socket.io/?EIO=3&transport=polling")).answer();
  stage.raw(get(path + "&sid=nobody")).answer();
  stage.raw(head("OPTIONS", path)).answer();
  stage.raw(get("/nowhere")).answer();
  stage.raw(upgrade("/socket.io/?EIO=4&transport=carrier-pigeon")).answer();
  stage.raw("GET / HTTP/1.1\r\n\r\n").answer();
  auto a = stage.raw(get(path));
  a.answer();
  a.send(post(path + "&sid=session-1", "2"));
  a.answer();
  auto b = stage.raw(get(path));
  b.answer();
  b.send(post(path + "&sid=session-2", "4x"));
  b.answer();
  stage.shows(R"trace(
06:30:13.042 -        C> http      GET /socket.io/?EIO=3&transport=polli...      39 B handshake                                        A client opens a session over HTTP long-polling. [chapters 4 and 10; Engine.IO 4, Handshake]
06:30:13.042 -        S> http      {"code":5,"message":"Unsupported prot...      51 B 400 Bad Request                                  Refused: {"code":5,"message":"Unsupported protocol version"} [chapters 3 and 10; HTTP/1.1]
06:30:13.042 nobody   C> http      GET /socket.io/?EIO=4&transport=polli...      50 B poll                                             The client asks for packets; the server holds the request until it has one. [chapters 4 and 10; Engine.IO 4, HTTP long-polling]
06:30:13.042 -        S> http      {"code":1,"message":"Session ID unkno...      41 B 400 Bad Request                                  Refused: {"code":1,"message":"Session ID unknown"} [chapters 3 and 10; HTTP/1.1]
06:30:13.042 -        C> http      OPTIONS /socket.io/?EIO=4&transport=p...      43 B preflight                                        A browser asks whether a page of another origin may do this. [chapters 4 and 10; Fetch, CORS]
06:30:13.042 -        S> http      {"code":2,"message":"Bad handshake me...      43 B 400 Bad Request                                  Refused: {"code":2,"message":"Bad handshake method"} [chapters 3 and 10; HTTP/1.1]
06:30:13.042 -        C> http      GET /nowhere                                  12 B request                                          A request that is not Engine.IO's: a route of the program answers, or 404. [chapters 4 and 10; HTTP/1.1]
06:30:13.042 -        S> http                                                     0 B 404 Not Found                                    Refused. [chapters 3 and 10; HTTP/1.1]
06:30:13.042 -        C> websocket GET /socket.io/?EIO=4&transport=carri...      46 B handshake                                        A client opens a session over WebSocket, without polling before. [chapters 4 and 10; Engine.IO 4, Handshake]
06:30:13.042 -        S> http      Transport unknown                             17 B 400 Bad Request                                  Refused: Transport unknown [chapters 3 and 10; HTTP/1.1]
06:30:13.042 -        S> http      the request does not have exactly one...      42 B 400 Bad Request                                  Refused: the request does not have exactly one Host [chapters 3 and 10; HTTP/1.1]
06:30:13.042 -        C> http      GET /socket.io/?EIO=4&transport=polli...      39 B handshake                                        A client opens a session over HTTP long-polling. [chapters 4 and 10; Engine.IO 4, Handshake]
06:30:13.042 session- S> polling   0{"sid":"session-1","upgrades":["webs...     109 B open {"sid":"session-1","upgrades":["websocke... The session begins: its id, whether it may upgrade, when pings come, how large a message may be. [chapter 6; Engine.IO 4, Handshake]
06:30:13.042 -        S> http      0{"sid":"session-1","upgrades":["webs...     109 B 200 OK                                           Answers the poll with what stands above. [chapter 6; Engine.IO 4, HTTP long-polling]
06:30:13.042 session- C> http      POST /socket.io/?EIO=4&transport=poll...      54 B packets                                          The client sends packets, in the request's body. [chapters 4 and 10; Engine.IO 4, HTTP long-polling]
06:30:13.042 -        S> http      ok                                             2 B 200 OK                                           The packets of the POST have arrived. [chapter 6; Engine.IO 4, HTTP long-polling]
06:30:13.042 session- C> polling   2                                              1 B ping                                             A client's ping is of protocol 3; in 4 the server pings, so the session ends. [chapter 6; Engine.IO 4, Heartbeat]
06:30:13.042 session- -- polling                                                      end: transport error                             The session is over: a ping from the client: since protocol 4 the server pings. [chapters 3 and 6; Engine.IO 4, Protocol]
06:30:13.042 -        C> http      GET /socket.io/?EIO=4&transport=polli...      39 B handshake                                        A client opens a session over HTTP long-polling. [chapters 4 and 10; Engine.IO 4, Handshake]
06:30:13.042 session- S> polling   0{"sid":"session-2","upgrades":["webs...     109 B open {"sid":"session-2","upgrades":["websocke... The session begins: its id, whether it may upgrade, when pings come, how large a message may be. [chapter 6; Engine.IO 4, Handshake]
06:30:13.042 -        S> http      0{"sid":"session-2","upgrades":["webs...     109 B 200 OK                                           Answers the poll with what stands above. [chapter 6; Engine.IO 4, HTTP long-polling]
06:30:13.042 session- C> http      POST /socket.io/?EIO=4&transport=poll...      54 B packets                                          The client sends packets, in the request's body. [chapters 4 and 10; Engine.IO 4, HTTP long-polling]
06:30:13.042 -        S> http      ok                                             2 B 200 OK                                           The packets of the POST have arrived. [chapter 6; Engine.IO 4, HTTP long-polling]
06:30:13.042 session- C> polling   4x                                             2 B message · x                                      The client sends a message that is no packet of Socket.IO: an unknown Socket.IO packet type. [chapter 6; Engine.IO 4, Message]
06:30:13.042 session- -- polling                                                      polling -> lingering                             The server has ended the session; the client learns it from its next poll. [chapter 6; Engine.IO 4, Protocol]
)trace");
}

TEST_CASE("trace: what cannot stand in a line") {
  const auto said = [](std::string_view text, bool binary = false, bool incoming = true) {
    return sio::trace_line({.incoming = incoming,
                            .binary = binary,
                            .session = "\x1b[2J-evil-session",
                            .transport = "websocket",
                            .text = text},
                           false);
  };
  for (const auto text : {"4\x1b[31m\r\nred\x7f"sv, "42[\"\\u001b[2J\",\"\x1b\"]"sv, "4\xff\xfe\xc3"sv, ""sv, "4"sv,
                          "9"sv, "7?"sv, "b@@"sv, "0"sv, "2proberly"sv}) {
    for (const bool incoming : {true, false}) {
      const auto line = said(text, false, incoming);
      CHECK(std::none_of(line.begin(), line.end(), [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; }));
      CHECK_FALSE(sio::bytes::Utf8Text(line).view() != line);  // it is UTF-8
    }
  }
  CHECK(said("42[\"" + std::string(100'000, 'x') + "\"]").size() < 500);
  CHECK(said(std::string(100'000, '\xff'), true).size() < 500);
  CHECK(said("\x00\x01", true).find("00 01") == std::string::npos);  // a C string ends at once
  CHECK(said("\x00\x01"sv, true).find("00 01 ") != std::string::npos);
  CHECK(said("\xe2\x82\xac").find("unknown") != std::string::npos);
  CHECK(said(std::string(300, '9')).find("unknown") != std::string::npos);
  CHECK(said("43" + std::string(300, '9') + "[]").size() < 900);
}

TEST_CASE("trace: colours, and a sink that throws") {
  const TraceRecord record{.incoming = true, .session = "abc", .transport = "polling", .text = "3"};
  const auto plain = sio::trace_line(record), coloured = sio::trace_line(record, true);
  CHECK(plain.find('\x1b') == std::string::npos);
  std::string stripped;
  for (std::size_t i = 0; i < coloured.size(); ++i) {
    if (coloured[i] == '\x1b') i = coloured.find('m', i);
    else stripped += coloured[i];
  }
  CHECK(stripped == plain);

  asio::io_context loop;
  std::vector<std::string> errors;
  sio::Server io(loop, {.host = "127.0.0.1",
                        .port = 0,
                        .log_level = sio::LogLevel::error,
                        .log_sink = [&](const sio::LogRecord& line) { errors.emplace_back(line.message); },
                        .trace = [](const TraceRecord&) { throw std::runtime_error("a bug"); }});
  io.listen();
  polling_client::Client client(loop, io.port());
  CHECK(client.join().size() == 20);
  CHECK(errors.size() > 3);
  CHECK(errors.front() == "trace threw");
}
