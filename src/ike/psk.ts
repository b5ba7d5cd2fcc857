// Which pre-shared key belongs to a pair of peers (RFC 7296 §2.15). A secret's owners bind it: where they name
// identities, it is used between those and no others.

import type { Ip } from '../bytes/ip.ts';
import type { SharedKey } from './connection.ts';
import { ANY_ID, identityOfAddress, sameIdentity } from './identity.ts';
import type { Identity } from './wire/payload.ts';

export interface KeyQuery {
  readonly localId?: Identity | undefined;
  /** Undefined while the peer has not named itself and the configuration takes any name. */
  readonly remoteId?: Identity | undefined;
  readonly localIp: Ip;
  readonly remoteIp: Ip;
}

/** How an owner came to match, from weakest to strongest. The remote side weighs more than all of the local side. */
const REMOTE = { everybody: 0, localOnly: 1, any: 2, unnamed: 3, address: 4, id: 5 } as const;
const LOCAL = { unmatched: 0, any: 1, address: 2, id: 3 } as const;

/** The best key, the first of equals; undefined when every key is for somebody else. */
export function findSharedKey(keys: readonly SharedKey[], query: KeyQuery): SharedKey | undefined {
  const sides = {
    local: query.localId,
    localAddress: identityOfAddress(query.localIp),
    remote: query.remoteId,
    remoteAddress: identityOfAddress(query.remoteIp),
  };
  let best: SharedKey | undefined;
  let bestScore = -1;
  for (const key of keys) {
    const score = scoreOf(key.owners, sides);
    if (score !== undefined && score > bestScore) {
      best = key;
      bestScore = score;
    }
  }
  return best;
}

interface Sides {
  readonly local: Identity | undefined;
  readonly localAddress: Identity;
  readonly remote: Identity | undefined;
  readonly remoteAddress: Identity;
}

function scoreOf(owners: readonly Identity[], sides: Sides): number | undefined {
  if (owners.length === 0) return score(REMOTE.everybody, LOCAL.unmatched);
  const has = (id: Identity | undefined) => id !== undefined && owners.some((owner) => sameIdentity(owner, id));
  const any = owners.some(isAny);
  const local = has(sides.local)
    ? LOCAL.id
    : has(sides.localAddress)
      ? LOCAL.address
      : any
        ? LOCAL.any
        : LOCAL.unmatched;

  if (has(sides.remote)) return score(REMOTE.id, local);
  if (has(sides.remoteAddress)) return score(REMOTE.address, local);

  // From here on the remote peer is not named: then whoever is named must be us.
  const others = owners.filter((owner) => !isAny(owner) && !isLocal(owner, sides));
  const named = local >= LOCAL.address;
  if (any) return named || others.length === 0 ? score(REMOTE.any, local) : undefined;
  if (!named) return undefined;
  if (others.length === 0) return score(REMOTE.localOnly, local);
  return sides.remote === undefined ? score(REMOTE.unnamed, local) : undefined;
}

function isLocal(owner: Identity, { local, localAddress }: Sides): boolean {
  return (local !== undefined && sameIdentity(owner, local)) || sameIdentity(owner, localAddress);
}

function isAny(owner: Identity): boolean {
  return owner.type === ANY_ID.type;
}

function score(remote: number, local: number): number {
  return remote * 4 + local;
}
