// `espalier log`: follows the daemon's log, as a person reads it or, with --json, as the daemon writes it.

import { text } from '../../daemon/control/section.ts';
import { readable } from '../../daemon/logtext.ts';
import { withClient } from '../ask.ts';
import { FAILED, type Io } from '../io.ts';

export interface LogArguments {
  readonly control: string;
  readonly json: boolean;
  /** Only what concerns this connection. */
  readonly name?: string | undefined;
}

/** Ends when the daemon does, or with a signal. */
export async function log({ control, json, name }: LogArguments, io: Io): Promise<number> {
  const why = await withClient(control, async (client) => {
    await client.register('espalier-log', (message) => {
      const line = (text(message, 'line') ?? '').trimEnd();
      if (name !== undefined && connectionOf(line) !== name) return;
      io.out(json ? line : readable(line, io.colour));
    });
    return client.closed();
  });
  io.err(`espalier: ${why.message}`);
  return FAILED;
}

function connectionOf(line: string): unknown {
  try {
    const record: unknown = JSON.parse(line);
    return typeof record === 'object' && record !== null && 'conn' in record ? record.conn : undefined;
  } catch {
    // A line that was too long for the socket is cut.
    return undefined;
  }
}
