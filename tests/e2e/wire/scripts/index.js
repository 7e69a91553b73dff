'use strict';
// All scripts, and the servers they run against.

const path = require('node:path');
const { start } = require('../../common/program');

const ANYWHERE = ['--host', '127.0.0.1', '--port', '0'];

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

const programs = {
  official: [process.execPath, path.join(__dirname, '..', 'compared_server.js')],
  ours: path.resolve(__dirname, process.env.SIO_COMPARED_SERVER_BINARY || '../../../../build/compared_server'),
};
programs.ours = programs.ours.endsWith('.js') ? [process.execPath, programs.ours] : [programs.ours];

/** The servers that these scripts share, by their names in SERVERS. */
async function startAll(command, some) {
  const names = Object.keys(SERVERS).filter((name) => some.some((script) => script.on === name && !script.alone));
  const started = await Promise.all(names.map((name) => start(command, [...ANYWHERE, ...SERVERS[name]])));
  return Object.fromEntries(names.map((name, i) => [name, started[i]]));
}

const scripts = ['./http', './engine', './socketio', './namespaces', './recovery', './client']
  .flatMap((file) => require(file)).map((script, i) => ({ ...script, tag: `t${i}x` }));

module.exports = { ANYWHERE, SERVERS, TIMED, programs, startAll, scripts };
