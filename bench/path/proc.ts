// What /proc says of processes and of the machine: CPU time and resident memory (proc(5)).

import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second in what the kernel tells programs, on every architecture that Node runs on. */
const TICKS = 100;
const KTHREADD = 2;

export interface Times {
  readonly pid: number;
  readonly parent: number;
  /** Seconds of CPU of its own. */
  readonly own: number;
  /** Of its children that have ended. */
  readonly reaped: number;
}

/** The name in parentheses may hold anything. */
export function parseTimes(stat: string): Times {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = (at: number) => Number(fields[at]) / TICKS;
  return {
    pid: Number.parseInt(stat, 10),
    parent: Number(fields[1]),
    own: ticks(11) + ticks(12),
    reaped: ticks(13) + ticks(14),
  };
}

/** CPU time of all cores together: in use, and of that what the host gave to other machines. */
export function parseMachine(stat: string): { readonly busy: number; readonly stolen: number } {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, stolen = 0] = (/^cpu +(.*)$/m.exec(stat)?.[1] ?? '')
    .split(' ')
    .map((ticks) => Number(ticks) / TICKS);
  return { busy: user + nice + system + irq + softirq, stolen };
}

/** CPU time of `root`, all that comes from it, and the kernel's threads, which work for whoever sends packets. */
export function familyTime(all: readonly Times[], root: number): number {
  const parents = new Map(all.map(({ pid, parent }) => [pid, parent]));
  const belongs = (pid: number) => {
    for (let at: number | undefined = pid; at !== undefined && at > 0; at = parents.get(at))
      if (at === root) return true;
    return false;
  };
  let total = 0;
  for (const { pid, parent, own, reaped } of all) {
    if (parent === KTHREADD) total += own;
    else if (belongs(pid)) total += own + reaped;
  }
  return total;
}

export function processes(): readonly Times[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    const stat = read(`/proc/${pid}/stat`);
    return stat === undefined ? [] : [parseTimes(stat)];
  });
}

export function machine() {
  return parseMachine(read('/proc/stat') ?? '');
}

/** Seconds of CPU so far, of all threads. */
export function cpuTime(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) throw new Error(`process ${pid} is gone`);
  return parseTimes(stat).own;
}

/** In MB. */
export function resident(pid: number): number {
  const status = read(`/proc/${pid}/status`) ?? '';
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    // The process ended meanwhile.
    return undefined;
  }
}
