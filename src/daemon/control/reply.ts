// What commands answer and what they may be asked with, in charon's forms.

import type { Outcome } from '../status.ts';
import type { Call } from './channel.ts';
import { integer, line, section } from './section.ts';
import { reasonSection } from './status.ts';
import type { Section } from './vici.ts';

export function done(): Section {
  return section(['success', 'yes']);
}

export function refusal(why: string): Section {
  return section(['success', 'no'], ['errmsg', line(why)]);
}

export function answer({ ok, reason }: Outcome): Section {
  return ok ? done() : refusal(reason.text);
}

/** Our own commands answer with the whole reason, where there is one. */
export function explained(reply: Section, outcome: Outcome | undefined): Section {
  return outcome ? reply.set('reason', reasonSection(outcome.reason)) : reply;
}

const NUMBERS = ['ike-id', 'child-id', 'timeout', 'loglevel'] as const;
const TEXTS = ['ike', 'child', 'name', 'id'] as const;

/** What is wrong with the names and numbers of a call: one that cannot be read must not mean "any" or "all". */
export function wrong({ message }: Call): string | undefined {
  const number = NUMBERS.find((key) => message.has(key) && integer(message, key) === undefined);
  if (number !== undefined) return `'${number}' is not a number`;
  const name = TEXTS.find((key) => message.has(key) && typeof message.get(key) !== 'string');
  return name && `'${name}' is not one text`;
}
