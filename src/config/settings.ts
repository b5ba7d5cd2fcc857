// Parses settings files into one tree of sections (strongswan.conf(5)). Later definitions extend earlier ones; included
// files are read at the point of their `include`, relative to the file that names them. Names live in Maps: a section
// called `__proto__` is a section like any other.

import type { Place } from '../ike/connection.ts';
import type { Setting } from './cursor.ts';
import { ConfigError } from './error.ts';
import { type Files, Reading, type SourceText } from './files.ts';
import { Lexer, type Token } from './lex.ts';

export interface Reference {
  /** An absolute name, sections separated by dots. */
  readonly text: string;
  readonly place: Place;
}

export interface Section {
  readonly name: string;
  readonly place: Place;
  readonly settings: ReadonlyMap<string, Setting>;
  readonly sections: ReadonlyMap<string, Section>;
  readonly references: readonly Reference[];
  /** What the file calls these options, where it is another language: every one that a message may have to name. */
  readonly words?: ReadonlyMap<string, string>;
}

const MAX_DEPTH = 32;

/** Parses several files into one tree, as if the first included the others at its end. Throws ConfigError. */
export function parseSettings(sources: readonly SourceText[], files?: Files): Section {
  const root = new Growing('', { file: sources[0]?.path ?? '', line: 0, column: 0 });
  const parser = new Parser(files);
  for (const source of sources) parser.file(source, root);
  return root;
}

class Growing implements Section {
  readonly name: string;
  readonly place: Place;
  readonly settings = new Map<string, Setting>();
  readonly sections = new Map<string, Growing>();
  readonly references: Reference[] = [];

  constructor(name: string, place: Place) {
    this.name = name;
    this.place = place;
  }

  section(name: string, place: Place): Growing {
    const known = this.sections.get(name);
    if (known) return known;
    const section = new Growing(name, place);
    this.sections.set(name, section);
    return section;
  }
}

interface Open {
  readonly section: Growing;
  /** Undefined for the section a file begins in, which the file cannot close. */
  readonly name?: Token;
}

class Parser {
  readonly #reading: Reading;

  constructor(files: Files | undefined) {
    this.#reading = new Reading(files);
  }

  file(source: SourceText, into: Growing): void {
    this.#reading.file(source, ({ path, text }) => this.#statements(new Lexer(path, text), into, 0));
  }

  #statements(lexer: Lexer, into: Growing, outer: number): void {
    const open: Open[] = [{ section: into }];
    let crooked: Place | undefined;
    for (;;) {
      const token = lexer.next();
      const { section, name } = open.at(-1) as Open;
      if (token.tag === 'end') {
        if (name)
          throw new ConfigError(name.place, `this section never ends: "}" is missing${guess(crooked, name.place)}`);
        return;
      }
      if (token.tag === '}') {
        if (!name) throw new ConfigError(token.place, '"}" without a section to end');
        const { line, column } = name.place;
        if (token.place.line !== line && token.place.column < column) crooked ??= name.place;
        open.pop();
      } else if (token.tag !== 'name') {
        throw new ConfigError(token.place, `a name is missing before "${token.tag}"`);
      } else if (token.text === 'include' && lexer.isInclude()) {
        const depth = outer + open.length - 1;
        this.#reading.include(lexer.pattern(), ({ path, text }) =>
          this.#statements(new Lexer(path, text), section, depth),
        );
      } else {
        const inner = this.#statement(lexer, token, section, name?.place);
        if (!inner) continue;
        if (outer + open.length > MAX_DEPTH) {
          throw new ConfigError(token.place, `sections nested deeper than ${MAX_DEPTH}`);
        }
        open.push({ section: inner, name: token });
      }
    }
  }

  /** A setting, or the opening of a section, which is returned. */
  #statement(lexer: Lexer, name: Token & { tag: 'name' }, into: Growing, brace?: Place): Growing | undefined {
    const token = lexer.next();
    switch (token.tag) {
      case '=': {
        const earlier = into.settings.get(name.text)?.key;
        const repeated = earlier && earlier.file === name.place.file && (!brace || follows(earlier, brace));
        into.settings.set(name.text, { ...lexer.value(name.place), ...(repeated && { earlier }) });
        return undefined;
      }
      case '{':
        return into.section(name.text, name.place);
      case ':': {
        const references = readReferences(lexer);
        const section = into.section(name.text, name.place);
        section.references.push(...references);
        return section;
      }
      case '.':
        throw new ConfigError(token.place, 'a name cannot contain "."; write sections one inside the other');
      case ',':
      case '}':
      case 'name':
      case 'end':
        // The name is not repeated here: after a mistake in quoting it may be a piece of a secret.
        throw new ConfigError(name.place, 'this name is followed by neither "=" nor "{"');
    }
  }
}

/** The first section whose end stands further left than its beginning probably lacks its own. */
function guess(crooked: Place | undefined, { line }: Place): string {
  if (!crooked || crooked.line === line) return '';
  return `; by the indentation, that of the section in line ${crooked.line}`;
}

function follows(place: Place, other: Place): boolean {
  return place.line > other.line || (place.line === other.line && place.column > other.column);
}

function readReferences(lexer: Lexer): Reference[] {
  const references: Reference[] = [];
  for (;;) {
    const name = lexer.reference();
    if (name.tag !== 'name') throw new ConfigError(name.place, 'the name of a section is missing');
    references.push({ text: name.text, place: name.place });
    const token = lexer.next();
    if (token.tag === '{') return references;
    if (token.tag !== ',') throw new ConfigError(token.place, '"," or "{" is missing after the name of a section');
  }
}
