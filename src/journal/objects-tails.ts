import type { Bucket } from "../s3/bucket.ts";
import type { SegmentId } from "./journal.ts";
import {
  decodeIndex,
  emptyIndex,
  type LogIndex,
  type Stretch,
  stretchesOf,
  tailBytes,
} from "./objects-format.ts";
import { createStretchMemory } from "./objects-stretches.ts";

/** As much as a worker that dies leaves in its logs alone, where all else of its open segments stands in pieces. */
const rememberedBytes = 64 * 1024 * 1024;
/** What one request brings of a log, unless a single stretch is longer. */
const spanBytes = 8 * 1024 * 1024;
/** Indexes are small, and each is asked for once for each segment that is in the log. */
const rememberedIndexes = 16 * 1024 * 1024;
const indexOverheadBytes = 512;

/** The records of a segment that one log has. */
export interface LogStretch extends Pick<Stretch, "start" | "length" | "offset"> {
  id: SegmentId;
  name: string;
}

/**
 * Reads logs. What comes along with an index, and what of other segments stands beside a stretch that is read, is
 * remembered: they are read one after another, and most logs have something of each.
 */
export interface LogTails {
  /** @param log.bytes its size */
  indexOf(log: { batchId: string; name: string; bytes: number }, action: string): Promise<LogIndex>;
  /** Whoever reads a segment says so until it has ended: what lies behind it is remembered soonest. */
  reading(id: SegmentId): () => void;
  /** The bytes of a stretch from position `start` of its segment to before `end`. */
  read(stretch: LogStretch, range: { start: number; end: number }, action: string): AsyncGenerator<Buffer>;
}

/** @param options.indexBytes of indexes that are remembered */
export function createLogTails(bucket: Bucket, { indexBytes = rememberedIndexes } = {}): LogTails {
  const indexes = new Map<string, { index: Promise<LogIndex>; bytes: number }>();
  let bytesOfIndexes = 0;
  const memory = createStretchMemory(rememberedBytes);
  /** Reads under way, by the log: several segments that are read at the same time find theirs in the same one. */
  const loads = new Map<string, Promise<Buffer>>();

  return {
    indexOf({ batchId, name, bytes }, action) {
      const known = indexes.get(name);
      if (known !== undefined) return known.index;
      const entry = { index: readIndex({ batchId, name, bytes }, action), bytes: indexOverheadBytes };
      indexes.set(name, entry);
      bytesOfIndexes += entry.bytes;
      entry.index.then(
        ({ byteLength }) => {
          if (indexes.get(name) !== entry) return;
          entry.bytes += byteLength;
          bytesOfIndexes += byteLength;
          forgetIndexes();
        },
        () => forgetIndex(name, entry),
      );
      return entry.index;
    },

    reading: memory.reading,

    async *read(stretch, { start, end }, action) {
      const { id, name, offset } = stretch;
      const [from, until] = [start - stretch.start, end - stretch.start];
      for (;;) {
        const found = memory.find(id, name);
        if (found !== null) return yield found.subarray(from, until);
        const underWay = loads.get(name);
        if (underWay === undefined) break;
        // It may bring this one too; whoever asked for it is told of its failure.
        await underWay.catch(() => {});
      }
      if (memory.wants(id)) yield (await load(stretch, action)).subarray(from, until);
      else yield* bucket.read(name, { start: offset + from, end: offset + until }, action);
    },
  };

  async function readIndex(
    { batchId, name, bytes }: { batchId: string; name: string; bytes: number },
    action: string,
  ): Promise<LogIndex> {
    const begin = Math.max(0, bytes - tailBytes);
    const tail = await gather(bucket.read(name, { start: begin, end: bytes }, action));
    const index = decodeIndex(tail);
    for (const { shard, epoch, offset, length } of stretchesOf(index)) {
      if (offset < begin) continue;
      memory.add({ batchId, shard, epoch }, name, tail.subarray(offset - begin, offset - begin + length));
    }
    return index;
  }

  function forgetIndexes(): void {
    for (const [name, entry] of indexes) {
      if (bytesOfIndexes <= indexBytes) return;
      forgetIndex(name, entry);
    }
  }

  function forgetIndex(name: string, entry: { bytes: number }): void {
    if (indexes.get(name) !== entry) return;
    indexes.delete(name);
    bytesOfIndexes -= entry.bytes;
  }

  /** A stretch whole, and those around it that are wanted. */
  function load(stretch: LogStretch, action: string): Promise<Buffer> {
    const loaded = loadSpan(stretch, action).finally(() => loads.delete(stretch.name));
    loads.set(stretch.name, loaded);
    return loaded;
  }

  async function loadSpan({ id, name, offset, length }: LogStretch, action: string): Promise<Buffer> {
    const own = { id, offset, length };
    const index = (await indexes.get(name)?.index) ?? emptyIndex;
    const others = stretchesOf(index)
      .map(({ shard, epoch, ...place }) => ({ id: { batchId: id.batchId, shard, epoch }, ...place }))
      .filter((other) => other.offset !== offset && memory.find(other.id, name) === null)
      .filter((other) => memory.wants(other.id));
    const { members, start, end } = spanAround(own, others);
    const bytes = await gather(bucket.read(name, { start, end }, action));
    for (const member of members) {
      const from = member.offset - start;
      memory.add(member.id, name, bytes.subarray(from, from + member.length));
    }
    return bytes.subarray(offset - start, offset - start + length);
  }
}

interface Member {
  id: SegmentId;
  offset: number;
  length: number;
}

/** What is read together: a stretch with those of the others that lie nearest behind it, and then before it. */
function spanAround(own: Member, others: Member[]): { members: Member[]; start: number; end: number } {
  const span = { members: [own], start: own.offset, end: own.offset + own.length };
  const behind = others.filter(({ offset }) => offset > own.offset);
  const before = others.filter(({ offset }) => offset < own.offset).reverse();
  for (const other of [...behind, ...before]) {
    const start = Math.min(span.start, other.offset);
    const end = Math.max(span.end, other.offset + other.length);
    if (end - start > spanBytes) continue;
    Object.assign(span, { start, end });
    span.members.push(other);
  }
  return span;
}

export async function gather(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(chunks));
}
