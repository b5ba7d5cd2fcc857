// A process that loads the files it is given as the daemon does before anything else, and says how long that took: with
// nothing compiled and nothing cached, as a daemon's first time is.

import { performance } from 'node:perf_hooks';
import { loadConfig } from '../../src/config/load.ts';

const begun = performance.now();
loadConfig(process.argv.slice(2));
console.log((performance.now() - begun) / 1000);
