// Reads one settings file in tokens: names, punctuation, values, include patterns. The syntax is that of
// strongswan.conf(5): `name { … }`, `key = value` to the end of the line, `#` comments, double quotes with escapes,
// `include PATTERN`, `name : reference, reference { … }`.

import type { Place } from '../ike/connection.ts';
import { Cursor, type Setting } from './cursor.ts';
import { ConfigError } from './error.ts';

export type Token =
  | { readonly tag: 'name'; readonly text: string; readonly place: Place }
  | { readonly tag: '{' | '}' | '=' | ':' | ',' | '.' | 'end'; readonly place: Place };

const PUNCTUATION = '{}=:,.';
const NOT_IN_NAME = '#{}:.,="\r\n\t ';
const NOT_IN_REFERENCE = '#{}:,="\r\n\t ';
const NOT_IN_VALUE = '#}"\r\n\t ';

export class Lexer {
  readonly #cursor: Cursor;

  constructor(file: string, text: string) {
    this.#cursor = new Cursor(file, text);
  }

  next(): Token {
    this.#cursor.blank(true);
    const place = this.#cursor.place();
    const char = this.#cursor.peek();
    if (char === undefined) return { tag: 'end', place };
    if (char === '"')
      throw new ConfigError(place, 'a quoted string can only be a value: "key = " is missing before it');
    if (isPunctuation(char)) {
      this.#cursor.skip();
      return { tag: char, place };
    }
    return { tag: 'name', text: this.#cursor.run(NOT_IN_NAME), place };
  }

  /** A section's absolute name, dots included. */
  reference(): Token {
    this.#cursor.blank(true);
    const char = this.#cursor.peek();
    if (char === undefined || NOT_IN_REFERENCE.includes(char)) return this.next();
    const place = this.#cursor.place();
    return { tag: 'name', text: this.#cursor.run(NOT_IN_REFERENCE), place };
  }

  /** After `include`: a pattern follows, not `=`, which would make it an ordinary key. */
  isInclude(): boolean {
    let further = 0;
    while (this.#cursor.peek(further) === ' ' || this.#cursor.peek(further) === '\t') further++;
    const char = this.#cursor.peek(further);
    return further > 0 && char !== undefined && !'={:\r\n#}'.includes(char);
  }

  /** The rest of the line: words and quoted strings, joined by one space. */
  value(key: Place): Setting {
    return this.#cursor.value(key, '}', () => this.#cursor.run(NOT_IN_VALUE));
  }

  pattern(): { readonly text: string; readonly place: Place } {
    return this.#cursor.pattern();
  }
}

function isPunctuation(char: string): char is '{' | '}' | '=' | ':' | ',' | '.' {
  return PUNCTUATION.includes(char);
}
