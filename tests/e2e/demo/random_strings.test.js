'use strict';
// The broadcaster: one string for everybody, at random times within the range, from all letters and digits.

const assert = require('node:assert/strict');
const { after, describe, it } = require('../common/test');
const { LOG, MODES, cleanUp, connect, startServer, until } = require('../common/harness');

/** Waits until each client has `count` rounds beyond the first ones, and returns them client by client. */
async function rounds(clients, count) {
  for (const client of clients) for (let i = 0; i < count; ++i) await client.next('randomString');
  return clients.map((client) => client.all('randomString').map(([payload]) => payload));
}

// Each test has a server of its own and mostly waits, so they run at the same time.
describe('random strings', { concurrency: 6 }, () => {
  after(cleanUp);

  it('are the same for all clients at the same time, whatever their transport', async () => {
    const server = await startServer({ flags: ['--random-string-interval', '0.2..0.4'] });
    const clients = await Promise.all(
      [...Object.keys(MODES), ...Object.keys(MODES)].map((mode) => connect(server.url, { mode })));
    // The first round may have met some clients before others had connected: begin with one after that.
    const since = Date.now();
    const seen = await rounds(clients, 5);
    const common = seen[0].filter(({ timestamp }) => timestamp > since).slice(0, 3);
    assert.ok(common.length === 3, `too few rounds: ${JSON.stringify(seen[0])}`);
    for (const [i, list] of seen.entries()) {
      const from = list.findIndex(({ value }) => value === common[0].value);
      assert.deepEqual(list.slice(from, from + common.length), common, `client ${i} (${clients[i].mode}) saw other rounds`);
    }
    assert.equal(new Set(common.map(({ value }) => value)).size, common.length, 'each round is a new string');
  });

  it('come after a fresh delay within the range each time', async () => {
    const server = await startServer({ flags: ['--random-string-interval', '0.1..0.5'] });
    const client = await connect(server.url);
    const [list] = await rounds([client], 12);
    const gaps = list.slice(1).map(({ timestamp }, i) => timestamp - list[i].timestamp);
    // Timers never fire early, but the wall clock and the timer's clock round differently.
    assert.ok(Math.min(...gaps) >= 90, `a gap shorter than the range: ${gaps}`);
    // A late timer only lengthens a gap, so it is the shortest one that has to lie within the range.
    assert.ok(Math.min(...gaps) <= 500, `all gaps longer than the range: ${gaps}`);
    assert.ok(Math.max(...gaps) - Math.min(...gaps) > 20, `the delay is not random: ${gaps}`);
  });

  it('are timed by one timer, however many clients there are', async () => {
    const server = await startServer({ flags: ['--random-string-interval', '0.2..0.3', '--max-connections-per-ip', '100'] });
    const clients = await Promise.all(Array.from({ length: 20 }, () => connect(server.url)));
    const [list] = await rounds(clients, 4);
    const gaps = list.slice(1).map(({ timestamp }, i) => timestamp - list[i].timestamp);
    assert.ok(Math.min(...gaps) >= 190, `with twenty clients the gaps are ${gaps}`);
    const logged = server.logsOf(LOG.random).map((line) => line.value);
    assert.equal(new Set(logged).size, logged.length, 'one log line a round');
  });

  it('use every letter and digit, and no two are equal', async () => {
    const server = await startServer({ flags: ['--random-string-interval', '0.01..0.02'] });
    const client = await connect(server.url);
    await until(() => client.all('randomString').length >= 200, 'receiving 200 random strings');
    const values = client.all('randomString').map(([{ value }]) => value);
    for (const value of values) assert.match(value, /^[A-Za-z0-9]{10}$/);
    assert.equal(new Set(values).size, values.length);
    // Of 2,000 characters each of the 62 is missing with a probability of 1e-14.
    assert.equal(new Set(values.join('')).size, 62);
  });

  it('are skipped while nobody is there, and go on afterwards', async () => {
    const server = await startServer({ flags: ['--random-string-interval', '0.05..0.1', '--log-level', 'debug'] });
    const skipped = /skip|no client|nobody/i;
    await server.waitForLogs(skipped, 3);
    assert.deepEqual([...new Set(server.logsOf(skipped).map((line) => line.level))], ['debug']);
    assert.deepEqual(server.logsOf(LOG.random), []);
    const client = await connect(server.url);
    await client.next('randomString');
    client.leave();
    const before = server.logsOf(skipped).length;
    await server.waitForLogs(skipped, before + 2);
    const again = await connect(server.url);
    await again.next('randomString');
  });

  it('are logged with value and clientCount', async () => {
    const server = await startServer({ flags: ['--random-string-interval', '0.1..0.2'] });
    const clients = [await connect(server.url), await connect(server.url, { mode: 'polling' })];
    const since = Date.now();
    const value = (await until(() => clients[1].all('randomString').find(([p]) => p.timestamp > since), 'a round for both'))[0].value;
    const line = await server.waitForLog((l) => LOG.random.test(l.message) && l.value === value, `the round ${value}`);
    assert.equal(line.level, 'info');
    assert.equal(line.clientCount, 2);
  });
});
