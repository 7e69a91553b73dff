// A server of a cluster, on our header and its Redis adapter. cluster_server.js is the same program on the official
// server. Whatever one of them does, the other one has to do too: change them together.
//
//     cluster_server [PORT] [--redis URL] [--key PREFIX] [--requests-timeout MS] [--name NAME] [--path PATH]
//
// prints `listening 127.0.0.1:PORT`; SIGTERM ends it. Without --redis it is alone. A client's events make it do each
// operation that concerns the whole cluster; a `target` is {rooms, except, volatile, local}, all of them optional.
#include "sio_demo.hpp"

#include <asio/signal_set.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

namespace sio = sio_demo;
using sio::json;
using Arguments = json::array_t;
using Strings = std::vector<std::string>;

namespace {

std::string name = "ours";

struct Kept {
  json value = json::object();
};
void to_json(json& out, const Kept& kept) { out = kept.value; }

/// Those whom a client means.
sio::Broadcast pick(const sio::Socket& socket, const json& target) {
  auto those = socket.nsp().to(target.value("rooms", Strings{})).except(target.value("except", Strings{}));
  if (target.value("volatile", false)) those = those.volatile_();
  if (target.value("local", false)) those = those.local();
  return those;
}

std::string text(const json& value) { return value.get<std::string>(); }

/// What is left of the arguments, from some position on.
Arguments from(const Arguments& arguments, std::ptrdiff_t first) {
  return Arguments(arguments.begin() + first, arguments.end());
}

json sorted(Strings names) { return std::sort(names.begin(), names.end()), json(std::move(names)); }

json details(const sio::RemoteSocket& socket) {
  const auto& handshake = socket.handshake;
  const auto query = handshake.at("query"), headers = handshake.at("headers");
  return {{"id", socket.id},
          {"rooms", sorted(socket.rooms)},
          {"data", socket.data},
          {"handshake",
           {{"address", handshake.at("address")},
            {"auth", handshake.at("auth")},
            {"query", query.value("who", json())},
            {"agent", headers.value("x-agent", json())},
            {"url", handshake.at("url")},
            {"issued", handshake.at("issued").is_number() ? "number" : "something else"}}}};
}

/// With the handle of a socket that may be anywhere.
void one(const sio::RemoteSocket& socket, const std::string& what, const Arguments& values, const sio::Reply<>& reply) {
  if (what == "emit") socket.emit(text(values.at(0)), sio::each(from(values, 1)));
  if (what == "join") socket.join(text(values.at(0)));
  if (what == "leave") socket.leave(text(values.at(0)));
  if (what == "out") socket.disconnect(values.at(0).get<bool>());
  if (what == "ask")
    socket.emit_with_ack(text(values.at(0)), sio::each(from(values, 1)),
                         [=](std::error_code error, const Arguments& answer) {
                           reply(bool(error), error || answer.empty() ? json() : answer.front());
                         });
}

/// What a client may ask for in every namespace.
void listen(sio::Namespace& nsp) {
  nsp.on("name", [](sio::Socket&, const Arguments&, sio::Reply<> reply) { reply(name); });
  nsp.on("address", [](sio::Socket& socket, const Arguments&, sio::Reply<> reply) {
    reply(std::string(socket.handshake().address));
  });
  nsp.on("join",
         [](sio::Socket& socket, const Arguments& a, sio::Reply<> reply) { socket.join(text(a.at(0))), reply(); });
  nsp.on("leave",
         [](sio::Socket& socket, const Arguments& a, sio::Reply<> reply) { socket.leave(text(a.at(0))), reply(); });
  nsp.on("keep", [](sio::Socket& socket, const Arguments& a, sio::Reply<> reply) {
    socket.data<Kept>().value = a.at(0), reply();
  });

  nsp.on("emit", [](sio::Socket& socket, const Arguments& a) {
    pick(socket, a.at(0)).emit(text(a.at(1)), sio::each(from(a, 2)));
  });
  nsp.on("others", [](sio::Socket& socket, const Arguments& a) {
    const auto rooms = a.at(0).get<Strings>();
    (rooms.empty() ? socket.broadcast() : socket.to(rooms)).emit(text(a.at(1)), sio::each(from(a, 2)));
  });
  nsp.on("ask", [](sio::Socket& socket, const Arguments& a, sio::Reply<> reply) {
    pick(socket, a.at(0))
        .timeout(std::chrono::milliseconds(a.at(1).get<int>()))
        .emit(text(a.at(2)), sio::each(from(a, 3)),
              [=](std::error_code error, const Arguments& answers) { reply(bool(error), answers); });
  });
  nsp.on("fetch", [](sio::Socket& socket, const Arguments& a, sio::Reply<> reply) {
    pick(socket, a.at(0)).fetch_sockets([=](std::error_code error, const std::vector<sio::RemoteSocket>& sockets) {
      auto all = json::array();
      for (const auto& each : sockets) all.push_back(details(each));
      if (error) reply(true, error.message());
      else reply(false, all);
    });
  });
  nsp.on("all join",
         [](sio::Socket& socket, const Arguments& a) { pick(socket, a.at(0)).sockets_join(a.at(1).get<Strings>()); });
  nsp.on("all leave",
         [](sio::Socket& socket, const Arguments& a) { pick(socket, a.at(0)).sockets_leave(a.at(1).get<Strings>()); });
  nsp.on("all out", [](sio::Socket& socket, const Arguments& a) {
    pick(socket, a.at(0)).disconnect_sockets(a.at(1).get<bool>());
  });
  nsp.on("rooms", [](sio::Socket& socket, const Arguments&, sio::Reply<> reply) {
    socket.nsp().all_rooms([=](std::error_code error, const Strings& rooms) {
      if (error) reply(true, error.message());
      else reply(false, sorted(rooms));
    });
  });
  nsp.on("servers", [](sio::Socket& socket, const Arguments&, sio::Reply<> reply) {
    socket.nsp().adapter().server_count([=](std::error_code error, std::size_t count) {
      if (!error) reply(count);
    });
  });
  nsp.on("one", [](sio::Socket& socket, const Arguments& a, sio::Reply<> reply) {
    socket.nsp().in(text(a.at(0))).fetch_sockets([=](std::error_code, const std::vector<sio::RemoteSocket>& sockets) {
      one(sockets.at(0), text(a.at(1)), from(a, 2), reply);
    });
  });

  nsp.on("tell servers", [](sio::Socket& socket, const Arguments& a) {
    socket.nsp().server_side_emit(text(a.at(0)), sio::each(from(a, 1)));
  });
  nsp.on("ask servers", [](sio::Socket& socket, const Arguments& a, sio::Reply<> reply) {
    socket.nsp().server_side_emit_with_ack(
        text(a.at(0)), sio::each(from(a, 1)),
        [=](std::error_code error, const Arguments& answers) { reply(bool(error), answers); });
  });
}

/// What the other servers may say.
void hear(sio::Namespace& nsp) {
  nsp.on_server_side_emit(
      "note", [&nsp](const Arguments& values, const auto&) { nsp.local().emit("noted", name, sio::each(values)); });
  nsp.on_server_side_emit("question", [](const Arguments& values, const auto& answer) {
    answer({{"from", name}, {"what", values.at(0)}});
  });
  nsp.on_server_side_emit("silence", [](const Arguments&, const auto&) {});
}

}  // namespace

int main(int count, char** arguments) {
  sio::Options options{.host = "127.0.0.1", .port = 0};
  options.cleanup_empty_child_namespaces = true;
  options.trusted_proxies = {"127.0.0.1"};  // clients of the tests have the other addresses of 127.0.0.0/8
  options.max_json_tokens = 1'000'000;      // as the official server, which has no limit
  std::string redis, key = "socket.io";
  int requests_timeout = 5000;
  for (int i = 1; i < count; ++i) {
    const std::string flag = arguments[i];
    if (!flag.starts_with("--")) options.port = static_cast<std::uint16_t>(std::stoi(flag));
    else if (++i == count) return std::fprintf(stderr, "%s wants a value\n", flag.c_str()), 2;
    else if (flag == "--redis") redis = arguments[i];
    else if (flag == "--key") key = arguments[i];
    else if (flag == "--requests-timeout") requests_timeout = std::stoi(arguments[i]);
    else if (flag == "--name") name = arguments[i];
    else if (flag == "--path") options.path = arguments[i];
    else return std::fprintf(stderr, "no such flag: %s\n", flag.c_str()), 2;
  }

  sio::Server io{options};
  if (!redis.empty())
    io.adapter(
        sio::redis::adapter(redis, {.key = key, .requests_timeout = std::chrono::milliseconds(requests_timeout)}));
  auto& tenants = io.of([](std::string_view nsp, const json&) {
    return nsp.starts_with("/tenant-") && nsp.size() > 8 && nsp.find_first_not_of("0123456789", 8) == nsp.npos;
  });
  io.on_new_namespace(
      [](sio::Namespace& nsp) { hear(nsp); });  // handlers of a parent count for clients' events, not for servers'
  for (auto* nsp : {&io.of("/"), &io.of("/chat"), &tenants}) listen(*nsp);
  hear(io.of("/"));

  io.http().get("/metrics", sio::metrics(io));

  asio::signal_set signals(io.loop(), SIGTERM);
  signals.async_wait([&](std::error_code cancelled, int) {
    if (!cancelled) io.close();
  });
  io.listen();
  std::printf("listening 127.0.0.1:%d\n", io.port()), std::fflush(stdout);
  return io.run();
}
