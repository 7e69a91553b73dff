'use strict';
// The same client scripts against the demo and against official_demo.js on the official server. What the client lived through is
// written down as a transcript; ids, times and random values are replaced by their kind; then the two must be equal,
// except for the differences listed here, each of which must really be there.

const assert = require('node:assert/strict');
const { after, afterEach, before, describe, it } = require('../common/test');
const {
  ENGINE_PATH, LOG, MODES, TARGET, cleanUp, closeClients, connect, connectionsAre, health, rawWebSocket, request, startClient, startServer, tryWebSocket, until,
} = require('../common/harness');

const FLAGS = [
  '--max-pings-per-client', '4', '--max-connections-per-ip', '3', '--random-string-interval', '900..1000',
  '--cors-origin', 'http://app.example',
];

/** The kind of a value that differs from run to run; everything else stays as it is. */
function normalise(value, key = '') {
  if (Array.isArray(value)) return value.map((item) => normalise(item));
  if (value instanceof Error) return { error: value.message, data: normalise(value.data) };
  if (value !== null && typeof value === 'object') {
    return Object.entries(value).map(([name, item]) => [name, normalise(item, name)]); // pairs, so that order counts
  }
  if (typeof value === 'number' && ['timestamp', 'serverTime', 'connectionDuration'].includes(key)) return '<milliseconds>';
  if (typeof value === 'string' && key === 'value' && /^[A-Za-z0-9]{10}$/.test(value)) return '<ten letters and digits>';
  if (typeof value === 'string' && ['sid', 'id'].includes(key) && /^[A-Za-z0-9_-]{20}$/.test(value)) return '<id>';
  return value;
}

/** A client that has had its connectionStatus: what a script does next then comes after it on either server. */
async function join(server, mode) {
  const client = await connect(server.url, { mode });
  await client.next('connectionStatus');
  return client;
}

const story = (client) => client.seen.map(({ event, args }) => [event, ...normalise(args)]);

/** The headers that have a meaning for clients; dates and connection handling are the HTTP stack's own business. */
function answer({ status, headers, body }) {
  const kept = Object.entries(headers).filter(([name]) => /^(access-control-|vary$|content-type$|cache-control$|set-cookie$)/.test(name));
  return { status, headers: Object.fromEntries(kept.sort()), body: String(body).replace(/"sid":"[A-Za-z0-9_-]{20}"/g, '"sid":"<id>"') };
}

// ---- the scripts: each gets a server and a mode, and returns its transcript ---------------------------------------------------

const CLIENT_SCRIPTS = {
  async 'connect, ping, leave'(server, mode) {
    const client = await join(server, mode);
    const acks = [await client.ask('ping'), await client.ask('ping')];
    const alive = { connected: client.socket.connected, recovered: client.socket.recovered, id: client.id, transport: client.transport };
    client.leave();
    const line = await server.waitForLog(LOG.disconnected);
    return [story(client), normalise(acks), normalise(alive), line.reason, line.totalPings];
  },

  async 'a ping that asks for no acknowledgement'(server, mode) {
    const client = await join(server, mode);
    client.emitEvent('ping');
    const ack = await client.ask('ping');
    client.leave();
    const line = await server.waitForLog(LOG.disconnected);
    return [story(client), normalise(ack), line.totalPings];
  },

  async 'a ping with surplus arguments, acknowledged'(server, mode) {
    const client = await join(server, mode);
    const surplus = await client.ask('ping', 'surplus');
    const plain = await client.ask('ping');
    client.leave();
    const line = await server.waitForLog(LOG.disconnected);
    return { story: story(client), surplus: normalise(surplus), plain: normalise(plain), totalPings: line.totalPings };
  },

  async 'a ping with surplus arguments, not acknowledged'(server, mode) {
    const client = await join(server, mode);
    client.emitEvent('ping', 1, { a: [true, null] });
    const plain = await client.ask('ping');
    client.leave();
    const line = await server.waitForLog(LOG.disconnected);
    return { story: story(client), plain: normalise(plain), totalPings: line.totalPings };
  },

  async 'the ping limit'(server, mode) {
    const client = await join(server, mode);
    const acks = [];
    for (let i = 0; i < 4; ++i) acks.push(await client.ask('ping'));
    let late = 0;
    client.emitEvent('ping', () => { ++late; });
    await client.next('disconnect');
    await connectionsAre(server, 0);
    const line = await server.waitForLog(LOG.disconnected);
    return [story(client), normalise(acks), late, line.reason];
  },

  async 'the ping limit, in one burst'(server, mode) {
    const client = await join(server, mode);
    let acks = 0;
    for (let i = 0; i < 9; ++i) client.emitEvent('ping', () => { ++acks; });
    await client.next('disconnect');
    return [story(client), acks];
  },

  async 'the connection limit, and a place that becomes free'(server, mode) {
    const inside = [];
    for (let i = 0; i < 3; ++i) inside.push(await join(server, mode));
    const outside = startClient(server.url, { mode });
    await outside.refused();
    inside[0].leave();
    await connectionsAre(server, 2);
    const next = await join(server, mode);
    await next.ask('ping');
    const counted = normalise((await health(server)).json);
    const stories = [...inside, outside, next].map(story);
    for (const client of [...inside, next]) client.leave();
    return [...stories, counted];
  },

  async 'an unknown namespace, then the right one'(server, mode) {
    const stranger = startClient(server.url, { mode, namespace: '/unknown' });
    const error = await stranger.refused();
    const friend = await join(server, mode);
    await friend.ask('ping');
    friend.leave();
    return [normalise([error]), story(stranger), story(friend)];
  },

  async 'two namespaces over one connection'(server, mode) {
    const client = await join(server, mode);
    const root = client.socket.io.socket('/');
    const events = [];
    root.on('connect', () => events.push('connect'));
    root.on('disconnect', (reason) => events.push(reason));
    root.onAny((event) => events.push(event));
    root.connect();
    await until(() => root.connected, 'joining the root namespace');
    const different = root.id !== client.id;
    client.leave();
    await connectionsAre(server, 0);
    const rootStays = root.connected;
    client.socket.connect();
    await client.next('connectionStatus');
    const ack = await client.ask('ping');
    client.leave();
    root.disconnect();
    return [story(client), events, different, rootStays, normalise(ack)];
  },

  async 'coming back after leaving'(server, mode) {
    const client = await join(server, mode);
    client.leave();
    await client.next('disconnect');
    client.socket.connect();
    await client.next('connectionStatus');
    await client.ask('ping');
    client.leave();
    return story(client);
  },

  async 'events nobody listens to'(server, mode) {
    const client = await join(server, mode);
    let answered = 0;
    client.emitEvent('nobody listens', 1, 2, () => { ++answered; });
    client.emitEvent('');
    client.emitEvent('randomString', Buffer.from([1, 2, 3]));
    const ack = await client.ask('ping');
    client.leave();
    return [story(client), answered, normalise(ack)];
  },

  async 'the transport closed under the client\'s feet'(server, mode) {
    const client = await join(server, mode);
    client.socket.io.engine.close();
    await client.next('disconnect');
    await connectionsAre(server, 0);
    const line = await server.waitForLog(LOG.disconnected);
    return [story(client), line.reason];
  },

  async 'a message beyond the limit'(server, mode) {
    const client = await join(server, mode);
    client.emitEvent('big', 'x'.repeat(1_100_000));
    await client.next('disconnect');
    return story(client);
  },

  async 'an event that is no event'(server, mode) {
    const client = await join(server, mode);
    client.socket.io.engine.write('2/demo,{"not":"an array"}');
    await client.next('disconnect');
    const line = await server.waitForLog(LOG.disconnected);
    return [story(client), line.reason];
  },
};

const WIRE_SCRIPTS = {
  async 'handshake'(server) {
    return answer(await request(`${server.url}${ENGINE_PATH}?EIO=4&transport=polling`));
  },

  async 'refusals of the HTTP layer'(server) {
    const answers = {};
    for (const query of ['', '?EIO=4', '?EIO=4&transport=pigeon', '?EIO=4&transport=polling&sid=unknown', '?EIO=3&transport=polling',
      '?transport=polling', '?EIO=4&transport=websocket', '?EIO=4&EIO=3&transport=polling', '?EIO=3&EIO=4&transport=polling',
      '?%45IO=4&transport=p%6flling', '?EIO=4&transport=polling&sid=']) {
      for (const method of ['GET', 'POST', 'PUT']) {
        answers[`${method} ${query}`] = answer(await request(`${server.url}${ENGINE_PATH}${query}`, { method }));
      }
    }
    return answers;
  },

  async 'CORS of a listed and an unlisted origin, polling'(server) {
    const answers = [];
    for (const Origin of ['http://app.example', 'http://foreign.example', undefined]) {
      for (const method of ['GET', 'OPTIONS', 'POST']) {
        const headers = { 'Access-Control-Request-Headers': 'x-a', ...(Origin && { Origin }) };
        answers.push(answer(await request(`${server.url}${ENGINE_PATH}?EIO=4&transport=polling`, { method, headers })));
      }
    }
    return answers;
  },

  async 'a WebSocket of a listed origin, and of none'(server) {
    return [(await tryWebSocket(server, { Origin: 'http://app.example' })).status, (await tryWebSocket(server)).status];
  },

  async 'a WebSocket of a foreign origin'(server) {
    return (await tryWebSocket(server, { Origin: 'http://foreign.example' })).status;
  },

  async 'what a WebSocket carries, letter by letter'(server) {
    const raw = await rawWebSocket(server, { pong: true });
    raw.send('40/demo,{"token":"abc"}');
    await raw.waitFor((m) => m.includes('connectionStatus'), 'connectionStatus');
    raw.send('42/demo,["ping"]');
    raw.send('42/demo,0["ping"]');
    await raw.waitFor((m) => m.startsWith('43/demo,0['), 'the first acknowledgement');
    raw.send('40/unknown,');
    await raw.waitFor((m) => m.startsWith('44/unknown'), 'the refusal');
    raw.send('42/demo,123456789["ping"]');
    await raw.waitFor((m) => m.startsWith('43/demo,123456789'), 'the second acknowledgement');
    raw.send('41/demo,');
    await server.waitForLog(LOG.disconnected); // a CONNECT close behind would find the socket still there
    raw.send('40/demo,');
    await until(() => raw.messages.filter((m) => m.includes('connectionStatus')).length === 2, 'the second connectionStatus');
    for (let i = 0; i < 5; ++i) raw.send(`42/demo,${i}["ping"]`);
    const code = await raw.gone;
    return [raw.messages.map((m) => m.replace(/"sid":"[^"]*"/, '"sid":"<id>"').replace(/"(timestamp|serverTime)":\d+/g, '"$1":"<milliseconds>"')), code];
  },

  async 'health'(server) {
    const client = await join(server, 'websocket');
    const { status, json } = await health(server);
    client.leave();
    return [status, normalise(json)];
  },
};

const BROADCAST_SCRIPTS = {
  async 'until the first random string'(server, mode) {
    const client = await join(server, mode);
    await client.next('randomString');
    const upTo = story(client).slice(0, client.seen.findIndex((e) => e.event === 'randomString') + 1);
    client.leave();
    const line = normalise(await server.waitForLog(LOG.random));
    return [upTo, line.filter(([name]) => ['level', 'value', 'clientCount'].includes(name))];
  },
};

// ---- the differences that are meant -----------------------------------------------------------------------------------------------

/** The error that the demo's typed events answer surplus arguments with (the order of its fields is nobody's business). */
function checkCorrection(pairs) {
  const { message, path, ...rest } = Object.fromEntries(pairs);
  assert.deepEqual(rest, { code: 'INVALID_PAYLOAD', event: 'ping' });
  assert.match(path, /\b0\b/, 'the JSON path of the first argument');
  assert.ok(typeof message === 'string' && message.length > 0);
}

const DIFFERENCES = {
  'a ping with surplus arguments, acknowledged': {
    reason: 'events are typed: the official server hands surplus arguments to the handler, the demo answers them with an error',
    check(demo, official) {
      assert.equal(demo.surplus.length, 1);
      assert.equal(demo.surplus[0][0], 'error');
      checkCorrection(demo.surplus[0][1]);
      assert.deepEqual(official.surplus[0], ['status', 'ok']);
      assert.deepEqual({ ...demo, surplus: null }, { ...official, surplus: null }, 'all the rest is equal');
    },
  },
  'a ping with surplus arguments, not acknowledged': {
    reason: 'events are typed: the demo tells of surplus arguments in an error event',
    check(demo, official) {
      const [errors, rest] = [demo.story.filter(([e]) => e === 'error'), demo.story.filter(([e]) => e !== 'error')];
      assert.equal(errors.length, 1);
      checkCorrection(errors[0][1]);
      assert.deepEqual({ ...demo, story: rest }, official, 'all the rest is equal');
    },
  },
  'a WebSocket of a foreign origin': {
    reason: 'the official server lets any web page open a WebSocket with the visitor\'s cookies; the demo refuses origins not listed',
    check(demo, official) {
      assert.equal(demo, 400);
      assert.equal(official, 101);
    },
  },
};

// ---- the comparison -----------------------------------------------------------------------------------------------------------------

/** A pair of servers for many scripts, one script at a time. */
async function startPair(flags) {
  return Promise.all([TARGET, 'official'].map((target) => startServer({ target, flags })));
}

/** The server as one script sees it: its log begins where the script begins. */
async function view(server) {
  await connectionsAre(server, 0);
  const count = (phrase) => server.logsOf(phrase).length;
  await until(() => count(LOG.connected) === count(LOG.disconnected), 'the log of the script before to be complete');
  const from = server.logs.length;
  const { url, wsUrl, port } = server;
  const waitForLog = (phrase) =>
    server.waitForLog((line) => server.logs.indexOf(line) >= from && phrase.test(line.message), String(phrase));
  return { url, wsUrl, port, waitForLog, said: () => server.said() };
}

/** Runs the script against both servers of the pair at once: [the demo's transcript, the official server's]. */
async function play(script, pair, mode) {
  return Promise.all(pair.map(async (server) => {
    try {
      return await script(await view(server), mode);
    } catch (error) {
      error.message = `on the ${server.target}: ${error.message}`;
      throw error;
    }
  }));
}

function compare(name, [demo, official]) {
  const difference = DIFFERENCES[name];
  if (difference && TARGET !== 'official') difference.check(demo, official);
  else assert.deepEqual(demo, official, 'the demo (first) and the official server (second) differ');
}

describe('the demo and the same service on the official server', () => {
  let pair;
  let broadcasting;
  before(async () => {
    pair = await startPair(FLAGS);
    broadcasting = await startPair(['--random-string-interval', '0.3..0.4']);
  });
  afterEach(closeClients);
  after(cleanUp);

  for (const [name, script] of Object.entries(CLIENT_SCRIPTS)) {
    for (const mode of Object.keys(MODES)) {
      it(`${name}, over ${mode}${DIFFERENCES[name] ? ` (intended difference: ${DIFFERENCES[name].reason})` : ''}`, async () => {
        compare(name, await play(script, pair, mode));
      });
    }
  }

  for (const [name, script] of Object.entries(WIRE_SCRIPTS)) {
    it(`${name}${DIFFERENCES[name] ? ` (intended difference: ${DIFFERENCES[name].reason})` : ''}`, async () => {
      compare(name, await play(script, pair));
    });
  }

  for (const [name, script] of Object.entries(BROADCAST_SCRIPTS)) {
    for (const mode of Object.keys(MODES)) {
      it(`${name}, over ${mode}`, async () => {
        compare(name, await play(script, broadcasting, mode));
      });
    }
  }

  it('lists no difference that no script shows', () => {
    const names = [CLIENT_SCRIPTS, WIRE_SCRIPTS, BROADCAST_SCRIPTS].flatMap(Object.keys);
    assert.deepEqual(Object.keys(DIFFERENCES).filter((name) => !names.includes(name)), []);
  });
});
