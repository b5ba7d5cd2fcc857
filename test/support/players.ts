// The two gateways of a schedule: how they are configured, and the keys they have.

import type { Child, Connection, Offer } from '../../src/ike/connection.ts';
import { child, connection, mirrored, offers, psk, selectors } from './connections.ts';
import type { Groups, Name, Plan } from './schedule.ts';

const known = new Map<string, readonly Offer[]>();

function offered(protocol: 'ike' | 'esp', groups: Groups): readonly Offer[] {
  const base = protocol === 'ike' ? 'aes128gcm16-prfsha256' : 'aes128gcm16';
  const text = { none: base, first: `${base}-x25519`, second: `${base}-ecp256`, both: `${base}-x25519-ecp256` }[groups];
  const key = `${protocol} ${text}`;
  const before = known.get(key);
  if (before) return before;
  const parsed = offers(text, protocol);
  known.set(key, parsed);
  return parsed;
}

const SELECTORS = [0, 1, 2].map((i) => ({
  localTs: selectors(`10.1.${i}.0/24`),
  remoteTs: selectors(`10.2.${i}.0/24`),
}));

export function connections(plan: Plan): [Connection, Connection] {
  const { childRekey } = plan;
  const lifetime = {
    ...child().lifetime,
    rekeyTime: childRekey,
    lifeTime: childRekey + 3000,
    randTime: Math.min(2000, childRekey),
  };
  const children: Child[] = SELECTORS.slice(0, plan.children).map((ts, i) =>
    child({ name: `net${i}`, offers: offered('esp', plan.pfs[0]), lifetime, ...ts }),
  );
  const left = connection({ ...plan.conn, offers: offered('ike', plan.groups[0]), children });
  const right = mirrored(left, { offers: offered('ike', plan.groups[1]) });
  const rightChildren = right.children.map((one) => ({ ...one, offers: offered('esp', plan.pfs[1]) }));
  const both: [Connection, Connection] = [left, { ...right, children: rightChildren }];
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
