import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, unhex } from '../../src/bytes/bytes.ts';
import { lacking } from '../support/needs.ts';
import { udpPacket } from './packet.ts';
import { gateway, MARK, SIDES, site } from './site.ts';
import { type Agent, inSpaces, type Space, unable } from './space.ts';
import { withoutNetfilter } from './withoutnetfilter.ts';

// Guards as sets of nf_tables, as the nft command sees them. What both ways of guarding have in common is tested in
// route.test.ts.

const OPTIONS = { skip: unable() || lacking('nft'), timeout: 60_000 };
const TABLES = ['ip', 'ip6'] as const;
type Family = (typeof TABLES)[number];

interface Listed {
  readonly table?: { readonly family: string; readonly name: string };
  readonly rule?: {
    readonly chain: string;
    readonly expr: readonly { readonly counter?: { readonly packets: number } }[];
  };
  readonly set?: { readonly name: string; readonly elem?: readonly string[] };
}

function list(space: Space, what: string): readonly Listed[] {
  const { nftables } = JSON.parse(space.exec('nft', '-j', 'list', ...what.split(' '))) as { nftables: Listed[] };
  return nftables;
}

function tables(space: Space): string[] {
  return list(space, 'tables').flatMap(({ table }) => (table ? [`${table.family} ${table.name}`] : []));
}

/** Names and elements. */
function sets(space: Space, family: Family): Record<string, readonly string[]> {
  const all = list(space, `table ${family} espalier`).flatMap(({ set }) => (set ? [set] : []));
  return Object.fromEntries(all.map(({ name, elem = [] }) => [name, [...elem].sort()]));
}

/** What every forwarded packet is held against, in nft's own words. */
function rules(space: Space, family: Family): string[] {
  const lines = space.exec('nft', 'list', 'chain', family, 'espalier', 'forward').split('\n');
  return lines.map((line) => line.trim()).filter((line) => /accept$|forged$/.test(line));
}

function forged(space: Space, family: Family): number | undefined {
  const rule = list(space, `chain ${family} espalier forged`).find((one) => one.rule)?.rule;
  return rule?.expr.find(({ counter }) => counter)?.counter?.packets;
}

/** True when a packet of the forger arrives in the LAN; one of an honest host behind it arrives in any case. */
async function passes(agents: Record<'wan' | 'lan', Agent>, { forged, honest, inside }: (typeof SIDES)[number]) {
  for (const [text, from] of [['0bad', forged] as const, ['aaaa', honest] as const]) {
    await agents.wan.call('udp-send', { hex: text, from, to: inside, toPort: 7000 });
  }
  const first = (await agents.lan.next('udp')).hex;
  if (first === '0bad') assert.equal((await agents.lan.next('udp')).hex, 'aaaa');
  return first === '0bad';
}

function familyOf({ version }: (typeof SIDES)[number]): Family {
  return version === '4' ? 'ip' : 'ip6';
}

test('guarded and exempted networks are members of sets, and no rule of routing is theirs', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    const agent = await gateway(space, 'nftables');
    assert.deepEqual(tables(space), ['ip espalier', 'ip6 espalier']);
    for (const family of TABLES) assert.deepEqual(rules(space, family), ['iif "esp0" accept']);
    const before = [space.ip('-4 rule'), space.ip('-6 rule')];
    for (const prefix of ['10.2.3.4/16', '10.3.0.0/16', '10.0.0.0/8', '10.2.0.9/32', 'fd02::/64', 'fd02::9/128']) {
      await agent.call('guard', { prefix });
    }
    for (const prefix of ['10.2.9.0/24', 'fd02::/80']) await agent.call('exempt', { prefix });
    assert.deepEqual(sets(space, 'ip'), {
      'guarded-16': ['10.2.0.0', '10.3.0.0'],
      'guarded-8': ['10.0.0.0'],
      'guarded-32': ['10.2.0.9'],
      'exempt-24': ['10.2.9.0'],
    });
    assert.deepEqual(rules(space, 'ip'), [
      'iif "esp0" accept',
      'ip saddr & 255.255.255.0 == @exempt-24 accept',
      'ip saddr & 255.255.0.0 == @guarded-16 goto forged',
      'ip saddr & 255.0.0.0 == @guarded-8 goto forged',
      'ip saddr @guarded-32 goto forged',
    ]);
    assert.deepEqual(sets(space, 'ip6'), {
      'guarded-64': ['fd02::'],
      'guarded-128': ['fd02::9'],
      'exempt-80': ['fd02::'],
    });
    assert.deepEqual(rules(space, 'ip6'), [
      'iif "esp0" accept',
      'ip6 saddr & ffff:ffff:ffff:ffff:ffff:: == @exempt-80 accept',
      'ip6 saddr & ffff:ffff:ffff:ffff:: == @guarded-64 goto forged',
      'ip6 saddr @guarded-128 goto forged',
    ]);
    assert.deepEqual([space.ip('-4 rule'), space.ip('-6 rule')], before);
    for (const prefix of ['10.2.0.0/16', '10.0.0.0/8', 'fd02::/64']) await agent.call('unguard', { prefix });
    await agent.call('unexempt', { prefix: '10.2.9.0/24' });
    assert.deepEqual(sets(space, 'ip'), { 'guarded-16': ['10.3.0.0'], 'guarded-32': ['10.2.0.9'] });
    assert.equal(rules(space, 'ip').length, 3);
    assert.equal(rules(space, 'ip6').length, 3);
    await agent.call('routes-close');
    assert.deepEqual(tables(space), []);
  });
});

test('what is dropped is counted, and nothing else is', OPTIONS, async () => {
  await site('nftables', async (_wan, gate, _lan, agents) => {
    for (const side of SIDES) {
      const { remote, inside } = side;
      await agents.gate.call('route', { prefix: remote });
      await agents.gate.call('guard', { prefix: remote });
      assert.equal(await passes(agents, side), false);
      assert.equal(await passes(agents, side), false);
      const packet = udpPacket({ ip: side.forged, port: 7000 }, { ip: inside, port: 7000 }, unhex('bbbb'));
      await agents.gate.call('tun-write', { hex: hex(packet) });
      assert.equal((await agents.lan.next('udp')).hex, 'bbbb');
      // Another length of prefix changes the rules, and not the count.
      await agents.gate.call('guard', { prefix: side.version === '4' ? '10.7.0.0/24' : 'fd07::/48' });
      assert.equal(forged(gate, familyOf(side)), 2);
    }
  });
});

test(
  'overlapping and equal networks of several children are guarded until the last of them goes',
  OPTIONS,
  async () => {
    await site('nftables', async (_wan, _gate, _lan, agents) => {
      for (const side of SIDES) {
        const all =
          side.version === '4'
            ? ['10.0.0.0/8', '10.2.0.0/16', '10.2.0.0/16', '10.2.0.9/32']
            : ['fd00::/8', 'fd02::/64', 'fd02::/64', 'fd02::9/128'];
        for (const prefix of all) await agents.gate.call('guard', { prefix });
        // An adjacent one is another one.
        await agents.gate.call('guard', { prefix: side.version === '4' ? '10.3.0.0/16' : 'fd02:0:0:1::/64' });
        for (const prefix of all) {
          assert.equal(await passes(agents, side), false, prefix);
          await agents.gate.call('unguard', { prefix });
        }
        assert.equal(await passes(agents, side), true);
      }
    });
  },
);

test('[E5] guards outlive a killed gateway, and the next one sweeps them away, and nothing else', OPTIONS, async () => {
  await site('nftables', async (_wan, gate, _lan, agents) => {
    gate.exec('nft', 'add table ip other; add set ip other espalier { type ipv4_addr; }');
    for (const { remote } of SIDES) await agents.gate.call('guard', { prefix: remote });
    await agents.gate.kill();
    for (const side of SIDES) assert.equal(await passes(agents, side), false);
    const next = await gateway(gate, 'nftables');
    assert.deepEqual(tables(gate).sort(), ['ip espalier', 'ip other', 'ip6 espalier']);
    for (const family of TABLES) assert.deepEqual(sets(gate, family), {});
    for (const side of SIDES) {
      assert.equal(await passes(agents, side), true);
      await next.call('guard', { prefix: side.remote });
      assert.equal(await passes(agents, side), false);
    }
  });
});

test('each way to guard sweeps away what a dead predecessor left of the other', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    const guards = ['10.2.0.0/16', 'fd02::/64'];
    const first = await gateway(space, 'nftables');
    for (const prefix of guards) await first.call('guard', { prefix });
    await first.kill();
    const second = await gateway(space, 'rules');
    assert.deepEqual(tables(space), []);
    for (const prefix of guards) await second.call('guard', { prefix });
    assert.match(
      space.ip('-4 rule') + space.ip('-6 rule'),
      /219:\s+from 10.2.0.0\/16 blackhole[\s\S]*219:\s+from fd02::\/64/,
    );
    await second.kill();
    await gateway(space, 'nftables');
    assert.doesNotMatch(space.ip('-4 rule') + space.ip('-6 rule'), /blackhole|iif lo/);
  });
});

test('a flush of all of nf_tables is made good, however much it took', OPTIONS, async () => {
  await site('nftables', async (_wan, gate, _lan, agents) => {
    for (const { remote } of SIDES) await agents.gate.call('guard', { prefix: remote });
    await agents.gate.call('exempt', { prefix: '10.2.7.0/24' });
    await agents.gate.call('guard-many', { prefix: '10.64.0.0/24', count: 5000 });
    const before = TABLES.map((family) => sets(gate, family));
    for (let times = 0; times < 2; times++) {
      gate.exec('nft', 'flush ruleset');
      assert.equal((await agents.gate.next('guards')).from, 'restored');
      assert.deepEqual(
        TABLES.map((family) => sets(gate, family)),
        before,
      );
      for (const side of SIDES) assert.equal(await passes(agents, side), false);
    }
  });
});

test('a change that comes upon a deleted table or set makes all of it anew', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    const agent = await gateway(space, 'nftables');
    await agent.call('guard', { prefix: '10.2.0.0/16' });
    await agent.call('guard', { prefix: '10.3.0.0/16' });
    for (const change of ['flush set ip espalier guarded-16', 'delete table ip espalier']) {
      space.exec('nft', change);
      await agent.call('unguard', { prefix: '10.2.0.0/16' });
      assert.deepEqual(sets(space, 'ip'), { 'guarded-16': ['10.3.0.0'] });
      await agent.call('guard', { prefix: '10.2.0.0/16' });
    }
    space.exec('nft', 'flush ruleset');
    await agent.call('routes-close');
    assert.deepEqual(tables(space), []);
  });
});

test('ten thousand guarded networks are installed in seconds, and add no rule', {
  ...OPTIONS,
  timeout: 120_000,
}, async () => {
  await inSpaces(1, async (space) => {
    const agent = await gateway(space, 'nftables');
    const routing = [space.ip('-4 rule'), space.ip('-6 rule')];
    const many = { 'ip 10.64.0.0/24': 6000, 'ip 172.16.0.0/32': 1000, 'ip6 fd02::/64': 3000 };
    const started = performance.now();
    for (const [name, count] of Object.entries(many)) {
      await agent.call('guard-many', { prefix: name.split(' ')[1] ?? '', count });
    }
    const took = performance.now() - started;
    assert.ok(took < 30_000, `${took} ms`);
    const sizes = TABLES.map((family) => Object.values(sets(space, family)).map(({ length }) => length));
    assert.deepEqual(sizes, [[6000, 1000], [3000]]);
    // One for what comes out of the tunnel, and one for each length.
    assert.deepEqual(
      TABLES.map((family) => rules(space, family).length),
      [3, 2],
    );
    assert.deepEqual([space.ip('-4 rule'), space.ip('-6 rule')], routing);
  });
});

test(
  'networks that are guarded together are one transaction, and what nobody guards then is free again',
  OPTIONS,
  async () => {
    await inSpaces(1, async (space) => {
      const agent = await gateway(space, 'nftables');
      const many = Array.from({ length: 50 }, (_, n) => `10.64.${n}.0/24`);
      const all = [...many, ...many, '10.2.3.4/16', 'fd02::/64', '0.0.0.0/0'].join(' ');
      assert.equal(await agent.call('guard-together', { all, some: `${all} 10.2.0.0/16` }), 3, 'one for each length');
      const guarded = many.map((text) => text.replace('/24', '')).sort();
      assert.deepEqual(sets(space, 'ip'), { 'guarded-24': guarded, 'guarded-16': ['10.2.0.0'] });
      assert.deepEqual(sets(space, 'ip6'), { 'guarded-64': ['fd02::'] });
      assert.equal(rules(space, 'ip').length, 3);
      assert.equal(await agent.call('guard-together', { all, some: '10.64.0.0/24' }), 0, 'all of them are there');
      for (const prefix of [...many, ...many, '10.64.0.0/24', '10.2.0.0/16']) await agent.call('unguard', { prefix });
      assert.deepEqual(sets(space, 'ip'), { 'guarded-16': ['10.2.0.0'] }, 'twice guarded, once not');
      const some = { all: '10.7.0.0/24 10.8.0.0/24 10.9.0.0/16', some: '10.8.0.0/24' };
      await agent.call('guard-together', some);
      assert.deepEqual(sets(space, 'ip'), { 'guarded-16': ['10.2.0.0'], 'guarded-24': ['10.8.0.0'] });
    });
  },
);

test(
  'where the kernel refuses the lot, each network is guarded by itself, and refused by itself',
  OPTIONS,
  async () => {
    await inSpaces(1, async (space) => {
      const agent = await gateway(space, 'nftables');
      const all = '10.64.0.0/24 10.64.1.0/24';
      assert.equal(await agent.call('guard-together', { all, some: all, refused: 1 }), 3);
      assert.deepEqual(sets(space, 'ip'), { 'guarded-24': ['10.64.0.0', '10.64.1.0'] });
      const more = '10.65.0.0/24 10.65.1.0/24';
      await assert.rejects(agent.call('guard-together', { all: more, some: more, refused: 2 }), { code: 'EBUSY' });
      assert.deepEqual(sets(space, 'ip'), { 'guarded-24': ['10.64.0.0', '10.64.1.0'] });
      await agent.call('guard', { prefix: '10.65.1.0/24' });
      assert.deepEqual(sets(space, 'ip'), { 'guarded-24': ['10.64.0.0', '10.64.1.0', '10.65.1.0'] });
    });
  },
);

test('without nf_tables the guards are rules, and that is told', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    const agent = space.agent(...withoutNetfilter);
    await agent.call('tun', { name: 'esp0', mtu: 1400 });
    await agent.call('routes', { mark: MARK });
    assert.equal((await agent.next('guards')).from, 'rules');
    await agent.call('guard', { prefix: '10.2.0.0/16' });
    await agent.call('guard-together', { all: 'fd02::/64 fd03::/64', some: 'fd02::/64' });
    assert.match(space.ip('-4 rule'), /219:\s+from 10.2.0.0\/16 blackhole/);
    assert.doesNotMatch(space.ip('-6 rule'), /fd03/);
    assert.match(space.ip('-6 rule'), /219:\s+from fd02::\/64 blackhole/);
    assert.deepEqual(tables(space), []);
  });
});
