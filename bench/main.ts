// npm run bench [-- setup memory crypto thousand]: all of them, or those that are named.

import { benchCrypto } from './crypto.ts';
import { benchMemory } from './memory.ts';
import { benchSetup } from './setup.ts';
import { benchThousand } from './thousand.ts';

const benches = new Map<string, () => Promise<void>>([
  ['setup', () => benchSetup()],
  ['memory', () => benchMemory()],
  ['crypto', () => benchCrypto()],
  ['thousand', () => benchThousand()],
]);

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !benches.has(name));
if (unknown.length > 0) {
  console.error(`there is no bench ${unknown.join(', ')}; there are ${[...benches.keys()].join(', ')}`);
  process.exitCode = 2;
} else {
  console.log(`Node ${process.versions.node}, OpenSSL ${process.versions.openssl}`);
  for (const [name, bench] of benches) if (asked.length === 0 || asked.includes(name)) await bench();
}
