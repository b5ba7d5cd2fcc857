// Packets of the inside as ESP: what native/split.c and native/frame.c make of them.

import type { Random } from '../../../src/crypto/types.ts';
import { GSO, SA } from '../../../src/esp/layout.ts';
import { sealAh } from './ah.ts';
import { ECN } from './ecn.ts';
import { NEXT_IPV4, NEXT_IPV6, seal } from './frame.ts';
import { classOf, isV4, view } from './ip.ts';
import { clamp } from './mss.ts';
import type { Context } from './sas.ts';
import { segments } from './split.ts';

const LARGEST = 0xffff;

/** What an SA's packet needs of the network beside its path. */
export interface Sealed {
  readonly bytes: Uint8Array;
  /** DSCP and ECN outside (RFC 4301 §5.1.2, RFC 6040 §4.1). */
  readonly class: number;
  /** Whether routers may not cut it (RFC 4301 §8.1). */
  readonly df: boolean;
}

/** One packet or super-packet; `seq` is the first one's number. */
export function sealed(
  context: Context,
  packet: Uint8Array,
  gso: number,
  mss: number,
  seq: number,
  random: Random,
): Sealed[] {
  const whole = packet.slice();
  const single = (gso & GSO.KIND) === GSO.NONE;
  if (single) clamp(whole, isV4(whole) ? context.mss4 : context.mss6);
  return (single ? [whole] : segments(whole, gso & GSO.KIND, mss))
    .map((each, k) => one(context, each, seq + k, (gso & GSO.WHOLE) !== 0, random))
    .filter((each) => each !== undefined);
}

function one(context: Context, packet: Uint8Array, seq: number, together: boolean, random: Random): Sealed | undefined {
  const { flags, by, spi, path } = context;
  const v4 = isV4(packet);
  const inner = classOf(packet);
  const transport = (flags & SA.TRANSPORT) !== 0;
  // In transport mode the packet's own header stays outside.
  const copied = transport ? SA.COPY_DSCP_OUT | SA.COPY_ECN | SA.COPY_DF : flags;
  const outer =
    ((copied & SA.COPY_DSCP_OUT) === 0 ? 0 : inner & ~ECN) | ((copied & SA.COPY_ECN) === 0 ? 0 : inner & ECN);
  // IPv6 counts on packets of up to 1280 bytes (RFC 2473 §7.1); what was put together again may be cut again.
  const stiff = v4 ? (view(packet).getUint16(6) & 0x4000) !== 0 : packet.length > 1280 || (flags & SA.NARROW) === 0;
  const df = !together && (copied & SA.COPY_DF) !== 0 && stiff;
  const header = v4 ? ((packet[0] as number) & 15) * 4 : 40;
  const next = transport ? (packet[v4 ? 9 : 6] as number) : v4 ? NEXT_IPV4 : NEXT_IPV6;
  const payload = transport ? packet.subarray(header) : packet;
  let bytes: Uint8Array | undefined;
  if ('mac' in by) {
    const extended = (flags & SA.ESN) !== 0;
    bytes = sealAh(by.mac, { spi, seq, extended, path, class: outer, df }, payload, next);
  } else {
    const { protection, extended } = by;
    const iv = protection.counterIv ? counter(seq, protection.ivSize) : random(protection.ivSize);
    bytes = seal(protection, spi, seq, iv, payload, next, extended);
  }
  return bytes && bytes.length <= LARGEST ? { bytes, class: outer, df } : undefined;
}

/** The sequence number makes it unique under its key. */
function counter(seq: number, size: number): Uint8Array {
  const iv = new Uint8Array(size);
  if (size === 8) view(iv).setBigUint64(0, BigInt(seq));
  return iv;
}
