'use strict';
// E. WebSocket

const { EIO, WS, assert, binary, bytesOf, close, closePayload, delay, frame, get, section, text, upgrade } = require('./lib.js');
const { cases, test } = section('E', 'WebSocket');
module.exports = cases;

const ping = (payload = '') => frame(payload, { opcode: 9 });
const pong = (payload = '') => frame(payload, { opcode: 10 });
const part = (payload, opcode = 0, fin = false) => frame(payload, { opcode, fin });
/** A frame's head whose length is written as it should not be. */
const head = (first, ...bytes) => Buffer.from([first, ...bytes, 0, 0, 0, 0]);
/** A message split into these fragments. */
const split = (payload, size, opcode = 1) => {
  const bytes = Buffer.from(payload), parts = [];
  for (let at = 0; at < bytes.length;
    at += size) parts.push(part(bytes.subarray(at, at + size), at ? 0 : opcode, at + size >= bytes.length));
  return Buffer.concat(parts);
};

test(77, 'handshakes that are none', { official: 'a WebSocket version 8.0 passes' }, async (t) => {
  const h = (headers) => upgrade(WS, headers);
  await t.table([
    ['another Upgrade', h({ Upgrade: 'h2c' }), '400 C'], ['two upgrades', h({ Upgrade: 'websocket, h2c' }), '400 C'],
    ['an empty Upgrade', h({ Upgrade: '' }), '400 C'],
    ['no Upgrade', h({ Upgrade: null }), '400 code 3'], ['no Connection', h({ Connection: null }), '400 code 3'],
    ['Connection without upgrade', h({ Connection: 'keep-alive' }), '400 code 3'],
    ['no key', h({ 'Sec-WebSocket-Key': null }), '400 C'], ['an empty key', h({ 'Sec-WebSocket-Key': '' }), '400 C'],
    ['15 bytes', h({ 'Sec-WebSocket-Key': Buffer.alloc(15).toString('base64') }), '400 C'],
    ['17 bytes', h({ 'Sec-WebSocket-Key': Buffer.alloc(17).toString('base64') }), '400 C'],
    ['a key of no base64', h({ 'Sec-WebSocket-Key': '!!!!!!!!!!!!!!!!!!!!!!==' }), '400 C'],
    ['a key of 10 KB', h({ 'Sec-WebSocket-Key': 'A'.repeat(10_000) }), '400 C'],
    ['a key without padding', h({ 'Sec-WebSocket-Key': 'A'.repeat(22) }), '400 C'],
    ...['12', '14', '0', '-13', '13, 8', '13.0', '', 'x', '8.0',
      '013'].map((version) => [`version ${version}`, h({ 'Sec-WebSocket-Version': version }), '400 C']),
    ['no version', h({ 'Sec-WebSocket-Version': null }), '400 C'], ['HEAD', upgrade(WS, {}, 'HEAD'), /^400 C$/],
    ['PUT', upgrade(WS, {}, 'PUT'), '400 C'],
    ['a body', upgrade(WS, { 'Content-Length': '5' }) + 'abcde', '400 C'],
  ], { atOnce: 4 });
  const wrong = await t.http(h({ 'Sec-WebSocket-Version': '12' }));
  assert.match(wrong.header('sec-websocket-version'), /\b13\b/, 'the versions are listed');
  await t.table([['a list of tokens in another case', h({ Connection: 'keep-alive, UPGRADE', Upgrade: 'WebSocket' }), '101'],
    ['two keys', h({ 'Sec-WebSocket-Key': ['dGhlIHNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZQ=='] }), /^(101|400 C)$/]]);
});

test(78, 'lists of extensions and subprotocols that never end, or are broken', async (t) => {
  const ext = (value) => upgrade(WS, { 'Sec-WebSocket-Extensions': value }),
    protocol = (value) => upgrade(WS, { 'Sec-WebSocket-Protocol': value });
  const from = Date.now();
  await t.table([
    ['64 KB of extensions', ext('a, '.repeat(21_000)), '431 C'],
    ['64 KB of subprotocols', protocol(Array.from({ length: 10_000 }, (_, i) => `p${i}`).join(',')), '431 C'],
    ['15 KB of extensions', ext('a;b="c", '.repeat(1600)), '101'],
    ['15 KB of subprotocols', protocol(Array.from({ length: 2500 }, (_, i) => i.toString(36)).join(',')), '101'],
    ['an open quote', ext('a; b="c'), '101'], ['only separators', ext(',;,;=,"'), '101'],
    ['backslashes', ext(`a; b="${'\\'.repeat(1000)}"`), '101'],
    ['permessage-deflate', ext('permessage-deflate; client_max_window_bits'), '101'],
    ['broken subprotocols', protocol('a,,b'), '400 C'], ['an empty subprotocol', protocol(''), '400 C'],
    ['a quoted one', protocol('"a"'), '400 C'], ['one twice', protocol('a, b, a'), '400 C'],
  ]);
  assert.ok(Date.now() - from < 2000 * t.server.factor);
  for (const value of ['a; b="c', 'permessage-deflate',
    'x-webkit-deflate-frame']) assert.equal((await t.http(ext(value))).header('sec-websocket-extensions'), undefined, value);
});

test(79, 'frames in the segment of the handshake are read as if they had come later', { official: 'loses them' }, async (t) => {
  const conn = t.connect().write(Buffer.concat([bytesOf(upgrade(WS)), text('40'), text('421["echo","at once"]')]));
  assert.equal((await conn.response()).status, 101);
  assert.equal((await conn.texts('431'))[2], '431["at once"]');
  for (let at = 1; at < 40; at += 3) {                // and however the segments are cut
    const cut = t.connect(), bytes = Buffer.concat([bytesOf(upgrade(WS)), text('40'), text('421["echo"]')]);
    cut.write(bytes.subarray(0, bytes.length - at));
    await cut.opened;
    await delay(1);
    cut.write(bytes.subarray(bytes.length - at));
    await cut.response();
    await cut.texts('431[]');
    cut.destroy();
  }
});

const echo = '42["echo"]';
test(80, 'frames that are not masked', { plain: true }, async (t) => {
  await t.frames([
    ['a text', frame(echo, { mask: false }), 'C 1002'], ['binary', frame('x', { opcode: 2, mask: false }), 'C 1002'],
    ['a ping', frame('', { opcode: 9, mask: false }), 'C 1002'],
    ['a close frame', frame(closePayload(1000), { opcode: 8, mask: false }), 'C 1002'],
    ['behind a good one', Buffer.concat([text(echo), frame(echo, { mask: false })]), 'C 1002'],
    ['an empty one', frame('', { mask: false }), 'C 1002'],
  ], { reason: 'frame_malformed' });
});

test(81, 'reserved bits', { plain: true }, async (t) => {
  await t.frames([1, 2, 3, 4, 5, 6, 7].flatMap((rsv) => [[`${rsv} of a text`, frame(echo, { rsv }), 'C 1002'],
    [`${rsv} of a ping`, frame('', { rsv, opcode: 9 }), 'C 1002'],
    [`${rsv} of a continuation`, Buffer.concat([part('4', 1), frame('2', { rsv, opcode: 0 })]), 'C 1002']]),
    { reason: 'frame_malformed' });
});

test(82, 'reserved opcodes', { plain: true }, async (t) => {
  await t.frames([3, 4, 5, 6, 7, 11, 12, 13, 14,
    15].flatMap((opcode) => [[`${opcode}`, frame('x', { opcode }), 'C 1002'], [`${opcode}, empty`, frame('', { opcode }), 'C 1002']]),
    { reason: 'frame_malformed' });
});

test(83, 'control frames that are fragmented, or longer than 125 bytes', { plain: true }, async (t) => {
  const long = 'x'.repeat(126);
  await t.frames([
    ...[8, 9, 10].flatMap((opcode) => [[`${opcode} in parts`, frame('', { opcode, fin: false }), 'C 1002'],
      [`${opcode} of 126 bytes`, frame(long, { opcode }), 'C 1002'],
      [`${opcode} of 70,000 bytes`, frame('x'.repeat(70_000), { opcode }), 'C 1002'],
      [`${opcode} of 2^62 bytes`, frame('', { opcode, lengthBytes: 8, declared: 2n ** 62n }), 'C 1002'],
      [`${opcode} of few bytes, written long`, frame('x', { opcode, lengthBytes: 2 }), 'C 1002']]),
  ], { reason: 'frame_malformed' });
});

test(84, 'lengths written longer than need be are taken; those beyond all bounds are not', { plain: true }, async (t) => {
  await t.frames([['16 bits', frame(echo, { lengthBytes: 2 }), 'S'], ['64 bits', frame(echo, { lengthBytes: 8 }), 'S'],
    ['nothing in 16 bits',
    Buffer.concat([frame('42', { opcode: 1, fin: false, lengthBytes: 8 }), frame('["echo"]', { opcode: 0, lengthBytes: 2 })]), 'S']]);
  await t.frames([['the top bit', head(0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1), 'C 1009'],
    ['all bits', head(0x81, 0xff, 255, 255, 255, 255, 255, 255, 255, 255), 'C 1009'],
    ['2^53', head(0x82, 0xff, 0, 0x20, 0, 0, 0, 0, 0, 0), 'C 1009'], ['2^32', head(0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0), 'C 1009']],
    { reason: 'message_too_big', ask: false });
});

test(85, 'a frame that announces more than the limit is refused before anything is read or allocated', async (t) => {
  const limit = JSON.parse((await t.http(get(EIO))).text.slice(1)).maxPayload, before = t.server.resident();
  await t.frames([1, 2].flatMap((opcode) => [limit + 1, 10_000_000, 2 ** 31, 2 ** 32,
    2 ** 40].map((declared) => [`${opcode}: ${declared}`, frame('', { opcode, declared, lengthBytes: 8 }), 'C 1009'])),
    { reason: 'message_too_big', ask: false });
  const all = await Promise.all(Array.from({ length: 200 }, () => t.ws({ join: null })));
  for (const conn of all) conn.write(frame('', { declared: limit, lengthBytes: 8 }).subarray(0, 14));       // a promise of 200 MB
  await delay(100);
  if (t.ours && !t.server.sanitized) assert.ok(t.server.resident() - before < 30, `grew by ${Math.round(t.server.resident() - before)} MB`);
  await t.frames([['exactly the limit', text(`421["echo","${'x'.repeat(limit - 14)}"]`), 'S']]);
});

test(86, 'fragments whose sum crosses the limit: refused at the frame that crosses it', async (t) => {
  const limit = JSON.parse((await t.http(get(EIO))).text.slice(1)).maxPayload, half = Math.ceil(limit / 2);
  const ws = await t.ws();
  t.count('message_too_big', 2);
  ws.write(part('4'.repeat(half), 1));
  ws.write(frame('', { opcode: 0, fin: false, declared: half, lengthBytes: 8 }));    // not a byte of it is waited for
  if (half * 2 === limit) ws.write(Buffer.alloc(half), frame('', { opcode: 0, declared: 1 }));
  assert.equal(await ws.verdict({ ask: false }), 'C 1009');
  const many = await t.ws();
  for (let i = 0; i < 120 && !many.ended; ++i) many.write(part('x'.repeat(10_000), i ? 0 : 2));
  assert.equal(await many.verdict({ ask: false }), 'C 1009');
});

test(87, 'a message of very many fragments, empty or of a byte', { plain: true, ms: 30_000 }, async (t) => {
  await t.frames([
    ['100,000 empty ones', Buffer.concat([part('', 1), ...Array(100_000).fill(part(''))]), 'C 1008'],
    ['100,000 of a byte', Buffer.concat([part('4', 1), ...Array(100_000).fill(part('x'))]), 'C 1008'],
    ['with pings between', Buffer.concat([part('4', 1), ...Array(20_000).fill(Buffer.concat([part('x'), pong()]))]), 'C 1008'],
  ], { reason: 'too_many_fragments', ask: false, atOnce: 1 });
  await t.frames([['16,000 of a message that is one', Buffer.concat([part(echo, 1), ...Array(16_000).fill(part('')), part('', 0, true)]),
    'S']]);
});

test(88, 'a continuation of nothing, and a message within another', { plain: true }, async (t) => {
  await t.frames([
    ['a continuation first', part(echo, 0, true), 'C 1002'],
    ['one behind a whole message', Buffer.concat([text(echo), part('x', 0, true)]), 'C 1002'],
    ['not the last one', part(echo, 0), 'C 1002'],
    ['a text within a text', Buffer.concat([part('42', 1), text(echo)]), 'C 1002'],
    ['binary within a text', Buffer.concat([part('42', 1), binary('x')]), 'C 1002'],
    ['a part within a part', Buffer.concat([part('42', 1), part('42', 1)]), 'C 1002'],
  ], { reason: 'frame_malformed' });
  await t.frames([['control frames within a message',
    Buffer.concat([part('42', 1), ping('a'), part('["ec'), pong(), part('ho"]', 0, true)]), 'S', ['a']], ['in single bytes',
    split('42["echo","\u00e9\u20ac\u{1f600}"]', 1), 'S']]);
});

test(89, 'text that is no UTF-8, cut wherever it may be', { plain: 'echo' }, async (t) => {
  const bad = { 'a byte alone': [0x80], overlong: [0xc0, 0xaf], 'overlong, three': [0xe0, 0x80, 0xaf],
    'overlong, four': [0xf0, 0x80, 0x80, 0xaf], 'a surrogate': [0xed, 0xa0, 0x80], 'beyond Unicode': [0xf4, 0x90, 0x80, 0x80],
    'a five-byte form': [0xf8, 0x88, 0x80, 0x80, 0x80],
    unfinished: [0xe2, 0x82], 'a wrong second byte': [0xe2, 0x28, 0xa1], FE: [0xfe], FF: [0xff] };
  const whole = (bytes) => Buffer.concat([Buffer.from('42["echo","'), Buffer.from(bytes), Buffer.from('"]')]);
  const rows = Object.entries(bad).flatMap(([name, bytes]) => [
    [name, text(whole(bytes)), 'C 1007'], [`${name}, at the end`, text(Buffer.from([0x34, ...bytes])), 'C 1007'],
    ...Array.from({ length: bytes.length + 2 }, (_, at) => [`${name}, cut ${at}`, split(whole(bytes), 10 + at), 'C 1007']),
    [`${name}, a byte a frame`, split(whole(bytes), 1), 'C 1007'],
  ]);
  await t.frames(rows, { reason: 'text_not_utf8' });
  await t.frames([['good, cut at every byte', split('421["echo","\u00e9\u20ac\u{1f600}"]', 1), 'S', ['431["\u00e9\u20ac\u{1f600}"]']],
    ['binary may be anything', [text('451-1["echo",{"_placeholder":true,"num":0}]'), binary(Buffer.from([0xff, 0xfe]))], 'S',
    ['461-1[{"_placeholder":true,"num":0}]', Buffer.from([0xff, 0xfe])]]]);
});

test(90, 'close frames with a code or a reason that they may not have', { plain: true }, async (t) => {
  await t.frames([
    ['one byte', frame(Buffer.from([3]), { opcode: 8 }), 'C 1002'],
    ...[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map((code) => [`${code}`, close(code), 'C 1002']),
  ], { reason: 'frame_malformed', ask: false });
  await t.frames([['a reason that is no UTF-8', close(1000, Buffer.from([0xff])), 'C 1007'],
    ['a reason that is cut', close(1000, Buffer.from([0xe2, 0x82])), 'C 1007']], { reason: 'text_not_utf8', ask: false });
  await t.frames([...[1000, 1001, 1003, 1007, 1014, 3000, 4999].map((code) => [`${code}`, close(code), `C ${code}`]),
    ['none', close(), 'C'], ['with a reason', close(1000, 'x'.repeat(123)), 'C 1000']], { ask: false });
});

test(91, 'data behind a close frame is not read; one that is never answered holds nothing', { official: 'waits 30 s for the answer' },
  async (t) => {
  const ws = await t.ws();
  ws.write(Buffer.concat([close(1000), text('42["back","too late"]'), ping(), text('47')]));
  assert.equal(await ws.verdict({ ask: false }), 'C 1000');
  assert.equal(await ws.end(), 'FIN');
  assert.equal(ws.buffer.length, 0);
  const silent = await t.ws();                        // the server closes, the client says nothing
  silent.write(text('42["go",1]'));
  await silent.until((buffer) => (buffer.length && buffer[buffer.length - 2] === 0x88 ? true : undefined));
  const from = Date.now();
  assert.ok(await silent.end(t.option('close_timeout') + 3000 * t.server.factor), 'it is cut');
  assert.ok(Date.now() - from >= 0.8 * t.option('close_timeout'), `${Date.now() - from} ms`);
  const chatty = await t.ws();                        // the same, and the client goes on talking
  chatty.write(text('42["go",1]'));
  const talk = setInterval(() => chatty.write(text(echo)), 20);
  try { assert.ok(await chatty.end(t.option('close_timeout') + 3000 * t.server.factor)); } finally { clearInterval(talk); }
});

test(92, 'a flood of pings with bodies: bounded, and an event behind it is served', { official: 'gives up at its own bound' },
  async (t) => {
  const ws = await t.ws(), before = t.server.resident();
  const flood = Buffer.concat(Array(2000).fill(ping('x'.repeat(125))));
  for (let i = 0; i < 10; ++i) ws.write(flood);
  assert.equal(await ws.verdict(), 'S');
  assert.equal(ws.heard.length, 20_000);
  const deaf = await t.ws();                          // and of somebody who does not read the pongs
  deaf.socket.pause();
  for (let i = 0; i < 200 && !deaf.ended && deaf.socket.writable;
    ++i) if (!deaf.socket.write(flood)) await Promise.race([new Promise((resolve) => deaf.socket.once('drain', resolve)), delay(30)]);
  if (t.ours && !t.server.sanitized) assert.ok(t.server.resident() - before < 30, `grew by ${Math.round(t.server.resident() - before)} MB`);
});

test('92b', 'with a limit on packets, a flood of pings ends its session',
  { options: { packet_rate: { burst: 100, per_second: 100 } }, needs: ['packet_rate'], official: 'has no such limit' }, async (t) => {
  t.count('too_many_packets', 1);
  const ws = await t.ws();
  ws.write(Buffer.concat(Array(1000).fill(ping('x'.repeat(125)))));
  assert.equal(await ws.verdict({ ask: false }), 'C 1008');
});

test(93, 'a frame a byte at a time holds nobody else up; without pongs it ends at the ping time-out',
  { options: { ping_interval: 400, ping_timeout: 300 }, ms: 30_000 }, async (t) => {
  const ws = await t.ws();
  ws.pongs = false;
  const bytes = text(`42["echo","${'x'.repeat(5000)}"]`), from = Date.now();
  for (const byte of bytes) {
    if (ws.ended || ws.buffer.includes(Buffer.from([0x88, 0]))) break;
    ws.write(Buffer.from([byte]));
    await delay(15);
  }
  const due = t.option('ping_interval') + t.option('ping_timeout');
  assert.ok(Date.now() - from < 2.2 * due + 500 * t.server.factor, `${Date.now() - from} ms`);
  assert.equal((await t.server.left(ws.sid)).reason, 'ping timeout');
});

test(94, 'masks of all kinds, and frames cut anywhere', { plain: 'echo' }, async (t) => {
  const masked = (payload, key, opcode = 1) => {
    const data = Buffer.from(payload);
    return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | data.length, ...key]), data.map((byte, i) => byte ^ key[i & 3])]);
  };
  await t.frames([[0, 0, 0, 0], [255, 255, 255, 255], [0x34, 0x32, 0x5b, 0x22], [1, 0, 0, 0], [0, 0, 0, 1],
    [0x80, 0x80, 0x80, 0x80]].map((key) => [key.join('.'), masked('421["echo","\u00e9abcdefgh"]', key), 'S', ['431["\u00e9abcdefgh"]']]));
  const ws = await t.ws();
  for (let size = 0; size < 40; ++size) ws.write(masked(`42${size}["echo","${'y'.repeat(size)}"]`, [size, 7 * size & 255, 255 - size, 3]));
  for (let size = 0; size < 40; ++size) assert.equal((await ws.frame()).text, `43${size}["${'y'.repeat(size)}"]`);
  const bytes = Buffer.concat([text('421["echo","abc"]'), ping('p'), text('422["echo","def"]')]);
  await t.rows(Array.from({ length: bytes.length }, (_, at) => [`cut at ${at}`, at]), async ([, at]) => {
    const conn = await t.ws();
    conn.write(bytes.subarray(0, at));
    await delay(1);
    conn.write(bytes.subarray(at));
    const got = [await conn.frame(), await conn.frame(), await conn.frame()].map(({ text: said }) => said);
    assert.deepEqual(got.sort(), ['431["abc"]', '432["def"]', 'p']);
    conn.destroy();
  });
});

test(95, 'what follows a packet in its frame belongs to it', { plain: 'echo' }, async (t) => {
  await t.packets([
    ['a separator and another packet', '42["echo"]\x1e42["echo"]', 'C'], ['a separator', '42["echo"]\x1e', 'C'],
    ['NUL', '42["echo"]\0', 'C'], ['NUL and more', '42["echo"]\0garbage', 'C'], ['another packet at once', '42["echo"]42["echo"]', 'C'],
    ['a separator within a text, raw', '421["echo","\x1e"]', 'C'],
    ['escaped', '421["echo","\\u001e\\u0000"]', 'S', ['431["\\u001e\\u0000"]']], ['a line end', '421["echo"]\n', 'S', ['431[]']],
  ]);
  await t.frames([['nothing behind the type', text('4'), 'C'], ['binary without a packet', binary(''), 'C']]);
});
