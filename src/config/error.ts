// The operator's mistakes: every one with its file, line and column, and with what was probably meant.

import type { Place } from '../ike/connection.ts';

/** The place of a mistake that concerns a whole file: it is printed without line and column. */
export function wholeFile(file: string): Place {
  return { file, line: 0, column: 0 };
}

export function formatPlace({ file, line, column }: Place): string {
  return line === 0 ? file : `${file}:${line}:${column}`;
}

export class ConfigError extends Error {
  override readonly name: string = 'ConfigError';
  readonly place: Place;
  /** What is wrong, without the place and the suggestion. */
  readonly text: string;
  /** Valid words near to the wrong one, the nearest first. */
  readonly near: readonly string[];

  constructor(place: Place, text: string, near: readonly string[] = []) {
    super(`${formatPlace(place)}: ${text}${suggestion(near)}`);
    this.place = place;
    this.text = text;
    this.near = near;
  }

  get file(): string {
    return this.place.file;
  }

  get line(): number {
    return this.place.line;
  }

  get column(): number {
    return this.place.column;
  }

  /** All mistakes that were found together with this one, itself included. */
  get errors(): readonly ConfigError[] {
    return [this];
  }
}

/** Several mistakes as one error; its own place and text are those of the first. */
export class ConfigErrors extends ConfigError {
  override readonly name = 'ConfigErrors';
  readonly #errors: readonly ConfigError[];

  constructor(first: ConfigError, rest: readonly ConfigError[]) {
    super(first.place, first.text, first.near);
    this.#errors = [first, ...rest];
    this.message = this.#errors.map((error) => error.message).join('\n');
  }

  override get errors(): readonly ConfigError[] {
    return this.#errors;
  }
}

export interface ConfigWarning {
  readonly place: Place;
  readonly text: string;
}

export function formatWarning({ place, text }: ConfigWarning): string {
  return `${formatPlace(place)}: ${text}`;
}

function suggestion(near: readonly string[]): string {
  const words = near.slice(0, 3).map((word) => `"${word}"`);
  const last = words.pop();
  if (last === undefined) return '';
  return `; did you mean ${words.length > 0 ? `${words.join(', ')} or ${last}` : last}?`;
}

const MOST_ERRORS = 20;

/** Gathers mistakes and warnings, so that the operator sees all of them at once. */
export class Findings {
  readonly #errors: ConfigError[] = [];
  readonly #warnings = new Map<string, { place: Place; text: string; count: number }>();

  /** Enough mistakes for one time: whoever takes pains to describe the next can spare them. */
  get full(): boolean {
    return this.#errors.length >= MOST_ERRORS;
  }

  /** Mistakes so far. */
  get count(): number {
    return this.#errors.length;
  }

  error(place: Place, text: string, near: readonly string[] = []): undefined {
    this.add(new ConfigError(place, text, near));
    return undefined;
  }

  add(error: ConfigError): void {
    if (!this.full) this.#errors.push(error);
  }

  /** The same subject is reported once, at its first place, with the number of times it was met. */
  warn(subject: string, place: Place, text: string): void {
    const known = this.#warnings.get(subject);
    if (known) known.count++;
    else this.#warnings.set(subject, { place, text, count: 1 });
  }

  /** Throws when there was a mistake: nothing is ever half applied. */
  done(): readonly ConfigWarning[] {
    const [first, ...rest] = this.#errors.sort(byPlace);
    if (first) throw rest.length === 0 ? first : new ConfigErrors(first, rest);
    return [...this.#warnings.values()].sort(byPlace).map(({ place, text, count }) => ({
      place,
      text: count === 1 ? text : `${text} (${count} times)`,
    }));
  }
}

function byPlace({ place: a }: { readonly place: Place }, { place: b }: { readonly place: Place }): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line || a.column - b.column;
}
