// The two sides speak different versions of IKE: RFC 7296 §2.5.

import type { SocketAddress } from '../bytes/ip.ts';
import type { Connection } from './connection.ts';
import { offeringConnections } from './match.ts';
import type { Reason } from './reason.ts';
import { at } from './why.ts';

/** The connection that a peer may have meant that spoke the other version, and what is to be said of it. */
export function otherVersion(
  connections: readonly Connection[],
  local: string,
  peer: SocketAddress,
  spoken: 1 | 2,
): { readonly conn: string; readonly reason: Reason } | undefined {
  const wanted = spoken === 1 ? 2 : 1;
  const [conn] = offeringConnections(connections, local, peer.ip, wanted);
  if (!conn) return undefined;
  const where = conn.where.get('version') ?? conn.where.get('');
  return {
    conn: conn.name,
    reason: {
      code: 'wrong-version',
      text: `${peer.ip} speaks IKEv${spoken}, and connection ${conn.name} is for IKEv${wanted} alone`,
      by: 'us',
      want: [`IKEv${wanted}`],
      got: [`IKEv${spoken}`],
      remedy: `set \`${written(conn, spoken)}\`${at(where)} (${where?.option === undefined ? '0' : 'ike'} takes both), or switch the peer to IKEv${wanted}`,
      peer,
      ...(where ? { where } : {}),
    },
  };
}

/** ipsec.conf names the version in words. */
function written({ where }: Connection, version: 1 | 2): string {
  const word = where.get('version')?.option;
  return word === undefined ? `version = ${version}` : `${word}=ikev${version}`;
}

/** The peer has answered our first message with INVALID_MAJOR_VERSION. */
export function versionRefused(conn: Connection, peer: SocketAddress, notify: string): Reason {
  const { where, version } = conn;
  const begun = version === 1 ? 1 : 2;
  const place = where.get('version') ?? where.get('');
  return {
    code: 'wrong-version',
    text: `${peer.ip} does not speak IKEv${begun}, with which we began`,
    notify,
    by: 'peer',
    want: [`IKEv${begun}`],
    remedy: `set \`${written(conn, begun === 1 ? 2 : 1)}\`${at(place)}, or switch the peer to IKEv${begun}`,
    peer,
    ...(place ? { where: place } : {}),
  };
}
