// Splitting with sealing, and opening with joining: batches through a lane whose sockets lead nowhere, so that what is
// measured is our own work and not the kernel's.

import { ENCR } from '../../src/crypto/ids.ts';
import { GSO, IN, type Lane, laneMemory, SA, SOURCES, USE_ALL, WORDS } from '../../src/esp/layout.ts';
import { openLane } from '../../src/net/lane.ts';
import { addon, Path } from '../../src/net/native.ts';
import { Table } from '../table.ts';
import { address, superSegment } from './packets.ts';

const ROUNDS = 7;
const TURNS = 200;
const SLOT = 7;
const SPI = 0x1000;
const KEY = new Uint8Array(20).fill(7);
const NOTHING = new Uint8Array(0);
/** Behind the vnet header, on a cache line of its own. */
const FIRST = 64;
/** ESP header and IV before, padding, trailer and ICV behind. */
const BEFORE = 16;
const AROUND = BEFORE + 2 + 16;

interface Kind {
  readonly name: string;
  readonly tcp: boolean;
  readonly segment: number;
  readonly segments: number;
}

const KINDS: readonly Kind[] = [
  { name: 'TCP, 45 packets of 1386 bytes', tcp: true, segment: 1346, segments: 45 },
  { name: 'TCP over IPv4, 40 packets of 542 bytes', tcp: true, segment: 502, segments: 40 },
  { name: 'UDP, 60 packets of 94 bytes', tcp: false, segment: 66, segments: 60 },
];

export async function benchLane(): Promise<void> {
  // A socket that is connected to nobody stands for the TUN device: what is written to it is refused at once.
  const fd = addon().udpOpen(4, 0, 0);
  const fds = Array.from({ length: SOURCES }, (_, i) => (i === 0 ? fd : -1));
  const lane = openLane({ index: 0, workers: 1, uses: USE_ALL, fds }, laneMemory(), new Float64Array(64));
  install();
  try {
    const table = new Table('lane: AES-128-GCM, one super-segment, ns a packet');
    for (let round = 0; round < ROUNDS; round++) {
      for (const kind of KINDS) {
        table.add(kind.name, { 'split, seal': sealing(lane, kind), 'open, join': opening(lane, kind) });
      }
    }
    table.print();
  } finally {
    lane.close();
    addon().saDrop(SLOT);
    addon().close(fd);
  }
}

function install(): void {
  const path = new Path(4);
  path.set('192.0.2.1', { ip: '192.0.2.2', port: 4500 });
  const spec = Int32Array.of(SPI, SPI, ENCR.AES_GCM_16, 128, 0, SA.UDP | SA.COPY_DF, 0, 0);
  addon().saInstall(SLOT, spec, path.bytes, KEY.slice(), NOTHING, KEY.slice(), NOTHING);
}

function sealing(lane: Lane, kind: Kind): number {
  const { tx, out } = lane.memory;
  const whole = superOf(kind, kind.segments);
  out.set([FIRST, whole.length, kind.tcp ? GSO.TCP : GSO.UDP, kind.segment, SLOT, 1, 0, kind.segments]);
  const prepare = () => tx.set(whole, FIRST);
  return timed(kind, prepare, () => {
    lane.seal(1);
    lane.flush();
  });
}

function opening(lane: Lane, kind: Kind): number {
  const { rx } = lane.memory;
  const words = lane.memory.in;
  const sealed = Array.from({ length: kind.segments }, (_, i) => sealedOf(kind, i));
  const train = Buffer.concat(sealed);
  const size = sealed[0]?.length ?? 0;
  const prepare = () => {
    rx.set(train, FIRST);
    for (let i = 0; i < kind.segments; i++) words.set([FIRST + i * size, size, SPI, i + 1, SLOT, 0, 0, 0], i * WORDS);
  };
  prepare();
  lane.open(kind.segments);
  if ((words[IN.SIZE] as number) <= 0) throw new Error('what was sealed does not open');
  return timed(kind, prepare, () => {
    lane.open(kind.segments);
    lane.deliver(kind.segments);
  });
}

/** What the preparation costs is measured alone, and taken off. */
function timed({ segments }: Kind, prepare: () => void, act: () => void): number {
  const of = (work: () => void) => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < TURNS; i++) work();
    return Number(process.hrtime.bigint() - start);
  };
  const both = of(() => {
    prepare();
    act();
  });
  return (both - of(prepare)) / (TURNS * segments);
}

/** `count` packets' worth of payload, the first of them starting at `from`. */
function superOf({ tcp, segment }: Kind, count: number, from = 0): Uint8Array {
  return superSegment(address('10.1.0.2'), address('10.2.0.2'), tcp, segment * count, segment * from);
}

/** As the lane would have sealed packet `index`. */
function sealedOf(kind: Kind, index: number): Uint8Array {
  const inner = superOf(kind, 1, index);
  const padding = (4 - ((inner.length + 2) % 4)) % 4;
  const size = inner.length + padding + 2;
  const packet = new Uint8Array(size + AROUND - 2);
  const view = new DataView(packet.buffer);
  view.setUint32(0, SPI);
  view.setUint32(4, index + 1);
  packet.set(inner, BEFORE);
  for (let i = 1; i <= padding; i++) packet[BEFORE + inner.length + i - 1] = i;
  packet[BEFORE + size - 2] = padding;
  packet[BEFORE + size - 1] = 4;
  const cipher = addon().cipherNew(Int32Array.of(ENCR.AES_GCM_16, 128, 0, 0, 1, 0), KEY, NOTHING);
  if (!cipher || !addon().cipherSeal(cipher, packet, BEFORE, size, 0, index + 1)) throw new Error('it does not seal');
  return packet;
}
