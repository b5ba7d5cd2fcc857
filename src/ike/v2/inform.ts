// INFORMATIONAL: Delete, liveness, and notifies: RFC 7296 §1.4, §2.4, §2.25.

import type { SocketAddress } from '../../bytes/ip.ts';
import type { Millis } from '../connection.ts';
import type { Reason } from '../reason.ts';
import { EXCHANGE, NOTIFY, notifyName, PROTOCOL } from '../wire/constants.ts';
import type { Payload } from '../wire/payload.ts';
import { drop, findChild, retire, spiBytes, spiNumber } from './children.ts';
import { errorNotify, has } from './payloads.ts';
import { adoptRival } from './rekey.ts';
import type { Session } from './session.ts';
import type { ChildState, Task } from './state.ts';
import { request, respond } from './window.ts';

type DeleteTask = Extract<Task, { kind: 'delete-child' }>;

export function sendDeleteChildren(session: Session, now: Millis, task: DeleteTask): void {
  const leaving = task.children
    .map((id) => findChild(session, id))
    .filter((child): child is ChildState => !!child && child.stage !== 'lingering');
  for (const child of leaving) child.stage = 'deleting';
  const spis = [...leaving.map((child) => child.spiIn), ...(task.spis ?? [])].map(spiBytes);
  if (spis.length === 0) return session.finish(now);
  request(session, now, EXCHANGE.INFORMATIONAL, [{ tag: 'D', protocol: PROTOCOL.ESP, spis }]);
}

/** The peer has confirmed: ours go too, whatever the answer says of its own. */
export function processDelete(session: Session, now: Millis, task: DeleteTask): void {
  for (const id of task.children) {
    const child = findChild(session, id);
    if (child) drop(session, now, child, { code: 'requested', text: 'closed by us', by: 'us' });
  }
  for (const spi of task.spis ?? []) session.world.freeSpi(spi);
}

export function informAnswer(session: Session, now: Millis, payloads: readonly Payload[], from: SocketAddress): void {
  const error = errorNotify(payloads);
  const ends = payloads.some((payload) => payload.tag === 'D' && payload.protocol === PROTOCOL.IKE);
  if (ends || error?.kind === NOTIFY.AUTHENTICATION_FAILED) {
    respond(session, EXCHANGE.INFORMATIONAL, [], from);
    return deleted(session, now, error?.kind);
  }
  const gone: ChildState[] = [];
  for (const payload of payloads) {
    if (payload.tag !== 'D' || payload.protocol !== PROTOCOL.ESP) continue;
    for (const spi of payload.spis) {
      const child = named(session, spiNumber(spi));
      if (child && !gone.includes(child)) gone.push(child);
    }
  }
  // RFC 7296 §2.25.1: a child that we are closing ourselves is not named in the answer.
  const spis = gone.filter((child) => child.stage !== 'deleting').map((child) => spiBytes(child.spiIn));
  respond(session, EXCHANGE.INFORMATIONAL, spis.length > 0 ? [{ tag: 'D', protocol: PROTOCOL.ESP, spis }] : [], from);
  for (const child of gone) leave(session, now, child);
  if (has(payloads, NOTIFY.INITIAL_CONTACT)) session.world.count('late-initial-contact');
  session.advance(now);
}

/** The children that a payload of a request is about, by the SPIs that we send to. */
export function namedSpis(payload: Payload): number[] {
  if (payload.tag === 'D' && payload.protocol === PROTOCOL.ESP) return payload.spis.map(spiNumber);
  const rekey = payload.tag === 'N' && payload.kind === NOTIFY.REKEY_SA && payload.protocol === PROTOCOL.ESP;
  return rekey ? [spiNumber(payload.spi)] : [];
}

function named(session: Session, spiOut: number): ChildState | undefined {
  return session.state.children.find((child) => child.spiOut === spiOut && child.stage !== 'lingering');
}

/** The peer has stopped sending on this child. What it put in its place takes over now. */
function leave(session: Session, now: Millis, child: ChildState): void {
  const { task } = session.state;
  if (task?.kind === 'create' && task.rival !== undefined) {
    if (task.rekeys === child.id) child.successor = task.rival;
    // Ours stays, although its answer has not come yet. Where the old one is closed already, theirs serves, and this is
    // its end.
    const old = task.rekeys === undefined ? undefined : findChild(session, task.rekeys);
    const redundant = task.rival === child.id && child.successor === undefined && old?.stage === 'rekeying';
    if (redundant) retire(child, old.id);
  }
  const reason: Reason = { code: 'peer-deleted', text: 'closed by the peer', by: 'peer' };
  drop(session, now, child, reason);
}

function deleted(session: Session, now: Millis, kind: number | undefined): void {
  // The peer has finished its rekeying while ours was under way: ours is forgotten (RFC 7296 §2.25.2).
  adoptRival(session, now);
  const reason: Reason =
    kind === undefined
      ? { code: 'peer-deleted', text: 'closed by the peer', by: 'peer' }
      : {
          code: 'auth-failed',
          text: `the peer gave the session up with ${notifyName(kind)}`,
          notify: notifyName(kind),
          by: 'peer',
          remedy: 'the peer could not verify our AUTH: compare the pre-shared key and the identities on both sides',
        };
  session.over(now, reason);
}
