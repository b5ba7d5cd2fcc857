// What an updown program is told, in strongSwan's PLUTO_ variables. Programs are careless with them, and the peer has
// chosen its identity itself: a value is an address, a number, a word of ours, or text of letters, digits and a few
// signs that mean nothing to a shell; any other text is in hexadecimal digits.

import { hex, utf8 } from '../../bytes/bytes.ts';
import { coveringPrefix, formatIp, formatPrefix, type SocketAddress } from '../../bytes/ip.ts';
import type { Protocol } from '../../ike/connection.ts';
import type { SessionId } from '../../ike/effects.ts';
import { formatIdentity } from '../../ike/identity.ts';
import { ID } from '../../ike/wire/constants.ts';
import type { Identity } from '../../ike/wire/payload.ts';
import type { Selector } from '../../ike/wire/ts.ts';

/** Of one child SA, as it was when it came: it goes with the same values. */
export interface Facts {
  /** As it is configured. */
  readonly child: string;
  readonly session: SessionId;
  readonly reqid: number;
  readonly protocol: Protocol;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly localId: Identity | undefined;
  readonly remoteId: Identity | undefined;
  /** The link on which the peer is reached. */
  readonly link: string | undefined;
  readonly udp: boolean;
  readonly hostAccess: boolean;
}

export interface Pair {
  readonly local: Selector;
  readonly remote: Selector;
}

/** Those that packets can match: of one family, and of one protocol where both name one. */
export function pairsOf(localTs: readonly Selector[], remoteTs: readonly Selector[]): readonly Pair[] {
  return localTs.flatMap((local) =>
    remoteTs.filter((remote) => fit(local, remote)).map((remote): Pair => ({ local, remote })),
  );
}

function fit(a: Selector, b: Selector): boolean {
  const protocols = a.protocol === 0 || b.protocol === 0 || a.protocol === b.protocol;
  return protocols && a.start.length === b.start.length;
}

export function environment(facts: Facts, pair: Pair, up: boolean): Readonly<Record<string, string>> {
  const { child, session, reqid, protocol, local, remote, localId, remoteId, link, udp, hostAccess } = facts;
  return {
    PLUTO_VERSION: '1.1',
    PLUTO_VERB: verb(facts, pair, up),
    PLUTO_CONNECTION: word(child),
    PLUTO_INTERFACE: link === undefined ? 'unknown' : word(link),
    PLUTO_REQID: `${reqid}`,
    PLUTO_PROTO: protocol,
    PLUTO_UNIQUEID: `${session}`,
    PLUTO_ME: local.ip,
    PLUTO_MY_ID: identity(localId),
    PLUTO_MY_CLIENT: client(pair.local),
    PLUTO_MY_PORT: port(pair, pair.local, typeOf),
    PLUTO_MY_PROTOCOL: `${pair.local.protocol}`,
    PLUTO_PEER: remote.ip,
    PLUTO_PEER_ID: identity(remoteId),
    PLUTO_PEER_CLIENT: client(pair.remote),
    PLUTO_PEER_PORT: port(pair, pair.remote, codeOf),
    PLUTO_PEER_PROTOCOL: `${pair.remote.protocol}`,
    ...(udp ? { PLUTO_UDP_ENC: `${remote.port}` } : {}),
    ...(hostAccess ? { PLUTO_HOST_ACCESS: '1' } : {}),
  };
}

/** `up-client`, or `up-host` where what is protected is the gateway itself; each with `-v6`. */
export function verb({ local }: Pick<Facts, 'local'>, { local: selector }: Pair, up: boolean): string {
  const { start, end } = selector;
  const isHost = formatIp(start) === local.ip && formatIp(end) === local.ip;
  return `${up ? 'up' : 'down'}-${isHost ? 'host' : 'client'}${start.length === 16 ? '-v6' : ''}`;
}

/** A range that is no prefix becomes the smallest one around it, as strongSwan has it. */
function client({ start, end }: Selector): string {
  return formatPrefix(coveringPrefix(start, end));
}

const ICMP = 1;
const ICMPV6 = 58;
const LAST_PORT = 0xffff;

/** Of ICMP our port is the type, and the peer's is the code, whichever side names them (RFC 7296 §3.13.1). */
function port({ local, remote }: Pair, { startPort, endPort }: Selector, ofIcmp: (port: number) => number): string {
  const protocol = Math.max(local.protocol, remote.protocol);
  if (protocol === ICMP || protocol === ICMPV6) return `${ofIcmp(Math.max(local.startPort, remote.startPort))}`;
  const one = startPort === endPort || (startPort === 0 && endPort === LAST_PORT);
  return one ? `${startPort}` : `${startPort}:${endPort}`;
}

function typeOf(icmp: number): number {
  return icmp >> 8;
}

function codeOf(icmp: number): number {
  return icmp & 0xff;
}

/** No blank and no sign that a shell knows; and no hyphen to begin with, where options do. */
const HARMLESS = /^[A-Za-z0-9_.@:][-A-Za-z0-9_.@:]*$/;
/** Bytes of an identity; each becomes two digits. */
const MOST = 1024;

function word(text: string): string {
  return HARMLESS.test(text) ? text : `#${hex(utf8(text).subarray(0, MOST))}`;
}

/** As the configuration would have it. */
function identity(id: Identity | undefined): string {
  if (!id) return '';
  const text = formatIdentity(id);
  if (HARMLESS.test(text)) return text;
  return `${ID_WORDS.get(id.type) ?? `type${id.type}`}:#${hex(id.data.subarray(0, MOST))}`;
}

const ID_WORDS = new Map<number, string>([
  [ID.IPV4_ADDR, 'ipv4'],
  [ID.IPV6_ADDR, 'ipv6'],
  [ID.FQDN, 'fqdn'],
  [ID.RFC822_ADDR, 'email'],
  [ID.DER_ASN1_DN, 'asn1dn'],
  [ID.DER_ASN1_GN, 'asn1gn'],
  [ID.KEY_ID, 'keyid'],
]);
