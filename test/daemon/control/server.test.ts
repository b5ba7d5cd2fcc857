import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { concat, unhex } from '../../../src/bytes/bytes.ts';
import { type Dialect, type Gone, MAX_QUEUE } from '../../../src/daemon/control/channel.ts';
import { type Client, ControlError } from '../../../src/daemon/control/client.ts';
import { section, text } from '../../../src/daemon/control/section.ts';
import { type ControlOptions, ControlServer, ControlSocketError } from '../../../src/daemon/control/server.ts';
import { encodePacket, type Packet, type Section } from '../../../src/daemon/control/vici.ts';
import { folder, line, OK, REFUSED, SESSION, stage } from './fake.ts';
import { Raw } from './raw.ts';

const VERSION: Packet = { type: 'request', name: 'version', message: new Map() };

async function alive(client: Client): Promise<void> {
  assert.equal(text(await client.request('version'), 'version'), '1.2.3');
}

test('version tells the daemon, its version and the system', async (t) => {
  const { client } = await stage(t);
  const reply = await (await client()).request('version');
  assert.deepEqual([...reply.keys()], ['daemon', 'version', 'sysname', 'release', 'machine']);
  assert.equal(reply.get('daemon'), 'espalier');
});

test('an unknown command and an unknown event are told as such, and the connection goes on', async (t) => {
  const { client } = await stage(t);
  const one = await client();
  const fault = (code: string) => (error: unknown) => error instanceof ControlError && error.code === code;
  await assert.rejects(one.request('frobnicate'), fault('unknown-command'));
  await assert.rejects(
    one.register('frobnicated', () => {}),
    fault('unknown-event'),
  );
  await alive(one);
});

test('list-sas streams a list-sa event per session to a client that registered, and to no other', async (t) => {
  const { client, gateway } = await stage(t);
  gateway.running = [SESSION, { ...SESSION, id: 2, conn: 'branch', children: [] }];
  const [one, other] = [await client(), await client()];
  const stray: Section[] = [];
  await other.register('list-sa', (message) => stray.push(message));
  const seen: Section[] = [];
  const reply = await one.stream('list-sas', 'list-sa', new Map(), (message) => seen.push(message));
  assert.equal(reply.size, 0);
  assert.deepEqual(
    seen.map((message) => [...message.keys()]),
    [['gw'], ['branch']],
  );
  await alive(other);
  assert.deepEqual(stray, []);
  await one.request('list-sas');
  assert.equal(seen.length, 2);
});

test('list-sas selects by names and ids, of sessions and of children', async (t) => {
  const { client, gateway } = await stage(t);
  gateway.running = [SESSION, { ...SESSION, id: 2, conn: 'branch', children: [] }];
  const one = await client();
  const names = async (...entries: readonly (readonly [string, string])[]) => {
    const seen: string[] = [];
    await one.stream('list-sas', 'list-sa', new Map(entries), (message) => seen.push(...message.keys()));
    return seen;
  };
  assert.deepEqual(await names(['ike', 'branch']), ['branch']);
  assert.deepEqual(await names(['ike-id', '1']), ['gw']);
  assert.deepEqual(await names(['ike-id', '0']), ['gw', 'branch']);
  assert.deepEqual(await names(['child', 'net']), ['gw']);
  assert.deepEqual(await names(['child-id', '1'], ['noblock', 'yes']), ['gw']);
  assert.deepEqual(await names(['child-id', '7']), []);
  assert.deepEqual(await names(['ike', 'branch'], ['child', 'net']), []);
});

test('initiate hands over names and timeout, streams its progress up to the log level, and answers', async (t) => {
  const { client, gateway } = await stage(t);
  gateway.initiating = async (_, tell) => {
    tell(line('initiating IKE_SA gw[1] to 10.71.0.2'));
    tell(line('a detail', 2));
    return { ok: true, reason: OK };
  };
  const one = await client();
  const seen: Section[] = [];
  const message = section(['ike', 'gw'], ['child', 'net'], ['timeout', 2500]);
  const reply = await one.stream('initiate', 'control-log', message, (event) => seen.push(event));
  assert.deepEqual(reply, new Map([['success', 'yes']]));
  assert.deepEqual(gateway.asked, [{ initiate: { ike: 'gw', child: 'net' }, timeout: 2500 }]);
  assert.deepEqual(seen, [
    section(
      ['group', 'IKE'],
      ['level', 1],
      ['ikesa-name', 'gw'],
      ['ikesa-uniqueid', 1],
      ['msg', 'initiating IKE_SA gw[1] to 10.71.0.2'],
    ),
  ]);
  const detailed = section(['child', 'net'], ['loglevel', 2]);
  await one.stream('initiate', 'control-log', detailed, (event) => seen.push(event));
  assert.equal(seen.length, 3);
});

test("a refused initiation answers with the reason's sentence; our own verb adds the whole reason", async (t) => {
  const { client, gateway } = await stage(t);
  gateway.initiating = async () => ({ ok: false, reason: REFUSED });
  const one = await client();
  const reply = await one.request('initiate', section(['child', 'net']));
  assert.deepEqual(
    reply,
    new Map([
      ['success', 'no'],
      ['errmsg', REFUSED.text],
    ]),
  );
  const own = await one.request('espalier-initiate', section(['child', 'net']));
  assert.deepEqual([...own.keys()], ['success', 'errmsg', 'reason']);
});

test('a timeout of -1 does not wait, but what fails at once is told', async (t) => {
  const { client, gateway } = await stage(t);
  const one = await client();
  const message = section(['child', 'net'], ['timeout', -1]);
  gateway.initiating = () => new Promise(() => {});
  assert.equal(text(await one.request('initiate', message), 'success'), 'yes');
  gateway.initiating = async () => ({ ok: false, reason: { code: 'no-connection', text: 'there is no child net' } });
  assert.equal(text(await one.request('initiate', message), 'errmsg'), 'there is no child net');
  gateway.terminating = () => new Promise(() => {});
  const reply = await one.request('terminate', section(['ike', 'gw'], ['timeout', -1]));
  assert.deepEqual(reply, section(['success', 'yes'], ['matches', 1], ['terminated', 1]));
});

test('terminate and rekey count, and say as charon does when nothing matches', async (t) => {
  const { client, gateway } = await stage(t);
  const one = await client();
  const done = await one.request('terminate', section(['ike', 'gw'], ['ike-id', 1], ['force', 'yes']));
  assert.deepEqual(done, section(['success', 'yes'], ['matches', 1], ['terminated', 1]));
  assert.deepEqual(gateway.asked, [{ terminate: { ike: 'gw', ikeId: 1, force: true }, timeout: 0 }]);
  gateway.terminating = async () => ({ ok: false, reason: OK, matches: 0, terminated: 0 });
  const none = await one.request('terminate', section(['child-id', 9]));
  const errmsg = 'no matching SAs to terminate found';
  assert.deepEqual(none, section(['success', 'no'], ['matches', 0], ['terminated', 0], ['errmsg', errmsg]));
  assert.deepEqual(await one.request('rekey', section(['ike', 'gw'])), section(['success', 'yes'], ['matches', 1]));
  assert.equal(text(await one.request('rekey', section(['ike', 'x'])), 'errmsg'), 'no matching SAs to rekey found');
});

test('a command without a target, or with a number that is none, is refused and does nothing', async (t) => {
  const { client, gateway } = await stage(t);
  const one = await client();
  const errmsg = async (command: string, message: Section) => text(await one.request(command, message), 'errmsg');
  assert.equal(await errmsg('initiate', new Map()), 'missing configuration name');
  assert.equal(await errmsg('terminate', new Map()), 'missing terminate selector');
  assert.equal(await errmsg('rekey', new Map()), 'missing rekey selector');
  assert.equal(await errmsg('terminate', section(['ike-id', 'all'])), "'ike-id' is not a number");
  assert.equal(await errmsg('terminate', section(['ike', 'gw'], ['child-id', ''])), "'child-id' is not a number");
  assert.equal(await errmsg('initiate', section(['child', 'a'], ['timeout', '1e9'])), "'timeout' is not a number");
  assert.deepEqual(gateway.asked, []);
});

test('a command that throws is our bug: the client is told, and everybody is served on', async (t) => {
  const { client, gateway, bugs } = await stage(t);
  gateway.initiating = () => Promise.reject(new Error('no such thing'));
  const one = await client();
  const reply = await one.request('initiate', section(['child', 'net']));
  assert.equal(text(reply, 'success'), 'no');
  assert.deepEqual(bugs, ['initiate']);
  await alive(one);
});

test('an answer that cannot be encoded is a bug of that answer only', async (t) => {
  const { client, gateway, bugs } = await stage(t);
  gateway.initiating = async (_, tell) => {
    tell(line('x'.repeat(70_000)));
    return { ok: false, reason: { code: 'internal', text: 'y'.repeat(70_000) } };
  };
  const one = await client();
  const reply = await one.stream('initiate', 'control-log', section(['child', 'net']), () => {});
  assert.equal(text(reply, 'errmsg'), "internal error in 'initiate'");
  assert.deepEqual(bugs, ['initiate', 'initiate']);
  await alive(one);
});

test('requests and registrations sent in one go are answered in their order', async (t) => {
  const { path } = await stage(t);
  const raw = (await Raw.connect(t, path)).listen();
  raw.send(
    concat(
      encodePacket({ type: 'register', name: 'list-sa' }),
      encodePacket({ type: 'request', name: 'list-sas', message: new Map() }),
      encodePacket({ type: 'unregister', name: 'list-sa' }),
      encodePacket(VERSION),
    ),
  );
  const packets = await raw.received(5);
  assert.deepEqual(
    packets.map((packet) => packet.type),
    ['confirm', 'event', 'response', 'confirm', 'response'],
  );
});

test('a packet that comes byte by byte is a packet', async (t) => {
  const { path } = await stage(t);
  const raw = (await Raw.connect(t, path)).listen();
  for (const byte of encodePacket(VERSION)) {
    raw.send(Uint8Array.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const [packet] = await raw.received(1);
  assert.equal(packet?.type, 'response');
});

test('a client that has said its last word still gets its answer', async (t) => {
  const { path } = await stage(t);
  const raw = (await Raw.connect(t, path)).listen();
  raw.socket.end(encodePacket(VERSION));
  const [packet] = await raw.received(1);
  assert.equal(packet?.type, 'response');
});

test('what is no vici closes that connection and no other (SECURITY A24)', async (t) => {
  const { path, client, dropped } = await stage(t);
  const witness = await client();
  const deep = new Uint8Array(300_000).map((_, i) => [1, 1, 0x61][i % 3] as number);
  const hostile: readonly (readonly [string, Uint8Array])[] = [
    ['length 0', unhex('00000000')],
    ['length 2^32-1', unhex('ffffffff')],
    ['length 512 KiB and one', unhex('00080001')],
    [
      '10^5 nested sections',
      concat(unhex('000493e9 00 07'), new TextEncoder().encode('version'), deep.subarray(0, 300_000)),
    ],
    ['an unknown type', unhex('00000001 09')],
    ['a response', unhex('00000001 01')],
    ['an event', unhex('00000003 07 01 61')],
    ['a name longer than its packet', unhex('00000003 00 09 61')],
    ['a message cut short', unhex('00000006 00 01 61 03 05 61')],
  ];
  for (const [what, bytes] of hostile) {
    const raw = (await Raw.connect(t, path)).listen();
    raw.send(bytes);
    await raw.closed;
    assert.deepEqual(raw.packets, [], what);
  }
  await alive(witness);
  assert.deepEqual(new Set(dropped.map((gone) => gone.kind)), new Set(['malformed']));
  assert.equal(dropped.length, hostile.length);
});

test('half a frame and then silence holds nobody up, and is forgotten when the client goes', async (t) => {
  const { path, client, server, dropped } = await stage(t);
  const silent = await Raw.connect(t, path);
  silent.send(unhex('00080000 00'));
  const one = await client();
  await alive(one);
  assert.equal(server.clients, 2);
  silent.listen().socket.end();
  await silent.closed;
  await alive(one);
  assert.equal(server.clients, 1);
  assert.deepEqual(dropped, []);
});

test('a hundred clients at once are all served', async (t) => {
  const { client, server } = await stage(t);
  const all = await Promise.all(Array.from({ length: 100 }, client));
  await Promise.all(all.map(alive));
  assert.equal(server.clients, 100);
  for (const one of all.slice(1)) one.close();
  await Promise.all(all.slice(0, 1).map(alive));
});

test('a client that leaves in the middle of a stream takes nothing with it', async (t) => {
  const { path, client, gateway, bugs } = await stage(t);
  gateway.running = Array.from({ length: 5000 }, (_, i) => ({ ...SESSION, id: i + 1 }));
  const raw = await Raw.connect(t, path);
  raw.send({ type: 'register', name: 'list-sa' });
  raw.send({ type: 'request', name: 'list-sas', message: new Map() });
  raw.socket.once('data', () => raw.socket.destroy());
  await raw.closed;
  await alive(await client());
  assert.deepEqual(bugs, []);
});

test('a long list waits for a client that reads slowly, whole and in order', async (t) => {
  const { path, gateway, dropped, client } = await stage(t);
  gateway.running = Array.from({ length: 8000 }, (_, i) => ({ ...SESSION, id: i + 1 }));
  const raw = await Raw.connect(t, path);
  raw.send({ type: 'register', name: 'list-sa' });
  raw.send({ type: 'request', name: 'list-sas', message: new Map() });
  await alive(await client());
  const packets = await raw.listen().received(8002);
  assert.equal(packets.length, 8002);
  assert.equal(packets.at(-1)?.type, 'response');
  assert.deepEqual(dropped, []);
});

/** A server with one command of its own and one event. */
async function plainServer(t: TestContext, more: Partial<ControlOptions> & Partial<Dialect>) {
  const path = join(folder(t), 'vici.sock');
  const options = { uri: `unix://${path}`, commands: new Map(), events: new Set(['log']), ...more };
  const server = await ControlServer.listen(options);
  t.after(() => server.close());
  return { path, server };
}

test('a client that registers for events and does not read them is dropped when its queue is full', async (t) => {
  const drops: Gone[] = [];
  const { path, server } = await plainServer(t, { onDropped: (gone) => drops.push(gone) });
  const lazy = await Raw.connect(t, path);
  const eager = (await Raw.connect(t, path)).listen();
  for (const raw of [lazy, eager]) raw.send({ type: 'register', name: 'log' });
  await eager.received(1);
  // Registrations are served in the order of connections, so the lazy client's stands too.
  const message = section(['msg', 'x'.repeat(60_000)]);
  const rounds = 3 + Math.ceil((2 * MAX_QUEUE) / 60_000);
  for (let i = 0; i < rounds; i++) {
    server.raise('log', () => message);
    await eager.received(i + 2);
  }
  assert.deepEqual(
    drops.map((gone) => gone.kind),
    ['not-reading'],
  );
  assert.equal(eager.packets.length, rounds + 1);
  assert.equal(server.clients, 1);
});

test('a client that sends requests and reads no answers is not read from', async (t) => {
  let answered = 0;
  const answer = section(['data', 'x'.repeat(60_000)]);
  const big = () => {
    answered++;
    return answer;
  };
  const { path } = await plainServer(t, { commands: new Map([['big', big]]) });
  const raw = await Raw.connect(t, path);
  const request = encodePacket({ type: 'request', name: 'big', message: new Map() });
  const count = 2000;
  raw.send(concat(...Array.from({ length: count }, () => request)));
  const other = (await Raw.connect(t, path)).listen();
  other.send({ type: 'request', name: 'big', message: new Map() });
  await other.received(1);
  assert.ok(answered < count / 10, `${answered} answers were made for a client that reads none`);
  const packets = await raw.listen().received(count);
  assert.equal(packets.length, count);
});

test('the socket has mode 0660 whatever the umask, and is gone after close', async (t) => {
  const path = join(folder(t), 'run', 'espalier', 'vici.sock');
  for (const mask of [0o000, 0o077]) {
    const before = process.umask(mask);
    const server = await ControlServer.listen({ uri: `unix://${path}`, commands: new Map(), events: new Set() });
    process.umask(before);
    assert.equal(statSync(path).mode & 0o777, 0o660);
    await server.close();
    assert.equal(existsSync(path), false);
  }
});

test('the socket of a killed daemon is replaced; a live one and other files are left alone', async (t) => {
  const { path } = await plainServer(t, {});
  const options = { commands: new Map(), events: new Set<string>() };
  await assert.rejects(
    ControlServer.listen({ uri: `unix://${path}`, ...options }),
    (error) => error instanceof ControlSocketError && /another daemon listens/.test(error.message),
  );
  await Raw.connect(t, path);

  const file = join(folder(t), 'precious');
  writeFileSync(file, 'data');
  await assert.rejects(ControlServer.listen({ uri: `unix://${file}`, ...options }), /is not a socket/);
  assert.equal(readFileSync(file, 'utf8'), 'data');

  const stale = join(folder(t), 'vici.sock');
  const listenAndDie = `require('net').createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, 9))`;
  assert.equal(spawnSync(process.execPath, ['-e', listenAndDie]).signal, 'SIGKILL');
  assert.equal(lstatSync(stale).isSocket(), true);
  const fresh = await ControlServer.listen({ uri: `unix://${stale}`, ...options });
  await fresh.close();
});

test('an address that is none is refused with what is wrong with it', async () => {
  const options = { commands: new Map(), events: new Set<string>() };
  for (const [uri, why] of [
    ['tcp://127.0.0.1:4502', /not a unix:\/\/ address/],
    ['unix://', /names no path/],
    [`unix:///${'x'.repeat(120)}`, /more than 107 bytes/],
  ] as const) {
    await assert.rejects(ControlServer.listen({ uri, ...options }), why);
  }
});

test('close ends clients that are in the middle of a command', async (t) => {
  let begin = () => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const never = () => {
    begin();
    return new Promise<Section>(() => {});
  };
  const { path, server } = await plainServer(t, { commands: new Map([['never', never]]) });
  const raw = (await Raw.connect(t, path)).listen();
  raw.send({ type: 'request', name: 'never', message: new Map() });
  await begun;
  await server.close();
  await raw.closed;
  assert.deepEqual(raw.packets, []);
});
