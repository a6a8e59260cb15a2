import { NerifError } from "../batch/errors.ts";
import type { Bucket } from "../s3/bucket.ts";
import type { SegmentId } from "./journal.ts";
import { decodeIndex, type Stretch, tailBytes } from "./objects-format.ts";
import { logsOf, mayHold, type SegmentNumbers, segmentName, segmentsIn } from "./objects-names.ts";
import { encodeHeader, headerBytes } from "./record.ts";

/** The bytes of a segment, wherever they are. */
export interface SegmentSource {
  /** As far as it goes. */
  bytes: number;
  read(start: number, end: number): AsyncGenerator<Buffer>;
}

/** What reading a whole segment asks for at once; nearly all have less. */
const firstBytes = 4 * 1024 * 1024;
/** Ends of logs that are remembered, for the shards that are in them too. */
const rememberedBytes = 32 * 1024 * 1024;
const readsAtOnce = 16;

interface Tail {
  stretches: Stretch[];
  /** Where in the object `bytes` begins. */
  offset: number;
  bytes: Buffer;
}

interface LogStretch extends Stretch {
  name: string;
  tail: Tail;
}

export interface SegmentFinder {
  /**
   * @param isClosed it is likely to be kept whole, so that is looked at first
   * @returns null when there is nothing of the segment
   */
  find(id: SegmentId, isClosed: boolean): Promise<SegmentSource | null>;
  /** The segments that an object of a batch has records of. */
  segmentsOf(object: { key: string; bytes: number }, action: string): Promise<SegmentNumbers[]>;
}

export function createSegmentFinder(bucket: Bucket): SegmentFinder {
  const tails = new Map<string, Tail>();
  let remembered = 0;

  return {
    async find(id, isClosed) {
      const early = isClosed ? await wholeSegment(id) : null;
      if (early !== null) return early;
      // In this order: logs go only after the segment is there as a whole, so one of both is complete.
      const stretches = await stretchesOf(id);
      const whole = await wholeSegment(id);
      if (whole !== null) return whole;
      return stretches.length === 0 ? null : fromLogs(id, stretches);
    },
    async segmentsOf({ key, bytes }, action) {
      const told = segmentsIn(key);
      if (told !== null) return told;
      return (await tailOf(key, bytes, action).catch(nullIfAbsent))?.stretches ?? [];
    },
  };

  async function wholeSegment(id: SegmentId): Promise<SegmentSource | null> {
    const name = segmentName(id);
    const action = actionOf(id);
    const found = await bucket.first(name, firstBytes, action).catch(nullIfAbsent);
    if (found === null) return null;
    const { bytes, head } = found;
    return {
      bytes,
      async *read(start, end) {
        if (start < head.byteLength) yield head.subarray(start, end);
        if (end > head.byteLength)
          yield* bucket.read(name, { start: Math.max(start, head.byteLength), end }, action);
      },
    };
  }

  async function stretchesOf(id: SegmentId): Promise<LogStretch[]> {
    const action = actionOf(id);
    const objects = await Array.fromAsync(bucket.list(logsOf(id.batchId), action));
    const names = objects.filter(({ key }) => mayHold(key, id));
    const found: LogStretch[] = [];
    for (let from = 0; from < names.length; from += readsAtOnce) {
      const reads = names.slice(from, from + readsAtOnce).map(async ({ key: name, bytes }) => {
        const tail = await tailOf(name, bytes, action).catch(nullIfAbsent);
        const own =
          tail?.stretches.filter(({ shard, epoch }) => shard === id.shard && epoch === id.epoch) ?? [];
        for (const stretch of own) if (tail !== null) found.push({ ...stretch, name, tail });
      });
      await Promise.all(reads);
    }
    return found.sort((a, b) => a.start - b.start);
  }

  async function tailOf(name: string, size: number, action: string): Promise<Tail> {
    const known = tails.get(name);
    if (known !== undefined) return known;
    const offset = Math.max(0, size - tailBytes);
    const bytes = await gather(bucket.read(name, { start: offset, end: size }, action));
    const tail = { stretches: decodeIndex(bytes), offset, bytes };
    tails.set(name, tail);
    remembered += bytes.byteLength;
    for (const [oldest, { bytes: old }] of tails) {
      if (remembered <= rememberedBytes) break;
      tails.delete(oldest);
      remembered -= old.byteLength;
    }
    return tail;
  }

  function fromLogs(id: SegmentId, stretches: LogStretch[]): SegmentSource {
    const last = stretches.at(-1);
    return {
      bytes: last === undefined ? headerBytes : last.start + last.length,
      async *read(start, end) {
        let at = start;
        try {
          for await (const chunk of joined(id, stretches, { start, end })) {
            at += chunk.byteLength;
            yield chunk;
          }
        } catch (reason) {
          if (!isAbsent(reason)) throw reason;
          // A log went after the segment was closed: now there is the whole.
          const whole = await wholeSegment(id);
          if (whole === null) throw reason;
          yield* whole.read(at, end);
        }
      },
    };
  }

  async function* joined(id: SegmentId, stretches: LogStretch[], range: { start: number; end: number }) {
    let at = range.start;
    if (at < headerBytes) {
      yield encodeHeader(id).subarray(at, range.end);
      at = Math.min(headerBytes, range.end);
    }
    for (const stretch of stretches) {
      const end = Math.min(stretch.start + stretch.length, range.end);
      if (end <= at) continue;
      // A log that is missing in the middle is damage, which the parser finds and tells.
      if (stretch.start > at) yield Buffer.alloc(Math.min(stretch.start, range.end) - at);
      const from = Math.max(at, stretch.start);
      if (end > from) {
        const offset = stretch.offset - stretch.start;
        yield* readLog(stretch, { start: offset + from, end: offset + end }, id);
      }
      at = Math.max(at, end);
    }
  }

  async function* readLog(
    { name, tail }: LogStretch,
    { start, end }: { start: number; end: number },
    id: SegmentId,
  ) {
    if (start >= tail.offset) yield tail.bytes.subarray(start - tail.offset, end - tail.offset);
    else yield* bucket.read(name, { start, end }, actionOf(id));
  }
}

export async function gather(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(chunks));
}

function actionOf({ batchId, shard, epoch }: SegmentId): string {
  return `read segment ${shard}-${epoch} of ${batchId}`;
}

function nullIfAbsent(reason: unknown): null {
  if (isAbsent(reason)) return null;
  throw reason;
}

function isAbsent(reason: unknown): boolean {
  return reason instanceof NerifError && reason.code === "file_not_found";
}
