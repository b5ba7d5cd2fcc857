// SECURITY A9–A11: identities, traffic selectors and rekey notifies that no honest peer sends.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, utf8 } from '../../src/bytes/bytes.ts';
import { Writer } from '../../src/bytes/writer.ts';
import { NOTIFY } from '../../src/ike/wire/constants.ts';
import { encodeMessage } from '../../src/ike/wire/message.ts';
import type { Identity, Payload } from '../../src/ike/wire/payload.ts';
import { child, connection, selectors, sides } from '../support/connections.ts';
import { Pair } from '../support/pair.ts';
import { change, edit, read, request, response, words } from '../support/tamper.ts';
import { assertUnharmed, bugs } from './oracle.ts';
import { headerOf, initPayloads, Lone, STRANGER } from './stranger.ts';

// --- identities ------------------------------------------------------------------------------------------------------

const FQDN = 2;
const IDS: [string, Identity][] = [
  ['an empty DN', { type: 9, data: new Uint8Array(0) }],
  ['a truncated DN', { type: 9, data: Uint8Array.of(0x30, 0x82, 0xff, 0xff, 0x31) }],
  ['a DN of NULL', { type: 9, data: Uint8Array.of(5, 0) }],
  ['an empty name', { type: FQDN, data: new Uint8Array(0) }],
  ['a name that reads as a DN', { type: FQDN, data: utf8('CN=left.test, O=x') }],
  ['a name with NUL', { type: FQDN, data: utf8('left.test\0.evil.test') }],
  ['a name with a dot', { type: FQDN, data: utf8('left.test.') }],
  ['a name with newlines and escapes', { type: FQDN, data: utf8('left.test\n\x1b[2J$(reboot)`id`') }],
  ['60 000 bytes', { type: FQDN, data: utf8('left.test'.repeat(6666)) }],
  ['no UTF-8', { type: FQDN, data: Uint8Array.of(0xff, 0xfe, 0xc0, 0x80) }],
  ['%any', { type: FQDN, data: utf8('%any') }],
  ['*', { type: FQDN, data: utf8('*') }],
  ['__proto__', { type: FQDN, data: utf8('__proto__') }],
  ['constructor', { type: 11, data: utf8('constructor') }],
  ['type 0', { type: 0, data: new Uint8Array(0) }],
  ['type 255', { type: 255, data: utf8('left.test') }],
  ['the right name as a mail address', { type: 3, data: utf8('left.test') }],
  ['the right name as a key id', { type: 11, data: utf8('left.test') }],
  ['ID_NULL', { type: 13, data: new Uint8Array(0) }],
  ['0.0.0.0', { type: 1, data: new Uint8Array(4) }],
];

test('[A9] identities that only resemble the configured one are refused, and printed safely', () => {
  for (const [what, localId] of IDS) {
    const [left, right] = sides();
    const pair = new Pair({ ...left, connections: [connection({ localId })] }, right);
    pair.left.initiate();
    pair.run(5000);
    assert.equal(pair.right.count('session-established'), 0, what);
    const reason = pair.right.last('session-closed')?.reason;
    assert.equal(reason?.notify, 'AUTHENTICATION_FAILED', what);
    const text = JSON.stringify(pair.right.events);
    assert.ok(!text.includes('\x1b') && !text.includes('\\u001b') && !text.includes('\\n'), what);
    assert.ok(text.length < 20_000, what);
    assert.equal(bugs(pair.right.endpoint), 0, what);
  }
});

test('[A9] the same in IDr: an initiator takes no other name for that of its peer', () => {
  for (const [what, localId] of IDS) {
    const pair = new Pair(...sides({}, { localId }));
    change(pair, request(pair.left, 'IKE_AUTH'), (all) => all.filter(({ tag }) => tag !== 'IDr'));
    pair.left.initiate();
    pair.run(5000);
    assert.equal(pair.left.count('session-established'), 0, what);
    assert.equal(pair.left.last('session-closed')?.reason.code, 'unknown-id', what);
    assert.equal(pair.right.live.sessions.length, 0, what);
    assert.equal(bugs(pair.left.endpoint), 0, what);
  }
});

test('[A9] an address of a wrong size in an ID payload is malformed', () => {
  for (const [type, size] of [
    [1, 0],
    [1, 3],
    [1, 16],
    [5, 4],
    [5, 15],
    [5, 17],
  ] as const) {
    const pair = new Pair(...sides());
    change(pair, request(pair.left, 'IKE_AUTH'), (all) =>
      all.map((p) => (p.tag === 'IDi' ? { tag: 'IDi', id: { type, data: new Uint8Array(size) } } : p)),
    );
    pair.left.initiate();
    pair.run(1000);
    assert.equal(pair.right.last('session-closed')?.reason.notify, 'INVALID_SYNTAX', `type ${type}, ${size} bytes`);
    assertUnharmed(pair);
  }
});

// --- selectors -------------------------------------------------------------------------------------------------------

function rawTs(count: number, ...bodies: readonly Uint8Array[]): Uint8Array {
  return concat(Uint8Array.of(count, 0, 0, 0), ...bodies);
}

function ts(type: number, length: number, start: readonly number[], end: readonly number[], ports = [0, 65_535]) {
  const writer = new Writer().u8(type).u8(0).u16(length);
  return writer
    .u16(ports[0] ?? 0)
    .u16(ports[1] ?? 0)
    .bytes(Uint8Array.from(start))
    .bytes(Uint8Array.from(end))
    .done();
}

const START = [10, 1, 0, 0];
const END = [10, 1, 0, 255];
const GOOD = ts(7, 16, START, END);

const MALFORMED: [string, Uint8Array][] = [
  ['no body', new Uint8Array(0)],
  ['three bytes', new Uint8Array(3)],
  ['count 2 of 1', rawTs(2, GOOD)],
  ['count 255 of 1', rawTs(255, GOOD)],
  ['count 0 of 1', rawTs(0, GOOD)],
  ['length 0', rawTs(1, ts(7, 0, START, END))],
  ['length 8', rawTs(1, ts(7, 8, START, END))],
  ['length 15', rawTs(1, ts(7, 15, START, END))],
  ['length 17', rawTs(1, ts(7, 17, START, END))],
  ['length 65535', rawTs(1, ts(7, 65_535, START, END))],
  ['IPv4 with 40 bytes', rawTs(1, ts(7, 40, new Array(16).fill(0), new Array(16).fill(255)))],
  ['IPv6 with 16 bytes', rawTs(1, ts(8, 16, START, END))],
  ['start after end', rawTs(1, ts(7, 16, END, START))],
  ['start port after end port', rawTs(1, ts(7, 16, START, END, [2, 1]))],
];

const UNACCEPTABLE: [string, Uint8Array][] = [
  ['none', rawTs(0)],
  ['an unknown type', rawTs(1, Uint8Array.of(200, 0, 0, 8, 1, 2, 3, 4))],
  ['another net', rawTs(1, ts(7, 16, [172, 16, 0, 0], [172, 16, 0, 255]))],
  ['IPv6', rawTs(1, ts(8, 40, new Array(16).fill(0), new Array(16).fill(255)))],
];

for (const [exchange, begin] of [
  ['IKE_AUTH', () => new Pair(...sides())],
  ['CREATE_CHILD_SA', () => Pair.up(...sides())],
] as const) {
  const outcome = (what: string, type: 44 | 45, data: Uint8Array) => {
    const pair = begin();
    let answered: string[] = [];
    pair.wire.tamper = (bytes, from) => {
      if (response(pair.right, exchange)(bytes, from)) answered = words(read(bytes, from)?.payloads ?? []);
      if (!request(pair.left, exchange)(bytes, from)) return bytes;
      return edit(bytes, from, (all) =>
        all.map(
          (p): Payload =>
            p.tag === (type === 44 ? 'TSi' : 'TSr') ? { tag: 'unknown', id: type, critical: false, data } : p,
        ),
      );
    };
    if (exchange === 'IKE_AUTH') pair.left.initiate();
    else pair.left.run(pair.left.endpoint.rekeyChild(pair.now, pair.left.child));
    pair.run(500);
    pair.wire.tamper = undefined;
    assertUnharmed(pair, what);
    return answered;
  };

  test(`[A10] selectors whose counts, lengths or ranges are wrong in ${exchange} are answered with INVALID_SYNTAX`, () => {
    for (const [what, data] of MALFORMED) {
      for (const type of [44, 45] as const) {
        assert.deepEqual(outcome(what, type, data), ['N(INVALID_SYNTAX)'], `${what} in ${type}`);
      }
    }
  });

  test(`[A10] selectors of which nothing can be taken in ${exchange} are answered with TS_UNACCEPTABLE`, () => {
    for (const [what, data] of UNACCEPTABLE) {
      for (const type of [44, 45] as const) {
        assert.equal(outcome(what, type, data).at(-1), 'N(TS_UNACCEPTABLE)', `${what} in ${type}`);
      }
    }
  });
}

test('[A10] selectors without number that all lie in ours become a bounded number of policies', () => {
  const some = (third: number, count: number) =>
    Array.from({ length: count }, (_, i) => ts(7, 16, [10, third, 0, i], [10, third, 0, i], [i, 1000 + i]));
  for (const [mine, yours] of [
    [255, 255],
    [255, 3],
    [3, 255],
    [255, 1],
    [1, 255],
  ] as const) {
    const pair = new Pair(...sides());
    change(pair, request(pair.left, 'IKE_AUTH'), (all) =>
      all.map((p): Payload => {
        if (p.tag === 'TSi') return { tag: 'unknown', id: 44, critical: false, data: rawTs(mine, ...some(1, mine)) };
        if (p.tag === 'TSr') return { tag: 'unknown', id: 45, critical: false, data: rawTs(yours, ...some(2, yours)) };
        return p;
      }),
    );
    pair.left.initiate();
    pair.run(2000);
    const [sa] = pair.right.plane.sas;
    assert.ok(sa);
    const pairs = sa.localTs.length * sa.remoteTs.length;
    assert.ok(pairs <= 256 && pairs >= Math.min(mine * yours, 200), `${pairs} pairs of ${mine} and ${yours}`);
    assertUnharmed(pair);
  }
});

test('[A10] as many selectors as the configuration has are kept', () => {
  const many = (third: number) => selectors(...Array.from({ length: 40 }, (_, i) => `10.${third}.${i}.0/24`));
  const pair = Pair.up(...sides({ children: [child({ localTs: many(1), remoteTs: many(2) })] }));
  const [sa] = pair.right.plane.sas;
  assert.equal(sa?.localTs.length, 40);
  assert.equal(sa?.remoteTs.length, 40);
});

// --- rekey notifies --------------------------------------------------------------------------------------------------

test('[A11] REKEY_SA with any protocol and any size of SPI is answered with CHILD_SA_NOT_FOUND', () => {
  for (const protocol of [0, 1, 2, 3, 4, 255]) {
    for (const size of [0, 1, 3, 4, 8, 255]) {
      const pair = Pair.up(...sides());
      const { left } = pair;
      let answered: string[] = [];
      let once = true;
      pair.wire.tamper = (bytes, from) => {
        if (response(pair.right, 'CREATE_CHILD_SA')(bytes, from)) answered = words(read(bytes, from)?.payloads ?? []);
        if (!once || !request(left, 'CREATE_CHILD_SA')(bytes, from)) return bytes;
        once = false;
        return edit(bytes, from, (all) =>
          all.map((p): Payload => (p.tag === 'N' ? { ...p, protocol, spi: new Uint8Array(size).fill(1) } : p)),
        );
      };
      left.run(left.endpoint.rekeyChild(pair.now, left.child));
      pair.run(25);
      assert.deepEqual(answered, ['N(CHILD_SA_NOT_FOUND)'], `protocol ${protocol}, ${size} bytes`);
      assertUnharmed(pair, `protocol ${protocol}, ${size} bytes`);
    }
  }
});

test('[A11] strange CHILD_SA_NOT_FOUND answers and Deletes do not confuse the one who gets them', () => {
  for (const protocol of [0, 1, 2, 3, 255]) {
    for (const size of [0, 3, 4, 8]) {
      const pair = Pair.up(...sides());
      const { left } = pair;
      change(
        pair,
        response(pair.right, 'CREATE_CHILD_SA'),
        () => [
          { tag: 'N', protocol, spi: new Uint8Array(size), kind: NOTIFY.CHILD_SA_NOT_FOUND, data: new Uint8Array(0) },
        ],
        1,
      );
      left.run(left.endpoint.rekeyChild(pair.now, left.child));
      assertUnharmed(pair, `protocol ${protocol}, ${size} bytes`);
    }
  }
  for (const raw of [
    [0, 0, 0, 0],
    [1, 8, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    [3, 0, 0, 1],
    [3, 4, 0, 0],
    [3, 4, 255, 255],
    [3, 4, 0, 1, 0, 0, 0, 0],
    [2, 4, 0, 1, 1, 2, 3, 4],
    [255, 4, 0, 1, 1, 2, 3, 4],
  ]) {
    const pair = Pair.up(...sides());
    const { left } = pair;
    change(
      pair,
      request(left, 'INFORMATIONAL'),
      () => [{ tag: 'unknown', id: 42, critical: false, data: Uint8Array.from(raw) }],
      1,
    );
    left.run(left.endpoint.closeChild(pair.now, left.child));
    assertUnharmed(pair, `Delete ${raw}`);
  }
});

test('[A11] a message that begins nothing and belongs to nothing is never answered', () => {
  const lone = new Lone();
  assert.deepEqual(lone.receive(encodeMessage(headerOf({ response: true }), initPayloads()), STRANGER), []);
  assert.deepEqual(lone.receive(encodeMessage(headerOf({ initiator: false }), initPayloads()), STRANGER), []);
  assert.deepEqual(lone.receive(encodeMessage(headerOf({ messageId: 1 }), initPayloads()), STRANGER), []);
  assert.equal(lone.drops, 3);
});
