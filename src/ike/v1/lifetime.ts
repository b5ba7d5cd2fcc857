// Lifetimes: each side says its own, and the shorter counts (RFC 2407 §4.5.4, §4.6.3.1).

import { WireError } from '../../bytes/error.ts';
import { Reader } from '../../bytes/reader.ts';
import type { Lifetime } from '../connection.ts';
import { type Life, lifeOf } from './attributes.ts';
import { all, notify } from './payloads.ts';
import { lifeAttributes } from './quickproposal.ts';
import { IKE_ATTRIBUTE, NOTIFY, PROTOCOL, SA_ATTRIBUTE } from './wire/constants.ts';
import type { Chain, Payload } from './wire/payload.ts';
import { decodeAttributes, encodeAttributes } from './wire/sa.ts';

/** Of a limit that the peer cuts short: when it is time to renew. */
export const SOFT = 0.9;
const KILO = 1024;

export function lifeOfChild({ lifeTime, lifeBytes }: Lifetime): Life {
  return { seconds: Math.ceil(lifeTime / 1000), kilobytes: Math.ceil(lifeBytes / KILO) };
}

export const NO_LIFE: Life = { seconds: 0, kilobytes: 0 };

/** Zero is no limit. */
export function shorter(a: Life, b: Life): Life {
  const least = (x: number, y: number) => (x > 0 && y > 0 ? Math.min(x, y) : Math.max(x, y));
  return { seconds: least(a.seconds, b.seconds), kilobytes: least(a.kilobytes, b.kilobytes) };
}

export function isShorter(a: Life, b: Life): boolean {
  const less = (x: number, y: number) => x > 0 && (y === 0 || x < y);
  return less(a.seconds, b.seconds) || less(a.kilobytes, b.kilobytes);
}

/** As configured, but no longer than agreed. */
export function agreedLifetime(own: Lifetime, { seconds, kilobytes }: Life): Lifetime {
  const time = cut(own.rekeyTime, own.lifeTime, own.randTime, seconds * 1000);
  const bytes = cut(own.rekeyBytes, own.lifeBytes, own.randBytes, kilobytes * KILO);
  return {
    ...own,
    rekeyTime: time.soft,
    lifeTime: time.hard,
    randTime: time.random,
    rekeyBytes: bytes.soft,
    lifeBytes: bytes.hard,
    randBytes: bytes.random,
  };
}

function cut(soft: number, hard: number, random: number, agreed: number) {
  if (agreed === 0 || (hard > 0 && hard <= agreed)) return { soft, hard, random };
  const early = Math.min(soft > 0 ? soft : Number.POSITIVE_INFINITY, Math.floor(agreed * SOFT));
  return { soft: early, hard: agreed, random: Math.min(random, Math.floor(early / 2)) };
}

/** RESPONDER-LIFETIME, for an initiator who asked for a longer one. */
export function responderLifetime(protocol: number, spi: Uint8Array, life: Life): Payload {
  return notify(NOTIFY.RESPONDER_LIFETIME, protocol, spi, encodeAttributes(lifeAttributes(life)));
}

/** The same read; what cannot be read says nothing. */
export function responderLife(chain: Chain): Life {
  let life = NO_LIFE;
  for (const { payload } of all(chain, 'N')) {
    if (payload.kind === NOTIFY.RESPONDER_LIFETIME) life = shorter(life, readLife(payload.data, payload.protocol));
  }
  return life;
}

/** The attributes have the numbers of the phase that is meant (RFC 2407 §4.5, RFC 2409 appendix A). */
function readLife(data: Uint8Array, protocol: number): Life {
  const numbers = protocol === PROTOCOL.ISAKMP ? IKE_ATTRIBUTE : SA_ATTRIBUTE;
  try {
    return lifeOf(decodeAttributes(new Reader(data)), numbers.LIFE_TYPE, numbers.LIFE_DURATION);
  } catch (error) {
    if (error instanceof WireError) return NO_LIFE;
    throw error;
  }
}
