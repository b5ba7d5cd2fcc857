// The fenced blocks of README.md: what a reader copies, so that tests can do the same.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../../..');
export const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** Configurations of ours begin with their path. */
export const OURS = '/etc/espalier/swanctl.conf';
export const CONF = '/etc/espalier/ipsec.conf';
export const SECRETS = '/etc/espalier/ipsec.secrets';
export const PEERS = '/etc/swanctl/swanctl.conf';

export interface Block {
  readonly language: string;
  readonly text: string;
}

export function blocks(language?: string): readonly Block[] {
  const all = [...README.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(
    ([, name = '', text = '']): Block => ({ language: name, text }),
  );
  return language === undefined ? all : all.filter((block) => block.language === language);
}

/** Configuration blocks whose first line names this file. */
export function configurations(path: string): readonly string[] {
  return blocks('').flatMap(({ text }) => (text.startsWith(`# ${path}`) ? [text] : []));
}

/** What the reader types, and what is then printed. */
export function commands(): readonly { readonly command: string; readonly output: string }[] {
  return blocks('console').flatMap(({ text }) =>
    text
      .split(/^# /m)
      .slice(1)
      .map((part) => {
        const end = part.indexOf('\n');
        return { command: part.slice(0, end), output: part.slice(end + 1) };
      }),
  );
}
