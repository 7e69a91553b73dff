'use strict';
// Runs the clients that are written in Python.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');

const CANDIDATES = ['/usr/bin/python3', 'python3'];

function execute(program, args) {
  return new Promise((resolve) => {
    execFile(program, args, { encoding: 'utf8', timeout: 120_000 }, (error, stdout, stderr) => resolve({ error, stdout, stderr }));
  });
}

/** A Python that has python-socketio. */
async function findPython() {
  for (const candidate of CANDIDATES) if (!(await execute(candidate, ['-c', 'import socketio, aiohttp'])).error) return candidate;
  assert.fail(`none of ${CANDIDATES.join(', ')} can import socketio and aiohttp; install the packages python3-socketio and python3-aiohttp`);
}

module.exports = { execute, findPython };
