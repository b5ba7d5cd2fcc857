// SECURITY A23 in IKEv1: quick modes of a peer that may say anything, asked of gateways with all that a child can be: PFS,
// AH, transport mode, IPv6, several children and selectors, behind a NAT and with UDP forced.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Connection } from '../../src/ike/connection.ts';
import { EXCHANGE, SA_ATTRIBUTE } from '../../src/ike/v1/wire/constants.ts';
import type { Attribute, Id, Payload, Proposal } from '../../src/ike/v1/wire/payload.ts';
import { child, offers, selectors } from '../support/connections.ts';
import { octets } from '../support/wire.ts';
import { id as anyId, payload as anyPayload } from '../support/wire1.ts';
import { assertCalm, establishedIn, PEER, sessions1, up1 } from './guest1.ts';
import { bugs } from './oracle.ts';
import { ESP1, OURS, THEIRS } from './quick1.ts';

const LOCAL = selectors('10.2.0.0/24', 'dynamic', '2001:db8:2::/48', '10.9.0.0/16[udp/53]');
const REMOTE = selectors('10.1.0.0/24', 'dynamic', '2001:db8:1::/48');

const CONFIGURED: readonly [string, Partial<Connection>][] = [
  ['PFS', { children: [child({ offers: offers('aes128-sha256-modp2048,aes256-sha512-ecp256', 'esp') })] }],
  ['AH', { children: [child({ protocol: 'ah', offers: offers('sha256-modp2048,sha256', 'ah') })] }],
  ['transport mode', { children: [child({ mode: 'transport', tunnelFallback: false, offers: ESP1 })] }],
  ['transport mode or tunnel', { children: [child({ mode: 'transport', offers: offers('aes128-sha256', 'esp') })] }],
  [
    'UDP',
    { encap: 'yes', children: [child({ offers: ESP1 }), child({ name: 'host', mode: 'transport', offers: ESP1 })] },
  ],
  [
    'all of it',
    {
      encap: 'yes',
      children: [
        child({ name: 'a', offers: ESP1 }),
        child({ name: 'b', protocol: 'ah', offers: offers('sha256', 'ah') }),
      ],
    },
  ],
].map(([name, over]): [string, Partial<Connection>] => {
  const { children = [], ...rest } = over as Partial<Connection>;
  return [name as string, { ...rest, children: children.map((one) => ({ ...one, localTs: LOCAL, remoteTs: REMOTE })) }];
});

const value = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 4, 5, 7, 9, 14, 19, 128, 256, 61_443, 61_444, 65_535),
  fc.nat({ max: 65_535 }),
);
const attribute: fc.Arbitrary<Attribute> = fc.oneof(
  fc
    .tuple(fc.constantFrom<number>(...Object.values(SA_ATTRIBUTE)), value)
    .map(([type, n]): Attribute => ({ type, value: Uint8Array.of(n >> 8, n & 0xff), short: true })),
  fc
    .tuple(fc.constantFrom<number>(...Object.values(SA_ATTRIBUTE)), octets(0, 9))
    .map(([type, bytes]): Attribute => ({ type, value: bytes, short: false })),
);
const written = (...pairs: readonly (readonly [number, number])[]): Attribute[] =>
  pairs.map(([type, n]) => ({ type, value: Uint8Array.of(n >> 8, n & 0xff), short: true }));

/** Transforms that would do, some of their attributes replaced. */
const transform = fc
  .tuple(
    fc.constantFrom(12, 12, 12, 5),
    fc.constantFrom(1, 1, 2, 3, 4),
    fc.constantFrom(0, 0, 14),
    fc.oneof(fc.constant([]), fc.array(attribute, { maxLength: 3 })),
    fc.boolean(),
  )
  .map(([id, encapsulation, group, some, whole]) => {
    const good = written(
      [SA_ATTRIBUTE.ENCAPSULATION, encapsulation],
      [SA_ATTRIBUTE.AUTHENTICATION, 5],
      ...(id === 12 ? [[SA_ATTRIBUTE.KEY_LENGTH, 128] as const] : []),
      ...(group > 0 ? [[SA_ATTRIBUTE.GROUP, group] as const] : []),
    );
    const kept = good.filter(({ type }) => whole || !some.some((one) => one.type === type));
    return { number: 1, id, attributes: [...kept, ...some] };
  });

const proposal: fc.Arbitrary<Proposal> = fc
  .tuple(
    fc.nat({ max: 3 }),
    fc.constantFrom(2, 3, 3, 3, 1),
    fc.oneof({ weight: 5, arbitrary: octets(4) }, { weight: 1, arbitrary: octets(0, 9) }),
    fc.array(transform, { minLength: 1, maxLength: 3 }),
  )
  .map(([number, protocol, spi, transforms]) => ({ number, protocol, spi, transforms }));

const ids: fc.Arbitrary<readonly Id[]> = fc.oneof(
  fc.constant([THEIRS, OURS]),
  fc.constant([]),
  fc.array(anyId, { maxLength: 3 }),
  anyId.map((one) => [one, OURS]),
);

const asked: fc.Arbitrary<Payload[]> = fc
  .tuple(
    fc.array(proposal, { minLength: 1, maxLength: 3 }),
    octets(8, 64),
    fc.option(fc.oneof(octets(32), octets(1, 300)), { nil: undefined }),
    ids,
    fc.array(anyPayload, { maxLength: 2 }),
  )
  .map(([proposals, data, ke, names, more]) => [
    { tag: 'SA', proposals },
    { tag: 'NONCE', data },
    ...(ke ? [{ tag: 'KE', data: ke } as const] : []),
    ...names.map((id): Payload => ({ tag: 'ID', id })),
    ...more.filter(({ tag }) => tag !== 'HASH'),
  ]);

const NATS = [
  { natLocal: false, natRemote: false },
  { natLocal: true, natRemote: true },
];

for (const [name, conn] of CONFIGURED) {
  test(`[A23] quick modes of any kind, asked of a gateway with ${name}, break nothing`, () => {
    let installed = 0;
    fc.assert(
      fc.property(fc.array(asked, { minLength: 1, maxLength: 8 }), fc.constantFrom(...NATS), (requests, nat) => {
        const { lone, peer } = up1({ conn });
        const [session] = sessions1(lone);
        assert.ok(session);
        Object.assign(session.state, nat);
        for (const payloads of requests) {
          const quick = peer.quick();
          const [answer] = lone.receive(quick.say(payloads), PEER);
          assert.equal(bugs(lone.endpoint), 0);
          if (answer?.[18] !== EXCHANGE.QUICK_MODE) continue;
          quick.hear(answer);
          lone.receive(quick.third(), PEER);
        }
        installed += lone.installed;
        assertCalm(lone);
        assert.ok(establishedIn(lone) <= 1);
      }),
      { numRuns: 150, seed: 20_260_104 },
    );
    assert.ok(installed > 0, `${name}: ${installed} children`);
  });
}
