// Hears every IKEv1 message of a pair: which one of which exchange it is, and what it says. The IV of a message is in
// none (RFC 2409 appendix B), so that one must have heard them all. Messages can be changed on the way, too: the tests own
// both ends and so all keys, and a changed message is as its sender would have made it, IV and hashes included.

import { createHash } from 'node:crypto';
import { concat, hex, readUint32, uint32 } from '../../src/bytes/bytes.ts';
import { exchangeIv, firstIv, messageHash } from '../../src/ike/v1/keymat.ts';
import { hashed } from '../../src/ike/v1/payloads.ts';
import { open, seal } from '../../src/ike/v1/protect.ts';
import type { Session } from '../../src/ike/v1/session.ts';
import { EXCHANGE, NOTIFY, notifyName, PROTOCOL } from '../../src/ike/v1/wire/constants.ts';
import {
  encodeChain,
  encodeEncrypted,
  encodeMessage,
  type Message,
  parseChain,
  parseMessage,
} from '../../src/ike/v1/wire/message.ts';
import type { Chain, Header, Payload } from '../../src/ike/v1/wire/payload.ts';
import type { Match, Pair, Side } from './pair.ts';
import { sessions1 } from './v1.ts';

/** `MM1` to `MM6`, `AM1` to `AM3`, `QM1` to `QM3`, `INFO`. */
export interface Heard {
  readonly name: string;
  readonly from: Side;
  readonly header: Header;
  /** Empty where nobody has the keys any more. */
  readonly payloads: readonly Payload[];
  readonly iv: Uint8Array;
  /** Of its exchange, from 1. */
  readonly number: number;
}

interface Exchange {
  readonly from: Side[];
  last: Uint8Array | undefined;
  readonly nonces: Uint8Array[];
  readonly publics: Uint8Array[];
}

const NAMES = new Map<number, string>([
  [EXCHANGE.IDENTITY_PROTECTION, 'MM'],
  [EXCHANGE.AGGRESSIVE, 'AM'],
  [EXCHANGE.QUICK_MODE, 'QM'],
]);

export class Ear {
  readonly pair: Pair;
  /** Every message that was said for the first time: `left QM1: HASH SA NONCE ID ID`. */
  readonly lines: string[] = [];
  /** SPIs that a side has asked the other to delete: `left 4711`. */
  readonly deleted = new Set<string>();
  readonly #parts = new Map<string, Uint8Array[]>();
  /** What must never be. */
  readonly problems: string[] = [];
  readonly #heard = new Map<string, Heard>();
  readonly #exchanges = new Map<string, Exchange>();
  /** Last blocks that stand for each other, because one message took the place of the other. */
  readonly #alias = new Map<string, Set<string>>();
  #count = 1;
  readonly #tampers: ((bytes: Uint8Array, from: Side) => Uint8Array | undefined)[] = [];

  constructor(pair: Pair) {
    this.pair = pair;
    const before = pair.listener;
    pair.listener = (bytes, from) => {
      before?.(bytes, from);
      this.of(bytes, from);
    };
    pair.wire.tamper = (bytes, from) => this.#tamper(bytes, from);
  }

  // --- what was said -----------------------------------------------------------------------------------------------------

  of(bytes: Uint8Array, from: Side): Heard {
    const key = createHash('sha256').update(bytes).digest('hex');
    const known = this.#heard.get(key);
    if (known) return known;
    const message = parseMessage(bytes);
    const [part] = message.chain?.payloads ?? [];
    if (part?.tag === 'FRAG') return this.#part(key, message.header, part, from);
    const heard = this.#hear(message, from);
    this.#heard.set(key, heard);
    for (const payload of heard.payloads) {
      if (payload.tag !== 'D' || payload.protocol === PROTOCOL.ISAKMP) continue;
      for (const spi of payload.spis) this.deleted.add(`${from.name} ${readUint32(spi)}`);
    }
    this.lines.push(`${from.name} ${heard.name}: ${words(heard.payloads).join(' ')}`);
    return heard;
  }

  /** One of Cisco's fragments; with the last of them the whole is heard. */
  #part(key: string, header: Header, part: Extract<Payload, { tag: 'FRAG' }>, from: Side): Heard {
    const heard: Heard = { name: 'FRAG', from, header, payloads: [part], iv: new Uint8Array(0), number: part.number };
    this.#heard.set(key, heard);
    this.lines.push(`${from.name} FRAG: ${part.number}`);
    const id = `${from.name} ${hex(header.spiI)} ${part.id}`;
    const parts = part.number === 1 ? [] : (this.#parts.get(id) ?? []);
    this.#parts.set(id, [...parts, part.data.slice()]);
    if (part.last) this.of(concat(...parts, part.data), from);
    return heard;
  }

  #hear(message: Message, from: Side): Heard {
    const { header, chain, body } = message;
    const exchange = this.#exchange(header);
    const short = NAMES.get(header.exchange);
    // An answer to a repeated first message may come from an SA of its own.
    const answers = header.messageId === 0 && header.spiR.some((byte) => byte !== 0);
    const number = exchange.from.push(from) + (answers ? 1 : 0);
    const name = short ? `${short}${number}` : 'INFO';
    if (exchange.from.at(-2) === from) this.problems.push(`${from.name} said something else for ${name}`);
    if (chain) {
      this.#remember(exchange, chain);
      return { name, from, header, payloads: chain.payloads, iv: new Uint8Array(0), number };
    }
    const session = this.session(header, from);
    const iv = session ? (exchange.last ?? this.#firstIv(session, header)) : new Uint8Array(0);
    const opened = session ? read(session, iv, header, body) : undefined;
    if (session?.state.suite) exchange.last = body.slice(-iv.length);
    if (opened) this.#remember(exchange, opened);
    return { name, from, header, payloads: opened?.payloads ?? [], iv, number };
  }

  #exchange({ spiI, spiR, exchange, messageId }: Header): Exchange {
    const key = `${hex(spiI)} ${hex(spiR)} ${exchange} ${messageId}`;
    const known = this.#exchanges.get(key) ?? { from: [], last: undefined, nonces: [], publics: [] };
    this.#exchanges.set(key, known);
    return known;
  }

  #remember(exchange: Exchange, { payloads }: Chain): void {
    for (const payload of payloads) {
      if (payload.tag === 'NONCE') exchange.nonces.push(payload.data.slice());
      if (payload.tag === 'KE') exchange.publics.push(payload.data.slice());
    }
  }

  /** Whoever has the keys. */
  session({ spiI }: Pick<Header, 'spiI'>, from: Side): Session | undefined {
    const name = hex(spiI);
    for (const side of [from, from.other]) {
      const found = sessions1(side.endpoint).find(({ state }) => hex(state.spiI) === name && state.keys);
      if (found) return found;
    }
    return undefined;
  }

  #firstIv({ state }: Session, header: Header): Uint8Array {
    const { suite, iv } = state;
    if (!suite) return new Uint8Array(0);
    const { messageId } = header;
    if (messageId !== 0) return iv ? exchangeIv(suite, iv, uint32(messageId)) : new Uint8Array(0);
    const first = this.#exchange({ ...header, spiR: new Uint8Array(8) });
    const [a, b] = [...first.publics, ...this.#exchange(header).publics];
    return a && b ? firstIv(suite, a, b).slice() : new Uint8Array(0);
  }

  /** `QM1` of this side, holding this word. */
  is(from: Side, name: string, holding?: string): Match {
    return (bytes, sender) => {
      if (sender !== from) return false;
      const heard = this.of(bytes, sender);
      return heard.name === name && (holding === undefined || words(heard.payloads).includes(holding));
    };
  }

  // --- what is done about it -----------------------------------------------------------------------------------------------

  #tamper(bytes: Uint8Array, from: Side): Uint8Array | undefined {
    for (const tamper of this.#tampers) {
      const changed = tamper(bytes, from);
      if (changed !== bytes) return changed;
    }
    this.#said(bytes, from);
    return bytes;
  }

  /** The sender goes on from the IV of what has really gone out last. */
  #said(bytes: Uint8Array, from: Side): void {
    const { header, body, chain } = parseMessage(bytes);
    const names = this.#alias.get(hex(body.slice(-16)));
    if (chain || !names) return;
    const last = body.slice(-16);
    for (const { state } of sessions1(from.endpoint)) {
      if (state.iv && names.has(hex(state.iv))) state.iv = last;
      for (const quick of state.quicks) if (names.has(hex(quick.iv))) quick.iv = last;
    }
    const exchange = this.#exchange(header);
    if (exchange.last && names.has(hex(exchange.last))) exchange.last = last;
  }

  drop(match: Match, times = Number.POSITIVE_INFINITY): void {
    let left = times;
    this.#tampers.push((bytes, from) => (left > 0 && match(bytes, from) && left-- > 0 ? undefined : bytes));
  }

  /** Arrives this often at once. */
  multiply(match: Match, times: number): void {
    const { pair } = this;
    this.#tampers.push((bytes, from) => {
      if (!match(bytes, from)) return bytes;
      const session = this.session(parseMessage(bytes).header, from);
      const { local, remote } = session?.state ?? {};
      const there = from.other;
      for (let i = 1; i < times; i++) {
        pair.later(pair.wire.delay, () => {
          const port = remote?.port ?? 500;
          const source = { ip: from.nat?.ip ?? from.options.ip, port: local?.port ?? 500 };
          there.run(there.endpoint.receive(pair.now, bytes.slice(), source, { ip: there.options.ip, port }));
        });
      }
      return bytes;
    });
  }

  /** The same with other bytes, of which the sender knows nothing. */
  rewrite(match: Match, edit: (bytes: Uint8Array) => Uint8Array): void {
    this.#tampers.push((bytes, from) => (match(bytes, from) ? edit(bytes.slice()) : bytes));
  }

  /** An informational exchange as `from` would begin it. */
  say(from: Side, payloads: readonly Payload[], messageId = 0x5a5a_0000 + this.#count++): void {
    const hash: Payload = { tag: 'HASH', data: new Uint8Array(0) };
    this.inject(from, this.made(from, EXCHANGE.INFORMATIONAL, messageId, [hash, ...payloads]));
  }

  /** Brings it to the other side, from where `from` is. */
  inject(from: Side, bytes: Uint8Array): void {
    const { pair } = this;
    const session = this.session(parseMessage(bytes).header, from);
    pair.transmit(
      from,
      bytes,
      session?.state.local ?? { ip: from.options.ip, port: 500 },
      session?.state.remote ?? { ip: from.other.options.ip, port: 500 },
    );
  }

  /** Says something else in place of what matches; what is left as it was, goes as it was. */
  change(
    match: Match,
    edit: (payloads: readonly Payload[]) => readonly Payload[],
    times = Number.POSITIVE_INFINITY,
  ): void {
    let left = times;
    this.#tampers.push((bytes, from) => {
      if (left <= 0 || !match(bytes, from)) return bytes;
      left--;
      return this.#edited(bytes, from, edit);
    });
  }

  #edited(bytes: Uint8Array, from: Side, edit: (payloads: readonly Payload[]) => readonly Payload[]): Uint8Array {
    const heard = this.of(bytes, from);
    const { header, payloads } = heard;
    const wanted = edit(payloads);
    const encrypted = parseMessage(bytes).chain === undefined;
    if (!encrypted) return encodeMessage(header, wanted);
    const changed = this.#sealed(heard, wanted);
    const [old, next] = [bytes.slice(-16), changed.slice(-16)].map((block) => hex(block));
    const names = this.#alias.get(old as string) ?? new Set([old as string]);
    names.add(next as string);
    for (const name of names) this.#alias.set(name, names);
    this.#said(changed, from);
    return changed;
  }

  #sealed({ header, from, iv, number }: Heard, payloads: readonly Payload[]): Uint8Array {
    const session = this.session(header, from);
    if (!session) throw new Error('nobody has the keys of this message');
    const seed = number === 2 ? this.#exchange(header).nonces.slice(0, 1) : [];
    return sealed(session, header, iv, number === 3 ? payloads : rehashed(session, header, seed, payloads));
  }

  /** A message under the keys of both, with the right hash, in an exchange of its own: as its sender would have made it. */
  made(from: Side, exchange: number, messageId: number, payloads: readonly Payload[], right = true): Uint8Array {
    const [session] = sessions1(from.endpoint);
    if (!session?.state.iv || !session.state.suite) throw new Error(`${from.name} has no SA`);
    const { spiI, spiR, suite, iv } = session.state;
    const header = { spiI, spiR, nextPayload: 0, exchange, encrypted: true, commit: false, messageId };
    return sealed(
      session,
      header,
      exchangeIv(suite, iv, uint32(messageId)),
      right ? rehashed(session, header, [], payloads) : payloads,
    );
  }
}

/** As the HASH was right before, it is right afterwards. */
function rehashed(
  session: Session,
  header: Header,
  seed: readonly Uint8Array[],
  payloads: readonly Payload[],
): readonly Payload[] {
  const { suite, keys } = session.state;
  if (!suite || !keys || header.messageId === 0) return payloads;
  const { first, bytes } = encodeChain(payloads);
  const rest = hashed(parseChain(first, bytes, { padded: false }));
  // What stands behind is part of what is hashed, so that the chain's last generic header must be as it will be.
  const data = messageHash(suite, keys, uint32(header.messageId), ...seed, rest);
  return payloads.map((payload) => (payload.tag === 'HASH' ? { tag: 'HASH', data } : payload));
}

function sealed(session: Session, header: Header, iv: Uint8Array, payloads: readonly Payload[]): Uint8Array {
  const { suite, keys } = session.state;
  if (!suite || !keys) throw new Error('no keys');
  const { first, bytes } = encodeChain(payloads);
  const { body } = seal(suite, keys.cipherKey, iv, bytes);
  return encodeEncrypted(header, first, body);
}

function read({ state }: Session, iv: Uint8Array, { nextPayload }: Header, body: Uint8Array): Chain | undefined {
  const { suite, keys } = state;
  if (!suite || !keys || iv.length === 0) return undefined;
  try {
    const opened = open(suite, keys.cipherKey, iv, body);
    return opened && parseChain(nextPayload, opened.plain, { padded: true });
  } catch {
    return undefined;
  }
}

const PROTOCOLS = new Map<number, string>(Object.entries(PROTOCOL).map(([name, id]) => [id, name]));

export function words(payloads: readonly Payload[]): string[] {
  return payloads.map((payload) => {
    switch (payload.tag) {
      case 'N':
        return `N(${notifyName(payload.kind)})`;
      case 'D':
        return `D(${PROTOCOLS.get(payload.protocol)})`;
      case 'unknown':
        return `unknown(${payload.id})`;
      default:
        return payload.tag;
    }
  });
}

export function note(
  kind: keyof typeof NOTIFY,
  data: Uint8Array = new Uint8Array(0),
  spi = new Uint8Array(0),
): Payload {
  return { tag: 'N', protocol: PROTOCOL.ISAKMP, spi, kind: NOTIFY[kind], data };
}

export function copies(payload: Payload): readonly Payload[] {
  return [payload, payload];
}
