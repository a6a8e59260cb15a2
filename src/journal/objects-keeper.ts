import type { Bucket } from "../s3/bucket.ts";
import type { SegmentId } from "./journal.ts";
import { pieceName, segmentName } from "./objects-names.ts";
import { encodeHeader, headerBytes } from "./record.ts";

/**
 * Keeps the durable records of an open segment in memory and writes them once more, beside the logs: whole when the
 * segment is closed, or in pieces where the segments of the process are too large together for that. Otherwise reading
 * a segment back would cost a request for each log that it is in.
 */
export interface SegmentKeeper {
  /** Durable records, in their order. */
  add(records: Buffer): void;
  /** Writes what is left; then all of it stands beside the logs (true), or it has to be read from these. */
  finish(): Promise<boolean>;
  /** Lets go of what is in memory. */
  forget(): void;
}

/** What the keepers of a process share, in bytes. */
export interface KeptMemory {
  /** Beyond this, the segment that has most in memory writes it as a piece. */
  readonly most: number;
  kept: number;
  /** On their way to the bucket. */
  sent: number;
  keepers: Set<Spilling>;
}

interface Spilling {
  readonly bytes: number;
  spill(): void;
}

export function createKeptMemory(most: number): KeptMemory {
  return { most, kept: 0, sent: 0, keepers: new Set() };
}

export function createSegmentKeeper(options: {
  id: SegmentId;
  bucket: Bucket;
  memory: KeptMemory;
}): SegmentKeeper {
  const { id, bucket, memory } = options;
  const action = `keep segment ${id.shard}-${id.epoch} of ${id.batchId}`;
  let kept: Buffer[] = [];
  let bytes = 0;
  /** Position in the segment of what is in memory. */
  let start = headerBytes;
  const pieces: Promise<void>[] = [];
  let isLost = false;
  const spilling: Spilling = {
    get bytes() {
      return bytes;
    },
    spill() {
      const [first, size] = [start, bytes];
      const piece = Buffer.concat(take());
      memory.sent += size;
      const written = put(pieceName(id, first), piece);
      pieces.push(
        written.finally(() => {
          memory.sent -= size;
        }),
      );
    },
  };
  memory.keepers.add(spilling);

  return {
    add(records) {
      if (isLost) return;
      // A copy: a slice would hold the records of all other segments too.
      kept.push(Buffer.from(records));
      bytes += records.byteLength;
      memory.kept += records.byteLength;
      if (memory.kept <= memory.most) return;
      // When pieces do not get away as fast as answers come, records stay in the logs alone.
      if (memory.sent <= memory.most) largestOf(memory).spill();
      else lose();
    },
    async finish() {
      memory.keepers.delete(spilling);
      if (!isLost && pieces.length > 0 && bytes > 0) spilling.spill();
      else if (!isLost && pieces.length === 0) {
        await put(segmentName(id), Buffer.concat([encodeHeader(id), ...kept]));
        take();
      }
      await Promise.all(pieces);
      return !isLost;
    },
    forget: lose,
  };

  async function put(name: string, body: Buffer): Promise<void> {
    try {
      await bucket.put(name, body, action);
    } catch {
      // Its records are durable in the logs, which stay then.
      lose();
    }
  }

  function lose(): void {
    isLost = true;
    memory.keepers.delete(spilling);
    take();
  }

  function take(): Buffer[] {
    const taken = kept;
    memory.kept -= bytes;
    start += bytes;
    kept = [];
    bytes = 0;
    return taken;
  }
}

function largestOf({ keepers }: KeptMemory): Spilling {
  return [...keepers].reduce((largest, one) => (one.bytes > largest.bytes ? one : largest));
}
