// Slow work comes back: a key pair or a shared secret, for the task under way or for a request of the peer.

import type { Millis } from '../connection.ts';
import type { Answer } from '../effects.ts';
import { incomingCreateAgreed } from './answer.ts';
import { createAgreed, sendCreate } from './create.ts';
import { incomingInitAgreed, initAgreed, sendInit } from './init.ts';
import { incomingRekeyAgreed, rekeyAgreed, sendRekey } from './rekey.ts';
import type { Session } from './session.ts';
import type { Incoming } from './state.ts';

export function answered(session: Session, now: Millis, answer: Answer): void {
  const { state } = session;
  if (state.taskJob?.serial === answer.job.serial) {
    delete state.taskJob;
    taskAnswered(session, now, answer);
  } else if (state.incomingJob?.serial === answer.job.serial && state.incoming && answer.type === 'agreed') {
    const { incoming } = state;
    delete state.incomingJob;
    delete state.incoming;
    incomingAnswered(session, now, incoming, answer);
  }
}

function taskAnswered(session: Session, now: Millis, answer: Answer): void {
  const { task } = session.state;
  if (answer.type === 'generated') {
    if (task?.kind === 'init') return sendInit(session, now, task, answer.pair);
    if (task?.kind === 'create') return sendCreate(session, now, task, answer.pair);
    if (task?.kind === 'rekey-ike') return sendRekey(session, now, task, answer.pair);
  } else {
    if (task?.kind === 'init') return initAgreed(session, now, task, answer.shared);
    if (task?.kind === 'create') return createAgreed(session, now, task, answer.shared);
    if (task?.kind === 'rekey-ike') return rekeyAgreed(session, now, task, answer.shared);
  }
}

function incomingAnswered(
  session: Session,
  now: Millis,
  incoming: Incoming,
  answer: Extract<Answer, { type: 'agreed' }>,
): void {
  switch (incoming.kind) {
    case 'init':
      return incomingInitAgreed(session, now, incoming, answer);
    case 'create':
      return incomingCreateAgreed(session, now, incoming, answer);
    case 'rekey-ike':
      return incomingRekeyAgreed(session, now, incoming, answer);
  }
}
