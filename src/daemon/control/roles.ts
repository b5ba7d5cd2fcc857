// Who may do what on the control socket. Whoever can open it may do everything, as strongSwan has it; members of two
// groups that can be named at start may do less: read what there is, or operate what is configured.

import type { Peer } from '../../net/peer.ts';

export type Role = 'read' | 'operate' | 'admin';

const RANK: Readonly<Record<Role, number>> = { read: 0, operate: 1, admin: 2 };

const READ =
  /^(version|stats|list-.*|get-(conns|pools|authorities|counters|algorithms|keys|shared)|espalier-(addresses|counters|status))$/;
const OPERATE =
  /^(initiate|terminate|rekey|redirect|install|uninstall|reset-counters|espalier-(initiate|terminate|admin))$/;

/** What a command needs; one that nobody has thought of needs everything. */
export function needed(command: string): Role {
  return READ.test(command) ? 'read' : OPERATE.test(command) ? 'operate' : 'admin';
}

export interface RoleGroups {
  /** Of the daemon. */
  readonly uid: number;
  /** Members may only read. */
  readonly read?: number | undefined;
  /** Members may operate, and not configure. */
  readonly operate?: number | undefined;
}

export function roleOf(peer: Peer, { uid, read, operate }: RoleGroups): Role {
  if (peer.uid === 0 || peer.uid === uid) return 'admin';
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
