'use strict';
// What the numbered cases are written with. A case is `test(number, title, options, run)`; `run` gets a Case, which opens
// raw connections, plays tables of bytes and answers, and forgets nothing that has to be closed afterwards.
//
// Answers are short texts, so that a table reads like the list of rules that it is:
//     HTTP                 '400 C'       status 400, then the end of the connection; '200' it stays; 'C' the end without a word
//                          '400 code 1'  with Engine.IO's error code
//     WebSocket            'C 1002'      a close frame with this code; 'C' one without; 'C -' no close frame, just the end
//                          'S'           the connection lives: an event behind the bytes in question was acknowledged
//     polling              'C' or 'S'    the same of a session, behind what was POSTed
//
// Options of a case:
//     options: {...}       a server of its own, with these options beside the usual ones
//     needs: ['x']         options of sio_demo::Options without which the case means nothing: skipped when they are missing
//     ours: 'why'          only our server can do it; skipped on the official server and on servers that somebody else runs
//     plain: true          nothing but what any Socket.IO server has: can be run against every server; 'echo': if it echoes
//     official: 'what'     the official server answers differently, and how: there the case is expected to fail
//     sanitized: 'why'     cannot be played on a server that a sanitizer watches
//     full: true           takes long or much memory: with --full only
//     ms: 90_000           how long it may take

const assert = require('node:assert/strict');
const net = require('node:net');
const { closePayload, frame, parseFrame, parseResponse } = require('../e2e/common/transcript');

const PATIENCE = Number(process.env.SIO_PATIENCE || 8000);      // ms for what must come
const QUIET = 150;                                              // ms to listen for what must not come
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const EIO = '/socket.io/?EIO=4&transport=polling';
const WS = '/socket.io/?EIO=4&transport=websocket';

const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(probe, what, ms = PATIENCE) {
  for (const end = Date.now() + ms; ;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`gave up after ${ms} ms: ${typeof what === 'function' ? what() : what}`);
    await delay(10);
  }
}

/** A request, a character a byte; `headers` are lines without their ends. Host is there unless `host` is null. */
function request(method, target,
  { headers = [], body: text = '', host = 'h', length = method === 'POST' || text !== '', version = '1.1' } = {}) {
  const body = Buffer.from(text).toString('latin1');
  const lines = [`${method} ${target} HTTP/${version}`, ...(host === null ? [] : [`Host: ${host}`]), ...headers];
  if (length) lines.push(`Content-Length: ${body.length}`);
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
const get = (target, options) => request('GET', target, options);
const post = (target, body, options) => request('POST', target, { body, ...options });

/** An upgrade request; a header of value null is left out. */
function upgrade(target = WS, headers = {}, method = 'GET') {
  const all = { Host: 'h', Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': KEY,
    ...headers };
  const lines = Object.entries(all).filter(([, value]) => value !== null).flatMap(([name,
    value]) => [].concat(value).map((v) => `${name}: ${v}`));
  return `${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

// What asks a client's connection whether it lives: an event that is acknowledged, or, of a server that has none, a
// namespace that it cannot have.
const PROBE = '/is-anybody-there';
const answers = (packet) => packet === '43999[]' || packet.startsWith(`44${PROBE},`) || packet.startsWith(`40${PROBE},`);

const bytesOf = (data) => (Buffer.isBuffer(data) ? data : Buffer.from(data, 'latin1'));
const text = (payload) => frame(payload);
const binary = (payload) => frame(payload, { opcode: 2 });
const close = (code, reason) => frame(closePayload(code, reason), { opcode: 8 });
const repeated = (bytes, times) => Buffer.concat(Array(times).fill(bytesOf(bytes)));

/** One TCP connection: what came and was not read is `buffer`. */
class Conn {
  constructor(t, { host = t.server.host, port = t.server.port, localAddress } = {}) {
    this.t = t;
    this.chunks = [];
    this.read = Buffer.alloc(0);
    this.ended = undefined;                           // 'FIN' or 'RST'
    this.wake = () => {};
    this.bytes = 0;                                   // received in all
    this.socket = net.connect({ host, port, localAddress, allowHalfOpen: true, noDelay: true });
    this.opened = new Promise((resolve) => { this.socket.once('connect', resolve).once('close', resolve); });
    this.socket.on('data', (chunk) => { this.bytes += chunk.length; this.chunks.push(chunk); this.wake(); });
    const over = (how) => () => { this.ended = this.ended || how; this.endedAt = this.endedAt || Date.now(); this.wake(); };
    this.socket.on('end', over('FIN')).on('error', over('RST')).on('close', over('RST'));
    ++t.connections;
    t.conns.add(this);
  }

  write(...parts) { for (const part of parts) this.socket.write(bytesOf(part)); return this; }
  get buffer() {
    if (this.chunks.length) this.read = Buffer.concat([this.read, ...this.chunks.splice(0)]);
    return this.read;
  }
  unread() { return JSON.stringify(this.buffer.toString('latin1').slice(0, 200)); }
  take(size) { this.read = this.buffer.subarray(size); }
  destroy() { this.socket.destroy(); this.t.conns.delete(this); }
  reset() { this.socket.resetAndDestroy(); this.t.conns.delete(this); }
  finish() { this.socket.end(); return this; }        // half of it: FIN

  /** What `parse` makes of the bytes, as soon as it makes something; undefined when no more will come. */
  async until(parse, ms = PATIENCE) {
    for (const end = Date.now() + ms; ;) {
      const value = parse(this.buffer);
      const left = end - Date.now();
      if (value !== undefined || this.ended || left <= 0) return value;
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => { clearTimeout(timer); resolve(); };
      });
    }
  }

  async response({ method = 'GET', ms = PATIENCE } = {}) {
    let found = await this.until((buffer) => parseResponse(buffer, { method, ended: this.ended !== undefined }), ms);
    if (!found && this.ended) found = parseResponse(this.buffer, { method, ended: true });
    if (!found) throw new Error(`no response but ${this.ended || 'silence'}, ${this.unread()}`);
    const response = { ...found, text: found.body.toString() };
    this.take(found.used);
    for (const [, sid] of response.text.matchAll(/"sid":"([\w.~-]+)"/g)) if (response.text.startsWith('0')) this.t.sids.add(sid);
    return response;
  }

  /** All that comes, as a short text; see the top. */
  async answer({ method = 'GET', ms = PATIENCE } = {}) {
    let said = '';
    for (;;) {
      const more = await this.until((buffer) => (buffer.length > 0 ? true : undefined), said ? QUIET : ms);
      if (!more && !this.ended) return said.trim() || 'silence';
      if (!this.buffer.length) return `${said}C`;
      const response = await this.response({ method });
      const [, code] = /^\{"code":(\d)/.exec(response.text) || [];
      said += `${response.status} ${code ? `code ${code} ` : ''}`;
      if (/close/i.test(response.header('connection') || '')) {
        const rest = await this.end();
        return rest ? `${said}C` : `${said}but it stays open`;
      }
      if (response.status === 101) return said.trim();
      if (!this.buffer.length && !this.ended) return said.trim();
    }
  }

  /** Waits for the other side's end; what it said before is left in `buffer`. Undefined: it never came. */
  async end(ms = PATIENCE) {
    await this.until(() => undefined, ms);
    return this.ended;
  }
  async quiet(ms = QUIET) {
    const before = this.buffer.length;
    await this.until((buffer) => (buffer.length > before ? true : undefined), ms);
    if (this.ended || this.buffer.length > before) throw new Error(`not quiet: ${this.ended || this.unread()}`);
  }

  // -- WebSocket

  /** The next frame as {name, text, code}; pings of Engine.IO are answered and passed by. Undefined: the end. */
  async frame(ms = PATIENCE) {
    for (;;) {
      const found = await this.until(parseFrame, ms);
      if (!found) return undefined;
      const payload = Buffer.from(found.payload);
      this.take(found.used);
      const name = { 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' }[found.opcode];
      if (name === 'text' && String(payload) === '2' && this.pongs !== false) { this.write(text('3')); continue; }
      return { name, payload, text: String(payload), code: name === 'close' && payload.length >= 2 ? payload.readUInt16BE(0) : undefined };
    }
  }
  /** The texts up to and including the first that begins like this. */
  async texts(prefix, ms = PATIENCE) {
    const all = [];
    for (;;) {
      const next = await this.frame(ms);
      if (!next || next.name === 'close') {
        const how = next ? `close ${next.code}` : this.ended || 'silence';
        throw new Error(`no ${JSON.stringify(prefix)}, but ${how} after ${JSON.stringify(all).slice(0, 300)}`);
      }
      all.push(next.text);
      if (next.text.startsWith(prefix)) return all;
    }
  }
  /** What became of the WebSocket; see the top. An event is sent that asks for an answer, unless told not to. */
  async verdict({ ask = true, ms = PATIENCE } = {}) {
    this.heard = [];
    if (ask) this.write(text(this.t.server.echo ? '42999["echo"]' : `40${PROBE},`));
    for (;;) {
      const next = await this.frame(ms);
      if (!next) return this.ended ? 'C -' : 'silence';
      if (next.name === 'close') return next.code === undefined ? 'C' : `C ${next.code}`;
      if (answers(next.text)) return 'S';
      this.heard.push(next.name === 'binary' ? next.payload : next.text);
    }
  }
}

/** A polling session. */
class Session {
  constructor(t, sid, query = '') {
    this.t = t;
    this.sid = sid;
    this.target = `${EIO}${query}&sid=${sid}`;
    this.webSocketTarget = `${WS}${query}&sid=${sid}`;
    t.sids.add(sid);
  }
  async exchange(bytes, options) {
    const conn = this.t.connect().write(bytes);
    try { return await conn.response(options); } finally { conn.destroy(); }
  }
  post(body, options) { return this.exchange(post(this.target, body, options), { method: 'POST' }); }
  poll(options) { return this.exchange(get(this.target), options); }
  hold() { return this.t.connect().write(get(this.target)); }
  /** Whether the session is known. */
  async alive() {
    const { text: body } = await this.exchange(get(this.target.replace('EIO=4', 'EIO=3')));
    return !body.includes('"code":1,');
  }
  gone(ms = PATIENCE) { return until(async () => !(await this.alive()), `the end of session ${this.sid}`, ms); }
  /** What became of it: 'S' or 'C'. */
  async verdict() {
    this.heard = [];
    if ((await this.post(this.t.server.echo ? '42999["echo"]' : `40${PROBE},`)).status !== 200) return 'C';
    for (;;) {
      const response = await this.poll();
      if (response.status !== 200) return 'C';
      for (const packet of response.text.split('\x1e')) {
        if (packet === '1') return 'C';
        if (answers(packet)) return 'S';
        if (packet === '2') await this.post('3');
        else if (packet !== '6') this.heard.push(packet);
      }
    }
  }
}

/** What a case runs with. */
class Case {
  constructor(server) {
    this.server = server;
    this.conns = new Set();
    this.sids = new Set();
    this.others = [];                                 // whatever else has to be closed
    this.connections = 0;
    this.counted = {};                                // reason -> how often it has to be counted
    this.notes = [];
  }
  get official() { return this.server.kind === 'official'; }
  get ours() { return this.server.kind === 'ours'; }
  /** An option of the server, as it is in force. */
  option(name) { return this.server.options[name] ?? this.server.options.http?.[name]; }

  connect(options) { return new Conn(this, options); }
  /** Remembers that this reason must be counted so often more when the case is over. */
  count(reason, times = 1) { this.counted[reason] = (this.counted[reason] || 0) + times; }
  note(what) { this.notes.push(what); }

  async http(bytes, options) {
    const conn = this.connect().write(bytes);
    try { return await conn.response(options); } finally { conn.destroy(); }
  }
  async polling({ join = '40', query = '', headers } = {}) {
    const response = await this.http(get(EIO + query, { headers }));
    const [, sid] = /"sid":"([^"]+)"/.exec(response.text) || [];
    if (!sid) throw new Error(`no polling session: ${response.status} ${response.text}`);
    const session = new Session(this, sid, query);
    if (join) {
      await session.post(join);
      const answer = await session.poll();
      session.socket = (/"sid":"([^"]+)"/.exec(answer.text) || [])[1];
      if (!session.socket) throw new Error(`not joined: ${answer.text}`);
    }
    return session;
  }
  /** A WebSocket on the engine, joined unless `join` is null. */
  async ws({ join = '40', target = WS, headers, connection = {} } = {}) {
    const conn = this.connect(connection).write(upgrade(target, headers));
    const response = await conn.response();
    assert.equal(response.status, 101, `the WebSocket's handshake: ${response.status} ${response.text}`);
    conn.open = (await conn.frame()).text;
    if (join) {
      conn.write(text(join));
      const answer = await conn.frame();
      conn.sid = (/"sid":"([^"]+)"/.exec(answer ? answer.text : '') || [])[1];
      if (!conn.sid) throw new Error(`not joined: ${answer ? answer.text : conn.ended}`);
    }
    return conn;
  }
  /** The WebSocket of an upgrade, 101 read. */
  async candidate(session) {
    const conn = this.connect().write(upgrade(session.webSocketTarget));
    assert.equal((await conn.response()).status, 101);
    return conn;
  }

  /** Plays rows side by side, a few at a time; `play(row)` throws, or says what is wrong with it. */
  async rows(rows, play, atOnce = 8) {
    const wrong = [], waiting = [...rows];
    await Promise.all(Array.from({ length: atOnce }, async () => {
      for (let row = waiting.shift(); row; row = waiting.shift()) {
        try {
          const complaint = await play(row);
          if (complaint) wrong.push(`${row[0]}: ${complaint}`);
        } catch (error) {
          wrong.push(`${row[0]}: ${error.message}`);
        }
      }
    }));
    if (wrong.length) throw new Error(`${wrong.length} of ${rows.length} variants:\n${wrong.map((line) => `      ${line}`).join('\n')}`);
  }
  static judge(answer, expected) {
    const good = [].concat(expected).some((one) => (one instanceof RegExp ? one.test(answer) : one === answer));
    return good ? '' : `${answer}, expected ${[].concat(expected).map(String).join(' or ')}`;
  }

  /** Rows [name, bytes, answer], each on a connection of its own. `reason`: what each of them is counted as. */
  async table(rows, { reason, method, atOnce, ms } = {}) {
    if (reason) this.count(reason, rows.length);
    await this.rows(rows, async ([, bytes, expected]) => {
      const conn = this.connect().write(...[].concat(bytes));
      try { return Case.judge(await conn.answer({ method, ms }), expected); } finally { conn.destroy(); }
    }, atOnce);
  }
  /** Rows [name, frames, verdict], each on a WebSocket of its own that has joined (unless `join` is null). */
  async frames(rows, { reason, join = '40', ask = true, atOnce, ms } = {}) {
    if (reason) this.count(reason, rows.length);
    await this.rows(rows, async ([, frames, expected, heard]) => {
      const conn = await this.ws({ join });
      try {
        conn.write(...[].concat(frames));
        const answer = await conn.verdict({ ask, ms });
        return Case.judge(answer, expected) || (heard !== undefined && JSON.stringify(conn.heard) !== JSON.stringify(heard)
          ? `said ${JSON.stringify(conn.heard).slice(0, 300)}` : '');
      } finally { conn.destroy(); }
    }, atOnce);
  }
  /** Rows [name, packets, verdict, what was answered before it]; strings are text frames, buffers binary ones. */
  packets(rows, options) {
    return this.frames(rows.map(([name, packets, ...rest]) => [name,
      [].concat(packets).map((p) => (Buffer.isBuffer(p) ? binary(p) : text(p))), ...rest]), options);
  }
  /** Rows [name, body, verdict], each POSTed to a polling session of its own. */
  async bodies(rows, { reason, status = 200 } = {}) {
    if (reason) this.count(reason, rows.length);
    await this.rows(rows, async ([, body, expected]) => {
      const session = await this.polling();
      const answer = await session.post(body);
      return answer.status === status ? Case.judge(await session.verdict(), expected) : `status ${answer.status}`;
    });
  }

  /** How long it takes until the connection ends. */
  async lasts(conn, limit, from = Date.now()) {
    assert.ok(await conn.end(limit + PATIENCE), `still open ${limit + PATIENCE} ms later`);
    const ms = (conn.endedAt || Date.now()) - from;
    assert.ok(ms >= 0.85 * limit, `ended after ${ms} ms, ${limit} were due`);
    assert.ok(ms <= 1.1 * limit + 400 * this.server.factor, `ended after ${ms} ms, ${limit} were due`);
    return ms;
  }

  async dispose() {
    for (const action of this.others) await action();
    for (const conn of [...this.conns]) conn.destroy();
    const leave = [...this.sids];
    this.sids.clear();
    for (let at = 0; at < leave.length; at += 50)
      await Promise.all(leave.slice(at, at + 50).map(async (sid) => {
        const conn = new Conn(this).write(post(`${EIO}&sid=${sid}`, '1'));
        await conn.response({ method: 'POST' }).catch(() => {});
        conn.destroy();
      }));
  }
}

/** The cases of a file, in a list: module.exports = cases of section(...). */
function section(letter, title) {
  const cases = [];
  const test = (number, name, ...rest) => {
    const run = rest.pop();
    cases.push({ number: String(number), section: `${letter}. ${title}`, title: name, ...rest[0], run });
  };
  const skip = (number, name, why) => cases.push({ number: String(number), section: `${letter}. ${title}`, title: name, skip: why });
  return { cases, test, skip };
}

module.exports = { Case, Conn, EIO, KEY, PATIENCE, QUIET, Session, WS, assert, binary, bytesOf, close, closePayload, delay, frame, get,
  post, repeated, request,
  section, text, until, upgrade };
