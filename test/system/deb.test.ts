// The Debian package: what is in it, and that it works as it is installed, with its own Node and nothing of this checkout.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import { VERSION } from '../../src/cli/about.ts';
import type { Plan } from '../interop/plan.ts';
import { inLab } from '../interop/scenario.ts';
import { inContainer, type Package, packed, withPackage } from '../support/deb.ts';
import { Espalier } from '../support/espalier.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { must, Topology } from '../support/netns.ts';

const skip = lacking(...NETWORK, 'tun', 'espalier', 'swanctl', 'overlay', 'dpkg', 'objdump', 'setpriv');

/** Of Debian 12. */
const LIBC = [2, 36] as const;

const topology = new Topology();
let built: Package;

before(async () => {
  if (skip === false) built = await packed(topology);
});
after(() => topology.dispose());

function entries(): readonly { readonly path: string; readonly mode: number; readonly isFile: boolean }[] {
  return readdirSync(built.root, { recursive: true, encoding: 'utf8' }).map((path) => {
    const facts = statSync(join(built.root, path));
    return { path, mode: facts.mode & 0o7777, isFile: facts.isFile() };
  });
}

function control(field: string): Promise<string> {
  return must('dpkg-deb', ['-f', built.file, field]).then((text) => text.trim());
}

test('files are root’s to write and everybody’s to read, and run where they are programs', { skip }, async () => {
  const programs = ['usr/bin/espalier', 'usr/lib/espalier/node'];
  const wrong = entries().filter(
    ({ path, mode, isFile }) => mode !== (isFile && !programs.includes(path) ? 0o644 : 0o755),
  );
  assert.deepEqual(wrong, []);
  const owners = (await must('dpkg-deb', ['-c', built.file])).trim().split('\n');
  assert.deepEqual(
    owners.filter((line) => line.split(/\s+/)[1] !== 'root/root'),
    [],
  );
});

test('it holds what runs, and nothing that only builds or tests', { skip }, () => {
  const files = entries().filter(({ isFile }) => isFile);
  const paths = files.map(({ path }) => path);
  for (const path of [
    'usr/lib/systemd/system/espalier.service',
    'usr/lib/sysusers.d/espalier.conf',
    'usr/lib/tmpfiles.d/espalier.conf',
    'usr/lib/espalier/dist/src/daemon/worker.js',
    'usr/lib/espalier/native/build/Release/espalier.node',
    'usr/share/doc/espalier/copyright',
    'etc/espalier/swanctl.conf.sample',
  ]) {
    assert.ok(paths.includes(path), path);
  }
  assert.deepEqual(
    paths.filter((path) => /\.(ts|map)$|typescript|biome|node-gyp|dist\/(test|bench)|demo/.test(path)),
    [],
  );
  const licences = paths.filter((path) => /node_modules\/.*licen[cs]e/i.test(path));
  const modules = paths.filter((path) => /node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(path));
  assert.ok(modules.length > 15 && licences.length >= modules.length, `${licences.length} of ${modules.length}`);
  const node = readFileSync(join(built.root, 'usr/lib/espalier/node'));
  assert.ok(node.equals(readFileSync(process.execPath)), 'the Node that built it');
});

test('Debian 12 has the libraries that it needs', { skip }, async () => {
  const depends = (await control('Depends')).split(', ');
  assert.deepEqual(
    depends.map((one) => one.split(' ')[0]),
    ['libc6', 'libgcc-s1', 'libstdc++6'],
  );
  const [, major, minor] = /\(>= (\d+)\.(\d+)/.exec(depends[0] ?? '')?.map(Number) ?? [];
  assert.ok(major === LIBC[0] && minor !== undefined && minor <= LIBC[1], depends[0]);
  const resolved = await must('ldd', [join(built.root, 'usr/lib/espalier/node')]);
  assert.doesNotMatch(resolved, /not found|=> \/(?!lib|usr\/lib)/);
});

test('its checksums, conffiles and scripts are those of its files', { skip }, async () => {
  const folder = join(built.root, '../control');
  await must('dpkg-deb', ['-e', built.file, folder]);
  const sums = readFileSync(join(folder, 'md5sums'), 'utf8').trim().split('\n');
  const listed = new Map(sums.map((line) => line.split('  ').reverse() as [string, string]));
  const files = entries().filter(({ isFile }) => isFile);
  assert.equal(listed.size, files.length);
  for (const { path } of files) {
    assert.equal(
      listed.get(path),
      createHash('md5')
        .update(readFileSync(join(built.root, path)))
        .digest('hex'),
      path,
    );
  }
  assert.equal(
    readFileSync(join(folder, 'conffiles'), 'utf8'),
    '/etc/espalier/ipsec.conf.sample\n/etc/espalier/ipsec.secrets.sample\n/etc/espalier/swanctl.conf.sample\n',
  );
  for (const script of ['postinst', 'prerm', 'postrm']) {
    assert.equal(statSync(join(folder, script)).mode & 0o777, 0o755);
    await must('sh', ['-n', join(folder, script)]);
  }
  assert.equal(await control('Version'), VERSION);
});

test('built again it is the same, byte by byte', { skip }, async () => {
  const again = await packed(topology);
  assert.ok(readFileSync(again.file).equals(readFileSync(built.file)));
});

test('unpacked over /usr it carries a tunnel, with its own Node alone', { skip }, async () => {
  const plan: Plan = {
    a: 'espalier',
    b: 'espalier',
    daemon: { program: [...withPackage(built), '/usr/bin/espalier'] },
  };
  await inLab(plan, async (lab) => {
    await lab.up('a');
    await lab.pings();
    const a = lab.a;
    assert.ok(a instanceof Espalier);
    assert.equal(relative('/', readlinkSync(`/proc/${a.pid}/exe`)), 'usr/lib/espalier/node');
    // Node and the addon are mapped; had the checkout's been taken, it would be here.
    const maps = readFileSync(`/proc/${a.pid}/maps`, 'utf8');
    assert.match(maps, /\/usr\/lib\/espalier\/native\/build\/Release\/espalier\.node/);
    const verbs = ['status', '--control', a.control];
    const done = await lab.net.gwa.run('sh', [...withPackage(built).slice(1), '/usr/bin/espalier', ...verbs]);
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /^gw +connected/m);
  });
});

test('in a container whose root has three capabilities and no_new_privs it carries a tunnel', { skip }, async () => {
  const caps = '-all,+net_admin,+net_bind_service,+net_raw';
  const limits = ['setpriv', `--bounding-set=${caps}`, '--inh-caps=-all', '--no-new-privs'];
  const program = inContainer(built, [...limits, '/usr/bin/espalier']);
  await inLab({ a: 'espalier', b: 'espalier', daemon: { program } }, async (lab) => {
    await lab.up('a');
    await lab.pings();
    const a = lab.a;
    assert.ok(a instanceof Espalier);
    const status = readFileSync(`/proc/${a.pid}/status`, 'utf8');
    assert.match(status, /^CapPrm:\s+0000000000003400$/m);
    const state = statSync(`/proc/${a.pid}/root/var/lib/espalier`);
    assert.deepEqual([state.uid, state.mode & 0o7777], [0, 0o700]);
    // Nothing had to be given up.
    assert.doesNotMatch(readFileSync(`/proc/${a.pid}/environ`, 'utf8'), /ESPALIER_STARTED_ANEW/);
  });
});
