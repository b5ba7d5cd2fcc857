// `espalier statusall [NAME]`: all that the daemon tells of itself, in the text form of strongSwan's `ipsec statusall`.

import type { Client } from '../../daemon/control/client.ts';
import { section, sections, texts } from '../../daemon/control/section.ts';
import type { Section } from '../../daemon/control/vici.ts';
import { daemonVersion, PATIENCE, plainSection, sessions, withClient } from '../ask.ts';
import { DONE, type Io } from '../io.ts';
import { type Everything, type Named, statusLines } from '../render/statusall.ts';

export interface StatusallArguments {
  readonly control: string;
  readonly json: boolean;
  readonly name?: string | undefined;
}

export async function statusall({ control, json, name }: StatusallArguments, io: Io): Promise<number> {
  const all = await withClient(control, everything);
  if (json) io.out(JSON.stringify(plain(all), undefined, 2));
  else for (const line of statusLines(all, name)) io.out(line);
  return DONE;
}

async function everything(client: Client): Promise<Everything> {
  const addresses = await client.request('espalier-addresses', section(), { timeout: PATIENCE });
  return {
    version: await daemonVersion(client),
    stats: await client.request('stats', section(), { timeout: PATIENCE }),
    addresses: texts(addresses, 'addresses') ?? [],
    conns: await streamed(client, 'list-conns', 'list-conn'),
    policies: await streamed(client, 'list-policies', 'list-policy', section(['trap', 'yes'])),
    sas: await sessions(client),
  };
}

async function streamed(client: Client, command: string, event: string, message: Section = section()) {
  const all: Named[] = [];
  await client.stream(command, event, message, (each) => all.push(...sections(each)), { timeout: PATIENCE });
  return all;
}

/** Of one name there may be several SAs, so they are a list. */
function plain({ version, stats, addresses, conns, policies, sas }: Everything) {
  const named = (entries: readonly Named[]) => entries.map(([name, each]) => ({ name, ...plainSection(each) }));
  return {
    version: plainSection(version),
    stats: plainSection(stats),
    addresses,
    connections: named(conns),
    policies: named(policies),
    sas: named(sas),
  };
}
