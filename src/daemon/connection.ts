// The life of one connection: its state and the reason for it (PRODUCT: `down`, `waiting`, `connecting`, `phase1-failed`,
// `phase2-failed`, `connected`, …), and when it is tried again. No clock and no socket: time is an argument, and what is
// to be done comes back as actions.

import type { Connection, Millis } from '../ike/connection.ts';
import type { Event, SessionId } from '../ike/effects.ts';
import { isOurWill, isSilence, type Reason } from '../ike/reason.ts';
import { Failures } from './failures.ts';
import type { ConnectionState, ConnectionStatus } from './status.ts';

export type Action =
  /** A packet for the child is to begin it, from now on or no more. */
  | { readonly type: 'trap' | 'untrap'; readonly child: string }
  | { readonly type: 'initiate'; readonly conn: string; readonly children: readonly string[] }
  | { readonly type: 'child'; readonly session: SessionId; readonly child: string };

interface ChildLife {
  /** To be kept up by us. */
  wanted: boolean;
  /** Only since a packet met its trap: after a failure the next packet tries again, and no clock. */
  onDemand: boolean;
  trapped: boolean;
  /** Its management status is DOWN. */
  shut: boolean;
  /** When its SAs are gone it is made again, whatever they went for. */
  remake: boolean;
  state: ConnectionState;
  reason: Reason;
  /** Ids of its SAs that serve. */
  readonly live: Set<number>;
}

interface SessionLife {
  readonly initiator: boolean;
  established: boolean;
  /** The attempts before it, should it turn out that it was none that counts. */
  tries?: number;
}

const IDLE: Reason = { code: 'ok', text: 'not started' };
const UP: Reason = { code: 'ok', text: 'established' };
const NEGOTIATING: Reason = { code: 'ok', text: 'negotiating' };
const TAKEN_DOWN: Reason = { code: 'requested', text: 'taken down', by: 'us' };
/** Of a connection, or of one child of it. */
export function adminDown(name: string): Reason {
  return {
    code: 'admin-down',
    text: 'its management status is DOWN',
    by: 'us',
    remedy: `run: espalier admin up ${name}`,
  };
}

/** A peer that began afresh is given this long to bring its children before we do. */
const GRACE: Millis = 2000;

export class ConnectionLife {
  #conn: Connection;
  readonly #children = new Map<string, ChildLife>();
  /** Sessions that are alive, and whether they are established. */
  readonly #sessions = new Map<SessionId, SessionLife>();
  #state: ConnectionState = 'down';
  #reason: Reason = IDLE;
  #since: Millis;
  /** Attempts that have ended without an IKE SA, since the last success. */
  #tries = 0;
  #retryAt: Millis | undefined;
  readonly #failures = new Failures();

  constructor(conn: Connection, now: Millis) {
    this.#conn = conn;
    this.#since = now;
    for (const { name } of conn.children) this.#children.set(name, newChild());
  }

  get conn(): Connection {
    return this.#conn;
  }

  /** Does what the configuration says of children that are loaded: nothing, a trap, or a beginning. */
  start(now: Millis, names: readonly string[] = this.#conn.children.map(({ name }) => name)): Action[] {
    const meant = this.#conn.children.filter(({ name }) => names.includes(name));
    const named = (action: string) => meant.filter(({ startAction }) => startAction === action).map(({ name }) => name);
    const trapped = named('trap');
    const started = named('start');
    return [...this.install(now, trapped), ...(started.length > 0 ? this.up(now, started) : [])];
  }

  /** The same connection, as it is configured now; children that are configured no more are forgotten. */
  configure(conn: Connection): void {
    this.#conn = conn;
    const names = new Set(conn.children.map(({ name }) => name));
    for (const name of [...this.#children.keys()]) {
      if (names.has(name)) continue;
      this.#children.delete(name);
      this.#failures.renewed(name);
    }
    for (const name of names) if (!this.#children.has(name)) this.#children.set(name, newChild());
  }

  /** From now on a packet begins the children. */
  install(now: Millis, names: readonly string[]): Action[] {
    const actions: Action[] = [];
    for (const name of names) {
      const child = this.#children.get(name);
      if (!child || child.trapped || child.shut) continue;
      child.trapped = true;
      if (child.state === 'down') child.state = 'waiting';
      actions.push({ type: 'trap', child: name });
    }
    this.#rest(now);
    return actions;
  }

  uninstall(now: Millis, names: readonly string[]): Action[] {
    const actions: Action[] = [];
    for (const name of names) {
      const child = this.#children.get(name);
      if (!child?.trapped) continue;
      child.trapped = false;
      if (child.state === 'waiting') child.state = 'down';
      actions.push({ type: 'untrap', child: name });
    }
    this.#rest(now);
    return actions;
  }

  /** A packet wants to go through a child that is not there. */
  acquire(now: Millis, name: string): Action[] {
    const child = this.#children.get(name);
    if (!child?.trapped || child.live.size > 0 || child.state === 'connecting') return [];
    const onDemand = !child.wanted || child.onDemand;
    const actions = this.up(now, [name]);
    child.onDemand = onDemand;
    return actions;
  }

  /** Management status: DOWN ends what stands (the caller's business) and lets nothing begin; UP begins as if loaded. */
  admin(now: Millis, shut: boolean, names: readonly string[]): Action[] {
    if (!shut) {
      for (const name of names) {
        const child = this.#children.get(name);
        if (!child?.shut) continue;
        child.shut = false;
        child.reason = IDLE;
      }
      if (this.#state === 'down') this.#reason = IDLE;
      return this.start(now, names);
    }
    const actions = this.uninstall(now, names);
    for (const name of names) {
      const child = this.#children.get(name);
      if (!child) continue;
      child.shut = true;
      child.wanted = false;
      child.state = 'down';
      child.reason = adminDown(this.#conn.name);
    }
    if (this.#wanted().length === 0) this.#retryAt = undefined;
    if (this.#shut()) this.#enter(now, 'down', adminDown(this.#conn.name));
    return actions;
  }

  /** SAs of these children are about to be closed so that others take their place. */
  remake(names: readonly string[]): void {
    for (const name of names) {
      const child = this.#children.get(name);
      if (child && child.live.size > 0) child.remake = true;
    }
  }

  /** Asks for children to be brought up and kept up. */
  up(now: Millis, names: readonly string[]): Action[] {
    for (const name of names) {
      const child = this.#children.get(name);
      if (!child || child.shut) continue;
      child.wanted = true;
      child.onDemand = false;
      if (child.live.size > 0) continue;
      child.state = 'connecting';
      child.reason = NEGOTIATING;
    }
    this.#tries = 0;
    // A new beginning: what failed before is not the answer to this request.
    if (this.#live() === 0 && this.#wanted().length > 0) this.#enter(now, 'connecting', NEGOTIATING);
    return this.pursue(now);
  }

  /** Children are no longer wanted; who closes what stands is the caller's business. */
  down(now: Millis, names: readonly string[]): void {
    for (const name of names) {
      const child = this.#children.get(name);
      if (!child) continue;
      child.wanted = false;
      child.remake = false;
      if (child.live.size > 0 || child.shut) continue;
      child.state = child.trapped ? 'waiting' : 'down';
      child.reason = TAKEN_DOWN;
    }
    if (this.#wanted().length > 0 || this.#shut()) return;
    this.#retryAt = undefined;
    if (this.#sessions.size === 0) this.#enter(now, this.#resting(), TAKEN_DOWN);
  }

  /** Starts what is missing, in a session that stands or in a new one. */
  pursue(now: Millis): Action[] {
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

  /** The traps that are to be there: for who has to lay them again. */
  traps(): Action[] {
    return [...this.#children].flatMap(([child, { trapped }]) => (trapped ? [{ type: 'trap', child }] : []));
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
        this.#failures.note(now, event.reason);
        return this.#closed(now, event.session, event.established, event.reason);
      case 'child-established':
        return this.#childUp(now, event.child, event.id);
      case 'child-rekeyed':
        return this.#childUp(now, event.child, event.by, event.id);
      case 'child-closed':
        this.#failures.note(now, event.reason, event.child);
        return this.#childDown(now, event.child, event.id, event.reason);
      case 'child-failed':
        this.#failures.note(now, event.reason, event.child);
        if (event.renews) this.#unrenewed(event.child, event.reason);
        return this.#childFailed(now, event.child, event.reason);
      case 'no-answer':
        this.#failures.silent(event.since, event.reason);
        return [];
      case 'answered':
        this.#failures.heard();
        return [];
      case 'note':
        this.#failures.note(now, event.reason, event.child);
        this.#noted(now, event);
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
    return this.pursue(now);
  }

  status(now: Millis): ConnectionStatus {
    return {
      name: this.#conn.name,
      state: this.#state,
      reason: (this.#state === 'phase2-failed' ? undefined : this.#failures.silence(now)) ?? this.#reason,
      since: Math.max(0, Math.floor((now - this.#since) / 1000)),
      remote: '',
      children: [...this.#children].map(([name, { state, reason }]) => ({ name, state, reason })),
      suspicions: this.#failures.standing(),
      ...this.#failures.last(now),
    };
  }

  // --- inside ----------------------------------------------------------------------------------------------------------

  #wanted(): string[] {
    return [...this.#children].filter(([, child]) => child.wanted && child.live.size === 0).map(([name]) => name);
  }

  #established(now: Millis, session: SessionId): Action[] {
    const entry = this.#sessions.get(session);
    this.#failures.heard();
    if (entry) Object.assign(entry, { established: true, tries: this.#tries });
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
    this.#failures.heard();
    // Half-open sessions of others do not count: whoever forges the peer's address can have one at any time.
    if ([...this.#sessions.values()].some((other) => other.initiator || other.established)) return [];
    // A peer that believed in us, and then did not, has refused us; and one that was never heard was never there.
    const begun = established && reason.code !== 'auth-failed' && reason.code !== 'unanswered-4500';
    const ended = begun || reason.code === 'reconfigured';
    if (ended || (isOurWill(reason) && this.#wanted().length === 0)) return this.#ended(now, reason);
    if (entry?.initiator) this.#tries = (entry.tries ?? this.#tries) + 1;
    const { keyingTries, retryInterval } = this.#conn;
    const wanted = this.#wanted().length > 0;
    // Silence may pass; a refusal will be the same the next moment.
    if (wanted && entry?.initiator && isSilence(reason) && (keyingTries === 0 || this.#tries < keyingTries)) {
      return this.pursue(now);
    }
    this.#enter(now, 'phase1-failed', reason);
    for (const child of this.#children.values()) {
      if (child.state !== 'connecting') continue;
      child.state = 'phase1-failed';
      child.reason = reason;
    }
    // Nor does the end of one put off our next attempt.
    if (this.#pressing() && retryInterval > 0) this.#retryAt ??= now + retryInterval;
    return [];
  }

  #ended(now: Millis, reason: Reason): Action[] {
    if (this.#wanted().length === 0) {
      const failed = [...this.#children.values()].find(({ state }) => state === 'phase2-failed');
      if (this.#shut()) this.#enter(now, 'down', adminDown(this.#conn.name));
      else if (failed) this.#enter(now, 'phase2-failed', failed.reason);
      else this.#enter(now, this.#resting(), reason);
      return [];
    }
    this.#enter(now, 'connecting', reason);
    return this.pursue(now);
  }

  #childUp(now: Millis, name: string, id: number, before?: number): Action[] {
    const child = this.#children.get(name);
    if (!child) return [];
    child.live.add(id);
    if (before !== undefined) child.live.delete(before);
    child.state = 'connected';
    child.reason = UP;
    this.#failures.renewed(name);
    this.#review(now);
    return [];
  }

  #childDown(now: Millis, name: string, id: number, reason: Reason): Action[] {
    const child = this.#children.get(name);
    const config = this.#conn.children.find((one) => one.name === name);
    if (!child || !config) return [];
    child.live.delete(id);
    if (child.live.size > 0) return [];
    this.#failures.renewed(name);
    const then = child.shut ? 'none' : child.remake ? 'start' : this.#then(config, reason);
    child.remake = false;
    child.wanted = then === 'start';
    const traps = then === 'trap' ? this.install(now, [name]) : [];
    child.reason = child.shut ? adminDown(this.#conn.name) : reason;
    child.state = child.wanted ? 'connecting' : child.trapped ? 'waiting' : 'down';
    if (child.wanted) this.#retryAt = this.#begins(now, reason);
    this.#review(now);
    return traps;
  }

  #begins(now: Millis, { code }: Reason): Millis | undefined {
    const { retryInterval } = this.#conn;
    if (code === 'auth-failed') return retryInterval > 0 ? now + retryInterval : undefined;
    return now + (code === 'replaced' ? GRACE : 0);
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
      case 'reconfigured':
      case 'internal':
      case 'child-not-found':
      // It may have been the peer that began; we go on trying, as often as after any refusal.
      case 'auth-failed':
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
    if (child.live.size > 0 || child.shut) return [];
    child.state = 'phase2-failed';
    child.reason = reason;
    const { wanted, onDemand } = child;
    if (wanted && !onDemand && this.#conn.retryInterval > 0) this.#retryAt = now + this.#conn.retryInterval;
    this.#review(now);
    return [];
  }

  /** What the peer asks for in vain. It counts where we do not try by ourselves: then the outcome of that does. */
  #noted(now: Millis, { session, child, renews, reason }: Extract<Event, { kind: 'note' }>): void {
    if (this.#shut()) return;
    if (child !== undefined && renews) this.#unrenewed(child, reason);
    if (this.#alone(session)) return this.#enter(now, 'phase1-failed', reason);
    const asked = child === undefined ? undefined : this.#children.get(child);
    if (!asked || asked.wanted || asked.live.size > 0) return;
    asked.state = 'phase2-failed';
    asked.reason = reason;
    this.#review(now);
  }

  /** Without an SA that stands there is nothing that would end. */
  #unrenewed(name: string, reason: Reason): void {
    if (this.#children.get(name)?.live.size) this.#failures.unrenewed(name, reason);
  }

  /** Nothing else is under way, or stands, but this attempt of the peer that will come to nothing. */
  #alone(session: SessionId): boolean {
    const [id, more] = this.#sessions.keys();
    const entry = this.#sessions.get(session);
    if (entry === undefined) return session === 0 && id === undefined;
    return id === session && more === undefined && !entry.initiator && !entry.established;
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
      this.#enter(now, children.some(({ wanted }) => wanted) ? 'connecting' : this.#resting(), last);
    }
  }

  /** Wanted whether packets come or not. */
  #pressing(): boolean {
    return [...this.#children.values()].some(({ wanted, onDemand, live }) => wanted && !onDemand && live.size === 0);
  }

  /** The whole connection is shut. */
  #shut(): boolean {
    return this.#children.size > 0 && [...this.#children.values()].every(({ shut }) => shut);
  }

  #resting(): 'waiting' | 'down' {
    return [...this.#children.values()].some(({ trapped }) => trapped) ? 'waiting' : 'down';
  }

  /** A trap has come or gone while nothing else goes on. */
  #rest(now: Millis): void {
    if (this.#state === 'waiting' || this.#state === 'down') this.#enter(now, this.#resting(), this.#reason);
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

function newChild(): ChildLife {
  const flags = { wanted: false, onDemand: false, trapped: false, shut: false, remake: false };
  return { ...flags, state: 'down', reason: IDLE, live: new Set() };
}
