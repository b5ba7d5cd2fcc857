// The native data plane against scapy's IPsec, an independent end for ESP and AH: what we seal it opens, and what it
// seals we open, in every transform, mode, family and encapsulation that both have. Scapy 2.5 has no GMAC, no AES-XCBC,
// no SHA2-256-96 and GCM with ICVs of 16 bytes only, and leaves the high half of extended sequence numbers out of a MAC
// beside a cipher: for these there are vectors.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import { cipherShape } from '../../src/crypto/registry.ts';
import type { ChildSa } from '../../src/ike/effects.ts';
import { Bare } from '../support/bare.ts';
import { keysInHex, manualSa, selector } from '../support/manual.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { run, type Space, Topology } from '../support/netns.ts';

const skip = lacking(...NETWORK, 'tun', 'scapy', 'cryptography', 'espalier');
const PYTHON = '/usr/bin/python3';
/** Tests run from `dist/test/interop`; the script is not compiled. */
const SCRIPT = new URL('../../../test/interop/scapypeer.py', import.meta.url).pathname;

const MAC = { gateway: '020000000001', peer: '020000000002' };
const ENDS = { 4: { local: '192.0.2.1', remote: '192.0.2.2' }, 6: { local: '2001:db8::1', remote: '2001:db8::2' } };
const UDP = 17;
/** From here on the fourth of four packets has numbers with another high half than the second. */
const BEFORE_WRAP = 2 ** 32 - 3;

/** By the names that scapy has. */
interface Transform {
  readonly crypt?: string;
  readonly encr: number;
  readonly keyBits?: number;
  readonly auth?: string;
  readonly integ: number;
}

const AES = [128, 192, 256] as const;
const CRYPT = [
  { crypt: 'NULL', encr: ENCR.NULL },
  { crypt: 'DES', encr: ENCR.DES },
  { crypt: '3DES', encr: ENCR.DES3 },
  ...AES.map((keyBits) => ({ crypt: 'AES-CBC', encr: ENCR.AES_CBC, keyBits })),
  ...AES.map((keyBits) => ({ crypt: 'AES-CTR', encr: ENCR.AES_CTR, keyBits })),
];
const AUTH = [
  { auth: 'HMAC-MD5-96', integ: INTEG.HMAC_MD5_96 },
  { auth: 'HMAC-SHA1-96', integ: INTEG.HMAC_SHA1_96 },
  { auth: 'SHA2-256-128', integ: INTEG.HMAC_SHA2_256_128 },
  { auth: 'SHA2-384-192', integ: INTEG.HMAC_SHA2_384_192 },
  { auth: 'SHA2-512-256', integ: INTEG.HMAC_SHA2_512_256 },
  { auth: 'AES-CMAC-96', integ: INTEG.AES_CMAC_96 },
];
const CCM = [ENCR.AES_CCM_8, ENCR.AES_CCM_12, ENCR.AES_CCM_16];

const AEADS: readonly Transform[] = [
  ...AES.map((keyBits) => ({ crypt: 'AES-GCM', encr: ENCR.AES_GCM_16, keyBits })),
  ...CCM.flatMap((encr) => AES.map((keyBits) => ({ crypt: 'AES-CCM', encr, keyBits }))),
  { crypt: 'CHACHA20-POLY1305', encr: ENCR.CHACHA20_POLY1305 },
].map((cipher) => ({ ...cipher, integ: INTEG.NONE }));
const PAIRS: readonly Transform[] = CRYPT.flatMap((crypt) => AUTH.map((auth) => ({ ...crypt, ...auth })));
/** Each cipher and each MAC. */
const SOME_PAIRS = CRYPT.map((crypt, i) => ({ ...crypt, ...(AUTH[i % AUTH.length] as (typeof AUTH)[number]) }));
const MACS: readonly Transform[] = AUTH.map((auth) => ({ ...auth, encr: 0 }));

/** A form of packets. */
interface Form {
  readonly mode: 'tunnel' | 'transport';
  readonly outer: 4 | 6;
  readonly inner: 4 | 6;
}

const FORMS: readonly Form[] = ([4, 6] as const).flatMap((outer) => [
  ...([4, 6] as const).map((inner) => ({ mode: 'tunnel', outer, inner }) as const),
  { mode: 'transport', outer, inner: outer } as const,
]);

interface Case {
  readonly name: string;
  readonly sa: ChildSa;
  readonly job: Readonly<Record<string, unknown>>;
}

let id = 0;

function caseOf(protocol: 'esp' | 'ah', udp: boolean, esn: boolean, form: Form, transform: Transform): Case {
  const { mode, outer, inner } = form;
  const n = ++id;
  const { local, remote } = ENDS[outer];
  const tail = inner === 4 ? `${n >> 8}.${n & 255}` : n.toString(16);
  const [near, far] = inner === 4 ? ['10.1.', '10.2.'] : ['fd00:a::', 'fd00:b::'];
  const [here, there] = mode === 'transport' ? [local, remote] : [`${near}${tail}`, `${far}${tail}`];
  const [herePort, therePort] = [10_000 + n, 20_000 + n];
  const sa = manualSa(n, transform, {
    ...{ protocol, mode, udp, esn },
    local: { ip: local, port: 4500 },
    remote: { ip: remote, port: 4500 },
    localTs: [selector(here, UDP, herePort)],
    remoteTs: [selector(there, UDP, therePort)],
  });
  const icv = cipherShape(transform.encr, transform.keyBits)?.icvSize ?? 0;
  const { crypt = null, auth = null, keyBits } = transform;
  const job = {
    ...{ protocol, mode, udp, esn, outer, inner, local, remote, here, herePort, there, therePort, crypt, auth },
    icv: icv === 0 ? null : icv,
    spiIn: sa.inbound.spi,
    spiOut: sa.outbound.spi,
    keysIn: keysInHex(sa.inbound.keys),
    keysOut: keysInHex(sa.outbound.keys),
    first: 1,
    // Every padding comes up. Each is longer than those before, so that none is joined with them.
    sizes: [n % 35, 60 + ((n * 3) % 64), 300 + ((n * 5) % 64), 1200 + ((n * 7) % 64)],
  };
  const size = icv > 0 ? `with an ICV of ${icv} bytes` : '';
  return { name: [crypt, keyBits, auth, size].filter((part) => part).join(' '), sa, job };
}

interface Group {
  readonly title: string;
  readonly cases: readonly Case[];
}

const GROUPS: readonly Group[] = FORMS.flatMap((form) => {
  const group = (protocol: 'esp' | 'ah', udp: boolean, esn: boolean, transforms: readonly Transform[]): Group => ({
    title: `${protocol.toUpperCase()}${udp ? ' in UDP' : ''}${esn ? ' with extended numbers' : ''}, ${formName(form)}`,
    cases: transforms.map((transform) => caseOf(protocol, udp, esn, form, transform)),
  });
  // One cipher with one MAC is like another in all forms; in one form each goes with each.
  const pairs = form === FORMS[0] ? PAIRS : SOME_PAIRS;
  return [
    ...[false, true].flatMap((udp) => [
      group('esp', udp, false, [...AEADS, ...(udp ? SOME_PAIRS : pairs)]),
      group('esp', udp, true, AEADS),
    ]),
    group('ah', false, false, MACS),
    group('ah', false, true, MACS),
  ];
});

function formName({ mode, outer, inner }: Form): string {
  return mode === 'tunnel' ? `IPv${inner} in IPv${outer}` : `transport mode over IPv${outer}`;
}

/** By SA. */
const complaints = new Map<number, readonly string[]>();
let topology: Topology | undefined;

before(async () => {
  if (skip !== false) return;
  topology = new Topology();
  const [gateway, peer] = [await topology.space('gateway'), await topology.space('peer')];
  await wire(gateway, peer, topology);
  const bare = await Bare.start(gateway);
  const cases = GROUPS.flatMap((group) => group.cases);
  await bare.install(...cases.map(({ sa }) => sa));
  await play(gateway, peer, cases, 1);
  const extended = cases.filter(({ sa }) => sa.esn);
  await bare.jump(
    extended.map(({ sa }) => sa.id),
    BEFORE_WRAP,
  );
  await play(gateway, peer, extended, BEFORE_WRAP + 1);
});
after(() => topology?.dispose());

/** Nobody at the far end answers for the peer: its addresses are told. */
async function wire(gateway: Space, peer: Space, topology: Topology): Promise<void> {
  const address = (mac: string) => mac.replace(/..(?=.)/g, '$&:');
  await topology.wire(gateway, [`${ENDS[4].local}/24`, `${ENDS[6].local}/64`], peer, []);
  await peer.ip('link', 'set', 'gateway', 'address', address(MAC.peer));
  await gateway.ip('link', 'set', 'peer', 'address', address(MAC.gateway));
  for (const { remote } of Object.values(ENDS)) {
    await gateway.ip('neighbour', 'replace', remote, 'lladdr', address(MAC.peer), 'dev', 'peer');
  }
}

async function play(gateway: Space, peer: Space, cases: readonly Case[], first: number): Promise<void> {
  const place = { gateway: gateway.name, tun: Bare.TUN, peer: peer.name, device: 'gateway' };
  const jobs = cases.map(({ job }) => ({ ...job, first }));
  const input = JSON.stringify({ ...place, gatewayMac: MAC.gateway, peerMac: MAC.peer, jobs });
  const { code, stdout, stderr } = await run(PYTHON, [SCRIPT], { input, timeout: 300_000 });
  assert.equal(code, 0, stderr);
  const answers: unknown = JSON.parse(stdout);
  assert.ok(Array.isArray(answers) && answers.length === cases.length);
  for (const [i, { sa }] of cases.entries()) complaints.set(sa.id, [...(complaints.get(sa.id) ?? []), ...answers[i]]);
}

for (const { title, cases } of GROUPS) {
  test(`${title}: scapy opens what we seal, and we open what scapy seals`, { skip }, async (t) => {
    for (const { name, sa } of cases) {
      await t.test(name, () => assert.deepEqual(complaints.get(sa.id), []));
    }
  });
}
