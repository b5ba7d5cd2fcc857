// The service as systemd runs it, installed from the package: the unit as it is, in a machine of its own (SECURITY: F,
// privileges; G, crash and planned restart).

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { README } from '../docs/blocks.ts';
import { type Plan, swanctlConf } from '../interop/plan.ts';
import { ROOT } from '../structure/source.ts';
import { packed } from '../support/deb.ts';
import { Espalier } from '../support/espalier.ts';
import { Machine } from '../support/machine.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { must, until } from '../support/netns.ts';
import { type Sites, sites } from '../support/sites.ts';

const skip = lacking(
  ...NETWORK,
  ...(['tun', 'espalier', 'swanctl', 'overlay', 'dpkg', 'objdump', 'systemd', 'nsenter', 'cgroups'] as const),
);

/** What `systemd-analyze security` says of the unit: it may become less, and never more. */
const EXPOSURE = 1.8;
/** SECURITY's promise. */
const BACK_WITHIN = 5;
const START = 'start_action = start\n        updown = /usr/sbin/nft add table ip from-updown';
const PLAN: Plan = { a: 'espalier', b: 'espalier', child: START };

test('the exposure of the unit is what README says', { skip: lacking('systemd-analyze') }, async () => {
  const unit = join(ROOT, 'conf/espalier.service');
  const report = await must('systemd-analyze', ['security', '--offline=true', '--no-pager', unit]);
  const [, measured] = /Overall exposure level for espalier\.service: ([\d.]+)/.exec(report) ?? [];
  assert.ok(Number(measured) <= EXPOSURE, report);
  assert.match(README, new RegExp(`\`systemd-analyze security\`[^.]*?\\b${EXPOSURE}\\b`));
});

let net: Sites;
let machine: Machine;
let peer: Espalier;

before(async () => {
  if (skip !== false) return;
  net = await sites();
  const { topology, gwa, gwb } = net;
  const { file } = await packed(topology);
  // The machine calls: the other side only answers.
  peer = await Espalier.start(topology, gwb, { conf: swanctlConf({ ...PLAN, child: '' }, 'b') });
  machine = await Machine.boot(topology, gwa, { deb: file, conf: swanctlConf(PLAN, 'a') });
});
after(() => net?.topology.dispose());

async function mainPid(): Promise<number> {
  return Number(await machine.show('MainPID'));
}

/** After the service has started, again or for the first time. */
async function carries(): Promise<void> {
  await until('a ping gets through', () => net.hosta.ping('10.2.0.2'), 30_000);
}

test('systemd finds nothing wrong with the unit', { skip }, async () => {
  const done = await machine.run('systemd-analyze', 'verify', '/usr/lib/systemd/system/espalier.service');
  assert.deepEqual(done, { code: 0, stdout: '', stderr: '' });
});

test('it starts, brings its tunnel up, and says how it is', { skip }, async () => {
  await carries();
  assert.match(await machine.must('espalier', 'status'), /^gw +connected/m);
  const state = 'its state is told';
  await until(state, async () => (await machine.show('StatusText')) === '1 connection: 1 connected', 30_000);
  assert.equal(await machine.show('NRestarts'), '0');
});

test('every thread is the user espalier with three capabilities, under a filter of system calls', {
  skip,
}, async () => {
  const pid = await mainPid();
  const uid = (await machine.must('id', '-u', 'espalier')).trim();
  const text = await machine.must('sh', '-c', `cat /proc/${pid}/task/*/status`);
  const seen = (name: string) => [
    ...new Set([...text.matchAll(new RegExp(`^${name}:\\s*(\\S+)`, 'gm'))].map(([, v]) => v)),
  ];
  assert.deepEqual(seen('Uid'), [uid]);
  for (const set of ['CapEff', 'CapPrm', 'CapBnd', 'CapAmb']) assert.deepEqual(seen(set), ['0000000000003400'], set);
  assert.deepEqual([seen('NoNewPrivs'), seen('Seccomp')], [['1'], ['2']]);
  assert.doesNotMatch(await machine.must('cat', `/proc/${pid}/environ`), /ESPALIER_STARTED_ANEW/);
  const modes = [
    '/etc/espalier',
    '/etc/espalier/swanctl.conf',
    '/run/espalier',
    '/run/espalier/vici.sock',
    '/var/lib/espalier',
  ];
  assert.deepEqual((await machine.must('stat', '-c', '%a %U %G', ...modes)).trim().split('\n'), [
    '2750 root espalier',
    '640 root espalier',
    '750 espalier espalier',
    '660 espalier espalier',
    '700 espalier espalier',
  ]);
});

const FILE = '/etc/espalier/swanctl.conf';
const ANOTHER = `
connections {
  another {
    remote_addrs = 192.0.2.99
    local {
      auth = psk
    }
    remote {
      auth = psk
    }
  }
}`;

test('a program that it runs may change what the daemon may', { skip }, async () => {
  await until('its table', async () => (await net.gwa.must('nft', ['list', 'tables'])).includes('from-updown'));
});

test('systemctl reload takes what is new, fails where it is wrong, and the same process goes on', {
  skip,
}, async () => {
  const before = await mainPid();
  await machine.must('sh', '-c', `cp ${FILE} /kept.conf && echo '${ANOTHER}' >> ${FILE}`);
  await machine.must('systemctl', 'reload', 'espalier');
  assert.match(await machine.must('espalier', 'status'), /^another /m);
  await machine.must('sh', '-c', `echo nonsense >> ${FILE}`);
  assert.notEqual((await machine.run('systemctl', 'reload', 'espalier')).code, 0);
  assert.match(await machine.log(), /swanctl\.conf:\d+:\d+: /);
  assert.match(await machine.must('espalier', 'status'), /^another /m);
  await machine.must('cp', '/kept.conf', FILE);
  await machine.must('systemctl', 'reload', 'espalier');
  assert.doesNotMatch(await machine.must('espalier', 'status'), /^another /m);
  assert.equal(await mainPid(), before);
  assert.equal(await machine.show('ActiveState'), 'active');
  await carries();
});

test('killed, it is back within five seconds, and so is the tunnel', { skip }, async () => {
  const before = await mainPid();
  await machine.must('kill', '-KILL', `${before}`);
  await until('it is another one', async () => {
    const pid = await mainPid();
    return pid > 0 && pid !== before && (await machine.show('ActiveState')) === 'active';
  });
  const micros = async (name: string) => Number(await machine.show(`${name}TimestampMonotonic`));
  const away = ((await micros('ActiveEnter')) - (await micros('ActiveExit'))) / 1e6;
  assert.ok(away > 0 && away < BACK_WITHIN, `${away} s`);
  await carries();
});

test('one that hangs is ended by the watchdog, and started again', { skip }, async () => {
  const folder = '/run/systemd/system/espalier.service.d';
  const settings = '[Service]\\nWatchdogSec=3s\\nTimeoutAbortSec=1s\\n';
  await machine.must('sh', '-c', `mkdir -p ${folder} && printf '${settings}' > ${folder}/watchdog.conf`);
  await machine.must('systemctl', 'daemon-reload');
  await machine.must('systemctl', 'restart', 'espalier');
  const before = await mainPid();
  await machine.must('kill', '-STOP', `${before}`);
  await until('it is another one', async () => ![0, before].includes(await mainPid()), 30_000);
  assert.match(await machine.log(), /[Ww]atchdog timeout/);
  await until('it is active', async () => (await machine.show('ActiveState')) === 'active');
  await carries();
});

test('installed again, as in an upgrade, it is restarted because it ran', { skip }, async () => {
  const before = await mainPid();
  await machine.must('dpkg', '-i', '/espalier.deb');
  assert.equal(await machine.show('ActiveState'), 'active');
  assert.notEqual(await mainPid(), before);
  await carries();
});

test('systemctl stop tells the peer, and ends with success', { skip }, async () => {
  await machine.must('systemctl', 'stop', 'espalier');
  assert.deepEqual([await machine.show('Result'), await machine.show('ExecMainStatus')], ['success', '0']);
  await until('the peer has no SA any more', async () => (await peer.sas()).length === 0);
});

test('with a mistake in its configuration it is not started over and over', { skip }, async () => {
  await machine.must('sh', '-c', `echo nonsense >> ${FILE}`);
  const { code } = await machine.run('systemctl', 'start', 'espalier');
  assert.notEqual(code, 0);
  await until('it has failed', async () => (await machine.show('ActiveState')) === 'failed');
  assert.deepEqual([await machine.show('ExecMainStatus'), await machine.show('NRestarts')], ['2', '0']);
  assert.match(await machine.log(), /swanctl\.conf:\d+:\d+: /);
});

test('removed, it leaves the configuration; purged, no state either', { skip }, async () => {
  await machine.must('dpkg', '-r', 'espalier');
  assert.notEqual((await machine.run('systemctl', 'is-enabled', 'espalier')).stdout.trim(), 'enabled');
  await machine.must('test', '-e', '/etc/espalier/swanctl.conf', '-a', '-d', '/var/lib/espalier');
  await machine.must('dpkg', '-P', 'espalier');
  await machine.must('test', '!', '-e', '/var/lib/espalier', '-a', '!', '-e', '/usr/lib/espalier');
});
