// Secrets that clients bring and take: `load-shared`, `unload-shared`, `get-shared`, `clear-creds`. Of certificates and
// private keys there are none yet: what lists them is empty, and what brings them is refused by name. No answer repeats
// what a secret contains.

import { utf8 } from '../../bytes/bytes.ts';
import { NO_CERTIFICATES, NO_EAP, NOT_YET } from '../../config/options/option.ts';
import { wrongIdentity } from '../../config/schema.ts';
import { Secret } from '../../ike/connection.ts';
import { parseOwner } from '../../ike/identity.ts';
import type { Identity } from '../../ike/wire/payload.ts';
import type { Gateway } from '../status.ts';
import type { Call, Command } from './channel.ts';
import { answer, done, refusal, wrong } from './reply.ts';
import { section, text } from './section.ts';
import type { Section } from './vici.ts';

export function credentials(gateway: Gateway): readonly (readonly [string, Command])[] {
  return [
    ['load-shared', (call) => loadShared(gateway, call)],
    ['unload-shared', (call) => unloadShared(gateway, call)],
    ['get-shared', () => section(['keys', gateway.sharedIds().filter((id) => !id.startsWith(NAMELESS))])],
    ['clear-creds', () => clear(gateway)],
    ['load-cert', () => refusal(NO_CERTIFICATES)],
    ['load-key', () => refusal(NO_CERTIFICATES)],
    ['load-token', () => refusal(NO_CERTIFICATES)],
    ['unload-key', () => refusal('key not found')],
    ['get-keys', () => section(['keys', []])],
    ['list-certs', () => new Map()],
    ['flush-certs', () => done()],
  ];
}

/** A secret without an id can only be replaced, by one for the same owners, or cleared. */
const NAMELESS = '\0';

const UNSUPPORTED = new Map([
  ['eap', NO_EAP],
  ['xauth', NO_EAP],
  ['ntlm', NO_EAP],
  ['ppk', `post-quantum pre-shared keys are ${NOT_YET}`],
]);

function loadShared(gateway: Gateway, call: Call): Section {
  const { message } = call;
  const why = wrong(call);
  if (why !== undefined) return refusal(why);
  const type = text(message, 'type')?.toLowerCase();
  if (type === undefined) return refusal('shared key type missing');
  const unsupported = UNSUPPORTED.get(type);
  if (unsupported !== undefined) return refusal(`a secret of type ${type} is refused: ${unsupported}`);
  if (type !== 'ike') return refusal(`invalid shared key type: ${type}`);
  const data = dataOf(message);
  if (data === 'several') return refusal('shared key data is not one value');
  if (!data || data.length === 0) return refusal('shared key data missing');
  const owners = ownersOf(message);
  if ('wrong' in owners) return refusal(owners.wrong);
  const id = text(message, 'id') ?? `${NAMELESS}${owners.texts.join(',')}`;
  return answer(gateway.loadShared(id, { id, owners: owners.identities, secret: new Secret(data) }));
}

function dataOf(message: Section): Uint8Array | 'several' | undefined {
  const data = message.get('data');
  if (typeof data === 'string') return utf8(data);
  return data === undefined || data instanceof Uint8Array ? data : 'several';
}

type Owners =
  | { readonly identities: readonly Identity[]; readonly texts: readonly string[] }
  | { readonly wrong: string };

function ownersOf(message: Section): Owners {
  const given = message.get('owners') ?? [];
  if (!Array.isArray(given)) return { wrong: "'owners' is not a list" };
  const texts = given.filter((item) => typeof item === 'string');
  if (texts.length < given.length) return { wrong: "'owners' has something that is not text" };
  const identities: Identity[] = [];
  for (const owner of texts) {
    const identity = parseOwner(owner);
    if (!identity) return { wrong: `owners: ${wrongIdentity(owner)}` };
    identities.push(identity);
  }
  return { identities, texts };
}

/** As with charon it is no mistake when there is no such secret. */
function unloadShared(gateway: Gateway, call: Call): Section {
  const id = text(call.message, 'id');
  if (id === undefined) return refusal('unique identifier missing');
  gateway.unloadShared(id);
  return done();
}

function clear(gateway: Gateway): Section {
  gateway.clearSecrets();
  return done();
}
