// Figures over several rounds: their median and how far they spread.

/** Median and extremes of one figure: `0.71 (0.69–0.80)`. */
export function spread(values: readonly number[]): string {
  if (values.length === 0) return '';
  const sorted = [...values].sort((a, b) => a - b);
  const least = sorted[0] as number;
  const most = sorted.at(-1) as number;
  return least === most ? figure(least) : `${figure(median(values))} (${figure(least)}–${figure(most)})`;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** Three digits that count. */
function figure(value: number): string {
  if (value === 0 || Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))));
}

/** Rows of what was measured; each figure once a round. */
export class Table {
  readonly #title: string;
  readonly #rows = new Map<string, Map<string, number[]>>();

  constructor(title: string) {
    this.#title = title;
  }

  add(row: string, figures: Readonly<Record<string, number>>): void {
    const columns = this.#rows.get(row) ?? new Map<string, number[]>();
    this.#rows.set(row, columns);
    for (const [name, value] of Object.entries(figures)) columns.set(name, [...(columns.get(name) ?? []), value]);
  }

  print(): void {
    console.log(`\n${this.#title}`);
    const rows = [...this.#rows].map(([name, columns]) => [
      name,
      Object.fromEntries([...columns].map(([column, values]) => [column, spread(values)])),
    ]);
    console.table(Object.fromEntries(rows));
  }
}
