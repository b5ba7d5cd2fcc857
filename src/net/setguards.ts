// Guards as hash sets of nf_tables, a table in each family. `nft list table ip espalier`, for one:
//
//   set guarded-16 { type ipv4_addr; elements = { 10.2.0.0, 10.3.0.0 } }
//   set exempt-24 { type ipv4_addr; elements = { 10.2.9.0 } }
//   chain forged { counter drop }
//   chain forward {
//     type filter hook forward priority raw; policy accept;
//     iif "esp0" accept                                  what comes out of the tunnel is not suspect
//     ip saddr & 255.255.255.0 @exempt-24 accept         nor a local network inside a guarded one
//     ip saddr & 255.255.0.0 @guarded-16 goto forged     anything else that claims to come from a protected network
//   }
//
// A set and a rule for each length of prefix: a packet costs as many look-ups as there are lengths, and prefixes may
// overlap, which sets of intervals refuse. What is for this host itself does not come by: IKE, ESP and neighbour
// discovery of a peer inside a guarded network pass, as they do with rules, where the local table comes first.

import { hex } from '../bytes/bytes.ts';
import { type Prefix, prefixRange } from '../bytes/ip.ts';
import { ENOENT, failedWith } from './error.ts';
import type { GuardOptions, Guards } from './guards.ts';
import { DeletionWatch, Nfnl } from './nfnl.ts';
import {
  accepted,
  cameFrom,
  counted,
  deleteElements,
  deleteRules,
  deleteSet,
  deleteTable,
  dropped,
  type Expression,
  goTo,
  NF_IP_PRI_RAW,
  newChain,
  newElements,
  newForwardChain,
  newRule,
  newSet,
  newTable,
  oneTable,
  sourceIn,
  type Table,
} from './nftables.ts';
import { AF_INET, type Family, familyOf, type Request } from './rtnetlink.ts';

const NAME = 'espalier';
const COMMENT = 'Espalier: clear packets that claim to come from protected networks';
const FORWARD = 'forward';
const FORGED = 'forged';

/** Elements of one request, which has to fit into a datagram. */
const PORTION = 1000;

type Kind = 'exempt' | 'guarded';

export function openSetGuards({ families, index, onNews }: GuardOptions): Guards {
  const nfnl = new Nfnl();
  const parts = new Map(families.map((family) => [family, new Part(nfnl, family, index)]));
  try {
    for (const part of parts.values()) part.open();
    const watch = new DeletionWatch(() => {
      const restored = [...parts.values()].map((part) => part.restore());
      if (restored.includes(true)) onNews({ kind: 'restored' });
    });
    return new SetGuards(nfnl, parts, watch);
  } catch (error) {
    nfnl.close();
    throw error;
  }
}

/** Deletes what a dead predecessor left. */
export function sweepSets(families: readonly Family[]): void {
  const nfnl = new Nfnl();
  try {
    for (const family of families) remove(nfnl, { family, name: NAME });
  } finally {
    nfnl.close();
  }
}

function remove(nfnl: Nfnl, table: Table): void {
  try {
    nfnl.commit([deleteTable(table)]);
  } catch (error) {
    if (!failedWith(error, ENOENT)) throw error;
  }
}

class SetGuards implements Guards {
  readonly #nfnl: Nfnl;
  readonly #parts: Map<Family, Part>;
  readonly #watch: DeletionWatch;

  constructor(nfnl: Nfnl, parts: Map<Family, Part>, watch: DeletionWatch) {
    this.#nfnl = nfnl;
    this.#parts = parts;
    this.#watch = watch;
  }

  guard(source: Prefix): void {
    this.#part(source)?.add('guarded', source);
  }

  unguard(source: Prefix): void {
    this.#part(source)?.remove('guarded', source);
  }

  together(sources: readonly Prefix[], act: () => void): void {
    for (const part of this.#parts.values()) part.foresee('guarded', sources);
    try {
      act();
    } finally {
      for (const part of this.#parts.values()) part.settle('guarded');
    }
  }

  exempt(local: Prefix): void {
    this.#part(local)?.add('exempt', local);
  }

  unexempt(local: Prefix): void {
    this.#part(local)?.remove('exempt', local);
  }

  close(keep = false): void {
    this.#watch.close();
    if (!keep) for (const part of this.#parts.values()) part.close();
    this.#parts.clear();
    this.#nfnl.close();
  }

  #part({ address }: Prefix): Part | undefined {
    return this.#parts.get(familyOf(address));
  }
}

interface Members {
  readonly kind: Kind;
  readonly length: number;
  readonly keys: Map<string, Uint8Array>;
}

/** One family's table. */
class Part {
  readonly #nfnl: Nfnl;
  readonly #table: Table;
  /** Index of the TUN device. */
  readonly #inside: number;
  /** By name, which says kind and length. */
  readonly #sets = new Map<string, Members>();
  /** Members that nobody has added yet. */
  readonly #foreseen = new Map<string, Prefix>();

  constructor(nfnl: Nfnl, family: Family, inside: number) {
    this.#nfnl = nfnl;
    this.#table = { family, name: NAME };
    this.#inside = inside;
  }

  /** In place of what a dead predecessor left. */
  open(): void {
    this.#build();
    // What the kernel lacks shows now, and not with the first tunnel.
    const nowhere: Prefix = { address: new Uint8Array(this.#table.family === AF_INET ? 4 : 16), length: 8 };
    this.add('guarded', nowhere);
    this.remove('guarded', nowhere);
  }

  close(): void {
    remove(this.#nfnl, this.#table);
  }

  /** True when the table was gone. */
  restore(): boolean {
    if (this.#nfnl.has(oneTable(this.#table))) return false;
    this.#build();
    return true;
  }

  add(kind: Kind, prefix: Prefix): void {
    if (!this.#foreseen.delete(memberOf(kind, prefix))) this.#insert(kind, [prefix]);
  }

  remove(kind: Kind, prefix: Prefix): void {
    const name = nameOf(kind, prefix);
    const key = prefixRange(prefix).start;
    if (!this.#forget(name, key)) return;
    if (this.#sets.has(name)) this.#change([deleteElements(this.#table, name, [key])]);
    else this.#change([...this.#rules(), deleteSet(this.#table, name)]);
  }

  /** Adds those of this family, a transaction for each length of prefix. */
  foresee(kind: Kind, prefixes: readonly Prefix[]): void {
    const lengths = new Map<number, Prefix[]>();
    for (const prefix of prefixes) {
      if (familyOf(prefix.address) !== this.#table.family) continue;
      const same = lengths.get(prefix.length);
      if (same) same.push(prefix);
      else lengths.set(prefix.length, [prefix]);
    }
    for (const same of lengths.values()) {
      for (let at = 0; at < same.length; at += PORTION) this.#try(kind, same.slice(at, at + PORTION));
    }
  }

  /** Removes those that were foreseen, and not added. */
  settle(kind: Kind): void {
    for (const prefix of this.#foreseen.values()) this.remove(kind, prefix);
    this.#foreseen.clear();
  }

  #try(kind: Kind, prefixes: readonly Prefix[]): void {
    try {
      this.#insert(kind, prefixes);
    } catch {
      // One that cannot be had spoils it for all of them: each is tried again by itself, and fails by itself.
      return;
    }
    for (const prefix of prefixes) this.#foreseen.set(memberOf(kind, prefix), prefix);
  }

  /** All of one length. */
  #insert(kind: Kind, prefixes: readonly Prefix[]): void {
    const [first] = prefixes;
    if (!first) return;
    const name = nameOf(kind, first);
    const known = this.#sets.get(name);
    const set = known ?? { kind, length: first.length, keys: new Map() };
    const fresh = new Map(prefixes.map((prefix) => prefixRange(prefix).start).map((key) => [hex(key), key]));
    this.#sets.set(name, set);
    for (const [text, key] of fresh) set.keys.set(text, key);
    const elements = newElements(this.#table, name, [...fresh.values()]);
    try {
      this.#change(known ? [elements] : [newSet(this.#table, name, 1), elements, ...this.#rules()]);
    } catch (error) {
      for (const key of fresh.values()) this.#forget(name, key);
      throw error;
    }
  }

  #forget(name: string, key: Uint8Array): boolean {
    const set = this.#sets.get(name);
    if (!set?.keys.delete(hex(key))) return false;
    if (set.keys.size === 0) this.#sets.delete(name);
    return true;
  }

  /** Where somebody took away what is to be changed, all is made anew, the change with it. */
  #change(requests: readonly Request[]): void {
    try {
      this.#nfnl.commit(requests);
    } catch (error) {
      if (!failedWith(error, ENOENT)) throw error;
      this.#build();
    }
  }

  #build(): void {
    const table = this.#table;
    const sets = [...this.#sets];
    this.#nfnl.commit([
      // The first makes sure that there is one to delete.
      newTable(table, COMMENT),
      deleteTable(table),
      newTable(table, COMMENT),
      newChain(table, FORGED),
      newRule(table, FORGED, [counted, dropped]),
      newForwardChain(table, FORWARD, NF_IP_PRI_RAW),
      ...sets.map(([name], i) => newSet(table, name, i + 1)),
      ...this.#rules(),
    ]);
    for (const [name, { keys }] of sets) {
      const all = [...keys.values()];
      for (let at = 0; at < all.length; at += PORTION) {
        this.#nfnl.commit([newElements(table, name, all.slice(at, at + PORTION))]);
      }
    }
  }

  /** In place of those that are there. */
  #rules(): Request[] {
    const table = this.#table;
    const rule = (kind: Kind, verdict: Expression) =>
      [...this.#sets]
        .filter(([, set]) => set.kind === kind)
        .map(([name, { length }]) => newRule(table, FORWARD, [...sourceIn(table, length, name), verdict]));
    return [
      deleteRules(table, FORWARD),
      newRule(table, FORWARD, [...cameFrom(this.#inside), accepted]),
      ...rule('exempt', accepted),
      ...rule('guarded', goTo(FORGED)),
    ];
  }
}

function memberOf(kind: Kind, prefix: Prefix): string {
  return `${nameOf(kind, prefix)} ${hex(prefixRange(prefix).start)}`;
}

function nameOf(kind: Kind, { length }: Prefix): string {
  return `${kind}-${length}`;
}
