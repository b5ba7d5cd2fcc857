// Rekeying of the IKE SA when one side wants it: RFC 7296 §1.3.2, §2.8, §2.18, §2.25.2.

import assert from 'node:assert/strict';
import { offers, sides } from '../../support/connections.ts';
import { Pair, type Side, type SideOptions } from '../../support/pair.ts';
import { change, drop, listen, request, response } from '../../support/tamper.ts';
import { ends, flow, quiet, settled, situation } from './narrate.ts';
import type { SideName } from './situations.ts';

function rekey(side: Side): number {
  const old = side.session;
  side.run(side.endpoint.rekeyIke(side.pair.now, old));
  return old;
}

/** IKE proposals of the side that the test is about, and of the other. */
function withOffers(side: SideName, mine: string, theirs: string): [SideOptions, SideOptions] {
  const [left, right] = side === 'left' ? [mine, theirs] : [theirs, mine];
  return sides({ offers: offers(left, 'ike') }, { offers: offers(right, 'ike') });
}

situation('ike-rekey-regular', 'the new IKE SA takes the children along, the old one is deleted', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const lines = listen(pair);
  const child = me.child;
  const old = rekey(me);
  flow(pair, 1000);
  assert.deepEqual(lines, [
    // CREATE_CHILD_SA {SA, Ni, KEi} -->
    `${me.name}: SA(IKE) Nonce KE`,
    // <-- CREATE_CHILD_SA {SA, Nr, KEr}
    `${peer.name}: SA(IKE) Nonce KE`,
    // INFORMATIONAL {D} -->
    `${me.name}: D(IKE)`,
    // <-- INFORMATIONAL {}
    `${peer.name}: `,
  ]);
  assert.notEqual(me.session, old);
  assert.equal(me.child, child);
  assert.equal(me.live.sessions[0]?.state.original, true);
  assert.equal(peer.live.sessions[0]?.state.original, false);
  settled(pair);
  quiet(pair);
  for (const each of [me, peer]) assert.equal(each.count('session-rekeyed'), 1);
  // The child is rekeyed and the IKE SA too, from either side, under the keys of the new one.
  for (const each of [peer, me]) {
    each.run(each.endpoint.rekeyChild(pair.now, each.child));
    flow(pair, 1000);
    rekey(each);
    settled(pair);
  }
  quiet(pair);
});

situation('ike-rekey-groups', 'the group in use is the first that is tried', (side) => {
  const both = 'aes128gcm16-prfsha256-x25519-ecp256';
  const pair = Pair.up(...withOffers(side, both, 'aes128gcm16-prfsha256-ecp256-x25519'));
  const { me, peer } = ends(pair, side);
  const group = me.live.sessions[0]?.state.suite?.ke;
  for (const each of [me, peer]) {
    const lines = listen(pair);
    rekey(each);
    flow(pair, 1000);
    assert.equal(lines.length, 4);
    assert.equal(each.live.sessions[0]?.state.suite?.ke, group);
    settled(pair);
  }
  quiet(pair);
});

situation('ike-rekey-invalid-ke', 'the group that the peer names is tried', (side) => {
  const [left, right] = sides({ offers: offers('aes128gcm16-prfsha256-x25519-ecp256', 'ike') });
  const pair = Pair.up(left, right);
  const { me, peer } = ends(pair, side);
  // The peer's configuration has changed since.
  const { sharedKeys } = peer.options;
  const changed = peer.options.connections.map((conn) => ({
    ...conn,
    offers: offers('aes128gcm16-prfsha256-ecp256', 'ike'),
  }));
  peer.endpoint.configure(changed, sharedKeys);
  const lines = listen(pair);
  rekey(me);
  flow(pair, 1000);
  assert.deepEqual(lines.slice(0, 4), [
    // CREATE_CHILD_SA {SA, Ni, KEi(x25519)} -->
    `${me.name}: SA(IKE) Nonce KE`,
    // <-- CREATE_CHILD_SA {N(INVALID_KE_PAYLOAD)}
    `${peer.name}: N(INVALID_KE_PAYLOAD)`,
    // CREATE_CHILD_SA {SA, Ni, KEi(ecp256)} -->
    `${me.name}: SA(IKE) Nonce KE`,
    `${peer.name}: SA(IKE) Nonce KE`,
  ]);
  assert.equal(me.live.sessions[0]?.state.suite?.ke, 19);
  settled(pair);
  quiet(pair);
});

situation('ike-rekey-soft-expire', 'an IKE SA that the peer has rekeyed is not rekeyed again', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const release = pair.hold(request(me, 'INFORMATIONAL', 'D(IKE)'));
  const old = peer.session;
  rekey(me);
  flow(pair, 100);
  peer.run(peer.endpoint.rekeyIke(pair.now, old));
  flow(pair, 500);
  assert.equal(pair.log.filter((line) => line.includes(`${peer.name}> CREATE_CHILD_SA request`)).length, 0);
  release();
  settled(pair);
  quiet(pair);
});

situation('ike-rekey-hard-expire', 'an old IKE SA that nobody deletes goes after a minute', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  // The Delete is lost for ever: it is given up after 31 s.
  drop(pair, request(me, 'INFORMATIONAL', 'D(IKE)'));
  rekey(me);
  flow(pair, 40_000, 100);
  assert.equal(me.endpoint.sessions().length, 1);
  assert.equal(peer.endpoint.sessions().length, 2);
  assert.equal(peer.live.sessions.length, 1);
  // The peer's own Delete meets an SA that is gone.
  flow(pair, 30_000, 100);
  settled(pair);
  quiet(pair);
});

situation('ike-rekey-responder-delete', 'the responder may delete the old IKE SA before we do', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const release = pair.hold(request(me, 'INFORMATIONAL', 'D(IKE)'));
  const old = peer.session;
  rekey(me);
  flow(pair, 100);
  peer.run(peer.endpoint.close(pair.now, old, { code: 'requested', text: 'closed' }));
  flow(pair, 1000);
  release();
  settled(pair);
  quiet(pair);
});

situation('ike-rekey-lost-sa', 'a peer that does not know the IKE SA does not answer, and is dead', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  peer.restart();
  rekey(me);
  pair.run(31_000);
  const closed = me.last('session-closed');
  assert.equal(closed?.reason.code, 'peer-dead');
  assert.equal(closed?.established, true);
  assert.equal(me.plane.sas.length, 0);
  assert.equal(peer.endpoint.counters().get('unknown-spi'), 5);
  pair.run(40_000);
  assert.equal(me.endpoint.size, 0);
});

situation(
  'ike-rekey-wrong-delete',
  'a Delete on the old IKE SA for a child does not touch what the new one has',
  (side) => {
    const pair = Pair.up(...sides());
    const { me, peer } = ends(pair, side);
    const [child] = me.live.children;
    const spi = child?.spiIn ?? 0;
    change(
      pair,
      request(me, 'INFORMATIONAL', 'D(IKE)'),
      () => [{ tag: 'D', protocol: 3, spis: [Uint8Array.of(spi >>> 24, spi >>> 16, spi >>> 8, spi)] }],
      1,
    );
    rekey(me);
    flow(pair, 1000);
    assert.equal(peer.live.children.length, 1);
    // The peer deletes the old IKE SA after a minute, gives that up 31 s later, and forgets it after another 32 s.
    flow(pair, 60_000, 500);
    settled(pair);
    quiet(pair);
  },
);

situation('ike-rekey-delete-timeout', 'without an answer to the Delete the old IKE SA goes all the same', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  drop(pair, (bytes, from) => response(peer, 'INFORMATIONAL')(bytes, from));
  rekey(me);
  flow(pair, 35_000, 100);
  assert.equal(me.endpoint.sessions().length, 1);
  settled(pair);
  quiet(pair);
});
