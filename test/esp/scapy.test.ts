// Our ESP against scapy's, both ways. Scapy 2.5 has no AES-XCBC, and AES-GCM with ICVs of 16 bytes only. One Python
// process does all suites.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hex, unhex } from '../../src/bytes/bytes.ts';
import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import { cipherShape, integrity, protection } from '../../src/crypto/registry.ts';
import { End } from './end.ts';
import { child, ipv4, ipv6, keys, RIGHT, udp } from './support.ts';

const PYTHON = '/usr/bin/python3';
/** Tests run from `dist/test/esp`; the script is not compiled. */
const SCRIPT = fileURLToPath(new URL('../../../test/esp/peer.py', import.meta.url));

const CRYPT = [
  ['NULL', ENCR.NULL, undefined],
  ['DES', ENCR.DES, undefined],
  ['3DES', ENCR.DES3, undefined],
  ['AES-CBC', ENCR.AES_CBC, 128],
  ['AES-CBC', ENCR.AES_CBC, 192],
  ['AES-CBC', ENCR.AES_CBC, 256],
  ['AES-CTR', ENCR.AES_CTR, 128],
  ['AES-CTR', ENCR.AES_CTR, 256],
] as const;

const AEAD = [
  ['AES-GCM', ENCR.AES_GCM_16, 128],
  ['AES-GCM', ENCR.AES_GCM_16, 192],
  ['AES-GCM', ENCR.AES_GCM_16, 256],
  ['AES-CCM', ENCR.AES_CCM_8, 128],
  ['AES-CCM', ENCR.AES_CCM_16, 256],
  ['CHACHA20-POLY1305', ENCR.CHACHA20_POLY1305, undefined],
] as const;

const AUTH = [
  ['HMAC-MD5-96', INTEG.HMAC_MD5_96],
  ['HMAC-SHA1-96', INTEG.HMAC_SHA1_96],
  ['SHA2-256-128', INTEG.HMAC_SHA2_256_128],
  ['SHA2-384-192', INTEG.HMAC_SHA2_384_192],
  ['SHA2-512-256', INTEG.HMAC_SHA2_512_256],
  ['AES-CMAC-96', INTEG.AES_CMAC_96],
] as const;

interface Case {
  readonly crypt: string;
  readonly encr: number;
  readonly keyBits: number | undefined;
  readonly auth: string | undefined;
  readonly integ: number;
}

const CASES: readonly Case[] = [
  ...AEAD.map(([crypt, encr, keyBits]) => ({ crypt, encr, keyBits, auth: undefined, integ: INTEG.NONE })),
  ...CRYPT.flatMap(([crypt, encr, keyBits]) => AUTH.map(([auth, integ]) => ({ crypt, encr, keyBits, auth, integ }))),
];

const PACKETS = [
  ipv4('10.1.0.1', '10.2.0.1', udp(5000, 53, 'from here to there')),
  ipv6('fd00:1::1', 'fd00:2::1', udp(5000, 53, 'and over IPv6')),
];

function suiteOf({ encr, keyBits, integ }: Case) {
  const shape = cipherShape(encr, keyBits);
  assert.ok(shape);
  const encrSize = shape.keySize + shape.saltSize;
  return { encr, keyBits, integ, encrSize, integSize: integrity(integ)?.keySize ?? 0, icv: shape.icvSize };
}

function missing(): string | false {
  try {
    execFileSync(PYTHON, ['-c', 'import scapy.layers.ipsec, cryptography'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'python3-scapy or python3-cryptography is not installed';
  }
}

test('scapy opens what we seal, and we open what scapy seals', { skip: missing() }, async (t) => {
  const runs = CASES.flatMap((each) => PACKETS.map((packet) => ({ each, packet, suite: suiteOf(each) })));
  const ends = runs.map(({ suite, packet }) => {
    const ours = new End({ protection });
    ours.install(child(3, {}, suite).left);
    const out = ours.outbound(packet, 0);
    assert.ok(out.tag === 'send');
    return { ours, esp: out.bytes };
  });
  const jobs = runs.map(({ each, packet, suite }, i) => {
    const [into, out] = [keys(suite, 3), keys(suite, 53)];
    return {
      crypt: each.crypt,
      auth: each.auth ?? null,
      icv: suite.icv || null,
      seq: 1,
      ...{ spiOut: 0x2003, keyOut: hex(out.encrKey), authKeyOut: hex(out.integKey) },
      ...{ spiIn: 0x1003, keyIn: hex(into.encrKey), authKeyIn: hex(into.integKey) },
      esp: hex(ends[i]?.esp ?? new Uint8Array(0)),
      packet: hex(answerTo(packet)),
    };
  });
  const output = execFileSync(PYTHON, [SCRIPT], { input: JSON.stringify(jobs), encoding: 'utf8' });
  const answers: unknown = JSON.parse(output);
  assert.ok(Array.isArray(answers) && answers.length === runs.length);
  for (const [i, { each, packet }] of runs.entries()) {
    const name = `${each.crypt} ${each.keyBits ?? ''} ${each.auth ?? ''} ${packet[0] === 0x45 ? 'IPv4' : 'IPv6'}`;
    await t.test(name, () => {
      const { opened, esp, error } = answers[i];
      assert.equal(error, undefined);
      assert.equal(opened, hex(packet));
      const outcome = ends[i]?.ours.inbound(unhex(esp), RIGHT, true, 0);
      assert.deepEqual(outcome, { tag: 'deliver', packet: answerTo(packet), id: 3 });
    });
  }
});

function answerTo(packet: Uint8Array): Uint8Array {
  return packet[0] === 0x45
    ? ipv4('10.2.0.1', '10.1.0.1', udp(53, 5000, 'and back again'))
    : ipv6('fd00:2::1', 'fd00:1::1', udp(53, 5000, 'and back'));
}
