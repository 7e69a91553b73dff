'use strict';
// The demo as curl sees it: handshake, a session by hand, and the exact bodies of refusals. Health and CORS: demo/http.test.js.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { after, afterEach, before, describe, it } = require('../common/test');
const { TIMEOUT, cleanUp, closeClients, startServer } = require('../common/harness');

/** Runs curl and returns {status, headers, body}; `headers` has lower-case names. */
function curl(...args) {
  return new Promise((resolve, reject) => {
    const all = ['--silent', '--show-error', '--include', '--max-time', String(TIMEOUT / 1000), '--noproxy', '*', ...args];
    execFile('curl', all, { encoding: 'utf8' }, (error, stdout, stderr) => {
      if (error?.code === 'ENOENT') return reject(new Error('curl is not installed; these tests need it'));
      if (error) return reject(new Error(`curl ${all.join(' ')} failed: ${stderr}`));
      const end = stdout.indexOf('\r\n\r\n');
      const [statusLine, ...lines] = stdout.slice(0, end).split('\r\n');
      const headers = Object.fromEntries(lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }));
      resolve({ statusLine, status: Number(statusLine.split(' ')[1]), headers, body: stdout.slice(end + 4) });
    });
  });
}

describe('curl', () => {
  let server;
  let engine;
  before(async () => {
    server = await startServer();
    engine = `${server.url}/socket.io/`;
  });
  afterEach(closeClients);
  after(cleanUp);

  it('gets the handshake', async () => {
    const { statusLine, headers, body } = await curl(`${engine}?EIO=4&transport=polling`);
    assert.equal(statusLine, 'HTTP/1.1 200 OK');
    assert.equal(headers['content-type'], 'text/plain; charset=UTF-8');
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(Number(headers['content-length']), body.length);
    assert.match(body, /^0\{"sid":"[A-Za-z0-9_-]{20}","upgrades":\["websocket"\],"pingInterval":25000,"pingTimeout":60000,"maxPayload":1000000\}$/);
  });

  it('plays a whole session by hand', async () => {
    const { body: open } = await curl(`${engine}?EIO=4&transport=polling`);
    const session = `${engine}?EIO=4&transport=polling&sid=${JSON.parse(open.slice(1)).sid}`;
    const joined = await curl('--data-binary', '40/demo,', session);
    assert.deepEqual([joined.status, joined.headers['content-type'], joined.body], [200, 'text/html', 'ok']);
    let text = '';
    const receive = async (wanted) => {
      while (!wanted.test(text)) text += `\x1e${(await curl(session)).body}`;
      return text.match(wanted);
    };
    await receive(/\x1e40\/demo,\{"sid":"[A-Za-z0-9_-]{20}"\}/);
    await receive(/\x1e42\/demo,\["connectionStatus","connected"\]/);
    assert.equal((await curl('--data-binary', '42/demo,17["ping"]', session)).body, 'ok');
    await receive(/\x1e43\/demo,17\[\{"status":"ok","timestamp":\d+,"serverTime":\d+\}\]/);
    assert.equal((await curl('--data-binary', '41/demo,\x1e1', session)).body, 'ok');
    const after = await curl(session);
    assert.deepEqual([after.status, after.body], [400, '{"code":1,"message":"Session ID unknown"}']);
  });

  describe('gets the error bodies', () => {
    const refusal = async (code, message, ...args) => {
      const { statusLine, headers, body } = await curl(...args);
      assert.equal(statusLine, 'HTTP/1.1 400 Bad Request');
      assert.equal(headers['content-type'], 'application/json');
      assert.equal(body, `{"code":${code},"message":"${message}"}`);
    };

    it('0: an unknown transport, or none', async () => {
      await refusal(0, 'Transport unknown', `${engine}?EIO=4&transport=pigeon`);
      await refusal(0, 'Transport unknown', `${engine}?EIO=4`);
      await refusal(0, 'Transport unknown', `${engine}?EIO=4&transport=webtransport`);
    });

    it('1: an unknown session', async () => {
      await refusal(1, 'Session ID unknown', `${engine}?EIO=4&transport=polling&sid=unknown`);
      await refusal(1, 'Session ID unknown', '--data-binary', '40', `${engine}?EIO=4&transport=polling&sid=unknown`);
    });

    it('2: a handshake that is no GET', async () => {
      for (const method of ['POST', 'PUT', 'DELETE']) {
        await refusal(2, 'Bad handshake method', '-X', method, `${engine}?EIO=4&transport=polling`);
      }
    });

    it('3: a WebSocket without upgrade, and a session of another transport or revision', async () => {
      await refusal(3, 'Bad request', `${engine}?EIO=4&transport=websocket`);
      const { body } = await curl(`${engine}?EIO=4&transport=polling`);
      const { sid } = JSON.parse(body.slice(1));
      await refusal(3, 'Bad request', `${engine}?EIO=4&transport=websocket&sid=${sid}`);
      await refusal(3, 'Bad request', `${engine}?EIO=3&transport=polling&sid=${sid}`);
      await refusal(3, 'Bad request', `${engine}?transport=polling&sid=${sid}`);
      assert.equal((await curl('--data-binary', '40/demo,', `${engine}?EIO=4&transport=polling&sid=${sid}`)).body, 'ok', 'the session is unharmed');
    });

    // 4, "Forbidden", is the answer of an admission hook, which the demo does not have.

    it('5: an older revision of the protocol, or none', async () => {
      await refusal(5, 'Unsupported protocol version', `${engine}?EIO=3&transport=polling`);
      await refusal(5, 'Unsupported protocol version', `${engine}?EIO=04&transport=polling`);
      await refusal(5, 'Unsupported protocol version', `${engine}?transport=polling`);
    });
  });

  it('gets a HEAD answered without a body', async () => {
    assert.equal((await curl('--head', `${engine}?EIO=4&transport=polling`)).body, '');
  });
});
