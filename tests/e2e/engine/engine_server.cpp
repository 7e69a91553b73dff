// The servers of engine_api.test.js, on our header. engine_server.js is the same program on the official packages, and
// says what it is for. Whatever one of them does, the other one has to do too: keep both small, and change them
// together.
#include "sio_demo.hpp"

#include <asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>

namespace sio = sio_demo;
namespace eio = sio_demo::engineio;

namespace {

sio::json journal = sio::json::array();

std::string tag(const sio::http::Request& request) { return std::string(request.query["tag"]); }

void after(asio::io_context& loop, sio::Milliseconds delay, std::function<void()> action) {
  auto timer = std::make_shared<asio::steady_timer>(loop, delay);
  timer->async_wait([timer, action = std::move(action)](const std::error_code& error) {
    if (!error) action();
  });
}

/// Serves until SIGTERM, and the journal at /journal.
int serve(sio::Host& host) {
  host.http().get("/journal", [](const sio::http::Request&) {
    return sio::http::Response{200, "application/json", journal.dump(), {}};
  });
  host.on_connection_error([](const sio::ConnectionError& error) {
    journal.push_back({tag(error.request), error.code, std::string(error.message), std::string(error.details)});
  });
  asio::signal_set signals(host.loop(), SIGTERM);
  signals.async_wait([&host](const std::error_code& error, int) {
    if (!error) host.close();
  });
  host.listen();
  std::printf("listening %s:%d\n", host.options().host.c_str(), static_cast<int>(host.port()));
  std::fflush(stdout);
  const int status = host.run();
  signals.cancel();
  return status;
}

int hooks(sio::Options options) {
  sio::Server* server = nullptr;
  options.cors.origins = {"*"};
  options.cookie.emplace();
  options.destroy_upgrade_timeout = sio::Milliseconds(1000);
  options.allow_request = [&server](const sio::http::Request& request, const sio::Next& next) {
    const auto wish = request.query["allow"];
    if (wish == "no") return next(sio::refuse("not today, \"friend\""));
    if (wish == "empty") return next(sio::refuse(""));
    if (wish == "later") return after(server->loop(), sio::Milliseconds(200), [next] { next(sio::accept); });
    if (wish == "later-no")
      return after(server->loop(), sio::Milliseconds(200), [next] { next(sio::refuse("after some thought")); });
    next(sio::accept);
  };
  options.generate_id = [random = std::make_shared<sio::bytes::Random>()](const sio::http::Request& request) {
    const auto* wish = request.query.find("id");
    return wish ? *wish : random->id();
  };
  options.initial_headers = [](sio::http::Headers& headers, const sio::http::Request& request) {
    headers.emplace_back("x-initial", request.query["n"]);
  };
  options.headers = [](sio::http::Headers& headers, const sio::http::Request& request) {
    headers.emplace_back("x-every", request.method);
  };
  sio::Server io(options);
  server = &io;
  io.on_connection([](sio::Socket& socket) { socket.emit("hello", 1); });
  io.on("later", [&io](sio::Socket& socket, const sio::json::array_t&) {
    after(io.loop(), sio::Milliseconds(100), [socket] { socket.emit("later", 1); });
  });
  return serve(io);
}

int cookie(sio::Options options) {
  options.cookie = {.name = "c",
                    .path = "/x",
                    .domain = "a.b",
                    .http_only = true,
                    .secure = true,
                    .partitioned = true,
                    .same_site = "Strict",
                    .priority = "High",
                    .max_age = sio::Seconds(86400),
                    .expires = std::chrono::system_clock::from_time_t(1795415413)};
  sio::Server io(options);
  return serve(io);
}

int slash(sio::Options options) {
  options.add_trailing_slash = false;
  options.destroy_upgrade = false;
  sio::Server io(options);
  return serve(io);
}

int files(sio::Options options, const std::string& folder, const std::string& version) {
  sio::Server io(options);
  io.serve_client(folder, version);
  return serve(io);
}

int engine(sio::Options options) {
  struct Tag final : eio::Context {
    std::string tag;
  };
  const auto note = [](eio::Session& session, std::string_view what) {
    journal.push_back({static_cast<Tag&>(*session.context).tag, std::string(what)});
  };
  options.path = "/engine.io/";
  eio::Server io(options);
  io.on_connection([&](eio::Session& session, const sio::http::Request& request) {
    session.context = std::make_unique<Tag>();
    static_cast<Tag&>(*session.context).tag = tag(request);
    note(session, "open " + std::string(session.transport()));
  });
  io.on_message([](eio::Session& session, std::string_view payload, bool binary) {
    if (payload == "close") return session.close();
    binary ? session.send_binary(payload) : session.send_text(payload);
  });
  io.on_upgrade([&](eio::Session& session) {
    note(session, "upgrade " + std::string(session.transport()));
    session.send_text("upgraded");
  });
  io.on_close([&](eio::Session& session, sio::Reason reason, std::string_view) {
    note(session, "close " + std::string(sio::row(reason).text));
  });
  return serve(io);
}

}  // namespace

int main(int count, char** arguments) {
  sio::Options options{.host = "127.0.0.1", .port = 0};
  std::string kind, folder, version;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string flag = arguments[i], value = arguments[i + 1];
    if (flag == "--host") options.host = value;
    else if (flag == "--port") options.port = static_cast<std::uint16_t>(std::stoul(value));
    else if (flag == "--kind") kind = value;
    else if (flag == "--folder") folder = value;
    else if (flag == "--version") version = value;
  }
  if (kind == "hooks") return hooks(options);
  if (kind == "cookie") return cookie(options);
  if (kind == "slash") return slash(options);
  if (kind == "files") return files(options, folder, version);
  if (kind == "engine") return engine(options);
  std::fprintf(stderr, "--kind is one of hooks, cookie, slash, files, engine\n");
  return 2;
}
