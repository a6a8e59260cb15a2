import { createHash, randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { NerifError } from "../batch/errors.ts";
import { syncDirectory } from "../disk/directory.ts";

/** A copy of an input that cannot be read in place: stdin, or the first lines of a file. */
export interface Spool {
  path: string;
  bytes: number;
  sha256: string;
  /** Gives the copy its final place. Durable when the promise resolves. */
  moveTo(path: string): Promise<void>;
  /** Removes the copy unless it was moved. */
  discard(): Promise<void>;
}

/**
 * Copies a stream to a file of its own below `directory`.
 *
 * @param action what messages say that cannot be done
 * @param limit copy only so many lines; blank ones are copied and do not count
 * @throws NerifError `disk_full`
 */
export async function spool(
  source: AsyncIterable<Uint8Array>,
  {
    directory,
    limit,
    action = "copy the input",
  }: { directory: string; limit?: number | undefined; action?: string },
): Promise<Spool> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, `spool-${process.pid}-${randomBytes(6).toString("hex")}.part`);
  const file = await open(path, "wx", 0o600);
  try {
    const sum = await copy(limit === undefined ? source : firstLines(source, limit), file);
    // DURABLE: the bytes before the name; a run that was killed reads them again.
    await file.sync();
    return { path, ...sum, moveTo: (target) => move(path, target), discard: () => rm(path, { force: true }) };
  } catch (reason) {
    await rm(path, { force: true });
    throw NerifError.fromUnknown(reason, action);
  } finally {
    await file.close();
  }
}

async function copy(
  source: AsyncIterable<Uint8Array>,
  file: FileHandle,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of source) {
    hash.update(chunk);
    bytes += chunk.length;
    await file.writeFile(chunk);
  }
  return { bytes, sha256: hash.digest("hex") };
}

async function move(path: string, target: string): Promise<void> {
  await rename(path, target);
  // DURABLE: the rename itself.
  await syncDirectory(dirname(target));
}

const newline = 10;
const blanks = new Set([9, 13, 32]);

/** The stream up to the end of its `limit`-th line that is not blank. */
export async function* firstLines(
  source: AsyncIterable<Uint8Array>,
  limit: number,
): AsyncGenerator<Uint8Array> {
  let lines = 0;
  let blank = true;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0;
      if (byte !== newline) {
        blank &&= blanks.has(byte);
        continue;
      }
      if (!blank) lines += 1;
      blank = true;
      if (lines < limit) continue;
      yield chunk.subarray(0, at + 1);
      return;
    }
    yield chunk;
  }
}
