// What the audit log calls the commands that change something. The names are API, and made like those of the cloud
// platforms' traces (createVpnConnection, updateResourceState …); the README has a table of both.

import type { Fingerprints } from '../fingerprint.ts';
import { text } from './section.ts';
import type { Section } from './vici.ts';

const ACTIONS: ReadonlyMap<string, string> = new Map([
  ['load-conn', 'updateConnection'],
  ['unload-conn', 'deleteConnection'],
  ['espalier-reload', 'reloadConfiguration'],
  ['espalier-admin', 'updateConnectionState'],
  ['initiate', 'initiateConnection'],
  ['espalier-initiate', 'initiateConnection'],
  ['terminate', 'terminateConnection'],
  ['espalier-terminate', 'terminateConnection'],
  ['rekey', 'rekeyConnection'],
  ['redirect', 'redirectConnection'],
  ['install', 'installTrap'],
  ['uninstall', 'uninstallTrap'],
  ['load-shared', 'loadSecret'],
  ['unload-shared', 'deleteSecret'],
  ['clear-creds', 'clearSecrets'],
  ['load-cert', 'createCertificate'],
  ['flush-certs', 'flushCertificates'],
  ['load-key', 'createKey'],
  ['load-token', 'createKey'],
  ['unload-key', 'deleteKey'],
  ['load-pool', 'createPool'],
  ['unload-pool', 'deletePool'],
  ['load-authority', 'createAuthority'],
  ['unload-authority', 'deleteAuthority'],
  ['reset-counters', 'resetCounters'],
  ['reload-settings', 'reloadSettings'],
]);

/** One that nobody has thought of is called as it is. */
export function actionOf(command: string): string {
  return ACTIONS.get(command) ?? command;
}

/** Keys of messages that name something, and what the audit log calls that. No other value is ever recorded. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ['ike', 'connection'],
  ['child', 'child'],
  ['ike-id', 'ikeSa'],
  ['child-id', 'childSa'],
  ['name', 'name'],
  ['id', 'id'],
  ['status', 'status'],
]);

export function namesIn(command: string, message: Section): Readonly<Record<string, string>> {
  if (command === 'load-conn') return { connection: [...message.keys()][0] ?? '' };
  const found = [...NAMES].flatMap(([key, name]) => {
    const value = text(message, key);
    return value === undefined ? [] : [[command === 'unload-conn' ? 'connection' : name, value] as const];
  });
  return Object.fromEntries(found);
}

export interface ConnectionChange {
  readonly action: 'createConnection' | 'updateConnection' | 'deleteConnection';
  readonly connection: string;
  readonly before?: string;
  readonly after?: string;
}

/** What has become of connections. */
export function changesOf(before: Fingerprints, after: Fingerprints): ConnectionChange[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].flatMap((connection): ConnectionChange[] => {
    const [was, is] = [before.get(connection), after.get(connection)];
    if (was === is) return [];
    if (was === undefined) return is === undefined ? [] : [{ action: 'createConnection', connection, after: is }];
    if (is === undefined) return [{ action: 'deleteConnection', connection, before: was }];
    return [{ action: 'updateConnection', connection, before: was, after: is }];
  });
}
