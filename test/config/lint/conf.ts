// A configuration in which the linter finds nothing, and small changes to it.

import assert from 'node:assert/strict';
import type { Finding } from '../../../src/config/lint/finding.ts';
import { lint } from '../../../src/config/lint/lint.ts';
import { platformNamed } from '../../../src/config/lint/platform/table.ts';
import { loadSwanctl } from '../../../src/config/swanctl.ts';

/** Random, so that nothing can be said against it; no platform refuses any of its characters. */
export const KEY = 'Vq3u7ZtLw9_KfXb2RmNc4Hd8';

export interface Change {
  /** Lines of the connection, in place of those with the same option. */
  readonly conn?: readonly string[];
  readonly local?: readonly string[];
  readonly remote?: readonly string[];
  readonly child?: readonly string[];
  /** Further sections, as text. */
  readonly children?: string;
  readonly connections?: string;
  /** Sections of secrets, in place of the one that is there. */
  readonly secrets?: string;
}

export function conf({ conn, local, remote, child, children, connections, secrets }: Change = {}): string {
  return `connections {
  office {
${lines(['version = 2', 'local_addrs = 192.0.2.1', 'remote_addrs = 198.51.100.2', 'dpd_delay = 30s'], conn)}
    local {
${lines(['auth = psk', 'id = gw1.example.org'], local)}
    }
    remote {
${lines(['auth = psk', 'id = gw2.example.org'], remote)}
    }
    children {
      net {
${lines(['local_ts = 10.1.0.0/24', 'remote_ts = 10.2.0.0/24', 'esp_proposals = aes256gcm16-ecp384'], child)}
      }
${children ?? ''}
    }
  }
${connections ?? ''}
}
secrets {
${secrets ?? `ike-office { \n id-1 = gw2.example.org \n secret = "${KEY}" \n }`}
}
`;
}

function lines(standard: readonly string[], changed: readonly string[] = []): string {
  const option = (line: string) => line.split(/[ ={]/)[0];
  const kept = standard.filter((line) => !changed.some((other) => option(other) === option(line)));
  return [...kept, ...changed.filter((line) => !line.endsWith('= '))].join('\n');
}

export function findings(text: string, platform?: string): readonly Finding[] {
  const { connections, secrets } = loadSwanctl([{ path: 'test.conf', text }]);
  const named = platform === undefined ? undefined : platformNamed(platform);
  if (platform !== undefined) assert.ok(named, `there is no platform ${platform}`);
  return lint({ connections, secrets }, named);
}

export interface Expected {
  readonly severity: Finding['severity'];
  readonly code: string;
  /** How the line begins at which the finding points. */
  readonly at: string;
  readonly text: RegExp;
}

export function error(code: string, at: string, text: RegExp): Expected {
  return { severity: 'error', code, at, text };
}

export function warning(code: string, at: string, text: RegExp): Expected {
  return { severity: 'warning', code, at, text };
}

export function info(code: string, at: string, text: RegExp): Expected {
  return { severity: 'info', code, at, text };
}

/** These findings and no others, each at the right line, with a remedy. */
export function expectFindings(text: string, expected: readonly Expected[], platform?: string): void {
  const found = findings(text, platform);
  const label = ({ severity, code }: Pick<Finding, 'severity' | 'code'>) => `${severity} ${code}`;
  assert.deepEqual(found.map(label).sort(), expected.map(label).sort(), JSON.stringify(found, undefined, 1));
  for (const wanted of expected) {
    const fits = ({ place, text: said, severity, code }: Finding) =>
      severity === wanted.severity &&
      code === wanted.code &&
      (text.split('\n')[place.line - 1] ?? '').trim().startsWith(wanted.at) &&
      wanted.text.test(said);
    assert.ok(found.some(fits), `${label(wanted)} at "${wanted.at}" with ${wanted.text}: ${JSON.stringify(found)}`);
  }
  for (const { place, remedy } of found) {
    assert.equal(place.file, 'test.conf');
    assert.ok(remedy.length > 0, 'a remedy');
  }
}
