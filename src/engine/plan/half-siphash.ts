/** A stretch of bytes. */
export interface ByteRange {
  bytes: Uint8Array;
  start: number;
  end: number;
}

export interface KeyedHash {
  /** The key's two halves, as signed 32-bit integers. */
  readonly key0: number;
  readonly key1: number;
  /** The last hash's two halves, likewise. */
  low: number;
  high: number;
}

/** @param seed eight bytes */
export function newKeyedHash(seed: Uint8Array): KeyedHash {
  const view = new DataView(seed.buffer, seed.byteOffset, 8);
  return { key0: view.getInt32(0, true), key1: view.getInt32(4, true), low: 0, high: 0 };
}

/**
 * HalfSipHash-2-4 with 64 bits of output: nobody who does not know the key can make ids that collide, and its
 * 32-bit arithmetic is fast in JavaScript. The hash is left in `hash`, so that it costs no allocation.
 */
export function halfSipHash({ bytes, start, end }: ByteRange, hash: KeyedHash): void {
  let v0 = hash.key0;
  let v1 = hash.key1 ^ 0xee;
  let v2 = hash.key0 ^ 0x6c796765;
  let v3 = hash.key1 ^ 0x74656462;
  const length = end - start;
  const words = (length >> 2) + 1;
  // Two rounds at each step: one step for each word, then four in which nothing is mixed in any more.
  for (let step = 0; step < words + 4; step += 1) {
    let word = 0;
    const at = start + 4 * step;
    if (step < words - 1) word = readWord(bytes, at);
    else if (step === words - 1) word = readLastWord({ bytes, start: at, end }, length);
    else if (step === words) v2 ^= 0xee;
    else if (step === words + 2) {
      hash.low = v1 ^ v3;
      v1 ^= 0xdd;
    }
    v3 ^= word;
    for (let round = 0; round < 2; round += 1) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    v0 ^= word;
  }
  hash.high = v1 ^ v3;
}

function readWord(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
  return low | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
}

/** The up to three bytes that are left, and the length in the highest byte. */
function readLastWord({ bytes, start, end }: ByteRange, length: number): number {
  let word = length << 24;
  for (let at = start; at < end; at += 1) word |= (bytes[at] as number) << (8 * (at - start));
  return word;
}
