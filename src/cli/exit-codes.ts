import type { BatchObject } from "../batch/batch.ts";
import { type ErrorCode, NerifError } from "../batch/errors.ts";

/** What the command tells a script. */
export const exitCodes = {
  /** Every line succeeded, or the command did what it was asked for. */
  ok: 0,
  /** Nerif or the machine failed; what was done is kept. */
  internal: 1,
  /** Bad usage, bad input, or an upstream that is not there: nothing was sent. */
  usage: 2,
  /** Finished, and some lines failed. */
  failedLines: 3,
  /** Cancelled or past the deadline. */
  ended: 4,
  /** Stopped by an account problem at the upstream. */
  account: 5,
  /** Ctrl-C or SIGTERM. */
  interrupted: 130,
} as const;

/** The exit code of an error that ends a command. */
export function exitCodeOf(reason: unknown): number {
  return reason instanceof NerifError ? (byCode[reason.code] ?? exitCodes.usage) : exitCodes.internal;
}

/** The exit code of a batch that is final. */
export function exitCodeOfBatch(batch: Pick<BatchObject, "status" | "request_counts">): number {
  switch (batch.status) {
    case "completed":
      return batch.request_counts.failed === 0 ? exitCodes.ok : exitCodes.failedLines;
    case "failed":
      return exitCodes.usage;
    default:
      return exitCodes.ended;
  }
}

/** Errors that are not the fault of what was asked for. */
const byCode: Partial<Record<ErrorCode, number>> = {
  upstream_account: exitCodes.account,
  webhook_unreachable: exitCodes.internal,
  data_damaged: exitCodes.internal,
  disk_full: exitCodes.internal,
  storage_unavailable: exitCodes.internal,
  shutting_down: exitCodes.internal,
  aborted: exitCodes.interrupted,
  internal_error: exitCodes.internal,
};
