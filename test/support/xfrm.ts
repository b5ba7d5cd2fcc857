// The other end of a child SA in a Linux kernel, as commands of iproute2: both states, and the policies of all its
// selectors. Keys are written out; they are a test's.

import { hex } from '../../src/bytes/bytes.ts';
import { formatIp, isV6, rangePrefixes } from '../../src/bytes/ip.ts';
import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import { cipherShape, integrity } from '../../src/crypto/registry.ts';
import type { ChildSa, SaKeys } from '../../src/ike/effects.ts';
import type { Selector } from '../../src/ike/wire/ts.ts';

const AEAD: ReadonlyMap<number, string> = new Map([
  [ENCR.AES_GCM_8, 'rfc4106(gcm(aes))'],
  [ENCR.AES_GCM_12, 'rfc4106(gcm(aes))'],
  [ENCR.AES_GCM_16, 'rfc4106(gcm(aes))'],
  [ENCR.AES_CCM_8, 'rfc4309(ccm(aes))'],
  [ENCR.AES_CCM_12, 'rfc4309(ccm(aes))'],
  [ENCR.AES_CCM_16, 'rfc4309(ccm(aes))'],
  [ENCR.CHACHA20_POLY1305, 'rfc7539esp(chacha20,poly1305)'],
]);
const CIPHER: ReadonlyMap<number, string> = new Map([
  [ENCR.DES, 'cbc(des)'],
  [ENCR.DES3, 'cbc(des3_ede)'],
  [ENCR.NULL, 'ecb(cipher_null)'],
  [ENCR.AES_CBC, 'cbc(aes)'],
  [ENCR.AES_CTR, 'rfc3686(ctr(aes))'],
]);
const MAC: ReadonlyMap<number, string> = new Map([
  [INTEG.HMAC_MD5_96, 'hmac(md5)'],
  [INTEG.HMAC_SHA1_96, 'hmac(sha1)'],
  [INTEG.AES_XCBC_96, 'xcbc(aes)'],
  [INTEG.AES_CMAC_96, 'cmac(aes)'],
  [INTEG.HMAC_SHA2_256_128, 'hmac(sha256)'],
  [INTEG.HMAC_SHA2_384_192, 'hmac(sha384)'],
  [INTEG.HMAC_SHA2_512_256, 'hmac(sha512)'],
]);

/** `first` is the first sequence number of either direction. */
export function xfrmPeer(sa: ChildSa, first = 1): string {
  const [ours, theirs] = [sa.local.ip, sa.remote.ip];
  return [
    'set -e',
    state(sa, sa.outbound, ours, theirs, first),
    state(sa, sa.inbound, theirs, ours, first),
    ...sa.localTs.flatMap((local) => sa.remoteTs.flatMap((remote) => policies(sa, local, remote))),
  ].join('\n');
}

export const XFRM_FLUSH = 'ip xfrm policy flush; ip xfrm state flush';

function state(sa: ChildSa, { spi, keys }: SaKeys, source: string, destination: string, first: number): string {
  const sent = first - 1;
  const flags = [
    ...(sa.mode === 'tunnel' ? ['af-unspec'] : []),
    // RFC 4302 §3.3.3.2.1: 32 bits over IPv4. Linux pads to 64 unless it is told.
    ...(sa.protocol === 'ah' && !isV6(source) ? ['align4'] : []),
    ...(sa.esn ? ['esn'] : []),
  ].map((flag) => `flag ${flag}`);
  const window = sa.esn
    ? `replay-window ${sa.replayWindow} replay-oseq ${sent >>> 0} replay-oseq-hi ${Math.floor(sent / 2 ** 32)}`
    : `replay-window 32 replay-oseq ${sent >>> 0}`;
  return [
    `ip xfrm state add src ${source} dst ${destination} proto ${sa.protocol} spi 0x${spi.toString(16)}`,
    `reqid ${sa.reqid} mode ${sa.mode} ${flags.join(' ')} ${window}`,
    algorithms(sa, keys),
  ].join(' ');
}

function algorithms(sa: ChildSa, { encr, keyBits, integ, encrKey, integKey }: SaKeys['keys']): string {
  const mac = MAC.get(integ);
  const auth = mac && `auth-trunc '${mac}' 0x${hex(integKey)} ${(integrity(integ)?.icvSize ?? 0) * 8}`;
  if (sa.protocol === 'ah') return auth ?? unknown(integ);
  const aead = AEAD.get(encr);
  if (aead) return `aead '${aead}' 0x${hex(encrKey)} ${(cipherShape(encr, keyBits)?.icvSize ?? 0) * 8}`;
  const cipher = CIPHER.get(encr) ?? unknown(encr);
  const key = encrKey.length > 0 ? `0x${hex(encrKey)}` : "''";
  return `enc '${cipher}' ${key} ${auth ?? unknown(integ)}`;
}

/** Nothing where the selectors have no family, or no protocol, in common. */
function policies(sa: ChildSa, local: Selector, remote: Selector): string[] {
  if (local.start.length !== remote.start.length || local.protocol !== remote.protocol) return [];
  const [ours, theirs] = [prefixes(local), prefixes(remote)];
  return ours.flatMap((our) =>
    theirs.flatMap((their) => [
      policy(sa, 'out', their, our, local.protocol),
      policy(sa, 'in', our, their, local.protocol),
      ...(sa.mode === 'tunnel' ? [policy(sa, 'fwd', our, their, local.protocol)] : []),
    ]),
  );
}

function policy(sa: ChildSa, direction: string, source: string, destination: string, protocol: number): string {
  const [from, to] = direction === 'out' ? [sa.remote.ip, sa.local.ip] : [sa.local.ip, sa.remote.ip];
  return [
    `ip xfrm policy add src ${source} dst ${destination} ${protocol === 0 ? '' : `proto ${protocol}`} dir ${direction}`,
    `tmpl ${sa.mode === 'tunnel' ? `src ${from} dst ${to}` : ''} proto ${sa.protocol} reqid ${sa.reqid} mode ${sa.mode}`,
  ].join(' ');
}

function prefixes({ start, end }: Selector): string[] {
  return rangePrefixes(start, end).map(({ address, length }) => `${formatIp(address)}/${length}`);
}

function unknown(id: number): never {
  throw new Error(`the kernel's name for algorithm ${id} is not known here`);
}
