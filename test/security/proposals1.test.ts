// SECURITY A6, A7, C3 in IKEv1: proposals that cannot work, groups that nobody has, authentication by other means.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NOTIFY } from '../../src/ike/v1/wire/constants.ts';
import { parseMessage } from '../../src/ike/v1/wire/message.ts';
import type { Attribute, Payload, Proposal, Transform } from '../../src/ike/v1/wire/payload.ts';
import { child, offers, selectors } from '../support/connections.ts';
import { seeded } from '../support/random.ts';
import { assertCalm, initiating, lone1, PEER, RESPONDER, sessions1, up1 } from './guest1.ts';
import { Peer1 } from './peer1.ts';
import type { Change } from './quick1.ts';

function short(type: number, value: number): Attribute {
  return { type, value: Uint8Array.of(value >> 8, value & 0xff), short: true };
}

function long(type: number, ...value: readonly number[]): Attribute {
  return { type, value: Uint8Array.from(value), short: false };
}

type Attributes = readonly Attribute[];

/** One proposal with one transform, its attributes changed. */
function withAttributes(edit: (attributes: Attributes) => Attributes, transform: Partial<Transform> = {}): Change {
  return withProposal((proposal) => {
    const [one] = proposal.transforms;
    assert.ok(one);
    return { ...proposal, transforms: [{ ...one, attributes: edit(one.attributes), ...transform }] };
  });
}

function withProposal(edit: (proposal: Proposal) => Proposal): Change {
  return (all) =>
    all.map(
      (payload): Payload => (payload.tag === 'SA' ? { ...payload, proposals: payload.proposals.map(edit) } : payload),
    );
}

const without = (type: number) => (all: Attributes) => all.filter((one) => one.type !== type);
const setting = (type: number, value: number) => (all: Attributes) => [...without(type)(all), short(type, value)];
const adding = (attribute: Attribute) => (all: Attributes) => [...all, attribute];

const [ENCRYPTION, HASH, AUTHENTICATION, GROUP, GROUP_TYPE, PRF, KEY_LENGTH] = [1, 2, 3, 4, 5, 13, 14];

const BAD_IKE: readonly [string, (all: Attributes) => Attributes, Partial<Transform>?][] = [
  ['no encryption', without(ENCRYPTION)],
  ['no hash', without(HASH)],
  ['no authentication', without(AUTHENTICATION)],
  ['no group', without(GROUP)],
  ['nothing at all', () => []],
  ['encryption twice', adding(short(ENCRYPTION, 7))],
  ['another encryption, too', adding(short(ENCRYPTION, 5))],
  ['a group twice', adding(short(GROUP, 14))],
  ['a weak group, too', adding(short(GROUP, 1))],
  ['two ways to authenticate', adding(short(AUTHENTICATION, 3))],
  ['key length twice', adding(short(KEY_LENGTH, 128))],
  ['key length 0', setting(KEY_LENGTH, 0)],
  ['key length 1', setting(KEY_LENGTH, 1)],
  ['key length 129', setting(KEY_LENGTH, 129)],
  ['key length 65535', setting(KEY_LENGTH, 65_535)],
  ['key length 2^64', (all) => [...without(KEY_LENGTH)(all), long(KEY_LENGTH, 1, 0, 0, 0, 0, 0, 0, 0, 0)]],
  ['an empty key length', (all) => [...without(KEY_LENGTH)(all), long(KEY_LENGTH)]],
  ['an empty group', (all) => [...without(GROUP)(all), long(GROUP)]],
  ['3DES with a key length', (all) => setting(ENCRYPTION, 5)(all)],
  ['a PRF of its own', adding(short(PRF, 1))],
  ['an attribute nobody knows', adding(short(100, 1))],
  ['hash 0', setting(HASH, 0)],
  ['hash 3, Tiger', setting(HASH, 3)],
  ['encryption 0', setting(ENCRYPTION, 0)],
  ['encryption 65535', setting(ENCRYPTION, 65_535)],
  ['transform 0', (all) => all, { id: 0 }],
  ['transform 255', (all) => all, { id: 255 }],
  ['a group of a type', (all) => [...without(GROUP)(all), short(GROUP_TYPE, 1)]],
];

test('[A6] proposals of phase 1 with attributes missing, doubled or senseless are refused in forty bytes', () => {
  const everything = offers('aes128-sha256-modp2048,3des-sha256-modp2048,aes256-md5-modp1536', 'ike');
  const lone = lone1({ offers: everything });
  for (const [i, [what, edit, transform]] of BAD_IKE.entries()) {
    const [answer] = lone.receive(new Peer1(i).first(withAttributes(edit, transform)), PEER);
    assert.equal(kindOf(answer), NOTIFY.NO_PROPOSAL_CHOSEN, what);
    assert.equal(answer?.length, 40);
    assert.equal(lone.endpoint.size, 0, what);
  }
  const plain = (all: Attributes) => setting(ENCRYPTION, 5)(without(KEY_LENGTH)(all));
  for (const good of [(all: Attributes) => all, without(KEY_LENGTH), plain]) {
    const from = { ...PEER, port: 1000 + lone.endpoint.size };
    assert.ok((lone.receive(new Peer1(77).first(withAttributes(good)), from)[0]?.length ?? 0) > 100);
  }
  assertCalm(lone);
});

function kindOf(answer: Uint8Array | undefined): number | undefined {
  const [first] = answer ? (parseMessage(answer).chain?.payloads ?? []) : [];
  return first?.tag === 'N' ? first.kind : undefined;
}

test('[A6] an answer that was not offered, or chooses several, is not taken by an initiator', () => {
  const twice = withProposal((one) => ({ ...one, transforms: [...one.transforms, ...one.transforms] }));
  const two: Change = (all) =>
    all.map((one): Payload => (one.tag === 'SA' ? { ...one, proposals: [...one.proposals, ...one.proposals] } : one));
  const cases: [string, Change][] = [
    ['two transforms', twice],
    ['two proposals', two],
    ...BAD_IKE.map(([what, edit, transform]): [string, Change] => [what, withAttributes(edit, transform)]),
    ['another group', withAttributes(setting(GROUP, 2))],
    ['another hash', withAttributes(setting(HASH, 1))],
  ];
  for (const [what, change] of cases) {
    const { lone, first } = initiating();
    const peer = new Peer1(5).answering(first);
    assert.deepEqual(lone.receive(peer.main2(change), RESPONDER), [], what);
    assert.equal(lone.count('bad-answer'), 1, what);
    // The right one may still come.
    assert.equal(lone.receive(peer.main2(), RESPONDER).length, 1, what);
  }
});

test('[C3] authentication by RSA encryption, by signatures or with XAUTH is refused', () => {
  const lone = lone1();
  for (const method of [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 64_221, 65_001, 65_002, 65_005, 65_535]) {
    const [answer] = lone.receive(new Peer1(method).first(withAttributes(setting(AUTHENTICATION, method))), PEER);
    assert.equal(kindOf(answer), NOTIFY.NO_PROPOSAL_CHOSEN, `method ${method}`);
  }
  assert.equal(lone.endpoint.size, 0);
  const note = lone.events.findLast(({ kind }) => kind === 'note');
  assert.ok(note?.kind === 'note' && note.reason.code === 'no-proposal');
});

test('[A7] groups that do not exist are refused in phase 1', () => {
  const lone = lone1();
  const groups = [0, 1, 2, 5, ...Array.from({ length: 17 }, (_, i) => 1024 + i), 32_768, 65_535];
  for (const group of groups) {
    const [answer] = lone.receive(new Peer1(group).first(withAttributes(setting(GROUP, group))), PEER);
    assert.equal(kindOf(answer), NOTIFY.NO_PROPOSAL_CHOSEN, `group ${group}`);
  }
  assertCalm(lone);
});

test('[A7] public values of the wrong length end the half-open SA, and nothing is computed of them', () => {
  for (const size of [1, 31, 33, 128, 1000, 60_000]) {
    const data = new Uint8Array(size).fill(5);
    const bad: Change = (all) => all.map((one): Payload => (one.tag === 'KE' ? { tag: 'KE', data } : one));
    const lone = lone1({}, {}, seeded(size));
    const peer = new Peer1(size);
    const [second] = lone.receive(peer.first(), PEER);
    assert.deepEqual(lone.receive(peer.cookie(second).main3(bad), PEER), [], `${size} bytes`);
    assert.equal(lone.count('bad-key-exchange'), 1);
    assert.equal(lone.endpoint.size, 0);

    const bold = lone1({ aggressive: true });
    assert.deepEqual(bold.receive(new Peer1(size, { aggressive: true }).first(bad), PEER), []);
    assert.equal(bold.endpoint.size, 0);

    const { lone: asking, first } = initiating();
    const answering = new Peer1(5).answering(first);
    asking.receive(answering.main2(), RESPONDER);
    assert.deepEqual(asking.receive(answering.main3(bad), RESPONDER), []);
    assert.equal(asking.endpoint.size, 0);
  }
});

// --- quick mode ------------------------------------------------------------------------------------------------------

const [SA_GROUP, ENCAPSULATION, SA_AUTHENTICATION, SA_KEY_LENGTH, ESN] = [3, 4, 5, 6, 11];
const [ESP_3DES, ESP_NULL, ESP_GCM, ESP_GMAC] = [3, 11, 20, 23];

const BAD_ESP: readonly [string, (all: Attributes) => Attributes, Partial<Transform>?][] = [
  ['no authentication', without(SA_AUTHENTICATION)],
  ['nothing at all', () => []],
  ['authentication 0', setting(SA_AUTHENTICATION, 0)],
  ['authentication 3, DES-MAC', setting(SA_AUTHENTICATION, 3)],
  ['authentication 65535', setting(SA_AUTHENTICATION, 65_535)],
  ['authentication twice', adding(short(SA_AUTHENTICATION, 5))],
  ['key length 0', setting(SA_KEY_LENGTH, 0)],
  ['key length 65535', setting(SA_KEY_LENGTH, 65_535)],
  ['key length twice', adding(short(SA_KEY_LENGTH, 128))],
  ['3DES with a key length', (all) => all, { id: ESP_3DES }],
  ['NULL with a key length', (all) => all, { id: ESP_NULL }],
  ['NULL without authentication', (all) => without(SA_AUTHENTICATION)(without(SA_KEY_LENGTH)(all)), { id: ESP_NULL }],
  ['GCM with authentication', (all) => all, { id: ESP_GCM }],
  ['GMAC with authentication', (all) => all, { id: ESP_GMAC }],
  ['GMAC with key length 0', (all) => setting(SA_KEY_LENGTH, 0)(without(SA_AUTHENTICATION)(all)), { id: ESP_GMAC }],
  ['GMAC with key length 65535', (all) => setting(SA_KEY_LENGTH, 65_535)(without(SA_AUTHENTICATION)(all)), { id: 23 }],
  ['transform 0', (all) => all, { id: 0 }],
  ['transform 255', (all) => all, { id: 255 }],
  ['key rounds', adding(short(7, 1))],
  ['an attribute nobody knows', adding(short(100, 1))],
  ['encapsulation twice', adding(short(ENCAPSULATION, 1))],
  ['a group that was not wanted', adding(short(SA_GROUP, 14))],
  ['a group that does not exist', adding(short(SA_GROUP, 1025))],
  ['ESN twice', (all) => [...all, short(ESN, 1), short(ESN, 1)]],
];

const EVERY_ESP = offers('aes128-sha256,3des-sha256,aes128gcm16,aes128gmac,null-sha256,aes128ctr-sha256', 'esp');

test('[A6] proposals of quick mode with attributes missing, doubled or senseless are refused', () => {
  const { lone, peer } = up1({ conn: { children: [theirs({ offers: EVERY_ESP })] } });
  for (const [what, edit, transform] of BAD_ESP) {
    const [answer] = lone.receive(peer.quick().first(withAttributes(edit, transform)), PEER);
    assert.deepEqual(peer.read(answer).map(nameOf), ['HASH', NOTIFY.NO_PROPOSAL_CHOSEN], what);
  }
  assert.equal(lone.installed, 0);
  assert.equal(lone.endpoint.held.spis, 0);
  const gmac = without(SA_AUTHENTICATION);
  for (const [edit, transform] of [[(all: Attributes) => all], [gmac, { id: ESP_GMAC }]] as const) {
    lone.receive(peer.quick().first(withAttributes(edit, transform)), PEER);
  }
  assert.equal(lone.installed, 2);
  assertCalm(lone);
});

function theirs(over: Parameters<typeof child>[0]) {
  return child({ localTs: selectors('10.2.0.0/24'), remoteTs: selectors('10.1.0.0/24'), ...over });
}

function nameOf(payload: Payload): string | number {
  return payload.tag === 'N' ? payload.kind : payload.tag;
}

test('[A6] SPIs of the wrong size, reserved SPIs, and protocols that are none are refused in quick mode', () => {
  const { lone, peer } = up1();
  const cases: [string, Partial<Proposal>][] = [
    ...[0, 1, 3, 5, 8, 16, 255].map((size): [string, Partial<Proposal>] => [
      `${size} bytes`,
      { spi: new Uint8Array(size).fill(9) },
    ]),
    ['SPI 0', { spi: Uint8Array.of(0, 0, 0, 0) }],
    ['SPI 255', { spi: Uint8Array.of(0, 0, 0, 255) }],
    ...[0, 1, 2, 4, 255].map((protocol): [string, Partial<Proposal>] => [`protocol ${protocol}`, { protocol }]),
  ];
  for (const [what, over] of cases) {
    const [answer] = lone.receive(peer.quick().first(withProposal((one) => ({ ...one, ...over }))), PEER);
    assert.deepEqual(peer.read(answer).map(nameOf), ['HASH', NOTIFY.NO_PROPOSAL_CHOSEN], what);
  }
  assert.equal(lone.installed, 0);
  assertCalm(lone);
});

test('[A6] a number of transforms that is not the one in the header, and proposals that belong together, are not taken', () => {
  const { lone, peer } = up1();
  const quick = peer.quick();
  const bytes = quick.payloads;
  const sa = bytes.find(({ tag }) => tag === 'SA');
  assert.ok(sa?.tag === 'SA');
  const ah: Payload = {
    tag: 'SA',
    proposals: [...sa.proposals, ...sa.proposals.map((one) => ({ ...one, protocol: 2 }))],
  };
  const [answer] = lone.receive(
    quick.first((all) => all.map((one) => (one.tag === 'SA' ? ah : one))),
    PEER,
  );
  assert.deepEqual(peer.read(answer).map(nameOf), ['HASH', NOTIFY.NO_PROPOSAL_CHOSEN]);

  // In the clear, where nothing hides what is wrong.
  const first = new Peer1(6).first();
  for (const count of [0, 2, 255]) {
    const wrong = first.slice();
    // Header, generic header, DOI and situation, and of the proposal six bytes.
    wrong[28 + 12 + 7] = count;
    assert.deepEqual(lone.receive(wrong, { ...PEER, port: 501 }), [], `${count} transforms`);
  }
  assert.equal(lone.count('malformed:bad-value') + lone.count('malformed:too-many'), 3);
});

test('[A6] what a responder of quick mode chooses must have been offered', () => {
  const { lone, peer } = up1();
  const [session] = sessions1(lone);
  assert.ok(session);
  for (const [what, edit, transform] of BAD_ESP) {
    lone.run(lone.endpoint.createChild(lone.now, session.state.id, 'net'));
    const [asked] = lone.pass(0);
    assert.ok(asked, what);
    const quick = peer.quick(new DataView(asked.buffer, asked.byteOffset).getUint32(20));
    const chain = quick.hear(asked);
    const [answer] = lone.receive(quick.second(chain, withAttributes(edit, transform)), PEER);
    assert.deepEqual(peer.read(answer).map(nameOf), ['HASH', NOTIFY.NO_PROPOSAL_CHOSEN], what);
    assert.equal(lone.installed, 0, what);
  }
  assert.equal(lone.endpoint.held.spis, 0);
});
