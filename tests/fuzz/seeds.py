"""What the fuzzer begins with: readable tables, from the dialogues of the unit tests, made into files.

    write(folder)     folder/TARGET/NNN for each seed, folder/TARGET.dict for each dictionary

How a target reads its input stands in its file; what precedes a seed's text here are its knobs.
"""

import os
import re
from typing import Dict, List

SEPARATOR = "\x1e"


def latin(text) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


def with_knobs(texts: List, *all_knobs: bytes) -> List[bytes]:
    return [knobs + latin(text) for text in texts for knobs in all_knobs]


# ---- http ------------------------------------------------------------------------------------------------

POLL = "GET /socket.io/?EIO=4&transport=polling&t=w70ufd61 HTTP/1.1\r\nHost: localhost:3000\r\nAccept: */*\r\n\r\n"
UPGRADE = ("GET /socket.io/?EIO=4&transport=websocket&sid=abc HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n")

HEADS = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    POLL,
    POLL + POLL,
    "\r\n\r\n" + POLL,
    UPGRADE + "\r\n",
    UPGRADE + "Origin: https://a.example\r\n\r\n",
    UPGRADE + "Origin: https://b.example\r\nSec-WebSocket-Protocol: foo, bar\r\n\r\n",
    UPGRADE.replace("13", "8") + "Sec-WebSocket-Protocol: foo, foo\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost:a\r\nX: \t b c \t\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: [::1]:3000\r\nX:\r\nY: \r\nIf-None-Match: W/\"tag\", *\r\n\r\n",
    "GET http://h/socket.io/?a#b HTTP/1.1\r\nHost: h\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: h\r\nOrigin: null\r\nAccess-Control-Request-Headers: x-a, x-b\r\n\r\n",
    "GET /?X-A=1&X-B=a%0d%0aX-C:+2&name=io&path=/a&domain=a.example&site=Lax&&=&%zz%4 HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /..//a;b\\c?%zz#d HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
    "GET / HTTP/1.1\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n",
    "BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01",
]
BODIES = [
    "Content-Length: 5\r\n\r\nhello" + POLL,
    "Content-Length: 0\r\n\r\n" + POLL,
    "Content-Length: 50\r\n\r\n" + "x" * 50 + POLL,
    "Content-Length: +5\r\n\r\nhello",
    "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "Content-Length: 99999999999999999999\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + POLL,
    "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX: trailer\r\n\r\n" + POLL,
    "Transfer-Encoding: chunked\r\n\r\n30\r\n" + "x" * 48 + "\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n0000000000000000005\r\nhello\r\n",
    "Transfer-Encoding: chunked\r\n\r\nx\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    "Transfer-Encoding: gzip, chunked\r\n\r\n",
]
HTTP = HEADS + ["POST /b HTTP/1.1\r\nHost: a\r\n" + body for body in BODIES]

HTTP_TOKENS = ["GET ", "POST ", "OPTIONS ", "HEAD ", " HTTP/1.1\r\n", " HTTP/1.0\r\n", "\r\n", "\r\n\r\n", "Host: a\r\n", "Content-Length: ", "Transfer-Encoding: chunked\r\n",
               "Connection: ", "Upgrade: websocket\r\n", "Upgrade", "keep-alive", "close", "Origin: ", "https://a.example", "Sec-WebSocket-Key: ", "dGhlIHNhbXBsZSBub25jZQ==",
               "Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Protocol: ", "If-None-Match: ", "Access-Control-Request-Headers: ", "?EIO=4&transport=", "polling", "&sid=",
               "name=", "path=", "domain=", "site=", "%0d%0a", "%20", "0\r\n\r\n", ";a=b\r\n"]

# ---- websocket -------------------------------------------------------------------------------------------


def frame(first: int, payload, key: bytes = b"\x37\xfa\x21\x3d", width: int = 0) -> bytes:
    """A client's frame; `width` forces its length into 2 or 8 more bytes."""
    payload = latin(payload)
    size = len(payload)
    width = width or (1 if size < 126 else 2 if size < 65536 else 8)
    length = bytes([0x80 | size]) if width == 1 else bytes([0x80 | (126 if width == 2 else 127)]) + size.to_bytes(width, "big")
    return bytes([first]) + length + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


WIRE = [
    frame(0x81, "2probe"), frame(0x81, "5"), frame(0x82, "\x01\x02\x03"), frame(0x81, ""),
    frame(0x01, "he") + frame(0x89, "ping") + frame(0x00, "l") + frame(0x80, "lo"),
    frame(0x02, "a") + frame(0x80, "b") + frame(0x81, "c"),
    frame(0x01, "\xc3") + frame(0x80, "\xa9"), frame(0x81, "\xc3"), frame(0x81, "\xed\xa0\x80"),
    frame(0x81, "x" * 126), frame(0x81, "x" * 200, width=8), frame(0x82, "x", width=2),
    frame(0x88, ""), frame(0x88, "\x03\xe8bye"), frame(0x88, "\x03"), frame(0x88, "\x03\xed"), frame(0x88, "\x03\xe8\xff"),
    frame(0x8a, "pong"), frame(0x89, "x" * 125), frame(0x89, "x" * 126), frame(0x09, ""),
    frame(0x80, "nothing to go on with"), frame(0x01, "a") + frame(0x81, "b"), frame(0xc1, "x"), frame(0x83, ""), frame(0x8b, ""),
    frame(0x01, "a") + frame(0x00, "b") + frame(0x00, "c") + frame(0x80, "d"),
    frame(0x01, "x" * 70) + frame(0x80, "") + frame(0x81, "y" * 70),
    b"\x81\x05hello", b"\x81\xff\x80" + b"\0" * 11, b"\x82\xfe\xff\xff",
]
#          what: data 0x80, last 0x40, out of turn 0x30; how: fill 0x40 to a size, mask 0x20, width
FRAMES = [b"\xc1\x00a\n\xc0\x20hello\n", b"\x80\x00he\n\x00\x00ping\n\xc0\x20llo\n", b"\x81\x40x\n\x80\x43x\n\xc0\x47x\n", b"\xc0\x48x\n\xc0\x50y\n", b"\x44\x00bye\n", b"\xb0\x00a\n\xf0\x00b\n"]
WEBSOCKET = [b"\0\0" + wire for wire in WIRE] + [b"\1\7" + wire for wire in WIRE] + [b"\4\0" + program for program in FRAMES] + [b"\5\3" + program for program in FRAMES]

# ---- payload ---------------------------------------------------------------------------------------------

PAYLOAD = [
    "", "4hello", "42[\"a\",1]" + SEPARATOR + "bAQIDBA==", "3", "1", "2", "6" + SEPARATOR + "0" + SEPARATOR + "5" + SEPARATOR + "4x", "x", SEPARATOR, "4a" + SEPARATOR,
    SEPARATOR + "4a", "4a" + SEPARATOR + SEPARATOR + "4b", "4a" + SEPARATOR + "4b" + SEPARATOR + "4c" + SEPARATOR + "4d", "4a" + SEPARATOR + "1" + SEPARATOR + "4b",
    "b", "bAQ", "bA", "b_-+/", "bAQ=ID", "b A Q\n==", "4\xc3\xa9", "4\xc3", "4\xed\xa0\x80x", "4\xf0\x9f\x98\x80", "\xef\xbb\xbf4a", "4\xff" + SEPARATOR + "b\xff", "4\x00",
]

# ---- packet ----------------------------------------------------------------------------------------------

PLACE = '{"_placeholder":true,"num":%s}'
PACKETS = [
    "0", '0{"token":"abc"}', "0/admin,", '0/admin,{"t":"x"}', "1", "1/admin,", '2["hello",1]', '2/admin,["adm"]', '212["ack","r",{"a":1}]', '2/admin,0["ack"]', '312["r",{"a":1}]',
    "3/admin,0[]", '4{"message":"nope"}', '4/deny,{"message":"nope","data":{"content":"retry"}}', '4"nope"', "2", "21", "30", "51-", "62-5", '510-["x"]', '501-["x"]', "0/admin?x=1,",
    '2/admin["x"]', '2007["x"]', '29007199254740993["x"]', '218446744073709551616["x"]', '2000000000000000000000000000009["x"]', '299999999999999999999999["x"]', '2 [ "x" , 1 ] \n',
    '2[5,"x"]', "2[-1.5]", '2[""]', '2["connect"]', '2["\\u0000"]', '2["\\ud83d"]', '2["\\ud83d\\ude00",1e400]', '2["x",1e400]', '2["x",{"_placeholder":true,"num":9}]',
    '0{"a":1,"a":2}', '2["x"', '2["x",]', '2[["x"]]', "7", "5-[]", '50-["x"]', "0[]", "1{}", '4[1]', "3{}", '2["a",true,false,null,-0,1E+2,0.5e-3,"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9"]',
    '2["a",01]', '2["a",1.]', '2["a",.5]', '2["a",+1]', '2["a",tru]', "2" + "[" * 65 + "]" * 65, '2["a"' + ",[]" * 30 + "]", '2["a",{"b":{"c":[{}]}}]', '2["\x7f"]', '2["a\x01"]',
]
BINARY = [
    "51-[\"b\"," + PLACE % 0 + "]\xff\x01\x02\x03",
    "52-/admin,7[\"x\"," + PLACE % 0 + ",[{\"y\":" + PLACE % 1 + "}]]\xffa\xffbb",
    "61-12[" + PLACE % 0 + "]\xff", "51-[\"b\"," + PLACE % 1 + "]\xffa", "51-[\"b\"," + PLACE % -1 + "]\xffa", "51-[\"b\"," + PLACE % "0.0" + "," + PLACE % "0.5" + "]\xffa",
    "51-[\"b\"" + ("," + PLACE % 0) * 8 + "]\xff" + "a" * 300, "51-[\"b\",{\"_placeholder\":1,\"num\":0}]\xffa", "51-[\"b\",{\"_placeholder\":true}]\xffa",
]
JSON = [packet[1:] for packet in PACKETS if packet[1:2] in ("[", "{", '"')] + ["1", "-1.5e300", '"\\ud83dx"', "\xef\xbb\xbf[]", " [1 , 2 ] ", "[1] 2", "nul", "{\"a\" 1}", "{1:2}", "[,]"]
PACKET_TOKENS = [PLACE % 0, PLACE % 1, '"_placeholder":true', '"num":', "51-", "62-", "2[\"", "/admin,", "\\ud83d", "\\ude00", "\\u0000", "\\\"", "1e400", "-0", "1E+2", "0.5", "true", "false", "null",
                 "[", "]", "{", "}", ",", ":", "\"", "\"connect\"", "[[[[[[[[", "]]]]]]]]", "\xff", "18446744073709551616", "9007199254740993"]

# ---- forwarded -------------------------------------------------------------------------------------------

FORWARDED = [
    "127.0.0.0/8 ::1\n127.0.0.1\n203.0.113.7", "127.0.0.0/8 ::1\n192.0.2.1\n203.0.113.7", "10.0.0.0/8\n10.0.0.1\n203.0.113.7, 10.0.0.2, 10.0.0.3", "10.0.0.0/8\n10.0.0.1\nevil\n203.0.113.7,10.0.0.2",
    "10.0.0.0/8\n10.0.0.1\n203.0.113.7\n10.0.0.2", "0.0.0.0/0 ::/0\n10.0.0.1\n" + ",".join("10.0.0.%d" % i for i in range(40)), "::1\n::1\n2001:db8::1\n[2001:db8::2]:80, fe80::1%eth0",
    "2001:db8::/32 ::ffff:10.0.0.0/104\n2001:db8::1\n::ffff:1.2.3.4", "10.0.0.1\n10.0.0.1\n1.2.3.4:80, 10.0.0.1:9", "10.0.0.0/8\n10.0.0.1\nunknown, 10.0.0.2", "10.0.0.0/8\n10.0.0.1\n203.0.113.7, , 10.0.0.2",
    "\nnobody\n1.2.3.4", "\n::\n1:2:3:4:5:6:7:8,1::8,1:2:3:4:5:6:1.2.3.4,::1.2.3.4,0:0:1::,1:0:0:2::3,01.2.3.4,1.2.3,1:2,fffff::,1::2::3,1:2:3:4:1.2.3.4:5:6,::1.2.3.4:5", "1.2.3.4/33 10.0.0.0/8 ::1/129\n10.0.0.1\n1.2.3.4",
]
FORWARDED_TOKENS = ["10.0.0.1", "10.0.0.0/8", "203.0.113.7", "127.0.0.1", "::1", "::", "::ffff:", "2001:db8::", "fe80::1%eth0", "[::1]:80", ":80", ", ", "\n", "/0", "/128", "255", "ffff:"]

# ---- session: letters are explained in session.hpp -----------------------------------------------------------

SESSION = [
    "oGs1t\x0c",            # a poll takes a message, then time passes
    "oGp\x00\x00t\x0c",     # a poll is held, a message is posted
    "OF\x0bs1s3s5",         # a WebSocket: a message up, some down, the end
    "Bs1s3F\x0b",           # the same, for a client that asked for text
    "oGAF\x00t\x03F\x01s1", # an upgrade as clients do it
    "oAs1F\x00s3F\x01s1",   # what waits goes to the new WebSocket
    "oAF\x01",              # 5 without a probe
    "oGAF\x00F\x01",        # 5 while a poll is held
    "oPAF\x00F\x01",        # 5 while a POST is open
    "oAF\x0bGs1",           # a new WebSocket says something else
    "oAt\x0aG",             # a new WebSocket says nothing
    "oAF\x00W\x00Gs1",      # a new WebSocket is lost
    "oAA0GG",               # a second WebSocket, a second poll
    "oPPo",                 # a second POST
    "oGL\x00o", "oGPL\x01", "oGPL\x03", "oPlo", "oPXp\x00\x00", "ox",
    "oGp\x00\x0e", "oGp\x03\x00\x0e\x00\x00", "oGp\x00\x1e", "oGp\x00\x2e", "oGp\x00\x3e", "oGp\x00\x0f",
    "oGs4", "os4G", "os5GG", "os1s4t\x0d", "os4t\x0dt\x0d", "oAF\x00s5GG", "os4p\x00\x00GG",
    "os\x09t\x06t\x06G", "Os\x09s\x0at\x06", "os\x0bt\x00",  # closed at a time
    "OSs\x0cs\x0cs\x0ct\x00", "os\x0cs\x0cs\x0ct\x00",       # too slow
    "o1O2B0s\x06s\x07", "o1O2oGs\x08", "o1OGs\x0e", "os\x0do1o",
    "r\x01\x04oGp\x02\x00\x00\x00", "r\x01\x05OF\x0bF\x0b", "r\x00\x04Oo", "r\x00\x05oG", "r\x02\x04oAF\x00F\x01", "r\x02\x05oAs1F\x01", "r\x03\x06o1O0s4G",
    "r\x03\x07o1O2o0s4GG", "r\x01\x08o1Op\x00\x00", "r\x01\x0coGp\x01\x00\x00f",
    "oh\x04G", "oh\x05G", "oh\x04P", "oh\x0eP", "oh\x04A", "oGh\x0eG", "oGh\x05A",
    "Ot\x0cF\x0bt\x0bt\x0b", "oGt\x0cGt\x0b", "oGt\x0cp\x00\x0bGt\x0c", "oj\x0f", "Oj\x0fj\x0f", "oGaaat\x0c",
    "ot\x0cAF\x00F\x01t\x0b", "oAF\x00s1Gt\x03Gt\x03Gs3F\x01F\x0bW\x01", "oAF\x00Gs1F\x01", "oGs1s1s1GGs1f",
]
MOVES = ["oG", "AF\x00F\x01", "p\x00\x00", "p\x02\x00\x08\x0b", "GG", "s\x01", "s\x04", "s\x05", "r\x01\x04", "r\x02\x05", "r\x03\x06", "t\x0c", "t\x03", "h\x04G", "h\x05P", "L\x01", "F\x0b", "OS"]

# ---- redis: RESP, URLs, and the adapter's messages as the official one writes them ------------------------------------

RESP = ["+OK\r\n:5\r\n-ERR no\r\n", "$5\r\na\r\nbc\r\n$-1\r\n*-1\r\n*0\r\n", "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$3\r\n\x93\xa0\x01\r\n",
        "*2\r\n*2\r\n:1\r\n*0\r\n$-1\r\n", "$20\r\n" + 20 * "x" + "\r\n:1\r\n", "$9000000000000000000\r\nx", "*1\r\n" * 9, "$-2\r\n", ":x\r\n"]
URLS = ["", "localhost", "host:6379/15", "user:p%40ss@[::1]:7/3", "redis://user:password@host:6379/0", "h:70000", "[::1", "h/x", "h?a=b", "a@b@c"]
MESSAGES = [
    bytes.fromhex("93a667465a42777483a47479706502a46461746194a568656c6c6f01a2c3a982a161c0a166cb3ff8000000000000a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380"),
    bytes.fromhex("93a667465a42777483a47479706502a46461746191a178a36e7370a12f83a5726f6f6d7392a27231a27232a665786365707491a27233a5666c61677382a8766f6c6174696c65c3a8636f6d7072657373c2"),
    bytes.fromhex("93a667465a42777483a47479706502a46461746193a362696ec40301020382a164c40109a174d7ff1d5353006553f100a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380"),
    bytes.fromhex("85a3756964a667465a427774a9726571756573744964a648637647"  "3235a47479706507a67061636b657483a47479706502a46461746192a361736b07a36e7370a12f"
                  "a46f70747383a5726f6f6d7390a665786365707490a5666c61677381a774696d656f7574cd01f4"),
    bytes.fromhex("83a47479706509a9726571756573744964a6486376473235a67061636b6574a27232"),
    bytes.fromhex("c70cff0754d4c0000000006553f100"), bytes.fromhex("d400" "00"), bytes.fromhex("ddffffffff"), 70 * b"\x91" + b"\x01",
    '{"uid":"gFZBwt","requestId":"W4sL-b","type":1}', '{"uid":"gFZBwt","type":2,"opts":{"rooms":["r1"],"except":["zz"]},"rooms":["a","b"]}',
    '{"uid":"gFZBwt","type":4,"opts":{"rooms":["kZIF"],"except":[]},"close":true}', '{"uid":"gFZBwt","requestId":"hKuaxo","type":5,"opts":{"rooms":[],"except":[]}}',
    '{"uid":"gFZBwt","requestId":"fVCAok","type":6,"data":["ping2","z"]}', '{"type":6,"requestId":"fVCAok","data":"pong z"}', '{"type":2,"sid":"abc","room":"r"}',
]
REDIS_TOKENS = ["requestId", "type", "opts", "rooms", "except", "flags", "packet", "data", "nsp", "volatile", "timeout", "\xa4type\x02", "\xa4data\x91\xa1x", "\xd7\xff", "\xc4\x01", "*3\r\n", "$1\r\n", "\r\n"]

# ---- route: letters are explained in route.hpp ------------------------------------------------------------------------

ROUTE = ["omst\x05pt\x05", "obs\3abc\1l", "ot\x05t\x03", "ot\x07", "oc\x32\5hello", "oc\0\0", "oc\x96\x89" + "\xc3\xa9" * 70, "oSs\7abcdefgh\0s\7abcdefgh\0t\0", "o1o2om1md", "o1o2o0l", "oot\x05mt\x05pot\6"]

# ---- server: letters are explained in server.hpp; c NAMESPACE AUTH, e NAMESPACE EVENT HOW, s WHAT HOW ---------------

NAMESPACES = {"/": "\0", "/a": "\1", "/dyn1": "\2", "/dyn2": "\3", "/later": "\4", "/none": "\5"}
EVENTS = ["echo", "join", "leave", "all", "bye", "end", "throw", "keep", "ask", "own", "add", "blob", "nobody's"]


def connect(nsp: str, auth: int = 0) -> str:
    return "c" + NAMESPACES[nsp] + chr(auth)


def event(nsp: str, name: str, how: int = 8) -> str:
    return "e" + NAMESPACES[nsp] + chr(EVENTS.index(name)) + chr(how)


TWO = "0o" + connect("/") + connect("/a") + "1o" + connect("/") + connect("/a")
SERVER = [
    *("o" + connect(nsp) + "d" + NAMESPACES[nsp] for nsp in NAMESPACES),
    *("o" + connect("/") + event("/", name, how) + event("/", name, how) for name in EVENTS for how in (8, 9, 0x48, 0x5a)),
    *("o" + connect("/a", auth) + "n\1" + event("/a", "echo") for auth in range(8)),
    "o" + connect("/later") + "n\1" + event("/later", "all"), "o" + connect("/later") + "n\0", "o" + connect("/later") + "wn\1", "o" + connect("/a", 3) + "d\1n\1",
    "o" + connect("/a", 3) + connect("/a", 3) + "n\1n\1" + event("/a", "echo") + "d\1d\1",
    "o" + connect("/dyn1") + connect("/dyn2") + event("/dyn1", "join") + "d\2d\3s\0\2", "o" + connect("/") + connect("/a") + connect("/dyn1"),
    *(TWO + event("/", "join") + event("/a", "join", 10) + "s" + chr(what) + chr(how) for what in range(16) for how in (0, 1, 5, 32)),
    TWO + event("/", "ask") + "k\0\0k\0\0", TWO + event("/", "ask") + "k\0\2k\0\3", TWO + event("/a", "ask") + "t\2w", TWO + "s\7\0k\0\0" + "0k\0\0", TWO + "s\7\1t\4",
    TWO + event("/", "keep") + "d\0r\1", TWO + event("/", "keep") + "r\1r\1wr\1", TWO + event("/", "keep") + "d\0s\x0b\x10s\x09\x10", TWO + event("/", "keep") + "w" + "s\x0b\x10",
    TWO + event("/", "own") + event("/", "echo") + event("/", "echo", 11) + "n\1", TWO + event("/", "own") + event("/", "echo", 11) + "d\0n\1", TWO + event("/", "own") + event("/", "echo", 11) + "n\0",
    TWO + event("/", "join") + "s\0\0" + "w" + "s\0\0s\1\0" + "o" + connect("/", 8) + event("/", "all"), TWO + "s\0\1wt\7o" + connect("/a", 8), TWO + "s\0\1w0s\0\1" + "1o" + connect("/a", 8),
    "o" + connect("/") + "x2[\"echo\"\n", "o" + connect("/") + "x51-[\"echo\",{\"_placeholder\":true,\"num\":0}]\nbabc\n", "o" + connect("/") + "babc\n", "ox7\n",
    "o" + connect("/") + "x51-[\"echo\",{\"_placeholder\":true,\"num\":7}]\nbabc\n", "o" + connect("/") + "x51-[\"echo\"]\n" + event("/", "echo"), "ox0[]\n", "ot\x06", "o" + connect("/") + "t\x05t\x04",
    TWO + "s\x10\xfbo", TWO + event("/", "all") + event("/", "bye") + connect("/") + event("/", "end"),
]

# ---- program: letters are explained in program.hpp; h PLACE ACTION HOW, c NAMESPACE AUTH, e NAMESPACE EVENT HOW ------


def names_in(file: str, begin: str, pattern: str) -> List[str]:
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), file), encoding="utf-8") as source:
        return re.findall(pattern, source.read().split(begin, 1)[1].split("\n};", 1)[0].split("\n  };", 1)[0])


PLACES = names_in("program.hpp", "places{", r'"([^"]+)",')
ACTIONS = names_in("program.hpp", "std::array all{", r'Action{\s*"([^"]+)"')
PROGRAM_EVENTS = ["event", "reply", "typed", "later", "silent", "once", "asks", "mine", "coroutine", "nobody's"]


def act(letter: str, name: str, how: int = 0) -> str:
    return letter + chr(ACTIONS.index(name)) + chr(how)


def at(place: str, name: str, how: int = 0) -> str:
    return "h" + chr(PLACES.index(place)) + chr(ACTIONS.index(name)) + chr(how)


def say(name: str, how: int = 9, nsp: str = "/") -> str:
    return "e" + NAMESPACES[nsp] + chr(PROGRAM_EVENTS.index(name)) + chr(how)


# The script comes by every place: two clients and what they say; then what the program does of its own accord; routes, a
# guest and the other engine; an upgrade; the ends.
COME = ["1o\0" + connect("/"), "0o%c", connect("/"), connect("/a"), connect("/dyn1"), connect("/later"), "n\1", connect("/none"), "n\0"]
SAY = ["0" + say("event", 10), say("reply"), say("typed"), say("later"), say("silent", 10), say("once"), say("coroutine"), say("asks"), say("event", 9, "/dyn1"), say("event", 0x59),
       say("event", 11), "n\0", say("event", 11), "n\1", "k\0\0", "k\0\2", "k\0\0"]
DO = [act("a", "broadcast"), act("a", "broadcast", 3), act("a", "ask some", 32), act("a", "fetch"), act("a", "list the rooms"), act("a", "tell the servers"), act("a", "have some join"),
      act("a", "disconnect some", 8), act("a", "data"), act("a", "keep a broadcast", 8), act("p", "measure"), act("a", "by the loop", ACTIONS.index("measure"))]
ASK = ["r\0", "r\1", "r\3", "r\4n\1", "r\6", "r\7", "r\x08", "i\0", "i\1", "i\3"]
END = ["u", "ku\0", say("event", 10), "t\2", "1" + say("asks"), "w", "1o\0" + connect("/", 8) + "d\0", act("a", "close the server", 1), "t\3"]


def script(how: int = 0, arms: str = "", skip: int = 0) -> str:
    moves = [move.replace("%c", chr(how)) for move in COME + SAY + DO + ASK + END]
    return arms + "".join(move for i, move in enumerate(moves) if not skip or i % skip)


def programs() -> List[bytes]:
    out = [bytes([knobs, more]) + latin(script(how)) for how in range(4) for knobs, more in ((0, 0), (0xf9, 0x7f & ~24), (0xfe, 0x3b), (4, 0x41))]
    turn = 0
    for place in PLACES[1:]:
        for action in (ACTIONS[turn % len(ACTIONS)], ACTIONS[(turn + 17) % len(ACTIONS)], ACTIONS[(turn * 5 + 3) % len(ACTIONS)]):
            turn += 1
            knobs = 0xd8 | (turn & 5) | (32 if place == "log" else 0)
            out.append(bytes([knobs, 0x2b & ~8 | turn & 0x40]) + latin(script(turn % 4, at(place, action, turn * 37 & 0xff))))
    out += [b"\xd8\x23" + latin(script(number % 4, at("event", action, number) + at("disconnect", action, number * 5 & 0xff))) for number, action in enumerate(ACTIONS)]
    out += [b"\xd8\x23" + latin(at("middleware late", action, 2) + "0o\0" + connect("/", 3) + "n" + answer + say("event")) for action in ("disconnect", "close the server", "emit", "look") for answer in ("\0", "\1")]
    out += [bytes([turn * 5 & 0xfd, 0x23]) + latin(script(turn % 4, skip=9)[:60 + turn] + "D" + "N" * (turn & 1) + script(turn % 3, skip=7)) for turn in range(0, 120, 6)]
    out += [bytes([0x80 | turn, 0x21]) + latin(script(0, at("posted", "run the loop") + act("p", "post the destruction") + at(place, "run the loop"))) for turn, place in enumerate(("event", "disconnect", "ack", "route"))]
    return out


TARGETS: Dict[str, List[bytes]] = {
    "forwarded": [latin(text) for text in FORWARDED],
    "http": with_knobs(HTTP, b"\0\1", b"\3\2", b"\4\3", b"\x18\4"),
    "packet": with_knobs(PACKETS + BINARY, b"\0", b"\5") + with_knobs(JSON, b"\2", b"\3"),
    "payload": with_knobs(PAYLOAD, b"\0", b"\1", b"\6"),
    "program": programs(),
    "redis": with_knobs(RESP, b"\0", b"\x1c", b"\x24") + with_knobs(URLS, b"\1") + with_knobs(MESSAGES, b"\2"),
    "route": with_knobs(ROUTE, b"\0", b"\1", b"\x06", b"\x0a", b"\x0c"),
    "server": with_knobs(SERVER, b"\x08", b"\x15", b"\x02"),
    "session": with_knobs(SESSION, b"\0", b"\x11", b"\x27", b"\x1b"),
    "websocket": WEBSOCKET,
}
TOKENS: Dict[str, List] = {"forwarded": FORWARDED_TOKENS, "http": HTTP_TOKENS, "packet": PACKET_TOKENS, "payload": ["\x1e", "\x1eb", "\x1e4", "==", "\xed\xa0\x80", "\xf0\x9f\x98\x80"], "redis": REDIS_TOKENS,
                           "server": [TWO, *(event("/", name) for name in EVENTS), connect("/a", 3), connect("/a", 8), "k\0\0", "n\1", "n\0", "r\1", "s\x0b\x10", "s\x09\x10", "wo", "t\4"],
           "program": [*COME[:5], *SAY, *DO, *ASK, *END[2:], *(at(place, ACTIONS[i % len(ACTIONS)], i) for i, place in enumerate(PLACES)), *("h\0" + chr(i) for i in range(len(ACTIONS)))],
           "session": MOVES}


def write(folder: str) -> None:
    for target, seeds in TARGETS.items():
        os.makedirs(os.path.join(folder, target), exist_ok=True)
        for number, seed in enumerate(seeds):
            with open(os.path.join(folder, target, f"{number:03}"), "wb") as file:
                file.write(seed)
    for target, tokens in TOKENS.items():
        with open(os.path.join(folder, target + ".dict"), "w", encoding="ascii") as file:
            for token in tokens:
                file.write('"%s"\n' % "".join(f"\\x{byte:02x}" for byte in latin(token)))
