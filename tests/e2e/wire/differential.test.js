'use strict';
// The same scripts against the official server and against ours: the transcripts have to be equal, but for the list of
// intended differences.
//
//   node --test differential.test.js
//   ONLY='upgrade:' node --test differential.test.js            scripts whose name matches only
//   SIO_RECORD=official node differential.test.js               no comparison: print the transcripts of the official server
//   SIO_RECORD=ours node differential.test.js                   or ours
//   SIO_COMPARED_SERVER_BINARY=path                             the program to compare, default build/compared_server
//                                                               (a .js file is run by node: compared_server.js tests the tests)

const assert = require('node:assert');
const fs = require('node:fs');
const { killAll, start } = require('../common/program');
const { after, before, chosen, describe, it } = require('../common/test');
const { run } = require('../common/transcript');
const { ANYWHERE, SERVERS, TIMED, programs, startAll, scripts } = require('./scripts');
const { intended, missing } = require('./differences');

const binary = programs.ours[programs.ours.length - 1];
const self = binary.endsWith('.js');                  // the official server against itself: no differences intended
const selected = scripts.filter(({ name }) => chosen(name));
const AT_ONCE = Number(process.env.SIO_AT_ONCE || 24);

// Calls `action` for every item, so many at a time.
async function pool(items, action, atOnce = AT_ONCE) {
  const queue = items.slice();
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (queue.length) await action(queue.shift());
  }));
}

// Both transcripts in one: lines of the one only with -, of the other only with +.
function difference(expected, got) {
  const common = Array.from({ length: expected.length + 1 }, () => new Array(got.length + 1).fill(0));
  for (let i = expected.length - 1; i >= 0; i--)
    for (let j = got.length - 1; j >= 0; j--)
      common[i][j] = expected[i] === got[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
  const lines = [];
  for (let i = 0, j = 0; i < expected.length || j < got.length;) {
    if (i < expected.length && j < got.length && expected[i] === got[j]) { lines.push(`  ${expected[i++]}`); j++; }
    else if (i < expected.length && (j === got.length || common[i + 1][j] >= common[i][j + 1])) lines.push(`- ${expected[i++]}`);
    else lines.push(`+ ${got[j++]}`);
  }
  return lines;
}

// Runs a script on the server it wants.
async function play(script, program, servers) {
  if (!script.alone) {
    const server = servers[script.on];
    const alive = () => assert.equal(server.exit, undefined, `the server ended (${server.exit}): ${server.stderr}`);
    alive();
    const lines = await run(script, server, script.tag);
    alive();
    return lines;
  }
  const server = await start(program, [...ANYWHERE, ...SERVERS[script.on]]);
  const lines = await run(script, server, script.tag);
  const exit = await server.stop();
  if (program === programs.ours && !self) assert.equal(exit, 0, `our server ended with ${exit}: ${server.stderr}`);
  return lines;
}

// Lines of a script that had to give up; to compare them would be to compare nothing.
const gaveUp = (line) => /^!!|\(no (response|frame): nothing within|\(still open|\(not quiet/.test(line);

async function record(program) {
  const servers = await startAll(program, selected);
  const transcripts = new Map();
  await pool(selected.filter((script) => program === programs.ours || !script.ours), async (script) => transcripts.set(script, await play(script, program, servers)));
  for (const [script, lines] of [...transcripts].sort((a, b) => scripts.indexOf(a[0]) - scripts.indexOf(b[0])))
    console.log(`== ${script.name}\n${lines.map((line) => `   ${line}\n`).join('')}`);
  await Promise.all(Object.values(servers).map((server) => server.stop()));
}

if (process.env.SIO_RECORD) {
  record(process.env.SIO_RECORD === 'ours' ? programs.ours : programs.official);
} else {
  describe('the same on the wire as the official server', () => {
    const runnable = selected.filter((script) => !(self && script.ours));
    const timed = ({ on }) => TIMED.includes(on);
    let official;
    let ours;
    before(async () => {
      assert.ok(fs.existsSync(binary), `${binary} is missing: build it first, or set SIO_COMPARED_SERVER_BINARY`);
      [official, ours] = await Promise.all([startAll(programs.official, runnable), startAll(programs.ours, runnable)]);
    });
    after(killAll);

    it('each difference on the list belongs to a script', () => {
      for (const name of Object.keys(intended)) assert.ok(scripts.some((script) => script.name === name), `no script of the name ${name}`);
    });

    const old = (script) => script.node > parseInt(process.versions.node) && `compared on Node ${script.node} and later only`;
    const compare = (script) => it(script.name, { skip: old(script) || (!self && missing[script.needs]) }, async () => {
      const exception = self ? undefined : intended[script.name];
      const [expected, got] = await Promise.all([
        script.ours ? [] : play(script, programs.official, official),
        play(script, programs.ours, ours),
      ]);
      if (!script.ours && !exception) assert.ok(!expected.some(gaveUp), `the script waits for what the official server never does\n${expected.join('\n')}`);
      if (script.ours && !exception) assert.fail(`the official server takes too long here: say in differences.js what is right\n${got.join('\n')}`);
      if (exception) {
        const found = difference(expected, got).filter((line) => !line.startsWith(' '));
        assert.notEqual(found.length, 0, `no difference any more, take it off the list: ${exception.why}`);
        assert.equal(found.join('\n'), exception.lines.join('\n'), `another difference than the intended one (${exception.why})`);
      } else if (got.join('\n') !== expected.join('\n')) {
        assert.fail(`- official, + ours\n${difference(expected, got).map((line) => `  ${line}`).join('\n')}\n`);
      }
    });
    describe('with short deadlines', { concurrency: AT_ONCE }, () => { runnable.filter(timed).forEach(compare); });
    describe('with the usual deadlines', { concurrency: AT_ONCE }, () => { runnable.filter((script) => !timed(script)).forEach(compare); });

    it('our servers end with 0 when told to', { skip: self }, async () => {
      for (const server of Object.values(ours)) assert.equal(await server.stop(), 0, server.stderr);
    });
  });
}
