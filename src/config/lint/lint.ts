// What is wrong with a configuration that loads: everything that needs no peer to be seen.

import type { Connection, SharedKey } from '../../ike/connection.ts';
import { lintAlgorithms } from './algorithms.ts';
import type { Finding } from './finding.ts';
import { lintOwners } from './owners.ts';
import { lintPlatform } from './platform/rules.ts';
import type { Platform } from './platform/table.ts';
import { lintReach } from './reach.ts';
import { lintSecrets } from './secrets.ts';
import { lintSelectors } from './selectors.ts';
import { lintShadows } from './shadows.ts';
import { lintTimes } from './times.ts';

export interface Subject {
  readonly connections: readonly Connection[];
  readonly secrets: readonly SharedKey[];
}

/** In the order of the files. With a platform also what its gateways ask of the other end, which is taken to be us. */
export function lint({ connections, secrets }: Subject, platform?: Platform): Finding[] {
  const findings = [
    ...lintAlgorithms(connections),
    ...lintSelectors(connections),
    ...lintReach(connections),
    ...lintTimes(connections),
    ...lintShadows(connections),
    ...lintSecrets(connections, secrets),
    ...lintOwners(connections, secrets),
    ...(platform ? lintPlatform(connections, secrets, platform) : []),
  ];
  return findings.sort(byPlace);
}

function byPlace({ place: a }: Finding, { place: b }: Finding): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line || a.column - b.column;
}
