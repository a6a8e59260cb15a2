import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { errnoOf, NerifError } from "../batch/errors.ts";

/**
 * Writes a result file to a stream, and leaves the stream open.
 *
 * @throws NerifError `storage_unavailable` when nobody reads the stream any more
 */
export async function writeResults(path: string, stream: NodeJS.WritableStream): Promise<void> {
  try {
    await pipeline(createReadStream(path, { highWaterMark: 256 * 1024 }), stream, { end: false });
  } catch (reason) {
    if (errnoOf(reason) !== "EPIPE") throw NerifError.fromUnknown(reason, "write the results");
    throw new NerifError(
      "storage_unavailable",
      "Cannot write the results: the reader of stdout went away; the same command writes them again and sends nothing",
      { cause: reason },
    );
  }
}
