// The command line of one of the two gateways, as its operator types it.

import { once } from 'node:events';
import { controlOf, MAIN } from './gateway.ts';
import type { Side, Stage } from './stage.ts';

export interface Said {
  readonly code: number | null;
  readonly lines: readonly string[];
}

export async function espalier(stage: Stage, side: Side, args: readonly string[]): Promise<Said> {
  const child = stage.spawn(undefined, process.execPath, [MAIN, ...args, '--control', controlOf(side)]);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  const [code] = await once(child, 'close');
  return { code, lines: text.split('\n').filter((line) => line !== '' && !isProgress(line)) };
}

/** It is in the gateways' own words already. */
function isProgress(line: string): boolean {
  return line.startsWith('[');
}
