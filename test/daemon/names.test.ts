// Peers that are given by name, on a virtual clock and with name servers that say what the test wants: when names are
// looked up, which address counts, and what a connection makes of it.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { formatPrefix, type Prefix, parsePrefix } from '../../src/bytes/ip.ts';
import { Desk } from '../../src/daemon/desk.ts';
import type { Found, Lookup } from '../../src/daemon/lookup.ts';
import { inHosts } from '../../src/daemon/lookup.ts';
import { Names } from '../../src/daemon/names.ts';
import type { AddressPattern, Connection } from '../../src/ike/connection.ts';
import { type Host, Network, NOTHING, within } from '../security/gateways.ts';
import { child, connection, selectors } from '../support/connections.ts';

function named(...names: readonly string[]): readonly AddressPattern[] {
  return names.map((name) => ({ kind: 'name', name }));
}

function single(ip: string): AddressPattern {
  return { kind: 'prefix', prefix: parsePrefix(ip) as Prefix };
}

const NOWHERE: Found = { ok: false, text: 'there is no such name' };

function at(...addresses: readonly string[]): Found {
  return { ok: true, addresses };
}

/** Name servers, a clock, and what was asked when. */
class Stage {
  now = 0;
  readonly asked: string[] = [];
  readonly answers = new Map<string, Found | 'silence'>();
  readonly told: string[] = [];
  readonly lines: { readonly event: string; readonly msg: string }[] = [];
  readonly names: Names;
  onReady = () => {};
  aborted = 0;

  constructor(context: TestContext) {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    this.names = new Names({
      lookup: this.lookup,
      now: () => this.now,
      log: pino({ level: 'trace' }, { write: (line: string) => void this.lines.push(JSON.parse(line)) }),
      onMoved: (names) => void this.told.push(`${this.now} moved ${[...names].sort().join(' ')}`),
      onReady: (conn) => {
        this.told.push(`${this.now} ready ${conn}`);
        this.onReady();
      },
    });
    context.after(() => this.names.close());
    this.#tick = (by) => context.mock.timers.tick(by);
  }

  readonly #tick: (by: number) => void;

  readonly lookup: Lookup = (name, signal) => {
    this.asked.push(`${this.now} ${name}`);
    const answer = this.answers.get(name) ?? NOWHERE;
    if (answer !== 'silence') return Promise.resolve(answer);
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        this.aborted++;
        reject(new Error('aborted'));
      });
    });
  };

  /** Time passes, and what was answered arrives. */
  async pass(time: number): Promise<void> {
    await turn();
    for (const end = this.now + time; this.now < end; ) {
      const step = Math.min(100, end - this.now);
      this.now += step;
      this.#tick(step);
      await turn();
    }
  }

  known(conn: Connection): string[] {
    return this.names
      .known(conn)
      .remoteAddrs.map((one) => (one.kind === 'prefix' ? formatPrefix(one.prefix) : one.kind));
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test('a name is looked up when it is configured and every minute, and each change is told', async (t) => {
  const stage = new Stage(t);
  const conn = connection({ remoteAddrs: [...named('gw.test'), single('192.0.2.77')] });
  stage.answers.set('gw.test', at('192.0.2.2', '2001:db8::2'));
  stage.names.configure([conn, connection({ name: 'other' })]);
  assert.deepEqual(stage.known(conn), ['192.0.2.77/32']);
  await stage.pass(1000);
  assert.deepEqual(stage.known(conn), ['192.0.2.2/32', '2001:db8::2/128', '192.0.2.77/32']);
  stage.answers.set('gw.test', at('2001:db8::2', '192.0.2.2'));
  await stage.pass(60_000);
  stage.answers.set('gw.test', at('192.0.2.3'));
  await stage.pass(60_000);
  assert.deepEqual(stage.known(conn), ['192.0.2.3/32', '192.0.2.77/32']);
  assert.deepEqual(stage.asked, ['0 gw.test', '60000 gw.test', '120000 gw.test']);
  assert.deepEqual(stage.told, ['100 moved gw.test', '120100 moved gw.test']);
  assert.deepEqual(
    stage.lines.map(({ msg }) => msg),
    ['gw.test is 192.0.2.2, 2001:db8::2', 'gw.test is 192.0.2.3, and was 2001:db8::2, 192.0.2.2'],
  );
});

test('while a name cannot be resolved its last address counts, and the waits double up to a minute', async (t) => {
  const stage = new Stage(t);
  const conn = connection({ remoteAddrs: named('gw.test') });
  stage.answers.set('gw.test', at('192.0.2.2'));
  stage.names.configure([conn]);
  await stage.pass(100);
  stage.answers.set('gw.test', { ok: false, text: 'no name server answers' });
  await stage.pass(299_900);
  assert.deepEqual(stage.known(conn), ['192.0.2.2/32']);
  assert.equal(stage.names.trouble(conn), undefined);
  const times = stage.asked.map((line) => Number.parseInt(line, 10) / 1000);
  assert.deepEqual(times, [0, 60, 65, 75, 95, 135, 195, 255]);
  stage.answers.set('gw.test', at('192.0.2.2'));
  await stage.pass(60_000);
  assert.deepEqual(
    stage.lines.map(({ event, msg }) => [event, msg]),
    [
      ['name-resolved', 'gw.test is 192.0.2.2'],
      ['name-unresolved', 'gw.test cannot be resolved: no name server answers; it is taken to be 192.0.2.2 still'],
      ['name-resolved', 'gw.test can be resolved again: 192.0.2.2'],
    ],
  );
});

test('whoever asks waits for a new look-up, which connections with the same name share', async (t) => {
  const stage = new Stage(t);
  const [a, b] = ['a', 'b'].map((name) => connection({ name, remoteAddrs: named('gw.test') }));
  assert.ok(a && b);
  stage.answers.set('gw.test', at('192.0.2.2'));
  stage.names.configure([a, b]);
  assert.deepEqual([stage.names.ask(a), stage.names.ask(b)], [true, true]);
  await stage.pass(500);
  assert.deepEqual([stage.names.ask(a), stage.names.ask(connection())], [false, false], 'that was just now');
  await stage.pass(9500);
  assert.equal(stage.names.ask(a), true);
  await stage.pass(1);
  assert.deepEqual(stage.asked, ['0 gw.test', '10000 gw.test']);
  assert.deepEqual(stage.told, ['0 ready a', '0 ready b', '100 moved gw.test', '10000 ready a']);
});

test('nobody is waited for longer than five seconds, and the look-up is called back', async (t) => {
  const stage = new Stage(t);
  const conn = connection({ remoteAddrs: named('gw.test') });
  stage.answers.set('gw.test', 'silence');
  stage.names.configure([conn]);
  assert.equal(stage.names.ask(conn), true);
  await stage.pass(4900);
  assert.deepEqual([stage.told, stage.aborted], [[], 0]);
  await stage.pass(100);
  assert.deepEqual([stage.told, stage.aborted], [['5000 ready gw'], 1]);
  const { where, ...reason } = stage.names.trouble(conn) ?? {};
  assert.deepEqual(reason, {
    code: 'name-unresolved',
    text: 'gw.test cannot be resolved: no answer within 5 s',
    by: 'us',
    remedy:
      'correct the name in remote_addrs, or write the address there; what this host knows of it: getent ahosts gw.test',
  });
});

test('a connection with several names waits for all of them, and begins with what it has', async (t) => {
  const stage = new Stage(t);
  const conn = connection({ remoteAddrs: named('slow.test', 'gw.test', 'none.test') });
  stage.answers.set('slow.test', 'silence').set('gw.test', at('192.0.2.2'));
  stage.names.configure([conn]);
  let begun = 0;
  // What the gateway does then: it asks again, and is not sent away.
  stage.onReady = () => {
    if (!stage.names.ask(conn)) begun++;
  };
  assert.equal(stage.names.ask(conn), true);
  await stage.pass(5000);
  assert.equal(begun, 1);
  assert.deepEqual(
    stage.asked.filter((line) => line.endsWith('gw.test')),
    ['0 gw.test'],
    'it is not begun all over',
  );
  assert.deepEqual(stage.known(conn), ['192.0.2.2/32']);
  assert.equal(stage.names.trouble(conn), undefined);
});

test('so many names are looked up at a time, and the others have their turn', async (t) => {
  const stage = new Stage(t);
  const conns = Array.from({ length: 50 }, (_, i) => connection({ name: `c${i}`, remoteAddrs: named(`gw${i}.test`) }));
  for (let i = 0; i < 40; i++) stage.answers.set(`gw${i}.test`, 'silence');
  stage.names.configure(conns);
  await stage.pass(4900);
  assert.equal(stage.asked.length, 32);
  await stage.pass(200);
  assert.equal(stage.asked.length, 50);
});

test('names that are configured no more are forgotten, and the end calls everything back', async (t) => {
  const stage = new Stage(t);
  const [gone, left] = ['gone', 'left'].map((name) => connection({ name, remoteAddrs: named(`${name}.test`) }));
  assert.ok(gone && left);
  stage.answers.set('gone.test', at('192.0.2.2')).set('left.test', at('192.0.2.3'));
  stage.names.configure([gone, left]);
  await stage.pass(1000);
  assert.equal(stage.names.ask(gone), true);
  stage.names.configure([left]);
  await stage.pass(60_000);
  assert.deepEqual(stage.told, ['100 moved gone.test left.test']);
  assert.deepEqual(stage.asked.slice(2), ['1000 gone.test', '60000 left.test']);
  stage.answers.set('left.test', 'silence');
  await stage.pass(60_000);
  assert.equal(stage.names.ask(left), true);
  stage.names.close();
  await stage.pass(300_000);
  assert.deepEqual([stage.asked.length, stage.aborted, stage.told.length], [5, 1, 1]);
});

test('/etc/hosts is read as hosts(5) has it', () => {
  const text = [
    '127.0.0.1\tlocalhost',
    '  192.0.2.2   GW.test gw  # 192.0.2.99 comment.test',
    '# 192.0.2.98 gw.test',
    '2001:db8:0::2 gw.test\r',
    '192.0.2.2 gw.test',
    'nonsense gw.test',
    '0.0.0.0 blocked.test',
    '224.0.0.1 group.test',
    'fe80::1%eth0 link.test',
  ].join('\n');
  assert.deepEqual(inHosts(text, 'gw.test'), ['192.0.2.2', '2001:db8::2']);
  assert.deepEqual(inHosts(text, 'gw.test.'), ['192.0.2.2', '2001:db8::2']);
  assert.deepEqual(inHosts(text, 'gw'), ['192.0.2.2']);
  for (const name of ['comment.test', 'blocked.test', 'group.test', 'link.test', '192.0.2.2', 'w.test']) {
    assert.deepEqual(inHosts(text, name), [], name);
  }
});

// --- in a gateway ------------------------------------------------------------------------------------------------------------

/** Two gateways of which the left one knows the right one by name. */
class Pair {
  readonly network: Network;
  readonly #tick: (by: number) => void;
  answer: Found | Promise<Found> = NOWHERE;
  asked = 0;

  constructor(context: TestContext, over: Partial<Connection> = {}) {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    this.#tick = (by) => context.mock.timers.tick(by);
    const lookup: Lookup = () => {
      this.asked++;
      return Promise.resolve(this.answer);
    };
    this.network = new Network(
      { remoteAddrs: named('gw.test'), ...over },
      { lookup, rightHas: { remoteAddrs: [{ kind: 'any' }] } },
    );
  }

  async pass(time: number): Promise<void> {
    await turn();
    for (const end = this.network.now + time; this.network.now < end; ) {
      this.network.now += 100;
      this.#tick(100);
      this.network.net.settle();
      await turn();
    }
  }

  get life() {
    const [life] = this.network.left.gateway.lives.values();
    assert.ok(life);
    return life;
  }

  get status() {
    const { state, reason } = this.life.status(this.network.now);
    return [state, reason.code];
  }

  /** Whom the left one has sent IKE to. */
  called(): string[] {
    const flights = this.network.flights.splice(0);
    return [...new Set(flights.filter(({ from }) => from.ip === this.network.left.ip).map(({ to }) => to.ip))];
  }

  peers({ gateway }: Host = this.network.left): string[] {
    return gateway.endpoint.sessions().map(({ state }) => state.remote.ip);
  }
}

test('a connection whose peer has no address fails with the reason, tries again as ever, and comes up when it has one', (t) => {
  const pair = new Pair(t);
  return within(pair.network, async ({ left: { gateway } }) => {
    gateway.up(pair.life, ['net']);
    assert.deepEqual(pair.status, ['connecting', 'ok']);
    await pair.pass(100);
    assert.deepEqual(pair.status, ['phase1-failed', 'name-unresolved']);
    const { text, where, remedy } = pair.life.status(0).reason;
    assert.deepEqual([text, where?.line], ['gw.test cannot be resolved: there is no such name', undefined]);
    assert.match(remedy ?? '', /getent ahosts gw\.test$/);
    const before = pair.asked;
    await pair.pass(12_000);
    assert.ok(pair.asked > before);
    assert.deepEqual([pair.status, pair.called()], [['phase1-failed', 'name-unresolved'], []]);
    // A place where nobody is, and the right one when it is called again.
    pair.answer = at('192.0.2.99');
    await pair.pass(12_000);
    assert.deepEqual(pair.called(), ['192.0.2.99']);
    pair.answer = at(pair.network.right.ip);
    await pair.pass(31_000);
    assert.deepEqual([pair.status[0], pair.peers()], ['connected', [pair.network.right.ip]]);
  });
});

test('[G] an attempt while names cannot be resolved goes to the last known address', (t) => {
  const pair = new Pair(t);
  return within(pair.network, async ({ left: { gateway }, right }) => {
    pair.answer = at(right.ip);
    gateway.protect();
    gateway.start();
    await pair.pass(100);
    pair.answer = NOWHERE;
    await pair.pass(300_000);
    gateway.up(pair.life, ['net']);
    await pair.pass(200);
    assert.deepEqual([pair.status, pair.peers()], [['connected', 'ok'], [right.ip]]);
  });
});

test('a connection that is taken down while its name is looked up does not begin', (t) => {
  const pair = new Pair(t);
  return within(pair.network, async ({ left: { gateway }, right }) => {
    pair.answer = at(right.ip);
    gateway.up(pair.life, ['net']);
    gateway.down(pair.life, ['net']);
    await pair.pass(1000);
    assert.deepEqual([pair.status[0], pair.called()], ['down', []]);
  });
});

test('an address that does not answer is not called again before the others of its name', (t) => {
  const pair = new Pair(t);
  return within(pair.network, async ({ left: { gateway }, right }) => {
    pair.answer = at('192.0.2.98', '192.0.2.99', right.ip);
    gateway.up(pair.life, ['net']);
    const calls: string[][] = [];
    for (let attempt = 0; attempt < 3; attempt++) {
      await pair.pass(31_500);
      calls.push(pair.called());
    }
    assert.deepEqual([...new Set(calls.flat())], ['192.0.2.98', '192.0.2.99', right.ip]);
    assert.deepEqual([pair.status[0], pair.peers()], ['connected', [right.ip]]);
    // The one that answered is where it begins again.
    const [session] = gateway.endpoint.sessions();
    assert.ok(session);
    const gone = { code: 'peer-dead', text: 'gone', by: 'us' } as const;
    gateway.run(gateway.endpoint.abandon(pair.network.now, session.state.id, gone));
    await pair.pass(2000);
    gateway.up(pair.life, ['net']);
    await pair.pass(2000);
    assert.ok(!pair.called().includes('192.0.2.98'));
    assert.deepEqual([pair.status[0], pair.peers()], ['connected', [right.ip]]);
  });
});

test('whoever waits for a connection is told when it goes, or is taken down, while its name is looked up', async (t) => {
  const net = child({ name: 'net' });
  const ends: readonly [string, string, (desk: Desk, conn: Connection) => unknown][] = [
    ['no-connection', 'it is configured no more', (desk) => desk.reload()],
    ['no-connection', 'it is configured no more', (desk) => desk.unloadConnection('gw')],
    ['no-connection', 'it is configured no more', (desk, conn) => desk.loadConnection({ ...conn, children: [] })],
    ['requested', 'taken down', (desk) => desk.terminate({ ike: 'gw' }, 0, () => {})],
    ['requested', 'taken down', (desk) => desk.terminate({ child: 'net' }, 0, () => {})],
    ['admin-down', 'its management status is DOWN', (desk) => desk.manage({ ike: 'gw' }, true)],
  ];
  const pair = new Pair(t, { children: [net] });
  pair.answer = new Promise(() => {});
  await within(pair.network, async ({ left: { gateway } }) => {
    const { conn } = pair.life;
    const desk = new Desk(gateway, NOTHING);
    for (const [code, text, end] of ends) {
      if (gateway.lives.get('gw')?.conn !== conn) desk.loadConnection(conn);
      let told: readonly unknown[] = [];
      const waits = desk.initiate({ ike: 'gw' }, 0, () => {});
      waits.then(({ ok, reason }) => {
        told = [ok, reason.code, reason.text];
      });
      await turn();
      assert.deepEqual(told, [], 'it waits');
      await end(desk, conn);
      await turn();
      assert.deepEqual(told, [false, code, text], `${end}`);
    }
  });
});

test('a connection that is given another peer while it waits for the name of the first one goes to the other', (t) => {
  const pair = new Pair(t);
  return within(pair.network, async ({ left: { gateway } }) => {
    const other = (remoteAddrs: readonly AddressPattern[]) => {
      const changed = { ...pair.life.conn, remoteAddrs };
      gateway.change((connections) => connections.configure((configuration) => configuration.load(changed)));
    };
    pair.answer = new Promise(() => {});
    gateway.up(pair.life, ['net']);
    await pair.pass(100);
    pair.answer = at('192.0.2.98');
    other(named('other.test'));
    await pair.pass(100);
    assert.deepEqual(pair.called(), ['192.0.2.98']);
    other([single('192.0.2.97')]);
    await pair.pass(100);
    assert.deepEqual(pair.called(), ['192.0.2.97']);
  });
});

test('a peer is let in from where its name says it is, and what stands goes on when the name moves', (t) => {
  const pair = new Pair(t);
  return within(pair.network, async ({ left, right, now }) => {
    const [theirs] = right.gateway.lives.values();
    assert.ok(theirs);
    const call = async () => {
      const { endpoint } = right.gateway;
      right.gateway.run(endpoint.initiate(now, theirs.conn, right.ip, left.ip).effects);
      await pair.pass(200);
    };
    pair.answer = at('192.0.2.99');
    left.gateway.protect();
    left.gateway.start();
    await pair.pass(100);
    await call();
    assert.deepEqual(pair.peers(), [], 'from elsewhere');
    pair.answer = at('192.0.2.98', right.ip);
    await pair.pass(60_000);
    await call();
    assert.deepEqual([pair.peers(), pair.status[0]], [[right.ip], 'connected']);
    pair.answer = at('192.0.2.99');
    await pair.pass(120_000);
    assert.deepEqual([pair.peers(), pair.status[0]], [[right.ip], 'connected']);
  });
});

test('a trap for the peer itself is laid when its address is known, and again when it moves', (t) => {
  const trapped = child({
    localTs: selectors('dynamic'),
    remoteTs: selectors('dynamic'),
    mode: 'transport',
    startAction: 'trap',
  });
  const pair = new Pair(t, { children: [trapped] });
  return within(pair.network, async ({ left: { gateway } }) => {
    const { plane } = gateway.forwarder;
    const laid: string[] = [];
    t.mock.method(
      plane,
      'trap',
      (policy: number, _kind: string, _local: unknown, [remote]: [{ start: Uint8Array }]) =>
        void laid.push(`${policy} ${remote.start.join('.')}`),
    );
    t.mock.method(plane, 'untrap', (policy: number) => void laid.push(`${policy} goes`));
    gateway.protect();
    gateway.start();
    await pair.pass(100);
    assert.deepEqual(laid, []);
    pair.answer = at('192.0.2.2');
    await pair.pass(6000);
    pair.answer = at('192.0.2.3');
    await pair.pass(61_000);
    assert.deepEqual(laid, ['1 192.0.2.2', '1 goes', '2 192.0.2.3']);
    assert.equal(pair.status[0], 'waiting');
  });
});
