// Sees every datagram and every effect of two gateways and says what must never be: a (key, IV) pair twice, two
// different answers to one request, an SA before AUTH is verified. Counts what has occurred, on request with a look
// into the messages.

import { hex } from '../../src/bytes/bytes.ts';
import type { Effect, SessionId } from '../../src/ike/effects.ts';
import type { IkeSa } from '../../src/ike/sa.ts';
import { Session as Session1 } from '../../src/ike/v1/session.ts';
import { open } from '../../src/ike/v2/protect.ts';
import { EXCHANGE, exchangeName, notifyName } from '../../src/ike/wire/constants.ts';
import { parseMessage, parsePayloads } from '../../src/ike/wire/message.ts';
import type { Payload } from '../../src/ike/wire/payload.ts';
import type { Pair, Side } from './pair.ts';
import { sessions2, v2 } from './v2.ts';

const FLAGS = 19;
const SK = 46;
const SKF = 53;
const INITIATOR = 0x08;
const RESPONSE = 0x20;

export class Watch {
  readonly problems: string[] = [];
  readonly seen = new Map<string, number>();
  installs = 0;
  readonly #deep: boolean;
  readonly #lost: (side: Side) => void;
  readonly #messages = new Map<string, string>();
  readonly #ivs = new Map<string, string>();
  /** IKE SAs by their keys, to see that no two have the same. */
  readonly #keys = new Map<string, string>();
  readonly #authentic = new Map<object, Set<SessionId>>();

  /** `lost` hears of a side that gives the peer up. */
  constructor(pair: Pair, deep: boolean, lost: (side: Side) => void = () => {}) {
    this.#deep = deep;
    this.#lost = lost;
    pair.listener = (bytes, from) => this.#datagram(bytes, from);
    pair.watch = (effect, side) => this.#effect(effect, side);
  }

  count(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1);
  }

  #datagram(bytes: Uint8Array, from: Side): void {
    // Of IKEv1 the ear says what must not be.
    if (bytes[17] === 0x10) return;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    const sa = text.slice(0, 16);
    const flags = bytes[FLAGS] ?? 0;
    const next = bytes[16];
    const exchange = bytes[18] ?? 0;
    const response = (flags & RESPONSE) !== 0;
    const encrypted = next === SK || next === SKF;
    if (this.#deep) this.#look(bytes, from);
    // A first request may be said differently, with a cookie or for another group, and then the answers differ too.
    const stateless = exchange === EXCHANGE.IKE_SA_INIT && (!response || text.slice(8, 16) === NOBODY);
    if (!stateless) {
      const key = `${sa}${text.slice(18, 24)}${next === SKF ? text.slice(32, 36) : ''}`;
      const before = this.#messages.get(key);
      if (before === undefined) this.#messages.set(key, text);
      else if (before !== text) this.problems.push(`${from.name} said something else in ${label(bytes)}`);
    }
    if (!encrypted) return;
    const at = next === SKF ? 36 : 32;
    const iv = `${sa}${flags & INITIATOR}${text.slice(at, at + 8)}`;
    const before = this.#ivs.get(iv);
    if (before === undefined) this.#ivs.set(iv, text);
    else if (before !== text) this.problems.push(`${from.name} used an IV twice in ${label(bytes)}`);
  }

  #look(bytes: Uint8Array, from: Side): void {
    const message = parseMessage(bytes);
    const { header, encrypted } = message;
    this.count(`exchange ${exchangeName(header.exchange)} ${header.response ? 'response' : 'request'}`);
    for (const side of [from, from.other]) {
      for (const { state } of side.endpoint.sessions()) {
        this.count(`phase ${state.phase}`);
        for (const child of state.children) this.count(`stage ${child.stage}`);
      }
      if (side.endpoint.size > side.endpoint.sessions().length) this.count('phase closed');
    }
    this.#notifies(message.payloads);
    if (!encrypted) return;
    if (encrypted.fragment) return this.count('fragment');
    const spiI = hex(header.spiI);
    const session = sessions2(from.endpoint).find(({ state }) => hex(state.spiI) === spiI && state.keys);
    const inner = session && open(session.channel.send, encrypted);
    if (inner) this.#notifies(parsePayloads(encrypted.inner, inner));
  }

  #notifies(payloads: readonly Payload[]): void {
    for (const payload of payloads) if (payload.tag === 'N') this.count(`notify ${notifyName(payload.kind)}`);
  }

  #effect(effect: Effect, side: Side): void {
    if (effect.type === 'event') {
      const { event } = effect;
      this.count(`event ${event.kind}`);
      if (event.kind === 'session-established') this.#established(side, event.session);
      if (event.kind === 'session-rekeyed') this.#established(side, event.by);
      if (event.kind === 'session-closed' && event.reason.code === 'peer-dead') this.#lost(side);
    } else if (effect.type === 'install') {
      this.installs++;
      const { session: id } = effect.sa;
      const known = this.#of(side).has(id);
      // The SA of a rekeying that has still to be decided: its keys come from an authenticated one.
      const derived = side.endpoint.session(id)?.state.remoteId !== undefined;
      if (!known && !derived) this.problems.push(`${side.name} installed a child of session ${id} without AUTH`);
    } else if (effect.type === 'move') {
      this.count('moved');
    }
  }

  #of(side: Side): Set<SessionId> {
    const ids = this.#authentic.get(side.plane) ?? new Set();
    this.#authentic.set(side.plane, ids);
    return ids;
  }

  #established(side: Side, id: SessionId): void {
    this.#of(side).add(id);
    const { name, keys } = keysOf(side.endpoint.session(id));
    for (const key of keys) {
      const owner = this.#keys.get(hex(key));
      if (owner !== undefined && owner !== name) this.problems.push(`${name} has the keys of ${owner}`);
      this.#keys.set(hex(key), name);
    }
  }
}

/** The keys of an IKE SA that no other may have. */
function keysOf(sa: IkeSa | undefined): { readonly name: string; readonly keys: readonly Uint8Array[] } {
  // It is over already.
  if (!sa) return { name: '', keys: [] };
  const name = `${hex(sa.state.spiI)} ${hex(sa.state.spiR)}`;
  if (sa instanceof Session1) {
    const { keys } = sa.state;
    return { name, keys: keys ? [keys.cipherKey, keys.skeyidA, keys.skeyidD] : [] };
  }
  const { keys } = v2(sa).state;
  return { name, keys: keys ? [keys.skEi, keys.skEr] : [] };
}

const NOBODY = '\0'.repeat(8);

function label(bytes: Uint8Array): string {
  const { header } = parseMessage(bytes);
  return `${exchangeName(header.exchange)} ${header.response ? 'response' : 'request'} ${header.messageId}`;
}
