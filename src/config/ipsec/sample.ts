// The samples of ipsec.conf and ipsec.secrets, made from the table of keywords.

import type { Option } from '../options/option.ts';
import { explained } from '../reference.ts';
import { KEYWORDS, KINDS, SPELLINGS } from './keywords.ts';

const INDENT = '    ';

/** What `conf/samples/ipsec.conf` contains: every keyword that has an effect, all of them commented out. */
export function sampleIpsecConf(): string {
  const lines = [
    "# Espalier reads this file in the syntax of strongSwan's ipsec.conf(5). What follows names every keyword that has an",
    '# effect, with its default or an example; take the # away from what you need. Made from the table of keywords.',
  ];
  for (const option of KEYWORDS) {
    const word = option.path.slice(option.path.indexOf('.') + 1);
    if (option.status !== 'implemented' || SPELLINGS.has(word)) continue;
    lines.push('', ...(option.type.kind === 'section' ? header(option) : setting(option, word)));
  }
  return [...lines, '', '# More files, relative to this one.', 'include ipsec.d/*.conf', ''].join('\n');
}

/** `config setup` stands, empty; conns are comments. */
function header(option: Option): string[] {
  return [...explained(option, ''), option.path === 'setup' ? 'config setup' : `# ${option.path} gw`];
}

function setting(option: Option, word: string): string[] {
  return [...explained(option, INDENT), `${INDENT}# ${word}=${option.extra.example ?? option.default}`];
}

/** What `conf/samples/ipsec.secrets` contains. */
export function sampleIpsecSecrets(): string {
  const entries = KINDS.filter(({ status }) => status === 'implemented').flatMap((option) => [
    ...explained(option, ''),
    `# gw1.example.org gw2.example.org : ${option.path.slice(option.path.indexOf('.') + 1)} ""`,
    '',
  ]);
  return [
    "# Espalier reads this file in the syntax of strongSwan's ipsec.secrets(5): whom a secret is for, a colon with a blank on",
    '# either side, the kind of secret, the secret. Nobody but the daemon may be able to read it. Without anybody before the',
    '# colon, or with %any, it is for everybody; the entry that names both ends beats the one that names the peer.',
    '',
    ...entries,
    '# More files, relative to this one.',
    'include ipsec.d/*.secrets',
    '',
  ].join('\n');
}
