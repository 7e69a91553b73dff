'use strict';
// D. Engine.IO

const { EIO, WS, assert, binary, delay, frame, get, post, request, section, text, until, upgrade } = require('./lib.js');
const { cases, test } = section('D', 'Engine.IO');
module.exports = cases;

const query = (text) => get(`/socket.io/?${text}`);
/** Deadlines so short that they can be waited for. */
const FAST = { ping_interval: 400, ping_timeout: 300, connect_timeout: 1500, upgrade_timeout: 350 };
const base64 = (bytes) => Buffer.from(bytes).toString('base64');

test(49, 'EIO missing or of another version; of two, the last counts', { plain: true }, async (t) => {
  await t.table(['', 'EIO=&', 'EIO=3&', 'EIO=5&', 'EIO=04&', 'EIO=4abc&', 'EIO=4.0&', 'EIO=+4&', 'EIO=４&', 'eio=4&', 'EIO[]=4&',
    'EIO=4&EIO=3&', '?EIO=4&'].map((eio) =>
    [eio || 'missing', Buffer.from(query(`${eio}transport=polling`)), /[^\x20-\x7e]/.test(eio) ? '400 C' : '400 code 5']));
  await t.table([['3 and 4', query('EIO=3&EIO=4&transport=polling'), '200'],
    ['an upgrade of 5', upgrade('/socket.io/?EIO=5&transport=websocket'), t.ours ? '400 C' : /.*/]]);
});

test(50, 'EIO left out or changed in a later request', { plain: true }, async (t) => {
  const session = await t.polling();
  const changed = (eio, transport = 'polling') => `/socket.io/?${eio}transport=${transport}&sid=${session.sid}`;
  await t.table([
    ['a poll without', get(changed('')), '400 code 3'], ['a poll of 3', get(changed('EIO=3&')), '400 code 3'],
    ['a POST of 3', post(changed('EIO=3&'), '42["back"]'), '400 code 3'],
    ['an upgrade without', upgrade(changed('', 'websocket')), '400 C'],
    ['an upgrade of 3', upgrade(changed('EIO=3&', 'websocket')), '400 C'],
  ]);
  assert.equal(await session.verdict(), 'S');
});

test(51, 'transports that there are not', { plain: true }, async (t) => {
  const names = ['', 'x', 'POLLING', 'Polling', 'polling ', 'constructor', '__proto__', 'toString', 'hasOwnProperty', 'webtransport',
    'flashsocket', 'polling,websocket', '0', 'null'];
  await t.table([...names.map((name) => [name || 'empty', query(`EIO=4&transport=${encodeURIComponent(name)}`), '400 code 0']),
    ['missing', query('EIO=4'), '400 code 0'],
    ['two, the last one unknown', query('EIO=4&transport=polling&transport=x'), '400 code 0'],
    ['as a list', query('EIO=4&transport[]=polling'), '400 code 0']], { reason: t.ours ? 'transport_unknown' : undefined });
  await t.table([['two, the last one known', query('EIO=4&transport=x&transport=polling'), '200']]);
});

test(52, 'sessions that there are not: one answer, at one price', { plain: true }, async (t) => {
  const sids = ['x', 'A'.repeat(20), 'A'.repeat(7000), '../../etc/passwd', '%00', '%ff%fe', '__proto__', 'constructor', '0', 'null',
    'undefined', "'%20or%201=1--", '%3Cscript%3E', '*', '[object Object]', 'AAAAAAAAAAAAAAAAAAA%41'];
  await t.table(sids.map((sid) => [sid.slice(0, 20), get(`${EIO}&sid=${sid.replaceAll(' ', '%20')}`), '400 code 1']),
    { reason: 'session_unknown' });
  const ended = await t.polling();
  await ended.post('1');
  await t.table([['ended', get(ended.target), '400 code 1'], ['a POST', post(ended.target, '42["echo"]'), '400 code 1'],
    ['an upgrade', upgrade(ended.webSocketTarget), '400 C']], { reason: 'session_unknown' });
});

test(53, 'the session of another transport', { plain: true }, async (t) => {
  const ws = await t.ws();
  const sid = JSON.parse(ws.open.slice(1)).sid;
  await t.table([['a poll of a WebSocket', get(`${EIO}&sid=${sid}`), '400 code 3'],
    ['a POST to a WebSocket', post(`${EIO}&sid=${sid}`, '41'), '400 code 3'],
    ['an upgrade without headers', get(`${WS}&sid=${(await t.polling()).sid}`), '400 code 3']]);
  assert.equal(await ws.verdict(), 'S');
});

test(54, 'a POST without a session', { plain: true }, async (t) => {
  await t.table([['empty', post(EIO, ''), '400 code 2'], ['with packets', post(EIO, '40\x1e42["echo"]'), '400 code 2'],
    ['an empty sid', post(`${EIO}&sid=`, '40'), '400 code 2']], { method: 'POST', reason: 'bad_handshake_method' });
});

test(55, 'other methods as the first request', { plain: true }, async (t) => {
  for (const method of ['PUT', 'DELETE', 'PATCH']) await t.table([[method, request(method, EIO), '400 code 2'],
    [`${method} with a body`, request(method, EIO, { body: 'x' }), '400 code 2']], { reason: 'bad_handshake_method' });
  await t.table([['an upgrade by POST', upgrade(WS, {}, 'POST'), '400 C']], { reason: 'bad_handshake_method' });
});

test(56, 'a body of application/octet-stream ends its session', async (t) => {
  const session = await t.polling();
  assert.equal((await t.http(post(session.target, '42["echo"]', { headers: ['Content-Type: application/octet-stream'] }),
    { method: 'POST' })).status, 400);
  await session.gone();
  assert.equal((await t.server.left(session.socket)).reason, 'transport error');
});

test(57, 'a body beyond the limit: refused from its header, or when a chunked one crosses it; the session lives',
  { official: 'reads what a header announces' }, async (t) => {
  const limit = JSON.parse((await t.http(get(EIO))).text.slice(1)).maxPayload;
  const session = await t.polling();
  t.count('body_too_large', 4);
  for (const length of [limit + 1, 2 ** 31, 2 ** 53]) {
    const conn = t.connect().write(request('POST', session.target, { headers: [`Content-Length: ${length}`], length: false }));
    assert.equal((await conn.response({ method: 'POST' })).status, 413, `${length} announced`);
    conn.destroy();
  }
  const chunk = `10000\r\n${'x'.repeat(65536)}\r\n`;
  const conn = t.connect().write(request('POST', session.target, { headers: ['Transfer-Encoding: chunked'], length: false }));
  let sent = 0;
  while (!conn.buffer.length && !conn.ended && sent < 64) { conn.write(chunk); ++sent; await delay(2); }
  assert.equal((await conn.response({ method: 'POST' })).status, 413);
  assert.ok(sent <= 32, `told after ${sent} chunks of 64 KB`);
  assert.equal(await session.verdict(), 'S');
  assert.equal((await session.post(`42["echo","${'x'.repeat(limit - 13)}"]`)).status, 200, 'exactly the limit is served');
  assert.equal(await session.verdict(), 'S');
});

test(58, 'a body for a session that there is not is refused before it is read', async (t) => {
  const conn = t.connect().write(request('POST', `${EIO}&sid=none`, { headers: ['Content-Length: 1000000'], length: false }));
  assert.equal((await conn.response({ method: 'POST' })).status, 400);
  const before = t.server.resident();
  await t.rows(Array.from({ length: 50 }, (_, i) => [`body ${i}`]), async () => {
    const body = { headers: ['Content-Length: 1000000'], length: false };
    const one = t.connect().write(request('POST', `${EIO}&sid=none`, body), Buffer.alloc(900_000, 120));
    assert.equal((await one.response({ method: 'POST' })).status, 400);
  }, 50);
  await t.ws().then((conn) => conn.verdict());        // all of that has been read
  if (t.ours && !t.server.sanitized) assert.ok(t.server.resident() - before < 10, `grew by ${Math.round(t.server.resident() - before)} MB`);
});

test(59, 'empty packets in a body', { plain: true }, async (t) => {
  await t.bodies([
    ['an empty body', '', 'C'], ['one separator', '\x1e', 'C'], ['only separators', '\x1e'.repeat(1000), 'C'],
    ['two in the middle', '42["echo"]\x1e\x1e42["echo"]', 'C'], ['one at the end', '42["echo"]\x1e', 'C'],
    ['one at the beginning', '\x1e42["echo"]', 'C'], ['a byte-order mark', '\ufeff42["echo"]', 'C'],
  ], { reason: t.ours ? 'parse_error' : undefined });
});

test(60, 'a body of very many packets: linear time, and a cap', { official: 'has no such cap' }, async (t) => {
  const many = await t.polling(), rest = await t.polling();
  const from = Date.now();
  await many.post(Array(9999).fill('6').join('\x1e'));
  assert.equal(await many.verdict(), 'S', 'ten thousand noops');
  await rest.post(Array(9999).fill('42["nobody"]').join('\x1e').slice(0, 120_000));
  t.count('parse_error', 2);
  await t.bodies([['half a million noops', Array(499_000).fill('6').join('\x1e'), 'C'],
    ['ten thousand and one', Array(10_001).fill('6').join('\x1e'), 'C']]);
  assert.ok(Date.now() - from < 3000 * t.server.factor, `${Date.now() - from} ms`);
});

test(61, 'two polls at once end the session', { plain: true }, async (t) => {
  const session = await t.polling();
  const first = session.hold();
  await first.quiet(50);
  assert.equal((await session.poll()).status, 400);
  assert.equal((await first.response()).text, '1');
  await session.gone();
  if (t.ours) assert.equal((await t.server.left(session.socket)).reason, 'transport error');
});

test(62, 'two POSTs at once end the session', { plain: true }, async (t) => {
  const session = await t.polling();
  const first = t.connect().write(request('POST', session.target, { headers: ['Content-Length: 10'], length: false }), '42["');
  await first.quiet(50);
  assert.equal((await session.post('42["echo"]')).status, 400);
  assert.equal(await first.answer(), 'C', 'the first one is cut');
  await session.gone();
});

test(63, 'a held poll whose connection is dropped ends the session, and nothing is written to the dead', { plain: 'echo' }, async (t) => {
  for (const leave of [(conn) => conn.destroy(), (conn) => conn.reset(), (conn) => conn.finish()]) {
    const session = await t.polling();
    const held = session.hold();
    await held.quiet(50);
    leave(held);
    await session.gone();
    assert.equal((await session.post('42["back","late"]')).status, 400);
  }
  const session = await t.polling();                  // between two polls nothing is lost, nothing comes twice
  for (let i = 0; i < 20; ++i) await session.post(`42["back",${i}]`);
  const got = (await session.poll()).text.split('\x1e');
  assert.deepEqual(got, Array.from({ length: 20 }, (_, i) => `42["back",${i}]`));
});

test('63b', 'an upgrade behind a held poll leaves no dead connection to its session', { ours: 'the official server answers the poll first' }, async (t) => {
  const other = await t.ws();
  for (const target of ['/elsewhere', WS]) {
    const session = await t.polling();
    const conn = t.connect().write(get(session.target) + upgrade(target));
    assert.equal(await conn.answer(), '400 C');
    for (let i = 0; i < 5; ++i) {                     // the session is among those that each of these is for
      other.write(text('421["blast",1,10]'));
      assert.equal(await other.verdict(), 'S');
    }
  }
});

test(64, 'polling sessions that nobody touches again are reaped at the ping time-out', { options: FAST, ms: 60_000 }, async (t) => {
  const session = await t.polling();
  const from = Date.now();
  await session.gone();                               // looking at it is no traffic of its own
  const ms = Date.now() - from, due = t.option('ping_interval') + t.option('ping_timeout');
  assert.ok(ms > 0.8 * due && ms < 1.2 * due + 300 * t.server.factor, `reaped after ${ms} ms, due after ${due}`);
  assert.equal((await t.server.left(session.socket)).reason, 'ping timeout');
  t.sids.clear();
  await t.rows(Array.from({ length: 2000 }, (_, i) => [`session ${i}`]),
    async () => { assert.equal((await t.http(get(EIO))).status, 200); }, 32);
  t.sids.clear();                                     // no goodbye: the runner sees whether they go
});

test('64b', 'a hundred thousand of them are bounded by the cap on sessions',
  { options: { ...FAST, max_sessions: 20_000, connect_timeout: 60_000, ping_interval: 60_000 }, full: true, ours: 'has a cap', ms: 300_000,
  settle: 90_000 }, async (t) => {
  let refused = 0;
  await t.rows(Array.from({ length: 1000 }, (_, i) => [`hundred ${i}`]), async () => {
    const conn = t.connect();
    for (let i = 0; i < 100; ++i) {
      const { status } = await conn.write(get(EIO)).response();
      refused += status === 503;
    }
    conn.destroy();
  }, 32);
  t.count('too_many_sessions', refused);
  assert.ok(refused >= 80_000, `${refused} refused`);
});

test(65, 'an upgrade that is silent, or stops behind its probe, is given up; polling goes on', { options: FAST }, async (t) => {
  for (const said of [[], ['2probe']]) {
    const session = await t.polling();
    const beat = setInterval(() => session.post('3').catch(() => {}), 200);
    try {
      const conn = await t.candidate(session), from = Date.now();
      for (const packet of said) conn.write(text(packet));
      if (said.length) assert.equal((await conn.frame()).text, '3probe');
      assert.equal((await conn.frame()).name, 'close');
      const ms = Date.now() - from, due = t.option('upgrade_timeout');
      assert.ok(ms > 0.85 * due && ms < due + 400 * t.server.factor, `${ms} ms`);
      assert.equal(await session.verdict(), 'S');
      const again = await t.candidate(session);
      again.write(text('2probe'), text('5'));
      assert.equal((await again.frame()).text, '3probe');
      assert.equal(await again.verdict(), 'S', 'a second attempt succeeds');
    } finally {
      clearInterval(beat);
    }
  }
});

test(66, 'an upgrade that says something else is given up; the session survives', { plain: true }, async (t) => {
  await t.rows([
    ['a wrong text', text('2PROBE')], ['a longer one', text('2probes')], ['a ping without text', text('2')],
    ['a message', text('42["back"]')], ['binary', binary('2probe')], ['a pong', text('3probe')], ['an empty one', text('')],
    ['a close packet', text('1')], ['noise', text('\x00')],
  ], async ([, bytes]) => {
    const session = await t.polling();
    const conn = await t.candidate(session);
    assert.match(await (conn.write(bytes), conn.verdict({ ask: false })), /^C/);
    assert.equal(await session.verdict(), 'S');
  });
  const session = await t.polling();                  // 5 without a probe is accepted, as by the official server
  const conn = await t.candidate(session);
  assert.equal(await (conn.write(text('5')), conn.verdict()), 'S');
});

test('66b', 'an upgrade whose frames are broken is given up; the session survives', async (t) => {
  await t.rows([['unmasked', frame('2probe', { mask: false }), 'C 1002'],
    ['too big', frame('', { declared: 2_000_000, lengthBytes: 8 }), 'C 1009'], ['not UTF-8', frame(Buffer.from([0xff])), 'C 1007'],
    ['a close frame', frame(Buffer.from([3, 232]), { opcode: 8 }), 'C 1000']], async ([, bytes, expected]) => {
    const session = await t.polling();
    const conn = await t.candidate(session);
    assert.equal(await (conn.write(bytes), conn.verdict({ ask: false })), expected);
    assert.equal(await session.verdict(), 'S');
  });
});

test(67, 'a second WebSocket for a session is closed; the first one is unharmed', { plain: true }, async (t) => {
  const session = await t.polling();
  const first = await t.candidate(session);
  first.write(text('2probe'));
  assert.equal((await first.frame()).text, '3probe');
  const during = await t.candidate(session);
  assert.equal(await during.verdict({ ask: false }), 'C');
  first.write(text('5'));
  assert.equal(await first.verdict(), 'S');
  const afterwards = await t.candidate(session);
  afterwards.write(text('2probe'), text('5'));
  assert.equal(await afterwards.verdict({ ask: false }), 'C');
  assert.equal(await first.verdict(), 'S');
});

test(68, 'polls and POSTs behind an upgrade are refused; the session is unharmed', { plain: true }, async (t) => {
  const session = await t.polling();
  const ws = await t.candidate(session);
  ws.write(text('2probe'), text('5'));
  await ws.texts('3probe');
  assert.equal(await ws.verdict(), 'S');
  await t.table([['a poll', get(session.target), '400 code 3'], ['a POST', post(session.target, '41'), '400 code 3'],
    ['a close packet', post(session.target, '1'), '400 code 3']]);
  assert.equal(await ws.verdict(), 'S');
});

test(69, 'polls during a probe are released, but not in a busy loop', async (t) => {
  const session = await t.polling();
  const ws = await t.candidate(session);
  ws.write(text('2probe'));
  await ws.texts('3probe');
  const from = Date.now();
  let polls = 0;
  while (Date.now() - from < 500) { assert.equal((await session.poll()).text, '6'); ++polls; }
  assert.ok(polls >= 2 && polls <= 60, `${polls} polls in half a second`);
  ws.write(text('5'));
  assert.equal(await ws.verdict(), 'S');
});

test(70, 'a ping from the client is the wrong direction', { plain: true }, async (t) => {
  await t.packets([['over WebSocket', '2', /^C/], ['with a text', '2probe', /^C/]]);
  await t.bodies([['over polling', '2', 'C'], ['among others', '42["back"]\x1e2\x1e42["back"]', 'C']]);
});

test(71, 'a hundred thousand pongs that nobody asked for move nothing', { ours: 'its memory is looked at' }, async (t) => {
  const ws = await t.ws();
  const before = t.server.resident(), figures = await t.server.figures();
  const flood = Buffer.concat(Array(10_000).fill(text('3')));
  for (let i = 0; i < 10; ++i) { ws.write(flood); assert.equal(await ws.verdict(), 'S'); }
  if (t.ours && !t.server.sanitized) assert.ok(t.server.resident() - before < 5, `grew by ${Math.round(t.server.resident() - before)} MB`);
  assert.ok(!(((await t.server.figures()).deadlines) > figures.deadlines + 3), 'no deadlines are left behind');
});

test('71b', 'with a limit on packets, a flood of pongs ends its session',
  { options: { packet_rate: { burst: 100, per_second: 100 } }, needs: ['packet_rate'], official: 'has no such limit' }, async (t) => {
  t.count('too_many_packets', 3);
  const honest = await t.ws();
  for (const flood of [text('3'), text('42["nobody"]'), frame('', { opcode: 10 })]) {
    const ws = await t.ws();
    ws.write(Buffer.concat(Array(1000).fill(flood)));
    assert.equal(await ws.verdict(), 'C 1008');
  }
  for (let i = 0; i < 50; ++i) { assert.equal(await honest.verdict(), 'S', 'who keeps the rate is served'); await delay(5); }
});

test(72, 'no pong: the end at interval and time-out, ten per cent more or less', { options: FAST }, async (t) => {
  const ws = await t.ws(), from = Date.now();
  ws.pongs = false;
  assert.equal((await ws.frame()).text, '2');
  assert.equal((await ws.frame()).name, 'close');
  const ms = Date.now() - from, due = t.option('ping_interval') + t.option('ping_timeout');
  assert.ok(ms > 0.9 * due && ms < 1.1 * due + 150 * t.server.factor, `${ms} ms, due after ${due}`);
  assert.equal((await t.server.left(ws.sid)).reason, 'ping timeout');
  const busy = await t.ws();                          // other traffic is no pong
  busy.pongs = false;
  const since = Date.now();
  for (let last; !last || last.name !== 'close';) { busy.write(text('42["echo"]')); last = await busy.frame(60) || last;
    if (busy.ended) break; }
  assert.ok(Date.now() - since < 2.2 * due + 300 * t.server.factor, `${Date.now() - since} ms`);
});

test(73, 'broken base64 is taken as far as it goes, as the official server takes it', { plain: 'echo' }, async (t) => {
  const announced = '451-999["echo",{"_placeholder":true,"num":0}]';
  await t.rows(['', '=', 'A', 'AQ', 'AQI', 'AQID', 'AQ==', 'A===', 'AQ=ID', 'AQ ID', 'AQ\nID', '****', 'AQ*ID', '\u00e9\u00e9',
    'AQID'.repeat(1000), '-_-_', '%41'].map((text) => [JSON.stringify(text.slice(0, 12)), text]), async ([, encoded]) => {
    const session = await t.polling();
    assert.equal((await session.post(`${announced}\x1eb${encoded}`)).status, 200);
    const [head, body] = (await session.poll()).text.split('\x1e');
    assert.equal(head, '461-999[{"_placeholder":true,"num":0}]');
    assert.equal(body, `b${base64(Buffer.from(encoded, 'base64'))}`);
  });
});

test(74, 'packet types that there are not end the session; open and noop from a client are ignored', { plain: true }, async (t) => {
  const bad = ['7', '8', '9', 'a', 'B', '\x00', '\x7f', '\u00e9', ' ', '-', '{', '"', '\ufeff4'];
  await t.bodies([...bad.map((type) => [JSON.stringify(type), `${type}x`, 'C']),
    ...['0', '0{"sid":"x"}', '6', '5', '5x', '3', '3x'].map((type) => [type, type, 'S'])]);
  await t.packets([...bad.map((type) => [JSON.stringify(type), `${type}x`, /^C/]), ['nothing', '', /^C/],
    ...['0', '6', '5', '1', '3'].map((type) => [type, type, 'S'])]);
});

test(75, 'a client that joins nothing is closed', { options: FAST }, async (t) => {
  const due = t.option('connect_timeout');
  const ws = await t.ws({ join: null }), from = Date.now();
  const refused = await t.ws({ join: null });
  refused.write(text('40/nowhere,'));
  await refused.texts('44/nowhere,');
  const polling = await t.polling({ join: null });
  const beat = setInterval(() => polling.post('3').catch(() => {}), 200);
  try {
    const verdict = await Promise.all([ws.verdict({ ask: false }), refused.verdict({ ask: false })]);
    assert.deepEqual(verdict, ['C', 'C']);
    const ms = Date.now() - from;
    assert.ok(ms > 0.9 * due && ms < 1.1 * due + 300 * t.server.factor, `${ms} ms, due after ${due}`);
    await until(async () => /1$/.test((await polling.poll()).text), 'the end of the polling one');
  } finally {
    clearInterval(beat);
  }
});

test(76, 'a close packet while a poll is held, or from both sides at once: one end, told once',
  { official: 'handles an event behind the close packet that follows it' }, async (t) => {
  const session = await t.polling();
  const held = session.hold();
  await held.quiet(50);
  assert.equal((await session.post('1')).status, 200);
  assert.equal((await held.response()).text, '6');
  await session.gone();
  const both = await t.polling();
  assert.equal((await both.post('42["go",1]\x1e1')).status, 200);
  assert.match((await both.poll()).text, /^41/);
  assert.equal((await both.poll()).text, '6\x1e1');
  await both.gone();
  const ws = await t.ws();
  ws.write(text('42["go",1]'), text('41'), frame(Buffer.from([3, 232]), { opcode: 8 }));
  await ws.verdict({ ask: false });
  for (const id of [session.socket, both.socket, ws.sid]) {
    await t.server.left(id);
    assert.equal(t.server.lines.filter((line) => line.event === 'left' && line.id === id).length, 1);
  }
});
