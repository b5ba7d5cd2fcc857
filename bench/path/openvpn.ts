// OpenVPN in user space: TLS between two certificates that know each other by their fingerprints, data in AES-128-GCM.

import { X509Certificate } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { must, type Space } from '../../test/support/netns.ts';
import { A, B } from '../../test/support/sites.ts';
import { type Bed, MTU, pidOf, type Tunnel } from './tunnel.ts';

interface Role {
  readonly space: Space;
  readonly tls: readonly string[];
  readonly outside: string;
  readonly inside: string;
  readonly net: string;
}

const ROLES = {
  a: { tls: ['--tls-client'], outside: A.outside, inside: '10.9.0.1', net: '10.1.0.0' },
  b: { tls: ['--tls-server', '--dh', 'none'], outside: B.outside, inside: '10.9.0.2', net: '10.2.0.0' },
} as const;

export async function openvpn({ topology, gwa, gwb }: Bed): Promise<Tunnel> {
  const folder = topology.folder();
  const a = { ...ROLES.a, space: gwa };
  const b = { ...ROLES.b, space: gwb };
  await Promise.all([certificate(folder, gwa.role), certificate(folder, gwb.role)]);
  return { pids: [start(folder, b, a), start(folder, a, b)] };
}

async function certificate(folder: string, name: string): Promise<void> {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  await must('openssl', ['req', '-x509', ...curve, '-nodes', '-keyout', key, '-out', cert, '-subj', `/CN=${name}`]);
}

function start(folder: string, own: Role, peer: Role): number {
  const file = (role: Role, ending: string) => join(folder, `${role.space.role}.${ending}`);
  const { fingerprint256 } = new X509Certificate(readFileSync(file(peer, 'crt')));
  const log = openSync(file(own, 'log'), 'a');
  const args = [
    ...['--dev', 'ovpn0', '--dev-type', 'tun', '--disable-dco', '--proto', 'udp4'],
    ...['--local', own.outside, '--remote', peer.outside, '1194', '--port', '1194'],
    ...['--ifconfig', own.inside, peer.inside, '--route', peer.net, '255.255.255.0'],
    ...own.tls,
    ...['--cert', file(own, 'crt'), '--key', file(own, 'key'), '--peer-fingerprint', fingerprint256],
    ...['--data-ciphers', 'AES-128-GCM', '--cipher', 'AES-128-GCM'],
    ...['--tun-mtu', `${MTU}`, '--mssfix', '0', '--txqueuelen', '500'],
    ...['--sndbuf', '4194304', '--rcvbuf', '4194304'],
  ];
  const daemon = own.space.spawn('openvpn', args, { stdio: ['ignore', log, log] });
  closeSync(log);
  return pidOf(daemon);
}
