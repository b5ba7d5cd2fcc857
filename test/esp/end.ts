// One end of a tunnel as the daemon has it, without sockets: the control plane's `Plane` over one pipeline and the twin's
// lane. A packet goes in, and what became of it is the answer.

import assert from 'node:assert/strict';
import { type Ip, isV6, type SocketAddress } from '../../src/bytes/ip.ts';
import type { Protection, ProtectionKeys } from '../../src/crypto/types.ts';
import { Plane, type PlaneEvent, type SaStats } from '../../src/daemon/plane.ts';
import type { Drop } from '../../src/esp/drop.ts';
import { GSO, IN, SA_NONE } from '../../src/esp/layout.ts';
import { STAT, STAT_WORDS } from '../../src/esp/slots.ts';
import type { Millis } from '../../src/ike/connection.ts';
import type { ChildSa } from '../../src/ike/effects.ts';
import { ends, TwinPipelines } from '../support/pipelines.ts';
import { child, counting, GCM, LEFT, oracle, RIGHT } from './support.ts';
import type { TwinLane } from './twin/lane.ts';
import type { Packet } from './twin/mail.ts';

const OTHER_FAMILY = '2001:db8::ffff';

export interface Send {
  readonly tag: 'send';
  /** ESP from its header on. */
  readonly bytes: Uint8Array;
  readonly id: number;
  readonly local: SocketAddress['ip'];
  readonly remote: SocketAddress;
  readonly udp: boolean;
  readonly trafficClass: number;
  readonly df: boolean;
}

export type Outbound =
  | Send
  | { readonly tag: 'drop'; readonly reason: Drop }
  /** For the rest of its datagram. */
  | { readonly tag: 'wait' }
  /** A drop with an ICMP error to the inside. */
  | { readonly tag: 'reject'; readonly reason: Drop; readonly icmp: Uint8Array };

export type Inbound =
  | { readonly tag: 'deliver'; readonly packet: Uint8Array; readonly id: number }
  | { readonly tag: 'drop'; readonly reason: Drop };

export interface EndOptions {
  readonly protection?: (keys: ProtectionKeys) => Protection;
  readonly workers?: number;
  /** The largest packet of the path. */
  readonly mtu?: number;
  /** Our own address, to which packets come. */
  readonly ip?: Ip;
}

export class End {
  readonly pipelines: TwinPipelines;
  readonly plane: Plane;
  /** What went to the inside and to the network, and why not, since the last packet. */
  readonly written: Uint8Array[] = [];
  readonly sent: Send[] = [];
  now: Millis = 0;
  readonly #ip: Ip;
  readonly #mtus = new Map<number, number>();
  #events: PlaneEvent[] = [];

  constructor({ protection = oracle, workers = 1, mtu = 1500, ip = RIGHT.ip }: EndOptions = {}) {
    this.#ip = ip;
    const now = () => this.now;
    this.pipelines = new TwinPipelines({ now, workers, protection, random: counting() });
    this.plane = new Plane(this.pipelines, now, () => mtu);
    this.plane.onEvent = (event) => {
      assert.notEqual(event.kind, 'bug', 'text' in event ? event.text : '');
      this.#events.push(event);
    };
    for (const lane of this.pipelines.lanes) {
      lane.onWrite = (packet) => void this.written.push(packet);
      lane.onSend = ({ slot, path, bytes, udp, df, class: trafficClass }) => {
        const id = this.pipelines.children.get(slot) ?? 0;
        this.sent.push({ tag: 'send', bytes, id, ...ends(path), udp, trafficClass, df });
      };
    }
  }

  get lane(): TwinLane {
    const [lane] = this.pipelines.lanes;
    assert.ok(lane);
    return lane;
  }

  get drops(): Record<Drop, number> {
    return this.pipelines.drops;
  }

  /** The largest inner packet is the answer. */
  install(sa: ChildSa): number {
    const mtu = this.plane.install(sa);
    this.#mtus.set(sa.id, mtu);
    return mtu;
  }

  mtuOf(id: number): number {
    const mtu = this.#mtus.get(id);
    assert.ok(mtu !== undefined);
    return mtu;
  }

  stats(id: number): SaStats | undefined {
    return this.plane.stats(id);
  }

  /** What has happened since the last call. */
  events(): readonly PlaneEvent[] {
    return this.#events.splice(0);
  }

  /** A packet from the inside. */
  outbound(packet: Uint8Array, now: Millis): Outbound {
    const [first, ...more] = this.cut({ bytes: packet, gso: GSO.NONE, mss: 0 }, now);
    assert.equal(more.length, 0);
    return first ?? { tag: 'wait' };
  }

  /** A super-packet from the inside: what became of each of its parts, or of all of it. */
  cut(packet: Packet, now: Millis, worker = 0): readonly Outbound[] {
    const before = this.#begin(now);
    this.pipelines.fromInside(packet, worker);
    const reason = this.#dropped(before);
    if (reason === undefined) return this.sent.splice(0);
    assert.equal(this.sent.length, 0);
    const icmp = this.written.pop();
    return [icmp ? { tag: 'reject', reason, icmp } : { tag: 'drop', reason }];
  }

  /** An ESP packet from its header on. */
  inbound(bytes: Uint8Array, remote: SocketAddress, udp: boolean, now: Millis, trafficClass = 0, worker = 0): Inbound {
    return this.#received(now, () => {
      const datagram = { bytes, remote, local: this.#localFor(remote.ip), class: trafficClass };
      this.pipelines.receive(datagram, udp, worker);
    });
  }

  /** An AH packet, over IPv4 with its IP header. */
  inboundAh(packet: Uint8Array, remote: Ip): Inbound {
    const header = isV6(remote) ? 0 : 20;
    return this.#received(this.now, () => {
      this.pipelines.receiveAh({
        bytes: packet.subarray(header),
        remote: { ip: remote, port: 0 },
        local: this.#localFor(remote),
        ...(header > 0 ? { outer: packet.slice(0, header) } : {}),
      });
    });
  }

  #localFor(remote: Ip): Ip {
    return isV6(remote) === isV6(this.#ip) ? this.#ip : OTHER_FAMILY;
  }

  #received(now: Millis, receive: () => void): Inbound {
    const before = this.#begin(now);
    receive();
    const reason = this.#dropped(before);
    const packet = this.written.pop();
    if (reason !== undefined) {
      assert.equal(packet, undefined);
      return { tag: 'drop', reason };
    }
    assert.ok(packet && this.written.length === 0);
    // Whichever lane has opened it, its slot stands in its memory still.
    const slot = this.pipelines.lanes.map(({ memory }) => memory.in[IN.SA] as number).find((each) => each >= 0) ?? -1;
    return { tag: 'deliver', packet, id: this.pipelines.children.get(slot) ?? 0 };
  }

  /** Records of what the network says of our packets, as `ERROR` lays them out. */
  complain(record: Int32Array, now: Millis): void {
    this.now = now;
    this.lane.complaints.push(record);
    this.pipelines.wake();
  }

  /** The SA goes on from here, as if it had sent all before. */
  from(id: number, values: Partial<Record<keyof typeof STAT, number>>): void {
    const slot = this.slotOf(id);
    for (const [name, value] of Object.entries(values)) {
      this.pipelines.shared.stats[slot * STAT_WORDS + STAT[name as keyof typeof STAT]] = value;
    }
  }

  slotOf(id: number): number {
    const [slot] = [...this.pipelines.children].find(([, of]) => of === id) ?? [];
    assert.ok(slot !== undefined, `no child ${id}`);
    return slot;
  }

  #begin(now: Millis): Record<Drop, number> {
    this.now = now;
    this.written.length = 0;
    this.sent.length = 0;
    for (const { memory } of this.pipelines.lanes) memory.in[IN.SA] = SA_NONE;
    return this.drops;
  }

  /** The one reason that was counted. */
  #dropped(before: Record<Drop, number>): Drop | undefined {
    const after = this.drops;
    const counted = (Object.keys(after) as Drop[]).filter((name) => after[name] !== before[name]);
    assert.ok(counted.length <= 1, counted.join());
    const [reason] = counted;
    if (reason !== undefined) assert.equal(after[reason], before[reason] + 1);
    return reason;
  }
}

/** Both ends of a child SA. */
export function pair(
  over: Partial<ChildSa> = {},
  suite = GCM,
  options: EndOptions = {},
): { readonly left: End; readonly right: End } {
  const both = { left: new End({ ip: LEFT.ip, ...options }), right: new End({ ip: RIGHT.ip, ...options }) };
  const sas = child(1, over, suite);
  both.left.install(sas.left);
  both.right.install(sas.right);
  return both;
}

export function sent(outcome: Outbound): Send {
  assert.ok(outcome.tag === 'send', outcome.tag);
  return outcome;
}

export function dropped(outcome: Inbound | Outbound): Drop {
  assert.ok(outcome.tag === 'drop', outcome.tag);
  return outcome.reason;
}
