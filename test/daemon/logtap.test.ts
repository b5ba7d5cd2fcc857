import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { LogTap } from '../../src/daemon/logtap.ts';
import type { Progress } from '../../src/daemon/status.ts';

test('lines are told as they are logged, with whose they are, and the log has them as before', () => {
  const tap = new LogTap();
  const written: string[] = [];
  const log = pino({ level: 'debug', hooks: tap.hooks }, { write: (line: string) => void written.push(line) });
  log.info('nobody hears');
  const heard: Progress[] = [];
  const leave = tap.follow((line) => heard.push(line));
  log.info({ event: 'session-established', conn: 'gw', ike: 7 }, 'IKE SA established');
  log.child({ suppressed: 3 }).warn({ event: 'note', conn: '' }, 'a stranger');
  log.debug({ event: 'config-warning', conn: 'gw' }, 'a detail');
  log.trace('below the level');
  log.error({ event: 'config-error' }, 'wrong');
  log.fatal('only text');
  leave();
  log.info('nobody hears any more');
  const none = { session: undefined, conn: undefined };
  assert.deepEqual(heard, [
    { level: 1, group: 'IKE', text: 'IKE SA established', session: 7, conn: 'gw' },
    { level: 1, group: 'DMN', text: 'a stranger', ...none },
    { level: 2, group: 'IKE', text: 'a detail', session: undefined, conn: 'gw' },
    { level: 1, group: 'CFG', text: 'wrong', ...none },
    { level: 1, group: 'DMN', text: 'only text', ...none },
  ]);
  assert.equal(written.length, 7);
  assert.match(written[2] ?? '', /"suppressed":3/);
});
