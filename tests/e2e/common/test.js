'use strict';
// `node:test`, with a choice: ONLY=PATTERN, a word or a regular expression without regard to case, leaves the tests whose
// full name it matches. A full name is `demo/limits.test.js > the ping limit > over polling: ...`, so that the name of a
// file or of a folder chooses all in it. What is left out is not run, not counted and starts no server: Node's own
// --test-name-pattern runs the hooks of every suite and counts what it leaves out as skipped.

const path = require('node:path');
const node = require('node:test');

const ONLY = process.env.ONLY ? new RegExp(process.env.ONLY, 'i') : undefined;

/** The names of the suites that are being described, outermost first. */
const names = [path.relative(path.join(__dirname, '..'), process.argv[1] ?? '')];

/** Whether the test of this name, in the suites around it, is to be run. */
const chosen = (name) => !ONLY || ONLY.test([...names, name].join(' > '));

/** What the innermost suite holds so far: hooks, tests and suites, to be handed to Node when a test of it is chosen. */
let entries = [];
let tests = 0;

const hook = (register) => (...args) => { entries.push(() => register(...args)); };
const test = (name, ...rest) => {
  if (!chosen(name)) return;
  ++tests;
  entries.push(() => node.test(name, ...rest));
};

function describe(name, ...rest) {
  const body = rest.pop();
  const outer = { entries, tests };
  [entries, tests] = [[], 0];
  names.push(name);
  body();
  names.pop();
  const inner = { entries, tests };
  entries = outer.entries;
  tests = outer.tests + inner.tests;
  if (inner.tests) entries.push(() => node.describe(name, ...rest, () => { for (const entry of inner.entries) entry(); }));
}

/** Hands over what is chosen once the file has been read; a file without any would count as a test that passed. */
function register() {
  if (tests) for (const entry of entries) entry();
  else node.describe(`nothing in ${names[0]} matches ${ONLY}`, () => {});
}

if (!ONLY) {
  module.exports = { ...node, test: node.test, chosen };
} else {
  setImmediate(register);
  module.exports = { after: hook(node.after), afterEach: hook(node.afterEach), before: hook(node.before), beforeEach: hook(node.beforeEach),
    chosen, describe, it: test, test };
}
