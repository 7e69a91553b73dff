'use strict';
// The demo as it starts without any flag: each default of the contract, at its real value.

const assert = require('node:assert/strict');
const { after, afterEach, before, describe, it } = require('../common/test');
const { LOG, MODES, cleanUp, closeClients, connect, connectionsAre, health, isFree, startClient, startServer } = require('../common/harness');

const TOO_MANY = 'Too many connections from this IP';

describe('without flags', () => {
  let server;
  before(async () => {
    // Where somebody else has the default port, all but the first test is still about defaults.
    if (await isFree(4001)) server = await startServer({ port: 4001, withoutFlags: true });
    else server = await startServer();
  });
  afterEach(closeClients);
  after(cleanUp);

  it('listens on port 4001 and says so', async (t) => {
    if (server.port !== 4001) return t.skip('port 4001 of this machine is taken');
    assert.deepEqual(server.flags, []);
    await server.waitForPlainLine('WebSocket service available at ws://localhost:4001/demo');
    assert.deepEqual(server.plainLines, ['Server running on port 4001', 'WebSocket service available at ws://localhost:4001/demo']);
  });

  it('allows 100 pings; the 101st brings PING_LIMIT and the end, without acknowledgement', async () => {
    await Promise.all(Object.keys(MODES).map(async (mode) => {
      const client = await connect(server.url, { mode });
      const answers = await Promise.all(Array.from({ length: 100 }, () => client.ask('ping')));
      assert.deepEqual([...new Set(answers.map(({ status }) => status))], ['ok']);
      assert.deepEqual(client.all('disconnect'), []);
      let answered = false;
      client.emitEvent('ping', () => { answered = true; });
      assert.deepEqual(await client.next('disconnect'), ['io server disconnect']);
      assert.deepEqual(client.all('error'), [[{ message: 'Ping limit exceeded', code: 'PING_LIMIT' }]]);
      assert.equal(answered, false);
    }));
    await connectionsAre(server, 0);
  });

  it('allows 10 connections from one address; the eleventh is refused, and let in when one has left', async () => {
    const modes = Object.keys(MODES);
    const clients = await Promise.all(Array.from({ length: 10 }, (_, i) => connect(server.url, { mode: modes[i % 3] })));
    assert.deepEqual((await health(server)).json.connectionsByIP, { '127.0.0.1': 10 });
    for (const mode of modes) assert.equal((await startClient(server.url, { mode }).refused()).message, TOO_MANY);
    clients.shift().leave();
    await connectionsAre(server, 9);
    clients.push(await connect(server.url));
    assert.equal((await startClient(server.url).refused()).message, TOO_MANY);
    for (const client of clients) client.leave();
    await connectionsAre(server, 0);
  });

  it('sends a random string after 5 to 15 seconds', async () => {
    // The service may have ticked while nobody was connected, so the range is taken between two strings, or from the
    // start to the first; a late machine only lengthens it.
    const started = Date.parse((await server.waitForLog(LOG.initialised)).timestamp);
    const client = await connect(server.url);
    const [{ timestamp }] = await client.next('randomString', 40_000);
    const previous = server.logsOf(LOG.random).map((line) => Date.parse(line.timestamp)).filter((t) => t < timestamp - 1000);
    const gap = timestamp - Math.max(started, ...previous);
    assert.ok(gap >= 4_900, `a random string came after ${gap} ms`);
    assert.ok(Date.now() - started < 45_000, 'the first random string came too late');
    client.leave();
  });
});
