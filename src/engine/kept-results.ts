import type { Shard } from "../control/control-store.ts";
import { type Journal, type RecordKind, recordKinds, type SegmentReader } from "../journal/journal.ts";
import type { IndexedResult } from "./shard-index.ts";

/** Results that were read are kept up to so many bytes, since many lines often follow a few. */
const keptBytes = 8 * 1024 * 1024;
/** Segments that are open at once. */
const openSegments = 64;

/** Where in the journal some results are, at 21 bytes for each. */
export interface KeptResults {
  note(rank: number, shard: Shard, result: IndexedResult): void;
  /** Null where none was noted. The payload may be looked at as long as one likes. */
  read(rank: number): Promise<{ kind: RecordKind; payload: Buffer } | null>;
  close(): Promise<void>;
}

/** @param count ranks are below it */
export function createKeptResults(
  count: number,
  { batchId, journal }: { batchId: string; journal: Journal },
): KeptResults {
  const shards = new Uint32Array(count);
  const epochs = new Uint32Array(count);
  const offsets = new Float64Array(count);
  const lengths = new Uint32Array(count);
  /** The kind + 1; 0: nothing was noted. */
  const kinds = new Uint8Array(count);
  const payloads = new Map<number, Buffer>();
  let bytes = 0;
  const segments = new Map<string, SegmentReader>();

  async function segmentOf(rank: number): Promise<SegmentReader> {
    const id = { batchId, shard: shards[rank] as number, epoch: epochs[rank] as number };
    const name = `${id.shard}-${id.epoch}`;
    const known = segments.get(name);
    if (known !== undefined) return known;
    const [oldest] = segments.entries();
    if (segments.size >= openSegments && oldest !== undefined) {
      segments.delete(oldest[0]);
      await oldest[1].close();
    }
    const segment = await journal.open(id);
    segments.set(name, segment);
    return segment;
  }

  async function payloadOf(rank: number): Promise<Buffer> {
    const known = payloads.get(rank);
    if (known !== undefined) return known;
    const segment = await segmentOf(rank);
    const payload = await segment.read(offsets[rank] as number, lengths[rank] as number);
    payloads.set(rank, payload);
    bytes += payload.length;
    for (const [other, { length }] of payloads) {
      if (bytes <= keptBytes || other === rank) break;
      payloads.delete(other);
      bytes -= length;
    }
    return payload;
  }

  return {
    note(rank, { shard }, { epoch, offset, length, kind }) {
      shards[rank] = shard;
      epochs[rank] = epoch;
      offsets[rank] = offset;
      lengths[rank] = length;
      kinds[rank] = kind + 1;
    },
    async read(rank) {
      const kind = kindsByNumber[(kinds[rank] as number) - 1];
      return kind === undefined ? null : { kind, payload: await payloadOf(rank) };
    },
    async close() {
      for (const segment of segments.values()) await segment.close();
      segments.clear();
    },
  };
}

const kindsByNumber: readonly RecordKind[] = [recordKinds.output, recordKinds.error, recordKinds.unfinished];
