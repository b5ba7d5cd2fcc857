// Puts packets on a device of a namespace as they are, below its IP: what a stranger sends, or a broken host. See inject.py.

import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { hex } from '../../src/bytes/bytes.ts';
import type { Space } from './netns.ts';

const PYTHON = '/usr/bin/python3';
/** Tests run from `dist/test/support`; the script is not compiled. */
const SCRIPT = new URL('../../../test/support/inject.py', import.meta.url).pathname;

export interface Injected {
  readonly packets: number;
  readonly seconds: number;
}

export class Injector {
  readonly #child: ChildProcess;
  readonly #waiting: ((line: string) => void)[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout) createInterface(child.stdout).on('line', (line) => this.#waiting.shift()?.(line));
    child.once('exit', () => {
      for (const answer of this.#waiting.splice(0)) answer('');
    });
  }

  /** On a wire, `to` is the MAC address of whoever is at its other end; a TUN device has none. */
  static async start(space: Space, dev: string, to?: string): Promise<Injector> {
    const args = [SCRIPT, dev];
    if (to !== undefined) args.push(`${to.replaceAll(':', '')}020000000099`);
    const injector = new Injector(space.spawn(PYTHON, args, { stdio: ['pipe', 'pipe', 'inherit'] }));
    await injector.#answer();
    return injector;
  }

  /** From a neighbour: frames for what `space` has at the far end of `dev`. */
  static async across(space: Space, dev: string, far: Space, farDev: string): Promise<Injector> {
    const link: unknown = JSON.parse(await far.ip('-j', 'link', 'show', 'dev', farDev));
    const address = Array.isArray(link) ? link[0]?.address : undefined;
    if (typeof address !== 'string') throw new Error(`${farDev} of ${far.role} has no address`);
    return Injector.start(space, dev, address);
  }

  /** How many the device took. */
  async send(...packets: readonly Uint8Array[]): Promise<number> {
    return (await this.#tell(`send ${packets.map(hexOrNothing).join(' ')}`)).packets;
  }

  /** One after the other and from the first again; without a rate as fast as it goes. */
  flood(packets: readonly Uint8Array[], seconds: number, rate = 0): Promise<Injected> {
    return this.#tell(`flood ${rate} ${seconds} ${packets.map(hex).join(' ')}`);
  }

  async #tell(line: string): Promise<Injected> {
    this.#child.stdin?.write(`${line}\n`);
    const [packets, seconds] = (await this.#answer()).split(' ').map(Number);
    if (packets === undefined || seconds === undefined) throw new Error('the injector ended');
    return { packets, seconds };
  }

  #answer(): Promise<string> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

function hexOrNothing(packet: Uint8Array): string {
  return packet.length === 0 ? '-' : hex(packet);
}
