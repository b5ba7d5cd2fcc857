// What the linter says: a code that scripts can rely on, where, what, and how to mend it.

import type { Place, SharedKey } from '../../ike/connection.ts';
import { formatIdentity } from '../../ike/identity.ts';

/** error: the platform would refuse it, or it protects nothing; warning: it works, but not well; info: worth knowing. */
export type Severity = 'error' | 'warning' | 'info';

export interface Finding {
  readonly place: Place;
  readonly severity: Severity;
  readonly code: string;
  readonly text: string;
  readonly remedy: string;
}

interface Placed {
  readonly where: ReadonlyMap<string, Place>;
}

/** Where the first of these options is written; the section itself when none is. */
export function placeOf({ where }: Placed, ...options: readonly string[]): Place {
  for (const option of [...options, '']) {
    const place = where.get(option);
    if (place) return place;
  }
  return { file: '', line: 0, column: 0 };
}

/** Whether one of these options is written at all: in an ipsec.conf each has its word, and the place of the conn then. */
export function isWritten({ where }: Placed, option: string): boolean {
  const [place, section] = [where.get(option), where.get('')];
  return place !== undefined && !(place.line === section?.line && place.column === section.column);
}

/** What to do about it, in the language of the file: some things are said otherwise in an ipsec.conf. */
export function advice({ where }: Placed, swanctl: string, ipsec: string): string {
  const foreign = where.get('version') ?? where.get('mode');
  return foreign?.option === undefined ? swanctl : ipsec;
}

/** A secret by its owners: never by what it contains. */
export function nameOfSecret({ owners }: SharedKey): string {
  return owners.length > 0 ? `the secret for ${owners.map(formatIdentity).join(', ')}` : 'the secret for anybody';
}

export function placeOfSecret({ place }: SharedKey): Place {
  return place ?? { file: '', line: 0, column: 0 };
}

/** `8h`, `90m`, `45s`: the largest unit in which it is a whole number. */
export function span(millis: number): string {
  const units = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'm'],
    [1000, 's'],
  ] as const;
  const [size, unit] = units.find(([whole]) => millis > 0 && millis % whole === 0) ?? [1, 'ms'];
  return `${millis / size}${unit}`;
}
