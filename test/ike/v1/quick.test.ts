// Quick mode when the wire is bad, renewal of children, both sides at once, and their end: RFC 2409 §5.5; TESTING §2.
// `side` is who begins.

import assert from 'node:assert/strict';
import type { Child } from '../../../src/ike/connection.ts';
import { child, offers, selectors, sides1 } from '../../support/connections.ts';
import type { Pair, Side } from '../../support/pair.ts';
import {
  closed,
  flow,
  once,
  one,
  quiet,
  type Scene,
  type SideName,
  serving,
  settled,
  situation,
  strangers,
  tunnel,
} from './narrate.ts';

const QUICK = ['QM1', 'QM2', 'QM3'] as const;

/** With and without a key exchange of its own. */
const CHILDREN: readonly Child[] = ['aes128-sha256', 'aes128-sha256-modp2048'].map((text) =>
  child({ offers: offers(text, 'esp') }),
);

function options(net: Child) {
  return sides1({ children: [net], dpdDelay: 60_000 });
}

function sender({ me, peer }: Scene, name: string): Side {
  return name === 'QM2' ? peer : me;
}

/** An IKE SA without a child, and then the child. */
function bare(side: SideName, net: Child): Scene {
  const scene = strangers(side, options(net));
  scene.pair.left.initiate([]);
  scene.pair.run(1000);
  return scene;
}

function create(side: Side): void {
  side.run(side.endpoint.createChild(side.pair.now, side.session, 'net'));
}

function rekey(side: Side): void {
  const [old] = serving(side);
  if (old) side.run(side.endpoint.rekeyChild(side.pair.now, old.id));
}

function fine(scene: Scene): void {
  const { pair, ear } = scene;
  one(pair);
  quiet(pair);
  flow(pair, 1000);
  pair.run(150_000);
  one(pair);
  assert.deepEqual(ear.problems, []);
  closed(scene);
}

situation('quick-lost', 'it is said again, with the same bytes', (side) => {
  for (const net of CHILDREN) {
    for (const name of QUICK) {
      for (const times of [1, 2, 3]) {
        const scene = bare(side, net);
        const { pair, ear, me } = scene;
        ear.drop(ear.is(sender(scene, name), name), times);
        create(me);
        pair.run(20_000);
        fine(scene);
      }
    }
  }
});

situation('quick-doubled', 'a repetition changes nothing', (side) => {
  for (const net of CHILDREN) {
    for (const name of QUICK) {
      const scene = bare(side, net);
      const { pair, ear, me } = scene;
      ear.multiply(ear.is(sender(scene, name), name), 3);
      create(me);
      pair.run(2000);
      assert.deepEqual([me.plane.sas.length, me.other.plane.sas.length], [1, 1]);
      fine(scene);
    }
  }
});

situation('quick-late', 'after later ones it changes nothing', (side) => {
  for (const net of CHILDREN) {
    for (const name of QUICK) {
      for (const late of [1500, 5000, 40_000, 90_000]) {
        const scene = bare(side, net);
        const { pair, ear, me } = scene;
        const release = pair.hold(once(ear.is(sender(scene, name), name)));
        create(me);
        pair.run(late);
        release();
        pair.run(20_000);
        assert.deepEqual([me.plane.sas.length, me.other.plane.sas.length], [1, 1]);
        fine(scene);
      }
    }
  }
});

situation('quick-silent', 'both give up, and nothing is left of it', (side) => {
  for (const net of CHILDREN) {
    for (const name of QUICK) {
      const scene = bare(side, net);
      const { pair, ear, me } = scene;
      ear.drop(ear.is(sender(scene, name), name));
      create(me);
      pair.run(300_000);
      assert.deepEqual(pair.faults(), []);
      assert.deepEqual([me.plane.sas.length, me.other.plane.sas.length], [0, 0], name);
      assert.deepEqual([serving(me).length, serving(me.other).length], [0, 0], name);
      closed(scene);
    }
  }
});

situation('quick-silent', 'packets say what the last message would have said', (side) => {
  const scene = bare(side, CHILDREN[0] as Child);
  const { pair, ear, me } = scene;
  ear.drop(ear.is(me, 'QM3'));
  create(me);
  pair.run(500);
  assert.equal(me.other.plane.policies().length, 0);
  pair.probe();
  pair.run(1000);
  flow(pair, 60_000, 500);
  fine(scene);
});

situation('child-rekey', 'the new one is used at once, and the old one stays until its end', (side) => {
  for (const net of CHILDREN) {
    const { pair, me, peer } = tunnel(side, options(net));
    const [old] = serving(me);
    rekey(me);
    flow(pair, 2000);
    one(pair);
    quiet(pair);
    assert.deepEqual([me.count('child-rekeyed'), peer.count('child-rekeyed')], [1, 1]);
    assert.deepEqual([me.plane.sas.length, peer.plane.sas.length], [2, 2]);
    assert.notEqual(serving(me)[0]?.id, old?.id);
    pair.run(3_700_000);
    quiet(pair);
    assert.deepEqual([me.plane.sas.length, peer.plane.sas.length], [2, 2], 'and so the next one');
  }
});

situation('child-rekey', 'with delete_rekeyed the old one goes soon', (side) => {
  const { pair, me, peer } = tunnel(side, sides1({ deleteRekeyed: true }));
  rekey(me);
  flow(pair, 20_000);
  one(pair);
  quiet(pair);
  assert.deepEqual([me.plane.sas.length, peer.plane.sas.length], [1, 1]);
});

situation('child-rekey', 'with each message lost, doubled or late', (side) => {
  for (const net of CHILDREN) {
    for (const name of QUICK) {
      for (const trouble of ['lost', 'doubled', 'late'] as const) {
        const scene = tunnel(side, options(net));
        const { pair, ear, me } = scene;
        const match = once(ear.is(sender(scene, name), name));
        const release = trouble === 'late' ? pair.hold(match) : () => {};
        if (trouble === 'lost') ear.drop(match);
        if (trouble === 'doubled') ear.multiply(match, 3);
        rekey(me);
        flow(pair, 8000);
        release();
        flow(pair, 20_000);
        assert.deepEqual([me.plane.sas.length, me.other.plane.sas.length], [2, 2]);
        fine(scene);
      }
    }
  }
});

situation('child-rekey', 'one that comes to nothing leaves the old one in place', (side) => {
  for (const name of QUICK) {
    const scene = tunnel(side, options(CHILDREN[0] as Child));
    const { pair, ear, me } = scene;
    ear.drop(ear.is(sender(scene, name), name), 5);
    rekey(me);
    // Where packets flow only the first two matter: they take the place of the third.
    flow(pair, 29_000, 100);
    pair.run(60_000);
    if (name === 'QM3') fine(scene);
  }
});

/** Both at once; `twist` does something to the wire before. */
function collision(
  side: SideName,
  seed: number,
  twist: (scene: Scene) => () => void,
  net = CHILDREN[0] as Child,
): void {
  const scene = tunnel(side, options(net), seed);
  const { pair, me, peer } = scene;
  const untwist = twist(scene);
  rekey(me);
  rekey(peer);
  flow(pair, 9000);
  untwist();
  settled(pair);
  quiet(pair);
  fine(scene);
  assert.ok(me.count('child-rekeyed') >= 1 && peer.count('child-rekeyed') >= 1);
}

const SEEDS = [1, 2, 3, 4] as const;

situation('child-rekey-collision', 'both keep the same one, and no packet is lost', (side) => {
  for (const seed of SEEDS) for (const net of CHILDREN) collision(side, seed, () => () => {}, net);
});

situation('child-rekey-collision-lost', 'both keep the same one, and no packet is lost', (side) => {
  for (const seed of SEEDS) {
    for (const name of QUICK) {
      collision(side, seed, (scene) => {
        scene.ear.drop(scene.ear.is(sender(scene, name), name), 2);
        return () => {};
      });
    }
  }
});

situation('child-rekey-collision-late', 'both keep the same one, and no packet is lost', (side) => {
  for (const seed of SEEDS) {
    for (const name of QUICK) {
      // With its repetitions, or without them.
      collision(side, seed, (scene) => scene.pair.hold(once(scene.ear.is(sender(scene, name), name))));
      collision(side, seed, (scene) => scene.pair.hold(scene.ear.is(sender(scene, name), name)));
    }
  }
});

situation(
  'child-rekey-collision-late',
  'one of them is left also where both delete at once what was replaced',
  (side) => {
    for (let seed = 1; seed <= 40; seed++) {
      for (const gap of [40, 80, 115]) {
        const scene = tunnel(side, sides1({ deleteRekeyed: true, dpdDelay: 60_000 }), seed);
        const { pair, me, peer } = scene;
        Object.assign(pair.wire, { delay: 50, reorder: 72 });
        rekey(me);
        pair.later(gap, () => rekey(peer));
        pair.run(40_000);
        Object.assign(pair.wire, { delay: 10, reorder: 0 });
        settled(pair);
      }
    }
  },
);

situation('child-create-collision', 'both keep the same one', (side) => {
  for (const seed of SEEDS) {
    for (const net of CHILDREN) {
      for (const lost of ['', ...QUICK]) {
        const scene = strangers(side, options(net), seed);
        const { pair, ear, me, peer } = scene;
        pair.left.initiate([]);
        pair.run(1000);
        if (lost !== '') ear.drop(ear.is(sender(scene, lost), lost), 1);
        create(me);
        create(peer);
        pair.run(9000);
        settled(pair);
        quiet(pair);
        fine(scene);
      }
    }
  }
});

situation('child-rekey-refused', 'the old one serves on, and it is tried again', (side) => {
  const scene = tunnel(side, options(CHILDREN[0] as Child));
  const { pair, me, peer } = scene;
  const { connections, sharedKeys } = peer.options;
  const other = connections.map((conn) => ({
    ...conn,
    children: conn.children.map((net) => ({ ...net, offers: offers('aes256-sha512', 'esp') })),
  }));
  peer.endpoint.configure(other, sharedKeys);
  rekey(me);
  flow(pair, 5000);
  one(pair);
  assert.equal(me.last('note')?.reason.code, 'no-child-proposal');
  peer.endpoint.configure(connections, sharedKeys);
  flow(pair, 20_000);
  assert.equal(me.count('child-rekeyed'), 1);
  fine(scene);
});

function close(side: Side): void {
  side.run(side.endpoint.closeChild(side.pair.now, side.child));
}

situation('child-delete', 'the other side hears of it', (side) => {
  const scene = tunnel(side, options(CHILDREN[0] as Child));
  const { pair, me, peer } = scene;
  close(me);
  pair.run(1000);
  assert.deepEqual([me.live.children.length, peer.live.children.length], [0, 0]);
  assert.equal(peer.last('child-closed')?.reason.code, 'peer-deleted');
  assert.deepEqual([me.live.sessions.length, peer.live.sessions.length], [1, 1]);
  closed(scene);
});

situation('child-delete', 'both at once', (side) => {
  const scene = tunnel(side, options(CHILDREN[0] as Child));
  const { pair, me, peer } = scene;
  close(me);
  close(peer);
  pair.run(1000);
  assert.deepEqual([me.plane.sas.length, peer.plane.sas.length], [0, 0]);
  assert.deepEqual(pair.faults(), []);
  closed(scene);
});

situation(
  'child-delete',
  'a Delete that is lost leaves the other side with the child until it is made anew',
  (side) => {
    const scene = tunnel(side, options(CHILDREN[0] as Child));
    const { pair, ear, me, peer } = scene;
    ear.drop(ear.is(me, 'INFO', 'D(ESP)'), 1);
    close(me);
    pair.run(1000);
    assert.deepEqual([serving(me).length, serving(peer).length], [0, 1]);
    create(me);
    pair.run(10_000);
    one(pair);
    flow(pair, 1000);
    closed(scene);
  },
);

situation('child-delete', 'one deletes what the other renews', (side) => {
  for (let steps = 0; steps < 8; steps++) {
    const scene = tunnel(side, options(CHILDREN[0] as Child));
    const { pair, me, peer } = scene;
    rekey(peer);
    for (let i = 0; i < steps; i++) pair.step(pair.now + 100);
    const [net] = serving(me);
    if (net) me.run(me.endpoint.closeChild(pair.now, net.id));
    pair.run(20_000);
    assert.deepEqual(pair.faults(), []);
    const inward = me.plane.sas.map(({ inbound, outbound }) => `${inbound.spi} ${outbound.spi}`).sort();
    const outward = peer.plane.sas.map(({ inbound, outbound }) => `${outbound.spi} ${inbound.spi}`).sort();
    assert.deepEqual(inward, outward, `after ${steps}`);
    closed(scene);
  }
});

situation('child-pairs', 'every pair has an SA of its own, and each is renewed for itself', (side) => {
  const many = child({
    offers: offers('aes128-sha256', 'esp'),
    localTs: selectors('10.1.0.0/24', '10.1.1.0/24', '10.1.2.0/24'),
    remoteTs: selectors('10.2.0.0/24', '10.2.1.0/24'),
  });
  const scene = strangers(side, sides1({ children: [many] }));
  const { pair, ear, me } = scene;
  ear.drop(once(ear.is(scene.peer, 'QM2')));
  me.initiate();
  pair.run(20_000);
  one(pair, 6);
  for (const { id } of serving(me)) me.run(me.endpoint.rekeyChild(pair.now, id));
  for (const { id } of serving(scene.peer)) scene.peer.run(scene.peer.endpoint.rekeyChild(pair.now, id));
  pair.flowing(20_000);
  assert.deepEqual([pair.flow.lost, me.plane.policies().length], [0, 6]);
  one(pair, 6);
  quiet(pair);
  closed(scene);
});

/** What each side has, as the left one would write it. */
function narrowed(side: SideName, mine: readonly string[], theirs: readonly string[]): Pair {
  const net = (remote: readonly string[]) =>
    child({
      offers: offers('aes128-sha256', 'esp'),
      localTs: selectors('10.1.0.0/24'),
      remoteTs: selectors(...remote),
    });
  const [a, b] = side === 'left' ? [mine, theirs] : [theirs, mine];
  const mirror = net(b);
  const children = [{ ...mirror, localTs: mirror.remoteTs, remoteTs: mirror.localTs }];
  const scene = strangers(side, sides1({ children: [net(a)] }, false, { children }));
  scene.me.initiate();
  scene.pair.run(20_000);
  return scene.pair;
}

situation('child-pairs', 'a peer that narrows is followed', (side) => {
  const pair = narrowed(side, ['10.2.0.0/16'], ['10.2.1.0/24']);
  one(pair);
  flow(pair, 2000);
  const [net] = serving(pair.left);
  assert.equal(net?.remoteTs[0]?.end[2], 1);
  rekey(pair[side]);
  flow(pair, 5000);
  rekey(pair[side].other);
  flow(pair, 5000);
  one(pair);
  quiet(pair);
});

situation('child-pairs', 'one of several that the peer does not have is refused, the others stand', (side) => {
  const pair = narrowed(side, ['10.2.0.0/24', '10.9.0.0/24', '10.2.1.0/24'], ['10.2.0.0/24', '10.2.1.0/24']);
  one(pair, 2);
  const failed = pair[side].last('child-failed');
  assert.deepEqual([pair[side].count('child-failed'), failed?.reason.notify], [1, 'INVALID_ID_INFORMATION']);
});

situation('commit-bit', 'the commit bit and CONNECTED are tolerated', (side) => {
  for (const name of QUICK) {
    const scene = bare(side, CHILDREN[0] as Child);
    const { pair, ear, me } = scene;
    const match = ear.is(sender(scene, name), name);
    ear.rewrite(match, (bytes) => {
      bytes[19] = (bytes[19] ?? 0) | 0x02;
      return bytes;
    });
    create(me);
    pair.run(2000);
    fine(scene);
  }
});

situation('commit-bit', 'CONNECTED in a message of quick mode’s id, or of its own, changes nothing', (side) => {
  const scene = bare(side, CHILDREN[0] as Child);
  const { pair, ear, me, peer } = scene;
  create(me);
  pair.run(1000);
  ear.say(peer, [{ tag: 'N', protocol: 3, spi: new Uint8Array(4), kind: 16384, data: new Uint8Array(0) }]);
  pair.run(1000);
  nothingHappened(pair);
  fine(scene);
});

function nothingHappened(pair: Pair): void {
  one(pair);
  quiet(pair);
}
