// IKE_SA_INIT: cookies, groups, proposals, downgrades, lost messages. RFC 7296 §1.2, §2.1, §2.6, §3.9; SECURITY B11, C9, D.
// `side` is who initiates.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SocketAddress } from '../../../src/bytes/ip.ts';
import { parseMessage } from '../../../src/ike/wire/message.ts';
import type { Payload } from '../../../src/ike/wire/payload.ts';
import { offers, sides } from '../../support/connections.ts';
import { Pair, type Side, type SideOptions } from '../../support/pair.ts';
import { change, drop, listen, note, read, request, response } from '../../support/tamper.ts';
import { ends, nothing, one, settled, situation } from './narrate.ts';
import type { SideName } from './situations.ts';

const STRANGER: SocketAddress = { ip: '198.51.100.7', port: 500 };

function init(pair: Pair, side: SideName): { me: Side; peer: Side } {
  pair[side].initiate();
  return ends(pair, side);
}

function withOffers(side: SideName, mine: string, theirs: string): [SideOptions, SideOptions] {
  const [left, right] = side === 'left' ? [mine, theirs] : [theirs, mine];
  return sides({ offers: offers(left, 'ike') }, { offers: offers(right, 'ike') });
}

function up(pair: Pair): void {
  for (const each of [pair.left, pair.right]) {
    assert.equal(each.live.sessions.length, 1, each.name);
    assert.equal(each.live.children.length, 1, each.name);
  }
  pair.flowing(1000);
  assert.deepEqual(pair.flow, { sent: 200, lost: 0, refused: 0 });
  assert.deepEqual(pair.faults(), []);
}

situation('init-invalid-ke', 'the group that the peer names is tried', (side) => {
  const pair = new Pair(...withOffers(side, 'aes128gcm16-prfsha256-x25519-ecp256', 'aes128gcm16-prfsha256-ecp256'));
  const lines = listen(pair);
  const { me, peer } = init(pair, side);
  pair.run(2000);
  assert.equal(lines[1], `${peer.name}: N(INVALID_KE_PAYLOAD)`);
  assert.equal(me.live.sessions[0]?.state.suite?.ke, 19);
  const [first, second] = me.sent.map(({ bytes }) => read(bytes, me));
  assert.deepEqual(second?.header.spiI, first?.header.spiI);
  // Both requests offer all groups: AUTH would show it if somebody had taken one away (RFC 7296 §2.7).
  const sa = (payloads: readonly Payload[] = []) => payloads.find(({ tag }) => tag === 'SA');
  assert.deepEqual(sa(second?.payloads), sa(first?.payloads));
  up(pair);
});

situation('init-no-proposal', 'want, got and where stand in the reason', (side) => {
  const pair = new Pair(...withOffers(side, 'aes128gcm16-prfsha256-x25519', 'aes256-sha384-modp2048'));
  const lines = listen(pair);
  const { me, peer } = init(pair, side);
  pair.run(1000);
  assert.equal(lines[1], `${peer.name}: N(NO_PROPOSAL_CHOSEN)`);
  const told = peer.last('note')?.reason;
  assert.equal(told?.code, 'no-proposal');
  assert.deepEqual(told?.want, ['aes256-sha384-modp2048']);
  assert.deepEqual(told?.got, ['IKE:AES_GCM_16_128/PRF_HMAC_SHA2_256/CURVE_25519']);
  assert.deepEqual(told?.where, { file: 'gw.conf', line: 14, column: 1 });
  assert.ok(told?.remedy?.includes('gw.conf:14'), told?.remedy);
  assert.ok(told?.misses?.length);
  const heard = me.last('session-closed')?.reason;
  assert.equal(heard?.code, 'no-proposal');
  assert.equal(heard?.by, 'peer');
  assert.deepEqual(heard?.where, { file: 'gw.conf', line: 14, column: 1 });
  nothing(pair);
});

situation('init-no-proposal', 'nobody is at home for this address', (side) => {
  const [left, right] = sides({}, {});
  const pair = new Pair(left, right);
  const { peer } = ends(pair, side);
  peer.endpoint.configure([], peer.options.sharedKeys);
  const { me } = init(pair, side);
  pair.run(1000);
  assert.equal(peer.last('note')?.reason.code, 'no-connection');
  assert.equal(me.last('session-closed')?.reason.notify, 'NO_PROPOSAL_CHOSEN');
  nothing(pair);
});

situation('init-downgrade', 'proposals taken out on the way: AUTH fails', (side) => {
  const both = 'aes256gcm16-aes128gcm16-prfsha256-x25519';
  const pair = new Pair(...sides({ offers: offers(both, 'ike') }));
  const { me, peer } = ends(pair, side);
  change(pair, request(me, 'IKE_SA_INIT'), (payloads) =>
    payloads.map((payload) =>
      payload.tag === 'SA'
        ? {
            ...payload,
            proposals: payload.proposals.map((proposal) => ({
              ...proposal,
              transforms: proposal.transforms.filter(({ keyBits }) => keyBits !== 256),
            })),
          }
        : payload,
    ),
  );
  init(pair, side);
  pair.run(1000);
  assert.equal(me.last('session-closed')?.reason.code, 'auth-failed');
  assert.equal(peer.last('session-closed')?.reason.code, 'auth-failed');
  assert.equal(me.live.sessions.length + peer.live.sessions.length, 0);
  assert.equal(me.plane.sas.length + peer.plane.sas.length, 0);
});

situation('init-downgrade', 'any payload changed in either message: AUTH fails, or the answer is not taken', (side) => {
  for (const which of ['request', 'response'] as const) {
    for (const tag of ['N', 'Nonce', 'KE'] as const) {
      const pair = new Pair(...sides());
      const { me, peer } = ends(pair, side);
      const match = which === 'request' ? request(me, 'IKE_SA_INIT') : response(peer, 'IKE_SA_INIT');
      change(pair, match, (payloads) =>
        payloads
          .filter((payload) => tag !== 'N' || payload.tag !== 'N' || payload.kind !== 16431)
          .map((payload) => {
            if (payload.tag !== tag || payload.tag === 'N') return payload;
            if (payload.tag !== 'Nonce' && payload.tag !== 'KE') return payload;
            const data = payload.data.slice();
            data[0] = (data[0] ?? 0) ^ 1;
            return { ...payload, data };
          }),
      );
      init(pair, side);
      pair.run(65_000);
      // A responder proves itself last: only the initiator sees what was done to its answer, and says so.
      assert.equal(me.count('session-established'), 0, `${which} ${tag}`);
      assert.equal(me.plane.sas.length + peer.plane.sas.length, 0);
      if (peer.count('session-established') > 0) {
        assert.equal(peer.last('session-closed')?.reason.code, 'auth-failed');
      }
      nothing(pair);
    }
  }
});

situation('init-downgrade', 'INVALID_KE_PAYLOAD leads only to a group that we offered, and not back', (side) => {
  const only = 'aes128gcm16-prfsha256-x25519-ecp256';
  // To modp1024, which nobody offered, and to the one just tried.
  for (const group of [2, 31, 0, 65_535]) {
    const pair = new Pair(...sides({ offers: offers(only, 'ike') }));
    const { me, peer } = ends(pair, side);
    change(
      pair,
      response(peer, 'IKE_SA_INIT'),
      () => [note('INVALID_KE_PAYLOAD', Uint8Array.of(group >> 8, group & 0xff))],
      1,
    );
    init(pair, side);
    pair.run(500);
    assert.equal(me.endpoint.counters().get('bad-group'), 1);
    assert.equal(me.sent.length, 1);
    // A forged answer does no harm: the true one is still to come. Should there be none, this is why.
    const alone = new Pair(...sides({ offers: offers(only, 'ike') }));
    change(
      alone,
      response(ends(alone, side).peer, 'IKE_SA_INIT'),
      () => [note('INVALID_KE_PAYLOAD', Uint8Array.of(group >> 8, group & 0xff))],
      9,
    );
    const { me: lonely } = init(alone, side);
    alone.run(60_000);
    const told = lonely.last('session-closed')?.reason;
    assert.equal(told?.code, 'wrong-group');
    assert.match(
      told?.remedy ?? '',
      group === 2 ? /^add `-modp1024` to `proposals` in gw\.conf:14, or/ : /^have the peer|^add/,
    );
    if (group === 31) assert.match(told?.text ?? '', /asks for the group CURVE_25519, with which we have begun$/);
    if (group === 31) assert.match(told?.remedy ?? '', /^have the peer take/);
    pair.run(2000);
    up(pair);
  }
  // To one that we offered: that works, but the peer prefers it or AUTH fails; the proposals are under AUTH.
  const pair = new Pair(...sides({ offers: offers(only, 'ike') }));
  const { me, peer } = ends(pair, side);
  change(pair, response(peer, 'IKE_SA_INIT'), () => [note('INVALID_KE_PAYLOAD', Uint8Array.of(0, 19))], 1);
  init(pair, side);
  pair.run(40_000);
  assert.equal(me.live.sessions[0]?.state.suite?.ke, 19);
  assert.equal(peer.live.sessions.length, 1);
});

situation('init-downgrade', 'an answer with what was not offered is not taken', (side) => {
  const pair = new Pair(...sides({ offers: offers('aes128gcm16-prfsha256-x25519', 'ike') }));
  const { me, peer } = ends(pair, side);
  change(
    pair,
    response(peer, 'IKE_SA_INIT'),
    (payloads) =>
      payloads.map((payload) =>
        payload.tag === 'SA'
          ? {
              ...payload,
              proposals: payload.proposals.map((proposal) => ({
                ...proposal,
                transforms: proposal.transforms.map((one) => (one.type === 1 ? { ...one, keyBits: 256 } : one)),
              })),
            }
          : payload,
      ),
    1,
  );
  init(pair, side);
  pair.run(500);
  assert.equal(me.endpoint.counters().get('bad-answer'), 1);
  pair.run(2000);
  up(pair);
});

situation('init-both', 'both sides initiate at once, and one tunnel stays', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const pair = new Pair(...sides(), seed);
    pair.left.initiate();
    pair.right.initiate();
    pair.run(10_000);
    settled(pair);
    one(pair);
  }
});

situation('init-lost', 'any message of the initial exchanges may be lost, doubled or late', (side) => {
  for (let nth = 0; nth < 4; nth++) {
    for (const fate of ['lost', 'doubled', 'late'] as const) {
      const pair = new Pair(...sides());
      let n = 0;
      pair.wire.tamper = (bytes, from, to) => {
        if (n++ !== nth) return bytes;
        if (fate === 'lost') return undefined;
        const wait = fate === 'doubled' ? 15 : 2500;
        pair.later(wait, () => pair.inject(to, bytes, { ip: from.options.ip, port: 500 }));
        return fate === 'doubled' ? bytes : undefined;
      };
      init(pair, side);
      pair.run(10_000);
      settled(pair);
      for (const each of [pair.left, pair.right]) assert.equal(each.count('session-established'), 1, `${nth} ${fate}`);
    }
  }
});

situation('init-lost', 'a repeated first message gets the same answer, byte by byte', (side) => {
  const pair = new Pair(...sides());
  const { me, peer } = init(pair, side);
  drop(pair, response(peer, 'IKE_SA_INIT'), 3);
  pair.run(10_000);
  const answers = peer.sent.filter(({ bytes }) => parseMessage(bytes).header.exchange === 34);
  assert.equal(answers.length, 4);
  for (const { bytes } of answers) assert.deepEqual(bytes, answers[0]?.bytes);
  const requests = me.sent.slice(0, 4);
  for (const { bytes } of requests) assert.deepEqual(bytes, requests[0]?.bytes);
  assert.equal(peer.count('session-started'), 1);
  up(pair);
});

situation('init-nonce', 'nonces shorter than 16 or longer than 256 octets and SPIs of zero are not taken', (side) => {
  for (const size of [0, 15, 257]) {
    const pair = new Pair(...sides());
    const { me, peer } = ends(pair, side);
    const cut = (payloads: readonly Payload[]) =>
      payloads.map((payload) => (payload.tag === 'Nonce' ? { ...payload, data: new Uint8Array(size) } : payload));
    change(pair, request(me, 'IKE_SA_INIT'), cut);
    init(pair, side);
    pair.run(500);
    assert.equal(peer.endpoint.size, 0);
    assert.equal(peer.endpoint.counters().get('malformed:bad-length'), 1);
    change(pair, response(peer, 'IKE_SA_INIT'), cut, 1);
    pair.run(1000);
    assert.equal(me.endpoint.counters().get('malformed:bad-length'), 1);
    pair.run(5000);
    up(pair);
  }
  // Our own: 32 octets of nonce, SPIs that are not zero (SECURITY C9).
  const pair = Pair.up(...sides());
  for (const each of [pair.left, pair.right]) {
    const said = read(each.sent[0]?.bytes ?? new Uint8Array(), each);
    const nonce = said?.payloads.find((payload) => payload.tag === 'Nonce');
    assert.ok(nonce?.tag === 'Nonce' && nonce.data.length === 32);
    assert.ok(said?.header.spiI.some((byte) => byte !== 0));
    assert.ok(each.child > 0 && (each.live.children[0]?.spiIn ?? 0) > 255);
  }
});

situation('init-nonce', "a responder's SPI of zero in a complete answer is not taken", (side) => {
  const pair = new Pair(...sides());
  const { me, peer } = init(pair, side);
  pair.wire.tamper = (bytes, from) => {
    if (from !== peer) return bytes;
    const forged = bytes.slice();
    forged.fill(0, 8, 16);
    pair.wire.tamper = undefined;
    return forged;
  };
  pair.run(500);
  assert.equal(me.endpoint.counters().get('zero-spi'), 1);
  pair.run(5000);
  up(pair);
});

test('a lower major version is left alone, a higher one is told ours', () => {
  const pair = new Pair(...sides());
  pair.left.initiate();
  const bytes = pair.left.sent[0]?.bytes.slice() ?? new Uint8Array();
  bytes[17] = 0x30;
  pair.inject(pair.right, bytes, STRANGER);
  const answer = parseMessage(pair.right.sent[0]?.bytes ?? new Uint8Array());
  assert.deepEqual(answer.payloads, [note('INVALID_MAJOR_VERSION')]);
  assert.deepEqual(answer.header.spiI, bytes.slice(0, 8));
  bytes[17] = 0x00;
  pair.inject(pair.right, bytes, STRANGER);
  assert.equal(pair.right.sent.length, 1);
});

test('a silence is over with the first answer, also where IKE_AUTH has none yet', () => {
  const pair = new Pair(...sides());
  pair.wire.cut = true;
  pair.left.initiate();
  pair.run(1000);
  assert.deepEqual(pair.left.kinds().slice(1), ['no-answer']);
  pair.wire.cut = false;
  // Everything but the answer to IKE_SA_INIT is lost from now on.
  pair.wire.tamper = (bytes) => (parseMessage(bytes).header.exchange === 34 ? bytes : undefined);
  pair.run(4000);
  assert.deepEqual(pair.left.kinds().slice(1, 3), ['no-answer', 'answered']);
});
