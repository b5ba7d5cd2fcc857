// Attributes of IKEv1 transforms by number, and whole proposals in a line a transform.

import type { Attribute, Proposal } from '../../src/ike/v1/wire/payload.ts';

export function short(type: number, value: number): Attribute {
  return { type, value: Uint8Array.of(value >> 8, value & 0xff), short: true };
}

/** Four bytes, whether they are needed or not. */
export function long(type: number, value: number): Attribute {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return { type, value: bytes, short: false };
}

/** `ESP 12 4=1 6=128 5=2`: the transform's number, then its attributes. */
export function shown(proposals: readonly Proposal[]): string[] {
  const names = ['0', 'KEY_IKE', 'AH', 'ESP', 'IPCOMP'];
  return proposals.flatMap(({ protocol, transforms }) =>
    transforms.map(({ id, attributes }) => {
      const name = protocol === 1 ? names[id] : `${names[protocol]} ${id}`;
      return [name, ...attributes.map(({ type, value }) => `${type}=${number(value)}`)].join(' ');
    }),
  );
}

function number(value: Uint8Array): number {
  return value.reduce((sum, byte) => sum * 256 + byte, 0);
}
