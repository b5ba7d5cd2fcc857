// The command line of `npm run bench -- thousand`.

import { parseArgs } from 'node:util';

export interface Options {
  readonly rounds: number;
  /** Connections. */
  readonly count: number;
  readonly json: string | undefined;
}

export const USAGE = 'thousand [--rounds N] [--count N] [--quick] [--json FILE]';

/** Throws with a sentence when it does not understand. */
export function parseOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      rounds: { type: 'string' },
      count: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  });
  return {
    rounds: number('rounds', values.rounds, values.quick ? 1 : 5),
    count: number('count', values.count, values.quick ? 50 : 1000),
    json: values.json,
  };
}

function number(name: string, text: string | undefined, usual: number): number {
  if (text === undefined) return usual;
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`--${name} is a number from 1 to 9999, not ${text}`);
  return Number(text);
}
