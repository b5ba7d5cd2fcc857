// Two endpoints on one virtual clock, with a wire that loses, doubles, delays, reorders, translates and cuts as the
// test wants. Everything random comes from one seed: a run repeats byte for byte.

import type { SocketAddress } from '../../src/bytes/ip.ts';
import { keyExchange } from '../../src/crypto/registry.ts';
import type { Connection, Millis, SharedKey } from '../../src/ike/connection.ts';
import type { Answer, Effect, Event, SessionId } from '../../src/ike/effects.ts';
import { Endpoint } from '../../src/ike/endpoint.ts';
import { exchangeName as exchangeName1 } from '../../src/ike/v1/wire/constants.ts';
import { exchangeName } from '../../src/ike/wire/constants.ts';
import { decodeHeader } from '../../src/ike/wire/message.ts';
import { cheapAgree, cheapPair } from './cheapke.ts';
import { type Packet, Plane } from './plane.ts';
import { Dice, seeded } from './random.ts';

export interface SideOptions {
  readonly ip: string;
  readonly connections: readonly Connection[];
  readonly sharedKeys: readonly SharedKey[];
  readonly rawEsp?: boolean;
  /** Key exchanges as the registry has them, instead of the cheap one. */
  readonly realKe?: boolean;
  /** How long a key exchange takes to compute. */
  readonly keTime?: Millis;
}

export interface Wire {
  loss: number;
  duplicate: number;
  delay: Millis;
  /** Up to this much more, at random: later datagrams overtake. */
  reorder: Millis;
  /** Larger UDP payloads vanish. */
  mtu: number;
  cut: boolean;
  /** Sees every datagram and may change it, or drop it by returning undefined. */
  tamper: ((bytes: Uint8Array, from: Side, to: Side) => Uint8Array | undefined) | undefined;
}

/** Which datagrams a test means. */
export type Match = (bytes: Uint8Array, from: Side) => boolean;

interface Hold {
  readonly match: Match;
  readonly kept: (() => void)[];
}

interface Flying {
  readonly at: Millis;
  readonly order: number;
  readonly run: () => void;
}

export class Side {
  readonly name: string;
  readonly options: SideOptions;
  readonly pair: Pair;
  endpoint: Endpoint;
  plane: Plane;
  readonly events: Event[] = [];
  readonly sent: { at: Millis; bytes: Uint8Array; remote: SocketAddress; local: SocketAddress }[] = [];
  keepalives = 0;
  /** Behind a NAT that shows this address instead of ours. */
  nat: { ip: string; ports: Map<number, number>; next: number } | undefined;
  #seed: number;

  constructor(name: string, options: SideOptions, pair: Pair, seed: number) {
    this.name = name;
    this.options = options;
    this.pair = pair;
    this.#seed = seed;
    this.plane = new Plane();
    this.endpoint = this.#fresh();
  }

  #fresh(): Endpoint {
    return new Endpoint({
      random: seeded(this.#seed++),
      port: 500,
      natPort: 4500,
      rawEsp: this.options.rawEsp ?? true,
      connections: this.options.connections,
      sharedKeys: this.options.sharedKeys,
      lastInbound: (child) => this.plane.lastIn.get(child),
      lastOutbound: (child) => this.plane.lastOut.get(child),
    });
  }

  get other(): Side {
    return this === this.pair.left ? this.pair.right : this.pair.left;
  }

  /** The process dies and starts again: nothing is left. */
  restart(): void {
    this.#seed += 1000;
    this.plane = new Plane();
    this.endpoint = this.#fresh();
  }

  /** The same state in another process. */
  transplant(): void {
    const states = this.endpoint.export();
    this.endpoint = this.#fresh();
    this.#seed += 1000;
    this.endpoint.import(states);
  }

  get conn(): Connection {
    const [conn] = this.options.connections;
    if (!conn) throw new Error('no connection');
    return conn;
  }

  initiate(children?: readonly string[], conn = this.conn): SessionId {
    const remote = this.other.nat?.ip ?? this.other.options.ip;
    const { session, effects } = this.endpoint.initiate(this.pair.now, conn, this.options.ip, remote, children);
    this.run(effects);
    return session;
  }

  run(effects: readonly Effect[]): void {
    for (const effect of effects) this.#run(effect);
  }

  #run(effect: Effect): void {
    const { pair } = this;
    pair.watch?.(effect, this);
    switch (effect.type) {
      case 'send':
        this.sent.push({ at: pair.now, bytes: effect.bytes, remote: effect.remote, local: effect.local });
        return pair.transmit(this, effect.bytes, effect.local, effect.remote);
      case 'keepalive':
        this.keepalives++;
        return;
      case 'generate': {
        const pair = this.#generate(effect.group);
        return this.#answer({ type: 'generated', job: effect.job, pair });
      }
      case 'agree': {
        const pair = effect.pair ?? this.#generate(effect.group);
        const shared = this.options.realKe
          ? keyExchange(effect.group)?.agree(pair, effect.theirs)
          : cheapAgree(pair, effect.theirs);
        return this.#answer({ type: 'agreed', job: effect.job, pair, shared });
      }
      case 'event':
        this.events.push(effect.event);
        return;
      case 'install':
      case 'activate':
      case 'remove':
      case 'move':
        return this.plane.run(effect);
    }
  }

  #generate(group: number) {
    if (!this.options.realKe) return cheapPair(seeded(this.#seed++));
    const ke = keyExchange(group);
    if (!ke) throw new Error(`no group ${group}`);
    return ke.generate();
  }

  #answer(answer: Answer): void {
    const { keTime = 0 } = this.options;
    const { endpoint } = this;
    if (keTime === 0) return this.run(endpoint.answer(this.pair.now, answer));
    this.pair.later(keTime, () => {
      if (this.endpoint === endpoint) this.run(endpoint.answer(this.pair.now, answer));
    });
  }

  /** Kinds of events so far, in order. */
  kinds(): string[] {
    return this.events.map((event) => event.kind);
  }

  count(kind: Event['kind']): number {
    return this.events.filter((event) => event.kind === kind).length;
  }

  last<K extends Event['kind']>(kind: K): Extract<Event, { kind: K }> | undefined {
    return this.events.findLast((event): event is Extract<Event, { kind: K }> => event.kind === kind);
  }

  /** Sessions that are established, and children that serve. */
  get live() {
    const sessions = this.endpoint.sessions().filter(({ state }) => state.phase === 'established');
    const children = sessions.flatMap(({ state }) =>
      state.children.filter((child) => child.stage === 'installed' || child.stage === 'rekeying'),
    );
    return { sessions, children };
  }

  /** The id of the only session or child that is up. */
  get session(): SessionId {
    const [session] = this.live.sessions;
    if (!session) throw new Error(`${this.name} has no session`);
    return session.state.id;
  }

  get child(): number {
    const child = this.live.children.at(-1);
    if (!child) throw new Error(`${this.name} has no child`);
    return child.id;
  }
}

export class Pair {
  readonly left: Side;
  readonly right: Side;
  readonly dice: Dice;
  readonly wire: Wire = { loss: 0, duplicate: 0, delay: 10, reorder: 0, mtu: 65_507, cut: false, tamper: undefined };
  now: Millis = 1_000_000;
  /** Every datagram in the order sent: `12 left> CREATE_CHILD_SA request 3`. */
  readonly log: string[] = [];
  /** Hears every datagram as it is sent. */
  listener: ((bytes: Uint8Array, from: Side) => void) | undefined;
  /** Sees every effect before it is carried out. */
  watch: ((effect: Effect, side: Side) => void) | undefined;
  readonly flow = { sent: 0, lost: 0, refused: 0 };
  readonly #start = this.now;
  readonly #holds = new Set<Hold>();
  readonly #flying = new Flight();
  #order = 0;

  constructor(left: SideOptions, right: SideOptions, seed = 1) {
    this.dice = new Dice(seed);
    this.left = new Side('left', left, this, seed * 7919 + 1);
    this.right = new Side('right', right, this, seed * 104_729 + 2);
  }

  transmit(from: Side, bytes: Uint8Array, local: SocketAddress, remote: SocketAddress): void {
    const { wire, dice } = this;
    const header = decodeHeader(bytes);
    const at = `${this.now - this.#start} ${from.name}>`;
    const direction = header.response ? 'response' : 'request';
    if (header.major === 1) this.log.push(`${at} ${exchangeName1(header.exchange)} ${header.messageId}`);
    else this.log.push(`${at} ${exchangeName(header.exchange)} ${direction} ${header.messageId}`);
    this.listener?.(bytes, from);
    const to = from.other;
    const tampered = wire.tamper ? wire.tamper(bytes, from, to) : bytes;
    if (!tampered || wire.cut || bytes.length > wire.mtu || dice.chance(wire.loss)) return;
    const copies = dice.chance(wire.duplicate) ? 2 : 1;
    const source = translate(from, local);
    const target = back(to, remote);
    if (!target) return;
    const arrive = () => to.run(to.endpoint.receive(this.now, tampered.slice(), source, target));
    const hold = this.#holds.size > 0 && [...this.#holds].find(({ match }) => match(bytes, from));
    if (hold) return void hold.kept.push(arrive);
    for (let i = 0; i < copies; i++) {
      const more = wire.reorder > 0 ? dice.below(wire.reorder + 1) : 0;
      this.later(wire.delay + more, arrive);
    }
  }

  /** Keeps the datagrams that match, repetitions too, until the function returned is called: then the first arrives. */
  hold(match: Match): () => void {
    const hold: Hold = { match, kept: [] };
    this.#holds.add(hold);
    return () => {
      this.#holds.delete(hold);
      const [first] = hold.kept;
      if (first) this.later(this.wire.delay, first);
    };
  }

  /** A datagram from anywhere, as a stranger on the way may send it. */
  inject(to: Side, bytes: Uint8Array, from: SocketAddress, port = 500): void {
    to.run(to.endpoint.receive(this.now, bytes, from, { ip: to.options.ip, port }));
  }

  later(wait: Millis, run: () => void): void {
    this.#flying.add({ at: this.now + wait, order: this.#order++, run });
  }

  /** Runs everything that happens within this time. */
  run(duration: Millis): void {
    const end = this.now + duration;
    while (this.step(end));
    this.now = end;
  }

  /** The next thing that happens until `end`; false when there is none. */
  step(end: Millis): boolean {
    const next = this.#flying.first;
    const { left, right } = this;
    const never = Number.POSITIVE_INFINITY;
    const due = Math.min(left.endpoint.deadline() ?? never, right.endpoint.deadline() ?? never);
    const at = Math.min(next?.at ?? never, due);
    if (at > end) return false;
    this.now = Math.max(this.now, at);
    if (next && next.at <= this.now) {
      this.#flying.take();
      next.run();
      return true;
    }
    for (const side of [left, right]) {
      const deadline = side.endpoint.deadline();
      if (deadline !== undefined && deadline <= this.now) side.run(side.endpoint.tick(this.now));
    }
    return true;
  }

  /** Datagrams and answers that are under way. */
  get flying(): number {
    return this.#flying.size;
  }

  /** Both sides up with all children of left's connection. */
  static up(left: SideOptions, right: SideOptions, seed?: number): Pair {
    const pair = new Pair(left, right, seed);
    pair.left.initiate();
    pair.run(2000);
    return pair;
  }

  /** One packet each way for every policy, as the sides' SAs stand now. ESP is neither lost nor reordered here. */
  probe(): void {
    for (const from of [this.left, this.right]) {
      for (const policy of from.plane.policies()) {
        const packet = from.plane.send(this.now, policy);
        if (!packet) continue;
        this.flow.sent++;
        this.later(this.wire.delay, () => this.#arrive(from.other, packet));
      }
    }
  }

  #arrive(to: Side, packet: Packet): void {
    const sa = to.plane.receive(this.now, packet);
    if (sa) to.run(to.endpoint.used(this.now, sa.id));
    else this.flow.lost++;
  }

  /** Traffic both ways every `interval` while the clock runs. */
  flowing(duration: Millis, interval: Millis = 10): void {
    for (let at = 0; at < duration; at += interval) this.later(at, () => this.probe());
    this.run(duration + 2 * this.wire.delay);
  }

  faults(): string[] {
    return [...this.left.plane.faults, ...this.right.plane.faults];
  }
}

/** What is under way, the next thing to happen first: a binary heap. */
class Flight {
  readonly #heap: Flying[] = [];

  get size(): number {
    return this.#heap.length;
  }

  get first(): Flying | undefined {
    return this.#heap[0];
  }

  add(flying: Flying): void {
    const heap = this.#heap;
    let i = heap.push(flying) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent];
      if (!above || before(above, flying)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = flying;
  }

  take(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let i = 0;
    for (;;) {
      const one = heap[2 * i + 1];
      const two = heap[2 * i + 2];
      const right = one && two && before(two, one);
      const child = right ? two : one;
      if (!child || before(last, child)) break;
      heap[i] = child;
      i = 2 * i + (right ? 2 : 1);
    }
    heap[i] = last;
  }
}

function before(a: Flying, b: Flying): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function translate(side: Side, local: SocketAddress): SocketAddress {
  const { nat } = side;
  if (!nat) return local;
  let port = nat.ports.get(local.port);
  if (port === undefined) {
    port = nat.next++;
    nat.ports.set(local.port, port);
  }
  return { ip: nat.ip, port };
}

function back(side: Side, remote: SocketAddress): SocketAddress | undefined {
  const { nat } = side;
  if (!nat) return { ip: side.options.ip, port: remote.port };
  // What goes to an address that the NAT had before is lost.
  if (nat.ip !== remote.ip) return undefined;
  for (const [inside, outside] of nat.ports) if (outside === remote.port) return { ip: side.options.ip, port: inside };
  return undefined;
}

/** A NAT in front of a side; `rebind` gives it new ports. */
export function behindNat(side: Side, ip: string): { rebind: () => void } {
  const nat = { ip, ports: new Map<number, number>(), next: 20_000 };
  side.nat = nat;
  return {
    rebind: () => {
      nat.ports.clear();
      nat.next += 1000;
      for (const port of [500, 4500]) nat.ports.set(port, nat.next++);
    },
  };
}
