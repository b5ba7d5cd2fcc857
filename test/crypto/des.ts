// DES as FIPS 46-3 describes it, bit by bit: slow, plain, and independent of OpenSSL. CBC over one or three keys.

// biome-ignore format: tables are printed as the standard prints them
const IP = [58,50,42,34,26,18,10,2, 60,52,44,36,28,20,12,4, 62,54,46,38,30,22,14,6, 64,56,48,40,32,24,16,8,
  57,49,41,33,25,17,9,1, 59,51,43,35,27,19,11,3, 61,53,45,37,29,21,13,5, 63,55,47,39,31,23,15,7];
// biome-ignore format: as above
const FP = [40,8,48,16,56,24,64,32, 39,7,47,15,55,23,63,31, 38,6,46,14,54,22,62,30, 37,5,45,13,53,21,61,29,
  36,4,44,12,52,20,60,28, 35,3,43,11,51,19,59,27, 34,2,42,10,50,18,58,26, 33,1,41,9,49,17,57,25];
// biome-ignore format: as above
const E = [32,1,2,3,4,5, 4,5,6,7,8,9, 8,9,10,11,12,13, 12,13,14,15,16,17, 16,17,18,19,20,21, 20,21,22,23,24,25,
  24,25,26,27,28,29, 28,29,30,31,32,1];
// biome-ignore format: as above
const P = [16,7,20,21, 29,12,28,17, 1,15,23,26, 5,18,31,10, 2,8,24,14, 32,27,3,9, 19,13,30,6, 22,11,4,25];
// biome-ignore format: as above
const PC1 = [57,49,41,33,25,17,9, 1,58,50,42,34,26,18, 10,2,59,51,43,35,27, 19,11,3,60,52,44,36,
  63,55,47,39,31,23,15, 7,62,54,46,38,30,22, 14,6,61,53,45,37,29, 21,13,5,28,20,12,4];
// biome-ignore format: as above
const PC2 = [14,17,11,24,1,5, 3,28,15,6,21,10, 23,19,12,4,26,8, 16,7,27,20,13,2, 41,52,31,37,47,55, 30,40,51,45,33,48,
  44,49,39,56,34,53, 46,42,50,36,29,32];
const SHIFTS = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];
/** Four rows of sixteen, in hexadecimal. */
const S = [
  'e4d12fb83a6c5907 0f74e2d1a6cb9538 41e8d62bfc973a50 fc8249175b3ea06d',
  'f18e6b34972dc05a 3d47f28ec01a69b5 0e7ba4d158c6932f d8a13f42b67c05e9',
  'a09e63f51dc7b428 d709346a285ecbf1 d6498f30b12c5ae7 1ad069874fe3b52c',
  '7de3069a1285bc4f d8b56f03472c1ae9 a690cb7df13e5284 3f06a1d8945bc72e',
  '2c417ab6853fd0e9 eb2c47d150fa3986 421bad78f9c5630e b8c71e2d6f09a453',
  'c1af92680d34e75b af427c9561de0b38 9ef528c3704a1db6 432c95fabe17608d',
  '4b2ef08d3c975a61 d0b7491ae35c2f86 14bdc37eaf680592 6bd814a7950fe23c',
  'd2846fb1a93e50c7 1fd8a374c56b0e92 7b419ce206adf358 21e74a8dfc90356b',
].map((box) => box.replaceAll(' ', ''));

type Bits = readonly number[];

/** Encrypts under one key of 8 bytes, or as Triple-DES under 24. */
export function desCbcEncrypt(key: Uint8Array, iv: Uint8Array, plain: Uint8Array): Uint8Array {
  const text = new Uint8Array(plain.length);
  let chain = iv;
  for (let at = 0; at < plain.length; at += 8) {
    chain = encryptBlock(key, xor(plain.subarray(at, at + 8), chain));
    text.set(chain, at);
  }
  return text;
}

export function desCbcDecrypt(key: Uint8Array, iv: Uint8Array, text: Uint8Array): Uint8Array {
  const plain = new Uint8Array(text.length);
  let chain = iv;
  for (let at = 0; at < text.length; at += 8) {
    const block = text.subarray(at, at + 8);
    plain.set(xor(decryptBlock(key, block), chain), at);
    chain = block;
  }
  return plain;
}

function encryptBlock(key: Uint8Array, block: Uint8Array): Uint8Array {
  if (key.length === 8) return des(block, schedule(key));
  const [k1, k2, k3] = thirds(key);
  return des(des(des(block, schedule(k1)), schedule(k2).reverse()), schedule(k3));
}

function decryptBlock(key: Uint8Array, block: Uint8Array): Uint8Array {
  if (key.length === 8) return des(block, schedule(key).reverse());
  const [k1, k2, k3] = thirds(key);
  return des(des(des(block, schedule(k3).reverse()), schedule(k2)), schedule(k1).reverse());
}

function thirds(key: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
  return [key.subarray(0, 8), key.subarray(8, 16), key.subarray(16, 24)];
}

function des(block: Uint8Array, keys: readonly Bits[]): Uint8Array {
  const bits = pick(bitsOf(block), IP);
  let left = bits.slice(0, 32);
  let right = bits.slice(32);
  for (const key of keys) [left, right] = [right, xorBits(left, round(right, key))];
  return bytesOf(pick([...right, ...left], FP));
}

function round(right: Bits, key: Bits): number[] {
  const mixed = xorBits(pick(right, E), key);
  const substituted = S.flatMap((box, i) => {
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mixed.slice(6 * i, 6 * i + 6);
    const value = Number.parseInt(box[(2 * a + f) * 16 + 8 * b + 4 * c + 2 * d + e] ?? '', 16);
    return [value >> 3, (value >> 2) & 1, (value >> 1) & 1, value & 1];
  });
  return pick(substituted, P);
}

function schedule(key: Uint8Array): Bits[] {
  const chosen = pick(bitsOf(key), PC1);
  let c = chosen.slice(0, 28);
  let d = chosen.slice(28);
  return SHIFTS.map((shift) => {
    c = [...c.slice(shift), ...c.slice(0, shift)];
    d = [...d.slice(shift), ...d.slice(0, shift)];
    return pick([...c, ...d], PC2);
  });
}

function pick(bits: Bits, table: readonly number[]): number[] {
  return table.map((position) => bits[position - 1] ?? 0);
}

function xorBits(a: Bits, b: Bits): number[] {
  return a.map((bit, i) => bit ^ (b[i] ?? 0));
}

function bitsOf(bytes: Uint8Array): number[] {
  return [...bytes].flatMap((byte) => Array.from({ length: 8 }, (_, i) => (byte >> (7 - i)) & 1));
}

function bytesOf(bits: Bits): Uint8Array {
  return Uint8Array.from({ length: bits.length / 8 }, (_, i) =>
    bits.slice(8 * i, 8 * i + 8).reduce((byte, bit) => 2 * byte + bit, 0),
  );
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, i) => byte ^ (b[i] ?? 0));
}
