'use strict';
// What breaks in a cluster: Redis, the way to it, the right to use it, what is published there. Whatever happens, clients
// stay connected and are served by their own server; the cluster comes back by itself. See cluster.js for the
// environment.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { afterEach, describe, it } = require('../common/test');
const msgpack = require('notepack.io');
const { request, sleep, until } = require('../common/harness');
const { OURS, brings, closeClients, connect, settle, startNetwork, startRedis, startServer } = require('./cluster');

const KINDS = { a: OURS, b: OURS, c: 'official' };
const TIME = 4000;  // --requests-timeout
const SOON = 10_000;     // within which the cluster is to be back
const official = OURS === 'official' && 'the official server does not survive it';

const cleanups = [];
const later = (action) => cleanups.push(action);
afterEach(async () => {
  closeClients();
  for (const action of cleanups.splice(0).reverse()) await action();
});

async function redisFor(...flags) {
  const redis = await startRedis(...flags);
  later(redis.stop);
  return redis;
}
async function serverFor(which, flags) {
  const server = await startServer(which, { 'requests-timeout': TIME, ...flags });
  later(server.stop);
  return server;
}

/** Servers by letter, a client or two at each. */
async function cluster(redis, letters = 'abc', urls = {}, flags = {}) {
  const servers = {};
  for (const letter of letters) servers[letter] = await serverFor(KINDS[letter], { name: letter, redis: urls[letter] ?? redis.url, ...flags });
  const people = {};
  const all = [];
  for (const letter of letters) {
    for (const number of [1, 2]) all.push(people[`${letter}${number}`] = await connect(servers[letter], { label: `${letter}${number}`, mode: number === 1 ? 'websocket' : 'upgrade' }));
  }
  await until(async () => await people[`${letters[0]}1`].ask('servers') === letters.length, 'waiting for the servers to know each other');
  await settle(all);
  return { servers, people, all, firsts: [...letters].map((letter) => people[`${letter}1`]) };
}

/** Waits until what each server emits reaches everybody. Returns how long it took. */
async function together({ all, firsts }) {
  const begin = Date.now();
  let round = 0;
  await until(async () => {
    const probe = `probe ${++round} ${begin}`;
    for (const client of firsts) client.tell('emit', {}, probe, client.label);
    await sleep(150);
    return all.every((client) => firsts.every(({ label }) => client.got.some(([event, from]) => event === probe && from === label)));
  }, `waiting for the cluster to be one again\n${[...new Set(all.map(({ server }) => server.errors))].join('')}`, SOON);
  return Date.now() - begin;
}

/** Has every server emit something again and again, until stop() or the test's end; stop() tells how many there were. */
function load({ firsts }) {
  let count = 0;
  const timer = setInterval(() => {
    ++count;
    for (const client of firsts) client.tell('emit', {}, 'load', client.label, count);
  }, 10);
  later(() => clearInterval(timer));
  return () => { clearInterval(timer); return count; };
}

/** Nobody noticed anything: all of one's own server's events came, and none of the others' twice or out of order. */
function checkLoad({ all, firsts }, count) {
  for (const client of all) {
    assert.equal(client.gone, undefined, `${client.label} was disconnected`);
    for (const { label, server } of firsts) {
      const numbers = client.got.filter(([event, from]) => event === 'load' && from === label).map(([, , number]) => number);
      if (server === client.server) assert.deepEqual(numbers, Array.from({ length: count }, (_, i) => i + 1), `${client.label} from its own server`);
      else assert.deepEqual(numbers, [...new Set(numbers)].sort((x, y) => x - y), `${client.label} from ${label}`);
    }
  }
}

describe(`a cluster in trouble${OURS === 'official' ? ' (official servers only)' : ''}`, () => {
  it('serves on while Redis is dead, and is a cluster again when it is back', async () => {
    const redis = await redisFor();
    const all = await cluster(redis);
    const stop = load(all);
    await sleep(300);
    for (let round = 0; round < 2; ++round) {
      await redis.kill();
      await sleep(1200);
      for (const client of all.firsts) assert.equal(await client.ask('name'), client.label[0]);
      await redis.start();
      await together(all);
    }
    const count = stop();
    await until(() => all.all.every((client) => client.got.some(([event, from, number]) => event === 'load' && from[0] === client.label[0] && number === count)), 'waiting for the last of the load');
    await settle(all.all);
    checkLoad(all, count);
    for (const client of all.firsts) {
      await until(async () => await client.ask('servers') === 3, 'waiting for three servers');
      assert.equal((await client.askAll('fetch', {}))[1].length, 6);
    }
    await brings(all.all, () => all.people.a1.tell('emit', {}, 'news'), () => [['news']]);
  });

  it('fails what asks all servers while Redis is dead, in time', { skip: OURS === 'official' && 'it waits until Redis is back' }, async () => {
    const redis = await redisFor();
    const all = await cluster(redis, 'ab');
    const { a1 } = all.people;
    for (const client of all.all) client.socket.on('who', (reply) => reply(client.label));
    await redis.kill();
    await sleep(100);
    for (const words of [['fetch', {}], ['rooms'], ['ask servers', 'question', 1]]) {
      const begin = Date.now();
      const [failed] = await a1.askAll(...words);
      assert.equal(failed, true, words[0]);
      assert.ok(Date.now() - begin < TIME + 3000, `${words[0]} took ${Date.now() - begin} ms`);
    }
    const [failed, answers] = await a1.askAll('ask', {}, 500, 'who');
    assert.deepEqual([failed, answers.sort()], [true, ['a1', 'a2']], 'the clients of this server have answered');
    await redis.start();
    await together(all);
    assert.equal((await a1.askAll('fetch', {}))[1].length, 4);
  });

  for (const type of ['pubsub', 'normal']) {
    it(`gets over the loss of its ${type === 'pubsub' ? 'subscriber' : 'publisher'} connections`, async () => {
      const redis = await redisFor();
      const all = await cluster(redis);
      const stop = load(all);
      for (let round = 0; round < 4; ++round) {
        await sleep(200);
        await redis.command('CLIENT', 'KILL', 'TYPE', type);
        await together(all);
      }
      const count = stop();
      await until(() => all.all.every((client) => client.got.some(([event, from, number]) => event === 'load' && from[0] === client.label[0] && number === count)), 'waiting for the last of the load');
      await settle(all.all);
      checkLoad(all, count);
      await brings(all.all, () => all.people.b1.tell('emit', {}, 'news'), () => [['news']]);
      assert.equal((await all.people.c1.askAll('fetch', {}))[1].length, 6);
    });
  }

  it('is late but correct when the network to Redis is slow', async () => {
    const redis = await redisFor();
    const network = await startNetwork(redis.port);
    later(network.close);
    const all = await cluster(redis, 'abc', { a: `redis://127.0.0.1:${network.port}` }, { 'requests-timeout': 20_000 });
    const { a1, b1, c1 } = all.people;
    for (const client of all.all) client.socket.on('who', (reply) => reply(client.label));
    network.delay = 250;
    const begin = Date.now();
    await brings(all.all, () => a1.tell('emit', { local: true }, 'here'), (client) => (client.server === a1.server ? [['here']] : []));
    assert.equal(await a1.ask('name'), 'a');
    const wanted = Array.from({ length: 100 }, (_, i) => ['count', i]);
    for (const client of [a1, b1, c1]) await brings(all.all, () => { for (const [, i] of wanted) client.tell('emit', {}, 'count', i); }, () => wanted);
    for (const client of [a1, b1, c1]) {
      const [failed, sockets] = await client.askAll('fetch', {});
      assert.deepEqual([failed, sockets.length], [false, 6], client.label);
      const [late, answers] = await client.askAll('ask', {}, 10_000, 'who');
      assert.deepEqual([late, answers.sort()], [false, all.all.map(({ label }) => label).sort()], client.label);
    }
    assert.ok(Date.now() - begin >= 1000, 'it was slow');
    network.delay = 0;
    network.refuse = true;
    network.cut();
    await sleep(700);
    assert.equal(await a1.ask('name'), 'a');
    network.refuse = false;
    await together(all);
    await brings(all.all, () => a1.tell('emit', {}, 'news'), () => [['news']]);
  });

  it('serves its own clients while Redis hangs', async () => {
    const redis = await redisFor();
    const all = await cluster(redis, 'abc', {}, { 'requests-timeout': 1500 });  // less than Redis sleeps
    const { a1 } = all.people;
    const asleep = redis.command('DEBUG', 'SLEEP', '3');
    await sleep(100);
    const begin = Date.now();
    for (const client of all.all) client.got = [];
    for (const client of all.firsts) client.tell('emit', {}, 'news', client.label);
    await until(() => all.all.every(({ got }) => got.length === 1), 'waiting for what one\'s own server has sent');
    for (const client of all.all) assert.equal(client.got[0][1][0], client.label[0]);
    assert.equal(await a1.ask('name'), 'a');
    assert.ok(Date.now() - begin < 1500, `it took ${Date.now() - begin} ms`);
    if (OURS === 'ours') {  // the official one waits until it knows how many servers there are
      const [failed] = await a1.askAll('fetch', {});
      assert.equal(failed, true);
      assert.ok(Date.now() - begin < 2900, `it took ${Date.now() - begin} ms`);
    }
    await asleep;
    await until(() => all.all.every(({ got }) => got.length === 3), 'waiting for what the others have sent');
    await together(all);
  });

  describe('a server that cannot join logs the reason and serves its own clients', { skip: OURS === 'official' && 'the official program waits for Redis first' }, () => {
    const wrongs = {
      'a wrong password': { flags: ['--requirepass', 'right'], url: (redis) => `redis://:wrong-secret@127.0.0.1:${redis.port}`, why: /WRONGPASS invalid username-password pair or user is disabled/, what: /password/i, right: 'wrong-secret' },
      'no password': { flags: ['--requirepass', 'right'], url: (redis) => redis.url, why: /NOAUTH Authentication required/, what: /password|user/i, right: '' },
      'a database that is not there': { flags: ['--databases', '2'], url: (redis) => `${redis.url}/7`, why: /ERR DB index is out of range/, what: /database/i },
      'a user who may not subscribe': { flags: ['--user', 'app', 'on', '>wrong-secret', '+@all', '~*', 'resetchannels', '&other*'], url: (redis) => `redis://app:wrong-secret@127.0.0.1:${redis.port}`, why: /NOPERM [^"]*arguments/, what: /channel|permission|ACL/i },
    };
    for (const [name, { flags, url, why, what, right }] of Object.entries(wrongs)) {
      it(name, async () => {
        const redis = await startRedis(...flags);
        later(redis.stop);
        const server = await serverFor('ours', { name: 'a', redis: url(redis) });
        const a1 = await connect(server, { label: 'a1' });
        const a2 = await connect(server, { label: 'a2' });
        await until(() => why.test(server.errors), `waiting for ${why} in the log`);
        await brings([a1, a2], () => a1.tell('emit', {}, 'news'), () => [['news']]);
        await sleep(2000);
        await brings([a1, a2], () => a1.tell('emit', { rooms: [a2.id] }, 'news'), (client) => (client === a2 ? [['news']] : []));
        const lines = server.errors.trim().split('\n');
        const line = lines.find((text) => why.test(text));
        assert.match(line, new RegExp(`127\\.0\\.0\\.1:${redis.port}`), 'what was attempted');
        assert.match(line.replace(why, ''), what, 'what to do, which Redis does not say');
        assert.doesNotMatch(server.errors, /wrong-secret/, 'no secret is logged');
        assert.ok(lines.length <= 8, `it is said too often:\n${server.errors}`);
        if (right !== undefined) {
          await redis.command('CONFIG', 'SET', 'requirepass', right);
          await until(async () => (await redis.command('PUBSUB', 'NUMSUB', 'socket.io-request#/#'))[1] === 1, 'waiting for the server to join after all', SOON + 20_000);
        }
      });
    }

    it('a Redis that is not running, and joins when it is', async () => {
      const redis = await redisFor();
      await redis.kill();
      const all = {};
      for (const letter of 'ab') {
        const server = await serverFor('ours', { name: letter, redis: redis.url });
        all[`${letter}1`] = await connect(server, { label: `${letter}1` });
        await until(() => server.errors.includes(`127.0.0.1:${redis.port}`) && /refused/i.test(server.errors), 'waiting for the log to say where it failed to connect');
      }
      const { a1, b1 } = all;
      assert.equal(await a1.ask('name'), 'a');
      await redis.start();
      await together({ all: [a1, b1], firsts: [a1, b1] });
      await brings([a1, b1], () => a1.tell('emit', {}, 'news', Buffer.from([1])), () => [['news', Buffer.from([1])]]);
    });
  });

  it('survives malformed messages', { skip: official }, async () => {
    const redis = await redisFor();
    const all = await cluster(redis, 'ab', {}, { 'requests-timeout': 20_000 });  // messages by the thousand wait before an answer
    const { a1 } = all.people;
    const room = 'room';
    for (const client of all.all) await client.ask('join', room);

    const valid = msgpack.encode(['zzzzzz', { type: 2, data: ['ignore', 1, 'two', { three: [null] }, Buffer.from([1, 2, 3])], nsp: '/' }, { rooms: [room], except: ['x'], flags: { volatile: true } }]);
    const ask = msgpack.encode({ uid: 'zzzzzz', requestId: 'yyyyyy', type: 7, packet: { type: 2, data: ['ignore'], nsp: '/' }, opts: { rooms: [], except: [], flags: { timeout: 100 } } });
    const garbage = [Buffer.alloc(0), Buffer.from([0xc1]), Buffer.from('{'), Buffer.from('{"'), Buffer.from('null'), Buffer.from('{}'), Buffer.from('[]'), Buffer.from('"')];
    let seed = 42;
    const random = () => (seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff) >> 8;
    for (let i = 0; i < 2000; ++i) garbage.push(Buffer.from(Array.from({ length: random() % 64 }, () => random() & 255)));
    for (let length = 0; length < valid.length; ++length) garbage.push(valid.subarray(0, length));
    for (let length = 0; length < ask.length; ++length) garbage.push(ask.subarray(0, length));
    garbage.push(Buffer.concat([valid, Buffer.from([0])]), Buffer.concat([valid, valid]));
    const type = valid.indexOf(Buffer.from('type')) + 4;
    for (let at = 0; at < valid.length; ++at) {
      if (at === type) continue;
      for (const change of [1, 0x80, 0x7f, 0xff]) {
        const mutant = Buffer.from(valid);
        mutant[at] ^= change;
        garbage.push(mutant);
      }
    }
    for (const head of [0x91, 0x81, 0x93]) garbage.push(Buffer.alloc(200_000, head));                             // deep
    garbage.push(Buffer.alloc(500_000, Buffer.from([0xdc, 0x00, 0x01])), Buffer.from('['.repeat(200_000)), Buffer.from('{"a":'.repeat(200_000)), Buffer.from(`{"uid":"z","type":6,"data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`));
    for (const head of [0xdd, 0xdf, 0xc6, 0xdb, 0xc9]) {                                                            // huge lengths
      garbage.push(Buffer.from([head, 255, 255, 255, 255]), Buffer.from([head, 0x7f, 255, 255, 255, 0, 0, 0]), Buffer.concat([Buffer.from([0x93, 0xa1, 0x7a]), Buffer.from([head, 0x10, 0, 0, 0, 1])]));
    }
    const odd = [null, true, 0, -1, 1.5, '', 'x', [], {}, [[]], ['x', null], { a: 1 }, Buffer.from([1])];
    const base = { uid: 'z', requestId: 'y', type: 2, opts: { rooms: [], except: [] }, rooms: [], data: [], packet: { type: 2, data: ['ignore'], nsp: '/' } };
    for (const value of odd) {
      garbage.push(msgpack.encode(value), msgpack.encode([value, value, value]), msgpack.encode(['z', value, {}]), msgpack.encode(['z', { type: 2, data: value, nsp: '/' }, {}]), msgpack.encode(['z', { type: 2, data: ['ignore'], nsp: value }, { rooms: [], except: [], flags: {} }]));
      for (const field of ['rooms', 'except', 'flags']) garbage.push(msgpack.encode(['z', { type: 2, data: ['ignore'], nsp: '/' }, { rooms: [], except: [], flags: {}, [field]: value }]));
      garbage.push(msgpack.encode(['z', { type: 2, data: ['ignore'], nsp: '/' }, value]), msgpack.encode(['z', { type: 2, data: [value], nsp: '/' }, { rooms: [], except: [], flags: {} }]));
      for (const number of [-1, 0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 99, 1.5, '2', null]) {
        for (const field of ['uid', 'requestId', 'opts', 'rooms', 'data', 'packet']) {
          const message = { ...base, type: number, [field]: value };
          garbage.push(msgpack.encode(message));
          if (!Buffer.isBuffer(value)) garbage.push(Buffer.from(JSON.stringify(message)));
        }
      }
      for (const field of ['sockets', 'rooms', 'data', 'clientCount', 'packet']) garbage.push(Buffer.from(JSON.stringify({ requestId: 'y', type: 5, [field]: value })));
      // Without saying for whom: had it a list of rooms, it would end everybody.
      if (typeof value !== 'object' || value === null) garbage.push(Buffer.from(JSON.stringify({ uid: 'z', type: 4, opts: value, close: true, sid: value })));
    }

    const memory = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${a1.server.child.pid}/status`, 'utf8'))[1]) * 1024;
    const before = memory();
    const channels = ['socket.io#/#', `socket.io#/#${room}#`, 'socket.io#/#no such room#', 'socket.io-request#/#', 'socket.io-response#/#'];
    const stop = load(all);
    for (const channel of channels) {
      for (let at = 0; at < garbage.length; at += 200) {
        const some = garbage.slice(at, at + 200);
        await Promise.all(some.map((message) => redis.command('PUBLISH', channel, message)));
        if (at % 1000 === 0) {
          const [failed, sockets] = await a1.askAll('fetch', {});
          assert.deepEqual([failed, sockets.length], [false, 4], `on ${channel}, among messages ${at} to ${at + 200}`);
        }
      }
    }
    const count = stop();
    await until(() => all.all.every((client) => client.got.some(([event, from, number]) => event === 'load' && from[0] === client.label[0] && number === count)), 'waiting for the last of the load');
    await settle(all.all);
    checkLoad(all, count);
    for (const client of all.firsts) assert.equal((await client.askAll('fetch', {}))[1].length, 4);
    await brings(all.all, () => a1.tell('emit', { rooms: [room] }, 'news'), () => [['news']]);
    const grown = memory() - before;
    assert.ok(process.env.ASAN_OPTIONS || grown < 64 << 20, `it grew by ${grown} bytes`);
    const metrics = (await request(`${a1.server.url}/metrics`)).body;
    const counted = /^sio_redis_malformed_total (\d+)$/m.exec(metrics);
    assert.ok(counted && Number(counted[1]) > 1000, `the metrics should count what was dropped:\n${metrics.split('\n').filter((line) => /redis|cluster/.test(line)).join('\n')}`);
    assert.ok(a1.server.errors.split('\n').length < 200, 'it is not said for each of them');
  });
});
