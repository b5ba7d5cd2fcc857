// Imagined packets through rulesets as `nft -j list ruleset` of nftables 1.0.6 prints them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../../src/bytes/ip.ts';
import { accepts, dropOf, type Probe } from '../../../src/daemon/doctor/probe.ts';
import { type Json, parseRuleset, type Ruleset } from '../../../src/daemon/doctor/ruleset.ts';

const KE: Probe = {
  version: 4,
  hooks: ['prerouting', 'input'],
  protocol: 17,
  dport: 500,
  iif: 'eth0',
  source: address('192.0.2.2'),
  state: 'new',
};
const ESP: Probe = {
  version: 4,
  hooks: ['prerouting', 'input'],
  protocol: 50,
  iif: 'eth0',
  source: address('192.0.2.2'),
  state: 'new',
};
const THROUGH: Probe = {
  version: 4,
  hooks: ['prerouting', 'forward', 'postrouting'],
  protocol: 6,
  iif: 'eth1',
  oif: 'esp0',
  source: address('10.1.0.2'),
  destination: address('10.2.0.2'),
  state: 'new',
};

function address(text: string): Uint8Array {
  return parseIp(text) ?? assert.fail(text);
}

const ACCEPT = { accept: null };
const DROP = { drop: null };
const match = (left: Json, right: Json, op = '=='): Json => ({ match: { op, left, right } });
const meta = (key: string): Json => ({ meta: { key } });
const field = (protocol: string, name: string): Json => ({ payload: { protocol, field: name } });
const state = (...states: string[]): Json => match({ ct: { key: 'state' } }, states, 'in');

interface Table {
  readonly family?: string;
  readonly table?: string;
  readonly hook?: string;
  readonly policy?: string;
  readonly type?: string;
  /** By chain; `base` is the one at the hook. */
  readonly chains: Readonly<Record<string, readonly (readonly Json[])[]>>;
  readonly sets?: Readonly<Record<string, readonly Json[]>>;
}

function ruleset(...tables: readonly Table[]): Ruleset {
  const items = tables.flatMap(
    (
      { family = 'inet', table = 'filter', hook = 'input', policy = 'accept', type = 'filter', chains, sets = {} },
      t,
    ) => {
      const at = { family, table: `${table}${t || ''}` };
      return [
        ...Object.entries(sets).map(([name, elem]) => ({ set: { ...at, name, elem } })),
        ...Object.keys(chains).map((name) => ({
          chain: { ...at, name, ...(name === 'base' ? { hook, type, policy, prio: t } : {}) },
        })),
        ...Object.entries(chains).flatMap(([chain, rules]) =>
          rules.map((expr, handle) => ({ rule: { ...at, chain, handle, expr } })),
        ),
      ];
    },
  );
  return parseRuleset(JSON.stringify({ nftables: [{ metainfo: { version: '1.0.6' } }, ...items] })) ?? assert.fail();
}

/** What becomes of the packet in a chain whose policy is to drop. */
function dropped(probe: Probe, rules: readonly (readonly Json[])[], more: Partial<Table> = {}): string {
  const drop = dropOf(ruleset({ policy: 'drop', ...more, chains: { ...more.chains, base: rules } }), probe);
  return drop ? (drop.rule ? `rule ${drop.rule.handle}` : 'policy') : 'passes';
}

test('the policy decides at the end, an accept and a drop before it', () => {
  assert.equal(dropped(KE, []), 'policy');
  assert.equal(dropped(KE, [], { policy: 'accept' }), 'passes');
  assert.equal(dropped(KE, [[ACCEPT], [DROP]]), 'passes');
  assert.equal(dropped(KE, [[{ counter: {} }, { log: {} }, DROP], [ACCEPT]]), 'rule 0');
  assert.equal(dropped(KE, [[{ reject: { type: 'icmp' } }]]), 'rule 0');
});

test('what a rule matches is found by protocol, port, address, device and state', () => {
  const port = field('udp', 'dport');
  const rows: readonly (readonly [Json, boolean])[] = [
    [match(port, 500), true],
    [match(port, 4500), false],
    [match(port, { set: [4500, { range: [400, 500] }] }), true],
    [match(port, { set: [4500, { range: [501, 600] }] }), false],
    [match(port, 4500, '!='), true],
    [match(port, 500, '!='), false],
    [match(field('th', 'dport'), 500), true],
    [match(field('tcp', 'dport'), 500), false],
    [match(field('tcp', 'dport'), 500, '!='), false],
    [match(meta('l4proto'), 'udp'), true],
    [match(meta('l4proto'), { set: ['esp', 'ah'] }), false],
    [match(meta('l4proto'), 17), true],
    [match(field('ip', 'protocol'), 'udp'), true],
    [match(field('ip6', 'nexthdr'), 'udp'), false],
    [match(meta('nfproto'), 'ipv4'), true],
    [match(meta('nfproto'), 'ipv6'), false],
    [match(field('ip', 'saddr'), '192.0.2.2'), true],
    [match(field('ip', 'saddr'), '192.0.2.3'), false],
    [match(field('ip', 'saddr'), { prefix: { addr: '192.0.2.0', len: 24 } }), true],
    [match(field('ip', 'saddr'), { range: ['192.0.2.3', '192.0.2.9'] }), false],
    [match(field('ip', 'saddr'), { set: [{ range: ['192.0.2.1', '192.0.2.2'] }] }), true],
    [match(field('ip6', 'saddr'), '2001:db8::1', '!='), false],
    [match(meta('iifname'), 'eth0'), true],
    [match(meta('iifname'), 'eth*'), true],
    [match(meta('iif'), 'lo'), false],
    [match(meta('oifname'), 'eth0'), false],
    [state('new'), true],
    [state('established', 'related'), false],
    [match({ concat: [field('ip', 'saddr'), port] }, { set: [{ concat: ['192.0.2.2', 500] }] }), true],
    [match({ concat: [field('ip', 'saddr'), port] }, { set: [{ concat: ['192.0.2.2', 501] }] }), false],
    [match({ fib: { result: 'type', flags: ['daddr'] } }, 'local'), true],
    [match(port, '@good'), true],
    [match(port, '@bad'), false],
  ];
  const sets = { good: [22, { range: [499, 501] }], bad: [{ elem: { val: 4500, timeout: 60 } }] };
  for (const [condition, fits] of rows) {
    assert.equal(dropped(KE, [[condition, ACCEPT]], { sets }), fits ? 'passes' : 'policy', JSON.stringify(condition));
    assert.equal(
      dropped(KE, [[condition, DROP]], { sets, policy: 'accept' }),
      fits ? 'rule 0' : 'passes',
      JSON.stringify(condition),
    );
  }
});

test('ESP has no ports, and is no UDP', () => {
  assert.equal(dropped(ESP, [[match(field('udp', 'dport'), { set: [50, 500, 4500] }), ACCEPT]]), 'policy');
  assert.equal(dropped(ESP, [[match(field('udp', 'dport'), 500, '!='), ACCEPT]]), 'policy');
  assert.equal(dropped(ESP, [[match(meta('l4proto'), 'esp'), ACCEPT]]), 'passes');
});

test('behind what may have let the packet pass nothing is certain', () => {
  const unsure: readonly Json[] = [
    match(meta('mark'), 7),
    match({ '&': [meta('mark'), 255] }, 1),
    { limit: { rate: 10, per: 'second' } },
    match(field('udp', 'length'), 100, '>'),
    { xt: { type: 'match', name: 'recent' } },
    match(field('ip', 'daddr'), '192.0.2.1'),
    match(field('udp', 'dport'), '@unheard-of'),
  ];
  for (const condition of unsure) {
    assert.equal(dropped(KE, [[condition, ACCEPT]]), 'passes', JSON.stringify(condition));
    assert.equal(dropped(KE, [[condition, DROP]]), 'policy', JSON.stringify(condition));
    assert.equal(dropped(KE, [[condition, DROP]], { policy: 'accept' }), 'passes', JSON.stringify(condition));
  }
  assert.equal(dropped(KE, [[{ queue: null }]]), 'passes');
  assert.equal(dropped(KE, [[{ xt: { type: 'target', name: 'SOMETHING' } }]]), 'passes');
});

test('jumps come back, go-tos do not, and a return ends a chain', () => {
  const to = (target: string): Json => ({ jump: { target } });
  const off = (target: string): Json => ({ goto: { target } });
  const chains = { good: [[ACCEPT]], bad: [[DROP]], none: [], back: [[{ return: null }], [DROP]] };
  assert.equal(dropped(KE, [[to('good')]], { chains }), 'passes');
  assert.equal(dropped(KE, [[to('bad')], [ACCEPT]], { chains }), 'rule 0');
  assert.equal(dropped(KE, [[to('none')], [ACCEPT]], { chains }), 'passes');
  assert.equal(dropped(KE, [[off('none')], [ACCEPT]], { chains }), 'policy');
  assert.equal(dropped(KE, [[to('back')], [ACCEPT]], { chains }), 'passes');
  assert.equal(dropped(KE, [[{ return: null }], [ACCEPT]]), 'policy');
  assert.equal(dropped(KE, [[match(meta('mark'), 1), to('bad')]], { chains }), 'policy');
  assert.equal(dropped(KE, [[match(meta('mark'), 1), to('good')]], { chains }), 'passes');
  assert.equal(dropped(KE, [[to('self')]], { chains: { self: [[to('self')]] } }), 'passes');
});

test('verdict maps decide by what they are asked', () => {
  const map = (key: Json, ...pairs: Json[]): Json => ({ vmap: { key, data: { set: pairs } } });
  const port = field('udp', 'dport');
  assert.equal(dropped(KE, [[map(port, [500, ACCEPT], [4500, DROP])]]), 'passes');
  assert.equal(dropped(KE, [[map(port, [500, DROP], [4500, ACCEPT])], [ACCEPT]]), 'rule 0');
  assert.equal(dropped(KE, [[map(port, [4500, ACCEPT])]]), 'policy');
  assert.equal(dropped(KE, [[map({ ct: { key: 'state' } }, ['established', ACCEPT], ['invalid', DROP])]]), 'policy');
  assert.equal(dropped(KE, [[map(meta('mark'), [1, ACCEPT])]]), 'passes');
  assert.equal(dropped(KE, [[map(meta('mark'), [1, DROP])]]), 'policy');
});

test('every chain on the way has its say, in the order of their priorities', () => {
  const open: Table = { policy: 'accept', chains: { base: [[ACCEPT]] } };
  const closed: Table = { policy: 'drop', chains: { base: [] } };
  assert.equal(dropOf(ruleset(open, closed), KE)?.chain.table, 'filter1');
  assert.equal(dropOf(ruleset(closed, open), KE)?.chain.table, 'filter');
  assert.equal(dropOf(ruleset({ ...closed, hook: 'forward' }), KE), undefined);
  assert.equal(dropOf(ruleset({ ...closed, hook: 'forward' }), THROUGH)?.chain.hook, 'forward');
  assert.equal(dropOf(ruleset({ ...closed, family: 'ip6' }), KE), undefined);
  assert.equal(dropOf(ruleset({ ...closed, family: 'ip' }), KE)?.chain.family, 'ip');
  assert.equal(dropOf(ruleset({ ...closed, type: 'nat' }), KE), undefined);
  assert.equal(dropOf(ruleset({ ...closed, table: 'espalier' }), KE), undefined);
});

test('devices are there where the kernel knows them', () => {
  const from = (device: string, op?: string) => [match(meta('iifname'), device, op), ACCEPT];
  const into = (device: string, op?: string) => [match(meta('oifname'), device, op), ACCEPT];
  assert.equal(dropped(THROUGH, [from('eth1')], { hook: 'forward' }), 'passes');
  assert.equal(dropped(THROUGH, [into('esp0')], { hook: 'forward' }), 'passes');
  assert.equal(dropped(THROUGH, [into('esp0')], { hook: 'prerouting' }), 'policy');
  assert.equal(dropped(THROUGH, [into('eth9', '!=')], { hook: 'prerouting' }), 'passes');
  assert.equal(dropped(THROUGH, [from('eth1')], { hook: 'postrouting' }), 'passes');
});

test('an accept of the chain itself is told from one that may be', () => {
  const rules = ruleset({ policy: 'drop', chains: { base: [[match(field('udp', 'dport'), 50), ACCEPT]] } });
  const [chain = assert.fail()] = rules.chains;
  assert.equal(accepts(rules, chain, { ...KE, dport: 50 }), true);
  assert.equal(accepts(rules, chain, KE), false);
});

test('text that is no ruleset is none', () => {
  for (const text of ['', 'table inet filter', '{}', '[]', '{"nftables": 1}', 'null'])
    assert.equal(parseRuleset(text), undefined, text);
  const odd = parseRuleset(
    '{"nftables": [1, null, {"rule": 1}, {"chain": []}, {"rule": {"family": "ip", "table": "t", "chain": "c"}}]}',
  );
  assert.deepEqual(odd?.chains, []);
});
