// `list-policies`: children that lie in wait for a packet. There are no policies of the other kinds, which let traffic pass
// by or drop it.

import { formatSelector } from '../../ike/ts.ts';
import type { Trapped } from '../protection.ts';
import type { Gateway } from '../status.ts';
import type { Command } from './channel.ts';
import { refusal, wrong } from './reply.ts';
import { section } from './section.ts';
import { target } from './target.ts';
import type { Section } from './vici.ts';

export function listPolicies(gateway: Gateway): Command {
  return async (call) => {
    const why = wrong(call);
    if (why !== undefined) return refusal(why);
    const { ike, child } = target(call.message);
    // As with charon, the key alone counts: swanctl sends those that are wanted, all of them when none was named.
    if (!call.message.has('trap') || !call.wants('list-policy')) return new Map();
    for (const trapped of gateway.traps()) {
      const meant = (ike === undefined || ike === trapped.conn) && (child === undefined || child === trapped.child);
      if (meant) await call.stream('list-policy', policySection(trapped));
    }
    return new Map();
  };
}

function policySection({ conn, child, mode, localTs, remoteTs }: Trapped): Section {
  return section([
    `${conn}/${child}`,
    section(
      ['child', child],
      ['ike', conn],
      ['mode', mode.toUpperCase()],
      ['local-ts', localTs.map(formatSelector)],
      ['remote-ts', remoteTs.map(formatSelector)],
    ),
  ]);
}
