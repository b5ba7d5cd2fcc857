// A hand inside a daemon: its counters, and faults of its threads that no packet brings about. The daemon knows nothing of
// it; Node loads it first (see tapmain.ts).

import { createConnection } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DROPS, type Drop } from '../../src/esp/drop.ts';
import { COUNTERS } from '../../src/esp/layout.ts';
import type { Espalier } from './espalier.ts';

/** In the environment of a daemon that is to have one. */
export const TAPPED = {
  NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, 'tapmain.js')).href}`,
} as const;

export interface Readings {
  readonly counters: Readonly<Record<string, number>>;
  readonly drops: Readonly<Record<Drop, number>>;
  readonly memory: NodeJS.MemoryUsage;
}

export class Tap {
  readonly #path: string;

  constructor(daemon: Espalier) {
    this.#path = `${daemon.control.replace('unix://', '')}.tap`;
  }

  /** Summed over all threads. */
  read(): Promise<Readings> {
    return this.#tell('read');
  }

  /** Ends a data-plane thread, as an error in it would. */
  end(worker: number): Promise<Readings> {
    return this.#tell(`end ${worker}`);
  }

  /** It does nothing any more, and does not end either. */
  hang(worker: number): Promise<Readings> {
    return this.#tell(`hang ${worker}`);
  }

  async #tell(line: string): Promise<Readings> {
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = createConnection(this.#path, () => socket.write(`${line}\n`));
      socket.on('error', reject);
      socket.on('data', (chunk) => {
        text += chunk;
        if (text.endsWith('\n')) socket.end(() => resolve(text));
      });
    });
    const { counters, drops, memory } = JSON.parse(answer);
    return { counters: named(COUNTERS, counters), drops: named(DROPS, drops), memory };
  }
}

function named<Name extends string>(names: readonly Name[], values: readonly number[]): Record<Name, number> {
  return Object.fromEntries(names.map((name, i) => [name, values[i] ?? 0])) as Record<Name, number>;
}

/** Drops and counters that say something went wrong, where no stranger sends anything and no limit is met. */
export function faults({ counters, drops }: Readings): Readonly<Record<string, number>> {
  const faulty = [...Object.entries(counters).filter(([name]) => FAULTS.has(name)), ...Object.entries(drops)];
  return Object.fromEntries(faulty.filter(([name, count]) => count !== 0 && !HARMLESS.has(name)));
}

const FAULTS: ReadonlySet<string> = new Set([
  'tun-write-failures',
  'send-failures',
  'send-full',
  'mail-full',
  'truncated',
  'unsplittable',
  'seal-failures',
]);
/** Packets of the inside that are for no tunnel, or too big and answered so. */
const HARMLESS: ReadonlySet<string> = new Set(['no-policy', 'too-big', 'acquire']);
