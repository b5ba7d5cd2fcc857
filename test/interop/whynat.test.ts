// Why it fails with a NAT on the way that one side has not reckoned with: with strongSwan on the other side of it.

import { test } from 'node:test';
import { INTEROP, lacking } from '../support/needs.ts';
import { A } from '../support/sites.ts';
import { type Cause, inBoth, table } from './causes.ts';

const skip = lacking(...INTEROP);

/** We are behind it: a is. */
const BEHIND: readonly Cause[] = [
  ...inBoth((version, plan) => ({
    what: 'our own address as our name, which the peer does not see',
    plan: { ...plan, nat: true, differs: { a: { localId: A.behind }, b: { remoteId: A.outside } } },
    says: {
      initiator: {
        ...{ code: 'auth-failed', state: 'phase1-failed', where: version === 2 ? 'secret =' : `id = ${A.behind}` },
        text: /we are ID_IPV4_ADDR 100\.64\.0\.1/,
        remedy:
          /expects ID_IPV4_ADDR 100\.64\.0\.1.*Behind a NAT our own address is not the one that the peer sees: set the local `id`/,
      },
    },
  })),
  ...inBoth((_, plan) => ({
    what: 'AH through a NAT in front of us',
    plan: { ...plan, nat: true, ah: 'sha256', encap: 'auto' },
    says: {
      initiator: {
        ...{ code: 'ah-nat', state: 'phase2-failed', where: 'ah_proposals =' },
        text: /^AH protects the addresses of its packets, and a NAT in front of /,
        remedy:
          /^use ESP: write `esp_proposals` in place of `ah_proposals` in \S+:\d+, and the same at the peer; or take the NAT/,
      },
    },
  })),
];

/** The peer is behind it: Espalier is b. */
const AFTER: readonly Cause[] = [
  ...inBoth((_, plan) => ({
    what: "the peer's own address as its name, which we do not see",
    plan: {
      ...{ ...plan, a: 'strongswan', b: 'espalier', nat: true },
      differs: { a: { localId: A.behind }, b: { remoteId: A.outside } },
    },
    says: {
      responder: {
        ...{ code: 'unknown-id', state: 'phase1-failed', where: `id = ${A.outside}` },
        text: /calls itself ID_IPV4_ADDR 100\.64\.0\.1, the address that it has behind its NAT; we expect ID_IPV4_ADDR 192\.0\.2\.1$/,
        remedy: /^set the remote `id` in \S+:\d+ to 100\.64\.0\.1, or have the peer call itself 192\.0\.2\.1$/,
      },
    },
  })),
  ...inBoth((_, plan) => ({
    what: 'AH through a NAT in front of the peer',
    plan: { ...plan, a: 'strongswan', b: 'espalier', nat: true, ah: 'sha256', encap: 'auto' },
    says: {
      responder: {
        ...{ code: 'ah-nat', state: 'phase2-failed', where: 'ah_proposals =' },
        text: /^AH protects the addresses of its packets, and a NAT in front of the peer changes them/,
        remedy:
          /^use ESP: write `esp_proposals` in place of `ah_proposals` in \S+:\d+, and the same at the peer; or take the NAT/,
      },
    },
  })),
  {
    what: 'calling a peer behind a NAT, which lets nobody in',
    plan: { a: 'strongswan', b: 'espalier', nat: true, differs: { b: { remote: A.outside } } },
    says: {
      initiator: {
        ...{ code: 'no-answer', state: 'phase1-failed', where: 'remote_addrs =' },
        text: /^no answer from 192\.0\.2\.1 on UDP 500 /,
        remedy: /that UDP 500 and 4500 pass in both directions; where the peer is behind a NAT, let it begin$/,
      },
    },
  },
];

test('we are behind a NAT', { skip }, (t) => table(t, BEHIND));
test('the peer is behind a NAT', { skip }, (t) => table(t, AFTER));
