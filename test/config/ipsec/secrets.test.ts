// ipsec.secrets: whom secrets are for, how they are written, what is wrong with them. No message repeats one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIdentity } from '../../../src/ike/identity.ts';
import { findSharedKey } from '../../../src/ike/psk.ts';
import { inMemory, mistakes, readSecrets } from './read.ts';

function keys(text: string, files = inMemory({})): string[] {
  return readSecrets(text, files).keys.map(
    ({ owners, secret }) => `${owners.map(formatIdentity).join(' ')} : ${new TextDecoder().decode(secret.reveal())}`,
  );
}

test('an entry has those whom it is for, a colon, a kind and a secret', () => {
  assert.deepEqual(
    keys(`# a comment
: PSK everybody
192.0.2.1 %any : PSK "with blanks # and signs"   # a comment
@gw.example.org\t: PSK 'it is "quoted"'
user@example.org fd00::1 keyid:x @#c0ffee gw.example.org : PSK a#b'c"d\r
  10.0.0.1 : PSK indented
%any : PSK "0x00"`),
    [
      ' : everybody',
      '192.0.2.1 %any : with blanks # and signs',
      'gw.example.org : it is "quoted"',
      `user@example.org fd00::1 x keyid:#c0ffee gw.example.org : a#b'c"d`,
      '10.0.0.1 : indented',
      '%any : 0x00',
    ],
  );
});

test('secrets are text in UTF-8, hexadecimal, or base64', () => {
  const bytes = (text: string) => [...(readSecrets(`: PSK ${text}\n`).keys[0]?.secret.reveal() ?? [])];
  assert.deepEqual(bytes('0x00ff10'), [0, 255, 16]);
  assert.deepEqual(bytes('0X00FF10'), [0, 255, 16]);
  assert.deepEqual(bytes('0sAP8Q'), [0, 255, 16]);
  assert.deepEqual(
    bytes('"0sAP8Q"'),
    [...'0sAP8Q'].map((char) => char.charCodeAt(0)),
    'quotes mean text',
  );
  assert.deepEqual(bytes('"密码"'), [0xe5, 0xaf, 0x86, 0xe7, 0xa0, 0x81]);
});

test('an indented line goes on with an entry that lacks something, and is one of its own otherwise', () => {
  assert.deepEqual(
    keys(`10.0.0.1
   10.0.0.2   # and a comment

\t: PSK
   "one"
   10.0.0.3 : PSK two
: PSK three
`),
    ['10.0.0.1 10.0.0.2 : one', '10.0.0.3 : two', ' : three'],
  );
});

test('the entry that fits best is used', () => {
  const shared = readSecrets(': PSK all\n%any : PSK any\nb : PSK peer\na b : PSK pair\n').keys;
  const id = (text: string) => ({ type: 2, data: new TextEncoder().encode(text) });
  const found = (localId: string, remoteId: string) => {
    const query = { localId: id(localId), remoteId: id(remoteId), localIp: '192.0.2.1', remoteIp: '192.0.2.2' };
    return new TextDecoder().decode(findSharedKey(shared, query)?.secret.reveal());
  };
  assert.deepEqual([found('a', 'b'), found('c', 'b'), found('c', 'd')], ['pair', 'peer', 'any']);
});

test('what this gateway has no use for is passed over, with one warning for each kind', () => {
  const text = `: RSA moonKey.pem
: RSA sunKey.pem "passphrase"
: ECDSA k.pem
carol : EAP "4iChxLT3"
dave : XAUTH secret
: PIN %smartcard:50 1234
: RSA {
    # RSA 2192 bits
    Modulus: 0xabcdef
    PublicExponent: 0x03
    }
: PSK last
`;
  const { warnings, held } = readSecrets(text);
  assert.deepEqual(warnings, [
    'ipsec.secrets:1:3: an entry of kind RSA has no effect: certificates and public keys are not supported yet (3 times)',
    'ipsec.secrets:3:3: an entry of kind ECDSA has no effect: certificates and public keys are not supported yet',
    'ipsec.secrets:4:9: an entry of kind EAP has no effect: EAP and XAuth are not supported yet',
    'ipsec.secrets:5:8: an entry of kind XAUTH has no effect: EAP and XAuth are not supported yet',
    'ipsec.secrets:6:3: an entry of kind PIN has no effect: certificates and public keys are not supported yet',
  ]);
  assert.deepEqual(keys(text), [' : last']);
  assert.deepEqual(held.get('ipsec.secrets')?.line, 2, 'the first secret, of whatever kind');
  assert.equal(readSecrets(': RSA k.pem\n').held.size, 0);
});

test('files are included', () => {
  const files = inMemory({
    '/s/a.secrets': ': PSK a\n',
    '/s/b.secrets': 'x : PSK b\ninclude /s/c.inc',
    '/s/c.inc': ': PSK c',
  });
  assert.deepEqual(keys('include /s/*.secrets\n: PSK last\n', files), [' : a', 'x : b', ' : c', ' : last']);
  assert.deepEqual(
    [...readSecrets('include /s/*.secrets\n', files).held.keys()],
    ['/s/a.secrets', '/s/b.secrets', '/s/c.inc'],
  );
  const circle = inMemory({ '/a': 'include /a' });
  assert.deepEqual(
    mistakes(() => readSecrets('include /a\n', circle)),
    ['/a:1:9: files include each other in a circle: ipsec.secrets → /a → /a'],
  );
});

test('what is wrong is said with its place, and never in the words of the file', () => {
  const kinds = 'PSK, RSA, ECDSA, BLISS, PKCS8, P12, PIN, EAP, NTLM, XAUTH';
  for (const [text, wrong] of [
    ['10.0.0.1: PSK horse\n', ':1:1: a ":" is missing, with a blank on either side, before the kind of secret'],
    ['10.0.0.1 :PSK horse\n', ':1:1: a ":" is missing, with a blank on either side, before the kind of secret'],
    ['horse\n', ':1:1: a ":" is missing, with a blank on either side, before the kind of secret'],
    ['a :\n', ':1:3: nothing follows ":"; write for example : PSK "…"'],
    ['a : horse\n', `:1:5: after ":" comes the kind of secret: ${kinds}`],
    ['a : "horse"\n', `:1:5: after ":" comes the kind of secret: ${kinds}; did you mean "PSK"?`],
    ['a : psk horse\n', `:1:5: after ":" comes the kind of secret: ${kinds}; did you mean "PSK"?`],
    ['a : PSK\nb : PSK ok\n', ':1:5: the secret after PSK is missing'],
    ['a : PSK # horse\n', ':1:5: the secret after PSK is missing'],
    ['a : PSK ""\n', ':1:9: the secret is empty'],
    ['a : PSK horse battery\n', ':1:15: nothing can follow the secret; one with blanks has to be in quotes'],
    ['a : PSK "horse battery\n', ':1:9: this quoted string does not end on its line'],
    ['a : PSK \'horse"\n', ':1:9: this quoted string does not end on its line'],
    ['a : PSK 0xhorse\n', ':1:9: after 0x a secret has pairs of hexadecimal digits'],
    ['a : PSK 0s?horse\n', ':1:9: after 0s a secret is written in base64'],
    ['horse* : PSK b\n', ':1:1: this is no identity: write an address, a name, an e-mail address, @#hex or %any'],
    ['horse, b : PSK b\n', ':1:1: selectors are separated by blanks, not by commas'],
    ['include\n', ':1:1: include needs a file name or a pattern'],
    ['include a horse\n', ':1:11: only one file name or pattern can follow "include"'],
    ['a : PSK b\n\u0007 : PSK horse\n', ':2:1: control character U+0007 in a configuration file'],
  ] as const) {
    const found = mistakes(() => readSecrets(text));
    assert.deepEqual(found, [`ipsec.secrets${wrong}`], text);
    assert.doesNotMatch(found.join(), /horse/);
  }
});

test('one wrong entry does not hide the next', () => {
  assert.deepEqual(
    mistakes(() => readSecrets('a: PSK x\n  y\nb : PSK "z\nc : PKS w\nd : PSK ok\n')).map((text) => text.slice(0, 17)),
    ['ipsec.secrets:1:1', 'ipsec.secrets:3:9', 'ipsec.secrets:4:5'],
  );
});

test('secrets do not print', () => {
  const [key] = readSecrets(': PSK horse\n').keys;
  assert.doesNotMatch(`${JSON.stringify(key)}${key?.secret}`, /horse/);
});
