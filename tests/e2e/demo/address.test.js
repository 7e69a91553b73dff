'use strict';
// Whom a connection is counted for: the peer, or the client that a trusted proxy names in X-Forwarded-For.

const assert = require('node:assert/strict');
const { after, afterEach, before, describe, it } = require('../common/test');
const { MODES, cleanUp, closeClients, connect, connectionsAre, health, hasIpv6, startClient, startServer } = require('../common/harness');

describe('the address of a client behind a trusted proxy (loopback, by default)', () => {
  let server;
  before(async () => { server = await startServer({ flags: ['--max-connections-per-ip', '2'] }); });
  afterEach(closeClients);
  after(cleanUp);

  const via = (forwarded, mode = 'websocket') => ({ mode, extraHeaders: { 'X-Forwarded-For': forwarded } });

  /** The addresses a client with that header is counted for (one of them). */
  async function countedFor(forwarded, mode) {
    const client = await connect(server.url, via(forwarded, mode));
    const { connectionsByIP } = (await health(server)).json;
    client.leave();
    await connectionsAre(server, 0);
    return connectionsByIP;
  }

  for (const mode of Object.keys(MODES)) {
    it(`over ${mode}: the forwarded address counts`, async () => {
      assert.deepEqual(await countedFor('203.0.113.7', mode), { '203.0.113.7': 1 });
    });
  }

  for (const [header, key, why] of [
    ['198.51.100.1, 203.0.113.7', '203.0.113.7', 'the right-most entry, as anybody can write the ones before it'],
    ['198.51.100.1, 203.0.113.7, 127.0.0.1', '203.0.113.7', 'the right-most entry that is no trusted proxy'],
    ['203.0.113.7,127.0.0.1,127.8.9.10', '203.0.113.7', 'several trusted proxies, without spaces'],
    ['127.0.0.1, 203.0.113.7, 198.51.100.1', '198.51.100.1', 'an entry behind an untrusted one never counts'],
    ['::ffff:203.0.113.9', '203.0.113.9', 'an IPv4-mapped IPv6 address is an IPv4 address'],
  ]) {
    it(`"${header}" is ${key}: ${why}`, async () => {
      assert.deepEqual(await countedFor(header), { [key]: 1 });
    });
  }

  it('without the header the peer itself counts', async () => {
    const client = await connect(server.url);
    assert.deepEqual((await health(server)).json.connectionsByIP, { '127.0.0.1': 1 });
    client.leave();
    await connectionsAre(server, 0);
  });

  it('a header without an address refuses nobody', async () => {
    for (const header of ['unknown', '', ' , ,', '300.1.2.3', '_hidden', 'x'.repeat(300)]) {
      const keys = Object.values(await countedFor(header));
      assert.deepEqual(keys, [1], JSON.stringify(header));
    }
  });

  it('the limit counts each address separately', async () => {
    const two = [await connect(server.url, via('203.0.113.7')), await connect(server.url, via('203.0.113.7', 'polling'))];
    const error = await startClient(server.url, via('203.0.113.7')).refused();
    assert.equal(error.message, 'Too many connections from this IP');
    const other = await connect(server.url, via('203.0.113.8'));
    const { json } = await health(server);
    assert.equal(json.connections, 3);
    assert.deepEqual(json.connectionsByIP, { '203.0.113.7': 2, '203.0.113.8': 1 });
    for (const client of [...two, other]) client.leave();
    await connectionsAre(server, 0);
  });

  it('an IPv4-mapped IPv6 address counts as the IPv4 address', async () => {
    const two = [await connect(server.url, via('203.0.113.7')), await connect(server.url, via('::ffff:203.0.113.7'))];
    await startClient(server.url, via('::FFFF:203.0.113.7')).refused();
    for (const client of two) client.leave();
    await connectionsAre(server, 0);
  });

  it('IPv6 counts by /64', async () => {
    const same = [await connect(server.url, via('2001:db8:1:2::1')), await connect(server.url, via('2001:db8:1:2:ffff:a:b:9'))];
    const error = await startClient(server.url, via('2001:0DB8:0001:0002:8000::')).refused();
    assert.equal(error.message, 'Too many connections from this IP');
    const other = await connect(server.url, via('2001:db8:1:3::1'));
    const { connectionsByIP } = (await health(server)).json;
    const keys = Object.keys(connectionsByIP).sort();
    assert.deepEqual(keys.map((key) => connectionsByIP[key]), [2, 1], JSON.stringify(connectionsByIP));
    assert.ok(keys[0].startsWith('2001:db8:1:2:') && keys[1].startsWith('2001:db8:1:3:'), `the keys are ${keys}`);
    for (const client of [...same, other]) client.leave();
    await connectionsAre(server, 0);
  });

  it('loopback of the other family is trusted too', async (t) => {
    if (!(await hasIpv6())) return t.skip('this machine has no ::1');
    const client = await connect(`http://[::1]:${server.port}`, via('203.0.113.7'));
    assert.deepEqual((await health(server)).json.connectionsByIP, { '203.0.113.7': 1 });
    client.leave();
    await connectionsAre(server, 0);
  });
});

describe('--trusted-proxy', () => {
  afterEach(closeClients);
  after(cleanUp);

  it('takes the place of the default, so a header from loopback is then ignored', async () => {
    const server = await startServer({ flags: ['--trusted-proxy', '10.0.0.0/8', '--max-connections-per-ip', '2'] });
    const headers = (address) => ({ extraHeaders: { 'X-Forwarded-For': address } });
    const clients = [await connect(server.url, headers('203.0.113.7')), await connect(server.url, { mode: 'polling', ...headers('203.0.113.8') })];
    assert.deepEqual((await health(server)).json.connectionsByIP, { '127.0.0.1': 2 });
    const error = await startClient(server.url, headers('203.0.113.9')).refused();
    assert.equal(error.message, 'Too many connections from this IP', 'a forged header must not get round the limit');
    for (const client of clients) client.leave();
  });

  it('can be repeated: each network is passed over on the way to the client', async () => {
    const server = await startServer({ flags: ['--trusted-proxy', '127.0.0.1', '--trusted-proxy', '10.0.0.0/8'] });
    const client = await connect(server.url, { extraHeaders: { 'X-Forwarded-For': '198.51.100.1, 203.0.113.7, 10.1.2.3, 10.255.0.1' } });
    assert.deepEqual((await health(server)).json.connectionsByIP, { '203.0.113.7': 1 });
    client.leave();
  });
});
