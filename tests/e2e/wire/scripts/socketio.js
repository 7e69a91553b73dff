'use strict';
// Raw scripts: Socket.IO. Decoder, reaction to bad packets, CONNECT and DISCONNECT, acks, binary, rooms, reasons.

const { collect } = require('../../common/transcript');
const { script, scripts } = collect();

const ECHO = '42["echo-back","alive"]';

// ---- What is served -------------------------------------------------------------------------------------------------------

// Packets after a join of /, and how many come back, over both transports. Then an echo: the connection lives.
function served(name, packets, replies, { on = 'plain' } = {}) {
  packets = [].concat(packets);
  script(`${name} (websocket)`, { on }, async (w) => {
    const ws = await w.joinedWebsocket();
    for (const packet of packets) Buffer.isBuffer(packet) ? ws.binary(packet) : ws.text(packet);
    if (name.includes('quirk:')) await ws.rest(400);  // which other servers do not share
    else await ws.frames(replies);
    ws.text(ECHO);
    if (name.includes('quirk:')) await ws.rest(400);
    else await ws.frames(1);
  });
  if (!name.includes('quirk:')) script(`${name} (polling)`, { on }, async (w) => {
    const s = await w.joinedPolling();
    await s.post(packets.map((packet) => (Buffer.isBuffer(packet) ? `b${packet.toString('base64')}` : packet)).join('\x1e'));
    await s.packets(replies);
    await s.post(ECHO);
    await s.packets(1);
  });
}
const PH = (n) => `{"_placeholder":true,"num":${n}}`;

for (const [name, packets, replies] of [
  ['an event', '42["echo-back","a",1,null,true,{"k":[]}]', 1],
  ['an event without arguments', '42["echo-back"]', 1],
  ['an ack without arguments', '420["echo"]', 1],
  ['an ack with arguments', '4212["echo","a",{"b":1}]', 1],
  ['only the first call of an ack counts', '427["twice"]', 1],
  ['an event nobody listens to', '42["nobody-listens"]', 0],
  ['an event nobody listens to, ack asked for', '425["nobody-listens"]', 0],
  ['an ack nobody waits for', '430[]', 0],
  ['an ack nobody waits for, with arguments', '4312["x",1]', 0],
  ['an ack without id', '43[]', 0],
  ['an ack without payload', '430', 0],
  ['an event without payload', '42', 0],
  ['an event without payload, with id', '421', 0],
  ['a number for a name', '42[5,"x"]', 0],
  ['a fraction for a name', '42[-1.5]', 0],
  ['an empty name', '42[""]', 0],
  ['a name that is not reserved: error', '42["error",1]', 0],
  ['a name that is not reserved: message', '42["message",1]', 0],
  ['a name that is not reserved: connection', '42["connection"]', 0],
  ['a name that is not reserved: new_namespace', '42["new_namespace"]', 0],
  ['a name that is not reserved: __proto__', '42["__proto__",1]', 0],
  ['a name that is not reserved: constructor', '420["constructor",1]', 0],
  ['whitespace after the payload', '42["echo-back",1] \n', 1],
  ['whitespace within the payload', '42[ "echo-back" ,\t1 ]', 1],
  ['the root namespace by name', '42/,["echo-back",1]', 1],
  ['ack id with leading zeros', '42007["echo"]', 1],
  ['ack id 9007199254740991', '429007199254740991["echo"]', 1],
  ['a placeholder in a plain event is data', '42["echo-back",{"_placeholder":true,"num":0}]', 1],
  ['unicode', '42["echo-back","é€😀\u2028\u00a0","\\ud83d\\ude00"]', 1],
  ['escapes', '42["echo-back","\\u0000\\u001f\\u007f\\/\\b\\f\\n\\r\\t\\"\\\\"]', 1],
  ['a lone surrogate', '42["echo-back","\\ud83d"]', 1],
  ['a lone low surrogate', '42["echo-back","x\\udc00y"]', 1],
  ['whole numbers', '42["echo-back",0,-0,1,-1,1.0,1e3,9007199254740991,-9007199254740991,4294967296]', 1],
  ['big numbers', '42["echo-back",9007199254740993,123456789012345680000,1e21,1e22,18446744073709551615,9223372036854775808]', 1],
  ['small numbers', '42["echo-back",0.1,1e-7,0.000001,1.5e-9,5e-324,2.2250738585072014e-308,1.7976931348623157e308]', 1],
  ['fractions', '42["echo-back",1.5,-2.25,0.30000000000000004,100.5,1234567.891,3.14159265358979]', 1],
  ['numbers beyond double', '42["echo-back",1e400,-1e400,1e-400]', 1],
  ['keys in their order', '42["echo-back",{"b":1,"a":2,"c":{"z":1,"y":2}}]', 1],
  ['integer-like keys', '42["echo-back",{"b":1,"2":2,"1":3,"a":4,"01":5}]', 1],
  ['a duplicate key', '42["echo-back",{"a":1,"b":2,"a":3}]', 1],
  ['__proto__ as a key', '42["echo-back",{"constructor":1,"toString":2}]', 1],
  ['sixty levels', `42["echo-back",${'['.repeat(60)}${']'.repeat(60)}]`, 1],
  ['a hundred levels', `42["echo-back",${'['.repeat(100)}${']'.repeat(100)}]`, 1],
  ['a string of 100 KB', `42["echo-back","${'0123456789'.repeat(10000)}"]`, 1],
  ['a thousand arguments', `42["echo-back"${',1'.repeat(1000)}]`, 1],
  ['a list of a thousand', `42["echo-back",[1${',1'.repeat(999)}]]`, 1],
  ['CONNECT to another namespace', '40/plain,', 1],
  ['CONNECT without the comma', '40/plain', 1],
  ['CONNECT with an id', '40/plain,1', 1],
  ['CONNECT to an unknown namespace', '40/nope,{"a":1}', 1],
  ['CONNECT with a query string', '40/plain?x=1,', 1],
  ['CONNECT to a namespace with odd characters', '40/é x,', 1],
  ['CONNECT to an unknown namespace with a quote', '40/a"b,', 1],
  ['CONNECT refused', '40/deny,{"token":"x"}', 1],
  ['CONNECT refused with data', '40/admin,{"token":"x"}', 1],
  ['CONNECT refused, then admitted', ['40/admin,', '40/admin,{"token":"abc"}'], 2],
  ['CONNECT with auth', '40/admin,{"token":"abc"}', 1],
  ['an emit in a middleware comes before the reply', '40/early,', 2],
  ['binary, one attachment', [`451-["bin",${PH(0)}]`, Buffer.from([1, 2, 3])], 2],
  ['binary, acked', [`451-12["echo",${PH(0)}]`, Buffer.from([9])], 2],
  ['binary, nested', [`453-["bin",{"a":[${PH(0)},{"b":${PH(1)}}]},"x",${PH(2)}]`, Buffer.from([1]), Buffer.from([2, 2]), Buffer.from([3, 3, 3])], 4],
  ['binary, ten attachments', [`4510-["bin",${Array.from({ length: 10 }, (_, i) => PH(i)).join(',')}]`,
    ...Array.from({ length: 10 }, (_, i) => Buffer.from([i]))], 11],
  ['binary, one attachment used twice', [`451-["bin",${PH(0)},${PH(0)}]`, Buffer.from([7])], 3],
  ['binary, in another order', [`452-["bin",${PH(1)},${PH(0)}]`, Buffer.from([1]), Buffer.from([2])], 3],
  ['binary, an attachment nobody uses', [`452-["bin",${PH(1)}]`, Buffer.from([1]), Buffer.from([2])], 2],
  ['binary, no placeholder at all', ['451-["bin",1]', Buffer.from([1])], 1],
  ['binary, extra keys in the placeholder', ['451-["bin",{"_placeholder":true,"num":0,"x":1}]', Buffer.from([5])], 2],
  ['binary, a placeholder that is none', ['451-["bin",{"_placeholder":1,"num":0},{"num":0}]', Buffer.from([5])], 1],
  ['binary, no payload', ['451-', Buffer.from([1])], 0],
  ['binary, an ack nobody waits for', [`461-5[${PH(0)}]`, Buffer.from([1])], 0],
  ['binary, a pong in between', [`451-["bin",${PH(0)}]`, '3', Buffer.from([1])], 2],
  ['binary, attachments count with leading zero', [`4501-["bin",${PH(0)}]`, Buffer.from([1])], 2],
  ['binary, 70000 bytes', [`451-["bin",${PH(0)}]`, Buffer.alloc(70000, 0xa5)], 2],
  ['quirk: a space counts as ack id 0', '42 ["echo"]', 1],
  ['quirk: ack id beyond 2^53', '429007199254740993["echo"]', 1],
  ['quirk: ack id of 23 nines', '4299999999999999999999999["echo"]', 1],
  ['quirk: ack id of 400 digits', `42${'9'.repeat(400)}["echo"]`, 1],
  ['quirk: attachments 1e0', [`451e0-["bin",${PH(0)}]`, Buffer.from([1])], 2],
  ['quirk: attachments with a space', [`45 1-["bin",${PH(0)}]`, Buffer.from([1])], 2],
  ['quirk: num 0.5', ['451-["bin",{"_placeholder":true,"num":0.5}]', Buffer.from([1])], 1],
]) served(`served: ${name}`, packets, replies);

// ---- What ends the connection ---------------------------------------------------------------------------------------------

const bad = [
  ['an event to a namespace not joined', '42/plain,["x"]'], ['DISCONNECT of a namespace not joined', '41/plain,'],
  ['an ack to a namespace not joined', '43/plain,0[]'], ['an event to an unknown namespace', '42/nope,["x"]'],
  ['an event whose comma is missing', '42/plain["x"]'],
  ['a second CONNECT', '40'], ['a second CONNECT with auth', '40{"a":1}'], ['CONNECT_ERROR', '44{"message":"x"}'],
  ['CONNECT_ERROR without payload', '44'], ['CONNECT_ERROR with a string', '44"x"'],
  ['type 7', '47'], ['type x', '4x'], ['no type', '4'], ['type and a space', '4 2["x"]'],
  ['an object for a payload', '42{}'], ['an empty array', '42[]'], ['null for a name', '42[null]'], ['an object for a name', '42[{}]'],
  ['true for a name', '42[true]'], ['an array for a name', '42[["x"]]'], ['a string for a payload', '42"x"'], ['a number with sign for a payload', '42-1'],
  ['null for a payload', '42null'],
  ...['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'].map((name) => [`the reserved name ${name}`, `42["${name}"]`]),
  ['broken JSON', '42["x"'], ['trailing garbage', '42["x"]z'], ['two payloads', '42["x"]["y"]'], ['single quotes', "42['x']"],
  ['a trailing comma', '42["x",]'], ['NaN', '42["x",NaN]'], ['a leading zero', '42["x",01]'], ['a control character in a string', '42["x","\x01"]'],
  ['a comment', '42["x"/**/]'], ['a leading plus', '42["x",+1]'], ['a bad escape', '42["x","\\x"]'],
  ['ack id -1', '42-1["x"]'], ['ack id 1.5', '421.5["x"]'], ['ack id 1e3', '421e3["x"]'],
  ['CONNECT with an array', '40[1]'], ['CONNECT with null', '40null'], ['CONNECT with a string', '40"x"'],
  ['DISCONNECT with an object', '41{}'], ['DISCONNECT with an array', '41["x"]'],
  ['an ack with an object', '430{}'], ['an ack with null', '430null'], ['an ack with a string', '430"x"'],
  ['no attachments announced', `450-["bin",${PH(0)}]`], ['attachments without number', `45-["bin",${PH(0)}]`],
  ['eleven attachments', `4511-["bin",${PH(0)}]`], ['10^9 attachments', `451000000000-["bin",${PH(0)}]`],
  ['attachments without dash', `451["bin",${PH(0)}]`], ['attachments -1', `45-1-["bin",${PH(0)}]`], ['attachments 1.5', `451.5-["bin",${PH(0)}]`],
  ['attachments x', `45x-["bin",${PH(0)}]`], ['thirty digits of attachments', `45${'1'.repeat(30)}-["bin",${PH(0)}]`],
  ['a binary event with an object', '451-{}'], ['a binary event with a reserved name', `451-["connect",${PH(0)}]`], ['a binary ack with an object', '461-0{}'],
  ['an attachment number too high', [`451-["bin",${PH(1)}]`, Buffer.from([1])]], ['a negative attachment number', [`451-["bin",${PH(-1)}]`, Buffer.from([1])]],
  ['a string for an attachment number', ['451-["bin",{"_placeholder":true,"num":"0"}]', Buffer.from([1])]],
  ['no attachment number', ['451-["bin",{"_placeholder":true}]', Buffer.from([1])]],
  ['text while attachments are due', [`451-["bin",${PH(0)}]`, '42["x"]']],
  ['a second header while attachments are due', [`451-["bin",${PH(0)}]`, `451-["bin",${PH(0)}]`]],
  ['binary while none is due', [Buffer.from([1, 2])]],
  ['one attachment too many', [`451-["nobody-listens",${PH(0)}]`, Buffer.from([1]), Buffer.from([2])]],
];
const join = (packets) => [].concat(packets).map((p) => (Buffer.isBuffer(p) ? `b${p.toString('base64')}` : p)).join('\x1e');

for (const [name, packets] of bad) {
  script(`refused: ${name} (websocket)`, async (w) => {
    const ws = await w.joinedWebsocket();
    for (const packet of [].concat(packets)) Buffer.isBuffer(packet) ? ws.binary(packet) : ws.text(packet);
    await ws.frames(1);
    ws.close();
    await ws.closed();
    await w.reasons();
  });
  script(`refused: ${name} (polling, GET held)`, async (w) => {
    const s = await w.joinedPolling();
    const held = await s.hold();
    await s.post(join(packets));
    await held.response('get');
    await w.reasons();
    await s.gone();
  });
  script(`refused: ${name} (polling, no GET held)`, async (w) => {
    const s = await w.joinedPolling();
    await s.post(join(packets));
    await w.settle();
    await s.poll();
    await w.reasons();
    await s.gone();
  });
}
for (const [name, packet] of [
  ['an event', '42["echo-back",1]'], ['an event with ack', '420["echo",1]'], ['an ack', '430[]'], ['DISCONNECT', '41'],
  ['CONNECT_ERROR', '44{"message":"x"}'], ['a type nobody knows', '49'], ['a bad CONNECT', '40[1]'],
]) {
  script(`before CONNECT: ${name} (websocket)`, async (w) => {
    const ws = await w.websocket();
    ws.text(packet);
    await ws.frames(1);
    ws.close();
    await ws.closed();
  });
  script(`before CONNECT: ${name} (polling)`, async (w) => {
    const s = await w.polling();
    await s.post(packet);
    await w.settle();
    await s.poll();
    await s.gone();
  });
}
script('before CONNECT: binary (websocket)', async (w) => {
  const ws = await w.websocket();
  ws.binary([1]);
  await ws.frames(1);
});
script('refused: everything of the connection goes, all namespaces', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('40/plain,');
  await ws.frames(1);
  ws.text('40/admin,{"token":"abc"}');
  await ws.frames(1);
  ws.text('42/plain,{}');
  await ws.frames(1);
  ws.close();
  await w.reasons(3);
});
script('refused: what came before in the same payload', async (w) => {
  const s = await w.joinedPolling();
  const held = await s.hold();
  await s.post('42["echo-back",1]\x1e42{}\x1e42["echo-back",2]');
  await s.packets(2, { from: held });
  await w.reasons();
});
script('refused: what came before in the same segment', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.texts('42["echo-back",1]', '42{}', '42["echo-back",2]');
  await ws.rest(400);
});
script('refused: what came before, a moment earlier, is served', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('42["echo-back",1]');
  await ws.frames(1);
  ws.texts('42{}', '42["echo-back",2]');
  await ws.rest(400);
});
script('deep JSON is not served for ever', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text(`42["nobody-listens",${'['.repeat(50000)}${']'.repeat(50000)}]`).text(ECHO);
  await ws.frames(1);
});

// ---- CONNECT and DISCONNECT -----------------------------------------------------------------------------------------------

for (const [name, packet] of [['bare', '40'], ['with an object', '40{"token":"abc"}'], ['with an empty object', '40{}'], ['with the root by name', '40/,'],
  ['with the root by name and auth', '40/,{"a":1}'], ['with the root and no comma', '40/'], ['with an id', '401']]) {
  script(`connect: ${name} (websocket)`, async (w) => {
    const ws = await w.websocket();
    ws.text(packet);
    await ws.frames(1);
    ws.text('420["handshake"]');
    await ws.frames(1);
  });
  script(`connect: ${name} (polling)`, async (w) => {
    const s = await w.polling();
    await s.post(packet);
    await s.packets(1);
    await s.post('420["handshake"]');
    await s.packets(1);
  });
}
script('connect: an event right behind it meets no namespace (websocket)', async (w) => {
  const ws = await w.websocket();
  ws.texts('40', ECHO);
  await ws.rest(400);
});
script('connect: an event right behind it meets no namespace (polling)', async (w) => {
  const s = await w.polling();
  await s.post(`40\x1e${ECHO}`);
  await s.poll();
});
script('connect: two namespaces in one payload', async (w) => {
  const s = await w.polling();
  await s.post('40\x1e40/plain,\x1e40/admin,{"token":"abc"}\x1e40/nope,');
  const all = await w.muted(() => s.packets(4));      // refusals may overtake: sorted by name
  for (const packet of all.sort((a, b) => a.slice(0, 8) < b.slice(0, 8) ? -1 : 1)) w.log(`poll< ${packet}`);
});
script('connect: two namespaces in one segment, in order', async (w) => {
  const ws = await w.websocket();
  ws.texts('40/plain,', '40');
  await ws.frames(2);
});
script('connect: twice while the middleware is pending', async (w) => {
  const ws = await w.websocket();
  ws.text('40/slow,').text('40/slow,');
  await ws.frames(2);
  ws.drop();
  await w.reasons(2);
});
script('connect: closed while the middleware is pending', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('40/slow,');
  await w.settle();
  ws.drop();
  await w.wait(700);
  await w.reasons();
});
script('connect: an event while the middleware is pending', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('40/slow,').text('42/slow,["x"]');
  await ws.frames(1);
  ws.close();
  await w.reasons();
});
script('connect: DISCONNECT while the middleware is pending', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('40/slow,').text('41/slow,');
  await ws.frames(1);
  ws.close();
  await w.reasons();
});
script('connect: others go on while the middleware is pending', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('40/slow,').text(ECHO);
  await ws.frames(2);
  ws.text('42/slow,["echo-back",1]');
  await ws.frames(1);
});
script('connect: greeting comes behind the reply', async (w) => {
  const ws = await w.websocket({ query: '&greet=1' });
  ws.text('40');
  await ws.frames(2);
  ws.text('40/plain,');
  await ws.frames(2);
});
script('connect: each namespace has its own id and its own acks', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('40/plain,');
  await ws.frames(1);
  ws.text('420["who"]').text('42/plain,0["who"]');
  await ws.frames(2);
  ws.text('42/é x,["x"]');
  await ws.frames(1);
});
script('connect: time-out without a join (websocket)', { on: 'hurry' }, async (w) => {
  const ws = await w.websocket();
  await ws.frames(1);
  ws.close();
  await ws.closed();
});
script('connect: time-out without a join (polling, GET held)', { on: 'hurry' }, async (w) => {
  const s = await w.polling();
  const held = await s.hold();
  await held.response('get');
  await s.gone();
});
script('connect: time-out without a join (polling, no GET held)', { on: 'hurry' }, async (w) => {
  const s = await w.polling();
  await w.wait(1700);
  await s.poll();
  await s.gone();
});
script('connect: a refused join does not stop the time-out', { on: 'hurry' }, async (w) => {
  const ws = await w.websocket();
  ws.text('40/deny,');
  await ws.frames(2);
});
script('connect: an unknown namespace does not stop the time-out', { on: 'hurry' }, async (w) => {
  const ws = await w.websocket();
  ws.text('40/nope,');
  await ws.frames(2);
});
script('connect: a join stops the time-out for good', { on: 'hurry' }, async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('41');
  await ws.quiet(1800);
  ws.text('40');
  await ws.frames(1);
});
script('connect: pid and offset are ignored', async (w) => {
  const ws = await w.websocket();
  ws.text('40{"pid":"AAAAAAAAAAAAAAAAAAAA","offset":"x"}');
  await ws.frames(1);
});
script('connect: after a refusal in the only namespace', async (w) => {
  const ws = await w.websocket();
  ws.text('40/deny,');
  await ws.frames(1);
  ws.text('40');
  await ws.frames(1);
  ws.text(ECHO);
  await ws.frames(1);
});
script('connect: an event to a namespace that refused', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('40/deny,');
  await ws.frames(1);
  ws.text('42/deny,["x"]');
  await ws.frames(1);
  ws.close();
  await w.reasons();
});

for (const [name, packet] of [['bare', '41'], ['with an id', '411'], ['with the root by name', '41/,']]) {
  script(`disconnect: ${name}, and again`, async (w) => {
    const ws = await w.joinedWebsocket();
    ws.text(packet);
    await w.reasons();
    await ws.quiet(150);
    ws.text('40');
    await ws.frames(1);
    ws.text(ECHO);
    await ws.frames(1);
  });
}
script('disconnect: over polling, and again', async (w) => {
  const s = await w.joinedPolling();
  await s.post('41');
  await w.reasons();
  await s.post('40');
  await s.packets(1);
});
script('disconnect: one namespace of two', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('40/plain,');
  await ws.frames(1);
  ws.text('41/plain,').text(ECHO);
  await ws.frames(1);
  await w.reasons();
  ws.text('42/plain,["x"]');
  await ws.frames(1);
  ws.close();
  await w.reasons(2);
});
for (const [name, packet] of [['an event', ECHO], ['an event with ack', '420["echo",1]'], ['an ack', '430[]'], ['another one', '41']]) {
  script(`disconnect: ${name} after it`, async (w) => {
    const ws = await w.joinedWebsocket();
    ws.text('41');
    await w.reasons();
    ws.text(packet);
    await ws.frames(1);
    ws.close();
    await ws.closed();
  });
  script(`disconnect: ${name} right behind it, in one segment`, async (w) => {
    const ws = await w.joinedWebsocket();
    ws.texts('41', packet);
    await ws.rest(400);
    await w.reasons();
  });
}
script('disconnect: and the transport in one payload', async (w) => {
  const s = await w.joinedPolling();
  const held = await s.hold();
  await s.post('41\x1e1');
  await held.response('get');
  await w.reasons();
  await s.gone();
});
script('disconnect: by the server, the transport stays (websocket)', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('42["leave"]');
  await ws.frames(1);
  await w.reasons();
  await ws.quiet(150);
  ws.text('40');
  await ws.frames(1);
  ws.text(ECHO);
  await ws.frames(1);
});
script('disconnect: by the server, the transport stays (polling)', async (w) => {
  const s = await w.joinedPolling();
  await s.post('42["leave"]');
  await s.packets(1);
  await w.reasons();
  await s.post('40');
  await s.packets(1);
});
script('disconnect: by the server, one namespace of two', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('40/plain,');
  await ws.frames(1);
  ws.text('42/plain,["leave"]').text(ECHO);
  await ws.frames(2);
  await w.reasons();
});
script('disconnect: by the server, an event behind it a moment later', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('40/plain,');
  await ws.frames(1);
  ws.text('42/plain,["leave"]');
  await ws.frames(1);
  ws.text('42/plain,["x"]');
  await ws.frames(1);
  ws.close();
  await w.reasons(2);
});
script('disconnect: by the server, events behind it in the payload', async (w) => {
  const s = await w.joinedPolling();
  await s.join('/plain');
  await s.post(`42/plain,["leave"]\x1e42/plain,["x"]\x1e${ECHO}`);
  await s.packets(2);
  await s.post(ECHO);
  await s.packets(1);
  await w.reasons();
});
script('disconnect: by the server, events behind it in the segment', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.texts('42["leave"]', ECHO);
  await ws.rest(400);
  await w.reasons();
});
script('disconnect: by the server with the transport, three namespaces', async (w) => {
  const s = await w.joinedPolling();
  await s.join('/plain');
  await s.join('/admin', '{"token":"abc"}');
  await s.post('42/plain,["kick"]');
  await s.packets(4);
  await w.reasons(3);
});
for (const [name, move] of [['TCP drop', (ws) => ws.drop()], ['close frame', (ws) => { ws.close(1000); }]]) {
  script(`disconnect: ${name} with two namespaces`, async (w) => {
    const ws = await w.joinedWebsocket();
    ws.text('40/plain,');
    await ws.frames(1);
    move(ws);
    await w.wait(100);
    ws.drop();
    await w.reasons(2);
  });
}

// ---- Acks asked for by the server -----------------------------------------------------------------------------------------

script('acks: the counter belongs to the namespace', async (w) => {
  const a = await w.websocket({ name: 'a' }), b = await w.websocket({ name: 'b' });
  for (const ws of [a, b]) { ws.text('40/acks,'); await ws.frames(1); }
  a.text('42/acks,["ask","x"]');
  await a.frames(1);
  b.text('42/acks,["ask","y",{"z":1}]');
  await b.frames(1);
  a.text('43/acks,0["r",1]');
  await a.frames(1);
  b.text('43/acks,0["not mine"]');
  await b.quiet(100);
  b.text('43/acks,1[]');
  await b.frames(1);
  b.text('43/acks,1["again"]').text('43/acks,99["unknown"]');
  await b.quiet(100);
  a.text('42/acks,["ask"]');
  await a.frames(1);
  a.text('461-/acks,2[{"_placeholder":true,"num":0}]').binary([9, 8]);
  await a.frames(2);
  a.text('42/acks,["ask-within",400]');
  await a.frames(2);
  a.text('43/acks,3["late"]');
  await a.quiet(100);
  a.text('42/acks,["ask-within",5000]');
  await a.frames(1);
  a.text('43/acks,4["in time"]');
  await a.frames(1);
  a.text('451-/acks,["ask",{"_placeholder":true,"num":0}]').binary([1]);
  await a.frames(2);
  a.text('43/acks,5');
  await a.frames(1);
  for (const ws of [a, b]) ws.text('42/acks,["join","r"]');
  await w.settle();
  a.text('42/acks,["ask-room","r",3000]');
  await a.frames(1);
  await b.frames(1);
  b.text('43/acks,6["b",2]');
  await w.settle();
  a.text('43/acks,6["a",1]');
  await a.frames(1);
  a.text('42/acks,["ask-room","r",3000]');
  await a.frames(1);
  await b.frames(1);
  b.text('43/acks,7["only b"]');
  await a.frames(1);
  a.text('42/acks,["ask-room","nobody",700]');
  await a.frames(1);
});
script('acks: what a client answers that left and came back', async (w) => {
  const [a, b] = [await w.websocket({ name: 'a' }), await w.websocket({ name: 'b' })];
  for (const ws of [a, b]) { ws.text('40/acks-more,'); await ws.frames(1); }
  a.text('42/acks-more,["ask",1]').text('42/acks-more,["ask",2]');
  await a.frames(2);
  a.text('43/acks-more,1["in another"]').text('43/acks-more,0["order"]');
  await a.frames(2);
  a.text('42/acks-more,["ask",3]');
  await a.frames(1);
  a.text('41/acks-more,');
  await w.reasons();
  a.text('40/acks-more,');
  await a.frames(1);
  a.text('43/acks-more,2["of another life"]').text('42/acks-more,["ask",4]');
  await a.frames(1);
  b.text('42/acks-more,["ask",5]');
  await b.frames(1);
  a.text('43/acks-more,4["not mine"]').text('43/acks-more,3["a"]');
  await a.frames(1);
  b.text('43/acks-more,4["b"]').text('43/acks-more,4["b"]').text('42/acks-more,["echo-back","end"]');
  await b.frames(2);
});

// From here on ids are as many as there are scripts at the same time: the script answers with the one that it got.
const idOf = (packet) => /^4[25](?:\d+-)?(?:\/[^,]*,)?(\d+)\[/.exec(packet)[1];
const hideId = async (w, ws) => {                       // reads a question; the transcript has it without its id
  const packet = (await w.muted(() => ws.frames(1))).payload.toString();
  w.log(`${ws.name}< ${packet.replace(`${idOf(packet)}[`, '*[')}`);
  return idOf(packet);
};
const reply = (w, ws, id, packet, ...attachments) => {
  w.muted(() => { ws.text(packet.replace('*', id)); for (const bytes of attachments) ws.binary(bytes); });
  w.log(`${ws.name}> ${packet}${attachments.map((bytes) => ` + ${bytes.length} bytes`).join('')}`);
};
for (const [name, packet, ...attachments] of [
  ['none', '43*[]'], ['no list', '43*'], ['several', '43*["a",1,null,{"k":[]}]'], ['null', '43*[null]'], ['text with unicode', '43*["é€😀"]'],
  ['binary', `461-*[${PH(0)}]`, [1, 2]], ['binary, nested', `462-*["x",{"a":[${PH(1)}]},${PH(0)}]`, [1], [2, 2]],
  ['binary, ten attachments', `4610-*[${Array.from({ length: 10 }, (_, i) => PH(i)).join(',')}]`, ...Array.from({ length: 10 }, (_, i) => [i])],
  ['binary that is none', '461-*["x"]', [1]], ['binary without a list', '461-*', [1]],
]) {
  const frames = 1 + (/^46\d*-.*_placeholder/.test(packet) ? attachments.length : 0);
  script(`answers: ${name} (websocket)`, async (w) => {
    const ws = await w.joinedWebsocket();
    ws.text('42["ask","?"]');
    reply(w, ws, await hideId(w, ws), packet, ...attachments);
    await ws.frames(frames);
  });
  script(`answers: ${name} (polling)`, async (w) => {
    const s = await w.joinedPolling();
    await s.post('42["ask","?"]');
    const [question] = await w.muted(() => s.packets(1));
    await w.muted(() => s.post([packet.replace('*', idOf(question)), ...attachments.map((bytes) => `b${Buffer.from(bytes).toString('base64')}`)].join('\x1e')));
    await s.packets(frames);
  });
}
for (const [name, packet, ...attachments] of [['a placeholder too high', `461-*[${PH(1)}]`, [1]], ['an object', '43*{}'], ['eleven attachments', `4611-*[${PH(0)}]`]])
  script(`answers: refused: ${name}`, async (w) => {
    const ws = await w.joinedWebsocket();
    ws.text('42["ask","?"]');
    reply(w, ws, await hideId(w, ws), packet, ...attachments);
    await ws.frames(1);
    ws.close();
    await w.reasons();
  });
script('answers: a question with binary', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text(`452-["ask",${PH(1)},{"k":${PH(0)}}]`).binary([1]).binary([2, 2]);
  const id = await hideId(w, ws);
  await ws.frames(2);
  reply(w, ws, id, '43*["got it"]');
  await ws.frames(1);
});
script('answers: none in time, and one too late', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('42["ask-within",300]');
  const id = await hideId(w, ws);
  await ws.frames(1);
  reply(w, ws, id, '43*["late"]');
  ws.text(ECHO);
  await ws.frames(1);
});
script('answers: in time, twice', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('42["ask-within",60000]');
  const id = await hideId(w, ws);
  reply(w, ws, id, '43*["one","more"]');
  reply(w, ws, id, '43*["two"]');
  await ws.frames(1);
  ws.text(ECHO);
  await ws.frames(1);
});
script('answers: the client leaves without one, within the time', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('42["ask-within",3000]');
  await hideId(w, ws);
  ws.text('41');
  await ws.rest(5000);
  ws.text('40');
  await ws.frames(1);
});
script('answers: of a room', async (w) => {
  const [a, b, c] = await three(w, w.tag);
  a.text(`42["ask-room","${w.tag}",60000,"how many",{"k":1}]`);
  const id = await hideId(w, a);
  for (const ws of [b, c]) w.log(`the same id: ${await hideId(w, ws) === id}`);
  reply(w, c, id, '43*["c",2]');
  await w.settle();
  reply(w, c, id, '43*["c again"]');
  await w.settle();
  reply(w, a, id, '43*[]');
  await w.settle();
  reply(w, b, id, `461-*[{"b":${PH(0)}}]`, [1, 2]);
  await a.frames(2);
});
script('answers: of a room over polling', async (w) => {
  const s = await w.joinedPolling();
  const ws = await w.joinedWebsocket();
  await s.post(`42["join","${w.tag}"]`);
  ws.text(`42["join","${w.tag}"]`);
  await w.settle();
  ws.text(`451-["ask-room","${w.tag}",60000,${PH(0)}]`).binary([7, 7]);
  const id = await hideId(w, ws);
  await ws.frames(1);
  const [question] = await w.muted(() => s.packets(2));
  w.log(`the same id: ${idOf(question) === id}`);
  await w.muted(() => s.post(`43${id}["p"]`));
  await w.settle();
  reply(w, ws, id, '43*["w"]');
  await ws.frames(1);
});
script('answers: of the others', async (w) => {
  const [a, b, c] = await three(w, w.tag);
  a.text(`42["ask-others","${w.tag}",60000]`);
  for (const ws of [b, c]) reply(w, ws, await hideId(w, ws), `43*["${ws.name}"]`), await w.settle();
  await a.frames(1);
});
script('answers: of a room, some in time', async (w) => {
  const [a, b, c] = await three(w, w.tag);
  a.text(`42["ask-room","${w.tag}",4000]`);
  for (const ws of [a, b, c]) { const id = await hideId(w, ws); if (ws !== b) reply(w, ws, id, `43*["${ws.name}"]`); await w.settle(); }
  await a.frames(1);
  await marker(a, b, c);
});
script('answers: of a room, none in time', async (w) => {
  const [a, b] = await three(w, w.tag);
  a.text(`42["ask-others","${w.tag}",300]`);
  const id = await hideId(w, b);
  await a.frames(1);
  reply(w, b, id, '43*["late"]');
  await marker(a, b);
});
script('answers: of nobody', async (w) => {
  const a = await w.joinedWebsocket({ name: 'a' });
  a.text(`42["ask-room","${w.tag}",60000,"anybody?"]`);
  await a.frames(1);
  a.text(`42["join","${w.tag}"]`).text(`42["ask-others","${w.tag}",60000]`);
  await a.frames(1);
});
script('answers: of a room that somebody leaves meanwhile', async (w) => {
  const [a, b, c] = await three(w, w.tag);
  a.text(`42["ask-others","${w.tag}",4000]`);
  for (const ws of [b, c]) { const id = await hideId(w, ws); if (ws === c) reply(w, ws, id, '43*["c"]'); }
  await w.settle();
  b.drop();
  await w.reasons();
  await a.frames(1);
});
script('acks: the answer still comes after the client left', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('422["later","x"]');
  await w.settle();
  ws.text('41');
  await w.reasons();
  await ws.frames(1);
  ws.text('40');
  await ws.frames(1);
});
script('acks: the answer in time', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('422["later","x"]').text('423["later","y"]').text(ECHO);
  await ws.frames(3);
});
script('acks: the client leaves in the segment of its question', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.texts('422["echo","x"]', '41');
  await ws.rest(400);
  await w.reasons();
});
script('acks: asked by a socket that is gone when the answer is ready', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('422["later","x"]');
  await w.settle();
  ws.drop();
  await w.reasons();
  await w.wait(600);
  await w.settle();
});

// ---- Rooms ----------------------------------------------------------------------------------------------------------------

async function three(w, room) {
  const all = [];
  for (const name of ['a', 'b', 'c']) {
    const ws = await w.joinedWebsocket({ name });
    ws.text(`42["join","${room}"]`);
    all.push(ws);
  }
  await w.settle();
  return all;
}
const marker = async (...all) => {                    // an echo: what did not come before it did not come
  for (const ws of all) { ws.text('42["echo-back","end"]'); await ws.frames(1); }
};
script('rooms: everybody in the room', async (w) => {
  const [a, b, c] = await three(w, w.tag);
  a.text(`42["shout","${w.tag}","hi é"]`);
  for (const ws of [a, b, c]) await ws.frames(1);
  b.text(`42["part","${w.tag}"]`);
  await w.settle();
  a.text(`42["shout","${w.tag}","two"]`);
  for (const ws of [a, c]) await ws.frames(1);
  await w.settle();
  await marker(a, b, c);
});
script('rooms: others than the sender', async (w) => {
  const [a, b, c] = await three(w, w.tag);
  a.text(`42["shout-others","${w.tag}","hi"]`);
  for (const ws of [b, c]) await ws.frames(1);
  await w.settle();
  await marker(a, b, c);
});
script('rooms: a union reaches each once, an exception is left out', async (w) => {
  const [a, b, c] = await three(w, w.tag);
  b.text(`42["join","${w.tag}-2"]`);
  await w.settle();
  a.text(`42["shout-both","${w.tag}","${w.tag}-2","union"]`);
  for (const ws of [a, b, c]) await ws.frames(1);
  await w.settle();
  a.text(`42["shout-except","${w.tag}","${w.tag}-2","but b"]`);
  for (const ws of [a, c]) await ws.frames(1);
  await w.settle();
  await marker(a, b, c);
});
script('rooms: the room of the own id', async (w) => {
  const a = await w.joinedWebsocket({ name: 'a' });
  a.text('420["who"]');
  const [, id] = /"id":"([^"]*)"/.exec((await a.frames(1)).payload.toString()) || [];
  const b = await w.joinedWebsocket({ name: 'b' });
  b.text(`42["shout","${id}","to a"]`);
  await a.frames(1);
  a.text(`42["shout-others","${id}","to nobody"]`);
  await w.settle();
  await marker(a, b);
});
script('rooms: they end with the namespace session', async (w) => {
  const [a, b] = await three(w, w.tag);
  b.text('41');
  await w.settle();
  b.text('40');
  await b.frames(1);
  a.text(`42["shout","${w.tag}","hi"]`);
  await a.frames(1);
  await w.settle();
  await marker(a, b);
});
script('rooms: the same name in another namespace is another room', async (w) => {
  const a = await w.joinedWebsocket({ name: 'a' });
  a.text('40/plain,');
  await a.frames(1);
  a.text(`42/plain,["join","${w.tag}"]`).text(`42["shout","${w.tag}","root"]`).text(`42/plain,["shout","${w.tag}","plain"]`);
  await a.frames(1);
  await marker(a);
});
script('rooms: over polling and WebSocket at once', async (w) => {
  const s = await w.joinedPolling();
  const ws = await w.joinedWebsocket();
  await s.post(`42["join","${w.tag}"]`);
  ws.text(`42["join","${w.tag}"]`);
  await w.settle();
  ws.text(`42["shout","${w.tag}","to both é"]`);
  await ws.frames(1);
  await s.packets(1);
});
script('rooms: a volatile broadcast to a client that polls, or not', async (w) => {
  const s = await w.joinedPolling();
  const ws = await w.joinedWebsocket();
  await s.post(`42["join","${w.tag}"]`);
  await w.settle();
  ws.text(`42["shout-volatile","${w.tag}","nobody polls"]`);
  await w.settle();
  const held = await s.hold();
  ws.text(`42["shout-volatile","${w.tag}","somebody polls"]`);
  await s.packets(1, { from: held });
  await s.post(ECHO);
  await s.packets(1);
});
script('rooms: volatile broadcasts to a WebSocket', async (w) => {
  const a = await w.joinedWebsocket({ name: 'a' });
  const b = await w.joinedWebsocket({ name: 'b' });
  b.text(`42["join","${w.tag}"]`);
  await w.settle();
  a.text(`42["shout-volatile","${w.tag}","one"]`);
  await b.frames(1);
  a.text(`42["shout-volatile","${w.tag}","two"]`);
  await b.frames(1);
});
script('rooms: two volatile broadcasts at once, the second is lost', async (w) => {
  const a = await w.joinedWebsocket({ name: 'a' });
  const b = await w.joinedWebsocket({ name: 'b' });
  b.text(`42["join","${w.tag}"]`);
  await w.settle();
  a.text(`42["shout-volatile","${w.tag}","one","two"]`);
  await b.frames(1);
  await w.settle();
  await marker(b);
});

module.exports = scripts;
