'use strict';
// The two limits of the demo: pings a client, connections an address.

const assert = require('node:assert/strict');
const { fork } = require('node:child_process');
const path = require('node:path');
const { after, afterEach, before, describe, it } = require('../common/test');
const {
  MODES, TARGET, cleanUp, closeClients, connect, connectionsAre, health, notForOfficial, onCleanUp, once, rawWebSocket, startClient, startServer,
} = require('../common/harness');

const TOO_MANY = 'Too many connections from this IP';

describe('the ping limit', () => {
  let server;
  before(async () => {
    server = await startServer({ flags: ['--max-pings-per-client', '5', '--max-connections-per-ip', '100'] });
  });
  afterEach(closeClients);
  after(cleanUp);

  for (const mode of Object.keys(MODES)) {
    it(`over ${mode}: the ping beyond it brings PING_LIMIT, then the disconnection, and no acknowledgement`, async () => {
      const client = await connect(server.url, { mode });
      for (let i = 0; i < 5; ++i) assert.equal((await client.ask('ping')).status, 'ok', `ping ${i + 1}`);
      let answered = false;
      client.emitEvent('ping', () => { answered = true; });
      assert.deepEqual(await client.next('disconnect'), ['io server disconnect']);
      assert.deepEqual(client.all('error'), [[{ message: 'Ping limit exceeded', code: 'PING_LIMIT' }]]);
      assert.equal(answered, false);
      const events = client.seen.map((e) => e.event).filter((e) => e !== 'randomString');
      assert.deepEqual(events, ['connect', 'connectionStatus', 'error', 'disconnect']);
      await connectionsAre(server, 0);
    });

    it(`over ${mode}: pings in one burst are cut off at the same place`, async () => {
      const client = await connect(server.url, { mode });
      let answers = 0;
      for (let i = 0; i < 12; ++i) client.emitEvent('ping', () => { ++answers; });
      assert.deepEqual(await client.next('disconnect'), ['io server disconnect']);
      assert.equal(answers, 5);
      assert.equal(client.all('error').length, 1);
      await connectionsAre(server, 0);
    });

    it(`over ${mode}: pings without acknowledgement count`, async () => {
      const client = await connect(server.url, { mode });
      for (let i = 0; i < 6; ++i) client.emitEvent('ping');
      assert.deepEqual(await client.next('disconnect'), ['io server disconnect']);
      assert.deepEqual(client.all('error'), [[{ message: 'Ping limit exceeded', code: 'PING_LIMIT' }]]);
    });

    it(`over ${mode}: pings with arguments count`, async () => {
      const client = await connect(server.url, { mode });
      for (let i = 0; i < 5; ++i) client.emitEvent('ping', i);
      client.emitEvent('ping');
      assert.deepEqual(await client.next('disconnect'), ['io server disconnect']);
      const codes = client.all('error').map(([{ code }]) => code);
      assert.deepEqual(codes, [...(TARGET === 'official' ? [] : Array(5).fill('INVALID_PAYLOAD')), 'PING_LIMIT']);
    });
  }

  it('counts malformed pings, too; the log reports them once a second', { skip: notForOfficial('it has no typed events') }, async () => {
    const raw = await rawWebSocket(server, { join: '/demo' });
    const said = () => server.lines.filter((line) => line.includes('Invalid payload')).length;
    const before = said();
    for (let i = 0; i < 300; ++i) raw.send('42/demo,["ping",1]');
    await raw.gone;
    assert.equal(raw.messages.filter((message) => message.includes('INVALID_PAYLOAD')).length, 5);
    assert.equal(raw.messages.filter((message) => message.includes('PING_LIMIT')).length, 1);
    assert.ok(said() - before <= 3, `${said() - before} lines`);
  });

  it('counts each client separately, and starts again when it reconnects', async () => {
    const [one, other] = [await connect(server.url), await connect(server.url)];
    for (let i = 0; i < 5; ++i) await one.ask('ping');
    for (let i = 0; i < 5; ++i) assert.equal((await other.ask('ping')).status, 'ok');
    one.emitEvent('ping');
    await one.next('disconnect');
    assert.deepEqual(other.all('disconnect'), []);
    one.socket.connect();
    await one.next('connect');
    assert.equal((await one.ask('ping')).status, 'ok');
    one.leave();
    other.leave();
  });
});

describe('the connection limit', () => {
  let server;
  before(async () => { server = await startServer({ flags: ['--max-connections-per-ip', '4'] }); });
  afterEach(closeClients);
  after(cleanUp);

  /** A client in a process of its own, which can be killed without a word of farewell. */
  async function mortalClient(mode) {
    const child = fork(path.join(__dirname, 'client_process.js'), [server.url, mode], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    onCleanUp(() => child.kill('SIGKILL'));
    const [message] = await once(child, 'message', undefined, `waiting for the ${mode} client process to connect`);
    assert.equal(message, 'connected');
    return child;
  }

  for (const mode of Object.keys(MODES)) {
    it(`over ${mode}: refuses the client beyond the limit with the limit's message`, async () => {
      await connectionsAre(server, 0);
      const clients = await Promise.all(Array.from({ length: 4 }, () => connect(server.url, { mode })));
      for (let i = 0; i < 3; ++i) {
        const late = startClient(server.url, { mode });
        const error = await late.refused();
        assert.equal(error.message, TOO_MANY);
        assert.equal(error.data, undefined);
        assert.deepEqual(late.seen.map((e) => e.event), ['connect_error']);
      }
      assert.equal((await health(server)).json.connections, 4);
      for (const client of clients) assert.equal((await client.ask('ping')).status, 'ok');
      for (const client of clients) client.leave();
      await connectionsAre(server, 0);
    });

    it(`over ${mode}: lets one in after another left`, async () => {
      const clients = await Promise.all(Array.from({ length: 4 }, () => connect(server.url, { mode })));
      assert.equal((await startClient(server.url, { mode }).refused()).message, TOO_MANY);
      clients[0].leave();
      await connectionsAre(server, 3);
      const next = await connect(server.url, { mode });
      assert.deepEqual(await next.next('connectionStatus'), ['connected']);
      assert.equal((await startClient(server.url, { mode }).refused()).message, TOO_MANY);
      for (const client of [...clients.slice(1), next]) client.leave();
      await connectionsAre(server, 0);
    });

    it(`over ${mode}: lets one in after another was killed`, async () => {
      const mortal = await mortalClient(mode);
      const clients = await Promise.all(Array.from({ length: 3 }, () => connect(server.url, { mode })));
      assert.equal((await startClient(server.url, { mode }).refused()).message, TOO_MANY);
      mortal.kill('SIGKILL');
      await connectionsAre(server, 3);
      const next = await connect(server.url, { mode });
      for (const client of [...clients, next]) client.leave();
      await connectionsAre(server, 0);
    });

    it(`over ${mode}: lets exactly as many in when all come at once`, async () => {
      const clients = Array.from({ length: 12 }, () => startClient(server.url, { mode }));
      const outcomes = await Promise.all(clients.map((client) => client.nextOf(['connect', 'connect_error'])));
      assert.equal(outcomes.filter((o) => o.event === 'connect').length, 4);
      for (const { event, args } of outcomes) if (event === 'connect_error') assert.equal(args[0].message, TOO_MANY);
      for (const client of clients) client.leave();
      await connectionsAre(server, 0);
    });
  }

  it('frees a place when the server has disconnected a client', async () => {
    const clients = await Promise.all(Array.from({ length: 4 }, () => connect(server.url)));
    for (let i = 0; i <= 100; ++i) clients[0].emitEvent('ping');
    await clients[0].next('disconnect');
    await connectionsAre(server, 3);
    const next = await connect(server.url);
    for (const client of [...clients.slice(1), next]) client.leave();
    await connectionsAre(server, 0);
  });

  it('frees a place when the TCP connection breaks right after CONNECT', async () => {
    for (let i = 0; i < 12; ++i) {
      const raw = await rawWebSocket(server);
      raw.send('40/demo,');
      raw.terminate();
    }
    await connectionsAre(server, 0);
    const clients = [];
    for (let i = 0; i < 4; ++i) clients.push(await connect(server.url));
    for (const client of clients) client.leave();
    await connectionsAre(server, 0);
  });
});
