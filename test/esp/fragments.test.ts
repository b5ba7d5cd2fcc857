import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat } from '../../src/bytes/bytes.ts';
import { Fragments, OUTBOUND } from '../../src/esp/fragments.ts';
import { Inner } from '../../src/esp/packet.ts';
import { Policies, UNDECIDED } from '../../src/esp/policy.ts';
import { Selectors } from '../../src/esp/selector.ts';
import { ipv4, ipv6, selector, udp } from './packets.ts';

interface Piece {
  readonly id?: number;
  /** In units of 8 bytes. */
  readonly offset?: number;
  readonly port?: number;
  readonly protocol?: number;
  readonly source?: string;
  readonly destination?: string;
}

function parsed(bytes: Uint8Array): Inner {
  const inner = new Inner();
  assert.equal(inner.parse(bytes), true);
  return inner;
}

function v4({
  id = 1,
  offset = 0,
  port = 53,
  protocol = 17,
  source = '10.1.0.1',
  destination = '10.2.0.9',
}: Piece): Inner {
  const packet = ipv4(source, destination, udp(5000, port), { offset, more: true, protocol });
  packet[4] = id >> 8;
  packet[5] = id;
  return parsed(packet);
}

function v6({
  id = 1,
  offset = 0,
  port = 53,
  protocol = 17,
  source = 'fd00:1::1',
  destination = 'fd00:2::9',
}: Piece): Inner {
  const header = Uint8Array.of(protocol, 0, offset >> 5, ((offset & 0x1f) << 3) | 1, 0, 0, id >> 8, id);
  return parsed(ipv6(source, destination, concat(header, udp(5000, port)), 44));
}

/** What a fragment shows after `follow`: its ports, or undefined. */
function follow(fragments: Fragments, inner: Inner, now = 0, scope = OUTBOUND): readonly number[] | undefined {
  fragments.follow(inner, scope, now);
  return inner.portsKnown ? [inner.protocol, inner.sourcePort, inner.destinationPort] : undefined;
}

/** Each differs from the usual source in one word, and from the usual destination. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  IPv4: ['10.1.0.2', '10.2.0.8'],
  IPv6: [
    'fd01:1::1',
    'fd00:1:1::1',
    'fd00:1::1:0:1',
    'fd00:1::2',
    'fd01:2::9',
    'fd00:2:1::9',
    'fd00:2::1:0:9',
    'fd00:2::8',
  ],
};

for (const [family, piece] of Object.entries({ IPv4: v4, IPv6: v6 })) {
  test(`later ${family} fragments get the ports of their first`, () => {
    const fragments = new Fragments(64, 1);
    assert.equal(follow(fragments, piece({ offset: 9 })), undefined);
    assert.deepEqual(follow(fragments, piece({})), [17, 5000, 53]);
    const later = piece({ offset: 9 });
    assert.deepEqual(follow(fragments, later), [17, 5000, 53]);
    assert.equal(later.unseen, false);
    assert.deepEqual(follow(fragments, piece({ offset: 18 })), [17, 5000, 53]);
    // The identification comes round again.
    follow(fragments, piece({ port: 54 }));
    assert.deepEqual(follow(fragments, piece({ offset: 9 })), [17, 5000, 54]);
  });

  test(`${family} fragments of other datagrams, addresses and SAs get nothing`, () => {
    // Of this size, all may be in the same places.
    const fragments = new Fragments(4, 1);
    follow(fragments, piece({}), 0, 3);
    assert.equal(follow(fragments, piece({ offset: 9 })), undefined);
    assert.equal(follow(fragments, piece({ offset: 9 }), 0, 4), undefined);
    assert.equal(follow(fragments, piece({ offset: 9, id: 2 }), 0, 3), undefined);
    for (const source of OTHERS[family] ?? []) {
      assert.equal(follow(fragments, piece({ offset: 9, source }), 0, 3), undefined);
    }
    for (const destination of OTHERS[family] ?? []) {
      assert.equal(follow(fragments, piece({ offset: 9, destination }), 0, 3), undefined);
    }
    assert.deepEqual(follow(fragments, piece({ offset: 9 }), 0, 3), [17, 5000, 53]);
    fragments.forget(3);
    assert.equal(follow(fragments, piece({ offset: 9 }), 0, 3), undefined);
  });
}

test('IPv4 counts its identifications for each protocol', () => {
  const fragments = new Fragments(64, 1);
  follow(fragments, v4({ protocol: 17 }));
  assert.equal(follow(fragments, v4({ protocol: 6, offset: 9 })), undefined);
});

test('behind an extension header the protocol is learnt as well', () => {
  const fragments = new Fragments(64, 1);
  const options = Uint8Array.of(17, 0, 1, 4, 0, 0, 0, 0);
  const first = concat(Uint8Array.of(60, 0, 0, 1, 0, 0, 0, 1), options, udp(5000, 53));
  follow(fragments, parsed(ipv6('fd00:1::1', 'fd00:2::9', first, 44)));
  assert.deepEqual(follow(fragments, v6({ protocol: 60, offset: 9 })), [17, 5000, 53]);
});

test('a first fragment is forgotten after half a minute, and one that hides its ports at once', () => {
  const fragments = new Fragments(64, 1);
  follow(fragments, v4({}), 1000);
  assert.deepEqual(follow(fragments, v4({ offset: 9 }), 30_999), [17, 5000, 53]);
  assert.equal(follow(fragments, v4({ offset: 9 }), 31_000), undefined);
  follow(fragments, v4({}), 40_000);
  const cut = ipv4('10.1.0.1', '10.2.0.9', new Uint8Array(3), { more: true });
  cut[5] = 1;
  follow(fragments, parsed(cut), 40_000);
  const later = v4({ offset: 9 });
  assert.equal(follow(fragments, later, 40_000), undefined);
  assert.equal(later.unseen, true);
});

test('a later fragment whose ports are known may still go where ports cannot be seen', () => {
  const fragments = new Fragments(64, 1);
  const selectors = new Selectors();
  selectors.set(0, [selector('10.2.0.0/16', 17, 0xffff, 0)], [selector('10.1.0.0/16')]);
  const permits = (inner: Inner) => {
    fragments.follow(inner, 0, 0);
    return selectors.permits(0, inner);
  };
  assert.deepEqual([permits(v4({ offset: 9 })), permits(v4({})), permits(v4({ offset: 9 }))], [true, false, true]);
});

test('whole packets are neither remembered nor changed', () => {
  const fragments = new Fragments(64, 1);
  const whole = parsed(ipv4('10.1.0.1', '10.2.0.9', udp(5000, 53)));
  assert.deepEqual(follow(fragments, whole), [17, 5000, 53]);
  assert.equal(follow(fragments, v4({ id: 0, offset: 9 })), undefined);
});

test('the policy and the selectors that took the first fragment take the later ones', () => {
  const fragments = new Fragments(64, 1);
  const any = [selector('0.0.0.0/0')];
  const dns = [selector('10.2.0.0/16', 17, 53, 53)];
  const policies = new Policies();
  policies.add(1, any, any);
  policies.add(2, any, dns);
  const selectors = new Selectors();
  selectors.set(5, dns, any);
  const decide = (inner: Inner) => {
    fragments.follow(inner, OUTBOUND, 0);
    return [policies.lookup(inner), selectors.permits(5, inner), selectors.undecided(5, inner)];
  };
  assert.deepEqual(decide(v4({ offset: 9 })), [UNDECIDED, false, true]);
  assert.deepEqual(decide(v4({})), [2, true, false]);
  assert.deepEqual(decide(v4({ offset: 9 })), [2, true, false]);
  assert.deepEqual(decide(v4({ id: 7, port: 54 })), [1, false, false]);
  assert.deepEqual(decide(v4({ id: 7, offset: 9 })), [1, false, false]);
});

test('the newest first fragments are known, and none is ever taken for another', () => {
  const piece = fc.record({
    id: fc.nat(40),
    first: fc.boolean(),
    port: fc.nat(0xffff),
    scope: fc.integer({ min: -1, max: 2 }),
  });
  fc.assert(
    fc.property(fc.integer(), fc.array(piece, { maxLength: 200 }), (seed, pieces) => {
      const fragments = new Fragments(32, seed);
      const ports = new Map<string, number>();
      for (const { id, first, port, scope } of pieces) {
        const name = `${id} ${scope}`;
        const shown = follow(fragments, v4({ id, port, offset: first ? 0 : 9 }), 0, scope)?.[2];
        if (first) ports.set(name, port);
        else assert.ok(shown === undefined || shown === ports.get(name));
        if (first) assert.equal(follow(fragments, v4({ id, offset: 9 }), 0, scope)?.[2], port);
      }
    }),
    { numRuns: 200 },
  );
});

test('a table four times as large as there are datagrams keeps nearly all of them', () => {
  const fragments = new Fragments(1024, 0x5eed);
  for (let id = 0; id < 256; id++) follow(fragments, v4({ id }), id);
  const known = Array.from({ length: 256 }, (_, id) => follow(fragments, v4({ id, offset: 9 }), 256));
  assert.ok(known.filter((ports) => ports !== undefined).length > 240);
});
