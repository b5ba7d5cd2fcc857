// How many messages of each kind came and went, in all and by connection: the counters that strongSwan keeps, by its
// names and with its meaning. A message counts once, however often it is repeated or into how many fragments it is cut.

import { EXCHANGE } from './wire/constants.ts';

export const TALLIED = [
  'ike-rekey-init',
  'ike-rekey-resp',
  'child-rekey',
  'invalid',
  'invalid-spi',
  'ike-init-in-req',
  'ike-init-in-resp',
  'ike-init-out-req',
  'ike-init-out-resp',
  'ike-auth-in-req',
  'ike-auth-in-resp',
  'ike-auth-out-req',
  'ike-auth-out-resp',
  'create-child-in-req',
  'create-child-in-resp',
  'create-child-out-req',
  'create-child-out-resp',
  'info-in-req',
  'info-in-resp',
  'info-out-req',
  'info-out-resp',
] as const;

export type Tallied = (typeof TALLIED)[number];

export type Counts = Readonly<Record<Tallied, number>>;

/** Of IKEv2: strongSwan counts no messages of IKEv1. */
const EXCHANGES = new Map<number, 'ike-init' | 'ike-auth' | 'create-child' | 'info'>([
  [EXCHANGE.IKE_SA_INIT, 'ike-init'],
  [EXCHANGE.IKE_AUTH, 'ike-auth'],
  [EXCHANGE.CREATE_CHILD_SA, 'create-child'],
  [EXCHANGE.INFORMATIONAL, 'info'],
]);

export class Tally {
  #all = nothing();
  readonly #byConnection = new Map<string, Record<Tallied, number>>();
  readonly #repeats = new Map<string, number>();

  /** `conn` is empty where nobody knows yet whose it is. */
  count(what: Tallied, conn = ''): void {
    this.#all[what]++;
    if (conn === '') return;
    let own = this.#byConnection.get(conn);
    if (!own) {
      own = nothing();
      this.#byConnection.set(conn, own);
    }
    own[what]++;
  }

  message(exchange: number, direction: 'in' | 'out', response: boolean, conn?: string): void {
    const kind = EXCHANGES.get(exchange);
    if (kind) this.count(`${kind}-${direction}-${response ? 'resp' : 'req'}`, conn);
  }

  /** A request of ours is sent once more. */
  repeat(conn: string): void {
    this.#repeats.set(conn, (this.#repeats.get(conn) ?? 0) + 1);
  }

  /** By connection, since the start: strongSwan has no name for them, and nobody resets them. */
  repeats(): ReadonlyMap<string, number> {
    return this.#repeats;
  }

  all(): Counts {
    return { ...this.#all };
  }

  /** Of those connections that have something to count. */
  byConnection(): ReadonlyMap<string, Counts> {
    return this.#byConnection;
  }

  /** One connection's, or those of all together, which leaves each connection its own. */
  reset(conn?: string): void {
    if (conn === undefined) this.#all = nothing();
    else this.#byConnection.delete(conn);
  }

  /** Each connection's, which leaves those of all together. */
  resetConnections(): void {
    this.#byConnection.clear();
  }

  /** Other connections are forgotten. */
  keep(names: ReadonlyMap<string, unknown>): void {
    for (const counts of [this.#byConnection, this.#repeats]) {
      for (const name of counts.keys()) if (!names.has(name)) counts.delete(name);
    }
  }
}

function nothing(): Record<Tallied, number> {
  return Object.fromEntries(TALLIED.map((name) => [name, 0])) as Record<Tallied, number>;
}
