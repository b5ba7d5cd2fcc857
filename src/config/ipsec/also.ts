// What sections take over from others: `also=NAME`, and `%default` for all. strongSwan's order: a section's own settings
// count most, then those of its last `also` and what that one takes over, and so on to its first, `%default` last of all.
// A section that several ways lead to counts at the last of them.

import { nearest } from '../../bytes/nearest.ts';
import type { Setting } from '../cursor.ts';
import type { Findings } from '../error.ts';
import type { Section } from '../settings.ts';
import type { Written } from './parse.ts';

export interface Resolved {
  /** Without `%default`, in the order of the file. */
  readonly sections: readonly Section[];
  /** Names that an `also` has: their sections may be there for nothing else. */
  readonly used: ReadonlySet<string>;
}

const DEFAULT = '%default';
/** Sections one behind the other, and sections taken over by all of them together. */
const MAX_DEPTH = 64;
const MAX_ALL = 1_000_000;

export function resolveAlso(all: ReadonlyMap<string, Written>, findings: Findings): Resolved {
  const resolver = new Resolver(all, findings);
  const sections = [...all.values()].filter(({ name }) => name !== DEFAULT);
  return { sections: sections.map((section) => resolver.merged(section)), used: resolver.used };
}

class Resolver {
  readonly used = new Set<string>();
  readonly #all: ReadonlyMap<string, Written>;
  readonly #findings: Findings;
  readonly #known = new Map<Written, readonly Written[]>();
  /** Sections whose parents are being looked for, the innermost last. */
  readonly #following = new Set<Written>();
  #count = 0;

  constructor(all: ReadonlyMap<string, Written>, findings: Findings) {
    this.#all = all;
    this.#findings = findings;
    const standard = all.get(DEFAULT);
    if (!standard) return;
    this.#known.set(standard, []);
    for (const { key } of standard.also) findings.error(key, '"also" cannot stand in %default');
  }

  merged(section: Written): Section {
    const settings = new Map<string, Setting>();
    for (const layer of [section, ...this.#parents(section)]) {
      for (const [key, setting] of layer.settings) if (!settings.has(key)) settings.set(key, setting);
    }
    for (const [key, setting] of settings) if (setting.text === undefined) settings.delete(key);
    return { name: section.name, place: section.place, settings, sections: new Map(), references: [] };
  }

  /** The one that counts most first. */
  #parents(section: Written): readonly Written[] {
    const known = this.#known.get(section);
    if (known) return known;
    this.#following.add(section);
    const line: Written[] = [];
    for (const also of section.also.toReversed()) {
      const parent = this.#find(also);
      if (!parent) continue;
      const more = this.#parents(parent);
      this.#count += more.length + 1;
      line.push(parent);
      for (const one of more) line.push(one);
    }
    this.#following.delete(section);
    const standard = this.#all.get(DEFAULT);
    if (line.length === 0 && standard) line.push(standard);
    const parents = [...new Set(line.toReversed())].toReversed();
    this.#known.set(section, parents);
    return parents;
  }

  #find({ text: name = '', place }: Setting): Written | undefined {
    if (name === '' || name === DEFAULT) return undefined;
    const found = this.#all.get(name);
    if (!found) {
      if (this.#findings.full) return undefined;
      const near = nearest(name, this.#all.keys());
      return this.#findings.error(place, `there is no section "${name}" to take over from`, near);
    }
    this.used.add(name);
    if (this.#following.has(found))
      return this.#findings.error(place, 'sections take over from each other in a circle');
    if (this.#following.size > MAX_DEPTH || this.#count > MAX_ALL) {
      return this.#findings.error(place, 'too many sections take over from each other');
    }
    return found;
  }
}
