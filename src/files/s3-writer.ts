import { createHash } from "node:crypto";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { NerifError } from "../batch/errors.ts";
import type { Bucket } from "../s3/bucket.ts";
import type { FileWriter } from "./file-store.ts";

/** What may wait here in front of the parts that are under way. */
const waitingBytes = 256 * 1024;

export interface S3WriterOptions {
  bucket: Bucket;
  key: string;
  /** What an error message says that could not be done. */
  action: string;
  /** As in `CreateOptions` of the file store. */
  waits?: boolean | undefined;
}

/** Sends what is written as it comes; a writer that is given up without a byte has cost no request. */
export function createS3Writer({ bucket, key, action, waits }: S3WriterOptions): FileWriter {
  const hash = createHash("sha256");
  const stream = new PassThrough({ highWaterMark: waitingBytes });
  let bytes = 0;
  let state: "open" | "committed" | "aborted" = "open";
  let upload: Promise<void> | null = null;
  // Calls follow one another even when the caller does not wait, so that chunks never interleave.
  let tail: Promise<unknown> = Promise.resolve();
  // Every failure comes out of `upload` or of the call that waits for room.
  stream.on("error", () => {});

  return {
    write: (chunks) => inTurn(() => append(chunks)),
    commit: () =>
      inTurn(async () => {
        assertOpen();
        // DURABLE: the object store answers when the whole object is safe, and shows nothing of it before.
        stream.end();
        await begun();
        state = "committed";
        return { bytes, sha256: hash.digest("hex") };
      }),
    abort: () =>
      inTurn(async () => {
        if (state !== "open") return;
        state = "aborted";
        stream.destroy();
        // It fails, since its stream broke off, and has given its parts back by then.
        await upload?.catch(() => {});
      }),
  };

  function inTurn<T>(step: () => Promise<T>): Promise<T> {
    const result = tail.then(step);
    tail = result.catch(() => {});
    return result;
  }

  function assertOpen(): void {
    if (state === "open") return;
    throw new NerifError("internal_error", `Cannot ${action}: it was ${state} already`);
  }

  async function append(chunks: readonly Uint8Array[]): Promise<void> {
    assertOpen();
    for (const chunk of chunks) {
      if (chunk.byteLength === 0) continue;
      // A copy: the part may be on its way when the caller has its memory back.
      const own = Buffer.from(chunk);
      hash.update(own);
      bytes += own.byteLength;
      if (bytes > bucket.mostUploadBytes) throw tooLarge();
      const failed = begun();
      if (stream.destroyed) await failed;
      if (!stream.write(own)) await Promise.race([once(stream, "drain"), failed]);
    }
  }

  function tooLarge(): NerifError {
    const most = `it has more than ${bucket.mostUploadBytes} bytes, the most that the object store takes of one file`;
    return new NerifError("file_too_large", `Cannot ${action}: ${most}`);
  }

  function begun(): Promise<void> {
    if (upload !== null) return upload;
    upload = bucket.upload(key, stream, { action, waits });
    // It is told by the call that is next; until then nobody may be listening.
    upload.catch((reason: Error) => stream.destroy(reason));
    return upload;
  }
}
