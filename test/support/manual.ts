// Child SAs with keys given by hand, for tests that play the peer themselves.

import { hex } from '../../src/bytes/bytes.ts';
import { parseIp, parsePrefix, prefixRange } from '../../src/bytes/ip.ts';
import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import { cipherShape, integrity } from '../../src/crypto/registry.ts';
import type { ProtectionKeys } from '../../src/crypto/types.ts';
import type { ChildSa } from '../../src/ike/effects.ts';
import type { Selector } from '../../src/ike/wire/ts.ts';

export const NO_LIMITS = { softBytes: 0, hardBytes: 0, softPackets: 0, hardPackets: 0 };

export interface Suite {
  readonly encr: number;
  readonly keyBits?: number | undefined;
  readonly integ?: number;
}

export const GCM: Suite = { encr: ENCR.AES_GCM_16, keyBits: 128 };

/** Keys that no other `seed` has. */
export function keysOf({ encr, keyBits, integ = INTEG.NONE }: Suite, seed: number): ProtectionKeys {
  const shape = cipherShape(encr, keyBits);
  const size = shape ? shape.keySize + shape.saltSize : 0;
  const integSize = integrity(integ)?.keySize ?? 0;
  return { encr, keyBits, integ, encrKey: fill(size, seed), integKey: fill(integSize, seed + 1) };
}

function fill(size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (Math.imul(seed + 1, 0x9e37_79b1) >>> (i % 24)) + i * 7);
}

/** One SPI and one set of keys for each direction, all of them made of `id`. */
export function manualSa(id: number, suite: Suite, over: Partial<ChildSa>): ChildSa {
  return {
    id,
    session: 1,
    conn: 'gw',
    child: 'net',
    reqid: id,
    protocol: 'esp',
    mode: 'tunnel',
    inbound: { spi: 0x1_0000 + id, keys: keysOf(suite, 4 * id) },
    outbound: { spi: 0x2_0000 + id, keys: keysOf(suite, 4 * id + 2) },
    esn: false,
    udp: false,
    natted: false,
    local: { ip: '192.0.2.1', port: 4500 },
    remote: { ip: '192.0.2.2', port: 4500 },
    localTs: [],
    remoteTs: [],
    replayWindow: 128,
    installRoutes: true,
    copyDf: true,
    copyEcn: true,
    copyDscp: 'out',
    mss: 'no',
    limits: NO_LIMITS,
    active: true,
    ...over,
  };
}

/** A prefix or one address, and one port where one is given. */
export function selector(text: string, protocol = 0, port?: number): Selector {
  const address = parseIp(text);
  const prefix = address ? { address, length: address.length * 8 } : parsePrefix(text);
  if (!prefix) throw new Error(`no prefix: ${text}`);
  return { protocol, startPort: port ?? 0, endPort: port ?? 0xffff, ...prefixRange(prefix) };
}

/** As a test's program in another language reads them. */
export function keysInHex({ encrKey, integKey }: ProtectionKeys): { readonly crypt: string; readonly auth: string } {
  return { crypt: hex(encrKey), auth: hex(integKey) };
}
