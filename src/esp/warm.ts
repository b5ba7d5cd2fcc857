// The hot path before there is traffic: the engine optimises what it has seen often, and a gateway's first packets, or
// the few of a quiet one, should not pay for that they are few. Synthetic packets go through a pipeline that leads nowhere.

import { DROPS } from './drop.ts';
import {
  ERROR_WORDS,
  GSO,
  IN,
  type Lane,
  type LaneMemory,
  MESSAGE,
  MESSAGE_WORDS,
  OUT,
  SA,
  SOURCE,
  WORDS,
} from './layout.ts';
import { Pipeline } from './pipeline.ts';
import { sharedState } from './slots.ts';

const BATCH = 8;
const TURNS = 2000;
const SPI = 0x1000;
/** Packets lie so far apart. */
const CELL = 128;

/** Returns what was dropped, which should be nothing: a packet that is dropped warms nothing. */
export function warmUp(): Float64Array {
  const lane = nowhere();
  const total = new Float64Array(DROPS.length);
  const pipeline = new Pipeline({
    ...{ lane, worker: 0, shared: sharedState(1), total, seed: 1 },
    events: () => {},
    changes: () => false,
  });
  pipeline.apply({
    ...{ type: 'install', slot: 0, owner: 0, id: 1, session: 1, reqid: 1, spi: SPI, spiOut: SPI },
    ...{
      path: Uint8Array.of(4, ...new Array<number>(37).fill(0)),
      flags: SA.UDP | SA.COPY_DF,
      mtu: 1400,
      mss4: 0,
      mss6: 0,
    },
    localTs: [everything(4), everything(16)],
    remoteTs: [everything(4), everything(16)],
    replayWindow: 128,
    limits: { softBytes: 0, hardBytes: 0, softPackets: 0, hardPackets: 0 },
    lastSeq: 0xffff_ffff,
    active: true,
  });
  for (let turn = 0; turn < TURNS; turn++) {
    for (let i = 0; i < BATCH; i++) {
      lane.memory.in.set([i * CELL, CELL, SPI, turn * BATCH + i + 1, -1, 0, 0, 0], i * WORDS);
      const gso = i % 4 === 3 ? GSO.TCP : GSO.NONE;
      lane.memory.out.set([i * CELL, 100, gso, 100, -1, 0, 0, 1], i * WORDS);
    }
    pipeline.turn((1 << SOURCE.TUN) | (1 << SOURCE.UDP4), turn);
  }
  return total;
}

function everything(size: 4 | 16) {
  const [start, end] = [new Uint8Array(size), new Uint8Array(size).fill(0xff)];
  return { protocol: 0, startPort: 0, endPort: 0xffff, start, end };
}

/** Packets of both families, of UDP, TCP and ICMP, in either arena; every one of them opens. */
function nowhere(): Lane {
  const arena = BATCH * CELL;
  const words = BATCH * WORDS;
  const memory: LaneMemory = {
    ...{ tx: new Uint8Array(arena), rx: new Uint8Array(arena), out: new Int32Array(words), in: new Int32Array(words) },
    messages: new Int32Array(MESSAGE_WORDS),
    errors: new Int32Array(ERROR_WORDS),
  };
  for (const bytes of [memory.tx, memory.rx]) {
    for (let i = 0; i < BATCH; i++) {
      const v6 = i % 2 === 1;
      const protocol = i % 4 === 3 ? 6 : i === 4 ? 1 : 17;
      const header = v6 ? [0x60, 0, 0, 0, 0, 60, protocol, 64] : [0x45, 0, 0, 100, 0, 0, 0x40, 0, 64, protocol, 0, 0];
      bytes.set(header, i * CELL);
      bytes.fill(0x50, i * CELL + 12, i * CELL + 100);
    }
  }
  memory.messages[MESSAGE.KIND] = 4;
  return {
    memory,
    wait: () => 0,
    read: () => BATCH,
    seal() {},
    flush() {},
    receive: () => BATCH,
    collect: () => 0,
    open(count) {
      for (let i = 0, d = 0; i < count; i++, d += WORDS) {
        memory.in[d + IN.INNER] = memory.in[d + IN.OFFSET] as number;
        memory.in[d + IN.SIZE] = memory.out[OUT.LENGTH] as number;
      }
    },
    deliver() {},
    inject() {},
    errors: () => 0,
    change() {},
  };
}
