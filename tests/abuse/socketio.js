'use strict';
// F. Socket.IO

const fs = require('node:fs');
const { assert, binary, delay, frame, section, text, until } = require('./lib.js');
const { cases, test } = section('F', 'Socket.IO');
module.exports = cases;

const MALFORMED = { reason: 'malformed_packet' };
const place = (num) => `{"_placeholder":true,"num":${num}}`;
const nested = (depth, open = '[', shut = ']', core = '') => open.repeat(depth) + core + shut.repeat(depth);

test(96, 'packet types that there are not', { plain: true }, async (t) => {
  await t.packets(['47', '48', '49["echo"]', '4a', '4-', '4 ', '4\x7f', '4"', '4[', '4{', '4', '4\u00e9', '4\u{1f600}',
    '42\u{1f600}'].map((packet) => [JSON.stringify(packet), packet, 'C']), MALFORMED);
  await t.bodies([['over polling', '47', 'C'], ['empty, over polling', '4', 'C']], MALFORMED);
});

test(97, 'events whose payload is no list with a name; one without a payload is nobody\'s', { plain: 'echo' }, async (t) => {
  await t.packets(['{}', '[]', '"echo"', 'null', 'true', '1.5x', '[', '["echo"', '["echo",]', '[,"echo"]', '["echo"]]', '["echo"] x',
    '["echo",undefined]', "['echo']", '[echo]', '["echo",01]', '["echo",+1]', '["echo",.5]',
    '["echo",1.]', '["echo",NaN]', '["echo",0x1]', '["echo","\\x41"]', '["echo","\n"]', '["echo",{a:1}]', '["echo",{"a"}]',
      '["echo",{"a":1,}]', '["echo"/**/]', '["echo",tru]', '["echo","'].map((json) => [json, `42${json}`, 'C']), MALFORMED);
  await t.packets([['nothing', '42', 'S', []], ['only an ack id', '421', 'S', []], ['an ack of nothing', '431', 'S', []],
    ['blanks around', '421 [ "echo" , 1 ] ', 'S', ['431[1]']]]);
});

test(98, 'names that are neither text nor number', { plain: true }, async (t) => {
  await t.packets(['{}', '[]', 'null', 'true', 'false', '["echo"]'].map((name) => [name, `42[${name}]`, 'C']), MALFORMED);
  await t.packets(['1', '-1.5', '1e5', '0'].map((name) => [name, `42[${name},"x"]`, 'S', []]));
});

test(99, 'names that mean something elsewhere are names; reserved ones are refused', { plain: true }, async (t) => {
  await t.packets(['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener',
    '\\u0063onnect'].map((name) => [name, `42["${name}"]`, 'C']), MALFORMED);
  await t.packets(['error', 'connection', 'message', 'constructor', '__proto__', 'toString', 'hasOwnProperty', '', '\\u0000', '\u{1f600}',
    'x'.repeat(900_000), '../../etc', '%s%n', '${x}'].map((name) => [name.slice(0, 20), `421["${name}",1]`, 'S', []]));
});

test(100, 'JSON too deep to be copied is refused before it is parsed; what is accepted can be echoed',
  { official: 'takes any depth, and fails when it has to write it' }, async (t) => {
  const deep = 100_000, max = t.option('max_json_depth') || 64;
  await t.packets([
    ['lists', `42["echo",${nested(deep)}]`, 'C'], ['objects', `42["echo",${nested(deep, '{"a":', '}', '1')}]`, 'C'],
    ['lists that never end', `42["echo",${'['.repeat(deep)}`, 'C'], ['objects that never end', `42${'[{"":'.repeat(deep)}`, 'C'],
    ['as the name', `42${nested(deep)}`, 'C'], ['of an ack', `431[${nested(deep)}]`, 'C'],
    ['of a binary event', `451-["echo",${nested(deep)}]`, 'C'], ['of a binary ack', `461-1[${nested(deep)}]`, 'C'],
    ['of another namespace', `40/chat,${nested(deep, '{"a":', '}', '1')}`, 'C'],
    ['of a CONNECT_ERROR', `44${nested(deep, '{"a":', '}', '1')}`, 'C'], ['one too deep', `42["echo",${nested(max)}]`, 'C'],
    ['depth 1000', `42["echo",${nested(1000)}]`, 'C'], ['behind a text of brackets', `42["echo","[[[",${nested(deep)}]`, 'C'],
  ], MALFORMED);
  await t.packets([['auth', `40${nested(deep, '{"a":', '}', '1')}`, 'C']], { join: null, ask: false, ...MALFORMED });
  await t.bodies([['over polling', `42["echo",${nested(deep)}]`, 'C']], MALFORMED);
  const full = nested(max - 1), objects = nested(max - 1, '{"a":', '}', '1'), echoed = '"' + '['.repeat(5000) + '"';
  await t.packets([['as deep as may be', `421["echo",${full}]`, 'S', [`431[${full}]`]],
    ['objects', `421["echo",${objects}]`, 'S', [`431[${objects}]`]],
    ['brackets in a text', `421["echo",${echoed}]`, 'S', [`431[${echoed}]`]]]);
});

test(101, 'JSON that is wide, long or odd: a result or a refusal, in linear time',
  { official: 'takes any width, and half a surrogate pair' }, async (t) => {
  const from = Date.now();
  await t.packets([
    ['300,000 values', `42["echo",${Array(300_000).fill('1').join()}]`, 'C'],
    ['300,000 lists', `42["echo",[${Array(300_000).fill('[]').join()}]]`, 'C'],
    ['100,000 keys', `42["echo",{${Array.from({ length: 100_000 }, (_, i) => `"${i}":1`).join()}}]`, 'C'],
    ['a byte-order mark', '42\ufeff["echo"]', 'C'], ['garbage behind', '42["echo"]garbage', 'C'], ['NUL behind', '42["echo"]\0', 'C'],
    ['a bad escape', '42["echo","\\u12g4"]', 'C'], ['a raw tab', '42["echo","\t"]', 'C'], ['half an escape', '42["echo","\\', 'C'],
  ], { ...MALFORMED, atOnce: 3 });
  const escapes = '\\u0041'.repeat(160_000), quotes = '\\"'.repeat(450_000), blanks = ' '.repeat(900_000);
  await t.packets([
    ['a megabyte of escapes', `421["echo","${escapes}"]`, 'S', [`431["${'A'.repeat(160_000)}"]`]],
    ['a megabyte of quotes', `421["echo","${quotes}"]`, 'S', [`431["${quotes}"]`]],
    ['a megabyte of blanks', `421["echo"${blanks}]`, 'S', ['431[]']],
    ['1e400', '421["echo",1e400,-1e400]', 'S', ['431[null,null]']],
    ['10,000 digits', `421["echo",${'9'.repeat(10_000)}]`, 'S', ['431[null]']],
    ['10,000 zeros behind the point', `421["echo",0.${'0'.repeat(10_000)}1]`, 'S', ['431[0]']],
    ['1e-400', '421["echo",1e-400]', 'S', ['431[0]']],
    ['half a surrogate pair', '421["echo","\\ud83d","\\udc00x"]', 'S', ['431["\ufffd","\ufffdx"]']],
    ['one key twice', '421["echo",{"a":1,"a":2}]', 'S', ['431[{"a":2}]']],
    ['__proto__', '421["echo",{"b":{"constructor":1}}]', 'S', ['431[{"b":{"constructor":1}}]']],
    ['NUL, escaped', '421["echo","\\u0000\\u001f"]', 'S', ['431["\\u0000\\u001f"]']],
    ['a separator of lines', '421["echo","\u2028"]', 'S', ['431["\u2028"]']],
    ['49,000 values', `421["echo",[${Array(49_000).fill('1').join()}]]`, 'S'],
  ], { atOnce: 3 });
  assert.ok(Date.now() - from < 8000 * t.server.factor, `${Date.now() - from} ms`);
});

test(102, 'ack ids', { official: 'takes 400 digits, and a blank as 0' }, async (t) => {
  await t.packets(['-1', '+1', '1.5', '1e3', '0x1', '1,', 'a', '9'.repeat(400)].map((id) => [id.slice(0, 10), `42${id}["echo"]`, 'C']),
    MALFORMED);
  await t.packets([
    ['none', '42["echo"]', 'S', []], ['0', '420["echo"]', 'S', ['430[]']], ['zeros in front', '42007["echo"]', 'S', ['437[]']],
    ['2^53 - 1', '429007199254740991["echo"]', 'S', ['439007199254740991[]']],
    ['2^53 + 1', '429007199254740993["echo"]', 'S', ['439007199254740992[]']],
    ['2^63', '429223372036854775808["echo"]', 'S', ['439223372036854776000[]']],
    ['23 nines', `42${'9'.repeat(23)}["echo"]`, 'S', ['431e+23[]']], ['200 zeros', `42${'0'.repeat(200)}5["echo"]`, 'S', ['435[]']],
  ]);
});

test(103, 'acks that nobody waits for are ignored and counted', { plain: true }, async (t) => {
  t.count('unknown_ack', 6 + 1000);
  await t.packets(['430[]', '43999["x"]', '43["x"]', '439007199254740993[]', '431', '431["x"]'].map((packet) => [packet, packet, 'S', []]));
  const ws = await t.ws();
  ws.write(Buffer.concat(Array(1000).fill(text('43123456["x"]'))));
  assert.equal(await ws.verdict(), 'S');
});

test('103b', 'an ack of another namespace, of another client, or a second one', async (t) => {
  const one = await t.ws(), two = await t.ws();
  one.write(text('421["ask",1]'));
  const question = await one.frame();
  assert.match(question.text, /^42\d+\["question",1\]$/);
  const id = /^42(\d+)/.exec(question.text)[1];
  await one.texts('431');
  two.write(text(`43${id}["stolen"]`));
  one.write(text('40/chat,'));
  await one.texts('40/chat');
  one.write(text(`43/chat,${id}["elsewhere"]`));
  assert.equal(await two.verdict(), 'S');
  one.write(text(`43${id}["mine"]`), text(`43${id}["again"]`));
  t.count('unknown_ack', 3);
  assert.equal(await one.verdict(), 'S');
  await t.server.line((line) => line.event === 'answered' && line.values[0] === 'mine', 'the answer');
  assert.ok(!t.server.lines.some((line) => line.event === 'answered' && /stolen|elsewhere|again/.test(line.values[0])));
});

test(104, 'acks that a client owes are bounded, and given up when it leaves',
  { options: { max_outstanding_acks: 100 }, official: 'has no such limit' }, async (t) => {
  const ws = await t.ws();
  t.count('too_many_acks', 50);
  ws.write(text('421["ask",150]'));
  assert.equal((await ws.texts('431')).at(-1), '431[50]', 'fifty fail at once');
  ws.destroy();
  await t.server.line(({ event, refused }) => event === 'asked' && refused === 50, 'the end of all waits');
});

test(105, 'counts of attachments', async (t) => {
  const tail = `["echo",${place(0)}]`;
  await t.packets(['0-', '11-', '1000000000-', `${'1'.repeat(30)}-`, '', '-', '-1-', '+1-', '1.5-', '1e0-', '0x1-', ' 1-', '1 -',
    '18446744073709551617-', '1,', '1'].map((count) => [JSON.stringify(count.slice(0, 12)), `45${count}${tail}`, 'C']), MALFORMED);
  await t.packets([['of an ack', '460-1[]', 'C'], ['of an ack, too many', '4611-1[]', 'C'], ['only a count', '451', 'C'],
    ['a dash alone', '45-', 'C']], MALFORMED);
  await t.packets([['ten', ['4510-1["echo"]', ...Array(10).fill(Buffer.from('x'))], 'S', ['431[]']]]);
});

test(106, 'a text while attachments are due', { plain: true }, async (t) => {
  await t.packets([['an event', [`451-["echo",${place(0)}]`, '42["echo"]'], 'C'],
    ['another binary event', [`451-["echo",${place(0)}]`, `451-["echo",${place(0)}]`], 'C'],
    ['CONNECT', [`451-["echo",${place(0)}]`, '40/chat,'], 'C'],
    ['the second of two is a text', [`452-["echo",${place(0)},${place(1)}]`, Buffer.from('x'), '42["echo"]'], 'C']], MALFORMED);
  const ws = await t.ws();                            // Engine.IO's own packets may come between
  ws.write(text(`451-1["echo",${place(0)}]`), text('3'), frame('', { opcode: 9 }), binary('x'));
  assert.equal(await ws.verdict(), 'S');
});

test(107, 'binary that no packet announced', { plain: true }, async (t) => {
  await t.packets([['first', Buffer.from('x'), 'C'],
    ['one too many', [`451-["echo",${place(0)}]`, Buffer.from('x'), Buffer.from('y')], 'C'], ['empty', Buffer.alloc(0), 'C'],
    ['as text', 'bAQID', 'C']], MALFORMED);
  await t.bodies([['over polling', 'bAQID', 'C']], MALFORMED);
});

test(108, 'attachments that do not come', { needs: ['attachment_timeout'], official: 'waits for ever' }, async (t) => {
  t.count('malformed_packet', 2);
  const due = t.option('attachment_timeout');
  const none = await t.ws(), some = await t.ws();
  const from = Date.now();
  none.write(text(`451-["echo",${place(0)}]`));
  some.write(text(`452-["echo",${place(0)},${place(1)}]`));
  const first = none.verdict({ ask: false });
  await delay(due / 2);
  some.write(binary('x'));                            // each one has its time
  assert.equal(await first, 'C');
  const ms = Date.now() - from;
  assert.ok(ms > 0.9 * due && ms < 1.1 * due + 300 * t.server.factor, `${ms} ms, due after ${due}`);
  assert.equal(await some.verdict({ ask: false }), 'C');
  assert.ok(Date.now() - from > 1.4 * due, 'half of the time later');
});

test(109, 'attachments whose sum is too large',
  { options: { max_attachment_bytes: 200_000 }, needs: ['max_attachment_bytes'], official: 'has no such limit' }, async (t) => {
  const many = `4510-1["echo",${place(0)}]`;
  await t.packets([['over WebSocket', [many, ...Array(5).fill(Buffer.alloc(50_000))], 'C'],
    ['one', [`451-1["echo",${place(0)}]`, Buffer.alloc(200_001)], 'C']], MALFORMED);
  await t.bodies([['over polling', [many, ...Array(5).fill(`b${Buffer.alloc(50_000).toString('base64')}`)].join('\x1e'), 'C']], MALFORMED);
  await t.packets([['exactly', [`451-1["echo",${place(0)}]`, Buffer.alloc(200_000)], 'S'],
    ['exactly, in ten', [many, ...Array(10).fill(Buffer.alloc(20_000))], 'S']]);
});

test(110, 'placeholders that fit no attachment, and such that are data',
  { official: 'takes 0.5 for a number, and names one again and again' }, async (t) => {
  const x = Buffer.from('x');
  const event = (...args) => `451-1["echo",${args.join()}]`;
  await t.packets([
    ...['-1', '1', '2', '0.5', '1e9', '"0"', 'null', 'true', '[]', '{}', '1e400'].map((num) => [num, [event(place(num)), x], 'C']),
      ['without a number', [event('{"_placeholder":true}'), x], 'C'], ['in the depth', [event(nested(50, '[', ']', place(7))), x], 'C'],
    ['in an ack', [`461-1[${place(3)}]`, x], 'C'],
    ['as the name', [`451-1[${place(0)}]`, x], 'C'],
  ], MALFORMED);
  const before = t.ours && t.server.resident();
  await t.packets([['again and again', [event(...Array(1500).fill(place(0))), Buffer.alloc(60_000)], 'C']], MALFORMED);
  if (t.ours && !t.server.sanitized) assert.ok(t.server.resident() - before < 30, 'the attachment is not copied again and again');
  await t.packets([
    ['twice', [event(place(0), place(0)), x], 'S', [`462-1[${place(0)},${place(1)}]`, x, x]], ['nowhere', [event('1'), x], 'S', ['431[1]']],
    ['in the depth', [event(nested(50, '[', ']', place(0))), x], 'S', [`461-1[${nested(50, '[', ']', place(0))}]`, x]],
    ['with more keys', [event('{"_placeholder":true,"num":0,"x":1}'), x], 'S', [`461-1[${place(0)}]`, x]],
    ['not true', [event('{"_placeholder":1,"num":0}'), x], 'S', ['431[{"_placeholder":1,"num":0}]']],
    ['false', [event('{"_placeholder":false,"num":9}'), x], 'S', ['431[{"_placeholder":false,"num":9}]']],
    ['in an event without attachments', `421["echo",${place(0)}]`, 'S', [`431[${place(0)}]`]], ['no payload at all', ['451-', x], 'S', []],
  ]);
});

test(111, 'a second CONNECT to one namespace', { official: 'lets both in if they come together' }, async (t) => {
  await t.packets([['at once', '40', 'C'], ['with auth', '40{"token":"x"}', 'C'], ['to another one twice', ['40/chat,', '40/chat,'], 'C'],
    ['with a number', '401', 'C']], MALFORMED);
  await t.packets([['behind a DISCONNECT', ['41', '40'], 'S']]);
  const ws = await t.ws({ join: '40\x1e40' }).catch((error) => error);
  assert.ok(ws instanceof Error, 'two packets in one frame are none');
  t.count('malformed_packet', 1);
});

test(112, 'namespaces that there are not, with names of all kinds', async (t) => {
  const names = ['/nowhere', '/', `/${'x'.repeat(10_000)}`, '/a"b', '/a\\b', '/../..', '/nowhere?token=x', '/\u{1f600}', '/ ', '//', '/%2f',
    '/\u0000', '/<script>', '/__proto__', '/constructor'].filter((name) => name !== '/');
  await t.packets(names.map((name) => [name.slice(0, 20), `40${name},`, 'S', [`44${name},{"message":"Invalid namespace"}`]]));
  await t.packets([['without a comma', '40/nowhere', 'S', ['44/nowhere,{"message":"Invalid namespace"}']]]);
  await t.packets([['no slash', '40chat,', 'C'], ['JSON in the name', '40/chat{"a":1}', 'S']]);
  const before = t.server.resident(), ws = await t.ws();
  for (let i = 0; i < 10; ++i) {
    ws.write(Buffer.concat(Array.from({ length: 1000 }, (_, k) => text(`40/none-${i}-${k},{"a":1}`))));
    assert.equal(await ws.verdict(), 'S');
    assert.equal(ws.heard.filter((packet) => packet.startsWith('44/none-')).length, 1000);
  }
  if (t.ours && !t.server.sanitized) assert.ok(t.server.resident() - before < 15, `grew by ${Math.round(t.server.resident() - before)} MB`);
});

test('112b', 'namespaces made on demand are bounded: of one client, and in all',
  { options: { max_namespaces: 20, max_child_namespaces: 50, cleanup_empty_child_namespaces: true }, official: 'has no such limits' },
  async (t) => {
  const joined = [];
  t.count('too_many_namespaces', 3 * 10 + 1);
  for (let client = 0; client < 3; ++client) {
    const ws = await t.ws();
    ws.write(...Array.from({ length: 29 }, (_, i) => text(`40/dyn-${client}-${i},`)));
    assert.equal(await ws.verdict(), 'S');
    joined.push(ws.heard.filter((packet) => packet.startsWith('40/dyn')).length);
    if (client === 2) {
      assert.equal(ws.heard.filter((packet) => packet.includes('Too many namespaces')).length, 17);
      t.count('too_many_namespaces', -10 + 17 - 1);
    }
  }
  assert.deepEqual(joined, [19, 19, 12]);
  for (const conn of [...t.conns]) conn.destroy();
  await until(async () => {
    const ws = await t.ws();
    ws.write(text('40/dyn-x,'));
    const answer = (await ws.frame()).text;
    ws.destroy();
    if (!answer.startsWith('40/dyn-x,')) t.count('too_many_namespaces', 1);
    return answer.startsWith('40/dyn-x,');
  }, 'room for namespaces again');
});

test(113, 'packets to a namespace that was not joined', { plain: true }, async (t) => {
  await t.packets([['an event', '42/chat,["echo"]', 'C'], ['an ack', '43/chat,1[]', 'C'], ['DISCONNECT', '41/chat,', 'C'],
    ['to none that there is', '42/nowhere,["echo"]', 'C'], ['a binary one', [`451-/chat,["echo",${place(0)}]`, Buffer.from('x')], 'C']],
    MALFORMED);
  await t.packets([['before CONNECT', '42["echo"]', 'C'], ['an ack before CONNECT', '430[]', 'C'],
    ['DISCONNECT before CONNECT', '41', 'C']], { join: null, ...MALFORMED });
  const ws = await t.ws();
  ws.write(text('41'), text('40/nowhere,'));
  await ws.texts('44/nowhere,');
  assert.equal(await ws.verdict(), 'C', 'an event behind leaving');
  t.count('malformed_packet');
  await t.packets([['a CONNECT_ERROR', '44{"message":"x"}', 'C'], ['of a namespace', '44/chat,"x"', 'C']], MALFORMED);
});

test(114, 'auth of a wrong type, or very large', { plain: true }, async (t) => {
  await t.packets(['[]', '[1]', 'null', '"x"', 'true', '{', '{"a":}', '{}x', '{"a":1e400'].map((auth) => [auth, `40${auth}`, 'C']),
    { join: null, ask: false, ...MALFORMED });
  for (const auth of [`{"token":"${'x'.repeat(900_000)}"}`, '{}', '{"__proto__":{"admin":true},"constructor":1}', '', ' {} '])
    assert.equal(await (await t.ws({ join: `40${auth}` })).verdict(), 'S', auth.slice(0, 30));
  await t.packets([['DISCONNECT with a payload', '41{}', 'C'], ['with a list', '41["x"]', 'C']], MALFORMED);
});

test(115, 'rooms that a client joins are bounded, and gone when they are empty', { needs: ['max_rooms'], official: 'has no such limit' },
  async (t) => {
  const ws = await t.ws();
  const rooms = async () => { ws.write(text('425["rooms"]')); return Number(/^435\[(\d+)\]/.exec((await ws.texts('435')).at(-1))[1]); };
  const before = await rooms();
  for (let i = 0; i < 1500; i += 100) ws.write(Buffer.concat(Array.from({ length: 100 }, (_, k) => text(`42["join","room-${i + k}"]`))));
  assert.equal(await ws.verdict(), 'S');
  const most = t.option('max_rooms') || 1000, mine = await rooms() - before;
  assert.equal(mine, most, 'no more than max_rooms');
  t.count('too_many_rooms', 1500 - most);
  ws.write(text('426["leave","room-0"]'), text('427["join","another"]'));
  await ws.texts('437');
  assert.equal(await rooms() - before, most);
  for (let i = 0; i < 1500; i += 100) ws.write(Buffer.concat(Array.from({ length: 100 }, (_, k) => text(`42["leave","room-${i + k}"]`))));
  ws.write(text('42["leave","another"]'));
  assert.equal(await rooms(), before, 'empty rooms are not kept');
  const other = await t.ws();
  ws.destroy();
  await t.server.left(ws.sid);
  other.write(text('425["rooms"]'));
  assert.equal((await other.texts('435')).at(-1), `435[${before}]`);
});

test(116, 'a flood of events beyond the rate: acks say when to try again, others are not affected',
  { options: { event_rate: { burst: 100, per_second: 100 } }, needs: ['event_rate'], official: 'has no such limit' }, async (t) => {
  const ws = await t.ws();
  ws.write(Buffer.concat(Array.from({ length: 500 }, (_, i) => text(`42${i}["echo",${i}]`))));
  const answers = [];
  while (answers.length < 500) answers.push(JSON.parse(/^43\d+(.*)/.exec((await ws.frame()).text)[1])[0]);
  const refused = answers.filter((answer) => answer?.error);
  assert.ok(refused.length >= 370 && refused.length <= 400, `${refused.length} refused`);
  t.count('too_many_events', refused.length + 200);
  for (const { error } of refused) {
    assert.deepEqual([error.code, error.event], ['RATE_LIMITED', 'echo']);
    assert.ok(error.retryAfter > 0 && error.retryAfter <= 1000, `retryAfter ${error.retryAfter}`);
  }
  await delay(refused[0].error.retryAfter + 30);
  assert.equal(await ws.verdict(), 'S', 'after retryAfter');
  await delay(1500);                                  // and of events without an ack, once a second
  ws.write(Buffer.concat(Array(300).fill(text('42["back",1]'))));
  let told = 0, served = 0;
  for (let next; (next = await ws.frame(400));) /RATE_LIMITED/.test(next.text) ? ++told : ++served;
  assert.ok(served >= 100 && served <= 130, `${served} served`);
  t.count('too_many_events', 100 - served);
  assert.ok(told >= 1 && told <= 2, `told ${told} times`);
});

test(117, 'a slow reader under a broadcast is closed; the others get all of it, and their heartbeats',
  { options: { max_queue_bytes: 1_000_000, ping_interval: 300, ping_timeout: 2000 }, ours: 'its memory is looked at' }, async (t) => {
  const deaf = await t.ws(), polling = await t.polling(), reader = await t.ws(), speaker = await t.ws();
  deaf.socket.pause();
  t.count('slow_consumer', 2);                        // the polling one, which does not poll, too
  const before = t.server.resident();
  let got = 0;
  const reading = (async () => { while (got < 400) if ((await reader.frame())?.text.startsWith('42["blast"')) ++got; })();
  for (let i = 0; i < 80; ++i) {
    speaker.write(text(`42${i}["blast",5,60000]`));
    await speaker.texts(`43${i}`);
  }
  await reading;
  assert.equal(got, 400, 'who reads gets all of it');
  assert.equal((await t.server.left(deaf.sid)).reason, 'transport error');
  assert.equal((await t.server.left(polling.socket)).reason, 'transport error');
  if (t.ours && !t.server.sanitized) assert.ok(t.server.resident() - before < 25, `grew by ${Math.round(t.server.resident() - before)} MB`);
  assert.equal(await reader.verdict(), 'S');
});

test(118, 'thousands of sockets whose disconnect handlers disconnect all the others, in the middle of a broadcast',
  { options: { max_sessions_per_address: 0, max_connections_per_address: 0 }, official: 'runs out of stack' }, async (t) => {
  const descriptors = Number(/Max open files +(\d+)/.exec(fs.readFileSync('/proc/self/limits', 'utf8'))[1]);
  const count = Math.min(5000, descriptors - 300), all = [];
  await t.rows(Array.from({ length: count }, (_, i) => [`socket ${i}`]), async () => {
    const ws = await t.ws();
    ws.write(text('421["dominoes"]'));
    await ws.texts('431');
    all.push(ws);
  }, 32);
  all[count >> 1].write(text('42["topple"]'));
  await Promise.all(all.map(async (ws) => assert.match(await ws.verdict({ ask: false, ms: 20_000 }), /^C/)));
  const mine = new Set(all.map(({ sid }) => sid));
  const told = () => t.server.lines.filter((line) => line.event === 'left' && mine.has(line.id)).length;
  await until(() => told() >= count, () => `each to be told: ${told()} of ${count}`, 20_000);
  assert.equal(told(), count, 'once');
});

test(119, 'handlers that throw: the ack says so and no more, the socket lives',
  { ours: 'the official server dies of an exception that nobody catches' }, async (t) => {
  const message = 'the server failed to handle this event';
  const failed = (event) => [`431[{"error":{"message":"${event}: ${message}","code":"INTERNAL_ERROR","event":"${event}"}}]`];
  await t.packets([['a std::exception', '421["throw"]', 'S', failed('throw')], ['an int', '421["throw","int"]', 'S', failed('throw')],
    ['without an ack', '42["throw"]', 'S']]);
  if (t.server.coroutines) {
    const ws = await t.ws();
    ws.write(text('421["throw later",1]'));
    assert.deepEqual(await ws.texts('431'), failed('throw later'));
    assert.equal(await ws.verdict(), 'S');
    const gone = await t.ws();                        // and one whose client has left by then
    gone.write(text('421["throw later",1]'));
    gone.destroy();
    await t.server.left(gone.sid);
  }
  await t.packets([['a middleware', '40/throws,', 'S', ['44/throws,{"message":"Internal server error"}']],
    ['a middleware, an int', '40/throws-int,', 'S', ['44/throws-int,{"message":"Internal server error"}']]]);
  const late = await t.ws();                          // a connection handler: it has joined
  late.write(text('40/throws-later,'));
  assert.equal(await late.verdict(), 'S');
  assert.match(late.heard[0], /^40\/throws-later,\{"sid":/);
  const careless = await t.ws({ join: '40/careless,' });
  careless.write(text('41/careless,'));
  await t.server.left(careless.sid);
  careless.write(text('40/careless,'));
  await careless.texts('40/careless,{"sid"');         // it was removed: it may come again
  assert.ok(t.server.lines.filter((line) => line.level === 'error' && line.error === 'secret: hunter2').length >= 5, 'each is logged');
});

test(120, 'handlers that do everything to themselves', async (t) => {
  const ws = await t.ws(), reader = await t.ws();
  ws.write(text('421["self"]'));
  const said = [];
  for (let next; (next = await ws.frame(2000)) && next.name !== 'close';) said.push(next.text);
  assert.deepEqual(said.slice(0, 2), ['42["one"]', '431["said before"]']);
  assert.ok(said.includes('41'));
  const { reason } = await t.server.left(ws.sid);
  assert.equal(reason, 'server namespace disconnect');
  reader.write(text('425["rooms"]'));
  const rooms = Number(/\[(\d+)\]/.exec((await reader.texts('435')).at(-1))[1]);
  const again = await t.ws();
  again.write(text('42["go"]'));
  await t.server.left(again.sid);
  reader.write(text('426["rooms"]'));
  assert.equal((await reader.texts('436')).at(-1), `436[${rooms}]`, 'what it joined when it left is not kept');
});

test('120b', 'a handler that closes the server', { ours: 'a server of its own is closed' }, async (t) => {
  const server = await t.server.another({});
  const mine = new t.constructor(server);
  const ws = await mine.ws(), other = await mine.ws(), polling = await mine.polling(), held = polling.hold();
  await held.quiet(50);
  ws.write(text('42["close server"]'), text('42["echo"]'));
  assert.match(await ws.verdict({ ask: false }), /^C/);
  assert.match(await other.verdict({ ask: false }), /^C/);
  assert.equal((await held.response()).text, '1');
  assert.equal((await server.left(other.sid)).reason, 'server shutting down');
  for (const conn of [...mine.conns]) conn.destroy();
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

test(121, 'payloads of a wrong shape for a typed event: told where, and the handler is not called', { ours: 'has typed events' },
  async (t) => {
  const rows = [['nothing', '', '/0'], ['null', 'null', '/0'], ['a number', '1', '/0'], ['a list', '[1,2]', '/0'],
    ['no y', '{"x":1}', '/0/y'], ['a text', '{"x":"1","y":2}', '/0/x'], ['null inside', '{"x":1,"y":null}', '/0/y'],
    ['too many', '{"x":1,"y":2},3', null],
    ['1e400', '{"x":1e400,"y":1}', '/0'], ['__proto__', '{"__proto__":{"x":1,"y":2}}', '/0/x']];
  let refused = 0;
  await t.rows(rows, async ([, json, path]) => {
    const ws = await t.ws();
    ws.write(text(`421["typed"${json && ','}${json}]`));
    const [answer] = JSON.parse((await ws.frame()).text.slice(3));
    if (path === null && !answer.error) return '';
    ++refused;
    assert.deepEqual([answer.error?.code, answer.error?.event, path && answer.error?.path], ['INVALID_PAYLOAD', 'typed', path]);
    assert.equal(await ws.verdict(), 'S');
    return '';
  });
  t.count('invalid_payload', refused);
  await t.packets([['good', '421["typed",{"x":1,"y":2}]', 'S', ['431[{"x":2,"y":1}]']]]);
});
