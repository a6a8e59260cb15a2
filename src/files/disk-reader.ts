import type { FileHandle } from "node:fs/promises";
import { NerifError } from "../batch/errors.ts";
import { storageError } from "./disk-errors.ts";
import type { FileReader } from "./file-store.ts";

const chunkBytes = 1024 * 1024;

export interface DiskReaderOptions {
  handle: FileHandle;
  /** Size when the file was opened. */
  bytes: number;
  /** What an error message says that could not be done. */
  action: string;
}

/** Reads an open file by position. */
export function createDiskReader({ handle, bytes, action }: DiskReaderOptions): FileReader {
  return {
    bytes,
    read,
    async *stream(range = { start: 0, end: bytes }) {
      const end = Math.min(range.end, bytes);
      for (let at = range.start; at < end; ) {
        const chunk = await read(at, Math.min(chunkBytes, end - at));
        // A file that shrank must not look like one that was read to its end.
        if (chunk.byteLength === 0) {
          throw new NerifError("data_damaged", `Cannot ${action}: it ends at byte ${at} of ${bytes}`);
        }
        at += chunk.byteLength;
        yield chunk;
      }
    },
    close: () => handle.close(),
  };

  async function read(offset: number, length: number): Promise<Buffer> {
    const wanted = Math.max(0, Math.min(length, bytes - offset));
    const buffer = Buffer.allocUnsafe(wanted);
    let filled = 0;
    try {
      while (filled < wanted) {
        const { bytesRead } = await handle.read(buffer, filled, wanted - filled, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
    } catch (reason) {
      throw storageError(reason, action);
    }
    return filled === wanted ? buffer : buffer.subarray(0, filled);
  }
}
