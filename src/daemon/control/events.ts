// What is raised to clients that registered for it, as charon raises it: `ike-updown`, `ike-rekey`, `ike-update`,
// `child-updown`, `child-rekey` and `log`. Nothing is made, and nobody watched, while nobody listens.

import type { Gateway, Happening, Progress } from '../status.ts';
import type { Source } from './channel.ts';
import { childEntries, childName, sessionEntries } from './sas.ts';
import { type Entry, line as oneLine, section } from './section.ts';
import type { Section } from './vici.ts';

/** Where log lines can be had. */
export interface Log {
  /** Tells each line from now on, until the answer is called. */
  follow(hear: (line: Progress) => void): () => void;
  /** The same, as the daemon writes it: JSON. */
  followLines(hear: (line: string) => void): () => void;
}

export function happenings(gateway: Gateway): Source {
  return {
    events: ['ike-updown', 'ike-rekey', 'ike-update', 'child-updown', 'child-rekey'],
    begin: (raise) => gateway.watch((happening) => raise(happening.kind, () => happeningSection(happening))),
  };
}

export function logLines(log: Log): Source {
  return { events: ['log'], begin: (raise) => log.follow((line) => raise('log', () => logSection(line, MAIN_THREAD))) };
}

/** With all that a line says, which charon's event has no place for. */
export function wholeLines(log: Log): Source {
  return {
    events: ['espalier-log'],
    begin: (raise) => log.followLines((line) => raise('espalier-log', () => section(['line', line.slice(0, LONGEST)]))),
  };
}

/** vici counts the bytes of a value in 16 bits. */
const LONGEST = 16_000;

/** swanctl prints the number of the thread. */
const MAIN_THREAD = '0';

export function logSection(line: Progress, thread?: string): Section {
  return section(
    ['group', line.group],
    ['level', line.level],
    ['thread', thread],
    ['ikesa-name', line.conn],
    ['ikesa-uniqueid', line.session],
    ['msg', oneLine(line.text)],
  );
}

function happeningSection(happening: Happening): Section {
  const { session } = happening;
  const ike = sessionEntries(session);
  switch (happening.kind) {
    case 'ike-updown':
      return section(['up', happening.up], [session.conn, section(...ike)]);
    case 'ike-rekey': {
      const before = section(...sessionEntries(happening.before));
      return section([session.conn, section(['old', before], ['new', section(...ike)])]);
    }
    case 'ike-update':
      return section(
        ['local-host', happening.local.ip],
        ['local-port', happening.local.port],
        ['remote-host', happening.remote.ip],
        ['remote-port', happening.remote.port],
        [session.conn, section(...ike)],
      );
    case 'child-updown': {
      const { child } = happening;
      const one: Entry = [childName(child), section(...childEntries(child))];
      return section(['up', happening.up], [session.conn, section(...ike, ['child-sas', section(one)])]);
    }
    case 'child-rekey': {
      const { before, child } = happening;
      const both = section(['old', section(...childEntries(before))], ['new', section(...childEntries(child))]);
      return section([session.conn, section(...ike, ['child-sas', section([before.name, both])])]);
    }
  }
}
