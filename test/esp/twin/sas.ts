// What the twin's lanes know of SAs, by slot: what native/sa.c is to the C ones.

import { integrity, protection as registered } from '../../../src/crypto/registry.ts';
import type { Protection, ProtectionKeys } from '../../../src/crypto/types.ts';
import type { Way } from '../../../src/esp/change.ts';
import { SA } from '../../../src/esp/layout.ts';
import type { ChildSa } from '../../../src/ike/effects.ts';
import type { Mac } from './ah.ts';
import type { Extended } from './frame.ts';

/** One direction. */
export interface Context {
  readonly spi: number;
  /** ESP, or AH. */
  readonly by: { readonly protection: Protection; readonly extended: Extended } | { readonly mac: Mac };
  path: Uint8Array;
  flags: number;
  mss4: number;
  mss6: number;
}

interface Pair {
  readonly in: Context;
  readonly out: Context;
  /** Copies of the keys: whoever brought them wipes his own. */
  readonly keys: readonly ProtectionKeys[];
}

type Maker = (keys: ProtectionKeys) => Protection;

export class TwinSas {
  readonly #pairs = new Map<number, Pair>();
  readonly #protection: Maker;

  constructor(protection: Maker = registered) {
    this.#protection = protection;
  }

  place(slot: number, sa: ChildSa, way: Way): void {
    if (this.#pairs.has(slot)) throw new Error(`slot ${slot} is taken`);
    const keys = [sa.inbound, sa.outbound].map((each) => structuredClone(each.keys));
    const [into, out] = [sa.inbound, sa.outbound].map(({ spi }, i) => this.#context(spi, keys[i], way));
    if (into && out) this.#pairs.set(slot, { in: into, out, keys });
  }

  #context(spi: number, keys: ProtectionKeys | undefined, { path, flags, mss4, mss6 }: Way): Context {
    if (!keys) throw new Error('no keys');
    return { spi, by: this.#by(keys, flags), path: path.slice(), flags, mss4, mss6 };
  }

  #by(keys: ProtectionKeys, flags: number): Context['by'] {
    if ((flags & SA.AH) === 0) {
      const extended = (flags & SA.ESN) === 0 ? 'no' : keys.integ === 0 ? 'aad' : 'tail';
      return { protection: this.#protection(keys), extended };
    }
    const algorithm = integrity(keys.integ);
    if (algorithm?.keySize !== keys.integKey.length) throw new Error('no such integrity algorithm');
    return { mac: { integrity: algorithm, key: keys.integKey } };
  }

  in(slot: number): Context | undefined {
    return this.#pairs.get(slot)?.in;
  }

  out(slot: number): Context | undefined {
    return this.#pairs.get(slot)?.out;
  }

  change(slot: number, path: Uint8Array, flags: number, mss4: number, mss6: number): void {
    const pair = this.#pairs.get(slot);
    if (!pair) return;
    for (const context of [pair.in, pair.out]) Object.assign(context, { path: path.slice(), flags, mss4, mss6 });
  }

  drop(slot: number): void {
    for (const { encrKey, integKey } of this.#pairs.get(slot)?.keys ?? []) {
      encrKey.fill(0);
      integKey.fill(0);
    }
    this.#pairs.delete(slot);
  }

  /** The lanes' own copies. */
  keysOf(slot: number): readonly ProtectionKeys[] {
    return this.#pairs.get(slot)?.keys ?? [];
  }

  /** Slots that hold keys. */
  get slots(): readonly number[] {
    return [...this.#pairs.keys()];
  }
}
