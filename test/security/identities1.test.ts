// SECURITY A9 and B9 in IKEv1: who the peer says it is, and which secret vouches for it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../src/bytes/bytes.ts';
import { ID, NOTIFY } from '../../src/ike/v1/wire/constants.ts';
import type { Id, Payload } from '../../src/ike/v1/wire/payload.ts';
import { id, LEFT_IP, psk } from '../support/connections.ts';
import {
  answered1,
  assertCalm,
  establishedIn,
  initiating,
  keyed1,
  lone1,
  PEER,
  RESPONDER,
  serves1,
  sessions1,
} from './guest1.ts';
import { Peer1 } from './peer1.ts';

function named(type: number, data: Uint8Array, over: Partial<Id> = {}): Id {
  return { type, protocol: 0, port: 0, data, ...over };
}

const fqdn = (text: string) => named(ID.FQDN, utf8(text));

const NAMES: readonly [string, Id][] = [
  ['an empty DN', named(ID.DER_ASN1_DN, Uint8Array.of(0x30, 0))],
  ['a DN cut short', named(ID.DER_ASN1_DN, Uint8Array.of(0x30, 0x82, 0xff, 0xff))],
  ['the name as a DN', named(ID.DER_ASN1_DN, utf8('left.test'))],
  ['the name as a mail address', named(ID.USER_FQDN, utf8('left.test'))],
  ['the name as a key id', named(ID.KEY_ID, utf8('left.test'))],
  ['a name that reads as a DN', fqdn('CN=left.test')],
  ['a name with commas', fqdn('left.test,left.test')],
  ['a name and a zero', fqdn('left.test\0')],
  ['a name, a zero and another', fqdn('left.test\0.evil.test')],
  ['a zero', fqdn('\0')],
  ['%any', fqdn('%any')],
  ['an asterisk', fqdn('*')],
  ['*.test', fqdn('*.test')],
  ['__proto__', fqdn('__proto__')],
  ['constructor', fqdn('constructor')],
  ['toString', fqdn('toString')],
  ['a name that is not UTF-8', named(ID.FQDN, Uint8Array.of(0x6c, 0xff, 0xfe, 0x80))],
  ['a name with a dot behind', fqdn('left.test.')],
  ['a name of 60 000 bytes', fqdn('left.test'.padEnd(60_000, 'x'))],
  ['an address of zeros', named(ID.IPV4_ADDR, new Uint8Array(4))],
  ['all addresses', named(ID.IPV4_ADDR_SUBNET, new Uint8Array(8))],
  ['a subnet of IPv6', named(ID.IPV6_ADDR_SUBNET, new Uint8Array(32))],
  ['a range', named(ID.IPV4_ADDR_RANGE, Uint8Array.of(0, 0, 0, 0, 255, 255, 255, 255))],
  ['type 0', named(0, utf8('left.test'))],
  ['type 12', named(12, utf8('left.test'))],
  ['type 255', named(255, utf8('left.test'))],
  ['TCP', named(ID.FQDN, utf8('left.test'), { protocol: 6, port: 500 })],
  ['a port without a protocol', named(ID.FQDN, utf8('left.test'), { port: 500 })],
  ['UDP to another port', named(ID.FQDN, utf8('left.test'), { protocol: 17, port: 501 })],
  ['protocol 255', named(ID.FQDN, utf8('left.test'), { protocol: 255, port: 65_535 })],
];

test('[A9] a name in main mode that is not, byte by byte and by its type, the one expected lets nobody in', () => {
  for (const [what, name] of NAMES) {
    const { lone, peer } = keyed1();
    peer.id = name;
    lone.receive(peer.proving(), PEER);
    assert.equal(establishedIn(lone), 0, what);
    assertCalm(lone, what);
    assert.equal(lone.endpoint.size, 0, what);
    assert.ok(serves1(lone), what);
  }
});

test('[A9] the same in aggressive mode costs the stranger a refusal, and us no key exchange', () => {
  for (const [what, name] of NAMES) {
    const lone = lone1({ aggressive: true });
    const peer = new Peer1(5, { aggressive: true });
    peer.id = name;
    const answers = lone.receive(peer.first(), PEER);
    assert.ok(answers.every(({ length }) => length === 40) && answers.length <= 1, what);
    assert.equal(lone.endpoint.size, 0, what);
    assertCalm(lone, what);
  }
});

test('[A9] the same from a responder ends the attempt', () => {
  for (const [what, name] of NAMES) {
    for (const aggressive of [false, true]) {
      const { lone, first } = initiating({ aggressive });
      const peer = new Peer1(5, { aggressive }).answering(first);
      peer.id = name;
      if (aggressive) lone.receive(peer.aggressive2(), RESPONDER);
      else {
        const [third] = lone.receive(peer.main2(), RESPONDER);
        peer.conclude(lone.receive(peer.derive(third).main3(), RESPONDER)[0]);
        lone.receive(peer.proving(), RESPONDER);
      }
      assert.equal(establishedIn(lone), 0, what);
      assertCalm(lone, what);
      assert.equal(lone.endpoint.size, 0, what);
    }
  }
});

test('[A9] names of any kind print safely in what the operator is told', () => {
  const lone = lone1({ remoteId: { kind: 'is', id: id('somebody.test') } });
  for (const name of ['$(reboot)', '\u001b[31mred', 'two\nlines', '"; DROP', '\u202eevil']) {
    const { peer } = keyed1({ lone, seed: name.length, from: { ...PEER, port: 1000 + name.length } });
    peer.id = fqdn(name);
    lone.receive(peer.proving(), { ...PEER, port: 1000 + name.length });
  }
  const said = JSON.stringify(lone.events.filter(({ kind }) => kind !== 'vendors'));
  assert.ok(said.includes('$(reboot)'));
  for (const raw of ['\u001b', '\\n', '\u202e', '\\u001b[31m']) assert.ok(!said.includes(raw), JSON.stringify(raw));
});

// --- secrets and names -------------------------------------------------------------------------------------------------

const [ALICE, BOB] = ['the secret of alice, long enough', 'the secret of bob, long enough, too'];

/** Two peers with secrets of their own, from anywhere. */
function twoPeers(): { readonly lone: ReturnType<typeof lone1> } {
  const sharedKeys = [psk(ALICE, 'alice.test', 'right.test'), psk(BOB, 'bob.test', 'right.test')];
  return { lone: lone1({ remoteId: { kind: 'any' } }, { sharedKeys }) };
}

test('[B9] each of several secrets lets in the peer that it is for', () => {
  const { lone } = twoPeers();
  for (const [i, [name, secret]] of [
    ['alice.test', ALICE],
    ['bob.test', BOB],
  ].entries()) {
    const from = { ...PEER, port: 1000 + i };
    const { peer } = keyed1({ lone, name: name as string, secret: secret as string, seed: i, from });
    lone.receive(peer.proving(), from);
    assert.equal(establishedIn(lone), i + 1, name);
  }
});

test('[B9] a secret does not vouch for another name, however many are tried', () => {
  for (const [name, secret] of [
    ['bob.test', ALICE],
    ['alice.test', BOB],
    ['eve.test', ALICE],
  ] as const) {
    const { lone } = twoPeers();
    const { peer } = keyed1({ lone, name, secret });
    const [answer] = lone.receive(peer.proving(), PEER);
    assert.deepEqual(
      peer.read(answer).map((one) => (one.tag === 'N' ? one.kind : one.tag)),
      ['HASH', NOTIFY.INVALID_ID_INFORMATION],
      name,
    );
    assert.equal(establishedIn(lone), 0, name);
    assertCalm(lone);
    assert.equal(lone.endpoint.size, 0);
  }
});

test('[B9] the same in aggressive mode', () => {
  for (const [name, secret, good] of [
    ['alice.test', ALICE, true],
    ['bob.test', ALICE, false],
    ['alice.test', BOB, false],
  ] as const) {
    const sharedKeys = [psk(ALICE, 'alice.test', 'right.test'), psk(BOB, 'bob.test', 'right.test')];
    const lone = lone1({ remoteId: { kind: 'any' }, aggressive: true }, { sharedKeys });
    const { peer } = keyed1({ lone, name, secret, aggressive: true });
    lone.receive(peer.aggressive3(), PEER);
    assert.equal(establishedIn(lone), good ? 1 : 0, `${name} ${good}`);
    assertCalm(lone);
  }
});

test('[B9] a responder that knows one peer’s secret cannot pass for another peer', () => {
  const everybody = 'the secret of everybody at that address';
  for (const [name, good] of [
    ['bob.test', false],
    ['carol.test', true],
  ] as const) {
    const conn = { remoteId: { kind: 'any' as const } };
    const { lone, first } = initiating(conn, {
      sharedKeys: [psk(everybody, LEFT_IP), psk(BOB, 'bob.test', 'right.test')],
    });
    const peer = new Peer1(5, { name, secret: utf8(everybody) }).answering(first);
    const [third] = lone.receive(peer.main2(), RESPONDER);
    peer.conclude(lone.receive(peer.derive(third).main3(), RESPONDER)[0]);
    lone.receive(peer.proving(), RESPONDER);
    assert.equal(establishedIn(lone), good ? 1 : 0, name);
  }
});

test('[B9] the same secret in several lines lets in whoever one of them is for', () => {
  const sharedKeys = [psk(ALICE), psk(ALICE, 'alice.test')];
  const lone = lone1({ remoteId: { kind: 'any' } }, { sharedKeys });
  const { peer } = keyed1({ lone, name: 'alice.test', secret: ALICE });
  lone.receive(peer.proving(), PEER);
  assert.equal(establishedIn(lone), 1);
});

test('[B9] an identity in the clear or in a second payload is not looked at', () => {
  const { lone, peer } = keyed1();
  const second: Payload = { tag: 'ID', id: fqdn('left.test') };
  lone.receive(peer.clear([second, peer.proof]), PEER);
  assert.equal(lone.count('unencrypted'), 1);
  const { lone: other, peer: twofaced } = keyed1();
  other.receive(
    twofaced.proving((all) => [...all, second]),
    PEER,
  );
  assert.equal(establishedIn(other), 0);
  assert.equal(sessions1(answered1().lone)[0]?.state.phase, 'established');
});
