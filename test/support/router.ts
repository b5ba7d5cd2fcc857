// A machine with a Linux kernel of its own as the router where sites.ts has gwb, with all that its IPsec can do.

import { B, type Sites } from './sites.ts';
import { Guest } from './uml.ts';

/** The router's address on the inside. */
export const INSIDE = '10.2.0.1';
const OUTWARD = [`${B.outside}/24`, `${B.outside6}/64`];
const INWARD = [`${INSIDE}/24`, 'fd00:b::1/64'];

const MODULES = [
  ...['esp4', 'esp6', 'ah4', 'ah6', 'xfrm_user', 'xfrm4_tunnel', 'xfrm6_tunnel'],
  ...['gcm', 'ghash-generic', 'ccm', 'chacha20poly1305', 'chacha_generic', 'poly1305_generic', 'seqiv', 'echainiv'],
  ...['authenc', 'authencesn', 'cbc', 'ctr', 'des_generic', 'hmac', 'sha512_generic', 'xcbc', 'cmac', 'drbg'],
];

/** `sites` are made with `guest`. */
export async function router({ topology, gwb, hop }: Sites): Promise<Guest> {
  const ports = { [hop ? 'hop' : 'gwa']: OUTWARD, hostb: INWARD };
  const guest = await Guest.boot(topology, gwb, { ports, modules: MODULES });
  await guest.must(`
    echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
    # Whoever sends too much at once is told so each time.
    echo 0 >/proc/sys/net/ipv4/icmp_ratelimit
    echo 0 >/proc/sys/net/ipv6/icmp/ratelimit`);
  return guest;
}
