// Management status in its file.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Admin } from '../../src/daemon/admin.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'espalier-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return join(path, 'state');
}

function reread(dir: string): Admin {
  const admin = new Admin(dir);
  admin.read();
  return admin;
}

test('what is DOWN is DOWN for the next one that reads the file, which nobody else may', (t) => {
  const dir = folder(t);
  const admin = reread(dir);
  admin.set({ conn: 'gw' }, true, ['net', 'voice']);
  assert.ok(reread(dir).isDown('gw', 'voice'));
  assert.equal(reread(dir).isDown('other', 'voice'), false);
  assert.equal(statSync(join(dir, 'admin.json')).mode & 0o777, 0o600);
  assert.equal(statSync(dir).mode & 0o777, 0o700);
});

test('of a connection that is DOWN one child can be set to UP', (t) => {
  const dir = folder(t);
  const admin = reread(dir);
  admin.set({ conn: 'gw' }, true, ['net', 'voice']);
  admin.set({ conn: 'gw', child: 'net' }, false, ['net', 'voice']);
  assert.deepEqual([admin.isDown('gw', 'net'), admin.isDown('gw', 'voice')], [false, true]);
  admin.set({ conn: 'gw' }, false, ['net', 'voice']);
  assert.equal(admin.isDown('gw', 'voice'), false);
});

for (const [what, text] of [
  ['is no JSON', '{"version":1,"down":['],
  ['has another version', '{"version":2,"down":[]}'],
  ['holds something else', '{"version":1,"down":[{"conn":7}]}'],
] as const) {
  test(`a file that ${what} is an error, and nothing is DOWN`, (t) => {
    const dir = folder(t);
    new Admin(dir).set({ conn: 'gw' }, true, []);
    writeFileSync(join(dir, 'admin.json'), text);
    const admin = new Admin(dir);
    assert.throws(() => admin.read());
    assert.equal(admin.isDown('gw', 'net'), false);
  });
}

test('a directory that cannot be written costs the memory and not the status', (t) => {
  const dir = folder(t);
  writeFileSync(dir, 'not a directory');
  const admin = new Admin(dir);
  assert.throws(() => admin.set({ conn: 'gw' }, true, []));
  assert.ok(admin.isDown('gw', 'net'));
  assert.equal(readFileSync(dir, 'utf8'), 'not a directory');
});
