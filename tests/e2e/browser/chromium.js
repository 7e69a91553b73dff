'use strict';
// What the tests in a real browser need: Chromium without a window, pages that fail a test by whatever goes wrong in
// them, small servers of other origins, and a network that can be cut.
//
//   SIO_CHROMIUM=/path/to/program     the browser (default: chromium, chromium-browser or google-chrome of the PATH)

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const puppeteer = require('puppeteer-core');
const { TIMEOUT, onCleanUp, until } = require('../common/harness');

/** Who leaves over polling may have just begun another GET; the server has forgotten the session when it arrives. */
const LATE = /status of 400 \(Bad Request\)/;

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

function chromium() {
  if (process.env.SIO_CHROMIUM) return process.env.SIO_CHROMIUM;
  const folders = (process.env.PATH || '').split(path.delimiter);
  const found = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name))).find((file) => fs.existsSync(file));
  assert.ok(found, `none of ${NAMES.join(', ')} is in the PATH; tests/setup test installs one`);
  return found;
}

/** Chromium; its sandbox does not work for root, and small machines have a small /dev/shm. */
const launch = () => puppeteer.launch({
  executablePath: chromium(),
  args: ['--disable-dev-shm-usage', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
  protocolTimeout: 6 * TIMEOUT,
  timeout: 3 * TIMEOUT,
});

/** A page with a storage of its own. What goes wrong in it is kept, and `close` throws it, unless it was expected. */
class Tab {
  static async open(browser, url, { width = 1280, height = 900, scheme = 'light' } = {}) {
    const tab = new Tab();
    tab.context = await browser.createBrowserContext();
    tab.page = await tab.context.newPage();
    tab.problems = [];
    tab.expected = [];
    tab.page.on('error', (error) => tab.problems.push(`crash: ${error.message}`));
    tab.page.on('pageerror', (error) => tab.problems.push(`uncaught: ${error.message}`));
    tab.page.on('console', (message) => {
      if (['error', 'warn'].includes(message.type())) tab.problems.push(`console: ${message.text()}`);
    });
    await tab.page.setViewport({ width, height });
    await tab.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    await tab.page.goto(url, { timeout: 3 * TIMEOUT });
    return tab;
  }

  /** These console messages are what the test is about: requests that the browser refuses, servers that are gone. */
  expect(...patterns) { this.expected.push(...patterns); }

  run(action, ...args) { return this.page.evaluate(action, ...args); }

  /** Waits until `condition`, run in the page, returns something true, and returns that. */
  async until(condition, what, ...args) {
    try {
      return await until(() => this.run(condition, ...args), what);
    } catch (error) {
      const text = await this.run(() => document.body.innerText).catch(() => '(it does not answer)');
      throw new Error(`${error.message}\n  the page shows: ${text.slice(0, 1500)}\n  ${this.problems.join('\n  ')}`);
    }
  }

  async close() {
    await this.context.close();
    const unexpected = this.problems.filter((problem) => !this.expected.some((pattern) => pattern.test(problem)));
    assert.deepEqual(unexpected, [], 'what went wrong in the page');
  }
}

/** Listens on a free port of 127.0.0.1 until the test is cleaned up. */
async function listen(server) {
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  onCleanUp(() => { server.close(); for (const socket of sockets) socket.destroy(); });
  server.sockets = sockets;
  server.url = `http://127.0.0.1:${server.address().port}`;
  return server;
}

/** Joins two sockets; when one ends, so does the other. */
function join(one, other) {
  for (const [from, to] of [[one, other], [other, one]]) {
    from.pipe(to);
    from.on('error', () => {});
    from.once('close', () => to.destroy());
  }
}

/** A reverse proxy's answer: the request as it came, with another target, to 127.0.0.1:`port`. */
function forward(request, response, port, target) {
  const outgoing = http.request({ host: '127.0.0.1', port, method: request.method, path: target, headers: request.headers, agent: false }, (incoming) => {
    response.writeHead(incoming.statusCode, incoming.rawHeaders);
    incoming.on('error', () => {}).pipe(response);
  });
  outgoing.on('error', () => response.destroy());
  response.once('close', () => outgoing.destroy());
  request.pipe(outgoing);
}

/** The same for a WebSocket's handshake and all that follows. */
function forwardUpgrade(request, socket, head, port, target) {
  const upstream = net.connect(port, '127.0.0.1', () => {
    let lines = `${request.method} ${target} HTTP/1.1\r\n`;
    for (let i = 0; i < request.rawHeaders.length; i += 2) lines += `${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}\r\n`;
    upstream.write(`${lines}\r\n`);
    upstream.write(head);
    join(socket, upstream);
  });
  upstream.once('error', () => socket.destroy());
}

/** A TCP proxy before `port`: `cut()` ends what passes through it and lets nothing new through until `mend()`. */
async function cuttable(port) {
  let whole = true;
  const proxy = await listen(net.createServer((socket) => {
    if (!whole) return socket.resetAndDestroy();
    join(socket, net.connect(port, '127.0.0.1'));
  }));
  proxy.cut = () => { whole = false; for (const socket of proxy.sockets) socket.destroy(); };
  proxy.mend = () => { whole = true; };
  return proxy;
}

module.exports = { LATE, Tab, cuttable, forward, forwardUpgrade, launch, listen };
