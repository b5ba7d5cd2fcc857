// What a daemon may do, however it was started: by root, as another user, in a container (SECURITY: F, privileges). Of
// every thread, because on Linux each has its own.

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Plan } from '../interop/plan.ts';
import { inLab, type Lab } from '../interop/scenario.ts';
import { ROOT } from '../structure/source.ts';
import { Espalier, MAIN } from '../support/espalier.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { run, Topology } from '../support/netns.ts';

const skip = lacking(...NETWORK, 'tun', 'espalier', 'swanctl', 'setpriv', 'python3');

/** CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW. */
const THREE = (1n << 10n) | (1n << 12n) | (1n << 13n);
const WITHOUT_RAW = (1n << 10n) | (1n << 12n);
const NOBODY = 65_534;
const STRANGER = 10_001;

/** Where everybody may read what is built, whoever owns the folders above. */
const READABLE = ['sh', '-ec', 'mount --bind "$0" /mnt; exec "$@"', ROOT];
const PROGRAM = [process.execPath, '/mnt/dist/src/cli/main.js'];
const NAMES = '+net_admin,+net_bind_service,+net_raw';
const ONLY_THREE = `-all,${NAMES}`;

/** What a container runtime does for a user that is not root, where it knows ambient capabilities. */
const AS_STRANGER = [
  'setpriv',
  ...[`--reuid=${STRANGER}`, `--regid=${STRANGER}`, '--clear-groups', '--no-new-privs'],
  ...[`--bounding-set=${ONLY_THREE}`, `--inh-caps=${ONLY_THREE}`, `--ambient-caps=${ONLY_THREE}`],
];
/** A user who has more than the three, has no need to become itself, and could not. */
const AS_NOBODY = [
  ...['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'],
  ...[`--inh-caps=-all,+chown,${NAMES}`, `--ambient-caps=-all,+chown,${NAMES}`],
];
/** A host that has locked a bit which has nothing to do with capabilities: SECBIT_EXEC_RESTRICT_FILE. */
const RESTRICTED = [
  '/usr/bin/python3',
  '-c',
  'import ctypes, os, sys; ctypes.CDLL(None).prctl(28, 0x300, 0, 0, 0); os.execvp(sys.argv[1], sys.argv[1:])',
];
/** And for its root: --cap-drop ALL, and --cap-add for each. */
const AS_CONTAINERS_ROOT = ['setpriv', `--bounding-set=${ONLY_THREE}`, '--inh-caps=-all'];

const NO_CORE = /^Max core file size +0 +0 /m;

interface Rights {
  readonly uid: number;
  readonly effective: bigint;
  readonly permitted: bigint;
  readonly inheritable: bigint;
  readonly bounding: bigint;
  readonly noNewPrivileges: boolean;
}

/** Each combination that a thread has. */
function rightsOf(daemon: Espalier): readonly Rights[] {
  const tasks = `/proc/${daemon.pid}/task`;
  const all = readdirSync(tasks).map((task): Rights => {
    const text = readFileSync(join(tasks, task, 'status'), 'utf8');
    const field = (name: string) => new RegExp(`^${name}:\\s*(\\w+)`, 'm').exec(text)?.[1] ?? '';
    const set = (name: string) => BigInt(`0x${field(name)}`);
    return {
      uid: Number(field('Uid')),
      effective: set('CapEff'),
      permitted: set('CapPrm'),
      inheritable: set('CapInh'),
      bounding: set('CapBnd'),
      noNewPrivileges: field('NoNewPrivs') === '1',
    };
  });
  assert.ok(all.length > 4, 'V8 has threads, and so has the data plane');
  const differ = (one: Rights, other: Rights) => Object.values(one).join() !== Object.values(other).join();
  return all.filter((one, i) => all.slice(0, i).every((other) => differ(one, other)));
}

function exactly(uid: number, capabilities: bigint): readonly Rights[] {
  const sets = { effective: capabilities, permitted: capabilities, inheritable: capabilities, bounding: capabilities };
  return [{ uid, ...sets, noNewPrivileges: true }];
}

function startedAnew({ pid }: Espalier): boolean {
  return readFileSync(`/proc/${pid}/environ`, 'utf8').includes('ESPALIER_STARTED_ANEW');
}

/** Two daemons that are started in this way have a tunnel that works. */
async function tunnelled(daemon: Plan['daemon'], look: (daemon: Espalier, lab: Lab) => void): Promise<void> {
  await inLab({ a: 'espalier', b: 'espalier', inside: [4, 6], ...(daemon ? { daemon } : {}) }, async (lab) => {
    await lab.up('a');
    await lab.pings();
    assert.ok(lab.a instanceof Espalier);
    look(lab.a, lab);
  });
}

test('started by root, every thread keeps three capabilities, and a tunnel works', { skip }, () =>
  tunnelled({}, (daemon) => {
    assert.deepEqual(rightsOf(daemon), exactly(0, THREE));
    assert.match(readFileSync(`/proc/${daemon.pid}/limits`, 'utf8'), NO_CORE);
  }),
);

test('without raw sockets the capability for them goes, too', { skip }, () =>
  tunnelled({ args: ['--io-without', 'raw'] }, (daemon) => assert.deepEqual(rightsOf(daemon), exactly(0, WITHOUT_RAW))),
);

test('started by root it becomes another user, in whose folders it works', { skip }, () =>
  tunnelled({ program: [...READABLE, ...PROGRAM], owner: NOBODY, args: ['--user', 'nobody'] }, (daemon) => {
    assert.deepEqual(rightsOf(daemon), exactly(NOBODY, THREE));
    assert.match(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'), /^Groups:\s+65534 *$/m);
  }),
);

test('as a user who has just the three it is started once, and a tunnel works', { skip }, () =>
  tunnelled({ program: [...READABLE, ...AS_STRANGER, ...PROGRAM], owner: STRANGER }, (daemon) => {
    assert.deepEqual(rightsOf(daemon), exactly(STRANGER, THREE));
    assert.equal(startedAnew(daemon), false);
    assert.match(readFileSync(`/proc/${daemon.pid}/limits`, 'utf8'), NO_CORE);
    assert.equal(statSync(`/proc/${daemon.pid}/mem`).uid, 0, 'a memory that is not dumped is closed to its user');
  }),
);

test("as a container's root, who may not even change its bounding set, it keeps the three", { skip }, () =>
  tunnelled({ program: [...AS_CONTAINERS_ROOT, process.execPath, MAIN] }, (daemon) => {
    assert.deepEqual(rightsOf(daemon), exactly(0, THREE));
    assert.equal(startedAnew(daemon), true);
  }),
);

interface Refusal {
  readonly code: number;
  readonly stderr: string;
}

async function refused(topology: Topology, args: readonly string[], before: readonly string[] = []): Promise<Refusal> {
  const space = await topology.space('gateway');
  const [command = process.execPath, ...rest] = [
    ...before,
    ...(before.length > 0 ? PROGRAM : [process.execPath, MAIN]),
  ];
  return space.run(command, [...rest, 'daemon', ...args], { timeout: 30_000 });
}

test('a user that there is not, or that only root could become, is refused', { skip }, async () => {
  await using topology = new Topology();
  const control = `unix://${topology.folder()}/vici.sock`;
  const unknown = await refused(topology, ['--control', control, '--user', 'no-such-user-here']);
  assert.deepEqual([unknown.code, unknown.stderr], [1, 'espalier: there is no user no-such-user-here\n']);
  const before = [...READABLE, ...AS_STRANGER];
  const powerless = await refused(topology, ['--control', control, '--user', 'nobody'], before);
  assert.equal(powerless.code, 1);
  assert.match(powerless.stderr, /setresuid: operation not permitted: only root may become another user/);
});

/** It ends where it reads the configuration: after it has given up what it does not need. */
const NO_CONFIG = ['--config', '/nonexistent'];

test('who is the user already gives up the rest without becoming it, and a bit that is locked stays', {
  skip,
}, async () => {
  await using topology = new Topology();
  const folder = topology.folder();
  for (const [before, args] of [
    [AS_NOBODY, ['--user', 'nobody']],
    [RESTRICTED, []],
  ] as const) {
    const places = ['--control', `unix://${folder}/vici.sock`, '--state-dir', folder];
    const { code, stderr } = await refused(topology, [...NO_CONFIG, ...places, ...args], [...READABLE, ...before]);
    assert.equal(code, 2, stderr);
  }
});

test('a folder that cannot be made is named', { skip }, async () => {
  await using topology = new Topology();
  const control = `unix://${topology.folder()}/vici.sock`;
  const folder = join(topology.folder(), 'none', 'state');
  const { code, stderr } = await refused(topology, ['--user', 'nobody', '--control', control, '--state-dir', folder]);
  const why = `espalier: privileges cannot be given up: ENOENT: no such file or directory, mkdir '${folder}'\n`;
  assert.deepEqual([code, stderr], [1, why]);
});

test('a node with capabilities of its own, which would take those of the daemon, is named', {
  skip: skip || lacking('setcap'),
}, async () => {
  await using topology = new Topology();
  const folder = topology.folder();
  const node = join(folder, 'node');
  copyFileSync(process.execPath, node);
  await run('setcap', ['cap_net_bind_service=+ep', node]);
  const space = await topology.space('gateway');
  const places = ['--control', `unix://${folder}/vici.sock`, '--state-dir', folder];
  const { code, stderr } = await space.run(node, [MAIN, 'daemon', ...NO_CONFIG, ...places], { timeout: 30_000 });
  const why = `espalier: ${node} has capabilities of its own, which take the place of the daemon's: remove them with setcap -r ${node}\n`;
  assert.deepEqual([code, stderr], [1, why]);
});

test('a configuration that is closed to the daemon is refused with the name of whom it is closed to', {
  skip,
}, async () => {
  await using topology = new Topology();
  const folder = topology.folder();
  const file = join(folder, 'swanctl.conf');
  writeFileSync(file, '', { mode: 0o600 });
  await run('chmod', ['711', folder]);
  const { code, stderr } = await refused(topology, ['--config', file], [...READABLE, ...AS_STRANGER]);
  const why = `${file}: cannot be read: permission denied to user ${STRANGER}, group ${STRANGER}; its owner lets that group read it with: chgrp ${STRANGER} ${file} && chmod 640 ${file}\n`;
  assert.deepEqual([code, stderr], [2, why]);
});

test('root learns at once that a folder of another user is closed to it now', { skip }, async () => {
  await using topology = new Topology();
  const folder = join(topology.folder(), 'run');
  mkdirSync(folder, { mode: 0o750 });
  await run('chown', ['nobody', folder]);
  const { code, stderr } = await refused(topology, ['--control', `unix://${folder}/vici.sock`]);
  assert.equal(code, 1);
  assert.equal(stderr, `espalier: ${folder} belongs to nobody: start the daemon with --user nobody\n`);
});

test('a program in a home that is closed to others is told, and runs when it is open', { skip }, async () => {
  const topology = new Topology();
  try {
    const folder = topology.folder();
    const home = join(folder, 'home');
    mkdirSync(join(home, 'checkout'), { recursive: true });
    await run('chown', [`${STRANGER}`, home]);
    const program = [process.execPath, join(home, 'checkout/dist/src/cli/main.js')];
    const space = await topology.space('gateway');
    const start = async (mode: string, ...args: readonly string[]) => {
      await run('chmod', [mode, home]);
      const first = 'mount --bind "$0" "$1"; shift; exec "$@"';
      const command = ['-ec', first, ROOT, join(home, 'checkout'), ...program, 'daemon', ...args];
      return space.run('sh', command, { timeout: 30_000 });
    };
    await run('chmod', ['711', folder]);
    const own = ['--control', `unix://${folder}/vici.sock`, '--state-dir', join(folder, 'state')];
    const why = `and its program lies in there: move it, to /opt for example, or run: chmod a+x ${home}\n`;
    const root = await start('700', ...own);
    const whom = 'the daemon, which keeps of root only what it needs';
    assert.deepEqual([root.code, root.stderr], [1, `espalier: ${home} is closed to ${whom}, ${why}`]);
    const other = await start('700', ...own, '--user', 'nobody');
    assert.deepEqual([other.code, other.stderr], [1, `espalier: ${home} is closed to user ${NOBODY}, ${why}`]);
    const wrong = [...own, '--config', join(folder, 'none.conf')];
    assert.match((await start('711', ...wrong)).stderr, /none\.conf: /, 'it has come as far as its configuration');
  } finally {
    await topology.dispose();
  }
});

test('what root has to make for another user is made, and belongs to it', { skip }, async () => {
  await using topology = new Topology();
  const folder = topology.folder();
  const [control, state] = [join(folder, 'run'), join(folder, 'state')];
  const args = ['--user', 'nobody', '--control', `unix://${control}/vici.sock`, '--state-dir', state];
  const { code } = await refused(topology, [...args, ...NO_CONFIG], READABLE);
  assert.equal(code, 2);
  for (const [path, mode] of [
    [control, 0o750],
    [state, 0o700],
  ] as const) {
    const facts = statSync(path);
    assert.deepEqual([facts.uid, facts.gid, facts.mode & 0o7777], [NOBODY, NOBODY, mode], path);
  }
});
