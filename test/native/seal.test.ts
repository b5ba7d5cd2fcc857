// What the C lane makes of packets from the inside, byte for byte what its twin makes of them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat } from '../../src/bytes/bytes.ts';
import { INTEG } from '../../src/crypto/ids.ts';
import { integrity, supported } from '../../src/crypto/registry.ts';
import { GSO, SA, SOURCE, USE, USE_ALL } from '../../src/esp/layout.ts';
import { open } from '../esp/twin/frame.ts';
import type { Packet } from '../esp/twin/mail.ts';
import { anything, packets, plain, SUITES } from './anything.ts';
import { type Both, SLOT, withBoth } from './both.ts';

/** Also where the low half is about to end. */
const seqs = fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 2 ** 32 - 50, max: 2 ** 32 + 50 }));
const tunnelFlags = fc.nat(15).map((bits) => bits * SA.COPY_DF);

/** What both have sent of this batch is the same; where the IV is random, it is what stands behind it. */
function compare(both: Both, batch: readonly Packet[], seq: number, source: number): void {
  const ours = both.seal(both.read(batch), seq, source);
  const theirs = both.sent;
  assert.equal(ours.length, theirs.length);
  const by = both.sas.out(SLOT)?.by;
  for (const [i, bytes] of ours.entries()) {
    const twin = theirs[i]?.bytes;
    assert.ok(twin && by);
    if ('mac' in by || by.protection.counterIv || by.protection.ivSize === 0) {
      assert.deepEqual(bytes, twin);
      continue;
    }
    assert.equal(bytes.length, twin.length);
    assert.deepEqual(bytes.subarray(0, 8), twin.subarray(0, 8));
    const text = open(by.protection, bytes, seq + i, by.extended);
    assert.ok(text, 'the twin cannot open it');
    assert.deepEqual(text, open(by.protection, twin, seq + i, by.extended));
  }
}

function sealing(loop: Parameters<Both['install']>[0], batches: fc.Arbitrary<Packet[]>, runs: number): void {
  const { flags = 0, version = 4 } = loop;
  const udp = (flags & SA.UDP) !== 0;
  const ah = (flags & SA.AH) !== 0;
  const first = udp ? SOURCE.UDP4 : ah ? SOURCE.AH4 : SOURCE.ESP4;
  const source = version === 4 ? first : first + 1;
  withBoth({}, (both) => {
    fc.assert(
      fc.property(batches, seqs, tunnelFlags, fc.nat(1500), (batch, seq, copies, mss) => {
        both.having({ ...loop, flags: flags | copies, mss4: mss, mss6: Math.max(0, mss - 20) }, () =>
          compare(both, batch, (flags & SA.ESN) === 0 ? seq % 2 ** 31 : seq, source),
        );
      }),
      { numRuns: runs },
    );
  });
}

const BATCH = fc.array(packets, { minLength: 1, maxLength: 5 });

for (const { name, suite } of SUITES) {
  test(`packets of every kind are sealed alike with ${name}`, () => {
    for (const flags of [SA.UDP, SA.UDP | SA.ESN]) sealing({ suite, flags }, BATCH, 6);
  });
}

for (const [name, flags, version] of [
  ['in UDP over IPv6', SA.UDP, 6],
  ['in protocol 50 over IPv4', 0, 4],
  ['in protocol 50 over IPv6', 0, 6],
] as const) {
  test(`packets of every kind are sealed alike ${name}`, () => sealing({ flags, version }, BATCH, 300));
}

const WHOLE = fc.array(
  plain.map((bytes) => ({ bytes, gso: GSO.NONE, mss: 0 })),
  { minLength: 1, maxLength: 5 },
);

test('the payload alone is sealed alike in transport mode', () => {
  for (const version of [4, 6] as const) sealing({ flags: SA.UDP | SA.TRANSPORT, version }, WHOLE, 200);
});

for (const integ of supported.integ) {
  const suite = { encr: 0, keyBits: undefined, integ, encrSize: 0, integSize: integrity(integ)?.keySize ?? 0 };
  const name = Object.entries(INTEG).find(([, id]) => id === integ)?.[0];
  test(`AH is alike with ${name}, in both modes and families, extended or not`, () => {
    for (const version of [4, 6] as const) {
      for (const esn of [0, SA.ESN]) {
        sealing({ suite, flags: SA.AH | esn, version }, BATCH, 10);
        sealing({ suite, flags: SA.AH | SA.TRANSPORT | esn, version }, WHOLE, 10);
      }
    }
  });
}

test('what goes out as one message for the kernel to cut is the same bytes one after the other', () => {
  withBoth({ uses: USE_ALL }, (both) => {
    both.install({ flags: SA.UDP });
    fc.assert(
      fc.property(BATCH, (batch) => {
        const ours = both.seal(both.read(batch), 1, SOURCE.UDP4);
        assert.deepEqual(concat(...ours), concat(...both.sent.map(({ bytes }) => bytes)));
        assert.ok(ours.length <= both.sent.length);
      }),
      { numRuns: 200 },
    );
  });
});

test('without a virtio header in front, packets are read and sealed alike', () => {
  withBoth({ uses: USE.MMSG }, (both) => {
    both.install({ flags: SA.UDP });
    const alone = anything.map((bytes) => [{ bytes, gso: GSO.NONE, mss: 0 }]);
    fc.assert(
      fc.property(alone, (batch) => compare(both, batch, 1, SOURCE.UDP4)),
      { numRuns: 200 },
    );
  });
});

test('[E10] bytes that are no packet, and super-packets that lie, are read or refused alike', () => {
  withBoth({}, (both) => {
    const garbage = fc
      .tuple(
        fc.uint8Array({ minLength: 1, maxLength: 120 }),
        fc.constantFrom(0x45, 0x46, 0x4f, 0x60, 0x00, 0xff),
        fc.constantFrom(GSO.NONE, GSO.TCP, GSO.UDP),
        fc.nat(200),
      )
      .map(([bytes, first, gso, mss]) => ({ bytes: Uint8Array.of(first, ...bytes.subarray(1)), gso, mss }));
    fc.assert(
      fc.property(fc.array(garbage, { minLength: 1, maxLength: 8 }), (batch) => {
        const cut = batch.map((each) => ({ ...each, bytes: each.bytes.slice() }));
        both.read(cut);
        // What was refused does not stand in the way of what follows.
        assert.equal(both.read([{ bytes: new Uint8Array(40).fill(0x45, 0, 1), gso: GSO.NONE, mss: 0 }]), 1);
      }),
      { numRuns: 500 },
    );
  });
});
