// The project's own text, for the checks that hold everywhere.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../../..');

/** A source file: its path from the root, and its text. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** A breach of a rule: where, and what. */
export type Finding = string;

export function sources(folder: string, endings: readonly string[] = ['.ts']): readonly Source[] {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  const paths = names
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .map((name) => join(folder, name));
  return paths.sort().map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
}

// Comments, strings, regular expressions (after what cannot end an expression) and templates, whichever begins first.
const LEXEMES =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|(?<=[=(,:[!&|?{};]\s*|return\s+)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/g;

/** The text without comments; lines keep their numbers. */
export function withoutComments(text: string): string {
  return text.replace(LEXEMES, (lexeme) => (/^\/[/*]/.test(lexeme) ? lexeme.replace(/[^\n]/g, ' ') : lexeme));
}

/** The text without comments and without the contents of strings and regular expressions; templates stay. */
export function codeOnly(text: string): string {
  return text.replace(LEXEMES, (lexeme) => {
    if (lexeme.startsWith('`')) return lexeme;
    if (/^['"]/.test(lexeme)) return `${lexeme[0]}${' '.repeat(lexeme.length - 2)}${lexeme[0]}`;
    return lexeme.replace(/[^\n]/g, ' ');
  });
}

/** `path:line: what` for each match. */
export function matches(source: Source, text: string, pattern: RegExp, what: (match: RegExpMatchArray) => string) {
  return [...text.matchAll(pattern)].map((match): Finding => {
    const line = text.slice(0, match.index).split('\n').length;
    return `${source.path}:${line}: ${what(match)}`;
  });
}
