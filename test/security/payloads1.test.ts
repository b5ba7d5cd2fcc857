// SECURITY A5 in IKEv1: payloads that are missing, doubled or out of order in every message of main, aggressive and quick
// mode, and messages before their time. The hashes are right wherever they can be: the attacker is the peer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PROTOCOL } from '../../src/ike/v1/wire/constants.ts';
import type { Payload } from '../../src/ike/v1/wire/payload.ts';
import {
  answered1,
  assertCalm,
  initiating,
  keyed1,
  lone1,
  PEER,
  RESPONDER,
  serves1,
  sessions1,
  up1,
} from './guest1.ts';
import { Peer1 } from './peer1.ts';
import type { Change } from './quick1.ts';
import type { Lone } from './stranger.ts';

/** A conversation up to one message, which is said with its payloads changed. */
interface Scene {
  readonly name: string;
  readonly say: (change: Change) => Lone;
  /** The gateway is the initiator: its peer is one, and a good one cannot come from elsewhere meanwhile. */
  readonly asks?: boolean;
}

const asks = true;

const SCENES: readonly Scene[] = [
  {
    name: 'MM1',
    say: (change) => {
      const lone = lone1();
      lone.receive(new Peer1(5).first(change), PEER);
      return lone;
    },
  },
  {
    name: 'MM2',
    asks,
    say: (change) => {
      const { lone, first } = initiating();
      lone.receive(new Peer1(5).answering(first).main2(change), RESPONDER);
      return lone;
    },
  },
  {
    name: 'MM3',
    say: (change) => {
      const lone = lone1();
      const peer = new Peer1(5);
      const [second] = lone.receive(peer.first(), PEER);
      lone.receive(peer.cookie(second).main3(change), PEER);
      return lone;
    },
  },
  {
    name: 'MM4',
    asks,
    say: (change) => {
      const { lone, first } = initiating();
      const peer = new Peer1(5).answering(first);
      lone.receive(peer.main2(), RESPONDER);
      lone.receive(peer.main3(change), RESPONDER);
      return lone;
    },
  },
  {
    name: 'MM5',
    say: (change) => {
      const { lone, peer } = keyed1();
      lone.receive(peer.proving(change), PEER);
      return lone;
    },
  },
  {
    name: 'MM6',
    asks,
    say: (change) => {
      const { lone, first } = initiating();
      const peer = new Peer1(5).answering(first);
      const [third] = lone.receive(peer.main2(), RESPONDER);
      const [fifth] = lone.receive(peer.derive(third).main3(), RESPONDER);
      peer.conclude(fifth);
      lone.receive(peer.proving(change), RESPONDER);
      return lone;
    },
  },
  {
    name: 'AM1',
    say: (change) => {
      const lone = lone1({ aggressive: true });
      const peer = new Peer1(5, { aggressive: true });
      const [second] = lone.receive(peer.first(change), PEER);
      // What follows meets whatever was left of it: encrypted, and in the clear.
      const [session] = sessions1(lone);
      if (!session) return lone;
      peer.spiR = session.state.spiR;
      if (second) return lone;
      lone.receive(peer.clear([{ tag: 'HASH', data: new Uint8Array(32) }]), PEER);
      const garbage = peer.clear([{ tag: 'HASH', data: new Uint8Array(28) }]);
      garbage[19] = 1;
      lone.receive(garbage, PEER);
      return lone;
    },
  },
  {
    name: 'AM2',
    asks,
    say: (change) => {
      const { lone, first } = initiating({ aggressive: true });
      lone.receive(new Peer1(5, { aggressive: true }).answering(first).aggressive2(change), RESPONDER);
      return lone;
    },
  },
  {
    name: 'AM3',
    say: (change) => {
      const { lone, peer } = keyed1({ aggressive: true });
      lone.receive(peer.aggressive3(change), PEER);
      return lone;
    },
  },
  {
    name: 'AM3 in the clear',
    say: (change) => {
      const { lone, peer } = keyed1({ aggressive: true });
      lone.receive(peer.clear(change([peer.proof])), PEER);
      return lone;
    },
  },
  ...[true, false].flatMap((right): Scene[] => {
    const which = right ? '' : ', the hash among them';
    const both = (change: Change): [Change, Change] => (right ? [change, (all) => all] : [(all) => all, change]);
    return [
      {
        name: `QM1${which}`,
        say: (change) => {
          const { lone, peer } = up1();
          lone.receive(peer.quick().first(...both(change)), PEER);
          return lone;
        },
      },
      {
        name: `QM2${which}`,
        asks,
        say: (change) => {
          const { lone, peer, asked } = answered1();
          const quick = peer.quick(new DataView(asked.buffer, asked.byteOffset).getUint32(20));
          lone.receive(quick.second(quick.hear(asked), ...both(change)), RESPONDER);
          return lone;
        },
      },
    ];
  }),
  {
    name: 'QM3',
    say: (change) => {
      const { lone, peer } = up1();
      const quick = peer.quick();
      quick.hear(lone.receive(quick.first(), PEER)[0]);
      lone.receive(quick.third(change), PEER);
      return lone;
    },
  },
  {
    name: 'INFORMATIONAL',
    say: (change) => {
      const { lone, peer } = up1();
      const payloads: Payload[] = [
        { tag: 'N', protocol: PROTOCOL.ISAKMP, spi: peer.cookies, kind: 36_136, data: Uint8Array.of(0, 0, 0, 9) },
        { tag: 'D', protocol: PROTOCOL.ESP, spis: [Uint8Array.of(1, 2, 3, 4)] },
      ];
      lone.receive(peer.inform(change(payloads)), PEER);
      return lone;
    },
  },
];

/** Every way to take one payload out, to say one twice, to move one, and to say more than there should be. */
function changes(count: number): { readonly what: string; readonly change: Change }[] {
  const each = Array.from({ length: count }, (_, i) => i).flatMap((i) => [
    { what: `without payload ${i}`, change: (all: readonly Payload[]) => all.toSpliced(i, 1) },
    {
      what: `with payload ${i} twice`,
      change: (all: readonly Payload[]) => all.flatMap((one, j) => (i === j ? [one, one] : [one])),
    },
    {
      what: `with payload ${i} first`,
      change: (all: readonly Payload[]) => [...all.slice(i, i + 1), ...all.toSpliced(i, 1)],
    },
  ]);
  const foreign: Payload[] = [
    { tag: 'SIG', data: new Uint8Array(32) },
    { tag: 'CR', encoding: 4, data: new Uint8Array(0) },
    { tag: 'HASH', data: new Uint8Array(32) },
    { tag: 'D', protocol: PROTOCOL.ESP, spis: [new Uint8Array(4)] },
    { tag: 'NATD', draft: false, data: new Uint8Array(0) },
    { tag: 'NATOA', draft: true, address: new Uint8Array(16) },
    { tag: 'unknown', id: 200, data: new Uint8Array(4) },
  ];
  return [
    ...each,
    ...foreign.map((one) => ({ what: `with ${one.tag} more`, change: (all: readonly Payload[]) => [...all, one] })),
    ...foreign.map((one) => ({ what: `behind ${one.tag}`, change: (all: readonly Payload[]) => [one, ...all] })),
    { what: 'backwards', change: (all) => all.toReversed() },
    { what: 'empty', change: () => [] },
    { what: 'with every payload twice', change: (all) => [...all, ...all] },
  ];
}

for (const { name, say, asks } of SCENES) {
  test(`[A5] ${name} whose payloads are missing, doubled or moved breaks nothing`, () => {
    let count = 0;
    say((all) => {
      count = all.length;
      return all;
    });
    assert.ok(count > 0);
    for (const { what, change } of changes(count)) {
      const lone = say(change);
      const before = lone.endpoint.held.spis;
      assert.ok(before <= 2, `${name} ${what}`);
      assertCalm(lone, `${name} ${what}`);
      const children = sessions1(lone).reduce((sum, { state }) => sum + state.children.length, 0);
      assert.equal(lone.endpoint.held.spis, children, `${name} ${what}: SPIs that nobody has`);
      if (!asks) assert.ok(serves1(lone), `${name} ${what}`);
    }
  });
}
