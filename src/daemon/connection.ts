// The life of one connection: its state and the reason for it (PRODUCT: `down`, `waiting`, `connecting`, `phase1-failed`,
// `phase2-failed`, `connected`, …), and when it is tried again. No clock and no socket: time is an argument, and what is
// to be done comes back as actions.

import type { Connection, Millis } from '../ike/connection.ts';
import type { Event, SessionId } from '../ike/effects.ts';
import type { Reason } from '../ike/reason.ts';
import type { ConnectionState, ConnectionStatus } from './status.ts';

export type Action =
  | { readonly type: 'initiate'; readonly conn: string; readonly children: readonly string[] }
  | { readonly type: 'child'; readonly session: SessionId; readonly child: string };

interface ChildLife {
  /** To be kept up by us. */
  wanted: boolean;
  state: ConnectionState;
  reason: Reason;
  /** Ids of its SAs that serve. */
  readonly live: Set<number>;
}

const IDLE: Reason = { code: 'ok', text: 'not started' };
const UP: Reason = { code: 'ok', text: 'established' };
const NEGOTIATING: Reason = { code: 'ok', text: 'negotiating' };

/** A peer that began afresh is given this long to bring its children before we do. */
const GRACE: Millis = 2000;

export class ConnectionLife {
  #conn: Connection;
  readonly #children = new Map<string, ChildLife>();
  /** Sessions that are alive, and whether they are established. */
  readonly #sessions = new Map<SessionId, { readonly initiator: boolean; established: boolean }>();
  #state: ConnectionState = 'down';
  #reason: Reason = IDLE;
  #since: Millis;
  /** Attempts that have ended without an IKE SA, since the last success. */
  #tries = 0;
  #retryAt: Millis | undefined;
  /** When the request was first sent that is being repeated now. */
  #silentSince: Millis | undefined;

  constructor(conn: Connection, now: Millis) {
    this.#conn = conn;
    this.#since = now;
    for (const { name, startAction } of conn.children) {
      const waiting = startAction === 'trap';
      const state = waiting ? 'waiting' : 'down';
      this.#children.set(name, { wanted: false, state, reason: IDLE, live: new Set() });
      if (waiting) this.#state = 'waiting';
    }
  }

  get conn(): Connection {
    return this.#conn;
  }

  /** Asks for children to be brought up and kept up. */
  up(now: Millis, names: readonly string[]): Action[] {
    for (const name of names) {
      const child = this.#children.get(name);
      if (!child) continue;
      child.wanted = true;
      if (child.live.size > 0) continue;
      child.state = 'connecting';
      child.reason = NEGOTIATING;
    }
    this.#tries = 0;
    // A new beginning: what failed before is not the answer to this request.
    if (this.#live() === 0 && this.#wanted().length > 0) this.#enter(now, 'connecting', NEGOTIATING);
    return this.#pursue(now);
  }

  /** Children are no longer wanted; who closes what stands is the caller's business. */
  down(now: Millis, names: readonly string[]): void {
    for (const name of names) {
      const child = this.#children.get(name);
      if (!child) continue;
      child.wanted = false;
      if (child.live.size > 0) continue;
      child.state = 'down';
      child.reason = { code: 'requested', text: 'taken down', by: 'us' };
    }
    if (this.#wanted().length > 0) return;
    this.#retryAt = undefined;
    if (this.#sessions.size === 0) this.#enter(now, 'down', { code: 'requested', text: 'taken down', by: 'us' });
  }

  event(now: Millis, event: Event): Action[] {
    switch (event.kind) {
      case 'session-started':
        this.#sessions.set(event.session, { initiator: event.initiator, established: false });
        if (event.initiator && !this.#failed()) this.#enter(now, 'connecting', NEGOTIATING);
        return [];
      case 'session-established':
        return this.#established(now, event.session);
      case 'session-rekeyed':
        this.#sessions.delete(event.session);
        this.#sessions.set(event.by, { initiator: true, established: true });
        return [];
      case 'session-closed':
        return this.#closed(now, event.session, event.established, event.reason);
      case 'child-established':
        return this.#childUp(now, event.child, event.id);
      case 'child-rekeyed':
        return this.#childUp(now, event.child, event.by, event.id);
      case 'child-closed':
        return this.#childDown(now, event.child, event.id, event.reason);
      case 'child-failed':
        return this.#childFailed(now, event.child, event.reason);
      case 'no-answer':
        this.#silentSince = event.since;
        return [];
      case 'answered':
        this.#silentSince = undefined;
        return [];
      case 'note':
        if (this.#sessions.size === 0 && event.session === 0) this.#enter(now, 'phase1-failed', event.reason);
        return [];
      case 'peer-moved':
      case 'vendors':
        return [];
    }
  }

  deadline(): Millis | undefined {
    return this.#retryAt;
  }

  tick(now: Millis): Action[] {
    if (this.#retryAt === undefined || now < this.#retryAt) return [];
    return this.#pursue(now);
  }

  status(now: Millis): ConnectionStatus {
    return {
      name: this.#conn.name,
      state: this.#state,
      reason: this.#silence(now) ?? this.#reason,
      since: Math.max(0, Math.floor((now - this.#since) / 1000)),
      remote: '',
      children: [...this.#children].map(([name, { state, reason }]) => ({ name, state, reason })),
    };
  }

  // --- inside ----------------------------------------------------------------------------------------------------------

  #wanted(): string[] {
    return [...this.#children].filter(([, child]) => child.wanted && child.live.size === 0).map(([name]) => name);
  }

  /** Starts what is missing, in a session that stands or in a new one. */
  #pursue(now: Millis): Action[] {
    this.#retryAt = undefined;
    const missing = this.#wanted();
    if (missing.length === 0) return [];
    const standing = [...this.#sessions].find(([, { established }]) => established);
    if (standing) return missing.map((child) => ({ type: 'child', session: standing[0], child }));
    const trying = [...this.#sessions.values()].some(({ initiator }) => initiator);
    if (trying) return [];
    if (!this.#failed()) this.#enter(now, 'connecting', NEGOTIATING);
    return [{ type: 'initiate', conn: this.#conn.name, children: missing }];
  }

  #established(now: Millis, session: SessionId): Action[] {
    const entry = this.#sessions.get(session);
    this.#silentSince = undefined;
    if (entry) entry.established = true;
    else this.#sessions.set(session, { initiator: false, established: true });
    this.#tries = 0;
    if (this.#failed() && this.#state === 'phase1-failed') {
      this.#enter(now, 'connecting', { code: 'ok', text: 'authenticated' });
    }
    if (this.#wanted().length > 0) this.#retryAt = now + GRACE;
    return [];
  }

  #closed(now: Millis, session: SessionId, established: boolean, reason: Reason): Action[] {
    const entry = this.#sessions.get(session);
    this.#sessions.delete(session);
    this.#silentSince = undefined;
    // Half-open sessions of others do not count: whoever forges the peer's address can have one at any time.
    if ([...this.#sessions.values()].some((other) => other.initiator || other.established)) return [];
    if (established || (reason.code === 'requested' && this.#wanted().length === 0)) return this.#ended(now, reason);
    if (entry?.initiator) this.#tries++;
    const { keyingTries, retryInterval } = this.#conn;
    const wanted = this.#wanted().length > 0;
    const silent = reason.code === 'no-answer';
    // Silence may pass; a refusal will be the same the next moment.
    if (wanted && entry?.initiator && silent && (keyingTries === 0 || this.#tries < keyingTries)) {
      return this.#pursue(now);
    }
    this.#enter(now, 'phase1-failed', reason);
    for (const child of this.#children.values()) {
      if (child.state !== 'connecting') continue;
      child.state = 'phase1-failed';
      child.reason = reason;
    }
    // Nor does the end of one put off our next attempt.
    if (wanted && retryInterval > 0) this.#retryAt ??= now + retryInterval;
    return [];
  }

  #ended(now: Millis, reason: Reason): Action[] {
    const wanted = this.#wanted();
    if (wanted.length === 0) {
      const trap = [...this.#children.values()].some(({ state }) => state === 'waiting');
      this.#enter(now, trap ? 'waiting' : 'down', reason);
      return [];
    }
    this.#enter(now, 'connecting', reason);
    return this.#pursue(now);
  }

  #childUp(now: Millis, name: string, id: number, before?: number): Action[] {
    const child = this.#children.get(name);
    if (!child) return [];
    child.live.add(id);
    if (before !== undefined) child.live.delete(before);
    child.state = 'connected';
    child.reason = UP;
    this.#review(now);
    return [];
  }

  #childDown(now: Millis, name: string, id: number, reason: Reason): Action[] {
    const child = this.#children.get(name);
    const config = this.#conn.children.find((one) => one.name === name);
    if (!child || !config) return [];
    child.live.delete(id);
    if (child.live.size > 0) return [];
    child.reason = reason;
    child.state = 'down';
    const then = this.#then(config, reason);
    if (then === 'none') child.wanted = false;
    else if (then === 'trap') child.state = 'waiting';
    else child.wanted = true;
    if (then === 'trap') child.wanted = false;
    if (child.wanted) this.#retryAt = now + (reason.code === 'replaced' ? GRACE : 0);
    this.#review(now);
    return [];
  }

  /** What a child's end leads to: strongSwan's `dpd_action` and `close_action`. */
  #then(config: Connection['children'][number], { code }: Reason): 'none' | 'start' | 'trap' {
    const wanted = this.#children.get(config.name)?.wanted ?? false;
    switch (code) {
      case 'peer-dead':
      case 'no-answer':
        return config.dpdAction === 'restart' ? 'start' : config.dpdAction === 'trap' ? 'trap' : 'none';
      case 'peer-deleted':
        return config.closeAction;
      case 'expired':
      case 'replaced':
      case 'internal':
      case 'child-not-found':
        return wanted ? 'start' : 'none';
      default:
        return 'none';
    }
  }

  #childFailed(now: Millis, name: string, reason: Reason): Action[] {
    const child = this.#children.get(name);
    if (!child) {
      // The peer asked for something that fits no child.
      if (this.#live() === 0) this.#enter(now, 'phase2-failed', reason);
      return [];
    }
    if (child.live.size > 0) return [];
    child.state = 'phase2-failed';
    child.reason = reason;
    if (child.wanted && this.#conn.retryInterval > 0) this.#retryAt = now + this.#conn.retryInterval;
    this.#review(now);
    return [];
  }

  /** While a request is sent again and again, the state says since when nothing has come back. */
  #silence(now: Millis): Reason | undefined {
    if (this.#silentSince === undefined || this.#state === 'phase2-failed') return undefined;
    return {
      code: 'no-answer',
      text: `no answer from the peer for ${Math.round((now - this.#silentSince) / 1000)} s`,
      remedy: "check that remote_addrs is the peer's address and that UDP 500 and 4500 pass in both directions",
    };
  }

  /** The connection's state follows from those of its children, once there is an IKE SA. */
  #review(now: Millis): void {
    const children = [...this.#children.values()];
    const failed = children.find(({ state }) => state === 'phase2-failed');
    if (failed) return this.#enter(now, 'phase2-failed', failed.reason);
    if (this.#live() > 0) return this.#enter(now, 'connected', UP);
    const standing = [...this.#sessions.values()].some(({ established }) => established);
    if (standing && this.#state === 'connected') {
      const last = children.find(({ reason }) => reason.code !== 'ok')?.reason ?? IDLE;
      this.#enter(now, children.some(({ wanted }) => wanted) ? 'connecting' : 'down', last);
    }
  }

  #live(): number {
    let live = 0;
    for (const child of this.#children.values()) live += child.live.size;
    return live;
  }

  #failed(): boolean {
    return this.#state === 'phase1-failed' || this.#state === 'phase2-failed';
  }

  #enter(now: Millis, state: ConnectionState, reason: Reason): void {
    if (state !== this.#state) this.#since = now;
    this.#state = state;
    this.#reason = reason;
  }
}
