// The second implementation: noble where it has the algorithm, else the RFC in plain TypeScript. The oracle of the tests.

import { cbc, cmac, ctr, ecb, gcm } from '@noble/ciphers/aes.js';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { hmac } from '@noble/hashes/hmac.js';
import { md5, sha1 } from '@noble/hashes/legacy.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { concat, same } from '../../src/bytes/bytes.ts';
import { ENCR, INTEG, PRF } from '../../src/crypto/ids.ts';
import type { Integrity, Prf, Protection, ProtectionKeys } from '../../src/crypto/types.ts';
import { desCbcDecrypt, desCbcEncrypt } from './des.ts';
import { nobleExchange } from './exchange.ts';
import type { Suite } from './suite.ts';

export const noble: Suite = {
  name: 'noble',
  prf: (id) => PRFS[id],
  integrity: (id) => INTEGRITIES[id],
  protection,
  keyExchange: nobleExchange,
};

type Mac = (key: Uint8Array, data: Uint8Array) => Uint8Array;

const BLOCK = 16;
const ZERO = new Uint8Array(BLOCK);

const hmacOf =
  (hash: Parameters<typeof hmac>[0]): Mac =>
  (key, data) =>
    hmac(hash, key, data);

const aesCmac: Mac = (key, data) => cmac(data, key);

/** RFC 3566 §4. */
const aesXcbc: Mac = (key, data) => {
  const k = (n: number) => block(key, new Uint8Array(BLOCK).fill(n));
  const whole = data.length > 0 && data.length % BLOCK === 0;
  const padded = whole ? data : pad(concat(data, Uint8Array.of(0x80)));
  const last = padded.length - BLOCK;
  let e: Uint8Array = ZERO;
  for (let at = 0; at < last; at += BLOCK) e = block(k(1), xor(padded.subarray(at, at + BLOCK), e));
  return block(k(1), xor(xor(padded.subarray(last), e), k(whole ? 2 : 3)));
};

const fitXcbc = (key: Uint8Array): Uint8Array => (key.length > BLOCK ? aesXcbc(ZERO, key) : pad(key));
const fitCmac = (key: Uint8Array): Uint8Array => (key.length === BLOCK ? key : aesCmac(ZERO, key));

function asPrf(id: number, size: number, mac: Mac, fit = (key: Uint8Array) => key): Prf {
  return { id, size, keySize: size, compute: (key, ...data) => mac(fit(key), concat(...data)) };
}

function asIntegrity(id: number, keySize: number, icvSize: number, mac: Mac): Integrity {
  return { id, keySize, icvSize, compute: (key, ...data) => mac(key, concat(...data)).slice(0, icvSize) };
}

const PRFS: Readonly<Record<number, Prf>> = {
  [PRF.HMAC_MD5]: asPrf(PRF.HMAC_MD5, 16, hmacOf(md5)),
  [PRF.HMAC_SHA1]: asPrf(PRF.HMAC_SHA1, 20, hmacOf(sha1)),
  [PRF.AES128_XCBC]: asPrf(PRF.AES128_XCBC, 16, aesXcbc, fitXcbc),
  [PRF.HMAC_SHA2_256]: asPrf(PRF.HMAC_SHA2_256, 32, hmacOf(sha256)),
  [PRF.HMAC_SHA2_384]: asPrf(PRF.HMAC_SHA2_384, 48, hmacOf(sha384)),
  [PRF.HMAC_SHA2_512]: asPrf(PRF.HMAC_SHA2_512, 64, hmacOf(sha512)),
  [PRF.AES128_CMAC]: asPrf(PRF.AES128_CMAC, 16, aesCmac, fitCmac),
};

const INTEGRITIES: Readonly<Record<number, Integrity>> = {
  [INTEG.HMAC_MD5_96]: asIntegrity(INTEG.HMAC_MD5_96, 16, 12, hmacOf(md5)),
  [INTEG.HMAC_SHA1_96]: asIntegrity(INTEG.HMAC_SHA1_96, 20, 12, hmacOf(sha1)),
  [INTEG.AES_XCBC_96]: asIntegrity(INTEG.AES_XCBC_96, 16, 12, aesXcbc),
  [INTEG.AES_CMAC_96]: asIntegrity(INTEG.AES_CMAC_96, 16, 12, aesCmac),
  [INTEG.HMAC_SHA2_256_128]: asIntegrity(INTEG.HMAC_SHA2_256_128, 32, 16, hmacOf(sha256)),
  [INTEG.HMAC_SHA2_384_192]: asIntegrity(INTEG.HMAC_SHA2_384_192, 48, 24, hmacOf(sha384)),
  [INTEG.HMAC_SHA2_512_256]: asIntegrity(INTEG.HMAC_SHA2_512_256, 64, 32, hmacOf(sha512)),
  [INTEG.HMAC_SHA2_256_96]: asIntegrity(INTEG.HMAC_SHA2_256_96, 32, 12, hmacOf(sha256)),
};

function protection(keys: ProtectionKeys): Protection {
  const { encr, encrKey } = keys;
  const split = (salt: number): [Uint8Array, Uint8Array] => [encrKey.slice(0, -salt), encrKey.slice(-salt)];
  switch (encr) {
    case ENCR.AES_GCM_8:
      return combined(8, ...split(4), openableGcm);
    case ENCR.AES_GCM_12:
      return combined(12, ...split(4), openableGcm);
    case ENCR.AES_GCM_16:
      return combined(16, ...split(4), openableGcm);
    case ENCR.AES_CCM_8:
      return combined(8, ...split(3), ccm(8));
    case ENCR.AES_CCM_12:
      return combined(12, ...split(3), ccm(12));
    case ENCR.AES_CCM_16:
      return combined(16, ...split(3), ccm(16));
    case ENCR.NULL_AUTH_AES_GMAC:
      return gmac(...split(4));
    case ENCR.CHACHA20_POLY1305:
      return combined(16, ...split(4), (key, nonce, aad) => ({
        sealed: (plain) => chacha20poly1305(key, nonce, aad).encrypt(plain),
        // The cipher is an XOR with a stream, so that sealing the text uncovers it.
        plain: (text) => chacha20poly1305(key, nonce, aad).encrypt(text).slice(0, text.length),
      }));
    default:
      return separate(keys);
  }
}

/** A combined mode as a pair of functions: the whole sealed message, and the stream taken off without any check. */
type Stream = (
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
) => { sealed(plain: Uint8Array): Uint8Array; plain(text: Uint8Array): Uint8Array };

const openableGcm: Stream = (key, nonce, aad) => ({
  sealed: (plain) => gcm(key, nonce, aad).encrypt(plain),
  plain: (text) => gcm(key, nonce, aad).encrypt(text).slice(0, text.length),
});

/** RFC 3610 §2, with L = 4 as RFC 4309 has it. */
const ccm =
  (icvSize: number): Stream =>
  (key, nonce, aad) => {
    const counter = (n: number) => concat(Uint8Array.of(3), nonce, Uint8Array.of(0, 0, 0, n));
    const plain = (text: Uint8Array) => ctr(key, counter(1)).encrypt(text);
    const tag = (message: Uint8Array) => {
      const flags = (aad.length > 0 ? 64 : 0) + 8 * ((icvSize - 2) / 2) + 3;
      const size = Uint8Array.of(0, 0, message.length >> 8, message.length);
      const header = aad.length > 0 ? pad(concat(Uint8Array.of(aad.length >> 8, aad.length), aad)) : aad;
      const input = concat(Uint8Array.of(flags), nonce, size, header, message.length > 0 ? pad(message) : message);
      let mac: Uint8Array = ZERO;
      for (let at = 0; at < input.length; at += BLOCK) mac = block(key, xor(input.subarray(at, at + BLOCK), mac));
      return xor(mac, block(key, counter(0)));
    };
    return { plain, sealed: (message) => concat(plain(message), tag(message)) };
  };

function combined(icvSize: number, key: Uint8Array, salt: Uint8Array, stream: Stream): Protection {
  return {
    ivSize: 8,
    icvSize,
    blockSize: 1,
    counterIv: true,
    seal(iv, aad, plain) {
      return stream(key, concat(salt, iv), aad)
        .sealed(plain)
        .slice(0, plain.length + icvSize);
    },
    open(iv, aad, sealed) {
      if (sealed.length < icvSize) return undefined;
      const plain = stream(key, concat(salt, iv), aad).plain(sealed.slice(0, sealed.length - icvSize));
      return same(this.seal(iv, aad, plain), sealed) ? plain : undefined;
    },
  };
}

/** RFC 4543: the ICV of an empty text whose AAD is everything. */
function gmac(key: Uint8Array, salt: Uint8Array): Protection {
  const icv = (iv: Uint8Array, aad: Uint8Array, text: Uint8Array) =>
    gcm(key, concat(salt, iv), concat(aad, iv, text)).encrypt(new Uint8Array(0));
  return {
    ivSize: 8,
    icvSize: 16,
    blockSize: 1,
    counterIv: true,
    seal: (iv, aad, plain) => concat(plain, icv(iv, aad, plain)),
    open(iv, aad, sealed) {
      const text = sealed.slice(0, -16);
      return sealed.length >= 16 && same(icv(iv, aad, text), sealed.slice(text.length)) ? text : undefined;
    },
  };
}

interface Plain {
  readonly ivSize: number;
  readonly blockSize: number;
  encrypt(iv: Uint8Array, plain: Uint8Array): Uint8Array;
  decrypt(iv: Uint8Array, text: Uint8Array): Uint8Array;
}

function cipherOf(encr: number, key: Uint8Array): Plain {
  switch (encr) {
    case ENCR.AES_CBC:
      return {
        ivSize: 16,
        blockSize: 16,
        encrypt: (iv, plain) => cbc(key, iv, { disablePadding: true }).encrypt(plain),
        decrypt: (iv, text) => cbc(key, iv, { disablePadding: true }).decrypt(text),
      };
    case ENCR.DES:
    case ENCR.DES3:
      return {
        ivSize: 8,
        blockSize: 8,
        encrypt: (iv, plain) => desCbcEncrypt(key, iv, plain),
        decrypt: (iv, text) => desCbcDecrypt(key, iv, text),
      };
    case ENCR.AES_CTR: {
      const apply = (iv: Uint8Array, text: Uint8Array) =>
        ctr(key.slice(0, -4), concat(key.slice(-4), iv, Uint8Array.of(0, 0, 0, 1))).encrypt(text);
      return { ivSize: 8, blockSize: 1, encrypt: apply, decrypt: apply };
    }
    case ENCR.NULL:
      return { ivSize: 0, blockSize: 1, encrypt: (_, plain) => plain, decrypt: (_, text) => text };
    default:
      throw new Error(`no cipher ${encr}`);
  }
}

function separate({ encr, encrKey, integ, integKey }: ProtectionKeys): Protection {
  const cipher = cipherOf(encr, encrKey);
  const mac = INTEGRITIES[integ];
  if (!mac) throw new Error(`no integrity algorithm ${integ}`);
  const { ivSize, blockSize } = cipher;
  const { icvSize } = mac;
  return {
    ivSize,
    icvSize,
    blockSize,
    counterIv: blockSize === 1,
    seal(iv, aad, plain, tail = new Uint8Array(0)) {
      const text = cipher.encrypt(iv, plain);
      return concat(text, mac.compute(integKey, aad, iv, text, tail));
    },
    open(iv, aad, sealed, tail = new Uint8Array(0)) {
      const length = sealed.length - icvSize;
      if (length < 0) return undefined;
      const text = sealed.slice(0, length);
      if (!same(mac.compute(integKey, aad, iv, text, tail), sealed.slice(length))) return undefined;
      if (blockSize > 1 && (length === 0 || length % blockSize !== 0)) return undefined;
      return cipher.decrypt(iv, text);
    },
  };
}

function block(key: Uint8Array, input: Uint8Array): Uint8Array {
  return ecb(key, { disablePadding: true }).encrypt(input);
}

/** With zeros to whole blocks, one at least. */
function pad(bytes: Uint8Array): Uint8Array {
  return concat(bytes, new Uint8Array(Math.max(1, Math.ceil(bytes.length / BLOCK)) * BLOCK - bytes.length));
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, i) => byte ^ (b[i] ?? 0));
}
