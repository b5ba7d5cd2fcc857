// ipsec.conf as connections. As strongSwan has it, each conn is a child, and those that agree in all that concerns IKE
// share one connection, named after the first of them.

import type { Child, Connection } from '../../ike/connection.ts';
import { readConnection } from '../connections.ts';
import type { Findings } from '../error.ts';
import type { Files, SourceText } from '../files.ts';
import type { Section } from '../settings.ts';
import { resolveAlso } from './also.ts';
import { checkKeywords } from './check.ts';
import type { IsOwn } from './ends.ts';
import { SPELLINGS } from './keywords.ts';
import { parseIpsecConf, type Written } from './parse.ts';
import { autoOf, translate } from './translate.ts';

export function readIpsecConf(
  sources: readonly SourceText[],
  isOwn: IsOwn,
  findings: Findings,
  files?: Files,
): readonly Connection[] {
  const before = findings.count;
  const document = parseIpsecConf(sources, SPELLINGS, findings, files);
  // What could not be read might be what is missing below.
  const readable = findings.count === before;
  checkKeywords(document, findings);
  const { sections, used } = resolveAlso(document.conns, findings);
  resolveAlso(document.cas, findings);
  if (!readable) return [];
  const around = { isOwn, setup: bare(document.setup) };
  const connections = new Map<string, Shared>();
  for (const conn of sections) {
    const auto = autoOf(conn, findings);
    if (auto === 'ignore') {
      warnOfIdle(conn, used, findings);
      continue;
    }
    const connection = readConnection(translate(conn, auto, around, findings), findings);
    const key = whatIsIke(connection);
    const first = connections.get(key);
    if (first) first.children.push(...connection.children);
    else connections.set(key, { connection, children: [...connection.children] });
  }
  return [...connections.values()].map(({ connection, children }) => ({ ...connection, children }));
}

interface Shared {
  readonly connection: Connection;
  readonly children: Child[];
}

function bare({ name, place, settings }: Written): Section {
  return { name, place, settings, sections: new Map(), references: [] };
}

/** One that others take over from need not be a connection itself. */
function warnOfIdle(conn: Section, used: ReadonlySet<string>, findings: Findings): void {
  if (conn.settings.has('auto') || used.has(conn.name)) return;
  const text = `"${conn.name}" is not loaded, because it has no "auto"; write auto=add, auto=route or auto=start`;
  findings.warn(`idle ${conn.name}`, conn.place, text);
}

/** Equal for connections that differ in names, places and children alone. */
function whatIsIke({ name: _name, where: _where, children: _children, offers, ...rest }: Connection): string {
  const all = [rest, offers.map(({ transforms }) => transforms)];
  return JSON.stringify(all, (_key, value) => (value instanceof Uint8Array ? [...value] : value));
}
