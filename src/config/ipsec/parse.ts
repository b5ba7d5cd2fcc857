// Parses ipsec.conf (strongSwan's ipsec.conf(5)) line by line: `config setup`, `conn NAME` and `ca NAME` at the beginning
// of a line begin sections, indented lines are their settings. What one line has wrong does not hide what the next has.
// Sections of one name are one section, whichever files they stand in, and the later of two values counts.

import { nearest } from '../../bytes/nearest.ts';
import type { Place } from '../../ike/connection.ts';
import { Cursor, type Setting } from '../cursor.ts';
import { ConfigError, type Findings, wholeFile } from '../error.ts';
import { type Files, Reading, type SourceText } from '../files.ts';

/** A section as it is written: what it takes over from others is not in it. */
export interface Written {
  readonly name: string;
  readonly place: Place;
  readonly settings: ReadonlyMap<string, Setting>;
  /** The names of sections that it takes over from, in the order of the file. */
  readonly also: readonly Setting[];
}

export interface Document {
  readonly setup: Written;
  readonly conns: ReadonlyMap<string, Written>;
  readonly cas: ReadonlyMap<string, Written>;
}

/** `spellings` has the one name of every keyword that has others. */
export function parseIpsecConf(
  sources: readonly SourceText[],
  spellings: ReadonlyMap<string, string>,
  findings: Findings,
  files?: Files,
): Document {
  const parser = new Parser(spellings, findings, files);
  for (const source of sources) parser.file(source);
  return parser;
}

const NOT_IN_NAME = '"#=\r\n\t ';
const HEADERS = ['conn', 'ca', 'config setup'];

class Growing implements Written {
  readonly name: string;
  readonly place: Place;
  readonly settings = new Map<string, Setting>();
  readonly also: Setting[] = [];

  constructor(name: string, place: Place) {
    this.name = name;
    this.place = place;
  }
}

class Parser implements Document {
  readonly setup: Growing;
  readonly conns = new Map<string, Growing>();
  readonly cas = new Map<string, Growing>();
  readonly #spellings: ReadonlyMap<string, string>;
  readonly #findings: Findings;
  readonly #reading: Reading;
  #section: Growing | undefined;
  /** What stands since the last line that began a section. */
  #since = new Set<string>();
  #sections = 0;

  constructor(spellings: ReadonlyMap<string, string>, findings: Findings, files: Files | undefined) {
    this.setup = new Growing('setup', wholeFile(''));
    this.#spellings = spellings;
    this.#findings = findings;
    this.#reading = new Reading(files);
  }

  file(source: SourceText): void {
    this.#section = undefined;
    this.#lenient(() => this.#reading.file(source, (read) => this.#lines(read)));
  }

  #lines({ path, text }: SourceText): void {
    const cursor = new Cursor(path, text);
    while (cursor.peek() !== undefined) {
      this.#lenient(() => this.#line(cursor));
      cursor.nextLine();
    }
  }

  #lenient(parse: () => void): void {
    try {
      parse();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#findings.add(error);
    }
  }

  #line(cursor: Cursor): void {
    const indented = cursor.peek() === ' ' || cursor.peek() === '\t';
    cursor.blank(false);
    const place = cursor.place();
    if (this.#ends(cursor)) return;
    const word = cursor.run(NOT_IN_NAME);
    if (word === '') throw new ConfigError(place, 'a line begins with a name: "name=value"');
    // Of FreeS/WAN's time: whatever it says.
    if (word === 'version') return;
    if (word === 'include' && isPattern(cursor)) this.#include(cursor);
    else if (indented) this.#setting(cursor, word, place);
    else this.#header(cursor, word, place);
  }

  /** The end of a line, or a comment, or what somebody took for one. */
  #ends(cursor: Cursor): boolean {
    cursor.blank(false);
    const char = cursor.peek();
    return char === undefined || char === '\n' || char === '#' || this.#slashes(cursor);
  }

  #slashes(cursor: Cursor): boolean {
    if (cursor.peek() !== '/' || cursor.peek(1) !== '/') return false;
    this.#findings.error(cursor.place(), '"//" does not begin a comment here', ['#']);
    return true;
  }

  #header(cursor: Cursor, word: string, place: Place): void {
    cursor.blank(false);
    if (cursor.peek() === '=') throw new ConfigError(place, `"${word}" has to be indented: it belongs to a section`);
    this.#since = new Set();
    this.#sections++;
    // Until it is known which, so that the lines below a mistake are not blamed for it.
    this.#section = new Growing('', place);
    const name = this.#ends(cursor) ? '' : cursor.peek() === '"' ? cursor.quoted() : cursor.run(NOT_IN_NAME);
    const kind = word === 'config' ? `config ${name}`.trim() : word;
    if (!HEADERS.includes(kind)) {
      throw new ConfigError(place, `"${kind}" begins no section`, nearest(kind, HEADERS));
    }
    if (name === '') throw new ConfigError(place, `${word} needs a name`);
    if (!this.#ends(cursor)) {
      this.#findings.error(cursor.place(), `only the name of the section can follow "${word}" on this line`);
    }
    this.#section = word === 'config' ? this.setup : grown(word === 'conn' ? this.conns : this.cas, name, place);
  }

  #setting(cursor: Cursor, word: string, key: Place): void {
    cursor.blank(false);
    if (cursor.peek() !== '=') {
      const header = HEADERS.some((known) => known.split(' ')[0] === word);
      const why = header ? 'begins a section, which is not indented' : 'is followed by no "="';
      throw new ConfigError(key, `"${word}" ${why}`);
    }
    cursor.skip();
    const section = this.#section;
    if (!section) {
      this.#section = new Growing('', key);
      throw new ConfigError(key, `"${word}" belongs to no section: "conn NAME" or "config setup" is missing before it`);
    }
    const setting = cursor.value(key, '', () => this.#word(cursor));
    if (setting.cut) {
      const text = 'the value ends before "#", which begins a comment; put a value that contains # in double quotes';
      this.#findings.warn(`cut ${key.file} ${key.line}`, setting.place, text);
    }
    if (word === 'also') section.also.push(setting);
    else this.#set(section, word, setting);
  }

  #set(section: Growing, word: string, setting: Setting): void {
    const name = this.#spellings.get(word) ?? word;
    const earlier = this.#since.has(name) ? section.settings.get(name)?.key : undefined;
    this.#since.add(name);
    section.settings.set(name, {
      ...setting,
      ...(name === word ? {} : { written: word }),
      ...(earlier?.file === setting.key.file ? { earlier } : {}),
    });
  }

  /** A word of a value; undefined where it is none. */
  #word(cursor: Cursor): string | undefined {
    if (this.#slashes(cursor)) return undefined;
    let word = '';
    if (cursor.peek() === '@' && cursor.peek(1) === '#') {
      cursor.skip(2);
      word = '@#';
    }
    word += cursor.run(NOT_IN_NAME);
    if (cursor.peek() !== '=') return word;
    throw new ConfigError(cursor.place(), 'a value that contains "=" has to stand in double quotes');
  }

  #include(cursor: Cursor): void {
    const before = this.#sections;
    const pattern = cursor.pattern();
    if (!this.#ends(cursor)) this.#findings.error(cursor.place(), 'only one file name or pattern can follow "include"');
    this.#reading.include(pattern, (source) => this.#lines(source));
    if (this.#sections !== before) this.#section = undefined;
  }
}

function grown(sections: Map<string, Growing>, name: string, place: Place): Growing {
  const known = sections.get(name);
  if (known) return known;
  const section = new Growing(name, place);
  sections.set(name, section);
  return section;
}

/** `include=…` would be an ordinary setting. */
function isPattern(cursor: Cursor): boolean {
  let further = 0;
  while (cursor.peek(further) === ' ' || cursor.peek(further) === '\t') further++;
  const char = cursor.peek(further);
  return further > 0 && char !== undefined && !'=\r\n'.includes(char);
}
