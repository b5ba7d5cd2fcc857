// What is odd about tunnels that stand: packets leave, and none return. No message says so; the counters do.

import type { Millis } from '../ike/connection.ts';
import type { Reason } from '../ike/reason.ts';
import type { IkeSa } from '../ike/sa.ts';
import type { ChildState } from '../ike/state.ts';
import { formatSelector } from '../ike/ts.ts';
import type { Plane, SaStats } from './plane.ts';
import type { Suspicion } from './status.ts';

/** So many packets without an answer are no accident. */
const MANY = 5;
/** Nor is so long a silence while we send. */
const LONG: Millis = 10_000;

export function suspicions(sessions: readonly IkeSa[], plane: Pick<Plane, 'stats'>, now: Millis): Suspicion[] {
  const found: Suspicion[] = [];
  for (const { state, udp } of sessions) {
    for (const child of state.children) {
      if (child.stage !== 'installed') continue;
      const stats = plane.stats(child.id);
      const reason = stats && suspicion(child, stats, udp, now);
      if (reason) found.push({ child: child.name, reason });
    }
  }
  return found;
}

function suspicion(child: ChildState, stats: SaStats, udp: boolean, now: Millis): Reason | undefined {
  const { packetsIn, packetsOut, lastIn, lastOut, drops } = stats;
  if (packetsOut < MANY || lastOut === undefined || now - lastOut > LONG) return undefined;
  if (packetsIn > 0 && lastIn !== undefined && lastOut - lastIn < LONG) return undefined;
  const refused = Object.values(drops).reduce((sum, count) => sum + count, 0);
  if (packetsIn === 0 && refused === 0) return blocked(child, packetsOut, udp);
  const since = lastIn === undefined ? 'since the SA was made' : `for ${Math.round((now - lastIn) / 1000)} s`;
  const dropped = Object.entries(drops)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`);
  return {
    code: 'no-traffic-back',
    text: `packets leave (${packetsOut} so far), and none have come back ${since}`,
    ...(dropped.length > 0 ? { got: [`dropped: ${dropped.join(', ')}`] } : {}),
    remedy:
      dropped.length > 0
        ? 'look at what was dropped: replay and bad-icv are on the way, policy is a peer that sends what its selectors do not allow'
        : `check that hosts in ${child.remoteTs.map(formatSelector).join(', ')} are up, let us in, and send their answers to the peer's gateway`,
  };
}

/** IKE passes and ESP does not, or nobody behind the peer answers: both look alike from here. */
function blocked(child: ChildState, packetsOut: number, udp: boolean): Reason {
  const protocol = child.protocol === 'ah' ? '51 (AH)' : '50 (ESP)';
  const way = udp ? 'UDP port 4500' : `IP protocol ${protocol}`;
  const other = udp || child.protocol === 'ah' ? '' : ', or set encap = yes, which sends it in UDP 4500';
  return {
    code: 'esp-blocked',
    text: `packets leave (${packetsOut} so far), and not one has ever come back through this SA: either ${way} is blocked on the way, or nothing behind the peer answers`,
    remedy: `permit ${way} in both directions in every firewall between the gateways${other}; then check the peer's routes to ${child.localTs.map(formatSelector).join(', ')}`,
  };
}
