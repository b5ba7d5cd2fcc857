// Networks that this host is a member of, and that are said to be behind a peer: their packets would go into the tunnel,
// and the operator's own way to this host perhaps with them.

import { formatPrefix, prefixRange } from '../../bytes/ip.ts';
import { isEverything, isHost, relation } from '../../config/lint/networks.ts';
import { formatSelector } from '../../ike/ts.ts';
import type { Flow, Needs } from './needs.ts';
import { type Attached, attachedNetworks } from './network.ts';
import type { Verdict } from './verdict.ts';

export function attached({ flows }: Needs): Verdict[] {
  const networks = attachedNetworks().filter(({ prefix }) => !isHost(prefixRange(prefix)));
  return networks.flatMap((network) => {
    const taken = flows.find((flow) => swallows(flow, network));
    // Another child may have it as ours: then it stays where it is.
    const own = flows.some(({ local }) => ['same', 'inside'].includes(relation(prefixRange(network.prefix), local)));
    return taken && !own ? [verdict(network, taken)] : [];
  });
}

/** Who writes 0.0.0.0/0 means everything. */
function swallows({ remote }: Flow, { prefix }: Attached): boolean {
  return !isEverything(remote) && ['same', 'inside'].includes(relation(prefixRange(prefix), remote));
}

function verdict({ prefix, device }: Attached, { remote, child }: Flow): Verdict {
  const network = formatPrefix(prefix);
  return {
    code: 'attached-network',
    about: `${network} on ${device}`,
    health: 'warning',
    text: `lies in ${formatSelector(remote)}, which is said to be behind the peer of child ${child.name}: its packets would go into the tunnel`,
    advice: `name narrower networks in remote_ts, or have ${network} in local_ts, too: what is in both stays here`,
  };
}
