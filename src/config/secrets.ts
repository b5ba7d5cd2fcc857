// Pre-shared keys: `secrets { ike-1 { id-1 = …, secret = … } }`. No message here repeats what a secret contains.

import type { Place, SharedKey } from '../ike/connection.ts';
import { parseOwner } from '../ike/identity.ts';
import type { Identity } from '../ike/wire/payload.ts';
import type { Findings } from './error.ts';
import { parseSecret, wrongIdentity } from './schema.ts';
import type { Section } from './settings.ts';

export function readSecrets(secrets: Section, findings: Findings): SharedKey[] {
  const keys: SharedKey[] = [];
  for (const section of secrets.sections.values()) {
    if (!section.name.startsWith('ike')) continue;
    const key = readKey(section, findings);
    if (key) keys.push(key);
  }
  return keys;
}

function readKey(section: Section, findings: Findings): SharedKey | undefined {
  const setting = section.settings.get('secret');
  if (setting?.text === undefined) return findings.error(section.place, `section "${section.name}" has no secret`);
  if (setting.cut) {
    const text = 'the secret ends before "#", which begins a comment; put a secret that contains # in double quotes';
    findings.warn(`cut ${section.name}`, setting.place, text);
  }
  const secret = parseSecret(setting.text);
  if (!secret.ok) return findings.error(setting.place, secret.message);
  return { id: section.name, owners: readOwners(section, findings), secret: secret.value, place: setting.key };
}

function readOwners(section: Section, findings: Findings): readonly Identity[] {
  const owners: Identity[] = [];
  for (const [key, { text, place }] of section.settings) {
    if (!key.startsWith('id') || text === undefined) continue;
    const owner = parseOwner(text);
    if (owner) owners.push(owner);
    else findings.error(place, `${key}: ${wrongIdentity(text)}`);
  }
  return owners;
}

/** Files that a secret of any kind stands in, each with the first place. */
export function secretFiles(secrets: Section): Map<string, Place> {
  const files = new Map<string, Place>();
  for (const section of secrets.sections.values()) {
    for (const [key, { text, key: place }] of section.settings) {
      const holds = key === 'secret' || key === 'pin';
      if (holds && text !== undefined && !files.has(place.file)) files.set(place.file, place);
    }
  }
  return files;
}
