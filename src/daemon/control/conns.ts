// `list-conns`: each connection as it is configured, by charon's keys and in its order (compared with charon 5.9.8).

import { formatIp, formatPrefix } from '../../bytes/ip.ts';
import type { AddressPattern, Child, Connection } from '../../ike/connection.ts';
import { formatIdentity } from '../../ike/identity.ts';
import { formatSource } from '../../ike/ts.ts';
import type { Gateway } from '../status.ts';
import type { Command } from './channel.ts';
import { refusal, wrong } from './reply.ts';
import { type Entry, printable, section, text } from './section.ts';
import type { Section } from './vici.ts';

export function listConns(gateway: Gateway): Command {
  return async (call) => {
    const why = wrong(call);
    if (why !== undefined) return refusal(why);
    const ike = text(call.message, 'ike');
    if (!call.wants('list-conn')) return new Map();
    for (const { conn } of gateway.configured()) {
      if (ike === undefined || ike === conn.name) await call.stream('list-conn', connSection(conn));
    }
    return new Map();
  };
}

const VERSIONS: Record<Connection['version'], string> = { 0: 'IKEv1/2', 1: 'IKEv1', 2: 'IKEv2' };

function connSection(conn: Connection): Section {
  return section([
    conn.name,
    section(
      ['local_addrs', conn.localAddrs.map(formatPattern)],
      ['remote_addrs', conn.remoteAddrs.map(formatPattern)],
      ['version', VERSIONS[conn.version]],
      ['reauth_time', seconds(conn.reauthTime)],
      ['rekey_time', seconds(conn.rekeyTime)],
      ['unique', `UNIQUE_${conn.unique.toUpperCase()}`],
      ['dpd_delay', seconds(conn.dpdDelay) || undefined],
      ['dpd_timeout', seconds(conn.dpdTimeout) || undefined],
      // charon's `stroke` shows it, and its vici does not; `espalier statusall` is made from here.
      ['aggressive', conn.aggressive],
      ['local-1', authSection(conn.localId && formatIdentity(conn.localId))],
      ['remote-1', authSection(remoteId(conn))],
      ['children', section(...conn.children.map((child): Entry => [child.name, childSection(child)]))],
    ),
  ]);
}

function remoteId({ remoteId, where }: Connection): string | undefined {
  if (remoteId.kind === 'is') return formatIdentity(remoteId.id);
  return where.has('remote.id') ? '%any' : undefined;
}

function authSection(id: string | undefined): Section {
  return section(
    ['id', id && printable(id)],
    ['class', 'pre-shared key'],
    ['groups', []],
    ['cert_policy', []],
    ['certs', []],
    ['cacerts', []],
  );
}

const ACTIONS = { none: 'none', clear: 'none', trap: 'trap', start: 'start', restart: 'start' } as const;

function childSection(child: Child): Section {
  return section(
    ['mode', child.mode.toUpperCase()],
    ['rekey_time', seconds(child.lifetime.rekeyTime)],
    ['rekey_bytes', child.lifetime.rekeyBytes],
    ['rekey_packets', child.lifetime.rekeyPackets],
    ['dpd_action', ACTIONS[child.dpdAction]],
    ['close_action', ACTIONS[child.closeAction]],
    ['local-ts', child.localTs.map(formatSource)],
    ['remote-ts', child.remoteTs.map(formatSource)],
  );
}

/** A part of a second is one: zero would say that there is no such limit. */
function seconds(millis: number): number {
  return Math.ceil(millis / 1000);
}

function formatPattern(pattern: AddressPattern): string {
  switch (pattern.kind) {
    case 'any':
      return '%any';
    case 'name':
      return pattern.name;
    case 'range':
      return `${formatIp(pattern.start)}-${formatIp(pattern.end)}`;
    case 'prefix': {
      const { address, length } = pattern.prefix;
      return length === address.length * 8 ? formatIp(address) : formatPrefix(pattern.prefix);
    }
  }
}
