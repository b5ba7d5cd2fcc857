// Schedules that failed once, cut down to what made them fail. Each is played as it was found; what must hold at the end
// is in `support/play.ts`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { child, selectors, sides } from '../../support/connections.ts';
import { Pair } from '../../support/pair.ts';
import { play } from '../../support/play.ts';
import { type Plan, readSteps } from '../../support/schedule.ts';

const QUIET = { loss: 0, duplicate: 0, delay: 10, reorder: 0, mtu: 65_507 } as const;

const BASE: Omit<Plan, 'seed' | 'end'> = {
  version: 2,
  kind: 'rough',
  wire: QUIET,
  calm: true,
  nat: 'none',
  keTime: [0, 0],
  children: 1,
  flavours: [],
  pfs: ['none', 'none'],
  groups: ['first', 'first'],
  childRekey: 3_600_000,
  wrongKey: 'both',
  conn: {},
  traffic: 0,
  steps: [],
};

function holds(name: string, plan: Partial<Plan> & Pick<Plan, 'seed' | 'end'>): void {
  test(name, () => {
    const { problems } = play({ ...BASE, ...plan });
    assert.deepEqual(problems, []);
  });
}

// RFC 7296 §2.25.1: denied with CHILD_SA_NOT_FOUND, it left the child on one side only.
holds('a request about a child that our own slow or lost exchange is making is answered once the child is there', {
  seed: 825,
  kind: 'smooth',
  keTime: [343, 561],
  children: 2,
  pfs: ['first', 'first'],
  groups: ['second', 'second'],
  conn: { fragmentSize: 172, dpdDelay: 0 },
  traffic: 21,
  wire: { ...QUIET, delay: 5 },
  steps: readSteps('0 right initiate 0', '2502 left rekey-child 1'),
  end: 3217,
});

// RFC 7296 §2.8.1: the children were still with the old SA, and a Delete for them found nothing.
holds("the peer's first request on one of two new IKE SAs tells which of them stays", {
  seed: 59,
  kind: 'smooth',
  keTime: [362, 408],
  pfs: ['both', 'second'],
  groups: ['second', 'second'],
  conn: { dpdDelay: 2000 },
  traffic: 8,
  wire: { ...QUIET, delay: 24 },
  steps: readSteps(
    '0 left initiate 0',
    '4847 left rekey-child 0',
    '4847 right rekey-child 0',
    '4852 left rekey-ike 0',
    '4852 right rekey-ike 0',
  ),
  end: 4919,
});

// RFC 7296 §2.25.2: it took the children a second time, and the Delete of the old SA was forgotten.
holds('a rekeying of the IKE SA that is still being computed is refused once our own is through', {
  seed: 406,
  kind: 'smooth',
  keTime: [40, 299],
  conn: { dpdDelay: 0 },
  traffic: 9,
  wire: { ...QUIET, delay: 47 },
  steps: readSteps('0 right initiate 0', '1799 right rekey-ike 1', '2189 left rekey-ike 0', '2690 right rekey-ike 0'),
  end: 4592,
});

// RFC 7296 §2.25.1: the child was there twice.
holds('a rekeying of a child that is still being computed is refused once our own is through', {
  seed: 369,
  kind: 'smooth',
  keTime: [172, 340],
  pfs: ['first', 'first'],
  conn: { dpdDelay: 2000 },
  traffic: 13,
  wire: { ...QUIET, delay: 20 },
  steps: readSteps(
    '0 left initiate 0',
    '2047 left rekey-ike 0',
    '2164 right rekey-ike 0',
    '3920 right rekey-ike 0',
    '4346 left rekey-child 0',
    '4851 right rekey-child 0',
  ),
  end: 5653,
});

// The one counter served both, and INVALID_KE_PAYLOAD was the end.
holds('a child that was put off for TEMPORARY_FAILURE may still be asked for with another group', {
  seed: 1751,
  pfs: ['both', 'second'],
  childRekey: 12_846,
  conn: {
    dpdDelay: 27_535,
    dpdTimeout: 15_000,
    unique: 'no',
    childless: 'prefer',
    encap: 'auto',
    natKeepalive: 20_000,
  },
  wire: { ...QUIET, loss: 0.22 },
  steps: readSteps('0 left crowd 6', '0 right initiate 0', '9104 left hard-limit 0', '10659 right rekey-ike 0'),
  end: 20_676,
});

// The two became each other's successors: a walk along them did not end.
holds('a child that was made by both sides at once and closed later is not kept for its predecessor', {
  seed: 149,
  nat: 'left',
  groups: ['second', 'second'],
  childRekey: 18_399,
  conn: { dpdDelay: 19_728, dpdTimeout: 0, unique: 'replace', childless: 'force', encap: 'auto', natKeepalive: 20_000 },
  steps: readSteps(
    '0 left initiate 0',
    '6982 right rekey-child 0',
    '8833 left rebind 0',
    '17561 left rekey-child 0',
    '17568 right rekey-child 0',
    '18530 left close-child 0',
  ),
  end: 23_030,
});

// The two sides compared different nonces and each left it to the other.
holds('which of two IKE SAs begun at once stays does not depend on one being rekeyed meanwhile', {
  seed: 4548,
  calm: false,
  conn: { dpdDelay: 21_866, dpdTimeout: 0, unique: 'no', childless: 'allow', encap: 'auto', natKeepalive: 0 },
  wire: { ...QUIET, loss: 0.26, delay: 50 },
  steps: readSteps('0 right initiate 0', '34 left initiate 0', '6420 left rekey-ike 0'),
  end: 12_615,
});

// The two sides compared different nonces and each left it to the other.
holds('which of two children made at once stays does not depend on one being rekeyed meanwhile', {
  seed: 8287,
  calm: false,
  pfs: ['first', 'both'],
  groups: ['first', 'both'],
  conn: {
    dpdDelay: 10_552,
    dpdTimeout: 15_000,
    reauthTime: 14_507,
    overTime: 6000,
    unique: 'no',
    childless: 'allow',
    encap: 'yes',
    natKeepalive: 20_000,
  },
  wire: { ...QUIET, loss: 0.09, duplicate: 0.22, delay: 200, reorder: 9 },
  steps: readSteps('0 right initiate 0', '15955 right hard-limit 0', '18199 right rekey-child 0'),
  end: 20_624,
});

// The new IKE SA went to a port that nobody had opened.
holds('a peer behind a NAT is reauthenticated where it is, not at port 500', {
  seed: 116,
  nat: 'right',
  conn: {
    dpdDelay: 24_901,
    dpdTimeout: 0,
    reauthTime: 26_743,
    overTime: 6000,
    unique: 'no',
    childless: 'prefer',
    encap: 'auto',
    natKeepalive: 20_000,
  },
  traffic: 100,
  wire: { ...QUIET, delay: 1 },
  steps: readSteps('0 right initiate 0', '3823 right cut 40000'),
  end: 15_689,
});

// Reauthentication and rekeying at once left two IKE SAs.
holds('a new IKE SA takes over from the one that the old one was rekeyed to', {
  seed: 2361,
  groups: ['both', 'second'],
  conn: {
    dpdDelay: 18_008,
    dpdTimeout: 0,
    reauthTime: 12_715,
    overTime: 6000,
    unique: 'no',
    childless: 'allow',
    encap: 'yes',
    natKeepalive: 0,
  },
  wire: { ...QUIET, loss: 0.25, delay: 200, reorder: 28 },
  steps: readSteps('0 left initiate 0', '4601 left rekey-ike 0', '22222 left rekey-ike 0'),
  end: 23_721,
});

// Traffic fell back to an SA that the peer had closed.
holds('with a child goes what it has replaced', {
  seed: 336,
  calm: false,
  keTime: [574, 6],
  children: 3,
  conn: { dpdDelay: 12_723, dpdTimeout: 15_000, unique: 'no', childless: 'allow', encap: 'auto', natKeepalive: 20_000 },
  wire: { ...QUIET, loss: 0.18, duplicate: 0.26, delay: 200, reorder: 113 },
  steps: readSteps(
    '0 right initiate 2',
    '1987 left rekey-child 1',
    '3799 left rekey-child 1',
    '3814 left rekey-ike 0',
    '3860 right rekey-child 1',
    '4358 left close-child 0',
    '4631 left cut 1778',
  ),
  end: 5020,
});

// Its clocks started another one, which closed the one in use.
holds('a redundant IKE SA is neither rekeyed nor reauthenticated', {
  seed: 980,
  children: 2,
  conn: {
    dpdDelay: 21_579,
    dpdTimeout: 15_000,
    reauthTime: 25_131,
    overTime: 6000,
    unique: 'replace',
    childless: 'allow',
    encap: 'auto',
    natKeepalive: 0,
  },
  wire: { ...QUIET, loss: 0.03, delay: 200, reorder: 30 },
  steps: readSteps(
    '0 left initiate 0',
    '3056 left rekey-child 1',
    '3056 right rekey-child 1',
    '3059 left rekey-ike 0',
    '17326 left rekey-ike 0',
    '17421 right rekey-ike 0',
    '22615 left rekey-ike 1',
  ),
  end: 24_442,
});

// Both sides had begun at once, and what only one of them wanted was lost.
holds('the children of the IKE SA that goes are wanted of the one that stays', {
  seed: 1124,
  keTime: [66, 444],
  pfs: ['second', 'both'],
  groups: ['second', 'both'],
  conn: {
    dpdDelay: 16_206,
    dpdTimeout: 0,
    fragmentSize: 163,
    reauthTime: 20_186,
    overTime: 6000,
    unique: 'no',
    childless: 'prefer',
    encap: 'auto',
    natKeepalive: 20_000,
  },
  traffic: 100,
  wire: { ...QUIET, loss: 0.04, delay: 1, reorder: 41 },
  steps: readSteps('0 right initiate 0', '2980 right cut 40000'),
  end: 19_549,
});

// The old one was taken for it and then deleted by the peer.
holds('a hard limit on a child that is still replacing another makes one anew', {
  seed: 1337,
  pfs: ['first', 'first'],
  groups: ['both', 'second'],
  conn: { dpdDelay: 21_354, dpdTimeout: 0, unique: 'keep', childless: 'allow', encap: 'auto', natKeepalive: 0 },
  wire: { ...QUIET, loss: 0.11, reorder: 200 },
  steps: readSteps(
    '0 right initiate 0',
    '3056 left rekey-ike 0',
    '3056 right rekey-ike 0',
    '4540 left rekey-child 0',
    '4636 right hard-limit 0',
  ),
  end: 6084,
});

// The child that was to be closed had gone, and another one had been given its number.
holds('after a transplant a number that a waiting task speaks of is not given again', {
  seed: 19_179,
  calm: false,
  children: 2,
  pfs: ['both', 'second'],
  conn: { dpdDelay: 25_482, dpdTimeout: 15_000, unique: 'replace', childless: 'allow', encap: 'auto', natKeepalive: 0 },
  wire: { ...QUIET, loss: 0.17, delay: 50, reorder: 224 },
  steps: readSteps(
    '0 left initiate 0',
    '3580 left close-child 0',
    '4080 right close-child 0',
    '7134 left transplant 1',
  ),
  end: 7660,
});

// The child that our lost key exchange had made on the other side only was to be closed; its SPI stayed taken.
holds('an SPI is free again when the task that it was taken for is never done', {
  seed: 12_839,
  keTime: [584, 358],
  pfs: ['first', 'first'],
  childRekey: 18_488,
  conn: { dpdDelay: 12_785, dpdTimeout: 15_000, unique: 'replace', childless: 'allow', encap: 'auto', natKeepalive: 0 },
  wire: { ...QUIET, reorder: 60 },
  steps: readSteps('0 left initiate 0', '2624 right hard-limit 0', '3990 right transplant 0', '9085 right close 0'),
  end: 10_595,
});

// Its maker could not close it while another exchange was under way; the peer renewed it meanwhile, and there were two.
holds('of two IKE SAs begun at once, the one that its maker is to close is not renewed by the peer', {
  seed: 21_630,
  calm: false,
  keTime: [301, 454],
  children: 2,
  pfs: ['first', 'first'],
  conn: {
    dpdDelay: 9738,
    dpdTimeout: 15_000,
    reauthTime: 29_925,
    overTime: 6000,
    unique: 'no',
    childless: 'allow',
    encap: 'auto',
    natKeepalive: 20_000,
  },
  wire: { ...QUIET, loss: 0.29, delay: 200, reorder: 309 },
  steps: readSteps('0 left initiate 0', '90 right initiate 0', '4773 right transplant 1'),
  end: 9685,
});

// Its rekeying came to nothing after the new IKE SA was there: that led to a second one.
holds('an IKE SA that is replaced, or about to be closed, is not replaced again', {
  seed: 23_406,
  keTime: [33, 207],
  groups: ['second', 'second'],
  childRekey: 11_009,
  conn: {
    dpdDelay: 10_001,
    dpdTimeout: 0,
    fragmentSize: 213,
    reauthTime: 27_496,
    overTime: 6000,
    unique: 'no',
    childless: 'allow',
    encap: 'auto',
    natKeepalive: 20_000,
  },
  wire: { ...QUIET, loss: 0.13, reorder: 155 },
  steps: readSteps(
    '0 right initiate 0',
    '3046 left rekey-ike 0',
    '3875 left rekey-ike 0',
    '3875 right rekey-ike 0',
    '4643 left rekey-child 0',
    '5303 right cut 1709',
    '5618 left rekey-ike 0',
    '8962 left transplant 0',
  ),
  end: 10_571,
});

// RFC 7296 §2.4: it was said before the peer knew of the other SA, which then stood on the peer's side only.
holds('INITIAL_CONTACT is not about an IKE SA that was made while the one that carries it was on its way', {
  seed: 32_277,
  keTime: [492, 460],
  childRekey: 22_018,
  conn: {
    dpdDelay: 23_402,
    dpdTimeout: 15_000,
    reauthTime: 33_623,
    overTime: 6000,
    unique: 'keep',
    childless: 'allow',
    encap: 'auto',
    natKeepalive: 0,
  },
  wire: { ...QUIET, loss: 0.27, duplicate: 0.19, delay: 50 },
  steps: readSteps('0 right initiate 0', '346 left initiate 0', '15021 left rekey-ike 0'),
  end: 18_523,
});

// RFC 7296 §2.4: nobody is left who wants it, and the peer that renews the IKE SA has never heard of it.
holds('a child that only a restarted side had wanted is not missed', {
  seed: 15_905,
  childRekey: 13_325,
  conn: {
    dpdDelay: 20_441,
    dpdTimeout: 0,
    reauthTime: 10_127,
    overTime: 6000,
    unique: 'keep',
    childless: 'prefer',
    encap: 'yes',
    natKeepalive: 20_000,
  },
  wire: { ...QUIET, delay: 200 },
  steps: readSteps('0 right initiate 0', '5617 right hard-limit 0', '6183 left rekey-ike 0', '6508 right restart 0'),
  end: 10_750,
});

// It was asked for before the answer to IKE_AUTH had gone out, and was there twice.
test('the IKE SA that stays is not asked for the child that its IKE_AUTH brings', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const pair = new Pair(...sides(), seed);
    pair.left.initiate();
    pair.run(25);
    pair.right.initiate();
    pair.run(10_000);
    for (const side of [pair.left, pair.right]) {
      assert.equal(side.live.sessions.length, 1);
      assert.equal(side.count('child-established'), 2);
      assert.equal(side.endpoint.counters().get('unexpected-exchange'), undefined);
    }
  }
});

// Half of the time it was the IKE SA that did not stay, and the child was lost with it.
test('a child wanted of an IKE SA whose rekeying is undecided comes on the one that stays', () => {
  const far = child({ name: 'far', localTs: selectors('10.1.9.0/24'), remoteTs: selectors('10.2.9.0/24') });
  for (let seed = 1; seed <= 10; seed++) {
    const pair = new Pair(...sides({ children: [child(), far] }), seed);
    pair.left.initiate(['net']);
    pair.run(2000);
    for (const side of [pair.left, pair.right]) side.run(side.endpoint.rekeyIke(pair.now, side.session));
    pair.run(15);
    const { left } = pair;
    const rival = left.live.sessions.find(({ state }) => state.successor !== undefined);
    assert.ok(rival);
    left.run(left.endpoint.createChild(pair.now, rival.state.id, 'far'));
    pair.run(10_000);
    for (const side of [pair.left, pair.right]) {
      assert.deepEqual(side.live.children.map(({ name }) => name).sort(), ['far', 'net']);
    }
  }
});

// Its children were to be had on neither of the two.
test('an IKE SA whose Delete waits to go out is not reauthenticated', () => {
  const pair = Pair.up(...sides({ reauthTime: 10_000 }, { reauthTime: 0 }));
  const { left } = pair;
  pair.wire.cut = true;
  left.run(left.endpoint.rekeyChild(pair.now, left.child));
  left.run(left.endpoint.close(pair.now, left.session, { code: 'requested', text: 'closed by the operator' }));
  pair.run(15_000);
  assert.equal(left.count('session-started'), 1);
  pair.wire.cut = false;
  pair.run(40_000);
  assert.equal(left.endpoint.sessions().length, 0);
});

// Where the first IKE SA of a peer is kept, the new one that is to take over from it was turned away.
test('with unique = keep a peer can reauthenticate', () => {
  const pair = Pair.up(...sides({ unique: 'keep', reauthTime: 10_000 }, { reauthTime: 0 }));
  const before = pair.left.session;
  pair.run(15_000);
  assert.notEqual(pair.left.session, before);
  assert.equal(pair.left.live.children.length, 1);
  assert.equal(pair.right.live.children.length, 1);
});

// The wish for it went with the IKE SA: one that the peer replaced, one whose IKE_AUTH was never answered.
const CHILDLESS = { calm: false, conn: { dpdTimeout: 15_000, overTime: 6000 } } as const;

holds('a child that waits to be made on an IKE SA which the peer closes is made on the one that stays', {
  seed: 8738,
  wire: { ...QUIET, loss: 0.1, delay: 200, reorder: 307 },
  ...CHILDLESS,
  conn: { ...CHILDLESS.conn, fragmentSize: 227, reauthTime: 16_914, childless: 'prefer', encap: 'yes' },
  steps: readSteps('0 right initiate 0', '5172 left rekey-ike 0'),
  end: 10_035,
});
