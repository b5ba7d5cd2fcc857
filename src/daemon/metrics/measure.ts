// Gathers what the metrics show, when somebody asks. In between only events are counted, and SAs that are gone.

import { readdirSync } from 'node:fs';
import type { Millis } from '../../ike/connection.ts';
import type { Desk } from '../desk.ts';
import type { Gateway } from '../gateway.ts';
import { Ledger } from '../ledger.ts';
import { exposition } from './families.ts';
import { LoopDelay } from './loopdelay.ts';
import { RateMeter } from './rates.ts';
import { Tallies } from './tallies.ts';

/** What others count. */
export interface Counters {
  readonly version: string;
  readonly workers: number;
  readonly workerRestarts: () => number;
  readonly auditFailures: () => number;
  readonly logFailures: () => number;
}

/** Whoever comes sooner gets what the last one got. */
const FRESH: Millis = 1000;

export class Meter {
  readonly #gateway: Gateway;
  readonly #desk: Desk;
  readonly #counters: Counters;
  readonly #ledger: Ledger;
  readonly #tallies: Tallies;
  readonly #rates = new RateMeter();
  readonly #delay = new LoopDelay();
  readonly #watch: (event: Parameters<Tallies['event']>[0]) => void;
  #last: { readonly at: Millis; readonly text: string } | undefined;

  constructor(gateway: Gateway, desk: Desk, counters: Counters) {
    this.#gateway = gateway;
    this.#desk = desk;
    this.#counters = counters;
    const known = (conn: string) => gateway.lives.has(conn);
    this.#tallies = new Tallies(known);
    this.#ledger = new Ledger(known);
    this.#watch = (event) => this.#tallies.event(event);
    gateway.watchers.add(this.#watch);
    gateway.forwarder.plane.ledger = this.#ledger;
  }

  /** For one visit. */
  text(): string {
    const now = this.#gateway.now();
    const last = this.#last;
    if (last && now - last.at < FRESH) return last.text;
    const text = this.#gather(now);
    this.#last = { at: now, text };
    return text;
  }

  close(): void {
    this.#delay.close();
    this.#gateway.watchers.delete(this.#watch);
    this.#gateway.forwarder.plane.ledger = undefined;
  }

  #gather(now: Millis): string {
    const { endpoint, forwarder, lives } = this.#gateway;
    const { version, workers, workerRestarts, auditFailures, logFailures } = this.#counters;
    const accounts = forwarder.plane.accounts();
    const total = this.#ledger.total(accounts);
    const { user, system } = process.cpuUsage();
    return exposition({
      version,
      connections: this.#desk.connections(),
      sessions: this.#desk.sessions(),
      counted: this.#desk.counted(),
      total,
      rates: this.#rates.visit(now, total),
      children: this.#ledger.children(accounts).filter(({ conn }) => lives.has(conn)),
      halfOpen: endpoint.held.halfOpen,
      failures: this.#tallies.failures(),
      rekeys: this.#tallies.rekeys(),
      dead: this.#tallies.dead(),
      repeats: [...endpoint.tally.repeats()].filter(([conn]) => lives.has(conn)),
      process: {
        uptime: process.uptime(),
        residentBytes: process.memoryUsage.rss(),
        cpuSeconds: (user + system) / 1e6,
        openFiles: openFiles(),
        loopDelay: this.#delay.visit(),
        workers,
        workerRestarts: workerRestarts(),
        auditFailures: auditFailures(),
        logFailures: logFailures(),
      },
    });
  }
}

/** Less the one that it takes to look. */
function openFiles(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    // A sandbox without /proc.
    return undefined;
  }
}
