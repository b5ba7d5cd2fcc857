// What ends the demonstration from outside: a signal, or nobody is there any more to see it.

import { DONE } from '../io.ts';

export class Interrupted extends Error {
  /** With which the demonstration ends. */
  readonly code: number;

  constructor(code: number) {
    super('interrupted');
    this.code = code;
  }
}

/** Ctrl-C is the way to end it; TERM and HUP are told to whoever waits for us, as a shell does. */
const SIGNALS = { SIGINT: DONE, SIGTERM: 128 + 15, SIGHUP: 128 + 1 } as const;

/** The reason is `Interrupted`, or a fault of ours. */
export function interruption(): AbortSignal {
  const stop = new AbortController();
  const interrupt = (code: number) => stop.abort(new Interrupted(code));
  // More than once does not make it faster, and must not end us while we clean up.
  for (const [signal, code] of Object.entries(SIGNALS)) process.on(signal, () => interrupt(code));
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => interrupt(SIGNALS.SIGHUP));
  process.on('uncaughtException', (error) => stop.abort(error));
  // A shell between npm and us may be ended without a word to us.
  const parent = process.ppid;
  const watch = () => {
    if (process.ppid !== parent) interrupt(SIGNALS.SIGHUP);
  };
  setInterval(watch, 1000).unref();
  return stop.signal;
}

/** Whatever it is that we wait for, an interruption comes first. */
export async function unless<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let interrupt = (): void => {};
  const interrupted = new Promise<never>((_, reject) => {
    interrupt = () => reject(signal.reason);
  });
  signal.addEventListener('abort', interrupt);
  if (signal.aborted) interrupt();
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}
