// A reason for the reader: the sentence, what was wanted and what came, where it is written, what to change.

import { clean } from '../../bytes/printable.ts';
import { formatPlace } from '../../config/error.ts';
import type { MissView, ReasonView } from '../../daemon/control/status.ts';

export function reasonLines(reason: ReasonView): string[] {
  const rows: (readonly [string, string | undefined])[] = [
    ['peer', reason.peer],
    ['notify', notify(reason)],
    ['want', reason.want?.join(', ')],
    ['got', reason.got?.join(', ')],
    ...(reason.misses ?? []).map((miss) => ['miss', missText(miss)] as const),
    ['where', reason.where && formatPlace(reason.where)],
    ['remedy', reason.remedy],
  ];
  const known = rows.flatMap(([label, text]) => (text ? [[label, text] as const] : []));
  const wide = Math.max(0, ...known.map(([label]) => label.length));
  const details = known.map(([label, text]) => `  ${`${label}:`.padEnd(wide + 1)} ${clean(text)}`);
  return [clean(reason.text || reason.code), ...details];
}

function notify(reason: ReasonView): string | undefined {
  if (reason.notify === undefined) return undefined;
  return reason.by === undefined ? reason.notify : `${reason.notify} (from ${reason.by})`;
}

function missText(miss: MissView): string {
  const pair = `our proposal ${miss.ours + 1}, their proposal ${miss.theirs}`;
  return `${pair}: ${miss.kind} wants ${miss.want.join(', ') || 'nothing'}, got ${miss.got.join(', ') || 'nothing'}`;
}
