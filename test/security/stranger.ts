// One endpoint alone, and a stranger who sends it what he likes. And the messages that strangers send.

import { concat } from '../../src/bytes/bytes.ts';
import type { SocketAddress } from '../../src/bytes/ip.ts';
import type { Random } from '../../src/crypto/types.ts';
import type { Effect, Event } from '../../src/ike/effects.ts';
import { Endpoint } from '../../src/ike/endpoint.ts';
import { offerProposals } from '../../src/ike/select.ts';
import { firstKeys, sharedKeyAuth } from '../../src/ike/v2/keymat.ts';
import { type Channel, channel, seal } from '../../src/ike/v2/protect.ts';
import type { IkeKeys } from '../../src/ike/v2/state.ts';
import { AUTH_METHOD, EXCHANGE, NOTIFY, PAYLOAD, PROTOCOL } from '../../src/ike/wire/constants.ts';
import { encodeMessage, type HeaderFields, parseMessage } from '../../src/ike/wire/message.ts';
import type { Identity, Payload } from '../../src/ike/wire/payload.ts';
import { cheapAgree, cheapPair } from '../support/cheapke.ts';
import { connection, mirrored, offers, psk, RIGHT_IP } from '../support/connections.ts';
import type { SideOptions } from '../support/pair.ts';
import { seeded } from '../support/random.ts';

export const HERE: SocketAddress = { ip: RIGHT_IP, port: 500 };
export const STRANGER: SocketAddress = { ip: '198.51.100.66', port: 500 };

export const X25519 = 31;
export const NULL_SPI = new Uint8Array(8);
export const OFFERS = offers('aes128gcm16-prfsha256-x25519', 'ike');
export const SUITE = { encr: 20, keyBits: 128, integ: 0, prf: 5, ke: X25519, esn: false };

export function options(over: Partial<SideOptions> = {}): SideOptions {
  return { ip: RIGHT_IP, connections: [mirrored(connection())], sharedKeys: [psk()], ...over };
}

export class Lone {
  readonly endpoint: Endpoint;
  readonly events: Event[] = [];
  installed = 0;
  now = 1_000_000;
  #seed = 77;
  #answers: { readonly bytes: Uint8Array; readonly remote: SocketAddress }[] = [];

  constructor(over: Partial<SideOptions> = {}, random: Random = seeded(4711)) {
    const { connections, sharedKeys } = options(over);
    this.endpoint = new Endpoint({ random, port: 500, natPort: 4500, rawEsp: true, connections, sharedKeys });
  }

  /** What it sends because of this datagram. */
  receive(bytes: Uint8Array, from: SocketAddress = STRANGER): Uint8Array[] {
    this.run(this.endpoint.receive(this.now, bytes.slice(), from, HERE));
    return this.#taken();
  }

  pass(time: number): Uint8Array[] {
    const end = this.now + time;
    for (let at = this.endpoint.deadline(); at !== undefined && at <= end; at = this.endpoint.deadline()) {
      this.now = Math.max(this.now, at);
      this.run(this.endpoint.tick(this.now));
    }
    this.now = end;
    return this.#taken();
  }

  #taken(): Uint8Array[] {
    const taken = this.#answers.map(({ bytes }) => bytes);
    this.#answers = [];
    return taken;
  }

  run(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'send') this.#answers.push(effect);
      if (effect.type === 'event') this.events.push(effect.event);
      if (effect.type === 'install') this.installed++;
      if (effect.type === 'generate') {
        const pair = cheapPair(seeded(this.#seed++));
        this.run(this.endpoint.answer(this.now, { type: 'generated', job: effect.job, pair }));
      }
      if (effect.type === 'agree') {
        const pair = effect.pair ?? cheapPair(seeded(this.#seed++));
        const shared = cheapAgree(pair, effect.theirs);
        this.run(this.endpoint.answer(this.now, { type: 'agreed', job: effect.job, pair, shared }));
      }
    }
  }

  count(code: string): number {
    return this.endpoint.counters().get(code) ?? 0;
  }

  get drops(): number {
    let sum = 0;
    for (const count of this.endpoint.counters().values()) sum += count;
    return sum;
  }

  /** Whether somebody with the right key gets a tunnel now. */
  serves(from: SocketAddress = { ip: '198.51.100.99', port: 500 }, seed = 9): boolean {
    const guest = new Guest(seed);
    const [answer] = this.receive(guest.hello(), from);
    if (!answer) return false;
    let answered = answer;
    if (guest.cookie(answer)) {
      const [second] = this.receive(guest.hello(), from);
      if (!second) return false;
      answered = second;
    }
    if (!guest.learn(answered)) return false;
    const before = this.installed;
    this.receive(guest.auth(), from);
    return this.installed === before + 1;
  }
}

export function headerOf(over: Partial<HeaderFields> = {}): HeaderFields {
  return {
    spiI: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    spiR: NULL_SPI,
    exchange: EXCHANGE.IKE_SA_INIT,
    initiator: true,
    response: false,
    messageId: 0,
    ...over,
  };
}

export function initPayloads(random: Random = seeded(3)): Payload[] {
  return [
    { tag: 'SA', proposals: offerProposals(OFFERS, PROTOCOL.IKE, new Uint8Array(0)) },
    { tag: 'KE', group: X25519, data: random(32) },
    { tag: 'Nonce', data: random(32) },
  ];
}

/** An initiator by hand, who knows the pre-shared key if he is given it. */
export class Guest {
  readonly random: Random;
  readonly spiI: Uint8Array;
  readonly nonce: Uint8Array;
  readonly pair;
  spiR: Uint8Array = NULL_SPI;
  keys: IkeKeys | undefined;
  #cookie: Uint8Array | undefined;
  #request: Uint8Array = NULL_SPI;
  #nonceR: Uint8Array = NULL_SPI;
  #channel: Channel | undefined;
  #iv = 0;

  constructor(seed: number) {
    this.random = seeded(seed);
    this.spiI = this.random(8);
    this.nonce = this.random(32);
    this.pair = cheapPair(this.random);
  }

  hello(): Uint8Array {
    const cookie: Payload[] = this.#cookie
      ? [{ tag: 'N', protocol: 0, spi: new Uint8Array(0), kind: NOTIFY.COOKIE, data: this.#cookie }]
      : [];
    this.#request = encodeMessage(headerOf({ spiI: this.spiI }), [
      ...cookie,
      { tag: 'SA', proposals: offerProposals(OFFERS, PROTOCOL.IKE, new Uint8Array(0)) },
      { tag: 'KE', group: X25519, data: this.pair.public },
      { tag: 'Nonce', data: this.nonce },
    ]);
    return this.#request;
  }

  /** True when the answer asks for a cookie, which the next `hello` brings along. */
  cookie(answer: Uint8Array): boolean {
    const [first] = parseMessage(answer).payloads;
    if (first?.tag !== 'N' || first.kind !== NOTIFY.COOKIE) return false;
    this.#cookie = first.data.slice();
    return true;
  }

  /** False when this is no answer to go on from. */
  learn(answer: Uint8Array): boolean {
    const { header, payloads } = parseMessage(answer);
    const ke = payloads.find((payload) => payload.tag === 'KE');
    const nonce = payloads.find((payload) => payload.tag === 'Nonce');
    if (ke?.tag !== 'KE' || nonce?.tag !== 'Nonce') return false;
    const shared = cheapAgree(this.pair, ke.data);
    if (!shared) return false;
    this.spiR = header.spiR.slice();
    this.#nonceR = nonce.data.slice();
    this.keys = firstKeys(SUITE, { shared, nonceI: this.nonce, nonceR: this.#nonceR }, this.spiI, this.spiR);
    this.#channel = channel(SUITE, this.keys, true);
    return true;
  }

  get channel(): Channel {
    if (!this.#channel) throw new Error('no keys yet');
    return this.#channel;
  }

  /** AUTH as RFC 7296 §2.15 has it. */
  proof(id: Identity, secret = psk().secret.reveal()): Uint8Array {
    if (!this.keys) throw new Error('no keys yet');
    return sharedKeyAuth(SUITE, secret, this.#request, this.#nonceR, this.keys.skPi, id);
  }

  auth(change: (payloads: readonly Payload[]) => readonly Payload[] = (payloads) => payloads): Uint8Array {
    const id: Identity = { type: 2, data: new TextEncoder().encode('left.test') };
    const everything = { protocol: 0, startPort: 0, endPort: 0xffff };
    const net = (third: number) => [
      { ...everything, start: Uint8Array.of(10, third, 0, 0), end: Uint8Array.of(10, third, 0, 255) },
    ];
    const spi = this.random(4).map((byte) => byte | 1);
    return this.sealed(
      { exchange: EXCHANGE.IKE_AUTH, messageId: 1 },
      change([
        { tag: 'IDi', id },
        { tag: 'AUTH', method: AUTH_METHOD.SHARED_KEY_MIC, data: this.proof(id) },
        { tag: 'SA', proposals: offerProposals(offers('aes128gcm16', 'esp'), PROTOCOL.ESP, spi) },
        { tag: 'TSi', selectors: net(1) },
        { tag: 'TSr', selectors: net(2) },
      ]),
    );
  }

  sealed(fields: Partial<HeaderFields>, payloads: readonly Payload[]): Uint8Array {
    const [bytes] = this.fragments(fields, payloads, undefined);
    return bytes ?? new Uint8Array(0);
  }

  fragments(fields: Partial<HeaderFields>, payloads: readonly Payload[], maximum: number | undefined): Uint8Array[] {
    const header = headerOf({ spiI: this.spiI, spiR: this.spiR, ...fields });
    const { random } = this;
    return seal({ protection: this.channel.send, header, payloads, maximum, random, nextIv: () => this.#iv++ });
  }

  /** One SKF payload with these numbers, whatever they are (RFC 7383 §2.5). */
  fragment(
    number: number,
    total: number,
    inner: number,
    text: Uint8Array,
    { messageId = 1, exchange = EXCHANGE.IKE_AUTH as number, outer = 0 } = {},
  ): Uint8Array {
    const { send } = this.channel;
    const padded = concat(text, Uint8Array.of(0));
    const iv = new Uint8Array(8);
    new DataView(iv.buffer).setUint32(4, this.#iv++);
    const header = headerOf({ spiI: this.spiI, spiR: this.spiR, exchange, messageId });
    const front = inFront(outer);
    const at = 28 + front.length;
    const prefix = concat(encodeMessage(header, []), front, new Uint8Array(8));
    const view = new DataView(prefix.buffer);
    prefix[16] = outer > 0 ? UNKNOWN : PAYLOAD.SKF;
    prefix[at] = inner;
    view.setUint16(at + 2, 8 + 8 + padded.length + 16);
    view.setUint16(at + 4, number);
    view.setUint16(at + 6, total);
    view.setUint32(24, prefix.length + 8 + padded.length + 16);
    return concat(prefix, iv, send.seal(iv, prefix, padded));
  }
}

const UNKNOWN = 200;

/** So many empty payloads of a type that nobody knows, a fragment to follow. */
export function inFront(count: number): Uint8Array {
  return concat(
    ...Array.from({ length: count }, (_, i) => Uint8Array.of(i === count - 1 ? PAYLOAD.SKF : UNKNOWN, 0, 0, 4)),
  );
}
