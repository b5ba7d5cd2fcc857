// The date that this host has: no timer of ours goes by it, but logs and certificates do.

import { read, run } from './files.ts';
import type { Verdict } from './verdict.ts';

const SERVICE = 'timedatectl set-ntp true';

/** Certificates and logs need the hour, tunnels with pre-shared keys do not: all their clocks are monotonic. */
export function clock(built: number, now: number = Date.now()): Verdict {
  const base = { code: 'clock', about: 'clock' } as const;
  const date = new Date(now).toISOString().slice(0, 10);
  if (now < built - 86_400_000) {
    const text = `the clock says ${date}, which is before this program was made: certificates and logs will be wrong`;
    return { ...base, health: 'problem', text, command: SERVICE, advice: 'where there is no time service: date -s' };
  }
  const synchronised = isSynchronised();
  if (synchronised === false) {
    const text = `the clock says ${date}, and no time service keeps it right`;
    return { ...base, health: 'note', text, command: SERVICE };
  }
  return {
    ...base,
    health: 'ok',
    text: `the clock says ${date}${synchronised ? ', and a time service keeps it' : ''}`,
  };
}

/** Undefined where nobody can be asked. */
function isSynchronised(): boolean | undefined {
  if (read('/run/systemd/timesync/synchronized') !== undefined) return true;
  const asked = run('timedatectl', 'show', '--property=NTPSynchronized', '--value');
  return asked.ok ? asked.out.trim() === 'yes' : undefined;
}
