// The daemon as a service: what it tells the service manager, and what a signal asks of it (sd_notify(3), systemd.service(5)).
// Without a service manager nothing is told.

import type { Logger } from 'pino';
import { SystemError } from '../net/error.ts';
import { notify } from '../net/notify.ts';

export interface ServiceOptions {
  /** Read once, and cleared of what was meant for this process alone. */
  readonly env: NodeJS.ProcessEnv;
  readonly pid: number;
  readonly log: Pick<Logger, 'warn' | 'error'>;
  readonly tell?: (socket: string, lines: readonly string[]) => void;
}

export interface Duties {
  /** One sentence for `systemctl status`. */
  readonly status: () => string;
  /** Whether the threads of the data plane go round. That the main one does is seen by the question. */
  readonly alive: () => boolean;
  readonly reload: () => Promise<void>;
}

/** How often the sentence is looked at where no watchdog asks for more. */
const LOOK_EVERY = 10_000;
const VARIABLES = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID'] as const;

export class Service {
  readonly #options: ServiceOptions;
  readonly #socket: string | undefined;
  /** Milliseconds between two signs of life. */
  readonly #beat: number | undefined;
  #duties: Duties | undefined;
  #status = '';
  #timer: NodeJS.Timeout | undefined;
  /** Reloads come one after the other; a wish that comes before its turn is one with those that wait already. */
  #reloads: Promise<void> = Promise.resolve();
  #waiting = false;
  #stopping = false;
  /** READY was not heard, which the manager may wait for: it is said once more. */
  #unheard = false;
  /** How the last thing that was said failed. */
  #failure: string | undefined;

  constructor(options: ServiceOptions) {
    this.#options = options;
    const [socket, micros, pid] = VARIABLES.map((name) => options.env[name]);
    for (const name of VARIABLES) delete options.env[name];
    this.#socket = socket === '' ? undefined : socket;
    const ours = pid === undefined || Number(pid) === options.pid;
    this.#beat = micros !== undefined && /^[1-9]\d*$/.test(micros) && ours ? Number(micros) / 2000 : undefined;
  }

  /** The daemon answers from now on. */
  ready(duties: Duties): void {
    this.#duties = duties;
    this.#say('READY=1', ...this.#news());
    if (this.#socket !== undefined) {
      this.#timer = setInterval(() => this.#look(), Math.min(this.#beat ?? LOOK_EVERY, LOOK_EVERY));
      this.#timer.unref();
    }
    if (this.#waiting) this.#queue();
  }

  /** On SIGHUP. What is asked for before all is ready is done then. */
  reload(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    if (this.#duties) this.#queue();
  }

  /** From now on there is nothing to reload, and READY would take the end back. */
  stopping(): void {
    this.#stopping = true;
    this.#unheard = false;
    this.#say('STOPPING=1', 'STATUS=stopping');
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #queue(): void {
    this.#reloads = this.#reloads.then(() => this.#reload());
  }

  async #reload(): Promise<void> {
    this.#waiting = false;
    if (this.#stopping) return;
    this.#say('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`, 'STATUS=reloading');
    this.#status = '';
    try {
      await this.#duties?.reload();
    } catch (err) {
      this.#options.log.error({ event: 'bug', bug: true, err }, 'the reload met a bug');
    }
    if (!this.#stopping) this.#say('READY=1', ...this.#news());
  }

  #look(): void {
    const alive = this.#duties?.alive() === true;
    if (!alive) this.#options.log.error({ event: 'hangs' }, 'a thread of the data plane hangs, and cannot be replaced');
    const ready = this.#unheard ? ['READY=1'] : [];
    this.#say(...ready, ...(alive && this.#beat !== undefined ? ['WATCHDOG=1'] : []), ...this.#news());
  }

  /** The sentence, where it is another one than before. */
  #news(): readonly string[] {
    if (this.#stopping) return [];
    const status = this.#duties?.status() ?? '';
    if (status === this.#status) return [];
    this.#status = status;
    return [`STATUS=${status}`];
  }

  #say(...lines: readonly string[]): void {
    if (this.#socket === undefined || lines.length === 0) return;
    try {
      (this.#options.tell ?? notify)(this.#socket, lines);
      this.#unheard = false;
      this.#failure = undefined;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      const { syscall, code, message } = error;
      this.#unheard ||= lines.includes('READY=1');
      this.#status = '';
      if (code !== this.#failure) this.#options.log.warn({ event: 'notify-failed', syscall, code }, message);
      this.#failure = code;
    }
  }
}

/** "3 connections: 2 connected, 1 connecting". */
export function summary(states: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const state of states) counts.set(state, (counts.get(state) ?? 0) + 1);
  const parts = [...counts].map(([state, count]) => `${count} ${state}`);
  const number = states.length === 1 ? '1 connection' : `${states.length || 'no'} connections`;
  return parts.length === 0 ? number : `${number}: ${parts.join(', ')}`;
}
