// What two gateways are configured to be, written once for both programs in the language that both read.

import type { EspalierOptions } from '../support/espalier.ts';
import type { Gateway } from '../support/gateway.ts';
import { A, B } from '../support/sites.ts';

export type Kind = Gateway['kind'];
export type Side = 'a' | 'b';
export type Family = 4 | 6;

export interface Plan {
  readonly a: Kind;
  readonly b: Kind;
  readonly nat?: boolean;
  /** A router on the way that neither knows of. */
  readonly hop?: boolean;
  /** Family between the gateways. */
  readonly outside?: Family;
  /** A connection for either family outside: `gw` with `net` over IPv4, `gw6` with `net6` over IPv6. One is used at a time. */
  readonly both?: boolean;
  /** Families of the networks behind them. */
  readonly inside?: readonly Family[];
  /** Of IKE: 2. */
  readonly version?: 1 | 2;
  readonly ike?: string;
  readonly esp?: string;
  /** AH instead of ESP. */
  readonly ah?: string;
  /** In transport mode the networks behind the gateways have no part in it: the two talk to each other. */
  readonly mode?: 'tunnel' | 'transport';
  /** libipsec takes ESP in UDP only. Between two Espaliers `auto` means protocol 50. */
  readonly encap?: 'auto' | 'yes';
  /** What one side has otherwise: to make the two disagree. */
  readonly differs?: Partial<Record<Side, Partial<Words>>>;
  /** Further lines of the connection and the child, for both sides. */
  readonly conn?: string;
  readonly child?: string;
  /** How Espaliers are started, on either side. */
  readonly daemon?: Pick<EspalierOptions, 'args' | 'env' | 'program' | 'owner'>;
}

/** The words of one connection on one side. */
export interface Words {
  readonly version: 1 | 2;
  readonly local: string;
  readonly remote: string;
  readonly localId: string;
  readonly remoteId: string;
  readonly psk: string;
  readonly ike: string;
  readonly esp: string;
  readonly ah: string | undefined;
  readonly mode: 'tunnel' | 'transport';
  readonly localTs: string;
  readonly remoteTs: string;
  readonly encap: 'auto' | 'yes';
  readonly conn: string;
  readonly child: string;
}

export const PSK = 'a shared word of some length';
export const ID = { a: 'a.espalier.test', b: 'b.espalier.test' } as const;

/** What the connection that is used is called, and its child. */
export function namesOf({ both, outside }: Plan): { readonly ike: string; readonly child: string } {
  return both && outside === 6 ? { ike: 'gw6', child: 'net6' } : { ike: 'gw', child: 'net' };
}

/** swanctl.conf, in the part of the language that both programs read. */
export function swanctlConf(plan: Plan, side: Side): string {
  const plans = plan.both ? ([4, 6] as const).map((outside) => ({ ...plan, outside })) : [plan];
  const { localId, remoteId, psk } = wordsOf(plan, side);
  return `
connections {
${plans.map((one) => connection(wordsOf(one, side), namesOf(one))).join('')}
}
secrets {
  ike-gw {
    id-1 = ${localId}
    id-2 = ${remoteId}
    secret = "${psk}"
  }
}
`;
}

function connection(words: Words, names: ReturnType<typeof namesOf>): string {
  return `
  ${names.ike} {
    version = ${words.version}
    local_addrs = ${words.local}
    remote_addrs = ${words.remote}
    proposals = ${words.ike}
    ${words.encap === 'yes' ? 'encap = yes' : ''}
    mobike = no
    ${words.conn}
    local {
      auth = psk
      id = ${words.localId}
    }
    remote {
      auth = psk
      id = ${words.remoteId}
    }
    children {
      ${names.child} {
        local_ts = ${words.localTs}
        remote_ts = ${words.remoteTs}
        ${words.ah === undefined ? `esp_proposals = ${words.esp}` : `ah_proposals = ${words.ah}`}
        mode = ${words.mode}
        start_action = none
        ${words.child}
      }
    }
  }
`;
}

function wordsOf(plan: Plan, side: Side): Words {
  const { outside = 4, inside = [4] } = plan;
  const four = outside === 4;
  const seen = four ? A.outside : A.outside6;
  const own = plan.nat ? (four ? A.behind : A.behind6) : seen;
  const other = four ? B.outside : B.outside6;
  const mode = plan.mode ?? 'tunnel';
  const nets = (site: typeof A | typeof B) =>
    mode === 'transport'
      ? 'dynamic[udp], dynamic[tcp]'
      : inside.map((family) => (family === 4 ? site.net : site.net6)).join(', ');
  const libipsec = plan.a === 'strongswan' || plan.b === 'strongswan';
  const shared = {
    version: plan.version ?? 2,
    psk: PSK,
    ike: plan.ike ?? 'aes128gcm16-prfsha256-x25519',
    esp: plan.esp ?? 'aes128gcm16',
    ah: plan.ah,
    mode,
    encap: plan.encap ?? (libipsec ? 'yes' : 'auto'),
    conn: plan.conn ?? '',
    child: plan.child ?? '',
  } as const;
  const a: Words = {
    ...shared,
    local: own,
    remote: other,
    localId: ID.a,
    remoteId: ID.b,
    localTs: nets(A),
    remoteTs: nets(B),
  };
  // Behind a NAT the address that b sees is not known beforehand.
  const remote = plan.nat ? '%any' : seen;
  const b: Words = {
    ...shared,
    local: other,
    remote,
    localId: ID.b,
    remoteId: ID.a,
    localTs: nets(B),
    remoteTs: nets(A),
  };
  return { ...(side === 'a' ? a : b), ...plan.differs?.[side] };
}
