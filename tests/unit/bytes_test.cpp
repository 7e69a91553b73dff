// Chapter 2: base64, SHA-1, UTF-8, numbers and strings as JavaScript writes them, the JSON guard.

#include "dialogue.hpp"

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <vector>

using namespace dialogue;
namespace bytes = sio_demo::bytes;

// ---- references

namespace {

struct Thing : sio_demo::Counted<Thing> {
  explicit Thing(int& alive) : alive_(alive) { ++alive_; }
  ~Thing() { --alive_; }
  int& alive_;
};

}  // namespace

TEST_CASE("a Ref keeps its object alive until the last one is gone") {
  int alive = 0;
  {
    sio_demo::Ref<Thing> a(new Thing(alive));
    auto b = a;
    const auto c = std::move(a);
    CHECK_FALSE(a);
    CHECK(b == c);
    CHECK(b.get() == c.get());
    b = sio_demo::Ref<Thing>();
    CHECK(b != c);
    CHECK(alive == 1);
    b = c;
    auto& same = b;
    b = same;
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
  CHECK_FALSE(sio_demo::Ref<Thing>(nullptr));
}

// ---- base64 (RFC 4648)

TEST_CASE("base64: the vectors of RFC 4648, both ways") {
  struct Row {
    std::string_view plain, coded;
  };
  const Row rows[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\x01\x02\x03\x04"sv, "AQIDBA=="},
      {"\0"sv, "AA=="},
      {"\xff\xff\xff"sv, "////"},
      {"\xfb\xef\xbe"sv, "++++"},
      {"\x14\xfb\x9c\x03\xd9\x7e"sv, "FPucA9l+"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.coded);
    CHECK(bytes::base64_encode(row.plain) == row.coded);
    CHECK(bytes::base64_decode(row.coded) == row.plain);
  }
}

TEST_CASE("base64: decoding is as lenient as the reference") {
  struct Row {
    std::string_view name;
    std::string_view coded, plain;
  };
  const Row rows[] = {
      {"no padding", "Zm8", "fo"},
      {"no padding, one byte", "Zg", "f"},
      {"half the padding", "Zg=", "f"},
      {"line ends are skipped", "Zm9v\r\nYmFy", "foobar"},
      {"spaces are skipped", " Z m 9 v ", "foo"},
      {"foreign characters are skipped", "Zm*9!v\x01", "foo"},
      {"bytes beyond ASCII are skipped",
       "Zm\xc3\xa9"
       "9v",
       "foo"},
      {"a NUL is skipped",
       "Zm\0"
       "9v"sv,
       "foo"},
      {"the alphabet of URLs", "-_-_", "\xfb\xff\xbf"},
      {"the first = ends it", "Zg==Zm9v", "f"},
      {"a lone digit is not a byte", "Z", ""},
      {"a lone digit behind a group", "Zm9vY", "foo"},
      {"bits that fill up are dropped", "Zh==", "f"},
      {"only padding", "====", ""},
      {"only garbage", "!!!!", ""},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(bytes::base64_decode(row.coded) == row.plain);
  }
}

TEST_CASE("base64: every length and every byte comes back; every mutation gives at most as much") {
  std::string text;
  for (int i = 0; i < 300; ++i) {
    CAPTURE(i);
    const auto coded = bytes::base64_encode(text);
    CHECK(coded.size() == (text.size() + 2) / 3 * 4);
    CHECK(bytes::base64_decode(coded) == text);
    text += static_cast<char>(i * 7 & 0xff);
  }
  std::size_t too_long = 0;
  each_mutation("Zm9vYmFyZm9vYmE=",
                [&](std::string_view coded) { too_long += bytes::base64_decode(Exact(coded).view()).size() > 12; });
  CHECK(too_long == 0);
}

// ---- SHA-1 (RFC 3174)

TEST_CASE("SHA-1: known digests, about all block borders") {
  struct Row {
    std::string_view name;
    std::string text;
    std::string_view digest;
  };
  const Row rows[] = {
      {"empty", "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
      {"abc", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
      {"two blocks", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
      {"RFC 3174, test 4", repeated("0123456701234567012345670123456701234567012345670123456701234567", 10),
       "dea356a2cddd90c7a7ecedc5ebb563934f460452"},
      {"a million a", std::string(1'000'000, 'a'), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"},
      {"1 a", std::string(1, 'a'), "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"},
      {"55 a", std::string(55, 'a'), "c1c8bbdc22796e28c0e15163d20899b65621d65a"},
      {"56 a", std::string(56, 'a'), "c2db330f6083854c99d4b5bfb6e8f29f201be699"},
      {"63 a", std::string(63, 'a'), "03f09f5b158a7a8cdad920bddc29b81c18a551f5"},
      {"64 a", std::string(64, 'a'), "0098ba824b5c16427bd7a1122a5a442a25ec644d"},
      {"65 a", std::string(65, 'a'), "11655326c708d70319be2610e8a57d9a5b959d3b"},
      {"119 a", std::string(119, 'a'), "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56"},
      {"120 a", std::string(120, 'a'), "f34c1488385346a55709ba056ddd08280dd4c6d6"},
      {"128 a", std::string(128, 'a'), "ad5b3fdbcb526778c2839d2f151ea753995e26a0"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    std::string expected = hex(row.digest);
    CHECK(as_hex(bytes::sha1(row.text)) == as_hex(expected));
  }
}

// ---- UTF-8 (RFC 3629)

namespace {

/// A code point by the definition, without any check.
std::string utf8(std::uint32_t c) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(value & 0xff); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xC0 | c >> 6), byte(0x80 | (c & 0x3F))};
  if (c < 0x10000) return {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F))};
  return {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 0x3F)), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F))};
}

}  // namespace

TEST_CASE("UTF-8: exactly the Unicode scalar values are characters") {
  std::size_t wrong = 0;
  for (std::uint32_t c = 0; c <= 0x10FFFF; ++c) {
    const bool scalar = c < 0xD800 || c > 0xDFFF;
    const auto text = utf8(c);
    wrong += bytes::utf8_valid(text) != scalar;
    wrong += bytes::utf8_valid(text + "a") != scalar || bytes::utf8_valid("a" + text) != scalar;
  }
  CHECK(wrong == 0);
}

TEST_CASE("UTF-8: what is valid, where it ends, how it is repaired") {
  struct Row {
    std::string_view name;
    std::string_view text;
    std::size_t valid;
    std::string_view repaired;
  };
  const Row rows[] = {
      {"empty", "", 0, ""},
      {"ASCII", "plain", 5, "plain"},
      {"NUL is a character", "a\0b"sv, 3, "a\0b"sv},
      {"last of one byte", "\x7f", 1, "\x7f"},
      {"first of two bytes", "\xc2\x80", 2, "\xc2\x80"},
      {"last of two bytes", "\xdf\xbf", 2, "\xdf\xbf"},
      {"first of three bytes", "\xe0\xa0\x80", 3, "\xe0\xa0\x80"},
      {"last before the surrogates", "\xed\x9f\xbf", 3, "\xed\x9f\xbf"},
      {"first behind the surrogates", "\xee\x80\x80", 3, "\xee\x80\x80"},
      {"last of three bytes", "\xef\xbf\xbf", 3, "\xef\xbf\xbf"},
      {"first of four bytes", "\xf0\x90\x80\x80", 4, "\xf0\x90\x80\x80"},
      {"last of all", "\xf4\x8f\xbf\xbf", 4, "\xf4\x8f\xbf\xbf"},
      {"beyond the last", "\xf4\x90\x80\x80", 0, "\ufffd\ufffd\ufffd\ufffd"},
      {"a lead that never is", "\xf5\x80\x80\x80", 0, "\ufffd\ufffd\ufffd\ufffd"},
      {"0xFF and 0xFE", "a\xff\xfe", 1, "a\ufffd\ufffd"},
      {"overlong slash, two bytes", "\xc0\xaf", 0, "\ufffd\ufffd"},
      {"overlong, C1", "\xc1\xbf", 0, "\ufffd\ufffd"},
      {"overlong NUL", "\xc0\x80", 0, "\ufffd\ufffd"},
      {"overlong, three bytes", "\xe0\x9f\xbf", 0, "\ufffd\ufffd\ufffd"},
      {"overlong, four bytes", "\xf0\x8f\xbf\xbf", 0, "\ufffd\ufffd\ufffd\ufffd"},
      {"first surrogate", "\xed\xa0\x80", 0, "\ufffd\ufffd\ufffd"},
      {"last surrogate", "\xed\xbf\xbf", 0, "\ufffd\ufffd\ufffd"},
      {"a lone continuation", "a\x80z", 1, "a\ufffdz"},
      {"two bytes, cut", "a\xc3", 1, "a\ufffd"},
      {"a lead, then ASCII", "\xc3(", 0, "\ufffd("},
      {"a lead, then a character", "\xe2\xc3\xa9", 0, "\ufffd\u00e9"},
      {"three bytes, cut: one replacement", "\xe2\x82", 0, "\ufffd"},
      {"four bytes, cut: one replacement", "\xf0\x9f\x98", 0, "\ufffd"},
      {"cut by ASCII", "\xf0\x9f\x98z", 0, "\ufffdz"},
      {"cut by another character", "\xe2\x82\xe2\x82\xac", 0, "\ufffd\u20ac"},
      {"good around bad", "\xc3\xa9\xff\xe2\x82\xac", 2, "\u00e9\ufffd\u20ac"},
      {"bad in the ninth byte", "12345678\x80", 8, "12345678\ufffd"},
      {"bad in the eighth byte",
       "1234567\x80"
       "9",
       7,
       "1234567\ufffd"
       "9"},
      {"a character across the eighth byte",
       "1234567\xc3\xa9"
       "9",
       10,
       "1234567\u00e9"
       "9"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const Exact text(row.text);
    CHECK(bytes::utf8_valid_prefix(text.view()) == row.valid);
    CHECK(bytes::utf8_valid(text.view()) == (row.valid == row.text.size()));
    CHECK(printable(bytes::utf8_repair(text.view())) == printable(row.repaired));
  }
}

TEST_CASE("UTF-8: a cut character is not valid, and whatever is repaired is") {
  const std::string text = "a\u00e9\u20ac\U0001F600z";  // 1 + 2 + 3 + 4 + 1 bytes
  const std::set<std::size_t> borders{0, 1, 3, 6, 10, 11};
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    CAPTURE(cut);
    CHECK(bytes::utf8_valid(Exact(std::string_view(text).substr(0, cut)).view()) == (borders.count(cut) == 1));
  }
  std::size_t wrong = 0;
  each_mutation(text, [&](std::string_view mutated) {
    const Exact exact(mutated);
    const auto repaired = bytes::utf8_repair(exact.view());
    wrong += !bytes::utf8_valid(repaired);
    wrong += bytes::utf8_valid(exact.view()) != (repaired == mutated);
  });
  CHECK(wrong == 0);
}

// ---- small tools

TEST_CASE("random ids: 20 characters of the alphabet, all different") {
  bytes::Random random;
  std::set<std::string> ids;
  for (int i = 0; i < 20'000; ++i) ids.insert(random.id());
  CHECK(ids.size() == 20'000);
  std::set<char> seen;
  for (const auto& id : ids) {
    REQUIRE(id.size() == 20);
    seen.insert(id.begin(), id.end());
  }
  CHECK(seen.size() == 64);
  seen.erase('-'), seen.erase('_');
  for (const char c : seen) CHECK(std::isalnum(static_cast<unsigned char>(c)));
}

TEST_CASE("tokens of a comma-separated list") {
  struct Row {
    std::string_view list, token;
    bool found;
  };
  const Row rows[] = {
      {"upgrade", "upgrade", true},
      {"Upgrade", "upgrade", true},
      {"keep-alive, Upgrade", "upgrade", true},
      {"keep-alive,\tUPGRADE \t", "upgrade", true},
      {"upgrade,close", "close", true},
      {",,upgrade,,", "upgrade", true},
      {"", "upgrade", false},
      {",", "upgrade", false},
      {"upgraded", "upgrade", false},
      {"up grade", "upgrade", false},
      {"keep-alive upgrade", "upgrade", false},
      {"x-upgrade, upgrade2", "upgrade", false},
      {"keep-alive; upgrade", "upgrade", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.list);
    CHECK(bytes::has_token(row.list, row.token) == row.found);
  }
}

TEST_CASE("whole numbers: digits and nothing else") {
  struct Row {
    std::string_view text;
    int base;
    std::optional<std::uint64_t> value;
  };
  const Row rows[] = {
      {"0", 10, 0},
      {"5", 10, 5},
      {"007", 10, 7},
      {"18446744073709551615", 10, 18446744073709551615u},
      {"00000000000000000000000005", 10, 5},
      {"18446744073709551616", 10, {}},
      {"99999999999999999999999", 10, {}},
      {"", 10, {}},
      {"+5", 10, {}},
      {"-1", 10, {}},
      {"-0", 10, {}},
      {" 5", 10, {}},
      {"5 ", 10, {}},
      {"5,5", 10, {}},
      {"0x5", 10, {}},
      {"5.0", 10, {}},
      {"1e3", 10, {}},
      {"5\0"sv, 10, {}},
      {"\xd9\xa5", 10, {}},
      {"ff", 16, 255},
      {"FF", 16, 255},
      {"0x1f", 16, {}},
      {"fg", 16, {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto value = bytes::whole_number(Exact(row.text).view(), row.base);
    CHECK(value.has_value() == row.value.has_value());
    CHECK(value.value_or(0) == row.value.value_or(0));
  }
}

TEST_CASE("trim takes spaces and tabs off both ends, nothing else") {
  struct Row {
    std::string_view text, trimmed;
  };
  const Row rows[] = {{"", ""},           {" \t ", ""},       {"a", "a"},    {" a\t", "a"},
                      {"\t a b ", "a b"}, {"\ra\n", "\ra\n"}, {"\va", "\va"}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(bytes::trim(row.text) == row.trimmed);
  }
}

// ---- numbers and strings, as JSON.stringify writes them

TEST_CASE("numbers are written as JavaScript does") {
  using limits = std::numeric_limits<double>;
  struct Row {
    double value;
    std::string_view text;
  };
  const Row rows[] = {
      {0.0, "0"},
      {-0.0, "0"},
      {1.0, "1"},
      {-1.0, "-1"},
      {0.1, "0.1"},
      {-0.5, "-0.5"},
      {4.35, "4.35"},
      {1234567.891, "1234567.891"},
      {1.0 / 3, "0.3333333333333333"},
      {100, "100"},
      {4294967296.0, "4294967296"},
      {9007199254740991.0, "9007199254740991"},
      {9007199254740992.0, "9007199254740992"},
      {-9007199254740992.0, "-9007199254740992"},
      {9223372036854775808.0, "9223372036854776000"},
      {1e20, "100000000000000000000"},
      {123456789012345680000.0, "123456789012345680000"},
      {999999999999999900000.0, "999999999999999900000"},
      {1e21, "1e+21"},
      {-1e21, "-1e+21"},
      {1e22, "1e+22"},
      {1.5e300, "1.5e+300"},
      {0.00001234, "0.00001234"},
      {0.000001, "0.000001"},
      {0.0000015, "0.0000015"},
      {1e-7, "1e-7"},
      {-1e-7, "-1e-7"},
      {1.5e-7, "1.5e-7"},
      {9.999e-7, "9.999e-7"},
      {1e-8, "1e-8"},
      {-1.5e-10, "-1.5e-10"},
      {123e-20, "1.23e-18"},
      {5e-324, "5e-324"},
      {2.2250738585072014e-308, "2.2250738585072014e-308"},
      {1.7976931348623157e308, "1.7976931348623157e+308"},
      {limits::quiet_NaN(), "null"},
      {limits::infinity(), "null"},
      {-limits::infinity(), "null"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    std::string out;
    bytes::append_number(out, row.value);
    CHECK(out == row.text);
  }
}

TEST_CASE("numbers read back the same, and are JSON") {
  Sequence random(1);
  std::size_t wrong = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t bits = random();
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) continue;
    std::string out;
    bytes::append_number(out, value);
    wrong += std::strtod(out.c_str(), nullptr) != value || bytes::Outline({}).read(out) != nullptr;
  }
  CHECK(wrong == 0);
}

TEST_CASE("strings are written as JavaScript does") {
  struct Row {
    std::string_view name;
    std::string_view text, json;
  };
  const Row rows[] = {
      {"empty", "", R"("")"},
      {"plain", "hello", R"("hello")"},
      {"quote and backslash", "a\"b\\c", R"("a\"b\\c")"},
      {"the short escapes", "\b\f\n\r\t", R"("\b\f\n\r\t")"},
      {"NUL", "a\0b"sv, R"("a\u0000b")"},
      {"other controls", "\x01\x0b\x1e\x1f", R"("\u0001\u000b\u001e\u001f")"},
      {"DEL and slash are left", "\x7f/", "\"\x7f/\""},
      {"markup is left", "<>&'", R"("<>&'")"},
      {"characters beyond ASCII are left", "\u00e9\u20ac\U0001F600", "\"\u00e9\u20ac\U0001F600\""},
      {"U+2028 and U+2029 are left", "\u2028\u2029", "\"\u2028\u2029\""},
      {"what is not UTF-8", "a\xff\xc3(\x80", "\"a\ufffd\ufffd(\ufffd\""},
      {"a cut character", "\xe2\x82", "\"\ufffd\""},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    std::string out = "before:";
    bytes::append_string(out, Exact(row.text).view());
    CHECK(printable(out) == "before:" + printable(row.json));
  }
  for (int c = 0; c < 256; ++c) {
    CAPTURE(c);
    const std::string text{'a', static_cast<char>(c), 'z'};
    std::string out;
    bytes::append_string(out, text);
    const auto back = sio_demo::json::parse(out);
    CHECK(back.get<std::string>() == (c < 128 ? text : bytes::utf8_repair(text)));
  }
}

// ---- the JSON guard (RFC 8259)

namespace {

bool accepts(std::string_view text, bytes::JsonLimits limits = {}) {
  return bytes::Outline(limits).read(Exact(text).view()) == nullptr;
}

/// The elements that were found, as "one · two".
std::string elements(std::string_view text) {
  std::vector<std::string_view> found;
  if (const char* why = bytes::Outline({}).read(text, &found)) return std::string("refused: ") + why;
  std::string out;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!inside(found[i], text)) return "outside";
    (out += i == 0 ? "" : " | ") += found[i];
  }
  return out;
}

}  // namespace

TEST_CASE("JSON guard: what is JSON") {
  const std::string_view good[] = {
      "null",
      "true",
      "false",
      "0",
      "-0",
      "1",
      "-1",
      "10",
      "1234567890",
      "0.5",
      "-0.5",
      "1.25",
      "1e5",
      "1E5",
      "1e+5",
      "1e-5",
      "0e0",
      "0.0e-0",
      "1e400",
      "-1e-400",
      "123456789012345678901234567890",
      R"("")",
      R"("a")",
      R"("\"\\\/\b\f\n\r\t")",
      R"("\u0000")",
      R"("\u00e9\u20AC")",
      R"("\ud83d\ude00")",
      R"("\ud83d")",
      R"("\ude00\ud83d")",
      "\"\x7f\"",
      "\"\u00e9\U0001F600\"",
      "[]",
      "[ ]",
      "[1]",
      "[1,2]",
      "[ 1 , 2 ]",
      "[[],[]]",
      "[[[]]]",
      "{}",
      "{ }",
      R"({"a":1})",
      R"({"a":1,"a":2})",
      R"({"":{}})",
      R"({ "a" : [ { } ] , "b" : null })",
      " null ",
      "\t\r\n [\t\r\n1\t\r\n,\t\r\n2\t\r\n]\t\r\n ",
      R"([[],{},"",0,true,null])",
      R"(["]","}",",",":","\"]"])",
  };
  for (const auto text : good) {
    CAPTURE(text);
    CHECK(accepts(text));
  }
}

TEST_CASE("JSON guard: what is not JSON") {
  struct Row {
    std::string_view name;
    std::string_view text;
  };
  const Row rows[] = {
      {"nothing", ""},
      {"only space", " \n"},
      {"a byte-order mark", "\xEF\xBB\xBF[]"},
      {"a word", "hello"},
      {"a word too long", "nulll"},
      {"a word too short", "tru"},
      {"a word in upper case", "True"},
      {"NaN", "NaN"},
      {"Infinity", "[-Infinity]"},
      {"undefined", "[undefined]"},
      {"a lone minus", "-"},
      {"minus before a word", "-x"},
      {"two minus", "--1"},
      {"plus", "+1"},
      {"a leading zero", "01"},
      {"minus and a leading zero", "[-01]"},
      {"no digit before the point", ".5"},
      {"minus and a point", "-.5"},
      {"no digit behind the point", "1."},
      {"a point and an exponent", "[1.e5]"},
      {"an empty exponent", "1e"},
      {"a signed empty exponent", "[1e+]"},
      {"a fractional exponent", "1e1.5"},
      {"hexadecimal", "0x10"},
      {"an underscore", "1_000"},
      {"two points", "1.2.3"},
      {"a space within a number", "1 2"},
      {"a trailing comma", "[1,]"},
      {"a trailing comma in an object", R"({"a":1,})"},
      {"a leading comma", "[,1]"},
      {"two commas", "[1,,2]"},
      {"only a comma", "[,]"},
      {"no comma", "[1 2]"},
      {"no comma between strings", R"(["a""b"])"},
      {"no comma between members", R"({"a":1 "b":2})"},
      {"a colon in an array", R"(["a":1])"},
      {"no colon", R"({"a" 1})"},
      {"two colons", R"({"a"::1})"},
      {"no value", R"({"a":})"},
      {"no value, next member", R"({"a":,"b":1})"},
      {"a key that is a number", "{1:1}"},
      {"a key without quotes", "{a:1}"},
      {"a comma for a colon", R"({"a",1})"},
      {"only a key", R"({"a"})"},
      {"an open array", "["},
      {"an open array behind a value", "[1"},
      {"an open array behind a comma", "[1,"},
      {"an open object", "{"},
      {"an open object behind a key", R"({"a")"},
      {"an open object behind a colon", R"({"a":)"},
      {"closed wrongly", "[1}"},
      {"closed wrongly, object", R"({"a":1])"},
      {"closed wrongly, empty", "{]"},
      {"closed twice", "[]]"},
      {"only closed", "]"},
      {"crossed", "[{]}"},
      {"two values", "[][]"},
      {"a value and a comma", "1,"},
      {"a comment", "[1]//x"},
      {"a comment within", "[/**/]"},
      {"an open string", "\"a"},
      {"a string that ends in an escape", "\"a\\"},
      {"single quotes", "'a'"},
      {"an unknown escape", R"("\x41")"},
      {"an escaped quote only", R"("\")"},
      {"an escape with an apostrophe", R"("\'")"},
      {"an escape in upper case", R"("\U0041")"},
      {"a short code", R"("\u12")"},
      {"a code cut by the end", R"("\u123)"},
      {"a code that is not hexadecimal", R"("\u12g4")"},
      {"a signed code", R"("\u+123")"},
      {"a raw line end", "\"a\nb\""},
      {"a raw tab", "\"a\tb\""},
      {"a raw NUL", "\"a\0b\""sv},
      {"a raw 0x1F", "\"\x1f\""},
      {"NUL behind the value", "[1]\0"sv},
      {"NUL before the value", "\0[1]"sv},
      {"a form feed as space", "[\f1]"},
      {"a vertical tab as space", "[1]\v"},
      {"a no-break space", "\xC2\xA0[1]"},
      {"an escape outside a string", "[\\n]"},
      {"a bare high byte", "[\xff]"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK_FALSE(accepts(row.text));
  }
}

TEST_CASE("JSON guard: the elements of the outermost array") {
  struct Row {
    std::string_view text, found;
  };
  const Row rows[] = {
      {R"(["say",{"from":"a"},[1,2]])", R"("say" | {"from":"a"} | [1,2])"},
      {"[]", ""},
      {" [ ] ", ""},
      {"[1]", "1"},
      {"[ 1 ]", "1"},
      {" [ 1 , 2\t,\r\n3 ] ", "1 | 2 | 3"},
      {R"([ " a " , "b," ])", R"(" a " | "b,")"},
      {R"([[1,[2,3]], {"a":[4,5],"b":6} ])", R"([1,[2,3]] | {"a":[4,5],"b":6})"},
      {"[[],{}]", "[] | {}"},
      {"[null,true,-1.5e3]", "null | true | -1.5e3"},
      {R"({"a":[1,2]})", ""},
      {R"("a")", ""},
      {"7", ""},
      {R"({"a":1},)", "refused: something follows the JSON value"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(elements(row.text) == row.found);
  }
}

TEST_CASE("JSON guard: a reader is used again and forgets what it read") {
  bytes::Outline outline({});
  std::vector<std::string_view> found;
  CHECK(outline.read("[[[1", &found) != nullptr);
  CHECK(outline.read("[2,3]", &found) == nullptr);
  CHECK(found.size() == 2);
  CHECK(outline.read("{}", &found) == nullptr);
  CHECK(found.empty());
  CHECK(outline.read("[4]") == nullptr);
}

TEST_CASE("JSON guard: nesting has its limit") {
  struct Row {
    std::string_view name;
    std::string_view open, middle, close;
  };
  const Row rows[] = {{"arrays", "[", "", "]"}, {"objects", "{\"a\":", "1", "}"}, {"both", "[{\"a\":", "[]", "}]"}};
  for (const Row& row : rows) {
    INFO(row.name);
    const std::size_t levels = row.name == "both"sv ? 2 : 1, last = row.name == "both"sv ? 1 : 0;
    const auto nested = [&](std::size_t n) {
      return repeated(row.open, n) + std::string(row.middle) + repeated(row.close, n);
    };
    for (std::size_t n = 1; n <= 40; ++n) {
      CAPTURE(n);
      CHECK(accepts(nested(n)) == (n * levels + last <= 64));
      CHECK(accepts(nested(n), {5, 1000}) == (n * levels + last <= 5));
    }
  }
  CHECK(accepts(repeated("[", 64) + repeated("]", 64)));
  CHECK_FALSE(accepts(repeated("[", 65) + repeated("]", 65)));
  CHECK(accepts("[" + repeated("[],", 1000) + "[]]"));  // width is not depth
  bytes::Outline outline({});
  CHECK(std::string(outline.read(repeated("[", 65))) == "JSON is nested too deep");
  CHECK(std::string(outline.read(std::string(100'000, '['))) == "JSON is nested too deep");
  CHECK(std::string(outline.read(repeated("{\"a\":", 100'000))) == "JSON is nested too deep");
  CHECK(std::string(outline.read("[" + repeated(repeated("[", 64), 1))) == "JSON is nested too deep");
}

TEST_CASE("JSON guard: tokens have their limit") {
  // Values, keys, brackets, commas and colons are tokens: [1,2] has five.
  struct Row {
    std::string_view text;
    std::size_t tokens;
  };
  const Row rows[] = {{"1", 1},          {"[]", 2},          {"[1]", 3},          {"[1,2]", 5},
                      {R"({"a":1})", 5}, {R"({"a":[]})", 6}, {" [ \"a,b\" ] ", 3}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(accepts(row.text, {64, row.tokens}));
    CHECK_FALSE(accepts(row.text, {64, row.tokens - 1}));
  }
  bytes::Outline outline({});
  CHECK(std::string(outline.read("[" + repeated("[],", 60'000) + "[]]")) == "JSON has too many tokens");
  CHECK(outline.read("\"" + std::string(1'000'000, 'a') + "\"") == nullptr);
  CHECK(outline.read(std::string(1'000'000, '1')) == nullptr);
  CHECK(outline.read("\"" + repeated("\\n", 500'000) + "\"") == nullptr);
  CHECK(outline.read("[1]" + std::string(1'000'000, ' ')) == nullptr);
}

TEST_CASE("JSON guard: whatever is cut is refused") {
  const std::string_view good[] = {
      R"(["say",{"from":"a\u00e9"},[1,2.5e-3]])",
      R"({"a":[true,false,null],"b":{"c":-0.1}})",
      R"("\ud83d\ude00\n")",
      "[[[[]]]]",
      "true",
  };
  for (const auto text : good)
    for (std::size_t cut = 0; cut < text.size(); ++cut) {
      CAPTURE(text.substr(0, cut));
      CHECK_FALSE(accepts(text.substr(0, cut)));
    }
}

TEST_CASE("JSON guard: agrees with nlohmann/json on every mutation") {
  // Where they differ on purpose: nlohmann takes NUL for the end of input, refuses halves of surrogate
  // pairs and numbers beyond double, and checks UTF-8, which other layers do here.
  const std::string_view corpus[] = {
      "[1,2]",
      "[]",
      "{}",
      "-0.5e+10",
      R"(["a\n\u00e9",true])",
      R"({"a":1,"b":[null]})",
      R"([{"":{}},"",0,-1])",
      "[ 1 , \t2 ]",
      "false",
      R"("\\\"\/")",
      "[1e5,1E-5,0.0]",
      "\"\u00e9\"",
      R"({"a":{"b":{"c":[[[]]]}}})",
      R"("\ud83d\ude00")",
      R"(["say",{"from":"ada","at":1234567.5,"tags":["x","y","z"],"ok":true,"none":null},[1,2,[3,[4]]],"\u20ac and \"more\""])",
  };
  for (const auto good : corpus) {
    CAPTURE(good);
    REQUIRE(accepts(good));
    REQUIRE(sio_demo::json::accept(good));
    std::size_t disagreements = 0;
    each_mutation(good, [&](std::string_view text) {
      const bool ours = accepts(text);
      const bool has_nul = text.find('\0') != text.npos;
      if (has_nul) {
        disagreements += ours;
        return;
      }
      if (!bytes::utf8_valid(text) || ours == sio_demo::json::accept(text)) return;
      if (ours) {
        try {
          const auto value = sio_demo::json::parse(text);
          MESSAGE("parsed as " << value.dump());
        } catch (const sio_demo::json::out_of_range&) {
          return;
        } catch (const sio_demo::json::parse_error& error) {
          if (std::string_view(error.what()).find("surrogate") != std::string_view::npos) return;
        }
      }
      ++disagreements;
      MESSAGE("disagree on " << printable(text));
    });
    CHECK(disagreements == 0);
  }
}

TEST_CASE("JSON guard: the elements of every mutation lie inside the text and are JSON themselves") {
  std::size_t wrong = 0, read = 0;
  each_mutation(R"([1,"a\\",{"b":[2]}, [ ] ,null ])", [&](std::string_view text) {
    const Exact exact(text);
    std::vector<std::string_view> found;
    if (bytes::Outline({}).read(exact.view(), &found) != nullptr) return;
    ++read;
    for (const auto element : found) wrong += !inside(element, exact.view()) || element.empty() || !accepts(element);
  });
  CHECK(wrong == 0);
  CHECK(read > 100);
}
