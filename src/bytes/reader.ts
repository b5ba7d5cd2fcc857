// Reads big-endian fields from borrowed bytes. Every length is checked here, so that no decoder checks one itself.

import { WireError } from './error.ts';

export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #pos = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get pos(): number {
    return this.#pos;
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
    return new Reader(this.bytes(length));
  }

  end(): void {
    if (this.left > 0) throw new WireError('trailing', this.#pos);
  }

  #advance(length: number): number {
    if (length > this.left) throw new WireError('truncated', this.#pos);
    const start = this.#pos;
    this.#pos += length;
    return start;
  }
}
