// SECURITY A5: payloads that are missing, doubled or out of order, in every exchange and from both sides. The messages
// are well protected: the attacker is the peer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Payload } from '../../src/ike/wire/payload.ts';
import { child, offers, selectors, sides } from '../support/connections.ts';
import { Pair, type Side } from '../support/pair.ts';
import { type ExchangeName, edit, read, request, response, words } from '../support/tamper.ts';
import { assertUnharmed } from './oracle.ts';

interface Scene {
  readonly name: string;
  readonly exchange: ExchangeName;
  /** A word that only the message meant has in its request. */
  readonly holding?: string;
  readonly begin: (pair: Pair) => void;
}

const other = child({ name: 'other', localTs: selectors('10.8.0.0/24'), remoteTs: selectors('10.9.0.0/24') });
const pfs = child({ name: 'net', offers: offers('aes128gcm16-x25519', 'esp') });

function fresh(): Pair {
  return new Pair(...sides({ children: [pfs, other] }));
}

function up(): Pair {
  const pair = fresh();
  pair.left.initiate(['net']);
  pair.run(2000);
  return pair;
}

const CREATIONS: readonly Scene[] = [
  {
    name: 'a new child',
    exchange: 'CREATE_CHILD_SA',
    begin: ({ left, now }) => left.run(left.endpoint.createChild(now, left.session, 'other')),
  },
  {
    name: 'rekeying a child with PFS',
    exchange: 'CREATE_CHILD_SA',
    begin: ({ left, now }) => left.run(left.endpoint.rekeyChild(now, left.child)),
  },
  {
    name: 'rekeying the IKE SA',
    exchange: 'CREATE_CHILD_SA',
    begin: ({ left, now }) => left.run(left.endpoint.rekeyIke(now, left.session)),
  },
  {
    name: 'deleting a child',
    exchange: 'INFORMATIONAL',
    begin: ({ left, now }) => left.run(left.endpoint.closeChild(now, left.child)),
  },
  {
    name: 'deleting the IKE SA',
    exchange: 'INFORMATIONAL',
    begin: ({ left, now }) => left.run(left.endpoint.close(now, left.session, { code: 'requested', text: 'test' })),
  },
  {
    name: 'a liveness check',
    exchange: 'INFORMATIONAL',
    begin: ({ left, now }) => left.run(left.endpoint.checkLiveness(now, left.session)),
  },
];

const SCENES: readonly { readonly scene: Scene; readonly make: () => Pair }[] = [
  {
    scene: { name: 'IKE_SA_INIT', exchange: 'IKE_SA_INIT', begin: (pair) => void pair.left.initiate(['net']) },
    make: fresh,
  },
  { scene: { name: 'IKE_AUTH', exchange: 'IKE_AUTH', begin: (pair) => void pair.left.initiate(['net']) }, make: fresh },
  ...CREATIONS.map((scene) => ({ scene, make: up })),
];

type Change = (payloads: readonly Payload[]) => readonly Payload[];

/** Every way to take one payload out, to send one twice, to add a foreign one, and the whole message backwards. */
function changes(payloads: readonly Payload[]): { readonly what: string; readonly change: Change }[] {
  const names = words(payloads);
  const foreign: Payload = { tag: 'AUTH', method: 2, data: new Uint8Array(32) };
  return [
    ...payloads.flatMap((_, i) => [
      { what: `without ${names[i]}`, change: (all: readonly Payload[]) => all.toSpliced(i, 1) },
      {
        what: `with ${names[i]} twice`,
        change: (all: readonly Payload[]) => all.flatMap((p, j) => (i === j ? [p, p] : [p])),
      },
      {
        what: `with ${names[i]} first`,
        change: (all: readonly Payload[]) => [...all.slice(i, i + 1), ...all.toSpliced(i, 1)],
      },
    ]),
    { what: 'backwards', change: (all) => all.toReversed() },
    { what: 'empty', change: () => [] },
    { what: 'with a second AUTH', change: (all) => [...all, foreign, foreign] },
    { what: 'with every payload twice', change: (all) => [...all, ...all] },
  ];
}

/** What the message meant holds when nobody touches it. */
function original(
  { make, scene }: (typeof SCENES)[number],
  sender: (pair: Pair) => Side,
  reply: boolean,
): readonly Payload[] {
  const pair = make();
  const match = (reply ? response : request)(sender(pair), scene.exchange);
  let payloads: readonly Payload[] | undefined;
  pair.wire.tamper = (bytes, from) => {
    if (match(bytes, from)) payloads ??= read(bytes, from)?.payloads;
    return bytes;
  };
  scene.begin(pair);
  pair.run(1000);
  assert.ok(payloads, `${scene.name} was not seen`);
  return payloads;
}

for (const scenario of SCENES) {
  for (const reply of [false, true]) {
    const { scene, make } = scenario;
    const which = reply ? 'response' : 'request';
    test(`[A5] ${scene.name}: a ${which} whose payloads are missing, doubled or moved breaks nothing`, () => {
      const sender = (pair: Pair) => (reply ? pair.right : pair.left);
      for (const { what, change } of changes(original(scenario, sender, reply))) {
        const pair = make();
        const match = (reply ? response : request)(sender(pair), scene.exchange);
        pair.wire.tamper = (bytes, from) => (match(bytes, from) ? edit(bytes, from, change) : bytes);
        scene.begin(pair);
        assertUnharmed(pair, `${scene.name} ${which} ${what}`);
      }
    });
  }
}
