// nf_tables as `nft -j list ruleset` prints it (libnftables-json(5)), as far as it decides about packets.

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface Rule {
  readonly handle: number;
  readonly comment: string | undefined;
  readonly statements: readonly Json[];
}

export interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  /** Undefined for chains that are only jumped to. */
  readonly hook: string | undefined;
  readonly type: string | undefined;
  readonly priority: number;
  readonly policy: string;
  readonly rules: Rule[];
}

export interface Ruleset {
  readonly chains: readonly Chain[];
  /** Elements of named sets and maps, by `setKey`. */
  readonly sets: ReadonlyMap<string, readonly Json[]>;
}

export function setKey(chain: Pick<Chain, 'family' | 'table'>, name: string): string {
  return `${chain.family} ${chain.table} ${name}`;
}

/** Undefined where the text is something else. */
export function parseRuleset(text: string): Ruleset | undefined {
  const items = itemsOf(text);
  if (!items) return undefined;
  const chains = new Map<string, Chain>();
  const sets = new Map<string, readonly Json[]>();
  for (const item of items) {
    const chain = entry(item, 'chain');
    if (chain) chains.set(keyOf(chain, 'name'), chainOf(chain));
    const rule = entry(item, 'rule');
    if (rule) chains.get(keyOf(rule, 'chain'))?.rules.push(ruleOf(rule));
    const set = entry(item, 'set') ?? entry(item, 'map');
    if (set) sets.set(keyOf(set, 'name'), Array.isArray(set.elem) ? set.elem : []);
  }
  return { chains: [...chains.values()], sets };
}

type Entry = { readonly [key: string]: Json };

function itemsOf(text: string): readonly Json[] | undefined {
  try {
    const whole: Json = JSON.parse(text);
    const items = isEntry(whole) ? whole.nftables : undefined;
    return Array.isArray(items) ? items : undefined;
  } catch {
    // Not JSON: an nft without it.
    return undefined;
  }
}

export function isEntry(value: Json | undefined): value is Entry {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function entry(item: Json, kind: string): Entry | undefined {
  const found = isEntry(item) ? item[kind] : undefined;
  return isEntry(found) ? found : undefined;
}

function keyOf(of: Entry, name: string): string {
  return `${of.family} ${of.table} ${of[name]}`;
}

function chainOf({ family, table, name, hook, type, prio, policy }: Entry): Chain {
  return {
    family: String(family),
    table: String(table),
    name: String(name),
    hook: typeof hook === 'string' ? hook : undefined,
    type: typeof type === 'string' ? type : undefined,
    priority: typeof prio === 'number' ? prio : 0,
    policy: typeof policy === 'string' ? policy : 'accept',
    rules: [],
  };
}

function ruleOf({ handle, comment, expr }: Entry): Rule {
  return {
    handle: typeof handle === 'number' ? handle : 0,
    comment: typeof comment === 'string' ? comment : undefined,
    statements: Array.isArray(expr) ? expr : [],
  };
}
