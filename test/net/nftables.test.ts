import assert from 'node:assert/strict';
import { endianness } from 'node:os';
import { test } from 'node:test';
import { hex, unhex } from '../../src/bytes/bytes.ts';
import {
  accepted,
  cameFrom,
  counted,
  deletesTable,
  dropped,
  goTo,
  newElements,
  newForwardChain,
  newRule,
  newSet,
  newTable,
  sourceIn,
} from '../../src/net/nftables.ts';
import { AF_INET, AF_INET6 } from '../../src/net/rtnetlink.ts';

// The layouts are those of linux/netfilter/nf_tables.h; `nft --debug=mnl` prints the same but for optional attributes
// and their order.

const OPTIONS = { skip: endianness() === 'BE' ? 'the bytes are written down for little-endian hosts' : false };
const V4 = { family: AF_INET, name: 'espalier' } as const;
const V6 = { family: AF_INET6, name: 'espalier' } as const;
/** The first attribute of all requests but one: the table's name. */
const IN_TABLE = '0d00 0100 657370616c696572 00 000000';

function expect(body: Uint8Array, ...parts: readonly string[]): void {
  assert.equal(hex(body), hex(unhex(parts.join(' '))));
}

test('a table carries its comment as nft does', OPTIONS, () => {
  const { type, flags, body } = newTable(V4, 'hello');
  assert.deepEqual([type, flags], [0x0a00, 0x401]);
  expect(body, '02 00 0000', IN_TABLE, '0c00 0600 00 06 68656c6c6f 00');
});

test('a chain of forwarded packets has a hook and a signed priority', OPTIONS, () => {
  const { type, flags, body } = newForwardChain(V6, 'forward', -300);
  assert.deepEqual([type, flags], [0x0a03, 0x401]);
  expect(
    body,
    `0a 00 0000 ${IN_TABLE} 0c00 0300 666f7277617264 00`,
    '0b00 0700 66696c746572 00 00',
    '1400 0480 0800 0100 00000002 0800 0200 fffffed4',
  );
});

test('a set holds addresses of its family', OPTIONS, () => {
  const set = newSet(V6, 'guarded-64', 3);
  assert.deepEqual([set.type, set.flags], [0x0a09, 0x401]);
  expect(
    set.body,
    `0a 00 0000 ${IN_TABLE} 0f00 0200 677561726465642d3634 00 00`,
    '0800 0300 00000000 0800 0400 00000008 0800 0500 00000010 0800 0a00 00000003',
  );
  const elements = newElements(V4, 'guarded-16', [unhex('0a020000'), unhex('0a030000')]);
  assert.deepEqual([elements.type, elements.flags], [0x0a0c, 0x401]);
  expect(
    elements.body,
    `02 00 0000 ${IN_TABLE} 0f00 0200 677561726465642d3136 00 00`,
    '2400 0380 1000 0180 0c00 0180 0800 0100 0a020000 1000 0180 0c00 0180 0800 0100 0a030000',
  );
});

test('a rule is a list of expressions, and goes behind the others', OPTIONS, () => {
  const drop = newRule(V4, 'forged', [counted, dropped]);
  assert.deepEqual([drop.type, drop.flags], [0x0a06, 0xc01]);
  expect(
    drop.body,
    `02 00 0000 ${IN_TABLE} 0b00 0200 666f72676564 00 00 4400 0480`,
    '1000 0180 0c00 0100 636f756e746572 00',
    '3000 0180 0e00 0100 696d6d656469617465 00 0000',
    '1c00 0280 0800 0100 00000000 1000 0280 0c00 0280 0800 0100 00000000',
  );
});

test('the device is compared in the byte order of the host', OPTIONS, () => {
  expect(
    newRule(V4, 'forward', [...cameFrom(5), accepted]).body,
    `02 00 0000 ${IN_TABLE} 0c00 0200 666f7277617264 00 8400 0480`,
    '2400 0180 0900 0100 6d657461 00 000000 1400 0280 0800 0100 00000001 0800 0200 00000004',
    '2c00 0180 0800 0100 636d7000 2000 0280 0800 0100 00000001 0800 0200 00000000 0c00 0380 0800 0100 05000000',
    '3000 0180 0e00 0100 696d6d656469617465 00 0000',
    '1c00 0280 0800 0100 00000000 1000 0280 0c00 0280 0800 0100 00000001',
  );
});

const GOTO = `3c00 0180 0e00 0100 696d6d656469617465 00 0000 2800 0280 0800 0100 00000000
  1c00 0280 1800 0280 0800 0100 fffffffc 0b00 0200 666f72676564 00 00`;

test("a packet's source is cut to the length of the prefix and looked up", OPTIONS, () => {
  expect(
    newRule(V4, 'forward', [...sourceIn(V4, 20, 'guarded-20'), goTo('forged')]).body,
    `02 00 0000 ${IN_TABLE} 0c00 0200 666f7277617264 00 e400 0480`,
    '3400 0180 0c00 0100 7061796c6f6164 00',
    '2400 0280 0800 0100 00000001 0800 0200 00000001 0800 0300 0000000c 0800 0400 00000004',
    '4400 0180 0c00 0100 62697477697365 00 3400 0280 0800 0100 00000001 0800 0200 00000001',
    '0800 0300 00000004 0c00 0480 0800 0100 fffff000 0c00 0580 0800 0100 00000000',
    '2c00 0180 0b00 0100 6c6f6f6b7570 00 00 1c00 0280 0f00 0100 677561726465642d3230 00 00 0800 0200 00000001',
    GOTO,
  );
});

test('a whole address is looked up as it is', OPTIONS, () => {
  expect(
    newRule(V6, 'forward', [...sourceIn(V6, 128, 'guarded-128'), goTo('forged')]).body,
    `0a 00 0000 ${IN_TABLE} 0c00 0200 666f7277617264 00 a000 0480`,
    '3400 0180 0c00 0100 7061796c6f6164 00',
    '2400 0280 0800 0100 00000001 0800 0200 00000001 0800 0300 00000008 0800 0400 00000010',
    '2c00 0180 0b00 0100 6c6f6f6b7570 00 00 1c00 0280 1000 0100 677561726465642d313238 00 0800 0200 00000001',
    GOTO,
  );
});

test('of the events, the deletion of a table is known', () => {
  const event = { flags: 0, seq: 0, body: new Uint8Array(4) };
  assert.deepEqual(
    [0x0a00, 0x0a02, 0x0002, 0x0a0f].map((type) => deletesTable({ ...event, type })),
    [false, true, false, false],
  );
});
