// The ciphers, one packet: the addon's in its batches, with code of our own for AES-GCM and with OpenSSL's, against
// node:crypto a packet at a time and against noble. Figures per packet, with its frame around it.

import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import { cipherShape } from '../../src/crypto/registry.ts';
import type { ProtectionKeys } from '../../src/crypto/types.ts';
import { addon } from '../../src/net/native.ts';
import { noble } from '../../test/crypto/noble.ts';
import { native as nodeCrypto, present } from '../../test/crypto/suite.ts';
import { Table } from '../table.ts';

const ROUNDS = 5;
const SIZES = [64, 304, 1408];
const HEADER = 8;

interface Kind {
  readonly name: string;
  readonly encr: number;
  readonly keyBits?: number;
  readonly integ?: number;
}

const KINDS: readonly Kind[] = [
  { name: 'AES-128-GCM', encr: ENCR.AES_GCM_16, keyBits: 128 },
  { name: 'AES-256-GCM', encr: ENCR.AES_GCM_16, keyBits: 256 },
  { name: 'ChaCha20-Poly1305', encr: ENCR.CHACHA20_POLY1305 },
  { name: 'AES-128-CBC, SHA2-256', encr: ENCR.AES_CBC, keyBits: 128, integ: INTEG.HMAC_SHA2_256_128 },
  { name: 'AES-256-CBC, SHA2-512', encr: ENCR.AES_CBC, keyBits: 256, integ: INTEG.HMAC_SHA2_512_256 },
];

export async function benchSeal(): Promise<void> {
  for (const size of SIZES) {
    const table = new Table(`ciphers: a text of ${size} bytes, ns a packet`);
    for (let round = 0; round < ROUNDS; round++) {
      for (const kind of KINDS)
        for (const [row, figures] of rows(kind, size)) table.add(`${kind.name}: ${row}`, figures);
    }
    table.print();
  }
}

function rows(kind: Kind, size: number): [string, Record<string, number>][] {
  const keys = keysOf(kind);
  const gcm = kind.encr === ENCR.AES_GCM_16 && addon().cipherFacilities().vaes;
  const ours: [string, Record<string, number>][] = gcm ? [['addon, VAES', inAddon(keys, size, false)]] : [];
  return [
    ...ours,
    ['addon, OpenSSL', inAddon(keys, size, true)],
    ['node:crypto', inScript(nodeCrypto, keys, size)],
    ['noble', inScript(noble, keys, size)],
  ];
}

function keysOf({ encr, keyBits, integ = INTEG.NONE }: Kind): ProtectionKeys {
  const shape = present(cipherShape(encr, keyBits));
  const encrKey = new Uint8Array(shape.keySize + shape.saltSize).fill(7);
  const integKey = new Uint8Array(nodeCrypto.integrity(integ)?.keySize ?? 0).fill(9);
  return { encr, keyBits, integ, encrKey, integKey };
}

function inAddon(keys: ProtectionKeys, size: number, plain: boolean): Record<string, number> {
  const { cipherNew, cipherSizes, cipherSeal, cipherTime } = addon();
  const make = (sealing: boolean) => {
    const options = Int32Array.of(keys.encr, keys.keyBits ?? 0, keys.integ, 0, sealing ? 1 : 0, plain ? 1 : 0);
    return present(cipherNew(options, keys.encrKey, keys.integKey));
  };
  const [sealer, opener] = [make(true), make(false)];
  const [ivSize, icvSize] = cipherSizes(sealer);
  const packet = new Uint8Array(HEADER + ivSize + size + icvSize);
  packet[HEADER - 1] = 1;
  const seal = cipherTime(sealer, packet.slice(), size, rounds(size));
  cipherSeal(sealer, packet, HEADER + ivSize, size, 0, 1);
  return { seal, open: cipherTime(opener, packet, size, rounds(size)) };
}

/** Fewer of the large ones, and of what is slow. */
function rounds(size: number): number {
  return Math.round(2_000_000 / (size + 200));
}

function inScript(suite: typeof nodeCrypto, keys: ProtectionKeys, size: number): Record<string, number> {
  const cipher = suite.protection(keys);
  const text = new Uint8Array(size).fill(3);
  const aad = new Uint8Array(HEADER);
  const iv = new Uint8Array(cipher.ivSize);
  const sealed = cipher.seal(iv, aad, text);
  const count = Math.ceil(rounds(size) / (suite === noble ? 50 : 10));
  return {
    seal: time(count, () => void cipher.seal(iv, aad, text)),
    open: time(count, () => void cipher.open(iv, aad, sealed)),
  };
}

function time(count: number, act: () => void): number {
  act();
  const start = process.hrtime.bigint();
  for (let i = 0; i < count; i++) act();
  return Number(process.hrtime.bigint() - start) / count;
}
