// Tables that fit the terminal: columns as wide as their content, the widest ones cut with … when the line is too long.

import { clean } from '../../bytes/printable.ts';
import { type Colour, paint } from './style.ts';

export interface Cell {
  readonly text: string;
  readonly colour?: Colour;
}

export interface TableOptions {
  /** Undefined never cuts: what goes into a file or a pipe is whole. */
  readonly width: number | undefined;
  readonly colour: boolean;
}

const GAP = '  ';
/** No column is cut below this: two letters and the ellipsis would tell nothing. */
const LEAST = 8;

export function table(heads: readonly string[], rows: readonly (readonly Cell[])[], options: TableOptions): string[] {
  const lines = [heads.map((text): Cell => ({ text, colour: 'dim' })), ...rows].map((row) =>
    row.map((cell) => ({ ...cell, text: clean(cell.text) })),
  );
  const natural = heads.map((_, i) => Math.max(...lines.map((row) => length(row[i]?.text ?? ''))));
  const widths = fit(natural, options.width);
  return lines.map((row) =>
    row
      .map((cell, i) => {
        const text = cut(cell.text, widths[i] as number);
        const padding = i === row.length - 1 ? '' : ' '.repeat((widths[i] as number) - length(text));
        return `${paint(text, cell.colour, options.colour)}${padding}`;
      })
      .join(GAP)
      .trimEnd(),
  );
}

/** Takes columns off the widest until the line fits, or until nothing sensible is left to take. */
export function fit(natural: readonly number[], width: number | undefined): number[] {
  const widths = [...natural];
  if (width === undefined) return widths;
  const room = width - GAP.length * (widths.length - 1);
  let excess = widths.reduce((sum, each) => sum + each, 0) - room;
  for (; excess > 0; excess--) {
    const widest = widths.indexOf(Math.max(...widths));
    if ((widths[widest] ?? 0) <= LEAST) break;
    widths[widest] = (widths[widest] as number) - 1;
  }
  return widths;
}

function length(text: string): number {
  return [...text].length;
}

function cut(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`;
}
