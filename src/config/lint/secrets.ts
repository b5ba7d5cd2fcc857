// Pre-shared keys that can be guessed (SECURITY C4): whoever has seen one exchange tries keys at home, as many as he
// likes, and in aggressive mode he need only ask for it. No message says anything of what a key contains.

import type { Connection, SharedKey } from '../../ike/connection.ts';
import { type Finding, nameOfSecret, placeOf, placeOfSecret } from './finding.ts';
import { guessBits, isCommon } from './guess.ts';
import { fits } from './owners.ts';

const LEAST_BITS = 64;
const LEAST_BYTES = 20;
const REMEDY = 'make a new one for both ends: openssl rand -base64 33';

export function lintSecrets(connections: readonly Connection[], secrets: readonly SharedKey[]): Finding[] {
  const poor = new Set<SharedKey>();
  const findings = secrets.flatMap((secret) => {
    const found = weakness(secret);
    if (!found) return [];
    poor.add(secret);
    return [{ place: placeOfSecret(secret), remedy: REMEDY, ...found }];
  });
  return [...findings, ...connections.flatMap((connection) => aggressive(connection, poor))];
}

function weakness(key: SharedKey): Pick<Finding, 'severity' | 'code' | 'text'> | undefined {
  const bytes = key.secret.reveal();
  const whose = nameOfSecret(key);
  if (isCommon(bytes)) {
    return { severity: 'error', code: 'psk-common', text: `${whose} is one of those that are tried first` };
  }
  if (guessBits(bytes) < LEAST_BITS) {
    const text = `${whose} can be guessed: by its length and its pieces it withstands fewer than 2^${LEAST_BITS} tries`;
    return { severity: 'error', code: 'psk-guessable', text };
  }
  if (bytes.length < LEAST_BYTES) {
    return { severity: 'warning', code: 'psk-short', text: `${whose} has less than ${LEAST_BYTES} bytes` };
  }
  return undefined;
}

/** Where the reader has already been told that the mode gives a hash away, what matters is whether it can be guessed by. */
function aggressive(connection: Connection, poor: ReadonlySet<SharedKey>): Finding[] {
  if (!connection.aggressive) return [];
  const weak = [...poor].find((secret) => fits(secret, connection));
  if (!weak) return [];
  return [
    {
      place: placeOf(connection, 'aggressive'),
      severity: 'error',
      code: 'aggressive-guessable',
      text: `connection ${connection.name} gives a hash of the pre-shared key to whoever asks, and ${nameOfSecret(weak)} can be guessed by it`,
      remedy: `take main mode, or ${REMEDY}`,
    },
  ];
}
