// Vendor ids: what the peer can do beyond the RFCs, and whose it is. Sources: RFC 3947 §3.1, RFC 3706 §5.1, the drafts of
// both, and the vendors' own documents and captures; those given by their text are the MD5 of it.

import { createHash } from 'node:crypto';
import { hex, unhex, utf8 } from '../../bytes/bytes.ts';

export type NatFlavour = 'rfc' | 'draft';

const RFC_3947 = unhex('4a131c81070358455c5728f20e95452f');
const NATT_03 = unhex('7d9419a65310ca6f2c179d9215529d56');
const NATT_02 = unhex('cd60464335df21f87cfdb2fc68b6a448');
const NATT_02_NEWLINE = unhex('90cb80913ebb696e086381b5ec427b1f');
const DPD = unhex('afcad71368a1f1c96b8696fc77570100');
/** What comes behind the 16 bytes says which of the modes may be fragmented. */
const FRAGMENTATION = unhex('4048b7d56ebce88525e7de7f00d6c2d3');
const FRAGMENTATION_ALL = unhex('80000000');
/** Our own: MD5 of the name. Whoever sends it settles what both sides have begun at once as we do. */
const ESPALIER = unhex(md5('Espalier'));

interface Known {
  readonly prefix: string;
  readonly name: string;
}

function known(name: string, prefix: string): Known {
  return { prefix, name };
}

function md5(text: string): string {
  return createHash('md5').update(utf8(text)).digest('hex');
}

const KNOWN: readonly Known[] = [
  known('Espalier', hex(ESPALIER)),
  known('NAT-T (RFC 3947)', hex(RFC_3947)),
  known('NAT-T (draft 03)', hex(NATT_03)),
  known('NAT-T (draft 02)', hex(NATT_02)),
  known('NAT-T (draft 02\\n)', hex(NATT_02_NEWLINE)),
  known('NAT-T (draft 01)', '16f6ca16e4a4066d83821a0f0aeaa862'),
  known('NAT-T (draft 00)', '4485152d18b6bbcd0be8a8469579ddcc'),
  ...['04', '05', '06', '07', '08'].map((n) => known(`NAT-T (draft ${n})`, md5(`draft-ietf-ipsec-nat-t-ike-${n}`))),
  known('NAT-T (draft ike)', '4df37928e9fc4fd1b3262170d515c662'),
  known('DPD', hex(DPD).slice(0, 28)),
  known('IKE fragmentation', hex(FRAGMENTATION)),
  known('XAUTH', '09002689dfd6b712'),
  known('Cisco Unity', '12f5f28c457168a9702d9fe274cc'),
  known('Cisco VPN 3000', '1f07f70eaa6514d3b0fa96542a50'),
  known('strongSwan', '882fe56d6fd20dbc2251613b2ebe5beb'),
  known('Microsoft', '1e2b516905991c7d7c96fcbfb587e461'),
  known('Microsoft Initial-Contact', '26244d38eddb61b3172a36e3d0cfb819'),
  known('Microsoft negotiation discovery', 'fb1de3cdf341b7ea16b7e5be0855f120'),
  known('Juniper NetScreen', '699369228741c6d4ca094c93e242c9de'),
  known('Fortinet', '8299031757a36082c6a621de'),
  known('Fortinet', '1d6e178f6c2c0be284985465450fe9d4'),
  known('SonicWall', '404bf439522ca3f6'),
  known('SonicWall', '5b362bc820f60007'),
  known('SonicWall', 'da8e937880010000'),
  known('Check Point', 'f4ed19e0c114eb516faaac0ee37daf2807b4381f'),
  known('Openswan or libreswan', '4f45'),
  known('racoon', '7003cbc1097dbe9c2600ba6983bc8b35'),
  known('heartbeat', '4865617274426561745f4e6f74696679'),
];

/** What we send: the first NAT-T is the one that is wanted. */
export function vendorIds(fragmentation: boolean): Uint8Array[] {
  const fragments = new Uint8Array(FRAGMENTATION.length + FRAGMENTATION_ALL.length);
  fragments.set(FRAGMENTATION);
  fragments.set(FRAGMENTATION_ALL, FRAGMENTATION.length);
  return [ESPALIER, DPD, ...(fragmentation ? [fragments] : []), RFC_3947, NATT_03, NATT_02_NEWLINE, NATT_02];
}

export interface Abilities {
  readonly natt: NatFlavour | undefined;
  readonly dpd: boolean;
  readonly espalier: boolean;
  readonly fragmentation: boolean;
  /** By name, what is known; by its bytes what is not. */
  readonly names: readonly string[];
}

const MOST_SHOWN = 32;
const LONGEST_SHOWN = 24;

/** An unknown vendor id is a stranger's bytes: only some of them are shown. */
export function readVendorIds(ids: readonly Uint8Array[]): Abilities {
  const texts = ids.map(hex);
  const has = (id: Uint8Array) => texts.some((text) => text.startsWith(hex(id)));
  const draft = has(NATT_03) || has(NATT_02) || has(NATT_02_NEWLINE);
  return {
    natt: has(RFC_3947) ? 'rfc' : draft ? 'draft' : undefined,
    dpd: texts.some((text) => text.startsWith(hex(DPD).slice(0, 28))),
    espalier: has(ESPALIER),
    fragmentation: has(FRAGMENTATION),
    names: texts.slice(0, MOST_SHOWN).map(nameOf),
  };
}

function nameOf(text: string): string {
  const found = KNOWN.find(({ prefix }) => text.startsWith(prefix));
  if (found) return found.name;
  return text.length > 2 * LONGEST_SHOWN ? `${text.slice(0, 2 * LONGEST_SHOWN)}…` : text;
}
