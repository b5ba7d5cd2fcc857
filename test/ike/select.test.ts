import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { utf8 } from '../../src/bytes/bytes.ts';
import { type ProposalProtocol, parseProposals } from '../../src/config/proposal.ts';
import { ENCR, INTEG, KE } from '../../src/crypto/ids.ts';
import { type Offer, Secret } from '../../src/ike/connection.ts';
import { parseIdentity } from '../../src/ike/identity.ts';
import { reasonAuth } from '../../src/ike/proof.ts';
import {
  checkAnswer,
  groupsOf,
  offerProposals,
  type Selected,
  type Selection,
  selectProposal,
  suiteIsSound,
  suiteOf,
  withPreferredGroup,
} from '../../src/ike/select.ts';
import { ALGORITHMS, keywords, transformName, transformOf } from '../../src/ike/transforms.ts';
import { parseSelector } from '../../src/ike/ts.ts';
import { explainProposals, reasonNoProposal, reasonTs } from '../../src/ike/why.ts';
import { ESN, PROTOCOL, TRANSFORM } from '../../src/ike/wire/constants.ts';
import type { Proposal, Transform } from '../../src/ike/wire/payload.ts';
import type { Selector } from '../../src/ike/wire/ts.ts';

const { IKE, ESP, AH } = PROTOCOL;
const SPI = Uint8Array.of(1, 2, 3, 4);

function offers(text: string, protocol: ProposalProtocol): readonly Offer[] {
  const parsed = parseProposals(text, protocol, 2);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.message);
  return parsed.offers;
}

const ike = (text: string) => offers(text, 'ike');
const esp = (text: string) => offers(text, 'esp');

/** A peer's proposals, as its own configuration would make them. */
function from(text: string, protocol: ProposalProtocol, options = {}): Proposal[] {
  const number = protocol === 'ike' ? IKE : protocol === 'ah' ? AH : ESP;
  return offerProposals(offers(text, protocol), number, protocol === 'ike' ? new Uint8Array(0) : SPI, options);
}

/** A proposal with exactly these words, whether or not it makes sense. */
function raw(protocol: number, ...words: readonly (string | Transform)[]): Proposal[] {
  const transforms = words.map((word) => {
    const transform = typeof word === 'string' ? transformOf(word) : word;
    assert.ok(transform, `${word}`);
    return transform;
  });
  return [{ number: 1, protocol, spi: protocol === IKE ? new Uint8Array(0) : SPI, transforms }];
}

function names(selection: Selection): string[] {
  assert.ok(selection.ok, selection.ok ? '' : JSON.stringify(selection.misses));
  return selection.chosen.map(transformName);
}

function refused(selection: Selection): string[] {
  assert.ok(!selection.ok);
  return selection.misses.map((miss) => miss.kind);
}

const IKE_WORDS = ['aes256', 'prfsha256', 'sha256', 'modp2048'] as const;
const mineIke = () => ike('aes256-sha256-modp2048');

test('proposals are numbered from one and carry what the protocol has', () => {
  const sent = from('aes256gcm16-prfsha256-ecp256, aes128-sha1-modp2048', 'ike');
  assert.deepEqual(
    sent.map(({ number, protocol, transforms }) => [number, protocol, ...transforms.map(transformName)]),
    [
      [1, IKE, 'AES_GCM_16_256', 'PRF_HMAC_SHA2_256', 'ECP_256'],
      [2, IKE, 'AES_CBC_128', 'PRF_HMAC_SHA1', 'HMAC_SHA1_96', 'MODP_2048'],
    ],
  );
});

test('in IKE_AUTH the groups are left out, and ESN always stands in ESP', () => {
  const [first] = from('aes256gcm16-x25519', 'esp', { omitKe: true });
  assert.deepEqual(first?.transforms.map(transformName), ['AES_GCM_16_256', 'NO_EXT_SEQ']);
  const bare: Offer = { text: 'aes256gcm16', transforms: [transformOf('aes256gcm16') as Transform] };
  const [completed] = offerProposals([bare], ESP, SPI);
  assert.deepEqual(completed?.transforms.map(transformName), ['AES_GCM_16_256', 'NO_EXT_SEQ']);
});

test('our order of preference decides, among proposals and within one', () => {
  const theirs = from('aes128-sha1-modp2048, aes128-aes256-sha256-sha512-modp2048-ecp256', 'ike');
  const mine = ike('aes256-aes128-sha512-sha256-ecp256-modp2048, aes128-sha1-modp2048');
  const selection = selectProposal(mine, theirs, { protocol: IKE });
  assert.deepEqual(names(selection), ['AES_CBC_256', 'PRF_HMAC_SHA2_512', 'HMAC_SHA2_512_256', 'ECP_256']);
  assert.ok(selection.ok);
  assert.deepEqual([selection.ours, selection.number], [0, 2]);
  assert.deepEqual(selection.suite, {
    encr: ENCR.AES_CBC,
    keyBits: 256,
    integ: INTEG.HMAC_SHA2_512_256,
    prf: 7,
    ke: KE.ECP_256,
    esn: false,
  });
});

test('all transforms come from one proposal of the peer’s', () => {
  const theirs = [...raw(IKE, 'aes256', 'prfsha1', 'sha1', 'modp1024'), ...from('3des-sha256-modp2048', 'ike')];
  assert.ok(!selectProposal(mineIke(), theirs, { protocol: IKE }).ok);
});

test('AES with another key length or none is another cipher', () => {
  const bits = (keyBits?: number): Transform => ({
    type: TRANSFORM.ENCR,
    id: ENCR.AES_CBC,
    ...(keyBits === undefined ? {} : { keyBits }),
  });
  for (const wrong of [undefined, 0, 128, 255, 65_535]) {
    const theirs = raw(IKE, bits(wrong), 'prfsha256', 'sha256', 'modp2048');
    assert.deepEqual(refused(selectProposal(mineIke(), theirs, { protocol: IKE })), ['encr'], `${wrong}`);
  }
  assert.ok(selectProposal(mineIke(), raw(IKE, bits(256), 'prfsha256', 'sha256', 'modp2048'), { protocol: IKE }).ok);
});

test('a cipher with one key length must come without the attribute', () => {
  const chacha = { type: TRANSFORM.ENCR, id: ENCR.CHACHA20_POLY1305 };
  const mine = esp('chacha20poly1305');
  assert.ok(selectProposal(mine, raw(ESP, chacha, 'noesn'), { protocol: ESP }).ok);
  for (const keyBits of [0, 128, 256]) {
    assert.ok(!selectProposal(mine, raw(ESP, { ...chacha, keyBits }, 'noesn'), { protocol: ESP }).ok);
  }
  const sha: Transform = { type: TRANSFORM.INTEG, id: INTEG.HMAC_SHA2_256_128, keyBits: 256 };
  assert.ok(!selectProposal(esp('aes128-sha256'), raw(ESP, 'aes128', sha, 'noesn'), { protocol: ESP }).ok);
});

test('a transform with an attribute that we do not know is never chosen', () => {
  const odd: Transform = { ...(transformOf('aes256') as Transform), unknownAttribute: true };
  assert.ok(!selectProposal(mineIke(), raw(IKE, odd, 'prfsha256', 'sha256', 'modp2048'), { protocol: IKE }).ok);
  const both = raw(IKE, odd, ...IKE_WORDS);
  assert.ok(selectProposal(mineIke(), both, { protocol: IKE }).ok);
});

// CVE-2016-5391: a proposal without a group
test('a proposal that lacks a type is not acceptable', () => {
  for (const left of IKE_WORDS) {
    const theirs = raw(IKE, ...IKE_WORDS.filter((word) => word !== left));
    const selection = selectProposal(mineIke(), theirs, { protocol: IKE });
    assert.equal(refused(selection).length, 1, left);
  }
  assert.ok(!selectProposal(mineIke(), raw(IKE), { protocol: IKE }).ok);
  assert.ok(!selectProposal(esp('aes128-sha256'), raw(ESP, 'aes128', 'noesn'), { protocol: ESP }).ok);
  assert.ok(!selectProposal(esp('aes128-sha256'), raw(ESP, 'sha256', 'noesn'), { protocol: ESP }).ok);
  assert.ok(!selectProposal(mineIke(), raw(IKE, 'aes256', 'prfsha256', 'sha256', 'none'), { protocol: IKE }).ok);
});

test('a type that is unknown or does not belong to the protocol spoils the proposal', () => {
  const strange: Transform[] = [
    { type: 0, id: 1 },
    { type: TRANSFORM.ADDKE1, id: 36 },
    { type: 255, id: 65_535 },
    { type: TRANSFORM.ESN, id: ESN.NO },
  ];
  for (const transform of strange) {
    const theirs = raw(IKE, ...IKE_WORDS, transform);
    assert.deepEqual(refused(selectProposal(mineIke(), theirs, { protocol: IKE })), ['other']);
  }
  assert.ok(!selectProposal(esp('aes256gcm16'), raw(ESP, 'aes256gcm16', 'noesn', 'prfsha256'), { protocol: ESP }).ok);
});

test('proposals for another protocol are passed over', () => {
  assert.deepEqual(refused(selectProposal(esp('aes128-sha256'), from('sha256', 'ah'), { protocol: ESP })), []);
  assert.deepEqual(refused(selectProposal(mineIke(), [], { protocol: IKE })), []);
});

// RFC 7296 §3.3: no integrity algorithm, or NONE
test('an AEAD cipher goes with no integrity or NONE, and with nothing else', () => {
  const mine = esp('aes256gcm16');
  const none: Transform = { type: TRANSFORM.INTEG, id: INTEG.NONE };
  assert.deepEqual(names(selectProposal(mine, raw(ESP, 'aes256gcm16', 'noesn'), { protocol: ESP })), [
    'AES_GCM_16_256',
    'NO_EXT_SEQ',
  ]);
  assert.deepEqual(names(selectProposal(mine, raw(ESP, 'aes256gcm16', none, 'noesn'), { protocol: ESP })), [
    'AES_GCM_16_256',
    'NONE',
    'NO_EXT_SEQ',
  ]);
  assert.deepEqual(refused(selectProposal(mine, raw(ESP, 'aes256gcm16', 'sha256', 'noesn'), { protocol: ESP })), [
    'integ',
  ]);
  const cbc = raw(ESP, 'aes256', none, 'noesn');
  assert.ok(!selectProposal(esp('aes256-sha256'), cbc, { protocol: ESP }).ok);
});

test('ESP takes NONE for a group, and a group only where we have one', () => {
  const pfs = esp('aes256gcm16-x25519');
  const plain = esp('aes256gcm16');
  const select = (mine: readonly Offer[], ...words: readonly string[]) =>
    selectProposal(mine, raw(ESP, 'aes256gcm16', ...words, 'noesn'), { protocol: ESP });
  assert.deepEqual(names(select(plain, 'none')), ['AES_GCM_16_256', 'NONE', 'NO_EXT_SEQ']);
  assert.deepEqual(names(select(plain, 'modp2048', 'none')), ['AES_GCM_16_256', 'NONE', 'NO_EXT_SEQ']);
  assert.deepEqual(refused(select(plain, 'modp2048')), ['ke']);
  assert.deepEqual(names(select(pfs, 'x25519')), ['AES_GCM_16_256', 'CURVE_25519', 'NO_EXT_SEQ']);
  assert.deepEqual(refused(select(pfs)), ['ke']);
  assert.deepEqual(refused(select(pfs, 'none')), ['ke']);
  assert.deepEqual(names(select(esp('aes256gcm16-x25519-none'))), ['AES_GCM_16_256', 'NO_EXT_SEQ']);
});

test('groups in IKE_AUTH are not looked at', () => {
  const theirs = raw(ESP, 'aes256gcm16', 'modp1024', 'noesn');
  const selection = selectProposal(esp('aes256gcm16-x25519'), theirs, { protocol: ESP, omitKe: true });
  assert.deepEqual(names(selection), ['AES_GCM_16_256', 'NO_EXT_SEQ']);
});

test('a missing ESN means the short sequence numbers, and the long ones alone are refused', () => {
  const mine = esp('aes256gcm16');
  assert.deepEqual(names(selectProposal(mine, raw(ESP, 'aes256gcm16'), { protocol: ESP })), ['AES_GCM_16_256']);
  assert.deepEqual(refused(selectProposal(mine, raw(ESP, 'aes256gcm16', 'esn'), { protocol: ESP })), ['esn']);
  const both = selectProposal(mine, raw(ESP, 'aes256gcm16', 'esn', 'noesn'), { protocol: ESP });
  assert.ok(both.ok && !both.suite.esn);
});

test('AH negotiates integrity alone', () => {
  const selection = selectProposal(offers('sha512-sha256', 'ah'), from('sha1-sha256', 'ah'), { protocol: AH });
  assert.deepEqual(names(selection), ['HMAC_SHA2_256_128', 'NO_EXT_SEQ']);
});

test('whatever a peer offers, what is chosen is sound, ours and theirs', () => {
  const transform = fc.oneof(
    fc.constantFrom(...keywords()).map((word) => transformOf(word) as Transform),
    fc.record({ type: fc.nat(14), id: fc.nat(40) }),
    fc.record({ type: fc.nat(6), id: fc.nat(40), keyBits: fc.constantFrom(0, 128, 256, 65_535) }),
  );
  const lists = fc.array(fc.array(transform, { maxLength: 12 }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(lists, lists, fc.constantFrom(IKE, ESP, AH), (ours, theirs, protocol) => {
      const mine = ours.map((transforms) => ({ text: '', transforms }));
      const proposals = theirs.map((transforms, i) => ({ number: i + 1, protocol, spi: SPI, transforms }));
      const selection = selectProposal(mine, proposals, { protocol });
      if (!selection.ok) return;
      assert.ok(suiteIsSound(selection.suite, protocol === IKE ? 'ike' : protocol === ESP ? 'esp' : 'ah'));
      const types = selection.chosen.map(({ type }) => type);
      assert.equal(new Set(types).size, types.length);
      const taken = proposals[selection.number - 1];
      assert.deepEqual(new Set(types), new Set(taken?.transforms.map(({ type }) => type)));
      for (const chosen of selection.chosen) assert.ok(taken?.transforms.includes(chosen) || taken);
      const answer = [{ number: 1, protocol, spi: SPI, transforms: selection.chosen }];
      assert.ok(checkAnswer([{ number: 1, protocol, spi: SPI, transforms: taken?.transforms ?? [] }], answer).ok);
    }),
    { numRuns: 500 },
  );
});

test('everything that can be selected from all words has keys of known sizes', () => {
  const pick = (kind: string) => ALGORITHMS.filter((algorithm) => algorithm.kind === kind);
  for (const encr of pick('encr')) {
    for (const keyBits of encr.keySizes.length > 0 ? encr.keySizes : [undefined]) {
      for (const integ of [0, ...pick('integ').map(({ id }) => id)]) {
        const suite = { encr: encr.id, keyBits, integ, prf: 5, ke: 14, esn: false };
        assert.equal(suiteIsSound(suite, 'esp'), encr.aead === (integ === 0));
        assert.equal(suiteIsSound(suite, 'ike'), encr.aead === (integ === 0) && !encr.childOnly && integ !== 1026);
        assert.ok(!suiteIsSound({ ...suite, keyBits: 65_535 }, 'esp'));
      }
    }
  }
});

test('soundness refuses what has no keys, no group or no integrity', () => {
  const good = suiteOf(raw(IKE, ...IKE_WORDS)[0]?.transforms ?? []);
  assert.ok(suiteIsSound(good, 'ike'));
  const bad = [
    { prf: 0 },
    { ke: 0 },
    { ke: 1025 },
    { integ: 0 },
    { integ: 6 },
    { encr: 0 },
    { encr: 21 },
    { esn: true },
  ];
  for (const part of bad) assert.ok(!suiteIsSound({ ...good, ...part }, 'ike'), JSON.stringify(part));
});

// CVE-2014-9221: groups that nobody offered
test('only groups that we offered count as ours', () => {
  const mine = ike('aes256gcm16-x25519-ecp256, aes256-sha256-ecp256-modp2048');
  assert.deepEqual(groupsOf(mine), [KE.CURVE25519, KE.ECP_256, KE.MODP_2048]);
  for (const group of [0, 1024, 1025, 1040, 65_535]) assert.ok(!groupsOf(mine).includes(group));
  assert.deepEqual(groupsOf(esp('aes256gcm16-x25519-none')), [KE.CURVE25519]);
});

test('a preferred group goes first where it stands, and is added nowhere', () => {
  const mine = ike('aes256gcm16-x25519-ecp256, aes256-sha256-modp2048');
  const preferred = withPreferredGroup(mine, KE.ECP_256);
  assert.deepEqual(groupsOf(preferred), [KE.ECP_256, KE.CURVE25519, KE.MODP_2048]);
  assert.deepEqual(groupsOf(withPreferredGroup(mine, 1025)), groupsOf(mine));
});

const SENT = () => from('aes256gcm16-prfsha256-x25519-ecp256, aes256-sha256-x25519', 'ike');

test('an answer must be one of our proposals with every choice made', () => {
  const sent = SENT();
  const answer = (number: number, ...words: readonly string[]): Proposal[] => [
    { ...(raw(IKE, ...words)[0] as Proposal), number },
  ];
  const good = checkAnswer(sent, answer(1, 'aes256gcm16', 'prfsha256', 'ecp256'));
  assert.ok(good.ok);
  assert.deepEqual([good.ours, good.number, good.suite.ke], [0, 1, KE.ECP_256]);
  assert.ok(checkAnswer(sent, answer(2, 'aes256', 'prfsha256', 'sha256', 'x25519')).ok);

  const wrong: readonly (readonly [Proposal[], RegExp])[] = [
    [[], /0 proposals/],
    [[...sent], /2 proposals/],
    [answer(3, 'aes256gcm16', 'prfsha256', 'ecp256'), /which we did not send/],
    [answer(2, 'aes256gcm16', 'prfsha256', 'x25519'), /encr AES_GCM_16_256 where we offered AES_CBC_256/],
    [answer(1, 'aes128gcm16', 'prfsha256', 'ecp256'), /encr AES_GCM_16_128/],
    [answer(1, 'aes256gcm16', 'prfsha256', 'modp1024'), /ke MODP_1024/],
    [answer(1, 'aes256gcm16', 'prfsha256'), /ke nothing/],
    [answer(1, 'aes256gcm16', 'prfsha256', 'x25519', 'ecp256'), /leaves the choice of ke open/],
    [answer(1, 'aes256gcm16', 'prfsha256', 'x25519', 'noesn'), /NO_EXT_SEQ/],
    [raw(ESP, 'aes256gcm16', 'noesn'), /for protocol 3, not 1/],
  ];
  for (const [proposals, why] of wrong) {
    const checked = checkAnswer(sent, proposals);
    assert.ok(!checked.ok);
    assert.match(checked.why, why);
  }
});

test('what one side selects the other accepts as an answer', () => {
  const sent = from('aes256gcm16-x25519, aes256-sha256-modp2048', 'esp');
  const selection = selectProposal(esp('aes128-sha256, aes256-sha256-modp2048'), sent, { protocol: ESP }) as Selected;
  const answer = { number: selection.number, protocol: ESP, spi: SPI, transforms: selection.chosen };
  const checked = checkAnswer(sent, [answer]);
  assert.ok(checked.ok);
  assert.deepEqual(checked.suite, selection.suite);
});

const WHERE = { file: 'gw.conf', line: 14, column: 5 };
const CONFIG = { where: new Map([['', WHERE]]) };

test('a refusal of one kind says which word to add, and where', () => {
  const reason = reasonNoProposal({
    offers: ike('aes256-sha256-x25519-ecp256'),
    theirs: from('aes256-sha256-modp1024-modp2048', 'ike'),
    protocol: IKE,
    by: 'us',
    where: WHERE,
  });
  assert.equal(reason.code, 'no-proposal');
  assert.equal(
    reason.text,
    "no IKE proposal in common; closest are our 1 and the peer's 1: " +
      'key exchange: we want CURVE_25519 or ECP_256, the peer MODP_1024 or MODP_2048',
  );
  assert.equal(
    reason.remedy,
    'peer offers modp2048; add `-modp2048` to `proposals` in gw.conf:14, or have the peer offer aes256-sha256-x25519-ecp256',
  );
  assert.deepEqual(reason.misses, [
    { ours: 0, theirs: 1, kind: 'ke', want: ['CURVE_25519', 'ECP_256'], got: ['MODP_1024', 'MODP_2048'] },
  ]);
  assert.deepEqual(reason.where, WHERE);
});

test('the closest pairing is the one that is explained', () => {
  const theirs = from('3des-md5-modp1024, aes256-sha256-modp2048', 'ike');
  const mine = ike('aes128-sha512-ecp521, aes256-sha512-modp2048');
  const reason = reasonNoProposal({ offers: mine, theirs, protocol: IKE, by: 'us' });
  assert.match(
    reason.text,
    /our 2 and the peer's 2: PRF: .*; integrity: we want HMAC_SHA2_512_256, the peer HMAC_SHA2_256_128/,
  );
  assert.match(reason.remedy ?? '', /add `-prfsha256-sha256` to `proposals`/);
  assert.equal(new Set(explainProposals(mine, theirs, IKE).map((miss) => `${miss.ours} ${miss.theirs}`)).size, 4);
});

test('another cipher asks for a proposal of its own, and what is weak is called so', () => {
  const reason = reasonNoProposal({
    offers: esp('aes256gcm16'),
    theirs: from('3des-sha1', 'esp'),
    protocol: ESP,
    by: 'us',
    where: WHERE,
  });
  assert.equal(reason.code, 'no-child-proposal');
  assert.match(reason.remedy ?? '', /^add the proposal 3des-sha1 \(weak\) to `esp_proposals` in gw\.conf:14/);
  assert.deepEqual(reason.got, ['ESP:3DES_CBC/HMAC_SHA1_96/NO_EXT_SEQ']);
});

test('PFS on one side only is named', () => {
  const theirs = (text: string) => from(text, 'esp');
  const without = reasonNoProposal({
    offers: esp('aes128-sha256-x25519'),
    theirs: theirs('aes128-sha256'),
    protocol: ESP,
    by: 'us',
  });
  assert.match(without.remedy ?? '', /the peer does not want PFS: take the group out/);
  const pfs = reasonNoProposal({
    offers: esp('aes128-sha256'),
    theirs: theirs('aes128-sha256-modp2048'),
    protocol: ESP,
    by: 'us',
  });
  assert.match(pfs.remedy ?? '', /`-modp2048`/);
});

test('what cannot be met here is said to be the peer’s to change', () => {
  const camellia = raw(IKE, { type: TRANSFORM.ENCR, id: 23, keyBits: 256 }, 'prfsha256', 'sha256', 'modp2048');
  const reason = reasonNoProposal({ offers: mineIke(), theirs: camellia, protocol: IKE, by: 'us' });
  assert.match(reason.text, /CAMELLIA_CBC_256/);
  assert.match(reason.remedy ?? '', /nothing that the peer offers there is supported/);
  const silent = reasonNoProposal({ offers: mineIke(), theirs: undefined, protocol: IKE, by: 'peer', where: WHERE });
  assert.equal(silent.text, 'the peer accepts none of our IKE proposals');
  assert.match(silent.remedy ?? '', /aes256-sha256-modp2048 \(`proposals` in gw\.conf:14\)/);
});

test('a flood of proposals is explained in bounded space', () => {
  const transforms = Array.from({ length: 255 }, (_, id) => ({ type: TRANSFORM.ENCR, id: id + 1000 }));
  const theirs = Array.from({ length: 64 }, (_, i) => ({ number: i + 1, protocol: IKE, spi: SPI, transforms }));
  const reason = reasonNoProposal({ offers: ike('default'), theirs, protocol: IKE, by: 'us' });
  assert.ok((reason.misses?.length ?? 0) <= 64);
  assert.ok(JSON.stringify(reason).length < 200_000);
});

function ts(text: string): Selector {
  const source = parseSelector(text);
  assert.equal(source?.kind, 'fixed');
  return source.selector;
}

test('selectors that do not meet are shown from both sides', () => {
  const ours = { local: [ts('10.1.0.0/24')], remote: [ts('10.2.0.0/24')] };
  const theirs = { local: [ts('10.1.0.0/24')], remote: [ts('10.3.0.0/24')] };
  const reason = reasonTs({ ...ours, theirs, by: 'us', config: CONFIG });
  assert.equal(reason.code, 'ts-mismatch');
  assert.deepEqual(reason.want, ['10.1.0.0/24 === 10.2.0.0/24']);
  assert.deepEqual(reason.got, ['10.1.0.0/24 === 10.3.0.0/24']);
  assert.match(reason.remedy ?? '', /gw\.conf:14/);
  assert.equal(reasonTs({ ...ours, by: 'peer' }).text, 'the peer has no policy for 10.1.0.0/24 === 10.2.0.0/24');
});

test('a failed authentication names the identities and the secret’s owners, never the secret', () => {
  const localId = parseIdentity('@a');
  const remoteId = parseIdentity('keyid:b');
  assert.ok(localId && remoteId);
  const place = { file: 'gw.secrets', line: 3, column: 1 };
  const key = { owners: [localId, remoteId], secret: new Secret(utf8('correct horse')), place };
  const wrong = reasonAuth({ kind: 'auth-failed', by: 'us', localId, remoteId, key });
  assert.match(wrong.text, /ID_KEY_ID b is wrong: the pre-shared keys differ; ours is the secret for a, b$/);
  assert.deepEqual(wrong.where, place);
  const refusal = reasonAuth({ kind: 'auth-failed', by: 'peer', localId, key, config: CONFIG });
  assert.match(refusal.text, /^the peer refused our authentication: we are ID_FQDN a, with the secret for a, b/);
  const unknown = reasonAuth({
    kind: 'unknown-id',
    by: 'us',
    remoteId,
    expected: { kind: 'is', id: localId },
    config: CONFIG,
  });
  assert.match(unknown.text, /the peer calls itself ID_KEY_ID b; we expect ID_FQDN a/);
  assert.deepEqual(unknown.where, WHERE);
  const none = reasonAuth({ kind: 'no-psk', by: 'us', localId, remoteId });
  assert.equal(none.code, 'no-psk');
  for (const reason of [wrong, refusal, unknown, none]) assert.doesNotMatch(JSON.stringify(reason), /horse/);
});
