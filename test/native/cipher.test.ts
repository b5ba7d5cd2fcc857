// The addon's ciphers against their twins in TypeScript: every combination, every length, and every bit turned.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { protection } from '../../src/crypto/registry.ts';
import { noble } from '../crypto/noble.ts';
import { seeded } from '../support/random.ts';
import { counterIv, Ends, HEADER, type Kind, kinds, openedBy, type Seq, sealedBy } from './packets.ts';

const BIG = [1424, 4096, 4112, 8992, 65_456];
const PAST = 600;

/** Both halves take values that no shorter type holds. */
function seqOf(length: number): Seq {
  return { high: (0x8000_0001 + length * 0x1_0001) >>> 0, low: (0xffff_ff00 + length) >>> 0 };
}

function lengthsOf(align: number): number[] {
  const small = Array.from({ length: Math.floor(PAST / align) }, (_, i) => (i + 1) * align);
  return [...small, ...BIG];
}

function sampleIv(kind: Kind, seq: Seq, random: (size: number) => Uint8Array): Uint8Array {
  const { counterIv: counts, ivSize } = protection(kind.keys);
  if (ivSize === 0) return new Uint8Array(0);
  return counts ? counterIv(seq) : random(ivSize);
}

for (const kind of kinds) {
  const twin = protection(kind.keys);

  test(`${kind.name}: packets of every length are those of the twin, in place and not, and open at both`, () => {
    const ends = new Ends(kind);
    const { ivSize, icvSize, align } = ends;
    assert.deepEqual([ivSize, icvSize, align], [twin.ivSize, twin.icvSize, Math.max(4, twin.blockSize)]);
    const random = seeded(7);
    for (const length of lengthsOf(align)) {
      const seq = seqOf(length);
      const text = random(length);
      for (const inPlace of [true, false]) {
        const packet = ends.seal(seq, text, inPlace);
        assert.ok(packet, `${length}`);
        const iv = packet.slice(HEADER, HEADER + ivSize);
        if (twin.counterIv) assert.deepEqual(iv, ivSize === 0 ? iv : counterIv(seq));
        assert.ok(Buffer.from(packet).equals(sealedBy(twin, kind, seq, iv, text)), `${length}`);
      }
      const theirs = sealedBy(twin, kind, seq, sampleIv(kind, seq, random), text);
      const opened = ends.open(seq, theirs);
      assert.ok(opened && Buffer.from(opened).equals(text), `${length}`);
    }
  });

  test(`${kind.name}: noble makes and opens the same packets`, () => {
    const ends = new Ends(kind);
    const other = noble.protection(kind.keys);
    const random = seeded(8);
    for (const length of [ends.align, 4 * ends.align, 17 * ends.align]) {
      const seq = seqOf(length);
      const text = random(length);
      const packet = ends.seal(seq, text, true);
      assert.ok(packet);
      assert.deepEqual(openedBy(other, kind, seq, packet), text);
      const theirs = sealedBy(other, kind, seq, sampleIv(kind, seq, random), text);
      assert.deepEqual(ends.open(seq, theirs), text);
    }
  });

  test(`${kind.name}: with one bit turned anywhere nothing opens, and afterwards good packets do`, () => {
    const ends = new Ends(kind);
    const seq = seqOf(0);
    const text = seeded(9)(48);
    const packet = ends.seal(seq, text, true);
    assert.ok(packet);
    for (let bit = 0; bit < 8 * packet.length; bit++) {
      const forged = packet.slice();
      forged[bit >> 3] = (forged[bit >> 3] as number) ^ (1 << (bit & 7));
      assert.equal(ends.open(seq, forged), undefined, `bit ${bit}`);
      if (bit % 50 === 0) assert.deepEqual(ends.open(seq, packet), text);
    }
    assert.deepEqual(ends.open(seq, packet), text);
  });

  test(`${kind.name}: the high half of the sequence number counts with ESN, and only then`, () => {
    const ends = new Ends(kind);
    const seq = seqOf(0);
    const text = seeded(10)(48);
    const packet = ends.seal(seq, text, true);
    assert.ok(packet);
    for (let bit = 0; bit < 32; bit++) {
      const high = (seq.high ^ (1 << bit)) >>> 0;
      assert.deepEqual(ends.open({ high, low: seq.low }, packet), kind.esn ? undefined : text);
    }
  });

  test(`${kind.name}: a packet that is cut, or longer, does not open`, () => {
    const ends = new Ends(kind);
    const seq = seqOf(0);
    const packet = ends.seal(seq, seeded(11)(64), true);
    assert.ok(packet);
    for (let size = ends.around; size < packet.length; size++)
      assert.equal(ends.open(seq, packet.slice(0, size)), undefined, `${size}`);
    assert.equal(ends.open(seq, Uint8Array.from([...packet, 0])), undefined);
  });
}
