// One quick mode or informational exchange, from the side of a peer made by hand.

import assert from 'node:assert/strict';
import { uint32 } from '../../src/bytes/bytes.ts';
import * as keymat from '../../src/ike/v1/keymat.ts';
import { open } from '../../src/ike/v1/protect.ts';
import { quickProposals } from '../../src/ike/v1/quickproposal.ts';
import { EXCHANGE, ID } from '../../src/ike/v1/wire/constants.ts';
import { encodeChain, parseChain, parseMessage } from '../../src/ike/v1/wire/message.ts';
import type { Chain, Id, Payload } from '../../src/ike/v1/wire/payload.ts';
import { offers } from '../support/connections.ts';
import type { Peer1 } from './peer1.ts';

export type Change = (payloads: readonly Payload[]) => readonly Payload[];

export const SUITE1 = { encr: 12, keyBits: 128, integ: 12, prf: 5, ke: 14, esn: false };
export const ESP1 = offers('aes128-sha256', 'esp');
export const LIFE = { seconds: 3600, kilobytes: 0 };
const NONE = new Uint8Array(0);
const same: Change = (payloads) => payloads;

export function subnet(...bytes: readonly number[]): Id {
  return { type: ID.IPV4_ADDR_SUBNET, protocol: 0, port: 0, data: Uint8Array.from(bytes) };
}

/** What is behind the peer, and what is behind the gateway. */
export const THEIRS = subnet(10, 1, 0, 0, 255, 255, 255, 0);
export const OURS = subnet(10, 2, 0, 0, 255, 255, 255, 0);

/** One quick mode, from the peer's side. */
export class Quick1 {
  readonly peer: Peer1;
  readonly messageId: number;
  readonly nonce: Uint8Array;
  readonly spi: Uint8Array;
  iv: Uint8Array;
  #theirNonce: Uint8Array = NONE;

  constructor(peer: Peer1, messageId: number) {
    this.peer = peer;
    this.messageId = messageId;
    this.nonce = peer.random(32);
    this.spi = peer.random(4).map((byte) => byte | 1);
    this.iv = keymat.exchangeIv(SUITE1, peer.iv, uint32(messageId));
  }

  /** `seed` stands in the hash between the message id and the payloads. */
  say(
    payloads: readonly Payload[],
    seed: readonly Uint8Array[] = [],
    over: { hash?: Uint8Array; exchange?: number; whole?: Change } = {},
  ): Uint8Array {
    const { whole = same } = over;
    const data = over.hash ?? this.hash(...seed, encodeChain(payloads).bytes);
    const { first, bytes } = encodeChain(whole([{ tag: 'HASH', data }, ...payloads]));
    return this.sayRaw(first, bytes, over.exchange);
  }

  hash(...data: readonly Uint8Array[]): Uint8Array {
    return keymat.messageHash(SUITE1, this.peer.known, uint32(this.messageId), ...data);
  }

  sayRaw(first: number, plain: Uint8Array, exchange: number = EXCHANGE.QUICK_MODE): Uint8Array {
    const { bytes, iv } = this.peer.seal(plain, first, this.iv, this.messageId, exchange);
    this.iv = iv;
    return bytes;
  }

  get payloads(): Payload[] {
    const wish = { protocol: 'esp' as const, spi: this.spi, group: 0, encapsulation: 1, life: LIFE };
    return [
      { tag: 'SA', proposals: quickProposals(ESP1, wish) },
      { tag: 'NONCE', data: this.nonce },
      { tag: 'ID', id: THEIRS },
      { tag: 'ID', id: OURS },
    ];
  }

  first(change: Change = same, whole: Change = same): Uint8Array {
    return this.say(change(this.payloads), [], { whole });
  }

  /** What the other side says, in its turn. */
  hear(message: Uint8Array | undefined): Chain {
    assert.ok(message, 'no answer');
    const { header, body } = parseMessage(message);
    const opened = open(SUITE1, this.peer.known.cipherKey, this.iv, body);
    assert.ok(opened);
    this.iv = opened.iv;
    const chain = parseChain(header.nextPayload, opened.plain, { padded: true });
    const nonce = chain.payloads.find(({ tag }) => tag === 'NONCE');
    if (nonce?.tag === 'NONCE') this.#theirNonce = nonce.data.slice();
    return chain;
  }

  third(whole: Change = same): Uint8Array {
    const zero = Uint8Array.of(0);
    const id = uint32(this.messageId);
    const data = keymat.messageHash(SUITE1, this.peer.known, zero, id, this.nonce, this.#theirNonce);
    const { first, bytes } = encodeChain(whole([{ tag: 'HASH', data }]));
    return this.sayRaw(first, bytes);
  }

  /** As the responder: what was asked, with our SPI and our nonce. */
  second(asked: Chain, change: Change = same, whole: Change = same): Uint8Array {
    const payloads = asked.payloads
      .filter(({ tag }) => tag === 'SA' || tag === 'NONCE' || tag === 'ID')
      .map((payload): Payload => {
        if (payload.tag === 'NONCE') return { tag: 'NONCE', data: this.nonce };
        if (payload.tag !== 'SA') return payload;
        const proposals = payload.proposals.map((one) => ({
          ...one,
          spi: this.spi,
          transforms: one.transforms.slice(0, 1),
        }));
        return { tag: 'SA', proposals };
      });
    return this.say(change(payloads), [this.#theirNonce], { whole });
  }
}
