import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hex, unhex, utf8 } from '../../src/bytes/bytes.ts';
import {
  ANY_ID,
  describeIdentity,
  formatIdentity,
  identityOfAddress,
  matchesIdentity,
  parseIdentity,
  parseIdentityPattern,
  parseOwner,
  sameIdentity,
} from '../../src/ike/identity.ts';
import { ID } from '../../src/ike/wire/constants.ts';
import type { Identity } from '../../src/ike/wire/payload.ts';

function id(text: string): Identity {
  const parsed = parseIdentity(text);
  assert.ok(parsed, text);
  return parsed;
}

const FQDN = (data: Uint8Array | string): Identity => ({
  type: ID.FQDN,
  data: typeof data === 'string' ? utf8(data) : data,
});

// The forms of strongSwan's documentation "Identity Parsing".
test('identities are read as strongSwan reads them', () => {
  const forms: readonly (readonly [string, number, string])[] = [
    ['192.0.2.1', ID.IPV4_ADDR, 'c0000201'],
    ['2001:db8::1', ID.IPV6_ADDR, '20010db8000000000000000000000001'],
    ['gw.example', ID.FQDN, hex(utf8('gw.example'))],
    ['@gw.example', ID.FQDN, hex(utf8('gw.example'))],
    ['@192.0.2.1', ID.FQDN, hex(utf8('192.0.2.1'))],
    ['@@user@host', ID.RFC822_ADDR, hex(utf8('user@host'))],
    ['user@example.org', ID.RFC822_ADDR, hex(utf8('user@example.org'))],
    ['@#0a0B', ID.KEY_ID, '0a0b'],
    ['@#0a:0b', ID.KEY_ID, '0a0b'],
    ['keyid:branch 7', ID.KEY_ID, hex(utf8('branch 7'))],
    ['keyid:#ff00', ID.KEY_ID, 'ff00'],
    ['fqdn:user@host', ID.FQDN, hex(utf8('user@host'))],
    ['email:root', ID.RFC822_ADDR, hex(utf8('root'))],
    ['ipv4:192.0.2.1', ID.IPV4_ADDR, 'c0000201'],
    ['ipv6:::1', ID.IPV6_ADDR, '00000000000000000000000000000001'],
    ['asn1dn:#3000', ID.DER_ASN1_DN, '3000'],
    ['dn:#3000', ID.DER_ASN1_DN, '3000'],
  ];
  for (const [text, type, data] of forms) {
    const parsed = id(text);
    assert.deepEqual([parsed.type, hex(parsed.data)], [type, data], text);
  }
});

test('what cannot be one identity is refused', () => {
  const wrong = [
    '',
    '%any',
    '*',
    '0.0.0.0',
    '::',
    '*.example',
    '@',
    '@@',
    '@#',
    '@#0',
    '@#xy',
    'keyid:',
    'C=CH, CN=gw',
  ];
  wrong.push('ipv4:fd00::1', 'ipv6:192.0.2.1', 'dn:C=CH', 'a:b', 'a\nb', 'a\u0000b', 'a\u202eb', 'x'.repeat(2000));
  for (const text of wrong) assert.equal(parseIdentity(text), undefined, JSON.stringify(text.slice(0, 30)));
});

test('any is a pattern and an owner, but never an identity', () => {
  for (const text of ['%any', '', '0.0.0.0', '::', '*']) {
    assert.deepEqual(parseIdentityPattern(text), { kind: 'any' });
    assert.equal(parseOwner(text), ANY_ID);
  }
  assert.deepEqual(parseIdentityPattern('@gw'), { kind: 'is', id: id('@gw') });
  assert.equal(parseIdentityPattern('*.example'), undefined);
});

test('identities are compared by type and bytes, names without regard to case', () => {
  assert.ok(sameIdentity(id('@GW.example'), id('@gw.EXAMPLE')));
  assert.ok(sameIdentity(id('User@example.org'), id('user@EXAMPLE.org')));
  assert.ok(!sameIdentity(id('keyid:GW'), id('keyid:gw')));
  assert.ok(!sameIdentity(id('keyid:gw'), id('@gw')));
  assert.ok(!sameIdentity(id('@192.0.2.1'), id('192.0.2.1')));
  assert.ok(!sameIdentity(id('@gw'), id('@gw2')));
  assert.ok(!sameIdentity(ANY_ID, ANY_ID));
  // U+212A, the Kelvin sign, is k to a Unicode comparison.
  assert.ok(!sameIdentity(FQDN('\u212a'), FQDN('k')));
});

const CONFIGURED = ['@gw.example', '192.0.2.1', 'user@example.org', '@#6777', 'asn1dn:#3000', '2001:db8::1'];

// CVE-2013-6075 and its kin
test('a hostile identity matches no configured one', () => {
  const hostile: Identity[] = [
    ...['%any', '*', '', '__proto__', 'constructor', 'gw.example,', 'gw.example\u0000', 'C=CH, CN=gw.example'].map(
      FQDN,
    ),
    ...['@gw.example', 'fqdn:gw.example', '0.0.0.0', '192.0.2.1', ' gw.example'].map(FQDN),
    FQDN(new Uint8Array(65_536)),
    FQDN(unhex('67ff77')),
    { type: 0, data: new Uint8Array(0) },
    { type: ID.IPV4_ADDR, data: new Uint8Array(0) },
    { type: ID.IPV4_ADDR, data: unhex('c00002') },
    { type: ID.IPV6_ADDR, data: unhex('c0000201') },
    { type: ID.DER_ASN1_DN, data: new Uint8Array(0) },
    { type: ID.DER_ASN1_DN, data: unhex('30') },
    { type: ID.DER_ASN1_DN, data: utf8('gw.example') },
    { type: ID.KEY_ID, data: utf8('%any') },
    { type: ID.RFC822_ADDR, data: utf8('*@example.org') },
    { type: 201, data: utf8('gw.example') },
  ];
  for (const received of hostile) {
    for (const text of CONFIGURED) {
      assert.ok(
        !matchesIdentity({ kind: 'is', id: id(text) }, received),
        `${text} against ${formatIdentity(received)}`,
      );
    }
  }
});

test('identities print so that they are read back as the same, but for a readable KEY_ID, which prints bare', () => {
  for (const text of CONFIGURED) {
    if (text !== '@#6777') assert.deepEqual(id(formatIdentity(id(text))), id(text));
  }
  assert.equal(formatIdentity(id('@gw.example')), 'gw.example');
  assert.equal(formatIdentity(id('user@example.org')), 'user@example.org');
  assert.equal(formatIdentity(identityOfAddress('2001:db8::1')), '2001:db8::1');
  assert.equal(formatIdentity(id('keyid:branch')), 'branch');
  assert.equal(formatIdentity(FQDN('192.0.2.1')), 'fqdn:192.0.2.1');
  assert.equal(formatIdentity(FQDN('%any')), 'fqdn:%any');
  assert.equal(formatIdentity(FQDN(unhex('ff00'))), 'fqdn:#ff00');
  assert.equal(formatIdentity(ANY_ID), '%any');
  assert.equal(describeIdentity(id('keyid:gw')), 'ID_KEY_ID gw');
  assert.equal(describeIdentity(id('@gw')), 'ID_FQDN gw');
});

test('no identity can bring control characters, a second line or a flood into the log', () => {
  assert.equal(formatIdentity(FQDN('a\u001b[31m\r\nb\u202e')), 'fqdn:a\\u{1b}[31m\\u{d}\\u{a}b\\u{202e}');
  fc.assert(
    fc.property(fc.nat(15), fc.uint8Array({ maxLength: 400 }), (type, data) => {
      const text = formatIdentity({ type, data });
      assert.doesNotMatch(text, /[\p{C}\p{Zl}\p{Zp}]/u);
      assert.ok(text.length < 3000);
    }),
    { numRuns: 300 },
  );
  for (const fill of [0, 0x41, 0xff]) {
    const long = new Uint8Array(65_536).fill(fill);
    for (const type of [ID.FQDN, ID.KEY_ID, ID.DER_ASN1_DN, 77])
      assert.ok(formatIdentity({ type, data: long }).length < 3000);
  }
});
