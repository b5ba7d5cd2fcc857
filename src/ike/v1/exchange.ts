// What quick modes have in common, whoever begins them: the hash in front, the IV of the next message, and the child that
// is made, which serves only when both sides have it.

import { uint32 } from '../../bytes/bytes.ts';
import { findChild, installSa } from '../children.ts';
import type { Child, Lifetime, Millis } from '../connection.ts';
import type { Reason } from '../reason.ts';
import type { ChildState } from '../state.ts';
import { protocolId } from '../wire/constants.ts';
import { current, deleteAllOf, supersede } from './children.ts';
import { exchangeIv, messageHash, quickKeys } from './keymat.ts';
import { agreedLifetime } from './lifetime.ts';
import { keysOf, suiteOf } from './phase1.ts';
import { sealed, send } from './send.ts';
import type { Session } from './session.ts';
import type { Quick } from './state.ts';
import { elders, heir } from './unique.ts';
import { EXCHANGE } from './wire/constants.ts';
import { encodeChain } from './wire/message.ts';
import type { Payload } from './wire/payload.ts';

/** A finished quick mode still answers a repeated message for this long; an unfinished one is given up. */
export const KEEP: Millis = 60_000;

// --- messages ----------------------------------------------------------------------------------------------------------

export function firstIvOf(session: Session, id: number): Uint8Array {
  const { iv } = session.state;
  if (!iv) throw new Error('quick mode before phase 1');
  return exchangeIv(suiteOf(session), iv, uint32(id));
}

/** `seed` is what the hash covers beside the message id and the payloads: nonces, in the answers. */
export function sendHashed(
  session: Session,
  now: Millis,
  quick: Quick,
  seed: readonly Uint8Array[],
  payloads: readonly Payload[],
  repeat: boolean,
): void {
  const hash = hashOf(session, quick.id, seed, payloads);
  const { bytes, iv } = sealed(session, { exchange: EXCHANGE.QUICK_MODE, messageId: quick.id }, quick.iv, [
    { tag: 'HASH', data: hash },
    ...payloads,
  ]);
  quick.iv = iv;
  quick.sent = send(session, now, bytes, repeat);
}

function hashOf(session: Session, id: number, seed: readonly Uint8Array[], payloads: readonly Payload[]): Uint8Array {
  const { bytes } = encodeChain(payloads);
  return messageHash(suiteOf(session), keysOf(session), uint32(id), ...seed, bytes);
}

// --- the child ---------------------------------------------------------------------------------------------------------

export function beforeOf(session: Session, name: string): { readonly before?: number } {
  const old = current(heir(session), name);
  return old ? { before: old.id } : {};
}

/** What it has made serves from now on. */
export function complete(session: Session, now: Millis, quick: Quick): void {
  const owner = heir(session);
  const child = quick.child === undefined ? undefined : findChild(owner, quick.child);
  quick.awaits = 'done';
  quick.endAt = now + KEEP;
  if (child) supersede(owner, now, child);
  else spare(owner, quick);
  const reason: Reason = { code: 'requested', text: 'closed by us', by: 'us' };
  if (child && quick.unwanted) deleteAllOf(owner, now, child, reason);
}

/** The peer has deleted the new child before it served: what it was to replace goes on. */
function spare(owner: Session, { want }: Quick): void {
  const old = want.rekeys === undefined ? undefined : findChild(owner, want.rekeys);
  if (old?.stage === 'rekeying') old.stage = 'installed';
}

/** Both directions at once; outbound waits for `activate` where the peer has not confirmed yet. */
export function installQuick(
  session: Session,
  now: Millis,
  quick: Quick,
  config: Child,
  shared: Uint8Array | undefined,
  ours: boolean,
): ChildState {
  const { suite, spi, life } = quick.answer ?? {};
  if (!suite || spi === undefined || !life) throw new Error('nothing was agreed on');
  const { nonceI, nonceR, mode, want } = quick;
  const ike = { suite: suiteOf(session), keys: keysOf(session) };
  const protocol = protocolId(quick.protocol);
  const keys = (receiver: number) =>
    quickKeys(ike, suite, { protocol, nonceI, nonceR, shared }, uint32(receiver), config.shortSha256);
  const owner = heir(session);
  const made = {
    name: want.child,
    protocol: quick.protocol,
    mode,
    suite,
    spiIn: quick.spi,
    spiOut: spi,
    localTs: [want.localTs],
    remoteTs: [want.remoteTs],
    nonceI,
    nonceR,
    ours,
    active: false,
  };
  const lifetime: Lifetime = agreedLifetime(config.lifetime, life);
  const child = installSa(owner, now, made, { inbound: keys(quick.spi), outbound: keys(spi) }, config, lifetime);
  quick.child = child.id;
  if (quick.before !== undefined) child.after = quick.before;
  return child;
}

/** A quick mode that has made its child, and which it does not serve yet; here, or where this SA took over from. */
export function waiting(
  session: Session,
  fits: (quick: Quick) => boolean,
): { readonly session: Session; readonly quick: Quick } | undefined {
  for (const one of [session, ...elders(session)]) {
    const quick = one.state.quicks.find(
      (each) => (each.awaits === 'quick-3' || each.awaits === 'switch') && fits(each),
    );
    if (quick) return { session: one, quick };
  }
  return undefined;
}

/** False while only we know of it. */
export function completed(session: Session, child: ChildState): boolean {
  return waiting(session, ({ child: made }) => made === child.id) === undefined;
}
