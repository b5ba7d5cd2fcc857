import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatPrefix, type Prefix, parsePrefix, prefixRange } from '../../src/bytes/ip.ts';
import { Inner } from '../../src/esp/packet.ts';
import { Policies } from '../../src/esp/policy.ts';
import { permits } from '../../src/esp/selector.ts';
import { Trie } from '../../src/esp/trie.ts';
import type { Selector } from '../../src/ike/wire/ts.ts';
import { ip, ipv4, ipv6, selector, udp } from './support.ts';

function parsed(packet: Uint8Array): Inner {
  const inner = new Inner();
  assert.equal(inner.parse(packet), true);
  return inner;
}

const to = (destination: string, source = '10.1.0.1', port = 53) => parsed(ipv4(source, destination, udp(5000, port)));
const ANY = [selector('0.0.0.0/0'), selector('::/0')];

test('the longest destination prefix wins', () => {
  const policies = new Policies<string>();
  policies.add('all', ANY, ANY);
  policies.add('net', ANY, [selector('10.2.0.0/16')]);
  policies.add('host', ANY, [selector('10.2.0.9/32')]);
  assert.equal(policies.lookup(to('10.2.0.9')), 'host');
  assert.equal(policies.lookup(to('10.2.0.8')), 'net');
  assert.equal(policies.lookup(to('10.3.0.8')), 'all');
  assert.equal(policies.lookup(parsed(ipv6('fd00::1', 'fd00::2', udp(1, 2)))), 'all');
});

test('with the same destination the longest source prefix wins', () => {
  const policies = new Policies<string>();
  policies.add('wide', [selector('10.0.0.0/8')], [selector('10.2.0.0/16')]);
  policies.add('first', [selector('10.1.0.0/16')], [selector('10.2.0.0/16')]);
  policies.add('second', [selector('10.7.0.0/16')], [selector('10.2.0.0/16')]);
  assert.equal(policies.lookup(to('10.2.0.9', '10.1.0.1')), 'first');
  assert.equal(policies.lookup(to('10.2.0.9', '10.7.0.1')), 'second');
  assert.equal(policies.lookup(to('10.2.0.9', '10.8.0.1')), 'wide');
  assert.equal(policies.lookup(to('10.2.0.9', '11.8.0.1')), undefined);
});

test('a shorter prefix is tried when source, protocol or ports rule the longer one out', () => {
  const policies = new Policies<string>();
  policies.add('all', ANY, ANY);
  policies.add('web', ANY, [selector('10.2.0.0/16', 6, 443, 443)]);
  policies.add('other', [selector('10.9.0.0/16')], [selector('10.2.0.0/24')]);
  assert.equal(policies.lookup(to('10.2.0.9')), 'all');
});

test('narrower protocol and ports win, and then the newer policy', () => {
  const policies = new Policies<string>();
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
  const policies = new Policies<string>();
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

test('of two ranges to the same destinations the one from fewer sources wins', () => {
  const policies = new Policies<string>();
  const destinations = [selector('10.2.0.10-10.2.0.20')];
  policies.add('few', [selector('10.1.0.0/24')], destinations);
  policies.add('many', [selector('10.0.0.0/8')], destinations);
  assert.equal(policies.lookup(to('10.2.0.12')), 'few');
  assert.equal(policies.lookup(to('10.2.0.12', '10.1.9.1')), 'many');
});

test('every pair of many subnets is found, and none after removal', () => {
  const policies = new Policies<number>();
  const locals = Array.from({ length: 20 }, (_, i) => selector(`10.1.${i}.0/24`));
  const remotes = Array.from({ length: 20 }, (_, i) => selector(`10.2.${i}.0/24`));
  policies.add(1, locals, remotes);
  for (let i = 0; i < 20; i++) assert.equal(policies.lookup(to(`10.2.${i}.1`, `10.1.${19 - i}.1`)), 1);
  assert.equal(policies.lookup(to('10.2.20.1')), undefined);
  policies.remove(1);
  assert.equal(policies.lookup(to('10.2.0.1', '10.1.0.1')), undefined);
});

test('an IPv4 side and an IPv6 side make no policy', () => {
  const policies = new Policies<number>();
  policies.add(1, [selector('10.1.0.0/16')], [selector('fd00::/16')]);
  assert.equal(policies.lookup(to('10.2.0.1')), undefined);
});

const prefix: fc.Arbitrary<Prefix> = fc
  .tuple(fc.constantFrom(0, 1, 0x80, 0x81, 0xc0, 0xff), fc.constantFrom(0, 1, 0x80, 0xff), fc.nat(32))
  .map(([a, b, length]) => ({ address: prefixRange({ address: Uint8Array.of(a, b, a, b), length }).start, length }));

test('the trie holds what a list of prefixes would', () => {
  const address = fc
    .tuple(prefix, prefix)
    .map(([a, b]) => Uint8Array.of(...a.address.subarray(0, 2), ...b.address.subarray(2)));
  fc.assert(
    fc.property(fc.array(fc.tuple(prefix, fc.boolean()), { maxLength: 60 }), fc.array(address), (steps, addresses) => {
      const trie = new Trie<string>();
      const list = new Map<string, Prefix>();
      for (const [each, keep] of steps) {
        const name = formatPrefix(each);
        if (keep) {
          trie.set(each, name);
          list.set(name, each);
        } else {
          trie.delete(each);
          list.delete(name);
        }
        assert.equal(trie.at(each), keep ? name : undefined);
      }
      assert.equal(trie.empty, list.size === 0);
      for (const [name, each] of list) assert.equal(trie.at(each), name);
      for (const each of [...addresses, ...steps.map(([{ address }]) => address)]) {
        const offered: string[] = [];
        trie.longest(each, 0, (value) => void offered.push(value));
        const covering = [...list].filter(([, p]) =>
          prefixRange({ ...p, address: each }).start.every((b, i) => b === p.address[i]),
        );
        covering.sort(([, a], [, b]) => b.length - a.length);
        assert.deepEqual(
          offered,
          covering.map(([name]) => name),
        );
      }
    }),
    { numRuns: 200 },
  );
});

test('a look-up takes as many steps with ten thousand tunnels as its prefixes are deep', () => {
  const trie = new Trie<number>();
  for (let i = 0; i < 10_000; i++) trie.set({ address: Uint8Array.of(10, i >> 8, i & 0xff, 0), length: 24 }, i);
  trie.set({ address: Uint8Array.of(0, 0, 0, 0), length: 0 }, -1);
  let offered = 0;
  assert.equal(
    trie.longest(ip('10.39.15.200'), 0, (value) => {
      offered++;
      return value;
    }),
    39 * 256 + 15,
  );
  assert.equal(offered, 1);
});

test('what a look-up finds permits the packet, and nothing that permits it is missed', () => {
  const side: fc.Arbitrary<Selector> = fc.oneof(
    prefix.map((p) => ({ protocol: 0, startPort: 0, endPort: 0xffff, ...prefixRange(p) })),
    fc.tuple(prefix, fc.constantFrom(6, 17), fc.constantFrom(53, 443)).map(([p, protocol, port]) => ({
      protocol,
      startPort: port,
      endPort: port + 1,
      ...prefixRange(p),
    })),
    fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => selector(`0.0.0.${Math.min(a, b)}-0.0.0.${Math.max(a, b)}`)),
  );
  const policy = fc.tuple(fc.array(side, { maxLength: 3 }), fc.array(side, { maxLength: 3 }));
  const dotted = prefix.map(({ address }) => address.join('.'));
  fc.assert(
    fc.property(fc.array(policy, { maxLength: 12 }), dotted, dotted, (all, source, destination) => {
      const policies = new Policies<number>();
      for (const [i, [local, remote]] of all.entries()) policies.add(i, local, remote);
      const inner = to(destination, source);
      const found = policies.lookup(inner);
      const matching = [...all.keys()].filter((i) => {
        const [local, remote] = all[i] ?? [[], []];
        return local.some((l) =>
          remote.some((r) => (!l.protocol || !r.protocol || l.protocol === r.protocol) && permits([l], [r], inner)),
        );
      });
      if (found === undefined) assert.deepEqual(matching, []);
      else assert.ok(matching.includes(found));
    }),
    { numRuns: 300 },
  );
});

test('a prefix written with host bits finds its network', () => {
  const written = parsePrefix('10.2.3.4/16');
  assert.ok(written);
  const policies = new Policies<number>();
  policies.add(1, ANY, [{ protocol: 0, startPort: 0, endPort: 0xffff, ...prefixRange(written) }]);
  assert.equal(policies.lookup(to('10.2.200.1')), 1);
});
