// Random schedules: what happens to two gateways and the wire between them, drawn from one seed as plain data, so that a
// schedule can be played again and cut down.

import type { Connection, Millis } from '../../src/ike/connection.ts';
import { Dice } from './random.ts';

export type Name = 'left' | 'right';

export interface Step {
  readonly at: Millis;
  readonly side: Name;
  readonly act: Act;
  /** Which child, or how many. */
  readonly which: number;
}

export type Act =
  | 'initiate'
  | 'rekey-child'
  | 'rekey-ike'
  | 'close-child'
  | 'create-child'
  | 'close'
  | 'soft-limit'
  | 'hard-limit'
  | 'liveness'
  | 'rebind'
  | 'restart'
  | 'transplant'
  | 'crowd'
  | 'cut'
  | 'probe';

/**
 * What a child is: ESP in tunnel mode; in transport mode, or asked for so by the left one alone; AH; with extended sequence
 * numbers.
 */
export type Flavour = 'plain' | 'transport' | 'declined' | 'ah' | 'esn';

/** The groups that a side takes, by preference. */
export type Groups = 'none' | 'first' | 'second' | 'both';

export interface Plan {
  readonly version: 1 | 2;
  readonly seed: number;
  /**
   * `rough`: the wire does what it likes for a while, then everything must come to rest. `smooth`: a perfect wire with
   * traffic, of which nothing may be lost. `refused`: no shared key fits.
   */
  readonly kind: 'rough' | 'smooth' | 'refused';
  readonly wire: {
    readonly loss: number;
    readonly duplicate: number;
    readonly delay: Millis;
    readonly reorder: Millis;
    readonly mtu: number;
  };
  /** The wire is good until the first SA stands. */
  readonly calm: boolean;
  readonly nat: Name | 'none';
  readonly keTime: readonly [Millis, Millis];
  readonly children: number;
  /** Of each child; plain where nothing is said. */
  readonly flavours: readonly Flavour[];
  /** Key exchange of the children, and of the IKE SA, left and right. */
  readonly pfs: readonly [Groups, Groups];
  readonly groups: readonly [Groups, Groups];
  readonly childRekey: Millis;
  readonly wrongKey: 'both' | 'initiator';
  readonly conn: Partial<Connection>;
  /** How often traffic flows; 0 for never. */
  readonly traffic: Millis;
  readonly steps: readonly Step[];
  /** When the wire becomes good. */
  readonly end: Millis;
}

const NAMES = ['left', 'right'] as const;

export function draw(seed: number, kinds: readonly Plan['kind'][] = ['rough'], version: Plan['version'] = 2): Plan {
  const plan = drawn(seed, kinds);
  return version === 2 ? plan : older(plan, new Dice(seed + 0x1e1));
}

/** The same in IKEv1: nobody declines transport mode, and aggressive mode has one group. */
function older(plan: Plan, dice: Dice): Plan {
  const aggressive = dice.chance(0.3);
  return {
    ...plan,
    version: 1,
    flavours: plan.flavours.map((flavour) => (flavour === 'declined' ? 'transport' : flavour)),
    groups: aggressive ? ['first', 'first'] : plan.groups,
    wrongKey: 'both',
    conn: { ...plan.conn, aggressive, deleteRekeyed: dice.chance(0.2) },
  };
}

function drawn(seed: number, kinds: readonly Plan['kind'][]): Plan {
  const dice = new Dice(seed);
  for (let i = 0; i < 4; i++) dice.word();
  const kind = dice.pick(kinds);
  const smooth = kind === 'smooth';
  const nat = dice.chance(0.2) ? dice.pick(NAMES) : 'none';
  const first = nat === 'none' ? dice.pick(NAMES) : nat;
  const end = smooth ? 3000 + dice.below(5000) : 5000 + dice.below(20_000);
  const children = dice.pick([1, 1, 1, 2, 3]);
  const conn = connection(dice, smooth);
  // AH does not go through a NAT or in UDP, and tunnel mode knows only one address of a host.
  const straight = nat === 'none' && conn.encap !== 'yes';
  const flavours: readonly Flavour[] = straight
    ? ['plain', 'transport', 'declined', 'ah', 'esn']
    : ['plain', 'transport', 'esn'];
  return {
    version: 2,
    seed,
    kind,
    wire: smooth ? { ...GOOD, delay: 1 + dice.below(60) } : roughWire(dice),
    calm: smooth || dice.chance(0.7),
    nat,
    keTime: dice.chance(0.25) ? [dice.below(600), dice.below(600)] : [0, 0],
    children,
    flavours: Array.from({ length: children }, () => (dice.chance(0.5) ? 'plain' : dice.pick(flavours))),
    pfs: pair(dice, ['none', 'none', 'none', 'first', 'both']),
    groups: pair(dice, ['first', 'first', 'first', 'both', 'second']),
    childRekey: smooth || dice.chance(0.8) ? 3_600_000 : 8000 + dice.below(16_000),
    wrongKey: dice.pick(['both', 'initiator']),
    conn,
    traffic: smooth ? 3 + dice.below(20) : dice.chance(0.2) ? 100 : 0,
    steps: steps(dice, { kind, first, end, children, nat }),
    end,
  };
}

const GOOD = { loss: 0, duplicate: 0, delay: 10, reorder: 0, mtu: 65_507 } as const;

function roughWire(dice: Dice): Plan['wire'] {
  return {
    loss: dice.chance(0.2) ? 0 : dice.below(31) / 100,
    duplicate: dice.chance(0.3) ? 0 : dice.below(31) / 100,
    delay: dice.pick([1, 10, 50, 200]),
    reorder: dice.chance(0.3) ? 0 : dice.below(501),
    mtu: dice.chance(0.9) ? 65_507 : 350,
  };
}

/** Both alike, or at odds: what the one prefers the other does not take. */
function pair(dice: Dice, kinds: readonly Groups[]): readonly [Groups, Groups] {
  const one = dice.pick(kinds);
  if (one === 'both')
    return dice.pick([
      ['both', 'both'],
      ['both', 'second'],
      ['second', 'both'],
      ['first', 'both'],
    ]);
  return [one, one];
}

function connection(dice: Dice, smooth: boolean): Partial<Connection> {
  const dpd = { dpdDelay: 8000 + dice.below(20_000), dpdTimeout: dice.chance(0.3) ? 15_000 : 0 };
  const small = dice.chance(0.15) ? { fragmentSize: 140 + dice.below(120) } : {};
  if (smooth) return { ...small, dpdDelay: dice.chance(0.5) ? 2000 : 0 };
  const renewed = dice.chance(0.85)
    ? {}
    : dice.chance(0.5)
      ? { rekeyTime: 6000 + dice.below(30_000), overTime: 6000, randTime: 2000 }
      : { reauthTime: 10_000 + dice.below(30_000), overTime: 6000 };
  return {
    ...dpd,
    ...small,
    ...renewed,
    unique: dice.pick(['no', 'no', 'keep', 'replace']),
    childless: dice.pick(['allow', 'allow', 'prefer', 'force', 'never']),
    encap: dice.chance(0.1) ? 'yes' : 'auto',
    natKeepalive: dice.pick([0, 20_000]),
  };
}

interface Frame {
  readonly kind: Plan['kind'];
  readonly first: Name;
  readonly end: Millis;
  readonly children: number;
  readonly nat: Name | 'none';
}

function steps(dice: Dice, frame: Frame): Step[] {
  const { kind, first, end } = frame;
  const drawn: Step[] = [];
  const add = (at: Millis, side: Name, act: Act, which = dice.below(frame.children)) => {
    drawn.push({ at, side, act, which });
  };
  if (kind !== 'smooth' && dice.chance(0.1)) add(0, opposite(first), 'crowd', 2 + dice.below(5));
  add(0, first, 'initiate');
  if (kind === 'rough' && dice.chance(0.15)) add(dice.below(400), opposite(first), 'initiate');
  if (kind === 'refused') return drawn;
  const begin = 1500;
  const when = () => begin + dice.below(end - begin);
  const rekeyed = (act: 'rekey-child' | 'rekey-ike', at: Millis) => {
    const who = dice.below(3);
    const which = dice.below(frame.children);
    if (who !== 1) add(at, 'left', act, which);
    if (who !== 0) add(at + (dice.chance(0.5) ? 0 : dice.below(120)), 'right', act, which);
  };
  const child = when();
  rekeyed('rekey-child', child);
  rekeyed('rekey-ike', dice.chance(0.4) ? child + dice.below(80) : when());
  if (kind === 'smooth') {
    for (let i = dice.below(4); i > 0; i--) rekeyed(dice.pick(['rekey-child', 'rekey-ike']), when());
    if (dice.chance(0.3)) add(when(), dice.pick(NAMES), 'soft-limit');
    if (dice.chance(0.3)) add(when(), dice.pick(NAMES), 'liveness');
  } else {
    for (let i = dice.below(7); i > 0; i--) rough(dice, frame, when, add, rekeyed);
  }
  return drawn.sort((a, b) => a.at - b.at);
}

function rough(
  dice: Dice,
  { nat }: Frame,
  when: () => Millis,
  add: (at: Millis, side: Name, act: Act, which?: number) => void,
  rekeyed: (act: 'rekey-child' | 'rekey-ike', at: Millis) => void,
): void {
  const at = when();
  const side = dice.pick(NAMES);
  const act = dice.pick(ACTS);
  switch (act) {
    case 'rekey-child':
    case 'rekey-ike':
      return rekeyed(act, at);
    case 'close-child':
      add(at, side, act);
      // Where it collides with something it is worth most.
      if (dice.chance(0.3))
        add(at + dice.below(100), opposite(side), dice.pick(['close-child', 'rekey-child', 'rekey-ike']));
      return;
    case 'restart':
    case 'close':
      add(at, side, act);
      if (dice.chance(0.7)) add(at + dice.below(3000), dice.pick(NAMES), 'initiate');
      return;
    case 'rebind':
      // By a message or a packet of ESP; and the address may change, too.
      if (nat !== 'none') add(at, nat, act, dice.below(4));
      return;
    case 'cut':
      return add(at, side, act, dice.chance(0.8) ? dice.below(6000) : 40_000);
    default:
      return add(at, side, act);
  }
}

/** `1200 left rekey-child 0`: when, who, what, which. */
export function readSteps(...lines: readonly string[]): Step[] {
  return lines.map((line) => {
    const [at, name, what, which] = line.split(' ');
    const side = NAMES.find((one) => one === name);
    const act = [...ACTS, 'crowd' as const].find((one) => one === what);
    if (!side || !act) throw new Error(`not a step: ${line}`);
    return { at: Number(at), side, act, which: Number(which) };
  });
}

const ACTS: readonly Act[] = [
  'rekey-child',
  'rekey-child',
  'rekey-ike',
  'rekey-ike',
  'close-child',
  'close-child',
  'create-child',
  'create-child',
  'close',
  'soft-limit',
  'soft-limit',
  'hard-limit',
  'liveness',
  'rebind',
  'rebind',
  'rebind',
  'restart',
  'transplant',
  'transplant',
  'cut',
  'probe',
  'initiate',
];

export function opposite(side: Name): Name {
  return side === 'left' ? 'right' : 'left';
}
