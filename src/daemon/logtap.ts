// Log lines on their way out, for those who follow the log through the control socket. While nobody does, it costs a look.

import { type LogFn, type Logger, type LoggerOptions, pino } from 'pino';
import type { Progress } from './status.ts';

type Hear = (line: Progress) => void;

export class LogTap {
  readonly #listeners = new Set<Hear>();
  readonly #readers = new Set<(line: string) => void>();
  /** For pino, which calls it with what is to be logged. */
  readonly hooks: NonNullable<LoggerOptions['hooks']>;

  constructor() {
    const tell = (args: Parameters<LogFn>, level: number) => this.#tell(args, level);
    this.hooks = {
      logMethod(this: Logger, args, method, level) {
        tell(args, level);
        method.apply(this, args);
      },
    };
  }

  follow(hear: Hear): () => void {
    this.#listeners.add(hear);
    return () => this.#listeners.delete(hear);
  }

  /** Whole lines, as they are written: JSON. */
  followLines(hear: (line: string) => void): () => void {
    this.#readers.add(hear);
    return () => this.#readers.delete(hear);
  }

  /** A line that is being written. */
  line(line: string): void {
    for (const hear of this.#readers) hear(line);
  }

  #tell(args: Parameters<LogFn>, level: number): void {
    if (this.#listeners.size === 0) return;
    const line = lineOf(args, level);
    for (const hear of this.#listeners) hear(line);
  }
}

function lineOf([first, second]: readonly unknown[], level: number): Progress {
  const fields = typeof first === 'object' && first !== null ? (first as Readonly<Record<string, unknown>>) : {};
  const said = typeof first === 'string' ? first : second;
  const { conn, ike, event } = fields;
  return {
    level: detail(level),
    group: typeof conn === 'string' && conn !== '' ? 'IKE' : /^(config|reload|admin)/.test(`${event}`) ? 'CFG' : 'DMN',
    text: typeof said === 'string' ? said : '',
    session: typeof ike === 'number' ? ike : undefined,
    conn: typeof conn === 'string' && conn !== '' ? conn : undefined,
  };
}

/** charon's levels say how deep one looks: 1 for all that an operator is told, 2 and 3 for what he asks for. */
function detail(level: number): number {
  const { info, debug } = pino.levels.values as Record<'info' | 'debug', number>;
  return level >= info ? 1 : level >= debug ? 2 : 3;
}
