import type { Batch } from "../batch/batch.ts";
import { NerifError } from "../batch/errors.ts";
import { isVisible, type StoredFile } from "../batch/file.ts";
import { isFinal } from "../batch/lifecycle.ts";
import { limits } from "../batch/limits.ts";
import type { ControlStore } from "../control/control-store.ts";
import { type Clock, unixSeconds } from "../engine/clock.ts";
import { forEachLine } from "../engine/plan/lines.ts";
import type { FileReader, FileStore } from "../files/file-store.ts";
import type { BatchParams } from "./batch-params.ts";
import { openChecked } from "./checked-reader.ts";
import type { CreateOptions } from "./create-options.ts";
import type { ByteBudgets } from "./quotas.ts";
import { createLineSet, type LineSet, resultIndex } from "./result-index.ts";
import { type StagedFile, stageFile } from "./stage-file.ts";
import { eachLine, wholeLines } from "./whole-lines.ts";

const newline = Buffer.of(0x0a);

interface RetryDeps {
  control: ControlStore;
  files: FileStore;
  clock: Clock;
  budgets: ByteBudgets;
}

interface RetryOptions<T> extends Pick<CreateOptions, "apiKey"> {
  /** Makes the file visible together with its batch. */
  record: (input: StoredFile) => Promise<T>;
}

/**
 * Writes the lines of a final batch that are in its error file, byte for byte, to a new input file.
 *
 * @returns what `record` returned
 * @throws NerifError `batch_not_final`, `invalid_request` when no line failed, `input_file_gone`, those of a new file,
 *   and whatever `record` throws; nothing is left of the file then
 */
export async function withFailedLines<T>(
  deps: RetryDeps,
  batch: Batch,
  { apiKey, record }: RetryOptions<T>,
): Promise<T> {
  const failed = await failedLines(deps, batch, errorFileOf(batch));
  const recorded = Promise.withResolvers<T>();
  const staged = await stageFile({
    ...deps,
    budget: await deps.budgets.begin(apiKey),
    record: async (input) => recorded.resolve(await record(input)),
  });
  try {
    await copyLines(deps, { batch, failed, staged });
    const params = { filename: `${batch.id}_retry.jsonl`, purpose: "batch" };
    await staged.finish(batch.project, params, { apiKey });
    return await recorded.promise;
  } catch (error) {
    await staged.discard();
    throw error;
  }
}

/** What the batch is made of that tries these lines again. */
export function retryParams(batch: Batch, { id }: StoredFile): BatchParams {
  const { endpoint, completion_window, output_expires_after } = batch;
  const metadata = retryMetadata(batch);
  return { input_file_id: id, endpoint, completion_window, metadata, output_expires_after };
}

function errorFileOf({ id, status, error_file_id }: Batch): string {
  if (!isFinal(status)) {
    throw new NerifError(
      "batch_not_final",
      `Cannot retry batch ${id}: its status is '${status}', and only a final batch has failed lines`,
    );
  }
  if (error_file_id !== null) return error_file_id;
  throw new NerifError("invalid_request", `Cannot retry batch ${id}: it has no failed lines`);
}

interface FailedLines {
  lines: LineSet;
  count: number;
}

async function failedLines(deps: RetryDeps, batch: Batch, errorFileId: string): Promise<FailedLines> {
  const lines = createLineSet();
  let count = 0;
  const reader = await openGone(deps, await deps.control.getFile(batch.project, errorFileId), () =>
    gone(batch, "its error file"),
  );
  try {
    for await (const some of wholeLines(reader.stream())) {
      for (const line of eachLine(some)) {
        lines.add(resultIndex(batch.id, line));
        count += 1;
      }
    }
  } finally {
    await reader.close();
  }
  return { lines, count };
}

async function copyLines(
  deps: RetryDeps,
  { batch, failed, staged }: { batch: Batch; failed: FailedLines; staged: StagedFile },
): Promise<void> {
  const reader = await openGone(deps, await deps.control.getFile(batch.project, batch.input_file_id), () =>
    gone(batch, "its input file"),
  );
  let index = 0;
  let copied = 0;
  let chunk: Uint8Array[] = [];
  try {
    await forEachLine(reader.stream(), {
      maxLineBytes: Number.MAX_SAFE_INTEGER,
      onLine(bytes) {
        // Copied: the reader may reuse the bytes after the call.
        if (failed.lines.has(index)) {
          chunk.push(Buffer.concat([bytes, newline]));
          copied += 1;
        }
        index += 1;
        return true;
      },
      onTooLong() {
        index += 1;
        return true;
      },
      async afterChunk() {
        const full = chunk;
        chunk = [];
        if (full.length > 0) await staged.write(full);
      },
    });
  } finally {
    await reader.close();
  }
  if (copied !== failed.count) {
    throw new NerifError(
      "data_damaged",
      `Cannot retry batch ${batch.id}: its input has ${copied} of its ${failed.count} failed lines`,
    );
  }
}

async function openGone(
  { files, clock }: RetryDeps,
  file: StoredFile | null,
  refusal: () => NerifError,
): Promise<FileReader> {
  if (file === null || !isVisible(file, unixSeconds(clock))) throw refusal();
  try {
    return await openChecked(files, file);
  } catch (error) {
    if (error instanceof NerifError && error.code === "file_not_found") throw refusal();
    throw error;
  }
}

function gone(batch: Batch, what: string): NerifError {
  return new NerifError(
    "input_file_gone",
    `Cannot retry batch ${batch.id}: ${what} was deleted or has expired`,
  );
}

/** Says where the lines come from when there is room for one more pair. */
function retryMetadata(batch: Batch): Record<string, string> | null {
  const metadata = batch.metadata ?? {};
  const hasRoom = "retry_of" in metadata || Object.keys(metadata).length < limits.metadata.pairs;
  return hasRoom ? { ...metadata, retry_of: batch.id } : metadata;
}
