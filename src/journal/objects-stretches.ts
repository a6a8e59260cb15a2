import type { SegmentId } from "./journal.ts";
import { segmentName } from "./objects-names.ts";

/** What keeping a stretch takes beside its bytes, at most. */
const overheadBytes = 512;

/**
 * Records out of logs that were read along with others and will be asked for soon: whoever takes over what a dead worker
 * has left, or writes results out of it, reads segment after segment, in the order of their shards, and finds most of
 * them in the same logs.
 */
export interface StretchMemory {
  /** Somebody begins to read a segment: what comes behind it in its batch is wanted soonest. Ended by the returned function. */
  reading(id: SegmentId): () => void;
  /** What the log has of the segment, if it is remembered. */
  find(id: SegmentId, log: string): Buffer | null;
  /** Whether it would be remembered: there is room, or something here is wanted later. */
  wants(id: SegmentId): boolean;
  /** Remembers a copy, in the place of what is wanted later, if there is something. */
  add(id: SegmentId, log: string, bytes: Buffer): void;
}

interface HeldSegment {
  id: SegmentId;
  bytes: number;
  /** By the log that they are in. */
  stretches: Map<string, Buffer>;
}

/** @param most bytes, over all batches */
export function createStretchMemory(most: number): StretchMemory {
  const held = new Map<string, HeldSegment>();
  /** Shards that are being read, by their batch. */
  const readers = new Map<string, number[]>();
  let bytes = 0;
  /** The one that is wanted last, as long as it is known: looking for it takes a while where there are many. */
  let known: HeldSegment | null = null;

  return {
    reading({ batchId, shard }) {
      readers.set(batchId, [...(readers.get(batchId) ?? []), shard]);
      known = null;
      return () => {
        known = null;
        const shards = readers.get(batchId) ?? [];
        shards.splice(shards.indexOf(shard), 1);
        if (shards.length === 0) readers.delete(batchId);
      };
    },
    find: (id, log) => held.get(segmentName(id))?.stretches.get(log) ?? null,
    wants(id) {
      return bytes < most || distanceOf(furthest()?.id ?? id) > distanceOf(id);
    },
    add(id, log, given) {
      const weight = given.byteLength + overheadBytes;
      const distance = distanceOf(id);
      while (bytes + weight > most) {
        const last = furthest();
        if (last === null || distanceOf(last.id) <= distance) return;
        held.delete(segmentName(last.id));
        bytes -= last.bytes;
        known = null;
      }
      const name = segmentName(id);
      if (held.get(name)?.stretches.has(log)) return;
      // Memory of its own: a slice would hold all that came with it.
      const own = Buffer.allocUnsafeSlow(given.byteLength);
      own.set(given);
      const segment = held.get(name) ?? { id, bytes: 0, stretches: new Map() };
      held.set(name, segment);
      if (known !== null && distance > distanceOf(known.id)) known = segment;
      segment.stretches.set(log, own);
      segment.bytes += weight;
      bytes += weight;
    },
  };

  /** How many shards lie before it, from the first that is being read on. */
  function distanceOf({ batchId, shard }: SegmentId): number {
    const first = Math.min(...(readers.get(batchId) ?? []));
    return shard < first ? Number.POSITIVE_INFINITY : shard - first;
  }

  function furthest(): HeldSegment | null {
    if (known !== null) return known;
    let longest = -1;
    for (const segment of held.values()) {
      const distance = distanceOf(segment.id);
      if (distance <= longest) continue;
      known = segment;
      longest = distance;
    }
    return known;
  }
}
