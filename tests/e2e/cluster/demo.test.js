'use strict';
// The demo with --redis: processes around one Redis are one service. One of them sends the random strings, to the clients
// of all, and another one goes on when it ends, dies, or Redis is away.

const assert = require('node:assert/strict');
const { after, afterEach, describe, it } = require('../common/test');
const { LOG, cleanUp, closeClients, connect, health, notForOfficial, run, startServer, until } = require('../common/harness');
const { startNetwork, startRedis } = require('./cluster');

const SPEAKS = { held: /this process sends them to the whole cluster/, elsewhere: /another process of the cluster sends them/, alone: /Redis does not tell who sends them, so this process sends its own/ };
const QUICK = ['--random-string-interval', '0.2..0.3'];

/** Starts processes of the demo around a Redis, and one client of each. */
async function cluster(redis, count, flags = []) {
  const servers = [];
  for (let i = 0; i < count; ++i) servers.push(await startServer({ flags: ['--redis', redis.url, ...QUICK, ...flags] }));
  const clients = await Promise.all(servers.map((server) => connect(server.url)));
  return { servers, clients };
}

/** What a process said last about who sends. */
function role(server) {
  const said = server.logs.filter(({ message }) => message.startsWith('Random strings:')).at(-1);
  return said && Object.keys(SPEAKS).find((name) => SPEAKS[name].test(said.message));
}

/** Waits until exactly one of the processes sends, and each knows, and returns it. */
async function sender(servers) {
  const know = () => servers.filter((server) => role(server) === 'held').length === 1 && servers.every((server) => role(server) === 'held' || role(server) === 'elsewhere');
  await until(know, `waiting for one process to send: ${servers.map(role)}`);
  return servers.find((server) => role(server) === 'held');
}

const valuesOf = (client) => client.all('randomString').map(([{ value }]) => value);

/** Each of these clients gets the same strings from now on: at least `count`, and no others between them. */
async function hearTheSame(clients, count = 4) {
  const since = Date.now();
  const fresh = (client) => client.all('randomString').filter(([{ timestamp }]) => timestamp > since).map(([{ value }]) => value);
  await until(() => clients.every((client) => fresh(client).length >= count), `waiting for ${count} strings at each client`);
  const [first, ...others] = clients.map((client) => fresh(client).slice(0, count));
  for (const other of others) assert.deepEqual(other, first);
}

describe('the demo in a cluster', { skip: notForOfficial('it has no such flag') }, () => {
  const stops = [];
  afterEach(async () => {
    closeClients();
    for (const stop of stops.splice(0).reverse()) await stop();
  });
  after(cleanUp);

  async function redisFor(...flags) {
    const redis = await startRedis(...flags);
    stops.push(() => redis.stop());
    return redis;
  }

  it('has one sender for all clients, and counts them', async () => {
    const redis = await redisFor();
    const { servers, clients } = await cluster(redis, 3);
    const one = await sender(servers);
    await hearTheSame(clients);
    const more = await connect(servers[1].url);
    for (const server of servers) {
      const found = await until(async () => {
        const { json } = await health(server);
        return json.clusterConnections === 4 && json;
      }, 'waiting for health to count the clients of all processes');
      assert.equal(found.connections, server === servers[1] ? 2 : 1, 'the field of old counts those of this process');
      assert.deepEqual(found.connectionsByIP, { '127.0.0.1': found.connections });
    }
    for (const server of servers) if (server !== one) assert.equal(server.logsOf(LOG.random).length, 0, 'the others send nothing');
    const { clientCount } = (await one.waitForLogs(LOG.random, one.logsOf(LOG.random).length + 2)).at(-1);
    assert.equal(clientCount, 4);
    more.close();
    await until(async () => (await health(servers[0])).json.clusterConnections === 3, 'waiting for the one who left not to be counted');
    assert.deepEqual((await redis.command('KEYS', '*')).map(String), ['socket.io-lease#/demo#randomString']);
  });

  it('keeps sending when nobody is connected to the sender', async () => {
    const redis = await redisFor();
    const { servers, clients } = await cluster(redis, 2);
    const one = await sender(servers);
    clients[servers.indexOf(one)].close();
    await hearTheSame([clients[1 - servers.indexOf(one)]]);
  });

  it('has another sender within seconds when the sender dies', async () => {
    const redis = await redisFor();
    const { servers, clients } = await cluster(redis, 3);
    const one = await sender(servers);
    const others = servers.filter((server) => server !== one);
    one.signal('SIGKILL');
    await one.ended();
    const died = Date.now();
    const next = await until(() => others.find((server) => role(server) === 'held'), 'waiting for another process to send');
    assert.ok(Date.now() - died < 3000 + 1000 + 2000, `it took ${Date.now() - died} ms`);
    assert.equal(others.filter((server) => role(server) === 'held').length, 1);
    await hearTheSame(clients.filter((_, i) => servers[i] !== one));
    await until(async () => (await health(next)).json.clusterConnections === 2, 'waiting for the dead to be counted no more');
  });

  it('has another sender at once when the sender ends', async () => {
    const redis = await redisFor();
    const { servers, clients } = await cluster(redis, 2);
    const one = await sender(servers);
    const two = servers.find((server) => server !== one);
    const lease = async () => String(await redis.command('GET', 'socket.io-lease#/demo#randomString'));
    const its = await lease();
    assert.equal((await one.stop()).code, 0);
    assert.notEqual(await lease(), its, 'it was given back');
    const ended = Date.now();
    await until(() => role(two) === 'held', 'waiting for the other one to send');
    assert.ok(Date.now() - ended < 1000 + 1000, `it took ${Date.now() - ended} ms`);
    await hearTheSame([clients[servers.indexOf(two)]]);
    assert.equal((await health(two)).json.clusterConnections, 1);
  });

  it('goes on alone without Redis, says so, and joins again', async () => {
    const redis = await redisFor();
    const { servers, clients } = await cluster(redis, 2);
    await sender(servers);
    await redis.kill();
    await until(() => servers.every((server) => role(server) === 'alone'), 'waiting for the processes to say that they are alone');
    const before = clients.map((client) => valuesOf(client).length);
    await until(() => clients.every((client, i) => valuesOf(client).length >= before[i] + 4), 'waiting for strings without Redis');
    const own = clients.map((client, i) => valuesOf(client).slice(before[i] + 1));
    assert.ok(own[0].every((value) => !own[1].includes(value)), 'each process has strings of its own');
    assert.equal((await health(servers[0])).status, 200);
    await until(async () => (await health(servers[0])).json.clusterConnections === 1, 'waiting for the others not to be counted');
    await redis.start();
    await sender(servers);
    await hearTheSame(clients);
    for (const [i, client] of clients.entries()) {
      assert.equal(new Set(valuesOf(client)).size, valuesOf(client).length, 'no string came twice');
      assert.ok(own[1 - i].every((value) => !valuesOf(client).includes(value)), 'what was sent alone did not reach the others later');
    }
    assert.ok(clients.every((client) => client.socket.connected));
  });

  it('starts without Redis', async () => {
    const redis = await redisFor();
    await redis.kill();
    const { servers, clients } = await cluster(redis, 2);
    await until(() => servers.every((server) => role(server) === 'alone'), 'waiting for the processes to say that they are alone');
    await Promise.all(clients.map((client) => client.next('randomString')));
    await redis.start();
    await sender(servers);
    await hearTheSame(clients);
  });

  it('has one sender when one process cannot reach Redis, and two groups of listeners', async () => {
    const redis = await redisFor();
    const network = await startNetwork(redis.port);
    stops.push(() => network.close());
    const far = await startServer({ flags: ['--redis', `redis://127.0.0.1:${network.port}`, ...QUICK] });
    const near = await startServer({ flags: ['--redis', redis.url, ...QUICK] });
    const clients = [await connect(far.url), await connect(near.url)];
    await sender([far, near]);
    network.refuse = true;
    network.cut();
    await until(() => role(far) === 'alone' && role(near) === 'held', 'waiting for the one that is cut off to be alone');
    network.refuse = false;
    await sender([far, near]);
    await hearTheSame(clients);
  });

  it('goes on alone where Redis refuses the lease, and says what to do', async () => {
    const redis = await redisFor('--user', 'app', 'on', '>secret', '+@all', '-eval', '~*', '&*');
    const server = await startServer({ flags: ['--redis', redis.url.replace('//', '//app:secret@'), ...QUICK] });
    const client = await connect(server.url);
    const [line] = await server.waitForLogs(/Redis refuses the lease/, 1);
    assert.match(line.reason, /^NOPERM .*; allow the user these commands/);
    await until(() => role(server) === 'alone', 'waiting for it to say that it is alone');
    await client.next('randomString');
    assert.doesNotMatch(server.lines.join('\n') + server.stderr, /secret/);
  });

  it('keeps limits for each process', async () => {
    const redis = await redisFor();
    const { servers } = await cluster(redis, 2, ['--max-connections-per-ip', '1']);
    for (const server of servers) {
      const refused = await connect(server.url).then(() => undefined, (error) => error);
      assert.match(String(refused), /Too many connections from this IP/);
    }
  });

  it('ignores malformed messages about the others', async () => {
    const redis = await redisFor();
    const { servers: [server] } = await cluster(redis, 1);
    await until(async () => (await health(server)).json.clusterConnections === 1, 'waiting for health');
    const say = (data) => redis.command('PUBLISH', 'socket.io-request#/demo#', JSON.stringify({ uid: 'zzzzzz', type: 6, data }));
    const id = 'A'.repeat(20);
    for (const data of [['connections'], ['connections', id], ['connections', id, -1], ['connections', id, 1.5], ['connections', id, 'x'], ['connections', 1, 1], ['connections', 'short', 1], ['connections', id, 1, 2], ['connections', { id }, 1]]) await say(data);
    await say(['connections', id, 41]);  // this one does
    await until(async () => (await health(server)).json.clusterConnections === 42, 'waiting for 41 others');
    for (let i = 0; i < 2000; ++i) await say(['connections', `B${String(i).padStart(19, '0')}`, 1]);
    const { json } = await health(server);
    assert.ok(json.clusterConnections <= 1 + 41 + 1000, `${json.clusterConnections} are counted`);
    await until(async () => (await health(server)).json.clusterConnections === 1, 'waiting for those who are silent to be forgotten');
  });

  it('refuses a malformed Redis address in one line, without the password', async () => {
    for (const [url, why] of [['redis://:secret@host:0', /port is not a number/], ['http://host', /does not begin with redis:/], ['rediss://u:secret@host', /TLS/], ['redis://host/x', /database is not a number/]]) {
      const { code, stderr, stdout } = await run(['--redis', url]);
      assert.equal(code, 2);
      assert.match(stderr, why);
      assert.match(stderr, /^sio_demo: --redis: cannot use "[^\n]*\n$/);
      assert.doesNotMatch(stderr + stdout, /secret/);
    }
  });
});
