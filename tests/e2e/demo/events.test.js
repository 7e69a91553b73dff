'use strict';
// The demo's events, as an official client meets them over each of its transports.

const assert = require('node:assert/strict');
const { after, afterEach, before, describe, it } = require('../common/test');
const {
  LOG, MODES, cleanUp, closeClients, connect, notForOfficial, rawWebSocket, request, startClient, startServer,
} = require('../common/harness');

const UNTYPED = notForOfficial('it has no typed events, so it acknowledges a ping with surplus arguments like any other');

describe('the events of the demo', () => {
  let server;
  before(async () => {
    server = await startServer({
      flags: ['--max-connections-per-ip', '1000', '--random-string-interval', '0.2..0.4', '--log-level', 'debug'],
    });
  });
  afterEach(closeClients);
  after(cleanUp);

  for (const mode of Object.keys(MODES)) {
    describe(`over ${mode}`, () => {
      it('uses the transport that was asked for', async () => {
        const client = await connect(server.url, { mode });
        assert.equal(client.transport, mode === 'polling' ? 'polling' : 'websocket');
        client.leave();
      });

      it('sends connectionStatus "connected" before anything else', async () => {
        const client = await connect(server.url, { mode });
        assert.deepEqual(await client.next('connectionStatus'), ['connected']);
        assert.deepEqual(client.seen.slice(0, 2).map((e) => e.event), ['connect', 'connectionStatus']);
        client.leave();
      });

      it('sends connectionStatus once', async () => {
        const client = await connect(server.url, { mode });
        await client.ask('ping');
        await client.next('randomString');
        assert.equal(client.all('connectionStatus').length, 1);
        client.leave();
      });

      it('sends random strings of ten letters and digits with a numeric timestamp', async () => {
        const before = Date.now();
        const client = await connect(server.url, { mode });
        const rounds = [await client.next('randomString'), await client.next('randomString')];
        for (const args of rounds) {
          assert.equal(args.length, 1);
          assert.deepEqual(Object.keys(args[0]), ['value', 'timestamp']);
          assert.match(args[0].value, /^[A-Za-z0-9]{10}$/);
          assert.equal(typeof args[0].timestamp, 'number');
          assert.ok(args[0].timestamp > before - 60_000 && args[0].timestamp < Date.now() + 60_000,
            `timestamp ${args[0].timestamp} is not the present time in milliseconds`);
        }
        assert.notEqual(rounds[0][0].value, rounds[1][0].value);
        client.leave();
      });

      it('acknowledges a ping with status, timestamp and serverTime', async () => {
        const client = await connect(server.url, { mode });
        const answer = await client.ask('ping');
        assert.deepEqual(Object.keys(answer), ['status', 'timestamp', 'serverTime']);
        assert.equal(answer.status, 'ok');
        assert.equal(typeof answer.timestamp, 'number');
        assert.equal(typeof answer.serverTime, 'number');
        client.leave();
      });

      it('acknowledges every one of many pings sent at once', async () => {
        const client = await connect(server.url, { mode });
        const answers = await Promise.all(Array.from({ length: 50 }, () => client.ask('ping')));
        assert.deepEqual([...new Set(answers.map((a) => a.status))], ['ok']);
        client.leave();
      });

      it('handles a ping that asks for no acknowledgement', async () => {
        const client = await connect(server.url, { mode });
        client.emitEvent('ping');
        client.emitEvent('ping');
        assert.equal((await client.ask('ping')).status, 'ok');
        assert.deepEqual(client.all('error'), []);
        assert.deepEqual(client.all('disconnect'), []);
        client.leave();
      });

      it('stays connected after a ping with arguments and no acknowledgement', async () => {
        const client = await connect(server.url, { mode });
        client.emitEvent('ping', 1);
        client.emitEvent('ping', { any: ['thing'] }, 'more', null);
        assert.equal((await client.ask('ping')).status, 'ok');
        assert.deepEqual(client.all('disconnect'), []);
        client.leave();
      });

      it('answers surplus arguments without acknowledgement with an error event', { skip: UNTYPED }, async () => {
        const client = await connect(server.url, { mode });
        client.emitEvent('ping', 1);
        const args = await client.next('error');
        assert.equal(args.length, 1);
        const { message, code, event, path, ...more } = args[0];
        assert.deepEqual({ code, event, more }, { code: 'INVALID_PAYLOAD', event: 'ping', more: {} });
        assert.ok(typeof message === 'string' && message.length > 0, `message is ${JSON.stringify(message)}`);
        assert.match(path, /\b0\b/, 'the JSON path of the first argument');
        assert.equal((await client.ask('ping')).status, 'ok');
        client.leave();
      });

      it('answers surplus arguments with acknowledgement with an error in it', { skip: UNTYPED }, async () => {
        const client = await connect(server.url, { mode });
        const answer = await client.ask('ping', 'surplus');
        assert.deepEqual(Object.keys(answer), ['error']);
        const { message, code, event, path, ...more } = answer.error;
        assert.deepEqual({ code, event, more }, { code: 'INVALID_PAYLOAD', event: 'ping', more: {} });
        assert.ok(typeof message === 'string' && message.length > 0, `message is ${JSON.stringify(message)}`);
        assert.match(path, /\b0\b/, 'the JSON path of the first argument');
        assert.deepEqual(client.all('error'), [], 'one mistake, one answer');
        assert.equal((await client.ask('ping')).status, 'ok');
        client.leave();
      });

      it('stays connected after surplus binary arguments', async () => {
        const client = await connect(server.url, { mode });
        client.emitEvent('ping', Buffer.from([0, 1, 2, 255]));
        client.emitEvent('ping', Buffer.alloc(3000), [Buffer.from('x')]);
        assert.equal((await client.ask('ping')).status, 'ok');
        assert.deepEqual(client.all('disconnect'), []);
        client.leave();
      });

      it('ignores events it does not know, with and without acknowledgement', async () => {
        const client = await connect(server.url, { mode });
        let answered = false;
        client.emitEvent('no such event', 1, () => { answered = true; });
        client.emitEvent('pings');
        client.emitEvent('randomString', { value: 'x', timestamp: 1 });
        assert.equal((await client.ask('ping')).status, 'ok');
        assert.equal(answered, false);
        assert.deepEqual(client.all('disconnect'), []);
        client.leave();
      });

      it('refuses an unknown namespace with "Invalid namespace"', async () => {
        const error = await startClient(server.url, { mode, namespace: '/nowhere' }).refused();
        assert.equal(error.message, 'Invalid namespace');
      });

      it('gives a client that reconnects a new id', async () => {
        const client = await connect(server.url, { mode });
        const first = client.id;
        client.leave();
        assert.deepEqual(await client.next('disconnect'), ['io client disconnect']);
        client.socket.connect();
        await client.next('connect');
        assert.notEqual(client.id, first);
        assert.match(client.id, /^[A-Za-z0-9_-]{20}$/);
        assert.equal((await client.ask('ping')).status, 'ok');
        client.leave();
      });

      it('accepts CONNECT with auth data', async () => {
        const client = await connect(server.url, { mode, auth: { token: 'abc', nested: { list: [1, 2] } } });
        assert.equal((await client.ask('ping')).status, 'ok');
        client.leave();
      });
    });
  }

  it('survives the packets 42/demo,["ping",1] and 42/demo,0["ping",1]', async () => {
    const bystander = await connect(server.url);
    const raw = await rawWebSocket(server, { join: '/demo', pong: true });
    raw.send('42/demo,["ping",1]');
    raw.send('42/demo,7["ping",1]');
    assert.ok(await raw.waitFor((m) => m.startsWith('43/demo,7['), 'an answer with id 7'));
    raw.send('42/demo,8["ping"]');
    const answer = await raw.waitFor((m) => m.startsWith('43/demo,8['), 'an answer with id 8');
    assert.match(answer, /^43\/demo,8\[\{"status":"ok","timestamp":\d+,"serverTime":\d+\}\]$/);
    assert.equal((await bystander.ask('ping')).status, 'ok');
    raw.terminate();
    bystander.leave();
  });

  it('accepts clients in the root namespace and sends them nothing', async () => {
    const root = await connect(server.url, { namespace: '' });
    const demo = await connect(server.url);
    await demo.next('randomString');
    await demo.next('randomString');
    root.leave();
    await root.next('disconnect');
    assert.deepEqual(root.seen.map((e) => e.event), ['connect', 'disconnect']);
    demo.leave();
  });

  it('announces the heartbeat and the payload limit over WebSocket, too', async () => {
    const raw = await rawWebSocket(server);
    const { sid, ...handshake } = raw.handshake;
    assert.match(sid, /^[A-Za-z0-9_-]{20}$/);
    assert.deepEqual(handshake, { upgrades: [], pingInterval: 25_000, pingTimeout: 60_000, maxPayload: 1_000_000 });
    raw.terminate();
  });

  it('has logged each of these pings at level debug', async () => {
    const lines = server.logsOf(LOG.ping);
    assert.ok(lines.length > 100, `only ${lines.length} lines`);
    assert.deepEqual([...new Set(lines.map((line) => line.level))], ['debug']);
  });
});

describe('flags that change what a client meets', () => {
  afterEach(closeClients);
  after(cleanUp);

  it('--namespace moves the service', async () => {
    const server = await startServer({ flags: ['--namespace', '/elsewhere'] });
    const client = await connect(server.url, { namespace: '/elsewhere' });
    assert.deepEqual(await client.next('connectionStatus'), ['connected']);
    assert.equal((await client.ask('ping')).status, 'ok');
    assert.equal((await startClient(server.url).refused()).message, 'Invalid namespace');
    await server.waitForPlainLine(`WebSocket service available at ws://localhost:${server.port}/elsewhere`);
    client.leave();
  });

  it('--ping-interval, --ping-timeout and --max-payload are announced', async () => {
    const server = await startServer({ flags: ['--ping-interval', '1234', '--ping-timeout', '5678', '--max-payload', '2000'] });
    const raw = await rawWebSocket(server);
    const { pingInterval, pingTimeout, maxPayload } = raw.handshake;
    assert.deepEqual({ pingInterval, pingTimeout, maxPayload }, { pingInterval: 1234, pingTimeout: 5678, maxPayload: 2000 });
    raw.terminate();
  });

  it('--max-payload is enforced, and the text of the limit itself passes', async () => {
    const server = await startServer({ flags: ['--max-payload', '2000'] });
    const ofLength = (n) => `42/demo,["x","${'y'.repeat(n - 16)}"]`;
    const polite = await rawWebSocket(server, { join: '/demo', pong: true });
    assert.equal(ofLength(2000).length, 2000);
    polite.send(ofLength(2000));
    polite.send('42/demo,1["ping"]');
    await polite.waitFor((m) => m.startsWith('43/demo,1['), 'the answer to a ping after a message of the limit');
    const greedy = await rawWebSocket(server, { join: '/demo' });
    greedy.send(ofLength(2001));
    assert.equal(await greedy.gone, 1009);

    const engine = `${server.url}/socket.io/?EIO=4&transport=polling`;
    const { sid } = JSON.parse((await request(engine)).body.slice(1));
    assert.equal((await request(`${engine}&sid=${sid}`, { method: 'POST', body: ofLength(2001) })).status, 413);
    polite.terminate();
  });
});
