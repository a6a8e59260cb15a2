import { type ByteRange, halfSipHash, newKeyedHash } from "./half-siphash.ts";

/**
 * Which ids a file has had, at 8 bytes a slot: the hash of an id and the number of its line, never the id. An id
 * that hits may still be another one; who must know reads the lines that `linesOf` names.
 */
export interface IdSet {
  /** Adds an id unless one with its hash is there. Returns whether it was added. */
  add(id: ByteRange, line: number): boolean;
  /** The lines of the ids that have this hash. */
  linesOf(id: ByteRange): number[];
  /** Adds an id although others have its hash: they turned out to be different. */
  addBeside(id: ByteRange, line: number): void;
  readonly size: number;
}

// Part by part: no growth copies more than one part, and memory never holds two copies of the whole. Eight bits of
// a hash choose the part and 32 are compared, so ten million ids give about 45 false hits.
const partCount = 256;
const firstSlots = 16;

interface Part {
  /** For each slot the hash, then the line + 1; 0 there is a free slot. */
  slots: Uint32Array<ArrayBuffer>;
  used: number;
}

/** @param seed eight secret bytes, so that nobody can write a file whose ids all hit */
export function createIdSet(seed: Uint8Array): IdSet {
  const hash = newKeyedHash(seed);
  const parts: Part[] = Array.from({ length: partCount }, () => ({
    slots: new Uint32Array(2 * firstSlots),
    used: 0,
  }));
  let size = 0;

  function partOf(id: ByteRange): Part {
    halfSipHash(id, hash);
    return parts[hash.high & (partCount - 1)] as Part;
  }

  function put(part: Part, slot: number, line: number): void {
    part.slots[slot] = hash.low;
    part.slots[slot + 1] = line + 1;
    part.used += 1;
    size += 1;
    if (part.used * 8 > part.slots.length * 3) part.slots = grown(part.slots);
  }

  return {
    get size() {
      return size;
    },
    add(id, line) {
      const part = partOf(id);
      const slot = findSlot(part.slots, hash.low >>> 0);
      if (part.slots[slot + 1] !== 0) return false;
      put(part, slot, line);
      return true;
    },
    linesOf(id) {
      const { slots } = partOf(id);
      const lines: number[] = [];
      for (let slot = firstSlot(slots, hash.low); slots[slot + 1] !== 0; slot = next(slots, slot)) {
        if (slots[slot] === hash.low >>> 0) lines.push((slots[slot + 1] as number) - 1);
      }
      return lines;
    },
    addBeside(id, line) {
      const part = partOf(id);
      put(part, freeSlot(part.slots, hash.low), line);
    },
  };
}

/** The slot with this hash, or the free one where it belongs. */
function findSlot(slots: Uint32Array, hash: number): number {
  let slot = firstSlot(slots, hash);
  while (slots[slot + 1] !== 0 && slots[slot] !== hash) slot = next(slots, slot);
  return slot;
}

function freeSlot(slots: Uint32Array, hash: number): number {
  let slot = firstSlot(slots, hash);
  while (slots[slot + 1] !== 0) slot = next(slots, slot);
  return slot;
}

function firstSlot(slots: Uint32Array, hash: number): number {
  return (hash << 1) & (slots.length - 1);
}

function next(slots: Uint32Array, slot: number): number {
  return (slot + 2) & (slots.length - 1);
}

function grown(old: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const slots = new Uint32Array(2 * old.length);
  for (let i = 0; i < old.length; i += 2) {
    if (old[i + 1] === 0) continue;
    const slot = freeSlot(slots, old[i] as number);
    slots[slot] = old[i] as number;
    slots[slot + 1] = old[i + 1] as number;
  }
  // Gives the memory back now; the collector would let several copies pile up.
  old.buffer.transfer(0);
  return slots;
}
