// IKE_AUTH with pre-shared keys: who is let in, and what both sides say when not. RFC 7296 §2.15, §2.16, §2.21.2, §2.4;
// SECURITY B1, B2, B9, B13, C4. `side` is whose configuration differs, or who forges.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Payload } from '../../../src/ike/wire/payload.ts';
import { connection, id, LEFT_IP, mirrored, psk, RIGHT_IP, sides } from '../../support/connections.ts';
import { Pair, type Side, type SideOptions } from '../../support/pair.ts';
import { change, listen, note, request, response } from '../../support/tamper.ts';
import { ends, nothing, situation } from './narrate.ts';
import type { SideName } from './situations.ts';

function start(pair: Pair): void {
  pair.left.initiate();
  pair.run(2000);
}

function refused(pair: Pair): void {
  for (const each of [pair.left, pair.right]) {
    assert.equal(each.live.sessions.length, 0, each.name);
    assert.equal(each.plane.sas.length, 0, each.name);
    assert.equal(each.last('session-closed')?.established, each.count('session-established') > 0);
  }
  pair.run(70_000);
  nothing(pair);
}

function withKeys(side: SideName, text: string, ...owners: string[]): [SideOptions, SideOptions] {
  const [left, right] = sides();
  const other = [psk(text, ...owners)];
  return side === 'left' ? [{ ...left, sharedKeys: other }, right] : [left, { ...right, sharedKeys: other }];
}

situation('auth-wrong-psk', 'both sides say that AUTH failed, and what to compare', (side) => {
  const pair = new Pair(...withKeys(side, 'another secret, also long enough'));
  const lines = listen(pair);
  start(pair);
  // <-- IKE_AUTH {N(AUTHENTICATION_FAILED)}
  assert.equal(lines[3], 'right: N(AUTHENTICATION_FAILED)');
  const ours = pair.right.last('session-closed')?.reason;
  assert.equal(ours?.code, 'auth-failed');
  assert.equal(ours?.by, 'us');
  const theirs = pair.left.last('session-closed')?.reason;
  assert.equal(theirs?.code, 'auth-failed');
  assert.equal(theirs?.by, 'peer');
  for (const reason of [ours, theirs]) {
    assert.ok(reason?.remedy);
    assert.ok(!JSON.stringify(reason).includes('secret, also'));
  }
  refused(pair);
});

situation('auth-wrong-psk', 'a responder whose AUTH is wrong is told, and not believed', (side) => {
  // The left side takes the right one for somebody else's key: only the responder's AUTH fails.
  const pair = new Pair(...sides());
  const { left, right } = pair;
  assert.ok(side);
  change(pair, response(right, 'IKE_AUTH'), (payloads) =>
    payloads.map((payload) =>
      payload.tag === 'AUTH' ? { ...payload, data: payload.data.map((x) => x ^ 1) } : payload,
    ),
  );
  const lines = listen(pair);
  start(pair);
  // INFORMATIONAL {N(AUTHENTICATION_FAILED)} -->
  assert.equal(lines[4], 'left: N(AUTHENTICATION_FAILED)');
  assert.equal(left.last('session-closed')?.reason.by, 'us');
  assert.equal(right.last('session-closed')?.reason.code, 'auth-failed');
  refused(pair);
});

situation('auth-wrong-psk', 'a side without any key says so', (side) => {
  const [left, right] = sides();
  const none = { sharedKeys: [] };
  const pair = side === 'left' ? new Pair({ ...left, ...none }, right) : new Pair(left, { ...right, ...none });
  start(pair);
  assert.equal(pair[side].last('session-closed')?.reason.code, 'no-psk');
  pair.run(40_000);
  nothing(pair);
});

situation('auth-unknown-id', 'an identity that is not expected is refused like a wrong key', (side) => {
  const [left, right] = sides();
  const stranger = id('stranger.test');
  const changed = (one: SideOptions) => ({
    ...one,
    connections: one.connections.map((conn) => ({ ...conn, localId: stranger })),
  });
  const pair = side === 'left' ? new Pair(changed(left), right) : new Pair(left, changed(right));
  const lines = listen(pair);
  start(pair);
  // From the wire one cannot tell it from a wrong key (SECURITY C4).
  assert.equal(lines[3], 'right: N(AUTHENTICATION_FAILED)');
  const told = pair.right.last('session-closed')?.reason;
  assert.equal(told?.code, 'unknown-id');
  // Either the peer is not whom we expect, or we are not whom it asks for.
  assert.deepEqual(
    [told?.want, told?.got],
    side === 'left'
      ? [['ID_FQDN left.test'], ['ID_FQDN stranger.test']]
      : [['ID_FQDN stranger.test'], ['ID_FQDN right.test']],
  );
  refused(pair);
});

situation('auth-unknown-id', 'a responder that is somebody else is not believed, key or no key', (side) => {
  const pair = new Pair(...sides());
  const { left, right } = pair;
  assert.ok(side);
  change(pair, response(right, 'IKE_AUTH'), (payloads) =>
    payloads.map((payload) => (payload.tag === 'IDr' ? { ...payload, id: id('somebody.test') } : payload)),
  );
  start(pair);
  assert.equal(left.last('session-closed')?.reason.code, 'unknown-id');
  refused(pair);
});

test('a pre-shared key belongs to its identities (SECURITY B9)', () => {
  // Two peers with keys of their own; one takes the other's name.
  const keys = [
    psk('the first secret of the two, long', 'left.test'),
    psk('the second secret of the two, long', 'other.test'),
  ];
  const conn = connection({ localId: id('other.test') });
  const there = mirrored(connection(), { remoteId: { kind: 'any' } });
  const [mine] = keys;
  if (!mine) throw new Error('no key');
  const liar: SideOptions = {
    ip: LEFT_IP,
    connections: [conn],
    sharedKeys: [{ ...psk('the first secret of the two, long') }],
  };
  const pair = new Pair(liar, { ip: RIGHT_IP, connections: [there], sharedKeys: keys });
  start(pair);
  assert.equal(pair.right.last('session-closed')?.reason.code, 'auth-failed');
  refused(pair);
});

/** AUTH as it must not be. */
function forged(pair: Pair, by: Side, edited: (payloads: readonly Payload[]) => readonly Payload[]): void {
  const match = by === pair.left ? request(by, 'IKE_AUTH') : response(by, 'IKE_AUTH');
  change(pair, match, edited);
  start(pair);
  // Of those who do not forge, nobody takes the forger for authenticated.
  assert.equal(by.other.count('session-established'), 0);
  assert.equal(by.other.count('child-established'), 0);
  pair.run(70_000);
  nothing(pair);
}

const withAuth = (data: (own: Uint8Array) => Uint8Array, method?: number) => (payloads: readonly Payload[]) =>
  payloads.map((payload) =>
    payload.tag === 'AUTH' ? { ...payload, data: data(payload.data), method: method ?? payload.method } : payload,
  );

situation('auth-forged', 'AUTH of zeros, empty, shortened, lengthened, or of another method', (side) => {
  const forgeries = [
    withAuth((own) => new Uint8Array(own.length)),
    withAuth(() => new Uint8Array(0)),
    withAuth((own) => own.slice(0, -1)),
    withAuth((own) => own.slice(0, 1)),
    withAuth((own) => Uint8Array.of(...own, 0)),
    ...[0, 1, 3, 9, 13, 14, 255].map((method) => withAuth((own) => own, method)),
  ];
  for (const edited of forgeries) {
    const pair = new Pair(...sides());
    forged(pair, pair[side], edited);
  }
});

situation('auth-forged', 'a certificate where a pre-shared key is wanted: it is told as that', (side) => {
  const pair = new Pair(...sides());
  const by = pair[side];
  change(
    pair,
    by === pair.left ? request(by, 'IKE_AUTH') : response(by, 'IKE_AUTH'),
    withAuth((own) => own, 14),
  );
  start(pair);
  const reason = by.other.last('session-closed')?.reason;
  assert.equal(reason?.code, 'auth-method');
  assert.match(reason?.text ?? '', /authenticates with DIGITAL_SIGNATURE; we want a pre-shared key$/);
});

situation('auth-forged', 'AUTH left out', (side) => {
  const pair = new Pair(...sides());
  forged(pair, pair[side], (payloads) => payloads.filter(({ tag }) => tag !== 'AUTH'));
});

situation('auth-forged', "the other side's own AUTH and identity, sent back", (side) => {
  // SECURITY B2: reflection. For the initiator's the responder's answer is needed, which comes later; the value of an
  // earlier session under the same key serves as well as any.
  const earlier = new Pair(...sides());
  let reflected: readonly Payload[] = [];
  const from = earlier[side].other;
  change(earlier, from === earlier.left ? request(from, 'IKE_AUTH') : response(from, 'IKE_AUTH'), (payloads) => {
    reflected = payloads;
    return payloads;
  });
  start(earlier);
  const auth = reflected.find(({ tag }) => tag === 'AUTH');
  const own = reflected.find(({ tag }) => tag === 'IDi' || tag === 'IDr');
  assert.ok(auth && (own?.tag === 'IDi' || own?.tag === 'IDr'));
  for (const alsoId of [false, true]) {
    const pair = new Pair(...sides());
    forged(pair, pair[side], (payloads) =>
      payloads.map((payload) => {
        if (payload.tag === 'AUTH') return auth;
        const mine = payload.tag === (side === 'left' ? 'IDi' : 'IDr');
        return alsoId && mine && (payload.tag === 'IDi' || payload.tag === 'IDr')
          ? { ...payload, id: own.id }
          : payload;
      }),
    );
  }
});

situation('auth-forged', 'identities that look like something else never match', (side) => {
  const names = ['', '%any', '__proto__', 'constructor', 'left.test\0', 'C=CH, O=x', 'LEFT.TEST.', '*'];
  for (const name of names) {
    const pair = new Pair(...sides());
    const tag = side === 'left' ? 'IDi' : 'IDr';
    forged(pair, pair[side], (payloads) =>
      payloads.map((payload) =>
        payload.tag === tag ? { tag, id: { type: 2, data: new TextEncoder().encode(name) } } : payload,
      ),
    );
  }
  for (const type of [1, 3, 5, 9, 11, 13, 200]) {
    const pair = new Pair(...sides());
    const tag = side === 'left' ? 'IDi' : 'IDr';
    const size = type === 1 ? 4 : 16;
    forged(pair, pair[side], (payloads) =>
      payloads.map((payload) => (payload.tag === tag ? { tag, id: { type, data: new Uint8Array(size) } } : payload)),
    );
  }
});

situation('initial-contact', 'a peer that starts afresh replaces what it had', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  me.restart();
  const lines = listen(pair);
  me.initiate();
  pair.run(2000);
  assert.ok(lines[2]?.includes('N(INITIAL_CONTACT)'));
  assert.equal(peer.live.sessions.length, 1);
  assert.equal(peer.live.children.length, 1);
  assert.equal(peer.last('session-closed')?.reason.code, 'replaced');
  // No Delete is sent to somebody who does not have the SA any more.
  assert.ok(!lines.includes(`${peer.name}: D(IKE)`));
  pair.flowing(1000);
  assert.equal(pair.flow.lost, 0);
  assert.deepEqual(pair.faults(), []);
});

situation('initial-contact', 'it is not said while another session with the peer stands', (side) => {
  const pair = Pair.up(...sides({ unique: 'never' }));
  const { me, peer } = ends(pair, side);
  const lines = listen(pair);
  me.initiate();
  pair.run(2000);
  assert.ok(!lines[2]?.includes('N(INITIAL_CONTACT)'));
  assert.equal(peer.live.sessions.length, 2);
});

situation('initial-contact', 'it counts for the same pair of identities only', (side) => {
  // Two peers with identities of their own behind one address, and one connection for all.
  const names = ['one.test', 'two.test'];
  const conns = names.map((name) => connection({ name, localId: id(name) }));
  const there = mirrored(connection({ name: 'any' }), { remoteId: { kind: 'any' } });
  const mine: SideOptions = { ip: side === 'left' ? LEFT_IP : RIGHT_IP, connections: conns, sharedKeys: [psk()] };
  const other: SideOptions = { ip: side === 'left' ? RIGHT_IP : LEFT_IP, connections: [there], sharedKeys: [psk()] };
  const pair = side === 'left' ? new Pair(mine, other) : new Pair(other, mine);
  const { me, peer } = ends(pair, side);
  const lines = listen(pair);
  for (const conn of conns) me.initiate(undefined, conn);
  pair.run(3000);
  assert.equal(lines.filter((line) => line.includes('N(INITIAL_CONTACT)')).length, 2);
  assert.equal(peer.live.sessions.length, 2);
  assert.equal(peer.count('session-closed'), 0);
});

situation('initial-contact', 'outside IKE_AUTH it means nothing', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  change(pair, request(me, 'INFORMATIONAL'), () => [note('INITIAL_CONTACT')]);
  me.run(me.endpoint.checkLiveness(pair.now, me.session));
  pair.run(1000);
  assert.equal(peer.endpoint.counters().get('late-initial-contact'), 1);
  // In IKE_SA_INIT nobody vouches for it.
  const before = peer.session;
  change(pair, request(me, 'IKE_SA_INIT'), (payloads) => [...payloads, note('INITIAL_CONTACT')]);
  me.initiate();
  pair.run(1000);
  assert.ok(peer.live.sessions.some(({ state }) => state.id === before));
});

test('a peer that has not said it knows childless IKE SAs is not asked for one (RFC 6023 §3)', () => {
  const pair = new Pair(...sides({ childless: 'force' }, { childless: 'never' }));
  pair.left.initiate();
  pair.run(1000);
  assert.deepEqual(
    pair.log.map((line) => line.split(' ').slice(1).join(' ')),
    ['left> IKE_SA_INIT request 0', 'right> IKE_SA_INIT response 0'],
  );
  assert.equal(pair.left.last('session-closed')?.reason.code, 'childless');
});
