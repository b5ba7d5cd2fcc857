// Who may do what on the control socket, and what of it is recorded (SECURITY: A24, F).

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Audit } from '../../../src/daemon/audit.ts';
import { dialect } from '../../../src/daemon/control/commands.ts';
import { Gate } from '../../../src/daemon/control/gate.ts';
import { isClassified, may, needed, type RoleGroups, roleOf } from '../../../src/daemon/control/roles.ts';
import { section } from '../../../src/daemon/control/section.ts';
import { connection } from '../../support/connections.ts';
import { lacking } from '../../support/needs.ts';
import { FakeGateway, folder, type Stage, stage } from './fake.ts';

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
  readonly [key: string]: unknown;
}

interface Audited extends Stage {
  readonly audit: Audit;
  lines(): readonly Line[];
}

async function audited(t: TestContext): Promise<Audited> {
  const dir = join(folder(t), 'state');
  const audit = new Audit(dir);
  const made = await stage(t, (gateway) => new Gate({ groups: GROUPS, audit, gateway }));
  const lines = () => {
    const file = join(dir, 'audit.jsonl');
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]));
  };
  return { ...made, audit, lines };
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
  assert.deepEqual([line?.action, line?.uid, line?.gid, line?.ok, line?.ike], ['terminate', NOBODY, 901, false, 'gw']);
});

test('[A24] an operator operates; a member of neither group who may open the socket is let do all', {
  skip,
}, async (t) => {
  const made = await audited(t);
  assert.equal((await asUser(made, 902, '--terminate', '--ike', 'gw')).code, 0);
  assert.equal((await asUser(made, 903, '--rekey', '--ike', 'gw')).code, 0);
  assert.deepEqual(
    made.lines().map((line) => [line.action, line.ok, line.gid]),
    [
      ['terminate', true, 902],
      ['rekey', true, 903],
    ],
  );
});

test('[F] what is recorded has fingerprints of before and after, and no value of the message', async (t) => {
  const made = await audited(t);
  const client = await made.client();
  await client.request('list-sas', new Map());
  assert.deepEqual(made.lines(), [], 'reading is not recorded');
  const secret = 'a very secret word';
  const { gateway } = made;
  gateway.reload = async () => {
    gateway.configuration.load(connection());
    return gateway.reloading;
  };
  await client.request('espalier-reload', section(['data', secret]));
  await client.request('espalier-reload', section(['data', secret]));
  const [first, second, ...more] = made.lines();
  assert.deepEqual(more, []);
  assert.ok(!JSON.stringify([first, second]).includes(secret));
  const print = /^[0-9a-f]{16}$/;
  assert.ok(print.test(String(first?.before)) && print.test(String(first?.after)) && first?.before !== first?.after);
  assert.deepEqual(
    [second?.action, second?.ok, second?.before],
    ['espalier-reload', true, undefined],
    'nothing changed',
  );
  assert.equal(statSync(join(dirname(made.path), 'vici.sock')).mode & 0o777, 0o660);
});

test('a state directory that cannot be written costs the lines; one failure in a row is told, all are counted', (t) => {
  const dir = join(folder(t), 'state');
  writeFileSync(dir, 'not a directory');
  const told: Error[] = [];
  const audit = new Audit(dir, (error) => told.push(error));
  for (let n = 0; n < 3; n++) audit.record({ action: 'reload', ok: true });
  assert.deepEqual([audit.failures, told.length], [3, 1]);
});

test('the file is for its owner alone, and gives way when it is large', (t) => {
  const dir = join(folder(t), 'state');
  mkdirSync(dir);
  writeFileSync(join(dir, 'audit.jsonl'), ' '.repeat(16 * 1024 * 1024), { mode: 0o600 });
  const audit = new Audit(dir);
  audit.record({ action: 'start', ok: true });
  assert.ok(existsSync(join(dir, 'audit.jsonl.1')));
  audit.record({ action: 'stop', ok: true, what: { signal: 'x'.repeat(10_000) } });
  const text = readFileSync(join(dir, 'audit.jsonl'), 'utf8');
  assert.ok(text.length < 1000);
  assert.equal(statSync(join(dir, 'audit.jsonl')).mode & 0o777, 0o600);
});
