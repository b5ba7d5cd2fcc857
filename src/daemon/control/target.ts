// Which IKE SAs and children a command names.

import type { ChildStatus, SessionStatus, Target } from '../status.ts';
import { integer, text } from './section.ts';
import type { Section } from './vici.ts';

/** An id of 0 means none, as charon has it. */
export function target(message: Section): Target {
  const ike = text(message, 'ike');
  const child = text(message, 'child');
  const ikeId = integer(message, 'ike-id');
  const childId = integer(message, 'child-id');
  return {
    ...(ike === undefined ? {} : { ike }),
    ...(child === undefined ? {} : { child }),
    ...(ikeId ? { ikeId } : {}),
    ...(childId ? { childId } : {}),
  };
}

/** The children of a session that are meant; undefined when the session is not. */
export function selected(session: SessionStatus, what: Target): readonly ChildStatus[] | undefined {
  if (what.ike !== undefined && what.ike !== session.conn) return undefined;
  if (what.ikeId !== undefined && what.ikeId !== session.id) return undefined;
  if (what.child === undefined && what.childId === undefined) return session.children;
  const children = session.children.filter(
    (child) =>
      (what.child === undefined || what.child === child.name) &&
      (what.childId === undefined || what.childId === child.id),
  );
  return children.length > 0 ? children : undefined;
}

/** SAs that are meant: IKE SAs, or children where one is named. */
export function count(sessions: readonly SessionStatus[], what: Target): number {
  const meant = sessions.map((session) => selected(session, what)).filter((children) => children !== undefined);
  return what.child === undefined && what.childId === undefined ? meant.length : meant.flat().length;
}
