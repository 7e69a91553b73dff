'use strict';
// Starts the servers that exist twice, on our header and on the official packages, and print `listening HOST:PORT`.

const { spawn } = require('node:child_process');

const children = new Set();

// Starts a server: {host, port, url, output (all of stdout), stderr, exit (undefined while it runs), stop()}.
// stop() ends it as a service is ended, so that what checks a program at its end can do so; it gives the exit code.
function start([program, ...first], flags = []) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...first, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
    const name = [program, ...first].join(' ');
    children.add(child);
    child.on('exit', () => children.delete(child));
    const server = { host: '127.0.0.1', output: '', stderr: '', exit: undefined };
    const timer = setTimeout(() => { child.kill('SIGKILL'); reject(new Error(`${name} did not start: ${server.stderr}`)); }, 15000);
    child.on('error', (error) => { clearTimeout(timer); reject(error); });
    child.on('exit', (code, signal) => {
      server.exit = signal || code;
      clearTimeout(timer);
      reject(new Error(`${name} ended (${server.exit}): ${server.stderr}`));
    });
    child.stderr.on('data', (chunk) => { server.stderr = (server.stderr + chunk).slice(-20000); });
    child.stdout.on('data', (chunk) => {
      server.output += chunk;
      const match = /listening \S*:(\d+)/.exec(server.output);
      if (!match || server.port) return;
      clearTimeout(timer);
      server.port = Number(match[1]);
      server.url = `http://${server.host}:${server.port}`;
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

process.on('exit', killAll);

module.exports = { killAll, start };
