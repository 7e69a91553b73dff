'use strict';
// A server of a cluster, on the official `socket.io` package and its Redis adapter. cluster_server.cpp is the same program on
// our header. Whatever one of them does, the other one has to do too: change them together.
//
//     node cluster_server.js [PORT] [--redis URL] [--key PREFIX] [--requests-timeout MS] [--name NAME] [--path PATH] [--specific yes]
//
// prints `listening 127.0.0.1:PORT`; SIGTERM ends it. Without --redis it is alone. A client's events make it do each
// operation that concerns the whole cluster; a `target` is {rooms, except, volatile, local}, all of them optional.
// --specific is this one's only: it answers on the channel of the server that asked (publishOnSpecificResponseChannel).

const { createServer } = require('node:http');
const { parseArgs } = require('node:util');
const { createAdapter } = require('@socket.io/redis-adapter');
const { createClient } = require('redis');
const { Server } = require('socket.io');

const string = { type: 'string' };
const { values: flags, positionals } = parseArgs({
  allowPositionals: true, options: { redis: string, key: string, 'requests-timeout': string, name: string, path: string, specific: string },
});
const name = flags.name ?? 'official';

// What is being published when the connection breaks is refused, and the adapter does not look at it.
process.on('unhandledRejection', (error) => console.error(`refused: ${error.message}`));

async function cluster() {
  if (!flags.redis) return undefined;
  const publisher = createClient({ url: flags.redis });
  const subscriber = publisher.duplicate();
  for (const client of [publisher, subscriber]) client.on('error', (error) => console.error(`Redis: ${error.message}`));
  await Promise.all([publisher.connect(), subscriber.connect()]);
  return createAdapter(publisher, subscriber, { key: flags.key, requestsTimeout: Number(flags['requests-timeout'] ?? 5000), publishOnSpecificResponseChannel: flags.specific === 'yes' });
}

/** Those whom a client means. */
function pick(nsp, { rooms = [], except = [], volatile = false, local = false }) {
  let those = nsp.to(rooms).except(except);
  if (volatile) those = those.volatile;
  if (local) those = those.local;
  return those;
}

const details = ({ id, rooms, data, handshake }) => ({
  id, rooms: [...rooms].sort(), data,
  handshake: { address: handshake.address, auth: handshake.auth, query: handshake.query.who ?? null, agent: handshake.headers['x-agent'] ?? null, url: handshake.url, issued: typeof handshake.issued },
});

/** What a client may ask for in every namespace. */
function listen(nsp) {
  nsp.on('connection', (socket) => {
    const here = socket.nsp;
    socket.on('name', (reply) => reply(name));
    // The official server knows its peer only; what trusted_proxies does in ours is done by hand.
    socket.on('address', (reply) => reply(socket.handshake.headers['x-forwarded-for']?.split(', ').pop() ?? socket.handshake.address));
    socket.on('join', (room, reply) => { socket.join(room); reply(); });
    socket.on('leave', (room, reply) => { socket.leave(room); reply(); });
    socket.on('keep', (data, reply) => { socket.data = data; reply(); });

    socket.on('emit', (target, ...event) => pick(here, target).emit(...event));
    socket.on('others', (rooms, ...event) => (rooms.length ? socket.to(rooms) : socket.broadcast).emit(...event));
    socket.on('ask', (target, ms, ...event) => {
      const reply = event.pop();
      pick(here, target).timeout(ms).emit(...event, (error, answers) => reply(Boolean(error), answers));
    });
    socket.on('fetch', (target, reply) => {
      pick(here, target).fetchSockets().then((sockets) => reply(false, sockets.map(details)), (error) => reply(true, error.message));
    });
    socket.on('all join', (target, rooms) => pick(here, target).socketsJoin(rooms));
    socket.on('all leave', (target, rooms) => pick(here, target).socketsLeave(rooms));
    socket.on('all out', (target, close) => pick(here, target).disconnectSockets(close));
    socket.on('rooms', (reply) => {
      here.adapter.allRooms().then((rooms) => reply(false, [...rooms].sort()), (error) => reply(true, error.message));
    });
    socket.on('servers', (reply) => { here.adapter.serverCount().then(reply); });

    // With the handle of a socket that may be anywhere.
    socket.on('one', async (id, what, ...values) => {
      const [one] = await here.in(id).fetchSockets();
      if (what === 'emit') one.emit(...values);
      if (what === 'join') one.join(values[0]);
      if (what === 'leave') one.leave(values[0]);
      if (what === 'out') one.disconnect(values[0]);
      if (what === 'ask') {
        const reply = values.pop();
        one.timeout(10_000).emitWithAck(...values).then((answer) => reply(false, answer), () => reply(true, null));
      }
    });

    socket.on('tell servers', (...event) => here.serverSideEmit(...event));
    socket.on('ask servers', (...event) => {
      const reply = event.pop();
      here.serverSideEmit(...event, (error, answers) => reply(Boolean(error), answers));
    });
  });
}

/** What the other servers may say. */
function hear(nsp) {
  nsp.on('note', (...values) => nsp.local.emit('noted', name, ...values));
  nsp.on('question', (what, reply) => reply({ from: name, what }));
  nsp.on('silence', () => {});
}

cluster().then((adapter) => {
  const http = createServer();
  const io = new Server(http, { serveClient: false, cleanupEmptyChildNamespaces: true, path: flags.path ?? '/socket.io/', ...(adapter && { adapter }) });
  const tenants = io.of((nsp, auth, answer) => answer(null, /^\/tenant-\d+$/.test(nsp)));
  io.on('new_namespace', hear);  // handlers of a parent count for clients' events, not for servers'
  for (const nsp of [io.of('/'), io.of('/chat'), tenants]) listen(nsp);
  hear(io.of('/'));

  process.on('SIGTERM', () => { io.close(); setTimeout(() => process.exit(0), 100); });  // the Redis clients do not let go
  http.listen(Number(positionals[0] ?? 0), '127.0.0.1', () => console.log(`listening 127.0.0.1:${http.address().port}`));
});
