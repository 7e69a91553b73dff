'use strict';
// What the tests of a cluster need: servers (cluster_server.cpp on our header, cluster_server.js on the official
// package), a Redis of their own, a network between the two that a test can spoil, and clients that remember what they got.
//
//   SIO_CLUSTER_SERVER_BINARY=path     the program on our header, default build/cluster_server
//   SIO_SERVERS=official               official servers in all roles, to see that the tests are right

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { isDeepStrictEqual } = require('node:util');
const { createClient } = require('redis');
const { io } = require('socket.io-client');
const { MODES, TIMEOUT, freePort, sleep, until, within } = require('../common/harness');

const BINARY = path.resolve(__dirname, process.env.SIO_CLUSTER_SERVER_BINARY || '../../../build/cluster_server');
const OURS = process.env.SIO_SERVERS === 'official' ? 'official' : 'ours';
const COMMANDS = { official: [process.execPath, path.join(__dirname, 'cluster_server.js')], ours: [BINARY] };

const children = new Set();
process.on('exit', () => { for (const child of children) child.kill('SIGKILL'); });
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.once(signal, () => process.exit(1));

/** A process with what it said: {child, output, errors, exit, end(signal)}. */
function run(program, args, env = process.env) {
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const process = { child, output: '', errors: '', exit: undefined };
  children.add(child);
  child.stdout.setEncoding('utf8').on('data', (text) => { process.output += text; });
  child.stderr.setEncoding('utf8').on('data', (text) => { process.errors += text; });
  const ended = new Promise((resolve) => {
    child.once('error', (error) => { process.exit = error.message; resolve(); });
    child.once('close', (code, signal) => { process.exit = signal || code; resolve(); });
  }).finally(() => children.delete(child));
  process.end = async (signal = 'SIGTERM') => {
    if (process.exit === undefined) child.kill(signal);
    await within(ended, `waiting for ${program} to obey ${signal}`, TIMEOUT, () => process.errors).finally(() => child.kill('SIGKILL'));
    return process.exit;
  };
  return process;
}

/** Starts a server; `which` is 'ours' or 'official', `flags` are those of cluster_server.cpp. */
async function startServer(which, flags) {
  const [program, ...args] = COMMANDS[which];
  const server = run(program, [...args, ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)])]);
  server.which = which;
  await until(() => server.exit !== undefined || /listening/.test(server.output), `waiting for ${program} to listen`);
  assert.equal(server.exit, undefined, `${program} ended: ${server.errors}; build it with \`make build/cluster_server\``);
  server.port = Number(/listening \S+:(\d+)/.exec(server.output)[1]);
  server.url = `http://127.0.0.1:${server.port}`;
  /** Ends it, and complains if it ended otherwise than it was asked to. */
  server.stop = async () => {
    const exit = await server.end();
    if (which === 'ours') assert.doesNotMatch(server.errors, /Sanitizer|runtime error:|Assertion|terminate called/, server.errors);
    assert.equal(exit, 0, `a ${which} server should end well: ${server.errors}`);
  };
  return server;
}

/** A Redis that keeps nothing: {port, url, start(), kill(), command(...), stop()}. */
async function startRedis(...flags) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sio-redis-'));
  const redis = { port: await freePort() };
  let server;
  let client;
  redis.url = `redis://127.0.0.1:${redis.port}`;
  redis.start = async () => {
    server = run('redis-server', ['--port', String(redis.port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no',
      '--enable-debug-command', 'local', ...flags]);
    await until(() => server.exit !== undefined || /Ready to accept connections/.test(server.output), 'waiting for Redis to accept connections');
    assert.equal(server.exit, undefined, `Redis ended: ${server.output}${server.errors}`);
  };
  redis.kill = () => server.end('SIGKILL');
  redis.signal = (name) => server.child.kill(name);
  /** A command: redis.command('CLIENT', 'KILL', ...). Bytes may be Buffers. */
  redis.command = async (...words) => {
    if (!client) {
      const password = flags[flags.indexOf('--requirepass') + 1];
      client = createClient({ url: redis.url, ...(flags.includes('--requirepass') && { password }) });
      client.on('error', () => {});
      await client.connect();
    }
    return client.sendCommand(words);
  };
  redis.stop = async () => {
    await client?.disconnect().catch(() => {});
    await server.end('SIGKILL');
    fs.rmSync(folder, { recursive: true, force: true });
  };
  await redis.start();
  return redis;
}

/** A network in front of a port, which a test can slow down or cut: {port, delay, refuse, cut(), close()}. */
async function startNetwork(target) {
  const pairs = new Set();
  const network = { delay: 0, refuse: false };
  const pass = (from, to) => {
    let line = Promise.resolve();  // bytes stay in their order, whatever the delay
    from.on('data', (bytes) => {
      const due = Date.now() + network.delay;
      line = line.then(async () => {
        if (due > Date.now()) await sleep(due - Date.now());
        to.write(bytes);
      });
    });
    from.on('close', () => { line.then(() => to.destroy()); });
    from.on('error', () => {});
  };
  const server = net.createServer((near) => {
    if (network.refuse) return near.destroy();
    const far = net.connect(target, '127.0.0.1');
    pairs.add(near);
    near.once('close', () => pairs.delete(near));
    pass(near, far);
    pass(far, near);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  network.port = server.address().port;
  network.cut = () => { for (const near of pairs) near.destroy(); };
  network.close = () => { network.cut(); server.close(); };
  return network;
}

// ---- clients ------------------------------------------------------------------------------------------------------------

const clients = new Set();

/** An official client that keeps the events it gets in `got`, but for those named `marker`. */
async function connect(server, { nsp = '/', mode = 'websocket', label = '', ...options } = {}) {
  const socket = io(server.url + nsp, { ...MODES[mode], forceNew: true, reconnection: false, timeout: TIMEOUT, ...options });
  const client = { socket, server, label, got: [], gone: undefined, markers: new Set() };
  clients.add(client);
  socket.onAny((event, ...values) => {
    if (event === 'marker') client.mark(values[0]);
    else client.got.push([event, ...values.filter((value) => typeof value !== 'function')]);
  });
  socket.on('disconnect', (reason) => {
    client.gone = reason;
    client.wake();
  });
  client.wake = () => {};
  client.mark = (marker) => {
    client.markers.add(marker);
    client.wake();
  };
  /** Resolves when this marker has come, or the client has gone. */
  client.marked = (marker) => new Promise((resolve) => {
    client.wake = () => { if (client.gone || client.markers.has(marker)) resolve(); };
    client.wake();
  });
  client.ask = async (...words) => {
    try {
      return await socket.timeout(TIMEOUT).emitWithAck(...words);
    } catch (error) {
      throw new Error(`no answer to "${words[0]}" of ${label} (${error.message}) ${server.errors}`);
    }
  };
  /** The same, for answers of several values. */
  client.askAll = (...words) => within(new Promise((resolve) => socket.emit(...words, (...answer) => resolve(answer))), `waiting for the answer to "${words[0]}" of ${label}`, TIMEOUT, () => server.errors);
  client.tell = (...words) => { socket.emit(...words); };
  client.close = () => { clients.delete(client); socket.disconnect(); };
  const problem = await within(new Promise((resolve) => {
    socket.once('connect', () => resolve());
    socket.once('connect_error', resolve);
  }), `connecting ${label} to ${server.url}${nsp}`, TIMEOUT, () => server.errors);
  if (problem) throw new Error(`${label} could not connect to ${server.url}${nsp}: ${problem.message}`);
  Object.defineProperty(client, 'id', { value: socket.id });
  return client;
}

function closeClients() {
  for (const client of clients) client.close();
}

let markers = 0;

/**
 * Waits until nothing is on its way any more: a client of each server, one after the other, has everybody sent an event.
 * What a server sent before, and what comes back to it from Redis, has then arrived everywhere.
 */
async function settle(people) {
  const there = people.filter((client) => client.socket.connected);
  for (const server of new Set(there.map((client) => client.server))) {
    const marker = ++markers;
    there.find((client) => client.server === server).tell('emit', {}, 'marker', marker);
    const missing = () => there.filter((client) => !client.markers.has(marker)).map(({ label }) => label);
    await within(Promise.all(there.map((client) => client.marked(marker))), `waiting for a marker of ${server.which}`, TIMEOUT, () => `${missing()}\n${server.errors}`);
  }
}

/** Has `action` done, and checks that these clients got these events, in this order, once, and the others nothing. */
async function brings(people, action, expected) {
  await settle(people);
  for (const client of people) client.got = [];
  await action();
  await settle(people);
  for (const client of people) {
    const wanted = expected(client) ?? [];
    const end = client.gone ? `; it was disconnected: ${client.gone}` : '';
    assert.ok(isDeepStrictEqual(client.got, wanted), `${client.label} (${client.server.which}) should have got ${show(wanted)}, and got ${show(client.got)}${end}`);
  }
}

function show(value) {
  const text = JSON.stringify(value);
  return text.length > 500 ? `${text.slice(0, 500)}...` : text;
}

module.exports = { OURS, brings, closeClients, connect, run, settle, show, startNetwork, startRedis, startServer };
