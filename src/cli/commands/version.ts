// `espalier version`: this program's version and that of the daemon, which may be older until it is restarted.

import { clean } from '../../bytes/printable.ts';
import { ControlError } from '../../daemon/control/client.ts';
import { text } from '../../daemon/control/section.ts';
import { VERSION } from '../about.ts';
import { daemonVersion, plainSection, withClient } from '../ask.ts';
import { DONE, type Io } from '../io.ts';

export interface VersionArguments {
  readonly control: string;
  readonly json: boolean;
}

export async function version({ control, json }: VersionArguments, io: Io): Promise<number> {
  const daemon = await withClient(control, daemonVersion).catch((error: unknown) => {
    if (error instanceof ControlError) return error;
    throw error;
  });
  const reached = !(daemon instanceof ControlError);
  if (json) {
    const answer = reached ? { daemon: plainSection(daemon) } : { unreachable: daemon.message };
    io.out(JSON.stringify({ version: VERSION, ...answer }, undefined, 2));
    return DONE;
  }
  io.out(`espalier ${VERSION}`);
  if (reached) {
    const part = (key: string) => clean(text(daemon, key) ?? '?');
    io.out(`daemon: ${part('daemon')} ${part('version')} (${part('sysname')} ${part('release')}, ${part('machine')})`);
  } else {
    io.out(`daemon: ${daemon.message}`);
  }
  return DONE;
}
