// Typed access to the settings of one section. Types and defaults come from the table of options; a wrong value is
// reported at its place and read as undefined, since nothing that was read is used then.

import type { Millis, Place } from '../ike/connection.ts';
import { optionAt } from './check.ts';
import type { Setting } from './cursor.ts';
import type { Findings } from './error.ts';
import type { Option } from './options/option.ts';
import {
  type Item,
  items,
  type Parsed,
  parseChoice,
  parseCommand,
  parseDecimal,
  parseDuration,
  parseInteger,
  parsePercent,
  parseSize,
  parseVolume,
  parseYesno,
  type Type,
} from './schema.ts';
import type { Section } from './settings.ts';

export class Values {
  readonly #section: Section;
  readonly #path: string;
  readonly #findings: Findings;
  readonly #lookup: (path: string) => Option;

  /** `path` is that of the section in the table of options; `lookup` finds an option there. */
  constructor(section: Section, path: string, findings: Findings, lookup = optionAt) {
    this.#section = section;
    this.#path = path;
    this.#findings = findings;
    this.#lookup = lookup;
  }

  yesno(key: string): boolean | undefined {
    return this.#read(key, 'yesno', (text) => parseYesno(text));
  }

  integer(key: string): number | undefined {
    return this.#read(key, 'integer', (text, { min, max }) => parseInteger(text, min, max));
  }

  decimal(key: string): number | undefined {
    return this.#read(key, 'decimal', (text, { min, max }) => parseDecimal(text, min, max));
  }

  percent(key: string): number | undefined {
    return this.#read(key, 'percent', (text, { max, strict }) => parsePercent(text, max, strict));
  }

  duration(key: string): Millis | undefined {
    return this.#read(key, 'duration', (text, { strict }) => parseDuration(text, strict));
  }

  volume(key: string): number | undefined {
    return this.#read(key, 'volume', (text) => parseVolume(text));
  }

  /** One of `values`, which the table must contain; undefined also for a value that is refused by name. */
  choice<const V extends string>(key: string, values: readonly V[]): V | undefined {
    const option = this.#option(key);
    const word = this.#read(key, 'choice', parseChoice);
    const refusal = option.extra.refuses?.find(([value]) => value === word);
    if (refusal) {
      return this.error(key, refusal[1]);
    }
    return values.find((value) => value === word);
  }

  /** A number, or one of `words`, which the table must contain. */
  size<const W extends string>(key: string, words: readonly W[]): number | W | undefined {
    const value = this.#read(key, 'size', parseSize);
    return typeof value === 'number' ? value : words.find((word) => word === value);
  }

  /** A program and its arguments; none when it is not set. */
  command(key: string): readonly string[] {
    return this.text(key) === '' ? [] : (this.#read(key, 'command', parseCommand) ?? []);
  }

  /** The items of a list, each through `parse`; of the default when the setting is not there. */
  each<T>(key: string, parse: (text: string) => Parsed<T>): T[] {
    const setting = this.#section.settings.get(key);
    const whole = setting?.text ?? this.#option(key).default;
    const values: T[] = [];
    for (const item of items(whole)) {
      const parsed = parse(item.text);
      if (parsed.ok) values.push(parsed.value);
      else this.error(key, parsed.message, parsed.near, item);
    }
    return values;
  }

  text(key: string): string {
    return this.#section.settings.get(key)?.text ?? this.#option(key).default;
  }

  /** What the operator calls it. */
  wordOf(key: string): string {
    return this.#section.words?.get(key) ?? this.#section.settings.get(key)?.written ?? key;
  }

  isSet(key: string): boolean {
    return this.#section.settings.has(key);
  }

  /** Where the value of a setting stands, or a part of it; the section when it is not set. */
  placeOf(key: string, item?: Item): Place {
    const setting = this.#section.settings.get(key);
    return setting ? placeIn(setting, item?.at ?? 0) : this.#section.place;
  }

  error(key: string, message: string, near: readonly string[] = [], item?: Item): undefined {
    return this.#findings.error(this.placeOf(key, item), `${this.wordOf(key)}: ${message}`, near);
  }

  #option(key: string): Option {
    return this.#lookup(`${this.#path}.${key}`);
  }

  #read<T, K extends Type['kind']>(
    key: string,
    kind: K,
    parse: (text: string, type: Type & { readonly kind: K }) => Parsed<T>,
  ): T | undefined {
    const option = this.#option(key);
    if (!isKind(option.type, kind)) throw new Error(`${option.path} is of kind ${option.type.kind}, not ${kind}`);
    const text = this.#section.settings.get(key)?.text ?? option.default;
    if (text === '' && !this.isSet(key)) return undefined;
    const parsed = parse(text, option.type);
    return parsed.ok ? parsed.value : this.error(key, parsed.message, parsed.near);
  }
}

function isKind<K extends Type['kind']>(type: Type, kind: K): type is Type & { readonly kind: K } {
  return type.kind === kind;
}

/** A column within the value, where it can be told. */
function placeIn({ place, verbatim }: Setting, offset: number): Place {
  return verbatim ? { ...place, column: place.column + offset } : place;
}

/**
 * Where each setting of a section stands, under `prefix`. In another language every option has its word, and the place of
 * the section where it is not written.
 */
export function places({ settings, words, place }: Section, prefix = ''): [string, Place][] {
  const written = [...settings].map(([key, setting]): [string, Place] => [prefix + key, setting.key]);
  const named = [...(words ?? [])].map(([key, option]): [string, Place] => [
    prefix + key,
    { ...(settings.get(key)?.key ?? place), option },
  ]);
  return [...written, ...named];
}
