// Sends an imagined packet through nf_tables. What cannot be known of it (its mark, how many came before) makes a match
// uncertain, and behind an uncertain "accept" nothing is certain any more: only a drop that is evident is told.

import { compare } from '../../bytes/bytes.ts';
import { parseIp, parsePrefix, prefixRange } from '../../bytes/ip.ts';
import { type Chain, isEntry, type Json, type Rule, type Ruleset, setKey } from './ruleset.ts';

export interface Probe {
  readonly version: 4 | 6;
  /** In the order in which the packet passes them. */
  readonly hooks: readonly string[];
  readonly protocol: number;
  readonly sport?: number;
  readonly dport?: number;
  /** Names of devices. */
  readonly iif?: string;
  readonly oif?: string;
  readonly source?: Uint8Array;
  readonly destination?: Uint8Array;
  readonly state: 'new' | 'established';
}

export interface Drop {
  readonly chain: Chain;
  /** Undefined where it is the chain's policy. */
  readonly rule: Rule | undefined;
}

/** Chains of NAT see the first packet only, and translate it. */
const FILTERS = ['filter', 'route'];
/** Guards of our own are meant to drop. */
const OURS = 'espalier';

/** Where this packet is dropped for certain; undefined where it passes, or may pass. */
export function dropOf(ruleset: Ruleset, probe: Probe): Drop | undefined {
  for (const hook of probe.hooks) {
    const chains = ruleset.chains
      .filter((chain) => chain.hook === hook && FILTERS.includes(chain.type ?? '') && concerns(chain, probe))
      .sort((a, b) => a.priority - b.priority);
    for (const chain of chains) {
      const outcome = new Walk(ruleset, probe, hook).chain(chain);
      if (outcome.end === 'drop') return { chain, rule: outcome.rule };
      if (outcome.end === 'through' && chain.policy === 'drop') return { chain, rule: undefined };
    }
  }
  return undefined;
}

/** Whether a packet is let through by a rule of this base chain, for certain. */
export function accepts(ruleset: Ruleset, chain: Chain, probe: Probe): boolean {
  return new Walk(ruleset, probe, chain.hook ?? '').chain(chain).end === 'accept';
}

function concerns({ family, table }: Chain, { version }: Probe): boolean {
  if (table === OURS) return false;
  return family === 'inet' || family === (version === 4 ? 'ip' : 'ip6');
}

type Certain = true | false | undefined;

/** `through`: at the end of the chain; `unsure`: it may have been accepted. */
type Outcome = { readonly end: 'accept' | 'through' | 'unsure' } | { readonly end: 'drop'; readonly rule: Rule };

const THROUGH: Outcome = { end: 'through' };
const UNSURE: Outcome = { end: 'unsure' };
/** The kernel allows no more jumps in one another. */
const DEEPEST = 16;

class Walk {
  readonly #ruleset: Ruleset;
  readonly #probe: Probe;
  readonly #hook: string;

  constructor(ruleset: Ruleset, probe: Probe, hook: string) {
    this.#ruleset = ruleset;
    this.#probe = probe;
    this.#hook = hook;
  }

  chain(chain: Chain, depth = 0): Outcome {
    if (depth > DEEPEST) return UNSURE;
    for (const rule of chain.rules) {
      const outcome = this.#rule(chain, rule, depth);
      if (outcome === 'return') return THROUGH;
      if (outcome) return outcome;
    }
    return THROUGH;
  }

  /** Undefined: the next rule. */
  #rule(chain: Chain, rule: Rule, depth: number): Outcome | 'return' | undefined {
    let certain = true;
    let undecided = false;
    for (const statement of rule.statements) {
      if (!isEntry(statement)) continue;
      const matched = this.#matches(chain, statement);
      if (matched === false) return undefined;
      if (matched === undefined) certain = false;
      const verdict = this.#verdict(chain, statement);
      if (verdict === 'unknown') undecided = true;
      else if (verdict !== undefined) return this.#act(chain, rule, verdict, certain && !undecided, depth);
    }
    return undecided ? UNSURE : undefined;
  }

  #act(chain: Chain, rule: Rule, verdict: Entry, certain: boolean, depth: number): Outcome | 'return' | undefined {
    if ('accept' in verdict) return certain ? { end: 'accept' } : UNSURE;
    // A drop that may concern the packet is not evident, and whether it goes on is another question.
    if ('drop' in verdict || 'reject' in verdict) return certain ? { end: 'drop', rule } : undefined;
    if ('return' in verdict) return certain ? 'return' : UNSURE;
    const target = targetOf(verdict);
    const next = this.#ruleset.chains.find(
      ({ family, table, name }) => family === chain.family && table === chain.table && name === target,
    );
    if (!next) return UNSURE;
    const inner = this.chain(next, depth + 1);
    if (!certain) return inner.end === 'through' || inner.end === 'drop' ? undefined : UNSURE;
    if (inner.end !== 'through') return inner;
    return 'goto' in verdict ? 'return' : undefined;
  }

  /** The verdict that a statement is; 'unknown' where one depends on what we cannot see. */
  #verdict(chain: Chain, statement: Entry): Entry | 'unknown' | undefined {
    if (['accept', 'drop', 'reject', 'return', 'jump', 'goto'].some((word) => word in statement)) return statement;
    if (isEntry(statement.vmap)) return this.#mapped(chain, statement.vmap);
    // What lies beyond our sight ends a rule that goes on, or decides.
    return UNSEEN.some((word) => word in statement) ? 'unknown' : undefined;
  }

  #mapped(chain: Chain, { key, data }: Entry): Entry | 'unknown' | undefined {
    const pairs = this.#elements(chain, data);
    const value = this.#value(key);
    if (!pairs || value === undefined) return pairs?.every(isHarmless) ? undefined : 'unknown';
    for (const pair of pairs) {
      const [element, verdict] = Array.isArray(pair) ? pair : [];
      const fits = element === undefined ? undefined : this.#equals(chain, value, element);
      if (fits === undefined) return 'unknown';
      if (fits && isEntry(verdict)) return verdict;
    }
    return undefined;
  }

  /** Undefined where it cannot be told; true for statements that are no matches. */
  #matches(chain: Chain, statement: Entry): Certain {
    if ('limit' in statement || 'quota' in statement || 'xt' in statement || 'ct count' in statement) return undefined;
    const { match } = statement;
    if (!isEntry(match)) return true;
    const value = this.#value(match.left);
    if (value === undefined || match.right === undefined) return undefined;
    if (value === IMPOSSIBLE) return false;
    // Whether "not eth0" is true of no device at all depends on the kernel.
    if (value === ABSENT) return match.op === '!=' ? undefined : false;
    switch (match.op) {
      case '==':
      case 'in':
        return this.#equals(chain, value, match.right);
      case '!=':
        return not(this.#equals(chain, value, match.right));
      default:
        return undefined;
    }
  }

  /** What the packet has where an expression looks; undefined where we do not know. */
  #value(expression: Json | undefined): Value | undefined {
    if (!isEntry(expression)) return undefined;
    if (isEntry(expression.meta)) return this.#meta(String(expression.meta.key));
    if (isEntry(expression.payload))
      return this.#field(String(expression.payload.protocol), String(expression.payload.field));
    if (isEntry(expression.ct)) return expression.ct.key === 'state' ? this.#probe.state : undefined;
    if (isEntry(expression.fib)) return this.#fib(expression.fib);
    if (Array.isArray(expression.concat)) return this.#joined(expression.concat);
    return undefined;
  }

  #meta(key: string): Value | undefined {
    const { version, protocol, iif, oif } = this.#probe;
    switch (key) {
      case 'l4proto':
        return protocol;
      case 'nfproto':
        return version === 4 ? 'ipv4' : 'ipv6';
      case 'protocol':
        return version === 4 ? 'ip' : 'ip6';
      case 'iif':
      case 'iifname':
        if (this.#hook === 'postrouting') return undefined;
        return this.#hook === 'output' ? ABSENT : iif;
      case 'oif':
      case 'oifname':
        return this.#hook === 'prerouting' || this.#hook === 'input' ? ABSENT : oif;
      default:
        return undefined;
    }
  }

  #field(protocol: string, field: string): Value | undefined {
    const { version, source, destination, sport, dport } = this.#probe;
    switch (protocol) {
      case 'ip':
      case 'ip6':
        if ((protocol === 'ip') !== (version === 4)) return IMPOSSIBLE;
        if (field === 'saddr') return source;
        if (field === 'daddr') return destination;
        return field === 'protocol' || field === 'nexthdr' ? this.#probe.protocol : undefined;
      case 'th':
        break;
      default:
        if (PROTOCOLS.get(protocol) !== this.#probe.protocol) return PROTOCOLS.has(protocol) ? IMPOSSIBLE : undefined;
    }
    if (field === 'sport') return sport;
    return field === 'dport' ? dport : undefined;
  }

  /** `fib daddr type local`: on the way in a packet is for us. */
  #fib({ result, flags }: Entry): Value | undefined {
    const about = Array.isArray(flags) ? flags : [flags];
    const known =
      result === 'type' && about.length === 1 && about[0] === 'daddr' && this.#probe.hooks.includes('input');
    return known ? 'local' : undefined;
  }

  #joined(parts: readonly Json[]): Value | undefined {
    const values = parts.map((part) => this.#value(part));
    if (values.includes(IMPOSSIBLE) || values.includes(ABSENT)) return IMPOSSIBLE;
    return values.every((value) => value !== undefined) ? values : undefined;
  }

  #equals(chain: Chain, value: Value, right: Json): Certain {
    if (value === IMPOSSIBLE || value === ABSENT) return false;
    const elements = this.#elements(chain, right);
    if (elements) return any(elements.map((element) => this.#equals(chain, value, element)));
    if (isEntry(right)) {
      if (Array.isArray(right.concat)) return this.#equalsJoined(chain, value, right.concat);
      if (isEntry(right.elem) && right.elem.val !== undefined) return this.#equals(chain, value, right.elem.val);
      return inRange(value, right);
    }
    return isValue(value, right);
  }

  #equalsJoined(chain: Chain, value: Value, parts: readonly Json[]): Certain {
    if (!Array.isArray(value) || value.length !== parts.length) return undefined;
    return all(parts.map((part, i) => this.#equals(chain, value[i] as Value, part)));
  }

  /** Of a list, a set in place, or one with a name. */
  #elements(chain: Chain, right: Json | undefined): readonly Json[] | undefined {
    if (Array.isArray(right)) return right;
    if (isEntry(right) && Array.isArray(right.set)) return right.set;
    if (typeof right === 'string' && right.startsWith('@'))
      return this.#ruleset.sets.get(setKey(chain, right.slice(1)));
    return undefined;
  }
}

type Entry = { readonly [key: string]: Json };

/** What this packet cannot have, as a TCP port in UDP: nothing is equal to it, and nothing unequal either. */
const IMPOSSIBLE = Symbol('impossible');
/** No device, at a hook where there is none. */
const ABSENT = Symbol('absent');
type Value = number | string | Uint8Array | typeof IMPOSSIBLE | typeof ABSENT | readonly (Value | undefined)[];

/** Statements that may decide about a packet in a way that is not followed here. */
const UNSEEN = ['queue', 'tproxy', 'synproxy', 'xt', 'fwd', 'map', 'redirect', 'dnat', 'snat', 'masquerade'];

const PROTOCOLS = new Map([
  ['icmp', 1],
  ['tcp', 6],
  ['udp', 17],
  ['dccp', 33],
  ['esp', 50],
  ['ah', 51],
  ['icmpv6', 58],
  ['ipv6-icmp', 58],
  ['comp', 108],
  ['sctp', 132],
  ['udplite', 136],
]);

function targetOf(verdict: Entry): string | undefined {
  const leads = verdict.jump ?? verdict.goto;
  return isEntry(leads) && typeof leads.target === 'string' ? leads.target : undefined;
}

/** A map in which no packet is let through. */
function isHarmless(pair: Json): boolean {
  const [, verdict] = Array.isArray(pair) ? pair : [];
  return isEntry(verdict) && ('drop' in verdict || 'reject' in verdict || 'continue' in verdict);
}

function isValue(value: Value, right: Json): Certain {
  if (typeof value === 'number') {
    const number = typeof right === 'string' ? PROTOCOLS.get(right) : right;
    return typeof number === 'number' ? number === value : undefined;
  }
  if (value instanceof Uint8Array) {
    const prefix = typeof right === 'string' ? parsePrefix(right) : undefined;
    return prefix && within(value, prefixRange(prefix));
  }
  if (typeof value !== 'string' || typeof right !== 'string') return undefined;
  return right.endsWith('*') ? value.startsWith(right.slice(0, -1)) : value === right;
}

function inRange(value: Value, right: Entry): Certain {
  if (isEntry(right.prefix) && value instanceof Uint8Array) {
    const { addr, len } = right.prefix;
    const prefix = parsePrefix(`${addr}/${len}`);
    return prefix && within(value, prefixRange(prefix));
  }
  if (!Array.isArray(right.range)) return undefined;
  const [from, to] = right.range;
  if (typeof value === 'number' && typeof from === 'number' && typeof to === 'number')
    return from <= value && value <= to;
  if (value instanceof Uint8Array && typeof from === 'string' && typeof to === 'string') {
    const [start, end] = [parseIp(from), parseIp(to)];
    return start && end && within(value, { start, end });
  }
  return undefined;
}

function within(value: Uint8Array, { start, end }: { readonly start: Uint8Array; readonly end: Uint8Array }): boolean {
  return value.length === start.length && compare(start, value) <= 0 && compare(value, end) <= 0;
}

function not(certain: Certain): Certain {
  return certain === undefined ? undefined : !certain;
}

function any(some: readonly Certain[]): Certain {
  if (some.includes(true)) return true;
  return some.includes(undefined) ? undefined : false;
}

function all(some: readonly Certain[]): Certain {
  if (some.includes(false)) return false;
  return some.includes(undefined) ? undefined : true;
}
