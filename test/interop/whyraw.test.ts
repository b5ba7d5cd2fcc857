// Why it fails where packets go as IP protocols 50 and 51, with a router as there are many: strongSwan with a kernel's
// ESP and AH, on a machine of its own. And modes, of which libipsec knows one.

import { test } from 'node:test';
import { KERNEL, lacking } from '../support/needs.ts';
import { B } from '../support/sites.ts';
import { begin, type Cause, impair, inBoth, mend, type Role, table, V1 } from './causes.ts';
import type { Lab } from './scenario.ts';

const skip = lacking(...KERNEL);
const V1K = { ...V1, b: 'kernel' } as const;
const dynamic = { localTs: 'dynamic', remoteTs: 'dynamic' } as const;

async function pings(lab: Lab, role: Role): Promise<void> {
  await begin(lab, role);
  await lab.agreed();
  await lab.net.hosta.ping(B.host, { count: 7, patience: 1 });
}

const CAUSES: readonly Cause[] = [
  ...inBoth((_, plan) => ({
    what: 'AH here, ESP there',
    plan: { ...plan, b: 'kernel', differs: { a: { ah: 'sha256' } } },
    says: {
      initiator: {
        ...{ code: 'no-child-proposal', state: 'phase2-failed', where: 'ah_proposals =' },
        text: /^the peer accepts none of our AH proposals$/,
        remedy: /^compare protocol \(ESP or AH\), .* in the peer's settings with sha256 \(`ah_proposals` in \S+:\d+\)/,
      },
      responder: {
        ...{ code: 'no-child-proposal', state: 'phase2-failed', where: 'ah_proposals =' },
        text: /^the peer offers ESP, and we want AH$/,
        remedy: /^write `esp_proposals` in place of `ah_proposals` in \S+:\d+, or have the peer offer AH with sha256$/,
      },
    },
  })),
  ...inBoth((version, plan) => {
    const here = { ...dynamic, mode: 'transport', child: 'tunnel_fallback = no' } as const;
    return {
      what: 'transport mode here, tunnel mode there',
      plan: { ...plan, b: 'kernel', differs: { a: here, b: dynamic } },
      says: {
        initiator:
          version === 2
            ? {
                ...{ code: 'mode-mismatch', state: 'phase2-failed', where: 'tunnel_fallback = no' },
                text: /^the peer declines transport mode, and tunnel mode will not do here$/,
                remedy: /^set the peer to transport mode, or set `tunnel_fallback = yes` in \S+:\d+$/,
              }
            : {
                ...{ code: 'ts-mismatch', state: 'phase2-failed', where: 'local_ts =' },
                text: /^the peer has no policy for 192\.0\.2\.1\/32 === 192\.0\.2\.2\/32$/,
                remedy: /; a peer that has them in another mode than ours \(transport\) may answer so, too$/,
              },
        responder: {
          ...{ code: 'mode-mismatch', state: 'phase2-failed', where: 'tunnel_fallback = no' },
          text: /^the peer asks for tunnel mode, and tunnel mode will not do here$/,
          remedy: /^set the peer to transport mode, or set `tunnel_fallback = yes` in \S+:\d+$/,
        },
      },
    };
  }),
  {
    what: 'tunnel mode here, transport mode there, IKEv1',
    plan: { ...V1K, differs: { a: dynamic, b: { ...dynamic, mode: 'transport' } } },
    says: {
      responder: {
        ...{ code: 'mode-mismatch', state: 'phase2-failed', where: 'mode = tunnel' },
        text: /^the peer asks for transport mode, and we want tunnel mode$/,
        remedy: /^set the peer to tunnel mode, or set `mode = transport` in \S+:\d+$/,
      },
    },
  },
  ...inBoth((_, plan) => {
    const blocked = {
      ...{ code: 'esp-blocked', state: 'connected', where: 'net {' },
      text: /^packets leave \(\d+ so far\), and not one has ever come back through this SA: either ESP is blocked/,
      remedy: /^permit IP protocol 50 \(ESP\) in both directions .*, or set `encap = yes`, which sends it in UDP 4500;/,
    };
    return {
      what: 'IP protocol 50 dropped on the way',
      plan: { ...plan, b: 'kernel' },
      given: (lab) => impair(lab.net.gwa, 'ip protocol esp drop'),
      provoke: pings,
      after: (lab) => mend(lab.net.gwa),
      says: { initiator: blocked, responder: blocked },
    };
  }),
];

test('raw ESP and AH, and modes', { skip }, (t) => table(t, CAUSES));
