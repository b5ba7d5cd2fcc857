// The files of a configuration, whatever their language: where they come from, how they include each other, and how much
// of it there may be.

import { dirname, resolve } from 'node:path';
import type { Place } from '../ike/connection.ts';
import { ConfigError, wholeFile } from './error.ts';

/** Where includes come from. `load.ts` has the one that reads files; a test has its own. */
export interface Files {
  /** Files that an absolute pattern names, sorted. */
  match(pattern: string, include: Place): readonly string[];
  read(file: string, include: Place): string;
}

export interface SourceText {
  readonly path: string;
  readonly text: string;
}

const MAX_DEPTH = 16;
const MAX_FILES = 1000;
const MAX_CHARACTERS = 32 * 1024 * 1024;

const NO_FILES: Files = {
  match: () => [],
  read: (file, include) => {
    throw new ConfigError(include, `${file} cannot be read from here`);
  },
};

/** The reading of one configuration, which may have several files to begin with. */
export class Reading {
  readonly #files: Files;
  /** Files being read, the innermost last. */
  readonly #open: string[] = [];
  #count = 0;
  #characters = 0;

  constructor(files: Files = NO_FILES) {
    this.#files = files;
  }

  file({ path, text }: SourceText, parse: (source: SourceText) => void, place = wholeFile(path)): void {
    this.#characters += text.length;
    if (this.#characters > MAX_CHARACTERS) throw new ConfigError(place, 'more than 32 MiB of configuration');
    if (++this.#count > MAX_FILES) throw new ConfigError(place, `more than ${MAX_FILES} configuration files`);
    this.#open.push(path);
    try {
      parse({ path, text });
    } finally {
      this.#open.pop();
    }
  }

  /** The files that a pattern names, relative to the file that has it. */
  include(pattern: { readonly text: string; readonly place: Place }, parse: (source: SourceText) => void): void {
    const { text, place } = pattern;
    if (text === '') throw new ConfigError(place, 'include needs a file name or a pattern');
    if (this.#open.length > MAX_DEPTH) throw new ConfigError(place, `files included deeper than ${MAX_DEPTH}`);
    for (const path of matching(this.#files, place.file, pattern)) {
      if (this.#open.includes(path)) {
        throw new ConfigError(place, `files include each other in a circle: ${[...this.#open, path].join(' → ')}`);
      }
      this.file({ path, text: this.#files.read(path, place) }, parse, place);
    }
  }
}

/** One that is named by its whole name has to be there. */
export function matching(
  files: Files,
  from: string,
  { text, place }: { readonly text: string; readonly place: Place },
): readonly string[] {
  const pattern = resolve(dirname(from), text);
  const found = files.match(pattern, place);
  if (found.length === 0 && !/[*?[]/.test(pattern)) throw new ConfigError(place, `there is no file ${pattern}`);
  return found;
}
