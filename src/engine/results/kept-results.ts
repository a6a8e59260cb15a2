import type { Shard } from "../../control/control-store.ts";
import { type RecordKind, recordKinds } from "../../journal/journal.ts";
import type { IndexedResult } from "../plan/shard-index.ts";
import type { OpenSegments, ResultPlace } from "./open-segments.ts";

/** Results that are kept for lines to come, with what keeping each takes. */
const mostBytes = 64 * 1024 * 1024;
const overheadBytes = 512;
/** How far ahead is looked, in blocks of followers. */
const blocksAhead = 64;

/** Where in the journal some results are, at 21 bytes for each, and those of them that are needed next. */
export interface KeptResults {
  /** A result that is in memory just then, and needed soon, need not be read. */
  note(rank: number, shard: Shard, result: IndexedResult): void;
  /**
   * The results that some lines get, in their order: of as many as are in memory together, one at least. Null where
   * none was noted. A payload may be looked at as long as one likes.
   *
   * @param lines.first how many lines of `upcoming` come before these
   */
  read(lines: { first: number; ranks: readonly number[] }): Promise<(KeptResult | null)[]>;
}

export interface KeptResult {
  kind: RecordKind;
  payload: Buffer;
}

/** The ranks of all lines that will be asked for, in their order. */
export interface Upcoming {
  blockLines: number;
  /** Null behind the last. */
  block(nth: number): Promise<Uint32Array | null>;
}

/**
 * Lines follow others in any order, so the results of a few of them may lie anywhere: each could be a request to an
 * object store. Therefore those of as many lines to come as fit into memory are read together, in the order in which
 * they lie, and stay as long as they are needed.
 *
 * @param options.count ranks are below it
 */
export function createKeptResults({
  count,
  segments,
  upcoming,
}: {
  count: number;
  segments: OpenSegments;
  upcoming: Upcoming;
}): KeptResults {
  const shards = new Uint32Array(count);
  const epochs = new Uint32Array(count);
  const offsets = new Float64Array(count);
  const lengths = new Uint32Array(count);
  /** The kind + 1; 0: nothing was noted. */
  const kinds = new Uint8Array(count);
  const noted = { count: 0, bytes: 0 };
  const blocks = new Map<number, Uint32Array>();
  /** What the lines ahead need, as far as was looked; of those that were noted by then all payloads are here. */
  let wanted = new Set<number>();
  const payloads = new Map<number, Buffer>();
  let bytes = 0;

  return {
    note(rank, { shard }, { epoch, offset, length, kind, payload }) {
      shards[rank] = shard;
      epochs[rank] = epoch;
      offsets[rank] = offset;
      lengths[rank] = length;
      kinds[rank] = kind + 1;
      noted.count += 1;
      noted.bytes += length;
      if (payload !== null && wanted.has(rank) && bytes + weightOf(rank) <= mostBytes) keep(rank, payload);
    },
    async read({ first, ranks }) {
      if (ranks.slice(0, 1).some(isMissing)) await bringFrom(first);
      const missing = ranks.findIndex(isMissing);
      return ranks.slice(0, missing === -1 ? ranks.length : missing).map((rank) => {
        const [kind, payload] = [kindOf(rank), payloads.get(rank)];
        return kind === null || payload === undefined ? null : { kind, payload };
      });
    },
  };

  function isMissing(rank: number): boolean {
    return kindOf(rank) !== null && !payloads.has(rank);
  }

  async function bringFrom(first: number): Promise<void> {
    wanted = await wantedFrom(first);
    for (const [rank, { length }] of payloads) {
      if (wanted.has(rank)) continue;
      payloads.delete(rank);
      bytes -= length + overheadBytes;
    }
    const missing = [...wanted].filter(isMissing);
    await segments.read(missing.map(placeOf), (nth, payload) => keep(missing[nth] as number, payload));
  }

  /** What fits into memory of that which the lines from number `first` on need; of the first in any case. */
  async function wantedFrom(first: number): Promise<Set<number>> {
    const { blockLines } = upcoming;
    const found = new Set<number>();
    const from = Math.floor(first / blockLines);
    for (const nth of blocks.keys()) if (nth < from) blocks.delete(nth);
    let room = mostBytes;
    for (let nth = from; nth < from + blocksAhead; nth += 1) {
      const block = blocks.get(nth) ?? (await upcoming.block(nth));
      if (block === null) break;
      blocks.set(nth, block);
      for (const rank of nth === from ? block.subarray(first % blockLines) : block) {
        if (found.has(rank)) continue;
        room -= weightOf(rank);
        if (room < 0 && found.size > 0) return found;
        found.add(rank);
      }
    }
    return found;
  }

  /** Of one that was not noted yet as much as the others have. */
  function weightOf(rank: number): number {
    const length = kinds[rank] === 0 ? noted.bytes / Math.max(1, noted.count) : (lengths[rank] as number);
    return length + overheadBytes;
  }

  function keep(rank: number, payload: Uint8Array): void {
    if (payloads.has(rank)) return;
    // Memory of its own: one that stays long would hold all that came with it.
    const own = Buffer.allocUnsafeSlow(payload.length);
    own.set(payload);
    payloads.set(rank, own);
    bytes += weightOf(rank);
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
