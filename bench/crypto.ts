// Which implementation of each primitive is the fastest on this machine, for IKE's sizes: what `src/crypto/registry.ts`
// was decided on. Messages of 300 bytes are IKE's, of 1400 a full packet's.

import {
  createDiffieHellmanGroup,
  createECDH,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  randomBytes,
} from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { Bench } from 'tinybench';
import { ENCR, INTEG, KE, PRF } from '../src/crypto/ids.ts';
import { cipherShape, supported } from '../src/crypto/registry.ts';
import type { ProtectionKeys } from '../src/crypto/types.ts';
import { noble } from '../test/crypto/noble.ts';
import { native, present } from '../test/crypto/suite.ts';

/** The pure JavaScript of these takes seconds, and the answer is known. */
const DEAR: readonly number[] = [KE.MODP_3072, KE.MODP_4096, KE.MODP_6144, KE.MODP_8192];

const suites = [native, noble];

export async function benchCrypto(): Promise<void> {
  await protections();
  await macs();
  await exchanges();
  await detours();
}

async function protections(): Promise<void> {
  const kinds: readonly [name: string, encr: number, keyBits: number | undefined, integ: number][] = [
    ['AES-GCM-16-256', ENCR.AES_GCM_16, 256, INTEG.NONE],
    ['AES-CCM-16-256', ENCR.AES_CCM_16, 256, INTEG.NONE],
    ['ChaCha20-Poly1305', ENCR.CHACHA20_POLY1305, undefined, INTEG.NONE],
    ['AES-CBC-256 + SHA2-256', ENCR.AES_CBC, 256, INTEG.HMAC_SHA2_256_128],
    ['AES-CTR-256 + SHA2-256', ENCR.AES_CTR, 256, INTEG.HMAC_SHA2_256_128],
    ['3DES + SHA1', ENCR.DES3, undefined, INTEG.HMAC_SHA1_96],
  ];
  for (const size of [304, 1408]) {
    const bench = new Bench({ time: 100, warmupTime: 50 });
    for (const [name, encr, keyBits, integ] of kinds) {
      const shape = present(cipherShape(encr, keyBits));
      const keys: ProtectionKeys = {
        encr,
        keyBits,
        integ,
        encrKey: new Uint8Array(shape.keySize + shape.saltSize).fill(7),
        integKey: new Uint8Array(native.integrity(integ)?.keySize ?? 0).fill(9),
      };
      const plain = new Uint8Array(size).fill(3);
      const aad = new Uint8Array(32);
      const iv = new Uint8Array(shape.ivSize);
      for (const suite of suites) {
        // The twin of 3DES works bit by bit: an oracle, not a rival.
        if (encr === ENCR.DES3 && suite === noble) continue;
        const cipher = suite.protection(keys);
        const sealed = cipher.seal(iv, aad, plain);
        bench.add(`${name} seal, ${suite.name}`, () => void cipher.seal(iv, aad, plain));
        bench.add(`${name} open, ${suite.name}`, () => void cipher.open(iv, aad, sealed));
      }
    }
    await show(`Protection of ${size} bytes`, bench);
  }
}

async function macs(): Promise<void> {
  const names: Readonly<Record<string, number>> = PRF;
  for (const size of [64, 300, 1400]) {
    const bench = new Bench({ time: 100, warmupTime: 50 });
    for (const [name, id] of Object.entries(names))
      for (const suite of suites) {
        const prf = present(suite.prf(id));
        const key = new Uint8Array(prf.keySize).fill(1);
        const data = new Uint8Array(size);
        bench.add(`${name}, ${suite.name}`, () => void prf.compute(key, data));
      }
    await show(`PRF over ${size} bytes`, bench);
  }
}

async function exchanges(): Promise<void> {
  const bench = new Bench({ time: 100, warmupTime: 20, iterations: 5, warmupIterations: 1 });
  for (const group of supported.ke)
    for (const suite of suites) {
      if (suite === noble && DEAR.includes(group)) continue;
      const exchange = present(suite.keyExchange(group));
      const theirs = exchange.generate().public;
      bench.add(`group ${group} generate, ${suite.name}`, () => void exchange.generate());
      bench.add(
        `group ${group} generate and agree, ${suite.name}`,
        () => void exchange.agree(exchange.generate(), theirs),
      );
    }
  await show('Key exchange', bench);
}

/** Other ways through `node:crypto` to the same results, that were tried and left. */
async function detours(): Promise<void> {
  const bench = new Bench({ time: 100, warmupTime: 20, iterations: 5, warmupIterations: 1 });
  const pkcs8 = { format: 'der', type: 'pkcs8' } as const;
  const spki = { format: 'der', type: 'spki' } as const;
  // Imported, not generated: exporting a key of `generateKeyPairSync` can deadlock (see src/crypto/curve.ts).
  const d = randomBytes(32).toString('base64url');
  const own = createPrivateKey({ key: { kty: 'OKP', crv: 'X25519', d, x: d }, format: 'jwk' });
  const secret = own.export(pkcs8);
  const value = createPublicKey(own).export(spki);
  const secretJwk = own.export({ format: 'jwk' });
  const publicJwk = createPublicKey(own).export({ format: 'jwk' });
  bench.add('X25519 agree from DER', () => {
    diffieHellman({
      privateKey: createPrivateKey({ key: secret, ...pkcs8 }),
      publicKey: createPublicKey({ key: value, ...spki }),
    });
  });
  bench.add('X25519 agree from JWK', () => {
    diffieHellman({
      privateKey: createPrivateKey({ key: secretJwk, format: 'jwk' }),
      publicKey: createPublicKey({ key: publicJwk, format: 'jwk' }),
    });
  });
  bench.add('X25519 agree, own key kept', () => {
    diffieHellman({ privateKey: own, publicKey: createPublicKey({ key: publicJwk, format: 'jwk' }) });
  });
  for (const [name, curve] of [
    ['P-256', 'prime256v1'],
    ['P-384', 'secp384r1'],
    ['P-521', 'secp521r1'],
  ] as const) {
    const ours = createECDH(curve);
    ours.generateKeys();
    const scalar = ours.getPrivateKey();
    const peer = createECDH(curve);
    const point = peer.generateKeys();
    const half = (point.length - 1) / 2;
    const coordinate = (at: number) => point.subarray(at, at + half).toString('base64url');
    const key = { kty: 'EC', crv: name, x: coordinate(1), y: coordinate(1 + half) };
    const kept = createPrivateKey({ key: { ...key, d: peer.getPrivateKey().toString('base64url') }, format: 'jwk' });
    bench.add(`${name} agree, createECDH`, () => {
      const ecdh = createECDH(curve);
      ecdh.setPrivateKey(scalar);
      ecdh.computeSecret(point);
    });
    bench.add(`${name} agree from JWK, own key kept`, () => {
      diffieHellman({ privateKey: kept, publicKey: createPublicKey({ key, format: 'jwk' }) });
    });
  }
  bench.add('MODP 2048 generate and agree, a new group object', () => {
    const group = createDiffieHellmanGroup('modp14');
    group.computeSecret(group.generateKeys());
  });
  await show('Other ways', bench);
}

async function show(title: string, bench: Bench): Promise<void> {
  await bench.run();
  console.log(`\n${title}`);
  console.table(
    bench.tasks.map((task) => {
      const { result } = task;
      if (!('latency' in result)) return { what: task.name, 'µs (median)': 'failed', '± %': '' };
      return {
        what: task.name,
        'µs (median)': Number((result.latency.p50 * 1000).toFixed(2)),
        '± %': Number(result.latency.rme.toFixed(1)),
      };
    }),
  );
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await benchCrypto();
