// strongSwan's vici protocol (src/libcharon/plugins/vici/README.md): the packets between a client and the daemon, and the
// trees of sections, lists and values inside them. What arrives is checked whole here; only `WireError` comes out.

import { utf8 } from '../../bytes/bytes.ts';
import { WireError } from '../../bytes/error.ts';
import { Reader } from '../../bytes/reader.ts';
import { Writer } from '../../bytes/writer.ts';

/** Text where the bytes are UTF-8, which encodes back to the same bytes; else the bytes (a certificate, a raw key). */
export type Item = string | Uint8Array;
export type Value = Item | readonly Item[] | Section;
/** A Map, so that no key a client sends can mean anything to JavaScript. */
export type Section = Map<string, Value>;

export type Packet =
  | { readonly type: 'request'; readonly name: string; readonly message: Section }
  | { readonly type: 'response'; readonly message: Section }
  | { readonly type: 'unknown-command' }
  | { readonly type: 'register'; readonly name: string }
  | { readonly type: 'unregister'; readonly name: string }
  | { readonly type: 'confirm' }
  | { readonly type: 'unknown-event' }
  | { readonly type: 'event'; readonly name: string; readonly message: Section };

/** strongSwan's limit of a segment. */
export const MAX_SEGMENT = 512 * 1024;
export const MAX_DEPTH = 16;
const MAX_ELEMENTS = 65_536;
const MAX_NAME = 0xff;
const MAX_VALUE = 0xffff;

const PACKET = [
  'request',
  'response',
  'unknown-command',
  'register',
  'unregister',
  'confirm',
  'unknown-event',
  'event',
] as const satisfies readonly Packet['type'][];

const SECTION_START = 1;
const SECTION_END = 2;
const KEY_VALUE = 3;
const LIST_START = 4;
const LIST_ITEM = 5;
const LIST_END = 6;

/** Without the length in front: what `Segments` hands out. */
export function decodePacket(segment: Uint8Array): Packet {
  const reader = new Reader(segment);
  const type = PACKET[reader.u8()];
  if (type === undefined) throw new WireError('bad-value', 0);
  switch (type) {
    case 'request':
    case 'event':
      return { type, name: name(reader), message: decodeMessage(reader.rest()) };
    case 'response':
      return { type, message: decodeMessage(reader.rest()) };
    case 'register':
    case 'unregister': {
      const event = name(reader);
      reader.end();
      return { type, name: event };
    }
    case 'unknown-command':
    case 'confirm':
    case 'unknown-event':
      reader.end();
      return { type };
  }
}

/** With the length in front: what goes on the socket. */
export function encodePacket(packet: Packet): Uint8Array {
  const writer = new Writer().u32(0).u8(PACKET.indexOf(packet.type));
  if ('name' in packet) putName(writer, packet.name);
  if ('message' in packet) putSection(writer, packet.message, 0);
  const length = writer.length - 4;
  if (length > MAX_SEGMENT) throw new Error(`a vici segment has ${length} bytes`);
  writer.patch32(0, length);
  return writer.done();
}

/** One level of a message that is being read, and where it began. */
interface Open {
  readonly section: Section;
  readonly at: number;
}

export function decodeMessage(bytes: Uint8Array): Section {
  const reader = new Reader(bytes);
  const root: Section = new Map();
  const outer: Open[] = [];
  let here: Open = { section: root, at: 0 };
  for (let elements = 0; reader.left > 0; elements++) {
    const at = reader.pos;
    if (elements === MAX_ELEMENTS) throw new WireError('too-many', at);
    switch (reader.u8()) {
      case SECTION_START: {
        const section: Section = new Map();
        add(here.section, name(reader), section, at);
        outer.push(here);
        if (outer.length > MAX_DEPTH) throw new WireError('too-deep', at);
        here = { section, at };
        break;
      }
      case SECTION_END: {
        const parent = outer.pop();
        if (!parent) throw new WireError('unexpected', at);
        here = parent;
        break;
      }
      case KEY_VALUE:
        add(here.section, name(reader), item(reader), at);
        break;
      case LIST_START: {
        const items: Item[] = [];
        add(here.section, name(reader), items, at);
        elements += list(reader, items, MAX_ELEMENTS - elements);
        break;
      }
      default:
        throw new WireError('unexpected', at);
    }
  }
  if (outer.length > 0) throw new WireError('missing', here.at);
  return root;
}

function list(reader: Reader, items: Item[], limit: number): number {
  for (;;) {
    const at = reader.pos;
    const element = reader.u8();
    if (element === LIST_END) return items.length;
    if (element !== LIST_ITEM) throw new WireError('unexpected', at);
    if (items.length >= limit) throw new WireError('too-many', at);
    items.push(item(reader));
  }
}

/** Keys are unique in their section: a client that means several values sends a list. */
function add(section: Section, key: string, value: Value, at: number): void {
  if (section.has(key)) throw new WireError('duplicate', at);
  section.set(key, value);
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function name(reader: Reader): string {
  const at = reader.pos;
  const bytes = reader.bytes(reader.u8());
  const text = decodeText(bytes);
  if (text === undefined) throw new WireError('bad-value', at);
  return text;
}

/** Bytes that stay bytes are copied: they outlive the segment. */
function item(reader: Reader): Item {
  const bytes = reader.bytes(reader.u16());
  return decodeText(bytes) ?? bytes.slice();
}

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

export function encodeMessage(message: Section): Uint8Array {
  const writer = new Writer();
  putSection(writer, message, 0);
  return writer.done();
}

function putSection(writer: Writer, section: Section, depth: number): void {
  if (depth > MAX_DEPTH) throw new Error('a vici message is nested too deep');
  for (const [key, value] of section) {
    if (value instanceof Map) {
      putName(writer.u8(SECTION_START), key);
      putSection(writer, value, depth + 1);
      writer.u8(SECTION_END);
    } else if (typeof value === 'string' || value instanceof Uint8Array) {
      putName(writer.u8(KEY_VALUE), key);
      putItem(writer, value);
    } else {
      putName(writer.u8(LIST_START), key);
      for (const entry of value) putItem(writer.u8(LIST_ITEM), entry);
      writer.u8(LIST_END);
    }
  }
}

function putName(writer: Writer, text: string): void {
  const bytes = utf8(text);
  if (bytes.length > MAX_NAME) throw new Error(`a vici name has ${bytes.length} bytes`);
  writer.u8(bytes.length).bytes(bytes);
}

function putItem(writer: Writer, value: Item): void {
  const bytes = typeof value === 'string' ? utf8(value) : value;
  if (bytes.length > MAX_VALUE) throw new Error(`a vici value has ${bytes.length} bytes`);
  writer.u16(bytes.length).bytes(bytes);
}

/** Cuts a byte stream into segments. Holds no more than one unfinished segment, and of that only what has come. */
export class Segments {
  #head = new Uint8Array(4);
  #headLength = 0;
  #body = new Uint8Array(0);
  #bodyLength = 0;
  /** Of the segment under way; undefined while its length is still being read. */
  #wanted: number | undefined;

  /** The segments that `chunk` completes, each with bytes of its own. Throws `WireError` on an impossible length. */
  *push(chunk: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < chunk.length; ) {
      if (this.#wanted === undefined) {
        this.#head[this.#headLength++] = chunk[at++] as number;
        if (this.#headLength === 4) this.#begin(new Reader(this.#head).u32());
        continue;
      }
      const part = chunk.subarray(at, at + this.#wanted - this.#bodyLength);
      this.#append(part, this.#wanted);
      at += part.length;
      if (this.#bodyLength === this.#wanted) {
        this.#wanted = undefined;
        yield this.#body.subarray(0, this.#bodyLength);
      }
    }
  }

  #begin(length: number): void {
    if (length === 0 || length > MAX_SEGMENT) throw new WireError('bad-length', 0);
    this.#headLength = 0;
    this.#wanted = length;
    this.#body = new Uint8Array(Math.min(length, 4096));
    this.#bodyLength = 0;
  }

  #append(part: Uint8Array, wanted: number): void {
    const needed = this.#bodyLength + part.length;
    if (needed > this.#body.length) {
      const larger = new Uint8Array(Math.min(wanted, Math.max(needed, 2 * this.#body.length)));
      larger.set(this.#body.subarray(0, this.#bodyLength));
      this.#body = larger;
    }
    this.#body.set(part, this.#bodyLength);
    this.#bodyLength = needed;
  }
}
