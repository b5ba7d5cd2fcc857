// The gateway: the only place that runs the effects of the IKE endpoint, gives it datagrams and time, and keeps the
// connections' lives. What it tells and does for the control socket is in `desk.ts`.

import type { Logger } from 'pino';
import { formatSocketAddress, type Ip, type SocketAddress } from '../bytes/ip.ts';
import type { Random } from '../crypto/types.ts';
import { Bucket } from '../esp/bucket.ts';
import { ERROR_WORDS } from '../esp/layout.ts';
import type { Connection, Millis, SharedKey } from '../ike/connection.ts';
import type { Effect, Event, SessionId } from '../ike/effects.ts';
import { Endpoint } from '../ike/endpoint.ts';
import { isSilence, type Reason } from '../ike/reason.ts';
import { transformsOf } from '../ike/select.ts';
import { transformName, weakOf } from '../ike/transforms.ts';
import { SystemError } from '../net/error.ts';
import { Admin } from './admin.ts';
import type { ConnectionLife } from './connection.ts';
import { Connections } from './connections.ts';
import { Forwarder, type Guarded, type Io } from './forward.ts';
import { KeyExchanges } from './keyexchange.ts';
import { LogRate } from './lograte.ts';
import { type Lookup, lookUp } from './lookup.ts';
import { choosePath, type Path } from './path.ts';
import type { PlaneEvent } from './plane.ts';
import { Protection } from './protection.ts';
import { remedied } from './remedies.ts';
import { report } from './report.ts';
import { type Undelivered, undelivered, unsent } from './undelivered.ts';
import { Updown } from './updown.ts';

const MARKER = new Uint8Array(4);
const KEEPALIVE = Uint8Array.of(0xff);
/** RFC 3948 §2.3. */
const KEEPALIVE_BYTE = 0xff;
/** What the device carries before an SA says how much. */
const START_MTU = 1376;
/** Node counts timers in 31 bits. */
const LONGEST_TIMER: Millis = 0x7fff_ffff;

export interface GatewayOptions {
  readonly io: Io;
  readonly random: Random;
  /** Milliseconds of a clock that never jumps. */
  readonly now: () => Millis;
  readonly log: Logger;
  readonly connections: readonly Connection[];
  readonly sharedKeys: readonly SharedKey[];
  /** What is DOWN by an operator's will. */
  readonly admin?: Admin;
  /** How peers that are given by name are found. */
  readonly lookup?: Lookup;
}

export class Gateway {
  readonly forwarder: Forwarder;
  readonly connections: Connections;
  readonly now: () => Millis;
  readonly log: Logger;
  /** Whoever waits for something to happen. */
  readonly watchers = new Set<(event: Event) => void>();
  readonly #endpoint: Endpoint;
  readonly #io: Io;
  readonly #keys: KeyExchanges;
  readonly #rate = new LogRate();
  readonly #updown: Updown;
  /** Errors of the network that are looked at in a second, and at once. */
  readonly #errors = new Bucket(50, 50);
  /** The last attempt of ours, and whether it is known that nobody answers there. */
  readonly #called = new WeakMap<ConnectionLife, { readonly session: SessionId; readonly ip: Ip; silent: boolean }>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: GatewayOptions) {
    const { io, random, now, log, connections, sharedKeys } = options;
    this.#io = io;
    this.now = now;
    this.log = log;
    const guarded: Guarded = (what, act) => this.#guarded(what, act);
    this.forwarder = new Forwarder(io, now, (event) =>
      guarded('an event of the data plane', () => this.#dataEvent(event)),
    );
    const { plane } = this.forwarder;
    this.connections = new Connections({
      connections,
      sharedKeys,
      admin: options.admin ?? new Admin(undefined),
      protection: new Protection({ routes: io.routes, host: io.host, plane, mtu: START_MTU, guarded }),
      now,
      guarded,
      endpoint: () => this.endpoint,
      run: (effects) => this.run(effects),
      initiate: (conn, children, trouble) => this.#initiate(conn, children, trouble),
      lookup: options.lookup ?? lookUp,
      log,
    });
    this.#endpoint = new Endpoint({
      random,
      port: io.ike.port,
      natPort: io.nat.port,
      rawEsp: io.raw,
      connections: this.connections.open(),
      sharedKeys,
      lastInbound: (child) => plane.stats(child)?.lastIn,
      lastOutbound: (child) => plane.stats(child)?.lastOut,
    });
    this.#keys = new KeyExchanges((answer) => {
      guarded('a computed key', () => this.run(this.endpoint.answer(this.now(), answer)));
    });
    this.#updown = new Updown({
      ...{ log, host: io.host },
      session: (id) => this.endpoint.session(id),
      child: (conn, name) => this.lives.get(conn)?.conn.children.find((child) => child.name === name),
    });
    this.watchers.add((event) => guarded('an updown program', () => this.#updown.event(event)));
    io.ike.onReceive = (bytes, from, to) => guarded('a datagram', () => this.#ike(bytes, from, to));
    io.ike.onErrors = (records, count) => guarded('an error of the network', () => this.#ikeErrors(records, count));
    io.nat.onErrors = (records, count) => guarded('an error of the network', () => plane.pathErrors(records, count));
    io.nat.onReceive = (bytes, from, to) => guarded('a datagram', () => this.#natted(bytes, from, to));
  }

  /** It knows what is configured by now. */
  get endpoint(): Endpoint {
    this.connections.inform(this.#endpoint);
    return this.#endpoint;
  }

  get lives(): ReadonlyMap<string, ConnectionLife> {
    return this.connections.lives;
  }

  /** What is configured goes to the device from now on, and nowhere else. */
  protect(): void {
    this.connections.protect();
  }

  /** Begins what the configuration starts by itself. It is protected by then. */
  start(): void {
    this.connections.start();
    this.#schedule();
  }

  /** Does something to the connections, after which the next deadline may be another. */
  change<T>(act: (connections: Connections) => T): T {
    try {
      return act(this.connections);
    } finally {
      this.#schedule();
    }
  }

  /** What it has to do: threads of the data plane, times that are waited for, and key exchanges that no thread has taken up. */
  load(): { readonly threads: number; readonly scheduled: number; readonly queued: number } {
    const scheduled = this.endpoint.waiting + this.connections.waiting;
    return { threads: this.#io.pipelines.workers, scheduled, queued: this.#keys.waiting };
  }

  /** Where it can be reached. */
  addresses(): readonly Ip[] {
    return this.#io.host.addresses();
  }

  /** Brings children up, and keeps them up. */
  up(life: ConnectionLife, children: readonly string[]): void {
    this.change((connections) => connections.act(life, life.up(this.now(), children)));
  }

  /** Children are no longer kept up; what stands is closed by whoever asks for this. */
  down(life: ConnectionLife, children: readonly string[]): void {
    life.down(this.now(), children);
    this.change((connections) => connections.act(life, []));
  }

  /** Tells every peer, waits a little for answers, and lets go of everything. */
  async close(grace: Millis): Promise<void> {
    this.connections.stop();
    const reason: Reason = { code: 'requested', text: 'the gateway is stopping', by: 'us' };
    for (const { state } of this.endpoint.sessions()) this.run(this.endpoint.close(this.now(), state.id, reason));
    const end = this.now() + grace;
    while (this.endpoint.sessions().length > 0 && this.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    for (const { state } of this.endpoint.sessions()) this.run(this.endpoint.abandon(this.now(), state.id, reason));
    await this.#keys.close();
    await this.#updown.close(grace);
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  // --- what comes in ---------------------------------------------------------------------------------------------------

  /** A bug of ours costs what it was met with. Outside of here it would end the process. */
  #guarded(what: string, act: () => void): void {
    // A peer that wants its tunnel back must not start the clock again: that would keep the process alive.
    if (this.#closed) return;
    try {
      act();
    } catch (error) {
      const left = this.#rate.admit(this.now(), 'bug');
      if (left === undefined) return;
      const text = error instanceof Error ? error.message : String(error);
      const suppressed = left > 0 ? { suppressed: left } : {};
      this.log.error({ event: 'bug', bug: true, ...suppressed, err: error }, `${what} met a bug: ${text}`);
    }
  }

  #ike(bytes: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    this.run(this.endpoint.receive(this.now(), bytes, from, to));
  }

  /** RFC 3948 §2: four zero bytes before IKE, one 0xFF to keep the mapping, everything else is ESP. */
  #natted(bytes: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    if (bytes.length === 1 && bytes[0] === KEEPALIVE_BYTE) return;
    const marked = bytes.length > 4 && bytes[0] === 0 && bytes[1] === 0 && bytes[2] === 0 && bytes[3] === 0;
    if (marked) this.#ike(bytes.subarray(4), from, to);
    else this.forwarder.plane.stray(bytes, from, to);
  }

  #dataEvent(event: PlaneEvent): void {
    const now = this.now();
    switch (event.kind) {
      case 'soft':
      case 'hard':
        return this.run(this.endpoint.limit(now, event.id, event.kind === 'hard'));
      case 'used':
        return this.run(this.endpoint.used(now, event.id));
      case 'moved':
        // Without UDP there is no port to learn, and no NAT that would change it.
        if (event.udp) this.run(this.endpoint.moved(now, event.id, event.remote));
        return;
      case 'orphaned':
        return this.run(this.endpoint.rekeyChild(now, event.id));
      case 'bug':
        this.log.error({ event: 'bug', bug: true }, `the data plane met a bug: ${event.text}`);
        return;
      case 'acquire':
        return this.change((connections) => connections.acquire(event.policy));
      case 'undelivered':
        return this.#undelivered(undelivered(event.words, true));
      // Its route is the forwarder's business.
      case 'resized':
        return;
    }
  }

  #ikeErrors(records: Int32Array, count: number): void {
    for (let i = 0; i < count; i++) {
      if (!this.#errors.take(this.now())) return;
      this.#undelivered(undelivered(records.subarray(i * ERROR_WORDS, (i + 1) * ERROR_WORDS), false));
    }
  }

  #undelivered(found: Undelivered | undefined): void {
    if (found) this.run(this.endpoint.undelivered(this.now(), found.kind, found.remote, found.spi));
  }

  // --- effects -----------------------------------------------------------------------------------------------------------

  run(effects: readonly Effect[]): void {
    for (const effect of effects) {
      try {
        this.#run(effect);
      } catch (error) {
        this.#failed(effect, error);
      }
    }
    this.#schedule();
  }

  #run(effect: Effect): void {
    switch (effect.type) {
      case 'send':
        return this.#send(effect.bytes, effect.local, effect.remote);
      case 'keepalive':
        this.#io.nat.send(KEEPALIVE, effect.local, effect.remote);
        return;
      case 'generate':
      case 'agree':
        return this.#keys.run(effect, this.#isStranger(effect.job.session));
      case 'install':
      case 'activate':
      case 'remove':
      case 'move':
        return this.forwarder.run(effect);
      case 'event':
        return this.#event(effect.event);
    }
  }

  #isStranger(id: SessionId): boolean {
    const state = this.endpoint.session(id)?.state;
    return state !== undefined && !state.original && state.phase === 'init';
  }

  #send(bytes: Uint8Array, local: SocketAddress, remote: SocketAddress): void {
    if (local.port !== this.#io.nat.port) {
      const errno = this.#io.ike.send(bytes, local, remote);
      return this.#undelivered(unsent(errno, bytes, remote));
    }
    const marked = new Uint8Array(MARKER.length + bytes.length);
    marked.set(bytes, MARKER.length);
    this.#undelivered(unsent(this.#io.nat.send(marked, local, remote), bytes, remote));
  }

  /** The kernel or we ourselves have failed: it costs the child or the session, nothing else. */
  #failed(effect: Effect, error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    const fault = error instanceof SystemError ? { syscall: error.syscall, code: error.code } : { bug: true };
    this.log.error(
      { event: 'effect-failed', effect: effect.type, ...fault, err: error },
      `could not ${effect.type}: ${text}`,
    );
    if (effect.type === 'install') this.run(this.endpoint.closeChild(this.now(), effect.sa.id));
  }

  #event(told: Event): void {
    const event = remedied(this.connections.explained(told));
    const remote = 'remote' in event ? event.remote : this.endpoint.session(event.session)?.state.remote;
    const left = byStranger(event) ? this.#rate.admit(this.now(), kindOf(event)) : 0;
    if (left !== undefined) {
      const log = left > 0 ? this.log.child({ suppressed: left }) : this.log;
      report(log, event, remote ? formatSocketAddress(remote) : undefined);
    }
    this.#warnOfWeak(event);
    const life = this.lives.get(event.conn);
    const called = life && this.#called.get(life);
    if (event.kind === 'session-closed' && called?.session === event.session && !event.established) {
      called.silent = isSilence(event.reason);
    }
    const actions = life?.event(this.now(), event) ?? [];
    for (const watcher of [...this.watchers]) watcher(event);
    if (life) this.change((connections) => connections.act(life, actions));
  }

  /** Old algorithms are used only where the configuration names them; that it does is worth a line each time. */
  #warnOfWeak(event: Event): void {
    const state = this.endpoint.session(event.session)?.state;
    const child = event.kind === 'child-established' ? state?.children.find(({ id }) => id === event.id) : undefined;
    const suite = event.kind === 'session-established' ? state?.suite : child?.suite;
    const weak = suite ? weakOf(transformsOf(suite)).map(transformName) : [];
    if (weak.length === 0) return;
    const fields = { event: 'weak-algorithms', conn: event.conn, ...(child ? { child: child.name } : {}), weak };
    this.log.warn(fields, `weak algorithms were negotiated: ${weak.join(', ')}`);
  }

  #initiate(conn: Connection, children: readonly string[], trouble: Reason | undefined): void {
    const path = this.#path(conn, trouble);
    if ('code' in path) {
      this.#event({ kind: 'session-closed', session: 0, conn: conn.name, established: false, reason: path });
      return;
    }
    const { session, effects } = this.endpoint.initiate(this.now(), conn, path.local, path.remote, children);
    const life = this.lives.get(conn.name);
    if (life) this.#called.set(life, { session, ip: path.remote, silent: false });
    this.run(effects);
  }

  /** What the kernel refuses to say now it may say at the next attempt. */
  #path(conn: Connection, trouble: Reason | undefined): Path | Reason {
    try {
      const life = this.lives.get(conn.name);
      return choosePath(conn, this.#io.host, trouble, life && this.#called.get(life));
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return { code: 'internal', text: `the kernel does not tell the way to the peer: ${error.message}`, by: 'us' };
    }
  }

  // --- time ----------------------------------------------------------------------------------------------------------------

  #schedule(): void {
    clearTimeout(this.#timer);
    const never = Number.POSITIVE_INFINITY;
    const next = Math.min(this.#endpoint.deadline() ?? never, this.connections.deadline() ?? never);
    if (next === never) return;
    const wait = Math.min(LONGEST_TIMER, Math.max(0, Math.ceil(next - this.now())));
    this.#timer = setTimeout(() => {
      this.#guarded('the clock', () => this.#tick());
      this.#schedule();
    }, wait);
  }

  #tick(): void {
    const now = this.now();
    this.connections.tick(now);
    this.run(this.endpoint.tick(now));
  }
}

/** Whoever reaches our ports can bring it about, as often as he likes. */
function byStranger(event: Event): boolean {
  if (event.kind === 'session-closed') return !event.established;
  return event.kind === 'note' || (event.kind === 'session-started' && !event.initiator);
}

function kindOf(event: Event): string {
  return 'reason' in event ? `${event.kind} ${event.reason.code}` : event.kind;
}
