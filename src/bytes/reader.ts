// Reads big-endian fields from borrowed bytes. Every length is checked here, so that no decoder checks one itself.

import { WireError } from './error.ts';

export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #base: number;
  #pos = 0;

  /** `base` is where `bytes` begin in the whole message, so that an error names the place there. */
  constructor(bytes: Uint8Array, base = 0) {
    this.#bytes = bytes;
    this.#base = base;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get pos(): number {
    return this.#pos;
  }

  /** The position in the whole message. */
  get offset(): number {
    return this.#base + this.#pos;
  }

  get left(): number {
    return this.#bytes.length - this.#pos;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  /** A view of the next `length` bytes; it borrows the input. */
  bytes(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  rest(): Uint8Array {
    return this.bytes(this.left);
  }

  skip(length: number): void {
    this.#advance(length);
  }

  /** A reader over the next `length` bytes. */
  slice(length: number): Reader {
    const base = this.offset;
    return new Reader(this.bytes(length), base);
  }

  end(): void {
    if (this.left > 0) throw new WireError('trailing', this.offset);
  }

  #advance(length: number): number {
    if (length > this.left) throw new WireError('truncated', this.offset);
    const start = this.#pos;
    this.#pos += length;
    return start;
  }
}
