'use strict';
// An official client in a process of its own, for tests that kill one: node client_process.js URL MODE.
// It tells its parent when it is connected (and upgraded), then stays.

const { io } = require('socket.io-client');
const { MODES } = require('../common/harness');

const [url, mode] = process.argv.slice(2);
const socket = io(`${url}/demo`, { ...MODES[mode], reconnection: false });
const tell = () => process.send('connected');

socket.once('connect_error', (error) => process.send(`refused: ${error.message}`));
socket.once('connect', () => { if (mode !== 'upgrade' || socket.io.engine.transport.name === 'websocket') tell(); });
if (mode === 'upgrade') socket.io.engine.once('upgrade', () => (socket.connected ? tell() : 0));
process.on('disconnect', () => process.exit());
