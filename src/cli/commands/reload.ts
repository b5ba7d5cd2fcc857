// `espalier reload`: the daemon reads its files anew. What they do not change goes on as if nothing had happened.

import { clean } from '../../bytes/printable.ts';
import { text, texts } from '../../daemon/control/section.ts';
import { readReason } from '../../daemon/control/status.ts';
import { withClient } from '../ask.ts';
import { DONE, type Io, USAGE } from '../io.ts';
import { paint } from '../render/style.ts';

export interface ReloadArguments {
  readonly control: string;
  readonly json: boolean;
}

/** Thousands of connections take a while. */
const PATIENCE = 60_000;
const MOST_NAMES = 12;

export async function reload({ control, json }: ReloadArguments, io: Io): Promise<number> {
  const reply = await withClient(control, (client) =>
    client.request('espalier-reload', new Map(), { timeout: PATIENCE }),
  );
  const ok = text(reply, 'success') === 'yes';
  const names = (key: string) => texts(reply, key) ?? [];
  const [added, removed, changed] = [names('added'), names('removed'), names('changed')];
  const same = Number(text(reply, 'same') ?? 0);
  const secrets = Number(text(reply, 'secrets') ?? 0);
  const warnings = names('warnings');
  if (json) {
    const found = ok ? { added, removed, changed, same, secrets, warnings } : { reason: readReason(reply) };
    io.out(JSON.stringify({ ok, ...found }, undefined, 2));
  } else if (!ok) {
    for (const line of (text(reply, 'errmsg') ?? 'refused').split('\n')) io.err(clean(line));
    io.err('nothing has changed: the configuration stays as it was');
  } else {
    for (const warning of warnings) io.out(`${paint('warning', 'yellow', io.colour)}: ${clean(warning)}`);
    for (const [what, list] of Object.entries({ added, removed, changed })) {
      if (list.length > 0) io.out(`${what}: ${some(list)}`);
    }
    if (secrets > 0) {
      io.out(`${secrets} secret${secrets === 1 ? '' : 's'} changed: from the next negotiation on, the new ones count`);
    }
    io.out(`${same} connection${same === 1 ? '' : 's'} untouched`);
  }
  return ok ? DONE : USAGE;
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).map(clean).join(', ');
  return names.length > MOST_NAMES ? `${shown} and ${names.length - MOST_NAMES} more` : shown;
}
