// Identities (RFC 7296 §3.5): strongSwan's text forms, comparison and safe printing. Comparison is by type first: a
// name that a peer sends is never read as an address, a pattern or a distinguished name.
//
// Domain names and mail addresses are compared without regard to ASCII case, as strongSwan does; devices that hold
// them case-sensitive (Huawei) still receive the bytes as they were configured. Everything else is compared exactly.

import { hex, same, unhex, utf8 } from '../bytes/bytes.ts';
import { formatIp, type Ip, parseIp } from '../bytes/ip.ts';
import type { IdentityPattern } from './connection.ts';
import { ID } from './wire/constants.ts';
import type { Identity } from './wire/payload.ts';

/** Stands for `%any` among the owners of a secret. Its type is reserved on the wire and equals nothing received. */
export const ANY_ID: Identity = { type: 0, data: new Uint8Array(0) };

/** Longer ones cannot be meant, and a configured one must fit into a message with room for the rest. */
const LONGEST = 1024;
const PRINTED = 256;

const ANY_WORDS: ReadonlySet<string> = new Set(['', '%any', '%any6', '*', '0.0.0.0', '::', '0::0']);

const PREFIXES = new Map<string, number>([
  ['ipv4', ID.IPV4_ADDR],
  ['ipv6', ID.IPV6_ADDR],
  ['fqdn', ID.FQDN],
  ['dns', ID.FQDN],
  ['email', ID.RFC822_ADDR],
  ['rfc822', ID.RFC822_ADDR],
  ['userfqdn', ID.RFC822_ADDR],
  ['keyid', ID.KEY_ID],
  ['asn1dn', ID.DER_ASN1_DN],
  ['dn', ID.DER_ASN1_DN],
  ['asn1gn', ID.DER_ASN1_GN],
]);

/** What configured text means; undefined when it is no identity, or a pattern where one identity is needed. */
export function parseIdentity(text: string): Identity | undefined {
  if (ANY_WORDS.has(text) || text.length > LONGEST || unprintable(text)) return undefined;
  const colon = text.indexOf(':');
  const type = colon > 0 ? PREFIXES.get(text.slice(0, colon).toLowerCase()) : undefined;
  if (type !== undefined) return typed(type, text.slice(colon + 1));
  if (text.startsWith('@#')) return fromHex(ID.KEY_ID, text.slice(2));
  if (text.startsWith('@@')) return typed(ID.RFC822_ADDR, text.slice(2));
  if (text.startsWith('@')) return typed(ID.FQDN, text.slice(1));
  const ip = parseIp(text);
  if (ip) return ofAddress(ip);
  // strongSwan takes everybody in them; as the name of somebody nobody would ever have it.
  if (isNetwork(text)) return undefined;
  // Distinguished names are taken as DER only, so `C=…, CN=…` would silently be something else.
  if (text.includes('=')) return undefined;
  if (text.includes('@')) return typed(ID.RFC822_ADDR, text);
  return text.includes(':') ? undefined : typed(ID.FQDN, text);
}

/** `192.0.2.0/24` or `192.0.2.1-192.0.2.9`. */
export function isNetwork(text: string): boolean {
  const [first = '', rest] = text.split(/[/-]/, 2);
  return rest !== undefined && parseIp(first) !== undefined;
}

export function parseIdentityPattern(text: string): IdentityPattern | undefined {
  if (ANY_WORDS.has(text)) return { kind: 'any' };
  const id = parseIdentity(text);
  return id && { kind: 'is', id };
}

/** An owner of a secret: an identity, or `ANY_ID`. */
export function parseOwner(text: string): Identity | undefined {
  return ANY_WORDS.has(text) ? ANY_ID : parseIdentity(text);
}

export function identityOfAddress(ip: Ip): Identity {
  const address = parseIp(ip);
  if (!address) throw new Error(`not an address: ${ip}`);
  return ofAddress(address);
}

function typed(type: number, value: string): Identity | undefined {
  switch (type) {
    case ID.IPV4_ADDR:
    case ID.IPV6_ADDR: {
      const ip = parseIp(value);
      return ip && ip.length === (type === ID.IPV4_ADDR ? 4 : 16) ? { type, data: ip } : undefined;
    }
    case ID.DER_ASN1_DN:
    case ID.DER_ASN1_GN:
      return value.startsWith('#') ? fromHex(type, value.slice(1)) : undefined;
    case ID.KEY_ID:
      break;
    default:
      // Wildcards would have to match; until they do, they are better refused than taken for a name.
      if (value.includes('*')) return undefined;
  }
  if (value.startsWith('#')) return fromHex(type, value.slice(1));
  return value === '' ? undefined : { type, data: utf8(value) };
}

function fromHex(type: number, digits: string): Identity | undefined {
  const plain = digits.replaceAll(':', '');
  if (plain === '' || plain.length % 2 !== 0 || !/^[0-9a-fA-F]+$/.test(plain)) return undefined;
  return { type, data: unhex(plain) };
}

function ofAddress(data: Uint8Array): Identity {
  return { type: data.length === 4 ? ID.IPV4_ADDR : ID.IPV6_ADDR, data };
}

export function isAddress({ type }: Identity): boolean {
  return type === ID.IPV4_ADDR || type === ID.IPV6_ADDR;
}

export function sameIdentity(a: Identity, b: Identity): boolean {
  if (a.type !== b.type || a.type === ANY_ID.type) return false;
  const folds = a.type === ID.FQDN || a.type === ID.RFC822_ADDR;
  return folds ? sameFolded(a.data, b.data) : same(a.data, b.data);
}

function sameFolded(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => lower(byte) === lower(b[i] as number));
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/** One text for all identities that are the same; undefined for those that equal nothing. */
export function identityKey({ type, data }: Identity): string | undefined {
  if (type === ANY_ID.type) return undefined;
  const folds = type === ID.FQDN || type === ID.RFC822_ADDR;
  return `${type}:${hex(folds ? data.map(lower) : data)}`;
}

export function matchesIdentity(pattern: IdentityPattern, id: Identity): boolean {
  return pattern.kind === 'any' || sameIdentity(pattern.id, id);
}

/**
 * strongSwan's text, made safe for terminals and logs: no control or formatting characters, bounded in length. Text
 * that would read as another kind of identity carries its prefix.
 */
export function formatIdentity(id: Identity): string {
  const { type, data } = id;
  switch (type) {
    case ANY_ID.type:
      return data.length === 0 ? '%any' : `(unknown ID type: 0) #${shortHex(data)}`;
    case ID.IPV4_ADDR:
    case ID.IPV6_ADDR: {
      const size = type === ID.IPV4_ADDR ? 4 : 16;
      return data.length === size ? formatIp(data) : `${type === ID.IPV4_ADDR ? 'ipv4' : 'ipv6'}:#${shortHex(data)}`;
    }
    case ID.FQDN:
      return formatText('fqdn:', id);
    case ID.RFC822_ADDR:
      return formatText('email:', id);
    case ID.KEY_ID:
      return formatText('keyid:', id);
    case ID.DER_ASN1_DN:
      return `asn1dn:#${shortHex(data)}`;
    case ID.DER_ASN1_GN:
      return `asn1gn:#${shortHex(data)}`;
    default:
      return `(unknown ID type: ${type}) #${shortHex(data)}`;
  }
}

/** With the type by its RFC name, for explanations: two identities that differ in type alone must not look alike. */
export function describeIdentity(id: Identity): string {
  return `${TYPE_NAMES.get(id.type) ?? `ID type ${id.type}`} ${formatIdentity(id)}`;
}

const TYPE_NAMES = new Map<number, string>([
  ...Object.entries(ID).map(([name, type]): [number, string] => [type, `ID_${name}`]),
  [ANY_ID.type, 'any identity'],
]);

function formatText(prefix: string, id: Identity): string {
  const text = decode(id.data);
  if (text === undefined) return `${prefix}#${shortHex(id.data)}`;
  // A prefix is only in the way where the bare text can mean nothing else.
  const read = parseIdentity(text);
  const plain = read !== undefined && same(read.data, id.data) && (read.type === id.type || id.type === ID.KEY_ID);
  const characters = [...text];
  const shown = characters.slice(0, PRINTED).map(escaped).join('');
  const cut = characters.length > PRINTED ? `… (${id.data.length} bytes)` : '';
  return `${plain ? '' : prefix}${shown}${cut}`;
}

function decode(data: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    // Not UTF-8: the caller prints bytes.
    return undefined;
  }
}

/** Controls, bidirectional and other invisible characters, line separators, private use and unassigned ones. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/u;

function unprintable(text: string): boolean {
  return INVISIBLE.test(text);
}

/** One character of somebody else's text, as it does no harm to a terminal or a log. */
export function escaped(character: string): string {
  if (character === '\\') return '\\\\';
  if (!INVISIBLE.test(character)) return character;
  return `\\u{${(character.codePointAt(0) as number).toString(16)}}`;
}

function shortHex(data: Uint8Array): string {
  if (data.length <= PRINTED) return hex(data);
  return `${hex(data.subarray(0, PRINTED))}… (${data.length} bytes)`;
}
