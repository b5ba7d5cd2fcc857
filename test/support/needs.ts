// What a test needs of the host, and the reason to skip it where that is missing. In CI a skip is a failure.

import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { MAIN } from './espalier.ts';
import { STROKE } from './strongswan.ts';
import { UML } from './uml.ts';

const PLUGINS = '/usr/lib/ipsec/plugins/libstrongswan-';
const PYTHON = '/usr/lib/python3/dist-packages/';

const NEEDS = {
  root: () => (process.getuid?.() === 0 ? undefined : 'not root'),
  namespaces: () => (mayUnshare() ? undefined : 'no permission to make network namespaces'),
  tun: () => (existsSync('/dev/net/tun') ? undefined : '/dev/net/tun is missing (modprobe tun)'),
  ip: () => command('ip', 'iproute2'),
  ping: () => command('ping', 'iputils-ping'),
  nft: () => command('nft', 'nftables'),
  setcap: () => command('setcap', 'libcap2-bin'),
  setpriv: () => command('setpriv', 'util-linux'),
  tcpdump: () => command('tcpdump', 'tcpdump'),
  iperf3: () => command('iperf3', 'iperf3'),
  swanctl: () => command('swanctl', 'strongswan-swanctl'),
  'ike-scan': () => command('ike-scan', 'ike-scan'),
  charon: () => file('/usr/lib/ipsec/charon', 'strongswan-charon'),
  stroke: () => file(STROKE, 'strongswan-starter'),
  libipsec: () => file(`${PLUGINS}kernel-libipsec.so`, 'libcharon-extra-plugins'),
  updown: () => file(`${PLUGINS}updown.so`, 'libcharon-extra-plugins'),
  chapoly: () => file(`${PLUGINS}chapoly.so`, 'libstrongswan-extra-plugins'),
  openssl: () => file(`${PLUGINS}openssl.so`, 'libstrongswan-standard-plugins'),
  scapy: () => file(`${PYTHON}scapy`, 'python3-scapy'),
  cryptography: () => file(`${PYTHON}cryptography`, 'python3-cryptography'),
  overlay: () => (mounts(OVERLAY) ? undefined : 'the kernel has no overlayfs'),
  python3: () => file('/usr/bin/python3', 'python3'),
  dpkg: () => command('dpkg-deb', 'dpkg'),
  objdump: () => command('objdump', 'binutils'),
  systemd: () => file('/usr/lib/systemd/systemd', 'systemd'),
  'systemd-analyze': () => command('systemd-analyze', 'systemd'),
  nsenter: () => command('nsenter', 'util-linux'),
  cgroups: () => (mounts(CGROUPS) ? undefined : 'no permission to make control groups'),
  uml: () => file(UML, 'user-mode-linux'),
  modprobe: () => command('modprobe', 'kmod'),
  espalier: () => (existsSync(MAIN) ? undefined : 'the daemon is not built (npm run build)'),
} satisfies Record<string, () => string | undefined>;

export type Need = keyof typeof NEEDS;

/** For namespaces, addresses, NAT and pings. */
export const NETWORK: readonly Need[] = ['root', 'ip', 'namespaces', 'nft', 'ping'];
/** For a charon with its ESP in user space. */
export const STRONGSWAN: readonly Need[] = [...NETWORK, 'tun', 'charon', 'swanctl', 'libipsec', 'openssl', 'chapoly'];
/** For our daemon against a charon. */
export const INTEROP: readonly Need[] = [...STRONGSWAN, 'espalier'];

/** For our daemon against a charon with a kernel of its own. */
export const KERNEL: readonly Need[] = [
  ...NETWORK,
  'tun',
  'charon',
  'swanctl',
  'openssl',
  'chapoly',
  'uml',
  'modprobe',
  'espalier',
];

/** The `skip` option of a test: false, or why. */
export function lacking(...needs: readonly Need[]): string | false {
  for (const need of needs) {
    const why = NEEDS[need]();
    if (why !== undefined) return why;
  }
  return false;
}

const OVERLAY = 'mount -t overlay overlay -o lowerdir=/etc:/usr /usr';
const CGROUPS = 'mount -t cgroup2 cgroup2 /mnt; mkdir "/mnt/espalier-test-$$"; rmdir "/mnt/espalier-test-$$"';

function mounts(script: string): boolean {
  try {
    execFileSync('unshare', ['-m', 'sh', '-ec', script], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function command(name: string, from: string): string | undefined {
  const path = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`;
  const found = path.split(delimiter).some((folder) => folder !== '' && executable(join(folder, name)));
  return found ? undefined : `${name} is missing (Debian package ${from})`;
}

function file(path: string, from: string): string | undefined {
  return existsSync(path) ? undefined : `${path} is missing (Debian package ${from})`;
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

let unshared: boolean | undefined;

function mayUnshare(): boolean {
  if (unshared === undefined) {
    try {
      execFileSync('unshare', ['-n', '-m', 'true'], { stdio: 'ignore' });
      unshared = true;
    } catch {
      unshared = false;
    }
  }
  return unshared;
}
