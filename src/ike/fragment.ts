// Puts the fragments of one message together again (RFC 7383 §2.6). Fragments come in decrypted: only the peer can make
// us keep any. Memory and time are bounded by a message, and memory by a sum over all sessions, because before IKE_AUTH
// anybody may be the peer.

import type { Millis } from './connection.ts';
import type { SessionState as State1 } from './v1/state.ts';
import type { Reassembly, SessionState as State2 } from './v2/state.ts';

type SessionState = State1 | State2;

export const MAX_FRAGMENTS = 64;
export const MAX_BYTES = 65_536;
export const LIFETIME: Millis = 30_000;
/** Of all sessions together. */
export const MAX_TOTAL = 4 * 2 ** 20;

export interface Fragment {
  readonly id: number;
  readonly number: number;
  readonly total: number;
  readonly inner: number;
  readonly text: Uint8Array;
}

export type Joined =
  | { readonly done: true; readonly inner: number; readonly text: Uint8Array }
  | { readonly done: false; readonly parts: Reassembly | undefined };

export function join(now: Millis, parts: Reassembly | undefined, fragment: Fragment): Joined {
  if (!acceptable(fragment)) return { done: false, parts };
  const current = usable(now, parts, fragment) ? parts : fresh(now, fragment);
  // A smaller total than before: the sender has fragmented anew for a smaller path meanwhile; this one is an old one.
  if (!current || fragment.total < current.total || current.parts[fragment.number - 1]) return { done: false, parts };
  if (current.bytes + fragment.text.length > MAX_BYTES) return { done: false, parts: undefined };
  current.parts[fragment.number - 1] = fragment.text.slice();
  current.bytes += fragment.text.length;
  current.count++;
  if (fragment.number === 1) current.inner = fragment.inner;
  if (current.count < current.total) return { done: false, parts: current };
  return { done: true, inner: current.inner, text: whole(current) };
}

function acceptable({ number, total, inner }: Fragment): boolean {
  return number >= 1 && number <= total && total <= MAX_FRAGMENTS && (number === 1 || inner === 0);
}

function usable(now: Millis, parts: Reassembly | undefined, fragment: Fragment): boolean {
  return !!parts && parts.id === fragment.id && parts.total >= fragment.total && now - parts.startedAt < LIFETIME;
}

function fresh(now: Millis, { id, total }: Fragment): Reassembly {
  return { id, total, startedAt: now, inner: 0, bytes: 0, count: 0, parts: new Array(total).fill(undefined) };
}

function whole({ parts, bytes }: Reassembly): Uint8Array {
  const text = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    if (!part) throw new Error('a fragment is missing');
    text.set(part, at);
    at += part.length;
  }
  return text;
}

/** The sessions that wait for fragments, the oldest first. */
export class Unfinished {
  readonly #states = new Set<SessionState>();
  /** At least what they keep: what has been finished since is still in it. */
  #bytes = 0;

  /** `state` keeps so many bytes more. Where that is too much in all, those who are not known yet lose theirs. */
  add(state: SessionState, bytes: number): void {
    this.#states.add(state);
    this.#bytes += bytes;
    if (this.#bytes > MAX_TOTAL) this.#trim();
  }

  #trim(): void {
    this.#bytes = 0;
    for (const state of this.#states) {
      const bytes = bytesOf(state);
      if (bytes === 0) this.#states.delete(state);
      this.#bytes += bytes;
    }
    const strangers = [...this.#states].filter(({ establishedAt }) => establishedAt === undefined);
    for (const state of [...strangers, ...this.#states]) {
      // A quarter of it at once, so that the next fragment does not lead here again.
      if (this.#bytes <= (MAX_TOTAL / 4) * 3) return;
      this.#bytes -= bytesOf(state);
      this.#states.delete(state);
      drop(state);
    }
  }
}

function bytesOf(state: SessionState): number {
  if (state.version === 1) return state.fragments?.bytes ?? 0;
  return (state.requestParts?.bytes ?? 0) + (state.responseParts?.bytes ?? 0);
}

function drop(state: SessionState): void {
  if (state.version === 1) {
    delete state.fragments;
  } else {
    delete state.requestParts;
    delete state.responseParts;
  }
}
