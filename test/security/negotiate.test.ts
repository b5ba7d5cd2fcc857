// SECURITY A6–A8: proposals, groups, payload types and versions that no honest peer sends.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NOTIFY, PAYLOAD } from '../../src/ike/wire/constants.ts';
import { encodeMessage, parseMessage } from '../../src/ike/wire/message.ts';
import type { Payload, Transform } from '../../src/ike/wire/payload.ts';
import { child, connection, offers, sides } from '../support/connections.ts';
import { Pair } from '../support/pair.ts';
import { change, edit, read, request, response, words } from '../support/tamper.ts';
import { assertUnharmed, bugs, dropped } from './oracle.ts';
import { headerOf, initPayloads, Lone } from './stranger.ts';

const ENCR = 1;
const PRF = 2;
const INTEG = 3;
const KE = 4;
const ESN = 5;

const GCM: Transform = { type: ENCR, id: 20, keyBits: 128 };
const CBC: Transform = { type: ENCR, id: 12, keyBits: 128 };
const SHA256: Transform = { type: PRF, id: 5 };
const MAC: Transform = { type: INTEG, id: 12 };
const X25519: Transform = { type: KE, id: 31 };
const NO_ESN: Transform = { type: ESN, id: 0 };

function hello(transforms: readonly Transform[], group = 31, protocol = 1, spi = new Uint8Array(0)): Uint8Array {
  return encodeMessage(
    headerOf(),
    initPayloads().map((payload): Payload => {
      if (payload.tag === 'SA') return { tag: 'SA', proposals: [{ number: 1, protocol, spi, transforms }] };
      return payload.tag === 'KE' ? { ...payload, group } : payload;
    }),
  );
}

function notifyIn(bytes: Uint8Array | undefined): Extract<Payload, { tag: 'N' }> | undefined {
  const [first] = bytes ? parseMessage(bytes).payloads : [];
  return first?.tag === 'N' ? first : undefined;
}

const IKE_PROPOSALS: [string, readonly Transform[]][] = [
  ['nothing at all', []],
  ['no cipher', [SHA256, X25519]],
  ['no PRF', [GCM, X25519]],
  ['no group', [GCM, SHA256]],
  ['group NONE', [GCM, SHA256, { type: KE, id: 0 }]],
  ['a cipher without integrity', [CBC, SHA256, X25519]],
  ['a cipher with integrity NONE', [CBC, SHA256, { type: INTEG, id: 0 }, X25519]],
  ['a combined mode with integrity', [GCM, SHA256, MAC, X25519]],
  ['no key length', [{ type: ENCR, id: 20 }, SHA256, X25519]],
  ['key length 0', [{ ...GCM, keyBits: 0 }, SHA256, X25519]],
  ['key length 65535', [{ ...GCM, keyBits: 65_535 }, SHA256, X25519]],
  ['key length 127', [{ ...GCM, keyBits: 127 }, SHA256, X25519]],
  ['a key length for 3DES', [{ type: ENCR, id: 3, keyBits: 192 }, SHA256, MAC, X25519]],
  ['NULL encryption', [{ type: ENCR, id: 11 }, SHA256, MAC, X25519]],
  ['GMAC', [{ type: ENCR, id: 21, keyBits: 128 }, SHA256, X25519]],
  ['GMAC with integrity', [{ type: ENCR, id: 21, keyBits: 128 }, SHA256, MAC, X25519]],
  ['a cipher nobody knows', [{ type: ENCR, id: 65_535, keyBits: 128 }, SHA256, X25519]],
  ['a PRF nobody knows', [GCM, { type: PRF, id: 1025 }, X25519]],
  ['ESN in IKE', [GCM, SHA256, X25519, NO_ESN]],
  ['a transform type nobody knows', [GCM, SHA256, X25519, { type: 6, id: 1 }]],
  ['transform type 0', [GCM, SHA256, X25519, { type: 0, id: 0 }]],
  ['transform type 255', [GCM, SHA256, X25519, { type: 255, id: 65_535 }]],
];

/** Everything that this program can do, so that refusals come from the rules and not from our offers. */
const LIBERAL = offers(
  [
    'aes128gcm16-aes256gcm16-prfsha256-prfsha384-x25519-modp2048',
    'aes128-aes256-3des-sha256-sha1-prfsha256-x25519-modp2048',
  ].join(),
  'ike',
);

function liberal(): Lone {
  return new Lone({ connections: [connection({ offers: LIBERAL })] });
}

test('[A6] proposals that would leave keys or integrity out are answered with NO_PROPOSAL_CHOSEN', () => {
  for (const [what, transforms] of IKE_PROPOSALS) {
    const lone = liberal();
    const answers = lone.receive(hello(transforms));
    assert.equal(notifyIn(answers[0])?.kind, NOTIFY.NO_PROPOSAL_CHOSEN, what);
    assert.equal(lone.endpoint.size, 0, what);
  }
});

test('[A6] proposals for another protocol are answered with NO_PROPOSAL_CHOSEN', () => {
  for (const protocol of [0, 2, 3, 4, 255]) {
    const lone = liberal();
    const spi = protocol === 2 || protocol === 3 ? new Uint8Array(4) : new Uint8Array(0);
    const answers = lone.receive(hello([GCM, SHA256, X25519], 31, protocol, spi));
    assert.equal(notifyIn(answers[0])?.kind, NOTIFY.NO_PROPOSAL_CHOSEN, `protocol ${protocol}`);
  }
});

test('[A6] alternatives of one type, however many, lead to one that we offer', () => {
  const many = Array.from({ length: 200 }, (_, i): Transform => ({ type: ENCR, id: 1000 + i, keyBits: 128 }));
  const lone = liberal();
  const [answer] = lone.receive(hello([...many, GCM, GCM, SHA256, SHA256, X25519]));
  assert.ok(answer);
  const [sa] = parseMessage(answer).payloads;
  assert.deepEqual(sa?.tag === 'SA' && sa.proposals[0]?.transforms, [GCM, SHA256, X25519]);
});

test('[A6] a number of transforms or a size of a substructure that does not hold is malformed', () => {
  const good = hello([GCM, SHA256, X25519]);
  // IKE header 28, generic header 4, then the proposal: last, 0, length, number, protocol, SPI size, transforms.
  for (const [at, values] of [
    [28 + 4 + 2, [1, 255]],
    [28 + 4 + 3, [0, 1, 7, 8, 9, 255]],
    [28 + 4 + 4, [0]],
    [28 + 4 + 6, [1, 3, 4, 7, 9, 16, 255]],
    [28 + 4 + 7, [0, 1, 2, 4, 255]],
    [28 + 4 + 8 + 3, [0, 1, 4, 7, 9, 255]],
  ] as const) {
    for (const value of values) {
      const lone = liberal();
      const bytes = good.slice();
      bytes[at] = value;
      assert.deepEqual(lone.receive(bytes), [], `${value} at ${at}`);
      assert.equal(lone.drops, 1);
      assert.equal(lone.endpoint.size, 0);
    }
  }
});

const ESP_PROPOSALS: [string, readonly Transform[]][] = [
  ['nothing at all', []],
  ['no cipher', [MAC, NO_ESN]],
  ['a cipher without integrity', [CBC, NO_ESN]],
  ['NULL without integrity', [{ type: ENCR, id: 11 }, NO_ESN]],
  ['GMAC', [{ type: ENCR, id: 21, keyBits: 128 }, NO_ESN]],
  ['a combined mode with integrity', [GCM, MAC, NO_ESN]],
  ['no key length', [{ type: ENCR, id: 20 }, NO_ESN]],
  ['key length 0', [{ ...GCM, keyBits: 0 }, NO_ESN]],
  ['ESN only', [GCM, { type: ESN, id: 1 }]],
  ['ESN 2', [GCM, { type: ESN, id: 2 }]],
  ['a PRF in ESP', [GCM, SHA256, NO_ESN]],
];

test('[A6] ESP proposals of that kind cost the child and leave the IKE SA standing', () => {
  const wide = child({ offers: offers('aes128gcm16,aes128-sha256,null-sha256', 'esp') });
  for (const [what, transforms] of ESP_PROPOSALS) {
    const pair = new Pair(...sides({ children: [wide] }));
    const answer = response(pair.right, 'IKE_AUTH');
    let answered: string[] = [];
    pair.wire.tamper = (bytes, from) => {
      if (answer(bytes, from)) answered = words(read(bytes, from)?.payloads ?? []);
      if (!request(pair.left, 'IKE_AUTH')(bytes, from)) return bytes;
      return edit(bytes, from, (all) =>
        all.map((p): Payload => {
          if (p.tag !== 'SA') return p;
          const { spi } = p.proposals[0] ?? { spi: new Uint8Array(4) };
          return { tag: 'SA', proposals: [{ number: 1, protocol: 3, spi, transforms }] };
        }),
      );
    };
    pair.left.initiate();
    pair.run(2000);
    assert.deepEqual(answered, ['IDr', 'AUTH', 'N(NO_PROPOSAL_CHOSEN)'], what);
    assert.equal(pair.right.plane.sas.length, 0, what);
    assert.equal(pair.left.live.sessions.length, 1, what);
    assertUnharmed(pair, what);
  }
});

test('[A6] an answer that chooses what we did not offer, or more than one, makes no SA', () => {
  const strange: [string, readonly Transform[]][] = [
    ...IKE_PROPOSALS,
    ['two ciphers', [GCM, { ...GCM, keyBits: 256 }, SHA256, X25519]],
    ['another cipher', [{ ...GCM, keyBits: 256 }, SHA256, X25519]],
    ['another group', [GCM, SHA256, { type: KE, id: 14 }]],
  ];
  for (const [what, transforms] of strange) {
    const pair = new Pair(...sides());
    change(pair, response(pair.right, 'IKE_SA_INIT'), (all) =>
      all.map((p) => (p.tag === 'SA' ? { ...p, proposals: p.proposals.map((one) => ({ ...one, transforms })) } : p)),
    );
    pair.left.initiate();
    pair.run(1000);
    assert.equal(pair.left.count('session-established'), 0, what);
    assert.ok(dropped(pair.left.endpoint) > 0, what);
    assertUnharmed(pair, what);
  }
});

test('[A6] an SPI of ESP in the reserved range is not taken, whoever chooses it', () => {
  for (const spi of [0, 1, 255]) {
    for (const side of ['left', 'right'] as const) {
      const pair = new Pair(...sides());
      const match = side === 'left' ? request(pair.left, 'IKE_AUTH') : response(pair.right, 'IKE_AUTH');
      change(pair, match, (all) =>
        all.map((p) =>
          p.tag === 'SA'
            ? { ...p, proposals: p.proposals.map((one) => ({ ...one, spi: Uint8Array.of(0, 0, 0, spi) })) }
            : p,
        ),
      );
      pair.left.initiate();
      pair.run(2000);
      const other = side === 'left' ? pair.right : pair.left;
      assert.equal(other.plane.sas.length, 0, `SPI ${spi} chosen by ${side}`);
      assertUnharmed(pair, `SPI ${spi} chosen by ${side}`);
    }
  }
});

// --- groups ----------------------------------------------------------------------------------------------------------

const GROUPS = [0, ...Array.from({ length: 17 }, (_, i) => 1024 + i), 65_535];

test('[A7] a KE payload of an unknown or private group is answered with INVALID_KE_PAYLOAD and our group', () => {
  for (const group of GROUPS) {
    const lone = new Lone();
    const [answer] = lone.receive(hello([GCM, SHA256, X25519], group));
    const payload = notifyIn(answer);
    assert.equal(payload?.kind, NOTIFY.INVALID_KE_PAYLOAD, `group ${group}`);
    assert.deepEqual([...(payload?.data ?? [])], [0, 31]);
    assert.equal(lone.endpoint.size, 0);
  }
});

test('[A7] the same in CREATE_CHILD_SA, for children and for the IKE SA', () => {
  for (const group of GROUPS) {
    for (const what of ['child', 'ike'] as const) {
      const pair = Pair.up(...sides({ children: [child({ offers: offers('aes128gcm16-x25519', 'esp') })] }));
      let answered: string[] = [];
      let once = true;
      pair.wire.tamper = (bytes, from) => {
        if (response(pair.right, 'CREATE_CHILD_SA')(bytes, from)) answered = words(read(bytes, from)?.payloads ?? []);
        if (!request(pair.left, 'CREATE_CHILD_SA')(bytes, from) || !once) return bytes;
        once = false;
        return edit(bytes, from, (all) => all.map((p) => (p.tag === 'KE' ? { ...p, group } : p)));
      };
      const { left } = pair;
      if (what === 'child') left.run(left.endpoint.rekeyChild(pair.now, left.child));
      else left.run(left.endpoint.rekeyIke(pair.now, left.session));
      pair.run(100);
      assert.deepEqual(answered, ['N(INVALID_KE_PAYLOAD)'], `${what}, group ${group}`);
      assertUnharmed(pair, `${what}, group ${group}`);
    }
  }
});

test('[A7] a group number in an answer that is not the one of our request ends nothing but the attempt', () => {
  for (const group of GROUPS) {
    const pair = new Pair(...sides());
    change(pair, response(pair.right, 'IKE_SA_INIT'), (all) => all.map((p) => (p.tag === 'KE' ? { ...p, group } : p)));
    pair.left.initiate();
    pair.run(1000);
    assert.ok((pair.left.endpoint.counters().get('bad-answer') ?? 0) > 0);
    assert.equal(pair.left.count('session-established'), 0);
    assertUnharmed(pair, `group ${group}`);
  }
});

// --- payload types ---------------------------------------------------------------------------------------------------

test('[A8] every payload type, empty, in IKE_SA_INIT is dropped, ignored or refused', () => {
  for (let type = 1; type <= 255; type++) {
    for (const critical of [false, true]) {
      const lone = new Lone();
      const extra: Payload = { tag: 'unknown', id: type, critical, data: new Uint8Array(0) };
      const answers = lone.receive(encodeMessage(headerOf(), [...initPayloads(), extra]));
      const known = Object.values<number>(PAYLOAD).includes(type);
      const kind = notifyIn(answers[0])?.kind;
      if (!known && critical) {
        assert.equal(kind, NOTIFY.UNSUPPORTED_CRITICAL_PAYLOAD, `type ${type}`);
        assert.deepEqual([...(notifyIn(answers[0])?.data ?? [])], [type]);
      }
      if (!known && !critical) assert.equal(kind, undefined, `type ${type} is ignored`);
      assert.equal(bugs(lone.endpoint), 0);
      lone.pass(60_000);
      assert.equal(lone.endpoint.size, 0);
    }
  }
});

test('[A8] every payload type, empty, from the peer in IKE_AUTH breaks nothing', () => {
  for (let type = 1; type <= 255; type++) {
    const pair = new Pair(...sides());
    const extra: Payload = { tag: 'unknown', id: type, critical: type % 2 === 0, data: new Uint8Array(0) };
    change(pair, request(pair.left, 'IKE_AUTH'), (all) => [...all, extra]);
    pair.left.initiate();
    assertUnharmed(pair, `type ${type}`);
  }
});

test('[A8] IKEv1 messages, and versions to come, are counted and leave nothing', () => {
  const lone = new Lone();
  const bytes = encodeMessage(headerOf(), initPayloads());
  for (let version = 0; version <= 255; version++) {
    if (version >> 4 === 2) continue;
    const old = bytes.slice();
    old[17] = version;
    const answers = lone.receive(old);
    if (version >> 4 < 2) assert.deepEqual(answers, []);
    for (const answer of answers) assert.equal(notifyIn(answer)?.kind, NOTIFY.INVALID_MAJOR_VERSION);
  }
  assert.equal(lone.endpoint.size, 0);
  assert.equal(lone.drops, 240);
  assert.ok(lone.serves());
});

test('[A8] the answer to another version is no longer than the question', () => {
  const lone = new Lone();
  for (let length = 28; length < 60; length++) {
    const bytes = new Uint8Array(length);
    bytes.set(encodeMessage(headerOf(), []));
    bytes[17] = 0x30;
    new DataView(bytes.buffer).setUint32(24, length);
    for (const answer of lone.receive(bytes)) assert.ok(answer.length <= length, `${answer.length} for ${length}`);
    lone.pass(1000);
  }
});
