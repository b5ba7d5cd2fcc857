// Builds the fuzz targets of the hot path (native/fuzz) and runs them: with clang's libFuzzer where there is clang, else
// with gcc and a loop of their own. Both under ASan and UBSan.
//
//   node conf/fuzz.mjs [--seconds N] [--seed N] [--target open|join|split] [--plain] [INPUT...]
//
// 60 seconds unless it is told otherwise; 0 goes on until it is stopped. `--plain` does without libFuzzer. An input that
// breaks something is kept, and named at the end: given as an argument it is run once. Exit code 0: nothing broke.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const NATIVE = join(dirname(dirname(fileURLToPath(import.meta.url))), 'native');
const BUILD = join(NATIVE, 'build-fuzz');
/** What the targets are about, and what that needs; ciphers are stubs, so that nothing of OpenSSL's or Node's is needed. */
const HOT = [
  'ah',
  'checksum',
  'frame',
  'gather',
  'join',
  'lane',
  'mailbox',
  'rebuild',
  'receive',
  'sa',
  'send',
  'split',
  'tun',
];
const TARGETS = ['open', 'join', 'split'];
const INPUT_MAX = 768;
const WARNINGS = ['-Wall', '-Wextra', '-Werror', '-Wconversion', '-Wshadow'];
const FLAGS = ['-std=c11', '-D_GNU_SOURCE', '-O1', '-g', '-fno-omit-frame-pointer', '-fno-sanitize-recover=undefined'];

const { values, positionals } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    target: { type: 'string' },
    plain: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const target = values.target === undefined ? undefined : TARGETS.indexOf(values.target);
if (target === -1) stop(`--target is one of ${TARGETS.join(', ')}`);
if (!/^\d+$/.test(values.seconds)) stop('--seconds is a number');

mkdirSync(BUILD, { recursive: true });
const inputs = positionals.map((file) => resolve(file));
const clang = !values.plain && runs('clang');
const program = clang
  ? build('clang', 'libfuzzer', 'fuzzer,address,undefined')
  : build('gcc', 'plain', 'address,undefined');
const { status, signal } = spawnSync(program, clang ? forLibFuzzer() : forDriver(), { stdio: 'inherit', cwd: BUILD });
if (signal) console.error(`the run ended by ${signal}`);
process.exitCode = status ?? 1;

function forDriver() {
  if (inputs.length > 0) return inputs;
  const kept = join(BUILD, `failure-${process.pid}`);
  const options = ['--seconds', values.seconds, '--keep', kept];
  if (values.seed !== undefined) options.push('--seed', values.seed);
  if (target !== undefined) options.push('--target', `${target}`);
  return options;
}

function forLibFuzzer() {
  if (inputs.length > 0) return inputs;
  const corpus = join(BUILD, `corpus-${values.target ?? 'all'}`);
  mkdirSync(corpus, { recursive: true });
  // The first byte chooses the target: without a choice, the fuzzer finds that out.
  if (target !== undefined) writeFileSync(join(corpus, 'first'), Uint8Array.of(target, 1, 2, 3, 4, 5, 6, 7));
  const options = [`-max_total_time=${values.seconds}`, `-max_len=${INPUT_MAX}`, `-artifact_prefix=${BUILD}/`];
  if (values.seed !== undefined) options.push(`-seed=${values.seed}`);
  return [...options, corpus];
}

/** Nothing is done when nothing changed. */
function build(compiler, name, sanitizers) {
  const output = join(BUILD, name);
  const own = readdirSync(join(NATIVE, 'fuzz')).filter(
    (file) => file.endsWith('.c') && (file !== 'driver.c' || !clang),
  );
  const sources = [...HOT.map((file) => join(NATIVE, `${file}.c`)), ...own.map((file) => join(NATIVE, 'fuzz', file))];
  const command = [...FLAGS, ...WARNINGS, `-fsanitize=${sanitizers}`, `-I${join(NATIVE, 'fuzz', 'stub')}`, ...sources];
  command.push('-lpthread', '-o', output);
  const stamp = fingerprint([compiler, ...command], sources);
  const stampFile = `${output}.stamp`;
  if (existsSync(output) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return output;
  const built = spawnSync(compiler, command, { encoding: 'utf8' });
  if (built.status !== 0) stop(`${compiler} could not build the fuzz targets\n${built.error?.message ?? built.stderr}`);
  writeFileSync(stampFile, stamp);
  return output;
}

function fingerprint(words, sources) {
  const headers = [NATIVE, join(NATIVE, 'fuzz')].flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith('.h'))
      .map((file) => join(folder, file)),
  );
  const hash = createHash('sha256').update(words.join('\0'));
  for (const file of [...headers, ...sources]) hash.update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}

function runs(compiler) {
  return spawnSync(compiler, ['--version'], { stdio: 'ignore' }).status === 0;
}

function stop(text) {
  console.error(`conf/fuzz.mjs: ${text}`);
  process.exit(2);
}
