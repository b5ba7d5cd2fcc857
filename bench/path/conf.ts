// The configuration of both gateways of an IPsec tunnel, in the language that Espalier and strongSwan both read: one
// tunnel that is busy, and as many beside it as are asked for, each with subnets of its own.

import { A, B } from '../../test/support/sites.ts';

export type Side = 'a' | 'b';

export interface Layout {
  /** Proposal of the child SAs. */
  readonly esp: string;
  readonly udp: boolean;
  /** All of them, the busy one too. */
  readonly tunnels: number;
}

/** The connection whose child `net` is the busy tunnel. */
export const BUSY = 'gw';
/** Children of one IKE SA among the others. */
const CHILDREN = 100;
const MOST = 1 << 16;

/** The connections of the tunnels beside the busy one. */
export function others({ tunnels }: Pick<Layout, 'tunnels'>): readonly string[] {
  return Array.from({ length: Math.ceil((tunnels - 1) / CHILDREN) }, (_, i) => `more${i}`);
}

export function configuration(layout: Layout, side: Side): string {
  if (!(layout.tunnels >= 1 && layout.tunnels <= MOST)) throw new Error(`1 to ${MOST} tunnels, not ${layout.tunnels}`);
  const nets = { a: A.net, b: B.net };
  const busy = connection(layout, side, BUSY, [child(layout, side, 'net', nets)]);
  const rest = others(layout).map((name, group) => {
    const first = group * CHILDREN;
    const size = Math.min(CHILDREN, layout.tunnels - 1 - first);
    const children = Array.from({ length: size }, (_, i) => child(layout, side, `net${first + i}`, subnets(first + i)));
    return connection(layout, side, name, children);
  });
  return `connections {\n${busy}${rest.join('')}}\nsecrets {\n  ike-all {\n    secret = "a word for the bench"\n  }\n}\n`;
}

/** A host in 10.64.0.0/16 and one in 10.128.0.0/16. */
function subnets(tunnel: number): Readonly<Record<Side, string>> {
  const low = `${tunnel >> 8}.${tunnel & 0xff}`;
  return { a: `10.64.${low}/32`, b: `10.128.${low}/32` };
}

function connection({ udp }: Layout, side: Side, name: string, children: readonly string[]): string {
  const outside = { a: A.outside, b: B.outside };
  const peer = side === 'a' ? 'b' : 'a';
  return `  ${name} {
    version = 2
    local_addrs = ${outside[side]}
    remote_addrs = ${outside[peer]}
    proposals = aes128gcm16-prfsha256-x25519
    mobike = no
    ${udp ? 'encap = yes' : ''}
    local {
      auth = psk
      id = ${name}.${side}.test
    }
    remote {
      auth = psk
      id = ${name}.${peer}.test
    }
    children {
${children.join('')}    }
  }
`;
}

function child({ esp }: Layout, side: Side, name: string, nets: Readonly<Record<Side, string>>): string {
  return `      ${name} {
        local_ts = ${nets[side]}
        remote_ts = ${nets[side === 'a' ? 'b' : 'a']}
        esp_proposals = ${esp}
        rekey_time = 4h
        start_action = none
      }
`;
}
