'use strict';
// What the official client can do, against features_server.js on the official server and features_server.cpp on our
// header: the same checks for both, over polling, WebSocket and with an upgrade.
//
//   SIO_FEATURES_SERVER_BINARY=path     the program to test, default build/features_server
//   SIO_SERVERS=official                one of the two servers only: `official` or `ours`

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, afterEach, before, describe, it } = require('../common/test');
const { io, Manager } = require('socket.io-client');
const { MODES, TIMEOUT, sleep, until, within } = require('../common/harness');
const { start } = require('../common/program');

const BINARY = path.resolve(__dirname, process.env.SIO_FEATURES_SERVER_BINARY || '../../../build/features_server');
const COMMANDS = { official: [process.execPath, path.join(__dirname, 'features_server.js')], ours: [BINARY] };
const bytes = (...values) => Buffer.from(values);

const sockets = new Set();
const managers = new Set();

/** The next `event` of a socket or manager: its arguments. */
function next(emitter, event) {
  let listener;
  const happened = new Promise((resolve) => emitter.once(event, listener = (...args) => resolve(args)));
  return within(happened, `waiting for "${event}"`).finally(() => emitter.off(event, listener));
}

/** A socket and the travel of its connection as `mode` wants it; not connected yet. */
function create(url, mode, options = {}) {
  const socket = io(url, { ...MODES[mode], forceNew: true, reconnection: false, autoConnect: false, timeout: TIMEOUT, ...options });
  sockets.add(socket);
  return socket;
}

async function connect(url, mode, options) {
  const socket = create(url, mode, options);
  const connected = next(socket, 'connect');
  socket.connect();
  const { engine } = socket.io;
  const upgraded = mode === 'upgrade' && within(new Promise((resolve) => engine.once('upgrade', resolve)), 'waiting for the upgrade');
  await connected;
  await upgraded;
  assert.equal(engine.transport.name, mode === 'polling' ? 'polling' : 'websocket');
  return socket;
}

const ask = (socket, ...args) => socket.timeout(TIMEOUT).emitWithAck(...args);

/** What `event` brings once `action` has run. */
async function brings(socket, event, action) {
  const coming = next(socket, event);
  action();
  return coming;
}

afterEach(() => {
  for (const socket of sockets) socket.disconnect().io.engine?.close();
  for (const manager of managers) manager._close();
  sockets.clear();
  managers.clear();
});

const wanted = process.env.SIO_SERVERS ? [process.env.SIO_SERVERS] : Object.keys(COMMANDS);
for (const which of wanted) {
  describe(`the official client and ${which === 'ours' ? 'our server' : 'the official server'}`, () => {
    let server;
    let url;
    before(async () => {
      server = await start(COMMANDS[which]);
      url = server.url;
    });
    after(async () => {
      const exit = await server.stop();
      if (which !== 'ours') return;
      assert.equal(exit, 0, server.stderr);
      assert.equal(server.stderr, '');
    });

    for (const mode of Object.keys(MODES)) {
      describe(`over ${mode}`, () => {
        const open = (options) => connect(url, mode, options);
        const openAt = (nsp, options) => connect(url + nsp, mode, options);

        // ---- what an event may carry

        const gifts = {
          text: ['a text'], utf8: ['てすと', 'Я Б Г', 'äöü ß', '€€€', '🦊', '\u2028'], number: [42, -1, 0, 1.5, 1e300],
          yes: [true], no: [false], null: [null], nothing: [], date: ['1999-12-31T23:59:59.000Z'],
          json: [{ list: [1, 'two', { three: [false, null] }], empty: {} }],
          buffer: [bytes(1, 2, 3)], buffers: ['first', bytes(1, 2, 3), bytes(), 'last', bytes(255)],
          mixed: [{ deep: { list: [1, bytes(1, 2, 3)] }, text: 'beside' }, bytes(1, 2, 3)],
        };
        it('gets every kind of value', async () => {
          const socket = await open();
          for (const [what, values] of Object.entries(gifts)) {
            assert.deepEqual(await brings(socket, 'gift', () => socket.emit('give', what)), values, what);
          }
        });

        it('sends every kind of value, and gets it back, as an event and as an ack', async () => {
          const socket = await open();
          for (const [what, values] of Object.entries(gifts)) {
            assert.deepEqual(await brings(socket, 'back', () => socket.emit('back', ...values)), values, what);
            const answer = await within(new Promise((resolve) => socket.emit('echo', ...values, (...args) => resolve(args))), `the echo of ${what}`);
            assert.deepEqual(answer, values, what);
          }
          const odd = [new Date(0), undefined, NaN, { gone: undefined }, new Uint8Array([7, 8]), new Uint16Array([258]).buffer];
          assert.deepEqual(await brings(socket, 'back', () => socket.emit('back', ...odd)),
            ['1970-01-01T00:00:00.000Z', null, null, {}, bytes(7, 8), bytes(2, 1)]);
        });

        it('sends and gets large events, text and binary', async () => {
          const socket = await open();
          const text = 'äx€'.repeat(60_000);
          const binary = Buffer.alloc(300_000, 'binary');
          assert.equal(await ask(socket, 'echo', text), text);
          assert.ok(binary.equals(await ask(socket, 'echo', binary)));
        });

        it('keeps the order of many events', async () => {
          const socket = await open();
          const got = [];
          socket.on('back', (n, buffer) => { got.push(n); if (n % 7 === 0) assert.deepEqual(buffer, bytes(n)); });
          for (let n = 0; n < 200; ++n) socket.emit('back', n, ...(n % 7 === 0 ? [bytes(n)] : []));
          await until(() => got.length === 200, 'waiting for 200 events');
          assert.deepEqual(got, Array.from({ length: 200 }, (_, n) => n));
        });

        // ---- acks both ways

        it('asks: callback, emitWithAck, an answer that comes later, typed events', async () => {
          const socket = await open();
          assert.deepEqual(await ask(socket, 'mirror', { x: 1, y: 2.5 }), { x: 2.5, y: 1 });
          assert.deepEqual(await ask(socket, 'reverse', bytes(1, 2, 3)), bytes(3, 2, 1));
          assert.equal(await ask(socket, 'later', 'x'), 'x');
          assert.equal(await ask(socket, 'once'), 'the first one');
          assert.deepEqual(await brings(socket, 'painted', () => socket.emit('paint', 'green')), ['green', 'it all']);
          assert.deepEqual(await brings(socket, 'painted', () => socket.emit('paint', 'red', 'a door')), ['red', 'a door']);
        });

        it('is asked: the server checks the answer', async () => {
          const socket = await open();
          socket.on('question', (...args) => args.pop()(...args));
          socket.on('number', async (n, reply) => { await sleep(1); reply(n + 10); });
          for (const values of [[], [1, 'two', { three: 3 }], [bytes(1, 2), { deep: bytes(3) }]]) assert.equal(await ask(socket, 'ask me', ...values), true);
          assert.equal(await ask(socket, 'ask me from afar'), 11);
          assert.equal(await ask(socket, 'ask me in vain'), true);
          socket.off('question').on('question', (...args) => args.pop()('something else'));
          assert.equal(await ask(socket, 'ask me', 1), false);
        });

        it('is asked by a coroutine, again and again', async (t) => {
          if (/without coroutines/.test(server.output)) return t.skip('this compiler has none');
          const socket = await open();
          socket.on('number', (n, reply) => reply(n * n));
          assert.equal(await ask(socket, 'add up', 5), 30);
        });

        it('everybody in a room is asked', async () => {
          const [a, b, c] = [await open(), await open(), await open()];
          const room = `asked over ${mode}`;
          await ask(a, 'join', room);
          await ask(b, 'join', room);
          a.on('question', (what, reply) => reply(what, 'a'));
          b.on('question', (what, reply) => reply({ what, bytes: bytes(9) }));
          const answered = new Promise((resolve) => c.emit('ask all', room, 'x', (...args) => resolve(args)));
          const [good, answers] = await within(answered, 'waiting for the answers of a room');
          assert.equal(good, true);
          const sorted = answers.sort((x, y) => typeof y === 'string' ? 1 : -1);
          assert.deepEqual(sorted, ['x', { what: 'x', bytes: bytes(9) }]);
        });

        it('times out, and is not confused by the late answer', async () => {
          const socket = await open();
          const error = await new Promise((resolve) => socket.timeout(1).emit('no such event', (failed) => resolve(failed)));
          assert.equal(error.message, 'operation has timed out');
          await assert.rejects(socket.timeout(1).emitWithAck('later', 1), /timed out/);
          assert.equal(await ask(socket, 'later', 2), 2);
        });

        it('survives a handler that throws', async () => {
          const socket = await open();
          socket.emit('throw');
          assert.equal(await ask(socket, 'echo', 1), 1);
          assert.equal(socket.connected, true);
        });

        // ---- getting in

        it('is refused by a middleware of "/", by the query', async () => {
          const socket = create(url, mode, { query: { fail: 'true' } });
          const [error] = await brings(socket, 'connect_error', () => socket.connect());
          assert.ok(error instanceof Error);
          assert.equal(error.message, 'not with this query');
          assert.equal(error.data, undefined);
          assert.equal(socket.connected, false);
          assert.equal(socket.active, false);
          await open({ query: { fail: 'false' } });
        });

        it('is refused with message and data; its other namespaces live on', async () => {
          const root = await open();
          const socket = root.io.socket('/no');
          const [error] = await next(socket.connect(), 'connect_error');
          assert.equal(error.message, 'nobody gets in');
          assert.deepEqual(error.data, { code: 7, hints: ['try', 'elsewhere'] });
          const [missing] = await next(root.io.socket('/nowhere').connect(), 'connect_error');
          assert.equal(missing.message, 'Invalid namespace');
          assert.equal(await ask(root, 'echo', 1), 1);
        });

        it('sends query, headers and auth, as an object and from a function', async () => {
          for (const auth of [{ token: 'x', deep: { list: [1] } }, (give) => setTimeout(give, 1, { token: 'x', deep: { list: [1] } })]) {
            const socket = create(`${url}/handshake`, mode, { auth, query: { a: 'b c', 'ä': '&=' }, extraHeaders: { 'X-Probe': 'one' } });
            const [handshake] = await brings(socket, 'handshake', () => socket.connect());
            const { headers, time, address, xdomain, secure, issued, url: target, query } = handshake;
            assert.deepEqual(handshake.auth, { token: 'x', deep: { list: [1] } });
            assert.equal(headers['x-probe'], 'one');
            assert.equal(headers.host, new URL(url).host);
            assert.match(time, /^\w{3} \w{3} \d\d \d{4} \d\d:\d\d:\d\d GMT/);
            assert.ok(Math.abs(Date.now() - issued) < 60_000);
            assert.deepEqual({ address, xdomain, secure }, { address: '127.0.0.1', xdomain: false, secure: false });
            assert.ok(target.startsWith('/socket.io/?'));
            const { EIO, transport, a, 'ä': umlaut } = query;
            assert.deepEqual({ EIO, transport, a, umlaut }, { EIO: '4', transport: mode === 'websocket' ? 'websocket' : 'polling', a: 'b c', umlaut: '&=' });
          }
        });

        it('calls auth anew for each attempt', async () => {
          let attempts = 0;
          const socket = create(`${url}/handshake`, mode, { auth: (give) => give({ attempt: ++attempts }) });
          for (const attempt of [1, 2]) {
            const [handshake] = await brings(socket, 'handshake', () => socket.connect());
            assert.deepEqual(handshake.auth, { attempt });
            socket.disconnect();
          }
        });

        // ---- namespaces

        it('multiplexes several namespaces over one connection; forceNew makes another', async () => {
          const root = await open();
          const [a, b, greeting] = ['/a', '/b', '/greeting'].map((nsp) => root.io.socket(nsp));
          const hello = next(greeting, 'hello');
          await Promise.all([a, b].map((socket) => next(socket.connect(), 'connect')));
          greeting.connect();
          assert.deepEqual(await hello, ['/greeting', greeting.id]);
          assert.equal(new Set([root.id, a.id, b.id, greeting.id]).size, 4);
          assert.deepEqual(await Promise.all([ask(root, 'echo', 0), ask(a, 'echo', 1), ask(b, 'echo', bytes(2))]), [0, 1, bytes(2)]);
          a.disconnect();
          assert.equal(await ask(b, 'echo', 3), 3);
          assert.equal(await brings(a, 'connect', () => a.connect()).then(() => ask(a, 'echo', 4)), 4);

          // io() shares what it made for a server before, in whichever mode, unless the namespace is in use there.
          const [one, two, other] = [{}, {}, { forceNew: true }].map((options, i) => {
            const socket = io(`${url}/number-${mode}-${i}`, { ...MODES[mode], reconnection: false, ...options });
            sockets.add(socket);
            return socket;
          });
          await Promise.all([one, two, other].map((socket) => next(socket, 'connect')));
          assert.ok(one.io === two.io);
          assert.ok(one.io !== other.io);
          assert.notEqual(one.io.engine.id, other.io.engine.id);
        });

        it('enters namespaces that are made on demand', async () => {
          const name = `/number-${mode}`;
          const a = create(url + name, mode);
          assert.deepEqual(await brings(a, 'one more', () => a.connect()), [name]);
          const other = create(`${url}${name}-too`, mode);
          assert.deepEqual(await brings(a, 'one more', () => other.connect()), [`${name}-too`]);  // told by what they have in common
          assert.deepEqual(await ask(a, 'mirror', { x: 1, y: 2 }), { x: 2, y: 1 });
          const [error] = await next(a.io.socket('/numbers').connect(), 'connect_error');
          assert.equal(error.message, 'Invalid namespace');
        });

        // ---- rooms

        it('receives what is emitted to its rooms, once', async () => {
          const [a, b, c] = [await open(), await open(), await open()];
          const heard = [];
          for (const [name, socket] of Object.entries({ a, b, c })) socket.on('told', (what) => heard.push(`${name} ${what}`));
          const room = `told over ${mode}`;
          assert.equal(await ask(a, 'join', room), 2);
          assert.equal(await ask(a, 'join', room), 2);
          assert.equal(await ask(b, 'join', room), 2);
          a.emit('tell', room, 1);
          a.emit('tell others', room, 2);
          a.emit('tell the rest', room, 3);
          a.emit('tell', c.id, 4);
          await until(() => heard.length >= 5, 'waiting for what is told');
          assert.equal(await ask(b, 'leave', room), 1);
          a.emit('tell', room, 5);
          await Promise.all([a, b, c].map((socket) => ask(socket, 'echo')));
          assert.deepEqual(heard.sort(), ['a 1', 'a 5', 'b 1', 'b 2', 'c 3', 'c 4']);
          assert.deepEqual(await ask(c, 'who', room), [a.id]);
        });

        // ---- leaving, and coming back

        it('is told why it is disconnected', async () => {
          const reasons = [];
          const leaves = async (socket, action) => {
            const [reason] = await brings(socket, 'disconnect', action);
            reasons.push(reason);
            return socket;
          };
          const left = await open();
          await leaves(left, () => left.disconnect());
          const kicked = await open();
          await leaves(kicked, () => kicked.emit('leave me'));
          assert.equal(kicked.active, false);
          const cut = await open();
          await leaves(cut, () => cut.emit('cut'));
          const torn = await open();
          await leaves(torn, () => torn.io.engine.close());
          assert.deepEqual(reasons, ['io client disconnect', 'io server disconnect', 'transport close', 'forced close']);
        });

        it('is disconnected from all namespaces at once', async () => {
          const root = await open();
          const a = root.io.socket('/a');
          await next(a.connect(), 'connect');
          const both = Promise.all([root, a].map((socket) => next(socket, 'disconnect')));
          a.emit('leave us');
          for (const [reason] of await both) assert.equal(reason, 'io server disconnect');
          await until(() => root.io._readyState === 'closed', 'waiting for the end of the connection');
        });

        it('is disconnected by io.disconnectSockets, of a room and of all', async () => {
          const [a, b] = [await open(), await open()];
          const room = `closed over ${mode}`;
          await ask(a, 'join', room);
          assert.deepEqual((await brings(a, 'disconnect', () => b.emit('close', room)))[0], 'io server disconnect');
          assert.equal(await ask(b, 'echo', 1), 1);
          await brings(a, 'connect', () => a.connect());  // its connection is still there
          const both = Promise.all([a, b].map((socket) => next(socket, 'disconnect')));
          b.emit('close all');
          for (const [reason] of await both) assert.equal(reason, 'io server disconnect');
        });

        it('comes back when the server has closed the transport, with another id, and its buffer', async () => {
          const socket = await open({ reconnection: true, reconnectionDelay: 5, reconnectionDelayMax: 10 });
          const first = socket.id;
          const attempts = [];
          socket.io.on('reconnect_attempt', (n) => attempts.push(n));
          const reconnected = next(socket.io, 'reconnect');
          const [reason] = await brings(socket, 'disconnect', () => socket.emit('cut'));
          assert.equal(reason, 'transport close');
          assert.equal(socket.active, true);
          const back = next(socket, 'back');
          socket.emit('back', 'buffered');
          assert.deepEqual(await reconnected, [1]);
          assert.deepEqual(await back, ['buffered']);
          assert.deepEqual(attempts, [1]);
          assert.notEqual(socket.id, first);
          assert.ok(!socket.recovered);
          assert.equal(await ask(socket, 'once'), 'the first one');  // it is another socket there
        });

        it('comes back with all its namespaces', async () => {
          const manager = new Manager(url, { ...MODES[mode], reconnectionDelay: 5, reconnectionDelayMax: 10, autoConnect: false });
          managers.add(manager);
          const [root, a] = [manager.socket('/'), manager.socket('/a')];
          await Promise.all([root, a].map((socket) => next(socket.connect(), 'connect')));
          const both = Promise.all([root, a].map((socket) => next(socket, 'connect')));
          a.emit('cut');
          await both;
          assert.equal(await ask(root, 'echo', 1), 1);
          assert.equal(await ask(a, 'echo', 2), 2);
        });

        // ---- volatile, buffered, caught

        it('buffers what it emits before the connection, drops what is volatile', async () => {
          const socket = create(url, mode);
          const got = [];
          socket.on('back', (n) => got.push(n));
          socket.emit('back', 1);
          socket.volatile.emit('back', 2);
          socket.emit('back', 3);
          await brings(socket, 'connect', () => socket.connect());
          await ask(socket, 'echo');
          assert.deepEqual(got, [1, 3]);
          const volatile = [];
          await until(async () => {
            socket.volatile.emit('back', volatile.length);
            volatile.push(0);
            await ask(socket, 'echo');
            return got.length > 2;
          }, 'a volatile event that arrives');
        });

        it('receives volatile events when it is writable', async () => {
          const socket = await open();
          let got;
          socket.on('volatile', (...args) => { got = args; });
          await until(() => { socket.emit('volatile'); return got; }, 'a volatile event that arrives');
          assert.deepEqual(got, ['now or never']);
        });

        it('sees all events in catch-all listeners', async () => {
          const socket = await open();
          const seen = [];
          const incoming = (...args) => seen.push(['in', ...args]);
          socket.onAny(incoming);
          socket.onAnyOutgoing((...args) => seen.push(['out', ...args.filter((arg) => typeof arg !== 'function')]));
          await brings(socket, 'gift', () => socket.emit('give', 'mixed'));
          socket.offAny(incoming);
          await brings(socket, 'gift', () => socket.emit('give', 'no'));
          socket.offAnyOutgoing();
          await brings(socket, 'gift', () => socket.emit('give', 'yes'));
          assert.deepEqual(seen, [['out', 'give', 'mixed'], ['in', 'gift', ...gifts.mixed], ['out', 'give', 'no']]);
        });
      });
    }
  });
}
