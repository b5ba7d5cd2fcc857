// Finding payloads in a message, and making the small ones.

import { WireError } from '../../bytes/error.ts';
import type { Reason } from '../reason.ts';
import { isErrorNotify, NOTIFY } from '../wire/constants.ts';
import type { Payload, Tag } from '../wire/payload.ts';

type Member<P, T> = P extends { readonly tag: infer U } ? (T extends U ? P : never) : never;
type Of<T extends Tag> = Member<Payload, T>;

/** The only payload of its type; more than one is malformed. */
export function find<T extends Tag>(payloads: readonly Payload[], tag: T): Of<T> | undefined {
  let found: Of<T> | undefined;
  for (const payload of payloads) {
    if (!is(payload, tag)) continue;
    if (found) throw new WireError('duplicate', 0);
    found = payload;
  }
  return found;
}

function is<T extends Tag>(payload: Payload, tag: T): payload is Of<T> {
  return payload.tag === tag;
}

/** Like `find`, where the message makes no sense without it. */
export function need<T extends Tag>(payloads: readonly Payload[], tag: T): Of<T> {
  const found = find(payloads, tag);
  if (!found) throw new WireError('missing', 0);
  return found;
}

export function notifies(payloads: readonly Payload[], kind: number): Of<'N'>[] {
  return payloads.filter((payload): payload is Of<'N'> => payload.tag === 'N' && payload.kind === kind);
}

export function has(payloads: readonly Payload[], kind: number): boolean {
  return payloads.some((payload) => payload.tag === 'N' && payload.kind === kind);
}

export function errorNotify(payloads: readonly Payload[]): Of<'N'> | undefined {
  return payloads.find((payload): payload is Of<'N'> => payload.tag === 'N' && isErrorNotify(payload.kind));
}

export function notify(kind: number, data: Uint8Array = new Uint8Array(0)): Of<'N'> {
  return { tag: 'N', protocol: 0, spi: new Uint8Array(0), kind, data };
}

/** INVALID_KE_PAYLOAD with the group that is wanted (RFC 7296 §1.2). */
export function wantGroup(group: number): Of<'N'> {
  return notify(NOTIFY.INVALID_KE_PAYLOAD, Uint8Array.of(group >> 8, group & 0xff));
}

/** The group that an INVALID_KE_PAYLOAD asks for. */
export function wantedGroup(payload: Of<'N'>): number | undefined {
  const [high, low] = payload.data;
  return payload.data.length === 2 && high !== undefined && low !== undefined ? (high << 8) | low : undefined;
}

/** RFC 7296 §2.5, §2.21: a response that cannot be understood ends the IKE SA. */
export function fatal(payloads: readonly Payload[]): Reason | undefined {
  for (const payload of payloads) {
    if (payload.tag === 'unknown' && payload.critical) {
      return {
        code: 'unsupported-critical',
        text: `the peer's answer needs payload type ${payload.id}, which is not known here`,
        by: 'us',
      };
    }
    if (payload.tag === 'N' && payload.kind === NOTIFY.INVALID_SYNTAX) {
      return { code: 'syntax', text: 'the peer calls our message malformed', by: 'peer', notify: 'INVALID_SYNTAX' };
    }
  }
  return undefined;
}
