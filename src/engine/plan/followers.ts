import type { Batch } from "../../batch/batch.ts";
import { lessWorkOf } from "../../batch/less-work.ts";
import type { FileReader, FileStore } from "../../files/file-store.ts";
import { followersKey } from "../batch-files.ts";
import { blockRecords, type Follower, readFollowerCount, readFollowers } from "./followers-file.ts";

/** Blocks of records that are kept when they were read by position. */
const keptBlocks = 16;
const followersAtOnce = 512;

/** Which lines of a batch get the answer of which, at 4 bytes for each follower and 8 for each line that is followed. */
export interface Followers {
  /** How many lines a leader's result is for, its own counted; 1 for every other line. */
  weight(line: number): number;
  /** Lines that others follow, at most; `rankOf` is below it. */
  readonly leaders: number;
  /** A number of its own for each line that others follow, and -1 for every other line. */
  rankOf(line: number): number;
  /** Those that follow a line, in their order, some at a time. */
  of(leader: number): AsyncGenerator<Follower[]>;
  /** All of them by line, some at a time. */
  inOrder(): AsyncGenerator<Follower[]>;
  /** The ranks of the leaders of all of them by line, one block after another; null behind the last. */
  ranks: { readonly blockLines: number; block(nth: number): Promise<Uint32Array | null> };
  close(): Promise<void>;
}

/**
 * Reads who follows whom; null in a batch that shares no answers.
 * @throws NerifError `file_not_found`, `data_damaged`
 */
export async function openFollowers(
  { id, metadata }: Pick<Batch, "id" | "metadata">,
  { files }: { files: FileStore },
): Promise<Followers | null> {
  if (!lessWorkOf(metadata).dedupe) return null;
  const file = await files.open(followersKey(id));
  try {
    return await readAll(file);
  } catch (reason) {
    await file.close();
    throw reason;
  }
}

async function readAll(file: FileReader): Promise<Followers> {
  const count = await readFollowerCount(file);
  const blocks = Math.ceil(count / blockRecords);
  const pairs = await sortedPairs(file, { count, blocks });
  const { leaders, starts, positions } = grouped(pairs);
  const kept = new Map<number, Follower[]>();

  function rankOf(line: number): number {
    let low = 0;
    let high = leaders.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((leaders[middle] as number) < line) low = middle + 1;
      else high = middle;
    }
    return leaders[low] === line ? low : -1;
  }

  async function at(position: number): Promise<Follower> {
    const number = Math.floor(position / blockRecords);
    let block = kept.get(number);
    if (block === undefined) {
      block = await readFollowers(file, number);
      const oldest = kept.keys().next();
      if (kept.size >= keptBlocks && !oldest.done) kept.delete(oldest.value);
      kept.set(number, block);
    }
    return block[position % blockRecords] as Follower;
  }

  return {
    leaders: leaders.length,
    rankOf,
    weight(line) {
      const rank = rankOf(line);
      return rank === -1 ? 1 : 1 + (starts[rank + 1] as number) - (starts[rank] as number);
    },
    async *of(leader) {
      const rank = rankOf(leader);
      if (rank === -1) return;
      const end = starts[rank + 1] as number;
      for (let from = starts[rank] as number; from < end; from += followersAtOnce) {
        const some: Follower[] = [];
        for (const position of positions.subarray(from, Math.min(end, from + followersAtOnce))) {
          some.push(await at(position));
        }
        yield some;
      }
    },
    async *inOrder() {
      for (let block = 0; block < blocks; block += 1) yield await readFollowers(file, block);
    },
    ranks: {
      blockLines: blockRecords,
      async block(nth) {
        if (nth >= blocks) return null;
        return Uint32Array.from(await readFollowers(file, nth), ({ leader }) => rankOf(leader));
      },
    },
    close: () => file.close(),
  };
}

/** For each follower its position in the file and its leader, by leader and position. */
async function sortedPairs(
  file: FileReader,
  { count, blocks }: { count: number; blocks: number },
): Promise<Uint32Array> {
  const pairs = new Uint32Array(2 * count);
  const [low, high] = isLittleEndian ? [0, 1] : [1, 0];
  for (let block = 0; block < blocks; block += 1) {
    for (const [i, { leader }] of (await readFollowers(file, block)).entries()) {
      const position = block * blockRecords + i;
      pairs[2 * position + low] = position;
      pairs[2 * position + high] = leader;
    }
  }
  // As one number each, which the engine sorts without a call for each comparison.
  new BigUint64Array(pairs.buffer).sort();
  return isLittleEndian ? pairs : pairs.map((_, i) => pairs[i ^ 1] as number);
}

const isLittleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

interface Grouped {
  leaders: Uint32Array;
  /** Where the followers of each leader begin in `positions`; one more than there are leaders. */
  starts: Uint32Array;
  positions: Uint32Array;
}

function grouped(pairs: Uint32Array): Grouped {
  const count = pairs.length / 2;
  let distinct = 0;
  for (let i = 0; i < count; i += 1) if (i === 0 || pairs[2 * i + 1] !== pairs[2 * i - 1]) distinct += 1;
  const leaders = new Uint32Array(distinct);
  const starts = new Uint32Array(distinct + 1);
  const positions = new Uint32Array(count);
  let rank = -1;
  for (let i = 0; i < count; i += 1) {
    const leader = pairs[2 * i + 1] as number;
    if (rank === -1 || leaders[rank] !== leader) {
      rank += 1;
      leaders[rank] = leader;
      starts[rank] = i;
    }
    positions[i] = pairs[2 * i] as number;
  }
  starts[distinct] = count;
  return { leaders, starts, positions };
}
