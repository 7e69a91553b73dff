'use strict';
// A Socket.IO server for the differential tests, on the official `socket.io` package. compared_server.cpp is the same program on
// the header under test. Whatever one of them does, the other one has to do too: keep both small, and change them together.
//
//   node compared_server.js --port 0 --ping-interval 300 --cors-origin http://app.example
//   node compared_server.js --recovery 60000 [--ask-again]        connection state recovery, perhaps with middlewares
//   node compared_server.js --tidy                                namespaces made for a client end with the last one
//
// prints `listening 127.0.0.1:PORT` when it is ready. GET /reasons answers a JSON array of [tag, namespace, what]:
// `connected` (or `recovered`) for every admitted socket, then the reason of its disconnection, and what begins with a colon in
// between; `tag` is the query parameter of that name in the handshake, which is how scripts that run at the same time find
// their own entries.

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
    else if (argv[i] === '--recovery') f.recovery = { maxDisconnectionDuration: Number(argv[++i]) };
    else if (argv[i] === '--ask-again') f.recovery.skipMiddlewares = false;
    else if (argv[i] === '--tidy') f.tidy = true;
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
  serveClient: false, ...f.engine, connectionStateRecovery: f.recovery, cleanupEmptyChildNamespaces: f.tidy,
  ...(f.origins.length ? { cors: { origin: f.origins, credentials: true } } : {}),
});

const made = [];                                       // names of namespaces
io.on('new_namespace', (namespace) => {
  made.push(namespace.name);
  if (namespace.name.endsWith('strict')) namespace.use((socket, next) => next(new Error('strict')));
});
const waiting = new Map();                             // clients that wait to be let in
const kept = new Map();                                // sockets, to be reached whether they are still there or not

function every(namespace) {                            // what all namespaces have in common
  namespace.on('connection', (socket) => {
    const { nsp } = socket;
    const { tag, greet } = socket.handshake.query;
    note(tag, nsp.name, socket.recovered ? 'recovered' : 'connected');
    socket.on('disconnect', (reason) => note(tag, nsp.name, reason));
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
    answering('whole-handshake', (reply) => reply(socket.handshake));
    answering('later', (reply, ...args) => setTimeout(() => reply(...args), 400));
    answering('twice', (reply) => { reply(1); reply(2); });
    answering('made', (reply, prefix) => reply(made.filter((name) => name.startsWith(prefix))));
    socket.on('echo-back', (...args) => socket.emit('echoed', ...args));
    socket.on('echo-volatile', (...args) => { for (const arg of args) socket.volatile.emit('echoed', arg); });
    socket.on('bin', (...args) => socket.emit('bin', ...args));
    socket.on('burst', (n) => { for (let i = 0; i < n; i++) socket.emit('burst', i); });
    socket.on('leave', () => socket.disconnect());
    socket.on('kick', () => socket.disconnect(true));
    socket.on('close-engine', () => socket.conn.close());
    socket.on('close-server', () => { aloud = true; io.close(); });

    socket.on('join', (room) => socket.join(room));
    socket.on('part', (room) => socket.leave(room));
    socket.on('shout', (room, text) => nsp.to(room).emit('shout', text));
    socket.on('shout-both', (a, b, text) => nsp.to(a).to(b).emit('shout', text));
    socket.on('shout-others', (room, text) => socket.to(room).emit('shout', text));
    socket.on('shout-except', (room, without, text) => nsp.to(room).except(without).emit('shout', text));
    socket.on('shout-except-two', (room, a, b, text) => nsp.to(room).except([a, b]).emit('shout', text));
    socket.on('shout-local', (room, ...args) => nsp.local.to(room).emit('shout', ...args));
    socket.on('shout-volatile', (room, ...texts) => { for (const text of texts) nsp.to(room).volatile.emit('shout', text); });
    socket.on('fan-out', (text, room) => (room ? fan.to(room) : fan).emit('shout', text));
    socket.on('all-join', (room, other) => nsp.in(room).socketsJoin(other));
    socket.on('all-part', (room, other) => nsp.in(room).socketsLeave(other));
    socket.on('all-go', (room, close) => nsp.in(room).disconnectSockets(close));
    answering('fetch', async (reply, room) => reply((await nsp.in(room).fetchSockets()).map(({ id, rooms, data, handshake }) =>
      ({ auth: handshake.auth, data, id, rooms: [...rooms], tag: handshake.query.tag }))));
    socket.on('remote', async (room, other) => {
      for (const one of await nsp.in(room).fetchSockets()) { one.emit('shout', 'from afar'); one.join(other); }
    });
    answering('tell-servers', (reply, ...args) => nsp.serverSideEmit('told', ...args, (error, answers) => reply(error, answers)));

    socket.on('remember', (name, value) => { socket.data[name] = value; });
    answering('recall', (reply) => reply(socket.recovered, [...socket.rooms], socket.data));
    socket.on('let-in', (name) => waiting.get(name)());
    socket.on('keep', (name) => kept.set(name, socket));
    socket.on('poke', (name, ...args) => kept.get(name).emit('poked', ...args));

    socket.on('ask', (...args) => socket.emit('question', ...args, (...answer) => socket.emit('answered', ...answer)));
    socket.on('ask-within', (ms) => socket.timeout(ms).emit('question', ms, (error, answer) =>
      socket.emit('answered', error ? error.message : answer)));
    socket.on('ask-room', (room, ms, ...args) => nsp.to(room).timeout(ms).emit('question', ...args, (error, answers) =>
      socket.emit('answers', error ? error.message : null, answers)));
    socket.on('ask-others', (room, ms, ...args) => socket.to(room).timeout(ms).emit('question', ...args, (error, answers) =>
      socket.emit('answers', error ? error.message : null, answers)));
  });
}

function watch(namespace) {                            // its sockets have handlers and middlewares of their own
  const shapes = (args) => args.filter((arg) => typeof arg !== 'function')
    .map((arg) => ` ${Buffer.isBuffer(arg) ? `<${arg.toString('hex')}>` : JSON.stringify(arg)}`).join('');
  namespace.on('connection', (socket) => {
    const say = (what) => note(socket.handshake.query.tag, namespace.name, `: ${what}`);
    socket.use(([event], next) => {
      if (event === 'slow') setTimeout(next, 300);
      else next(event === 'refused' ? new Error('refused by the first') : undefined);
    });
    socket.use(([event], next) => next(event === 'refused later' ? new Error('refused by the second') : undefined));
    socket.on('error', (error) => (error.message.startsWith('refused') ? socket.emit('trouble', error.message) : say('error')));
    socket.onAny((event, ...args) => say(`in ${event}${shapes(args)}`));
    socket.onAnyOutgoing((event, ...args) => say(`out ${event}${shapes(args)}`));
    socket.conn.on('upgrade', () => say(`upgraded to ${socket.conn.transport.name}`));
    socket.once('one', () => socket.emit('one heard'));
    socket.on('tell', (...args) => socket.emit('told', ...args));
    socket.on('slow', (...args) => socket.emit('told', ...args));
    for (const event of ['refused', 'refused later']) socket.on(event, () => socket.emit('never'));
    socket.on('deafen', () => { socket.removeAllListeners('tell'); socket.offAny(); socket.offAnyOutgoing(); });
    socket.on('disconnecting', () => say(`leaves ${socket.rooms.size} rooms`));
    socket.on('disconnect', () => say(`is in ${socket.rooms.size} rooms`));
  });
}

every(io.of('/'));
every(io.of('/plain'));
every(io.of('/é x'));
every(io.of('/acks'));                                 // ack ids are counted per namespace: for one script alone
every(io.of('/acks-more'));
every(io.of('/admin').use((socket, next) => {
  if (socket.recovered) note(socket.handshake.query.tag, '/admin', ': asked again');
  if (socket.handshake.auth.token === 'abc') return next();
  next(Object.assign(new Error('nope'), { data: { content: 'retry', n: 1 } }));
}));
every(io.of('/deny').use((socket, next) => next(new Error('nope'))));
every(io.of('/slow').use((socket, next) => setTimeout(next, 400)));
every(io.of('/gate').use((socket, next) => (socket.handshake.auth.wait ? waiting.set(socket.handshake.auth.wait, next) : next())));
every(io.of('/early').use((socket, next) => { socket.emit('early', 1); next(); }));
every(io.of('/watched'));
watch(io.of('/watched'));
every(io.of(/^\/room-\w+$/).use((socket, next) => next(socket.handshake.auth.token === 'wrong' ? new Error('nope') : undefined)));
every(io.of((name, auth, next) => {
  const answer = () => next(null, name.startsWith('/asked-') && auth.token === 'abc');
  if (auth.wait) waiting.set(auth.wait, answer);
  else setTimeout(answer, 100);
}));
const fan = io.of(/^\/fan-\w+$/);                      // what is emitted to it reaches everybody: for one script alone
every(fan);
every(io.of(/^\/asked-again-\w+$/));

http.listen(f.port, f.host, () => console.log(`listening ${f.host}:${http.address().port}`));
