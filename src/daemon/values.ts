// IKE SAs and their children as the control socket tells of them.

import { hex } from '../bytes/bytes.ts';
import type { Millis } from '../ike/connection.ts';
import { formatIdentity } from '../ike/identity.ts';
import type { IkeSa } from '../ike/sa.ts';
import { transformsOf } from '../ike/select.ts';
import type { ChildState as Child, Phase } from '../ike/state.ts';
import type { Plane, SaStats } from './plane.ts';
import type { ChildState, ChildStatus, ConnectionStatus, SessionState, SessionStatus } from './status.ts';

type Stats = Pick<Plane, 'stats'>;

export function sessionStatus(sa: IkeSa, plane: Stats, now: Millis): SessionStatus {
  const { state, tasks, rekeying, udp } = sa;
  const { suite } = state;
  return {
    id: state.id,
    conn: state.conn,
    version: state.version,
    state: sessionState(state.phase, rekeying),
    local: state.local,
    localId: state.localId ? formatIdentity(state.localId) : '%any',
    remote: state.remote,
    remoteId: state.remoteId ? formatIdentity(state.remoteId) : '%any',
    initiator: state.original,
    spiI: hex(state.spiI),
    spiR: hex(state.spiR),
    natLocal: state.natLocal,
    natRemote: state.natRemote,
    natFake: state.udpForced && !state.natLocal && !state.natRemote,
    transforms: suite ? transformsOf(suite) : [],
    establishedSince: since(state.establishedAt, now),
    ...renewal(sa, now),
    tasksQueued: tasks.queued,
    tasksActive: tasks.active,
    children: state.children
      .filter((child) => child.stage !== 'lingering')
      .map((child) => childStatus(child, udp, plane, now)),
  };
}

/** In IKEv1 there is one way to renew; strongSwan calls it by the option that has set its time. */
function renewal(sa: IkeSa, now: Millis): Pick<SessionStatus, 'rekeyIn' | 'reauthIn'> {
  const { version, rekeyAt, reauthAt } = sa.state;
  const renamed = version === 1 && reauthAt !== undefined && sa.conn.reauthTime === 0;
  return renamed
    ? { rekeyIn: until(reauthAt, now), reauthIn: undefined }
    : { rekeyIn: until(rekeyAt, now), reauthIn: until(reauthAt, now) };
}

export function childStatus(child: Child, udp: boolean, plane: Stats, now: Millis): ChildStatus {
  const stats: Partial<SaStats> = plane.stats(child.id) ?? {};
  return {
    id: child.id,
    name: child.name,
    reqid: child.reqid,
    state: CHILD_STATES[child.stage],
    mode: child.mode,
    protocol: child.protocol,
    udp,
    spiIn: child.spiIn,
    spiOut: child.spiOut,
    esn: child.suite.esn,
    transforms: transformsOf(child.suite),
    bytesIn: stats.bytesIn ?? 0,
    packetsIn: stats.packetsIn ?? 0,
    bytesOut: stats.bytesOut ?? 0,
    packetsOut: stats.packetsOut ?? 0,
    useIn: since(stats.lastIn, now),
    useOut: since(stats.lastOut, now),
    rekeyIn: until(child.rekeyAt, now),
    lifeIn: until(child.lifeAt, now),
    installedSince: since(child.installedAt, now) ?? 0,
    localTs: child.localTs,
    remoteTs: child.remoteTs,
  };
}

const CHILD_STATES: Record<Child['stage'], ChildState> = {
  installed: 'INSTALLED',
  rekeying: 'REKEYING',
  rekeyed: 'REKEYED',
  deleting: 'DELETING',
  lingering: 'DELETING',
};

function sessionState(phase: Phase, rekeying: boolean): SessionState {
  switch (phase) {
    case 'init':
    case 'auth':
      return 'CONNECTING';
    case 'established':
      return rekeying ? 'REKEYING' : 'ESTABLISHED';
    case 'rekeyed':
      return 'REKEYED';
    case 'deleting':
    case 'closed':
      return 'DELETING';
  }
}

/** PRODUCT's states that pass: they come from the sessions, not from the connection's life. */
export function passing(state: ConnectionStatus['state'], sessions: readonly IkeSa[]): ConnectionStatus['state'] {
  if (state !== 'connected') return state;
  if (sessions.length > 0 && sessions.every((sa) => sa.state.phase === 'deleting')) return 'deleting';
  const rekeying = sessions.some((sa) => sa.rekeying || sa.state.children.some((child) => child.stage === 'rekeying'));
  return rekeying ? 'rekeying' : state;
}

function since(at: Millis | undefined, now: Millis): number | undefined {
  return at === undefined ? undefined : Math.max(0, Math.floor((now - at) / 1000));
}

function until(at: Millis | undefined, now: Millis): number | undefined {
  return at === undefined ? undefined : Math.max(0, Math.ceil((at - now) / 1000));
}
