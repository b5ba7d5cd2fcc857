// Vendor ids by what they begin with: what a peer can do, and whose it is. Where the id is the MD5 of a text the text
// stands here; the others are as the lists of ike-scan, strongSwan, libreswan and Wireshark agree on them, and
// [MS-IKEE] §2.2.2 for Windows. Of Huawei, H3C and MikroTik no id of their own is published: they send those of DPD,
// NAT traversal and XAUTH.

import { createHash } from 'node:crypto';
import { hex, utf8 } from '../../bytes/bytes.ts';

export interface Vendor {
  /** In hex. */
  readonly prefix: string;
  readonly name: string;
  /** Says more from what follows the prefix. */
  readonly detail?: (rest: Uint8Array) => string;
}

/** The MD5 of a text, or as much of it as is sent. */
function digest(text: string, name: string, size = 16, detail?: Vendor['detail']): Vendor {
  return bytes(
    createHash('md5')
      .update(utf8(text))
      .digest('hex')
      .slice(0, 2 * size),
    name,
    detail,
  );
}

function words(text: string, name: string): Vendor {
  return { prefix: hex(utf8(text)), name };
}

function bytes(prefix: string, name: string, detail?: Vendor['detail']): Vendor {
  return { prefix, name, ...(detail ? { detail } : {}) };
}

const DRAFT = 'draft-ietf-ipsec-nat-t-ike';

const ABILITIES: readonly Vendor[] = [
  digest('RFC 3947', 'NAT-T (RFC 3947)'),
  ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => digest(`${DRAFT}-0${n}`, `NAT-T (draft 0${n})`)),
  // As draft 02 has it.
  digest(`${DRAFT}-02\n`, 'NAT-T (draft 02\\n)'),
  digest(DRAFT, 'NAT-T (draft)'),
  digest('draft-stenberg-ipsec-nat-traversal-01', 'NAT-T (Stenberg 01)'),
  digest('draft-stenberg-ipsec-nat-traversal-02', 'NAT-T (Stenberg 02)'),
  digest('draft-huttunen-ipsec-esp-in-udp-00.txt', 'NAT-T (Huttunen 00)'),
  digest('ESPThruNAT', 'NAT-T (Huttunen 01)'),
  digest('Testing NAT-T RFC', 'NAT-T (test)'),
  // RFC 3706 §5.1: a version follows.
  bytes('afcad71368a1f1c96b8696fc7757', 'DPD'),
  digest('DPD', 'DPD (Shrew Soft)'),
  digest('FRAGMENTATION', 'IKE fragmentation'),
  digest('draft-ietf-ipsra-isakmp-xauth-06.txt', 'XAUTH', 8),
  words('HeartBeat_Notify', 'heartbeat'),
  words('HeartBeat Notify', 'heartbeat'),
  bytes('8db7a41811221660', 'heartbeat (draft 00)'),
  bytes('325df29a2319f2dd', 'anti-replay (draft 00)'),
  bytes('2d7922c6b301d9b0e1342739e9cfbbd5', 'delete with reason'),
  digest('A GSS-API Authentication Method for IKE', 'GSS-API'),
  digest('A GSS-API Authentication Method for IKE\n', 'GSS-API'),
  digest('GSSAPI', 'GSS-API'),
  digest('IKE Challenge/Response for Authenticated Cryptographic Keys', 'challenge/response'),
  digest('IKE Challenge/Response for Authenticated Cryptographic Keys\n', 'challenge/response'),
  digest('IKE Challenge/Response for Authenticated Cryptographic Keys (Revised)', 'challenge/response'),
  digest('IKE Challenge/Response for Authenticated Cryptographic Keys (Revised)\n', 'challenge/response'),
];

const DEVICES: readonly Vendor[] = [
  // A version in the place of the last two bytes.
  digest('CISCO-UNITY', 'Cisco Unity', 14),
  digest('ALTIGA GATEWAY', 'Cisco VPN 3000', 13),
  bytes('3e984048', 'Cisco IOS'),
  words('CISCOVPN-REV-', 'Cisco VPN'),
  words('CISCO-DELETE-REASON', 'Cisco delete reason'),
  words('CISCO-DYNAMIC-ROUTE', 'Cisco dynamic route'),
  words('FLEXVPN-SUPPORTED', 'Cisco FlexVPN'),

  ...[
    '166f932d55eb64d8e4df4fd37e2313f0d0fd8451',
    '299ee8289f40a8973bc78687e2e7226b532c3b76',
    '2a2bcac19b8e91b426107807e02e7249569d6fd3',
    '2c9d7e81995b9967d23f571ac641f9348122f1cc',
    '3a15e1f3cf2a63582e3ac82d1c64cbe3b6d779e7',
    '47d2b126bfcd83489760e2cf8c5d4d5a03497c15',
    '4a4340b543e02b84c88a8b96a8af9ebe77d9accc',
    '64405f46f03b7660a23be116a1975058e69e8387',
    '699369228741c6d4ca094c93e242c9de19e7b7c6',
    '8c0dc6cf62a0ef1b5c6eabd1b67ba69866adf16a',
    '92d27a9ecb31d99246986d3453d0c3d57a222a61',
    '9436e8d67174ef9aed068d5ad5213f187a3f8ba6',
    '9b096d9ac3275a7d6fe8b91c583111b09efed1a0',
    'a35bfd05ca1ac0b3d2f24e9e82bfcbff9c9e52b5',
    'bf03746108d746c904f1f3547de24f78479fed12',
    'c2e80500f4cc5fbf5daaeed3bb59abaeee56c652',
    'c8660a62b03b1b6130bf781608d32a6a8d0fb89f',
    'f885da40b1e7a9abd17655ec5bbec0f21f0ed52e',
  ].map((prefix) => bytes(prefix, 'Juniper NetScreen')),

  bytes('8299031757a36082c6a621de', 'Fortinet FortiGate', fortiOs),
  bytes('1d6e178f6c2c0be284985465450fe9d4', 'Fortinet FortiGate'),
  digest('forticlient connect license', 'Fortinet FortiClient'),
  digest('Fortinet Endpoint Control', 'Fortinet endpoint control'),

  bytes('404bf439522ca3f6', 'SonicWall'),
  bytes('5b362bc820f6', 'SonicWall'),
  bytes('5b362bc820f70001', 'SonicWall'),
  // Seen of both, and of SafeNet's clients.
  bytes('da8e9378', 'SonicWall or WatchGuard'),

  bytes('f4ed19e0c114eb516faaac0ee37daf2807b4381f', 'Check Point'),

  digest('MS NT5 ISAKMPOAKLEY', 'Microsoft Windows', 16, windows),
  digest('Vid-Initial-Contact', 'Microsoft initial contact'),
  digest('MS-Negotiation Discovery Capable', 'Microsoft negotiation discovery'),
  digest('IKE CGA version 1', 'Microsoft CGA'),
  digest('MS-MamieExists', 'Microsoft AuthIP'),
  digest('NLBS_PRESENT', 'Microsoft NLB'),
  digest('MSFT IPsec Security Realm Id', 'Microsoft security realm'),
  digest('Microsoft Xbox One 2013', 'Microsoft Xbox One'),
  bytes('01528bbbc00696121849ab9a1c5b2a51', 'Microsoft key modules'),
  bytes('7bb93867d76c8d80df0f40fae8fc3b19', 'Microsoft AuthIP'),

  bytes('b858d1addd08c1e8adafea150608aa4497aa6cc8', 'Zyxel ZyWALL'),
  bytes('f758f22668750f03b08df6ebe1d0', 'Zyxel ZyWALL USG'),
  bytes('625027749d5ab97f5616c1602765cf480a3b7d0b', 'Zyxel ZyWALL'),
  bytes('ca3e2b854ba8030017dc1023a4fde2041f9f7463', 'Aruba access point'),
  bytes('3c8e70bdf9c7d74add53e4100915dc2e4bb51274', 'Aruba controller'),
  bytes('88f0e3149b3fa48b05aa7f685f0b766be186ccb8', 'Aruba VIA'),
  words('VIA Auth Profile : ', 'Aruba VIA'),
  bytes('dbfb81eb5760b0788562067da102d755', 'Netgear'),
  bytes('424e4553000000', 'Nortel Contivity'),
  bytes('c573b056d7faca36c2fba28374127cbf', 'Forcepoint StoneGate'),
  bytes('baeb239037e17787d730eed9d95d48aa', 'Forcepoint StoneGate'),
  bytes('8404adf9cda05760b2ca292e4bff537b', 'McAfee Sidewinder'),
  bytes('08db45e6cb01f80bb576e9a78c0f54e1300b8881', 'ELVIS-PLUS Zastava'),
  words('Raptor PowerVpn Server', 'Symantec Raptor'),
  words('TIMESTEP', 'TimeStep'),
];

const PROGRAMS: readonly Vendor[] = [
  digest('Espalier', 'Espalier'),
  // Sophos' gateways are strongSwan too.
  digest('strongSwan', 'strongSwan'),
  ...[
    ...['4.2.9', '4.3.5', '4.4.0', '4.4.1', '4.5.0', '4.5.1', '4.5.2', '4.5.3', '4.6.1', '4.6.2', '4.6.3', '4.6.4'],
    ...['5.0.0', '5.0.1', '5.0.2', '5.0.3', '5.0.4', '5.1.0', '5.1.1'],
  ].map((number) => digest(`strongSwan ${number}`, `strongSwan ${number}`)),
  words('OE-Libreswan-', 'libreswan'),
  words('OEN', 'libreswan, Openswan or FreeS/WAN'),
  words('OE', 'Openswan or FreeS/WAN'),
  words('OSW', 'Openswan'),
  words('OpenPGP', 'OpenPGP'),
  words('OpenIKED', 'OpenIKED'),
  digest('KAME/racoon', 'racoon'),
  digest('IPSec-Tools', 'racoon (ipsec-tools)'),
  words('Mac OSX 10.x', 'Apple macOS'),
  bytes('f14b94b7bff1fef02773b8c49feded26', 'Shrew Soft client'),
  bytes('101fb0b35c5a4f4c08b919f1cb9777b0', 'NCP client'),
  bytes('47bbe7c993f1fc13b4e6d0db565c68e5', 'SafeNet SoftRemote'),
  bytes('f6f7efc7f5aeb8cb158cb9d094ba69e7', 'Cisco VPN client'),
  digest('SSH Sentinel', 'SSH Sentinel'),
  ...['1.1', '1.2', '1.3', '1.4', '1.4.1'].map((n) => digest(`SSH Sentinel ${n}`, `SSH Sentinel ${n}`)),
  ...['4.0.0', '4.0.1', '4.1.0', '4.1.1', '4.2.0', '5.0', '5.0.0', '5.1.0', '5.1.1'].map((n) =>
    digest(`SSH Communications Security IPSEC Express version ${n}`, `SSH IPSEC Express ${n}`),
  ),
  ...['0.9.0', '1.1.0', '1.1.1', '1.1.2', '1.1.3', '2.1.0'].map((n) =>
    digest(`SSH Communications Security QuickSec ${n}`, `SSH QuickSec ${n}`),
  ),
];

/** The longest prefix first. */
export const VENDORS: readonly Vendor[] = [...ABILITIES, ...DEVICES, ...PROGRAMS].sort(
  (a, b) => b.prefix.length - a.prefix.length,
);

export function vendorName(id: Uint8Array): string | undefined {
  const text = hex(id);
  const vendor = VENDORS.find(({ prefix }) => text.startsWith(prefix));
  if (!vendor) return undefined;
  const more = vendor.detail?.(id.subarray(vendor.prefix.length / 2)) ?? '';
  return more === '' ? vendor.name : `${vendor.name} ${more}`;
}

/** Two bytes each; some send zeros. */
function fortiOs(rest: Uint8Array): string {
  const [a = 0, b = 0, c = 0, d = 0] = rest;
  const [release, build] = [(a << 8) | b, (c << 8) | d];
  return release === 0 ? '' : `${release}, build ${build}`;
}

/** [MS-IKEE] §2.2.2: from 2 on. */
const WINDOWS = ['2000', 'XP', 'Server 2003', 'Vista', 'Server 2008', '7', 'Server 2008 R2', '8 or later'] as const;

function windows(rest: Uint8Array): string {
  return WINDOWS[(rest[3] ?? 0) - 2] ?? '';
}
