// Node's key objects can wait for themselves for ever when garbage is collected at the wrong moment (see curve.ts). With
// a small young generation the moment comes within some thousand keys.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { KE } from '../../src/crypto/ids.ts';

const REGISTRY = new URL('../../src/crypto/registry.js', import.meta.url);

for (const [name, group, times] of [
  ['x25519', KE.CURVE25519, 20_000],
  ['ecp256', KE.ECP_256, 20_000],
  ['ecp384', KE.ECP_384, 1000],
] as const) {
  test(`${times} keys of ${name} are made however often garbage is collected meanwhile`, () => {
    const script = `
      import { keyExchange } from ${JSON.stringify(REGISTRY.href)};
      const ke = keyExchange(${group});
      let pair;
      for (let i = 0; i < ${times}; i++) pair = ke.generate();
      if (ke.agree(pair, ke.generate().public) === undefined) process.exit(1);
    `;
    const args = ['--max-semi-space-size=1', '--input-type=module', '-e', script];
    const { status, signal, stderr } = spawnSync(process.execPath, args, {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      timeout: 120_000,
      encoding: 'utf8',
    });
    assert.deepEqual({ status, signal }, { status: 0, signal: null }, stderr);
  });
}
