// SECURITY D at the endpoint: floods of strangers, and of people who prove their address but not their identity. What is
// kept is bounded, what is answered is no longer than what was asked, and a good peer gets in.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXCHANGE, NOTIFY } from '../../src/ike/wire/constants.ts';
import { encodeMessage, parseMessage } from '../../src/ike/wire/message.ts';
import type { Payload } from '../../src/ike/wire/payload.ts';
import { child, connection, selectors, sides } from '../support/connections.ts';
import { Pair } from '../support/pair.ts';
import { seeded } from '../support/random.ts';
import { change, request } from '../support/tamper.ts';
import { sessions2 } from '../support/v2.ts';
import { bugs, harm, PEACE } from './oracle.ts';
import { Guest, headerOf, initPayloads, Lone } from './stranger.ts';

const GOOD = { ip: '203.0.113.200', port: 500 };

function source(i: number): { ip: string; port: number } {
  return { ip: `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`, port: 500 };
}

function length(datagrams: readonly Uint8Array[]): number {
  return datagrams.reduce((sum, { length }) => sum + length, 0);
}

test('[D] 10 000 spoofed IKE_SA_INIT leave 30 sessions and get cookies shorter than what they sent', () => {
  const lone = new Lone();
  let beyond = 0;
  for (let i = 0; i < 10_000; i++) {
    const random = seeded(i);
    const bytes = encodeMessage(headerOf({ spiI: random(8) }), initPayloads(random));
    const answers = lone.receive(bytes, source(i));
    assert.ok(answers.length <= 1);
    if (lone.endpoint.size >= 30 && i >= 30) {
      beyond++;
      assert.ok(length(answers) <= bytes.length, `${length(answers)} bytes for ${bytes.length}`);
    } else {
      assert.ok(length(answers) <= 3 * bytes.length);
    }
    assert.ok(lone.endpoint.size <= 30);
    if (i % 100 === 0) lone.pass(10);
  }
  assert.ok(beyond > 9000);
  assert.equal(lone.count('cookie-asked'), 9970);
  assert.ok(lone.serves(GOOD), 'a good peer brings its cookie back and gets in');
  lone.pass(60_000);
  assert.equal(lone.endpoint.size, 1);
  assert.equal(bugs(lone.endpoint), 0);
});

test('[D] the shortest IKE_SA_INIT that can be written is answered with no more than its own length', () => {
  const lone = new Lone();
  const shortest = (seed: number): Uint8Array =>
    encodeMessage(headerOf({ spiI: seeded(seed)(8) }), [
      { tag: 'SA', proposals: [{ number: 1, protocol: 1, spi: new Uint8Array(0), transforms: [] }] },
      { tag: 'KE', group: 31, data: new Uint8Array(1) },
      { tag: 'Nonce', data: new Uint8Array(16) },
    ]);
  assert.ok(length(lone.receive(shortest(1))) <= shortest(1).length, 'NO_PROPOSAL_CHOSEN');
  for (let i = 0; i < 40; i++) lone.receive(new Guest(100 + i).hello(), source(i));
  const answers = lone.receive(shortest(2));
  assert.equal(parseMessage(answers[0] ?? new Uint8Array(0)).payloads[0]?.tag, 'N');
  assert.ok(length(answers) <= shortest(2).length, `a cookie of ${length(answers)} for ${shortest(2).length}`);
});

test('[D] a cookie serves the address, the nonce and the SPI that it was made for, and no longer than four minutes', () => {
  const lone = new Lone();
  for (let i = 0; i < 40; i++) lone.receive(new Guest(100 + i).hello(), source(i));
  const guest = new Guest(7);
  const [asked] = lone.receive(guest.hello(), GOOD);
  assert.ok(asked && guest.cookie(asked));
  const right = guest.hello();
  const isAsked = (answers: readonly Uint8Array[]) => answers.length === 1 && guest.cookie(answers[0] as Uint8Array);
  assert.ok(isAsked(lone.receive(right, { ...GOOD, port: 501 })), 'another port');
  assert.ok(isAsked(lone.receive(right, { ...GOOD, ip: '203.0.113.201' })), 'another address');
  const { header, payloads } = parseMessage(right);
  const edited = (change: (p: Payload) => Payload, spiI = header.spiI) =>
    encodeMessage({ ...header, spiI }, payloads.map(change));
  const other = edited((p) => p, seeded(1)(8));
  assert.ok(isAsked(lone.receive(other, GOOD)), 'another SPI');
  assert.ok(
    isAsked(
      lone.receive(
        edited((p) => (p.tag === 'Nonce' ? { ...p, data: seeded(2)(32) } : p)),
        GOOD,
      ),
    ),
    'a nonce',
  );
  for (const size of [0, 1, 8, 32, 33, 34, 64, 65, 1000]) {
    const forged = edited((p) => (p.tag === 'N' ? { ...p, data: new Uint8Array(size) } : p));
    assert.ok(isAsked(lone.receive(forged, GOOD)), `a cookie of ${size} zeros`);
  }
  assert.equal(lone.count('wrong-cookie'), 13);
  const [answer] = lone.receive(right, GOOD);
  assert.ok(answer && guest.learn(answer), 'the right one');

  const late = new Guest(8);
  const [again] = lone.receive(late.hello(), { ...GOOD, ip: '203.0.113.9' });
  assert.ok(again && late.cookie(again));
  const old = late.hello();
  lone.pass(300_000);
  for (let i = 0; i < 40; i++) lone.receive(new Guest(300 + i).hello(), source(i));
  assert.ok(isAsked(lone.receive(old, { ...GOOD, ip: '203.0.113.9' })), 'an old one');
});

test('[D] one source, and one /64 of IPv6, has five half-open sessions at most', () => {
  for (const address of [() => '198.51.100.7', (i: number) => `2001:db8:0:1::${(i + 1).toString(16)}`]) {
    const lone = new Lone();
    for (let i = 0; i < 200; i++) {
      const guest = new Guest(i);
      const from = { ip: address(i), port: 500 };
      const [answer] = lone.receive(guest.hello(), from);
      if (answer && guest.cookie(answer)) lone.receive(guest.hello(), from);
      assert.ok(lone.endpoint.size <= 5);
    }
    assert.ok(lone.count('half-open-limit') > 0);
    assert.ok(lone.serves(GOOD));
  }
});

test('[D] the same IKE_SA_INIT a thousand times makes one session and the same answer', () => {
  const lone = new Lone();
  const bytes = new Guest(1).hello();
  const [first] = lone.receive(bytes);
  assert.ok(first);
  for (let i = 0; i < 1000; i++) {
    const [again] = lone.receive(bytes);
    assert.deepEqual(again, first);
  }
  assert.equal(lone.endpoint.size, 1);
});

test('[D] who fails IKE_AUTH over and over, from one address or from many, leaves a bounded number of sessions', () => {
  const lone = new Lone();
  let most = 0;
  for (let i = 0; i < 1500; i++) {
    const guest = new Guest(i);
    const from = source(i % 3 === 0 ? 1 : i);
    let [answer] = lone.receive(guest.hello(), from);
    if (answer && guest.cookie(answer)) [answer] = lone.receive(guest.hello(), from);
    if (answer && guest.learn(answer)) {
      const wrong = guest.auth((all) => all.map((p) => (p.tag === 'AUTH' ? { ...p, data: new Uint8Array(32) } : p)));
      assert.equal(lone.receive(wrong, from).length, 1);
    }
    most = Math.max(most, lone.endpoint.size);
  }
  assert.ok(most <= 300, `${most} sessions kept`);
  assert.ok(lone.serves(GOOD));
  lone.pass(60_000);
  assert.equal(lone.endpoint.size, 1);
});

test('[D] an initiator that is refused again and again keeps neither sessions nor SPIs', () => {
  // Eight SPIs in all: were they not given back, there would be none.
  let spis = 0;
  const plain = seeded(5);
  const random = (size: number) => (size === 4 ? Uint8Array.of(9, 9, 9, spis++ & 7) : plain(size));
  const conn = connection();
  const lone = new Lone({ connections: [conn] }, (size) => {
    assert.ok(spis < 5000, 'no SPI is free');
    return random(size);
  });
  for (let i = 0; i < 60; i++) {
    lone.run(lone.endpoint.initiate(lone.now, conn, '192.0.2.2', '192.0.2.1').effects);
    lone.pass(1);
    const [session] = sessions2(lone.endpoint);
    assert.ok(session);
    // The peer answers IKE_SA_INIT and then nothing.
    const responder = new Pair(...sides());
    const sent = session.state.initRequest;
    assert.ok(sent);
    responder.inject(responder.right, sent, { ip: '192.0.2.1', port: 500 });
    const answer = responder.right.sent[0]?.bytes;
    assert.ok(answer);
    lone.receive(answer, { ip: '192.0.2.1', port: 500 });
    assert.equal(session.state.phase, 'auth');
    lone.pass(PEACE);
    assert.equal(lone.endpoint.size, 0);
  }
});

test('[D] an authenticated peer that rekeys one child after the other has no more children than allowed', () => {
  const lone = new Lone();
  const guest = new Guest(2);
  const [answer] = lone.receive(guest.hello());
  assert.ok(answer && guest.learn(answer));
  let first: readonly Payload[] = [];
  const auth = guest.auth((all) => {
    first = all.filter(({ tag }) => tag === 'SA' || tag === 'TSi' || tag === 'TSr');
    return all;
  });
  lone.receive(auth);
  const [session] = lone.endpoint.sessions();
  assert.ok(session);
  for (let i = 0; i < 2000; i++) {
    const newest = session.state.children.at(-1);
    assert.ok(newest);
    const spi = guest.random(4).map((byte) => byte | 1);
    const old = Uint8Array.of(newest.spiOut >>> 24, newest.spiOut >>> 16, newest.spiOut >>> 8, newest.spiOut);
    const payloads: Payload[] = [
      { tag: 'N', protocol: 3, spi: old, kind: NOTIFY.REKEY_SA, data: new Uint8Array(0) },
      { tag: 'Nonce', data: guest.random(32) },
      ...first.map(
        (p): Payload => (p.tag === 'SA' ? { ...p, proposals: p.proposals.map((one) => ({ ...one, spi })) } : p),
      ),
    ];
    const answers = lone.receive(guest.sealed({ exchange: EXCHANGE.CREATE_CHILD_SA, messageId: 2 + i }, payloads));
    assert.equal(answers.length, 1);
  }
  assert.ok(session.state.children.length <= 512, `${session.state.children.length} children`);
  assert.equal(bugs(lone.endpoint), 0);
});

test('[D] new children beyond the limit are refused, and those there are go on', () => {
  const many = Array.from({ length: 300 }, (_, i) =>
    child({
      name: `net${i}`,
      localTs: selectors(`10.1.${i & 127}.${i >> 7}/32`),
      remoteTs: selectors('10.2.0.0/24'),
    }),
  );
  const pair = new Pair(...sides({ children: many }));
  pair.left.initiate();
  pair.run(60_000);
  assert.ok(pair.right.live.children.length <= 256);
  assert.equal(pair.left.live.children.length, pair.right.live.children.length);
  assert.deepEqual(harm(pair), []);
});

test('[D] a peer that deletes, repeats and asks for nothing a thousand times changes nothing', () => {
  const lone = new Lone();
  const guest = new Guest(2);
  const [answer] = lone.receive(guest.hello());
  assert.ok(answer && guest.learn(answer));
  lone.receive(guest.auth());
  for (let i = 0; i < 1000; i++) {
    const unknown: Payload = { tag: 'D', protocol: 3, spis: [guest.random(4)] };
    const bytes = guest.sealed({ exchange: EXCHANGE.INFORMATIONAL, messageId: 2 + i }, [unknown]);
    const [first] = lone.receive(bytes);
    const [second] = lone.receive(bytes);
    assert.ok(first && second);
    assert.deepEqual(second, first);
  }
  const [session] = lone.endpoint.sessions();
  assert.equal(session?.state.children.length, 1);
});

test('[B1] a message id before or after the one that is due is not answered', () => {
  const pair = Pair.up(...sides());
  const { left, right } = pair;
  const before = right.sent.length;
  change(pair, request(left, 'INFORMATIONAL'), (all) => all);
  for (const messageId of [5, 100, 0x7fff_ffff, 0xffff_ffff]) {
    const [session] = left.live.sessions;
    assert.ok(session);
    const { spiI, spiR } = session.state;
    const bytes = encodeMessage(headerOf({ spiI, spiR, exchange: EXCHANGE.INFORMATIONAL, messageId }), []);
    pair.inject(right, bytes, { ip: '192.0.2.1', port: 500 });
  }
  assert.equal(right.sent.length, before);
});
