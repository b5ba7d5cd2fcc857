// A text and a place in it, for the parsers of configuration files: what their languages have in common.

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
  /** How the key is spelled there, where it has several spellings. */
  readonly written?: string;
  /** The same key stands further up between the same braces, where it no longer counts. */
  readonly earlier?: Place;
}

const NOT_IN_PATTERN = '"\\#}\r\n\t ';
const ESCAPES = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

export class Cursor {
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

  place(): Place {
    return { file: this.#file, line: this.#line, column: this.#at - this.#lineStart + 1 };
  }

  /** The character here, or that many further on; undefined behind the end. */
  peek(further = 0): string | undefined {
    return this.#text[this.#at + further];
  }

  /** Over characters that are not the end of a line. */
  skip(count = 1): void {
    this.#at += count;
  }

  /** What stands here up to one of the characters in `stop`. */
  run(stop: string): string {
    const start = this.#at;
    while (this.#at < this.#text.length && !stop.includes(this.#text[this.#at] as string)) this.#at++;
    return this.#text.slice(start, this.#at);
  }

  /** Over blanks and, with `lines`, ends of lines and comments. */
  blank(lines: boolean): void {
    for (;;) {
      const char = this.#text[this.#at];
      if (char === ' ' || char === '\t' || char === '\r') this.#at++;
      else if (char === '\n' && lines) this.nextLine();
      else if (char === '#' && lines) this.#endOfLine();
      else return;
    }
  }

  /** To the beginning of the next line. */
  nextLine(): void {
    this.#endOfLine();
    if (this.#at < this.#text.length) this.#newLine(++this.#at);
  }

  /**
   * The rest of the line, up to a comment or one of the characters in `end`: words and quoted strings, joined by one
   * space. `word` reads a word, or says with undefined that the value ends before it.
   */
  value(key: Place, end: string, word: () => string | undefined): Setting {
    this.blank(false);
    let place = this.place();
    const start = this.#at;
    const parts: string[] = [];
    let offset = 0;
    let cut = false;
    for (;;) {
      this.blank(false);
      const char = this.#text[this.#at];
      if (char === undefined || char === '\n' || char === '#' || end.includes(char)) {
        cut = char === '#' && parts.length > 0 && !' \t"'.includes(this.#text[this.#at - 1] as string);
        break;
      }
      if (char === '"') {
        if (parts.length === 0) offset = 1;
        parts.push(this.quoted());
        continue;
      }
      const part = word();
      if (part === undefined) break;
      parts.push(part);
    }
    if (parts.length === 0) return { text: undefined, key, place, verbatim: false, cut: false };
    const text = parts.join(' ');
    const verbatim = this.#text.startsWith(text, start + offset) && !text.includes('\n');
    if (verbatim) place = { ...place, column: place.column + offset };
    return { text, key, place, verbatim, cut };
  }

  /** The pattern of an `include`. */
  pattern(): { readonly text: string; readonly place: Place } {
    this.blank(false);
    const place = this.place();
    if (this.#text[this.#at] === '"') return { text: this.quoted(), place };
    let text = '';
    for (;;) {
      text += this.run(NOT_IN_PATTERN);
      if (this.#text[this.#at] !== '\\') return { text, place };
      const escaped = this.#text[this.#at + 1];
      const known = escaped !== undefined && '"#} '.includes(escaped);
      text += known ? escaped : '\\';
      this.#at += known ? 2 : 1;
    }
  }

  /** In double quotes, with escapes; it may go on over several lines. */
  quoted(): string {
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
        this.#newLine(this.#at);
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
    this.#newLine(this.#at);
    return '';
  }

  #endOfLine(): void {
    const end = this.#text.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  #newLine(start: number): void {
    this.#line++;
    this.#lineStart = start;
  }

  /** NUL and its like cut strings short in other programs, and colour terminals: they have no business here. */
  #refuseControls(): void {
    for (; this.#at < this.#text.length; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code >= 0x20 && code !== 0x7f) continue;
      if (code === 0x09 || code === 0x0d) continue;
      if (code === 0x0a) {
        this.#newLine(this.#at + 1);
        continue;
      }
      const name = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
      throw new ConfigError(this.place(), `control character ${name} in a configuration file`);
    }
    this.#at = 0;
    this.#line = 1;
    this.#lineStart = 0;
  }
}
