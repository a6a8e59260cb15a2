import type { ArenaPool } from "../plan/arena.ts";
import type { PlanRecord } from "../plan/plan.ts";
import type { IndexedResult, ShardIndex } from "../plan/shard-index.ts";
import type { OpenSegments } from "./open-segments.ts";

/** Result payloads of shards that are in memory as a whole, over all open shards. */
const wholeBytes = 64 * 1024 * 1024;
/** Of those for which there is no room: they share this, and what the others leave. */
const windowBytes = 32 * 1024 * 1024;
/** However many they are, so that a read brings more than a line. */
const leastWindow = 1024 * 1024;

/** How much of the results of open shards may be in memory. */
export interface ResultMemory {
  /** Room for a whole shard; null when there is none. */
  takeWhole(bytes: number): { release(): void } | null;
  /** A share for a shard that is read some lines at a time. */
  takeShare(): { bytes: number; release(): void };
}

export function createResultMemory(): ResultMemory {
  let whole = 0;
  let shares = 0;
  return {
    takeWhole(bytes) {
      if (whole + bytes > wholeBytes) return null;
      whole += bytes;
      return {
        release() {
          whole -= bytes;
        },
      };
    },
    takeShare() {
      shares += 1;
      return {
        get bytes() {
          return Math.max(leastWindow, Math.floor((wholeBytes - whole + windowBytes) / shares));
        },
        release() {
          shares -= 1;
        },
      };
    },
  };
}

/** The payloads of a shard's results that are in memory: those of some lines that follow one another. */
export interface ResultWindow {
  /** Those from number `from` on take the place of the others. Returns the number of the first that is not there. */
  moveTo(from: number): Promise<number>;
  release(): void;
}

export interface ResultWindowOptions {
  shard: number;
  records: readonly PlanRecord[];
  index: ShardIndex;
  memory: ResultMemory;
  segments: OpenSegments;
  pool: ArenaPool;
}

export function createResultWindow(options: ResultWindowOptions): ResultWindow {
  const { shard, records, index, memory, segments, pool } = options;
  const share = memory.takeShare();
  let inside: IndexedResult[] = [];
  let arena = pool();

  function leave(): void {
    for (const result of inside) result.payload = null;
    inside = [];
    arena.release();
  }

  return {
    async moveTo(from) {
      leave();
      arena = pool();
      let until = from;
      let bytes = 0;
      for (; until < records.length; until += 1) {
        const result = index.results.get((records[until] as PlanRecord).line);
        if (result === undefined) continue;
        bytes += result.length;
        if (inside.length > 0 && bytes > share.bytes) break;
        inside.push(result);
      }
      const places = inside.map(({ epoch, offset, length }) => ({ shard, epoch, offset, length }));
      await segments.read(places, (nth, payload) => {
        (inside[nth] as IndexedResult).payload = arena.copy(payload);
      });
      return until;
    },
    release() {
      leave();
      share.release();
    },
  };
}
