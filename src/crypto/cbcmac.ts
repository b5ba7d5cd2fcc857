// The common part of the MACs made of AES-128-CBC: whole blocks in, the last block of ciphertext out.

import { createCipheriv } from 'node:crypto';

const BLOCK = 16;
const ZERO = new Uint8Array(BLOCK);

/** Under `key`, of the message after its last block is padded if short and masked with one of two keys. */
export function cbcMac(
  key: Uint8Array,
  data: readonly Uint8Array[],
  maskWhole: Uint8Array,
  maskPadded: Uint8Array,
): Uint8Array {
  let length = 0;
  for (const part of data) length += part.length;
  const whole = length > 0 && length % BLOCK === 0;
  const blocks = new Uint8Array(Math.max(1, Math.ceil(length / BLOCK)) * BLOCK);
  let at = 0;
  for (const part of data) {
    blocks.set(part, at);
    at += part.length;
  }
  if (!whole) blocks[length] = 0x80;
  const mask = whole ? maskWhole : maskPadded;
  const last = blocks.length - BLOCK;
  for (let i = 0; i < BLOCK; i++) blocks[last + i] = (blocks[last + i] as number) ^ (mask[i] as number);
  const chained = createCipheriv('aes-128-cbc', key, ZERO).setAutoPadding(false).update(blocks);
  return new Uint8Array(chained.subarray(last));
}

/** AES-128-ECB of whole blocks. */
export function aesBlocks(key: Uint8Array, blocks: Uint8Array): Uint8Array {
  return new Uint8Array(createCipheriv('aes-128-ecb', key, null).setAutoPadding(false).update(blocks));
}
