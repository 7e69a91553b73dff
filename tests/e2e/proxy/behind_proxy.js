'use strict';
// What README.md says of reverse proxies, with its own configurations: two servers of a cluster behind one, which must
// look like one to official clients, whichever proxy it is. See ../cluster/cluster.js for the environment.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { after, afterEach, before, describe, it } = require('../common/test');
const { until } = require('../common/harness');
const { OURS, brings, closeClients, connect, startRedis, startServer } = require('../cluster/cluster');

/** The one block of README.md in a language. */
function configuration(language) {
  const readme = fs.readFileSync(path.join(__dirname, '..', '..', '..', 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm'))].map(([, text]) => text);
  assert.equal(blocks.length, 1, `README.md has one block in the language ${language}`);
  return blocks[0];
}

/** Replaces all that a pattern finds, which must be there. */
function replace(text, pattern, by) {
  assert.match(text, pattern, 'the configuration in README.md is another one than this test knows');
  return text.replaceAll(pattern, by);
}

/** The configuration with the ports of these servers instead of 3001 and 3002. */
function withUpstreams(text, ports) {
  return ports.reduce((site, port, index) => replace(site, new RegExp(`\\b127\\.0\\.0\\.1:${3001 + index}\\b`, 'g'), `127.0.0.1:${port}`), text);
}

/** Waits until something accepts at a port of 127.0.0.1, or the program that should has ended. */
async function listening(program, port) {
  await until(() => program.exit !== undefined || new Promise((resolve) => {
    http.get({ port, path: '/', agent: false }, (answer) => { answer.resume(); resolve(true); }).once('error', ({ code }) => resolve(code !== 'ECONNREFUSED'));
  }), `waiting for port ${port} to be listened at`);
  assert.equal(program.exit, undefined, `it ended: ${program.output}${program.errors}`);
}

/**
 * Describes what two servers are like behind a proxy. `start(ports)` starts it before servers at these ports and resolves
 * to {url, errors, agent(address), stop()}: an agent connects from `address`, one of this machine's own, 127.0.0.0/8;
 * `stop` resolves to the exit code.
 */
function describeCluster(name, start) {
  describe(`two servers (${OURS}) behind ${name}, as README.md configures it`, () => {
    let redis;
    let proxy;
    const servers = [];
    before(async () => {
      redis = await startRedis();
      for (const side of ['left', 'right']) servers.push(await startServer(OURS, { name: side, redis: redis.url }));
      proxy = await start(servers.map(({ port }) => port));
    });
    after(async () => {
      const exit = await proxy?.stop();
      for (const server of servers) await server.stop();
      await redis.stop();
      assert.equal(exit, 0);
    });
    afterEach(closeClients);

    /** A client from this address, connected through the proxy. */
    const from = (address, options) => connect(proxy, { label: address, agent: proxy.agent(address), ...options });

    for (const prefix of ['', '/app']) {
      const where = `${prefix}/socket.io/`;
      describe(`below ${where}`, () => {
        it('keeps a polling session on one server, request after request', async () => {
          for (const address of ['127.0.0.11', '127.0.0.12', '127.0.0.13', '127.0.0.14']) {
            const client = await from(address, { mode: 'polling', path: where });
            const names = new Set();
            for (let i = 0; i < 30; ++i) names.add(await client.ask('name'));
            assert.equal(names.size, 1, address);
            assert.equal(client.socket.io.engine.transport.name, 'polling');
            assert.equal(client.gone, undefined);
          }
        });

        it('lets clients upgrade to WebSocket, and start with it', async () => {
          for (const mode of ['upgrade', 'websocket']) {
            for (const address of ['127.0.0.11', '127.0.0.12', '127.0.0.13', '127.0.0.14']) {
              const client = await from(address, { mode, path: where });
              const name = await client.ask('name');
              await until(() => client.socket.io.engine.transport.name === 'websocket', `waiting for the upgrade of ${address}`);
              assert.equal(await client.ask('name'), name);
            }
          }
        });

        it('shows the server who the client is, whatever the client says', async () => {
          for (const mode of ['polling', 'websocket']) {
            assert.equal(await (await from('127.0.0.21', { mode, path: where })).ask('address'), '127.0.0.21');
            const liar = await from('127.0.0.22', { mode, path: where, extraHeaders: { 'X-Forwarded-For': '198.51.100.1' } });
            assert.equal(await liar.ask('address'), '127.0.0.22');
          }
        });
      });
    }

    it('spreads clients over the servers by their addresses', async () => {
      const count = { left: 0, right: 0 };
      for (let i = 1; i <= 40; ++i) {
        const client = await from(`127.0.1.${i}`, { mode: i % 2 ? 'polling' : 'websocket' });
        const name = await client.ask('name');
        ++count[name];
        const again = await from(`127.0.1.${i}`);
        assert.equal(await again.ask('name'), name, 'the same address, the same server');
        client.close();
        again.close();
      }
      assert.ok(count.left >= 8 && count.right >= 8, JSON.stringify(count));
    });

    it('is one service: what is emitted on one server reaches the clients of both', async () => {
      const people = [];
      for (let i = 1; i <= 8; ++i) people.push(await from(`127.0.1.${i}`, { mode: i % 2 ? 'polling' : 'upgrade' }));
      const behind = {};                                        // settle() needs to know who is on which server
      for (const client of people) {
        const which = await client.ask('name');
        client.server = behind[which] ??= Object.assign(Object.create(proxy), { which });
      }
      assert.equal(Object.keys(behind).length, 2, 'clients of both');
      await until(async () => await people[0].ask('servers') === 2, 'waiting for two servers');
      const blob = Buffer.from([1, 2, 3]);
      for (const client of people) await client.ask('join', 'red');
      await brings(people, () => people[0].tell('emit', { rooms: ['red'] }, 'news', blob), () => [['news', blob]]);
      await brings(people, () => people[7].tell('emit', {}, 'news', blob), () => [['news', blob]]);
    });

    it('serves clients of a server that ended, on the other one', async () => {
      const people = [];
      for (let i = 1; i <= 8; ++i) people.push(await from(`127.0.1.${i}`, { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 300 }));
      const names = await Promise.all(people.map((client) => client.ask('name')));
      const doomed = servers.findIndex((server, index) => names.includes(['left', 'right'][index]));
      const name = ['left', 'right'][doomed];
      await servers[doomed].end('SIGKILL');
      servers.splice(doomed, 1);
      for (const [index, client] of people.entries()) {
        await until(() => client.socket.connected && client.socket.id, `waiting for client ${index} to be back`);
        if (names[index] === name) await until(async () => client.socket.connected && await client.ask('name').catch(() => name) !== name, 'waiting for the other server');
      }
    });
  });
}

module.exports = { configuration, describeCluster, listening, replace, withUpstreams };
