// What the control socket asks of the gateway: lists, and commands that wait until something has happened.

import { formatSocketAddress, type Ip } from '../bytes/ip.ts';
import type { Difference } from '../config/changes.ts';
import { ConfigError, formatWarning } from '../config/error.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { Connection, Millis, SharedKey } from '../ike/connection.ts';
import type { Event, SessionId } from '../ike/effects.ts';
import type { Reason } from '../ike/reason.ts';
import type { IkeSa } from '../ike/sa.ts';
import type { Tally } from '../ike/tally.ts';
import type { Configuration, Configured } from './configuration.ts';
import type { ConnectionLife } from './connection.ts';
import type { Gateway as Daemon } from './gateway.ts';
import { Happenings } from './happenings.ts';
import type { Trapped } from './protection.ts';
import { sentence } from './report.ts';
import type {
  ConnectionState,
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
} from './status.ts';
import { suspicions } from './suspicion.ts';
import { passing, sessionStatus } from './values.ts';

type Tell = (line: Progress) => void;

/** Nobody goes on with a child that is in one of these. */
const RESTS: ReadonlySet<ConnectionState> = new Set(['down', 'waiting']);
const DONE: Reason = { code: 'ok', text: 'done' };

/** Reads the configuration files; throws ConfigError. */
export type Reread = () => LoadedConfig;

export class Desk implements Gateway {
  readonly #gateway: Daemon;
  readonly #reread: Reread;

  readonly #happenings: Happenings;
  readonly #begun: Millis;
  /** Commands that wait, each with a look whether it still can: what takes a connection away need not bring an event. */
  readonly #waiting = new Set<() => void>();

  constructor(gateway: Daemon, reread: Reread) {
    this.#gateway = gateway;
    this.#reread = reread;
    this.#happenings = new Happenings(gateway);
    this.#begun = gateway.now();
  }

  sessions(): readonly SessionStatus[] {
    const now = this.#gateway.now();
    const { plane } = this.#gateway.forwarder;
    return this.#gateway.endpoint.sessions().map((session) => sessionStatus(session, plane, now));
  }

  connections(): readonly ConnectionStatus[] {
    const now = this.#gateway.now();
    const sessions = byConnection(this.#gateway.endpoint.sessions());
    return [...this.#gateway.lives.values()].map((life) => {
      const own = sessions.get(life.conn.name) ?? [];
      const status = life.status(now);
      const remote = own.at(-1)?.state.remote;
      return {
        ...status,
        state: passing(status.state, own),
        remote: remote ? formatSocketAddress(remote) : '',
        suspicions: [
          ...status.suspicions,
          ...suspicions(own, this.#gateway.forwarder.plane, now),
          ...this.#gateway.connections.strangers(life),
        ],
      };
    });
  }

  async initiate(what: { ike?: string; child?: string }, timeout: number, progress: Tell): Promise<Outcome> {
    const found = this.#find(what);
    if ('code' in found) return { ok: false, reason: found };
    const { life, children } = found;
    const gateway = this.#gateway;
    return this.#until(
      new Set([life.conn.name]),
      timeout,
      progress,
      () => {
        const status = life.status(gateway.now());
        const states = status.children.filter((child) => children.includes(child.name));
        if (gateway.lives.get(life.conn.name) !== life || states.length < children.length) {
          return { ok: false, reason: unknown('it is configured no more') };
        }
        if (states.every((child) => child.state === 'connected')) return { ok: true, reason: DONE };
        const shut = states.find((child) => child.reason.code === 'admin-down');
        if (shut) return { ok: false, reason: shut.reason };
        const failed = states.find((child) => child.state === 'phase2-failed');
        if (failed) return { ok: false, reason: failed.reason };
        const given = states.find(({ state, reason }) => RESTS.has(state) && reason.code === 'requested');
        if (given) return { ok: false, reason: given.reason };
        if (status.state === 'phase1-failed') return { ok: false, reason: status.reason };
        return undefined;
      },
      () => gateway.up(life, children),
    );
  }

  /** A child by its name alone is searched in all connections, as strongSwan does. */
  #find({ ike, child }: { ike?: string; child?: string }): { life: ConnectionLife; children: string[] } | Reason {
    const { lives } = this.#gateway;
    const named = ike === undefined ? [...lives.values()] : [lives.get(ike)].filter((life) => life !== undefined);
    for (const life of named) {
      const names = life.conn.children.map((one) => one.name);
      if (child === undefined && names.length === 0) {
        return { code: 'no-connection', text: `connection ${ike} has no children to bring up`, by: 'us' };
      }
      if (child === undefined) return { life, children: names };
      if (names.includes(child)) return { life, children: [child] };
    }
    return unknown(child === undefined ? `there is no connection ${ike}` : `there is no child ${child}`);
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }

  /** Runs `begin` and waits until `done` has an answer, which every event of the connections may bring. */
  #until(
    conns: ReadonlySet<string>,
    timeout: Millis,
    progress: Tell,
    done: () => Outcome | undefined,
    begin: () => void,
  ): Promise<Outcome> {
    const { watchers } = this.#gateway;
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const settle = (outcome: Outcome) => {
        clearTimeout(timer);
        watchers.delete(watch);
        this.#waiting.delete(look);
        resolve(outcome);
      };
      const look = () => {
        const outcome = done();
        if (outcome) settle(outcome);
      };
      const watch = (event: Event) => {
        const { conn, session } = event;
        if (!conns.has(conn)) return;
        progress({ level: 1, group: 'IKE', text: sentence(event), session, conn });
        look();
      };
      const already = done();
      if (already?.ok || already?.reason.code === 'admin-down') return resolve(already);
      watchers.add(watch);
      this.#waiting.add(look);
      if (timeout > 0) {
        const seconds = Math.round(timeout / 1000);
        const late: Reason = { code: 'no-answer', text: `not done within ${seconds} s; it goes on in the background` };
        timer = setTimeout(() => settle({ ok: false, reason: late }), timeout);
      }
      begin();
    });
  }

  async terminate(
    what: Target & { readonly force?: boolean },
    timeout: number,
    progress: Tell,
  ): Promise<Outcome & { readonly matches: number; readonly terminated: number }> {
    const gateway = this.#gateway;
    const { endpoint } = gateway;
    const now = gateway.now();
    const { sessions, children } = this.#targets(what);
    this.#unwant(what);
    const ids = new Set([...sessions, ...children]);
    const left = () => {
      for (const id of ids) if (!endpoint.session(id) && !endpoint.sessionOfChild(id)) ids.delete(id);
      for (const id of ids) if (endpoint.session(id)?.state.phase === 'closed') ids.delete(id);
      return ids.size;
    };
    const matches = ids.size;
    if (matches === 0) {
      const reason: Reason = { code: 'no-connection', text: 'no matching SAs to terminate found', by: 'us' };
      return { ok: false, reason, matches, terminated: 0 };
    }
    const conns = new Set(
      [...ids].map((id) => (endpoint.session(id) ?? endpoint.sessionOfChild(id))?.state.conn ?? ''),
    );
    const reason: Reason = { code: 'requested', text: 'closed on request', by: 'us' };
    const outcome = await this.#until(
      conns,
      timeout,
      progress,
      () => (left() === 0 ? { ok: true, reason: DONE } : undefined),
      () => {
        for (const id of sessions) {
          gateway.run(what.force ? endpoint.abandon(now, id, reason) : endpoint.close(now, id, reason));
        }
        for (const id of children) gateway.run(endpoint.closeChild(now, id));
      },
    );
    return { ...outcome, matches, terminated: matches - left() };
  }

  #unwant({ ike, child }: Target): void {
    for (const life of this.#gateway.lives.values()) {
      if (ike !== undefined && life.conn.name !== ike) continue;
      const names = life.conn.children.map((one) => one.name);
      if (child !== undefined) this.#gateway.down(life, names.includes(child) ? [child] : []);
      else if (ike !== undefined) this.#gateway.down(life, names);
    }
    this.#look();
  }

  rekey(what: Target, reauth = false): number {
    const { endpoint } = this.#gateway;
    const now = this.#gateway.now();
    const { sessions, children } = this.#targets(what);
    for (const id of sessions) {
      this.#gateway.run(reauth ? endpoint.reauthenticate(now, id) : endpoint.rekeyIke(now, id));
    }
    for (const id of children) this.#gateway.run(endpoint.rekeyChild(now, id));
    return sessions.length + children.length;
  }

  /** What is meant, but for SAs that others have replaced. */
  #targets({ ike, child, ikeId, childId }: Target): { sessions: SessionId[]; children: number[] } {
    const sessions: SessionId[] = [];
    const children: number[] = [];
    for (const { state } of this.#gateway.endpoint.sessions()) {
      const fits = (ike === undefined || state.conn === ike) && (ikeId === undefined || state.id === ikeId);
      if (!fits || state.phase === 'rekeyed') continue;
      if (child === undefined && childId === undefined) {
        if (ike !== undefined || ikeId !== undefined) sessions.push(state.id);
        continue;
      }
      for (const one of state.children) {
        const named = child === undefined || one.name === child;
        const meant = childId === undefined || one.id === childId;
        if (named && meant && one.stage !== 'lingering') children.push(one.id);
      }
    }
    return { sessions, children };
  }

  // --- the configuration -----------------------------------------------------------------------------------------------------

  configured(): readonly Configured[] {
    return this.#gateway.connections.configuration.entries();
  }

  loadConnection(conn: Connection): Outcome {
    this.#configure((configuration) => configuration.load(conn));
    return { ok: true, reason: DONE };
  }

  unloadConnection(name: string): Outcome {
    const { removed } = this.#configure((configuration) => configuration.unload(name));
    return removed.length > 0
      ? { ok: true, reason: DONE }
      : { ok: false, reason: unknown(`there is no connection ${name}`) };
  }

  loadShared(id: string, key: SharedKey): Outcome {
    this.#configureSecrets((configuration) => configuration.loadSecret(id, key));
    return { ok: true, reason: DONE };
  }

  unloadShared(id: string): Outcome {
    return this.#configureSecrets((configuration) => configuration.unloadSecret(id))
      ? { ok: true, reason: DONE }
      : { ok: false, reason: unknown(`there is no secret ${id}`) };
  }

  sharedIds(): readonly string[] {
    return this.#gateway.connections.configuration.secretIds();
  }

  clearSecrets(): void {
    this.#configureSecrets((configuration) => configuration.clearSecrets());
  }

  install(what: { ike?: string; child: string }): Outcome {
    return this.#trap(what, true);
  }

  uninstall(what: { ike?: string; child: string }): Outcome {
    return this.#trap(what, false);
  }

  async reload(): Promise<Reloaded> {
    const nothing = { added: [], removed: [], changed: [], same: 0, secrets: 0, warnings: [] };
    let read: LoadedConfig;
    try {
      read = this.#reread();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#gateway.log.error({ event: 'config-error' }, `the configuration stays as it was: ${error.message}`);
      const where = error.line > 0 ? { where: error.place } : {};
      return { ok: false, reason: { code: 'configuration', text: error.message, by: 'us', ...where }, ...nothing };
    }
    const { added, removed, changed, same, secrets } = this.#configure((configuration) =>
      configuration.read(read.connections, read.secrets),
    );
    const names = (list: readonly Connection[]) => list.map(({ name }) => name);
    const found = { added: names(added), removed: names(removed), changed: names(changed.map(({ after }) => after)) };
    const warnings = read.warnings.map(formatWarning);
    for (const warning of warnings) this.#gateway.log.warn({ event: 'config-warning' }, warning);
    const counts = { same: same.length, secrets };
    this.#gateway.log.info({ event: 'reloaded', ...found, ...counts }, 'the configuration was read anew');
    return { ok: true, reason: DONE, ...found, ...counts, warnings };
  }

  manage({ ike, child }: { ike: string; child?: string }, down: boolean): Outcome {
    const found = this.#find({ ike, ...(child === undefined ? {} : { child }) });
    if ('code' in found) return { ok: false, reason: found };
    const { life } = found;
    const status = down ? 'DOWN' : 'UP';
    this.#gateway.log.info({ event: 'admin', conn: life.conn.name, child, status }, `management status ${status}`);
    try {
      this.#gateway.change((connections) => connections.manage(life, child, down));
    } catch (error) {
      const text = `it is ${status}, but cannot be kept over a restart: ${error instanceof Error ? error.message : error}`;
      this.#gateway.log.error({ event: 'admin-not-kept', conn: life.conn.name, err: error }, text);
      return { ok: false, reason: { code: 'internal', text, by: 'us', remedy: 'check the state directory' } };
    } finally {
      this.#look();
    }
    return { ok: true, reason: DONE };
  }

  #trap(what: { ike?: string; child: string }, trapped: boolean): Outcome {
    const found = this.#find(what);
    if ('code' in found) return { ok: false, reason: found };
    this.#gateway.change((connections) => connections.trap(found.life, found.children, trapped));
    return { ok: true, reason: DONE };
  }

  #configure<D extends Difference>(change: (configuration: Configuration) => D): D {
    try {
      return this.#gateway.change((connections) => connections.configure(change));
    } finally {
      this.#look();
    }
  }

  #configureSecrets<T>(change: (configuration: Configuration) => T): T {
    return this.#gateway.change((connections) => connections.configureSecrets(change));
  }

  // --- what can be seen ------------------------------------------------------------------------------------------------------

  counted(): CountedAll {
    const { endpoint, forwarder } = this.#gateway;
    return { ike: Object.fromEntries(endpoint.counters()), ...forwarder.plane.counted() };
  }

  get tally(): Tally {
    return this.#gateway.endpoint.tally;
  }

  load(): Load {
    const sessions = this.#gateway.endpoint.sessions();
    const halfOpen = sessions.filter(({ state }) => state.phase === 'init' || state.phase === 'auth').length;
    const uptime = (this.#gateway.now() - this.#begun) / 1000;
    return { uptime, ...this.#gateway.load(), sessions: sessions.length, halfOpen };
  }

  addresses(): readonly Ip[] {
    return this.#gateway.addresses().filter((ip) => !ip.startsWith('127.') && ip !== '::1');
  }

  traps(): readonly Trapped[] {
    return this.#gateway.connections.traps();
  }

  watch(hear: (happening: Happening) => void): () => void {
    return this.#happenings.watch(hear);
  }
}

function byConnection(sessions: readonly IkeSa[]): ReadonlyMap<string, readonly IkeSa[]> {
  const all = new Map<string, IkeSa[]>();
  for (const sa of sessions) {
    const own = all.get(sa.state.conn);
    if (own) own.push(sa);
    else all.set(sa.state.conn, [sa]);
  }
  return all;
}

function unknown(text: string): Reason {
  return { code: 'no-connection', text, by: 'us' };
}
