import { NerifError } from "../batch/errors.ts";
import type { Bucket } from "../s3/bucket.ts";
import type { SegmentId } from "./journal.ts";
import { emptyIndex, stretchesOf } from "./objects-format.ts";
import {
  batchOf,
  logsOf,
  mayHold,
  piecesOf,
  type SegmentNumbers,
  segmentName,
  segmentsIn,
  startOfPiece,
} from "./objects-names.ts";
import { createLogTails } from "./objects-tails.ts";
import { encodeHeader, headerBytes } from "./record.ts";

/** The bytes of a segment, wherever they are. */
export interface SegmentSource {
  /** As far as it goes. */
  bytes: number;
  read(start: number, end: number): AsyncGenerator<Buffer>;
  /** The places that it knows of. */
  stretches: number;
}

/** Places of segments that were scanned, since what a scan finds is then read by position: segments, and stretches of them. */
const rememberedSources = 512;
const rememberedStretches = 100_000;
const readsAtOnce = 16;

/** Records of one segment that stand together in an object. */
interface Placed {
  /** Position in the segment. */
  start: number;
  length: number;
  /** The bytes between two positions of the segment. */
  read(range: { start: number; end: number }): AsyncIterable<Buffer>;
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
      const early = end === null ? null : ((await scanWhole(id, end)) ?? (await scanPieces(id, end)));
      if (early !== null) return early;
      // In this order: logs go only after the segment is there otherwise, so one of both is complete.
      const inLogs = await logStretches(id);
      const whole = await scanWhole(id, end ?? Number.POSITIVE_INFINITY);
      if (whole !== null) return whole;
      const source = fromStretches(id, [...(await piecesFor(id)), ...inLogs]);
      return source === null ? null : scanned(remember(id, source), end);
    },
    async open(id) {
      const known = sources.get(segmentName(id));
      if (known !== undefined) return known;
      const inLogs = await logStretches(id);
      const source = (await wholeOf(id)) ?? fromStretches(id, [...(await piecesFor(id)), ...inLogs]);
      return source === null ? null : remember(id, source);
    },
    async segmentsOf({ key, bytes }, action) {
      const told = segmentsIn(key);
      if (told !== null) return told;
      const log = { batchId: batchOf(key), name: key, bytes };
      return stretchesOf((await tails.indexOf(log, action).catch(nullIfAbsent)) ?? emptyIndex);
    },
  };

  function remember(id: SegmentId, source: SegmentSource): SegmentSource {
    const name = segmentName(id);
    const known = sources.get(name);
    // Another scan that looked later may have ended earlier, and its caller reads by the positions that it has found.
    const longer = known !== undefined && known.bytes > source.bytes ? known : source;
    // What was found last goes last.
    sources.delete(name);
    sources.set(name, longer);
    let stretches = 0;
    for (const one of sources.values()) stretches += one.stretches;
    for (const [oldest, one] of sources) {
      if (sources.size <= rememberedSources && stretches <= rememberedStretches) break;
      sources.delete(oldest);
      stretches -= one.stretches;
    }
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
    return { bytes, stretches: 1, read: (start, end) => bucket.read(name, { start, end }, actionOf(id)) };
  }

  /** Nothing unless the pieces have all of it up to `end`. */
  async function scanPieces(id: SegmentId, end: number) {
    let covered = headerBytes;
    const pieces = await piecesFor(id);
    for (const { start, length } of pieces) if (start === covered) covered += length;
    const source = covered < end ? null : fromStretches(id, pieces);
    return source === null ? null : scanned(remember(id, source), end);
  }

  async function piecesFor(id: SegmentId): Promise<Placed[]> {
    const action = actionOf(id);
    const objects = await Array.fromAsync(bucket.list(piecesOf(id), action));
    const pieces = objects.map(({ key, bytes: length }): Placed => {
      const at = startOfPiece(key);
      const read: Placed["read"] = ({ start, end }) =>
        bucket.read(key, { start: start - at, end: end - at }, action);
      return { start: at, length, read };
    });
    return pieces.sort((a, b) => a.start - b.start);
  }

  /** Where the logs have it. */
  async function logStretches(id: SegmentId): Promise<Placed[]> {
    const action = actionOf(id);
    const objects = await Array.fromAsync(bucket.list(logsOf(id.batchId), action));
    const names = objects.filter(({ key }) => mayHold(key, id));
    const found: Placed[] = [];
    for (let from = 0; from < names.length; from += readsAtOnce) {
      const reads = names.slice(from, from + readsAtOnce).map(async ({ key: name, bytes }) => {
        const log = { batchId: id.batchId, name, bytes };
        const index = (await tails.indexOf(log, action).catch(nullIfAbsent)) ?? emptyIndex;
        const own = stretchesOf(index).filter(({ shard, epoch }) => shard === id.shard && epoch === id.epoch);
        for (const { start, length, offset } of own) {
          const stretch = { id, name, start, length, offset };
          found.push({ start, length, read: (range) => tails.read(stretch, range, action) });
        }
      });
      await Promise.all(reads);
    }
    return found;
  }

  /** @param found of those that begin at the same position the first is read */
  function fromStretches(id: SegmentId, found: Placed[]): SegmentSource | null {
    if (found.length === 0) return null;
    const stretches = found.sort((a, b) => a.start - b.start);
    return {
      stretches: stretches.length,
      bytes: Math.max(...stretches.map(({ start, length }) => start + length)),
      async *read(start, end) {
        let at = start;
        const ended = tails.reading(id);
        try {
          for await (const chunk of joined(id, stretches, { start, end })) {
            at += chunk.byteLength;
            yield chunk;
          }
        } catch (reason) {
          if (!isAbsent(reason)) throw reason;
          // A log went after the segment was closed: now it is there otherwise.
          const source = (await wholeOf(id)) ?? fromStretches(id, await piecesFor(id));
          if (source === null || source.bytes < end) throw reason;
          yield* remember(id, source).read(at, end);
        } finally {
          ended();
        }
      },
    };
  }

  async function* joined(id: SegmentId, stretches: Placed[], range: { start: number; end: number }) {
    let at = range.start;
    if (at < headerBytes) {
      yield encodeHeader(id).subarray(at, range.end);
      at = Math.min(headerBytes, range.end);
    }
    for (const { start, length, read } of stretches) {
      const end = Math.min(start + length, range.end);
      if (end <= at) continue;
      // A log that is missing in the middle is damage, which the parser finds and tells.
      if (start > at) yield Buffer.alloc(Math.min(start, range.end) - at);
      const from = Math.max(at, start);
      if (end > from) yield* read({ start: from, end });
      at = Math.max(at, end);
    }
  }
}

function scanned(source: SegmentSource, end: number | null) {
  return { bytes: source.bytes, chunks: source.read(0, Math.min(end ?? source.bytes, source.bytes)) };
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
