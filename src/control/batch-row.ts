import { type Batch, batchStatuses } from "../batch/batch.ts";
import { type BatchPatch, isFinal } from "../batch/lifecycle.ts";
import { usageOf } from "../batch/usage.ts";
import type { ShardTally, UnfinishedBatch } from "./control-store.ts";
import { metadataText } from "./metadata-text.ts";
import type { BatchRow, NewBatchRow } from "./schema.ts";

export const unfinishedStatuses = batchStatuses.filter((status) => !isFinal(status));

/** The row of a new batch. */
export function newBatchRow(batch: Batch): NewBatchRow {
  const { request_counts, usage, errors, metadata, output_expires_after, result_files, ...plain } = batch;
  return {
    ...plain,
    ...request_counts,
    usage_json: json(usage),
    errors_json: json(errors),
    metadata_json: metadata && metadataText(metadata),
    output_expires_after_json: json(output_expires_after),
    result_files_json: json(result_files),
    is_noted: 1,
  };
}

/** The columns that a patch changes; what the patch does not name stays away. */
export function changedColumns(patch: BatchPatch): Partial<NewBatchRow> {
  const { request_counts, usage, errors, metadata, output_expires_after, result_files, ...plain } = patch;
  return {
    ...plain,
    ...request_counts,
    ...(usage !== undefined && { usage_json: json(usage) }),
    ...(errors !== undefined && { errors_json: json(errors) }),
    ...(metadata !== undefined && { metadata_json: metadata && metadataText(metadata) }),
    ...(output_expires_after !== undefined && { output_expires_after_json: json(output_expires_after) }),
    ...(result_files !== undefined && { result_files_json: json(result_files) }),
  };
}

/** @param sums what the shards of the batch add up to; it counts while the batch is not final */
export function batchOf(row: BatchRow, sums: ShardTally): Batch {
  const {
    seq: _s,
    is_noted: _n,
    total,
    completed,
    failed,
    usage_json,
    errors_json,
    metadata_json,
    output_expires_after_json,
    result_files_json,
    ...plain
  } = row;
  const running = !isFinal(row.status);
  const usage: Batch["usage"] = running
    ? row.in_progress_at === null
      ? null
      : usageOf(sums.tokens)
    : parse(usage_json);
  return {
    ...plain,
    request_counts: running
      ? { total, completed: sums.completed, failed: sums.failed }
      : { total, completed, failed },
    usage,
    errors: parse(errors_json),
    metadata: parse(metadata_json),
    output_expires_after: parse(output_expires_after_json),
    result_files: parse(result_files_json),
  };
}

export function unfinishedBatchOf({
  result_files_json,
  ...plain
}: Omit<UnfinishedBatch, "result_files"> & Pick<BatchRow, "result_files_json">): UnfinishedBatch {
  return { ...plain, result_files: parse(result_files_json) };
}

function json(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value);
}

function parse<T>(text: string | null): T | null {
  return text === null ? null : JSON.parse(text);
}
