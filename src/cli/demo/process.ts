// Processes by number and start time, so that one which took over a number is never mistaken for the one that had it.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Process {
  readonly pid: number;
  /** Clock ticks after boot. */
  readonly started: string;
}

/** Undefined when there is no such process, or it has ended and only waits to be reaped. */
export function identify(pid: number): Process | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // proc(5): the name in parentheses may hold anything; state is field 3, starttime field 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const started = fields[19];
  return started === undefined || fields[0] === 'Z' ? undefined : { pid, started };
}

export function alive({ pid, started }: Process): boolean {
  return identify(pid)?.started === started;
}

/** Asks them to end, and after `grace` milliseconds does not ask any more. */
export async function end(processes: readonly Process[], grace: number): Promise<void> {
  send(processes, 'SIGTERM');
  for (const until = Date.now() + grace; Date.now() < until && processes.some(alive); ) await sleep(20);
  send(processes, 'SIGKILL');
  for (const until = Date.now() + 1000; Date.now() < until && processes.some(alive); ) await sleep(10);
}

function send(processes: readonly Process[], signal: NodeJS.Signals): void {
  for (const process_ of processes.filter(alive)) {
    try {
      process.kill(process_.pid, signal);
    } catch {
      // It ended meanwhile.
    }
  }
}
