// A gateway that does as it is told, and a control server in front of it on a socket of its own.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { parsePrefix, prefixRange } from '../../../src/bytes/ip.ts';
import { Configuration, type Configured } from '../../../src/daemon/configuration.ts';
import type { Gone } from '../../../src/daemon/control/channel.ts';
import { Client } from '../../../src/daemon/control/client.ts';
import { dialect } from '../../../src/daemon/control/commands.ts';
import type { Gate } from '../../../src/daemon/control/gate.ts';
import { ControlServer } from '../../../src/daemon/control/server.ts';
import type { Trapped } from '../../../src/daemon/protection.ts';
import type {
  ChildStatus,
  ConnectionStatus,
  CountedAll,
  Gateway,
  Happening,
  Load,
  Outcome,
  Progress,
  Reloaded,
  SessionStatus,
  Target,
} from '../../../src/daemon/status.ts';
import type { Connection, SharedKey } from '../../../src/ike/connection.ts';
import type { Reason } from '../../../src/ike/reason.ts';
import { Tally } from '../../../src/ike/tally.ts';
import type { Selector } from '../../../src/ike/wire/ts.ts';

export const OK: Reason = { code: 'ok', text: 'connected' };

/** A refusal with all the evidence there can be. */
export const REFUSED: Reason = {
  code: 'no-proposal',
  text: 'the peer accepts none of our proposals',
  notify: 'NO_PROPOSAL_CHOSEN',
  by: 'peer',
  want: ['AES_GCM_16_256', 'CURVE_25519'],
  got: ['AES_CBC_128', 'MODP_2048'],
  misses: [{ ours: 0, theirs: 1, kind: 'ke', want: ['CURVE_25519'], got: ['MODP_2048'] }],
  where: { file: '/etc/espalier/gw.conf', line: 14, column: 5 },
  remedy: 'add -modp2048 to proposals in gw.conf:14',
  peer: { ip: '10.71.0.2', port: 500 },
};

export function selector(prefix: string): Selector {
  const parsed = parsePrefix(prefix);
  if (!parsed) throw new Error(`not a prefix: ${prefix}`);
  return { protocol: 0, startPort: 0, endPort: 0xffff, ...prefixRange(parsed) };
}

/** As charon 5.9.8 showed it when two of them had a tunnel (see sas.test.ts). */
export const NET: ChildStatus = {
  id: 1,
  name: 'net',
  reqid: 1,
  state: 'INSTALLED',
  mode: 'tunnel',
  protocol: 'esp',
  udp: true,
  spiIn: 0xc560316d,
  spiOut: 0x4558aff3,
  esn: false,
  transforms: [
    { type: 1, id: 12, keyBits: 128 },
    { type: 3, id: 12 },
  ],
  bytesIn: 168,
  packetsIn: 2,
  bytesOut: 168,
  packetsOut: 2,
  useIn: 0.4,
  useOut: 0,
  rekeyIn: 13_634,
  lifeIn: 15_839,
  installedSince: 1.9,
  localTs: [selector('10.71.1.0/24')],
  remoteTs: [selector('10.71.2.0/24')],
};

export const SESSION: SessionStatus = {
  id: 1,
  conn: 'gw',
  version: 2,
  state: 'ESTABLISHED',
  local: { ip: '10.71.0.1', port: 4500 },
  localId: 'gw1.pf.test',
  remote: { ip: '10.71.0.2', port: 4500 },
  remoteId: 'gw2.pf.test',
  initiator: true,
  spiI: '4c41492227ff53fa',
  spiR: '71c110f4415903cc',
  natLocal: false,
  natRemote: true,
  natFake: false,
  transforms: [
    { type: 1, id: 12, keyBits: 128 },
    { type: 3, id: 12 },
    { type: 2, id: 5 },
    { type: 4, id: 14 },
  ],
  establishedSince: 1,
  rekeyIn: 13_813,
  reauthIn: undefined,
  tasksQueued: [],
  tasksActive: [],
  children: [NET],
};

export const GW: ConnectionStatus = {
  name: 'gw',
  state: 'connected',
  reason: OK,
  since: 61,
  remote: '10.71.0.2',
  children: [
    { name: 'net', state: 'connected', reason: OK },
    { name: 'voice', state: 'down', reason: { code: 'requested', text: 'taken down by command' } },
  ],
  suspicions: [],
};

const DONE: Outcome = { ok: true, reason: { code: 'ok', text: 'done' } };
const NOT_FOUND: Outcome = { ok: false, reason: { code: 'no-connection', text: 'there is no such thing', by: 'us' } };

type Tell = (line: Progress) => void;
type Closed = Outcome & { readonly matches: number; readonly terminated: number };

export class FakeGateway implements Gateway {
  readonly asked: unknown[] = [];
  readonly configuration = new Configuration([], []);
  readonly tally = new Tally();
  readonly watching = new Set<(happening: Happening) => void>();
  trapped: readonly Trapped[] = [];
  at: readonly string[] = ['10.71.0.1'];
  running: readonly SessionStatus[] = [SESSION];
  reloading: Reloaded = { ...DONE, added: ['new'], removed: [], changed: ['gw'], same: 1, secrets: 0, warnings: [] };
  known: readonly ConnectionStatus[] = [GW];
  initiating: (what: { ike?: string; child?: string }, tell: Tell) => Promise<Outcome> = async () => ({
    ok: true,
    reason: OK,
  });
  terminating: (what: Target, tell: Tell) => Promise<Closed> = async () => ({
    ok: true,
    reason: OK,
    matches: 1,
    terminated: 1,
  });

  sessions(): readonly SessionStatus[] {
    return this.running;
  }

  connections(): readonly ConnectionStatus[] {
    return this.known;
  }

  initiate(what: { ike?: string; child?: string }, timeout: number, progress: Tell): Promise<Outcome> {
    this.asked.push({ initiate: what, timeout });
    return this.initiating(what, progress);
  }

  terminate(what: Target & { readonly force?: boolean }, timeout: number, progress: Tell): Promise<Closed> {
    this.asked.push({ terminate: what, timeout });
    return this.terminating(what, progress);
  }

  counted(): CountedAll {
    return { ike: { 'bad-icv': 3 }, drops: { replay: 2, policy: 0 }, io: { 'tun-reads': 1_000_000 } };
  }

  rekey(what: Target, reauth = false): number {
    this.asked.push({ rekey: what, ...(reauth ? { reauth } : {}) });
    return this.running.filter((session) => what.ike === undefined || session.conn === what.ike).length;
  }

  configured(): readonly Configured[] {
    return this.configuration.entries();
  }

  loadConnection(conn: Connection): Outcome {
    this.asked.push({ load: conn.name });
    this.configuration.load(conn);
    return DONE;
  }

  unloadConnection(name: string): Outcome {
    return this.configuration.unload(name).removed.length > 0 ? DONE : NOT_FOUND;
  }

  loadShared(id: string, key: SharedKey): Outcome {
    this.configuration.loadSecret(id, key);
    return DONE;
  }

  unloadShared(id: string): Outcome {
    return this.configuration.unloadSecret(id) ? DONE : NOT_FOUND;
  }

  sharedIds(): readonly string[] {
    return this.configuration.secretIds();
  }

  clearSecrets(): void {
    this.configuration.clearSecrets();
  }

  install(what: { ike?: string; child: string }): Outcome {
    this.asked.push({ install: what });
    return DONE;
  }

  uninstall(what: { ike?: string; child: string }): Outcome {
    this.asked.push({ uninstall: what });
    return DONE;
  }

  async reload(): Promise<Reloaded> {
    this.asked.push({ reload: true });
    return this.reloading;
  }

  load(): Load {
    const sessions = this.running.length;
    return { uptime: 367, threads: 3, scheduled: 5, queued: 0, sessions, halfOpen: 0 };
  }

  addresses(): readonly string[] {
    return this.at;
  }

  traps(): readonly Trapped[] {
    return this.trapped;
  }

  watch(hear: (happening: Happening) => void): () => void {
    this.watching.add(hear);
    return () => this.watching.delete(hear);
  }

  /** To all who watch. */
  tell(happening: Happening): void {
    for (const hear of this.watching) hear(happening);
  }

  manage(what: { ike: string; child?: string }, down: boolean): Outcome {
    this.asked.push({ manage: what, down });
    return what.ike === 'gw' ? DONE : NOT_FOUND;
  }
}

export function line(text: string, level = 1): Progress {
  return { level, group: 'IKE', text, session: 1, conn: 'gw' };
}

/** Log lines, as they come. */
export class FakeLog {
  readonly following = new Set<(line: Progress) => void>();

  follow(hear: (line: Progress) => void): () => void {
    this.following.add(hear);
    return () => this.following.delete(hear);
  }

  readonly reading = new Set<(line: string) => void>();

  followLines(hear: (line: string) => void): () => void {
    this.reading.add(hear);
    return () => this.reading.delete(hear);
  }

  line(record: Readonly<Record<string, unknown>>): void {
    for (const hear of this.reading) hear(`${JSON.stringify(record)}\n`);
  }

  write(line: Progress): void {
    for (const hear of this.following) hear(line);
  }
}

export interface Stage {
  readonly log: FakeLog;
  readonly warnings: string[];
  readonly gateway: FakeGateway;
  readonly server: ControlServer;
  readonly uri: string;
  readonly path: string;
  readonly dropped: Gone[];
  readonly bugs: string[];
  client(): Promise<Client>;
}

export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'espalier-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export async function stage(t: TestContext, gate?: (gateway: FakeGateway) => Gate): Promise<Stage> {
  const path = join(folder(t), 'vici.sock');
  const uri = `unix://${path}`;
  const gateway = new FakeGateway();
  const dropped: Gone[] = [];
  const bugs: string[] = [];
  const log = new FakeLog();
  const warnings: string[] = [];
  const warn = (conn: string, text: string) => warnings.push(`${conn}: ${text}`);
  const server = await ControlServer.listen({
    uri,
    ...dialect({ gateway, version: '1.2.3', log, warn }),
    ...(gate ? { gate: gate(gateway) } : {}),
    onDropped: (gone) => dropped.push(gone),
    onBug: (command) => bugs.push(command),
  });
  t.after(() => server.close());
  const client = async () => {
    const made = await Client.connect(uri);
    t.after(() => made.close());
    return made;
  };
  return { gateway, log, warnings, server, uri, path, dropped, bugs, client };
}
