// Creating children beside the first: RFC 7296 §1.3.1, §2.9, §2.25; childless IKE SAs: RFC 6023.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Connection } from '../../../src/ike/connection.ts';
import { child, offers, selectors, sides } from '../../support/connections.ts';
import { Pair, type Side, type SideOptions } from '../../support/pair.ts';
import { change, listen, note, request, response } from '../../support/tamper.ts';
import { ends, flow, one, quiet, SEEDS, settled, situation } from './narrate.ts';
import type { SideName } from './situations.ts';

const OTHER = child({ name: 'other', localTs: selectors('10.1.9.0/24'), remoteTs: selectors('10.2.9.0/24') });

function create(side: Side, name = 'net'): void {
  side.run(side.endpoint.createChild(side.pair.now, side.session, name));
}

/** An IKE SA without children, whoever is configured with which proposals. */
function bare(options: [SideOptions, SideOptions], seed = 1): Pair {
  const pair = new Pair(...options, seed);
  pair.left.initiate([]);
  pair.run(1000);
  for (const each of [pair.left, pair.right]) {
    assert.equal(each.live.sessions.length, 1);
    assert.equal(each.live.children.length, 0);
  }
  return pair;
}

/** The children of one side in the configuration of the other. */
function mirror(children: Connection['children']): Connection['children'] {
  return children.map((net) => ({ ...net, localTs: net.remoteTs, remoteTs: net.localTs }));
}

/** `mine` as the side of the test has it, seen from the left; `theirs` likewise. */
function different(side: SideName, mine: Connection['children'], theirs: Connection['children']) {
  const [left, right] = side === 'left' ? [mine, theirs] : [theirs, mine];
  return sides({ children: left }, { children: mirror(right) });
}

situation('child-create', 'CREATE_CHILD_SA makes a further child', (side) => {
  const pair = bare(sides({ children: [child(), OTHER] }));
  const { me, peer } = ends(pair, side);
  const lines = listen(pair);
  create(me);
  pair.run(100);
  create(peer, 'other');
  pair.run(100);
  assert.deepEqual(lines, [
    // CREATE_CHILD_SA {SA, Ni, TSi, TSr} -->
    `${me.name}: SA(ESP) Nonce TSi TSr`,
    // <-- CREATE_CHILD_SA {SA, Nr, TSi, TSr}
    `${peer.name}: SA(ESP) Nonce TSi TSr`,
    `${peer.name}: SA(ESP) Nonce TSi TSr`,
    `${me.name}: SA(ESP) Nonce TSi TSr`,
  ]);
  for (const each of [me, peer]) {
    assert.deepEqual(each.live.children.map(({ name }) => name).sort(), ['net', 'other']);
    assert.deepEqual(each.live.children.map((net) => net.ours).sort(), [false, true]);
  }
  pair.flowing(1000);
  assert.deepEqual(pair.flow, { sent: 400, lost: 0, refused: 0 });
  // What is there already is not made twice.
  lines.length = 0;
  create(me);
  pair.run(100);
  assert.deepEqual(lines, []);
  quiet(pair);
  assert.deepEqual(pair.faults(), []);
});

situation('child-create-collision', 'of two equal children the one with the lowest nonce goes', (side) => {
  const winners = new Set<string>();
  for (const seed of SEEDS) {
    const pair = bare(sides(), seed);
    const { me, peer } = ends(pair, side);
    create(me);
    create(peer);
    pair.run(1000);
    settled(pair);
    winners.add(me.live.children[0]?.ours ? me.name : peer.name);
  }
  assert.equal(winners.size, 2, 'the seeds cover both outcomes');
});

situation('child-create-invalid-ke', 'the group that the peer names is tried', (side) => {
  const mine = [child({ offers: offers('aes128gcm16-x25519-ecp256', 'esp') })];
  const theirs = [child({ offers: offers('aes128gcm16-ecp256', 'esp') })];
  const pair = bare(different(side, mine, theirs));
  const { me, peer } = ends(pair, side);
  const lines = listen(pair);
  create(me);
  pair.run(1000);
  assert.deepEqual(lines, [
    `${me.name}: SA(ESP) Nonce KE TSi TSr`,
    // <-- CREATE_CHILD_SA {N(INVALID_KE_PAYLOAD)}
    `${peer.name}: N(INVALID_KE_PAYLOAD)`,
    `${me.name}: SA(ESP) Nonce KE TSi TSr`,
    `${peer.name}: SA(ESP) Nonce KE TSi TSr`,
  ]);
  assert.equal(me.live.children[0]?.suite.ke, 19);
  settled(pair);
  quiet(pair);
});

situation(
  'child-create-invalid-ke',
  'a group that was not offered is not taken, and nobody is asked for ever',
  (side) => {
    for (const group of [14, 31, 19]) {
      const pair = bare(sides({ children: [child({ offers: offers('aes128gcm16-x25519-ecp256', 'esp') })] }));
      const { me, peer } = ends(pair, side);
      // <-- CREATE_CHILD_SA {N(INVALID_KE_PAYLOAD, group)}, whatever we ask
      change(pair, response(peer, 'CREATE_CHILD_SA'), () => [note('INVALID_KE_PAYLOAD', Uint8Array.of(0, group))]);
      create(me);
      pair.run(10_000);
      assert.equal(me.live.children.length, 0);
      assert.equal(me.last('child-failed')?.reason.notify, 'INVALID_KE_PAYLOAD');
      const asked = me.sent.length - 2;
      assert.ok(asked <= 4, `${asked} requests`);
      assert.equal(me.live.sessions.length, 1);
    }
  },
);

situation('childless', 'an IKE SA without a child first, where both can', (side) => {
  const lines: string[][] = [];
  for (const childless of ['prefer', 'force'] as const) {
    const [left, right] = sides({ childless }, {});
    const pair = new Pair(left, right);
    lines.push(listen(pair));
    const { me } = ends(pair, side);
    pair.left.initiate();
    pair.run(2000);
    // IKE_AUTH {IDi, N(INITIAL_CONTACT), IDr, AUTH} -->
    assert.equal(lines.at(-1)?.[2], 'left: IDi N(INITIAL_CONTACT) IDr AUTH');
    // <-- IKE_AUTH {IDr, AUTH}
    assert.equal(lines.at(-1)?.[3], 'right: IDr AUTH');
    // CREATE_CHILD_SA {SA, Ni, TSi, TSr} -->
    assert.equal(lines.at(-1)?.[4], 'left: SA(ESP) Nonce TSi TSr');
    me.run(me.endpoint.rekeyChild(pair.now, me.child));
    settled(pair);
    quiet(pair);
  }
});

situation('childless', 'a peer that does not take it gets the child in IKE_AUTH, or refuses', (side) => {
  // Whoever "never" is, the left one initiates.
  const [left, right] = sides({ childless: side === 'left' ? 'prefer' : 'force' }, { childless: 'never' });
  const pair = new Pair(left, right);
  const lines = listen(pair);
  pair.left.initiate();
  pair.run(2000);
  assert.ok(!lines[1]?.includes('CHILDLESS_IKEV2_SUPPORTED'));
  if (side === 'left') {
    // `prefer`: the peer does not say that it can.
    assert.equal(lines[2], 'left: IDi N(INITIAL_CONTACT) IDr AUTH SA(ESP) TSi TSr');
    one(pair);
  } else {
    assert.equal(pair.left.live.sessions.length, 0);
    assert.equal(pair.right.live.sessions.length, 0);
    assert.equal(pair.left.last('session-closed')?.established, false);
  }
});

situation('child-narrowed', 'what the peer narrowed away is asked for again, pair by pair', (side) => {
  const wide = child({
    localTs: selectors('10.1.0.0/24', '10.1.1.0/24'),
    remoteTs: selectors('10.2.0.0/24', '10.2.1.0/24'),
  });
  const pair = bare(sides({ children: [wide] }));
  const { me, peer } = ends(pair, side);
  // libreswan takes one pair per child, silently: its selectors stand in a child of their own each.
  const singles = ['10.1.0.0/24', '10.1.1.0/24'].flatMap((local) =>
    ['10.2.0.0/24', '10.2.1.0/24'].map((remote) =>
      child({ name: `${local}${remote}`, localTs: selectors(local), remoteTs: selectors(remote) }),
    ),
  );
  const children = peer === pair.right ? mirror(singles) : singles;
  peer.endpoint.configure(
    peer.options.connections.map((conn) => ({ ...conn, children })),
    peer.options.sharedKeys,
  );
  create(me);
  pair.run(5000);
  for (const each of [me, peer]) {
    assert.equal(each.live.children.length, 4, each.name);
    for (const net of each.live.children) assert.equal(net.localTs.length + net.remoteTs.length, 2);
  }
  pair.flowing(1000, 100);
  assert.deepEqual(pair.flow, { sent: 80, lost: 0, refused: 0 });
  assert.deepEqual(pair.faults(), []);
  quiet(pair);
  // Each is rekeyed with its own selectors.
  for (const net of [...me.live.children]) me.run(me.endpoint.rekeyChild(pair.now, net.id));
  pair.run(20_000);
  for (const each of [me, peer]) assert.equal(each.live.children.length, 4, each.name);
  assert.deepEqual(pair.faults(), []);
});

situation('child-single-pair', 'SINGLE_PAIR_REQUIRED: every pair gets a child of its own', (side) => {
  const wide = child({ localTs: selectors('10.1.0.0/24', '10.1.1.0/24'), remoteTs: selectors('10.2.0.0/24') });
  const pair = bare(sides({ children: [wide] }));
  const { me, peer } = ends(pair, side);
  change(pair, response(peer, 'CREATE_CHILD_SA'), () => [note('SINGLE_PAIR_REQUIRED')], 1);
  const lines = listen(pair);
  create(me);
  pair.run(5000);
  assert.equal(lines.filter((line) => line.startsWith(me.name)).length, 3);
  assert.equal(me.live.children.length, 2);
  for (const net of me.live.children) assert.equal(net.localTs.length + net.remoteTs.length, 2);
});

situation('child-single-pair', 'a peer that wants less than one pair is told of, not asked again', (side) => {
  const pair = bare(sides());
  const { me, peer } = ends(pair, side);
  change(pair, response(peer, 'CREATE_CHILD_SA'), () => [note('SINGLE_PAIR_REQUIRED')]);
  create(me);
  pair.run(60_000);
  assert.equal(me.last('child-failed')?.reason.code, 'single-pair');
  assert.equal(me.count('child-failed'), 1);
});

situation('child-ts-unacceptable', 'selectors that do not meet, with what both sides want', (side) => {
  const mine = [child()];
  const theirs = [child({ localTs: selectors('10.8.0.0/24'), remoteTs: selectors('10.9.0.0/24') })];
  const pair = bare(different(side, mine, theirs));
  const { me, peer } = ends(pair, side);
  const lines = listen(pair);
  create(me);
  pair.run(1000);
  assert.equal(lines[1], `${peer.name}: N(TS_UNACCEPTABLE)`);
  const heard = me.last('child-failed')?.reason;
  assert.equal(heard?.code, 'ts-mismatch');
  assert.equal(heard?.by, 'peer');
  const told = peer.last('child-failed')?.reason;
  assert.equal(told?.code, 'ts-mismatch');
  assert.equal(told?.by, 'us');
  const all = JSON.stringify(told);
  for (const net of ['10.1.0.0/24', '10.2.0.0/24', '10.8.0.0/24', '10.9.0.0/24']) assert.ok(all.includes(net), all);
  assert.ok(told?.remedy);
  // The IKE SA is none the worse.
  for (const each of [me, peer]) assert.equal(each.live.sessions.length, 1);
});

situation('child-no-proposal', 'proposals that do not meet, with want, got and where', (side) => {
  const mine = [child()];
  const theirs = [child({ offers: offers('aes256-sha256', 'esp') })];
  const pair = bare(different(side, mine, theirs));
  const { me, peer } = ends(pair, side);
  create(me);
  pair.run(1000);
  const heard = me.last('child-failed')?.reason;
  assert.equal(heard?.code, 'no-child-proposal');
  assert.equal(heard?.notify, 'NO_PROPOSAL_CHOSEN');
  assert.deepEqual(heard?.where, { file: 'gw.conf', line: 20, column: 1 });
  assert.deepEqual(heard?.want, ['aes128gcm16']);
  const told = peer.last('child-failed')?.reason;
  assert.equal(told?.code, 'no-child-proposal');
  assert.equal(told?.notify, 'NO_PROPOSAL_CHOSEN');
  assert.deepEqual(told?.want, ['aes256-sha256']);
  assert.deepEqual(told?.got, ['ESP:AES_GCM_16_128/NO_EXT_SEQ']);
  assert.deepEqual(told?.where, { file: 'gw.conf', line: 20, column: 1 });
  assert.ok(told?.misses?.length);
  for (const each of [me, peer]) assert.equal(each.live.sessions.length, 1);
});

situation('child-temporary-failure', 'a child that cannot be had now is asked for later and later', (side) => {
  const pair = bare(sides());
  const { me, peer } = ends(pair, side);
  change(pair, response(peer, 'CREATE_CHILD_SA'), () => [note('TEMPORARY_FAILURE')]);
  const from = pair.now;
  const before = me.sent.length;
  create(me);
  pair.run(600_000);
  const at = me.sent.slice(before).map((sent) => sent.at - from);
  assert.equal(me.last('child-failed')?.reason.code, 'temporary-failure');
  assert.equal(at.length, 9);
  const waits = at.slice(1).map((time, i) => time - (at[i] ?? 0));
  waits.forEach((wait, i) => {
    const full = Math.min(60_000, 1000 * 2 ** i);
    assert.ok(wait >= full / 2 && wait <= full + 100, `wait ${i}: ${wait}`);
  });
});

situation('child-temporary-failure', 'a rekeying that is put off happens in the end', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const [child, session] = [me.child, me.session];
  // The peer rekeys the IKE SA, and its request is long under way: children stay as they are meanwhile.
  const release = pair.hold(request(peer, 'CREATE_CHILD_SA'));
  peer.run(peer.endpoint.rekeyIke(pair.now, peer.session));
  const lines = listen(pair);
  me.run(me.endpoint.rekeyChild(pair.now, child));
  flow(pair, 12_000, 100);
  const refused = lines.filter((line) => line === `${peer.name}: N(TEMPORARY_FAILURE)`);
  assert.ok(refused.length >= 3, lines.join('\n'));
  release();
  settled(pair);
  quiet(pair);
  assert.notEqual(me.child, child);
  assert.notEqual(me.session, session);
});

situation('child-no-additional-sas', 'a peer that makes no further children', (side) => {
  const pair = bare(sides());
  const { me, peer } = ends(pair, side);
  change(pair, response(peer, 'CREATE_CHILD_SA'), () => [note('NO_ADDITIONAL_SAS')]);
  create(me);
  pair.run(60_000);
  assert.equal(me.last('child-failed')?.reason.code, 'no-additional-sas');
  assert.equal(me.count('child-failed'), 1);
});

situation(
  'child-no-additional-sas',
  'a peer that cannot rekey gets a new IKE SA, made before the old one is broken',
  (side) => {
    for (const ike of [false, true]) {
      const pair = Pair.up(...sides());
      const { me, peer } = ends(pair, side);
      const { session, child: old } = { session: me.session, child: me.child };
      change(pair, response(peer, 'CREATE_CHILD_SA'), () => [note('NO_ADDITIONAL_SAS')], 1);
      me.run(ike ? me.endpoint.rekeyIke(pair.now, session) : me.endpoint.rekeyChild(pair.now, old));
      pair.flowing(10_000, 100);
      assert.equal(pair.flow.lost, 0);
      pair.wire.tamper = undefined;
      pair.run(120_000);
      assert.notEqual(me.session, session);
      assert.equal(me.live.sessions.length, 1);
      assert.equal(me.live.children.length, 1);
      assert.deepEqual(pair.faults(), []);
    }
  },
);

test('more than 256 children of one IKE SA are not made', () => {
  const pair = Pair.up(...sides());
  const { left, right } = pair;
  let asked = 0;
  // The request is made anew again and again, as by a peer that does not count.
  while (asked++ < 300) {
    const [state] = left.endpoint.export();
    if (!state) throw new Error('no session');
    left.endpoint.abandon(pair.now, state.id, { code: 'requested', text: 'test' });
    left.endpoint.import([{ ...state, children: [] }]);
    left.run(left.endpoint.createChild(pair.now, state.id, 'net'));
    pair.run(30);
  }
  assert.equal(right.live.children.length, 256);
});
