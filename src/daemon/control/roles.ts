// Who may do what on the control socket. Whoever can open it may do everything, as strongSwan has it; members of two
// groups that can be named at start may do less: read what there is, or operate what is configured.

import type { Peer } from '../../net/peer.ts';

export type Role = 'read' | 'operate' | 'admin';

const RANK: Readonly<Record<Role, number>> = { read: 0, operate: 1, admin: 2 };

const COMMANDS: Readonly<Record<Role, readonly string[]>> = {
  read: [
    ...['version', 'stats', 'list-sas', 'list-conns', 'list-policies', 'list-certs', 'list-authorities'],
    ...['get-conns', 'get-pools', 'get-authorities', 'get-counters', 'get-algorithms', 'get-keys', 'get-shared'],
    ...['espalier-addresses', 'espalier-counters', 'espalier-status'],
  ],
  operate: [
    ...['initiate', 'terminate', 'rekey', 'redirect', 'install', 'uninstall', 'reset-counters'],
    ...['espalier-initiate', 'espalier-terminate', 'espalier-admin'],
  ],
  admin: [
    ...['load-conn', 'unload-conn', 'load-shared', 'unload-shared', 'load-cert', 'load-key', 'load-token'],
    ...['unload-key', 'flush-certs', 'clear-creds', 'load-pool', 'unload-pool', 'load-authority', 'unload-authority'],
    ...['reload-settings', 'espalier-reload'],
  ],
};

const NEEDED: ReadonlyMap<string, Role> = new Map(
  (Object.keys(COMMANDS) as Role[]).flatMap((role) => COMMANDS[role].map((command) => [command, role] as const)),
);

/** What a command needs; one that nobody has thought of needs everything. */
export function needed(command: string): Role {
  return NEEDED.get(command) ?? 'admin';
}

/** Whether somebody has thought of it. */
export function isClassified(command: string): boolean {
  return NEEDED.has(command);
}

export interface RoleGroups {
  /** Of the daemon. */
  readonly uid: number;
  /** Members may only read. */
  readonly read?: number | undefined;
  /** Members may operate, and not configure. */
  readonly operate?: number | undefined;
}

/** Root, or the daemon's own user: who could do the same without asking. */
export function isMaster(peer: Peer, { uid }: RoleGroups): boolean {
  return peer.uid === 0 || peer.uid === uid;
}

export function roleOf(peer: Peer, groups: RoleGroups): Role {
  if (isMaster(peer, groups)) return 'admin';
  const { read, operate } = groups;
  const within = (gid: number | undefined) => gid !== undefined && (peer.gid === gid || peer.groups?.includes(gid));
  // The more that one may, the better; groups that cannot be told are taken for the ones that may least.
  if (within(operate)) return 'operate';
  if (within(read)) return 'read';
  if (peer.groups === undefined && (read !== undefined || operate !== undefined)) {
    return read !== undefined ? 'read' : 'operate';
  }
  return 'admin';
}

export function may(role: Role, command: string): boolean {
  return RANK[role] >= RANK[needed(command)];
}
