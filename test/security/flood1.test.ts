// SECURITY D in IKEv1: floods of strangers, and of people who have proven their address or who they are. What
// is kept is bounded, what is answered is bounded by what came, and a good peer gets in.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uint32 } from '../../src/bytes/bytes.ts';
import { notify } from '../../src/ike/v1/payloads.ts';
import type { Session } from '../../src/ike/v1/session.ts';
import { NOTIFY, PAYLOAD, PROTOCOL } from '../../src/ike/v1/wire/constants.ts';
import type { Payload } from '../../src/ike/v1/wire/payload.ts';
import { psk } from '../support/connections.ts';
import { seeded } from '../support/random.ts';
import { assertCalm, establishedIn, keyed1, lone1, PEER, served1, serves1, sessions1, up1 } from './guest1.ts';
import { bugs } from './oracle.ts';
import { Peer1 } from './peer1.ts';
import type { Lone } from './stranger.ts';

function source(i: number): { ip: string; port: number } {
  return { ip: `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`, port: 500 };
}

function length(datagrams: readonly Uint8Array[]): number {
  return datagrams.reduce((sum, { length }) => sum + length, 0);
}

/** What half-open SAs keep of what strangers have sent. */
function kept(lone: Lone): number {
  return sessions1(lone).reduce((sum, { state: { phase1 } }) => {
    const parts = [phase1?.saI, phase1?.publicI, phase1?.nonceI, phase1?.peerIdBody];
    const attributes = phase1?.proposals?.flatMap(({ spi, transforms }) => [
      spi,
      ...transforms.flatMap((one) => one.attributes.map(({ value }) => value)),
    ]);
    // A view keeps all that it is a view of.
    const buffers = new Set([...parts, ...(attributes ?? [])].flatMap((part) => part?.buffer ?? []));
    return [...buffers].reduce((all, { byteLength }) => all + byteLength, sum);
  }, 0);
}

for (const aggressive of [false, true]) {
  const what = aggressive ? 'aggressive mode' : 'main mode';

  test(`[D] 10 000 spoofed messages 1 of ${what} leave 2048 SAs at most, and a good peer gets in`, () => {
    const lone = lone1({ aggressive });
    for (let i = 0; i < 10_000; i++) {
      const first = new Peer1(i, { aggressive }).first();
      const answers = lone.receive(first, source(i));
      assert.ok(length(answers) <= 3 * first.length, `${length(answers)} for ${first.length}`);
      assert.ok(lone.endpoint.size <= 2048, `${lone.endpoint.size} sessions`);
    }
    assert.equal(serves1(lone), true);
    assert.deepEqual(lone.pass(60_000), [], 'nothing is sent again by itself');
    assert.equal(lone.endpoint.size, 1);
    assert.equal(lone.endpoint.held.halfOpen, 0);
    assertCalm(lone);
  });

  test(`[D] of messages 1 of ${what} as long as a datagram can be, little is kept`, () => {
    const lone = lone1({ aggressive });
    const long: Payload = { tag: 'VID', data: new Uint8Array(50_000) };
    const life = { type: 12, value: new Uint8Array(50_000).fill(1), short: false };
    for (let i = 0; i < 300; i++) {
      const peer = new Peer1(i, { aggressive });
      const change = (all: readonly Payload[]): Payload[] =>
        all.map((payload): Payload => {
          if (payload.tag !== 'SA' || i % 2 === 0) return payload;
          const proposals = payload.proposals.map((proposal) => ({
            ...proposal,
            transforms: proposal.transforms.map((one) => ({ ...one, attributes: [...one.attributes, life] })),
          }));
          return { ...payload, proposals };
        });
      lone.receive(
        peer.first((all) => [...change(all), ...(i % 2 === 0 ? [long] : [])]),
        source(i),
      );
    }
    assert.ok(kept(lone) < 300 * 8192, `${kept(lone)} bytes`);
    assertCalm(lone);
  });

  test(`[D] one source, and one /64 of IPv6, has five half-open SAs of ${what} at most`, () => {
    for (const address of [() => '198.51.100.7', (i: number) => `2001:db8:0:1::${(i + 1).toString(16)}`]) {
      const lone = lone1({ aggressive });
      for (let i = 0; i < 200; i++) {
        const answers = lone.receive(new Peer1(i, { aggressive }).first(), { ip: address(i), port: 1000 + i });
        assert.equal(answers.length, i < 5 ? 1 : 0);
      }
      assert.equal(lone.endpoint.size, 5);
      assert.equal(lone.count('half-open-limit'), 195);
      lone.pass(31_000);
      assert.ok(serves1(lone));
    }
  });

  test(`[D] message 1 of ${what}, repeated, gets no more bytes than it brings, and nothing comes by itself`, () => {
    const lone = lone1({ aggressive });
    const first = new Peer1(5, { aggressive }).first();
    let [heard, said] = [first.length, length(lone.receive(first, PEER))];
    assert.ok(said <= 3 * heard);
    for (let i = 0; i < 500; i++) {
      heard += first.length;
      const more = length(lone.receive(first, PEER));
      said += more;
      if (more > 0) assert.ok(said <= heard, `${said} for ${heard}`);
    }
    assert.equal(lone.endpoint.size, 1);
    assert.deepEqual(lone.pass(60_000), []);
  });

  test(`[D] fragments do not make the sender of message 1 of ${what} count for more than it sent`, () => {
    const lone = lone1({ aggressive });
    const peer = new Peer1(5, { aggressive });
    const first = peer.first();
    let [heard, said] = [first.length, length(lone.receive(first, PEER))];
    for (let i = 0; i < 200; i++) {
      const part: Payload = { tag: 'FRAG', id: i, number: 1, last: true, data: first };
      peer.cookie(sessionCookie(lone, first));
      const bytes = peer.clear([part]);
      heard += bytes.length;
      const more = length(lone.receive(bytes, PEER));
      said += more;
      if (more > 0) assert.ok(said <= heard, `${said} for ${heard}`);
    }
  });
}

test('[D] five forged messages from the address of a peer do not shut it out', () => {
  for (const aggressive of [false, true]) {
    const lone = lone1({ aggressive });
    const forged = (seed: number) => lone.receive(new Peer1(seed, { aggressive }).first(), { ip: PEER.ip, port: seed });
    for (let i = 0; i < 50; i++) forged(1000 + i);
    lone.pass(5000);
    const { peer } = keyed1({ lone, aggressive, seed: 7 });
    assert.ok(peer.keys, 'it is answered');
    for (let i = 0; i < 50; i++) forged(2000 + i);
    lone.receive(aggressive ? peer.aggressive3() : peer.proving(), PEER);
    assert.equal(establishedIn(lone), 1);
    assert.ok(lone.endpoint.size <= 6);
  }
});

test('[D] a source that begins again and again gets five answers in five seconds', () => {
  const lone = lone1();
  let answers = 0;
  for (let i = 0; i < 1000; i++) {
    answers += lone.receive(new Peer1(i).first(), { ...PEER, port: 1000 + i }).length;
    lone.pass(50);
  }
  assert.ok(answers >= 45 && answers <= 55, `${answers}`);
  assertCalm(lone);
});

function sessionCookie(lone: Lone, first: Uint8Array): Uint8Array {
  const [session] = sessions1(lone);
  assert.ok(session);
  const bytes = first.slice();
  bytes.set(session.state.spiR, 8);
  return bytes;
}

test('[D] half-open SAs whose peers have proven their address are left alone, and no more are taken beyond the limit', () => {
  const lone = lone1();
  for (let i = 0; i < 2048; i++) keyed1({ lone, seed: i, from: source(i) });
  assert.equal(lone.endpoint.size, 2048);
  assert.deepEqual(lone.receive(new Peer1(5000).first(), source(5000)), []);
  assert.equal(lone.endpoint.size, 2048);
  lone.pass(31_000);
  assert.ok(serves1(lone));
});

test('[D] the shortest message 1 that can be written gets at most three times its length', () => {
  for (const aggressive of [false, true]) {
    const lone = lone1({ aggressive });
    const peer = new Peer1(5, { aggressive });
    const first = peer.first((all) => all.filter(({ tag }) => tag !== 'VID'));
    const answers = lone.receive(first, PEER);
    assert.ok(answers.length === 1 && length(answers) <= 3 * first.length, `${length(answers)} for ${first.length}`);
    const refused = new Peer1(6, { aggressive }).first((all) =>
      all.flatMap((payload): Payload[] => {
        if (payload.tag !== 'SA') return payload.tag === 'ID' ? [payload] : [];
        const transforms = [{ number: 1, id: 1, attributes: [] }];
        return [{ tag: 'SA', proposals: [{ number: 1, protocol: 1, spi: new Uint8Array(0), transforms }] }];
      }),
    );
    assert.ok(length(lone.receive(refused, { ...PEER, port: 501 })) <= refused.length);
  }
});

test('[D] garbage in the place of message 5 costs a bounded number of keys and is answered once', () => {
  const sharedKeys = Array.from({ length: 300 }, (_, i) => psk(`a secret of somebody, number ${i}`));
  const { lone, peer } = keyed1({ sharedKeys, conn: { remoteId: { kind: 'any' } } });
  let answers = 0;
  const begun = process.cpuUsage();
  for (let i = 0; i < 3000; i++) {
    const garbage = peer.clear([{ tag: 'VID', data: seeded(i)(60) }]);
    garbage[16] = PAYLOAD.ID;
    garbage[19] = 1;
    answers += lone.receive(garbage, PEER).length;
  }
  const { user, system } = process.cpuUsage(begun);
  assert.equal(answers, 1);
  assert.equal(lone.count('unreadable-main-5'), 3000);
  assert.ok(user + system < 3_000_000, `${user + system} µs`);
  lone.pass(31_000);
  assert.equal(lone.endpoint.size, 0);
});

test('[D] guesses at the hash of aggressive mode are few for each half-open SA, and answered once', () => {
  const { lone, peer } = keyed1({ aggressive: true });
  let answers = 0;
  for (let i = 0; i < 1000; i++) {
    answers += lone.receive(peer.clear([{ tag: 'HASH', data: seeded(i)(32) }]), PEER).length;
  }
  assert.equal(answers, 1);
  assert.deepEqual(lone.receive(peer.aggressive3(), PEER), [], 'the right one is too late');
  assert.equal(establishedIn(lone), 0);
});

test('[D] quick modes of an authenticated peer, one after the other, keep a bounded number of everything', () => {
  const { lone, peer } = up1();
  const [session] = sessions1(lone);
  assert.ok(session);
  let previous: Uint8Array | undefined;
  for (let i = 0; i < 3000; i++) {
    const quick = peer.quick(i + 1);
    const [second] = lone.receive(quick.first(), PEER);
    if (!second) continue;
    quick.hear(second);
    lone.receive(quick.third(), PEER);
    const gone = previous;
    if (gone) lone.receive(peer.inform([{ tag: 'D', protocol: PROTOCOL.ESP, spis: [gone] }]), PEER);
    previous = quick.spi;
    if (i % 100 === 0) lone.pass(1);
  }
  assert.ok(session.state.quicks.length <= 320, `${session.state.quicks.length} quick modes`);
  assert.ok(session.state.children.length <= 256);
  assertCalm(lone);
});

test('[D] quick modes that an authenticated peer does not finish are 64 at most, and gone after 30 s', () => {
  const { lone, peer } = up1();
  for (let i = 0; i < 500; i++) lone.receive(peer.quick(i + 1).first(), PEER);
  assert.equal(lone.installed, 64);
  assert.equal(lone.count('too-many-quick-modes'), 436);
  lone.pass(40_000);
  assert.equal(lone.endpoint.held.spis, 0);
  assertCalm(lone);
});

test('[D] a flood of informational exchanges from an authenticated peer is answered one for one and changes nothing', () => {
  const { lone, peer } = up1();
  for (let i = 1; i <= 2000; i++) {
    const there = notify(NOTIFY.R_U_THERE, PROTOCOL.ISAKMP, peer.cookies, uint32(i));
    const many = Array.from({ length: 60 }, () => there);
    const bytes = peer.inform(i % 10 === 0 ? many : [there], { messageId: i });
    assert.ok(length(lone.receive(bytes, PEER)) <= 3 * bytes.length);
  }
  assert.equal(establishedIn(lone), 1);
  assertCalm(lone);
});

test('[D] a renewal of the IKE SA that nobody answers is given up, and the daemon goes on', () => {
  const { lone } = up1();
  const [session] = sessions1(lone);
  assert.ok(session);
  lone.run(lone.endpoint.rekeyIke(lone.now, session.state.id));
  assert.ok(lone.pass(600_000).length > 0);
  assert.ok(lone.endpoint.size <= 2);
});

test('[D] an SA whose deadline does not move, by a bug of ours, costs itself and not the gateway', () => {
  const { lone } = up1();
  up1({ lone, seed: 6, name: 'left.test', from: { ip: '203.0.113.6', port: 500 } });
  const [stuck, other] = sessions1(lone);
  assert.ok(stuck && other);
  stuck.deadline = () => lone.now;
  lone.run(lone.endpoint.checkLiveness(lone.now, stuck.state.id));
  lone.pass(1);
  assert.equal(lone.count('bug'), 1);
  assert.deepEqual(sessions1(lone), [other]);
});

test('[D] an SA that cannot even end, by a bug of ours, is taken out of everything', () => {
  const broken: [string, (session: Session) => void][] = [
    ['its deadline', (session) => void Object.assign(session, { deadline: fail })],
    ['its end', (session) => void Object.assign(session, { checkLiveness: fail, over: fail })],
  ];
  for (const [what, damage] of broken) {
    const { lone, peer } = served1();
    // One that is not finished has an SPI, too.
    lone.receive(peer.quick().first(), PEER);
    up1({ lone, seed: 6, name: 'left.test', from: { ip: '203.0.113.6', port: 500 } });
    const [bad, other] = sessions1(lone);
    assert.ok(bad && other);
    const { spis } = lone.endpoint.held;
    damage(bad);
    const effects = lone.endpoint.checkLiveness(lone.now, bad.state.id);
    const [gone] = effects.filter(({ type }) => type === 'remove');
    assert.ok(gone, `${what}: the data plane is told`);
    const ends = effects.flatMap((effect) => (effect.type === 'event' ? [effect.event.kind] : []));
    assert.deepEqual(ends.slice(-3), ['child-closed', 'child-closed', 'session-closed'], what);
    assert.equal(lone.count('bug'), 1, what);
    lone.run(effects);
    assert.deepEqual(sessions1(lone), [other], what);
    assert.deepEqual([lone.endpoint.held.spis, lone.endpoint.held.children], [spis - 2, 0]);
    lone.pass(200_000);
    assert.ok(serves1(lone));
  }
});

function fail(): never {
  throw new Error('a bug');
}

test('[D] a peer that authenticates itself again and again has nine IKE SAs at most', () => {
  for (const vendors of [true, false]) {
    const lone = lone1();
    for (let i = 0; i < 300; i++) {
      const peer = new Peer1(i);
      peer.cookie(
        lone.receive(
          peer.first((all) => all.filter(({ tag }) => vendors || tag !== 'VID')),
          PEER,
        )[0],
      );
      peer.derive(lone.receive(peer.main3(), PEER)[0]);
      lone.receive(peer.proving(), PEER);
      assert.equal(establishedIn(lone), 1);
      assert.ok(lone.endpoint.size <= 9, `${lone.endpoint.size} after ${i}`);
    }
    assert.equal(bugs(lone.endpoint), 0);
    assert.ok(serves1(lone));
  }
});
