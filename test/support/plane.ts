// A data plane that only keeps the books: which SAs are installed, which one sends, and whether a packet sent at one end
// would be understood at the other.

import { hex } from '../../src/bytes/bytes.ts';
import type { ChildSa, Effect, SaKeys } from '../../src/ike/effects.ts';
import { formatSelector } from '../../src/ike/ts.ts';

export interface Packet {
  readonly spi: number;
  /** Keys, protocol, mode: how it was protected. */
  readonly key: string;
}

/** An SA with what is asked of it for every packet. */
interface Installed {
  readonly sa: ChildSa;
  readonly policy: string;
  readonly inbound: string;
  readonly outbound: string;
}

export class Plane {
  readonly #sas = new Map<number, Installed>();
  readonly #bySpi = new Map<number, Installed>();
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
    if (this.#bySpi.has(sa.inbound.spi)) this.faults.push(`SPI ${sa.inbound.spi} is in use`);
    const [inbound, outbound] = [this.#fresh(sa, sa.inbound), this.#fresh(sa, sa.outbound)];
    const installed = { sa, policy: policy(sa), inbound, outbound };
    this.#sas.set(sa.id, installed);
    this.#bySpi.set(sa.inbound.spi, installed);
    if (sa.active) this.#activate(sa.id);
  }

  /** What both ends must have alike, for one to understand the other. */
  #fresh({ protocol, mode, esn }: ChildSa, { keys, spi }: SaKeys): string {
    const both = `${hex(keys.encrKey)} ${hex(keys.integKey)}`;
    if (this.#keys.has(both)) this.faults.push(`the keys of SPI ${spi} were used before`);
    this.#keys.add(both);
    return `${protocol} ${mode}${esn ? ' esn' : ''} ${keys.encr} ${keys.integ} ${both}`;
  }

  #activate(id: number): void {
    const installed = this.#sas.get(id);
    if (!installed) return void this.faults.push(`child ${id} activated but not installed`);
    const senders = this.#of(installed).filter((other) => other !== id);
    senders.push(id);
    this.#senders.set(installed.policy, senders);
  }

  #remove(id: number): void {
    const installed = this.#sas.get(id);
    if (!installed) return void this.faults.push(`child ${id} removed but not installed`);
    this.#sas.delete(id);
    this.#bySpi.delete(installed.sa.inbound.spi);
    const senders = this.#of(installed).filter((other) => other !== id);
    this.#senders.set(installed.policy, senders);
  }

  #of({ policy }: Installed): number[] {
    return this.#senders.get(policy) ?? [];
  }

  /** What goes out for a policy now; undefined when nothing covers it. */
  send(now: number, key: string): Packet | undefined {
    const id = this.#senders.get(key)?.at(-1);
    const installed = id === undefined ? undefined : this.#sas.get(id);
    if (!installed) return undefined;
    const { sa, outbound } = installed;
    this.lastOut.set(sa.id, now);
    return { spi: sa.outbound.spi, key: outbound };
  }

  /** The child that a packet belongs to; undefined when it would be dropped. */
  receive(now: number, packet: Packet): ChildSa | undefined {
    const installed = this.#bySpi.get(packet.spi);
    if (installed?.inbound !== packet.key) return undefined;
    const { sa } = installed;
    this.lastIn.set(sa.id, now);
    return sa;
  }

  policies(): string[] {
    return [...this.#senders].filter(([, ids]) => ids.length > 0).map(([key]) => key);
  }

  get sas(): readonly ChildSa[] {
    return [...this.#sas.values()].map(({ sa }) => sa);
  }
}

function policy({ localTs, remoteTs }: ChildSa): string {
  return `${localTs.map(formatSelector).join()} === ${remoteTs.map(formatSelector).join()}`;
}
