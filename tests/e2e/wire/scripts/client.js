'use strict';
// Scripts of the official client: what its users see, over polling only, WebSocket only, and upgrade.

const net = require('node:net');
const { collect, delay, PATIENCE } = require('../../common/transcript');
const { script, scripts } = collect();

const MODES = { polling: ['polling'], websocket: ['websocket'], upgrade: ['polling', 'websocket'] };

// A client of its own transport. `log` names it in the transcript.
function client(w, mode, namespace = '/', { manager, auth, query, server = w.server, ...options } = {}) {
  const { Manager } = require('socket.io-client');
  const m = manager || new Manager(`http://${server.host}:${server.port}`, {
    transports: MODES[mode], query: { tag: w.tag, ...query }, reconnection: false, autoConnect: false, ...options });
  const socket = m.socket(namespace, { auth });
  w.cleanup.push(() => m._close());
  socket.on('disconnect', (reason) => { socket.reason = reason; });
  socket.connect();
  return socket;
}

function event(emitter, name) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${name} within ${PATIENCE} ms`)), PATIENCE);
    timer.unref();                                    // who waits for one of two events leaves the other one's timer behind
    emitter.once(name, (...args) => { clearTimeout(timer); resolve(args); });
  });
}
/** The arguments of the next `count` events of that name. */
function events(emitter, name, count) {
  return new Promise((resolve, reject) => {
    const all = [];
    const timer = setTimeout(() => reject(new Error(`${all.length} of ${count} ${name} within ${PATIENCE} ms`)), PATIENCE);
    emitter.on(name, function listen(...args) {
      if (all.push(args) < count) return;
      clearTimeout(timer);
      emitter.off(name, listen);
      resolve(all);
    });
  });
}
const connected = (socket) => (socket.connected ? Promise.resolve() : event(socket, 'connect'));
async function opened(w, mode, namespace, options) {
  const socket = client(w, mode, namespace, options);
  await connected(socket);
  if (mode === 'upgrade') await upgraded(socket);
  return socket;
}
async function upgraded(socket) {
  if (socket.io.engine.transport.name !== 'websocket') await event(socket.io.engine, 'upgrade');
}
const show = (value) => JSON.stringify(value, (_, v) => {
  if (v && v.type === 'Buffer' && Array.isArray(v.data)) return `<${Buffer.from(v.data).toString('hex').slice(0, 40)}:${v.data.length}>`;
  if (typeof v === 'string' && v.length > 200) return `${v.slice(0, 20)}…${v.length}`;
  return v;
});

function inEveryMode(name, run, options = {}) {
  for (const mode of Object.keys(MODES)) script(`client: ${name} (${mode})`, options, (w) => run(w, mode));
}

inEveryMode('events and acks', async (w, mode) => {
  const s = await opened(w, mode);
  w.log(`transport ${s.io.engine.transport.name}, recovered ${s.recovered}, id of ${s.id.length} characters`);
  w.log(`ack ${show(await s.timeout(PATIENCE).emitWithAck('echo', 1))}`);
  s.emit('echo-back', 'a', { b: [1, null, true] }, 'é€😀');
  w.log(`echoed ${show(await event(s, 'echoed'))}`);
  s.emit('echo', 1, 'two', (...args) => w.log(`ack ${show(args)}`));
  w.log(`who ${show((await s.timeout(PATIENCE).emitWithAck('who')).transport)}`);
});
inEveryMode('acks asked for by the server', async (w, mode) => {
  const s = await opened(w, mode);
  s.on('question', (...args) => args.pop()('answer', ...args, Buffer.from([1])));
  s.emit('ask', 1, Buffer.from([2, 3]));
  w.log(`answered ${show(await event(s, 'answered'))}`);
  s.removeAllListeners('question').on('question', () => {});
  s.emit('ask-within', 100);
  w.log(`answered ${show(await event(s, 'answered'))}`);
});
inEveryMode('acks asked for by the server of a room', async (w, mode) => {
  const [a, b] = [await opened(w, mode), await opened(w, mode)];
  for (const s of [a, b]) {
    s.emit('join', w.tag);
    await s.timeout(PATIENCE).emitWithAck('echo', 1);
  }
  a.on('question', (...args) => args.pop()('a', ...args));
  b.on('question', (...args) => { const back = args.pop(); setTimeout(() => back({ b: Buffer.from([1, 2]) }, 'lost'), 200); });
  a.emit('ask-room', w.tag, 60000, Buffer.from([3]));
  w.log(`answers ${show(await event(a, 'answers'))}`);
  b.removeAllListeners('question');
  a.emit('ask-room', w.tag, 3000, 'one is silent');
  w.log(`answers ${show(await event(a, 'answers'))}`);
  a.emit('ask-room', `${w.tag}-empty`, 60000);
  w.log(`answers ${show(await event(a, 'answers'))}`);
});
inEveryMode('binary both ways', async (w, mode) => {
  const s = await opened(w, mode);
  for (const args of [[Buffer.from([1, 2, 3])], [Buffer.alloc(0)], ['x', { a: [Buffer.from([1]), { b: Buffer.from([2, 2]) }], c: null }, Buffer.from([3])],
    Array.from({ length: 10 }, (_, i) => Buffer.from([i])), [Buffer.alloc(100000, 0x5a)], [new Uint8Array([9, 8]).buffer]]) {
    s.emit('bin', ...args);
    w.log(`bin ${show(await event(s, 'bin'))}`);
    w.log(`ack ${show(await new Promise((resolve) => s.emit('echo', ...args, (...back) => resolve(back))))}`);
  }
});
inEveryMode('namespaces over one transport', async (w, mode) => {
  const root = await opened(w, mode);
  const plain = client(w, mode, '/plain', { manager: root.io });
  await connected(plain);
  const admin = client(w, mode, '/admin', { manager: root.io, auth: { token: 'abc' } });
  await connected(admin);
  w.log(`three ids: ${new Set([root.id, plain.id, admin.id]).size}`);
  for (const s of [root, plain, admin]) w.log(`${s.nsp} ${show(await s.timeout(PATIENCE).emitWithAck('echo', s.nsp))}`);
  plain.disconnect();
  w.log(`plain: ${plain.reason}`);
  await w.reasons(1);
  w.log(`root goes on ${show(await root.timeout(PATIENCE).emitWithAck('echo', 1))}`);
  plain.connect();
  await connected(plain);
  w.log(`plain again ${show(await plain.timeout(PATIENCE).emitWithAck('echo', 2))}`);
  root.disconnect();
  plain.disconnect();
  admin.disconnect();
  await w.reasons(4);
});
inEveryMode('refusals', async (w, mode) => {
  for (const [namespace, auth] of [['/deny'], ['/admin', { token: 'wrong' }], ['/nope'], ['/early']]) {
    const s = client(w, mode, namespace, { auth });
    s.on('early', (...args) => w.log(`early ${show(args)}`));
    const seen = await Promise.race([event(s, 'connect_error').then(([error]) => ['connect_error', error.message, error.data]), event(s, 'connect').then(() => ['connect'])]);
    w.log(`${namespace} ${show(seen)}`);
  }
});
inEveryMode('refused, then admitted with another token', async (w, mode) => {
  const s = client(w, mode, '/admin', { auth: { token: 'wrong' } });
  const [error] = await event(s, 'connect_error');
  w.log(`${error.message} ${show(error.data)}, active ${s.active}`);
  await delay(50);
  s.auth = { token: 'abc' };
  s.connect();
  await connected(s);
  w.log(`ack ${show(await s.timeout(PATIENCE).emitWithAck('echo', 'in'))}`);
});
for (const [name, act] of [
  ['client disconnect', (s) => s.disconnect()],
  ['server disconnect', (s) => s.emit('leave')],
  ['server disconnect with the transport', (s) => s.emit('kick')],
  ['server closes the engine', (s) => s.emit('close-engine')],
  ['client closes the engine', (s) => s.io.engine.close()],
]) {
  inEveryMode(`reasons: ${name}`, async (w, mode) => {
    const s = await opened(w, mode);
    await s.timeout(PATIENCE).emitWithAck('echo', 1);
    const gone = event(s, 'disconnect');
    act(s);
    const [reason] = await gone;
    w.log(`client: ${reason}, active ${s.active}`);
    await w.reasons(1);
  }, name.includes('engine') && name.startsWith('server') ? { needs: 'engine close' } : {});
}
inEveryMode('reasons: client sends a malformed packet', async (w, mode) => {
  const s = await opened(w, mode);
  const gone = event(s, 'disconnect');
  s.io.engine.write('2{}');
  w.log(`client: ${(await gone)[0]}`);
  await w.reasons(1);
});
inEveryMode('reasons: client sends a malformed engine packet', async (w, mode) => {
  const s = await opened(w, mode);
  const gone = event(s, 'disconnect');
  s.io.engine.transport.send([{ type: 'ping', data: '' }]);
  w.log(`client: ${(await gone)[0]}`);
  await w.reasons(1);
});
inEveryMode('reasons: message over the limit', async (w, mode) => {
  const s = await opened(w, mode);
  const gone = event(s, 'disconnect');
  s.emit('echo-back', 'z'.repeat(3000));
  const [reason, details] = await gone;
  const d = details && (details.description || details.context && details.context.status || details);
  w.log(`client: ${reason}, ${typeof d === 'number' ? d : d && (d.code || d.type)}`);
  await w.reasons(1);
}, { on: 'small' });
inEveryMode('reasons: client stops answering pings', async (w, mode) => {
  const s = await opened(w, mode);
  const gone = event(s, 'disconnect');
  s.io.engine.transport.on('packet', () => {});
  const send = s.io.engine._sendPacket || s.io.engine.sendPacket;
  s.io.engine[s.io.engine._sendPacket ? '_sendPacket' : 'sendPacket'] = function (type, ...rest) { if (type !== 'pong') return send.call(this, type, ...rest); };
  w.log(`client: ${(await gone)[0]}`);
  await w.reasons(1);
}, { on: 'beat' });
inEveryMode('stays for many heartbeats', async (w, mode) => {
  const s = await opened(w, mode);
  let pings = 0;
  s.io.on('ping', () => pings++);
  await delay(4500);
  w.log(`pings: ${pings >= 3}, connected ${s.connected}`);
  w.log(`ack ${show(await s.timeout(PATIENCE).emitWithAck('echo', 'alive'))}`);
}, { on: 'beat' });
inEveryMode('a slow middleware, and packets sent before', async (w, mode) => {
  const s = client(w, mode, '/slow');
  const back = [];
  s.on('echoed', (text) => back.push(text));
  s.emit('echo-back', 'buffered 1');
  s.emit('echo-back', 'buffered 2');
  await connected(s);
  await s.timeout(PATIENCE).emitWithAck('echo', 1);
  w.log(show(back));
});
inEveryMode('a greeting in the connection handler', async (w, mode) => {
  const s = client(w, mode, '/', { query: { greet: '1' } });
  const seen = [];
  s.on('connect', () => seen.push('connect'));
  s.on('hello', (n) => seen.push(`hello ${n}`));
  await event(s, 'hello');
  w.log(seen.join(', '));
});
inEveryMode('rooms', async (w, mode) => {
  const all = [];
  for (const name of ['a', 'b', 'c']) {
    const s = await opened(w, mode);
    s.heard = [];
    s.on('shout', (text) => s.heard.push(text));
    s.emit('join', w.tag);
    await s.timeout(PATIENCE).emitWithAck('echo', 1);
    all.push(s);
  }
  const [a, b, c] = all;
  const settled = async () => { for (const s of all) await s.timeout(PATIENCE).emitWithAck('echo', 1); };
  a.emit('shout', w.tag, 'all');
  await settled();
  b.emit('shout-others', w.tag, 'others');
  await settled();
  c.emit('part', w.tag);
  await settled();
  a.emit('shout', w.tag, 'two');
  await settled();
  a.disconnect();
  b.emit('shout', w.tag, 'last');
  for (const s of [b, c]) await s.timeout(PATIENCE).emitWithAck('echo', 1);
  for (const s of all) w.log(`heard ${show(s.heard)}`);
});
inEveryMode('two hundred messages each way from the first moment', async (w, mode) => {
  const s = client(w, mode);
  const back = [];
  s.on('echoed', (i) => back.push(i));
  const done = new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`only ${back.length} of 200`)), PATIENCE).unref();
    s.on('echoed', () => back.length === 200 && resolve());
  });
  await connected(s);
  for (let i = 0; i < 200; i++) { s.emit('echo-back', i); if (i % 20 === 0) await delay(2); }
  await done;
  if (mode === 'upgrade') await upgraded(s);
  w.log(`in order: ${back.every((n, i) => n === i)}, transport ${s.io.engine.transport.name}`);
});
inEveryMode('a burst from the server while upgrading', async (w, mode) => {
  const s = client(w, mode);
  const got = [];
  s.on('burst', (i) => got.push(i));
  await connected(s);
  for (let i = 0; i < 5; i++) { s.emit('burst', 40); await delay(15); }
  for (let i = 0; i < 400 && got.length < 200; i++) await delay(20);
  w.log(`got ${got.length}, in order: ${got.every((n, i) => n === i % 40)}`);
});
inEveryMode('binary while upgrading', async (w, mode) => {
  const s = client(w, mode);
  const got = [];
  s.on('bin', (i, ...buffers) => got.push([i, ...buffers.map((b) => b.toString('hex'))].join(' ')));
  await connected(s);
  for (let i = 0; i < 30; i++) { s.emit('bin', i, Buffer.from([i]), Buffer.from([i, i])); if (i % 6 === 0) await delay(5); }
  for (let i = 0; i < 400 && got.length < 30; i++) await delay(20);
  w.log(got.join(', '));
});
inEveryMode('messages near the limit', async (w, mode) => {
  const s = await opened(w, mode);
  for (const n of [1000, 65000, 500000, 999970]) {
    s.emit('echo-back', 'z'.repeat(n));
    w.log(`echoed ${(await event(s, 'echoed'))[0].length}`);
  }
  s.emit('echo-back', '€'.repeat(300000));
  w.log(`echoed ${(await event(s, 'echoed'))[0].length}`);
});
inEveryMode('many messages under a small limit are batched', async (w, mode) => {
  const s = await opened(w, mode);
  const back = [];
  s.on('echoed', (text) => back.push(text.length));
  for (let i = 0; i < 30; i++) s.emit('echo-back', 'z'.repeat(100 + i));
  for (let i = 0; i < 400 && back.length < 30; i++) await delay(20);
  w.log(show(back));
}, { on: 'small' });
inEveryMode('unicode', async (w, mode) => {
  const s = await opened(w, mode);
  for (const text of ['é', '€', '😀', '\u0000\u001e\u001f\u007f', '\u2028\u2029', '\ufeff', '￿', '"\\/', '日本語', 'a\u0301', '👨‍👩‍👧']) {
    s.emit('echo-back', text, { [text]: text });
    const [back, object] = await event(s, 'echoed');
    w.log(`${[...text].map((c) => c.codePointAt(0).toString(16)).join(' ')}: ${back === text} ${object[text] === text}`);
  }
});
inEveryMode('half a surrogate pair', async (w, mode) => {
  const s = await opened(w, mode);
  s.emit('echo-back', 'a\ud83db', { k: '\ude00' });
  const [text, object] = await event(s, 'echoed');
  w.log([text, object && object.k].map((t) => t && Array.from(t, (c) => c.codePointAt(0).toString(16)).join(' ')).join(', '));
});
inEveryMode('JSON values', async (w, mode) => {
  const s = await opened(w, mode);
  const args = [undefined, null, NaN, Infinity, -0, 1e21, 1e-7, 0.1, 123456789012345680000, new Date(1700000000123), { u: undefined, f() {}, 2: 'two', 1: 'one', a: 1, b: 2 }, [], {}, ''];
  s.emit('echo-back', ...args);
  w.log(show(await event(s, 'echoed')));
});
inEveryMode('reconnects after the server closed the engine', async (w, mode) => {
  const s = await opened(w, mode, '/', { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50 });
  const first = s.id;
  s.emit('close-engine');
  await event(s, 'disconnect');
  await connected(s);
  w.log(`another id: ${s.id !== first}, ack ${show(await s.timeout(PATIENCE).emitWithAck('echo', 'back'))}`);
}, { needs: 'engine close' });
inEveryMode('reconnects after a malformed packet', async (w, mode) => {
  const s = await opened(w, mode, '/', { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50 });
  const first = s.id;
  s.io.engine.write('2{}');
  await event(s, 'disconnect');
  await connected(s);
  w.log(`another id: ${s.id !== first}, ack ${show(await s.timeout(PATIENCE).emitWithAck('echo', 'back'))}`);
});
inEveryMode('reasons: the server closes', async (w, mode) => {
  const s = await opened(w, mode);
  const gone = event(s, 'disconnect');
  s.emit('close-server');
  w.log(`client: ${(await gone)[0]}, active ${s.active}`);
  await w.printed(1);
}, { alone: true });
// ---- Namespaces made on demand, middlewares of a socket -------------------------------------------------------------------

inEveryMode('namespaces made on demand', async (w, mode) => {
  const root = await opened(w, mode);
  for (const [namespace, auth] of [[`/room-${w.tag}${mode}`], [`/room-${w.tag}${mode}strict`], [`/asked-${w.tag}`, { token: 'abc' }], [`/asked-no-${w.tag}`, { token: 'x' }], ['/roam']]) {
    const s = client(w, mode, namespace, { manager: root.io, auth });
    const [what, error] = await Promise.race([event(s, 'connect_error').then(([e]) => ['connect_error', e.message]), event(s, 'connect').then(() => ['connect'])]);
    w.log(`${what} ${error}`);
    if (what === 'connect') w.log(`ack ${show(await s.timeout(PATIENCE).emitWithAck('echo', 1))}`);
  }
  w.log(`made ${show(await root.timeout(PATIENCE).emitWithAck('made', `/room-${w.tag}${mode}`))}`);
});
inEveryMode('events that a middleware of the socket refuses', async (w, mode) => {
  const s = await opened(w, mode, '/watched');
  const troubles = events(s, 'trouble', 2);            // the first may come behind the time-out where the machine is busy
  w.log(await new Promise((resolve) => s.timeout(500).emit('refused', (error) => resolve(error ? error.message : 'an ack'))));
  s.emit('refused later', Buffer.from([1]));
  for (const args of await troubles) w.log(show(args));
  const told = events(s, 'told', 2);                   // both may come at once where the machine is busy
  s.emit('slow', 'later', Buffer.from([1, 2]));
  s.emit('tell', 'at once');
  for (const args of await told) w.log(show(args));
});
inEveryMode('rooms that others make one join and leave', async (w, mode) => {
  const [a, b] = [await opened(w, mode), await opened(w, mode)];
  const settled = async () => { for (const s of [a, b]) await s.timeout(PATIENCE).emitWithAck('echo', 1); };
  for (const s of [a, b]) {
    s.heard = [];
    s.on('shout', (...args) => s.heard.push(args));
    s.emit('join', w.tag);
  }
  a.emit('remember', 'a', { b: [1, null] });
  await settled();
  a.emit('all-join', w.tag, `${w.tag}-2`);
  await settled();
  b.emit('shout', `${w.tag}-2`, 'two');
  await settled();
  a.emit('all-part', w.tag, `${w.tag}-2`);
  await settled();
  b.emit('shout', `${w.tag}-2`, 'nobody');
  await settled();
  const fetched = await b.timeout(PATIENCE).emitWithAck('fetch', w.tag);
  w.log(show(fetched.map(({ auth, data, id, rooms }) => [auth, data, id === a.id ? 'a' : id === b.id ? 'b' : id, rooms.length]).sort(([, , x], [, , y]) => (x < y ? -1 : 1))));
  const gone = [event(a, 'disconnect'), event(b, 'disconnect')];
  a.emit('all-go', w.tag, true);
  w.log(show(await Promise.all(gone).then((all) => all.map(([reason]) => reason))));
  await w.reasons(2);
  for (const s of [a, b]) w.log(show(s.heard));
});

// ---- Connection state recovery --------------------------------------------------------------------------------------------

// Lets connections through to the server, until they are cut; refuses them until it is mended.
async function proxied(w) {
  const pairs = new Set();
  let broken = false;
  const listener = net.createServer((near) => {
    if (broken) return near.destroy();
    const far = net.connect(w.server.port, w.server.host);
    const pair = { near, far, silent: Date.now() };
    pairs.add(pair);
    near.on('data', () => { pair.silent = Date.now(); });
    far.on('data', () => { pair.silent = 0; });       // answered: nothing is held there
    near.pipe(far).pipe(near);
    const end = () => { near.destroy(); far.destroy(); pairs.delete(pair); };
    for (const socket of [near, far]) socket.on('error', end).on('close', end);
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  w.cleanup.push(() => { listener.close(); for (const { near, far } of pairs) { near.destroy(); far.destroy(); } });
  return {
    server: { ...w.server, port: listener.address().port },
    async pollHeld() { while (![...pairs].some(({ silent }) => silent && Date.now() - silent > 150)) await delay(20); },
    cut() { broken = true; for (const { near, far } of pairs) { near.destroy(); far.destroy(); } },
    mend() { broken = false; },
  };
}

// Somebody in the room `tag` who hears shouts, and another one who shouts.
async function listenerAndHost(w, mode, options) {
  const host = await opened(w, 'websocket');
  const s = await opened(w, mode, '/', options);
  s.heard = [];
  s.on('shout', (...args) => s.heard.push(args[0]));
  s.on('connect', () => s.heard.push('(connected)'));
  s.emit('join', w.tag);
  s.emit('remember', 'name', 'é');
  host.tell = async (...args) => { host.emit('shout', w.tag, ...args); await host.timeout(PATIENCE).emitWithAck('echo', 1); };
  await s.timeout(PATIENCE).emitWithAck('echo', 1);
  await host.tell('before');
  while (!s.heard.length) await delay(10);
  return [s, host];
}
const recovered = async (w, s, first) => {
  const [was, rooms, data] = await new Promise((resolve) => s.emit('recall', (...args) => resolve(args)));
  w.log(`recovered ${s.recovered}, the server says ${was}; the same id: ${s.id === first}, ${rooms.length} rooms, data ${show(data)}`);
  w.log(`heard ${show(s.heard)}`);
};

for (const [name, kill] of [
  ['client closes the engine', (s) => s.io.engine.close()],
  ['server closes the engine', (s) => s.emit('close-engine')],
  ['client sends a malformed packet', (s) => s.io.engine.write('2{}')],
  ['client says goodbye', (s) => s.disconnect()],
  ['server says goodbye', (s) => s.emit('leave')],
]) inEveryMode(`recovery: ${name}`, async (w, mode) => {
  const [s, host] = await listenerAndHost(w, mode);
  const first = s.id;
  const gone = event(s, 'disconnect');
  kill(s);
  await gone;
  await w.reasons(1);
  for (const text of ['one', 'two', 'three']) await host.tell(text);
  s.connect();
  await connected(s);
  await host.tell('four');
  await s.timeout(PATIENCE).emitWithAck('echo', 1);
  await recovered(w, s, first);
}, { on: 'recovery' });
inEveryMode('recovery: the network is cut', async (w, mode) => {
  const proxy = await proxied(w);
  const [s, host] = await listenerAndHost(w, mode, { server: proxy.server });
  const first = s.id;
  for (const text of ['one', 'two']) {
    if (mode === 'polling') await proxy.pollHeld();
    const gone = event(s, 'disconnect');
    proxy.cut();
    w.log(`client: ${(await gone)[0]}, active ${s.active}`);
    await w.reasons(text === 'one' ? 1 : 2);
    await host.tell(`${text}, first`);
    await host.tell(`${text}, second`);
    proxy.mend();
    s.connect();
    await connected(s);
    if (mode === 'upgrade') await upgraded(s);
    await s.timeout(PATIENCE).emitWithAck('echo', 1);
    await recovered(w, s, first);
  }
}, { on: 'recovery' });
inEveryMode('recovery: by itself, with binary and an ack that was asked for meanwhile', async (w, mode) => {
  const proxy = await proxied(w);
  const [s, host] = await listenerAndHost(w, mode, { server: proxy.server, reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 50 });
  const first = s.id;
  if (mode === 'polling') await proxy.pollHeld();
  const gone = event(s, 'disconnect');
  proxy.cut();
  await gone;
  await w.reasons(1);
  const bins = [];
  s.on('shout', (...args) => bins.push(args.filter((arg) => Buffer.isBuffer(arg)).map((arg) => arg.toString('hex')).join(' ')));
  host.emit('shout-local', w.tag, 'binary', Buffer.from([1, 2]), Buffer.from([3]));
  await host.tell('text');
  s.emit('echo', 'buffered', (answer) => s.heard.push(answer));
  proxy.mend();
  await connected(s);
  await s.timeout(PATIENCE).emitWithAck('echo', 1);
  await recovered(w, s, first);
  w.log(show(bins));
}, { on: 'recovery' });
inEveryMode('recovery: two namespaces, one of which heard nothing', async (w, mode) => {
  const [s, host] = await listenerAndHost(w, mode);
  const plain = client(w, mode, '/plain', { manager: s.io });
  await connected(plain);
  const ids = [s.id, plain.id];
  s.io.engine.close();
  await w.reasons(2);
  await host.tell('missed');
  s.connect();
  plain.connect();
  await Promise.all([connected(s), connected(plain)]);
  await recovered(w, s, ids[0]);
  w.log(`plain: recovered ${plain.recovered}, the same id: ${plain.id === ids[1]}`);
}, { on: 'recovery' });
inEveryMode('recovery: volatile text takes the place of the offset', async (w, mode) => {
  const [s, host] = await listenerAndHost(w, mode);
  const first = s.id;
  s.emit('echo-volatile', 'text');
  w.log(`echoed ${show(await event(s, 'echoed'))}`);
  s.io.engine.close();
  await w.reasons(1);
  await host.tell('missed');
  s.connect();
  await connected(s);
  await recovered(w, s, first);
}, { on: 'recovery' });

script('client: extra headers and auth function', async (w) => {
  const s = client(w, 'polling', '/', { auth: (give) => give({ n: [1], token: 'f' }), extraHeaders: { 'X-Probe': 'é'.normalize('NFD').slice(0, 1) } });
  await connected(s);
  const { url, query, auth, xdomain, secure, probe } = await s.timeout(PATIENCE).emitWithAck('handshake');
  w.log(show({ url: url.replace(/&t=[^&]*/, '&t=*'), query: query.filter(([name]) => name !== 't'), auth, xdomain, secure, probe }));
});

module.exports = scripts;
