// What is to be seen of a gateway while it works: memory, descriptors, counters, and what it logs.

import { readdirSync, readFileSync } from 'node:fs';
import type { Espalier } from '../support/espalier.ts';
import { faults, type Readings, Tap } from '../support/tap.ts';

export interface Sample {
  /** Seconds since the beginning. */
  readonly at: number;
  /** Bytes. */
  readonly rss: number;
  readonly descriptors: number;
}

export class Observer {
  readonly name: string;
  readonly samples: Sample[] = [];
  readonly #daemon: Espalier;
  readonly #tap: Tap;

  constructor(name: string, daemon: Espalier) {
    this.name = name;
    this.#daemon = daemon;
    this.#tap = new Tap(daemon);
  }

  look(at: number): void {
    const status = readFileSync(`/proc/${this.#daemon.pid}/status`, 'utf8');
    const rss = 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
    this.samples.push({ at, rss, descriptors: readdirSync(`/proc/${this.#daemon.pid}/fd`).length });
  }

  get last(): Sample | undefined {
    return this.samples.at(-1);
  }

  get rekeys(): number {
    return this.#daemon.lines.filter(({ event }) => event === 'child-rekeyed').length;
  }

  /** Lines of the log that tell of errors. */
  get errors(): readonly string[] {
    return this.#daemon.lines
      .filter(({ level, bug }) => Number(level) >= 50 || bug === true)
      .map((line) => JSON.stringify(line));
  }

  readings(): Promise<Readings> {
    return this.#tap.read();
  }

  async faults(): Promise<Readonly<Record<string, number>>> {
    return faults(await this.readings());
  }

  /**
   * How much more memory there is at the end than there was once everything had been used. The least of each part of the
   * time counts: what lies above it is garbage that was not collected yet.
   */
  growth(warm: number): number {
    const after = this.samples.filter(({ at }) => at >= warm);
    const part = Math.max(1, Math.floor(after.length / 3));
    const least = (samples: readonly Sample[]) => Math.min(...samples.map(({ rss }) => rss));
    return least(after.slice(-part)) - least(after.slice(0, part));
  }

  descriptorGrowth(warm: number): number {
    const after = this.samples.filter(({ at }) => at >= warm);
    return (after.at(-1)?.descriptors ?? 0) - (after[0]?.descriptors ?? 0);
  }
}
