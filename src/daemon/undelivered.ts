// IKE messages that did not arrive, as the network and our own kernel tell it: RFC 792, RFC 1812 §5.2.7, RFC 4443 §3.1.
// Only what quotes an SPI of ours counts, which nobody knows who does not see our messages; and it is only a hint.

import { concat, uint32 } from '../bytes/bytes.ts';
import { formatIp, type SocketAddress } from '../bytes/ip.ts';
import { ERROR } from '../esp/layout.ts';
import type { Trouble } from '../ike/silence.ts';
import { EACCES, EHOSTUNREACH, EINVAL, ENETUNREACH, EPERM } from '../net/error.ts';

export interface Undelivered {
  readonly kind: Trouble['kind'];
  readonly remote: SocketAddress;
  /** The first bytes of the SPI of who began the IKE SA, at least four. */
  readonly spi: Uint8Array;
}

/** struct sock_extended_err, ee_origin. */
const ICMP = 2;
const ICMP6 = 3;
const UNREACHABLE = { [ICMP]: 3, [ICMP6]: 1 } as const;
/** By code; what is not named says that there is no way to the host. */
const KINDS = {
  [ICMP]: { 3: 'closed', 4: undefined, 9: 'forbidden', 10: 'forbidden', 13: 'forbidden' },
  [ICMP6]: { 1: 'forbidden', 4: 'closed', 5: 'forbidden', 6: 'forbidden' },
} as const satisfies Record<number, Record<number, Trouble['kind'] | undefined>>;

/** A record of `ERROR` words; `marked`: the message had a non-ESP marker in front. */
export function undelivered(words: Int32Array, marked: boolean): Undelivered | undefined {
  const origin = words[ERROR.ORIGIN];
  const type = (words[ERROR.TYPE] as number) >> 8;
  if ((origin !== ICMP && origin !== ICMP6) || type !== UNREACHABLE[origin]) return undefined;
  const code = (words[ERROR.TYPE] as number) & 0xff;
  const kinds: Readonly<Record<number, Trouble['kind'] | undefined>> = KINDS[origin];
  const kind = code in kinds ? kinds[code] : 'unreachable';
  const [first, second] = [words[ERROR.SPI] as number, words[ERROR.SEQ] as number];
  const spi = marked ? uint32(second >>> 0) : concat(uint32(first >>> 0), uint32(second >>> 0));
  if (kind === undefined || spi.every((byte) => byte === 0)) return undefined;
  return { kind, remote: { ip: addressOf(words), port: words[ERROR.PORT] as number }, spi };
}

function addressOf(words: Int32Array): string {
  const count = words[ERROR.VERSION] === 4 ? 1 : 4;
  const parts = words.subarray(ERROR.ADDRESS, ERROR.ADDRESS + count);
  return formatIp(concat(...Array.from(parts, (word) => uint32(word >>> 0))));
}

const REFUSALS = new Map<number, Trouble['kind']>([
  [EPERM, 'blocked'],
  [ENETUNREACH, 'unrouted'],
  [EHOSTUNREACH, 'unreachable'],
  [EINVAL, 'unsent'],
  [EACCES, 'unsent'],
]);

/** Our own kernel did not take a message; undefined where it has no room for a moment, or tells of an earlier one. */
export function unsent(errno: number, message: Uint8Array, remote: SocketAddress): Undelivered | undefined {
  const kind = REFUSALS.get(errno);
  return kind && { kind, remote, spi: message.subarray(0, 8) };
}
