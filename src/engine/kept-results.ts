import type { Shard } from "../control/control-store.ts";
import { type RecordKind, recordKinds } from "../journal/journal.ts";
import type { OpenSegments, ResultPlace } from "./open-segments.ts";
import type { IndexedResult } from "./shard-index.ts";

/** Results that were read are kept up to so many bytes, since many lines often follow a few. */
const keptBytes = 8 * 1024 * 1024;

/** Where in the journal some results are, at 21 bytes for each. */
export interface KeptResults {
  note(rank: number, shard: Shard, result: IndexedResult): void;
  /**
   * The results that some lines get, in their order: of as many as are in memory together, one at least. Null where
   * none was noted. A payload may be looked at as long as one likes.
   */
  read(ranks: readonly number[]): Promise<(KeptResult | null)[]>;
}

export interface KeptResult {
  kind: RecordKind;
  payload: Buffer;
}

/** @param count ranks are below it */
export function createKeptResults(count: number, segments: OpenSegments): KeptResults {
  const shards = new Uint32Array(count);
  const epochs = new Uint32Array(count);
  const offsets = new Float64Array(count);
  const lengths = new Uint32Array(count);
  /** The kind + 1; 0: nothing was noted. */
  const kinds = new Uint8Array(count);
  const payloads = new Map<number, Buffer>();
  let bytes = 0;

  return {
    note(rank, { shard }, { epoch, offset, length, kind }) {
      shards[rank] = shard;
      epochs[rank] = epoch;
      offsets[rank] = offset;
      lengths[rank] = length;
      kinds[rank] = kind + 1;
    },
    async read(ranks) {
      const some = ranks.slice(0, howMany(ranks));
      await bring(new Set(some.filter((rank) => kindOf(rank) !== null)));
      const results = some.map((rank) => {
        const [kind, payload] = [kindOf(rank), payloads.get(rank)];
        return kind === null || payload === undefined ? null : { kind, payload };
      });
      forgetOldest();
      return results;
    },
  };

  function howMany(ranks: readonly number[]): number {
    const distinct = new Set<number>();
    let needed = 0;
    for (const [nth, rank] of ranks.entries()) {
      if (!distinct.has(rank)) needed += lengths[rank] as number;
      distinct.add(rank);
      if (nth > 0 && needed > keptBytes) return nth;
    }
    return ranks.length;
  }

  /** In one go, since each read may be a request to an object store. */
  async function bring(ranks: ReadonlySet<number>): Promise<void> {
    const missing = [...ranks].filter((rank) => !payloads.has(rank));
    await segments.read(missing.map(placeOf), (nth, payload) => {
      payloads.set(missing[nth] as number, Buffer.from(payload));
      bytes += payload.length;
    });
  }

  function forgetOldest(): void {
    for (const [rank, { length }] of payloads) {
      if (bytes <= keptBytes) return;
      payloads.delete(rank);
      bytes -= length;
    }
  }

  function placeOf(rank: number): ResultPlace {
    return {
      shard: shards[rank] as number,
      epoch: epochs[rank] as number,
      offset: offsets[rank] as number,
      length: lengths[rank] as number,
    };
  }

  function kindOf(rank: number): RecordKind | null {
    return kindsByNumber[(kinds[rank] as number) - 1] ?? null;
  }
}

const kindsByNumber: readonly RecordKind[] = [recordKinds.output, recordKinds.error, recordKinds.unfinished];
