import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { hex, unhex, utf8 } from '../../../src/bytes/bytes.ts';
import { readVendorIds, vendorIds } from '../../../src/ike/v1/vendor.ts';
import { VENDORS, vendorName } from '../../../src/ike/v1/vendors.ts';
import { lacking } from '../../support/needs.ts';

const RFC_3947 = '4a131c81070358455c5728f20e95452f';
const DRAFT_03 = '7d9419a65310ca6f2c179d9215529d56';
const DRAFT_02 = 'cd60464335df21f87cfdb2fc68b6a448';
const DRAFT_02N = '90cb80913ebb696e086381b5ec427b1f';
const DRAFT_00 = '4485152d18b6bbcd0be8a8469579ddcc';
const DRAFT_08 = '8f8d83826d246b6fc7a8a6a428c11de8';
const ESPALIER = '07a6c5d3ac3f4fead98afa96e2eb04c1';
const DPD = 'afcad71368a1f1c96b8696fc77570100';
const FRAGMENTATION = '4048b7d56ebce88525e7de7f00d6c2d3';

function read(...ids: readonly string[]) {
  return readVendorIds(ids.map(unhex));
}

test('we say who we are, DPD, fragmentation where it is wanted, and NAT traversal of the RFC before that of the drafts', () => {
  const natt = [RFC_3947, DRAFT_03, DRAFT_02N, DRAFT_02];
  assert.deepEqual(vendorIds(true).map(hex), [ESPALIER, DPD, `${FRAGMENTATION}80000000`, ...natt]);
  assert.deepEqual(vendorIds(false).map(hex), [ESPALIER, DPD, ...natt]);
});

test('what we say is what we understand', () => {
  const { natt, dpd, espalier, fragmentation, names } = readVendorIds(vendorIds(true));
  assert.deepEqual([natt, dpd, espalier, fragmentation], ['rfc', true, true, true]);
  assert.deepEqual(names, [
    'Espalier',
    'DPD',
    'IKE fragmentation',
    'NAT-T (RFC 3947)',
    'NAT-T (draft 03)',
    'NAT-T (draft 02\\n)',
    'NAT-T (draft 02)',
  ]);
  assert.equal(readVendorIds(vendorIds(false)).fragmentation, false);
});

test('of the kinds of NAT traversal the RFC is taken first, then drafts 02 and 03; the others have other payloads', () => {
  assert.equal(read(DRAFT_02, RFC_3947).natt, 'rfc');
  for (const id of [DRAFT_03, DRAFT_02, DRAFT_02N]) assert.equal(read(DRAFT_00, id).natt, 'draft');
  for (const id of [DRAFT_00, DRAFT_08]) assert.equal(read(id).natt, undefined);
  assert.equal(read().natt, undefined);
});

// RFC 3706 §5.1
test('DPD of any version will do', () => {
  assert.ok(read(DPD).dpd);
  assert.ok(read('afcad71368a1f1c96b8696fc77570101').dpd);
  assert.ok(!read('afcad71368a1f1c96b8696fc77580100').dpd);
});

test('fragmentation may come without a word on the modes, and must not leave out main mode where it has one', () => {
  assert.ok(read(FRAGMENTATION).fragmentation);
  assert.ok(read(`${FRAGMENTATION}80000000`).fragmentation);
  assert.ok(read(`${FRAGMENTATION}c0000000`).fragmentation);
  assert.ok(!read(`${FRAGMENTATION}40000000`).fragmentation);
  assert.ok(!read(FRAGMENTATION.slice(2)).fragmentation);
});

// As they stand in people's logs and captures.
const SEEN = [
  ['8299031757a36082c6a621de000500b3', 'Fortinet FortiGate 5, build 179'],
  ['8299031757a36082c6a621de00000000', 'Fortinet FortiGate'],
  ['1e2b516905991c7d7c96fcbfb587e46100000009', 'Microsoft Windows 8 or later'],
  ['1e2b516905991c7d7c96fcbfb587e46100000002', 'Microsoft Windows 2000'],
  ['1e2b516905991c7d7c96fcbfb587e461000000ff', 'Microsoft Windows'],
  ['fb1de3cdf341b7ea16b7e5be0855f120', 'Microsoft negotiation discovery'],
  ['26244d38eddb61b3172a36e3d0cfb819', 'Microsoft initial contact'],
  ['e3a5966a76379fe707228231e5ce8652', 'Microsoft CGA'],
  ['01528bbbc00696121849ab9a1c5b2a5100000001', 'Microsoft key modules'],
  ['12f5f28c457168a9702d9fe274cc0100', 'Cisco Unity'],
  ['12f5f28c457168a9702d9fe274cc0204', 'Cisco Unity'],
  ['1f07f70eaa6514d3b0fa96542a500100', 'Cisco VPN 3000'],
  [hex(utf8('CISCO-DELETE-REASON')), 'Cisco delete reason'],
  ['09002689dfd6b712', 'XAUTH'],
  ['4865617274426561745f4e6f74696679386b0100', 'heartbeat'],
  ['699369228741c6d4ca094c93e242c9de19e7b7c60000000500000500', 'Juniper NetScreen'],
  ['f4ed19e0c114eb516faaac0ee37daf2807b4381f000000010000138d4b36fd4a0000000018280000', 'Check Point'],
  ['5b362bc820f60007', 'SonicWall'],
  ['404bf439522ca3f6', 'SonicWall'],
  ['da8e937880010000', 'SonicWall or WatchGuard'],
  ['b858d1addd08c1e8adafea150608aa4497aa6cc8', 'Zyxel ZyWALL'],
  ['882fe56d6fd20dbc2251613b2ebe5beb', 'strongSwan'],
  [hex(utf8('OE-Libreswan-4.15')), 'libreswan'],
  ['4f454e5f52685050487b645e', 'libreswan, Openswan or FreeS/WAN'],
  ['4f456c6a405d72544d42754d', 'Openswan or FreeS/WAN'],
  [hex(utf8('OpenIKED-7.4')), 'OpenIKED'],
  ['7003cbc1097dbe9c2600ba6983bc8b35', 'racoon'],
  ['4d6163204f53582031302e78', 'Apple macOS'],
  ['f14b94b7bff1fef02773b8c49feded26', 'Shrew Soft client'],
] as const;

for (const [id, name] of SEEN) test(`${id} is ${name}`, () => assert.equal(vendorName(unhex(id)), name));

test('the longest beginning that fits names a vendor, and no two are the same', () => {
  for (const { prefix, name } of VENDORS) {
    assert.match(prefix, /^(?:[0-9a-f]{2}){2,}$/);
    assert.ok(vendorName(unhex(prefix))?.startsWith(name), name);
  }
  const prefixes = VENDORS.map(({ prefix }) => prefix);
  assert.equal(new Set(prefixes).size, prefixes.length);
});

test('an unknown vendor id is shown by its bytes, and of very long ones and very many only some', () => {
  assert.deepEqual(read('0011223344').names, ['0011223344']);
  assert.deepEqual(read('ab'.repeat(100)).names, [`${'ab'.repeat(24)}…`]);
  assert.equal(read(...Array.from({ length: 60 }, () => '00')).names.length, 32);
  assert.equal(vendorName(new Uint8Array(0)), undefined);
  assert.equal(vendorName(Uint8Array.of(0x4f)), undefined);
});

const LIST = '/usr/share/ike-scan/ike-vendor-ids';

/** ike-scan's name of a device, and ours. */
const SAME: readonly (readonly [theirs: RegExp, ours: RegExp])[] = [
  [/^windows-/i, /^Microsoft Windows/],
  [/^firewall-1/i, /^Check Point$/],
  [/^cisco unity/i, /^Cisco Unity$/],
  [/^cisco vpn concentrator/i, /^Cisco VPN 3000$/],
  [/^dead peer/i, /^DPD$/],
  [/^xauth/i, /^XAUTH$/],
  [/^heartbeat/i, /^heartbeat$/],
  [/^ike fragmentation/i, /^IKE fragmentation$/],
  [/^(draft-ietf-ipsec-nat|RFC 3947)/i, /^NAT-T/],
  [/^netscreen/i, /^Juniper NetScreen$/],
  [/^fortigate/i, /^Fortinet FortiGate$/],
  [/^sonicwall/i, /^SonicWall/],
  [/^zyxel/i, /^Zyxel ZyWALL/],
  [/^strongswan$/i, /^strongSwan$/],
  [/^kame/i, /^racoon$/],
  [/^microsoft initial/i, /^Microsoft initial/],
  [/^stonegate/i, /^Forcepoint StoneGate$/],
  [/^netgear/i, /^Netgear$/],
  [/^nortel/i, /^Nortel Contivity$/],
  [/^libreswan/i, /libreswan/],
  [/^openswan 2\.6/i, /Openswan/],
];

test('ike-scan’s list gives the same devices the same names', { skip: lacking('ike-scan') }, () => {
  const seen = new Set<RegExp>();
  for (const line of readFileSync(LIST, 'utf8').split('\n')) {
    const [, theirs, pattern] = /^([^#\t][^\t]*)\t+\^([0-9a-fA-F.]+)$/.exec(line) ?? [];
    if (!theirs || !pattern || pattern.length % 2 !== 0) continue;
    const [known, ours] = SAME.find(([name]) => name.test(theirs)) ?? [];
    if (!known || !ours) continue;
    seen.add(known);
    assert.match(vendorName(unhex(pattern.toLowerCase().replaceAll('.', '0'))) ?? 'unknown', ours, theirs);
  }
  assert.equal(seen.size, SAME.length);
});
