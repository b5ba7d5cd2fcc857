// Two Espaliers at the two sites, with nothing configured but what a test is about.

import { Espalier } from './espalier.ts';
import { A, B, inSites, type Sites } from './sites.ts';

/** Whose configuration it is, and who the peer is. */
export type Ends = readonly [ours: typeof A | typeof B, theirs: typeof A | typeof B];

export interface Wanted {
  /** Without an address of its own. */
  readonly anywhere?: boolean;
  /** Further lines of the connection `gw`. */
  readonly conn?: readonly string[];
  /** Further lines of its child `net`, and of `net6` where there is one. */
  readonly child?: readonly string[];
  /** The networks of IPv6, too: the child `net6`. */
  readonly both?: boolean;
  /** Further children, whole. */
  readonly children?: string;
  /** Further connections, whole. */
  readonly connections?: string;
}

export const SECRET = 'a long enough one for a test';
export const AT_A: Ends = [A, B];
export const AT_B: Ends = [B, A];

/** swanctl.conf. */
export function conf([ours, theirs]: Ends, wanted: Wanted = {}): string {
  const { anywhere = false, conn = [], child = [], both = false, children = '', connections = '' } = wanted;
  const lines = (all: readonly string[], indent: number) => all.join(`\n${' '.repeat(indent)}`);
  const networks = (name: string, local: string, remote: string) => `${name} {
        ${lines([`local_ts = ${local}`, `remote_ts = ${remote}`, ...child], 8)}
      }`;
  const own = anywhere ? [] : [`local_addrs = ${ours.outside}`];
  return `connections {
  gw {
    ${lines([...own, `remote_addrs = ${theirs.outside}`, ...conn], 4)}
    local { auth = psk }
    remote { auth = psk }
    children {
      ${networks('net', ours.net, theirs.net)}
      ${both ? networks('net6', ours.net6, theirs.net6) : ''}
      ${children}
    }
  }
  ${connections}
}
secrets {
  ike {
    secret = "${SECRET}"
  }
}
`;
}

/** Both run; neither has begun anything that its configuration does not say. */
export function gateways(
  confs: { readonly a: string; readonly b: string },
  act: (net: Sites, a: Espalier, b: Espalier) => Promise<void>,
): Promise<void> {
  return inSites(async (net) => {
    const a = await Espalier.start(net.topology, net.gwa, { conf: confs.a });
    const b = await Espalier.start(net.topology, net.gwb, { conf: confs.b });
    await act(net, a, b);
  });
}
