// Refusals that only IKEv1 knows.

import type { Child, Millis, SharedKey } from '../connection.ts';
import { halfOpen } from '../farewell.ts';
import { describeIdentity, identityOfAddress, isAddress } from '../identity.ts';
import { behindNat, idPlace, secret } from '../proof.ts';
import type { Reason } from '../reason.ts';
import { silence } from '../silence.ts';
import { formatSelector } from '../ts.ts';
import { versionRefused } from '../version.ts';
import { at, ours } from '../why.ts';
import { assignment } from '../words.ts';
import { secretFor } from './phase1.ts';
import type { Session } from './session.ts';
import type { Quick } from './state.ts';
import { NOTIFY, notifyName } from './wire/constants.ts';

/** Message 5 is encrypted with keys that come from the secret: what cannot be read was made with another one. */
export function unreadable({ state, conn }: Session, candidates: readonly SharedKey[]): Reason {
  const [key, ...more] = candidates;
  const where = key?.place ?? conn.where.get('');
  const own = key
    ? `; ours is ${secret(key)}${more.length > 0 ? `, and ${more.length} others do not fit either` : ''}`
    : '; there is none here';
  return {
    code: key ? 'auth-failed' : 'no-psk',
    by: 'us',
    notify: 'PAYLOAD_MALFORMED',
    text: `message 5 of main mode from ${state.remote.ip} cannot be decrypted: most likely the pre-shared keys differ${own}`,
    remedy: `set the same pre-shared key on both sides${ours(where)}`,
    peer: state.remote,
    ...(where ? { where } : {}),
  };
}

/** The same from the other end: everything was answered until something had to be decrypted. */
export function unread({ state, conn }: Session, key: SharedKey | undefined, said: string | undefined): Reason {
  const where = key?.place ?? conn.where.get('');
  const answer = said
    ? `answered message 5 of main mode with ${said}`
    : 'answered everything but message 5 of main mode';
  return {
    code: 'auth-failed',
    by: 'peer',
    ...(said ? { notify: said } : {}),
    text: `the peer ${answer}, the first encrypted one: most likely the pre-shared keys differ${key ? `; ours is ${secret(key)}` : ''}`,
    remedy: `set the same pre-shared key on both sides${ours(where)}`,
    peer: state.remote,
    ...(where ? { where } : {}),
  };
}

/** Of main mode, what we have said last when the peer has to find its key. */
const KEYED = new Map<string, number>([
  ['main-4', 3],
  ['main-5', 4],
]);

/** Before there are keys: anybody could have said it, but this is all that a peer can say. */
export function refusedInClear(session: Session, kind: number): Reason {
  const { state, conn } = session;
  const { remote, aggressive } = state;
  const name = notifyName(kind);
  const mode = aggressive ? 'aggressive mode' : 'main mode';
  const shared = { notify: name, by: 'peer', peer: remote } as const;
  // Who began in this version himself does not refuse it.
  if (kind === NOTIFY.INVALID_MAJOR_VERSION && state.original) return versionRefused(conn, remote, name);
  const message = KEYED.get(state.awaits);
  if (kind === NOTIFY.INVALID_KEY_INFORMATION && message !== undefined) {
    const place = secretFor(session, conn)?.place ?? conn.where.get('');
    return {
      ...shared,
      code: 'no-psk',
      text: `${remote.ip} answered message ${message} of main mode with ${name}: most likely it has no pre-shared key for us`,
      remedy: `give the peer a pre-shared key for ${nameOf(session)} or for our address; ours must be the same${ours(place)}`,
      ...(place ? { where: place } : {}),
    };
  }
  const place = conn.where.get('aggressive') ?? conn.where.get('');
  if (aggressive && (kind === NOTIFY.AUTHENTICATION_FAILED || kind === NOTIFY.INVALID_ID_INFORMATION)) {
    return {
      ...shared,
      code: 'auth-failed',
      text: `${remote.ip} refused aggressive mode with ${name}: it takes main mode alone, or does not know us as ${nameOf(session)}`,
      remedy: `set \`${assignment(conn, 'aggressive', 'no')}\`${at(place)}, or have the peer take aggressive mode from ${nameOf(session)}${ours(idPlace(conn, 'local'))}`,
      ...(place ? { where: place } : {}),
    };
  }
  return {
    ...shared,
    code: 'peer-error',
    text: `${remote.ip} refused ${mode} with ${name}`,
    remedy: "look for the reason in the peer's log",
  };
}

/** The peer could read message 5, so it knows the secret, and does not want us all the same. */
export function refusedKnown(session: Session, name: string): Reason {
  const { state, conn } = session;
  const place = idPlace(conn, 'local');
  return {
    code: 'auth-failed',
    text: `${state.remote.ip} refused us after message 5 of main mode with ${name}, though the pre-shared key is the same: we are ${nameOf(session)}`,
    notify: name,
    by: 'peer',
    peer: state.remote,
    remedy: `check on the peer that it expects ${nameOf(session)}${ours(place)}, and that it takes main mode${named(session)}`,
    ...(place ? { where: place } : {}),
  };
}

/** So soon after message 6, with which we have named ourselves. */
const AT_ONCE: Millis = 2000;

/** Some peers have no word for what they dislike, and delete what has just been made. */
export function unwelcome(session: Session, now: Millis): Reason | undefined {
  const { state, conn, world } = session;
  const { original, aggressive, establishedAt = 0, remote } = state;
  // Its Delete is the first that it has said; and of two that stand, one is redundant.
  const used = state.usedIds.size > 1 || state.elders.length > 0 || world.others(session).length > 0;
  if (original || aggressive || used || now - establishedAt > AT_ONCE) return undefined;
  const place = idPlace(conn, 'local');
  return {
    code: 'auth-failed',
    text: `${remote.ip} deleted the IKE SA as soon as we had named ourselves in it: most likely it does not expect ${nameOf(session)}`,
    by: 'peer',
    peer: remote,
    remedy: `check on the peer that it expects ${nameOf(session)}${ours(place)}; its log says why it deleted the SA`,
    ...(place ? { where: place } : {}),
  };
}

function nameOf({ state, conn }: Session): string {
  return describeIdentity(state.localId ?? conn.localId ?? identityOfAddress(state.local.ip));
}

function named({ state, conn }: Session): string {
  const id = state.localId ?? conn.localId ?? identityOfAddress(state.local.ip);
  return state.natLocal && isAddress(id) ? behindNat(idPlace(conn, 'local')) : '';
}

/** What the silence of the peer may mean. */
export function unheard(session: Session, since: Millis): Reason {
  const { state, conn } = session;
  const mode = state.aggressive ? 'aggressive mode' : 'main mode';
  const message = (number: number) => `message ${number} of ${mode}`;
  switch (state.awaits) {
    case 'main-4':
      return silence(session, { what: message(3), before: message(1), since });
    case 'main-6': {
      const what = { what: message(5), before: message(3), since };
      const told = state.trouble !== undefined && state.trouble.at >= since;
      const elsewhere = state.remote.port !== conn.remotePort && state.phase1?.doubts === 0;
      return told || elsewhere ? silence(session, what) : unread(session, secretFor(session, conn), undefined);
    }
    case 'done':
      return unmet(session, since) ?? silence(session, { what: 'our question whether it is there', since });
    default:
      return silence(session, { what: message(1), since });
  }
}

/** Of aggressive mode nothing comes back: with its last message we are done, and it may have gone to another port. */
function unmet({ state, conn }: Session, since: Millis): Reason | undefined {
  const moved = state.remote.port !== conn.remotePort && state.lastIn === state.establishedAt;
  if (!state.original || !state.aggressive || !moved) return undefined;
  const asked = { what: 'what came after it', before: 'message 1 of aggressive mode', since };
  return silence({ conn, state: { ...state, phase: 'auth' } }, asked);
}

/** The peer has begun, and not gone on. */
export function abandoned(session: Session): Reason {
  const { state, world } = session;
  const mode = state.aggressive ? 'aggressive mode' : 'main mode';
  const next = state.aggressive ? 3 : state.awaits === 'main-5' ? 5 : 3;
  const floats = session.udp && next === (state.aggressive ? 3 : 5) && state.local.port !== world.natPort;
  return halfOpen(session, {
    answered: `message ${next - 2} of ${mode}`,
    next: `message ${next}`,
    port: floats ? world.natPort : undefined,
    repeated: (state.repeats ?? 0) > 1,
  });
}

/** Quick mode, begun by the peer: our answer is without its confirmation. */
export function unfinished({ state }: Session): Reason {
  return {
    code: 'half-open',
    text: 'the peer did not complete quick mode in time',
    by: 'peer',
    remedy: "the peer's log says why it stopped; or our answer is lost on the way",
    peer: state.remote,
  };
}

/** Some devices say nothing to a quick mode that they do not want. */
export function ignored(session: Session, { want, begunAt }: Quick, config: Child | undefined): Reason {
  const { state } = session;
  const elsewhere = unmet(session, begunAt);
  if (elsewhere) return elsewhere;
  const where = config?.where.get('local_ts') ?? config?.where.get('');
  const [local, remote] = [formatSelector(want.localTs), formatSelector(want.remoteTs)];
  return {
    code: 'no-answer',
    text: `${state.remote.ip} does not answer quick mode for ${local} === ${remote}`,
    remedy: `compare subnets, proposals and the PFS group with the peer's: some devices refuse without a word${at(where)}`,
    peer: state.remote,
    ...(where ? { where } : {}),
  };
}

export function nothingToOffer({ protocol, where }: Child): Reason {
  const place = where.get(`${protocol}_proposals`) ?? where.get('');
  return {
    code: 'no-child-proposal',
    text: `none of ${place?.option ?? `${protocol}_proposals`} can be written in IKEv1`,
    by: 'us',
    remedy: 'add a proposal of AES and SHA2, for example aes256-sha256',
    ...(place ? { where: place } : {}),
  };
}
