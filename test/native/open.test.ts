// What the C lane makes of packets from the network: the same packets, and the same reasons where there is none, as its
// twin finds.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat } from '../../src/bytes/bytes.ts';
import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import { integrity, supported } from '../../src/crypto/registry.ts';
import { FAILED, GSO, SA, SOURCE, USE, USE_ALL } from '../../src/esp/layout.ts';
import { ipv4, ipv6, udp } from '../esp/packets.ts';
import { view } from '../esp/twin/ip.ts';
import { sealed } from '../esp/twin/seal.ts';
import { seeded } from '../support/random.ts';
import { anything, plain, SUITES } from './anything.ts';
import { type Both, SLOT, SPI, withBoth } from './both.ts';

const FLAGS = fc.nat(15).map((bits) => bits * SA.COPY_DF);
const classes = fc.oneof(fc.constantFrom(0, 3), fc.nat(255));
const addresses = fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { minLength: 8, maxLength: 8 });
const NULL = { encr: ENCR.NULL, keyBits: undefined, integ: INTEG.HMAC_SHA2_256_128, encrSize: 0, integSize: 32 };

/** As the twin seals it under the SA that is installed. */
function twins(both: Both, packet: Uint8Array, seq: number): Uint8Array {
  const context = both.sas.out(SLOT);
  assert.ok(context);
  const [one] = sealed({ ...context, mss4: 0, mss6: 0 }, packet, GSO.NONE, 0, seq, seeded(seq));
  assert.ok(one);
  return one.bytes;
}

/** ESP around a text that nobody would seal: padding and next header are in it as they please. */
function crafted(both: Both, text: Uint8Array, seq = 1): Uint8Array {
  const by = both.sas.out(SLOT)?.by;
  assert.ok(by && 'protection' in by);
  const header = new Uint8Array(8);
  view(header).setUint32(0, SPI);
  view(header).setUint32(4, seq);
  const iv = new Uint8Array(by.protection.ivSize);
  return concat(header, iv, by.protection.seal(iv, header, text));
}

function each<T>(arbitrary: fc.Arbitrary<T>, runs: number, check: (value: T) => void): void {
  fc.assert(fc.property(arbitrary, check), { numRuns: runs });
}

for (const { name, suite } of SUITES) {
  test(`what was sealed with ${name} is opened alike, and no changed bit passes`, () =>
    withBoth({}, (both) => {
      for (const flags of [SA.UDP, SA.UDP | SA.ESN]) {
        const high = flags & SA.ESN ? 3 : 0;
        each(fc.tuple(anything, fc.nat(), FLAGS, classes, fc.nat(1500)), 5, ([packet, bit, copies, both8, mss]) => {
          both.having({ suite, flags: flags | copies, mss4: mss, mss6: mss }, () => {
            const esp = twins(both, packet, high * 2 ** 32 + 7);
            const beside = { high, class: both8 };
            const forged = esp.slice();
            const at = bit % (esp.length * 8);
            forged[at >> 3] = (forged[at >> 3] as number) ^ (0x80 >> (at & 7));
            const [good, bad] = both.open([esp, forged], SOURCE.UDP4, beside);
            assert.ok(good instanceof Uint8Array || good === FAILED.ECN);
            // The SPI has chosen the SA; in the sequence number, in IV, text and ICV everything counts.
            assert.equal(bad, FAILED.BAD_ICV);
            const [wrongHigh] = flags & SA.ESN ? both.open([esp], SOURCE.UDP4, { ...beside, high: high + 1 }) : [];
            assert.ok(wrongHigh === undefined || wrongHigh === FAILED.BAD_ICV);
          });
        });
      }
    }));
}

for (const { name, suite } of SUITES) {
  test(`[A22] every length that a packet of ${name} can be cut to fails alike`, () =>
    withBoth({}, (both) => {
      both.install({ suite, flags: SA.UDP });
      const esp = twins(both, ipv4('10.1.0.1', '10.2.0.1', udp(1, 2)), 7);
      for (let length = 8; length < esp.length; length++) {
        const [failed] = both.open([esp.subarray(0, length)], SOURCE.UDP4, {});
        assert.ok(typeof failed === 'number' && failed < 0, `${length}`);
      }
      for (let more = 1; more < 40; more++) {
        const [failed] = both.open([concat(esp, new Uint8Array(more))], SOURCE.UDP4, {});
        assert.ok(failed === FAILED.BAD_ICV || failed === FAILED.MISALIGNED, `${more} more`);
      }
    }));
}

/** Of a multiple of 4 bytes: right padding, wrong padding, more than there is; any next header. */
const texts = fc
  .record({
    front: fc.oneof(anything, fc.uint8Array({ maxLength: 100 })),
    good: fc.boolean(),
    pad: fc.oneof(fc.nat(16), fc.nat(255)),
    next: fc.option(fc.oneof(fc.constantFrom(4, 41, 59, 6, 17, 50, 51), fc.nat(255)), { nil: undefined, freq: 2 }),
    said: fc.option(fc.nat(0xffff), { nil: undefined, freq: 2 }),
    first: fc.option(fc.nat(255), { nil: undefined, freq: 2 }),
  })
  .map(({ front, good, pad, next, said, first }) => {
    const packet = front.slice();
    const v6 = (packet[0] ?? 0) >> 4 === 6;
    if (said !== undefined && packet.length > 6) view(packet).setUint16(v6 ? 4 : 2, said);
    if (first !== undefined && packet.length > 0) packet[0] = first;
    const fill = Uint8Array.from({ length: good ? pad : 0 }, (_, i) => i + 1);
    // As if it were padding of traffic flow confidentiality.
    const between = new Uint8Array((4 - ((packet.length + fill.length + 2) % 4)) % 4);
    return concat(packet, between, fill, Uint8Array.of(pad, next ?? (v6 ? 41 : 4)));
  });

test('[A22] whatever an authentic peer puts into a packet is taken or refused alike', () => {
  const found = new Map<string, number>();
  withBoth({}, (both) => {
    for (const version of [4, 6] as const) {
      for (const mode of [0, SA.TRANSPORT, SA.TRANSPORT | SA.NATTED]) {
        each(fc.tuple(texts, FLAGS, classes, addresses, fc.nat(1500)), 1500, ([text, copies, both8, ends, mss]) => {
          both.having({ suite: NULL, flags: SA.UDP | mode | copies, version, mss4: mss, mss6: mss }, () => {
            const source = version === 4 ? SOURCE.UDP4 : SOURCE.UDP6;
            const [outcome] = both.open([crafted(both, text)], source, { class: both8, addresses: ends });
            const kind = typeof outcome === 'number' ? `${outcome}` : 'a packet';
            found.set(kind, (found.get(kind) ?? 0) + 1);
          });
        });
      }
    }
  });
  const { BAD_PADDING, DUMMY, BAD_NEXT, BAD_INNER, ECN } = FAILED;
  for (const kind of [BAD_PADDING, DUMMY, BAD_NEXT, BAD_INNER, ECN, 'a packet']) {
    assert.ok(found.has(`${kind}`), `nothing was ${kind}`);
  }
});

test('[A22] padding that is good but for one byte, or as long as the text, is found out alike', () =>
  withBoth({}, (both) => {
    both.install({ suite: NULL, flags: SA.UDP });
    for (let pad = 0; pad <= 255; pad++) {
      const size = Math.ceil((pad + 2) / 4) * 4;
      const text = new Uint8Array(size);
      for (let i = 0; i < pad; i++) text[size - 2 - pad + i] = i + 1;
      text.set([pad, 59], size - 2);
      assert.deepEqual(both.open([crafted(both, text)], SOURCE.UDP4, {}), [FAILED.DUMMY], `${pad}`);
      const wrong = text.slice();
      const at = size - 2 - Math.max(1, pad);
      wrong[at] = (wrong[at] as number) ^ 1;
      assert.deepEqual(both.open([crafted(both, wrong)], SOURCE.UDP4, {}), [
        pad === 0 ? FAILED.DUMMY : FAILED.BAD_PADDING,
      ]);
      text[size - 2] = size - 1;
      assert.deepEqual(both.open([crafted(both, text)], SOURCE.UDP4, {}), [FAILED.BAD_PADDING]);
    }
  }));

test('[A22] padding that would begin in front of the text is none, though the byte before it fits', () =>
  withBoth({}, (both) => {
    both.install({ suite: NULL, flags: SA.UDP });
    // Without a cipher the text follows the sequence number, whose last byte is 1.
    for (let size = 4; size <= 256; size += 4) {
      const text = Uint8Array.from({ length: size }, (_, i) => i + 2);
      text.set([size - 1, 59], size - 2);
      assert.deepEqual(both.open([crafted(both, text, 1)], SOURCE.UDP4, {}), [FAILED.BAD_PADDING], `${size}`);
    }
  }));

test('of transport mode, the packet is made anew alike for every address, class and NAT', () =>
  withBoth({}, (both) => {
    for (const [version, source] of [
      [4, SOURCE.UDP4],
      [6, SOURCE.UDP6],
    ] as const) {
      const batch = fc.array(plain, { minLength: 1, maxLength: 5 });
      each(fc.tuple(batch, classes, addresses, fc.boolean()), 300, ([packets, both8, ends, natted]) => {
        const flags = SA.UDP | SA.TRANSPORT | (natted ? SA.NATTED : 0);
        both.having({ flags, version, mss4: 900, mss6: 900 }, () => {
          const esps = packets.map((packet, i) => twins(both, packet, i + 1));
          const outcomes = both.open(esps, source, { class: both8, addresses: ends });
          assert.equal(outcomes.length, packets.length);
          for (const outcome of outcomes) assert.ok(outcome instanceof Uint8Array);
        });
      });
    }
  }));

test('what may be joined is told alike, with and without a kernel that cuts UDP', () => {
  for (const uses of [USE_ALL & ~USE.GSO, USE.VNET]) {
    withBoth({ uses }, (both) => {
      both.install({ flags: SA.UDP });
      each(anything, 500, (packet) => void both.open([twins(both, packet, 1)], SOURCE.UDP4, {}));
    });
  }
});

for (const integ of supported.integ) {
  const suite = { encr: 0, keyBits: undefined, integ, encrSize: 0, integSize: integrity(integ)?.keySize ?? 0 };
  const name = Object.entries(INTEG).find(([, id]) => id === integ)?.[0];

  test(`AH with ${name} is taken, refused and made anew alike`, () =>
    withBoth({}, (both) => {
      for (const [version, source] of [
        [4, SOURCE.AH4],
        [6, SOURCE.AH6],
      ] as const) {
        for (const flags of [SA.AH, SA.AH | SA.ESN, SA.AH | SA.TRANSPORT]) {
          const high = flags & SA.ESN ? 3 : 0;
          each(fc.tuple(plain, fc.nat(), fc.boolean(), fc.nat(400)), 20, ([packet, bit, cut, length]) => {
            both.having({ suite, flags, version }, () => {
              const ah = twins(both, packet, high * 2 ** 32 + 7);
              const forged = ah.slice();
              const at = bit % (ah.length * 8);
              forged[at >> 3] = (forged[at >> 3] as number) ^ (0x80 >> (at & 7));
              const ends = version === 4 ? {} : { addresses: words('2001:db8::1', '2001:db8::2') };
              const beside = { high, class: 0, ...ends };
              both.open([ah, cut ? ah.subarray(0, Math.max(28, length)) : forged], source, beside);
              const [good] = both.open([ah], source, beside);
              assert.ok(good instanceof Uint8Array);
            });
          });
        }
      }
    }));
}

/** Remote and local, as a datagram's words. */
function words(remote: string, local: string): number[] {
  const header = ipv6(remote, local, new Uint8Array(0));
  return Array.from({ length: 8 }, (_, i) => view(header).getInt32(8 + 4 * i));
}
