'use strict';
// Starts the demo and asks it, as the official client, whether it lives. If not: exit code 1, and the reason in words.
//
//     node tests/matrix/smoke.js PROGRAM [ARGUMENT...]      (--port 0 is added)
//
// At the end SIGTERM must make the program end by itself, with exit code 0, within 6 s.

const { spawn } = require('node:child_process');
const path = require('node:path');
const { io } = require(path.join(__dirname, '..', 'e2e', 'node_modules', 'socket.io-client'));

const WAIT = 45_000; // for one step: emulators start slowly
const END_WAIT = 6_000;

const command = process.argv.slice(2);
if (command.length === 0) {
  console.error('usage: smoke.js PROGRAM [ARGUMENT...]');
  process.exit(2);
}

/** `promise`, or an error that says what took more than `ms` milliseconds. */
function within(promise, what, ms) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms / 1000} s in vain: ${what}`)), ms);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

function expect(what, got, wanted) {
  if (got !== wanted) throw new Error(`${what}: ${JSON.stringify(got)}, and it should be ${JSON.stringify(wanted)}`);
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

/** One step of a program that must not end meanwhile. */
const step = (promise, what) => within(Promise.race([died, promise]), what, WAIT);

async function expectHealthy(url) {
  const answer = await step(fetch(`${url}/api/websocket/health`), 'the health answer');
  const { status, connections } = await answer.json();
  expect('the status of the health answer', answer.status, 200);
  expect('the status in the health answer', status, 'healthy');
  expect('the connections in the health answer', connections, 1);
}

async function smoke() {
  const url = `http://127.0.0.1:${await step(port, 'a line of JSON with the port in the log')}`;

  const socket = io(`${url}/demo`, { reconnection: false, forceNew: true });
  const status = new Promise((resolve) => socket.once('connectionStatus', resolve));
  await step(new Promise((resolve, reject) => {
    socket.once('connect', resolve).once('connect_error', reject);
  }), 'the handshake');
  expect('the event connectionStatus', await step(status, 'the event connectionStatus'), 'connected');

  const { engine } = socket.io;
  await step(new Promise((resolve) => {
    if (engine.transport.name === 'websocket') resolve();
    else engine.once('upgrade', resolve);
  }), 'the upgrade to WebSocket');
  expect('the transport after the upgrade', engine.transport.name, 'websocket');

  const pong = await step(socket.emitWithAck('ping'), 'the ack of ping');
  expect('the status in the ack of ping', pong?.status, 'ok');
  await expectHealthy(url);
  socket.disconnect();

  child.kill('SIGTERM');
  expect('the end after SIGTERM', await within(gone, 'the end after SIGTERM', END_WAIT), 'exit code 0');
}

smoke().then(() => process.exit(0), async (error) => {
  const how = await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, 500, 'still runs'))]);
  const why = error.cause ? `${error.message} (${error.cause.message})` : error.message;
  console.error(`${why}; the program: ${how}. Its last words:`);
  console.error(said.split('\n').slice(-12).join('\n'));
  process.exit(1);
});
