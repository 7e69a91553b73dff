// What the fuzz targets share: reading an input, cutting it to pieces, saying what is broken.
//
// A target is a function of bytes that returns nothing: it plays them, and holds() its invariants. What
// does not hold is printed and aborts, which the fuzzer records as a finding, just as it does what the
// sanitizers, the header's own assertions and those of the standard library report.
#pragma once

#include "sio_demo.hpp"
#include "tests/unit/sequence.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fuzz {

namespace sio = sio_demo;
using dialogue::Sequence;
using namespace std::string_view_literals;

/// Bytes as a person can read them: `GET /\r\n`, `\x81`.
inline std::string printable(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    if (c == '\r') out += "\\r";
    else if (c == '\n') out += "\\n";
    else if (c >= 0x20 && c < 0x7f) out += c;
    else out += sio::formatted("\\x%02x", static_cast<unsigned>(static_cast<std::uint8_t>(c)));
  }
  return out;
}

/// An invariant. `what` says what is always so; `shown` is what it was seen with.
inline void holds(bool so, const char* what, std::initializer_list<std::string_view> shown = {}) {
  if (so) return;
  std::fprintf(stderr, "\nBROKEN: %s\n", what);
  for (const auto text : shown) std::fprintf(stderr, "    %s\n", printable(text).c_str());
  std::abort();
}

/// Takes an input apart from its front. What is used up gives zeros and nothing.
class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  std::uint8_t byte() {
    const auto one = take(1);
    return one.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(one[0]);
  }
  std::size_t below(std::size_t bound) { return byte() % bound; }
  template <class T, std::size_t Size>
  const T& one_of(const std::array<T, Size>& list) {
    return list[below(Size)];
  }
  std::string_view take(std::size_t size) {
    const auto taken = bytes_.substr(0, size);
    bytes_.remove_prefix(taken.size());
    return taken;
  }
  /// What stands in front of the next `end`, which is taken, too.
  std::string_view until(char end) {
    const auto taken = bytes_.substr(0, bytes_.find(end));
    bytes_.remove_prefix(std::min(taken.size() + 1, bytes_.size()));
    return taken;
  }
  std::string_view rest() { return std::exchange(bytes_, {}); }

 private:
  std::string_view bytes_;
};

/// How a stream is cut: in one piece, byte by byte, or as a seed has it.
class Cuts {
 public:
  static Cuts none() { return Cuts(0, 0); }
  static Cuts everywhere() { return Cuts(1, 0); }
  static Cuts random(std::uint64_t seed, std::size_t size) { return Cuts(std::max<std::size_t>(64, size / 32), seed); }

  /// Calls f(piece) until it says false.
  template <class F>
  void each(std::string_view stream, F f) {
    while (!stream.empty()) {
      const auto piece = stream.substr(0, widest_ == 0 ? stream.npos : 1 + random_() % widest_);
      stream.remove_prefix(piece.size());
      if (!f(piece)) return;
    }
  }

 private:
  Cuts(std::size_t widest, std::uint64_t seed) : widest_(widest), random_(seed) {}
  std::size_t widest_;
  Sequence random_;
};

/// A copy in memory of exactly its size, so that the sanitizer sees a read of one byte too many.
class Exact {
 public:
  explicit Exact(std::string_view text) : size_(text.size()), data_(new char[text.size()]) {
    std::copy(text.begin(), text.end(), data_.get());
  }
  std::string_view view() const { return {data_.get(), size_}; }
  std::span<char> span() const { return {data_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<char[]> data_;
};

/// Whether a result's view lies in the input it was made from. An empty view may lie anywhere.
inline bool inside(std::string_view part, std::string_view whole) {
  const std::less_equal<const char*> at_most;
  return part.empty() ||
         (at_most(whole.data(), part.data()) && at_most(part.data() + part.size(), whole.data() + whole.size()));
}

/// The parts between separators, as they are.
inline std::vector<std::string_view> parts_of(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  for (;;) {
    out.push_back(text.substr(0, text.find(separator)));
    if (out.back().size() == text.size()) return out;
    text.remove_prefix(out.back().size() + 1);
  }
}

/// A valid UTF-8 text by the letter of RFC 3629, one character at a time: what the header's faster one must agree with.
inline bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<std::uint8_t>(text[i]);
    const std::size_t size = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    if (size == 0 || text.size() - i < size) return false;
    std::uint32_t code = size == 1 ? lead : lead & (0x7fu >> size);
    for (std::size_t k = 1; k < size; ++k) {
      const auto next = static_cast<std::uint8_t>(text[i + k]);
      if (next >> 6 != 2) return false;
      code = code << 6 | (next & 0x3fu);
    }
    constexpr std::array<std::uint32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
    if (code < smallest[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    i += size;
  }
  return true;
}

}  // namespace fuzz
