// What the addon offers to a service, and that nothing else gets through.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addon } from '../../src/net/native.ts';
import { notify } from '../../src/net/notify.ts';
import { refuses } from './hostile.ts';

const native = addon();
const bytes = (text: string) => Buffer.from(text);
const EINVAL = 22;

test('a manager is named by an absolute path or an abstract name that fits', () => {
  for (const name of ['', '/', '@', 'run/x', 'vsock:2:1234', `/${'x'.repeat(107)}`, `@${'x'.repeat(107)}`]) {
    assert.equal(native.notifySend(bytes(name), bytes('READY=1')), -EINVAL, name);
  }
  assert.throws(() => notify('/nonexistent/espalier', ['READY=1']), { code: 'ENOENT', syscall: 'sendto' });
  assert.throws(() => notify(`@${'x'.repeat(106)}`, ['READY=1']), { code: 'ECONNREFUSED' });
  const wrong = [undefined, null, 1, 'x', {}, new Uint16Array(4)];
  refuses('notifySend', [bytes('/x'), bytes('')], [wrong, wrong]);
});
