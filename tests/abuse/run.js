'use strict';
// The abuse suite: numbered hostile cases against a running server, one line each.
//
//     node run.js                                   starts build/abuse_server (SIO_ABUSE_SERVER_BINARY) and attacks it
//     node run.js --official                        starts official_server.js in its place and shows where it differs
//     node run.js --host H --port P [--namespace N] attacks a server that runs already; what needs our server is skipped
//     node run.js --only 12,40-48,F3 [--full] [--verbose]      cases by their numbers, or by a word of their titles; so does ONLY=
//
// After every case: the process lives and has reported nothing, an honest client that stays connected through the whole
// run was served in time, descriptors, connections, sessions and deadlines are back where they were, the log has not
// been flooded and is JSON, and the counters moved as the case says.

const { fork, spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { Case, delay, text, until } = require('./lib.js');

const FILES = ['tcp', 'http', 'origin', 'engineio', 'websocket', 'socketio', 'lifecycle', 'faults'];
const BINARY = path.resolve(process.env.SIO_ABUSE_SERVER_BINARY || path.join(__dirname, '../../build/abuse_server'));
const DEMO = path.resolve(process.env.SIO_DEMO_BINARY || path.join(__dirname, '../../sio_demo'));

process.setMaxListeners(0);                            // each server process is killed with us
const argument = (name) => { const at = process.argv.indexOf(name); return at < 0 ? undefined : process.argv[at + 1]; };
const flag = (name) => process.argv.includes(name);
const KIND = argument('--port') ? 'foreign' : flag('--official') ? 'official' : 'ours';
const SANITIZED = KIND === 'ours' && /sanitize/.test(BINARY);
// How much longer things may take: a sanitizer, or a machine that does something else beside.
const FACTOR = Number(process.env.SIO_ABUSE_FACTOR || (SANITIZED ? 2 : 1));
const LATE = 1000 * FACTOR;                           // ms within which the honest client must be served
const SLOW = 100 * FACTOR;                            // and what is mentioned

// Short deadlines, so that a run takes minutes; no two of them alike.
const USUAL = {
  ping_interval: 5000, ping_timeout: 2500, upgrade_timeout: 900, connect_timeout: 3000, close_timeout: 500, linger_timeout: 1000,
    drain_timeout: 2000,
  attachment_timeout: 700, max_queue_bytes: 4_000_000,
  http: { header_timeout: 600, body_timeout: 1000, keep_alive_timeout: 800 },
};
const scaled = (options) => Object.fromEntries(Object.entries(options).map(([name, value]) =>
  [name, name === 'http' ? scaled(value) : /_(timeout|interval)$/.test(name) ? Math.round(value * FACTOR) : value]));

// ---- a server ---------------------------------------------------------------------------------------------------------

class Server {
  constructor(kind, options) {
    const { http: its = {}, ...rest } = options;
    this.kind = kind;
    this.factor = FACTOR;
    this.sanitized = SANITIZED;
    this.options = scaled({ ...USUAL, ...rest, http: { ...USUAL.http, ...its } });
    this.host = '127.0.0.1';
    this.binary = BINARY;
    this.demo = DEMO;
    this.lines = [];                                  // of its standard output, parsed; what is no JSON as a string
    this.stderr = '';
    this.known = [];                                  // options that it has
    this.exit = null;
    this.echo = true;                                 // it has our server's events in the namespace /
  }

  async start({ program = this.kind === 'official' ? [process.execPath, path.join(__dirname, 'official_server.js')] : [BINARY], env = {} } = {}) {
    if (this.kind === 'ours' && !fs.existsSync(BINARY)) throw new Error(`there is no program ${BINARY}: build it with \`make abuse\``);
    this.child = spawn(program[0], [...program.slice(1), JSON.stringify(this.options)],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    this.pid = this.child.pid;
    process.once('exit', () => this.child.kill('SIGKILL'));
    let partial = '';
    this.child.stdout.setEncoding('utf8').on('data', (text) => {
      const all = (partial + text).split('\n');
      partial = all.pop();
      for (const line of all) {
        try { this.lines.push(JSON.parse(line)); } catch { this.lines.push(line); }
      }
    });
    this.child.stderr.setEncoding('utf8').on('data', (text) => { this.stderr += text; });
    this.gone = new Promise((resolve) => this.child.once('close', (code, signal) => { this.exit = { code, signal }; resolve(this.exit); }));
    const line = await this.line(({ event }) => event === 'listening', 'its start', 20_000);
    Object.assign(this, { port: line.port, otherPort: line.other_port, known: line.options, coroutines: line.coroutines });
    return this;
  }

  /** The first line, old or new, for which this holds. */
  line(test, what, ms = 8000) {
    return until(() => {
      const found = this.lines.find((line) => typeof line === 'object' && test(line));
      if (!found &&
        this.exit) throw new Error(`the server ended with ${JSON.stringify(this.exit)}: waiting for ${what}\n${this.stderr.slice(-4000)}`);
      return found;
    }, `waiting for ${what}`, ms);
  }
  /** A server with other options; the case has to stop it. Rejects when it does not start. */
  another(options, how) { return new Server(this.kind, options).start(how); }
  /** Waits until the socket has left, and says why: {reason, why}. */
  left(id, ms) { return this.line((line) => line.event === 'left' && line.id === id, `the end of socket ${id}`, ms); }

  async stop(signal = 'SIGTERM') {
    if (!this.exit) this.child.kill(signal);
    const end = await Promise.race([this.gone, delay(15_000)]);
    if (!end) { this.child.kill('SIGKILL'); throw new Error(`the server did not obey ${signal} within 15 s`); }
    return end;
  }

  // -- the honest client

  async watch(namespace = '/') {
    this.honest = fork(path.join(__dirname, 'honest_client.js'),
      [`http://${this.host}:${this.port}${namespace}`, this.echo ? 'asking' : 'silent']);
    process.once('exit', () => this.honest.kill('SIGKILL'));
    const [first] = await new Promise((resolve) => this.honest.once('message', (...args) => resolve(args)));
    if (!first.ready) throw new Error(`the honest client was not let in: ${first.error}`);
  }
  ask() {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the honest client itself does not answer')), 10_000);
      this.honest.once('message', (message) => { clearTimeout(timer); resolve(message); });
      this.honest.send('report');
    });
  }
  dismiss() { if (this.honest?.connected) this.honest.send('end'); }

  // -- figures

  fetch(target) {
    return new Promise((resolve, reject) => {
      http.get({ host: this.host, port: this.port, path: target, agent: false, timeout: 5000 * FACTOR }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk) => { body += chunk; }).on('end',
          () => resolve({ status: response.statusCode, body })).on('error', reject);
      }).on('error', reject).on('timeout', function late() { this.destroy(new Error(`no answer to GET ${target}`)); });
    });
  }
  /** Prometheus' text as {'sio_closes_total{reason="x"}': 1}; undefined if there is none. */
  async metrics() {
    const { status, body } = await this.fetch('/metrics');
    if (status !== 200) return undefined;
    return Object.fromEntries(body.split('\n').filter((line) => line &&
      line[0] !== '#').map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
  }
  /** What there is at this moment: reasons always, the rest as far as the server tells. */
  async figures() {
    if (this.kind !== 'ours') return undefined;
    const metrics = await this.metrics();
    if (!metrics) {
      const { reasons, sessions } = JSON.parse((await this.fetch('/counters')).body);
      return { reasons, sessions };
    }
    const reasons = {};
    for (const [name, value] of Object.entries(metrics)) {
      const [, reason] = /^sio_(?:refusals|closes)_total\{reason="(\w+)"\}$/.exec(name) || [];
      if (reason) reasons[reason] = (reasons[reason] || 0) + value;
    }
    const sum = (prefix) => Object.entries(metrics).filter(([name]) => name.startsWith(prefix)).reduce((all, [, value]) => all + value, 0);
    return { reasons, metrics, sessions: sum('sio_sessions{'), connections: metrics.sio_connections, deadlines: metrics.sio_deadlines,
      queue: metrics.sio_queue_bytes, sockets: sum('sio_sockets') };
  }
  descriptors() { return this.pid ? fs.readdirSync(`/proc/${this.pid}/fd`).length : undefined; }
  /** Resident memory in MB. */
  resident() { return Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${this.pid}/status`, 'utf8'))[1]) / 1024; }

  /** What must be the same after each case. */
  async standing() {
    if (this.kind === 'foreign') return {};
    const standing = { descriptors: this.kind === 'ours' ? this.descriptors() : undefined };      // before our own question
    const figures = await this.figures();
    for (const name of ['sessions', 'connections', 'deadlines', 'sockets', 'queue']) standing[name] = figures?.[name];
    return standing;
  }
}

// ---- a case -------------------------------------------------------------------------------------------------------------

/** Whether a case is asked for by --only or by ONLY: both take numbers, as 12,40-48,F3, or a pattern of its section and title. */
function chosen({ number, section, title }) {
  const only = argument('--only') || process.env.ONLY;
  if (!only) return true;
  if (!/^[a-z]?\d+\w?(-[a-z]?\d+)?(,[a-z]?\d+\w?(-[a-z]?\d+)?)*$/i.test(only)) return new RegExp(only, 'i').test(`${section} > ${title}`);
  return only.toUpperCase().split(',').some((part) => {
    const [first, last = first] = part.split('-');
    const [[letter, value], [from, least], [, most]] = [number, first,
      last].map((text) => [/^\D*/.exec(text)[0], Number(/\d+/.exec(text))]);
    return letter === from && value >= least && value <= most;
  });
}

function skipped(test, { known, echo }) {
  if (test.skip) return test.skip;
  if (test.full && !flag('--full')) return 'takes long: --full';
  if (SANITIZED && test.sanitized) return `not with a sanitizer: ${test.sanitized}`;
  if (KIND !== 'ours' && test.ours) return `our server only: ${test.ours}`;
  if (KIND === 'foreign' && test.options) return 'needs a server with options of its own';
  if (KIND === 'foreign' && !test.plain) return 'needs the events or the short deadlines of our server';
  if (test.plain === 'echo' && !echo) return 'needs a server with the events echo and back in the namespace /';
  const missing = KIND === 'ours' ? (test.needs || []).filter((name) => !known.includes(name)) : test.needs || [];
  return missing.length ? `needs ${missing.join(', ')}, which this server has not` : '';
}

async function attack(test, server) {
  const t = new Case(server);
  const before = await server.figures();
  const lines = server.lines.length, started = Date.now();
  if (server.honest) await server.ask();
  const wrong = [];
  let timer;
  try {
    await Promise.race([test.run(t),
      new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('the case took too long')), (test.ms || 60_000) * FACTOR);
      })]);
  } catch (error) {
    wrong.push(flag('--verbose') ? error.stack : error.message);
  } finally {
    clearTimeout(timer);
  }
  if (before && wrong.length === 0 && !server.exit) await counts(t, server, before).catch((error) => wrong.push(error.message));
  await t.dispose().catch((error) => wrong.push(`cleaning up: ${error.message}`));
  await aftermath(test, t, server, { lines, started, wrong }).catch((error) => wrong.push(error.message));
  return { wrong, notes: t.notes };
}

/** The counters have moved as the case said; they may take a moment. */
async function counts(t, server, before) {
  const reasons = Object.keys(t.counted);
  if (!reasons.length) return;
  let moved;
  await until(async () => {
    const after = await server.figures();
    moved = Object.fromEntries(reasons.map((reason) => [reason, (after.reasons[reason] || 0) - (before.reasons[reason] || 0)]));
    return reasons.every((reason) => moved[reason] === t.counted[reason]);
  }, '', 1500).catch(() => { throw new Error(`counted ${JSON.stringify(moved)}, expected ${JSON.stringify(t.counted)}`); });
}

/** What must hold after every case. */
async function aftermath(test, t, server, { lines, started, wrong }) {
  if (server.exit) {
    wrong.push(`the server ended: ${JSON.stringify(server.exit)}\n${server.stderr.slice(-6000)}`);
    return;
  }
  const complained = /Sanitizer|runtime error:|Assertion|terminate called/.test(server.stderr);
  if (complained) wrong.push(`the server complained: ${server.stderr.slice(0, 6000)}`);
  server.stderr = '';

  const seen = await server.ask();
  if (seen.end) wrong.push(`the honest client was lost: ${seen.end}`);
  if (seen.worst > LATE) wrong.push(`the honest client waited ${seen.worst} ms`);
  else if (seen.worst > SLOW) t.note(`the honest client waited ${seen.worst} ms`);

  // Back where it was, within the longest of the deadlines that such a case leaves behind.
  const { connect_timeout: a, linger_timeout: b, close_timeout: c, ping_interval: d, ping_timeout: e } = server.options;
  const patience = (test.settle || Math.max(a + b + c, d + e)) + 3000 * FACTOR;
  let now;
  const differences = () => Object.keys(server.baseline).filter((name) => server.baseline[name] !== undefined &&
    now[name] > server.baseline[name]);
  await until(async () => { now = await server.standing(); return differences().length === 0; }, 'the baseline',
    patience).catch((error) => {
    if (!now) throw error;
    wrong.push(`not as before: ${differences().map((name) => `${now[name]} ${name} (${server.baseline[name]})`).join(', ')}`);
    server.baseline = now;                            // the next cases are not to blame for it
  });

  const said = server.lines.slice(lines);
  for (const line of said) if (typeof line === 'string') wrong.push(`a line of the log is no JSON: ${line.slice(0, 200)}`);
  const logged = said.filter((line) => line.level).length;
  const seconds = Math.ceil((Date.now() - started) / 1000);
  if (logged > 5 + t.connections * (1 + seconds)) wrong.push(`${logged} lines in the log for ${t.connections} connections in ${seconds} s`);

}

// ---- the run --------------------------------------------------------------------------------------------------------------

async function ready(kind, options = {}) {
  const server = new Server(kind, options);
  if (kind === 'foreign') Object.assign(server, { host: argument('--host') || '127.0.0.1', port: Number(argument('--port')) });
  else await server.start();
  if (kind === 'foreign') {
    const t = new Case(server);
    const conn = await t.ws();
    conn.write(text('421["echo",7]'));
    server.echo = (await conn.frame(1000))?.text === '431[7]';
    conn.destroy();
  }
  await server.watch(argument('--namespace') || '/');
  server.baseline = await server.standing();
  for (let i = 0; i < 20; ++i) {                      // the least: the connection of the question before may not be gone yet
    await delay(10);
    for (const [name, value] of Object.entries(await server.standing())) if (value < server.baseline[name]) server.baseline[name] = value;
  }
  return server;
}

async function dismissed(server) {
  if (!server) return [];
  server.dismiss();
  if (server.kind === 'foreign' || server.exit) return [];
  const end = await server.stop().catch((error) => error.message);
  return server.kind === 'ours' && end.code !== 0 ? [`the end: ${JSON.stringify(end)} ${server.stderr.slice(-3000)}`] : [];
}

async function main() {
  const all = FILES.filter((name) => fs.existsSync(path.join(__dirname, `${name}.js`))).flatMap((name) => require(`./${name}.js`));
  const cases = all.filter(chosen);
  if (!cases.length) {
    console.log('no case is asked for\n0 passed, 0 failed');
    return;
  }
  const tally = { passed: 0, failed: 0, skipped: 0 };
  const trouble = [];
  let usual = await ready(KIND), special, specialKey, section = '';
  const from = Date.now();
  const attacked = { ours: BINARY, official: 'the official server', foreign: `${usual.host}:${usual.port}` }[KIND];
  console.log(`# ${attacked}; ${cases.length} of ${all.length} cases`);

  for (const test of cases) {
    if (test.section !== section) console.log(`\n${section = test.section}`);
    const name = `${test.number.padStart(4)}  ${test.title}`;
    const why = skipped(test, usual);
    if (why) {
      ++tally.skipped;
      console.log(`${name} ... skipped: ${why}`);
      continue;
    }
    let server = usual;
    if (test.options) {
      const key = JSON.stringify(test.options);
      if (key !== specialKey || special.exit) {
        for (const what of await dismissed(special)) trouble.push(what);
        [special, specialKey] = [await ready(KIND, test.options), key];
      }
      server = special;
    }
    const start = Date.now();
    const { wrong, notes } = await attack(test, server);
    const time = `${((Date.now() - start) / 1000).toFixed(1)} s${notes.map((note) => `; ${note}`).join('')}`;
    if (KIND === 'official' && test.official) {
      ++tally[wrong.length ? 'passed' : 'failed'];
      const verdict = wrong.length ? 'differs, as stated' : 'FAILED: it does not differ any more';
      console.log(`${name} ... ${verdict}: ${test.official} (${time})`);
      if (flag('--verbose')) for (const what of wrong) console.log(`      ${what}`);
    } else if (wrong.length) {
      ++tally.failed;
      console.log(`${name} ... FAILED (${time})`);
      for (const what of wrong) console.log(`      ${what}`);
    } else {
      ++tally.passed;
      console.log(`${name} ... ok (${time})`);
    }
    if (server.exit || !server.honest.connected || (await server.ask()).end) {      // the next case gets a fresh one
      await dismissed(server);
      if (server === usual) usual = await ready(KIND);
      else specialKey = undefined;
    }
  }
  for (const server of [special, usual]) trouble.push(...await dismissed(server));
  for (const what of trouble) { ++tally.failed; console.log(`FAILED: ${what}`); }
  console.log(`\n# ${((Date.now() - from) / 1000).toFixed(0)} s`);
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
  process.exit(tally.failed ? 1 : 0);
}

module.exports = { Server };
if (require.main === module) main().catch((error) => { console.error(error); console.log('0 passed, 1 failed'); process.exit(1); });
