'use strict';
// A cluster of three servers around a Redis: two on our header, one on the official package. Each operation is asked of
// one of ours and of the official one, with clients on all three, and everybody must get it, once. See cluster.js
// for the environment, faults.test.js for what happens when something breaks.

const assert = require('node:assert/strict');
const { after, afterEach, before, describe, it } = require('../common/test');
const { Emitter } = require('@socket.io/redis-emitter');
const { createClient } = require('redis');
const { TIMEOUT, sleep, until } = require('../common/harness');
const { OURS, brings, closeClients, connect, settle, startRedis, startServer } = require('./cluster');

const KINDS = { a: OURS, b: OURS, c: 'official' };
const TIME = 4000;  // --requests-timeout of all three
// No integers beyond 2^53: the official adapter turns them into others.
const values = [
  '', 'a text', 'てすと äöü €€€ 🦊 \u2028 "\\', 'x'.repeat(70_000), 0, 1, -1, 127, 128, -32, -33, 255, 256, -128, -129, 65_535, 65_536, -32_769,
  2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53 - 1, -(2 ** 53 - 1), 0.1, -1.5, 5e-324, true, false, null, [], {}, [[[[]]]],
  { list: [1, 'two', { three: [false, null] }], 'schlüssel 🦊': { '': 0 } }, Array.from({ length: 70_000 }, (_, i) => i % 300), Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`key ${i}`, i])),
];
const bytes = (...all) => Buffer.from(all);
const blob = (size) => Buffer.from(Array.from({ length: size }, (_, i) => i % 251));
/** As text, whatever the order of the list and of its objects' keys. */
const sorted = (list) => list.map((item) => JSON.stringify(Object.entries(item).sort())).sort();

describe(`a cluster of two servers of ours and an official one${OURS === 'official' ? ' (all three official)' : ''}`, () => {
  let redis;
  const servers = {};
  before(async () => {
    redis = await startRedis();
    for (const [letter, which] of Object.entries(KINDS)) servers[letter] = await startServer(which, { redis: redis.url, name: letter, 'requests-timeout': TIME });
    await until(async () => (await redis.command('PUBSUB', 'NUMSUB', 'socket.io-request#/#'))[1] === 3, 'waiting for three servers at Redis');
  });
  after(async () => {
    for (const server of Object.values(servers)) await server.stop();
    await redis.stop();
  });
  afterEach(closeClients);

  /** Two clients of each server, by name: a1 (WebSocket), a2 (polling), b1, ...; and as a list. */
  async function people(nsp, options = {}) {
    const named = {};
    for (const letter of Object.keys(KINDS)) {
      named[`${letter}1`] = await connect(servers[letter], { nsp, label: `${letter}1`, ...options });
      named[`${letter}2`] = await connect(servers[letter], { nsp, label: `${letter}2`, mode: 'polling', ...options });
    }
    const all = Object.values(named);
    await until(async () => await named.a1.ask('servers') === 3, `waiting for three servers in ${nsp}`);
    await settle(all);
    return { ...named, all };
  }
  const join = (room, ...some) => Promise.all(some.map((client) => client.ask('join', room)));

  for (const nsp of ['/', '/chat', '/tenant-7']) {
    for (const from of ['a', 'c']) {
      describe(`asked of ${KINDS[from] === 'official' ? 'the official one' : 'one of ours'} in ${nsp}`, () => {
        const sender = (everybody) => everybody[`${from}1`];

        it('emits to everybody', async () => {
          const everybody = await people(nsp);
          await brings(everybody.all, () => sender(everybody).tell('emit', {}, 'news'), () => [['news']]);
          await brings(everybody.all, () => sender(everybody).tell('emit', {}, 'news', ...values), () => [['news', ...values]]);
          for (const value of values) sender(everybody).tell('emit', {}, 'one', value);
          await settle(everybody.all);
          for (const client of everybody.all) assert.deepEqual(client.got.filter(([event]) => event === 'one').map(([, value]) => value), values, client.label);
        });

        it('emits binary', async () => {
          const everybody = await people(nsp);
          const things = [bytes(), bytes(0), bytes(1, 2, 3), { deep: { list: [bytes(255), 'beside', bytes(0xc1)] } }, blob(255), blob(256), blob(65_535), blob(65_536)];
          await brings(everybody.all, () => sender(everybody).tell('emit', {}, 'blobs', ...things), () => [['blobs', ...things]]);
          const placeholder = { _placeholder: true, num: 0 };
          await brings(everybody.all, () => sender(everybody).tell('emit', {}, 'no blob', placeholder), () => [['no blob', placeholder]]);
        });

        it('emits to rooms, each client once', async () => {
          const everybody = await people(nsp);
          const { a1, a2, b1, b2, c1, c2, all } = everybody;
          await join('red', a1, b1, c1);
          await join('blue', a1, a2, c2, b2);
          const to = (target, ...whom) => brings(all, () => sender(everybody).tell('emit', target, 'told', bytes(7)), (client) => (whom.includes(client) ? [['told', bytes(7)]] : []));
          await to({ rooms: ['red'] }, a1, b1, c1);
          await to({ rooms: ['red', 'blue'] }, ...all);
          await to({ rooms: ['red'], except: ['blue'] }, b1, c1);
          await to({ except: ['red'] }, a2, b2, c2);
          await to({ except: ['red', 'blue'] });
          await to({ rooms: ['nobody is here'] });
          await to({ rooms: [a2.id] }, a2);
          await to({ rooms: [b1.id, c2.id] }, b1, c2);
          await to({ rooms: [b2.id], except: ['blue'] });
          await to({ except: [c1.id, a1.id] }, a2, b1, b2, c2);
          await b1.ask('leave', 'red');
          await to({ rooms: ['red'] }, a1, c1);
        });

        it('emits to rooms of strange names', async () => {
          const everybody = await people(nsp);
          const { a2, b1, c1, all } = everybody;
          for (const room of ['', '#', 'a#b', '#/#', '*', '[a]', '?', '1', '-1.5', 'ünïcødé 🦊', '\u0000', ' ', 'x'.repeat(1000), '__proto__']) {
            await join(room, b1, c1, a2);
            await brings(all, () => sender(everybody).tell('emit', { rooms: [room] }, 'told', room), (client) => ([a2, b1, c1].includes(client) ? [['told', room]] : []));
          }
          await brings(all, () => sender(everybody).tell('emit', { rooms: ['a'] }, 'told'), () => []);
        });

        it('emits to others, on behalf of a socket', async () => {
          const everybody = await people(nsp);
          const { a1, b1, c1, c2, all } = everybody;
          const me = sender(everybody);
          await join('red', a1, b1, c1, c2);
          await brings(all, () => me.tell('others', [], 'hello', 1), (client) => (client === me ? [] : [['hello', 1]]));
          await brings(all, () => me.tell('others', ['red'], 'hello', 2), (client) => (client !== me && [a1, b1, c1, c2].includes(client) ? [['hello', 2]] : []));
        });

        it('emits to its own clients only, or to those who can take it', async () => {
          const everybody = await people(nsp);
          const { a1, b1, c1, all } = everybody;
          await join('red', a1, b1, c1);
          const me = sender(everybody);
          await brings(all, () => me.tell('emit', { local: true }, 'here'), (client) => (client.server === servers[from] ? [['here']] : []));
          await brings(all, () => me.tell('emit', { local: true, rooms: ['red'] }, 'here'), (client) => (client === me ? [['here']] : []));
          // Whoever is just being sent something misses it. So again and again, and nobody may get one twice.
          await settle(all);
          for (const client of all) client.got = [];
          const sockets = all.filter(({ label }) => label.endsWith('1'));
          let sent = 0;
          await until(async () => {
            me.tell('emit', { volatile: true }, 'perhaps', ++sent, bytes(1));
            await sleep(20);
            return sockets.every(({ got }) => got.length);
          }, 'waiting for a volatile event at each WebSocket');
          await settle(all);
          for (const client of all) {
            const numbers = client.got.map(([, number]) => number);
            assert.deepEqual(numbers, [...new Set(numbers)].sort((x, y) => x - y), client.label);
            assert.ok(client.got.every(([, , blob]) => blob.equals(bytes(1))), client.label);
          }
        });

        it('keeps the order of what it emits', async () => {
          const everybody = await people(nsp);
          await join('red', ...everybody.all);
          const wanted = Array.from({ length: 300 }, (_, i) => ['count', i]);
          await brings(everybody.all, () => {
            for (const [, i] of wanted) sender(everybody).tell('emit', i % 3 ? {} : { rooms: ['red'] }, 'count', i);
          }, () => wanted);
        });

        it('asks everybody and waits for the answers', async () => {
          const everybody = await people(nsp);
          const { a1, b1, b2, c1, all } = everybody;
          await join('red', a1, b1, c1);
          for (const client of all) {
            client.socket.on('who', (what, reply) => reply({ who: client.label, what }, 'a second value'));
            client.socket.on('nothing', (reply) => reply());
            client.socket.on('blob', (reply) => reply(bytes(...Buffer.from(client.label))));
            client.socket.on('unless c2', (reply) => { if (client.label !== 'c2') reply(client.label); });
          }
          const labels = (some) => some.map(({ label }) => label);
          const ask = (target, ms, ...words) => sender(everybody).askAll('ask', target, ms, ...words);

          let [failed, answers] = await ask({}, 10_000, 'who', 'you?');
          assert.equal(failed, false);
          assert.deepEqual(sorted(answers), sorted(labels(all).map((who) => ({ who, what: 'you?' }))));

          [failed, answers] = await ask({ rooms: ['red'], except: [b1.id] }, 10_000, 'who', bytes(1, 2));
          assert.equal(failed, false);
          assert.deepEqual(answers.map(({ who, what }) => [who, what]).sort(), [['a1', bytes(1, 2)], ['c1', bytes(1, 2)]]);

          [failed, answers] = await ask({ rooms: [b2.id] }, 10_000, 'who', 0);
          assert.deepEqual([failed, answers], [false, [{ who: 'b2', what: 0 }]]);

          [failed, answers] = await ask({ rooms: ['nobody is here'] }, 10_000, 'who', 0);
          assert.deepEqual([failed, answers], [false, []]);

          [failed, answers] = await ask({}, 10_000, 'blob');
          assert.deepEqual([failed, answers.map(String).sort()], [false, labels(all).sort()]);

          [failed, answers] = await ask({}, 10_000, 'nothing');
          assert.equal(failed, false);
          assert.equal(answers.length, all.length);

          const begin = Date.now();
          [failed, answers] = await ask({}, 700, 'unless c2');
          assert.ok(Date.now() - begin >= 600 && Date.now() - begin < 700 + TIMEOUT / 2);
          assert.equal(failed, true);
          assert.deepEqual(answers.sort(), labels(all).filter((label) => label !== 'c2').sort());

          // Asked to ask its own clients only, the official one waits for other servers until the time is over.
          [failed, answers] = await ask({ local: true }, KINDS[from] === 'official' ? 2000 : 10_000, 'who', 1);
          assert.deepEqual([failed, sorted(answers)], [KINDS[from] === 'official', sorted([`${from}1`, `${from}2`].map((who) => ({ who, what: 1 })))]);
          // Each question once: nobody was asked twice.
          for (const client of all) assert.equal(client.got.filter(([event]) => event === 'nothing').length, 1, client.label);
        });

        it('finds all sockets, with what is known of them', async () => {
          const everybody = await people(nsp, { auth: { token: 'ä' }, query: { who: 'me & you' }, extraHeaders: { 'x-agent': 'a test' } });
          const { a1, b1, c1, all } = everybody;
          await join('red', a1, b1, c1);
          for (const client of all) await client.ask('keep', { label: client.label, list: [1, { two: null }] });
          const fetch = async (target) => {
            const [failed, sockets] = await sender(everybody).askAll('fetch', target);
            assert.equal(failed, false, sockets);
            return sockets.sort((a, b) => (a.data.label < b.data.label ? -1 : 1));
          };
          const wanted = (some) => some.map((client) => ({
            id: client.id, rooms: [client.id, ...([a1, b1, c1].includes(client) ? ['red'] : [])].sort(), data: { label: client.label, list: [1, { two: null }] },
            handshake: { address: '127.0.0.1', auth: { token: 'ä' }, query: 'me & you', agent: 'a test', issued: 'number' },
          }));
          const without_url = (sockets) => sockets.map((socket) => {
            assert.match(socket.handshake.url, /^\/socket\.io\/\?(who=me%20%26%20you&EIO=4|.*EIO=4)/);
            delete socket.handshake.url;
            return socket;
          });
          assert.deepEqual(without_url(await fetch({})), wanted(all));
          assert.deepEqual(without_url(await fetch({ rooms: ['red'] })), wanted([a1, b1, c1]));
          assert.deepEqual(without_url(await fetch({ rooms: ['red'], except: [c1.id] })), wanted([a1, b1]));
          assert.deepEqual(await fetch({ rooms: ['nobody is here'] }), []);
          assert.deepEqual(without_url(await fetch({ local: true })), wanted(all.filter((client) => client.server === servers[from])));
        });

        it('has sockets join and leave rooms', async () => {
          const everybody = await people(nsp);
          const { a1, a2, b1, c1, c2, all } = everybody;
          const me = sender(everybody);
          await join('red', a1, b1, c1);
          me.tell('all join', { rooms: ['red'] }, ['new', 'newer']);
          await brings(all, () => c2.tell('emit', { rooms: ['new'] }, 'told'), (client) => ([a1, b1, c1].includes(client) ? [['told']] : []));
          me.tell('all leave', { rooms: ['new'], except: [b1.id] }, ['new', 'red']);
          await brings(all, () => a2.tell('emit', { rooms: ['new'] }, 'told'), (client) => (client === b1 ? [['told']] : []));
          await brings(all, () => a2.tell('emit', { rooms: ['newer', 'new', 'red'] }, 'told'), (client) => ([a1, b1, c1].includes(client) ? [['told']] : []));
          me.tell('all join', {}, ['everybody']);
          await brings(all, () => b1.tell('emit', { rooms: ['everybody'] }, 'told'), () => [['told']]);
          me.tell('all leave', { local: true }, ['everybody']);
          await brings(all, () => b1.tell('emit', { rooms: ['everybody'] }, 'told'), (client) => (client.server === servers[from] ? [] : [['told']]));
        });

        it('disconnects sockets', async () => {
          const everybody = await people(nsp);
          const { a1, a2, b1, c1, c2, all } = everybody;
          const me = sender(everybody);
          const them = all.filter((client) => ![a1, c1].includes(client));
          await join('out', a2, c2);
          me.tell('all out', { rooms: ['out'] }, false);
          await until(() => a2.gone && c2.gone, 'waiting for the end of a2 and c2');
          await settle(all);
          assert.deepEqual(all.filter((client) => client.gone).map(({ label, gone }) => [label, gone]), [['a2', 'io server disconnect'], ['c2', 'io server disconnect']]);
          me.tell('all out', { except: [a1.id, c1.id] }, true);
          await until(() => them.every((client) => client.gone), 'waiting for the end of all but two');
          await until(() => b1.socket.io.engine.readyState === 'closed', 'waiting for the end of a transport');
          await settle(all);
          assert.deepEqual(all.filter((client) => !client.gone).map(({ label }) => label), ['a1', 'c1']);
        });

        it('names all rooms', async () => {
          const everybody = await people(nsp);
          const { a1, b1, b2, c1, all } = everybody;
          await join('red', a1, b1, c1);
          await join('only b', b2);
          await join('only c', c1);
          const [failed, rooms] = await sender(everybody).askAll('rooms');
          assert.deepEqual([failed, rooms], [false, ['red', 'only b', 'only c', ...all.map(({ id }) => id)].sort()]);
        });

        it('tells the other servers, and asks them', async () => {
          const everybody = await people(nsp);
          const { all } = everybody;
          const me = sender(everybody);
          const elsewhere = (client) => client.server !== servers[from];
          const note = [1, 'ü', { list: [null, 1.5] }];
          await brings(all, () => me.tell('tell servers', 'note', ...note), (client) => (elsewhere(client) ? [['noted', client.label[0], ...note]] : []));
          await brings(all, () => me.tell('tell servers', 'note'), (client) => (elsewhere(client) ? [['noted', client.label[0]]] : []));
          const [failed, answers] = await me.askAll('ask servers', 'question', { what: 'now?' });
          assert.equal(failed, false);
          assert.deepEqual(sorted(answers), sorted(['a', 'b', 'c'].filter((letter) => letter !== from).map((letter) => ({ from: letter, what: { what: 'now?' } }))));
          const begin = Date.now();
          const [silent, none] = await me.askAll('ask servers', 'silence', 1);
          assert.ok(silent);
          assert.deepEqual(none, []);
          assert.ok(Date.now() - begin >= TIME - 100);
        });

        it('does things with a socket that is elsewhere', async () => {
          const everybody = await people(nsp);
          const { a2, b1, c1, c2, all } = everybody;
          const me = sender(everybody);
          for (const client of all) client.socket.on('who', (reply) => reply(client.label));
          await brings(all, async () => {
            for (const client of all) me.tell('one', client.id, 'emit', 'to you', client.label);
            await until(() => all.every(({ got }) => got.length), 'waiting for an event each');
          }, (client) => [['to you', client.label]]);
          for (const client of [b1, c1, me]) assert.deepEqual(await me.askAll('one', client.id, 'ask', 'who'), [false, client.label]);
          me.tell('one', b1.id, 'join', 'den');
          me.tell('one', c2.id, 'join', 'den');
          await until(async () => (await a2.askAll('fetch', { rooms: ['den'] }))[1].length === 2, 'waiting for two in the den');
          me.tell('one', c2.id, 'leave', 'den');
          await until(async () => (await a2.askAll('fetch', { rooms: ['den'] }))[1].length === 1, 'waiting for one in the den');
          me.tell('one', c2.id, 'out', true);
          me.tell('one', b1.id, 'out', false);
          await until(() => c2.gone && b1.gone, 'waiting for the end of two');
          await settle(all);
          assert.equal(all.filter(({ gone }) => gone).length, 2);
        });
      });
    }
  }

  it('counts its servers, in every namespace', async () => {
    for (const nsp of ['/', '/chat']) {
      for (const letter of Object.keys(KINDS)) {
        const client = await connect(servers[letter], { nsp, label: letter });
        assert.equal(await client.ask('servers'), 3, `${nsp} at ${letter}`);
      }
    }
  });

  it('keeps namespaces apart', async () => {
    const root = await people('/');
    const chat = await people('/chat');
    await join('red', ...root.all, ...chat.all);
    for (const from of ['a1', 'c1']) {
      await settle(chat.all);
      await brings(root.all, () => root[from].tell('emit', { rooms: ['red'] }, 'root only'), () => [['root only']]);
      await settle(chat.all);
    }
    for (const client of chat.all) assert.deepEqual(client.got, [], client.label);
  });

  it('makes and unmakes namespaces on demand, at Redis, too', async () => {
    const channels = async () => (await redis.command('PUBSUB', 'CHANNELS', 'socket.io-re*tenant*')).length;
    await until(async () => await channels() === 0, 'waiting for the end of the tenants of other tests');
    const patterns = await redis.command('PUBSUB', 'NUMPAT');
    for (let round = 0; round < 3; ++round) {
      const a1 = await connect(servers.a, { nsp: '/tenant-8', label: 'a1' });
      const c1 = await connect(servers.c, { nsp: '/tenant-8', label: 'c1' });
      await until(async () => await a1.ask('servers') === 2, 'waiting for two servers in /tenant-8');
      await brings([a1, c1], () => a1.tell('emit', {}, 'news', round), () => [['news', round]]);
      await brings([a1, c1], () => c1.tell('emit', {}, 'news', round), () => [['news', round]]);
      const begin = Date.now();  // the third server is not in this namespace, and is not waited for
      assert.equal((await a1.askAll('fetch', {}))[1].length, 2);
      assert.equal((await c1.askAll('fetch', {}))[1].length, 2);
      assert.ok(Date.now() - begin < TIME);
      a1.close();
      await until(async () => await c1.ask('servers') === 1, 'waiting for one server in /tenant-8');
      assert.deepEqual((await c1.askAll('fetch', {}))[1].map(({ id }) => id), [c1.id]);
      c1.close();
      await until(async () => await channels() === 0, 'waiting for the end of /tenant-8 at Redis');
      await until(async () => await redis.command('PUBSUB', 'NUMPAT') === patterns, 'waiting for the end of the pattern of /tenant-8 at Redis');
    }
  });

  it('ignores another cluster at the same Redis', async () => {
    const other = await startServer(OURS, { redis: redis.url, name: 'other', key: 'elsewhere', 'requests-timeout': TIME });
    const far = await startServer('official', { redis: redis.url, name: 'far', key: 'elsewhere', 'requests-timeout': TIME });
    try {
      const everybody = await people('/');
      const o = await connect(other, { label: 'o' });
      const f = await connect(far, { label: 'f' });
      await until(async () => await o.ask('servers') === 2, 'waiting for two servers elsewhere');
      await brings([o, f], async () => {
        await brings(everybody.all, () => everybody.a1.tell('emit', {}, 'news'), () => [['news']]);
        o.tell('emit', {}, 'other news');
      }, () => [['other news']]);
      await settle(everybody.all);
      for (const client of everybody.all) assert.equal(client.got.length, 1, client.label);
    } finally {
      closeClients();
      await other.stop();
      await far.stop();
    }
  });

  it('understands servers that answer on a channel of their own', async () => {
    const flags = { redis: redis.url, key: 'specific', 'requests-timeout': TIME };
    const two = [await startServer(OURS, { ...flags, name: 'x' }), await startServer('official', { ...flags, name: 'y', specific: 'yes' })];
    try {
      for (const nsp of ['/', '/chat']) {
        const everybody = [];
        for (const [index, server] of two.entries()) everybody.push(await connect(server, { nsp, label: 'xy'[index] }));
        const [x, y] = everybody;
        await until(async () => await x.ask('servers') === 2, 'waiting for two servers');
        for (const client of everybody) client.socket.on('who', (reply) => reply(client.label));
        for (const client of everybody) {
          assert.deepEqual((await client.askAll('fetch', {}))[1].map(({ id }) => id).sort(), [x.id, y.id].sort());
          assert.deepEqual(await client.askAll('rooms'), [false, [x.id, y.id].sort()]);
          const [failed, answers] = await client.askAll('ask', {}, 10_000, 'who');
          assert.deepEqual([failed, answers.sort()], [false, ['x', 'y']]);
          assert.deepEqual(await client.askAll('ask servers', 'question', 1), [false, [{ from: client === x ? 'y' : 'x', what: 1 }]]);
        }
      }
    } finally {
      closeClients();
      for (const server of two) await server.stop();
    }
  });

  it('does what the official emitter asks', async () => {
    const everybody = await people('/chat');
    const { a1, a2, b1, c1, all } = everybody;
    const client = createClient({ url: redis.url });
    await client.connect();
    try {
      const emitter = new Emitter(client).of('/chat');
      const after_it = async (...whom) => until(() => whom.every(({ got }) => got.length), 'waiting for what the emitter has sent');
      await join('red', a1, b1, c1);
      await brings(all, async () => { emitter.emit('news', 1, bytes(1, 2), 'ü'); await after_it(...all); }, () => [['news', 1, bytes(1, 2), 'ü']]);
      await brings(all, async () => { emitter.to('red').emit('told'); await after_it(a1, b1, c1); }, (one) => ([a1, b1, c1].includes(one) ? [['told']] : []));
      await brings(all, async () => { emitter.to(['red', a2.id]).except(c1.id).emit('told'); await after_it(a1, a2, b1); }, (one) => ([a1, a2, b1].includes(one) ? [['told']] : []));
      const inside = (room, count) => until(async () => (await a1.askAll('fetch', { rooms: [room] }))[1].length === count, `waiting for ${count} in ${room}`);
      emitter.in('red').socketsJoin(['new', 'newer']);
      await inside('newer', 3);
      emitter.in('new').except(a1.id).socketsLeave('new');
      await inside('new', 1);
      await brings(all, async () => { emitter.serverSideEmit('note', 7); await after_it(...all); }, (one) => [['noted', one.label[0], 7]]);
      emitter.in('newer').disconnectSockets(true);
      await until(() => [a1, b1, c1].every(({ gone }) => gone), 'waiting for the end of three');
      await settle(all);
      assert.equal(all.filter(({ gone }) => gone).length, 3);
    } finally {
      await client.quit();
    }
  });

  for (const from of ['a', 'c']) {
    describe(`when one server hangs, and ${KINDS[from] === 'official' ? 'the official one' : 'one of ours'} is asked`, () => {
      for (const victim of ['b', from === 'a' ? 'c' : 'a']) {
        it(`does not wait for ${victim} beyond the time-out`, async () => {
          const everybody = await people('/');
          const me = everybody[`${from}1`];
          const there = everybody.all.filter(({ server }) => server !== servers[victim]);
          for (const client of everybody.all) client.socket.on('who', (reply) => reply(client.label));
          servers[victim].child.kill('SIGSTOP');
          try {
            const took = async (limit, action) => {
              const begin = Date.now();
              const answer = await action();
              assert.ok(Date.now() - begin >= limit - 100 && Date.now() - begin < limit + TIMEOUT / 2, `took ${Date.now() - begin} ms`);
              return answer;
            };
            const [[fetched], [counted], [failed, answers], [late, some]] = await Promise.all([
              took(TIME, () => me.askAll('fetch', {})),
              took(TIME, () => me.askAll('rooms')),
              took(TIME, () => me.askAll('ask servers', 'question', 1)),
              took(600, () => me.askAll('ask', {}, 600, 'who')),
            ]);
            assert.deepEqual([fetched, counted, failed, late], [true, true, true, true], 'each fails');
            assert.equal(answers.length, 1, 'the other one has answered');
            assert.deepEqual(some.sort(), there.map(({ label }) => label).sort());
            await brings(there, () => me.tell('emit', {}, 'news'), () => [['news']]);
          } finally {
            servers[victim].child.kill('SIGCONT');
          }
          await settle(everybody.all);
          assert.equal((await me.askAll('fetch', {}))[1].length, 6);
        });
      }
    });
  }

  it('goes on when a server dies', async () => {
    for (const which of new Set([OURS, 'official'])) {
      const doomed = await startServer(which, { redis: redis.url, name: 'd', 'requests-timeout': TIME });
      const a1 = await connect(servers.a, { label: 'a1' });
      const b1 = await connect(servers.b, { label: 'b1' });
      const c1 = await connect(servers.c, { label: 'c1' });
      await until(async () => await a1.ask('servers') === 4, 'waiting for four servers');
      const waits = [a1, c1].map((client) => client.askAll('ask servers', 'silence', 1));  // may end early, must end
      await doomed.end('SIGKILL');
      await until(async () => await a1.ask('servers') === 3, 'waiting for three servers');
      for (const client of [a1, c1]) {
        const begin = Date.now();
        assert.equal((await client.askAll('fetch', {}))[1].length, 3);
        assert.ok(Date.now() - begin < TIME, 'it is not waited for');
      }
      await brings([a1, b1, c1], () => a1.tell('emit', {}, 'news'), () => [['news']]);
      for (const [failed] of await Promise.all(waits)) assert.equal(failed, true);
      closeClients();
    }
  });
});
