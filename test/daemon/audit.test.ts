// The audit log as a file: whose it is, what becomes of it when the disk is full, when it is large, when others move it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { nameOf } from '../../src/daemon/accounts.ts';
import { Audit, type AuditEntry } from '../../src/daemon/audit.ts';
import { folder } from './control/fake.ts';

const START: AuditEntry = { action: 'startGateway', outcome: 'done' };

interface Made {
  readonly audit: Audit;
  readonly dir: string;
  readonly file: string;
  readonly told: string[];
  lines(): readonly Readonly<Record<string, unknown>>[];
}

function made(t: TestContext): Made {
  const dir = join(folder(t), 'state');
  const file = join(dir, 'audit.jsonl');
  const told: string[] = [];
  const audit = new Audit(dir, {
    failed: () => told.push('failed'),
    restored: (lost) => told.push(`restored ${lost}`),
  });
  const lines = () =>
    readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  return { audit, dir, file, told, lines };
}

test("[F] the directory and the file are their owner's alone, also where the file was open to others", (t) => {
  const { audit, dir, file } = made(t);
  audit.record(START);
  assert.equal(statSync(dir).mode & 0o777, 0o700);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  rmSync(file);
  writeFileSync(file, '', { mode: 0o644 });
  audit.record(START);
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('a line tells when, what and who, and a client by its names too', (t) => {
  const { audit, lines } = made(t);
  const peer = { uid: 0, gid: 0, pid: process.pid, groups: [] };
  audit.record({ action: 'rekeyConnection', outcome: 'done', by: peer, command: 'rekey', what: { connection: 'gw' } });
  audit.record({ action: 'stopGateway', outcome: 'done', by: { signal: 'SIGTERM' } });
  audit.record(START);
  const [client, signal, own] = lines();
  assert.match(String(client?.time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const program = readFileSync('/proc/self/comm', 'utf8').trim();
  assert.deepEqual(
    { ...client, time: undefined },
    {
      time: undefined,
      action: 'rekeyConnection',
      command: 'rekey',
      who: { uid: 0, user: 'root', gid: 0, pid: process.pid, program },
      what: { connection: 'gw' },
      outcome: 'done',
    },
  );
  assert.deepEqual([signal?.who, own?.who], [{ signal: 'SIGTERM' }, { daemon: true }]);
});

test('who a client was is looked up while it is there', (t) => {
  const { audit, lines } = made(t);
  const child = execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' });
  const [early, late] = [process.pid, Number(child)].map((pid) => ({ uid: 0, gid: 0, pid, groups: [] }));
  assert.ok(early && late);
  audit.meet(early);
  audit.record({ ...START, by: early });
  audit.record({ ...START, by: late });
  const programs = lines().map(({ who }) => (who as { program?: string }).program);
  assert.deepEqual([typeof programs[0], programs[1]], ['string', undefined]);
});

test('names of users come from /etc/passwd as it is, and nothing else in there is one', () => {
  const passwd = 'root:x:0:0:root:/root:/bin/bash\n+::::::\n:x:5:5::/:\nodd:x::7::/:\nalice:x:1000:1000::/:/bin/sh\n';
  assert.deepEqual(
    [0, 1000, 5, 7].map((uid) => nameOf(passwd, uid)),
    ['root', 'alice', undefined, undefined],
  );
});

test('a directory that cannot be written costs the lines; one failure in a row is told, all are counted', (t) => {
  const { audit, dir, told, lines } = made(t);
  writeFileSync(dir, 'not a directory');
  for (let n = 0; n < 3; n++) audit.record(START);
  assert.deepEqual([audit.failures, told], [3, ['failed']]);
  rmSync(dir);
  audit.record(START);
  audit.record(START);
  assert.deepEqual(told, ['failed', 'restored 3']);
  assert.deepEqual(
    lines().map(({ lost }) => lost),
    [3, undefined],
  );
  assert.equal(audit.failures, 3);
});

test('half a line, as a crash leaves it, does not spoil the next one', (t) => {
  const { audit, file } = made(t);
  audit.record(START);
  appendFileSync(file, '{"time":"2026-');
  audit.record(START);
  audit.record(START);
  const lines = readFileSync(file, 'utf8').split('\n');
  assert.deepEqual(
    lines.map((line) => (line === '' ? '' : line.endsWith('}') ? JSON.parse(line).action : line)),
    ['startGateway', '{"time":"2026-', 'startGateway', 'startGateway', ''],
  );
});

test('nothing is written to what somebody has put in the place of the file', (t) => {
  const { audit, dir, file } = made(t);
  const precious = join(folder(t), 'precious');
  writeFileSync(precious, 'data');
  mkdirSync(dir);
  symlinkSync(precious, file);
  audit.record(START);
  rmSync(file);
  execFileSync('mkfifo', [file]);
  audit.record(START);
  assert.equal(audit.failures, 2);
  assert.equal(readFileSync(precious, 'utf8'), 'data');
});

test('a file that is large gives way, and one that was moved away is begun anew', (t) => {
  const { audit, dir, file, lines } = made(t);
  mkdirSync(dir);
  writeFileSync(file, `${' '.repeat(16 * 1024 * 1024)}\n`, { mode: 0o600 });
  audit.record(START);
  assert.ok(existsSync(`${file}.1`) && !existsSync(file));
  audit.record({ ...START, what: { connection: 'x'.repeat(10_000) }, error: 'y'.repeat(10_000) });
  assert.ok(readFileSync(file, 'utf8').length < 1500);
  renameSync(file, `${file}.old`);
  audit.record(START);
  assert.equal(lines().length, 1);
});
