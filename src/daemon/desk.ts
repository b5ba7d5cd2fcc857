// What the control socket asks of the gateway: lists, and commands that wait until something has happened.

import { hex } from '../bytes/bytes.ts';
import { formatSocketAddress } from '../bytes/ip.ts';
import type { Millis } from '../ike/connection.ts';
import type { Event, SessionId } from '../ike/effects.ts';
import { formatIdentity } from '../ike/identity.ts';
import type { Reason } from '../ike/reason.ts';
import type { IkeSa } from '../ike/sa.ts';
import { transformsOf } from '../ike/select.ts';
import type { ChildState as Child, Phase } from '../ike/state.ts';
import type { ConnectionLife } from './connection.ts';
import type { Gateway as Daemon } from './gateway.ts';
import type { SaStats } from './plane.ts';
import { sentence } from './report.ts';
import type {
  ChildState,
  ChildStatus,
  ConnectionStatus,
  CountedAll,
  Gateway,
  Outcome,
  Progress,
  SessionState,
  SessionStatus,
  Target,
} from './status.ts';

type Tell = (line: Progress) => void;

const DONE: Reason = { code: 'ok', text: 'done' };

export class Desk implements Gateway {
  readonly #gateway: Daemon;

  constructor(gateway: Daemon) {
    this.#gateway = gateway;
  }

  sessions(): readonly SessionStatus[] {
    const now = this.#gateway.now();
    return this.#gateway.endpoint.sessions().map((session) => this.#session(session, now));
  }

  connections(): readonly ConnectionStatus[] {
    const now = this.#gateway.now();
    const sessions = this.#gateway.endpoint.sessions();
    return [...this.#gateway.lives.values()].map((life) => {
      const own = sessions.filter(({ state }) => state.conn === life.conn.name);
      const status = life.status(now);
      const remote = own.at(-1)?.state.remote;
      return { ...status, state: passing(status.state, own), remote: remote ? formatSocketAddress(remote) : '' };
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
        if (states.every((child) => child.state === 'connected')) return { ok: true, reason: DONE };
        const failed = states.find((child) => child.state === 'phase2-failed');
        if (failed) return { ok: false, reason: failed.reason };
        if (status.state === 'phase1-failed') return { ok: false, reason: status.reason };
        return undefined;
      },
      () => gateway.up(life, children),
    );
  }

  /** A child by its name alone is searched in all connections, as strongSwan does. */
  #find({ ike, child }: { ike?: string; child?: string }): { life: ConnectionLife; children: string[] } | Reason {
    for (const life of this.#gateway.lives.values()) {
      const names = life.conn.children.map((one) => one.name);
      if (ike !== undefined && life.conn.name !== ike) continue;
      if (child === undefined && names.length === 0) {
        return { code: 'no-connection', text: `connection ${ike} has no children to bring up`, by: 'us' };
      }
      if (child === undefined) return { life, children: names };
      if (names.includes(child)) return { life, children: [child] };
    }
    const text = child === undefined ? `there is no connection ${ike}` : `there is no child ${child}`;
    return { code: 'no-connection', text, by: 'us' };
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
        resolve(outcome);
      };
      const watch = (event: Event) => {
        const { conn, session } = event;
        if (!conns.has(conn)) return;
        progress({ level: 1, group: 'IKE', text: sentence(event), session, conn });
        const outcome = done();
        if (outcome) settle(outcome);
      };
      const already = done();
      if (already?.ok) return resolve(already);
      watchers.add(watch);
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
  }

  rekey(what: Target): number {
    const { endpoint } = this.#gateway;
    const now = this.#gateway.now();
    const { sessions, children } = this.#targets(what);
    for (const id of sessions) this.#gateway.run(endpoint.rekeyIke(now, id));
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

  counted(): CountedAll {
    const { endpoint, forwarder } = this.#gateway;
    return { ike: Object.fromEntries(endpoint.counters()), ...forwarder.plane.counted() };
  }

  // --- as values -----------------------------------------------------------------------------------------------------------

  #session({ state, tasks, rekeying }: IkeSa, now: Millis): SessionStatus {
    const { suite } = state;
    return {
      id: state.id,
      conn: state.conn,
      version: state.version,
      state: sessionState(state.phase, rekeying),
      local: state.local,
      localId: state.localId ? formatIdentity(state.localId) : '%any',
      remote: state.remote,
      remoteId: state.remoteId ? formatIdentity(state.remoteId) : '%any',
      initiator: state.original,
      spiI: hex(state.spiI),
      spiR: hex(state.spiR),
      natLocal: state.natLocal || state.udpForced,
      natRemote: state.natRemote,
      transforms: suite ? transformsOf(suite) : [],
      establishedSince: since(state.establishedAt, now),
      rekeyIn: until(state.rekeyAt, now),
      reauthIn: until(state.reauthAt, now),
      tasksQueued: tasks.queued,
      tasksActive: tasks.active,
      children: state.children.filter((child) => child.stage !== 'lingering').map((child) => this.#child(child, now)),
    };
  }

  #child(child: Child, now: Millis): ChildStatus {
    const stats: Partial<SaStats> = this.#gateway.forwarder.plane.stats(child.id) ?? {};
    return {
      id: child.id,
      name: child.name,
      reqid: child.reqid,
      state: CHILD_STATES[child.stage],
      mode: child.mode,
      protocol: child.protocol,
      udp: this.#gateway.endpoint.sessionOfChild(child.id)?.udp ?? false,
      spiIn: child.spiIn,
      spiOut: child.spiOut,
      esn: child.suite.esn,
      transforms: transformsOf(child.suite),
      bytesIn: stats.bytesIn ?? 0,
      packetsIn: stats.packetsIn ?? 0,
      bytesOut: stats.bytesOut ?? 0,
      packetsOut: stats.packetsOut ?? 0,
      useIn: since(stats.lastIn, now),
      useOut: since(stats.lastOut, now),
      rekeyIn: until(child.rekeyAt, now),
      lifeIn: until(child.lifeAt, now),
      installedSince: since(child.installedAt, now) ?? 0,
      localTs: child.localTs,
      remoteTs: child.remoteTs,
    };
  }
}

const CHILD_STATES: Record<Child['stage'], ChildState> = {
  installed: 'INSTALLED',
  rekeying: 'REKEYING',
  rekeyed: 'REKEYED',
  deleting: 'DELETING',
  lingering: 'DELETING',
};

function sessionState(phase: Phase, rekeying: boolean): SessionState {
  switch (phase) {
    case 'init':
    case 'auth':
      return 'CONNECTING';
    case 'established':
      return rekeying ? 'REKEYING' : 'ESTABLISHED';
    case 'rekeyed':
      return 'REKEYED';
    case 'deleting':
    case 'closed':
      return 'DELETING';
  }
}

/** PRODUCT's states that pass: they come from the sessions, not from the connection's life. */
function passing(state: ConnectionStatus['state'], sessions: readonly IkeSa[]): ConnectionStatus['state'] {
  if (state !== 'connected') return state;
  if (sessions.length > 0 && sessions.every((sa) => sa.state.phase === 'deleting')) return 'deleting';
  const rekeying = sessions.some((sa) => sa.rekeying || sa.state.children.some((child) => child.stage === 'rekeying'));
  return rekeying ? 'rekeying' : state;
}

function since(at: Millis | undefined, now: Millis): number | undefined {
  return at === undefined ? undefined : Math.max(0, Math.floor((now - at) / 1000));
}

function until(at: Millis | undefined, now: Millis): number | undefined {
  return at === undefined ? undefined : Math.max(0, Math.ceil((at - now) / 1000));
}
