import type { Bucket, ObjectHead } from "../s3/bucket.ts";
import type { FileReader } from "./file-store.ts";
import { type BlockCache, blockBytes } from "./s3-blocks.ts";

const chunkBytes = 1024 * 1024;
/** What opening a file brings along; a small one needs no further request. */
export const headBytes = 64 * 1024;

export interface S3ReaderOptions extends ObjectHead {
  bucket: Bucket;
  blocks: BlockCache;
  key: string;
  /** What an error message says that could not be done. */
  action: string;
}

/** Reads one object by position, as it was when it was opened. */
export function createS3Reader(options: S3ReaderOptions): FileReader {
  const { bucket, blocks, key, action, bytes, etag, head } = options;
  return {
    bytes,
    async read(offset, length) {
      const end = Math.min(offset + length, bytes);
      if (end <= head.byteLength) return Buffer.from(head.subarray(offset, end));
      if (length < blockBytes) return blocks.read(options, offset, end);
      return Buffer.concat(await Array.fromAsync(bucket.read(key, { start: offset, end, etag }, action)));
    },
    async *stream(range = { start: 0, end: bytes }) {
      const end = Math.min(range.end, bytes);
      const inHead = Buffer.from(head.subarray(range.start, end));
      if (inHead.byteLength > 0) yield inHead;
      const start = range.start + inHead.byteLength;
      for await (const chunk of bucket.read(key, { start, end, etag }, action)) {
        for (let at = 0; at < chunk.byteLength; at += chunkBytes) yield chunk.subarray(at, at + chunkBytes);
      }
    },
    async close() {},
  };
}
