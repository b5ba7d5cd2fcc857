// Who is measured. Each has a label, and the labels of those that it is compared with.
//
// A variant of Espalier is its label with what differs behind colons: `espalier-gcm:workers=2:without=uso+udpgro`,
// `espalier-cbc:tunnels=10000`, `espalier-gcm:ESPALIER_NO_VAES=1` (in capitals: the daemon's environment).

import { lacking, STRONGSWAN } from '../../test/support/needs.ts';
import { A, B } from '../../test/support/sites.ts';
import { espalier, libipsec } from './ipsec.ts';
import { openvpn } from './openvpn.ts';
import { type Cipher, hasVaes, pump } from './pump.ts';
import { type Bed, installed, type Start, type Tunnel } from './tunnel.ts';
import { wireguard } from './wireguard.ts';

export type Suite = 'gcm' | 'cbc' | 'chacha';

export interface Contestant {
  readonly label: string;
  readonly about: string;
  readonly start: Start;
  /** strongSwan with the same suite. */
  readonly libipsec?: string | undefined;
  /** The pump with the same cipher. */
  readonly pump?: string | undefined;
  /** The Espalier that this one varies. */
  readonly base?: string | undefined;
  /** Why it cannot run on this machine. */
  readonly lacks?: string | undefined;
}

export interface Equipment {
  readonly pump: boolean;
  /** Another wireguard-go than Debian's. */
  readonly wireguard?: string | undefined;
}

const SUITES: Readonly<Record<Suite, { readonly esp: string; readonly name: string; readonly pump?: Cipher }>> = {
  gcm: { esp: 'aes128gcm16', name: 'AES-128-GCM', pump: 'vaes' },
  cbc: { esp: 'aes128-sha256', name: 'AES-128-CBC with HMAC-SHA2-256' },
  chacha: { esp: 'chacha20poly1305', name: 'ChaCha20-Poly1305', pump: 'chacha' },
};
const NO_VAES = 'ESPALIER_NO_VAES';

/** Those that run when none is named. */
export function usual(equipment: Equipment): readonly string[] {
  const pumps = equipment.pump ? ['pump-vaes', 'pump-evp', 'pump-chacha'] : [];
  const peers = ['plain', 'libipsec-gcm', 'libipsec-cbc', 'libipsec-chacha', 'openvpn', 'wireguard'];
  const newer = equipment.wireguard === undefined ? [] : ['wireguard-new'];
  const ours = ['espalier-gcm', `espalier-gcm:${NO_VAES}=1`, 'espalier-cbc', 'espalier-chacha', 'espalier-raw'];
  return [...peers, ...newer, ...pumps, ...ours];
}

/** Throws for a label that means nothing. */
export function contestant(label: string, equipment: Equipment): Contestant {
  const [name = '', ...changes] = label.split(':');
  const [kind = '', suite = ''] = name.split('-');
  if (kind === 'espalier') return ours(label, suite, changes);
  if (changes.length > 0) throw new Error(`${label}: only Espalier has variants`);
  const found = peers(equipment).find((one) => one.label === label);
  if (!found) throw new Error(`there is no contestant ${label}`);
  return found;
}

function peers({ wireguard: newer }: Equipment): readonly Contestant[] {
  const vaes = hasVaes() ? undefined : 'this processor has no VAES';
  const lacks = (command: string) => (installed(command) ? undefined : `${command} is not installed`);
  const charon = lacking(...STRONGSWAN) || undefined;
  return [
    { label: 'plain', about: 'the kernel forwards, no tunnel', start: plain },
    ...Object.entries(SUITES).map(([suite, { esp, name }]) => ({
      label: `libipsec-${suite}`,
      about: `strongSwan with libipsec, ${name} in UDP`,
      start: libipsec({ esp, udp: true, tunnels: 1 }),
      lacks: charon,
    })),
    {
      ...{ label: 'openvpn', about: 'OpenVPN in user space, AES-128-GCM', start: openvpn },
      ...{ libipsec: 'libipsec-gcm', lacks: lacks('openvpn') },
    },
    {
      ...{ label: 'wireguard', about: "Debian's wireguard-go", start: wireguard('wireguard-go') },
      ...{ libipsec: 'libipsec-chacha', lacks: lacks('wireguard-go') },
    },
    ...(newer === undefined
      ? []
      : [
          {
            ...{ label: 'wireguard-new', about: `wireguard-go, ${newer}`, start: wireguard(newer) },
            ...{ libipsec: 'libipsec-chacha', lacks: lacks(newer) },
          },
        ]),
    {
      ...{ label: 'pump-vaes', about: 'the reference pump, AES-128-GCM with VAES', start: pump('vaes') },
      ...{ libipsec: 'libipsec-gcm', lacks: vaes },
    },
    {
      ...{ label: 'pump-evp', about: 'the reference pump, AES-128-GCM through OpenSSL', start: pump('aes') },
      libipsec: 'libipsec-gcm',
    },
    {
      ...{ label: 'pump-chacha', about: 'the reference pump, ChaCha20-Poly1305', start: pump('chacha') },
      libipsec: 'libipsec-chacha',
    },
  ];
}

function ours(label: string, name: string, changes: readonly string[]): Contestant {
  const udp = name !== 'raw';
  const suite = isSuite(name) ? name : udp ? undefined : 'gcm';
  if (!suite) throw new Error(`there is no contestant ${label}`);
  const args: string[] = [];
  const env: Record<string, string> = {};
  let tunnels = 1;
  for (const change of changes) {
    const [key = '', value = ''] = change.split('=');
    if (value === '') throw new Error(`${label}: ${change} is no KEY=VALUE`);
    if (key === 'workers') args.push('--workers', value);
    else if (key === 'without') args.push('--io-without', value.replaceAll('+', ','));
    else if (key === 'tunnels' && /^\d+$/.test(value)) tunnels = Number(value);
    else if (/^[A-Z_]+$/.test(key)) env[key] = value;
    else throw new Error(`${label}: nothing is called ${change}`);
  }
  const { esp, name: cipher, pump: cipherOfPump } = SUITES[suite];
  const own = cipherOfPump === 'vaes' && (NO_VAES in env || !hasVaes()) ? 'evp' : cipherOfPump;
  return {
    label,
    about: [`Espalier, ${cipher} ${udp ? 'in UDP' : 'as protocol 50'}`, ...changes].join(', '),
    start: espalier({ esp, udp, tunnels }, { args, env }),
    libipsec: `libipsec-${suite}`,
    pump: own && `pump-${own}`,
    base: changes.length > 0 ? `espalier-${name}` : udp ? undefined : 'espalier-gcm',
  };
}

function isSuite(name: string): name is Suite {
  return Object.hasOwn(SUITES, name);
}

async function plain({ gwa, gwb }: Bed): Promise<Tunnel> {
  await gwa.route(B.net, B.outside);
  await gwb.route(A.net, A.outside);
  return { pids: [] };
}
