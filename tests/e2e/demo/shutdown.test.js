'use strict';
// The end: SIGTERM or SIGINT with clients of every kind, the bound, the second signal.

const assert = require('node:assert/strict');
const { after, describe, it } = require('../common/test');
const { LOG, MODES, cleanUp, connect, rawConnection, rawWebSocket, request, startServer, until, within } = require('../common/harness');

// The contract's bound is 5 s. The rest is for the machine to notice: starting a timer late, a sanitizer's own report at the end.
const BOUND = 5_000 + 2_500;

const HALF_REQUEST = 'GET /api/websocket/health HTTP/1.1\r\nHost: x\r\nX-Half: ';

function endedWell(end, server) {
  assert.deepEqual({ code: end.code, signal: end.signal }, { code: 0, signal: null }, server.said());
  assert.ok(end.ms <= BOUND, `the end took ${end.ms} ms`);
}

// What the official client may report when its server ends and can tell it so: thrown out, or the transport closed. A
// polling client that happens to be between two polls can be told nothing; to that one the server is simply gone.
const TOLD = ['io server disconnect', 'transport close'];
const BETWEEN_POLLS = [...TOLD, 'transport error'];

/** Waits until the server has the client's next poll in hand: it arrived before these requests did. */
async function pollIsHeld(server, client) {
  await client.next('connectionStatus');
  assert.equal((await client.ask('ping')).status, 'ok');
  for (let i = 0; i < 5; ++i) await request(`${server.url}/api/websocket/health`);
}

// Each test has a server of its own and mostly waits, so several run at a time.
describe('shutdown', { concurrency: 4 }, () => {
  after(cleanUp);

  for (const signal of ['SIGTERM', 'SIGINT']) {
    it(`${signal} without clients ends with 0`, async () => {
      const server = await startServer();
      const from = Date.now();
      server.signal(signal);
      endedWell({ ...(await server.ended()), ms: Date.now() - from }, server);
    });
  }

  for (const mode of Object.keys(MODES)) {
    it(`over ${mode}: the client is told, and the end is logged`, async () => {
      const server = await startServer();
      const client = await connect(server.url, { mode });
      await pollIsHeld(server, client);
      endedWell(await server.stop(), server);
      const [reason] = await client.next('disconnect');
      assert.ok(TOLD.includes(reason), `the reason was "${reason}"`);
      const line = await server.waitForLog(LOG.disconnected);
      assert.equal(line.totalPings, 1);
    });
  }

  it('SIGTERM with clients of every kind at once: all are told, exit code 0, within the bound', async () => {
    const server = await startServer({ flags: ['--max-connections-per-ip', '100', '--random-string-interval', '0.05..0.1'] });
    const clients = [];
    for (const mode of Object.keys(MODES)) for (let i = 0; i < 3; ++i) clients.push(await connect(server.url, { mode }));
    const silent = await rawConnection(server.port);
    const half = await rawConnection(server.port);
    half.write(HALF_REQUEST);
    const idle = await rawConnection(server.port);
    idle.write('GET /api/websocket/health HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => idle.received.includes('healthy'), 'an answer on the connection that then stays idle');
    const engine = `${server.url}/socket.io/?EIO=4&transport=polling`;
    const { sid } = JSON.parse((await request(engine)).body.slice(1)); // a session that joins nothing, its poll held
    const held = await rawConnection(server.port);
    held.write(`GET /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const { sid: probed } = JSON.parse((await request(engine)).body.slice(1)); // a session in the middle of an upgrade
    const probing = await rawConnection(server.port);
    probing.write(`GET /socket.io/?EIO=4&transport=websocket&sid=${probed} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n`
      + 'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
    await until(() => probing.received.includes('101 '), 'the upgrade of a session');
    for (const client of clients) await client.next('randomString');

    endedWell(await server.stop(), server);
    for (const client of clients) {
      const [reason] = await client.next('disconnect');
      const expected = client.mode === 'polling' ? BETWEEN_POLLS : TOLD;
      assert.ok(expected.includes(reason), `the reason of a ${client.mode} client was "${reason}"`);
    }
    for (const [name, connection] of Object.entries({ silent, half, idle, held, probing })) {
      await within(connection.finished, `waiting for the end of the ${name} connection`);
    }
    assert.match(held.received, /^HTTP\/1\.1 200 /, 'a held poll is answered, not dropped');
    assert.equal(server.logsOf(LOG.disconnected).length, clients.length, 'each client\'s end is logged');
  });

  it('WebSockets are closed with a close frame', async () => {
    const server = await startServer();
    const raw = await rawWebSocket(server, { join: '/demo', pong: true });
    const end = server.stop();
    const code = await within(raw.gone, 'waiting for the end of a raw WebSocket');
    assert.notEqual(code, 1006, 'the connection broke without a close frame');
    endedWell(await end, server);
  });

  it('a WebSocket that never answers the close frame does not delay the end beyond the bound', async () => {
    const server = await startServer();
    const stubborn = await stubbornWebSocket(server);
    endedWell(await server.stop(), server);
    await stubborn.finished;
  });

  it('no new connection is served once the end has begun', async () => {
    const server = await startServer();
    await stubbornWebSocket(server);
    const client = await connect(server.url);
    const end = server.stop();
    await client.next('disconnect');
    const outcome = await request(`${server.url}/socket.io/?EIO=4&transport=polling`).then((r) => r.status, () => 'refused');
    assert.ok(outcome === 'refused' || outcome === 503, `a handshake was answered with ${outcome}`);
    endedWell(await end, server);
  });

  it('while it ends, health is 503 with status and message', async (t) => {
    const server = await startServer();
    await stubbornWebSocket(server);
    const half = await rawConnection(server.port);
    half.write(HALF_REQUEST);
    // The request before it has been answered, so the server has read this connection's half request as well.
    await request(`${server.url}/api/websocket/health`);
    const client = await connect(server.url);
    const end = server.stop();
    await client.next('disconnect');
    half.write('whole\r\n\r\n');
    await within(half.finished, 'waiting for an answer or the end of a connection');
    endedWell(await end, server);
    // Whether a connection that had sent half a request may finish it is the server's choice.
    if (!half.received) return t.skip('the server closed the half request at once, so nobody could ask');
    const [head, body] = half.received.split('\r\n\r\n');
    assert.match(head, /^HTTP\/1\.1 503 /);
    assert.match(head, /content-type: application\/json/i);
    const { status, message, ...more } = JSON.parse(body.match(/\{.*\}/s)[0]);
    assert.deepEqual({ status, more }, { status: 'unhealthy', more: {} });
    assert.ok(typeof message === 'string' && message.length > 0);
  });

  for (const signal of ['SIGTERM', 'SIGINT']) {
    it(`a second signal (${signal}) ends it at once`, async () => {
      const server = await startServer();
      await stubbornWebSocket(server);
      const client = await connect(server.url);
      server.signal('SIGTERM');
      await client.next('disconnect');
      const from = Date.now();
      server.signal(signal);
      await server.ended();
      assert.ok(Date.now() - from < 2_000, `it took ${Date.now() - from} ms from the second signal`);
    });
  }

  it('the port is free again afterwards', async () => {
    const first = await startServer();
    const client = await connect(first.url);
    endedWell(await first.stop(), first);
    await client.next('disconnect');
    const second = await startServer({ port: first.port });
    const again = await connect(second.url);
    assert.equal((await again.ask('ping')).status, 'ok');
  });

  it('a client that reconnects finds the server that came after', async () => {
    const first = await startServer();
    const client = await connect(first.url, { mode: 'upgrade', reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 300 });
    endedWell(await first.stop(), first);
    const [reason] = await client.next('disconnect');
    await startServer({ port: first.port });
    // Told "io server disconnect", the official client leaves the reconnection to its user.
    if (reason === 'io server disconnect') client.socket.connect();
    await client.next('connect');
    assert.equal((await client.ask('ping')).status, 'ok');
  });
});

/** A WebSocket in the namespace, written by hand, which answers nothing, not even a close frame. */
async function stubbornWebSocket(server) {
  const socket = await rawConnection(server.port);
  socket.write('GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n'
    + 'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
  await until(() => socket.received.includes('"sid"'), 'the open packet');
  const text = Buffer.from('40/demo,');
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text])); // masked with zeros
  await until(() => socket.received.includes('connectionStatus'), 'joining the namespace');
  return socket;
}
