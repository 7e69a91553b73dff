// forwarded: the client's address behind proxies (chapter 4).
//
// Input: lines. The first one holds the networks that are trusted, separated by spaces; the second one the
// peer's address; each further one is the value of an X-Forwarded-For header.
//
// Held: an address that is read reads back from its text as the same one; what the system's inet_pton reads,
// and no more than a few known liberties beyond, is read as the same bytes, and inet_ntop writes it as we do.
// A network holds its own address, and holds an address as a comparison of bits says. The client's address is
// the one that a second reader finds, which walks a flat list of all entries from the right.
#pragma once

#include "fuzz.hpp"

#include <arpa/inet.h>

namespace fuzz::forwarded {

using sio::http::Address;
using sio::http::Network;

inline std::string bits_of(const Address& address) {
  std::string out;
  for (const auto byte : address.bytes)
    for (int bit = 8; bit-- > 0;) out += byte >> bit & 1 ? '1' : '0';
  return out;
}

/// What the system makes of a bare address.
inline std::optional<Address> by_system(const std::string& text) {
  Address out;
  std::array<std::uint8_t, 4> four{};
  if (inet_pton(AF_INET6, text.c_str(), out.bytes.data()) == 1) return out;
  if (inet_pton(AF_INET, text.c_str(), four.data()) != 1) return std::nullopt;
  out = {};
  out.bytes[10] = out.bytes[11] = 0xff;
  std::copy(four.begin(), four.end(), out.bytes.begin() + 12);
  return out;
}

inline void check_address(std::string_view text) {
  const auto address = Address::parse(text);
  const bool bare = text.find_first_not_of("0123456789abcdefABCDEF:.") == text.npos;
  const auto expected = bare ? by_system(std::string(text)) : std::nullopt;
  if (expected)
    holds(address && address->bytes == expected->bytes, "what the system reads as an address is read as the same one",
          {text});
  if (!address) return;
  const auto written = address->to_string();
  const auto again = Address::parse(written);
  holds(again && again->bytes == address->bytes && again->to_string() == written, "an address reads back",
        {text, written});
  holds(address->v4() == (written.find(':') == written.npos), "IPv4 is written as IPv4", {text, written});
  std::array<char, INET6_ADDRSTRLEN> systems{};
  inet_ntop(AF_INET6, address->bytes.data(), systems.data(), systems.size());
  if (std::string_view(systems.data()).find('.') == std::string_view::npos)
    holds(written == systems.data(), "an address is written as the system does", {written, systems.data()});
  const auto bucket = address->limit_key();
  const auto network = Network::parse(bucket);
  holds(network && network->contains(*address), "an address lies in what limits count it by", {written, bucket});
  // What we read beyond the system: a port, brackets, a zone, zeros in front of a decimal.
  if (bare && !expected)
    holds(text.find('0') != text.npos || std::count(text.begin(), text.end(), ':') == 1,
          "what the system does not read is not read", {text});
}

inline void check_network(const Network& network, const Address& address) {
  holds(network.bits <= 128 && network.contains(network.base), "a network holds its own address");
  const bool same = bits_of(network.base).substr(0, network.bits) == bits_of(address).substr(0, network.bits);
  holds(network.contains(address) == same, "a network holds what begins with its bits",
        {network.base.to_string(), address.to_string()});
}

/// The rule, on a flat list: from the right, as long as whoever wrote an entry is trusted.
inline std::string slow_client(const std::vector<Network>& trusted, std::string_view peer,
                               const std::vector<std::string_view>& lines) {
  auto client = Address::parse(peer);
  if (!client) return std::string(peer);
  std::vector<std::string_view> entries;
  for (const auto line : lines)
    if (!line.empty())
      for (const auto entry : parts_of(line, ',')) entries.push_back(sio::bytes::trim(entry));
  for (std::size_t hops = 0; hops < 32 && hops < entries.size(); ++hops) {
    const bool trusts =
        std::any_of(trusted.begin(), trusted.end(), [&](const Network& network) { return network.contains(*client); });
    const auto next = trusts ? Address::parse(entries[entries.size() - 1 - hops]) : std::nullopt;
    if (!next) break;
    client = next;
  }
  return client->to_string();
}

inline void run(std::string_view bytes) {
  Input input(bytes);
  std::vector<std::string> texts;
  std::vector<Network> trusted;
  for (const auto text : parts_of(input.until('\n'), ' '))
    if (const auto network = Network::parse(text)) texts.emplace_back(text), trusted.push_back(*network);
  const auto peer = input.until('\n');
  sio::http::Request request;
  std::vector<std::string_view> lines;
  while (!input.empty()) {
    lines.push_back(sio::bytes::trim(input.until('\n')));
    request.headers.push_back({lines.size() % 2 ? "X-Forwarded-For" : "x-forwarded-for", lines.back()});
    if (lines.size() == 1) request.headers.push_back({"Forwarded", "for=192.0.2.1"});
  }
  const sio::http::ClientAddress finder(texts);
  const auto found = finder.of(peer, request), expected = slow_client(trusted, peer, lines);
  holds(found == expected, "the client is the right-most entry that no trusted proxy is", {found, expected});

  lines.push_back(peer);
  for (const auto line : lines)
    for (const auto entry : parts_of(line, ',')) {
      check_address(entry);
      if (const auto address = Address::parse(entry))
        for (const auto& network : trusted) check_network(network, *address);
    }
}

}  // namespace fuzz::forwarded
