import type { Endpoint } from "./limits.ts";
import type { Usage } from "./usage.ts";

export const batchStatuses = [
  "validating",
  "failed",
  "in_progress",
  "finalizing",
  "completed",
  "expired",
  "cancelling",
  "cancelled",
] as const;

export type BatchStatus = (typeof batchStatuses)[number];

/** One reason why validation refused a batch. `line` is 1-based; null when the reason is the file as a whole. */
export interface BatchError {
  code: string;
  line: number | null;
  message: string;
  param: string | null;
}

export interface RequestCounts {
  /** Lines of the input; 0 until validation has ended. */
  total: number;
  /** Lines in the output file. */
  completed: number;
  /** Lines that were tried and finally failed. Expired and cancelled lines are in neither count. */
  failed: number;
}

/** The batch object of the OpenAI API. All times are Unix seconds; what is absent is null. */
export interface BatchObject {
  id: string;
  object: "batch";
  endpoint: Endpoint;
  /** The model of every line, or null when lines name different ones. */
  model: string | null;
  errors: { object: "list"; data: BatchError[] } | null;
  input_file_id: string;
  completion_window: string;
  status: BatchStatus;
  output_file_id: string | null;
  error_file_id: string | null;
  created_at: number;
  in_progress_at: number | null;
  /** Null only for `nerif run` without `--deadline`. */
  expires_at: number | null;
  finalizing_at: number | null;
  completed_at: number | null;
  failed_at: number | null;
  expired_at: number | null;
  cancelling_at: number | null;
  cancelled_at: number | null;
  request_counts: RequestCounts;
  usage: Usage | null;
  metadata: Record<string, string> | null;
}

/** The final status that a batch is on its way to once its last line has been run, dropped or refused. */
export type Ending = "completed" | "expired" | "cancelled";

/** What Nerif keeps of a batch: the object of the API and what the engine needs beside it. */
export interface Batch extends Omit<BatchObject, "object" | "errors"> {
  project: string;
  /** Id of the API key with which it was created; null where none was asked for. */
  api_key: string | null;
  /** Grows with every change; a writer names the version that it read, and loses against a newer one. */
  version: number;
  errors: BatchError[] | null;
  output_expires_after: { anchor: "created_at"; seconds: number } | null;
  /** Set when execution has ended and only the result files are still to be written. */
  ending: Ending | null;
  /** The ids of both result files that are being written; each writer draws its own, and the last one to draw counts. */
  result_files: { output: string; error: string } | null;
}

export function batchObject(batch: Batch): BatchObject {
  const {
    project: _p,
    api_key: _k,
    version: _v,
    output_expires_after: _o,
    ending: _e,
    result_files: _r,
    errors,
    id,
    ...rest
  } = batch;
  return { id, object: "batch", ...rest, errors: errors && { object: "list", data: errors } };
}
