// Who may do what on the control socket, and what of it is recorded (SECURITY: A24, F).

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, chownSync, existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Audit } from '../../../src/daemon/audit.ts';
import { dialect } from '../../../src/daemon/control/commands.ts';
import { Gate } from '../../../src/daemon/control/gate.ts';
import { isClassified, may, needed, type RoleGroups, roleOf } from '../../../src/daemon/control/roles.ts';
import { type Entry, section } from '../../../src/daemon/control/section.ts';
import type { Section } from '../../../src/daemon/control/vici.ts';
import { connection } from '../../support/connections.ts';
import { lacking } from '../../support/needs.ts';
import { until } from '../../support/netns.ts';
import { FakeGateway, folder, REFUSED, type Stage, stage } from './fake.ts';

const skip = lacking('root', 'swanctl');
const GROUPS: RoleGroups = { uid: 900, read: 901, operate: 902 };
const NOBODY = 65_534;

test('a command has the role that it needs, and one that nobody knows needs all', () => {
  const needs = (command: string) => needed(command);
  for (const command of [
    'list-sas',
    'list-conns',
    'stats',
    'version',
    'get-conns',
    'espalier-status',
    'espalier-addresses',
  ]) {
    assert.equal(needs(command), 'read', command);
  }
  for (const command of ['initiate', 'terminate', 'rekey', 'install', 'espalier-admin']) {
    assert.equal(needs(command), 'operate', command);
  }
  for (const command of [
    'load-conn',
    'clear-creds',
    'espalier-reload',
    'unload-shared',
    'nonsense',
    'list',
    'list-x',
    'get-',
    '__proto__',
  ]) {
    assert.equal(needs(command), 'admin', command);
  }
  assert.ok(may('operate', 'list-sas') && !may('operate', 'load-conn') && !may('read', 'terminate'));
});

test('who may open the socket may do all, unless a group says less', () => {
  const peer = { pid: 1, uid: 1000, gid: 1000, groups: [] as number[] };
  assert.equal(roleOf(peer, GROUPS), 'admin');
  assert.equal(roleOf({ ...peer, gid: 901 }, GROUPS), 'read');
  assert.equal(roleOf({ ...peer, groups: [5, 902] }, GROUPS), 'operate');
  assert.equal(roleOf({ ...peer, groups: [901, 902] }, GROUPS), 'operate');
  assert.equal(roleOf({ ...peer, uid: 0, gid: 901 }, GROUPS), 'admin');
  assert.equal(roleOf({ ...peer, uid: 900, groups: [901] }, GROUPS), 'admin');
  const untold = { ...peer, groups: undefined };
  assert.equal(roleOf(untold, GROUPS), 'read');
  assert.equal(roleOf(untold, { uid: 900, operate: 902 }), 'operate');
  assert.equal(roleOf(untold, { uid: 900 }), 'admin');
});

test('every command there is has been thought of', () => {
  const gateway = new FakeGateway();
  const commands = [...dialect({ gateway, version: '' }).commands.keys()];
  assert.ok(commands.length > 30);
  assert.deepEqual(
    commands.filter((command) => !isClassified(command)),
    [],
  );
});

interface Line {
  readonly action: string;
  readonly command?: string;
  readonly who: { readonly uid?: number; readonly gid?: number; readonly pid?: number; readonly signal?: string };
  readonly what?: Readonly<Record<string, string>>;
  readonly outcome: string;
  readonly error?: string;
  readonly before?: string;
  readonly after?: string;
  readonly suppressed?: number;
}

interface Audited extends Stage {
  readonly clock: { now: number };
  readonly gate: Gate;
  lines(): readonly Line[];
}

async function audited(t: TestContext, groups = GROUPS): Promise<Audited> {
  const dir = join(folder(t), 'state');
  const audit = new Audit(dir);
  const clock = { now: 0 };
  let gate: Gate | undefined;
  const made = await stage(t, (gateway) => {
    gate = new Gate({ groups, audit, gateway, now: () => clock.now });
    return gate;
  });
  assert.ok(gate);
  return { ...made, clock, gate, lines: () => linesOf(dir) };
}

function linesOf(dir: string): readonly Line[] {
  const file = join(dir, 'audit.jsonl');
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]));
}

/** The stock client as somebody else, with this group. */
function asUser({ path, uri }: Stage, gid: number, ...args: readonly string[]) {
  chmodSync(dirname(path), 0o755);
  chownSync(path, 0, gid);
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile('swanctl', [...args, '--uri', uri], { uid: NOBODY, gid, timeout: 20_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, stdout, stderr });
    });
  });
}

test('[A24] a reader sees everything and changes nothing, as the kernel says who it is', { skip }, async (t) => {
  const made = await audited(t);
  const listed = await asUser(made, 901, '--list-sas');
  assert.match(listed.stdout, /gw: #1, ESTABLISHED/);
  const refused = await asUser(made, 901, '--terminate', '--ike', 'gw');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr + refused.stdout, /'terminate' needs the role operate, and yours is read/);
  assert.deepEqual(made.gateway.asked, []);
  const [line, ...more] = made.lines();
  assert.deepEqual(more, []);
  assert.deepEqual([line?.action, line?.command, line?.outcome], ['terminateConnection', 'terminate', 'refused']);
  assert.deepEqual([line?.who.uid, line?.who.gid, line?.what], [NOBODY, 901, { connection: 'gw' }]);
});

test('[A24] an operator operates; a member of neither group who may open the socket is let do all', {
  skip,
}, async (t) => {
  const made = await audited(t);
  assert.equal((await asUser(made, 902, '--terminate', '--ike', 'gw')).code, 0);
  assert.equal((await asUser(made, 903, '--rekey', '--ike', 'gw')).code, 0);
  assert.deepEqual(
    made.lines().map((line) => [line.action, line.outcome, line.who.gid]),
    [
      ['terminateConnection', 'done', 902],
      ['rekeyConnection', 'done', 903],
    ],
  );
});

const SETTINGS = ['remote_addrs', 'local_addrs'] as const;

function conn(name: string, address: string, more: readonly Entry[] = []): Section {
  const settings = SETTINGS.map((key) => [key, [address]] as const);
  const children = section(['net', section(['remote_ts', ['10.2.0.0/24']], ...more)]);
  const auth = section(['auth', 'psk']);
  return section([name, section(...settings, ['local', auth], ['remote', auth], ['children', children])]);
}

test('[A24] a program can be named by root and the daemon itself, and by nobody else', async (t) => {
  const program = [['updown', '/bin/true']] as const;
  const strangers = await audited(t, { ...GROUPS, uid: 900 });
  const by = (uid: number) => ({ pid: process.pid, uid, gid: 1000, groups: [] });
  const enter = (uid: number, message: Section) => strangers.gate.enter(by(uid), 'load-conn', message);
  const refused = enter(1000, conn('gw', '192.0.2.2', program));
  assert.match(refused.refused ?? '', /'updown' names a program/);
  assert.equal(enter(1000, conn('gw', '192.0.2.2')).refused, undefined);
  for (const uid of [0, 900]) assert.equal(enter(uid, conn('gw', '192.0.2.2', program)).refused, undefined);
  assert.deepEqual(
    strangers.lines().map(({ action, outcome, what }) => [action, outcome, what]),
    [['updateConnection', 'refused', { connection: 'gw' }]],
  );
});

const PRINT = /^sha256:[0-9a-f]{64}$/;

test('[F] what clients do to connections and secrets is recorded by its names, with fingerprints and no value', async (t) => {
  const made = await audited(t);
  const client = await made.client();
  await client.request('list-sas');
  assert.deepEqual(made.lines(), [], 'reading is not recorded');
  const word = 'a very secret word';
  await client.request('load-conn', conn('gw', '192.0.2.2'));
  await client.request('load-conn', conn('gw', '192.0.2.2'));
  await client.request('load-conn', conn('gw', '192.0.2.3'));
  await client.request('load-shared', section(['id', 'psk-gw'], ['type', 'ike'], ['data', word], ['owners', ['gw']]));
  await client.request('unload-conn', section(['name', 'gw']));
  await client.request('unload-conn', section(['name', 'gw']));
  const lines = made.lines();
  assert.deepEqual(
    lines.map(({ action, outcome, what }) => [action, outcome, what]),
    [
      ['createConnection', 'done', { connection: 'gw' }],
      ['updateConnection', 'done', { connection: 'gw' }],
      ['loadSecret', 'done', { id: 'psk-gw' }],
      ['deleteConnection', 'done', { connection: 'gw' }],
      ['deleteConnection', 'failed', { connection: 'gw' }],
    ],
  );
  const [created, updated, , deleted] = lines;
  assert.match(String(created?.after), PRINT);
  assert.equal(created?.before, undefined);
  assert.equal(updated?.before, created?.after);
  assert.notEqual(updated?.after, updated?.before);
  assert.deepEqual([deleted?.before, deleted?.after], [updated?.after, undefined]);
  assert.deepEqual(
    new Set(lines.map(({ who }) => JSON.stringify([who.uid, who.gid, who.pid]))),
    new Set([JSON.stringify([process.getuid?.(), process.getgid?.(), process.pid])]),
  );
  assert.ok(!JSON.stringify(lines).includes(word));
});

test('reading the files anew is recorded with each connection that it changed, also where a signal asked for it', async (t) => {
  const made = await audited(t);
  const { gateway, gate } = made;
  const delays = [10, 20, 20];
  gateway.reload = async () => {
    gateway.configuration.read([connection({ dpdDelay: delays.shift() ?? 0 })], []);
    return gateway.reloading;
  };
  await (await made.client()).request('espalier-reload');
  await gate.signalled('SIGHUP', () => gateway.reload());
  await gate.signalled('SIGHUP', () => gateway.reload());
  const lines = made.lines();
  assert.deepEqual(
    lines.map(({ action, who, what }) => [action, who.signal, what?.connection]),
    [
      ['createConnection', undefined, 'gw'],
      ['reloadConfiguration', undefined, undefined],
      ['updateConnection', 'SIGHUP', 'gw'],
      ['reloadConfiguration', 'SIGHUP', undefined],
      ['reloadConfiguration', 'SIGHUP', undefined],
    ],
  );
  const reloads = lines.filter(({ action }) => action === 'reloadConfiguration');
  assert.deepEqual(
    reloads.map(({ before, after }) => before === after),
    [false, false, true],
  );
});

test('what takes its time is recorded when it begins, and when it ends though its client has gone', async (t) => {
  const made = await audited(t);
  let end = (): void => {};
  made.gateway.initiating = () =>
    new Promise((resolve) => {
      end = () => resolve({ ok: false, reason: REFUSED });
    });
  const client = await made.client();
  const asked = client.request('initiate', section(['ike', 'gw'], ['child', 'net'])).catch(() => {});
  const outcomes = () => made.lines().map(({ outcome }) => outcome);
  await until('the line of the beginning', () => outcomes().length === 1);
  client.close();
  await asked;
  end();
  await until('the line of the end', () => outcomes().length === 2);
  assert.deepEqual(outcomes(), ['begun', 'failed']);
  assert.equal(made.lines()[1]?.error, REFUSED.text);
});

test('a flood of what is refused is a hundred lines and then a number', async (t) => {
  const { gate, lines, clock } = await audited(t);
  const reader = { pid: 0, uid: 1000, gid: 901, groups: [] };
  for (let n = 0; n < 1000; n++) assert.ok(gate.enter(reader, 'terminate', new Map()).refused);
  assert.equal(lines().length, 100);
  clock.now += 1000;
  gate.enter(reader, 'terminate', new Map());
  assert.equal(lines().at(-1)?.suppressed, 900);
});
