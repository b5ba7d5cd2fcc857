// ESP and AH from the network back to packets of the inside, with the reasons of native/frame.c and
// native/ah.c where there is none.

import { FAILED, MESSAGE, SA } from '../../../src/esp/layout.ts';
import { openAh } from './ah.ts';
import { combine, dress, ECN } from './ecn.ts';
import { fault, NEXT_IPV4, NEXT_IPV6, NEXT_NONE, open, unpad } from './frame.ts';
import { classOf, isV4, view } from './ip.ts';
import { clamp } from './mss.ts';
import { rebuilt } from './rebuild.ts';
import type { Context } from './sas.ts';

export interface Inside {
  readonly packet: Uint8Array;
  /** Made anew, so that it is not where it was decrypted. */
  readonly moved: boolean;
}

/** A packet from the network, and what is known of it beside its bytes. */
export interface Outside {
  /** From the header of ESP or AH on. */
  readonly bytes: Uint8Array;
  /** The whole sequence number. */
  readonly seq: number;
  /** The IPv4 header in front of it, where the socket gives it. */
  readonly outer: Uint8Array;
  /** The words of the datagram. */
  readonly message: Int32Array;
}

/** A number is one of `FAILED`. */
export function opened(context: Context, outside: Outside): Inside | number {
  const { flags, mss4, mss6 } = context;
  const { message } = outside;
  const found = bare(context, outside);
  if (typeof found === 'number') return found;
  const { payload, next } = found;
  if (next === NEXT_NONE) return FAILED.DUMMY;
  const transport = (flags & SA.TRANSPORT) !== 0;
  const packet = transport
    ? (rebuilt(message, payload, next, (flags & SA.NATTED) !== 0) ?? FAILED.BAD_INNER)
    : tunnelled(payload, next, flags, message);
  if (typeof packet === 'number') return packet;
  clamp(packet, isV4(packet) ? mss4 : mss6);
  return { packet, moved: transport };
}

function bare({ by, flags }: Context, { bytes, seq, outer, message }: Outside) {
  if ('mac' in by) return openAh(by.mac, bytes, seq, (flags & SA.ESN) !== 0, outer, message);
  const { protection, extended } = by;
  const wrong = fault(protection, bytes);
  if (wrong !== undefined) return wrong === 'short' ? FAILED.SHORT : FAILED.MISALIGNED;
  const plain = open(protection, bytes, seq, extended);
  if (plain === undefined) return FAILED.BAD_ICV;
  const text = unpad(plain);
  return text === 'bad-padding' ? FAILED.BAD_PADDING : { payload: text.payload, next: text.nextHeader };
}

function tunnelled(payload: Uint8Array, next: number, flags: number, message: Int32Array): Uint8Array | number {
  if (next !== NEXT_IPV4 && next !== NEXT_IPV6) return FAILED.BAD_NEXT;
  const length = lengthOf(payload, next);
  if (length === undefined || length > payload.length) return FAILED.BAD_INNER;
  const packet = payload.slice(0, length);
  const outer = message[MESSAGE.CLASS] as number;
  const inner = classOf(packet);
  const ecn = (flags & SA.COPY_ECN) === 0 ? inner & ECN : combine(inner, outer);
  if (ecn === undefined) return FAILED.ECN;
  dress(packet, (((flags & SA.COPY_DSCP_IN) === 0 ? inner : outer) & ~ECN & 0xff) | ecn);
  return packet;
}

/** What the packet says of itself; undefined where it is none of this version. TFC padding follows (RFC 4303 §2.7). */
function lengthOf(payload: Uint8Array, next: number): number | undefined {
  const least = next === NEXT_IPV4 ? 20 : 40;
  const fields = view(payload);
  if (payload.length < least || fields.getUint8(0) >> 4 !== (next === NEXT_IPV4 ? 4 : 6)) return undefined;
  if (next === NEXT_IPV6) return 40 + fields.getUint16(4);
  const header = (fields.getUint8(0) & 15) * 4;
  const length = fields.getUint16(2);
  return header >= 20 && length >= header ? length : undefined;
}
