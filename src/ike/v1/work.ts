// Slow work comes back: a key pair or a shared secret, for phase 1 or for a quick mode.

import type { Millis } from '../connection.ts';
import type { Answer } from '../effects.ts';
import type { Reason } from '../reason.ts';
import { sendAggressive1, sendAggressive2, sendAggressive3 } from './aggressive.ts';
import { readIke } from './ikeproposal.ts';
import { sendMain3, sendMain4, sendMain5 } from './main.ts';
import { phase1Of } from './phase1.ts';
import { quickAnswered } from './quick.ts';
import type { Session } from './session.ts';

const UNACCEPTABLE: Reason = {
  code: 'bad-key-exchange',
  text: "the peer's public value is not acceptable",
  by: 'us',
};

export function answered(session: Session, now: Millis, answer: Answer): void {
  const { state } = session;
  if (state.job?.serial === answer.job.serial) {
    delete state.job;
    return phase1Answered(session, now, answer);
  }
  const quick = state.quicks.find(({ job }) => job?.serial === answer.job.serial);
  if (quick) quickAnswered(session, now, quick, answer);
}

function phase1Answered(session: Session, now: Millis, answer: Answer): void {
  const { aggressive, original } = session.state;
  if (answer.type === 'generated') {
    return aggressive ? sendAggressive1(session, now, answer.pair) : sendMain3(session, now, answer.pair);
  }
  const { pair, shared } = answer;
  if (!shared) {
    session.world.count('bad-key-exchange');
    return session.over(now, UNACCEPTABLE);
  }
  phase1Of(session).shared = shared;
  if (original) return aggressive ? sendAggressive3(session, now) : sendMain5(session, now);
  if (!aggressive) return sendMain4(session, now, pair);
  const [read] = readIke(phase1Of(session).proposals ?? []);
  if (!read) throw new Error('nothing was chosen');
  sendAggressive2(session, now, pair, { read });
}
