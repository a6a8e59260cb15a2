import type { BatchError, BatchStatus, RequestCounts } from "../batch/batch.ts";
import type { NerifError } from "../batch/errors.ts";
import type { Usage } from "../batch/usage.ts";
import type { FirstFailure } from "./first-failure.ts";
import type { RunView } from "./run-view.ts";

export interface RunStart {
  batch: string;
  /** Path, or null for stdin. */
  input: string | null;
  /** Path, or null for stdout. */
  output: string | null;
  errors: string | null;
  store: string;
  /** Names of the model servers; of one that has no name, host and port. */
  upstreams: string[];
  resumed: boolean;
}

export interface RunEnd {
  batch: string;
  status: BatchStatus;
  counts: RequestCounts;
  usage: Usage | null;
  /** Files that were written; null where there is none, or it went to stdout. */
  output: string | null;
  errors: string | null;
  /** Milliseconds that this process took; null when an earlier one had finished the run. */
  tookMs: number | null;
  store: string;
  /** Null where no line failed or failed lines stand among the results, and where an earlier process had finished the run. */
  firstFailure: FirstFailure | null;
  /** Whether `nerif batches retry` finds failed lines in the store. */
  retryable: boolean;
  exitCode: number;
}

export interface RunStop {
  reason: "interrupted" | "account" | "unreachable" | "failed";
  counts: RequestCounts | null;
  exitCode: number;
}

/** Tells how a run is going: to people (`run-progress.ts`) or to programs (`run-events.ts`). */
export interface RunReport {
  started(start: RunStart): void;
  progress(view: RunView): void;
  /** Something that is worth a line. */
  note(text: string): void;
  /** The input was refused. */
  invalid(errors: readonly BatchError[]): void;
  ended(end: RunEnd): void;
  /** The run stopped before its end; what is done is kept. */
  stopped(stop: RunStop): void;
  failed(error: NerifError, exitCode: number): void;
}
