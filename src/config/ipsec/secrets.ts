// ipsec.secrets (strongSwan's ipsec.secrets(5)): entries of `selectors : KIND value`, one to a line. An indented line goes
// on with the entry before it, as long as that one lacks something. No message here repeats what stands in the file: it
// takes one missing quote or blank, and any word may be a piece of a secret.

import { utf8 } from '../../bytes/bytes.ts';
import { nearest } from '../../bytes/nearest.ts';
import { type Place, Secret, type SharedKey } from '../../ike/connection.ts';
import { parseOwner } from '../../ike/identity.ts';
import type { Identity } from '../../ike/wire/payload.ts';
import { Cursor } from '../cursor.ts';
import { ConfigError, type Findings } from '../error.ts';
import { type Files, Reading, type SourceText } from '../files.ts';
import { accepted, type Parsed, parseSecret } from '../schema.ts';
import { KINDS, keyword } from './keywords.ts';

export interface IpsecSecrets {
  readonly keys: readonly SharedKey[];
  /** Files that hold a secret of any kind, each with the place of the first. */
  readonly held: ReadonlyMap<string, Place>;
}

export function readIpsecSecrets(sources: readonly SourceText[], findings: Findings, files?: Files): IpsecSecrets {
  const reader = new Reader(findings, files);
  for (const source of sources) reader.file(source);
  return reader;
}

interface Word {
  readonly text: string;
  readonly place: Place;
  readonly quoted: boolean;
}

/** Selectors, in effect. */
const MOST_WORDS = 1000;
const NAMES = KINDS.map(({ path }) => path.slice('secrets.'.length));

class Reader implements IpsecSecrets {
  readonly keys: SharedKey[] = [];
  readonly held = new Map<string, Place>();
  readonly #findings: Findings;
  readonly #reading: Reading;

  constructor(findings: Findings, files: Files | undefined) {
    this.#findings = findings;
    this.#reading = new Reading(files);
  }

  file(source: SourceText): void {
    this.#lenient(() => this.#reading.file(source, (read) => this.#entries(read)));
  }

  #lenient(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#findings.add(error);
    }
  }

  #entries({ path, text }: SourceText): void {
    const cursor = new Cursor(path, text);
    let entry: Word[] = [];
    while (cursor.peek() !== undefined) {
      const indented = cursor.peek() === ' ' || cursor.peek() === '\t';
      let words: Word[] = [];
      this.#lenient(() => {
        words = wordsOf(cursor);
      });
      if (words.length > 0 && (!indented || isWhole(entry))) {
        this.#lenient(() => this.#entry(entry));
        entry = [];
      }
      if (entry.length + words.length > MOST_WORDS) {
        this.#findings.error((words[0] as Word).place, `an entry of more than ${MOST_WORDS} words`);
        entry = [];
      } else entry.push(...words);
      cursor.nextLine();
      if (words.length > 0 && opensBlock(entry)) skipBlock(cursor);
    }
    this.#lenient(() => this.#entry(entry));
  }

  #entry(words: readonly Word[]): void {
    const [first, pattern, ...more] = words;
    if (!first) return;
    if (isWord(first, 'include')) {
      if (more[0]) throw new ConfigError(more[0].place, 'only one file name or pattern can follow "include"');
      return this.#reading.include(pattern ?? { ...first, text: '' }, (source) => this.#entries(source));
    }
    const colon = colonOf(words);
    if (colon < 0) {
      throw new ConfigError(first.place, 'a ":" is missing, with a blank on either side, before the kind of secret');
    }
    const [kind, value, ...rest] = words.slice(colon + 1);
    if (!kind) throw new ConfigError((words[colon] as Word).place, 'nothing follows ":"; write for example : PSK "…"');
    const option = kind.quoted ? undefined : keyword(`secrets.${kind.text}`);
    if (!option) {
      const near = kind.quoted ? ['PSK'] : nearest(kind.text, NAMES);
      throw new ConfigError(kind.place, `after ":" comes the kind of secret: ${NAMES.join(', ')}`, near);
    }
    if (!value) throw new ConfigError(kind.place, `the secret after ${kind.text} is missing`);
    if (option.status === 'implemented') this.#key(words.slice(0, colon), kind, value, rest);
    else {
      this.#findings.warn(option.path, kind.place, `an entry of kind ${kind.text} has no effect: ${option.reason}`);
      // The name of a file is no secret, its passphrase is.
      const isFile = option.type.kind === 'list' && rest.length === 0;
      if (!isFile) this.#hold(value.place);
    }
  }

  #key(selectors: readonly Word[], kind: Word, value: Word, rest: readonly Word[]): void {
    this.#hold(value.place);
    const [second] = rest;
    if (second)
      throw new ConfigError(second.place, 'nothing can follow the secret; one with blanks has to be in quotes');
    const secret = secretOf(value);
    if (!secret.ok) throw new ConfigError(value.place, secret.message);
    this.keys.push({ owners: this.#owners(selectors), secret: secret.value, place: kind.place });
  }

  #owners(selectors: readonly Word[]): readonly Identity[] {
    return selectors.flatMap(({ text, place }) => {
      const owner = text.endsWith(',') ? undefined : parseOwner(text);
      if (owner) return [owner];
      const how = text.endsWith(',')
        ? 'selectors are separated by blanks, not by commas'
        : 'this is no identity: write an address, a name, an e-mail address, @#hex or %any';
      this.#findings.error(place, how);
      return [];
    });
  }

  #hold(place: Place): void {
    if (!this.held.has(place.file)) this.held.set(place.file, place);
  }
}

/** In quotes everything is as it stands. */
function secretOf({ text, quoted }: Word): Parsed<Secret> {
  return quoted && text !== '' ? accepted(new Secret(utf8(text))) : parseSecret(text);
}

/** What stands in the rest of the line. A `#` begins a comment where a word could begin. */
function wordsOf(cursor: Cursor): Word[] {
  const words: Word[] = [];
  for (;;) {
    cursor.blank(false);
    const place = cursor.place();
    const char = cursor.peek();
    if (char === undefined || char === '\n' || char === '#') return words;
    const quoted = char === '"' || char === "'";
    if (!quoted) {
      words.push({ text: cursor.run('\r\n\t '), place, quoted });
      continue;
    }
    cursor.skip();
    words.push({ text: cursor.run(`${char}\n`), place, quoted });
    if (cursor.peek() !== char) throw new ConfigError(place, 'this quoted string does not end on its line');
    cursor.skip();
  }
}

function isWord({ text, quoted }: Word, wanted: string): boolean {
  return text === wanted && !quoted;
}

function colonOf(words: readonly Word[]): number {
  return words.findIndex((word) => isWord(word, ':'));
}

/** There is nothing that the next line could add. */
function isWhole(words: readonly Word[]): boolean {
  const [first] = words;
  if (!first || (isWord(first, 'include') && words.length > 1)) return true;
  const colon = colonOf(words);
  return colon >= 0 && words.length > colon + 2;
}

/** FreeS/WAN's private keys: `: RSA {`, then lines of numbers, and `}`. */
function opensBlock(words: readonly Word[]): boolean {
  const [kind, value] = words.slice(colonOf(words) + 1);
  return kind !== undefined && isWord(kind, 'RSA') && value !== undefined && isWord(value, '{');
}

function skipBlock(cursor: Cursor): void {
  for (let ended = false; !ended && cursor.peek() !== undefined; cursor.nextLine()) {
    cursor.blank(false);
    ended = cursor.peek() === '}';
  }
}
