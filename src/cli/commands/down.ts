// `espalier down NAME`: takes down a connection or one child. What is down already is no failure.

import { clean } from '../../bytes/printable.ts';
import { command, connections, resolve, withClient } from '../ask.ts';
import { DONE, FAILED, type Io } from '../io.ts';
import { reasonLines } from '../render/reason.ts';
import { paint } from '../render/style.ts';

export interface DownArguments {
  readonly control: string;
  readonly json: boolean;
  readonly name: string;
}

export async function down({ control, json, name }: DownArguments, io: Io): Promise<number> {
  const { label, answer } = await withClient(control, async (client) => {
    const { connection, children, whole } = resolve(name, await connections(client));
    const child = whole ? undefined : children[0];
    const progress = (line: string) => {
      if (!json) io.out(paint(clean(line), 'dim', io.colour));
    };
    const what = { ike: connection.name, child };
    return {
      label: clean(child === undefined ? connection.name : `${connection.name}/${child}`),
      answer: await command(client, 'espalier-terminate', what, 0, progress),
    };
  });
  const idle = answer.matches === 0;
  const ok = answer.ok || idle;
  if (json) {
    const failure = ok || answer.reason === undefined ? {} : { reason: answer.reason };
    io.out(JSON.stringify({ name: label, ok, matches: answer.matches ?? 0, ...failure }, undefined, 2));
  } else if (ok) {
    io.out(idle ? `${label}: was not up` : `${label}: down`);
  } else {
    const [first = 'no reason given', ...details] = answer.reason ? reasonLines(answer.reason) : [];
    io.err(`${label}: ${paint('failed', 'red', io.colour)}: ${first}`);
    for (const line of details) io.err(line);
  }
  return ok ? DONE : FAILED;
}
