'use strict';
// B. HTTP/1.1

const { EIO, assert, delay, get, post, request, section, until } = require('./lib.js');
const { cases, test } = section('B', 'HTTP/1.1');
module.exports = cases;

const filler = (size, letter = 'x') => letter.repeat(size);
const lines = (count, line = (i) => `X-${i}: y`) => Array.from({ length: count }, (_, i) => line(i));
/** A POST whose framing is the headers' business. */
const framed = (headers, body = 'abcde', target = '/size') => request('POST', target,
  { headers: [].concat(headers), length: false }) + body;
/** A POST with this chunked body. */
const chunked = (body, target = '/size') => framed('Transfer-Encoding: chunked', body, target);
const ends = '0\r\n\r\n';

test(11, 'a request line beyond 8 KiB', { official: 'no limit of its own: 431 beyond 16 KiB' }, async (t) => {
  const line = (size) => get(`/health?${filler(size - 'GET /health? HTTP/1.1'.length)}`);      // without its end
  await t.table([['just below', line(8191), '200']]);
  await t.table([['just beyond', line(8193), '414 C'], ['100 KB', line(100_000), '414 C'],
    ['1 MB without an end', `GET /${filler(1_000_000)}`, '414 C']], { reason: 'request_line_too_long' });
});

test(12, 'a head beyond 16 KiB; a single header has no limit of its own, as in Node', async (t) => {
  await t.table([['one header of 9 KB', get('/health', { headers: [`X: ${filler(9000)}`] }), '200']]);
  await t.table([
    ['one header of 17 KB', get('/health', { headers: [`X: ${filler(17_000)}`] }), '431 C'],
    ['a name of 17 KB', get('/health', { headers: [`${filler(17_000)}: x`] }), '431 C'],
    ['many of 1 KB', get('/health', { headers: lines(20, (i) => `X-${i}: ${filler(1000)}`) }), '431 C'],
    ['1 MB without an end', `GET /health HTTP/1.1\r\nX: ${filler(1_000_000)}`, '431 C'],
  ], { reason: 'headers_too_large' });
});

test(13, 'more than a hundred headers, empty ones included', { official: 'takes 2,000, and ignores what is beyond' }, async (t) => {
  await t.table([['a hundred', get('/health', { headers: lines(99) }), '200']]);
  await t.table([
    ['a hundred and one', get('/health', { headers: lines(100) }), '431 C'],
    ['empty values', get('/health', { headers: lines(100, (i) => `X-${i}:`) }), '431 C'],
    ['one name again and again', get('/health', { headers: lines(100, () => 'X: 1') }), '431 C'],
    ['a thousand', get('/health', { headers: lines(1000, () => 'X:') }), '431 C'],
  ], { reason: 'headers_too_large' });
});

test(14, 'a Content-Length that is not one number', { official: 'takes one of the spaced ones' }, async (t) => {
  const values = ['+5', '-1', '-0', '5,5', '5, 5', '5;', '5 5', '0x5', ' 0x5', '', ' ', '5.0', '1e1', 'five', '٥', '99999999999999999999',
    '18446744073709551615',
    '9223372036854775808', `${filler(300, '0')}x`, '5\t5', '"5"'];
  await t.table([
    ['two that agree', framed(['Content-Length: 5', 'Content-Length: 5']), '400 C'],
    ['two that do not', framed(['Content-Length: 5', 'Content-Length: 6']), '400 C'],
    ['two in different case', framed(['content-length: 5', 'CONTENT-LENGTH: 5']), '400 C'],
    ['a second one in the body\'s place', framed(['Content-Length: 5', 'X: y', 'Content-Length: 0']), '400 C'],
    ...values.map((value) => [JSON.stringify(value), framed(`Content-Length: ${value}`), '400 C']),
    ...values.slice(0, 5).map((value) =>
      [`${JSON.stringify(value)} to a session`, framed(`Content-Length: ${value}`, 'abcde', `${EIO}&sid=none`), '400 C']),
    ['of a GET', request('GET', '/health', { headers: ['Content-Length: 5, 5'] }), '400 C'],
  ], { reason: 'malformed_request' });
});

test(15, 'Content-Length together with Transfer-Encoding', async (t) => {
  await t.table([
    ['length first', framed(['Content-Length: 5', 'Transfer-Encoding: chunked'], ends), '400 C'],
    ['length last', framed(['Transfer-Encoding: chunked', 'Content-Length: 5'], ends), '400 C'],
    ['a length of nothing', framed(['Transfer-Encoding: chunked', 'Content-Length: 0'], ends), '400 C'],
    ['with a request behind', framed(['Transfer-Encoding: chunked', 'Content-Length: 5'], `${ends}${get('/health')}`), '400 C'],
    ['of a GET', request('GET', '/health', { headers: ['Transfer-Encoding: chunked', 'Content-Length: 5'] }) + ends, '400 C'],
    ['to a session', framed(['Transfer-Encoding: chunked', 'Content-Length: 5'], ends, `${EIO}&sid=none`), '400 C'],
  ], { reason: 'malformed_request' });
});

test(16, 'transfer codings other than chunked', { official: 'takes unknown ones as if there was no body' }, async (t) => {
  const values = ['xchunked', 'chunkedx', 'chunked, chunked', 'identity, chunked', 'chunked, identity', 'gzip, chunked', 'gzip', 'identity',
    '', ',', 'chunked,', ', chunked', 'chunked;q=1',
    '"chunked"', 'chun ked', 'chunked\tx', "'chunked'", 'c', 'chunked\x0b'];
  await t.table([['in capitals', framed('Transfer-Encoding: CHUNKED', `2\r\nab\r\n${ends}`), '200'],
    ['with spaces around', framed('Transfer-Encoding: \t chunked \t', `2\r\nab\r\n${ends}`), '200']]);
  await t.table([
    ...values.map((value) => [JSON.stringify(value), framed(`Transfer-Encoding: ${value}`, ends), '400 C']),
    ['on two lines', framed(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], ends), '400 C'],
    ['on two lines, one unknown', framed(['Transfer-Encoding: x', 'Transfer-Encoding: chunked'], ends), '400 C'],
    ['HTTP/1.0', request('POST', '/size', { headers: ['Transfer-Encoding: chunked'], length: false, version: '1.0' }) + ends, '400 C'],
    ['space before the colon', framed('Transfer-Encoding : chunked', ends), '400 C'],
    ['of a GET', request('GET', '/health', { headers: ['Transfer-Encoding: xchunked'] }), '400 C'],
  ], { reason: 'malformed_request' });
});

test(17, 'chunk sizes that are none', { official: 'takes a space behind the size, and waits 300 s for what does not come' }, async (t) => {
  const sizes = ['-1', '-0', '+5', '0x5', '5 5', ' 5', '5 ', '', 'g', '5g', '5\t', '5,', '5\r5', 'fffffffffffffffff', 'ffffffffffffffff',
    '10000000000000000', '00000000000000000', '"5"', '５', '\x00', '5\n'];
  await t.table([
    ...sizes.map((size) => [JSON.stringify(size), chunked(`${size}\r\nabcde\r\n${ends}`), '400 C']),
    ...sizes.slice(0, 4).map((size) => [`second chunk ${JSON.stringify(size)}`, chunked(`1\r\na\r\n${size}\r\nabcde\r\n${ends}`), '400 C']),
    ['too much data', chunked(`2\r\nabc\r\n${ends}`), '400 C'],
    ['too little data', chunked(`4\r\nabc\r\n${ends}`), '400 C'],
    ['LF alone behind the data', chunked(`3\r\nabc\n${ends}`), '400 C'],
    ['LF alone behind the size', chunked('3\nabc\r\n0\r\n\r\n'), '400 C'],
    ['no size at all', chunked(get('/health')), '400 C'],
  ], { reason: 'malformed_request' });
  await t.table([['a size of 2^56, of which little comes', chunked('ffffffffffffff\r\nabc'), '413'],
    ['upper and lower case, zeros in front', chunked(`00A\r\n0123456789\r\n00b\r\n01234567890\r\n${ends}`), '200']]);
});

test(18, 'chunk extensions: 16 KiB of framing in a body, whatever it is spent on', { official: 'the same limit, with 413' }, async (t) => {
  const chunk = (size) => `1;${filler(size)}\r\na\r\n`;
  await t.table([['300 bytes', chunked(`${chunk(300)}${ends}`), '200'], ['a few', chunked(`1;a=b;c="d"\r\na\r\n0;last\r\n\r\n`), '200'],
    ['together below', chunked(`${chunk(1000).repeat(15)}${ends}`), '200']]);
  await t.table([
    ['17 KB', chunked(`${chunk(17_000)}${ends}`), '400 C'],
    ['together 17 KB', chunked(`${chunk(1000).repeat(17)}${ends}`), '400 C'],
    ['1 MB without an end', chunked(`1;${filler(1_000_000)}`), '400 C'],
    ['with a bare LF', chunked(`1;a\n\r\na\r\n${ends}`), '400 C'],
  ], { reason: 'malformed_request' });
});

test(19, 'a body of one-byte chunks is served, and its framing bounded', { official: 'does not bound it' }, async (t) => {
  const bytes = (count) => '1\r\nx\r\n'.repeat(count) + ends;
  const response = await t.http(chunked(bytes(3000)), { method: 'POST' });
  assert.equal(response.text, '3000');
  await t.table([['four thousand', chunked(bytes(4000)), '400 C'], ['a million', chunked('1\r\nx\r\n'.repeat(160_000)), '400 C']],
    { reason: 'malformed_request' });
});

test(20, 'trailers are read and dropped, never headers; too many are refused', { official: 'obeys a Connection: close among them' },
  async (t) => {
  const trailers = ['Content-Length: 999', 'Transfer-Encoding: chunked', 'Host: evil.example.test', 'Connection: close',
    'X-Forwarded-For: 203.0.113.1', 'Set-Cookie: a=b', 'Upgrade: websocket'];
  const conn = t.connect().write(chunked(`3\r\nabc\r\n0\r\n${trailers.join('\r\n')}\r\n\r\n`) + get('/health'));
  const first = await conn.response({ method: 'POST' }), second = await conn.response();
  assert.deepEqual([first.status, first.text, first.header('connection'), second.status], [200, '3', 'keep-alive', 200]);
  await t.table([['17 KB', chunked(`0\r\n${'X: y\r\n'.repeat(3000)}\r\n`), ['400 C', '431 C', '413 C']],
    ['without an end', chunked(`0\r\nX: ${filler(100_000)}`), ['400 C', '431 C', '413 C']],
    ['LF alone', chunked('0\r\nX: y\n\r\n'), '400 C']], { reason: 'malformed_request' });
});

test(21, 'line ends, spaces and bytes where none may be', { official: 'takes a few of them' }, async (t) => {
  const raw = (head) => `GET /health HTTP/1.1\r\n${head}\r\n\r\n`;
  await t.table([
    ['LF alone everywhere', 'GET /health HTTP/1.1\nHost: h\n\n', '400 C'],
    ['LF alone behind a header', raw('Host: h\nX: y'), '400 C'],
    ['LF alone behind the request line', 'GET /health HTTP/1.1\nHost: h\r\n\r\n', '400 C'],
    ['LF CR', 'GET /health HTTP/1.1\n\rHost: h\n\r\n\r', '400 C'],
    ['CR alone in a value', raw('Host: h\r\nX: a\rY: b'), '400 C'],
    ['CR CR LF', raw('Host: h\r\r\nX: y'), '400 C'],
    ['space before the colon', raw('Host: h\r\nX : y'), '400 C'],
    ['tab before the colon', raw('Host: h\r\nX\t: y'), '400 C'],
    ['a continuation line', raw('Host: h\r\nX: y\r\n z'), '400 C'],
    ['a continuation line with a tab', raw('Host: h\r\nX: y\r\n\tz'), '400 C'],
    ['a space before the first header', raw(' Host: h'), '400 C'],
    ['no name', raw('Host: h\r\n: y'), '400 C'],
    ['no colon', raw('Host: h\r\nX'), '400 C'],
    ...[0, 1, 8, 0x0b, 0x0c, 0x1b, 0x1e, 0x7f].flatMap((byte) => {
      const c = String.fromCharCode(byte);
      return [[`${byte} in a name`, raw(`Host: h\r\nX${c}Y: z`), '400 C'], [`${byte} in a value`, raw(`Host: h\r\nX: y${c}z`), '400 C'],
        [`${byte} in the target`, get(`/health${c}`), '400 C']];
    }),
    ...['(', ')', '<', '>', '@', ',', ';', '\\', '"', '/', '[', ']', '?', '=', '{', '}', '\x80', '\xe9',
      '\xff'].map((c) => [`${JSON.stringify(c)} in a name`, raw(`Host: h\r\nX${c}Y: z`), '400 C']),
    ['8-bit in the target', get('/health\xe9'), '400 C'],
    ['a tab in the request line', 'GET\t/health\tHTTP/1.1\r\nHost: h\r\n\r\n', '400 C'],
    ['two spaces in the request line', 'GET  /health HTTP/1.1\r\nHost: h\r\n\r\n', '400 C'],
    ['a space at the end of the request line', 'GET /health HTTP/1.1 \r\nHost: h\r\n\r\n', '400 C'],
    ['a space before the method', ' GET /health HTTP/1.1\r\nHost: h\r\n\r\n', '400 C'],
    ['a space in the target', get('/health x'), '400 C'],
    ['a hundred blank lines before it', '\r\n'.repeat(100) + get('/health'), '400 C'],
  ], { reason: 'malformed_request' });
  await t.table([['a few blank lines before it', `\r\n\r\n${get('/health')}`, '200'],
    ['8-bit in a value', get('/health', { headers: ['X: \xe9\xff'] }), '200']]);
});

test(22, 'Host missing, empty, twice, with a path or a user', { official: 'looks only whether there is one' }, async (t) => {
  const host = (...values) => get('/health', { host: null, headers: values.map((value) => `Host: ${value}`) });
  await t.table([
    ['missing', host(), '400 C'], ['empty', host(''), '400 C'], ['twice', host('h', 'h'), '400 C'], ['two in one', host('a, b'), '400 C'],
    ['with a path', host('h/x'), '400 C'],
    ['with a user', host('u@h'), '400 C'], ['with a space', host('a b'), '400 C'],
    ['twice, in different case', get('/health', { headers: ['hOST: x'] }), '400 C'],
    ['missing at an upgrade',
    get('/socket.io/?EIO=4&transport=websocket', { host: null, headers: ['Connection: Upgrade', 'Upgrade: websocket'] }), '400 C'],
  ], { reason: 'malformed_request' });
  await t.table([['with a port', host('h:80'), '200'], ['IPv6', host('[::1]:80'), '200'],
    ['HTTP/1.0 without', get('/health', { host: null, version: '1.0' }), '200 C']]);
});

test(23, 'percent-encoded CR LF never becomes a header, and the query is split before it is decoded',
  { ours: 'its routes echo into headers' }, async (t) => {
  const injected = /x-injected/i;
  for (const escaped of ['%0d%0aX-Injected:%201', '%0D%0A%0D%0AX-Injected', '%E5%98%8A%E5%98%8DX-Injected:1', '%0aX-Injected:1',
    '%00X-Injected', '%1b[31mX-Injected']) {
    for (const target of [`/say?text=${escaped}`, `/say/${escaped}`, `${EIO}&x=${escaped}`, `${EIO}&sid=${escaped}`,
      `/socket.io/${escaped}?EIO=4&transport=polling`]) {
      const response = await t.http(get(target, { headers: [`X: ${escaped}`, `Origin: http://good.example.test${escaped}`] }));
      const head = response.headers.filter(([name]) => !/^x-said$|^set-cookie$/i.test(name)).map((header) => header.join(': ')).join('\n');
      assert.doesNotMatch(head, injected, target);
      assert.ok(response.headers.every(([, value]) => !/[\x00-\x08\x0a-\x1f]/.test(value)), target);
    }
  }
  const split = await t.http(get(`${EIO}%26transport=websocket&x=1%26sid%3Dnone`));
  assert.equal(split.status, 400, 'transport is "polling&transport=websocket"');
  assert.equal((await t.http(get(`${EIO}&x=1%26sid%3Dnone`))).status, 200, 'there is no sid');
});

test(24, 'broken escapes, NUL and overlong UTF-8 in a query stay what they are; nothing is cut at a NUL', { plain: true }, async (t) => {
  await t.table([
    ['% alone', get(`${EIO}&x=%`), '200'], ['%z', get(`${EIO}&x=%z`), '200'], ['%zz', get(`${EIO}&%zz=%zz`), '200'],
    ['a NUL in what nobody reads', get(`${EIO}&x=%00`), '200'],
    ['overlong', get(`${EIO}&x=%c0%80%e0%80%80`), '200'], ['a surrogate', get(`${EIO}&x=%ed%a0%80`), '200'],
    ['a NUL behind EIO', get('/socket.io/?EIO=4%00&transport=polling'), '400 code 5'],
    ['a NUL behind the transport', get('/socket.io/?EIO=4&transport=polling%00'), '400 code 0'],
    ['a NUL as sid', get(`${EIO}&sid=%00`), '400 code 1'],
    ['a NUL in a key', get('/socket.io/?EIO%00=4&transport=polling'), '400 code 5'],
    ['an overlong 4', get('/socket.io/?EIO=%c0%b4&transport=polling'), '400 code 5'],
    ['escapes where letters were', get('/socket.io/?%45IO=%34&transpor%74=%70olling'), '200'],
  ]);
});

test(25, 'queries with thousands of parameters are bounded and cost nothing', { official: 'takes them all' }, async (t) => {
  await t.table([['64', get(`${EIO}${'&a=1'.repeat(62)}`), '200'],
    ['the last of equal keys counts', get(`/socket.io/?${'EIO=3&'.repeat(60)}EIO=4&transport=polling`), '200'],
    ['only separators', get(`${EIO}${'&'.repeat(5000)}`), '200']]);
  await t.table([['65', get(`${EIO}${'&a=1'.repeat(63)}`), '400 C'],
    ['as many as fit, all different', get(`${EIO}&${Array.from({ length: 1500 }, (_, i) => i.toString(36)).join('&')}`), '400 C'],
    ['as many as fit, all the same', get(`${EIO}${'&a'.repeat(3500)}`), '400 C'],
    ['on a route', get(`/health?${'a&'.repeat(3500)}`), '400 C']], { reason: 'malformed_request' });
});

test(26, 'a request is never read out of a body, whatever the method', async (t) => {
  const hidden = get('/size');                        // 405 or 404 where it is read; the routes answer 200
  await t.rows(['GET', 'HEAD', 'OPTIONS', 'POST',
    'DELETE'].flatMap((method) => ['/health', '/nowhere', EIO, `${EIO}&sid=none`].map((target) => [`${method} ${target}`, method, target])),
    async ([, method, target]) => {
    for (const how of ['length', 'chunked']) {
      const head = how === 'length' ? `Content-Length: ${hidden.length}` : 'Transfer-Encoding: chunked';
      const body = how === 'length' ? hidden : `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;
      const conn = t.connect().write(request(method, target, { headers: [head], length: false }) + body);
      const first = await conn.response({ method });
      if (/close/i.test(first.header('connection'))) { await conn.end(); assert.equal(conn.buffer.length, 0); continue; }
      conn.write(get('/socket.io/?transport=marker'));
      const second = await conn.response();
      assert.equal(second.text, '{"code":0,"message":"Transport unknown"}', `${how}: ${second.status} ${second.text}`);
      await conn.quiet(50);
    }
  });
});

test(27, 'pipelined requests are answered in order; more than sixteen that wait are refused; a reset among them leaves nothing',
  { official: 'has no such limit' }, async (t) => {
  const conn = t.connect().write(Array.from({ length: 10 }, (_, i) => post('/size', 'x'.repeat(i))).join(''));
  for (let i = 0; i < 10; ++i) assert.equal((await conn.response({ method: 'POST' })).text, String(i));
  await t.rows(Array.from({ length: 20 }, (_, i) => [`reset ${i}`]), async () => {
    const many = t.connect().write(get('/health').repeat(10) + post(EIO, '').repeat(5));
    await many.opened;
    many.reset();
  });
  const session = await t.polling();
  t.count('malformed_request');
  const held = t.connect().write(get(session.target) + get('/health').repeat(16));
  assert.match(await held.answer(), /C$/);
  await session.gone();
});

test(28, 'Expect: 100-continue is answered, or the refusal at once; another expectation is refused', { official: 'says 100 to all' },
  async (t) => {
  const session = await t.polling();
  const conn = t.connect().write(request('POST', session.target,
    { headers: ['Expect: 100-Continue', 'Content-Length: 14'], length: false }));
  assert.equal((await conn.response()).status, 100);
  assert.equal((await conn.write('42999["echo"]').write(' ').response({ method: 'POST' })).status, 200);
  assert.equal(await session.verdict(), 'S');
  await t.table([
    ['something else', post('/size', 'abc', { headers: ['Expect: 200-ok'] }), /^417/],
    ['of a GET', get('/health', { headers: ['Expect: x'] }), /^417/],
    ['too large', request('POST', session.target, { headers: ['Expect: 100-continue', 'Content-Length: 1000001'], length: false }), /^413/],
    ['no such session', request('POST', `${EIO}&sid=none`, { headers: ['Expect: 100-continue', 'Content-Length: 5'], length: false }),
    /^400/],
    ['no such route', request('POST', '/nowhere', { headers: ['Expect: 100-continue', 'Content-Length: 5'], length: false }), /^404/],
  ]);
});

test(29, 'methods that nobody asked for; TRACE tells nothing back', { official: '500 of a live session, and routes of another kind' },
  async (t) => {
  const session = await t.polling();
  for (const method of ['PUT', 'DELETE', 'PATCH', 'TRACE', 'HEAD', 'OPTIONS']) {
    if (method === 'OPTIONS') continue;               // a preflight, see 39
    const code = method === 'HEAD' ? '400' : '400 code 2';
    await t.table([
      [`${method} of a handshake`, request(method, EIO), code], [`${method} of a session`, request(method, session.target), code],
      [`${method} of a route`, request(method, '/health'), method === 'HEAD' ? '200' : '405'],
      [`${method} elsewhere`, request(method, '/nowhere'), '404'],
    ], { method });
  }
  await t.table(['get', 'Get', 'BREW', 'G'.repeat(1000), 'G,T', 'GET\x01',
    'POST\u00e9'].map((method) => [method.slice(0, 8), request(method, '/health'), '400 C']), { reason: 'malformed_request' });
  await t.table([['CONNECT', request('CONNECT', 'example.test:443'), /^(400|404|405)/]]);
  const trace = await t.http(request('TRACE', '/health', { headers: ['Cookie: secret=1'] }));
  assert.doesNotMatch(trace.text + JSON.stringify(trace.headers), /secret/);
  assert.equal(await session.verdict(), 'S');
});

test(30, 'targets are compared as they are: no dots, slashes, schemes or parameters are resolved',
  { official: 'the same, without our routes' }, async (t) => {
  await t.table([
    ['absolute form', get('http://h/health'), '404'], ['asterisk form', request('OPTIONS', '*'), '404'],
    ['dots', get('/x/../health'), '404'], ['dots out', get('/../../../etc/passwd'), '404'],
    ['escaped dots', get('/%2e%2e/%2e%2e/etc/passwd'), '404'], ['two slashes', get('//health'), '404'],
    ['a slash behind', get('/health/'), '404'], ['a backslash', get('/\\health'), '404'],
    ['a parameter', get('/health;x=1'), '404'], ['another case', get('/Health'), '404'], ['escaped', get('/%68ealth'), '404'],
    ['a fragment', get('/health#x'), '404'], ['no slash', get('health'), '404'],
    ['the engine, absolute', get(`http://h${EIO}`), '404'], ['the engine, two slashes', get(`/${EIO}`), '404'],
    ['the engine, another case', get(EIO.replace('socket', 'Socket')), '404'],
    ['the engine, escaped', get(EIO.replace('socket.io', 'socket%2eio')), '404'],
    ['the engine without its slash', get(EIO.replace('io/', 'io')), '404'],
    ['the engine and more', get(EIO.replace('io/', 'io/../../etc/passwd')), '200'], ['exactly', get('/health'), '200'],
    ['with a query', get('/health?x'), '200'],
  ]);
});

test(31, 'HTTP versions', { official: 'takes 0.9 and 2.0, and says 400 to others' }, async (t) => {
  const version = (text) => `GET /health HTTP/${text}\r\nHost: h\r\n\r\n`;
  await t.table([['1.0', version('1.0'), '200 C'],
    ['1.0 kept alive', `GET /health HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n`, '200'], ['1.1', version('1.1'), '200']]);
  await t.table(['2.0', '9.9', '1.2', '1.9', '3.0', '0.9', 'x.y'].map((v) => [v, version(v), '505 C']),
    { reason: 'version_not_supported' });
  await t.table([
    ...['1', '1.', '.1', '1.10', '11.1', '1.1 x', '-1.1', ''].map((v) => [v, version(v), '400 C']),
    ['0.9, that is none', 'GET /health\r\n\r\n', '400 C'], ['in small letters', 'GET /health http/1.1\r\nHost: h\r\n\r\n', '400 C'],
    ['another protocol', 'GET /health ICAP/1.0\r\nHost: h\r\n\r\n', '400 C'],
  ], { reason: 'malformed_request' });
});

test(32, 'a body slower than its deadline: 408, and the end of its session', { official: 'after 300 s' }, async (t) => {
  const session = await t.polling();
  t.count('body_timeout', 2);
  for (const target of [session.target, '/size']) {
    const conn = t.connect().write(request('POST', target, { headers: ['Content-Length: 100000'], length: false }));
    const from = Date.now();
    for (let i = 0; i < 500 && !conn.ended && !conn.buffer.length; ++i) { conn.write('x'); await delay(20); }
    await t.lasts(conn, t.option('body_timeout'), from);
    assert.equal(await conn.answer(), '408 C');
  }
  if (t.ours) assert.equal((await t.server.left(session.socket)).reason, 'transport error');
});

test(33, 'an idle connection is closed politely; one that is used may go on, however often', { official: 'keeps it for 5 s' },
  async (t) => {
  const conn = t.connect().write(get('/health'));
  assert.equal((await conn.response()).status, 200);
  await t.lasts(conn, t.option('keep_alive_timeout'));
  assert.deepEqual([conn.ended, conn.buffer.length], ['FIN', 0]);
  const busy = t.connect();
  for (let i = 0; i < 120; ++i) {
    busy.write(get('/health').repeat(10));
    for (let k = 0; k < 10; ++k) assert.equal((await busy.response()).status, 200);
  }
});

test(34, 'texts of clients cannot write headers, by whatever way they come', { ours: 'its routes echo into headers' }, async (t) => {
  for (const bad of ['a%0d%0aX-Injected: 1', 'a%0aX-Injected: 1', 'a%0dX-Injected: 1', '%00', 'a%7f',
    'X-Injected: 1%0d%0a%0d%0a<html>'].map((text) => text.replaceAll(' ', '%20'))) {
    const response = await t.http(get(`/say?text=${bad}`));
    assert.deepEqual([response.status, response.text], [200, 'said']);
    assert.deepEqual(response.headers.filter(([name]) => /injected|said|cookie/i.test(name)), [],
      'a value with control characters is left out');
  }
  const good = await t.http(get('/say?text=fine'));
  assert.deepEqual([good.header('x-said'), good.header('set-cookie')], ['fine', 'a=fine']);
  const session = await t.polling({ join: '40/dyn-%0d%0aX-Injected: 1,' });
  const room = await session.post('42/dyn-%0d%0aX-Injected: 1,1["join","a\\r\\nX-Injected: 1"]');
  assert.ok(!room.headers.some(([name]) => /injected/i.test(name)));
});

test(35, 'a route that throws says nothing of what it threw', { ours: 'its route throws' }, async (t) => {
  const response = await t.http(get('/secret'));
  assert.equal(response.status, 500);
  assert.doesNotMatch(response.text + JSON.stringify(response.headers), /hunter2|secret/);
  await until(() => t.server.lines.some((line) => /hunter2/.test(line.error || '')), 'the log, which may say it');
});
