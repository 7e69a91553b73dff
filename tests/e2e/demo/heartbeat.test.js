'use strict';
// Heartbeats: who answers them stays, who does not is dropped.

const assert = require('node:assert/strict');
const { after, describe, it } = require('../common/test');
const { ENGINE_PATH, LOG, MODES, cleanUp, connect, connectionsAre, rawWebSocket, request, startServer, until } = require('../common/harness');

// Each test has a server of its own and mostly waits, so they run at the same time.
describe('heartbeats', { concurrency: 4 }, () => {
  after(cleanUp);

  it('keep clients of every transport connected over many intervals', async () => {
    // Eight intervals outlast interval and time-out together, so a server that lost the answers would have dropped them.
    const server = await startServer({ flags: ['--ping-interval', '300', '--ping-timeout', '1500'] });
    const clients = await Promise.all(Object.keys(MODES).map(async (mode) => {
      const client = await connect(server.url, { mode });
      client.heartbeats = 0;
      client.socket.io.on('ping', () => { ++client.heartbeats; });
      return client;
    }));
    await until(() => clients.every((client) => client.heartbeats >= 8), 'eight heartbeats at each client');
    for (const client of clients) {
      assert.deepEqual(client.all('disconnect'), [], client.history());
      assert.equal((await client.ask('ping')).status, 'ok');
    }
    await connectionsAre(server, 3);
    for (const client of clients) client.leave();
  });

  it('drop a silent WebSocket', async () => {
    const server = await startServer({ flags: ['--ping-interval', '300', '--ping-timeout', '200'] });
    const silent = await rawWebSocket(server, { join: '/demo' });
    const joined = Date.now();
    await silent.waitFor((m) => m === '2', 'a heartbeat');
    await silent.gone;
    assert.ok(Date.now() - joined >= 300, 'dropped before its time');
    const line = await server.waitForLog(LOG.disconnected);
    assert.equal(line.reason, 'ping timeout');
    await connectionsAre(server, 0);
  });

  it('drop a polling client that stops polling', async () => {
    const server = await startServer({ flags: ['--ping-interval', '300', '--ping-timeout', '200'] });
    const engine = `${server.url}${ENGINE_PATH}?EIO=4&transport=polling`;
    const { sid } = JSON.parse((await request(engine)).body.slice(1));
    await request(`${engine}&sid=${sid}`, { method: 'POST', body: '40/demo,' });
    const line = await server.waitForLog(LOG.disconnected);
    assert.equal(line.reason, 'ping timeout');
    assert.equal((await request(`${engine}&sid=${sid}`)).status, 400);
  });

  it('drop a polling client that polls and does not answer', async () => {
    const server = await startServer({ flags: ['--ping-interval', '300', '--ping-timeout', '200'] });
    const engine = `${server.url}${ENGINE_PATH}?EIO=4&transport=polling`;
    const { sid } = JSON.parse((await request(engine)).body.slice(1));
    await request(`${engine}&sid=${sid}`, { method: 'POST', body: '40/demo,' });
    let packets = [];
    while (!packets.includes('1')) {
      const answer = await request(`${engine}&sid=${sid}`);
      if (answer.status !== 200) break;
      packets = packets.concat(answer.body.split('\x1e'));
    }
    assert.ok(packets.includes('2'), `there was no heartbeat in ${JSON.stringify(packets)}`);
    const line = await server.waitForLog(LOG.disconnected);
    assert.equal(line.reason, 'ping timeout');
  });
});
