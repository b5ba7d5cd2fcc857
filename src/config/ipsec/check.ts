// Holds the sections of an ipsec.conf against the table of keywords: names that do not exist or stand in the wrong kind
// of section, keywords that are refused or have no effect.

import { nearest } from '../../bytes/nearest.ts';
import { checkSetting, warnOfRepetition } from '../check.ts';
import type { Findings } from '../error.ts';
import { KEYWORDS, keyword, keywordAt } from './keywords.ts';
import type { Document, Written } from './parse.ts';

type Kind = 'setup' | 'conn' | 'ca';

const SECTIONS: Readonly<Record<Kind, string>> = { setup: 'config setup', conn: 'a conn', ca: 'a ca' };
const WORDS = new Map((['setup', 'conn', 'ca'] as const).map((kind) => [kind, wordsOf(kind)]));

function wordsOf(kind: Kind): readonly string[] {
  const start = `${kind}.`;
  return KEYWORDS.flatMap(({ path }) => (path.startsWith(start) ? [path.slice(start.length)] : []));
}

export function checkKeywords({ setup, conns, cas }: Document, findings: Findings): void {
  checkSection(setup, 'setup', findings);
  for (const conn of conns.values()) checkSection(conn, 'conn', findings);
  for (const ca of cas.values()) {
    const { path, reason } = keywordAt('ca');
    if (ca.settings.size > 0) findings.warn(path, ca.place, `section "ca ${ca.name}" has no effect: ${reason}`);
    checkSection(ca, 'ca', findings);
  }
}

function checkSection({ settings }: Written, kind: Kind, findings: Findings): void {
  for (const [name, setting] of settings) {
    const word = setting.written ?? name;
    warnOfRepetition(word, setting, findings);
    const option = keyword(`${kind}.${word}`);
    if (!option) unknown(word, setting.key, kind, findings);
    // One warning for both ends.
    else
      checkSetting(word, setting, { ...option, path: option.path.replace('.right', '.left') }, kind === 'ca', findings);
  }
}

function unknown(word: string, place: Written['place'], kind: Kind, findings: Findings): void {
  if (findings.full) return;
  const text = `unknown option "${word}"`;
  const other = (['setup', 'conn', 'ca'] as const).find((section) => keyword(`${section}.${word}`));
  if (other) findings.error(place, `${text}; it belongs into ${SECTIONS[other]}`);
  else findings.error(place, text, nearest(word, WORDS.get(kind) ?? []));
}
