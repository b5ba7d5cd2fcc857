// `espalier admin up|down NAME`: the management status, which is kept over restarts. DOWN ends what stands, refuses the
// peer, and takes the routes away; UP begins again as if the connection had just been loaded.

import { clean } from '../../bytes/printable.ts';
import { section, text } from '../../daemon/control/section.ts';
import { readReason } from '../../daemon/control/status.ts';
import { connections, PATIENCE, resolve, withClient } from '../ask.ts';
import { DONE, FAILED, type Io } from '../io.ts';
import { reasonLines } from '../render/reason.ts';

export interface AdminArguments {
  readonly control: string;
  readonly json: boolean;
  readonly status: 'up' | 'down';
  readonly name: string;
}

export async function admin({ control, json, status, name }: AdminArguments, io: Io): Promise<number> {
  const { label, reply } = await withClient(control, async (client) => {
    const { connection, children, whole } = resolve(name, await connections(client));
    const child = whole ? undefined : children[0];
    const message = section(['ike', connection.name], ['child', child], ['status', status]);
    const label = clean(child === undefined ? connection.name : `${connection.name}/${child}`);
    return { label, reply: await client.request('espalier-admin', message, { timeout: PATIENCE }) };
  });
  const ok = text(reply, 'success') === 'yes';
  const reason = readReason(reply);
  if (json) io.out(JSON.stringify({ name: label, ok, status, ...(ok ? {} : { reason }) }, undefined, 2));
  else if (ok) io.out(`${label}: management status ${status.toUpperCase()}`);
  else for (const line of reasonLines(reason)) io.err(line);
  return ok ? DONE : FAILED;
}
