// Telling the service manager (sd_notify(3)).

import { SystemError } from './error.ts';
import { addon } from './native.ts';

/** `socket` is what $NOTIFY_SOCKET says. */
export function notify(socket: string, lines: readonly string[]): void {
  const error = addon().notifySend(Buffer.from(socket), Buffer.from(lines.join('\n')));
  if (error !== 0) throw new SystemError('sendto', -error, `the service manager's socket is ${socket}`);
}
