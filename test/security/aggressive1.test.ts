// SECURITY A13 and C4 in IKEv1: half-made state is not used again, and aggressive mode is for those who ask for it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatWarning } from '../../src/config/error.ts';
import { loadSwanctl } from '../../src/config/swanctl.ts';
import { EXCHANGE, NOTIFY } from '../../src/ike/v1/wire/constants.ts';
import { parseMessage } from '../../src/ike/v1/wire/message.ts';
import type { Payload } from '../../src/ike/v1/wire/payload.ts';
import { id, offers, psk } from '../support/connections.ts';
import { seeded } from '../support/random.ts';
import { assertCalm, establishedIn, gateway1, initiating, keyed1, lone1, PEER, serves1, sessions1 } from './guest1.ts';
import { Peer1 } from './peer1.ts';
import { HERE } from './stranger.ts';

test('[A13] after a refused message 1 of aggressive mode no SA answers to message 3', () => {
  const lone = lone1({ aggressive: true });
  const peer = new Peer1(5, { aggressive: true });
  const bad = (all: readonly Payload[]): Payload[] =>
    all.map((one): Payload => {
      if (one.tag !== 'SA') return one;
      const transforms = [{ number: 1, id: 1, attributes: [{ type: 1, value: Uint8Array.of(0, 1), short: true }] }];
      return { tag: 'SA', proposals: [{ number: 1, protocol: 1, spi: new Uint8Array(8), transforms }] };
    });
  const [refusal] = lone.receive(peer.first(bad), PEER);
  assert.ok(refusal);
  assert.ok(parseMessage(refusal).header.spiR.every((byte) => byte === 0));
  for (const spiR of [new Uint8Array(8), seeded(4711)(8), seeded(1)(8)]) {
    peer.spiR = spiR;
    const third = peer.clear([{ tag: 'HASH', data: new Uint8Array(32) }]);
    assert.deepEqual(lone.receive(third, PEER), []);
    third[19] = 1;
    assert.deepEqual(lone.receive(third, PEER), []);
  }
  assert.equal(lone.endpoint.size, 0);
  assertCalm(lone);
  assert.ok(serves1(lone));
});

test('[A13] without any secret a peer is refused, once for each thing it says, and nothing is left', () => {
  const sharedKeys = [psk('of somebody else', '192.0.2.77', 'else.test')];
  const bold = lone1({ aggressive: true }, { sharedKeys });
  const first = new Peer1(5, { aggressive: true }).first();
  for (let i = 0; i < 3; i++) {
    const [refusal, more] = bold.receive(first, PEER);
    assert.ok(refusal && !more && refusal.length < first.length);
    assert.equal(bold.endpoint.size, 0);
  }
  assert.ok(!bold.events.some(({ kind }) => kind === 'session-started'), 'no key exchange is computed for it');
  const told = bold.events.at(-1);
  assert.ok(told?.kind === 'note' && told.reason.code === 'no-psk');
  assertCalm(bold);

  const { lone, peer } = keyed1({ sharedKeys: [] });
  const fifth = peer.proving();
  const answers = [0, 1, 2, 3].flatMap(() => lone.receive(fifth, PEER));
  assert.equal(answers.length, 1);
  assert.equal(establishedIn(lone), 0);
  lone.pass(31_000);
  assert.equal(lone.endpoint.size, 0);
  assertCalm(lone);
});

test('[A13] what arrives while the key exchange is computed, and another configuration meanwhile, break nothing', () => {
  for (const aggressive of [false, true]) {
    const lone = lone1({ aggressive });
    const peer = new Peer1(5, { aggressive });
    let last = peer.first();
    if (!aggressive) {
      peer.cookie(lone.receive(last, PEER)[0]);
      last = peer.main3();
    }
    const effects = lone.endpoint.receive(lone.now, last, PEER, HERE);
    const [session] = sessions1(lone);
    assert.ok(session?.state.awaits === 'shared');
    peer.spiR = session.state.spiR;
    for (const exchange of [...Object.values(EXCHANGE), 0, 255]) {
      for (const messageId of [0, 7]) {
        const bytes = peer.clear([{ tag: 'HASH', data: new Uint8Array(28) }], exchange, messageId);
        lone.receive(bytes, PEER);
        bytes[19] = 1;
        lone.receive(bytes, PEER);
      }
    }
    assert.equal(session.state.awaits, 'shared');
    const offered = offers('aes256-sha384-ecp256', 'ike');
    lone.endpoint.configure([gateway1({ aggressive, offers: offered, localId: id('new.test') })], [psk('a new one')]);
    lone.run(effects);
    lone.pass(1);
    assertCalm(lone);
    assert.equal(lone.endpoint.size, 0);
  }
});

test('[A13] an initiator without a secret gives up, and its peer’s repetitions find nobody', () => {
  const { lone, first } = initiating({}, { sharedKeys: [] });
  const peer = new Peer1(5).answering(first);
  const from = { ip: '192.0.2.1', port: 500 };
  lone.receive(peer.main2(), from);
  const fourth = peer.main3();
  for (let i = 0; i < 3; i++) assert.deepEqual(lone.receive(fourth, from), []);
  assert.equal(lone.endpoint.size, 0);
  const closed = lone.events.findLast((event) => event.kind === 'session-closed');
  assert.ok(closed?.kind === 'session-closed' && closed.reason.code === 'no-psk');
  assertCalm(lone);
});

// --- aggressive mode -----------------------------------------------------------------------------------------------------

test('[C4] aggressive mode is answered only where it is allowed, and nothing is computed or given away otherwise', () => {
  const lone = lone1();
  const first = new Peer1(5, { aggressive: true }).first();
  const [refusal] = lone.receive(first, PEER);
  assert.ok(refusal);
  const [payload] = parseMessage(refusal).chain?.payloads ?? [];
  assert.ok(payload?.tag === 'N' && payload.kind === NOTIFY.AUTHENTICATION_FAILED);
  assert.equal(lone.endpoint.size, 0);
  const note = lone.events.at(-1);
  assert.ok(note?.kind === 'note');
  assert.match(`${note.reason.remedy}`, /aggressive = yes/);
});

test('[C4] a name that is not known here gets the same answer in aggressive mode as one for which it is not allowed', () => {
  const lone = lone1({ aggressive: true, remoteId: { kind: 'is', id: id('somebody.test') } });
  const closed = lone1();
  const first = new Peer1(5, { aggressive: true }).first();
  assert.deepEqual(lone.receive(first, PEER), closed.receive(first, PEER));
});

test('[C4] who is allowed aggressive mode is not answered a wrong hash in a way that tells the secret', () => {
  const { lone, peer } = keyed1({ aggressive: true, secret: 'a guess' });
  const answers = lone.receive(peer.aggressive3(), PEER);
  assert.ok(answers.length === 1 && (answers[0]?.length ?? 0) < 80);
  assert.equal(parseMessage(answers[0] as Uint8Array).header.exchange, EXCHANGE.INFORMATIONAL);
  assert.equal(establishedIn(lone), 0);
});

test('[C4] aggressive mode in the configuration is warned of, and is off where nothing is said', () => {
  const load = (line: string) => {
    const text = `connections { c {\nversion = 1\n${line}\nlocal { auth = psk }\nremote { auth = psk }\n} }`;
    return loadSwanctl([{ path: 'gw.conf', text }]);
  };
  for (const [line, aggressive] of [
    ['aggressive = yes', true],
    ['aggressive = no', false],
    ['', false],
  ] as const) {
    const { connections, warnings } = load(line);
    assert.deepEqual(
      [...connections.values()].map((conn) => conn.aggressive),
      [aggressive],
    );
    assert.deepEqual(warnings.map(formatWarning).filter((text) => text.includes('guess')).length, aggressive ? 1 : 0);
  }
});
