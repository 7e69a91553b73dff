'use strict';
// The servers of engine_api.test.js, on the official packages. engine_server.cpp is the same program on the header under
// test. Whatever one of them does, the other one has to do too: keep both small, and change them together.
//
//   node engine_server.js --host 127.0.0.1 --port 0 --kind hooks|cookie|slash|files|engine
//
// prints `listening HOST:PORT` when it is ready. GET /journal answers a JSON array of [tag, ...]; `tag` is the query
// parameter of that name, by which scripts that run at the same time find their own entries.

const { createServer } = require('node:http');
const engineio = require('engine.io');
const { Server } = require('socket.io');

const flags = Object.fromEntries(Array.from(process.argv.slice(2).join('\n').matchAll(/--(\w+)\n(.*)/g), ([, name, value]) => [name, value]));
const journal = [];
const http = createServer((request, response) => {
  if (request.url !== '/journal') return response.writeHead(404).end();
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(journal));
});
const note = (engine) => engine.on('connection_error', ({ req, code, message, context }) =>
  journal.push([req._query.tag || '', code, message, (context && context.message) || '']));

const kinds = {
  hooks() {
    const io = new Server(http, {
      serveClient: false, cors: { origin: '*' }, cookie: true, destroyUpgradeTimeout: 1000,
      allowRequest(request, next) {
        switch (request._query.allow) {
          case 'no': return next('not today, "friend"', false);
          case 'empty': return next('', false);
          case 'later': return setTimeout(() => next(null, true), 200);
          case 'later-no': return setTimeout(() => next('after some thought', false), 200);
          default: return next(null, true);
        }
      },
    });
    const usual = io.engine.generateId;
    io.engine.generateId = (request) => (request._query.id === undefined ? usual(request) : request._query.id);
    io.engine.on('initial_headers', (headers, request) => { headers['x-initial'] = request._query.n || ''; });
    io.engine.on('headers', (headers, request) => { headers['x-every'] = request.method; });
    io.on('connection', (socket) => {
      socket.emit('hello', 1);
      socket.on('later', () => setTimeout(() => socket.emit('later', 1), 100));
    });
    note(io.engine);
  },
  cookie() {
    note(new Server(http, {
      serveClient: false,
      cookie: { name: 'c', path: '/x', domain: 'a.b', httpOnly: true, secure: true, partitioned: true, sameSite: 'strict', priority: 'high',
        maxAge: 86400, expires: new Date(1795415413000) },
    }).engine);
  },
  slash() { note(new Server(http, { serveClient: false, addTrailingSlash: false, destroyUpgrade: false }).engine); },
  files() { note(new Server(http).engine); },
  engine() {
    const engine = engineio.attach(http);
    engine.on('connection', (socket) => {
      const tag = socket.request._query.tag || '';
      journal.push([tag, `open ${socket.transport.name}`]);
      socket.on('message', (data) => {
        if (data === 'close') socket.close();
        else socket.send(data);
      });
      socket.on('upgrade', () => {
        journal.push([tag, `upgrade ${socket.transport.name}`]);
        socket.send('upgraded');
      });
      socket.on('close', (reason) => journal.push([tag, `close ${reason}`]));
    });
    note(engine);
  },
};

kinds[flags.kind]();
http.listen(Number(flags.port), flags.host, () => console.log(`listening ${flags.host}:${http.address().port}`));
