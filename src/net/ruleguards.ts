// Guards as rules of routing, for kernels without nf_tables. With priority 219:
//
//   218: iif lo goto 220              what this host sends itself is not suspect
//   218: from LOCAL goto 220          nor a local network inside a guarded one
//   219: from SUBNET blackhole        anything else that claims to come from a protected subnet
//
// and `218: iif TUN goto 220`, which is always there (net/rules.ts). A `goto` leads to the table of the tunnels rather than past it: a
// packet out of one tunnel may be for another one. Every packet walks all of it.

import { formatPrefix, type Prefix } from '../bytes/ip.ts';
import type { GuardOptions, Guards } from './guards.ts';
import { addRule, deleteRule, type Family, type Rule } from './rtnetlink.ts';
import type { Rtnl } from './rtnl.ts';
import type { Rules } from './rules.ts';

export function openRuleGuards({ rtnl, rules, families }: GuardOptions): Guards {
  const guards = new RuleGuards(rtnl, rules);
  try {
    for (const family of families) guards.open(family);
    return guards;
  } catch (error) {
    guards.close();
    throw error;
  }
}

class RuleGuards implements Guards {
  readonly #rtnl: Rtnl;
  readonly #rules: Rules;
  readonly #installed = new Map<string, Rule>();

  constructor(rtnl: Rtnl, rules: Rules) {
    this.#rtnl = rtnl;
    this.#rules = rules;
  }

  open(family: Family): void {
    // Output is seen as coming in from `lo`.
    this.#install(`lo ${family}`, this.#rules.passFrom(family, 'lo'));
  }

  guard(source: Prefix): void {
    this.#install(`guard ${formatPrefix(source)}`, this.#rules.drop(source));
  }

  unguard(source: Prefix): void {
    this.#remove(`guard ${formatPrefix(source)}`);
  }

  /** A rule is a request of its own in any case. */
  together(_sources: readonly Prefix[], act: () => void): void {
    act();
  }

  exempt(local: Prefix): void {
    this.#install(`exempt ${formatPrefix(local)}`, this.#rules.pass(local));
  }

  unexempt(local: Prefix): void {
    this.#remove(`exempt ${formatPrefix(local)}`);
  }

  /** Newest first: the guards go before the rules that keep them off our own packets. */
  close(keep = false): void {
    if (keep) return;
    for (const name of [...this.#installed.keys()].reverse()) this.#remove(name);
  }

  #install(name: string, rule: Rule): void {
    this.#rtnl.change(addRule(rule));
    this.#installed.set(name, rule);
  }

  #remove(name: string): void {
    const rule = this.#installed.get(name);
    if (!rule || !this.#installed.delete(name)) return;
    this.#rtnl.withdraw(deleteRule(rule));
  }
}
