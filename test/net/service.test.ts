// What the addon offers to a service, and that nothing else gets through.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { addon } from '../../src/net/native.ts';
import { notify } from '../../src/net/notify.ts';
import { findUser, ownRights } from '../../src/net/privilege.ts';
import { lacking } from '../support/needs.ts';
import { call, refuses } from './hostile.ts';

const native = addon();
const bytes = (text: string) => Buffer.from(text);
const EINVAL = 22;
/** Names of which a part would be taken for the whole: also in front of a character of several bytes. */
const CUT_OFF = ['x'.repeat(64), 'x'.repeat(70_000), `${'x'.repeat(62)}ä`, `${'x'.repeat(61)}€`, `${'x'.repeat(60)}😀`];

test('a manager is named by an absolute path or an abstract name that fits', () => {
  for (const name of ['', '/', '@', 'run/x', 'vsock:2:1234', `/${'x'.repeat(107)}`, `@${'x'.repeat(107)}`]) {
    assert.equal(native.notifySend(bytes(name), bytes('READY=1')), -EINVAL, name);
  }
  assert.throws(() => notify('/nonexistent/espalier', ['READY=1']), { code: 'ENOENT', syscall: 'sendto' });
  assert.throws(() => notify(`@${'x'.repeat(106)}`, ['READY=1']), { code: 'ECONNREFUSED' });
  const wrong = [undefined, null, 1, 'x', {}, new Uint16Array(4)];
  refuses('notifySend', [bytes('/x'), bytes('')], [wrong, wrong]);
});

/** A manager that is busy until it is told, and reads only after its client was interrupted. */
const BUSY = `
import os, signal, socket, sys, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1])
print(flush=True)
signal.sigwait([signal.SIGUSR1])
time.sleep(0.2)
os.kill(os.getppid(), signal.SIGHUP)
time.sleep(0.2)
while True:
    manager.recv(4096)
`;

test('a signal does not cut off what is told to a busy manager', { skip: lacking('python3') }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-'));
  const socket = join(folder, 'notify');
  const manager = spawn('/usr/bin/python3', ['-c', BUSY, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  const interrupted = () => {};
  process.on('SIGHUP', interrupted);
  t.after(() => {
    process.off('SIGHUP', interrupted);
    manager.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });
  await once(manager.stdout, 'data');
  const forEver = () => {
    for (;;) notify(socket, ['STATUS=busy']);
  };
  assert.throws(forEver, { code: 'EAGAIN', syscall: 'sendto' });
  manager.kill('SIGUSR1');
  notify(socket, ['READY=1']);
});

test('a user is found by name', () => {
  assert.deepEqual(findUser('root'), { uid: 0, gid: 0 });
  assert.equal(findUser('no-such-user-here'), undefined);
  refuses('userFind', ['root'], [[undefined, 1, '', 'a\0b', ...CUT_OFF]]);
  assert.equal(findUser('x'.repeat(63)), undefined);
});

test('a program is not started anew with what is no program', () => {
  const program = bytes('/nonexistent/espalier\0');
  const strings = [undefined, 1, '/bin/true', bytes('/bin/true'), new Uint16Array(4)];
  refuses(
    'startAnew',
    [0, program, bytes(''), undefined],
    [[undefined, 'x', -1, 0.5, 2 ** 32], strings, strings, [null, 1, '', ...CUT_OFF]],
  );
  for (const argv of ['', '\0', 'true\0', '../bin/true\0']) {
    assert.throws(() => call('startAnew', 0, bytes(argv), bytes('')), { code: 'EINVAL', syscall: 'execve' });
  }
  assert.throws(() => call('startAnew', 0, program, bytes(''), 'no-such-user-here'), { code: 'ENOENT' });
});

test('a process knows its own rights', () => {
  const { capabilities } = ownRights();
  assert.equal(capabilities !== 0n, process.getuid?.() === 0);
});
