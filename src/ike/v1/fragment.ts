// Cisco's fragments put together again: of a whole message, before anything of it is decrypted. Nothing proves whose they
// are, so they are few, small and short-lived.

import { same } from '../../bytes/bytes.ts';
import type { Millis } from '../connection.ts';
import { LIFETIME, MAX_BYTES, MAX_FRAGMENTS } from '../fragment.ts';
import type { Session } from './session.ts';
import type { Fragments } from './state.ts';
import { type Message, parseMessage } from './wire/message.ts';
import type { Header, Payload } from './wire/payload.ts';

type Fragment = Extract<Payload, { tag: 'FRAG' }>;

/** The message, once its last missing part is there. */
export function whole(
  { state, conn, world }: Session,
  now: Millis,
  { spiI, spiR }: Header,
  fragment: Fragment,
): { readonly message: Message; readonly datagram: Uint8Array } | undefined {
  if (conn.fragmentation === 'no') return void world.count('fragment-refused');
  const { id, number, last, data } = fragment;
  if (number === 0 || number > MAX_FRAGMENTS) return void world.count('bad-fragment');
  const old = state.fragments;
  const usable = old && old.id === id && now - old.startedAt < LIFETIME;
  const set: Fragments = usable ? old : { id, startedAt: now, bytes: 0, parts: new Map() };
  state.fragments = set;
  const beyond = set.last !== undefined && (last || number > set.last);
  if (set.parts.has(number) || beyond || (last && [...set.parts.keys()].some((other) => other > number))) {
    return void world.count('bad-fragment');
  }
  if (set.bytes + data.length > MAX_BYTES) {
    delete state.fragments;
    return void world.count('bad-fragment');
  }
  set.parts.set(number, data.slice());
  set.bytes += data.length;
  world.unfinished.add(state, data.length);
  if (last) set.last = number;
  if (set.last === undefined || set.parts.size < set.last) return undefined;
  delete state.fragments;
  const datagram = joined(set, set.last);
  const message = parseMessage(datagram);
  // A fragment of fragments, or of what belongs to another SA.
  const own = same(message.header.spiI, spiI) && same(message.header.spiR, spiR);
  if (!own || message.chain?.payloads[0]?.tag === 'FRAG') return void world.count('bad-fragment');
  return { message, datagram };
}

function joined({ parts, bytes }: Fragments, last: number): Uint8Array {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (let number = 1; number <= last; number++) {
    const part = parts.get(number);
    if (!part) continue;
    whole.set(part, at);
    at += part.length;
  }
  return whole.subarray(0, at);
}
