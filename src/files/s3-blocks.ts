import type { Bucket } from "../s3/bucket.ts";

/** What one request brings: lines of many shards, or their plans. */
export const blockBytes = 1024 * 1024;
const keptBytes = 64 * 1024 * 1024;

/** Which object a block belongs to, as it was when it was opened. */
export interface BlockOwner {
  key: string;
  etag: string;
  bytes: number;
  action: string;
}

export interface BlockCache {
  /** A stretch of an object, out of blocks that are read at most once as long as they are remembered. */
  read(owner: BlockOwner, start: number, end: number): Promise<Buffer>;
}

/**
 * Remembers the blocks of all open files that were read last, 64 MiB of them: a shard asks for less than a request
 * should bring, and the next one for what lies behind it.
 */
export function createBlockCache(bucket: Bucket): BlockCache {
  const blocks = new Map<string, Promise<Buffer>>();

  return {
    async read(owner, start, end) {
      const pieces: Buffer[] = [];
      for (let at = start; at < end; ) {
        const from = at - (at % blockBytes);
        const block = await blockAt(owner, from);
        const piece = block.subarray(at - from, end - from);
        pieces.push(piece);
        at += piece.byteLength;
      }
      return Buffer.concat(pieces);
    },
  };

  function blockAt({ key, etag, bytes, action }: BlockOwner, start: number): Promise<Buffer> {
    const name = `${start} ${etag} ${key}`;
    const block = blocks.get(name) ?? load();
    // The one that was used last goes last.
    blocks.delete(name);
    blocks.set(name, block);
    const [oldest] = blocks.keys();
    if (blocks.size > keptBytes / blockBytes && oldest !== undefined) blocks.delete(oldest);
    return block;

    function load(): Promise<Buffer> {
      const range = { start, end: Math.min(start + blockBytes, bytes), etag };
      const loaded = Array.fromAsync(bucket.read(key, range, action)).then((chunks) => Buffer.concat(chunks));
      loaded.catch(() => blocks.delete(name));
      return loaded;
    }
  }
}
