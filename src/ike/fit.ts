// What a child can be between two addresses. AH takes addresses unchanged only, so no NAT and no UDP (RFC 3715 §2.1);
// transport mode is for the two ends of the IKE SA alone, and a peer may decline it (RFC 7296 §1.3.1).

import type { Parent } from './children.ts';
import type { Child, Mode } from './connection.ts';
import { natObstacle } from './contest.ts';
import type { Reason } from './reason.ts';
import { formatSelector } from './ts.ts';
import type { Selector } from './wire/ts.ts';
import { assignment, wordFor } from './words.ts';

interface Wanted {
  readonly localTs: readonly Selector[];
  readonly remoteTs: readonly Selector[];
}

/** Why this child cannot be had here, whatever the peer says; undefined where it can. */
export function unsuited(parent: Parent, config: Child, { localTs, remoteTs }: Wanted): Reason | undefined {
  const { local, remote } = parent.state;
  if (localTs.length === 0) return notOurHosts(config, 'local_ts', `our address ${local.ip}`);
  if (remoteTs.length === 0) return notOurHosts(config, 'remote_ts', `the peer's address ${remote.ip}`);
  return ahObstacle(parent, config) ?? natObstacle(parent, config, { mode: config.mode, localTs, remoteTs });
}

function notOurHosts(config: Child, option: 'local_ts' | 'remote_ts', host: string): Reason {
  const { inFile, where } = placeOf(config, option);
  const word = wordFor(config, option);
  return {
    code: 'ts-mismatch',
    text: `transport mode is between the two gateways alone, and ${word} does not take in ${host}`,
    by: 'us',
    remedy: `leave ${word} out${inFile}, or set \`${assignment(config, 'mode', 'tunnel')}\``,
    ...where,
  };
}

export function ahObstacle(parent: Parent, config: Child): Reason | undefined {
  if (config.protocol !== 'ah' || !parent.udp) return undefined;
  const { natLocal, natRemote } = parent.state;
  const { inFile, where } = placeOf(config, 'ah_proposals');
  const [instead, written] = [wordFor(config, 'esp_proposals'), wordFor(config, 'ah_proposals')];
  const esp = `use ESP: write \`${instead}\` in place of \`${written}\`${inFile}, and the same at the peer`;
  if (!natLocal && !natRemote) {
    return {
      code: 'ah-nat',
      text: 'AH is an IP protocol of its own, never in UDP, and there is no raw socket for it here',
      by: 'us',
      remedy: `give the daemon CAP_NET_RAW, or ${esp}`,
      ...where,
    };
  }
  const who = natLocal ? (natRemote ? 'both of us' : 'us') : 'the peer';
  const forced = natLocal ? '' : ' (or the peer forces UDP)';
  return {
    code: 'ah-nat',
    text: `AH protects the addresses of its packets, and a NAT in front of ${who} changes them${forced}`,
    by: 'us',
    remedy: `${esp}; or take the NAT away`,
    ...where,
  };
}

/** The two sides want different modes, or want transport mode where it cannot be. */
export interface Disagreement {
  readonly config: Child;
  /** What the peer does: declines what we asked for, or asks for this mode itself. */
  readonly peer: 'declines' | Mode;
  /** The mode that the child gets all the same. */
  readonly outcome: Mode | 'refused';
  /** The selectors for which transport mode was asked, where they are in its way. */
  readonly flow?: { readonly local: readonly Selector[]; readonly remote: readonly Selector[] };
}

export function reasonMode({ config, peer, outcome, flow }: Disagreement): Reason {
  // In IKEv1 nobody falls back: the peer has offered one mode.
  const unwanted = outcome === 'refused' && config.mode === 'tunnel';
  const fallback = outcome === 'refused' && !unwanted;
  const { inFile, where } = placeOf(config, fallback ? 'tunnel_fallback' : 'mode');
  const theirs = peer === 'declines' ? 'tunnel' : peer;
  const between = flow ? ` between ${formatAll(flow.local)} and ${formatAll(flow.remote)}, not our two addresses` : '';
  const begin = peer === 'declines' ? 'the peer declines transport mode' : `the peer asks for ${peer} mode${between}`;
  const refusal = unwanted ? ', and we want tunnel mode' : ', and tunnel mode will not do here';
  const end = outcome === 'refused' ? refusal : `: the child is in ${outcome} mode`;
  const [option, value] = fallback ? ['tunnel_fallback', 'yes'] : ['mode', theirs];
  const ours = `\`${assignment(config, option, value)}\``;
  const change = flow ? 'have the peer propose its own address and ours' : `set the peer to ${config.mode} mode`;
  return {
    code: 'mode-mismatch',
    by: peer === 'declines' ? 'peer' : 'us',
    want: [config.mode],
    got: [theirs],
    text: `${begin}${end}`,
    remedy: flow && outcome !== 'refused' ? change : `${change}, or set ${ours}${inFile}`,
    ...where,
  };
}

function formatAll(selectors: readonly Selector[]): string {
  return selectors.slice(0, MAX_SHOWN).map(formatSelector).join(' ');
}

const MAX_SHOWN = 8;

function placeOf(config: Child, option: string) {
  const place = config.where.get(option) ?? config.where.get('');
  return place ? { inFile: ` in ${place.file}:${place.line}`, where: { where: place } } : { inFile: '', where: {} };
}
