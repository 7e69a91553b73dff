'use strict';
// Raw scripts: namespaces made on demand, handlers and middlewares of a socket, what reaches several sockets, the handshake.

const { collect } = require('../../common/transcript');
const { script, scripts } = collect();

const ECHO = '42["echo-back","alive"]';
const PH = (n) => `{"_placeholder":true,"num":${n}}`;

async function joined(w, namespace, { auth = '', name = 'ws', query = '' } = {}) {
  const ws = await w.websocket({ name, query });
  ws.text(`40${namespace},${auth}`);
  await ws.frames(1);
  return ws;
}
const marker = async (namespace, ...all) => {         // an echo: what did not come before it did not come
  for (const ws of all) { ws.text(`42${namespace && `${namespace},`}["echo-back","end"]`); await ws.frames(1); }
};
const made = async (ws, prefix) => { ws.text(`420["made",${JSON.stringify(prefix)}]`); await ws.frames(1); };

// ---- Made on demand -------------------------------------------------------------------------------------------------------

for (const [name, namespace, auth = ''] of [
  ['by a pattern', '/room-12'], ['by a pattern, without the comma', '/room-12'], ['by a pattern, with a token', '/room-12', '{"token":"x"}'],
  ['refused by the middleware of all of them', '/room-12', '{"token":"wrong"}'], ['by a function', '/asked-1', '{"token":"abc"}'],
  ['refused by a function', '/asked-1', '{"token":"x"}'], ['refused by a function, without auth', '/asked-1'],
  ['refused by a function, taken by a later pattern', '/asked-again-1'], ['by a function before a later pattern', '/asked-again-2', '{"token":"abc"}'],
  ['by none of them', '/roam-1'], ['by none of them, a prefix', '/room'], ['by none of them, in capitals', '/ROOM-1'], ['that was there before', '/plain'],
]) {
  const own = (w) => namespace.replace(/-\d+$/, `-${w.tag}`);               // one that no other script has made
  script(`made: ${name} (websocket)`, async (w) => {
    const ws = await w.websocket();
    ws.text(`40${own(w)}${name.includes('comma') ? '' : ','}${auth}`);
    await ws.frames(1);
    ws.text(`42${own(w)},["echo-back","x"]`);
    await ws.frames(1);
  });
  script(`made: ${name} (polling)`, async (w) => {
    const s = await w.polling();
    await s.post(`40${own(w)},${auth}`);
    await s.packets(1);
  });
}
script('made: what all of them can do', async (w) => {
  const namespace = `/room-${w.tag}`;
  const a = await joined(w, namespace, { name: 'a' });
  const b = await joined(w, namespace, { name: 'b' });
  const other = await joined(w, `${namespace}x`, { name: 'other' });
  for (const [ws, n] of [[a, namespace], [b, namespace], [other, `${namespace}x`]]) ws.text(`42${n},["join","r"]`);
  await w.settle();
  a.text(`42${namespace},["shout","r","hi"]`);
  for (const ws of [a, b]) await ws.frames(1);
  a.text(`42${namespace},["shout-others","r","others"]`);
  await b.frames(1);
  await w.settle();
  await marker(namespace, a, b);
  await marker(`${namespace}x`, other);
  a.text(`42${namespace},["ask","x"]`);
  await a.frames(1);
  other.text(`42${namespace}x,["ask","x"]`);
  await other.frames(1);
  b.text(`42${namespace},["leave"]`);
  await b.frames(1);
  a.drop();
  await w.reasons(2);
});
script('made: the greeting of a connection handler', async (w) => {
  const ws = await w.websocket({ query: '&greet=1' });
  ws.text(`40/room-${w.tag},`);
  await ws.frames(2);
});
script('made: each is made once, and told', async (w) => {
  const ws = await w.joinedWebsocket();
  const namespace = `/room-${w.tag}`;
  await made(ws, namespace);
  for (const suffix of ['a', 'b']) { ws.text(`40${namespace}${suffix},`); await ws.frames(1); }
  await made(ws, namespace);
  const other = await joined(w, `${namespace}a`, { name: 'other' });
  await made(ws, namespace);
  other.drop();
  await w.reasons(1);
  ws.text(`41${namespace}b,`);
  await w.reasons(2);
  ws.text(`40${namespace}b,`);
  await ws.frames(1);
  await made(ws, namespace);
  await made(ws, '/plain');
  await made(ws, '/roam');
});
script('made: the hook can add what refuses', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text(`40/room-${w.tag}strict,`);
  await ws.frames(1);
  ws.text(`40/room-${w.tag}strict,{"token":"wrong"}`);
  await ws.frames(1);
  ws.text(ECHO);
  await ws.frames(1);
});
script('made: closed while the function thinks', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text(`40/asked-${w.tag},{"token":"abc","wait":"${w.tag}"}`);
  await w.settle();
  ws.drop();
  await w.reasons(1);
  const again = await w.joinedWebsocket({ name: 'again' });
  again.text(`42["let-in","${w.tag}"]`).text(ECHO);
  await again.frames(1);
  again.text(`420["made","/asked-${w.tag}"]`);
  const names = (await w.muted(() => again.frames(1))).payload.toString();
  w.log(`made: ${names !== '430[[]]'}`);
  await w.reasons(1);
});
script('made: others go on while the function thinks', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text(`40/asked-${w.tag},{"token":"abc","wait":"${w.tag}"}`).text(ECHO);
  await ws.frames(1);
  ws.text(`42["let-in","${w.tag}"]`);
  await ws.frames(1);
  ws.text(`42/asked-${w.tag},["echo-back",1]`);
  await ws.frames(1);
});
script('made: an event while the function thinks', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text(`40/asked-${w.tag},{"token":"abc","wait":"${w.tag}"}`).text(`42/asked-${w.tag},["echo-back",1]`);
  await ws.frames(1);
  ws.close();
  await w.reasons(1);
});
script('made: by two clients while the function thinks', async (w) => {
  const [a, b] = [await w.joinedWebsocket({ name: 'a' }), await w.joinedWebsocket({ name: 'b' })];
  for (const ws of [a, b]) ws.text(`40/asked-${w.tag},{"token":"abc"}`);
  for (const ws of [a, b]) await ws.frames(1);
  await made(a, `/asked-${w.tag}`);
});
script('made: the same client asks twice while the function thinks', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text(`40/asked-${w.tag},{"token":"abc"}`).text(`40/asked-${w.tag},{"token":"abc"}`);
  await ws.rest(1500);
});
script('made: asked again once it is there, with no token', async (w) => {
  const a = await joined(w, `/asked-${w.tag}`, { auth: '{"token":"abc"}', name: 'a' });
  const b = await joined(w, `/asked-${w.tag}`, { name: 'b' });
  a.text(`42/asked-${w.tag},["join","r"]`);
  b.text(`42/asked-${w.tag},["join","r"]`);
  await w.settle();
  b.text(`42/asked-${w.tag},["shout","r","both"]`);
  for (const ws of [a, b]) await ws.frames(1);
});
script('made: what is emitted to the parent reaches all children', async (w) => {
  const [a, b, c] = [await joined(w, '/fan-one', { name: 'a' }), await joined(w, '/fan-two', { name: 'b' }), await joined(w, '/fan-two', { name: 'c' })];
  const out = await w.joinedWebsocket({ name: 'out' });
  out.text('42["fan-out","to all"]');
  for (const ws of [a, b, c]) await ws.frames(1);
  a.text('42/fan-one,["join","r"]');
  c.text('42/fan-two,["join","r"]');
  await w.settle();
  out.text('42["fan-out","to some","r"]');
  for (const ws of [a, c]) await ws.frames(1);
  await w.settle();
  await marker('/fan-one', a);
  await marker('/fan-two', b, c);
  await marker('', out);
});

for (const on of ['plain', 'tidy']) {
  script(`made: left by the last (${on})`, { on }, async (w) => {
    const ws = await w.joinedWebsocket();
    const namespace = `/room-${w.tag}`;
    for (let i = 0; i < 2; i++) {
      ws.text(`40${namespace},`);
      await ws.frames(1);
      ws.text(`41${namespace},`);
      await w.reasons(i + 1);
      await made(ws, namespace);
    }
  });
  script(`made: left by one of two (${on})`, { on }, async (w) => {
    const ws = await w.joinedWebsocket();
    const namespace = `/room-${w.tag}`;
    const [a, b] = [await joined(w, namespace, { name: 'a' }), await joined(w, namespace, { name: 'b' })];
    a.drop();
    await w.reasons(1);
    ws.text(`40${namespace},`);
    await ws.frames(1);
    await made(ws, namespace);
    b.text(`42${namespace},["kick"]`);
    await b.frames(1);
    ws.text(`42${namespace},["leave"]`);
    await ws.frames(1);
    ws.text(`40${namespace},`);
    await ws.frames(1);
    await made(ws, namespace);
  });
  script(`made: left in the same payload as it was joined (${on})`, { on }, async (w) => {
    const s = await w.joinedPolling();
    const namespace = `/room-${w.tag}`;
    await s.join(namespace);
    await s.post(`42${namespace},["join","r"]\x1e42${namespace},["leave"]`);
    await s.packets(1);
    await s.join(namespace);
    await s.post(`42${namespace},0["recall"]\x1e421["made","${namespace}"]`);
    await s.packets(2);
  });
  script(`made: refused by a middleware (${on})`, { on }, async (w) => {
    const ws = await w.joinedWebsocket();
    const namespace = `/room-${w.tag}`;
    for (let i = 0; i < 2; i++) {
      ws.text(`40${namespace},{"token":"wrong"}`);
      await ws.frames(1);
      await made(ws, namespace);
    }
  });
  script(`made: its room is another one when it comes back (${on})`, { on }, async (w) => {
    const namespace = `/room-${w.tag}`;
    const a = await joined(w, namespace, { name: 'a' });
    a.text(`42${namespace},["join","r"]`).text(`42${namespace},["ask","?"]`);
    await a.frames(1);
    a.text(`41${namespace},`);
    await w.reasons(1);
    a.text(`40${namespace},`);
    await a.frames(1);
    a.text(`42${namespace},["shout","r","nobody"]`).text(`42${namespace},["ask","?"]`);    // ids begin anew with the namespace
    await a.frames(1);
  });
}

// ---- Handlers and middlewares of a socket ---------------------------------------------------------------------------------

script('watched: in, out, with and without an ack', async (w) => {
  const ws = await joined(w, '/watched');
  ws.text('42/watched,["echo-back","a",1,{"k":[null]}]');
  await ws.frames(1);
  ws.text('42/watched,5["echo","x"]');
  await ws.frames(1);
  ws.text('42/watched,["nobody-listens",true]').text('42/watched,6["nobody-listens"]').text('42/watched,[""]');
  ws.text('42/watched,["echo-back"]');
  await ws.frames(1);
  ws.drop();
  await w.reasons(1);
});
script('watched: binary', async (w) => {
  const ws = await joined(w, '/watched');
  ws.text(`452-/watched,["bin",${PH(0)},"x",${PH(1)}]`).binary([1, 2]).binary([255]);
  await ws.frames(3);
  ws.drop();
  await w.reasons(1);
});
script('watched: a broadcast, with binary, volatile, with acks', async (w) => {
  const [a, b] = [await joined(w, '/watched', { name: 'a' }), await joined(w, '/watched', { name: 'b' })];
  b.text(`42/watched,["join","${w.tag}"]`);
  await w.settle();
  a.text(`42/watched,["shout","${w.tag}","hi"]`);
  await b.frames(1);
  a.text(`42/watched,["shout-volatile","${w.tag}","volatile"]`);
  await b.frames(1);
  a.text(`451-/watched,["shout-local","${w.tag}",${PH(0)}]`).binary([7]);
  await b.frames(2);
  a.text(`42/watched,["ask-room","${w.tag}",200,"?"]`);
  await w.muted(() => b.frames(1));
  await a.frames(1);
  b.drop();
  await w.reasons(1);
});
script('watched: what is volatile, and gets lost', async (w) => {
  const ws = await joined(w, '/watched');
  ws.text('42/watched,["echo-volatile","one","two"]');
  await ws.frames(1);
  await w.settle();
  ws.drop();
  await w.reasons(1);
});
script('watched: what is volatile, to a room that does not poll', async (w) => {
  const s = await w.polling();
  await s.post('40/watched,');
  await s.packets(1);
  await s.post(`42/watched,["join","${w.tag}"]\x1e42/watched,["shout-volatile","${w.tag}","lost"]`);
  await w.settle();
  await s.post('41/watched,');
  await w.reasons(1);
});
script('watched: a question', async (w) => {
  const ws = await joined(w, '/watched');
  ws.text('42/watched,["ask",1]');
  const id = /(\d+)\[/.exec((await w.muted(() => ws.frames(1))).payload.toString())[1];
  w.muted(() => ws.text(`43/watched,${id}["y"]`));
  await ws.frames(1);
  ws.drop();
  await w.reasons(1);
});
for (const [name, packet] of [['the first', '["refused",1]'], ['the second', '["refused later",1]']]) {
  script(`filter: refused by ${name}`, async (w) => {
    const ws = await joined(w, '/watched');
    ws.text(`42/watched,${packet}`);
    await ws.frames(1);
    ws.text(`42/watched,7${packet}`);
    await ws.frames(1);
    await marker('/watched', ws);
    ws.drop();
    await w.reasons(1);
  });
  script(`filter: refused by ${name}, over polling`, async (w) => {
    const s = await w.polling();
    await s.post('40/watched,');
    await s.packets(1);
    await s.post(`42/watched,7${packet}\x1e42/watched,["tell","next"]`);
    await s.packets(2);
  });
}
script('filter: with binary', async (w) => {
  const ws = await joined(w, '/watched');
  ws.text(`451-/watched,["refused",${PH(0)}]`).binary([1]);
  await ws.frames(1);
  ws.text(`451-/watched,["tell",${PH(0)}]`).binary([1]);
  await ws.frames(2);
  ws.drop();
  await w.reasons(1);
});
script('filter: later, and others go on', async (w) => {
  const ws = await joined(w, '/watched');
  ws.text('42/watched,["slow","é",[1]]').text('42/watched,["tell","at once"]');
  await ws.frames(2);
  ws.text(`451-/watched,["slow",${PH(0)}]`).binary([1, 2]);
  await ws.frames(2);
  ws.drop();
  await w.reasons(1);
});
script('filter: gone before it answers', async (w) => {
  const ws = await joined(w, '/watched');
  ws.text('42/watched,["slow"]').text('41/watched,');
  await w.reasons(1);
  ws.text('40');
  await ws.frames(1);
  await ws.quiet(600);
});
script('handlers: once', async (w) => {
  const ws = await joined(w, '/watched');
  ws.text('42/watched,["one"]');
  await ws.frames(1);
  ws.text('42/watched,["one"]');
  await marker('/watched', ws);
  const other = await joined(w, '/watched', { name: 'other' });
  other.text('42/watched,["one"]');
  await other.frames(1);
});
script('handlers: taken away', async (w) => {
  const [ws, other] = [await joined(w, '/watched'), await joined(w, '/watched', { name: 'other' })];
  ws.text('42/watched,["tell","a"]');
  await ws.frames(1);
  ws.text('42/watched,["deafen"]');
  await w.settle();
  ws.text('42/watched,["tell","b"]');
  await marker('/watched', ws);
  other.text('42/watched,["tell","c"]');
  await other.frames(1);
  ws.drop();
  await w.reasons(1);
});
script('handlers: of a socket that left and came back', async (w) => {
  const ws = await joined(w, '/watched');
  ws.text('42/watched,["deafen"]');
  await w.settle();
  ws.text('41/watched,');
  await w.reasons(1);
  ws.text('40/watched,');
  await ws.frames(1);
  ws.text('42/watched,["tell","again"]');
  await ws.frames(1);
  ws.drop();
  await w.reasons(2);
});
for (const [name, packet] of [['broken JSON', '42["x"'], ['a bad payload', '42/watched,{}'], ['a reserved name', '42/watched,["disconnect"]'], ['a bad type', '4x'],
  ['no attachments', `450-/watched,["x",${PH(0)}]`], ['a namespace not joined', '42/plain,["x"]'], ['a second CONNECT', '40/watched,']])
  script(`errors: ${name}`, async (w) => {
    const ws = await joined(w, '/watched');
    ws.text('42/watched,["join","r"]');
    await w.settle();
    ws.text(packet);
    await ws.frames(1);
    ws.close();
    await w.reasons(1);
  });
script('errors: a malformed engine packet', async (w) => {
  const ws = await joined(w, '/watched');
  ws.text('9');
  await w.reasons(1);
});
script('errors: on one namespace of two', async (w) => {
  const ws = await joined(w, '/watched');
  ws.text('40');
  await ws.frames(1);
  ws.text('42{}');
  await ws.frames(1);
  ws.close();
  await w.reasons(2);
});
script('upgrade: its handler runs', async (w) => {
  const s = await w.polling();
  await s.post('40/watched,');
  await s.packets(1);
  const ws = await s.upgrade();
  ws.text('2probe');
  await ws.frames(1);
  ws.text('5');
  ws.text('42/watched,["tell","over WebSocket"]');
  await ws.frames(1);
  ws.drop();
  await w.reasons(1);
});
script('upgrade: its handler does not run for a probe alone', async (w) => {
  const s = await w.polling();
  await s.post('40/watched,');
  await s.packets(1);
  const ws = await s.upgrade();
  ws.text('2probe');
  await ws.frames(1);
  ws.drop();
  await s.post('41/watched,');
  await w.reasons(1);
});

// ---- What reaches several sockets -----------------------------------------------------------------------------------------

async function three(w) {
  const all = [];
  for (const name of ['a', 'b', 'c']) {
    const ws = await w.joinedWebsocket({ name });
    ws.text(`42["join","${w.tag}"]`);
    all.push(ws);
  }
  await w.settle();
  return all;
}
const room = (w, suffix) => JSON.stringify(`${w.tag}-${suffix}`);
const shout = async (w, from, target, text, ...to) => {
  from.text(`42["shout",${target},"${text}"]`);
  for (const ws of to) await ws.frames(1);
  await w.settle();
};

script('several: join and leave', async (w) => {
  const [a, b, c] = await three(w);
  c.text(`42["part","${w.tag}"]`);
  await w.settle();
  a.text(`42["all-join","${w.tag}",${room(w, 2)}]`);
  await w.settle();
  await shout(w, a, room(w, 2), 'two', a, b);
  c.text(`42["join",${room(w, 2)}]`);
  await w.settle();
  await shout(w, a, room(w, 2), 'three', a, b, c);
  a.text(`42["all-part","${w.tag}",${room(w, 2)}]`);
  await w.settle();
  await shout(w, a, room(w, 2), 'one', c);
  a.text(`42["all-part",${room(w, 2)},${room(w, 2)}]`).text(`42["all-join",${room(w, 'nobody')},${room(w, 3)}]`);
  await w.settle();
  await shout(w, a, room(w, 2), 'nobody');
  await shout(w, a, room(w, 3), 'nobody');
  await marker('', a, b, c);
});
for (const close of [false, true]) {
  script(`several: disconnect${close ? ' with the transport' : ''}`, async (w) => {
    const [a, b, c] = await three(w);
    const d = await w.joinedWebsocket({ name: 'd' });
    b.text('40/plain,');
    await b.frames(1);
    d.text(`42["all-go","${w.tag}",${close}]`);
    for (const ws of [a, b, c]) await ws.frames(1);
    await b.rest(400);
    await w.reasons(3 + close);
    d.text(ECHO);
    await d.frames(1);
    if (close) return;
    a.text('40');
    await a.frames(1);
  });
}
script('several: disconnect oneself among them, over polling', async (w) => {
  const s = await w.joinedPolling();
  await s.post(`42["join","${w.tag}"]\x1e42["all-go","${w.tag}",true]`);
  await s.packets(2);
  await w.reasons(1);
  await s.gone();
});
script('several: fetch', async (w) => {
  const all = [];
  for (const name of ['a', 'b']) {
    const ws = await joined(w, '/plain', { name, auth: `{"who":"${name}"}` });
    ws.text(`42/plain,["join","${w.tag}"]`);
    await w.settle();
    all.push(ws);
  }
  const [a, b] = all;
  a.text(`42/plain,["join",${room(w, 2)}]`).text('42/plain,["remember","a",{"list":[1,"é",null]}]').text('42/plain,["remember","b",1.5]');
  await w.settle();
  b.text(`42/plain,0["fetch","${w.tag}"]`).text(`42/plain,1["fetch",${room(w, 2)}]`).text(`42/plain,2["fetch",${room(w, 'nobody')}]`);
  await b.frames(3);
  a.drop();
  await w.reasons(1);
  b.text(`42/plain,3["fetch","${w.tag}"]`);
  await b.frames(1);
});
script('several: what is fetched can be told, and moved', async (w) => {
  const [a, b, c] = await three(w);
  c.text(`42["part","${w.tag}"]`);
  await w.settle();
  c.text(`42["remote","${w.tag}",${room(w, 2)}]`);
  for (const ws of [a, b]) await ws.frames(1);
  await w.settle();
  await shout(w, c, room(w, 2), 'there', a, b);
  await marker('', a, b, c);
});
script('several: but those in two rooms', async (w) => {
  const [a, b, c] = await three(w);
  b.text(`42["join",${room(w, 2)}]`);
  c.text(`42["join",${room(w, 3)}]`);
  await w.settle();
  a.text(`42["shout-except-two","${w.tag}",${room(w, 2)},${room(w, 3)},"only a"]`);
  await a.frames(1);
  await w.settle();
  a.text(`42["shout-except-two","${w.tag}",${room(w, 2)},${room(w, 'nobody')},"a and c"]`);
  for (const ws of [a, c]) await ws.frames(1);
  await w.settle();
  a.text(`42["shout-except-two","${w.tag}","${w.tag}",${room(w, 2)},"nobody"]`);
  await w.settle();
  await marker('', a, b, c);
});
script('several: of this server', async (w) => {
  const [a, b, c] = await three(w);
  a.text(`42["shout-local","${w.tag}","local",1]`);
  for (const ws of [a, b, c]) await ws.frames(1);
});
script('volatile: to one socket, which polls or does not', async (w) => {
  const s = await w.joinedPolling();
  await s.post('42["echo-volatile","lost"]');
  await w.settle();
  const held = await s.hold();
  await s.post('42["echo-volatile","heard"]');
  await s.packets(1, { from: held });
  await s.post(ECHO);
  await s.packets(1);
});
script('volatile: to one WebSocket, two at once', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('42["echo-volatile","one","two"]');
  await ws.frames(1);
  await w.settle();
  ws.text('42["echo-volatile","three"]');
  await ws.frames(1);
  await marker('', ws);
});
script('servers: nobody else is told, nobody answers', async (w) => {
  const ws = await w.joinedWebsocket();
  ws.text('420["tell-servers",1,"two"]');
  await ws.rest(400);
});

// ---- The handshake --------------------------------------------------------------------------------------------------------

const sorted = (value) => (Array.isArray(value) ? value.map(sorted) : value && typeof value === 'object'
  ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])])) : value);
async function handshake(w, namespace, hear, say) {
  await say(`42${namespace && `${namespace},`}0["whole-handshake"]`);
  const packet = await w.muted(hear);
  const [whole] = JSON.parse(packet.slice(packet.indexOf('[')));
  delete whole.query.tag;
  w.log(JSON.stringify(sorted(whole)));
}
for (const [name, query, headers, auth = ''] of [
  ['nothing special', '', {}], ['a page of some origin', '', { Origin: 'http://app.example' }], ['a page of no origin', '', { Origin: 'null' }],
  ['headers', '', { 'X-Probe': 'A b', 'x-LOWER': 'UPPER', 'User-Agent': 'probe/1.0', 'Accept-Language': 'de,en;q=0.5', Cookie: 'a=1; b="2"' }],
  ['an empty header', '', { 'X-Empty': '' }], ['spaces around a header', '', { 'X-Spaces': '  a  b\t' }], ['a header twice', '', { 'X-Twice': ['1', '2'] }],
  ['two cookies', '', { Cookie: ['a=1', 'b=2'] }], ['two user agents', '', { 'User-Agent': ['one', 'two'] }], ['a header in Latin-1', '', { 'X-Latin': 'caf\u00e9' }],
  ['a forwarded address from nowhere', '', { 'X-Real-Ip': '203.0.113.7' }],
  ['a query', '&a=1&b=x%20y&c=%C3%A9&d=a+b&e&f=', {}], ['a parameter twice', '&a=1&a=2', {}], ['a parameter that is none', '&a=%zz&=x&&b', {}],
  ['auth', '', {}, '{"token":"abc","n":[1,null,{"k":true}],"s":"é"}'], ['auth with a sid', '', {}, '{"sid":"x","pid":"y","offset":"z"}'],
]) {
  script(`handshake: ${name} (websocket)`, async (w) => {
    const ws = await w.websocket({ query, headers });
    ws.text(`40${auth}`);
    await ws.frames(1);
    await handshake(w, '', async () => (await ws.frames(1)).payload.toString(), (text) => ws.text(text));
  });
  script(`handshake: ${name} (polling)`, async (w) => {
    const s = await w.polling({ query, headers });
    await s.post(`40${auth}`);
    await s.packets(1);
    await handshake(w, '', async () => (await s.packets(1))[0], (text) => s.post(text));
  });
}
script('handshake: each namespace has its own auth', async (w) => {
  const ws = await w.websocket();
  for (const [namespace, auth] of [['/plain', '{"a":1}'], ['/admin', '{"token":"abc"}'], ['/room-1', '']]) {
    ws.text(`40${namespace},${auth}`);
    await ws.frames(1);
    await handshake(w, namespace, async () => (await ws.frames(1)).payload.toString(), (text) => ws.text(text));
  }
});
script('handshake: that of the first request, after an upgrade', async (w) => {
  const s = await w.joinedPolling({ query: '&first=1' });
  const ws = await s.upgrade('ws', { headers: { 'X-Second': '1' } });
  ws.text('2probe');
  await ws.frames(1);
  ws.text('5');
  await handshake(w, '', async () => (await ws.frames(1)).payload.toString(), (text) => ws.text(text));
});

module.exports = scripts;
