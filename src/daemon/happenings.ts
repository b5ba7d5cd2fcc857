// What happens to SAs, for those who watch: up, down, renewed, moved. An SA that ends is out of all lists by the time it
// is told, so what stands is kept here by reference while somebody watches, and only then.

import type { SocketAddress } from '../bytes/ip.ts';
import type { Event, SessionId } from '../ike/effects.ts';
import { isOurWill, type Reason } from '../ike/reason.ts';
import type { IkeSa } from '../ike/sa.ts';
import type { ChildState as Child } from '../ike/state.ts';
import type { Gateway } from './gateway.ts';
import type { ChildState, ChildStatus, Happening, SessionState, SessionStatus } from './status.ts';
import { childStatus, sessionStatus } from './values.ts';

type Hear = (happening: Happening) => void;

interface Known {
  readonly sa: IkeSa;
  local: SocketAddress;
  remote: SocketAddress;
  /** Its end was told. */
  down: boolean;
}

const LEAST_PRUNED = 64;
/** strongSwan's words for an IKE SA of which nothing is known yet. */
const UNNAMED = '(unnamed)';
const ANYBODY = '%any';

export class Happenings {
  readonly #gateway: Gateway;
  readonly #listeners = new Set<Hear>();
  readonly #sessions = new Map<SessionId, Known>();
  readonly #children = new Map<number, Child>();
  #pruneAt = LEAST_PRUNED;
  readonly #watcher = (event: Event) => this.#event(event);

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  watch(hear: Hear): () => void {
    if (this.#listeners.size === 0) this.#begin();
    this.#listeners.add(hear);
    return () => {
      this.#listeners.delete(hear);
      if (this.#listeners.size === 0) this.#end();
    };
  }

  #begin(): void {
    for (const { state } of this.#gateway.endpoint.sessions()) this.#learn(state.id);
    this.#gateway.watchers.add(this.#watcher);
  }

  #end(): void {
    this.#gateway.watchers.delete(this.#watcher);
    this.#sessions.clear();
    this.#children.clear();
  }

  #tell(happening: Happening): void {
    for (const hear of this.#listeners) hear(happening);
  }

  /** The session with its children, as far as they are there. */
  #learn(id: SessionId): Known | undefined {
    const sa = this.#gateway.endpoint.session(id);
    const known = this.#sessions.get(id);
    for (const child of sa?.state.children ?? []) this.#children.set(child.id, child);
    if (!sa || known) return known;
    const made: Known = { sa, ...addressesOf(sa), down: false };
    this.#sessions.set(id, made);
    return made;
  }

  #event(event: Event): void {
    const known = this.#learn(event.session);
    if (!known) return;
    if (event.kind !== 'peer-moved') this.#float(known);
    switch (event.kind) {
      case 'session-established':
        return this.#tell({ kind: 'ike-updown', up: true, session: this.#session(known) });
      case 'session-rekeyed':
        return this.#rekeyed(known, event.by);
      case 'session-closed':
        this.#down(known);
        this.#sessions.delete(event.session);
        return this.#prune();
      case 'child-established':
        return this.#child(event.id, (child) =>
          this.#tell({
            kind: 'child-updown',
            up: true,
            session: this.#session(known),
            child: this.#status(child, known),
          }),
        );
      case 'child-rekeyed':
        return this.#childRekeyed(known, event.id, event.by);
      case 'child-closed':
        return this.#closed(known, event.id, event.reason);
      case 'peer-moved':
        return this.#moved(known);
      case 'session-started':
      case 'child-failed':
      case 'no-answer':
      case 'answered':
      case 'vendors':
      case 'note':
        return;
    }
  }

  /**
   * From port 500 to 4500. Who began it has gone there by himself; the other side tells it as charon does, which does not
   * know yet by then whom it has before it, nor whether that will come to anything.
   */
  #float(known: Known): void {
    const { local, remote, sa } = known;
    const after = addressesOf(sa);
    Object.assign(known, after);
    if (sa.state.original || local.port === after.local.port) return;
    const unknown = { conn: UNNAMED, localId: ANYBODY, remoteId: ANYBODY, state: 'CONNECTING' } as const;
    const untimed = { establishedSince: undefined, rekeyIn: undefined, reauthIn: undefined, children: [] };
    this.#tell({
      kind: 'ike-update',
      session: { ...this.#session(known), ...unknown, ...untimed, local, remote },
      ...after,
    });
  }

  /** In IKEv1 another session has been established meanwhile, and has the children: of this one there is the end to tell. */
  #rekeyed(known: Known, by: SessionId): void {
    const next = this.#learn(by);
    const { version, id } = known.sa.state;
    if (version === 1) this.#down(known, 'DELETING');
    else if (next) {
      const before = this.#session(known, 'ESTABLISHED');
      this.#tell({ kind: 'ike-rekey', before, session: this.#session(next) });
    }
    this.#sessions.delete(id);
  }

  #childRekeyed(known: Known, id: number, by: number): void {
    this.#child(id, (old) =>
      this.#child(by, (child) => {
        const before = this.#status(old, known, 'REKEYED');
        this.#tell({ kind: 'child-rekey', session: this.#session(known), before, child: this.#status(child, known) });
      }),
    );
    this.#children.delete(id);
  }

  /** As strongSwan tells it: an IKE SA goes before its children, but in IKEv1 whoever ends it deletes them first. */
  #closed(known: Known, id: number, reason: Reason): void {
    const { phase, successor, version } = known.sa.state;
    const ends = phase === 'closed' && successor === undefined;
    const first = ends && version === 1 && isOurWill(reason);
    if (ends && !first) this.#down(known);
    this.#child(id, (child) => {
      const status = this.#status(child, known, ends && !first ? undefined : 'DELETED');
      const session = this.#session(known, first ? 'ESTABLISHED' : undefined);
      this.#tell({ kind: 'child-updown', up: false, session, child: status });
    });
    this.#children.delete(id);
  }

  #down(known: Known, shown?: SessionState): void {
    if (known.down) return;
    known.down = true;
    this.#tell({ kind: 'ike-updown', up: false, session: this.#session(known, shown) });
  }

  #moved(known: Known): void {
    const before = { local: known.local, remote: known.remote };
    const after = addressesOf(known.sa);
    Object.assign(known, after);
    this.#tell({ kind: 'ike-update', session: { ...this.#session(known), ...before }, ...after });
  }

  /** The end of a child that another had replaced is not told: such ones are looked for now and then. */
  #prune(): void {
    if (this.#children.size < this.#pruneAt) return;
    const { endpoint } = this.#gateway;
    for (const id of this.#children.keys()) if (!endpoint.sessionOfChild(id)) this.#children.delete(id);
    this.#pruneAt = LEAST_PRUNED + 2 * this.#children.size;
  }

  #child(id: number, act: (child: Child) => void): void {
    const child = this.#children.get(id);
    if (child) act(child);
  }

  /** One that ended before it was established is still shown as it was. */
  #session({ sa }: Known, shown?: SessionState): SessionStatus {
    const { phase, establishedAt } = sa.state;
    const status = sessionStatus(sa, this.#gateway.forwarder.plane, this.#gateway.now());
    if (phase === 'closed' && establishedAt === undefined) return { ...status, state: 'CONNECTING' };
    return shown === undefined ? status : { ...status, state: shown };
  }

  #status(child: Child, { sa }: Known, shown?: ChildState): ChildStatus {
    const status = childStatus(child, sa.udp, this.#gateway.forwarder.plane, this.#gateway.now());
    return shown === undefined ? status : { ...status, state: shown };
  }
}

function addressesOf({ state }: IkeSa): Pick<Known, 'local' | 'remote'> {
  return { local: state.local, remote: state.remote };
}
