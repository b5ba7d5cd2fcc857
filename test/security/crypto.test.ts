// SECURITY A6 and C where an attacker stands: public values that are no good, IVs, sequence numbers, nonces, SPIs, and
// leading zeros. The algorithms by themselves are tested in test/crypto and test/esp.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, hex } from '../../src/bytes/bytes.ts';
import { KE } from '../../src/crypto/ids.ts';
import { modp768 } from '../../src/crypto/primes.ts';
import { keyExchange, protection } from '../../src/crypto/registry.ts';
import { selfTest, suites } from '../../src/daemon/selftest.ts';
import { encodeMessage, parseMessage } from '../../src/ike/wire/message.ts';
import type { Payload } from '../../src/ike/wire/payload.ts';
import { dropped, pair } from '../esp/end.ts';
import { GCM, ipv4, udp } from '../esp/support.ts';
import { sources, withoutComments } from '../structure/source.ts';
import { child, connection, offers, sides } from '../support/connections.ts';
import { Pair } from '../support/pair.ts';
import { seeded } from '../support/random.ts';
import { change, request, response } from '../support/tamper.ts';
import { Network, within } from './gateways.ts';
import { assertUnharmed } from './oracle.ts';
import { Guest, headerOf, initPayloads, Lone } from './stranger.ts';

// --- self-test -------------------------------------------------------------------------------------------------------

test('[A6] every suite that can be chosen passes the self-test that the daemon runs at start', () => {
  selfTest();
  // 22 with a combined mode, GMAC among them; AES-CBC and AES-CTR with three lengths, 3DES, DES and NULL with each of 8 MACs.
  assert.equal(suites().length, 22 + 9 * 8);
});

// --- public values ---------------------------------------------------------------------------------------------------

function number(value: bigint, size: number): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(2 * size, '0'), 'hex'));
}

const P = BigInt(`0x${hex(modp768().prime)}`);

const BAD_VALUES: [string, number, readonly [string, Uint8Array][]][] = [
  [
    'modp768',
    KE.MODP_768,
    [
      ['0', number(0n, 96)],
      ['1', number(1n, 96)],
      ['p − 1', number(P - 1n, 96)],
      ['p', number(P, 96)],
      ['p + 2', number(P + 2n, 96)],
      ['all ones', new Uint8Array(96).fill(255)],
      ['a byte short', number(5n, 95)],
      ['a byte long', number(5n, 97)],
      ['one byte', Uint8Array.of(5)],
    ],
  ],
  [
    'ecp256',
    KE.ECP_256,
    [
      ['infinity', new Uint8Array(64)],
      ['off the curve', new Uint8Array(64).fill(1)],
      ['all ones', new Uint8Array(64).fill(255)],
      ['compressed', new Uint8Array(33).fill(2)],
      ['with its prefix', concat(Uint8Array.of(4), new Uint8Array(64).fill(1))],
      ['a byte short', new Uint8Array(63).fill(1)],
    ],
  ],
  [
    'x25519',
    KE.CURVE25519,
    [
      ['0', new Uint8Array(32)],
      ['1', Uint8Array.of(1, ...new Uint8Array(31))],
      ['p', Uint8Array.of(0xed, ...new Uint8Array(30).fill(255), 0x7f)],
      ['31 bytes', new Uint8Array(31).fill(9)],
      ['33 bytes', new Uint8Array(33).fill(9)],
    ],
  ],
  [
    'x448',
    KE.CURVE448,
    [
      ['0', new Uint8Array(56)],
      ['57 bytes', new Uint8Array(57).fill(9)],
    ],
  ],
];

for (const [word, group, values] of BAD_VALUES) {
  test(`[C6] public values of ${word} that would give the secret away are refused in every exchange`, () => {
    const conn = {
      offers: offers(`aes128gcm16-prfsha256-${word}`, 'ike'),
      children: [child({ offers: offers(`aes128gcm16-${word}`, 'esp') })],
    };
    const bad = (data: Uint8Array) => (all: readonly Payload[]) =>
      all.map((p): Payload => (p.tag === 'KE' ? { tag: 'KE', group, data } : p));
    for (const [what, data] of values) {
      // IKE_SA_INIT {KEi} -->
      const asked = new Pair(...sides(conn, {}, { realKe: true }));
      change(asked, request(asked.left, 'IKE_SA_INIT'), bad(data));
      asked.left.initiate();
      asked.run(500);
      assert.deepEqual(asked.right.sent, [], what);
      assert.equal(asked.right.endpoint.size, 0, what);
      assert.ok((asked.right.endpoint.counters().get('bad-key-exchange') ?? 0) > 0, what);

      // <-- IKE_SA_INIT {KEr}
      const answered = new Pair(...sides(conn, {}, { realKe: true }));
      change(answered, response(answered.right, 'IKE_SA_INIT'), bad(data));
      answered.left.initiate();
      answered.run(500);
      assert.equal(answered.left.last('session-closed')?.reason.code, 'bad-key-exchange', what);
      assert.equal(answered.left.endpoint.size, 0, what);
    }
    const [first] = values;
    for (const which of ['child', 'ike'] as const) {
      for (const reply of [false, true]) {
        const pair = Pair.up(...sides(conn, {}, { realKe: true }));
        const { left, right } = pair;
        const match = reply ? response(right, 'CREATE_CHILD_SA') : request(left, 'CREATE_CHILD_SA');
        change(pair, match, bad(first?.[1] ?? new Uint8Array(0)), 1);
        const before = [left.child, left.session, right.child, right.session];
        if (which === 'child') left.run(left.endpoint.rekeyChild(pair.now, left.child));
        else left.run(left.endpoint.rekeyIke(pair.now, left.session));
        const inits = () => pair.log.filter((line) => line.includes('IKE_SA_INIT request')).length;
        const initsBefore = inits();
        pair.run(100);
        // The peer believes that the IKE SA is replaced: only one from scratch helps, and that is authenticated anew.
        const anew = which === 'ike' && reply;
        assert.equal(inits() - initsBefore, anew ? 1 : 0);
        if (anew) continue;
        // Whose value was refused may have given up the IKE SA; what he has not got is a new one.
        const after = [...left.live.children.map(({ id }) => id), ...left.live.sessions.map(({ state }) => state.id)];
        assert.ok(
          after.every((one) => before.includes(one)),
          `${which} ${reply}`,
        );
        assertUnharmed(pair, `${which} ${reply}`);
      }
    }
  });
}

test('[C13] leading zeros of a shared secret are kept', () => {
  const group = keyExchange(KE.MODP_768);
  assert.ok(group);
  const small = (value: number) => number(BigInt(value), 32);
  const power = (base: bigint, exponent: bigint): bigint => {
    let result = 1n;
    let square = base;
    for (let left = exponent; left > 0n; left >>= 1n) {
      if (left & 1n) result = (result * square) % P;
      square = (square * square) % P;
    }
    return result;
  };
  const none = new Uint8Array(0);
  const theirs = group.agree({ secret: small(0x1234_5678), public: none }, number(2n, 96));
  assert.ok(theirs);
  let found = 0;
  for (let secret = 3; found === 0 && secret < 5000; secret++) {
    const shared: Uint8Array | undefined = group.agree({ secret: small(secret), public: none }, theirs);
    assert.equal(shared?.length, 96);
    if (shared?.[0] !== 0) continue;
    found++;
    assert.equal(hex(shared), hex(number(power(BigInt(`0x${hex(theirs)}`), BigInt(secret)), 96)));
  }
  assert.equal(found, 1, 'no secret with a leading zero was found');
});

// --- IVs and sequence numbers ----------------------------------------------------------------------------------------

test('[C7] no two messages under one IKE key have the same IV, also after another process has taken over', () => {
  const pair = Pair.up(...sides());
  pair.left.transplant();
  pair.right.transplant();
  for (let i = 0; i < 5; i++) {
    pair.left.run(pair.left.endpoint.checkLiveness(pair.now, pair.left.session));
    pair.right.run(pair.right.endpoint.rekeyChild(pair.now, pair.right.child));
    pair.run(2000);
    pair.left.transplant();
    pair.right.transplant();
  }
  pair.left.run(pair.left.endpoint.rekeyIke(pair.now, pair.left.session));
  pair.run(2000);
  for (const side of [pair.left, pair.right]) {
    const seen = new Map<string, string>();
    for (const { bytes } of side.sent) {
      const { header, encrypted } = parseMessage(bytes);
      if (!encrypted) continue;
      const iv = `${hex(header.spiI)} ${hex(encrypted.body.subarray(0, 8))}`;
      assert.ok(!seen.has(iv) || seen.get(iv) === hex(bytes), `IV ${iv} twice`);
      seen.set(iv, hex(bytes));
    }
    assert.ok(seen.size > 10);
  }
});

test('[C7] a request that is sent again has the same bytes, and so the same IV over the same text', () => {
  const pair = Pair.up(...sides());
  pair.wire.cut = true;
  const before = pair.left.sent.length;
  pair.left.run(pair.left.endpoint.checkLiveness(pair.now, pair.left.session));
  pair.run(20_000);
  const again = pair.left.sent.slice(before).map(({ bytes }) => hex(bytes));
  assert.equal(again.length, 5);
  assert.equal(new Set(again).size, 1);
});

test('[C7] no two ESP packets under one key have the same IV', () =>
  within(new Network().up(), (network) => {
    const { left } = network;
    const seen = new Set<string>();
    for (let i = 0; i < 500; i++) {
      if (i === 250) {
        const [old] = network.state(left).children;
        assert.ok(old);
        left.gateway.run(left.gateway.endpoint.rekeyChild(network.now, old.id));
        network.net.settle();
      }
      const { bytes } = network.sealed(left, ipv4('10.1.0.7', '10.2.0.9', udp(1, 2)));
      const iv = `${hex(bytes.subarray(0, 4))} ${hex(bytes.subarray(8, 16))}`;
      assert.ok(!seen.has(iv));
      seen.add(iv);
    }
    assert.equal(new Set([...seen].map((iv) => iv.slice(0, 8))).size, 2, 'two SAs');
  }));

test('[C7] sequence numbers end at 2^32 − 1 and never wrap', () => {
  const { left } = pair({}, GCM, { protection });
  left.from(1, { NEXT: 2 ** 32 - 2 });
  const packet = ipv4('10.1.0.1', '10.2.0.1', udp(1, 2));
  const outcomes = Array.from({ length: 5 }, () => left.outbound(packet, 0));
  assert.deepEqual(
    outcomes.map((each) => (each.tag === 'send' ? hex(each.bytes.subarray(4, 8)) : dropped(each))),
    ['fffffffe', 'ffffffff', 'exhausted', 'exhausted', 'exhausted'],
  );
  assert.equal(left.events().at(-1)?.kind, 'hard');
});

test('[C8] a child is rekeyed when its packets reach the soft limit, and no packet is lost for it', () => {
  const lifetime = { ...child().lifetime, rekeyPackets: 5, lifePackets: 50 };
  return within(new Network({ children: [child({ lifetime })] }).up(), (network) => {
    const packet = ipv4('10.1.0.7', '10.2.0.9', udp(1, 2));
    const [before] = network.state(network.left).children;
    for (let i = 0; i < 30; i++) assert.deepEqual(network.carry(network.left, packet), [packet], `packet ${i}`);
    const after = network.state(network.left).children;
    assert.ok(after.some(({ id }) => id !== before?.id));
  });
});

test('[C8] an SA whose peer will not rekey it stops at the hard limit', () => {
  const lifetime = { ...child().lifetime, rekeyPackets: 5, lifePackets: 8 };
  return within(new Network({ children: [child({ lifetime })] }).up(), (network) => {
    const packet = ipv4('10.1.0.7', '10.2.0.9', udp(1, 2));
    const { net, left } = network;
    const [only] = network.state(left).children;
    const pass = net.filter;
    // No IKE gets through any more.
    net.filter = (flight) => flight.bytes.subarray(0, 4).some((byte) => byte !== 0) && pass(flight);
    let carried = 0;
    for (let i = 0; i < 30; i++) carried += network.carry(left, packet).length;
    assert.equal(carried, 8);
    assert.ok(only);
  });
});

// --- nonces, SPIs, cookies -------------------------------------------------------------------------------------------

test('[C9] nonces of 16 to 256 bytes are taken, others never', () => {
  for (const [size, taken] of [
    [0, false],
    [15, false],
    [16, true],
    [256, true],
    [257, false],
  ] as const) {
    const lone = new Lone();
    const payloads = initPayloads().map((p): Payload => (p.tag === 'Nonce' ? { ...p, data: new Uint8Array(size) } : p));
    assert.equal(lone.receive(encodeMessage(headerOf(), payloads)).length, taken ? 1 : 0, `${size} bytes`);
    assert.equal(lone.endpoint.size, taken ? 1 : 0);
  }
});

test('[C9] our nonces have 32 bytes and are new in every exchange', () => {
  const pair = Pair.up(...sides());
  const nonces: string[] = [];
  for (const side of [pair.left, pair.right]) {
    for (const { bytes } of side.sent) {
      for (const p of parseMessage(bytes).payloads) if (p.tag === 'Nonce') nonces.push(hex(p.data));
    }
  }
  assert.equal(nonces.length, 2);
  assert.equal(new Set(nonces).size, 2);
  for (const nonce of nonces) assert.equal(nonce.length, 64);
});

test('[C9] an SPI is never zero and never in the reserved range, whatever the random source gives first', () => {
  const plain = seeded(1);
  let eights = 3;
  const fours = [0, 1, 255];
  const random = (size: number): Uint8Array => {
    if (size === 8 && eights-- > 0) return new Uint8Array(8);
    const reserved = size === 4 ? fours.shift() : undefined;
    return reserved === undefined ? plain(size) : Uint8Array.of(0, 0, 0, reserved);
  };
  const conn = connection();
  const lone = new Lone({ connections: [conn] }, random);
  lone.run(lone.endpoint.initiate(lone.now, conn, '192.0.2.2', '192.0.2.1').effects);
  const [session] = lone.endpoint.sessions();
  assert.ok(session?.state.spiI.some((byte) => byte !== 0));

  let first = 3;
  const second = [0, 1, 255];
  const responder = new Lone({}, (size) => {
    if (size === 8 && first-- > 0) return new Uint8Array(8);
    const reserved = size === 4 ? second.shift() : undefined;
    return reserved === undefined ? plain(size) : Uint8Array.of(0, 0, 0, reserved);
  });
  const guest = new Guest(3);
  const [answer] = responder.receive(guest.hello());
  assert.ok(answer && guest.learn(answer));
  assert.ok(guest.spiR.some((byte) => byte !== 0));
  responder.receive(guest.auth());
  const [child] = responder.endpoint.sessions()[0]?.state.children ?? [];
  assert.ok((child?.spiIn ?? 0) >= 256);
  assert.equal(second.length, 0);
});

// --- what the sources say --------------------------------------------------------------------------------------------

function saying(pattern: RegExp): string[] {
  return sources('src')
    .filter(({ text }) => pattern.test(withoutComments(text)))
    .map(({ path }) => path);
}

test('[A21] memory that was not cleared is never asked for', () => {
  assert.deepEqual(saying(/allocUnsafe|new Buffer\(|Buffer\.concat|Buffer\.from\([^'"`()]*\)(?!\.)/), []);
});

test('[C1] secrets are compared in one place, in constant time, and AUTH, ICVs and cookies come there', () => {
  assert.deepEqual(saying(/timingSafeEqual/), ['src/crypto/compare.ts']);
  const users = saying(/equalSecret\(/);
  for (const path of ['src/ike/v2/auth.ts', 'src/ike/cookie.ts', 'src/crypto/separate.ts']) {
    assert.ok(users.includes(path), `${path} compares secrets`);
  }
});

test('[C9] nothing is drawn from a source that can be foreseen', () => {
  assert.deepEqual(saying(/Math\.random|pseudoRandomBytes/), []);
});
