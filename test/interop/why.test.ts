// Why there is no IKE SA: the causes of the first phase, each with strongSwan as the peer and in both roles.
//
// Not here, because there are none yet: certificates that have expired.

import { test } from 'node:test';
import { INTEROP, lacking } from '../support/needs.ts';
import { type Cause, elsewhere, inBoth, ours, rewritten, table, theirs, V1, V2 } from './causes.ts';

const skip = lacking(...INTEROP);
const state = 'phase1-failed';

const WHO: readonly Cause[] = [
  {
    what: 'another pre-shared key, IKEv2',
    plan: { ...V2, differs: { b: { psk: 'a different word of some length' } } },
    says: {
      initiator: {
        ...{ code: 'auth-failed', state, where: 'secret =' },
        text: /^the peer refused our authentication: we are ID_FQDN a\.espalier\.test, look for ID_FQDN b\.espalier/,
        remedy:
          /on the peer that it expects .*calls itself .*and holds the same pre-shared key \(ours is in line \d+\)/,
      },
      responder: {
        ...{ code: 'auth-failed', state, where: 'secret =' },
        text: /the authentication of ID_FQDN b\.espalier\.test is wrong: the pre-shared keys differ/,
        remedy: /^set the same pre-shared key on both sides \(ours is in \S+:\d+\)$/,
      },
    },
  },
  {
    what: 'another pre-shared key, IKEv1',
    plan: { ...V1, differs: { b: { psk: 'a different word of some length' } } },
    says: {
      initiator: {
        ...{ code: 'auth-failed', state, where: 'secret =' },
        text: /answered everything but message 5 of main mode.*most likely the pre-shared keys differ/,
        remedy: /^set the same pre-shared key on both sides/,
      },
      responder: {
        ...{ code: 'auth-failed', state, where: 'secret =' },
        text: /message 5 of main mode from 192\.0\.2\.2 cannot be decrypted: most likely the pre-shared keys differ/,
        remedy: /^set the same pre-shared key on both sides/,
      },
    },
  },
  ...inBoth((version, plan) => ({
    what: 'we are not whom the peer expects',
    plan: { ...plan, differs: { b: { remoteId: 'somebody.else.test' } } },
    says: {
      initiator: {
        ...{ code: 'auth-failed', state, where: version === 2 ? 'secret =' : 'id = a.espalier.test' },
        text: version === 2 ? /refused our authentication: we are ID_FQDN a/ : /though the pre-shared key is the same/,
        remedy: /^check on the peer that it expects ID_FQDN a\.espalier\.test/,
      },
      responder:
        version === 2
          ? {
              ...{ code: 'unknown-id', state, where: 'id = a.espalier.test' },
              text: /the peer .* asks for ID_FQDN somebody\.else\.test; we are ID_FQDN a\.espalier\.test/,
              remedy: /^set the local `id` in \S+ to somebody\.else\.test, or change whom the peer expects$/,
            }
          : {
              ...{ code: 'auth-failed', state, where: 'id = a.espalier.test' },
              text: /deleted the IKE SA as soon as we had named ourselves in it: most likely it does not expect ID_FQDN a/,
              remedy: /^check on the peer that it expects ID_FQDN a\.espalier\.test/,
            },
    },
  })),
  ...inBoth((version, plan) => {
    const wrong = {
      ...{ code: 'unknown-id', state, where: 'id = b.espalier.test' },
      text: /the peer calls itself ID_FQDN somebody\.else\.test; we expect ID_FQDN b\.espalier\.test/,
      remedy: /^set the remote `id` in \S+ to somebody\.else\.test, or have the peer call itself b\.espalier\.test$/,
    };
    // In IKEv2 whom we expect goes out with our own name, and strongSwan refuses that.
    const refused = {
      ...{ code: 'auth-failed', state, where: 'secret =' },
      text: /refused our authentication: .* look for ID_FQDN b\.espalier\.test/,
      remedy: /calls itself ID_FQDN b\.espalier\.test \(expected in line \d+\)/,
    };
    return {
      what: 'the peer is not whom we expect',
      plan: { ...plan, differs: { b: { localId: 'somebody.else.test' } } },
      says: { initiator: version === 2 ? refused : wrong, responder: wrong },
    };
  }),
  ...inBoth((_, plan) => {
    const none = {
      ...{ code: 'no-psk', state, where: 'id = b.espalier.test' },
      text: /^no pre-shared key is for ID_FQDN a\.espalier\.test and ID_FQDN b\.espalier\.test$/,
      remedy: /add a secret with id-1 = a\.espalier\.test and id-2 = b\.espalier\.test$/,
    };
    return {
      what: 'no secret for this pair',
      plan,
      given: (lab) => rewritten(lab, ours(lab), elsewhere),
      says: { initiator: none, responder: none },
    };
  }),
  {
    what: 'no secret at the peer, IKEv1',
    plan: V1,
    given: (lab) => rewritten(lab, theirs(lab), elsewhere),
    says: {
      initiator: {
        ...{ code: 'no-psk', state, where: 'secret =' },
        text: /answered message 3 of main mode with INVALID_KEY_INFORMATION: most likely it has no pre-shared key for us/,
        remedy: /^give the peer a pre-shared key for ID_FQDN a\.espalier\.test/,
      },
      responder: {
        ...{ code: 'no-psk', state, where: 'secret =' },
        text: /answered message 4 of main mode with INVALID_KEY_INFORMATION: most likely it has no pre-shared key for us/,
        remedy: /^give the peer a pre-shared key for ID_FQDN a\.espalier\.test/,
      },
    },
  },
  {
    what: 'no secret at the peer, IKEv2',
    plan: V2,
    given: (lab) => rewritten(lab, theirs(lab), elsewhere),
    says: {
      initiator: {
        ...{ code: 'auth-failed', state, where: 'secret =' },
        text: /refused our authentication/,
        remedy: /holds the same pre-shared key/,
      },
    },
  },
];

const refusal = (what: string, theirs: string): Cause[] =>
  inBoth((version, plan) => ({
    what,
    plan: { ...plan, differs: { b: { ike: theirs } } },
    says: {
      initiator: {
        ...{ code: 'no-proposal', state, where: 'proposals =' },
        text: /^the peer accepts none of our IKE proposals$/,
        remedy:
          version === 2
            ? /^compare encryption, hash and group in the peer's settings with aes128-sha256-modp2048 \(`proposals` in \S+:\d+\)/
            : /^compare encryption, hash, group and lifetime in the peer's settings with aes128-sha256-modp2048/,
      },
      responder: { ...{ code: 'no-proposal', state, where: 'proposals =' }, ...DIFFERS[what as keyof typeof DIFFERS] },
    },
  })).slice();

const DIFFERS = {
  'another encryption': {
    text: /: encryption: we want AES_CBC_128, the peer AES_CBC_256$/,
    remedy:
      /^add the proposal aes256-\S*sha256-modp2048 to `proposals` in \S+:\d+, or have the peer offer aes128-sha256-modp2048$/,
  },
  'another hash': {
    text: /integrity: we want HMAC_SHA2_256_128, the peer HMAC_SHA2_512_256$/,
    remedy: /^peer offers \S*sha512; add `-\S*sha512` to `proposals` in \S+:\d+/,
  },
  'another group': {
    text: /: key exchange: we want MODP_2048, the peer MODP_3072$/,
    remedy: /^peer offers modp3072; add `-modp3072` to `proposals` in \S+:\d+/,
  },
} as const;

const ALGORITHMS: readonly Cause[] = [
  ...refusal('another encryption', 'aes256-sha256-modp2048'),
  ...refusal('another hash', 'aes128-sha512-modp2048'),
  ...refusal('another group', 'aes128-sha256-modp3072'),
];

const MODES: readonly Cause[] = [
  {
    what: 'the peer speaks IKEv1 alone',
    plan: { ...V1, differs: { a: { version: 2 } } },
    says: {
      // It has no connection for IKEv2, and says so in the only words that there are.
      initiator: {
        ...{ code: 'no-proposal', state, where: 'proposals =' },
        text: /^the peer accepts none of our IKE proposals$/,
        remedy:
          /a peer that knows no connection for our address, or only one of another IKE version, may answer so, too$/,
      },
      responder: {
        ...{ code: 'wrong-version', state, where: 'version = 2' },
        text: /^192\.0\.2\.2 speaks IKEv1, and connection gw is for IKEv2 alone$/,
        remedy: /^set `version = 1` in \S+:\d+ \(0 takes both\), or switch the peer to IKEv2$/,
      },
    },
  },
  {
    what: 'the peer speaks IKEv2 alone',
    plan: { ...V1, differs: { a: { version: 1 }, b: { version: 2 } } },
    says: {
      initiator: {
        ...{ code: 'no-proposal', state, where: 'proposals =' },
        text: /^the peer accepts none of our IKE proposals$/,
        remedy: /or only one of another IKE version, may answer so, too$/,
      },
      responder: {
        ...{ code: 'wrong-version', state, where: 'version = 1' },
        text: /^192\.0\.2\.2 speaks IKEv2, and connection gw is for IKEv1 alone$/,
        remedy: /^set `version = 2` in \S+:\d+ \(0 takes both\), or switch the peer to IKEv1$/,
      },
    },
  },
  {
    what: 'main mode here, aggressive mode there',
    plan: { ...V1, differs: { b: { conn: 'aggressive = yes' } } },
    says: {
      initiator: {
        ...{ code: 'auth-failed', state, where: 'id = a.espalier.test' },
        text: /refused us after message 5 of main mode with AUTHENTICATION_FAILED/,
        remedy: /that it expects ID_FQDN a\.espalier\.test .*, and that it takes main mode$/,
      },
      responder: {
        ...{ code: 'wrong-exchange', state, where: 'gw {' },
        text: /192\.0\.2\.2 begins in aggressive mode, and no connection here takes that/,
        remedy: /^set the peer to main mode; or, .* set `aggressive = yes` in connection gw in \S+:\d+$/,
      },
    },
  },
  {
    // The other way round there is nothing to tell: who takes aggressive mode takes main mode, too.
    what: 'aggressive mode here, main mode there',
    plan: { ...V1, differs: { a: { conn: 'aggressive = yes' } } },
    says: {
      initiator: {
        ...{ code: 'auth-failed', state, where: 'aggressive = yes' },
        text: /refused aggressive mode with AUTHENTICATION_FAILED: it takes main mode alone, or does not know us as/,
        remedy: /^set `aggressive = no` in \S+:\d+, or have the peer take aggressive mode from ID_FQDN a\.espalier/,
      },
    },
  },
];

test('who the two are, and how they prove it', { skip }, (t) => table(t, WHO));
test('what protects the IKE SA', { skip }, (t) => table(t, ALGORITHMS));
test('how the two talk', { skip }, (t) => table(t, MODES));
