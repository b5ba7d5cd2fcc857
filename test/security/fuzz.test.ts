// SECURITY H1: whatever is sent to an endpoint, in whatever phase its session is, nothing is thrown, nothing of ours
// breaks, nothing stays, and what was established goes on. Real messages of a whole conversation, changed in every way.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat } from '../../src/bytes/bytes.ts';
import { parseMessage } from '../../src/ike/wire/message.ts';
import { sides } from '../support/connections.ts';
import { Pair, type Side } from '../support/pair.ts';
import { sessions2 } from '../support/v2.ts';
import { octets } from '../support/wire.ts';
import { assertUnharmed, bugs, dropped, harm, PEACE } from './oracle.ts';

const SEED = 17;

interface Sent {
  readonly bytes: Uint8Array;
  readonly from: 'left' | 'right';
}

/** Everything that two peers say in a life: the same bytes in every run. */
function conversation(): readonly Sent[] {
  const pair = new Pair(...sides(), SEED);
  const sent: Sent[] = [];
  pair.wire.tamper = (bytes, from) => {
    sent.push({ bytes: bytes.slice(), from: from === pair.left ? 'left' : 'right' });
    return bytes;
  };
  const { left } = pair;
  left.initiate();
  pair.run(2000);
  left.run(left.endpoint.rekeyChild(pair.now, left.child));
  pair.run(2000);
  left.run(left.endpoint.checkLiveness(pair.now, left.session));
  pair.run(2000);
  left.run(left.endpoint.rekeyIke(pair.now, left.session));
  pair.run(2000);
  left.run(left.endpoint.close(pair.now, left.session, { code: 'requested', text: 'the end' }));
  pair.run(2000);
  return sent;
}

const SENT = conversation();
const INIT = SENT[0] as Sent;
const ANSWER = SENT[1] as Sent;

interface Phase {
  readonly name: string;
  readonly at: 'left' | 'right';
  /** How many messages have arrived before. */
  readonly after: number;
}

const PHASES: readonly Phase[] = [
  { name: 'a responder that knows nobody', at: 'right', after: 0 },
  { name: 'an initiator that waits for IKE_SA_INIT', at: 'left', after: 0 },
  { name: 'a responder that waits for IKE_AUTH', at: 'right', after: 1 },
  { name: 'an initiator that waits for IKE_AUTH', at: 'left', after: 2 },
  { name: 'an established responder', at: 'right', after: 4 },
  { name: 'an established initiator', at: 'left', after: 4 },
];

/** The pair of the conversation, stopped where the phase is. */
function reach({ at, after }: Phase): { pair: Pair; target: Side; give: (bytes: Uint8Array) => void } {
  const pair = new Pair(...sides(), SEED);
  let passed = 0;
  pair.wire.tamper = (bytes) => (passed++ < after ? bytes : undefined);
  if (at === 'left' || after > 0) pair.left.initiate();
  pair.run(500);
  const target = pair[at];
  const give = (bytes: Uint8Array) => pair.inject(target, bytes.slice(), { ip: target.other.options.ip, port: 500 });
  return { pair, target, give };
}

/** Where a message without protection may still change something, each one gets a session of its own. */
function isOpen({ after, at }: Phase): boolean {
  return after === 0 || (after === 1 && at === 'left');
}

function phaseOf(side: Side): (string | number)[] {
  return sessions2(side.endpoint).flatMap(({ state }) => [
    state.phase,
    state.nextIn,
    state.nextOut,
    state.children.length,
  ]);
}

function assail(phase: Phase, mutants: Iterable<Uint8Array>): void {
  if (isOpen(phase)) {
    for (const bytes of mutants) {
      const { pair, target, give } = reach(phase);
      give(bytes);
      pair.run(PEACE);
      assert.equal(bugs(target.endpoint), 0, `${phase.name}: ${Buffer.from(bytes).toString('hex')}`);
      assert.equal(target.live.children.length, 0);
      assert.equal(target.endpoint.size, 0, 'nothing is left');
    }
    return;
  }
  const { pair, target, give } = reach(phase);
  const before = phaseOf(target);
  const sent = target.sent.length;
  let given = 0;
  const counted = dropped(target.endpoint);
  for (const bytes of mutants) {
    give(bytes);
    given++;
    assert.deepEqual(phaseOf(target), before, `${phase.name}: ${Buffer.from(bytes).toString('hex')}`);
  }
  assert.equal(target.sent.length, sent, 'nothing is answered');
  assert.equal(dropped(target.endpoint), counted + given, 'each is counted');
  assertUnharmed(pair, phase.name);
}

function* prefixes(bytes: Uint8Array): Generator<Uint8Array> {
  for (let length = 0; length < bytes.length; length++) yield bytes.subarray(0, length);
}

function* flips(bytes: Uint8Array): Generator<Uint8Array> {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
    yield flipped;
  }
}

/** The same with a header whose length is right, so that the parser goes further. */
function* honest(mutants: Iterable<Uint8Array>): Generator<Uint8Array> {
  for (const bytes of mutants) {
    if (bytes.length < 28) continue;
    const mended = bytes.slice();
    new DataView(mended.buffer).setUint32(24, mended.length);
    yield mended;
  }
}

/** The messages that a target may take in its phase, from the side that sends them. */
function fitting({ at, after }: Phase): readonly Sent[] {
  return SENT.slice(after).filter(({ from }) => from !== at);
}

for (const phase of PHASES) {
  const subject = isOpen(phase) ? [phase.at === 'right' ? INIT : ANSWER] : fitting(phase);

  test(`[A1] ${phase.name} survives every prefix of real messages`, () => {
    for (const { bytes } of subject) {
      assail(phase, prefixes(bytes));
      assail(phase, honest(prefixes(bytes)));
    }
  });

  test(`[A2] ${phase.name} survives every flipped bit of real messages`, () => {
    for (const { bytes } of subject) {
      const mutants = [...flips(bytes)];
      if (isOpen(phase)) return assailOpen(phase, mutants);
      // Another version is answered with ours; that is a test of its own.
      assail(
        phase,
        mutants.filter((mutant) => (mutant[17] as number) >> 4 === 2),
      );
    }
  });
}

/** As `assail`, but a changed bit need not be noticed before AUTH: a nonce is as good as another. */
function assailOpen(phase: Phase, mutants: readonly Uint8Array[]): void {
  for (const bytes of mutants) {
    const { pair, target, give } = reach(phase);
    give(bytes);
    pair.run(PEACE);
    assert.equal(bugs(target.endpoint), 0, Buffer.from(bytes).toString('hex'));
    assert.equal(target.count('session-established'), 0);
    assert.equal(target.endpoint.size, 0);
    assert.deepEqual(harm(pair), []);
  }
}

const some = fc.constantFrom(...SENT);

/** The front of one message and the back of another, and pieces of one message twice. */
const splice = fc
  .tuple(some, some, fc.nat({ max: 400 }), fc.nat({ max: 400 }))
  .map(([a, b, i, j]) => concat(a.bytes.subarray(0, i), b.bytes.subarray(j)));

/** Two bytes anywhere overwritten with what a length may be. */
const grown = fc
  .tuple(some, fc.nat({ max: 400 }), fc.constantFrom(0, 1, 3, 4, 255, 256, 1000, 32_767, 32_768, 65_535))
  .map(([{ bytes }, at, value]) => {
    const changed = bytes.slice();
    const where = 28 + (at % Math.max(1, changed.length - 30));
    changed[where] = value >> 8;
    changed[where + 1] = value & 255;
    return changed;
  });

/** A header of a real message with anything behind it. */
const headed = fc.tuple(some, octets(0, 200), fc.nat({ max: 255 })).map(([{ bytes }, rest, next]) => {
  const made = concat(bytes.subarray(0, 28), rest);
  made[16] = next;
  return made;
});

const anything = fc.oneof(octets(0, 300), splice, grown, headed).map((bytes) => {
  if (bytes.length < 28) return bytes;
  const mended = bytes.slice();
  if (bytes.length % 5 !== 0) new DataView(mended.buffer).setUint32(24, mended.length);
  return mended;
});

for (const phase of PHASES) {
  test(`[A3] ${phase.name} survives arbitrary bytes, splices of messages and lengths that were changed`, () => {
    fc.assert(
      fc.property(fc.array(anything, { minLength: 1, maxLength: 12 }), (datagrams) => {
        const { pair, target, give } = reach(phase);
        const established = phase.after === 4;
        for (const bytes of datagrams) {
          // The message that is due, unchanged, is not an attack.
          if (SENT.some((sent) => Buffer.compare(sent.bytes, bytes) === 0)) continue;
          const before = target.sent.length;
          give(bytes);
          const answered = target.sent.slice(before).reduce((sum, sent) => sum + sent.bytes.length, 0);
          assert.ok(answered <= 3 * bytes.length, `${answered} bytes for ${bytes.length}`);
        }
        assert.equal(bugs(target.endpoint), 0);
        assert.ok(target.endpoint.size <= 1 + 5, `${target.endpoint.size} sessions`);
        if (established) assert.equal(target.live.children.length, 1);
        pair.wire.tamper = undefined;
        pair.run(PEACE);
        assert.equal(target.endpoint.size, established ? 1 : target.live.sessions.length);
        if (established) assert.deepEqual(phaseOf(target).slice(0, 1), ['established']);
        assert.deepEqual(harm(pair), []);
      }),
      { numRuns: 150, seed: 20_260_101 },
    );
  });
}

test('[A1] the conversation of these tests has every exchange and both directions', () => {
  const kinds = new Set(SENT.map(({ bytes, from }) => `${parseMessage(bytes).header.exchange} ${from}`));
  for (const exchange of [34, 35, 36, 37]) {
    for (const from of ['left', 'right']) assert.ok(kinds.has(`${exchange} ${from}`), `${exchange} ${from}`);
  }
});
