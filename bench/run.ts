// Two processes of `bench/peer.ts` that talk to one another, and what they cost.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Measure, Order, Report, Shell } from './peer.ts';
import type { Plan } from './site.ts';

export interface Setup extends Omit<Plan, 'port'> {
  readonly shell: Shell;
  readonly nodeOptions?: readonly string[];
}

/** What a run cost. */
export interface Cost {
  readonly count: number;
  /** Milliseconds. */
  readonly wall: number;
  readonly gateway: number;
  readonly peers: number;
}

export class Run {
  readonly #gateway: Process;
  readonly #peers: Process;

  private constructor(gateway: Process, peers: Process) {
    this.#gateway = gateway;
    this.#peers = peers;
  }

  static async start({ shell, nodeOptions = [], ...site }: Setup): Promise<Run> {
    const gateway = new Process(nodeOptions);
    const peers = new Process(nodeOptions);
    const run = new Run(gateway, peers);
    try {
      const { port } = await gateway.ask({ do: 'start', role: 'gateway', shell, plan: { ...site, port: 0 } }, 'port');
      await peers.ask({ do: 'start', role: 'peers', shell, plan: { ...site, port } }, 'port');
    } catch (error) {
      await run.stop();
      throw error;
    }
    return run;
  }

  /** Sets up tunnels from these peers. */
  async setUp(peers: readonly number[], parallel: number): Promise<Cost> {
    const before = await this.measure();
    const { wall } = await this.#peers.ask({ do: 'run', peers, parallel }, 'wall');
    const after = await this.measure();
    for (const side of ['gateway', 'peers'] as const) {
      const dropped = after[side].dropped - before[side].dropped;
      if (dropped > 0) throw new Error(`the ${side} dropped ${dropped} messages: the figures would be wrong`);
    }
    return {
      count: peers.length,
      wall,
      gateway: after.gateway.cpu - before.gateway.cpu,
      peers: after.peers.cpu - before.peers.cpu,
    };
  }

  async measure(): Promise<{ readonly gateway: Measure; readonly peers: Measure }> {
    const [gateway, peers] = await Promise.all([
      this.#gateway.ask({ do: 'measure' }, 'measure'),
      this.#peers.ask({ do: 'measure' }, 'measure'),
    ]);
    return { gateway: gateway.measure, peers: peers.measure };
  }

  async stop(): Promise<void> {
    await Promise.all([this.#gateway.stop(), this.#peers.stop()]);
  }
}

/** Milliseconds for what takes seconds. */
const PATIENCE = 120_000;
const GRACE = 2000;

type Of<K extends string> = Extract<Report, { readonly [P in K]: unknown }>;

class Process {
  readonly #child: ChildProcess;

  constructor(nodeOptions: readonly string[]) {
    const path = fileURLToPath(new URL('./peer.js', import.meta.url));
    this.#child = fork(path, { execArgv: [...nodeOptions] });
  }

  async ask<K extends 'port' | 'wall' | 'measure'>(order: Order, key: K): Promise<Of<K>> {
    const child = this.#child;
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(PATIENCE)]);
    const answer = once(child, 'message', { signal });
    const end = once(child, 'exit', { signal });
    child.send(order);
    try {
      const [report]: unknown[] = await Promise.race([answer, end]);
      if (has(report, key)) return report;
      throw new Error(`a process of the bench has ended during "${order.do}": ${String(report)}`);
    } finally {
      stop.abort();
      await Promise.allSettled([answer, end]);
    }
  }

  /** Also when it stands still. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const end = once(child, 'exit');
    const kill = setTimeout(() => child.kill('SIGKILL'), GRACE);
    if (child.connected) child.disconnect();
    await end;
    clearTimeout(kill);
  }
}

function has<K extends string>(report: unknown, key: K): report is Of<K> {
  return typeof report === 'object' && report !== null && key in report;
}

/** Every so-manyth peer, so that none is always the first of its list. */
export function peersOf(configured: number, count: number, offset = 0): number[] {
  const step = Math.floor(configured / count);
  return Array.from({ length: count }, (_, i) => i * step + offset);
}
