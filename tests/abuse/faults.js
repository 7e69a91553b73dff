'use strict';
// Faults of the machine and of the program, rather than of clients.

const { spawn, execFileSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { Case, EIO, WS, assert, delay, get, post, section, text, until, upgrade } = require('./lib.js');
const { everyState } = require('./lifecycle.js');
const { cases, test } = section('Faults', 'of the machine and of the program');
module.exports = cases;

/** Ticks of processor time that a process has used, a hundredth of a second each. */
function ticks(pid) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** What to do with a server of its own; however it ends, it is gone afterwards. */
async function withServer(t, options, how, action) {
  const server = await t.server.another(options, how);
  const mine = new Case(server);
  try {
    await action(server, mine);
  } catch (error) {
    if (server.exit || server.stderr) error.message += `; it ended with ${JSON.stringify(server.exit)}: ${server.stderr.slice(-4000)}`;
    throw error;
  } finally {
    for (const conn of [...mine.conns]) conn.destroy();
    if (!server.exit) server.child.kill('SIGKILL');
  }
}

test('F1', 'the limit of descriptors: accepting pauses, clients that are there live, one line is logged, it recovers by itself',
  { ours: 'a server of its own is started', sanitized: 'UBSan needs a descriptor of its own to look at an object', ms: 60_000 },
    async (t) => {
  await withServer(t, { http: { header_timeout: 60_000 } }, { program: ['sh', '-c', 'ulimit -n 64; exec "$0" "$1"', t.server.binary] },
    async (server, mine) => {
    const there = await Promise.all(Array.from({ length: 5 }, () => mine.ws()));
    const crowd = Array.from({ length: 150 }, () => mine.connect());
    await until(() => fs.readdirSync(`/proc/${server.pid}/fd`).length >= 63, 'the descriptors to be used up');
    const complaints = () => server.lines.filter((line) => /Cannot accept/.test(line.message || ''));
    await until(() => complaints().length, 'the line in the log');
    const used = ticks(server.pid), from = Date.now();
    while (Date.now() - from < 1500) {
      const asked = Date.now();
      for (const ws of there) assert.equal(await ws.verdict(), 'S');
      assert.ok(Date.now() - asked < 1000 * t.server.factor, 'clients that are there are served in time');
      await delay(50);
    }
    assert.ok(ticks(server.pid) - used < 75, `${ticks(server.pid) - used} hundredths of a second of processor time`);
    assert.equal(complaints().length, 1);
    for (const conn of crowd) conn.destroy();
    await until(async () => { const conn = mine.connect().write(get('/health')); const { status } = await conn.response().catch(() => ({}));
      conn.destroy(); return status === 200; }, 'somebody new to be served');
    for (const ws of there) assert.equal(await ws.verdict(), 'S');
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });
});

/** The demo with this as its standard output: `action(demo)` with {port, child, client(), metrics()}. */
async function withDemo(t, stdout, action) {
  const { connect } = require('../e2e/common/harness');
  const probe = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  const child = spawn(t.server.demo,
    ['--port', String(port), '--log-level', 'debug', '--max-connections-per-ip', '0', '--max-pings-per-client', '1000000'],
    { stdio: ['ignore', stdout, 'pipe'] });
  const gone = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  const demo = { child, port, gone, stderr: '', host: '127.0.0.1' };
  child.stderr.on('data', (chunk) => { demo.stderr += chunk; });
  demo.fetch = (target) => t.server.fetch.call(Object.assign(Object.create(t.server), { port }), target);
  demo.metric = async (name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec((await demo.fetch('/metrics')).body)?.[1]);
  demo.client = () => connect(`http://127.0.0.1:${port}`);
  try {
    const serves = until(() => demo.fetch('/metrics').then(() => true, () => false), 'the demo to serve');
    const early = gone.then((end) => { throw new Error(`the demo ended with ${JSON.stringify(end)}: ${demo.stderr}`); });
    early.catch(() => {});                                        // it is expected later
    await Promise.race([serves, early]);
    await action(demo);
  } finally {
    child.kill('SIGKILL');
  }
}

/** Makes it log, a lot, and sees that it serves all the while, and ends in order. */
async function loggingInVain(t, demo, least) {
  const client = await demo.client();
  const mine = new Case(Object.assign(Object.create(t.server), { port: demo.port }));
  let slowest = 0;
  for (let round = 0; round < 20; ++round) {
    await mine.rows(Array.from({ length: 100 }, (_, i) => [`line ${i}`]),
      async () => { const conn = mine.connect().write('\0'); await conn.end(); conn.destroy(); }, 16);
    const from = Date.now();
    assert.equal((await client.ask('ping')).status, 'ok');
    slowest = Math.max(slowest, Date.now() - from);
  }
  assert.ok(slowest < 1000 * t.server.factor, `a ping took ${slowest} ms`);
  const dropped = await demo.metric('sio_log_lines_dropped_total');
  assert.ok(dropped >= least, `${dropped} lines were lost`);
  t.note(`${dropped} lines lost`);
  client.close();
  const from = Date.now();
  demo.child.kill('SIGTERM');
  const end = await Promise.race([demo.gone, delay(8000)]);
  assert.deepEqual(end, { code: 0, signal: null }, `after ${Date.now() - from} ms; ${demo.stderr.slice(-1000)}`);
  assert.equal(demo.stderr, '');
}

const NEEDS_DEMO = { ours: 'the demo is started', ms: 90_000 };

test('F2', 'the log goes into a full pipe that nobody reads: the demo serves on, and counts what it loses', NEEDS_DEMO, async (t) => {
  const pipe = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'sio-abuse-')), 'pipe');
  execFileSync('mkfifo', [pipe]);
  const both = fs.openSync(pipe, fs.constants.O_RDWR);          // so that there is a reader, which does not read
  t.others.push(() => { fs.closeSync(both); fs.rmSync(path.dirname(pipe), { recursive: true }); });
  const blocking = fs.openSync(pipe, fs.constants.O_WRONLY);
  try {
    // Lines wait in memory first, a megabyte of them: long ones fill it soon.
    await withDemo(t, blocking, async (demo) => {
      const mine = new Case(Object.assign(Object.create(t.server), { port: demo.port }));
      await mine.rows(Array.from({ length: 12_000 }, (_, i) => [`line ${i}`]),
        async () => { const conn = mine.connect().write('\0'); await conn.end(); conn.destroy(); }, 32);
      await loggingInVain(t, demo, 100);
    });
  } finally {
    fs.closeSync(blocking);
  }
});

test('F3', 'the disk under the log is full: the demo serves on, and counts what it loses', NEEDS_DEMO, async (t) => {
  const full = fs.openSync('/dev/full', 'w');
  try {
    // The first line may be lost while the second is written, which ended the demo in half of all starts.
    for (let start = 0; start < 9; ++start) await withDemo(t, full, () => {});
    await withDemo(t, full, (demo) => loggingInVain(t, demo, 1000));
  } finally { fs.closeSync(full); }
});

test('F4', 'the reader of the log goes away: the demo serves on, and counts what it loses', NEEDS_DEMO, async (t) => {
  await withDemo(t, 'pipe', async (demo) => {
    demo.child.stdout.resume();
    await demo.fetch('/metrics');
    demo.child.stdout.destroy();
    await loggingInVain(t, demo, 1000);
  });
});

test('F5', 'a slow handler is logged, once a second at most, and counted',
  { needs: ['slow_handler'], ours: 'its log and metrics are looked at' }, async (t) => {
  const before = await t.server.metrics(), lines = t.server.lines.length;
  const ws = await t.ws();
  for (let i = 0; i < 4; ++i) ws.write(text('42["burn",150]'));
  assert.equal(await ws.verdict(), 'S');
  const after = await t.server.metrics();
  assert.ok(after.sio_slow_handlers_total - before.sio_slow_handlers_total >= 4);
  assert.ok(after.sio_handler_seconds_total - before.sio_handler_seconds_total >= 0.55);
  const said = t.server.lines.slice(lines).filter((line) => /slow/i.test(line.message || ''));
  assert.ok(said.length >= 1 && said.length <= 2, `${said.length} lines`);
  assert.equal(said[0].level, 'warn');
  assert.ok(said.some((line) => line.event === 'burn' && line.socketId === ws.sid), JSON.stringify(said));
});

test('F6', 'the clock jumps by an hour, back and forth: nobody is lost, no limit is refilled, no deadline comes early',
  { ours: 'a server of its own is started', sanitized: 'libfaketime and the sanitizer both replace functions of the C library',
    needs: ['handshake_rate'], ms: 60_000 }, async (t) => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'sio-abuse-')), 'clock');
  t.others.push(() => fs.rmSync(path.dirname(file), { recursive: true }));
  const set = (offset) => { fs.writeFileSync(`${file}.new`, `${offset}\n`); fs.renameSync(`${file}.new`, file); };
  set('+0');
  const preload = execFileSync('faketime', ['-f', '+0', 'sh', '-c', 'echo "$LD_PRELOAD"'], { encoding: 'utf8' }).trim();
  const env = { LD_PRELOAD: preload, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1' };
  const options = { ping_interval: 300, ping_timeout: 400, handshake_rate: { burst: 3, per_second: 0.001 }, trusted_proxies: [] };
  await withServer(t, options, { env }, async (server, mine) => {
    const clock = async () => {                       // as its log tells it
      const before = server.lines.length;
      await mine.connect().write('\0').end();
      const line = await until(() => server.lines.slice(before).find(({ timestamp }) => timestamp), 'a line of the log');
      return Date.parse(line.timestamp) - Date.now();
    };
    const ws = await mine.ws(), polling = await mine.polling(), quiet = await mine.ws({ connection: { localAddress: '127.0.0.9' } });
    quiet.pongs = false;                              // it ends at its time, neither before nor after
    const since = Date.now();
    let beating = true;
    const beat = (async () => { while (beating) { const { text: packets } = await polling.poll();
      if (packets.includes('2')) await polling.post('3'); } })();
    const silence = quiet.until((buffer) => (buffer.includes(Buffer.from([0x88, 0])) ? Date.now() : undefined));
    let hour = 0;
    for (const offset of ['+3600', '-3600', '+0', '+86400', '-7200', '+0']) {
      set(offset);
      const seen = await clock();
      assert.ok(Math.abs(seen - 1000 * Number(offset)) < 5000, `the clock is ${seen} ms off, not ${offset} s`);
      hour += Math.abs(Number(offset));
      for (let i = 0; i < 4; ++i) { assert.equal(await ws.verdict(), 'S'); await delay(60); }
      assert.ok(await polling.alive());
      const refused = await mine.connect().write(get(EIO)).response();
      if (offset === '+3600') assert.equal(refused.status, 200, 'the third handshake');
      else assert.equal(refused.status, 429, 'no free handshakes');
    }
    const lasted = await silence - since, due = server.options.ping_interval + server.options.ping_timeout;
    assert.ok(lasted > 0.9 * due && lasted < 1.2 * due + 300, `who gives no pong ended after ${lasted} ms, due after ${due}`);
    beating = false;
    await polling.post('1');
    await beat;
    assert.equal(await ws.verdict(), 'S');
    assert.ok(hour > 3600);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });
});

test('F7', 'every kind of handler throws: each costs its own call', { options: { throwing: true }, ours: 'its handlers throw' },
  async (t) => {
  const failing = (place, target = EIO) => `${target}&throw=${place}`;
  await t.table([
    ['allow_request', get(failing('allow')), '403 code 4'], ['allow_request of a WebSocket', upgrade(failing('allow', WS)), '400 C'],
    ['generate_id', get(failing('id')), '200'], ['generate_id of a WebSocket', upgrade(failing('id', WS)), '101'],
    ['initial_headers', get(failing('initial')), '200'], ['headers', get(failing('headers')), '200'],
    ['headers of a WebSocket', upgrade(failing('headers', WS)), '101'], ['on_connection_error', get(`${EIO}&sid=none`), '400 code 1'],
    ['a GET route', get('/secret'), '500'], ['a POST route', post('/secret', 'x'), '500'],
  ]);
  const route = t.connect().write(upgrade('/bad'));
  assert.equal((await route.response()).status, 101);
  route.write(text('a'), text('b'));
  assert.deepEqual([(await route.frame()).text, (await route.frame()).text], ['a', 'b'], 'a route\'s WebSocket: open, message');
  route.destroy();
  await t.packets([['the predicate of a namespace', '40/bad-predicate,', 'S', ['44/bad-predicate,{"message":"Invalid namespace"}']],
    ['on_new_namespace', '40/dyn-bad,', 'S']]);
  const all = await t.ws({ join: '40/all,' });
  for (const [packets, answer] of [
    [['42/all,1["echo",1]'], '43/all,1[1]'], [['42/all,2["own"]'], '43/all,2["before"]'],
    [['42/all,["refused"]', '42/all,3["echo",3]'], '43/all,3[3]'], [['42/all,["tell all"]'], '42/all,["told"]'],
    [['42/all,["ask"]'], '42/all,0["question"]'],
    [['43/all,0[]', '42/all,4["echo",4]'], '43/all,4[4]'],
  ]) {
    all.write(...packets.map((packet) => text(packet)));
    await all.texts(answer);
  }
  await t.server.line(({ event }) => event === 'answer', 'the ack\'s callback');
  all.write(text('41/all,'), text('40/all,'));
  await all.texts('40/all,{"sid"');
  all.destroy();
  const { sio_log_lines_dropped_total: lost } = await t.server.metrics();
  assert.ok(lost > 10, `the log's sink, too: ${lost} lines are counted as lost`);
  for (const line of t.server.lines.filter(({ level, error }) => level === 'error' && error !== undefined)) assert.match(line.error,
    /^(secret: hunter2|not a std::exception)$/);
});

test('F8', 'consumers that stop reading under a broadcaster are closed; memory stays flat, the others\' heartbeats pass',
  { options: { max_queue_bytes: 500_000, ping_interval: 300, ping_timeout: 1500 }, ours: 'its memory is looked at', ms: 60_000 },
  async (t) => {
  const speaker = await t.ws();
  const readers = await Promise.all(Array.from({ length: 5 }, () => t.ws()));
  let over = false, beats = 0, got = 0;
  const reading = readers.map(async (ws) => {
    ws.pongs = false;
    while (!over) {
      const next = await ws.frame(200);
      if (next?.text === '2') { ws.write(text('3')); ++beats; }
      if (next?.text.startsWith('42["blast"')) ++got;
    }
  });
  const deaf = await Promise.all(Array.from({ length: 30 }, async (_, i) => (i % 3 ? t.ws() : t.polling())));
  for (const one of deaf) one.socket.pause?.();
  t.count('slow_consumer', 30);
  let highest = 0, sent = 0;
  const before = t.server.resident();
  for (const end = Date.now() + 2500; Date.now() < end;) {
    speaker.write(text('421["blast",2,50000]'));
    await speaker.texts('431');
    sent += 2;
    highest = Math.max(highest, t.server.resident());
    await delay(10);
  }
  await until(() => got === 5 * sent, () => `the readers to get all: ${got} of ${5 * sent}`);
  over = true;
  await Promise.all(reading);
  for (const one of deaf) assert.equal((await t.server.left(one.sid && one.poll ? one.socket : one.sid)).reason, 'transport error');
  if (!t.server.sanitized) assert.ok(highest - before < 40, `grew by ${Math.round(highest - before)} MB`);
  assert.ok(beats >= 5 * Math.floor(2000 / t.option('ping_interval')), `${beats} heartbeats of the readers`);
  t.note(`${sent} messages of 50 KB, ${beats} heartbeats, at most ${Math.round(highest - before)} MB more`);
});

test('F9', 'SIGTERM with a thousand clients in every state', { ours: 'a server of its own is ended', ms: 120_000 }, async (t) => {
  await withServer(t, { max_sessions_per_address: 0, connect_timeout: 60_000, ping_interval: 60_000, upgrade_timeout: 60_000,
    attachment_timeout: 60_000, http: { header_timeout: 60_000, body_timeout: 60_000, keep_alive_timeout: 60_000 } }, {}, async (server,
    mine) => {
    const states = await everyState(mine, 63);
    const from = Date.now();
    server.child.kill('SIGTERM');
    const end = await Promise.race([server.gone, delay(15_000)]), ms = Date.now() - from;
    assert.deepEqual(end, { code: 0, signal: null }, `${ms} ms`);
    assert.ok(ms < server.options.drain_timeout + 1500 * server.factor, `${ms} ms`);
    for (const ws of states['a WebSocket']) assert.equal(await ws.verdict({ ask: false }), 'C');
    for (const held of states['a held poll']) assert.match((await held.response()).text, /1$/);
    t.note(`${Object.values(states).flat().length} clients, ended after ${ms} ms`);
  });
});

test('F10', 'the demo: a second signal ends it at once, whoever is connected', NEEDS_DEMO, async (t) => {
  await withDemo(t, 'ignore', async (demo) => {
    const mine = new Case(Object.assign(Object.create(t.server), { port: demo.port }));
    const stuck = await Promise.all(Array.from({ length: 20 }, () => mine.ws({ join: null })));      // none answers its close frame
    demo.child.kill('SIGINT');
    await stuck[0].until((buffer) => (buffer.length ? true : undefined));
    const from = Date.now();
    demo.child.kill('SIGTERM');
    const end = await Promise.race([demo.gone, delay(5000)]);
    assert.ok(end && end.signal === null, JSON.stringify(end));
    assert.ok(Date.now() - from < 500 * t.server.factor, `${Date.now() - from} ms`);
    assert.equal(end.code, 1);
    for (const conn of stuck) conn.destroy();
  });
});
