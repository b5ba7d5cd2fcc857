// Which secret is for which connection: none, or one that is everybody's.

import { compare } from '../../bytes/bytes.ts';
import { inPrefix } from '../../bytes/ip.ts';
import type { AddressPattern, Connection, SharedKey } from '../../ike/connection.ts';
import { ANY_ID, describeIdentity, formatIdentity, identityKey, sameIdentity } from '../../ike/identity.ts';
import { ID } from '../../ike/wire/constants.ts';
import type { Identity } from '../../ike/wire/payload.ts';
import { advice, type Finding, nameOfSecret, placeOf, placeOfSecret } from './finding.ts';

export function lintOwners(connections: readonly Connection[], secrets: readonly SharedKey[]): Finding[] {
  const owners = new Set(secrets.flatMap((secret) => secret.owners.map(identityKey)));
  const open = secrets.find((secret) => secret.owners.length === 0);
  const without: Finding[] = [];
  const openFor: Connection[] = [];
  for (const connection of connections) {
    const { remoteId } = connection;
    // The usual case at once: thousands of connections, each with a secret that names its peer.
    if (remoteId.kind === 'is' && owners.has(identityKey(remoteId.id))) continue;
    if (secrets.some((secret) => names(secret, connection))) continue;
    if (open) openFor.push(connection);
    else if (!secrets.some((secret) => fits(secret, connection))) without.push(noSecret(connection));
  }
  return [...without, ...(open && openFor.length > 1 ? [forEverybody(open, openFor)] : [])];
}

function noSecret(connection: Connection): Finding {
  const { name, remoteId } = connection;
  const peer = remoteId.kind === 'is' ? describeIdentity(remoteId.id) : 'its peer';
  return {
    place: placeOf(connection, 'remote.id'),
    severity: 'warning',
    code: 'no-secret',
    text: `connection ${name} has no secret: none of those that are configured is for ${peer} or for its address`,
    remedy: advice(
      connection,
      'add a section ike-NAME to secrets, with the peer as id-1 and the pre-shared key as secret',
      `add a line to ipsec.secrets: ${remoteId.kind === 'is' ? formatIdentity(remoteId.id) : '%any'} : PSK "…"`,
    ),
  };
}

function forEverybody(secret: SharedKey, connections: readonly Connection[]): Finding {
  const listed = connections.slice(0, 3).map(({ name }) => name);
  const more = connections.length > 3 ? ` and ${connections.length - 3} more` : '';
  return {
    place: placeOfSecret(secret),
    severity: 'warning',
    code: 'psk-for-anybody',
    text: `${nameOfSecret(secret)} is that of the connections ${listed.join(', ')}${more}: each of these peers can pose as any other`,
    remedy: `give each peer a secret of its own, with its identity or its address ${secret.id === undefined ? 'before the colon' : 'as id-1'}`,
  };
}

/** Whether there are addresses and names between which this secret would be used for this connection (ike/psk.ts). */
export function fits(secret: SharedKey, connection: Connection): boolean {
  const { owners } = secret;
  if (owners.length === 0 || connection.remoteId.kind === 'any' || names(secret, connection)) return true;
  // The peer is not named: then whoever is named must be us.
  const named = owners.filter((owner) => owner.type !== ANY_ID.type);
  const ours = named.filter((owner) => isOurs(owner, connection));
  if (named.length < owners.length) return named.length === 0 || ours.length > 0;
  return ours.length === named.length;
}

/** Whether the secret has the peer of this connection as an owner. */
function names({ owners }: SharedKey, { remoteId, remoteAddrs }: Connection): boolean {
  return owners.some(
    (owner) =>
      (remoteId.kind === 'is' && sameIdentity(owner, remoteId.id)) || remoteAddrs.some((some) => has(some, owner)),
  );
}

function isOurs(owner: Identity, { localId, localAddrs }: Connection): boolean {
  return (localId !== undefined && sameIdentity(owner, localId)) || localAddrs.some((pattern) => has(pattern, owner));
}

function has(pattern: AddressPattern, { type, data }: Identity): boolean {
  if (type !== ID.IPV4_ADDR && type !== ID.IPV6_ADDR) return false;
  switch (pattern.kind) {
    case 'any':
    // Its addresses are known to nobody before it is looked up: an owner may be one of them.
    case 'name':
      return true;
    case 'prefix':
      return inPrefix(pattern.prefix, data);
    case 'range':
      return (
        pattern.start.length === data.length && compare(pattern.start, data) <= 0 && compare(data, pattern.end) <= 0
      );
  }
}
