// The updown programs of children: run when a child SA comes and when it goes, once for each pair of its selectors, and
// not when it is rekeyed. Those of one child run one after another, in the order of what has happened; of all children
// a few at a time. Whatever becomes of them, the tunnel goes on.

import type { Logger } from 'pino';
import type { Child, Millis } from '../ike/connection.ts';
import type { Event, SessionId } from '../ike/effects.ts';
import type { IkeSa } from '../ike/sa.ts';
import type { Host } from '../net/types.ts';
import { environment, type Facts, type Pair, pairsOf, verb } from './updown/environment.ts';
import { type Ended, Program } from './updown/program.ts';

const LIMIT: Millis = 10_000;
const MOST_AT_ONCE = 8;

export interface UpdownOptions {
  readonly log: Logger;
  readonly host: Pick<Host, 'linkTo'>;
  readonly session: (id: SessionId) => IkeSa | undefined;
  /** As it is configured now. */
  readonly child: (conn: string, child: string) => Child | undefined;
  /** How long one run may take. */
  readonly limit?: Millis;
}

/** A child SA with a program, as it was when it came. */
interface Tunnel {
  readonly conn: string;
  readonly command: readonly string[];
  readonly facts: Facts;
  readonly pairs: readonly Pair[];
  /** Of all SAs of a child: one runs at a time. */
  readonly key: string;
  /** How many of the pairs the program was run for. */
  begun: number;
  gone: boolean;
}

export class Updown {
  readonly #options: UpdownOptions;
  readonly #tunnels = new Map<number, Tunnel>();
  /** What is to be run for a tunnel next: that it comes (true), or that it goes. */
  readonly #waiting = new Map<Tunnel, boolean>();
  /** Children that a program is run for. */
  readonly #busy = new Set<string>();
  readonly #running = new Set<Program>();
  /** Whoever waits for the last one to end. */
  #idle: (() => void) | undefined;
  #woken = false;
  #stopped = false;

  constructor(options: UpdownOptions) {
    this.#options = options;
  }

  event(event: Event): void {
    switch (event.kind) {
      case 'child-established':
        return this.#come(event.session, event.conn, event.id);
      case 'child-rekeyed':
        return this.#replace(event.id, event.by);
      case 'child-closed':
        return this.#go(event.id);
    }
  }

  /** Waits for what is to be run, as long as `grace` allows; then nothing is run any more. */
  async close(grace: Millis): Promise<void> {
    if (this.#waiting.size > 0 || this.#busy.size > 0) {
      await new Promise<void>((resolve) => {
        const late = setTimeout(resolve, grace);
        this.#idle = () => {
          clearTimeout(late);
          resolve();
        };
      });
    }
    this.#stopped = true;
    const left = this.#waiting.size + this.#busy.size;
    if (left > 0) {
      const text = `the gateway stops: updown programs of ${left} children were not run, or not to their end`;
      this.#options.log.warn({ event: 'updown-stopped', children: left }, text);
    }
    this.#waiting.clear();
    for (const program of this.#running) program.kill('the gateway stops');
  }

  // --- what happens ----------------------------------------------------------------------------------------------------

  #come(session: SessionId, conn: string, id: number): void {
    const sa = this.#options.session(session);
    const child = sa?.state.children.find((one) => one.id === id);
    const config = child && this.#options.child(conn, child.name);
    if (!sa || !child || !config || config.updown.length === 0) return;
    const { local, remote, localId, remoteId } = sa.state;
    const tunnel: Tunnel = {
      conn,
      command: config.updown,
      facts: {
        ...{ child: child.name, session, reqid: child.reqid, protocol: child.protocol },
        ...{ local, remote, localId, remoteId, udp: sa.udp, hostAccess: config.hostAccess },
        link: this.#options.host.linkTo(remote.ip),
      },
      pairs: pairsOf(child.localTs, child.remoteTs),
      key: JSON.stringify([conn, child.name]),
      begun: 0,
      gone: false,
    };
    this.#tunnels.set(id, tunnel);
    this.#add(tunnel, true);
  }

  /** The new SA has the old one's place. Where both came by themselves and have been announced, one goes. */
  #replace(id: number, by: number): void {
    const tunnel = this.#tunnels.get(id);
    const heir = this.#tunnels.get(by);
    if (!tunnel) return;
    if (heir && !this.#waiting.delete(heir)) return this.#go(id);
    this.#tunnels.delete(id);
    this.#tunnels.set(by, tunnel);
  }

  #go(id: number): void {
    const tunnel = this.#tunnels.get(id);
    if (!tunnel) return;
    this.#tunnels.delete(id);
    tunnel.gone = true;
    // What nobody was told of need not be taken back.
    if (!this.#waiting.delete(tunnel)) this.#add(tunnel, false);
  }

  // --- running ---------------------------------------------------------------------------------------------------------

  /** Not at once: of what happens in one moment, the end may undo the beginning. */
  #add(tunnel: Tunnel, up: boolean): void {
    this.#waiting.set(tunnel, up);
    if (this.#woken) return;
    this.#woken = true;
    queueMicrotask(() => {
      this.#woken = false;
      this.#pump();
    });
  }

  #pump(): void {
    for (const [tunnel, up] of this.#waiting) {
      if (this.#busy.size >= MOST_AT_ONCE) return;
      if (this.#busy.has(tunnel.key)) continue;
      this.#waiting.delete(tunnel);
      this.#busy.add(tunnel.key);
      this.#do(tunnel, up)
        .catch((err) => this.#options.log.error({ event: 'bug', bug: true, err }, 'an updown program met a bug'))
        .then(() => {
          this.#busy.delete(tunnel.key);
          this.#pump();
          if (this.#busy.size === 0) this.#idle?.();
        });
    }
  }

  async #do(tunnel: Tunnel, up: boolean): Promise<void> {
    const { pairs } = tunnel;
    if (!up) {
      for (const pair of pairs.slice(0, tunnel.begun)) await this.#run(tunnel, pair, false);
      return;
    }
    while (tunnel.begun < pairs.length && !tunnel.gone && !this.#stopped) {
      await this.#run(tunnel, pairs[tunnel.begun++] as Pair, true);
    }
  }

  async #run(tunnel: Tunnel, pair: Pair, up: boolean): Promise<void> {
    if (this.#stopped) return;
    const { command, facts } = tunnel;
    const program = new Program(command, environment(facts, pair, up), this.#options.limit ?? LIMIT);
    this.#running.add(program);
    const ended = await program.ended;
    this.#running.delete(program);
    this.#tell(tunnel, verb(facts, pair, up), ended);
  }

  #tell({ conn, command, facts }: Tunnel, what: string, { code, trouble, output }: Ended): void {
    const { log } = this.#options;
    const [path] = command;
    const said = output.length > 0 ? { output } : {};
    const fields = { conn, child: facts.child, verb: what, ...(code === undefined ? {} : { code }), ...said };
    if (code === 0)
      return log.info({ event: 'updown', ...fields }, `updown ${what} of ${facts.child}: ${path} was run`);
    const why = trouble ?? `it ended with ${code}`;
    const last = output.at(-1);
    const text = `updown ${what} of ${facts.child}: ${path} failed: ${why}${last === undefined ? '' : ` (${last})`}`;
    log.warn({ event: 'updown-failed', ...fields }, text);
  }
}
