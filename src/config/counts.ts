// How much of each language is honoured: counted from the tables of options.

import { KEYWORDS, KINDS } from './ipsec/keywords.ts';
import type { Option, Status } from './options/option.ts';
import { OPTIONS } from './options.ts';

export interface Tally {
  /** The language, by the file that it is usually written in. */
  readonly language: string;
  readonly options: readonly Option[];
  readonly counts: Readonly<Record<Status, number>>;
}

/** Sections are counted too: one that is refused is refused by name. */
export function tallies(): readonly Tally[] {
  const all: readonly (readonly [string, readonly Option[]])[] = [
    ['swanctl.conf', OPTIONS],
    ['ipsec.conf', KEYWORDS],
    ['ipsec.secrets', KINDS],
  ];
  return all.map(([language, options]) => ({ language, options, counts: counted(options) }));
}

function counted(options: readonly Option[]): Record<Status, number> {
  const counts: Record<Status, number> = { implemented: 0, accepted: 0, refused: 0 };
  for (const { status } of options) counts[status]++;
  return counts;
}
