// The configuration of a gateway with many connections, and of the one that is all of their peers: each connection with
// an address, an identity, a secret and a network of its own, as a platform's tenants have them. In both languages.

import { A } from '../../test/support/sites.ts';

export type Side = 'a' | 'b';
export const LANGUAGES = ['swanctl', 'ipsec'] as const;
export type Language = (typeof LANGUAGES)[number];

export interface Layout {
  readonly count: number;
  /** The network behind the peer of the first connection is another one. */
  readonly changed?: boolean;
}

/** What the peers' addresses are taken from, and the networks behind them: RFC 2544's and a private one. */
export const PEERS = '198.18.0.0/15';
/** In 10.128.0.0/9, each network with an unused one behind it. */
export const MOST = 16_384;

export interface Text {
  readonly conf: string;
  /** In ipsec.conf's language they stand in a file of their own. */
  readonly secrets?: string;
}

export function configuration(language: Language, side: Side, layout: Layout): Text {
  if (!(layout.count >= 1 && layout.count <= MOST)) throw new Error(`1 to ${MOST} connections, not ${layout.count}`);
  const tunnels = Array.from({ length: layout.count }, (_, n) => tunnel(side, n, layout));
  return language === 'swanctl' ? inSwanctl(tunnels) : inIpsec(tunnels);
}

export function nameOf(n: number): string {
  return `site${n}`;
}

interface Tunnel {
  readonly name: string;
  readonly own: End;
  readonly peer: End;
  readonly secret: string;
}

interface End {
  readonly address: string;
  readonly id: string;
  readonly net: string;
}

function tunnel(side: Side, n: number, { changed = false }: Layout): Tunnel {
  const name = nameOf(n);
  const first = 2 * n;
  // A wider one afterwards, which the other side narrows to what it has.
  const net = `10.${128 + (first >> 8)}.${first & 0xff}.0/${changed && n === 0 ? 23 : 24}`;
  const hub: End = { address: A.outside, id: `hub.${name}.example`, net: A.net };
  const spoke: End = { address: `198.18.${n >> 8}.${n & 0xff}`, id: `${name}.example`, net };
  const secret = `the secret of ${name} and of nobody else`;
  return side === 'a' ? { name, own: hub, peer: spoke, secret } : { name, own: spoke, peer: hub, secret };
}

function inSwanctl(tunnels: readonly Tunnel[]): Text {
  const connections = tunnels.map(
    ({ name, own, peer }) => `  ${name} {
    version = 2
    local_addrs = ${own.address}
    remote_addrs = ${peer.address}
    proposals = aes128gcm16-prfsha256-x25519
    local {
      auth = psk
      id = ${own.id}
    }
    remote {
      auth = psk
      id = ${peer.id}
    }
    children {
      net {
        local_ts = ${own.net}
        remote_ts = ${peer.net}
        esp_proposals = aes128gcm16
      }
    }
  }
`,
  );
  const secrets = tunnels.map(
    ({ name, own, peer, secret }) => `  ike-${name} {
    id-1 = ${own.id}
    id-2 = ${peer.id}
    secret = "${secret}"
  }
`,
  );
  return { conf: `connections {\n${connections.join('')}}\nsecrets {\n${secrets.join('')}}\n` };
}

function inIpsec(tunnels: readonly Tunnel[]): Text {
  const conns = tunnels.map(
    ({ name, own, peer }) => `conn ${name}
  keyexchange=ikev2
  authby=secret
  ike=aes128gcm16-prfsha256-x25519!
  esp=aes128gcm16!
  left=${own.address}
  leftid=${own.id}
  leftsubnet=${own.net}
  right=${peer.address}
  rightid=${peer.id}
  rightsubnet=${peer.net}
  auto=add
`,
  );
  const secrets = tunnels.map(({ own, peer, secret }) => `${own.id} ${peer.id} : PSK "${secret}"\n`);
  return { conf: `config setup\n\n${conns.join('\n')}`, secrets: secrets.join('') };
}
