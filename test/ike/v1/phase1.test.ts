// Main and aggressive mode when the wire is bad: RFC 2409 §5.4; TESTING §2. `side` is who begins.

import assert from 'node:assert/strict';
import { sides1 } from '../../support/connections.ts';
import { closed, flow, once, one, quiet, type Scene, type SideName, situation, strangers } from './narrate.ts';

const MODES = {
  main: ['MM1', 'MM2', 'MM3', 'MM4', 'MM5', 'MM6'],
  aggressive: ['AM1', 'AM2', 'AM3'],
} as const;

function sender({ me, peer }: Scene, name: string) {
  return Number(name.at(-1)) % 2 === 1 ? me : peer;
}

function begin(side: SideName, mode: keyof typeof MODES, seed = 1): Scene {
  return strangers(side, sides1({ aggressive: mode === 'aggressive', dpdDelay: 30_000 }), seed);
}

/** One SA and one child, whatever happened on the way, and nothing to complain of. */
function fine(scene: Scene): void {
  const { pair, ear } = scene;
  one(pair);
  quiet(pair);
  flow(pair, 2000);
  pair.run(100_000);
  one(pair);
  assert.deepEqual(ear.problems, []);
  closed(scene);
}

for (const mode of ['main', 'aggressive'] as const) {
  situation(`${mode}-lost`, 'it is said again, with the same bytes', (side) => {
    for (const name of MODES[mode]) {
      // The second one of aggressive mode is larger than the first, and so not every repetition is answered.
      for (const times of name === 'AM2' ? [1, 2] : [1, 2, 3]) {
        const scene = begin(side, mode);
        scene.ear.drop(scene.ear.is(sender(scene, name), name), times);
        scene.me.initiate();
        scene.pair.run(20_000);
        assert.ok(scene.ear.lines.some((line) => line.includes(name)));
        fine(scene);
      }
    }
  });

  situation(`${mode}-doubled`, 'a repetition changes nothing', (side) => {
    for (const name of MODES[mode]) {
      const scene = begin(side, mode);
      scene.ear.multiply(scene.ear.is(sender(scene, name), name), 3);
      scene.me.initiate();
      scene.pair.run(2000);
      fine(scene);
    }
  });

  situation(`${mode}-late`, 'after later ones it changes nothing', (side) => {
    for (const name of MODES[mode]) {
      for (const late of [1500, 5000, 40_000]) {
        const scene = begin(side, mode);
        const { pair, ear, me } = scene;
        const release = pair.hold(once(ear.is(sender(scene, name), name)));
        me.initiate();
        pair.run(late);
        release();
        pair.run(20_000);
        fine(scene);
      }
    }
  });
}

situation('phase1-silent', 'both give up, and nothing is left', (side) => {
  for (const mode of ['main', 'aggressive'] as const) {
    for (const name of MODES[mode]) {
      const scene = begin(side, mode);
      const { pair, ear, me, peer } = scene;
      ear.drop(ear.is(sender(scene, name), name));
      me.initiate();
      pair.run(200_000);
      assert.deepEqual([me.live.sessions.length, peer.live.children.length], [0, 0], name);
      assert.ok(me.count('session-closed') === 1, name);
      closed(scene);
    }
  }
});

situation('address-other', 'who answers from another host is not heard', (side) => {
  for (const mode of ['main', 'aggressive'] as const) {
    for (const name of MODES[mode].slice(1)) {
      const scene = begin(side, mode);
      const { pair, ear, me } = scene;
      let strayed = false;
      const from = sender(scene, name);
      const match = ear.is(from, name);
      ear.drop((bytes, sent) => {
        if (strayed || !match(bytes, sent)) return false;
        strayed = true;
        pair.later(10, () => pair.inject(from.other, bytes.slice(), { ip: '192.0.2.99', port: 500 }));
        return true;
      });
      me.initiate();
      pair.run(20_000);
      assert.ok(strayed);
      const { local, remote } = from.other.live.sessions[0]?.state ?? {};
      assert.deepEqual([local?.ip, remote?.ip], [from.other.options.ip, from.options.ip]);
      fine(scene);
    }
  }
});

situation('slow-key-exchange', 'what comes in the meantime changes nothing', (side) => {
  for (const mode of ['main', 'aggressive'] as const) {
    for (const keTime of [500, 1500, 6000]) {
      const [left, right] = sides1({ aggressive: mode === 'aggressive' });
      const scene = strangers(side, [
        { ...left, keTime },
        { ...right, keTime },
      ]);
      scene.me.initiate();
      scene.pair.run(60_000);
      fine(scene);
    }
  }
});
