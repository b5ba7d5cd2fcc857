// A peer of IKEv1 made by hand, for either side of phase 1: everything it says can be changed before it goes out, and
// its hashes are right all the same, for the attacker may be the peer.

import assert from 'node:assert/strict';
import { concat, uint32 } from '../../src/bytes/bytes.ts';
import type { KeyPair, Random } from '../../src/crypto/types.ts';
import { idOf } from '../../src/ike/v1/id.ts';
import { ikeProposals } from '../../src/ike/v1/ikeproposal.ts';
import * as keymat from '../../src/ike/v1/keymat.ts';
import { notify } from '../../src/ike/v1/payloads.ts';
import { open, seal } from '../../src/ike/v1/protect.ts';
import { vendorIds } from '../../src/ike/v1/vendor.ts';
import { EXCHANGE } from '../../src/ike/v1/wire/constants.ts';
import {
  encodeChain,
  encodeEncrypted,
  encodeMessage,
  parseChain,
  parseMessage,
} from '../../src/ike/v1/wire/message.ts';
import type { Chain, Id, Payload, Tag } from '../../src/ike/v1/wire/payload.ts';
import { cheapAgree, cheapPair } from '../support/cheapke.ts';
import { id, offers, psk } from '../support/connections.ts';
import { seeded } from '../support/random.ts';
import { type Change, LIFE, Quick1, SUITE1 } from './quick1.ts';
import { NULL_SPI } from './stranger.ts';

export const OFFERS1 = offers('aes128-sha256-modp2048', 'ike');
const NO_SPI = new Uint8Array(0);
const same: Change = (payloads) => payloads;

export class Peer1 {
  readonly random: Random;
  readonly aggressive: boolean;
  readonly secret: Uint8Array;
  id: Id;
  readonly nonce: Uint8Array;
  readonly pair: KeyPair;
  original = true;
  spiI: Uint8Array;
  spiR: Uint8Array = NULL_SPI;
  keys: keymat.Keys | undefined;
  /** Of the next message of phase 1; once that is over, the last block of it. */
  iv: Uint8Array = NULL_SPI;
  #theirNonce: Uint8Array = NULL_SPI;
  #theirPublic: Uint8Array = NULL_SPI;
  #shared: Uint8Array = NULL_SPI;
  #saI: Uint8Array = NULL_SPI;

  constructor(seed: number, { aggressive = false, name = 'left.test', secret = psk().secret.reveal() } = {}) {
    this.random = seeded(seed);
    this.aggressive = aggressive;
    this.secret = secret;
    this.id = idOf(id(name));
    this.spiI = this.random(8);
    this.nonce = this.random(32);
    this.pair = cheapPair(this.random);
  }

  get #exchange(): number {
    return this.aggressive ? EXCHANGE.AGGRESSIVE : EXCHANGE.IDENTITY_PROTECTION;
  }

  /** A message in the clear. */
  clear(payloads: readonly Payload[], exchange = this.#exchange, messageId = 0): Uint8Array {
    return encodeMessage({ spiI: this.spiI, spiR: this.spiR, exchange, messageId }, payloads);
  }

  /** An encrypted one, and the IV after it. */
  seal(plain: Uint8Array, first: number, iv: Uint8Array, messageId: number, exchange: number) {
    const sealed = seal(SUITE1, this.known.cipherKey, iv, plain);
    const header = { spiI: this.spiI, spiR: this.spiR, exchange, messageId };
    return { bytes: encodeEncrypted(header, first, sealed.body), iv: sealed.iv };
  }

  get known(): keymat.Keys {
    assert.ok(this.keys, 'no keys yet');
    return this.keys;
  }

  // --- phase 1 -------------------------------------------------------------------------------------------------------

  /** Message 1 of either mode. */
  first(change: Change = same): Uint8Array {
    const sa: Payload = { tag: 'SA', proposals: ikeProposals(OFFERS1, LIFE) };
    const more = this.aggressive ? [...this.exchangePayloads, { tag: 'ID', id: this.id } as const] : [];
    const payloads = change([sa, ...more, ...vendors]);
    this.#saI = saOf(payloads);
    return this.clear(payloads);
  }

  get exchangePayloads(): Payload[] {
    return [
      { tag: 'KE', data: this.pair.public },
      { tag: 'NONCE', data: this.nonce },
    ];
  }

  /** Takes the cookie that is the other side's, as the initiator. */
  cookie(answer: Uint8Array | undefined): this {
    assert.ok(answer, 'no answer');
    this.spiR = parseMessage(answer).header.spiR.slice();
    return this;
  }

  main3(change: Change = same): Uint8Array {
    return this.clear(change(this.exchangePayloads));
  }

  /** Makes the keys, from a message with KE and Nonce. */
  derive(message: Uint8Array | undefined): this {
    assert.ok(message, 'no answer');
    const { chain } = parseMessage(message);
    assert.ok(chain);
    this.#theirPublic = dataOf(chain, 'KE');
    this.#theirNonce = dataOf(chain, 'NONCE');
    const shared = cheapAgree(this.pair, this.#theirPublic);
    assert.ok(shared);
    this.#shared = shared;
    const exchange = this.exchange;
    this.keys = keymat.phase1Keys(SUITE1, exchange, this.secret);
    this.iv = keymat.firstIv(SUITE1, exchange.publicI, exchange.publicR);
    return this;
  }

  get exchange(): keymat.Exchange {
    const { spiI, spiR } = this;
    const [publicI, publicR] = this.#ordered(this.pair.public, this.#theirPublic);
    const [nonceI, nonceR] = this.#ordered(this.nonce, this.#theirNonce);
    return { spiI, spiR, nonceI, nonceR, publicI, publicR, shared: this.#shared };
  }

  #ordered(mine: Uint8Array, theirs: Uint8Array): [Uint8Array, Uint8Array] {
    return this.original ? [mine, theirs] : [theirs, mine];
  }

  /** HASH_I or HASH_R. */
  get proof(): Payload {
    const body = encodeChain([{ tag: 'ID', id: this.id }]).bytes.subarray(4);
    const data = keymat.authHash(SUITE1, this.known, this.exchange, this.#saI, body, !this.original);
    return { tag: 'HASH', data };
  }

  /** Message 5 or 6 of main mode. */
  proving(change: Change = same): Uint8Array {
    return this.phase1(change([{ tag: 'ID', id: this.id }, this.proof]));
  }

  /** Message 3 of aggressive mode. */
  aggressive3(change: Change = same): Uint8Array {
    return this.phase1(change([this.proof]));
  }

  phase1(payloads: readonly Payload[]): Uint8Array {
    const { first, bytes } = encodeChain(payloads);
    return this.phase1Raw(first, bytes);
  }

  phase1Raw(first: number, plain: Uint8Array): Uint8Array {
    const { bytes, iv } = this.seal(plain, first, this.iv, 0, this.#exchange);
    this.iv = iv;
    return bytes;
  }

  /** The other side's last message of phase 1. */
  conclude(message: Uint8Array | undefined): Chain {
    assert.ok(message, 'no answer');
    const { header, body } = parseMessage(message);
    const opened = open(SUITE1, this.known.cipherKey, this.iv, body);
    assert.ok(opened);
    this.iv = opened.iv;
    return parseChain(header.nextPayload, opened.plain, { padded: true });
  }

  // --- as the responder ------------------------------------------------------------------------------------------------

  answering(first: Uint8Array): this {
    const { header, chain } = parseMessage(first);
    assert.ok(chain);
    this.original = false;
    this.spiI = header.spiI.slice();
    this.spiR = this.random(8);
    this.#saI = saOf(chain.payloads);
    this.#offered = chain.payloads.find(({ tag }) => tag === 'SA');
    if (this.aggressive) this.derive(first);
    return this;
  }

  #offered: Payload | undefined;

  get chosen(): Payload {
    const sa = this.#offered;
    assert.ok(sa?.tag === 'SA');
    return { tag: 'SA', proposals: sa.proposals.map((one) => ({ ...one, transforms: one.transforms.slice(0, 1) })) };
  }

  main2(change: Change = same): Uint8Array {
    return this.clear(change([this.chosen, ...vendors]));
  }

  aggressive2(change: Change = same): Uint8Array {
    return this.clear(
      change([this.chosen, ...this.exchangePayloads, { tag: 'ID', id: this.id }, this.proof, ...vendors]),
    );
  }

  // --- phase 2 -------------------------------------------------------------------------------------------------------

  quick(messageId = new DataView(this.random(4).buffer).getUint32(0) | 1): Quick1 {
    return new Quick1(this, messageId >>> 0);
  }

  /** An informational exchange with the right hash, or with another one. */
  inform(payloads: readonly Payload[], over: { messageId?: number; hash?: Uint8Array } = {}): Uint8Array {
    const quick = this.quick(over.messageId);
    return quick.say(payloads, [], { ...over, exchange: EXCHANGE.INFORMATIONAL });
  }

  notify(kind: number, over: Partial<Extract<Payload, { tag: 'N' }>> = {}, more = {}): Uint8Array {
    return this.inform([{ ...notify(kind, 1, this.cookies), ...over }], more);
  }

  get cookies(): Uint8Array {
    return concat(this.spiI, this.spiR);
  }

  /** What an informational message says. */
  read(message: Uint8Array | undefined): readonly Payload[] {
    assert.ok(message, 'nothing was said');
    const { header, body, chain } = parseMessage(message);
    if (chain) return chain.payloads;
    const iv = keymat.exchangeIv(SUITE1, this.iv, uint32(header.messageId));
    const opened = open(SUITE1, this.known.cipherKey, iv, body);
    assert.ok(opened);
    return parseChain(header.nextPayload, opened.plain, { padded: true }).payloads;
  }
}

const vendors: readonly Payload[] = vendorIds(true).map((data) => ({ tag: 'VID', data }));

function saOf(payloads: readonly Payload[]): Uint8Array {
  const sa = payloads.find(({ tag }) => tag === 'SA');
  return sa ? encodeChain([sa]).bytes.subarray(4) : NO_SPI;
}

function dataOf({ payloads }: Chain, tag: Extract<Tag, 'KE' | 'NONCE'>): Uint8Array {
  const found = payloads.find((payload) => payload.tag === tag);
  assert.ok(found && 'data' in found, `no ${tag}`);
  return found.data.slice();
}
