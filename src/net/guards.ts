// Guards: clear packets that claim to come from a protected network and do not come out of the tunnel are dropped on
// their way through this host. Two ways: hash sets of nf_tables, whose cost does not grow with their number, and where
// the kernel has none, rules of routing, which every packet passes one by one.

import type { Prefix } from '../bytes/ip.ts';
import { EAFNOSUPPORT, EINVAL, ENOENT, EOPNOTSUPP, EPROTONOSUPPORT, failedWith, type SystemError } from './error.ts';
import type { Family } from './rtnetlink.ts';
import type { Rtnl } from './rtnl.ts';
import { openRuleGuards } from './ruleguards.ts';
import type { Rules } from './rules.ts';
import { openSetGuards, sweepSets } from './setguards.ts';

/** What is given is given once: uses are counted by the caller. What is not there need not be taken back. */
export interface Guards {
  guard(source: Prefix): void;
  unguard(source: Prefix): void;
  /** Runs `act`, which guards these: where it can be, they are laid in one go. */
  together(sources: readonly Prefix[], act: () => void): void;
  /** Its packets pass, though it lies inside a guarded network. */
  exempt(local: Prefix): void;
  unexempt(local: Prefix): void;
  /** Takes all of them back, or leaves them in force. */
  close(keep?: boolean): void;
}

export type GuardNews =
  /** The kernel has no nf_tables that would do: rules it is. */
  | { readonly kind: 'rules'; readonly error: SystemError }
  /** Somebody deleted the sets, with a flush of all there are perhaps, and they are back. */
  | { readonly kind: 'restored' };

export interface GuardOptions {
  readonly rtnl: Rtnl;
  readonly rules: Rules;
  /** Of the TUN device. */
  readonly index: number;
  readonly families: readonly Family[];
  readonly nftables: boolean;
  readonly onNews: (news: GuardNews) => void;
}

/** Sweeps away what a dead predecessor left in nf_tables; its rules are the caller's to sweep. */
export function openGuards(options: GuardOptions): Guards {
  if (options.nftables) {
    try {
      return openSetGuards(options);
    } catch (error) {
      if (!missing(error)) throw error;
      options.onNews({ kind: 'rules', error });
    }
  }
  try {
    sweepSets(options.families);
  } catch (error) {
    if (!missing(error)) throw error;
  }
  return openRuleGuards(options);
}

/** No netfilter sockets, no nf_tables behind them, or not the parts of it that are asked for. */
function missing(error: unknown): error is SystemError {
  return failedWith(error, EPROTONOSUPPORT, EOPNOTSUPP, EAFNOSUPPORT, ENOENT, EINVAL);
}
