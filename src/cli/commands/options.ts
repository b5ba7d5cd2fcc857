// `espalier check --options`: how many options of each language are honoured, accepted with a warning, and refused by
// name; with --json also which.

import { type Tally, tallies } from '../../config/counts.ts';
import type { Option } from '../../config/options/option.ts';
import { DONE, type Io } from '../io.ts';
import { type Cell, table } from '../render/table.ts';

const HEADS = ['LANGUAGE', 'IMPLEMENTED', 'ACCEPTED WITH A WARNING', 'REFUSED BY NAME'];

export function options({ json }: { readonly json: boolean }, io: Io): number {
  if (json) io.out(JSON.stringify(tallies().map(whole), undefined, 2));
  else for (const line of table(HEADS, tallies().map(row), io)) io.out(line);
  return DONE;
}

function row({ language, counts }: Tally): Cell[] {
  return [language, counts.implemented, counts.accepted, counts.refused].map((cell) => ({ text: `${cell}` }));
}

function whole({ language, counts, options: all }: Tally): unknown {
  return { language, ...counts, options: all.map(one) };
}

function one({ path, status, default: standard, reason, text, extra }: Option): unknown {
  return {
    name: path,
    status,
    ...(standard === '' ? {} : { default: standard }),
    ...(reason === '' ? {} : { reason }),
    ...(extra.refuses ? { refusedValues: Object.fromEntries(extra.refuses) } : {}),
    ...(extra.since === 'espalier' ? { own: true } : {}),
    text,
  };
}
