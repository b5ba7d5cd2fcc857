import assert from 'node:assert/strict';
import { test } from 'node:test';
import { innerMtu, type Shape, sealedSize, tcpMss } from '../../src/esp/mtu.ts';

const GCM = { ivSize: 8, icvSize: 16, align: 4 };
const CBC_SHA256 = { ivSize: 16, icvSize: 16, align: 16 };
const DES3_SHA1 = { ivSize: 8, icvSize: 12, align: 8 };
const NULL_SHA512 = { ivSize: 0, icvSize: 32, align: 4 };
const CIPHERS = [GCM, CBC_SHA256, DES3_SHA1, NULL_SHA512];

function shape(over: Partial<Shape> = {}): Shape {
  return { protocol: 'esp', mode: 'tunnel', udp: true, version: 4, ...GCM, ...over };
}

function shapes(): readonly Shape[] {
  return CIPHERS.flatMap((cipher) =>
    ([4, 6] as const).flatMap((version) =>
      (['tunnel', 'transport'] as const).flatMap((mode) => [
        shape({ ...cipher, version, mode }),
        shape({ ...cipher, version, mode, udp: false }),
        shape({ ...cipher, version, mode, udp: false, protocol: 'ah', ivSize: 0 }),
      ]),
    ),
  );
}

/** The outer packet, laid out byte for byte as the RFCs draw it. */
function laidOut(
  inner: number,
  { protocol, mode, udp, version, ivSize, icvSize, align }: Shape,
  header: number,
): number {
  const front = new Array<string>(mode === 'tunnel' ? (version === 4 ? 20 : 40) : header).fill('ip');
  const text = new Array<string>(mode === 'tunnel' ? inner : inner - header).fill('payload');
  if (udp) front.push(...new Array<string>(8).fill('udp'));
  if (protocol === 'ah') {
    const ah = new Array<string>(12 + icvSize).fill('ah');
    while (ah.length % (version === 4 ? 4 : 8) !== 0) ah.push('pad');
    return front.length + ah.length + text.length;
  }
  while ((text.length + 2) % align !== 0) text.push('pad');
  return front.length + 8 + ivSize + text.length + 2 + icvSize;
}

test('the largest inner packet fits into the path, and one byte more does not', () => {
  for (const each of shapes()) {
    for (const header of each.version === 4 ? [20, 24, 60] : [40, 48]) {
      for (let path = 576; path <= 1500; path++) {
        const mtu = innerMtu(path, each, header);
        assert.ok(laidOut(mtu, each, header) <= path, `${JSON.stringify(each)}: ${mtu} into ${path}`);
        assert.ok(laidOut(mtu + 1, each, header) > path, `${JSON.stringify(each)}: ${mtu + 1} into ${path}`);
      }
    }
  }
});

test('the size of a sealed packet is that of its parts', () => {
  for (const each of shapes()) {
    for (const header of each.version === 4 ? [20, 60] : [40]) {
      for (let inner = header; inner < header + 300; inner++) {
        assert.equal(sealedSize(inner, each, header), laidOut(inner, each, header));
      }
    }
  }
});

test('well-known combinations have their well-known sizes', () => {
  // AES-GCM in UDP over IPv4: 20 + 8 + 8 + 8 + 16 and the trailer.
  assert.equal(innerMtu(1500, shape()), 1438);
  assert.equal(innerMtu(1500, shape({ udp: false })), 1446);
  assert.equal(innerMtu(1500, shape({ udp: false, version: 6 })), 1426);
  assert.equal(innerMtu(1500, shape({ ...CBC_SHA256, udp: false })), 1438);
  assert.equal(innerMtu(1500, shape({ protocol: 'ah', udp: false, ivSize: 0, icvSize: 12 })), 1456);
  assert.equal(innerMtu(1500, shape({ mode: 'transport', udp: false })), 1466);
  // 12 + 16 bytes of AH are a multiple of 4, not of 8.
  assert.equal(innerMtu(1500, shape({ protocol: 'ah', udp: false, ivSize: 0, version: 6 })), 1428);
});

test('where nothing fits, the MTU is smaller than any packet', () => {
  for (const each of shapes()) assert.ok(innerMtu(40, each) < 20);
});

test('the segment size leaves room for the headers of its family', () => {
  assert.equal(tcpMss(1438, 4), 1398);
  assert.equal(tcpMss(1438, 6), 1378);
});
