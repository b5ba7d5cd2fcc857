// Connections for tests: two gateways, 10.1.0.0/24 behind the left one and 10.2.0.0/24 behind the right one.

import { utf8 } from '../../src/bytes/bytes.ts';
import { parseProposals } from '../../src/config/proposal.ts';
import {
  type Child,
  type Connection,
  type Offer,
  RETRANSMIT,
  Secret,
  type SharedKey,
} from '../../src/ike/connection.ts';
import { parseIdentity } from '../../src/ike/identity.ts';
import { parseSelector } from '../../src/ike/ts.ts';
import type { Identity } from '../../src/ike/wire/payload.ts';
import type { SideOptions } from './pair.ts';

export const LEFT_IP = '192.0.2.1';
export const RIGHT_IP = '192.0.2.2';

export function offers(text: string, protocol: 'ike' | 'esp' | 'ah'): readonly Offer[] {
  const parsed = parseProposals(text, protocol, 2);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.offers;
}

export function id(text: string): Identity {
  const identity = parseIdentity(text);
  if (!identity) throw new Error(`not an identity: ${text}`);
  return identity;
}

export function selectors(...texts: readonly string[]) {
  return texts.map((text) => {
    const source = parseSelector(text);
    if (!source) throw new Error(`not a selector: ${text}`);
    return source;
  });
}

const PLACE = { file: 'gw.conf', line: 1, column: 1 };

const NO_LIMIT = {
  rekeyBytes: 0,
  lifeBytes: 0,
  randBytes: 0,
  rekeyPackets: 0,
  lifePackets: 0,
  randPackets: 0,
} as const;

export function child(over: Partial<Child> = {}): Child {
  return {
    name: 'net',
    offers: offers('aes128gcm16', 'esp'),
    localTs: selectors('10.1.0.0/24'),
    remoteTs: selectors('10.2.0.0/24'),
    mode: 'tunnel',
    tunnelFallback: true,
    protocol: 'esp',
    shortSha256: false,
    lifetime: { rekeyTime: 3_600_000, lifeTime: 3_960_000, randTime: 0, ...NO_LIMIT },
    startAction: 'none',
    dpdAction: 'clear',
    closeAction: 'none',
    replayWindow: 128,
    installRoutes: true,
    copyDf: true,
    copyEcn: true,
    copyDscp: 'out',
    mss: 'auto',
    updown: [],
    hostAccess: false,
    where: new Map([['esp_proposals', { ...PLACE, line: 20 }]]),
    ...over,
  };
}

export function connection(over: Partial<Connection> = {}): Connection {
  return {
    name: 'gw',
    version: 2,
    aggressive: false,
    deleteRekeyed: false,
    dpdOnDemand: false,
    localAddrs: [{ kind: 'any' }],
    remoteAddrs: [{ kind: 'any' }],
    remotePort: 500,
    offers: offers('aes128gcm16-prfsha256-x25519', 'ike'),
    localId: id('left.test'),
    remoteId: { kind: 'is', id: id('right.test') },
    encap: 'auto',
    fragmentation: 'yes',
    fragmentSize: 1280,
    childless: 'allow',
    unique: 'no',
    dpdDelay: 0,
    dpdTimeout: 0,
    rekeyTime: 14_400_000,
    reauthTime: 0,
    overTime: 1_440_000,
    randTime: 0,
    keyingTries: 3,
    retryInterval: 12_000,
    retransmit: RETRANSMIT,
    natKeepalive: 20_000,
    children: [child()],
    where: new Map([['proposals', { ...PLACE, line: 14 }]]),
    ...over,
  };
}

/** The same connection as the other side has it. */
export function mirrored(conn: Connection, over: Partial<Connection> = {}): Connection {
  const { localId, remoteId } = conn;
  return {
    ...conn,
    localId: remoteId.kind === 'is' ? remoteId.id : undefined,
    remoteId: localId ? { kind: 'is', id: localId } : { kind: 'any' },
    children: conn.children.map((one) => ({ ...one, localTs: one.remoteTs, remoteTs: one.localTs })),
    ...over,
  };
}

export function psk(text = 'a secret for tests that is long enough', ...owners: readonly string[]): SharedKey {
  return { owners: owners.map(id), secret: new Secret(utf8(text)) };
}

/** Two sides that fit together; `over` changes both, `right` the right one only. */
export function sides(
  over: Partial<Connection> = {},
  right: Partial<Connection> = {},
  options: Partial<SideOptions> = {},
): [SideOptions, SideOptions] {
  const conn = connection(over);
  const sharedKeys = [psk()];
  return [
    { ip: LEFT_IP, connections: [conn], sharedKeys, ...options },
    { ip: RIGHT_IP, connections: [mirrored(conn, right)], sharedKeys, ...options },
  ];
}

/** The same in IKEv1: AES-CBC and a hash, for IKE and for ESP. `realKe` computes key exchanges in full. */
export function sides1(
  over: Partial<Connection> = {},
  realKe = false,
  right: Partial<Connection> = {},
): [SideOptions, SideOptions] {
  const conn = {
    version: 1 as const,
    offers: offers('aes128-sha256-modp2048', 'ike'),
    children: [child({ offers: offers('aes128-sha256', 'esp') })],
    ...over,
  };
  return sides(conn, right, { realKe });
}
