// Finding payloads in a chain, and making the small ones.

import { concat, readUint32 } from '../../bytes/bytes.ts';
import { WireError } from '../../bytes/error.ts';
import { isErrorNotify } from './wire/constants.ts';
import { parseChain } from './wire/message.ts';
import type { Chain, Payload, Tag } from './wire/payload.ts';

type Member<P, T> = P extends { readonly tag: infer U } ? (T extends U ? P : never) : never;
type Of<T extends Tag> = Member<Payload, T>;

export interface Found<T extends Tag> {
  readonly payload: Of<T>;
  /** Without the generic header: what hashes cover. */
  readonly body: Uint8Array;
}

const GENERIC_SIZE = 4;

export function all<T extends Tag>({ payloads, raw }: Chain, tag: T): Found<T>[] {
  return payloads.flatMap((payload, i) =>
    is(payload, tag) ? [{ payload, body: (raw[i] as Uint8Array).subarray(GENERIC_SIZE) }] : [],
  );
}

function is<T extends Tag>(payload: Payload, tag: T): payload is Of<T> {
  return payload.tag === tag;
}

/** The only payload of its type; more than one is malformed. */
export function find<T extends Tag>(chain: Chain, tag: T): Found<T> | undefined {
  const [found, second] = all(chain, tag);
  if (second) throw new WireError('duplicate', 0);
  return found;
}

/** Like `find`, where the message makes no sense without it. */
export function need<T extends Tag>(chain: Chain, tag: T): Found<T> {
  const found = find(chain, tag);
  if (!found) throw new WireError('missing', 0);
  return found;
}

/** Of a message that has proven itself: undefined where it is missing or doubled, and no better one will come. */
export function only<T extends Tag>(chain: Chain, tag: T): Found<T> | undefined {
  const [found, second] = all(chain, tag);
  return second ? undefined : found;
}

/** What was decrypted with the wrong key or IV looks like nothing. */
export function readable(first: number, plain: Uint8Array): Chain | undefined {
  try {
    return parseChain(first, plain, { padded: true });
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

/** All but the HASH, which covers them. RFC 2409 has it first; some devices put a notify before it. */
export function hashed({ payloads, raw }: Chain): Uint8Array {
  return concat(...raw.filter((_, i) => payloads[i]?.tag !== 'HASH'));
}

export function errorNotify({ payloads }: Chain): Of<'N'> | undefined {
  return payloads.find((payload): payload is Of<'N'> => payload.tag === 'N' && isErrorNotify(payload.kind));
}

export function notifies({ payloads }: Chain, kind: number): Of<'N'>[] {
  return payloads.filter((payload): payload is Of<'N'> => payload.tag === 'N' && payload.kind === kind);
}

export function notify(kind: number, protocol: number, spi: Uint8Array, data: Uint8Array = new Uint8Array(0)): Of<'N'> {
  return { tag: 'N', protocol, spi, kind, data };
}

export function readNumber(bytes: Uint8Array): number | undefined {
  return bytes.length === 4 ? readUint32(bytes) : undefined;
}
