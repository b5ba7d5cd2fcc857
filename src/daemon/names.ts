// Peers that are given by name. A name is looked up when it is first configured, again before each attempt of ours, and
// every minute, because a peer that moves may call first. While that fails, the last known addresses count. Whoever
// negotiates sees addresses only: `known` puts them in the names' place.

import type { Logger } from 'pino';
import { type Ip, parseIp } from '../bytes/ip.ts';
import type { AddressPattern, Connection, Millis } from '../ike/connection.ts';
import type { Reason } from '../ike/reason.ts';
import { wordFor } from '../ike/words.ts';
import type { Found, Lookup } from './lookup.ts';

/** Nobody waits longer for an answer. */
const PATIENCE: Millis = 5000;
/** An answer that is no older than this, good or bad, need not be asked for again. */
const FRESH: Millis = 1000;
/** After an answer; and after failures, the first and the last of waits that double. */
const REFRESH: Millis = 60_000;
const FIRST_RETRY: Millis = 5000;
/** Names that are looked up at the same time; the others wait their turn. */
const MOST_AT_ONCE = 32;
/** Changes that come close together are told as one. */
const GATHER: Millis = 100;

export interface NamesOptions {
  readonly lookup: Lookup;
  readonly now: () => Millis;
  readonly log: Logger;
  /** These names have other addresses now. */
  readonly onMoved: (names: ReadonlySet<string>) => void;
  /** All names of this connection, which has asked for it, have been looked up. */
  readonly onReady: (conn: string) => void;
}

interface Entry {
  readonly name: string;
  /** The last known ones. */
  addresses: readonly Ip[];
  checkedAt: Millis | undefined;
  /** Of the last answer, if that was none. */
  trouble: string | undefined;
  /** Look-ups in a row that have failed. */
  failures: number;
  looking: boolean;
  timer: NodeJS.Timeout | undefined;
}

export class Names {
  readonly #options: NamesOptions;
  readonly #entries = new Map<string, Entry>();
  /** Connections that want to begin, and the names that they wait for. */
  readonly #waiting = new Map<string, Set<string>>();
  readonly #queue = new Set<Entry>();
  readonly #stops = new Set<AbortController>();
  #moved = new Set<string>();
  #gathering: NodeJS.Timeout | undefined;
  /** The connection that is just being told. */
  #ready: string | undefined;
  #closed = false;

  constructor(options: NamesOptions) {
    this.#options = options;
  }

  /** All connections that there are from now on. New names are looked up. */
  configure(connections: readonly Connection[]): void {
    const wanted = new Set(connections.flatMap(namesOf));
    const gone = [...this.#entries.values()].filter(({ name }) => !wanted.has(name));
    for (const entry of gone) {
      clearTimeout(entry.timer);
      this.#queue.delete(entry);
      this.#entries.delete(entry.name);
    }
    // Who waits for one of them has another peer now, and is told when he has been given it.
    if (gone.length > 0) queueMicrotask(() => this.#answered(gone.map(({ name }) => name)));
    for (const name of wanted) if (!this.#entries.has(name)) this.#look(this.#entry(name));
    const names = new Set(connections.map((conn) => conn.name));
    for (const conn of [...this.#waiting.keys()]) if (!names.has(conn)) this.#waiting.delete(conn);
  }

  /** With addresses in place of the names. Who has none matches nobody. */
  known(conn: Connection): Connection {
    if (namesOf(conn).length === 0) return conn;
    return { ...conn, remoteAddrs: conn.remoteAddrs.flatMap((pattern) => this.#patterns(pattern)) };
  }

  /** True when the connection has to wait: `onReady` tells it when its names have been looked up. */
  ask(conn: Connection): boolean {
    const { now } = this.#options;
    const stale = namesOf(conn).filter((name) => {
      const { checkedAt, looking } = this.#entry(name);
      if (checkedAt === undefined) return true;
      return this.#ready !== conn.name && (looking || now() - checkedAt >= FRESH);
    });
    if (stale.length === 0) return false;
    this.#waiting.set(conn.name, new Set(stale));
    for (const name of stale) this.#look(this.#entry(name));
    return true;
  }

  /** Why nothing is known of a connection's names; undefined when something is, or when it has none. */
  trouble(conn: Connection): Reason | undefined {
    const names = namesOf(conn);
    const [name] = names;
    if (name === undefined || names.some((one) => this.#entries.get(one)?.addresses.length)) return undefined;
    const trouble = this.#entries.get(name)?.trouble ?? 'it was not looked up yet';
    const where = conn.where.get('remote_addrs') ?? conn.where.get('');
    return {
      code: 'name-unresolved',
      text: `${name} cannot be resolved: ${trouble}`,
      by: 'us',
      ...(where ? { where } : {}),
      remedy: `correct the name in ${wordFor(conn, 'remote_addrs')}, or write the address there; what this host knows of it: getent ahosts ${name}`,
    };
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#gathering);
    for (const { timer } of this.#entries.values()) clearTimeout(timer);
    for (const stop of this.#stops) stop.abort();
    this.#queue.clear();
    this.#waiting.clear();
  }

  // --- inside ----------------------------------------------------------------------------------------------------------

  #entry(name: string): Entry {
    const known = this.#entries.get(name);
    if (known) return known;
    const never = { addresses: [], checkedAt: undefined, trouble: undefined, failures: 0 };
    const entry: Entry = { name, ...never, looking: false, timer: undefined };
    this.#entries.set(name, entry);
    return entry;
  }

  #patterns(pattern: AddressPattern): readonly AddressPattern[] {
    if (pattern.kind !== 'name') return [pattern];
    const addresses = this.#entries.get(pattern.name)?.addresses ?? [];
    return addresses.flatMap((ip): AddressPattern[] => {
      const address = parseIp(ip);
      return address ? [{ kind: 'prefix', prefix: { address, length: address.length * 8 } }] : [];
    });
  }

  #look(entry: Entry): void {
    if (entry.looking || this.#closed) return;
    entry.looking = true;
    clearTimeout(entry.timer);
    this.#queue.add(entry);
    this.#pump();
  }

  #pump(): void {
    for (const entry of this.#queue) {
      if (this.#stops.size >= MOST_AT_ONCE) return;
      this.#queue.delete(entry);
      this.#lookUp(entry);
    }
  }

  #lookUp(entry: Entry): void {
    const stop = new AbortController();
    this.#stops.add(stop);
    const settle = (found: Found) => {
      if (!this.#stops.delete(stop)) return;
      clearTimeout(patience);
      if (this.#closed) return;
      this.#settled(entry, found);
      this.#pump();
    };
    const patience = setTimeout(() => {
      settle({ ok: false, text: `no answer within ${PATIENCE / 1000} s` });
      stop.abort();
    }, PATIENCE);
    this.#options.lookup(entry.name, stop.signal).then(settle, (error) => {
      settle({ ok: false, text: error instanceof Error ? error.message : String(error) });
    });
  }

  #settled(entry: Entry, found: Found): void {
    entry.looking = false;
    entry.checkedAt = this.#options.now();
    if (found.ok) this.#resolved(entry, found.addresses);
    else this.#failed(entry, found.text);
    // One that is configured no more is not looked up again.
    if (this.#entries.get(entry.name) === entry) {
      const wait = found.ok ? REFRESH : Math.min(REFRESH, FIRST_RETRY * 2 ** (entry.failures - 1));
      entry.timer = setTimeout(() => this.#look(entry), wait);
    }
    this.#answered([entry.name]);
  }

  #answered(answered: readonly string[]): void {
    for (const [conn, names] of [...this.#waiting]) {
      if (!answered.some((name) => names.has(name))) continue;
      for (const name of answered) names.delete(name);
      if (names.size > 0) continue;
      this.#waiting.delete(conn);
      this.#ready = conn;
      try {
        this.#options.onReady(conn);
      } finally {
        this.#ready = undefined;
      }
    }
  }

  #resolved(entry: Entry, addresses: readonly Ip[]): void {
    const { log } = this.#options;
    const before = entry.addresses;
    const again = entry.failures > 0;
    Object.assign(entry, { addresses, trouble: undefined, failures: 0 });
    const { name } = entry;
    // Name servers take turns in the order: that moves nobody.
    if ([...before].sort().join() !== [...addresses].sort().join()) {
      this.#tell(name);
      const was = before.length > 0 ? `, and was ${before.join(', ')}` : '';
      log.info({ event: 'name-resolved', name, addresses, before }, `${name} is ${addresses.join(', ')}${was}`);
    } else if (again) {
      log.info({ event: 'name-resolved', name, addresses }, `${name} can be resolved again: ${addresses.join(', ')}`);
    }
  }

  /** Told once, and again when it is for another reason. */
  #failed(entry: Entry, text: string): void {
    const { name, addresses, trouble } = entry;
    entry.trouble = text;
    entry.failures++;
    if (trouble === text) return;
    const kept = addresses.length > 0 ? `; it is taken to be ${addresses.join(', ')} still` : '';
    const fields = { event: 'name-unresolved', name, ...(addresses.length > 0 ? { addresses } : {}) };
    this.#options.log.warn(fields, `${name} cannot be resolved: ${text}${kept}`);
  }

  #tell(name: string): void {
    this.#moved.add(name);
    this.#gathering ??= setTimeout(() => {
      const moved = this.#moved;
      this.#gathering = undefined;
      this.#moved = new Set();
      this.#options.onMoved(moved);
    }, GATHER);
  }
}

export function namesOf({ remoteAddrs }: Connection): string[] {
  return remoteAddrs.flatMap((pattern) => (pattern.kind === 'name' ? [pattern.name] : []));
}
