// What `npm start` and `npm test` run first: brings a checkout to the point where it can be run, and says what it does
// and why. Built-ins only, because nothing is installed yet. Idempotent; when everything is in place it takes a moment.
//
//   node conf/setup.mjs [start|test|bench|build]     which Debian packages count as needed; default: npm's script name

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { locked } from './lock.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const DIST = join(ROOT, 'dist');
const OLDEST_NODE = [20, 19];
const SOURCES = ['src', 'test', 'bench'];

/** A step that cannot be taken; its message is all that the operator needs. */
class Stop extends Error {}

export async function setUp(purpose) {
  const started = performance.now();
  checkNode();
  await locked(join(DIST, '.setup.lock'), say, () => {
    debianPackages(purpose);
    npmPackages();
    addon();
    compile();
  });
  say(`everything is in place (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}

function say(line) {
  console.log(`set-up: ${line}`);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [wantMajor, wantMinor] = OLDEST_NODE;
  if (major > wantMajor || (major === wantMajor && minor >= wantMinor)) return;
  throw new Stop(`Node ${process.versions.node} is too old: ${OLDEST_NODE.join('.')} or later is needed`);
}

const PLUGINS = '/usr/lib/ipsec/plugins/libstrongswan-';
const PYTHON = '/usr/lib/python3/dist-packages/';

/** [package, a command or an absolute path that shows it is there] */
const BUILD = [
  ['python3', 'python3'],
  ['make', 'make'],
  ['g++', 'g++'],
];
const START = [
  ['iproute2', 'ip'],
  ['iputils-ping', 'ping'],
];
const TEST = [
  ['nftables', 'nft'],
  ['iperf3', 'iperf3'],
  ['tcpdump', 'tcpdump'],
  ['procps', 'sysctl'],
  ['kmod', 'modprobe'],
  ['libcap2-bin', 'setcap'],
  ['systemd', 'systemd-analyze'],
  ['strongswan-charon', '/usr/lib/ipsec/charon'],
  ['strongswan-swanctl', 'swanctl'],
  ['strongswan-starter', '/usr/lib/ipsec/stroke'],
  ['libcharon-extra-plugins', `${PLUGINS}kernel-libipsec.so`],
  ['libstrongswan-standard-plugins', `${PLUGINS}openssl.so`],
  ['libstrongswan-extra-plugins', `${PLUGINS}chapoly.so`],
  ['ike-scan', 'ike-scan'],
  ['user-mode-linux', 'linux.uml'],
  ['python3-scapy', `${PYTHON}scapy`],
  ['python3-cryptography', `${PYTHON}cryptography`],
];
const BENCH = [
  ['gcc', 'gcc'],
  ['libssl-dev', '/usr/include/openssl/evp.h'],
  ['openssl', 'openssl'],
  ['openvpn', 'openvpn'],
  ['wireguard-go', 'wireguard-go'],
];
const NEEDED = {
  build: BUILD,
  start: [...BUILD, ...START],
  test: [...BUILD, ...START, ...TEST],
  bench: [...BUILD, ...START, ...TEST, ...BENCH],
};

function debianPackages(purpose) {
  const missing = NEEDED[purpose].filter(([, probe]) => !present(probe)).map(([name]) => name);
  if (missing.length === 0) return;
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...missing];
  const root = process.getuid?.() === 0;
  const unattended = !process.stdin.isTTY || Boolean(process.env.CI);
  if (!root || !unattended || !present('apt-get')) {
    say(`missing on this host: ${missing.join(' ')}`);
    say(`what needs them is left out; on Debian this installs them: ${root ? '' : 'sudo '}${install.join(' ')}`);
    return;
  }
  say(`installing from Debian: ${missing.join(' ')}`);
  maskServices(missing);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // What is missing after a failure is skipped, with its reason, by the tests that need it.
  for (const command of [['apt-get', 'update', '-q'], install]) {
    if (!run(command, { env, quiet: true })) return say(`"${command.join(' ')}" failed: going on without`);
  }
}

function present(probe) {
  if (probe.startsWith('/')) return existsSync(probe);
  const path = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`;
  return path.split(delimiter).some((folder) => folder !== '' && allows(constants.X_OK, join(folder, probe)));
}

/** The tests start charons of their own; the packages' services would take UDP 500 of this host. */
const SERVICES = [
  ['strongswan-charon', 'strongswan.service'],
  ['strongswan-starter', 'strongswan-starter.service'],
];

function maskServices(missing) {
  mkdirSync('/etc/systemd/system', { recursive: true });
  for (const [name, unit] of SERVICES) {
    if (!missing.includes(name)) continue;
    try {
      symlinkSync('/dev/null', join('/etc/systemd/system', unit));
      say(`${unit} is masked, so that nothing starts by itself`);
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
  }
}

function npmPackages() {
  const why = staleModules();
  if (why === undefined) return;
  say(`installing the npm packages (${why})`);
  const npm = basename(process.env.npm_execpath ?? '') === 'npm-cli.js';
  const command = npm ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const { cache, dispose } = npmCache();
  try {
    const done = run([...command, 'ci', '--include=dev', '--no-audit', '--no-fund', '--no-update-notifier', ...cache]);
    if (!done) throw new Stop('npm ci failed: see above');
  } finally {
    dispose();
  }
}

/** Compares what is installed, as npm noted it, with what the lock file wants. */
function staleModules() {
  const wanted = packagesOf(join(ROOT, 'package-lock.json'));
  if (wanted === undefined) throw new Stop('package-lock.json is missing or damaged');
  const installed = packagesOf(join(ROOT, 'node_modules', '.package-lock.json'));
  if (installed === undefined) return 'none are installed yet';
  for (const [path, entry] of Object.entries(wanted)) {
    const found = installed[path];
    if (path === '' || (found === undefined && (entry.optional || entry.devOptional))) continue;
    if (found?.version !== entry.version || found.integrity !== entry.integrity) return `${path} differs from the lock`;
    if (!existsSync(join(ROOT, path))) return `${path} is gone`;
  }
  return undefined;
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** npm cannot work without a cache it may write; a home that is missing or read-only gets one for this run. */
function npmCache() {
  const usual = process.env.npm_config_cache || join(homedir(), '.npm');
  const nearest = existsSync(usual) ? usual : dirname(usual);
  if (nearest.startsWith('/') && allows(constants.W_OK, nearest)) return { cache: [], dispose: () => {} };
  const cache = mkdtempSync(join(tmpdir(), 'espalier-npm-'));
  return { cache: [`--cache=${cache}`], dispose: () => rmSync(cache, { recursive: true, force: true }) };
}

function allows(mode, path) {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

function addon() {
  if (!run([process.execPath, join('conf', 'native.mjs')])) throw new Stop('the native addon was not built: see above');
}

function compile() {
  const sources = SOURCES.flatMap((folder) => walk(join(ROOT, folder), '.ts'));
  dropOrphans(sources);
  const stampFile = join(DIST, '.compiled');
  const stamp = stampOf(sources);
  const emitted = sources.every((file) => file.endsWith('.d.ts') || existsSync(outputOf(file)));
  if (emitted && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  say(`compiling ${sources.length} files`);
  if (!run([join('node_modules', '.bin', 'tsc'), '-p', 'tsconfig.json'])) throw new Stop('tsc found errors: see above');
  writeFileSync(stampFile, stamp);
}

function stampOf(sources) {
  const hash = createHash('sha256');
  for (const file of [join(ROOT, 'tsconfig.json'), join(ROOT, 'package-lock.json'), ...sources]) {
    hash
      .update(`${relative(ROOT, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  }
  return hash.digest('hex');
}

/** A deleted source must not live on in dist/, least of all a deleted test. */
function dropOrphans(sources) {
  const expected = new Set(sources.map(outputOf));
  for (const folder of SOURCES) {
    for (const file of walk(join(DIST, folder), '.js')) if (!expected.has(file)) unlinkSync(file);
  }
}

function outputOf(source) {
  return join(DIST, relative(ROOT, source)).replace(/\.ts$/, '.js');
}

function walk(folder, ending) {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder, { withFileTypes: true, recursive: true });
  return files
    .filter((f) => f.isFile() && f.name.endsWith(ending))
    .map((f) => join(f.parentPath ?? f.path, f.name))
    .sort();
}

function run([command, ...args], { env = process.env, quiet = false } = {}) {
  const stdio = ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'];
  const done = spawnSync(command, args, { cwd: ROOT, env, stdio, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (done.error) say(`${command}: ${done.error.message}`);
  if (quiet && done.status !== 0)
    console.log(`${done.stdout ?? ''}${done.stderr ?? ''}`.split('\n').slice(-20).join('\n'));
  return done.status === 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const asked = process.argv[2] ?? process.env.npm_lifecycle_event ?? 'start';
  try {
    await setUp(asked in NEEDED ? asked : 'start');
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    console.error(`set-up: ${error.message}`);
    process.exitCode = 1;
  }
}
