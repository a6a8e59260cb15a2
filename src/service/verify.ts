import { isAbsolute } from "node:path";
import type { Batch, BatchObject } from "../batch/batch.ts";
import { NerifError } from "../batch/errors.ts";
import { lessWorkOf } from "../batch/less-work.ts";
import { isFinal } from "../batch/lifecycle.ts";
import { usageOf } from "../batch/usage.ts";
import type { ControlStore } from "../control/control-store.ts";
import type { FileStore } from "../files/file-store.ts";
import { type Verification, verifyLines } from "./verify-lines.ts";
import type { VerifiedFile } from "./verify-problems.ts";

/** A file of a batch as some record has it. */
export interface RecordedFile {
  /** Size and sum that the bytes must have; null where no record says. */
  expected: { bytes: number; sha256: string | null } | null;
  open: () => AsyncIterable<Buffer>;
}

export interface VerifyBatchSources {
  batch: Pick<BatchObject, "id" | "status" | "request_counts" | "usage" | "metadata">;
  input: RecordedFile;
  output: RecordedFile | null;
  errors: RecordedFile | null;
  merged: boolean;
  maxLineBytes: number;
}

/**
 * Proves that the files of a final batch and its record add up.
 *
 * @throws NerifError `batch_not_final`, `invalid_request` when its input was refused, so that nothing was run
 */
export async function verifySources(sources: VerifyBatchSources): Promise<Verification> {
  const { batch, input, output, errors, merged, maxLineBytes } = sources;
  requireResults(batch);
  const verification = await verifyLines({
    batchId: batch.id,
    input: input.open,
    output: output?.open ?? null,
    errors: errors?.open ?? null,
    merged,
    deduped: lessWorkOf(batch.metadata).dedupe,
    maxLineBytes,
  });
  for (const file of ["input", "output", "errors"] as const) checkBytes(file, sources[file], verification);
  checkCounts(batch, verification);
  return verification;
}

/** The same for a batch of a data directory, of whichever project. @throws NerifError also `batch_not_found`, `input_file_gone` */
export async function verifyStored(
  id: string,
  { control, files, maxLineBytes }: { control: ControlStore; files: FileStore; maxLineBytes: number },
): Promise<Verification> {
  const batch = await control.getBatch(null, id);
  if (batch === null) throw new NerifError("batch_not_found", `No batch found with id '${id.slice(0, 80)}'.`);
  requireResults(batch);
  return verifySources({
    batch,
    input: await storedFile(batch.input_file_id, "input_file_gone"),
    output: batch.output_file_id === null ? null : await storedFile(batch.output_file_id),
    errors: batch.error_file_id === null ? null : await storedFile(batch.error_file_id),
    merged: isMerged(batch),
    maxLineBytes,
  });

  async function storedFile(
    fileId: string,
    code: "file_not_found" | "input_file_gone" = "file_not_found",
  ): Promise<RecordedFile> {
    const file = await control.getFile(null, fileId);
    if (file !== null && (await files.size(file.key)) !== null) {
      return { expected: file, open: () => bytesOf(files, file.key) };
    }
    // The path of a run's file says more to the one who moved it.
    const name = file !== null && isAbsolute(file.key) ? file.key : fileId;
    throw new NerifError(code, `Cannot verify ${id}: its file ${name} is gone`);
  }
}

/** `nerif run` to stdout puts failed lines among the others, and has no error file. */
function isMerged({ error_file_id, request_counts: counts }: Batch): boolean {
  return error_file_id === null && counts.completed < counts.total;
}

function requireResults({ id, status }: Pick<BatchObject, "id" | "status">): void {
  if (!isFinal(status)) {
    const reason = `its status is '${status}', and only a final batch has result files`;
    throw new NerifError("batch_not_final", `Cannot verify ${id}: ${reason}`);
  }
  if (status === "failed") {
    throw new NerifError(
      "invalid_request",
      `Cannot verify ${id}: its input was refused, and nothing was run`,
    );
  }
}

async function* bytesOf(files: FileStore, key: string): AsyncGenerator<Buffer> {
  const reader = await files.open(key);
  try {
    yield* reader.stream();
  } finally {
    await reader.close();
  }
}

function checkBytes(
  file: VerifiedFile,
  recorded: RecordedFile | null,
  { bytes: found, problems }: Verification,
): void {
  const [expected, actual] = [recorded?.expected ?? null, found[file]];
  if (expected === null || actual === null) return;
  const wrong = (message: string) => problems.add({ code: "wrong_bytes", file, line: null, message });
  if (expected.bytes !== actual.bytes) {
    wrong(`It has ${actual.bytes} bytes, and ${expected.bytes} were recorded`);
  } else if (expected.sha256 !== null && expected.sha256 !== actual.sha256) {
    wrong(`Its SHA-256 is ${actual.sha256}, and ${expected.sha256} was recorded`);
  }
}

function checkCounts(batch: VerifyBatchSources["batch"], verification: Verification): void {
  const { total, succeeded, failed, neverRun, tokens, problems } = verification;
  const { request_counts: counts, status, usage } = batch;
  const wrong = (message: string) => problems.add({ code: "wrong_count", file: null, line: null, message });
  // One that ended before it was validated has neither lines nor files.
  if (counts.total !== total && !(counts.total === 0 && status !== "completed" && succeeded + failed === 0)) {
    wrong(`The batch counts ${counts.total} requests, and its input has ${total}`);
  }
  if (counts.completed !== succeeded) {
    wrong(`The batch counts ${counts.completed} that succeeded, and its files have ${succeeded}`);
  }
  // A line that waited for another try when its batch was ended shows its last error, and is not counted as failed.
  if (status === "completed" ? counts.failed !== failed : counts.failed > failed) {
    wrong(`The batch counts ${counts.failed} that failed, and its files have ${failed}`);
  }
  if (status === "completed" && neverRun > 0) {
    wrong(`The batch is completed, and its files have ${neverRun} that were never run`);
  }
  if (usage !== null && JSON.stringify(usage) !== JSON.stringify(usageOf(tokens))) {
    wrong(`The batch counts ${usage.total_tokens} tokens, and its answers have ${tokens.total}`);
  }
}
