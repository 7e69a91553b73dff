'use strict';
// What a program can say in Engine.IO's handshakes and answers, the client's files, and Engine.IO alone: the same scripts
// against the official packages (engine_server.js) and against our header (engine_server.cpp); the transcripts have to be
// equal, but for the differences that a script lists with a reason. Then the official engine.io-client against both.
//
//   node --test engine_api.test.js
//   SIO_ENGINE_SERVER_BINARY=path      the program to compare, default build/engine_server

const assert = require('node:assert');
const path = require('node:path');
const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { Socket } = require('engine.io-client');
const { MODES, once, until, within } = require('../common/harness');
const { after, before, describe, it } = require('../common/test');
const { delay, frame, run } = require('../common/transcript');
const { killAll, start } = require('../common/program');

const CLIENT_DIST = path.join(path.dirname(require.resolve('socket.io/package.json')), 'client-dist');
const { version } = require('socket.io/package.json');
const programs = {
  official: [process.execPath, path.join(__dirname, 'engine_server.js')],
  ours: [path.resolve(__dirname, process.env.SIO_ENGINE_SERVER_BINARY || '../../../build/engine_server')],
};
const KINDS = ['hooks', 'cookie', 'slash', 'files', 'engine'];

// ---- the scripts ----------------------------------------------------------------------------------------------------------

const scripts = [];
const script = (kind, name, body, differs = []) => scripts.push({ kind, name: `${kind}: ${name}`, run: body, differs, tag: `e${scripts.length}x` });

const target = (w, query, transport = 'polling', base = '/socket.io/') => `${base}?EIO=4&transport=${transport}&tag=${w.tag}${query}`;

// One GET on a connection of its own, and its answer.
async function exchange(w, to, options = {}) {
  const wire = w.connect();
  wire.request(options.method || 'GET', to, options);
  const response = await wire.response();
  wire.socket.destroy();
  return response;
}
async function upgraded(w, to, options = {}) {
  const wire = w.connect();
  wire.upgrade(to, options);
  await wire.response();
  return wire;
}
// What the program's handlers have seen of this script, once there are n entries.
async function seen(w, n) {
  const mine = await until(async () => {
    const all = JSON.parse(await w.fetch('/journal')).filter(([tag]) => tag === w.tag);
    return all.length >= n && all;
  }, `${n} entries in the journal`).catch(async () => JSON.parse(await w.fetch('/journal')).filter(([tag]) => tag === w.tag));
  for (const [, ...entry] of mine) w.note(entry.join(' | '));
}

// -- allow_request: now and later, over both transports, asked once a session

for (const [name, query] of [['accepted', ''], ['refused', '&allow=no'], ['refused without a text', '&allow=empty'],
  ['refused later', '&allow=later-no'], ['accepted later', '&allow=later']]) {
  script('hooks', `allow_request: ${name}, polling`, (w) => exchange(w, target(w, query)));
  script('hooks', `allow_request: ${name}, websocket`, async (w) => {
    const wire = await upgraded(w, target(w, query, 'websocket'));
    if (query === '' || query === '&allow=later') await wire.frames(1);
    else await wire.closed();
  });
}
script('hooks', 'allow_request: before the version is looked at', async (w) => {
  for (const allow of ['no', '']) await exchange(w, target(w, `&allow=${allow}`).replace('EIO=4', 'EIO=3'));
});
script('hooks', 'allow_request: behind the other checks', async (w) => {
  await exchange(w, target(w, '&allow=no', 'tcp'));
  await exchange(w, target(w, '&allow=no&sid=nobody'));
  await exchange(w, target(w, '&allow=no'), { method: 'POST', body: '4x' });
  await exchange(w, target(w, '&allow=no', 'websocket'));
});
// (Frames that come before a late answer are lost by the official server; ours keeps them, see engine_api_test.cpp.)
script('hooks', 'allow_request: a WebSocket goes on behind a late answer', async (w) => {
  const wire = await upgraded(w, target(w, '&allow=later', 'websocket'));
  await wire.frames(1);
  wire.text('40');
  await wire.frames(2);
});
script('hooks', 'allow_request: the client leaves before the answer', async (w) => {
  for (const allow of ['later', 'later-no']) {
    w.connect().get(target(w, `&allow=${allow}`)).drop();
    const wire = w.connect();
    wire.upgrade(target(w, `&allow=${allow}`, 'websocket'));
    await delay(50);
    wire.drop();
  }
  await delay(400);
  await exchange(w, target(w, ''));
});

// -- generate_id, headers, cookie

script('hooks', 'generate_id: a whole session under the chosen id', async (w) => {
  const id = `chosen-${w.tag}~._`;
  await exchange(w, target(w, `&id=${id}`));
  await exchange(w, target(w, `&sid=${id}`), { method: 'POST', body: '40' });
  const wire = await upgraded(w, target(w, `&sid=${id}`, 'websocket'));
  wire.text('2probe');
  await wire.frames(1);
  wire.text('5');
  await wire.frames(2);
  await upgraded(w, target(w, `&id=${id}-ws`, 'websocket')).then((ws) => ws.frames(1));
});
script('hooks', 'headers: handshake, polls, a held poll, POST, upgrade, errors', async (w) => {
  const open = await exchange(w, target(w, '&n=7'), { headers: { Origin: 'http://app.example' } });
  const sid = /"sid":"([^"]*)/.exec(open.body)[1];
  const session = (transport) => target(w, `&sid=${sid}`, transport);
  await exchange(w, session(), { method: 'POST', body: '40' });
  await exchange(w, session());
  const wire = await upgraded(w, session('websocket'));
  wire.close();
  await wire.closed();
  await exchange(w, session(), { method: 'PUT', body: 'x' });
  await exchange(w, target(w, '&sid=nobody'));
  await exchange(w, target(w, ''), { method: 'OPTIONS', headers: { Origin: 'http://app.example', 'Access-Control-Request-Method': 'POST' } });
  await upgraded(w, target(w, '&n=8', 'websocket'), { headers: { 'Sec-WebSocket-Protocol': 'a, b' } }).then((ws) => ws.frames(1));
  await upgraded(w, target(w, '', 'polling')).then((ws) => ws.frames(1));
}, [{
  why: 'No client sends PUT; a refusal like any other is not the failure of the server that theirs reports.',
  theirs: /^(\w+)< 500 Internal Server Error \| Access-Control-Allow-Origin: \* \| Date: \* \| Connection: keep-alive \| Keep-Alive: \*$/,
  ours: '$1< 400 Bad Request | Access-Control-Allow-Origin: * | Content-Type: application/json | Date: * | Connection: keep-alive | Keep-Alive: * | body {"code":2,"message":"Bad handshake method"}',
}]);
script('hooks', 'headers: on a poll that waited', async (w) => {
  const open = await exchange(w, target(w, ''));
  const session = target(w, `&sid=${/"sid":"([^"]*)/.exec(open.body)[1]}`);
  await exchange(w, session, { method: 'POST', body: '40' });
  await w.muted(async () => {
    for (let packets = 0; packets < 2;) packets += (await exchange(w, session)).body.toString().split('\x1e').length;
  });
  const held = w.connect('held');
  held.get(session);
  await held.quiet();
  await exchange(w, session, { method: 'POST', body: '42["later"]' });
  await held.response();
});
script('cookie', 'every attribute, on the polling handshake alone', async (w) => {
  const open = await exchange(w, target(w, ''));
  const cookie = open.headers.find(([name]) => name === 'Set-Cookie')[1];
  const sid = /"sid":"([^"]*)/.exec(open.body)[1];
  assert.ok(cookie.startsWith(`c=${sid}; `), cookie);
  await exchange(w, target(w, `&sid=${sid}`), { method: 'POST', body: '40' });
  await exchange(w, target(w, `&sid=${sid}`), { headers: { Cookie: cookie } });
  await upgraded(w, target(w, '', 'websocket')).then((ws) => ws.frames(1));
});

// -- the path

script('slash', 'with and without its final slash', async (w) => {
  for (const base of ['/socket.io', '/socket.io/', '/socket.iofoo', '/socket.io/foo/bar', '/socket.i', '/Socket.io']) await exchange(w, target(w, '', 'polling', base));
  await upgraded(w, target(w, '', 'websocket', '/socket.iofoo')).then((ws) => ws.frames(1));
});
script('slash', 'destroy_upgrade off: an upgrade that nobody serves stays', async (w) => {
  const wire = w.connect();
  wire.upgrade('/elsewhere');
  await wire.quiet(1500);
});
script('hooks', 'destroy_upgrade: an upgrade that nobody serves ends after its time', async (w) => {
  for (const to of ['/elsewhere', '/socket.io?EIO=4&transport=websocket']) {
    const wire = w.connect();
    const since = Date.now();
    wire.upgrade(to);
    await wire.quiet(200);
    await wire.closed();
    assert.ok(Date.now() - since > 950, 'ended before its time');
  }
});

// -- connection_error

script('hooks', 'connection_error: code, message and context of each refusal', async (w) => {
  const ask = (...rest) => w.muted(() => exchange(w, ...rest));
  const ask_ws = (...rest) => w.muted(() => upgraded(w, ...rest));
  await ask(target(w, '', 'tcp'));
  await ask(target(w, '&sid=nobody'));
  await ask(target(w, ''), { method: 'POST', body: 'x' });
  await ask(target(w, '', 'websocket'));
  await ask(target(w, '&allow=no'));
  await ask(target(w, '&allow=later-no'));
  await ask_ws(target(w, '&allow=no', 'websocket'));
  await ask_ws(target(w, '&sid=nobody', 'websocket'));
  await ask(target(w, '').replace('EIO=4', 'EIO=3'));
  await ask('/elsewhere');
  await ask_ws(target(w, '', 'websocket'), { headers: { 'Sec-WebSocket-Key': 'x' } });
  await seen(w, 9);
});

// -- the client's files

const FILES = ['', '.min', '.esm.min', '.msgpack.min'].flatMap((variant) => [`socket.io${variant}.js`, `socket.io${variant}.js.map`]);
script('files', 'each of them', async (w) => {
  for (const name of FILES) await exchange(w, `/socket.io/${name}`);
});
script('files', 'HEAD, a query, other names', async (w) => {
  await exchange(w, '/socket.io/socket.io.js', { method: 'HEAD' });
  await exchange(w, '/socket.io/socket.io.js?v=1&x=/../y');
  for (const name of ['socket.io.css', 'socket.io.js/', 'SOCKET.IO.js', 'x/socket.io.js', '../socket.io.js', 'package.json']) await exchange(w, `/socket.io/${name}`);
  await exchange(w, '/socket.io.js');
  await exchange(w, target(w, ''));
});
script('files', 'what a client has already', async (w) => {
  for (const has of [`"${version}"`, `W/"${version}"`, '"4.0.0"', version, '""'])
    await exchange(w, '/socket.io/socket.io.min.js.map', { headers: { 'If-None-Match': has } });
  await exchange(w, '/socket.io/socket.io.min.js', { method: 'HEAD', headers: { 'If-None-Match': `"${version}"` } });
});
script('files', 'a list of versions, and any', async (w) => {
  for (const has of [`"4.0.0", "${version}"`, '*']) {
    const response = await w.muted(() => exchange(w, '/socket.io/socket.io.js', { headers: { 'If-None-Match': has } }));
    w.note(`${has}: ${response.status}`);
  }
}, [{ why: 'A list is what the header holds (RFC 9110, 13.1.2).', theirs: /^(# .*): 200$/, ours: '$1: 304' }]);
script('files', 'POST', async (w) => {
  const response = await w.muted(() => exchange(w, '/socket.io/socket.io.min.js', { method: 'POST', body: 'x' }));
  w.note(String(response.status));
}, [{ why: 'A file is not something to post to; the request is Engine.IO\'s, which does not know the transport.', theirs: /^# 200$/, ours: '# 400' }]);

// -- Engine.IO alone

script('engine', 'polling: handshake, texts, bytes, the end', async (w) => {
  const at = (query, transport) => target(w, query, transport, '/engine.io/');
  const open = await exchange(w, at(''));
  const sid = /"sid":"([^"]*)/.exec(open.body)[1];
  await exchange(w, at(`&sid=${sid}`), { method: 'POST', body: '4é😀\x1ebAQID' });
  await exchange(w, at(`&sid=${sid}`));
  await exchange(w, at(`&sid=${sid}`), { method: 'POST', body: '4close' });
  await exchange(w, at(`&sid=${sid}`));
  await exchange(w, at(`&sid=${sid}`));
  await seen(w, 3);
});
script('engine', 'websocket: texts, bytes, the end', async (w) => {
  const wire = await upgraded(w, target(w, '', 'websocket', '/engine.io/'));
  await wire.frames(1);
  wire.texts('4a', '4', '4é😀');
  await wire.frames(3);
  wire.binary([1, 2, 255]);
  await wire.frames(1);
  wire.text('4close');
  await wire.frames(1);
  wire.close();
  await wire.closed();
  await seen(w, 2);
});
script('engine', 'upgrade: what waits comes first', async (w) => {
  const at = (query, transport) => target(w, query, transport, '/engine.io/');
  const open = await exchange(w, at(''));
  const sid = /"sid":"([^"]*)/.exec(open.body)[1];
  await exchange(w, at(`&sid=${sid}`), { method: 'POST', body: '4one\x1e4two' });
  const wire = await upgraded(w, at(`&sid=${sid}`, 'websocket'));
  wire.text('2probe');
  await wire.frames(1);
  wire.texts('5', '4three');
  await wire.frames(4);
  await exchange(w, at(`&sid=${sid}`));
  wire.close(1000);
  await wire.frames(1);
  await wire.closed();
  wire.drop();
  await seen(w, 4);
});
script('engine', 'the default path of the package, and no other', async (w) => {
  for (const base of ['/engine.io/', '/engine.io', '/socket.io/']) await exchange(w, target(w, '', 'polling', base));
});

// ---- running them ---------------------------------------------------------------------------------------------------------

const flags = (kind) => ['--host', '127.0.0.1', '--port', '0', '--kind', kind, '--folder', CLIENT_DIST, '--version', version];
const startAll = async (command) => Object.fromEntries(await Promise.all(KINDS.map(async (kind) => [kind, await start(command, flags(kind))])));

function asIntended(lines, differs) {
  let out = lines;
  for (const { why, theirs, ours } of differs) {
    const changed = out.map((line) => line.replace(theirs, ours));
    assert.notDeepEqual(changed, out, `no difference any more, take it off the list: ${why}`);
    out = changed;
  }
  return out;
}

describe('what a program can say in Engine.IO, the same on the wire as the official server', () => {
  let official;
  let ours;
  before(async () => { [official, ours] = await Promise.all([startAll(programs.official), startAll(programs.ours)]); });
  after(killAll);

  describe('scripts', { concurrency: 8 }, () => {
    for (const one of scripts) {
      it(one.name, async () => {
        const [expected, got] = await Promise.all([run(one, official[one.kind], one.tag), run(one, ours[one.kind], one.tag)]);
        assert.ok(!expected.some((line) => line.startsWith('!!')), `the script failed\n${expected.join('\n')}`);
        assert.deepEqual(got, asIntended(expected, one.differs));
      });
    }
  });

  for (const who of ['official', 'ours']) {
    for (const [mode, { transports }] of Object.entries(MODES)) {
      it(`the official engine.io-client over ${mode}, ${who}`, () => converse((who === 'ours' ? ours : official).engine, mode, transports));
    }
  }

  it('the files are the package\'s own', async () => {
    for (const name of FILES.filter((file) => !file.endsWith('msgpack.min.js.map'))) {
      const response = await fetch(`http://127.0.0.1:${ours.files.port}/socket.io/${name}`);
      assert.ok(Buffer.from(await response.arrayBuffer()).equals(readFileSync(path.join(CLIENT_DIST, name))), name);
    }
  });

  it('our servers end with 0 when told to', async () => {
    for (const server of Object.values(ours)) assert.equal(await server.stop(), 0, server.stderr);
  });
});

// Texts and bytes, small and large, come back in their order.
async function converse(server, mode, transports) {
  const socket = new Socket(`ws://127.0.0.1:${server.port}`, { transports });
  socket.binaryType = 'nodebuffer';
  const heard = [];
  const shown = (data = '') => {                      // over polling, the client gives an empty text as undefined
    const text = Buffer.isBuffer(data) ? `bytes ${data.toString('hex')}` : data;
    return text.length < 100 ? text : `${text.length} characters, sha1 ${createHash('sha1').update(text).digest('hex')}`;
  };
  socket.on('message', (data) => heard.push(shown(data)));
  try {
    await once(socket, 'open');
    if (mode === 'upgrade') await until(() => heard.includes('upgraded') && heard.splice(0), 'the upgrade');
    assert.equal(socket.transport.name, mode === 'polling' ? 'polling' : 'websocket');
    const large = 'é'.repeat(50000);
    const bytes = Buffer.from(Array.from({ length: 70000 }, (_, i) => i & 255));
    const sent = ['hello', '', '\u2028 😀', Buffer.from([0, 1, 255]), large, bytes, 'last'];
    for (const data of sent) socket.send(data);
    await until(() => heard.includes('last'), 'the echo').catch((error) => { throw new Error(`${error.message}: heard ${heard.length}`); });
    assert.deepEqual(heard, sent.map(shown));
    const closed = within(new Promise((resolve) => { socket.once('close', resolve); }), 'the end');
    socket.send('close');
    assert.equal(await closed, 'transport close');
  } finally {
    socket.close();
  }
}
