'use strict';
// The tools of the differential tests, tested: a reader that misreads would find two servers equal that are not.

const { test } = require('../common/test');
const assert = require('node:assert');
const { OPCODES, closePayload, describeFrame, describeResponse, frame, parseFrame, parseResponse, printable } = require('../common/transcript');
const { scripts } = require('./scripts');

test('a response that is cut anywhere is incomplete, and no byte behind it is consumed', () => {
  for (const text of [
    'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n',
    'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\n',
  ]) {
    const whole = Buffer.from(text);
    for (let i = 0; i < whole.length; i++) assert.equal(parseResponse(whole.subarray(0, i)), undefined, text.slice(0, i));
    assert.equal(parseResponse(Buffer.from(text + 'HTTP/1.1 ')).used, whole.length);
  }
});

test('framing is normalised away, the rest stays', () => {
  const show = (text, options) => describeResponse(parseResponse(Buffer.from(text), options), options);
  const same = '400 Bad Request | X: y | Date: * | Connection: keep-alive | body ok';
  assert.equal(show('HTTP/1.1 400 Bad Request\r\nX: y\r\nContent-Length: 2\r\nDate: now\r\nConnection: keep-alive\r\n\r\nok'), same);
  assert.equal(show('HTTP/1.1 400 Bad Request\r\nX: y\r\nDate: then\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'), same);
  assert.equal(show('HTTP/1.1 400 Bad Request\r\nx: y\r\n\r\nok', { ended: true }), '400 Bad Request | x: y | body ok');
  assert.equal(show('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', { version: '1.0' }), '200 OK | !chunked');
  assert.equal(show('HTTP/1.1 400 Bad Request\r\nContent-Length: 29\r\n\r\n', { method: 'HEAD' }), '400 Bad Request');
  assert.throws(() => parseResponse(Buffer.from('HTTP 200\r\n\r\n')));
});

test('a frame that is cut anywhere is incomplete, and what is unusual about it is shown', () => {
  for (const size of [0, 125, 126, 65535, 65536]) {
    const bytes = frame('z'.repeat(size), { mask: false });
    for (const i of [0, 1, 2, 3, 9, bytes.length - 1]) if (i < bytes.length) assert.equal(parseFrame(bytes.subarray(0, i)), undefined);
    const f = parseFrame(Buffer.concat([bytes, Buffer.from('more')]));
    assert.deepEqual([f.used, f.payload.length, f.minimal], [bytes.length, size, true]);
  }
  const show = (payload, options) => describeFrame(parseFrame(frame(payload, { mask: false, ...options })));
  assert.equal(show('hi'), 'text hi');
  assert.equal(show(Buffer.from([1, 2]), { opcode: OPCODES.binary }), 'binary 01 02');
  assert.equal(show('', { opcode: OPCODES.close }), 'CLOSE()');
  assert.equal(show(closePayload(1002), { opcode: OPCODES.close }), 'CLOSE(1002)');
  assert.equal(show(closePayload(1000, 'bye'), { opcode: OPCODES.close }), 'CLOSE(1000 bye)');
  assert.equal(show('hi', { fin: false, rsv: 4 }), 'text hi !fragment !rsv4');
  assert.equal(show('hi', { lengthBytes: 2 }), 'text hi !long-length');
  assert.match(describeFrame(parseFrame(frame('hi'))), /!masked/);
});

test('texts are shown on one line, long ones by their hash', () => {
  assert.equal(printable('a\r\nb\x1ec\x00\x7f'), 'a⏎b␞c\\u0000\\u007f');
  assert.notEqual(printable(`${'a'.repeat(1000)}b`), printable(`${'a'.repeat(1000)}c`));
});

test('no two scripts have one name', () => {
  assert.equal(new Set(scripts.map(({ name }) => name)).size, scripts.length);
});
