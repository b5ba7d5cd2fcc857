// Telling the service manager (sd_notify(3)).

import { utf8 } from '../bytes/bytes.ts';
import { SystemError } from './error.ts';
import { addon } from './native.ts';

/** `socket` is what $NOTIFY_SOCKET says. */
export function notify(socket: string, lines: readonly string[]): void {
  const error = addon().notifySend(utf8(socket), utf8(lines.join('\n')));
  if (error !== 0) throw new SystemError('sendto', -error, `the service manager's socket is ${socket}`);
}
