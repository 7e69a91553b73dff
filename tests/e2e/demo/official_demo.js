#!/usr/bin/env node
'use strict';
// The demo service once more, written the usual way on the official Socket.IO server. The tests run the same client
// scripts against both and compare; `SIO_DEMO_TARGET=official` puts it in the place of the demo altogether.
//
// It keeps to the demo's contract, with what the official server offers. Where that has no such notion (typed events,
// refusing a WebSocket of a foreign origin), it does what the official server does, and the tests list the difference.

const { randomInt } = require('node:crypto');
const http = require('node:http');
const net = require('node:net');
const { Server } = require('socket.io');

// ---- flags --------------------------------------------------------------------------------------------------------------

const options = {
  port: 4001, host: 'localhost', namespace: '/demo', maxPings: 100, maxConnections: 10, interval: [5, 15],
  pingInterval: 25_000, pingTimeout: 60_000, maxPayload: 1_000_000, logLevel: 'info',
  corsOrigins: [], trustedProxies: [],
};

function refuse(text) {
  process.stderr.write(`official_demo: ${text}\n`);
  process.exit(2);
}

function number(flag, text) {
  if (!/^\d+$/.test(text ?? '')) refuse(`${flag} wants a whole number, not "${text}"`);
  return Number(text);
}

const flags = {
  '--port': (flag, text) => { options.port = number(flag, text); },
  '--host': (flag, text) => { options.host = text; },
  '--namespace': (flag, text) => { options.namespace = text; },
  '--cors-origin': (flag, text) => { options.corsOrigins.push(text); },
  '--max-pings-per-client': (flag, text) => { options.maxPings = number(flag, text); },
  '--max-connections-per-ip': (flag, text) => { options.maxConnections = number(flag, text); },
  '--ping-interval': (flag, text) => { options.pingInterval = number(flag, text); },
  '--ping-timeout': (flag, text) => { options.pingTimeout = number(flag, text); },
  '--max-payload': (flag, text) => { options.maxPayload = number(flag, text); },
  '--trusted-proxy': (flag, text) => { options.trustedProxies.push(text); },
  '--log-level': (flag, text) => { options.logLevel = text; },
  '--random-string-interval': (flag, text) => {
    const match = /^(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)$/.exec(text ?? '');
    if (!match) refuse(`${flag} wants MIN..MAX, not "${text}"`);
    options.interval = [Number(match[1]), Number(match[2])];
  },
};

for (let i = 2; i < process.argv.length; i += 2) {
  const take = flags[process.argv[i]];
  if (!take) refuse(`unknown flag ${process.argv[i]}`);
  take(process.argv[i], process.argv[i + 1]);
}
if (!options.corsOrigins.length) options.corsOrigins = ['http://localhost:5173', 'http://127.0.0.1:5173'];
if (!options.trustedProxies.length) options.trustedProxies = ['127.0.0.0/8', '::1/128'];

// ---- log ------------------------------------------------------------------------------------------------------------------

const LEVELS = ['debug', 'info', 'warn', 'error'];

function log(level, message, fields = {}) {
  if (LEVELS.indexOf(level) < LEVELS.indexOf(options.logLevel)) return;
  process.stdout.write(`${JSON.stringify({ level, message, ...fields, timestamp: new Date().toISOString() })}\n`);
}

// ---- the client's address ---------------------------------------------------------------------------------------------------

const trusted = new net.BlockList();
for (const entry of options.trustedProxies) {
  const [address, bits] = entry.split('/');
  const version = net.isIP(address);
  if (!version) refuse(`--trusted-proxy wants an address or a network, not "${entry}"`);
  trusted.addSubnet(address, Number(bits ?? (version === 4 ? 32 : 128)), `ipv${version}`);
}

const unmapped = (address) => address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
const isTrusted = (address) => trusted.check(address, net.isIP(address) === 6 ? 'ipv6' : 'ipv4');

/** The key a client is counted by: an IPv4 address, or the /64 of an IPv6 address. */
function countingKey(address) {
  if (net.isIP(address) !== 6) return address;
  const [head, tail = ''] = address.split('%')[0].split('::');
  const left = head.split(':').filter(Boolean);
  const right = tail.split(':').filter(Boolean);
  const groups = [...left, ...Array(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right];
  return `${new URL(`http://[${groups.slice(0, 4).join(':')}::]/`).hostname.slice(1, -1)}/64`;
}

/** The peer's address, or the right-most one of X-Forwarded-For that no trusted proxy wrote about itself. */
function clientAddress(handshake) {
  let address = unmapped(handshake.address);
  const forwarded = String(handshake.headers['x-forwarded-for'] ?? '').split(',').map((entry) => unmapped(entry.trim()));
  while (isTrusted(address) && forwarded.length && net.isIP(forwarded.at(-1))) address = forwarded.pop();
  return countingKey(address);
}

// ---- the service --------------------------------------------------------------------------------------------------------------

const connectionsByIP = new Map();
let draining = false;

const httpServer = http.createServer((request, response) => {
  if (request.method !== 'GET' || request.url.split('?')[0] !== '/api/websocket/health') {
    response.writeHead(404).end();
    return;
  }
  const body = draining
    ? { status: 'unhealthy', message: 'Service is shutting down' }
    : { status: 'healthy', connections: demo.sockets.size, connectionsByIP: Object.fromEntries(connectionsByIP), timestamp: Date.now() };
  response.writeHead(draining ? 503 : 200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
});

const io = new Server(httpServer, {
  cors: { origin: options.corsOrigins, credentials: true },
  transports: ['websocket', 'polling'],
  pingInterval: options.pingInterval,
  pingTimeout: options.pingTimeout,
  maxHttpBufferSize: options.maxPayload,
  serveClient: false,
});

const demo = io.of(options.namespace);

demo.use((socket, next) => {
  const ip = clientAddress(socket.handshake);
  const count = connectionsByIP.get(ip) ?? 0;
  if (count >= options.maxConnections) {
    log('warn', 'Connection rate limit exceeded', { ip, connections: count });
    next(new Error('Too many connections from this IP'));
    return;
  }
  connectionsByIP.set(ip, count + 1);
  let held = true;
  const release = () => {
    if (!held) return;
    held = false;
    const left = connectionsByIP.get(ip) - 1;
    if (left) connectionsByIP.set(ip, left);
    else connectionsByIP.delete(ip);
  };
  socket.data.ip = ip;
  socket.once('disconnect', release);
  socket.conn.once('close', release); // a transport that dies before the socket is connected brings no `disconnect`
  next();
});

demo.on('connection', (socket) => {
  const since = Date.now();
  let pings = 0;
  log('info', 'Client connected', { clientId: socket.id, ip: socket.data.ip, transport: socket.conn.transport.name });
  socket.emit('connectionStatus', 'connected');

  socket.on('ping', (...args) => {
    const reply = typeof args.at(-1) === 'function' ? args.at(-1) : () => {};
    if (++pings > options.maxPings) {
      log('warn', 'Ping rate limit exceeded', { clientId: socket.id, ip: socket.data.ip });
      socket.emit('error', { message: 'Ping limit exceeded', code: 'PING_LIMIT' });
      socket.disconnect(true);
      return;
    }
    log('debug', 'Ping received', { clientId: socket.id, pingCount: pings });
    const now = Date.now();
    reply({ status: 'ok', timestamp: now, serverTime: now });
  });

  socket.on('error', (error) => log('error', 'Socket error', { clientId: socket.id, error: String(error?.message) }));
  socket.on('disconnect', (reason) => {
    log('info', 'Client disconnected', { clientId: socket.id, ip: socket.data.ip, reason, connectionDuration: Date.now() - since, totalPings: pings });
  });
});

// ---- the broadcaster ------------------------------------------------------------------------------------------------------------

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
let timer;

function scheduleRandomString() {
  const [low, high] = options.interval.map((seconds) => seconds * 1000);
  timer = setTimeout(() => {
    const clientCount = demo.sockets.size;
    if (clientCount === 0) {
      log('debug', 'No clients, random string skipped');
    } else {
      const value = Array.from({ length: 10 }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
      demo.emit('randomString', { value, timestamp: Date.now() });
      log('info', 'Random string broadcasted', { value, clientCount });
    }
    scheduleRandomString();
  }, low + Math.random() * (high - low));
}

// ---- start and end ----------------------------------------------------------------------------------------------------------------

function fail(error) {
  process.stderr.write(error.code === 'EADDRINUSE' ? `official_demo: port ${options.port} is already in use\n` : `official_demo: ${error.message}\n`);
  process.exit(1);
}

/** `localhost` means both loopback families: a second listener hands its connections to the one HTTP server. */
function listenOnOtherFamily(done) {
  if (options.host !== 'localhost') return done();
  secondListener.once('error', (error) => (error.code === 'EADDRINUSE' ? fail(error) : done()));
  secondListener.listen(options.port, '::1', done);
}

const secondListener = net.createServer((socket) => httpServer.emit('connection', socket));

httpServer.once('error', fail);
httpServer.listen(options.port, options.host === 'localhost' ? '127.0.0.1' : options.host, () => listenOnOtherFamily(() => {
  scheduleRandomString();
  log('info', 'WebSocket service initialised', { namespace: options.namespace, port: options.port });
  process.stdout.write(`Server running on port ${options.port}\n`);
  process.stdout.write(`WebSocket service available at ws://localhost:${options.port}${options.namespace}\n`);
}));

function end() {
  if (draining) process.exit(1);
  draining = true;
  clearTimeout(timer);
  httpServer.close();
  secondListener.close();
  demo.disconnectSockets(true);
  // The packets leave in this turn of the loop and the next ones, held polls with them; then everything is closed.
  setTimeout(() => {
    io.close();
    setTimeout(() => httpServer.closeAllConnections(), 300);
    setTimeout(() => process.exit(0), 1000).unref();
  }, 100);
}

process.on('SIGTERM', end);
process.on('SIGINT', end);
