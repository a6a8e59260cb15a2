import { createReadStream } from "node:fs";
import { NerifError } from "../batch/errors.ts";
import { openNerif, resolveDataDir } from "../compose.ts";
import { verifyStored } from "../service/verify.ts";
import { type Verification, verifyLines } from "../service/verify-lines.ts";
import { exists } from "./run-begin.ts";
import { findPlaces, type RunPlaces } from "./run-places.ts";
import { readRunRecord } from "./run-record.ts";
import { storeDirectory } from "./run-store.ts";

export interface VerifyRunOptions {
  output: string | undefined;
  errors: string | undefined;
  dataDir: string | undefined;
  maxLineBytes: number;
  cwd: string;
}

/**
 * Verifies a finished `nerif run` against the records in its store. Where that is gone, or was on another machine, the
 * files are held against each other only.
 *
 * @throws NerifError `batch_not_final`, `file_not_found`
 */
export async function verifyRun(input: string, options: VerifyRunOptions): Promise<Verification> {
  const { dataDir, maxLineBytes, ...wanted } = options;
  const places = await findPlaces({ input, ...wanted, writes: false });
  const store = storeDirectory(resolveDataDir(dataDir), places, null);
  const record = await readRunRecord(store);
  if (record === null) return verifyFiles(places, maxLineBytes);
  if (record.finished === null) {
    const goOn = "run the same command again to go on";
    throw new NerifError("batch_not_final", `Cannot verify ${input}: its run is not finished; ${goOn}`);
  }
  const opened = await openNerif({ dataDir: store, execute: false, command: "nerif verify" });
  try {
    const { control, fileStore: files } = opened;
    return await verifyStored(record.batch_id, { control, files, maxLineBytes });
  } finally {
    await opened.close();
  }
}

async function verifyFiles(
  { input, output, errors }: RunPlaces,
  maxLineBytes: number,
): Promise<Verification> {
  if (input === null || output === null) {
    throw new NerifError("invalid_usage", "Cannot verify a stream: no record of its run is here", {
      param: "input",
    });
  }
  const [hasOutput, hasErrors] = [await exists(output), errors !== null && (await exists(errors))];
  if (!hasOutput && !hasErrors) {
    throw new NerifError("file_not_found", `Cannot verify ${input}: there is no ${output}`, {
      param: "output",
    });
  }
  return verifyLines({
    batchId: null,
    input: () => read(input),
    output: hasOutput ? () => read(output) : null,
    errors: hasErrors && errors !== null ? () => read(errors) : null,
    merged: !hasErrors,
    // Only the record says, and only the usage, which stands there too, depends on it.
    deduped: false,
    maxLineBytes,
  });
}

function read(path: string): AsyncIterable<Buffer> {
  return createReadStream(path, { highWaterMark: 1024 * 1024 });
}
