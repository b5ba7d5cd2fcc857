// Whether this host's firewall evidently drops what the gateway lives by: UDP 500 and 4500, ESP and AH, and what comes
// out of the tunnels. "UDP 50", which some manuals ask for, is a misunderstanding of the IP protocol 50 (FEATURES 0.5).

import { type Ip, isV6, parseIp } from '../../bytes/ip.ts';
import { read, run } from './files.ts';
import { type Flow, hostsIn, type Needs } from './needs.ts';
import { wayTo } from './network.ts';
import { accepts, type Drop, dropOf, type Probe } from './probe.ts';
import { insideDevice, outsideDevices } from './routes.ts';
import { type Chain, parseRuleset, type Ruleset } from './ruleset.ts';
import type { Patient, Verdict } from './verdict.ts';

const UDP = 17;
const ESP = 50;
const AH = 51;
const TCP = 6;
const IN = ['prerouting', 'input'];
const OUT = ['output', 'postrouting'];
const THROUGH = ['prerouting', 'forward', 'postrouting'];

const BASE = { code: 'firewall', about: 'firewall' } as const;

export function firewall(patient: Patient, needs: Needs): Verdict[] {
  const legacy = read('/proc/net/ip_tables_names')?.trim() || read('/proc/net/ip6_tables_names')?.trim();
  const old: Verdict[] = legacy
    ? [
        {
          ...BASE,
          health: 'note',
          text: 'there are tables of the old iptables, which are not looked at here',
          advice: 'iptables-legacy -S',
        },
      ]
    : [];
  const listed = run('nft', '-j', 'list', 'ruleset');
  const ruleset = listed.ok ? parseRuleset(listed.out) : undefined;
  if (!ruleset) {
    const why = !listed.ok && listed.missing ? 'nft is not installed' : 'nft shows nothing to this user';
    return [...old, { ...BASE, health: 'note', text: `what nf_tables let through cannot be told: ${why}` }];
  }
  const blocked = [...atTheGate(ruleset, patient, needs), ...between(ruleset, patient, needs)];
  if (blocked.length > 0) return [...old, ...blocked];
  const ports = `UDP ${patient.port} and ${patient.natPort}`;
  return [
    ...old,
    { ...BASE, health: 'ok', text: `no rule of nf_tables evidently drops ${ports}${needs.esp ? ' or ESP' : ''}` },
  ];
}

/** What must get in and out, for a peer or for whoever may come. */
interface Wanted {
  readonly name: string;
  readonly protocol: number;
  readonly port?: number;
  /** How nft says it. */
  readonly match: string;
}

interface Blocked {
  readonly wanted: Wanted;
  readonly drop: Drop;
  /** Answers to what we begin get through. */
  readonly answers: boolean;
}

function atTheGate(ruleset: Ruleset, { port, natPort }: Patient, needs: Needs): Verdict[] {
  const wanted: Wanted[] = [
    ...[...new Set([port, natPort])].map((number) => ({
      name: `UDP ${number}`,
      protocol: UDP,
      port: number,
      match: `udp dport ${number}`,
    })),
    ...(needs.esp ? [{ name: 'ESP (IP protocol 50)', protocol: ESP, match: 'meta l4proto esp' }] : []),
    ...(needs.ah ? [{ name: 'AH (IP protocol 51)', protocol: AH, match: 'meta l4proto ah' }] : []),
  ];
  const peers: readonly (Ip | undefined)[] = needs.peers.length > 0 ? needs.peers : [undefined];
  const found = new Map<string, Blocked[]>();
  for (const peer of peers) {
    for (const one of wanted) {
      const blocked = inward(ruleset, one, peer, needs) ?? outward(ruleset, one, peer);
      if (!blocked) continue;
      const { family, table, name } = blocked.drop.chain;
      const key = `${family} ${table} ${name}`;
      const known = found.get(key) ?? [];
      found.set(key, known);
      if (!known.some((other) => other.wanted.name === one.name)) known.push(blocked);
    }
  }
  return [...found.values()].map((blocked) => gateVerdict(ruleset, blocked));
}

function inward(ruleset: Ruleset, wanted: Wanted, peer: Ip | undefined, needs: Needs): Blocked | undefined {
  const way = peer === undefined ? undefined : wayTo(peer);
  const iif = way?.device ?? outsideDevices(needs)[0];
  const common = {
    version: peer !== undefined && isV6(peer) ? 6 : 4,
    hooks: IN,
    protocol: wanted.protocol,
    ...(wanted.port === undefined ? {} : { dport: wanted.port }),
    ...(iif === undefined ? {} : { iif }),
    ...addressed('source', peer),
    ...addressed('destination', way?.source),
  } as const;
  const drop = dropOf(ruleset, { ...common, state: 'new' });
  if (!drop) return undefined;
  return { wanted, drop, answers: dropOf(ruleset, { ...common, state: 'established' }) === undefined };
}

function outward(ruleset: Ruleset, wanted: Wanted, peer: Ip | undefined): Blocked | undefined {
  const way = peer === undefined ? undefined : wayTo(peer);
  const probe: Probe = {
    version: peer !== undefined && isV6(peer) ? 6 : 4,
    hooks: OUT,
    protocol: wanted.protocol,
    ...(wanted.port === undefined ? {} : { sport: wanted.port, dport: wanted.port }),
    ...(way === undefined ? {} : { oif: way.device }),
    ...addressed('source', way?.source),
    ...addressed('destination', peer),
    state: 'new',
  };
  const drop = dropOf(ruleset, probe);
  return drop && { wanted, drop, answers: false };
}

function addressed(side: 'source' | 'destination', address: Ip | undefined): Partial<Probe> {
  const bytes = address === undefined ? undefined : parseIp(address);
  return bytes ? { [side]: bytes } : {};
}

function gateVerdict(ruleset: Ruleset, blocked: readonly Blocked[]): Verdict {
  const [{ drop }] = blocked as [Blocked];
  const names = blocked.map(({ wanted }) => wanted.name).join(', ');
  const answers = blocked.every((one) => one.answers);
  const only = answers ? '; answers to what we begin come in, so that we can call peers, and they cannot call us' : '';
  return {
    ...BASE,
    health: answers ? 'warning' : 'problem',
    text: `${placeOf(drop)} drops ${names}${only}${misunderstood(ruleset, blocked)}`,
    command: blocked.map(({ wanted, drop: { chain } }) => insertion(chain, wanted.match)).join(' && '),
  };
}

/** Where a rule lets in UDP port 50 and ESP is dropped, somebody has read the wrong manual. */
function misunderstood(ruleset: Ruleset, blocked: readonly Blocked[]): string {
  const missing = blocked.find(({ wanted }) => wanted.protocol === ESP || wanted.protocol === AH);
  if (!missing) return '';
  const { wanted, drop } = missing;
  const mistaken: Probe = { version: 4, hooks: IN, protocol: UDP, dport: wanted.protocol, state: 'new' };
  if (!accepts(ruleset, drop.chain, mistaken)) return '';
  return `; UDP port ${wanted.protocol} is let in instead, which nobody uses: ${wanted.name} has no ports`;
}

/** From our networks into the tunnel, and back. */
function between(ruleset: Ruleset, { tun }: Patient, needs: Needs): Verdict[] {
  for (const flow of needs.flows) {
    const inside = insideDevice(flow);
    const there = forwarded(flow, { ...(inside === undefined ? {} : { iif: inside }), oif: tun }, false);
    const back = forwarded(flow, { iif: tun, ...(inside === undefined ? {} : { oif: inside }) }, true);
    const [out, into] = [dropOf(ruleset, there), dropOf(ruleset, back)];
    const drop = out ?? into;
    if (!drop) continue;
    const way = out && into ? 'into and out of the tunnels' : out ? 'into the tunnels' : 'out of the tunnels';
    const command = [
      ...(out ? [insertion(drop.chain, `oifname "${tun}"`)] : []),
      ...(into ? [insertion(into.chain, `iifname "${tun}"`)] : []),
    ].join(' && ');
    const text = `${placeOf(drop)} drops what goes ${way}`;
    return [{ code: 'firewall-forward', about: 'firewall', health: 'problem', text, command }];
  }
  return [];
}

function forwarded({ local, remote }: Flow, devices: Pick<Probe, 'iif' | 'oif'>, back: boolean): Probe {
  const [from, to] = back ? [remote, local] : [local, remote];
  const version = local.start.length === 4 ? 4 : 6;
  const hosts = { source: hostsIn(from)[1], destination: hostsIn(to)[1] };
  return { version, hooks: THROUGH, protocol: TCP, ...hosts, ...devices, state: 'new' };
}

function placeOf({ chain, rule }: Drop): string {
  const { family, table, name } = chain;
  const where = `chain ${name} of table ${family} ${table}`;
  if (!rule) return `the policy of ${where}`;
  const said = rule.comment === undefined ? '' : ` "${rule.comment}"`;
  return `a rule${said} (handle ${rule.handle}) of ${where}`;
}

function insertion({ family, table, name }: Chain, match: string): string {
  const quoted = match.includes('"') ? `'${match}'` : match;
  return `nft insert rule ${family} ${table} ${name} ${quoted} accept`;
}
