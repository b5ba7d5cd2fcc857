// The gateways' log lines, and their state, in words for somebody who has never seen IPsec.

import { text } from '../../daemon/control/section.ts';
import type { Section } from '../../daemon/control/vici.ts';
import { bytes, duration } from '../render/units.ts';
import type { LogLine, View } from './gateway.ts';
import type { Tally } from './ping.ts';
import { SITES, type Side } from './stage.ts';

/** pino's level of a warning. */
export const WARN = 40;

/** Undefined for what the other gateway says as well, or what nobody needs to know here. */
export function told(side: Side, line: LogLine): string | undefined {
  const name = side.toUpperCase();
  if (typeof line.level === 'number' && line.level >= WARN) {
    const remedy = typeof line.remedy === 'string' ? ` (${line.remedy})` : '';
    return `${name} warns: ${line.msg}${remedy}`;
  }
  switch (line.event) {
    case 'started':
      return `gateway ${name} runs, process ${line.pid}, in the namespace ${SITES[side].namespace}`;
    case 'session-started':
      return side === 'a' ? 'A asks B for keys (IKE_SA_INIT to UDP port 500)' : undefined;
    case 'session-established':
      return side === 'a' ? 'A and B have proved to each other that they know the secret (IKE_AUTH)' : undefined;
    case 'child-established':
      return side === 'a' ? `packets ${SITES.a.net} <-> ${SITES.b.net} are now encrypted (child SA "net")` : undefined;
    case 'child-rekeyed':
      return side === 'a' ? 'A and B have changed the keys of the tunnel, while packets went on' : undefined;
    default:
      return undefined;
  }
}

export function tunnel({ state, since, reason, session }: View): string {
  const connected = state === 'connected' || state === 'rekeying';
  if (!connected || !session) return `${state}${reason === '' ? '' : `: ${reason}`}`;
  return `${state} for ${duration(since)}, IKEv${text(session, 'version')} with ${algorithms(session)}`;
}

export function protection({ child }: View): string {
  if (!child) return 'none';
  const way = (to: 'in' | 'out') =>
    `${text(child, `packets-${to}`) ?? 0} ${to} (${bytes(Number(text(child, `bytes-${to}`) ?? 0))})`;
  return `${way('out')}, ${way('in')} with these keys, ${text(child, 'protocol')} ${algorithms(child)}`;
}

export function keys({ child }: View, renewals: number): string {
  if (!child) return 'none';
  const rekey = text(child, 'rekey-time');
  const next = rekey === undefined ? '' : `, next in ${duration(Number(rekey))}`;
  return `SPI ${text(child, 'spi-out')} out, ${text(child, 'spi-in')} in; changed ${times(renewals)}${next}`;
}

export function pings(tally: Tally): string {
  const { roundTrip } = tally;
  return `${fate(tally)}${roundTrip === undefined ? '' : `, ${roundTrip.toFixed(1)} ms there and back`}`;
}

export function fate({ sent, answered, lost }: Tally): string {
  return `${sent} packets sent, ${answered} answered, ${lost === 0 ? 'none' : lost} lost`;
}

export function times(count: number): string {
  return count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`;
}

function algorithms(sa: Section): string {
  const size = text(sa, 'encr-keysize');
  const encr = text(sa, 'encr-alg');
  const names = [size === undefined ? encr : `${encr}_${size}`, text(sa, 'integ-alg'), text(sa, 'dh-group')];
  return names.filter((name) => name !== undefined).join(', ');
}
