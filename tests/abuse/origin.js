'use strict';
// C. Origin, proxies, limits per address

const { EIO, WS, assert, delay, get, post, request, section, text, until, upgrade } = require('./lib.js');
const { cases, test, skip } = section('C', 'Origin, proxies, limits per address');
module.exports = cases;

const GOOD = 'http://good.example.test';
/** Origins that look like a listed one, and are not. */
const LOOKALIKES = ['null', 'http://evil.example.test', 'http://good.example.test.evil.test', 'http://evilgood.example.test',
  'http://good.example.test:8080', 'http://good.example.test/', 'ftp://good.example.test',
  'HTTP://good.example.test', 'http://GOOD.example.test', 'http://good.example.test@evil.test', 'http://good.example.tes',
    'http://goodXexample.test', 'good.example.test', '*', '', 'http://good.example.test, http://evil.test',
  'http://evil.test http://good.example.test', 'http://good.example.test%00', 'http://good.example.test.', 'http://xn--good.example.test',
    'file://', 'http://[::1]'];

test(36, 'a WebSocket from a foreign page is refused; a program, a listed page and our own page pass', { official: 'lets every page in' },
  async (t) => {
  const session = await t.polling();
  const from = (origin, target) => upgrade(target, { Origin: origin });
  await t.table([
    ['no Origin', from(null), '101'], ['a listed one', from(GOOD), '101'], ['its other scheme', from('https://good.example.test'), '101'],
    ['our own page', upgrade(undefined, { Host: 'app.example.test:3000', Origin: 'http://app.example.test:3000' }), '101'],
    ['a route of ours, listed', from(GOOD, '/echo'), '101'],
  ]);
  await t.table([
    ['a foreign one', from('http://evil.example.test'), '400 C'],
    ['another port of our host', upgrade(undefined, { Host: 'app.example.test:3000', Origin: 'http://app.example.test:4000' }), '400 C'],
    ['of an upgrade', from('http://evil.example.test', session.webSocketTarget), '400 C'],
    ['a route of ours', from('http://evil.example.test', '/echo'), ['403 C', '400 C']],
  ], { reason: 'forbidden' });
  assert.equal(await session.verdict(), 'S', 'the session is unharmed');
});

test(37, 'an Origin must be a listed one to the letter', { official: 'lets every page in' }, async (t) => {
  await t.table([...LOOKALIKES.map((origin) => [JSON.stringify(origin), upgrade(WS, { Origin: origin }), '400 C']),
    ['two headers', upgrade(WS, { Origin: [GOOD, 'http://evil.test'] }), '400 C'],
    ['two headers, the same', upgrade(WS, { Origin: [GOOD, GOOD] }), '400 C']], { reason: 'forbidden' });
  await t.rows(LOOKALIKES.map((origin) => [origin]), async ([origin]) => {
    const response = await t.http(get(EIO, { headers: [`Origin: ${origin}`] }));
    assert.deepEqual([response.header('access-control-allow-origin'), response.header('vary')], [undefined, 'Origin']);
  });
});

test(38, 'an origin of * together with credentials is an error at the start', { ours: 'servers are started with wrong options' },
  async (t) => {
  for (const cors of [{ origins: ['*'], credentials: true }, { origins: ['*', GOOD], credentials: false },
    { origins: [`${GOOD}\r\nX: y`], credentials: false }, { origins: [''], credentials: false }]) {
    await assert.rejects(t.server.another({ cors }), /"code":1.*\n.*origin/s);
  }
  const open = await t.server.another({ cors: { origins: ['*'], credentials: false } });
  const response = await open.fetch('/health');
  assert.equal(response.status, 200);
  assert.deepEqual(await open.stop(), { code: 0, signal: null });
});

test(39, 'a foreign origin is allowed nothing, whatever the answer; Vary says that it depends',
  { official: 'says it of its own answers, not of 404' }, async (t) => {
  const cases = [['200', get, EIO], ['400', get, `${EIO}&sid=none`], ['404', get, '/nowhere'],
    ['405', (target, options) => request('POST', target, { ...options, body: 'x' }), '/health'],
    ['the preflight', (target, options) => request('OPTIONS', target,
    { headers: [...options.headers, 'Access-Control-Request-Method: POST', 'Access-Control-Request-Headers: x-a'] }), EIO],
    ['a preflight of a session', (target, options) => request('OPTIONS', target, options), `${EIO}&sid=none`],
    ...(t.ours ? [['500', get, '/secret']] : [])];
  for (const [name, make, target] of cases) {
    const foreign = await t.http(make(target, { headers: ['Origin: http://evil.example.test'] }));
    assert.equal(foreign.header('access-control-allow-origin'), undefined, name);
    assert.match(foreign.header('vary') || '', /^Origin/, name);
    const good = await t.http(make(target, { headers: [`Origin: ${GOOD}`] }));
    assert.equal(good.header('access-control-allow-origin'), GOOD, name);
    assert.match(good.header('vary'), /^Origin/, name);
    const none = await t.http(make(target, { headers: [] }));
    assert.match(none.header('vary') || '', /^Origin/, `${name} without an Origin`);
  }
});

test(40, 'a page cannot guess a session; its POST without a preflight is served as everywhere, and it cannot read the answer',
  { plain: true }, async (t) => {
  const ids = new Set();
  for (let i = 0; i < 300; ++i) {
    const { text: body } = await t.http(get(EIO));
    ids.add(/"sid":"([^"]+)"/.exec(body)[1]);
  }
  assert.equal(ids.size, 300);
  assert.ok([...ids].every((id) => /^[\w-]{20}$/.test(id)));
  if (t.ours) {                                       // the official ones count in their last four characters
    const counts = {};
    for (const id of ids) for (const c of id) counts[c] = (counts[c] || 0) + 1;
    assert.equal(Object.keys(counts).length, 64, 'all letters are used');
    for (let at = 0; at < 20; ++at) assert.ok(new Set([...ids].map((id) => id[at])).size > 40, `position ${at} varies`);
  }
  const session = await t.polling();
  const response = await t.http(post(session.target, '42["echo"]',
    { headers: ['Origin: http://evil.example.test', 'Content-Type: text/plain'] }), { method: 'POST' });
  assert.deepEqual([response.status, response.header('access-control-allow-origin')], [200, undefined]);
  await t.table([['a guess', post(`${EIO}&sid=${'A'.repeat(20)}`, '1', { headers: ['Origin: http://evil.example.test'] }), '400 code 1']]);
});

const address = async (t,
  ...values) => (await t.http(get('/address', { headers: values.map((value) => `X-Forwarded-For: ${value}`) }))).text;

test(41, 'X-Forwarded-For of a peer that is no trusted proxy counts for nothing',
  { options: { trusted_proxies: [] }, ours: 'its routes tell addresses' }, async (t) => {
  for (const value of ['203.0.113.1', '::1', '127.0.0.1', '203.0.113.1, 127.0.0.1']) assert.equal(await address(t, value), '127.0.0.1');
  const ws = await t.ws({ headers: { 'X-Forwarded-For': '203.0.113.1', 'X-Real-IP': '203.0.113.1', Forwarded: 'for=203.0.113.1' } });
  ws.write(text('421["address"]'));
  assert.equal((await ws.texts('431'))[0], '431["127.0.0.1"]');
});

test(42, 'of a trusted proxy, the right-most hop that is none itself counts', { ours: 'its routes tell addresses' }, async (t) => {
  for (const [values, expected] of [
    [['203.0.113.1'], '203.0.113.1'], [['6.6.6.6, 203.0.113.1'], '203.0.113.1'], [['203.0.113.1, 127.0.0.5'], '203.0.113.1'],
    [['6.6.6.6, 203.0.113.1, 127.0.0.5, ::1'], '203.0.113.1'],
    [['6.6.6.6', '203.0.113.1'], '203.0.113.1'], [['203.0.113.1', '127.0.0.5'], '203.0.113.1'], [['127.0.0.9'], '127.0.0.9'],
    [[' 203.0.113.1 ,127.0.0.5 '], '203.0.113.1'],
  ]) assert.equal(await address(t, ...values), expected, JSON.stringify(values));
});

test(43, 'a hop that is no address ends the search; nothing is thrown, whatever it holds', { ours: 'its routes tell addresses' },
  async (t) => {
  const bad = ['', ' ', ',', ',,,', 'unknown', '_hidden', 'a:b', '1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4x', '1.2.3.-4', '0x7f.1',
    '2130706433', ':::', '1::2::3', '12345::', '::1.2.3', '[::1', '::1]', '[1.2.3.4]x',
    '1.2.3.4:99999', '1.2.3.4:', 'for=1.2.3.4', '"1.2.3.4"', '\xff\xfe', '%00', '1.2.3.4\t5', '-', '::%', 'x'.repeat(10_000),
      '1.2.3.4'.repeat(1000)];
  const list = await Promise.all(bad.map(async (value) => [value.slice(0, 20), await address(t, `203.0.113.9, ${value}`)]));
  for (const [value, told] of list) assert.ok(['127.0.0.1', '203.0.113.9', '::', '1.2.3.4'].includes(told),
    `${JSON.stringify(value)}: ${told}`);
  assert.ok(list.filter(([, told]) => told === '127.0.0.1').length > bad.length - 8, 'nearly all of them are no addresses');
  const hops = (await t.http(get('/address', { headers: [`X-Forwarded-For: ${'127.0.0.1, '.repeat(500)}127.0.0.1`] }))).text;
  assert.equal(hops, '127.0.0.1');
});

test(44, 'an address has one form: mapped, with zone, brackets or port', { ours: 'its routes tell addresses' }, async (t) => {
  for (const [value, expected] of [
    ['::ffff:203.0.113.7', '203.0.113.7'], ['::FFFF:cb00:7107', '203.0.113.7'], ['[::ffff:203.0.113.7]:80', '203.0.113.7'],
    ['203.0.113.7:1234', '203.0.113.7'], ['0:0:0:0:0:ffff:203.0.113.7', '203.0.113.7'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'], ['[2001:db8::1]', '2001:db8::1'], ['[2001:db8::1]:443', '2001:db8::1'],
    ['2001:0db8::0001', '2001:db8::1'], ['fe80::1%eth0', 'fe80::1'], ['[fe80::1%25eth0]:1', 'fe80::1'],
  ]) assert.equal(await address(t, value), expected, value);
});

test(45, 'addresses of one /64 are one client to the limits, and mapped ones their IPv4', {
  options: { max_sessions_per_address: 5 }, needs: ['max_sessions_per_address'], official: 'has no such limit',
}, async (t) => {
  const open = (from,
    target = EIO) => (target === EIO ? get(EIO, { headers: [`X-Forwarded-For: ${from}`] }) : upgrade(target, { 'X-Forwarded-For': from }));
  for (const [mine, others] of [
    [['2001:db8:1:2::1', '2001:db8:1:2::2', '2001:db8:1:2:ffff::', '[2001:db8:1:2::9]:80', '2001:db8:1:2:1:2:3:4', '2001:db8:1:2::77'],
    '2001:db8:1:3::1'],
    [['203.0.113.7', '::ffff:203.0.113.7', '203.0.113.7:80', '::ffff:cb00:7107', '203.0.113.7', '[::ffff:203.0.113.7]:1'], '203.0.113.8'],
  ]) {
    const held = [];
    for (const from of mine.slice(0, 5)) { held.push(t.connect().write(open(from, WS)));
      assert.equal((await held.at(-1).response()).status, 101, from); }
    t.count('too_many_sessions_from_address', 3);
    assert.match(await t.connect().write(open(mine[5])).answer(), /^429/, 'polling');
    assert.match(await t.connect().write(open(mine[5], WS)).answer(), /^429 .*C$/, 'WebSocket');
    assert.match(await t.connect().write(open(mine[0], '/echo')).answer(), /^429 .*C$/, 'a route\'s WebSocket');
    assert.equal(await t.connect().write(open(others)).answer(), '200', 'a neighbour is served');
    for (const conn of held) conn.destroy();
    await until(async () => (await t.connect().write(open(mine[0])).answer()) === '200', 'room for the address again');
  }
});

skip(46, 'a jump of the clock does not refill a limit', 'played as F6');

test(47, 'beyond the rate of handshakes: 429 with Retry-After, and the honest client gets in later', {
  options: { handshake_rate: { burst: 5, per_second: 2 }, trusted_proxies: [] }, needs: ['handshake_rate'], official: 'has no such limit',
}, async (t) => {
  const one = async (make) => (await t.connect({ localAddress: '127.0.0.30' }).write(make).response());
  const answers = [];
  for (let i = 0; i < 20; ++i) answers.push(await one(i % 2 ? upgrade(WS) : get(EIO)));
  const refused = answers.filter(({ status }) => status === 429);
  assert.ok(refused.length >= 12 && refused.length <= 15, `${refused.length} refused`);
  t.count('too_many_handshakes', refused.length);
  for (const { header } of refused) assert.ok(Number(header('retry-after')) >= 1 && Number(header('retry-after')) < 60,
    `Retry-After: ${header('retry-after')}`);
  assert.equal((await t.connect({ localAddress: '127.0.0.31' }).write(get(EIO)).response()).status, 200, 'another address is served');
  await delay(1000 * Number(refused.at(-1).header('retry-after')));
  assert.equal((await one(get(EIO))).status, 200, 'after Retry-After');
});

test(48, 'no header writes what the server knows itself', { ours: 'its routes tell addresses' }, async (t) => {
  for (const name of ['REMOTE_ADDR', 'Remote-Addr', 'address', 'X-Address', 'Client-IP', 'True-Client-IP', 'X-Real-IP', 'CF-Connecting-IP',
    'Forwarded', 'LOCAL_ADDR', 'sid', 'method', 'target'])
    assert.equal((await t.http(get('/address', { headers: [`${name}: 203.0.113.1`] }))).text, '127.0.0.1', name);
});
