import { createHash, randomBytes } from "node:crypto";
import { type FileHandle, open, rename, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf, NerifError } from "../batch/errors.ts";
import { syncDirectory } from "../disk/directory.ts";
import { diskFailure, storageError } from "./disk-errors.ts";
import type { FileWriter } from "./file-store.ts";
import { temporaryPath } from "./key.ts";

export interface DiskCalls {
  /** Appends the chunks and returns how many bytes of them were taken. */
  write(handle: FileHandle, chunks: readonly Uint8Array[]): Promise<number>;
  /** fsync. */
  sync(handle: FileHandle): Promise<void>;
}

export interface DiskWriterOptions {
  path: string;
  /** What an error message says that could not be done. */
  action: string;
  mode: number;
  /** Whether another file may be replaced. */
  replace: boolean;
  calls: DiskCalls;
  /** Holds the temporary's path as long as it is written. */
  live: Set<string>;
  onFatal: (error: NerifError) => void;
}

/** Writes a temporary beside `path` and renames it when it is durable. */
export async function createDiskWriter(options: DiskWriterOptions): Promise<FileWriter> {
  const { path, action, calls, live, onFatal } = options;
  const temporary = temporaryPath(path, randomBytes(8).toString("hex"));
  live.add(temporary);
  const handle = await open(temporary, "wx", options.mode).catch((reason: unknown) => {
    live.delete(temporary);
    throw reason;
  });
  const hash = createHash("sha256");
  let bytes = 0;
  let state: "open" | "committed" | "aborted" = "open";
  let failure: NerifError | null = null;
  // Calls follow one another even when the caller does not wait, so that chunks never interleave.
  let tail: Promise<unknown> = Promise.resolve();

  return {
    write: (chunks) => inTurn(() => guarded("open", () => append(chunks))),
    commit: () => inTurn(() => guarded("open", publish)),
    abort: () =>
      inTurn(async () => {
        if (state === "open") await discard();
      }),
  };

  function inTurn<T>(step: () => Promise<T>): Promise<T> {
    const result = tail.then(step);
    tail = result.catch(() => {});
    return result;
  }

  async function guarded<T>(expected: typeof state, step: () => Promise<T>): Promise<T> {
    if (failure) throw failure;
    if (state !== expected) {
      throw new NerifError("internal_error", `Cannot ${action}: it was ${state} already`);
    }
    try {
      return await step();
    } catch (reason) {
      failure = storageError(reason, action);
      await discard();
      throw failure;
    }
  }

  async function append(chunks: readonly Uint8Array[]): Promise<void> {
    let rest = chunks.filter((chunk) => chunk.byteLength > 0);
    for (const chunk of rest) {
      hash.update(chunk);
      bytes += chunk.byteLength;
    }
    while (rest.length > 0) {
      // EIO: the disk itself failed, and whether older pages are safe is unknown.
      const taken = await fatalIf(calls.write(handle, rest), (errno) => errno === "EIO");
      rest = after(rest, taken);
    }
  }

  async function publish(): Promise<{ bytes: number; sha256: string }> {
    // DURABLE: content before name; a rename that survives a power cut without its bytes shows an empty file.
    await fatalIf(calls.sync(handle), (errno) => !isFull(errno));
    await handle.close();
    const written = { bytes, sha256: hash.digest("hex") };
    // The last moment: the results of hours may have taken their time, and somebody else the name meanwhile.
    if (!options.replace && (await isOther(path, written))) {
      throw new NerifError("output_exists", `Cannot ${action}: another file has appeared there`);
    }
    await rename(temporary, path);
    state = "committed";
    live.delete(temporary);
    // DURABLE: the name; without this a power cut takes the file back although it was acknowledged.
    await fatalIf(syncDirectory(dirname(path)), () => true);
    return written;
  }

  /** A failed sync is never tried again: the kernel forgets the pages that it could not write and then succeeds. */
  async function fatalIf<T>(call: Promise<T>, isFatal: (errno: string | null) => boolean): Promise<T> {
    try {
      return await call;
    } catch (reason) {
      if (!isFatal(errnoOf(reason))) throw reason;
      const error = diskFailure(reason, action);
      onFatal(error);
      throw error;
    }
  }

  async function discard(): Promise<void> {
    if (state === "committed") return;
    state = "aborted";
    live.delete(temporary);
    await handle.close().catch(() => {});
    await unlink(temporary).catch(() => {});
  }
}

/** NFS tells of a full disk no sooner than at the sync. What could not be written belongs to a temporary that goes anyway. */
function isFull(errno: string | null): boolean {
  return errno === "ENOSPC" || errno === "EDQUOT";
}

/** Whether a file stands there that was not written by an earlier try, which had the very same bytes. */
async function isOther(path: string, written: { bytes: number; sha256: string }): Promise<boolean> {
  const found = await stat(path).catch((reason: unknown) => {
    if (errnoOf(reason) === "ENOENT") return null;
    throw reason;
  });
  if (found === null) return false;
  if (!found.isFile() || found.size !== written.bytes) return true;
  return (await sumOf(path)) !== written.sha256;
}

async function sumOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(1024 * 1024);
  const handle = await open(path, "r");
  try {
    for (let at = 0; ; ) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) return hash.digest("hex");
      hash.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
  } finally {
    await handle.close();
  }
}

/** What is left of `chunks` behind their first `taken` bytes. */
function after(chunks: readonly Uint8Array[], taken: number): Uint8Array[] {
  let skip = taken;
  for (const [index, chunk] of chunks.entries()) {
    if (skip < chunk.byteLength) return [chunk.subarray(skip), ...chunks.slice(index + 1)];
    skip -= chunk.byteLength;
  }
  return [];
}
