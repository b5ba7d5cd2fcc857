import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const ADDON = `${ROOT}native/build-asan/build/Release/espalier.node`;

/** The runtime must come first in the process, and node was not linked with it. */
function runtime(): string | undefined {
  try {
    const path = execFileSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

const preload = runtime();

const sanitized: NodeJS.ProcessEnv = {
  ...process.env,
  ESPALIER_ADDON: ADDON,
  LD_PRELOAD: preload,
  // V8 keeps what it keeps until the end of the process: leaks cannot be told apart.
  ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=0:exitcode=99',
  UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1:exitcode=99',
};
// Or the child would speak the runner's own protocol.
delete sanitized.NODE_TEST_CONTEXT;

const OPTIONS = { skip: preload ? false : 'gcc with libasan is missing', timeout: 540_000 };

test('under the sanitizers the addon has nothing to answer for', OPTIONS, async (t) => {
  const built = spawnSync(process.execPath, [`${ROOT}conf/native.mjs`, '--sanitize'], { encoding: 'utf8' });
  assert.equal(built.status, 0, built.stderr);
  const net = ['net/addon', 'net/arguments', 'net/peer', 'net/service', 'net/socket', 'net/tun', 'net/route'];
  const ciphers = ['native/cipher', 'native/handles', 'native/vaes', 'native/vectors'];
  const lanes = ['native/seal', 'native/open', 'native/deliver', 'native/receive'];
  for (const name of [...net, ...ciphers, ...lanes]) {
    await t.test(`${name}.test.js`, () => {
      const script = fileURLToPath(new URL(`../${name}.test.js`, import.meta.url));
      const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8', env: sanitized });
      assert.doesNotMatch(stdout + stderr, /AddressSanitizer|runtime error/);
      assert.equal(status, 0, stdout + stderr);
      assert.match(stdout, /^# fail 0$/m);
    });
  }
});
