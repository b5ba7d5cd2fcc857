// `espalier rekey NAME`: new keys for one child, or for a connection's IKE SA and all of its children.

import { clean } from '../../bytes/printable.ts';
import { section, text } from '../../daemon/control/section.ts';
import { connections, PATIENCE, resolve, withClient } from '../ask.ts';
import { DONE, FAILED, type Io } from '../io.ts';

export interface RekeyArguments {
  readonly control: string;
  readonly json: boolean;
  readonly name: string;
}

export async function rekey({ control, json, name }: RekeyArguments, io: Io): Promise<number> {
  const { label, matches } = await withClient(control, async (client) => {
    const { connection, children, whole } = resolve(name, await connections(client));
    const renew = async (child: string | undefined) => {
      const reply = await client.request('rekey', section(['ike', connection.name], ['child', child]), {
        timeout: PATIENCE,
      });
      return Number(text(reply, 'matches') ?? 0);
    };
    let matches = 0;
    for (const child of children) matches += await renew(child);
    // Last: what an IKE SA has still to do goes over to the one that takes its place.
    if (whole) matches += await renew(undefined);
    return { label: clean(whole ? connection.name : `${connection.name}/${children[0]}`), matches };
  });
  if (json) io.out(JSON.stringify({ name: label, ok: matches > 0, matches }, undefined, 2));
  else if (matches > 0) io.out(`${label}: ${matches === 1 ? 'one SA is' : `${matches} SAs are`} being renewed`);
  else io.err(`${label}: is not up`);
  return matches > 0 ? DONE : FAILED;
}
