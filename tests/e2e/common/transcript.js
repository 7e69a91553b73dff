'use strict';
// Raw dialogues with a server, and the transcripts they leave.
//
// A script is an async function of one `World`. It opens TCP connections, writes bytes, and says what it wants to read next;
// every byte it sends and every answer it asked for becomes a line of the transcript. The same script is run against two
// servers and the two transcripts are compared as text. Nothing is recorded that was not asked for, so the order of lines is
// the order of the script, whatever the order of arrival on different connections.
//
// What is normalised, since it may differ between two servers that no client can tell apart:
//   * session and socket ids        the first value seen after "sid":" becomes <sid1>, the next <sid2>, ... everywhere
//   * ids of recoverable sessions   the same with "pid": <pid1>, <pid2>, ...
//   * offsets of events             the last argument of an event, if it is one: <offset1>, <offset2>, ...
//   * the time of a handshake       `time` and `issued` become *, if they are a date as JavaScript writes it, and a number
//   * the address of the server     <host>
//   * HTTP body framing             Content-Length, Transfer-Encoding: chunked and "until FIN" all are just the body; but a
//                                   chunked reply to an HTTP/1.0 request is flagged
//   * Date and Keep-Alive           the value becomes *, the presence counts
//   * a poll's reply                `packets(n)` joins as many GETs as it takes and drops noops, for how many packets go into
//                                   one reply is a matter of timing
//   * the end of a connection       `closed()` takes FIN and RST alike; which one it is depends on bytes still in flight
// What is not: names, values, order and spelling of all other headers; status and reason phrase; every body byte; opcode,
// flags and length encoding of WebSocket frames.

const http = require('node:http');
const net = require('node:net');
const crypto = require('node:crypto');

const PATIENCE = Number(process.env.SIO_PATIENCE || 8000);      // ms to wait for what must come
const QUIET = 250;                                              // ms to listen for what must not come

const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// ---- Text for the transcript ----------------------------------------------------------------------------------------------

function printable(text) {
  const shown = text.replace(/\r\n/g, '⏎').replace(/\x1e/g, '␞')
    .replace(/[\x00-\x1f\x7f\ufeff]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
  if (shown.length <= 700) return shown;
  return `${shown.slice(0, 80)}…[${shown.length} chars, sha1 ${crypto.createHash('sha1').update(text).digest('hex').slice(0, 10)}]`;
}

function bytesAsText(bytes) {
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : `bytes ${hex(bytes)}`;
}

function hex(bytes) {
  if (bytes.length <= 32) return bytes.toString('hex').replace(/..(?=.)/g, '$& ');
  return `[${bytes.length} bytes, sha1 ${crypto.createHash('sha1').update(bytes).digest('hex').slice(0, 10)}]`;
}

// ---- HTTP -----------------------------------------------------------------------------------------------------------------

// Reads one response off the front of `buffer`. Undefined: need more. Otherwise {status, reason, headers, body, used, ...}.
function parseResponse(buffer, { method = 'GET', ended = false } = {}) {
  const end = buffer.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [statusLine, ...fields] = buffer.toString('latin1', 0, end).split('\r\n');
  const match = /^(HTTP\/\d\.\d) (\d{3}) (.*)$/.exec(statusLine);
  if (!match) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`);
  const headers = fields.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const header = (name) => (headers.find(([n]) => n.toLowerCase() === name) || [])[1];
  const response = { version: match[1], status: Number(match[2]), reason: match[3], headers, header, framing: 'none' };
  const start = end + 4;
  const done = (body, used) => Object.assign(response, { body, used });

  if (response.status < 200 || response.status === 204 || response.status === 304 || method === 'HEAD')
    return done(Buffer.alloc(0), start);
  if (/chunked/i.test(header('transfer-encoding') || '')) {
    response.framing = 'chunked';
    const chunks = [];
    for (let at = start; ;) {
      const eol = buffer.indexOf('\r\n', at);
      if (eol < 0) return undefined;
      const size = parseInt(buffer.toString('latin1', at, eol), 16);
      if (buffer.length < eol + 2 + size + 2) return undefined;
      if (size === 0) return done(Buffer.concat(chunks), eol + 4);
      chunks.push(buffer.subarray(eol + 2, eol + 2 + size));
      at = eol + 2 + size + 2;
    }
  }
  if (header('content-length') !== undefined) {
    response.framing = 'length';
    const length = Number(header('content-length'));
    return buffer.length < start + length ? undefined : done(buffer.subarray(start, start + length), start + length);
  }
  response.framing = 'until FIN';
  return ended ? done(buffer.subarray(start), buffer.length) : undefined;
}

function describeResponse(response, { version = '1.1', show = printable } = {}) {
  const headers = response.headers
    .filter(([name]) => !['content-length', 'transfer-encoding'].includes(name.toLowerCase()))
    .map(([name, value]) => `${name}: ${['date', 'keep-alive'].includes(name.toLowerCase()) ? '*' : value}`);
  const parts = [`${response.status} ${response.reason}`, ...headers];
  if (response.version !== 'HTTP/1.1') parts.push(`!${response.version}`);
  if (response.framing === 'chunked' && version === '1.0') parts.push('!chunked');
  if (response.body.length > 0) parts.push(`body ${show(bytesAsText(response.body))}`);
  return parts.join(' | ');
}

const ALIVE = 'Date: * | Connection: keep-alive | Keep-Alive: *';
const USUAL = {                                       // replies that go into the transcript in their short form
  get: `200 OK | Content-Type: text/plain; charset=UTF-8 | cache-control: no-store | ${ALIVE} | body `,
  post: `200 OK | Content-Type: text/html | cache-control: no-store | ${ALIVE} | body ok`,
  upgrade: '101 Switching Protocols | Upgrade: websocket | Connection: Upgrade | ' +
           'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
};

// ---- WebSocket ------------------------------------------------------------------------------------------------------------

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

// One client frame. Everything about it can be made wrong: {opcode, fin, rsv, mask, lengthBytes: 0|2|8, declared}.
function frame(payload = '', { opcode = 1, fin = true, rsv = 0, mask = true, lengthBytes, declared } = {}) {
  const data = Buffer.isBuffer(payload) ? payload : Buffer.from(payload);
  const length = declared === undefined ? BigInt(data.length) : BigInt(declared);
  const wide = lengthBytes === undefined ? (length < 126n ? 0 : length < 65536n ? 2 : 8) : lengthBytes;
  const head = Buffer.alloc(2 + wide);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (mask ? 0x80 : 0) | (wide === 0 ? Number(length) : wide === 2 ? 126 : 127);
  if (wide === 2) head.writeUInt16BE(Number(length), 2);
  if (wide === 8) head.writeBigUInt64BE(length, 2);
  if (!mask) return Buffer.concat([head, data]);
  const key = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
  return Buffer.concat([head, key, Buffer.from(data.map((byte, i) => byte ^ key[i & 3]))]);
}

function closePayload(code, reason = '') {
  if (code === undefined) return Buffer.alloc(0);
  return Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.isBuffer(reason) ? reason : Buffer.from(reason)]);
}

function parseFrame(buffer) {
  if (buffer.length < 2) return undefined;
  let length = buffer[1] & 127, at = 2;
  if (length === 126) { if (buffer.length < 4) return undefined; length = buffer.readUInt16BE(2); at = 4; }
  else if (length === 127) { if (buffer.length < 10) return undefined; length = Number(buffer.readBigUInt64BE(2)); at = 10; }
  const masked = (buffer[1] & 128) !== 0;
  if (masked) at += 4;
  if (buffer.length < at + length) return undefined;
  const minimal = at - (masked ? 4 : 0) === (length < 126 ? 2 : length < 65536 ? 4 : 10);
  return { opcode: buffer[0] & 15, fin: buffer[0] >= 128, rsv: (buffer[0] >> 4) & 7, masked, minimal,
           payload: buffer.subarray(at, at + length), used: at + length };
}

function describeFrame(f, show = printable) {
  const name = Object.keys(OPCODES).find((key) => OPCODES[key] === f.opcode) || `opcode ${f.opcode}`;
  let text = name;
  if (name === 'close') {
    if (f.payload.length === 0) text = 'CLOSE()';
    else text = `CLOSE(${f.payload.readUInt16BE(0)}${f.payload.length > 2 ? ' ' + show(bytesAsText(f.payload.subarray(2))) : ''})`;
  } else if (name === 'binary') text += ` ${hex(f.payload)}`;
  else text += ` ${show(bytesAsText(f.payload))}`;
  if (!f.fin) text += ' !fragment';
  if (f.rsv) text += ` !rsv${f.rsv}`;
  if (f.masked) text += ' !masked';
  if (!f.minimal) text += ' !long-length';
  return text;
}

// ---- One TCP connection ---------------------------------------------------------------------------------------------------

class Wire {
  constructor(world, name) {
    this.world = world;
    this.name = name;
    this.room = Buffer.alloc(4096);                   // bytes not read yet are the first `size` of it
    this.size = 0;
    this.end = undefined;                             // 'FIN' or 'RST', once seen
    this.asked = [];                                  // [method, version] of requests not answered yet
    this.wake = () => {};
    this.socket = net.connect({ port: world.server.port, host: world.server.host, allowHalfOpen: true, noDelay: true });
    this.socket.on('data', (chunk) => { this.append(chunk); this.wake(); });
    this.socket.on('end', () => { this.end = this.end || 'FIN'; this.wake(); });
    this.socket.on('error', () => { this.end = this.end || 'RST'; this.wake(); });
    this.socket.on('close', () => { this.end = this.end || 'RST'; this.wake(); });
  }

  // -- sending

  send(bytes, shown) {
    const text = shown || (Buffer.isBuffer(bytes) ? bytesAsText(bytes) : bytes);
    this.world.log(`${this.name}> ${this.world.printable(text)}`);
    this.socket.write(bytes);
    return this;
  }

  // A request with the usual headers. `headers` adds to them; a value of null takes one away. `version`, `body` as named.
  request(method, target, { headers = {}, body, version = '1.1', note = '' } = {}) {
    const bytes = body === undefined ? undefined : Buffer.from(body);
    const all = { Host: 'wire.example', ...(bytes && { 'Content-Length': bytes.length }), ...headers };
    const lines = Object.entries(all).filter(([, value]) => value !== null)
      .flatMap(([name, value]) => [].concat(value).map((v) => `${name}: ${v}`));
    const head = `${method} ${target} HTTP/${version}\r\n${lines.map((line) => line + '\r\n').join('')}\r\n`;
    const extra = Object.entries(headers).map(([name, value]) => ` | ${name}: ${value}`).join('');
    this.world.log(`${this.name}> ${method} ${target}${version === '1.1' ? '' : ' HTTP/' + version}${this.world.printable(extra)}` +
      `${bytes && bytes.length ? ` | body ${this.world.printable(bytesAsText(bytes))}` : ''}${note}`);
    this.asked.push([method, version]);
    this.socket.write(Buffer.concat([Buffer.from(head, 'latin1'), bytes || Buffer.alloc(0)]));
    return this;
  }

  get(target, options) { return this.request('GET', target, options); }
  post(target, body, options) { return this.request('POST', target, { body, ...options }); }

  // An upgrade request. `frames`: bytes that leave in the same segment.
  upgrade(target, { method = 'GET', headers = {}, version = '1.1', frames } = {}) {
    const all = { Host: 'wire.example', Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': KEY, ...headers };
    const lines = Object.entries(all).filter(([, value]) => value !== null).map(([name, value]) => `${name}: ${value}\r\n`);
    const extra = Object.entries(headers).map(([name, value]) => ` | ${name}: ${value}`).join('');
    this.world.log(`${this.name}> upgrade ${method} ${target}${version === '1.1' ? '' : ' HTTP/' + version}${this.world.printable(extra)}` +
      `${frames ? ' | and frames at once' : ''}`);
    this.asked.push([method, version]);
    this.socket.write(Buffer.concat([Buffer.from(`${method} ${target} HTTP/${version}\r\n${lines.join('')}\r\n`, 'latin1'),
      frames || Buffer.alloc(0)]));
    return this;
  }

  frame(payload, options = {}) {
    const bytes = frame(payload, options);
    const flags = Object.entries(options).map(([key, value]) => ` ${key}=${value}`).join('');
    const text = Buffer.isBuffer(payload) ? bytesAsText(payload) : payload;
    return this.send(bytes, `frame${flags} ${text}`);
  }
  text(payload) { return this.send(frame(payload), `text ${payload}`); }
  texts(...payloads) { return this.send(Buffer.concat(payloads.map((p) => frame(p))), `text ${payloads.join(' + text ')} (one segment)`); }
  binary(payload) { return this.send(frame(Buffer.from(payload), { opcode: 2 }), `binary ${hex(Buffer.from(payload))}`); }
  close(code, reason) {
    return this.send(frame(closePayload(code, reason), { opcode: 8 }), `CLOSE(${code === undefined ? '' : code}${reason ? ' ' + reason : ''})`);
  }

  halfClose() { this.world.log(`${this.name}> FIN`); this.socket.end(); return this; }
  reset() { this.world.log(`${this.name}> RST`); this.socket.resetAndDestroy ? this.socket.resetAndDestroy() : this.socket.destroy(); return this; }
  drop() { this.world.log(`${this.name}> (drops the connection)`); this.socket.destroy(); return this; }

  // -- reading

  get buffer() { return this.room.subarray(0, this.size); }
  append(chunk) {
    if (this.size + chunk.length > this.room.length) {
      const room = Buffer.alloc(2 * (this.size + chunk.length));
      this.room.copy(room, 0, 0, this.size);
      this.room = room;
    }
    chunk.copy(this.room, this.size);
    this.size += chunk.length;
  }
  take(used) {
    this.room.copyWithin(0, used, this.size);
    this.size -= used;
  }

  // Waits until `parse(buffer)` gives something or nothing more can come.
  async until(parse, patience = PATIENCE) {
    const deadline = Date.now() + patience;
    for (;;) {
      const result = parse(this.buffer);
      if (result !== undefined) return result;
      const left = deadline - Date.now();
      if (this.end || left <= 0) return undefined;
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => { clearTimeout(timer); resolve(); };
      });
    }
  }

  missing(what) {
    const rest = this.buffer.length ? `, but: ${this.world.printable(bytesAsText(this.buffer))}` : '';
    this.world.log(`${this.name}< (no ${what}: ${this.end || `nothing within ${PATIENCE} ms`}${rest})`);
    return undefined;
  }

  // The next HTTP response. `usual`: a form from USUAL that is shown short.
  async response(usual) {
    const [method, version] = this.asked[0] || ['GET', '1.1'];
    let response;
    try {
      response = await this.until((buffer) => parseResponse(buffer, { method, ended: this.end !== undefined }));
      if (!response && this.end) response = parseResponse(this.buffer, { method, ended: true });
    } catch (error) {
      return this.missing(`response (${error.message})`);
    }
    if (!response) return this.missing('response');
    response.body = Buffer.from(response.body);       // for take() moves what it was a view of
    if (response.status >= 200 || response.status === 101) this.asked.shift();
    this.take(response.used);
    this.world.learn(bytesAsText(response.body));
    let text = describeResponse(response, { version, show: (t) => this.world.printable(t) });
    if (usual && text.startsWith(USUAL[usual])) text = text.slice(USUAL[usual].length) || (usual === 'post' ? 'ok' : '101');
    this.world.log(`${this.name}< ${text}`);
    return response;
  }

  // The next n WebSocket frames.
  async frames(n = 1) {
    const all = [];
    while (all.length < n) {
      const f = await this.until(parseFrame);
      if (!f) { this.missing('frame'); break; }
      all.push(f);
      const copy = Buffer.from(f.payload);
      this.take(f.used);
      f.payload = copy;
      this.world.learn(bytesAsText(f.payload));
      this.world.log(`${this.name}< ${describeFrame(f, (t) => this.world.printable(t))}`);
    }
    return n === 1 ? all[0] : all;
  }

  // All frames that come within a while, few or none; and the end, if it comes too.
  async rest(ms = QUIET) {
    await this.world.settle();
    for (const deadline = Date.now() + ms; ;) {
      const f = await this.until(parseFrame, Math.max(deadline - Date.now(), 1));
      if (!f) break;
      this.world.learn(bytesAsText(f.payload));
      this.world.log(`${this.name}< ${describeFrame(f, (t) => this.world.printable(t))}`);
      this.take(f.used);
    }
    this.world.log(`${this.name}< (${this.end ? 'closed' : 'quiet'})`);
  }

  // The server's end of the connection, FIN or RST, and nothing before it.
  async closed(patience = PATIENCE) {
    await this.until(() => undefined, patience);
    const rest = this.buffer.length ? ` after unread: ${this.world.printable(bytesAsText(this.buffer))}` : '';
    this.world.log(`${this.name}< ${this.end ? 'closed' : `(still open after ${patience} ms)`}${rest}`);
  }

  // Nothing comes for a while, and the connection stays.
  async quiet(ms = QUIET) {
    await this.world.settle();
    await this.until((buffer) => (buffer.length > 0 ? true : undefined), ms);
    const seen = this.buffer.length ? this.world.printable(bytesAsText(this.buffer)) : this.end;
    this.world.log(`${this.name}< ${seen ? `(not quiet: ${seen})` : '(quiet)'}`);
  }
}

// ---- A polling session ----------------------------------------------------------------------------------------------------

class Polling {
  constructor(world, sid, query) {
    this.world = world;
    this.sid = sid;
    this.target = `/socket.io/?EIO=4&transport=polling${query}&sid=${sid}`;
    this.websocketTarget = `/socket.io/?EIO=4&transport=websocket${query}&sid=${sid}`;
  }

  async post(body, options) {
    const wire = this.world.connect('post');
    wire.post(this.target, body, options);
    const response = await wire.response('post');
    wire.socket.destroy();
    return response;
  }

  async poll() {                                      // one GET, one reply, as it is
    const wire = this.world.connect('poll');
    wire.get(this.target);
    const response = await wire.response('get');
    wire.socket.destroy();
    return response;
  }

  // n packets other than noop, out of as many GETs as it takes.
  // `from`: a held GET to begin with.
  async packets(n = 1, { from } = {}) {
    const all = [];
    while (all.length < n) {
      const wire = from || new Wire(this.world, 'poll');
      if (!from) this.world.muted(() => wire.get(this.target));
      from = undefined;
      const response = await this.world.muted(() => wire.response());
      wire.socket.destroy();
      if (!response || response.status !== 200) {
        this.world.log(response ? `poll< ${describeResponse(response, { show: (t) => this.world.printable(t) })}` : 'poll< (no response)');
        break;
      }
      const packets = response.body.toString('utf8').split('\x1e').filter((packet) => packet !== '6');
      for (const packet of packets) this.world.log(`poll< ${this.world.printable(packet)}`);
      all.push(...packets);
    }
    return all;
  }

  async hold(name = 'held') {                         // a GET that waits at the server
    const wire = this.world.connect(name);
    wire.get(this.target);
    await this.world.settle();
    return wire;
  }

  async join(namespace = '', auth = '') {
    await this.post(`40${namespace && namespace + ','}${auth}`);
    return this.packets(1);
  }

  async upgrade(name = 'ws', options = {}) {          // the WebSocket of an upgrade, 101 included
    const wire = this.world.connect(name);
    wire.upgrade(this.websocketTarget, options);
    await wire.response('upgrade');
    return wire;
  }

  async gone() {                                      // the session is unknown by now
    for (let tries = 0; tries < 40; tries++) {
      const wire = new Wire(this.world, 'poll');
      this.world.muted(() => wire.get(this.target.replace('EIO=4', 'EIO=3')));     // code 3 while it lives
      const response = await this.world.muted(() => wire.response());
      wire.socket.destroy();
      if (response && /Session ID unknown/.test(response.body.toString())) return this.world.log('session is gone');
      await delay(50);
    }
    this.world.log('session is still there');
  }
}

// ---- One run of one script ------------------------------------------------------------------------------------------------

// An event's offset begins with the time at which it was emitted, in base 64.
function isOffset(text) {
  const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_';
  const time = [...text.split('.')[0]].reduce((value, c) => value * 64 + alphabet.indexOf(c), 0);
  return Math.abs(Date.now() - time) < 3600000;
}

class World {
  constructor(server, tag) {
    this.server = server;                             // {host, port}
    this.tag = tag;
    this.lines = [];
    this.names = new Map();                           // id -> <sid1>
    this.counts = {};                                 // how many there are of each kind
    this.wires = [];
    this.cleanup = [];
    this.silent = 0;
  }

  // -- the transcript

  log(line) { if (!this.silent) this.lines.push(this.rename(line)); }
  printable(text) { return printable(this.rename(text)); }         // renamed first, for a long text is shown by its hash
  rename(text) {
    for (const [id, name] of this.names) if (id.length === 20) text = text.split(id).join(name);
    return text.replace(/(?<=")[\w-]{7}(?:\.[\w-]+)?(?=\\?")/g, (word) => this.names.get(word) || word)
      .replace(/(?<="time\\?":\\?")\w{3} \w{3} \d\d \d{4} \d\d:\d\d:\d\d GMT[+-]\d{4} \([^)"]+\)(?=\\?")/, '*').replace(/(?<="issued\\?":)\d{13}\b/, '*').split(`&tag=${this.tag}`).join('').split(`${this.server.host}:${this.server.port}`).join('<host>')
      .replace(/Date: \w{3}, [\w :]* GMT/g, 'Date: *').replace(/Keep-Alive: timeout=\d+/g, 'Keep-Alive: *');
  }
  learn(text) {
    for (const [, kind, id] of text.matchAll(/"([sp]id)\\?":\\?"([A-Za-z0-9_-]{20})\\?"/g)) this.name(id, kind);
    for (const [, offset] of text.matchAll(/"([\w-]{7}(?:\.[\w-]+)?)"\](?=$|\x1e)/g)) if (isOffset(offset)) this.name(offset, 'offset');
  }
  name(value, kind) {
    const all = this.counts[kind] || 0;
    if (this.names.has(value)) return;
    this.names.set(value, `<${kind}${all + 1}>`);
    this.counts[kind] = all + 1;
  }
  muted(action) {
    this.silent++;
    const result = action();
    if (result && result.then) return result.finally(() => this.silent--);
    this.silent--;
    return result;
  }
  note(text) { this.log(`# ${text}`); }

  // -- the moves

  connect(name) {
    const wire = new Wire(this, name || String.fromCharCode(65 + this.wires.filter((w) => w.name.length === 1).length));
    this.wires.push(wire);
    return wire;
  }
  wait(ms) { return delay(ms); }

  // The server has handled all that was sent before: two round trips of its event loop on new connections.
  async settle() {
    for (let i = 0; i < 2; i++) await this.fetch('/reasons').catch(() => {});
  }

  fetch(path) {
    return new Promise((resolve, reject) => {
      const request = http.get({ host: this.server.host, port: this.server.port, path, agent: false, timeout: PATIENCE }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk) => { body += chunk; }).on('end', () => resolve(body));
      });
      request.on('error', reject).on('timeout', () => request.destroy(new Error('time-out')));
    });
  }

  handshakeTarget(transport = 'polling', query = '') {
    return `/socket.io/?EIO=4&transport=${transport}&tag=${this.tag}${query}`;
  }

  async polling({ query = '', headers } = {}) {
    const wire = this.connect('open');
    wire.get(this.handshakeTarget('polling', query), { headers });
    const response = await wire.response('get');
    wire.socket.destroy();
    const match = /"sid":"([^"]*)"/.exec(response ? response.body.toString() : '');
    return new Polling(this, match ? match[1] : 'none', `&tag=${this.tag}${query}`);
  }

  async websocket({ query = '', name = 'ws', headers } = {}) {
    const wire = this.connect(name);
    wire.upgrade(this.handshakeTarget('websocket', query), { headers });
    await wire.response('upgrade');
    await wire.frames(1);
    return wire;
  }

  // Both of the above, joined to namespace /.
  async joinedPolling(options) { const session = await this.polling(options); await session.join(); return session; }
  async joinedWebsocket(options) { const wire = await this.websocket(options); wire.text('40'); await wire.frames(1); return wire; }

  // What the server's handlers saw of the sockets of this script: waits for n disconnections.
  async reasons(n = 1) {
    let mine = [];
    for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; await delay(25)) {
      mine = JSON.parse(await this.fetch('/reasons').catch(() => '[]')).filter(([tag]) => tag === this.tag);
      if (mine.filter(([, , what]) => !/^(connected|recovered|: .*)$/s.test(what)).length >= n) break;
    }
    this.log(`journal: ${mine.map(([, namespace, what]) => `${namespace} ${what}`).join('; ')}`);
  }

  // The same of a server that is closing, which prints it.
  async printed(n = 1) {
    let mine = [];
    for (const deadline = Date.now() + PATIENCE; Date.now() < deadline && mine.length < n; await delay(25)) {
      mine = this.server.output.split('\n').filter((line) => line.startsWith('journal ')).map((line) => JSON.parse(line.slice(8)))
        .filter(([tag]) => tag === this.tag).map(([, namespace, what]) => `${namespace} ${what}`);
    }
    this.log(`journal: ${mine.join('; ')}`);
  }

  async dispose() {
    for (const action of this.cleanup) await action();
    for (const wire of this.wires) wire.socket.destroy();
  }
}

// Runs a script against a server; the transcript as an array of lines. A script that throws leaves that as its last line.
// `tag` has to be unique among the runs against one server, and the same for the runs to be compared.
async function run(script, server, tag) {
  const world = new World(server, tag);
  let timer;
  try {
    await Promise.race([
      script.run(world),
      new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('script took too long')), 6 * PATIENCE); }),
    ]);
  } catch (error) {
    world.log(`!! ${error.message}`);
    if (process.env.SIO_DEBUG) console.error(script.name, error);
  } finally {
    clearTimeout(timer);
    await world.dispose();
  }
  return world.lines;
}

// A list of scripts, filled by calls of `script(name, run)` or `script(name, options, run)`. Options:
//   on: 'small'        the server to run on, see wire/scripts/index.js
//   alone: true        on a server of its own, which the script may bring down
//   ours: true         the official server takes minutes here: only ours is run, against what wire/differences.js says
//   node: 20           the official server's HTTP parser is laxer on older versions of Node: not compared there
//   needs: 'x'         a feature of the public API that the server needs for it; wire/differences.js knows which are missing
function collect() {
  const scripts = [];
  const script = (name, ...rest) => {
    const body = rest.pop();
    scripts.push({ name, on: 'plain', ...rest[0], run: body });
  };
  return { script, scripts };
}

module.exports = { run, collect, frame, closePayload, parseFrame, parseResponse, describeResponse, describeFrame, printable,
  delay, World, Wire, OPCODES, KEY, PATIENCE };
