// The example of README.md, run as it stands against a strongSwan: what it says is printed is printed, numbers aside.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocks, commands, configurations, OURS, PEERS } from '../docs/blocks.ts';
import { Espalier, type LogLine } from '../support/espalier.ts';
import { INTEROP, lacking } from '../support/needs.ts';
import type { Space } from '../support/netns.ts';
import { inSites } from '../support/sites.ts';
import { StrongSwan } from '../support/strongswan.ts';

const skip = lacking(...INTEROP);

const [ours = '', theirs = ''] = [OURS, PEERS].map((path) => configurations(path)[0]);
/** What README.md tells of the old router, as a strongSwan says it. */
const router = `connections {
  branch {
    version = 1
    remote_addrs = 192.0.2.1
    proposals = aes256-sha256-modp2048
    local {
      auth = psk
    }
    remote {
      auth = psk
    }
    children {
      net {
        local_ts = 10.2.0.0/24
        remote_ts = 10.1.0.0/24
        esp_proposals = aes256-sha256-modp2048
      }
    }
  }
}
secrets {
  ike-branch {
    secret = "use a long random one: openssl rand -base64 33"
  }
}
`;

interface Example {
  readonly us: Espalier;
  readonly peer: StrongSwan;
  readonly host: Space;
}

/** Two sites as in the example. What `change` does to our configuration makes the two disagree. */
async function inExample(
  work: (example: Example) => Promise<void>,
  change = (conf: string) => conf,
  peers = theirs,
): Promise<void> {
  await inSites(async ({ topology, gwa, gwb, hosta }) => {
    const peer = await StrongSwan.start(topology, gwb, { conf: peers });
    const us = await Espalier.start(topology, gwa, { conf: change(ours) });
    await work({ us, peer, host: hosta });
  });
}

/** The log lines that README.md shows, in order. */
function shownLines(): readonly LogLine[] {
  return blocks('json').flatMap(({ text }) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  );
}

/** Durations, amounts and the width of columns differ from one run to the next. */
function blur(text: string): string {
  return text
    .replace(/\b\d+[smhd]( \d+[smhd])?(?=\s)/g, 'TIME')
    .replace(/\b[\d.]+ [kMG]?B (?=in|out)/g, 'BYTES ')
    .replace(/ +/g, ' ')
    .trim();
}

/** Every field that README.md shows is there, and says the same. */
function agrees(us: Espalier, line: LogLine, shown: LogLine | undefined): void {
  const own: LogLine = JSON.parse(JSON.stringify(line).replaceAll(`${us.folder}/espalier.conf`, OURS));
  assert.ok(shown && typeof shown.msg === 'string');
  for (const [key, value] of Object.entries(shown)) {
    if (key === 'time' || key === 'pid') assert.equal(typeof own[key], 'number');
    else assert.deepEqual(own[key], value, key);
  }
}

test('the tunnel of the example comes up, carries pings and is shown as in README.md', { skip }, () =>
  inExample(async ({ us, host }) => {
    await us.line('a child', (line) => line.event === 'child-established');
    const shown = commands();
    assert.deepEqual(
      shown.flatMap(({ command }) => /^espalier (\w+)/.exec(command)?.[1] ?? []),
      ['daemon', 'status', 'down', 'up'],
    );
    for (const { command, output } of shown) {
      const [program, ...args] = command.split(' ');
      if (program === 'ping') {
        const count = Number(args[args.indexOf('-c') + 1]);
        assert.ok(await host.ping(args.at(-1) ?? '', { count }), command);
      }
      const [verb = '', ...rest] = args;
      if (program !== 'espalier' || verb === 'daemon') continue;
      const done = await us.cli(verb, ...rest);
      assert.equal(done.code, 0, done.stderr);
      assert.equal(blur(done.stdout), blur(output), command);
    }
  }),
);

test('the tunnel with an old router comes up and carries pings', { skip }, () =>
  inExample(
    async ({ us, host }) => {
      const line = await us.line('a child', (one) => one.event === 'child-established');
      assert.equal(line.conn, 'office');
      assert.ok(await host.ping('10.2.0.2', { count: 5 }));
      const [shown] = JSON.parse((await us.cli('status', '--json')).stdout);
      assert.equal(shown.sessions[0].version, '1');
      const { io, drops } = JSON.parse((await us.cli('counters', '--json')).stdout);
      assert.ok(io['tun-reads'] >= 5 && io['tun-writes'] >= 5, JSON.stringify(io));
      assert.equal(drops['bad-icv'], undefined);
      const renewed = await us.cli('rekey', 'office');
      assert.equal(renewed.stdout.trim(), 'office: 2 SAs are being renewed');
      await us.line('a new child', (one) => one.event === 'child-rekeyed');
      await us.line('a new IKE SA', (one) => one.event === 'session-rekeyed');
      assert.ok(await host.ping('10.2.0.2', { count: 5 }));
    },
    () => configurations(OURS).find((text) => text.includes('version = 1\n')) ?? '',
    router,
  ),
);

/** What a router is told that has ours from the other end, as strongSwan writes it. AWS's address is another one there. */
function mirrored(conf: string): string {
  const swap: Readonly<Record<string, string>> = {
    '192.0.2.1': '192.0.2.2',
    '192.0.2.2': '192.0.2.1',
    local_ts: 'remote_ts',
    remote_ts: 'local_ts',
  };
  return conf
    .replace(/192\.0\.2\.[12]\b|(?:local|remote)_ts/g, (word) => swap[word] ?? word)
    .replace(/^ *start_action.*\n/gm, '')
    .replace(/^ *retransmit \{[^}]*\}\n/gm, '');
}

for (const name of ['cisco', 'huawei', 'aws-1']) {
  const conf = configurations(OURS).find((text) => text.includes(`  ${name} {`)) ?? '';
  test(`our half of the example for ${name} comes up with a peer that has the same from its end`, { skip }, () => {
    const reached = conf.replaceAll('198.51.100.1', '192.0.2.2');
    return inExample(
      async ({ us, host }) => {
        await us.line('a child', (line) => line.event === 'child-established');
        assert.ok(await host.ping('10.2.0.2', { count: 3 }));
        const child = name === 'aws-1' ? 'vpc-1' : 'net';
        const renewed = await us.cli('rekey', child);
        assert.equal(renewed.code, 0, 'with the group for new keys, which the first child does not need');
        await us.line('a new child', (line) => line.event === 'child-rekeyed');
      },
      () => reached,
      mirrored(reached),
    );
  });
}

test('a wrong secret is logged as README.md shows', { skip }, () =>
  inExample(
    async ({ us }) => {
      const line = await us.line('a failure', (one) => one.event === 'session-closed');
      agrees(us, line, shownLines()[0]);
    },
    (conf) => conf.replace(/secret = ".*"/, 'secret = "another one than the peer has"'),
  ),
);

test('why explains a peer that offers something else as README.md shows', { skip }, () =>
  inExample(
    async ({ us, peer }) => {
      await peer.load(theirs.replace(/ proposals = .*/, ' proposals = aes128-sha256-modp2048'));
      const { code } = await peer.swanctl('--initiate', '--child', 'net', '--timeout', '5');
      assert.notEqual(code, 0);
      await us.line('a refusal', (one) => one.event === 'note');
      const shown = blocks('').find(({ text }) => text.startsWith('office is phase1-failed'))?.text ?? '';
      const done = await us.cli('why', 'office');
      const timeless = (text: string) => text.replace(/\(for \d+s\)/, '').trim();
      assert.equal(timeless(done.stdout.replaceAll(`${us.folder}/espalier.conf`, OURS)), timeless(shown));
    },
    (conf) => conf.replace('start_action = start', 'start_action = none'),
  ),
);
