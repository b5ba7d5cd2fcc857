// What the data plane must know of a child SA: its flags, what it adds to packets, and how much it may carry.

import { cipherShape, integrity } from '../crypto/registry.ts';
import { SA } from '../esp/layout.ts';
import type { ChildSa } from '../ike/effects.ts';

/** SECURITY: AES-GCM and its like seal no more than this many packets under one key. */
const COUNTER_PACKETS = 2 ** 32;
// A cipher with blocks of 64 bits leaks by the birthday bound (Sweet32): it is rekeyed at 1 GiB and stopped at 4 GiB.
const SMALL_BLOCK = 8;
const SMALL_BLOCK_SOFT = 2 ** 30;
const SMALL_BLOCK_HARD = 2 ** 32;

export function flagsOf(sa: ChildSa, udp: boolean): number {
  const dscp = sa.copyDscp;
  return (
    (sa.mode === 'transport' ? SA.TRANSPORT : 0) |
    (sa.protocol === 'ah' ? SA.AH : 0) |
    (sa.esn ? SA.ESN : 0) |
    (udp ? SA.UDP : 0) |
    (sa.copyDf ? SA.COPY_DF : 0) |
    (sa.copyEcn ? SA.COPY_ECN : 0) |
    (dscp === 'out' || dscp === 'yes' ? SA.COPY_DSCP_OUT : 0) |
    (dscp === 'in' || dscp === 'yes' ? SA.COPY_DSCP_IN : 0) |
    (sa.natted ? SA.NATTED : 0)
  );
}

export function shapeOf(sa: ChildSa, udp: boolean, version: 4 | 6) {
  const { keys } = sa.outbound;
  const cipher = sa.protocol === 'ah' ? undefined : cipherShape(keys.encr, keys.keyBits);
  const icvSize = cipher?.aead ? cipher.icvSize : (integrity(keys.integ)?.icvSize ?? 0);
  return {
    protocol: sa.protocol,
    mode: sa.mode,
    udp,
    version,
    ivSize: cipher?.ivSize ?? 0,
    icvSize,
    align: Math.max(4, cipher?.blockSize ?? 4),
  };
}

export function limitsOf(sa: ChildSa): ChildSa['limits'] {
  const { encr, keyBits } = sa.outbound.keys;
  const shape = sa.protocol === 'ah' ? undefined : cipherShape(encr, keyBits);
  const { limits } = sa;
  if (shape?.blockSize === SMALL_BLOCK) {
    const hardBytes = Math.min(limits.hardBytes || SMALL_BLOCK_HARD, SMALL_BLOCK_HARD);
    return { ...limits, hardBytes, softBytes: Math.min(limits.softBytes || SMALL_BLOCK_SOFT, hardBytes) };
  }
  if (shape?.aead && sa.esn) {
    const hardPackets = Math.min(limits.hardPackets || COUNTER_PACKETS, COUNTER_PACKETS);
    return { ...limits, hardPackets, softPackets: Math.min(limits.softPackets || hardPackets * 0.75, hardPackets) };
  }
  return limits;
}
