// Updown programs, real ones, for children that are told to come and go: what they are told, in which order they run, and
// how they are ended. [A19] is about what a peer's identity may do to them.

import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { utf8 } from '../../src/bytes/bytes.ts';
import { Updown } from '../../src/daemon/updown.ts';
import type { Child } from '../../src/ike/connection.ts';
import type { Event } from '../../src/ike/effects.ts';
import type { IkeSa } from '../../src/ike/sa.ts';
import type { ChildState } from '../../src/ike/state.ts';
import { resolveTs } from '../../src/ike/ts.ts';
import { ID } from '../../src/ike/wire/constants.ts';
import type { Identity } from '../../src/ike/wire/payload.ts';
import { Network, within } from '../security/gateways.ts';
import { child, id, selectors } from '../support/connections.ts';

interface Line {
  readonly event: string;
  readonly msg: string;
  readonly verb: string;
  readonly code?: number;
  readonly output?: readonly string[];
}

/** What a program is told, as it says itself: in JSON, a file for each run. */
const WITNESS = `#!${process.execPath}
const fs = require('node:fs');
const [folder] = process.argv.slice(2);
const told = { args: process.argv.slice(3), env: process.env, cwd: process.cwd(), stdin: fs.readFileSync(0, 'utf8') };
const file = folder + '/told-' + String(process.hrtime.bigint()).padStart(20, '0');
fs.writeFileSync(file + '.new', JSON.stringify(told));
fs.renameSync(file + '.new', file);
`;

/** One IKE SA with children, none of which was ever negotiated, and a folder for what their programs leave behind. */
class Stage {
  readonly folder: string;
  readonly lines: Line[] = [];
  readonly updown: Updown;
  readonly #made = new Map<number, ChildState>();
  readonly #configured = new Map<string, Child>();
  readonly #sa: IkeSa;

  constructor(context: TestContext, { limit, sa = {} }: { limit?: number; sa?: object } = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'espalier-updown-'));
    context.after(() => rmSync(this.folder, { recursive: true, force: true }));
    const children = this.#made;
    const state = {
      local: { ip: '192.0.2.1', port: 4500 },
      remote: { ip: '192.0.2.2', port: 40_500 },
      localId: id('left.test'),
      remoteId: id('right.test'),
      ...sa,
      get children() {
        return [...children.values()];
      },
    };
    this.#sa = { state, udp: false, ...sa } as unknown as IkeSa;
    this.updown = new Updown({
      log: pino({ level: 'trace' }, { write: (line: string) => void this.lines.push(JSON.parse(line)) }),
      host: { linkTo: (ip) => (ip === '192.0.2.2' ? 'eth0' : undefined) },
      session: (session) => (session === 7 ? this.#sa : undefined),
      child: (_conn, name) => this.#configured.get(name),
      ...(limit === undefined ? {} : { limit }),
    });
  }

  /** A shell script, or the witness. */
  program(text: string = WITNESS): string {
    const path = join(this.folder, `program-${this.#configured.size}`);
    writeFileSync(path, text.startsWith('#!') ? text : `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  /** A child called `name` has this SA now. */
  comes(number: number, name: string, updown: readonly string[], over: Partial<Child> = {}): void {
    const config = child({ name, updown, ...over });
    this.#configured.set(name, config);
    const [localTs, remoteTs] = [resolveTs(config.localTs, '192.0.2.1'), resolveTs(config.remoteTs, '192.0.2.2')];
    const made = { id: number, name, reqid: 3, protocol: config.protocol, localTs, remoteTs };
    this.#made.set(number, made as unknown as ChildState);
    this.tell({ kind: 'child-established', session: 7, conn: 'gw', child: name, id: number });
  }

  goes(number: number, name: string): void {
    this.#made.delete(number);
    const reason = { code: 'requested', text: 'closed' } as const;
    this.tell({ kind: 'child-closed', session: 7, conn: 'gw', child: name, id: number, reason });
  }

  renewed(number: number, by: number, name: string): void {
    this.tell({ kind: 'child-rekeyed', session: 7, conn: 'gw', child: name, id: number, by });
  }

  tell(event: Event): void {
    this.updown.event(event);
  }

  /** All that was begun or waits has run. */
  async settled(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    await this.updown.close(60_000);
  }

  told(): { args: string[]; env: Record<string, string>; cwd: string; stdin: string }[] {
    const files = readdirSync(this.folder).filter((name) => /^told-\d+$/.test(name));
    return files.sort().map((name) => JSON.parse(readFileSync(join(this.folder, name), 'utf8')));
  }

  read(name: string): string[] {
    const file = join(this.folder, name);
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
  }

  async appears(name: string, lines = 1): Promise<string[]> {
    for (let left = 2000; this.read(name).length < lines; left--) {
      assert.ok(left > 0, `${name} does not come to ${lines} lines`);
      await sleep(10);
    }
    return this.read(name);
  }
}

/** Writes down what happens, so that the order is seen: `stage.read('log')`. */
const note = (what: string) => `echo "${what}" >> "$1/log"`;

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

test('[F] a child that comes and goes has its program run, which is told all of it and nothing else', async (t) => {
  const stage = new Stage(t);
  stage.comes(1, 'net', [stage.program(), stage.folder, '$HOME', '`id`'], { hostAccess: true });
  await new Promise((resolve) => setImmediate(resolve));
  stage.goes(1, 'net');
  await stage.settled();
  const env = {
    PATH,
    PLUTO_VERSION: '1.1',
    PLUTO_VERB: 'up-client',
    PLUTO_CONNECTION: 'net',
    PLUTO_INTERFACE: 'eth0',
    PLUTO_REQID: '3',
    PLUTO_PROTO: 'esp',
    PLUTO_UNIQUEID: '7',
    PLUTO_ME: '192.0.2.1',
    PLUTO_MY_ID: 'left.test',
    PLUTO_MY_CLIENT: '10.1.0.0/24',
    PLUTO_MY_PORT: '0',
    PLUTO_MY_PROTOCOL: '0',
    PLUTO_PEER: '192.0.2.2',
    PLUTO_PEER_ID: 'right.test',
    PLUTO_PEER_CLIENT: '10.2.0.0/24',
    PLUTO_PEER_PORT: '0',
    PLUTO_PEER_PROTOCOL: '0',
    PLUTO_HOST_ACCESS: '1',
  };
  const one = { args: ['$HOME', '`id`'], env, cwd: '/', stdin: '' };
  assert.deepEqual(stage.told(), [one, { ...one, env: { ...env, PLUTO_VERB: 'down-client' } }]);
  assert.deepEqual(
    stage.lines.map(({ event, verb, code }) => [event, verb, code]),
    [
      ['updown', 'up-client', 0],
      ['updown', 'down-client', 0],
    ],
  );
});

test('it is run for each pair of selectors that packets can match, of hosts, ranges, ports and both families', async (t) => {
  const stage = new Stage(t, { sa: { udp: true } });
  const ts = {
    localTs: selectors('10.1.0.0/24', 'dynamic', 'fd00:a::/64'),
    remoteTs: selectors('10.2.0.0/24[tcp/80]', '10.3.0.1-10.3.0.6', 'fd00:b::1'),
  };
  stage.comes(1, 'net', [stage.program(), stage.folder], { ...ts, protocol: 'ah' });
  stage.comes(2, 'icmp', [stage.program(), stage.folder], {
    localTs: selectors('10.1.0.0/24[icmp/2049]'),
    remoteTs: selectors('10.2.0.0/24[icmp]'),
  });
  stage.comes(3, 'range', [stage.program(), stage.folder], {
    localTs: selectors('10.1.0.0/24[udp/100-200]', '10.1.0.0/24[tcp]'),
    remoteTs: selectors('10.2.0.0/24[udp/opaque]'),
  });
  await stage.settled();
  const rows = stage
    .told()
    .map(({ env: e }) =>
      [
        e.PLUTO_CONNECTION,
        e.PLUTO_VERB,
        e.PLUTO_PROTO,
        e.PLUTO_MY_CLIENT,
        e.PLUTO_MY_PROTOCOL,
        e.PLUTO_MY_PORT,
        e.PLUTO_PEER_CLIENT,
        e.PLUTO_PEER_PROTOCOL,
        e.PLUTO_PEER_PORT,
        e.PLUTO_UDP_ENC,
      ].join(' '),
    );
  assert.deepEqual(rows.sort(), [
    'icmp up-client esp 10.1.0.0/24 1 8 10.2.0.0/24 1 1 40500',
    'net up-client ah 10.1.0.0/24 0 0 10.2.0.0/24 6 80 40500',
    'net up-client ah 10.1.0.0/24 0 0 10.3.0.0/29 0 0 40500',
    'net up-client-v6 ah fd00:a::/64 0 0 fd00:b::1/128 0 0 40500',
    'net up-host ah 192.0.2.1/32 0 0 10.2.0.0/24 6 80 40500',
    'net up-host ah 192.0.2.1/32 0 0 10.3.0.0/29 0 0 40500',
    'range up-client esp 10.1.0.0/24 17 100:200 10.2.0.0/24 17 65535:0 40500',
  ]);
});

test('a rekey runs nothing, and the end of the new SA has the values that the first one began with', async (t) => {
  const stage = new Stage(t);
  const script = stage.program(note('$PLUTO_VERB $PLUTO_HOST_ACCESS'));
  stage.comes(1, 'net', [script, stage.folder], { hostAccess: true });
  await stage.appears('log');
  stage.renewed(1, 2, 'net');
  stage.renewed(2, 3, 'net');
  stage.goes(1, 'net');
  stage.goes(2, 'net');
  stage.goes(3, 'net');
  await stage.settled();
  assert.deepEqual(stage.read('log'), ['up-client 1', 'down-client 1']);
});

test('of two SAs that came at once, and one of which gives way, there is one beginning and one end', async (t) => {
  const stage = new Stage(t);
  const updown = [stage.program(note('$PLUTO_VERB')), stage.folder];
  stage.comes(1, 'net', updown);
  await stage.appears('log');
  stage.comes(2, 'net', updown);
  stage.renewed(1, 2, 'net');
  await sleep(50);
  stage.comes(3, 'net', updown);
  stage.renewed(3, 2, 'net');
  await sleep(50);
  assert.deepEqual(stage.read('log'), ['up-client']);
  stage.goes(2, 'net');
  await stage.settled();
  assert.deepEqual(stage.read('log'), ['up-client', 'down-client']);
});

test('two that have both begun both end', async (t) => {
  const stage = new Stage(t);
  const updown = [stage.program(note('$PLUTO_VERB')), stage.folder];
  stage.comes(1, 'net', updown);
  stage.comes(2, 'net', updown);
  await stage.appears('log', 2);
  stage.renewed(1, 2, 'net');
  await stage.appears('log', 3);
  stage.goes(2, 'net');
  await stage.settled();
  assert.deepEqual(stage.read('log'), ['up-client', 'up-client', 'down-client', 'down-client']);
});

test('what ends before anything was run leaves no trace', async (t) => {
  const stage = new Stage(t);
  stage.comes(1, 'net', [stage.program(note('$PLUTO_VERB')), stage.folder]);
  stage.goes(1, 'net');
  await stage.settled();
  assert.deepEqual([stage.read('log'), stage.lines], [[], []]);
});

test('of a child, each run waits for the one before; and what came to an end meanwhile is not begun any more', async (t) => {
  const stage = new Stage(t);
  const slow = `echo "+$PLUTO_VERB $PLUTO_MY_CLIENT" >> "$1/log"
    while [ ! -e "$1/go" ]; do sleep 0.05; done
    echo "-$PLUTO_VERB $PLUTO_MY_CLIENT" >> "$1/log"`;
  const updown = [stage.program(slow), stage.folder];
  stage.comes(1, 'net', updown, { localTs: selectors('10.1.0.0/24', '10.9.0.0/24') });
  await stage.appears('log');
  stage.goes(1, 'net');
  stage.comes(2, 'net', updown);
  stage.goes(2, 'net');
  stage.comes(3, 'net', updown);
  writeFileSync(join(stage.folder, 'go'), '');
  await stage.settled();
  const verbs = ['up-client', 'down-client', 'up-client'];
  const wanted = verbs.flatMap((verb) => [`+${verb} 10.1.0.0/24`, `-${verb} 10.1.0.0/24`]);
  assert.deepEqual(stage.read('log'), wanted);
});

test('[F] eight run at a time, and the others wait in their order', async (t) => {
  const stage = new Stage(t);
  const script = stage.program(
    `${note('+$PLUTO_CONNECTION')}; while [ ! -e "$1/go" ]; do sleep 0.05; done; ${note('-')}`,
  );
  const names = Array.from({ length: 11 }, (_, i) => `net${i}`);
  for (const [i, name] of names.entries()) stage.comes(i + 1, name, [script, stage.folder]);
  await stage.appears('log', 8);
  await sleep(200);
  assert.deepEqual(
    stage.read('log').sort(),
    names.slice(0, 8).map((name) => `+${name}`),
  );
  writeFileSync(join(stage.folder, 'go'), '');
  await stage.settled();
  const log = stage.read('log');
  assert.equal(log.filter((line) => line.startsWith('+')).length, 11);
  let most = 0;
  let now = 0;
  for (const line of log) {
    now += line === '-' ? -1 : 1;
    most = Math.max(most, now);
  }
  assert.equal(most, 8);
});

test('[F] one that takes too long is killed with all that it has started, and its words are told', async (t) => {
  const stage = new Stage(t, { limit: 1500 });
  const script = stage.program(`sleep 1000 & echo "$$ $!" > "$1/pids"; echo "still here"; wait`);
  stage.comes(1, 'net', [script, stage.folder]);
  await stage.settled();
  const [line] = stage.lines;
  assert.deepEqual([line?.event, line?.output], ['updown-failed', ['still here']]);
  assert.match(line?.msg ?? '', /it took longer than 1\.5 s \(still here\)$/);
  const pids = (stage.read('pids')[0] ?? '').split(' ').map(Number);
  assert.equal(pids.length, 2);
  for (const pid of pids) assert.ok(await isGone(pid), `${pid} lives`);
});

async function isGone(pid: number): Promise<boolean> {
  for (let left = 100; left > 0 && !isOver(pid); left--) await sleep(20);
  return isOver(pid);
}

/** Or waits only for somebody to take note of its end. */
function isOver(pid: number): boolean {
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : ') X';
  return /\) [ZX]/.test(stat);
}

test('one that leaves something behind with its output is done when it ends itself', async (t) => {
  const stage = new Stage(t);
  stage.comes(1, 'net', [stage.program('echo ready; sleep 20 & echo $! > "$1/pid"'), stage.folder]);
  await stage.settled();
  const pid = Number(stage.read('pid')[0]);
  assert.ok(!isOver(pid), 'it has not ended, and was not to');
  process.kill(pid, 'SIGKILL');
  assert.deepEqual(
    stage.lines.map(({ event, code, output }) => [event, code, output]),
    [['updown', 0, ['ready']]],
  );
});

test('a failure is told with its exit code and its words, which do nothing to a terminal, and no more of them than a screenful', async (t) => {
  const stage = new Stage(t);
  stage.comes(1, 'bad', [stage.program(`printf 'red \\033[31m\\n\\007second\\n' >&2; exit 3`)]);
  stage.comes(2, 'long', [stage.program('yes "$(printf %0500d 0)" | head -c 2000000')]);
  stage.comes(3, 'missing', ['/nowhere/updown.sh']);
  const plain = stage.program('true');
  chmodSync(plain, 0o644);
  stage.comes(4, 'plain', [plain]);
  stage.goes(3, 'missing');
  await stage.settled();
  const by = (name: string) => stage.lines.find((line) => line.msg.includes(` of ${name}:`));
  assert.deepEqual([by('bad')?.code, by('bad')?.output], [3, ['red \\u{1b}[31m', '\\u{7}second']]);
  assert.match(by('bad')?.msg ?? '', /failed: it ended with 3 \(\\u\{7\}second\)$/);
  assert.equal(by('long')?.code, 0);
  const output = by('long')?.output ?? [];
  assert.ok(output.length > 0 && output.length <= 20 && output.every((line) => line.length <= 200));
  assert.equal(by('missing'), undefined);
  assert.match(by('plain')?.msg ?? '', /failed: it may not be executed: chmod \+x$/);
});

test('a program that is not there is told of when the child comes', async (t) => {
  const stage = new Stage(t);
  stage.comes(1, 'net', ['/nowhere/updown.sh']);
  await stage.settled();
  assert.match(
    stage.lines[0]?.msg ?? '',
    /^updown up-client of net: \/nowhere\/updown\.sh failed: there is no such file/,
  );
});

test('at the end what is to be run is waited for, but not longer than there is time', async (t) => {
  const stage = new Stage(t);
  const hangs = stage.program(`${note('+$PLUTO_CONNECTION $PLUTO_VERB')}; [ $PLUTO_VERB = up-client ] || sleep 1000`);
  stage.comes(1, 'a', [hangs, stage.folder]);
  stage.comes(2, 'b', [stage.program(`sleep 0.2; ${note('+$PLUTO_CONNECTION $PLUTO_VERB')}`), stage.folder]);
  await stage.appears('log', 2);
  stage.goes(1, 'a');
  stage.goes(2, 'b');
  await stage.updown.close(2500);
  await sleep(400);
  assert.deepEqual(stage.read('log').sort(), ['+a down-client', '+a up-client', '+b down-client', '+b up-client']);
  const messages = stage.lines.map(({ msg }) => msg);
  assert.ok(messages.some((text) => text.includes('updown programs of 1 children were not run, or not to their end')));
  assert.ok(messages.some((text) => /down-client of a: .* failed: the gateway stops/.test(text)));
});

const HOSTILE: readonly (readonly [string, string])[] = [
  ['$(touch /tmp/espalier-owned)', '2428746f756368202f746d702f657370616c6965722d6f776e656429'],
  ['`id`', '60696460'],
  ['a.test; reboot', '612e746573743b207265626f6f74'],
  ['a\nPLUTO_VERB=down-host', '610a504c55544f5f564552423d646f776e2d686f7374'],
  ['\u001b[2Jgw', '1b5b324a6777'],
  ['nul\0byte', '6e756c0062797465'],
  ['a b', '612062'],
  ['*', '2a'],
  ["it's", '69742773'],
  ['..\\..', '2e2e5c2e2e'],
  ['grün.test', '6772c3bc6e2e74657374'],
];

test('[A19] an identity that could mean something to a shell, a terminal or a program’s options is told in hexadecimal', async (t) => {
  const kinds = [
    [ID.FQDN, 'fqdn'],
    [ID.RFC822_ADDR, 'email'],
    [ID.KEY_ID, 'keyid'],
  ] as const;
  for (const [type, word] of kinds) {
    for (const [text, digits] of HOSTILE) {
      const stage = new Stage(t, { sa: { remoteId: { type, data: utf8(text) }, localId: { type, data: utf8(text) } } });
      stage.comes(1, 'net', [stage.program('cat /proc/self/environ > "$1/environ"'), stage.folder]);
      await stage.settled();
      const environ = readFileSync(join(stage.folder, 'environ'), 'utf8').split('\0');
      for (const key of ['PLUTO_MY_ID', 'PLUTO_PEER_ID']) {
        assert.ok(
          environ.includes(`${key}=${word}:#${digits}`),
          `${word} ${JSON.stringify(text)}: ${environ.join(' ')}`,
        );
      }
    }
  }
});

test('[A19] identities of every kind and size are told, none of them raw', async (t) => {
  const value = async (remoteId: Identity) => {
    const stage = new Stage(t, { sa: { remoteId } });
    stage.comes(1, 'net', [stage.program(), stage.folder]);
    await stage.settled();
    return stage.told()[0]?.env.PLUTO_PEER_ID;
  };
  assert.equal(await value(id('192.0.2.9')), '192.0.2.9');
  assert.equal(await value(id('2001:db8::9')), '2001:db8::9');
  assert.equal(await value(id('me@gw.test')), 'me@gw.test');
  assert.equal(await value({ type: ID.FQDN, data: utf8('192.0.2.9') }), 'fqdn:192.0.2.9');
  assert.equal(await value({ type: ID.FQDN, data: utf8('-rf') }), 'fqdn:#2d7266');
  assert.equal(await value({ type: ID.RFC822_ADDR, data: utf8('-rf') }), 'email:-rf');
  assert.equal(await value({ type: ID.IPV4_ADDR, data: utf8('$(id)') }), 'ipv4:#2428696429');
  assert.equal(await value({ type: ID.DER_ASN1_DN, data: Uint8Array.of(0x30, 0) }), 'asn1dn:#3000');
  assert.equal(await value({ type: 77, data: utf8('`id`') }), 'type77:#60696460');
  const long = await value({ type: ID.KEY_ID, data: new Uint8Array(65_000).fill(0x24) });
  assert.equal(long, `keyid:#${'24'.repeat(1024)}`);
});

test('[A19] names of connections and links are told no other way', async (t) => {
  const stage = new Stage(t);
  stage.comes(1, '$(id) net', [stage.program(), stage.folder]);
  await stage.settled();
  assert.equal(stage.told()[0]?.env.PLUTO_CONNECTION, '#2428696429206e6574');
});

test('[A19] what a peer has authenticated with reaches the program of a real negotiation harmless', async (t) => {
  const stage = new Stage(t);
  const localId: Identity = { type: ID.FQDN, data: utf8('$(id)\n\u001b[31m') };
  const updown = [stage.program(), stage.folder];
  const network = new Network({ localId, children: [child({ updown })] });
  await within(network, async ({ left, right }) => {
    network.up();
    for (let left = 1000; stage.told().length < 2 && left > 0; left--) await sleep(10);
    const told = stage.told().map(({ env }) => [env.PLUTO_MY_ID, env.PLUTO_PEER_ID, env.PLUTO_PEER]);
    const wild = 'fqdn:#24286964290a1b5b33316d';
    const wanted = [
      [wild, 'right.test', right.ip],
      ['right.test', wild, left.ip],
    ];
    assert.deepEqual(told.sort(), wanted.sort());
  });
});
