// A reason for the reader: the sentence, what was wanted and what came, where it is written, what to change.

import { clean } from '../../bytes/printable.ts';
import { formatPlace } from '../../config/error.ts';
import type { MissView, ReasonView } from '../../daemon/control/status.ts';

/** No line is longer than `width`, if its words allow; without one nothing is broken. */
export function reasonLines(reason: ReasonView, width?: number): string[] {
  const rows: (readonly [string, string | undefined])[] = [
    ['peer', reason.peer],
    ['notify', notify(reason)],
    ['want', reason.want?.join(', ')],
    ['got', reason.got?.join(', ')],
    ...missRows(reason.misses ?? []),
    ['where', reason.where && formatPlace(reason.where)],
    ['remedy', reason.remedy],
  ];
  const known = rows.flatMap(([label, text]) => (text ? [[label, text] as const] : []));
  const wide = Math.max(0, ...known.map(([label]) => label.length));
  const details = known.flatMap(([label, text]) => wrapped(`  ${`${label}:`.padEnd(wide + 1)} `, text, width));
  return [...wrapped('', reason.text || reason.code, width), ...details];
}

/** What follows the first line stands below its text. */
function wrapped(head: string, text: string, width: number | undefined): string[] {
  const whole = clean(text);
  if (width === undefined) return [`${head}${whole}`];
  const indent = ' '.repeat(head.length);
  const lines: string[] = [];
  let line = head;
  for (const word of whole.split(' ')) {
    const empty = line === head || line === indent;
    if (!empty && [...line].length + 1 + [...word].length > width) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line += empty ? word : ` ${word}`;
  }
  return [...lines, line];
}

function notify(reason: ReasonView): string | undefined {
  if (reason.notify === undefined) return undefined;
  return reason.by === undefined ? reason.notify : `${reason.notify} (from ${reason.by})`;
}

/** The sentence tells of the pairing that came closest; the others are told where there are any. */
function missRows(misses: readonly MissView[]): (readonly [string, string])[] {
  const pairings = new Set(misses.map(({ ours, theirs }) => `${ours} ${theirs}`));
  return pairings.size > 1 ? misses.map((miss) => ['miss', missText(miss)]) : [];
}

function missText(miss: MissView): string {
  const pair = `our proposal ${miss.ours + 1}, their proposal ${miss.theirs}`;
  return `${pair}: ${miss.kind} wants ${miss.want.join(', ') || 'nothing'}, got ${miss.got.join(', ') || 'nothing'}`;
}
