// Messages of all sizes and kinds, a client's frames of them, made of chance that is the same in every run, and a
// server that sends them back.
#pragma once

#include "sequence.hpp"
#include "sio_demo.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace traffic {

/// The first place at which two texts differ, in words; empty if they do not.
inline std::string difference(std::string_view came, std::string_view expected) {
  if (came == expected) return {};
  const auto [a, b] = std::mismatch(came.begin(), came.end(), expected.begin(), expected.end());
  return "differ at byte " + std::to_string(a - came.begin()) + ": " + std::to_string(came.size()) + " came, " +
         std::to_string(expected.size()) + " were expected";
}

inline std::string bytes_of(dialogue::Sequence& random, std::size_t size, bool binary) {
  std::string out(size, ' ');
  for (char& c : out) c = static_cast<char>(binary ? random.below(256) : 'a' + random.below(26));
  return out;
}

inline std::size_t size_of_message(dialogue::Sequence& random) {
  constexpr std::size_t sizes[] = {0, 1, 50, 50, 50, 125, 126, 180, 192, 700, 5000, 65'535, 65'536, 66'000};
  return sizes[random.below(14)];
}

/// A client's frame of any size, masked by a key that is not zero.
inline std::string masked(unsigned char first, std::string_view payload, dialogue::Sequence& random) {
  std::string out{static_cast<char>(first)};
  const std::size_t size = payload.size(), width = size < 126 ? 0 : size < 65'536 ? 2 : 8;
  out += static_cast<char>(0x80 | (width == 0 ? size : width == 2 ? 126 : 127));
  for (std::size_t i = 0; i < width; ++i) out += static_cast<char>(size >> 8 * (width - 1 - i) & 0xff);
  const auto key = bytes_of(random, 4, true);
  out += key;
  for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(payload[i] ^ key[i % 4]);
  return out;
}

/// A message in one frame or in several, with pings before them, whose pongs `expected` gets.
inline void add_message(std::string& out, std::string& expected, std::string_view payload, bool binary,
                        dialogue::Sequence& random) {
  std::size_t fragments = random.below(3) > 0 ? 1 : 1 + random.below(5);
  for (bool first = true; fragments > 0; --fragments, first = false) {
    if (random.below(10) == 0) {
      const auto word = bytes_of(random, random.below(126), true);
      out += masked(0x89, word, random);
      expected += sio_demo::websocket::frame(sio_demo::websocket::Opcode::pong, word);
    }
    const std::size_t size = fragments == 1 ? payload.size() : random.below(payload.size() + 1);
    const unsigned opcode = !first ? 0 : binary ? 2 : 1;
    out += masked(static_cast<unsigned char>((fragments == 1 ? 0x80 : 0) | opcode), payload.substr(0, size), random);
    payload.remove_prefix(size);
  }
}

inline std::string said_frame(std::string_view payload, bool binary) {
  return sio_demo::websocket::frame(binary ? sio_demo::websocket::Opcode::binary : sio_demo::websocket::Opcode::text,
                                    payload);
}

/// What the server is given, at /echo and by the event `back`, is written down and sent back.
inline void send_back(sio_demo::Server& io, std::vector<std::string>& got) {
  namespace sio = sio_demo;
  io.http().websocket("/echo", {.message = [&got](sio::websocket::Socket& socket, std::string_view text, bool binary) {
                        got.emplace_back(text);
                        binary ? socket.send_binary(text) : socket.send_text(text);
                      }});
  io.http().post("/echo", [&got](const sio::http::Request& request) {
    got.emplace_back(request.body);
    return sio::http::Response{200, "text/plain", std::string(request.body), {}};
  });
  io.on("back", [&got](sio::Socket& socket, const sio::json::array_t& values) {
    got.push_back(sio::json(values).dump());
    socket.emit("back", sio::each(values));
  });
}

}  // namespace traffic
