// Packets, child SAs and ciphers for the tests of the data plane. The ciphers are written with `node:crypto` alone, so
// that they are an oracle beside those of `src/crypto`.

import { type CipherGCMTypes, createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { concat } from '../../src/bytes/bytes.ts';
import type { SocketAddress } from '../../src/bytes/ip.ts';
import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import type { Protection, ProtectionKeys, Random } from '../../src/crypto/types.ts';
import type { ChildSa, SaKeys } from '../../src/ike/effects.ts';
import { selector } from './packets.ts';
import { seal } from './twin/frame.ts';

export { ip, ipv4, ipv6, selector, udp } from './packets.ts';

export const LEFT: SocketAddress = { ip: '192.0.2.1', port: 4500 };
export const RIGHT: SocketAddress = { ip: '198.51.100.1', port: 4500 };
export const NO_LIMITS = { softBytes: 0, hardBytes: 0, softPackets: 0, hardPackets: 0 };

/** Bytes 0, 1, 2 … 255, 0 …, from where the last call ended. */
export function counting(): Random {
  let next = 0;
  return (size) => Uint8Array.from({ length: size }, () => next++ & 0xff);
}

interface Suite {
  readonly encr: number;
  readonly keyBits: number | undefined;
  readonly integ: number;
  /** Bytes of key with salt. */
  readonly encrSize: number;
  readonly integSize: number;
}

export const GCM: Suite = { encr: ENCR.AES_GCM_16, keyBits: 128, integ: INTEG.NONE, encrSize: 20, integSize: 0 };

export function keys(suite: Suite, seed: number): ProtectionKeys {
  const { encr, keyBits, integ } = suite;
  return { encr, keyBits, integ, encrKey: fill(suite.encrSize, seed), integKey: fill(suite.integSize, seed + 100) };
}

function fill(size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (seed + i * 7) & 0xff);
}

/** Both ends of a child SA between 10.1.0.0/16 on the left and 10.2.0.0/16 on the right. */
export function child(id: number, over: Partial<ChildSa> = {}, suite: Suite = GCM): { left: ChildSa; right: ChildSa } {
  const toLeft = (): SaKeys => ({ spi: 0x1000 + id, keys: keys(suite, id) });
  const toRight = (): SaKeys => ({ spi: 0x2000 + id, keys: keys(suite, id + 50) });
  const left: ChildSa = {
    id,
    session: 1,
    conn: 'gw',
    child: 'net',
    reqid: 1,
    protocol: 'esp',
    mode: 'tunnel',
    inbound: toLeft(),
    outbound: toRight(),
    esn: false,
    udp: true,
    natted: false,
    local: LEFT,
    remote: RIGHT,
    localTs: [selector('10.1.0.0/16'), selector('fd00:1::/32')],
    remoteTs: [selector('10.2.0.0/16'), selector('fd00:2::/32')],
    replayWindow: 128,
    installRoutes: true,
    copyDf: true,
    copyEcn: true,
    copyDscp: 'out',
    mss: 'auto',
    limits: NO_LIMITS,
    active: true,
    ...over,
  };
  const right: ChildSa = {
    ...left,
    inbound: toRight(),
    outbound: toLeft(),
    local: left.remote,
    remote: left.local,
    localTs: left.remoteTs,
    remoteTs: left.localTs,
  };
  return { left, right };
}

/** An ESP packet from left to right with what the left gateway would never send. */
export function crafted(payload: Uint8Array, nextHeader: number, seq = 1): Uint8Array {
  const iv = new Uint8Array(8);
  iv[7] = seq;
  return seal(oracle(keys(GCM, 51)), 0x2001, seq, iv, payload, nextHeader);
}

export function oracle(of: ProtectionKeys): Protection {
  switch (of.encr) {
    case ENCR.AES_GCM_16:
      return aead('aes-128-gcm', of.encrKey);
    case ENCR.CHACHA20_POLY1305:
      return aead('chacha20-poly1305', of.encrKey);
    case ENCR.AES_CBC:
      return cbc('aes-128-cbc', 16, of.encrKey, of.integKey);
    case ENCR.DES3:
      return cbc('des-ede3-cbc', 8, of.encrKey, of.integKey);
    default:
      throw new Error(`no oracle for ${of.encr}`);
  }
}

export function aead(name: string, key: Uint8Array): Protection {
  const secret = key.slice(0, -4);
  const salt = key.slice(-4);
  // ChaCha20-Poly1305 has the same calls as GCM, but a type of its own.
  const cipherName = (name.startsWith('aes') ? `aes-${secret.length * 8}-gcm` : name) as CipherGCMTypes;
  return {
    ivSize: 8,
    icvSize: 16,
    blockSize: 1,
    counterIv: true,
    seal(iv, aad, plain) {
      const cipher = createCipheriv(cipherName, secret, concat(salt, iv), { authTagLength: 16 });
      cipher.setAAD(aad);
      return concat(cipher.update(plain), cipher.final(), cipher.getAuthTag());
    },
    open(iv, aad, sealed) {
      const cipher = createDecipheriv(cipherName, secret, concat(salt, iv), { authTagLength: 16 });
      cipher.setAAD(aad);
      cipher.setAuthTag(sealed.subarray(-16));
      const plain = cipher.update(sealed.subarray(0, -16));
      try {
        return concat(plain, cipher.final());
      } catch {
        return undefined;
      }
    },
  };
}

/** With an empty integrity key there is no ICV: for the vectors of RFC 3602, which have none. */
export function cbc(name: string, blockSize: number, key: Uint8Array, integKey: Uint8Array): Protection {
  const icvSize = integKey.length === 0 ? 0 : 16;
  const icv = (...parts: readonly Uint8Array[]) =>
    createHmac('sha256', integKey)
      .update(concat(...parts))
      .digest()
      .subarray(0, icvSize);
  return {
    ivSize: blockSize,
    icvSize,
    blockSize,
    counterIv: false,
    seal(iv, aad, plain) {
      const cipher = createCipheriv(name, key, iv).setAutoPadding(false);
      const text = concat(cipher.update(plain), cipher.final());
      return concat(text, icv(aad, iv, text));
    },
    open(iv, aad, sealed) {
      const text = sealed.subarray(0, sealed.length - icvSize);
      if (!icv(aad, iv, text).equals(sealed.subarray(text.length))) return undefined;
      const cipher = createDecipheriv(name, key, iv).setAutoPadding(false);
      return concat(cipher.update(text), cipher.final());
    },
  };
}
