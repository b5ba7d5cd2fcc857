// What the demonstration shows: on a terminal one picture that is drawn again in place, elsewhere lines.

import { clean } from '../../bytes/printable.ts';
import { type Colour, paint } from '../render/style.ts';

export interface Out {
  readonly write: (text: string) => void;
  readonly colour: boolean;
  /** Undefined where nothing can be drawn again in place. */
  readonly size: (() => { readonly columns: number; readonly rows: number }) | undefined;
}

export interface Row {
  readonly label: string;
  readonly text: string;
  readonly colour?: Colour;
}

export interface Parts {
  readonly head: readonly string[];
  readonly foot: readonly string[];
}

export interface Screen {
  /** Something has happened. */
  event(seconds: number, text: string): void;
  /** How things stand. */
  status(seconds: number, rows: readonly Row[]): void;
  /** Leaves what is shown and goes on below it. */
  close(): void;
}

export function screen(out: Out, parts: Parts, interval: number): Screen {
  return out.size ? new Picture(out, out.size, parts) : new Lines(out, parts, interval);
}

const LABEL = 10;

class Lines implements Screen {
  readonly #out: Out;
  readonly #interval: number;
  #due = 0;

  constructor(out: Out, { head }: Parts, interval: number) {
    this.#out = out;
    this.#interval = interval;
    for (const line of head) out.write(`${line}\n`);
    out.write('\n');
  }

  event(seconds: number, text: string): void {
    this.#out.write(`${stamp(seconds)}  ${clean(text)}\n`);
  }

  status(seconds: number, rows: readonly Row[]): void {
    if (seconds < this.#due) return;
    this.#due = seconds + this.#interval;
    rows.forEach(({ label, text }, i) => {
      const at = i === 0 ? stamp(seconds) : ' '.repeat(stamp(seconds).length);
      this.#out.write(`${at}  ${label.padEnd(LABEL)}${clean(text)}\n`);
    });
  }

  close(): void {
    this.#out.write('\n');
  }
}

interface Line {
  readonly text: string;
  readonly colour?: Colour | undefined;
  /** The first letters, which are a label. */
  readonly dim?: number;
}

class Picture implements Screen {
  readonly #out: Out;
  readonly #size: NonNullable<Out['size']>;
  readonly #parts: Parts;
  readonly #events: string[] = [];
  #rows: readonly Row[] = [];
  #drawn = 0;

  constructor(out: Out, size: NonNullable<Out['size']>, parts: Parts) {
    this.#out = out;
    this.#size = size;
    this.#parts = parts;
    // The cursor would flicker through the picture.
    out.write('\x1b[?25l');
    this.#draw();
  }

  event(seconds: number, text: string): void {
    this.#events.push(`${stamp(seconds)}  ${clean(text)}`);
    this.#draw();
  }

  status(_seconds: number, rows: readonly Row[]): void {
    this.#rows = rows;
    this.#draw();
  }

  close(): void {
    this.#out.write('\x1b[?25h');
  }

  #draw(): void {
    const { columns, rows } = this.#size();
    const { head, foot } = this.#parts;
    const above: Line[] = [...head.map(title), { text: '' }, ...this.#rows.map(line)];
    const below: Line[] = [{ text: '' }, ...foot.map((text): Line => ({ text, colour: 'dim' }))];
    const room = Math.max(1, rows - above.length - below.length - 3);
    const events = this.#events.slice(-room).map((text): Line => ({ text, dim: STAMP }));
    const lines = [...above, { text: '' }, ...events, ...below].slice(-(rows - 1));
    const text = lines.map((one) => `${this.#paint(one, columns)}\x1b[K\n`).join('');
    this.#out.write(`${this.#drawn > 0 ? `\x1b[${this.#drawn}A` : ''}\r${text}\x1b[J`);
    this.#drawn = lines.length;
  }

  /** A line that wrapped would spoil the counting. */
  #paint({ text, colour, dim = 0 }: Line, columns: number): string {
    const cut = [...text].length < columns ? text : `${[...text].slice(0, columns - 2).join('')}…`;
    const on = this.#out.colour;
    if (dim === 0) return paint(cut, colour, on);
    return `${paint(cut.slice(0, dim), 'dim', on)}${paint(cut.slice(dim), colour, on)}`;
  }
}

function title(text: string, i: number): Line {
  return i === 0 ? { text, colour: 'bold' } : { text };
}

function line({ label, text, colour }: Row): Line {
  return { text: `${label.padEnd(LABEL)}${clean(text)}`, colour, dim: LABEL };
}

function stamp(seconds: number): string {
  return `${seconds.toFixed(1).padStart(6)} s`;
}

const STAMP = stamp(0).length;
