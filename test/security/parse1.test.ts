// SECURITY A1–A4, A8, A21 in IKEv1: datagrams whose lengths, chains and types are wrong, sent to a gateway that knows
// nothing of the sender, has a half-open SA with him, or an established one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat } from '../../src/bytes/bytes.ts';
import { EXCHANGE, PAYLOAD } from '../../src/ike/v1/wire/constants.ts';
import { encodeMessage, MAX_PAYLOADS, parseMessage } from '../../src/ike/v1/wire/message.ts';
import type { Payload } from '../../src/ike/v1/wire/payload.ts';
import { encodeMessage as encodeMessage2 } from '../../src/ike/wire/message.ts';
import { seeded } from '../support/random.ts';
import { assertCalm, gateway1, keyed1, lone1, PEER, serves1, up1 } from './guest1.ts';
import { Peer1 } from './peer1.ts';
import { headerOf, initPayloads, Lone } from './stranger.ts';

interface Stage {
  readonly name: string;
  readonly lone: Lone;
  readonly peer: Peer1;
  /** A message in the clear that fits, so that what follows its header is looked at. */
  readonly bytes: Uint8Array;
}

function stages(): Stage[] {
  const lone = lone1();
  const nobody = new Peer1(11);
  const half = new Peer1(5);
  const waiting = lone1();
  half.cookie(waiting.receive(half.first(), PEER)[0]);
  const keyed = keyed1();
  const up = up1();
  return [
    { name: 'nobody', lone, peer: nobody, bytes: nobody.first() },
    { name: 'half-open', lone: waiting, peer: half, bytes: half.main3() },
    { name: 'keyed', ...keyed, bytes: keyed.peer.clear([keyed.peer.proof]) },
    { name: 'established', ...up, bytes: up.peer.clear([up.peer.proof], EXCHANGE.INFORMATIONAL, 7) },
  ];
}

function refused({ lone, name }: Stage, bytes: Uint8Array, what: string): void {
  const { size } = lone.endpoint;
  const { drops } = lone;
  assert.deepEqual(lone.receive(bytes, PEER), [], `${what} (${name})`);
  assert.equal(lone.drops, drops + 1, `${what} (${name})`);
  assert.equal(lone.endpoint.size, size, `${what} (${name})`);
}

function calm({ lone, name }: Stage): void {
  assertCalm(lone, name);
  assert.equal(lone.endpoint.size, name === 'established' ? 1 : 0, name);
  assert.ok(serves1(lone), name);
}

function withLength(bytes: Uint8Array, length = bytes.length): Uint8Array {
  const changed = bytes.slice();
  new DataView(changed.buffer).setUint32(24, length);
  return changed;
}

test('[A1] datagrams of IKEv1 that are cut, or whose header has another length, are dropped', () => {
  for (const stage of stages()) {
    const { bytes } = stage;
    for (let length = 0; length < bytes.length; length++) refused(stage, bytes.subarray(0, length), `${length} bytes`);
    const real = bytes.length;
    for (const length of [0, 1, 27, 28, real - 1, real + 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, real << 16]) {
      refused(stage, withLength(bytes, length), `length ${length}`);
    }
    refused(stage, concat(bytes, Uint8Array.of(0)), 'a byte more');
    calm(stage);
  }
});

test('[A2] each payload type of IKEv1 with a length that does not fit is dropped', () => {
  for (const stage of stages()) {
    for (let type = 1; type <= 255; type++) {
      for (const length of [0, 1, 2, 3, 21, 65_535]) {
        const generic = Uint8Array.of(0, 0, length >> 8, length & 0xff);
        const bytes = concat(stage.bytes.subarray(0, 28), generic, new Uint8Array(16));
        bytes[16] = type;
        refused(stage, withLength(bytes), `type ${type}, length ${length}`);
      }
    }
    calm(stage);
  }
});

test('[A2] bytes behind the last payload of a message in the clear are not overlooked', () => {
  for (const stage of stages()) {
    for (const more of [1, 4, 16])
      refused(stage, withLength(concat(stage.bytes, new Uint8Array(more))), `${more} more`);
    calm(stage);
  }
});

test('[A3] a chain of 100 000 payloads of four bytes is cut short', () => {
  for (const stage of stages()) {
    for (const type of [PAYLOAD.VID, PAYLOAD.SA, PAYLOAD.HASH, PAYLOAD.P, PAYLOAD.T, 200]) {
      const chain = new Uint8Array(400_000);
      for (let at = 0; at < chain.length; at += 4) chain.set([type, 0, 0, 4], at);
      const bytes = concat(stage.bytes.subarray(0, 28), chain);
      bytes[16] = type;
      refused(stage, withLength(bytes), `payloads of type ${type}`);
    }
    assert.equal(stage.lone.count('malformed:too-many'), 3);
    calm(stage);
  }
});

test('[A3] as many payloads as there may be are taken, one more is not; proposals and transforms stand in an SA alone', () => {
  const vendor: Payload = { tag: 'VID', data: new Uint8Array(4) };
  const filled = (count: number) => (all: readonly Payload[]) => [
    ...all,
    ...new Array<Payload>(count - all.length).fill(vendor),
  ];
  const lone = lone1();
  assert.deepEqual(lone.receive(new Peer1(1).first(filled(MAX_PAYLOADS + 1)), PEER), []);
  assert.equal(lone.receive(new Peer1(1).first(filled(MAX_PAYLOADS)), PEER).length, 1);
  for (const stage of stages()) {
    for (const type of [PAYLOAD.P, PAYLOAD.T]) {
      const bytes = stage.bytes.slice();
      bytes[16] = type;
      refused(stage, bytes, `type ${type}`);
    }
  }
});

test('[A3] the same inside a message that is encrypted', () => {
  const { lone, peer } = up1();
  const chain = new Uint8Array(60_000);
  for (let at = 0; at < chain.length; at += 4) chain.set([PAYLOAD.VID, 0, 0, 4], at);
  for (const exchange of [EXCHANGE.QUICK_MODE, EXCHANGE.INFORMATIONAL]) {
    const quick = peer.quick();
    const hash = quick.hash(chain);
    const plain = concat(Uint8Array.of(PAYLOAD.VID, 0, 0, hash.length + 4), hash, chain);
    assert.deepEqual(lone.receive(quick.sayRaw(PAYLOAD.HASH, plain, exchange), PEER), []);
  }
  assert.equal(lone.count('bad-hash'), 2);
  assertCalm(lone);
});

test('[A4] fragments behind other payloads are not put together', () => {
  for (const stage of stages()) {
    const { peer, lone } = stage;
    const part: Payload = { tag: 'FRAG', id: 1, number: 1, last: true, data: stage.bytes };
    for (const count of [1, 12, 40, 63]) {
      const front = new Array<Payload>(count).fill({ tag: 'VID', data: new Uint8Array(0) });
      const before = lone.drops;
      const bytes = peer.clear([...front, part], EXCHANGE.INFORMATIONAL, 7);
      assert.deepEqual(lone.receive(bytes, PEER), [], `${count} in front (${stage.name})`);
      assert.equal(lone.drops, before + 1);
    }
    calm(stage);
  }
});

// --- types and versions ------------------------------------------------------------------------------------------------

test('[A8] each of the 256 payload types on its own, in every exchange, starts nothing', () => {
  for (const stage of stages()) {
    const { lone, peer, name } = stage;
    for (let type = 0; type < 256; type++) {
      for (const exchange of [...Object.values(EXCHANGE), 0, 34, 37, 255]) {
        for (const body of [new Uint8Array(0), new Uint8Array(12)]) {
          const chain = type === 0 ? new Uint8Array(0) : concat(Uint8Array.of(0, 0, 0, 4 + body.length), body);
          const bytes = concat(peer.clear([], exchange, exchange < 5 ? 0 : 9), chain);
          bytes[16] = type;
          assert.deepEqual(lone.receive(withLength(bytes), PEER), [], `type ${type} in ${exchange} (${name})`);
        }
      }
    }
    calm(stage);
  }
});

test('[A8] all payload types behind those that belong in message 1 are passed over or malformed', () => {
  for (let type = 0; type < 256; type++) {
    const lone = lone1();
    const first = new Peer1(type).first((all) => [
      ...all,
      { tag: 'unknown', id: type || 200, data: new Uint8Array(16) },
    ]);
    const answers = lone.receive(first, PEER);
    assert.equal(answers.length + lone.drops, 1, `type ${type}`);
    assertCalm(lone);
  }
});

test('[A8] payloads of IKEv2 in a message of IKEv1, and the reverse, mean nothing', () => {
  const both = new Lone({ connections: [gateway1({ version: 0 })] });
  for (const [from, to] of [
    [0x20, 0x10],
    [0x10, 0x20],
  ] as const) {
    const bytes =
      from === 0x20
        ? encodeMessage2(headerOf(), initPayloads())
        : encodeMessage({ spiI: seeded(1)(8), spiR: new Uint8Array(8), exchange: 2, messageId: 0 }, []);
    for (const exchange of [2, 4, 5, 32, 34, 35, 36, 37]) {
      const turned = bytes.slice();
      turned[17] = to;
      turned[18] = exchange;
      const answers = both.receive(turned, PEER);
      assert.ok(
        answers.every(({ length }) => length <= bytes.length),
        `${to} ${exchange}`,
      );
      assert.equal(both.endpoint.size, 0);
    }
  }
  assertCalm(both);
});

test('[A8] a message of one version with the SPIs of an SA of the other finds nobody', () => {
  const { lone, peer } = up1();
  const header = { spiI: peer.spiI, spiR: peer.spiR, exchange: 37, initiator: true, response: false, messageId: 0 };
  for (const initiator of [true, false]) {
    const bytes = encodeMessage2({ ...header, initiator }, []);
    assert.ok(lone.receive(bytes, PEER).every(({ length }) => length <= 36));
  }
  assertCalm(lone);
  assert.equal(lone.endpoint.size, 1);
});

test('[A8] versions of IKE other than 1 are not taken for it', () => {
  for (const stage of stages()) {
    for (let version = 0; version < 256; version++) {
      if (version >> 4 === 1 || version >> 4 === 2) continue;
      const bytes = stage.bytes.slice();
      bytes[17] = version;
      const answers = stage.lone.receive(bytes, PEER);
      assert.ok(
        answers.every(({ length }) => length <= bytes.length),
        `version ${version}`,
      );
    }
    calm(stage);
  }
});

// --- what goes back ------------------------------------------------------------------------------------------------------

test('[A21] answers of IKEv1 hold nothing of others, and are as long for a long question as for a short one', () => {
  for (const aggressive of [false, true]) {
    const lone = lone1({ aggressive });
    const marks = Array.from({ length: 5 }, (_, i) => seeded(5000 + i)(32));
    const lengths = new Set<number>();
    const first = (i: number, more: Payload) => new Peer1(i, { aggressive }).first((all) => [...all, more]);
    for (const [i, data] of marks.entries())
      lone.receive(first(i, { tag: 'VID', data }), { ...PEER, ip: `10.0.0.${i}` });
    for (const size of [0, 16, 1000, 7000]) {
      const more: Payload = { tag: 'VID', data: new Uint8Array(size).fill(7) };
      const [answer] = lone.receive(first(size + 50, more), { ...PEER, ip: '10.0.1.1', port: 1000 + size });
      assert.ok(answer);
      lengths.add(answer.length);
      assert.equal(
        encodeMessage(parseMessage(answer).header, parseMessage(answer).chain?.payloads ?? []).length,
        answer.length,
      );
      const text = Buffer.from(answer).toString('latin1');
      for (const mark of marks) {
        for (let at = 0; at + 8 <= mark.length; at += 8) {
          assert.ok(!text.includes(Buffer.from(mark.subarray(at, at + 8)).toString('latin1')));
        }
      }
      assert.ok(!text.includes('\x07'.repeat(8)));
    }
    assert.equal(lengths.size, 1);
  }
});
