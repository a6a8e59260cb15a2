import { NerifError } from "../batch/errors.ts";
import type { Bucket } from "../s3/bucket.ts";
import type { SegmentId } from "./journal.ts";
import type { Stretch } from "./objects-format.ts";
import { logsOf, mayHold, type SegmentNumbers, segmentName, segmentsIn } from "./objects-names.ts";
import { createLogTails } from "./objects-tails.ts";
import { encodeHeader, headerBytes } from "./record.ts";

/** The bytes of a segment, wherever they are. */
export interface SegmentSource {
  /** As far as it goes. */
  bytes: number;
  read(start: number, end: number): AsyncGenerator<Buffer>;
}

/** Places of segments that were scanned, since what a scan finds is then read by position. */
const rememberedSources = 512;
const readsAtOnce = 16;

interface LogStretch extends Stretch {
  name: string;
}

export interface SegmentFinder {
  /**
   * A segment from its start to before `end` (null: as far as it goes), and how much there is of it; null when there
   * is nothing. One with an end is likely to be kept whole: then it is one request.
   */
  scan(id: SegmentId, end: number | null): Promise<{ bytes: number; chunks: AsyncIterable<Buffer> } | null>;
  /** For reads by position; costs no request behind a scan. Null when there is nothing of the segment. */
  open(id: SegmentId): Promise<SegmentSource | null>;
  /** The segments that an object of a batch has records of. */
  segmentsOf(object: { key: string; bytes: number }, action: string): Promise<SegmentNumbers[]>;
}

export function createSegmentFinder(bucket: Bucket): SegmentFinder {
  const tails = createLogTails(bucket);
  const sources = new Map<string, SegmentSource>();

  return {
    async scan(id, end) {
      const early = end === null ? null : await scanWhole(id, end);
      if (early !== null) return early;
      // In this order: logs go only after the segment is there as a whole, so one of both is complete.
      const stretches = await stretchesOf(id);
      const whole = await scanWhole(id, end ?? Number.POSITIVE_INFINITY);
      if (whole !== null) return whole;
      if (stretches.length === 0) return null;
      const source = remember(id, fromLogs(id, stretches));
      return { bytes: source.bytes, chunks: source.read(0, Math.min(end ?? source.bytes, source.bytes)) };
    },
    async open(id) {
      const known = sources.get(segmentName(id));
      if (known !== undefined) return known;
      const early = await wholeOf(id);
      if (early !== null) return remember(id, early);
      const stretches = await stretchesOf(id);
      const source = (await wholeOf(id)) ?? (stretches.length === 0 ? null : fromLogs(id, stretches));
      return source === null ? null : remember(id, source);
    },
    async segmentsOf({ key, bytes }, action) {
      const told = segmentsIn(key);
      if (told !== null) return told;
      return (await tails.indexOf(key, bytes, action).catch(nullIfAbsent)) ?? [];
    },
  };

  function remember(id: SegmentId, source: SegmentSource): SegmentSource {
    const name = segmentName(id);
    // What was found last goes last.
    sources.delete(name);
    sources.set(name, source);
    const [oldest] = sources.keys();
    if (sources.size > rememberedSources && oldest !== undefined) sources.delete(oldest);
    return source;
  }

  async function scanWhole(id: SegmentId, end: number) {
    const found = await bucket.open(segmentName(id), { start: 0, end }, actionOf(id)).catch(nullIfAbsent);
    if (found === null) return null;
    remember(id, fromWhole(id, found.bytes));
    return { bytes: found.bytes, chunks: found.chunks };
  }

  async function wholeOf(id: SegmentId): Promise<SegmentSource | null> {
    const bytes = await bucket.size(segmentName(id), actionOf(id));
    return bytes === null ? null : fromWhole(id, bytes);
  }

  function fromWhole(id: SegmentId, bytes: number): SegmentSource {
    const name = segmentName(id);
    return { bytes, read: (start, end) => bucket.read(name, { start, end }, actionOf(id)) };
  }

  async function stretchesOf(id: SegmentId): Promise<LogStretch[]> {
    const action = actionOf(id);
    const objects = await Array.fromAsync(bucket.list(logsOf(id.batchId), action));
    const names = objects.filter(({ key }) => mayHold(key, id));
    const found: LogStretch[] = [];
    for (let from = 0; from < names.length; from += readsAtOnce) {
      const reads = names.slice(from, from + readsAtOnce).map(async ({ key: name, bytes }) => {
        const index = (await tails.indexOf(name, bytes, action).catch(nullIfAbsent)) ?? [];
        const own = index.filter(({ shard, epoch }) => shard === id.shard && epoch === id.epoch);
        for (const stretch of own) found.push({ ...stretch, name });
      });
      await Promise.all(reads);
    }
    return found.sort((a, b) => a.start - b.start);
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
          const whole = await wholeOf(id);
          if (whole === null) throw reason;
          yield* remember(id, whole).read(at, end);
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
    for (const { name, offset, start, length } of stretches) {
      const end = Math.min(start + length, range.end);
      if (end <= at) continue;
      // A log that is missing in the middle is damage, which the parser finds and tells.
      if (start > at) yield Buffer.alloc(Math.min(start, range.end) - at);
      const from = Math.max(at, start);
      if (end > from) {
        yield* tails.read(name, { start: offset - start + from, end: offset - start + end }, actionOf(id));
      }
      at = Math.max(at, end);
    }
  }
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
