// Our own commands about the configuration: `espalier-admin` sets the management status of a connection or a child, and
// `espalier-reload` reads the files anew.

import type { Gateway } from '../status.ts';
import type { Call, Command } from './channel.ts';
import { answer, explained, refusal, wrong } from './reply.ts';
import { section, text } from './section.ts';
import { target } from './target.ts';
import type { Section } from './vici.ts';

export function management(gateway: Gateway): readonly (readonly [string, Command])[] {
  return [
    ['espalier-admin', (call) => admin(gateway, call)],
    ['espalier-reload', () => reload(gateway)],
  ];
}

/** `ike`, perhaps `child`, and `status`: up or down. */
function admin(gateway: Gateway, call: Call): Section {
  const why = wrong(call);
  if (why !== undefined) return refusal(why);
  const { ike, child } = target(call.message);
  const status = text(call.message, 'status');
  if (ike === undefined) return refusal('missing configuration name');
  if (status !== 'up' && status !== 'down') return refusal("'status' is neither up nor down");
  const outcome = gateway.manage({ ike, ...(child === undefined ? {} : { child }) }, status === 'down');
  return explained(answer(outcome), outcome);
}

async function reload(gateway: Gateway): Promise<Section> {
  const outcome = await gateway.reload();
  const { ok, reason, added, removed, changed, same, secrets, warnings } = outcome;
  const reply = section(
    ['success', ok ? 'yes' : 'no'],
    // A line for each mistake: swanctl, which shows one line only, does not know this command.
    ['errmsg', ok ? undefined : reason.text],
    ['added', added],
    ['removed', removed],
    ['changed', changed],
    ['same', same],
    ['secrets', secrets],
    ['warnings', warnings],
  );
  return explained(reply, outcome);
}
