'use strict';
// The official client's bundle in a real browser, in pages of other origins than the server's: here it is the browser
// that enforces CORS, not we.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { after, afterEach, before, describe, it } = require('../common/test');
const { LOG, MODES, cleanUp, connect, connectionsAre, onCleanUp, startServer, until } = require('../common/harness');
const program = require('../common/program');
const { LATE, Tab, cuttable, forward, forwardUpgrade, launch, listen } = require('./chromium');

const BUNDLE = fs.readFileSync(path.join(path.dirname(require.resolve('socket.io-client/package.json')), 'dist', 'socket.io.min.js'));
const FEATURES = path.resolve(__dirname, process.env.SIO_FEATURES_SERVER_BINARY || '../../../build/features_server');
const REFUSED = [/blocked by CORS policy/, /ERR_FAILED/, /WebSocket connection to .* failed/];
const CUT = [/ERR_/, /WebSocket connection to .* failed/, /blocked by CORS policy/];

let browser;
const tabs = new Set();

/** What runs in the page: a client that keeps what happens to it in `seen`, as [event, ...arguments]. */
const PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>A page of another origin</title><link rel="icon" href="data:,">
<script src="/socket.io.min.js"></script>
<script>
  function start(url, options) {
    window.seen = [];
    window.socket = io(url, { forceNew: true, ...options });
    for (const event of ['connect', 'disconnect', 'connect_error']) socket.on(event, (why) => seen.push([event, why?.message ?? why]));
    socket.onAny((...event) => seen.push(event));
  }
</script>`;

/** An origin of its own, whose server has the page and the bundle, and hands everything else to \`other\` if there is one. */
async function origin(other) {
  const server = http.createServer((incoming, response) => {
    if (incoming.url === '/') return response.setHeader('Content-Type', 'text/html').end(PAGE);
    if (incoming.url === '/socket.io.min.js') return response.setHeader('Content-Type', 'text/javascript').end(BUNDLE);
    if (!other) return response.writeHead(404).end();
    forward(incoming, response, other, incoming.url);
  });
  if (other) server.on('upgrade', (incoming, socket, head) => forwardUpgrade(incoming, socket, head, other, incoming.url));
  return (await listen(server)).url;
}

async function open(url) {
  const tab = await Tab.open(browser, url);
  tabs.add(tab);
  return tab;
}

const start = (tab, url, mode, options = {}) =>
  tab.run((to, given) => window.start(to, given), url, { ...MODES[mode], reconnection: false, ...options });

/** Waits for an event that the page has seen, and returns its arguments. */
const seen = (tab, event) =>
  tab.until((name) => window.seen.find(([first]) => first === name), `"${event}"`, event).then(([, ...args]) => args);

const transportIs = (tab, name) => tab.until((wanted) => socket.io.engine?.transport.name === wanted && socket.connected, `a connection over ${name}`, name);
const arrived = (mode) => (mode === 'polling' ? 'polling' : 'websocket');

before(async () => { browser = await launch(); });
afterEach(async () => {
  const closing = [...tabs].map((tab) => tab.close());
  tabs.clear();
  await Promise.allSettled(closing);
  await cleanUp();
  await Promise.all(closing);
});
after(() => browser?.close());

describe('the official bundle in a page of another origin', () => {
  for (const mode of Object.keys(MODES)) {
    for (const withCredentials of [false, true]) {
      it(`connects over ${mode}, ${withCredentials ? 'with' : 'without'} credentials, and gets events and acks`, async () => {
        const from = await origin();
        const server = await startServer({ flags: ['--cors-origin', from, '--random-string-interval', '0.1..0.2'] });
        const tab = await open(from);
        tab.expect(LATE);
        await start(tab, `${server.url}/demo`, mode, { withCredentials });
        assert.deepEqual(await seen(tab, 'connectionStatus'), ['connected']);
        await transportIs(tab, arrived(mode));
        assert.match((await seen(tab, 'randomString'))[0].value, /^[A-Za-z0-9]{10}$/);
        const { status, timestamp } = await tab.run(() => socket.timeout(20_000).emitWithAck('ping'));
        assert.equal(status, 'ok');
        assert.ok(Number.isInteger(timestamp));
        await connectionsAre(server, 1);
        await tab.run(() => socket.disconnect());
        await connectionsAre(server, 0);
      });
    }
  }

  it('is blocked by the browser when it sends credentials to a server that allows none', async () => {
    const from = await origin();
    const server = await startServer({ flags: ['--cors-origin', from, '--cors-credentials', 'off'] });
    const tab = await open(from);
    tab.expect(...REFUSED);
    await start(tab, `${server.url}/demo`, 'polling', { withCredentials: true });
    assert.deepEqual(await seen(tab, 'connect_error'), ['xhr poll error']);
    await start(tab, `${server.url}/demo`, 'polling');
    await seen(tab, 'connectionStatus');
  });

  it('is refused from an origin that is not listed, while one that is works beside it', async () => {
    const [from, elsewhere] = [await origin(), await origin()];
    const server = await startServer({ flags: ['--cors-origin', from] });
    const [tab, stranger] = [await open(from), await open(elsewhere)];
    stranger.expect(...REFUSED);
    await start(tab, `${server.url}/demo`, 'upgrade');
    await seen(tab, 'connectionStatus');
    await transportIs(tab, 'websocket');
    for (const [mode, error] of [['polling', 'xhr poll error'], ['websocket', 'websocket error']]) {
      await start(stranger, `${server.url}/demo`, mode);
      assert.deepEqual(await seen(stranger, 'connect_error'), [error]);
    }
    assert.equal((await tab.run(() => socket.timeout(20_000).emitWithAck('ping'))).status, 'ok');
    await connectionsAre(server, 1);
  });

  it('is told of the limits, and of the end of the server', async () => {
    const from = await origin();
    const server = await startServer({ flags: ['--cors-origin', from, '--max-connections-per-ip', '1', '--max-pings-per-client', '1'] });
    const [tab, second] = [await open(from), await open(from)];
    await start(tab, `${server.url}/demo`, 'upgrade');
    await seen(tab, 'connectionStatus');
    await transportIs(tab, 'websocket');
    await start(second, `${server.url}/demo`, 'websocket');
    assert.deepEqual(await seen(second, 'connect_error'), ['Too many connections from this IP']);
    await tab.run(async () => { await socket.emitWithAck('ping'); socket.emit('ping'); });
    assert.deepEqual(await seen(tab, 'error'), [{ message: 'Ping limit exceeded', code: 'PING_LIMIT' }]);
    assert.deepEqual(await seen(tab, 'disconnect'), ['io server disconnect']);
  });
});

describe('binary in a browser', () => {
  /** The port of the server of client/features.test.js, for the demo has no binary event. */
  async function features() {
    const server = await program.start([FEATURES]);
    onCleanUp(server.stop);
    return server.port;
  }

  for (const mode of Object.keys(MODES)) {
    it(`travels both ways over ${mode}, in events and in acks, also inside of objects`, async () => {
      const from = await origin(await features());
      const tab = await open(from);
      await start(tab, from, mode);
      await transportIs(tab, arrived(mode));
      const answers = await tab.run(async () => {
        const plain = (value) => {
          if (value instanceof ArrayBuffer) return `bytes ${[...new Uint8Array(value)]}`;
          if (Array.isArray(value)) return value.map(plain);
          return value && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)])) : value;
        };
        const next = (event) => new Promise((resolve) => socket.once(event, (...args) => resolve(plain(args))));
        const gift = next('gift');
        socket.emit('give', 'mixed');
        const back = next('back');
        socket.emit('back', { deep: [new Uint8Array([0, 128, 255])] }, new Blob(['blob']), new ArrayBuffer(0));
        return [await gift, await back, plain(await socket.timeout(20_000).emitWithAck('reverse', new Uint8Array([1, 2, 3])))];
      });
      assert.deepEqual(answers, [
        [{ deep: { list: [1, 'bytes 1,2,3'] }, text: 'beside' }, 'bytes 1,2,3'],
        [{ deep: ['bytes 0,128,255'] }, 'bytes 98,108,111,98', 'bytes '],
        'bytes 3,2,1',
      ]);
    });
  }

  it('transfers megabytes intact', async () => {
    const from = await origin(await features());
    const tab = await open(from);
    await start(tab, from, 'upgrade');
    await transportIs(tab, 'websocket');
    const equal = await tab.run(async () => {
      const sent = Uint8Array.from({ length: 200_000 }, (_, i) => i * 7);
      for (let i = 0; i < 20; ++i) {
        const [got] = await new Promise((resolve) => { socket.once('back', (...args) => resolve(args)); socket.emit('back', sent); });
        const bytes = new Uint8Array(got);
        if (bytes.length !== sent.length || bytes.some((b, k) => b !== sent[k])) return false;
      }
      return true;
    });
    assert.equal(equal, true);
  });
});

/** Where the cut falls between two polls, nothing but the heartbeat tells the server of it. */
const RECOVERY = ['--max-disconnection-duration', '60000', '--random-string-interval', '0.03..0.06', '--ping-interval', '2000', '--ping-timeout', '6000'];

describe('a network that is cut under a browser', () => {
  for (const mode of Object.keys(MODES)) {
    it(`is survived over ${mode}: the same socket, no string lost, none doubled`, async () => {
      const from = await origin();
      const server = await startServer({ flags: ['--cors-origin', from, ...RECOVERY] });
      const network = await cuttable(server.port);
      const other = await connect(server.url);
      const strings = (args) => args.map(([{ value }]) => value);
      const tab = await open(from);
      tab.expect(...CUT);
      await start(tab, `${network.url}/demo`, mode, { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200, timeout: 2_000 });
      await transportIs(tab, arrived(mode));
      await seen(tab, 'randomString');
      const id = await tab.run(() => socket.id);

      network.cut();
      await server.waitForLog(LOG.disconnected);
      const missed = other.all('randomString').length;
      await until(() => other.all('randomString').length >= missed + 5, 'five strings that the page misses');
      assert.deepEqual(await tab.run(() => [socket.connected, socket.recovered]), [false, false]);
      network.mend();
      await tab.until(() => socket.connected, 'the page to come back');
      assert.deepEqual(await tab.run(() => [socket.id, socket.recovered]), [id, true]);

      const count = await tab.run(() => window.seen.filter(([event]) => event === 'randomString').length);
      await tab.until((before) => window.seen.filter(([event]) => event === 'randomString').length >= before + 5, 'strings after the cut', count);
      await transportIs(tab, arrived(mode));
      const page = await tab.run(() => window.seen.filter(([event]) => event === 'randomString').map(([, { value }]) => value));
      await until(() => strings(other.all('randomString')).includes(page.at(-1)), 'the other client to have all of them');
      const all = strings(other.all('randomString'));
      assert.deepEqual(page, all.slice(all.indexOf(page[0]), all.indexOf(page.at(-1)) + 1));
      assert.ok(page.length >= 11, `only ${page.length} strings`);
    });
  }
});
