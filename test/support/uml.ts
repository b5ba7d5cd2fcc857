// A machine with a Linux kernel of its own: Debian's user-mode-linux, an ordinary process of its namespace that needs
// no KVM. Its root is this host's, read-only, so every program that is here is there; /run is its own, and one folder
// is shared. Its network cards are bridged to interfaces of the namespace.
//
// Commands go through a console: a script is put into the shared folder and its number is said; the answer is the
// number and the exit code. When the console is closed, by whatever end of this process, the machine switches itself off.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Done, Space, Topology } from './netns.ts';

export const UML = '/usr/bin/linux.uml';
const MODULES = '/usr/lib/uml/modules';

/** Where the guest sees the shared folder. */
export const SHARED = '/run/shared';

const BOOT_PATIENCE = 60_000;
const END_PATIENCE = 5000;

export interface GuestOptions {
  /** Interfaces of the namespace, and the addresses of the guest's card on each, which has the same name. */
  readonly ports: Readonly<Record<string, readonly string[]>>;
  /** With all that will be needed: none is loaded later. */
  readonly modules?: readonly string[];
  /** In MB. What is not used is not taken. */
  readonly memory?: number;
}

export class Guest {
  readonly space: Space;
  /** The shared folder, as this host sees it. */
  readonly folder: string;
  readonly #machine: ChildProcess;
  readonly #waiting = new Map<string, (code: number) => void>();
  #serial = 0;
  #down: Error | undefined;

  private constructor(space: Space, folder: string, machine: ChildProcess) {
    this.space = space;
    this.folder = folder;
    this.#machine = machine;
    machine.once('exit', (code, signal) => this.#fail(`the guest ended with ${code ?? signal}`));
    // Writing to a machine that has just ended is no error of its own.
    machine.stdin?.on('error', () => {});
    if (machine.stdout) createInterface(machine.stdout).on('line', (line) => this.#hear(line));
  }

  static async boot(topology: Topology, space: Space, options: GuestOptions): Promise<Guest> {
    const folder = topology.folder();
    const cards = Object.keys(options.ports);
    // What the guest says on its links, this namespace does not say too.
    await space.sysctl({ 'net.ipv6.conf.all.disable_ipv6': 1, 'net.ipv6.conf.default.disable_ipv6': 1 });
    for (const [index, dev] of cards.entries()) await plug(space, dev, index);
    writeFileSync(join(folder, 'init'), init(folder), { mode: 0o755 });
    const out = openSync(join(folder, 'console.log'), 'a');
    const machine = space.spawn(UML, commandLine(folder, cards.length, options.memory ?? 256), {
      stdio: ['pipe', 'pipe', out],
      env: { ...process.env, TMPDIR: folder },
    });
    closeSync(out);
    const guest = new Guest(space, folder, machine);
    topology.defer(() => guest.stop());
    await guest.#answer('0', BOOT_PATIENCE, 'boot');
    await guest.must(setUp(options));
    return guest;
  }

  /** Runs a shell script in the guest, beside others. */
  async run(script: string, options: { timeout?: number } = {}): Promise<Done> {
    const { timeout = 20_000 } = options;
    const name = `${++this.#serial}`;
    const file = join(this.folder, name);
    writeFileSync(file, script);
    this.#machine.stdin?.write(`${name} ${Math.ceil(timeout / 1000)}\n`);
    // The guest ends the script itself; when it does not even do that, it hangs.
    const code = await this.#answer(name, timeout + 5000, script);
    const read = (part: string) => readFileSync(`${file}.${part}`, 'utf8');
    const done = { code, stdout: read('out'), stderr: read('err') };
    for (const part of ['', '.out', '.err']) rmSync(`${file}${part}`, { force: true });
    return done;
  }

  /** Runs a shell script and throws unless it succeeded. */
  async must(script: string, options: { timeout?: number } = {}): Promise<string> {
    const done = await this.run(`set -e\n${script}`, options);
    if (done.code === 0) return done.stdout;
    throw new Error(`in the guest: exit ${done.code}\n${done.stderr}${done.stdout}${script}`);
  }

  /** Writes a file into the shared folder and returns its path in the guest. Names are not to be used again. */
  write(name: string, text: string): string {
    writeFileSync(join(this.folder, name), text);
    return join(SHARED, name);
  }

  /** What the kernel has said. */
  console(): string {
    return readFileSync(join(this.folder, 'console.log'), 'utf8');
  }

  /** Switches it off; what it has not done within seconds is done for it. */
  async stop(): Promise<void> {
    const machine = this.#machine;
    if (machine.exitCode !== null || machine.signalCode !== null) return;
    const gone = once(machine, 'exit');
    machine.stdin?.end();
    const impatience = setTimeout(() => machine.kill('SIGKILL'), END_PATIENCE);
    await gone;
    clearTimeout(impatience);
  }

  #answer(name: string, patience: number, what: string): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#down) return reject(this.#down);
      const fail = () => reject(this.#down ?? new Error(`no answer from the guest in ${patience} ms to: ${what}`));
      const clock = setTimeout(() => {
        this.#waiting.delete(name);
        fail();
      }, patience);
      this.#waiting.set(name, (code) => {
        clearTimeout(clock);
        this.#waiting.delete(name);
        if (this.#down) fail();
        else resolve(code);
      });
    });
  }

  #hear(line: string): void {
    const [name = '', code] = line.trim().split(' ');
    this.#waiting.get(name)?.(Number(code));
  }

  #fail(why: string): void {
    this.#down = new Error(`${why}\n${this.console().split('\n').slice(-20).join('\n')}`);
    for (const settle of this.#waiting.values()) settle(-1);
  }
}

/** A tap, bridged. It must never be set down: the guest's card would stay dead. */
async function plug(space: Space, dev: string, index: number): Promise<void> {
  const [tap, bridge] = [`tap${index}`, `bridge${index}`];
  await space.ip('tuntap', 'add', 'dev', tap, 'mode', 'tap');
  await space.ip('link', 'add', bridge, 'type', 'bridge', 'mcast_snooping', '0');
  for (const port of [tap, dev]) await space.ip('link', 'set', port, 'master', bridge);
  for (const port of [tap, bridge]) await space.ip('link', 'set', port, 'up');
}

function commandLine(folder: string, cards: number, memory: number): string[] {
  return [
    `mem=${memory}M`,
    'root=/dev/root',
    'rootfstype=hostfs',
    'rootflags=/',
    'ro',
    `init=${folder}/init`,
    // What the kernel says goes to the second console, so that the first is for commands alone.
    ...['con=null', 'con0=fd:0,fd:1', 'ssl=null', 'ssl0=null,fd:2', 'console=ttyS0'],
    ...[`uml_dir=${folder}/`, 'umid=uml'],
    ...Array.from({ length: cards }, (_, i) => `vec${i}:transport=tap,ifname=tap${i},depth=128,gro=1`),
  ];
}

/** The first process. Its console is a terminal as far as the guest knows. */
function init(folder: string): string {
  return `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mkdir -p ${SHARED} /run/kernel/lib/modules /run/netns
mount -t hostfs hostfs ${SHARED} -o ${folder}
mount -t hostfs hostfs /run/kernel/lib/modules -o ${MODULES}
# Where the kernel looks for modules itself, for each algorithm several times, it takes a second until an SA is there.
echo >/proc/sys/kernel/modprobe
exec </dev/tty0 >/dev/tty0
stty raw -echo
cd ${SHARED}
echo 0 0
while read -r name seconds; do
  # Takes notice of what has ended meanwhile.
  jobs >/dev/null
  { timeout -k 1 "$seconds" sh "$name" >"$name.out" 2>"$name.err" </dev/null; echo "$name $?"; } &
done
echo o >/proc/sysrq-trigger
sleep 60
`;
}

function setUp({ ports, modules = [] }: GuestOptions): string {
  const cards = Object.entries(ports).flatMap(([dev, addresses], index) => [
    `ip link set vec${index} name ${dev}`,
    ...addresses.map((address) => `ip address add ${address} dev ${dev}${address.includes(':') ? ' nodad' : ''}`),
    `ip link set ${dev} up`,
  ]);
  return `
modprobe -d /run/kernel -a ipv6 ${modules.join(' ')}
ip link set lo up
# Link-local addresses without a second of duplicate address detection: until then no neighbour is asked for.
for settings in /proc/sys/net/ipv6/conf/*; do
  echo 0 >$settings/accept_dad
  echo 0 >$settings/dad_transmits
done
for settings in /proc/sys/net/ipv4/conf/*; do echo 0 >$settings/rp_filter; done
${cards.join('\n')}
`;
}
