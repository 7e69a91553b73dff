'use strict';
// Starts the demo and asks it, as the official client, whether it lives. What is wrong goes to standard error, exit code 1.
//
//     node tests/matrix/smoke.js END PROGRAM [ARGUMENT...]      (--port 0 is added)
//
// END is how the program is ended: `term`: SIGTERM, and it must end by itself, with exit code 0, within 6 s;
// `kill`: it must still answer when it is killed, for where there is no signal to send (Windows).

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const path = require('node:path');
const { io } = require(path.join(__dirname, '..', 'e2e', 'node_modules', 'socket.io-client'));

const WAIT = 45_000; // for one step: emulators start slowly
const END_WAIT = 6_000;

const [end, ...command] = process.argv.slice(2);
if (!['term', 'kill'].includes(end) || command.length === 0) {
  console.error('usage: smoke.js term|kill PROGRAM [ARGUMENT...]');
  process.exit(2);
}

/** `promise`, or an error that says what took more than `ms` milliseconds. */
function within(promise, what, ms = WAIT) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms / 1000} s in vain: ${what}`)), ms);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

const child = spawn(command[0], [...command.slice(1), '--port', '0'], { stdio: ['ignore', 'pipe', 'pipe'] });
let said = '';
const gone = new Promise((resolve) => {
  child.once('error', (error) => { said += `${error}\n`; resolve(`could not be started: ${error.message}`); });
  child.once('exit', (code, signal) => resolve(signal ? `died of ${signal}` : `exit code ${code}`));
});
const died = gone.then((how) => { throw new Error(`the program has ended: ${how}`); });
died.catch(() => {}); // whoever races against it hears of it
process.on('exit', () => child.kill('SIGKILL'));

/** The port, from the first line of the log that is JSON and has one. */
const port = new Promise((resolve) => {
  let partial = '';
  const take = (text) => {
    said += text;
    const lines = (partial += text).split('\n');
    partial = lines.pop();
    for (const line of lines) {
      try {
        const record = JSON.parse(line);
        if (Number.isInteger(record?.port)) resolve(record.port);
      } catch { /* a line for people */ }
    }
  };
  child.stdout.setEncoding('utf8').on('data', take);
  child.stderr.setEncoding('utf8').on('data', (text) => { said += text; });
});

async function health(url) {
  const answer = await fetch(`${url}/api/websocket/health`);
  assert.equal(answer.status, 200, 'the health answer');
  return answer.json();
}

async function smoke() {
  const url = `http://127.0.0.1:${await within(Promise.race([port, died]), 'a line of JSON with the port in the log')}`;

  const socket = io(`${url}/demo`, { reconnection: false, forceNew: true });
  const status = new Promise((resolve) => socket.once('connectionStatus', resolve));
  await within(Promise.race([died, new Promise((resolve, reject) => {
    socket.once('connect', resolve).once('connect_error', reject);
  })]), 'the handshake');
  assert.equal(await within(Promise.race([status, died]), 'the event connectionStatus'), 'connected', 'connectionStatus');

  const { engine } = socket.io;
  await within(Promise.race([died, new Promise((resolve) => {
    if (engine.transport.name === 'websocket') resolve();
    else engine.once('upgrade', resolve);
  })]), 'the upgrade to WebSocket');
  assert.equal(engine.transport.name, 'websocket', 'the transport after the upgrade');

  const pong = await within(Promise.race([socket.emitWithAck('ping'), died]), 'the ack of ping');
  assert.equal(pong?.status, 'ok', 'the status in the ack of ping');

  const busy = await within(health(url), 'the health answer');
  assert.equal(busy.status, 'healthy', 'the status in the health answer');
  assert.equal(busy.connections, 1, 'the connections in the health answer');
  socket.disconnect();

  if (end === 'kill') {
    assert.equal((await within(health(url), 'the last health answer')).status, 'healthy', 'the last health answer');
    child.kill('SIGKILL');
    await within(gone, 'the end after SIGKILL');
  } else {
    child.kill('SIGTERM');
    assert.equal(await within(gone, 'the end after SIGTERM', END_WAIT), 'exit code 0', 'the end after SIGTERM');
  }
}

smoke().then(() => process.exit(0), (error) => {
  console.error(`${error.message}\nThe program's last words:\n${said.split('\n').slice(-12).join('\n')}`);
  process.exit(1);
});
