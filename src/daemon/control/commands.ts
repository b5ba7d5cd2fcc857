// What the control socket answers: strongSwan's commands, with charon's arguments, keys and sentences, and beside them our
// own, whose names begin with `espalier-`.

import type { Gateway } from '../status.ts';
import { absent } from './absent.ts';
import { actions } from './actions.ts';
import { algorithms } from './algorithms.ts';
import type { Call, Command, Dialect } from './channel.ts';
import { listConns } from './conns.ts';
import { counters } from './counters.ts';
import { credentials } from './credentials.ts';
import { happenings, type Log, logLines, wholeLines } from './events.ts';
import { conns, type Warn } from './load.ts';
import { management } from './management.ts';
import { listPolicies } from './policies.ts';
import { done } from './reply.ts';
import { listSas } from './sas.ts';
import { section } from './section.ts';
import { stats } from './stats.ts';
import { connectionSection } from './status.ts';
import type { Section } from './vici.ts';

export interface About {
  readonly gateway: Gateway;
  /** Espalier's own. */
  readonly version: string;
  readonly log?: Log;
  readonly warn?: Warn;
}

export function dialect({ gateway, version, log, warn = () => {} }: About): Dialect {
  const commands = new Map<string, Command>([
    ...stats(gateway, version),
    ...algorithms(),
    ...counters(gateway),
    ['list-sas', listSas(gateway)],
    ['list-conns', listConns(gateway)],
    ['list-policies', listPolicies(gateway)],
    ...conns(gateway, warn),
    ...credentials(gateway),
    ...absent(),
    ...actions(gateway),
    ...management(gateway),
    // What charon has in strongswan.conf are options of the command line here: there is no file to read again.
    ['reload-settings', () => done()],
    ['espalier-status', (call) => listConnections(gateway, call)],
    ['espalier-addresses', () => section(['addresses', gateway.addresses()])],
  ]);
  return {
    commands,
    events: new Set([
      'list-sa',
      'list-conn',
      'list-policy',
      'list-cert',
      'list-authority',
      'control-log',
      'espalier-status',
    ]),
    sources: [happenings(gateway), ...(log ? [logLines(log), wholeLines(log)] : [])],
  };
}

async function listConnections(gateway: Gateway, call: Call): Promise<Section> {
  for (const status of gateway.connections()) await call.stream('espalier-status', connectionSection(status));
  return new Map();
}
