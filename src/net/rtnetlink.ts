// What is asked of the kernel's routing (linux/rtnetlink.h, linux/fib_rules.h), as requests, and what it answers.

import { type Prefix, prefixRange } from '../bytes/ip.ts';
import {
  type Attribute,
  decodeAttributes,
  encodeBody,
  field,
  fields,
  type Message,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  nested,
  readText,
  readU32,
  text,
  u8,
  u32,
} from './netlink.ts';

/** A message without its sequence number; `name` is for errors. */
export interface Request {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly body: Uint8Array;
}

export const RTM = {
  NEWLINK: 16,
  GETLINK: 18,
  SETLINK: 19,
  NEWADDR: 20,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  GETROUTE: 26,
  NEWRULE: 32,
  DELRULE: 33,
  GETRULE: 34,
} as const;

export const AF_INET = 2;
export const AF_INET6 = 10;
export type Family = typeof AF_INET | typeof AF_INET6;

const RTA = { DST: 1, OIF: 4, PRIORITY: 6, PREFSRC: 7, TABLE: 15, MARK: 16, METRICS: 8 } as const;
const FRA = { SRC: 2, IIFNAME: 3, GOTO: 4, PRIORITY: 6, FWMARK: 10, TABLE: 15, FWMASK: 16, PROTOCOL: 21 } as const;
const FIB_RULE_INVERT = 0x2;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RTN = { unicast: 1, local: 2, blackhole: 6, throw: 9 } as const;
const ROUTE_TYPES = reverse<Route['type']>(RTN);
const FR_ACT = { table: 1, goto: 2, blackhole: 6 } as const;
const ACTIONS = reverse<RuleAction['type']>(FR_ACT);

export const ACKED = NLM_F_REQUEST | NLM_F_ACK;
export const DUMP = NLM_F_REQUEST | NLM_F_DUMP;

export function familyOf(address: Uint8Array): Family {
  return address.length === 4 ? AF_INET : AF_INET6;
}

/** The kernel refuses a destination with host bits. */
function network(prefix: Prefix): Uint8Array {
  return prefixRange(prefix).start;
}

export interface Route {
  readonly destination: Prefix;
  readonly table: number;
  /** Who installed it. */
  readonly protocol: number;
  readonly type: keyof typeof RTN;
  readonly oif: number | undefined;
  readonly source: Uint8Array | undefined;
  readonly metric: number | undefined;
  /** The largest packet that fits; undefined leaves it to the device. */
  readonly mtu?: number | undefined;
}

const RTAX_MTU = 2;
/** Since Linux 4.13; older kernels do not heed it. */
const RTM_F_FIB_MATCH = 0x2000;

/** Tables above 255 have room in the attribute only. */
function rtmsg(
  family: Family,
  length: number,
  table: number,
  protocol: number,
  scope: number,
  type: number,
  flags = 0,
) {
  const short = table < 256 ? table : 0;
  return fields([1, family], [1, length], [1, 0], [1, 0], [1, short], [1, protocol], [1, scope], [1, type], [4, flags]);
}

export function addRoute(route: Route): Request {
  return {
    ...changeRoute(route),
    name: 'RTM_NEWROUTE',
    type: RTM.NEWROUTE,
    flags: ACKED | NLM_F_CREATE | NLM_F_REPLACE,
  };
}

export function deleteRoute(route: Route): Request {
  return { ...changeRoute(route), name: 'RTM_DELROUTE', type: RTM.DELROUTE, flags: ACKED };
}

function changeRoute({ destination, table, protocol, type, oif, source, metric, mtu }: Route): { body: Uint8Array } {
  const family = familyOf(destination.address);
  const scope = family === AF_INET && type === 'unicast' ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  const attributes: Attribute[] = [u32(RTA.TABLE, table)];
  if (destination.length > 0) attributes.push({ type: RTA.DST, value: network(destination) });
  if (oif !== undefined) attributes.push(u32(RTA.OIF, oif));
  if (source) attributes.push({ type: RTA.PREFSRC, value: source });
  if (metric !== undefined) attributes.push(u32(RTA.PRIORITY, metric));
  if (mtu !== undefined) attributes.push(nested(RTA.METRICS, [u32(RTAX_MTU, mtu)]));
  return { body: encodeBody(rtmsg(family, destination.length, table, protocol, scope, RTN[type]), attributes) };
}

/** Older kernels dump every table: the answers must be filtered again. */
export function dumpRoutes(family: Family, table: number): Request {
  const body = encodeBody(rtmsg(family, 0, table, 0, 0, 0), [u32(RTA.TABLE, table)]);
  return { name: 'RTM_GETROUTE', type: RTM.GETROUTE, flags: DUMP, body };
}

/**
 * Which route a packet with `mark` would take to `address`: what the kernel makes of it, or the route as it is in the
 * table. The former knows what the network has said of the path's size, to the kernel and with no proof.
 */
export function routeTo(address: Uint8Array, mark: number, asIs = false): Request {
  const attributes = [{ type: RTA.DST, value: address }, ...(mark === 0 ? [] : [u32(RTA.MARK, mark)])];
  const flags = asIs ? RTM_F_FIB_MATCH : 0;
  const body = encodeBody(rtmsg(familyOf(address), address.length * 8, 0, 0, 0, 0, flags), attributes);
  return { name: 'RTM_GETROUTE', type: RTM.GETROUTE, flags: NLM_F_REQUEST, body };
}

/** Undefined for families and types of routes that we have no use for, such as multicast or unreachable. */
export function readRoute({ body }: Message): Route | undefined {
  const family = field(body, 0, 1);
  const type = ROUTE_TYPES.get(field(body, 7, 1));
  if ((family !== AF_INET && family !== AF_INET6) || !type) return undefined;
  const attributes = decodeAttributes(body, 12);
  return {
    destination: readPrefix(family, field(body, 1, 1), attributes.get(RTA.DST)),
    table: readU32(attributes.get(RTA.TABLE)) ?? field(body, 4, 1),
    protocol: field(body, 5, 1),
    type,
    oif: readU32(attributes.get(RTA.OIF)),
    source: attributes.get(RTA.PREFSRC)?.slice(),
    metric: readU32(attributes.get(RTA.PRIORITY)),
    ...readMetrics(attributes.get(RTA.METRICS)),
  };
}

function readMetrics(metrics: Uint8Array | undefined): { readonly mtu?: number } {
  const mtu = metrics && readU32(decodeAttributes(metrics, 0).get(RTAX_MTU));
  return mtu === undefined ? {} : { mtu };
}

export type RuleAction =
  | { readonly type: 'table'; readonly table: number }
  | { readonly type: 'goto'; readonly priority: number }
  | { readonly type: 'blackhole' };

export interface Rule {
  readonly family: Family;
  readonly priority: number;
  readonly protocol: number;
  readonly source: Prefix | undefined;
  readonly iif: string | undefined;
  /** With `not`, the rule is for all packets that do *not* match. */
  readonly mark: { readonly value: number; readonly mask: number; readonly not: boolean } | undefined;
  readonly action: RuleAction;
}

export function addRule(rule: Rule): Request {
  const flags = ACKED | NLM_F_CREATE | NLM_F_EXCL;
  return { name: 'RTM_NEWRULE', type: RTM.NEWRULE, flags, body: ruleBody(rule) };
}

/** The kernel deletes the first rule that agrees with all that is given. */
export function deleteRule(rule: Rule): Request {
  return { name: 'RTM_DELRULE', type: RTM.DELRULE, flags: ACKED, body: ruleBody(rule) };
}

export function dumpRules(family: Family): Request {
  return { name: 'RTM_GETRULE', type: RTM.GETRULE, flags: DUMP, body: rtmsg(family, 0, 0, 0, 0, 0) };
}

/** `struct fib_rule_hdr`: family, dst_len, src_len, tos, table, two reserved bytes, action, flags. */
function ruleBody({ family, priority, protocol, source, iif, mark, action }: Rule): Uint8Array {
  const table = action.type === 'table' ? action.table : 0;
  const fixed = fields(
    [1, family],
    [1, 0],
    [1, source?.length ?? 0],
    [1, 0],
    [1, table < 256 ? table : 0],
    [1, 0],
    [1, 0],
    [1, FR_ACT[action.type]],
    [4, mark?.not ? FIB_RULE_INVERT : 0],
  );
  const attributes: Attribute[] = [u32(FRA.PRIORITY, priority), u8(FRA.PROTOCOL, protocol)];
  if (table !== 0) attributes.push(u32(FRA.TABLE, table));
  if (action.type === 'goto') attributes.push(u32(FRA.GOTO, action.priority));
  if (source) attributes.push({ type: FRA.SRC, value: network(source) });
  if (iif !== undefined) attributes.push(text(FRA.IIFNAME, iif));
  if (mark) attributes.push(u32(FRA.FWMARK, mark.value), u32(FRA.FWMASK, mark.mask));
  return encodeBody(fixed, attributes);
}

/** Undefined for actions that we never use. */
export function readRule({ body }: Message): Rule | undefined {
  const family = field(body, 0, 1);
  const attributes = decodeAttributes(body, 12);
  const type = ACTIONS.get(field(body, 7, 1));
  if ((family !== AF_INET && family !== AF_INET6) || !type) return undefined;
  const source = attributes.get(FRA.SRC);
  const value = readU32(attributes.get(FRA.FWMARK));
  const not = (field(body, 8, 4) & FIB_RULE_INVERT) !== 0;
  return {
    family,
    priority: readU32(attributes.get(FRA.PRIORITY)) ?? 0,
    protocol: attributes.get(FRA.PROTOCOL)?.[0] ?? 0,
    source: source && readPrefix(family, field(body, 2, 1), source),
    iif: readText(attributes.get(FRA.IIFNAME)),
    mark: value === undefined ? undefined : { value, mask: readU32(attributes.get(FRA.FWMASK)) ?? 0, not },
    action: readAction(
      type,
      readU32(attributes.get(FRA.TABLE)) ?? field(body, 4, 1),
      readU32(attributes.get(FRA.GOTO)),
    ),
  };
}

function readAction(type: keyof typeof FR_ACT, table: number, target: number | undefined): RuleAction {
  if (type === 'goto') return { type, priority: target ?? 0 };
  return type === 'table' ? { type, table } : { type };
}

function readPrefix(family: Family, length: number, address: Uint8Array | undefined): Prefix {
  return { address: address?.slice() ?? new Uint8Array(family === AF_INET ? 4 : 16), length };
}

function reverse<Name extends string>(numbers: Readonly<Record<Name, number>>): ReadonlyMap<number, Name> {
  const map = new Map<number, Name>();
  for (const name in numbers) map.set(numbers[name], name);
  return map;
}
