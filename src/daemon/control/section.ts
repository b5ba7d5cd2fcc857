// Reading and writing the sections of a vici message: the forms strongSwan gives to numbers, yes/no and lists.

import { utf8 } from '../../bytes/bytes.ts';
import type { Section, Value } from './vici.ts';

export type Entry = readonly [key: string, value: Value | number | boolean | undefined];

/** Entries without a value are left out, as strongSwan leaves out what does not apply. */
export function section(...entries: readonly Entry[]): Section {
  const made: Section = new Map();
  for (const [key, value] of entries) {
    if (value === undefined || value === false) continue;
    made.set(key, value === true ? 'yes' : typeof value === 'number' ? String(value) : value);
  }
  return made;
}

/** One line of printable ASCII: of anything else libvici, and with it swanctl, shows nothing at all. */
export function line(text: string): string {
  return printable(text.replace(/\s*\n\s*/g, '; ').replaceAll('…', '...'));
}

/** As strongSwan prints a name: what is no printable ASCII is one `?` for each of its bytes. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, (character) => '?'.repeat(utf8(character).length));
}

export function text(from: Section, key: string): string | undefined {
  const value = from.get(key);
  return typeof value === 'string' ? value : undefined;
}

/** Whole decimal numbers only; undefined also for what is none. */
export function integer(from: Section, key: string): number | undefined {
  const value = text(from, key);
  if (value === undefined || !/^-?\d{1,15}$/.test(value)) return undefined;
  return Number(value);
}

export function flag(from: Section, key: string): boolean {
  return /^(yes|true|enabled|1)$/i.test(text(from, key) ?? '');
}

export function texts(from: Section, key: string): readonly string[] | undefined {
  const value = from.get(key);
  if (!Array.isArray(value)) return undefined;
  return value.filter((entry) => typeof entry === 'string');
}

/** The subsections of `from`, or of its section `key`, in order. */
export function sections(from: Section, key?: string): readonly (readonly [string, Section])[] {
  const parent = key === undefined ? from : from.get(key);
  if (!(parent instanceof Map)) return [];
  return [...parent].flatMap(([name, value]) => (value instanceof Map ? [[name, value] as const] : []));
}

export function subsection(from: Section, key: string): Section | undefined {
  const value = from.get(key);
  return value instanceof Map ? value : undefined;
}
