'use strict';
// The page at "/" of the demo, in a real browser: what it draws, what it explains, how it is used.

const assert = require('node:assert/strict');
const http = require('node:http');
const { after, afterEach, before, describe, it } = require('../common/test');
const { cleanUp, connectionsAre, request, startServer } = require('../common/harness');
const { LATE, Tab, forward, forwardUpgrade, launch, listen } = require('./chromium');

const GONE = [/ERR_CONNECTION_REFUSED/, /ERR_CONNECTION_RESET/, /ERR_EMPTY_RESPONSE/, /WebSocket connection to .* failed/];
const OVER_WEBSOCKET = /^connected over WebSocket, socket [\w-]{20}$/;

let browser;
const tabs = new Set();

async function open(url, options) {
  const tab = await Tab.open(browser, url, options);
  tabs.add(tab);
  return tab;
}
async function closeTabs() {
  const closing = [...tabs].map((tab) => tab.close());
  tabs.clear();
  await Promise.allSettled(closing);
  await Promise.all(closing);
}

/** Waits until the text of an element fits, and returns the text. */
const says = (tab, id, pattern) => tab.until((element, source) => {
  const { textContent } = document.getElementById(element);
  return new RegExp(source).test(textContent) && textContent;
}, `#${id} to say ${pattern}`, id, pattern.source);

/** A page whose connection has reached its last transport. */
async function connected(url, options) {
  const tab = await open(url, options);
  await says(tab, 'status', OVER_WEBSOCKET);
  return tab;
}

/** The diagram's rows, oldest first: {css, text}. */
const rows = (tab) => tab.run(() => [...document.querySelectorAll('#packets > li')].map((row) => ({
  css: row.className, text: (row.querySelector('code') ?? row.querySelector('.lane')).textContent,
})));

/** Chooses the first packet whose text begins so, and returns what the page says of it. */
async function explained(tab, beginning) {
  await tab.until((text) => {
    const button = [...document.querySelectorAll('#packets button')].find((b) => b.querySelector('code').textContent.startsWith(text));
    button?.click();
    return button;
  }, `a packet that begins with ${beginning}`, beginning);
  return tab.run(() => {
    const texts = (selector) => [...document.querySelectorAll(`#explanation ${selector}`)].map((e) => e.textContent);
    return { title: texts('h2')[0], raw: texts('pre')[0], parts: texts('dt'), says: texts('dd'), why: texts('.why')[0], where: texts('.section')[0] };
  });
}

async function send(tab, text) {
  await tab.run((packet) => { document.getElementById('raw').value = packet; }, text);
  await tab.page.click('#raw-form button');
}

before(async () => { browser = await launch(); });
afterEach(closeTabs);
after(async () => { await browser?.close(); await cleanUp(); });

describe('the page', () => {
  let server;
  // A short heartbeat: a page that was closed between two of its polls is noticed by nothing else.
  before(async () => {
    server = await startServer({ flags: ['--random-string-interval', '0.2..0.4', '--max-connections-per-ip', '50', '--ping-interval', '2000', '--ping-timeout', '6000'] });
  });

  it('needs no other file, and its policy allows none', async () => {
    const answer = await request(`${server.url}/`);
    const again = await request(`${server.url}/?again`);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    assert.equal(answer.headers['referrer-policy'], 'no-referrer');
    assert.equal(answer.headers['cache-control'], 'no-store');
    const policyOf = ({ headers }) => new Map(headers['content-security-policy'].split('; ').map((d) => [d.slice(0, d.indexOf(' ')), d.slice(d.indexOf(' ') + 1)]));
    const policy = policyOf(answer);
    const host = server.url.replace('http://', '');
    assert.equal(policy.get('default-src'), "'none'");
    assert.match(policy.get('script-src'), /^'nonce-[\w-]{20}'$/);
    assert.equal(policy.get('style-src'), policy.get('script-src'));
    assert.notEqual(policy.get('script-src'), policyOf(again).get('script-src'));
    assert.equal(policy.get('connect-src'), `'self' ws://${host} wss://${host}`);
    for (const name of ['base-uri', 'form-action', 'frame-ancestors']) assert.equal(policy.get(name), "'none'", name);
    const nonce = policy.get('script-src').slice(7, -1);
    for (const [tag] of answer.body.matchAll(/<(?:script|style)[^>]*>/g)) assert.ok(tag.includes(`nonce="${nonce}"`), tag);
    assert.doesNotMatch(answer.body, /\b(?:src|href|srcset|action)="(?!data:|#)|@import|\burl\(["']?[\w/]+[.:/]|\bimport\(/, 'it fetches something else');
    assert.doesNotMatch(answer.body, /\{\{/);
  });

  it('puts nothing but a host from the Host header into its policy', async () => {
    const policyFor = async (host) => (await request(`${server.url}/`, { headers: { Host: host } })).headers['content-security-policy'];
    assert.match(await policyFor('a.example:1'), /connect-src 'self' ws:\/\/a\.example:1 wss:\/\/a\.example:1;/);
    assert.match(await policyFor('a.example;script-src'), /connect-src 'self';/);
  });

  it('connects over polling, upgrades, and draws how', async () => {
    const tab = await connected(`${server.url}/`);
    const drawn = await rows(tab);
    const at = (css, text) => {
      const found = drawn.findIndex((row) => row.css === css && row.text.startsWith(text));
      assert.notEqual(found, -1, `no ${css} row "${text}" in ${JSON.stringify(drawn)}`);
      return found;
    };
    const steps = [
      at('out http', 'GET /socket.io/?EIO=4&transport=polling'), at('in polling', '0{"sid":'), at('out polling', '40/demo,'),
      at('out websocket', '2probe'), at('in websocket', '3probe'), at('out websocket', '5'), at('bar upgrade', 'Upgrade'),
    ];
    assert.deepEqual(steps, [...steps].sort((a, b) => a - b));
    assert.ok(at('in polling', '40/demo,{"sid":') > at('out polling', '40/demo,'));
    await tab.until(() => [...document.querySelectorAll('#packets .in.websocket code')].some((code) => code.textContent.startsWith('42/demo,["randomString"')), 'a string over WebSocket');
    const later = (await rows(tab)).slice(at('bar upgrade', 'Upgrade') + 1);
    assert.deepEqual(later.filter((row) => !row.css.endsWith(' websocket')), []);
  });

  for (const [mode, name] of [['polling', 'polling'], ['websocket', 'WebSocket']]) {
    it(`stays with ${name} if it is told so, pings there, and leaves`, async () => {
      const tab = await connected(`${server.url}/`);
      tab.expect(LATE);
      await tab.page.click('#clear');
      await tab.page.click(`input[value=${mode}]`);
      await tab.until((text) => document.getElementById('status').textContent.startsWith(`connected over ${text}`)
        && document.querySelector('#packets').textContent.includes('randomString'), 'a connection and a string', name);
      await tab.page.click('#ping');
      await says(tab, 'times', /^last/);
      const packets = (await rows(tab)).filter((row) => /polling|websocket/.test(row.css));
      const begun = packets.findIndex((row) => row.text.startsWith('0{'));
      assert.ok(packets.slice(begun).every((row) => row.css.endsWith(mode)), JSON.stringify(packets));
      await tab.page.click('#connection');
      await says(tab, 'status', /^not connected: we left$/);
      await connectionsAre(server, 0);
      await tab.page.click('#connection');
      await says(tab, 'status', /^connected/);
    });
  }

  it('has one connection, however fast its transport is changed', async () => {
    const tab = await connected(`${server.url}/`);
    tab.expect(LATE, /WebSocket is closed before the connection is established/);
    await tab.run(() => { for (const mode of ['polling', 'websocket', 'upgrade', 'polling', 'websocket']) document.querySelector(`input[value=${mode}]`).click(); });
    await says(tab, 'status', OVER_WEBSOCKET);
    await connectionsAre(server, 1);
    await tab.run(() => { for (let i = 0; i < 7; ++i) document.getElementById('connection').click(); });
    await connectionsAre(server, 0);
  });

  it('shows the source of its client', async () => {
    const tab = await connected(`${server.url}/`);
    await tab.page.click('summary');
    assert.match(await tab.run(() => document.getElementById('source').innerText), /^"use strict";\n\/\/ A Socket\.IO client with fetch and WebSocket only[^]*class Connection[^]*\}$/);
  });

  it('pings, and plots the round trips with their numbers', async () => {
    const tab = await connected(`${server.url}/`);
    for (let i = 1; i <= 3; ++i) {
      await tab.page.click('#ping');
      await tab.until((count) => document.querySelectorAll('#plot circle').length === count, `${i} points`, i);
    }
    const { label, points, text } = await tab.run(() => ({
      label: document.getElementById('plot').getAttribute('aria-label'),
      points: document.querySelector('#plot polyline').getAttribute('points').split(' ').length,
      text: document.getElementById('times').textContent,
    }));
    assert.equal(points, 3);
    assert.match(text, /^last \d+\.\d ms, median \d+\.\d ms, largest \d+\.\d ms$/);
    assert.equal(label, `Round-trip times of the last 3 pings: ${text}`);
  });

  it('shows the random strings as they come, the newest first, and forgets old ones', async () => {
    const tab = await connected(`${server.url}/`);
    await tab.until(() => (window.heard ??= new Set()) && document.querySelectorAll('#strings span').forEach((s) => window.heard.add(s.textContent)) === undefined
      && window.heard.size >= 8, 'eight strings');
    const strings = await tab.run(() => [...document.querySelectorAll('#strings span')].map((s) => s.textContent));
    assert.equal(strings.length, 6);
    for (const string of strings) assert.match(string, /^[A-Za-z0-9]{10}$/);
    const received = (await rows(tab)).filter((row) => row.text.startsWith('42/demo,["randomString"')).map((row) => JSON.parse(row.text.slice(8))[1].value);
    assert.deepEqual(strings.filter((string) => !received.includes(string)), []);
  });

  it('takes a packet apart and says what its layers are', async () => {
    const tab = await connected(`${server.url}/`);
    await tab.page.click('#ping');
    await says(tab, 'times', /^last/);

    const event = await explained(tab, '42/demo,1["ping"]');
    assert.equal(event.title, 'EVENT, browser to server, over WebSocket');
    assert.deepEqual(event.parts, ['4', '2', '/demo,', '1', '["ping"]']);
    assert.match(event.says.join('\n'), /^Engine\.IO packet type: message.*\nSocket\.IO packet type: EVENT.*\nNamespace: \/demo.*\nAck id: 1.*\nJSON payload: the event’s name, "ping", and no arguments\.$/);
    assert.match(event.where, /Socket\.IO protocol v5, “Acknowledgement”/);

    const handshake = await explained(tab, '0{');
    assert.equal(handshake.title, 'open, server to browser, over polling');
    assert.equal(handshake.parts.join(''), handshake.raw);
    assert.match(handshake.why, /sid names the session/);
    assert.match(handshake.where, /Engine\.IO protocol v4, “Handshake”/);

    assert.match((await explained(tab, '3probe')).why, /WebSocket works both ways/);
    assert.match((await explained(tab, '5')).why, /Polling is empty/);
    assert.match((await explained(tab, 'GET ')).title, /HTTP request: handshake/);
    assert.match((await explained(tab, '43/demo,1')).says[1], /ACK/);
  });

  it('sends a raw packet and shows what comes back, an answer or the end', async () => {
    const tab = await connected(`${server.url}/`);
    await send(tab, '42/demo,900["ping"]');
    await says(tab, 'answers', /43\/demo,900\[\{"status":"ok","timestamp":\d+,"serverTime":\d+\}\]/);
    await send(tab, '40/nowhere,');
    await says(tab, 'answers', /44\/nowhere,\{"message":"Invalid namespace"\}/);
    await send(tab, '2');
    await says(tab, 'answers', /closed: the WebSocket closed, code \d+/);
    await says(tab, 'status', OVER_WEBSOCKET);  // it comes back by itself
  });

  it('treats what comes from the wire as text', async () => {
    const tab = await connected(`${server.url}/`);
    await send(tab, '42/demo,<img src=x onerror="window.injected=1">');
    await says(tab, 'status', /^lost/);
    await explained(tab, '42/demo,<img');
    assert.deepEqual(await tab.run(() => [document.querySelectorAll('img').length, 'injected' in window]), [0, false]);
  });

  it('runs no script that was put into it', async () => {
    const tab = await connected(`${server.url}/`);
    tab.expect(/Content Security Policy/, /TrustedHTML|TrustedScript|trusted/i);
    const outcome = await tab.run(async () => {
      window.violations = [];
      document.addEventListener('securitypolicyviolation', (event) => window.violations.push(event.effectiveDirective));
      const attempt = (action) => { try { action(); } catch { /* refused already */ } };
      attempt(() => { document.body.insertAdjacentHTML('beforeend', '<b id="markup"></b>'); });
      attempt(() => { const s = document.createElement('script'); s.append('window.injected = 1'); document.body.append(s); });
      attempt(() => { const s = document.createElement('style'); s.append('body { display: none }'); document.body.append(s); });
      await fetch('http://127.0.0.1:1/').catch(() => {});
      return { injected: 'injected' in window, markup: document.getElementById('markup'), display: getComputedStyle(document.body).display };
    });
    assert.deepEqual(outcome, { injected: false, markup: null, display: 'block' });
    for (const directive of ['require-trusted-types-for', 'style-src-elem', 'connect-src']) {
      await tab.until((name) => window.violations.includes(name), `a violation of ${directive}`, directive);
    }
  });

  it('is light or dark as the system is, or as it is told, also the next time', async () => {
    const tab = await connected(`${server.url}/`, { scheme: 'dark' });
    const brightness = () => tab.run(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3).reduce((sum, c) => sum + Number(c), 0) / 3);
    assert.ok(await brightness() < 60);
    await tab.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'light' }]);
    assert.ok(await brightness() > 200);
    await tab.page.select('#theme', 'dark');
    assert.ok(await brightness() < 60);
    await tab.page.reload();
    await says(tab, 'status', OVER_WEBSOCKET);
    assert.ok(await brightness() < 60);
    await tab.page.select('#theme', 'light');
    assert.ok(await brightness() > 200);
  });

  for (const scheme of ['light', 'dark']) {
    it(`has contrast enough for all its text (${scheme})`, async () => {
      const tab = await connected(`${server.url}/`, { scheme });
      await says(tab, 'strings', /[A-Za-z0-9]{10}/);
      await tab.page.click('#ping');
      await says(tab, 'times', /^last/);
      await explained(tab, '42/demo,1["ping"]');
      const weak = await tab.run(() => {
        const channels = (color) => color.match(/[\d.]+/g).map(Number);
        const luminance = (color) => channels(color).slice(0, 3).map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
          .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
        const ground = (element) => {
          const { backgroundColor } = getComputedStyle(element);
          return channels(backgroundColor)[3] === 0 ? ground(element.parentElement) : backgroundColor;
        };
        const found = [];
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
          const element = walker.currentNode.parentElement;
          if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('svg, script, option')) continue;
          const [a, b] = [luminance(getComputedStyle(element).color), luminance(ground(element))].sort((x, y) => y - x);
          if ((a + 0.05) / (b + 0.05) < 4.5) found.push(`${walker.currentNode.data}: ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
        }
        return found;
      });
      assert.deepEqual(weak, []);
    });
  }

  it('is used by keyboard alone', async () => {
    const tab = await connected(`${server.url}/`);
    await says(tab, 'strings', /[A-Za-z0-9]{10}/);
    const { keyboard } = tab.page;
    const reached = async (selector) => {
      for (let i = 0; i < 40; ++i) {
        if (await tab.run((s) => document.activeElement.matches(s), selector)) return;
        await keyboard.press('Tab');
      }
      assert.fail(`Tab does not reach ${selector}`);
    };
    await reached('#packets button');
    await keyboard.press('Home');
    await keyboard.press('ArrowDown');
    await keyboard.press('ArrowDown');
    const focused = await tab.run(() => {
      const style = getComputedStyle(document.activeElement);
      const all = [...document.querySelectorAll('#packets button')];
      return { index: all.indexOf(document.activeElement), reachable: all.filter((b) => b.tabIndex === 0).length, outline: `${style.outlineStyle} ${style.outlineWidth}`, text: document.activeElement.textContent };
    });
    assert.deepEqual({ ...focused, text: '' }, { index: 2, reachable: 1, outline: 'solid 3px', text: '' });
    assert.match(focused.text, /server to browser, over polling.*open.*0\{"sid"/);
    await keyboard.press('Enter');
    await says(tab, 'explanation', /open, server to browser, over polling/);
    assert.equal(await tab.run(() => document.activeElement.getAttribute('aria-current')), 'true');
    await reached('#ping');
    await keyboard.press('Space');
    await says(tab, 'times', /^last/);
    await reached('#raw');
    await keyboard.press('Enter');
    await says(tab, 'answers', /43\/demo,900/);
    await tab.run(() => document.querySelector('input[value=upgrade]').focus());
    await keyboard.press('ArrowDown');
    await says(tab, 'status', /^connected over polling/);
  });

  it('has a name for each control, landmarks, a heading for each section', async () => {
    const tab = await connected(`${server.url}/`);
    const controls = [], roles = new Set();
    const visit = (node) => {
      roles.add(node.role);
      if (['button', 'textbox', 'combobox', 'radio', 'checkbox', 'link', 'image', 'img', 'region', 'list'].includes(node.role)) controls.push(node);
      for (const child of node.children ?? []) visit(child);
    };
    visit(await tab.page.accessibility.snapshot({ interestingOnly: false }));
    assert.deepEqual(controls.filter(({ name }) => !name?.trim()), []);
    const count = (role) => controls.filter((node) => node.role === role).length;
    assert.deepEqual([count('radio'), count('combobox'), count('textbox'), count('checkbox')], [3, 2, 1, 1]);
    for (const role of ['main', 'banner', 'contentinfo', 'region', 'status', 'heading']) assert.ok(roles.has(role), `no ${role} in ${[...roles]}`);
    assert.deepEqual(await tab.run(() => [document.documentElement.lang, document.querySelectorAll('h1').length, document.getElementById('status').getAttribute('aria-live')]), ['en', 1, 'polite']);
  });

  it('fits a screen of 360 pixels, whatever it shows', async () => {
    const tab = await connected(`${server.url}/`, { width: 360, height: 740 });
    await tab.page.click('#ping');
    await says(tab, 'times', /^last/);
    await send(tab, `42/demo,["${'w'.repeat(5000)}"]`);
    await explained(tab, '42/demo,["www');
    await send(tab, `40/${'n'.repeat(500)},`);
    await says(tab, 'answers', /44\/nnn/);
    await says(tab, 'strings', /[A-Za-z0-9]{10}/);
    const wide = await tab.run(() => [...document.querySelectorAll('body *')].filter((e) => e.checkVisibility() && !e.closest('.hidden, .skip, .label, pre, svg') && e.getBoundingClientRect().right > 360)
      .map((e) => `${e.tagName}.${e.className} to ${e.getBoundingClientRect().right}`));
    assert.deepEqual(wide, []);
    assert.equal(await tab.run(() => document.documentElement.scrollWidth), 360);
  });
});

describe('the page and the limits', () => {
  afterEach(cleanUp);

  it('reaches the limit of connections, and closes those that it opened', async () => {
    const server = await startServer();
    const tab = await connected(`${server.url}/`);
    await tab.page.click('#limit-connections');
    await says(tab, 'limits', /^9 more let in, the next one refused: Too many connections from this IP\n/);
    await connectionsAre(server, 1);
    assert.ok((await rows(tab)).some((row) => row.text === '44/demo,{"message":"Too many connections from this IP"}'));
    assert.match((await explained(tab, '44/demo,')).why, /a middleware said no/);
    await says(tab, 'status', OVER_WEBSOCKET);
  });

  it('reaches the limit of pings, and can connect again', async () => {
    const server = await startServer();
    const tab = await connected(`${server.url}/`);
    await tab.page.click('#ping');
    await says(tab, 'times', /^last/);
    await tab.page.click('#limit-pings');
    await says(tab, 'limits', /^Ping 101 ended this connection: Ping limit exceeded \(PING_LIMIT\)$/);
    await says(tab, 'status', /^not connected: Ping limit exceeded/);
    assert.match((await explained(tab, '42/demo,["error"')).says.at(-1), /"error", and 1 argument\.$/);
    await tab.page.click('#connection');
    await says(tab, 'status', OVER_WEBSOCKET);
    await tab.page.click('#ping');
    await says(tab, 'times', /^last/);
  });

  it('keeps the last 500 rows, and a place for the keyboard among them', async () => {
    const server = await startServer({ flags: ['--max-pings-per-client', '300'] });
    const tab = await connected(`${server.url}/`);
    await tab.run(() => { const first = document.querySelector('#packets button'); first.focus(); first.click(); });
    await tab.page.click('#limit-pings');
    await says(tab, 'limits', /^Ping 301 ended this connection/);
    const kept = await rows(tab);
    assert.equal(kept.length, 500);
    assert.match(kept.at(-1).text, /^Closed/);
    assert.equal(await tab.run(() => document.querySelectorAll('#packets button[tabindex="0"]').length), 1);
    assert.ok(await tab.run(() => document.querySelectorAll('#plot circle').length) <= 60);
  });
});

describe('the page and a server that ends', () => {
  afterEach(cleanUp);

  it('reconnects when the server is back', async () => {
    const server = await startServer();
    const { port } = server;
    const tab = await connected(`${server.url}/`);
    tab.expect(...GONE);
    const before = await says(tab, 'status', OVER_WEBSOCKET);
    await server.stop();
    await says(tab, 'status', /^lost \(.*\); attempt [2-9] in \d+\.\d s$/);
    await startServer({ port });
    const now = await says(tab, 'status', OVER_WEBSOCKET);
    assert.notEqual(now, before);
    await tab.page.click('#ping');
    await says(tab, 'times', /^last/);
  });
});

describe('the page with other paths, namespaces and transports', () => {
  afterEach(cleanUp);

  it('honours --path and --namespace', async () => {
    const server = await startServer({ flags: ['--path', '/x/socket.io/', '--namespace', '/chat', '--random-string-interval', '0.2..0.4'] });
    const tab = await connected(`${server.url}/`);
    await says(tab, 'strings', /[A-Za-z0-9]{10}/);
    assert.ok((await rows(tab)).some((row) => row.css === 'out polling' && row.text === '40/chat,'));
    assert.ok((await rows(tab)).some((row) => row.css === 'out http' && row.text.startsWith('GET /x/socket.io/?EIO=4')));
    await tab.page.click('#ping');
    await says(tab, 'times', /^last/);
  });

  it('speaks to the namespace "/", which has no name on the wire', async () => {
    const server = await startServer({ flags: ['--namespace', '/', '--path', '/engine'] });
    const tab = await connected(`${server.url}/`);
    assert.ok((await rows(tab)).some((row) => row.css === 'out polling' && row.text === '40'));
    await tab.page.click('#ping');
    await says(tab, 'times', /^last/);
    assert.deepEqual((await explained(tab, '421["ping"]')).parts, ['4', '2', '1', '["ping"]']);
  });

  it('treats any namespace as text', async () => {
    const server = await startServer({ flags: ['--namespace', '/</script><script>window.injected=1</script>'] });
    const tab = await connected(`${server.url}/`);
    assert.equal(await tab.run(() => 'injected' in window), false);
  });

  it('offers the transports that the server does', async () => {
    for (const [flags, checked, disabled, status] of [
      [['--websocket', 'off'], 'polling', ['upgrade', 'websocket'], /^connected over polling/],
      [['--polling', 'off'], 'websocket', ['upgrade', 'polling'], /^connected over WebSocket/],
      [['--allow-upgrades', 'off'], 'polling', ['upgrade'], /^connected over polling/],
    ]) {
      const server = await startServer({ flags });
      const tab = await open(`${server.url}/`);
      await says(tab, 'status', status);
      assert.deepEqual(await tab.run(() => [document.querySelector('input:checked').value, [...document.querySelectorAll('input[type=radio]:disabled')].map((e) => e.value)]), [checked, disabled]);
    }
  });

  it('works below a path prefix', async () => {
    const server = await startServer();
    const inside = (url) => url.replace(/^\/below\/here/, '');
    const proxy = await listen(http.createServer((incoming, response) => {
      if (!incoming.url.startsWith('/below/here/')) return response.writeHead(404).end();
      forward(incoming, response, server.port, inside(incoming.url));
    }).on('upgrade', (incoming, socket, head) => forwardUpgrade(incoming, socket, head, server.port, inside(incoming.url))));
    const tab = await connected(`${proxy.url}/below/here/`);
    await tab.page.click('#ping');
    await says(tab, 'times', /^last/);
  });

  it('is not served at "/" when another route has that path', async () => {
    const healthy = await startServer({ flags: ['--health-path', '/'] });
    assert.equal((await request(`${healthy.url}/`)).json.status, 'healthy');
    const engine = await startServer({ flags: ['--path', '/'] });
    assert.match((await request(`${engine.url}/?EIO=4&transport=polling`)).body, /^0\{"sid"/);
  });
});
