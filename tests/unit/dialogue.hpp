// What the dialogue tables share: readable bytes, every cut, every mutation.
//
// A table is an array of rows {name, input, expected}. A loop over it says INFO(row.name), so that a
// failure names its row; what went wrong is shown as printable text.
#pragma once

#include "sequence.hpp"
#include "sio_demo.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace dialogue {

using namespace std::string_view_literals;
using sio_demo::Reason;

/// Bytes as a person can read them: `GET /\r\n`, `\x81`.
inline std::string printable(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '\r') out += "\\r";
    else if (c == '\n') out += "\\n";
    else if (u >= 0x20 && u < 0x7f) out += c;
    else out += "\\x", out += digits[u >> 4], out += digits[u & 15];
  }
  return out;
}

/// "81 86 37 fa" as four bytes.
inline std::string hex(std::string_view text) {
  std::string out;
  int high = -1;
  for (const char c : text) {
    const auto digit = sio_demo::bytes::whole_number({&c, 1}, 16);
    if (!digit) continue;
    const int low = static_cast<int>(*digit);
    if (high < 0) high = low;
    else out += static_cast<char>(high << 4 | low), high = -1;
  }
  return out;
}

/// Bytes as "81 86 37 fa".
inline std::string as_hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto u = static_cast<unsigned char>(c);
    if (!out.empty()) out += ' ';
    out += digits[u >> 4], out += digits[u & 15];
  }
  return out;
}

inline std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

inline std::string name_of(Reason reason) { return sio_demo::row(reason).name; }

/// A copy in memory of exactly its size, so that the sanitizer sees a read of one byte too many.
class Exact {
 public:
  explicit Exact(std::string_view text) : size_(text.size()), data_(new char[text.size()]) {
    std::copy(text.begin(), text.end(), data_.get());
  }
  std::string_view view() const { return {data_.get(), size_}; }
  char* data() { return data_.get(); }
  std::size_t size() const { return size_; }

 private:
  std::size_t size_;
  std::unique_ptr<char[]> data_;
};

/// Whether a result's view lies in the input it was made from. An empty view may lie anywhere.
inline bool inside(std::string_view part, std::string_view whole) {
  if (part.empty()) return true;
  const std::less_equal<const char*> at_most;
  return at_most(whole.data(), part.data()) && at_most(part.data() + part.size(), whole.data() + whole.size());
}

/// Calls f(text) for `good` with one byte changed: every byte to every value while the input is short,
/// else a fixed sample of positions and values.
template <class F>
void each_mutation(std::string_view good, F f, std::size_t longest = 64, std::size_t sample = 4000) {
  std::string text(good);
  if (good.size() <= longest) {
    for (std::size_t i = 0; i < good.size(); ++i) {
      for (unsigned value = 0; value < 256; ++value) {
        text[i] = static_cast<char>(value);
        if (text[i] != good[i]) f(std::string_view(text));
      }
      text[i] = good[i];
    }
    return;
  }
  Sequence random(good.size());
  for (std::size_t n = 0; n < sample; ++n) {
    const std::size_t i = random.below(good.size());
    text[i] = static_cast<char>(random() & 0xff);
    f(std::string_view(text));
    text[i] = good[i];
  }
}

}  // namespace dialogue
