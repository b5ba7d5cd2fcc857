// The two gateways of a schedule: how they are configured, and the keys they have.

import type { Child, Connection, Offer } from '../../src/ike/connection.ts';
import { child, connection, mirrored, offers, psk, selectors } from './connections.ts';
import type { Flavour, Groups, Name, Plan } from './schedule.ts';

const known = new Map<string, readonly Offer[]>();

function offered(protocol: 'ike' | 'esp' | 'ah', groups: Groups, base: string): readonly Offer[] {
  const first = base.startsWith(OLD) ? 'modp2048' : 'x25519';
  const text = { none: base, first: `${base}-${first}`, second: `${base}-ecp256`, both: `${base}-${first}-ecp256` }[
    groups
  ];
  const key = `${protocol} ${text}`;
  const before = known.get(key);
  if (before) return before;
  const parsed = offers(text, protocol);
  known.set(key, parsed);
  return parsed;
}

const IKE = { 1: 'aes128-sha256', 2: 'aes128gcm16-prfsha256' } as const;
const ESP = { 1: 'aes128-sha256', 2: 'aes128gcm16' } as const;
const OLD = 'aes128-';

const NETS = [0, 1, 2].map((i) => ({
  localTs: selectors(`10.1.${i}.0/24`),
  remoteTs: selectors(`10.2.${i}.0/24`),
}));

/** The two gateways themselves, each child for a protocol of its own. */
const HOSTS = ['gre', 'ospf', 'udp/1701'].map((limits) => ({
  localTs: selectors(`dynamic[${limits}]`),
  remoteTs: selectors(`dynamic[${limits}]`),
}));

/** A child of this flavour as one side has it, seen from the left. */
function childOf(version: Plan['version'], flavour: Flavour, i: number, groups: Groups, left: boolean): Partial<Child> {
  const esp = ESP[version];
  switch (flavour) {
    case 'plain':
      return { ...NETS[i], offers: offered('esp', groups, esp) };
    case 'esn':
      return { ...NETS[i], offers: offered('esp', groups, left ? `${esp}-esn` : `${esp}-noesn-esn`) };
    case 'ah':
      return { ...NETS[i], protocol: 'ah', offers: offered('ah', groups, 'sha256') };
    case 'transport':
      return { ...HOSTS[i], mode: 'transport', offers: offered('esp', groups, esp) };
    case 'declined':
      return { ...HOSTS[i], mode: left ? 'transport' : 'tunnel', offers: offered('esp', groups, esp) };
  }
}

export function connections(plan: Plan): [Connection, Connection] {
  const { childRekey, flavours, version } = plan;
  const lifetime = {
    ...child().lifetime,
    rekeyTime: childRekey,
    lifeTime: childRekey + 3000,
    randTime: Math.min(2000, childRekey),
  };
  const children = (groups: Groups, left: boolean) =>
    Array.from({ length: plan.children }, (_, i) =>
      child({ name: `net${i}`, lifetime, ...childOf(version, flavours[i] ?? 'plain', i, groups, left) }),
    );
  const left = connection({
    ...plan.conn,
    version,
    offers: offered('ike', plan.groups[0], IKE[version]),
    children: children(plan.pfs[0], true),
  });
  const right = mirrored(
    { ...left, children: children(plan.pfs[1], false) },
    { offers: offered('ike', plan.groups[1], IKE[version]) },
  );
  const both: [Connection, Connection] = [left, right];
  return plan.kind === 'refused' && plan.wrongKey === 'initiator' ? trusting(plan, both) : both;
}

/** The initiator asks for nobody, and so learns only from the answer whose key it must be. */
function trusting(plan: Plan, [left, right]: [Connection, Connection]): [Connection, Connection] {
  const open = { remoteId: { kind: 'any' } } as const;
  return initiator(plan) === 'left' ? [{ ...left, ...open }, right] : [left, { ...right, ...open }];
}

export function initiator({ steps }: Plan): Name | undefined {
  return steps.find(({ act }) => act === 'initiate')?.side;
}

/** Where keys are wrong for one side only, the other one proves itself with a key that the first has for others. */
export function keys(plan: Plan) {
  const { kind, wrongKey } = plan;
  const key = psk();
  if (kind !== 'refused') return [[key], [key]] as const;
  if (wrongKey === 'both') return [[key], [psk('another secret, as long as the first')]] as const;
  const first = initiator(plan);
  const odd = [key, psk('only for the peer by its name, and wrong', first === 'left' ? 'right.test' : 'left.test')];
  return first === 'left' ? ([odd, [key]] as const) : ([[key], odd] as const);
}
