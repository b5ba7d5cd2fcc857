// Pre-shared keys that the platform's console would not take. What is wrong is said, and nothing of the key.

import type { SharedKey } from '../../../ike/connection.ts';
import { type Finding, nameOfSecret, placeOfSecret } from '../finding.ts';
import type { KeyRule, Platform } from './table.ts';

export function lintKeys(secrets: readonly SharedKey[], { title, key: rule }: Platform): Finding[] {
  if (!rule) return [];
  return secrets.flatMap((secret) => {
    const wrong = mistake(rule, secret.secret.reveal());
    if (wrong === undefined) return [];
    return [
      {
        place: placeOfSecret(secret),
        severity: 'error' as const,
        code: 'platform-psk',
        text: `${title}: ${rule.words}; ${nameOfSecret(secret)} ${wrong}`,
        remedy: 'make one that both ends take',
      },
    ];
  });
}

const KINDS = [/[0-9]/, /[A-Z]/, /[a-z]/, /[^0-9A-Za-z]/];

function mistake({ min = 0, max, characters, kinds = 0, notFirst }: KeyRule, bytes: Uint8Array): string | undefined {
  const text = decoded(bytes);
  if (text === undefined) return 'is no text';
  const { length } = [...text];
  if (length < min) return 'is shorter';
  if (length > max) return 'is longer';
  if (!characters.test(text)) return 'has a character that may not be there';
  if (notFirst !== undefined && text.startsWith(notFirst)) return `begins with ${notFirst}`;
  return KINDS.filter((kind) => kind.test(text)).length < kinds ? 'has fewer kinds' : undefined;
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // Not UTF-8.
    return undefined;
  }
}
