// What is odd about tunnels that stand: packets leave, and none return; they come, and none are answered; the peer has
// taken less than what is configured. No message says so; the counters and selectors do.

import { hex } from '../bytes/bytes.ts';
import type { Child, Connection, Millis } from '../ike/connection.ts';
import type { Reason } from '../ike/reason.ts';
import type { IkeSa } from '../ike/sa.ts';
import type { ChildState } from '../ike/state.ts';
import { formatSelector, resolveTs } from '../ike/ts.ts';
import { ours } from '../ike/why.ts';
import type { Selector } from '../ike/wire/ts.ts';
import { assignment, wordFor } from '../ike/words.ts';
import type { Plane, SaStats } from './plane.ts';
import type { Suspicion } from './status.ts';

/** So many packets without an answer are no accident. */
const MANY = 5;
/** Nor is so long a silence while we send. */
const LONG: Millis = 10_000;
/** Right after a renewal the answers to what goes out by the new SA are still on their way. */
const SOON: Millis = 2000;

export function suspicions(sessions: readonly IkeSa[], plane: Pick<Plane, 'stats'>, now: Millis): Suspicion[] {
  const found: Suspicion[] = [];
  for (const { state, conn, udp } of sessions) {
    for (const child of state.children) {
      if (child.stage !== 'installed') continue;
      const stats = plane.stats(child.id);
      const reason = stats && suspicion(child, stats, udp, conn, now);
      const where = conn.children.find(({ name }) => name === child.name)?.where.get('');
      if (reason) found.push({ child: child.name, reason: { ...reason, ...(where ? { where } : {}) } });
    }
    for (const config of conn.children) {
      const reason = narrowed(config, state);
      if (reason) found.push({ child: config.name, reason });
    }
  }
  return found;
}

function suspicion(child: ChildState, stats: SaStats, udp: boolean, conn: Connection, now: Millis): Reason | undefined {
  if (now - child.installedAt < SOON) return undefined;
  const { packetsIn, packetsOut, lastIn, lastOut, drops } = stats;
  const dropped = Object.entries(drops).filter(([, count]) => count > 0);
  if (packetsIn >= MANY && packetsOut === 0) return unreturned(child, packetsIn);
  if (packetsOut < MANY || lastOut === undefined) return undefined;
  if (packetsIn === 0 && dropped.length === 0) return blocked(child, packetsOut, udp, conn);
  if (now - lastOut > LONG || (packetsIn > 0 && lastIn !== undefined && lastOut - lastIn < LONG)) return undefined;
  const since = lastIn === undefined ? 'since the SA was made' : `for ${Math.round((now - lastIn) / 1000)} s`;
  const counts = dropped.map(([name, count]) => `${count} ${name}`).join(', ');
  return {
    code: 'no-traffic-back',
    text: `packets leave (${packetsOut} so far), and none have come back ${since}`,
    ...(counts ? { got: [`dropped: ${counts}`] } : {}),
    remedy: counts
      ? 'look at what was dropped: replay and bad-icv are on the way, policy is a peer that sends what its selectors do not allow'
      : `check that hosts in ${formatAll(child.remoteTs)} are up, let us in, and send their answers to the peer's gateway`,
  };
}

/** IKE passes and ESP does not, or nobody behind the peer answers: both look alike from here. */
function blocked(child: ChildState, packetsOut: number, udp: boolean, conn: Connection): Reason {
  const protocol = child.protocol === 'ah' ? '51 (AH)' : '50 (ESP)';
  const way = udp ? 'UDP port 4500' : `IP protocol ${protocol}`;
  const other =
    udp || child.protocol === 'ah'
      ? ''
      : `, or set \`${assignment(conn, 'encap', 'yes')}\`, which sends it in UDP 4500`;
  return {
    code: 'esp-blocked',
    text: `packets leave (${packetsOut} so far), and not one has ever come back through this SA: either ${child.protocol.toUpperCase()} is blocked on the way, or nothing behind the peer answers`,
    remedy: `permit ${way} in both directions in every firewall between the gateways${other}; then check that hosts in ${formatAll(child.remoteTs)} are up and let us in, and the peer's routes to ${formatAll(child.localTs)}`,
  };
}

/** The same from the other side: it is here that nobody answers. */
function unreturned({ localTs, remoteTs }: ChildState, packetsIn: number): Reason {
  const forwarding = localTs[0]?.start.length === 16 ? 'net.ipv6.conf.all.forwarding' : 'net.ipv4.ip_forward';
  return {
    code: 'no-traffic-out',
    text: `packets come from the peer (${packetsIn} so far), and not one goes back: nothing here answers them`,
    by: 'us',
    remedy: `check that hosts in ${formatAll(localTs)} are up and let ${formatAll(remoteTs)} in, that their route there leads to this gateway, and that it forwards (sysctl ${forwarding}, and the forward chain of its firewall)`,
  };
}

/** What is configured and not covered by any SA of the child: packets to it go nowhere. */
function narrowed(config: Child, { children, local, remote, version }: IkeSa['state']): Reason | undefined {
  const serves = ({ name, stage }: ChildState) =>
    name === config.name && (stage === 'installed' || stage === 'rekeying');
  const serving = children.filter(serves);
  if (serving.length === 0 || serving.some(({ mode }) => mode === 'transport')) return undefined;
  const want = { local: resolveTs(config.localTs, local.ip), remote: resolveTs(config.remoteTs, remote.ip) };
  const got = { local: serving.flatMap((one) => one.localTs), remote: serving.flatMap((one) => one.remoteTs) };
  // In IKEv1 each pair is asked for by itself, and the peer may do so when it has something to send.
  if (version === 1 && serving.length < want.local.length * want.remote.length) return undefined;
  const [less] = (['local', 'remote'] as const).filter((side) => !want[side].every((one) => covered(one, got[side])));
  // All of the Internet on one side is what gateways ask for that leave the choice to the other one.
  if (less === undefined || want[less].every(isEverything)) return undefined;
  const place = config.where.get(`${less}_ts`) ?? config.where.get('');
  return {
    code: 'narrowed',
    text: `only a part of what is configured has come to be: we want ${formatAll(want[less])}, and have ${formatAll(got[less])}`,
    want: want[less].map(formatSelector),
    got: got[less].map(formatSelector),
    remedy: `make the peer's selectors the mirror image of \`${wordFor(config, `${less}_ts`)}\`${ours(place)}: what is left out goes nowhere`,
    ...(place ? { where: place } : {}),
  };
}

/** By all of them together. */
function covered(wanted: Selector, got: readonly Selector[]): boolean {
  let from = numberOf(wanted.start);
  const alike = got
    .filter(({ start, protocol }) => start.length === wanted.start.length && [0, wanted.protocol].includes(protocol))
    .filter(({ startPort, endPort }) => startPort <= wanted.startPort && endPort >= wanted.endPort)
    .map(({ start, end }) => ({ start: numberOf(start), end: numberOf(end) }))
    .sort((a, b) => (a.start < b.start ? -1 : 1));
  for (const { start, end } of alike) if (start <= from && end >= from) from = end + 1n;
  return from > numberOf(wanted.end);
}

function numberOf(address: Uint8Array): bigint {
  return BigInt(`0x${hex(address)}`);
}

function isEverything({ start, end }: Selector): boolean {
  return start.every((byte) => byte === 0) && end.every((byte) => byte === 0xff);
}

function formatAll(selectors: readonly Selector[]): string {
  return selectors.slice(0, MAX_SHOWN).map(formatSelector).join(', ');
}

const MAX_SHOWN = 8;
