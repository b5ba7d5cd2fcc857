// What was measured, round after round, and beside it what was promised.

import { median, spread } from '../table.ts';

export interface Figure {
  readonly name: string;
  readonly unit: 's' | 'MB' | '';
  /** What it is to stay below. */
  readonly target: number | undefined;
  /** A round's each. */
  readonly values: readonly number[];
}

export class Figures {
  readonly #all = new Map<string, Figure>();

  add(name: string, unit: Figure['unit'], value: number, target?: number): void {
    const values = this.#all.get(name)?.values ?? [];
    this.#all.set(name, { name, unit, target, values: [...values, value] });
  }

  all(): readonly Figure[] {
    return [...this.#all.values()];
  }

  print(title: string): void {
    console.log(`\n${title}`);
    console.table(Object.fromEntries(this.all().map((figure) => [figure.name, row(figure)])));
  }
}

function row({ unit, target, values }: Figure): Record<string, string> {
  const promised = target === undefined ? '' : `below ${target} ${unit}`;
  return { 'median (extremes)': `${spread(values)} ${unit}`.trim(), promised, '': verdict(values, target) };
}

export function verdict(values: readonly number[], target: number | undefined): string {
  if (target === undefined) return '';
  return median(values) < target ? 'kept' : 'missed';
}
