// Security Association payload: situation, proposals, transforms, attributes (RFC 2407 §4.6.1, RFC 2408 §3.3–§3.6).
// Lengths and counts must agree exactly; which proposal is acceptable is for others to say.

import { WireError } from '../../../bytes/error.ts';
import type { Reader } from '../../../bytes/reader.ts';
import { Writer } from '../../../bytes/writer.ts';
import { DOI_IPSEC, PAYLOAD, SIT_IDENTITY_ONLY } from './constants.ts';
import type { Attribute, Proposal, Transform } from './payload.ts';

/** Selection costs ours × theirs. Beyond these it is somebody making us work. */
export const MAX_PROPOSALS = 64;
/** In all proposals together. */
export const MAX_TRANSFORMS = 256;
/** Per transform. */
export const MAX_ATTRIBUTES = 32;

const PROPOSAL_SIZE = 8;
const TRANSFORM_SIZE = 8;

/** The top bit of an attribute's type: the value stands in the place of the length (RFC 2408 §3.3). */
const AF = 0x8000;

export function decodeSa(reader: Reader): Proposal[] {
  if (reader.u32() !== DOI_IPSEC) throw new WireError('bad-value', reader.offset - 4);
  if (reader.u32() !== SIT_IDENTITY_ONLY) throw new WireError('bad-value', reader.offset - 4);
  const proposals: Proposal[] = [];
  let transforms = 0;
  let more = true;
  while (more) {
    if (proposals.length === MAX_PROPOSALS) throw new WireError('too-many', reader.offset);
    more = moreFollows(reader, PAYLOAD.P);
    const proposal = decodeProposal(inner(reader, PROPOSAL_SIZE), MAX_TRANSFORMS - transforms);
    proposals.push(proposal);
    transforms += proposal.transforms.length;
  }
  reader.end();
  return proposals;
}

/** Numbers may repeat: proposals of one number are to be had together (RFC 2408 §4.2). */
function decodeProposal(reader: Reader, maxTransforms: number): Proposal {
  const number = reader.u8();
  const protocol = reader.u8();
  const spiSize = reader.u8();
  const count = reader.u8();
  if (count === 0) throw new WireError('bad-value', reader.offset - 1);
  if (count > maxTransforms) throw new WireError('too-many', reader.offset - 1);
  const spi = reader.bytes(spiSize);
  const transforms: Transform[] = [];
  for (let i = 1; i <= count; i++) {
    const at = reader.offset;
    if (moreFollows(reader, PAYLOAD.T) !== i < count) throw new WireError('bad-value', at);
    transforms.push(decodeTransform(inner(reader, TRANSFORM_SIZE)));
  }
  reader.end();
  return { number, protocol, spi, transforms };
}

function decodeTransform(reader: Reader): Transform {
  const number = reader.u8();
  const id = reader.u8();
  reader.skip(2);
  return { number, id, attributes: decodeAttributes(reader) };
}

/** What is left of a transform, or stands in a notify (RFC 2407 §4.6.3.1). */
export function decodeAttributes(reader: Reader): Attribute[] {
  const attributes: Attribute[] = [];
  while (reader.left > 0) {
    if (attributes.length === MAX_ATTRIBUTES) throw new WireError('too-many', reader.offset);
    attributes.push(decodeAttribute(reader));
  }
  return attributes;
}

function decodeAttribute(reader: Reader): Attribute {
  const type = reader.u16();
  if ((type & AF) !== 0) return { type: type & ~AF, value: reader.bytes(2), short: true };
  return { type, value: reader.bytes(reader.u16()), short: false };
}

/** Reads "Next Payload", here `type` again or 0, and the reserved byte. */
function moreFollows(reader: Reader, type: number): boolean {
  const at = reader.offset;
  const next = reader.u8();
  if (next !== PAYLOAD.NONE && next !== type) throw new WireError('bad-value', at);
  reader.skip(1);
  return next === type;
}

/** What follows the length field, `size` being the least that the whole payload can have. */
function inner(reader: Reader, size: number): Reader {
  const at = reader.offset;
  const length = reader.u16();
  if (length < size) throw new WireError('bad-length', at);
  return reader.slice(length - 4);
}

export function encodeSa(writer: Writer, proposals: readonly Proposal[]): void {
  writer.u32(DOI_IPSEC).u32(SIT_IDENTITY_ONLY);
  proposals.forEach(({ number, protocol, spi, transforms }, i) => {
    const start = writer.length;
    if (transforms.length > 0xff) throw new Error('more than 255 transforms do not fit into a proposal');
    writer.u8(i < proposals.length - 1 ? PAYLOAD.P : PAYLOAD.NONE).zeros(3);
    writer.u8(number).u8(protocol).u8(spi.length).u8(transforms.length).bytes(spi);
    transforms.forEach((transform, j) => {
      encodeTransform(writer, transform, j < transforms.length - 1);
    });
    writer.patch16(start + 2, writer.length - start);
  });
}

function encodeTransform(writer: Writer, { number, id, attributes }: Transform, more: boolean): void {
  const start = writer.length;
  writer.u8(more ? PAYLOAD.T : PAYLOAD.NONE).zeros(3);
  writer.u8(number).u8(id).zeros(2);
  for (const attribute of attributes) encodeAttribute(writer, attribute);
  writer.patch16(start + 2, writer.length - start);
}

export function encodeAttributes(attributes: readonly Attribute[]): Uint8Array {
  const writer = new Writer();
  for (const attribute of attributes) encodeAttribute(writer, attribute);
  return writer.done();
}

function encodeAttribute(writer: Writer, { type, value, short }: Attribute): void {
  if (short && value.length !== 2) throw new Error(`${value.length} bytes are no short attribute`);
  writer.u16(short ? type | AF : type);
  if (!short) writer.u16(value.length);
  writer.bytes(value);
}
