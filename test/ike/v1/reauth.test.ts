// Several IKE SAs between the same two: both sides having begun at once, reauthentication, restarts. RFC 2409 knows no
// rekeying of phase 1; children move to the new SA. `side` is who begins.

import assert from 'node:assert/strict';
import { child, offers, sides1 } from '../../support/connections.ts';
import type { Side } from '../../support/pair.ts';
import {
  calm,
  closed,
  flow,
  once,
  one,
  type Scene,
  serving,
  settled,
  situation,
  strangers,
  tunnel,
} from './narrate.ts';

const MODES = {
  main: ['MM1', 'MM2', 'MM3', 'MM4', 'MM5', 'MM6'],
  aggressive: ['AM1', 'AM2', 'AM3'],
} as const;
const SEEDS = [1, 2, 3, 4] as const;

function sender({ me, peer }: Scene, name: string) {
  return Number(name.at(-1)) % 2 === 1 ? me : peer;
}

function reauth(side: Side): void {
  side.run(side.endpoint.rekeyIke(side.pair.now, side.session));
}

function fine(scene: Scene): void {
  settled(scene.pair);
  // A first message that was late is a beginning that comes to nothing.
  calm(scene.pair);
  assert.deepEqual(scene.ear.problems, []);
  closed(scene);
}

/** Both begin, each in its mode, so long one after the other. */
function both(seed: number, modes: readonly [boolean, boolean], wait: number, trouble = (_: Scene) => {}): Scene {
  const [left, right] = sides1({ aggressive: true, dpdDelay: 60_000 });
  const scene = strangers('left', [left, right], seed);
  const { pair } = scene;
  trouble(scene);
  const begin = (side: Side, aggressive: boolean) => side.initiate(undefined, { ...side.conn, aggressive });
  begin(pair.left, modes[0]);
  pair.later(wait, () => void begin(pair.right, modes[1]));
  pair.run(40_000);
  return scene;
}

situation('initiate-both', 'one IKE SA with one child is left', (side) => {
  for (const seed of SEEDS) {
    for (const mine of [false, true]) {
      for (const yours of [false, true]) {
        for (const wait of [0, 5, 15, 25, 35, 45, 55, 65, 75, 85]) {
          const modes = side === 'left' ? ([mine, yours] as const) : ([yours, mine] as const);
          const { pair } = both(seed, modes, wait);
          settled(pair);
        }
      }
    }
  }
});

situation('initiate-both', '… with each message of one of them lost', (side) => {
  for (const seed of SEEDS) {
    for (const mode of ['main', 'aggressive'] as const) {
      for (const name of [...MODES[mode], 'QM1', 'QM2', 'QM3']) {
        const aggressive = mode === 'aggressive';
        const { pair } = both(seed, [aggressive, aggressive], 0, ({ pair: { left, right }, ear }) => {
          const asks = side === 'left' ? left : right;
          const odd = Number(name.at(-1)) % 2 === 1;
          ear.drop(ear.is(odd ? asks : asks.other, name), 1);
        });
        settled(pair);
      }
    }
  }
});

situation('reauth', 'the children move over, and no packet is lost', (side) => {
  for (const aggressive of [false, true]) {
    for (const seed of SEEDS) {
      const scene = tunnel(side, sides1({ aggressive, dpdDelay: 60_000 }), seed);
      const { pair, me, peer } = scene;
      const before = [me.child, me.session, peer.child, peer.session];
      reauth(me);
      flow(pair, 10_000);
      one(pair);
      assert.deepEqual([me.child, peer.child], [before[0], before[2]]);
      assert.ok(me.session !== before[1] && peer.session !== before[3]);
      assert.deepEqual([me.count('session-rekeyed'), peer.count('session-rekeyed')], [1, 1]);
      reauth(peer);
      flow(pair, 10_000);
      assert.deepEqual([me.count('session-rekeyed'), peer.count('session-rekeyed')], [2, 2]);
      fine(scene);
    }
  }
});

situation('reauth', 'by time, again and again', (side) => {
  const net = child({ offers: offers('aes128-sha256', 'esp') });
  const times = { rekeyTime: 0, reauthTime: 600_000, overTime: 60_000 };
  const never = { ...times, reauthTime: 0 };
  const [a, b] = side === 'left' ? [times, never] : [never, times];
  const scene = tunnel(side, sides1({ ...a, children: [net], dpdDelay: 60_000 }, false, b));
  const { pair, me } = scene;
  const before = me.child;
  flow(pair, 3_100_000, 1000);
  assert.equal(me.child, before);
  assert.ok(me.count('session-rekeyed') >= 5, `${me.count('session-rekeyed')}`);
  fine(scene);
});

situation('reauth-lost', 'no packet is lost', (side) => {
  for (const mode of ['main', 'aggressive'] as const) {
    for (const name of MODES[mode]) {
      for (const times of [1, 2]) {
        const scene = tunnel(side, sides1({ aggressive: mode === 'aggressive', dpdDelay: 60_000 }));
        const { pair, ear, me, peer } = scene;
        ear.drop(ear.is(sender(scene, name), name), times);
        reauth(me);
        flow(pair, 15_000);
        fine(scene);
        assert.deepEqual([me.count('session-rekeyed'), peer.count('session-rekeyed')], [1, 1], name);
      }
    }
  }
});

situation('reauth-lost', 'the Delete of the old one is lost', (side) => {
  const scene = tunnel(side, sides1({ dpdDelay: 60_000 }));
  const { pair, ear, me } = scene;
  ear.drop((bytes, from) => from === me && ear.is(me, 'INFO', 'D(ISAKMP)')(bytes, from), 1);
  reauth(me);
  flow(pair, 15_000);
  fine(scene);
});

situation('reauth-lost', 'one that comes to nothing leaves the old one in place', (side) => {
  const scene = tunnel(side, sides1({ dpdDelay: 60_000 }));
  const { pair, ear, me } = scene;
  const [old] = me.live.sessions;
  ear.drop(ear.is(me, 'MM1'), 5);
  reauth(me);
  flow(pair, 40_000, 100);
  assert.equal(me.session, old?.state.id);
  one(pair);
  reauth(me);
  flow(pair, 10_000);
  assert.notEqual(me.session, old?.state.id);
  one(pair);
});

situation('reauth-collision', 'one IKE SA is left, and no packet is lost', (side) => {
  for (const aggressive of [false, true]) {
    for (const seed of SEEDS) {
      for (const wait of [0, 5, 15, 25, 35, 45, 55, 65]) {
        const scene = tunnel(side, sides1({ aggressive, dpdDelay: 60_000 }), seed);
        const { pair, me, peer } = scene;
        reauth(me);
        pair.later(wait, () => reauth(peer));
        flow(pair, 10_000);
        fine(scene);
      }
    }
  }
});

situation('reauth-collision-lost', 'one IKE SA is left, and no packet is lost', (side) => {
  for (const mode of ['main', 'aggressive'] as const) {
    for (const name of MODES[mode]) {
      for (const seed of SEEDS) {
        for (const trouble of ['lost', 'late'] as const) {
          const scene = tunnel(side, sides1({ aggressive: mode === 'aggressive', dpdDelay: 60_000 }), seed);
          const { pair, ear, me, peer } = scene;
          const match = ear.is(sender(scene, name), name);
          const release = trouble === 'late' ? pair.hold(match) : () => {};
          if (trouble === 'lost') ear.drop(match, 2);
          reauth(me);
          reauth(peer);
          flow(pair, 4000);
          release();
          flow(pair, 10_000);
          fine(scene);
        }
      }
    }
  }
});

situation('reauth-child-rekey', 'whatever comes first, all ends well', (side) => {
  for (const other of [false, true]) {
    for (let steps = 0; steps < 9; steps++) {
      for (const lost of ['', 'QM1', 'QM2', 'QM3', 'MM6']) {
        const scene = tunnel(side, sides1({ dpdDelay: 60_000 }));
        const { pair, ear, me, peer } = scene;
        const asks = other ? peer : me;
        if (lost !== '') ear.drop(once(ear.is(lost === 'QM2' ? asks.other : lost === 'MM6' ? peer : asks, lost)));
        reauth(me);
        for (let i = 0; i < steps; i++) pair.step(pair.now + 100);
        const [net] = serving(asks);
        if (net) asks.run(asks.endpoint.rekeyChild(pair.now, net.id));
        flow(pair, 8000);
        fine(scene);
      }
    }
  }
});

situation('initial-contact', 'who has restarted says so, and what it had before is gone', (side) => {
  for (const aggressive of [false, true]) {
    const scene = tunnel(side, sides1({ aggressive, dpdDelay: 60_000 }));
    const { pair, ear, me, peer } = scene;
    pair.run(10_000);
    const old = peer.session;
    me.restart();
    me.initiate();
    pair.run(2000);
    assert.ok(
      ear.lines.some(
        (line) => line.startsWith(`${me.name} ${aggressive ? 'AM3' : 'MM5'}`) && line.includes('INITIAL_CONTACT'),
      ),
    );
    one(pair);
    assert.notEqual(peer.session, old);
    assert.deepEqual(
      [peer.last('session-closed')?.session, peer.last('session-closed')?.reason.code],
      [old, 'replaced'],
    );
    flow(pair, 5000);
    one(pair);
    closed(scene);
  }
});

situation('initial-contact', 'the one that stayed begins anew, and finds the other one without its SAs', (side) => {
  const scene = tunnel(side, sides1({ dpdDelay: 10_000 }));
  const { pair, me, peer } = scene;
  me.restart();
  pair.run(60_000);
  assert.equal(peer.last('session-closed')?.reason.code, 'peer-dead');
  peer.initiate();
  pair.run(2000);
  one(pair);
  closed(scene);
});
