// Links and addresses, as requests to the kernel and as its answers (linux/if_link.h, linux/if_addr.h).

import type { Prefix } from '../bytes/ip.ts';
import {
  decodeAttributes,
  encodeBody,
  field,
  fields,
  type Message,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  nested,
  readText,
  readU32,
  text,
  u8,
  u32,
} from './netlink.ts';
import { ACKED, AF_INET, AF_INET6, DUMP, familyOf, type Request, RTM } from './rtnetlink.ts';

const IFF_UP = 0x1;
const IFLA = { IFNAME: 3, MTU: 4, AF_SPEC: 26 } as const;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;
const IFA = { ADDRESS: 1, LOCAL: 2 } as const;
const RT_SCOPE_UNIVERSE = 0;

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  readonly mtu: number | undefined;
}

function ifinfo(index: number, flags = 0, change = 0): Uint8Array {
  return fields([1, 0], [1, 0], [2, 0], [4, index], [4, flags], [4, change]);
}

export function setLink({ index, mtu, up }: { index: number; mtu?: number; up?: boolean }): Request {
  const attributes = mtu === undefined ? [] : [u32(IFLA.MTU, mtu)];
  const fixed = up === undefined ? ifinfo(index) : ifinfo(index, up ? IFF_UP : 0, IFF_UP);
  return { name: 'RTM_SETLINK', type: RTM.SETLINK, flags: ACKED, body: encodeBody(fixed, attributes) };
}

/** No link-local address, so that the kernel has nothing to advertise or to solicit there. */
export function quietLink(index: number): Request {
  const mode = u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  const body = encodeBody(ifinfo(index), [nested(IFLA.AF_SPEC, [nested(AF_INET6, [mode])])]);
  return { name: 'RTM_SETLINK', type: RTM.SETLINK, flags: ACKED, body };
}

/** One link by name. */
export function linkNamed(name: string): Request {
  const body = encodeBody(ifinfo(0), [text(IFLA.IFNAME, name)]);
  return { name: 'RTM_GETLINK', type: RTM.GETLINK, flags: NLM_F_REQUEST, body };
}

export function linkAt(index: number): Request {
  return { name: 'RTM_GETLINK', type: RTM.GETLINK, flags: NLM_F_REQUEST, body: encodeBody(ifinfo(index), []) };
}

export function readLink({ body }: Message): Link {
  const attributes = decodeAttributes(body, 16);
  return {
    index: field(body, 4, 4),
    name: readText(attributes.get(IFLA.IFNAME)) ?? '',
    up: (field(body, 8, 4) & IFF_UP) !== 0,
    mtu: readU32(attributes.get(IFLA.MTU)),
  };
}

export interface Address {
  readonly index: number;
  /** Our own address, with the length of the subnet that is on the link. */
  readonly prefix: Prefix;
}

export function addAddress({ index, prefix }: Address): Request {
  const fixed = fields([1, familyOf(prefix.address)], [1, prefix.length], [1, 0], [1, RT_SCOPE_UNIVERSE], [4, index]);
  const body = encodeBody(fixed, [
    { type: IFA.LOCAL, value: prefix.address },
    { type: IFA.ADDRESS, value: prefix.address },
  ]);
  return { name: 'RTM_NEWADDR', type: RTM.NEWADDR, flags: ACKED | NLM_F_CREATE | NLM_F_REPLACE, body };
}

export function dumpAddresses(): Request {
  const body = fields([1, 0], [1, 0], [1, 0], [1, 0], [4, 0]);
  return { name: 'RTM_GETADDR', type: RTM.GETADDR, flags: DUMP, body };
}

/** Undefined for families other than IP. On a point-to-point link ADDRESS is the other end, LOCAL is ours. */
export function readAddress({ body }: Message): Address | undefined {
  const family = field(body, 0, 1);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const attributes = decodeAttributes(body, 8);
  const address = attributes.get(IFA.LOCAL) ?? attributes.get(IFA.ADDRESS);
  if (address?.length !== (family === AF_INET ? 4 : 16)) return undefined;
  return { index: field(body, 4, 4), prefix: { address: address.slice(), length: field(body, 1, 1) } };
}
