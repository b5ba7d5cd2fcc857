// SECURITY A24 and F, against the whole main thread of a gateway: paths that clients name are never opened, and a secret
// that a client brings stands in nothing that is written.

import assert from 'node:assert/strict';
import childProcess from 'node:child_process';
import fs, { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { utf8 } from '../../src/bytes/bytes.ts';
import { Audit } from '../../src/daemon/audit.ts';
import { Client } from '../../src/daemon/control/client.ts';
import { dialect } from '../../src/daemon/control/commands.ts';
import { Gate } from '../../src/daemon/control/gate.ts';
import { type Entry, section } from '../../src/daemon/control/section.ts';
import { ControlServer } from '../../src/daemon/control/server.ts';
import type { Section, Value } from '../../src/daemon/control/vici.ts';
import { Desk } from '../../src/daemon/desk.ts';
import { Meter } from '../../src/daemon/metrics/measure.ts';
import { Network, NOTHING, within } from './gateways.ts';
import { Watch } from './spellings.ts';

interface Open {
  readonly folder: string;
  readonly commands: readonly string[];
  readonly client: Client;
  readonly audit: () => string;
}

/** The control socket of the left gateway, with an audit log. */
async function opened(t: TestContext, network: Network): Promise<Open> {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const desk = new Desk(network.left.gateway, NOTHING);
  const audit = new Audit(join(folder, 'state'));
  const spoken = dialect({ gateway: desk, version: '' });
  const gate = new Gate({ groups: { uid: 0 }, audit, gateway: desk, now: () => network.now });
  const uri = `unix://${join(folder, 'vici.sock')}`;
  const server = await ControlServer.listen({ uri, ...spoken, gate });
  t.after(() => server.close());
  const client = await Client.connect(uri);
  t.after(() => client.close());
  return {
    folder,
    commands: [...spoken.commands.keys()],
    client,
    audit: () => readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8'),
  };
}

/** Every path that a function of `node:fs` or `node:child_process` is called with, from now on. */
function watchPaths(t: TestContext): readonly string[] {
  const paths: string[] = [];
  const modules = [fs, fs.promises, childProcess].map((module) => module as unknown as Record<string, unknown>);
  for (const module of modules) {
    for (const [name, kept] of Object.entries(module)) {
      if (typeof kept !== 'function' || /^[A-Z_]/.test(name)) continue;
      module[name] = function watched(this: unknown, ...args: unknown[]) {
        for (const arg of args) {
          if (typeof arg === 'string') paths.push(arg);
          else if (arg instanceof URL || arg instanceof Uint8Array) paths.push(String(arg));
        }
        return Reflect.apply(kept, this, args);
      };
      t.after(() => {
        module[name] = kept;
        syncBuiltinESMExports();
      });
    }
  }
  syncBuiltinESMExports();
  return paths;
}

const KEYS = [
  ...['ike', 'child', 'name', 'id', 'unique', 'data', 'path', 'file', 'filename', 'source', 'cert', 'cacert', 'key'],
  ...['handle', 'module', 'pin', 'keyid', 'subject', 'profile', 'config', 'secrets', 'updown', 'status', 'addrs'],
];

/** Messages that name a path wherever something can be named. */
function messages(path: string): Section[] {
  const named = (value: Value): Entry[] => KEYS.map((key) => [key, value]);
  const conn = section(
    ['remote_addrs', [path]],
    ['local', section(['auth', 'psk'], ['id', path], ['certs', [path]], ['pubkeys', [path]])],
    ['remote', section(['auth', 'psk'], ['id', path], ['cacerts', [path]])],
    ['children', section(['net', section(['remote_ts', ['10.9.0.0/24']], ['updown', path])])],
  );
  const kinds = ['ike', 'private', 'rsa', 'x509', 'X509', 'pkcs12', 'eap', 'token'];
  return [
    section(...named(path), ['timeout', '-1']),
    section(...named([path]), ['timeout', '-1']),
    ...kinds.map((type) =>
      section(...named(path), ['type', type], ['flag', 'CA'], ['owners', [path]], ['timeout', '-1']),
    ),
    section([path, conn]),
    section(['gw9', conn]),
    section([path, section(...named(path))]),
  ];
}

test('[A24] no command opens a path that a client names', (t) =>
  within(new Network(), async (network) => {
    const { folder, commands, client } = await opened(t, network);
    const path = join(folder, 'canary');
    writeFileSync(path, 'what stands in the canary');
    const uri = `file://${path}`;
    const paths = watchPaths(t);
    const answers: Section[] = [];
    for (const command of commands) {
      for (const message of [...messages(path), ...messages(uri)]) answers.push(await client.request(command, message));
    }
    assert.ok(commands.length > 30 && answers.length > 500);
    assert.ok(
      paths.some((opened) => opened.endsWith('audit.jsonl')),
      'the watch sees what is opened',
    );
    assert.deepEqual(
      paths.filter((opened) => opened.includes('canary')),
      [],
    );
    assert.ok(
      !JSON.stringify(answers, (_, value) => (value instanceof Map ? [...value] : value)).includes('stands in'),
    );
  }));

test('[F] a secret that a client brings is in no line of the log or the audit, in no answer and in no metric', (t) => {
  const lines: string[] = [];
  return within(new Network({}, { lines }), async (network) => {
    const { client, commands, audit } = await opened(t, network);
    const { gateway } = network.left;
    const none = () => 0;
    const counters = { version: '', workers: 1, workerRestarts: none, auditFailures: none, logFailures: none };
    const meter = new Meter(gateway, new Desk(gateway, NOTHING), counters);
    const word = 'correct horse battery staple';
    const data: readonly Value[] = [word, utf8(word), [word], section(['x', word])];
    const answers: Section[] = [];
    for (const type of ['ike', 'IKE', 'eap', 'ntlm', 'ppk', 'nonsense']) {
      for (const value of data) {
        for (const owners of [[], ['gw.example.org'], ['not an identity @@ %%']]) {
          const message = section(['id', 'psk-1'], ['type', type], ['data', value], ['owners', owners]);
          answers.push(await client.request('load-shared', message));
        }
      }
    }
    for (const command of commands.filter((name) =>
      /^(load|unload|clear|get|list|espalier-(status|counters))/.test(name),
    ))
      answers.push(await client.request(command, section(['data', word], ['type', 'any'])));
    const watch = new Watch();
    watch.add('secret', utf8(word));
    const said = JSON.stringify(answers, (_, value) => (value instanceof Map ? [...value] : value));
    assert.ok(audit().includes('loadSecret'));
    assert.ok(said.includes('yes') && said.includes('no'));
    for (const text of [said, audit(), lines.join(''), meter.text()]) assert.deepEqual(watch.hits(text), []);
    meter.close();
  });
});
