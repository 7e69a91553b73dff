'use strict';
// The honest client: an official one, in a process of its own so that the attackers' work does not delay it. It asks for an
// echo all the time and says how long the longest answer took since it was last asked. Started by run.js with a URL, and
// with 'silent' when the server knows no echo: then it only stays connected.

const { io } = require('../e2e/node_modules/socket.io-client');

const [, , url, mode] = process.argv;
const socket = io(url, { transports: ['websocket'], reconnection: false, forceNew: true });
let worst = 0, count = 0, asked = 0, end = '';

socket.on('connect', () => { process.send({ ready: true }); ask(); });
socket.on('connect_error', (error) => process.send({ ready: false, error: error.message }));
socket.on('disconnect', (reason) => { end = reason; });

function ask() {
  if (mode === 'silent' || !socket.connected) return;
  asked = performance.now();
  socket.emit('echo', count, (value) => {
    if (value !== count) end = `was answered ${JSON.stringify(value)}`;
    worst = Math.max(worst, performance.now() - asked);
    ++count;
    asked = 0;
    setTimeout(ask, 20);
  });
}

process.on('message', (message) => {
  if (message === 'end') { socket.disconnect(); return process.disconnect(); }
  const waiting = asked ? performance.now() - asked : 0;           // an answer that is late is a long one already
  process.send({ worst: Math.round(Math.max(worst, waiting)), count, end });
  worst = 0;
});
process.on('disconnect', () => process.exit(0));
