'use strict';
// The log: after the two start-up lines every line of standard output is one JSON object.

const assert = require('node:assert/strict');
const { after, afterEach, describe, it } = require('../common/test');
const { LOG, MODES, cleanUp, closeClients, connect, connectionsAre, notForOfficial, rawWebSocket, request, startClient, startServer, until } = require('../common/harness');

const ISO_8601 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2})$/;

/** Each line is of the contract's shape: level and message first, the fields between, an ISO-8601 timestamp last. */
function checkShape(server) {
  assert.equal(server.lines.length, server.logs.length + server.plainLines.length);
  assert.deepEqual(server.plainLines, [
    `Server running on port ${server.port}`,
    `WebSocket service available at ws://localhost:${server.port}/demo`,
  ], 'the only lines that are not JSON are the two of the start');
  for (const line of server.logs) {
    const text = JSON.stringify(line);
    const keys = Object.keys(line);
    assert.deepEqual(keys.slice(0, 2), ['level', 'message'], text);
    assert.equal(keys.at(-1), 'timestamp', text);
    assert.ok(['trace', 'debug', 'info', 'warn', 'error'].includes(line.level), text);
    assert.ok(typeof line.message === 'string' && line.message.length > 0, text);
    assert.match(line.timestamp, ISO_8601, text);
    assert.ok(Math.abs(Date.parse(line.timestamp) - Date.now()) < 120_000, `not the present time: ${text}`);
  }
}

describe('the log', () => {
  afterEach(closeClients);
  after(cleanUp);

  it('is JSON throughout, with every kind of line at its level', async () => {
    const server = await startServer({
      flags: ['--log-level', 'debug', '--max-pings-per-client', '3', '--random-string-interval', '0.1..0.2'],
    });
    for (const mode of Object.keys(MODES)) {
      const client = await connect(server.url, { mode });
      await client.next('randomString');
      for (let i = 0; i < 4; ++i) client.emitEvent('ping');
      await client.next('disconnect');
    }
    await server.waitForLogs(LOG.disconnected, 3);
    await server.stop();
    checkShape(server);
    const levelsOf = (phrase) => [...new Set(server.logsOf(phrase).map((line) => line.level))];
    assert.equal(server.logsOf(LOG.initialised).length, 1);
    assert.equal(server.logsOf(LOG.connected).length, 3);
    assert.equal(server.logsOf(LOG.disconnected).length, 3);
    assert.equal(server.logsOf(LOG.ping).length, 9);
    assert.equal(server.logsOf(LOG.limit).length, 3);
    assert.ok(server.logsOf(LOG.random).length >= 3);
    assert.deepEqual(levelsOf(LOG.initialised), ['info']);
    assert.deepEqual(levelsOf(LOG.connected), ['info']);
    assert.deepEqual(levelsOf(LOG.disconnected), ['info']);
    assert.deepEqual(levelsOf(LOG.ping), ['debug']);
    assert.deepEqual(levelsOf(LOG.random), ['info']);
    assert.deepEqual(levelsOf(LOG.limit), ['warn']);
  });

  it('has no "Ping received" at the default level', async () => {
    const server = await startServer();
    const client = await connect(server.url);
    for (let i = 0; i < 5; ++i) await client.ask('ping');
    client.leave();
    await server.waitForLog(LOG.disconnected);
    assert.deepEqual(server.logsOf(LOG.ping), []);
    assert.deepEqual(server.logs.filter((line) => line.level === 'debug' || line.level === 'trace'), []);
    checkShape(server);
  });

  it('keeps to warnings with --log-level warn', async () => {
    const server = await startServer({ flags: ['--log-level', 'warn', '--max-pings-per-client', '1'] });
    const client = await connect(server.url);
    client.emitEvent('ping');
    client.emitEvent('ping');
    await client.next('disconnect');
    await server.waitForLog(LOG.limit);
    assert.deepEqual(server.logs.filter((line) => line.level !== 'warn' && line.level !== 'error'), []);
  });

  it('has reason, connectionDuration and totalPings of each client that left', async () => {
    const server = await startServer({ flags: ['--max-pings-per-client', '5', '--max-connections-per-ip', '100'] });
    for (const [pings, mode] of [[0, 'websocket'], [3, 'polling'], [5, 'upgrade']]) {
      const before = server.logsOf(LOG.disconnected).length;
      const from = Date.now();
      const client = await connect(server.url, { mode });
      const connected = Date.now();
      for (let i = 0; i < pings; ++i) await client.ask('ping');
      await connectionsAre(server, 1);
      await until(() => Date.now() - connected >= 250, 'staying a while'); // so that seconds are not taken for milliseconds
      const staying = Date.now() - connected;
      client.leave();
      const line = (await server.waitForLogs(LOG.disconnected, before + 1)).at(-1);
      assert.equal(line.reason, 'client namespace disconnect');
      assert.equal(line.totalPings, pings);
      assert.equal(typeof line.connectionDuration, 'number');
      assert.ok(line.connectionDuration >= staying - 20 && line.connectionDuration <= Date.now() - from + 20,
        `connectionDuration ${line.connectionDuration} is not between ${staying} and ${Date.now() - from} milliseconds`);
    }
  });

  it('names the reason: a broken connection, a limit, malformed packets', async () => {
    const server = await startServer({ flags: ['--max-pings-per-client', '2'] });
    const reasonAfter = async (action) => {
      const before = server.logsOf(LOG.disconnected).length;
      await action();
      return (await server.waitForLogs(LOG.disconnected, before + 1)).at(-1).reason;
    };
    const raw = () => rawWebSocket(server, { join: '/demo' });
    assert.equal(await reasonAfter(async () => (await raw()).terminate()), 'transport close');
    assert.equal(await reasonAfter(async () => (await raw()).close()), 'transport close');
    assert.equal(await reasonAfter(async () => (await raw()).send('41/demo,')), 'client namespace disconnect');
    assert.equal(await reasonAfter(async () => (await raw()).send('42/demo,{}')), 'forced close');
    assert.equal(await reasonAfter(async () => (await raw()).send('x')), 'parse error');
    assert.equal(await reasonAfter(async () => {
      const client = await connect(server.url);
      for (let i = 0; i < 3; ++i) client.emitEvent('ping');
    }), 'server namespace disconnect');
  });

  it('stays one JSON object a line whatever clients send', async () => {
    const server = await startServer({ flags: ['--log-level', 'debug', '--max-connections-per-ip', '3'] });
    const nasty = 'a"b\\c\n{"level":"info"}\r\u0000\u001b[31m\u2028é😀';
    const client = await connect(server.url, { auth: { [nasty]: nasty }, query: { nasty } });
    client.emitEvent(nasty, nasty);
    client.emitEvent('ping', nasty, { [nasty]: [nasty] });
    assert.equal((await client.ask('ping')).status, 'ok');
    const headers = { 'User-Agent': 'x"y\\z', 'X-Forwarded-For': '"}\\n{' };
    const other = await connect(server.url, { mode: 'polling', extraHeaders: headers });
    await startClient(server.url, { namespace: '/no"\\such' }).refused();
    await request(`${server.url}/socket.io/?EIO=4&transport=polling&sid=%22%0a%7b`, { headers });
    const raw = await rawWebSocket(server, { join: '/demo' });
    raw.send(Buffer.from([0, 10, 13, 34, 92, 255]));
    await raw.gone;
    await server.waitForLog(LOG.disconnected);
    client.leave();
    other.leave();
    await server.waitForLogs(LOG.disconnected, 3);
    await server.stop();
    checkShape(server);
  });

  it('reports a payload of the wrong shape', { skip: notForOfficial('it has no typed events') }, async () => {
    const server = await startServer();
    const client = await connect(server.url);
    client.emitEvent('ping', 'surplus');
    await client.next('error');
    const line = await server.waitForLog(/payload/i);
    assert.ok(JSON.stringify(line).includes('"ping"'), `the line does not name the event: ${JSON.stringify(line)}`);
  });

  it('warns of a connection over the limit', async () => {
    const server = await startServer({ flags: ['--max-connections-per-ip', '1'] });
    await connect(server.url);
    assert.equal((await startClient(server.url).refused()).message, 'Too many connections from this IP');
    const line = await server.waitForLog(/limit|too many connections/i);
    assert.equal(line.level, 'warn');
    assert.equal(server.logsOf(LOG.connected).length, 1, 'a refused client never connected');
  });

  it('goes to standard output only', async () => {
    const server = await startServer({ flags: ['--log-level', 'debug'] });
    const client = await connect(server.url);
    for (let i = 0; i < 101; ++i) client.emitEvent('ping');
    await client.next('disconnect');
    await server.stop();
    assert.equal(server.stderr, '');
  });
});
