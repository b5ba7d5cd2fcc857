// SECURITY A1–A4, A20, A21: datagrams whose lengths, chains and fragments are wrong, sent to an endpoint that knows
// nothing of the sender, has a half-open session with him, or an established one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat } from '../../src/bytes/bytes.ts';
import { LIFETIME, MAX_BYTES, MAX_FRAGMENTS, MAX_TOTAL } from '../../src/ike/fragment.ts';
import { EXCHANGE, PAYLOAD } from '../../src/ike/wire/constants.ts';
import { encodeMessage, MAX_PAYLOADS, parseMessage } from '../../src/ike/wire/message.ts';
import type { Payload } from '../../src/ike/wire/payload.ts';
import { seeded } from '../support/random.ts';
import { sessions2 } from '../support/v2.ts';
import { bugs } from './oracle.ts';
import { Guest, headerOf, inFront, initPayloads, Lone, STRANGER } from './stranger.ts';

interface Stage {
  readonly name: string;
  readonly lone: Lone;
  readonly guest: Guest;
  /** A message of the guest's that fits this stage, so that what follows it is looked at. */
  readonly bytes: () => Uint8Array;
}

function stages(): Stage[] {
  return ['nobody', 'half-open', 'established'].map((name): Stage => {
    const lone = new Lone();
    const guest = new Guest(11);
    if (name !== 'nobody') {
      const [answer] = lone.receive(guest.hello());
      assert.ok(answer && guest.learn(answer));
    }
    if (name === 'established') lone.receive(guest.auth());
    const bytes = () => {
      if (name === 'nobody') return new Guest(12).hello();
      if (name === 'half-open') return guest.auth();
      return guest.sealed({ exchange: EXCHANGE.INFORMATIONAL, messageId: 2 }, []);
    };
    return { name, lone, guest, bytes };
  });
}

/** Nothing answered, one counter more, nobody new; afterwards all is as it should be. */
function refused({ lone, name }: Stage, bytes: Uint8Array, what: string): void {
  const size = lone.endpoint.size;
  const { drops } = lone;
  assert.deepEqual(lone.receive(bytes), [], `${what} (${name})`);
  assert.equal(lone.drops, drops + 1, `${what} (${name})`);
  assert.equal(lone.endpoint.size, size, `${what} (${name})`);
}

function calm({ lone, name }: Stage): void {
  const known = name === 'established' ? 1 : 0;
  lone.pass(60_000);
  assert.equal(lone.endpoint.size, known, name);
  assert.equal(bugs(lone.endpoint), 0, name);
  assert.ok(lone.serves(), name);
}

function withLength(bytes: Uint8Array, length: number): Uint8Array {
  const changed = bytes.slice();
  new DataView(changed.buffer).setUint32(24, length);
  return changed;
}

test('[A1] datagrams shorter than an IKE header are dropped before anything in them is read', () => {
  for (const stage of stages()) {
    for (let length = 0; length < 28; length++) {
      for (const fill of [0, 0x20, 0xff]) refused(stage, new Uint8Array(length).fill(fill), `${length} bytes`);
      refused(stage, stage.bytes().subarray(0, length), `${length} bytes of a message`);
    }
    assert.equal(stage.lone.count('malformed:truncated'), 28 * 4);
    calm(stage);
  }
});

test('[A1] a length in the header that is not that of the datagram is malformed', () => {
  for (const stage of stages()) {
    const real = stage.bytes().length;
    const lengths = [0, 1, 27, 28, real - 1, real + 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, real << 16];
    for (const length of lengths) refused(stage, withLength(stage.bytes(), length), `length ${length}`);
    assert.equal(stage.lone.count('malformed:bad-length'), lengths.length);
    for (const cut of [1, 4, 16]) refused(stage, stage.bytes().subarray(0, real - cut), `${cut} bytes cut off`);
    refused(stage, concat(stage.bytes(), Uint8Array.of(0)), 'a byte more');
    calm(stage);
  }
});

const BODY = new Uint8Array(16);

test('[A2] each payload type with a length that does not fit is dropped where nothing is protected', () => {
  for (const stage of stages()) {
    for (let type = 1; type <= 255; type++) {
      for (const length of [0, 1, 2, 3, 4 + BODY.length + 1, 65_535]) {
        const generic = Uint8Array.of(0, 0, length >> 8, length & 0xff);
        const bytes = concat(encodeMessage(headerOf({ spiI: seeded(type)(8) }), []), generic, BODY);
        bytes[16] = type;
        refused(stage, withLength(bytes, bytes.length), `type ${type}, length ${length}`);
      }
    }
    calm(stage);
  }
});

test('[A2] the same inside a protected IKE_AUTH costs the half-open session one INVALID_SYNTAX', () => {
  for (const id of [...Object.values(PAYLOAD).filter((type) => type !== 0), 200]) {
    for (const length of [0, 3, 21, 65_535]) {
      const [, stage] = stages();
      assert.ok(stage);
      const { lone, guest } = stage;
      const plain = concat(Uint8Array.of(0, 0, length >> 8, length & 0xff), BODY);
      assert.equal(lone.receive(guest.fragment(1, 1, id, plain)).length, 1, `type ${id}, length ${length}`);
      assert.equal(lone.events.at(-1)?.kind, 'session-closed');
      assert.equal(lone.drops, 1);
      assert.equal(lone.installed, 0);
      calm(stage);
    }
  }
});

test('[A3] a chain of 100 000 payloads of four bytes is cut short', () => {
  for (const stage of stages()) {
    for (const type of [PAYLOAD.V, PAYLOAD.SA, PAYLOAD.N, 200]) {
      const chain = new Uint8Array(400_000);
      for (let at = 0; at < chain.length; at += 4) chain.set([type, 0, 0, 4], at);
      const bytes = concat(encodeMessage(headerOf(), []), chain);
      bytes[16] = type;
      refused(stage, withLength(bytes, bytes.length), `payloads of type ${type}`);
    }
    assert.equal(stage.lone.count('malformed:too-many'), 2);
    calm(stage);
  }
});

test('[A3] more payloads than a message may have are too many, and as many as that are not', () => {
  const lone = new Lone();
  const vendor: Payload = { tag: 'V', data: new Uint8Array(4) };
  const message = (count: number) => {
    const payloads = initPayloads();
    return encodeMessage(headerOf(), [...payloads, ...new Array<Payload>(count - payloads.length).fill(vendor)]);
  };
  assert.deepEqual(lone.receive(message(MAX_PAYLOADS + 1)), []);
  assert.equal(lone.count('malformed:too-many'), 1);
  assert.equal(lone.receive(message(MAX_PAYLOADS)).length, 1);
});

test('[A3] an encrypted payload inside an encrypted payload is not opened', () => {
  for (const id of [PAYLOAD.SK, PAYLOAD.SKF]) {
    const [, stage] = stages();
    assert.ok(stage);
    const { lone, guest } = stage;
    assert.equal(lone.receive(guest.fragment(1, 1, id, new Uint8Array(64))).length, 1);
    assert.equal(lone.count('malformed:unexpected'), 1);
    calm(stage);
  }
});

test('[A4] fragments with unknown payloads put in front are dropped', () => {
  for (const stage of stages()) {
    for (const count of [1, 12, 40, 63, 64, 400]) {
      const fragment = stage.name === 'nobody' ? strangersFragment() : stage.guest.fragment(1, 2, 35, BODY);
      const bytes = concat(fragment.subarray(0, 28), inFront(count), fragment.subarray(28));
      bytes[16] = 200;
      refused(stage, withLength(bytes, bytes.length), `${count} payloads in front`);
    }
    calm(stage);
  }
});

test('[A4] the same from the peer itself, under its keys: what nothing protects is not read', () => {
  const [, halfOpen, established] = stages();
  assert.ok(halfOpen && established);
  for (const outer of [1, 12, 40, 63, 64, 400]) {
    refused(halfOpen, halfOpen.guest.fragment(1, 2, 35, BODY, { outer }), `${outer} in front`);
    const due = { outer, messageId: 2, exchange: EXCHANGE.INFORMATIONAL };
    refused(established, established.guest.fragment(1, 1, 0, new Uint8Array(0), due), `${outer} in front`);
  }
  assert.equal(halfOpen.lone.count('outer-payloads'), 4);
  assert.equal(established.lone.count('outer-payloads'), 4);
  assert.deepEqual(kept(halfOpen), { count: 0, bytes: 0 });
  calm(halfOpen);
  calm(established);
});

/** A fragment of somebody with whom we have no keys. */
function strangersFragment(): Uint8Array {
  const lone = new Lone({}, seeded(99));
  const guest = new Guest(33);
  const [answer] = lone.receive(guest.hello());
  assert.ok(answer && guest.learn(answer));
  return guest.fragment(1, 2, 35, BODY);
}

// --- fragments -------------------------------------------------------------------------------------------------------

function halfOpen(): Stage {
  const [, stage] = stages();
  assert.ok(stage);
  return stage;
}

function kept({ lone }: Stage): { count: number; bytes: number } {
  const parts = sessions2(lone.endpoint).map(({ state }) => state.requestParts);
  return {
    count: parts.reduce((sum, part) => sum + (part?.count ?? 0), 0),
    bytes: parts.reduce((sum, part) => sum + (part?.parts.reduce((all, one) => all + (one?.length ?? 0), 0) ?? 0), 0),
  };
}

test('[A20] IKE_AUTH in fragments, in any order, is put together', () => {
  const stage = halfOpen();
  const { lone, guest } = stage;
  let payloads: readonly Payload[] = [];
  guest.auth((all) => {
    payloads = all;
    return all;
  });
  const fragments = guest.fragments({ exchange: EXCHANGE.IKE_AUTH, messageId: 1 }, payloads, 100);
  assert.ok(fragments.length > 3);
  for (const bytes of fragments.toReversed()) lone.receive(bytes);
  assert.equal(lone.installed, 1);
});

test('[A20] fragment numbers of 0, beyond the total, or of more fragments than there may be are dropped', () => {
  const stage = halfOpen();
  for (const [number, total] of [
    [0, 0],
    [0, 1],
    [1, 0],
    [2, 1],
    [65_535, 1],
  ] as const) {
    refused(stage, stage.guest.fragment(number, total, 35, BODY), `${number} of ${total}`);
  }
  for (const [number, total] of [
    [1, MAX_FRAGMENTS + 1],
    [1, 65_535],
    [65_535, 65_535],
  ] as const) {
    assert.deepEqual(stage.lone.receive(stage.guest.fragment(number, total, 35, BODY)), []);
  }
  assert.deepEqual(kept(stage), { count: 0, bytes: 0 });
  calm(stage);
});

test('[A20] a forged fragment is not kept and does not take the place of the right one', () => {
  const stage = halfOpen();
  const { lone, guest } = stage;
  let payloads: readonly Payload[] = [];
  guest.auth((all) => {
    payloads = all;
    return all;
  });
  const fragments = guest.fragments({ exchange: EXCHANGE.IKE_AUTH, messageId: 1 }, payloads, 100);
  for (const bytes of fragments) {
    for (const at of [30, 33, 35, 40, bytes.length - 1]) {
      const forged = bytes.slice();
      forged[at] = (forged[at] ?? 0) ^ 1;
      lone.receive(forged);
    }
  }
  assert.deepEqual(kept(stage), { count: 0, bytes: 0 });
  for (const bytes of fragments) lone.receive(bytes);
  assert.equal(lone.installed, 1);
});

test('[A20] changing totals, doubled numbers and empty texts keep one message at most', () => {
  const stage = halfOpen();
  const { lone, guest } = stage;
  const random = seeded(8);
  for (let i = 0; i < 3000; i++) {
    const [a = 0, b = 0, size = 0] = random(3);
    const total = 1 + (a % MAX_FRAGMENTS);
    // Never the last one missing: such a message would be read.
    const number = 1 + (b % Math.max(1, total - 1));
    if (total === 1) continue;
    lone.receive(guest.fragment(number, total, number === 1 ? 35 : 0, random(size % 3 === 0 ? 0 : size)));
    const { count, bytes } = kept(stage);
    assert.ok(count <= MAX_FRAGMENTS && bytes <= MAX_BYTES);
  }
  calm(stage);
});

test('[A20] one-byte fragments that never end keep 63 bytes and go with the session', () => {
  const stage = halfOpen();
  const { lone, guest } = stage;
  for (let number = 1; number < 65_535; number += 97) {
    lone.receive(guest.fragment(number, 65_535, number === 1 ? 35 : 0, Uint8Array.of(1)));
  }
  assert.deepEqual(kept(stage), { count: 0, bytes: 0 });
  for (let number = 1; number < MAX_FRAGMENTS; number++) {
    lone.receive(guest.fragment(number, MAX_FRAGMENTS, number === 1 ? 35 : 0, Uint8Array.of(1)));
  }
  assert.deepEqual(kept(stage), { count: MAX_FRAGMENTS - 1, bytes: MAX_FRAGMENTS - 1 });
  lone.pass(LIFETIME);
  assert.equal(lone.endpoint.size, 0);
  calm(stage);
});

test('[A20] fragments of more than 64 KiB together are thrown away', () => {
  const stage = halfOpen();
  const { lone, guest } = stage;
  for (let number = 1; number < MAX_FRAGMENTS; number++) {
    lone.receive(guest.fragment(number, MAX_FRAGMENTS, number === 1 ? 35 : 0, new Uint8Array(9000)));
    assert.ok(kept(stage).bytes <= MAX_BYTES);
  }
  calm(stage);
});

test('[A20] unfinished messages of all sessions together keep 4 MiB, and strangers’ go before those of peers', () => {
  const lone = new Lone();
  const peer = new Guest(70_000);
  const open = (guest: Guest, ip: string): boolean => {
    let [answer] = lone.receive(guest.hello(), { ip, port: 500 });
    if (answer && guest.cookie(answer)) [answer] = lone.receive(guest.hello(), { ip, port: 500 });
    return answer !== undefined && guest.learn(answer);
  };
  assert.ok(open(peer, '203.0.113.1'));
  lone.receive(peer.auth());
  const text = new Uint8Array(30_000);
  lone.receive(peer.fragment(1, 3, 0, text, { exchange: EXCHANGE.INFORMATIONAL, messageId: 2 }));
  const stage: Stage = { name: 'flooded', lone, guest: peer, bytes: () => BODY };
  for (let i = 0; i < 200; i++) {
    const guest = new Guest(80_000 + i);
    assert.ok(open(guest, `198.51.${i}.1`));
    for (const number of [1, 2]) lone.receive(guest.fragment(number, 3, number === 1 ? 35 : 0, text));
    assert.ok(kept(stage).bytes <= MAX_TOTAL, `${kept(stage).bytes} bytes after ${i} guests`);
  }
  assert.equal(sessions2(lone.endpoint)[0]?.state.requestParts?.bytes, text.length);
  assert.equal(lone.endpoint.size, 201);
});

test('[A20] fragments from strangers, with or without a session to name, are not kept', () => {
  const stage = halfOpen();
  const { lone } = stage;
  const foreign = strangersFragment();
  const [session] = lone.endpoint.sessions();
  assert.ok(session);
  for (const named of [false, true]) {
    for (let number = 1; number <= 300; number++) {
      const bytes = foreign.slice();
      if (named) bytes.set(session.state.spiI, 0);
      if (named) bytes.set(session.state.spiR, 8);
      new DataView(bytes.buffer).setUint16(32, 1 + (number % 60));
      new DataView(bytes.buffer).setUint16(34, 64);
      assert.deepEqual(lone.receive(bytes, STRANGER), []);
    }
  }
  assert.equal(lone.count('unknown-spi'), 300);
  assert.equal(lone.count('bad-icv'), 300);
  assert.deepEqual(kept(stage), { count: 0, bytes: 0 });
  calm(stage);
});

// --- what goes back --------------------------------------------------------------------------------------------------

test('[A21] answers to strangers are as long for a long question as for a short one, and hold nothing of others', () => {
  const secretive = new Lone();
  const marks = Array.from({ length: 5 }, (_, i) => seeded(5000 + i)(32));
  for (const [i, mark] of marks.entries()) {
    const payloads = [...initPayloads(seeded(50 + i)), { tag: 'V', data: mark } as const];
    secretive.receive(encodeMessage(headerOf({ spiI: seeded(60 + i)(8) }), payloads), {
      ip: `198.51.100.${i}`,
      port: 500,
    });
  }
  const lengths = new Set<number>();
  for (const size of [0, 16, 1000, 40_000]) {
    const payloads: Payload[] = [...initPayloads(seeded(size)), { tag: 'V', data: new Uint8Array(size).fill(7) }];
    const from = { ip: `203.0.113.${lengths.size + (size % 200)}`, port: 500 };
    const [answer] = secretive.receive(encodeMessage(headerOf({ spiI: seeded(size + 1)(8) }), payloads), from);
    assert.ok(answer);
    lengths.add(answer.length);
    const text = Buffer.from(answer).toString('latin1');
    for (const mark of marks) {
      for (let at = 0; at + 8 <= mark.length; at += 8) {
        assert.ok(!text.includes(Buffer.from(mark.subarray(at, at + 8)).toString('latin1')));
      }
    }
    assert.ok(!text.includes('\x07'.repeat(8)));
  }
  assert.equal(lengths.size, 1);
});

test('[A21] each answer of an IKE_SA_INIT names the lengths that its own content has', () => {
  const lone = new Lone();
  const [answer] = lone.receive(new Guest(4).hello());
  assert.ok(answer);
  assert.equal(encodeMessage(parseMessage(answer).header, parseMessage(answer).payloads).length, answer.length);
});
