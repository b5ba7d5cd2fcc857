// Explains why two do not believe each other: who they say they are, whom they expect, and how they prove it. No secret is
// ever part of a text.

import type { SocketAddress } from '../bytes/ip.ts';
import type { IdentityPattern, Place, SharedKey } from './connection.ts';
import { describeIdentity, formatIdentity, isAddress } from './identity.ts';
import type { Reason } from './reason.ts';
import { at, ours } from './why.ts';
import type { Identity } from './wire/payload.ts';

export interface AuthFailure {
  /**
   * `auth-failed` by the peer: it answered AUTHENTICATION_FAILED; by us: its AUTH is not what our secret gives.
   * `unknown-id`: it is not whom the connection expects. `no-psk`: no secret is for this pair.
   */
  readonly kind: 'auth-failed' | 'unknown-id' | 'no-psk';
  readonly by: 'us' | 'peer';
  readonly localId?: Identity | undefined;
  /** What the peer calls itself, or, before it did, what we called it. */
  readonly remoteId?: Identity | undefined;
  /** Whom the connection expects. */
  readonly expected?: IdentityPattern | undefined;
  /** Whom the peer asks for, where that is not us. */
  readonly wanted?: Identity | undefined;
  readonly key?: SharedKey | undefined;
  /** The connection, for the places of its two ids. */
  readonly config?: { readonly where: ReadonlyMap<string, Place> } | undefined;
  /** Who is behind a NAT: what it takes for its address is not what the other one sees. */
  readonly natted?: { readonly local: boolean; readonly remote: boolean } | undefined;
  readonly peer?: SocketAddress | undefined;
}

/** The operator's view of AUTHENTICATION_FAILED; the peer is told nothing beyond the notify. */
export function reasonAuth(failure: AuthFailure): Reason {
  const { kind, by, localId, remoteId, expected, key, config, natted, wanted, peer } = failure;
  const us = localId ? describeIdentity(localId) : 'our address';
  const them = remoteId ? describeIdentity(remoteId) : 'a peer without a name';
  const [local, remote] = [idPlace(config, 'local'), idPlace(config, 'remote')];
  const place = kind === 'unknown-id' ? (wanted ? local : remote) : (key?.place ?? remote);
  const shared = {
    code: kind,
    notify: 'AUTHENTICATION_FAILED',
    by,
    ...(place ? { where: place } : {}),
    ...(peer ? { peer } : {}),
  };
  switch (kind) {
    case 'auth-failed': {
      if (by === 'us') {
        return {
          ...shared,
          text: `the authentication of ${them} is wrong: the pre-shared keys differ${key ? `; ours is ${secret(key)}` : ''}`,
          remedy: `set the same pre-shared key on both sides${ours(key?.place)}`,
        };
      }
      const spot = (role: string, of: Place | undefined) => (of ? ` (${role} ${spotted(of, place)})` : '');
      return {
        ...shared,
        text: `the peer refused our authentication: we are ${us}${remoteId ? `, look for ${them}` : ''}${key ? `, with ${secret(key)}` : ''}`,
        remedy: `check on the peer that it expects ${us}${spot('our name is in', local)}, ${remoteId ? `calls itself ${them}${spot('expected in', remote)}, ` : ''}and holds the same pre-shared key${spot('ours is in', key?.place)}; its log says which of them it was${natted?.local && localId && isAddress(localId) ? behindNat(local) : ''}`,
      };
    }
    case 'unknown-id': {
      if (wanted) return { ...shared, ...askedFor(wanted, us, them, local) };
      const name = expected?.kind === 'is' ? describeIdentity(expected.id) : undefined;
      const nat = natted?.remote && remoteId && isAddress(remoteId) ? ', the address that it has behind its NAT' : '';
      return {
        ...shared,
        ...(name === undefined ? {} : { want: [name] }),
        got: [them],
        text: `the peer calls itself ${them}${nat}${name === undefined ? '; no connection here expects that' : `; we expect ${name}`}`,
        remedy: `set ${idOption('remote', remote)}${at(remote)} to ${remoteId ? formatIdentity(remoteId) : 'what the peer sends'}, or have the peer call itself ${expected?.kind === 'is' ? formatIdentity(expected.id) : 'otherwise'}`,
      };
    }
    case 'no-psk':
      return {
        ...shared,
        text: `no pre-shared key is for ${us} and ${them}`,
        remedy: `check both ids for typing errors, or add a secret ${owners(localId, remoteId, remote)}`,
      };
  }
}

/** A remedy goes on with it. */
export function behindNat(where: Place | undefined): string {
  return `. Behind a NAT our own address is not the one that the peer sees: set ${idOption('local', where)} to what it expects`;
}

/** As short as it can be beside another place. */
function spotted({ file, line }: Place, beside: Place | undefined): string {
  return file === beside?.file ? `line ${line}` : `${file}:${line}`;
}

export function idPlace(config: AuthFailure['config'], side: 'local' | 'remote'): Place | undefined {
  return config?.where.get(`${side}.id`) ?? config?.where.get(side) ?? config?.where.get('');
}

function askedFor(wanted: Identity, us: string, them: string, where: Place | undefined) {
  return {
    want: [us],
    got: [describeIdentity(wanted)],
    text: `the peer ${them} asks for ${describeIdentity(wanted)}; we are ${us}`,
    remedy: `set ${idOption('local', where)}${at(where)} to ${formatIdentity(wanted)}, or change whom the peer expects`,
  };
}

function idOption(side: 'local' | 'remote', where: Place | undefined): string {
  return where?.option === undefined ? `the ${side} \`id\`` : `\`${where.option}\``;
}

/** A new secret's, in the language that the connection is written in. */
function owners(localId: Identity | undefined, remoteId: Identity | undefined, where: Place | undefined): string {
  const us = localId ? formatIdentity(localId) : 'our address';
  const them = remoteId ? formatIdentity(remoteId) : "the peer's identity";
  return where?.option === undefined ? `with id-1 = ${us} and id-2 = ${them}` : `for it: ${us} ${them} : PSK …`;
}

/** Which secret it was, by its owners. */
export function secret({ owners }: SharedKey): string {
  return `the secret ${owners.length > 0 ? `for ${owners.map(formatIdentity).join(', ')}` : 'for anybody'}`;
}
