// The whole suite, or the files whose path contains one of the arguments: `npm test -- esp interop/rekey`.
// First what is pure, as many files at a time as there are cores; then, one at a time, what needs the machine for itself;
// then what builds network namespaces and mostly waits there, several at a time.
// In CI (CI=true, or ESPALIER_NO_SKIP=1) a skipped test fails the run: there nothing may be missing.

import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath, pathToFileURL } from 'node:url';

const DIST = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist');
const TESTS = join(DIST, 'test');
const IN_NAMESPACES = /^test\/(interop|system|net)\//;
/** Loads as heavy as the machine bears, and promises that nothing is lost under them. */
const ALONE =
  /^test\/(net\/(queues|steer)|interop\/offload|system\/(disturbed|flood|hostile|limits|pathmtu|reload|workers))\./;
/** A file that takes longer hangs. */
const PATIENCE = 10 * 60_000;
/** So many files are told with their time. */
const LONGEST = 12;

const tally = { passed: 0, failed: 0, skipped: [], failures: [], seconds: new Map() };
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => stop.abort());

const files = testFiles(process.argv.slice(2));
if (files.length === 0) {
  console.error(`no test file matches: ${process.argv.slice(2).join(' ') || TESTS}`);
  process.exit(1);
}
const pure = files.filter((file) => !IN_NAMESPACES.test(file));
const spaces = files.filter((file) => IN_NAMESPACES.test(file));
const alone = spaces.filter((file) => ALONE.test(file));
const together = spaces.filter((file) => !ALONE.test(file));
await stage('pure', pure, availableParallelism());
await stage('with the machine for themselves', alone, 1);
await stage('in network namespaces', together, Math.max(2, availableParallelism()));
await sweep();
process.exitCode = verdict() ? 0 : 1;

function testFiles(patterns) {
  if (!existsSync(TESTS)) return [];
  const found = readdirSync(TESTS, { recursive: true }).filter((file) => file.endsWith('.test.js'));
  const named = found.map((file) => join('test', file)).sort();
  const wanted = patterns.map((pattern) => pattern.replace(/^(\.\/)?(dist\/)?/, '').replace(/\.[jt]s$/, ''));
  return wanted.length === 0 ? named : named.filter((file) => wanted.some((pattern) => file.includes(pattern)));
}

async function stage(title, some, concurrency) {
  if (some.length === 0 || stop.signal.aborted) return;
  console.log(`\n${title}: ${some.length} files, ${concurrency} at a time`);
  const paths = some.map((file) => join(DIST, file));
  const events = run({ files: paths, concurrency, timeout: PATIENCE, signal: stop.signal });
  events.on('test:pass', count);
  events.on('test:fail', count);
  const report = events.compose(withoutTotals).compose(new spec());
  report.pipe(process.stdout, { end: false });
  await finished(report);
}

/** The totals of both stages are printed once, at the end. */
async function* withoutTotals(events) {
  for await (const event of events) {
    if (event.type !== 'test:diagnostic' || event.data.file !== undefined) yield event;
  }
}

function count({ name, file, nesting, skip, todo, details }) {
  const where = relative(DIST, file ?? '');
  if (nesting === 0) tally.seconds.set(where, (tally.seconds.get(where) ?? 0) + details.duration_ms / 1000);
  if (skip !== undefined || todo !== undefined) {
    tally.skipped.push(
      `${where}: ${name}: ${[skip ?? todo].filter((why) => typeof why === 'string')[0] || 'no reason given'}`,
    );
  } else if (details.error !== undefined) {
    if (details.error.failureType === 'subtestsFailed') return;
    tally.failed++;
    tally.failures.push(`${where}: ${name === file ? 'the file did not run to its end' : name}`);
  } else if (name === file) {
    // What the runner reports for a file in which it found no test.
    tally.failed++;
    tally.failures.push(`${where}: holds no test`);
  } else if (details.type !== 'suite') {
    tally.passed++;
  }
}

/** Namespaces and processes of a test file that was killed. */
async function sweep() {
  const netns = join(TESTS, 'support', 'netns.js');
  if (spaces.length === 0 || !existsSync(netns)) return;
  const { sweep: removeLeftovers } = await import(pathToFileURL(netns).href);
  for (const name of removeLeftovers()) console.log(`left behind and removed: ${name}`);
}

function verdict() {
  const { passed, failed, skipped, failures, seconds } = tally;
  const strict = Boolean(process.env.ESPALIER_NO_SKIP) || /^(1|true)$/.test(process.env.CI ?? '');
  const longest = [...seconds].sort(([, a], [, b]) => b - a).slice(0, LONGEST);
  list(
    'what took longest',
    longest.map(([where, time]) => `${where}: ${time.toFixed(0)} s`),
  );
  list('skipped', skipped);
  list('failed', failures);
  console.log(`\n${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  if (stop.signal.aborted) console.log('interrupted');
  if (strict && skipped.length > 0) console.log('no test may be skipped here (CI)');
  return passed > 0 && failed === 0 && !stop.signal.aborted && !(strict && skipped.length > 0);
}

function list(title, lines) {
  if (lines.length > 0) console.log(`\n${title}:\n${lines.map((line) => `  ${line}`).join('\n')}`);
}
