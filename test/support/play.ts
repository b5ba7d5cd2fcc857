// Plays a schedule and judges how it ends: both sides agree on what is live, one child serves each purpose, and after
// everything is closed nothing is left.

import type { Millis } from '../../src/ike/connection.ts';
import { Endpoint } from '../../src/ike/endpoint.ts';
import type { IkeSa } from '../../src/ike/sa.ts';
import { isCurrent } from '../../src/ike/v1/children.ts';
import { Session as Session1 } from '../../src/ike/v1/session.ts';
import { childrenOf } from '../../src/ike/v2/children.ts';
import { busy, disagreement } from './accord.ts';
import { cheapPair } from './cheapke.ts';
import { LEFT_IP, RIGHT_IP } from './connections.ts';
import { Ear } from './ear.ts';
import { behindNat, Pair, type Side } from './pair.ts';
import { connections, initiator, keys } from './players.ts';
import { seeded } from './random.ts';
import type { Plan, Step } from './schedule.ts';
import { v2 } from './v2.ts';
import { Watch } from './watch.ts';

export interface Outcome {
  readonly problems: readonly string[];
  readonly seen: ReadonlyMap<string, number>;
  /** Every datagram. */
  readonly log: readonly string[];
}

const RETRY: Millis = 500;
/** Of a gone peer both sides know by then, whatever was under way. */
const PATIENCE: Millis = 400_000;
const LINGER: Millis = 6000;
const NAT_IP = '198.51.100.7';
const OTHER_NAT_IP = '198.51.100.8';

export function play(plan: Plan, deep = false): Outcome {
  return new Play(plan, deep).run();
}

class Play {
  readonly #plan: Plan;
  readonly #pair: Pair;
  readonly #watch: Watch;
  readonly #ear: Ear | undefined;
  readonly #nat: { rebind: () => void } | undefined;
  /** Names of children that somebody closed, or forgot: they may be there or not. */
  readonly #closed = new Set<string>();
  #cuts = 0;
  /** All children have been up. */
  #ready = false;

  constructor(plan: Plan, deep: boolean) {
    this.#plan = plan;
    const [left, right] = connections(plan);
    const [forLeft, forRight] = keys(plan);
    const [leftTime, rightTime] = plan.keTime;
    this.#pair = new Pair(
      { ip: LEFT_IP, connections: [left], sharedKeys: forLeft, keTime: leftTime },
      { ip: RIGHT_IP, connections: [right], sharedKeys: forRight, keTime: rightTime },
      plan.seed,
    );
    this.#watch = new Watch(this.#pair, deep, (side) => this.#forget(side));
    this.#ear = plan.version === 1 ? new Ear(this.#pair) : undefined;
    this.#nat = plan.nat === 'none' ? undefined : behindNat(this.#pair[plan.nat], NAT_IP);
  }

  run(): Outcome {
    const { problems, seen } = this.#watch;
    this.#play();
    if (this.#plan.kind === 'refused') this.#judgeRefused();
    else if (this.#settle()) this.#judge();
    this.#close();
    for (const side of this.#sides) {
      for (const [code, count] of side.endpoint.counters()) {
        seen.set(`counter ${code}`, (seen.get(`counter ${code}`) ?? 0) + count);
        if (code === 'bug') problems.push(`${side.name} has a bug: ${bugs(side)}`);
      }
    }
    problems.push(...this.#pair.faults(), ...(this.#ear?.problems ?? []));
    for (const line of this.#ear?.lines ?? []) {
      for (const word of line.split(' ').slice(1)) this.#watch.count(`said ${word}`);
    }
    return { problems, seen, log: this.#pair.log };
  }

  get #sides(): readonly Side[] {
    return [this.#pair.left, this.#pair.right];
  }

  // --- the schedule --------------------------------------------------------------------------------------------------

  #play(): void {
    const plan = this.#plan;
    const pair = this.#pair;
    if (!plan.calm) Object.assign(pair.wire, plan.wire);
    else pair.later(1400, () => void Object.assign(pair.wire, plan.wire));
    if (plan.calm && plan.kind === 'smooth') pair.wire.delay = plan.wire.delay;
    for (const step of plan.steps) pair.later(step.at, () => this.#step(step));
    if (plan.traffic > 0) for (let at = 1400; at < plan.end; at += plan.traffic) pair.later(at, () => this.#traffic());
    pair.run(plan.end);
    Object.assign(pair.wire, { loss: 0, duplicate: 0, delay: 10, reorder: 0, mtu: 65_507, cut: false });
    this.#cuts = 0;
  }

  #traffic(): void {
    const { left, right } = this.#pair;
    const { kind, children } = this.#plan;
    const policies = Math.min(left.plane.policies().length, right.plane.policies().length);
    if (policies === children) this.#ready = true;
    if (kind === 'smooth' && !this.#ready) return;
    this.#pair.probe();
    if (kind === 'smooth' && policies < children) {
      this.#problem(`one side could send for ${policies} of ${children} policies`);
    }
  }

  #problem(text: string): void {
    // The first of a kind says enough.
    if (this.#watch.problems.length < 20) this.#watch.problems.push(`${text} at ${this.#pair.now - 1_000_000}`);
  }

  #step(step: Step): void {
    const { which } = step;
    const pair = this.#pair;
    const side = pair[step.side];
    const { endpoint } = side;
    const { now } = pair;
    const some = side.live.children;
    const target = some.length === 0 ? undefined : some[which % some.length];
    // Of two that simultaneous rekeying made, none is meant until one stays.
    const session = side.live.sessions.findLast(({ state }) => state.successor === undefined)?.state.id;
    switch (step.act) {
      case 'initiate':
        // A connection that is up or on its way is not begun again.
        if (endpoint.sessions().every(({ state }) => state.phase === 'deleting')) side.initiate();
        break;
      case 'rekey-child':
        if (!target) return this.#later(step);
        side.run(endpoint.rekeyChild(now, target.id));
        break;
      case 'rekey-ike':
        if (session === undefined) return this.#later(step);
        side.run(endpoint.rekeyIke(now, session));
        break;
      case 'close-child':
        if (!target) return;
        this.#closed.add(target.name);
        side.run(endpoint.closeChild(now, target.id));
        break;
      case 'create-child':
        if (session === undefined) return;
        side.run(endpoint.createChild(now, session, `net${which}`));
        break;
      case 'close':
        if (session === undefined) return;
        // The Deletes of the children and of the IKE SA are messages of their own, and either may be lost.
        if (this.#plan.version === 1) for (const { name } of side.conn.children) this.#closed.add(name);
        side.run(endpoint.close(now, session, { code: 'requested', text: 'closed by the operator' }));
        break;
      case 'soft-limit':
      case 'hard-limit':
        if (!target) return;
        // Of two made at once the one that stays goes before the other one does: then neither is left.
        if (some.filter(({ name }) => name === target.name).length > 1) this.#closed.add(target.name);
        side.run(endpoint.limit(now, target.id, step.act === 'hard-limit'));
        break;
      case 'liveness':
        if (session === undefined) return;
        side.run(endpoint.checkLiveness(now, session));
        break;
      case 'rebind':
        this.#rebind(side, which % 2 === 1, which >= 2);
        break;
      case 'restart':
        this.#watch.problems.push(...side.plane.faults);
        this.#forget(side);
        // A responder of aggressive mode has no message that is protected, and cannot say that it knows of no SA.
        if (this.#plan.conn.aggressive) {
          for (const { inbound } of side.plane.sas) this.#ear?.deleted.add(`${side.name} ${inbound.spi}`);
        }
        side.restart();
        break;
      case 'transplant':
        side.transplant();
        break;
      case 'crowd':
        this.#crowd(side, which);
        break;
      case 'cut':
        this.#cut(which);
        break;
      case 'probe':
        pair.probe();
    }
    this.#watch.count(`act ${step.act}`);
  }

  /**
   * A side that restarts, or gives the peer up, drops all that it had to do (RFC 7296 §2.4). A child that the peer has
   * never heard of is wanted by nobody then, even if the peer brings the IKE SA back: that is the operator's business.
   */
  #forget({ other }: Side): void {
    const known = new Set(other.endpoint.sessions().flatMap(wanted));
    for (const { name } of other.conn.children) if (!known.has(name)) this.#closed.add(name);
  }

  #later(step: Step): void {
    const { now } = this.#pair;
    if (now - 1_000_000 + RETRY < this.#plan.end) this.#pair.later(RETRY, () => this.#step(step));
  }

  /** The NAT forgets its mappings, and may get another address; the peer hears of it by ESP, or else by IKE. */
  #rebind(side: Side, byEsp: boolean, elsewhere: boolean): void {
    this.#nat?.rebind();
    if (elsewhere && side.nat) side.nat.ip = side.nat.ip === NAT_IP ? OTHER_NAT_IP : NAT_IP;
    const port = side.nat?.ports.get(4500);
    const { other } = side;
    const [heard] = other.live.children;
    if (!byEsp || port === undefined || !heard) return;
    other.run(other.endpoint.moved(this.#pair.now, heard.id, { ip: side.nat?.ip ?? NAT_IP, port }));
  }

  /** Strangers at the same address begin and do not go on: cookies are asked for. */
  #crowd(side: Side, count: number): void {
    const { other } = side;
    const { now } = this.#pair;
    const random = seeded(this.#plan.seed + 0x5eed);
    const from = { ip: other.nat?.ip ?? other.options.ip, port: 500 };
    const strangers = new Endpoint({
      random,
      port: 500,
      natPort: 4500,
      rawEsp: true,
      connections: [other.conn],
      sharedKeys: [],
    });
    for (let i = 0; i < count; i++) {
      const { effects } = strangers.initiate(now, other.conn, from.ip, side.options.ip);
      for (const effect of effects) {
        if (effect.type === 'send') this.#pair.inject(side, effect.bytes, from);
        if (effect.type !== 'generate') continue;
        const answer = { type: 'generated', job: effect.job, pair: cheapPair(random) } as const;
        for (const sent of strangers.answer(now, answer)) {
          if (sent.type === 'send') this.#pair.inject(side, sent.bytes, from);
        }
      }
    }
  }

  #cut(duration: Millis): void {
    const { wire } = this.#pair;
    const mine = ++this.#cuts;
    wire.cut = true;
    this.#pair.later(duration, () => {
      if (this.#cuts === mine) wire.cut = false;
    });
  }

  // --- the end ---------------------------------------------------------------------------------------------------------

  /** Until nothing is under way and both sides agree. What one side only still has must go within the time of DPD. */
  #settle(): boolean {
    const pair = this.#pair;
    const end = pair.now + PATIENCE;
    let why = '';
    while (pair.now < end) {
      pair.run(500);
      why = busy(pair) ?? disagreement(pair, this.#ear?.deleted) ?? '';
      if (why === '') return true;
    }
    this.#problem(`nothing settled: ${why}`);
    return false;
  }

  #judge(): void {
    const pair = this.#pair;
    const { kind, children, conn } = this.#plan;
    const { left, right } = pair;
    const up = left.live.sessions.length;
    this.#watch.count(up > 0 ? 'end up' : 'end down');
    // A restart can leave two that the same side began, and each is then renewed for itself.
    const renewed = (conn.reauthTime ?? 0) > 0 && this.#watch.seen.has('act restart');
    if (up > 1 && !renewed) this.#problem(`${up} IKE SAs between the same two`);
    if (up === 1) this.#judgeChildren();
    if (kind === 'smooth') {
      if (up !== 1) this.#problem('the IKE SA is gone');
      if (pair.flow.lost > 0) this.#problem(`${pair.flow.lost} of ${pair.flow.sent} packets lost`);
      for (const side of [left, right]) {
        if (side.count('child-failed') > 0) this.#problem(`${side.name}: ${JSON.stringify(side.last('child-failed'))}`);
        if (side.count('session-closed') > 0) this.#problem(`${side.name}: an IKE SA was closed`);
        if (side.count('child-closed') > 0) this.#problem(`${side.name}: a child was closed`);
        if (side.live.children.length !== children) this.#problem(`${side.name} has another number of children`);
      }
    }
    // What stands can be used. SAs for an address that the peer had before go with a delay.
    if (this.#plan.nat !== 'none') pair.run(LINGER);
    const { lost } = pair.flow;
    if (this.#orphans().length > 0) return;
    pair.probe();
    pair.run(100);
    if (pair.flow.lost > lost) this.#problem(`after all has settled, packets are lost (${conn.unique})`);
  }

  /** Nobody confirms a Delete of IKEv1: where one is lost, the other side keeps the SA until its end. */
  #orphans(): string[] {
    return this.#sides.flatMap(({ live, other }) =>
      live.children.filter(({ spiOut }) => this.#ear?.deleted.has(`${other.name} ${spiOut}`)).map(({ name }) => name),
    );
  }

  #judgeChildren(): void {
    const { children } = this.#plan;
    const { live } = this.#pair.left;
    for (const { protocol, mode, suite } of live.children) {
      this.#watch.count(`live ${protocol} ${mode}${suite.esn ? ' esn' : ''}`);
    }
    for (let i = 0; i < children; i++) {
      const name = `net${i}`;
      const count = live.children.filter((one) => one.name === name).length;
      if (count > 1) this.#problem(`${count} children for ${name}`);
      if (count === 0 && !this.#closed.has(name) && !this.#lostWork(name) && !this.#orphans().includes(name))
        this.#problem(`no child for ${name}`);
    }
  }

  /** A key exchange that was under way at a transplant is never computed; the child is reported as failed. */
  #lostWork(name: string): boolean {
    const given = this.#sides.flatMap(({ events }) => events);
    // In IKEv1 an IKE SA may fail at the one side, with what was to be made there, while another one stands.
    const failed = given.some((one) => one.kind === 'session-closed' && !one.established && one.reason.by === 'peer');
    if (this.#plan.version === 1 && failed) return true;
    // Nor is it a fault of ours where all that was said of a child was lost: it is told, and the daemon tries again.
    const silent = this.#plan.version === 1 && this.#plan.wire.loss > 0.2;
    const codes = silent ? ['internal', 'no-answer'] : ['internal'];
    return given.some((one) => one.kind === 'child-failed' && one.child === name && codes.includes(one.reason.code));
  }

  #judgeRefused(): void {
    const pair = this.#pair;
    const { left, right } = pair;
    pair.run(200_000);
    const { wrongKey } = this.#plan;
    const first = initiator(this.#plan);
    for (const side of [left, right]) {
      const deceived = wrongKey === 'initiator' && side.name !== first;
      if (!deceived && side.count('session-established') > 0) this.#problem(`${side.name} took a wrong key`);
      if (side.endpoint.size > 0) this.#problem(`${side.name} keeps a session that was refused`);
      if (side.plane.sas.length > 0) this.#problem(`${side.name} keeps an SA that was refused`);
    }
    if (wrongKey === 'both' && this.#watch.installs > 0) this.#problem('an SA was installed without AUTH');
    this.#watch.count('end refused');
  }

  #close(): void {
    const pair = this.#pair;
    const { seed } = this.#plan;
    // Whoever has begun anew by himself, before the end came, does not do so for ever.
    for (let i = 0; i < 10 && this.#sides.some(({ endpoint }) => endpoint.size > 0); i++) {
      for (const side of i > 0 || seed % 2 === 0 ? this.#sides : [pair.left]) {
        for (const { state } of side.endpoint.sessions()) {
          side.run(side.endpoint.close(pair.now, state.id, { code: 'requested', text: 'the end' }));
        }
      }
      pair.run(20_000);
    }
    pair.run(100);
    for (const { name, endpoint, plane } of this.#sides) {
      const held = Object.entries(endpoint.held).filter(([, count]) => count > 0);
      if (held.length > 0) this.#problem(`${name} has left over: ${held.join()}`);
      if (plane.sas.length > 0) this.#problem(`${name} has ${plane.sas.length} SAs left over`);
      if (endpoint.deadline() !== undefined) this.#problem(`${name} has a timer left over`);
    }
  }
}

/** Names of the children that it has or is to have. */
function wanted(sa: IkeSa): string[] {
  if (!(sa instanceof Session1)) return childrenOf(v2(sa).state);
  const { children, quicks, queue } = sa.state;
  const asked = [...quicks.filter(({ awaits }) => awaits !== 'done').map(({ want }) => want), ...queue];
  return [...children.filter(isCurrent).map(({ name }) => name), ...asked.map(({ child }) => child)];
}

function bugs(side: Side): string {
  return side.events
    .map((event) => (event.kind === 'session-closed' && event.reason.code === 'internal' ? event.reason.text : ''))
    .join('');
}
