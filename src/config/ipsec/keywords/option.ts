// What the two tables of keywords share.

import { optionAt } from '../../check.ts';
import { type Extra, ignores, type Option } from '../../options/option.ts';
import { type Type, text } from '../../schema.ts';

const CONN = 'connections.<conn>';
export const OF_CONN = (name: string) => `${CONN}.${name}`;
export const OF_CHILD = (name: string) => `${CONN}.children.<child>.${name}`;

/** What becomes an option of swanctl.conf as it stands: honoured, ignored or refused like that one. */
export function like(path: string, as: string, type: Type, standard: string, extra: Extra = {}): Option {
  const { status, reason, text: about } = optionAt(as);
  return { path, type, default: standard, text: about, status, reason, extra: { ...extra, as } };
}

const OBSOLETE = 'it is obsolete, and strongSwan ignores it too';

export function obsolete(parent: string, names: string): Option[] {
  return names.split(/\s+/).map((name) => ignores(`${parent}.${name}`, text, '', 'Of former times.', OBSOLETE));
}
