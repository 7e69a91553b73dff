'use strict';
// make picture, or node tests/picture/make.js [FILE]: takes the picture at the top of README.md anew, and writes it to
// FILE (default: page.png beside this script). It is the page at "/" of the demo, in Chromium without a window: a session
// that began over polling, its upgrade to WebSocket, some pings and strings, and one packet taken apart.
//
//   SIO_DEMO_BINARY=/path/to/program   the demo (default: sio_demo at the top of the repository)
//   SIO_CHROMIUM=/path/to/program      the browser, as in tests/e2e/browser/chromium.js
//
// Ids, times and random strings are others each time; what is on it, and where, is not.

const fs = require('node:fs');
const path = require('node:path');
const { cleanUp, startServer } = require('../e2e/common/harness');
const { Tab, launch } = require('../e2e/browser/chromium');

const WIDTH = 1000;           // CSS pixels: just wide enough for two columns, and little more than README.md is shown with
const SCALE = 1.2;            // of the picture's pixels, so that small text stays sharp
const MARGIN = 12;            // of the page around what is in the picture
const CHOSEN = '43/demo,1[';  // the packet that is taken apart: the answer to the first ping
const PINGS = 8;
const STRINGS = 3;
const MOST_BYTES = 150_000;   // README.md is read over slow networks, too

/** Waits until the page says that its upgrade is done, then does what a visitor would. */
async function visit(tab) {
  await tab.until(() => /over WebSocket/.test(document.getElementById('status').textContent), 'the page to reach WebSocket');
  for (let i = 1; i <= PINGS; ++i) {
    await tab.page.click('#ping');
    await tab.until((count) => document.querySelectorAll('#plot circle').length === count, `the answer to ping ${i}`, i);
  }
  await tab.until((count) => document.querySelectorAll('#strings li:not(.soft)').length >= count, `${STRINGS} random strings`, STRINGS);
}

/** Chooses the first packet whose text begins so: it is marked, and taken apart beside the diagram. */
const choose = (tab, beginning) => tab.until((text) => {
  const button = [...document.querySelectorAll('#packets button')].find((one) => one.querySelector('code').textContent.startsWith(text));
  button?.click();
  return button;
}, `a packet that begins with ${beginning}`, beginning);

/** Makes the diagram as high as the explanation beside it, and scrolls to where polling ends and WebSocket begins. */
async function frame(tab, rowsBefore) {
  const [diagram, explanation] = await tab.run(() => ['.diagram', '#explanation'].map((card) => document.querySelector(card).offsetHeight));
  await resize(tab, tab.page.viewport().height + explanation - diagram);
  return tab.run((count, margin) => {
    let first = document.querySelector('#packets .upgrade');
    for (let i = 0; i < count; ++i) first = first.previousElementSibling;
    document.activeElement.blur();
    document.getElementById('scroll').scrollTop += first.getBoundingClientRect().top - document.querySelector('.actors').getBoundingClientRect().bottom;
    const { top, bottom } = document.querySelector('.diagram').getBoundingClientRect();
    return { x: 0, y: Math.round(top) - margin, width: innerWidth, height: Math.round(bottom - top) + 2 * margin };
  }, rowsBefore, MARGIN);
}

const resize = (tab, height) => tab.page.setViewport({ width: WIDTH, height: Math.round(height), deviceScaleFactor: SCALE });

/** What the picture must have on it, in so far as a program can tell. */
const check = (tab) => tab.run(() => {
  const window = document.getElementById('scroll').getBoundingClientRect(), title = document.querySelector('.actors').getBoundingClientRect();
  const seen = (element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return top >= title.bottom - 1 && bottom <= window.bottom + 1;
  };
  const { left, right } = document.querySelector('.diagram').getBoundingClientRect();
  if (right - left > innerWidth * 0.7) return 'the page has one column, not two';
  if (!seen(document.querySelector('#packets .upgrade'))) return 'the upgrade is outside';
  if (!seen(document.querySelector('#packets [aria-current]'))) return 'the chosen packet is outside';
  for (const [transport, least] of [['polling', 1], ['websocket', 4]]) {
    const count = [...document.querySelectorAll(`#packets .${transport}`)].filter(seen).length;
    if (count < least) return `of the packets over ${transport} it shows ${count}, not ${least} or more`;
  }
  return '';
});

async function main(file) {
  const browser = await launch();
  try {
    const server = await startServer({ flags: ['--random-string-interval', '0.5..0.6'] });
    const tab = await Tab.open(browser, server.url, { width: WIDTH });
    await resize(tab, 800);
    await visit(tab);
    await choose(tab, CHOSEN);
    const clip = await frame(tab, 5);
    const wrong = await check(tab);
    if (wrong) throw new Error(`the picture would not show what README.md says of it: ${wrong}; is the page another one than this script knows?`);
    const picture = await tab.page.screenshot({ type: 'png', clip });
    if (picture.length > MOST_BYTES) throw new Error(`the picture has ${picture.length} bytes, more than ${MOST_BYTES}: make SCALE smaller`);
    fs.writeFileSync(file, picture);
    console.log(`${path.relative(process.cwd(), file)}: ${picture.length} bytes`);
    await tab.close();
  } finally {
    await browser.close();
    await cleanUp();
  }
}

main(path.resolve(process.argv[2] ?? path.join(__dirname, 'page.png'))).catch((error) => {
  console.error(`could not take the picture: ${error.message}`);
  process.exitCode = 1;
});
