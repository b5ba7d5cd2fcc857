// Both sides want something of the IKE SA at once: RFC 7296 §2.8.1, §2.8.2, §2.25.2. Each is played with several seeds,
// because the nonces decide who wins.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { child, offers, selectors, sides } from '../../support/connections.ts';
import { Pair, type Side, type SideOptions } from '../../support/pair.ts';
import { drop, listen, request, response } from '../../support/tamper.ts';
import { collect, ends, flow, lowest, nothing, quiet, SEEDS, settled, situation } from './narrate.ts';
import type { SideName } from './situations.ts';

const CLOSED = { code: 'requested', text: 'closed' } as const;

function rekey(side: Side): number {
  const old = side.session;
  side.run(side.endpoint.rekeyIke(side.pair.now, old));
  return old;
}

function close(side: Side): void {
  side.run(side.endpoint.close(side.pair.now, side.session, CLOSED));
}

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

function withOffers(side: SideName, mine: string, theirs: string): [SideOptions, SideOptions] {
  const [left, right] = side === 'left' ? [mine, theirs] : [theirs, mine];
  return sides({ offers: offers(left, 'ike') }, { offers: offers(right, 'ike') });
}

situation('ike-rekey-collision', 'of two new IKE SAs the one with the lowest nonce goes', (side) => {
  const winners = new Set<string>();
  each(side, (pair, me, peer) => {
    const nonces = collect(pair);
    const lines = listen(pair);
    const old = rekey(me);
    rekey(peer);
    flow(pair, 1000);
    // Both answer; the loser deletes what it made, the winner the old one.
    assert.equal(lines.filter((line) => line.endsWith('D(IKE)')).length, 2);
    assert.equal(new Set(lines.slice(4, 6).map((line) => line.split(':')[0])).size, 2, 'each side deletes one');
    assert.notEqual(me.session, old);
    settled(pair);
    quiet(pair);
    const winner = me.live.sessions[0]?.state.original ? me.name : peer.name;
    // Not ours to say alone: the one of the lowest of the four nonces goes.
    assert.notEqual(winner, lowest(nonces));
    winners.add(winner);
  });
  assert.equal(winners.size, 2, 'the seeds cover both outcomes');
});

situation('ike-rekey-collision-mixed', 'the sides may propose different groups, and take different times', (side) => {
  const options = withOffers(side, 'aes128gcm16-prfsha256-x25519-ecp256', 'aes128gcm16-prfsha256-ecp256-x25519');
  const play = (pair: Pair, me: Side, peer: Side) => {
    for (const one of [me, peer]) {
      const { state } = one.endpoint.sessions()[0] ?? {};
      assert.ok(state);
    }
    rekey(me);
    rekey(peer);
    flow(pair, 3000);
    settled(pair);
    quiet(pair);
  };
  each(side, play, options);
  const [left, right] = options;
  each(side, play, side === 'left' ? [{ ...left, keTime: 300 }, right] : [left, { ...right, keTime: 300 }]);
  each(side, play, [
    { ...left, keTime: 150 },
    { ...right, keTime: 150 },
  ]);
});

situation('ike-rekey-collision-delayed-response', 'who waits for an answer learns from the Delete', (side) => {
  each(side, (pair, me, peer) => {
    const release = pair.hold(response(peer, 'CREATE_CHILD_SA'));
    rekey(me);
    rekey(peer);
    flow(pair, 500);
    release();
    settled(pair);
    quiet(pair);
  });
});

situation('ike-rekey-collision-delayed-request', 'a request that comes after all is done is not answered', (side) => {
  each(side, (pair, me, peer) => {
    const release = pair.hold(request(me, 'CREATE_CHILD_SA'));
    rekey(me);
    rekey(peer);
    flow(pair, 500);
    release();
    settled(pair);
    quiet(pair);
  });
});

situation(
  'ike-rekey-collision-delayed-request-delete',
  'while the old IKE SA is being deleted: TEMPORARY_FAILURE',
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
    });
  },
);

situation('ike-rekey-collision-invalid-ke', 'the second attempt may meet an IKE SA that is gone', (side) => {
  for (const late of [false, true]) {
    each(
      side,
      (pair, me, peer) => {
        const { sharedKeys } = peer.options;
        const only = offers('aes128gcm16-prfsha256-ecp256', 'ike');
        peer.endpoint.configure(
          peer.options.connections.map((conn) => ({ ...conn, offers: only })),
          sharedKeys,
        );
        const release = late ? pair.hold(response(peer, 'CREATE_CHILD_SA', 'N(INVALID_KE_PAYLOAD)')) : () => undefined;
        rekey(me);
        rekey(peer);
        flow(pair, 500);
        release();
        settled(pair);
        quiet(pair);
      },
      sides({ offers: offers('aes128gcm16-prfsha256-x25519-ecp256', 'ike') }),
    );
  }
});

situation('ike-rekey-collision-delete', 'an IKE SA that one side closes is not rekeyed by the other', (side) => {
  each(side, (pair, me, peer) => {
    const lines = listen(pair);
    rekey(me);
    close(peer);
    pair.run(2000);
    // CREATE_CHILD_SA {SA, Ni, KEi} --> and <-- INFORMATIONAL {D} cross
    assert.ok(lines.includes(`${peer.name}: N(TEMPORARY_FAILURE)`));
    pair.run(70_000);
    nothing(pair);
    for (const one of [me, peer]) assert.equal(one.count('session-closed'), 1);
  });
});

situation('ike-rekey-collision-dropped-delete', 'the Delete is lost once, the rekeying comes first', (side) => {
  each(side, (pair, me, peer) => {
    drop(pair, request(peer, 'INFORMATIONAL'), 1);
    rekey(me);
    close(peer);
    pair.run(75_000);
    nothing(pair);
    for (const one of [me, peer]) assert.equal(one.count('session-closed'), 1);
  });
});

situation('ike-rekey-collision-dropped-rekey', 'the rekeying is lost once, the Delete comes first', (side) => {
  each(side, (pair, me, peer) => {
    drop(pair, request(me, 'CREATE_CHILD_SA'), 1);
    rekey(me);
    close(peer);
    pair.run(75_000);
    nothing(pair);
    for (const one of [me, peer]) assert.equal(one.count('session-closed'), 1);
  });
});

situation('ike-rekey-collision-dropped-request', 'a lost request is repeated into a rekeying that is done', (side) => {
  each(side, (pair, me, peer) => {
    drop(pair, request(me, 'CREATE_CHILD_SA'), 1);
    rekey(me);
    rekey(peer);
    flow(pair, 2000);
    settled(pair);
    quiet(pair);
  });
});

situation(
  'ike-rekey-collision-child-delete',
  'the Delete of a child is answered as usual, the rekeying put off',
  (side) => {
    each(side, (pair, me, peer) => {
      const before = me.session;
      const lines = listen(pair);
      rekey(me);
      peer.run(peer.endpoint.closeChild(pair.now, peer.child));
      pair.run(30);
      // <-- CREATE_CHILD_SA {N(TEMPORARY_FAILURE)} and INFORMATIONAL {D} -->
      assert.deepEqual(lines.slice(2).sort(), [`${me.name}: D(ESP)`, `${peer.name}: N(TEMPORARY_FAILURE)`].sort());
      pair.run(75_000);
      assert.deepEqual(pair.faults(), []);
      assert.notEqual(me.session, before);
      for (const one of [me, peer]) {
        assert.equal(one.endpoint.size, 1);
        assert.equal(one.live.children.length, 0);
        assert.equal(one.plane.sas.length, 0);
      }
    });
  },
);

situation('ike-rekey-collision-child-create', 'both are put off, and both happen in the end', (side) => {
  const two = [
    child(),
    child({ name: 'other', localTs: selectors('10.1.9.0/24'), remoteTs: selectors('10.2.9.0/24') }),
  ];
  for (const seed of SEEDS) {
    const pair = new Pair(...sides({ children: two }), seed);
    pair.left.initiate(['net']);
    pair.run(2000);
    const { me, peer } = ends(pair, side);
    const before = me.session;
    rekey(me);
    peer.run(peer.endpoint.createChild(pair.now, peer.session, 'other'));
    pair.run(75_000);
    assert.notEqual(me.session, before);
    assert.deepEqual(pair.faults(), []);
    for (const one of [me, peer]) {
      assert.equal(one.endpoint.size, 1);
      assert.deepEqual(one.live.children.map(({ name }) => name).sort(), ['net', 'other']);
    }
    quiet(pair);
  }
});

test('a collision in which every message takes another time ends with one IKE SA', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const pair = Pair.up(...sides(), seed);
    pair.wire.reorder = 1500;
    const { left, right } = pair;
    const old = right.session;
    rekey(left);
    flow(pair, 20 + pair.dice.below(300));
    right.run(right.endpoint.rekeyIke(pair.now, old));
    flow(pair, 10_000, 100);
    pair.wire.reorder = 0;
    flow(pair, 60_000, 500);
    settled(pair);
    quiet(pair);
  }
});

test('whatever two sides do with one tunnel at the same time, they agree afterwards', () => {
  const acts: readonly ((side: Side) => void)[] = [
    rekey,
    (side) => side.run(side.endpoint.rekeyChild(side.pair.now, side.child)),
    (side) => side.run(side.endpoint.checkLiveness(side.pair.now, side.session)),
    (side) => side.run(side.endpoint.createChild(side.pair.now, side.session, 'net')),
  ];
  let deaths = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const pair = Pair.up(...sides(), seed);
    pair.wire.loss = 0.15;
    for (let i = 0; i < 6; i++) {
      const side = pair.dice.pick([pair.left, pair.right]);
      if (side.live.sessions.length > 0 && side.live.children.length === 1) pair.dice.pick(acts)(side);
      pair.run(pair.dice.below(60));
    }
    pair.run(20_000);
    pair.wire.loss = 0;
    pair.run(120_000);
    // Five transmissions may all be lost: then the session is over, which is an end as clean as any.
    const dead = [pair.left, pair.right].some((side) => side.last('session-closed')?.reason.code === 'peer-dead');
    if (!dead) settled(pair);
    deaths += dead ? 1 : 0;
  }
  assert.ok(deaths < 5);
});
