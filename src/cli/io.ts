// Where a command writes, and its exit codes. Tests put their own in place of the terminal.

export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Columns of the terminal; undefined where there is none, and lines may have any length. */
  readonly width: number | undefined;
  readonly colour: boolean;
}

export const DONE = 0;
export const FAILED = 1;
export const USAGE = 2;

/** The command line or the configuration is wrong. Ends with exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** https://no-color.org: any value but the empty one switches colours off. */
export function terminal(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Io {
  return {
    out: (text) => void stdout.write(`${text}\n`),
    err: (text) => void stderr.write(`${text}\n`),
    width: stdout.isTTY ? stdout.columns : undefined,
    colour: Boolean(stdout.isTTY) && !env.NO_COLOR && env.TERM !== 'dumb',
  };
}
