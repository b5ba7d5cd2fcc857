// SECURITY A10 in IKEv1: what quick mode is asked for. CVE-2023-38711: an identity that is a name where a selector should
// be.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../src/bytes/bytes.ts';
import { ID, NOTIFY } from '../../src/ike/v1/wire/constants.ts';
import type { Id, Payload } from '../../src/ike/v1/wire/payload.ts';
import { child, offers, selectors } from '../support/connections.ts';
import {
  answered1,
  assertCalm,
  childrenOf,
  establishedIn,
  PEER,
  RESPONDER,
  serves1,
  sessions1,
  up1,
} from './guest1.ts';
import { type Change, OURS, subnet, THEIRS } from './quick1.ts';

function made(type: number, data: readonly number[] | Uint8Array, over: Partial<Id> = {}): Id {
  return { type, protocol: 0, port: 0, data: Uint8Array.from(data), ...over };
}

const V6 = new Uint8Array(16).fill(0x20);

const BAD: readonly [string, Id][] = [
  ['FQDN', made(ID.FQDN, utf8('left.test'))],
  ['USER_FQDN', made(ID.USER_FQDN, utf8('me@left.test'))],
  ['DER_ASN1_DN', made(ID.DER_ASN1_DN, [0x30, 0])],
  ['DER_ASN1_GN', made(ID.DER_ASN1_GN, [0x82, 1, 0x61])],
  ['KEY_ID', made(ID.KEY_ID, [1, 2, 3, 4])],
  ['type 0', made(0, [10, 1, 0, 0])],
  ['type 12', made(12, [10, 1, 0, 0])],
  ['type 255', made(255, [10, 1, 0, 0, 255, 255, 255, 0])],
  ['a mask with a hole', subnet(10, 1, 0, 0, 255, 0, 255, 0)],
  ['a mask turned round', subnet(10, 1, 0, 0, 0, 255, 255, 255)],
  ['a mask of one bit, the last', subnet(10, 1, 0, 0, 0, 0, 0, 1)],
  ['a mask of IPv6 with a hole', made(ID.IPV6_ADDR_SUBNET, [...V6, ...new Uint8Array(15), 1])],
  ['a range turned round', made(ID.IPV4_ADDR_RANGE, [10, 1, 0, 9, 10, 1, 0, 8])],
  ['a range of IPv6 turned round', made(ID.IPV6_ADDR_RANGE, [...V6, ...new Uint8Array(16)])],
];

const FOREIGN: readonly [string, Id][] = [
  ['everything of IPv6', made(ID.IPV6_ADDR_SUBNET, new Uint8Array(32))],
  ['an address of IPv6', made(ID.IPV6_ADDR, V6)],
  ['another network', subnet(10, 99, 0, 0, 255, 255, 255, 0)],
  ['an address next to ours', made(ID.IPV4_ADDR, [10, 3, 0, 0])],
  ['a range before ours', made(ID.IPV4_ADDR_RANGE, [0, 0, 0, 0, 10, 0, 255, 255])],
];

function named(payload: Payload): string | number {
  return payload.tag === 'N' ? payload.kind : payload.tag;
}

/** The first or the second ID payload replaced. */
function replacing(which: number, id: Id): Change {
  return (all) => {
    const at = all.flatMap(({ tag }, i) => (tag === 'ID' ? [i] : []))[which];
    return all.map((payload, i): Payload => (i === at ? { tag: 'ID', id } : payload));
  };
}

test('[A10] names, masks with holes and ranges that end before they begin are refused as INVALID_ID_INFORMATION', () => {
  const { lone, peer } = up1();
  for (const [what, id] of [...BAD, ...FOREIGN]) {
    for (const which of [0, 1]) {
      const [answer] = lone.receive(peer.quick().first(replacing(which, id)), PEER);
      assert.deepEqual(peer.read(answer).map(named), ['HASH', NOTIFY.INVALID_ID_INFORMATION], `${what}, ID ${which}`);
      const note = lone.events.at(-1);
      assert.ok(note?.kind === 'note' && note.reason.code === 'ts-mismatch', what);
    }
  }
  assert.equal(lone.installed, 0);
  assert.equal(lone.endpoint.held.spis, 0);
  assertCalm(lone);
  assert.ok(serves1(lone));
});

test('[A10] one ID, three of them, or both turned round, are refused', () => {
  const { lone, peer } = up1();
  const ids = (...some: readonly Id[]): Change => {
    const more = some.map((id): Payload => ({ tag: 'ID', id }));
    return (all) => [...all.filter(({ tag }) => tag !== 'ID'), ...more];
  };
  for (const change of [ids(THEIRS), ids(OURS), ids(THEIRS, OURS, OURS), ids(OURS, THEIRS), ids(OURS, OURS)]) {
    const [answer] = lone.receive(peer.quick().first(change), PEER);
    assert.deepEqual(peer.read(answer).map(named), ['HASH', NOTIFY.INVALID_ID_INFORMATION]);
  }
  assert.equal(lone.installed, 0);
  assertCalm(lone);
});

test('[A10] an ID of an address whose length is another is malformed', () => {
  const { lone, peer } = up1();
  for (const [type, sizes] of [
    [ID.IPV4_ADDR, [0, 3, 5, 8, 16]],
    [ID.IPV4_ADDR_SUBNET, [0, 4, 7, 9, 40]],
    [ID.IPV6_ADDR, [4, 15, 17, 32]],
    [ID.IPV6_ADDR_RANGE, [0, 16, 31, 33]],
  ] as const) {
    for (const size of sizes) {
      const id = made(type, new Uint8Array(size).fill(10));
      assert.deepEqual(lone.receive(peer.quick().first(replacing(0, id)), PEER), [], `type ${type}, ${size} bytes`);
    }
  }
  assert.equal(lone.installed, 0);
  assertCalm(lone);
});

test('[A10] what is asked for is never given beyond what is configured', () => {
  const wide: [string, Id, Id][] = [
    ['everything', subnet(0, 0, 0, 0, 0, 0, 0, 0), subnet(0, 0, 0, 0, 0, 0, 0, 0)],
    ['a range', made(ID.IPV4_ADDR_RANGE, [0, 0, 0, 0, 255, 255, 255, 255]), OURS],
    ['a subnet above', subnet(10, 0, 0, 0, 255, 0, 0, 0), subnet(10, 2, 0, 0, 255, 254, 0, 0)],
    ['bits behind the mask', subnet(10, 1, 0, 77, 255, 255, 255, 0), OURS],
    ['a port of no protocol', { ...THEIRS, port: 53 }, { ...OURS, port: 53 }],
    ['a protocol', { ...THEIRS, protocol: 17 }, { ...OURS, protocol: 17 }],
    ['two protocols', { ...THEIRS, protocol: 17 }, { ...OURS, protocol: 6 }],
    ['protocol 255', { ...THEIRS, protocol: 255, port: 65_535 }, { ...OURS, protocol: 255, port: 65_535 }],
  ];
  for (const [what, remote, local] of wide) {
    const { lone, peer } = up1();
    lone.receive(
      peer.quick().first((all) => replacing(1, local)(replacing(0, remote)(all))),
      PEER,
    );
    for (const { state } of sessions1(lone)) {
      for (const { localTs, remoteTs } of state.children) {
        assert.deepEqual(
          [...localTs, ...remoteTs].map(({ start }) => start.slice(0, 3).join('.')),
          ['10.2.0', '10.1.0'],
          what,
        );
      }
    }
    assertCalm(lone, what);
  }
});

test('[A10] an initiator takes no other traffic from the responder than it has asked for', () => {
  for (const [what, id] of [...BAD, ...FOREIGN, ['everything', subnet(0, 0, 0, 0, 0, 0, 0, 0)] as const]) {
    for (const which of [0, 1]) {
      const { lone, peer, asked } = answered1();
      const quick = peer.quick(new DataView(asked.buffer, asked.byteOffset).getUint32(20));
      const [answer] = lone.receive(quick.second(quick.hear(asked), replacing(which, id)), RESPONDER);
      assert.equal(lone.installed, 0, `${what}, ID ${which}`);
      assert.deepEqual(peer.read(answer).map(named), ['HASH', NOTIFY.NO_PROPOSAL_CHOSEN]);
      assert.equal(lone.endpoint.held.spis, 0);
      assertCalm(lone, what);
    }
  }
});

test('[A10] in transport mode, with or without a NAT, IDs of any kind break nothing', () => {
  const host = child({
    mode: 'transport',
    offers: offers('aes128-sha256', 'esp'),
    localTs: selectors('dynamic'),
    remoteTs: selectors('dynamic'),
  });
  const transport: Change = (all) =>
    all.map((payload): Payload => {
      if (payload.tag !== 'SA') return payload;
      const proposals = payload.proposals.map((one) => ({
        ...one,
        transforms: one.transforms.map((transform) => ({
          ...transform,
          attributes: transform.attributes.map((a) => (a.type === 4 ? { ...a, value: Uint8Array.of(0, 2) } : a)),
        })),
      }));
      return { ...payload, proposals };
    });
  const { lone, peer } = up1({ conn: { children: [host] } });
  const [session] = sessions1(lone);
  assert.ok(session);
  for (const natted of [false, true]) {
    Object.assign(session.state, { natRemote: natted, natLocal: natted });
    for (const [, id] of [...BAD, ...FOREIGN]) {
      for (const which of [0, 1])
        lone.receive(
          peer.quick().first((all) => transport(replacing(which, id)(all))),
          PEER,
        );
    }
    assert.equal(
      lone.receive(
        peer.quick().first((all) => transport(all.slice(0, 2))),
        PEER,
      ).length,
      1,
    );
  }
  assert.equal(establishedIn(lone), 1);
  assert.ok(childrenOf(lone) > 0);
  assertCalm(lone);
});
