import type { Batch, BatchError, BatchStatus, Ending } from "./batch.ts";

/** The one table of legal transitions. A status may also stay as it is. */
export const transitions: Record<BatchStatus, readonly BatchStatus[]> = {
  validating: ["failed", "in_progress", "expired", "cancelling"],
  in_progress: ["finalizing", "expired", "cancelling"],
  finalizing: ["completed", "cancelling"],
  cancelling: ["cancelled"],
  completed: [],
  failed: [],
  expired: [],
  cancelled: [],
};

export function isFinal(status: BatchStatus): boolean {
  return transitions[status].length === 0;
}

/** What is known of a batch when it is created; everything else follows in `advance`. */
export type BatchStart = Pick<
  Batch,
  | "id"
  | "project"
  | "api_key"
  | "endpoint"
  | "input_file_id"
  | "completion_window"
  | "created_at"
  | "expires_at"
  | "metadata"
  | "output_expires_after"
>;

/** A batch that waits for its validation. */
export function newBatch(start: BatchStart): Batch {
  return {
    ...start,
    version: 1,
    model: null,
    errors: null,
    status: "validating",
    output_file_id: null,
    error_file_id: null,
    in_progress_at: null,
    finalizing_at: null,
    completed_at: null,
    failed_at: null,
    expired_at: null,
    cancelling_at: null,
    cancelled_at: null,
    request_counts: { total: 0, completed: 0, failed: 0 },
    usage: null,
    ending: null,
    result_files: null,
  };
}

export type BatchEvent =
  | { type: "validated"; total: number; model: string | null }
  | { type: "rejected"; errors: BatchError[] }
  /** Every line has its outcome. */
  | { type: "executed" }
  /** The completion window is over. */
  | { type: "window_over" }
  | { type: "cancel" }
  /** After a cancel: nothing is in flight any more. */
  | { type: "drained" }
  /** Somebody begins to write the result files, under ids of their own. */
  | { type: "writing"; result_files: { output: string; error: string } }
  /** The result files are durable. A file without lines is not named. */
  | {
      type: "written";
      output_file_id: string | null;
      error_file_id: string | null;
      completed: number;
      failed: number;
      usage: Batch["usage"];
    };

export type BatchPatch = Partial<Omit<Batch, "id" | "project" | "version">>;

/**
 * What an event changes in a batch, or null when the event means nothing in its status (a cancel of a final
 * batch, an expiry that came too late). Pure; every rule about statuses and their timestamps lives here.
 *
 * @param now Unix seconds
 */
export function advance(batch: Batch, event: BatchEvent, now: number): BatchPatch | null {
  switch (event.type) {
    case "validated":
      if (batch.status !== "validating") return null;
      return {
        status: "in_progress",
        in_progress_at: now,
        model: event.model,
        request_counts: { total: event.total, completed: 0, failed: 0 },
      };
    case "rejected":
      if (batch.status !== "validating") return null;
      return { status: "failed", failed_at: now, errors: event.errors };
    case "executed":
      if (batch.status !== "in_progress" || batch.ending !== null) return null;
      return {
        status: "finalizing",
        finalizing_at: now,
        ending: "completed",
      };
    case "window_over":
      // Cancelling goes on to cancelled and finalizing to completed: both have settled what the files will say.
      if (batch.ending !== null) return null;
      if (batch.status !== "validating" && batch.status !== "in_progress") return null;
      return { ending: "expired" };
    case "cancel":
      if (!transitions[batch.status].includes("cancelling")) return null;
      return { status: "cancelling", cancelling_at: now, ending: null, result_files: null };
    case "drained":
      if (batch.status !== "cancelling" || batch.ending !== null) return null;
      return { ending: "cancelled" };
    case "writing":
      return batch.ending === null || isFinal(batch.status) ? null : { result_files: event.result_files };
    case "written":
      return batch.ending === null ? null : end(batch, batch.ending, event, now);
  }
}

function end(batch: Batch, ending: Ending, event: BatchEvent & { type: "written" }, now: number): BatchPatch {
  const at = { completed: "completed_at", expired: "expired_at", cancelled: "cancelled_at" } as const;
  return {
    status: ending,
    [at[ending]]: now,
    output_file_id: event.output_file_id,
    error_file_id: event.error_file_id,
    request_counts: { total: batch.request_counts.total, completed: event.completed, failed: event.failed },
    usage: event.usage,
  };
}
