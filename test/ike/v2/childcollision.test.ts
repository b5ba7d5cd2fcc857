// Both sides want something of the same child at once: RFC 7296 §2.8.1, §2.25.1, and §2.25.2 where the IKE SA is concerned.
// Who wins is up to the nonces, so each is played with several seeds.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { child, offers, sides } from '../../support/connections.ts';
import { Pair, type Side, type SideOptions } from '../../support/pair.ts';
import { drop, listen, request, response } from '../../support/tamper.ts';
import { collect, ends, flow, lowest, nothing, quiet, SEEDS, settled, situation } from './narrate.ts';
import type { SideName } from './situations.ts';

function rekey(side: Side): number {
  const old = side.child;
  side.run(side.endpoint.rekeyChild(side.pair.now, old));
  return old;
}

/** A pair per seed, ready for a collision. */
function each(
  side: SideName,
  play: (pair: Pair, me: Side, peer: Side) => void,
  options: [SideOptions, SideOptions] = sides(),
): void {
  for (const seed of SEEDS) {
    const pair = Pair.up(...options, seed);
    const { me, peer } = ends(pair, side);
    play(pair, me, peer);
  }
}

/** ESP proposals of the side that the test is about, and of the other. */
function withOffers(side: SideName, mine: string, theirs: string): [SideOptions, SideOptions] {
  const [left, right] = side === 'left' ? [mine, theirs] : [theirs, mine];
  const [a, b] = sides({ children: [child({ offers: offers(left, 'esp') })] });
  const [conn] = b.connections;
  if (!conn) throw new Error('no connection');
  const children = conn.children.map((net) => ({ ...net, offers: offers(right, 'esp') }));
  return [a, { ...b, connections: [{ ...conn, children }] }];
}

situation('child-rekey-collision', 'of two new children the one with the lowest nonce goes', (side) => {
  const winners = new Set<string>();
  each(side, (pair, me, peer) => {
    const nonces = collect(pair);
    const lines = listen(pair);
    rekey(me);
    rekey(peer);
    flow(pair, 1000);
    // Four nonces are compared; the loser deletes what it made, the winner the old one.
    const deletes = lines.filter((line) => line.endsWith('D(ESP)'));
    assert.equal(deletes.length, 4);
    assert.equal(new Set(lines.slice(4, 6).map((line) => line.split(':')[0])).size, 2, 'each side deletes one');
    settled(pair);
    quiet(pair);
    const winner = me.live.children[0]?.ours ? me.name : peer.name;
    // Not ours to say alone: the one of the lowest of the four nonces goes.
    assert.notEqual(winner, lowest(nonces));
    winners.add(winner);
  });
  assert.equal(winners.size, 2, 'the seeds cover both outcomes');
});

situation('child-rekey-collision-mixed', 'the sides may propose different groups', (side) => {
  const options = withOffers(side, 'aes128gcm16-x25519-ecp256', 'aes128gcm16-ecp256-x25519');
  const play = (pair: Pair, me: Side, peer: Side) => {
    rekey(me);
    rekey(peer);
    flow(pair, 1000);
    settled(pair);
    quiet(pair);
  };
  each(side, play, options);
  // One side computes slowly: what the other asks meanwhile finds the rekeying prepared, but not asked.
  const [left, right] = options;
  const slow = side === 'left' ? [{ ...left, keTime: 300 }, right] : [left, { ...right, keTime: 300 }];
  each(side, play, slow as [SideOptions, SideOptions]);
});

situation('child-rekey-collision-delayed-response', 'who waits for an answer learns from the Delete', (side) => {
  each(side, (pair, me, peer) => {
    // CREATE_CHILD_SA {…} --> and <-- CREATE_CHILD_SA {…}, the answer to mine is late
    const release = pair.hold(response(peer, 'CREATE_CHILD_SA'));
    rekey(me);
    rekey(peer);
    flow(pair, 500);
    release();
    settled(pair);
    quiet(pair);
  });
});

situation('child-rekey-collision-delayed-request', 'a request that comes after all is done is refused', (side) => {
  each(side, (pair, me, peer) => {
    const release = pair.hold(request(me, 'CREATE_CHILD_SA'));
    rekey(me);
    rekey(peer);
    flow(pair, 500);
    release();
    const lines = listen(pair);
    flow(pair, 200);
    // <-- CREATE_CHILD_SA {N(CHILD_SA_NOT_FOUND)}
    assert.equal(lines[0], `${peer.name}: N(CHILD_SA_NOT_FOUND)`);
    settled(pair);
    quiet(pair);
  });
});

situation(
  'child-rekey-collision-delayed-request-delete',
  'while the old child is being deleted: TEMPORARY_FAILURE',
  (side) => {
    each(side, (pair, me, peer) => {
      const releaseRequest = pair.hold(request(me, 'CREATE_CHILD_SA'));
      const releaseDelete = pair.hold(request(peer, 'INFORMATIONAL'));
      rekey(me);
      rekey(peer);
      flow(pair, 500);
      const lines = listen(pair);
      releaseRequest();
      flow(pair, 200);
      // <-- CREATE_CHILD_SA {N(TEMPORARY_FAILURE)}
      assert.equal(lines[0], `${peer.name}: N(TEMPORARY_FAILURE)`);
      releaseDelete();
      settled(pair);
      quiet(pair);
      assert.equal(me.count('child-rekeyed'), 1);
    });
  },
);

situation('child-rekey-collision-invalid-ke', 'the second attempt may meet a child that is gone', (side) => {
  const options = withOffers(side, 'aes128gcm16-x25519-ecp256', 'aes128gcm16-ecp256');
  each(
    side,
    (pair, me, peer) => {
      rekey(me);
      rekey(peer);
      flow(pair, 1000);
      settled(pair);
      quiet(pair);
    },
    options,
  );
  // INVALID_KE_PAYLOAD comes late: the peer's own rekeying is through by then.
  each(
    side,
    (pair, me, peer) => {
      const release = pair.hold(response(peer, 'CREATE_CHILD_SA', 'N(INVALID_KE_PAYLOAD)'));
      rekey(me);
      rekey(peer);
      flow(pair, 500);
      release();
      settled(pair);
      quiet(pair);
    },
    options,
  );
});

situation('child-rekey-collision-delete', 'a child that one side closes is not rekeyed by the other', (side) => {
  each(side, (pair, me, peer) => {
    const lines = listen(pair);
    rekey(me);
    peer.run(peer.endpoint.closeChild(pair.now, peer.child));
    pair.run(5000);
    assert.deepEqual(lines.slice(0, 2), [`${me.name}: N(REKEY_SA) SA(ESP) Nonce TSi TSr`, `${peer.name}: D(ESP)`]);
    // Each is answered as usual: the Delete is confirmed, and a child on its way out is not rekeyed.
    assert.deepEqual(lines.slice(2).sort(), [`${me.name}: D(ESP)`, `${peer.name}: N(TEMPORARY_FAILURE)`].sort());
    pair.run(70_000);
    gone(pair);
  });
});

situation('child-rekey-collision-dropped-delete', 'the Delete is lost once, the rekeying comes first', (side) => {
  each(side, (pair, me, peer) => {
    drop(pair, request(peer, 'INFORMATIONAL'), 1);
    rekey(me);
    peer.run(peer.endpoint.closeChild(pair.now, peer.child));
    pair.run(75_000);
    gone(pair);
  });
});

situation('child-rekey-collision-dropped-rekey', 'the rekeying is lost once, the Delete comes first', (side) => {
  each(side, (pair, me, peer) => {
    drop(pair, request(me, 'CREATE_CHILD_SA'), 1);
    rekey(me);
    peer.run(peer.endpoint.closeChild(pair.now, peer.child));
    const lines = listen(pair);
    pair.run(5000);
    // <-- CREATE_CHILD_SA {N(CHILD_SA_NOT_FOUND)}
    assert.equal(lines.at(-1), `${peer.name}: N(CHILD_SA_NOT_FOUND)`);
    pair.run(70_000);
    gone(pair);
  });
});

situation(
  'child-rekey-collision-dropped-request',
  'a lost request is repeated into a rekeying that is done',
  (side) => {
    each(side, (pair, me, peer) => {
      drop(pair, request(me, 'CREATE_CHILD_SA'), 1);
      rekey(me);
      rekey(peer);
      flow(pair, 2000);
      settled(pair);
      quiet(pair);
    });
  },
);

situation('child-rekey-collision-ike-rekey', 'both are put off, and both happen in the end', (side) => {
  each(side, (pair, me, peer) => {
    const child = me.child;
    const session = me.session;
    const lines = listen(pair);
    rekey(me);
    peer.run(peer.endpoint.rekeyIke(pair.now, peer.session));
    flow(pair, 25);
    // CREATE_CHILD_SA {N(REKEY_SA), …} --> and <-- CREATE_CHILD_SA {SA, Ni, KEi} cross
    assert.deepEqual(
      lines.slice(2).sort(),
      [`${me.name}: N(TEMPORARY_FAILURE)`, `${peer.name}: N(TEMPORARY_FAILURE)`].sort(),
    );
    settled(pair);
    quiet(pair);
    assert.notEqual(me.child, child);
    assert.notEqual(me.session, session);
  });
});

situation('child-rekey-collision-ike-rekey-dropped', 'one of the two requests is lost once', (side) => {
  for (const lost of ['me', 'peer'] as const) {
    each(side, (pair, me, peer) => {
      const [child, session] = [me.child, me.session];
      drop(pair, request(lost === 'me' ? me : peer, 'CREATE_CHILD_SA'), 1);
      rekey(me);
      peer.run(peer.endpoint.rekeyIke(pair.now, peer.session));
      settled(pair);
      quiet(pair);
      assert.notEqual(me.child, child);
      assert.notEqual(me.session, session);
    });
  }
});

situation('child-rekey-collision-ike-delete', 'with the IKE SA everything goes', (side) => {
  each(side, (pair, me, peer) => {
    rekey(me);
    peer.run(peer.endpoint.close(pair.now, peer.session, { code: 'requested', text: 'closed' }));
    pair.run(75_000);
    nothing(pair);
    for (const one of [me, peer]) {
      assert.equal(one.count('session-closed'), 1);
      assert.equal(one.count('child-closed'), 1);
    }
  });
});

test('a collision in which every message takes another time ends with one child', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const pair = Pair.up(...sides(), seed);
    pair.wire.reorder = 1500;
    const { left, right } = pair;
    const old = right.child;
    rekey(left);
    flow(pair, 20 + pair.dice.below(300));
    right.run(right.endpoint.rekeyChild(pair.now, old));
    flow(pair, 5000, 100);
    pair.wire.reorder = 0;
    settled(pair);
    quiet(pair);
  }
});

function gone(pair: Pair): void {
  assert.deepEqual(pair.faults(), []);
  for (const one of [pair.left, pair.right]) {
    assert.equal(one.live.sessions.length, 1);
    assert.equal(one.live.children.length, 0, `${one.name} has no child`);
    assert.equal(one.plane.sas.length, 0);
  }
}
