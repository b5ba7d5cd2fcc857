// Security Association payload: proposals, transforms, attributes (RFC 7296 §3.3). Lengths and counts must agree
// exactly; which proposal is acceptable is for `select.ts` to say.

import { WireError } from '../../bytes/error.ts';
import type { Reader } from '../../bytes/reader.ts';
import type { Writer } from '../../bytes/writer.ts';
import { PROTOCOL } from './constants.ts';
import type { Proposal, Transform } from './payload.ts';

/** Selection costs ours × theirs. Real peers send fewer than 40; beyond this it is somebody making us work. */
export const MAX_PROPOSALS = 64;

const MORE_PROPOSALS = 2;
const MORE_TRANSFORMS = 3;
const TRANSFORM_SIZE = 8;
const PROPOSAL_SIZE = 8;

/** The top bit of an attribute's type: the value stands in the place of the length (RFC 7296 §3.3.5). */
const TV = 0x8000;
const KEY_LENGTH = 14;

export function decodeSa(reader: Reader): Proposal[] {
  const proposals: Proposal[] = [];
  let more = true;
  while (more) {
    if (proposals.length === MAX_PROPOSALS) throw new WireError('too-many', reader.offset);
    more = last(reader, MORE_PROPOSALS);
    proposals.push(decodeProposal(substructure(reader, PROPOSAL_SIZE), proposals.at(-1)?.number ?? 0));
  }
  reader.end();
  return proposals;
}

function decodeProposal(reader: Reader, previous: number): Proposal {
  // RFC 7296 §3.3.1: numbers go up, or an answer could not name the proposal it chose.
  const number = reader.u8();
  if (number <= previous) throw new WireError('bad-value', reader.offset - 1);
  const protocol = reader.u8();
  const spiSize = reader.u8();
  if (!spiSizeFits(protocol, spiSize)) throw new WireError('bad-length', reader.offset - 1);
  const count = reader.u8();
  const spi = reader.bytes(spiSize);
  const transforms: Transform[] = [];
  for (let i = 1; i <= count; i++) {
    const at = reader.offset;
    const more = last(reader, MORE_TRANSFORMS);
    if (more !== i < count) throw new WireError('bad-value', at);
    transforms.push(decodeTransform(substructure(reader, TRANSFORM_SIZE)));
  }
  reader.end();
  return { number, protocol, spi, transforms };
}

/** RFC 7296 §3.3.1; proposals for a protocol we do not know are read to the end and never chosen. */
function spiSizeFits(protocol: number, size: number): boolean {
  switch (protocol) {
    case PROTOCOL.IKE:
      return size === 0 || size === 8;
    case PROTOCOL.AH:
    case PROTOCOL.ESP:
      return size === 4;
    default:
      return true;
  }
}

function decodeTransform(reader: Reader): Transform {
  const type = reader.u8();
  reader.skip(1);
  const id = reader.u16();
  let keyBits: number | undefined;
  let unknown = false;
  while (reader.left > 0) {
    const at = reader.offset;
    const kind = reader.u16();
    const value = reader.u16();
    if (kind === (TV | KEY_LENGTH)) {
      if (keyBits !== undefined) throw new WireError('duplicate', at);
      keyBits = value;
      continue;
    }
    if (kind === KEY_LENGTH) throw new WireError('bad-value', at);
    if ((kind & TV) === 0) reader.skip(value);
    unknown = true;
  }
  return { type, id, ...(keyBits === undefined ? {} : { keyBits }), ...(unknown ? { unknownAttribute: true } : {}) };
}

/** Reads "Last Substruc" and the reserved byte. */
function last(reader: Reader, more: number): boolean {
  const at = reader.offset;
  const value = reader.u8();
  if (value !== 0 && value !== more) throw new WireError('bad-value', at);
  reader.skip(1);
  return value === more;
}

/** What follows the length field, `size` being the least that the whole substructure can have. */
function substructure(reader: Reader, size: number): Reader {
  const at = reader.offset;
  const length = reader.u16();
  if (length < size) throw new WireError('bad-length', at);
  return reader.slice(length - 4);
}

export function encodeSa(writer: Writer, proposals: readonly Proposal[]): void {
  proposals.forEach((proposal, i) => {
    const start = writer.length;
    if (proposal.transforms.length > 0xff) throw new Error('more than 255 transforms do not fit into a proposal');
    writer.u8(i < proposals.length - 1 ? MORE_PROPOSALS : 0).zeros(3);
    writer.u8(proposal.number).u8(proposal.protocol).u8(proposal.spi.length).u8(proposal.transforms.length);
    writer.bytes(proposal.spi);
    proposal.transforms.forEach((transform, j) => {
      encodeTransform(writer, transform, j < proposal.transforms.length - 1);
    });
    writer.patch16(start + 2, writer.length - start);
  });
}

function encodeTransform(writer: Writer, { type, id, keyBits }: Transform, more: boolean): void {
  writer.u8(more ? MORE_TRANSFORMS : 0).zeros(1);
  writer.u16(keyBits === undefined ? TRANSFORM_SIZE : TRANSFORM_SIZE + 4);
  writer.u8(type).zeros(1).u16(id);
  if (keyBits !== undefined) writer.u16(TV | KEY_LENGTH).u16(keyBits);
}
