'use strict';
// What README.md says of nginx, with its configuration, taken from there. See behind_proxy.js.

const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { freePort } = require('../common/harness');
const { run } = require('../cluster/cluster');
const { configuration, describeCluster, listening, replace, withUpstreams } = require('./behind_proxy');

/** Starts nginx in the foreground, as the current user and in a folder of its own. */
async function startNginx(upstreams) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sio-nginx-'));
  const port = await freePort();
  const site = replace(configuration('nginx'), /\blisten 80;/g, `listen 127.0.0.1:${port};`);
  fs.writeFileSync(path.join(folder, 'site.conf'), withUpstreams(site, upstreams));
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `  ${name}_temp_path ${folder}/${name};`).join('\n');
  const user = process.getuid() === 0 ? `user ${os.userInfo().username};` : '';
  fs.writeFileSync(path.join(folder, 'nginx.conf'), `daemon off;\n${user}\nworker_processes 1;\npid ${folder}/pid;\nevents {}\nhttp {\n${places}\n  access_log off;\n  include ${folder}/site.conf;\n}\n`);
  const nginx = run(fs.existsSync('/usr/sbin/nginx') ? '/usr/sbin/nginx' : 'nginx', ['-p', folder, '-e', 'stderr', '-c', path.join(folder, 'nginx.conf')]);
  await listening(nginx, port);
  return {
    url: `http://127.0.0.1:${port}`,
    agent: (localAddress) => new http.Agent({ localAddress }),
    get errors() { return nginx.errors; },
    stop: async () => {
      await nginx.end('SIGQUIT');
      fs.rmSync(folder, { recursive: true, force: true });
      return nginx.exit;
    },
  };
}

describeCluster('nginx', startNginx);
