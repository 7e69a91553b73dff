'use strict';
// Raw scripts: Engine.IO. Packets and payloads, WebSocket frames, heartbeats, the upgrade dance, every way to close.

const { collect, frame, closePayload } = require('../../common/transcript');
const { script, scripts } = collect();

const ECHO = '42["echo-back","alive"]';

// ---- Packets --------------------------------------------------------------------------------------------------------------

for (const [name, packet] of [
  ['open', '0'], ['open with data', '0{"sid":"x"}'], ['pong', '3'], ['pong with data', '3probe'], ['upgrade', '5'], ['noop', '6'],
]) {
  script(`packet: ${name} over polling changes nothing`, async (w) => {
    const s = await w.joinedPolling();
    await s.post(packet);
    await s.post(ECHO);
    await s.packets(1);
  });
  script(`packet: ${name} over WebSocket changes nothing`, async (w) => {
    const ws = await w.joinedWebsocket();
    ws.text(packet).text(ECHO);
    await ws.frames(1);
  });
}
script('packet: close over polling', async (w) => {
  const s = await w.joinedPolling();
  await s.post('1');
  await w.reasons();
  await s.poll();
  await s.post(ECHO);
});
script('packet: close over polling, GET held', async (w) => {
  const s = await w.joinedPolling();
  const held = await s.hold();
  await s.post('1');
  await held.response('get');
  await w.reasons();
  await s.gone();
});
script('packet: close over polling, more in the same payload', async (w) => {
  const s = await w.joinedPolling();
  const held = await s.hold();
  await s.post(`${ECHO}\x1e1\x1e42["echo-back","too late"]`);
  await s.packets(2, { from: held });
  await w.reasons();
});
script('packet: close over WebSocket changes nothing', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('1').text(ECHO);
  await ws.frames(1);
});

for (const [name, packet] of [
  ['type 7', '7'], ['type a', 'a'], ['type é', 'é'], ['a space', ' 4'], ['NUL', '\x00'], ['ping', '2'], ['ping with data', '2probe'],
]) {
  script(`packet: ${name} over polling ends the session`, async (w) => {
    const s = await w.joinedPolling();
    await s.post(packet);
    await w.reasons();
    await s.gone();
  });
  script(`packet: ${name} over polling, GET held`, async (w) => {
    const s = await w.joinedPolling();
    const held = await s.hold();
    await s.post(packet);
    await held.response('get');
    await w.reasons();
    await s.gone();
  });
  script(`packet: ${name} over WebSocket ends the session`, async (w) => {
    const ws = await w.joinedWebsocket();
    ws.text(packet);
    await ws.frames(1);
    ws.close();
    await ws.closed();
    await w.reasons();
  });
}
script('packet: empty text over WebSocket', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('');
  await ws.frames(1);
  ws.close();
  await ws.closed();
  await w.reasons();
});
script('packet: an empty binary message over WebSocket', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('451-["bin",{"_placeholder":true,"num":0}]').binary([]);
  await ws.frames(2);
});
script('packet: base64 text over WebSocket is binary', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('451-["bin",{"_placeholder":true,"num":0}]').text('bAQIDBA==');
  await ws.frames(2);
});

// ---- Polling payloads -----------------------------------------------------------------------------------------------------

for (const [name, payload] of [
  ['a trailing separator', `${ECHO}\x1e`], ['a leading separator', `\x1e${ECHO}`], ['an empty packet within', `${ECHO}\x1e\x1e${ECHO}`],
  ['separators only', '\x1e\x1e'], ['a bad packet in the middle', `${ECHO}\x1ez\x1e${ECHO}`],
]) {
  script(`payload: ${name}`, async (w) => {
    const s = await w.joinedPolling();
    const held = await s.hold();
    await s.post(payload);
    await s.packets(payload.startsWith(ECHO) ? 2 : 1, { from: held });
    await w.reasons();
    await s.gone();
  });
}
for (const [name, base64] of [
  ['padded', 'AQIDBA=='], ['without padding', 'AQIDBA'], ['URL alphabet', '-_-_'], ['with a space', 'AQ ID'], ['with illegal characters', 'A!Q*I?D'],
  ['empty', ''], ['one character', 'A'], ['padding within', 'AQ==AQ=='],
]) {
  script(`payload: base64 ${name}`, async (w) => {
    const s = await w.joinedPolling();
    await s.post(`451-["bin",{"_placeholder":true,"num":0}]\x1eb${base64}`);
    await s.packets(2);
  });
}
script('payload: fifty packets', async (w) => {
  const s = await w.joinedPolling();
  await s.post(Array.from({ length: 50 }, (_, i) => `42["echo-back",${i}]`).join('\x1e'));
  await s.packets(50);
});
script('payload: what JSON escapes', async (w) => {
  const s = await w.joinedPolling();
  await s.post('42["echo-back","\\u001e\\u0000\\b\\f\\n\\r\\t\\u001f\\u007f\\u2028\\u2029\\/<\\"\\\\","\u2028\u2029\x7f"]');
  await s.packets(1);
});

// ---- WebSocket frames -----------------------------------------------------------------------------------------------------

// A frame that is served: then an echo, to see that the session goes on.
function served(name, send, replies) {
  script(`frame: ${name}`, async (w) => {
    const ws = await w.joinedWebsocket();
    send(ws);
    await ws.frames(replies);
    ws.text('42["echo-back","still there"]');
    await ws.frames(1);
  });
}
served('ping', (ws) => ws.frame('payload', { opcode: 9 }), 1);
served('ping without payload', (ws) => ws.frame('', { opcode: 9 }), 1);
served('ping of 125 bytes', (ws) => ws.frame('p'.repeat(125), { opcode: 9 }), 1);
const pings = (n) => Buffer.concat(Array.from({ length: n }, (_, i) => frame(`p${i}`, { opcode: 9 })));
served('sixty pings in one segment', (ws) => ws.send(pings(60), '60 pings'), 60);
script('frame: a hundred pings in one segment', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.send(pings(100), '100 pings');
  const pongs = await w.muted(() => ws.frames(100));
  w.note(`${pongs.filter((f, i) => f.opcode === 10 && f.payload.toString() === `p${i}`).length} pongs, then ${ws.end ? 'the end' : 'it goes on'}`);
});
served('unsolicited pong', (ws) => ws.frame('x', { opcode: 10 }), 0);
served('two fragments', (ws) => ws.frame('42["echo-', { fin: false }).frame('back",1]', { opcode: 0 }), 1);
served('fragments with a ping between', (ws) => ws.frame('42["ec', { fin: false }).frame('p', { opcode: 9 }).frame('ho-back",1]', { opcode: 0 }), 2);
served('empty fragments', (ws) => ws.frame('', { fin: false }).frame('42["echo-back"', { opcode: 0, fin: false })
  .frame('', { opcode: 0, fin: false }).frame(',1]', { opcode: 0, fin: false }).frame('', { opcode: 0 }), 1);
served('a character split over fragments', (ws) => ws.frame(Buffer.from('42["echo-back","\xe2\x82', 'latin1'), { fin: false })
  .frame(Buffer.from('\xac"]', 'latin1'), { opcode: 0 }), 1);
served('a binary message in fragments', (ws) => ws.text('451-["bin",{"_placeholder":true,"num":0}]')
  .frame(Buffer.from([1]), { opcode: 2, fin: false }).frame(Buffer.from([2, 3]), { opcode: 0 }), 2);
served('a 16-bit length that was not needed', (ws) => ws.frame(ECHO, { lengthBytes: 2 }), 1);
served('a 64-bit length that was not needed', (ws) => ws.frame(ECHO, { lengthBytes: 8 }), 1);
served('replies of 125, 126, 127 bytes', (ws) => [125, 126, 127].forEach((n) => ws.text(`42["echo-back","${'z'.repeat(n - 14)}"]`)), 3);
served('replies of 65535 and 65536 bytes', (ws) => [65535, 65536].forEach((n) => ws.text(`42["echo-back","${'z'.repeat(n - 14)}"]`)), 2);
served('two hundred messages in one segment', (ws) => ws.texts(...Array.from({ length: 200 }, (_, i) => `42["echo-back",${i}]`)), 200);
served('a record separator within', (ws) => ws.text('42["echo-back","a\u2028"]'), 1);

script('frame: a message in single bytes', async (w) => {
  const ws = await w.joinedWebsocket();
  for (const byte of frame(ECHO)) { ws.socket.write(Buffer.from([byte])); await w.wait(1); }
  await ws.frames(1);
});

// A frame that ends the connection with a close frame.
function fatal(name, send, { on = 'plain', join = true } = {}) {
  script(`frame: ${name} is fatal`, { on }, async (w) => {
    const ws = join ? await w.joinedWebsocket() : await w.websocket();
    send(ws);
    await ws.frames(1);
    await ws.closed(3000);
    ws.drop();
    if (join) await w.reasons();
  });
}
fatal('no mask', (ws) => ws.frame(ECHO, { mask: false }));
for (const rsv of [1, 2, 4]) fatal(`reserved bit ${rsv}`, (ws) => ws.frame(ECHO, { rsv }));
for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) fatal(`opcode ${opcode}`, (ws) => ws.frame('x', { opcode }));
fatal('a ping of 126 bytes', (ws) => ws.frame('p'.repeat(126), { opcode: 9 }));
fatal('a fragmented ping', (ws) => ws.frame('p', { opcode: 9, fin: false }));
fatal('a fragmented close', (ws) => ws.frame(closePayload(1000), { opcode: 8, fin: false }));
fatal('a close of 126 bytes', (ws) => ws.frame(closePayload(1000, 'r'.repeat(124)), { opcode: 8 }));
fatal('a stray continuation', (ws) => ws.frame('x', { opcode: 0 }));
fatal('a text within a fragmented message', (ws) => ws.frame('42["echo', { fin: false }).frame(ECHO));
fatal('a binary within a fragmented message', (ws) => ws.frame('42["echo', { fin: false }).frame('x', { opcode: 2 }));
fatal('invalid UTF-8', (ws) => ws.frame(Buffer.from('42["echo-back","\xff"]', 'latin1')));
fatal('an overlong encoding', (ws) => ws.frame(Buffer.from('42["echo-back","\xc0\xaf"]', 'latin1')));
fatal('an encoded surrogate', (ws) => ws.frame(Buffer.from('42["echo-back","\xed\xa0\x80"]', 'latin1')));
fatal('a character cut off at the end', (ws) => ws.frame(Buffer.from('42["echo-back","\xe2\x82', 'latin1')));
fatal('invalid UTF-8 in fragments', (ws) => ws.frame(Buffer.from('42["echo-back","\xe2\x82', 'latin1'), { fin: false })
  .frame(Buffer.from('\x28"]', 'latin1'), { opcode: 0 }));
fatal('invalid UTF-8 in a close reason', (ws) => ws.frame(closePayload(1000, Buffer.from([0xff])), { opcode: 8 }));
fatal('a bad frame before CONNECT', (ws) => ws.frame('x', { opcode: 3 }), { join: false });
fatal('a bad frame after a good one', (ws) => ws.send(Buffer.concat([frame('41'), frame('x', { opcode: 3 })]), 'text 41 + opcode 3'));
fatal('a message over the limit', (ws) => ws.text(`42["echo-back","${'z'.repeat(987)}"]`), { on: 'small' });
fatal('a declared length over the limit', (ws) => ws.send(frame('', { declared: 1001 }), 'the head of a frame of 1001 bytes'), { on: 'small' });
fatal('a declared length over the limit, binary', (ws) => ws.send(frame('', { opcode: 2, declared: 1001 }), 'the head of a frame of 1001 bytes'), { on: 'small' });
fatal('fragments over the limit in sum', (ws) => ws.frame(`42["echo-back","${'z'.repeat(600)}`, { fin: false })
  .frame('z'.repeat(600), { opcode: 0, fin: false }), { on: 'small' });
fatal('a length of 2^53', (ws) => ws.send(frame('', { declared: 2n ** 53n }), 'the head of a frame of 2^53 bytes'));
fatal('a length with the top bit', (ws) => ws.send(frame('', { declared: 2n ** 63n }), 'the head of a frame of 2^63 bytes'));
fatal('a length of 2^40', (ws) => ws.send(frame('', { declared: 2n ** 40n }), 'the head of a frame of 2^40 bytes'));
fatal('more than 16384 fragments', (ws) => {
  const all = [frame('4', { fin: false })];
  for (let i = 0; i < 16384; i++) all.push(frame('', { opcode: 0, fin: false }));
  return ws.send(Buffer.concat(all), '16385 fragments');
});
script('frame: exactly the limit is served', { on: 'small' }, async (w) => {
  const ws = await w.joinedWebsocket();
  const text = `42["echo-back","${'z'.repeat(982)}"]`;
  ws.text(text);
  await ws.frames(1);
  ws.text('45' + '1-["bin",{"_placeholder":true,"num":0}]').binary(Buffer.alloc(1000, 7));
  await ws.frames(2);
});
script('frame: exactly the limit in fragments is served', { on: 'small' }, async (w) => {
  const ws = await w.joinedWebsocket();
  ws.frame(`42["echo-back","${'z'.repeat(482)}`, { fin: false }).frame(`${'z'.repeat(500)}"]`, { opcode: 0 });
  await ws.frames(1);
});

// The client's close frame: echoed, or answered 1002.
for (const code of [undefined, 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4000, 4999,
  0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535]) {
  script(`close frame: ${code === undefined ? 'no code' : code}`, async (w) => {
    const ws = await w.joinedWebsocket();
    ws.close(code);
    await ws.frames(1);
    await ws.closed();
    ws.drop();
    await w.reasons();
  });
}
script('close frame: with a reason', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.close(1000, 'bye é');
  await ws.frames(1);
  await ws.closed();
  ws.drop();
  await w.reasons();
});
script('close frame: of one byte', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.frame(Buffer.from([3]), { opcode: 8 });
  await ws.frames(1);
  await ws.closed();
  ws.drop();
  await w.reasons();
});
script('close frame: within a fragmented message', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.frame('42["ec', { fin: false }).close(1000);
  await ws.frames(1);
  await ws.closed();
  ws.drop();
  await w.reasons();
});
script('close frame: what follows is not read', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.send(Buffer.concat([frame(closePayload(1000), { opcode: 8 }), frame(ECHO)]), `CLOSE(1000) + text ${ECHO}`);
  await ws.frames(1);
  await ws.closed();
});
script('close frame: a message before it in the same segment', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.send(Buffer.concat([frame(ECHO), frame(closePayload(1000), { opcode: 8 })]), `text ${ECHO} + CLOSE(1000)`);
  await ws.frames(2);
  await ws.closed();
  ws.drop();
  await w.reasons();
});
for (const [name, move] of [['FIN', 'halfClose'], ['RST', 'reset'], ['both', 'drop']]) {
  script(`close: TCP ended by the client, ${name}`, async (w) => {
    const ws = await w.joinedWebsocket();
    ws[move]();
    if (name === 'FIN') await ws.closed();
    await w.reasons();
  });
}
script('close: TCP ended within a frame', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.send(frame(ECHO).subarray(0, 9), 'half a frame');
  await w.settle();
  ws.drop();
  await w.reasons();
});

// ---- Heartbeats -----------------------------------------------------------------------------------------------------------

script('heartbeat: pings go on as long as pongs come', { on: 'beat' }, async (w) => {
  const ws = await w.joinedWebsocket();
  for (let i = 0; i < 3; i++) {
    await ws.frames(1);
    ws.text('3');
  }
  ws.text(ECHO);
  await ws.frames(1);
});
script('heartbeat: over polling', { on: 'beat' }, async (w) => {
  const s = await w.joinedPolling();
  for (let i = 0; i < 3; i++) {
    await s.packets(1);
    await s.post('3');
  }
  await s.post(ECHO);
  await s.packets(1);
});
script('heartbeat: no pong over WebSocket', { on: 'beat' }, async (w) => {
  const ws = await w.joinedWebsocket();
  await ws.frames(2);
  ws.close();
  await ws.closed();
  await w.reasons();
});
script('heartbeat: no pong over WebSocket, the reason does not wait for the client', { on: 'beat' }, async (w) => {
  const ws = await w.joinedWebsocket();
  await ws.frames(2);
  await w.reasons();
});
script('heartbeat: no pong over polling, GET held', { on: 'beat' }, async (w) => {
  const s = await w.joinedPolling();
  await s.packets(1);
  const held = await s.hold();
  await held.response('get');
  await w.reasons();
  await s.gone();
});
script('heartbeat: a session that never polls again', { on: 'beat' }, async (w) => {
  const s = await w.joinedPolling();
  await w.reasons();
  await s.gone();
});
script('heartbeat: a ping waits for the next GET', { on: 'beat' }, async (w) => {
  const start = Date.now();
  const s = await w.joinedPolling();
  await w.wait(1250 - (Date.now() - start));
  await s.poll();
  await s.post('3');
  await s.post(ECHO);
  await s.packets(1);
});
script('heartbeat: without any CONNECT', { on: 'beat' }, async (w) => {
  const ws = await w.websocket();
  await ws.frames(1);
  ws.text('3');
  await ws.frames(2);
});
script('heartbeat: pings come on a busy connection', { on: 'beat' }, async (w) => {
  const ws = await w.joinedWebsocket();
  let seen = 0;
  for (let i = 0; i < 30 && !seen; i++) {
    w.muted(() => ws.text(ECHO));
    await w.wait(100);
    const f = await w.muted(() => ws.frames(1));
    if (f && f.payload.toString() === '2') seen++;
  }
  w.note(`pings seen: ${seen}`);
});
script('heartbeat: traffic puts off the time-out once', { on: 'beat' }, async (w) => {
  const ws = await w.joinedWebsocket();
  await ws.frames(1);                                 // the ping; without grace the end would come 800 ms later
  const start = Date.now();
  await w.wait(400);
  w.muted(() => ws.text('42["nobody-listens"]'));
  const f = await ws.frames(1);
  w.note(`closed later than without the message: ${f !== undefined && Date.now() - start > 950}`);
  ws.close();
  await w.reasons();
});
script('heartbeat: steady traffic without pongs does not keep it alive', { on: 'beat' }, async (w) => {
  const ws = await w.joinedWebsocket();
  await ws.frames(1);
  for (let i = 0; i < 40 && ws.buffer.length === 0 && !ws.end; i++) {
    w.muted(() => ws.text('42["nobody-listens"]'));
    await w.wait(100);
  }
  await ws.frames(1);
  ws.close();
  await w.reasons();
});
script('heartbeat: an unsolicited pong puts off the next ping', { on: 'beat' }, async (w) => {
  const ws = await w.joinedWebsocket();
  const start = Date.now();
  for (let i = 0; i < 14; i++) { await w.wait(100); w.muted(() => ws.text('3')); }
  w.note(`no ping so far: ${ws.buffer.length === 0}`);
  await ws.frames(1);
  w.note(`it came late: ${Date.now() - start > 2000}`);
});
script('heartbeat: a probing WebSocket gets no pings', { on: 'beat' }, async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  ws.text('2probe');
  await ws.frames(1);
  await s.packets(1);
  await s.post('3');
  await ws.quiet(300);
  ws.text('5');
  await ws.frames(1);
  ws.text('3');
  await ws.frames(1);
});
script('heartbeat: a ping outstanding at the upgrade', { on: 'beat' }, async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  ws.text('2probe');
  await ws.frames(1);
  await s.packets(1);                                 // the ping
  ws.text('5');
  await w.wait(1200);                                 // longer than the time-out
  ws.text(ECHO);
  await ws.frames(1);
  ws.text('3');
  await ws.frames(1);
});

// ---- The upgrade dance ----------------------------------------------------------------------------------------------------

script('upgrade: as the official client does it', async (w) => {
  const s = await w.polling({ query: '&greet=1' });
  await s.post('40');
  const ws = await s.upgrade();
  await s.packets(2);
  const held = await s.hold();
  ws.text('2probe');
  await ws.frames(1);
  await held.response('get');
  ws.text('5');
  await ws.quiet(150);
  ws.text(ECHO);
  await ws.frames(1);
  ws.text('420["who"]');
  await ws.frames(1);
});
script('upgrade: every GET while probing is released', async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  ws.text('2probe');
  await ws.frames(1);
  for (let i = 0; i < 3; i++) await s.poll();
  ws.text('5').text(ECHO);
  await ws.frames(1);
});
script('upgrade: a GET is not released before the probe', async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  const held = await s.hold();
  await held.quiet(400);
  ws.text('2probe');
  await ws.frames(1);
  await held.response('get');
});
script('upgrade: no open packet, nothing before the probe', async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  await ws.quiet(300);
});
script('upgrade: messages travel by polling until it is done', async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  ws.text('2probe');
  await ws.frames(1);
  await s.post(ECHO);
  await s.packets(1);
  await ws.quiet(100);
  await s.post('42["burst",10]');
  await w.settle();
  ws.text('5');
  await ws.frames(10);
});
script('upgrade: buffered binary comes out of the WebSocket in order', async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  ws.text('2probe');
  await ws.frames(1);
  await s.post('42["echo-back",1]\x1e452-["bin",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]\x1ebAQ==\x1ebAgM=\x1e42["echo-back",2]');
  await w.settle();
  ws.text('5');
  await ws.frames(5);
});
script('upgrade: without a probe', async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  ws.text('5').text(ECHO);
  await ws.frames(1);
});
script('upgrade: with a GET still held', async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  const held = await s.hold();
  ws.texts('2probe', '5');
  await ws.frames(1);
  await held.response('get');
  ws.text(ECHO);
  await ws.frames(1);
});
script('upgrade: two probes', async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  ws.text('2probe').text('2probe');
  await ws.frames(2);
  ws.text('5').text(ECHO);
  await ws.frames(1);
});
script('upgrade: the end of it and an event in one segment', async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  ws.text('2probe');
  await ws.frames(1);
  ws.texts('5', ECHO);
  await ws.frames(1);
});
script('upgrade: the probe in the segment of the request', async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade('ws', { frames: frame('2probe') });
  await ws.frames(1);
  ws.text('5').text(ECHO);
  await ws.frames(1);
});
script('upgrade: all of it in the segment of the request', async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade('ws', { frames: Buffer.concat([frame('2probe'), frame('5'), frame(ECHO)]) });
  await ws.frames(2);
});
for (const [name, send] of [
  ['2', (ws) => ws.text('2')], ['an event', (ws) => ws.text(ECHO)], ['3', (ws) => ws.text('3')], ['6', (ws) => ws.text('6')],
  ['1', (ws) => ws.text('1')], ['0', (ws) => ws.text('0')],
  ['2 and another word', (ws) => ws.text('2prob')], ['2probe and more', (ws) => ws.text('2probeX')],
  ['garbage', (ws) => ws.text('zzz')], ['an empty text', (ws) => ws.text('')], ['binary', (ws) => ws.binary([1, 2])],
  ['a probe as binary', (ws) => ws.binary(Buffer.from('2probe'))],
]) {
  script(`upgrade: ${name} on the probing socket ends only that`, async (w) => {
    const s = await w.joinedPolling();
    const ws = await s.upgrade();
    send(ws);
    await ws.frames(1);
    ws.close();
    await ws.closed();
    await s.post('420["who"]');
    await s.packets(1);
  });
}
script('upgrade: an event after the probe ends only the probing socket', async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  ws.text('2probe');
  await ws.frames(1);
  ws.text(ECHO);
  await ws.frames(1);
  ws.close();
  await s.post(ECHO);
  await s.packets(1);
});
script('upgrade: a bad frame on the probing socket ends only that', async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  ws.frame('x', { opcode: 3 });
  await ws.frames(1);
  await ws.closed();
  await s.post(ECHO);
  await s.packets(1);
});
for (const [name, end] of [['dropped', (ws) => ws.drop()], ['reset', (ws) => ws.reset()], ['closed', (ws) => ws.close(1000)]]) {
  script(`upgrade: probing socket ${name}, polling goes on, and a new attempt is allowed`, async (w) => {
    const s = await w.joinedPolling();
    const ws = await s.upgrade();
    ws.text('2probe');
    await ws.frames(1);
    end(ws);
    if (name === 'closed') { await ws.frames(1); await ws.closed(); ws.drop(); }
    await w.settle();
    await s.post(ECHO);
    await s.packets(1);
    await w.wait(150);
    const again = await s.upgrade('again');
    again.text('2probe');
    await again.frames(1);
    again.text('5').text(ECHO);
    await again.frames(1);
  });
}
script('upgrade: polling after it is an error, and harmless', async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  ws.text('2probe');
  await ws.frames(1);
  ws.text('5').text(ECHO);
  await ws.frames(1);
  await s.poll();
  await s.post(ECHO);
  ws.text(ECHO);
  await ws.frames(1);
});
script('upgrade: a POST in flight is cut', async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  ws.text('2probe');
  await ws.frames(1);
  const post = w.connect('post');
  post.send(`POST ${s.target} HTTP/1.1\r\nHost: h\r\nContent-Length: 17\r\n\r\n42["echo`);
  await w.settle();
  ws.text('5');
  await post.closed();
  ws.text(ECHO);
  await ws.frames(1);
});
script('upgrade: a second WebSocket while one is probing', async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  ws.text('2probe');
  await ws.frames(1);
  const second = await s.upgrade('second');
  await second.frames(1);
  second.close();
  await second.closed();
  ws.text('5').text(ECHO);
  await ws.frames(1);
});
script('upgrade: a second WebSocket after it', async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  ws.text('2probe');
  await ws.frames(1);
  ws.text('5').text(ECHO);
  await ws.frames(1);
  const second = await s.upgrade('second');
  await second.frames(1);
  ws.text(ECHO);
  await ws.frames(1);
});
script('upgrade: a session that began on WebSocket, taken over by another', async (w) => {
  const first = w.connect('first');
  first.upgrade(w.handshakeTarget('websocket'));
  await first.response('upgrade');
  const [, sid] = /"sid":"([^"]*)"/.exec((await first.frames(1)).payload.toString());
  first.text('40');
  await first.frames(1);
  const second = w.connect('second');
  second.upgrade(w.handshakeTarget('websocket', `&sid=${sid}`));
  await second.response('upgrade');
  second.text('2probe');
  await second.frames(1);
  second.texts('5', ECHO);
  await first.rest(400);
  await second.rest(400);
});
script('upgrade: before CONNECT', async (w) => {
  const s = await w.polling();
  const ws = await s.upgrade();
  ws.text('2probe');
  await ws.frames(1);
  ws.text('5').text('40');
  await ws.frames(1);
  ws.text(ECHO);
  await ws.frames(1);
});
script('upgrade: time-out ends only the new socket', { on: 'hurry' }, async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  ws.text('2probe');
  await ws.frames(2);
  ws.close();
  await ws.closed();
  await s.post(ECHO);
  await s.packets(1);
  const held = await s.hold();
  await held.quiet(300);                              // no noops any more
  const again = await s.upgrade('again');
  again.text('2probe');
  await again.frames(1);
  await held.response('get');
  again.text('5').text(ECHO);
  await again.frames(1);
});
script('upgrade: time-out without a probe', { on: 'hurry' }, async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  await ws.frames(1);
});
script('upgrade: done in time, no time-out later', { on: 'hurry' }, async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  ws.text('2probe');
  await ws.frames(1);
  ws.text('5').text(ECHO);
  await ws.frames(1);
  await ws.quiet(1200);
});
for (const [name, end] of [
  ['the client posts 1', async (s) => s.post('1')],
  ['a bad packet is posted', async (s) => s.post('zzz')],
  ['a bad Socket.IO packet is posted, and polled after', async (s) => { await s.post('4zzz'); await s.poll(); }],
]) {
  script(`upgrade: ${name} while probing`, async (w) => {
    const s = await w.joinedPolling();
    const ws = await s.upgrade();
    ws.text('2probe');
    await ws.frames(1);
    await end(s);
    await ws.frames(1);
    ws.close();
    await ws.closed();
  });
}
script('upgrade: the socket that was upgraded is closed by the client', async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  ws.text('2probe');
  await ws.frames(1);
  ws.text('5').text(ECHO);
  await ws.frames(1);
  ws.close(1000);
  await ws.frames(1);
  await ws.closed();
  ws.drop();
  await w.reasons();
  await s.gone();
});

// ---- Closing by the server ------------------------------------------------------------------------------------------------

for (const [event, packets] of [['close-engine', 0], ['kick', 1]]) {
  const options = event === 'kick' ? {} : { needs: 'engine close' };
  script(`closing: ${event}, GET held`, options, async (w) => {
    const s = await w.joinedPolling();
    const held = await s.hold();
    await s.post(`42["${event}"]`);
    await held.response('get');
    if (packets) await s.poll();
    await w.reasons();
    await s.gone();
  });
  script(`closing: ${event}, no GET held`, options, async (w) => {
    const s = await w.joinedPolling();
    await s.post(`42["${event}"]`);
    await w.settle();
    await w.reasons(packets);
    for (let i = 0; i < packets + 1; i++) await s.poll();
    await w.reasons();
    await s.gone();
  });
  script(`closing: ${event} over WebSocket`, options, async (w) => {
    const ws = await w.joinedWebsocket();
    ws.text(`42["${event}"]`);
    await ws.frames(packets + 1);
    await ws.quiet(300);                              // TCP stays until the client has answered
    ws.close();
    await ws.closed();
    await w.reasons();
  });
  script(`closing: ${event} over WebSocket, two namespaces`, options, async (w) => {
    const ws = await w.joinedWebsocket();
    ws.text('40/plain,');
    await ws.frames(1);
    ws.text(`42/plain,["${event}"]`);
    await ws.frames(2 * packets + 1);
    ws.close();
    await ws.closed();
    await w.reasons(2);
  });
}
script('closing: what was buffered goes out before the close', { needs: 'engine close' }, async (w) => {
  const s = await w.joinedPolling();
  await s.post('42["echo-back",1]\x1e42["echo-back",2]\x1e42["close-engine"]');
  await w.settle();
  await s.packets(3);
  await w.reasons();
});
script('closing: what was written goes out before the close frame', { needs: 'engine close' }, async (w) => {
  const ws = await w.joinedWebsocket();
  ws.texts('42["echo-back",1]', '42["echo-back",2]', '42["close-engine"]');
  await ws.frames(3);
});
script('closing: the client drops TCP instead of an answer', { needs: 'engine close' }, async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('42["close-engine"]');
  await ws.frames(1);
  ws.drop();
  await w.reasons();
});
script('closing: events are not served any more', { needs: 'engine close' }, async (w) => {
  const ws = await w.joinedWebsocket();
  ws.texts('42["close-engine"]', ECHO);
  await ws.frames(1);
  await ws.quiet(150);
});

script('closing: what was written goes out before a kick', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.texts('42["echo-back",1]', '42["echo-back",2]', '42["kick"]');
  await ws.frames(4);
});
script('closing: events behind a kick are not served', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.texts('42["kick"]', ECHO);
  await ws.frames(2);
  await ws.quiet(150);
});
script('closing: the client drops TCP after a kick', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('42["kick"]');
  await ws.frames(2);
  ws.drop();
  await w.reasons();
});
script('closing: POST after a kick', async (w) => {
  const s = await w.joinedPolling();
  await s.post('42["kick"]');
  await w.settle();
  await s.post(ECHO);
  await s.post('garbage');
  await s.poll();
  await s.poll();
  await s.gone();
});
script('closing: the server closes (websocket)', { alone: true }, async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('40/plain,');
  await ws.frames(1);
  ws.text('42["close-server"]');
  await ws.frames(1);
  ws.close();
  await ws.closed();
  await w.printed(2);
});
script('closing: the server closes (polling, GET held)', { alone: true }, async (w) => {
  const s = await w.joinedPolling();
  const held = await s.hold();
  const post = w.connect('post');
  post.post(s.target, '42["close-server"]');
  await held.response();
  await w.printed(1);
});
script('closing: the server closes while a client is probing', { alone: true }, async (w) => {
  const s = await w.joinedPolling();
  const ws = await s.upgrade();
  ws.text('2probe');
  await ws.frames(1);
  const other = await w.joinedWebsocket({ name: 'other' });
  other.text('42["close-server"]');
  await other.frames(1);
  await ws.frames(1);
});

module.exports = scripts;
