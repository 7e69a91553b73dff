'use strict';
// What goes wrong, once, in the server that selftest.py shows to the load client: the 100th packet from the namespace
// is lost, comes twice, has another byte in it, or goes to the next session, too; or one session has no heartbeat.

const ALTERED = 4; // this byte, from the end

const faults = {
  drop: () => {},
  double: (write, data, options) => (write(data, options), write(data, options)),
  alter: (write, data) => {
    if (typeof data === 'string') return write(data.slice(0, -ALTERED) + '!' + data.slice(1 - ALTERED), {});
    const bytes = Buffer.from(data);
    bytes[bytes.length - ALTERED] ^= 1;
    write(bytes, {});
  },
  stray: (write, data, options, next) => (write(data, options), next(data, options)),
  mute: (write, data, options) => write(data, options), // below
};

module.exports = (engine, name) => {
  const fault = faults[name], writes = [];
  if (!fault) throw new Error(`there is no fault ${name}; there are ${Object.keys(faults).join(', ')}`);
  let count = 0;
  engine.on('connection', (session) => {
    const own = writes.length, write = session.write.bind(session), isConnect = (data) => typeof data === 'string' && data.startsWith('0');
    writes.push(write);
    session.write = (data, options) => {
      if (isConnect(data) || ++count !== 100) return write(data, options);
      fault(write, data, options, writes[(own + 1) % writes.length]);
    };
    if (name === 'mute' && own === 0) clearTimeout(session.pingIntervalTimer);
  });
};
