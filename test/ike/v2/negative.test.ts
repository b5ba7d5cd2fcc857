// Messages as no honest peer makes them: payloads missing, doubled, in another order, unknown, notifies out of place. What
// is changed is authentic all the same: the tests own the keys. RFC 7296 §2.5, §2.21; SECURITY A5, A7, A8, A11, B1.
// `side` is who sends the changed message.

import assert from 'node:assert/strict';
import { EXCHANGE, NOTIFY } from '../../../src/ike/wire/constants.ts';
import type { Payload } from '../../../src/ike/wire/payload.ts';
import { sides } from '../../support/connections.ts';
import { Pair } from '../../support/pair.ts';
import { change, note, read, request, response, sealed, words } from '../../support/tamper.ts';
import { v2 } from '../../support/v2.ts';
import { ends, one, situation } from './narrate.ts';
import {
  all,
  every,
  FINE,
  outcome,
  PFS,
  PROTECTED,
  plain,
  SCENES,
  type Scene,
  sound,
  stage,
  UNDER_AUTH,
} from './scenes.ts';
import type { SideName } from './situations.ts';

const IN_INIT =
  'N(NAT_DETECTION_SOURCE_IP) N(NAT_DETECTION_DESTINATION_IP) N(IKEV2_FRAGMENTATION_SUPPORTED) N(SIGNATURE_HASH_ALGORITHMS)';
const IN_ANSWER = `${IN_INIT} N(CHILDLESS_IKEV2_SUPPORTED)`;

/** Sides differ in who has the child left after an unnoticed Delete. */
function kept(side: SideName): string {
  return side === 'left' ? 'children 0,1' : 'children 1,0';
}

situation('payload-missing', 'no payload can be left out unnoticed', (side) => {
  assert.deepEqual(
    every(side, (payloads, i) => payloads.filter((_, j) => j !== i)),
    {
      // Unprotected: dropped, and the true message comes with the next transmission; but AUTH covers whatever was taken.
      'IKE_SA_INIT request': ['up <- SA(IKE) KE Nonce', `IKE SA gone <- ${IN_INIT}`],
      'IKE_SA_INIT response': ['up <- SA(IKE) KE Nonce', `IKE SA gone <- ${IN_ANSWER}`],
      'IKE_AUTH request': ['IKE SA gone <- IDi AUTH TSi TSr', 'up <- N(INITIAL_CONTACT) IDr', 'no child <- SA(ESP)'],
      // A child that cannot be made of the answer leaves the IKE SA standing.
      'IKE_AUTH response': ['IKE SA gone <- IDr AUTH', 'no child <- SA(ESP) TSi TSr'],
      // INVALID_SYNTAX ends the IKE SA at both ends (§2.21.3). Without N(REKEY_SA) it is a new child, the same as before;
      // without KE, INVALID_KE_PAYLOAD, and tried again.
      'rekey child request': ['up <- N(REKEY_SA) KE', 'IKE SA gone <- SA(ESP) Nonce TSi TSr'],
      'rekey child response': ['up <- SA(ESP) Nonce KE TSi TSr'],
      'rekey IKE request': ['IKE SA gone <- SA(IKE) Nonce KE'],
      // The peer has a new IKE SA, and we cannot have it: the old one goes when the peer deletes it.
      'rekey IKE response': ['differ <- SA(IKE) Nonce KE'],
      'delete request': [`${kept(side)} <- D(ESP)`],
      'delete response': ['no child <- D(ESP)'],
      'liveness request': [],
      'liveness response': [],
    },
  );
});

situation('payload-doubled', 'what may stand once only stands once', (side) => {
  assert.deepEqual(
    every(side, (payloads, i) => payloads.flatMap((payload, j) => (j === i ? [payload, payload] : [payload]))),
    {
      'IKE_SA_INIT request': ['up <- SA(IKE) KE Nonce', `IKE SA gone <- ${IN_INIT}`],
      'IKE_SA_INIT response': ['up <- SA(IKE) KE Nonce', `IKE SA gone <- ${IN_ANSWER}`],
      'IKE_AUTH request': ['IKE SA gone <- IDi IDr AUTH SA(ESP) TSi TSr', 'up <- N(INITIAL_CONTACT)'],
      'IKE_AUTH response': ['IKE SA gone <- IDr AUTH SA(ESP) TSi TSr'],
      'rekey child request': ['up <- N(REKEY_SA)', 'IKE SA gone <- SA(ESP) Nonce KE TSi TSr'],
      'rekey child response': ['IKE SA gone <- SA(ESP) Nonce KE TSi TSr'],
      'rekey IKE request': ['IKE SA gone <- SA(IKE) Nonce KE'],
      // Gone at the one, and at the other as soon as it looks for signs of life.
      'rekey IKE response': ['differ <- SA(IKE) Nonce KE'],
      'delete request': ['no child <- D(ESP)'],
      'delete response': ['no child <- D(ESP)'],
      'liveness request': [],
      'liveness response': [],
    },
  );
});

situation('payload-reordered', 'the order does not matter, but to AUTH', (side) => {
  const first = (payloads: readonly Payload[], i: number) => {
    const moved = payloads[i];
    return moved && i > 0 ? [moved, ...payloads.filter((_, j) => j !== i)] : undefined;
  };
  assert.deepEqual(every(side, first), {
    'IKE_SA_INIT request': [`IKE SA gone <- KE Nonce ${IN_INIT}`],
    'IKE_SA_INIT response': [`IKE SA gone <- KE Nonce ${IN_ANSWER}`],
    'IKE_AUTH request': ['up <- N(INITIAL_CONTACT) IDr AUTH SA(ESP) TSi TSr'],
    'IKE_AUTH response': ['up <- AUTH SA(ESP) TSi TSr'],
    'rekey child request': ['up <- SA(ESP) Nonce KE TSi TSr'],
    'rekey child response': ['up <- Nonce KE TSi TSr'],
    'rekey IKE request': ['up <- Nonce KE'],
    'rekey IKE response': ['up <- Nonce KE'],
    'delete request': [],
    'delete response': [],
    'liveness request': [],
    'liveness response': [],
  });
});

situation('payload-unknown', 'without the critical bit it is skipped', (side) => {
  for (const id of [1, 13, 32, 49, 60, 128, 255]) {
    const unknown: Payload = { tag: 'unknown', id, critical: false, data: Uint8Array.of(1, 2, 3) };
    assert.deepEqual(
      all(side, (payloads) => [unknown, ...payloads, unknown]),
      { ...FINE, ...UNDER_AUTH },
      `payload ${id}`,
    );
  }
});

situation('payload-unknown', 'with the critical bit the message is refused', (side) => {
  const unknown: Payload = { tag: 'unknown', id: 200, critical: true, data: new Uint8Array(0) };
  assert.deepEqual(
    all(side, (payloads) => [...payloads, unknown], false),
    {
      'IKE_SA_INIT request': 'IKE SA gone',
      'IKE_AUTH request': 'IKE SA gone',
      // Refused, and tried again later.
      'rekey child request': 'up',
      'rekey IKE request': 'up',
      'delete request': kept(side),
      'liveness request': 'up',
      // An answer that is not understood cannot be refused: it ends the IKE SA.
      'IKE_SA_INIT response': 'IKE SA gone',
      'IKE_AUTH response': 'IKE SA gone',
      'rekey child response': 'IKE SA gone',
      'rekey IKE response': 'differ',
      'delete response': 'IKE SA gone',
      'liveness response': 'IKE SA gone',
    },
  );
});

situation('payload-unknown', 'the answer names the payload type that is not understood', (side) => {
  for (const one of SCENES.filter(({ isResponse }) => !isResponse)) {
    let answer: readonly Payload[] = [];
    const options = sides({ children: [PFS] });
    const pair = one.initial ? new Pair(...options) : Pair.up(...options);
    const { me, peer } = ends(pair, side);
    const match = one.match(me);
    change(
      pair,
      match,
      (payloads) => [...payloads, { tag: 'unknown', id: 200, critical: true, data: new Uint8Array(0) }],
      1,
    );
    one.play(pair, me);
    const sent = peer.sent.length;
    while (!pair.log.at(-1)?.includes(`${peer.name}>`) || peer.sent.length === sent)
      if (!pair.step(pair.now + 500)) break;
    answer = read(peer.sent.at(-1)?.bytes ?? new Uint8Array(), peer)?.payloads ?? [];
    if (one.name === 'IKE_AUTH request') {
      while (pair.step(pair.now + 100) && words(answer)[0] !== 'N(UNSUPPORTED_CRITICAL_PAYLOAD)') {
        answer = read(peer.sent.at(-1)?.bytes ?? new Uint8Array(), peer)?.payloads ?? answer;
      }
    }
    assert.deepEqual(answer, [note('UNSUPPORTED_CRITICAL_PAYLOAD', Uint8Array.of(200))], one.name);
  }
});

/** What becomes of a scene when an error is added to it that its message does not mean. */
function withError(scene: string, kind: number, side: SideName): string | undefined {
  const [less, more] = side === 'left' ? ['children 1,0', 'children 2,1'] : ['children 0,1', 'children 1,2'];
  // RFC 7296 §2.21.2: in a request of its own, a peer may take back that it has authenticated us.
  const ends = scene === 'delete request' || scene === 'liveness request';
  if (ends && kind === NOTIFY.AUTHENTICATION_FAILED) return 'differ';
  // Questions with errors in them are questions; an answer with one is a refusal, whatever else it says.
  if (!scene.endsWith('response')) return FINE[scene];
  if (kind === NOTIFY.INVALID_SYNTAX || scene === 'rekey IKE response') return 'differ';
  if (scene === 'IKE_AUTH response') return kind === NOTIFY.TEMPORARY_FAILURE ? more : less;
  if (scene === 'rekey child response' && kind === NOTIFY.CHILD_SA_NOT_FOUND) return more;
  return FINE[scene];
}

const KINDS = [...Object.values(NOTIFY), 8191, 16_383, 16_500, 40_960, 65_535];

situation('notify-misplaced', 'errors where they do not belong', (side) => {
  for (const kind of KINDS.filter((one) => one < 16_384)) {
    const misplaced: Payload = { tag: 'N', protocol: 0, spi: new Uint8Array(0), kind, data: new Uint8Array(0) };
    // An answer that says yes and no at once leaves a child at one side only; nobody means that.
    const came = all(side, (payloads) => [...payloads, misplaced], false, PROTECTED);
    const expected = Object.keys(came).map((scene) => [scene, withError(scene, kind, side)]);
    assert.deepEqual(came, Object.fromEntries(expected), `notify ${kind}`);
  }
});

situation('notify-misplaced', 'status notifies where they do not belong change nothing', (side) => {
  // A mode that nobody asked for is something else: `transport.test.ts` has it.
  const kinds = KINDS.filter((one) => one >= 16_384 && one !== NOTIFY.USE_TRANSPORT_MODE);
  for (const data of [new Uint8Array(0), new Uint8Array(20)]) {
    for (let i = 0; i < kinds.length; i += 24) {
      const misplaced = kinds
        .slice(i, i + 24)
        .map((kind): Payload => ({ tag: 'N', protocol: 0, spi: new Uint8Array(0), kind, data }));
      const { 'IKE_SA_INIT request': _, 'IKE_SA_INIT response': __, ...fine } = FINE;
      assert.deepEqual(
        all(side, (payloads) => [...payloads, ...misplaced], true, PROTECTED),
        fine,
      );
    }
  }
});

situation('notify-misplaced', 'REKEY_SA with any protocol and any SPI names no child', (side) => {
  // SECURITY A11.
  for (const protocol of [0, 1, 2, 4, 255]) {
    for (const size of [0, 3, 4, 8]) {
      const pair = stage(rekeying(), side, (payloads) =>
        payloads.map((payload) =>
          payload.tag === 'N' ? { ...payload, protocol, spi: new Uint8Array(size) } : payload,
        ),
      );
      assert.equal(outcome(pair).startsWith('children') || outcome(pair) === 'up', true);
      assert.equal(pair.left.endpoint.counters().get('bug'), undefined);
      assert.equal(pair.right.endpoint.counters().get('bug'), undefined);
      assert.deepEqual(pair.faults(), []);
    }
  }
});

function rekeying(): Scene {
  const found = SCENES.find(({ name }) => name === 'rekey child request');
  if (!found) throw new Error('no such scene');
  return found;
}

situation(
  'address-other',
  'an authentic message from another address is taken, but nobody moves without a NAT',
  (side) => {
    const pair = Pair.up(...sides());
    const { me, peer } = ends(pair, side);
    const elsewhere = { ip: '203.0.113.9', port: 4500 };
    const release = pair.hold(response(me, 'CREATE_CHILD_SA'));
    peer.run(peer.endpoint.rekeyChild(pair.now, peer.child));
    pair.run(100);
    const answer = me.sent.at(-1)?.bytes ?? new Uint8Array();
    // <-- CREATE_CHILD_SA {…} from somewhere else
    pair.inject(peer, answer, elsewhere);
    pair.run(1000);
    assert.equal(peer.live.sessions[0]?.state.remote.ip, me.options.ip);
    assert.equal(peer.count('peer-moved'), 0);
    // A question from elsewhere is answered there.
    me.run(me.endpoint.checkLiveness(pair.now, me.session));
    const question = me.sent.at(-1)?.bytes ?? new Uint8Array();
    pair.inject(peer, question, elsewhere);
    assert.deepEqual(peer.sent.at(-1)?.remote, elsewhere);
    assert.equal(peer.live.sessions[0]?.state.remote.ip, me.options.ip);
    release();
    pair.run(20_000);
    one(pair);
  },
);

situation('address-other', 'a forged message moves and changes nothing, wherever it is from', (side) => {
  const pair = Pair.up(...sides({ encap: 'yes' }));
  const { me, peer } = ends(pair, side);
  me.run(me.endpoint.checkLiveness(pair.now, me.session));
  const bytes = me.sent.at(-1)?.bytes.slice() ?? new Uint8Array();
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  const sent = peer.sent.length;
  pair.inject(peer, bytes, { ip: '203.0.113.9', port: 4500 }, 4500);
  assert.equal(peer.endpoint.counters().get('bad-icv'), 1);
  assert.equal(peer.sent.length, sent);
  assert.equal(peer.live.sessions[0]?.state.remote.ip, me.options.ip);
  pair.run(5000);
  one(pair);
});

situation(
  'encrypted-before-auth',
  'INFORMATIONAL and CREATE_CHILD_SA before AUTH are dropped (CVE-2014-2338)',
  (side) => {
    const pair = new Pair(...sides());
    const { me, peer } = ends(pair, side);
    // Both have the keys; IKE_AUTH is on its way, from the left.
    const release = pair.hold(request(pair.left, 'IKE_AUTH'));
    pair.left.initiate();
    pair.run(100);
    const [session] = me.endpoint.sessions();
    if (!session) throw new Error('no session');
    const { spiI, spiR, original, phase } = session.state;
    assert.equal(phase, 'auth');
    const asked: readonly [number, readonly Payload[]][] = [
      [EXCHANGE.INFORMATIONAL, []],
      [EXCHANGE.INFORMATIONAL, [{ tag: 'D', protocol: 1, spis: [] }]],
      [EXCHANGE.INFORMATIONAL, [note('AUTHENTICATION_FAILED')]],
      [EXCHANGE.CREATE_CHILD_SA, []],
      [EXCHANGE.CREATE_CHILD_SA, plain(rekeying(), side)],
      [EXCHANGE.CREATE_CHILD_SA, rekeyPayloads(side)],
      [EXCHANGE.IKE_SA_INIT, []],
      [EXCHANGE.IKE_INTERMEDIATE, []],
      [200, []],
    ];
    const sent = peer.sent.length;
    for (const [exchange, payloads] of asked) {
      for (const messageId of [0, 1, 2]) {
        for (const isResponse of [false, true]) {
          const header = { spiI, spiR, exchange, initiator: original, response: isResponse, messageId };
          pair.inject(peer, sealed(me, header, payloads), { ip: me.options.ip, port: 500 });
        }
      }
    }
    assert.equal(peer.sent.length, sent, 'nothing is answered');
    assert.equal(peer.live.sessions.length, 0);
    assert.equal(peer.plane.sas.length, 0);
    assert.ok(
      (peer.endpoint.counters().get('unexpected-exchange') ?? 0) + (peer.endpoint.counters().get('message-id') ?? 0) >
        0,
    );
    release();
    pair.run(5000);
    one(pair);
  },
);

/** What a rekeying of the IKE SA asks. */
function rekeyPayloads(side: SideName): readonly Payload[] {
  const found = SCENES.find(({ name }) => name === 'rekey IKE request');
  return found ? plain(found, side) : [];
}

situation('encrypted-before-auth', 'IKE_AUTH after AUTH is dropped', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const { spiI, spiR, original, nextOut } = v2(me.live.sessions[0]).state;
  const sent = peer.sent.length;
  const header = { spiI, spiR, exchange: EXCHANGE.IKE_AUTH, initiator: original, response: false, messageId: nextOut };
  pair.inject(peer, sealed(me, header, []), { ip: me.options.ip, port: 500 });
  assert.equal(peer.sent.length, sent);
  assert.equal(peer.endpoint.counters().get('unexpected-exchange'), 1);
  one(pair);
});

situation('payload-unknown', 'a group that nobody knows, as KE payload: INVALID_KE_PAYLOAD with ours', (side) => {
  // SECURITY A7.
  for (const group of [0, 1024, 1025, 1040, 65_535]) {
    const found = SCENES.find(({ name }) => name === 'rekey IKE request');
    if (!found) throw new Error('no such scene');
    const pair = stage(found, side, (payloads) =>
      payloads.map((payload) => (payload.tag === 'KE' ? { ...payload, group } : payload)),
    );
    const said = pair[side].other.sent.map(({ bytes }) => read(bytes, pair[side].other)?.payloads ?? []);
    const wanted = note('INVALID_KE_PAYLOAD', Uint8Array.of(0, 31));
    assert.ok(said.some((payloads) => JSON.stringify(payloads) === JSON.stringify([wanted])) || outcome(pair) === 'up');
    sound(pair, `group ${group}`);
  }
});
