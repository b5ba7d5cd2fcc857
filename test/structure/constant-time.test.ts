// What an attacker may try to guess (ICV, AUTH, cookies, HASH, MAC, keys) is compared in constant time, with
// crypto/compare.ts: an early exit tells how many bytes were right.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOnly, type Finding, matches, type Source, sources } from './source.ts';

const SECRET = new Set(['auth', 'icv', 'cookie', 'hash', 'mac', 'hmac', 'psk', 'secret', 'digest', 'signature', 'key']);
/** Words that make a name public again: a SPI is no key; NAT detection hashes are checksums; ids and lengths name kinds. */
const PUBLIC = new Set(['nat', 'spi', 'id', 'length', 'size', 'bits', 'type', 'kind', 'name', 'algorithm', 'method']);
/** Its hashes are of addresses that everybody on the path sees (RFC 7296 §2.23). */
const EXEMPT = ['src/crypto/compare.ts', 'src/ike/natt.ts'];
const FOLDERS = ['src/ike', 'src/crypto', 'src/esp'];

const OPERAND = String.raw`[\w$.#?!]+(?:\([^()]*\))?(?:\[[^\]]*\])?`;
const CALLS =
  /(?<![.\w#])(same|compare|Buffer\.compare|indexOf)\(([^()]*(?:\([^()]*\)[^()]*)*)\)|([\w$.#?!]+(?:\([^()]*\))?)\.(equals|compare)\(([^()]*(?:\([^()]*\)[^()]*)*)\)/g;
const EQUALITIES = new RegExp(String.raw`(${OPERAND})\s*(?:===|!==|==|!=)\s*(${OPERAND}|['"])`, 'g');

function hasty(source: Source): readonly Finding[] {
  const text = codeOnly(source.text);
  const calls = matches(source, text, CALLS, ([found, , given = '', on = '', , to = '']) =>
    `${given},${on},${to}`.split(',').some(isSecret) ? found : '',
  );
  const equalities = matches(source, text, EQUALITIES, ([found, left = '', right = '']) =>
    !isConstant(left) && !isConstant(right) && (isSecret(left) || isSecret(right)) ? found : '',
  );
  return [...calls, ...equalities].filter((finding) => !finding.endsWith(': '));
}

/** By the words of the last name in an expression: `this.#sa.icv`, `payload.auth?.data`, `expectedIcv(x)`. */
function isSecret(expression: string): boolean {
  if (expression.endsWith(']')) return false; // one element
  const wrapped = /\b(?:hex|utf8|from)\(([^()]*)\)$/.exec(expression.trim());
  if (wrapped?.[1] !== undefined) return isSecret(wrapped[1]);
  const names = expression.replace(/\([^()]*\)|\[[^\]]*\]/g, '').split(/[.?!]+/);
  const carriers = new Set(['data', 'bytes', 'value']);
  const last = names.filter((name) => name.trim() !== '' && !carriers.has(name.trim())).at(-1) ?? '';
  const words = last
    .trim()
    .replace('#', '')
    .split(/(?=[A-Z])|_/)
    .map((word) => word.toLowerCase());
  return words.some((word) => SECRET.has(word)) && !words.some((word) => PUBLIC.has(word));
}

/** A number, a string, undefined, null, or an RFC name in capitals: nothing is learnt from comparing with these. */
function isConstant(operand: string): boolean {
  return /^(['"]|-?\d|undefined$|null$|true$|false$)|(^|\.)[A-Z][A-Z0-9_]*$|\.(length|size)$|^typeof/.test(operand);
}

test('no secret is compared byte by byte with an early exit', () => {
  assert.deepEqual(
    FOLDERS.flatMap((folder) => sources(folder))
      .filter(({ path }) => !EXEMPT.includes(path))
      .flatMap(hasty),
    [],
  );
});

test('the check finds what it looks for, and lets public values be', () => {
  const found = (text: string) => hasty({ path: 'src/ike/x.ts', text }).length;
  for (const text of [
    'if (same(auth, expected)) return;',
    'if (!same(payload.auth.data, expected(x, y))) throw e;',
    'if (compare(icv, computedIcv) === 0) return;',
    'if (Buffer.compare(a, hash) === 0) return;',
    'if (Buffer.from(cookie).equals(other)) return;',
    'return expectedIcv.equals(given);',
    'if (this.#cookie === given) return;',
    'if (hex(mac) !== theirMac) return;',
  ]) {
    assert.equal(found(text), 1, text);
  }
  for (const text of [
    'if (same(nonce, other)) return;',
    'if (same(natHash, ours)) return;',
    "if (offer.auth === 'psk') return;",
    'if (cookie === undefined) return;',
    'if (icv.length !== icvLength) return;',
    'if (notify.type === COOKIE) return;',
    'if (cookie[0] === this.version) return;',
    'if (equal(auth, expected)) return; // same(auth, expected)',
  ]) {
    assert.equal(found(text), 0, text);
  }
});
