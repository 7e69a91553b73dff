'use strict';
// Raw scripts: the HTTP side. Request targets and query, the order of checks, handshake and error replies, long polling,
// POST bodies, the WebSocket opening request, HTTP/1.1 in general, CORS.

const { collect, frame, delay } = require('../../common/transcript');
const { script, scripts } = collect();

const HANDSHAKE = '/socket.io/?EIO=4&transport=polling';
const SOCKET = '/socket.io/?EIO=4&transport=websocket';

// One request and its reply, headers and all.
function exchange(name, target, options = {}) {
  const { method = 'GET', on = 'plain', ...rest } = options;
  script(name, { on }, async (w) => {
    const a = w.connect();
    a.request(method, target, rest);
    await a.response();
  });
}

// ---- Request targets ------------------------------------------------------------------------------------------------------

for (const [name, target] of [
  ['the usual one', '/socket.io/?EIO=4&transport=polling'],
  ['no slash before the query', '/socket.io?EIO=4&transport=polling'],
  ['a longer path', '/socket.io/foo/bar?EIO=4&transport=polling'],
  ['a dot segment', '/socket.io/../?EIO=4&transport=polling'],
  ['a longer first segment', '/socket.iox/?EIO=4&transport=polling'],
  ['upper case', '/Socket.IO/?EIO=4&transport=polling'],
  ['percent-encoded', '/socket%2eio/?EIO=4&transport=polling'],
  ['two slashes', '//socket.io/?EIO=4&transport=polling'],
  ['absolute form', 'http://h/socket.io/?EIO=4&transport=polling'],
  ['the root', '/'],
  ['the prefix alone', '/socket.io/'],
  ['the prefix without slash', '/socket.io'],
  ['the client file, not served', '/socket.io/socket.io.js'],
  ['a fragment', '/socket.io/?EIO=4&transport=polling#here'],
  ['asterisk', '*'],
]) exchange(`path: ${name}`, target);

exchange('path: POST to a foreign path', '/elsewhere', { method: 'POST', body: 'x' });
exchange('path: HEAD to a foreign path', '/elsewhere', { method: 'HEAD' });

for (const [name, target] of [
  ['a foreign path', '/elsewhere?EIO=4&transport=websocket'],
  ['no slash before the query', '/socket.io?EIO=4&transport=websocket'],
]) {
  script(`path: upgrade request to ${name} is ended after a second without a byte`, async (w) => {
    const a = w.connect();
    a.upgrade(target);
    await a.quiet(300);
    await a.closed();
  });
}

// ---- Query ----------------------------------------------------------------------------------------------------------------

for (const [name, query] of [
  ['keys and values are percent-decoded', '%45IO=4&transport=p%6flling'],
  ['plus is a space', 'EIO=4&transport=pol+ling'],
  ['a broken escape stays', 'EIO=4&transport=polling&x=%zz'],
  ['a broken escape in the transport', 'EIO=4&transport=polling%zz'],
  ['empty pairs', '&&EIO=4&&transport=polling&'],
  ['a key without value', 'EIO=4&transport=polling&flag'],
  ['another order', 't=abc&transport=polling&EIO=4'],
  ['keys are case-sensitive', 'eio=4&transport=polling'],
  ['the last duplicate wins, good', 'EIO=3&EIO=4&transport=polling'],
  ['the last duplicate wins, bad', 'EIO=4&EIO=3&transport=polling'],
  ['the last duplicate transport wins', 'EIO=4&transport=polling&transport=foo'],
  ['two question marks', '?EIO=4&transport=polling'],
  ['EIO missing', 'transport=polling'],
  ['EIO empty', 'EIO=&transport=polling'],
  ['EIO 3', 'EIO=3&transport=polling'],
  ['EIO 5', 'EIO=5&transport=polling'],
  ['EIO 04', 'EIO=04&transport=polling'],
  ['EIO 4 and a space', 'EIO=4+&transport=polling'],
  ['transport missing', 'EIO=4'],
  ['transport empty', 'EIO=4&transport='],
  ['transport unknown', 'EIO=4&transport=foo'],
  ['transport in upper case', 'EIO=4&transport=POLLING'],
  ['transport __proto__', 'EIO=4&transport=__proto__'],
  ['transport constructor', 'EIO=4&transport=constructor'],
  ['transport webtransport', 'EIO=4&transport=webtransport'],
  ['transport websocket without upgrade', 'EIO=4&transport=websocket'],
  ['sid empty is a handshake', 'EIO=4&transport=polling&sid='],
  ['b64 is ignored', 'EIO=4&transport=polling&b64=1'],
  ['invalid UTF-8 escape', 'EIO=4&transport=polling&x=%ff%c3'],
  ['8 KB of it', `EIO=4&transport=polling&x=${'y'.repeat(8000)}`],
]) exchange(`query: ${name}`, `/socket.io/?${query}`);

script('query: a JSONP session', async (w) => {
  const a = w.connect();
  a.get(w.handshakeTarget('polling', '&j=7'));
  const response = await a.response();
  const sid = /sid\\":\\"([^\\]+)/.exec(response ? response.body.toString() : '');
  if (!sid) return;
  const post = w.connect('post');
  w.muted(() => post.post(w.handshakeTarget('polling', `&j=7&sid=${sid[1]}`), 'd=40'));
  await post.response();
});

script('query: b64 on a WebSocket turns binary into text', async (w) => {
  const ws = await w.joinedWebsocket({ query: '&b64=1' });
  ws.text('451-["bin",{"_placeholder":true,"num":0}]').binary([1, 2, 3]);
  await ws.frames(2);
});

script('query: what the handshake keeps of it', async (w) => {
  const ws = await w.joinedWebsocket({ query: '&a=1&a=2&b=x%20y+z&c=%zz&d=%C3%A9&e&EIO=4', headers: { 'X-Probe': 'p', Origin: 'http://o.example' } });
  ws.text('420["handshake"]');
  await ws.frames(1);
});

script('query: the handshake is that of the first request', async (w) => {
  const s = await w.polling({ headers: { 'X-Probe': 'first' }, query: '&x=1' });
  await s.post('40{"token":"t"}', { headers: { 'X-Probe': 'second', Origin: 'http://o.example' } });
  await s.packets(1);
  await s.post('420["handshake"]');
  await s.packets(1);
});

// ---- Order of checks ------------------------------------------------------------------------------------------------------

exchange('checks: an unknown transport wins over an unknown sid', '/socket.io/?EIO=4&transport=foo&sid=x');
exchange('checks: an unknown sid wins over the method', `${HANDSHAKE}&sid=x`, { method: 'PUT' });
exchange('checks: an unknown sid wins over EIO', '/socket.io/?EIO=3&transport=polling&sid=x');
exchange('checks: the method wins over a missing upgrade', SOCKET, { method: 'POST', body: '' });
exchange('checks: the method wins over EIO', '/socket.io/?EIO=3&transport=polling', { method: 'POST', body: '' });
exchange('checks: a missing upgrade wins over EIO', '/socket.io/?EIO=3&transport=websocket');
exchange('checks: the transport wins over the method', '/socket.io/?EIO=4&transport=foo', { method: 'DELETE' });
exchange('checks: sid __proto__', `${HANDSHAKE}&sid=__proto__`);
exchange('checks: sid constructor', `${HANDSHAKE}&sid=constructor`);
exchange('checks: POST to an unknown sid', `${HANDSHAKE}&sid=abcdefghijklmnopqrst`, { method: 'POST', body: '40' });
for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'])
  exchange(`checks: handshake by ${method}`, HANDSHAKE, { method });

for (const [name, change] of [
  ['without transport', (t) => t.replace('transport=polling&', '')],
  ['with an unknown transport', (t) => t.replace('polling', 'foo')],
  ['with transport=websocket and no upgrade', (t) => t.replace('polling', 'websocket')],
  ['with EIO=3', (t) => t.replace('EIO=4', 'EIO=3')],
  ['without EIO', (t) => t.replace('EIO=4&', '')],
]) {
  script(`checks: a request of a live session ${name}, which survives`, async (w) => {
    const s = await w.joinedPolling();
    for (const method of ['GET', 'POST']) {
      const a = w.connect();
      a.request(method, change(s.target), method === 'POST' ? { body: '42["echo-back",1]' } : {});
      await a.response();
    }
    await s.post('42["echo-back","alive"]');
    await s.packets(1);
  });
}

for (const method of ['PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS']) {
  script(`checks: ${method} on a live session, which survives`, async (w) => {
    const s = await w.joinedPolling();
    const a = w.connect();
    a.request(method, s.target, ['HEAD', 'OPTIONS'].includes(method) ? {} : { body: 'x' });
    await a.response();
    await s.post('42["echo-back","alive"]');
    await s.packets(1);
  });
}

script('checks: polling with the sid of a WebSocket session, which survives', async (w) => {
  const a = w.connect('ws');
  a.upgrade(w.handshakeTarget('websocket'));
  await a.response('upgrade');
  const [, sid] = /"sid":"([^"]*)"/.exec((await a.frames(1)).payload.toString());
  for (const method of ['GET', 'POST']) {
    const b = w.connect();
    b.request(method, `${HANDSHAKE}&sid=${sid}`, method === 'POST' ? { body: '40' } : {});
    await b.response();
  }
  a.text('40');
  await a.frames(1);
});

// ---- Handshake and normal replies -----------------------------------------------------------------------------------------

script('replies: handshake, poll and post, headers and all, on one connection', async (w) => {
  const a = w.connect();
  a.get(w.handshakeTarget());
  const [, sid] = /"sid":"([^"]*)"/.exec((await a.response()).body.toString());
  const target = w.handshakeTarget('polling', `&sid=${sid}`);
  a.post(target, '40');
  await a.response();
  await w.settle();
  a.get(target);
  await a.response();
  a.post(target, '42["echo-back","é€😀"]\x1e42["echo-back",{"x":1}]');
  await a.response();
  await w.settle();
  a.get(target);
  await a.response();
});
exchange('replies: the numbers of the options', HANDSHAKE, { on: 'small' });
exchange('replies: the numbers of short heartbeats', HANDSHAKE, { on: 'beat' });
exchange('replies: an old Internet Explorer', HANDSHAKE, { headers: { 'User-Agent': 'Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0)' } });
exchange('replies: a short body is not compressed', HANDSHAKE, { headers: { 'Accept-Encoding': 'gzip, deflate' } });
script('replies: a long body, compression not asked for', async (w) => {
  const s = await w.joinedPolling();
  await s.post(`42["echo-back","${'z'.repeat(3000)}"]`);
  await s.packets(1);
});

// ---- Long polling ---------------------------------------------------------------------------------------------------------

script('poll: what was buffered comes in one reply', async (w) => {
  const s = await w.polling({ query: '&greet=1' });
  await s.post('40');
  await w.settle();
  await s.poll();
  await s.post('42["burst",5]');
  await w.settle();
  await s.poll();
});
script('poll: a held GET gets what is written later', async (w) => {
  const s = await w.polling({ query: '&greet=1' });
  const held = await s.hold();
  await held.quiet(150);
  await s.post('40');
  await s.packets(2, { from: held });
});
script('poll: a binary event may span replies', async (w) => {
  const s = await w.joinedPolling();
  const held = await s.hold();
  await s.post('451-["bin",{"_placeholder":true,"num":0}]\x1ebAQIDBA==\x1e42["echo-back",1]');
  await s.packets(3, { from: held });
});
script('poll: a second GET ends the session', async (w) => {
  const s = await w.joinedPolling();
  const held = await s.hold();
  const second = await s.hold('second');
  await second.response();
  await held.response('get');
  await w.reasons();
  await s.poll();
});
for (const [name, move] of [['dropped', 'drop'], ['half-closed', 'halfClose'], ['reset', 'reset']]) {
  script(`poll: a held GET ${name} by the client ends the session`, async (w) => {
    const s = await w.joinedPolling();
    const held = await s.hold();
    held[move]();
    await w.reasons();
    if (move === 'halfClose') await held.closed();
    await s.poll();
  });
}
script('poll: an idle connection dropped does not matter', async (w) => {
  const s = await w.joinedPolling();
  const a = w.connect();
  await s.post('42["echo-back",1]');
  a.get(s.target);
  await a.response('get');
  a.drop();
  await w.settle();
  await s.post('42["echo-back",2]');
  await s.packets(1);
});
script('poll: a half-close after the reply does not matter', async (w) => {
  const s = await w.joinedPolling();
  await s.post('42["echo-back",1]');
  await w.settle();
  const a = w.connect();
  a.get(s.target).halfClose();
  await a.response('get');
  await a.closed();
  await s.post('42["echo-back",2]');
  await s.packets(1);
});
script('poll: a half-close while a long reply is on its way', async (w) => {
  const s = await w.joinedPolling();
  for (let i = 0; i < 10; i++) await s.post(`42["echo-back",${i},"${'0123456789'.repeat(95000)}"]`);
  await w.settle();
  const a = w.connect();
  a.socket.pause();
  a.get(s.target);
  await w.settle();
  a.halfClose();
  await w.settle();
  a.socket.resume();
  await a.response('get');
  await a.closed();
  await s.post('42["echo-back","alive"]');
  await s.packets(1);
});
script('poll: a GET with a body', async (w) => {
  const s = await w.joinedPolling();
  await s.post('42["echo-back",1]');
  await w.settle();
  const a = w.connect();
  a.request('GET', s.target, { body: '42["echo-back",2]' });
  await a.response('get');
});

// ---- POST -----------------------------------------------------------------------------------------------------------------

for (const type of [null, 'text/plain;charset=UTF-8', 'text/plain', 'application/x-www-form-urlencoded', 'application/octet-stream; x=y',
  'application/json', 'APPLICATION/OCTET-STREAM']) {
  script(`post: content type ${type}`, async (w) => {
    const s = await w.joinedPolling();
    await s.post('42["echo-back",1]', { headers: { 'Content-Type': type } });
    await s.packets(1);
  });
}
script('post: application/octet-stream ends the session', async (w) => {
  const s = await w.joinedPolling();
  await s.post('42["echo-back",1]', { headers: { 'Content-Type': 'application/octet-stream' } });
  await w.reasons();
  await s.gone();
});
script('post: application/octet-stream with a GET held', async (w) => {
  const s = await w.joinedPolling();
  const held = await s.hold();
  await s.post('42["echo-back",1]', { headers: { 'Content-Type': 'application/octet-stream' } });
  await held.response('get');
  await w.reasons();
  await s.gone();
});
script('post: invalid UTF-8 is repaired', async (w) => {
  const s = await w.joinedPolling();
  await s.post(Buffer.from('42["echo-back","a\xff\xc3b\xe2\x82c\xed\xa0\x80d\xf0\x9f\x98"]', 'latin1'));
  await s.packets(1);
});
script('post: characters split over TCP segments', async (w) => {
  const s = await w.joinedPolling();
  const body = Buffer.from('42["echo-back","é€😀"]');
  const a = w.connect();
  a.send(`POST ${s.target} HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n`);
  for (const byte of body) { a.socket.write(Buffer.from([byte])); await delay(2); }
  await a.response('post');
  await s.packets(1);
});
script('post: a request in many pieces', async (w) => {
  const s = await w.joinedPolling();
  const bytes = Buffer.from(`POST ${s.target} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n42[\r\nE\r\n"echo-back",1]\r\n0\r\n\r\n`);
  const a = w.connect();
  for (let at = 0, piece = 1; at < bytes.length; at += piece, piece = piece % 9 + 1) {
    a.socket.write(bytes.subarray(at, at + piece));
    await delay(1);
  }
  await a.response('post');
  await s.packets(1);
});
script('post: a byte order mark is data', async (w) => {
  const s = await w.joinedPolling();
  await s.post('\ufeff42["echo-back",1]');
  await w.reasons();
  await s.gone();
});
for (const [name, send] of [
  ['with length 0', (s) => s.post('')],
  ['without length', (s) => s.post(undefined)],
]) {
  script(`post: an empty body ${name} is a parse error`, async (w) => {
    const s = await w.joinedPolling();
    await send(s);
    await w.reasons();
    await s.gone();
  });
}
script('post: an empty body with a GET held', async (w) => {
  const s = await w.joinedPolling();
  const held = await s.hold();
  await s.post('');
  await held.response('get');
  await w.reasons();
});
script('post: the ack comes with the next poll', async (w) => {
  const s = await w.joinedPolling();
  await s.post('420["echo",1]\x1e421["echo"]\x1e422["echo",null,"é"]');
  await s.packets(3);
});
script('post: a second one while the first is in flight', async (w) => {
  const s = await w.joinedPolling();
  const first = w.connect('first');
  first.send(`POST ${s.target} HTTP/1.1\r\nHost: h\r\nContent-Length: 17\r\n\r\n42["echo`);
  await w.settle();
  await s.post('42["echo-back",2]');
  await first.closed();
  await w.reasons();
  await s.gone();
});
script('post: a second one in flight, GET held', async (w) => {
  const s = await w.joinedPolling();
  const held = await s.hold();
  const first = w.connect('first');
  first.send(`POST ${s.target} HTTP/1.1\r\nHost: h\r\nContent-Length: 17\r\n\r\n42["echo`);
  await w.settle();
  await s.post('42["echo-back",2]');
  await first.closed();
  await held.response('get');
  await w.reasons();
});
script('post: two in one segment', async (w) => {
  const s = await w.joinedPolling();
  const a = w.connect();
  const one = (n) => `POST ${s.target} HTTP/1.1\r\nHost: h\r\nContent-Length: 17\r\n\r\n42["echo-back",${n}]`;
  a.send(one(1) + one(2));
  await a.response('post');
  await a.response('post');
  await w.settle();
  await w.reasons(0);
});
script('post: a short body, then FIN', async (w) => {
  const s = await w.joinedPolling();
  const a = w.connect();
  a.send(`POST ${s.target} HTTP/1.1\r\nHost: h\r\nContent-Length: 17\r\n\r\n42["echo`).halfClose();
  await a.response();
  await a.closed();
  await w.reasons();
  await s.gone();
});
script('post: a short body, then RST', async (w) => {
  const s = await w.joinedPolling();
  const a = w.connect();
  a.send(`POST ${s.target} HTTP/1.1\r\nHost: h\r\nContent-Length: 17\r\n\r\n42["echo`);
  await w.settle();
  a.reset();
  await w.reasons();
  await s.gone();
});
script('post: a complete body, then FIN at once', async (w) => {
  const s = await w.joinedPolling();
  const a = w.connect();
  a.post(s.target, '42["echo-back",1]').halfClose();
  await a.response('post');
  await a.closed();
  await s.packets(1);
});
script('post: to a session that is closing', { needs: 'engine close' }, async (w) => {
  const s = await w.joinedPolling();
  await s.post('42["close-engine"]');
  await w.settle();
  await s.post('42["echo-back",1]');
  await s.post('garbage');
  await s.poll();
  await w.reasons();
  await s.gone();
});

const padded = (bytes, unit = 'z') => {               // an echo-back POST of exactly so many bytes
  const frame = '42["echo-back",""]';
  const units = Math.floor((bytes - frame.length) / Buffer.byteLength(unit));
  const rest = bytes - frame.length - units * Buffer.byteLength(unit);
  return `42["echo-back","${unit.repeat(units)}${'z'.repeat(rest)}"]`;
};
script('post: exactly the limit', { on: 'small' }, async (w) => {
  const s = await w.joinedPolling();
  await s.post(padded(1000));
  await s.packets(1);
});
script('post: a byte over the limit is 413, and the session lives', { on: 'small' }, async (w) => {
  const s = await w.joinedPolling();
  await s.post(padded(1001));
  await s.post('42["echo-back","alive"]');
  await s.packets(1);
});
script('post: the limit counts bytes', { on: 'small' }, async (w) => {
  const s = await w.joinedPolling();
  await s.post(padded(1000, '€'));
  await s.packets(1);
  await s.post('42["echo-back","' + '€'.repeat(400) + '"]');
  await s.post('42["echo-back","alive"]');
  await s.packets(1);
});
script('post: over the limit on a connection that goes on', { on: 'small' }, async (w) => {
  const s = await w.joinedPolling();
  const a = w.connect();
  a.post(s.target, padded(5000));
  await a.response();
  a.post(s.target, '42["echo-back",1]');
  await a.response('post');
  await s.packets(1);
});
script('post: over the limit, the rest comes later', { on: 'small' }, async (w) => {
  const s = await w.joinedPolling();
  const a = w.connect();
  const body = padded(4000);
  a.send(`POST ${s.target} HTTP/1.1\r\nHost: h\r\nContent-Length: 4000\r\n\r\n${body.slice(0, 1500)}`);
  await a.response();
  a.send(body.slice(1500, 3000));
  await a.quiet();
  a.send(body.slice(3000));
  await a.quiet();
  a.post(s.target, '42["echo-back","alive"]');
  await a.response('post');
  await s.packets(1);
});
script('post: over the limit in chunks', { on: 'small' }, async (w) => {
  const s = await w.joinedPolling();
  const a = w.connect();
  const body = padded(1500);
  a.send(`POST ${s.target} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n` +
    `${(800).toString(16)}\r\n${body.slice(0, 800)}\r\n`);
  await a.quiet(150);
  a.send(`${(700).toString(16)}\r\n${body.slice(800)}\r\n0\r\n\r\n`);
  await a.response();
  a.post(s.target, '42["echo-back","alive"]');
  await a.response('post');
  await s.packets(1);
});
script('post: a large Content-Length alone triggers nothing', { on: 'small' }, async (w) => {
  const s = await w.joinedPolling();
  const a = w.connect();
  a.send(`POST ${s.target} HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n42["x"`);
  await a.quiet();
});
script('post: over the limit with a GET held', { on: 'small' }, async (w) => {
  const s = await w.joinedPolling();
  const held = await s.hold();
  await s.post(padded(1200));
  await held.quiet(150);
  await s.post('42["echo-back","alive"]');
  await s.packets(1, { from: held });
});
script('post: over the limit to an unknown session', { on: 'small' }, async (w) => {
  const a = w.connect();
  a.post(`${HANDSHAKE}&sid=abcdefghijklmnopqrst`, padded(3000));
  await a.response();
});

// ---- The WebSocket opening request ----------------------------------------------------------------------------------------

function opening(name, options, { target, frames = 0 } = {}) {
  script(`opening: ${name}`, async (w) => {
    const a = w.connect();
    a.upgrade(target || w.handshakeTarget('websocket'), options);
    const response = await a.response();
    if (response && response.status === 101) await a.frames(frames || 1);
    else await a.closed();
  });
}
opening('the usual one', {});
opening('Connection is a list', { headers: { Connection: 'keep-alive, Upgrade' } });
opening('Connection in upper case', { headers: { Connection: 'UPGRADE' } });
opening('Upgrade in upper case', { headers: { Upgrade: 'WebSocket' } });
opening('header names in lower case', { headers: { Connection: null, Upgrade: null, 'Sec-WebSocket-Key': null, 'Sec-WebSocket-Version': null,
  connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version': '13' } });
opening('version 8', { headers: { 'Sec-WebSocket-Version': '8' } });
opening('HTTP/1.0', { version: '1.0' });
opening('one subprotocol', { headers: { 'Sec-WebSocket-Protocol': 'foo' } });
opening('the first of two subprotocols', { headers: { 'Sec-WebSocket-Protocol': 'foo, bar' } });
opening('malformed subprotocols', { headers: { 'Sec-WebSocket-Protocol': 'foo, ,bar' } });
opening('subprotocol twice', { headers: { 'Sec-WebSocket-Protocol': 'foo,foo' } });
opening('empty subprotocol', { headers: { 'Sec-WebSocket-Protocol': '' } });
opening('compression offered', { headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' } });
opening('malformed extensions', { headers: { 'Sec-WebSocket-Extensions': 'foo;;=,' } });
opening('no version', { headers: { 'Sec-WebSocket-Version': null } });
opening('version 7', { headers: { 'Sec-WebSocket-Version': '7' } });
opening('version 013', { headers: { 'Sec-WebSocket-Version': '013' } });
opening('no key', { headers: { 'Sec-WebSocket-Key': null } });
opening('a short key', { headers: { 'Sec-WebSocket-Key': 'abc=' } });
opening('a key of 15 bytes', { headers: { 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAA' } });
opening('Upgrade: foo', { headers: { Upgrade: 'foo' } });
opening('Upgrade: websocket, foo', { headers: { Upgrade: 'websocket, foo' } });
opening('Upgrade: h2c on a polling handshake', { headers: { Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings' } }, { target: HANDSHAKE });
opening('transport polling with upgrade', {}, { target: HANDSHAKE });
opening('unknown sid', {}, { target: `${SOCKET}&sid=x` });
opening('unknown transport', {}, { target: '/socket.io/?EIO=4&transport=foo' });
opening('no transport', {}, { target: '/socket.io/?EIO=4' });
opening('POST without sid', { method: 'POST' });
opening('HEAD without sid', { method: 'HEAD' });
opening('a longer path', {}, { target: '/socket.io/x/y?EIO=4&transport=websocket' });
opening('no Host', { headers: { Host: null } });

for (const [name, query] of [['EIO 3', 'EIO=3&'], ['no EIO', '']]) {
  script(`opening: ${name} never sees an open packet`, async (w) => {
    const a = w.connect();
    a.upgrade(`/socket.io/?${query}transport=websocket`);
    await a.response();
    await a.closed();
  });
}
script('opening: without the upgrade token it is an ordinary GET', async (w) => {
  const a = w.connect();
  a.upgrade(SOCKET, { headers: { Connection: 'keep-alive' } });
  await a.response();
});
script('opening: without an Upgrade header it is an ordinary GET', async (w) => {
  const a = w.connect();
  a.upgrade(SOCKET, { headers: { Upgrade: null } });
  await a.response();
});
script('opening: frames in the segment of the request', async (w) => {
  const a = w.connect();
  a.upgrade(w.handshakeTarget('websocket'), { frames: frame('40') });
  await a.response('upgrade');
  await a.frames(1);
  await a.rest(400);
});
for (const [name, options, change] of [
  ['POST', { method: 'POST' }],
  ['PUT', { method: 'PUT' }],
  ['EIO 3', {}, (t) => t.replace('EIO=4', 'EIO=3')],
  ['no EIO', {}, (t) => t.replace('EIO=4&', '')],
  ['transport polling', {}, (t) => t.replace('websocket', 'polling')],
  ['a bad key', { headers: { 'Sec-WebSocket-Key': 'x' } }],
  ['no version', { headers: { 'Sec-WebSocket-Version': null } }],
  ['Upgrade: h2c', { headers: { Upgrade: 'h2c' } }],
]) {
  script(`opening: with the sid of a polling session, but ${name}; the session survives`, async (w) => {
    const s = await w.joinedPolling();
    const a = w.connect();
    a.upgrade(change ? change(s.websocketTarget) : s.websocketTarget, options);
    const response = await a.response();
    if (response && response.status === 101) await a.frames(1);
    else await a.closed();
    await s.post('42["echo-back","alive"]');
    await s.packets(1);
  });
}

// ---- HTTP/1.1 in general --------------------------------------------------------------------------------------------------

for (const [name, target] of [['a handshake', HANDSHAKE], ['an error', '/socket.io/?EIO=4&transport=foo'], ['a foreign path', '/elsewhere']]) {
  script(`http: ${name} over HTTP/1.0`, async (w) => {
    const a = w.connect();
    a.get(target, { version: '1.0' });
    await a.response();
    await a.closed();
  });
  script(`http: ${name} over HTTP/1.0 with keep-alive`, async (w) => {
    const a = w.connect();
    a.get(target, { version: '1.0', headers: { Connection: 'keep-alive' } });
    await a.response();
  });
  script(`http: ${name} with Connection: close`, async (w) => {
    const a = w.connect();
    a.get(target, { headers: { Connection: 'close' } });
    await a.response();
    await a.closed();
  });
}
script('http: poll and post with Connection: close, as the Node client does', async (w) => {
  const s = await w.joinedPolling();
  const post = w.connect('post');
  post.post(s.target, '42["echo-back",1]', { headers: { Connection: 'close' } });
  await post.response();
  await post.closed();
  const poll = w.connect('poll');
  poll.get(s.target, { headers: { Connection: 'close' } });
  await poll.response();
  await poll.closed();
});
script('http: HTTP/1.0 without Host', async (w) => {
  const a = w.connect();
  a.get(HANDSHAKE, { version: '1.0', headers: { Host: null } });
  await a.response();
});
script('http: a chunked body with extensions and trailers', async (w) => {
  const s = await w.joinedPolling();
  const a = w.connect();
  a.send(`POST ${s.target} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n` +
    '3;a=b\r\n42[\r\n00e;x="y"\r\n"echo-back",1]\r\n0\r\nX-Trailer: t\r\n\r\n');
  await a.response('post');
  await s.packets(1);
});
script('http: Expect: 100-continue', async (w) => {
  const s = await w.joinedPolling();
  const a = w.connect();
  a.send(`POST ${s.target} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 17\r\n\r\n`);
  await a.response();
  a.send('42["echo-back",1]');
  await a.response('post');
  await s.packets(1);
});
script('http: another expectation', async (w) => {
  const a = w.connect();
  a.get(HANDSHAKE, { headers: { Expect: 'the-unexpected' } });
  await a.response();
});
script('http: a POST behind a held GET on one connection', async (w) => {
  const s = await w.joinedPolling();
  const a = w.connect();
  a.get(s.target);
  await w.settle();
  a.post(s.target, '420["echo","through"]');
  await a.response('get');
  await a.response('post');
});
script('http: GET and POST in one segment', async (w) => {
  const s = await w.joinedPolling();
  const a = w.connect();
  a.asked.push(['GET', '1.1'], ['POST', '1.1']);
  a.send(`GET ${s.target} HTTP/1.1\r\nHost: h\r\n\r\nPOST ${s.target} HTTP/1.1\r\nHost: h\r\nContent-Length: 17\r\n\r\n42["echo-back",1]`);
  await a.response('get');
  await a.response('post');
});
script('http: three handshakes in one segment', async (w) => {
  const a = w.connect();
  a.send(`GET ${HANDSHAKE} HTTP/1.1\r\nHost: h\r\n\r\n`.repeat(3));
  for (let i = 0; i < 3; i++) await a.response('get');
});
script('http: an error does not end the connection', async (w) => {
  const a = w.connect();
  for (const target of ['/socket.io/?EIO=4&transport=foo', '/elsewhere', `${HANDSHAKE}&sid=x`, HANDSHAKE]) {
    a.get(target);
    await a.response();
  }
});
script('http: leading empty lines', async (w) => {
  const a = w.connect();
  a.send(`\r\n\r\nGET ${HANDSHAKE} HTTP/1.1\r\nHost: h\r\n\r\n`);
  await a.response('get');
});
exchange('http: Origin: null', HANDSHAKE, { headers: { Origin: 'null' } });
exchange('http: Latin-1 in Origin', HANDSHAKE, { headers: { Origin: 'http://\xe9.example' } });
exchange('http: many headers', HANDSHAKE, { headers: Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`X-${i}`, 'v'])) });

for (const [name, bytes] of [
  ['no Host', 'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n\r\n'],
  ['garbage', 'hello there\r\n\r\n'],
  ['binary garbage', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 13, 10, 13, 10])],
  ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['bare LF line ends', 'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\nHost: h\n\n'],
  ['a bare LF within', 'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\nX: y\r\n\r\n'],
  ['a bare CR within', 'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n'],
  ['a lower-case method', 'get /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n'],
  ['an unknown method', 'FOO /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n'],
  ['a folded header', 'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n'],
  ['a space before the colon', 'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n'],
  ['an empty header name', 'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n: y\r\n\r\n'],
  ['a header line without colon', 'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n'],
  ['NUL in a header', 'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n'],
  ['control bytes in Origin', 'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\nOrigin: a\x01b\r\n\r\n'],
  ['raw non-ASCII in the target', 'GET /socket.io/?EIO=4&transport=polling&x=é HTTP/1.1\r\nHost: h\r\n\r\n'],
  ['a space in the target', 'GET /socket.io/?EIO=4&transport=polling&x=a b HTTP/1.1\r\nHost: h\r\n\r\n'],
  ['HTTP/1.2 in the request line', 'GET /socket.io/?EIO=4&transport=polling HTTP/1.2\r\nHost: h\r\n\r\n'],
  ['Content-Length twice', 'POST /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n40'],
  ['Content-Length 2,2', 'POST /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: h\r\nContent-Length: 2,2\r\n\r\n40'],
  ['Content-Length +2', 'POST /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: h\r\nContent-Length: +2\r\n\r\n40'],
  ['Content-Length -1', 'POST /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n40'],
  ['Content-Length 0x2', 'POST /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: h\r\nContent-Length: 0x2\r\n\r\n40'],
  ['Content-Length of 25 digits', `POST /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: h\r\nContent-Length: ${'9'.repeat(25)}\r\n\r\n40`],
  ['Content-Length and Transfer-Encoding', 'POST /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n40\r\n0\r\n\r\n'],
  ['Transfer-Encoding: xchunked', 'POST /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n2\r\n40\r\n0\r\n\r\n'],
]) {
  script(`http: refused: ${name}`, { node: 20 }, async (w) => {
    const a = w.connect();
    a.send(bytes);
    await a.response();
    await a.closed();
  });
}
for (const [name, bytes] of [
  ['no version', 'GET /socket.io/?EIO=4&transport=polling\r\n\r\n'],
  ['HTTP/2.0', 'GET /socket.io/?EIO=4&transport=polling HTTP/2.0\r\nHost: h\r\n\r\n'],
]) {
  script(`http: quirk: ${name} in the request line`, async (w) => {
    const a = w.connect();
    a.send(bytes);
    await a.response();
    await a.closed();
  });
}
for (const [name, chunks] of [
  ['no hexadecimal number', 'zz\r\n40\r\n0\r\n\r\n'],
  ['negative', '-2\r\n40\r\n0\r\n\r\n'],
  ['too large for any number', 'fffffffffffffffff\r\n40\r\n0\r\n\r\n'],
  ['with data longer than said', '2\r\n40xx\r\n0\r\n\r\n'],
]) {
  script(`http: refused: a chunk size ${name}`, async (w) => {
    const s = await w.joinedPolling();
    const a = w.connect();
    a.send(`POST ${s.target} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`);
    await a.response();
    await a.closed();
    await w.reasons();
  });
}
for (const [name, bytes] of [
  ['a header of 17 KiB', `GET ${HANDSHAKE} HTTP/1.1\r\nHost: h\r\nX: ${'y'.repeat(17 * 1024)}\r\n\r\n`],
  ['a target of 17 KiB', `GET ${HANDSHAKE}&x=${'y'.repeat(17 * 1024)} HTTP/1.1\r\nHost: h\r\n\r\n`],
  ['headers of 17 KiB in all', `GET ${HANDSHAKE} HTTP/1.1\r\nHost: h\r\n${Array.from({ length: 34 }, (_, i) => `X-${i}: ${'y'.repeat(500)}\r\n`).join('')}\r\n`],
]) {
  script(`http: refused: ${name}`, async (w) => {
    const a = w.connect();
    a.send(bytes);
    await a.response();
    await a.closed();
  });
}
script('http: a header block of 12 KiB is fine', async (w) => {
  const a = w.connect();
  a.send(`GET ${HANDSHAKE} HTTP/1.1\r\nHost: h\r\n${Array.from({ length: 3 }, (_, i) => `X-${i}: ${'y'.repeat(4000)}\r\n`).join('')}\r\n`);
  await a.response('get');
});
script('http: an idle connection is ended some seconds after its reply', async (w) => {
  const a = w.connect();
  a.get(HANDSHAKE);
  await a.response('get');
  await a.quiet(2000);
  await a.closed(20000);
});
script('http: headers never complete', { ours: true }, async (w) => {
  const a = w.connect();
  a.send(`GET ${HANDSHAKE} HTTP/1.1\r\nHost: h\r\n`);
  await a.quiet(4000);
  a.send('X: y\r\n');
  await a.quiet(2000);
  await a.response();
  await a.closed();
});
script('http: a connection that sends nothing', { ours: true }, async (w) => {
  const a = w.connect();
  await a.quiet(4000);
  await a.closed(20000);
});

// ---- CORS, with a list of origins and credentials -------------------------------------------------------------------------

const LISTED = 'http://app.example', ALSO = 'http://other.example', FOREIGN = 'http://evil.example';
for (const [name, headers] of [
  ['a listed origin', { Origin: LISTED }], ['another listed origin', { Origin: ALSO }], ['a foreign origin', { Origin: FOREIGN }],
  ['no origin', {}], ['Origin: null', { Origin: 'null' }], ['an origin that has a listed one as prefix', { Origin: `${LISTED}.evil.example` }],
  ['an origin in upper case', { Origin: LISTED.toUpperCase() }], ['an origin with port', { Origin: `${LISTED}:80` }],
]) {
  exchange(`cors: handshake, ${name}`, HANDSHAKE, { on: 'cors', headers });
  exchange(`cors: preflight, ${name}`, HANDSHAKE, { on: 'cors', method: 'OPTIONS',
    headers: { ...headers, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'x-a, content-type' } });
}
for (const [name, target, options] of [
  ['preflight without requested headers', HANDSHAKE, { method: 'OPTIONS', headers: { Origin: LISTED, 'Access-Control-Request-Method': 'POST' } }],
  ['preflight with a bad transport', '/socket.io/?EIO=4&transport=foo', { method: 'OPTIONS', headers: { Origin: LISTED } }],
  ['preflight with an unknown sid', `${HANDSHAKE}&sid=x`, { method: 'OPTIONS', headers: { Origin: LISTED } }],
  ['preflight without query', '/socket.io/', { method: 'OPTIONS', headers: { Origin: LISTED } }],
  ['OPTIONS elsewhere', '/elsewhere', { method: 'OPTIONS', headers: { Origin: LISTED } }],
  ['GET elsewhere', '/elsewhere', { headers: { Origin: LISTED } }],
  ['error 0', '/socket.io/?EIO=4&transport=foo', { headers: { Origin: LISTED } }],
  ['error 1', `${HANDSHAKE}&sid=x`, { headers: { Origin: LISTED } }],
  ['error 1, foreign origin', `${HANDSHAKE}&sid=x`, { headers: { Origin: FOREIGN } }],
  ['error 2', HANDSHAKE, { method: 'POST', body: '', headers: { Origin: LISTED } }],
  ['error 2 by HEAD', HANDSHAKE, { method: 'HEAD', headers: { Origin: LISTED } }],
  ['error 3', SOCKET, { headers: { Origin: LISTED } }],
  ['error 5', '/socket.io/?EIO=3&transport=polling', { headers: { Origin: LISTED } }],
]) exchange(`cors: ${name}`, target, { on: 'cors', ...options });

script('cors: poll and post', { on: 'cors' }, async (w) => {
  const s = await w.polling({ headers: { Origin: LISTED } });
  for (const Origin of [LISTED, FOREIGN]) {
    await s.post('40', { headers: { Origin } });
    const a = w.connect();
    a.get(s.target, { headers: { Origin } });
    await a.response();
    if (Origin === LISTED) { await s.post('41', { headers: { Origin } }); await w.settle(); }
  }
});
script('cors: an empty 400', { on: 'cors' }, async (w) => {
  const s = await w.polling({ headers: { Origin: LISTED } });
  await s.post('40', { headers: { Origin: LISTED, 'Content-Type': 'application/octet-stream' } });
});
script('cors: a second GET', { on: 'cors' }, async (w) => {
  const s = await w.polling();
  const held = await s.hold();
  const second = w.connect('second');
  second.get(s.target, { headers: { Origin: LISTED } });
  await second.response();
  await held.response();
});
script('cors: PUT on a live session', { on: 'cors' }, async (w) => {
  const s = await w.polling();
  const a = w.connect();
  a.request('PUT', s.target, { headers: { Origin: LISTED } });
  await a.response();
});
for (const [name, headers] of [['a listed origin', { Origin: LISTED }], ['no origin', {}]]) {
  script(`cors: WebSocket, ${name}`, { on: 'cors' }, async (w) => {
    const a = w.connect();
    a.upgrade(SOCKET, { headers });
    await a.response();
    await a.frames(1);
  });
}
script('cors: WebSocket, the origin of the server itself', { on: 'cors' }, async (w) => {
  const a = w.connect();
  a.upgrade(SOCKET, { headers: { Origin: 'http://wire.example' } });
  await a.response();
  await a.frames(1);
});
for (const [name, headers] of [['a foreign origin', { Origin: FOREIGN }], ['Origin: null', { Origin: 'null' }],
  ['an origin that has a listed one as prefix', { Origin: `${LISTED}.evil.example` }]]) {
  script(`cors: WebSocket, ${name}`, { on: 'cors' }, async (w) => {
    const a = w.connect();
    a.upgrade(SOCKET, { headers });
    const response = await a.response();
    if (response && response.status === 101) await a.frames(1);
    else await a.closed();
  });
}
script('cors: WebSocket refused, plain text with CORS headers or without', { on: 'cors' }, async (w) => {
  const a = w.connect();
  a.upgrade(`${SOCKET}&sid=x`, { headers: { Origin: LISTED } });
  await a.response();
  await a.closed();
});
script('cors: upgrade of a polling session', { on: 'cors' }, async (w) => {
  const s = await w.polling({ headers: { Origin: LISTED } });
  const ws = await s.upgrade('ws', { headers: { Origin: LISTED } });
  ws.text('2probe');
  await ws.frames(1);
});
script('cors: upgrade of a polling session, foreign origin', { on: 'cors' }, async (w) => {
  const s = await w.polling({ headers: { Origin: LISTED } });
  const ws = await s.upgrade('ws', { headers: { Origin: FOREIGN } });
  ws.text('2probe');
  await ws.frames(1);
});

module.exports = scripts;
