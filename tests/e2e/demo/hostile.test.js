'use strict';
// What attackers found, so that they do not find it again. Raw bytes against the demo; after each case the server lives,
// serves somebody else, and has not grown beyond reason.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const { after, before, describe, it } = require('../common/test');
const { BINARY, cleanUp, connect, notForOfficial, request, sleep, startServer, until } = require('../common/harness');

// A sanitizer keeps what was freed for a while; then only that the server lives is looked at.
const ROOM = /sanitize/.test(String(BINARY)) ? Infinity : 60;  // MB

const UPGRADE = 'Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const frame = (text, opcode = 1) => {
  const payload = Buffer.from(text);
  const head = payload.length < 126 ? [0x80 | payload.length] : [0x80 | 126, payload.length >> 8, payload.length & 255];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...head, 0, 0, 0, 0]), payload]);
};

describe('hostile clients', { skip: notForOfficial('typed events and limits are the demo\'s own') }, () => {
  let server;
  const open = [];
  const tcp = async () => {
    const socket = net.connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.seen = '';
    open.push(socket);
    await new Promise((done) => socket.once('connect', done));
    return socket;
  };
  const reading = async () => {
    const socket = await tcp();
    socket.on('data', (bytes) => { socket.seen += bytes.toString('latin1'); });
    return socket;
  };
  const websocket = async () => {
    const socket = await reading();
    socket.write(`GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n${UPGRADE}`);
    await until(() => socket.seen.includes('"sid"'), 'the open packet');
    socket.write(frame('40/demo,'));
    await until(() => socket.seen.includes('connectionStatus'), 'the join');
    return socket;
  };
  const resident = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1]) / 1024;
  const alive = async () => {
    const client = await connect(server.url);
    assert.equal((await client.ask('ping')).status, 'ok', 'somebody else is served');
    await client.close?.();
  };

  before(async () => {
    server = await startServer({ flags: ['--random-string-interval', '0.2..0.3', '--max-connections-per-ip', '0', '--max-queue-bytes', '4000000'] });
  });
  after(async () => {
    for (const socket of open) socket.destroy();
    await cleanUp();
  });

  for (const path of ['/elsewhere', '/socket.io/?EIO=4&transport=websocket']) {
    it(`an upgrade of ${path} behind a held poll does not leave the poll's session with a dead connection`, async () => {
      const hello = (await request(`http://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=polling`)).body;
      const { sid } = JSON.parse(hello.slice(1));
      const url = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
      const socket = await reading();
      socket.write(`POST ${url} HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n40/demo,`);
      await until(() => socket.seen.includes('ok'), 'the POST');
      socket.write(`GET ${url} HTTP/1.1\r\nHost: h\r\n\r\n`);
      await until(() => socket.seen.includes('connectionStatus') || socket.seen.includes('40/demo'), 'the first poll');
      socket.write(`GET ${url} HTTP/1.1\r\nHost: h\r\n\r\nGET ${path} HTTP/1.1\r\n${UPGRADE}`);
      await sleep(100);
      socket.destroy();
      await sleep(800);  // a broadcast to the session would meet the dead connection
      await alive();
    });
  }

  it('pings whose pongs nobody reads do not fill the memory', async () => {
    const socket = await websocket();
    socket.pause();
    const base = resident();
    const pings = Buffer.concat(Array.from({ length: 4000 }, () => frame('', 9)));
    for (let i = 0; i < 60 && !socket.destroyed; ++i) {
      if (!socket.write(pings)) await Promise.race([new Promise((done) => socket.once('drain', done)), sleep(100)]);
    }
    await sleep(300);
    assert.ok(resident() - base < ROOM, `grew by ${Math.round(resident() - base)} MB`);
    socket.destroy();
    await alive();
  });

  it('requests whose answers nobody reads do not fill the memory', async () => {
    const socket = await tcp();
    socket.pause();
    const base = resident();
    const requests = 'GET /api/websocket/health HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(1000);
    for (let i = 0; i < 100; ++i) {
      if (!socket.write(requests)) await Promise.race([new Promise((done) => socket.once('drain', done)), sleep(50)]);
    }
    assert.ok(resident() - base < ROOM, `grew by ${Math.round(resident() - base)} MB`);
    socket.destroy();
    await alive();
  });

  it('an attachment that is named again and again is not copied again and again', async () => {
    const socket = await websocket();
    const base = resident();
    const place = '{"_placeholder":true,"num":0}';
    const text = `451-/demo,["x"${`,${place}`.repeat(1500)}]`;
    socket.write(frame(text));
    socket.write(frame('x'.repeat(60000), 2));
    await until(() => socket.destroyed || socket.readableEnded || socket.seen.includes('\x88\x00'), 'the end of the connection');
    assert.ok(resident() - base < ROOM, `grew by ${Math.round(resident() - base)} MB`);
    await alive();
  });

  it('malformed pings count, and write one line of the log a second', async () => {
    const socket = await websocket();
    const said = () => server.lines.filter((line) => line.includes('Invalid payload')).length;
    const base = said();
    socket.write(Buffer.concat(Array.from({ length: 300 }, () => frame('42/demo,["ping",1]'))));
    await until(() => socket.seen.includes('PING_LIMIT'), 'the limit');
    assert.equal(socket.seen.split('INVALID_PAYLOAD').length - 1, 100);
    assert.ok(said() - base <= 3, `${said() - base} lines`);
    await alive();
  });

  it('another protocol is refused at its first line', async () => {
    for (const greeting of ['SSH-2.0-OpenSSH_9.2\r\n', '\x16\x03\x01\x02\x00\x01', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n']) {
      const socket = await reading();
      socket.write(greeting, 'latin1');
      await until(() => socket.seen.startsWith('HTTP/1.1 400'), `the refusal of ${JSON.stringify(greeting)}`);
    }
    await alive();
  });
});
