'use strict';
// All scripts, and the servers they run against.

const path = require('node:path');
const { spawn } = require('node:child_process');

const SERVERS = {                                     // scripts of one kind share one process
  plain: [],
  small: ['--max-payload', '1000'],
  cors: ['--cors-origin', 'http://app.example', '--cors-origin', 'http://other.example'],
  beat: ['--ping-interval', '1000', '--ping-timeout', '800'],
  tidy: ['--tidy'],
  recovery: ['--recovery', '60000'],
  asked: ['--recovery', '60000', '--ask-again'],
  fading: ['--recovery', '1000'],
  fainting: ['--recovery', '60000', '--ping-interval', '1000', '--ping-timeout', '800'],
  hurry: ['--upgrade-timeout', '800', '--connect-timeout', '1200'],
};

const TIMED = ['beat', 'hurry', 'fading', 'fainting'];                      // scripts on these run before the crowd, for they mind a busy machine

const fixtures = {
  official: [process.execPath, path.join(__dirname, 'fixture.js')],
  ours: path.resolve(__dirname, process.env.SIO_FIXTURE_BINARY || '../../build/fixture'),
};
fixtures.ours = fixtures.ours.endsWith('.js') ? [process.execPath, fixtures.ours] : [fixtures.ours];

const children = new Set();

// Starts a fixture on a free port: {host, port, output (all of stdout), stderr, exit (undefined while it runs), stop()}.
// stop() ends it as a service is ended, so that what checks a program at its end can do so; it gives the exit code.
function start(command, flags) {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], [...command.slice(1), '--host', '127.0.0.1', '--port', '0', ...flags],
      { stdio: ['ignore', 'pipe', 'pipe'] });
    children.add(child);
    child.on('exit', () => children.delete(child));
    const server = { host: '127.0.0.1', output: '', stderr: '', exit: undefined };
    const timer = setTimeout(() => { child.kill('SIGKILL'); reject(new Error(`${command.join(' ')} did not start: ${server.stderr}`)); }, 15000);
    child.on('error', (error) => { clearTimeout(timer); reject(error); });
    child.on('exit', (code, signal) => {
      server.exit = signal || code;
      clearTimeout(timer);
      reject(new Error(`${command.join(' ')} ended (${server.exit}): ${server.stderr}`));
    });
    child.stderr.on('data', (chunk) => { server.stderr = (server.stderr + chunk).slice(-20000); });
    child.stdout.on('data', (chunk) => {
      server.output += chunk;
      const match = /listening \S*:(\d+)/.exec(server.output);
      if (!match || server.port) return;
      clearTimeout(timer);
      server.port = Number(match[1]);
      server.stop = () => new Promise((done) => {
        if (server.exit !== undefined) return done(server.exit);
        const last = setTimeout(() => child.kill('SIGKILL'), 20000);
        child.on('exit', (code, signal) => { clearTimeout(last); done(signal || code); });
        child.kill('SIGTERM');
      });
      resolve(server);
    });
  });
}

function killAll() {                                  // whatever is still there, when a test could not go on
  for (const child of children) child.kill('SIGKILL');
}

async function startAll(command) {
  const names = Object.keys(SERVERS);
  const started = await Promise.all(names.map((name) => start(command, SERVERS[name])));
  return Object.fromEntries(names.map((name, i) => [name, started[i]]));
}

const scripts = ['./wire-http', './wire-engine', './wire-socketio', './wire-namespaces', './wire-recovery', './wire-client']
  .flatMap((file) => require(file)).map((script, i) => ({ ...script, tag: `t${i}x` }));

module.exports = { SERVERS, TIMED, fixtures, start, startAll, killAll, scripts };
