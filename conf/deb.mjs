// Makes espalier_VERSION_ARCH.deb of what is built: the daemon, the addon, the npm packages that it runs with, and the
// Node that runs this script, because Debian 12's is too old. Same input, same bytes (SOURCE_DATE_EPOCH; otherwise the
// time of the last commit, or of package.json where there is no git).
//
//   node conf/deb.mjs [--out DIRECTORY]     default: dist. `npm run deb` builds first.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { dependencies } from './deb/depends.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const HOME = 'usr/lib/espalier';
const ADDON = 'native/build/Release/espalier.node';
const DOC = 'usr/share/doc/espalier';
const ARCHITECTURES = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'armhf',
  ppc64: 'ppc64el',
  riscv64: 'riscv64',
  s390x: 's390x',
};

/** What cannot be packed; its message is all that whoever builds needs. */
class Stop extends Error {}

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const architecture = ARCHITECTURES[process.arch];

function build(out) {
  if (architecture === undefined) throw new Stop(`Debian has no name for ${process.arch}`);
  const file = join(out, `espalier_${manifest.version}_${architecture}.deb`);
  const stage = mkdtempSync(join(tmpdir(), 'espalier-deb-'));
  try {
    program(stage);
    service(stage);
    documents(stage);
    control(stage);
    openFolders(stage);
    mkdirSync(out, { recursive: true });
    // It makes nothing younger than that.
    must('dpkg-deb', ['--root-owner-group', '-Zzstd', '--build', stage, file], { SOURCE_DATE_EPOCH: `${epoch()}` });
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
  console.log(`deb: ${file} (${(statSync(file).size / 1e6).toFixed(0)} MB, with Node ${process.versions.node})`);
}

// --- what is in it ---------------------------------------------------------------------------------------------------

function program(stage) {
  const dist = join(ROOT, 'dist/src');
  for (const needed of [join(dist, 'cli/main.js'), join(ROOT, ADDON)]) {
    if (!existsSync(needed)) throw new Stop(`${needed} is missing: run "npm run build" first`);
  }
  const demonstration = /^cli\/demo(\.js|\/)/;
  tree(dist, join(stage, HOME, 'dist/src'), (path) => path.endsWith('.js') && !demonstration.test(path));
  put(join(ROOT, ADDON), join(stage, HOME, ADDON));
  const { name, version, type, license, engines } = manifest;
  write(join(stage, HOME, 'package.json'), `${JSON.stringify({ name, version, type, license, engines }, null, 2)}\n`);
  for (const path of productionPackages()) modules(path, stage);
  put(process.execPath, join(stage, HOME, 'node'), 0o755);
  put(join(ROOT, 'conf/deb/espalier'), join(stage, 'usr/bin/espalier'), 0o755);
}

/** Where npm put what runs, as the lock file has it: nothing is fetched. */
function productionPackages() {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  return Object.entries(packages)
    .filter(([path, { dev, devOptional, optional }]) => path !== '' && !dev && !devOptional && !optional)
    .map(([path, { version }]) => {
      const installed = join(ROOT, path, 'package.json');
      const found = existsSync(installed) ? JSON.parse(readFileSync(installed, 'utf8')).version : 'none';
      if (found !== version) throw new Stop(`${path} should be ${version} and is ${found}: run "npm ci" first`);
      return path;
    });
}

/** What Node reads, and the licences; packages inside of it have a line of their own in the lock file. */
function modules(path, stage) {
  const read = /\.(js|mjs|cjs|json)$|(^|\/)licen[cs]e[^/]*$/i;
  const idle = /(^|\/)(node_modules|tests?|docs?|examples?|benchmarks?|bench)\/|(^|\/)\./;
  tree(join(ROOT, path), join(stage, HOME, path), (name) => read.test(name) && !idle.test(name));
}

function service(stage) {
  put(join(ROOT, 'conf/espalier.service'), join(stage, 'usr/lib/systemd/system/espalier.service'));
  put(join(ROOT, 'conf/espalier.sysusers'), join(stage, 'usr/lib/sysusers.d/espalier.conf'));
  put(join(ROOT, 'conf/espalier.tmpfiles'), join(stage, 'usr/lib/tmpfiles.d/espalier.conf'));
  for (const name of readdirSync(join(ROOT, 'conf/samples'))) {
    put(join(ROOT, 'conf/samples', name), join(stage, 'etc/espalier', `${name}.sample`));
  }
}

function documents(stage) {
  put(join(ROOT, 'README.md'), join(stage, DOC, 'README.md'));
  const changes = readFileSync(join(ROOT, '.github/CHANGELOG.md'));
  write(join(stage, DOC, 'changelog.gz'), gzipSync(changes, { level: 9 }));
  const licence = nodeLicence();
  write(join(stage, DOC, 'copyright'), copyright());
  put(licence, join(stage, DOC, 'LICENSE.nodejs'));
}

/** Beside the headers of an archive from nodejs.org, or where a Debian package puts it. */
function nodeLicence() {
  const prefix = dirname(dirname(process.execPath));
  const places = ['LICENSE', 'share/doc/node/LICENSE', 'share/doc/nodejs/LICENSE', 'share/doc/nodejs/copyright'];
  const found = places.map((place) => join(prefix, place)).find((place) => existsSync(place));
  if (found === undefined) throw new Stop(`the licence of Node is not to be found under ${prefix}`);
  return found;
}

function copyright() {
  const packages = productionPackages().map((path) => {
    const { name, version, license } = JSON.parse(readFileSync(join(ROOT, path, 'package.json'), 'utf8'));
    return ` ${name} ${version}: ${license}, in /${HOME}/${path}`;
  });
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: espalier
Comment: Packages from the npm registry, each with its licence beside it:
${packages.join('\n')}

Files: *
Copyright: the authors of Espalier
License: ${manifest.license}
 On Debian systems the text is in /usr/share/common-licenses/${manifest.license}.

Files: ${HOME}/node
Copyright: the authors of Node.js, and others: see /${DOC}/LICENSE.nodejs
License: Node.js
 See /${DOC}/LICENSE.nodejs.
`;
}

function control(stage) {
  const all = files(stage);
  const sums = all.map(
    (path) =>
      `${createHash('md5')
        .update(readFileSync(join(stage, path)))
        .digest('hex')}  ${path}\n`,
  );
  const kilobytes = all.reduce((sum, path) => sum + Math.ceil(statSync(join(stage, path)).size / 1024), 0);
  const programs = ['node', ADDON].map((path) => join(stage, HOME, path));
  const folder = join(stage, 'DEBIAN');
  write(
    join(folder, 'control'),
    `Package: espalier
Version: ${manifest.version}
Architecture: ${architecture}
Maintainer: Espalier <espalier@localhost>
Installed-Size: ${kilobytes}
Depends: ${dependencies(programs).join(', ')}
Suggests: strongswan-swanctl
Section: net
Priority: optional
Description: IPsec gateway in user space
 One daemon speaks IKEv1 and IKEv2 and carries the ESP packets itself, between
 the network and a TUN device: without the kernel's IPsec, and without root.
 It reads strongSwan's swanctl.conf and answers its control protocol, vici.
`,
  );
  write(join(folder, 'md5sums'), sums.join(''));
  write(
    join(folder, 'conffiles'),
    all
      .filter((path) => path.startsWith('etc/'))
      .map((path) => `/${path}\n`)
      .join(''),
  );
  for (const script of ['postinst', 'prerm', 'postrm'])
    put(join(ROOT, 'conf/deb', script), join(folder, script), 0o755);
}

// --- files -----------------------------------------------------------------------------------------------------------

function put(from, to, mode = 0o644) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, mode);
}

function write(to, content) {
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, content);
  chmodSync(to, 0o644);
}

function tree(from, to, wanted) {
  for (const path of files(from)) if (wanted(path)) put(join(from, path), join(to, path));
}

/** Relative, sorted. */
function files(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

/** Whatever this process's umask says. */
function openFolders(stage) {
  chmodSync(stage, 0o755);
  for (const entry of readdirSync(stage, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) chmodSync(join(entry.parentPath ?? entry.path, entry.name), 0o755);
  }
}

function epoch() {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given !== undefined && /^\d+$/.test(given)) return Number(given);
  const committed = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: ROOT, encoding: 'utf8' });
  if (committed.status === 0 && /^\d+\n$/.test(committed.stdout)) return Number(committed.stdout);
  return Math.floor(statSync(join(ROOT, 'package.json')).mtimeMs / 1000);
}

function must(command, args, env) {
  const done = spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, ...env } });
  if (done.status === 0) return;
  throw new Stop(`${basename(command)}: ${done.error?.message ?? done.stderr}`);
}

try {
  const { values } = parseArgs({ options: { out: { type: 'string', default: join(ROOT, 'dist') } } });
  build(values.out);
} catch (error) {
  if (!(error instanceof Stop)) throw error;
  console.error(`deb: ${error.message}`);
  process.exitCode = 1;
}
