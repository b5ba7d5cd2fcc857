// The load: what runs side by side from hosta to hostb and back until it is told to end. Each kind keeps count, and
// notes what is not as it should be.

import type { Lab } from '../interop/scenario.ts';
import { Echo } from '../support/echo.ts';
import { Flow, type Tally } from '../support/flow.ts';
import { run, type Space, until } from '../support/netns.ts';
import { A, B } from '../support/sites.ts';

/** Seconds of one iperf3, whose kinds take turns. */
const TURN = 8;
const STREAM = 2_000_000;
/** Every padding, both sides of a packet's size, and what goes in fragments. */
const SIZES = [...Array(40).keys(), 500, 1371, 1387, 1400, 1410, 1471, 1472, 1473, 2000, 5000, 20_001];
const RATE = 200;

const IPERF: readonly (readonly [name: string, args: readonly string[]])[] = [
  ['TCP', ['-c', B.host]],
  ['TCP back', ['-c', B.host, '-R']],
  ['TCP, four streams over IPv6', ['-c', B.host6, '-P', '4']],
  ['TCP both ways', ['-c', B.host, '--bidir']],
  ['UDP', ['-c', B.host, '-u', '-b', '50M', '-l', '1300']],
  ['TCP over IPv6, back', ['-c', B.host6, '-R']],
];

export interface Counts {
  /** Of TCP that iperf3 has seen arrive. */
  readonly bytes: number;
  /** Of TCP and UDP that came back, and had the checksum that they went with. */
  readonly echoed: number;
  readonly faults: readonly string[];
}

export class Traffic {
  #bytes = 0;
  #echoed = 0;
  readonly #faults: string[] = [];
  #ending = false;
  readonly #work: Promise<unknown>[];
  readonly #flows: readonly Flow[];
  readonly #tell: (fault: string) => void;

  private constructor(hosta: Space, echo: Echo, flows: readonly Flow[], tell: (fault: string) => void) {
    this.#flows = flows;
    this.#tell = tell;
    this.#work = [
      this.#iperf(hosta),
      this.#repeat('a stream over IPv4', STREAM, () => echo.stream(B.host, STREAM)),
      this.#repeat('a stream over IPv6', STREAM, () => echo.stream(B.host6, STREAM)),
      ...[B.host, B.host6].map((address) =>
        this.#repeat(`datagrams to ${address}`, sum(SIZES), () => echo.datagrams(address, SIZES)),
      ),
    ];
  }

  static async start({ net }: Lab, tell: (fault: string) => void): Promise<Traffic> {
    const { hosta, hostb } = net;
    await serve(hostb);
    const echo = await Echo.between(hosta, hostb);
    const ends = { a: hosta, b: hostb, rate: RATE };
    const flows = [
      await Flow.start({ ...ends, aAddress: A.host, bAddress: B.host }),
      await Flow.start({ ...ends, aAddress: A.host6, bAddress: B.host6 }),
    ];
    return new Traffic(hosta, echo, flows, tell);
  }

  get counts(): Counts {
    return { bytes: this.#bytes, echoed: this.#echoed, faults: this.#faults };
  }

  /** Lets what runs come to its end. */
  async stop(): Promise<readonly Tally[]> {
    this.#ending = true;
    await Promise.all(this.#work);
    return (await Promise.all(this.#flows.map((flow) => flow.stop()))).flat();
  }

  #fault(text: string): void {
    this.#faults.push(text);
    this.#tell(text);
  }

  async #repeat(what: string, bytes: number, work: () => Promise<void>): Promise<void> {
    while (!this.#ending) {
      try {
        await work();
        this.#echoed += bytes;
      } catch (error) {
        this.#fault(`${what}: ${error instanceof Error ? error.message : error}`);
      }
    }
  }

  async #iperf(host: Space): Promise<void> {
    for (let turn = 0; !this.#ending; turn++) {
      const [name, args] = IPERF[turn % IPERF.length] as (typeof IPERF)[number];
      const done = await run('ip', ['netns', 'exec', host.name, 'iperf3', ...args, '-t', `${TURN}`, '-J'], {
        timeout: (TURN + 20) * 1000,
      });
      const fault = this.#judge(done.stdout);
      if (fault !== undefined) this.#fault(`iperf3, ${name}: ${fault}`);
    }
  }

  /** What arrived is what was sent, less what was on its way when time was up. */
  #judge(text: string): string | undefined {
    let report: unknown;
    try {
      report = JSON.parse(text);
    } catch {
      return 'no report';
    }
    const { error, end } = report as Report;
    if (error !== undefined) return error;
    const pairs = [
      [end?.sum_sent, end?.sum_received],
      [end?.sum_sent_bidir_reverse, end?.sum_received_bidir_reverse],
    ] as const;
    for (const [sent, received] of pairs) {
      if (sent === undefined || received === undefined) continue;
      if (received.bytes > sent.bytes || received.bytes < sent.bytes - IN_FLIGHT - LOSS * sent.bytes) {
        return `${sent.bytes} bytes went, ${received.bytes} arrived`;
      }
      this.#bytes += received.bytes;
    }
    return end?.sum_received === undefined ? 'no figures' : undefined;
  }
}

interface Sum {
  readonly bytes: number;
}

interface Report {
  readonly error?: string;
  readonly end?: {
    readonly sum_sent?: Sum;
    readonly sum_received?: Sum;
    readonly sum_sent_bidir_reverse?: Sum;
    readonly sum_received_bidir_reverse?: Sum;
  };
}

/** Sockets' buffers; and the share of UDP that may be lost while TCP takes all it gets. */
const IN_FLIGHT = 64 << 20;
const LOSS = 0.1;

async function serve(host: Space): Promise<void> {
  const server = host.spawn('iperf3', ['-s', '--forceflush'], { stdio: ['ignore', 'pipe', 'ignore'] });
  let listens = false;
  server.stdout?.on('data', (text) => {
    listens ||= `${text}`.includes('listening');
  });
  await until('iperf3 listens', () => listens || undefined);
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}
