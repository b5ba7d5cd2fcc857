// Selectors that take in the gateways themselves (SECURITY E7). Our own IKE and ESP carry a mark and never take a tunnel;
// everything else that is for these addresses does.

import { formatIp } from '../../bytes/ip.ts';
import type { Child, Connection } from '../../ike/connection.ts';
import { formatSelector } from '../../ike/ts.ts';
import type { Selector } from '../../ike/wire/ts.ts';
import { wordFor } from '../../ike/words.ts';
import { type Finding, placeOf } from './finding.ts';
import { holds, isEverything, isHost, networksOf, single } from './networks.ts';

export function lintReach(connections: readonly Connection[]): Finding[] {
  return connections.flatMap((connection) => {
    const peers = connection.remoteAddrs.flatMap(single);
    const own = connection.localAddrs.flatMap(single);
    return connection.children.flatMap((child) => {
      if (child.mode === 'transport') return [];
      const { remote } = networksOf(child, connection);
      return [...swallowed(child, remote, peers), ...own.flatMap((address) => ours(child, remote, address))];
    });
  });
}

function swallowed(child: Child, remote: readonly Selector[], peers: readonly Uint8Array[]): Finding[] {
  for (const peer of peers) {
    const around = remote.find((selector) => !isHost(selector) && holds(selector, peer));
    if (!around) continue;
    const everything = isEverything(around);
    return [
      {
        place: placeOf(child, 'remote_ts'),
        severity: everything ? 'info' : 'warning',
        code: 'peer-in-tunnel',
        text: `${wordFor(child, 'remote_ts')} of child ${child.name} takes in the peer's own address: ${formatIp(peer)} lies in ${formatSelector(around)}; our own IKE and ESP pass by the tunnel, everything else for that address goes into it`,
        remedy: everything
          ? 'nothing, if all traffic is to go there'
          : `leave the address out of ${wordFor(child, 'remote_ts')}: write the prefixes around it`,
      },
    ];
  }
  return [];
}

function ours(child: Child, remote: readonly Selector[], address: Uint8Array): Finding[] {
  const around = remote.find((selector) => holds(selector, address) && !isEverything(selector));
  if (!around) return [];
  const theirs = wordFor(child, 'remote_ts');
  return [
    {
      place: placeOf(child, 'remote_ts'),
      severity: 'warning',
      code: 'own-address-in-tunnel',
      text: `${theirs} of child ${child.name} takes in our own address: ${formatIp(address)} lies in ${formatSelector(around)}, which is said to be behind the peer`,
      remedy: `exchange ${wordFor(child, 'local_ts')} and ${theirs} if they are reversed, or leave the address out of ${theirs}`,
    },
  ];
}
