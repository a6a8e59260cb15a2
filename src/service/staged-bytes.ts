import { type ErrorCode, NerifError } from "../batch/errors.ts";
import type { FileStore, FileWriter } from "../files/file-store.ts";
import type { ByteBudget } from "./quotas.ts";

/** Bytes on their way to a key of the file store, which go again unless something names them in the end. */
export interface StagedBytes {
  /** Counts chunks before they are written, and returns how many bytes there are with them. @throws NerifError `quota_exceeded` */
  take(chunks: readonly Uint8Array[]): number;
  write: FileWriter["write"];
  commit: FileWriter["commit"];
  /**
   * Runs what writes the row that names the bytes. When it fails so that nobody can tell whether the row is there, the
   * bytes stay: where it is not, the sweeper finds that nothing names them.
   */
  name<T>(write: () => Promise<T>): Promise<T>;
  /** A row names the bytes: they stay. */
  keep(): void;
  /** Forgets the bytes unless they are kept, and never fails. Safe to call at any time and more than once. */
  discard(): Promise<void>;
}

export async function stageBytes(
  key: string,
  { files, budget }: { files: FileStore; budget: ByteBudget },
): Promise<StagedBytes> {
  const writer = await files.create(key);
  let bytes = 0;
  let state: "open" | "committed" | "done" = "open";

  function end(): void {
    state = "done";
    budget.release();
  }

  return {
    take(chunks) {
      for (const chunk of chunks) {
        budget.take(chunk.length);
        bytes += chunk.length;
      }
      return bytes;
    },
    write: (chunks) => writer.write(chunks),
    async commit() {
      const written = await writer.commit();
      state = "committed";
      return written;
    },
    async name(write) {
      try {
        return await write();
      } catch (reason) {
        // DURABLE: a row that was acknowledged under an idempotency key later on must have its bytes.
        if (isUnknown(reason)) end();
        throw reason;
      }
    },
    keep: end,
    async discard() {
      try {
        if (state === "open") await writer.abort();
        if (state === "committed") await files.delete(key);
      } catch {
        // Nothing names them, so the sweeper will find them; what became of the request is not to be lost over that.
      } finally {
        end();
      }
    },
  };
}

/** Whether an error leaves it open what the control store has done. */
function isUnknown(reason: unknown): boolean {
  const unknown: ErrorCode[] = ["storage_unavailable", "internal_error"];
  return !(reason instanceof NerifError) || unknown.includes(reason.code);
}
