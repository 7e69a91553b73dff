'use strict';
// The command line: help, version, mistakes, a port in use, and where the server listens.

const assert = require('node:assert/strict');
const net = require('node:net');
const { after, afterEach, before, describe, it } = require('../common/test');
const { cleanUp, closeClients, connect, freePort, hasIpv6, notForOfficial, request, run, startServer, until } = require('../common/harness');

const OWN_COMMAND_LINE = notForOfficial('the official demo has just the flags that the tests need');

// Every flag of the contract, and what its help has to show as the default.
const FLAGS = {
  '--port': [/\b4001\b/],
  '--host': [/\blocalhost\b/],
  '--namespace': [/\/demo\b/],
  '--cors-origin': [/http:\/\/localhost:5173\b/, /http:\/\/127\.0\.0\.1:5173\b/],
  '--max-pings-per-client': [/\b100\b/],
  '--max-connections-per-ip': [/\b10\b/],
  '--random-string-interval': [/\b5\.\.15\b/],
  '--ping-interval': [/\b25[ ,_']?000\b/],
  '--ping-timeout': [/\b60[ ,_']?000\b/],
  '--max-payload': [/\b1[ ,_']?000[ ,_']?000\b/],
  '--trusted-proxy': [/127\.|loopback/i],
  '--log-level': [/\binfo\b/],
  '--redis': [/\bnone\b/],
  '--trace': [/\boff\b/],
  '--help': [],
  '--version': [],
  '--print-types': [],
};

const MISTAKES = [
  ['an unknown flag', ['--no-such-flag'], '--no-such-flag'],
  ['an unknown flag with a value', ['--prot', '4001'], '--prot'],
  ['a stray word', ['4001'], '4001'],
  ['a port that is no number', ['--port', 'http'], '--port'],
  ['a port beyond 65535', ['--port', '65536'], '--port'],
  ['a negative port', ['--port', '-1'], '--port'],
  ['a port with a tail', ['--port', '4001x'], '--port'],
  ['an empty port', ['--port', ''], '--port'],
  ['a port that is missing', ['--port'], '--port'],
  ['a ping limit that is no number', ['--max-pings-per-client', 'many'], '--max-pings-per-client'],
  ['a negative ping limit', ['--max-pings-per-client', '-5'], '--max-pings-per-client'],
  ['a connection limit that is no number', ['--max-connections-per-ip', '1.5'], '--max-connections-per-ip'],
  ['a connection limit beyond all numbers', ['--max-connections-per-ip', '99999999999999999999999'], '--max-connections-per-ip'],
  ['an interval that is no range', ['--random-string-interval', 'often'], '--random-string-interval'],
  ['an interval upside down', ['--random-string-interval', '15..5'], '--random-string-interval'],
  ['a negative interval', ['--random-string-interval', '-1..5'], '--random-string-interval'],
  ['half an interval', ['--random-string-interval', '5..'], '--random-string-interval'],
  ['a ping interval that is no number', ['--ping-interval', 'x'], '--ping-interval'],
  ['a ping time-out that is no number', ['--ping-timeout', '1e'], '--ping-timeout'],
  ['a payload limit that is no number', ['--max-payload', 'big'], '--max-payload'],
  ['a proxy that is no address', ['--trusted-proxy', 'proxy.example'], '--trusted-proxy'],
  ['a proxy network with too many bits', ['--trusted-proxy', '10.0.0.0/33'], '--trusted-proxy'],
  ['a rate without a slash', ['--event-rate', '20'], '--event-rate'],
  ['a rate of nothing', ['--packet-rate', '0/5'], '--packet-rate'],
  ['a rate of words', ['--handshake-rate', 'few/often'], '--handshake-rate'],
  ['metrics without a path', ['--metrics-path', 'metrics'], '--metrics-path'],
  ['an unknown log level', ['--log-level', 'loud'], '--log-level'],
  ['a namespace without slash', ['--namespace', 'demo'], '--namespace'],
  ['a mistake after good flags', ['--port', '4321', '--log-level', 'debug', '--max-pings-per-client', 'x'], '--max-pings-per-client'],
];

describe('the command line', () => {
  afterEach(closeClients);
  after(cleanUp);

  describe('--help', { skip: OWN_COMMAND_LINE }, () => {
    let help;
    before(async () => { help = await run(['--help']); });

    it('goes to standard output and ends with 0', () => {
      assert.equal(help.code, 0, help.said);
      assert.equal(help.stderr, '');
      assert.ok(help.lines.length > Object.keys(FLAGS).length);
      assert.doesNotMatch(help.stdout, /Server running/);
    });

    for (const [flag, defaults] of Object.entries(FLAGS)) {
      it(`lists ${flag}${defaults.length ? ' with its default' : ''}`, () => {
        // A flag's part of the help: from the line that begins with it up to the next flag's.
        const first = help.lines.findIndex((line) => new RegExp(`^\\s*(-\\w,?\\s+)?${flag}\\b`).test(line));
        assert.ok(first >= 0, `no line of the help begins with ${flag}:\n${help.stdout}`);
        const rest = help.lines.slice(first + 1);
        const next = rest.findIndex((line) => /^\s*-/.test(line) || line.trim() === '');
        const part = [help.lines[first], ...rest.slice(0, next < 0 ? undefined : next)].join('\n');
        for (const value of defaults) assert.match(part, value, `the help of ${flag} does not show its default`);
      });
    }
  });

  it('--version says a version and ends with 0', { skip: OWN_COMMAND_LINE }, async () => {
    const { code, stdout, stderr } = await run(['--version']);
    assert.equal(code, 0);
    assert.match(stdout, /\b\d+\.\d+\.\d+\b/);
    assert.equal(stdout.split('\n').length, 1);
    assert.equal(stderr, '');
  });

  for (const [how, flags] of Object.entries({ 'at the end': ['--log-level', 'off', '--trace'], 'before another flag': ['--trace', '--log-level', 'off'], 'with a value': ['--trace=on', '--log-level=off'] })) {
    it(`--trace, ${how}, explains each packet in a line, without colours where no terminal is`, { skip: OWN_COMMAND_LINE }, async () => {
      const server = await startServer({ flags });
      await connect(server.url);
      await until(() => server.plainLines.some((line) => /S> websocket 40\/demo,\{"sid".* CONNECT \/demo .*The client has joined \/demo/.test(line)), 'waiting for the trace of the CONNECT');
      assert.ok(server.plainLines.some((line) => /C> websocket GET \/socket\.io\/\?EIO=4.* handshake /.test(line)));
      assert.ok(server.plainLines.every((line) => !line.includes('\x1b')));
      assert.deepEqual(server.logs, []);
    });
  }

  it('--trace off traces nothing', { skip: OWN_COMMAND_LINE }, async () => {
    const server = await startServer({ flags: ['--trace', 'off', '--log-level', 'off'] });
    await connect(server.url);
    assert.deepEqual(server.plainLines.filter((line) => /[CS]> /.test(line)), []);
  });

  for (const [what, flags, named] of MISTAKES) {
    it(`${what}: one line that names ${named}, exit code 2, nothing started`, { skip: OWN_COMMAND_LINE }, async () => {
      const { code, signal, stdout, stderr, said } = await run(flags);
      assert.deepEqual({ code, signal }, { code: 2, signal: null }, said);
      assert.equal(stdout, '', 'nothing is started');
      assert.match(stderr, /^[^\n]+\n$/, 'one line on standard error');
      assert.ok(stderr.includes(named), `the line does not name ${named}: ${stderr}`);
    });
  }

  it('a port in use: one line that names it, exit code 1, nothing started', async () => {
    const server = await startServer();
    const { code, signal, stdout, stderr, said } = await run(['--port', String(server.port)]);
    assert.deepEqual({ code, signal }, { code: 1, signal: null }, said);
    assert.equal(stdout, '', 'nothing is started');
    assert.match(stderr, /^[^\n]+\n$/, 'one line on standard error');
    assert.ok(stderr.includes(String(server.port)), stderr);
    assert.match(stderr, /in use/i);
    const client = await connect(server.url);
    assert.equal((await client.ask('ping')).status, 'ok', 'and the first server has come to no harm');
  });

  for (const [host, family] of [['127.0.0.1', 'IPv4'], ['::1', 'IPv6']]) {
    it(`a port that another program uses on the ${family} loopback only counts as in use`, async (t) => {
      if (host === '::1' && !(await hasIpv6())) return t.skip('this machine has no ::1');
      const port = await freePort();
      const stranger = net.createServer((socket) => socket.destroy());
      await new Promise((resolve) => stranger.listen(port, host, resolve));
      try {
        // Half a service would leave it to chance whom a client of "localhost" reaches.
        const { code, stdout, stderr, said } = await run(['--port', String(port)], { ms: 10_000 });
        assert.equal(code, 1, said);
        assert.equal(stdout, '', 'nothing is started');
        assert.match(stderr, /^[^\n]+\n$/, 'one line on standard error');
      } finally {
        stranger.close();
      }
    });
  }
});

describe('the addresses that the demo listens on', () => {
  afterEach(closeClients);
  after(cleanUp);

  it('both loopback families by default', async (t) => {
    const server = await startServer();
    assert.equal((await request(`http://127.0.0.1:${server.port}/api/websocket/health`)).status, 200);
    if (!(await hasIpv6())) return t.skip('this machine has no ::1');
    assert.equal((await request(`http://[::1]:${server.port}/api/websocket/health`)).status, 200);
    for (const mode of ['polling', 'websocket', 'upgrade']) {
      const client = await connect(`http://[::1]:${server.port}`, { mode });
      assert.equal((await client.ask('ping')).status, 'ok');
      client.leave();
    }
  });

  it('no address beyond loopback by default', async (t) => {
    const address = Object.values(require('node:os').networkInterfaces()).flat().find((a) => a.family === 'IPv4' && !a.internal);
    if (!address) return t.skip('this machine has no other address than loopback');
    const server = await startServer();
    await assert.rejects(request(`http://${address.address}:${server.port}/api/websocket/health`), /ECONNREFUSED/);
  });

  it('--host 127.0.0.1: that address only', async (t) => {
    const server = await startServer({ flags: ['--host', '127.0.0.1'] });
    assert.equal((await request(`http://127.0.0.1:${server.port}/api/websocket/health`)).status, 200);
    if (!(await hasIpv6())) return t.skip('this machine has no ::1');
    await assert.rejects(request(`http://[::1]:${server.port}/api/websocket/health`), /ECONNREFUSED/);
  });

  it('--host ::1: that address only', async (t) => {
    if (!(await hasIpv6())) return t.skip('this machine has no ::1');
    const server = await startServer({ flags: ['--host', '::1'], host: '::1' });
    assert.equal((await request(`http://[::1]:${server.port}/api/websocket/health`)).status, 200);
    await assert.rejects(request(`http://127.0.0.1:${server.port}/api/websocket/health`), /ECONNREFUSED/);
  });

  it('--host 0.0.0.0: every IPv4 address', async () => {
    const server = await startServer({ flags: ['--host', '0.0.0.0'] });
    assert.equal((await request(`http://127.0.0.1:${server.port}/api/websocket/health`)).status, 200);
  });
});
