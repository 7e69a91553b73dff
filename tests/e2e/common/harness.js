'use strict';
// What every end-to-end test needs: a server process to talk to, official clients to talk with, and waits that say
// what they were waiting for when they give up.
//
//   SIO_DEMO_BINARY=/path/to/program   tests that program (default: sio_demo at the top of the repository)
//   SIO_DEMO_TARGET=official           tests demo/official_demo.js, the same service on the official Node server, in its place
//   SIO_DEMO_TIMEOUT=60000             how long a single wait may take, in milliseconds (default: 20000)
//
// Nothing here sleeps to let something happen. Each wait ends when its condition holds, and its limit is far beyond
// what a busy machine or a sanitizer build needs; only a test that is going to fail ever reaches it.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { EventEmitter } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { io } = require('socket.io-client');
const WebSocket = require('ws');

const TIMEOUT = Number(process.env.SIO_DEMO_TIMEOUT || 20_000);
const TARGET = process.env.SIO_DEMO_TARGET === 'official' ? 'official' : 'demo';
const BINARY = path.resolve(process.env.SIO_DEMO_BINARY || path.join(__dirname, '..', '..', '..', 'sio_demo'));
const OFFICIAL_DEMO = path.join(__dirname, '..', 'demo', 'official_demo.js');
const ENGINE_PATH = '/socket.io/';

/** The three ways an official client can travel. */
const MODES = {
  polling: { transports: ['polling'] },
  websocket: { transports: ['websocket'] },
  upgrade: { transports: ['polling', 'websocket'] },
};

/** The messages of the log, as the contract names them. */
const LOG = {
  initialised: /WebSocket service initiali[sz]ed/i,
  connected: /Client connected/i,
  disconnected: /Client disconnected/i,
  ping: /Ping received/i,
  random: /Random string broadcasted/i,
  limit: /rate limit|limit exceeded/i,
};

const running = new Set();   // server processes not yet gone
const clients = new Set();   // official clients not yet closed
const closables = new Set(); // raw sockets and the like: anything with destroy() or terminate()
const farewells = new Set(); // what tests asked to have done at the end

process.on('exit', () => {
  for (const server of running) server.child.kill('SIGKILL');
});

// ---- waiting ----------------------------------------------------------------------------------------------------------

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** `promise`, or an error that says which step took more than `ms` milliseconds. `detail()` adds what is known by then. */
function within(promise, what, ms = TIMEOUT, detail = () => '') {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => {
      const more = detail();
      reject(new Error(`gave up after ${ms} ms: ${what}${more ? `\n${more}` : ''}`));
    }, ms);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

/** The arguments of the next `event` of `emitter`. */
function once(emitter, event, ms = TIMEOUT, what = `waiting for "${event}"`) {
  let listener;
  const happened = new Promise((resolve) => {
    listener = (...args) => resolve(args);
    emitter.once(event, listener);
  });
  return within(happened, what, ms).finally(() => (emitter.off || emitter.removeListener).call(emitter, event, listener));
}

/** Asks `probe` again and again until it returns something true, and returns that. */
async function until(probe, what, ms = TIMEOUT) {
  const end = Date.now() + ms;
  let last;
  for (;;) {
    last = await probe();
    if (last) return last;
    if (Date.now() > end) throw new Error(`gave up after ${ms} ms: ${what}`);
    await sleep(20);
  }
}

// ---- the server process -------------------------------------------------------------------------------------------------

async function isFree(port) {
  for (const host of ['127.0.0.1', '::1']) {
    const probe = net.createServer();
    const outcome = await new Promise((resolve) => {
      probe.once('error', (error) => resolve(error.code));
      probe.listen({ port, host, exclusive: true }, () => resolve('free'));
    });
    if (outcome === 'free') await new Promise((resolve) => probe.close(resolve));
    else if (outcome !== 'EADDRNOTAVAIL' && outcome !== 'EAFNOSUPPORT') return false;
  }
  return true;
}

/** A port free on both loopback families, below the range from which the kernel takes the ports of outgoing connections. */
async function freePort() {
  for (let attempt = 0; attempt < 200; ++attempt) {
    const port = 12_000 + Math.floor(Math.random() * 18_000);
    if (await isFree(port)) return port;
  }
  throw new Error('found no free port in 200 attempts');
}

/** Whether this machine has ::1. */
async function hasIpv6() {
  const probe = net.createServer();
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false));
    probe.listen(0, '::1', () => probe.close(() => resolve(true)));
  });
}

function commandOf(target) {
  if (target === 'official') return [process.execPath, [OFFICIAL_DEMO]];
  if (!fs.existsSync(BINARY)) throw new Error(`there is no program ${BINARY}; build it with \`make\`, or name another in SIO_DEMO_BINARY`);
  return [BINARY, []];
}

/** A server process and everything it said. */
class ServerProcess extends EventEmitter {
  constructor(flags, target) {
    super();
    this.setMaxListeners(0);
    this.target = target;
    this.flags = flags;
    this.logs = [];       // lines of standard output that are JSON objects
    this.plainLines = []; // all its other lines
    this.lines = [];      // both, as text
    this.stderr = '';
    this.exit = null;     // {code, signal} once it is gone
    this.checked = false; // a test has looked at the way it ended
    const [program, first] = commandOf(target);
    this.command = [path.basename(program), ...first.map((f) => path.basename(f)), ...flags].join(' ');
    this.child = spawn(program, [...first, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(this);
    let partial = '';
    this.child.stdout.setEncoding('utf8').on('data', (text) => {
      partial += text;
      const complete = partial.split('\n');
      partial = complete.pop();
      for (const line of complete) this.#take(line);
    });
    this.child.stderr.setEncoding('utf8').on('data', (text) => { this.stderr += text; });
    this.gone = new Promise((resolve) => {
      this.child.once('error', (error) => { this.stderr += `${error}\n`; this.#end(null, null, resolve); });
      this.child.once('close', (code, signal) => {
        if (partial) this.#take(partial);
        this.#end(code, signal, resolve);
      });
    });
  }

  #take(line) {
    this.lines.push(line);
    let value;
    try { value = JSON.parse(line); } catch { /* not JSON */ }
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) this.logs.push(value);
    else this.plainLines.push(line);
    this.emit('line', line);
  }

  #end(code, signal, resolve) {
    if (this.exit) return;
    this.exit = { code, signal };
    running.delete(this);
    this.emit('gone');
    resolve(this.exit);
  }

  get pid() { return this.child.pid; }
  get url() { return `http://127.0.0.1:${this.port}`; }
  get wsUrl() { return `ws://127.0.0.1:${this.port}`; }

  /** What it said last, for error messages. */
  said() {
    const tail = this.lines.slice(-12).map((line) => `  out| ${line}`);
    const errors = this.stderr.trim() ? this.stderr.trim().split('\n').slice(-30).map((line) => `  err| ${line}`) : [];
    const end = this.exit ? [`  ended with code ${this.exit.code}, signal ${this.exit.signal}`] : [];
    return [`  ran: ${this.command}`, ...tail, ...errors, ...end].join('\n');
  }

  logsOf(phrase) { return this.logs.filter((line) => phrase.test(String(line.message))); }

  /** The first log line, old or new, for which `test` (a function, or a phrase of its message) holds. */
  async waitForLog(test, what = String(test), ms = TIMEOUT) {
    const matches = typeof test === 'function' ? test : (line) => test.test(String(line.message));
    return this.#waitFor(() => this.logs.find(matches), `waiting for a log line: ${what}`, ms);
  }

  /** Waits until at least `count` log lines have the phrase, and returns them. */
  async waitForLogs(phrase, count, ms = TIMEOUT) {
    return this.#waitFor(() => {
      const found = this.logsOf(phrase);
      return found.length >= count && found;
    }, `waiting for ${count} log lines ${phrase}`, ms);
  }

  /** Waits for a line that is not JSON, word for word. */
  async waitForPlainLine(text, ms = TIMEOUT) {
    return this.#waitFor(() => this.plainLines.includes(text), `waiting for the line "${text}"`, ms);
  }

  async #waitFor(find, what, ms) {
    let check;
    const found = new Promise((resolve, reject) => {
      check = () => {
        const value = find();
        if (value) resolve(value);
        else if (this.exit) reject(new Error(`the server ended: ${what}\n${this.said()}`));
      };
      this.on('line', check);
      this.on('gone', check);
      check();
    });
    return within(found, what, ms, () => this.said()).finally(() => {
      this.off('line', check);
      this.off('gone', check);
    });
  }

  async #started() {
    const announced = () => this.plainLines.some((line) => /^Server running on port \d+$/.test(line));
    await this.#waitFor(announced, 'waiting for "Server running on port ..."', TIMEOUT);
    await until(async () => {
      if (this.exit) throw new Error(`the server ended at its start\n${this.said()}`);
      const socket = net.connect(this.port, this.host);
      const accepted = await new Promise((resolve) => {
        socket.once('connect', () => resolve(true));
        socket.once('error', () => resolve(false));
      });
      socket.destroy();
      return accepted;
    }, `connecting to port ${this.port} of a server that says it runs`);
    return this;
  }

  async waitUntilServing(port, host) {
    this.port = port;
    this.host = host;
    return this.#started();
  }

  signal(name) { this.child.kill(name); }

  /** Waits for its end and returns {code, signal}. */
  async ended(ms = TIMEOUT) {
    this.checked = true;
    return within(this.gone, `waiting for the end of process ${this.pid}`, ms, () => this.said());
  }

  /** SIGTERM, then {code, signal, ms}. */
  async stop(ms = TIMEOUT) {
    const from = Date.now();
    this.signal('SIGTERM');
    const end = await this.ended(ms);
    return { ...end, ms: Date.now() - from };
  }

  /** Ends it if it runs, and complains of a crash, of a sanitizer's report or of an end that is not the graceful one. */
  async finish() {
    if (!this.exit && !this.checked) {
      this.signal('SIGTERM');
      try {
        await within(this.gone, `waiting for the server to obey SIGTERM`, TIMEOUT, () => this.said());
      } finally {
        if (!this.exit) this.child.kill('SIGKILL');
      }
      assert.deepEqual(this.exit, { code: 0, signal: null }, `a server under test must end well\n${this.said()}`);
    } else if (!this.exit) {
      this.child.kill('SIGKILL');
      await this.gone;
    } else if (!this.checked) {
      assert.fail(`a server under test ended by itself\n${this.said()}`);
    }
    assert.doesNotMatch(this.stderr, /Sanitizer|runtime error:|Assertion|terminate called/, `the server complained\n${this.said()}`);
  }
}

/**
 * Starts a server and waits until it serves. Options: `flags` (more flags), `target` ('demo' or 'official'; default: what the
 * environment says), `port` (default: a free one), `host` (where to look whether it accepts; default 127.0.0.1);
 * `withoutFlags` leaves even `--port` to the program's default, and `port` then only says where that is.
 */
async function startServer({ flags = [], target = TARGET, port, host = '127.0.0.1', withoutFlags = false } = {}) {
  for (let attempt = 1; ; ++attempt) {
    const chosen = port ?? await freePort();
    const server = new ServerProcess(withoutFlags ? [] : ['--port', String(chosen), ...flags], target);
    try {
      await server.waitUntilServing(chosen, host);
      return remember(server);
    } catch (error) {
      server.child.kill('SIGKILL');
      await server.gone;
      // Between the look for a free port and the start another test's server may have taken it.
      const taken = server.exit.code === 1 && /in use/i.test(server.stderr);
      if (port !== undefined || !taken || attempt === 5) throw error;
    }
  }
}

const servers = new Set();
function remember(server) { servers.add(server); return server; }

/** Runs the program to its end (for flags that start nothing) and returns {code, signal, stdout, stderr, lines}. */
async function run(flags, { target = TARGET, ms = TIMEOUT } = {}) {
  const server = new ServerProcess(flags, target);
  try {
    const end = await server.ended(ms);
    return { ...end, stdout: server.lines.join('\n'), lines: server.lines, stderr: server.stderr, said: server.said() };
  } finally {
    if (!server.exit) server.child.kill('SIGKILL');
  }
}

/** Has `action` done with the next closing of clients, however the test ends. */
function onCleanUp(action) { farewells.add(action); }

/** Closes all clients, official and raw: between tests that share a server, so that a failed one spoils no other. */
function closeClients() {
  for (const action of farewells) action();
  farewells.clear();
  for (const client of clients) client.close();
  for (const item of closables) (item.destroy || item.terminate).call(item);
  clients.clear();
  closables.clear();
}

/** Closes everything the suite has opened, servers too. The last thing each suite does. */
async function cleanUp() {
  closeClients();
  const errors = [];
  for (const server of servers) await server.finish().catch((error) => errors.push(error));
  servers.clear();
  for (const server of running) server.child.kill('SIGKILL');
  if (errors.length) throw errors[0];
}

// ---- the official client --------------------------------------------------------------------------------------------------

/**
 * An official client that remembers what happened to it, in order, as {event, args, at}: the server's events, and
 * `connect`, `connect_error`, `disconnect`. `next(event)` takes the oldest one not taken before, so nothing is lost
 * between a connection and the first wait.
 */
class Client extends EventEmitter {
  constructor(url, options = {}) {
    super();
    this.setMaxListeners(0);
    const { mode = 'websocket', namespace = '/demo', ...rest } = options;
    if (!MODES[mode]) throw new Error(`no such mode: ${mode}`);
    this.mode = mode;
    this.what = `${mode} client of ${url}${namespace}`;
    this.seen = [];
    this.taken = new Set();
    this.socket = io(url + namespace, {
      ...MODES[mode], forceNew: true, reconnection: false, autoConnect: false, timeout: TIMEOUT, ...rest,
    });
    const note = (event, args) => {
      this.seen.push({ event, args, at: Date.now() });
      this.emit('seen');
    };
    this.socket.on('connect', () => note('connect', []));
    this.socket.on('connect_error', (error) => note('connect_error', [error]));
    this.socket.on('disconnect', (reason) => note('disconnect', [reason]));
    this.socket.onAny((event, ...args) => note(event, args));
    clients.add(this);
    this.socket.connect();
    const engine = this.socket.io.engine;
    this.upgraded = new Promise((resolve) => engine.once('upgrade', resolve));
  }

  get id() { return this.socket.id; }
  get transport() { return this.socket.io.engine.transport.name; }

  history() {
    return `  ${this.what} has seen: ${this.seen.map(({ event, args }) =>
      `${event}(${args.map((a) => (a instanceof Error ? a.message : JSON.stringify(a))).join(', ')})`).join(' ') || 'nothing'}`;
  }

  /** The oldest entry not taken yet of one of these events; waits for one if there is none. */
  async nextOf(events, ms = TIMEOUT) {
    let check;
    const found = new Promise((resolve) => {
      check = () => {
        const entry = this.seen.find((e) => events.includes(e.event) && !this.taken.has(e));
        if (entry) resolve(entry);
      };
      this.on('seen', check);
      check();
    });
    const entry = await within(found, `waiting for "${events.join('" or "')}" at a ${this.what}`, ms, () => this.history())
      .finally(() => this.off('seen', check));
    this.taken.add(entry);
    return entry;
  }

  /** The arguments of the oldest `event` not taken yet. */
  async next(event, ms = TIMEOUT) { return (await this.nextOf([event], ms)).args; }

  /** All that came with `event`: a list of argument lists. */
  all(event) { return this.seen.filter((e) => e.event === event).map((e) => e.args); }

  /** Waits for the connection (and the upgrade, in that mode); an error of the connection is thrown. */
  async ready(ms = TIMEOUT) {
    const { event, args: [error] } = await this.nextOf(['connect', 'connect_error'], ms);
    if (event === 'connect_error') throw new Error(`${this.what} was refused: ${error.message} ${error.description?.message ?? ''}`);
    if (this.mode === 'upgrade') await within(this.upgraded, `waiting for the upgrade of a ${this.what}`, ms, () => this.history());
    return this;
  }

  /** Waits for a refusal and returns the error. */
  async refused(ms = TIMEOUT) {
    const { event, args: [error] } = await this.nextOf(['connect', 'connect_error'], ms);
    if (event === 'connect') throw new Error(`a ${this.what} was let in, a refusal was expected`);
    return error;
  }

  /** Emits with an acknowledgement and returns its first argument. */
  async ask(event, ...args) {
    try {
      return await this.socket.timeout(TIMEOUT).emitWithAck(event, ...args);
    } catch (error) {
      throw new Error(`no answer to "${event}" (${error.message})\n${this.history()}`);
    }
  }

  emitEvent(event, ...args) { this.socket.emit(event, ...args); }

  /** Leaves as a user does. */
  leave() { this.socket.disconnect(); }

  close() {
    clients.delete(this);
    this.socket.disconnect();
    this.socket.io.engine?.close();
  }
}

/** An official client, connected (and upgraded). */
const connect = (url, options) => new Client(url, options).ready();

/** An official client that has only begun to connect. */
const startClient = (url, options) => new Client(url, options);

// ---- plain HTTP, plain TCP, plain WebSocket ---------------------------------------------------------------------------------

/** One HTTP request on a connection of its own: {status, headers, rawHeaders, body, json}. */
function request(url, { method = 'GET', headers = {}, body, ms = TIMEOUT } = {}) {
  const answered = new Promise((resolve, reject) => {
    const outgoing = http.request(url, { method, headers, agent: false }, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8').on('data', (chunk) => { text += chunk; });
      incoming.once('error', reject);
      incoming.once('end', () => resolve({
        status: incoming.statusCode, headers: incoming.headers, rawHeaders: incoming.rawHeaders, body: text,
        get json() { return JSON.parse(text); },
      }));
    });
    outgoing.once('error', reject);
    closables.add(outgoing);
    outgoing.once('close', () => closables.delete(outgoing));
    outgoing.end(body);
  });
  return within(answered.catch((error) => { throw new Error(`${method} ${url} failed: ${error.message}`); }), `${method} ${url}`, ms);
}

const health = (server) => request(`${server.url}/api/websocket/health`);

/** Waits until the health endpoint counts `count` connections, and returns its answer. */
async function connectionsAre(server, count) {
  let last;
  try {
    return await until(async () => {
      last = (await health(server)).json;
      return last.connections === count && last;
    }, '');
  } catch {
    throw new Error(`health never counted ${count} connections; the last answer was ${JSON.stringify(last)}\n${server.said()}`);
  }
}

/** A TCP connection that keeps what it receives in `received` whose `finished` settles when the other side ended it. */
async function rawConnection(port, host = '127.0.0.1') {
  const socket = net.connect(port, host);
  closables.add(socket);
  socket.received = '';
  socket.ended = false;
  socket.setEncoding('latin1').on('data', (text) => { socket.received += text; });
  socket.finished = new Promise((resolve) => {
    const done = () => { socket.ended = true; closables.delete(socket); resolve(); };
    socket.once('end', done);
    socket.once('close', done);
  });
  await once(socket, 'connect', TIMEOUT, `connecting to port ${port}`);
  socket.on('error', () => {});
  return socket;
}

/**
 * A WebSocket opened by hand on the engine's path, with its text messages in `messages`; with `join` it also enters
 * that namespace. It answers no heartbeat.
 */
async function rawWebSocket(server, { join, headers, pong = false } = {}) {
  const socket = new WebSocket(`${server.wsUrl}${ENGINE_PATH}?EIO=4&transport=websocket`, { headers });
  closables.add(socket);
  socket.messages = [];
  socket.on('message', (data) => {
    const text = String(data);
    socket.messages.push(text);
    if (pong && text === '2') socket.send('3');
    socket.emit('text');
  });
  socket.gone = new Promise((resolve) => socket.once('close', (code) => { closables.delete(socket); resolve(code); }));
  socket.waitFor = async (test, what) => {
    let check;
    const found = new Promise((resolve) => {
      check = () => { const m = socket.messages.find(test); if (m !== undefined) resolve(m); };
      socket.on('text', check);
      check();
    });
    return within(found, `waiting for ${what} on a raw WebSocket`, TIMEOUT, () => `  it received ${JSON.stringify(socket.messages)}`)
      .finally(() => socket.off('text', check));
  };
  await once(socket, 'open', TIMEOUT, 'opening a raw WebSocket');
  socket.on('error', () => {});
  socket.handshake = JSON.parse((await socket.waitFor((m) => m[0] === '0', 'the open packet')).slice(1));
  if (join) {
    socket.send(join === '/' ? '40' : `40${join},`);
    await socket.waitFor((m) => m.startsWith(join === '/' ? '40' : `40${join},`), `the answer to CONNECT ${join}`);
  }
  return socket;
}

/** The status of a WebSocket handshake with these headers: 101, or that of the refusal (with its body). */
function tryWebSocket(server, headers = {}) {
  const outcome = new Promise((resolve, reject) => {
    const socket = new WebSocket(`${server.wsUrl}${ENGINE_PATH}?EIO=4&transport=websocket`, { headers });
    closables.add(socket);
    socket.once('upgrade', (response) => { resolve({ status: 101, headers: response.headers }); });
    socket.once('open', () => { closables.delete(socket); socket.close(); });
    socket.once('unexpected-response', (_, response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => { body += text; });
      response.on('error', () => {});
      response.once('close', () => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
    socket.on('error', reject);
  });
  return within(outcome, `a WebSocket handshake with ${JSON.stringify(headers)}`);
}

/** Why a test cannot run against the official server: for the `skip` option of a test. `false` when the demo is tested. */
const notForOfficial = (reason) => (TARGET === 'official' ? `not on the official server: ${reason}` : false);

module.exports = {
  BINARY, Client, ENGINE_PATH, LOG, MODES, TARGET, TIMEOUT, cleanUp, closeClients, connect, connectionsAre, freePort, hasIpv6, health, isFree,
  notForOfficial, onCleanUp, once, rawConnection, rawWebSocket, request, run, sleep, startClient, startServer, tryWebSocket, until, within,
};
