// AH in the place of ESP: protocol 2 in proposals, REKEY_SA and Delete, and keys for integrity alone. RFC 7296 §1.3.3,
// §2.17, §3.3.1, §3.11; RFC 4302.

import assert from 'node:assert/strict';
import { same } from '../../../src/bytes/bytes.ts';
import { INTEG } from '../../../src/crypto/ids.ts';
import type { Payload } from '../../../src/ike/wire/payload.ts';
import { offers, selectors, sides } from '../../support/connections.ts';
import { Pair } from '../../support/pair.ts';
import { change, listen, request, response } from '../../support/tamper.ts';
import { ah, apart, bare, closeChild, create, esp, hosts, rekey, spi } from './kinds.ts';
import { ends, flow, one, quiet, SEEDS, settled, situation } from './narrate.ts';

situation('ah', 'is negotiated, rekeyed and deleted by its own protocol number', (side) => {
  for (const config of [ah(), hosts({ protocol: 'ah', offers: offers('sha256', 'ah') })]) {
    const pair = new Pair(...sides({ children: [config] }));
    const { me, peer } = ends(pair, side);
    const mode = config.mode === 'transport' ? 'N(USE_TRANSPORT_MODE) ' : '';
    const lines = listen(pair);
    pair.left.initiate();
    pair.run(2000);
    assert.deepEqual(lines.slice(2), [
      // IKE_AUTH {IDi, N(INITIAL_CONTACT), IDr, AUTH, [N(USE_TRANSPORT_MODE),] SA(AH), TSi, TSr} -->
      `left: IDi N(INITIAL_CONTACT) IDr AUTH ${mode}SA(AH) TSi TSr`,
      // <-- IKE_AUTH {IDr, AUTH, [N(USE_TRANSPORT_MODE),] SA(AH), TSi, TSr}
      `right: IDr AUTH ${mode}SA(AH) TSi TSr`,
    ]);
    one(pair);
    for (const each of [me, peer]) {
      const [sa] = each.plane.sas;
      assert.deepEqual(
        [sa?.protocol, sa?.mode, sa?.esn, sa?.udp, sa?.natted],
        ['ah', config.mode, false, false, false],
      );
      for (const { keys } of [sa?.inbound, sa?.outbound].flatMap((way) => way ?? [])) {
        assert.deepEqual([keys.encr, keys.keyBits, keys.integ], [0, undefined, INTEG.HMAC_SHA2_256_128]);
        assert.deepEqual([keys.encrKey.length, keys.integKey.length], [0, 32]);
      }
    }
    lines.length = 0;
    const named: Payload[] = [];
    const old = me.live.children[0]?.spiIn ?? 0;
    change(pair, request(me, 'CREATE_CHILD_SA'), (payloads) => {
      named.push(...payloads);
      return payloads;
    });
    rekey(me);
    flow(pair, 1000);
    assert.deepEqual(lines, [
      // CREATE_CHILD_SA {N(REKEY_SA, AH, SPI), [N(USE_TRANSPORT_MODE),] SA(AH), Ni, TSi, TSr} -->
      `${me.name}: N(REKEY_SA) ${mode}SA(AH) Nonce TSi TSr`,
      `${peer.name}: ${mode}SA(AH) Nonce TSi TSr`,
      // INFORMATIONAL {D(AH)} -->
      `${me.name}: D(AH)`,
      // <-- INFORMATIONAL {D(AH)}
      `${peer.name}: D(AH)`,
    ]);
    const [notify] = named;
    assert.ok(notify?.tag === 'N');
    assert.deepEqual([notify.protocol, notify.spi], [2, spi(old)]);
    settled(pair);
    rekey(peer);
    settled(pair);
    me.run(me.endpoint.rekeyIke(pair.now, me.session));
    settled(pair);
    quiet(pair);
    lines.length = 0;
    closeChild(me);
    pair.run(100);
    assert.deepEqual(lines, [`${me.name}: D(AH)`, `${peer.name}: D(AH)`]);
    assert.deepEqual([...me.plane.sas, ...peer.plane.sas], []);
    assert.equal(peer.last('child-closed')?.reason.code, 'peer-deleted');
  }
});

situation('ah', 'with its own key exchange, and another group than the first one tried', (side) => {
  const pair = bare(apart(side, ah('sha256-x25519-ecp256'), ah('sha512-sha256-ecp256')));
  const { me, peer } = ends(pair, side);
  const lines = listen(pair);
  create(me);
  pair.run(1000);
  assert.deepEqual(lines, [
    `${me.name}: SA(AH) Nonce KE TSi TSr`,
    `${peer.name}: N(INVALID_KE_PAYLOAD)`,
    `${me.name}: SA(AH) Nonce KE TSi TSr`,
    `${peer.name}: SA(AH) Nonce KE TSi TSr`,
  ]);
  one(pair);
  assert.deepEqual([me.live.children[0]?.suite.ke, me.live.children[0]?.suite.integ], [19, INTEG.HMAC_SHA2_256_128]);
  settled(pair);
  rekey(peer);
  settled(pair);
  quiet(pair);
});

// RFC 7296 §2.17: the keys of the initiator's direction come first, and for AH they are for integrity alone.
situation('ah', 'keys are cut one direction after the other, for every integrity algorithm', (side) => {
  for (const [word, size] of [
    ['md5', 16],
    ['sha1', 20],
    ['aesxcbc', 16],
    ['aescmac', 16],
    ['sha256', 32],
    ['sha384', 48],
    ['sha512', 64],
  ] as const) {
    const pair = bare(sides({ children: [ah(word)] }));
    const { me, peer } = ends(pair, side);
    create(me);
    pair.run(1000);
    one(pair);
    const [mine] = me.plane.sas;
    const [yours] = peer.plane.sas;
    assert.ok(mine && yours);
    for (const [out, into] of [
      [mine.outbound.keys, yours.inbound.keys],
      [yours.outbound.keys, mine.inbound.keys],
    ] as const) {
      assert.equal(out.integKey.length, size, word);
      assert.ok(same(out.integKey, into.integKey));
    }
    assert.ok(!same(mine.outbound.keys.integKey, mine.inbound.keys.integKey));
  }
});

situation('ah-collision', 'both create, rekey or close it at once', (side) => {
  for (const seed of SEEDS) {
    const pair = bare(sides({ children: [ah()] }), seed);
    const { me, peer } = ends(pair, side);
    create(me);
    create(peer);
    pair.run(1000);
    settled(pair);
    for (const each of [me, peer]) each.events.length = 0;
    rekey(me);
    rekey(peer);
    settled(pair);
    quiet(pair);
    closeChild(me);
    closeChild(peer);
    pair.run(1000);
    assert.deepEqual([...me.plane.sas, ...peer.plane.sas], []);
    for (const each of [me, peer]) assert.equal(each.endpoint.held.children, 0);
    create(me);
    pair.run(1000);
    rekey(me);
    closeChild(peer);
    pair.run(10_000);
    assert.deepEqual(pair.faults(), []);
    assert.equal(me.live.sessions.length, 1);
  }
});

// The peer chooses its SPIs for each protocol by itself: the same number may stand for a child of each.
situation('ah-collision', 'a child of ESP with the same SPI is another one', (side) => {
  const nets = { localTs: selectors('10.1.9.0/24'), remoteTs: selectors('10.2.9.0/24') };
  const pair = bare(sides({ children: [esp(), ah('sha256', { name: 'other', ...nets })] }));
  const { me, peer } = ends(pair, side);
  create(me);
  pair.run(1000);
  const [first] = me.live.children;
  assert.ok(first);
  // The peer answers with the number that it has given the child of ESP already.
  change(
    pair,
    response(peer, 'CREATE_CHILD_SA'),
    (payloads) =>
      payloads.map((payload) =>
        payload.tag === 'SA'
          ? { ...payload, proposals: payload.proposals.map((proposal) => ({ ...proposal, spi: spi(first.spiOut) })) }
          : payload,
      ),
    1,
  );
  create(me, 'other');
  pair.run(1000);
  assert.deepEqual(
    me.live.children.map(({ protocol, spiOut }) => [protocol, spiOut]),
    [
      ['esp', first.spiOut],
      ['ah', first.spiOut],
    ],
  );
  // INFORMATIONAL {D(ESP, SPI)}: of the two, the one of that protocol goes.
  peer.run(peer.endpoint.closeChild(pair.now, peer.live.children[0]?.id ?? 0));
  pair.run(1000);
  assert.deepEqual(
    me.live.children.map(({ protocol }) => protocol),
    ['ah'],
  );
});
