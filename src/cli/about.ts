// What this program is called, from the package it came in.

import { readFileSync, statSync } from 'node:fs';

const PACKAGE = readPackage();

export const VERSION = PACKAGE.version;

/** The oldest Node that will do. */
export const OLDEST_NODE = PACKAGE.engines.node.replace(/^>=/, '');

/** When this file was compiled or unpacked, in milliseconds. */
export function builtAt(): number {
  return statSync(new URL(import.meta.url)).mtimeMs;
}

function readPackage(): { readonly version: string; readonly engines: { readonly node: string } } {
  const file: unknown = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  if (isPackage(file)) return file;
  throw new Error('package.json has no version, or does not say which Node it needs');
}

function isPackage(file: unknown): file is { readonly version: string; readonly engines: { readonly node: string } } {
  if (typeof file !== 'object' || file === null || !('version' in file) || !('engines' in file)) return false;
  const { version, engines } = file;
  const node = typeof engines === 'object' && engines !== null && 'node' in engines ? engines.node : undefined;
  return typeof version === 'string' && typeof node === 'string';
}
