'use strict';
// Where our server differs from the official one on purpose, and what the server cannot do yet.

// Features of the public API that scripts need (`needs` in the scripts) and that are not there yet.
const missing = {};

// The intended differences: why, and by script what only the official transcript has (-) and what only ours has (+).
// A difference that is not exactly this one fails the test, and so does one that is not there any more.
const differences = [
  {
    why: 'The header protected Internet Explorer from itself; nobody uses it any more.',
    scripts: {
      'replies: an old Internet Explorer': [
        '- A< 200 OK | Content-Type: text/plain; charset=UTF-8 | X-XSS-Protection: 0 | cache-control: no-store | Date: * | Connection: keep-alive | Keep-Alive: * | body 0{"sid":"<sid1>","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}',
        '+ A< 200 OK | Content-Type: text/plain; charset=UTF-8 | cache-control: no-store | Date: * | Connection: keep-alive | Keep-Alive: * | body 0{"sid":"<sid1>","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}',
      ],
    },
  },
  {
    why: 'One rule for every answer of the server: routes of the program and 404 carry the CORS headers, too.',
    scripts: {
      'cors: OPTIONS elsewhere': [
        '- A< 404 Not Found | Date: * | Connection: keep-alive | Keep-Alive: *',
        '+ A< 404 Not Found | Access-Control-Allow-Origin: http://app.example | Vary: Origin | Access-Control-Allow-Credentials: true | Date: * | Connection: keep-alive | Keep-Alive: *',
      ],
      'cors: GET elsewhere': [
        '- A< 404 Not Found | Date: * | Connection: keep-alive | Keep-Alive: *',
        '+ A< 404 Not Found | Access-Control-Allow-Origin: http://app.example | Vary: Origin | Access-Control-Allow-Credentials: true | Date: * | Connection: keep-alive | Keep-Alive: *',
      ],
    },
  },
  {
    why: 'Packets are handled in the order in which they came: an event right behind its CONNECT is served.',
    scripts: {
      'connect: an event right behind it meets no namespace (websocket)': [
        '- ws< CLOSE()',
        '+ ws< text 40{"sid":"<sid2>"}',
        '+ ws< text 42["echoed","alive"]',
      ],
      'connect: an event right behind it meets no namespace (polling)': [
        '- poll< 6␞1',
        '+ poll< 40{"sid":"<sid2>"}␞42["echoed","alive"]',
      ],
    },
  },
  {
    why: 'Theirs forgets a ping that is outstanding when the transport changes, and pings no more until a pong comes. Ours goes on waiting for the pong, as clients send it: one that does not is gone.',
    scripts: {
      'heartbeat: a ping outstanding at the upgrade': [
        '- ws< text 42["echoed","alive"]',
        '+ ws< CLOSE()',
        '- ws< text 2',
        '+ ws< (no frame: FIN)',
      ],
    },
  },
  {
    why: 'JSONP is not offered: no client of this protocol uses it. The parameter is one like others.',
    scripts: {
      'query: a JSONP session': [
        '- A< 200 OK | Content-Type: text/plain; charset=UTF-8 | cache-control: no-store | Date: * | Connection: keep-alive | Keep-Alive: * | body ___eio[7]("0{\\"sid\\":\\"<sid1>\\",\\"upgrades\\":[\\"websocket\\"],\\"pingInterval\\":25000,\\"pingTimeout\\":20000,\\"maxPayload\\":1000000}");',
        '- post< 200 OK | Content-Type: text/html | cache-control: no-store | Date: * | Connection: keep-alive | Keep-Alive: * | body ok',
        '+ A< 200 OK | Content-Type: text/plain; charset=UTF-8 | cache-control: no-store | Date: * | Connection: keep-alive | Keep-Alive: * | body 0{"sid":"<sid1>","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}',
      ],
    },
  },
  {
    why: 'A method that a session has no use for is the client\'s mistake, not ours: 400 rather than 500.',
    scripts: {
      'checks: PUT on a live session, which survives': [
        '- A< 500 Internal Server Error | Date: * | Connection: keep-alive | Keep-Alive: *',
        '+ A< 400 Bad Request | Content-Type: application/json | Date: * | Connection: keep-alive | Keep-Alive: * | body {"code":2,"message":"Bad handshake method"}',
      ],
      'checks: DELETE on a live session, which survives': [
        '- A< 500 Internal Server Error | Date: * | Connection: keep-alive | Keep-Alive: *',
        '+ A< 400 Bad Request | Content-Type: application/json | Date: * | Connection: keep-alive | Keep-Alive: * | body {"code":2,"message":"Bad handshake method"}',
      ],
      'checks: PATCH on a live session, which survives': [
        '- A< 500 Internal Server Error | Date: * | Connection: keep-alive | Keep-Alive: *',
        '+ A< 400 Bad Request | Content-Type: application/json | Date: * | Connection: keep-alive | Keep-Alive: * | body {"code":2,"message":"Bad handshake method"}',
      ],
      'checks: HEAD on a live session, which survives': [
        '- A< 500 Internal Server Error | Date: * | Connection: keep-alive | Keep-Alive: *',
        '+ A< 400 Bad Request | Content-Type: application/json | Date: * | Connection: keep-alive | Keep-Alive: *',
      ],
      'checks: OPTIONS on a live session, which survives': [
        '- A< 500 Internal Server Error | Date: * | Connection: keep-alive | Keep-Alive: *',
        '+ A< 400 Bad Request | Content-Type: application/json | Date: * | Connection: keep-alive | Keep-Alive: * | body {"code":2,"message":"Bad handshake method"}',
      ],
      'cors: PUT on a live session': [
        '- A< 500 Internal Server Error | Access-Control-Allow-Origin: http://app.example | Vary: Origin | Access-Control-Allow-Credentials: true | Date: * | Connection: keep-alive | Keep-Alive: *',
        '+ A< 400 Bad Request | Access-Control-Allow-Origin: http://app.example | Vary: Origin | Access-Control-Allow-Credentials: true | Content-Type: application/json | Date: * | Connection: keep-alive | Keep-Alive: * | body {"code":2,"message":"Bad handshake method"}',
      ],
    },
  },
  {
    why: 'Two complete bodies do not overlap, however they arrive: both are served.',
    scripts: {
      'post: two in one segment': [
        '- A< (no response: FIN)',
        '- A< (no response: FIN)',
        '- journal: / connected; / transport error',
        '+ A< ok',
        '+ A< ok',
        '+ journal: / connected',
      ],
    },
  },
  {
    why: 'A body that is announced as too large is refused before a byte of it is read.',
    scripts: {
      'post: a large Content-Length alone triggers nothing': [
        '- A< (quiet)',
        '+ A< (not quiet: HTTP/1.1 413 Payload Too Large⏎Content-Length: 0⏎Date: *⏎Connection: keep-alive⏎Keep-Alive: *⏎⏎)',
      ],
    },
  },
  {
    why: 'A version has one spelling.',
    scripts: {
      'opening: version 013': [
        '- A< 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade | Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
        '- A< text 0{"sid":"<sid1>","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}',
        '+ A< 400 Bad Request | Connection: close | Content-Type: text/html | Sec-WebSocket-Version: 13, 8 | body Missing or invalid Sec-WebSocket-Version header',
        '+ A< closed',
      ],
    },
  },
  {
    why: 'HTTP/1.1 demands Host, of upgrade requests too; the bare refusal has no Date.',
    scripts: {
      'opening: no Host': [
        '- A< 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade | Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
        '- A< text 0{"sid":"<sid1>","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}',
        '+ A< 400 Bad Request | Connection: close',
        '+ A< closed',
      ],
      'http: refused: no Host': [
        '- A< 400 Bad Request | Connection: close | Date: *',
        '+ A< 400 Bad Request | Connection: close',
      ],
    },
  },
  {
    why: 'A client of Engine.IO 3 gets a plain refusal in HTTP, rather than one written as garbage into a WebSocket that was accepted.',
    scripts: {
      'opening: EIO 3 never sees an open packet': [
        '- A< 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade | Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
        '- A< closed after unread: HTTP/1.1 400 Bad Request⏎Connection: close⏎Content-type: text/html⏎Content-Length: 28⏎⏎Unsupported protocol version',
        '+ A< 400 Bad Request | Connection: close | Content-type: text/html | body Unsupported protocol version',
        '+ A< closed',
      ],
      'opening: no EIO never sees an open packet': [
        '- A< 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade | Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
        '- A< closed after unread: HTTP/1.1 400 Bad Request⏎Connection: close⏎Content-type: text/html⏎Content-Length: 28⏎⏎Unsupported protocol version',
        '+ A< 400 Bad Request | Connection: close | Content-type: text/html | body Unsupported protocol version',
        '+ A< closed',
      ],
    },
  },
  {
    why: 'Frames that arrive with the handshake are read rather than lost.',
    scripts: {
      'opening: frames in the segment of the request': [
        '+ A< text 40{"sid":"<sid2>"}',
      ],
    },
  },
  {
    why: 'Our answers have a length, so the connection can be kept where theirs cannot.',
    scripts: {
      'http: an error over HTTP/1.0 with keep-alive': [
        '- A< 400 Bad Request | Content-Type: application/json | Date: * | Connection: close | body {"code":0,"message":"Transport unknown"}',
        '+ A< 400 Bad Request | Content-Type: application/json | Date: * | Connection: keep-alive | Keep-Alive: * | body {"code":0,"message":"Transport unknown"}',
      ],
      'http: a foreign path over HTTP/1.0 with keep-alive': [
        '- A< 404 Not Found | Date: * | Connection: close',
        '+ A< 404 Not Found | Date: * | Connection: keep-alive | Keep-Alive: *',
      ],
    },
  },
  {
    why: 'Versions other than 1.0 and 1.1 are refused.',
    scripts: {
      'http: refused: HTTP/1.2 in the request line': [
        '- A< 400 Bad Request | Connection: close',
        '+ A< 505 HTTP Version Not Supported | Connection: close',
      ],
      'http: quirk: no version in the request line': [
        '- A< 200 OK | Content-Type: text/plain; charset=UTF-8 | cache-control: no-store | Date: * | Connection: close | body 0{"sid":"<sid1>","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}',
        '+ A< 400 Bad Request | Connection: close',
      ],
      'http: quirk: HTTP/2.0 in the request line': [
        '- A< 200 OK | Content-Type: text/plain; charset=UTF-8 | cache-control: no-store | Date: * | Connection: close | body 0{"sid":"<sid1>","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}',
        '+ A< 505 HTTP Version Not Supported | Connection: close',
      ],
    },
  },
  {
    why: 'A transfer coding that nobody knows is refused at once: where the body ends is anybody\'s guess.',
    scripts: {
      'http: refused: Transfer-Encoding: xchunked': [
        '- A< 400 Bad Request | Content-Type: application/json | Date: * | Connection: keep-alive | Keep-Alive: * | body {"code":1,"message":"Session ID unknown"}',
        '+ A< 400 Bad Request | Connection: close',
      ],
    },
  },
  {
    why: 'A limit of its own for the request line, with the status made for it.',
    scripts: {
      'http: refused: a target of 17 KiB': [
        '- A< 431 Request Header Fields Too Large | Connection: close',
        '+ A< 414 URI Too Long | Connection: close',
      ],
    },
  },
  {
    why: 'Ten seconds for the headers; the official server takes 60 to 90, too long to wait for here.',
    scripts: {
      'http: headers never complete': [
        '+ A> GET /socket.io/?EIO=4&transport=polling HTTP/1.1⏎Host: h⏎',
        '+ A< (quiet)',
        '+ A> X: y⏎',
        '+ A< (quiet)',
        '+ A< 408 Request Timeout | Connection: close',
        '+ A< closed',
      ],
      'http: a connection that sends nothing': [
        '+ A< (quiet)',
        '+ A< closed',
      ],
    },
  },
  {
    why: 'With a list of origins, a WebSocket from a page that is not on it is refused: browsers do not do that for us.',
    scripts: {
      'cors: WebSocket, a foreign origin': [
        '- A< 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade | Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo= | Vary: Origin | Access-Control-Allow-Credentials: true',
        '- A< text 0{"sid":"<sid1>","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}',
        '+ A< 400 Bad Request | Connection: close | Content-type: text/html | body Forbidden',
        '+ A< closed',
      ],
      'cors: WebSocket, Origin: null': [
        '- A< 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade | Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo= | Vary: Origin | Access-Control-Allow-Credentials: true',
        '- A< text 0{"sid":"<sid1>","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}',
        '+ A< 400 Bad Request | Connection: close | Content-type: text/html | body Forbidden',
        '+ A< closed',
      ],
      'cors: WebSocket, an origin that has a listed one as prefix': [
        '- A< 101 Switching Protocols | Upgrade: websocket | Connection: Upgrade | Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo= | Vary: Origin | Access-Control-Allow-Credentials: true',
        '- A< text 0{"sid":"<sid1>","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}',
        '+ A< 400 Bad Request | Connection: close | Content-type: text/html | body Forbidden',
        '+ A< closed',
      ],
      'cors: upgrade of a polling session, foreign origin': [
        '- ws<  | Vary: Origin | Access-Control-Allow-Credentials: true',
        '+ ws< 400 Bad Request | Connection: close | Content-type: text/html | body Forbidden',
        '- ws< text 3probe',
        '+ ws< (no frame: FIN)',
      ],
    },
  },
  {
    why: 'Theirs gives up at the 61st pong that waits to be written; ours answers all.',
    scripts: {
      'frame: a hundred pings in one segment': [
        '- # 60 pongs, then the end',
        '+ # 100 pongs, then it goes on',
      ],
    },
  },
  {
    why: 'A session that is on WebSocket has nothing to upgrade to: the second connection is turned away, the first one stays.',
    scripts: {
      'upgrade: a session that began on WebSocket, taken over by another': [
        '- second< text 3probe',
        '+ second< CLOSE()',
        '- first< CLOSE()',
        '- second< text 42["echoed","alive"]',
      ],
    },
  },
  {
    why: 'Our strings are UTF-8, which cannot hold half of a surrogate pair: it becomes U+FFFD.',
    scripts: {
      'served: a lone surrogate (websocket)': [
        '- ws< text 42["echoed","\\ud83d"]',
        '+ ws< text 42["echoed","�"]',
      ],
      'served: a lone surrogate (polling)': [
        '- poll< 42["echoed","\\ud83d"]',
        '+ poll< 42["echoed","�"]',
      ],
      'served: a lone low surrogate (websocket)': [
        '- ws< text 42["echoed","x\\udc00y"]',
        '+ ws< text 42["echoed","x�y"]',
      ],
      'served: a lone low surrogate (polling)': [
        '- poll< 42["echoed","x\\udc00y"]',
        '+ poll< 42["echoed","x�y"]',
      ],
      'client: half a surrogate pair (polling)': [
        '- 61 d83d 62, de00',
        '+ 61 fffd 62, fffd',
      ],
      'client: half a surrogate pair (websocket)': [
        '- 61 d83d 62, de00',
        '+ 61 fffd 62, fffd',
      ],
      'client: half a surrogate pair (upgrade)': [
        '- 61 d83d 62, de00',
        '+ 61 fffd 62, fffd',
      ],
    },
  },
  {
    why: 'Integers of 64 bits stay exact, where JavaScript rounds them to a double.',
    scripts: {
      'served: big numbers (websocket)': [
        '- ws< text 42["echoed",9007199254740992,123456789012345680000,1e+21,1e+22,18446744073709552000,9223372036854776000]',
        '+ ws< text 42["echoed",9007199254740993,123456789012345680000,1e+21,1e+22,18446744073709551615,9223372036854775808]',
      ],
      'served: big numbers (polling)': [
        '- poll< 42["echoed",9007199254740992,123456789012345680000,1e+21,1e+22,18446744073709552000,9223372036854776000]',
        '+ poll< 42["echoed",9007199254740993,123456789012345680000,1e+21,1e+22,18446744073709551615,9223372036854775808]',
      ],
    },
  },
  {
    why: 'Objects that pass through a handler are nlohmann::json, which sorts its keys.',
    scripts: {
      'served: keys in their order (websocket)': [
        '- ws< text 42["echoed",{"b":1,"a":2,"c":{"z":1,"y":2}}]',
        '+ ws< text 42["echoed",{"a":2,"b":1,"c":{"y":2,"z":1}}]',
      ],
      'served: keys in their order (polling)': [
        '- poll< 42["echoed",{"b":1,"a":2,"c":{"z":1,"y":2}}]',
        '+ poll< 42["echoed",{"a":2,"b":1,"c":{"y":2,"z":1}}]',
      ],
      'served: integer-like keys (websocket)': [
        '- ws< text 42["echoed",{"1":3,"2":2,"b":1,"a":4,"01":5}]',
        '+ ws< text 42["echoed",{"01":5,"1":3,"2":2,"a":4,"b":1}]',
      ],
      'served: integer-like keys (polling)': [
        '- poll< 42["echoed",{"1":3,"2":2,"b":1,"a":4,"01":5}]',
        '+ poll< 42["echoed",{"01":5,"1":3,"2":2,"a":4,"b":1}]',
      ],
    },
  },
  {
    why: 'JSON is served up to 64 levels deep.',
    scripts: {
      'served: a hundred levels (websocket)': [
        '- ws< text 42["echoed",[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]',
        '+ ws< CLOSE()',
        '- ws< text 42["echoed","alive"]',
        '+ ws< (no frame: FIN)',
      ],
      'served: a hundred levels (polling)': [
        '- poll< 42["echoed",[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]',
        '+ poll< 1',
        '- post< ok',
        '- poll< 42["echoed","alive"]',
        '+ post< 400 Bad Request | Content-Type: application/json | Date: * | Connection: keep-alive | Keep-Alive: * | body {"code":1,"message":"Session ID unknown"}',
        '+ poll< 400 Bad Request | Content-Type: application/json | Date: * | Connection: keep-alive | Keep-Alive: * | body {"code":1,"message":"Session ID unknown"}',
      ],
      'deep JSON is not served for ever': [
        '- ws< text 42["echoed","alive"]',
        '+ ws< CLOSE()',
      ],
    },
  },
  {
    why: 'A space is no ack id: the event is served, no ack was asked for.',
    scripts: {
      'served: quirk: a space counts as ack id 0 (websocket)': [
        '- ws< text 430[]',
      ],
    },
  },
  {
    why: 'An ack id beyond the range of a double cannot be echoed: refused.',
    scripts: {
      'served: quirk: ack id of 400 digits (websocket)': [
        '- ws< text 43Infinity[]',
        '+ ws< CLOSE()',
        '- ws< text 42["echoed","alive"]',
      ],
    },
  },
  {
    why: 'A count, or a place among attachments, is written in digits, and whole: refused.',
    scripts: {
      'served: quirk: attachments 1e0 (websocket)': [
        '- ws< text 451-["bin",{"_placeholder":true,"num":0}]',
        '- ws< binary 01',
        '+ ws< CLOSE()',
        '- ws< text 42["echoed","alive"]',
      ],
      'served: quirk: attachments with a space (websocket)': [
        '- ws< text 451-["bin",{"_placeholder":true,"num":0}]',
        '- ws< binary 01',
        '+ ws< CLOSE()',
        '- ws< text 42["echoed","alive"]',
      ],
      'served: quirk: num 0.5 (websocket)': [
        '- ws< text 42["bin",null]',
        '+ ws< CLOSE()',
        '- ws< text 42["echoed","alive"]',
      ],
    },
  },
  {
    why: 'Events are handled as they are read, before what follows them; theirs are put off and lost when the connection ends right behind them.',
    scripts: {
      'close frame: a message before it in the same segment': [
        '+ ws< text 42["echoed","alive"]',
        '- ws< (no frame: FIN)',
        '- journal: / connected; / transport error',
        '+ journal: / connected; / transport close',
      ],
      'refused: what came before in the same payload': [
        '+ poll< 42["echoed",1]',
        '- poll< 400 Bad Request | Content-Type: application/json | Date: * | Connection: keep-alive | Keep-Alive: * | body {"code":1,"message":"Session ID unknown"}',
      ],
      'refused: what came before in the same segment': [
        '+ ws< text 42["echoed",1]',
      ],
    },
  },
  {
    why: 'The namespace was left before the transport was, and that is the reason given.',
    scripts: {
      'disconnect: and the transport in one payload': [
        '- journal: / connected; / transport close',
        '+ journal: / connected; / client namespace disconnect',
      ],
    },
  },
  {
    why: 'Events are handled as they are read: the answer is out before the client leaves.',
    scripts: {
      'acks: the client leaves in the segment of its question': [
        '+ ws< text 432["x"]',
      ],
    },
  },
  {
    why: 'Who left will not answer: whoever asked is told once all others have answered, rather than when the time is over; and what is emitted to a socket that has left goes nowhere.',
    scripts: {
      'answers: of a room that somebody leaves meanwhile': [
        '- a< text 42["answers","operation has timed out",["c"]]',
        '+ a< text 42["answers","somebody left",["c"]]',
      ],
      'answers: the client leaves without one, within the time': [
        '- ws< text 42["answered","operation has timed out"]',
      ],
    },
  },
  {
    why: 'A state is given back once: whoever learns a pid cannot be a second socket of the same id beside the first, nor come back after a goodbye.',
    scripts: {
      'recovery: the same pid twice': [
        '- twice< text 40{"sid":"<sid2>","pid":"<pid1>"}',
        '+ twice< text 40{"sid":"<sid5>","pid":"<pid2>"}',
      ],
      'recovery: then a goodbye': [
        '- again< text 40{"sid":"<sid2>","pid":"<pid1>"}',
        '+ again< text 40{"sid":"<sid4>","pid":"<pid2>"}',
      ],
    },
  },
  {
    why: 'What a client missed is sent once the middlewares have let it in, not to one that they refuse.',
    scripts: {
      'recovery: refused by a middleware, having missed something': [
        '- again< text 42/admin,["shout","missed","<offset2>"]',
      ],
    },
  },
  {
    why: 'With recovery, too, what a middleware emits reaches the client before the reply; theirs is lost.',
    scripts: {
      'offsets: an emit in a middleware': [
        '+ ws< text 42/early,["early",1,"<offset1>"]',
      ],
    },
  },
  {
    why: 'One rule for lines of one name: they are one list. Theirs has rules of its own for some names, and keeps the first User-Agent.',
    scripts: {
      'handshake: two user agents (polling)': [
        '- {"address":"127.0.0.1","auth":{},"headers":{"host":"wire.example","user-agent":"one"},"issued":*,"query":{"EIO":"4","transport":"polling"},"secure":false,"time":"*","url":"/socket.io/?EIO=4&transport=polling","xdomain":false}',
        '+ {"address":"127.0.0.1","auth":{},"headers":{"host":"wire.example","user-agent":"one, two"},"issued":*,"query":{"EIO":"4","transport":"polling"},"secure":false,"time":"*","url":"/socket.io/?EIO=4&transport=polling","xdomain":false}',
      ],
    },
  },
  {
    why: 'Our strings are UTF-8: what is none in a header becomes U+FFFD in JSON, rather than being taken for Latin-1.',
    scripts: {
      'handshake: a header in Latin-1 (websocket)': [
        '- {"address":"127.0.0.1","auth":{},"headers":{"connection":"Upgrade","host":"wire.example","sec-websocket-key":"dGhlIHNhbXBsZSBub25jZQ==","sec-websocket-version":"13","upgrade":"websocket","x-latin":"café"},"issued":*,"query":{"EIO":"4","transport":"websocket"},"secure":false,"time":"*","url":"/socket.io/?EIO=4&transport=websocket","xdomain":false}',
        '+ {"address":"127.0.0.1","auth":{},"headers":{"connection":"Upgrade","host":"wire.example","sec-websocket-key":"dGhlIHNhbXBsZSBub25jZQ==","sec-websocket-version":"13","upgrade":"websocket","x-latin":"caf�"},"issued":*,"query":{"EIO":"4","transport":"websocket"},"secure":false,"time":"*","url":"/socket.io/?EIO=4&transport=websocket","xdomain":false}',
      ],
      'handshake: a header in Latin-1 (polling)': [
        '- {"address":"127.0.0.1","auth":{},"headers":{"host":"wire.example","x-latin":"café"},"issued":*,"query":{"EIO":"4","transport":"polling"},"secure":false,"time":"*","url":"/socket.io/?EIO=4&transport=polling","xdomain":false}',
        '+ {"address":"127.0.0.1","auth":{},"headers":{"host":"wire.example","x-latin":"caf�"},"issued":*,"query":{"EIO":"4","transport":"polling"},"secure":false,"time":"*","url":"/socket.io/?EIO=4&transport=polling","xdomain":false}',
      ],
    },
  },
  {
    why: 'With no other server in the cluster the answers of all the others are there at once; their adapter in memory warns, and never answers.',
    scripts: {
      'servers: nobody else is told, nobody answers': [
        '+ ws< text 430[null,[]]',
      ],
    },
  },
  {
    why: 'What is emitted while a middleware thinks about a client that comes back is missed, too, and sent with the rest; theirs is lost.',
    scripts: {
      'recovery: something is emitted while a middleware thinks': [
        '- again< text 40/gate,{"sid":"<sid4>","pid":"<pid2>"}',
        '+ again< text 42/gate,["shout","meanwhile","<offset3>"]',
        '- again< text 42/gate,["shout","behind","<offset3>"]',
        '+ again< text 40/gate,{"sid":"<sid4>","pid":"<pid2>"}',
        '+ again< text 42/gate,["shout","behind","<offset4>"]',
      ],
    },
  },
  {
    why: 'The offset is for the client: on_any_outgoing sees the event as it was emitted.',
    scripts: {
      'recovery: who watches what goes out': [
        '- journal: /watched connected; /watched : in tell "x"; /watched : out told "x" "<offset1>"; /watched : in echo-volatile "y"; /watched : out echoed "y"; /watched : leaves 1 rooms; /watched transport close; /watched : is in 0 rooms',
        '+ journal: /watched connected; /watched : in tell "x"; /watched : out told "x"; /watched : in echo-volatile "y"; /watched : out echoed "y"; /watched : leaves 1 rooms; /watched transport close; /watched : is in 0 rooms',
      ],
    },
  },
  {
    why: 'For a client that is gone no namespace is made.',
    scripts: {
      'made: closed while the function thinks': [
        '- made: true',
        '+ made: false',
      ],
    },
  },
];

const intended = {};
for (const { why, scripts } of differences)
  for (const [name, lines] of Object.entries(scripts)) intended[name] = { why, lines };

module.exports = { intended, missing };
