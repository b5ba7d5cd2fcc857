// A line of the log for people: the sentence, and below it what there is to know of a failure. Programs read the JSON.

import { clean } from '../bytes/printable.ts';

/** Levels as pino numbers them, and the colours of a terminal. */
const LEVELS: readonly (readonly [least: number, name: string, colour: number])[] = [
  [60, 'FATAL', 31],
  [50, 'ERROR', 31],
  [40, 'WARN', 33],
  [30, 'INFO', 32],
  [20, 'DEBUG', 2],
  [10, 'TRACE', 2],
];

/** What explains, in this order. All else is for programs. */
const DETAILS = ['peer', 'want', 'got', 'where', 'remedy', 'weak', 'suppressed'] as const;

/** `record` is one line's JSON; a line that is none is printed as it is. */
export function readable(line: string, colour: boolean): string {
  const record = parse(line);
  if (!record) return clean(line);
  const { time, level, conn, child, msg } = record;
  const [, name, code] = LEVELS.find(([least]) => Number(level) >= least) ?? [0, '?', 0];
  const clock = typeof time === 'number' ? new Date(time).toTimeString().slice(0, 8) : '--:--:--';
  const whose = [conn, child].filter((part) => typeof part === 'string' && part !== '').join('/');
  const painted = colour ? `\x1b[${code}m${name.padEnd(5)}\x1b[0m` : name.padEnd(5);
  const head = `${clock} ${painted} ${whose === '' ? '' : `${clean(whose)}: `}${clean(text(msg))}`;
  const details = DETAILS.flatMap((key) =>
    record[key] === undefined ? [] : [`         ${key}: ${clean(text(record[key]))}`],
  );
  const trace = stackOf(record.err);
  return [head, ...details, ...trace].join('\n');
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function text(value: unknown): string {
  if (Array.isArray(value)) return value.map(text).join(', ');
  return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);
}

function stackOf(error: unknown): string[] {
  const stack = typeof error === 'object' && error !== null && 'stack' in error ? error.stack : undefined;
  return typeof stack === 'string' ? stack.split('\n').map((line) => `         ${clean(line)}`) : [];
}
