import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest } from '../../src/bytes/nearest.ts';
import { defaultOffers, type ProposalProtocol, parseProposals } from '../../src/config/proposal.ts';
import { transformName, weakOf } from '../../src/ike/transforms.ts';

function names(text: string | readonly string[], protocol: ProposalProtocol, version: 0 | 1 | 2 = 2): string[] {
  const parsed = parseProposals(text, protocol, version);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.message);
  return parsed.offers.map((offer) => offer.transforms.map(transformName).join('/'));
}

function refusal(text: string, protocol: ProposalProtocol, version: 0 | 1 | 2 = 2) {
  const parsed = parseProposals(text, protocol, version);
  assert.ok(!parsed.ok, text);
  return parsed;
}

test('the PRF follows the integrity algorithm', () => {
  assert.deepEqual(names('aes128-sha256-modp2048', 'ike'), [
    'AES_CBC_128/PRF_HMAC_SHA2_256/HMAC_SHA2_256_128/MODP_2048',
  ]);
  assert.deepEqual(names('aes128-sha1-prfsha512-modp2048', 'ike'), [
    'AES_CBC_128/PRF_HMAC_SHA2_512/HMAC_SHA1_96/MODP_2048',
  ]);
});

test('beside an AEAD cipher a hash is the PRF, and without one the default PRFs are offered', () => {
  assert.deepEqual(names('aes256gcm16-prfsha256-ecp256', 'ike'), ['AES_GCM_16_256/PRF_HMAC_SHA2_256/ECP_256']);
  assert.deepEqual(names('aes256gcm16-sha384-ecp384', 'ike'), ['AES_GCM_16_256/PRF_HMAC_SHA2_384/ECP_384']);
  assert.deepEqual(names('aes256gcm16-ecp256', 'ike'), [
    'AES_GCM_16_256/PRF_HMAC_SHA2_384/PRF_HMAC_SHA2_256/PRF_HMAC_SHA2_512/ECP_256',
  ]);
});

// esp= of the configuration that UCloud's console gives to download.
test('an exclamation mark at the end is accepted', () => {
  assert.deepEqual(names('aes128-sha1-modp1024!', 'esp'), ['AES_CBC_128/HMAC_SHA1_96/MODP_1024/NO_EXT_SEQ']);
  assert.deepEqual(names('aes128-sha1-modp1024, 3des-md5-modp1024 !', 'ike', 1), [
    'AES_CBC_128/PRF_HMAC_SHA1/HMAC_SHA1_96/MODP_1024',
    '3DES_CBC/PRF_HMAC_MD5/HMAC_MD5_96/MODP_1024',
  ]);
});

test('several proposals come as a list or with commas, and default stands among them', () => {
  const parsed = parseProposals(['aes256-sha1-modp1024', 'default'], 'ike', 2);
  assert.ok(parsed.ok);
  assert.deepEqual(
    parsed.offers.map((offer) => offer.text),
    [
      'aes256-sha1-modp1024',
      'aes256gcm16-aes128gcm16-chacha20poly1305-prfsha384-prfsha256-prfsha512-x25519-ecp256-ecp384-ecp521-modp3072-modp4096-modp2048',
      'aes256-aes192-aes128-sha256-sha384-sha512-x25519-ecp256-ecp384-ecp521-modp3072-modp4096-modp2048',
    ],
  );
  assert.deepEqual(names('aes128-sha256,aes256-sha512', 'esp'), names(['aes128-sha256', 'aes256-sha512'], 'esp'));
});

test('ESP without a group has no PFS, and without a word on sequence numbers the short ones', () => {
  assert.deepEqual(names('aes256gcm16', 'esp'), ['AES_GCM_16_256/NO_EXT_SEQ']);
  assert.deepEqual(names('aes256gcm16-prfsha256-x25519-none', 'esp'), ['AES_GCM_16_256/CURVE_25519/NONE/NO_EXT_SEQ']);
  assert.deepEqual(names('null-sha256', 'esp'), ['NULL/HMAC_SHA2_256_128/NO_EXT_SEQ']);
});

test('extended sequence numbers are offered as they are written, most wanted first', () => {
  assert.deepEqual(names('aes128-sha256-esn', 'esp'), ['AES_CBC_128/HMAC_SHA2_256_128/EXT_SEQ']);
  assert.deepEqual(names('aes128gcm16-esn-noesn', 'esp'), ['AES_GCM_16_128/EXT_SEQ/NO_EXT_SEQ']);
  assert.deepEqual(names('noesn-aes128-sha256-esn', 'esp'), ['AES_CBC_128/HMAC_SHA2_256_128/NO_EXT_SEQ/EXT_SEQ']);
  assert.deepEqual(names('sha256-esn', 'ah'), ['HMAC_SHA2_256_128/EXT_SEQ']);
  for (const protocol of ['esp', 'ah'] as const)
    for (const text of names('default', protocol)) assert.match(text, /\/NO_EXT_SEQ$/);
});

test('AH has integrity and nothing else', () => {
  assert.deepEqual(names('sha256-sha1-modp2048', 'ah'), ['HMAC_SHA2_256_128/HMAC_SHA1_96/MODP_2048/NO_EXT_SEQ']);
  assert.equal(refusal('aes128-sha256', 'ah').word, 'aes128');
  refusal('modp2048', 'ah');
});

test('what does not encrypt, or cuts SHA2-256 short, is for children only', () => {
  assert.deepEqual(names('aes128gmac-aes256gmac-esn', 'esp'), ['NULL_AES_GMAC_128/NULL_AES_GMAC_256/EXT_SEQ']);
  assert.deepEqual(names('aes128-sha256_96', 'esp'), ['AES_CBC_128/HMAC_SHA2_256_96/NO_EXT_SEQ']);
  assert.deepEqual(names('sha2_256_96-sha256', 'ah'), ['HMAC_SHA2_256_96/HMAC_SHA2_256_128/NO_EXT_SEQ']);
  assert.match(refusal('aes128gmac-prfsha256-modp2048', 'ike').message, /"aes128gmac" does not encrypt.*ESP only/);
  assert.match(refusal('aes128-sha256_96-modp2048', 'ike').message, /"sha256_96" is for ESP and AH only/);
  assert.equal(refusal('aes128gmac', 'ah').word, 'aes128gmac');
  assert.equal(refusal('aes128-aes128gmac-sha256', 'esp').word, 'aes128gmac');
});

test('an unknown word is refused with the words it may have been', () => {
  const wrong = refusal('aes256-sah256-modp2048', 'ike');
  assert.equal(wrong.word, 'sah256');
  assert.deepEqual(wrong.near[0], 'sha256');
  assert.deepEqual(refusal('aes255-sha256-modp2048', 'ike').near, ['aes256']);
  assert.deepEqual(refusal('aes256-sha256-modp2084', 'ike').near[0], 'modp2048');
  assert.deepEqual(refusal('qqqqqqqqqqqq', 'esp').near, []);
  assert.equal(refusal('aes256--sha256', 'esp').word, '');
  for (const word of ['__proto__', 'constructor', 'a'.repeat(65_536)]) assert.equal(refusal(word, 'esp').word, word);
});

test('an algorithm of strongSwan’s that is missing here is not taken for a typing error', () => {
  const refused = refusal('camellia256-sha256-modp2048', 'ike');
  assert.match(refused.message, /"camellia256" is not supported/);
  assert.deepEqual(refused.near, []);
});

// RFC 7296 §3.3
test('combined modes and others cannot share a proposal', () => {
  const refused = refusal('aes128-aes256gcm16-sha256-modp2048', 'ike');
  assert.equal(refused.word, 'aes256gcm16');
  assert.match(refused.message, /write two, separated by a comma/);
  refusal('aes128-aes256gcm16-sha256', 'esp');
});

test('what leaves an SA without protection is refused', () => {
  assert.match(refusal('aes128-sha256', 'ike').message, /names no group/);
  assert.match(refusal('aes128-sha256-none', 'ike').message, /names no group/);
  assert.match(refusal('aes128-prfsha256-modp2048', 'ike').message, /no integrity algorithm/);
  assert.match(refusal('aes128', 'esp').message, /no integrity algorithm/);
  assert.match(refusal('null', 'esp').message, /no integrity algorithm/);
  assert.match(refusal('sha256-modp2048', 'esp').message, /no encryption algorithm/);
  assert.match(refusal('null-sha256-modp2048', 'ike').message, /ESP only/);
  assert.match(refusal('aes256gcm16-prfsha256-modp2048', 'ike', 1).message, /IKEv2/);
  refusal('', 'ike');
  refusal('!', 'ike');
  refusal(Array(65).fill('aes128-sha256').join(','), 'esp');
});

test('the defaults are complete and hold nothing weak', () => {
  for (const protocol of ['ike', 'esp', 'ah'] as const) {
    for (const version of [0, 1, 2] as const) {
      const offers = defaultOffers(protocol, version);
      assert.ok(offers.length > 0);
      for (const offer of offers) assert.deepEqual(weakOf(offer.transforms), []);
    }
  }
  assert.deepEqual(names('default', 'esp'), [
    'AES_GCM_16_256/AES_GCM_16_128/CHACHA20_POLY1305/NO_EXT_SEQ',
    'AES_CBC_256/AES_CBC_128/HMAC_SHA2_256_128/HMAC_SHA2_384_192/HMAC_SHA2_512_256/NO_EXT_SEQ',
  ]);
});

test('nearest finds few errors and swapped letters, and nothing for words far from all', () => {
  assert.deepEqual(nearest('remote_adrs', ['remote_addrs', 'local_addrs', 'remote_port']), ['remote_addrs']);
  assert.deepEqual(nearest('chlid', ['child', 'children']), ['child']);
  assert.deepEqual(nearest('zzzz', ['child', 'children']), []);
  assert.deepEqual(nearest('', ['a']), ['a']);
});
