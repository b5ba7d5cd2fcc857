// Vendor ids: what we say that we can do beyond the RFCs, and what the peer says (RFC 3947 §3.1, RFC 3706 §5.1, drafts 02
// and 03 of RFC 3947).

import { hex, same, unhex } from '../../bytes/bytes.ts';
import { vendorName } from './vendors.ts';

export type NatFlavour = 'rfc' | 'draft';

const RFC_3947 = unhex('4a131c81070358455c5728f20e95452f');
const NATT_03 = unhex('7d9419a65310ca6f2c179d9215529d56');
const NATT_02 = unhex('cd60464335df21f87cfdb2fc68b6a448');
const NATT_02_NEWLINE = unhex('90cb80913ebb696e086381b5ec427b1f');
const DPD = unhex('afcad71368a1f1c96b8696fc77570100');
const FRAGMENTATION = unhex('4048b7d56ebce88525e7de7f00d6c2d3');
/** What may follow: the top bit stands for main and aggressive mode. Windows leaves it out and means it. */
const FRAGMENTATION_ALL = unhex('80000000');
/** Our own: MD5 of the name. Whoever sends it settles what both sides have begun at once as we do. */
const ESPALIER = unhex('07a6c5d3ac3f4fead98afa96e2eb04c1');

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
    fragmentation: ids.some(fragments),
    names: ids.slice(0, MOST_SHOWN).map(nameOf),
  };
}

function fragments(id: Uint8Array): boolean {
  const size = FRAGMENTATION.length;
  if (!same(id.subarray(0, size), FRAGMENTATION)) return false;
  return id.length === size || ((id[size] ?? 0) & 0x80) !== 0;
}

function nameOf(id: Uint8Array): string {
  const known = vendorName(id);
  if (known !== undefined) return known;
  const text = hex(id);
  return text.length > 2 * LONGEST_SHOWN ? `${text.slice(0, 2 * LONGEST_SHOWN)}…` : text;
}
