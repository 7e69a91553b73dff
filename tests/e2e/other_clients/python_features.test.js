'use strict';
// What python-socketio can do, as Debian's package python3-socketio has it, against client/features_server.cpp.
//
//   SIO_FEATURES_SERVER_BINARY=path     the program to test, default build/features_server

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, before, describe, it } = require('../common/test');
const { start } = require('../common/program');
const { execute, findPython } = require('./python');

const BINARY = path.resolve(__dirname, process.env.SIO_FEATURES_SERVER_BINARY || '../../../build/features_server');

describe('python-socketio and our server', () => {
  let python;
  let server;
  before(async () => {
    python = await findPython();
    server = await start([BINARY]);
  });
  after(async () => {
    if (server) assert.equal(await server.stop(), 0, server.stderr);
  });

  for (const transports of ['polling', 'websocket', 'polling,websocket']) {
    it(`over ${transports.replace(',', ' and then ')}: namespaces, acks both ways, binary, refusals`, async () => {
      const { error, stdout, stderr } = await execute(python, [path.join(__dirname, 'python_features.py'), server.url, transports]);
      assert.ok(!error, `${stderr}\n${server.stderr}`);
      assert.deepEqual(JSON.parse(stdout), {
        transport: transports.split(',').pop(),
        mirrored: { x: 2.5, y: 1 },
        echoed: [1, 'zwei €', { three: [null, false] }],
        reversed: '030201',
        mixed: [{ deep: { list: [1, '010203'] }, text: 'beside' }, '010203'],
        back: ['ff00', { bytes: '07' }],
        asked: [true, 11],
        told: ['to the room'],
        made: '/number-python',
        refused: { message: 'nobody gets in', data: { code: 7, hints: ['try', 'elsewhere'] } },
        gone: true,
      });
    });
  }
});
