// Which pre-shared key belongs to a pair of peers (RFC 7296 §2.15). A secret's owners bind it: where they name
// identities, it is used between those and no others.

import type { Ip } from '../bytes/ip.ts';
import type { SharedKey } from './connection.ts';
import { ANY_ID, identityKey, identityOfAddress, sameIdentity } from './identity.ts';
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
  const ours = keysOf(keys, sides.local);
  const theirs = keysOf(keys, sides.remote);
  // Nothing beats a key that names both. One that names the peer beats all that do not, by identity before address.
  const both = ours && theirs && inBoth(ours, theirs);
  if (both) return both;
  const named = theirs ?? keysOf(keys, sides.remoteAddress) ?? keys;
  let best: SharedKey | undefined;
  let bestScore = -1;
  for (const key of named) {
    const score = scoreOf(key.owners, sides);
    if (score !== undefined && score > bestScore) {
      best = key;
      bestScore = score;
    }
  }
  return best;
}

type Keys = ReadonlySet<SharedKey>;

/** By owner, because gateways have thousands. Frozen lists alone: a key that was taken away must not live on here. */
const indexes = new WeakMap<readonly SharedKey[], ReadonlyMap<string, Keys>>();

function keysOf(keys: readonly SharedKey[], owner: Identity | undefined): Keys | undefined {
  const text = owner && identityKey(owner);
  if (text === undefined || !Object.isFrozen(keys)) return undefined;
  const index = indexes.get(keys) ?? indexByOwner(keys);
  indexes.set(keys, index);
  return index.get(text);
}

function indexByOwner(keys: readonly SharedKey[]): ReadonlyMap<string, Keys> {
  const index = new Map<string, Set<SharedKey>>();
  for (const key of keys) {
    for (const owner of key.owners) {
      const text = identityKey(owner);
      if (text === undefined) continue;
      const owned = index.get(text) ?? new Set();
      index.set(text, owned.add(key));
    }
  }
  return index;
}

/** The first that is in both: a set keeps the order of the file. */
function inBoth(a: Keys, b: Keys): SharedKey | undefined {
  const [fewer, more] = a.size < b.size ? [a, b] : [b, a];
  for (const key of fewer) if (more.has(key)) return key;
  return undefined;
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
