// What a refusal of a child means for the operator: RFC 7296 §1.3, §2.25, §3.10.1.

import { KE } from '../../crypto/ids.ts';
import { childConfig } from '../children.ts';
import type { Reason } from '../reason.ts';
import { groupsOf } from '../select.ts';
import type { ChildState } from '../state.ts';
import { keywordOf, transformName } from '../transforms.ts';
import { at, reasonNoProposal, reasonTs } from '../why.ts';
import { NOTIFY, notifyName, protocolId, TRANSFORM } from '../wire/constants.ts';
import { wordFor } from '../words.ts';
import type { Session } from './session.ts';
import type { Want } from './state.ts';

interface Refusal {
  readonly want: Want;
  readonly kind: number;
  /** Of an INVALID_KE_PAYLOAD. */
  readonly group?: number | undefined;
  /** The child that was to be renewed. */
  readonly old?: ChildState | undefined;
}

export function childRefusal(session: Session, { want, kind, group, old }: Refusal): Reason {
  const config = childConfig(session, want.child);
  const peer = session.state.remote;
  const notify = notifyName(kind);
  const protocol = config?.protocol ?? 'esp';
  const where = config?.where.get(`${protocol}_proposals`) ?? config?.where.get('');
  const offers = config?.offers ?? [];
  const shared = { notify, by: 'peer', peer } as const;
  switch (kind) {
    case NOTIFY.NO_PROPOSAL_CHOSEN: {
      const place = where ? { where } : {};
      const groupless = old?.suite.ke === KE.NONE;
      return reasonNoProposal({
        ...{ offers, theirs: undefined, protocol: protocolId(protocol), by: 'peer', peer, groupless },
        ...place,
      });
    }
    case NOTIFY.INVALID_KE_PAYLOAD: {
      const name = (id: number) => transformName({ type: TRANSFORM.KE, id });
      const ours = groupsOf(offers).map(name).join(' or ') || 'none';
      const theirs = group === undefined ? 'another one' : name(group);
      const offered = group !== undefined && groupsOf(offers).includes(group);
      const word = group === undefined || offered ? undefined : keywordOf({ type: TRANSFORM.KE, id: group });
      const option = `\`${config ? wordFor(config, `${protocol}_proposals`) : `${protocol}_proposals`}\`${at(where)}`;
      return {
        ...shared,
        code: 'pfs-mismatch',
        text: offered
          ? `the peer asks for the group ${theirs} for PFS again and again, which we offer`
          : `the groups for PFS differ: we want ${ours}, the peer ${theirs}`,
        remedy: `${word ? `add \`-${word}\` to ${option}, or ` : ''}have the peer take ${ours}${word ? '' : ` (${option})`}`,
        ...(where ? { where } : {}),
      };
    }
    case NOTIFY.TS_UNACCEPTABLE:
      return reasonTs({ local: want.localTs, remote: want.remoteTs, config, by: 'peer', peer });
    case NOTIFY.NO_ADDITIONAL_SAS:
      return {
        ...shared,
        code: 'no-additional-sas',
        text: 'the peer takes no further children',
        remedy: 'put these networks into a child that stands, or into a connection of their own',
      };
    case NOTIFY.TEMPORARY_FAILURE:
      return {
        ...shared,
        code: 'temporary-failure',
        text: 'the peer cannot make this child now',
        remedy: "it is tried again; if that does not help, look for the reason in the peer's log",
      };
    case NOTIFY.SINGLE_PAIR_REQUIRED:
      return {
        ...shared,
        code: 'single-pair',
        text: 'the peer wants single addresses only',
        remedy: `name single addresses on both sides of it${at(config?.where.get('local_ts'))}`,
      };
    default:
      return {
        ...shared,
        code: 'peer-error',
        text: `the peer refused the child with ${notify}`,
        remedy: "look for the reason in the peer's log",
      };
  }
}
