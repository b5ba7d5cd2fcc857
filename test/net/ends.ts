// The data plane's descriptors in an agent, with a lane over them: whatever comes in is told, packet by packet.

import { hex } from '../../src/bytes/bytes.ts';
import { formatIp } from '../../src/bytes/ip.ts';
import {
  COUNTERS,
  DRAINED,
  IN,
  laneMemory,
  MESSAGE,
  MESSAGE_WORDS,
  OUT,
  SOURCE,
  SOURCES,
  USE_ALL,
  WORDS,
} from '../../src/esp/layout.ts';
import { openLane } from '../../src/net/lane.ts';
import { addon, type Watch } from '../../src/net/native.ts';

export type Tell = (on: string, hex: string, from: string, to: string) => void;

const COUNT = DRAINED - 1;
const READ_BYTES = 1 << 20;

export class Ends {
  readonly #tell: Tell;
  readonly #memory = laneMemory();
  readonly #fds: number[] = new Array(SOURCES).fill(-1);
  readonly #watches = new Map<number, Watch>();
  #lane: ReturnType<typeof openLane> | undefined;

  constructor(tell: Tell) {
    this.#tell = tell;
  }

  /** -1 takes the source away. A lane knows its descriptors from its start, so it starts anew. */
  use(source: number, fd: number, uses = USE_ALL): void {
    this.#unwatch(source);
    this.#lane?.close();
    this.#fds[source] = fd;
    this.#lane = openLane(
      { index: 0, workers: 1, uses, fds: this.#fds },
      this.#memory,
      new Float64Array(COUNTERS.length),
    );
    if (fd < 0) return;
    const take = source === SOURCE.TUN ? () => this.#read() : () => this.#receive(source);
    this.#watches.set(source, addon().pollStart(fd, take));
  }

  inject(packet: Uint8Array): boolean {
    return (this.#fds[SOURCE.TUN] as number) >= 0 && addon().laneInject(packet) >= 0;
  }

  #unwatch(source: number): void {
    const watch = this.#watches.get(source);
    if (watch) addon().pollStop(watch);
    this.#watches.delete(source);
  }

  #read(): void {
    const { tx, out } = this.#memory;
    const read = this.#lane?.read(16, READ_BYTES) ?? 0;
    if (read < 0) {
      this.#unwatch(SOURCE.TUN);
      return this.#tell('gone', '', `${read}`, '');
    }
    for (let i = 0; i < (read & COUNT); i++) {
      const at = out[i * WORDS + OUT.OFFSET] as number;
      this.#tell('tun', hex(tx.subarray(at, at + (out[i * WORDS + OUT.LENGTH] as number))), '', '');
    }
  }

  #receive(source: number): void {
    const { rx, in: words } = this.#memory;
    const count = (this.#lane?.receive(source, 16) ?? 0) & COUNT;
    for (let i = 0; i < count; i++) {
      const at = words[i * WORDS + IN.OFFSET] as number;
      const message = (words[i * WORDS + IN.EXTRA] as number) >>> 16;
      const bytes = hex(rx.subarray(at, at + (words[i * WORDS + IN.LENGTH] as number)));
      this.#tell('data', bytes, this.#address(message, MESSAGE.REMOTE), this.#address(message, MESSAGE.LOCAL));
    }
  }

  #address(message: number, which: number): string {
    const { messages } = this.#memory;
    const at = message * MESSAGE_WORDS;
    const bytes = new Uint8Array(((messages[at + MESSAGE.KIND] as number) & 0xff) === 4 ? 4 : 16);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < bytes.length; i += 4) view.setInt32(i, messages[at + which + i / 4] as number);
    return formatIp(bytes);
  }
}
