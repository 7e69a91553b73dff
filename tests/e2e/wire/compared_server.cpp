// The server of the differential tests, on our header. compared_server.js is the same program on the official server,
// and says what it is for. Whatever one of them does, the other one has to do too: keep both small, and change them
// together.
#include "sio_demo.hpp"

#include <algorithm>
#include <asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sio = sio_demo;
using Arguments = sio::json::array_t;

namespace {

sio::json journal = sio::json::array();
bool aloud = false;  // the server is closing: who wants to read the journal has to read it from here

std::vector<std::string> made;                         // names of namespaces
std::map<std::string, std::function<void()>> waiting;  // clients that wait to be let in
std::map<std::string, sio::Socket> kept;               // to be reached whether they are still there or not
sio::Namespace* fan = nullptr;
using Data = std::map<std::string, sio::json>;

void note(const sio::Socket& socket, std::string_view what) {
  journal.push_back({std::string(socket.handshake().query()["tag"]), socket.nsp().name(), std::string(what)});
  if (aloud) std::puts(("journal " + journal.back().dump()).c_str()), std::fflush(stdout);
}

std::string text(const Arguments& arguments, std::size_t i) {
  return i < arguments.size() && arguments[i].is_string() ? arguments[i].get<std::string>() : std::string();
}

std::string text(std::error_code error) {
  return error == std::errc::timed_out       ? "operation has timed out"
         : error == std::errc::not_connected ? "somebody left"
                                             : error.message();
}

sio::json null_or_text(std::error_code error) { return error ? sio::json(text(error)) : sio::json(); }

sio::json::array_t behind(const Arguments& arguments, std::size_t skip) {
  return {arguments.begin() + static_cast<std::ptrdiff_t>((std::min)(skip, arguments.size())), arguments.end()};
}

sio::Milliseconds milliseconds(const Arguments& arguments, std::size_t i) {
  return sio::Milliseconds(arguments.at(i).get<int>());
}

void after(asio::io_context& loop, sio::Milliseconds delay, std::function<void()> action) {
  auto timer = std::make_shared<asio::steady_timer>(loop, delay);
  timer->async_wait([timer, action = std::move(action)](const std::error_code& error) {
    if (!error) action();
  });
}

void every(sio::Namespace& nsp) {  // what all namespaces have in common
  nsp.on_connection([](sio::Socket& socket) {
    note(socket, socket.recovered() ? "recovered" : "connected");
    if (socket.handshake().query()["greet"] == "1") socket.emit("hello", 1);
  });
  nsp.on_disconnect([](sio::Socket& socket, const sio::Disconnect& disconnect) { note(socket, disconnect.text); });

  nsp.on("echo", [](sio::Socket&, const Arguments& arguments, sio::Reply<> reply) { reply(sio::each(arguments)); });
  nsp.on("who", [](sio::Socket& socket, const Arguments&, sio::Reply<> reply) {
    reply(sio::json{{"id", socket.id()}, {"transport", std::string(socket.transport())}});
  });
  nsp.on("handshake", [](sio::Socket& socket, const Arguments&, sio::Reply<> reply) {
    const auto handshake = socket.handshake();
    std::map<std::string, std::string> query;
    for (const auto& [name, value] : handshake.query().parameters) query[name] = value;
    auto pairs = sio::json::array();
    for (const auto& [name, value] : query) pairs.push_back({name, value});
    sio::json answer{{"address", std::string(handshake.address)},
                     {"auth", handshake.auth()},
                     {"query", pairs},
                     {"secure", false},
                     {"url", std::string(handshake.url)},
                     {"xdomain", handshake.xdomain()}};
    if (const auto probe = handshake.header("x-probe"); !probe.empty()) answer["probe"] = std::string(probe);
    reply(answer);
  });
  nsp.on("whole-handshake",
         [](sio::Socket& socket, const Arguments&, sio::Reply<> reply) { reply(socket.handshake().to_json()); });
  nsp.on("made", [](sio::Socket&, const Arguments& arguments, sio::Reply<> reply) {
    auto names = sio::json::array();
    for (const auto& name : made)
      if (name.starts_with(text(arguments, 0))) names.push_back(name);
    reply(names);
  });
  nsp.on("later", [](sio::Socket& socket, const Arguments& arguments, sio::Reply<> reply) {
    after(socket.nsp().server().loop(), sio::Milliseconds(400), [arguments, reply] { reply(sio::each(arguments)); });
  });
  nsp.on("twice", [](sio::Socket&, const Arguments&, sio::Reply<> reply) { reply(1), reply(2); });

  nsp.on("echo-back",
         [](sio::Socket& socket, const Arguments& arguments) { socket.emit("echoed", sio::each(arguments)); });
  nsp.on("echo-volatile", [](sio::Socket& socket, const Arguments& arguments) {
    for (const auto& argument : arguments) socket.volatile_().emit("echoed", argument);
  });
  nsp.on("bin", [](sio::Socket& socket, const Arguments& arguments) { socket.emit("bin", sio::each(arguments)); });
  nsp.on("burst", [](sio::Socket& socket, const Arguments& arguments) {
    const int times = arguments.empty() || !arguments[0].is_number() ? 0 : arguments[0].get<int>();
    for (int i = 0; i < times; ++i) socket.emit("burst", i);
  });
  nsp.on("leave", [](sio::Socket& socket, const Arguments&) { socket.disconnect(); });
  nsp.on("kick", [](sio::Socket& socket, const Arguments&) { socket.disconnect(true); });
  nsp.on("close-engine", [](sio::Socket& socket, const Arguments&) {
    if (socket.conn()) socket.conn()->close();
  });
  nsp.on("close-server", [](sio::Socket& socket, const Arguments&) {
    aloud = true;
    socket.nsp().server().close();
  });

  nsp.on("join", [](sio::Socket& socket, const Arguments& arguments) { socket.join(text(arguments, 0)); });
  nsp.on("part", [](sio::Socket& socket, const Arguments& arguments) { socket.leave(text(arguments, 0)); });
  nsp.on("shout", [](sio::Socket& socket, const Arguments& arguments) {
    socket.nsp().to(text(arguments, 0)).emit("shout", text(arguments, 1));
  });
  nsp.on("shout-both", [](sio::Socket& socket, const Arguments& arguments) {
    socket.nsp().to(text(arguments, 0)).to(text(arguments, 1)).emit("shout", text(arguments, 2));
  });
  nsp.on("shout-others", [](sio::Socket& socket, const Arguments& arguments) {
    socket.to(text(arguments, 0)).emit("shout", text(arguments, 1));
  });
  nsp.on("shout-except", [](sio::Socket& socket, const Arguments& arguments) {
    socket.nsp().to(text(arguments, 0)).except(text(arguments, 1)).emit("shout", text(arguments, 2));
  });
  nsp.on("shout-except-two", [](sio::Socket& socket, const Arguments& arguments) {
    socket.nsp()
        .to(text(arguments, 0))
        .except({text(arguments, 1), text(arguments, 2)})
        .emit("shout", text(arguments, 3));
  });
  nsp.on("shout-local", [](sio::Socket& socket, const Arguments& arguments) {
    socket.nsp().local().to(text(arguments, 0)).emit("shout", sio::each(behind(arguments, 1)));
  });
  nsp.on("shout-volatile", [](sio::Socket& socket, const Arguments& arguments) {
    for (std::size_t i = 1; i < arguments.size(); ++i)
      socket.nsp().to(text(arguments, 0)).volatile_().emit("shout", text(arguments, i));
  });

  nsp.on("fan-out", [](sio::Socket&, const Arguments& arguments) {
    if (arguments.size() > 1) fan->to(text(arguments, 1)).emit("shout", text(arguments, 0));
    else fan->emit("shout", text(arguments, 0));
  });
  nsp.on("all-join", [](sio::Socket& socket, const Arguments& arguments) {
    socket.nsp().in(text(arguments, 0)).sockets_join(text(arguments, 1));
  });
  nsp.on("all-part", [](sio::Socket& socket, const Arguments& arguments) {
    socket.nsp().in(text(arguments, 0)).sockets_leave(text(arguments, 1));
  });
  nsp.on("all-go", [](sio::Socket& socket, const Arguments& arguments) {
    socket.nsp().in(text(arguments, 0)).disconnect_sockets(arguments.size() > 1 && arguments[1] == true);
  });
  nsp.on("fetch", [](sio::Socket& socket, const Arguments& arguments, sio::Reply<> reply) {
    socket.nsp()
        .in(text(arguments, 0))
        .fetch_sockets([reply](std::error_code, const std::vector<sio::RemoteSocket>& all) {
          auto list = sio::json::array();
          for (const auto& one : all)
            list.push_back({{"auth", one.handshake["auth"]},
                            {"data", one.data},
                            {"id", one.id},
                            {"rooms", one.rooms},
                            {"tag", one.handshake["query"]["tag"]}});
          reply(list);
        });
  });
  nsp.on("remote", [](sio::Socket& socket, const Arguments& arguments) {
    socket.nsp()
        .in(text(arguments, 0))
        .fetch_sockets([other = text(arguments, 1)](std::error_code, const std::vector<sio::RemoteSocket>& all) {
          for (const auto& one : all) one.emit("shout", "from afar"), one.join(other);
        });
  });
  nsp.on("tell-servers", [](sio::Socket& socket, const Arguments& arguments, sio::Reply<> reply) {
    socket.nsp().server_side_emit_with_ack(
        "told", sio::each(arguments),
        [reply](std::error_code error, const Arguments& answers) { reply(null_or_text(error), answers); });
  });

  nsp.on("remember", [](sio::Socket& socket, const Arguments& arguments) {
    socket.data<Data>()[text(arguments, 0)] = arguments.at(1);
  });
  nsp.on("recall", [](sio::Socket& socket, const Arguments&, sio::Reply<> reply) {
    reply(socket.recovered(), socket.rooms(), socket.data<Data>());
  });
  nsp.on("let-in", [](sio::Socket&, const Arguments& arguments) { waiting.at(text(arguments, 0))(); });
  nsp.on("keep",
         [](sio::Socket& socket, const Arguments& arguments) { kept.insert_or_assign(text(arguments, 0), socket); });
  nsp.on("poke", [](sio::Socket&, const Arguments& arguments) {
    kept.at(text(arguments, 0)).emit("poked", sio::each(behind(arguments, 1)));
  });

  nsp.on("ask", [](sio::Socket& socket, const Arguments& arguments) {
    socket.emit_with_ack("question", sio::each(arguments), [socket](std::error_code error, const Arguments& answer) {
      if (!error) socket.emit("answered", sio::each(answer));
    });
  });
  nsp.on("ask-within", [](sio::Socket& socket, const Arguments& arguments) {
    socket.timeout(milliseconds(arguments, 0))
        .emit("question", arguments[0], [socket](std::error_code error, const Arguments& answer) {
          socket.emit("answered", error ? sio::json(text(error)) : answer.empty() ? sio::json() : answer[0]);
        });
  });
  const auto answers_to = [](const sio::Socket& socket) {
    return [socket](std::error_code error, const Arguments& answers) {
      socket.emit("answers", null_or_text(error), answers);
    };
  };
  nsp.on("ask-room", [answers_to](sio::Socket& socket, const Arguments& arguments) {
    socket.nsp()
        .to(text(arguments, 0))
        .timeout(milliseconds(arguments, 1))
        .emit("question", sio::each(behind(arguments, 2)), answers_to(socket));
  });
  nsp.on("ask-others", [answers_to](sio::Socket& socket, const Arguments& arguments) {
    socket.to(text(arguments, 0))
        .timeout(milliseconds(arguments, 1))
        .emit("question", sio::each(behind(arguments, 2)), answers_to(socket));
  });
}

std::string shapes(const sio::socketio::Arguments& arguments) {
  std::string out;
  for (const auto& argument : arguments.values()) {
    if (!argument.is_binary()) {
      out += " " + argument.dump();
      continue;
    }
    out += " <";
    for (const unsigned byte : argument.get_binary())
      out += "0123456789abcdef"[byte / 16], out += "0123456789abcdef"[byte % 16];
    out += ">";
  }
  return out;
}

void watch(sio::Namespace& nsp) {  // its sockets have handlers and middlewares of their own
  nsp.on_connection([](sio::Socket& its) {
    its.use([](sio::Socket& socket, std::string_view event, const sio::socketio::Arguments&, sio::Next next) {
      if (event == "slow") after(socket.nsp().server().loop(), sio::Milliseconds(300), [next] { next(sio::accept); });
      else if (event == "refused") next(sio::refuse("refused by the first"));
      else next(sio::accept);
    });
    its.use([](sio::Socket&, std::string_view event, const sio::socketio::Arguments&, sio::Next next) {
      if (event == "refused later") next(sio::refuse("refused by the second"));
      else next(sio::accept);
    });
    its.on_error([](sio::Socket& socket, const sio::Refuse& error) {
      if (error.message.starts_with("refused")) socket.emit("trouble", error.message);
      else note(socket, ": error");
    });
    its.on_any([](sio::Socket& socket, std::string_view event, const sio::socketio::Arguments& arguments) {
      note(socket, ": in " + std::string(event) + shapes(arguments));
    });
    its.on_any_outgoing([](sio::Socket& socket, std::string_view event, const sio::socketio::Arguments& arguments) {
      note(socket, ": out " + std::string(event) + shapes(arguments));
    });
    its.on_upgrade([](sio::Socket& socket) { note(socket, ": upgraded to " + std::string(socket.transport())); });
    its.once("one", [](sio::Socket& socket, const Arguments&) { socket.emit("one heard"); });
    for (const char* event : {"tell", "slow"})
      its.on(event, [](sio::Socket& socket, const Arguments& arguments) { socket.emit("told", sio::each(arguments)); });
    for (const char* event : {"refused", "refused later"})
      its.on(event, [](sio::Socket& socket, const Arguments&) { socket.emit("never"); });
    its.on("deafen", [](sio::Socket& socket, const Arguments&) { socket.off("tell").off_any().off_any_outgoing(); });
    its.on_disconnecting([](sio::Socket& socket, const sio::Disconnect&) {
      note(socket, ": leaves " + std::to_string(socket.rooms().size()) + " rooms");
    });
    its.on_disconnect([](sio::Socket& socket, const sio::Disconnect&) {
      note(socket, ": is in " + std::to_string(socket.rooms().size()) + " rooms");
    });
  });
}

sio::Options flags(int count, char** arguments) {
  sio::Options options{.host = "127.0.0.1", .port = 0};
  for (int i = 1; i < count; ++i) {
    const std::string flag = arguments[i];
    if (flag == "--no-cors") {
      options.cors = {};
      continue;
    }
    if (flag == "--tidy") {
      options.cleanup_empty_child_namespaces = true;
      continue;
    }
    if (flag == "--ask-again") {
      options.connection_state_recovery.skip_middlewares = false;
      continue;
    }
    if (i + 1 == count) std::fprintf(stderr, "%s needs a value\n", flag.c_str()), std::exit(2);
    const std::string value = arguments[++i];
    const auto number = [&] { return std::stoul(value); };
    const auto time = [&] { return sio::Milliseconds(static_cast<long>(number())); };
    if (flag == "--port") options.port = static_cast<std::uint16_t>(number());
    else if (flag == "--host") options.host = value;
    else if (flag == "--ping-interval") options.ping_interval = time();
    else if (flag == "--ping-timeout") options.ping_timeout = time();
    else if (flag == "--upgrade-timeout") options.upgrade_timeout = time();
    else if (flag == "--connect-timeout") options.connect_timeout = time();
    else if (flag == "--recovery") options.connection_state_recovery.max_disconnection_duration = time();
    else if (flag == "--max-payload") options.max_payload = number();
    else if (flag == "--cors-origin") options.cors.origins.push_back(value), options.cors.credentials = true;
    else std::fprintf(stderr, "unknown flag %s\n", flag.c_str()), std::exit(2);
  }
  return options;
}

}  // namespace

int main(int count, char** arguments) {
  sio::Server io(flags(count, arguments));
  io.on_new_namespace([](sio::Namespace& nsp) {
    made.push_back(nsp.name());
    if (nsp.name().ends_with("strict")) nsp.use([](sio::Socket&, sio::Next next) { next(sio::refuse("strict")); });
  });
  for (const char* name :
       {"/", "/plain", "/é x", "/acks", "/acks-more", "/admin", "/deny", "/slow", "/gate", "/early", "/watched"})
    every(io.of(name));
  io.of("/admin").use([](sio::Socket& socket, sio::Next next) {
    if (socket.recovered()) note(socket, ": asked again");
    const auto& auth = socket.handshake().auth();
    if (auth.contains("token") && auth["token"] == "abc") next(sio::accept);
    else next(sio::refuse("nope", {{"content", "retry"}, {"n", 1}}));
  });
  io.of("/deny").use([](sio::Socket&, sio::Next next) { next(sio::refuse("nope")); });
  io.of("/slow").use(
      [&io](sio::Socket&, sio::Next next) { after(io.loop(), sio::Milliseconds(400), [next] { next(sio::accept); }); });
  io.of("/gate").use([](sio::Socket& socket, sio::Next next) {
    const auto& auth = socket.handshake().auth();
    if (auth.contains("wait")) waiting[auth["wait"].get<std::string>()] = [next] { next(sio::accept); };
    else next(sio::accept);
  });
  io.of("/early").use([](sio::Socket& socket, sio::Next next) { socket.emit("early", 1), next(sio::accept); });
  watch(io.of("/watched"));
  const auto begins = [](std::string_view with) {
    return [with](std::string_view name, const sio::json&) { return name.starts_with(with); };
  };
  sio::Namespace& rooms = io.of(begins("/room-"));
  every(rooms);
  rooms.use([](sio::Socket& socket, sio::Next next) {
    const auto& auth = socket.handshake().auth();
    if (auth.contains("token") && auth["token"] == "wrong") next(sio::refuse("nope"));
    else next(sio::accept);
  });
  every(io.of([&io](std::string_view name, const sio::json& auth, std::function<void(bool)> answer) {
    const auto now = [answer, good = name.starts_with("/asked-") && auth.contains("token") && auth["token"] == "abc"] {
      answer(good);
    };
    if (auth.contains("wait")) waiting[auth["wait"].get<std::string>()] = now;
    else after(io.loop(), sio::Milliseconds(100), now);
  }));
  fan = &io.of(begins("/fan-"));
  every(*fan);
  every(io.of(begins("/asked-again-")));
  io.http().get("/reasons", [](const sio::http::Request&) {
    return sio::http::Response{200, "application/json", journal.dump(), {}};
  });

  asio::signal_set signals(io.loop(), SIGTERM);
  signals.async_wait([&io](const std::error_code& error, int) {
    if (!error) io.close();
  });
  io.listen();
  std::printf("listening %s:%d\n", io.options().host.c_str(), static_cast<int>(io.port()));
  std::fflush(stdout);
  const int status = io.run();
  signals.cancel();
  return status;
}
