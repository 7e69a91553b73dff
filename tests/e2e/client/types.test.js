'use strict';
// The TypeScript interfaces that the demo and types.cpp print, judged by the official compiler with the official client's
// types: a right client compiles, each wrong one does not, for the reason it has; and a right one is right when it runs.
//
//   SIO_TYPES_BINARY=path     default build/types

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, it } = require('../common/test');
const { TIMEOUT, notForOfficial, run: runDemo, until } = require('../common/harness');
const { run } = require('../cluster/cluster');

const BINARY = path.resolve(__dirname, process.env.SIO_TYPES_BINARY || '../../../build/types');
const COMPILER = require.resolve('typescript/bin/tsc');
const CLIENT = `import { io, type Socket } from "socket.io-client";
import type { ServerToClientEvents, ClientToServerEvents } from "./events";
declare const url: string;
const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io(url);
`;
const TREE = '{ name: "oak", evergreen: false, children: [], colours: { leaf: "green" }, size: [1, 2], label: [7, "x"], rings: [1, null], notes: { any: ["thing"] } }';

describe('the events in TypeScript', { skip: notForOfficial('it prints no types') }, () => {
  let folder;
  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sio-types-'));
    fs.symlinkSync(path.join(__dirname, '..', 'node_modules'), path.join(folder, 'node_modules'));
  });
  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  /** Compiles clients beside the events: {name of the client: what the compiler says of it}, in one run of the compiler. */
  function compile(events, clients) {
    fs.writeFileSync(path.join(folder, 'events.d.ts'), events);
    for (const [name, source] of Object.entries(clients)) fs.writeFileSync(path.join(folder, `${name}.ts`), CLIENT + source);
    const files = Object.keys(clients).map((name) => `${name}.ts`);
    const compilerOptions = { strict: true, noEmit: true, target: 'es2022', lib: ['es2022', 'dom'], module: 'nodenext', types: [], skipLibCheck: true };
    fs.writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['events.d.ts', ...files] }));
    let said = '';
    try {
      execFileSync(process.execPath, [COMPILER, '--project', '.'], { cwd: folder, encoding: 'utf8' });
    } catch (error) {
      said = error.stdout;
    }
    const lines = said.split('\n').filter((line) => /^\S/.test(line));
    assert.deepEqual(lines.filter((line) => !files.some((file) => line.startsWith(file))), [], 'only clients are to blame');
    return Object.fromEntries(Object.keys(clients).map((name) => [name, lines.filter((line) => line.startsWith(`${name}.ts`)).join('\n')]));
  }

  function judge(events, right, wrong) {
    const said = compile(events, { right, ...Object.fromEntries(Object.entries(wrong).map(([name, [source]]) => [name, source])) });
    assert.equal(said.right, '');
    for (const [name, [source, why]] of Object.entries(wrong)) assert.match(said[name], why, `${source} should not compile`);
  }

  it('of the demo compile with right clients and refuse wrong ones', async () => {
    const { code, stdout } = await runDemo(['--print-types']);
    assert.equal(code, 0);
    judge(`${stdout}\n`, `
      socket.on("randomString", ({ value, timestamp }) => { const text: string = value; const time: number = timestamp; });
      socket.on("connectionStatus", (status) => { const known: "connected" | "disconnected" = status; });
      socket.on("error", (problem) => { const code: string | null | undefined = problem.code; });
      socket.emit("ping", (answer) => { const time: number = answer.serverTime; });
      async function ask() { return (await socket.timeout(1000).emitWithAck("ping")).status.length; }`, {
      wrong_event: ['socket.on("randomStrings", () => {});', /TS2345/],
      wrong_direction: ['socket.emit("randomString", { value: "", timestamp: 1 });', /TS2345/],
      wrong_status: ['socket.on("connectionStatus", (status) => { if (status === "confused") return; });', /TS2367/],
      no_such_field: ['socket.on("randomString", (string) => string.text);', /TS2339.*'text'/],
      argument_too_many: ['socket.emit("ping", 1, () => {});', /TS2554|TS2345/],
      no_ack: ['socket.emit("ping");', /TS2554/],
      wrong_answer: ['socket.emit("ping", (answer: string) => {});', /TS2345/],
    });
  });

  it('of every kind of type compile with right clients and refuse wrong ones', () => {
    judge(execFileSync(BINARY, ['--print-types'], { encoding: 'utf8' }), `
      socket.on("planted", (tree, point) => {
        const names: string[] = [tree.name, ...tree.children.map((child) => child.name)];
        const bed: number = point.bed;
        const x: number = tree.at?.x ?? 0;
        const colour: "red" | "green" | undefined = tree.colours["leaf"];
        const [width, height]: [number, number] = tree.size;
        const ring: number | null | undefined = tree.rings[0];
        if (typeof tree.notes === "string") tree.notes.length;
      });
      socket.on("photo?", (colour, answer) => answer(new Uint8Array(colour.length)));
      socket.emit("plant", ${TREE}, null, (tree) => tree.label[1].length);
      socket.emit("plant", { ...${TREE} as const, rings: [], size: [1, 2], label: [1, ""], children: [], at: { x: 1, y: 2 } }, 7, () => {});
      socket.emit("paint", "red");
      socket.emit("paint", "green", "all over");
      socket.emit("send photo", new ArrayBuffer(3), (size) => size + 1);
      socket.emit("measure", [1.5, 2], ["a"], (bytes) => bytes.byteLength);`, {
      wrong_pair: ['socket.emit("measure", [1.5], [], () => {});', /TS2345/],
      wrong_set: ['socket.emit("measure", [1.5, 2], [3], () => {});', /TS2322|TS2345/],
      wrong_colour: ['socket.emit("paint", "blue");', /TS2345.*"blue"/],
      missing_field: [`const { name, ...nameless } = ${TREE} as const; socket.emit("plant", nameless as any as Omit<Parameters<ClientToServerEvents["plant"]>[0], "name">, null, () => {});`, /TS2345/],
      wrong_kind: ['socket.emit("paint", "red", 7);', /TS2345/],
      wrong_size: [`socket.emit("plant", { ...${TREE}, size: [1, 2, 3] }, null, () => {});`, /TS2322|TS2345/],
      wrong_map: [`socket.emit("plant", { ...${TREE}, colours: { leaf: "blue" } }, null, () => {});`, /TS2322|TS2345/],
      wrong_binary: ['socket.emit("send photo", "abc", () => {});', /TS2345/],
      wrong_ack_answer: ['socket.on("photo?", (colour, answer) => answer("abc"));', /TS2345/],
      unknown_is_not_any: ['socket.on("planted", (tree) => tree.notes.length);', /TS18046|TS2339/],
    });
  });

  it('describe the values that are sent', async () => {
    const server = run(BINARY, []);
    try {
      await until(() => server.exit !== undefined || /listening \d+/.test(server.output), 'waiting for build/types to listen');
      const { io } = require('socket.io-client');
      const socket = io(`http://127.0.0.1:${/listening (\d+)/.exec(server.output)[1]}`, { forceNew: true, reconnection: false });
      const tree = { name: 'oak', evergreen: false, children: [], colours: { leaf: 'green' }, size: [1, 2], label: [7, 'x'], rings: [1, null], notes: { any: ['thing'] } };
      const planted = new Promise((resolve) => socket.once('planted', (...values) => resolve(values)));
      assert.deepEqual(await socket.timeout(TIMEOUT).emitWithAck('plant', tree, null), tree);
      assert.deepEqual(await planted, [tree, { bed: 0 }]);
      assert.equal(await socket.timeout(TIMEOUT).emitWithAck('send photo', Buffer.from([1, 2, 3])), 3);
      const { error } = await socket.timeout(TIMEOUT).emitWithAck('plant', { ...tree, size: [1] }, null);
      assert.equal(error.code, 'INVALID_PAYLOAD');
      const measure = (...values) => socket.timeout(TIMEOUT).emitWithAck('measure', ...values);
      assert.deepEqual(await measure([1.5, 7], ['a', 'b', 'a']), Buffer.from([7, 7]));
      assert.deepEqual(await measure([1.5, 7], []), { error: { message: 'nothing to measure', code: 'EMPTY', event: 'measure' } });
      for (const number of [3.9, 1e300, -2147483649, '7', null]) assert.equal((await measure([1, number], [])).error.path, '/0/1');
      const refused = new Promise((resolve) => socket.once('error', resolve));
      socket.emit('paint', 'red', 'the roof');
      assert.deepEqual(await refused, { message: 'not the roof', code: 'NO_PAINT', event: 'paint', data: { left: 'red' } });
      socket.disconnect();
    } finally {
      await server.end('SIGKILL');
    }
  });
});
