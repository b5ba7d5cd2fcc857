// What the addon's ciphers refuse, and what they keep: combinations, sizes, directions, IVs, hostile arguments.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import { present } from '../crypto/suite.ts';
import { Ends, HEADER, handle, type Kind, kinds, native, vaes } from './packets.ts';

const NONE = new Uint8Array(0);
const SEQ = { high: 1, low: 2 };

type Wanted = Omit<Kind, 'name'>;

function wanted(encr: number, keyBits: number | undefined, integ: number, encrSize: number, integSize: number): Wanted {
  const keys = { encr, keyBits, integ, encrKey: new Uint8Array(encrSize), integKey: new Uint8Array(integSize) };
  return { keys, esn: false, plain: false };
}

const gcm = wanted(ENCR.AES_GCM_16, 128, INTEG.NONE, 20, 0);

test('what makes no sense has no cipher', () => {
  const refused: readonly (readonly [string, Wanted])[] = [
    ['an unknown cipher', wanted(99, 128, INTEG.NONE, 16, 0)],
    ['no cipher at all', wanted(0, 0, INTEG.HMAC_SHA1_96, 0, 20)],
    ['a key length that AES has not', wanted(ENCR.AES_GCM_16, 160, INTEG.NONE, 24, 0)],
    ['no key length', wanted(ENCR.AES_CBC, undefined, INTEG.HMAC_SHA1_96, 16, 20)],
    ['a key without its salt', wanted(ENCR.AES_GCM_16, 128, INTEG.NONE, 16, 0)],
    ['a key that is too long', wanted(ENCR.AES_GCM_16, 128, INTEG.NONE, 21, 0)],
    ['a key of another length than was negotiated', wanted(ENCR.AES_CBC, 256, INTEG.HMAC_SHA1_96, 16, 20)],
    ['no key', wanted(ENCR.CHACHA20_POLY1305, 256, INTEG.NONE, 0, 0)],
    ['a combined mode with integrity beside it', wanted(ENCR.AES_GCM_16, 128, INTEG.HMAC_SHA1_96, 20, 20)],
    ['a combined mode with an integrity key', wanted(ENCR.AES_GCM_16, 128, INTEG.NONE, 20, 20)],
    ['GMAC with integrity beside it', wanted(ENCR.NULL_AUTH_AES_GMAC, 128, INTEG.HMAC_SHA1_96, 20, 20)],
    ['CBC without integrity', wanted(ENCR.AES_CBC, 128, INTEG.NONE, 16, 0)],
    ['CTR without integrity', wanted(ENCR.AES_CTR, 128, INTEG.NONE, 20, 0)],
    ['3DES without integrity', wanted(ENCR.DES3, undefined, INTEG.NONE, 24, 0)],
    ['nothing at all', wanted(ENCR.NULL, undefined, INTEG.NONE, 0, 0)],
    ['NULL with a key', wanted(ENCR.NULL, undefined, INTEG.HMAC_SHA1_96, 1, 20)],
    ['an unknown integrity algorithm', wanted(ENCR.AES_CBC, 128, 99, 16, 20)],
    ['an integrity key that is too short', wanted(ENCR.AES_CBC, 128, INTEG.HMAC_SHA1_96, 16, 19)],
    ['an integrity key that is too long', wanted(ENCR.AES_CBC, 128, INTEG.HMAC_SHA2_256_128, 16, 33)],
  ];
  for (const [what, kind] of refused)
    for (const sealing of [true, false]) assert.equal(handle(kind, sealing), undefined, what);
  assert.ok(handle(gcm, true));
});

test('a key length says nothing where the cipher has one only', () => {
  for (const keyBits of [undefined, 0, 256, 128])
    assert.ok(handle(wanted(ENCR.CHACHA20_POLY1305, keyBits, INTEG.NONE, 36, 0), true));
});

test('a cipher made to seal does not open, and one made to open does not seal', () => {
  for (const kind of kinds) {
    const sealing = present(handle(kind, true));
    const opening = present(handle(kind, false));
    const [ivSize, icvSize] = native.cipherSizes(sealing);
    const packet = new Uint8Array(HEADER + ivSize + 48 + icvSize);
    assert.equal(native.cipherSeal(opening, packet, HEADER + ivSize, 48, 0, 1), false);
    assert.deepEqual(packet, new Uint8Array(packet.length));
    assert.equal(native.cipherSeal(sealing, packet, HEADER + ivSize, 48, 0, 1), true);
    assert.equal(native.cipherOpen(sealing, packet, 48, 0, 1), false);
    assert.equal(native.cipherOpen(opening, packet, 48, 0, 1), true);
  }
});

test('a cipher has copied its keys', () => {
  for (const kind of kinds) {
    const keys = { ...kind.keys, encrKey: kind.keys.encrKey.slice(), integKey: kind.keys.integKey.slice() };
    const ends = new Ends({ ...kind, keys });
    keys.encrKey.fill(0);
    keys.integKey.fill(0);
    const text = new Uint8Array(48).fill(3);
    assert.deepEqual(new Ends(kind).open(SEQ, present(ends.seal(SEQ, text, true))), text, kind.name);
  }
});

test('CBC takes whole blocks and at least one', () => {
  const kind = wanted(ENCR.AES_CBC, 128, INTEG.HMAC_SHA1_96, 16, 20);
  const sealing = present(handle(kind, true));
  const opening = present(handle(kind, false));
  for (const length of [0, 1, 4, 15, 17]) {
    const packet = new Uint8Array(200);
    assert.equal(native.cipherSeal(sealing, packet, HEADER + 16, length, 0, 1), false);
    // Authentic as far as it goes: NULL with the same integrity key seals the IV as if it were text.
    const forger = present(handle(wanted(ENCR.NULL, undefined, INTEG.HMAC_SHA1_96, 0, 20), true));
    assert.equal(native.cipherSeal(forger, packet, HEADER, 16 + length, 0, 1), true);
    assert.equal(native.cipherOpen(opening, packet, length, 0, 1), false);
  }
});

test('no IV of CBC occurs twice, under one key or under two', () => {
  const seen = new Set<string>();
  const rounds = 3000;
  for (const integKey of [1, 2]) {
    const kind = wanted(ENCR.AES_CBC, 128, INTEG.HMAC_SHA2_256_128, 16, 32);
    kind.keys.integKey.fill(integKey);
    const ends = new Ends(kind);
    for (let i = 0; i < rounds; i++) {
      const packet = present(ends.seal(SEQ, new Uint8Array(16), i % 2 === 0));
      seen.add(Buffer.from(packet.subarray(HEADER, HEADER + 16)).toString('hex'));
    }
  }
  assert.equal(seen.size, 2 * rounds);
});

test('a packet without room for what is written, or text that would be overwritten, is a TypeError', () => {
  const sealing = present(handle(gcm, true));
  const opening = present(handle(gcm, false));
  const around = HEADER + 8 + 16;
  const seal = (size: number, offset: number, length: number) =>
    native.cipherSeal(sealing, new Uint8Array(size), offset, length, 0, 1);
  assert.equal(seal(around + 20, 16, 20), true);
  assert.throws(() => seal(around + 19, 16, 20), TypeError);
  assert.equal(seal(around + 40, around + 20, 20), true);
  assert.throws(() => seal(around + 39, around + 20, 20), TypeError);
  for (const offset of [0, 8, 15, 17, around + 19]) assert.throws(() => seal(200, offset, 20), TypeError, `${offset}`);
  assert.throws(() => seal(0, 16, 0), TypeError);
  assert.throws(() => seal(70_000, 16, 65_536), TypeError);
  const open = (size: number, length: number) => native.cipherOpen(opening, new Uint8Array(size), length, 0, 1);
  assert.equal(open(around + 20, 20), false);
  assert.throws(() => open(around + 19, 20), TypeError);
  assert.throws(() => open(0, 0), TypeError);
  const bare = (nonce: number, size: number, length: number) =>
    native.cipherBare(sealing, new Uint8Array(nonce), NONE, new Uint8Array(size), length);
  assert.equal(bare(12, 16, 0), true);
  assert.throws(() => bare(13, 16, 0), TypeError);
  assert.throws(() => bare(12, 15, 0), TypeError);
  assert.throws(() => bare(12, 16, 1), TypeError);
});

/** The addon as JavaScript may call it: with anything. */
const loose: Readonly<Record<string, unknown>> = { ...native };
const METHODS = Object.keys(loose).filter((name) => /^(cipher|mac)[A-Z]/.test(name));

function call(name: string, ...args: readonly unknown[]): unknown {
  const method = loose[name];
  assert.ok(typeof method === 'function', name);
  return Reflect.apply(method, undefined, args);
}

/** Its memory is taken away while the arguments are looked at. */
function treacherous(): unknown[] {
  const first = new Uint8Array(4096);
  const list: unknown[] = [first];
  Object.defineProperty(list, 1, {
    get() {
      structuredClone(first.buffer, { transfer: [first.buffer] });
      return new Uint8Array(1);
    },
  });
  return list;
}

const hostile = (): unknown[] => [
  undefined,
  null,
  -1,
  0.5,
  8,
  70_000,
  2 ** 31,
  2 ** 32,
  Number.NaN,
  1n,
  'x',
  {},
  [],
  [1],
  new Array(17).fill(NONE),
  treacherous(),
  NONE,
  new Uint8Array(20),
  new Uint8Array(70_000),
  new Int32Array(6),
  new Int32Array(6).fill(-1),
  new Int32Array(6).fill(70_000),
  new Int32Array(5),
  new Uint16Array(8),
  new ArrayBuffer(8),
  Object.create(present(handle(gcm, true))),
  handle(gcm, true),
  handle(kinds[0] ?? gcm, false),
];

test('a forged packet leaves no error behind that node:crypto would take for its own', () => {
  const reason = () => {
    try {
      createPrivateKey('not a key');
    } catch (error) {
      return error instanceof Error ? error.message : '';
    }
    return '';
  };
  const expected = reason();
  assert.notEqual(expected, '');
  for (const kind of kinds) {
    const ends = new Ends(kind);
    const packet = present(ends.seal(SEQ, new Uint8Array(48), true));
    packet[30] = (packet[30] as number) ^ 1;
    assert.equal(ends.open(SEQ, packet), undefined);
    assert.equal(reason(), expected, kind.name);
  }
});

test('no call with wrong arguments crashes', () => {
  const survive = (name: string, args: readonly unknown[]) => {
    try {
      call(name, ...args);
    } catch (error) {
      assert.ok(error instanceof Error, name);
    }
  };
  assert.ok(METHODS.length >= 8);
  for (const name of METHODS) {
    survive(name, []);
    for (const first of hostile())
      for (const second of hostile())
        for (const third of hostile()) {
          // As many rounds as it is told: they are few here.
          survive(name, name === 'cipherTime' ? [first, second, third, 1] : [first, second, third, 8, 0, 1]);
        }
  }
});

test('what is no handle of a cipher is a TypeError, whatever else of the addon it names', () => {
  const fd = native.udpOpen(4, 0, 0);
  const watch = native.pollStart(fd, () => {});
  try {
    for (const what of [undefined, {}, 1, watch, Object.create(watch)])
      for (const name of ['cipherSizes', 'cipherSeal', 'cipherOpen', 'cipherBare', 'cipherTime'])
        assert.throws(() => call(name, what, new Uint8Array(64), 16, 16, 0, 1), TypeError);
    call('pollStop', handle(gcm, true));
  } finally {
    native.pollStop(watch);
    native.close(fd);
  }
});

test('our own AES-GCM is used where the processor can, unless it is told not to', () => {
  const { openssl } = native.cipherFacilities();
  assert.equal(openssl, process.versions.openssl.replace(/\+.*/, ''));
  const flags = new Set(/^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' '));
  const needed = ['avx512f', 'avx512dq', 'avx512bw', 'avx512vl', 'vaes', 'vpclmulqdq'];
  const capable = process.arch === 'x64' && needed.every((flag) => flags.has(flag));
  const module = fileURLToPath(new URL('../../src/net/native.js', import.meta.url));
  const script = `import { addon } from ${JSON.stringify(module)}; console.log(addon().cipherFacilities().vaes);`;
  const run = (no: string) =>
    execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      env: { ...process.env, ESPALIER_NO_VAES: no },
    }).trim();
  assert.equal(run(''), String(capable));
  assert.equal(run('1'), 'false');
  assert.equal(vaes, capable && !process.env.ESPALIER_NO_VAES);
});

test('the time of a packet can be taken in both directions', () => {
  for (const sealing of [true, false]) {
    const packet = present(new Ends(gcm).seal({ high: 0, low: 1 }, new Uint8Array(64), true));
    const time = native.cipherTime(present(handle(gcm, sealing)), packet, 64, 100);
    assert.ok(time > 0 && time < 1e6, `${time} ns`);
  }
});
