// A quick mode that came to nothing: what is taken back, who hears of it, and what is tried instead.

import { childConfig, childFailed, findChild } from '../children.ts';
import type { Child, Millis } from '../connection.ts';
import type { Reason } from '../reason.ts';
import { reasonNoProposal, reasonTs } from '../why.ts';
import { protocolId } from '../wire/constants.ts';
import { deleteChild, rekeyChild } from './children.ts';
import { quickGroups } from './quickproposal.ts';
import type { Session } from './session.ts';
import { outstanding, type Quick } from './state.ts';
import { heir } from './unique.ts';
import { NOTIFY } from './wire/constants.ts';

/** Before a renewal that was refused is tried again. */
const RETRY: Millis = 10_000;

export function quickFailed(session: Session, now: Millis, quick: Quick, reason: Reason): void {
  const { state, world } = session;
  const { want, awaits, child } = quick;
  const owner = heir(session);
  const made = child === undefined ? undefined : findChild(owner, child);
  // Before it is taken out: a child that nobody has confirmed ends as such. The peer may have all of it, and only we its
  // last message not.
  if (made && awaits !== 'done') deleteChild(owner, now, made, reason);
  state.quicks = state.quicks.filter((other) => other !== quick);
  quick.pair?.secret.fill(0);
  if (awaits === 'done') return;
  if (!made) world.freeSpi(quick.spi);
  const old = want.rekeys === undefined ? undefined : findChild(owner, want.rekeys);
  if (old?.stage === 'rekeying') {
    old.stage = 'installed';
    old.failures++;
    old.rekeyAt = now + RETRY * Math.min(6, old.failures);
    if (quick.ours && state.phase !== 'closed') {
      session.note(reason, { child: want.child, renews: true });
    }
  } else if (quick.ours) childFailed(session, want, reason);
  owner.advance(now);
}

/** Another one takes its place. */
export function forget({ state, world }: Session, quick: Quick): void {
  state.quicks = state.quicks.filter((other) => other !== quick);
  quick.pair?.secret.fill(0);
  world.freeSpi(quick.spi);
}

/** The peer refuses a quick mode of ours: the one that it names, or else the oldest. */
export function quickRefused(session: Session, now: Millis, kind: number, name: string, spi: number | undefined): void {
  const answered = session.state.quicks.find((one) => one.awaits === 'quick-3' && one.answer?.spi === spi);
  if (answered) return quickFailed(session, now, answered, refusal(session, kind, name, answered, undefined));
  const waiting = outstanding(session.state).filter(({ awaits }) => awaits === 'quick-2');
  const named = waiting.find((one) => one.spi === spi);
  if (kind === NOTIFY.INVALID_SPI && !named) return lost(session, now, spi);
  const quick = named ?? waiting[0];
  if (!quick) return session.world.count('unexpected-notify');
  const config = childConfig(session, quick.want.child);
  const refused = [...(quick.want.refused ?? []), quick.group];
  const left = quickGroups(config?.offers ?? []).filter((id) => !refused.includes(id));
  if (kind === NOTIFY.NO_PROPOSAL_CHOSEN && left.length > 0) {
    // Where the IKE SA was replaced meanwhile, on the one that serves now.
    const owner = heir(session);
    owner.state.queue.unshift({ ...quick.want, refused });
    forget(session, quick);
    return owner.advance(now);
  }
  quickFailed(session, now, quick, refusal(session, kind, name, quick, config));
}

/** The peer has no SA any more for what we send to it. */
function lost(session: Session, now: Millis, spi: number | undefined): void {
  const owner = heir(session);
  const child = owner.state.children.find(({ spiOut }) => spiOut === spi);
  session.world.count('invalid-spi');
  if (child) rekeyChild(owner, now, child);
}

function refusal(
  session: Session,
  kind: number,
  name: string,
  { want, protocol }: Quick,
  config: Child | undefined,
): Reason {
  const place = config?.where.get(kind === NOTIFY.NO_PROPOSAL_CHOSEN ? `${protocol}_proposals` : 'local_ts');
  const where = place ?? config?.where.get('');
  const common = { by: 'peer' as const, peer: session.state.remote, ...(where ? { where } : {}) };
  switch (kind) {
    case NOTIFY.NO_PROPOSAL_CHOSEN:
      return reasonNoProposal({
        offers: config?.offers ?? [],
        theirs: undefined,
        protocol: protocolId(protocol),
        lifetimes: true,
        ...common,
      });
    case NOTIFY.INVALID_ID_INFORMATION:
      return otherSelectors(
        reasonTs({ local: [want.localTs], remote: [want.remoteTs], config, ...common }),
        name,
        config,
      );
    default:
      return { ...common, code: 'peer-error', text: `the peer refused quick mode with ${name}`, notify: name };
  }
}

/** strongSwan looks for a child by its selectors and its mode at once. */
function otherSelectors(reason: Reason, notify: string, config: Child | undefined): Reason {
  const mode = `; a peer that has them in another mode than ours (${config?.mode ?? 'tunnel'}) may answer so, too`;
  return { ...reason, notify, remedy: `${reason.remedy ?? ''}${mode}` };
}
