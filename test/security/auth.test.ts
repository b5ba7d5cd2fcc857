// SECURITY B: who is not the peer is not let in, whatever he says and in whatever order (RFC 7296 §2.15, §2.21).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../src/bytes/bytes.ts';
import { open } from '../../src/ike/v2/protect.ts';
import { EXCHANGE, NOTIFY } from '../../src/ike/wire/constants.ts';
import { encodeMessage, parseMessage, parsePayloads } from '../../src/ike/wire/message.ts';
import type { Identity, Payload } from '../../src/ike/wire/payload.ts';
import { connection, id, mirrored, offers, psk, sides } from '../support/connections.ts';
import { Pair } from '../support/pair.ts';
import { change, edit, note, read, request, response } from '../support/tamper.ts';
import { sessions2 } from '../support/v2.ts';
import { assertUnharmed, bugs, dropped, PEACE } from './oracle.ts';
import { Guest, headerOf, Lone } from './stranger.ts';

/** A guest up to the keys, in front of an endpoint that waits for IKE_AUTH. */
function halfOpen(over: ConstructorParameters<typeof Lone>[0] = {}, seed = 5): { lone: Lone; guest: Guest } {
  const lone = new Lone(over);
  const guest = new Guest(seed);
  const [answer] = lone.receive(guest.hello());
  assert.ok(answer && guest.learn(answer));
  return { lone, guest };
}

function said(guest: Guest, bytes: Uint8Array | undefined): readonly Payload[] {
  assert.ok(bytes, 'no answer');
  const { encrypted } = parseMessage(bytes);
  assert.ok(encrypted);
  const text = open(guest.channel.receive, encrypted);
  assert.ok(text);
  return parsePayloads(encrypted.inner, text);
}

function notifyOf(payloads: readonly Payload[]): number | undefined {
  const [only] = payloads;
  return payloads.length === 1 && only?.tag === 'N' ? only.kind : undefined;
}

function established(lone: Lone): number {
  return lone.endpoint.sessions().filter(({ state }) => state.phase === 'established').length;
}

const replaceAuth =
  (data: Uint8Array, method = 2) =>
  (payloads: readonly Payload[]) =>
    payloads.map((payload): Payload => (payload.tag === 'AUTH' ? { tag: 'AUTH', method, data } : payload));

test('[B3] the guest of these tests gets in with the right AUTH', () => {
  const { lone, guest } = halfOpen();
  const payloads = said(guest, lone.receive(guest.auth())[0]);
  assert.deepEqual(
    payloads.map(({ tag }) => tag),
    ['IDr', 'AUTH', 'SA', 'TSi', 'TSr'],
  );
  assert.equal(established(lone), 1);
});

test('[B1] requests other than IKE_AUTH before IKE_AUTH are dropped without an answer', () => {
  for (const exchange of [EXCHANGE.CREATE_CHILD_SA, EXCHANGE.INFORMATIONAL, EXCHANGE.IKE_SA_INIT, 0, 43, 255]) {
    const { lone, guest } = halfOpen();
    for (const messageId of [0, 1, 2]) {
      const request = guest.sealed({ exchange, messageId }, [{ tag: 'D', protocol: 1, spis: [] }]);
      assert.deepEqual(lone.receive(request), []);
    }
    assert.equal(established(lone), 0);
    assert.equal(lone.installed, 0);
    // None of it stands in the way of the right message.
    lone.receive(guest.auth());
    assert.equal(established(lone), 1, `after exchange ${exchange}`);
  }
});

test('[B1] a child is not made, nor an IKE SA rekeyed, before the peer is known', () => {
  const { lone, guest } = halfOpen();
  let auth: readonly Payload[] = [];
  guest.auth((payloads) => {
    auth = payloads;
    return payloads;
  });
  const nonce: Payload = { tag: 'Nonce', data: guest.nonce };
  for (const payloads of [[...auth, nonce], auth]) {
    assert.deepEqual(lone.receive(guest.sealed({ exchange: EXCHANGE.CREATE_CHILD_SA, messageId: 1 }, payloads)), []);
  }
  assert.equal(lone.installed, 0);
  assert.equal(lone.count('unexpected-exchange'), 2);
});

test('[B1] an initiator takes no request from a responder that has not answered IKE_AUTH', () => {
  const pair = new Pair(...sides());
  pair.wire.tamper = (bytes, from) => (request(pair.left, 'IKE_AUTH')(bytes, from) ? undefined : bytes);
  pair.left.initiate();
  pair.run(500);
  const [session] = sessions2(pair.left.endpoint);
  assert.equal(session?.state.phase, 'auth');
  assert.ok(session?.state.keys);
  const before = pair.left.sent.length;
  // Not even well-formed ones: the exchange is refused before anything is decrypted.
  const { spiI, spiR } = session.state;
  for (const exchange of Object.values(EXCHANGE)) {
    for (const messageId of [0, 1]) {
      const header = headerOf({ spiI, spiR, exchange, initiator: false, messageId });
      pair.inject(pair.left, encodeMessage(header, [note('AUTHENTICATION_FAILED')]), { ip: '192.0.2.2', port: 500 });
    }
  }
  assert.equal(pair.left.sent.length, before);
  assert.equal(session.state.phase, 'auth');
});

test('[B2] AUTH that is absent, empty, zero, of another length or of another method is refused', () => {
  const cases: [string, (payloads: readonly Payload[]) => readonly Payload[], number][] = [
    // An initiator that leaves it out asks for EAP (RFC 7296 §2.16), which there is not.
    ['absent', (all) => all.filter(({ tag }) => tag !== 'AUTH'), NOTIFY.AUTHENTICATION_FAILED],
    ['empty', replaceAuth(new Uint8Array(0)), NOTIFY.AUTHENTICATION_FAILED],
    ['one byte', replaceAuth(new Uint8Array(1)), NOTIFY.AUTHENTICATION_FAILED],
    ['zeros', replaceAuth(new Uint8Array(32)), NOTIFY.AUTHENTICATION_FAILED],
    ['all ones', replaceAuth(new Uint8Array(32).fill(255)), NOTIFY.AUTHENTICATION_FAILED],
    ['64 KiB', replaceAuth(new Uint8Array(60_000)), NOTIFY.AUTHENTICATION_FAILED],
  ];
  for (const [what, edit, kind] of cases) {
    const { lone, guest } = halfOpen();
    assert.equal(notifyOf(said(guest, lone.receive(guest.auth(edit))[0])), kind, what);
    assert.equal(established(lone), 0, what);
    assert.equal(lone.installed, 0, what);
    lone.pass(60_000);
    assert.equal(lone.endpoint.size, 0, what);
    assert.ok(lone.serves(), what);
  }
});

test('[B3] the right AUTH cut short, prolonged, with one bit turned or under another method is refused', () => {
  const name: Identity = { type: 2, data: utf8('left.test') };
  const edits: [string, (right: Uint8Array) => [Uint8Array, number?]][] = [
    ['cut', (right) => [right.subarray(0, 31)]],
    ['prolonged', (right) => [Uint8Array.of(...right, 0)]],
    ['first bit', (right) => [right.map((byte, i) => (i === 0 ? byte ^ 0x80 : byte))]],
    ['last bit', (right) => [right.map((byte, i) => (i === 31 ? byte ^ 1 : byte))]],
    ['RSA', (right) => [right, 1]],
    ['method 0', (right) => [right, 0]],
    ['NULL', (right) => [right, 13]],
    ['digital signature', (right) => [right, 14]],
    ['method 255', (right) => [right, 255]],
  ];
  for (const [what, edit] of edits) {
    const { lone, guest } = halfOpen();
    const answer = lone.receive(guest.auth(replaceAuth(...edit(guest.proof(name)))))[0];
    assert.equal(notifyOf(said(guest, answer)), NOTIFY.AUTHENTICATION_FAILED, what);
    assert.equal(established(lone), 0, what);
  }
});

test('[B2] after a refused AUTH the same IKE SA takes no other one', () => {
  const { lone, guest } = halfOpen();
  lone.receive(guest.auth(replaceAuth(new Uint8Array(32))));
  assert.deepEqual(lone.receive(guest.auth()).length, 1, 'the answer of before, repeated');
  assert.equal(established(lone), 0);
  const again = guest.sealed({ exchange: EXCHANGE.IKE_AUTH, messageId: 2 }, []);
  assert.deepEqual(lone.receive(again), []);
  assert.equal(lone.installed, 0);
});

test('[B2] our own AUTH sent back to us is refused', () => {
  const pair = new Pair(...sides({ remoteId: { kind: 'any' } }, { localId: id('right.test') }));
  const asked = request(pair.left, 'IKE_AUTH');
  const answered = response(pair.right, 'IKE_AUTH');
  let own: readonly Payload[] = [];
  pair.wire.tamper = (bytes, from) => {
    if (asked(bytes, from)) own = read(bytes, from)?.payloads ?? [];
    if (!answered(bytes, from)) return bytes;
    return edit(bytes, from, (payloads) =>
      payloads.map((payload): Payload => {
        const mine = own.find(({ tag }) => tag === (payload.tag === 'IDr' ? 'IDi' : payload.tag));
        if (payload.tag === 'IDr' && mine?.tag === 'IDi') return { tag: 'IDr', id: mine.id };
        return payload.tag === 'AUTH' && mine ? mine : payload;
      }),
    );
  };
  pair.left.initiate();
  pair.run(PEACE);
  assert.ok(own.length > 0);
  assert.equal(pair.left.count('session-established'), 0);
  assert.equal(pair.left.last('session-closed')?.reason.code, 'auth-failed');
  assert.equal(pair.left.plane.sas.length, 0);
});

test('[B2] a gateway whose messages come back to it does not make a tunnel with itself', () => {
  // One name, one key for everybody: the mirror's answers would all be right.
  const conn = connection({ localId: id('left.test'), remoteId: { kind: 'any' } });
  const pair = new Pair({ ip: '192.0.2.1', connections: [conn], sharedKeys: [psk()] }, sides()[1]);
  const mirror = { ip: '192.0.2.2', port: 500 };
  pair.wire.tamper = (bytes, from) => {
    if (from === pair.left) pair.later(10, () => pair.inject(pair.left, bytes, mirror));
    return undefined;
  };
  pair.left.initiate();
  pair.run(20_000);
  assert.equal(pair.left.count('session-established'), 0);
  assert.ok((pair.left.endpoint.counters().get('reflected') ?? 0) > 0);
});

test('[B2] a protected message of ours that comes back finds no session', () => {
  const pair = Pair.up(...sides());
  for (const side of [pair.left, pair.right]) {
    const before = side.sent.length;
    const own = side.sent.filter(({ bytes }) => parseMessage(bytes).encrypted);
    assert.equal(own.length, 1);
    for (const { bytes } of own) {
      pair.inject(side, bytes, { ip: '203.0.113.9', port: 500 });
      // The initiator's flag turned round, so that it does find one.
      const turned = bytes.slice();
      turned[19] = (turned[19] ?? 0) ^ 0x08;
      pair.inject(side, turned, { ip: '203.0.113.9', port: 500 });
    }
    assert.equal(side.sent.length, before);
    assert.equal(side.endpoint.counters().get('unknown-spi'), 1);
    assert.equal(dropped(side.endpoint), 2);
    assert.equal(side.live.sessions.length, 1);
  }
});

test('[B9] a key bound to two identities does not vouch for a third', () => {
  const left = connection({ localId: id('eve.test') });
  const right = mirrored(connection(), { remoteId: { kind: 'any' } });
  const shared = 'the key of left and right, known to eve';
  const pair = new Pair(
    { ip: '192.0.2.1', connections: [left], sharedKeys: [psk(shared)] },
    { ip: '192.0.2.2', connections: [right], sharedKeys: [psk(shared, 'left.test', 'right.test')] },
  );
  pair.left.initiate();
  pair.run(5000);
  assert.equal(pair.right.count('session-established'), 0);
  assert.equal(pair.right.last('session-closed')?.reason.notify, 'AUTHENTICATION_FAILED');
});

test('[B9] an unknown identity and a wrong key get the same answer, byte for byte but for what is random', () => {
  const lengths = new Set<number>();
  for (const name of ['left.test', 'nobody.test']) {
    const { lone, guest } = halfOpen();
    const type = 2;
    const claim: Identity = { type, data: utf8(name) };
    const auth = guest.auth((payloads) =>
      payloads.map((payload): Payload => {
        if (payload.tag === 'IDi') return { tag: 'IDi', id: claim };
        return payload.tag === 'AUTH' ? { ...payload, data: guest.proof(claim, utf8('a wrong key')) } : payload;
      }),
    );
    const [answer] = lone.receive(auth);
    assert.equal(notifyOf(said(guest, answer)), NOTIFY.AUTHENTICATION_FAILED);
    lengths.add(answer?.length ?? 0);
  }
  assert.equal(lengths.size, 1);
});

// --- downgrade -------------------------------------------------------------------------------------------------------

const MANY = offers(
  'aes256gcm16-prfsha384-ecp384,aes128gcm16-prfsha256-x25519,aes128-sha1-modp1024,3des-md5-modp768',
  'ike',
);

test('[B11] IKE_SA_INIT that was changed on the way, in either direction, never leads to an SA', () => {
  const bad: [string, 'request' | 'response', (all: readonly Payload[]) => readonly Payload[]][] = [
    [
      'strong proposals struck out',
      'request',
      (all) => all.map((p) => (p.tag === 'SA' ? { ...p, proposals: p.proposals.slice(-2) } : p)),
    ],
    [
      'signature hashes struck out',
      'request',
      (all) => all.filter((p) => !(p.tag === 'N' && p.kind === NOTIFY.SIGNATURE_HASH_ALGORITHMS)),
    ],
    [
      'fragmentation struck out',
      'request',
      (all) => all.filter((p) => !(p.tag === 'N' && p.kind === NOTIFY.IKEV2_FRAGMENTATION_SUPPORTED)),
    ],
    ['a vendor id put in', 'request', (all) => [...all, { tag: 'V', data: utf8('me') }]],
    [
      'another nonce',
      'request',
      (all) => all.map((p) => (p.tag === 'Nonce' ? { ...p, data: p.data.map((b) => ~b) } : p)),
    ],
    [
      'signature hashes struck out',
      'response',
      (all) => all.filter((p) => !(p.tag === 'N' && p.kind === NOTIFY.SIGNATURE_HASH_ALGORITHMS)),
    ],
    [
      'NAT hashes struck out',
      'response',
      (all) =>
        all.filter(
          (p) =>
            !(
              p.tag === 'N' &&
              p.kind >= NOTIFY.NAT_DETECTION_SOURCE_IP &&
              p.kind <= NOTIFY.NAT_DETECTION_DESTINATION_IP
            ),
        ),
    ],
    [
      'a weaker proposal chosen',
      'response',
      (all) => all.map((p) => (p.tag === 'SA' ? { ...p, proposals: [...weaker] } : p)),
    ],
  ];
  const weaker = parseMessage(
    encodeMessage(headerOf(), [
      {
        tag: 'SA',
        proposals: [{ number: 3, protocol: 1, spi: new Uint8Array(0), transforms: MANY[2]?.transforms ?? [] }],
      },
    ]),
  ).payloads.flatMap((p) => (p.tag === 'SA' ? p.proposals : []));
  for (const [what, where, edited] of bad) {
    const pair = new Pair(...sides({ offers: MANY }));
    const match = where === 'request' ? request(pair.left, 'IKE_SA_INIT') : response(pair.right, 'IKE_SA_INIT');
    change(pair, match, edited);
    pair.left.initiate();
    pair.run(5000);
    assert.equal(pair.left.count('session-established'), 0, `${what} (${where})`);
    // The responder has seen a right AUTH where its own answer was changed; it hears of the failure at once.
    assert.equal(pair.right.live.sessions.length, 0, `${what} (${where})`);
    if (where === 'request') assert.equal(pair.right.count('session-established'), 0, what);
    assertUnharmed(pair, what);
  }
});

test('[B11] INVALID_KE_PAYLOAD leads to a group of ours or nowhere', () => {
  for (const group of [0, 2, 14, 1025, 65535, 20]) {
    const pair = new Pair(...sides({ offers: MANY }));
    pair.wire.cut = true;
    pair.left.initiate();
    const first = pair.left.sent[0]?.bytes;
    assert.ok(first);
    const { spiI } = parseMessage(first).header;
    const refusal = encodeMessage(headerOf({ spiI, initiator: false, response: true }), [
      note('INVALID_KE_PAYLOAD', Uint8Array.of(group >> 8, group & 255)),
    ]);
    pair.inject(pair.left, refusal, { ip: '192.0.2.2', port: 500 });
    const sent = pair.left.sent.map(({ bytes }) => parseMessage(bytes).payloads.find(({ tag }) => tag === 'KE'));
    const groups = sent.map((payload) => (payload?.tag === 'KE' ? payload.group : undefined));
    // 2 was offered; 20 is the one just tried.
    assert.deepEqual(groups, group === 2 ? [20, 2] : [20], `asked for group ${group}`);
  }
});

test('[B11] a liar who asks for another group or cookie again and again is given up', () => {
  const pair = new Pair(...sides({ offers: MANY }));
  pair.wire.tamper = (bytes, from) => {
    if (from !== pair.left) return undefined;
    const { header, payloads } = parseMessage(bytes);
    const ke = payloads.find(({ tag }) => tag === 'KE');
    const group = ke?.tag === 'KE' && ke.group === 20 ? 31 : 20;
    const refusal = encodeMessage({ ...header, initiator: false, response: true }, [
      note('INVALID_KE_PAYLOAD', Uint8Array.of(0, group)),
    ]);
    pair.later(10, () => pair.inject(pair.left, refusal, { ip: '192.0.2.2', port: 500 }));
    return undefined;
  };
  pair.left.initiate();
  pair.run(5000);
  assert.ok(pair.left.sent.length <= 7, `${pair.left.sent.length} requests`);
  assert.equal(pair.left.endpoint.size, 0);
});

test('[B13] INITIAL_CONTACT closes the SAs of the same two parties and of nobody else', () => {
  const roadWarrior = mirrored(connection(), { remoteId: { kind: 'any' }, unique: 'no' });
  const lone = new Lone({ connections: [roadWarrior] });
  const connect = (name: string, seed: number, contact: boolean) => {
    const guest = new Guest(seed);
    const from = { ip: `198.51.100.${seed}`, port: 500 };
    const [answer] = lone.receive(guest.hello(), from);
    assert.ok(answer && guest.learn(answer));
    const claim: Identity = { type: 2, data: utf8(name) };
    const auth = guest.auth((payloads) => [
      ...payloads.map((payload): Payload => {
        if (payload.tag === 'IDi') return { tag: 'IDi', id: claim };
        return payload.tag === 'AUTH' ? { ...payload, data: guest.proof(claim) } : payload;
      }),
      ...(contact ? [note('INITIAL_CONTACT')] : []),
    ]);
    lone.receive(auth, from);
  };
  connect('alice', 1, true);
  connect('bob', 2, true);
  assert.equal(established(lone), 2);
  connect('alice', 3, false);
  assert.equal(established(lone), 3);
  connect('alice', 4, true);
  assert.equal(established(lone), 2);
  assert.equal(bugs(lone.endpoint), 0);
});

test('[B13] INITIAL_CONTACT from somebody without the key closes nothing', () => {
  const lone = new Lone();
  assert.ok(lone.serves());
  const guest = new Guest(21);
  const [answer] = lone.receive(guest.hello());
  assert.ok(answer && guest.learn(answer));
  lone.receive(guest.auth((payloads) => [...replaceAuth(new Uint8Array(32))(payloads), note('INITIAL_CONTACT')]));
  assert.equal(established(lone), 1);
});
