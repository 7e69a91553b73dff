'use strict';
// server.cpp on the official `socket.io` package (that of the end-to-end tests), with its default options.
//
//     node server.js PORT [PING_INTERVAL_MS] [redis://... | FAULT]
//
// With a FAULT (see faults.js) something goes wrong, once: selftest.py has the load client find it.

const { createRequire } = require('node:module');
const { join } = require('node:path');
const packages = createRequire(join(__dirname, '../e2e/'));
const { Server } = packages('socket.io');

const [port, pingInterval = 25000, more = ''] = process.argv.slice(2);
const redis = more.startsWith('redis:');
const io = new Server({ pingInterval: Number(pingInterval) });

const bench = io.of('/bench');
bench.on('connection', (socket) => {
  const ask = (text) => socket.emit('question', text, ask);
  socket.on('echo', (value, reply) => reply(value));
  socket.on('binary', (value, reply) => reply(value));
  socket.on('blast', (times, size) => {
    const text = 'x'.repeat(size);
    for (let i = 0; i < times; ++i) bench.emit('tick', text);
  });
  socket.on('join', (rooms, reply) => {
    socket.join(rooms);
    reply(true);
  });
  socket.on('tell', (rooms, size) => bench.to(rooms).emit('tick', 'x'.repeat(size)));
  socket.on('tell the rest', (rooms, size) => bench.except(rooms).emit('tick', 'x'.repeat(size)));
  socket.on('relay', (value) => bench.to('red').emit('relayed', value));
  socket.on('ask', ask);
});
async function join_cluster(url) {
  const publisher = packages('redis').createClient({ url });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  io.adapter(packages('@socket.io/redis-adapter').createAdapter(publisher, subscriber));
}

(redis ? join_cluster(more) : Promise.resolve()).then(() => {
  io.listen(Number(port));
  if (more && !redis) require('./faults.js')(io.engine, more);
});
