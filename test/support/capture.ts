// What passes on a device of a namespace, as tcpdump sees it: IP packets, without what is in front of them.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { type Space, until } from './netns.ts';

export interface Captured {
  /** Milliseconds of the wall clock. */
  readonly at: number;
  /** From the IP header on, and no more than was asked for. */
  readonly bytes: Uint8Array;
}

export interface CaptureOptions {
  /** A filter as tcpdump has it. */
  readonly filter: string;
  /** Bytes of each packet that are kept. */
  readonly snap?: number;
  /** Only what comes in, or only what goes out. */
  readonly direction?: 'in' | 'out';
}

const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const MAGIC_MICROS = 0xa1b2_c3d4;
const QUIET = 150;
/** Link types: a frame, and an IP packet as it is. */
const ETHERNET = 1;
const FRAME_HEADER = 14;

export class Capture {
  readonly packets: Captured[] = [];
  readonly #tcpdump: ChildProcess;
  #rest: Buffer = Buffer.alloc(0);
  #skip: number | undefined;
  #stderr = '';

  private constructor(tcpdump: ChildProcess) {
    this.#tcpdump = tcpdump;
    tcpdump.stdout?.on('data', (chunk: Buffer) => this.#take(chunk));
    tcpdump.stderr?.on('data', (chunk) => {
      this.#stderr += chunk;
    });
  }

  static async start(space: Space, dev: string, options: CaptureOptions): Promise<Capture> {
    const { filter, snap = 128, direction } = options;
    const args = [
      '-i',
      dev,
      '-n',
      '-p',
      '-U',
      '--immediate-mode',
      '-B',
      '32768',
      '-s',
      `${snap + FRAME_HEADER}`,
      '-w',
      '-',
    ];
    if (direction) args.push('-Q', direction);
    const tcpdump = space.spawn('tcpdump', [...args, filter], { stdio: ['ignore', 'pipe', 'pipe'] });
    const capture = new Capture(tcpdump);
    await until('tcpdump listens', () => {
      if (tcpdump.exitCode !== null) throw new Error(`tcpdump ended: ${capture.#stderr}`);
      return /listening on/.test(capture.#stderr) || undefined;
    });
    return capture;
  }

  /** Waits until so many have come. */
  async have(count: number, patience?: number): Promise<readonly Captured[]> {
    await until(`${count} captured packets`, () => (this.packets.length >= count ? true : undefined), patience);
    return this.packets;
  }

  /** All there was; tcpdump says how many it missed, which must be none. */
  async stop(): Promise<readonly Captured[]> {
    await this.#quiet();
    const ended = once(this.#tcpdump, 'close');
    this.#tcpdump.kill('SIGINT');
    await ended;
    const missed = /(\d+) packets dropped by kernel/.exec(this.#stderr)?.[1];
    if (missed !== '0') throw new Error(`tcpdump missed packets: ${this.#stderr}`);
    return this.packets;
  }

  /** What was on its way to tcpdump is here: nothing more has come for a while. */
  async #quiet(): Promise<void> {
    for (let count = -1; count !== this.packets.length; ) {
      count = this.packets.length;
      await new Promise((resolve) => setTimeout(resolve, QUIET));
    }
  }

  #take(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    if (this.#skip === undefined) {
      if (this.#rest.length < FILE_HEADER) return;
      if (this.#rest.readUInt32LE(0) !== MAGIC_MICROS) throw new Error('not what tcpdump writes on this machine');
      this.#skip = this.#rest.readUInt32LE(20) === ETHERNET ? FRAME_HEADER : 0;
      at = FILE_HEADER;
    }
    while (this.#rest.length - at >= RECORD_HEADER) {
      const size = this.#rest.readUInt32LE(at + 8);
      const end = at + RECORD_HEADER + size;
      if (this.#rest.length < end) break;
      const time = this.#rest.readUInt32LE(at) * 1000 + this.#rest.readUInt32LE(at + 4) / 1000;
      this.packets.push({ at: time, bytes: new Uint8Array(this.#rest.subarray(at + RECORD_HEADER + this.#skip, end)) });
      at = end;
    }
    this.#rest = this.#rest.subarray(at);
  }
}
