// Who a number is on this host: a hint for whoever reads an audit.

import { readFileSync } from 'node:fs';

/** Undefined where /etc/passwd does not know it: it may be a user of a directory service. */
export function userName(uid: number): string | undefined {
  try {
    return nameOf(readFileSync('/etc/passwd', 'utf8'), uid);
  } catch {
    // A host without users.
    return undefined;
  }
}

/** Exported for its test. */
export function nameOf(passwd: string, uid: number): string | undefined {
  for (const line of passwd.split('\n')) {
    const [name = '', , id = ''] = line.split(':');
    if (name !== '' && /^\d+$/.test(id) && Number(id) === uid) return name;
  }
  return undefined;
}

/** What the process calls itself, which it may change at will. */
export function programName(pid: number): string | undefined {
  if (pid === 0) return undefined;
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd();
  } catch {
    // It has ended.
    return undefined;
  }
}
