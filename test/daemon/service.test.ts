// What is told to the service manager, and when (sd_notify(3)).

import assert from 'node:assert/strict';
import { mock, type TestContext, test } from 'node:test';
import { Service, summary } from '../../src/daemon/service.ts';
import { SystemError } from '../../src/net/error.ts';

const PID = 4711;
const WATCHED = { NOTIFY_SOCKET: '/run/manager', WATCHDOG_USEC: '6000000', WATCHDOG_PID: `${PID}` } as const;

interface Bench {
  readonly service: Service;
  readonly told: string[];
  readonly logged: unknown[];
  readonly duties: { status: () => string; alive: () => boolean; reload: () => Promise<void> };
}

function bench(
  t: TestContext,
  env: NodeJS.ProcessEnv,
  tell?: (socket: string, lines: readonly string[]) => void,
): Bench {
  mock.timers.enable({ apis: ['setInterval'] });
  t.after(() => mock.timers.reset());
  const told: string[] = [];
  const logged: unknown[] = [];
  const log = {
    warn: (fields: unknown) => void logged.push(fields),
    error: (fields: unknown) => void logged.push(fields),
  };
  const service = new Service({ env, pid: PID, log, tell: tell ?? ((_, lines) => void told.push(lines.join(' '))) });
  t.after(() => service.close());
  const duties = { status: () => 'no connections', alive: () => true, reload: async () => {} };
  return { service, told, logged, duties };
}

/** Promises that are due have come. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('outside of a service manager nothing is told, and a reload is done all the same', async (t) => {
  const { service, told, duties } = bench(t, {});
  let reloads = 0;
  duties.reload = async () => void reloads++;
  service.ready(duties);
  mock.timers.tick(60_000);
  service.reload();
  await settled();
  service.stopping();
  assert.deepEqual(told, []);
  assert.equal(reloads, 1);
});

test('what was meant for this process alone is not in the environment any more', (t) => {
  const env = { ...WATCHED, HOME: '/' };
  bench(t, env);
  assert.deepEqual(env, { HOME: '/' });
});

test('readiness, the state, signs of life and the end are told', (t) => {
  const { service, told, duties } = bench(t, { ...WATCHED });
  service.ready(duties);
  mock.timers.tick(3000);
  duties.status = () => '1 connection: 1 connected';
  mock.timers.tick(3000);
  mock.timers.tick(3000);
  service.stopping();
  assert.deepEqual(told, [
    'READY=1 STATUS=no connections',
    'WATCHDOG=1',
    'WATCHDOG=1 STATUS=1 connection: 1 connected',
    'WATCHDOG=1',
    'STOPPING=1 STATUS=stopping',
  ]);
});

test('while a thread of the data plane hangs there is no sign of life', (t) => {
  const { service, told, logged, duties } = bench(t, { ...WATCHED });
  let alive = true;
  duties.alive = () => alive;
  service.ready(duties);
  const beats = () => told.filter((text) => text.includes('WATCHDOG=1')).length;
  mock.timers.tick(3000);
  assert.equal(beats(), 1);
  alive = false;
  mock.timers.tick(9000);
  assert.equal(beats(), 1);
  assert.deepEqual(logged[0], { event: 'hangs' });
  alive = true;
  mock.timers.tick(3000);
  assert.equal(beats(), 2);
});

test('a watchdog of another process, none, and nonsense ask for nothing; the state is told all the same', (t) => {
  for (const watchdog of [
    { WATCHDOG_PID: '1' },
    { WATCHDOG_USEC: '' },
    { WATCHDOG_USEC: '0' },
    { WATCHDOG_USEC: 'x' },
  ]) {
    const { service, told, duties } = bench(t, { ...WATCHED, ...watchdog });
    service.ready(duties);
    duties.status = () => 'changed';
    mock.timers.tick(20_000);
    assert.deepEqual(told, ['READY=1 STATUS=no connections', 'STATUS=changed']);
    service.close();
    mock.timers.reset();
  }
});

test('a reload is told from its beginning to its end, with the time that systemd compares', async (t) => {
  const { service, told, duties } = bench(t, { ...WATCHED });
  const finish: (() => void)[] = [];
  duties.reload = () => new Promise((resolve) => void finish.push(resolve));
  service.ready(duties);
  service.reload();
  await settled();
  assert.match(told[1] ?? '', /^RELOADING=1 MONOTONIC_USEC=\d+ STATUS=reloading$/);
  assert.equal(told.length, 2);
  finish[0]?.();
  await settled();
  assert.equal(told[2], 'READY=1 STATUS=no connections');
});

test('reloads come one after the other, and wishes that come meanwhile are one', async (t) => {
  const { service, duties } = bench(t, {});
  const finish: (() => void)[] = [];
  duties.reload = () => new Promise((resolve) => void finish.push(resolve));
  service.ready(duties);
  service.reload();
  await settled();
  for (let i = 0; i < 5; i++) service.reload();
  await settled();
  assert.equal(finish.length, 1);
  finish[0]?.();
  await settled();
  assert.equal(finish.length, 2);
  finish[1]?.();
  await settled();
  assert.equal(finish.length, 2);
});

test('a reload that is asked for too early is done as soon as there is something to reload', async (t) => {
  const { service, told, duties } = bench(t, { ...WATCHED });
  service.reload();
  await settled();
  assert.equal(told.length, 0);
  service.ready(duties);
  await settled();
  assert.deepEqual(
    told.map((text) => text.split('=')[0]),
    ['READY', 'RELOADING', 'READY'],
  );
});

test('once it stops, nothing is reloaded, and it is not told to be ready again', async (t) => {
  const { service, told, duties } = bench(t, { NOTIFY_SOCKET: '/run/manager' });
  let reloads = 0;
  const reload = async () => {
    reloads++;
    service.stopping();
  };
  service.ready({ ...duties, reload });
  service.reload();
  await settled();
  service.reload();
  await settled();
  assert.equal(reloads, 1);
  assert.equal(told.at(-1), 'STOPPING=1 STATUS=stopping');
});

test('a bug in a reload is logged, and the service is ready again', async (t) => {
  const { service, told, logged, duties } = bench(t, { ...WATCHED });
  const err = new Error('a bug');
  duties.reload = () => Promise.reject(err);
  service.ready(duties);
  service.reload();
  await settled();
  assert.deepEqual(logged, [{ event: 'bug', bug: true, err }]);
  assert.match(told.at(-1) ?? '', /^READY=1/);
});

test('a manager that does not listen is a warning, and no more', (t) => {
  const { service, logged, duties } = bench(t, { ...WATCHED }, () => {
    throw new SystemError('sendto', 111);
  });
  service.ready(duties);
  assert.deepEqual(logged, [{ event: 'notify-failed', syscall: 'sendto', code: 'ECONNREFUSED' }]);
});

test('what the manager did not hear is told again, and complained of once', (t) => {
  const told: string[] = [];
  let code = 11;
  const { service, logged, duties } = bench(t, { NOTIFY_SOCKET: '/run/manager' }, (_, lines) => {
    if (code !== 0) throw new SystemError('sendto', code);
    told.push(lines.join(' '));
  });
  service.ready(duties);
  mock.timers.tick(20_000);
  code = 111;
  mock.timers.tick(10_000);
  assert.deepEqual(
    logged.map((fields) => (fields as { code: string }).code),
    ['EAGAIN', 'ECONNREFUSED'],
  );
  code = 0;
  mock.timers.tick(20_000);
  assert.deepEqual(told, ['READY=1 STATUS=no connections']);
});

test('while it stops there are signs of life, and the sentence stays', (t) => {
  const { service, told, duties } = bench(t, { ...WATCHED });
  service.ready(duties);
  service.stopping();
  duties.status = () => '1 connection: 1 down';
  mock.timers.tick(6000);
  assert.deepEqual(told.slice(1), ['STOPPING=1 STATUS=stopping', 'WATCHDOG=1', 'WATCHDOG=1']);
});

test('the sentence counts the connections by their state', () => {
  assert.equal(summary([]), 'no connections');
  assert.equal(summary(['down']), '1 connection: 1 down');
  assert.equal(summary(['connected', 'down', 'connected']), '3 connections: 2 connected, 1 down');
});
