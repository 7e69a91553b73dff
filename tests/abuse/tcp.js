'use strict';
// A. TCP and connection

const { EIO, assert, delay, get, post, repeated, section, text, until, upgrade } = require('./lib.js');
const { cases, test, skip } = section('A', 'TCP and connection');
module.exports = cases;

/** Bytes that look like nothing, the same ones each time. */
function noise(size, seed) {
  const out = Buffer.alloc(size);
  for (let i = 0, x = seed; i < size; ++i) out[i] = (x = (Math.imul(x, 1103515245) + 12345) >>> 0) >>> 16;
  return out;
}

test(1, 'a connection that sends nothing is ended at the header deadline', { official: 'after 60 to 90 s' }, async (t) => {
  const conn = t.connect();
  await conn.opened;
  await t.lasts(conn, t.option('header_timeout'));
  assert.equal(conn.buffer.length, 0, 'it is told nothing');
});

test(2, 'a head that trickles in does not prolong its deadline', { official: 'after 60 to 90 s' }, async (t) => {
  const conn = t.connect();
  await conn.opened;
  const from = Date.now();
  t.count('header_timeout');
  const head = `GET /health HTTP/1.1\r\nX-Long: ${'x'.repeat(1000)}`;
  for (let i = 0; i < head.length && !conn.ended; ++i) { conn.write(head[i]); await delay(40); }
  await t.lasts(conn, t.option('header_timeout'), from);
  assert.equal(await conn.answer(), '408 C');
});

test(3, 'connections of one address beyond the cap are closed at once', {
  options: { max_connections_per_address: 64, trusted_proxies: [], http: { header_timeout: 4000 } }, needs: ['max_connections_per_address'],
    official: 'has no such limit',
}, async (t) => {
  const all = Array.from({ length: 300 }, () => t.connect({ localAddress: '127.0.0.7' }));
  t.count('too_many_connections', 236);
  await until(() => all.filter((conn) => conn.ended).length === 236,
    () => `236 of 300 to be closed: ${all.filter((conn) => conn.ended).length}`, 3000);
  assert.ok(all.every((conn) => conn.bytes === 0), 'nothing is said to them');
  const other = await t.connect({ localAddress: '127.0.0.8' }).write(get('/health')).response();
  assert.equal(other.status, 200, 'another address is served');
  for (const conn of all) conn.destroy();
  await until(async () => (await t.connect({ localAddress: '127.0.0.7' }).write(get('/health')).answer()) === '200',
    'the address to be let in again');
});

test(4, 'ten thousand addresses told by a proxy: the table is bounded, and a hot offender stays refused', {
  options: { handshake_rate: { burst: 3, per_second: 0.01 } }, needs: ['handshake_rate'], official: 'has no such limit', ms: 90_000,
}, async (t) => {
  const from = (address) => get(EIO, { headers: [`X-Forwarded-For: ${address}`] });
  for (let i = 0; i < 3; ++i) assert.equal(await t.connect().write(from('203.0.113.9')).answer(), '200');
  assert.match(await t.connect().write(from('203.0.113.9')).answer(), /^429/);
  const before = t.server.resident();
  const conns = Array.from({ length: 10 }, () => t.connect());
  let address = 0;
  await Promise.all(conns.map(async (conn) => {
    for (let i = 0; i < 100; ++i) {
      conn.write(...Array.from({ length: 10 }, () => from(`10.${address >> 16 & 255}.${address >> 8 & 255}.${address++ & 255}`)));
      for (let k = 0; k < 10; ++k) await conn.response();
    }
  }));
  assert.equal(address, 10_000);
  assert.match(await t.connect().write(from('203.0.113.9')).answer(), /^429/, 'the offender is known still');
  t.sids.clear();                                     // they end by themselves: nobody joins
  if (t.ours && !t.server.sanitized) assert.ok(t.server.resident() - before < 60, `grew by ${Math.round(t.server.resident() - before)} MB`);
});

skip(5, 'the limit of descriptors is reached', 'played as F1');

test(6, 'a reset at each byte of a handshake, an upgrade and a POST leaves nothing, and nothing in the log',
  { ours: 'its log is looked at' }, async (t) => {
  const session = await t.polling();
  const lines = t.server.lines.length;
  const whole = [get(EIO), upgrade() + text('40').toString('latin1'), upgrade(session.webSocketTarget) + text('2probe').toString('latin1'),
    post(`${EIO}&sid=none`, '42["echo"]')];
  await t.rows(whole.flatMap((bytes) => Array.from({ length: bytes.length + 1 },
    (_, at) => [`${bytes.slice(0, 4)} cut at ${at}`, bytes.slice(0, at)])), async ([, bytes]) => {
    const conn = t.connect();
    await conn.opened;
    await new Promise((resolve) => (bytes ? conn.socket.write(bytes, 'latin1', resolve) : resolve()));
    conn.reset();
  }, 16);
  t.sids.add(session.sid);
  assert.equal(await session.verdict(), 'S', 'a session whose upgrades all failed goes on');
  const loud = t.server.lines.slice(lines).filter(({ level }) => level && level !== 'debug');
  assert.deepEqual(loud, [], 'nothing above debug is logged');
});

test(7, 'a half-closed connection gets its answer; a half-closed WebSocket is over', { plain: true }, async (t) => {
  const conn = t.connect().write(get(`${EIO}&sid=none`)).finish();
  assert.equal(await conn.answer(), '400 code 1');
  assert.ok(await conn.end(), 'and then the end');
  const ws = await t.ws();
  ws.finish();
  assert.ok(await ws.end(), 'the WebSocket ends, too');
  if (t.ours) assert.equal((await t.server.left(ws.sid)).reason, 'transport close');
});

test(8, 'answers that nobody reads: the server waits no longer than the deadline, and holds little',
  { ours: 'its descriptors are counted', ms: 30_000 }, async (t) => {
  const before = t.server.resident();
  const conn = t.connect();
  await conn.opened;
  conn.socket.pause();
  const requests = repeated(get('/health'), 2000);
  for (let stuck = 0; stuck < 10 && conn.socket.writable;)      // until nothing has gone for half a second
    if (conn.socket.write(requests)) stuck = 0;
    else stuck = await Promise.race([new Promise((resolve) => conn.socket.once('drain', () => resolve(0))), delay(50).then(() => stuck + 1)]);
  if (t.ours && !t.server.sanitized) assert.ok(t.server.resident() - before < 20, `grew by ${Math.round(t.server.resident() - before)} MB`);
  assert.ok(conn.socket.writableLength > 0 || conn.ended, 'the server has stopped reading');
  await until(() => t.server.descriptors() <= t.server.baseline.descriptors, 'the connection to be given up',
    t.option('body_timeout') + 4000 * t.server.factor);
});

test(9, 'TLS, SSH, HTTP/2 and other greetings are refused at once', async (t) => {
  await t.table([
    ['TLS 1.3', Buffer.from('160301020001000001fc0303', 'hex'), '400 C'],
    ['SSL 2', Buffer.from('802b0100020012000000100100800700c0', 'hex'), '400 C'],
    ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n', '400 C'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', ['400 C', '505 C']],
    ['SMTP', 'EHLO mail.example\r\n', '400 C'],
    ['SOCKS 5', Buffer.from([5, 1, 0]), '400 C'],
    ['RDP', Buffer.from('030000130ee000000000000100080003000000', 'hex'), '400 C'],
    ['Redis', '*1\r\n$4\r\nPING\r\n', '400 C'],
    ['PROXY protocol', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n', '400 C'],
  ], { reason: 'malformed_request' });
  for (const line of t.server.lines) assert.match(JSON.stringify(line), /^[\x20-\x7e]*$/, 'nothing binary in the log');
});

test(10, 'a megabyte of noise is refused at its first illegal byte', { plain: true }, async (t) => {
  await t.table(Array.from({ length: 12 }, (_, i) => [`seed ${i}`, noise(1_000_000, 7 * i + 1), ['400 C', 'C']]),
    { reason: 'malformed_request', atOnce: 3 });
  await t.table([['WebSocket frames without a handshake', repeated(text('40'), 1000), '400 C']], { reason: 'malformed_request' });
});

test('10b', 'line ends without a request', { official: 'waits for more' }, async (t) => {
  await t.table([['a hundred', repeated('\r\n', 100), '400 C'], ['a million', repeated('\r\n', 500_000), '400 C']],
    { reason: 'malformed_request' });
});
