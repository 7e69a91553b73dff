'use strict';
// Raw scripts: connection state recovery. What events carry, what a client that comes back gets, and who may come back.

const { collect, delay } = require('../../common/transcript');
const { script, scripts } = collect();

const on = 'recovery';
const PH = '{"_placeholder":true,"num":0}';
const field = (text, name) => (new RegExp(`"${name}":"([^"]*)"`).exec(text) || [])[1];
const offsetOf = (text) => JSON.parse(text.slice(text.indexOf('['))).pop();
const back = (pid, offset, more = '') => `{"offset":${JSON.stringify(offset)},"pid":${JSON.stringify(pid)}${more}}`;

// Somebody who is going to go and come back, over either transport, in the room `tag`, with an offset.
async function guest(w, { transport = 'websocket', namespace = '', name = 'guest', query = '', auth = '' } = {}) {
  const nsp = namespace && `${namespace},`;
  const g = { namespace, ws: undefined, s: undefined };
  if (transport === 'websocket') g.ws = await w.websocket({ name, query });
  else g.s = await w.polling({ query });
  g.say = async (text) => { if (g.ws) g.ws.text(text); else await g.s.post(text); };
  g.hear = async (n = 1) => {
    if (!g.ws) return g.s.packets(n);
    return [].concat(await g.ws.frames(n)).map((f) => (f ? f.payload.toString().slice(1) : '')).map((text) => `4${text}`);
  };
  await g.say(`40${nsp}${auth}`);
  const [reply] = await g.hear();
  g.sid = field(reply, 'sid');
  g.pid = field(reply, 'pid');
  await g.say(`42${nsp}["join","${w.tag}"]`);
  await g.say(`42${nsp}["echo-back","first"]`);
  [g.last] = await g.hear();
  g.offset = offsetOf(g.last);
  g.drop = async (reasons = 1) => {
    if (g.ws) g.ws.drop();
    else { const held = await g.s.hold(); held.drop(); }
    await w.reasons(reasons);
  };
  return g;
}

// A client that comes back, and hears n packets.
async function comeBack(w, transport, auth, n, { namespace = '', name = 'again', query = '' } = {}) {
  const text = `40${namespace && `${namespace},`}${auth}`;
  if (transport === 'websocket') {
    const ws = await w.websocket({ name, query });
    ws.text(text);
    await ws.frames(n);
    return { say: async (t) => ws.text(t), hear: (k) => ws.frames(k), ws };
  }
  const s = await w.polling({ query });
  await s.post(text);
  await s.packets(n);
  return { say: (t) => s.post(t), hear: (k) => s.packets(k), s };
}

// Somebody who stays and makes the events.
async function host(w, namespace = '') {
  const ws = await w.websocket({ name: 'host' });
  ws.text(`40${namespace && `${namespace},`}`);
  await ws.frames(1);
  ws.tell = async (...args) => {
    ws.text(`42${namespace && `${namespace},`}${JSON.stringify(args)}`);
    await w.settle();
  };
  return ws;
}

const WAYS = [['websocket', 'websocket'], ['polling', 'polling'], ['polling', 'websocket'], ['websocket', 'polling']];

// ---- What events carry ----------------------------------------------------------------------------------------------------

script('offsets: every event has one, whoever it is for (websocket)', { on }, async (w) => {
  const g = await guest(w);
  g.ws.text('42["echo-back",1,{"a":[2]}]').text('42["echo-back"]').text(`42["shout","${w.tag}","to a room"]`);
  await g.ws.frames(3);
  g.ws.text(`42["shout-local","${w.tag}","to a room here"]`);
  await g.ws.frames(1);
  g.ws.text(`451-["bin",${PH}]`).binary([1]);
  await g.ws.frames(2);
  g.ws.text(`451-["shout-local","${w.tag}",${PH}]`).binary([2]);
  await g.ws.frames(2);
});
script('offsets: every event has one, whoever it is for (polling)', { on }, async (w) => {
  const g = await guest(w, { transport: 'polling' });
  await g.s.post(`42["echo-back",1]\x1e42["shout","${w.tag}","to a room"]\x1e451-["bin",${PH}]\x1ebAQ==`);
  await g.s.packets(4);
});
script('offsets: none on what is volatile', { on }, async (w) => {
  const g = await guest(w);
  g.ws.text('42["echo-volatile","x"]');
  await g.ws.frames(1);
  g.ws.text(`42["shout-volatile","${w.tag}","x"]`);
  await g.ws.frames(1);
});
script('offsets: none on questions and answers', { on }, async (w) => {
  const ws = await w.websocket();
  ws.text('40/acks,');
  await ws.frames(1);
  ws.text(`42/acks,["join","r"]`).text('42/acks,["ask","x"]');
  await ws.frames(1);
  ws.text('43/acks,0["y"]');
  await ws.frames(1);
  ws.text('42/acks,["ask-room","r",60000]');
  await ws.frames(1);
  ws.text('43/acks,1["z"]');
  await ws.frames(1);
  ws.text('42/acks,7["echo","x"]');
  await ws.frames(1);
});
script('offsets: the same event is the same to all', { on }, async (w) => {
  const [a, b] = [await guest(w, { name: 'a' }), await guest(w, { name: 'b' })];
  a.ws.text(`42["shout","${w.tag}","x"]`).text(`42["shout-others","${w.tag}","y"]`);
  await a.ws.frames(1);
  await b.ws.frames(2);
});
script('offsets: each namespace has its own ids', { on }, async (w) => {
  const ws = await w.websocket();
  for (const namespace of ['/plain', '/é x', '/room-ids']) { ws.text(`40${namespace},`); await ws.frames(1); }
  ws.text('42/room-ids,["echo-back","x"]');
  await ws.frames(1);
});
script('offsets: a greeting has one, behind the reply', { on }, async (w) => {
  const ws = await w.websocket({ query: '&greet=1' });
  ws.text('40');
  await ws.frames(2);
});
script('offsets: an emit in a middleware', { on }, async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('40/early,');
  await ws.rest(400);
});

// ---- Coming back ----------------------------------------------------------------------------------------------------------

for (const [before, after] of WAYS)
  script(`recovery: what was missed, then the reply (${before}, ${after})`, { on }, async (w) => {
    const h = await host(w);
    const g = await guest(w, { transport: before });
    await g.drop();
    for (const text of ['one', 'two', 'three']) await h.tell('shout', w.tag, text);
    const again = await comeBack(w, after, back(g.pid, g.offset), 4);
    await again.say('420["recall"]');
    await again.hear(1);
    await h.tell('shout', w.tag, 'four');
    await again.hear(1);
  });
for (const transport of ['websocket', 'polling']) {
  script(`recovery: nothing was missed (${transport})`, { on }, async (w) => {
    const g = await guest(w, { transport });
    await g.drop();
    const again = await comeBack(w, transport, back(g.pid, g.offset), 1);
    await again.say('42["echo-back","alive"]');
    await again.hear(1);
  });
  script(`recovery: with binary (${transport})`, { on }, async (w) => {
    const h = await host(w);
    const g = await guest(w, { transport });
    await g.drop();
    h.text(`452-["shout-local","${w.tag}","a",{"k":[${PH}]},${PH.replace('0', '1')}]`).binary([1, 2, 3]).binary([4]);
    await h.tell('shout', w.tag, 'text');
    await comeBack(w, transport, back(g.pid, g.offset), 5);
  });
  script(`recovery: rooms and data are there again (${transport})`, { on }, async (w) => {
    const h = await host(w);
    const g = await guest(w, { transport });
    for (const event of [`["join","${w.tag}-2"]`, `["join","${w.tag}-3"]`, `["part","${w.tag}-2"]`, '["remember","a",{"a":[1,null]}]', '["remember","b","é"]']) await g.say(`42${event}`);
    await g.say('421["recall"]');
    await g.hear();
    await g.drop();
    const again = await comeBack(w, transport, back(g.pid, g.offset), 1);
    await again.say('422["recall"]');
    await again.hear(1);
    for (const room of ['', '-2', '-3']) await h.tell('shout', w.tag + room, `to ${room}`);
    await again.hear(2);
    h.text(`425["fetch","${w.tag}"]`);
    await h.frames(1);
    await again.say('42["echo-back","end"]');
    await again.hear(1);
  });
}
script('recovery: only what concerned it', { on }, async (w) => {
  const h = await host(w);
  const g = await guest(w);
  g.ws.text(`42["join","${w.tag}-2"]`);
  h.text(`42["join","${w.tag}"]`);
  await w.settle();
  await g.drop();
  await h.tell('shout', `${w.tag}-other`, 'not for it');
  await h.tell('shout', `${w.tag}-2`, 'for it');
  await h.tell('shout-both', w.tag, `${w.tag}-2`, 'for both its rooms, once');
  await h.tell('shout-both', `${w.tag}-other`, `${w.tag}-2`, 'for one of its rooms');
  await h.tell('shout-except', w.tag, `${w.tag}-2`, 'for others');
  await h.tell('shout-except', w.tag, `${w.tag}-other`, 'for it, too');
  await h.tell('shout-except-two', w.tag, `${w.tag}-other`, `${w.tag}-2`, 'for others');
  await h.tell('shout', g.sid, 'for it alone');
  await h.tell('shout-except', w.tag, g.sid, 'for all but it');
  await h.tell('shout-others', w.tag, 'from the host');
  await h.tell('shout-local', w.tag, 'of this server');
  await h.tell('shout-volatile', w.tag, 'lost');
  await h.tell('ask-room', w.tag, 100, 'lost, too');
  await comeBack(w, 'websocket', back(g.pid, g.offset), 8);
});
script('recovery: what was emitted to it by who had kept it', { on }, async (w) => {
  const h = await host(w);
  const g = await guest(w);
  g.ws.text(`42["keep","${w.tag}"]`);
  await w.settle();
  await h.tell('poke', w.tag, 'here');
  await g.ws.frames(1);
  await g.drop();
  await h.tell('poke', w.tag, 'away');
  const again = await comeBack(w, 'websocket', back(g.pid, g.offset), 3);
  await h.tell('poke', w.tag, 'to whoever has its id');
  await again.hear(1);
});
script('recovery: again and again', { on }, async (w) => {
  const h = await host(w);
  const g = await guest(w);
  await g.drop();
  let offset = g.offset;
  for (let i = 0; i < 3; i++) {
    await h.tell('shout', w.tag, `missed ${i}`);
    const again = await comeBack(w, 'websocket', back(g.pid, offset), 2, { name: `again${i}` });
    again.ws.text('42["echo-back","here"]');
    offset = offsetOf((await again.ws.frames(1)).payload.toString());
    again.ws.drop();
    await w.reasons(2 + i);
  }
});
script('recovery: an older offset brings more', { on }, async (w) => {
  const h = await host(w);
  const g = await guest(w);
  for (const text of ['seen', 'seen, too']) { await h.tell('shout', w.tag, text); await g.ws.frames(1); }
  await g.drop();
  await h.tell('shout', w.tag, 'missed');
  await comeBack(w, 'websocket', back(g.pid, g.offset), 4);
});
script('recovery: the offset of an event that was not for it', { on }, async (w) => {
  const h = await host(w);
  const g = await guest(w);
  await g.drop();
  await h.tell('shout', w.tag, 'one');
  h.text('42["echo-back","mine"]');
  const offset = offsetOf((await h.frames(1)).payload.toString());
  await h.tell('shout', w.tag, 'two');
  await comeBack(w, 'websocket', back(g.pid, offset), 2);
});
script('recovery: many were missed', { on }, async (w) => {
  const h = await host(w);
  const g = await guest(w);
  await g.drop();
  for (let i = 0; i < 300; i++) w.muted(() => h.text(`42["shout","${w.tag}",${i % 2 ? `"number ${i}"` : '"é"'}]`));
  await w.settle();
  const again = await w.websocket({ name: 'again' });
  again.text(`40${back(g.pid, g.offset)}`);
  const all = await w.muted(() => again.frames(301));
  w.log(all.map((f) => f.payload.toString()).map((text) => (text.startsWith('42') ? JSON.parse(text.slice(2))[1] : text)).join(' '));
});
script('recovery: in another namespace, while one stays out', { on }, async (w) => {
  const h = await host(w, '/plain');
  const g = await guest(w, { namespace: '/plain' });
  await g.drop();
  await h.tell('shout', w.tag, 'missed');
  const again = await comeBack(w, 'websocket', back(g.pid, g.offset), 2, { namespace: '/plain' });
  again.ws.text('40');
  await again.ws.frames(1);
  again.ws.text('42/plain,0["recall"]');
  await again.ws.frames(1);
});
script('recovery: in a namespace made on demand', { on }, async (w) => {
  const namespace = `/room-${w.tag}`;
  const h = await host(w, namespace);
  const g = await guest(w, { namespace });
  await g.drop();
  await h.tell('shout', w.tag, 'missed');
  const again = await comeBack(w, 'websocket', back(g.pid, g.offset), 2, { namespace });
  again.ws.text(`42${namespace},0["recall"]`);
  await again.ws.frames(1);
});
script('recovery: the greeting comes again', { on }, async (w) => {
  const g = await guest(w);
  await g.drop();
  await comeBack(w, 'websocket', back(g.pid, g.offset), 2, { query: '&greet=1' });
  await w.reasons(1);
});
script('recovery: then a goodbye', { on }, async (w) => {
  const g = await guest(w);
  await g.drop();
  const again = await comeBack(w, 'websocket', back(g.pid, g.offset), 1);
  again.ws.text('41');
  await w.reasons(2);
  again.ws.text(`40${back(g.pid, g.offset)}`);
  await again.ws.frames(1);
});
script('recovery: the same pid twice', { on }, async (w) => {
  const g = await guest(w);
  await g.drop();
  await comeBack(w, 'websocket', back(g.pid, g.offset), 1);
  await comeBack(w, 'websocket', back(g.pid, g.offset), 1, { name: 'twice' });
});
script('recovery: while it is still there', { on }, async (w) => {
  const g = await guest(w);
  await comeBack(w, 'websocket', back(g.pid, g.offset), 1);
  g.ws.text('42["echo-back","still"]');
  await g.ws.frames(1);
});
script('recovery: auth comes along', { on }, async (w) => {
  const g = await guest(w);
  await g.drop();
  const again = await comeBack(w, 'websocket', back(g.pid, g.offset, ',"token":"abc"'), 1);
  again.ws.text('420["handshake"]');
  await again.ws.frames(1);
});

// ---- Who may not ----------------------------------------------------------------------------------------------------------

for (const [name, auth] of [
  ['another pid', (g) => back('AAAAAAAAAAAAAAAAAAAA', g.offset)], ['another offset', (g) => back(g.pid, 'x')], ['an empty offset', (g) => back(g.pid, '')],
  ['no offset', (g) => `{"pid":"${g.pid}"}`], ['no pid', (g) => `{"offset":"${g.offset}"}`], ['the sid for a pid', (g) => back(g.sid, g.offset)],
  ['a number for a pid', (g) => back(1, g.offset)], ['a number for an offset', (g) => back(g.pid, 1)], ['null for an offset', (g) => back(g.pid, null)],
  ['a list for a pid', (g) => back([g.pid], g.offset)], ['an object for an offset', (g) => back(g.pid, { offset: g.offset })],
  ['nothing', () => ''],
]) script(`recovery: not with ${name}`, { on }, async (w) => {
  const h = await host(w);
  const g = await guest(w);
  await g.drop();
  await h.tell('shout', w.tag, 'missed');
  const again = await comeBack(w, 'websocket', auth(g), 1);
  again.ws.text('420["recall"]');
  await again.ws.frames(1);
});
script('recovery: not in another namespace', { on }, async (w) => {
  const g = await guest(w);
  await g.drop();
  await comeBack(w, 'websocket', back(g.pid, g.offset), 1, { namespace: '/plain' });
});
script('recovery: not with the offset of another namespace', { on, alone: true }, async (w) => {     // others' events have offsets, too
  const g = await guest(w);
  await w.wait(20);
  const other = await guest(w, { namespace: '/plain', name: 'other' });
  await g.drop();
  await comeBack(w, 'websocket', back(g.pid, other.offset), 1);
});
script('recovery: not with the offset of a volatile event', { on }, async (w) => {
  const g = await guest(w);
  g.ws.text('42["echo-volatile","like an offset"]');
  await g.ws.frames(1);
  await g.drop();
  await comeBack(w, 'websocket', back(g.pid, 'like an offset'), 1);
});
script('recovery: not where it is off', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('42["echo-back","x"]');
  await ws.frames(1);
  ws.drop();
  await w.reasons();
  await comeBack(w, 'websocket', back('AAAAAAAAAAAAAAAAAAAA', 'x'), 1);
});
script('recovery: not when it is too late', { on: 'fading' }, async (w) => {
  const g = await guest(w);
  await g.drop();
  await delay(1500);
  await comeBack(w, 'websocket', back(g.pid, g.offset), 1);
});

for (const [name, transport, leave] of [
  ['its own goodbye', 'websocket', (g) => g.ws.text('41')],
  ['its own goodbye', 'polling', (g) => g.s.post('41')],
  ['the server\'s goodbye', 'websocket', (g) => g.ws.text('42["leave"]')],
  ['the server\'s goodbye, with the transport', 'websocket', (g) => g.ws.text('42["kick"]')],
  ['a close frame', 'websocket', async (g) => { g.ws.close(1000); await g.ws.frames(1); g.ws.drop(); }],
  ['a close packet', 'polling', (g) => g.s.post('1')],
  ['a malformed packet', 'websocket', (g) => g.ws.text('42{}')],
  ['a malformed packet', 'polling', async (g) => { const held = await g.s.hold(); await g.s.post('42{}'); await held.response('get'); }],
  ['a malformed engine packet', 'websocket', (g) => g.ws.text('9')],
  ['a packet out of place', 'polling', (g) => g.s.post('42/plain,["x"]')],
  ['too large a message', 'websocket', (g) => g.ws.frame('', { declared: 2000000 })],
  ['the end of its engine', 'websocket', (g) => g.ws.text('42["close-engine"]')],
]) script(`recovery: after ${name} (${transport})`, { on }, async (w) => {
  const h = await host(w);
  const g = await guest(w, { transport });
  await leave(g, w);
  await w.reasons(1);
  await h.tell('shout', w.tag, 'missed');
  const again = await w.websocket({ name: 'again' });
  again.text(`40${back(g.pid, g.offset)}`);
  await again.rest(600);
});
script('recovery: after a silence (websocket)', { on: 'fainting' }, async (w) => {
  const g = await guest(w);
  await w.reasons(1);
  await comeBack(w, 'websocket', back(g.pid, g.offset), 1);
});

// ---- With middlewares -----------------------------------------------------------------------------------------------------

const admin = { namespace: '/admin', auth: '{"token":"abc"}' };
for (const kind of ['recovery', 'asked']) {
  script(`recovery: past a middleware, with a token (${kind})`, { on: kind }, async (w) => {
    const g = await guest(w, admin);
    await g.drop();
    await comeBack(w, 'websocket', back(g.pid, g.offset, ',"token":"abc"'), 1, admin);
    await w.reasons(1);
  });
  script(`recovery: past a middleware, without a token (${kind})`, { on: kind }, async (w) => {
    const g = await guest(w, admin);
    await g.drop();
    await comeBack(w, 'websocket', back(g.pid, g.offset), 1, admin);
    await w.reasons(1);
  });
  script(`recovery: past a slow middleware, with what was missed (${kind})`, { on: kind }, async (w) => {
    const h = await host(w, '/slow');
    const g = await guest(w, { namespace: '/slow' });
    await g.drop();
    await h.tell('shout', w.tag, 'missed');
    const again = await comeBack(w, 'websocket', back(g.pid, g.offset), 2, { namespace: '/slow' });
    again.ws.text('42/slow,0["recall"]');
    await again.ws.frames(1);
    await w.reasons(1);
  });
}
script('recovery: refused by a middleware, having missed something', { on: 'asked' }, async (w) => {
  const h = await w.websocket({ name: 'host' });
  h.text('40/admin,{"token":"abc"}');
  await h.frames(1);
  const g = await guest(w, admin);
  await g.drop();
  h.text(`42/admin,["shout","${w.tag}","missed"]`);
  await w.settle();
  const again = await w.websocket({ name: 'again' });
  again.text(`40/admin,${back(g.pid, g.offset)}`);
  await again.rest(400);
  again.text(`40/admin,${back(g.pid, g.offset, ',"token":"abc"')}`);
  await again.rest(400);
});

script('recovery: cut while a middleware thinks, and once more', { on: 'asked' }, async (w) => {
  const h = await host(w, '/gate');
  const g = await guest(w, { namespace: '/gate' });
  await g.drop();
  await h.tell('shout', w.tag, 'missed');
  const cut = await w.websocket({ name: 'cut' });
  cut.text(`40/gate,${back(g.pid, g.offset, `,"wait":"${w.tag}"`)}`);
  await w.settle();
  cut.drop();
  await w.settle();
  await h.tell('let-in', w.tag);
  await comeBack(w, 'websocket', back(g.pid, g.offset), 2, { namespace: '/gate' });
});
script('recovery: something is emitted while a middleware thinks', { on: 'asked' }, async (w) => {
  const h = await host(w, '/gate');
  const g = await guest(w, { namespace: '/gate' });
  await g.drop();
  await h.tell('shout', w.tag, 'before');
  const again = await w.websocket({ name: 'again' });
  again.text(`40/gate,${back(g.pid, g.offset, `,"wait":"${w.tag}"`)}`);
  await w.settle();
  await h.tell('shout', w.tag, 'meanwhile');
  await h.tell('let-in', w.tag);
  await again.frames(2);
  await h.tell('shout', w.tag, 'behind');
  await again.rest(600);
});
script('recovery: who watches what goes out', { on }, async (w) => {
  const ws = await w.websocket();
  ws.text('40/watched,');
  await ws.frames(1);
  ws.text('42/watched,["tell","x"]');
  await ws.frames(1);
  ws.text('42/watched,["echo-volatile","y"]');
  await ws.frames(1);
  ws.drop();
  await w.reasons(1);
});

module.exports = scripts;
