// `espalier status [NAME]`: the state of connections and children, and for one that was named, why it is not up.

import { clean } from '../../bytes/printable.ts';
import { sections, text, texts } from '../../daemon/control/section.ts';
import type { ChildView, ConnectionView } from '../../daemon/control/status.ts';
import type { Section } from '../../daemon/control/vici.ts';
import { connections, plainSection, resolve, sessions, withClient } from '../ask.ts';
import { DONE, type Io } from '../io.ts';
import { reasonLines } from '../render/reason.ts';
import { paint, stateColour } from '../render/style.ts';
import { type Cell, table } from '../render/table.ts';
import { bytes, duration } from '../render/units.ts';

export interface StatusArguments {
  readonly control: string;
  readonly json: boolean;
  readonly name?: string | undefined;
}

interface Shown {
  readonly connection: ConnectionView;
  readonly sessions: readonly Section[];
}

export async function status({ control, json, name }: StatusArguments, io: Io): Promise<number> {
  const shown = await withClient(control, async (client): Promise<readonly Shown[]> => {
    const all = await connections(client);
    const wanted = name === undefined ? all : [only(name, all)];
    const running = new Map<string, Section[]>();
    for (const [owner, session] of await sessions(client)) {
      const own = running.get(owner);
      if (own) own.push(session);
      else running.set(owner, [session]);
    }
    return wanted.map((connection) => ({ connection, sessions: running.get(connection.name) ?? [] }));
  });
  if (json) {
    const plain = shown.map((each) => ({ ...each.connection, sessions: each.sessions.map(plainSection) }));
    io.out(JSON.stringify(plain, undefined, 2));
  } else if (shown.length === 0) {
    io.out('No connection is configured.');
  } else {
    const heads = ['NAME', 'STATE', 'FOR', 'PEER', 'DETAIL'];
    for (const line of table(heads, shown.flatMap(rows), io)) io.out(line);
    if (name !== undefined) for (const line of shown.flatMap((each) => why(each.connection, io))) io.out(line);
  }
  return DONE;
}

function only(name: string, all: readonly ConnectionView[]): ConnectionView {
  const { connection, children, whole } = resolve(name, all);
  if (whole) return connection;
  return { ...connection, children: connection.children.filter((child) => children.includes(child.name)) };
}

function rows({ connection, sessions }: Shown): readonly (readonly Cell[])[] {
  const best = sessions.find((session) => text(session, 'state') === 'ESTABLISHED') ?? sessions[0];
  return [
    [
      { text: connection.name },
      { text: connection.state, ...colour(connection.state) },
      { text: duration(connection.since) },
      { text: connection.remote },
      { text: isUp(connection) && best ? suite(best, `IKEv${text(best, 'version') ?? '?'}`) : sentence(connection) },
    ],
    ...connection.children.map((child): readonly Cell[] => {
      const sa = sessions.map((session) => childSa(session, child.name)).find((each) => each !== undefined);
      const age = sa && text(sa, 'install-time');
      return [
        { text: `  ${child.name}` },
        { text: child.state, ...colour(child.state) },
        { text: age === undefined ? '' : duration(Number(age)) },
        { text: '' },
        { text: isUp(child) && sa ? traffic(sa) : sentence(child) },
      ];
    }),
  ];
}

function colour(state: string): Pick<Cell, 'colour'> {
  const chosen = stateColour(state);
  return chosen === undefined ? {} : { colour: chosen };
}

function isUp({ state }: ChildView): boolean {
  return state === 'connected' || state === 'rekeying';
}

/** What a state that is as it should be needs no sentence for. */
function sentence({ reason }: ChildView): string {
  return reason.code === 'ok' ? '' : reason.text;
}

/** The newest SA that carries traffic for a child. */
function childSa(session: Section, name: string): Section | undefined {
  const own = sections(session, 'child-sas').flatMap(([, child]) => (text(child, 'name') === name ? [child] : []));
  return own.findLast((child) => text(child, 'state') === 'INSTALLED') ?? own.findLast((child) => child.has('spi-in'));
}

function traffic(sa: Section): string {
  const way = ([key, word]: readonly [string, string]) => `${bytes(Number(text(sa, key) ?? 0))} ${word}`;
  const selectors = `${(texts(sa, 'local-ts') ?? []).join(' ')} === ${(texts(sa, 'remote-ts') ?? []).join(' ')}`;
  const protocol = `${text(sa, 'protocol') ?? ''}${text(sa, 'encap') === 'yes' ? ' in UDP' : ''}`;
  return [selectors, way(['bytes-in', 'in']), way(['bytes-out', 'out']), suite(sa, protocol)].join(', ');
}

function suite(sa: Section, protocol: string): string {
  const size = text(sa, 'encr-keysize');
  const encr = text(sa, 'encr-alg');
  const names = [
    encr && size !== undefined ? `${encr}_${size}` : encr,
    text(sa, 'integ-alg'),
    text(sa, 'prf-alg'),
    text(sa, 'dh-group'),
  ];
  return `${protocol} ${names.filter((each) => each !== undefined).join('/')}`.trim();
}

function why(connection: ConnectionView, io: Io): string[] {
  const parts: readonly (readonly [string, ChildView])[] = [
    [connection.name, connection],
    ...connection.children.map((child) => [`${connection.name}/${child.name}`, child] as const),
  ];
  const told = new Set<string>();
  return parts.flatMap(([name, part]) => {
    const lines = isUp(part) || part.reason.code === 'ok' ? [] : reasonLines(part.reason);
    const key = lines.join('\n');
    // Children that wait for their connection have its reason.
    if (lines.length === 0 || told.has(key)) return [];
    told.add(key);
    return ['', `${paint(clean(name), 'bold', io.colour)}: ${lines[0]}`, ...lines.slice(1)];
  });
}
