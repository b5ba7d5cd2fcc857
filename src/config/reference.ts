// The sample swanctl.conf, made from the table of options.

import { CHILD_EFFECTS, CONNECTION_EFFECTS, type When } from './changes.ts';
import type { Option } from './options/option.ts';
import { OPTIONS } from './options.ts';
import { describe, type Type } from './schema.ts';

const WIDTH = 100;

/** What `conf/samples/swanctl.conf` contains: every option with what it does, all of them commented out. */
export function sampleSwanctl(): string {
  const lines = [
    "# Espalier reads this file in the syntax of strongSwan's swanctl.conf(5). What follows names every option that has",
    '# an effect, with its default or an example; take the # away from what you need. Made from the table of options.',
    '',
  ];
  const root = group();
  for (const inner of root) write(inner, 0, lines);
  lines.push('# More files, relative to this one.', 'include conf.d/*.conf', '');
  return lines.join('\n');
}

const WHEN: readonly (readonly [When, string])[] = [
  ['at-once', 'at once; what stands goes by it from now on'],
  ['next', 'with the next negotiation: a renewal of keys, or `espalier rekey`'],
  ['reestablished', 'when the IKE SA is made anew: by reauthentication, or `espalier down` and `up`'],
  ['reconnect', 'at once: the connection is ended, and made anew by who had begun it'],
  ['remake', 'at once: the child is ended and made anew, the others are not touched'],
];

/** The table "what takes effect when" of the README. */
export function takesEffect(): string {
  const rows = WHEN.map(([when, text]) => {
    const named = (effects: Readonly<Record<string, readonly [When, ...string[]]>>) =>
      Object.values(effects).flatMap(([is, ...options]) => (is === when ? options : []));
    const options = [...named(CONNECTION_EFFECTS), ...named(CHILD_EFFECTS)];
    return `| ${[...new Set(options)].map((option) => `\`${option}\``).join(' ')} | ${text} |`;
  });
  const secrets = '| `secrets` | with the next authentication: what stands is not touched |';
  return ['| a change of | takes effect |', '|---|---|', ...rows, secrets].join('\n');
}

interface Group {
  readonly option: Option;
  readonly inner: Group[];
}

/** Options with an effect, each below its section, settings before subsections. */
function group(): Group[] {
  const byPath = new Map<string, Group>();
  const root: Group[] = [];
  for (const option of OPTIONS) {
    if (option.status !== 'implemented') continue;
    const entry: Group = { option, inner: [] };
    byPath.set(option.path, entry);
    const parent = byPath.get(option.path.slice(0, Math.max(0, option.path.lastIndexOf('.'))));
    (parent?.inner ?? root).push(entry);
  }
  for (const { inner } of byPath.values()) inner.sort((a, b) => Number(isSection(a)) - Number(isSection(b)));
  return root;
}

function isSection({ option }: Group): boolean {
  return option.type.kind === 'section';
}

function write(entry: Group, depth: number, lines: string[]): void {
  const { option, inner } = entry;
  const indent = '  '.repeat(depth);
  // The outermost sections stand, empty; what is in them is a comment.
  const mark = depth === 0 ? '' : '# ';
  const name = sampleName(option);
  lines.push(...explained(option, indent));
  if (!isSection(entry)) {
    lines.push(`${indent}${mark}${name} = ${option.extra.example ?? option.default}`.trimEnd(), '');
    return;
  }
  lines.push(`${indent}${mark}${name} {`, '');
  for (const part of inner) write(part, depth + 1, lines);
  lines.push(`${indent}${mark}}`, '');
}

/** What an option does, and the values that it takes. */
export function explained(option: Option, indent: string): string[] {
  const lines = wrap(option.text, indent, WIDTH);
  if (option.type.kind === 'section') return lines;
  return [...lines, `${indent}# [${describe(supported(option))}]${defaultOf(option)}`];
}

/** Without the values that would be refused. */
function supported({ type, extra }: Option): Type {
  if (type.kind !== 'choice') return type;
  return { ...type, values: type.values.filter((value) => !extra.refuses?.some(([refused]) => refused === value)) };
}

function defaultOf({ default: standard, extra }: Option): string {
  const value = extra.computed ?? standard;
  const own = extra.since === 'espalier' ? ' (not in strongSwan)' : '';
  return value === '' ? own : ` default: ${value}${own}`;
}

const SAMPLE_NAMES = new Map([
  ['<conn>', 'gw'],
  ['<child>', 'net'],
]);

function sampleName({ path }: Option): string {
  const last = path.slice(path.lastIndexOf('.') + 1);
  const suffix = path.startsWith('secrets') ? '-1' : '';
  return SAMPLE_NAMES.get(last) ?? last.replace('<suffix>', suffix);
}

function wrap(text: string, indent: string, width: number): string[] {
  const lines: string[] = [];
  let line = `${indent}#`;
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > width) {
      lines.push(line);
      line = `${indent}#`;
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
