'use strict';
// storm_server.cpp on the official `socket.io` package, as far as the comparison needs it: the same flags, echo,
// /counts and /ticks.
//
//     node storm_server.js PORT [--ping-interval MS] [--ping-timeout MS] [--connect-timeout MS] [--recovery MS]
//
// `socket.io` is the one that the end-to-end tests have installed. The backlog is that of storm_server, too.

const { createServer } = require('node:http');
const { createRequire } = require('node:module');
const { join } = require('node:path');
const { Server } = createRequire(join(__dirname, '../e2e/'))('socket.io');

const [port, ...flags] = process.argv.slice(2);
const options = { serveClient: false };
for (let i = 0; i < flags.length; i += 2) {
  const name = flags[i].slice(2).replace(/-(.)/, (_, letter) => letter.toUpperCase()), value = Number(flags[i + 1]);
  if (name === 'recovery') options.connectionStateRecovery = { maxDisconnectionDuration: value };
  else options[name] = value;
}

const counters = { sessions_opened: 0, sessions_closed: 0, sockets_joined: 0, sockets_left: 0 };
const http = createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  if (url.pathname === '/counts') {
    response.end(JSON.stringify({ sessions: io.engine.clientsCount, sockets: io.sockets.sockets.size, rooms: io.sockets.adapter.rooms.size, ...counters }));
  } else if (url.pathname === '/ticks') {
    ticks(Number(url.searchParams.get('count')));
    response.end('started');
  } else {
    response.writeHead(404).end();
  }
});
const io = new Server(http, options);

function ticks(count) {
  const begin = Date.now();
  let number = 0;
  const next = () => {
    io.emit('tick', ++number);
    if (number < count) setTimeout(next, begin + (number + 1) * 100 - Date.now());
  };
  setTimeout(next, 100);
}

io.engine.on('connection', (session) => {
  ++counters.sessions_opened;
  session.on('close', () => ++counters.sessions_closed);
});
io.on('connection', (socket) => {
  ++counters.sockets_joined;
  socket.on('disconnect', () => ++counters.sockets_left);
  socket.on('echo', (value, reply) => reply(value));
});

process.on('SIGTERM', () => io.close(() => process.exit(0)));
http.listen({ port, host: '127.0.0.1', backlog: 4096 }, () => console.log(`listening 127.0.0.1:${http.address().port}`));
