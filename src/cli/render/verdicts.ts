// Verdicts for the reader: the worst first, sentences broken where the terminal ends, commands so that they can be pasted.

import { clean } from '../../bytes/printable.ts';
import type { Health, Verdict } from '../../daemon/doctor/verdict.ts';
import type { Io } from '../io.ts';
import { type Colour, paint } from './style.ts';
import { wrap, wrapCommand } from './wrap.ts';

const COLOURS: Readonly<Record<Health, Colour>> = { ok: 'green', note: 'dim', warning: 'yellow', problem: 'red' };
const ORDER: readonly Health[] = ['problem', 'warning', 'note', 'ok'];
const GAP = '  ';
/** Sentences get this much at least, however narrow the terminal is. */
const LEAST = 30;

/** With `all` also what is in order. */
export function* verdictLines(verdicts: readonly Verdict[], all: boolean, io: Io): Generator<string> {
  const shown = ORDER.filter((health) => all || health !== 'ok').flatMap((health) =>
    verdicts.filter((verdict) => verdict.health === health),
  );
  const health = Math.max(0, ...shown.map((verdict) => verdict.health.length));
  const about = Math.max(0, ...shown.map((verdict) => verdict.about.length));
  for (const verdict of shown) yield* lines(verdict, { health, about }, io);
  const counts = ORDER.map((kind) => [verdicts.filter((verdict) => verdict.health === kind).length, kind] as const);
  const told = counts.filter(([count]) => count > 0).map(([count, kind]) => plural(count, kind));
  const more = all || shown.length === verdicts.length ? '' : ' (--all shows what is in order)';
  yield `${told.join(', ')}${more}`;
}

interface Widths {
  readonly health: number;
  readonly about: number;
}

function* lines({ health, about, text, command, advice }: Verdict, widths: Widths, io: Io): Generator<string> {
  const left = `${paint(health.padEnd(widths.health), COLOURS[health], io.colour)}${GAP}${clean(about).padEnd(widths.about)}${GAP}`;
  const indent = ' '.repeat(widths.health + widths.about + 2 * GAP.length);
  const room = io.width === undefined ? undefined : Math.max(LEAST, io.width - indent.length);
  const [first = '', ...rest] = wrap(clean(text), room);
  yield `${left}${first}`;
  for (const line of rest) yield `${indent}${line}`;
  const PROMPT = '# ';
  const narrower = room === undefined ? undefined : room - PROMPT.length;
  for (const [i, line] of (command === undefined ? [] : wrapCommand(clean(command), narrower)).entries()) {
    yield `${indent}${i === 0 ? PROMPT : '  '}${paint(line, 'bold', io.colour)}`;
  }
  for (const line of advice === undefined ? [] : wrap(clean(advice), room)) yield `${indent}${line}`;
}

const NOUNS: Readonly<Record<Health, string>> = {
  ok: 'in order',
  note: 'note',
  warning: 'warning',
  problem: 'problem',
};

function plural(count: number, health: Health): string {
  const noun = NOUNS[health];
  return `${count} ${noun}${count === 1 || health === 'ok' ? '' : 's'}`;
}
