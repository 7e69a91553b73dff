'use strict';
// A Socket.IO server for the differential tests, on the official `socket.io` package. fixture.cpp is the same program on
// the header under test. Whatever one of them does, the other one has to do too: keep both small, and change them together.
//
//   node fixture.js --port 0 --ping-interval 300 --cors-origin http://app.example
//
// prints `listening 127.0.0.1:PORT` when it is ready. GET /reasons answers a JSON array of [tag, namespace, what]:
// `connected` for every admitted socket, then the reason of its disconnection; `tag` is the query parameter of that name in
// the handshake, which is how scripts that run at the same time find their own entries.

const { createServer } = require('node:http');
const { Server } = require('socket.io');

function flags(argv) {
  const f = { port: 0, host: '127.0.0.1', origins: [], engine: {} };
  const engine = {
    '--ping-interval': 'pingInterval', '--ping-timeout': 'pingTimeout', '--upgrade-timeout': 'upgradeTimeout',
    '--connect-timeout': 'connectTimeout', '--max-payload': 'maxHttpBufferSize',
  };
  for (let i = 0; i < argv.length; i++) {
    if (argv[i] === '--port') f.port = Number(argv[++i]);
    else if (argv[i] === '--host') f.host = argv[++i];
    else if (argv[i] === '--cors-origin') f.origins.push(argv[++i]);
    else if (argv[i] === '--no-cors') f.origins = [];
    else if (engine[argv[i]]) f.engine[engine[argv[i]]] = Number(argv[++i]);
    else throw new Error(`unknown flag ${argv[i]}`);
  }
  return f;
}

const f = flags(process.argv.slice(2));
const journal = [];
let aloud = false;                                    // the server is closing: who wants to read the journal has to read it from here
function note(...entry) {
  journal.push(entry);
  if (aloud) console.log(`journal ${JSON.stringify(entry)}`);
}
const http = createServer((request, response) => {
  if (request.url !== '/reasons') return response.writeHead(404).end();
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(journal));
});
const io = new Server(http, {
  serveClient: false, ...f.engine,
  ...(f.origins.length ? { cors: { origin: f.origins, credentials: true } } : {}),
});

function every(namespace) {                            // what all namespaces have in common
  namespace.on('connection', (socket) => {
    const { tag, greet } = socket.handshake.query;
    note(tag, namespace.name, 'connected');
    socket.on('disconnect', (reason) => note(tag, namespace.name, reason));
    if (greet === '1') socket.emit('hello', 1);

    const answering = (event, handler) => socket.on(event, (...args) => {      // for events that are nothing without an ack
      const reply = args.pop();
      if (typeof reply === 'function') handler(reply, ...args);
    });
    answering('echo', (reply, ...args) => reply(...args));
    answering('who', (reply) => reply({ id: socket.id, transport: socket.conn.transport.name }));
    answering('handshake', (reply) => {
      const { headers, url, query, auth, address, xdomain, secure } = socket.handshake;
      reply({ address, auth, probe: headers['x-probe'], query: Object.entries(query).sort(), secure, url, xdomain });
    });
    answering('later', (reply, ...args) => setTimeout(() => reply(...args), 400));
    answering('twice', (reply) => { reply(1); reply(2); });
    socket.on('echo-back', (...args) => socket.emit('echoed', ...args));
    socket.on('bin', (...args) => socket.emit('bin', ...args));
    socket.on('burst', (n) => { for (let i = 0; i < n; i++) socket.emit('burst', i); });
    socket.on('leave', () => socket.disconnect());
    socket.on('kick', () => socket.disconnect(true));
    socket.on('close-engine', () => socket.conn.close());
    socket.on('close-server', () => { aloud = true; io.close(); });

    socket.on('join', (room) => socket.join(room));
    socket.on('part', (room) => socket.leave(room));
    socket.on('shout', (room, text) => namespace.to(room).emit('shout', text));
    socket.on('shout-both', (a, b, text) => namespace.to(a).to(b).emit('shout', text));
    socket.on('shout-others', (room, text) => socket.to(room).emit('shout', text));
    socket.on('shout-except', (room, without, text) => namespace.to(room).except(without).emit('shout', text));
    socket.on('shout-volatile', (room, ...texts) => { for (const text of texts) namespace.to(room).volatile.emit('shout', text); });

    socket.on('ask', (...args) => socket.emit('question', ...args, (...answer) => socket.emit('answered', ...answer)));
    socket.on('ask-within', (ms) => socket.timeout(ms).emit('question', ms, (error, answer) =>
      socket.emit('answered', error ? error.message : answer)));
    socket.on('ask-room', (room, ms) => namespace.to(room).timeout(ms).emit('question', (error, answers) =>
      socket.emit('answers', error ? error.message : null, answers)));
  });
}

every(io.of('/'));
every(io.of('/plain'));
every(io.of('/é x'));
every(io.of('/acks'));                                 // ack ids are counted per namespace: for one script alone
every(io.of('/admin').use((socket, next) => {
  if (socket.handshake.auth.token === 'abc') return next();
  next(Object.assign(new Error('nope'), { data: { content: 'retry', n: 1 } }));
}));
every(io.of('/deny').use((socket, next) => next(new Error('nope'))));
every(io.of('/slow').use((socket, next) => setTimeout(next, 400)));
every(io.of('/early').use((socket, next) => { socket.emit('early', 1); next(); }));

http.listen(f.port, f.host, () => console.log(`listening ${f.host}:${http.address().port}`));
