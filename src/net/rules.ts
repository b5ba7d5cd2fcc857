// Rules of routing of our own (ARCHITECTURE §4). With priority 220:
//
//   218: iif TUN goto 220             says who runs here, and lets pass what comes out of the tunnels
//   220: not fwmark MARK lookup 220   our own sockets' packets never take a tunnel
//
// and others with 218 and 219 where they have to serve as guards (net/ruleguards.ts).

import { isDeepStrictEqual } from 'node:util';
import type { Prefix } from '../bytes/ip.ts';
import { EBUSY, ENODEV, failedWith, SystemError } from './error.ts';
import { linkNamed } from './link.ts';
import { deleteRule, dumpRules, type Family, familyOf, type Rule, readRule } from './rtnetlink.ts';
import type { Rtnl } from './rtnl.ts';

/** Who we are in the `proto` column of routes and rules: what carries it and was not made by us is a leftover. */
export const PROTOCOL = 220;

export class Rules {
  readonly #rtnl: Rtnl;
  readonly #priority: number;

  constructor(rtnl: Rtnl, priority: number) {
    this.#rtnl = rtnl;
    this.#priority = priority;
  }

  lookup(family: Family, table: number, mark: number): Rule {
    const rule = this.#rule(family, this.#priority, { type: 'table', table });
    return { ...rule, mark: { value: mark, mask: 0xffffffff, not: true } };
  }

  passFrom(family: Family, iif: string): Rule {
    return { ...this.#pass(family), iif };
  }

  pass(source: Prefix): Rule {
    return { ...this.#pass(familyOf(source.address)), source };
  }

  drop(source: Prefix): Rule {
    return { ...this.#rule(familyOf(source.address), this.#priority - 1, { type: 'blackhole' }), source };
  }

  /** All but `kept`, without which nothing would be blocked for a moment; true when that is there. */
  sweep(family: Family, kept: Rule): boolean {
    let found = false;
    for (const rule of this.#ours(family)) {
      if (!found && isDeepStrictEqual(rule, kept)) found = true;
      else this.#rtnl.withdraw(deleteRule(rule));
    }
    return found;
  }

  /** A device of our kind goes with its process: a rule for one that exists belongs to a daemon that runs. */
  refuseLiving(family: Family, tun: string): void {
    for (const { iif } of this.#ours(family)) {
      if (iif === undefined || iif === 'lo' || iif === tun || !this.#exists(iif)) continue;
      const hint = `another Espalier runs here, with the device ${iif}; one network namespace has room for one`;
      throw new SystemError('rules', EBUSY, hint);
    }
  }

  #exists(name: string): boolean {
    try {
      this.#rtnl.query(linkNamed(name));
      return true;
    } catch (error) {
      if (failedWith(error, ENODEV)) return false;
      throw error;
    }
  }

  #ours(family: Family): Rule[] {
    const rules = this.#rtnl.dump(dumpRules(family)).map(readRule);
    return rules.filter((rule) => rule !== undefined).filter((rule) => this.#isOurs(rule));
  }

  #isOurs({ protocol, priority }: Rule): boolean {
    return protocol === PROTOCOL && priority <= this.#priority && priority >= this.#priority - 2;
  }

  #rule(family: Family, priority: number, action: Rule['action']): Rule {
    return { family, priority, protocol: PROTOCOL, source: undefined, iif: undefined, mark: undefined, action };
  }

  #pass(family: Family): Rule {
    return this.#rule(family, this.#priority - 2, { type: 'goto', priority: this.#priority });
  }
}
