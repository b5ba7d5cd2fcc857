// Addresses as four 32-bit words, the most significant first; an IPv4 address is the first of them, the others are 0.
// In this form one comparison does for both families, and none of it allocates.

/** Allocates: for what is installed, not for packets. */
export function addressWords(address: Uint8Array): Int32Array {
  const words = new Int32Array(4);
  for (let i = 0; i < address.length; i++) {
    words[i >> 2] = ((words[i >> 2] as number) << 8) | (address[i] as number);
  }
  return words;
}

/** Whether an address lies within the range whose first address is at `at`, and whose last is behind it. */
export function within(words: Int32Array, at: number, a0: number, a1: number, a2: number, a3: number): boolean {
  return order(words, at, a0, a1, a2, a3) >= 0 && order(words, at + 4, a0, a1, a2, a3) <= 0;
}

/** Of an address, compared with the one at `at`. */
function order(words: Int32Array, at: number, a0: number, a1: number, a2: number, a3: number): number {
  const b0 = words[at] as number;
  if (a0 !== b0) return a0 >>> 0 < b0 >>> 0 ? -1 : 1;
  const b1 = words[at + 1] as number;
  if (a1 !== b1) return a1 >>> 0 < b1 >>> 0 ? -1 : 1;
  const b2 = words[at + 2] as number;
  if (a2 !== b2) return a2 >>> 0 < b2 >>> 0 ? -1 : 1;
  const b3 = words[at + 3] as number;
  if (a3 !== b3) return a3 >>> 0 < b3 >>> 0 ? -1 : 1;
  return 0;
}

/** How many leading bits two addresses share. */
export function sharedBits(a: Int32Array, at: number, b: Int32Array): number {
  for (let i = 0; i < 4; i++) {
    const difference = (a[at + i] as number) ^ (b[i] as number);
    if (difference !== 0) return 32 * i + Math.clz32(difference);
  }
  return 128;
}
