import { crc32 } from "node:zlib";

/** Lengths in bytes at which the beginnings of two bodies are compared. Shorter ones save a model server nothing. */
const prefixLengths = [256, 512, 1_024, 2_048, 4_096];

/** The order in which lines run next to those whose bodies begin like theirs. */
export interface PrefixOrder {
  /** Takes the body of the next line. */
  add(body: Buffer): void;
  /** The numbers of all lines taken, from 0, those with the longest common beginnings next to each other. */
  sorted(): Uint32Array;
}

/**
 * One pass over the first 4 KiB of a body, whose checksum on the way is noted at each length: lines that have the first
 * five in common share more than lines that have the first two. Two beginnings with one checksum only cost a place.
 *
 * @param most how many lines it may take, at 20 bytes for each
 */
export function createPrefixOrder(most: number): PrefixOrder {
  const levels = prefixLengths.length;
  const sums = new Uint32Array(most * levels);
  let lines = 0;

  function compare(a: number, b: number): number {
    for (let level = 0; level < levels; level += 1) {
      const difference = (sums[a * levels + level] as number) - (sums[b * levels + level] as number);
      if (difference !== 0) return difference;
    }
    return a - b;
  }

  return {
    add(body) {
      let sum = 0;
      let from = 0;
      for (const [level, length] of prefixLengths.entries()) {
        // What is left of a body behind its last full length is its own.
        if (length <= body.length) sum = crc32(body.subarray(from, length), sum);
        from = length;
        sums[lines * levels + level] = sum;
      }
      lines += 1;
    },
    sorted: () => Uint32Array.from({ length: lines }, (_, line) => line).sort(compare),
  };
}
