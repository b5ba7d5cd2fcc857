// When a request is sent again, and when it is given up (RFC 7296 §2.1 and §2.4 leave the times to us).

import type { Random } from '../crypto/types.ts';
import type { Millis, Retransmit } from './connection.ts';

/** The wait after transmission number `sent` (from 1). */
export function retransmitWait(policy: Retransmit, sent: number, random: Random): Millis {
  const wait = Math.min(policy.limit, policy.base * policy.factor ** (sent - 1));
  return policy.jitter > 0 ? wait * (1 - policy.jitter * fraction(random)) : wait;
}

/** Of a value, at random between nothing and all of it. */
export function part(value: number, random: Random): number {
  return value > 0 ? value * fraction(random) : 0;
}

function fraction(random: Random): number {
  const [a = 0, b = 0] = random(2);
  return ((a << 8) | b) / 0xffff;
}
