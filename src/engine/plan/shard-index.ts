import type { NotedSegment } from "../../control/control-store.ts";
import { type Journal, type RecordKind, recordKinds, type ScanReport } from "../../journal/journal.ts";
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
 * not noted yet (of a holder that died), which become durable.
 *
 * @param options.below read also segments that were not noted, of epochs below this one. Afterwards `segments` has
 *   all of these epochs, with no bytes where nothing counts, so that what is written there later never will
 * @param options.onResult called with each result that counts, for tallies
 */
export async function indexShard(
  shard: { batchId: string; shard: number; segments: readonly NotedSegment[] },
  options: {
    journal: Journal;
    below?: number;
    /** Keeps the payloads in memory. */
    arena?: Arena | null;
    onResult?: (kind: RecordKind, payload: Buffer, line: number) => void;
  },
): Promise<ShardIndex> {
  const { journal, below = 0, arena = null, onResult } = options;
  const index: ShardIndex = { results: new Map(), segments: [...shard.segments], damagedBytes: 0 };
  const unnoted = await unnotedEpochs(shard, { journal, below });
  const noted = shard.segments.filter(({ bytes }) => bytes > 0);
  const toRead = [
    ...noted.map(({ epoch, bytes }) => ({ epoch, end: bytes as number | null })),
    ...unnoted.filter(({ isThere }) => isThere).map(({ epoch }) => ({ epoch, end: null })),
  ].sort((a, b) => a.epoch - b.epoch);
  const soundBytes = new Map<number, number>();

  for (const { epoch, end } of toRead) {
    const id = { batchId: shard.batchId, shard: shard.shard, epoch };
    // DURABLE: a holder that was killed may not have synced what it had written. From now on it counts, so a power cut
    // must not take it back.
    const left = end === null ? await journal.secure(id) : null;
    const report = await journal.scan(
      id,
      end ?? left?.soundBytes ?? null,
      ({ line, kind, offset, payload }) => {
        const known = index.results.get(line);
        // A line that only waited when an earlier holder stopped may have been run to its end later.
        if (known !== undefined && known.kind !== recordKinds.unfinished) return;
        const kept = arena === null ? null : arena.copy(payload);
        index.results.set(line, { kind, epoch, offset, length: payload.length, payload: kept });
        onResult?.(kind, payload, line);
      },
    );
    index.damagedBytes += damagedIn(left === null || report.records > 0 ? report : left, end);
    if (end === null && report.records > 0) soundBytes.set(epoch, report.soundBytes);
  }
  for (const { epoch } of unnoted) index.segments.push({ epoch, bytes: soundBytes.get(epoch) ?? 0 });
  return index;
}

/** Where nobody has noted how far a segment counts, what is lost of its tail is no damage: nobody was told of it. */
function damagedIn({ soundBytes, records, damaged }: ScanReport, noted: number | null): number {
  let bytes = 0;
  for (const { offset, length } of damaged)
    if (noted !== null || records === 0 || offset < soundBytes) bytes += length;
  return bytes;
}

/** Epochs below `below` of which nobody has noted yet how far they count, ascending. */
async function unnotedEpochs(
  { batchId, shard, segments }: { batchId: string; shard: number; segments: readonly NotedSegment[] },
  { journal, below }: { journal: Journal; below: number },
): Promise<{ epoch: number; isThere: boolean }[]> {
  const noted = new Set(segments.map(({ epoch }) => epoch));
  const epochs = Array.from({ length: Math.max(0, below - 1) }, (_, i) => i + 1);
  const unnoted = epochs.filter((epoch) => !noted.has(epoch));
  if (unnoted.length === 0) return [];
  const there = new Set(await journal.epochs(batchId, shard));
  return unnoted.map((epoch) => ({ epoch, isThere: there.has(epoch) }));
}
