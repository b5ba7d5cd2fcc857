// The kinds of values that options take, how they are written, and how they are read.

import { compare, unhex, utf8 } from '../bytes/bytes.ts';
import { parseIp, parsePrefix } from '../bytes/ip.ts';
import { nearest } from '../bytes/nearest.ts';
import { type AddressPattern, type Millis, Secret } from '../ike/connection.ts';
import { isNetwork } from '../ike/identity.ts';

export type Type =
  | { readonly kind: 'section' }
  | { readonly kind: 'text' }
  | { readonly kind: 'list' }
  | { readonly kind: 'secret' }
  | { readonly kind: 'yesno' }
  | { readonly kind: 'integer'; readonly min: number; readonly max: number }
  | { readonly kind: 'decimal'; readonly min: number; readonly max: number }
  /** `strict` as ipsec.conf has it: nothing between the number and its unit, which is a small letter or a sign. */
  | { readonly kind: 'percent'; readonly max: number; readonly strict: boolean }
  | { readonly kind: 'duration'; readonly strict: boolean }
  | { readonly kind: 'volume' }
  | { readonly kind: 'choice'; readonly values: readonly string[]; readonly aliases: ReadonlyMap<string, string> }
  /** A whole number, or one of a few words. */
  | { readonly kind: 'size'; readonly min: number; readonly max: number; readonly words: readonly string[] }
  | { readonly kind: 'addresses' }
  /** Addresses, or names that have some. */
  | { readonly kind: 'peers' }
  | { readonly kind: 'command' }
  | { readonly kind: 'identity' }
  | { readonly kind: 'proposals' }
  | { readonly kind: 'selectors' };

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string; readonly near: readonly string[] };

export function accepted<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

export function refused(message: string, near: readonly string[] = []): Parsed<never> {
  return { ok: false, message, near };
}

export const section: Type = { kind: 'section' };
export const text: Type = { kind: 'text' };
export const list: Type = { kind: 'list' };
export const count: Type = { kind: 'integer', min: 0, max: Number.MAX_SAFE_INTEGER };
export const secret: Type = { kind: 'secret' };
export const yesno: Type = { kind: 'yesno' };
export const duration: Type = { kind: 'duration', strict: false };
export const strictDuration: Type = { kind: 'duration', strict: true };
export const volume: Type = { kind: 'volume' };
export const addresses: Type = { kind: 'addresses' };
export const peers: Type = { kind: 'peers' };
export const command: Type = { kind: 'command' };
export const identity: Type = { kind: 'identity' };
export const proposals: Type = { kind: 'proposals' };
export const selectors: Type = { kind: 'selectors' };

export function integer(min: number, max: number): Type {
  return { kind: 'integer', min, max };
}

export function decimal(min: number, max: number): Type {
  return { kind: 'decimal', min, max };
}

/** `max` in percent. */
export function percent(max: number, strict = false): Type {
  return { kind: 'percent', max, strict };
}

export function size(min: number, max: number, words: readonly string[]): Type {
  return { kind: 'size', min, max, words };
}

/** Aliases are other spellings that strongSwan takes: `['hold', 'trap']`. */
export function choice(values: readonly string[], aliases: readonly (readonly [string, string])[] = []): Type {
  const booleans = [...BOOLEANS].map(([word, yes]) => [word, yes ? 'yes' : 'no'] as const);
  const spellings = [...aliases, ...booleans].filter(([word, value]) => values.includes(value) && word !== value);
  return { kind: 'choice', values, aliases: new Map(spellings) };
}

/** How a value of this type is written, for the reference. */
export function describe(type: Type): string {
  switch (type.kind) {
    case 'section':
      return 'section';
    case 'text':
      return 'text';
    case 'list':
      return 'comma-separated list';
    case 'secret':
      return 'text, 0x and hexadecimal, or 0s and base64';
    case 'yesno':
      return 'yes | no';
    case 'integer':
      return type.max === Number.MAX_SAFE_INTEGER ? 'whole number' : `${type.min} to ${type.max}`;
    case 'decimal':
      return `${type.min} to ${type.max}`;
    case 'percent':
      return `0% to ${type.max}%`;
    case 'duration':
      return 'time: 30s, 10m, 4h, 1d; seconds without a unit';
    case 'volume':
      return 'bytes, or with k, m, g';
    case 'choice':
      return type.values.join(' | ');
    case 'size':
      return [...type.words, `${type.min} to ${type.max}`].join(' | ');
    case 'addresses':
      return 'addresses, prefixes, ranges or %any, comma separated';
    case 'peers':
      return 'addresses, host names, prefixes, ranges or %any, comma separated';
    case 'command':
      return 'absolute path of a program, with arguments separated by spaces';
    case 'identity':
      return 'identity: address, domain name, e-mail address, keyid:text, %any';
    case 'proposals':
      return 'algorithms joined by "-"; several proposals separated by commas; default';
    case 'selectors':
      return 'prefixes, ranges or dynamic, each with [protocol/port] if need be, comma separated';
  }
}

const BOOLEANS = new Map([
  ['yes', true],
  ['true', true],
  ['enabled', true],
  ['1', true],
  ['no', false],
  ['false', false],
  ['disabled', false],
  ['0', false],
]);

export function parseYesno(word: string): Parsed<boolean> {
  const value = BOOLEANS.get(word.toLowerCase());
  return value === undefined ? refused(`"${word}" is neither yes nor no`) : accepted(value);
}

export function parseInteger(word: string, min: number, max: number): Parsed<number> {
  const value = /^(\d+|0x[0-9a-f]+)$/i.test(word) ? Number(word) : Number.NaN;
  return value >= min && value <= max
    ? accepted(value)
    : refused(`"${word}" is not a whole number from ${min} to ${max}`);
}

export function parseDecimal(word: string, min: number, max: number): Parsed<number> {
  const value = /^\d+(\.\d+)?$/.test(word) ? Number(word) : Number.NaN;
  return value >= min && value <= max ? accepted(value) : refused(`"${word}" is not a number from ${min} to ${max}`);
}

/** As a share: 1 is all of it. */
export function parsePercent(word: string, max: number, strict = false): Parsed<number> {
  const [, digits = '', sign = ''] = /^(\d{1,9})( ?%?)$/.exec(word) ?? [];
  const value = digits === '' ? Number.NaN : Number(digits);
  const right = value <= max;
  if (right && (!strict || sign === '%')) return accepted(value / 100);
  return refused(`"${word}" is not a share from 0% to ${max}%`, right ? [`${value}%`] : []);
}

const UNITS = new Map([
  ['ms', 1],
  ['s', 1000],
  ['', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);
const MAX_DURATION = 10 * 366 * 86_400_000;

export function parseDuration(word: string, strict = false): Parsed<Millis> {
  const form = strict ? /^(\d{1,15})([smhd]?)$/ : /^(\d{1,15}) ?([a-z]*)$/i;
  const [, digits = '', unit = ''] = form.exec(word) ?? [];
  const value = digits === '' ? undefined : Number(digits) * (UNITS.get(unit.toLowerCase()) ?? Number.NaN);
  if (value === undefined || Number.isNaN(value)) {
    const meant = strict ? word.replace(/\s/g, '').toLowerCase() : word;
    const near = meant !== word && parseDuration(meant, true).ok ? [meant] : [];
    return refused(`"${word}" is not a time such as 30s, 10m, 4h or 1d`, near);
  }
  return value <= MAX_DURATION ? accepted(value) : refused(`"${word}" is longer than ten years`);
}

const VOLUMES = new Map([
  ['', 1],
  ['k', 1024],
  ['m', 1024 ** 2],
  ['g', 1024 ** 3],
]);

export function parseVolume(word: string): Parsed<number> {
  const [, digits = '', unit = ''] = /^(\d{1,16}) ?([a-z]*)$/i.exec(word) ?? [];
  const value = digits === '' ? Number.NaN : Number(digits) * (VOLUMES.get(unit.toLowerCase()) ?? Number.NaN);
  return Number.isSafeInteger(value)
    ? accepted(value)
    : refused(`"${word}" is not a number of bytes such as 500m or 10g`);
}

export function parseChoice(word: string, type: Type & { readonly kind: 'choice' }): Parsed<string> {
  const lower = word.toLowerCase();
  const value = type.values.includes(lower) ? lower : type.aliases.get(lower);
  if (value !== undefined) return accepted(value);
  const near = nearest(lower, type.values);
  return refused(`"${word}" is none of ${type.values.join(', ')}`, near);
}

export function parseSize(word: string, type: Type & { readonly kind: 'size' }): Parsed<number | string> {
  const { min, max, words } = type;
  const lower = word.toLowerCase();
  if (words.includes(lower)) return accepted(lower);
  const number = parseInteger(word, min, max);
  if (number.ok) return number;
  return refused(
    `"${word}" is neither ${words.join(' nor ')} nor a whole number from ${min} to ${max}`,
    nearest(lower, words),
  );
}

/** One item of an address list. */
export function parseAddress(word: string): Parsed<AddressPattern> {
  switch (word.toLowerCase()) {
    case '%any':
      return accepted({ kind: 'any' });
    case '%any4':
    case '0.0.0.0':
      return accepted({ kind: 'prefix', prefix: { address: new Uint8Array(4), length: 0 } });
    case '%any6':
    case '::':
      return accepted({ kind: 'prefix', prefix: { address: new Uint8Array(16), length: 0 } });
  }
  const prefix = parsePrefix(word);
  if (prefix) return accepted({ kind: 'prefix', prefix });
  const [first = '', last = '', ...more] = word.split('-');
  const start = parseIp(first.trim());
  const end = parseIp(last.trim());
  if (start && end && more.length === 0 && start.length === end.length) {
    if (compare(start, end) <= 0) return accepted({ kind: 'range', start, end });
    return refused(`the range "${word}" ends before it begins`);
  }
  return parseHostName(word) ?? refused(`"${word}" is no address, prefix or range`);
}

/** One of our own: what our sockets are to send from is known when it is written. */
export function parseOwnAddress(word: string): Parsed<AddressPattern> {
  const parsed = parseAddress(word);
  if (!parsed.ok || parsed.value.kind !== 'name') return parsed;
  return refused(`"${word}" is a host name, and only the peer may be given by one; write the address`);
}

/** RFC 1123 §2.1: labels of up to 63 letters, digits and hyphens; the underscore is not a host's, and yet in use. */
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;
const LONGEST_NAME = 253;

/** Undefined when it was not meant to be one. What has no letter is an address with a mistake in it. */
function parseHostName(word: string): Parsed<AddressPattern> | undefined {
  const name = word.toLowerCase();
  if (/^any[46]?$/.test(name)) return refused(`"${word}" is no address, prefix or range`, [`%${name}`]);
  const labels = name.replace(/\.$/, '').split('.');
  const foreign = /[^\p{L}\p{N}._-]/u.test(name) || !/\p{L}/u.test(name);
  if (foreign || /^\d+$/.test(labels.at(-1) ?? '') || /^\d+\.\d+\.\d+\./.test(name)) return undefined;
  if (/[^\x20-\x7e]/.test(name)) return refused(`"${word}" is no host name: write it in ASCII, as xn--…`);
  if (name.length > LONGEST_NAME) return refused(`the host name has more than ${LONGEST_NAME} characters`);
  const wrong = labels.find((label) => !LABEL.test(label));
  if (wrong === undefined) return accepted({ kind: 'name', name });
  if (wrong === '') return refused(`"${word}" is no host name: there is nothing between two dots`);
  return refused(
    `"${word}" is no host name: "${wrong}" ${wrong.length > 63 ? 'has more than 63 characters' : 'begins or ends with a hyphen'}`,
  );
}

const BLANKS = /[ \t]+/;
/** What a shell would make something of. Nobody does so here, and it would reach the program as it stands. */
const FOR_A_SHELL = /["'`\\$&;|<>(){}[\]*?~!#]/;

/** A program and its arguments: it is run as it stands here, by no shell. */
export function parseCommand(word: string): Parsed<readonly string[]> {
  const words = word.trim().split(BLANKS);
  const [path = ''] = words;
  const special = FOR_A_SHELL.exec(word)?.[0];
  if (special !== undefined) {
    return refused(`there is no shell that would understand ${special}; write a script, and its path here`);
  }
  if (words.some((one) => /\p{Cc}/u.test(one))) return refused('there is a control character in it');
  if (!path.startsWith('/')) return refused(`"${path}" is not an absolute path; write /etc/espalier/${path}, say`);
  return accepted(words);
}

export function wrongIdentity(text: string): string {
  if (text.includes('*') || isNetwork(text))
    return `"${text}" is a pattern, which is not supported yet; write one identity or %any`;
  if (text.includes('='))
    return `"${text}" is a distinguished name, which is not supported yet as text; write asn1dn:#…`;
  return `"${text}" is no identity`;
}

/** `0x` and hexadecimal digits, `0s` and base64, or the UTF-8 of the text. The message never repeats the secret. */
export function parseSecret(word: string): Parsed<Secret> {
  if (word === '') return refused('the secret is empty');
  const rest = word.slice(2);
  switch (word.slice(0, 2).toLowerCase()) {
    case '0x':
      if (!/^([0-9a-f]{2})+$/i.test(rest)) return refused('after 0x a secret has pairs of hexadecimal digits');
      return accepted(new Secret(unhex(rest)));
    case '0s':
      return parseBase64(rest);
    default:
      return accepted(new Secret(utf8(word)));
  }
}

function parseBase64(word: string): Parsed<Secret> {
  const digits = word.replace(/={1,2}$/, '');
  if (!/^[a-z0-9+/]+$/i.test(digits) || digits.length % 4 === 1)
    return refused('after 0s a secret is written in base64');
  return accepted(new Secret(Uint8Array.from(atob(digits), (char) => char.charCodeAt(0))));
}

export interface Item {
  readonly text: string;
  /** Where the item begins in the whole value. */
  readonly at: number;
}

/** The parts of a comma-separated value; empty ones are left out. */
export function items(value: string): Item[] {
  const found: Item[] = [];
  let at = 0;
  for (const part of value.split(',')) {
    const item = part.trim();
    if (item !== '') found.push({ text: item, at: at + part.indexOf(item) });
    at += part.length + 1;
  }
  return found;
}

/** A value in one spelling of its own, so that two can be compared; undefined when it is wrong. */
export function canonical(type: Type, value: string): Parsed<string> {
  const spelled = (parsed: Parsed<unknown>): Parsed<string> => (parsed.ok ? accepted(String(parsed.value)) : parsed);
  switch (type.kind) {
    case 'yesno':
      return spelled(parseYesno(value));
    case 'integer':
      return spelled(parseInteger(value, type.min, type.max));
    case 'decimal':
      return spelled(parseDecimal(value, type.min, type.max));
    case 'percent':
      return spelled(parsePercent(value, type.max, type.strict));
    case 'duration':
      return spelled(parseDuration(value, type.strict));
    case 'volume':
      return spelled(parseVolume(value));
    case 'choice':
      return parseChoice(value, type);
    case 'size':
      return spelled(parseSize(value, type));
    case 'section':
    case 'text':
    case 'list':
    case 'secret':
    case 'addresses':
    case 'peers':
    case 'command':
    case 'identity':
    case 'proposals':
    case 'selectors':
      return accepted(value);
  }
}
