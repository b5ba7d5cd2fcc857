// The addon as JavaScript may call it: with anything.

import assert from 'node:assert/strict';
import { addon, PATH_SIZE } from '../../src/net/native.ts';

const native = addon();
const loose: Readonly<Record<string, unknown>> = { ...native };

export const METHODS = Object.keys(loose).filter((name) => typeof loose[name] === 'function');

export function call(name: string, ...args: readonly unknown[]): unknown {
  const method = loose[name];
  assert.ok(typeof method === 'function', name);
  return Reflect.apply(method, undefined, args);
}

/** Nothing here names an open descriptor, nor a device that could be made. */
export const HOSTILE: readonly unknown[] = [
  undefined,
  null,
  true,
  -1,
  0.5,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  1_000_000,
  10n,
  '',
  'x'.repeat(16),
  'x'.repeat(70_000),
  'a\0b',
  '../../x',
  Symbol('s'),
  {},
  [],
  () => {},
  new Uint8Array(0),
  new Uint8Array(1),
  new Uint8Array(PATH_SIZE - 1),
  new Uint8Array(PATH_SIZE),
  new Uint8Array(PATH_SIZE + 1),
  new Uint8Array(PATH_SIZE).fill(4),
  new Uint8Array(70_000),
  new Uint16Array(PATH_SIZE),
  new Int32Array(PATH_SIZE),
  new Float64Array(PATH_SIZE),
  new DataView(new ArrayBuffer(PATH_SIZE)),
  new ArrayBuffer(PATH_SIZE),
  detached(),
  new Uint8Array(new SharedArrayBuffer(PATH_SIZE)),
  Object.create(Uint8Array.prototype),
  new Proxy(new Uint8Array(PATH_SIZE), {}),
];

function detached(): Uint8Array {
  const bytes = new Uint8Array(PATH_SIZE);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

/** A call with nonsense throws, or answers with an errno; a descriptor that came of it is closed again. */
export function survive(name: string, args: readonly unknown[]): void {
  try {
    const result = call(name, ...args);
    const opened = typeof result === 'object' && result !== null && 'fd' in result ? result.fd : result;
    if (!/Open$|Member$/.test(name)) return;
    for (const fd of [opened].flat()) if (typeof fd === 'number' && fd >= 0) native.close(fd);
  } catch (error) {
    assert.ok(error instanceof Error, name);
  }
}

export const WRONG = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' } as const;

/** Each argument in turn is replaced by what it must not be; the others are as they should be. */
export function refuses(name: string, good: readonly unknown[], bad: readonly (readonly unknown[])[]): void {
  for (const [at, values] of bad.entries()) {
    for (const value of values) {
      const args = good.map((given, i) => (i === at ? value : given));
      assert.throws(() => call(name, ...args), WRONG, `${name}, argument ${at}: ${String(value)}`);
    }
  }
}
