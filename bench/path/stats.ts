// The arithmetic of the bench: percentiles, the search for the highest rate, and which figures count.

import { NOISY } from './meter.ts';

/** The least value that so many per cent of all do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** What came of sending at a rate; packets per second. */
export interface Attempt {
  readonly offered: number;
  readonly delivered: number;
  readonly loss: number;
}

export interface SearchOptions {
  readonly loss: number;
  readonly probes: number;
  /** How exact the result must be, as a share of it. */
  readonly exactness: number;
}

/** The highest rate that loses less than this, by bisection from a rate that is about right; delivered packets/s. */
export async function highestRate(
  first: number,
  probe: (rate: number) => Promise<Attempt>,
  { loss, probes, exactness }: SearchOptions,
): Promise<number> {
  let [low, high, best] = [0, 2 * first, 0];
  let rate = first;
  for (let i = 0; i < probes && high - low > exactness * high; i++) {
    let attempt = await probe(rate);
    // A moment's noise is no limit: the better of two counts.
    if (attempt.loss >= loss) {
      const again = await probe(rate);
      if (again.loss < attempt.loss) attempt = again;
    }
    if (attempt.loss < loss) {
      low = Math.max(low, attempt.offered);
      best = Math.max(best, attempt.delivered);
      // The generator is at its own limit.
      if (attempt.offered < 0.9 * rate) break;
    } else {
      high = Math.min(high, rate);
    }
    rate = (low + high) / 2;
  }
  return best;
}

/** A figure of one round. */
export interface Figure {
  readonly round: number;
  readonly value: number;
  /** Cores that others used meanwhile. */
  readonly foreign: number;
}

export function noisy({ foreign }: Pick<Figure, 'foreign'>): boolean {
  return foreign > NOISY;
}

/** The quiet ones; all of them where fewer than two are quiet. */
export function counting(figures: readonly Figure[]): readonly Figure[] {
  const quiet = figures.filter((figure) => !noisy(figure));
  return quiet.length >= 2 ? quiet : figures;
}

/** By how much one exceeds the other, round by round: what slows the machine down slows both. */
export function ratios(ours: readonly Figure[], theirs: readonly Figure[]): readonly number[] {
  const pairs = ours.flatMap((our) => {
    const their = theirs.find(({ round }) => round === our.round);
    return their && their.value > 0 ? [{ our, their }] : [];
  });
  const quiet = pairs.filter(({ our, their }) => !noisy(our) && !noisy(their));
  return (quiet.length >= 2 ? quiet : pairs).map(({ our, their }) => our.value / their.value);
}

/** A part of a stream: its goodput in Mbit/s between two moments, in seconds. */
export interface Part {
  readonly from: number;
  readonly to: number;
  readonly mbps: number;
}

export interface Dip {
  /** How much lower the seconds after a disturbance are than the seconds before it, per cent. */
  readonly mean: number;
  /** The lowest part soon after a disturbance, per cent of the undisturbed mean; the median of all disturbances. */
  readonly lowest: number;
  /** The same soon after the beginning of an undisturbed second. */
  readonly usual: number;
}

/** What disturbances do to a stream, by the second after each and the second before it. `reach` seconds are soon. */
export function dip(parts: readonly Part[], moments: readonly number[], reach: number): Dip {
  const between = (start: number, end: number) =>
    parts.filter(({ from, to }) => (from + to) / 2 >= start && (from + to) / 2 < end).map(({ mbps }) => mbps);
  const level = mean(moments.flatMap((at) => between(at - 1, at)));
  const lowest = (starts: readonly number[]) => {
    const all = starts.map((start) => between(start, start + reach)).filter((some) => some.length > 0);
    return (
      (100 *
        percentile(
          all.map((some) => Math.min(...some)),
          50,
        )) /
      level
    );
  };
  return {
    mean: 100 * (1 - mean(moments.flatMap((at) => between(at, at + 1))) / level),
    lowest: lowest(moments),
    usual: lowest(moments.map((at) => at - 1)),
  };
}
