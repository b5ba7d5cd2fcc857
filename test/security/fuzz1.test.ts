// SECURITY A23 in IKEv1: every message of main, aggressive and quick mode and of an informational exchange, changed in
// every bit, cut, spliced, or made of anything at all; in the clear, and under the right keys with the right hashes.
// Nothing is thrown, no bug of ours shows itself, and nothing half-made stays.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat, uint32 } from '../../src/bytes/bytes.ts';
import type { SocketAddress } from '../../src/bytes/ip.ts';
import { notify } from '../../src/ike/v1/payloads.ts';
import { EXCHANGE, NOTIFY, PAYLOAD, PROTOCOL } from '../../src/ike/v1/wire/constants.ts';
import { encodeChain } from '../../src/ike/v1/wire/message.ts';
import type { Payload } from '../../src/ike/v1/wire/payload.ts';
import { octets } from '../support/wire.ts';
import { payloads as anyPayloads } from '../support/wire1.ts';
import {
  answered1,
  assertCalm,
  gateway1,
  initiating,
  keyed1,
  lone1,
  PEER,
  RESPONDER,
  sessions1,
  up1,
} from './guest1.ts';
import { bugs } from './oracle.ts';
import { Peer1 } from './peer1.ts';
import { Lone } from './stranger.ts';

/** A gateway that waits for a message, and what the message is made of. */
interface Scene {
  readonly name: string;
  readonly lone: Lone;
  readonly from: SocketAddress;
  /** Type of the first payload of what may be changed, and the payloads. */
  readonly first: number;
  readonly plain: Uint8Array;
  /** The whole message with these in their place. */
  readonly say: (first: number, plain: Uint8Array) => Uint8Array;
}

/** The same gateway in the same state. */
function copy({ lone }: Pick<Scene, 'lone'>): Lone {
  const aggressive = sessions1(lone).some(({ state }) => state.aggressive);
  const other = new Lone({ connections: [gateway1({ aggressive: aggressive || sessions1(lone).length === 0 })] });
  other.now = lone.now;
  other.endpoint.import(lone.endpoint.export() as Parameters<typeof other.endpoint.import>[0]);
  return other;
}

function withFirst(bytes: Uint8Array, first: number, plain: Uint8Array): Uint8Array {
  const made = concat(bytes.subarray(0, 28), plain);
  made[16] = first;
  new DataView(made.buffer).setUint32(24, made.length);
  return made;
}

function clear(name: string, lone: Lone, bytes: Uint8Array, from = PEER): Scene {
  const say = (first: number, plain: Uint8Array) => withFirst(bytes, first, plain);
  return { name, lone, from, first: bytes[16] as number, plain: bytes.slice(28), say };
}

function proving(name: string, lone: Lone, peer: Peer1, payloads: readonly Payload[], from = PEER): Scene {
  const { iv } = peer;
  const say = (first: number, plain: Uint8Array) => {
    const bytes = peer.phase1Raw(first, plain);
    peer.iv = iv;
    return bytes;
  };
  const { first, bytes: plain } = encodeChain(payloads);
  return { name, lone, from, first, plain, say };
}

/** An exchange of phase 2, whose hash is right whatever is changed. */
function hashed(name: string, lone: Lone, peer: Peer1, payloads: readonly Payload[], exchange: number): Scene {
  const { first, bytes: plain } = encodeChain(payloads);
  const say = (type: number, changed: Uint8Array) => {
    const quick = peer.quick(77);
    const hash = quick.hash(changed);
    return quick.sayRaw(PAYLOAD.HASH, concat(Uint8Array.of(type, 0, 0, hash.length + 4), hash, changed), exchange);
  };
  return { name, lone, from: PEER, first, plain, say };
}

function scenes(): Scene[] {
  const before = lone1({ aggressive: true });
  const peer = new Peer1(5);
  const bold = new Peer1(5, { aggressive: true });
  const third = lone1();
  peer.cookie(third.receive(peer.first(), PEER)[0]);
  const main2 = initiating();
  const main4 = initiating();
  const answering = new Peer1(5).answering(main4.first);
  const [sent] = main4.lone.receive(answering.main2(), RESPONDER);
  const main6 = initiating();
  const proven = new Peer1(5).answering(main6.first);
  const [asked] = main6.lone.receive(proven.main2(), RESPONDER);
  proven.conclude(main6.lone.receive(proven.derive(asked).main3(), RESPONDER)[0]);
  const aggressive2 = initiating({ aggressive: true });
  const fifth = keyed1();
  const aggressive3 = keyed1({ aggressive: true });
  const up = up1();
  const quick2 = answered1();
  const informs: Payload[] = [
    notify(NOTIFY.R_U_THERE, PROTOCOL.ISAKMP, up.peer.cookies, uint32(5)),
    notify(NOTIFY.NO_PROPOSAL_CHOSEN, PROTOCOL.ESP, uint32(5)),
    { tag: 'D', protocol: PROTOCOL.ESP, spis: [uint32(500)] },
    { tag: 'D', protocol: PROTOCOL.ISAKMP, spis: [up.peer.cookies.map((byte) => ~byte)] },
  ];
  return [
    clear('MM1', before, new Peer1(5).first()),
    clear('AM1', before, bold.first()),
    clear('MM2', main2.lone, new Peer1(5).answering(main2.first).main2(), RESPONDER),
    clear('MM3', third, peer.main3()),
    clear('MM4', main4.lone, sent ? answering.main3() : new Uint8Array(0), RESPONDER),
    proving('MM5', fifth.lone, fifth.peer, [{ tag: 'ID', id: fifth.peer.id }, fifth.peer.proof]),
    proving('MM6', main6.lone, proven, [{ tag: 'ID', id: proven.id }, proven.proof], RESPONDER),
    clear(
      'AM2',
      aggressive2.lone,
      new Peer1(5, { aggressive: true }).answering(aggressive2.first).aggressive2(),
      RESPONDER,
    ),
    proving('AM3', aggressive3.lone, aggressive3.peer, [aggressive3.peer.proof]),
    clear('AM3 in the clear', aggressive3.lone, aggressive3.peer.clear([aggressive3.peer.proof])),
    hashed('QM1', up.lone, up.peer, up.peer.quick().payloads, EXCHANGE.QUICK_MODE),
    second(quick2),
    hashed('INFORMATIONAL', up.lone, up.peer, informs, EXCHANGE.INFORMATIONAL),
    clear('INFORMATIONAL in the clear', up.lone, up.peer.clear(informs, EXCHANGE.INFORMATIONAL, 9)),
    clear('a fragment', up.lone, up.peer.clear([{ tag: 'FRAG', id: 1, number: 1, last: true, data: up.peer.main3() }])),
  ];
}

function second({ lone, peer, asked }: ReturnType<typeof answered1>): Scene {
  const id = new DataView(asked.buffer, asked.byteOffset).getUint32(20);
  const heard = peer.quick(id);
  const chain = heard.hear(asked);
  let plain: { readonly first: number; readonly bytes: Uint8Array } | undefined;
  heard.second(chain, (all) => {
    plain = encodeChain(all);
    return all;
  });
  assert.ok(plain);
  const nonce = chain.payloads.find(({ tag }) => tag === 'NONCE');
  assert.ok(nonce?.tag === 'NONCE');
  const say = (first: number, changed: Uint8Array) => {
    const quick = peer.quick(id);
    quick.hear(asked);
    const hash = quick.hash(nonce.data, changed);
    return quick.sayRaw(PAYLOAD.HASH, concat(Uint8Array.of(first, 0, 0, hash.length + 4), hash, changed));
  };
  return { name: 'QM2', lone, from: RESPONDER, first: plain.first, plain: plain.bytes, say };
}

const SCENES = scenes();

function suffers(scene: Scene, bytes: Uint8Array): Lone {
  const lone = copy(scene);
  const answers = lone.receive(bytes, scene.from);
  // Twice: what was kept of it the first time must not stand in the way.
  lone.receive(bytes, scene.from);
  const what = `${scene.name}: ${Buffer.from(bytes).toString('hex')}`;
  assert.equal(bugs(lone.endpoint), 0, what);
  assert.ok(answers.length <= 12, what);
  assertCalm(lone, what);
  return lone;
}

for (const scene of SCENES) {
  const { name, first, plain, say } = scene;

  test(`[A23] ${name} as it should be is taken`, () => {
    const lone = copy(scene);
    const { drops } = lone;
    lone.receive(say(first, plain), scene.from);
    const refused = name.endsWith('in the clear') && name.startsWith('INFO') ? 1 : 0;
    if (name !== 'a fragment' && name !== 'INFORMATIONAL') assert.equal(lone.drops - drops, refused);
  });

  test(`[A23] ${name} with any bit turned breaks nothing`, () => {
    for (let bit = 0; bit < plain.length * 8; bit++) {
      const flipped = plain.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      suffers(scene, say(first, flipped));
    }
    for (let type = 0; type < 256; type++) suffers(scene, say(type, plain));
  });

  test(`[A23] ${name} cut anywhere, or with a length changed, breaks nothing`, () => {
    for (let length = 0; length < plain.length; length++) suffers(scene, say(first, plain.slice(0, length)));
    for (let at = 0; at + 1 < plain.length; at++) {
      for (const value of [0, 3, 4, 255, 32_768, 65_535]) {
        const changed = plain.slice();
        changed[at] = value >> 8;
        changed[at + 1] = value & 0xff;
        suffers(scene, say(first, changed));
      }
    }
  });

  test(`[A23] any payloads at all in the place of ${name} break nothing`, () => {
    fc.assert(
      fc.property(anyPayloads, (payloads) => {
        const made = encodeChain(payloads);
        suffers(scene, say(made.first, made.bytes));
      }),
      { numRuns: 200, seed: 20_260_102 },
    );
  });

  test(`[A23] noise, splices and changed headers in the place of ${name} break nothing`, () => {
    const other = fc.constantFrom(...SCENES);
    const spliced = fc
      .tuple(other, fc.nat({ max: 300 }), fc.nat({ max: 300 }))
      .map(([{ plain: foreign }, i, j]) => say(first, concat(plain.subarray(0, i), foreign.subarray(j))));
    const headed = fc.tuple(fc.nat({ max: 27 }), fc.nat({ max: 255 })).map(([at, value]) => {
      const changed = say(first, plain);
      // The cookies, or else it is for nobody.
      changed[Math.max(16, at)] = value;
      return changed;
    });
    const noise = fc.tuple(octets(0, 200), fc.nat({ max: 255 })).map(([bytes, type]) => say(type, bytes));
    fc.assert(
      fc.property(fc.oneof(spliced, headed, noise), (bytes) => {
        suffers(scene, bytes);
      }),
      { numRuns: 300, seed: 20_260_103 },
    );
  });
}
