// Times that make no sense together: lifetimes, checks for a dead peer, retransmission.

import type { Child, Connection, Millis } from '../../ike/connection.ts';
import { assignment, wordFor } from '../../ike/words.ts';
import { advice, type Finding, isWritten, placeOf, span } from './finding.ts';

export function lintTimes(connections: readonly Connection[]): Finding[] {
  return connections.flatMap((connection) => [
    ...renewal(connection),
    ...deadPeers(connection),
    ...retransmission(connection),
    ...connection.children.flatMap((child) => [...lifetime(child, connection), ...replay(child)]),
  ]);
}

/** When the keys of the IKE SA are made anew; 0 never. */
export function renewalOf({ rekeyTime, reauthTime }: Connection): Millis {
  const times = [rekeyTime, reauthTime].filter((time) => time > 0);
  return times.length > 0 ? Math.min(...times) : 0;
}

function renewal(connection: Connection): Finding[] {
  if (renewalOf(connection) > 0) return [];
  return [
    {
      place: placeOf(connection, 'rekey_time', 'reauth_time'),
      severity: 'warning',
      code: 'never-renewed',
      text: `connection ${connection.name} never renews the keys of its IKE SA`,
      remedy: advice(
        connection,
        'set rekey_time = 4h, or leave it out, which means the same',
        'leave rekey=no and ikelifetime=0 out: 3h are the default',
      ),
    },
  ];
}

function lifetime(child: Child, connection: Connection): Finding[] {
  const { rekeyTime, lifeTime } = child.lifetime;
  const place = placeOf(child, 'rekey_time', 'life_time');
  if (rekeyTime === 0 && lifeTime === 0) {
    const text = `child ${child.name} never renews its keys by time`;
    const remedy = advice(
      child,
      'set rekey_time = 1h, or leave it out, which means the same',
      'leave rekey=no and lifetime=0 out: 1h is the default',
    );
    return [{ place, severity: 'warning', code: 'never-renewed', text, remedy }];
  }
  const ike = renewalOf(connection);
  const own = rekeyTime || lifeTime;
  if (ike === 0 || own <= ike) return [];
  return [
    {
      place,
      severity: 'warning',
      code: 'child-outlives-ike',
      text: `child ${child.name} keeps its keys for ${span(own)}, and the IKE SA that makes them only for ${span(ike)}: the keys that carry all the traffic should be the first to go`,
      remedy: advice(
        connection,
        `set rekey_time of the child to ${span(ike)} at most, or that of the connection to ${span(own)} at least`,
        `set lifetime to ${span(ike + connection.overTime)} at most, or ikelifetime to ${span(lifeTime || own)} at least`,
      ),
    },
  ];
}

function replay(child: Child): Finding[] {
  if (child.replayWindow > 0) return [];
  return [
    {
      place: placeOf(child, 'replay_window'),
      severity: 'warning',
      code: 'replay-unchecked',
      text: `child ${child.name} takes packets again that somebody has recorded: its replay window is 0`,
      remedy: 'leave replay_window out; where packets come far out of order, set 1024',
    },
  ];
}

function deadPeers(connection: Connection): Finding[] {
  const { name, dpdDelay, dpdTimeout, retransmit, version } = connection;
  const [timeout, delay] = [wordFor(connection, 'dpd_timeout'), wordFor(connection, 'dpd_delay')];
  const unasked = dpdDelay === 0;
  const place = placeOf(connection, 'dpd_timeout', 'dpd_delay');
  if (unasked && dpdTimeout > 0) {
    const text = `connection ${name} never asks whether the peer is alive, so that ${timeout} has nothing to end`;
    const remedy = `set ${assignment(connection, 'dpd_delay', '30s')}`;
    return [{ place, severity: 'warning', code: 'dpd-unasked', text, remedy }];
  }
  const waiting = connection.children.filter((child) => child.where.has('dpd_action') && child.dpdAction !== 'clear');
  if (unasked) {
    return waiting.map((child) => ({
      place: placeOf(child, 'dpd_action'),
      severity: 'warning' as const,
      code: 'dpd-unasked',
      text: `child ${child.name} says what to do when the peer is dead, but connection ${name} never asks: it would be noticed at the next rekeying`,
      remedy: `set ${assignment(connection, 'dpd_delay', '30s')} in the connection`,
    }));
  }
  if (dpdTimeout === 0) return [];
  // The clock runs from the last packet that was heard, the first question comes dpd_delay after it.
  if (dpdTimeout < dpdDelay + retransmit.base) {
    const text = `connection ${name} gives the peer up ${span(dpdTimeout)} after its last packet, and asks after ${span(dpdDelay)}: a single lost packet ends the tunnel`;
    const remedy = `set ${timeout} to ${span(dpdDelay + 3 * retransmit.base)} at least, or ${delay} to less`;
    return [{ place, severity: 'warning', code: 'dpd-hasty', text, remedy }];
  }
  const given = dpdDelay + patience(connection);
  if (version === 1 || dpdTimeout <= given || !isWritten(connection, 'dpd_timeout')) return [];
  const text = `connection ${name}: ${timeout} is ${span(dpdTimeout)}, but a question without an answer is given up earlier, ${span(given)} after the last packet`;
  const remedy = advice(
    connection,
    `leave dpd_timeout out, or set retransmit { tries = ${connection.retransmit.transmissions + 2} }`,
    `leave ${timeout} out: it decides in IKEv1 only`,
  );
  return [{ place, severity: 'info', code: 'dpd-late', text, remedy }];
}

/** How long a request waits for an answer, over all transmissions. */
function patience({ retransmit: { base, factor, transmissions, limit } }: Connection): Millis {
  let sum = 0;
  for (let sent = 0; sent < transmissions; sent++) sum += Math.min(limit, base * factor ** sent);
  return Math.round(sum);
}

function retransmission(connection: Connection): Finding[] {
  const { name, retransmit } = connection;
  const place = placeOf(connection, 'retransmit.tries', 'retransmit.base', 'retransmit');
  if (retransmit.transmissions === 1) {
    const text = `connection ${name} says everything once: a single lost packet is a failure`;
    return [{ place, severity: 'warning', code: 'retransmit-once', text, remedy: 'set tries = 5 in retransmit' }];
  }
  const waits = patience(connection);
  if (waits >= 2000) return [];
  const text = `connection ${name} gives up after ${span(waits)}: peers that are far away, or have groups to compute, need longer`;
  return [{ place, severity: 'warning', code: 'retransmit-hasty', text, remedy: 'leave base and tries out' }];
}
