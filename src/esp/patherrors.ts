// What routers say of packets that were too big for them (RFC 1191, RFC 8201, RFC 4301 §8.2): believed only where it
// quotes an SA of ours, on its way to its peer. Whoever cannot see our traffic does not know the SPI. And what they say
// of IKE that went by the same sockets, which is for others to judge.

import type { Millis } from '../ike/connection.ts';
import { Bucket } from './bucket.ts';
import type { Install, SaEvent } from './change.ts';
import { ERROR, ERROR_WORDS, SOURCE } from './layout.ts';

/** struct sock_extended_err, ee_origin. */
const ORIGIN = { LOCAL: 1, ICMP: 2, ICMP6: 3 } as const;
const FRAGMENTATION_NEEDED = (3 << 8) | 4;
const PACKET_TOO_BIG = 2 << 8;
/** RFC 791 and RFC 8200 §5: what every path carries. */
const LEAST = { 4: 576, 6: 1280 } as const;
/** Errors looked at in a second, and at once. */
const RATE = { rate: 50, burst: 50 };

export class PathErrors {
  /** Peers choose their SPIs by themselves: two may choose the same. */
  readonly #bySpi = new Map<number, Install[]>();
  readonly #emit: (event: SaEvent) => void;
  readonly #rate = new Bucket(RATE.rate, RATE.burst);
  /** Anybody can forge what looks like IKE: sizes must not wait for it. */
  readonly #ikeRate = new Bucket(RATE.rate, RATE.burst);

  constructor(emit: (event: SaEvent) => void) {
    this.#emit = emit;
  }

  /** Also when the SA's path changes. */
  add(sa: Install): void {
    const others = this.#bySpi.get(sa.spiOut | 0)?.filter(({ slot }) => slot !== sa.slot) ?? [];
    this.#bySpi.set(sa.spiOut | 0, [...others, sa]);
  }

  remove(sa: Install): void {
    const others = this.#bySpi.get(sa.spiOut | 0)?.filter(({ slot }) => slot !== sa.slot) ?? [];
    if (others.length > 0) this.#bySpi.set(sa.spiOut | 0, others);
    else this.#bySpi.delete(sa.spiOut | 0);
  }

  /** Our own kernel quotes nothing: then it is any SA of that peer, whose others share its path. */
  #meant(records: Int32Array, r: number): Install | undefined {
    const local = records[r + ERROR.ORIGIN] === ORIGIN.LOCAL;
    const quoted = this.#bySpi.get(records[r + ERROR.SPI] as number) ?? [];
    const among = local ? [...this.#bySpi.values()].flat() : quoted;
    return among.find((sa) => toPeer(records, r, sa));
  }

  take(records: Int32Array, count: number, now: Millis): void {
    for (let i = 0, r = 0; i < count; i++, r += ERROR_WORDS) {
      if (isIke(records, r)) {
        if (this.#ikeRate.take(now)) this.#emit({ kind: 'undelivered', words: records.slice(r, r + ERROR_WORDS) });
        continue;
      }
      if (!isTooBig(records, r) || !this.#rate.take(now)) continue;
      const sa = this.#meant(records, r);
      const version = records[r + ERROR.VERSION] === 4 ? 4 : 6;
      const mtu = records[r + ERROR.MTU] as number;
      if (!sa || mtu <= 0) continue;
      this.#emit({ kind: 'too-big', session: sa.session, id: sa.id, mtu: Math.max(mtu, LEAST[version]) });
    }
  }
}

function isTooBig(records: Int32Array, r: number): boolean {
  const origin = records[r + ERROR.ORIGIN];
  const type = records[r + ERROR.TYPE];
  // Our own kernel says so of the first link.
  if (origin === ORIGIN.LOCAL) return (records[r + ERROR.MTU] as number) > 0;
  return (
    (origin === ORIGIN.ICMP && type === FRAGMENTATION_NEEDED) || (origin === ORIGIN.ICMP6 && type === PACKET_TOO_BIG)
  );
}

/** RFC 3948 §2.2: it begins with four zero bytes, where ESP has an SPI; the next four must be there, or it is nobody's. */
function isIke(records: Int32Array, r: number): boolean {
  const source = records[r + ERROR.SOURCE];
  const udp = source === SOURCE.UDP4 || source === SOURCE.UDP6;
  return udp && records[r + ERROR.SPI] === 0 && records[r + ERROR.SEQ] !== 0 && !isTooBig(records, r);
}

function toPeer(records: Int32Array, r: number, { path }: Install): boolean {
  if (records[r + ERROR.VERSION] !== path[0]) return false;
  const view = new DataView(path.buffer, path.byteOffset, path.byteLength);
  const words = path[0] === 4 ? 1 : 4;
  for (let i = 0; i < words; i++) {
    if (records[r + ERROR.ADDRESS + i] !== view.getInt32(20 + 4 * i)) return false;
  }
  return true;
}
