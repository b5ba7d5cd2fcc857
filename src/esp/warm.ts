// The hot path before there is traffic: the engine optimises what it has seen often, and a gateway's first packets, or
// the few of a quiet one, should not pay for that they are few. Synthetic packets go through a pipeline that leads nowhere.
// What they show the engine must be what it sees later, in kind and in shape: optimised code that meets something new is
// thrown away, and all is as slow as if nothing had been warmed.

import type { Selector } from '../ike/wire/ts.ts';
import { DROPS, type Drop } from './drop.ts';
import {
  ERROR_WORDS,
  FAILED,
  GSO,
  IN,
  type Lane,
  type LaneMemory,
  MESSAGE,
  MESSAGE_WORDS,
  SA,
  SA_NONE,
  SOURCE,
  WORDS,
} from './layout.ts';
import { Pipeline } from './pipeline.ts';
import { sharedState } from './slots.ts';

const TURNS = 4000;
const SPI = 0x1000;
const SLOTS = 3;
/** Packets lie so far apart. */
const CELL = 128;
const LENGTH = 100;

const UDP = 17;
const TCP = 6;
const ICMP = 1;
const ICMP6 = 58;
const HOP_BY_HOP = 0;

interface Packet {
  readonly version: 4 | 6;
  readonly protocol: number;
  /** Of a net that no SA is for. */
  readonly stray?: true;
  readonly gso?: true;
  /** From the network: what becomes of it where it does not go through. */
  readonly failed?: Drop;
}

/** What a quiet gateway sees: both families, some super-packets, and some that go no further. */
const PACKETS: readonly Packet[] = [
  { version: 4, protocol: UDP },
  { version: 6, protocol: TCP, gso: true },
  { version: 4, protocol: ICMP },
  { version: 6, protocol: UDP },
  { version: 4, protocol: TCP },
  { version: 6, protocol: ICMP6 },
  { version: 4, protocol: TCP, gso: true },
  { version: 4, protocol: UDP, failed: 'replay' },
  { version: 4, protocol: UDP, failed: 'bad-icv' },
  { version: 6, protocol: UDP, failed: 'unknown-spi' },
  { version: 4, protocol: UDP, stray: true },
  { version: 6, protocol: HOP_BY_HOP, stray: true },
];
const BATCH = PACKETS.length;

/** Returns what was dropped. Two take turns: of what is the same in all that it has seen the engine makes a constant. */
export function warmUp(): Float64Array {
  const total = new Float64Array(DROPS.length);
  const pairs = [nowhere(), nowhere()].map((lane) => ({ lane, pipeline: idle(lane, total) }));
  for (let turn = 0; turn < TURNS; turn++) {
    const { lane, pipeline } = pairs[turn % pairs.length] as (typeof pairs)[0];
    for (let i = 0; i < BATCH; i++) describe(lane.memory, i, (turn >> 1) * BATCH);
    // The clock has fractions.
    pipeline.turn((1 << SOURCE.TUN) | (1 << SOURCE.UDP4), turn + 0.5);
  }
  return total;
}

function idle(lane: Lane, total: Float64Array): Pipeline {
  const shared = sharedState(SLOTS);
  const pipeline = new Pipeline({ lane, worker: 0, shared, total, seed: 1, events: () => {}, changes: () => false });
  for (let slot = 0; slot < SLOTS; slot++) install(pipeline, slot);
  return pipeline;
}

/** One packet of either direction; those from the network have numbers above `seq`. */
function describe(memory: LaneMemory, i: number, seq: number): void {
  const { failed, gso, protocol } = PACKETS[i] as Packet;
  const spi = failed === 'unknown-spi' ? 1 << 30 : SPI + (i % SLOTS);
  const number = failed === 'replay' ? Math.max(0, seq - BATCH + i + 1 - SLOTS) : seq + i + 1;
  memory.in.set([i * CELL, CELL, spi, number, SA_NONE, 0, 0, 0], i * WORDS);
  const kind = gso ? GSO.TCP : GSO.NONE;
  memory.out.set([i * CELL, LENGTH, kind, protocol === UDP ? 0 : LENGTH, SA_NONE, 0, 0, 1], i * WORDS);
}

/** Selectors of several kinds, so that there is something to look for. */
function install(pipeline: Pipeline, slot: number): void {
  const protocol = slot === 1 ? TCP : 0;
  const net = (version: 4 | 6, second: number) => selector(version, second, slot === 2, protocol);
  pipeline.apply({
    ...{ type: 'install', slot, owner: 0, id: slot + 1, session: 1, reqid: slot + 1, spi: SPI + slot, spiOut: SPI },
    ...{
      path: Uint8Array.of(4, ...new Array<number>(37).fill(0)),
      flags: SA.UDP | SA.COPY_DF,
      mtu: 1400,
      mss4: 0,
      mss6: 0,
    },
    localTs: [net(4, 1), net(6, 1)],
    remoteTs: [net(4, 2), net(6, 2)],
    replayWindow: 128,
    limits: { softBytes: 0, hardBytes: 0, softPackets: 0, hardPackets: 0 },
    lastSeq: 0xffff_ffff,
    active: true,
  });
}

/** 10.second.0.0/16, or the IPv6 net that begins with the same octets; or the lower half of it. */
function selector(version: 4 | 6, second: number, half: boolean, protocol: number): Selector {
  const size = version === 4 ? 4 : 16;
  const start = new Uint8Array(size);
  const end = new Uint8Array(size).fill(0xff);
  start.set([10, second]);
  end.set([10, second]);
  if (half) end[2] = 0x7f;
  return { protocol, startPort: 0, endPort: 0xffff, start, end };
}

/** All lanes come from here: what the engine has made for the shape of one is right for the others. */
export function shaped(lane: Lane): Lane {
  const { memory, wait, read, seal, flush, receive, collect, open, deliver, inject, errors, change } = lane;
  return { memory, wait, read, seal, flush, receive, collect, open, deliver, inject, errors, change };
}

function nowhere(): Lane {
  const arena = BATCH * CELL;
  const words = BATCH * WORDS;
  const memory: LaneMemory = {
    ...{ tx: new Uint8Array(arena), rx: new Uint8Array(arena), out: new Int32Array(words), in: new Int32Array(words) },
    messages: new Int32Array(MESSAGE_WORDS),
    errors: new Int32Array(ERROR_WORDS),
  };
  for (const [i, packet] of PACKETS.entries()) {
    memory.tx.set(written(packet, 1, 2), i * CELL);
    memory.rx.set(written(packet, 2, 1), i * CELL);
  }
  memory.messages[MESSAGE.KIND] = 4;
  return shaped({
    memory,
    wait: () => 0,
    read: () => BATCH,
    seal() {},
    flush() {},
    receive: () => BATCH,
    collect: () => 0,
    open(count) {
      for (let i = 0, d = 0; i < count; i++, d += WORDS) {
        const { failed } = PACKETS[i] as Packet;
        memory.in[d + IN.INNER] = memory.in[d + IN.OFFSET] as number;
        memory.in[d + IN.SIZE] = failed === 'bad-icv' ? FAILED.BAD_ICV : LENGTH;
      }
    },
    deliver() {},
    inject() {},
    errors: () => 0,
    change() {},
  });
}

/** From one net to the other. */
function written({ version, protocol, stray }: Packet, from: number, to: number): Uint8Array {
  const bytes = new Uint8Array(LENGTH);
  const [first, size, at] = version === 4 ? [0x45, 4, 12] : [0x60, 16, 8];
  const header =
    version === 4 ? [first, 0, 0, LENGTH, 0, 0, 0x40, 0, 64, protocol] : [first, 0, 0, 0, 0, 60, protocol, 64];
  bytes.set(header);
  bytes.set([stray ? 11 : 10, from], at);
  bytes.set([stray ? 11 : 10, to], at + size);
  if (protocol === HOP_BY_HOP) bytes.set([ICMP6, 0, 5, 2, 0, 0, 1, 0], at + 2 * size);
  return bytes;
}
