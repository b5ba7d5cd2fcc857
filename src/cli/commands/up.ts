// `espalier up NAME`: brings up a connection with all its children, or one child, and shows how it goes.

import { clean } from '../../bytes/printable.ts';
import type { ReasonView } from '../../daemon/control/status.ts';
import { type Answer, command, connections, type Named, resolve, withClient } from '../ask.ts';
import { DONE, FAILED, type Io } from '../io.ts';
import { reasonLines } from '../render/reason.ts';
import { paint } from '../render/style.ts';

export interface UpArguments {
  readonly control: string;
  readonly json: boolean;
  readonly name: string;
  readonly wait: boolean;
  /** Seconds; 0 waits until it is up or has failed. */
  readonly timeout: number;
}

interface Result {
  readonly name: string;
  readonly ok: boolean;
  readonly reason?: ReasonView;
}

/** Refusals of one child, after which the next one may still succeed. Anything else concerns the whole connection. */
const CHILD_ONLY: ReadonlySet<string> = new Set([
  'no-child-proposal',
  'wrong-group',
  'ts-mismatch',
  'mode-mismatch',
  'ah-nat',
  'nat-conflict',
  'single-pair',
  'pfs-mismatch',
  'temporary-failure',
  'child-not-found',
]);

export async function up({ control, json, name, wait, timeout }: UpArguments, io: Io): Promise<number> {
  const limit = wait ? Math.round(timeout * 1000) : -1;
  const results = await withClient(control, async (client) => {
    const named = resolve(name, await connections(client));
    const done: Result[] = [];
    for (const child of targets(named)) {
      const what = { ike: named.connection.name, child };
      const progress = (line: string) => {
        if (!json) io.out(paint(clean(line), 'dim', io.colour));
      };
      const answer = await command(client, 'espalier-initiate', what, limit, progress);
      const result = { name: label(what), ok: answer.ok, ...reasonOf(answer) };
      done.push(result);
      if (!json) tell(result, wait, io);
      if (!answer.ok && !CHILD_ONLY.has(answer.reason?.code ?? '')) break;
    }
    return done;
  });
  if (json) io.out(JSON.stringify(results, undefined, 2));
  return results.every((result) => result.ok) ? DONE : FAILED;
}

/** A connection without children is brought up for itself. */
function targets({ children }: Named): readonly (string | undefined)[] {
  return children.length > 0 ? children : [undefined];
}

function label({ ike, child }: { readonly ike: string; readonly child: string | undefined }): string {
  return child === undefined ? ike : `${ike}/${child}`;
}

function reasonOf({ reason }: Answer): { readonly reason?: ReasonView } {
  return reason === undefined || reason.code === 'ok' ? {} : { reason };
}

function tell({ name, ok, reason }: Result, waited: boolean, io: Io): void {
  const shown = clean(name);
  if (ok) {
    io.out(`${shown}: ${paint(waited ? 'connected' : 'started', 'green', io.colour)}`);
    return;
  }
  const [first = 'no reason given', ...details] = reason ? reasonLines(reason) : [];
  io.err(`${shown}: ${paint('failed', 'red', io.colour)}: ${first}`);
  for (const line of details) io.err(line);
}
