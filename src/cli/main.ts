#!/usr/bin/env node
// The `espalier` command.

import { terminal } from './io.ts';
import { run } from './program.ts';

// A reader that goes away (`espalier status | head`) is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`espalier: cannot write the output: ${error.message}\n`);
  process.exit(1);
});

process.exitCode = await run(process.argv.slice(2), terminal(process.stdout, process.stderr, process.env));
