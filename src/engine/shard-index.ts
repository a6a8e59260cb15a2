import type { NotedSegment } from "../control/control-store.ts";
import { type Journal, type RecordKind, recordKinds } from "../journal/journal.ts";
import type { Arena } from "./arena.ts";

/** Where the result of a line is. */
export interface IndexedResult {
  kind: RecordKind;
  epoch: number;
  offset: number;
  length: number;
  /** The result itself, where the caller asked to keep it. */
  payload: Buffer | null;
}

export interface ShardIndex {
  results: Map<number, IndexedResult>;
  /** The segments read, with their sound lengths. */
  segments: NotedSegment[];
  /** Bytes that are no records though sound records follow them. */
  damagedBytes: number;
}

/**
 * Reads the journal of one shard: noted segments up to the noted length, and, if asked to, also those that were
 * not noted yet (of a holder that died).
 *
 * @param options.below read also segments that were not noted, of epochs below this one
 * @param options.onResult called with each result that counts, for tallies
 */
export async function indexShard(
  shard: { batchId: string; shard: number; segments: readonly NotedSegment[] },
  options: {
    journal: Journal;
    below?: number;
    /** Keeps the payloads in memory. */
    arena?: Arena | null;
    onResult?: (kind: RecordKind, payload: Buffer) => void;
  },
): Promise<ShardIndex> {
  const { journal, below = 0, arena = null, onResult } = options;
  const index: ShardIndex = { results: new Map(), segments: [...shard.segments], damagedBytes: 0 };
  const noted = new Set(shard.segments.map((segment) => segment.epoch));
  // The first holder has nobody's segments to look for.
  const unnoted = below <= 1 ? [] : await journal.epochs(shard.batchId, shard.shard);
  const toRead = [
    ...shard.segments.map(({ epoch, bytes }) => ({ epoch, end: bytes as number | null })),
    ...unnoted.filter((epoch) => epoch < below && !noted.has(epoch)).map((epoch) => ({ epoch, end: null })),
  ].sort((a, b) => a.epoch - b.epoch);

  for (const { epoch, end } of toRead) {
    const id = { batchId: shard.batchId, shard: shard.shard, epoch };
    const report = await journal.scan(id, end, ({ line, kind, offset, payload }) => {
      const known = index.results.get(line);
      // A line that only waited when an earlier holder stopped may have been run to its end later.
      if (known !== undefined && known.kind !== recordKinds.unfinished) return;
      const kept = arena === null ? null : arena.copy(payload);
      index.results.set(line, { kind, epoch, offset, length: payload.length, payload: kept });
      onResult?.(kind, payload);
    });
    for (const stretch of report.damaged) index.damagedBytes += stretch.length;
    if (end === null && report.records > 0) index.segments.push({ epoch, bytes: report.soundBytes });
  }
  return index;
}
