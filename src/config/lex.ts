// Reads one settings file character by character: names, punctuation, values, include patterns. The syntax is that of
// strongswan.conf(5): `name { … }`, `key = value` to the end of the line, `#` comments, double quotes with escapes,
// `include PATTERN`, `name : reference, reference { … }`.

import type { Place } from '../ike/connection.ts';
import { ConfigError } from './error.ts';

export interface Setting {
  /** Undefined for `key =`, which takes an inherited or earlier value away. */
  readonly text: string | undefined;
  readonly key: Place;
  /** Where the text begins. */
  readonly place: Place;
  /** The text stands in the file as it is here, so that the column of a word in it can be computed. */
  readonly verbatim: boolean;
  /** A `#` follows the text without a space between: perhaps a part of the value, but read as a comment. */
  readonly cut: boolean;
  /** The same key stands further up between the same braces, where it no longer counts. */
  readonly earlier?: Place;
}

export type Token =
  | { readonly tag: 'name'; readonly text: string; readonly place: Place }
  | { readonly tag: '{' | '}' | '=' | ':' | ',' | '.' | 'end'; readonly place: Place };

const PUNCTUATION = '{}=:,.';
const NOT_IN_NAME = '#{}:.,="\r\n\t ';
const NOT_IN_REFERENCE = '#{}:,="\r\n\t ';
const NOT_IN_VALUE = '#}"\r\n\t ';
const NOT_IN_PATTERN = '"\\#}\r\n\t ';
const ESCAPES = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

export class Lexer {
  readonly #file: string;
  readonly #text: string;
  #at = 0;
  #line = 1;
  #lineStart = 0;

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text.startsWith('\ufeff') ? text.slice(1) : text;
    this.#refuseControls();
  }

  place(at = this.#at): Place {
    return { file: this.#file, line: this.#line, column: at - this.#lineStart + 1 };
  }

  next(): Token {
    this.#skipBlank(true);
    const place = this.place();
    const char = this.#text[this.#at];
    if (char === undefined) return { tag: 'end', place };
    if (char === '"')
      throw new ConfigError(place, 'a quoted string can only be a value: "key = " is missing before it');
    if (isPunctuation(char)) {
      this.#at++;
      return { tag: char, place };
    }
    return { tag: 'name', text: this.#run(NOT_IN_NAME), place };
  }

  /** A section's absolute name, dots included. */
  reference(): Token {
    this.#skipBlank(true);
    const char = this.#text[this.#at];
    if (char === undefined || NOT_IN_REFERENCE.includes(char)) return this.next();
    const place = this.place();
    return { tag: 'name', text: this.#run(NOT_IN_REFERENCE), place };
  }

  /** After `include`: a pattern follows, not `=`, which would make it an ordinary key. */
  isInclude(): boolean {
    let at = this.#at;
    while (this.#text[at] === ' ' || this.#text[at] === '\t') at++;
    return at > this.#at && at < this.#text.length && !'={:\r\n#}'.includes(this.#text[at] as string);
  }

  /** The rest of the line: words and quoted strings, joined by one space. */
  value(key: Place): Setting {
    this.#skipBlank(false);
    let place = this.place();
    const start = this.#at;
    const parts: string[] = [];
    let offset = 0;
    let cut = false;
    for (;;) {
      this.#skipBlank(false);
      const char = this.#text[this.#at];
      if (char === undefined || char === '\n' || char === '#' || char === '}') {
        cut = char === '#' && parts.length > 0 && !' \t"'.includes(this.#text[this.#at - 1] as string);
        break;
      }
      if (char === '"') {
        if (parts.length === 0) offset = 1;
        parts.push(this.#quoted());
      } else parts.push(this.#run(NOT_IN_VALUE));
    }
    if (parts.length === 0) return { text: undefined, key, place, verbatim: false, cut: false };
    const text = parts.join(' ');
    const verbatim = this.#text.startsWith(text, start + offset) && !text.includes('\n');
    if (verbatim) place = { ...place, column: place.column + offset };
    return { text, key, place, verbatim, cut };
  }

  pattern(): { readonly text: string; readonly place: Place } {
    this.#skipBlank(false);
    const place = this.place();
    if (this.#text[this.#at] === '"') return { text: this.#quoted(), place };
    let text = '';
    for (;;) {
      text += this.#run(NOT_IN_PATTERN);
      if (this.#text[this.#at] !== '\\') return { text, place };
      const escaped = this.#text[this.#at + 1];
      const known = escaped !== undefined && '"#} '.includes(escaped);
      text += known ? escaped : '\\';
      this.#at += known ? 2 : 1;
    }
  }

  #run(stop: string): string {
    const start = this.#at;
    while (this.#at < this.#text.length && !stop.includes(this.#text[this.#at] as string)) this.#at++;
    return this.#text.slice(start, this.#at);
  }

  #quoted(): string {
    const opened = this.place();
    const parts: string[] = [];
    this.#at++;
    for (;;) {
      const start = this.#at;
      while (this.#at < this.#text.length && !'"\\\r\n'.includes(this.#text[this.#at] as string)) this.#at++;
      parts.push(this.#text.slice(start, this.#at));
      const char = this.#text[this.#at++];
      if (char === '"') return parts.join('');
      if (char === '\n') {
        this.#newLine();
        parts.push(char);
      } else if (char === '\\') parts.push(this.#escape(opened));
      else if (char === undefined) throw new ConfigError(opened, 'this quoted string never ends');
    }
  }

  #escape(opened: Place): string {
    if (this.#text.startsWith('\r\n', this.#at)) this.#at++;
    const char = this.#text[this.#at++];
    if (char === undefined) throw new ConfigError(opened, 'this quoted string never ends');
    if (char !== '\n') return ESCAPES.get(char) ?? char;
    this.#newLine();
    return '';
  }

  #skipBlank(lines: boolean): void {
    for (;;) {
      const char = this.#text[this.#at];
      if (char === ' ' || char === '\t' || char === '\r') this.#at++;
      else if (char === '\n' && lines) {
        this.#at++;
        this.#newLine();
      } else if (char === '#' && lines) {
        const end = this.#text.indexOf('\n', this.#at);
        this.#at = end < 0 ? this.#text.length : end;
      } else return;
    }
  }

  #newLine(): void {
    this.#line++;
    this.#lineStart = this.#at;
  }

  /** NUL and its like cut strings short in other programs, and colour terminals: they have no business here. */
  #refuseControls(): void {
    for (let at = 0; at < this.#text.length; at++) {
      const code = this.#text.charCodeAt(at);
      if (code >= 0x20 && code !== 0x7f) continue;
      if (code === 0x09 || code === 0x0d) continue;
      if (code === 0x0a) {
        this.#line++;
        this.#lineStart = at + 1;
        continue;
      }
      const name = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
      throw new ConfigError(this.place(at), `control character ${name} in a configuration file`);
    }
    this.#line = 1;
    this.#lineStart = 0;
  }
}

function isPunctuation(char: string): char is '{' | '}' | '=' | ':' | ',' | '.' {
  return PUNCTUATION.includes(char);
}
