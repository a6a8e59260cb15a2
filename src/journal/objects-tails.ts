import type { Bucket } from "../s3/bucket.ts";
import { decodeIndex, type Stretch, tailBytes } from "./objects-format.ts";

/** Ends of logs that are remembered, for the shards that are in them too. */
const rememberedBytes = 32 * 1024 * 1024;
/** Indexes are small, and each is asked for once for each segment that is in the log. */
const rememberedIndexes = 2_048;

/** Reads logs. What comes along with an index is remembered: of most logs it is all. */
export interface LogTails {
  /** @param size of the log */
  indexOf(name: string, size: number, action: string): Promise<Stretch[]>;
  read(name: string, range: { start: number; end: number }, action: string): AsyncGenerator<Buffer>;
}

export function createLogTails(bucket: Bucket): LogTails {
  const indexes = new Map<string, Stretch[]>();
  /** `offset`: where in the object the bytes begin. */
  const tails = new Map<string, { offset: number; bytes: Buffer }>();
  let remembered = 0;

  return {
    async indexOf(name, size, action) {
      const known = indexes.get(name);
      if (known !== undefined) return known;
      const offset = Math.max(0, size - tailBytes);
      const bytes = await gather(bucket.read(name, { start: offset, end: size }, action));
      const index = decodeIndex(bytes);
      indexes.set(name, index);
      for (const oldest of indexes.keys()) {
        if (indexes.size <= rememberedIndexes) break;
        indexes.delete(oldest);
      }
      rememberTail(name, { offset, bytes });
      return index;
    },
    async *read(name, { start, end }, action) {
      const tail = tails.get(name);
      if (tail !== undefined && start >= tail.offset) {
        yield tail.bytes.subarray(start - tail.offset, end - tail.offset);
      } else yield* bucket.read(name, { start, end }, action);
    },
  };

  function rememberTail(name: string, tail: { offset: number; bytes: Buffer }): void {
    remembered += tail.bytes.byteLength - (tails.get(name)?.bytes.byteLength ?? 0);
    tails.set(name, tail);
    for (const [oldest, { bytes }] of tails) {
      if (remembered <= rememberedBytes) break;
      tails.delete(oldest);
      remembered -= bytes.byteLength;
    }
  }
}

export async function gather(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(chunks));
}
