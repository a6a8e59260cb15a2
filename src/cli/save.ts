import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { errnoOf, NerifError } from "../batch/errors.ts";
import { exists } from "./run-begin.ts";
import { targetPath } from "./run-places.ts";
import { spool } from "./spool.ts";

/**
 * Writes bytes to a file, which appears when it is whole, or to stdout when no file is named.
 *
 * @throws NerifError `output_exists` unless `force`, `invalid_usage` for a place where no file can be written
 */
export async function saveTo(
  output: string | undefined,
  bytes: AsyncIterable<Uint8Array>,
  { force }: { force: boolean },
): Promise<void> {
  const where = { cwd: process.cwd(), what: "the content" };
  const path = output === undefined ? null : await targetPath(output, where);
  if (path === null) {
    await pipeline(bytes, process.stdout, { end: false }).catch((reason: unknown) => {
      // `| head` has what it wanted.
      if (errnoOf(reason) !== "EPIPE") throw reason;
    });
    return;
  }
  if (!force && (await exists(path))) {
    throw new NerifError("output_exists", `Cannot write ${output}: it exists; --force replaces it`, {
      param: "output",
    });
  }
  const copy = await spool(bytes, { directory: dirname(path), action: `write ${output}` });
  await copy.moveTo(path).finally(copy.discard);
}
