// Traffic per second over the last minute, as the cloud platforms show it: from one visit to another. Nothing is measured
// in between, so the first visit has no rates, and who comes once an hour gets those of the hour.

import type { Millis } from '../../ike/connection.ts';
import type { Traffic } from '../ledger.ts';

export interface Rates {
  /** Of the packets inside. */
  readonly bitsIn: number;
  readonly bitsOut: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
}

interface Visit {
  readonly at: Millis;
  readonly traffic: Traffic;
}

const MINUTE: Millis = 60_000;
const BITS = 8;

export class RateMeter {
  #visits: Visit[] = [];

  visit(at: Millis, traffic: Traffic): Rates | undefined {
    // The youngest that is a minute old is where the minute begins.
    const begin = this.#visits.findLastIndex((visit) => at - visit.at >= MINUTE);
    if (begin > 0) this.#visits.splice(0, begin);
    const [first] = this.#visits;
    this.#visits.push({ at, traffic });
    if (!first || at <= first.at) return undefined;
    const per = (count: (traffic: Traffic) => number) =>
      ((count(traffic) - count(first.traffic)) * 1000) / (at - first.at);
    return {
      bitsIn: BITS * per(({ bytesIn }) => bytesIn),
      bitsOut: BITS * per(({ bytesOut }) => bytesOut),
      packetsIn: per(({ packetsIn }) => packetsIn),
      packetsOut: per(({ packetsOut }) => packetsOut),
    };
  }
}
