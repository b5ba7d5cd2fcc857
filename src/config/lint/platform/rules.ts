// Holds a configuration against what a platform's gateways ask of the other end. The values are in table.ts; here and
// beside this file stands only how each kind of rule is applied.

import { formatPrefix } from '../../../bytes/ip.ts';
import type { Child, Connection, SharedKey } from '../../../ike/connection.ts';
import { describeIdentity } from '../../../ike/identity.ts';
import { ID } from '../../../ike/wire/constants.ts';
import type { Identity } from '../../../ike/wire/payload.ts';
import { assignment, wordFor } from '../../../ike/words.ts';
import { advice, type Finding, placeOf } from '../finding.ts';
import { lintKeys } from './keys.ts';
import { lintGateway, lintNetworks } from './networks.ts';
import { lintOffers } from './offers.ts';
import type { Platform } from './table.ts';
import { lintPlatformTimes } from './times.ts';

export function lintPlatform(
  connections: readonly Connection[],
  secrets: readonly SharedKey[],
  platform: Platform,
): Finding[] {
  return [
    ...lintKeys(secrets, platform),
    ...tunnels(connections, platform),
    ...connections.flatMap((connection) => [
      ...version(connection, platform),
      ...mode(connection, platform),
      ...identities(connection, platform),
      ...children(connection, platform),
      ...lintOffers(connection, platform),
      ...lintNetworks(connection, platform),
      ...lintGateway(connection, platform),
      ...lintPlatformTimes(connection, platform),
    ]),
  ];
}

function version(connection: Connection, { title, versions, version: best }: Platform): Finding[] {
  const { name } = connection;
  const place = placeOf(connection, 'version');
  const only = versions.length === 1 ? versions[0] : undefined;
  if (only !== undefined && connection.version !== only) {
    const says = `${title} speaks IKEv${only} only`;
    const remedy = `write ${versionAs(connection, only)}`;
    return connection.version === 0
      ? [
          {
            place,
            severity: 'warning',
            code: 'platform-version',
            text: `${says}, and connection ${name} begins with IKEv2`,
            remedy,
          },
        ]
      : [
          {
            place,
            severity: 'error',
            code: 'platform-version',
            text: `${says}, and connection ${name} IKEv${connection.version}`,
            remedy,
          },
        ];
  }
  if (best !== 2 || connection.version !== 1) return [];
  const text = `connection ${name} speaks IKEv1 only; ${title} recommends IKEv2`;
  return [
    {
      place,
      severity: 'info',
      code: 'platform-version',
      text,
      remedy: `write ${versionAs(connection, 2)} here, and v2 there`,
    },
  ];
}

function versionAs(connection: Connection, version: 1 | 2): string {
  return advice(connection, `version = ${version}`, `keyexchange=ikev${version}`);
}

function mode(connection: Connection, { title, aggressive }: Platform): Finding[] {
  if (aggressive || !connection.aggressive) return [];
  return [
    {
      place: placeOf(connection, 'aggressive'),
      severity: 'error',
      code: 'platform-mode',
      text: `${title} takes no aggressive mode, in which connection ${connection.name} begins`,
      remedy: `write ${assignment(connection, 'aggressive', 'no')}`,
    },
  ];
}

function identities(connection: Connection, platform: Platform): Finding[] {
  const { localId, remoteId } = connection;
  return [
    ...(localId ? identity(connection, 'local.id', localId, platform) : []),
    ...(remoteId.kind === 'is' ? identity(connection, 'remote.id', remoteId.id, platform) : []),
  ];
}

function identity(
  connection: Connection,
  option: string,
  id: Identity,
  { title, identities: rule }: Platform,
): Finding[] {
  if (!rule || id.type === ID.IPV4_ADDR || id.type === ID.IPV6_ADDR) return [];
  const text = new TextDecoder().decode(id.data);
  const fits =
    id.type === ID.FQDN && [...text].length <= (rule.longest ?? Number.POSITIVE_INFINITY) && !rule.without?.test(text);
  if (fits) return [];
  return [
    {
      place: placeOf(connection, option),
      severity: 'error',
      code: 'platform-identity',
      text: `${title}: an identity is ${rule.words}; connection ${connection.name} has ${describeIdentity(id)}`,
      remedy: `set ${wordFor(connection, option)} to the address, or to a domain name that fits, and the same at the other end`,
    },
  ];
}

function children(connection: Connection, platform: Platform): Finding[] {
  return connection.children.flatMap((child) => [...protocol(child, platform), ...segments(child, platform)]);
}

function protocol(child: Child, { title, algorithms, tunnelOnly }: Platform): Finding[] {
  const { name } = child;
  const found: Finding[] = [];
  if (child.protocol === 'ah' && !algorithms.ah && algorithms.complete) {
    const text = `${title} takes ESP only; child ${name} wants AH`;
    const remedy = `write ${wordFor(child, 'esp_proposals')} in place of ${wordFor(child, 'ah_proposals')}`;
    found.push({ place: placeOf(child, 'ah_proposals'), severity: 'error', code: 'platform-protocol', text, remedy });
  }
  if (child.mode === 'transport' && tunnelOnly) {
    const text = `${title} has tunnel mode only; child ${name} wants transport mode`;
    found.push({
      place: placeOf(child, 'mode'),
      severity: 'error',
      code: 'platform-protocol',
      text,
      remedy: `write ${assignment(child, 'mode', 'tunnel')}`,
    });
  }
  return found;
}

function segments(child: Child, { title, mss: rule }: Platform): Finding[] {
  if (!rule || (typeof child.mss === 'number' && child.mss <= rule.max)) return [];
  const sure = child.mss !== 'auto';
  const has = sure ? `mss = ${child.mss}` : 'mss = auto, which takes what the path carries';
  return [
    {
      place: placeOf(child, 'mss'),
      severity: sure ? 'warning' : 'info',
      code: 'platform-mss',
      text: `${title} recommends ${rule.words}; child ${child.name} has ${has}`,
      remedy: advice(
        child,
        `write mss = ${rule.max}, or mss = 1260 where large transfers stall`,
        `nothing, as long as no large transfer stalls; a swanctl.conf has mss = ${rule.max}`,
      ),
    },
  ];
}

/** Tunnels between the same two addresses, and how many there are in all. */
function tunnels(connections: readonly Connection[], { title, tunnels: rule }: Platform): Finding[] {
  const [first] = connections;
  if (!rule || !first) return [];
  const { max, advised, words } = rule;
  if (advised !== undefined && connections.length < advised) {
    const text = `${title}: ${words}; here there is ${connections.length}`;
    const remedy = 'add a connection to the other address';
    return [{ place: placeOf(first), severity: 'info', code: 'platform-tunnels', text, remedy }];
  }
  const byPeer = new Map<string, Connection[]>();
  for (const connection of connections) {
    for (const pattern of connection.remoteAddrs) {
      if (pattern.kind !== 'prefix') continue;
      const peer = formatPrefix(pattern.prefix);
      byPeer.set(peer, [...(byPeer.get(peer) ?? []), connection]);
    }
  }
  return [...byPeer].flatMap(([, some]) => {
    const extra = max === undefined ? undefined : some[max];
    if (!extra) return [];
    const text = `${title}: ${words}; connection ${extra.name} is number ${(max ?? 0) + 1} to the same address`;
    const remedy = 'put the children into one connection';
    return [{ place: placeOf(extra), severity: 'error' as const, code: 'platform-tunnels', text, remedy }];
  });
}
