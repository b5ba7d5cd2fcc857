// Every command of a client passes here: whether its role allows it, and, where it changes something, a line of the audit
// log with what was before and after.

import type { Peer } from '../../net/peer.ts';
import type { Audit } from '../audit.ts';
import { fingerprint } from '../fingerprint.ts';
import type { Gateway } from '../status.ts';
import { may, needed, type RoleGroups, roleOf } from './roles.ts';
import { text } from './section.ts';
import type { Section } from './vici.ts';

export interface GateOptions {
  readonly groups: RoleGroups;
  readonly audit: Audit;
  readonly gateway: Pick<Gateway, 'configured' | 'sharedIds'>;
}

/** What is known of a command when it has been let in. */
export interface Entry {
  /** Why it was not let in. */
  readonly refused?: string;
  done(reply: Section): void;
}

/** Names in a message that say whom it concerns; never its values. */
const NAMED = ['name', 'ike', 'child', 'id', 'unique', 'ike-id', 'child-id', 'status'] as const;
const MOST_NAMES = 8;

export class Gate {
  readonly #options: GateOptions;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  enter(peer: Peer, command: string, message: Section): Entry {
    const role = roleOf(peer, this.#options.groups);
    const need = needed(command);
    if (!may(role, command)) {
      const refused = `'${command}' needs the role ${need}, and yours is ${role}`;
      this.#record(peer, command, message, { ok: false, error: refused });
      return { refused, done: () => {} };
    }
    if (need === 'read') return { done: () => {} };
    const before = this.#print(command, message);
    return {
      done: (reply) => {
        const ok = text(reply, 'success') !== 'no';
        const error = ok ? undefined : text(reply, 'errmsg');
        const after = this.#print(command, message);
        const changed = before === after ? {} : { before, after };
        this.#record(peer, command, message, { ok, ...(error === undefined ? {} : { error }), ...changed });
      },
    };
  }

  /** Of what the command is about: one connection, the secrets, or everything. */
  #print(command: string, message: Section): string | undefined {
    const { gateway } = this.#options;
    switch (command) {
      case 'load-conn':
        return fingerprint(gateway.configured(), [...message.keys()]);
      case 'unload-conn':
        return fingerprint(gateway.configured(), [text(message, 'name') ?? '']);
      case 'load-shared':
      case 'unload-shared':
      case 'clear-creds':
        return fingerprint(gateway.sharedIds());
      case 'espalier-reload':
        return fingerprint(gateway.configured());
      default:
        return undefined;
    }
  }

  #record(
    peer: Peer,
    command: string,
    message: Section,
    outcome: { readonly ok: boolean; readonly error?: string; readonly before?: string | undefined },
  ): void {
    const about = command === 'load-conn' ? [...message.keys()].slice(0, MOST_NAMES) : undefined;
    const named = NAMED.flatMap((key) => {
      const value = text(message, key);
      return value === undefined ? [] : [[key, value] as const];
    });
    const what = about ? { name: about.join(', ') } : Object.fromEntries(named);
    this.#options.audit.record({ action: command, peer, what, ...outcome });
  }
}
