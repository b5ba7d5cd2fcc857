// A terminal that remembers what was written.

import type { Io } from '../../src/cli/io.ts';
import { run } from '../../src/cli/program.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function espalier(args: readonly string[], options: Partial<Io> = {}): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const io: Io = {
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    width: undefined,
    colour: false,
    ...options,
  };
  const code = await run(args, io);
  return { code, out: out.join('\n'), err: err.join('\n') };
}
