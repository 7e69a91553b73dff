'use strict';
// What the demo answers on plain HTTP: health, and the CORS headers browsers decide by.

const assert = require('node:assert/strict');
const { after, afterEach, before, describe, it } = require('../common/test');
const { ENGINE_PATH, MODES, cleanUp, closeClients, connect, connectionsAre, health, notForOfficial, request, startServer, tryWebSocket } = require('../common/harness');

const HANDSHAKE = `${ENGINE_PATH}?EIO=4&transport=polling`;
const LISTED = ['http://localhost:5173', 'http://127.0.0.1:5173'];
const UNLISTED = ['http://evil.example', 'http://localhost:5174', 'https://localhost:5173', 'http://localhost:51730', 'http://localhost', 'null'];

describe('the health endpoint', () => {
  let server;
  before(async () => { server = await startServer(); });
  afterEach(closeClients);
  after(cleanUp);

  it('answers 200 with JSON of the contract\'s shape', async () => {
    const from = Date.now();
    const { status, headers, json } = await health(server);
    assert.equal(status, 200);
    assert.match(headers['content-type'], /^application\/json(;|$)/);
    assert.deepEqual(Object.keys(json), ['status', 'connections', 'connectionsByIP', 'timestamp']);
    assert.equal(json.status, 'healthy');
    assert.equal(json.connections, 0);
    assert.deepEqual(json.connectionsByIP, {});
    assert.ok(Number.isInteger(json.timestamp) && json.timestamp >= from - 1000 && json.timestamp <= Date.now() + 1000,
      `timestamp ${json.timestamp} is not the present time in milliseconds`);
  });

  it('counts clients of every transport, in all and by address', async () => {
    const clients = [];
    for (const mode of Object.keys(MODES)) {
      clients.push(await connect(server.url, { mode }));
      const { json } = await health(server);
      assert.equal(json.connections, clients.length);
      assert.deepEqual(json.connectionsByIP, { '127.0.0.1': clients.length });
    }
    while (clients.length) {
      clients.pop().leave();
      await connectionsAre(server, clients.length);
    }
    assert.deepEqual((await health(server)).json.connectionsByIP, {});
  });

  it('counts who is in the namespace, not who only opened a transport', async () => {
    const elsewhere = await connect(server.url, { namespace: '' });
    assert.equal((await health(server)).json.connections, 0);
    const client = await connect(server.url);
    assert.equal((await health(server)).json.connections, 1);
    elsewhere.leave();
    client.leave();
    await connectionsAre(server, 0);
  });

  it('accepts a query string', async () => {
    assert.equal((await request(`${server.url}/api/websocket/health?t=1`)).status, 200);
  });

  it('answers 404 at other paths', async () => {
    for (const path of ['/api/websocket', '/api/websocket/healthy', '/nowhere', '/socket.io', '/socket.io?EIO=4&transport=polling']) {
      assert.equal((await request(server.url + path)).status, 404, path);
    }
  });
});

describe('CORS', () => {
  let server;
  before(async () => { server = await startServer(); });
  afterEach(closeClients);
  after(cleanUp);

  for (const origin of LISTED) {
    it(`allows ${origin}, with credentials`, async () => {
      const { status, headers } = await request(server.url + HANDSHAKE, { headers: { Origin: origin } });
      assert.equal(status, 200);
      assert.equal(headers['access-control-allow-origin'], origin);
      assert.equal(headers['access-control-allow-credentials'], 'true');
      assert.equal(headers.vary, 'Origin');
    });

    it(`accepts a WebSocket of ${origin}`, async () => {
      const { status, headers } = await tryWebSocket(server, { Origin: origin });
      assert.equal(status, 101);
      assert.equal(headers['access-control-allow-origin'], origin);
    });

    it(`answers the preflight of ${origin}`, async () => {
      const { status, headers, body } = await request(server.url + HANDSHAKE, {
        method: 'OPTIONS',
        headers: { Origin: origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'x-a, content-type' },
      });
      assert.equal(status, 204);
      assert.equal(body, '');
      const { date, connection, 'keep-alive': keepAlive, ...own } = headers;
      assert.deepEqual(own, {
        'access-control-allow-origin': origin,
        vary: 'Origin, Access-Control-Request-Headers',
        'access-control-allow-credentials': 'true',
        'access-control-allow-methods': 'GET,HEAD,PUT,PATCH,POST,DELETE',
        'access-control-allow-headers': 'x-a, content-type',
        'content-length': '0',
      });
    });
  }

  for (const origin of UNLISTED) {
    it(`allows nothing to ${origin}, but serves its polling`, async () => {
      const { status, headers, body } = await request(server.url + HANDSHAKE, { headers: { Origin: origin } });
      assert.equal(status, 200);
      assert.equal(body[0], '0');
      assert.equal(headers['access-control-allow-origin'], undefined);
      assert.equal(headers.vary, 'Origin');
    });

    it(`refuses a WebSocket of ${origin} with 400`, { skip: notForOfficial('it lets WebSockets of any origin in') }, async () => {
      const { status, headers } = await tryWebSocket(server, { Origin: origin });
      assert.equal(status, 400);
      assert.equal(headers['access-control-allow-origin'], undefined);
    });
  }

  it('answers the preflight of an unlisted origin without allowing it', async () => {
    const { status, headers } = await request(server.url + HANDSHAKE, {
      method: 'OPTIONS', headers: { Origin: UNLISTED[0], 'Access-Control-Request-Method': 'POST' },
    });
    assert.equal(status, 204);
    assert.equal(headers['access-control-allow-origin'], undefined);
  });

  it('accepts a WebSocket of its own origin, and one without an origin', async () => {
    assert.equal((await tryWebSocket(server, { Origin: server.url })).status, 101);
    assert.equal((await tryWebSocket(server)).status, 101);
  });

  it('is on every answer of a session, errors too', async () => {
    const headers = { Origin: LISTED[0] };
    const { sid } = JSON.parse((await request(server.url + HANDSHAKE, { headers })).body.slice(1));
    const session = `${server.url}${HANDSHAKE}&sid=${sid}`;
    const answers = [
      await request(session, { method: 'POST', body: '40/demo,', headers }),
      await request(session, { headers }),
      await request(`${server.url}${HANDSHAKE}&sid=unknown`, { headers }),
      await request(`${server.url}${ENGINE_PATH}?EIO=4&transport=pigeon`, { headers }),
    ];
    assert.deepEqual(answers.map((a) => a.status), [200, 200, 400, 400]);
    for (const answer of answers) {
      assert.equal(answer.headers['access-control-allow-origin'], LISTED[0]);
      assert.equal(answer.headers['access-control-allow-credentials'], 'true');
    }
  });

  it('serves an official client whose requests carry a listed origin', async () => {
    for (const mode of Object.keys(MODES)) {
      const client = await connect(server.url, { mode, extraHeaders: { Origin: LISTED[0] } });
      assert.equal((await client.ask('ping')).status, 'ok');
      client.leave();
    }
  });
});

describe('--cors-origin', () => {
  afterEach(closeClients);
  after(cleanUp);

  it('can be repeated, and takes the place of the default list', async () => {
    const origins = ['http://one.example', 'https://two.example:8443'];
    const server = await startServer({ flags: origins.flatMap((origin) => ['--cors-origin', origin]) });
    const allowed = async (origin) =>
      (await request(server.url + HANDSHAKE, { headers: { Origin: origin } })).headers['access-control-allow-origin'];
    assert.equal(await allowed(origins[0]), origins[0]);
    assert.equal(await allowed(origins[1]), origins[1]);
    assert.equal(await allowed(LISTED[0]), undefined);
  });
});
