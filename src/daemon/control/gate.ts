// Every command of a client passes here: whether its role allows it, and, where it changes something, lines of the audit
// log that say so. The reading of the files on a signal is recorded here as well.

import { Bucket } from '../../esp/bucket.ts';
import type { Millis } from '../../ike/connection.ts';
import type { Peer } from '../../net/peer.ts';
import type { Audit, AuditEntry } from '../audit.ts';
import { type Fingerprints, fingerprints, overall } from '../fingerprint.ts';
import type { Gateway, Reloaded } from '../status.ts';
import { actionOf, changesOf, namesIn } from './deeds.ts';
import { isMaster, may, needed, type RoleGroups, roleOf } from './roles.ts';
import { text } from './section.ts';
import type { Section } from './vici.ts';

export interface GateOptions {
  readonly groups: RoleGroups;
  readonly audit: Audit;
  readonly gateway: Pick<Gateway, 'configured'>;
  readonly now: () => Millis;
}

/** What is known of a command when it has been let in. */
export interface Entry {
  /** Why it was not let in. */
  readonly refused?: string;
  done(reply: Section): void;
}

type By = NonNullable<AuditEntry['by']>;

const RELOAD = 'espalier-reload';
const NONE: Fingerprints = new Map();
/** Lines about what was asked for in vain: a second, and at once. A flood of them must not push others out. */
const IN_VAIN = { rate: 1, burst: 100 };

export class Gate {
  readonly #options: GateOptions;
  readonly #inVain = new Bucket(IN_VAIN.rate, IN_VAIN.burst);
  #suppressed = 0;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  enter(peer: Peer, command: string, message: Section): Entry {
    const about = { action: actionOf(command), command, by: peer, what: namesIn(command, message) };
    const refused = this.#refusal(peer, command, message);
    if (refused !== undefined) {
      this.#vain(peer, { ...about, outcome: 'refused', error: refused });
      return { refused, done: () => {} };
    }
    if (needed(command) === 'read') return { done: () => {} };
    const { audit } = this.#options;
    audit.meet(peer);
    const before = this.#prints(command, message);
    // What takes its time may never end, and whoever asked for it be gone by then.
    const begun = setImmediate(() => audit.record({ ...about, outcome: 'begun' }));
    return {
      done: (reply) => {
        clearImmediate(begun);
        const after = this.#prints(command, message);
        this.#changed(peer, command, before, after);
        const error = text(reply, 'success') === 'no' ? (text(reply, 'errmsg') ?? '') : undefined;
        if (error !== undefined) this.#vain(peer, { ...about, outcome: 'failed', error });
        else if (command === RELOAD) audit.record({ ...about, outcome: 'done', ...both(before, after) });
        // These are told of by what they have changed, which may be nothing.
        else if (command !== 'load-conn' && command !== 'unload-conn') audit.record({ ...about, outcome: 'done' });
      },
    };
  }

  /** The files are read again because of a signal. */
  async signalled(signal: string, reload: () => Promise<Reloaded>): Promise<void> {
    const before = this.#prints(RELOAD, new Map());
    const { ok, reason } = await reload();
    const after = this.#prints(RELOAD, new Map());
    const by = { signal };
    this.#changed(by, undefined, before, after);
    const outcome = ok ? ({ outcome: 'done' } as const) : ({ outcome: 'failed', error: reason.text } as const);
    this.#options.audit.record({ action: actionOf(RELOAD), by, ...outcome, ...both(before, after) });
  }

  #refusal(peer: Peer, command: string, message: Section): string | undefined {
    const { groups } = this.#options;
    const role = roleOf(peer, groups);
    if (!may(role, command)) return `'${command}' needs the role ${needed(command)}, and yours is ${role}`;
    // It would be run with the daemon's privileges (SECURITY A24).
    if (command === 'load-conn' && !isMaster(peer, groups) && namesProgram(message)) {
      return "'updown' names a program: root and the daemon's own user may load that, others write it in the file";
    }
    return undefined;
  }

  /** Of the connections that the command may change. */
  #prints(command: string, message: Section): Fingerprints {
    const { gateway } = this.#options;
    switch (command) {
      case 'load-conn':
        return fingerprints(gateway.configured(), [...message.keys()]);
      case 'unload-conn':
        return fingerprints(gateway.configured(), [text(message, 'name') ?? '']);
      case RELOAD:
        return fingerprints(gateway.configured());
      default:
        return NONE;
    }
  }

  #changed(by: By, command: string | undefined, before: Fingerprints, after: Fingerprints): void {
    for (const { action, connection, ...prints } of changesOf(before, after)) {
      const from = command === undefined ? {} : { command };
      this.#options.audit.record({ action, ...from, by, what: { connection }, outcome: 'done', ...prints });
    }
  }

  #vain(peer: Peer, entry: AuditEntry): void {
    if (!isMaster(peer, this.#options.groups) && !this.#inVain.take(this.#options.now())) {
      this.#suppressed++;
      return;
    }
    this.#options.audit.record({ ...entry, suppressed: this.#suppressed });
    this.#suppressed = 0;
  }
}

function both(before: Fingerprints, after: Fingerprints): { readonly before: string; readonly after: string } {
  return { before: overall(before), after: overall(after) };
}

function namesProgram(message: Section): boolean {
  return [...message].some(([key, value]) => (value instanceof Map ? namesProgram(value) : key === 'updown'));
}
