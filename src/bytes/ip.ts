// IPv4 and IPv6 addresses as bytes (4 or 16) and as their canonical text (RFC 5952).

import { isIPv4, isIPv6 } from 'node:net';

/** Canonical text of an address. Compared with `===`, so it comes from `formatIp` or `canonicalIp` only. */
export type Ip = string;

export interface SocketAddress {
  readonly ip: Ip;
  readonly port: number;
}

const DOT = 0x2e;
const ZERO = 0x30;

export function parseIp(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return parseIpv4(text);
  if (!isIPv6(text) || text.includes('%')) return undefined;
  return parseIpv6(text);
}

/** Done several times a message, and `split` costs ten times as much. */
function parseIpv4(text: string): Uint8Array {
  const bytes = new Uint8Array(4);
  let at = 0;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      bytes[at++] = value;
      value = 0;
    } else {
      value = 10 * value + code - ZERO;
    }
  }
  bytes[at] = value;
  return bytes;
}

function parseIpv6(text: string): Uint8Array {
  const [head = '', tail] = text.split('::');
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const bytes = new Uint8Array(16);
  left.forEach((group, i) => {
    bytes[2 * i] = group >> 8;
    bytes[2 * i + 1] = group;
  });
  right.forEach((group, i) => {
    const at = 16 - 2 * (right.length - i);
    bytes[at] = group >> 8;
    bytes[at + 1] = group;
  });
  return bytes;
}

function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}

export function formatIp(bytes: Uint8Array): Ip {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) throw new Error(`an address has 4 or 16 bytes, not ${bytes.length}`);
  const words: number[] = [];
  for (let i = 0; i < 16; i += 2) words.push(((bytes[i] as number) << 8) | (bytes[i + 1] as number));
  const gap = longestZeroRun(words);
  const text = (part: readonly number[]) => part.map((word) => word.toString(16)).join(':');
  if (gap === undefined) return text(words);
  return `${text(words.slice(0, gap.start))}::${text(words.slice(gap.start + gap.length))}`;
}

/** RFC 5952 §4.2: the first of the longest runs, and never a single group. */
function longestZeroRun(words: readonly number[]): { start: number; length: number } | undefined {
  let best: { start: number; length: number } | undefined;
  for (let start = 0; start < words.length; ) {
    let end = start;
    while (end < words.length && words[end] === 0) end++;
    const length = end - start;
    if (length >= 2 && length > (best?.length ?? 0)) best = { start, length };
    start = end + 1;
  }
  return best;
}

export function canonicalIp(text: string): Ip | undefined {
  const bytes = parseIp(text);
  return bytes && formatIp(bytes);
}

export function isV6(ip: Ip): boolean {
  return ip.includes(':');
}

export interface Prefix {
  readonly address: Uint8Array;
  readonly length: number;
}

export function parsePrefix(text: string): Prefix | undefined {
  const [ip = '', length, ...more] = text.split('/');
  const address = parseIp(ip);
  if (!address || more.length > 0) return undefined;
  const bits = address.length * 8;
  if (length === undefined) return { address, length: bits };
  if (!/^\d{1,3}$/.test(length) || Number(length) > bits) return undefined;
  return { address, length: Number(length) };
}

/** First and last address of a prefix; host bits of `address` are ignored. */
export function prefixRange({ address, length }: Prefix): { start: Uint8Array; end: Uint8Array } {
  const start = address.slice();
  const end = address.slice();
  for (let i = 0; i < address.length; i++) {
    const kept = Math.min(8, Math.max(0, length - 8 * i));
    const host = 0xff >> kept;
    start[i] = (start[i] as number) & ~host;
    end[i] = (end[i] as number) | host;
  }
  return { start, end };
}

/** The smallest prefix that covers `start` to `end`. */
export function coveringPrefix(start: Uint8Array, end: Uint8Array): Prefix {
  const bits = start.length * 8;
  let length = 0;
  while (length < bits && bit(start, length) === bit(end, length)) length++;
  return { address: prefixRange({ address: start, length }).start, length };
}

/** The prefix that covers exactly `start` to `end`, if there is one. */
export function rangePrefix(start: Uint8Array, end: Uint8Array): Prefix | undefined {
  const { address, length } = coveringPrefix(start, end);
  for (let i = length; i < start.length * 8; i++) if (bit(start, i) !== 0 || bit(end, i) !== 1) return undefined;
  return { address, length };
}

/** The fewest prefixes that cover exactly `start` to `end`. */
export function rangePrefixes(start: Uint8Array, end: Uint8Array): Prefix[] {
  const prefixes: Prefix[] = [];
  const bits = start.length * 8;
  const last = toInteger(end);
  let at = toInteger(start);
  while (at <= last) {
    let size = 0;
    while (size < bits && ((at >> BigInt(size)) & 1n) === 0n && at + (2n << BigInt(size)) - 1n <= last) size++;
    prefixes.push({ address: fromInteger(at, start.length), length: bits - size });
    at += 1n << BigInt(size);
  }
  return prefixes;
}

function toInteger(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function fromInteger(value: bigint, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * (size - 1 - i))) & 0xffn));
}

export function inPrefix({ address, length }: Prefix, ip: Uint8Array): boolean {
  if (address.length !== ip.length) return false;
  for (let i = 0; i < length; i++) if (bit(address, i) !== bit(ip, i)) return false;
  return true;
}

function bit(bytes: Uint8Array, index: number): number {
  return ((bytes[index >> 3] as number) >> (7 - (index & 7))) & 1;
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatIp(prefix.address)}/${prefix.length}`;
}

export function formatSocketAddress({ ip, port }: SocketAddress): string {
  return isV6(ip) ? `[${ip}]:${port}` : `${ip}:${port}`;
}
