'use strict';
// What an operator sees of the demo, and the limits by rate that its flags set: metrics, a health answer without
// addresses, official clients that are refused and come back.

const assert = require('node:assert/strict');
const { after, afterEach, describe, it } = require('../common/test');
const { cleanUp, closeClients, connect, connectionsAre, health, notForOfficial, request, startClient, startServer, until } = require('../common/harness');

const OWN = { skip: notForOfficial('metrics and these limits are the demo\'s own') };

/** The metrics as {'name{labels}': number}; fails on a line that is not of the text format. */
async function metrics(server, path = '/metrics') {
  const { status, headers, body } = await request(server.url + path);
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  const values = {};
  for (const line of String(body).trimEnd().split('\n')) {
    if (/^# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge))$/.test(line)) continue;
    const match = /^([a-z_]+(?:\{[a-z]+="[^"\n]*"\})?) (-?[0-9.e+-]+)$/.exec(line);
    assert.ok(match, `not a line of metrics: ${line}`);
    assert.ok(!(match[1] in values), `twice: ${line}`);
    values[match[1]] = Number(match[2]);
  }
  return values;
}

describe('metrics', OWN, () => {
  afterEach(closeClients);
  after(cleanUp);

  it('count sessions, events and bytes; gauges return to zero when clients leave', async () => {
    const server = await startServer();
    const before = await metrics(server);
    const clients = [await connect(server.url), await connect(server.url, { mode: 'polling' })];
    await clients[0].socket.emitWithAck('ping');
    const during = await metrics(server);
    assert.equal(during['sio_sessions{transport="websocket"}'], 1);
    assert.equal(during['sio_sessions{transport="polling"}'], 1);
    assert.equal(during['sio_sockets{namespace="/demo"}'], 2);
    assert.equal(during.sio_events_total, 1);
    assert.ok(during.sio_bytes_received_total > before.sio_bytes_received_total);
    assert.ok(during.sio_packets_sent_total >= 5);  // two opens, two CONNECTs, two greetings, an ack
    assert.ok(during.sio_handler_seconds_total > 0);
    for (const client of clients) client.leave();
    await connectionsAre(server, 0);
    await until(async () => (await metrics(server))['sio_sessions{transport="polling"}'] === 0, 'waiting for the sessions to end');
    const end = await metrics(server);
    assert.equal(end['sio_closes_total{reason="client_disconnect"}'], 2);
    assert.equal(end.sio_sessions_opened_total, end.sio_sessions_closed_total);
    assert.equal(end.sio_queue_bytes, 0);
    assert.deepEqual(Object.keys(end), Object.keys(before), 'the rows are the same, whatever clients do');
  });

  it('contain no address and no id; --metrics-path moves them or turns them off', async () => {
    const server = await startServer({ flags: ['--metrics-path', '/internal/numbers'] });
    const client = await connect(server.url, { extraHeaders: { 'X-Forwarded-For': '203.0.113.77' } });
    const text = JSON.stringify(await metrics(server, '/internal/numbers'));
    assert.doesNotMatch(text, /203\.0\.113|127\.0\.0/);
    assert.ok(!text.includes(client.id));
    assert.equal((await request(`${server.url}/metrics`)).status, 404);
    const none = await startServer({ flags: ['--metrics-path', 'none'] });
    assert.equal((await request(`${none.url}/metrics`)).status, 404);
  });
});

describe('--health-addresses off', OWN, () => {
  afterEach(closeClients);
  after(cleanUp);

  it('omits connectionsByIP only', async () => {
    const server = await startServer({ flags: ['--health-addresses', 'off'] });
    await connect(server.url);
    assert.deepEqual(Object.keys((await health(server)).json), ['status', 'connections', 'timestamp']);
    assert.equal((await health(server)).json.connections, 1);
  });
});

describe('limits by rate', OWN, () => {
  afterEach(closeClients);
  after(cleanUp);

  it('an event beyond the rate is acknowledged with retryAfter, and a later one is handled', async () => {
    const server = await startServer({ flags: ['--event-rate', '2/4'] });
    const client = await connect(server.url);
    const answers = await Promise.all([1, 2, 3].map(() => client.socket.emitWithAck('ping')));
    assert.equal(answers.filter((answer) => answer.status === 'ok').length, 2);
    const { error } = answers.find((answer) => answer.error);
    assert.equal(error.code, 'RATE_LIMITED');
    assert.equal(error.event, 'ping');
    assert.ok(error.retryAfter > 0 && error.retryAfter <= 250, `retryAfter is ${error.retryAfter}`);
    await until(async () => (await client.socket.emitWithAck('ping')).status === 'ok', 'pinging again');
  });

  for (const mode of ['polling', 'websocket']) {
    it(`a client over ${mode} that is refused by the handshake rate reconnects by itself`, async () => {
      const server = await startServer({ flags: ['--trusted-proxy', 'none', '--handshake-rate', '1/2'] });
      await connect(server.url, { mode });
      const client = startClient(server.url, { mode, reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 300 });
      await client.next('connect_error');
      await client.next('connect');
      assert.ok((await metrics(server))['sio_refusals_total{reason="too_many_handshakes"}'] >= 1);
    });
  }

  it('a client beyond the packet rate is closed, others stay connected', async () => {
    const server = await startServer({ flags: ['--packet-rate', '20/1'] });
    const [flooder, honest] = [await connect(server.url), await connect(server.url)];
    for (let i = 0; i < 30; ++i) flooder.socket.emit('none');
    const [reason] = await flooder.next('disconnect');
    assert.equal(reason, 'transport close');
    assert.equal((await honest.socket.emitWithAck('ping')).status, 'ok');
    assert.equal((await metrics(server))['sio_closes_total{reason="too_many_packets"}'], 1);
  });

  it('sessions of one address are limited', async () => {
    const server = await startServer({ flags: ['--max-sessions-per-address', '1'] });
    const from = (address) => ({ extraHeaders: { 'X-Forwarded-For': address } });
    await connect(server.url, from('203.0.113.7'));
    const error = await startClient(server.url, from('203.0.113.7')).refused();
    assert.match(error.message, /websocket error/);
    await connect(server.url, from('203.0.113.8'));
  });
});
