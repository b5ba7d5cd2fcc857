// npm run bench:micro [-- parse lookup replay seal lane]: what single steps of the data plane cost, all of them or those that are
// named. A bench is a file beside this one and a line in the list below.

import { benchLane } from './lane.ts';
import { benchLookup } from './lookup.ts';
import { benchParse } from './parse.ts';
import { benchReplay } from './replay.ts';
import { benchSeal } from './seal.ts';

const benches = new Map<string, () => Promise<void>>([
  ['parse', benchParse],
  ['lookup', benchLookup],
  ['replay', benchReplay],
  ['seal', benchSeal],
  ['lane', benchLane],
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
