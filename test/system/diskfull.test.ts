// A disk that is full or cannot be written to (SECURITY: G). What is to be kept is lost, and told, and counted; the gateway
// goes on, and writes again when it can.

import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Espalier } from '../support/espalier.ts';
import { AT_A, conf } from '../support/gateways.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { must, until } from '../support/netns.ts';
import { sampleOf } from '../support/prometheus.ts';
import { inSites } from '../support/sites.ts';
import { metricsOf } from '../support/visit.ts';

const skip = lacking(...NETWORK, 'tun', 'espalier');
const PORT = '9100';
const TINY = 'mkdir -p "$STATE" && mount -t tmpfs -o size=64k,mode=700 tmpfs "$STATE"';
const FULL = `${TINY}\ncat /dev/zero > "$STATE/fill" 2> /dev/null || true`;
const READ_ONLY = `${TINY}\nmount -o remount,ro "$STATE"`;

async function gateway(first: string, act: (a: Espalier, value: (name: string) => Promise<number>) => Promise<void>) {
  await inSites(async ({ topology, gwa }) => {
    const a = await Espalier.start(topology, gwa, { conf: conf(AT_A), args: ['--metrics', PORT], first });
    const value = async (name: string) => {
      // The text is made once a second.
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return sampleOf(await metricsOf(gwa, PORT), `espalier_${name}`) ?? Number.NaN;
    };
    await act(a, value);
  });
}

/** As the daemon sees its state directory. */
function inside(a: Espalier, name: string): string {
  return join(`/proc/${a.pid}/root`, a.state, name);
}

function audit(a: Espalier): readonly { readonly action: string; readonly lost?: number }[] {
  const lines = readFileSync(inside(a, 'audit.jsonl'), 'utf8').split('\n');
  return lines.flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
}

async function survives(a: Espalier, value: (name: string) => Promise<number>, mend: () => unknown): Promise<void> {
  const failed = (line: Readonly<Record<string, unknown>>) => line.event === 'audit-failed';
  await a.line('that the audit cannot be written', failed);
  assert.equal((await a.cli('admin', 'down', 'gw')).code, 1, 'it is DOWN, and cannot be kept');
  assert.match((await a.cli('status', 'gw')).stdout, /down/);
  const lost = await value('audit_failures_total');
  assert.ok(lost >= 2, `${lost} lines`);
  assert.equal(a.lines.filter(failed).length, 1, 'one warning');
  await mend();
  assert.equal((await a.cli('admin', 'up', 'gw')).code, 0);
  await a.line('that it can again', ({ event }) => event === 'audit-restored');
  const [line, ...more] = audit(a);
  assert.deepEqual([line?.action, line?.lost, more], ['updateConnectionState', lost, []]);
  assert.equal(statSync(inside(a, 'audit.jsonl')).mode & 0o777, 0o600);
}

test('[G] a state directory that is full costs what was to be kept, and nothing else', { skip }, () =>
  gateway(FULL, (a, value) => survives(a, value, () => rmSync(inside(a, 'fill')))),
);

test('[G] a state directory that is read-only costs what was to be kept, and nothing else', { skip }, () =>
  gateway(READ_ONLY, (a, value) =>
    survives(a, value, () => must('nsenter', ['-t', String(a.pid), '-m', 'mount', '-o', 'remount,rw', a.state])),
  ),
);

test('[G] a log on a full disk costs its lines, and the daemon ends as it should', { skip }, () =>
  gateway(`${FULL}\nexec > "$STATE/log"`, async (a, value) => {
    assert.equal((await a.cli('admin', 'down', 'gw')).code, 1);
    assert.ok((await value('log_failures_total')) >= 2);
    rmSync(inside(a, 'fill'));
    assert.equal((await a.cli('admin', 'up', 'gw')).code, 0);
    const log = await until('a line of the log', () => readFileSync(inside(a, 'log'), 'utf8') || undefined);
    assert.ok(log.split('\n').some((line) => line !== '' && JSON.parse(line).event === 'admin'));
    await a.stop();
  }),
);
