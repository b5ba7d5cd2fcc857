// Whether the program itself is still within reach once root has given up reading what is not root's. A checkout in
// somebody's home is not, where the home is closed to others; Node would only say that it finds no module.

import { realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

export interface Who {
  readonly uid: number;
  readonly gid: number;
  /** Further groups. Undefined where nobody knows them yet. */
  readonly groups?: readonly number[];
}

/** The first folder on the way to one of these files that certainly does not let them through. */
export function closedFolder(files: readonly string[], who: Who): string | undefined {
  const folders = files.flatMap((file) => above(realpathSync(file)));
  return folders.find((folder) => !passes(folder, who));
}

/** From the root on. */
function above(file: string): readonly string[] {
  const folder = dirname(file);
  return folder === file ? [] : [...above(folder), folder];
}

function passes(folder: string, { uid, gid, groups }: Who): boolean {
  const found = statSync(folder);
  if (found.uid === uid) return (found.mode & 0o100) !== 0;
  if (found.gid === gid || groups?.includes(found.gid)) return (found.mode & 0o010) !== 0;
  return (found.mode & (groups === undefined ? 0o011 : 0o001)) !== 0;
}
