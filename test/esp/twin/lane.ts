// The lane in TypeScript, on the same memory as native/lane.c and with the same descriptors: what the C one is compared
// with, and what carries packets in tests of all that stands above a lane. It is plain and slow. It writes what it
// receives packet by packet, where the C lane may join.

import type { Random } from '../../../src/crypto/types.ts';
import {
  DRAINED,
  FAILED,
  IN,
  type Lane,
  laneMemory,
  MESSAGE,
  MESSAGE_WORDS,
  OUT,
  READY_ERRORS,
  SA,
  SA_NONE,
  SOURCE,
  SOURCES,
  TO_WORKER,
  USE,
  USE_ALL,
  WORDS,
} from '../../../src/esp/layout.ts';
import { view } from './ip.ts';
import { joinable } from './join.ts';
import type { Datagram, Mail, Packet } from './mail.ts';
import { opened } from './open.ts';
import { CELL, describe, HEADROOM, REBUILT_AT, RX_STRIDE, VNET } from './places.ts';
import type { Context, TwinSas } from './sas.ts';
import { type Sealed, sealed } from './seal.ts';
import { segments } from './split.ts';

const TWO32 = 2 ** 32;
const KEEPALIVE = 0xff;
/** SPI and sequence number. */
const ESP_HEADER = 8;
/** AH has them further on (RFC 4302 §2). */
const AH_SHIFT = 4;

/** An ESP packet on its way out. */
export interface Sent extends Sealed {
  readonly slot: number;
  readonly udp: boolean;
  /** As net/native.ts lays it out. */
  readonly path: Uint8Array;
}

export interface TwinOptions {
  readonly sas: TwinSas;
  readonly random: Random;
  readonly mail: Mail;
  readonly index?: number;
  readonly workers?: number;
  readonly uses?: number;
}

export class TwinLane implements Lane {
  readonly memory = laneMemory();
  /** What waits at each source; a test fills them. */
  readonly inside: Packet[] = [];
  readonly outside: readonly Datagram[][] = Array.from({ length: SOURCES }, () => []);
  readonly complaints: Int32Array[] = [];
  onSend: (sent: Sent) => void = () => {};
  /** A packet for the inside. */
  onWrite: (packet: Uint8Array) => void = () => {};
  readonly #options: Required<TwinOptions>;
  #sending: Sent[] = [];
  #rebuilt = 0;

  constructor(options: TwinOptions) {
    this.#options = { index: 0, workers: 1, uses: USE_ALL, ...options };
  }

  wait(): number {
    const { mail, index } = this.#options;
    let ready = this.complaints.length > 0 ? READY_ERRORS : 0;
    if (this.inside.length > 0) ready |= 1 << SOURCE.TUN;
    if (mail.has(index)) ready |= 1 << SOURCE.EVENT;
    for (const [source, waiting] of this.outside.entries()) if (waiting.length > 0) ready |= 1 << source;
    return ready;
  }

  read(max: number, bytes: number): number {
    let count = 0;
    let at = 0;
    let total = 0;
    while (count < max && total < bytes && this.inside.length > 0) {
      const packet = this.inside.shift() as Packet;
      if (!this.#hold(count, at, packet)) continue;
      total += packet.bytes.length;
      at += Math.ceil((packet.bytes.length + 2 * CELL) / CELL) * CELL;
      count++;
    }
    return this.inside.length === 0 ? count | DRAINED : count;
  }

  /** False where it cannot be cut. */
  #hold(n: number, at: number, { bytes, gso, mss }: Packet): boolean {
    const count = segments(bytes, gso, mss).length;
    if (count === 0) return false;
    const { tx, out } = this.memory;
    const offset = at + CELL;
    tx.set(bytes, offset);
    const d = n * WORDS;
    out[d + OUT.OFFSET] = offset;
    out[d + OUT.LENGTH] = bytes.length;
    out[d + OUT.GSO] = gso;
    out[d + OUT.MSS] = mss;
    out[d + OUT.SA] = SA_NONE;
    out[d + OUT.SEGMENTS] = count;
    return true;
  }

  seal(count: number): void {
    const { tx, out } = this.memory;
    const { sas, random, mail } = this.#options;
    for (let d = 0; d < count * WORDS; d += WORDS) {
      const word = (index: number) => out[d + index] as number;
      const slot = word(OUT.SA);
      const at = word(OUT.OFFSET);
      const bytes = tx.slice(at, at + word(OUT.LENGTH));
      const [gso, mss] = [word(OUT.GSO), word(OUT.MSS)];
      if (slot <= TO_WORKER) mail.put(TO_WORKER - slot, { plain: { bytes, gso, mss } });
      const context = slot < 0 ? undefined : sas.out(slot);
      if (!context) continue;
      const seq = (word(OUT.SEQ_HIGH) >>> 0) * TWO32 + (word(OUT.SEQ_LOW) >>> 0);
      const { path, flags } = context;
      for (const one of sealed(context, bytes, gso, mss, seq, random)) {
        this.#sending.push({ ...one, slot, path, udp: (flags & SA.UDP) !== 0 });
      }
    }
  }

  flush(): void {
    const sending = this.#sending;
    this.#sending = [];
    for (const sent of sending) this.onSend(sent);
  }

  receive(source: number, max: number): number {
    const waiting = this.outside[source] ?? [];
    const udp = source === SOURCE.UDP4 || source === SOURCE.UDP6;
    const shift = source === SOURCE.AH4 || source === SOURCE.AH6 ? AH_SHIFT : 0;
    this.#rebuilt = 0;
    let n = 0;
    for (const [i, datagram] of waiting.splice(0, max).entries()) {
      const base = i * RX_STRIDE + HEADROOM;
      this.memory.rx.set(datagram.bytes, base);
      if (datagram.outer) this.memory.rx.set(datagram.outer, base - datagram.outer.length);
      describe(this.memory.messages, i, datagram, udp);
      const { length } = datagram.bytes;
      const segment = datagram.segment ?? length;
      // An empty datagram is one all the same.
      let at = 0;
      do {
        const size = Math.min(segment, length - at);
        if (!udp || this.#mine(datagram, at, size)) this.#add(n++, i, base + at, size, shift);
        at += size;
      } while (at < length);
    }
    return waiting.length === 0 ? n | DRAINED : n;
  }

  #mine(datagram: Datagram, at: number, size: number): boolean {
    const { index, workers, mail } = this.#options;
    const bytes = datagram.bytes.slice(at, at + size);
    if (size === 1 && bytes[0] === KEEPALIVE) return false;
    if (size < ESP_HEADER) return true;
    const spi = view(bytes).getUint32(0);
    if (spi !== 0 && spi % workers === index) return true;
    const { segment: _, ...single } = { ...datagram, bytes };
    if (spi === 0) mail.onIke(single);
    else mail.put(spi % workers, { esp: single });
    return false;
  }

  #add(n: number, message: number, at: number, size: number, shift = 0): void {
    const { rx, in: words } = this.memory;
    const fields = view(rx);
    const d = n * WORDS;
    const from = size < ESP_HEADER + shift ? at : at + shift;
    words[d + IN.OFFSET] = at;
    words[d + IN.LENGTH] = size;
    words[d + IN.SPI] = size < ESP_HEADER ? 0 : fields.getInt32(from);
    words[d + IN.SEQ] = size < ESP_HEADER ? 0 : fields.getInt32(from + 4);
    words[d + IN.SA] = SA_NONE;
    words[d + IN.EXTRA] = message << 16;
  }

  collect(max: number): number {
    const { mail, index } = this.#options;
    this.#rebuilt = 0;
    let esp = 0;
    let plain = 0;
    let at = 0;
    for (let i = 0; i < max; i++) {
      const letter = mail.take(index);
      if (!letter) break;
      if ('esp' in letter) {
        const base = i * RX_STRIDE + HEADROOM;
        this.memory.rx.set(letter.esp.bytes, base);
        describe(this.memory.messages, i, letter.esp, true);
        this.#add(esp++, i, base, letter.esp.bytes.length);
      } else if (this.#hold(plain, at, letter.plain)) {
        plain++;
        at += Math.ceil((letter.plain.bytes.length + 2 * CELL) / CELL) * CELL;
      }
    }
    return esp | (plain << 16);
  }

  open(count: number): void {
    const { in: words } = this.memory;
    for (let d = 0; d < count * WORDS; d += WORDS) {
      const slot = words[d + IN.SA] as number;
      if (slot < 0) continue;
      words[d + IN.EXTRA] = (words[d + IN.EXTRA] as number) & ~0xffff;
      const context = this.#options.sas.in(slot);
      words[d + IN.SIZE] = context ? this.#open(context, d) : FAILED.BAD_ICV;
    }
  }

  #open(context: Context, d: number): number {
    const { in: words, rx, messages } = this.memory;
    const word = (index: number) => words[d + index] as number;
    const at = word(IN.OFFSET);
    const first = (word(IN.EXTRA) >>> 16) * MESSAGE_WORDS;
    const message = messages.subarray(first, first + MESSAGE_WORDS);
    const inside = opened(context, {
      bytes: rx.slice(at, at + word(IN.LENGTH)),
      seq: (word(IN.INNER) >>> 0) * TWO32 + (word(IN.SEQ) >>> 0),
      outer: rx.slice(at - ((message[MESSAGE.HOPS] as number) >> 8), at),
      message,
    });
    if (typeof inside === 'number') return inside;
    const { packet, moved } = inside;
    const inPlace = 'mac' in context.by ? (rx[at + 1] as number) * 4 + 8 : ESP_HEADER + context.by.protection.ivSize;
    const place = moved ? REBUILT_AT + this.#rebuilt + VNET : at + inPlace;
    if (moved) this.#rebuilt += Math.ceil((packet.length + VNET) / CELL) * CELL;
    rx.set(packet, place);
    words[d + IN.INNER] = place;
    words[d + IN.EXTRA] = word(IN.EXTRA) | joinable(packet, (this.#options.uses & USE.USO) !== 0);
    return packet.length;
  }

  deliver(count: number): void {
    const { in: words, rx } = this.memory;
    for (let d = 0; d < count * WORDS; d += WORDS) {
      const size = words[d + IN.SIZE] as number;
      const at = words[d + IN.INNER] as number;
      if ((words[d + IN.SA] as number) >= 0 && size > 0) this.onWrite(rx.slice(at, at + size));
    }
  }

  inject(packet: Uint8Array): void {
    this.onWrite(packet.slice());
  }

  errors(): number {
    const found = this.complaints.splice(0);
    for (const [i, record] of found.entries()) this.memory.errors.set(record, i * record.length);
    return found.length;
  }

  change(slot: number, path: Uint8Array, flags: number, mss4: number, mss6: number): void {
    this.#options.sas.change(slot, path, flags, mss4, mss6);
  }
}
