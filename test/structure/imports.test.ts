// Who may import whom, and what the protocol must never touch: sockets, files, clocks, randomness, the console.

import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { test } from 'node:test';
import { codeOnly, type Finding, matches, type Source, sources, withoutComments } from './source.ts';

/** bytes <- crypto <- ike, esp, pki <- config <- daemon <- cli; net beside them, for the daemon. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  bytes: [],
  crypto: ['bytes'],
  pki: ['bytes', 'crypto'],
  ike: ['bytes', 'crypto', 'pki'],
  esp: ['bytes', 'crypto'],
  net: ['bytes'],
  config: ['bytes', 'crypto', 'pki', 'ike', 'esp'],
  daemon: ['bytes', 'crypto', 'pki', 'ike', 'esp', 'config', 'net'],
  cli: ['bytes', 'crypto', 'pki', 'ike', 'esp', 'config', 'daemon'],
};

/** Types alone are allowed here beyond that: they leave nothing in the program. */
const MAY_IMPORT_TYPES: Readonly<Record<string, readonly string[]>> = { esp: ['ike'] };

const PURE = ['bytes', 'crypto', 'ike', 'esp'];
const OUTSIDE_WORLD =
  /^(pino|yargs|node:(dgram|fs|net|timers|child_process|worker_threads|http|https|tls|os|process|console|perf_hooks|readline)(\/.*)?)$/;
/** Two functions of node:net that look at text alone. */
const EXEMPT = { path: 'src/bytes/ip.ts', names: /^import \{ isIPv4, isIPv6 \} from 'node:net'$/ };

const CLOCKS_AND_CHANCE =
  /\b(setTimeout|setInterval|setImmediate|queueMicrotask|clearTimeout|clearInterval|fetch)\s*\(|\b(Date\.now|performance\.now|process\.\w+|Math\.random|console\.\w+|new Date)\b/g;

interface Import {
  readonly statement: string;
  readonly from: string;
  readonly typeOnly: boolean;
}

function importsOf(text: string): readonly Import[] {
  const code = withoutComments(text);
  const statements = code.matchAll(/\b(?:import|export)\s+(type\s+)?(?:[\w*{}\s,$]+\s+from\s+)?['"]([^'"]+)['"]/g);
  const calls = code.matchAll(/\bimport\s*\(\s*['"]([^'"]+)['"]/g);
  return [
    ...[...statements].map(([statement, type, from = '']) => ({ statement, from, typeOnly: type !== undefined })),
    ...[...calls].map(([statement, from = '']) => ({ statement, from, typeOnly: false })),
  ];
}

function wrongImports({ path, text }: Source): readonly Finding[] {
  const layer = layerOf(path);
  const allowed = MAY_IMPORT[layer];
  if (!allowed) return [`${path}: ${layer} is no layer`];
  return importsOf(text).flatMap(({ statement, from, typeOnly }) => {
    if (!from.startsWith('.')) {
      const exempt = path === EXEMPT.path && EXEMPT.names.test(statement);
      return PURE.includes(layer) && OUTSIDE_WORLD.test(from) && !exempt ? [`${path}: imports ${from}`] : [];
    }
    const target = posix.join(posix.dirname(path), from);
    if (!target.startsWith('src/')) return [`${path}: imports ${target}`];
    const other = layerOf(target);
    if (other === layer || allowed.includes(other)) return [];
    if (typeOnly && MAY_IMPORT_TYPES[layer]?.includes(other)) return [];
    return [`${path}: ${layer} imports ${typeOnly ? 'types of ' : ''}${other} (${from})`];
  });
}

function impurities(source: Source): readonly Finding[] {
  if (!['ike', 'esp'].includes(layerOf(source.path))) return [];
  return matches(source, codeOnly(source.text), CLOCKS_AND_CHANCE, ([found]) => `uses ${found}`);
}

function addonLoads(source: Source): readonly Finding[] {
  if (source.path === 'src/net/native.ts') return [];
  return matches(source, withoutComments(source.text), /\bdlopen\b|\brequire\([^)]*\.node['"`]/g, ([found]) => found);
}

function layerOf(path: string): string {
  return path.split('/')[1] ?? '';
}

test('every import points the way the layers allow', () => {
  assert.deepEqual(sources('src').flatMap(wrongImports), []);
});

test('ike and esp use no clock, no timer, no chance, no console', () => {
  assert.deepEqual(sources('src').flatMap(impurities), []);
});

test('only src/net/native.ts loads the addon', () => {
  assert.deepEqual(sources('src').flatMap(addonLoads), []);
});

test('the checks find what they look for', () => {
  const wrong = (path: string, text: string) => wrongImports({ path, text }).length;
  assert.equal(wrong('src/bytes/x.ts', "import { a } from '../crypto/a.ts';"), 1);
  assert.equal(wrong('src/ike/v2/x.ts', "import {\n  a,\n} from '../../net/udp.ts';"), 1);
  assert.equal(wrong('src/ike/v2/x.ts', "export * from '../../config/a.ts';"), 1);
  assert.equal(wrong('src/ike/x.ts', "const a = await import('../daemon/a.ts');"), 1);
  assert.equal(wrong('src/ike/x.ts', "import { createSocket } from 'node:dgram';"), 1);
  assert.equal(wrong('src/ike/x.ts', "import 'node:timers/promises';"), 1);
  assert.equal(wrong('src/ike/x.ts', "import { pino } from 'pino';"), 1);
  assert.equal(wrong('src/bytes/ip.ts', "import { isIPv4, isIPv6 } from 'node:net';"), 0);
  assert.equal(wrong('src/bytes/ip.ts', "import { createServer } from 'node:net';"), 1);
  assert.equal(wrong('src/esp/x.ts', "import { a } from '../ike/a.ts';"), 1);
  assert.equal(wrong('src/esp/x.ts', "import type { A } from '../ike/a.ts';"), 0);
  assert.equal(wrong('src/cli/x.ts', "import { a } from '../net/a.ts';"), 1);
  assert.equal(wrong('src/daemon/x.ts', "import { a } from '../../test/support/random.ts';"), 1);
  assert.equal(wrong('src/ike/x.ts', "// import { a } from '../net/a.ts';\nimport { b } from './b.ts';"), 0);
  const impure = (text: string) => impurities({ path: 'src/ike/x.ts', text }).length;
  for (const text of ['setTimeout(f, 1);', 'const t = Date.now();', 'performance.now()', 'process.hrtime()']) {
    assert.equal(impure(text), 1, text);
  }
  assert.equal(impure('const r = Math.random(); console.log(r);'), 2);
  assert.equal(impure("const a = 'Date.now'; // setTimeout(f)"), 0);
  assert.equal(addonLoads({ path: 'src/esp/x.ts', text: "require('../a.node')" }).length, 1);
});
