// Builds the addon with node-gyp, against the headers of the running Node where they are installed beside it.
// `--sanitize` builds a second one under ASan and UBSan, in native/build-asan. Nothing is done when nothing changed.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const native = join(root, 'native');
const sanitize = process.argv.includes('--sanitize');
const variant = join(native, 'build-asan');

const sources = readdirSync(native)
  .filter((name) => /\.(c|h|gyp)$/.test(name))
  .sort();
const prefix = join(process.execPath, '../..');
const options = [
  ...(existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : []),
  ...(sanitize ? ['--sanitize=1'] : []),
];

// node-gyp builds into `build` beside binding.gyp and nowhere else, so the variant is built from a copy of the sources.
const directory = sanitize ? variant : native;
const built = join(directory, 'build/Release/espalier.node');
const stampFile = join(directory, 'build/stamp');
const stamp = fingerprint();

if (existsSync(built) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) process.exit(0);

if (sanitize) {
  rmSync(variant, { recursive: true, force: true });
  mkdirSync(variant);
  for (const name of sources) copyFileSync(join(native, name), join(variant, name));
}

const gyp = join(root, 'node_modules/node-gyp/bin/node-gyp.js');
if (!existsSync(gyp)) fail('node-gyp is missing: run "npm ci" first');
const { status, stdout, stderr, error } = spawnSync(
  process.execPath,
  [gyp, 'rebuild', '-C', directory, '--silent', ...options],
  { encoding: 'utf8', env: environment() },
);
if (status !== 0 || !existsSync(built)) {
  process.stderr.write(stdout ?? '');
  process.stderr.write(stderr ?? '');
  fail(`the addon could not be built${error ? ` (${error.message})` : ''}: it needs gcc or clang, make and python3`);
}
writeFileSync(stampFile, stamp);

function fingerprint() {
  const hash = createHash('sha256');
  const add = (text) => hash.update(`${text.length}:`).update(text);
  for (const fact of [process.version, process.arch, prefix, ...options]) add(fact);
  for (const name of ['CC', 'CFLAGS', 'LDFLAGS']) add(`${name}=${process.env[name] ?? ''}`);
  for (const name of sources) {
    add(name);
    add(readFileSync(join(native, name), 'utf8'));
  }
  return hash.digest('hex');
}

/** npm hands its settings down in the environment, and node-gyp would take a nodedir or a target from there. */
function environment() {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(config|package_config)_/i.test(name)),
  );
}

function fail(text) {
  process.stderr.write(`conf/native.mjs: ${text}\n`);
  process.exit(1);
}
