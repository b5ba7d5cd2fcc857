import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  contains,
  formatSelector,
  intersect,
  missing,
  narrow,
  parseSelector,
  remainingPairs,
  resolveTs,
  sameSelector,
  within,
} from '../../src/ike/ts.ts';
import type { Selector } from '../../src/ike/wire/ts.ts';

function ts(...texts: readonly string[]): Selector[] {
  return texts.map((text) => {
    const source = parseSelector(text);
    assert.equal(source?.kind, 'fixed', text);
    return source.selector;
  });
}

function one(text: string): Selector {
  return ts(text)[0] as Selector;
}

function both(a: string, b: string): string | undefined {
  const shared = intersect(one(a), one(b));
  return shared && formatSelector(shared);
}

test('what two selectors share', () => {
  assert.equal(both('10.0.0.0/8', '10.1.0.0/16'), '10.1.0.0/16');
  assert.equal(both('10.0.0.0-10.0.0.9', '10.0.0.5-10.0.0.20'), '10.0.0.5..10.0.0.9');
  assert.equal(both('10.0.0.0/24', '10.0.1.0/24'), undefined);
  assert.equal(both('10.0.0.0/24', 'fd00::/64'), undefined);
  assert.equal(both('fd00::/48', 'fd00:0:0:1::/64'), 'fd00:0:0:1::/64');
  assert.equal(both('0.0.0.0/0', '10.0.0.1[tcp/80]'), '10.0.0.1/32[tcp/http]');
  assert.equal(both('10.0.0.1[udp]', '10.0.0.1[tcp]'), undefined);
  assert.equal(both('10.0.0.1[tcp/1000-2000]', '10.0.0.1[tcp/1500-3000]'), '10.0.0.1/32[tcp/1500-2000]');
});

// RFC 7296 §3.13.1
test('OPAQUE ports meet any and OPAQUE, and no range', () => {
  assert.equal(both('10.0.0.1[tcp/opaque]', '10.0.0.1[tcp]'), '10.0.0.1/32[tcp/OPAQUE]');
  assert.equal(both('10.0.0.1[tcp/opaque]', '10.0.0.1[tcp/opaque]'), '10.0.0.1/32[tcp/OPAQUE]');
  assert.equal(both('10.0.0.1[tcp/opaque]', '10.0.0.1[tcp/80]'), undefined);
  assert.equal(both('10.0.0.1[tcp/opaque]', '10.0.0.1[tcp/0-1000]'), undefined);
});

test('narrowing keeps our order, and drops what others contain', () => {
  const show = (selectors: readonly Selector[]) => selectors.map(formatSelector);
  assert.deepEqual(show(narrow(ts('10.2.0.0/16', '10.1.0.0/16'), ts('10.0.0.0/8'))), ['10.2.0.0/16', '10.1.0.0/16']);
  assert.deepEqual(show(narrow(ts('0.0.0.0/0'), ts('10.0.0.1[tcp/80]', '10.0.0.0/24'))), ['10.0.0.0/24']);
  assert.deepEqual(show(narrow(ts('10.0.0.0/24', '10.0.0.0/25'), ts('0.0.0.0/0', '10.0.0.0/24'))), ['10.0.0.0/24']);
  assert.deepEqual(narrow(ts('10.0.0.0/24'), ts('10.0.1.0/24')), []);
  assert.deepEqual(narrow([], ts('10.0.1.0/24')), []);
});

test('narrowing never yields more than a payload can hold', () => {
  const many = Array.from({ length: 300 }, (_, i) => one(`10.${i >> 8}.${i & 255}.0/24`));
  assert.equal(narrow(many, ts('0.0.0.0/0')).length, 255);
});

const address = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => bytes.map((byte) => byte & 3));
const selector: fc.Arbitrary<Selector> = fc
  .tuple(address, address, fc.constantFrom(0, 1, 6, 17), fc.nat(4), fc.nat(4), fc.boolean())
  .map(([a, b, protocol, low, high, any]) => {
    const [start, end] = [...a].join() <= [...b].join() ? [a, b] : [b, a];
    const ports = any
      ? { startPort: 0, endPort: 65_535 }
      : { startPort: Math.min(low, high), endPort: Math.max(low, high) };
    return { protocol, ...ports, start, end };
  });

test('an intersection is the same from both sides and lies in both', () => {
  fc.assert(
    fc.property(selector, selector, (a, b) => {
      const shared = intersect(a, b);
      const other = intersect(b, a);
      assert.equal(shared === undefined, other === undefined);
      if (!shared || !other) return;
      assert.ok(sameSelector(shared, other));
      assert.ok(contains(a, shared) && contains(b, shared));
    }),
    { numRuns: 300 },
  );
});

test('what was narrowed lies in both lists, and every intersection lies in it', () => {
  const list = fc.array(selector, { maxLength: 6 });
  fc.assert(
    fc.property(list, list, (ours, theirs) => {
      const got = narrow(ours, theirs);
      assert.ok(within(got, ours) && within(got, theirs));
      for (const a of ours) {
        for (const b of theirs) {
          const shared = intersect(a, b);
          if (shared) assert.ok(within([shared], got));
        }
      }
    }),
    { numRuns: 200 },
  );
});

test('missing names what no selector of the answer covers', () => {
  assert.deepEqual(missing(ts('10.1.0.0/16', '10.2.0.0/16'), ts('10.1.0.0/16')), ts('10.2.0.0/16'));
  assert.deepEqual(missing(ts('10.1.0.0/16'), ts('0.0.0.0/0')), []);
  assert.ok(within(ts('10.1.0.0/16[tcp]'), ts('10.0.0.0/8')));
  assert.ok(!within(ts('10.1.0.0/16'), ts('10.0.0.0/8[tcp]')));
});

test('a peer that takes one pair leaves the others to further children', () => {
  const local = ts('10.1.0.0/24', '10.2.0.0/24');
  const remote = ts('10.8.0.0/24', '10.9.0.0/24');
  const left = remainingPairs(local, remote, ts('10.1.0.0/24'), ts('10.8.0.0/24'));
  assert.deepEqual(
    left.map((pair) => `${formatSelector(pair.local)} ${formatSelector(pair.remote)}`),
    ['10.1.0.0/24 10.9.0.0/24', '10.2.0.0/24 10.8.0.0/24', '10.2.0.0/24 10.9.0.0/24'],
  );
  assert.deepEqual(remainingPairs(local, remote, local, remote), []);
  // The peer has a smaller subnet: asking again would bring the same.
  assert.deepEqual(remainingPairs(ts('10.1.0.0/16'), remote, ts('10.1.7.0/24'), remote), []);
});

// The forms of swanctl.conf(5), local_ts, and strongSwan's way to print each.
test('selectors are read as swanctl.conf has them and printed as list-sas does', () => {
  const forms: readonly (readonly [string, string])[] = [
    ['10.1.0.0/24', '10.1.0.0/24'],
    ['10.1.0.77/24', '10.1.0.0/24'],
    ['10.1.0.1', '10.1.0.1/32'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['%any', '0.0.0.0/0'],
    ['::/0', '::/0'],
    ['fd00::1', 'fd00::1/128'],
    ['10.0.0.5-10.0.0.9', '10.0.0.5..10.0.0.9'],
    ['10.0.0.0-10.0.0.255', '10.0.0.0/24'],
    ['10.1.0.0/24[tcp/80]', '10.1.0.0/24[tcp/http]'],
    ['10.1.0.0/24[tcp/http]', '10.1.0.0/24[tcp/http]'],
    ['10.1.0.0/24[6/8081]', '10.1.0.0/24[tcp/8081]'],
    ['10.1.0.0/24[tcp]', '10.1.0.0/24[tcp]'],
    ['10.1.0.0/24[udp/1024-65535]', '10.1.0.0/24[udp/1024-65535]'],
    ['10.1.0.0/24[/53]', '10.1.0.0/24[domain]'],
    ['10.1.0.0/24[any/53]', '10.1.0.0/24[domain]'],
    ['10.1.0.0/24[icmp/2048]', '10.1.0.0/24[icmp/8]'],
    ['10.1.0.0/24[icmp/769]', '10.1.0.0/24[icmp/3(1)]'],
    ['fd00::/64[ipv6-icmp/32768]', 'fd00::/64[ipv6-icmp/128]'],
    ['10.1.0.0/24[gre]', '10.1.0.0/24[gre]'],
    ['10.1.0.0/24[200]', '10.1.0.0/24[200]'],
    ['10.1.0.0/24[tcp/opaque]', '10.1.0.0/24[tcp/OPAQUE]'],
  ];
  for (const [text, printed] of forms) assert.equal(formatSelector(one(text)), printed, text);
});

test('dynamic selectors become the address of the IKE endpoint', () => {
  assert.deepEqual(parseSelector('dynamic'), { kind: 'dynamic', protocol: 0, startPort: 0, endPort: 65_535 });
  assert.deepEqual(parseSelector('[icmp/2048]'), parseSelector('dynamic[icmp/2048]'));
  const gre = parseSelector('dynamic[gre]');
  assert.ok(gre);
  assert.deepEqual(resolveTs([], '192.0.2.1').map(formatSelector), ['192.0.2.1/32']);
  assert.deepEqual(resolveTs([gre], '2001:db8::1').map(formatSelector), ['2001:db8::1/128[gre]']);
});

test('what is no selector is refused', () => {
  const wrong = [
    '',
    'x',
    '10.1.0.0/33',
    '10.0.0.9-10.0.0.5',
    '10.0.0.1-fd00::1',
    '10.0.0.1[',
    '10.0.0.1]',
    '10.0.0.1[tcp',
  ];
  wrong.push('10.0.0.1[tcp/80]x', '10.0.0.1[tcp/65536]', '10.0.0.1[256]', '10.0.0.1[tcp/9-5]', '10.0.0.1[tcp/80/1]');
  wrong.push('10.0.0.1[__proto__]', '10.0.0.1[tcp/constructor]', '1-2-3', '['.repeat(65_536));
  for (const text of wrong) assert.equal(parseSelector(text), undefined, text.slice(0, 40));
});
