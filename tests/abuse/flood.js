'use strict';
// A flood from a process of its own, so that who measures is not delayed by it: handshakes, events, garbage, each on a
// connection that is written to as long as the server reads it. Started by the case on health with a port; 'end' is
// answered with {requests, connections}.

const net = require('node:net');
const { EIO, WS, get, text, upgrade } = require('./lib.js');

const port = Number(process.argv[2]);
const sent = { requests: 0, connections: 0 };

const many = (bytes, times) => Buffer.concat(Array(times).fill(Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes, 'latin1')));

/** Writes `bytes`, which are so many requests, again and again, on one connection after the other. */
function pump(bytes, requests, first = '') {
  const conn = net.connect(port, '127.0.0.1');
  ++sent.connections;
  const more = () => {
    if (conn.destroyed) return;
    sent.requests += requests;
    conn.write(bytes, () => setImmediate(more));
  };
  conn.on('connect', () => { if (first) conn.write(first, 'latin1'); more(); });
  conn.on('data', () => {}).on('error', () => {}).on('close', () => setTimeout(pump, 2, bytes, requests, first));
}

const joined = upgrade(WS) + text('40').toString('latin1');
pump(many(get('/health'), 10), 10);
pump(many(get(`${EIO}&sid=none`), 10), 10);
pump(many('\x00garbage\r\n', 10), 1);
pump(many(text('42["echo",1]'), 50), 50, joined);
pump(many(text('421["echo",{"a":[1,2,3]}]'), 50), 50, joined);
setTimeout(() => process.send('flowing'), 100);
process.on('disconnect', () => process.exit(0));  // whoever started it is gone
process.on('message', () => process.send(sent, () => process.exit(0)));
