// Chapter 8: C++ values to JSON and back, and what is said of a payload of the wrong shape.
#include "sio_demo.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace sio = sio_demo;

namespace shop {

enum class Size { small, large };
SIO_DEMO_ENUM(Size, small, large)

struct Part {
  std::string name;
  int count = 0;
  friend bool operator==(const Part&, const Part&) = default;
};
SIO_DEMO_FIELDS(Part, name, count)

struct Order {
  Part main;
  std::vector<Part> parts;
  std::optional<std::string> note;
  std::optional<Size> size;
  std::map<std::string, double> prices;
  friend bool operator==(const Order&, const Order&) = default;
};
SIO_DEMO_FIELDS(Order, main, parts, note, size, prices)

struct Photo {
  std::string title;
  sio::Bytes data;
  friend bool operator==(const Photo&, const Photo&) = default;
};
SIO_DEMO_FIELDS(Photo, title, data)

struct Nothing {
  friend bool operator==(const Nothing&, const Nothing&) = default;
};
SIO_DEMO_FIELDS(Nothing)

/// As users of nlohmann/json have them.
struct Kelvin {
  double degrees = 0;
  friend bool operator==(const Kelvin&, const Kelvin&) = default;
};
void to_json(sio::json& json, const Kelvin& kelvin) { json = {{"K", kelvin.degrees}}; }
void from_json(const sio::json& json, Kelvin& kelvin) { json.at("K").get_to(kelvin.degrees); }

/// A type of somebody else's that is only ever sent.
struct Celsius {
  double degrees = 0;
};
void to_json(sio::json& json, const Celsius& celsius) { json = celsius.degrees; }

/// The longest list that the macros take.
struct Sixty {
  int a0 = 0, a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0, a6 = 0, a7 = 0, a8 = 0, a9 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0,
      b4 = 0, b5 = 0, b6 = 0, b7 = 0, b8 = 0, b9 = 0, c0 = 0, c1 = 0, c2 = 0, c3 = 0, c4 = 0, c5 = 0, c6 = 0, c7 = 0,
      c8 = 0, c9 = 0, d0 = 0, d1 = 0, d2 = 0, d3 = 0, d4 = 0, d5 = 0, d6 = 0, d7 = 0, d8 = 0, d9 = 0, e0 = 0, e1 = 0,
      e2 = 0, e3 = 0, e4 = 0, e5 = 0, e6 = 0, e7 = 0, e8 = 0, e9 = 0, f0 = 0, f1 = 0, f2 = 0, f3 = 0, f4 = 0, f5 = 0,
      f6 = 0, f7 = 0, f8 = 0, f9 = 0, g0 = 0, g1 = 0, g2 = 0, g3 = 0;
};
SIO_DEMO_FIELDS(Sixty, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, c0, c1, c2, c3,
                c4, c5, c6, c7, c8, c9, d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, e0, e1, e2, e3, e4, e5, e6, e7, e8, e9,
                f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, g0, g1, g2, g3)

/// As C++ has it, without a description of its own.
struct Wheel : Part {
  int spokes = 0;
};
enum class Plain { one, two };

}  // namespace shop

template <>
inline constexpr bool sio_demo::has_checked_from_json<shop::Kelvin> = true;

namespace {

using sio::Bytes;
using sio::Fault;
using sio::json;

template <class T>
std::string written(const T& value) {
  sio::socketio::Writer writer;
  sio::detail::write(writer, value);
  return writer.text;
}

/// The arguments of an event, as they come from the wire: a JSON array without the event's name.
struct Wire {
  explicit Wire(std::string its_text) : text(std::move(its_text)) {
    REQUIRE(sio::bytes::Outline({}).read(text, &elements) == nullptr);
  }
  sio::socketio::Arguments arguments() const { return sio::socketio::Arguments(elements); }
  std::string text;
  std::vector<std::string_view> elements;
};

/// Reads `[...]` as the arguments of an event with these parameters: "" or "path what is wrong".
template <class... T>
std::string fault_of(const std::string& text) {
  const Wire wire(text);
  std::tuple<T...> values;
  Fault fault;
  return sio::detail::read_arguments(wire.arguments(), values, fault) ? "" : fault.path + " " + fault.what;
}

template <class T>
std::optional<T> read(const std::string& text) {
  const Wire wire("[" + text + "]");
  std::tuple<T> value;
  Fault fault;
  if (!sio::detail::read_arguments(wire.arguments(), value, fault)) return std::nullopt;
  return std::get<0>(value);
}

/// Both ways: the value gives this text, the text gives this value.
template <class T>
void both_ways(const T& value, const std::string& text) {
  CAPTURE(text);
  CHECK(written(value) == text);
  const auto back = read<T>(text);
  CHECK(back.has_value());
  if (back) CHECK((*back == value));
}

}  // namespace

TEST_CASE("typed: every supported type, both ways") {
  both_ways(true, "true");
  both_ways(false, "false");
  both_ways(std::int8_t{-128}, "-128");
  both_ways(std::uint8_t{255}, "255");
  both_ways(std::int16_t{-32768}, "-32768");
  both_ways(std::uint16_t{65535}, "65535");
  both_ways(-2147483647 - 1, "-2147483648");
  both_ways(4294967295u, "4294967295");
  both_ways((std::numeric_limits<std::int64_t>::min)(), "-9223372036854775808");
  both_ways((std::numeric_limits<std::int64_t>::max)(), "9223372036854775807");
  both_ways((std::numeric_limits<std::uint64_t>::max)(), "18446744073709551615");
  both_ways(1.5, "1.5");
  both_ways(-0.25f, "-0.25");
  both_ways(1e21, "1e+21");
  both_ways(1e-7, "1e-7");
  both_ways(2.0, "2");
  both_ways(std::string("a \"b\" \\ \n é 😀"), R"("a \"b\" \\ \n é 😀")");
  both_ways(std::string(), R"("")");
  both_ways(shop::Size::large, R"("large")");
  both_ways(std::optional<int>(7), "7");
  both_ways(std::optional<int>(), "null");
  both_ways(std::vector<int>{1, 2, 3}, "[1,2,3]");
  both_ways(std::vector<int>{}, "[]");
  both_ways(std::vector<bool>{true, false}, "[true,false]");
  both_ways(std::vector<std::vector<std::string>>{{"a"}, {}, {"b", "c"}}, R"([["a"],[],["b","c"]])");
  both_ways(std::array<int, 3>{1, 2, 3}, "[1,2,3]");
  both_ways(std::array<int, 0>{}, "[]");
  both_ways(std::tuple<int, std::string, bool>{1, "two", true}, R"([1,"two",true])");
  both_ways(std::tuple<>{}, "[]");
  both_ways(std::pair<int, std::string>{1, "one"}, R"([1,"one"])");
  both_ways(std::map<std::string, int>{{"a", 1}, {"b", 2}}, R"({"a":1,"b":2})");
  both_ways(std::unordered_map<std::string, int>{{"a", 1}}, R"({"a":1})");
  both_ways(std::map<std::string, int>{}, "{}");
  both_ways(shop::Part{"wheel", 4}, R"({"name":"wheel","count":4})");
  both_ways(shop::Nothing{}, "{}");
  both_ways(json{{"any", {1, "thing", nullptr}}}, R"({"any":[1,"thing",null]})");
  both_ways(json(), "null");
  both_ways(shop::Kelvin{273.15}, R"({"K":273.15})");
  both_ways(std::vector<shop::Kelvin>{{1}, {2}}, R"([{"K":1},{"K":2}])");
  both_ways(std::set<std::string>{"a", "b"}, R"(["a","b"])");
  both_ways(std::unordered_set<int>{1}, "[1]");
  both_ways(std::list<int>{1, 2}, "[1,2]");
  both_ways(std::deque<shop::Size>{shop::Size::small}, R"(["small"])");
  both_ways(std::vector<std::pair<std::string, std::set<int>>>{{"a", {1}}}, R"([["a",[1]]])");
}

TEST_CASE("typed: structs in structs") {
  const shop::Order order{{"bike", 1}, {{"wheel", 2}, {"bell", 1}}, "soon, please", shop::Size::small, {{"EUR", 99.5}}};
  both_ways(
      order,
      R"({"main":{"name":"bike","count":1},"parts":[{"name":"wheel","count":2},{"name":"bell","count":1}],"note":"soon, please","size":"small","prices":{"EUR":99.5}})");
}

TEST_CASE("typed: an optional field may be absent or null, and is left out when empty") {
  const std::string bare = R"({"main":{"name":"bike","count":1},"parts":[],"prices":{}})";
  both_ways(shop::Order{{"bike", 1}, {}, {}, {}, {}}, bare);
  const auto order =
      read<shop::Order>(R"({"main":{"name":"bike","count":1},"parts":[],"note":null,"size":null,"prices":{}})");
  REQUIRE(order);
  CHECK_FALSE(order->note);
  CHECK_FALSE(order->size);
}

TEST_CASE("typed: fields in any order, surplus ones ignored, the last of equal ones counts") {
  CHECK(read<shop::Part>(R"({"count":4,"name":"wheel"})") == shop::Part{"wheel", 4});
  CHECK(read<shop::Part>(R"({"colour":"red","name":"wheel","count":4,"more":[1,{"x":2}]})") == shop::Part{"wheel", 4});
  CHECK(read<shop::Part>(R"({"name":"a","name":"b","count":1})") == shop::Part{"b", 1});
}

TEST_CASE("typed: the macros take 64 names") {
  shop::Sixty sixty;
  sixty.g3 = 64;
  const auto text = written(sixty);
  CHECK(text.starts_with(R"({"a0":0,"a1":0,)"));
  CHECK(text.ends_with(R"("g3":64})"));
  CHECK(read<shop::Sixty>(text)->g3 == 64);
}

TEST_CASE("typed: only out") {
  CHECK(written("text") == R"("text")");
  CHECK(written(std::string_view("text")) == R"("text")");
  CHECK(written(nullptr) == "null");
  CHECK(written((std::numeric_limits<double>::quiet_NaN)()) == "null");
  CHECK(written((std::numeric_limits<double>::infinity)()) == "null");
  CHECK(written(-0.0) == "0");
  CHECK(written(std::string("a\xff"
                            "b")) ==
        "\"a\xEF\xBF\xBD"
        "b\"");
  CHECK(written(static_cast<shop::Size>(77)) == "null");
  CHECK(written(std::vector<std::optional<int>>{1, {}, 3}) == "[1,null,3]");
  CHECK(written(std::map<std::string, std::string>{{"a\"", "\x01"}}) == R"({"a\"":"\u0001"})");
}

// ---- Integers -----------------------------------------------------------------------------------------

TEST_CASE("typed: an integer may be written in any way that is whole, and must fit") {
  CHECK(read<int>("1e3") == 1000);
  CHECK(read<int>("5.0") == 5);
  CHECK(read<int>("-2.5e1") == -25);
  CHECK(read<int>("-0") == 0);
  CHECK(read<std::uint8_t>("2.55e2") == 255);
  CHECK(read<std::int64_t>("9007199254740992.0") == 9007199254740992);
  CHECK(read<std::uint64_t>("1e15") == 1'000'000'000'000'000u);
  for (const char* wrong : {"1.5", "1e-1", "2147483648", "-2147483649", "1e10", "1e300", "18446744073709551616",
                            "99999999999999999999999999", "\"5\"", "true", "null", "[]", "{}"}) {
    CAPTURE(wrong);
    CHECK_FALSE(read<int>(wrong));
  }
  CHECK_FALSE(read<std::uint8_t>("256"));
  CHECK_FALSE(read<std::uint8_t>("-1"));
  CHECK_FALSE(read<std::int8_t>("128"));
  CHECK_FALSE(read<std::uint64_t>("-1"));
  CHECK_FALSE(read<std::uint64_t>("18446744073709551616"));
  CHECK_FALSE(read<std::int64_t>("9223372036854775808"));
}

TEST_CASE("typed: a number beyond what its type holds is a fault, not infinity") {
  CHECK(read<double>("1e308") == 1e308);
  CHECK(read<float>("1e38") == 1e38f);
  CHECK_FALSE(read<double>("1e400"));
  CHECK_FALSE(read<float>("1e300"));
}

// ---- Faults -------------------------------------------------------------------------------------------

TEST_CASE("typed: each fault says where, as a JSON Pointer into the arguments, and what was expected") {
  CHECK(fault_of<bool>("[1]") == "/0 is not true or false");
  CHECK(fault_of<int>(R"(["1"])") == "/0 is not a whole number from -2147483648 to 2147483647");
  CHECK(fault_of<std::uint8_t>("[256]") == "/0 is not a whole number from 0 to 255");
  CHECK(fault_of<double>(R"(["1"])") == "/0 is not a number");
  CHECK(fault_of<std::string>("[1]") == "/0 is not a string");
  CHECK(fault_of<std::string>("[null]") == "/0 is not a string");
  CHECK(fault_of<Bytes>(R"(["AQI="])") == "/0 is not binary");
  CHECK(fault_of<Bytes>("[[1,2]]") == "/0 is not binary");
  CHECK(fault_of<shop::Size>(R"(["huge"])") == R"(/0 is not one of "small" "large")");
  CHECK(fault_of<shop::Size>("[0]") == R"(/0 is not one of "small" "large")");
  CHECK(fault_of<shop::Part>("[[]]") == "/0 is not an object");
  CHECK(fault_of<shop::Part>("[null]") == "/0 is not an object");
  CHECK(fault_of<std::optional<int>>(R"(["x"])") == "/0 is not a whole number from -2147483648 to 2147483647");
  CHECK(fault_of<std::vector<int>>("[{}]") == "/0 is not an array");
  CHECK(fault_of<std::map<std::string, int>>("[[]]") == "/0 is not an object");
}

TEST_CASE("typed: a fault inside is found there") {
  const std::string order = R"({"main":{"name":"bike","count":1},"parts":[],"prices":{}})";
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = order;
    text.replace(text.find(from), from.size(), to);
    return fault_of<int, shop::Order>("[1," + text + "]");
  };
  CHECK(with(R"("count":1)", R"("count":"1")") == "/1/main/count is not a whole number from -2147483648 to 2147483647");
  CHECK(with(R"(,"count":1)", "") ==
        "/1/main/count is missing: expected a whole number from -2147483648 to 2147483647");
  CHECK(with(R"("main":{"name":"bike","count":1},)", "") == "/1/main is missing: expected an object");
  CHECK(with("[]", R"([{"name":"a","count":1},{"name":2,"count":1}])") == "/1/parts/1/name is not a string");
  CHECK(with("[]", R"([{"name":"a","count":1},3])") == "/1/parts/1 is not an object");
  CHECK(with(R"("prices":{})", R"("prices":{"EUR":1,"USD":"2"})") == "/1/prices/USD is not a number");
  CHECK(with(R"("prices":{})", R"("prices":{},"size":"XL")") == R"(/1/size is not one of "small" "large")");
  CHECK(with(R"("prices":{})", R"("prices":{},"note":7)") == "/1/note is not a string");
  CHECK(fault_of<std::vector<std::vector<int>>>("[[[1],[2,true]]]") ==
        "/0/1/1 is not a whole number from -2147483648 to 2147483647");
  CHECK(fault_of<std::tuple<int, std::string>>("[[1,2]]") == "/0/1 is not a string");
  CHECK(fault_of<std::array<bool, 2>>("[[true,0]]") == "/0/1 is not true or false");
}

TEST_CASE("typed: a key with / or ~ is escaped in the path (RFC 6901)") {
  using Map = std::map<std::string, int>;
  CHECK(fault_of<Map>(R"([{"a/b":true}])") == "/0/a~1b is not a whole number from -2147483648 to 2147483647");
  CHECK(fault_of<Map>(R"([{"a~b":true}])") == "/0/a~0b is not a whole number from -2147483648 to 2147483647");
}

TEST_CASE("typed: a list of the wrong length is refused, and not by calling it no list") {
  using Triple = std::array<int, 3>;
  CHECK(fault_of<Triple>("[[1,2,3]]") == "");
  for (const char* wrong : {"[[1,2]]", "[[1,2,3,4]]", "[[]]"}) {
    CAPTURE(wrong);
    CHECK(fault_of<Triple>(wrong) == "/0 is not an array of 3 elements");
    CHECK(fault_of<std::tuple<int, int, int>>(wrong) == "/0 is not an array of 3 elements");
  }
}

TEST_CASE("typed: no number is cast before it is checked, in whatever it stands") {
  const std::string whole = " is not a whole number from -2147483648 to 2147483647";
  for (const char* wrong : {"1e300", "3.9", "2147483648", "\"1\"", "true"}) {
    CAPTURE(wrong);
    const std::string number = wrong;
    CHECK(fault_of<std::pair<int, int>>("[[1," + number + "]]") == "/0/1" + whole);
    CHECK(fault_of<std::set<int>>("[[" + number + "]]") == "/0/0" + whole);
    CHECK(fault_of<std::unordered_set<int>>("[[" + number + "]]") == "/0/0" + whole);
    CHECK(fault_of<std::list<int>>("[[1,2," + number + "]]") == "/0/2" + whole);
    CHECK(fault_of<std::deque<int>>("[[" + number + "]]") == "/0/0" + whole);
    CHECK(fault_of<std::vector<std::pair<int, int>>>("[[[1,2],[" + number + ",1]]]") == "/0/1/0" + whole);
    CHECK(fault_of<std::map<std::string, std::list<int>>>(R"([{"a":[)" + number + "]}]") == "/0/a/0" + whole);
  }
  CHECK(fault_of<std::pair<int, int>>("[[1]]") == "/0 is not an array of 2 elements");
  CHECK(fault_of<std::set<int>>("[{}]") == "/0 is not an array");
}

TEST_CASE("typed: what has no checked reading is not read") {
  using sio::detail::Readable;
  using sio::detail::Writable;
  CHECK(Readable<shop::Kelvin>);
  CHECK(Writable<shop::Celsius>);
  CHECK_FALSE(Readable<shop::Celsius>);
  CHECK(written(std::vector<shop::Celsius>{{1.5}}) == "[1.5]");
  CHECK_FALSE(Readable<std::vector<shop::Celsius>>);
  CHECK(Writable<std::string_view>);
  CHECK_FALSE(Readable<std::string_view>);
  CHECK_FALSE(Readable<const char*>);
  CHECK_FALSE(Readable<std::vector<const char*>>);
}

TEST_CASE("typed: what nobody has described does not travel") {
  using sio::detail::Writable;
  CHECK(Writable<shop::Part>);
  CHECK_FALSE(Writable<shop::Wheel>);  // it would lose its spokes
  CHECK_FALSE(std::is_convertible_v<shop::Wheel, json>);
  CHECK_FALSE(Writable<std::vector<shop::Wheel>>);
  CHECK_FALSE(Writable<std::map<std::string, std::optional<shop::Wheel>>>);
  CHECK_FALSE(Writable<shop::Plain>);  // nlohmann/json would send a number, and take any
  CHECK_FALSE(Writable<std::vector<shop::Plain>>);
  CHECK_FALSE(Writable<std::pair<int, shop::Plain>>);
  CHECK_FALSE(Writable<char>);
  CHECK_FALSE(Writable<char32_t>);
  CHECK_FALSE(Writable<std::vector<char>>);
  CHECK_FALSE(Writable<std::map<int, int>>);
  CHECK_FALSE(Writable<int*>);
}

TEST_CASE("typed: what nlohmann/json converts has its faults, too") {
  CHECK(fault_of<shop::Kelvin>("[{}]").starts_with("/0 is not "));
  CHECK(fault_of<shop::Kelvin>(R"([{"K":"warm"}])").starts_with("/0 is not "));
  CHECK(fault_of<std::vector<shop::Kelvin>>(R"([[{"K":1},5]])").starts_with("/0/1 is not "));
}

TEST_CASE("typed: valid JSON that C++ cannot hold is a fault") {
  CHECK(fault_of<double>("[1e400]") == "/0 is not a value that can be represented");
  CHECK(fault_of<json>("[1e400]") == "/0 is not a value that can be represented");
}

TEST_CASE("typed: the number of arguments") {
  CHECK(fault_of<>("[]") == "");
  CHECK(fault_of<>("[1]") == "/0 is one too many: expected no arguments");
  CHECK(fault_of<int>("[1]") == "");
  CHECK(fault_of<int>("[]") == "/0 is missing: expected a whole number from -2147483648 to 2147483647");
  CHECK(fault_of<int>("[1,2]") == "/1 is one too many: expected 1 argument");
  CHECK(fault_of<int, int>("[1,2,3,4]") == "/2 is one too many: expected 2 arguments");
  CHECK(fault_of<int, std::string>("[1]") == "/1 is missing: expected a string");
}

TEST_CASE("typed: trailing arguments may be left out if they are optional") {
  using Note = std::optional<std::string>;
  CHECK(fault_of<int, Note>("[1]") == "");
  CHECK(fault_of<int, Note>("[1,null]") == "");
  CHECK(fault_of<int, Note>(R"([1,"x"])") == "");
  CHECK(fault_of<int, Note>("[1,2]") == "/1 is not a string");
  CHECK(fault_of<int, Note>(R"([1,"x",2])") == "/2 is one too many: expected 2 arguments");
  CHECK(fault_of<Note, int>("[null]") == "/1 is missing: expected a whole number from -2147483648 to 2147483647");
}

TEST_CASE("typed: strings, whether they have escapes or not") {
  CHECK(read<std::string>(R"("plain é")") == "plain é");
  CHECK(read<std::string>(R"("a\"b\\c\/\b\f\n\r\té😀")") == "a\"b\\c/\b\f\n\r\té😀");
  CHECK(read<std::string>(R"("")") == "");
  CHECK(read<std::string>(R"("\u0000")") == std::string("\0", 1));
  CHECK(read<std::string>(R"("half a pair: \ud800")") == "half a pair: \xEF\xBF\xBD");
  CHECK(read<std::string>("  \"spaces around\"  ") == "spaces around");
}

// ---- Binary -------------------------------------------------------------------------------------------

TEST_CASE("typed: bytes go out as attachments, numbered in the order of the arguments") {
  const shop::Photo photo{"cat", {1, 2, 3}};
  sio::socketio::Writer writer;
  sio::detail::write(writer, std::vector{photo, photo});
  CHECK(
      writer.text ==
      R"([{"title":"cat","data":{"_placeholder":true,"num":0}},{"title":"cat","data":{"_placeholder":true,"num":1}}])");
  REQUIRE(writer.attachments.size() == 2);
  CHECK(writer.attachments[0]->payload() == "\x01\x02\x03");
  CHECK(writer.attachments[1]->is_binary());
}

TEST_CASE("typed: bytes come in wherever they stand") {
  const auto binary = json::binary({1, 2, 3});
  const sio::socketio::Arguments arguments(json::array_t{json{{"title", "cat"}, {"data", binary}}, binary});
  std::tuple<shop::Photo, Bytes> values;
  Fault fault;
  REQUIRE(sio::detail::read_arguments(arguments, values, fault));
  CHECK(std::get<0>(values) == shop::Photo{"cat", {1, 2, 3}});
  CHECK(std::get<1>(values) == Bytes{1, 2, 3});
}

TEST_CASE("typed: bytes in one piece are binary, whatever holds them") {
  const auto attachment = [](const auto& value) {
    sio::socketio::Writer writer;
    sio::detail::write(writer, value);
    CHECK(writer.text == R"({"_placeholder":true,"num":0})");
    REQUIRE(writer.attachments.size() == 1);
    return std::string(writer.attachments[0]->payload());
  };
  const Bytes bytes{1, 2, 3};
  CHECK(attachment(bytes) == "\1\2\3");
  CHECK(attachment(std::span<const std::uint8_t>(bytes)) == "\1\2\3");
  CHECK(attachment(std::array<std::uint8_t, 2>{4, 5}) == "\4\5");
  CHECK(attachment(std::array<std::byte, 1>{std::byte{6}}) == "\6");
  CHECK(attachment(std::vector<std::byte>{std::byte{7}, std::byte{8}}) == "\7\10");
  CHECK(attachment(std::as_bytes(std::span(bytes))) == "\1\2\3");

  const sio::socketio::Arguments arguments(json::array_t{json::binary({9, 8}), json::binary({7, 6})});
  std::tuple<std::vector<std::byte>, std::array<std::uint8_t, 2>> values;
  Fault fault;
  REQUIRE(sio::detail::read_arguments(arguments, values, fault));
  CHECK(std::get<0>(values) == std::vector{std::byte{9}, std::byte{8}});
  CHECK(std::get<1>(values) == std::array<std::uint8_t, 2>{7, 6});
  std::tuple<Bytes, std::array<std::byte, 3>> longer;
  CHECK_FALSE(sio::detail::read_arguments(arguments, longer, fault));
  CHECK(fault.path + " " + fault.what == "/1 is not binary of 3 bytes");
  CHECK(fault_of<std::array<std::uint8_t, 2>>("[[1,2]]") == "/0 is not binary of 2 bytes");
}

TEST_CASE("typed: a described type is a JSON value, and one is read as it, checked") {
  const json value{{"part", shop::Part{"wheel", 4}}, {"size", shop::Size::large}};
  CHECK(value.dump() == R"({"part":{"count":4,"name":"wheel"},"size":"large"})");
  CHECK(value["part"].get<shop::Part>() == shop::Part{"wheel", 4});
  CHECK(value["size"].get<shop::Size>() == shop::Size::large);
  CHECK(sio::read<shop::Part>(value["part"]) == shop::Part{"wheel", 4});
  CHECK(sio::read<std::vector<int>>(json{1, 2}) == std::vector{1, 2});
  const json photo = shop::Photo{"cat", {1, 2}};
  CHECK(photo["data"] == json::binary({1, 2}));
  CHECK(photo.get<shop::Photo>() == shop::Photo{"cat", {1, 2}});

  const json wrong{
      {"main", {{"name", "bike"}, {"count", 1e300}}}, {"parts", json::array()}, {"prices", json::object()}};
  const auto check = [](const auto& read) {
    try {
      read();
      FAIL("it is read");
    } catch (const sio::Error& error) {
      CHECK(std::string(error.what()) == "/main/count is not a whole number from -2147483648 to 2147483647");
      CHECK(error.code == "INVALID_PAYLOAD");
      CHECK(error.path == "/main/count");
    }
  };
  check([&] { (void)wrong.get<shop::Order>(); });
  check([&] { (void)sio::read<shop::Order>(wrong); });
  CHECK_THROWS_WITH((void)json(5).get<shop::Part>(), "the value is not an object");
  CHECK_THROWS_WITH((void)json("huge").get<shop::Size>(), R"(the value is not one of "small" "large")");
  CHECK_THROWS_WITH((void)json{1}.get<std::vector<shop::Part>>(), "the value is not an object");
}

TEST_CASE("typed: bytes where text is expected are a fault") {
  const sio::socketio::Arguments arguments(json::array_t{json::binary({1})});
  std::tuple<std::string> values;
  Fault fault;
  CHECK_FALSE(sio::detail::read_arguments(arguments, values, fault));
  CHECK(fault.path + " " + fault.what == "/0 is not a string");
}

TEST_CASE("typed: a plain string beside an attachment is read, too") {
  const sio::socketio::Arguments arguments(json::array_t{"name", json::binary({})});
  std::tuple<std::string, Bytes> values;
  Fault fault;
  REQUIRE(sio::detail::read_arguments(arguments, values, fault));
  CHECK(std::get<0>(values) == "name");
  CHECK(std::get<1>(values).empty());
}

// ---- Events as constants ------------------------------------------------------------------------------

TEST_CASE("typed: a RawJson is passed on as the text that it is") {
  const std::string text = R"({"z":1.50,"a":[1e3,"\\u00e9 \\ud800",{}],"z":null})";
  const auto raw = read<sio::RawJson>(text);
  REQUIRE(raw);
  CHECK(raw->text() == text);
  CHECK(written(*raw) == text);
  CHECK(raw->value()["a"][0] == 1000);
  CHECK(fault_of<sio::RawJson>("[]") == "/0 is missing: expected a value without binary");
  CHECK(written(sio::RawJson()) == "null");
  CHECK(written(sio::RawJson(" [1, 2] ")) == " [1, 2] ");
}

TEST_CASE("typed: a RawJson of a packet with attachments has its text, unless it holds one itself") {
  const sio::socketio::Arguments arguments(json::array_t{json{{"b", 1}, {"a", "x"}}, json::binary({1, 2})});
  std::tuple<sio::RawJson, Bytes> good;
  std::tuple<sio::RawJson, sio::RawJson> bad;
  Fault fault;
  REQUIRE(sio::detail::read_arguments(arguments, good, fault));
  CHECK(std::get<0>(good).text() == R"({"a":"x","b":1})");
  CHECK_FALSE(sio::detail::read_arguments(arguments, bad, fault));
  CHECK(fault.path + " " + fault.what == "/1 is not a value without binary");
}

TEST_CASE("typed: nobody makes a RawJson of what is not JSON") {
  for (const std::string text : {"", "[1", "1 2", "\"\xff\"", "nul", "{\"a\":1,}"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(sio::RawJson{text}, std::invalid_argument);
  }
  CHECK_THROWS_WITH(sio::RawJson{"[1"}, "cannot make a RawJson of a text: JSON ends too early");
  CHECK_THROWS_AS(sio::RawJson{std::string(65, '[') + std::string(65, ']')}, std::invalid_argument);
}

TEST_CASE("typed: an event's name is a constant expression") {
  using Said = sio::ServerToClient<"said, in UTF-8: é", void(int)>;
  static_assert(Said::name == "said, in UTF-8: é");
  static_assert(sio::ClientToServer<"", int()>::name.empty());
  static_assert(sio::socketio::is_reserved("connect") && !sio::socketio::is_reserved("error"));
  CHECK(Said::name.size() == 18);
}

TEST_CASE("typed: which C++ values may stand for a parameter") {
  using sio::detail::fits;
  CHECK(fits<int, int>);
  CHECK(fits<short, int>);
  CHECK(fits<int, double>);
  CHECK(fits<const char*, std::string>);
  CHECK(fits<const char(&)[3], std::string>);
  CHECK(fits<int, std::optional<int>>);
  CHECK(fits<int, json>);
  CHECK_FALSE(fits<double, int>);
  CHECK_FALSE(fits<std::string, int>);
  CHECK_FALSE(fits<int, std::string>);
  CHECK_FALSE(fits<const char*, bool>);  // C++ would convert it: every pointer is true
  CHECK_FALSE(fits<const char(&)[3], bool>);
  CHECK_FALSE(fits<double, bool>);
  CHECK(fits<shop::Part, json>);
  CHECK(fits<json, std::optional<json>>);
  CHECK_FALSE(fits<json, int>);  // nlohmann/json would cast
  CHECK_FALSE(fits<const json&, shop::Part>);
}
