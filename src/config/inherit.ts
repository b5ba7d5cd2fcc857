// Section references (`conn-a : defaults { … }`, strongswan.conf(5)): a section takes over what the sections it names
// have and it has not, their subsections likewise. A setting without a value (`key =`) hides an inherited one.

import { nearest } from '../bytes/nearest.ts';
import type { Setting } from './cursor.ts';
import type { Findings } from './error.ts';
import type { Reference, Section } from './settings.ts';

/** Diamonds of references can name the same section many times over. */
const MAX_SECTIONS = 100_000;
/** Sections nested through references, and references followed one after the other. */
const MAX_DEPTH = 64;

/** The tree with every reference resolved and every emptied setting gone. */
export function inherit(root: Section, findings: Findings): Section {
  return new Inheritance(root, findings).merge([root], new Set(), 0);
}

/** First components of all references: top-level sections that serve as templates. */
export function templates(root: Section): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (section: Section): void => {
    for (const { text } of section.references) names.add(text.split('.')[0] as string);
    for (const inner of section.sections.values()) visit(inner);
  };
  visit(root);
  return names;
}

class Inheritance {
  readonly #root: Section;
  readonly #findings: Findings;
  /** A reference is followed once for each section that inherits it, but its mistake is one. */
  readonly #blamed = new Set<Reference>();
  #merged = 0;
  #full = false;

  constructor(root: Section, findings: Findings) {
    this.#root = root;
    this.#findings = findings;
  }

  /** One section from several of the same name, the first of which decides. */
  merge(sections: readonly Section[], outer: ReadonlySet<Section>, depth: number): Section {
    const layers = this.#layers(sections, outer);
    const settings = new Map<string, Setting>();
    const inner = new Map<string, Section[]>();
    for (const layer of layers) {
      for (const [key, setting] of layer.settings) if (!settings.has(key)) settings.set(key, setting);
      for (const [name, section] of layer.sections) {
        const known = inner.get(name);
        if (known) known.push(section);
        else inner.set(name, [section]);
      }
    }
    for (const [key, setting] of settings) if (setting.text === undefined) settings.delete(key);
    const merged = new Map<string, Section>();
    const around = new Set([...outer, ...layers]);
    for (const [name, same] of inner) {
      if (++this.#merged > MAX_SECTIONS || depth > MAX_DEPTH) {
        this.#tooMany(same[0] as Section);
        break;
      }
      merged.set(name, this.merge(same, around, depth + 1));
    }
    const { name, place } = sections[0] as Section;
    return { name, place, settings, sections: merged, references: [] };
  }

  /** The sections and, behind each, what it refers to; one that comes twice adds nothing the second time. */
  #layers(sections: readonly Section[], outer: ReadonlySet<Section>): ReadonlySet<Section> {
    const layers = new Set<Section>();
    const following = new Set<Section>();
    const add = (section: Section): void => {
      if (layers.has(section)) return;
      layers.add(section);
      following.add(section);
      for (const reference of section.references) {
        const target = this.#find(reference);
        if (!target) continue;
        if (following.has(target) || outer.has(target)) {
          this.#blame(reference, 'sections refer to each other in a circle');
        } else if (following.size > MAX_DEPTH) this.#blame(reference, 'too many references one after the other');
        else add(target);
      }
      following.delete(section);
    };
    sections.forEach(add);
    return layers;
  }

  #find(reference: Reference): Section | undefined {
    let section = this.#root;
    for (const name of reference.text.split('.')) {
      const inner = section.sections.get(name);
      if (!inner) {
        if (this.#findings.full) return undefined;
        const near = nearest(name, [...section.sections.keys()]);
        this.#blame(reference, `there is no section "${reference.text}"`, near);
        return undefined;
      }
      section = inner;
    }
    return section;
  }

  #tooMany(section: Section): void {
    if (this.#full) return;
    this.#full = true;
    this.#findings.error(section.place, 'references make too many sections');
  }

  #blame(reference: Reference, text: string, near: readonly string[] = []): void {
    if (this.#blamed.has(reference)) return;
    this.#blamed.add(reference);
    this.#findings.error(reference.place, text, near);
  }
}
