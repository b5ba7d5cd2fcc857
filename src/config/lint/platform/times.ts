// Lifetimes and the search for dead peers, as the platform has them.

import type { Child, Connection, Millis } from '../../../ike/connection.ts';
import { RETRANSMIT_HUAWEI } from '../../../ike/connection.ts';
import { assignment, wordFor } from '../../../ike/words.ts';
import { advice, type Finding, placeOf, span } from '../finding.ts';
import { renewalOf } from '../times.ts';
import type { Lifetimes, Platform } from './table.ts';

export function lintPlatformTimes(connection: Connection, platform: Platform): Finding[] {
  return [
    ...ikeLifetime(connection, platform),
    ...connection.children.flatMap((child) => childLifetime(child, platform)),
    ...deadPeers(connection, platform),
    ...retransmission(connection, platform),
  ];
}

function ikeLifetime(connection: Connection, { title, ikeLifetime: rule, equalLifetimes }: Platform): Finding[] {
  const renewal = renewalOf(connection);
  const text = rule && outside(rule, renewal, renewal + connection.overTime, equalLifetimes);
  if (text === undefined) return [];
  return [
    {
      place: placeOf(connection, 'rekey_time', 'reauth_time'),
      severity: 'warning',
      code: 'platform-lifetime',
      text: `${title}: an IKE SA lives ${text}; connection ${connection.name} ${says(renewal)}`,
      remedy: lifetimeOf(connection, 'ikelifetime', rule?.standard),
    },
  ];
}

function childLifetime(child: Child, { title, childLifetime: rule, equalLifetimes }: Platform): Finding[] {
  const { rekeyTime, lifeTime } = child.lifetime;
  const renewal = rekeyTime || lifeTime;
  const text = rule && outside(rule, renewal, lifeTime || renewal, equalLifetimes);
  if (text === undefined) return [];
  return [
    {
      place: placeOf(child, 'rekey_time', 'life_time'),
      severity: 'warning',
      code: 'platform-lifetime',
      text: `${title}: an IPsec SA lives ${text}; child ${child.name} ${says(renewal)}`,
      remedy: lifetimeOf(child, 'lifetime', rule?.standard),
    },
  ];
}

function lifetimeOf(config: Connection | Child, keyword: string, standard: number | undefined): string {
  const never = wordFor(config, 'rekey_time') === 'rekey' ? ', and leave rekey=no out' : '';
  return `set ${advice(config, `rekey_time = ${standard}s`, `${keyword}=${standard}s`)}, which is its default${never}`;
}

/** Renewed later than the longest that can be set there, or ended before the shortest; 0 is never. */
function outside({ min, max }: Lifetimes, renewal: Millis, end: Millis, equal = false): string | undefined {
  if (renewal > 0 && renewal <= max * 1000 && end >= min * 1000) return undefined;
  return `${min} to ${max} s${equal ? ', the same at both ends' : ''}`;
}

function says(renewal: Millis): string {
  return renewal === 0 ? 'never renews its keys' : `renews its keys after ${span(renewal)}`;
}

function deadPeers(connection: Connection, { title, deadPeers: rule }: Platform): Finding[] {
  if (!rule) return [];
  const { name, dpdDelay, dpdTimeout } = connection;
  const short = rule.leastTimeout !== undefined && dpdTimeout > 0 && dpdTimeout < rule.leastTimeout;
  if (dpdDelay > 0 && !short) return [];
  const what = dpdDelay === 0 ? 'never asks whether the peer is alive' : `gives the peer up after ${span(dpdTimeout)}`;
  return [
    {
      place: placeOf(connection, 'dpd_delay', 'dpd_timeout'),
      severity: rule.needed ? 'warning' : 'info',
      code: 'platform-dpd',
      text: `${title}: ${rule.words}; connection ${name} ${what}`,
      remedy:
        dpdDelay === 0
          ? advice(connection, 'set dpd_delay = 30s', 'set dpdaction=restart and dpddelay=30s')
          : `set ${assignment(connection, 'dpd_timeout', span(rule.leastTimeout ?? 0))}`,
    },
  ];
}

function retransmission(connection: Connection, { title, patient }: Platform): Finding[] {
  const { name, retransmit, version } = connection;
  if (patient === undefined || version === 1) return [];
  const { base, factor, transmissions, limit } = RETRANSMIT_HUAWEI;
  const alike =
    retransmit.base === base &&
    retransmit.factor === factor &&
    retransmit.transmissions === transmissions &&
    retransmit.limit === limit;
  if (alike) return [];
  const text = `${title}: ${patient}; connection ${name} gives up earlier or later`;
  const remedy = advice(
    connection,
    'write retransmit { profile = huawei } if both ends are to wait equally long',
    'nothing; a swanctl.conf has retransmit { profile = huawei }, for both ends to wait equally long',
  );
  return [{ place: placeOf(connection, 'retransmit'), severity: 'info', code: 'platform-retransmit', text, remedy }];
}
