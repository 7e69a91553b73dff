'use strict';
// The server of features.test.js, on the official `socket.io` package: a bit of everything that a client can meet.
// features_server.cpp is the same program on our header. Whatever one of them does, the other one has to do too: change them
// together.
//
//     node features_server.js [PORT]        prints `listening 127.0.0.1:PORT`; SIGTERM ends it

const { createServer } = require('node:http');
const { isDeepStrictEqual } = require('node:util');
const { Server } = require('socket.io');

const http = createServer();
const io = new Server(http, { serveClient: false });
process.on('uncaughtException', () => {});                        // a handler that throws would end the program

const binary = Buffer.from([1, 2, 3]);
const gifts = {
  text: ['a text'], utf8: ['てすと', 'Я Б Г', 'äöü ß', '€€€', '🦊', '\u2028'], number: [42, -1, 0, 1.5, 1e300],
  yes: [true], no: [false], null: [null], nothing: [], date: [new Date('1999-12-31T23:59:59.000Z')],
  json: [{ list: [1, 'two', { three: [false, null] }], empty: {} }],
  buffer: [binary], buffers: ['first', binary, Buffer.from([]), 'last', Buffer.from([255])],
  mixed: [{ deep: { list: [1, binary] }, text: 'beside' }, binary],
};

/** What a client may ask for in every namespace. */
function listen(nsp) {
  nsp.on('connection', (socket) => {
    socket.on('give', (what) => socket.emit('gift', ...gifts[what]));
    socket.on('echo', (...args) => args.pop()(...args));
    socket.on('back', (...args) => socket.emit('back', ...args));
    socket.on('volatile', () => socket.volatile.emit('volatile', 'now or never'));
    socket.on('leave me', () => socket.disconnect());
    socket.on('leave us', () => socket.disconnect(true));
    socket.on('cut', () => socket.conn.close());
    socket.on('throw', () => { throw new Error('as it was asked to'); });
    socket.once('once', (reply) => reply('the first one'));

    socket.on('mirror', ({ x, y }, reply) => reply({ x: y, y: x }));
    socket.on('reverse', (bytes, reply) => reply(Buffer.from(bytes).reverse()));
    socket.on('paint', (color, what) => socket.emit('painted', color, what ?? 'it all'));
  });
}

/** Questions to the client, whose answers are checked. */
function ask() {
  io.on('connection', (socket) => {
    socket.on('ask me', (...args) => {
      const reply = args.pop();
      socket.timeout(10_000).emit('question', ...args, (error, ...answer) => reply(!error && isDeepStrictEqual(answer, args)));
    });
    socket.on('ask me in vain', (reply) => {
      socket.timeout(20).emit('no such question', (error) => reply(error?.message === 'operation has timed out'));
    });
    socket.on('ask all', (room, what, reply) => {
      io.in(room).timeout(10_000).emit('question', what, (error, answers) => reply(!error, answers));
    });
    socket.on('ask me from afar', async (reply) => reply(await socket.emitWithAck('number', 1)));
    socket.on('later', (...args) => setTimeout(args.pop(), 50, ...args));
    socket.on('add up', async (count, reply) => {
      let sum = 0;
      for (let i = 0; i < count; ++i) sum += await socket.emitWithAck('number', i);
      reply(sum);
    });
  });
}

function rooms() {
  io.on('connection', (socket) => {
    socket.on('join', (room, reply) => { socket.join(room); reply(socket.rooms.size); });
    socket.on('leave', (room, reply) => { socket.leave(room); reply(socket.rooms.size); });
    socket.on('tell', (room, what) => io.to(room).emit('told', what));
    socket.on('tell others', (room, what) => socket.to(room).emit('told', what));
    socket.on('tell the rest', (room, what) => io.except(room).emit('told', what));
    socket.on('close', (room) => io.in(room).disconnectSockets());
    socket.on('close all', () => io.disconnectSockets(true));
    socket.on('who', async (room, reply) => reply((await io.in(room).fetchSockets()).map(({ id }) => id)));
  });
}

io.use((socket, next) => {
  if (socket.handshake.query.fail === 'true') next(new Error('not with this query'));
  else next();
});
io.of('/no').use((socket, next) => next(Object.assign(new Error('nobody gets in'), { data: { code: 7, hints: ['try', 'elsewhere'] } })));
io.of('/handshake').on('connection', (socket) => socket.emit('handshake', socket.handshake));
io.of('/greeting').on('connection', (socket) => socket.emit('hello', socket.nsp.name, socket.id));
const numbered = io.of((name, auth, answer) => answer(null, name.startsWith('/number-')));
numbered.on('connection', (socket) => numbered.emit('one more', socket.nsp.name));

for (const nsp of [io.of('/'), io.of('/a'), io.of('/b'), numbered]) listen(nsp);
ask();
rooms();

process.on('SIGTERM', () => {
  io.close();
  setTimeout(() => process.exit(0), 300).unref();                 // connections that their clients keep open hold it otherwise
});
http.listen(Number(process.argv[2] || 0), '127.0.0.1', () => console.log(`listening 127.0.0.1:${http.address().port}`));
