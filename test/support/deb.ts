// The Debian package as a user gets it: built once in a process, and put over this host's /usr where only one command
// and its children see it.

import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../structure/source.ts';
import { must, type Topology } from './netns.ts';

export interface Package {
  readonly file: string;
  /** Where it is unpacked. */
  readonly root: string;
}

export async function packed(topology: Topology): Promise<Package> {
  const folder = topology.folder();
  const said = await must(process.execPath, [join(ROOT, 'conf/deb.mjs'), '--out', folder], { timeout: 120_000 });
  const file = /^deb: (\S+\.deb) /m.exec(said)?.[1];
  if (file === undefined || !existsSync(file)) throw new Error(`conf/deb.mjs made no package: ${said}`);
  const root = join(folder, 'root');
  await must('dpkg-deb', ['-x', file, root]);
  return { file, root };
}

/** Runs a command as on a host that has the package, in a mount namespace of its own: `ip netns exec` makes one. */
export function withPackage({ root }: Package): readonly string[] {
  return ['sh', '-ec', 'mount -t overlay overlay -o lowerdir="$0/usr":/usr /usr; exec "$@"', root];
}

/**
 * Runs a command in a container as far as a file system makes one: this host's root beneath an overlay, without systemd,
 * with the package installed. The folders of tests are there.
 */
export function inContainer({ file }: Package, command: readonly string[]): readonly string[] {
  return ['sh', '-ec', CONTAINER, 'container', file, tmpdir(), ...command];
}

const CONTAINER = `
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
root=/mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work $root
for folder in /proc /dev "$2"; do mount --rbind "$folder" "$root$folder"; done
mount -t tmpfs tmpfs $root/run
rm -f $root/usr/bin/systemd-sysusers $root/usr/bin/systemd-tmpfiles
chroot $root dpkg -i "$1" >&2
shift 2
exec chroot $root "$@"`;
