// Well-formed IP packets of every kind, for properties over the lanes.

import fc from 'fast-check';
import { concat } from '../../src/bytes/bytes.ts';
import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import { cipherShape, integrity, supported } from '../../src/crypto/registry.ts';
import { GSO } from '../../src/esp/layout.ts';
import { ipv4, ipv6, tcp, text, udp, whole } from '../esp/packets.ts';
import { sealHeader, view } from '../esp/twin/ip.ts';
import type { Packet } from '../esp/twin/mail.ts';

/** Mostly ordinary, but also the edges. */
const sizes = fc.oneof({ weight: 3, arbitrary: fc.nat(300) }, fc.integer({ min: 1200, max: 1500 }), fc.nat(9000));

/** What may stand in a TCP header: real options at all places, and bytes that are none. */
const options = fc.oneof(
  fc.constant(new Uint8Array(0)),
  fc.tuple(fc.nat(3), fc.nat(0xffff), fc.nat(4)).map(([nops, value, more]) => {
    const option = Uint8Array.of(
      ...new Array(nops).fill(1),
      2,
      4,
      value >> 8,
      value & 0xff,
      ...new Array(more).fill(1),
    );
    return concat(option, new Uint8Array((4 - (option.length % 4)) % 4));
  }),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => bytes.subarray(0, bytes.length & ~3)),
);

const segment = fc
  .record({ flags: fc.nat(255), seq: fc.nat(0xffff_ffff), options, size: sizes, seed: fc.nat(255) })
  .map(({ size, seed, ...rest }) => ({ protocol: 6 as const, bytes: tcp({ ...rest, data: text(size, seed) }) }));

const datagram = fc
  .tuple(sizes, fc.nat(255))
  .map(([size, seed]) => ({ protocol: 17 as const, bytes: concat(udp(seed, 53, ''), text(size, seed)) }))
  .map(({ protocol, bytes }) => {
    view(bytes).setUint16(4, bytes.length);
    return { protocol, bytes };
  });

const other = fc
  .tuple(fc.constantFrom(1, 58, 47, 132, 253), fc.uint8Array({ maxLength: 200 }))
  .map(([protocol, bytes]) => ({ protocol, bytes }));

const upper = fc.oneof(segment, datagram, other);

const about = fc.record({
  tos: fc.oneof(fc.constantFrom(0, 2), fc.nat(255)),
  df: fc.boolean(),
  id: fc.nat(0xffff),
  /** Right checksums, or whatever there is. */
  right: fc.boolean(),
});

function summed(packet: Uint8Array, protocol: number, right: boolean): Uint8Array {
  return right && (protocol === 6 || protocol === 17) ? whole(packet, protocol) : packet;
}

/** Without options. */
const plain4 = fc.tuple(upper, about).map(([{ protocol, bytes }, { tos, df, id, right }]) => {
  const packet = ipv4('10.1.0.1', '10.2.0.1', bytes, { protocol, tos, df });
  view(packet).setUint16(4, id);
  if (right) sealHeader(packet);
  return summed(packet, protocol, right);
});

const plain6 = fc
  .tuple(upper, about)
  .map(([{ protocol, bytes }, { tos, right }]) =>
    summed(ipv6('fd00:1::1', 'fd00:2::1', bytes, protocol, tos), protocol, right),
  );

/** As transport mode carries them. */
export const plain = fc.oneof(plain4, plain6);

const fragment4 = fc.tuple(plain4, fc.nat(0x1fff), fc.boolean()).map(([packet, offset, more]) => {
  view(packet).setUint16(6, (more ? 0x2000 : 0) | offset);
  sealHeader(packet);
  return packet;
});

const optioned4 = fc.tuple(plain4, fc.integer({ min: 1, max: 10 })).map(([packet, words]) => {
  const longer = concat(packet.subarray(0, 20), new Uint8Array(words * 4).fill(1), packet.subarray(20));
  longer[0] = 0x45 + words;
  view(longer).setUint16(2, longer.length);
  sealHeader(longer);
  return longer;
});

/** Extension headers in any order, fragments among them. */
const extended6 = fc
  .tuple(plain6, fc.array(fc.tuple(fc.constantFrom(0, 43, 44, 51, 60), fc.nat(2)), { minLength: 1, maxLength: 9 }))
  .map(([packet, kinds]) => {
    let next = packet[6] as number;
    let rest = packet.subarray(40);
    for (const [kind, units] of kinds.toReversed()) {
      const header = new Uint8Array(kind === 44 ? 8 : 8 * (units + 1));
      header[0] = next;
      header[1] = kind === 44 ? 0 : kind === 51 ? header.length / 4 - 2 : units;
      rest = concat(header, rest);
      next = kind;
    }
    const longer = concat(packet.subarray(0, 40), rest);
    longer[6] = next;
    view(longer).setUint16(4, rest.length);
    return longer;
  });

export const anything = fc.oneof({ weight: 3, arbitrary: plain }, fragment4, optioned4, extended6);

/** To be cut, or to be left alone. */
export const packets: fc.Arbitrary<Packet> = fc.oneof(
  { weight: 2, arbitrary: anything.map((bytes) => ({ bytes, gso: GSO.NONE, mss: 0 })) },
  fc
    .tuple(
      fc.oneof(plain, extended6),
      fc.constantFrom(GSO.TCP, GSO.UDP),
      // A batch must fit into a socket's buffer.
      fc.integer({ min: 1, max: 20 }),
      fc.nat(20),
    )
    .map(([bytes, gso, parts, more]) => ({ bytes, gso, mss: Math.ceil(bytes.length / parts) + more })),
);

const NAMES = new Map<number, string>(Object.entries(ENCR).map(([name, id]) => [id, name]));
const INTEG_NAMES = new Map<number, string>(Object.entries(INTEG).map(([name, id]) => [id, name]));

/** Every cipher with every integrity algorithm that it can have. */
export const SUITES = supported.encr.flatMap(({ id: encr, keyBits }) => {
  const shape = cipherShape(encr, keyBits);
  const integs = shape?.aead ? [INTEG.NONE] : supported.integ;
  return integs.map((integ) => ({
    name: [NAMES.get(encr), keyBits, INTEG_NAMES.get(integ)].filter((word) => word !== undefined).join(' '),
    suite: {
      ...{ encr, keyBits, integ },
      encrSize: (shape?.keySize ?? 0) + (shape?.saltSize ?? 0),
      integSize: integrity(integ)?.keySize ?? 0,
    },
  }));
});
