// Refusals that only IKEv1 knows.

import type { Child, SharedKey } from '../connection.ts';
import type { Reason } from '../reason.ts';
import { formatSelector } from '../ts.ts';
import { at, secret } from '../why.ts';
import type { Session } from './session.ts';
import type { Quick } from './state.ts';

/** Message 5 is encrypted with keys that come from the secret: what cannot be read was made with another one. */
export function unreadable({ state, conn }: Session, candidates: readonly SharedKey[]): Reason {
  const [key, ...more] = candidates;
  const where = key?.place ?? conn.where.get('');
  const ours = key
    ? `; ours is ${secret(key)}${more.length > 0 ? `, and ${more.length} others do not fit either` : ''}`
    : '; there is none here';
  return {
    code: key ? 'auth-failed' : 'no-psk',
    by: 'us',
    notify: 'PAYLOAD_MALFORMED',
    text: `message 5 of main mode from ${state.remote.ip} cannot be decrypted: most likely the pre-shared keys differ${ours}`,
    remedy: `set the same pre-shared key on both sides${at(where)}`,
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
    remedy: `set the same pre-shared key on both sides${at(where)}`,
    peer: state.remote,
    ...(where ? { where } : {}),
  };
}

/** Some devices say nothing to a quick mode that they do not want. */
export function ignored({ state }: Session, { want }: Quick, config: Child | undefined): Reason {
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
