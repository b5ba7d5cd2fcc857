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
  event(seconds: number, text: string, colour?: Colour): void;
  /** How things stand. What is not important can be left out where it is not drawn in place. */
  status(seconds: number, rows: readonly Row[], important: boolean): void;
  /** Nothing happens by itself any more. */
  over(): void;
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

  status(seconds: number, rows: readonly Row[], important: boolean): void {
    if (seconds < this.#due && !important) return;
    this.#due = seconds + this.#interval;
    rows.forEach(({ label, text }, i) => {
      const at = i === 0 ? stamp(seconds) : ' '.repeat(stamp(seconds).length);
      this.#out.write(`${at}  ${label.padEnd(LABEL)}${clean(text)}\n`);
    });
  }

  over(): void {}

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
  readonly #events: Line[] = [];
  #rows: readonly Row[] = [];
  #over = false;
  #drawn = 0;

  constructor(out: Out, size: NonNullable<Out['size']>, parts: Parts) {
    this.#out = out;
    this.#size = size;
    this.#parts = parts;
    // The cursor would flicker through the picture.
    out.write('\x1b[?25l');
    this.#draw();
  }

  event(seconds: number, text: string, colour?: Colour): void {
    this.#events.push({ text: `${stamp(seconds)}  ${clean(text)}`, dim: STAMP, colour });
    this.#draw();
  }

  status(_seconds: number, rows: readonly Row[]): void {
    this.#rows = rows;
    this.#draw();
  }

  over(): void {
    this.#over = true;
    this.#draw();
  }

  close(): void {
    this.#out.write('\x1b[?25h');
  }

  #draw(): void {
    const { columns, rows } = this.#size();
    const { head, foot } = this.#parts;
    const above = (title: readonly Line[]): Line[] => [...title, { text: '' }, ...this.#rows.map(line), { text: '' }];
    const below: Line[] = this.#over ? ['', ...foot].map((text): Line => ({ text, colour: 'dim' })) : [];
    const events = this.#events.slice(-rows).flatMap((event) => wrapped(event, columns - 1));
    // What happens needs the room more than the drawing at the head, of which a part says nothing.
    const title = head.map(titled);
    const wide = head.every((text) => text.length < columns);
    const fits = wide && above(title).length + events.length + below.length < rows;
    const top = above(fits ? title : title.slice(0, 1));
    const room = Math.max(1, rows - top.length - below.length - 1);
    const lines = [...top, ...events.slice(-room), ...below].slice(-(rows - 1));
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

/** Between words, where there are some, and under the beginning of the text. */
function wrapped(event: Line, columns: number): Line[] {
  const indent = ' '.repeat(/^ *[\d.]+ s +/.exec(event.text)?.[0].length ?? 0);
  const lines: Line[] = [];
  let rest = [...event.text];
  while (rest.length > columns && columns > 2 * indent.length) {
    const space = rest.lastIndexOf(' ', columns);
    const at = space > indent.length ? space : columns;
    lines.push({ ...event, text: rest.slice(0, at).join('') });
    rest = [...indent, ...rest.slice(space > indent.length ? at + 1 : at)];
  }
  return [...lines, { ...event, text: rest.join('') }];
}

function titled(text: string, i: number): Line {
  return i === 0 ? { text, colour: 'bold' } : { text };
}

function line({ label, text, colour }: Row): Line {
  return { text: `${label.padEnd(LABEL)}${clean(text)}`, colour, dim: LABEL };
}

function stamp(seconds: number): string {
  return `${seconds.toFixed(1).padStart(6)} s`;
}

const STAMP = stamp(0).length;
