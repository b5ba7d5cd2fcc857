import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatIp, parsePrefix, prefixRange } from '../../src/bytes/ip.ts';
import { Inner } from '../../src/esp/packet.ts';
import { NO_POLICY, Policies, RANK, UNDECIDED } from '../../src/esp/policy.ts';
import { Selectors } from '../../src/esp/selector.ts';
import type { Selector } from '../../src/ike/wire/ts.ts';
import { lookup, type Policy } from './oracle.ts';
import { ipv4, ipv6, selector, udp } from './packets.ts';

function parsed(packet: Uint8Array): Inner {
  const inner = new Inner();
  assert.equal(inner.parse(packet), true);
  return inner;
}

/** Policies whose targets have names. */
class Named {
  readonly #policies = new Policies();
  readonly #names: string[] = [];

  add(name: string, localTs: readonly Selector[], remoteTs: readonly Selector[], rank?: number): void {
    this.#names.push(name);
    this.#policies.add(this.#names.length - 1, localTs, remoteTs, rank);
  }

  remove(name: string): void {
    this.#policies.remove(this.#names.indexOf(name));
  }

  lookup(inner: Inner): string | number {
    const found = this.#policies.lookup(inner);
    return this.#names[found] ?? found;
  }
}

const to = (destination: string, source = '10.1.0.1', port = 53) => parsed(ipv4(source, destination, udp(5000, port)));
const ANY = [selector('0.0.0.0/0'), selector('::/0')];

test('the longest destination prefix wins', () => {
  const policies = new Named();
  policies.add('all', ANY, ANY);
  policies.add('net', ANY, [selector('10.2.0.0/16')]);
  policies.add('host', ANY, [selector('10.2.0.9/32')]);
  assert.equal(policies.lookup(to('10.2.0.9')), 'host');
  assert.equal(policies.lookup(to('10.2.0.8')), 'net');
  assert.equal(policies.lookup(to('10.3.0.8')), 'all');
  assert.equal(policies.lookup(parsed(ipv6('fd00::1', 'fd00::2', udp(1, 2)))), 'all');
});

test('with the same destination the longest source prefix wins', () => {
  const policies = new Named();
  policies.add('wide', [selector('10.0.0.0/8')], [selector('10.2.0.0/16')]);
  policies.add('first', [selector('10.1.0.0/16')], [selector('10.2.0.0/16')]);
  policies.add('second', [selector('10.7.0.0/16')], [selector('10.2.0.0/16')]);
  assert.equal(policies.lookup(to('10.2.0.9', '10.1.0.1')), 'first');
  assert.equal(policies.lookup(to('10.2.0.9', '10.7.0.1')), 'second');
  assert.equal(policies.lookup(to('10.2.0.9', '10.8.0.1')), 'wide');
  assert.equal(policies.lookup(to('10.2.0.9', '11.8.0.1')), NO_POLICY);
});

test('a shorter prefix is tried when source, protocol or ports rule the longer one out', () => {
  const policies = new Named();
  policies.add('all', ANY, ANY);
  policies.add('web', ANY, [selector('10.2.0.0/16', 6, 443, 443)]);
  policies.add('other', [selector('10.9.0.0/16')], [selector('10.2.0.0/24')]);
  assert.equal(policies.lookup(to('10.2.0.9')), 'all');
});

test('narrower protocol and ports win, and then the newer policy', () => {
  const policies = new Named();
  const net = '10.2.0.0/16';
  policies.add('dns', ANY, [selector(net, 17, 53, 53)]);
  policies.add('udp', ANY, [selector(net, 17)]);
  policies.add('any', ANY, [selector(net)]);
  assert.equal(policies.lookup(to('10.2.0.9', '10.1.0.1', 53)), 'dns');
  assert.equal(policies.lookup(to('10.2.0.9', '10.1.0.1', 54)), 'udp');
  policies.add('again', ANY, [selector(net, 17)]);
  assert.equal(policies.lookup(to('10.2.0.9', '10.1.0.1', 54)), 'again');
  policies.remove('again');
  assert.equal(policies.lookup(to('10.2.0.9', '10.1.0.1', 54)), 'udp');
});

test('ranges that are no prefix are found, and weighed by what their addresses share', () => {
  const policies = new Named();
  policies.add('range', ANY, [selector('10.2.0.10-10.2.0.20')]);
  policies.add('net', ANY, [selector('10.2.0.0/24')]);
  assert.equal(policies.lookup(to('10.2.0.10')), 'range');
  assert.equal(policies.lookup(to('10.2.0.20')), 'range');
  assert.equal(policies.lookup(to('10.2.0.21')), 'net');
  policies.add('host', ANY, [selector('10.2.0.12/32')]);
  assert.equal(policies.lookup(to('10.2.0.12')), 'host');
  policies.remove('range');
  assert.equal(policies.lookup(to('10.2.0.10')), 'net');
});

test('a range goes before the prefix around it, whichever came first and whatever their ranks', () => {
  const around = [selector('10.2.0.0/28')];
  const range = [selector('10.2.0.1-10.2.0.14')];
  for (const [first, second] of [
    [around, range],
    [range, around],
  ] as const) {
    const policies = new Named();
    policies.add('first', ANY, first, first === around ? RANK.sa : RANK.trap);
    policies.add('second', ANY, second, second === around ? RANK.sa : RANK.trap);
    const expected = first === range ? 'first' : 'second';
    assert.equal(policies.lookup(to('10.2.0.7')), expected);
    assert.notEqual(policies.lookup(to('10.2.0.0')), expected);
  }
});

test('of two ranges to the same destinations the one from fewer sources wins', () => {
  const policies = new Named();
  const destinations = [selector('10.2.0.10-10.2.0.20')];
  policies.add('few', [selector('10.1.0.0/24')], destinations);
  policies.add('many', [selector('10.0.0.0/8')], destinations);
  assert.equal(policies.lookup(to('10.2.0.12')), 'few');
  assert.equal(policies.lookup(to('10.2.0.12', '10.1.9.1')), 'many');
});

test('every pair of many subnets is found, and none after removal', () => {
  const policies = new Policies();
  const locals = Array.from({ length: 20 }, (_, i) => selector(`10.1.${i}.0/24`));
  const remotes = Array.from({ length: 20 }, (_, i) => selector(`10.2.${i}.0/24`));
  policies.add(1, locals, remotes);
  for (let i = 0; i < 20; i++) assert.equal(policies.lookup(to(`10.2.${i}.1`, `10.1.${19 - i}.1`)), 1);
  assert.equal(policies.lookup(to('10.2.20.1')), NO_POLICY);
  policies.remove(1);
  assert.equal(policies.lookup(to('10.2.0.1', '10.1.0.1')), NO_POLICY);
});

test('an IPv4 side and an IPv6 side make no policy', () => {
  const policies = new Policies();
  policies.add(1, [selector('10.1.0.0/16')], [selector('fd00::/16')]);
  assert.equal(policies.lookup(to('10.2.0.1')), NO_POLICY);
});

test('for the same packets an SA goes before a trap, and a trap before a block', () => {
  const policies = new Named();
  const net = [selector('10.2.0.0/16')];
  policies.add('sa', ANY, net, RANK.sa);
  policies.add('trap', ANY, net, RANK.trap);
  policies.add('block', ANY, net, RANK.block);
  assert.equal(policies.lookup(to('10.2.0.9')), 'sa');
  policies.remove('sa');
  assert.equal(policies.lookup(to('10.2.0.9')), 'trap');
  policies.remove('trap');
  assert.equal(policies.lookup(to('10.2.0.9')), 'block');
  // A narrower policy comes first, whatever it is.
  policies.add('host', ANY, [selector('10.2.0.9/32')], RANK.block);
  policies.add('all', ANY, ANY, RANK.sa);
  assert.equal(policies.lookup(to('10.2.0.9')), 'host');
});

test('ICMP types and codes are told apart like ports', () => {
  const policies = new Named();
  policies.add('echo', ANY, [selector('10.2.0.0/16', 1, 0x0800, 0x08ff)]);
  policies.add('other', ANY, [selector('10.2.0.0/16', 1)]);
  const icmp = (type: number) => parsed(ipv4('10.1.0.1', '10.2.0.9', Uint8Array.of(type, 0, 0, 0), { protocol: 1 }));
  assert.equal(policies.lookup(icmp(8)), 'echo');
  assert.equal(policies.lookup(icmp(0)), 'other');
  assert.equal(policies.lookup(to('10.2.0.9')), NO_POLICY);
});

test('a later fragment that may belong to a policy with ports is undecided, and never falls to a wider one', () => {
  const policies = new Named();
  const later = (protocol = 17) => parsed(ipv4('10.1.0.1', '10.2.0.9', udp(1, 2), { offset: 9, protocol }));
  policies.add('all', ANY, ANY);
  policies.add('dns', ANY, [selector('10.2.0.0/16', 17, 53, 53)]);
  assert.equal(policies.lookup(later()), UNDECIDED);
  assert.equal(policies.lookup(later(6)), 'all');
  // GRE has no ports.
  assert.equal(policies.lookup(later(47)), 'all');
  // Whoever sets a policy up for what cannot be seen wants those packets there (RFC 4301 §7.2).
  policies.add('opaque', ANY, [selector('10.2.0.0/16', 17, 0xffff, 0)]);
  assert.equal(policies.lookup(later()), 'opaque');
  policies.remove('opaque');
  policies.remove('all');
  assert.equal(policies.lookup(later()), UNDECIDED);
  policies.remove('dns');
  assert.equal(policies.lookup(later()), NO_POLICY);
});

test('a target is added once, and may come back after its removal', () => {
  const policies = new Policies();
  policies.add(7, ANY, ANY);
  assert.throws(() => policies.add(7, ANY, ANY));
  policies.remove(7);
  policies.remove(7);
  assert.equal(policies.lookup(to('10.2.0.9')), NO_POLICY);
  policies.add(7, ANY, ANY);
  assert.equal(policies.lookup(to('10.2.0.9')), 7);
});

test('what was removed leaves no memory behind', () => {
  const policies = new Policies();
  const selectors = new Selectors();
  const change = (from: number, until: number) => {
    for (let i = from; i < until; i++) {
      const local = [selector(`10.${i & 0xff}.${(i >> 8) & 0xff}.0/24`), selector('10.0.0.3-10.0.0.9')];
      const remote = [selector(`192.168.${i & 0xff}.${(i >> 8) & 0xff}/32`), selector('fd00::/16')];
      policies.add(i, local, remote);
      selectors.set(0, local, remote);
      policies.remove(i);
    }
  };
  change(0, 1000);
  const before = process.memoryUsage().arrayBuffers;
  change(1000, 20_000);
  assert.ok(process.memoryUsage().arrayBuffers - before < 200_000);
});

// Few addresses, so that prefixes and ranges meet, nest and cross, at the edges of words and of the sign bit too.
const octet = fc.constantFrom(0, 1, 0x7f, 0x80, 0xff);
const v4 = fc.tuple(octet, octet, octet).map(([a, b, c]) => Uint8Array.of(a, b, 0, c));
const v6 = fc
  .tuple(octet, octet, octet, octet)
  .map(([a, b, c, d]) => Uint8Array.of(a, 0, 0, 0, b, 0, 0, 0, c, 0, 0, 0, 0, 0, 0, d));
const range = (address: fc.Arbitrary<Uint8Array>) =>
  fc.oneof(
    fc.tuple(address, fc.constantFrom(0, 1, 7, 8, 9, 24, 31, 32, 33, 64, 127, 128)).map(([each, length]) => {
      return prefixRange({ address: each, length: Math.min(length, each.length * 8) });
    }),
    fc.tuple(address, address).map(([a, b]) => {
      return Buffer.compare(a, b) <= 0 ? { start: a, end: b } : { start: b, end: a };
    }),
  );
const upper = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ protocol: 0, startPort: 0, endPort: 0xffff }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      { protocol: 17, startPort: 0, endPort: 0xffff },
      { protocol: 17, startPort: 53, endPort: 53 },
      { protocol: 0, startPort: 50, endPort: 60 },
      { protocol: 6, startPort: 53, endPort: 443 },
      { protocol: 17, startPort: 0xffff, endPort: 0 },
    ),
  },
);
const side = fc.array(
  fc.tuple(fc.oneof(range(v4), range(v6)), upper).map(([addresses, rest]): Selector => ({ ...addresses, ...rest })),
  { minLength: 1, maxLength: 3 },
);
const policy = fc.record({ local: side, remote: side, rank: fc.constantFrom(0, 1, 2) });
const packet = fc
  .record({
    addresses: fc.oneof(fc.tuple(v4, v4), fc.tuple(v6, v6)),
    protocol: fc.constantFrom(6, 17, 47),
    port: fc.constantFrom(52, 53, 55, 443),
    offset: fc.constantFrom(0, 0, 9),
  })
  .map(({ addresses: [source, destination], protocol, port, offset }) =>
    parsed(
      source.length === 4
        ? ipv4(formatIp(source), formatIp(destination), udp(53, port), { protocol, offset })
        : ipv6(formatIp(source), formatIp(destination), udp(53, port), protocol),
    ),
  );

test('a look-up finds what a list of all policies, sorted and searched from its top, would', () => {
  const steps = fc.array(fc.oneof(policy, fc.nat(20)), { minLength: 1, maxLength: 25 });
  fc.assert(
    fc.property(steps, fc.array(packet, { minLength: 1, maxLength: 12 }), (all, packets) => {
      const policies = new Policies();
      let list: readonly Policy[] = [];
      for (const [target, step] of all.entries()) {
        if (typeof step === 'number') {
          const gone = list[step % Math.max(1, list.length)]?.target;
          if (gone !== undefined) policies.remove(gone);
          list = list.filter((each) => each.target !== gone);
        } else {
          policies.add(target, step.local, step.remote, step.rank);
          list = [...list, { target, ...step }];
        }
        for (const inner of packets) assert.equal(policies.lookup(inner), lookup(list, inner));
      }
      for (const { target } of list) policies.remove(target);
      for (const inner of packets) assert.equal(policies.lookup(inner), NO_POLICY);
    }),
    { numRuns: 300 },
  );
});

test('a prefix written with host bits finds its network', () => {
  const written = parsePrefix('10.2.3.4/16');
  assert.ok(written);
  const policies = new Policies();
  policies.add(1, ANY, [{ protocol: 0, startPort: 0, endPort: 0xffff, ...prefixRange(written) }]);
  assert.equal(policies.lookup(to('10.2.200.1')), 1);
});
