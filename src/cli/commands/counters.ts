// `espalier counters`: what the daemon has counted since it started; without `--all` only what is not zero.

import { integer, sections } from '../../daemon/control/section.ts';
import type { Section } from '../../daemon/control/vici.ts';
import { PATIENCE, withClient } from '../ask.ts';
import { DONE, type Io } from '../io.ts';
import { table } from '../render/table.ts';

export interface CountersArguments {
  readonly control: string;
  readonly json: boolean;
  readonly all: boolean;
}

/** In the daemon's words. */
const GROUPS: Readonly<Record<string, string>> = {
  ike: 'IKE messages that went no further',
  drops: 'packets that went no further',
  io: 'how packets came and went',
};

export async function counters({ control, json, all }: CountersArguments, io: Io): Promise<number> {
  const reply = await withClient(control, (client) =>
    client.request('espalier-counters', new Map(), { timeout: PATIENCE }),
  );
  const groups = sections(reply).map(([name, counts]) => ({ name, counts: numbers(counts, all) }));
  if (json) {
    const plain = Object.fromEntries(groups.map(({ name, counts }) => [name, Object.fromEntries(counts)]));
    io.out(JSON.stringify(plain, undefined, 2));
    return DONE;
  }
  for (const [i, { name, counts }] of groups.entries()) {
    if (i > 0) io.out('');
    const rows = counts.map(([counter, count]) => [{ text: counter }, { text: count.toLocaleString('en') }]);
    const none = [[{ text: 'none' }]];
    for (const line of table([GROUPS[name] ?? name, 'COUNT'], rows.length > 0 ? rows : none, io)) io.out(line);
  }
  return DONE;
}

function numbers(from: Section, all: boolean): readonly (readonly [string, number])[] {
  return [...from.keys()]
    .map((name) => [name, integer(from, name) ?? 0] as const)
    .filter(([, count]) => all || count !== 0);
}
