import type { FileHandle } from "node:fs/promises";
import { NerifError } from "../batch/errors.ts";
import { storageError } from "./disk-errors.ts";
import type { FileReader } from "./file-store.ts";

const chunkBytes = 1024 * 1024;

export interface DiskReaderOptions {
  handle: FileHandle;
  /** As it was when the file was opened. */
  opened: { size: bigint; mtimeNs: bigint };
  /** What an error message says that could not be done. */
  action: string;
}

/** Reads an open file by position. */
export function createDiskReader({ handle, opened, action }: DiskReaderOptions): FileReader {
  const bytes = Number(opened.size);
  return {
    bytes,
    read,
    async *stream(range = { start: 0, end: bytes }, { valid } = {}) {
      const end = Math.min(range.end, bytes);
      const room = createRoom(valid);
      let ahead = range.start < end ? begin(range.start) : null;
      try {
        for (let at = range.start; ahead !== null; ) {
          const chunk = await ahead;
          // A file that shrank must not look like one that was read to its end.
          if (chunk.byteLength === 0) {
            throw new NerifError("data_damaged", `Cannot ${action}: it ends at byte ${at} of ${bytes}`);
          }
          at += chunk.byteLength;
          ahead = at < end ? begin(at) : null;
          yield chunk;
        }
      } finally {
        // Whoever has seen enough may close the file at once. An error of what nobody wants is none.
        await ahead?.catch(() => {});
      }

      /** Reads a chunk while the one before it is in use. */
      function begin(at: number): Promise<Buffer> {
        const chunk = fill(room.next(Math.min(chunkBytes, end - at)), at);
        // Whoever awaits it in its turn gets the error; until then nobody does.
        chunk.catch(() => {});
        return chunk;
      }
    },
    async isUnchanged() {
      const now = await handle.stat({ bigint: true });
      return now.size === opened.size && now.mtimeNs === opened.mtimeNs;
    },
    close: () => handle.close(),
  };

  function read(offset: number, length: number): Promise<Buffer> {
    return fill(Buffer.allocUnsafe(Math.max(0, Math.min(length, bytes - offset))), offset);
  }

  async function fill(buffer: Buffer, offset: number): Promise<Buffer> {
    const wanted = buffer.length;
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

/** Where chunks are read to: in turn, a few buffers of which none is in use when it is its turn, or each its own. */
function createRoom(valid: number | undefined): { next(length: number): Buffer } {
  // Beside those that are valid, one is being read.
  const most = valid === undefined ? 0 : valid + 1;
  const buffers: Buffer[] = [];
  return {
    next(length) {
      if (most === 0) return Buffer.allocUnsafe(length);
      const buffer = buffers.length < most ? Buffer.allocUnsafeSlow(length) : (buffers.shift() as Buffer);
      buffers.push(buffer);
      return buffer.subarray(0, length);
    },
  };
}
