// The C lane and its twin side by side, on memory of the same shape. Socket pairs stand for the C lane's device and
// sockets: what it writes is read here packet by packet, and what is put in is what it reads.

import assert from 'node:assert/strict';
import { readSync, writeSync } from 'node:fs';
import {
  COUNTERS,
  GSO,
  IN,
  type Lane,
  laneMemory,
  MESSAGE,
  MESSAGE_WORDS,
  OUT,
  SOURCE,
  SOURCES,
  USE,
  USE_ALL,
  WORDS,
} from '../../src/esp/layout.ts';
import type { ChildSa } from '../../src/ike/effects.ts';
import { openLane } from '../../src/net/lane.ts';
import { addon, Path } from '../../src/net/native.ts';
import { child, counting } from '../esp/support.ts';
import { type Sent, TwinLane } from '../esp/twin/lane.ts';
import { Mail, type Packet } from '../esp/twin/mail.ts';
import { TwinSas } from '../esp/twin/sas.ts';

export const SLOT = 321;
export const SPI = 0x1234_5678;
const VNET = 10;
/** An IPv4 header may stand in front of what is received. */
const OUTER = 60;
/** AH over IPv4 is sent with one of this size. */
const IPV4_HEADER = 20;
const COUNT = 0xffff;
/** Types of a virtio header (linux/virtio_net.h). */
const TYPES = { [GSO.NONE]: 0, [GSO.TCP]: 1, [GSO.UDP]: 5 } as const;
const TCP6 = 4;

export interface BothOptions {
  readonly uses?: number;
  readonly index?: number;
  readonly workers?: number;
}

/** One SA for both directions, so that a lane can open what it has sealed. */
export interface Loop {
  readonly suite?: Parameters<typeof child>[2];
  readonly flags?: number;
  readonly mss4?: number;
  readonly mss6?: number;
  readonly version?: 4 | 6;
  readonly spi?: number;
}

/** What is told of datagrams beside their bytes. */
export interface Beside {
  readonly high?: number;
  readonly class?: number;
  /** Remote and local, four words each. */
  readonly addresses?: readonly number[];
}

export class Both {
  readonly native: Lane & { close(): void };
  readonly twin: TwinLane;
  readonly mail: Mail;
  readonly sas = new TwinSas();
  /** What the twin has sent and written. */
  readonly sent: Sent[] = [];
  readonly written: Uint8Array[] = [];
  readonly uses: number;
  readonly counters = new BigUint64Array(COUNTERS.length);
  readonly #pairs: readonly (readonly [number, number])[];
  readonly #slots = new Set<number>();

  constructor({ uses = USE_ALL & ~USE.GSO, index = 0, workers = 1 }: BothOptions = {}) {
    this.uses = uses;
    this.#pairs = Array.from({ length: SOURCES - 1 }, () => addon().pairOpen());
    const fds = [...this.#pairs.map(([end]) => end), -1];
    this.native = openLane({ index, workers, uses, fds }, laneMemory(), new Uint8Array(this.counters.buffer));
    this.mail = new Mail(workers);
    this.twin = new TwinLane({ sas: this.sas, random: counting(), mail: this.mail, uses, index, workers });
    this.twin.onSend = (sent) => void this.sent.push(sent);
    this.twin.onWrite = (packet) => void this.written.push(packet);
  }

  close(): void {
    this.native.close();
    for (const slot of this.#slots) addon().saDrop(slot);
    for (const fd of this.#pairs.flat()) addon().close(fd);
  }

  count(name: (typeof COUNTERS)[number]): number {
    return Number(this.counters[COUNTERS.indexOf(name)]);
  }

  install({ suite, flags = 0, mss4 = 0, mss6 = 0, version = 4, spi = SPI }: Loop, slot = SLOT): ChildSa {
    const path = new Path(version);
    if (version === 4) path.set('192.0.2.1', { ip: '198.51.100.1', port: 4500 });
    else path.set('2001:db8::1', { ip: '2001:db8::2', port: 4500 });
    const { left } = suite ? child(1, {}, suite) : child(1);
    const { keys } = left.inbound;
    const sa = { ...left, inbound: { spi, keys }, outbound: { spi, keys } };
    const spec = [spi, spi, keys.encr, keys.keyBits ?? 0, keys.integ, flags, mss4, mss6];
    this.sas.place(slot, sa, { path: path.bytes, flags, mtu: 1400, mss4, mss6 });
    const { encrKey, integKey } = keys;
    addon().saInstall(slot, Int32Array.from(spec), path.bytes, encrKey, integKey, encrKey, integKey);
    this.#slots.add(slot);
    return sa;
  }

  /** Runs with this SA. */
  having(loop: Loop, run: () => void): void {
    this.install(loop);
    try {
      run();
    } finally {
      this.remove();
    }
  }

  remove(slot = SLOT): void {
    this.sas.drop(slot);
    addon().saDrop(slot);
    this.#slots.delete(slot);
  }

  /** Into the C lane, as if a source had it. */
  feed(source: number, bytes: Uint8Array): void {
    writeSync(this.#end(source), bytes);
  }

  /** What the C lane has written, packet by packet. */
  drain(source: number): Uint8Array[] {
    const packets: Uint8Array[] = [];
    const room = new Uint8Array(70_000);
    for (;;) {
      try {
        packets.push(room.slice(0, readSync(this.#end(source), room)));
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return packets;
        throw error;
      }
    }
  }

  /** Both read these from the inside, and say the same of them: how many there are. */
  read(packets: readonly Packet[]): number {
    for (const packet of packets) {
      this.feed(SOURCE.TUN, (this.uses & USE.VNET) === 0 ? packet.bytes : headed(packet));
      this.twin.inside.push(packet);
    }
    const count = this.native.read(packets.length, 1 << 20) & COUNT;
    assert.equal(this.twin.read(packets.length, 1 << 20) & COUNT, count);
    for (let d = 0; d < count * WORDS; d += WORDS) {
      const [ours, theirs] = [this.native.memory, this.twin.memory].map(({ tx, out }) => {
        const at = out[d + OUT.OFFSET] as number;
        const bytes = tx.slice(at, at + (out[d + OUT.LENGTH] as number));
        return { words: [OUT.GSO, OUT.MSS, OUT.SA, OUT.SEGMENTS].map((index) => out[d + index]), bytes };
      });
      assert.deepEqual(ours, theirs);
    }
    return count;
  }

  /** Both seal what they have read, from this sequence number on. What the C lane sent through `source` is the answer. */
  seal(count: number, seq: number, source: number): Uint8Array[] {
    let next = seq;
    for (let d = 0; d < count * WORDS; d += WORDS) {
      for (const { out } of [this.native.memory, this.twin.memory]) {
        out[d + OUT.SA] = SLOT;
        out[d + OUT.SEQ_LOW] = next | 0;
        out[d + OUT.SEQ_HIGH] = next / 2 ** 32;
      }
      next += this.twin.memory.out[d + OUT.SEGMENTS] as number;
    }
    this.sent.length = 0;
    const [, before] = carried();
    for (const lane of [this.native, this.twin]) {
      lane.seal(count);
      lane.flush();
    }
    const header = source === SOURCE.AH4 ? IPV4_HEADER : 0;
    const bytes = this.sent.reduce((sum, packet) => sum + packet.bytes.length - header, 0);
    assert.equal(carried()[1] - before, bytes);
    return this.drain(source);
  }

  /**
   * The C lane receives these from `source`, and both open them: SA and high half of the sequence number are given, and
   * so is what a socket would have told beside the bytes. Descriptors and packets must be the same.
   */
  open(datagrams: readonly Uint8Array[], source: number, beside: Beside): readonly (Uint8Array | number)[] {
    for (const bytes of datagrams) this.feed(source, bytes);
    const count = this.native.receive(source, datagrams.length) & COUNT;
    const { native, twin } = this;
    for (let i = 0; i < count; i++) {
      const { in: words, messages } = native.memory;
      const d = i * WORDS;
      words[d + IN.SA] = SLOT;
      words[d + IN.INNER] = beside.high ?? 0;
      const m = ((words[d + IN.EXTRA] as number) >>> 16) * MESSAGE_WORDS;
      if (beside.class !== undefined) messages[m + MESSAGE.CLASS] = beside.class;
      beside.addresses?.forEach((word, k) => {
        messages[m + MESSAGE.REMOTE + k] = word;
      });
    }
    this.#copy(count);
    const [before] = carried();
    for (const lane of [native, twin]) lane.open(count);
    const opened = Array.from({ length: count }, (_, i) => this.#compared(i));
    const lengths = opened.map((what, i) =>
      typeof what === 'number' ? 0 : (native.memory.in[i * WORDS + IN.LENGTH] as number),
    );
    assert.equal(
      carried()[0] - before,
      lengths.reduce((sum, length) => sum + length, 0),
    );
    return opened;
  }

  /** The twin has what the C lane has received. */
  #copy(count: number): void {
    const [from, to] = [this.native.memory, this.twin.memory];
    to.in.set(from.in.subarray(0, count * WORDS));
    to.messages.set(from.messages);
    for (let d = 0; d < count * WORDS; d += WORDS) {
      const at = (from.in[d + IN.OFFSET] as number) - OUTER;
      to.rx.set(from.rx.subarray(at, at + OUTER + (from.in[d + IN.LENGTH] as number)), at);
    }
    // A call that receives nothing starts the place for rebuilt packets anew.
    this.twin.receive(SOURCE.EVENT, 0);
  }

  #compared(i: number): Uint8Array | number {
    const d = i * WORDS;
    const [ours, theirs] = [this.native.memory, this.twin.memory].map(({ rx, in: words }) => {
      const size = words[d + IN.SIZE] as number;
      const inner = words[d + IN.INNER] as number;
      return size > 0 ? { words: words.slice(d, d + WORDS), packet: rx.slice(inner, inner + size) } : size;
    });
    assert.deepEqual(ours, theirs);
    assert.ok(ours !== undefined);
    return typeof ours === 'number' ? ours : ours.packet;
  }

  #end(source: number): number {
    const pair = this.#pairs[source];
    assert.ok(pair);
    return pair[1];
  }
}

/** Bytes that the SA has opened and sealed. */
function carried(): readonly [number, number] {
  const both = addon().saCarried(SLOT);
  assert.ok(both);
  return both;
}

/** Runs with both lanes, and ends them. */
export function withBoth(options: BothOptions, run: (both: Both) => void): void {
  const both = new Both(options);
  try {
    run(both);
  } finally {
    both.close();
  }
}

/** As the device gives it, with a virtio header in front. */
function headed({ bytes, gso, mss }: Packet): Uint8Array {
  const packet = new Uint8Array(VNET + bytes.length);
  packet.set(bytes, VNET);
  packet[1] = gso === GSO.TCP && (bytes[0] as number) >> 4 === 6 ? TCP6 : TYPES[gso as keyof typeof TYPES];
  new DataView(packet.buffer).setUint16(4, mss, true);
  return packet;
}
