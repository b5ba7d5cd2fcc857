// How a request names a child: by protocol and SPI, in Delete and in REKEY_SA (RFC 7296 §1.3.3, §3.11).

import { readUint32 } from '../../bytes/bytes.ts';
import type { ChildState } from '../state.ts';
import { NOTIFY, PROTOCOL, protocolId } from '../wire/constants.ts';
import type { Payload } from '../wire/payload.ts';
import type { SessionState } from './state.ts';

const SPI_SIZE = 4;

/** The SPI is the one that the peer receives with: those that we send to. */
interface SaName {
  readonly protocol: number;
  readonly spi: number;
}

/** The children that a payload of a request is about. */
export function namedSas(payload: Payload): SaName[] {
  if (payload.tag === 'D') {
    const { protocol, spis } = payload;
    return spis.map((spi) => ({ protocol, spi: readUint32(spi) }));
  }
  return payload.tag === 'N' && payload.kind === NOTIFY.REKEY_SA ? rekeyedSa(payload) : [];
}

function rekeyedSa({ protocol, spi }: Extract<Payload, { tag: 'N' }>): SaName[] {
  const known = (protocol === PROTOCOL.ESP || protocol === PROTOCOL.AH) && spi.length === SPI_SIZE;
  return known ? [{ protocol, spi: readUint32(spi) }] : [];
}

/**
 * The peer rekeys or closes a child that our own request is making: the answer was lost, or its key exchange is still
 * being computed. Until it is there we could only deny the child; the peer will send its request again.
 */
export function isEarly({ task, children }: SessionState, payloads: readonly Payload[]): boolean {
  if (task?.kind !== 'create' || !task.asked) return false;
  return payloads.flatMap(namedSas).some((name) => !children.some((child) => isNamed(child, name)));
}

/** SPIs are the receiver's for each protocol by itself: the same number may stand for two SAs (RFC 4301 §4.1). */
export function isNamed(child: ChildState, { protocol, spi }: SaName): boolean {
  return child.spiOut === spi && protocolId(child.protocol) === protocol;
}
