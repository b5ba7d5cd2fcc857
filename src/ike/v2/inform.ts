// INFORMATIONAL: Delete, liveness, and notifies: RFC 7296 §1.4, §2.4, §2.25.

import { uint32 } from '../../bytes/bytes.ts';
import type { SocketAddress } from '../../bytes/ip.ts';
import { childConfig, findChild, retire } from '../children.ts';
import type { Millis } from '../connection.ts';
import { closedByPeer } from '../farewell.ts';
import type { ChildState } from '../state.ts';
import { EXCHANGE, NOTIFY, notifyName, PROTOCOL, protocolId } from '../wire/constants.ts';
import type { Payload } from '../wire/payload.ts';
import { refusedByPeer } from './auth.ts';
import { drop } from './children.ts';
import { isNamed, namedSas } from './named.ts';
import { errorNotify, has } from './payloads.ts';
import { adoptRival } from './rekey.ts';
import type { Session } from './session.ts';
import type { OwnSpi, Task } from './state.ts';
import { request, respond } from './window.ts';

type DeleteTask = Extract<Task, { kind: 'delete-child' }>;

export function sendDeleteChildren(session: Session, now: Millis, task: DeleteTask): void {
  const leaving = task.children
    .map((id) => findChild(session, id))
    .filter((child): child is ChildState => !!child && child.stage !== 'lingering');
  for (const child of leaving) child.stage = 'deleting';
  const ours = leaving.map(({ protocol, spiIn }) => ({ protocol, spi: spiIn }));
  const payloads = deletes([...ours, ...(task.unmade ?? [])]);
  if (payloads.length === 0) return session.finish(now);
  request(session, now, EXCHANGE.INFORMATIONAL, payloads);
}

/** RFC 7296 §3.11: a payload names SAs of one protocol. */
function deletes(own: readonly OwnSpi[]): Payload[] {
  return (['esp', 'ah'] as const).flatMap((name) => {
    const spis = own.filter(({ protocol }) => protocol === name).map(({ spi }) => uint32(spi));
    return spis.length === 0 ? [] : [{ tag: 'D', protocol: protocolId(name), spis } as const];
  });
}

/** The peer has confirmed: ours go too, whatever the answer says of its own. */
export function processDelete(session: Session, now: Millis, task: DeleteTask): void {
  for (const id of task.children) {
    const child = findChild(session, id);
    if (child) drop(session, now, child, { code: 'requested', text: 'closed by us', by: 'us' });
  }
  for (const { spi } of task.unmade ?? []) session.world.freeSpi(spi);
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
    if (payload.tag !== 'D') continue;
    for (const name of namedSas(payload)) {
      const child = session.state.children.find((one) => one.stage !== 'lingering' && isNamed(one, name));
      if (child && !gone.includes(child)) gone.push(child);
    }
  }
  // RFC 7296 §2.25.1: a child that we are closing ourselves is not named in the answer.
  const ours = gone.filter((child) => child.stage !== 'deleting');
  const answer = deletes(ours.map(({ protocol, spiIn }) => ({ protocol, spi: spiIn })));
  respond(session, EXCHANGE.INFORMATIONAL, answer, from);
  for (const child of gone) leave(session, now, child);
  if (has(payloads, NOTIFY.INITIAL_CONTACT)) session.world.count('late-initial-contact');
  session.advance(now);
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
  drop(session, now, child, closedByPeer(session, childConfig(session, child.name)));
}

function deleted(session: Session, now: Millis, kind: number | undefined): void {
  // The peer has finished its rekeying while ours was under way: ours is forgotten (RFC 7296 §2.25.2).
  adoptRival(session, now);
  if (kind === NOTIFY.AUTHENTICATION_FAILED) return session.over(now, refusedByPeer(session));
  const closed = closedByPeer(session);
  const name = kind === undefined ? undefined : notifyName(kind);
  session.over(now, name === undefined ? closed : { ...closed, text: `${closed.text} with ${name}`, notify: name });
}
