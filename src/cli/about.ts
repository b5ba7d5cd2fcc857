// What this program is called, from the package it came in.

import { readFileSync } from 'node:fs';

export const VERSION = version();

function version(): string {
  const file: unknown = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  if (typeof file === 'object' && file !== null && 'version' in file && typeof file.version === 'string') {
    return file.version;
  }
  throw new Error('package.json has no version');
}
