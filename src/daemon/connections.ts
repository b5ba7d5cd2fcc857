// All connections of a gateway: how they come, change and go with the configuration and with their management status,
// and when each is to be attended to. What they ask for is done by the gateway.

import type { Logger } from 'pino';
import type { Ip } from '../bytes/ip.ts';
import type { Changed, Difference } from '../config/changes.ts';
import type { Child, Connection, Millis, SharedKey } from '../ike/connection.ts';
import type { Effect, Event } from '../ike/effects.ts';
import type { Endpoint } from '../ike/endpoint.ts';
import { takesAddress } from '../ike/match.ts';
import type { Reason } from '../ike/reason.ts';
import { Timers } from '../ike/timers.ts';
import type { Admin } from './admin.ts';
import { Configuration } from './configuration.ts';
import { type Action, adminDown, ConnectionLife } from './connection.ts';
import type { Guarded } from './forward.ts';
import type { Lookup } from './lookup.ts';
import { Names, namesOf } from './names.ts';
import type { Protection, Trapped } from './protection.ts';
import type { Suspicion } from './status.ts';
import { Strangers } from './strangers.ts';

export interface ConnectionsOptions {
  readonly connections: readonly Connection[];
  readonly sharedKeys: readonly SharedKey[];
  readonly admin: Admin;
  readonly protection: Protection;
  readonly now: () => Millis;
  readonly guarded: Guarded;
  /** Not asked for before `start`. */
  readonly endpoint: () => Endpoint;
  readonly run: (effects: readonly Effect[]) => void;
  /** With the reason why it has no address, if one was looked for in vain. */
  readonly initiate: (conn: Connection, children: readonly string[], trouble: Reason | undefined) => void;
  readonly lookup: Lookup;
  readonly log: Logger;
}

export class Connections {
  readonly lives = new Map<string, ConnectionLife>();
  readonly configuration: Configuration;
  readonly #options: ConnectionsOptions;
  /** When a connection is tried again, by its number. */
  readonly #retries = new Timers();
  readonly #numbers = new Map<string, number>();
  readonly #names = new Map<number, string>();
  readonly #strangers = new Strangers();
  #nextNumber = 0;
  readonly #peers: Names;
  /** The endpoint knows what is configured. */
  #informed = true;
  #stopping = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    const { guarded, lookup, log, now } = options;
    this.#peers = new Names({
      ...{ lookup, log, now },
      onMoved: (names) => guarded('a name that was looked up', () => this.#moved(names)),
      onReady: (conn) => guarded('a name that was looked up', () => this.#resume(conn)),
    });
    this.configuration = new Configuration(options.connections, options.sharedKeys);
    for (const conn of options.connections) this.#welcome(conn);
  }

  /** What is configured goes to the device from now on, and nowhere else. */
  protect(): void {
    this.#peers.configure(this.configuration.connections());
    this.#protect([...this.lives.values()].map(({ conn }) => conn));
  }

  /** Begins what the configuration starts by itself. */
  start(): void {
    this.#options.guarded('what a predecessor has blocked', () => this.#options.protection.settle());
    for (const life of this.lives.values()) {
      this.#options.guarded('a connection that starts', () => this.act(life, life.start(this.#options.now())));
    }
  }

  /** Nothing is begun any more. */
  stop(): void {
    this.#stopping = true;
    this.#peers.close();
  }

  /** What may be negotiated: all that is configured and not DOWN. */
  open(): readonly Connection[] {
    return this.#known().flatMap((conn) => {
      const children = this.#managed(conn);
      if (children.length === conn.children.length) return [conn];
      return children.length === 0 ? [] : [{ ...conn, children }];
    });
  }

  /** All that is configured, with addresses for names. */
  #known(): readonly Connection[] {
    return this.configuration.connections().map((conn) => this.#peers.known(conn));
  }

  /** Another configuration. Whatever it does not change goes on as if nothing had happened. */
  configure<D extends Difference>(change: (configuration: Configuration) => D): D {
    const found = change(this.configuration);
    for (const conn of found.same) {
      const life = this.lives.get(conn.name);
      if (life && life.conn !== conn) life.configure(conn);
    }
    const { added, removed, changed } = found;
    const touched = [...added, ...removed, ...changed.flatMap(({ before, after }) => [before, after])];
    if (touched.some((conn) => namesOf(conn).length > 0)) this.#peers.configure(this.configuration.connections());
    this.#informed = false;
    const lives = added.map((conn) => this.#welcome(conn));
    // A network may have gone from one connection to another: it is protected there before it no longer is here.
    this.#protect([...added, ...changed.map(({ after }) => after)]);
    // A bug that one of them meets leaves the others as they are configured.
    const { guarded, now } = this.#options;
    for (const conn of removed) guarded('a connection that goes', () => this.#dismiss(conn));
    for (const each of changed) guarded('a connection that changes', () => this.#change(each));
    for (const life of lives) guarded('a connection that comes', () => this.act(life, life.start(now())));
    return found;
  }

  /** Other secrets, for the next negotiation. */
  configureSecrets<T>(change: (configuration: Configuration) => T): T {
    this.#informed = false;
    return change(this.configuration);
  }

  /** Before the endpoint is asked anything: who loads thousands of connections one by one pays for this once. */
  inform(endpoint: Endpoint): void {
    if (this.#informed) return;
    this.#informed = true;
    endpoint.configure(this.open(), this.configuration.secrets());
  }

  /** Management status of a connection or of one child. Throws when it cannot be kept over a restart. */
  manage(life: ConnectionLife, child: string | undefined, down: boolean): void {
    const { conn } = life;
    const { admin, now } = this.#options;
    const all = conn.children.map(({ name }) => name);
    const names = child === undefined ? all : [child];
    try {
      admin.set({ conn: conn.name, ...(child === undefined ? {} : { child }) }, down, all);
    } finally {
      this.#informed = false;
      if (down) {
        this.act(life, life.admin(now(), true, names));
        this.#end(conn.name, child === undefined ? undefined : names, adminDown(conn.name));
      }
      this.#protect([conn]);
      if (!down) this.act(life, life.admin(now(), false, names));
    }
  }

  /** A packet is to begin the children from now on, or no more. */
  trap(life: ConnectionLife, children: readonly string[], trapped: boolean): void {
    const now = this.#options.now();
    this.act(life, trapped ? life.install(now, children) : life.uninstall(now, children));
  }

  traps(): readonly Trapped[] {
    return this.#options.protection.traps();
  }

  /** A packet has met a trap. */
  acquire(policy: number): void {
    const trapped = this.#options.protection.trapped(policy);
    const life = trapped && this.lives.get(trapped.conn);
    if (life) this.act(life, life.acquire(this.#options.now(), trapped.child));
  }

  /** Who has called in vain, and may be the peer of this connection, where it is not up. */
  strangers(life: ConnectionLife): Suspicion[] {
    const now = this.#options.now();
    const { state } = life.status(now);
    const reason = state === 'connected' || state === 'rekeying' ? undefined : this.#strangers.hint(now, life.conn);
    return reason ? [{ reason }] : [];
  }

  /** Who was turned away may have meant a connection that is DOWN: then that is the reason. */
  explained(event: Event): Event {
    if (event.kind !== 'note' || event.reason.code !== 'no-connection' || !event.reason.peer) return event;
    const { ip } = event.reason.peer;
    const meant = this.#shutFor(ip);
    if (meant) return { ...event, conn: meant.name, reason: { ...event.reason, ...adminDown(meant.name) } };
    this.#strangers.called(this.#options.now(), ip);
    return event;
  }

  #shutFor(ip: Ip): Connection | undefined {
    // Strangers can ask this as often as they like.
    if (!this.#options.admin.any) return undefined;
    return this.configuration
      .connections()
      .filter((conn) => conn.children.length > 0 && this.#managed(conn).length === 0)
      .find((conn) => takesAddress(this.#peers.known(conn).remoteAddrs, ip));
  }

  // --- what they ask for ---------------------------------------------------------------------------------------------------

  act(life: ConnectionLife, actions: readonly Action[]): void {
    const number = this.#numbers.get(life.conn.name);
    if (number !== undefined) this.#retries.set(number, life.deadline());
    if (this.#stopping) return;
    for (const action of actions) this.#do(life, action);
  }

  #do({ conn }: ConnectionLife, action: Action): void {
    const { endpoint, guarded, initiate, now, protection, run } = this.#options;
    switch (action.type) {
      case 'child':
        return run(endpoint().createChild(now(), action.session, action.child));
      case 'initiate':
        if (this.#peers.ask(conn)) return;
        return initiate(this.#peers.known(conn), action.children, this.#peers.trouble(conn));
      case 'trap':
        return guarded('a trap', () => protection.trap(this.#peers.known(conn), action.child));
      case 'untrap':
        return guarded('a trap', () => protection.untrap(conn.name, action.child));
    }
  }

  /** The names of a connection that wants to begin have been looked up: if it still wants to, it does. */
  #resume(name: string): void {
    const life = this.lives.get(name);
    if (life) this.act(life, life.pursue(this.#options.now()));
  }

  /** Who comes from a new address is known by it, and what is laid for the old one is laid for the new. */
  #moved(names: ReadonlySet<string>): void {
    this.#informed = false;
    for (const life of this.lives.values()) {
      if (!namesOf(life.conn).some((name) => names.has(name))) continue;
      this.#protect([life.conn]);
      this.act(life, life.traps());
    }
  }

  deadline(): Millis | undefined {
    return this.#retries.next();
  }

  /** How many wait for a time. */
  get waiting(): number {
    return this.#retries.size;
  }

  tick(now: Millis): void {
    for (let number = this.#retries.due(now); number !== undefined; number = this.#retries.due(now)) {
      const life = this.lives.get(this.#names.get(number) ?? '');
      if (life) this.act(life, life.tick(now));
    }
  }

  // --- they come, change and go --------------------------------------------------------------------------------------------

  #managed({ name, children }: Connection): readonly Child[] {
    return children.filter((child) => !this.#options.admin.isDown(name, child.name));
  }

  #welcome(conn: Connection): ConnectionLife {
    const life = new ConnectionLife(conn, this.#options.now());
    this.lives.set(conn.name, life);
    const number = this.#nextNumber++;
    this.#numbers.set(conn.name, number);
    this.#names.set(number, conn.name);
    this.#shut(life);
    return life;
  }

  /** What is DOWN stays so. */
  #shut(life: ConnectionLife): void {
    const { name, children } = life.conn;
    const down = children.map((child) => child.name).filter((child) => this.#options.admin.isDown(name, child));
    if (down.length > 0) life.admin(this.#options.now(), true, down);
  }

  #dismiss({ name }: Connection): void {
    this.#end(name, undefined, { code: 'requested', text: 'it is configured no more', by: 'us' });
    const number = this.#numbers.get(name);
    if (number !== undefined) {
      this.#retries.set(number, undefined);
      this.#names.delete(number);
    }
    this.#numbers.delete(name);
    this.lives.delete(name);
    this.#options.guarded('the routes of a connection', () => this.#options.protection.withdraw(name));
  }

  #change({ after, reconnect, added, removed, children }: Changed): void {
    const life = this.lives.get(after.name);
    if (!life) return;
    const { now } = this.#options;
    if (removed.length > 0) {
      const names = removed.map(({ name }) => name);
      this.act(life, life.uninstall(now(), names));
      this.#end(after.name, names, { code: 'requested', text: 'it is configured no more', by: 'us' });
    }
    const remade = children.filter(({ remake }) => remake).map((child) => child.after.name);
    if (!reconnect) life.remake(remade);
    life.configure(after);
    this.#shut(life);
    const changed: Reason = { code: 'reconfigured', text: 'its configuration has changed', by: 'us' };
    if (reconnect) this.#end(after.name, undefined, changed);
    else if (remade.length > 0) this.#end(after.name, remade, changed);
    // What a child is to do by itself has changed: the old is taken back, and the new is done.
    const turned = children.filter(({ keys }) => keys.includes('startAction')).map((child) => child.after.name);
    this.act(life, life.uninstall(now(), turned));
    this.act(life, life.start(now(), [...turned, ...added.map(({ name }) => name)]));
  }

  /** Closes what stands of a connection, or of some of its children. */
  #end(conn: string, children: readonly string[] | undefined, reason: Reason): void {
    const { endpoint, now, run } = this.#options;
    for (const { state } of endpoint().sessions()) {
      if (state.conn !== conn) continue;
      if (children === undefined) {
        run(endpoint().close(now(), state.id, reason));
        continue;
      }
      const meant = state.children.filter(({ name, stage }) => children.includes(name) && stage !== 'lingering');
      for (const { id } of meant) run(endpoint().closeChild(now(), id));
    }
  }

  #protect(conns: readonly Connection[]): void {
    const { guarded, protection } = this.#options;
    const wanted = () => conns.map((conn) => ({ conn: this.#peers.known(conn), children: this.#managed(conn) }));
    guarded('the routes of connections', () => protection.protect(wanted()));
  }
}
