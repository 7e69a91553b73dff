// Chapter 7: Socket.IO packets in and out, placeholders, arguments (protocol 5).

#include "dialogue.hpp"

#include <limits>
#include <utility>
#include <vector>

using namespace dialogue;
namespace socketio = sio_demo::socketio;
using sio_demo::json;
using socketio::PacketType;

namespace {

constexpr std::string_view type_names[] = {"CONNECT",       "DISCONNECT",   "EVENT",     "ACK",
                                           "CONNECT_ERROR", "BINARY_EVENT", "BINARY_ACK"};

/// "EVENT /admin id 12 [ "a" | 1 ]", "BINARY_ACK / +2 [ ... ]", "CONNECT / {"token":1}"
std::string described(const socketio::Packet& packet) {
  std::string out(type_names[static_cast<std::size_t>(packet.type)]);
  out += ' ', out += packet.nsp;
  if (packet.attachments > 0) out += " +" + std::to_string(packet.attachments);
  if (packet.id) out += " id ", sio_demo::bytes::append_number(out, *packet.id);
  if (packet.json.find('[') != packet.json.npos && packet.json[packet.json.find_first_not_of(" \t\r\n")] == '[') {
    out += " [";
    std::string_view separator = " ";
    for (const auto element : packet.elements) out += std::exchange(separator, " | "), out += element;
    return out + " ]";
  }
  if (!packet.json.empty()) out += ' ', out += packet.json;
  return out;
}

std::string decoded(std::string_view text, socketio::DecodeLimits limits = {}) {
  socketio::Decoder decoder(limits);
  socketio::Packet packet;
  const char* why = decoder.decode(text, packet);
  return why ? std::string("error: ") + why : described(packet);
}

bool refused(std::string_view text, socketio::DecodeLimits limits = {}) {
  return decoded(Exact(text).view(), limits).starts_with("error: ");
}

struct Row {
  std::string_view name, text, expected;
};

constexpr Row good_packets[] = {
    // the examples of the protocol
    {"CONNECT", R"(0)", "CONNECT /"},
    {"CONNECT with auth", R"(0{"token":"abc"})", R"(CONNECT / {"token":"abc"})"},
    {"CONNECT to a namespace", R"(0/admin,)", "CONNECT /admin"},
    {"CONNECT to a namespace with auth", R"(0/admin,{"t":"x"})", R"(CONNECT /admin {"t":"x"})"},
    {"DISCONNECT", R"(1)", "DISCONNECT /"},
    {"DISCONNECT of a namespace", R"(1/admin,)", "DISCONNECT /admin"},
    {"EVENT", R"(2["hello",1])", R"(EVENT / [ "hello" | 1 ])"},
    {"EVENT in a namespace", R"(2/admin,["adm"])", R"(EVENT /admin [ "adm" ])"},
    {"EVENT that wants an ack", R"(212["ack","r",{"a":1}])", R"(EVENT / id 12 [ "ack" | "r" | {"a":1} ])"},
    {"EVENT in a namespace that wants an ack", R"(2/admin,0["ack"])", R"(EVENT /admin id 0 [ "ack" ])"},
    {"ACK", R"(312["r",{"a":1}])", R"(ACK / id 12 [ "r" | {"a":1} ])"},
    {"ACK without arguments", R"(3/admin,0[])", "ACK /admin id 0 [ ]"},
    {"CONNECT_ERROR", R"(4{"message":"nope"})", R"(CONNECT_ERROR / {"message":"nope"})"},
    {"CONNECT_ERROR with data", R"(4/deny,{"message":"nope","data":{"content":"retry"}})",
     R"(CONNECT_ERROR /deny {"message":"nope","data":{"content":"retry"}})"},
    {"CONNECT_ERROR as text", R"(4"nope")", R"(CONNECT_ERROR / "nope")"},
    {"BINARY_EVENT", R"(51-["b",{"_placeholder":true,"num":0}])",
     R"(BINARY_EVENT / +1 [ "b" | {"_placeholder":true,"num":0} ])"},
    {"BINARY_EVENT in a namespace that wants an ack",
     R"(52-/admin,7["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])",
     R"(BINARY_EVENT /admin +2 id 7 [ "x" | {"_placeholder":true,"num":0} | {"_placeholder":true,"num":1} ])"},
    {"BINARY_ACK", R"(61-12[{"_placeholder":true,"num":0}])",
     R"(BINARY_ACK / +1 id 12 [ {"_placeholder":true,"num":0} ])"},
    // an absent payload is never an error
    {"EVENT without anything", "2", "EVENT /"},
    {"EVENT with an id only", "21", "EVENT / id 1"},
    {"ACK with an id only", "30", "ACK / id 0"},
    {"ACK without anything", "3", "ACK /"},
    {"CONNECT_ERROR without anything", "4", "CONNECT_ERROR /"},
    {"BINARY_EVENT without JSON", "51-", "BINARY_EVENT / +1"},
    {"BINARY_ACK with an id only", "62-5", "BINARY_ACK / +2 id 5"},
    // attachments
    {"ten attachments", R"(510-["x"])", R"(BINARY_EVENT / +10 [ "x" ])"},
    {"attachments with a leading zero", R"(501-["x"])", R"(BINARY_EVENT / +1 [ "x" ])"},
    // namespaces
    {"a namespace without a comma", "0/admin", "CONNECT /admin"},
    {"the root by name", "0/,", "CONNECT /"},
    {"the root by name, without a comma", "0/", "CONNECT /"},
    {"a query is part of the name", "0/admin?x=1,", "CONNECT /admin?x=1"},
    {"a namespace swallows what has no comma", R"(2/admin["x"])", R"(EVENT /admin["x"])"},
    {"spaces and quotes in a name", "0/\u00e9 x\"y,{}", "CONNECT /\u00e9 x\"y {}"},
    {"digits in a name", R"(2/12,3["x"])", R"(EVENT /12 id 3 [ "x" ])"},
    {"slashes in a name", "0/a/b//c,", "CONNECT /a/b//c"},
    // ids
    {"an id that nobody needs, CONNECT", "01", "CONNECT / id 1"},
    {"an id that nobody needs, DISCONNECT", "11", "DISCONNECT / id 1"},
    {"leading zeros", R"(2007["x"])", R"(EVENT / id 7 [ "x" ])"},
    {"thirty zeros", R"(2000000000000000000000000000000["x"])", R"(EVENT / id 0 [ "x" ])"},
    {"zeros before many digits", R"(2000000000000000000000000000009["x"])", R"(EVENT / id 9 [ "x" ])"},
    {"2^53 - 1", R"(29007199254740991["x"])", R"(EVENT / id 9007199254740991 [ "x" ])"},
    {"2^53", R"(29007199254740992["x"])", R"(EVENT / id 9007199254740992 [ "x" ])"},
    {"2^53 + 1", R"(29007199254740993["x"])", R"(EVENT / id 9007199254740992 [ "x" ])"},
    {"2^64 - 1", R"(218446744073709551615["x"])", R"(EVENT / id 18446744073709552000 [ "x" ])"},
    {"2^64", R"(218446744073709551616["x"])", R"(EVENT / id 18446744073709552000 [ "x" ])"},
    {"23 nines", R"(299999999999999999999999["x"])", R"(EVENT / id 1e+23 [ "x" ])"},
    {"zeros before 23 nines", R"(200099999999999999999999999["x"])", R"(EVENT / id 1e+23 [ "x" ])"},
    // payloads
    {"space around", "2 [ \"x\" , 1 ] \n", R"(EVENT / [ "x" | 1 ])"},
    {"a name that is a number", "2[5,\"x\"]", R"(EVENT / [ 5 | "x" ])"},
    {"a name that is a negative fraction", "2[-1.5]", "EVENT / [ -1.5 ]"},
    {"an empty name", R"(2[""])", R"(EVENT / [ "" ])"},
    {"names that are not reserved: connection", R"(2["connection"])", R"(EVENT / [ "connection" ])"},
    {"names that are not reserved: new_namespace", R"(2["new_namespace"])", R"(EVENT / [ "new_namespace" ])"},
    {"names that are not reserved: error", R"(2["error"])", R"(EVENT / [ "error" ])"},
    {"names that are not reserved: message", R"(2["message"])", R"(EVENT / [ "message" ])"},
    {"names that are not reserved: in capitals", R"(2["Connect"])", R"(EVENT / [ "Connect" ])"},
    {"names that are not reserved: with a space", R"(2["connect "])", R"(EVENT / [ "connect " ])"},
    {"names of another language", R"(2["__proto__"])", R"(EVENT / [ "__proto__" ])"},
    {"a name with NUL", R"(2["\u0000"])", R"(EVENT / [ "\u0000" ])"},
    {"half a surrogate pair as a name", R"(2["\ud83d"])", R"(EVENT / [ "\ud83d" ])"},
    {"reserved names as arguments", R"(2["x","connect"])", R"(EVENT / [ "x" | "connect" ])"},
    {"reserved names in an ACK", R"(30["connect"])", R"(ACK / id 0 [ "connect" ])"},
    {"placeholders in an EVENT are data", R"(2["x",{"_placeholder":true,"num":9}])",
     R"(EVENT / [ "x" | {"_placeholder":true,"num":9} ])"},
    {"numbers beyond double", R"(2["x",1e400])", R"(EVENT / [ "x" | 1e400 ])"},
    {"equal keys", R"(0{"a":1,"a":2})", R"(CONNECT / {"a":1,"a":2})"},
};

}  // namespace

TEST_CASE("packets in: good ones") {
  for (const Row& row : good_packets) {
    INFO(row.name);
    CHECK(decoded(Exact(row.text).view()) == row.expected);
  }
}

TEST_CASE("packets in: malformed ones") {
  struct Bad {
    std::string_view name;
    std::string text;
  };
  const Bad rows[] = {
      {"nothing", ""},
      {"type 7", "7"},
      {"type 9", "9[\"x\"]"},
      {"a letter", "x"},
      {"a space", " 2[\"x\"]"},
      {"a sign", "-1"},
      {"NUL", std::string(1, '\0')},
      {"a high byte", "\xff"},
      {"only JSON", "[\"x\"]"},
      {"CONNECT with an array", "0[1]"},
      {"CONNECT with null", "0null"},
      {"CONNECT with a text", "0\"x\""},
      {"CONNECT with a number", "0 5"},
      {"CONNECT with true", "0true"},
      {"CONNECT with an open object", "0{\"a\":1"},
      {"CONNECT with more behind it", "0{}{}"},
      {"DISCONNECT with an object", "1{}"},
      {"DISCONNECT with an array", "1[\"x\"]"},
      {"DISCONNECT with null", "1null"},
      {"DISCONNECT with a space", "1 "},
      {"EVENT with an object", "2{}"},
      {"EVENT with an empty array", "2[]"},
      {"EVENT with a text", "2\"x\""},
      {"EVENT with null", "2null"},
      {"EVENT with a number", "2 1"},
      {"a name that is null", "2[null]"},
      {"a name that is an object", "2[{}]"},
      {"a name that is an array", "2[[]]"},
      {"a name that is true", "2[true]"},
      {"a name that is false", "2[false,\"x\"]"},
      {"an open EVENT", "2[\"x\""},
      {"an open name", "2[\"x]"},
      {"a trailing comma", "2[\"x\",]"},
      {"more behind it", "2[\"x\"]x"},
      {"another packet behind it",
       "2[\"x\"]\x1e"
       "42[\"y\"]"},
      {"NUL behind it", std::string("2[\"x\"]\0", 7)},
      {"a byte-order mark", "2\xEF\xBB\xBF[\"x\"]"},
      {"only a space", "2 "},
      {"a namespace without a slash", "2admin,[\"x\"]"},
      {"a comma and no namespace", "2,[\"x\"]"},
      {"two namespaces", "2/a,/b,[\"x\"]"},
      {"ACK with an object", "30{}"},
      {"ACK with a text", "30\"x\""},
      {"ACK with null", "30null"},
      {"ACK with a name only", "3x"},
      {"CONNECT_ERROR with an array", "4[]"},
      {"CONNECT_ERROR with null", "4null"},
      {"CONNECT_ERROR with true", "4true"},
      {"a negative id", "2-1[\"x\"]"},
      {"a fractional id", "21.5[\"x\"]"},
      {"an id with an exponent", "21e3[\"x\"]"},
      {"a signed id", "2+1[\"x\"]"},
      {"two ids", "21 2[\"x\"]"},
      {"400 digits", "2" + std::string(400, '9') + "[\"x\"]"},
      {"no attachments", "50-[\"x\"]"},
      {"no attachments in an ACK", "60-1[]"},
      {"attachments, but no number", "5-[\"x\"]"},
      {"no dash", "51[\"x\"]"},
      {"no dash and no JSON", "51"},
      {"nothing behind the type", "5"},
      {"JSON at once", "5[\"x\"]"},
      {"11 attachments", "511-[\"x\"]"},
      {"1e9 attachments", "51000000000-[\"x\"]"},
      {"30 digits of attachments", "5" + std::string(30, '1') + "-[\"x\"]"},
      {"2^32 + 1 attachments", "54294967297-[\"x\"]"},
      {"2^64 + 1 attachments", "518446744073709551617-[\"x\"]"},
      {"negative attachments", "5-1-[\"x\"]"},
      {"half an attachment", "50.5-[\"x\"]"},
      {"attachments with a plus", "5+1-[\"x\"]"},
      {"attachments in letters", "5x-[\"x\"]"},
      {"the namespace before the attachments", "5/a,1-[\"x\"]"},
      {"attachments of an EVENT", "21-[\"x\"]"},
      {"reserved: connect", "2[\"connect\"]"},
      {"reserved: connect_error", "2[\"connect_error\",1]"},
      {"reserved: disconnect", "2[\"disconnect\"]"},
      {"reserved: disconnecting", "21[\"disconnecting\"]"},
      {"reserved: newListener", "2/a,[\"newListener\"]"},
      {"reserved: removeListener", "2[ \"removeListener\" ]"},
      {"reserved in a BINARY_EVENT", "51-[\"connect\"]"},
      {"reserved, escaped", "2[\"\\u0063onnect\"]"},
      {"reserved, all escaped", "2[\"\\u0064\\u0069\\u0073\\u0063\\u006f\\u006e\\u006e\\u0065\\u0063\\u0074\"]"},
      {"65 levels", "2[\"x\"," + repeated("[", 64) + repeated("]", 64) + "]"},
      {"65 levels of auth", "0" + repeated("{\"a\":", 64) + "{}" + repeated("}", 64)},
      {"100,000 levels", "2[\"x\"," + std::string(100'000, '[')},
      {"100,000 levels in an ACK", "30" + std::string(100'000, '[')},
      {"100,000 levels in a binary packet", "51-[\"x\"," + repeated("{\"a\":", 100'000)},
      {"too many tokens", "2[\"x\"" + repeated(",[]", 40'000) + "]"},
  };
  for (const Bad& row : rows) {
    INFO(row.name);
    CHECK(refused(row.text));
  }
  CHECK_FALSE(refused("2[\"x\"," + repeated("[", 63) + repeated("]", 63) + "]"));
  CHECK_FALSE(refused("2[\"" + std::string(1'000'000, 'x') + "\"]"));
}

TEST_CASE("packets in: limits are the caller's") {
  CHECK(refused("52-[\"x\"]", {1, {}}));
  CHECK_FALSE(refused("51-[\"x\"]", {1, {}}));
  CHECK_FALSE(refused("511-[\"x\"]", {11, {}}));
  CHECK(refused("2[\"x\",[]]", {10, {1, 100}}));
  CHECK_FALSE(refused("2[\"x\",[]]", {10, {2, 100}}));
  CHECK(refused("2[\"x\",1,2]", {10, {64, 6}}));
  CHECK_FALSE(refused("2[\"x\",1,2]", {10, {64, 7}}));
}

TEST_CASE("packets in: a payload that is cut is refused; the header that is cut is another packet") {
  for (const Row& row : good_packets) {
    INFO(row.name);
    const auto begin = row.text.find_first_of("[{\"");
    const auto end = row.text.find_last_of("]}\"");
    const bool has_payload = begin != row.text.npos && row.expected.find_first_of("[{\"") != row.expected.npos &&
                             row.text.find('/') == row.text.npos;
    for (std::size_t cut = 0; cut < row.text.size(); ++cut) {
      CAPTURE(cut);
      const bool bad = refused(row.text.substr(0, cut));
      if (has_payload && cut > begin && cut <= end) CHECK(bad);
    }
  }
}

TEST_CASE("packets in: every mutation has a defined result, whose views lie in the text") {
  socketio::Decoder decoder({});
  socketio::Packet packet;
  std::size_t wrong = 0, good = 0;
  for (const Row& row : good_packets)
    each_mutation(
        row.text,
        [&](std::string_view mutated) {
          const Exact text(mutated);
          const char* why = decoder.decode(text.view(), packet);
          if (why) {
            wrong += *why == '\0';
            return;
          }
          ++good;
          wrong += packet.nsp != "/" && !inside(packet.nsp, text.view());
          wrong += !inside(packet.json, text.view()) || packet.attachments > 10 || packet.nsp.empty() ||
                   packet.nsp.front() != '/';
          wrong += (packet.type >= PacketType::binary_event) != (packet.attachments > 0);
          for (const auto element : packet.elements) wrong += !inside(element, packet.json);
          if (packet.is_event() && !packet.json.empty()) wrong += packet.elements.empty();
        },
        48, 2000);
  CHECK(wrong == 0);
  CHECK(good > 10'000);
}

TEST_CASE("packets in: a decoder is used again and forgets what it read") {
  socketio::Decoder decoder({});
  socketio::Packet packet;
  CHECK(decoder.decode(R"(52-/admin,7["x",1])", packet) == nullptr);
  CHECK(decoder.decode("0", packet) == nullptr);
  CHECK(described(packet) == "CONNECT /");
  CHECK(packet.elements.empty());
  CHECK(decoder.decode("2[", packet) != nullptr);
  CHECK(decoder.decode("3[1]", packet) == nullptr);
  CHECK(described(packet) == "ACK / [ 1 ]");
}

TEST_CASE("names of events") {
  struct Name {
    std::string_view json, name;
  };
  const Name rows[] = {
      {R"("say")", "say"},
      {R"("")", ""},
      {R"("a b")", "a b"},
      {"\"\u00e9\"", "\u00e9"},
      {R"("\u00e9")", "\u00e9"},
      {R"("a\nb\"c")", "a\nb\"c"},
      {R"("\ud83d\ude00")", "\U0001F600"},
      {"5", "5"},
      {"-1.5", "-1.5"},
      {"1e21", "1e+21"},
      {"1.0", "1"},
      {"-0", "0"},
  };
  for (const Name& row : rows) {
    CAPTURE(row.json);
    std::string storage = "left over";
    CHECK(socketio::event_name(row.json, storage) == row.name);
  }
  for (const std::string_view name :
       {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"})
    CHECK(socketio::is_reserved(name));
  for (const std::string_view name :
       {"", "connection", "Connect", "connect ", "disconnected", "error", "message", "new_namespace", "removelistener"})
    CHECK_FALSE(socketio::is_reserved(name));
}

// ---- placeholders and arguments

TEST_CASE("placeholders are replaced by their attachments, or refused") {
  // Two attachments: 01 and 02 02. Bytes are shown as {"bytes":[...],"subtype":null}.
  const std::vector<std::string> attachments{"\x01", "\x02\x02"};
  struct Placed {
    std::string_view name, before, after;
  };
  const Placed rows[] = {
      {"one", R"([{"_placeholder":true,"num":0}])", R"([{"bytes":[1],"subtype":null}])"},
      {"both, in any order", R"(["x",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}])",
       R"(["x",{"bytes":[2,2],"subtype":null},{"bytes":[1],"subtype":null}])"},
      {"one twice", R"([{"_placeholder":true,"num":1},{"_placeholder":true,"num":1}])",
       R"([{"bytes":[2,2],"subtype":null},{"bytes":[2,2],"subtype":null}])"},
      {"deep within", R"([[{"a":[{"b":{"_placeholder":true,"num":0}}]}]])",
       R"([[{"a":[{"b":{"bytes":[1],"subtype":null}}]}]])"},
      {"extra keys", R"([{"_placeholder":true,"num":0,"x":[1]}])", R"([{"bytes":[1],"subtype":null}])"},
      {"keys the other way round", R"([{"num":0,"_placeholder":true}])", R"([{"bytes":[1],"subtype":null}])"},
      {"a whole number with a point", R"([{"_placeholder":true,"num":1.0}])", R"([{"bytes":[2,2],"subtype":null}])"},
      {"a whole number with an exponent", R"([{"_placeholder":true,"num":10e-1}])",
       R"([{"bytes":[2,2],"subtype":null}])"},
      {"minus zero", R"([{"_placeholder":true,"num":-0}])", R"([{"bytes":[1],"subtype":null}])"},
      {"none at all", R"(["x",1,null,{"a":{}}])", R"(["x",1,null,{"a":{}}])"},
      {"not marked with true itself",
       R"([{"_placeholder":1,"num":0},{"_placeholder":"true","num":0},{"_placeholder":false,"num":9}])",
       R"([{"_placeholder":1,"num":0},{"_placeholder":"true","num":0},{"_placeholder":false,"num":9}])"},
      {"within what is not marked", R"([{"_placeholder":false,"x":{"_placeholder":true,"num":0}}])",
       R"([{"_placeholder":false,"x":{"bytes":[1],"subtype":null}}])"},
      {"no number", R"([{"_placeholder":true}])", "refused"},
      {"a negative number", R"([{"_placeholder":true,"num":-1}])", "refused"},
      {"the number of attachments", R"([{"_placeholder":true,"num":2}])", "refused"},
      {"far beyond", R"([{"_placeholder":true,"num":1e300}])", "refused"},
      {"2^64", R"([{"_placeholder":true,"num":18446744073709551616}])", "refused"},
      {"a fraction", R"([{"_placeholder":true,"num":0.5}])", "refused"},
      {"a negative fraction", R"([{"_placeholder":true,"num":-0.5}])", "refused"},
      {"a text", R"([{"_placeholder":true,"num":"0"}])", "refused"},
      {"null", R"([{"_placeholder":true,"num":null}])", "refused"},
      {"true", R"([{"_placeholder":true,"num":true}])", "refused"},
      {"an array", R"([{"_placeholder":true,"num":[0]}])", "refused"},
      {"another language's name", R"([{"_placeholder":true,"num":"splice"}])", "refused"},
      {"a bad one behind a good one", R"([{"_placeholder":true,"num":0},{"_placeholder":true,"num":7}])", "refused"},
  };
  for (const Placed& row : rows) {
    INFO(row.name);
    json value = json::parse(row.before);
    const bool good = socketio::replace_placeholders(value, attachments);
    CHECK((good ? value.dump() : "refused") == row.after);
  }
  json none = json::parse(R"([{"_placeholder":true,"num":0}])");
  CHECK_FALSE(socketio::replace_placeholders(none, {}));
  json deep = json::parse(repeated("[", 63) + R"({"_placeholder":true,"num":1})" + repeated("]", 63));
  CHECK(socketio::replace_placeholders(deep, attachments));
}

TEST_CASE("arguments: read from text when asked for, or there already") {
  const std::vector<std::string_view> texts{R"({"a":1})", "2", R"("\u00e9")", "1e400", R"("a\ud83dz")"};
  const socketio::Arguments lazy{std::span<const std::string_view>(texts)};
  CHECK(lazy.size() == 5);
  CHECK(lazy.text(0) == R"({"a":1})");
  CHECK(lazy.value(0) == json{{"a", 1}});
  CHECK(lazy.value(2) == "\u00e9");
  CHECK(lazy.value(3).is_discarded());
  CHECK(lazy.value(4) == "a\ufffdz");
  CHECK(json(lazy.values()) == json::array({json{{"a", 1}}, 2, "\u00e9", nullptr, "a\ufffdz"}));

  const socketio::Arguments eager{json::array_t{json::binary({1, 2}), 3}};
  CHECK(eager.size() == 2);
  CHECK(eager.text(0).empty());
  CHECK(eager.value(0).is_binary());
  CHECK(eager.values().size() == 2);
  CHECK(socketio::Arguments{std::span<const std::string_view>{}}.values().empty());
}

TEST_CASE("halves of surrogate pairs become U+FFFD, all else stays") {
  struct Half {
    std::string_view text, expected;
  };
  const Half rows[] = {
      {R"("plain")", R"("plain")"},
      {R"("\ud83d\ude00")", R"("\ud83d\ude00")"},
      {R"("\uD83D\uDE00")", R"("\uD83D\uDE00")"},
      {R"("\ud83d")", R"("\ufffd")"},
      {R"("\ude00")", R"("\ufffd")"},
      {R"("\ude00\ud83d")", R"("\ufffd\ufffd")"},
      {R"("\ud83d\ud83d\ude00")", R"("\ufffd\ud83d\ude00")"},
      {R"("\ud83dx\ude00")", R"("\ufffdx\ufffd")"},
      {R"("\ud83d\n")", R"("\ufffd\n")"},
      {R"("\\ud83d")", R"("\\ud83d")"},
      {R"("\\\ud83d")", R"("\\\ufffd")"},
      {R"("\u0000\ud7ff\ue000")", R"("\u0000\ud7ff\ue000")"},
      {R"("\"\ud83d\"")", R"("\"\ufffd\"")"},
  };
  for (const Half& row : rows) {
    CAPTURE(row.text);
    CHECK(sio_demo::bytes::replace_lone_surrogates(Exact(row.text).view()) == row.expected);
    CHECK_FALSE(socketio::parse(row.text).is_discarded());
  }
}

// ---- packets out

namespace {

/// The packet that leaves, and its attachments: `451-["b",{...}] <01 02>`
std::string encoded(PacketType type, std::string_view nsp, std::optional<double> id, const json& payload) {
  socketio::Writer writer;
  writer.value(payload);
  const auto out = socketio::encode(type, nsp, id, std::move(writer));
  std::string text(out.head->payload());
  for (const auto& attachment : out.attachments) text += " <" + as_hex(attachment->payload()) + ">";
  return text;
}

}  // namespace

TEST_CASE("packets out, byte for byte") {
  const auto bytes = [](std::vector<std::uint8_t> b) { return json::binary(std::move(b)); };
  struct Out {
    std::string_view name;
    PacketType type;
    std::string_view nsp;
    std::optional<double> id;
    json payload;
    std::string_view expected;
  };
  const Out rows[] = {
      {"EVENT", PacketType::event, "/", {}, json::array({"hello", 1}), R"(42["hello",1])"},
      {"EVENT in a namespace", PacketType::event, "/admin", {}, json::array({"adm"}), R"(42/admin,["adm"])"},
      {"EVENT that wants an ack", PacketType::event, "/", 12, json::array({"ack", "r", {{"a", 1}}}),
       R"(4212["ack","r",{"a":1}])"},
      {"EVENT in a namespace that wants an ack", PacketType::event, "/admin", 0, json::array({"ack"}),
       R"(42/admin,0["ack"])"},
      {"ACK", PacketType::ack, "/", 12, json::array({"r"}), R"(4312["r"])"},
      {"ACK without arguments", PacketType::ack, "/admin", 0, json::array(), "43/admin,0[]"},
      {"a large id", PacketType::ack, "/", 9007199254740992.0, json::array(), "439007199254740992[]"},
      {"a larger id", PacketType::ack, "/", 1e23, json::array(), "431e+23[]"},
      {"CONNECT", PacketType::connect, "/", {}, json{{"sid", "abc"}}, R"(40{"sid":"abc"})"},
      {"CONNECT in a namespace", PacketType::connect, "/admin", {}, json{{"sid", "abc"}}, R"(40/admin,{"sid":"abc"})"},
      {"CONNECT_ERROR",
       PacketType::connect_error,
       "/nope",
       {},
       json{{"message", "Invalid namespace"}},
       R"(44/nope,{"message":"Invalid namespace"})"},
      {"BINARY_EVENT",
       PacketType::event,
       "/",
       {},
       json::array({"b", bytes({1, 2, 3, 4})}),
       R"(451-["b",{"_placeholder":true,"num":0}] <01 02 03 04>)"},
      {"BINARY_EVENT in a namespace", PacketType::event, "/admin", 7, json::array({"x", bytes({1}), bytes({2})}),
       R"(452-/admin,7["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}] <01> <02>)"},
      {"BINARY_ACK", PacketType::ack, "/", 0, json::array({"r", bytes({9})}),
       R"(461-0["r",{"_placeholder":true,"num":0}] <09>)"},
      {"binary, depth first",
       PacketType::event,
       "/",
       {},
       json::array({"x", {{"a", json::array({bytes({1})})}, {"b", bytes({2})}}, bytes({})}),
       R"(453-["x",{"a":[{"_placeholder":true,"num":0}],"b":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":2}] <01> <02> <>)"},
      {"numbers",
       PacketType::event,
       "/",
       {},
       json::array({"n", 1.0, -0.0, 0.1, 1e21, 1e-7, 123456789012345680000.0, -5, 18446744073709551615u,
                    std::numeric_limits<std::int64_t>::min()}),
       R"(42["n",1,0,0.1,1e+21,1e-7,123456789012345680000,-5,18446744073709551615,-9223372036854775808])"},
      {"what JSON cannot say",
       PacketType::event,
       "/",
       {},
       json::array({"n", std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), nullptr}),
       R"(42["n",null,null,null])"},
      {"words and empty things",
       PacketType::event,
       "/",
       {},
       json::array({"", true, false, json::object(), json::array()}),
       R"(42["",true,false,{},[]])"},
      {"texts",
       PacketType::event,
       "/",
       {},
       json::array({"t", "a\"b\\\n\x1e/\u00e9\u2028"}),
       "42[\"t\",\"a\\\"b\\\\\\n\\u001e/\u00e9\u2028\"]"},
      {"keys are texts, too",
       PacketType::event,
       "/",
       {},
       json::array({"t", {{"a\"\n", 1}, {"\u00e9", 2}}}),
       "42[\"t\",{\"a\\\"\\n\":1,\"\u00e9\":2}]"},
      {"what is not UTF-8",
       PacketType::event,
       "/",
       {},
       json::array({"t\xff", {{"k\xff", "v\xff"}}}),
       "42[\"t\ufffd\",{\"k\ufffd\":\"v\ufffd\"}]"},
      {"a placeholder that is data",
       PacketType::event,
       "/",
       {},
       json::array({"t", {{"_placeholder", true}, {"num", 0}}}),
       R"(42["t",{"_placeholder":true,"num":0}])"},
  };
  for (const Out& row : rows) {
    INFO(row.name);
    CHECK(encoded(row.type, row.nsp, row.id, row.payload) == row.expected);
  }
  CHECK(socketio::encode(PacketType::disconnect, "/", {}, {}).head->payload() == "41");
  CHECK(socketio::encode(PacketType::disconnect, "/admin", {}, {}).head->payload() == "41/admin,");
}

TEST_CASE("packets out come back in: text and binary") {
  const json payload =
      json::array({"x", {{"deep", json::array({json::binary({1, 2}), "\u00e9\n", 1.5})}}, json::binary({})});
  socketio::Writer writer;
  writer.value(payload);
  const auto out = socketio::encode(PacketType::event, "/a", 3, std::move(writer));
  socketio::Decoder decoder({});
  socketio::Packet packet;
  REQUIRE(decoder.decode(out.head->payload().substr(1), packet) == nullptr);
  CHECK(packet.type == PacketType::binary_event);
  CHECK(packet.nsp == "/a");
  CHECK(packet.id == 3.0);
  CHECK(packet.attachments == 2);
  std::vector<std::string> attachments;
  for (const auto& attachment : out.attachments) attachments.emplace_back(attachment->payload());
  json value = socketio::parse(packet.json);
  REQUIRE(socketio::replace_placeholders(value, attachments));
  CHECK(value == payload);
}
