// Peers that are given by name: what the daemon would find is found here first, and takes the names' place.

import { parseIp } from '../../bytes/ip.ts';
import type { AddressPattern, Connection } from '../../ike/connection.ts';
import { type Found, lookUp } from '../lookup.ts';
import type { Verdict } from './verdict.ts';

export interface Addressed {
  readonly connections: readonly Connection[] | undefined;
  readonly verdicts: readonly Verdict[];
}

/** Nobody at a terminal waits longer, however many name servers are silent. */
const PATIENCE = 5000;
/** The doctor looks at so many names, not at thousands. */
const MOST = 16;

export async function withAddresses(connections: readonly Connection[] | undefined): Promise<Addressed> {
  const names = [...new Set((connections ?? []).flatMap(({ remoteAddrs }) => remoteAddrs.flatMap(nameOf)))].slice(
    0,
    MOST,
  );
  if (names.length === 0) return { connections, verdicts: [] };
  const signal = AbortSignal.timeout(PATIENCE);
  const found = new Map(await Promise.all(names.map(async (name) => [name, await lookUp(name, signal)] as const)));
  return {
    connections: connections?.map((connection) => addressed(connection, found)),
    verdicts: [...found].map(verdict),
  };
}

function nameOf(pattern: AddressPattern): string[] {
  return pattern.kind === 'name' ? [pattern.name] : [];
}

function addressed(connection: Connection, found: ReadonlyMap<string, Found>): Connection {
  const remoteAddrs = connection.remoteAddrs.flatMap((pattern): readonly AddressPattern[] => {
    if (pattern.kind !== 'name') return [pattern];
    const answer = found.get(pattern.name);
    return answer?.ok ? answer.addresses.flatMap(single) : [];
  });
  return { ...connection, remoteAddrs };
}

function single(ip: string): AddressPattern[] {
  const address = parseIp(ip);
  return address ? [{ kind: 'prefix', prefix: { address, length: address.length * 8 } }] : [];
}

function verdict([name, found]: readonly [string, Found]): Verdict {
  const base = { code: 'peer-name', about: name } as const;
  if (found.ok) return { ...base, health: 'ok', text: `is ${found.addresses.join(', ')}` };
  const text = `has no address that could be called: ${found.text}`;
  return {
    ...base,
    health: 'problem',
    text,
    advice: 'correct remote_addrs, or /etc/resolv.conf; or write the address',
  };
}
