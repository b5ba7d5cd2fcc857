// Rekeying of a child when one side wants it: RFC 7296 §1.3.3, §2.8, §2.25.1.

import assert from 'node:assert/strict';
import { child, offers, sides } from '../../support/connections.ts';
import { Pair, type Side, type SideOptions } from '../../support/pair.ts';
import { change, drop, listen, request, response } from '../../support/tamper.ts';
import { ends, flow, quiet, settled, situation } from './narrate.ts';

function rekey(side: Side): number {
  const old = side.child;
  side.run(side.endpoint.rekeyChild(side.pair.now, old));
  return old;
}

/** Both sides with these ESP proposals; `first` is preferred by the side that rekeys. */
function withOffers(side: 'left' | 'right', first: string, second: string): [SideOptions, SideOptions] {
  const [mine, theirs] = [offers(first, 'esp'), offers(second, 'esp')];
  const [left, right] = side === 'left' ? [mine, theirs] : [theirs, mine];
  const [a, b] = sides({ children: [child({ offers: left })] });
  const [conn] = b.connections;
  if (!conn) throw new Error('no connection');
  return [a, { ...b, connections: [{ ...conn, children: conn.children.map((net) => ({ ...net, offers: right })) }] }];
}

situation('child-rekey-regular', 'the new child takes over, the old one is deleted', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const lines = listen(pair);
  const old = rekey(me);
  flow(pair, 1000);
  assert.deepEqual(lines, [
    // CREATE_CHILD_SA {N(REKEY_SA), SA, Ni, TSi, TSr} -->
    `${me.name}: N(REKEY_SA) SA(ESP) Nonce TSi TSr`,
    // <-- CREATE_CHILD_SA {SA, Nr, TSi, TSr}
    `${peer.name}: SA(ESP) Nonce TSi TSr`,
    // INFORMATIONAL {D} -->
    `${me.name}: D(ESP)`,
    // <-- INFORMATIONAL {D}
    `${peer.name}: D(ESP)`,
  ]);
  assert.notEqual(me.child, old);
  // Packets under way on the old SA are accepted for another five seconds.
  assert.equal(me.plane.sas.length, 2);
  settled(pair);
  quiet(pair);
  for (const each of [me, peer]) assert.equal(each.count('child-rekeyed'), 1);
});

situation('child-rekey-pfs', 'a key exchange makes the new keys independent of the old ones', (side) => {
  const pair = Pair.up(...withOffers(side, 'aes128gcm16-x25519-ecp256', 'aes128gcm16-ecp256-x25519'));
  const { me, peer } = ends(pair, side);
  // The first child comes with IKE_AUTH and has no key exchange of its own.
  assert.equal(me.live.children[0]?.suite.ke, 0);
  const lines = listen(pair);
  rekey(me);
  flow(pair, 1000);
  // CREATE_CHILD_SA {N(REKEY_SA), SA, Ni, KEi, TSi, TSr} -->
  // <-- CREATE_CHILD_SA {SA, Nr, KEr, TSi, TSr}
  assert.deepEqual(lines.slice(0, 2), [
    `${me.name}: N(REKEY_SA) SA(ESP) Nonce KE TSi TSr`,
    `${peer.name}: SA(ESP) Nonce KE TSi TSr`,
  ]);
  for (const each of [me, peer]) assert.equal(each.live.children[0]?.suite.ke, 31);
  settled(pair);
  // The peer, which prefers another group, stays with the one that has worked.
  lines.length = 0;
  rekey(peer);
  flow(pair, 1000);
  assert.equal(lines[0], `${peer.name}: N(REKEY_SA) SA(ESP) Nonce KE TSi TSr`);
  for (const each of [me, peer]) assert.equal(each.live.children[0]?.suite.ke, 31);
  settled(pair);
  quiet(pair);
});

situation('child-rekey-invalid-ke', 'the group that the peer names is tried, and remembered', (side) => {
  const pair = Pair.up(...withOffers(side, 'aes128gcm16-x25519-ecp256', 'aes128gcm16-ecp256'));
  const { me, peer } = ends(pair, side);
  const lines = listen(pair);
  rekey(me);
  flow(pair, 1000);
  assert.deepEqual(lines.slice(0, 4), [
    // CREATE_CHILD_SA {N(REKEY_SA), SA, Ni, KEi(x25519), TSi, TSr} -->
    `${me.name}: N(REKEY_SA) SA(ESP) Nonce KE TSi TSr`,
    // <-- CREATE_CHILD_SA {N(INVALID_KE_PAYLOAD)}
    `${peer.name}: N(INVALID_KE_PAYLOAD)`,
    // CREATE_CHILD_SA {N(REKEY_SA), SA, Ni, KEi(ecp256), TSi, TSr} -->
    `${me.name}: N(REKEY_SA) SA(ESP) Nonce KE TSi TSr`,
    `${peer.name}: SA(ESP) Nonce KE TSi TSr`,
  ]);
  settled(pair);
  lines.length = 0;
  rekey(me);
  flow(pair, 1000);
  assert.equal(lines.length, 4, 'the second rekeying begins with the right group');
  settled(pair);
  quiet(pair);
});

situation('child-rekey-soft-expire', 'a child that the peer has rekeyed is not rekeyed again', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const release = pair.hold(request(me, 'INFORMATIONAL'));
  rekey(me);
  const old = peer.child;
  flow(pair, 100);
  // The Delete is late, and the peer's own soft limit comes.
  peer.run(peer.endpoint.limit(pair.now, old, false));
  flow(pair, 500);
  assert.equal(pair.log.filter((line) => line.includes(`${peer.name}> CREATE_CHILD_SA request`)).length, 0);
  release();
  settled(pair);
  quiet(pair);
});

situation('child-rekey-hard-expire', 'the responder deletes an old child whose hard limit comes first', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const release = pair.hold(request(me, 'INFORMATIONAL'));
  const old = peer.child;
  rekey(me);
  flow(pair, 100);
  peer.run(peer.endpoint.limit(pair.now, old, true));
  flow(pair, 100);
  // <-- INFORMATIONAL {D}, crossing the one held back
  assert.match(pair.log.at(-1) ?? '', new RegExp(`${me.name}> INFORMATIONAL response`));
  release();
  settled(pair);
  quiet(pair);
});

situation(
  'child-rekey-hard-expire',
  'without any traffic, too, the new child sends when the old one is gone',
  (side) => {
    const pair = Pair.up(...sides());
    const { me, peer } = ends(pair, side);
    // The Delete comes long after, as it would from a peer that keeps old SAs for a while.
    const release = pair.hold(request(me, 'INFORMATIONAL'));
    const old = peer.child;
    rekey(me);
    pair.run(100);
    peer.run(peer.endpoint.limit(pair.now, old, true));
    pair.run(10_000);
    release();
    settled(pair);
    quiet(pair);
  },
);

situation('child-rekey-responder-delete', 'the responder may delete the old child before we do', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const release = pair.hold(request(me, 'INFORMATIONAL'));
  const old = peer.child;
  rekey(me);
  flow(pair, 100);
  peer.run(peer.endpoint.closeChild(pair.now, old));
  flow(pair, 1000);
  release();
  settled(pair);
  quiet(pair);
});

situation('child-rekey-lost-sa', 'CHILD_SA_NOT_FOUND leads to a new child', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  change(pair, request(me, 'CREATE_CHILD_SA', 'N(REKEY_SA)'), (payloads) =>
    payloads.map((payload) => (payload.tag === 'N' ? { ...payload, spi: Uint8Array.of(9, 9, 9, 9) } : payload)),
  );
  const lines = listen(pair);
  rekey(me);
  pair.run(1000);
  assert.deepEqual(lines, [
    `${me.name}: N(REKEY_SA) SA(ESP) Nonce TSi TSr`,
    // <-- CREATE_CHILD_SA {N(CHILD_SA_NOT_FOUND)}
    `${peer.name}: N(CHILD_SA_NOT_FOUND)`,
    // CREATE_CHILD_SA {SA, Ni, TSi, TSr} -->
    `${me.name}: SA(ESP) Nonce TSi TSr`,
    `${peer.name}: SA(ESP) Nonce TSi TSr`,
  ]);
  assert.equal(me.last('child-closed')?.reason.code, 'child-not-found');
  assert.equal(me.live.children.length, 1);
  assert.deepEqual(pair.faults(), []);
});

situation('child-rekey-wrong-delete', 'a Delete for an SPI that nobody has changes nothing', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  change(pair, request(me, 'INFORMATIONAL', 'D(ESP)'), () => [
    { tag: 'D', protocol: 3, spis: [Uint8Array.of(9, 9, 9, 9), Uint8Array.of(8, 8, 8, 8)] },
  ]);
  const lines = listen(pair);
  rekey(me);
  flow(pair, 1000);
  // INFORMATIONAL {D(unknown SPIs)} --> and <-- INFORMATIONAL {}
  assert.equal(lines.at(-1), `${peer.name}: `);
  // The peer keeps the old one until its own limit comes.
  flow(pair, 10_000, 100);
  assert.equal(peer.plane.sas.length, 2);
  const [old] = peer.plane.sas;
  peer.run(peer.endpoint.limit(pair.now, old?.id ?? 0, true));
  settled(pair);
  quiet(pair);
});

situation('child-rekey-delete-timeout', 'a peer that never answers the Delete is dead', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  drop(pair, response(peer, 'INFORMATIONAL'));
  rekey(me);
  flow(pair, 30_000, 100);
  pair.run(2000);
  assert.equal(me.last('session-closed')?.reason.code, 'peer-dead');
  assert.equal(me.plane.sas.length, 0);
  assert.equal(peer.live.children.length, 1);
  assert.equal(peer.plane.sas.length, 1);
  assert.deepEqual(pair.faults(), []);
});
