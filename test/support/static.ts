// A child SA that nobody negotiates: the same keys and SPIs wherever it is made, for a data plane (staticmain.ts) and for
// the kernel at its other end (xfrm.ts).

import { createHash } from 'node:crypto';
import { parseIp, parsePrefix, prefixRange } from '../../src/bytes/ip.ts';
import { cipherShape, integrity } from '../../src/crypto/registry.ts';
import type { ProtectionKeys } from '../../src/crypto/types.ts';
import type { ChildSa } from '../../src/ike/effects.ts';
import type { Selector } from '../../src/ike/wire/ts.ts';
import { A, B } from './sites.ts';

export interface StaticChild {
  readonly protocol: 'esp' | 'ah';
  readonly mode: 'tunnel' | 'transport';
  /** Transform ids; no encryption in AH. */
  readonly encr: number;
  readonly keyBits: number | undefined;
  readonly integ: number;
  readonly esn: boolean;
  /** The first sequence number of either direction. */
  readonly first: number;
  readonly outside: 4 | 6;
}

const UDP = 17;
const TCP = 6;

/** As a has it; both directions are active. */
export function staticChild(id: number, of: StaticChild): ChildSa {
  const four = of.outside === 4;
  const [local, remote] = four ? [A.outside, B.outside] : [A.outside6, B.outside6];
  const tunnel = of.mode === 'tunnel';
  return {
    id,
    session: 1,
    conn: 'static',
    child: 'net',
    reqid: id,
    protocol: of.protocol,
    mode: of.mode,
    inbound: { spi: 0x1000 + id, keys: keys(of, `${id} to a`) },
    outbound: { spi: 0x2000 + id, keys: keys(of, `${id} to b`) },
    esn: of.esn,
    udp: false,
    natted: false,
    local: { ip: local, port: 500 },
    remote: { ip: remote, port: 500 },
    localTs: tunnel ? [network(A.net), network(A.net6)] : host(local),
    remoteTs: tunnel ? [network(B.net), network(B.net6)] : host(remote),
    replayWindow: 128,
    installRoutes: true,
    copyDf: true,
    copyEcn: true,
    copyDscp: 'out',
    mss: 'auto',
    limits: { softBytes: 0, hardBytes: 0, softPackets: 0, hardPackets: 0 },
    active: true,
  };
}

function keys({ protocol, encr, keyBits, integ }: StaticChild, label: string): ProtectionKeys {
  const shape = protocol === 'esp' ? cipherShape(encr, keyBits) : undefined;
  return {
    encr,
    keyBits,
    integ,
    encrKey: material(`${label} encryption`, shape ? shape.keySize + shape.saltSize : 0),
    integKey: material(`${label} integrity`, integrity(integ)?.keySize ?? 0),
  };
}

function material(label: string, size: number): Uint8Array {
  return createHash('shake256', { outputLength: Math.max(size, 1) })
    .update(label)
    .digest()
    .subarray(0, size);
}

function network(text: string): Selector {
  const prefix = parsePrefix(text);
  if (!prefix) throw new Error(`no prefix: ${text}`);
  return { protocol: 0, startPort: 0, endPort: 0xffff, ...prefixRange(prefix) };
}

/** Not ICMPv6: neighbours must find each other before there is an SA between them. */
function host(text: string): Selector[] {
  const ip = parseIp(text);
  if (!ip) throw new Error(`no address: ${text}`);
  return [UDP, TCP].map((protocol) => ({ protocol, startPort: 0, endPort: 0xffff, start: ip, end: ip }));
}
