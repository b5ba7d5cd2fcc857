// Diffie-Hellman modulo a prime: groups of RFC 2409, RFC 3526 and RFC 5114, with the checks of RFC 6989.

import { createDiffieHellman, type DiffieHellman, randomBytes } from 'node:crypto';
import { compare, hex } from '../bytes/bytes.ts';
import type { ModpGroup } from './primes.ts';
import type { KeyExchange } from './types.ts';

export function modp(group: number, publicSize: number, load: () => ModpGroup): KeyExchange {
  let state: State | undefined;
  // Made once, at first use: OpenSSL proves the primes it does not know by name (groups 1 and 2), for 20 to 30 ms.
  const prepare = (): State => {
    if (!state) {
      const parameters = load();
      const context = createDiffieHellman(parameters.prime, parameters.generator);
      state = { ...parameters, context, largest: previous(parameters.prime) };
    }
    return state;
  };
  return {
    group,
    publicSize,
    generate() {
      const { context, secretSize, order } = prepare();
      const secret = new Uint8Array(randomBytes(secretSize));
      // The order of group 24 begins with a one bit; without it the secret is certainly smaller.
      if (order) secret[0] = (secret[0] as number) & 0x7f;
      context.setPrivateKey(secret);
      const value = leftPad(context.generateKeys(), publicSize);
      context.setPrivateKey(FORGOTTEN);
      return { secret, public: value };
    },
    agree(pair, theirs) {
      const prepared = prepare();
      if (theirs.length !== publicSize || !inRange(theirs, prepared.largest)) return undefined;
      if (prepared.order && !inSubgroup(theirs, prepared, prepared.order)) return undefined;
      return power(prepared.context, theirs, pair.secret, publicSize);
    },
  };
}

interface State extends ModpGroup {
  readonly context: DiffieHellman;
  /** The prime less one. */
  readonly largest: Uint8Array;
}

/** What the shared context holds between uses, so that no secret stays in it. */
const FORGOTTEN = Uint8Array.of(2);

/** RFC 6989 §2.1: 1 < y < p - 1. */
function inRange(y: Uint8Array, largest: Uint8Array): boolean {
  return compare(y, leftPad(Uint8Array.of(1), y.length)) > 0 && compare(y, largest) < 0;
}

/** RFC 6989 §2.2: y^q = 1. OpenSSL gives no result that is one, so the last factor is multiplied here. */
function inSubgroup(y: Uint8Array, { context, prime }: State, order: Uint8Array): boolean {
  const before = power(context, y, previous(order), prime.length);
  return before !== undefined && (integer(before) * integer(y)) % integer(prime) === 1n;
}

/** Undefined when OpenSSL refuses the result, which it does for one and for p - 1. */
function power(context: DiffieHellman, base: Uint8Array, exponent: Uint8Array, size: number): Uint8Array | undefined {
  context.setPrivateKey(exponent);
  try {
    return leftPad(context.computeSecret(base), size);
  } catch {
    return undefined;
  } finally {
    context.setPrivateKey(FORGOTTEN);
  }
}

/** RFC 7296 §2.14 and §3.4: values have the length of the prime, with zeros in front. A copy in any case. */
export function leftPad(bytes: Uint8Array, size: number): Uint8Array {
  const padded = new Uint8Array(size);
  padded.set(bytes, size - bytes.length);
  return padded;
}

/** `odd` less one: no borrow. */
function previous(odd: Uint8Array): Uint8Array {
  const less = new Uint8Array(odd);
  less[less.length - 1] = (less[less.length - 1] as number) - 1;
  return less;
}

function integer(bytes: Uint8Array): bigint {
  return BigInt(`0x${hex(bytes)}`);
}
