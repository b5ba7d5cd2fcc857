// npm run bench [-- setup memory crypto thousand]: all of them, or those that are named. What stands behind `thousand` is
// for that one (bench/thousand/options.ts).

import { benchCrypto } from './crypto.ts';
import { benchMemory } from './memory.ts';
import { benchSetup } from './setup.ts';
import { benchThousand } from './thousand/main.ts';
import { type Options, parseOptions, USAGE } from './thousand/options.ts';

const BENCHES = new Map<string, (options: Options) => Promise<void>>([
  ['setup', () => benchSetup()],
  ['memory', () => benchMemory()],
  ['crypto', () => benchCrypto()],
  ['thousand', benchThousand],
]);
const THERE_ARE = `there are ${[...BENCHES.keys()].join(', ')}`;

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  const first = argv.findIndex((word) => word.startsWith('-'));
  const [names, rest] = first < 0 ? [argv, []] : [argv.slice(0, first), argv.slice(first)];
  const unknown = names.filter((name) => !BENCHES.has(name));
  if (unknown.length > 0) return refuse(`there is no bench ${unknown.join(', ')}; ${THERE_ARE}`);
  if (rest.length > 0 && names.join() !== 'thousand') return refuse(`only one of them has options: ${USAGE}`);
  let options: Options;
  try {
    options = parseOptions(rest);
  } catch (error) {
    return refuse(`${error instanceof Error ? error.message : error}; there is: ${USAGE}`);
  }
  console.log(`Node ${process.versions.node}, OpenSSL ${process.versions.openssl}`);
  for (const [name, bench] of BENCHES) if (names.length === 0 || names.includes(name)) await bench(options);
  return 0;
}

function refuse(why: string): number {
  console.error(why);
  return 2;
}
