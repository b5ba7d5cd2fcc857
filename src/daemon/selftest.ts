// Run once at start (SECURITY A6): whatever `selectProposal` can choose must work here and now. A Node whose OpenSSL
// lacks an algorithm is found out by this, and not by the first peer that asks for it.

import { same } from '../bytes/bytes.ts';
import { INTEG, KE, PRF } from '../crypto/ids.ts';
import { keyExchange, prf as prfOf, prfPlus, protection } from '../crypto/registry.ts';
import type { ProtectionKeys } from '../crypto/types.ts';
import { type Suite, suiteIsSound } from '../ike/select.ts';
import { ALGORITHMS, keywords, transformOf } from '../ike/transforms.ts';
import { childKeys, firstKeys } from '../ike/v2/keymat.ts';
import { TRANSFORM } from '../ike/wire/constants.ts';
import { addon } from '../net/native.ts';

/** Groups where both halves of an exchange take well under a millisecond; of the others only presence is checked. */
const QUICK: readonly number[] = [KE.CURVE25519, KE.CURVE448, KE.ECP_256, KE.ECP_384, KE.ECP_521];

const SPI_I = new Uint8Array(8).fill(1);
const SPI_R = new Uint8Array(8).fill(2);
const NONCE_I = new Uint8Array(32).fill(3);
const NONCE_R = new Uint8Array(32).fill(4);
const SHARED = new Uint8Array(32).fill(5);
const AAD = new Uint8Array(8).fill(6);
const PLAIN = new Uint8Array(64).fill(7);

/** Throws a plain Error that names the first suite that fails. */
export function selfTest(): void {
  for (const { type, id, name } of ALGORITHMS) {
    if (type === TRANSFORM.PRF) attempt(name, () => derives(id));
    if (type === TRANSFORM.KE && id !== KE.NONE) attempt(name, () => agrees(id));
  }
  for (const suite of suites()) {
    attempt(`cipher ${suite.encr} (${suite.keyBits ?? 'its own length'}) with integrity ${suite.integ}`, () => {
      protects(suite);
    });
  }
}

/** Each cipher with each integrity algorithm that may stand beside it, in ESP; IKE takes the same but for what is there for children alone. */
export function suites(): Suite[] {
  const integs: readonly number[] = [
    INTEG.NONE,
    ...ALGORITHMS.filter(({ kind }) => kind === 'integ').map(({ id }) => id),
  ];
  const ciphers = keywords().flatMap((word) => transformOf(word) ?? []);
  const found = new Map<string, Suite>();
  for (const { type, id, keyBits } of ciphers) {
    if (type !== TRANSFORM.ENCR) continue;
    for (const integ of integs) {
      const suite: Suite = { encr: id, keyBits, integ, prf: PRF.HMAC_SHA2_256, ke: KE.NONE, esn: false };
      if (suiteIsSound(suite, 'esp')) found.set(`${id}.${keyBits}.${integ}`, suite);
    }
  }
  return [...found.values()];
}

function attempt(what: string, test: () => void): void {
  try {
    test();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new Error(`self-test: ${what} does not work: ${text}`, { cause: error });
  }
}

function derives(id: number): void {
  const prf = prfOf(id);
  if (!prf) throw new Error('it is not there');
  const output = prfPlus(prf, NONCE_I, NONCE_R, 3 * prf.size);
  if (prf.compute(NONCE_I, NONCE_R).length !== prf.size) throw new Error('its output has a wrong length');
  if (same(output.subarray(0, prf.size), output.subarray(prf.size, 2 * prf.size)))
    throw new Error('prf+ repeats itself');
}

function agrees(id: number): void {
  const group = keyExchange(id);
  if (!group) throw new Error('it is not there');
  if (!QUICK.includes(id)) return;
  const ours = group.generate();
  const theirs = group.generate();
  const secret = group.agree(ours, theirs.public);
  const other = group.agree(theirs, ours.public);
  if (!secret || !other || !same(secret, other)) throw new Error('the two sides do not agree');
  if (group.agree(ours, new Uint8Array(group.publicSize))) throw new Error('it takes a public value of zero');
}

function protects(suite: Suite): void {
  const ike: Suite = { ...suite, ke: KE.CURVE25519 };
  const keys = firstKeys(ike, { shared: SHARED, nonceI: NONCE_I, nonceR: NONCE_R }, SPI_I, SPI_R);
  const { initiator, responder } = childKeys({ suite: ike, keys }, suite, NONCE_I, NONCE_R, undefined);
  opens(initiator, responder);
  agreesWithTwin(initiator);
}

/** The data plane's cipher and the one above, of which one is C and the other is not, understand each other. */
function agreesWithTwin(keys: ProtectionKeys): void {
  const native = addon();
  const twin = protection(keys);
  const options = (sealing: number) => Int32Array.of(keys.encr, keys.keyBits ?? 0, keys.integ, 0, sealing, 0);
  const sealer = native.cipherNew(options(1), keys.encrKey, keys.integKey);
  const opener = native.cipherNew(options(0), keys.encrKey, keys.integKey);
  if (!sealer || !opener) throw new Error('the addon does not know it');
  const text = AAD.length + twin.ivSize;
  const packet = new Uint8Array(text + PLAIN.length + twin.icvSize);
  packet.set(AAD);
  packet.set(PLAIN, text);
  if (!native.cipherSeal(sealer, packet, text, PLAIN.length, 0, 1)) throw new Error('the addon does not seal');
  const opened = twin.open(packet.subarray(AAD.length, text), AAD, packet.subarray(text));
  if (!opened || !same(opened, PLAIN)) throw new Error('what the addon sealed does not open');
  if (!native.cipherOpen(opener, packet, PLAIN.length, 0, 1)) throw new Error('the addon does not open what it sealed');
  if (!same(packet.subarray(text, text + PLAIN.length), PLAIN)) throw new Error('the addon opens it wrongly');
}

function opens(keys: ProtectionKeys, others: ProtectionKeys): void {
  const { ivSize, seal, open, icvSize } = protection(keys);
  const iv = new Uint8Array(ivSize).fill(9);
  const sealed = seal(iv, AAD, PLAIN);
  if (sealed.length !== PLAIN.length + icvSize || icvSize === 0) throw new Error('the text has a wrong length');
  const text = open(iv, AAD, sealed);
  if (!text || !same(text, PLAIN)) throw new Error('what was sealed does not open');
  if (protection(others).open(iv, AAD, sealed)) throw new Error('it opens with the keys of the other direction');
  sealed[0] = (sealed[0] as number) ^ 1;
  if (open(iv, AAD, sealed)) throw new Error('what was changed opens');
}
