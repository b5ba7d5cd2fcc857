// ESP packets for the tests of the addon's ciphers: made and opened by the addon, or by any protection of `src/crypto`.

import { concat } from '../../src/bytes/bytes.ts';
import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import { cipherShape, integrity, supported } from '../../src/crypto/registry.ts';
import type { Protection, ProtectionKeys } from '../../src/crypto/types.ts';
import { addon, type CipherHandle } from '../../src/net/native.ts';
import { present } from '../crypto/suite.ts';
import { seeded } from '../support/random.ts';

export const native = addon();
export const { vaes } = native.cipherFacilities();

/** SPI and low sequence number. */
export const HEADER = 8;
const SPI = 0xc0ffee42;

/** A whole sequence number. */
export interface Seq {
  readonly high: number;
  readonly low: number;
}

export interface Kind {
  readonly name: string;
  readonly keys: ProtectionKeys;
  readonly esn: boolean;
  /** OpenSSL, where there is code of our own as well. */
  readonly plain: boolean;
}

/** Every combination there is, with and without extended sequence numbers, and AES-GCM in both implementations. */
export const kinds: readonly Kind[] = supported.encr.flatMap(({ id, keyBits }) => {
  const shape = present(cipherShape(id, keyBits));
  const random = seeded(id * 1000 + (keyBits ?? 0));
  const gcm: readonly number[] = [ENCR.AES_GCM_8, ENCR.AES_GCM_12, ENCR.AES_GCM_16];
  return (shape.aead ? [INTEG.NONE] : supported.integ).flatMap((integ) => {
    const encrKey = random(shape.keySize + shape.saltSize);
    const keys = { encr: id, keyBits, integ, encrKey, integKey: random(integrity(integ)?.keySize ?? 0) };
    const name = `cipher ${id}${keyBits ? `-${keyBits}` : ''} with integrity ${integ}`;
    return [false, true].flatMap((esn) => {
      const kind = { name: esn ? `${name}, ESN` : name, keys, esn, plain: false };
      return vaes && gcm.includes(id) ? [kind, { ...kind, name: `${kind.name}, OpenSSL`, plain: true }] : [kind];
    });
  });
});

export function handle(kind: Omit<Kind, 'name'>, sealing: boolean): CipherHandle | undefined {
  const { encr, keyBits = 0, integ, encrKey, integKey } = kind.keys;
  const options = Int32Array.of(encr, keyBits, integ, Number(kind.esn), Number(sealing), Number(kind.plain));
  return native.cipherNew(options, encrKey, integKey);
}

/** Both directions of one kind. */
export class Ends {
  readonly ivSize: number;
  readonly icvSize: number;
  readonly align: number;
  readonly #sealing: CipherHandle;
  readonly #opening: CipherHandle;

  constructor(kind: Omit<Kind, 'name'>) {
    this.#sealing = present(handle(kind, true));
    this.#opening = present(handle(kind, false));
    [this.ivSize, this.icvSize, this.align] = native.cipherSizes(this.#sealing);
  }

  get around(): number {
    return HEADER + this.ivSize + this.icvSize;
  }

  /** In place, or from elsewhere. The bytes around the packet stay what they are, and it may begin anywhere. */
  seal(seq: Seq, text: Uint8Array, inPlace: boolean, header = headerOf(seq)): Uint8Array | undefined {
    const size = this.around + text.length;
    const room = guarded(size, inPlace ? 0 : text.length);
    const offset = inPlace ? HEADER + this.ivSize : size;
    room.inside.set(header);
    room.inside.set(text, offset);
    if (!native.cipherSeal(this.#sealing, room.inside, offset, text.length, seq.high, seq.low)) return undefined;
    room.check();
    return room.inside.slice(0, size);
  }

  /** The text, of a copy of the packet; undefined when it is forged. */
  open(seq: Seq, packet: Uint8Array): Uint8Array | undefined {
    const room = guarded(packet.length, 0);
    room.inside.set(packet);
    const length = packet.length - this.around;
    const good = native.cipherOpen(this.#opening, room.inside, length, seq.high, seq.low);
    room.check();
    const start = HEADER + this.ivSize;
    return good ? room.inside.slice(start, start + length) : undefined;
  }
}

const GUARD = 0xee;
let shift = 0;

/** Memory at every possible misalignment in turn, between bytes that nobody may touch. */
function guarded(size: number, more: number): { inside: Uint8Array; check(): void } {
  shift = (shift + 1) % 64;
  const before = 64 + shift;
  const whole = new Uint8Array(before + size + more + 64).fill(GUARD);
  const inside = whole.subarray(before, before + size + more);
  const check = () => {
    const outside = [whole.subarray(0, before), whole.subarray(before + size + more)];
    if (outside.some((bytes) => bytes.some((byte) => byte !== GUARD))) throw new Error('written outside of the packet');
  };
  return { inside, check };
}

export function headerOf({ low }: Seq): Uint8Array {
  const header = new Uint8Array(HEADER);
  const view = new DataView(header.buffer);
  view.setUint32(0, SPI);
  view.setUint32(4, low);
  return header;
}

/** The counter IV of a sequence number. */
export function counterIv({ high, low }: Seq): Uint8Array {
  const iv = new Uint8Array(8);
  const view = new DataView(iv.buffer);
  view.setUint32(0, high);
  view.setUint32(4, low);
  return iv;
}

/** What goes beside the text: with ESN the high half is in the AAD of a combined mode, else after the text. */
function besides(kind: Kind, seq: Seq, header: Uint8Array): [aad: Uint8Array, tail: Uint8Array | undefined] {
  if (!kind.esn) return [header, undefined];
  const high = counterIv(seq).slice(0, 4);
  if (kind.keys.integ !== INTEG.NONE) return [header, high];
  return [concat(header.subarray(0, 4), high, header.subarray(4)), undefined];
}

/** The packet that a protection makes of it. */
export function sealedBy(protection: Protection, kind: Kind, seq: Seq, iv: Uint8Array, text: Uint8Array): Uint8Array {
  const header = headerOf(seq);
  const [aad, tail] = besides(kind, seq, header);
  const sealed = protection.seal(iv, aad, text, tail);
  return concat(header, iv, sealed);
}

export function openedBy(protection: Protection, kind: Kind, seq: Seq, packet: Uint8Array): Uint8Array | undefined {
  const start = HEADER + protection.ivSize;
  const [aad, tail] = besides(kind, seq, packet.subarray(0, HEADER));
  return protection.open(packet.subarray(HEADER, start), aad, packet.subarray(start), tail);
}
