// The daemon needs little of what root may do, and a parser that meets strangers should have less. Whoever starts it with
// more gets a daemon that has started itself anew with what it needs (SECURITY: F, privileges). The unit of systemd gives
// no more from the beginning.

import { lchownSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { quoted } from '../config/permissions.ts';
import { type Capability, findUser, forbidDumps, maskOf, ownRights, startAnew, type User } from '../net/privilege.ts';
import { userName } from './accounts.ts';
import { parseUri } from './control/uri.ts';
import { closedFolder } from './passage.ts';

export interface PrivilegeOptions {
  /** Whom to become. */
  readonly user?: string;
  readonly control: string;
  readonly stateDir: string;
  readonly ioWithout?: string;
}

/** In the environment of the second start, so that there is never a third: a bit for each capability that it was to have. */
const AGAIN = 'ESPALIER_STARTED_ANEW';

/**
 * Undefined when this process has no more than it needs; otherwise it starts anew and never returns, or says why that
 * cannot be. Comes before anything is opened.
 */
export function shedPrivileges(options: PrivilegeOptions): string | undefined {
  const again = process.env[AGAIN];
  delete process.env[AGAIN];
  try {
    forbidDumps();
    return shed(options, again);
  } catch (error) {
    // Of the addon, or of Node: a folder whose parent is missing, a host without /proc.
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    return `privileges cannot be given up: ${error.message}`;
  }
}

function shed(options: PrivilegeOptions, again: string | undefined): string | undefined {
  const { user: name } = options;
  const user = name === undefined ? undefined : findUser(name);
  if (name !== undefined && !user) return `there is no user ${name}`;
  const uid = process.getuid?.() ?? 0;
  const target = user ?? { uid, gid: process.getgid?.() ?? 0 };
  const { capabilities, permitted, noNewPrivileges } = ownRights();
  const reduced = (capabilities & ~BigInt(maskOf(ALL))) === 0n && noNewPrivileges && target.uid === uid;
  if (!reduced && again !== undefined) return 'privileges cannot be given up: something gives them back';
  // execve(2) lets a program with capabilities of its own inherit none.
  if (again !== undefined && (BigInt(again) & ~permitted) !== 0n)
    return `${process.execPath} has capabilities of its own, which take the place of the daemon's: remove them with setcap -r ${process.execPath}`;
  const closed = reduced ? undefined : programClosedTo(target, user === undefined);
  if (closed) return closed;
  const folders = foldersOf(options);
  if (!reduced && uid === 0) for (const folder of folders) prepare(folder, target);
  const foreign = target.uid === 0 ? folders.map(closedToRoot).find((one) => one !== undefined) : undefined;
  if (foreign) return `${foreign.path} belongs to ${foreign.owner}: start the daemon with --user ${foreign.owner}`;
  if (reduced) return undefined;
  // Who is that user already need not be able to become it.
  const other = uid === 0 || uid !== target.uid ? name : undefined;
  const keep = needed(options);
  const kept = BigInt(maskOf(keep)) & permitted;
  return startAnew(keep, { ...process.env, [AGAIN]: `${kept}` }, other);
}

/** Node and its program must be found again by whom the daemon becomes. */
function programClosedTo(target: User, isSame: boolean): string | undefined {
  const program = process.argv[1];
  if (program === undefined) return undefined;
  const groups = isSame ? { groups: process.getgroups?.() ?? [] } : {};
  const folder = closedFolder([process.execPath, program], { ...target, ...groups });
  if (folder === undefined) return undefined;
  const whom = target.uid === 0 ? 'the daemon, which keeps of root only what it needs' : `user ${target.uid}`;
  return `${folder} is closed to ${whom}, and its program lies in there: move it, to /opt for example, or run: chmod a+x ${quoted(folder)}`;
}

/** Who gives no more than this, whether or not it is needed, is not contradicted: a unit, a container. */
const ALL: readonly Capability[] = ['NET_ADMIN', 'NET_BIND_SERVICE', 'NET_RAW'];

/** The scripts of connections get the same, and ports may be opened later, too: that to low ones stays. */
function needed({ ioWithout }: PrivilegeOptions): readonly Capability[] {
  return (ioWithout ?? '').split(',').includes('raw') ? ALL.filter((name) => name !== 'NET_RAW') : ALL;
}

interface Folder {
  readonly path: string;
  readonly mode: number;
}

/** Where the daemon will write. */
function foldersOf({ control, stateDir }: PrivilegeOptions): readonly Folder[] {
  const uri = parseUri(control);
  const run = 'path' in uri ? [{ path: dirname(uri.path), mode: 0o750 }] : [];
  return [...run, { path: stateDir, mode: 0o700 }];
}

/** A folder that only root can make, for a daemon that is root no longer. What is there already stays as it is. */
function prepare({ path, mode }: Folder, { uid, gid }: User): void {
  if (uid === 0 || statSync(path, { throwIfNoEntry: false })) return;
  mkdirSync(path, { mode });
  lchownSync(path, uid, gid);
}

/** Root without CAP_DAC_OVERRIDE is nobody special in the folders of others. */
function closedToRoot({ path }: Folder): { readonly path: string; readonly owner: string } | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.uid === 0 || (found.mode & 0o002) !== 0) return undefined;
  return { path, owner: userName(found.uid) ?? `${found.uid}` };
}
