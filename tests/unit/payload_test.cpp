// Chapter 6, the message that goes out: encoded once, for both transports.

#include "dialogue.hpp"

using namespace dialogue;
using sio_demo::engineio::Message;
using sio_demo::engineio::MessageRef;

TEST_CASE("messages: a frame for WebSocket whose payload is the packet for polling") {
  struct Row {
    std::string_view name;
    MessageRef message;
    std::string_view frame, payload;
    bool binary;
  };
  const Row rows[] = {
      {"a ping", Message::text({"2"}), "81 01 32", "2", false},
      {"an event in parts", Message::text({"42", "[\"a\"", "", ",1]"}), "81 09 34 32 5b 22 61 22 2c 31 5d",
       "42[\"a\",1]", false},
      {"an empty text", Message::text({}), "81 00", "", false},
      {"bytes", Message::binary("\x01\x02\x03\x04"), "82 04 01 02 03 04", "\x01\x02\x03\x04", true},
      {"no bytes", Message::binary(""), "82 00", "", true},
      {"NUL and 0x1E are bytes", Message::binary("\0\x1e"sv), "82 02 00 1e", "\0\x1e"sv, true},
      {"raw", Message::raw({"HTTP", "\r\n"}), "48 54 54 50 0d 0a", "HTTP\r\n", false},
      {"nothing raw", Message::raw({}), "", "", false},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(as_hex(row.message->frame()) == row.frame);
    CHECK(row.message->payload() == row.payload);
    CHECK(row.message->is_binary() == row.binary);
    CHECK(inside(row.message->payload(), row.message->frame()));
  }
}

TEST_CASE("messages: the frame's header for every kind of length") {
  struct Row {
    std::size_t size;
    std::string_view text, binary;
  };
  const Row rows[] = {
      {0, "81 00", "82 00"},
      {1, "81 01", "82 01"},
      {125, "81 7d", "82 7d"},
      {126, "81 7e 00 7e", "82 7e 00 7e"},
      {127, "81 7e 00 7f", "82 7e 00 7f"},
      {65535, "81 7e ff ff", "82 7e ff ff"},
      {65536, "81 7f 00 00 00 00 00 01 00 00", "82 7f 00 00 00 00 00 01 00 00"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.size);
    const std::string payload(row.size, 'x');
    for (const bool binary : {false, true}) {
      const auto message = binary ? Message::binary(payload) : Message::text({payload});
      const auto header = message->frame().substr(0, message->frame().size() - row.size);
      CHECK(as_hex(header) == (binary ? row.binary : row.text));
      CHECK(message->payload() == payload);
      CHECK(message->frame().substr(header.size()) == payload);
    }
  }
}

TEST_CASE("messages: binary as text is b and base64, made once") {
  struct Row {
    std::string_view bytes, text;
  };
  const Row rows[] = {
      {"", "b"}, {"\x01", "bAQ=="}, {"\x01\x02", "bAQI="}, {"\x01\x02\x03\x04", "bAQIDBA=="}, {"\xfb\xff", "b+/8="}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto message = Message::binary(row.bytes);
    const auto text = Message::as_text(message);
    CHECK(text->payload() == row.text);
    CHECK_FALSE(text->is_binary());
    CHECK(Message::as_text(message).get() == text.get());
    CHECK(sio_demo::bytes::base64_decode(text->payload().substr(1)) == row.bytes);
    CHECK(message->payload() == row.bytes);
  }
  const auto text = Message::text({"42[]"});
  CHECK(Message::as_text(text).get() == text.get());
}

TEST_CASE("messages: live as long as somebody holds them") {
  MessageRef text;
  {
    const auto message = Message::binary(std::string(100'000, '\xff'));
    const MessageRef copies[] = {message, message, message};
    text = Message::as_text(copies[1]);
  }
  CHECK(text->payload().size() == 1 + (100'000 + 2) / 3 * 4);
  CHECK(text->payload().substr(0, 5) == "b////");
}
