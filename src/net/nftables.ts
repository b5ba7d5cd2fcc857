// What is asked of nf_tables (linux/netfilter/nf_tables.h), as requests. Numbers in attributes are big-endian; values that
// a register is compared with are as the packet or the kernel has them.

import { type Prefix, prefixRange } from '../bytes/ip.ts';
import {
  type Attribute,
  be32,
  encodeBody,
  type Message,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_REQUEST,
  nested,
  text,
  u32,
} from './netlink.ts';
import { AF_INET, type Family, type Request } from './rtnetlink.ts';

export const NFNL_SUBSYS_NFTABLES = 10;

const NFT_MSG = {
  NEWTABLE: 0,
  GETTABLE: 1,
  DELTABLE: 2,
  NEWCHAIN: 3,
  NEWRULE: 6,
  DELRULE: 8,
  NEWSET: 9,
  DELSET: 11,
  NEWSETELEM: 12,
  DELSETELEM: 14,
} as const;

const LIST_ELEM = 1;
const DATA = { VALUE: 1, VERDICT: 2 } as const;
const VERDICT = { CODE: 1, CHAIN: 2 } as const;
const TABLE = { NAME: 1, USERDATA: 6 } as const;
const CHAIN = { TABLE: 1, NAME: 3, HOOK: 4, TYPE: 7 } as const;
const HOOK = { NUM: 1, PRIORITY: 2 } as const;
const RULE = { TABLE: 1, CHAIN: 2, EXPRESSIONS: 4 } as const;
const SET = { TABLE: 1, NAME: 2, FLAGS: 3, KEY_TYPE: 4, KEY_LEN: 5, ID: 10 } as const;
const ELEMENTS = { TABLE: 1, SET: 2, LIST: 3 } as const;
const ELEMENT_KEY = 1;
const EXPR = { NAME: 1, DATA: 2 } as const;
const META = { DREG: 1, KEY: 2 } as const;
const CMP = { SREG: 1, OP: 2, DATA: 3 } as const;
const PAYLOAD = { DREG: 1, BASE: 2, OFFSET: 3, LEN: 4 } as const;
const BITWISE = { SREG: 1, DREG: 2, LEN: 3, MASK: 4, XOR: 5 } as const;
const LOOKUP = { SET: 1, SREG: 2 } as const;
const IMMEDIATE = { DREG: 1, DATA: 2 } as const;

const NFT_REG_VERDICT = 0;
const NFT_REG_1 = 1;
const NFT_META_IIF = 4;
const NFT_CMP_EQ = 0;
const NFT_PAYLOAD_NETWORK_HEADER = 1;
const NFT_GOTO = -4;
const NF_DROP = 0;
const NF_ACCEPT = 1;

/** Where a chain sees packets that are on their way through this host. */
const NF_INET_FORWARD = 2;
export const NF_IP_PRI_RAW = -300;

/** The numbers by which `nft` knows what a key is. */
const TYPE_IPADDR = 7;
const TYPE_IP6ADDR = 8;

/** How `nft` keeps a comment: type, length, text with its zero. */
const COMMENT = 0;

export interface Table {
  readonly family: Family;
  readonly name: string;
}

export type Expression = readonly [name: string, ...attributes: Attribute[]];

export function newTable(table: Table, comment: string): Request {
  const words = new TextEncoder().encode(`${comment}\0`);
  const data = Uint8Array.of(COMMENT, words.length, ...words);
  return create('NEWTABLE', table, [text(TABLE.NAME, table.name), { type: TABLE.USERDATA, value: data }]);
}

/** With all that is in it. */
export function deleteTable(table: Table): Request {
  return request('DELTABLE', table, [text(TABLE.NAME, table.name)]);
}

export function oneTable(table: Table): Request {
  return request('GETTABLE', table, [text(TABLE.NAME, table.name)]);
}

/** Of an event. */
export function deletesTable({ type }: Message): boolean {
  return type === message('DELTABLE');
}

/** A chain that packets reach by a verdict only. */
export function newChain(table: Table, name: string): Request {
  return create('NEWCHAIN', table, [text(CHAIN.TABLE, table.name), text(CHAIN.NAME, name)]);
}

/** A chain that forwarded packets pass through; what no rule decides passes. */
export function newForwardChain(table: Table, name: string, priority: number): Request {
  return create('NEWCHAIN', table, [
    text(CHAIN.TABLE, table.name),
    text(CHAIN.NAME, name),
    text(CHAIN.TYPE, 'filter'),
    nested(CHAIN.HOOK, [be32(HOOK.NUM, NF_INET_FORWARD), be32(HOOK.PRIORITY, priority)]),
  ]);
}

/** Behind the rules that are there. */
export function newRule(table: Table, chain: string, expressions: readonly Expression[]): Request {
  const list = expressions.map(([name, ...data]) =>
    nested(LIST_ELEM, [text(EXPR.NAME, name), ...(data.length === 0 ? [] : [nested(EXPR.DATA, data)])]),
  );
  const attributes = [...inChain(table, chain), nested(RULE.EXPRESSIONS, list)];
  return request('NEWRULE', table, attributes, NLM_F_CREATE | NLM_F_APPEND);
}

/** All rules of a chain. */
export function deleteRules(table: Table, chain: string): Request {
  return request('DELRULE', table, inChain(table, chain));
}

/** A hash set of addresses. `id` names it within a transaction. */
export function newSet(table: Table, name: string, id: number): Request {
  return create('NEWSET', table, [
    text(SET.TABLE, table.name),
    text(SET.NAME, name),
    be32(SET.FLAGS, 0),
    be32(SET.KEY_TYPE, table.family === AF_INET ? TYPE_IPADDR : TYPE_IP6ADDR),
    be32(SET.KEY_LEN, sizeIn(table)),
    be32(SET.ID, id),
  ]);
}

export function deleteSet(table: Table, name: string): Request {
  return request('DELSET', table, [text(SET.TABLE, table.name), text(SET.NAME, name)]);
}

/** At most a thousand or so fit into a request. */
export function newElements(table: Table, set: string, keys: readonly Uint8Array[]): Request {
  return create('NEWSETELEM', table, elements(table, set, keys));
}

export function deleteElements(table: Table, set: string, keys: readonly Uint8Array[]): Request {
  return request('DELSETELEM', table, elements(table, set, keys));
}

/** The packet came in from this device. */
export function cameFrom(index: number): Expression[] {
  const value = u32(DATA.VALUE, index);
  return [
    ['meta', be32(META.DREG, NFT_REG_1), be32(META.KEY, NFT_META_IIF)],
    ['cmp', be32(CMP.SREG, NFT_REG_1), be32(CMP.OP, NFT_CMP_EQ), nested(CMP.DATA, [value])],
  ];
}

/** The first `length` bits of the packet's source, the others zero, are in the set. */
export function sourceIn(table: Table, length: number, set: string): Expression[] {
  const size = sizeIn(table);
  const load: Expression = [
    'payload',
    be32(PAYLOAD.DREG, NFT_REG_1),
    be32(PAYLOAD.BASE, NFT_PAYLOAD_NETWORK_HEADER),
    // RFC 791 §3.1, RFC 8200 §3.
    be32(PAYLOAD.OFFSET, table.family === AF_INET ? 12 : 8),
    be32(PAYLOAD.LEN, size),
  ];
  const look: Expression = ['lookup', text(LOOKUP.SET, set), be32(LOOKUP.SREG, NFT_REG_1)];
  return length === 8 * size ? [load, look] : [load, masked(size, length), look];
}

function masked(size: number, length: number): Expression {
  const ones: Prefix = { address: new Uint8Array(size).fill(0xff), length };
  return [
    'bitwise',
    be32(BITWISE.SREG, NFT_REG_1),
    be32(BITWISE.DREG, NFT_REG_1),
    be32(BITWISE.LEN, size),
    nested(BITWISE.MASK, [{ type: DATA.VALUE, value: prefixRange(ones).start }]),
    nested(BITWISE.XOR, [{ type: DATA.VALUE, value: new Uint8Array(size) }]),
  ];
}

export const counted: Expression = ['counter'];
export const accepted: Expression = verdict(be32(VERDICT.CODE, NF_ACCEPT));
export const dropped: Expression = verdict(be32(VERDICT.CODE, NF_DROP));

export function goTo(chain: string): Expression {
  return verdict(be32(VERDICT.CODE, NFT_GOTO), text(VERDICT.CHAIN, chain));
}

function verdict(...attributes: readonly Attribute[]): Expression {
  const data = nested(IMMEDIATE.DATA, [nested(DATA.VERDICT, attributes)]);
  return ['immediate', be32(IMMEDIATE.DREG, NFT_REG_VERDICT), data];
}

function inChain(table: Table, chain: string): Attribute[] {
  return [text(RULE.TABLE, table.name), text(RULE.CHAIN, chain)];
}

function elements(table: Table, set: string, keys: readonly Uint8Array[]): Attribute[] {
  const list = keys.map((value) => nested(LIST_ELEM, [nested(ELEMENT_KEY, [{ type: DATA.VALUE, value }])]));
  return [text(ELEMENTS.TABLE, table.name), text(ELEMENTS.SET, set), nested(ELEMENTS.LIST, list)];
}

function sizeIn({ family }: Table): number {
  return family === AF_INET ? 4 : 16;
}

function create(name: keyof typeof NFT_MSG, table: Table, attributes: readonly Attribute[]): Request {
  return request(name, table, attributes, NLM_F_CREATE);
}

function request(name: keyof typeof NFT_MSG, { family }: Table, attributes: readonly Attribute[], flags = 0): Request {
  return {
    name: `NFT_MSG_${name}`,
    type: message(name),
    flags: NLM_F_REQUEST | flags,
    body: encodeBody(generic(family), attributes),
  };
}

/** The subsystem is in the upper half. */
function message(name: keyof typeof NFT_MSG): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG[name];
}

/** `struct nfgenmsg`: family, version, and a resource in network order. */
export function generic(family: number, resource = 0): Uint8Array {
  return Uint8Array.of(family, 0, resource >> 8, resource & 0xff);
}
