'use strict';
// A client of another make: python-socketio, as Debian's package python3-socketio has it.

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, afterEach, before, describe, it } = require('../common/test');
const { LOG, cleanUp, closeClients, connect, connectionsAre, startServer } = require('../common/harness');
const { execute, findPython } = require('./python');

const SCRIPT = path.join(__dirname, 'python_demo.py');

describe('python-socketio and the demo', () => {
  let server;
  let python;
  before(async () => {
    python = await findPython();
    server = await startServer({ flags: ['--max-pings-per-client', '5', '--random-string-interval', '0.1..0.2', '--max-connections-per-ip', '2'] });
  });
  afterEach(closeClients);
  after(cleanUp);

  async function play(...args) {
    const { error, stdout, stderr } = await execute(python, [SCRIPT, ...args]);
    assert.ok(!error, `${python} ${path.basename(SCRIPT)} ${args.join(' ')} failed:\n${stderr}\n${server.said()}`);
    return JSON.parse(stdout);
  }

  for (const transport of ['polling', 'websocket']) {
    it(`over ${transport}: status, random string, ping acknowledgements, and the end at the limit`, async () => {
      const { transport: travelled, events, acks, late } = await play('visit', server.url, transport, '5');
      assert.equal(travelled, transport);
      assert.deepEqual(events.filter(([event]) => event === 'connectionStatus'), [['connectionStatus', 'connected']]);
      const [, random] = events.find(([event]) => event === 'randomString');
      assert.match(random.value, /^[A-Za-z0-9]{10}$/);
      assert.equal(typeof random.timestamp, 'number');
      assert.equal(acks.length, 5);
      for (const ack of acks) {
        assert.deepEqual(Object.keys(ack), ['status', 'timestamp', 'serverTime']);
        assert.equal(ack.status, 'ok');
        assert.equal(typeof ack.timestamp, 'number');
        assert.equal(typeof ack.serverTime, 'number');
      }
      assert.deepEqual(events.slice(-2), [['error', { message: 'Ping limit exceeded', code: 'PING_LIMIT' }], ['disconnect']]);
      assert.deepEqual(late, []);
      await connectionsAre(server, 0);
    });

    it(`over ${transport}: refused beyond the limit of connections`, async () => {
      const clients = [await connect(server.url), await connect(server.url)];
      const { refused, messages } = await play('refused', server.url, transport);
      assert.equal(refused, true);
      assert.deepEqual(messages, [{ message: 'Too many connections from this IP' }]);
      for (const client of clients) client.leave();
      await connectionsAre(server, 0);
    });
  }

  it('has been logged like any other client', async () => {
    const lines = await server.waitForLogs(LOG.disconnected, 2);
    assert.ok(lines.some((line) => line.reason === 'server namespace disconnect'));
  });
});
