// Holds a tree of sections against the table of options: names that do not exist, options that are refused or have no
// effect. What an implemented option's value means is read by `connections.ts` and `secrets.ts`.

import { nearest } from '../bytes/nearest.ts';
import type { Place } from '../ike/connection.ts';
import type { Setting } from './cursor.ts';
import { type Findings, formatPlace } from './error.ts';
import type { Option } from './options/option.ts';
import { OPTIONS } from './options.ts';
import { canonical } from './schema.ts';
import type { Section } from './settings.ts';

/** The options below one section of the table. */
interface Node {
  readonly option: Option | undefined;
  readonly words: Map<string, Node>;
  /** `key<suffix>`, by key. */
  readonly prefixes: Map<string, Node>;
  /** `<name>`: any word. */
  any: Node | undefined;
}

const ROOT = grow();
const BY_PATH = new Map(OPTIONS.map((option) => [option.path, option]));

function grow(): Node {
  const node = (option?: Option): Node => ({ option, words: new Map(), prefixes: new Map(), any: undefined });
  const root = node();
  for (const option of OPTIONS) {
    const names = option.path.split('.');
    const last = names.pop() as string;
    let at = root;
    for (const name of names) {
      const next = step(at, name);
      if (!next) throw new Error(`${option.path} stands before its section`);
      at = next;
    }
    if (last.startsWith('<')) at.any = node(option);
    else if (last.endsWith('<suffix>')) at.prefixes.set(last.slice(0, -'<suffix>'.length), node(option));
    else at.words.set(last, node(option));
  }
  return root;
}

function step(at: Node, name: string): Node | undefined {
  if (name.startsWith('<')) return at.any;
  if (name.endsWith('<suffix>')) return at.prefixes.get(name.slice(0, -'<suffix>'.length));
  return at.words.get(name);
}

/** The option of the table with this path; it is a mistake of ours if there is none. */
export function optionAt(path: string): Option {
  const option = BY_PATH.get(path);
  if (!option) throw new Error(`${path} is not in the table of options`);
  return option;
}

/**
 * Sections of the first level that no option knows are allowed when something refers to them, and are otherwise reported:
 * as a mistake where the name is almost a known one, as a warning where it may be a template not in use.
 */
export function checkNames(root: Section, templates: ReadonlySet<string>, findings: Findings): void {
  for (const [name, section] of root.sections) {
    const node = ROOT.words.get(name);
    if (node) checkSection(section, node, findings);
    else if (!templates.has(name)) {
      const near = nearest(name, [...ROOT.words.keys()]);
      if (near.length > 0) findings.error(section.place, `unknown section "${name}"`, near);
      else findings.warn(`section ${name}`, section.place, `section "${name}" is not used`);
    }
  }
  for (const [key, setting] of root.settings) {
    unknown(key, setting.key, ROOT, false, findings);
  }
}

/** As `checkNames`, for one connection that did not come from a file. */
export function checkConnection(section: Section, findings: Findings): void {
  const node = ROOT.words.get('connections')?.any;
  if (node) checkSection(section, node, findings);
}

/** `quiet` below a section of which it was already said that it has no effect. */
function checkSection(section: Section, node: Node, findings: Findings, quiet = false): void {
  const { option } = node;
  if (option?.status === 'refused') {
    findings.error(section.place, `section "${section.name}" is refused: ${option.reason}`);
    return;
  }
  const useless = option?.status === 'accepted' && (section.settings.size > 0 || section.sections.size > 0);
  if (useless && !quiet) {
    findings.warn(option.path, section.place, `section "${section.name}" has no effect: ${option.reason}`);
  }
  for (const [key, setting] of section.settings) {
    const inner = find(node, key, false);
    warnOfRepetition(key, setting, findings);
    if (inner?.option) checkSetting(key, setting, inner.option, quiet || useless, findings);
    else unknown(key, setting.key, node, false, findings);
  }
  for (const [name, inner] of section.sections) {
    const known = find(node, name, true);
    if (known) checkSection(inner, known, findings, quiet || useless);
    else unknown(name, inner.place, node, true, findings);
  }
}

export function warnOfRepetition(key: string, { earlier, key: place }: Setting, findings: Findings): void {
  if (!earlier) return;
  const text = `option "${key}" is written twice: what line ${earlier.line} says no longer counts`;
  findings.warn(`again ${formatPlace(place)}`, place, text);
}

/** What to say of an option that is not implemented. */
export function checkSetting(key: string, setting: Setting, option: Option, quiet: boolean, findings: Findings): void {
  const { type, status, reason, extra } = option;
  if (status === 'implemented' || setting.text === undefined) return;
  const value = canonical(type, setting.text);
  if (!value.ok) {
    findings.error(setting.place, `${key}: ${value.message}`, value.near);
    return;
  }
  const neutral = [option.default, ...(extra.neutral ?? [])].some((word) => {
    const same = canonical(type, word);
    return same.ok && same.value === value.value;
  });
  if (neutral) return;
  if (status === 'refused') findings.error(setting.key, `option "${key}" is refused: ${reason}`);
  else if (!quiet) findings.warn(option.path, setting.key, `option "${key}" has no effect: ${reason}`);
}

function find(node: Node, name: string, section: boolean): Node | undefined {
  const word = node.words.get(name);
  if (word && isSection(word) === section) return word;
  let best: Node | undefined;
  let length = 0;
  for (const [prefix, inner] of node.prefixes) {
    if (!name.startsWith(prefix) || prefix.length <= length || isSection(inner) !== section) continue;
    best = inner;
    length = prefix.length;
  }
  if (best) return best;
  return node.any && isSection(node.any) === section ? node.any : undefined;
}

function isSection(node: Node): boolean {
  return node.option?.type.kind === 'section';
}

function unknown(name: string, place: Place, node: Node, section: boolean, findings: Findings): void {
  if (findings.full) return;
  const text = `unknown ${section ? 'section' : 'option'} "${name}"`;
  const words = [...node.words, ...node.prefixes].filter(([, inner]) => isSection(inner) === section);
  const near = nearest(name, new Set(words.map(([word]) => word)));
  // `remote_adrs` could be a section `remote…`, but somebody who wrote `=` means the option that it resembles.
  const other = find(node, name, !section);
  if (other && (node.words.has(name) || near.length === 0)) {
    const how = section ? `an option: write ${name} = …` : `a section: write ${name} { … }`;
    findings.error(place, `"${name}" is ${how}`);
    return;
  }
  const parent = elsewhere(name, section);
  if (parent) {
    findings.error(place, `${text}; it belongs into ${parent}`);
    return;
  }
  findings.error(place, text, near);
}

/** The right word in the wrong place: the section it belongs into. */
function elsewhere(name: string, section: boolean): string | undefined {
  const option = OPTIONS.find(({ path, type, status }) => {
    const last = path.slice(path.lastIndexOf('.') + 1);
    return last.replace('<suffix>', '') === name && (type.kind === 'section') === section && status === 'implemented';
  });
  return option?.path.slice(0, Math.max(0, option.path.lastIndexOf('.')));
}
