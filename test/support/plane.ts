// A data plane that only keeps the books: which SAs are installed, which one sends, and whether a packet sent at one end
// would be understood at the other.

import { hex } from '../../src/bytes/bytes.ts';
import type { ChildSa, Effect } from '../../src/ike/effects.ts';
import { formatSelector } from '../../src/ike/ts.ts';

export interface Packet {
  readonly spi: number;
  readonly key: string;
}

export class Plane {
  readonly #sas = new Map<number, ChildSa>();
  /** Ids of the SAs that have been sending, by policy, the present one last. */
  readonly #senders = new Map<string, number[]>();
  readonly lastIn = new Map<number, number>();
  readonly lastOut = new Map<number, number>();
  /** Every pair of key and direction ever installed: none may come twice. */
  readonly #keys = new Set<string>();
  readonly faults: string[] = [];

  run(effect: Effect): void {
    switch (effect.type) {
      case 'install':
        return this.#install(effect.sa);
      case 'activate':
        return this.#activate(effect.child);
      case 'remove':
        return this.#remove(effect.child);
    }
  }

  #install(sa: ChildSa): void {
    if (this.#sas.has(sa.id)) this.faults.push(`child ${sa.id} installed twice`);
    for (const { keys, spi } of [sa.inbound, sa.outbound]) {
      const key = `${hex(keys.encrKey)}${hex(keys.integKey)}`;
      if (this.#keys.has(key)) this.faults.push(`the keys of SPI ${spi} were used before`);
      this.#keys.add(key);
    }
    this.#sas.set(sa.id, sa);
    if (sa.active) this.#activate(sa.id);
  }

  #activate(id: number): void {
    const sa = this.#sas.get(id);
    if (!sa) return void this.faults.push(`child ${id} activated but not installed`);
    const senders = this.#of(sa).filter((other) => other !== id);
    senders.push(id);
    this.#senders.set(policy(sa), senders);
  }

  #remove(id: number): void {
    const sa = this.#sas.get(id);
    if (!sa) return void this.faults.push(`child ${id} removed but not installed`);
    this.#sas.delete(id);
    const senders = this.#of(sa).filter((other) => other !== id);
    this.#senders.set(policy(sa), senders);
  }

  #of(sa: ChildSa): number[] {
    return this.#senders.get(policy(sa)) ?? [];
  }

  /** What goes out for a policy now; undefined when nothing covers it. */
  send(now: number, key: string): Packet | undefined {
    const id = this.#senders.get(key)?.at(-1);
    const sa = id === undefined ? undefined : this.#sas.get(id);
    if (!sa) return undefined;
    this.lastOut.set(sa.id, now);
    return { spi: sa.outbound.spi, key: hex(sa.outbound.keys.encrKey) };
  }

  /** The child that a packet belongs to; undefined when it would be dropped. */
  receive(now: number, packet: Packet): ChildSa | undefined {
    for (const sa of this.#sas.values()) {
      if (sa.inbound.spi !== packet.spi || hex(sa.inbound.keys.encrKey) !== packet.key) continue;
      this.lastIn.set(sa.id, now);
      return sa;
    }
    return undefined;
  }

  policies(): string[] {
    return [...this.#senders].filter(([, ids]) => ids.length > 0).map(([key]) => key);
  }

  get sas(): readonly ChildSa[] {
    return [...this.#sas.values()];
  }
}

function policy({ localTs, remoteTs }: ChildSa): string {
  return `${localTs.map(formatSelector).join()} === ${remoteTs.map(formatSelector).join()}`;
}
