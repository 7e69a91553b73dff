'use strict';
// What README.md says of Caddy, with its configuration, taken from there: polling and WebSocket over TLS, with a certificate
// of Caddy's own authority instead of a public one. See behind_proxy.js.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, it } = require('../common/test');
const { freePort, until } = require('../common/harness');
const { run } = require('../cluster/cluster');
const { configuration, describeCluster, listening, replace, withUpstreams } = require('./behind_proxy');

/** Starts Caddy in the foreground; whatever it keeps, it keeps in a folder of its own. */
async function startCaddy(upstreams) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sio-caddy-'));
  const port = await freePort();
  const site = replace(configuration('caddyfile'), /^app\.example \{/gm, `https://localhost:${port} {\n    bind 127.0.0.1`);
  const global = `{\n    admin off\n    local_certs\n    skip_install_trust\n    auto_https disable_redirects\n    storage file_system ${folder}\n    log {\n        level WARN\n    }\n}\n`;
  fs.writeFileSync(path.join(folder, 'Caddyfile'), global + withUpstreams(site, upstreams));
  const caddy = run('caddy', ['run', '--adapter', 'caddyfile', '--config', path.join(folder, 'Caddyfile')], { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder });
  await listening(caddy, port);
  const authority = path.join(folder, 'pki/authorities/local/root.crt');
  await until(() => caddy.exit !== undefined || fs.existsSync(authority), 'waiting for the certificate of its authority');
  const ca = fs.readFileSync(authority);
  // It listens before it has the site's certificate, and refuses every handshake until then.
  await until(() => caddy.exit !== undefined || new Promise((resolve) => {
    https.get({ port, path: '/', ca, family: 4, agent: false }, (answer) => { answer.resume(); resolve(true); }).once('error', () => resolve(false));
  }), 'waiting for the certificate of its site');
  return {
    url: `https://localhost:${port}`,
    agent: (localAddress) => new https.Agent({ localAddress, ca, family: 4 }),
    get errors() { return caddy.errors; },
    stop: async () => {
      await caddy.end('SIGTERM');
      fs.rmSync(folder, { recursive: true, force: true });
      return caddy.exit;
    },
  };
}

describeCluster('Caddy', startCaddy);

describe('what a server sees of a request through Caddy', () => {
  const seen = [];
  const upstreams = [1, 2].map(() => http.createServer((request, response) => { seen.push(request); response.end(); }));
  let caddy;
  before(async () => {
    for (const server of upstreams) await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    caddy = await startCaddy(upstreams.map((server) => server.address().port));
  });
  after(async () => {
    const exit = await caddy?.stop();
    for (const server of upstreams) { server.closeAllConnections(); server.close(); }
    assert.equal(exit, 0);
  });

  /** What a server sees of a GET whose client claims to be somebody else, over plain HTTP. */
  const get = (target) => new Promise((resolve, reject) => {
    const headers = { 'X-Forwarded-For': '198.51.100.1', 'X-Forwarded-Proto': 'gopher' };
    https.get(`${caddy.url}${target}`, { agent: caddy.agent('127.0.0.31'), headers }, (answer) => {
      answer.resume().once('end', () => resolve([answer.statusCode, seen.pop()]));
    }).once('error', reject);
  });

  for (const prefix of ['', '/app']) {
    it(`has the client's address, its protocol and the host in it, and no prefix (${prefix || 'none there'})`, async () => {
      const [status, request] = await get(`${prefix}/socket.io/?EIO=4&transport=polling`);
      assert.equal(status, 200);
      assert.equal(request.url, '/socket.io/?EIO=4&transport=polling');
      assert.equal(request.headers['x-forwarded-for'], '127.0.0.31');
      assert.equal(request.headers['x-forwarded-proto'], 'https');
      assert.equal(request.headers.host, new URL(caddy.url).host, 'with the port, or pages of this very site look like foreign ones');
    });
  }

  it('is not there at other paths', async () => {
    for (const target of ['/', '/metrics', '/app/metrics', '/socket.io']) assert.equal((await get(target))[1], undefined, target);
  });
});
