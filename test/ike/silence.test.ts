// What the silence of a peer is said to mean, in both versions: by what it has answered before, and by what the network
// says of our messages, which counts only where it names this very SA.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Trouble } from '../../src/ike/silence.ts';
import { sides, sides1 } from '../support/connections.ts';
import { Pair, type SideOptions } from '../support/pair.ts';

const TWO = ['IKEv2', sides] as const;
const ONE = ['IKEv1', (over: Parameters<typeof sides>[0]) => sides1(over)] as const;

/** The left side begins, and nothing is answered once it has sent this many messages. */
function silent([left, right]: [SideOptions, SideOptions], heard: number): Pair {
  const pair = new Pair(left, right);
  pair.wire.tamper = (bytes, from) => (pair.left.sent.length > heard && from === pair.right ? undefined : bytes);
  pair.left.initiate();
  pair.run(60_000);
  return pair;
}

/** The left side has begun, nothing arrives anywhere, and `says` is what the network has to say of it. */
function cutOff(plan: [SideOptions, SideOptions], lasting: number) {
  const pair = new Pair(...plan);
  pair.wire.cut = true;
  pair.left.initiate();
  pair.run(lasting);
  const [sa] = pair.left.endpoint.sessions();
  assert.ok(sa);
  const { remote, spiI } = sa.state;
  const says = (kind: Trouble['kind'], to = remote, spi = spiI) =>
    pair.left.run(pair.left.endpoint.undelivered(pair.now, kind, to, spi));
  return { pair, remote, spiI, says };
}

function ended(pair: Pair) {
  const reason = pair.left.last('session-closed')?.reason;
  assert.ok(reason?.remedy);
  return reason;
}

for (const [version, made] of [TWO, ONE]) {
  test(`${version}: who never answers is told from who stops answering, and from a port that is blocked`, () => {
    const never = ended(silent(made({}), 0));
    assert.equal(never.code, 'no-answer');
    assert.match(never.text, /^no answer from 192\.0\.2\.2 on UDP 500 \(for 31 s, sent 5 times\)$/);
    assert.equal(ended(silent(made({}), 1)).code, 'stopped-answering');
    // In UDP by force: what comes behind the keys goes to another port.
    const elsewhere = ended(silent(made({ encap: 'yes' }), version === 'IKEv2' ? 1 : 2));
    assert.equal(elsewhere.code, 'unanswered-4500');
    assert.match(elsewhere.text, /on UDP 500, and does not answer .* on UDP 4500: most likely/);
  });

  test(`${version}: what the network says of a message is told at once, once, and at the end`, () => {
    const { pair, remote, spiI, says } = cutOff(made({}), 1500);
    says('closed', { ...remote, port: 4500 });
    says('closed', remote, new Uint8Array(8).fill(7));
    assert.deepEqual(told(pair), ['no-answer'], 'of something else');
    says('closed');
    says('closed', remote, spiI.subarray(0, 4));
    assert.deepEqual(told(pair), ['no-answer', 'not-listening']);
    says('forbidden');
    assert.deepEqual(told(pair), ['no-answer', 'not-listening', 'unreachable']);
    pair.run(60_000);
    const reason = ended(pair);
    assert.equal(reason.code, 'unreachable');
    assert.match(reason.text, /^a firewall on the way to 192\.0\.2\.2 says that it forbids UDP 500 \(for 31 s/);
  });

  test(`${version}: a refusal of our own kernel is over with the next message that it takes`, () => {
    const { pair, says } = cutOff(made({}), 0);
    says('unrouted');
    pair.run(1500);
    assert.deepEqual(told(pair), ['no-route'], 'what became of the first');
    says('blocked');
    says('closed');
    assert.deepEqual(told(pair), ['no-route', 'not-sent'], 'who rejects it here says so in the name of the peer');
    pair.run(60_000);
    assert.equal(ended(pair).code, 'no-answer');
  });

  test(`${version}: what the network says by turns is not told for ever`, () => {
    const { pair, says } = cutOff(made({}), 1500);
    for (let i = 0; i < 100; i++) says(i % 2 === 0 ? 'closed' : 'forbidden');
    assert.ok(told(pair).length <= 4, `${told(pair).length} events`);
  });

  test(`${version}: of many IKE SAs only the one that is named is looked at, whoever began it`, () => {
    const pair = Pair.up(...made({ dpdDelay: 30_000 }));
    pair.wire.cut = true;
    pair.right.initiate();
    const [sa, other] = pair.right.endpoint.sessions();
    assert.ok(sa && other);
    let looked = 0;
    const { remote } = other.state;
    Object.defineProperty(other.state, 'remote', { get: () => [remote, looked++][0] });
    pair.right.run(pair.right.endpoint.undelivered(pair.now, 'closed', sa.state.remote, sa.state.spiI.subarray(0, 4)));
    assert.equal(sa.state.trouble?.kind, 'closed');
    pair.right.run(pair.right.endpoint.undelivered(pair.now, 'closed', remote, new Uint8Array(4).fill(7)));
    assert.equal(looked, 0);
  });

  test(`${version}: what was said of an earlier message says nothing of this one`, () => {
    const pair = Pair.up(...made({ dpdDelay: 30_000 }));
    const [sa] = pair.left.endpoint.sessions();
    assert.ok(sa);
    const { remote, spiI } = sa.state;
    pair.left.run(pair.left.endpoint.undelivered(pair.now, 'closed', remote, spiI));
    assert.equal(pair.left.count('no-answer'), 0, 'nobody is asked');
    pair.run(1000);
    pair.wire.cut = true;
    pair.run(120_000);
    const dead = ended(pair);
    assert.equal(dead.code, 'peer-dead');
    assert.match(dead.text, /^no answer from 192\.0\.2\.2 on UDP 500 \(for /);
  });

  test(`${version}: a peer that was up and is not there any more is dead, whatever the network says`, () => {
    const pair = Pair.up(...made({ dpdDelay: 30_000 }));
    pair.wire.cut = true;
    pair.run(31_000);
    const [sa] = pair.left.endpoint.sessions();
    assert.ok(sa);
    const { remote, spiI } = sa.state;
    pair.left.run(pair.left.endpoint.undelivered(pair.now, 'closed', remote, spiI));
    pair.run(60_000);
    const dead = ended(pair);
    assert.equal(dead.code, 'peer-dead');
    assert.match(
      dead.text,
      /^no answer from 192\.0\.2\.2 on UDP 500: UDP 500 of 192\.0\.2\.2 is told to be unreachable/,
    );
  });

  test(`${version}: a peer that begins and does not go on: our answer was lost, or its next message`, () => {
    const lost = new Pair(...made({}));
    lost.wire.tamper = (bytes, from) => (from === lost.right ? undefined : bytes);
    lost.left.initiate();
    lost.run(60_000);
    assert.match(lost.right.last('session-closed')?.reason.text ?? '', /^192\.0\.2\.1 asks again and again/);
    const stopped = new Pair(...made({}));
    stopped.wire.tamper = (bytes, from) => (from === stopped.left && stopped.left.sent.length > 1 ? undefined : bytes);
    stopped.left.initiate();
    stopped.run(60_000);
    const reason = stopped.right.last('session-closed')?.reason;
    assert.equal(reason?.code, 'half-open');
    assert.match(reason?.text ?? '', /did not come: the peer did not go on$/);
  });
}

function told({ left }: Pair): string[] {
  return left.events.flatMap((event) => (event.kind === 'no-answer' ? event.reason.code : []));
}
