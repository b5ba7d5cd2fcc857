// Numbers that must not be given twice: of sessions, children, jobs, ESP SPIs and policies.

import { readUint32 } from '../bytes/bytes.ts';
import type { Random } from '../crypto/types.ts';
import { policyOf } from './children.ts';
import type { BaseState, Numbers } from './state.ts';

interface Policy {
  readonly reqid: number;
  /** Children that serve it. */
  users: number;
}

export class Ids {
  readonly #random: Random;
  readonly #spis = new Set<number>();
  readonly #policies = new Map<string, Policy>();
  readonly #byReqid = new Map<number, string>();
  #last = 0;
  #serial = 0;
  #lastReqid = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Of a session or a child: one count for both, so that a number alone says which is meant. */
  next(): number {
    return ++this.#last;
  }

  serial(): number {
    return ++this.#serial;
  }

  get spis(): number {
    return this.#spis.size;
  }

  takeSpi(): number {
    for (;;) {
      const spi = readUint32(this.#random(4));
      // RFC 4303 §2.1: 0 to 255 are reserved.
      if (spi < 256 || this.#spis.has(spi)) continue;
      this.#spis.add(spi);
      return spi;
    }
  }

  freeSpi(spi: number): void {
    this.#spis.delete(spi);
  }

  /** The same number for the same policy, as long as a child serves it. */
  takeReqid(policy: string): number {
    const known = this.#policies.get(policy);
    if (known) {
      known.users++;
      return known.reqid;
    }
    const reqid = ++this.#lastReqid;
    this.#policies.set(policy, { reqid, users: 1 });
    this.#byReqid.set(reqid, policy);
    return reqid;
  }

  servers(reqid: number): number {
    const name = this.#byReqid.get(reqid);
    return name === undefined ? 0 : (this.#policies.get(name)?.users ?? 0);
  }

  freeReqid(reqid: number): void {
    const name = this.#byReqid.get(reqid);
    const policy = name === undefined ? undefined : this.#policies.get(name);
    if (name === undefined || !policy || --policy.users > 0) return;
    this.#policies.delete(name);
    this.#byReqid.delete(reqid);
  }

  /** Those that an exported session has been given elsewhere, or speaks of though they are gone. */
  adopt(state: BaseState, { ids, serials, spis }: Numbers): void {
    const children = state.children.flatMap(({ id, successor = 0 }) => [id, successor]);
    const { id, successor = 0, replaces = 0, replacement = 0 } = state;
    this.#last = Math.max(this.#last, id, successor, replaces, replacement, ...children, ...ids);
    this.#serial = Math.max(this.#serial, ...serials);
    for (const spi of spis) this.#spis.add(spi);
    for (const child of state.children) {
      this.#spis.add(child.spiIn);
      const name = policyOf(state.conn, child);
      const users = (this.#policies.get(name)?.users ?? 0) + 1;
      this.#policies.set(name, { reqid: child.reqid, users });
      this.#byReqid.set(child.reqid, name);
      this.#lastReqid = Math.max(this.#lastReqid, child.reqid);
    }
  }
}
