// A host with systemd as its first process, in a network namespace of the test: this host's root beneath an overlay that
// goes with it, own processes, own control groups, and the Debian package installed as an administrator does it. No
// other service of this host is started there.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Done, run, type Space, type Topology, until } from './netns.ts';

export interface MachineOptions {
  readonly deb: string;
  /** Of swanctl.conf. */
  readonly conf: string;
}

/** In a control group of its own, after those that killed tests have left. */
const OUTSIDE = `
mount -t cgroup2 cgroup2 /mnt
for group in /mnt/espalier-test-*; do
  owner="\${group#/mnt/espalier-test-}"
  [ -d "/proc/\${owner%-*}" ] || find "$group" -depth -type d -exec rmdir {} + || true
done
mkdir "/mnt/$1"
echo $$ > "/mnt/$1/cgroup.procs"
umount /mnt
exec unshare --pid --fork --kill-child --mount --uts --ipc --cgroup sh -ec "$2" machine "$3" "$4"`;

const INSIDE = `
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
root=/mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work $root
mount -t proc proc $root/proc
mount -o bind,ro $root/proc/sys $root/proc/sys
mount -t sysfs -o ro sysfs $root/sys
mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs $root/dev
mkdir $root/dev/net $root/dev/shm
for device in null zero full random urandom tty net/tun; do
  touch $root/dev/$device
  mount --bind /dev/$device $root/dev/$device
done
mount -t tmpfs -o mode=755 tmpfs $root/run
units=$root/usr/lib/systemd/system
rm -rf $units/*.wants $root/etc/systemd/system
mkdir $root/etc/systemd/system $units/sysinit.target.wants
ln -s ../systemd-journald.service $units/sysinit.target.wants
echo 0123456789abcdef0123456789abcdef > $root/etc/machine-id
cp "$1" $root/espalier.deb
cp "$2" $root/swanctl.conf
chroot $root sh -ec '
  dpkg -i /espalier.deb
  cp /swanctl.conf /etc/espalier/swanctl.conf
  chmod 640 /etc/espalier/swanctl.conf
  systemctl enable espalier.service' >&2
exec env -i container=other PATH="$PATH" chroot $root /usr/lib/systemd/systemd --unit=multi-user.target`;

const BOOT_PATIENCE = 60_000;
let serial = 0;

export class Machine {
  readonly #process: ChildProcess;
  readonly #group: string;
  #first = 0;
  #said = '';

  private constructor(child: ChildProcess, group: string) {
    this.#process = child;
    this.#group = group;
    child.stderr?.on('data', (chunk) => {
      this.#said += chunk;
    });
  }

  static async boot(topology: Topology, space: Space, { deb, conf }: MachineOptions): Promise<Machine> {
    const file = join(topology.folder(), 'swanctl.conf');
    writeFileSync(file, conf);
    const group = `espalier-test-${process.pid}-${++serial}`;
    const child = space.spawn('sh', ['-ec', OUTSIDE, 'machine', group, INSIDE, deb, file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const machine = new Machine(child, group);
    topology.defer(() => machine.off());
    await until('systemd has started the service', () => machine.#isUp(), BOOT_PATIENCE);
    return machine;
  }

  run(command: string, ...args: readonly string[]): Promise<Done> {
    return run('nsenter', ['-t', `${this.#first}`, '-m', '-p', '-n', '-u', '-i', '-C', '-r', '-w', command, ...args]);
  }

  async must(command: string, ...args: readonly string[]): Promise<string> {
    const done = await this.run(command, ...args);
    if (done.code === 0) return done.stdout;
    throw new Error(`${command} ${args.join(' ')}: exit ${done.code}\n${done.stderr}${done.stdout}${await this.log()}`);
  }

  /** A property of the unit. */
  async show(name: string): Promise<string> {
    return (await this.must('systemctl', 'show', '--value', '-p', name, 'espalier.service')).trim();
  }

  async log(): Promise<string> {
    return (await this.run('journalctl', '--no-pager', '-n', '60')).stdout;
  }

  /** Everything in it ends with its first process. */
  async off(): Promise<void> {
    const child = this.#process;
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
    const script = `mount -t cgroup2 cgroup2 /mnt; find "/mnt/${this.#group}" -depth -type d -exec rmdir {} +`;
    await until('its groups are empty', async () => (await run('unshare', ['-m', 'sh', '-ec', script])).code === 0);
  }

  async #isUp(): Promise<boolean> {
    const { pid, exitCode } = this.#process;
    if (exitCode !== null) throw new Error(`the machine ended with ${exitCode}: ${this.#said}`);
    const children = (await run('pgrep', ['-P', `${pid}`])).stdout.trim();
    const name = children === '' ? '' : (await run('cat', [`/proc/${children}/comm`])).stdout.trim();
    if (name !== 'systemd') return false;
    this.#first = Number(children);
    return (await this.run('systemctl', 'is-active', 'espalier.service')).stdout.trim() === 'active';
  }
}
