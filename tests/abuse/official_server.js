'use strict';
// server.cpp on the official server: for comparison. The same events, routes, options (those that it has) and lines on
// standard output. Change them together.

const http = require('node:http');
const { Server } = require('../e2e/node_modules/socket.io');

const given = JSON.parse(process.argv[2] || '{}');
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
process.on('uncaughtException', (error) => say({ event: 'thrown', what: String(error) }));      // a handler's; ours goes on, too
process.on('unhandledRejection', (error) => say({ event: 'thrown', what: String(error) }));

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://h');
  const send = (status, type, body) => response.writeHead(status, { 'Content-Type': type }).end(body);
  if (url.pathname === '/health' && request.method === 'GET') return send(200, 'application/json',
    JSON.stringify({ clients: io.engine.clientsCount }));
  if (url.pathname === '/size' && request.method === 'POST') {
    let size = 0;
    return request.on('data', (chunk) => { size += chunk.length; }).on('end', () => send(200, 'text/plain', String(size)));
  }
  response.writeHead(404).end();
});
const io = new Server(server, {
  serveClient: false,
  cors: { origin: ['http://good.example.test', 'https://good.example.test'], credentials: true },
  pingInterval: given.ping_interval ?? 25_000,
  pingTimeout: given.ping_timeout ?? 20_000,
  upgradeTimeout: given.upgrade_timeout ?? 10_000,
  connectTimeout: given.connect_timeout ?? 45_000,
  maxHttpBufferSize: given.max_payload ?? 1_000_000,
});

class Thrown extends Error {}

for (const nsp of [io.of('/'), io.of('/chat'), io.of(/^\/dyn-/), io.of('/careless')]) {
  nsp.on('connection', (socket) => {
    socket.on('echo', (...args) => { const reply = args.pop(); if (typeof reply === 'function') reply(...args); });
    socket.on('back', (...args) => socket.emit('back', ...args));
    socket.on('join', (room, reply) => { socket.join(room); reply(socket.rooms.size); });
    socket.on('leave', (room, reply) => { socket.leave(room); reply(socket.rooms.size); });
    socket.on('rooms', (reply) => reply(socket.nsp.adapter.rooms.size));
    socket.on('address', (reply) => reply(socket.handshake.address));
    socket.on('go', (all) => socket.disconnect(Boolean(all)));
    socket.on('throw', (what) => { if (what === 'int') throw 42; throw new Thrown('secret: hunter2'); });
    socket.on('throw later', async () => { throw new Thrown('secret: hunter2'); });
    socket.on('tell', (room, ...args) => socket.nsp.to(room).emit('told', room, ...args));
    socket.on('blast', (times, size, reply) => {
      for (let i = 0; i < times; ++i) socket.nsp.emit('blast', 'x'.repeat(size));
      reply(socket.nsp.sockets.size);
    });
    socket.on('ask', (times, reply) => {
      for (let i = times; i > 0; --i) socket.emit('question', i, (...values) => say({ event: 'answered', values }));
      reply(0);
    });
    socket.on('self', (reply) => {
      socket.emit('one'); socket.join('r'); socket.leave('r'); socket.to('r').emit('two');
      reply('said before');
      socket.disconnect(); socket.emit('three'); socket.join('afterwards'); socket.disconnect(true);
    });
    socket.on('burn', (ms) => { for (const end = Date.now() + ms; Date.now() < end;); });
    socket.on('dominoes', (reply) => { socket.data.dominoes = true; socket.join('dominoes'); reply(true); });
    socket.on('topple', () => { socket.nsp.to('dominoes').emit('falling'); socket.nsp.in('dominoes').disconnectSockets(true); });
    socket.on('close server', () => io.close());
    socket.on('typed', (point, reply) => reply({ x: point.y, y: point.x }));
    socket.on('disconnect', (reason) => {
      say({ event: 'left', id: socket.id, namespace: socket.nsp.name, reason });
      if (socket.data.dominoes) socket.nsp.in('dominoes').disconnectSockets(true);
    });
  });
}
io.of('/throws').use(() => { throw new Thrown('secret: hunter2'); });
io.of('/throws-int').use(() => { throw 42; });
io.of('/throws-later').on('connection', () => { throw new Thrown('secret: hunter2'); });

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    io.close(() => { say({ event: 'ended' }); process.exit(0); });
    process.once(signal, () => process.exit(1));
  });
}
server.listen(0, '127.0.0.1', () => say({ event: 'listening', port: server.address().port, other_port: 0, options: [], coroutines: true }));
