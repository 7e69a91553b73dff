'use strict';
// Starts the programs that a script of bytes is played against, ours or the official one beside it.

const { spawn } = require('node:child_process');

const children = new Set();

// Starts a server on a free port: {host, port, output (all of stdout), stderr, exit (undefined while it runs), stop()}.
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

module.exports = { killAll, start };
