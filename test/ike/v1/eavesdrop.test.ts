// Whole negotiations read by an eavesdropper who knows the pre-shared key, the secrets of the key exchanges, and RFC 2409.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { compare } from '../../../src/bytes/bytes.ts';
import type { ChildSa } from '../../../src/ike/effects.ts';
import { child, offers, sides1 } from '../../support/connections.ts';
import { Pair } from '../../support/pair.ts';
import {
  authHashes,
  type Cipher,
  chainOf,
  cipherKey,
  decrypt,
  exchangeIv,
  firstIv,
  type Hash,
  keymat,
  prf,
  skeyids,
} from '../../support/rfc2409.ts';

const NONE = new Uint8Array(0);
const PAYLOAD = { SA: 1, KE: 4, ID: 5, HASH: 8, NONCE: 10 } as const;
const SECRET = 'a secret for tests that is long enough';

/** Bytes of key material that the child's cipher takes, its salt included, and those that its MAC takes. */
type Case = readonly [
  ike: string,
  hash: Hash,
  cipher: Cipher,
  child: string,
  encr: number,
  integ: number,
  protocol?: 'esp' | 'ah',
];

const CASES: readonly Case[] = [
  ['3des-md5-modp1024', 'md5', 'des-ede3-cbc', '3des-md5', 24, 16],
  ['3des-sha1-modp1024', 'sha1', 'des-ede3-cbc', 'des-sha1', 8, 20],
  ['aes128-sha1-modp1536', 'sha1', 'aes-128-cbc', 'null-sha1', 0, 20],
  ['aes256-sha1-modp2048', 'sha1', 'aes-256-cbc', 'aes128-sha256', 16, 32],
  ['aes192-md5-modp2048', 'md5', 'aes-192-cbc', 'aes192-sha384', 24, 48],
  ['aes256-sha256-ecp256', 'sha256', 'aes-256-cbc', 'aes256-sha512', 32, 64],
  ['aes256-sha384-ecp384', 'sha384', 'aes-256-cbc', 'aes256gcm16', 36, 0],
  ['aes128-sha512-ecp521', 'sha512', 'aes-128-cbc', 'aes192gcm12', 28, 0],
  ['aes128-sha512-ecp521', 'sha512', 'aes-128-cbc', 'aes128gcm8', 20, 0],
  ['aes128-sha256-modp2048', 'sha256', 'aes-128-cbc', 'aes256ccm16', 35, 0],
  ['aes128-sha256-modp2048', 'sha256', 'aes-128-cbc', 'aes192ccm12', 27, 0],
  ['aes128-sha256-modp2048', 'sha256', 'aes-128-cbc', 'aes128ccm8', 19, 0],
  ['aes128-sha256-modp2048', 'sha256', 'aes-128-cbc', 'aes128ctr-aesxcbc', 20, 16],
  ['aes128-sha256-x25519', 'sha256', 'aes-128-cbc', 'aes256gmac', 36, 0],
  ['aes128-sha256-x25519', 'sha256', 'aes-128-cbc', 'sha256', 0, 32, 'ah'],
  ['aes128-sha256-x25519', 'sha256', 'aes-128-cbc', 'aesxcbc', 0, 16, 'ah'],
];

const KEY_SIZES: Readonly<Record<Cipher, number>> = {
  'des-ede3-cbc': 24,
  'aes-128-cbc': 16,
  'aes-192-cbc': 24,
  'aes-256-cbc': 32,
};

for (const one of CASES) {
  const [ike, , , words] = one;
  for (const aggressive of [false, true]) {
    for (const pfs of [false, true]) {
      const name = `${aggressive ? 'aggressive' : 'main'} mode with ${ike}, ${words} ${pfs ? 'with' : 'without'} PFS`;
      test(`${name}: every hash and key is what RFC 2409 says`, () => eavesdrop(one, aggressive, pfs));
    }
  }
}

function eavesdrop(one: Case, aggressive: boolean, pfs: boolean): void {
  const [ike, hash, name, words, encr, integ, protocol = 'esp'] = one;
  const children = [child({ protocol, offers: offers(pfs ? `${words}-modp2048` : words, protocol) })];
  const pair = new Pair(...sides1({ aggressive, offers: offers(ike, 'ike'), children }));
  const said: Uint8Array[] = [];
  const installed: { left?: ChildSa; right?: ChildSa } = {};
  pair.listener = (bytes) => said.push(bytes);
  pair.watch = (effect, side) => {
    if (effect.type === 'install') installed[side === pair.left ? 'left' : 'right'] = effect.sa;
  };
  pair.left.initiate();
  pair.run(2000);
  assert.equal(said.length, aggressive ? 6 : 9, pair.log.join('\n'));

  // Phase 1: what is not encrypted.
  const clear = said.slice(0, aggressive ? 2 : 4).map(payloads);
  const [mine, theirs] = aggressive ? [clear[0], clear[1]] : [clear[2], clear[3]];
  const last = must(said[aggressive ? 1 : 3]);
  const negotiated = {
    hash,
    spiI: last.subarray(0, 8),
    spiR: last.subarray(8, 16),
    ni: body(mine, PAYLOAD.NONCE),
    nr: body(theirs, PAYLOAD.NONCE),
    gxi: body(mine, PAYLOAD.KE),
    gxr: body(theirs, PAYLOAD.KE),
    gxy: agreed(body(mine, PAYLOAD.KE), body(theirs, PAYLOAD.KE)),
  };
  const ids = skeyids(negotiated, prf(hash, Buffer.from(SECRET), negotiated.ni, negotiated.nr));
  const cipher = cipherKey(hash, ids.e, KEY_SIZES[name]);
  const block = name === 'des-ede3-cbc' ? 8 : 16;
  let iv: Uint8Array = firstIv(negotiated, block);
  const read = (datagram: Uint8Array) => {
    const plain = decrypt(name, cipher, iv, datagram.subarray(28));
    iv = datagram.slice(-block);
    return chainOf(must(datagram[16]), plain);
  };

  // Phase 1: its hashes. In aggressive mode the responder's goes unencrypted.
  const [first, second] = aggressive ? [read(must(said[2])), theirs] : [read(must(said[4])), read(must(said[5]))];
  const idI = body(aggressive ? mine : first, PAYLOAD.ID);
  const { hashI, hashR } = authHashes(negotiated, ids, body(clear[0], PAYLOAD.SA), idI, body(second, PAYLOAD.ID));
  assert.deepEqual(Buffer.from(body(first, PAYLOAD.HASH)), hashI, 'HASH_I');
  assert.deepEqual(Buffer.from(body(second, PAYLOAD.HASH)), hashR, 'HASH_R');

  // Quick mode: three messages.
  const quick = said.slice(-3);
  const messageId = must(quick[0]).slice(20, 24);
  iv = exchangeIv(hash, iv, messageId, block);
  const [quick1, quick2, quick3] = quick.map(read);
  const [ni, nr] = [body(quick1, PAYLOAD.NONCE), body(quick2, PAYLOAD.NONCE)];
  const rest = (chain: ReturnType<typeof chainOf> | undefined) =>
    Buffer.concat(
      must(chain)
        .slice(1)
        .map(({ raw }) => raw),
    );
  assert.deepEqual(Buffer.from(body(quick1, PAYLOAD.HASH)), prf(hash, ids.a, messageId, rest(quick1)), 'HASH(1)');
  assert.deepEqual(Buffer.from(body(quick2, PAYLOAD.HASH)), prf(hash, ids.a, messageId, ni, rest(quick2)), 'HASH(2)');
  assert.deepEqual(
    Buffer.from(body(quick3, PAYLOAD.HASH)),
    prf(hash, ids.a, Buffer.of(0), messageId, ni, nr),
    'HASH(3)',
  );

  // KEYMAT of either direction, of the SPI of who receives.
  const shared = pfs ? agreed(body(quick1, PAYLOAD.KE), body(quick2, PAYLOAD.KE)) : NONE;
  const { left, right } = { left: must(installed.left), right: must(installed.right) };
  const spiOf = (chain: ReturnType<typeof chainOf> | undefined) => body(chain, PAYLOAD.SA).subarray(16, 20);
  for (const [spi, sender, receiver] of [
    [spiOf(quick2), left.outbound, right.inbound],
    [spiOf(quick1), right.outbound, left.inbound],
  ] as const) {
    const number = Buffer.of(protocol === 'ah' ? 2 : 3);
    const want = keymat({ hash, d: ids.d }, [shared, number, spi, ni, nr], encr + integ);
    for (const { spi: as, keys } of [sender, receiver]) {
      assert.equal(as, Buffer.from(spi).readUInt32BE());
      assert.deepEqual([keys.encrKey.length, keys.integKey.length], [encr, integ]);
      assert.deepEqual(Buffer.concat([keys.encrKey, keys.integKey]), want);
    }
  }
}

function payloads(datagram: Uint8Array): ReturnType<typeof chainOf> {
  return chainOf(must(datagram[16]), datagram.subarray(28));
}

function body(chain: ReturnType<typeof chainOf> | undefined, type: number): Uint8Array {
  return must(chain?.find((one) => one.type === type)).body;
}

/** The secret of `cheapke.ts`. */
function agreed(a: Uint8Array, b: Uint8Array): Uint8Array {
  const [low, high] = compare(a, b) < 0 ? [a, b] : [b, a];
  return createHash('sha256').update(low).update(high).digest();
}

function must<T>(value: T | undefined): T {
  assert.notEqual(value, undefined);
  return value as T;
}
