// What it may mean that the peer says nothing: what it has answered before, and what the network says of our messages.
// Nothing of that is proven, so it ends nothing; it is for the operator alone.

import type { Ip, SocketAddress } from '../bytes/ip.ts';
import type { Connection, Millis } from './connection.ts';
import type { Reason } from './reason.ts';
import type { BaseState } from './state.ts';
import { ours } from './why.ts';
import { assignment, wordFor } from './words.ts';

/** What became of a message of ours, as far as the kernel or a router has told. */
export interface Trouble {
  /**
   * `closed`: the peer's host has nothing on that port, or a firewall says so in its place. `unreachable`, `forbidden`: a
   * router says so. `unsent`: our own kernel did not take it; `unrouted`: for lack of a route; `blocked`: because a
   * firewall here forbids it.
   */
  readonly kind: 'closed' | 'unreachable' | 'forbidden' | 'unsent' | 'unrouted' | 'blocked';
  readonly at: Millis;
}

/** Our own kernel says so at once and of that very message: it is certain, and over with the next one. */
const CERTAIN: ReadonlySet<Trouble['kind']> = new Set(['unsent', 'unrouted', 'blocked']);

/** What a firewall of our own forbids it may reject, too, as if the peer's host did. */
export function troubled(state: Pick<BaseState, 'trouble'>, trouble: Trouble): void {
  const known = state.trouble && CERTAIN.has(state.trouble.kind);
  if (!known || CERTAIN.has(trouble.kind)) state.trouble = trouble;
}

/** Another message goes out, or the same once more. */
export function triedAgain(state: Pick<BaseState, 'trouble'>): void {
  if (state.trouble && CERTAIN.has(state.trouble.kind)) delete state.trouble;
}

/** What the operator was told of the silence last, and how often he was. */
export interface Told {
  readonly code: Reason['code'];
  readonly times: number;
}

/** Something else than before. What the network says may be forged, so it is not told more often than we have asked. */
export function isNews({ code }: Reason, asked: { readonly transmissions: number; told?: Told }): boolean {
  const { told } = asked;
  if (told && (told.code === code || told.times > asked.transmissions)) return false;
  asked.told = { code, times: (told?.times ?? 0) + 1 };
  return true;
}

export interface Unanswered {
  /** The message or exchange that has no answer. */
  readonly what: string;
  /** The one that had; nothing where the peer has never been heard. */
  readonly before?: string | undefined;
  /** Since when it is asked. */
  readonly since: Millis;
}

interface Party {
  readonly state: Pick<BaseState, 'version' | 'local' | 'remote' | 'phase' | 'trouble'>;
  readonly conn: Connection;
}

/** Without the time that it lasts. */
export function silence(party: Party, asked: Unanswered): Reason {
  const { conn, state } = party;
  const { remote } = state;
  const trouble = state.trouble && state.trouble.at >= asked.since ? told(party, state.trouble) : undefined;
  if (established(state)) return lost(party, trouble);
  if (trouble) return { ...trouble, peer: remote };
  if (asked.before === undefined) return never(party);
  return remote.port === conn.remotePort ? stopped(party, asked) : moved(party, asked);
}

/** It has lasted long enough: who has been there is dead, which decides what becomes of its children. */
export function final({ state }: Party, reason: Reason): Reason {
  return established(state) ? { ...reason, code: 'peer-dead' } : reason;
}

/** How long it has lasted, and how often it was said. */
export function lasting(reason: Reason, seconds: number, transmissions?: number): Reason {
  const times = transmissions === undefined ? '' : `, sent ${transmissions} times`;
  return { ...reason, text: `${reason.text} (for ${seconds} s${times})` };
}

function established({ phase }: Party['state']): boolean {
  return phase !== 'init' && phase !== 'auth';
}

function never({ conn, state: { remote, version } }: Party): Reason {
  const { where, place } = address(conn);
  return {
    code: 'no-answer',
    text: `no answer from ${formatPort(remote)}`,
    remedy: `check that ${remote.ip} is the peer's address${ours(place)}, that the peer runs and speaks IKEv${version}, and that UDP 500 and 4500 pass in both directions; where the peer is behind a NAT, let it begin`,
    peer: remote,
    ...where,
  };
}

/** A message of ours was answered, and the next one, on the same port, is not. */
function stopped({ conn, state: { remote } }: Party, { what, before }: Unanswered): Reason {
  const place = conn.where.get('fragmentation') ?? conn.where.get('fragment_size') ?? conn.where.get('');
  return {
    code: 'stopped-answering',
    text: `${formatPort(remote)} answered ${before}, and does not answer ${what}`,
    remedy: `the peer's log should say what it dislikes; if it never got the message, large UDP packets are lost on the way: lower \`${wordFor(conn, 'fragment_size')}\`${ours(place)}`,
    peer: remote,
    ...(place ? { where: place } : {}),
  };
}

/** What follows IKE_SA_INIT, or message 4 of main mode, goes to another port where a NAT is seen or UDP forced. */
function moved({ conn, state: { remote, version } }: Party, { what, before }: Unanswered): Reason {
  const place = conn.where.get('encap') ?? conn.where.get('');
  // Without a NAT, and where nothing forces it, all of it would have stayed on the first port.
  const key =
    version === 1 && !conn.aggressive
      ? '; if it passes, compare the pre-shared keys: some peers say nothing where they differ'
      : '';
  return {
    code: 'unanswered-4500',
    text: `${remote.ip} answered ${before} on UDP ${conn.remotePort}, and does not answer ${what} on UDP ${remote.port}: most likely that port is blocked on the way`,
    remedy: `permit UDP ${remote.port} in both directions in every firewall between the gateways${key}`,
    peer: remote,
    ...(place ? { where: place } : {}),
  };
}

/** The peer has been there, and may be there yet. */
function lost({ conn, state: { remote } }: Party, trouble: Reason | undefined): Reason {
  const place = conn.where.get('dpd_delay') ?? conn.where.get('');
  const [child] = conn.children;
  const dpd = child ? assignment(child, 'dpd_action', 'restart') : 'dpd_action = restart';
  return {
    code: 'no-answer',
    text: trouble ? `no answer from ${formatPort(remote)}: ${trouble.text}` : `no answer from ${formatPort(remote)}`,
    remedy:
      trouble?.remedy ??
      `check the path to ${remote.ip} and whether the peer still runs; \`${dpd}\` begins the child anew by itself`,
    peer: remote,
    ...(place ? { where: place } : {}),
  };
}

function told({ conn, state: { local, remote } }: Party, { kind }: Trouble): Reason {
  const { where, place } = address(conn);
  const peer = `${remote.ip} is the peer's address${ours(place)}`;
  switch (kind) {
    case 'closed':
      return {
        code: 'not-listening',
        text: `UDP ${remote.port} of ${remote.ip} is told to be unreachable: nothing listens there, or a firewall on the way rejects it`,
        remedy: `start the IKE daemon there, check that ${peer}, or permit UDP 500 and 4500 where they are rejected`,
        ...where,
      };
    case 'unreachable':
      return {
        code: 'unreachable',
        text: `a router, or our own kernel, says that ${remote.ip} cannot be reached`,
        remedy: `check that ${peer}, that it is switched on, and the routes to it (ip route get ${remote.ip})`,
        ...where,
      };
    case 'forbidden':
      return {
        code: 'unreachable',
        text: `a firewall on the way to ${remote.ip} says that it forbids UDP ${remote.port}`,
        remedy: `permit UDP 500 and 4500 in both directions in every firewall between the gateways`,
        ...where,
      };
    case 'unrouted':
      return noRoute(conn, [remote.ip]);
    case 'blocked':
      return {
        code: 'not-sent',
        text: `a firewall of this host forbids what we send from ${local.ip} to ${formatPort(remote)}`,
        by: 'us',
        remedy: 'permit UDP 500 and 4500 on the way out (nft list ruleset; iptables -S OUTPUT)',
        ...where,
      };
    case 'unsent':
      return {
        code: 'not-sent',
        text: `the kernel refuses to send from ${local.ip} to ${formatPort(remote)}`,
        by: 'us',
        remedy: `check that ${local.ip} is an address of this host, and the route to the peer (ip route get ${remote.ip} from ${local.ip})`,
        ...where,
      };
  }
}

export function noRoute(conn: Connection, remotes: readonly Ip[]): Reason {
  const { where, place } = address(conn);
  return {
    code: 'no-route',
    text: `this host has no route to ${remotes.join(', ')}`,
    by: 'us',
    remedy: `add a route (ip route get ${remotes[0]}), or check that ${remotes.join(' or ')} is the peer's address${ours(place)}`,
    ...where,
  };
}

function address(conn: Connection) {
  const place = conn.where.get('remote_addrs') ?? conn.where.get('');
  return { place, where: place ? { where: place } : {} };
}

function formatPort({ ip, port }: SocketAddress): string {
  return `${ip} on UDP ${port}`;
}
